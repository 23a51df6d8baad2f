r"""Intervals by linearisation, the delta method.

On the natural scale the interval of the mean is :math:`\hat f \pm t\, \sqrt{J C J^T}` with the
Jacobian :math:`J` of the (expanded) equation and the joint covariance :math:`C`; an individual adds
its residual variance, and the variance between groups when parameters vary at random. The residual
of an identity is the one that its parts imply, so a total honours the correlation of its components.

Intervals of responses with lognormal residuals are built on ln(response) and transformed back; the
interval of the mean is centred on the mean (with ``ols-log``: the line times the correction factor),
the one of an individual on the median.

Intervals are Wald intervals with Student's t; a quantity that cannot be negative has its lower limit
cut at zero.
"""

import numpy as np
from scipy import stats

from sinklab import vocabulary
from sinklab.equations.parts import complete, slopes


def by_delta(result, frame, level, kind) -> dict[str, np.ndarray]:
    """Columns of a prediction with Wald intervals."""
    responses = result.system.responses
    raw, slope = result.layout.at(frame, responses, len(frame)).mean_and_jacobian(result.values)
    raw = {r: raw[:, i] for i, r in enumerate(responses)}
    jacobian = {r: slope[:, i] for i, r in enumerate(responses)}
    mean = _means(result, frame, raw)
    columns = {}
    for response in responses:
        columns |= _interval(result, response, frame, raw, mean, jacobian, level, kind)
    return columns


def _means(result, frame, raw) -> dict[str, np.ndarray]:
    """Expected values: free equations times their correction, identities from those."""
    if not result.of_medians:
        return raw
    corrected = {r: raw[r] * result.correction[r] for r in result.system.free}
    return complete(result.system, corrected, frame)


def _interval(result, response, frame, raw, mean, jacobian, level, kind) -> dict[str, np.ndarray]:
    centre = mean[response]
    slope = _identity_slopes(result, response, frame, mean)
    if result.of_medians:
        # d(mean) = sum over parts of slope * correction * d(part): the correction is taken as known.
        gradient = sum(slope[r][:, None] * result.correction[r] * jacobian[r] for r in slope)
    else:
        gradient = jacobian[response]
    covariance = result.covariance.to_numpy()
    variance = np.einsum("ij,jk,ik->i", gradient, covariance, gradient)
    se = np.sqrt(np.clip(variance, 0, None))
    quantile = stats.t.ppf(0.5 + level / 2, min(result.residual[r].freedom for r in slope))
    model, between = result.residual.get(response), _between_groups(result, gradient)
    if model is not None and model.kind == "lognormal":
        spread = (se / centre) ** 2
        base = centre
        if kind == "individual":
            spread = spread + model.sigma**2 + between / centre**2
            base = raw[response] if result.of_medians else centre * np.exp(-(model.sigma**2) / 2)
        half = quantile * np.sqrt(spread)
        lower, upper = base * np.exp(-half), base * np.exp(half)
    else:
        if kind == "individual":
            variance = variance + residual_variance(result, slope, frame, mean) + between
        half = quantile * np.sqrt(np.clip(variance, 0, None))
        lower, upper = np.maximum(centre - half, floor(result, response)), centre + half
    return {response: centre, f"{response}_se": se, f"{response}_lower": lower, f"{response}_upper": upper}


def _identity_slopes(result, response, frame, mean) -> dict[str, np.ndarray]:
    """Derivative of a response with respect to each free response that it is made of."""
    if response in result.residual:
        return {response: np.ones(len(frame))}
    return slopes(result.system, {r: mean[r] for r in result.system.free}, frame)[response]


def _between_groups(result, gradient) -> np.ndarray:
    """Variance that an individual of an unknown group owes to its group."""
    if result.random is None:
        return np.zeros(len(gradient))
    slopes = result.random.slopes(gradient, result.labels, result.values)
    return np.einsum("nq,qr,nr->n", slopes, result.random.covariance.to_numpy(), slopes)


def residual_variance(result, slope, frame, mean) -> np.ndarray:
    """Residual variance of a combination of free responses, with their correlation."""
    scaled = {r: d * result.residual[r].sd(mean[r], frame) for r, d in slope.items()}
    total = np.zeros(len(frame))
    for one, a in scaled.items():
        for other, b in scaled.items():
            total += a * b * result.correlation.loc[one, other]
    return np.clip(total, 0, None)


def floor(result, response) -> float:
    """Zero for quantities that cannot be negative, else minus infinity."""
    known = vocabulary.variables().get(response)
    if known is not None:
        return 0.0 if known.minimum is not None and known.minimum >= 0 else -np.inf
    model = result.residual.get(response)
    return 0.0 if model is None or model.by == "mean" or model.kind == "lognormal" else -np.inf
