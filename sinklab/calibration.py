r"""Prediction for a group of which some trees were weighed: the empirical best linear unbiased predictor.

A mixed model knows how groups differ. Trees of a new group show where it lies: with the residual
covariance :math:`R`, the slopes :math:`Z` by the deviations and the covariance :math:`\Psi` between
groups, :math:`\hat b = \Psi Z^T (Z \Psi Z^T + R)^{-1} (y - f(\hat b) + Z \hat b)`, iterated where the
equations bend. Few trees draw the group a little way from the typical one, many trees all the way.

The uncertainty is that of :math:`\hat\beta + \hat b`: what is left of the deviation given the trees,
:math:`(Z^T R^{-1} Z + \Psi^{-1})^{-1}`, and the estimates of the typical group as far as they still count.

Source
------
Pinheiro J.C., Bates D.M. (2000) Mixed-Effects Models in S and S-PLUS, section 7.3. Springer.
Lappi J. (1991) Calibration of height and volume equations with random parameters. Forest Science
37:781-801.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.errors import ConvergenceError, DataError
from sinklab.language import tr
from sinklab.results import FitResult

MAX_STEPS = 100


def calibrated(fit: FitResult, trees, label: str = "") -> FitResult:
    """Move a mixed model to one group, by the trees of it that were weighed.

    Parameters
    ----------
    fit : FitResult
        Of method ``mixed``, fitted or read from a table.
    trees : DataFrame
        Trees of one group: the predictors, and the responses that were measured (blank otherwise).
    label : str
        Name of the group.

    Returns
    -------
    result : FitResult
        Parameters of that group with their covariance; intervals of an individual no longer contain
        the spread between groups.

    Raises
    ------
    DataError
        The result has no random effects, or the trees have no response or no predictor of it.
    ConvergenceError
    """
    frame = _checked(fit, trees)
    deviations = np.zeros(len(fit.random.names))
    for _ in range(MAX_STEPS):
        moved, spread, gain = _step(fit, frame, deviations)
        if np.abs(moved - deviations).max() < 1e-10 * (1 + np.abs(moved).max()):
            break
        deviations = moved
    else:
        raise ConvergenceError(
            tr(f"calibration did not settle in {MAX_STEPS} steps", f"校准 {MAX_STEPS} 步后仍未收敛")
        )
    shifted, factor, ratio = _shifted(fit, deviations)
    places = _places(fit)
    turn = np.diag(ratio)
    turn[places] -= factor[:, None] * gain
    covariance = turn @ fit.covariance.to_numpy() @ turn.T
    covariance[np.ix_(places, places)] += spread * np.outer(factor, factor)
    source = fit.source | {"calibrated_with": len(frame)}
    return replace(
        fit,
        parameters=_parameters(fit, shifted, covariance),
        covariance=pd.DataFrame(covariance, index=fit.labels, columns=fit.labels),
        correction=_corrections(fit),
        random=None,
        stored_draws=None,
        label=label,
        source=source,
    )


def _checked(fit, trees) -> pd.DataFrame:
    if fit.random is None:
        raise DataError(
            tr(
                f"a result of method {fit.method!r} has no random effects; fit with method mixed",
                f"方法 {fit.method!r} 的结果没有随机效应；请用 mixed 拟合",
            )
        )
    frame = pd.DataFrame(trees).reset_index(drop=True)
    missing = [x for x in fit.system.predictors if x not in frame]
    seen = [r for r in fit.system.free if r in frame and frame[r].notna().any()]
    if missing or not seen:
        expected = ", ".join([*fit.system.predictors, *fit.system.free])
        found = ", ".join(map(str, frame.columns))
        raise DataError(
            tr(
                f"trees for calibration: found columns {found}; expected the predictors and at least one response "
                f"of {expected}",
                f"校准样木：现有列 {found}；应含自变量及至少一个因变量（{expected}）",
            )
        )
    return frame.assign(**{r: np.nan for r in fit.system.free if r not in frame})


def _step(fit, frame, deviations):
    """New deviations, what is left of their uncertainty, and their answer to the parameters."""
    shifted, factor, ratio = _shifted(fit, deviations)
    residual, slope, sd = _near(fit, frame, shifted)
    by_deviation = slope[:, :, _places(fit)] * factor
    by_parameter = slope * ratio
    information = np.linalg.inv(fit.random.covariance.to_numpy())
    target, answer = np.zeros(len(factor)), np.zeros((len(factor), slope.shape[2]))
    correlation = fit.correlation.to_numpy()
    for i, row in enumerate(residual):
        seen = np.isfinite(row)
        if not seen.any():
            continue
        weight = np.linalg.inv(correlation[np.ix_(seen, seen)] * np.outer(sd[i, seen], sd[i, seen]))
        z = by_deviation[i, seen]
        information += z.T @ weight @ z
        target += z.T @ weight @ (row[seen] + z @ deviations)
        answer += z.T @ weight @ by_parameter[i, seen]
    spread = np.linalg.inv(information)
    return spread @ target, spread, spread @ answer


def _near(fit, frame, values):
    """Residuals (n, m), slopes (n, m, k) and residual standard deviations on the scale of the fit."""
    free = list(fit.system.free)
    mean, slope = fit.layout.at(frame, tuple(free), len(frame)).mean_and_jacobian(values)
    y = frame[free].to_numpy(float)
    models = [fit.residual[r] for r in free]
    if fit.of_medians:
        sd = np.broadcast_to([m.sigma for m in models], mean.shape)
        return np.log(y) - np.log(mean), slope / mean[:, :, None], sd
    sd = np.column_stack([m.sd(mean[:, j], frame) for j, m in enumerate(models)])
    return y - mean, slope, sd


def _places(fit) -> list[int]:
    return [fit.labels.index(name) for name in fit.random.names]


def _shifted(fit, deviations):
    """Parameters of the group, their derivatives by the deviations and by the typical parameters."""
    shifted, ratio = fit.values.copy(), np.ones(len(fit.values))
    factor = np.ones(len(deviations))
    for j, (name, place) in enumerate(zip(fit.random.names, _places(fit), strict=True)):
        if name in fit.random.multiplies:
            ratio[place] = np.exp(deviations[j])
            shifted[place] = factor[j] = fit.values[place] * ratio[place]
        else:
            shifted[place] += deviations[j]
    return shifted, factor, ratio


def _corrections(fit) -> dict[str, float]:
    """Medians of one group lack the spread between groups in what makes them means."""
    if not fit.of_medians or fit.correction_kind == "none":
        return dict(fit.correction)
    return {r: float(np.exp(fit.residual[r].sigma ** 2 / 2)) for r in fit.correction}


def _parameters(fit, values, covariance) -> pd.DataFrame:
    se = np.sqrt(np.clip(np.diag(covariance), 0, None))
    freedom = min(m.freedom for m in fit.residual.values())
    half = stats.t.ppf(0.5 + fit.level / 2, freedom) * se
    return fit.parameters.assign(value=values, se=se, lower=values - half, upper=values + half)
