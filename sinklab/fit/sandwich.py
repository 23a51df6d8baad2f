"""Covariance of the estimates that does not rest on the normal distribution.

White (1982): the spread of the trees' scores between two inverses of the information. Each tree's
score is first freed of the tree's own pull on the fit, by the inverse of one minus its information
times the covariance, which is a one-step jackknife (CR3 of Bell & McCaffrey 2002). All parameters
take part: coefficients, variance exponents and the elements of the residual covariance.
"""

import numpy as np

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
        units = _units(likelihood.pairs, p.seen, precision)
        inner = np.zeros((width - front, width - front))
        for one, _, _, left in units:
            for other, _, _, right in units:
                inner[one, other] = 0.5 * np.sum(left * right.T)
        for start in range(0, len(p.rows), BLOCK):
            rows = p.rows[start : start + BLOCK]
            a, c = slope[np.ix_(rows, p.seen)], spread[np.ix_(rows, p.seen)]
            own = np.zeros((len(rows), width, width))
            own[:, :front, :front] = np.einsum("nqk,qr,nrl->nkl", c, weight, c, optimize=True)
            own[:, :k, :k] += np.einsum("nqk,qr,nrl->nkl", a, precision, a, optimize=True)
            for column, i, j, _ in units:
                half = 0.5 if i == j else 1.0
                shared = half * precision[i, j] * (c[:, i] + c[:, j])
                own[:, :front, front + column] = own[:, front + column, :front] = shared
            own[:, front:, front:] = inner
            yield rows, own


def _units(pairs, seen, precision):
    """For each pair of components that was seen: its number, its places, precision times its unit matrix."""
    place = {int(j): i for i, j in enumerate(seen)}
    found = []
    for column, (s, t) in enumerate(pairs):
        if s in place and t in place:
            unit = np.zeros_like(precision)
            unit[place[s], place[t]] = unit[place[t], place[s]] = 1.0
            found.append((column, place[s], place[t], precision @ unit))
    return found


def inverse(information) -> np.ndarray:
    """Inverse after scaling to a unit diagonal, symmetric."""
    size = np.sqrt(np.diag(information))
    size = np.where(size > 0, size, 1.0)
    found = np.linalg.pinv(information / np.outer(size, size), hermitian=True, rcond=1e-14)
    return (found + found.T) / 2 / np.outer(size, size)
