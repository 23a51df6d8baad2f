"""A convergence certificate: what shows that a fit stands at the maximum of its likelihood.

Optimisers have been seen to return their own starts as converged, so a fit is not believed on its
word. The certificate holds what a further step would still gain (from exact derivatives), the rank
and condition of the information, and the objective that a second optimiser reaches from displaced
starts. A table refuses a fit whose certificate fails.
"""

import numpy as np

from sinklab.errors import ConvergenceError
from sinklab.fit.search import decrement
from sinklab.language import tr

#: Gain in log-likelihood below which no estimate would move by a thousandth of its standard error.
STILL = 1e-6
#: Difference in log-likelihood within which two optimisers agree.
AGREE = 1e-4
#: Displaced starts of the second optimiser, and how many a fit with limits may have that has not converged.
N_DISPLACED, MOST_DISPLACED = 2, 10
DISPLACEMENT = 0.1


# What overflows on the way is judged at the end, by the certificate.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def certified_maximum(engine, starts, seed: int = 0):
    """Maximise from every start and let a second optimiser try from displaced ones.

    Parameters
    ----------
    engine : SystemFit
    starts : list of dict
        Start values by parameter name; the first is the user's when there is one.
    seed : int
        For the displacements.

    Returns
    -------
    state : State
        The highest maximum found.
    certificate : dict
        ``estimator``, ``steps``, ``decrement``, ``rank``, ``n_parameter``, ``condition``, ``n_start``,
        ``loglik_second`` (best of the second optimiser, None where it does not apply), ``agree``,
        ``converged``.

    Raises
    ------
    ConvergenceError
        No start lies where the equations have finite positive values.
    """
    found, failure = [], None
    for start in starts:
        try:
            found.append(engine.maximise(start))
        except ConvergenceError as error:
            failure = error
    if not found:
        raise failure
    state, steps = found[0]
    for other, more in found[1:]:
        state, steps = (other, more) if _better(engine, other, state) else (state, steps)
    if engine.hold_weights:
        # Iterated weights have no objective of their own that another optimiser could reach.
        return state, _certificate(engine, state, steps, None, len(starts))
    ends = []
    for tried, other in enumerate(_displaced(engine, starts[-1], seed), 1):
        if other is not None:
            ends.append(other.loglik)
            state = other if _better(engine, other, state) else state
        if tried >= N_DISPLACED:
            # What climbed above the maximum climbs without end, and is no second opinion on it.
            second = max((end for end in ends if end <= state.loglik + AGREE), default=None)
            certificate = _certificate(engine, state, steps, second, len(starts) + tried)
            # On the way to a limit the search is flat, and may end early from one start and not from another.
            if certificate["converged"] or not engine.limits:
                break
    return state, certificate


def _displaced(engine, start, seed):
    rng = np.random.default_rng(seed)
    theta = engine.searched(start)
    for _ in range(MOST_DISPLACED):
        yield engine.second_opinion(theta * np.exp(rng.normal(0, DISPLACEMENT, len(theta))))


def _slope(engine, state):
    """Score and information by the parameters that no limit holds, and the places of those held."""
    score, information = engine.likelihood.joint_score_and_information(state)
    held = np.flatnonzero(engine.bounds.on_limit(engine.estimates(state)[0]))
    return np.delete(score, held), np.delete(np.delete(information, held, 0), held, 1), held


def _singular_values(information) -> np.ndarray:
    size = np.sqrt(np.clip(np.diag(information), 1e-300, None))
    return np.linalg.svd(information / np.outer(size, size), compute_uv=False)


def _rank(singular) -> int:
    return int((singular > 1e-10 * singular[0]).sum())


def _better(engine, other, state) -> bool:
    """Whether a state beats another.

    Where the spread follows the mean the likelihood can rise without end, onto points met exactly: such a climb never
    stands against a maximum.
    """
    if abs(other.loglik - state.loglik) <= AGREE:
        return False
    if other.loglik > state.loglik:
        return _still(engine, other) or not _still(engine, state)
    return _still(engine, other) and not _still(engine, state)


def _still(engine, state) -> bool:
    """Whether a state is a maximum that the data determine."""
    score, information, _ = _slope(engine, state)
    if not np.isfinite(information).all():
        return False
    return bool(decrement(score, information) < STILL and _rank(_singular_values(information)) == len(score))


def _certificate(engine, state, steps, second, n_start) -> dict:
    score, information, held = _slope(engine, state)
    _refuse_undetermined(engine, state, np.isfinite(information).all(axis=1), held)
    singular = _singular_values(information)
    rank = _rank(singular)
    promised = decrement(score, information)
    certificate = {"bounds": engine.limits} if engine.limits else {}
    return certificate | {
        "estimator": "gls" if engine.hold_weights else "ml",
        "steps": steps,
        "decrement": float(promised),
        "rank": rank,
        "n_parameter": len(score),
        "condition": float(singular[0] / max(singular[-1], 1e-300)),
        "n_start": n_start,
        "loglik_second": None if second is None else second + float(engine.log_jacobian().sum()),
        "agree": second is None or bool(second > state.loglik - AGREE),
        "converged": bool(promised < STILL and rank == len(score)),
    }


def _refuse_undetermined(engine, state, finite, held) -> None:
    if finite.all():
        return
    labels = np.delete(np.array(engine.layout.labels), held)
    values = np.delete(engine.estimates(state)[0], held)
    shown = ", ".join(f"{p} = {v:.6g}" for p, v in zip(labels, values, strict=True))
    raise ConvergenceError(
        tr(
            f"the data do not determine the parameters ({shown}): responses that hardly vary, or that the equation meets "
            "exactly, leave no maximum; use a form with fewer parameters",
            f"数据不能确定参数（{shown}）：因变量几乎不变，或方程与数据完全吻合，似然没有最大值；请改用参数较少的形式",
        )
    )
