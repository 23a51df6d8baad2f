"""Individuals far from the curve through the others of their species."""

import numpy as np
import pandas as pd

from sinklab import vocabulary
from sinklab.checks.finder import slip_of, slips
from sinklab.language import tr

#: Height at which dbh is measured, by its definition in the vocabulary. [m]
BREAST = 1.3


def outliers(found) -> None:
    """Report heights, then masses and volumes, far from the curve of the species.

    Trees whose height is an outlier are not compared further: it may be their diameter that is wrong.
    """
    frame = found.frame
    if not found.has("dbh", "height") or "growing_stock" in frame:
        return
    # What lies outside the limits has been reported, and would be no guide here.
    sound = found.inside("dbh") & found.inside("height")
    for row in frame.index[sound & (frame["height"] < BREAST)]:
        expected = tr("above 1.3 m where a dbh is given", "有胸径时应大于 1.3 m")
        advice = tr("is the diameter a basal diameter?", "该直径是否为地径？")
        found.add(row, "height", found.value("height", row), expected, advice, "height")
    group = frame["species"].fillna("") if "species" in frame else pd.Series("–", index=frame.index)
    tall = sound & (frame["height"] >= found.rules["outlier_min_height"])
    for species in group[group != ""].unique():
        part = frame[tall & (group == species)]
        if len(part) >= found.rules["outlier_min_n"]:
            _masses(found, part.drop(index=_heights(found, part)))


def _heights(found, part):
    """Report outliers from the height curve; return their rows."""
    dbh, height = part["dbh"].to_numpy(), part["height"].to_numpy()
    curve = height_curve(dbh, height)
    odd, span = _far(np.log(height / curve(dbh)), found.rules["dh_scale"], found.rules["dh_ratio"])
    for row, here in zip(part.index[odd], curve(dbh[odd]), strict=True):
        advice = _dh_advice(found, part.loc[row], curve)
        expected = _span_text(here, span, "m", part["dbh"][row])
        found.add(row, "height", found.value("height", row), expected, advice, "dh")
    return part.index[odd]


def _dh_advice(found, tree, curve) -> str:
    """Say which of the two, taken in another unit, would fit the curve."""
    near = found.rules["slip_factor"]
    for unit, factor in slips("cm"):
        if abs(np.log(tree["height"] / curve(tree["dbh"] / factor))) < np.log(near):
            return found.unit_advice(unit, found.label("dbh"))
    slip = slip_of(tree["height"] / curve(tree["dbh"]), "m", near)
    return found.unit_advice(slip, found.label("height")) if slip else found.check_form()


def _masses(found, part) -> None:
    for column in found.numeric:
        unit = vocabulary.variable(column).unit
        if unit not in ("kg", "m3") or column == "fresh_mass":
            continue
        trees = part[found.inside(column)[part.index] & (part[column] > 0)]
        if len(trees) < found.rules["outlier_min_n"]:
            continue
        dbh, mass = trees["dbh"].to_numpy(), trees[column].to_numpy()
        curve = log_curve(dbh, mass)
        odd, span = _far(np.log(mass / curve(dbh)), found.rules["mass_scale"], found.rules["mass_ratio"])
        for row, here in zip(trees.index[odd], curve(dbh[odd]), strict=True):
            slip = slip_of(trees[column][row] / here, unit, found.rules["slip_factor"] ** 2)
            expected = _span_text(here, span, unit, trees["dbh"][row])
            advice = found.unit_advice(slip) if slip else found.check_form()
            found.add(row, column, found.value(column, row), expected, advice, "mass")


def _far(residual, scale_limit, ratio):
    """Rows beyond both limits, and the factor that is still accepted."""
    # 1.4826 makes the median absolute deviation the SD of a normal distribution.
    scale = 1.4826 * np.median(np.abs(residual - np.median(residual)))
    limit = max(scale_limit * scale, np.log(ratio))
    return np.abs(residual) > limit, float(np.exp(limit))


def _span_text(here, span, unit, dbh) -> str:
    text = f"{here / span:.3g}–{here * span:.3g} {unit}"
    return tr(f"{text} at dbh = {dbh:.4g} cm", f"{text}（胸径 {dbh:.4g} cm 时）")


def height_curve(dbh, height):
    """Näslund curve ``H = 1.3 + D²/(a + b D)²`` that a few wrong trees do not pull away.

    Parameters
    ----------
    dbh : array, shape (n,)
        [cm]
    height : array, shape (n,)
        [m] Above 1.3.

    Returns
    -------
    curve : callable
        Heights [m] at diameters [cm].
    """
    slope = _robust_line(np.column_stack([np.ones_like(dbh), dbh]), dbh / np.sqrt(height - BREAST), dbh)
    # A straight line through few small trees may cross zero; the curve must stay a height.
    return lambda d: BREAST + (d / np.maximum(slope[0] + slope[1] * d, 1e-3)) ** 2


def log_curve(dbh, mass):
    """Robust curve ``ln W = a + b ln D + c (ln D)²``; returns a callable of D [cm]."""
    x = np.log(dbh)
    centre = x.mean()
    design = np.column_stack([np.ones_like(x), x - centre, (x - centre) ** 2])
    beta = _robust_line(design, np.log(mass), np.ones_like(x))
    return lambda d: np.exp(beta[0] + beta[1] * (np.log(d) - centre) + beta[2] * (np.log(d) - centre) ** 2)


def _robust_line(design, response, size):
    """Least absolute residuals, each relative to ``size``, by reweighting."""
    weight = 1 / size
    for _ in range(50):
        scaled = np.sqrt(weight)[:, None]
        beta = np.linalg.lstsq(design * scaled, response * scaled[:, 0], rcond=None)[0]
        residual = np.abs(response - design @ beta) / size
        weight = 1 / np.maximum(residual, 1e-3 * np.median(residual) + 1e-12) / size**2
    return beta
