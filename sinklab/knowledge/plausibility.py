r"""Is a published equation possible? A comparison with what all the others say, at three sizes.

At the two ends and the geometric middle of its range an equation is set beside its peers: equations of
the same response and type whose range (with some reach) holds that size, itself left out. Their pooled
curve is the median of the logarithms and their spread the median absolute deviation, so that a few
wrong peers do not matter. Where an equation needs a height, all take the same one from the diameter.

An equation is implausible when it is not positive, or when at any size it is off by more than a factor
and by more than a multiple of the spread, or by more than a larger factor whatever the spread, all in
``data/rules/equation_checks.csv``. For such an equation the slips that are common in print are tried one by
one. "Fits if" names those that bring all sizes back and at least halve the misfit (of logarithms), "nearer
if" the one that takes the misfit to a third without bringing it back:

============================ ============================================================
slip                         what :math:`\ln y` becomes
============================ ============================================================
mass in g, or in t           :math:`\ln y \mp \ln 1000`
ln printed, log10 meant      :math:`\ln y + c\,(\ln 10 - 1)`, c at predictors of 1
log10 printed, ln meant      :math:`\ln y + c\,(1/\ln 10 - 1)`
diameter in mm, or in m      the equation at 10 D, or at D/100
height in cm, or in dm       the equation at 100 H, or at 10 H
============================ ============================================================

The logarithms are tried only where :math:`\ln y` is a straight line in :math:`\ln D`.
"""

import numpy as np
import pandas as pd

from sinklab import paths
from sinklab.knowledge import catalogue
from sinklab.tabular import read_csv

#: Predictors for which the comparison has values: the diameter, and a height that follows from it.
COMPARED = ({"dbh"}, {"dbh", "height"})
LN10 = float(np.log(10))
MAD = 1.4826  # the SD of a normal over its median absolute deviation


def rules() -> dict[str, float]:
    """Thresholds of the comparison and of the pooling."""
    table = read_csv(paths.data("rules", "equation_checks.csv"), numeric={"value"})
    return dict(zip(table["rule"], table["value"].astype(float), strict=True))


def log_values(row, sizes, dbh_factor: float = 1.0, height_factor: float = 1.0) -> np.ndarray:
    """Logarithm of an equation at diameters [cm], the height following them; NaN where it is not positive."""
    data = {"dbh": np.asarray(sizes, float) * dbh_factor}
    if "height" in row["predictors"]:
        data["height"] = catalogue.height_of(sizes, row["group"]) * height_factor
    value = catalogue.evaluate(row, data)
    with np.errstate(all="ignore"):
        return np.where(value > 0, np.log(np.where(value > 0, value, 1.0)), np.nan)


def sizes(row, limits) -> np.ndarray:
    """Three diameters [cm] at which an equation is looked at."""
    low, high = span(row, limits)
    inner = max(low, limits["size_low"]), min(high, limits["size_high"])
    if inner[0] < inner[1]:
        low, high = inner
    return np.geomspace(low, high, 3)


def span(row, limits) -> tuple[float, float]:
    """Range of diameters [cm] of an equation, or the usual one where none is printed."""
    low = row["dbh_min"] if row["dbh_min"] > 0 else limits["range_low"]
    high = row["dbh_max"] if row["dbh_max"] > 0 else limits["range_high"]
    return float(low), float(high)


def check(rows: pd.DataFrame | None = None, among: pd.DataFrame | None = None) -> pd.DataFrame:
    """Compare equations with the pooled curve of the others at three sizes.

    Parameters
    ----------
    rows : DataFrame, optional
        Equations as :func:`~sinklab.knowledge.equations` gives them; all of the file when left out.
    among : DataFrame, optional
        The equations they are compared with; all of the file when left out.

    Returns
    -------
    table : DataFrame, indexed by ``equation_id``
        ``dbh_1 … dbh_3`` [cm], ``ratio_1 … ratio_3`` to the pooled curve, ``limit_1 … limit_3`` (ratios
        up to it, or down to its inverse, pass), ``peers`` (fewest of the three), ``check`` and ``reason``.
    """
    among = catalogue.equations(plausible=False) if among is None else among
    rows = among if rows is None else rows
    limits = rules()
    return pd.DataFrame(
        [_checked(row, among, limits) for _, row in rows.iterrows()], index=rows["equation_id"]
    )


def _checked(row, among, limits) -> dict:
    if row["group"] not in catalogue.TREES:
        return {"check": "unchecked", "reason": f"no pooled curve for {row['group']}"}
    if set(row["predictors"].split(";")) not in COMPARED:
        over = row["predictors"].replace(";", " and ")
        return {"check": "unchecked", "reason": f"no pooled curve over {over}"}
    at = sizes(row, limits)
    pooled, spread, count = pooled_curve(row, at, among, limits)
    own = log_values(row, at)
    limit = np.clip(limits["spread"] * spread, np.log(limits["factor"]), np.log(limits["ceiling"]))
    found = {f"dbh_{i + 1}": at[i] for i in range(3)} | {"peers": int(count.min())}
    found |= {f"ratio_{i + 1}": float(np.exp(own[i] - pooled[i])) for i in range(3)}
    found |= {f"limit_{i + 1}": float(np.exp(limit[i])) for i in range(3)}
    known = np.isfinite(pooled)
    if not known.any():
        return found | {"check": "unchecked", "reason": "too few equations to compare with"}
    off = known & ~(np.abs(own - pooled) <= limit)
    if not off.any():
        return found | {"check": "ok", "reason": ""}
    return found | {"check": "implausible", "reason": _reason(row, at, own, pooled, limit, off)}


def pooled_curve(row, at, among, limits) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median, spread (of logarithms) and number of the peers of an equation at some diameters [cm]."""
    peers = among[(among["response"] == row["response"]) & (among["equation_id"] != row["equation_id"])]
    peers = peers[peers["group"].isin(catalogue.TREES)]
    peers = peers[[set(cell.split(";")) in COMPARED for cell in peers["predictors"]]]
    spans = np.array([span(peer, limits) for _, peer in peers.iterrows()]).reshape(-1, 2)
    holds = (at >= spans[:, :1] / limits["reach"]) & (at <= spans[:, 1:] * limits["reach"])
    # Every peer is read along the heights of the equation in question, so that heights cancel out.
    logs = np.array([log_values(peer | {"group": row["group"]}, at) for peer in peers.to_dict("records")])
    logs = np.where(holds, logs.reshape(-1, len(at)), np.nan)
    same = (peers["group"] == row["group"]).to_numpy() | (row["group"] == "tree")
    middle, spread, count = (np.full(len(at), np.nan) for _ in range(3))
    for j in range(len(at)):
        column = logs[same, j][np.isfinite(logs[same, j])]
        if len(column) < limits["peers"]:
            column = logs[:, j][np.isfinite(logs[:, j])]
        count[j] = len(column)
        if len(column) >= limits["peers"]:
            middle[j] = np.median(column)
            spread[j] = MAD * np.median(np.abs(column - middle[j]))
    return middle, spread, count


def _slips(row, at, own) -> dict[str, np.ndarray]:
    """What the equation would say had each slip not been made."""
    found = {
        "the mass is in g (÷1000)": own - np.log(1000),
        "the mass is in kg where g is printed, or in t (×1000)": own + np.log(1000),
        "the diameter is in mm": log_values(row, at, dbh_factor=10),
        "the diameter is in m": log_values(row, at, dbh_factor=0.01),
    }
    if "height" in row["predictors"]:
        found["the height is in cm"] = log_values(row, at, height_factor=100)
        found["the height is in dm"] = log_values(row, at, height_factor=10)
    grid = np.geomspace(at[0], at[-1], 5)
    straight = np.abs(np.diff(log_values(row, grid), 2)).max() < 1e-6
    if straight:
        ones = {name: np.ones(1) for name in row["predictors"].split(";")}
        # Of the mass as it was printed: the step from g to kg is not part of the intercept.
        c = float(np.log(catalogue.evaluate(row, ones)[0])) + np.log(1000) * (row["printed_unit"] == "g")
        found["the intercept is of log10, read as ln"] = own + c * (LN10 - 1)
        found["the intercept is of ln, read as log10"] = own + c * (1 / LN10 - 1)
    return found


def _reason(row, at, own, pooled, limit, off) -> str:
    if not np.isfinite(own).all():
        where = ", ".join(f"{d:.3g}" for d in at[~np.isfinite(own)])
        return f"not positive at {where} cm"
    told = ", ".join(
        f"{np.exp(o - p):.3g} at {d:.3g} cm"
        for o, p, d, wrong in zip(own, pooled, at, off, strict=True)
        if wrong
    )
    text = f"times the pooled curve: {told}"
    known = np.isfinite(pooled)
    before = np.abs(own - pooled)[known].max()
    misfit = {n: np.abs(line - pooled)[known] for n, line in _slips(row, at, own).items()}
    misfit = {n: m for n, m in sorted(misfit.items(), key=lambda item: item[1].max()) if np.isfinite(m).all()}
    fits = [n for n, m in misfit.items() if (m <= limit[known]).all() and m.max() <= before / 2]
    if fits:
        return f"{text}; fits if {' or if '.join(fits[:2])}"
    nearest = next(iter(misfit))
    return f"{text}; nearer if {nearest}" if misfit[nearest].max() <= before / 3 else text
