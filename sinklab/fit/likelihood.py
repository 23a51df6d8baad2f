r"""The likelihood of a simultaneous system, each tree contributing the components it has.

For tree :math:`i` and equation :math:`j` the model is :math:`y_{ij} = f_j(x_i; \beta) + g_{ij}\, u_{ij}`
with :math:`u_i \sim N(0, \Sigma)` and :math:`g` the variance function. Trees with the same measured
components form a *pattern*; a pattern uses the rows and columns of :math:`\Sigma` that it observed.

:math:`\Sigma` is profiled out: in closed form when all trees are complete, by EM on the patterns'
cross-products otherwise (Dempster, Laird & Rubin 1977, J. R. Stat. Soc. B 39:1-38), so the search is
over :math:`\beta` and the exponents of the variance functions only. Score and expected information
are exact; the information of :math:`\Sigma` is removed by its Schur complement.
"""

from dataclasses import dataclass

import numpy as np

LOG_2PI = float(np.log(2 * np.pi))
#: A residual this small against its observation is rounding, not spread.
EXACT = 1e-9
#: Trees whose information matrices are held in memory at once.
BLOCK = 1000


@dataclass(frozen=True)
class Pattern:
    """Trees that have the same components: their rows, the components, all pairs of these."""

    rows: np.ndarray
    seen: np.ndarray


def find_patterns(observed) -> list[Pattern]:
    """Group the rows of a mask (n, m) by what they observed; rows without anything are left out."""
    patterns = []
    for mask in np.unique(observed, axis=0):
        if mask.any():
            rows = np.flatnonzero((observed == mask).all(axis=1))
            patterns.append(Pattern(rows, np.flatnonzero(mask)))
    return patterns


@dataclass(frozen=True)
class State:
    """Everything known at one point of the search."""

    theta: np.ndarray
    loglik: float
    mean: np.ndarray
    jacobian: np.ndarray
    log_g: np.ndarray
    u: np.ndarray
    sigma: np.ndarray


class SystemLikelihood:
    """Profile likelihood of coefficients and variance exponents.

    Parameters
    ----------
    y : array, shape (n, m)
        Observations of the free responses; NaN where a tree lacks the component.
    evaluate : callable
        ``evaluate(beta) -> mean (n, m), jacobian (n, m, k)``.
    scale : Scale
        Variance functions on these trees.
    correlated : bool
        Estimate the residual correlation between equations, or hold it at zero.
    """

    def __init__(self, y, evaluate, scale, correlated: bool):
        self.y, self.evaluate, self.scale, self.correlated = y, evaluate, scale, correlated
        self.observed = np.isfinite(y)
        self.patterns = find_patterns(self.observed)
        self.n_equation = y.shape[1]
        self.complete = bool(self.observed.all())

    def split(self, theta):
        """Coefficients and the full vector of exponents from the search vector."""
        k = len(theta) - int(self.scale.free.sum())
        exponents = self.scale.start.copy()
        exponents[self.scale.free] = theta[k:]
        return theta[:k], exponents

    def state(self, theta, near=None) -> State | None:
        """Evaluate at ``theta``; None where the model is not defined there.

        ``near`` is a state whose covariance is a good start for the profile.
        """
        beta, exponents = self.split(theta)
        with np.errstate(all="ignore"):
            mean, jacobian = self.evaluate(beta)
            log_g = self.scale.log_g(exponents, mean)
            u = np.where(self.observed, (self.y - mean) * np.exp(-log_g), 0.0)
        used = self.observed
        if not (np.isfinite(u).all() and np.isfinite(mean[used]).all() and np.isfinite(log_g[used]).all()):
            return None
        if not np.isfinite(jacobian[used]).all():
            return None
        with np.errstate(all="ignore"):
            floor = (EXACT * np.where(used, np.abs(self.y) * np.exp(-log_g), 0.0)) ** 2
        floor = floor.sum(axis=0) / np.maximum(used.sum(axis=0), 1)
        sigma = self._profile(u, floor, None if near is None else near.sigma)
        loglik = self._loglik(u, log_g, sigma)
        if not np.isfinite(loglik):
            return None
        return State(theta, loglik, mean, jacobian, log_g, u, sigma)

    def _profile(self, u, floor, near):
        variances = (u**2).sum(axis=0) / self.observed.sum(axis=0) + floor
        if not self.correlated or self.n_equation == 1:
            return np.diag(variances)
        if self.complete:
            return u.T @ u / len(u) + np.diag(floor)
        moments = [(p.seen, len(p.rows), u[np.ix_(p.rows, p.seen)]) for p in self.patterns]
        moments = [(seen, count, block.T @ block) for seen, count, block in moments]
        sigma = np.diag(variances) if near is None else near
        total = sum(count for _, count, _ in moments)
        for _ in range(500):
            update = sum(_expected_square(sigma, *moment) for moment in moments) / total + np.diag(floor)
            change = np.max(np.abs(update - sigma) / np.sqrt(np.outer(np.diag(update), np.diag(update))))
            sigma = update
            if change < 1e-11:
                break
        return sigma

    def _loglik(self, u, log_g, sigma) -> float:
        total = -log_g[self.observed].sum()
        for p in self.patterns:
            block = sigma[np.ix_(p.seen, p.seen)]
            try:
                half = np.linalg.cholesky(block)
            except np.linalg.LinAlgError:
                return -np.inf
            white = np.linalg.solve(half, u[np.ix_(p.rows, p.seen)].T)
            q = len(p.seen)
            total -= 0.5 * (white**2).sum() + len(p.rows) * (np.log(np.diag(half)).sum() + 0.5 * q * LOG_2PI)
        return float(total)

    def score_and_information(self, state: State):
        """Gradient and expected information of the profile likelihood at a state."""
        scores, information = self.tree_scores(state)
        return scores.sum(axis=0), information

    def tree_scores(self, state: State):
        """Efficient score of every tree (n, w), and their expected information (w, w).

        Efficient: the part that the elements of the residual covariance explain is taken out, so the
        scores are those of a likelihood in which these are estimated too.
        """
        slope, spread = self._derivatives(state)
        n, m, width = spread.shape
        k = slope.shape[2]
        pairs = [(s, t) for s in range(m) for t in range(s, m) if s == t or self.correlated]
        scores, nuisance = np.zeros((n, width)), np.zeros((n, len(pairs)))
        information = np.zeros((width, width))
        cross, inner = np.zeros((width, len(pairs))), np.zeros((len(pairs), len(pairs)))
        for p in self.patterns:
            block = state.sigma[np.ix_(p.seen, p.seen)]
            precision = np.linalg.inv(block)
            a, c = slope[np.ix_(p.rows, p.seen)], spread[np.ix_(p.rows, p.seen)]
            u = state.u[np.ix_(p.rows, p.seen)]
            w = u @ precision
            scores[p.rows, :k] = np.einsum("nq,nqk->nk", w, a)
            scores[p.rows] += np.einsum("nq,nqk->nk", w * u - 1, c)
            information[:k, :k] += _sandwich(a, precision)
            information += _sandwich(c, np.eye(len(p.seen)) + precision * block)
            _add_covariance_terms(cross, inner, nuisance, pairs, p, precision, c.sum(axis=0), w)
        if spread.any():
            gain = cross @ np.linalg.pinv(inner, hermitian=True)
            information -= gain @ cross.T
            scores -= nuisance @ gain.T
        keep = np.concatenate([np.ones(k, bool), self.scale.free])
        return scores[:, keep], information[np.ix_(keep, keep)]

    def without_own_influence(self, state, scores, bread):
        """Scores of the trees, each as if the tree had not drawn the fit towards itself.

        A tree's score is multiplied by the inverse of :math:`1 - I_i B`, its information times the
        covariance: the one-step jackknife (CR3 of Bell & McCaffrey 2002). Blocks bound the memory.
        """
        slope, spread = self._derivatives(state)
        k = slope.shape[2]
        keep = np.concatenate([np.ones(k, bool), self.scale.free])
        out = np.zeros_like(scores)
        for p in self.patterns:
            block = state.sigma[np.ix_(p.seen, p.seen)]
            precision = np.linalg.inv(block)
            weight = np.eye(len(p.seen)) + precision * block
            for start in range(0, len(p.rows), BLOCK):
                rows = p.rows[start : start + BLOCK]
                a, c = slope[np.ix_(rows, p.seen)], spread[np.ix_(rows, p.seen)][:, :, keep]
                own = np.einsum("nqk,qr,nrl->nkl", c, weight, c, optimize=True)
                own[:, :k, :k] += np.einsum("nqk,qr,nrl->nkl", a, precision, a, optimize=True)
                left = np.eye(len(bread)) - own @ bread
                out[rows] = np.linalg.solve(left, scores[rows, :, None])[:, :, 0]
        return out

    def _derivatives(self, state):
        """Derivatives of the scaled means (n, m, k), and of ln g by all parameters (n, m, k + m)."""
        beta, exponents = self.split(state.theta)
        k, m = len(beta), self.n_equation
        by_beta, by_exponent = self.scale.derivatives(exponents, state.mean, state.jacobian)
        spread = np.zeros((len(self.y), m, k + m))
        if by_beta is not None:
            spread[:, :, :k] = by_beta
        spread[:, np.arange(m), k + np.arange(m)] = by_exponent
        return state.jacobian * np.exp(-state.log_g)[:, :, None], spread

    def mean_information(self, state: State, sigma) -> np.ndarray:
        """Information about the coefficients carried by the means, for a given covariance."""
        slope = state.jacobian * np.exp(-state.log_g)[:, :, None]
        total = 0.0
        for p in self.patterns:
            precision = np.linalg.inv(sigma[np.ix_(p.seen, p.seen)])
            total = total + _sandwich(slope[np.ix_(p.rows, p.seen)], precision)
        return total

    def pairwise_covariance(self, state: State) -> np.ndarray:
        """Covariance of the scaled residuals from the trees that have both components."""
        together = self.observed.T.astype(float) @ self.observed
        product = state.u.T @ state.u
        return np.divide(product, together, out=np.zeros_like(product), where=together > 0)

    def estimating_spread(self, state: State, weights, covariance) -> np.ndarray:
        """Spread of the score of separately fitted equations when their residuals are correlated."""
        slope = state.jacobian * np.exp(-state.log_g)[:, :, None] * weights[None, :, None]
        total = 0.0
        for p in self.patterns:
            total = total + _sandwich(slope[np.ix_(p.rows, p.seen)], covariance[np.ix_(p.seen, p.seen)])
        return total


def _sandwich(a, weight) -> np.ndarray:
    """Sum over trees of ``a' W a`` for a (n, q, k) and W (q, q)."""
    weighted = np.einsum("qr,nrk->nqk", weight, a, optimize=True)
    return a.reshape(-1, a.shape[2]).T @ weighted.reshape(-1, a.shape[2])


def _expected_square(sigma, seen, count, product) -> np.ndarray:
    """Expected sum of u u' of a pattern, given its observed cross-products."""
    gain = sigma[:, seen] @ np.linalg.inv(sigma[np.ix_(seen, seen)])
    return gain @ product @ gain.T + count * (sigma - gain @ sigma[seen])


def _add_covariance_terms(cross, inner, nuisance, pairs, pattern, precision, spread_total, w):
    """Add what a pattern says of the elements of the residual covariance.

    ``cross`` is their information with the exponents, ``inner`` among themselves, ``nuisance`` their
    score for each tree; ``w`` holds the residuals times the precision.
    """
    place = {int(j): i for i, j in enumerate(pattern.seen)}
    units = []
    for column, (s, t) in enumerate(pairs):
        if s not in place or t not in place:
            continue
        a, b = place[s], place[t]
        half = 0.5 if a == b else 1.0
        unit = np.zeros_like(precision)
        unit[a, b] = unit[b, a] = 1.0
        units.append((column, precision @ unit))
        cross[:, column] += half * precision[a, b] * (spread_total[a] + spread_total[b])
        nuisance[pattern.rows, column] = half * (w[:, a] * w[:, b] - precision[a, b])
    for one, left in units:
        for other, right in units:
            inner[one, other] += 0.5 * len(pattern.rows) * np.sum(left * right.T)
