r"""A normal approximation of the posterior, from which the sampler takes its start and its scale.

Common coefficients :math:`\beta`, group values :math:`\theta_s` about their mean :math:`\mu`, and the variances
are improved in turn (:mod:`.rounds`). Groups know each other only through :math:`\beta` and :math:`\mu`, so the
joint precision is a block arrow: :math:`\beta = \hat\beta + L z` and the means alike are sampled through
independent standard normal :math:`z`, and what a group's own trees say of :math:`\theta_s`, its information and the
slope of its likelihood, gives :mod:`.groups` the coordinates of each. The sampler sees neither the units nor the
correlation of the coefficients; nothing here enters the model itself.

Source
------
Lindstrom M.J., Bates D.M. (1990) Nonlinear mixed effects models for repeated measures data.
Biometrics 46:673-687.
"""

from dataclasses import dataclass

import numpy as np

from sinklab.errors import ConvergenceError
from sinklab.fit.bayes.rounds import Rounds
from sinklab.language import tr

MAX_ROUNDS = 60
#: Relative change of the objective at which the rounds end; a scale need not be known better.
SETTLED = 1e-5


@dataclass
class Group:
    """Approximation for one block: S levels, K coefficients, k common coefficients.

    ``mean`` (K,) over the groups with its spread ``mean_root`` (K, K) and its dependence ``mean_slope`` (K, k) on
    the common coefficients; ``between`` (K, K), the covariance over the groups; of each group's own data the
    ``information`` (S, K, K), the slope ``pull`` (S, K) of their log-likelihood at the mean, and ``cross``
    (S, K, k), by which that slope falls with the common coefficients.
    """

    mean: np.ndarray
    mean_root: np.ndarray
    mean_slope: np.ndarray
    between: np.ndarray
    information: np.ndarray
    pull: np.ndarray
    cross: np.ndarray


@dataclass
class Approximation:
    """Estimates on the sampled scale, where positive coefficients are logarithms, and their spread.

    ``beta`` (k,) and ``beta_root`` (k, k); ``sigma``, ``exponent`` (m,) of the variance functions whose
    variable was centred at ``centre``; ``correlation`` (m, m) of the residuals; ``mean`` (n, m).
    """

    beta: np.ndarray
    beta_root: np.ndarray
    groups: list[Group]
    sigma: np.ndarray
    exponent: np.ndarray
    centre: np.ndarray
    base_sd: np.ndarray
    correlation: np.ndarray
    mean: np.ndarray


def approximate(spec, start, means, scales) -> Approximation:
    """Improve from start values until the objective is settled.

    Parameters
    ----------
    spec : Spec
    start : dict
        Value of each parameter by name, on the sampled scale.
    means, scales : array
        Nearest normals of the priors of the common coefficients, then of the means of the groups.

    Raises
    ------
    ConvergenceError
        The equations are not defined at the start.
    """
    rounds = Rounds(spec, start, means, scales)
    if not np.isfinite(rounds.objective(rounds.fixed, rounds.eta)):
        shown = ", ".join(f"{n} = {np.exp(v) if n in spec.positive else v:.6g}" for n, v in start.items())
        raise ConvergenceError(
            tr(
                f"the equations give no finite positive values at the start {shown}; use another form",
                f"方程在初值 {shown} 处得不到有限正值；请改用其他形式",
            )
        )
    for _ in range(MAX_ROUNDS):
        sigma = rounds.sigma
        gain = rounds.improve()
        if gain < SETTLED and np.allclose(rounds.sigma, sigma, rtol=1e-3):
            break
    return _summary(rounds)


def _summary(rounds) -> Approximation:
    spec, k = rounds.spec, len(rounds.spec.common)
    matrix, _, parts = rounds.equations()
    for _, cross, spread, _ in parts:
        matrix = matrix - np.einsum("skq,skl,slr->qr", cross, spread, cross, optimize=True)
    covariance = _inverse(matrix)
    groups, at = [], k
    for block, (own, cross, _, rest), eta, between in zip(
        spec.blocks, parts, rounds.eta, rounds.between, strict=True
    ):
        here = slice(at, at + len(block.parameters))
        at = here.stop
        slope = -np.linalg.solve(covariance[:k, :k], covariance[:k, here]).T
        groups.append(
            Group(
                mean=rounds.fixed[here],
                mean_root=_root(covariance[here, here] + slope @ covariance[:k, here]),
                mean_slope=slope,
                between=between,
                information=own,
                # ``rest`` is the slope with the distribution over the groups, at the groups' own values.
                pull=rest + eta @ np.linalg.inv(between) + np.einsum("skl,sl->sk", own, eta),
                cross=cross[:, :, :k],
            )
        )
    mean, _ = rounds.evaluate(rounds.fixed, rounds.eta)
    residual, _, base = rounds.residuals(mean)
    seen = rounds.seen
    counts = seen.sum(axis=0)
    centre = np.where(seen, base, 0.0).sum(axis=0) / counts
    spread = np.sqrt((np.where(seen, base - centre, 0.0) ** 2).sum(axis=0) / counts)
    held = np.array([not spec.functions[r].estimated for r in spec.free])
    centre[held] = 0.0
    return Approximation(
        beta=rounds.fixed[:k],
        beta_root=_root(covariance[:k, :k]),
        groups=groups,
        sigma=rounds.sigma * np.exp(rounds.exponent * centre),
        exponent=rounds.exponent,
        centre=centre,
        base_sd=np.where(spread > 0, spread, 1.0),
        correlation=_correlation(residual / rounds.sigma, seen),
        mean=mean,
    )


def _inverse(matrix) -> np.ndarray:
    """Inverse of a scaled, symmetric matrix; directions that nothing determines get a wide spread."""
    size = np.sqrt(np.diag(matrix))
    roots, vectors = np.linalg.eigh(matrix / np.outer(size, size))
    inverse = (vectors / np.maximum(roots, 1e-10)) @ vectors.T
    return inverse / np.outer(size, size)


def _root(covariance) -> np.ndarray:
    """Lower triangular root, of a matrix that is positive definite but for rounding."""
    size = np.sqrt(np.diag(covariance))
    scaled = covariance / np.outer(size, size) + 1e-10 * np.eye(len(size))
    return size[:, None] * np.linalg.cholesky(scaled)


def _correlation(residual, seen) -> np.ndarray:
    """Correlation of the residuals over the pairs seen together, drawn in to be safely positive definite."""
    m = residual.shape[1]
    found = np.eye(m)
    for i in range(m):
        for j in range(i):
            both = seen[:, i] & seen[:, j]
            if both.sum() > 3:
                found[i, j] = found[j, i] = np.clip(
                    np.corrcoef(residual[both, i], residual[both, j])[0, 1], -0.95, 0.95
                )
    roots, vectors = np.linalg.eigh(found)
    found = (vectors * np.maximum(roots, 0.02)) @ vectors.T
    size = np.sqrt(np.diag(found))
    return found / np.outer(size, size)
