"""Check that a fitted system behaves like plants over the range it was fitted on.

Positive everywhere, growing with each predictor of size, and no part larger than its whole. The check
runs on a grid of the main predictor with the others following it, as in the figures of a fit, and
names where it fails. Branches and foliage may shrink with height at a given diameter, so growth is
asked along the path of the data, not of each predictor alone.
"""

import numpy as np
import pandas as pd

from sinklab.equations.tree import Name, Sum

N_GRID = 200


def shape_checks(fit, path: pd.DataFrame) -> pd.DataFrame:
    """Check positivity, growth along a path of sizes, and parts against wholes.

    Parameters
    ----------
    fit : FitResult
    path : DataFrame
        Predictors from small to large, such as :func:`sinklab.plots.curve_data` gives.

    Returns
    -------
    checks : DataFrame
        ``check, response, passed, first_failure``: the place on the path where it first fails, as
        the value of its first predictor; NaN where it holds.
    """
    mean = fit.predict(path)
    x = path[fit.system.predictors[0]].to_numpy(float)
    rows = []
    for response in fit.system.responses:
        value = mean[response].to_numpy(float)
        rows.append(("positive", response, value > 0))
        if response in fit.system.free or _is_sum(fit.system, response):
            rows.append(("growing", response, np.append(True, np.diff(value) >= 0)))
    for whole, parts in wholes(fit.system).items():
        for part in parts:
            rows.append(
                (f"part of {whole}", part, mean[part].to_numpy() <= mean[whole].to_numpy() * (1 + 1e-9))
            )
    table = [
        (check, response, bool(good.all()), float("nan") if good.all() else float(x[np.argmin(good)]))
        for check, response, good in rows
    ]
    return pd.DataFrame(table, columns=["check", "response", "passed", "first_failure"])


def wholes(system) -> dict[str, list[str]]:
    """Responses that are sums of other responses, with these parts."""
    found = {}
    for equation in system.equations:
        if _is_sum(system, equation.response):
            found[equation.response] = [term.name for sign, term in equation.right.terms if sign > 0]
    return found


def _is_sum(system, response) -> bool:
    right = next(e for e in system.equations if e.response == response).right
    return isinstance(right, Sum) and all(
        isinstance(term, Name) and term.name in system.responses for _, term in right.terms
    )
