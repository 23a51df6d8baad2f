"""Second moments at a state: what the means tell of the coefficients, how scaled residuals go together."""

import numpy as np

from sinklab.fit.likelihood import State, SystemLikelihood, weighted_square
from sinklab.fit.totals import Terms


def mean_information(likelihood: SystemLikelihood, state: State, sigma) -> np.ndarray:
    """Information about the coefficients carried by the means, for a given covariance, (k, k)."""
    slope = state.jacobian * np.exp(-state.log_g)[:, :, None]
    total = 0.0
    for p in likelihood.patterns:
        precision = np.linalg.inv(sigma[np.ix_(p.seen, p.seen)])
        total = total + weighted_square(slope[np.ix_(p.rows, p.seen)], precision)
    for part in likelihood.combined:
        total = total + Terms.at(part, state, sigma).mean_information().sum(axis=0)
    return total


def pairwise_covariance(likelihood: SystemLikelihood, state: State) -> np.ndarray:
    """Covariance of the scaled residuals from the trees that have both components, (m, m)."""
    together = likelihood.observed.T.astype(float) @ likelihood.observed
    product = state.u.T @ state.u
    return np.divide(product, together, out=np.zeros_like(product), where=together > 0)


def estimating_spread(likelihood: SystemLikelihood, state: State, weights, covariance) -> np.ndarray:
    """Spread of the score of separately fitted equations when their residuals are correlated, (k, k)."""
    slope = state.jacobian * np.exp(-state.log_g)[:, :, None] * weights[None, :, None]
    total = 0.0
    for p in likelihood.patterns:
        total = total + weighted_square(slope[np.ix_(p.rows, p.seen)], covariance[np.ix_(p.seen, p.seen)])
    return total
