"""Lindstrom and Bates' alternation; see :mod:`sinklab.fit.mixed`."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from sinklab.errors import ConvergenceError
from sinklab.fit.certificate import certified_maximum
from sinklab.fit.mixed.linear import Solution, Triangle, solve
from sinklab.fit.mixed.model import MixedModel
from sinklab.fit.mixed.result import from_mixed
from sinklab.fit.start import start_values
from sinklab.fit.system import SystemFit
from sinklab.language import tr

MAX_ALTERNATIONS = 60
MAX_STEPS = 60
#: Change of the log-likelihood, and relative change of the parameters, at which the alternation ends.
SETTLED_LOGLIK, SETTLED = 1e-5, 1e-6
#: First guess of the spread between groups, relative to the parameter.
FIRST_SPREAD = 0.1
#: A spread that has vanished starts the next search from this part of the parameter.
NO_SPREAD = 1e-4


@dataclass(frozen=True)
class MixedState:
    """Where the alternation stands: parameters, effects, covariances, exponents, the linear model."""

    beta: np.ndarray
    effects: np.ndarray
    psi: np.ndarray
    sigma: np.ndarray
    exponents: np.ndarray
    solution: Solution


def fit_mixed(prepared, functions, start=None, level=0.95, seed=0):
    """Fit a mixed system.

    Parameters
    ----------
    prepared : Prepared
        Its system has parameters written ``a[group]``.
    functions : dict
        A variance function for each free response.
    start : mapping, optional
        Start values by parameter name.
    level, seed
        See :func:`sinklab.fit.fit`.

    Returns
    -------
    result : FitResult

    Raises
    ------
    EquationError, DataError, ConvergenceError
    """
    model = MixedModel(prepared, functions)
    if any(f.kind == "lognormal" for f in functions.values()):
        from sinklab.fit.mixed.log_linear import fit_log_linear

        return fit_log_linear(model, prepared, level, seed)
    near = SystemFit(model.system, prepared.frame, functions, True)
    near.refuse_singular()
    starts = [start_values(model.system, prepared.frame, start or None, seed)]
    state, _ = certified_maximum(near, starts, seed)
    beta, exponents = near.estimates(state)
    first = first_state(model, beta, state.sigma, exponents)
    displaced = first_state(model, beta, state.sigma * 0.5, exponents, 3 * FIRST_SPREAD)
    reached = [end for end in (_reached(model, begin) for begin in (first, displaced)) if end is not None]
    if not reached:
        raise ConvergenceError(
            tr(
                "the data do not determine the parameters of the mixed model: its information is lost to rounding; let "
                "fewer parameters vary between groups, or use a form with fewer parameters",
                "数据不能确定混合模型的参数（信息矩阵奇异）；请减少组间变动的参数，或改用参数较少的形式",
            )
        )
    found, steps, settled = reached[0]
    second = reached[1][0] if len(reached) > 1 else None
    if second is not None and second.solution.loglik > found.solution.loglik + 1e-4:
        found = second
    return from_mixed(prepared, model, found, _certificate(model, found, second, steps, settled), level, seed)


def _reached(model, begin):
    """End of the alternation from a start; None where the linear models become singular."""
    try:
        return alternate(model, begin)
    except np.linalg.LinAlgError:
        return None


def first_state(model, beta, sigma, exponents, spread=FIRST_SPREAD) -> MixedState:
    """State before the first alternation: the typical tree, some spread between groups."""
    psi = np.diag((spread * np.maximum(np.abs(beta[model.places]), 1e-3)) ** 2)
    effects = np.zeros((model.n_group, len(model.places)))
    if not model.defined(model.evaluate(beta, effects)[0]):
        raise ConvergenceError(
            tr("the equations give no finite positive values at the start", "方程在初值处得不到有限正值")
        )
    return MixedState(beta, effects, psi, sigma, exponents, None)


def alternate(model, state):
    """Alternate until parameters and likelihood stay; returns the state, the steps, and whether they do."""
    before = -np.inf
    for step in range(1, MAX_ALTERNATIONS + 1):
        moved = penalised(model, state)
        renewed = renew_covariances(model, moved)
        change = np.abs(renewed.beta / np.where(state.beta == 0, 1, state.beta) - 1).max()
        gain = abs(renewed.solution.loglik - before)
        state, before = renewed, renewed.solution.loglik
        if gain < SETTLED_LOGLIK and change < SETTLED:
            return state, step, True
    return state, MAX_ALTERNATIONS, False


def penalised(model, state) -> MixedState:
    """Parameters and effects by penalised least squares, covariances and weights held."""
    mean, _ = model.evaluate(state.beta, state.effects)
    model.scale.hold(mean)
    log_g = model.scale.log_g(state.exponents, mean)
    inverse = np.linalg.pinv(state.psi, hermitian=True)
    beta, effects = state.beta, state.effects
    best = _objective(model, beta, effects, log_g, state.sigma, inverse)
    for _ in range(MAX_STEPS):
        target = _linear(model, beta, effects, log_g, state.sigma, state.psi)
        move, shift, size = target.beta - beta, target.effects - effects, 1.0
        while size > 1e-8:
            trial = _objective(model, beta + size * move, effects + size * shift, log_g, state.sigma, inverse)
            if trial <= best:
                break
            size /= 2
        else:
            break
        beta, effects = beta + size * move, effects + size * shift
        if best - trial < 1e-10 * (1 + abs(best)):
            break
        best = trial
    return MixedState(beta, effects, state.psi, state.sigma, state.exponents, None)


def _objective(model, beta, effects, log_g, sigma, inverse) -> float:
    mean, slope = model.evaluate(beta, effects)
    if not model.defined(mean):
        return np.inf
    rows = model.rows(np.where(model.observed, model.y - mean, 0.0), slope, log_g, sigma)
    return float(rows.w @ rows.w + np.einsum("gq,qr,gr->", effects, inverse, effects))


def _pseudo(model, beta, effects):
    """Residuals plus what the linear model explains, and its slopes."""
    mean, slope = model.evaluate(beta, effects)
    known = slope @ beta + np.einsum("nmq,nq->nm", slope[:, :, model.places], effects[model.code])
    return np.where(model.observed, model.y - mean + known, 0.0), slope


def _linear(model, beta, effects, log_g, sigma, psi) -> Solution:
    return solve(model.rows(*_pseudo(model, beta, effects), log_g, sigma), psi)


def renew_covariances(model, state) -> MixedState:
    """Most likely covariances and exponents of the linear mixed model at a state."""
    mean, _ = model.evaluate(state.beta, state.effects)
    model.scale.hold(mean)
    pseudo, slope = _pseudo(model, state.beta, state.effects)
    unit = np.maximum(np.abs(state.beta[model.places]), 1e-12)
    between, within = Triangle(len(unit)), Triangle(len(model.free))
    free = model.scale.free
    typical = np.sqrt(np.diag(state.sigma))

    def covariances(vector):
        psi = between.matrix(vector[: len(between)]) * np.outer(unit, unit)
        sigma = within.matrix(vector[len(between) : len(between) + len(within)]) * np.outer(typical, typical)
        exponents = state.exponents.copy()
        exponents[free] = vector[len(between) + len(within) :]
        return psi, sigma, exponents

    log_base = model.scale.derivatives(state.exponents, mean, slope)[1]

    def solution(vector):
        psi, sigma, exponents = covariances(vector)
        rows = model.rows(pseudo, slope, model.scale.log_g(exponents, mean), sigma)
        return rows, solve(rows, psi), sigma

    def objective(vector):
        try:
            rows, found, sigma = solution(vector)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros_like(vector)
        by_sigma, by_exponent = model.gradient(rows, found, log_base, sigma)
        gradient = np.concatenate(
            [
                between.slope(vector[: len(between)], found.by_psi * np.outer(unit, unit)),
                within.slope(
                    vector[len(between) : len(between) + len(within)], by_sigma * np.outer(typical, typical)
                ),
                by_exponent[free],
            ]
        )
        if not (np.isfinite(found.loglik) and np.isfinite(gradient).all()):
            return np.inf, np.zeros_like(vector)
        return -found.loglik, -gradient

    # A spread that has vanished starts the next search from where it can still grow.
    psi = state.psi / np.outer(unit, unit) + np.eye(len(unit)) * NO_SPREAD**2
    start = np.concatenate(
        [
            between.vector(psi),
            within.vector(state.sigma / np.outer(typical, typical)),
            state.exponents[free],
        ]
    )
    found = minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 500})
    psi, sigma, exponents = covariances(found.x)
    return MixedState(state.beta, state.effects, psi, sigma, exponents, solution(found.x)[1])


def _certificate(model, found, second, steps, settled) -> dict:
    size = np.sqrt(np.diag(found.solution.information))
    singular = np.linalg.svd(found.solution.information / np.outer(size, size), compute_uv=False)
    rank = int((singular > 1e-10 * singular[0]).sum())
    k = len(found.beta)
    other = None if second is None else second.solution.loglik
    return {
        "estimator": "ml",
        "approximation": "Lindstrom-Bates",
        "steps": steps,
        "rank": rank,
        "n_parameter": k,
        "condition": float(singular[0] / max(singular[-1], 1e-300)),
        "n_start": 2,
        "loglik_second": other,
        "agree": other is not None and bool(abs(other - found.solution.loglik) < 1e-3),
        "converged": bool(settled and rank == k),
    }
