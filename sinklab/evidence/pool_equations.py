r"""Pool published equations by random-effects meta-analysis into a default equation and a prior.

*One line for every equation.* Equation i is read at as many pseudo-trees as it was fitted to, spread evenly over the
logarithm of its range of diameters, and :math:`\ln y` is regressed on the centred logarithms of the
predictors. Power forms are met exactly; what another form leaves over joins the residual.

*Sampling covariance.* :math:`V_i = s_i^2 (X^T X)^{-1}` over the pseudo-trees. The residual variance follows
from the printed R² and the variance of the line over the range, :math:`s^2 = v (1 - R^2) / R^2`, but not less
than a house rule says; where none is printed it is the median of the others, or the rule. An equation without n is taken
to rest on as few trees as any of the others.

*Heights.* A line over diameter alone may rest on equations that need a height as well: they are read
along the heights of ``heights.csv``, and the spread of heights about that curve is added to the variance
of their level. Over diameter and height only equations of both are used.

*Pooling.* The line of equation i is :math:`\beta_i = \mu + u_i + e_i` with
:math:`u_i \sim N(0, T)` between places and :math:`e_i \sim N(0, V_i)` from its few trees. :math:`T` maximises
the restricted likelihood; :math:`\mu` is the generalised mean, with covariance
:math:`C = (\sum (T + V_i)^{-1})^{-1}`. At a size with row :math:`x` of centred logarithms, the curve of a new
place has variance :math:`x^T (C + T) x`, one of its trees the residual variance on top, and intervals use
Student's t on k - 1 degrees of freedom. :math:`\mu` is the line of the median place and states the priors of a place. What is
predicted and tabled is the mean over places, :math:`\exp(x^T \mu + x^T T x / 2)`, which is no power where places differ in
their exponents: its equation has squares of logarithms beside the powers.
A printed equation is read as the mean of the trees of its place (a note counts those of logarithms that do not say whether
they are corrected), so scatter of trees adds nothing to it, and the median tree lies half their variance below.
Fewer equations than ``least_pooled`` in ``data/rules/equation_checks.csv`` cannot tell :math:`T`; they take
that of a wider group of equations, and say so.

The pooled equation predicts with intervals, states priors, and becomes a result like any other (:func:`as_result`).

Source
------
van Houwelingen H.C., Arends L.R., Stijnen T. (2002) Advanced methods in meta-analysis: multivariate
approach and meta-regression. Statistics in Medicine 21:589-624.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize, stats

from sinklab import paths
from sinklab.equations.system import System
from sinklab.evidence import equations
from sinklab.evidence.equations import log_values, look_up, rules, span
from sinklab.language import DataError, Notes, require_choice, tr
from sinklab.results import indices
from sinklab.results.fit_result import Between, Certificate, FitResult
from sinklab.results.variance import ResidualModel, require_level

PREDICTORS = (("dbh",), ("dbh", "height"))
MOST_TREES = 300  # more pseudo-trees change nothing but the time
STEP = 0.01  # of a logarithm, for a derivative


@dataclass(frozen=True, eq=False)
class Lines:
    """Coefficients (k, p) of k equations: level at the centre, then exponents; with covariances (k, p, p).

    ``residual`` (k,) is the SD of single trees about each line, in logarithms, and ``known`` tells which
    follow from a printed R²; ``trees`` (k,) the numbers of trees taken.
    """

    names: tuple[str, ...]
    values: np.ndarray
    covariances: np.ndarray
    residual: np.ndarray
    known: np.ndarray
    trees: np.ndarray


def centre_of(rows, limits) -> dict[str, float]:
    """Diameter [cm] in the middle of the ranges, and the height [m] that goes with it."""
    middles = [np.log(span(row, limits)).mean() for row in rows.to_dict("records")]
    dbh = float(np.exp(np.mean(middles)))
    return {"dbh": dbh, "height": float(equations.height_of([dbh], "tree")[0])}


def usable(rows, predictors) -> pd.DataFrame:
    """Equations of trees that can be read over the predictors, those for ``dbh`` along the height curve.

    Raises
    ------
    DataError
        There is none.
    """
    wanted = tuple(predictors)
    if wanted not in PREDICTORS:
        raise DataError(
            f"pooling over {', '.join(wanted)}; expected {' or '.join(', '.join(p) for p in PREDICTORS)}",
            f"按 {'、'.join(wanted)} 合并；应为 {' 或 '.join('、'.join(p) for p in PREDICTORS)}",
        )
    found = rows[_readable(rows, wanted)]
    if found.empty:
        raise DataError(
            f"none of {len(rows)} equations is one of trees over {' and '.join(wanted)}",
            f"{len(rows)} 个方程中没有以 {'、'.join(wanted)} 为自变量的立木方程",
        )
    return found


def _readable(rows, predictors) -> pd.Series:
    """Which equations are of trees and can be read over the predictors."""
    allowed = ({"dbh"}, {"dbh", "height"}) if tuple(predictors) == ("dbh",) else ({"dbh", "height"},)
    good = [set(cell.split(";")) in allowed for cell in rows["predictors"]]
    return pd.Series(good, index=rows.index, dtype=bool) & rows["group"].isin(equations.trees())


def lines(rows, predictors, centre, limits) -> Lines:
    """Lines of the equations; see the module.

    Parameters
    ----------
    rows : DataFrame
        From :func:`usable`.
    predictors : ("dbh",) or ("dbh", "height")
    centre : dict
        From :func:`centre_of`.
    limits : dict
        Rules of ``equation_checks.csv``.
    """
    known_n = rows["n"][rows["n"] > 0]
    fewest = known_n.min() if len(known_n) else limits["least_trees"]
    trees = rows["n"].where(rows["n"] > 0, fewest).to_numpy(float)
    parts = [
        _line(row, predictors, centre, limits, n)
        for row, n in zip(rows.to_dict("records"), trees, strict=True)
    ]
    residual = np.array([p["residual"] for p in parts])
    known = np.isfinite(residual)
    usual = np.median(residual[known]) if known.sum() >= limits["least_pooled"] else limits["residual_none"]
    residual = np.maximum(np.where(known, residual, usual), limits["residual_low"])
    covariances = []
    for part, s in zip(parts, residual, strict=True):
        covariance = (s**2 + part["misfit"] ** 2) * part["shape"]
        covariance[0, 0] += part["height_variance"]
        covariances.append(covariance)
    values = np.array([p["line"] for p in parts])
    return Lines(tuple(rows["equation_id"]), values, np.array(covariances), residual, known, trees)


def _line(row, predictors, centre, limits, n) -> dict:
    low, high = span(row, limits)
    p = 1 + len(predictors)
    m = int(np.clip(n, p + 1, MOST_TREES))
    dbh = np.geomspace(low, high, m)
    spread = float(equations.heights()[row["group"]]["sd_log"])
    # Over two predictors the pseudo-trees lie in turn above, on and below the curve of heights.
    away = np.exp(spread * np.sqrt(1.5) * np.resize([1.0, 0.0, -1.0], m)) if p == 3 else np.ones(m)
    y = log_values(row, dbh, height_factor=away)
    columns = [np.ones(m), np.log(dbh / centre["dbh"])]
    if p == 3:
        columns.append(np.log(equations.height_of(dbh, row["group"]) * away / centre["height"]))
    x = np.column_stack(columns)
    ok = np.isfinite(y)
    if ok.sum() <= p:
        raise DataError(
            f"{row['equation_id']}: not positive over most of its range, {low:g} to {high:g} cm",
            f"{row['equation_id']}：在其范围 {low:g}～{high:g} cm 的大部分不为正",
        )
    x, y = x[ok], y[ok]
    line, *_ = np.linalg.lstsq(x, y, rcond=None)
    r2 = row["r2"] if row["r2"] > 0 else row["r"] ** 2 if row["r"] > 0 else np.nan
    signal = float(np.var(x @ line))
    height_variance = 0.0
    if p == 2 and "height" in row["predictors"]:
        middle = [centre["dbh"]]
        slope = (log_values(row, middle, height_factor=np.exp(STEP)) - log_values(row, middle)) / STEP
        height_variance = float((slope[0] * spread) ** 2)
    return {
        "line": line,
        "shape": np.linalg.inv(x.T @ x) * m / n,
        "misfit": float(np.sqrt(np.mean((y - x @ line) ** 2))),
        "residual": float(np.sqrt(signal * (1 - r2) / r2)),
        "height_variance": height_variance,
    }


# The pooled equation: its text, predictions with intervals, and priors.

KINDS = ("mean", "place", "individual")
#: Column that names the place of trees.
PLACE = "site"


@dataclass(frozen=True, eq=False)
class PooledEquation:
    """A default equation with all that is uncertain about it.

    ``mean`` (p,) holds the level (logarithm of the response at ``centre``) and the exponents of
    ``predictors``; ``covariance`` (p, p) their sampling covariance; ``between`` (p, p) the covariance between
    places; ``residual`` the SD of single trees, in logarithms; ``freedom`` the degrees of freedom.
    ``borrowed`` says that ``between`` came from the wider group. ``rows`` are the equations used.
    """

    response: str
    predictors: tuple[str, ...]
    centre: dict[str, float]
    mean: np.ndarray
    covariance: np.ndarray
    between: np.ndarray
    residual: float
    freedom: float
    borrowed: bool
    ranges: dict[str, tuple[float, float]]
    n_tree: int
    lines: Lines = field(repr=False)
    rows: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Coefficients of the equation: the factor, then the exponents."""
        return tuple("abc"[: len(self.mean)])

    def equation(self, at: dict[str, float] | None = None) -> str:
        """The equation as text, such as ``agb = a * dbh**b``; see :meth:`values` for ``at``."""
        terms = [f"({x} / {at[x]:g})" if at else x for x in self.predictors]
        powers = " * ".join(f"{t}**{b}" for t, b in zip(terms, self.names[1:], strict=True))
        return f"{self.response} = a * {powers}"

    def values(self, at: dict[str, float] | None = None) -> dict[str, float]:
        """Coefficients of the median place; ``a`` is the response at a size of 1, or at the sizes ``at``."""
        value = self._move(at) @ self.mean
        return dict(zip(self.names, [float(np.exp(value[0])), *map(float, value[1:])], strict=True))

    def log_covariance(self, at: dict[str, float] | None = None, kind: str = "place") -> np.ndarray:
        """Covariance of ``ln a`` and the exponents: of the pooled line (``mean``) or of a new place."""
        move = self._move(at)
        return move @ (self.covariance + (self.between if kind != "mean" else 0)) @ move.T

    def of_mean(self) -> tuple[str, np.ndarray]:
        """Equation of the mean over places, with its coefficients (p,): those of a median place, and what places add."""
        spread = self._move(None) @ self.between @ self._move(None).T
        logs = [f"log({x})" for x in self.predictors]
        squares = [
            f"{spread[i, j] / (2 if i == j else 1):+.6g} * {one} * {other}"
            for i, one in enumerate(logs, 1)
            for j, other in enumerate(logs, 1)
            if i <= j and abs(spread[i, j]) > FLAT
        ]
        text = self.equation() + (f" * exp({' '.join(squares).removeprefix('+')})" if squares else "")
        line = self._move(None) @ self.mean + np.array([spread[0, 0] / 2, *spread[0, 1:]])
        return text, np.array([np.exp(line[0]), *line[1:]])

    def _move(self, at) -> np.ndarray:
        """Matrix that moves the level from the centre to sizes ``at`` (1 of everything when left out)."""
        move = np.eye(len(self.mean))
        for j, x in enumerate(self.predictors, start=1):
            move[0, j] = np.log((at[x] if at else 1.0) / self.centre[x])
        return move

    def predict(
        self, data: pd.DataFrame | Mapping[str, ArrayLike], level: float = 0.95, kind: str = "place"
    ) -> pd.DataFrame:
        """Predict with an interval.

        Parameters
        ----------
        data : DataFrame or mapping of str to array, shape (n,)
            The predictors: ``dbh`` [cm], and ``height`` [m] if the equation has it.
        level : float
        kind : "mean", "place" or "individual"
            Interval of the mean over places, of the curve of a new place, of one of its trees.

        Returns
        -------
        prediction : DataFrame
            For the response r: ``r`` (mean over places), ``r_lower``, ``r_upper`` in its unit, ``r_sd_log`` (SD of
            the logarithm) and ``out_of_range``. A new place is as often above the median of places as below it, which is less
            than their mean.
        """
        require_choice("kind", kind, KINDS)
        require_level(level)
        columns = {x: np.asarray(data[x], float) for x in self.predictors}
        x = np.column_stack(
            [np.ones(len(columns[self.predictors[0]]))]
            + [np.log(columns[name] / self.centre[name]) for name in self.predictors]
        )
        spread = self.covariance + (self.between if kind != "mean" else 0)
        variance = np.einsum("ij,jk,ik->i", x, spread, x) + (self.residual**2 if kind == "individual" else 0)
        line, half = x @ self.mean, stats.t.ppf(0.5 + level / 2, self.freedom) * np.sqrt(variance)
        mean = line + np.einsum("ij,jk,ik->i", x, self.between, x) / 2
        # A printed equation gives the mean of the trees of its place, below which the median tree lies.
        middle = mean if kind == "mean" else line - (self.residual**2 / 2 if kind == "individual" else 0)
        outside = np.zeros(len(x), bool)
        for name, (low, high) in self.ranges.items():
            outside |= (columns[name] < low) | (columns[name] > high)
        r = self.response
        return pd.DataFrame(
            {
                r: np.exp(mean),
                f"{r}_lower": np.exp(middle - half),
                f"{r}_upper": np.exp(middle + half),
                f"{r}_sd_log": np.sqrt(variance),
                "out_of_range": outside,
            },
            index=data.index if isinstance(data, pd.DataFrame) else None,
        )

    def priors(self, at: dict[str, float] | None = None) -> pd.DataFrame:
        """What the literature says of the coefficients in a new place, as stated priors.

        Each is as wide as the distribution of a new place with its degrees of freedom. The factor at a
        size of 1 is strongly tied to the exponents, which stated priors cannot say: they are wider
        together than the literature is. With ``at`` in the middle of the trees they are nearly free of
        each other; the model must then be written as :meth:`equation` writes it.

        Returns
        -------
        priors : DataFrame
            ``name, prior, source``; the first two are what the Bayesian engine takes as ``priors``.
        """
        # As wide at 95 % as Student's t.
        widen = stats.t.ppf(0.975, self.freedom) / stats.norm.ppf(0.975)
        sd = widen * np.sqrt(np.diag(self.log_covariance(at)))
        texts = []
        for (name, value), s in zip(self.values(at).items(), sd, strict=True):
            family = "lognormal" if name == "a" else "normal"
            texts.append((name, f"{family}({value:.6g}, {s:.6g})"))
        frame = pd.DataFrame(texts, columns=["name", "prior"])
        return frame.assign(source=f"{len(self.rows)} published equations: {', '.join(self.sources)}")

    @property
    def sources(self) -> list[str]:
        """Sources of the equations used."""
        return sorted(self.rows["source_id"].unique())


# Pooling.

METHOD = "random-effects meta-analysis of published equations by pseudo-data, restricted maximum likelihood"
#: Steps that keep a variance from becoming exactly nought on the way.
FLOOR = 1e-10
#: Variance of an exponent between places below which the mean over places is a power.
FLAT = 1e-6


def restricted_likelihood(values, covariances, between) -> float:
    """Logarithm of the restricted likelihood, but for a constant, of a covariance between places."""
    total = covariances + between
    precision = np.linalg.inv(total)
    joint = precision.sum(axis=0)
    mean = np.linalg.solve(joint, np.einsum("kij,kj->i", precision, values))
    away = values - mean
    squares = np.einsum("ki,kij,kj->", away, precision, away)
    return -0.5 * (np.linalg.slogdet(total)[1].sum() + np.linalg.slogdet(joint)[1] + squares)


def between_places(values, covariances) -> np.ndarray:
    """Covariance (p, p) between places that maximises the restricted likelihood.

    Parameters
    ----------
    values : array, shape (k, p)
    covariances : array, shape (k, p, p)
        k larger than p.

    Raises
    ------
    DataError
        Too few equations.
    """
    k, p = values.shape
    if k <= p:
        raise DataError(
            f"{k} equations cannot tell the spread of {p} coefficients; at least {p + 1} are needed",
            f"{k} 个方程不足以估计 {p} 个系数的地点间变异；至少需要 {p + 1} 个",
        )
    rows, columns = np.tril_indices(p)
    diagonal = rows == columns

    def covariance(theta):
        half = np.zeros((p, p))
        half[rows, columns] = np.where(diagonal, np.exp(np.minimum(theta, 50.0)), theta)
        return half @ half.T

    raw = np.cov(values, rowvar=False).reshape(p, p)
    start = np.linalg.cholesky(raw + FLOOR * max(np.trace(raw), 1.0) * np.eye(p))
    begin = np.where(diagonal, np.log(np.maximum(np.abs(start[rows, columns]), 1e-6)), start[rows, columns])
    # Below this no spread is left to see; without it the logarithm of a variance of nought runs away.
    bounds = [(np.log(1e-6), None) if d else (None, None) for d in diagonal]
    found = optimize.minimize(
        lambda theta: -restricted_likelihood(values, covariances, covariance(theta)),
        begin,
        method="L-BFGS-B",
        bounds=bounds,
    )
    return covariance(found.x)


def pool(
    rows: pd.DataFrame, predictors: Sequence[str] = ("dbh",), wider: pd.DataFrame | None = None
) -> PooledEquation:
    """Pool published equations; see the module.

    Parameters
    ----------
    rows : DataFrame
        As :func:`~sinklab.evidence.equations.look_up` gives them; one response.
    predictors : ("dbh",) or ("dbh", "height")
    wider : DataFrame, optional
        Equations of a wider group, from which the spread between places is taken if ``rows`` are few.

    Returns
    -------
    pooled : PooledEquation

    Raises
    ------
    DataError
        No equation over these predictors, several responses, or too few equations and none wider.
    """
    limits, notes = rules(), Notes()
    used = usable(rows, predictors)
    responses = sorted(used["response"].unique())
    if len(responses) > 1:
        raise DataError(
            f"equations of {', '.join(responses)}; pool one response at a time",
            f"方程含 {'、'.join(responses)}；每次只合并一个因变量",
        )
    dropped = len(rows) - len(used)
    if dropped:
        notes.add(
            f"{dropped} equations over other predictors not pooled",
            f"{dropped} 个以其他量为自变量的方程未参与合并",
        )
    unknown = int((used["correction"] == "unknown").sum())
    if unknown:
        notes.add(
            f"{unknown} equations do not say whether the bias of logarithms is corrected",
            f"{unknown} 个方程未说明是否校正对数偏差",
        )
    centre = centre_of(used, limits)
    own = lines(used, predictors, centre, limits)
    enough = len(used) >= limits["least_pooled"]
    between, freedom = _between(own, used, predictors, centre, limits, wider, enough, notes)
    precision = np.linalg.inv(own.covariances + between)
    covariance = np.linalg.inv(precision.sum(axis=0))
    mean = covariance @ np.einsum("kij,kj->i", precision, own.values)
    return PooledEquation(
        response=responses[0],
        predictors=tuple(predictors),
        centre={x: centre[x] for x in predictors},
        mean=mean,
        covariance=covariance,
        between=between,
        residual=float(np.sqrt(np.average(own.residual**2, weights=own.trees))),
        freedom=freedom,
        borrowed=not enough,
        ranges=_ranges(used, predictors, limits),
        n_tree=int(used["n"].sum()),
        lines=own,
        rows=used,
        notes=tuple(notes),
    )


def _between(own, used, predictors, centre, limits, wider, enough, notes):
    if enough:
        return between_places(own.values, own.covariances), float(len(used) - 1)
    more = None if wider is None else usable(wider, predictors)
    if more is None or len(more) < limits["least_pooled"]:
        raise DataError(
            f"{len(used)} equations cannot tell how places differ ({limits['least_pooled']:g} are needed); "
            "give equations of a wider group as wider=",
            f"{len(used)} 个方程不足以说明地点间差异（至少 {limits['least_pooled']:g} 个）；"
            "请以 wider= 给出更大类群的方程",
        )
    notes.add(
        f"spread between places taken from {len(more)} equations of a wider group",
        f"地点间变异取自更大类群的 {len(more)} 个方程",
    )
    other = lines(more, predictors, centre, limits)
    return between_places(other.values, other.covariances), float(len(more) - 1)


def _ranges(used, predictors, limits) -> dict[str, tuple[float, float]]:
    low = used["dbh_min"].min() if used["dbh_min"].notna().any() else limits["range_low"]
    high = used["dbh_max"].max() if used["dbh_max"].notna().any() else limits["range_high"]
    ranges = {"dbh": (float(low), float(high))}
    if "height" in predictors:
        ends = equations.height_of(list(ranges["dbh"]), "tree")
        ranges["height"] = (float(ends[0]), float(ends[1]))
    return ranges


def default_equation(
    response: str,
    species: str | None = None,
    *,
    region: str | None = None,
    predictors: Sequence[str] = ("dbh",),
    least: int = 1,
    **keys: str | None,
) -> PooledEquation:
    """Default equation where a region has no trees of its own: look up, then pool.

    Levels are joined from the narrowest until ``least`` equations are found; those of the whole type tell
    how places differ when they are few. Equations of the region are used alone when they are enough.

    Parameters
    ----------
    response, species, region, **keys
        See :func:`~sinklab.evidence.equations.look_up` (``genus``, ``family``, ``group``).
    predictors : ("dbh",) or ("dbh", "height")
    least : int
        Number of equations wanted; 1 keeps to the species if it has any.

    Returns
    -------
    pooled : PooledEquation

    Examples
    --------
    >>> sl.default_equation('agb', '杉木').ranges['dbh']
    (2.0, 36.3)
    """
    limits = rules()
    wider = look_up(response, species, region=region, least=10_000, **keys)
    near = wider[wider["level"] != "any"]
    good, around = _readable(wider, predictors), wider
    if _readable(near, predictors).sum() >= limits["least_pooled"]:
        around = near
    levels = list(dict.fromkeys(wider.loc[good, "level"]))
    for i in range(len(levels)):
        chosen = wider[good & wider["level"].isin(levels[: i + 1])]
        if len(chosen) >= least or i + 1 == len(levels):
            local = chosen[chosen["near"] == "region"]
            return pool(local if len(local) >= limits["least_pooled"] else chosen, predictors, wider=around)
    raise DataError(
        f"no published equation of {response} over {' and '.join(predictors)} for {species or keys}",
        f"{species or keys}：没有以 {'、'.join(predictors)} 为自变量的 {response} 方程",
    )


def as_result(pooled: PooledEquation, label: str = "", level: float = 0.95, seed: int = 0) -> FitResult:
    """Turn a pooled equation into a result: the mean over places, and how a new place lies about it.

    The variance of places that is common to all sizes is that of a site (``between``); what their exponents add at other
    sizes stands in the covariance of the coefficients, beside the sampling error. The residual of single trees is
    lognormal. There are no trees, hence no indices of fit and no likelihood.

    Parameters
    ----------
    pooled : PooledEquation
    label : str
    level : float
        Level of the intervals of the coefficients.
    seed : int
        Of later draws.

    Returns
    -------
    result : FitResult
    """
    response, names = pooled.response, list(pooled.names)
    text, value = pooled.of_mean()
    scale = np.array([value[0], *np.ones(len(value) - 1)])
    everywhere, move = _everywhere(pooled.between), pooled._move(None)
    common = np.zeros_like(pooled.between)
    common[0, 0] = everywhere
    logs = move @ (pooled.covariance + pooled.between - common) @ move.T
    covariance = logs * np.outer(scale, scale)
    half = stats.t.ppf(0.5 + level / 2, pooled.freedom) * np.sqrt(np.diag(logs))
    ends = np.array([np.log(value[0]), *value[1:]])
    lower, upper = ends - half, ends + half
    lower[0], upper[0] = np.exp(lower[0]), np.exp(upper[0])
    one = {"index": [response], "columns": [response]}
    empty = indices.evaluate(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]), p=1)
    return FitResult(
        system=System.parse(text, pooled.predictors, responses_required=False),
        method="pooled",
        parameters=pd.DataFrame(
            {
                "name": names,
                "group": "",
                "value": value,
                "se": np.sqrt(np.diag(covariance)),
                "lower": lower,
                "upper": upper,
            }
        ),
        covariance=pd.DataFrame(covariance, names, names),
        residual={
            response: ResidualModel(
                response,
                "lognormal",
                float(np.hypot(pooled.residual, np.sqrt(everywhere))),
                freedom=pooled.freedom,
            )
        },
        correlation=pd.DataFrame([[1.0]], [response], [response]),
        loglik=np.nan,
        n={response: pooled.n_tree},
        ranges=dict(pooled.ranges),
        correction={response: 1.0},
        correction_kind="none",
        index_table=pd.DataFrame(np.nan, [response], list(empty)),
        converged=True,
        certificate=Certificate(
            cluster={
                "column": PLACE,
                "n": len(pooled.rows),
                "kind": "mixed",
                "freedom": pooled.freedom,
                "weight": 1.0,
            },
            other={
                "method": METHOD,
                "curve": "mean over places",
                "speaks_for": [_speaks_for(pooled.rows)],
                "equations": list(pooled.rows["equation_id"]),
                "texts": list(pooled.rows["text"]),
                "between_places": pooled.between.tolist(),
                "centre": dict(pooled.centre),
                "spread_borrowed": pooled.borrowed,
            },
        ),
        warnings=(*pooled.notes, tr("the curve is the mean over places", "曲线为各地点的均值")),
        versions=paths.versions(),
        source=equations.source(pooled.rows),
        label=label,
        level=level,
        seed=seed,
        between=Between(
            column=PLACE,
            spread=pd.DataFrame(everywhere, **one),
            within=pd.DataFrame(pooled.residual**2, **one),
            # The median of places in the middle of the sizes.
            centre=pd.Series({response: -pooled.between[0, 0] / 2}),
            share=pd.Series({response: 0.0}),
            n=len(pooled.rows),
        ),
    )


def _speaks_for(rows) -> dict[str, str | float]:
    """The taxon with most equations, its share of them, and the level at which it was found."""
    taxa, known = rows["taxon"].value_counts(), "level" in rows
    rank = rows.loc[rows["taxon"] == taxa.index[0], "level"].iloc[0] if known else ""
    return {
        "asked": "",
        "rank": rank,
        "taxon": rank,
        "most": taxa.index[0],
        "most_share": taxa.iloc[0] / len(rows),
    }


def _everywhere(between) -> float:
    """Variance between places that is left at the size where they differ least."""
    cross, slopes = between[0, 1:], between[1:, 1:]
    return float(max(between[0, 0] - cross @ np.linalg.pinv(slopes, hermitian=True) @ cross, 0.0))
