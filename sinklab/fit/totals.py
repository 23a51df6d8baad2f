r"""Trees of which a total was weighed: what an identity says of parts that were not.

An identity that is a plain sum, such as ``agb = stem + branch + foliage``, ties the observations of a
tree. What its total adds depends on the parts that were weighed as well:

* all parts: nothing, the total is their sum;
* all but one: the missing part, by subtraction;
* fewer: a linear combination :math:`c^T y` of the missing parts. It is normal with mean
  :math:`c^T f` and variance :math:`c^T G \Sigma G c`, together with the parts that were weighed.

The variance of a combination differs from tree to tree, so these trees have no common precision
matrix; everything is worked out tree by tree, in one batch for each pattern of what was weighed.
"""

from dataclasses import dataclass

import numpy as np

from sinklab.equations.parts import slopes
from sinklab.language import tr

LOG_2PI = float(np.log(2 * np.pi))
#: Coefficients below this, of rows scaled to one, are rounding.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Combined:
    """Trees with the same pattern: their rows, what was weighed as combinations (q, m), values (n, q)."""

    rows: np.ndarray
    combine: np.ndarray
    values: np.ndarray


def sums(system, columns, n: int) -> dict[str, np.ndarray]:
    """Identities that are sums of free responses with fixed coefficients.

    Parameters
    ----------
    columns : mapping of str to array, shape (n,)
        The predictors.

    Returns
    -------
    coefficients : dict of array, shape (m,)
        One for each free response, by identity.
    """
    rng = np.random.default_rng(0)
    tried = []
    for _ in range(2):
        means = {r: rng.uniform(1.0, 2.0, n) for r in system.free}
        tried.append(slopes(system, means, columns))
    found = {}
    for identity in system.identities:
        rows = [np.array([s[identity].get(r, np.zeros(n)) for r in system.free]) for s in tried]
        both = np.hstack(rows)
        # A ratio has slopes that move with its parts.
        if np.ptp(both, axis=1).max() <= ROUNDING:
            found[identity] = both[:, 0]
    return found


def read(system, frame, columns):
    """Observations of the free responses, completed from totals, and what else totals say.

    Returns
    -------
    y : array, shape (n, m)
    combined : list of Combined
    notes : list of str
        How many trees owe which component to a total.
    """
    y = frame[list(system.free)].to_numpy(float)
    if not any(r in frame for r in system.identities):
        return y, [], []
    known = {r: c for r, c in sums(system, columns, len(frame)).items() if r in frame}
    if not known:
        return y, [], []
    totals = frame[list(known)].to_numpy(float)
    coefficients = np.array(list(known.values()))
    y, combined, derived, refused = _patterns(y, totals, coefficients)
    return y, combined, _notes(system, frame, combined, derived, refused)


def _patterns(y, totals, coefficients):
    y, m = y.copy(), y.shape[1]
    seen = np.hstack([np.isfinite(y), np.isfinite(totals)])
    combined, derived, refused = [], np.zeros(m, int), []
    for mask in np.unique(seen, axis=0):
        parts, whole = mask[:m], mask[m:]
        if parts.all() or not whole.any():
            continue
        rows = np.flatnonzero((seen == mask).all(axis=1))
        rest = totals[np.ix_(rows, whole)] - y[np.ix_(rows, parts)] @ coefficients[whole][:, parts].T
        matrix, rest = _reduced(coefficients[whole][:, ~parts], rest)
        # Parts cannot weigh more than their total; such a total is left out, and named.
        sound = ((rest > 0) | (matrix < 0).any(axis=1)).all(axis=1)
        refused += rows[~sound].tolist()
        rows, rest = rows[sound], rest[sound]
        missing = np.flatnonzero(~parts)
        single = (matrix != 0).sum(axis=1) == 1
        for row, value in zip(matrix[single], rest[:, single].T, strict=True):
            y[rows, missing[np.flatnonzero(row)[0]]] = value
            derived[missing[np.flatnonzero(row)[0]]] += len(rows)
        if single.all() or not len(rows):
            continue
        combine = np.zeros((int((~single).sum()), m))
        combine[:, missing] = matrix[~single]
        weighed = np.flatnonzero(np.isfinite(y[rows[0]]))
        values = np.hstack([y[np.ix_(rows, weighed)], rest[:, ~single]])
        combined.append(Combined(rows, np.vstack([np.eye(m)[weighed], combine]), values))
    return y, combined, derived, refused


def _reduced(matrix, values):
    """Rows of a system of sums in echelon form, those that say nothing left out; values (n, q) alike."""
    matrix, values = matrix.astype(float).copy(), values.copy()
    done = 0
    for column in range(matrix.shape[1]):
        below = np.abs(matrix[done:, column])
        if not len(below) or below.max() <= ROUNDING:
            continue
        pivot = done + int(below.argmax())
        matrix[[done, pivot]], values[:, [done, pivot]] = matrix[[pivot, done]], values[:, [pivot, done]]
        values[:, done] /= matrix[done, column]
        matrix[done] /= matrix[done, column]
        for other in range(len(matrix)):
            if other != done and abs(matrix[other, column]) > ROUNDING:
                values[:, other] -= matrix[other, column] * values[:, done]
                matrix[other] -= matrix[other, column] * matrix[done]
        done += 1
    matrix[np.abs(matrix) <= ROUNDING] = 0.0
    # A row whose coefficients are all negative is turned, so that its value is a mass.
    turn = np.where((matrix[:done] <= 0).all(axis=1), -1.0, 1.0)
    return matrix[:done] * turn[:, None], values[:, :done] * turn


def _notes(system, frame, combined, derived, refused) -> list[str]:
    notes = []
    for name, count in zip(system.free, derived, strict=True):
        if count:
            notes.append(
                tr(
                    f"{name} of {count} trees follows from a total and the other parts",
                    f"{count} 株样木的 {name} 由总量减去其他分量得出",
                )
            )
    through = sum(len(c.rows) for c in combined)
    if through:
        notes.append(
            tr(
                f"{through} trees enter through a total of which several parts were not weighed",
                f"{through} 株样木有多个分量未测，以总量参与拟合",
            )
        )
    if refused:
        shown = ", ".join(str(frame.index[i] + 1) for i in sorted(refused)[:10])
        notes.append(
            tr(
                f"the total of {len(refused)} trees is not above the sum of the parts that were weighed and is "
                f"left out (records {shown}{' …' if len(refused) > 10 else ''}); check them",
                f"{len(refused)} 株样木的总量不大于已测分量之和，未采用其总量（记录 {shown}"
                f"{' …' if len(refused) > 10 else ''}）；请核对",
            )
        )
    return notes


def loglik(part: Combined, mean, log_g, sigma) -> float:
    """Log-likelihood of the trees of a pattern; minus infinity where it does not exist."""
    half = part.combine * np.exp(log_g[part.rows])[:, None, :]
    try:
        root = np.linalg.cholesky(half @ sigma @ half.transpose(0, 2, 1))
    except np.linalg.LinAlgError:
        return -np.inf
    residual = part.values - mean[part.rows] @ part.combine.T
    white = np.linalg.solve(root, residual[:, :, None])
    log_root = np.log(np.diagonal(root, axis1=1, axis2=2)).sum()
    return float(-0.5 * (white**2).sum() - log_root - 0.5 * residual.size * LOG_2PI)


@dataclass(frozen=True)
class Terms:
    """What the trees of a pattern say at a state, worked out once.

    ``half`` (n, q, m) turns scaled residuals into combinations, ``weight`` (n, q, q) is the inverse of
    their variance, ``w`` (n, q) the weighted residuals, ``slope`` (n, q, k) the derivative of the means.
    """

    half: np.ndarray
    weight: np.ndarray
    w: np.ndarray
    slope: np.ndarray
    sigma: np.ndarray

    @classmethod
    def at(cls, part: Combined, state, sigma) -> "Terms":
        """Terms at a state of the search, for a residual covariance."""
        half = part.combine * np.exp(state.log_g[part.rows])[:, None, :]
        weight = np.linalg.inv(half @ sigma @ half.transpose(0, 2, 1))
        residual = part.values - state.mean[part.rows] @ part.combine.T
        w = np.einsum("nqr,nr->nq", weight, residual)
        return cls(half, weight, w, part.combine @ state.jacobian[part.rows], sigma)

    def mean_information(self) -> np.ndarray:
        """Information about the coefficients carried by the means of each tree, (n, k, k)."""
        return self.slope.transpose(0, 2, 1) @ self.weight @ self.slope

    def gradient(self, spread):
        """Gradient by coefficients and exponents, and by the full residual covariance, summed over trees.

        ``spread`` (n, m, p) holds the derivatives of ln g.
        """
        a = np.einsum("nqm,nq->nm", self.half, self.w)
        own = (self.weight @ self.half * (self.half @ self.sigma)).sum(axis=1)
        score = np.einsum("nm,nmp->p", a * (a @ self.sigma) - own, spread)
        score[: self.slope.shape[2]] += np.einsum("nq,nqk->k", self.w, self.slope)
        by_sigma = a.T @ a - (self.half.transpose(0, 2, 1) @ self.weight @ self.half).sum(axis=0)
        return score, 0.5 * by_sigma

    def by_tree(self, spread, pairs):
        """Score (n, p) and expected information (n, p, p) by all parameters, of each tree."""
        moved = np.einsum("nqm,nmp,nrm->npqr", self.half, spread, self.half @ self.sigma, optimize=True)
        changes = [moved + moved.transpose(0, 1, 3, 2)]
        for s, t in pairs:
            change = self.half[:, :, s, None] * self.half[:, None, :, t]
            changes.append((change if s == t else change + change.transpose(0, 2, 1))[:, None])
        change = np.concatenate(changes, axis=1)
        weighted = self.weight[:, None] @ change
        score = 0.5 * np.einsum("nq,npqr,nr->np", self.w, change, self.w, optimize=True)
        score -= 0.5 * np.einsum("npqq->np", weighted)
        information = 0.5 * np.einsum("npqr,nlrq->npl", weighted, weighted, optimize=True)
        k = self.slope.shape[2]
        score[:, :k] += np.einsum("nq,nqk->nk", self.w, self.slope)
        information[:, :k, :k] += self.mean_information()
        return score, information
