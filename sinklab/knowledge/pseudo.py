r"""One straight line in logarithms for every published equation, with its sampling covariance.

*Pseudo-data.* Equation i is read at as many pseudo-trees as it was fitted to, spread evenly over the
logarithm of its range of diameters, and :math:`\ln y` is regressed on the centred logarithms of the
predictors. Power forms are met exactly; what another form leaves over joins the residual.

*Sampling covariance.* :math:`V_i = s_i^2 (X^T X)^{-1}` over the pseudo-trees. The residual variance follows
from the printed R² and the variance of the line over the range, :math:`s^2 = v (1 - R^2) / R^2`, but not less
than a house rule says; where none is printed it is the median of the others, or the rule. An equation without n is taken to rest on as few trees
as any of the others.

*Heights.* A line over diameter alone may rest on equations that need a height as well: they are read
along the heights of ``heights.csv``, and the spread of heights about that curve is added to the variance
of their level. Over diameter and height only equations of both are used.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sinklab.errors import DataError
from sinklab.knowledge import catalogue
from sinklab.knowledge.plausibility import log_values, span
from sinklab.language import tr

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
    return {"dbh": dbh, "height": float(catalogue.height_of([dbh], "tree")[0])}


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
            tr(
                f"pooling over {', '.join(wanted)}; expected {' or '.join(', '.join(p) for p in PREDICTORS)}",
                f"按 {'、'.join(wanted)} 合并；应为 {' 或 '.join('、'.join(p) for p in PREDICTORS)}",
            )
        )
    allowed = ({"dbh"}, {"dbh", "height"}) if wanted == ("dbh",) else ({"dbh", "height"},)
    good = [set(cell.split(";")) in allowed for cell in rows["predictors"]]
    found = rows[np.array(good, bool) & rows["group"].isin(catalogue.TREES)]
    if found.empty:
        raise DataError(
            tr(
                f"none of {len(rows)} equations is one of trees over {' and '.join(wanted)}",
                f"{len(rows)} 个方程中没有以 {'、'.join(wanted)} 为自变量的立木方程",
            )
        )
    return found


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
    spread = float(catalogue.heights().loc[row["group"], "sd_log"])
    # Over two predictors the pseudo-trees lie in turn above, on and below the curve of heights.
    away = np.exp(spread * np.sqrt(1.5) * np.resize([1.0, 0.0, -1.0], m)) if p == 3 else np.ones(m)
    y = log_values(row, dbh, height_factor=away)
    columns = [np.ones(m), np.log(dbh / centre["dbh"])]
    if p == 3:
        columns.append(np.log(catalogue.height_of(dbh, row["group"]) * away / centre["height"]))
    x = np.column_stack(columns)
    ok = np.isfinite(y)
    if ok.sum() <= p:
        raise DataError(
            tr(
                f"{row['equation_id']}: not positive over most of its range, {low:g} to {high:g} cm",
                f"{row['equation_id']}：在其范围 {low:g}～{high:g} cm 的大部分不为正",
            )
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
