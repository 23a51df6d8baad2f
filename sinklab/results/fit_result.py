"""The one result that every engine returns: estimates with all that is uncertain about them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.data import vocabulary
from sinklab.equations.compile import Layout
from sinklab.equations.system import System
from sinklab.language import DataError, Notes, SetTable, listing, plain
from sinklab.results import indices
from sinklab.results.variance import ResidualModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: Condition of the correlation of predictors above which one follows from the others.
_COLLINEAR = 1e8


@dataclass(frozen=True)
class RandomEffects:
    """How parameters vary between groups: normal deviations with mean zero.

    ``column`` is the data column of the groups; ``covariance`` (q, q) is labelled by the parameters
    that vary; ``multiplies`` names those whose deviation ``u`` multiplies by ``exp(u)`` instead of being
    added; ``effects`` holds the deviations of the groups seen, one row each; ``spread``, of a
    result read from a table, the covariance of the coefficients of each of them. With groups in groups (``province/site``) covariance and effects are those of
    the finest groups, with all that they owe to the coarser ones, which stand in ``outer``. ``typical`` holds the equations
    of the typical group where those of the result are of the mean over groups.
    """

    column: str
    covariance: pd.DataFrame
    multiplies: tuple[str, ...] = ()
    effects: pd.DataFrame | None = None
    outer: "RandomEffects | None" = None
    spread: dict[str, pd.DataFrame] | None = None
    typical: System | None = None

    @property
    def names(self) -> list[str]:
        """Parameters that vary."""
        return list(self.covariance.index)

    @property
    def spread_told(self) -> tuple[list[str], np.ndarray, tuple[str, ...]]:
        """Parameters that vary, the covariance of their deviations, and those that are multiplied."""
        return self.names, self.covariance.to_numpy(float), self.multiplies

    def places(self, labels) -> list[int]:
        """Positions of the parameters that vary."""
        return [labels.index(name) for name in self.names]

    def moved(self, values, labels, deviation) -> np.ndarray:
        """Parameters (k,) of a group with some deviations (q,)."""
        moved = np.array(values, float)
        for name, place, u in zip(self.names, self.places(labels), deviation, strict=True):
            moved[place] = moved[place] * np.exp(u) if name in self.multiplies else moved[place] + u
        return moved

    @property
    def levels(self) -> list["RandomEffects"]:
        """The finest groups, then those that hold them."""
        return [self, *(self.outer.levels if self.outer else [])]

    def drawn(self, values, labels, rng) -> np.ndarray:
        """Parameters (k,) of a group drawn at random."""
        roots, vectors = np.linalg.eigh(self.covariance.to_numpy())
        deviation = vectors @ (np.sqrt(np.clip(roots, 0, None)) * rng.standard_normal(len(roots)))
        return self.moved(values, labels, deviation)

    def factors(self, values, labels) -> np.ndarray:
        """Derivatives (q,) of the parameters of a group by its deviations, from those parameters."""
        multiplies = [name in self.multiplies for name in self.names]
        return np.where(multiplies, np.asarray(values)[self.places(labels)], 1.0)

    def slopes(self, gradient, labels, values) -> np.ndarray:
        """Derivatives by the deviations (n, q), from those by the parameters (n, k), at no deviation."""
        return gradient[:, self.places(labels)] * self.factors(values, labels)

    def to_json(self) -> dict[str, Any]:
        """Plain types; what does not exist is null."""
        return {
            "column": self.column,
            "names": self.names,
            "covariance": plain(self.covariance.to_numpy().tolist()),
            "multiplies": list(self.multiplies),
            "effects": None if self.effects is None else plain(self.effects.to_dict("index")),
            "outer": self.outer and self.outer.to_json(),
        } | ({} if self.typical is None else {"typical": [str(e) for e in self.typical.equations]})


def correlation_draws(names: Sequence[str], draws: pd.DataFrame) -> np.ndarray:
    """Correlation matrices (D, d, d) of named quantities from columns ``correlation(a, b)``; 0 where none was drawn."""
    out = np.tile(np.eye(len(names)), (len(draws), 1, 1))
    for i, one in enumerate(names):
        for j, two in enumerate(names):
            for label in (f"correlation({one}, {two})", f"correlation({two}, {one})"):
                if i != j and label in draws:
                    out[:, i, j] = draws[label]
    return out


@dataclass(frozen=True)
class Population:
    """How coefficients vary between groups, as a posterior knows it.

    ``draws`` stand row for row beside those of the coefficients and have columns ``mean(a)``, ``spread(a)`` and
    ``correlation(a, b)``; the deviation of a coefficient that ``multiplies`` a mean is one of its logarithm.
    """

    draws: pd.DataFrame
    multiplies: frozenset[str]

    def knows(self, name: str) -> bool:
        """Whether a coefficient was drawn from a distribution over groups."""
        return f"spread({name})" in self.draws

    def mean(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Means over the groups for every draw; of a factor the middle one."""
        return {name: self.draws[f"mean({name})"].to_numpy() for name in names}

    def drawn(self, names: Sequence[str], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Coefficients of one group that was not seen, for every draw."""
        root = np.linalg.cholesky(correlation_draws(names, self.draws))
        deviation = np.einsum("dkl,dl->dk", root, rng.standard_normal((len(self.draws), len(names))))
        found = self.mean(names)
        for k, name in enumerate(names):
            moved = self.draws[f"spread({name})"].to_numpy() * deviation[:, k]
            found[name] = found[name] * np.exp(moved) if name in self.multiplies else found[name] + moved
        return found


@dataclass(frozen=True)
class Between:
    """How sites (or other sampled units) differ: common factors of their trees, as logarithms.

    Attributes
    ----------
    column : str
        Data column of the units.
    spread, within : DataFrame, shape (m, m)
        Covariance of the site factors of the responses, and of the logarithmic residuals of trees of one site.
    centre, share : Series, shape (m,)
        Mean of the site factors, not nought because a fit weighs trees and not sites; and the part of ``within`` that
        stands in the variance of a site's mean, from which ``spread`` was found.
    n : int
        Number of units.
    effects : DataFrame, optional
        Of the units seen: ``level, response, value, se``.
    population : DataFrame, shape (m, m), optional
        Part of ``spread`` that all places of one region share: how whole populations differ from what was sampled.
    """

    column: str
    spread: pd.DataFrame
    within: pd.DataFrame
    centre: pd.Series
    share: pd.Series
    n: int
    effects: pd.DataFrame | None = None
    population: pd.DataFrame | None = None

    @property
    def names(self) -> list[str]:
        """Responses whose spread is known."""
        return list(self.spread.index)

    @property
    def se(self) -> pd.Series:
        """Standard errors of the variances between sites, from those of the variances of site means."""
        spread, within = np.diag(self.spread), np.diag(self.within)
        whole = spread + within * self.share
        return whole * np.sqrt(2 / max(self.n - 1, 1))

    def effect(self, level: str, response: str) -> tuple[float, float] | None:
        """Effect of a unit that was seen with its standard error, as logarithms; None of another."""
        if self.effects is None:
            return None
        found = self.effects
        hit = found[(found["level"] == level) & (found["response"] == response)]
        return None if hit.empty else (float(hit["value"].iloc[0]), float(hit["se"].iloc[0]))

    def to_json(self) -> dict[str, Any]:
        """Plain types; logarithmic scale."""
        return {
            "column": self.column,
            "names": self.names,
            "matrix": plain(self.spread.to_numpy().tolist()),
            "se": plain(self.se.to_list()),
            "within": plain(self.within.to_numpy().tolist()),
            "centre": plain(self.centre.to_list()),
            "n": self.n,
            "effects": None if self.effects is None else plain(self.effects.to_dict("records")),
        } | ({} if self.population is None else {"population": plain(self.population.to_numpy().tolist())})


@dataclass(frozen=True)
class Domain:
    """Where the records of one response lie: the span of each predictor, and how far they stray from their middle together.

    Attributes
    ----------
    ranges : dict
        Span of each predictor over the records of the response.
    centre : Series, shape (k,)
        Mean of the logarithms of predictors that vary; empty where fewer than two do.
    spread : DataFrame, shape (k, k)
        Their covariance.
    reach : float
        Largest Mahalanobis distance of a record from the centre.
    """

    ranges: dict[str, tuple[float, float]]
    centre: pd.Series
    spread: pd.DataFrame
    reach: float = np.nan

    @classmethod
    def of(cls, records: pd.DataFrame) -> "Domain":
        """Domain of the predictors of some records."""
        ranges = {x: (float(records[x].min()), float(records[x].max())) for x in records}
        joint = [x for x, (low, high) in ranges.items() if 0 < low < high]
        bare = cls(ranges, pd.Series(dtype=float), pd.DataFrame(dtype=float))
        if len(joint) < 2 or len(records) < len(joint) + 2:
            return bare
        logs = np.log(records[joint].to_numpy(float))
        # Predictors that follow from each other leave no room beside their line.
        if np.linalg.cond(np.corrcoef(logs.T)) > _COLLINEAR:
            return bare
        spread = pd.DataFrame(np.cov(logs.T), index=joint, columns=joint)
        found = cls(ranges, pd.Series(logs.mean(axis=0), index=joint), spread)
        return replace(found, reach=float(found.distance(records).max()))

    @property
    def key(self) -> str:
        """The same for domains that say the same."""
        return repr((self.ranges, list(self.centre), self.spread.to_numpy().tolist(), self.reach))

    def adds_to(self, ranges: Mapping[str, tuple[float, float]]) -> bool:
        """Whether it says more than the ranges of a whole fit."""
        return not np.isnan(self.reach) or any(ranges.get(x) != span for x, span in self.ranges.items())

    def line(self, x: str, other: str) -> tuple[float, float, float]:
        """Slope, intercept and scatter of the logarithm of another predictor on that of ``x``.

        At one ``x`` no place lies nearer the middle of the records, by :meth:`distance`, than the one on this line.
        """
        cross, square = self.spread.loc[other, x], self.spread.loc[x, x]
        slope = cross / square
        scatter = np.sqrt(max(self.spread.loc[other, other] - slope * cross, 0.0))
        return float(slope), float(self.centre[other] - slope * self.centre[x]), float(scatter)

    def distance(self, frame: pd.DataFrame) -> np.ndarray:
        """Mahalanobis distance of each record from the centre, in logarithms."""
        with np.errstate(all="ignore"):
            away = np.log(frame[list(self.centre.index)].to_numpy(float)) - self.centre.to_numpy()
        return np.sqrt(np.einsum("ni,ij,nj->n", away, np.linalg.inv(self.spread.to_numpy()), away))


def _beyond(ranges, frame) -> dict[str, np.ndarray]:
    """Records outside the span of each predictor that the frame has."""
    found = {}
    for x, (low, high) in ranges.items():
        if x in frame:
            values, slack = frame[x].to_numpy(float), 1e-9 * max(abs(low), abs(high))
            found[x] = (values < low - slack) | (values > high + slack)
    return found


def _tell(notes, beyond, frame, ranges, label) -> None:
    for x, rows in beyond.items():
        low, high = ranges[x]
        for i in np.flatnonzero(rows):
            value = float(frame[x].iloc[i])
            notes[i].add(
                f"{x} = {value:g} outside {low:g}–{high:g}{label}",
                f"{x} = {value:g} 超出 {low:g}～{high:g}{label}",
            )


@dataclass(frozen=True)
class Certificate:
    """What shows that estimates stand where they should, and what was set to get them; None where it does not apply.

    Attributes
    ----------
    converged : bool
    estimator, approximation, engine : str
        ``ml`` or ``gls``; how a likelihood without closed form was approached; whose optimiser it was.
    steps, n_start : int
        Steps of the search, and starts that it was tried from.
    decrement : float
        Gain in log-likelihood that a further step promises.
    rank, n_parameter : int
        Parameters that the data determine, of how many.
    condition : float
        Of the information.
    loglik_second : float
        What a second optimiser reaches; ``agree`` tells whether it is the same.
    bounds, start : dict
        Limits and start values that were given, by parameter.
    cluster : dict
        ``column, n, kind, freedom, weight`` of a covariance of clusters, see :mod:`sinklab.fitting.resample`; without a column
        the records were taken as independent, and ``freedom`` is that of the covariance of their scores, by response.
    bootstrap : dict
        ``kind, group, interval, n, n_failed, seed`` of the refits behind the uncertainty.
    checks, sampled, draws, chains, loo, priors, options
        Of a posterior: the checks with their thresholds, every attempt at sampling, draws of each chain, number of
        chains, cross-validation, priors with their origin, options.
    other : dict
        What else a result of another kind keeps.
    """

    converged: bool | None = None
    estimator: str | None = None
    approximation: str | None = None
    engine: str | None = None
    steps: int | None = None
    decrement: float | None = None
    rank: int | None = None
    n_parameter: int | None = None
    condition: float | None = None
    n_start: int | None = None
    loglik_second: float | None = None
    agree: bool | None = None
    bounds: dict[str, tuple] | None = None
    start: dict[str, float] | None = None
    cluster: dict[str, Any] | None = None
    bootstrap: dict[str, Any] | None = None
    checks: dict[str, dict] | None = None
    sampled: list[dict] | None = None
    draws: int | None = None
    chains: int | None = None
    loo: dict[str, float] | None = None
    priors: dict[str, dict] | None = None
    options: dict[str, Any] | None = None
    other: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any] | None) -> "Certificate":
        """Read what :meth:`to_dict` gave."""
        content, names = content or {}, {f.name for f in fields(cls)} - {"other"}
        known = {k: v for k, v in content.items() if k in names}
        return cls(**known, other={k: v for k, v in content.items() if k not in names})

    def to_dict(self) -> dict[str, Any]:
        """What applies, by name; a second opinion or cross-validation that could not be had is None."""
        asked = {"loglik_second"} if self.agree is not None else set()
        asked |= {"loo"} if self.checks is not None else set()
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "other"}
        return {k: v for k, v in own.items() if v is not None or k in asked} | self.other


def joint_draws(values, covariance, on_log, normal) -> np.ndarray:
    """Draws (n, k) around estimates (k,) from standard normal numbers; those ``on_log`` as logarithms."""
    centre, scale = np.array(values, float), np.ones(len(values))
    centre[on_log], scale[on_log] = np.log(values[on_log]), 1 / values[on_log]
    # Eigenvalues instead of Cholesky: a covariance may be singular to rounding.
    roots, vectors = np.linalg.eigh(covariance * np.outer(scale, scale))
    drawn = centre + normal @ (vectors * np.sqrt(np.clip(roots, 0, None))).T
    drawn[:, on_log] = np.exp(drawn[:, on_log])
    return drawn


def _telling() -> Any:
    """The chapter that puts a fit into words; it stands on this one and is loaded when a fit is asked to speak."""
    return import_module("sinklab.results.summary")


@dataclass(frozen=True)
class FitResult:
    """Estimates, their joint uncertainty, the residual model and the data they came from.

    ``parameters`` has columns ``name, group, value, se, lower, upper``; ``covariance`` is square and
    labelled like :attr:`labels`; ``residual`` and ``correlation`` hold the free equations;
    ``ranges`` gives the fitted span of each predictor, ``domains`` that of each response; ``correction`` the factor that each
    back-transformed prediction is multiplied by (1 on the natural scale). ``data`` is None when the
    result was read from a table.

    Examples
    --------
    >>> fit.predict(pd.DataFrame({'dbh': [20.0]})).round(1).to_dict('records')
    [{'stem': 80.6, 'stem_se': 2.9, 'stem_lower': 63.1, 'stem_upper': 100.9, 'out_of_range': False, 'range_note': ''}]
    """

    system: System
    method: str
    parameters: pd.DataFrame
    covariance: pd.DataFrame
    residual: dict[str, ResidualModel]
    correlation: pd.DataFrame
    loglik: float
    n: dict[str, int]
    ranges: dict[str, tuple[float, float]]
    correction: dict[str, float]
    correction_kind: str
    index_table: pd.DataFrame
    converged: bool
    certificate: Certificate
    warnings: tuple[str, ...]
    versions: dict[str, str]
    source: dict[str, Any] = field(default_factory=dict)
    data: pd.DataFrame | None = None
    label: str = ""
    level: float = 0.95
    seed: int = 0
    stored_draws: pd.DataFrame | None = None
    random: RandomEffects | None = None
    between: Between | None = None
    population: Population | None = None
    domains: dict[str, Domain] = field(default_factory=dict)

    def __repr__(self) -> str:
        """At most twelve lines; :meth:`summary` says all."""
        return _telling().brief(self)

    def _repr_html_(self) -> str:
        return self.set_table().to_html()

    def set_table(self) -> SetTable:
        """Parameters and indices as set tables, for a notebook, LaTeX or Word.

        Examples
        --------
        >>> fit.set_table().to_word(folder / "fit.docx").name
        'fit.docx'
        """
        return _telling().as_set_table(self)

    def summary(self) -> str:
        """The whole report as text: parameters, residuals, indices with formulas, verdicts, range, notes."""
        return _telling().fit_report(self)

    def plot(
        self,
        kind: str = "fit",
        response: str | None = None,
        path: str | Path | None = None,
        lang: str | None = None,
    ) -> "Figure":
        """Draw the fit.

        Parameters
        ----------
        kind : str
            ``fit`` (data, curve, both intervals), ``log`` (the same on logarithms), ``observed`` (against
            predicted), ``residuals`` (by prediction and class), ``qq``, ``sites``, or ``prior`` (of a Bayesian
            fit: posterior against prior).
        response : str, optional
            The total, or the mass above ground, or the last left side when left out.
        path : path, optional
            Also write it there, as PNG or TIFF at 600 dots per inch, SVG or PDF.
        lang : "zh" or "en", optional
            The reader's language when left out.

        Returns
        -------
        figure : matplotlib Figure

        Raises
        ------
        DataError
            Unknown kinds and endings; kinds that need trees, of a result read from a table.

        Examples
        --------
        >>> fit.plot("log", "stem", "stem.pdf")  # doctest: +SKIP
        """
        # The chapter of figures stands above results; it is asked for by name, as one of several could be.
        return import_module("sinklab.plots").drawn(self, kind, path, lang, response)

    @property
    def ecosystem(self) -> str:
        """Ecosystem that alone has variables of the model, "" where none tells: whose words name the others."""
        return vocabulary.ecosystem_of((*self.system.responses, *self.system.predictors))

    @property
    def layout(self) -> Layout:
        """Names and groups of the estimates, in their order."""
        return Layout(self.system, tuple(self.parameters["name"]), tuple(self.parameters["group"]))

    @property
    def labels(self) -> list[str]:
        """Labels of the parameters: the name, with its group in brackets when it has one."""
        return self.layout.labels

    @property
    def values(self) -> np.ndarray:
        """Estimates in the order of :attr:`labels`."""
        return self.parameters["value"].to_numpy(float)

    @property
    def typical(self) -> "FitResult":
        """The result with the equations of the typical group, where its own are those of the mean over groups."""
        told = self.random.typical if self.random else None
        return self if told is None else replace(self, system=told)

    @property
    def n_variance(self) -> int:
        """Number of estimated variance and correlation parameters."""
        m = len(self.residual)
        pairs = m * (m - 1) // 2 if self.method in ("nsur", "mixed") else 0
        q = [len(level.names) for level in self.random.levels] if self.random else []
        own = sum(r.n_estimated for r in self.residual.values())
        if self.method == "nsur" and any(not r.tail_fixed for r in self.residual.values()):
            # Simultaneous equations share the degrees of freedom of Student's t.
            own -= m - 1
        return m + pairs + own + sum(n * (n + 1) // 2 for n in q)

    @property
    def of_medians(self) -> bool:
        """Whether the equations give medians, which a correction turns into means."""
        logs = all(r.kind == "lognormal" for r in self.residual.values())
        return self.method == "ols-log" or (self.method == "mixed" and logs)

    def draws(self, n: int = 1000) -> pd.DataFrame:
        """Joint draws of the parameters, seeded by :attr:`seed`.

        Factors of products of powers are drawn as logarithms and stay positive; see
        :meth:`log_coefficients`.

        Parameters
        ----------
        n : int
            Number of draws; a result with stored draws returns the first ``n`` of them.

        Returns
        -------
        draws : DataFrame, shape (n, n_parameter)
        """
        if self.stored_draws is not None:
            if n > len(self.stored_draws):
                raise DataError(
                    f"{n} draws asked for; the table holds {len(self.stored_draws)}",
                    f"要求 {n} 次抽样；参数表中只有 {len(self.stored_draws)} 次",
                )
            return self.stored_draws.iloc[:n]
        normal = np.random.default_rng(self.seed).standard_normal((n, len(self.values)))
        drawn = joint_draws(self.values, self.covariance.to_numpy(), self.log_coefficients(), normal)
        return pd.DataFrame(drawn, columns=self.labels)

    def log_coefficients(self) -> np.ndarray:
        """Mask of the parameters that are drawn as logarithms.

        These are the factors of products of powers. A factor and its exponents are strongly tied, and
        only on the scale of logarithms is that tie a straight line: drawn as it stands, a factor known
        to a tenth would move every prediction by half a percent, and one known badly, by far more.
        """
        leading = self.typical.system.leading
        return np.array([n in leading for n in self.parameters["name"]], bool) & (self.values > 0)

    def columns(self, data: pd.DataFrame | Mapping[str, Any]) -> pd.DataFrame:
        """What the equations need of the data: predictors as numbers, groups as text."""
        columns = {x: np.asarray(data[x], float) for x in self.system.predictors}
        # A constant has no predictor that would tell the number of records.
        rows = len(data) if isinstance(data, pd.DataFrame) else None
        frame = pd.DataFrame(columns, index=None if rows is None else range(rows))
        groups = {*self.system.groups.values(), *(m.ident for m in self.residual.values() if m.ident in data)}
        return frame.assign(**{g: np.asarray(data[g]).astype(str) for g in sorted(groups)})

    def means(self, frame: pd.DataFrame, free: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """Expected values of all responses on the :meth:`columns` of data.

        Free equations are multiplied by their correction where they give medians, and identities made of those;
        ``free`` holds what the free equations give, if that is known.
        """
        if free is None:
            wanted = self.system.free if self.of_medians else self.system.responses
            found = self.layout.at(frame, wanted, len(frame)).mean(self.values)
            free = dict(zip(wanted, found.T, strict=True))
        if not self.of_medians:
            return free
        return self.system.complete({r: free[r] * self.correction[r] for r in self.system.free}, frame)

    def range_note(self, frame: pd.DataFrame, responses: Sequence[str] = ()) -> np.ndarray:
        """Text naming what lies outside the records of a fit, by response where they differ; empty inside.

        A predictor may lie outside its span, or predictors each inside theirs lie together where no record was: further from the
        middle of the records, by Mahalanobis distance of logarithms, than any of them.

        Parameters
        ----------
        frame : DataFrame
            Its predictors.
        responses : sequence of str
            Those that are asked for; all of them when left out.
        """
        notes = [Notes() for _ in range(len(frame))]
        beyond = _beyond(self.ranges, frame)
        _tell(notes, beyond, frame, self.ranges, "")
        for names, domain in self.shared_domains(responses):
            label, own = f" [{', '.join(names)}]", _beyond(domain.ranges, frame)
            told = {x: rows & ~beyond[x] for x, rows in own.items() if x in beyond}
            _tell(notes, told, frame, domain.ranges, label)
            if np.isfinite(domain.reach) and set(domain.centre.index) <= set(frame):
                inside = ~np.logical_or.reduce(list(own.values())) if own else np.ones(len(frame), bool)
                together = ", ".join(domain.centre.index)
                for i in np.flatnonzero(inside & (domain.distance(frame) > domain.reach * (1 + 1e-9))):
                    notes[i].add(
                        f"{together} together outside the records{label}", f"{together} 的组合超出样本{label}"
                    )
        return np.array([listing(note).replace("\n", "; ") for note in notes], dtype=object)

    def line_on(
        self, x: str, other: str, data: pd.DataFrame | None = None
    ) -> tuple[float, float, float] | None:
        """Line of a predictor on another in some data, or else in the records behind the fit; None where neither tells."""
        told = [] if data is None or not {x, other} <= {*data} else [Domain.of(data[[x, other]].dropna())]
        # The response with the widest span of sizes speaks for all.
        told += sorted(self.domains.values(), key=lambda d: -np.divide(*d.ranges.get(x, (1.0, 1.0))[::-1]))
        return next((d.line(x, other) for d in told if {x, other} <= {*d.centre.index}), None)

    def shared_domains(self, responses: Sequence[str] = ()) -> list[tuple[list[str], Domain]]:
        """Domains of the responses asked for, each once with the responses that share it."""
        groups: dict[str, list[str]] = {}
        for name, domain in self.domains.items():
            if name in (responses or self.domains):
                groups.setdefault(domain.key, []).append(name)
        return [(names, self.domains[names[0]]) for names in groups.values()]

    def predict(
        self,
        data: pd.DataFrame | Mapping[str, Any],
        level: float = 0.95,
        kind: str = "mean",
        intervals: str | None = None,
        of: str | None = None,
    ) -> pd.DataFrame:
        """Predict every response with an interval; see :func:`sinklab.results.prediction.predict`."""
        from sinklab.results.prediction import predict

        return predict(self, data, level=level, kind=kind, intervals=intervals, of=of)

    def total(
        self,
        data: pd.DataFrame | Mapping[str, Any],
        by: str | None = None,
        level: float = 0.95,
        of: str | None = None,
    ) -> pd.DataFrame:
        """Totals of groups of individuals with intervals; see :func:`sinklab.results.prediction.total`."""
        from sinklab.results.prediction import total

        return total(self, data, by=by, level=level, of=of)

    def fitted(self) -> pd.DataFrame:
        """Observed and predicted values of the trees used: columns ``response, observed, predicted``.

        The index is the row in :attr:`data`; responses that were not measured are left out. A total of which all parts
        were weighed is their sum, weighed itself or not.
        """
        if self.data is None:
            raise DataError(
                "this result was read from a table and holds no trees; fit the data again for residuals",
                "该结果读自参数表，不含样木数据；如需残差请重新拟合",
            )
        mean = self.means(self.columns(self.data))
        parts = []
        for response in self.system.responses:
            seen = observed(self, response, self.data)
            if seen is None:
                continue
            columns = {"response": response, "observed": np.asarray(seen, float), "predicted": mean[response]}
            part = pd.DataFrame(columns, index=self.data.index)
            parts.append(part[part["observed"].notna()])
        return pd.concat(parts) if parts else pd.DataFrame(columns=["response", "observed", "predicted"])

    def standardised(self, response: str) -> pd.Series:
        """Residuals of a free response over their standard deviation, by row of :attr:`data`."""
        fitted = self.fitted()
        part = fitted[fitted["response"] == response]
        told = self.residual[response].standardised(
            part["observed"], part["predicted"], self.data.loc[part.index], self.correction[response]
        )
        return pd.Series(told, index=part.index)

    def indices(self, by: str | None = None) -> pd.DataFrame:
        """Indices of fit per response, and per level of a column of :attr:`data`.

        Parameters
        ----------
        by : str, optional
            Column of the data; without it the stored table of the whole sample is returned.

        Returns
        -------
        indices : DataFrame
            Indexed by response, or by response and level of ``by``.
        """
        if by is None:
            return self.index_table
        fitted = self.fitted()
        groups = fitted.join(self.data[[by]]).groupby(["response", by], observed=True, sort=False)
        rows = {}
        for key, part in groups:
            # Within a class the model was not refitted, so no parameter is counted against it.
            rows[key] = indices.evaluate(part["observed"], part["predicted"], p=0)
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["response", by])

    @property
    def _interval_kind(self) -> str:
        told = self.certificate.bootstrap
        return f"bootstrap, {told['interval']}" if told else "Wald, Student t"

    @property
    def sampled_by(self) -> str | None:
        """Column whose levels were drawn and hold their records together: the groups of a mixed model, or the clusters."""
        if self.random is not None:
            return self.random.column.split("/")[0]
        told = self.certificate.cluster or {}
        return None if told.get("kind") == "independent" else told.get("column")

    def freedom_of_covariance(self, parts: Iterable[str], kind: str = "mean") -> float:
        """Degrees of freedom on which the covariance is known for what is made of some free responses.

        Those of the sampled units, or of independent records for an interval of the mean (an individual owes little
        to the parameters); infinite where the covariance is that of a model.
        """
        told = (self.certificate.cluster or {}).get("freedom") or np.inf
        if not isinstance(told, Mapping):
            return float(told)
        return min((told.get(r, np.inf) for r in parts), default=np.inf) if kind == "mean" else np.inf

    def to_json(self) -> dict[str, Any]:
        """Plain types for ``fit --json``; numbers that do not exist are null."""
        p = self.parameters
        k = len(p) + self.n_variance
        return {
            "label": self.label,
            "method": self.method,
            "equations": [str(e) for e in self.system.equations],
            "parameters": plain(p.to_dict("records")),
            "covariance": {"names": self.labels, "matrix": plain(self.covariance.to_numpy().tolist())},
            "residual": {r: m.to_json() for r, m in self.residual.items()},
            "correlation": {
                "names": list(self.correlation.columns),
                "matrix": plain(self.correlation.to_numpy().tolist()),
            },
            "correction": {"kind": self.correction_kind, "factor": plain(self.correction)},
            "loglik": plain(self.loglik),
            "aic": plain(indices.aic(self.loglik, k)),
            "bic": plain(indices.bic(self.loglik, k, max(self.n.values()))),
            "n": {r: int(c) for r, c in self.n.items()},
            "random": None if self.random is None else self.random.to_json(),
            "cluster": plain(self.certificate.cluster),
            "between": None if self.between is None else self.between.to_json(),
            "indices": {r: plain(row.to_dict()) for r, row in self.index_table.iterrows()},
            "ranges": {x: {"min": plain(lo), "max": plain(hi)} for x, (lo, hi) in self.ranges.items()},
            "interval": {"kind": self._interval_kind, "level": self.level},
            "verdicts": plain(_telling().verdicts(self)),
            "converged": bool(self.converged),
            "certificate": plain(self.certificate.to_dict()),
            "warnings": list(self.warnings),
            "seed": int(self.seed),
            "source": plain(self.source),
            "versions": dict(self.versions),
        }


def limits(
    values: np.ndarray, se: np.ndarray, freedom: Any, level: float, on_log: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Wald limits of estimates; those ``on_log`` are symmetric as logarithms."""
    half = stats.t.ppf(0.5 + level / 2, freedom) * se
    lower, upper = values - half, values + half
    if on_log is not None:
        ratio = np.exp(half[on_log] / values[on_log])
        lower[on_log], upper[on_log] = values[on_log] / ratio, values[on_log] * ratio
    return lower, upper


def with_covariance(fit: FitResult, covariance: np.ndarray, freedom: float) -> FitResult:
    """The same estimates with another covariance (k, k), known on so many degrees of freedom at most."""
    owner = {p: r for r in fit.system.free for p in fit.system.own_parameters[r]}
    own = [fit.residual[owner[name]].freedom for name in fit.parameters["name"]]
    se = np.sqrt(np.clip(np.diag(covariance), 0, None))
    on_log = fit.log_coefficients() if fit.method == "ols-log" else None
    lower, upper = limits(fit.values, se, np.clip(own, 1, freedom), fit.level, on_log)
    return replace(
        fit,
        parameters=fit.parameters.assign(se=se, lower=lower, upper=upper),
        covariance=pd.DataFrame(covariance, index=fit.labels, columns=fit.labels),
    )


def observed(fit: FitResult, response: str, data: Any) -> Any:
    """Measured values of a response; those of a total that was not weighed are made of its parts.

    Returns
    -------
    values : Series or array, shape (n,), or None
        None when the data do not hold them.
    """
    if data is None:
        return None
    weighed = data[response] if response in data else None
    if response not in fit.system.identities or (weighed is not None and weighed.notna().all()):
        return weighed
    blank = np.full(len(data), np.nan)
    parts = {r: data[r].to_numpy(float) if r in data else blank for r in fit.system.free}
    columns = {c: data[c].to_numpy(float) for c in fit.system.predictors}
    made = fit.system.complete(parts, columns)[response]
    if weighed is not None:
        return weighed.fillna(pd.Series(made, index=data.index))
    return made if np.isfinite(made).any() else None
