r"""Limits of parameters, kept by searching on a scale that has none.

A parameter between two limits is :math:`l + (h - l) / (1 + e^{-x})`, one above a limit
:math:`l + e^{x}`, one below :math:`h - e^{x}`; the search runs over :math:`x`. A parameter that ends at
a limit is named in the warnings, because its standard error then says nothing.
"""

import numpy as np

from sinklab.errors import DataError, listing
from sinklab.language import tr

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
        return out

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

    def on_limit(self, values) -> np.ndarray:
        """Mask of the parameters that lie on a limit."""
        near = np.minimum(values - self.low, self.high - values)
        return near < ON_LIMIT * self._size(values)

    def _size(self, values) -> np.ndarray:
        """Span between two limits, else the size of the value."""
        span = np.where(self._both, self.high - self.low, 0.0)
        return np.where(self._both, span, np.maximum(np.abs(values), 1e-3))


def bounded(evaluate, bounds):
    """Means and Jacobian (n, m, k) by the scale of the search."""

    def evaluated(x):
        mean, jacobian = evaluate(bounds.natural(x))
        return mean, jacobian * bounds.slope(x)

    return evaluated


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
        raise DataError(tr(f"bounds: {listing(problems)}", f"参数界限：{listing(problems)}"))
