"""Covariance of the estimates that does not rest on the normal distribution.

White (1982): the spread of the trees' scores between two inverses of the information. Each tree's
score is first freed of the tree's own pull on the fit, by the inverse of one minus its information
times the covariance, which is a one-step jackknife (CR3 of Bell & McCaffrey 2002). All parameters
take part: coefficients, variance exponents and the elements of the residual covariance.
"""

import numpy as np

from sinklab.fit.likelihood import places_of_pairs
from sinklab.fit.totals import Terms

#: Trees whose information matrices are held in memory at once.
BLOCK = 1000


def sandwich(likelihood, state) -> np.ndarray:
    """Joint covariance of the coefficients, shape (k, k).

    Parameters
    ----------
    likelihood : SystemLikelihood
    state : State
        At the maximum.
    """
    scores, nuisance, information, cross, inner = likelihood.blocks(state)
    joint = np.block([[information, cross], [cross.T, inner]])
    bread = inverse(joint)
    pull = np.concatenate([scores, nuisance], axis=1)
    for rows, own in _own_information(likelihood, state, joint.shape[0]):
        left = np.eye(len(bread)) - own @ bread
        pull[rows] = np.linalg.solve(left, pull[rows, :, None])[:, :, 0]
    k = state.jacobian.shape[2]
    return (bread @ (pull.T @ pull) @ bread)[:k, :k]


def _own_information(likelihood, state, width):
    """Yield rows and the information that each of these trees carries (n, width, width)."""
    slope, spread = likelihood.derivatives(state)
    k = slope.shape[2]
    spread = spread[:, :, np.concatenate([np.ones(k, bool), likelihood.scale.free])]
    front = spread.shape[2]
    for p in likelihood.patterns:
        block = state.sigma[np.ix_(p.seen, p.seen)]
        precision = np.linalg.inv(block)
        weight = np.eye(len(p.seen)) + precision * block
        columns, first, second = places_of_pairs(likelihood.pairs, p.seen)
        half = np.where(first == second, 0.5, 1.0)
        i, j, k_, m = first[:, None], second[:, None], first[None, :], second[None, :]
        shared = precision[i, k_] * precision[j, m] + precision[i, m] * precision[j, k_]
        inner = np.outer(half, half) * shared
        places = front + columns
        for start in range(0, len(p.rows), BLOCK):
            rows = p.rows[start : start + BLOCK]
            a, c = slope[np.ix_(rows, p.seen)], spread[np.ix_(rows, p.seen)]
            own = np.zeros((len(rows), width, width))
            own[:, :front, :front] = np.einsum("nqk,qr,nrl->nkl", c, weight, c, optimize=True)
            own[:, :k, :k] += np.einsum("nqk,qr,nrl->nkl", a, precision, a, optimize=True)
            between = (half * precision[first, second])[None, :, None] * (c[:, first] + c[:, second])
            own[:, :front, places] = between.transpose(0, 2, 1)
            own[:, places, :front] = between
            own[:, places[:, None], places[None, :]] = inner
            yield rows, own
    for part in likelihood.combined:
        yield part.rows, Terms.at(part, state, state.sigma).by_tree(spread[part.rows], likelihood.pairs)[1]


def inverse(information) -> np.ndarray:
    """Inverse after scaling to a unit diagonal, symmetric."""
    size = np.sqrt(np.diag(information))
    size = np.where(size > 0, size, 1.0)
    found = np.linalg.pinv(information / np.outer(size, size), hermitian=True, rcond=1e-14)
    return (found + found.T) / 2 / np.outer(size, size)
