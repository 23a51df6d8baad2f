"""Stocks with their draws: summed up by county, city, province or zone, with intervals and deductions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sinklab.propagate.approach1 import variances
from sinklab.propagate.deductions import deduct
from sinklab.tabular import rule_values

TOTAL = "total"


def defaults() -> dict[str, float]:
    """Numbers of ``data/rules/stock_defaults.csv`` by name."""
    return rule_values("stock_defaults")


def co2_per_carbon() -> float:
    """Mass of carbon dioxide for each mass of carbon."""
    return defaults()["co2_numerator"] / defaults()["co2_denominator"]


@dataclass(frozen=True, eq=False)
class Stock:
    """Carbon stocks with their draws.

    Attributes
    ----------
    stands : DataFrame or GeoDataFrame
        The stands with ``carbon_t, carbon_se, co2e_t, used, reason, model, out_of_range``.
    keys : DataFrame
        Names of the smallest units, one column per level asked for, coarsest first. A unit is known by
        its whole path: counties of one name in two cities are two.
    draws : array, shape (n_unit, n_draw)
        Carbon of each [t].
    estimate : array, shape (n_unit,)
    units : Units
        The stands that were used, in the order of work; their groups are the rows of ``keys``.
    chosen : DataFrame
        Model of each species, with the stands and the area it stands for.
    problems : DataFrame
    level : float
    """

    stands: pd.DataFrame
    keys: pd.DataFrame
    draws: np.ndarray
    estimate: np.ndarray
    units: object
    chosen: pd.DataFrame
    problems: pd.DataFrame
    notes: tuple[str, ...]
    level: float
    seed: int

    @property
    def levels(self) -> list[str]:
        """Levels that can be summed up, and ``total``."""
        return [*self.keys.columns, TOTAL]

    def path(self, level: str) -> list[str]:
        """Columns that name a unit of a level: itself and the levels before it."""
        columns = list(self.keys.columns)
        return [] if level == TOTAL else columns[: columns.index(level) + 1]

    def members(self, level: str) -> tuple[pd.DataFrame, np.ndarray]:
        """Units of a level by the columns of their path, and the matrix that sums the smallest ones up."""
        path = self.path(level)
        if not path:
            return pd.DataFrame(index=range(1)), np.ones((1, len(self.keys)))
        index = self.keys.groupby(path, sort=True).ngroup().to_numpy()
        units = self.keys[path].drop_duplicates().sort_values(path).reset_index(drop=True)
        matrix = np.zeros((len(units), len(self.keys)))
        matrix[index, np.arange(len(self.keys))] = 1
        return units, matrix

    def summary(self, rule: str | None = None) -> pd.DataFrame:
        """Stocks of all levels in one long table.

        Parameters
        ----------
        rule : str, optional
            Deduction rule, applied to every row.

        Returns
        -------
        summary : DataFrame
            ``level``, one column per level, ``n_stand, n_used, area_ha, area_used_ha, area_out_of_range_ha, carbon_t, mean_t,
            se_t, se_approach1_t, lower_t, upper_t, interval_level, relative, carbon_t_ha, co2e_t,
            co2e_lower_t, co2e_upper_t``, and with a rule ``rule, uncertainty_percent, deduction_t,
            carbon_after_deduction_t, rule_status``.
        """
        parts = [self._level(level, rule) for level in self.levels]
        return pd.concat(parts, ignore_index=True)

    def _level(self, level, rule) -> pd.DataFrame:
        units, matrix = self.members(level)
        draws, estimate = matrix @ self.draws, matrix @ self.estimate
        first = np.sqrt(sum(variances(self.units, matrix).values()))
        lower, upper = np.quantile(draws, [0.5 - self.level / 2, 0.5 + self.level / 2], axis=1)
        covered = self._areas(level)
        factor = co2_per_carbon()
        names = {c: units[c] if c in units else "" for c in self.keys}
        frame = pd.DataFrame(
            {
                "level": level,
                **names,
                **{c: covered[c].to_numpy() for c in covered},
                "carbon_t": estimate,
                "mean_t": draws.mean(axis=1),
                "se_t": draws.std(axis=1, ddof=1),
                "se_approach1_t": first,
                "lower_t": lower,
                "upper_t": upper,
                "interval_level": self.level,
                "relative": _ratio((upper - lower) / 2, np.abs(estimate)),
                "carbon_t_ha": _ratio(estimate, covered["area_used_ha"].to_numpy()),
                "co2e_t": factor * estimate,
                "co2e_lower_t": factor * lower,
                "co2e_upper_t": factor * upper,
            }
        )
        if rule:
            found = [
                deduct(rule, e, draws=d) if e > 0 else None for e, d in zip(estimate, draws, strict=True)
            ]
            frame["rule"] = rule
            for column, name in (
                ("uncertainty_percent", "uncertainty"),
                ("deduction_t", "deduction"),
                ("carbon_after_deduction_t", "result"),
            ):
                frame[column] = [getattr(d, name) if d else np.nan for d in found]
            frame["rule_status"] = [d.status if d else "" for d in found]
        return frame

    def _areas(self, level) -> pd.DataFrame:
        area, used = self.stands["area_ha"].fillna(0), self.stands["used"]
        frame = pd.DataFrame(
            {
                "n_stand": 1,
                "n_used": used.astype(int),
                "area_ha": area,
                "area_used_ha": area * used,
                "area_out_of_range_ha": area * (used & self.stands["out_of_range"]),
            }
        )
        path = self.path(level)
        return frame.groupby([self.stands[c] for c in path] or np.zeros(len(frame), int), sort=True).sum()


def _ratio(a, b):
    return np.divide(a, b, out=np.full(len(a), np.nan), where=np.asarray(b) > 0)
