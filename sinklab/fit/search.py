r"""The way to the maximum: damped scoring from afar, quasi-Newton steps near it.

Scoring steps use the expected information (Levenberg and Marquardt's damping keeps them uphill), so
they come close from poor starts in a few steps. Where residuals are far from normal the expected
information differs from the curvature and scoring slows down; the last stretch is therefore walked by
BFGS with exact gradients, over coefficients, exponents and residual covariance together, in
coordinates in which the expected information is the identity.
"""

import numpy as np
from scipy.optimize import minimize

MAX_SCORING = 40
MAX_ROUNDS = 6
#: Gain in log-likelihood that a further step promises, below which a point counts as the maximum.
TOLERANCE = 1e-11


def decrement(score, information) -> float:
    """Gain in log-likelihood that a full scoring step promises; infinite where it cannot be said."""
    size = np.sqrt(np.clip(np.diag(information), 1e-300, None))
    with np.errstate(all="ignore"):
        scaled, slope = information / np.outer(size, size), score / size
    if not (np.isfinite(scaled).all() and np.isfinite(slope).all()):
        return np.inf
    step = np.linalg.lstsq(scaled, slope, rcond=1e-14)[0]
    return float(0.5 * step @ slope)


def climb(likelihood, state, until: float = TOLERANCE):
    """Damped scoring on the profile likelihood from a state; returns the last state and the steps.

    The climb ends when a further step promises less than ``until``, in log-likelihood.
    """
    damping, steps = 1e-3, 0
    for steps in range(1, MAX_SCORING + 1):  # noqa: B007 - the number of steps is reported
        score, information = likelihood.score_and_information(state)
        if decrement(score, information) < until:
            break
        better, damping = _step(likelihood, state, score, information, damping)
        if better is None:
            break
        state = better
    return state, steps


def _step(likelihood, state, score, information, damping):
    size = np.diag(information).copy()
    size[size <= 0] = 1.0
    root = np.sqrt(size)
    scaled = information / np.outer(root, root)
    while damping < 1e12:
        try:
            move = np.linalg.solve(scaled + damping * np.eye(len(root)), score / root) / root
        except np.linalg.LinAlgError:
            move = np.full_like(score, np.nan)
        trial = likelihood.state(state.theta + move) if np.isfinite(move).all() else None
        if trial is not None and trial.loglik > state.loglik:
            return trial, max(damping / 10, 1e-15)
        damping *= 8
    return None, damping


def finish(likelihood, state, until: float = TOLERANCE):
    """BFGS over all parameters from a state near the maximum; returns the last state and the steps."""
    steps = 0
    for _ in range(MAX_ROUNDS):
        score, information = likelihood.joint_score_and_information(state)
        promised = decrement(score, information)
        if promised < until or not np.isfinite(promised):
            break
        size = np.sqrt(np.clip(np.diag(information), 1e-300, None))
        roots, vectors = np.linalg.eigh(information / np.outer(size, size))
        unwhiten = (vectors / np.sqrt(np.clip(roots, 1e-10 * roots[-1], None))) / size[:, None]
        better, evaluations = _walk(likelihood, state, unwhiten)
        steps += evaluations
        if not better.loglik > state.loglik:
            break
        state = better
    return state, steps


def _walk(likelihood, origin, unwhiten):
    best = origin

    def objective(x):
        nonlocal best
        state = likelihood.displaced(origin, unwhiten @ x)
        if state is None:
            return np.inf, np.zeros_like(x)
        if state.loglik > best.loglik:
            best = state
        return origin.loglik - state.loglik, -(
            unwhiten.T @ likelihood.joint_score(origin, state, unwhiten @ x)
        )

    found = minimize(
        objective,
        np.zeros(unwhiten.shape[1]),
        jac=True,
        method="BFGS",
        options={"gtol": 1e-6, "maxiter": 200},
    )
    return best, found.nfev
