"""What is uncertain, at which level each error is shared, and the rows that share it.

========================= ============================================ =======================
error                     shared by                                    said with
========================= ============================================ =======================
parameters                all individuals of a model                   :class:`Model`
residual                  nobody: one draw per individual              :class:`Model`
predictor, measured       nobody, or the rows of a level               :class:`Noise`
species mean density      the individuals of a species                 :class:`Noise` with ``by``
plot or site effect       the individuals of a plot                    :class:`Noise` of the mass
carbon fraction, 1 + R …  the individuals of a species, or all         :class:`Factor`
========================= ============================================ =======================

Sampling and area belong to strata; see :mod:`sinklab.propagate.inventory`.

A *unit* is whatever has a mass of its own: a tree of a plot, a stand of a map. :func:`arrange` sorts
the rows by model and group. The total of a group is the sum of ``weight * mass`` over its units;
1 / plot area gives a density, the area of a stand its stock.

Every error has a name, every draw of it an address: the label of the level that shares it (a model, a
species, a plot), or the tile of rows that it belongs to. A generator is made from seed, name and
address alone, so that the order of work does not matter. The same address gives the same numbers in
another process, another run, and another inventory, which is how two inventories share an error.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from sinklab.equations.compile import Layout
from sinklab.equations.system import System
from sinklab.evidence.distributions import Distribution
from sinklab.language import DataError, Notes, listing, require_known
from sinklab.results.calibration import widened
from sinklab.results.fit_result import FitResult, joint_draws
from sinklab.results.prediction import Means, free_slopes, means_and_slopes, residual_variance

PARAMETERS, RESIDUAL, SITES, REGION = "parameters", "residual", "between sites", "between populations"
#: Columns of the standard deviation of logarithms that sites and whole populations bring to a row, and of the one population.
_SITE_SD, _REGION_SD, _REGION = "_site_sd", "_region_sd", "_region"


def key(seed: int, *address) -> int:
    """A number of 64 bits made of the seed and an address."""
    text = "\x1f".join(map(str, (seed, *address)))
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest(), "little")


def stream(seed: int, *address) -> np.random.Generator:
    """Generator of one address."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key(seed, *address))))


def shared_normals(seed: int, name: str, levels, n_draw: int) -> np.ndarray:
    """Standard normal draws of levels that share an error, shape (n_level, n_draw).

    The first draws of a level do not depend on how many follow, nor on the other levels.
    """
    out = np.empty((len(levels), n_draw))
    for row, level in zip(out, levels, strict=True):
        stream(seed, name, level).standard_normal(out=row)
    return out


@dataclass(frozen=True)
class Noise:
    """Normal error of a predictor, or of the mass itself.

    Attributes
    ----------
    name : str
        Name of the source in budgets.
    sd : float or str
        Standard deviation in the unit of the column, or the column that holds it row by row.
    column : str
        Predictor that is disturbed; "" for a relative error of the mass (a plot effect, a stand's area).
    by : str
        Column whose levels share one draw; "" when every row has its own.
    relative : bool
        The standard deviation is a share of the value; always so for the mass.
    low, high : float
        Values of the predictor outside are drawn again (cut, where the draw is shared).
    gross_share, gross_sd : float
        Share of the rows with a gross error, and its standard deviation; only for rows.
    log : bool
        The standard deviation is that of the logarithm of the mass, and the mean stays: for wide errors.

    Examples
    --------
    >>> sl.Noise('callipers', 0.3, 'dbh').column
    'dbh'
    """

    name: str
    sd: float | str
    column: str = ""
    by: str = ""
    relative: bool = False
    low: float = -np.inf
    high: float = np.inf
    gross_share: float = 0.0
    gross_sd: float = 0.0
    log: bool = False

    def spread(self, data: Mapping[str, Any], n: int) -> np.ndarray:
        """Standard deviation of every row, shape (n,), in the unit of the column; relative for the mass."""
        sd = np.asarray(data[self.sd], float) if isinstance(self.sd, str) else np.full(n, float(self.sd))
        if self.relative and self.column:
            sd = sd * np.asarray(data[self.column], float)
        return sd

    def total_sd(self, spread: np.ndarray) -> np.ndarray:
        """Standard deviation with gross errors."""
        return np.sqrt((1 - self.gross_share) * spread**2 + self.gross_share * self.gross_sd**2)


@dataclass(frozen=True)
class Factor:
    """A scalar that multiplies the mass and is shared by the rows of a level.

    Attributes
    ----------
    name : str
        Such as ``carbon_fraction``.
    values : mapping of str to (Distribution or float)
        By level of ``by``; under ``""`` what all rows share, or the levels that are not named. A plain
        number has no uncertainty.
    by : str
        Column of the levels; "" for one draw for all rows.

    Examples
    --------
    >>> sl.Factor('carbon_fraction', {'': sl.from_moments(0.5, 0.02, 'normal')}).of('any')
    normal(0.5, 0.02): mean 0.5, sd 0.02, 95 % 0.4608–0.5392
    """

    name: str
    values: dict
    by: str = ""

    def of(self, level: str) -> Distribution | float | None:
        """Distribution or number of a level, None when there is none."""
        return self.values.get(level, self.values.get(""))

    def draws(self, levels: Sequence[str], n_draw: int, seed: int) -> np.ndarray:
        """Draws of some levels, shape (n_level, n_draw)."""
        out = np.empty((len(levels), n_draw))
        for row, level in zip(out, levels, strict=True):
            value = self.of(level)
            # One draw for everything that has no value of its own.
            own = level if level in self.values else ""
            row[:] = value.draw(n_draw, key(seed, self.name, own)) if hasattr(value, "draw") else value
        return out

    def moments(self, levels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of some levels, shape (n_level,)."""
        found = [self.of(level) for level in levels]
        mean = np.array([getattr(v, "mean", v) for v in found], float)
        return mean, np.array([getattr(v, "sd", 0.0) for v in found], float)


@dataclass(frozen=True, eq=False)
class Model:
    """An equation whose parameters are uncertain together, and what it leaves unexplained.

    Two models of the same ``name`` are one model: their parameters are drawn once. Made from a fit
    with :meth:`of`.

    Attributes
    ----------
    responses : tuple of str
        Left sides whose sum is wanted.
    values : array, shape (k,)
        Estimates.
    covariance : array, shape (k, k)
    pool : array, shape (n_pool, k), optional
        Joint draws, of a posterior or a bootstrap. More draws than the pool holds use each row
        equally often. Without a pool the parameters are drawn from estimates and covariance.
    on_log : array of bool, shape (k,), optional
        Parameters drawn as logarithms.
    sigma : float
        Standard deviation of the residual on the logarithmic scale; 0 when there is none.
    correction : mapping of str to float
        Factor on the back-transformed mean of each free response.
    fit : FitResult, optional
        Gives the residual standard deviation on the natural scale.
    sites : bool
        Whether the spread between sites is drawn apart (:func:`among_sites`), and residuals are those within a site.

    Examples
    --------
    >>> sl.Model.of(fit, 'stem').predictors
    ('dbh',)
    """

    name: str
    system: System
    responses: tuple[str, ...]
    values: np.ndarray
    covariance: np.ndarray
    pool: np.ndarray | None = None
    on_log: np.ndarray | None = None
    sigma: float = 0.0
    correction: dict = field(default_factory=dict)
    layout: Layout | None = None
    fit: object = None
    sites: bool = False

    @classmethod
    def of(cls, fit: FitResult, responses: str | Sequence[str], name: str = "") -> "Model":
        """Model of some responses of a fit, or of a model read from a table.

        Parameters
        ----------
        fit : FitResult
        responses : str or sequence of str
            Several are added: ``("agb", "root")``.
        name : str
            Label of the fit when left out; names the parameters that are shared.

        Raises
        ------
        DataError
            A response that the fit does not have.
        """
        wanted = (responses,) if isinstance(responses, str) else tuple(responses)
        fit = widened(fit)
        require_known(wanted or ("–",), fit.system.responses, "response", "因变量", name or fit.label)
        sampled = fit.method == "bayes" or fit.certificate.bootstrap
        alone = len(wanted) == 1 and wanted[0] in fit.residual
        model = fit.residual[wanted[0]] if alone else None
        return cls(
            name=name or fit.label or wanted[0],
            system=fit.system,
            responses=wanted,
            values=fit.values,
            covariance=fit.covariance.to_numpy(float),
            pool=fit.stored_draws[fit.labels].to_numpy(float) if sampled else None,
            on_log=fit.log_coefficients(),
            sigma=model.sigma if model is not None and model.kind == "lognormal" else 0.0,
            correction={r: c for r, c in fit.correction.items() if c != 1} if fit.of_medians else {},
            layout=fit.layout,
            fit=fit,
        )

    def with_sites(self) -> "Model":
        """The model with residuals of trees of one site, where the fit knows the spread between sites."""
        between = getattr(self.fit, "between", None)
        # The groups of a posterior have coefficients of their own.
        if (
            between is None
            or self.fit.population is not None
            or not set(self.responses) <= set(between.names)
        ):
            return self
        if self.fit.random is not None:
            # Its residuals are those within a group already.
            return replace(self, sites=True)
        within = float(between.within.loc[self.responses[0], self.responses[0]])
        return replace(self, sites=True, sigma=np.sqrt(within) if self.sigma else 0.0)

    def draws(self, n: int, seed: int) -> np.ndarray:
        """Joint draws of the parameters, shape (n, k); the first rows do not depend on ``n``.

        Rows of a pool are put in an order that only this model has: two tables made with the same
        seed would otherwise go up and down together.
        """
        if self.pool is not None:
            size = len(self.pool)
            rounds = range(-(-n // size))
            order = [stream(seed, PARAMETERS, self.name, r).permutation(size) for r in rounds]
            return self.pool[np.concatenate(order)[:n]]
        on_log = np.zeros(len(self.values), bool) if self.on_log is None else self.on_log
        normal = stream(seed, PARAMETERS, self.name).standard_normal((n, len(self.values)))
        return joint_draws(self.values, self.covariance, on_log, normal)

    def light(self) -> "Model":
        """The model without draws and fit: what evaluating it needs, small enough to be sent."""
        return replace(self, pool=None, layout=None, fit=None)

    @property
    def predictors(self) -> tuple[str, ...]:
        """Columns that the responses need."""
        return self._means.columns

    @cached_property
    def _means(self) -> Means:
        return Means(self.system, self.responses, self.correction)

    def places(self, data: Mapping[str, Any], n: int) -> list[Any]:
        """Position of every parameter in the long vector, by row where it varies by group."""
        if self.layout is None or not self.layout.grouped:
            return list(range(len(self.system.parameters)))
        return self.layout.rows(data)

    def mass(self, theta: np.ndarray, columns: Mapping[str, Any], places: Any) -> np.ndarray:
        """Sum of the responses.

        Parameters
        ----------
        theta : array, shape (n_draw, k)
        columns : mapping of str to array, shape (n,) or (n_draw, n)
        places : list
            As :meth:`places` gives them.

        Returns
        -------
        mass : array, shape (n_draw, n) or (n_draw, 1)
            In the unit of the responses.
        """
        found = self._means(theta, columns, places)
        return sum(found[1:], start=found[0])

    def centre(self, columns: Mapping[str, Any], places: Any, n: int) -> np.ndarray:
        """Sum of the responses at the estimates, shape (n,)."""
        return np.broadcast_to(self.mass(self.values[None], columns, places)[0], (n,)).astype(float)

    @property
    def populations(self) -> str:
        """Column of the populations that sites lie in, of nested groups ``a[province/site]``: province; else ""."""
        outer = getattr(getattr(self.fit, "random", None), "outer", None)
        return outer.column.split("/")[-1] if self.sites and outer is not None else ""

    def _combined(self, matrix: pd.DataFrame, data: Mapping[str, Any], n: int) -> np.ndarray:
        """Variance of the sum of the responses, from a covariance of their logarithms; shape (n,)."""
        columns = {c: np.asarray(data[c], float) for c in self.predictors}
        parts = self._means(self.values[None], columns, self.places(data, n))
        means = np.column_stack([np.broadcast_to(part[0], (n,)) for part in parts])
        wanted = matrix.loc[list(self.responses), list(self.responses)].to_numpy()
        return np.asarray(np.einsum("nj,jk,nk->n", means, wanted, means))

    def site_sd(self, data: Mapping[str, Any], n: int) -> tuple[np.ndarray, np.ndarray]:
        """Relative standard deviations of the sum, (n,): between sites of a population, and between populations."""
        if not self.sites:
            return np.zeros(n), np.zeros(n)
        columns = {c: np.asarray(data[c], float) for c in self.predictors}
        whole = self.centre(columns, self.places(data, n), n)
        spread, shared = self.fit.between.spread, self.fit.between.population
        shared = spread * 0 if shared is None else shared
        found = [self._combined(matrix, data, n) for matrix in (spread - shared, shared)]
        return tuple(np.sqrt(np.clip(v, 0, None)) / np.abs(whole) for v in found)

    def residual_sd(self, data: Mapping[str, Any], n: int) -> np.ndarray:
        """Standard deviation of the residual of the sum, shape (n,); zeros where the model has none.

        For a single response of a log-linear fit it is exact on the logarithmic scale (:attr:`sigma`)
        and only informs Approach 1; a sum of responses honours their correlation.
        """
        frame, places = self._frame(data, n), self.places(data, n)
        columns = {c: frame[c].to_numpy() for c in self.predictors}
        if self.fit is None:
            return self.centre(columns, places, n) * np.sqrt(np.expm1(self.sigma**2))
        if self.sites and self.fit.random is None:
            return np.sqrt(self._combined(self.fit.between.within, data, n))
        means = Means(self.system, self.system.free, self.correction)(self.values[None], columns, places)
        free = {r: np.broadcast_to(m[0], (n,)) for r, m in zip(self.system.free, means, strict=True)}
        slopes = free_slopes(self.system, self.responses, free, frame)
        return np.sqrt(np.broadcast_to(residual_variance(self.fit, slopes, frame, free), (n,)))

    def slopes(self, data: Mapping[str, Any], n: int) -> np.ndarray:
        """Derivatives of the sum by the parameters at the estimates, shape (n, k)."""
        layout = self.layout or Layout(self.system, self.system.parameters, ("",) * len(self.values))
        found = means_and_slopes(layout, self.values, self.correction, self._frame(data, n), self.responses)[
            1
        ]
        return sum(found[r] for r in self.responses)

    def _frame(self, data, n) -> pd.DataFrame:
        numbers = {c: np.asarray(data[c], float) for c in self.predictors}
        groups = {g: np.asarray(data[g]).astype(str) for g in self.system.groups.values()}
        return pd.DataFrame(numbers | groups, index=range(n))


def among_sites(
    data: pd.DataFrame, models: Any, model: str | None, by: str
) -> tuple[pd.DataFrame, Any, list[Noise]]:
    """Draw the spread between sites apart, once for every level of a column, and that between populations once for all.

    Where a model was fitted to populations of its own, ``a[province/site]``, rows that name another are another draw.

    Parameters
    ----------
    data : DataFrame
        Rows of the inventory.
    models : Model or mapping of str to Model
        The mapping is looked up by the column ``model``.
    by : str
        Column of what is one site, such as a plot; "" for rows that are sites of their own, such as stands.

    Returns
    -------
    data, models, noises
        Data with the standard deviations, models with residuals within sites, and the errors; none if no model knows them.
    """
    single = not isinstance(models, dict)
    by_key = {"": models} if single else models
    told = {key: m.with_sites() for key, m in by_key.items()}
    if not any(m.sites for m in told.values()):
        return data, models, []
    sd, region = np.zeros((2, len(data))), np.full(len(data), "", object)
    keys = np.full(len(data), "") if single else data[model].astype(str).to_numpy()
    for key, one in told.items():
        rows = np.flatnonzero(keys == key)
        if len(rows) and one.sites:
            part = data.iloc[rows]
            blank = part[list(one.predictors)].isna().any(axis=1).to_numpy()
            sd[:, rows[~blank]] = one.site_sd(part[~blank], int((~blank).sum()))
            if one.populations in data:
                region[rows] = text_of(part[one.populations])
    noises = [Noise(SITES, _SITE_SD, by=by)]
    if sd[1].any():
        noises.append(Noise(REGION, _REGION_SD, by=_REGION, log=True))
    told = told[""] if single else told
    return data.assign(**{_SITE_SD: sd[0], _REGION_SD: sd[1], _REGION: region}), told, noises


def notes_of(models) -> list[str]:
    """What the draws of some models leave out, in words."""
    found = Notes()
    for model in models:
        random = getattr(model.fit, "random", None)
        if random is not None and not model.sites:
            found.add(
                f"{model.name}: parameters at the mean of the {random.column} levels; the spread between them is "
                "not counted (add a Noise of the mass by that column)",
                f"{model.name}：参数取 {random.column} 各水平的均值；水平间的差异未计入（可按该列加一项质量误差）",
            )
    return list(dict.fromkeys(found))


@dataclass(frozen=True, eq=False)
class Units:
    """Rows in the order of work; made with :func:`arrange`.

    Attributes
    ----------
    data : mapping of str to array, shape (n,)
    models : tuple of Model
    model, group : array of int, shape (n,)
        Position of the model and of the group of each row; both ascending.
    weight : array, shape (n,)
    groups : tuple of str
    order : array of int, shape (n,)
        Position of each row in the data that were given.
    levels, level : dict
        By the column whose levels share an error, "" for all rows: the labels, and the position of the
        label of each row.
    """

    data: dict[str, np.ndarray]
    models: tuple[Model, ...]
    model: np.ndarray
    group: np.ndarray
    weight: np.ndarray
    groups: tuple[str, ...]
    order: np.ndarray
    noises: tuple[Noise, ...]
    factors: tuple[Factor, ...]
    residual: bool
    levels: dict[str, tuple[str, ...]]
    level: dict[str, np.ndarray]
    occasion: str = ""
    residual_of: str = ""

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.order)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources of error."""
        residual = (RESIDUAL,) if self.residual else ()
        return (PARAMETERS, *(f.name for f in self.factors), *(x.name for x in self.noises), *residual)

    def spans(self) -> Iterator[tuple[int, slice]]:
        """Position of each model that occurs, and its rows."""
        cuts = np.flatnonzero(np.diff(self.model)) + 1
        for a, b in zip([0, *cuts], [*cuts, self.n], strict=True):
            if b > a:
                yield int(self.model[a]), slice(int(a), int(b))

    def predictors(self, m, rows) -> dict[str, np.ndarray]:
        """Columns that a model computes with, at some rows."""
        return {c: np.asarray(self.data[c][rows], float) for c in self.models[m].predictors}

    @cached_property
    def places(self) -> dict[int, list]:
        """Positions of the parameters of each model for its rows, see :meth:`Model.places`."""
        return {m: self.models[m].places(self.at(rows), rows.stop - rows.start) for m, rows in self.spans()}

    def at(self, rows) -> dict[str, np.ndarray]:
        """All columns at some rows."""
        return {c: v[rows] for c, v in self.data.items()}

    @cached_property
    def spread(self) -> dict[str, np.ndarray]:
        """Standard deviation of each noise at every row."""
        return {noise.name: noise.spread(self.data, self.n) for noise in self.noises}

    @cached_property
    def factor_mean(self) -> np.ndarray:
        """Product of the means of the factors of every row."""
        mean = np.ones(self.n)
        for factor in self.factors:
            mean = mean * factor.moments(self.levels[factor.by])[0][self.level[factor.by]]
        return mean

    @cached_property
    def centre(self) -> np.ndarray:
        """Mass of every row at the estimates, with the means of its factors."""
        bare = np.empty(self.n)
        for m, rows in self.spans():
            columns = self.predictors(m, rows)
            bare[rows] = self.models[m].centre(columns, self.places[m], rows.stop - rows.start)
        return bare * self.factor_mean

    @cached_property
    def residual_sd(self) -> np.ndarray:
        """Standard deviation of the residual of every row, before the factors."""
        sd = np.zeros(self.n)
        for m, rows in self.spans() if self.residual else ():
            sd[rows] = self.models[m].residual_sd(self.at(rows), rows.stop - rows.start)
        return sd

    def totals(self) -> np.ndarray:
        """Totals of the groups at the estimates, shape (n_group,)."""
        return np.bincount(self.group, self.weight * self.centre, len(self.groups))


def arrange(
    data,
    models,
    model=None,
    group=None,
    weight=None,
    noises=(),
    factors=(),
    residual: bool = True,
    occasion: str = "",
    groups=None,
    residual_of: str | None = None,
) -> Units:
    """Sort and check rows.

    Parameters
    ----------
    data : DataFrame or mapping of arrays, shape (n,)
        Predictors in the units of the models; the columns that noises and factors name.
    models : Model or mapping of str to Model
        The mapping is looked up by the column ``model``.
    model, group : str, optional
        Columns; one model, one group "" when left out.
    weight : array, shape (n,), optional
        1 when left out.
    noises, factors : sequences
    residual : bool
        Whether individuals scatter about the equation.
    occasion : str
        Sets the errors of single rows apart from those of another inventory with the same seed.
    groups : sequence of str, optional
        Names of the groups in the order wanted; those that occur, sorted, when left out.
    residual_of : str, optional
        The same for residuals alone, which belong to a tree and not to a measurement; ``occasion`` when left out.

    Raises
    ------
    DataError
        Columns that are missing, values that are not finite, rows without a model; all at once.
    """
    n = len(next(iter(data.values()))) if isinstance(data, dict) else len(data)
    noises, factors = tuple(noises), tuple(factors)
    by_key = models if isinstance(models, dict) else {"": models}
    require_known([c for c in (model, group) if c is not None], data)
    found, which = levels_of(data, model, n)
    labels, label_of = levels_of(data, group, n)
    _check_models(by_key, found, which, model)
    _check_sources(noises, factors)
    # Keys that mean the same model are one model.
    distinct = tuple({by_key[k].name: by_key[k] for k in found}.values())
    position = np.array([[m.name for m in distinct].index(by_key[k].name) for k in found], dtype=np.int64)
    wanted = labels if groups is None else tuple(groups)
    group_of = _positions(labels, wanted)[label_of]
    model_of = position[which] if n else np.zeros(0, np.int64)
    order = np.lexsort((group_of, model_of))
    needed = {c for m in distinct for c in (*m.predictors, *m.system.groups.values())}
    needed |= {c for x in noises for c in (x.column, x.by, x.sd) if isinstance(c, str) and c}
    needed |= {f.by for f in factors if f.by}
    require_known(sorted(needed), data)
    coded = {c: levels_of(data, c, n) for c in {x.by for x in (*noises, *factors) if x.by}}
    units = Units(
        data={c: np.asarray(data[c])[order] for c in needed},
        models=distinct,
        model=model_of[order],
        group=group_of[order],
        weight=np.ones(n) if weight is None else np.asarray(weight, float)[order],
        groups=wanted,
        order=order,
        noises=noises,
        factors=factors,
        residual=residual,
        levels={"": ("",)} | {c: labels for c, (labels, _) in coded.items()},
        level={"": np.zeros(n, np.int32)} | {c: index[order] for c, (_, index) in coded.items()},
        occasion=occasion,
        residual_of=occasion if residual_of is None else residual_of,
    )
    for factor in factors:
        _check_levels(factor, units.levels[factor.by])
    _check_finite(units)
    return units


def levels_of(data, column, n) -> tuple[tuple[str, ...], np.ndarray]:
    """Distinct labels of a column, sorted, and the position of each row's label.

    Numbers are written shortest, ``3`` for 3.0; without a column all rows have the label "".

    Raises
    ------
    DataError
        Blank cells, with their records.
    """
    if column is None:
        return ("",), np.zeros(n, np.int32)
    codes, found = pd.factorize(pd.Series(data[column]).reset_index(drop=True), sort=True)
    blank = np.flatnonzero(codes < 0) + 1
    if len(blank):
        shown = ", ".join(map(str, blank[:20])) + (" …" if len(blank) > 20 else "")
        raise DataError(
            f"{column}: blank in {len(blank)} records: {shown}", f"{column}：{len(blank)} 条记录空缺：{shown}"
        )
    labels = tuple(f"{x:g}" if isinstance(x, (float, np.floating)) else str(x) for x in found)
    return labels, codes.astype(np.int32)


def text_of(column) -> pd.Series:
    """Text of a column, blanks as ""; 3 for 3.0."""
    codes, found = pd.factorize(column)
    words = [f"{x:g}" if isinstance(x, float) else str(x).strip() for x in found]
    return pd.Series(np.array([*words, ""], dtype=object)[codes], index=column.index)


def _positions(labels, wanted) -> np.ndarray:
    place = {str(name): i for i, name in enumerate(wanted)}
    unknown = [name for name in labels if name not in place]
    if unknown:
        raise DataError(
            f"groups that are not expected:\n{listing(unknown)}", f"未列入的分组：\n{listing(unknown)}"
        )
    return np.array([place[name] for name in labels], dtype=np.int64)


def _check_models(by_key, found, which, column) -> None:
    counts = np.bincount(which, minlength=len(found))
    absent = [f"{k} ({c})" for k, c in zip(found, counts, strict=True) if k not in by_key]
    if absent:
        raise DataError(
            f"no model for {column} (rows):\n{listing(absent)}\nmodels for: {', '.join(by_key)}",
            f"{column} 的下列取值没有模型（括号内为行数）：\n{listing(absent)}\n已有模型：{'、'.join(by_key)}",
        )


def _check_sources(noises, factors) -> None:
    titles = [PARAMETERS, RESIDUAL, *(x.name for x in (*noises, *factors))]
    twice = sorted({t for t in titles if titles.count(t) > 1})
    if twice:
        raise DataError(
            f"two sources of error are called {', '.join(twice)}; give each its own name",
            f"误差来源重名：{'、'.join(twice)}；请使用不同的名称",
        )


def _check_levels(factor, levels) -> None:
    absent = [level for level in levels if factor.of(level) is None]
    if absent:
        raise DataError(
            f"{factor.name}: no value for {factor.by} =\n{listing(absent)}",
            f"{factor.name}：{factor.by} 的下列水平没有取值：\n{listing(absent)}",
        )


def _check_finite(units) -> None:
    ok = np.isfinite(units.centre) & np.isfinite(units.weight)
    for spread in units.spread.values():
        ok &= np.isfinite(spread) & (spread >= 0)
    if not ok.all():
        rows = np.sort(units.order[~ok]) + 1
        shown = ", ".join(map(str, rows[:20])) + (" …" if len(rows) > 20 else "")
        raise DataError(
            f"{len(rows)} records have no finite mass, weight or standard deviation (blank or impossible "
            f"predictors?): records {shown}",
            f"{len(rows)} 条记录的质量、权重或标准差不是有限数（自变量空缺或不可能？）：第 {shown} 条",
        )
