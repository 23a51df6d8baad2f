r"""Propagation of errors to the first order, beside Monte Carlo.

*Delta method.* Every source contributes :math:`G\, V\, G^T` to the covariance of the group totals:
the derivatives of the totals by what is uncertain, and its covariance. Errors that are shared keep
their full weight in a total; errors of single rows add as squares.

*IPCC Approach 1.* With :math:`U` half the 95 % interval in per cent of the value, products of
independent quantities have :math:`U = \sqrt{\sum U_i^2}`, sums
:math:`U = \sqrt{\sum (U_i x_i)^2} / |\sum x_i|`. It knows no correlation: quantities that share a
parameter must not be combined by it.

Source
------
IPCC (2006, 2019) Guidelines for National Greenhouse Gas Inventories, volume 1, chapter 3; the two
rules are given from memory there and follow from the delta method here.
"""

import numpy as np

from sinklab.errors import DataError
from sinklab.language import tr
from sinklab.propagate.levels import PARAMETERS, RESIDUAL
from sinklab.propagate.units import Units

#: Rows whose derivatives are held at once; a million rows need no matrix of a million rows by k.
BLOCK = 65536


def variances(units: Units, combine=None) -> dict[str, np.ndarray]:
    """Variance of group totals by source, to the first order.

    Parameters
    ----------
    units : Units
    combine : array, shape (n_out, n_group), optional
        Linear combinations of the group totals; the totals themselves when left out.

    Returns
    -------
    variance : dict of str to array, shape (n_out,)
        One entry per source, in the order of ``units.sources``; their sum is the whole.
    """
    n_group = len(units.groups)
    mix = np.eye(n_group) if combine is None else np.atleast_2d(np.asarray(combine, float))
    found = {PARAMETERS: _parameters(units, mix)}
    value = units.weight * units.centre
    for factor in units.factors:
        levels, index = units.levels[factor.by], units.level[factor.by]
        mean, sd = factor.moments(levels)
        # Levels that take the common value move together.
        owner, merged = np.unique([x if x in factor.values else "" for x in levels], return_inverse=True)
        ratio = np.divide(sd, mean, out=np.zeros_like(sd), where=mean != 0)
        found[factor.name] = _shared(units, mix, value * ratio[index], merged[index], len(owner))
    for noise in units.noises:
        spread = units.spread[noise.name]
        if noise.by:
            effect = value * spread if not noise.column else _slope(units, noise.column) * spread
            found[noise.name] = _shared(
                units, mix, effect, units.level[noise.by], len(units.levels[noise.by])
            )
        else:
            sd = noise.total_sd(spread)
            effect = value * sd if not noise.column else _slope(units, noise.column) * sd
            found[noise.name] = _alone(units, mix, effect)
    if units.residual:
        found[RESIDUAL] = _alone(units, mix, units.weight * units.factor_mean * units.residual_sd)
    return {name: found[name] for name in units.sources}


def row_variances(units: Units) -> np.ndarray:
    """Variance of ``weight * mass`` of every row by all sources together, to the first order, shape (n,)."""
    value = units.weight * units.centre
    scale = units.weight * units.factor_mean
    total = np.zeros(units.n)
    for m, start, stop in units.spans():
        model = units.models[m]
        for a in range(start, stop, BLOCK):
            b = min(a + BLOCK, stop)
            slope = model.slopes({c: v[a:b] for c, v in units.data.items()}, b - a)
            total[a:b] = scale[a:b] ** 2 * np.einsum("ij,jk,ik->i", slope, model.covariance, slope)
    for factor in units.factors:
        mean, sd = factor.moments(units.levels[factor.by])
        ratio = np.divide(sd, mean, out=np.zeros_like(sd), where=mean != 0)
        total += (value * ratio[units.level[factor.by]]) ** 2
    for noise in units.noises:
        sd = noise.total_sd(units.spread[noise.name])
        total += ((_slope(units, noise.column) if noise.column else value) * sd) ** 2
    if units.residual:
        total += (scale * units.residual_sd) ** 2
    return np.clip(total, 0, None)


def _parameters(units, mix) -> np.ndarray:
    total = np.zeros(len(mix))
    for m, start, stop in units.spans():
        model, rows = units.models[m], slice(start, stop)
        scale = units.weight[rows] * units.factor_mean[rows]
        gradient = np.zeros((len(units.groups), len(model.values)))
        for a in range(start, stop, BLOCK):
            b = min(a + BLOCK, stop)
            slope = model.slopes({c: v[a:b] for c, v in units.data.items()}, b - a)
            np.add.at(gradient, units.group[a:b], scale[a - start : b - start, None] * slope)
        gradient = mix @ gradient
        total += np.einsum("gj,jk,gk->g", gradient, model.covariance, gradient)
    return np.clip(total, 0, None)


def _shared(units, mix, effect, level, n_level) -> np.ndarray:
    """Variance of effects that are one draw for each level."""
    cell = np.bincount(units.group * n_level + level, effect, len(units.groups) * n_level)
    return ((mix @ cell.reshape(-1, n_level)) ** 2).sum(axis=1)


def _alone(units, mix, effect) -> np.ndarray:
    return (mix**2) @ np.bincount(units.group, effect**2, len(units.groups))


def _slope(units, column) -> np.ndarray:
    """Derivative of ``weight * mass`` by a predictor, zero for models without it; central differences."""
    out = np.zeros(units.n)
    for m, start, stop in units.spans():
        model = units.models[m]
        if column not in model.predictors:
            continue
        columns = {c: np.asarray(units.data[c][start:stop], float) for c in model.predictors}
        step = 1e-5 * np.maximum(np.abs(columns[column]), 1e-6)
        high, low = (
            model.centre(columns | {column: columns[column] + s * step}, units.places[m], stop - start)
            for s in (1, -1)
        )
        out[start:stop] = (high - low) / (2 * step)
    return out * units.weight * units.factor_mean


def combine_product(relative) -> float:
    """Relative uncertainty of a product of independent quantities, in the unit of the arguments."""
    return float(np.sqrt(np.sum(np.square(relative))))


def combine_sum(values, relative) -> float:
    """Relative uncertainty of a sum of independent quantities, in the unit of ``relative``.

    Examples
    --------
    >>> combine_sum([100.0, 50.0], [10.0, 20.0])  # sqrt(10^2 + 10^2) of 150
    9.428090415820634
    """
    values, relative = np.asarray(values, float), np.asarray(relative, float)
    return float(np.sqrt(np.sum((relative * values) ** 2)) / abs(values.sum()))


def stratified_mean(means, sds, n_plots, weights, level: float = 0.9) -> tuple[float, float, float]:
    r"""Mean of strata with the uncertainty of sampling alone.

    .. math:: b = \sum w_i b_i, \quad u = t \sqrt{\sum w_i^2 s_i^2 / n_i} / b

    Parameters
    ----------
    means, sds : sequences of float
        Mean and standard deviation of the plots of each stratum.
    n_plots : sequence of int
    weights : sequence of float
        Shares of the area; they add up to 1.
    level : float
        Two-sided; Student's t has n - M degrees of freedom for n plots in M strata.

    Returns
    -------
    mean, half_width, relative : float

    Source
    ------
    UNFCCC CDM A/R tool 14 v04.2, Eq. 14-17, read in a transcription.
    """
    from scipy import stats

    means, sds, n, w = (np.asarray(x, float) for x in (means, sds, n_plots, weights))
    if not np.isclose(w.sum(), 1) or (n < 1).any() or n.sum() <= len(n):
        raise DataError(
            tr(
                f"weights must add up to 1 (found {w.sum():g}) and plots outnumber strata ({n.sum():g}, {len(n)})",
                f"权重之和应为 1（实为 {w.sum():g}），样地数应多于层数（{n.sum():g}，{len(n)}）",
            )
        )
    mean = float(w @ means)
    half = float(stats.t.ppf(0.5 + level / 2, n.sum() - len(n)) * np.sqrt(np.sum(w**2 * sds**2 / n)))
    return mean, half, half / mean
