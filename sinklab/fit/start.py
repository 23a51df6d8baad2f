"""Start values found from the data, so that nobody has to guess them.

A product of powers is a straight line in logarithms: its starts are the least-squares line. For any
other form, many random points are tried at once, the best ones are refined by Levenberg-Marquardt on
relative residuals, and the best of those is taken. The search is seeded.
"""

import numpy as np
from scipy.optimize import least_squares

from sinklab.equations.parts import inputs_of, own_parameters, written_mean

N_CANDIDATE = 2000
N_REFINED = 6


def start_values(system, frame, given=None, seed: int = 0) -> dict[str, float]:
    """Start values for all parameters of a system.

    Parameters
    ----------
    system : System
        Bound to the columns of ``frame``.
    frame : DataFrame
        Predictors and responses; NaN where a component is missing.
    given : mapping, optional
        Values that the user wants to start from; they are kept.
    seed : int

    Returns
    -------
    start : dict
        Value by parameter name.
    """
    found = dict(given or {})
    rng = np.random.default_rng(seed)
    known = {c: frame[c].to_numpy(float) for c in system.predictors}
    for response in system.responses:
        missing = [p for p in own_parameters(system, response) if p not in found]
        if missing:
            y = frame[response].to_numpy(float)
            form = system.power_product(response)
            values = None
            if form is not None and len(missing) == len(own_parameters(system, response)):
                values = _line_in_logs(form, y, known)
            found |= values or _search(system, response, missing, found, y, known, rng)
        predicted = written_mean(system, response, found, known)
        measured = frame[response].to_numpy(float) if response in frame else np.full(len(frame), np.nan)
        known[response] = np.where(np.isfinite(measured) & (measured > 0), measured, predicted)
    return found


def _line_in_logs(form, y, known) -> dict[str, float] | None:
    use = np.isfinite(y) & (y > 0)
    design, offset = form.design(known)
    design, target = design[use], np.log(y[use]) - offset[use]
    if not np.isfinite(design).all() or not np.isfinite(target).all() or use.sum() < design.shape[1]:
        return None
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    values = dict(zip(form.parameters, map(float, solution), strict=True))
    if not form.log:
        values[form.coefficient] = float(np.exp(min(values[form.coefficient], 700.0)))
    return values


def _search(system, response, missing, fixed, y, known, rng) -> dict[str, float]:
    use = np.isfinite(y) & np.isfinite(np.column_stack([known[x] for x in inputs_of(system, response)])).all(
        axis=1
    )
    inputs = {x: known[x][use] for x in inputs_of(system, response)}
    target = y[use]
    size = max(float(np.median(np.abs(target))), 1e-12)
    floor = 0.05 * size + np.abs(target)

    def residual(values):
        with np.errstate(all="ignore"):
            mean = written_mean(system, response, fixed | dict(zip(missing, values, strict=True)), inputs)
        out = (target - mean) / floor
        return np.where(np.isfinite(out), np.clip(out, -1e6, 1e6), 1e6)

    candidates = _candidates(len(missing), size, rng)
    costs = np.array([np.sum(np.minimum(residual(c) ** 2, 100.0)) for c in candidates])
    best, best_cost = candidates[int(np.argmin(costs))], np.inf
    for index in np.argsort(costs)[:N_REFINED]:
        refined = least_squares(residual, candidates[index], x_scale="jac", max_nfev=400)
        if refined.cost < best_cost:
            best, best_cost = refined.x, refined.cost
    return dict(zip(missing, map(float, best), strict=True))


def _candidates(k: int, size: float, rng) -> np.ndarray:
    """Random points: orders of magnitude around one and around the size of the response."""
    magnitude = 10.0 ** rng.uniform(-4, 1, (N_CANDIDATE, k))
    large = size * 10.0 ** rng.uniform(-1, 1, (N_CANDIDATE, k))
    values = np.where(rng.random((N_CANDIDATE, k)) < 0.25, large, magnitude)
    return values * np.where(rng.random((N_CANDIDATE, k)) < 0.15, -1.0, 1.0)
