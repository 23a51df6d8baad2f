"""How far every level spreads: likelihood with the means integrated out, and draws by importance sampling."""

import numpy as np
from scipy import optimize, stats

#: Candidates per draw that is kept, degrees of freedom and inflation of the proposal.
CANDIDATES, TAIL, WIDEN, ROUNDS = 4, 5, 1.2, 2
#: Logarithms of spreads that are never left: far below any that matters, far above any prior.
ENDS = (-14.0, 4.0)
SMALLEST = 1e-4


def design(column, of) -> np.ndarray:
    """Indicators of the values of a column that were seen; an unseen one takes the mean of all."""
    known = sorted(of.astype(str).unique())
    table = (column.astype(str).to_numpy()[:, None] == np.array(known)[None, :]).astype(float)
    table[table.sum(axis=1) == 0] = 1 / len(known)
    return table


def keys(rows, levels) -> np.ndarray:
    """Key of the last of some nested levels, with those above it; blank where it is not known."""
    cells = [
        rows[level].astype(object).where(rows[level].notna(), "").astype(str).to_numpy() for level in levels
    ]
    joined = ["/".join(parts) for parts in zip(*cells, strict=True)]
    return np.where(cells[-1] == "", "", np.array(joined, dtype=object))


def blocks(rows, levels, crossed) -> list[np.ndarray]:
    """Which pairs of rows share each level and each crossed column; the last, between stands, is the identity."""
    found = []
    nested = [levels[: i + 1] for i in range(len(levels))]
    for path in (*nested, *((column,) for column in crossed)):
        key = keys(rows, path)
        found.append(((key[:, None] == key[None, :]) & (key != "")[:, None]).astype(float))
        # What is not known is something of its own.
        np.fill_diagonal(found[-1], 1.0)
    return [*found, np.eye(len(rows))]


def covariance(tau, blocks, sampling) -> np.ndarray:
    """Covariance (n, n) of the values under standard deviations of the levels."""
    total = sum(t**2 * block for t, block in zip(tau, blocks, strict=True))
    return total + np.diag(sampling + SMALLEST**2)


def solve(factor, right):
    """Solve with a lower triangular factor."""
    from scipy.linalg import solve_triangular

    return solve_triangular(factor, right, lower=True)


def log_density(theta, y, x, blocks, sampling, prior) -> float:
    """Posterior density of the logarithms of the spreads, the means integrated out."""
    tau = np.exp(theta)
    factor = np.linalg.cholesky(covariance(tau, blocks, sampling))
    solved = solve(factor, np.column_stack([y, x]))
    dy, dx = solved[:, 0], solved[:, 1:]
    joint = dx.T @ dx
    beta = np.linalg.solve(joint, dx.T @ dy)
    likelihood = -np.log(np.diag(factor)).sum() - 0.5 * np.linalg.slogdet(joint)[1]
    likelihood -= 0.5 * ((dy - dx @ beta) ** 2).sum()
    return float(likelihood - 0.5 * ((tau / prior) ** 2).sum() + theta.sum())


def importance(density, k, prior, n, seed) -> tuple[np.ndarray, float]:
    """Draws of a density (n, k), and how many they are worth.

    The proposal starts as a Student's t about the mode and is moved to the mean and covariance of its own
    weighted draws, which follow a ridge (two spreads that only their sum is known of) better than a mode.
    """
    best = optimize.minimize(
        lambda t: -density(t), np.full(k, np.log(prior / 3)), method="L-BFGS-B", bounds=[(-8, 3)] * k
    )
    rng = np.random.default_rng(seed)
    centre, about = best.x, _spread_about(density, best.x)
    for _ in range(ROUNDS):
        theta, weight = _weighted(density, centre, about, CANDIDATES * n // 2, rng)
        centre = weight @ theta
        about = WIDEN * ((theta - centre) * weight[:, None]).T @ (theta - centre) + 1e-4 * np.eye(k)
    theta, weight = _weighted(density, centre, about, CANDIDATES * n, rng)
    # Systematic resampling: the draws are spread as evenly as the weights allow.
    picked = np.searchsorted(np.cumsum(weight), (np.arange(n) + rng.random()) / n)
    return theta[np.minimum(picked, len(theta) - 1)], float(1 / (weight**2).sum())


def _weighted(density, centre, about, m, rng) -> tuple[np.ndarray, np.ndarray]:
    """Draws from a Student's t (m, k) with weights that turn them into draws of the density."""
    half = np.linalg.cholesky(about)
    tails = np.sqrt(TAIL / rng.chisquare(TAIL, m))
    theta = centre + (rng.standard_normal((m, len(centre))) * tails[:, None]) @ half.T
    theta = np.clip(theta, *ENDS)
    weight = np.array([density(t) for t in theta]) - stats.multivariate_t.logpdf(
        theta, centre, about, df=TAIL
    )
    weight = np.exp(weight - weight.max())
    return theta, weight / weight.sum()


def _spread_about(density, mode) -> np.ndarray:
    """Covariance of the normal that has the curvature of the density at its mode, widened."""
    k, step = len(mode), 0.05
    unit = step * np.eye(k)
    hessian = np.empty((k, k))
    for i in range(k):
        for j in range(i, k):
            corners = [density(mode + a * unit[i] + b * unit[j]) for a in (1, -1) for b in (1, -1)]
            hessian[i, j] = hessian[j, i] = (corners[0] - corners[1] - corners[2] + corners[3]) / (
                4 * step**2
            )
    values, vectors = np.linalg.eigh(-hessian)
    # A flat direction is bounded by the prior: the logarithm of a half-normal has an SD of about one.
    return (vectors * (WIDEN**2 / np.maximum(values, 1.0))) @ vectors.T
