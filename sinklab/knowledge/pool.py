r"""Pool published equations by random-effects meta-analysis into a default equation and a prior.

The line of equation i (:mod:`sinklab.knowledge.pseudo`) is :math:`\beta_i = \mu + u_i + e_i` with
:math:`u_i \sim N(0, T)` between places and :math:`e_i \sim N(0, V_i)` from its few trees. :math:`T` maximises
the restricted likelihood; :math:`\mu` is the generalised mean, with covariance
:math:`C = (\sum (T + V_i)^{-1})^{-1}`. At a size with row :math:`x` of centred logarithms, the curve of a new
place has variance :math:`x^T (C + T) x`, one of its trees the residual variance on top, and intervals use
Student's t on k - 1 degrees of freedom. The pooled line is the median place.

Fewer equations than ``least_pooled`` in ``data/rules/equation_checks.csv`` cannot tell :math:`T`; they take
that of a wider group of equations, and say so.

Source
------
van Houwelingen H.C., Arends L.R., Stijnen T. (2002) Advanced methods in meta-analysis: multivariate
approach and meta-regression. Statistics in Medicine 21:589-624.
"""

import numpy as np
import pandas as pd
from scipy import optimize

from sinklab.errors import DataError
from sinklab.knowledge import catalogue
from sinklab.knowledge.lookup import look_up
from sinklab.knowledge.plausibility import rules
from sinklab.knowledge.pooled import PooledEquation
from sinklab.knowledge.pseudo import centre_of, lines, usable
from sinklab.language import tr

METHOD = "random-effects meta-analysis of published equations by pseudo-data, restricted maximum likelihood"
#: Steps that keep a variance from becoming exactly nought on the way.
FLOOR = 1e-10


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
            tr(
                f"{k} equations cannot tell the spread of {p} coefficients; at least {p + 1} are needed",
                f"{k} 个方程不足以估计 {p} 个系数的地点间变异；至少需要 {p + 1} 个",
            )
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


def pool(rows, predictors=("dbh",), wider=None) -> PooledEquation:
    """Pool published equations; see the module.

    Parameters
    ----------
    rows : DataFrame
        As :func:`~sinklab.knowledge.look_up` gives them; one response.
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
    limits, notes = rules(), []
    used = usable(rows, predictors)
    responses = sorted(used["response"].unique())
    if len(responses) > 1:
        raise DataError(
            tr(
                f"equations of {', '.join(responses)}; pool one response at a time",
                f"方程含 {'、'.join(responses)}；每次只合并一个因变量",
            )
        )
    dropped = len(rows) - len(used)
    if dropped:
        notes.append(
            tr(
                f"{dropped} equations over other predictors not pooled",
                f"{dropped} 个以其他量为自变量的方程未参与合并",
            )
        )
    unknown = int((used["correction"] == "unknown").sum())
    if unknown:
        notes.append(
            tr(
                f"{unknown} equations do not say whether the bias of logarithms is corrected",
                f"{unknown} 个方程未说明是否校正对数偏差",
            )
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
            tr(
                f"{len(used)} equations cannot tell how places differ ({limits['least_pooled']:g} are needed); "
                "give equations of a wider group as wider=",
                f"{len(used)} 个方程不足以说明地点间差异（至少 {limits['least_pooled']:g} 个）；"
                "请以 wider= 给出更大类群的方程",
            )
        )
    notes.append(
        tr(
            f"spread between places taken from {len(more)} equations of a wider group",
            f"地点间变异取自更大类群的 {len(more)} 个方程",
        )
    )
    other = lines(more, predictors, centre, limits)
    return between_places(other.values, other.covariances), float(len(more) - 1)


def _ranges(used, predictors, limits) -> dict[str, tuple[float, float]]:
    low = used["dbh_min"].min() if used["dbh_min"].notna().any() else limits["range_low"]
    high = used["dbh_max"].max() if used["dbh_max"].notna().any() else limits["range_high"]
    ranges = {"dbh": (float(low), float(high))}
    if "height" in predictors:
        ends = catalogue.height_of(list(ranges["dbh"]), "tree")
        ranges["height"] = (float(ends[0]), float(ends[1]))
    return ranges


def default_equation(
    response: str,
    species: str | None = None,
    *,
    region: str | None = None,
    predictors=("dbh",),
    least: int = 1,
    **keys,
) -> PooledEquation:
    """Default equation where a region has no trees of its own: look up, then pool.

    Levels are joined from the narrowest until ``least`` equations are found; those of the whole type tell
    how places differ when they are few. Equations of the region are used alone when they are enough.

    Parameters
    ----------
    response, species, region, **keys
        See :func:`~sinklab.knowledge.look_up` (``genus``, ``family``, ``group``).
    predictors : ("dbh",) or ("dbh", "height")
    least : int
        Number of equations wanted; 1 keeps to the species if it has any.

    Returns
    -------
    pooled : PooledEquation
    """
    limits = rules()
    wider = look_up(response, species, region=region, least=10_000, **keys)
    near = wider[wider["level"] != "any"]
    good, around = _fits(wider, predictors), wider
    if _fits(near, predictors).sum() >= limits["least_pooled"]:
        around = near
    levels = list(dict.fromkeys(wider.loc[good, "level"]))
    for i in range(len(levels)):
        chosen = wider[good & wider["level"].isin(levels[: i + 1])]
        if len(chosen) >= least or i + 1 == len(levels):
            local = chosen[chosen["near"] == "region"]
            return pool(local if len(local) >= limits["least_pooled"] else chosen, predictors, wider=around)
    raise DataError(
        tr(
            f"no published equation of {response} over {' and '.join(predictors)} for {species or keys}",
            f"{species or keys}：没有以 {'、'.join(predictors)} 为自变量的 {response} 方程",
        )
    )


def _fits(rows, predictors) -> pd.Series:
    allowed = [{"dbh", "height"}] + ([{"dbh"}] if tuple(predictors) == ("dbh",) else [])
    good = [
        set(cell.split(";")) in allowed and group in catalogue.TREES
        for cell, group in zip(rows["predictors"], rows["group"], strict=True)
    ]
    return pd.Series(good, index=rows.index, dtype=bool)
