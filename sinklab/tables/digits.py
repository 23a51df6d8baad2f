"""How many digits a printed coefficient needs, so that the predictions stay what they were.

Coefficients of one equation are strongly correlated: each may be uncertain by a tenth while the
prediction is certain to a hundredth. Digits that suit the standard error of each coefficient by
itself may then spoil the prediction. The guard starts from those digits and adds one where it helps
most, until no prediction inside the validity range moves by more than a stated fraction of its
standard error. The points at which it looks also serve wherever two sets of numbers are compared.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd

from sinklab.language import TableError
from sinklab.results.prediction import curve_data, groups_of, steps

#: Share of its standard error that a prediction may move by rounding.
FRACTION = 0.1
#: Significant digits of a standard error; a value without one has ``PLAIN_DIGITS``.
ERROR_DIGITS = 2
PLAIN_DIGITS = 6
#: Significant digits that a double-precision number has.
MOST_DIGITS = 15


#: Points on each predictor, and of the guard, since standard errors of clusters dip between coarser ones; fewer when there
#: are many predictors, so that the product stays below the limit.
POINTS, GUARDED = 5, 9
LIMIT = 1000


@dataclass(frozen=True)
class Printed:
    """Decimal places to print, and how far the predictions from the printed numbers are off.

    ``numbers`` has one row for each coefficient, and for each correction factor that is not 1
    (``label`` is then ``correction[response]``): ``label, value, se, decimals, by_error, printed``,
    where ``by_error`` are the decimals that the standard error alone would ask for. ``worst`` is the
    largest move of a prediction in its standard errors, at ``at`` of ``response``; ``unguarded`` the
    same for ``by_error``.
    """

    numbers: pd.DataFrame
    fraction: float
    worst: float
    unguarded: float
    response: str
    at: str

    @property
    def decimals(self) -> dict[str, int]:
        """Decimal places by label; negative ones lie left of the point."""
        return dict(zip(self.numbers["label"], self.numbers["decimals"], strict=True))


def guard(result, fraction: float = FRACTION) -> Printed:
    """Decimal places to print the coefficients of a model with.

    Parameters
    ----------
    result : FitResult
        From a fit or a table.
    fraction : float
        Largest move of a prediction of the mean, in its standard errors.

    Returns
    -------
    printed : Printed

    Raises
    ------
    TableError
        ``fraction`` is not positive, or no number of digits is enough.
    """
    if not fraction > 0:
        raise TableError(
            f"fraction {fraction}; expected a number above 0", f"比例 {fraction} 无效；应为大于 0 的数"
        )
    test = _Test(result)
    start = np.array([_by_error(v, s) for v, s in zip(test.values, test.se, strict=True)])
    decimals, (unguarded, *_) = start.copy(), test.worst(start)
    most = np.array([MOST_DIGITS - 1 - _magnitude(v) for v in test.values])
    while True:
        worst, point, response = test.worst(decimals)
        if worst <= fraction:
            break
        share = test.share(decimals, point, response)
        share[decimals >= most] = 0.0
        if not share.any():
            raise TableError(
                f"{response}: {MOST_DIGITS} digits move the prediction by {worst:.3g} standard errors",
                f"{response}：保留 {MOST_DIGITS} 位有效数字时预测值仍偏移 {worst:.3g} 倍标准误",
            )
        decimals[np.argmax(share)] += 1
    numbers = pd.DataFrame(
        {"label": test.labels, "value": test.values, "se": test.se, "decimals": decimals, "by_error": start}
    )
    numbers["printed"] = rounded(test.values, decimals)
    return Printed(numbers, fraction, float(worst), float(unguarded), response, test.place(point))


def rounded(values, decimals) -> np.ndarray:
    """Values as they are read back from print."""
    return np.array([round(float(v), int(d)) for v, d in zip(values, decimals, strict=True)])


def text(value: float, decimals: int) -> str:
    """A number with some decimal places, without an exponent."""
    shown = f"{round(float(value), int(decimals)):.{max(int(decimals), 0)}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def _magnitude(number: float) -> int:
    return int(f"{abs(number):.0e}".partition("e")[2]) if number and np.isfinite(number) else 0


def _by_error(value: float, se: float) -> int:
    if np.isfinite(se) and se > 0:
        return ERROR_DIGITS - 1 - int(f"{se:.{ERROR_DIGITS - 1}e}".partition("e")[2])
    return PLAIN_DIGITS - 1 - _magnitude(value)


class _Test:
    """Predictions of a model at points of its validity range, from full and from rounded numbers."""

    def __init__(self, result):
        self.result = result
        self.points = pd.concat([along(result), corners_and_between(result, GUARDED)], ignore_index=True)
        self.responses = result.system.responses
        corrected = [r for r in result.system.free if result.correction.get(r, 1.0) != 1.0]
        self.corrected = corrected
        self.labels = [*result.labels, *(f"correction[{r}]" for r in corrected)]
        self.values = np.concatenate([result.values, [result.correction[r] for r in corrected]])
        self.se = np.concatenate([result.parameters["se"].to_numpy(float), np.full(len(corrected), np.nan)])
        full = result.predict(self.points)
        self.full = full[list(self.responses)].to_numpy()
        se = full[[f"{r}_se" for r in self.responses]].to_numpy()
        # A prediction without uncertainty must not move beyond the sixth digit.
        self.unit = np.where(se > 0, se, 1e-6 * np.abs(self.full))

    def predicted(self, values) -> np.ndarray:
        k = len(self.result.labels)
        other = replace(
            self.result,
            parameters=self.result.parameters.assign(value=values[:k]),
            correction=self.result.correction | dict(zip(self.corrected, values[k:], strict=True)),
        )
        return other.predict(self.points)[list(self.responses)].to_numpy()

    def worst(self, decimals):
        """Largest move in standard errors, its point and its response."""
        moved = np.abs(self.predicted(rounded(self.values, decimals)) - self.full) / self.unit
        point, column = np.unravel_index(np.nanargmax(moved), moved.shape)
        return moved[point, column], int(point), self.responses[column]

    def share(self, decimals, point, response) -> np.ndarray:
        """Move of one prediction by the rounding of each number alone."""
        off = rounded(self.values, decimals)
        column = self.responses.index(response)
        moves = np.zeros(len(off))
        for j in np.flatnonzero(off != self.values):
            values = self.values.copy()
            values[j] = off[j]
            moves[j] = abs(self.predicted(values)[point, column] - self.full[point, column])
        return moves

    def place(self, point) -> str:
        row = self.points.iloc[point]
        return ", ".join(f"{c} = {v}" if isinstance(v, str) else f"{c} = {v:.4g}" for c, v in row.items())


# Points inside the validity range of a model


def along(result, points: int = 9) -> pd.DataFrame:
    """Points from the smallest to the largest individual or stand, the other predictors where the data lie.

    Parameters
    ----------
    result : FitResult
    points : int

    Returns
    -------
    points : DataFrame
        Predictors of :func:`~sinklab.results.prediction.curve_data`, and the group columns of parameters that vary: each
        point for each combination of levels.
    """
    path = curve_data(result)[list(result.system.predictors)]
    rows = np.linspace(0, len(path) - 1, points).round().astype(int)
    return _with_groups(path.iloc[rows], result)


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
    names = list(result.system.predictors)
    while points > 2 and points ** len(names) > LIMIT:
        points -= 1
    rows = product(*(steps(*result.ranges[x], points) for x in names))
    return _with_groups(pd.DataFrame(list(rows), columns=names), result)


def _with_groups(frame, result) -> pd.DataFrame:
    """Repeat the points for each combination of group levels."""
    parts = [frame.assign(**group) for group in groups_of(result)]
    return pd.concat(parts, ignore_index=True)
