r"""The way to the maximum of a likelihood, and the certificate that it was reached.

*The way.* Scoring steps use the expected information (Levenberg and Marquardt's damping keeps them uphill), so
they come close from poor starts in a few steps. Where residuals are far from normal the expected
information differs from the curvature and scoring slows down; the last stretch is therefore walked by
BFGS with exact gradients, over coefficients, exponents and residual covariance together, in
coordinates in which the expected information is the identity.

*Limits* of parameters are kept by searching on a scale that has none: a parameter between two limits is
:math:`l + (h - l) / (1 + e^{-x})`, one above a limit :math:`l + e^{x}`, one below :math:`h - e^{x}`; the search
runs over :math:`x`. A parameter that ends at a limit is named in the warnings, because its standard error then
says nothing.

*The certificate.* Optimisers have been seen to return their own starts as converged, so a fit is not believed on
its word. The certificate holds what a further step would still gain (from exact derivatives), the rank
and condition of the information, and the objective that a second optimiser reaches from displaced
starts. A table refuses a fit whose certificate fails.
"""

import numpy as np
from scipy.optimize import minimize

from sinklab.fitting.likelihood import inverse
from sinklab.language import ConvergenceError, DataError, listing, tr
from sinklab.results.fit_result import Certificate

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


# Limits of parameters.
#: Distance from a limit, relative to the value or the span, at which a parameter lies on it.
ON_LIMIT = 1e-5
#: Starts outside the limits, or on them, are moved inside by this part of the span or of the size.
INSIDE = 0.01


class Bounds:
    """Limits by parameter name, spread over the values of a layout.

    Parameters
    ----------
    limits : mapping of str to (float or None, float or None)
    layout : Layout

    Raises
    ------
    DataError
        Names that the equations do not have, and limits in the wrong order; all at once.
    """

    def __init__(self, limits, layout):
        _check(limits, layout)
        pairs = [limits.get(name, (None, None)) for name in layout.names]
        self.low = np.array([-np.inf if low is None else low for low, _ in pairs], float)
        self.high = np.array([np.inf if high is None else high for _, high in pairs], float)
        #: Parameters that a search leaves where they are.
        self.held = np.zeros(len(pairs), bool)
        self._both = np.isfinite(self.low) & np.isfinite(self.high)
        self._above = np.isfinite(self.low) & ~self._both
        self._below = np.isfinite(self.high) & ~self._both

    def natural(self, x) -> np.ndarray:
        """Parameters (k,) from the scale of the search."""
        out = np.array(x, float)
        with np.errstate(over="ignore"):
            span = self.high[self._both] - self.low[self._both]
            out[self._both] = self.low[self._both] + span / (1 + np.exp(-out[self._both]))
            out[self._above] = self.low[self._above] + np.exp(out[self._above])
            out[self._below] = self.high[self._below] - np.exp(out[self._below])
        return out

    def slope(self, x) -> np.ndarray:
        """Derivative of the parameters by the scale of the search, (k,)."""
        out, value = np.ones(len(x)), self.natural(x)
        both = self._both
        span = self.high[both] - self.low[both]
        out[both] = (value[both] - self.low[both]) * (self.high[both] - value[both]) / span
        out[self._above] = value[self._above] - self.low[self._above]
        out[self._below] = value[self._below] - self.high[self._below]
        return np.where(self.held, 0.0, out)

    def searched(self, values) -> np.ndarray:
        """Scale of the search from parameters (k,), which are moved inside their limits."""
        gap = INSIDE * self._size(values)
        inside = np.minimum(np.maximum(values, self.low + gap), self.high - gap)
        x = inside.copy()
        both = self._both
        part = (inside[both] - self.low[both]) / (self.high[both] - self.low[both])
        x[both] = np.log(part / (1 - part))
        x[self._above] = np.log(inside[self._above] - self.low[self._above])
        x[self._below] = np.log(self.high[self._below] - inside[self._below])
        return x

    def placed(self, place: int, value: float) -> float:
        """One parameter on the scale of the search."""
        values = np.zeros(len(self.low))
        values[place] = value
        return float(self.searched(values)[place])

    def searching(self, evaluate):
        """Means and Jacobian (n, m, k) by the scale of the search, from those by the parameters."""

        def evaluated(x):
            mean, jacobian = evaluate(self.natural(x))
            return mean, jacobian * self.slope(x)

        return evaluated

    def on_limit(self, values) -> np.ndarray:
        """Mask of the parameters that lie on a limit."""
        near = np.minimum(values - self.low, self.high - values)
        return near < ON_LIMIT * self._size(values)

    def _size(self, values) -> np.ndarray:
        """Span between two limits, else the size of the value."""
        span = np.where(self._both, self.high - self.low, 0.0)
        return np.where(self._both, span, np.maximum(np.abs(values), 1e-3))


def _check(limits, layout) -> None:
    problems = []
    for name, (low, high) in limits.items():
        if name not in layout.names:
            known = ", ".join(dict.fromkeys(layout.names))
            problems.append(
                tr(
                    f"{name} is no parameter; the equations have {known}",
                    f"{name} 不是参数；方程参数为 {known}",
                )
            )
        elif low is not None and high is not None and not low < high:
            problems.append(
                tr(
                    f"{name}: {low:g} to {high:g}; expected the lower limit first",
                    f"{name}：{low:g} 至 {high:g}；下限应小于上限",
                )
            )
    if problems:
        raise DataError(f"bounds: {listing(problems)}", f"参数界限：{listing(problems)}")


# The certificate.
#: Gain in log-likelihood below which no estimate would move by a thousandth of its standard error.
SETTLED = 1e-6
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
    certificate : Certificate
        ``loglik_second`` is the best of the second optimiser, None where it does not apply.

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
    found += [(state, 0) for state in over_knots(engine, found)]
    state, steps = found[0]
    for other, more in found[1:]:
        state, steps = (other, more) if _better(engine, other, state) else (state, steps)
    engine.adopt(state)
    if engine.gamma.any():
        # Iterated weights have no objective; searches from elsewhere are to end where this one did.
        others = [engine.settled(theta) for theta in _moved(engine, state, starts[-1], seed)]
        others = [other for other in others if other is not None]
        ends = [engine.height(other) for other in others]
        state = (
            max([state, *others], key=engine.height)
            if max(ends, default=-np.inf) > engine.height(state) + AGREE
            else state
        )
        engine.adopt(state)
        return state, _certificate(engine, state, steps, max(ends, default=None), len(starts) + N_DISPLACED)
    if engine.hold_weights:
        # Iterated weights have no objective of their own that another optimiser could reach.
        return state, _certificate(engine, state, steps, None, len(starts))
    ends, tried = [], 0
    for tried, other in enumerate(_displaced(engine, state, starts[-1], seed), 1):
        if other is not None:
            ends.append(other.loglik)
            state = other if _better(engine, other, state) else state
        if tried >= N_DISPLACED:
            # What climbed above the maximum climbs without end, and is no second opinion on it.
            second = max((end for end in ends if end <= state.loglik + AGREE), default=None)
            certificate = _certificate(engine, state, steps, second, len(starts) + tried)
            # On the way to a limit the search is flat, and may end early from one start and not from another.
            if certificate.converged or (tried >= 2 * N_DISPLACED and not engine.limits):
                break
    return state, certificate


def _moved(engine, state, start, seed) -> list[np.ndarray]:
    """Vectors near the start and near a state, to search from again."""
    rng, width = np.random.default_rng(seed), len(state.theta)
    both = (engine.searched(start), state.theta)
    return [theta * np.exp(rng.normal(0, DISPLACEMENT, width)) for theta in both]


def _displaced(engine, state, start, seed):
    """Ends of the second optimiser near the start, then near the maximum that was found, a knot staying where it is."""
    rng = np.random.default_rng(seed)
    theta = engine.searched(start)
    for tried in range(MOST_DISPLACED):
        factor = np.exp(rng.normal(0, DISPLACEMENT, len(theta)))
        if N_DISPLACED <= tried < 2 * N_DISPLACED:
            factor[list(engine.knots)] = 1.0
            engine.bounds.held |= on_kink(engine, state)
            try:
                yield engine.second_opinion(state.theta * factor)
            finally:
                engine.bounds.held[:] = False
        else:
            yield engine.second_opinion(theta * factor)


def _better(engine, other, state) -> bool:
    """Whether a state beats another.

    Where the spread follows the mean the likelihood can rise without end, onto points met exactly: such a climb never
    stands against a maximum.
    """
    gain = engine.height(other) - engine.height(state)
    if abs(gain) <= AGREE:
        return False
    if gain > 0:
        return _still(engine, other) or not _still(engine, state)
    return _still(engine, other) and not _still(engine, state)


def _still(engine, state) -> bool:
    """Whether a state is a maximum that the data determine."""
    score, information, _ = _slope(engine, state)
    if not np.isfinite(information).all():
        return False
    return bool(
        decrement(score, information) < SETTLED and rank_of(singular_values(information)) == len(score)
    )


# Knots: parameters at which an equation changes its form. As a function of a knot the likelihood has a kink at every
# tree, and a maximum between most of them.
#: Places of a knot that are tried before those next to the best ones, and trees left on either side of it.
N_KNOT, BESIDE = 50, 3
#: Peaks of the profile from which the search goes on with the knot free.
N_PEAK = 4


def over_knots(engine, found) -> list:
    """States at the peaks of the profile likelihood over each knot, the knot held there and let free.

    Parameters
    ----------
    engine : SystemFit
    found : list of (State, int)
        Ends of the search so far, to begin from.
    """
    states = []
    for place, values in engine.knots.items():
        trees = values[BESIDE - 1 : len(values) - BESIDE + 1]
        if not len(trees):
            continue
        inner = np.unique([*trees, *(trees[1:] + trees[:-1]) / 2])
        tried = inner[np.unique(np.linspace(0, len(inner) - 1, N_KNOT).astype(int))]
        # An end with the knot outside the trees may leave the other side without a meaning: then from the next.
        profile: dict = {}
        for begin in sorted((state for state, _ in found), key=lambda state: -state.loglik):
            if 2 * len(profile) < len(tried):
                profile = _held(engine, begin, place, tried) | profile
        for _ in range(2 if profile else 0):
            peaks = _peaks(profile)
            free = [(value, engine.settled(profile[value].theta)) for value in peaks]
            states += [profile[value] for value in peaks] + [state for _, state in free if state is not None]
            # Trees that were passed over, next to a peak and to where a search with the knot free has stuck.
            near = [*peaks, *(engine.estimates(state)[0][place] for _, state in free if state is not None)]
            beside = {float(v) for x in near for v in inner[np.argsort(np.abs(inner - x))[:3]]} - set(profile)
            if not beside:
                break
            profile |= _held(engine, profile[peaks[0]], place, np.array(sorted(beside)))
    return states


def _held(engine, begin, place, values) -> dict:
    """Highest states with a knot held at each of some values, from the middle outwards."""
    found = {}
    engine.bounds.held[place] = True
    try:
        middle = int(np.argmin(np.abs(values - engine.estimates(begin)[0][place])))
        for side in (values[middle:], values[:middle][::-1]):
            state = begin
            for value in side:
                theta = state.theta.copy()
                theta[place] = engine.bounds.placed(place, value)
                moved = engine.settled(theta)
                if moved is not None:
                    found[float(value)] = state = moved
    finally:
        engine.bounds.held[place] = False
    return found


def _peaks(profile) -> list[float]:
    """Values of a knot at which the profile is higher than beside them, the highest first."""
    values = sorted(profile)
    height = np.array([-np.inf, *(profile[v].loglik for v in values), -np.inf])
    peak = (height[1:-1] >= height[:-2]) & (height[1:-1] >= height[2:])
    return sorted(
        (v for v, is_peak in zip(values, peak, strict=True) if is_peak), key=lambda v: -profile[v].loglik
    )[:N_PEAK]


#: Relative step on either side of a knot, and distance from a tree within which it lies on it.
BESIDE_KNOT, ON_TREE = 1e-6, 1e-9


def on_kink(engine, state) -> np.ndarray:
    """Mask of the knots that lie on a tree, the likelihood falling to both sides."""
    mask, values = np.zeros(len(engine.layout.names), bool), engine.estimates(state)[0]
    for place, trees in engine.knots.items():
        if np.abs(trees - values[place]).min() > ON_TREE * abs(values[place]):
            continue
        beside = []
        for sign in (-1, 1):
            theta = state.theta.copy()
            theta[place] = engine.bounds.placed(place, values[place] * (1 + sign * BESIDE_KNOT))
            beside.append(engine.likelihood.state(theta, state.sigma))
        mask[place] = all(other is None or other.loglik < state.loglik for other in beside)
    return mask


def _slope(engine, state):
    """Score and information by the parameters that no limit or kink holds, and the places of those held."""
    engine.adopt(state)
    score, information = engine.likelihood.joint_score_and_information(state)
    held = np.flatnonzero(engine.bounds.on_limit(engine.estimates(state)[0]) | on_kink(engine, state))
    return np.delete(score, held), np.delete(np.delete(information, held, 0), held, 1), held


def singular_values(information) -> np.ndarray:
    """Singular values of an information after scaling to a unit diagonal."""
    size = np.sqrt(np.clip(np.diag(information), 1e-300, None))
    return np.linalg.svd(information / np.outer(size, size), compute_uv=False)


def rank_of(singular) -> int:
    """Number of parameters that the data determine."""
    return int((singular > 1e-10 * singular[0]).sum())


def _certificate(engine, state, steps, second, n_start) -> Certificate:
    score, information, held = _slope(engine, state)
    _refuse_undetermined(engine, state, np.isfinite(information).all(axis=1), held)
    singular = singular_values(information)
    rank = rank_of(singular)
    promised = decrement(score, information)
    rank -= _without_size(engine, state, information, held)
    agree = second is None or bool(second > engine.height(state) - AGREE)
    # The height of gamma residuals is that of the responses themselves.
    more = 0.0 if engine.gamma.any() else float(engine.log_jacobian().sum())
    return Certificate(
        converged=bool(promised < SETTLED and rank == len(score) and agree),
        estimator="gls" if engine.hold_weights else "ml",
        steps=steps,
        decrement=float(promised),
        rank=rank,
        n_parameter=len(score),
        condition=float(singular[0] / max(singular[-1], 1e-300)),
        n_start=n_start,
        loglik_second=None if second is None else second + more,
        agree=agree,
        bounds=engine.limits or None,
    )


#: Estimates over standard errors below which a factor of an equation has no order of magnitude.
NO_SIZE = 0.1


def _without_size(engine, state, information, held) -> int:
    """Number of factors of equations of which the data do not tell the order of magnitude."""
    spread = np.sqrt(np.clip(np.diag(inverse(information)), 0, None))
    values, slope = engine.estimates(state)[0], engine.bounds.slope(engine.likelihood.split(state.theta)[0])
    factors = [
        i for i, name in enumerate(engine.layout.names) if name in engine.system.factors and i not in held
    ]
    places = {int(i): at for at, i in enumerate(np.delete(np.arange(len(values)), held))}
    return sum(bool(abs(values[i]) < NO_SIZE * spread[places[i]] * abs(slope[i])) for i in factors)


def _refuse_undetermined(engine, state, finite, held) -> None:
    if finite.all():
        return
    labels = np.delete(np.array(engine.layout.labels), held)
    values = np.delete(engine.estimates(state)[0], held)
    shown = ", ".join(f"{p} = {v:.6g}" for p, v in zip(labels, values, strict=True))
    raise ConvergenceError(
        f"the data do not determine the parameters ({shown}): responses that hardly vary, or that the equation meets "
        "exactly, leave no maximum; use a form with fewer parameters",
        f"数据不能确定参数（{shown}）：因变量几乎不变，或方程与数据完全吻合，似然没有最大值；请改用参数较少的形式",
    )


class Triangle:
    """A covariance as an unrestricted vector: Cholesky factor with the logarithm of its diagonal.

    Parameters
    ----------
    size : int
    """

    def __init__(self, size: int):
        self.size = size
        self.places = np.tril_indices(size)
        self.on_diagonal = self.places[0] == self.places[1]

    def __len__(self):
        """Length of the vector."""
        return len(self.on_diagonal)

    def matrix(self, vector) -> np.ndarray:
        """Covariance of a vector."""
        half = self._half(vector)
        return half @ half.T

    def _half(self, vector) -> np.ndarray:
        half = np.zeros((self.size, self.size))
        half[self.places] = np.where(self.on_diagonal, np.exp(np.clip(vector, -40, 40)), vector)
        return half

    def slope(self, vector, by_matrix) -> np.ndarray:
        """Derivative by the vector, from the derivative by the (symmetric) covariance."""
        half = self._half(vector)
        entries = ((by_matrix + by_matrix.T) @ half)[self.places]
        return np.where(self.on_diagonal, entries * half[self.places], entries)

    def vector(self, matrix) -> np.ndarray:
        """Vector of a positive definite covariance."""
        entries = np.linalg.cholesky(matrix)[self.places]
        return np.where(self.on_diagonal, np.log(np.where(self.on_diagonal, np.abs(entries), 1.0)), entries)
