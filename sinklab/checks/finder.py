"""The collector of problems, the thresholds, and the advice that goes with a suspicious number."""

import numpy as np
import pandas as pd

from sinklab import units, vocabulary
from sinklab.language import tr
from sinklab.studies.problem import Problem
from sinklab.tabular import rule_values

#: Units in which the numbers of a field form are easily written by mistake.
CONFUSED = {
    "cm": ("mm", "m"),
    "m": ("cm", "dm"),
    "kg": ("g", "t"),
    "m3": ("dm3",),
    "g/cm3": ("kg/m3",),
    "1": ("%", "g/kg"),
}


def rules() -> dict[str, float]:
    """Thresholds of ``data/rules/data_checks.csv`` by name."""
    return rule_values("data_checks")


class Finder:
    """Collects the problems of one frame."""

    def __init__(self, frame, file, labels):
        self.frame, self.file, self.labels = frame, file, labels
        self.problems, self.rules = [], rules()
        self.numeric = [c for c in frame if self.measured(c) and pd.api.types.is_numeric_dtype(frame[c])]
        # Only a study has columns.csv and corrections.csv to mend it with.
        self.study = "study" in frame.attrs
        self.components = frame.attrs.get("source", {}).get("components", {})

    @staticmethod
    def measured(column) -> bool:
        """Whether the vocabulary expects numbers in a column."""
        return vocabulary.is_variable(column) and vocabulary.variable(column).numeric

    def has(self, *columns) -> bool:
        """Whether the frame holds numbers in all these columns."""
        return set(columns) <= set(self.numeric)

    def has_any(self, *columns) -> bool:
        """Whether the frame holds numbers in one of these columns."""
        return any(column in self.numeric for column in columns)

    def inside(self, column):
        """Records whose value lies within the limits of the vocabulary."""
        known, values = vocabulary.variable(column), self.frame[column]
        low = -np.inf if known.minimum is None else known.minimum
        high = np.inf if known.maximum is None else known.maximum
        return (values >= low) & (values <= high)

    def label(self, column) -> str:
        """Raw name of a column, with the variable it stands for."""
        raw = self.labels.get(column, column)
        return raw if raw == column else f"{raw} ({column})"

    def record(self, row) -> str:
        """Position in the file, with the id by which people know the record."""
        key = next((self.frame[c][row] for c in ("tree_id", "core_id", "plot_id") if c in self.frame), None)
        if key is None or pd.isna(key):
            return f"#{row + 1}"
        return f"#{row + 1} ({plain(key)})"

    def value(self, column, row) -> str:
        """Value with its unit."""
        return f"{self.frame[column][row]:.6g}{unit_text(column)}"

    def unit_advice(self, unit, column="") -> str:
        """Say that a value is likely in another unit, and what to do."""
        what = f"{column}: " if column else ""
        if not self.study:
            return tr(f"{what}likely written in {unit}", f"{what}可能按 {unit} 填写")
        return tr(
            f"{what}likely written in {unit}: declare unit_in = {unit} in columns.csv if the whole column is, "
            "else add a row to corrections.csv with the reason",
            f"{what}可能按 {unit} 填写：整列如此请在 columns.csv 写 unit_in = {unit}，"
            "否则在 corrections.csv 中更正并写明理由",
        )

    def check_form(self) -> str:
        """Say what to do with a value of which nothing more is known."""
        if not self.study:
            return tr("compare with the source", "请与原始来源核对")
        return tr(
            "compare with the field form; correct it in corrections.csv with the reason, or leave it blank",
            "请与野外记录核对；在 corrections.csv 中更正并写明理由，或留空",
        )

    def add(self, row, column, value, expected, advice, rule) -> None:
        """Note a problem of one record."""
        where = self.record(row)
        self.problems.append(Problem(self.file, where, self.label(column), value, expected, advice, rule))


def plain(key) -> str:
    """Return an id as it was written."""
    return f"{key:g}" if isinstance(key, float) else str(key)


def unit_text(column) -> str:
    """Unit of a variable after a blank, "" for ratios."""
    unit = vocabulary.variable(column).unit
    return "" if unit in ("", "1") else f" {unit}"


def slips(unit) -> list[tuple[str, float]]:
    """Units that are confused with ``unit``, and the factor by which a number in them is too large."""
    return [(other, float(units.convert(1.0, unit, other))) for other in CONFUSED.get(unit, ())]


def slip_of(ratio, unit, within):
    """Unit in which a value ``ratio`` times what was expected was probably written, or None."""
    if not ratio > 0:
        return None
    fits = [(abs(np.log(ratio / factor)), other) for other, factor in slips(unit)]
    near = [item for item in fits if item[0] < np.log(within)]
    return min(near)[1] if near else None
