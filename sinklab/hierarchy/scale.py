"""The scale on which values of a parameter are normal, and mixtures of normals on it."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from sinklab import vocabulary

N_NODE = 30


@dataclass(frozen=True, eq=False)
class Scale:
    """Where values are normal: ``log``, or ``logit`` for fractions."""

    name: str

    @classmethod
    def of(cls, variable: str) -> "Scale":
        """Scale of a variable of the vocabulary."""
        info = vocabulary.variable(variable)
        fraction = info.unit == "1" and info.maximum is not None and info.maximum <= 1
        return cls("logit" if fraction else "log")

    @property
    def family(self) -> str:
        """Family of distributions that is normal on this scale."""
        return {"log": "lognormal", "logit": "logitnormal"}[self.name]

    def to(self, value):
        """Value to scale."""
        return np.log(value) if self.name == "log" else special.logit(value)

    def back(self, y):
        """Scale to value."""
        return np.exp(y) if self.name == "log" else special.expit(y)

    def variance(self, value, variance):
        """Sampling variance on the scale, to first order."""
        slope = 1 / value if self.name == "log" else 1 / (value * (1 - value))
        return variance * slope**2


def quantiles(q, centres, spreads) -> np.ndarray:
    """Quantiles of an even mixture of normals."""
    low, high = (centres - 8 * spreads).min(), (centres + 8 * spreads).max()
    low, high = np.full(len(q), low), np.full(len(q), high)
    for _ in range(60):
        middle = (low + high) / 2
        below = special.ndtr((middle[:, None] - centres) / spreads).mean(axis=1) < q
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def moments(scale, centres, spreads) -> tuple[float, float]:
    """Mean and SD, in the unit of the variable, of an even mixture of normals on the scale."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(N_NODE)
    value = scale.back(np.asarray(centres)[:, None] + np.asarray(spreads)[:, None] * nodes)
    weights = weights / weights.sum()
    mean = float((value @ weights).mean())
    return mean, float(np.sqrt((((value - mean) ** 2) @ weights).mean()))
