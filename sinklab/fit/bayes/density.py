"""Log-likelihood of every tree under every draw, and random residuals, with numpy.

Means come from the system's own functions; what is written here is the normal distribution of the
standardised residuals on the components that a tree has.
"""

from dataclasses import dataclass

import numpy as np

from sinklab.equations.compile import Compiled

LOG_2PI = float(np.log(2 * np.pi))
#: Numbers held at once: draws times trees of one portion.
PORTION = 2_000_000


@dataclass(frozen=True)
class Draws:
    """Draws of everything a density needs: arrays whose first axis is the draw.

    ``values`` (D, k) are coefficients in the order of the layout; ``sigma`` and ``exponent`` (D, m) those
    of the variance functions in their natural unit, ``correlation`` (D, m, m), all in the order of
    ``free``.
    """

    free: tuple[str, ...]
    functions: dict
    values: np.ndarray
    sigma: np.ndarray
    exponent: np.ndarray
    correlation: np.ndarray

    def at(self, index) -> "Draws":
        """Chosen draws, such as a slice."""
        return Draws(
            self.free,
            self.functions,
            self.values[index],
            self.sigma[index],
            self.exponent[index],
            self.correlation[index],
        )

    def mean(self) -> "Draws":
        """Posterior mean as a single draw."""
        return Draws(
            self.free,
            self.functions,
            *(a.mean(axis=0)[None] for a in (self.values, self.sigma, self.exponent, self.correlation)),
        )


def means(system, layout, responses, values, frame) -> list[np.ndarray]:
    """Means of responses (D, n) for draws of the coefficients (D, k)."""
    compiled = Compiled(system.equations, tuple(responses), system.parameters)
    n = len(frame)
    columns = {c: np.asarray(frame[c], float) for c in compiled.columns}
    theta = [values[:, place].reshape(len(values), -1) for place in layout.rows(frame, n)]
    return [np.broadcast_to(mean, (len(values), n)) for mean in compiled.broadcast(theta, columns)]


def residual_scale(draws, j, mean, frame) -> np.ndarray:
    """Residual SD (D, n) of one equation; of the logarithm for a lognormal one."""
    f, sigma = draws.functions[draws.free[j]], draws.sigma[:, j, None]
    if f.kind in ("lognormal", "constant"):
        return np.broadcast_to(sigma, mean.shape)
    x = mean if f.by == "mean" else np.asarray(frame[f.by], float)
    g = np.log(x) if f.kind == "power" else x
    return sigma * np.exp(draws.exponent[:, j, None] * g)


def log_likelihood(spec, frame, draws) -> np.ndarray:
    """Log-density of each tree's components, shape (D, n), in the units of the responses."""
    n, step = len(frame), max(1, PORTION // len(draws.values))
    out = np.empty((len(draws.values), n))
    for begin in range(0, n, step):
        rows = np.arange(begin, min(n, begin + step))
        out[:, rows] = _portion(spec, frame.iloc[rows], draws, rows)
    return out


def _portion(spec, frame, draws, rows):
    y = spec.y[rows]
    mean = means(spec.system, spec.layout, draws.free, draws.values, frame)
    residual, size = np.zeros((2, *mean[0].shape, y.shape[1]))
    out = np.zeros(mean[0].shape)
    with np.errstate(all="ignore"):
        for j in range(y.shape[1]):
            sd = residual_scale(draws, j, mean[j], frame)
            size[:, :, j] = sd
            if spec.is_lognormal(j):
                residual[:, :, j] = np.log(y[:, j] / mean[j]) + sd**2 / 2
                out -= np.where(np.isfinite(y[:, j]), np.log(y[:, j]), 0.0)
            else:
                residual[:, :, j] = y[:, j] - mean[j]
    for pattern in spec.patterns:
        at, inside, _ = np.intersect1d(rows, pattern.rows, return_indices=True)
        if len(at):
            out[:, inside] += _normal(
                residual[:, inside][:, :, pattern.seen],
                size[:, inside][:, :, pattern.seen],
                draws.correlation[:, pattern.seen][:, :, pattern.seen],
            )
    for part in spec.combined:
        at, inside, own = np.intersect1d(rows, part.rows, return_indices=True)
        if len(at):
            location = np.stack([m[:, inside] for m in mean], axis=2) @ part.combine.T
            half = size[:, inside][:, :, None, :] * part.combine
            covariance = np.einsum("dnqr,drs,dnps->dnqp", half, draws.correlation, half, optimize=True)
            out[:, inside] += _with_covariance(part.values[own] - location, covariance)
    return out


def _normal(residual, size, correlation):
    """Normal density of residuals (D, n, q) with SD ``size`` and one correlation matrix for each draw."""
    root = np.linalg.cholesky(correlation)
    standard = np.einsum("dqr,dnr->dnq", np.linalg.inv(root), residual / size, optimize=True)
    log_root = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    q = residual.shape[2]
    return -0.5 * (standard**2).sum(axis=2) - np.log(size).sum(axis=2) - log_root[:, None] - 0.5 * q * LOG_2PI


def _with_covariance(residual, covariance):
    root = np.linalg.cholesky(covariance)
    standard = np.linalg.solve(root, residual[..., None])[..., 0]
    log_root = np.log(np.diagonal(root, axis1=2, axis2=3)).sum(axis=2)
    return -0.5 * (standard**2).sum(axis=2) - log_root - 0.5 * residual.shape[2] * LOG_2PI


def observe(draws, mean, frame, rng) -> list[np.ndarray]:
    """New observations (D, n) of the free responses, one for each draw and tree, with correlated residuals."""
    root = np.linalg.cholesky(draws.correlation)
    normal = rng.standard_normal((*mean[0].shape, len(draws.free)))
    standard = np.einsum("dqr,dnr->dnq", root, normal, optimize=True)
    out = []
    for j, response in enumerate(draws.free):
        sd = residual_scale(draws, j, mean[j], frame)
        if draws.functions[response].kind == "lognormal":
            out.append(mean[j] * np.exp(sd * standard[:, :, j] - sd**2 / 2))
        else:
            out.append(mean[j] + sd * standard[:, :, j])
    return out
