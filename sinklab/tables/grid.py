"""Points inside the validity range of a model, at which two sets of numbers are compared."""

from itertools import product

import numpy as np
import pandas as pd

#: Points on each predictor; fewer when there are many predictors, so that the product stays below the limit.
POINTS = 5
LIMIT = 1000


def along(result, points: int = 9) -> pd.DataFrame:
    """Points from the smallest to the largest individual: every predictor grows together.

    Predictors of biomass grow together, so these points lie where the data lie.

    Parameters
    ----------
    result : FitResult
        Its ``ranges`` are spanned, in equal steps of the logarithm where all values are positive.
    points : int

    Returns
    -------
    points : DataFrame
        Predictors, and the group columns of parameters that vary: each point for each combination of levels.
    """
    columns = {x: _steps(*limits, points) for x, limits in _used(result).items()}
    return _with_groups(pd.DataFrame(columns, index=range(points)), result)


def corners_and_between(result, points: int = POINTS) -> pd.DataFrame:
    """Every combination of values of the predictors, corners of the validity range included.

    Parameters
    ----------
    result : FitResult
    points : int
        Values of each predictor, reduced to two at least while the product is above ``LIMIT``.

    Returns
    -------
    points : DataFrame
    """
    limits = _used(result)
    while points > 2 and points ** len(limits) > LIMIT:
        points -= 1
    rows = product(*(_steps(*pair, points) for pair in limits.values()))
    return _with_groups(pd.DataFrame(list(rows), columns=list(limits)), result)


def _used(result) -> dict[str, tuple[float, float]]:
    return {x: result.ranges[x] for x in result.system.predictors}


def _steps(low, high, points) -> np.ndarray:
    return np.geomspace(low, high, points) if low > 0 else np.linspace(low, high, points)


def _with_groups(frame, result) -> pd.DataFrame:
    """Repeat the points for each combination of group levels."""
    levels: dict[str, list[str]] = {}
    for name, column in result.system.groups.items():
        here = result.parameters.loc[result.parameters["name"] == name, "group"]
        levels[column] = sorted(set(here) & set(levels.get(column, here)))
    for column, known in levels.items():
        frame = pd.concat([frame.assign(**{column: level}) for level in known], ignore_index=True)
    return frame
