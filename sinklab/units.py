"""Conversion between the units that field books use and the one unit each variable has."""

import csv
from functools import lru_cache

import numpy as np

from sinklab import paths
from sinklab.errors import UnitError
from sinklab.language import language, tr


@lru_cache(maxsize=1)
def _rows() -> dict[str, dict[str, str]]:
    with open(paths.data("vocabulary", "units.csv"), encoding="utf-8-sig", newline="") as stream:
        return {row["unit"]: row for row in csv.DictReader(stream)}


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[str, float]]:
    return {unit: (row["dimension"], float(row["factor"])) for unit, row in _rows().items()}


def symbol(unit: str, lang: str | None = None) -> str:
    """Unit as people print it, ``t/ha`` or ``t/hm²``; empty for a ratio, the text itself when unknown."""
    row = _rows().get(unit)
    return unit if row is None else row[f"symbol_{lang or language()}"]


def units() -> tuple[str, ...]:
    """Names of all known units."""
    return tuple(_table())


def check(unit: str) -> str:
    """Return ``unit`` when it is known.

    Raises
    ------
    UnitError
        Listing the known units.
    """
    if unit not in _table():
        known = ", ".join(_table())
        raise UnitError(
            tr(
                f"unit {unit!r} is not known; known units (data/vocabulary/units.csv): {known}",
                f"未知单位 {unit!r}；已知单位（data/vocabulary/units.csv）：{known}",
            )
        )
    return unit


def convert(values, unit_from: str, unit_to: str):
    """Convert numbers from one unit to another of the same dimension.

    Parameters
    ----------
    values : float or array
    unit_from, unit_to : str
        Names in ``data/vocabulary/units.csv``.

    Returns
    -------
    converted : float or array, same shape

    Raises
    ------
    UnitError
        A unit is unknown, or the two measure different things.

    Examples
    --------
    >>> convert(250.0, "g/m2", "t/ha")
    2.5
    """
    dimension_from, factor_from = _table()[check(unit_from)]
    dimension_to, factor_to = _table()[check(unit_to)]
    if dimension_from != dimension_to:
        raise UnitError(
            tr(
                f"cannot convert {unit_from} ({dimension_from}) to {unit_to} ({dimension_to})",
                f"无法将 {unit_from}（{dimension_from}）换算为 {unit_to}（{dimension_to}）",
            )
        )
    if unit_from == unit_to:
        return values
    # Ratios of whole numbers stay exact (cm to m divides by 100 instead of multiplying by 0.01).
    if factor_from >= factor_to:
        return np.multiply(values, factor_from / factor_to)[()]
    return np.divide(values, factor_to / factor_from)[()]
