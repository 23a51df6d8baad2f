"""What is uncertain, and at which level it is shared.

========================= ============================================ =======================
error                     shared by                                    said with
========================= ============================================ =======================
parameters                all individuals of a model                   :class:`~sinklab.propagate.model.Model`
residual                  nobody: one draw per individual              :class:`~sinklab.propagate.model.Model`
predictor, measured       nobody, or the rows of a level               :class:`Noise`
species mean density      the individuals of a species                 :class:`Noise` with ``by``
plot or site effect       the individuals of a plot                    :class:`Noise` of the mass
carbon fraction, 1 + R …  the individuals of a species, or all         :class:`Factor`
========================= ============================================ =======================

Sampling and area belong to strata; see :mod:`sinklab.propagate.strata`.
"""

from dataclasses import dataclass

import numpy as np

from sinklab.errors import DataError, listing
from sinklab.language import tr
from sinklab.propagate import streams

PARAMETERS, RESIDUAL = "parameters", "residual"


@dataclass(frozen=True)
class Noise:
    """Normal error of a predictor, or of the mass itself.

    Attributes
    ----------
    name : str
        Name of the source in budgets.
    sd : float or str
        Standard deviation in the unit of the column, or the column that holds it row by row.
    column : str
        Predictor that is disturbed; "" for a relative error of the mass (a plot effect, a stand's area).
    by : str
        Column whose levels share one draw; "" when every row has its own.
    relative : bool
        The standard deviation is a share of the value; always so for the mass.
    low, high : float
        Values of the predictor outside are drawn again (cut, where the draw is shared).
    gross_share, gross_sd : float
        Share of the rows with a gross error, and its standard deviation; only for rows.
    """

    name: str
    sd: float | str
    column: str = ""
    by: str = ""
    relative: bool = False
    low: float = -np.inf
    high: float = np.inf
    gross_share: float = 0.0
    gross_sd: float = 0.0

    def spread(self, data, n) -> np.ndarray:
        """Standard deviation of every row, shape (n,), in the unit of the column; relative for the mass."""
        sd = np.asarray(data[self.sd], float) if isinstance(self.sd, str) else np.full(n, float(self.sd))
        if self.relative and self.column:
            sd = sd * np.asarray(data[self.column], float)
        return sd

    def total_sd(self, spread) -> np.ndarray:
        """Standard deviation with gross errors."""
        return np.sqrt((1 - self.gross_share) * spread**2 + self.gross_share * self.gross_sd**2)


@dataclass(frozen=True)
class Factor:
    """A scalar that multiplies the mass and is shared by the rows of a level.

    Attributes
    ----------
    name : str
        Such as ``carbon_fraction``.
    values : mapping of str to (Distribution or float)
        By level of ``by``; under ``""`` what all rows share, or the levels that are not named. A plain
        number has no uncertainty.
    by : str
        Column of the levels; "" for one draw for all rows.
    """

    name: str
    values: dict
    by: str = ""

    def of(self, level: str):
        """Distribution or number of a level, None when there is none."""
        return self.values.get(level, self.values.get(""))

    def draws(self, levels, n_draw: int, seed: int) -> np.ndarray:
        """Draws of some levels, shape (n_level, n_draw)."""
        out = np.empty((len(levels), n_draw))
        for row, level in zip(out, levels, strict=True):
            value = self.of(level)
            # One draw for everything that has no value of its own.
            own = level if level in self.values else ""
            row[:] = (
                value.draw(n_draw, streams.key(seed, self.name, own)) if hasattr(value, "draw") else value
            )
        return out

    def moments(self, levels) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of some levels, shape (n_level,)."""
        found = [self.of(level) for level in levels]
        mean = np.array([getattr(v, "mean", v) for v in found], float)
        return mean, np.array([getattr(v, "sd", 0.0) for v in found], float)


def check_levels(factor: Factor, levels) -> None:
    """Refuse levels that a factor has no value for, all at once."""
    absent = [level for level in levels if factor.of(level) is None]
    if absent:
        raise DataError(
            tr(
                f"{factor.name}: no value for {factor.by} =\n{listing(absent)}",
                f"{factor.name}：{factor.by} 的下列水平没有取值：\n{listing(absent)}",
            )
        )
