"""Predictions with intervals, from a result or a table, in one place.

Two ways lead to an interval: linearisation (:mod:`.delta`) and joint draws (:mod:`.draws`). Estimate,
range and shape of the answer are the same.
"""

import numpy as np
import pandas as pd

from sinklab.errors import DataError, listing
from sinklab.language import tr
from sinklab.prediction.delta import by_delta, floor, residual_variance
from sinklab.prediction.draws import by_draws

__all__ = [
    "INTERVALS",
    "KINDS",
    "by_delta",
    "by_draws",
    "floor",
    "predict",
    "range_note",
    "residual_variance",
]

KINDS = ("mean", "individual")
INTERVALS = ("delta", "draws")


def predict(
    result, data, level: float = 0.95, kind: str = "mean", intervals: str | None = None
) -> pd.DataFrame:
    """Predict every response of a fitted system.

    Parameters
    ----------
    result : FitResult
    data : DataFrame or mapping of arrays
        The predictors, in the units of the fit. Positive and finite; blanks give blank predictions.
    level : float
        Level of the interval.
    kind : "mean" or "individual"
        Interval of the mean of all such individuals, or of one individual.
    intervals : "delta" or "draws", optional
        By linearisation, or quantiles over joint draws of the parameters (:mod:`.draws`); draws for
        ``bayes``, else delta, when left out.

    Returns
    -------
    prediction : DataFrame, index of ``data``
        For each response ``r``: ``r``, ``r_se``, ``r_lower``, ``r_upper`` in its unit; ``out_of_range``
        (bool) and ``range_note`` naming the predictors outside the fitted span.

    Raises
    ------
    DataError
        A predictor is missing, ``kind`` is unknown, or ``level`` is not between 0 and 1.
    """
    _check_request(result, data, level, kind, intervals)
    frame = pd.DataFrame({x: np.asarray(data[x], float) for x in result.system.predictors})
    for group in result.system.groups.values():
        frame[group] = np.asarray(data[group]).astype(str)
    index = data.index if isinstance(data, pd.DataFrame) else frame.index
    intervals = intervals or ("draws" if result.method == "bayes" else "delta")
    columns = (
        by_delta(result, frame, level, kind) if intervals == "delta" else by_draws(result, frame, level, kind)
    )
    prediction = pd.DataFrame(columns)
    note = range_note(result.ranges, frame)
    prediction["out_of_range"] = note != ""
    prediction["range_note"] = note
    prediction.index = index
    return prediction


def _check_request(result, data, level, kind, intervals):
    if kind not in KINDS:
        raise DataError(
            tr(f"kind must be one of {KINDS}, found {kind!r}", f"kind 应为 {KINDS} 之一，而不是 {kind!r}")
        )
    if intervals not in (None, *INTERVALS):
        raise DataError(
            tr(
                f"intervals must be one of {INTERVALS}, found {intervals!r}",
                f"intervals 应为 {INTERVALS} 之一，而不是 {intervals!r}",
            )
        )
    if not 0 < level < 1:
        raise DataError(
            tr(f"level must lie between 0 and 1, found {level}", f"置信水平应在 0 与 1 之间，而不是 {level}")
        )
    known = list(data.columns) if isinstance(data, pd.DataFrame) else list(data)
    needed = (*result.system.predictors, *dict.fromkeys(result.system.groups.values()))
    missing = [x for x in needed if x not in known]
    if missing:
        raise DataError(
            tr(
                f"predictors missing in the data: {', '.join(missing)}; found columns: {', '.join(map(str, known))}",
                f"数据缺少自变量：{'、'.join(missing)}；现有列：{'、'.join(map(str, known))}",
            )
        )


def range_note(ranges, frame) -> np.ndarray:
    """Text naming the predictors that lie outside the fitted span; empty inside it."""
    notes = [[] for _ in range(len(frame))]
    for x, (low, high) in ranges.items():
        if x not in frame:
            continue
        values = frame[x].to_numpy(float)
        slack = 1e-9 * max(abs(low), abs(high))
        for i in np.flatnonzero((values < low - slack) | (values > high + slack)):
            notes[i].append(
                tr(
                    f"{x} = {values[i]:g} outside {low:g}–{high:g}",
                    f"{x} = {values[i]:g} 超出 {low:g}～{high:g}",
                )
            )
    return np.array([listing(note).replace("\n", "; ") for note in notes], dtype=object)
