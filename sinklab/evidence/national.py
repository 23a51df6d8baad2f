r"""One national system of stand models on nested levels: species, genus, family, forest type, and every place its own.

What a region needs is a number for its own stands. A plot of a research station carries twice the mass of an inventory
plot of the same age because twice the trees stand on it; with mean diameter and stem density, or with growing stock, both
lie on one curve. The models of ``data/rules/national_models.csv`` are therefore lines of logarithms,

.. math:: \ln y = x^T(\beta + b_{type}) + t_{type} + f_{family} + g_{genus} + s_{species} + c_{type, cell} + u_{study} + v_{place} + e,

with centred logarithms :math:`x` of the predictors, slopes that vary between forest types, and normal effects of every
level. A species with few plots leans on its genus, a genus on its family and type, as far as the data say (best linear
unbiased predictors; variances by restricted maximum likelihood). Parts of the country (cells of five degrees, about a
province), studies and the places in them are what was sampled: their spread is that of a stand of a new region, beside the
residual of one plot. How much wider or narrower a forest type is than all, cells left out of it tell, moderated to the
common variance by as many degrees of freedom as the types differ.

Places and studies are absorbed in closed form (a place with :math:`m` plots has precision
:math:`I - \lambda/(1+m\lambda)\,11^T`, a study likewise over its places), the rest is one penalised least-squares problem
(Henderson's equations).

Source
------
Henderson C.R. (1975) Best linear unbiased estimation and prediction under a selection model. Biometrics 31:423-447.
Bates D., Mächler M., Bolker B., Walker S. (2015) Fitting linear mixed-effects models using lme4. J. Statistical Software
67(1), section 3 (penalised least squares and its profiled criterion). Smyth G.K. (2004) Statistical Applications in Genetics
and Molecular Biology 3(1):3 (moderated variances). Satterthwaite F.E. (1946) Biometrics Bulletin 2:110-114.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import linalg, optimize, sparse, special, stats

from sinklab import paths
from sinklab.data import literature, plausibility, vocabulary
from sinklab.data.files import read_csv, records, rule_row, rule_values
from sinklab.data.open_data import load
from sinklab.equations.system import System
from sinklab.language import DataError, Notes, tr
from sinklab.results import indices
from sinklab.results.calibration import REFERENCE, widened
from sinklab.results.fit_result import Between, Certificate, Domain, FitResult
from sinklab.results.variance import ResidualModel

#: Levels of a stand's taxon, the widest first.
LEVELS = ("forest_type", "family", "genus", "species")
#: Where the plots come from, and how they were joined.
SOURCES = ("SCHEPASCHENKO2017", "COOKPATTON2020")
METHOD = "nested linear mixed model of logarithms, restricted maximum likelihood"
#: Plots that a taxon needs for a row of its own.
FEWEST = 5
#: What was sampled: parts of the country by forest type, studies, and the places in them.
UNITS = ("cell", "study", "place")
#: Those of them that are absorbed in closed form.
ABSORBED = UNITS[1:]
#: Further from its line than this many standard deviations a plot is taken for a slip of print, and named.
FAR = 4.0
#: A plot of two compilations: same age, and mass above ground within this. [t/ha]
SAME_MASS = 1.0


def models() -> dict[str, dict[str, Any]]:
    """The models of the system: ``response``, ``predictors``, ``sets`` of plots (tuples) and labels, by id.

    Plots of GROA tell of roots alone: among them stands of four trees a hectare at eighty years count as forest.
    """
    rows = records("rules", "national_models.csv", several=("predictors", "sets"))
    return {r["model_id"]: r for r in rows}


# The stands.


def stands() -> pd.DataFrame:
    """Plots of Chinese forests from the open compilations, each once.

    Returns
    -------
    stands : DataFrame
        Vocabulary names, ``study`` and ``place`` (study and position) as sampled units, ``taxon`` keys of every level.
        Roots that were computed from shoots are blank. ``attrs["notes"]`` counts what was left out.

    Raises
    ------
    DataError
        The open data are not at hand.
    """
    notes = Notes()
    plots = load("open:eurasia_plots", {"country": "CHN"})
    computed = plots["bgb_density"].gt(0) & plots["agb_density"].gt(0) & plots["root_shoot_ratio"].isna()
    plots.loc[computed, ["bgb_density", "total_density"]] = np.nan
    notes.add(
        f"{int(computed.sum())} roots that are a fixed share of the shoots left out",
        f"{int(computed.sum())} 条按固定比例推算的根未采用",
    )
    more = load("open:groa_china")
    seen = set(zip(plots["age"], plots["agb_density"].round(), strict=True))
    near = [
        any((age, round(mass) + d) in seen for d in (-1, 0, 1)) if mass > 0 else True
        for age, mass in zip(more["age"], more["agb_density"], strict=True)
    ]
    notes.add(
        f"GROA: {sum(near)} of {len(more)} plots are in the first compilation too (same age, mass within {SAME_MASS:g} t/ha)",
        f"GROA：{len(more)} 块样地中 {sum(near)} 块已见于前一汇编（林龄相同、生物量相差不超过 {SAME_MASS:g} t/ha）",
    )
    kept = [plots.assign(set="eurasia_plots"), more[~np.array(near)].assign(set="groa_china")]
    found = pd.concat(kept, ignore_index=True)
    found["basal_area"] = found["stem_density"] * np.pi / 4 * (found["dbh"] / 100) ** 2
    shaped = {row for item in plausibility.computed(found, {"growing_stock"}) for row in item.rows}
    found["shaped"] = found.index.isin(shaped)
    notes.add(
        f"{len(shaped)} growing stocks are a form factor times basal area and height: no model of growing stock is made of them",
        f"{len(shaped)} 个蓄积量等于形数×断面积×平均高，系推算，未用于蓄积量模型",
    )
    return units(found).pipe(_with_notes, notes)


def _with_notes(frame, notes) -> pd.DataFrame:
    frame.attrs = {"notes": notes}
    return frame


def units(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the sampled units and the keys of the levels: a stand of no known genus is one of its type only."""
    families = {s.genus: s.family for s in vocabulary.species_list()}
    cell = (frame["latitude"] // 5).astype(str) + "/" + (frame["longitude"] // 5).astype(str)
    study = frame["study_id"].astype(str)
    spot = frame["latitude"].round(1).astype(str) + " " + frame["longitude"].round(1).astype(str)
    kind = frame["forest_type"].fillna("unknown").astype(str)
    genus = frame["genus"].where(frame["genus"].notna(), None)
    keys = {"forest_type": kind, "family": genus.map(families).fillna(genus), "genus": genus}
    keys["species"] = frame["species"].where(frame["species"].notna(), None)
    return frame.assign(study=study, place=study + " " + spot, cell=cell, **keys)


# The engine: normal effects of nested levels on a line of logarithms.


@dataclass(frozen=True, eq=False)
class Nested:
    """A fitted line of logarithms with effects of every level.

    ``spreads`` are the standard deviations of the effects by level (``forest_type:dbh`` is that of a slope), of ``cell``,
    ``study``, ``place`` and ``residual``. ``mean`` and ``covariance`` hold the joint normal of fixed coefficients and scaled
    effects. ``scales`` and ``held`` are the variance of a forest type over the common one, and its degrees of freedom.
    """

    response: str
    predictors: tuple[str, ...]
    centre: np.ndarray
    spreads: dict[str, float]
    columns: list[tuple[str, str]]
    mean: np.ndarray
    covariance: np.ndarray
    frame: pd.DataFrame = field(repr=False)
    far: pd.DataFrame = field(repr=False)
    scales: dict[str, float] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)

    def apart(self, taxon: dict[str, str], unseen: float) -> tuple[float, float]:
        """Variance of a place of a new study in a new part of the country, and of a plot in it, by its forest type."""
        scale = self.scales.get(str(taxon.get("forest_type")), 1.0)
        of_place = unseen + sum(self.spreads[u] ** 2 for u in UNITS)
        return scale * of_place, scale * self.spreads["residual"] ** 2

    @cached_property
    def _places(self) -> dict[tuple[str, str], int]:
        return {column: i for i, column in enumerate(self.columns)}

    @property
    def freedom(self) -> int:
        """Degrees of freedom: studies less one."""
        return max(self.frame["study"].nunique() - 1, 1)

    def freedom_of(self, kind: str) -> float:
        """Degrees of freedom of the variance of a forest type, no more than those of the studies."""
        return min(float(self.freedom), self.held.get(str(kind), np.inf))

    def functional(self, taxon: dict[str, str]) -> tuple[np.ndarray, float]:
        """Rows (p, all) that give the coefficients of a taxon, and the variance of levels it has but nobody measured."""
        p, known = len(self.predictors) + 1, self._places
        rows, unseen = np.zeros((p, len(self.columns))), 0.0
        rows[np.arange(p), np.arange(p)] = 1.0
        for level in LEVELS:
            key = (level, str(taxon.get(level)))
            if key in known:
                rows[0, known[key]] = self.spreads[level]
            else:
                unseen += self.spreads[level] ** 2
            for j, x in enumerate(self.predictors, start=1):
                slope = (f"{level}:{x}", key[1])
                if slope in known:
                    rows[j, known[slope]] = self.spreads[slope[0]]
        return rows, unseen

    def coefficients(self, taxon: dict[str, str]) -> tuple[np.ndarray, np.ndarray, float]:
        """Level and slopes (p,) of a taxon at the centre, their covariance (p, p), and the variance of unseen levels."""
        rows, unseen = self.functional(taxon)
        own = np.flatnonzero(rows.any(axis=0))
        rows = rows[:, own]
        return rows @ self.mean[own], rows @ self.covariance[np.ix_(own, own)] @ rows.T, unseen

    def predict(self, stands: pd.DataFrame) -> pd.DataFrame:
        """Median, mean and SD of the logarithm of single plots of new studies.

        Returns
        -------
        told : DataFrame, index of ``stands``
            ``log`` and ``sd`` of the logarithm, ``mean`` of the response; ``of_line``, the share of the variance that is the
            error of the line and of levels nobody measured.
        """
        x = design(stands, self.predictors, self.centre)
        log, line_variance, spread, unknown = (np.empty(len(stands)) for _ in range(4))
        taxa = stands[list(LEVELS)].astype(object).where(stands[list(LEVELS)].notna(), None)
        code, names = pd.factorize(pd.MultiIndex.from_frame(taxa.fillna("")))
        for i, taxon in enumerate(names):
            rows, named = np.flatnonzero(code == i), {k: v for k, v in zip(LEVELS, taxon, strict=True) if v}
            line, covariance, unseen = self.coefficients(named)
            log[rows] = x[rows] @ line
            spread[rows] = sum(self.apart(named, unseen))
            unknown[rows] = spread[rows] - sum(self.apart(named, 0.0))
            line_variance[rows] = np.einsum("ij,jk,ik->i", x[rows], covariance, x[rows])
        variance = line_variance + spread
        told = {"log": log, "sd": np.sqrt(variance), "mean": np.exp(log + spread / 2)}
        return pd.DataFrame(told | {"of_line": (line_variance + unknown) / variance}, index=stands.index)


def design(frame, predictors, centre) -> np.ndarray:
    """One and the centred logarithms of the predictors, (n, p)."""
    logs = np.log(frame[list(predictors)].to_numpy(float)) - centre
    return np.column_stack([np.ones(len(frame)), logs])


def fit_model(stands: pd.DataFrame, model_id: str) -> Nested:
    """Fit a model of the system to the stands of its sets, with the scales of its forest types."""
    model = models()[model_id]
    return scaled(fit(stands[stands["set"].isin(model["sets"])], model["response"], model["predictors"]))


def usable(frame: pd.DataFrame, response: str, predictors: Sequence[str]) -> pd.DataFrame:
    """Stands that have the response and every predictor, all positive; a stock that a form factor made teaches none."""
    told = frame[[response, *predictors]].gt(0).all(axis=1)
    return frame[told & ~frame["shaped"] if response == "growing_stock" and "shaped" in frame else told]


def fit(
    frame: pd.DataFrame,
    response: str,
    predictors: Sequence[str],
    spreads: dict | None = None,
    near: dict | None = None,
) -> Nested:
    """Fit a line of logarithms with nested effects.

    Parameters
    ----------
    frame : DataFrame
        As :func:`stands` or :func:`units` gives it.
    response : str
    predictors : sequence of str
    spreads : dict, optional
        Standard deviations of another fit, which are kept: a fit without some studies is one solution of equations.
    near : dict, optional
        Standard deviations from which the search begins.

    Raises
    ------
    DataError
        Fewer than thirty stands, or than five studies.
    """
    used = usable(frame, response, predictors).reset_index(drop=True)
    if len(used) < 30 or used["study"].nunique() < 5:
        raise DataError(
            f"{response} over {', '.join(predictors)}: {len(used)} stands of {used['study'].nunique()} studies; expected 30 of 5",
            f"{response}（自变量 {'、'.join(predictors)}）：{used['study'].nunique()} 项研究的 {len(used)} 块样地；"
            "应有 5 项研究的 30 块样地",
        )
    problem = _Problem(used, response, tuple(predictors))
    found = problem.solution(problem.search(near) if spreads is None else spreads)
    if spreads is not None:
        return found
    away = problem.away(found)
    far = used[np.abs(away) > FAR]
    if len(far):
        problem = _Problem(used.drop(far.index).reset_index(drop=True), response, tuple(predictors))
        found = problem.solution(problem.search(found.spreads))
    return replace(found, far=far.assign(away=away[far.index]))


def _indicator(code) -> sparse.csr_array:
    """Ones where a row belongs to a group, (groups, rows)."""
    return sparse.csr_array((np.ones(len(code)), (code, np.arange(len(code)))))


class _Problem:
    """Sums of squares of one model, from which a solution follows for any spreads."""

    def __init__(self, used, response, predictors):
        self.used, self.response, self.predictors = used, response, predictors
        self.centre = np.log(used[list(predictors)].to_numpy(float)).mean(axis=0)
        self.x = design(used, predictors, self.centre)
        self.y = np.log(used[response].to_numpy(float))
        blocks, self.columns, self.kinds = (
            [sparse.csr_array(self.x)],
            [("", n) for n in ("", *predictors)],
            [""] * self.x.shape[1],
        )
        levels = {level: used[level] for level in LEVELS}
        levels["cell"] = used["forest_type"].astype(str) + " " + used["cell"].astype(str)
        for level, keys in levels.items():
            seen = keys.notna()
            code, names = pd.factorize(keys.where(seen))
            for j, kind in enumerate(
                [level, *[f"{level}:{x}" for x in predictors if level == "forest_type"]]
            ):
                rows, size = np.flatnonzero(seen), (len(used), len(names))
                blocks.append(sparse.csr_array((self.x[seen, j], (rows, code[seen])), size))
                self.columns += [(kind, str(n)) for n in names]
                self.kinds += [kind] * len(names)
        whole = sparse.hstack([*blocks, self.y[:, None]], format="csr")
        code, _ = pd.factorize(used["place"])
        self.count = np.bincount(code).astype(float)
        self.sums = _indicator(code) @ whole
        self.study, _ = pd.factorize(used.groupby(code)["study"].first())
        self.of_study = _indicator(self.study)
        self.cross, self.whole = (whole.T @ whole).toarray(), whole
        self.names = [k for k in dict.fromkeys(self.kinds) if k]
        self.numbers = np.array([self.names.index(k) if k else -1 for k in self.kinds])

    def _solve(self, ratio):
        """Factor, solution, residual sum of squares and determinant of the absorbed, for spreads relative to the residual."""
        lam, of_study = ratio["place"] ** 2, ratio["study"] ** 2
        left = 1 / (1 + self.count * lam)
        of_places = self.of_study @ self.sums.multiply(left[:, None])
        inside = 1 + of_study * np.bincount(self.study, self.count * left)
        cross = self.cross - (self.sums.T @ self.sums.multiply((lam * left)[:, None])).toarray()
        cross -= (of_places.T @ of_places.multiply((of_study / inside)[:, None])).toarray()
        absorbed = -np.log(left).sum() + np.log(inside).sum()
        scale = np.array([ratio[k] if k else 1.0 for k in self.kinds])
        matrix, right = cross[:-1, :-1] * np.outer(scale, scale), cross[:-1, -1] * scale
        matrix[np.diag_indices(len(scale))] += [1.0 if k else 0.0 for k in self.kinds]
        factor = linalg.cho_factor(matrix, lower=True)
        solution = linalg.cho_solve(factor, right)
        return factor, solution, float(cross[-1, -1] - right @ solution), absorbed

    def criterion(self, theta) -> tuple[float, np.ndarray]:
        """Minus twice the restricted log-likelihood, but for a constant, with the residual variance profiled out; its slope."""
        theta = np.asarray(theta)
        value, factor, solution, square = self._value(theta)
        n = len(self.y) - self.x.shape[1]
        slope = np.empty(len(theta))
        # Of what is solved for: from the effects and the diagonal of the inverse; of what is absorbed: by a step.
        inverse, _ = linalg.lapack.dtrtri(factor[0], lower=1)
        kept = 1 - (np.tril(inverse) ** 2).sum(axis=0)
        own, m = self.numbers >= 0, len(self.names)
        slope[:m] = 2 * np.bincount(self.numbers[own], kept[own], minlength=m)
        slope[:m] -= 2 * n / square * np.bincount(self.numbers[own], solution[own] ** 2, minlength=m)
        slope[:m] += (theta[:m] + 1) / 4
        for i in range(m, len(theta)):
            step = np.zeros(len(theta))
            step[i] = 1e-5
            slope[i] = (self._value(theta + step)[0] - value) / 1e-5
        return value, slope

    def _value(self, theta):
        ratio = dict(zip([*self.names, *ABSORBED], np.exp(theta), strict=True))
        factor, solution, square, absorbed = self._solve(ratio)
        n = len(self.y) - self.x.shape[1]
        # A weak pull to ratios of order one keeps a spread that the data do not tell from running away.
        prior = float(((theta + 1) ** 2).sum()) / 8
        value = 2 * np.log(np.diag(factor[0])).sum() + absorbed + n * np.log(square) + prior
        return value, factor, solution, square

    def search(self, near: dict | None = None) -> dict[str, float]:
        """Spreads that maximise the restricted likelihood."""
        names = [*self.names, *ABSORBED]
        start = [np.log(near[k] / near["residual"]) if near else -1.0 for k in names]
        found = optimize.minimize(
            self.criterion,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-5, 3)] * len(names),
            options={"ftol": 1e-7},
        )
        ratio = dict(zip(names, np.exp(found.x), strict=True))
        square = self._solve(ratio)[2]
        sigma = float(np.sqrt(square / (len(self.y) - self.x.shape[1])))
        return {k: v * sigma for k, v in ratio.items()} | {"residual": sigma}

    def solution(self, spreads) -> Nested:
        sigma = spreads["residual"]
        ratio = {k: spreads[k] / sigma for k in [*self.names, *ABSORBED]}
        factor, solution, _, _ = self._solve(ratio)
        covariance = sigma**2 * linalg.cho_solve(factor, np.eye(len(solution)))
        # Effects in units of their spread.
        unit = np.array([1 / sigma if k else 1.0 for k in self.kinds])
        return Nested(
            self.response,
            self.predictors,
            self.centre,
            dict(spreads),
            self.columns,
            solution * unit,
            covariance * np.outer(unit, unit),
            self.used,
            self.used.iloc[:0],
        )

    def away(self, found: Nested) -> np.ndarray:
        """Residuals about the lines of the taxa, in standard deviations of a plot of any study."""
        scale = np.array([1.0 if not k else 0.0 if k in UNITS else found.spreads[k] for k in self.kinds])
        sd = np.linalg.norm([found.spreads[k] for k in (*UNITS, "residual")])
        return (self.y - self.whole[:, :-1] @ (found.mean * scale)) / sd


# How good it is: what was left out, predicted by the rest.


def left_out(
    found: Nested, by: str = "study", per: str = "forest_type", level: float = 0.95, again: bool = False
) -> pd.DataFrame:
    """Predict every group of stands from all others; one row per stand.

    Parameters
    ----------
    found : Nested
    by, per : str
        Column of what is left out, and of what is scored.
    level : float
    again : bool
        Estimate the spreads and the variances of the forest types anew without each group; else they are those of all
        stands, which a fit without one study hardly moves.

    Returns
    -------
    told : DataFrame
        ``per``, ``left`` (the group), ``observed``, ``predicted`` (mean), ``sd`` and ``away`` (of logarithms, in standard
        deviations of one plot of a new study), ``inside`` (its interval), ``half`` (of it, in standard deviations),
        ``of_line`` (see :meth:`Nested.predict`), ``level`` (the narrowest with :data:`FEWEST` stands among the others), and
        the sampled units.
    """
    frame, rows = found.frame.copy(), []
    frame.attrs = {}  # notes would be copied with every piece
    for name, part in frame.groupby(by):
        rest = frame.drop(part.index)
        if rest["study"].nunique() < 5:
            continue
        terms = (rest, found.response, found.predictors)
        if again:
            model = scaled(fit(*terms, near=found.spreads), folds=5)
        else:
            model = replace(fit(*terms, found.spreads), scales=found.scales, held=found.held)
        told, observed = model.predict(part), part[found.response]
        away = (np.log(observed) - told["log"]) / told["sd"]
        freedom = part["forest_type"].map(model.freedom_of).to_numpy(float)
        row = {per: part[per], "left": name, "observed": observed, "predicted": told["mean"], "away": away}
        row |= {"half": stats.t.ppf(0.5 + level / 2, freedom), "level": _level(rest, part)}
        units_of = {"kind": part["forest_type"], **{unit: part[unit] for unit in UNITS}}
        rows.append(pd.DataFrame(row | told[["sd", "of_line"]].to_dict("series") | units_of))
    whole = pd.concat(rows)
    return whole.assign(inside=whole["away"].abs() <= whole["half"])


def _level(rest, part) -> np.ndarray:
    """Narrowest level of each stand that the rest holds :data:`FEWEST` stands of; "all" where it has none."""
    found = np.full(len(part), "all", dtype=object)
    for level in LEVELS:
        many = rest[level].value_counts()
        found[part[level].isin(many.index[many >= FEWEST]).to_numpy()] = level
    return found


def shared_units(told: pd.DataFrame, spreads: Mapping[str, float]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Code (n,) of the unit that stands share, and what it brings to ``away`` (n,): the line, parts, studies, places."""
    apart = np.array([spreads[unit] ** 2 for unit in (*UNITS, "residual")])
    left = np.sqrt((1 - told["of_line"].to_numpy())[:, None] * apart / apart.sum())
    keys = [told["kind"] + " " + told["left"].astype(str), told["kind"] + " " + told["cell"].astype(str)]
    keys += [told["study"], told["place"]]
    weights = [np.sqrt(told["of_line"].to_numpy()), *left.T[:-1]]
    return [(pd.factorize(key)[0], weight) for key, weight in zip(keys, weights, strict=True)]


def shared(told: pd.DataFrame, spreads: Mapping[str, float]) -> np.ndarray:
    """Correlation (n, n) of ``away`` between stands: what they share of line, part of the country, study and place."""
    alike = np.zeros((len(told), len(told)))
    for code, weight in shared_units(told, spreads):
        alike += np.outer(weight, weight) * (code[:, None] == code)
    np.fill_diagonal(alike, 1.0)
    return alike


def scaled(found: Nested, folds: int = 20) -> Nested:
    """The same fit with the variance of each forest type, over the common one, and its degrees of freedom.

    Parts of the country are left out in ``folds`` groups. The mean square of a type counts by the degrees of freedom that
    its plots have together, since plots of one part, study or place are not many (Satterthwaite), and is drawn to the common
    variance by as many as the types differ (Smyth).
    """
    names = {name: i % folds for i, name in enumerate(sorted(found.frame["cell"].unique()))}
    plain = replace(found, frame=found.frame.assign(fold=found.frame["cell"].map(names)), scales={}, held={})
    told = left_out(plain, "fold")
    square, own = {}, {}
    for kind, part in told.groupby("kind"):
        own[kind] = len(part) ** 2 / float((shared(part, found.spreads) ** 2).sum())
        square[kind] = float((part["away"] ** 2).mean())
    groups = pd.DataFrame({"var": square, "size": pd.Series(own) + 1})
    usual = freedom_of_variances(groups[groups["size"] > 2])
    return replace(
        found,
        scales={k: (own[k] * square[k] + usual) / (own[k] + usual) for k in own},
        held={k: own[k] + usual for k in own},
    )


def freedom_of_variances(groups) -> float:
    """Degrees of freedom of the variance of one group by those of others (Smyth 2004, section 6.2), 100 at most."""
    half = (groups["size"] - 1) / 2
    logs = np.log(groups["var"]) - special.digamma(half) + np.log(half)
    more = float(logs.var() - special.polygamma(1, half).mean())
    if more <= special.polygamma(1, 50.0):
        return 100.0
    return 2 * float(optimize.brentq(lambda x: special.polygamma(1, x) - more, 1e-3, 50.0))


# Estimates as rows that a repository can carry, and as results.

#: File of the estimates below ``data/literature``.
FILE = ("equations", "stands.csv")


def estimates(found: Nested, model_id: str) -> pd.DataFrame:
    """One row for every taxon: coefficients at the centre, their covariance, and how places and plots differ.

    ``level`` is the logarithm of the median at the centre of the predictors, ``slope_1`` … the exponents, ``v00`` … their
    covariance; ``between`` and ``within`` the variances of places of new studies and of plots in them; ``most`` the species
    with most plots and ``most_share`` its share of them; ``middle_1`` …, ``s11`` … and ``reach`` the :class:`Domain` of its
    predictors together. A taxon of fewer than
    :data:`FEWEST` plots has no row: its range would be a point, and its genus answers as well.
    """
    rows, frame, p = [], found.frame, len(found.predictors) + 1
    for depth, level in enumerate(LEVELS):
        for name, part in frame.groupby(level):
            if len(part) < FEWEST:
                continue
            modes = part[list(LEVELS[: depth + 1])].mode().iloc[0]
            taxon = {k: modes[k] for k in ("forest_type", *LEVELS[1 : depth + 1]) if pd.notna(modes.get(k))}
            taxon |= {"forest_type": part["forest_type"].mode().iloc[0], level: name}
            line, covariance, unseen = found.coefficients(taxon)
            between, within = found.apart(taxon, unseen)
            row = {"model_id": model_id, "rank": level, "taxon": name, "forest_type": taxon["forest_type"]}
            row |= {
                "n": len(part),
                "n_study": part["study"].nunique(),
                "freedom": found.freedom,
                "spread_freedom": found.freedom_of(taxon["forest_type"]),
                "level": line[0],
            }
            for j, x in enumerate(found.predictors):
                ends = {"low": part[x].min(), "high": part[x].max(), "centre": np.exp(found.centre[j])}
                row |= {f"slope_{j + 1}": line[j + 1]} | {f"{k}_{j + 1}": v for k, v in ends.items()}
            row |= {f"v{i}{j}": covariance[i, j] for i in range(p) for j in range(i, p)}
            row |= _joint(Domain.of(part[list(found.predictors)]))
            species = part["species"].value_counts()
            most = (
                {"most": species.index[0], "most_share": species.iloc[0] / len(part)} if len(species) else {}
            )
            rows.append(row | {"between": between, "within": within, "most": "", "most_share": 0.0} | most)
    return pd.DataFrame(rows)


def _joint(domain: Domain) -> dict[str, float]:
    """Columns of a row that tell where its predictors lie together."""
    s, k = domain.spread.to_numpy(), len(domain.centre)
    middle = {f"middle_{j + 1}": domain.centre.iloc[j] for j in range(k)}
    spread = {f"s{i + 1}{j + 1}": s[i, j] for i in range(k) for j in range(i, k)}
    # Rounded up: the furthest plot lies inside.
    return middle | spread | {"reach": np.ceil(domain.reach * 1000) / 1000}


def _domain(row: dict[str, Any], predictors: Sequence[str]) -> Domain:
    """Where the plots behind a row of estimates lie; without those of single predictors, which its ranges tell."""
    ranges = {x: (float(row[f"low_{j}"]), float(row[f"high_{j}"])) for j, x in enumerate(predictors, 1)}
    if not np.isfinite(row["reach"]):
        return Domain(ranges, pd.Series(dtype=float), pd.DataFrame(dtype=float))
    number = range(1, len(ranges) + 1)
    spread = np.array([[row[f"s{min(i, j)}{max(i, j)}"] for j in number] for i in number])
    middle = pd.Series([row[f"middle_{j}"] for j in number], predictors)
    return Domain(ranges, middle, pd.DataFrame(spread, predictors, predictors), float(row["reach"]))


@lru_cache(maxsize=1)
def known() -> pd.DataFrame:
    """The estimates that the repository carries, ``data/literature/equations/stands.csv``."""
    return read_csv(paths.data("literature", *FILE))


def best(model_id: str, taxon: dict[str, str]) -> dict[str, Any] | None:
    """Row of the narrowest level of a taxon (names by level) that has plots; None where no level has."""
    rows = known()
    rows = rows[rows["model_id"] == model_id]
    for level in LEVELS[::-1]:
        hit = rows[(rows["rank"] == level) & (rows["taxon"] == taxon.get(level))]
        if len(hit):
            return hit.iloc[0].to_dict()
    return None


#: Scores of every forest type when its stands are predicted without their cell of five degrees.
LEFT_OUT = ("equations", "stands_left_out.csv")


@lru_cache(maxsize=1)
def _left_out() -> dict[tuple[str, str], dict[str, float]]:
    numbers = ("n", "n_left", "bias", "bias_low", "bias_high", "RMSE", "coverage", "error", "low", "high")
    rows = records("literature", *LEFT_OUT, numbers=numbers)
    return {(row["model_id"], row["class"]): row for row in rows}


def is_held(row: Mapping[str, Any]) -> tuple[str, str]:
    """Whether the coverage and the bias of a class hold: "yes", "chance" or "no".

    Coverage holds from 93 to 97 %, bias below 10 %. Beyond that a class holds by chance where a right model would show as much
    on these very plots in one of twenty samples or more often: plots of one study, part of the country or place are not many.
    """
    rule = rule_values("elsewhere")
    inside = rule["least_held"] <= row["coverage"] <= rule["most_held"]
    near = abs(row["bias"]) < rule_row("gate", "elsewhere")["value"]
    return (
        "yes" if inside else "chance" if row["low"] <= row["coverage"] <= row["high"] else "no",
        "yes" if near else "chance" if row["bias_low"] <= row["bias"] <= row["bias_high"] else "no",
    )


def elsewhere(model_id: str, kind: str) -> dict[str, Any] | None:
    """Scores of a forest type in parts of the country without plots; of a type of fewer than thirty plots those of all such."""
    return _left_out().get((model_id, kind)) or _left_out().get((model_id, "other"))


def by_age_alone(model_id: str) -> bool:
    """Whether a model holds neither size nor stock of the stand: at equal age inventories carry half of what research plots do."""
    return set(models()[model_id]["predictors"]) <= {"age", "stem_density"}


def refused_elsewhere(model_id: str, kind: str) -> float:
    """Bias [%] for which the gate refuses a model for a forest type; nought where it does not.

    Models that hold neither size nor stock of the stand must not be off by more than the gate's limit; others not by more
    than a right model would be by chance.
    """
    row = elsewhere(model_id, kind)
    if row is None:
        return 0.0
    told = is_held(row)[1]
    return float(row["bias"]) if told == "no" or (told == "chance" and by_age_alone(model_id)) else 0.0


def off_elsewhere(model_id: str, kind: str) -> str:
    """One sentence where a forest type is off, or its intervals narrow, in a part of the country without plots; "" elsewhere."""
    row = elsewhere(model_id, kind)
    if row is None:
        return ""
    inside, near = is_held(row)
    if near == "yes" and not (inside == "no" and row["coverage"] < 95):
        return ""
    side = ("much", "高") if row["bias"] > 0 else ("little", "低")
    n, off, covered = row["n"], abs(row["bias"]), row["coverage"]
    whose = (
        ("the rarer types of forest", "各少见类型")
        if row["class"] == "other"
        else ("such forest", "此类森林")
    )
    return tr(
        f"in a part of the country without plots, {n:.0f} stands of {whose[0]} came out {off:.0f} % too {side[0]} in total "
        f"(95 % intervals held {covered:.0f} %); calibrate with plots of the place",
        f"用于没有建表样地的地区时，{whose[1]} {n:.0f} 块样地合计偏{side[1]} {off:.0f} %（95 % 区间覆盖 {covered:.0f} %）；请用当地样地校准",
    )


def line_of(row: dict[str, Any], predictors: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (p,) and covariance (p, p) of a row of estimates."""
    p = len(predictors) + 1
    covariance = np.array([[row[f"v{min(i, j)}{max(i, j)}"] for j in range(p)] for i in range(p)])
    return np.array([row["level"], *(row[f"slope_{j}"] for j in range(1, p))]), covariance


def as_result(
    model_id: str, taxon: dict[str, str], label: str = "", level: float = 0.95, seed: int = 0
) -> FitResult:
    """The model of a taxon as a result for a stand of a new study: it predicts, is tabled and calibrated like any other.

    Roots follow from shoots where the model gives aboveground mass: then the total adds up, with the correlation that
    their common error has.

    Raises
    ------
    DataError
        No level of the taxon has plots.
    """
    known_models = models()
    chain = [model_id]
    if known_models[model_id]["response"] == "agb_density" and best("bgb_by_agb", taxon):
        chain.append("bgb_by_agb")
    rows = [best(name, taxon) for name in chain]
    if rows[0] is None:
        raise DataError(
            f"{model_id}: no plot of {', '.join(map(str, taxon.values()))} at any level",
            f"{model_id}：{'、'.join(map(str, taxon.values()))} 各级均无样地",
        )
    found = _result([known_models[name] for name in chain], rows, label, level, seed)
    keys = ("rank", "taxon", "most", "most_share")
    off = {
        name: refused_elsewhere(name, str(row["forest_type"])) for name, row in zip(chain, rows, strict=True)
    }
    found.certificate.other["elsewhere"] = [
        {"model": name, "forest_type": str(row["forest_type"]), "bias": off[name]}
        for name, row in zip(chain, rows, strict=True)
        if off[name]
    ]
    found.certificate.other["speaks_for"] = [
        {"asked": str(taxon.get("genus") or taxon.get("species") or "")} | {k: row[k] for k in keys}
        for row in rows
    ]
    return found


def _result(chain, rows, label, level, seed) -> FitResult:
    """Equations of means, every response's variances as its own and those it owes to the one before."""
    lines, values, blocks, names = [], [], [], []
    slope, variance = 0.0, np.zeros((2, 2, 2))
    for i, (model, row) in enumerate(zip(chain, rows, strict=True)):
        line, covariance = line_of(row, model["predictors"])
        own = np.array([row["between"], row["within"]])
        # A mean: the median times half the variance of plots, less what a power of the mean before brings already.
        slope = line[1] if i else 0.0
        before = variance[:, 0, 0].sum() * (slope**2 - slope) if i else 0.0
        factor = np.exp(line[0] + (own.sum() + before) / 2)
        letters = [f"{c}{i}" for c in "abcd"[: len(line)]]
        terms = [
            f"({x} / {row[f'centre_{j}']:.6g})**{b}"
            for j, (x, b) in enumerate(zip(model["predictors"], letters[1:], strict=True), 1)
        ]
        lines.append(f"{model['response']} = {letters[0]} * {' * '.join(terms)}")
        values += [factor, *line[1:]]
        scale = np.array([factor, *np.ones(len(line) - 1)])
        blocks.append(covariance * np.outer(scale, scale))
        names += letters
        variance[:, i, i] = own + slope**2 * variance[:, 0, 0] * (i > 0)
        variance[:, 0, i] = variance[:, i, 0] = (slope if i else 1.0) * (variance[:, 0, 0] if i else own)
    free = [m["response"] for m in chain]
    between, within = variance[:, : len(free), : len(free)]
    told = list(free)
    if len(free) == 2:
        lines.append("total_density = agb_density + bgb_density")
        share = 1 / (1 + values[len(values) - 2] / rows[1]["centre_1"])
        mix = np.array([[1, 0], [0, 1], [share, 1 - share]])
        between_all, within_all, told = mix @ between @ mix.T, mix @ within @ mix.T, [*free, "total_density"]
    else:
        between_all, within_all = between, within
    first = rows[0]
    predictors = list(chain[0]["predictors"])
    domain = _domain(first, predictors)
    spread = between + within
    sd = np.sqrt(np.diag(spread))
    freedom = int(first["freedom"])
    covariance = linalg.block_diag(*blocks)
    half = stats.t.ppf(0.5 + level / 2, freedom) * np.sqrt(np.diag(covariance))
    frame = {"index": told, "columns": told}
    system = System.parse("\n".join(lines), predictors, responses_required=False)
    empty = indices.evaluate(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]), p=1)
    parameters = {"name": names, "group": "", "value": values, "se": np.sqrt(np.diag(covariance))}
    found = FitResult(
        system=system,
        method="pooled",
        parameters=pd.DataFrame(
            parameters | {"lower": np.array(values) - half, "upper": np.array(values) + half}
        ),
        covariance=pd.DataFrame(covariance, names, names),
        residual={
            r: ResidualModel(r, "lognormal", float(s), freedom=float(row["spread_freedom"]))
            for r, s, row in zip(free, sd, rows, strict=True)
        },
        correlation=pd.DataFrame(spread / np.outer(sd, sd), free, free),
        loglik=np.nan,
        n={m["response"]: int(r["n"]) for m, r in zip(chain, rows, strict=True)},
        ranges=domain.ranges,
        domains=dict.fromkeys(system.responses, domain),
        correction=dict.fromkeys(free, 1.0),
        correction_kind="none",
        index_table=pd.DataFrame(np.nan, free, list(empty)),
        converged=True,
        certificate=Certificate(
            cluster={
                "column": "study_id",
                "n": freedom + 1,
                "kind": "mixed",
                "freedom": freedom,
                "weight": 1.0,
            },
            other={"method": METHOD, "level": [f"{r['rank']} {r['taxon']}" for r in rows]},
        ),
        warnings=tuple(filter(None, (off_elsewhere(str(first["model_id"]), str(first["forest_type"])),))),
        versions=paths.versions(),
        source=literature.cited(pd.DataFrame({"source_id": SOURCES}))
        | {
            "spec": "literature:equations/stands",
            "population": dict(REFERENCE),
            "title": METHOD,
            "origin": "printed",
            "files": paths.files_sha256(
                [paths.data("literature", *f) for f in (FILE, LEFT_OUT, ("sources.csv",))]
            ),
        },
        label=label or f"{chain[0]['model_id']}, {first['rank']} {first['taxon']}",
        level=level,
        seed=seed,
        between=Between(
            column="study_id",
            spread=pd.DataFrame(between_all, **frame),
            within=pd.DataFrame(within_all, **frame),
            centre=pd.Series(-np.diag(between_all + within_all) / 2, index=told),
            share=pd.Series(0.0, index=told),
            n=freedom + 1,
        ),
    )
    return widened(found)
