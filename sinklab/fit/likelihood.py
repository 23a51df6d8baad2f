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
        beta, exponents = self.split(state.theta)
        k, m = len(beta), self.n_equation
        by_beta, by_exponent = self.scale.derivatives(exponents, state.mean, state.jacobian)
        slope = state.jacobian * np.exp(-state.log_g)[:, :, None]
        width = k + m
        spread = np.zeros((len(self.y), m, width))
        if by_beta is not None:
            spread[:, :, :k] = by_beta
        spread[:, np.arange(m), k + np.arange(m)] = by_exponent
        score, information = np.zeros(width), np.zeros((width, width))
        pairs = [(s, t) for s in range(m) for t in range(s, m) if s == t or self.correlated]
        cross, inner = np.zeros((width, len(pairs))), np.zeros((len(pairs), len(pairs)))
        for p in self.patterns:
            block = state.sigma[np.ix_(p.seen, p.seen)]
            precision = np.linalg.inv(block)
            a, c = slope[np.ix_(p.rows, p.seen)], spread[np.ix_(p.rows, p.seen)]
            u = state.u[np.ix_(p.rows, p.seen)]
            w = u @ precision
            score[:k] += np.einsum("nq,nqk->k", w, a)
            score += np.einsum("nq,nqk->k", w * u - 1, c)
            information[:k, :k] += _sandwich(a, precision)
            information += _sandwich(c, np.eye(len(p.seen)) + precision * block)
            total = c.sum(axis=0)
            _add_covariance_terms(cross, inner, pairs, p, precision, total)
        if spread.any():
            information -= cross @ np.linalg.pinv(inner, hermitian=True) @ cross.T
        keep = np.concatenate([np.ones(k, bool), self.scale.free])
        return score[keep], information[np.ix_(keep, keep)]

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


def _add_covariance_terms(cross, inner, pairs, pattern, precision, spread_total):
    """Add a pattern's information between exponents and covariance elements, and among these."""
    place = {int(j): i for i, j in enumerate(pattern.seen)}
    units = []
    for column, (s, t) in enumerate(pairs):
        if s not in place or t not in place:
            continue
        a, b = place[s], place[t]
        unit = np.zeros_like(precision)
        unit[a, b] = unit[b, a] = 1.0
        units.append((column, precision @ unit))
        cross[:, column] += precision[a, b] * (spread_total[a] + spread_total[b]) * (0.5 if a == b else 1.0)
    for one, left in units:
        for other, right in units:
            inner[one, other] += 0.5 * len(pattern.rows) * np.sum(left * right.T)
