r"""Whether numbers can be what their columns say: one against another, and the whole column.

*Against each other.* A quantity made of several columns hardly depends on species or site: the apparent density of a stem
:math:`W_S / (\frac{\pi}{4} D^2 H)`, slenderness :math:`H / D`, growing stock over basal area and height, carbon per volume of
soil. Each is a row of ``data/rules/plausibility.csv``, a product of powers of columns, with the limits between which single
records lie and those between which the median of a whole column lies. Both were learned from open studies (a test learns
them again): records from the extremes of the studies, columns from their medians.

*The cause.* A unit that explains everything that is odd in a record, or in the medians of a file, is named: diameters in
mm, girth in the place of diameter, heights in cm, depths in m, masses in g.

*Computed, not measured.* Roots that are 0.274 times the shoots on 12 of 19 plots were not dug, and a stem that a formula
of diameter and height gives to the last digit was not weighed. :func:`computed` finds a ratio that returns more often than
chance allows, given how many digits were written, and columns that are functions of others.

Everything only reports, with the figures that show it; nothing is converted or left out on its own.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import poisson

from sinklab.data import vocabulary
from sinklab.data.files import records, rule_values
from sinklab.data.studies import Problem
from sinklab.language import tr, typed

#: Problems of one kind that a fit prints.
ALIKE_SHOWN = 3
#: Masses and volumes of an individual, and quantities of a stand.
OF_TREE, OF_STAND = ("kg", "m3"), ("t/ha", "m3/ha")
#: Columns that say so, and words in them, of a tree that stands or lies dead, or was cut.
STATUS = ("status", "状态", "树木状态", "生长状态", "生长状况")
DEAD = ("dead", "cut", "snag", "stump", "fallen", "枯", "死", "伐", "倒")
#: Groups of species whose stands are no forest, and columns that only forests have.
OPEN = ("herb", "shrub")
GRASSLAND = {"grassland_type", "canopy_height", "cover_fraction", "desertification_grade"}
FOREST = {
    "dbh",
    "height",
    "age",
    "stem_density",
    "basal_area",
    "growing_stock",
    "forest_type",
    "canopy_closure",
}
#: Columns that only the records of single plants have.
SINGLE = ("tree_id", "crown_diameter", "crown_base_height", "basal_diameter", *STATUS)


@dataclass(frozen=True, eq=False)
class Quantity:
    """One row of ``data/rules/plausibility.csv``: ``factor`` times powers of columns, and where it lies."""

    rule_id: str
    level: str
    group: str
    factor: float
    powers: dict[str, float]
    unit: str
    low: float
    high: float
    column_low: float
    column_high: float
    n_study: float
    label_en: str
    label_zh: str

    def of(self, frame: pd.DataFrame) -> np.ndarray:
        """Its value for every record; NaN where a column is missing or not above zero."""
        total = np.full(len(frame), np.log(self.factor))
        with np.errstate(all="ignore"):
            for column, power in self.powers.items():
                values = frame[column].to_numpy(float)
                total += power * np.log(np.where(values > 0, values, np.nan))
        return np.exp(total)

    def outside(self, values, column: bool = False) -> np.ndarray:
        """Whether values of records, or the median of a column, lie beyond the limits."""
        low, high = (self.column_low, self.column_high) if column else (self.low, self.high)
        with np.errstate(invalid="ignore"):
            return (values < low) | (values > high)

    def span(self, column: bool = False) -> str:
        """The limits as text."""
        low, high = (self.column_low, self.column_high) if column else (self.low, self.high)
        text = f"{low:.4g}–{high:.4g}" if low > 0 and np.isfinite(high) else ""
        text = text or (f"≤ {high:.4g}" if np.isfinite(high) else f"≥ {low:.4g}")
        return f"{text} {self.unit}".strip()

    @property
    def label(self) -> str:
        """Its formula and name."""
        return tr(self.label_en, self.label_zh)


@lru_cache(maxsize=1)
def quantities() -> tuple[Quantity, ...]:
    """All rows of ``data/rules/plausibility.csv``; a blank limit is none."""
    numbers = ("factor", "low", "high", "column_low", "column_high", "n_study")
    found = []
    for row in records("rules", "plausibility.csv", numbers=numbers):
        powers = dict(part.split(":") for part in row.pop("powers").split())
        for name, none in (("low", 0), ("high", np.inf), ("column_low", 0), ("column_high", np.inf)):
            row[name] = none if np.isnan(row[name]) else row[name]
        kept = {name: row[name] for name in Quantity.__dataclass_fields__ if name != "powers"}
        found.append(Quantity(powers={c: float(p) for c, p in powers.items()}, **kept))
    return tuple(found)


@lru_cache(maxsize=1)
def rules() -> dict[str, float]:
    """Thresholds of ``data/rules/plausibility_limits.csv`` by their id."""
    return rule_values("plausibility_limits")


@lru_cache(maxsize=1)
def limits_of_data() -> dict[str, float]:
    """Thresholds of ``data/rules/data_checks.csv`` by their id."""
    return rule_values("data_checks")


def level_of(frame: pd.DataFrame) -> str:
    """What the records of a frame are: ``tree``, ``stand`` or ``soil``."""
    units = {vocabulary.variable(c).unit for c in frame if vocabulary.is_number(c)}
    if "layer_bottom" in frame or "soc" in frame:
        return "soil"
    return "stand" if units & set(OF_STAND) and "tree_id" not in frame and "kg" not in units else "tree"


def is_single(frame: pd.DataFrame) -> bool:
    """Whether the records are single plants, whatever they stand for per hectare."""
    masses = any(vocabulary.variable(c).unit == "kg" for c in frame if vocabulary.is_number(c))
    return masses or any(column in frame for column in SINGLE)


def has_histories(frame: pd.DataFrame, keys: Sequence[str]) -> bool:
    """Whether ids stand once for each age, as in a stem analysis: most have three ages and more, and none shrinks."""
    sizes = [c for c in ("dbh", "height", "volume") if c in frame]
    if "age" not in frame or "age" in keys or not sizes or not pd.api.types.is_numeric_dtype(frame["age"]):
        return False
    trees = [
        t.sort_values("age") for _, t in frame.groupby(list(keys), dropna=False, sort=False) if len(t) > 1
    ]
    grown = [
        t["age"].is_unique and len(t) > 2 and all(t[c].dropna().is_monotonic_increasing for c in sizes)
        for t in trees
    ]
    return len(grown) > 0 and sum(grown) * 10 >= 8 * len(grown)


def is_dead(frame: pd.DataFrame, status: str = "") -> pd.Series:
    """Which trees stand or lie dead, or were cut; ``status`` is the column that says so (one of :data:`STATUS`)."""
    status = status or next((name for name in STATUS if name in frame), "")
    said = frame[status].astype("str").fillna("").str.casefold() if status else pd.Series("", frame.index)
    return said.map(lambda text: any(word in text for word in DEAD))


def group_of(frame: pd.DataFrame) -> np.ndarray:
    """Group of the species vocabulary of each record, "" where none is known; a habitat of mangroves is one."""
    held: dict[str, set] = {}
    for one in vocabulary.species_list():
        held.setdefault(one.genus, set()).add(one.group)
    known = {genus: min(groups) for genus, groups in held.items() if len(groups) == 1}
    genus = (
        frame["species"].astype("str").str.extract(r"(\S+)", expand=False)
        if "species" in frame
        else pd.Series("", frame.index)
    )
    group = genus.map(known).fillna("")
    if "habitat" in frame:
        group = group.mask(frame["habitat"] == "mangrove", "mangrove")
        group = group.mask((group == "") & (frame["habitat"] == "salt_marsh"), "herb")
    if not FOREST & set(frame):
        # Grassland says its kind; where nothing speaks of trees and little stands, no forest is meant.
        low = pd.Series(bool(GRASSLAND & set(frame)), frame.index)
        if "agb_density" in frame:
            low |= frame["agb_density"] < rules()["open_agb"]
        group = group.mask((group == "") & low, "herb")
    return group.to_numpy(str)


def measured(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of numbers of the vocabulary; trees below breast height, and nearly, have no diameter to compare."""
    kept = [c for c in frame if vocabulary.is_number(c) and pd.api.types.is_numeric_dtype(frame[c])]
    out = frame[kept].astype(float)
    # What lies outside the limits of the vocabulary is reported as such and would be no guide.
    for column in kept:
        beyond = vocabulary.variable(column).outside(out[column])
        if beyond.any():
            out[column] = out[column].mask(beyond)
    return out


def comparable(frame: pd.DataFrame, quantity: Quantity, level: str) -> np.ndarray | None:
    """Values of a quantity on the records that it means; None where its columns are not there."""
    if quantity.level not in (level, "any") or not set(quantity.powers) <= set(frame.columns):
        return None
    values = quantity.of(frame)
    if "dbh" in quantity.powers and level == "tree":
        rule = rules()
        small = frame["dbh"] < rule["least_dbh"]
        if "height" in frame:
            small |= frame["height"] < rule["least_height"]
        values = np.where(small, np.nan, values)
    return values


# The collector of problems, and the advice that goes with a suspicious number.


class Finder:
    """Collects the problems of one frame."""

    def __init__(self, frame, file, labels, reading=None, most=None):
        self.frame, self.file, self.labels, self.reading = frame, file, labels, reading
        # With ``most`` a rule is told in words so many times, and counted beyond.
        self.most, self.more = most, Counter()
        self.problems, self.rules = [], limits_of_data()
        self.numeric = [
            c for c in frame if vocabulary.is_number(c) and pd.api.types.is_numeric_dtype(frame[c])
        ]
        self.told, self.odd = set(), set()
        # Only a study has columns.csv and corrections.csv to mend it with.
        self.study = "study" in frame.attrs
        self.components = frame.attrs.get("source", {}).get("components", {})

    def has(self, *columns) -> bool:
        """Whether the frame holds numbers in all these columns."""
        return set(columns) <= set(self.numeric)

    def has_any(self, *columns) -> bool:
        """Whether the frame holds numbers in one of these columns."""
        return any(column in self.numeric for column in columns)

    def inside(self, column):
        """Records whose value lies within the limits of the vocabulary."""
        values = self.frame[column]
        return values.notna() & ~vocabulary.variable(column).outside(values)

    def label(self, column) -> str:
        """Raw name of a column, with the variable it stands for."""
        raw = self.labels.get(column, column)
        return raw if raw == column else f"{raw} ({column})"

    def record(self, row) -> str:
        """Position in the file, with the id by which people know the record."""
        key = next((self.frame[c][row] for c in ("tree_id", "core_id", "plot_id") if c in self.frame), None)
        rows = self.reading.rows if self.reading else []
        # Where the header is no first line, people look for the row.
        place = tr(f", row {rows[row]}", f"，第 {rows[row]} 行") if rows and rows[0] > 2 else ""
        if key is None or pd.isna(key):
            return f"#{row + 1}{place}"
        return f"#{row + 1} ({plain(key)}){place}"

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

    def in_words(self, rows, column, rule):
        """Records of which a problem is to be told; the others are only counted."""
        self.told |= {(row, column) for row in rows}
        left = (
            len(rows) if self.most is None else max(self.most - sum(p.rule == rule for p in self.problems), 0)
        )
        self.more[rule] += len(rows[left:])
        return rows[:left]

    def add(self, row, column, value, expected, advice, rule) -> None:
        """Note a problem of one record."""
        self.told.add((row, column))
        where = self.record(row)
        self.problems.append(Problem(self.file, where, self.label(column), value, expected, advice, rule))

    def add_alike(self, values: Mapping, column, expected, advice, rule) -> None:
        """Note records with one and the same problem: a few one by one, many together with the first places."""
        if len(values) <= ALIKE_SHOWN:
            for row, value in values.items():
                self.add(row, column, value, expected, advice, rule)
            return
        self.told |= {(row, column) for row in values}
        first = ", ".join(f"{self.record(row)} {values[row]}" for row in list(values)[:ALIKE_SHOWN])
        n, of = len(values), int(self.frame[column].notna().sum())
        text = tr(f"{n} of {of} records: {first}, …", f"{of} 条记录中的 {n} 条：{first} 等")
        self.problems.append(Problem(self.file, "", self.label(column), text, expected, advice, rule))

    def add_column(self, column, expected, advice, rule) -> None:
        """Note a problem of a whole column, with the span of its values."""
        values = self.frame[column].dropna()
        self.told |= {(row, column) for row in values.index}
        text = f"{values.min():.4g}–{values.max():.4g}{unit_text(column)}"
        text = tr(f"{text} (whole column)", f"{text}（整列）")
        self.problems.append(Problem(self.file, "", self.label(column), text, expected, advice, rule))


def plain(key) -> str:
    """Return an id as it was written."""
    return f"{key:g}" if isinstance(key, float) else str(key)


def unit_text(column) -> str:
    """Unit of a variable after a blank, "" for ratios."""
    unit = vocabulary.variable(column).unit
    return "" if unit in ("", "1") else f" {unit}"


# Units and causes that would explain what is odd.

#: Girth is measured where diameter is meant: it is larger by pi.
GIRTH = ("dbh", "basal_diameter")


@dataclass(frozen=True)
class Cause:
    """A column that, taken as ``unit`` (or as girth), explains what is odd: it is ``factor`` times too large."""

    column: str
    unit: str
    factor: float

    @property
    def words(self) -> str:
        """What was probably written."""
        if self.unit == "girth":
            return tr("girth in the place of diameter (divide by π)", "围径当作直径（应除以 π）")
        return self.unit


def causes(columns) -> list[Cause]:
    """All slips of columns that are known: other units, and girth."""
    found = []
    for column in columns:
        unit = vocabulary.variable(column).unit
        mistaken = vocabulary.CONFUSED.get(unit, ("%",))
        found += [Cause(column, u, factor) for u, factor in vocabulary.candidates(unit) if u in mistaken]
        found += [Cause(column, "girth", np.pi)] if column in GIRTH else []
    return found


def explain(
    values: dict[Quantity, float], odd: list[Quantity], own: dict[str, float], whole: bool
) -> Cause | None:
    """The one slip that brings every odd quantity inside its limits and leaves the others there; None without one.

    Parameters
    ----------
    values : dict of Quantity to float
        Those of a record, or the medians of a file; NaN where not known.
    odd : list of Quantity
    own : dict of str to float
        The columns themselves: what they would be must be possible too.
    whole : bool
        Whether the limits are those of columns.
    """
    best, best_distance = None, np.inf
    for cause in causes(dict.fromkeys(c for q in odd for c in q.powers)):
        distance, touched = 0.0, 0
        if vocabulary.variable(cause.column).outside(own[cause.column] / cause.factor):
            continue
        if cause.unit == "girth" and not whole and len(odd) < 2:
            continue
        for quantity, value in values.items():
            power = quantity.powers.get(cause.column, 0)
            mended = value / cause.factor**power
            if np.isnan(value):
                continue
            if (quantity in odd and not power) or quantity.outside(mended, whole):
                break
            if power and np.isfinite(quantity.column_high):
                low, high = np.log([quantity.column_low or quantity.column_high / 100, quantity.column_high])
                distance += ((np.log(mended) - (low + high) / 2) / (high - low)) ** 2
                touched += 1
        else:
            if distance / max(touched, 1) < best_distance:
                best, best_distance = cause, distance / max(touched, 1)
    return best


def slip_of(ratio, unit, within):
    """Unit in which a value ``ratio`` times what was expected was probably written, or None."""
    if not ratio > 0:
        return None
    fits = [(abs(np.log(ratio / factor)), other) for other, factor in vocabulary.candidates(unit)]
    near = [item for item in fits if item[0] < np.log(within)]
    return min(near)[1] if near else None


def columns(found: Finder) -> None:
    """Report whole columns that contradict the others, with the figures and the likely cause.

    Values beyond the limits of the vocabulary count here: where a column is in another unit, many are.
    """
    level, rule = level_of(found.frame), rules()
    frame = found.frame[found.numeric].astype(float)
    codes = [(row, column) for row, column in found.told if column in frame]
    for row, column in codes:
        frame.loc[row, column] = np.nan
    values = _values(found.frame, frame, level)
    medians, odd = {}, []
    for quantity, one in values.items():
        known = one[np.isfinite(one)]
        medians[quantity] = float(np.median(known)) if len(known) >= rule["least_n"] else np.nan
        many = quantity.outside(known).mean() > rule["share_of_rows"] and np.isfinite(medians[quantity])
        if many or quantity.outside(medians[quantity], True):
            odd.append(quantity)
    found.odd = set(odd)
    if odd:
        _report_columns(found, values, medians, odd, frame.median().to_dict())


def _values(whole, frame, level) -> dict[Quantity, np.ndarray]:
    """Quantities that can be worked out for some record; one with limits of its own group is not judged by the general ones."""
    found = {}
    broken, group = is_dead(whole).to_numpy(), group_of(whole)
    own: dict[tuple, set] = {}
    for q in quantities():
        if q.group:
            own.setdefault(tuple(q.powers.items()), set()).add(q.group)
    for q in quantities():
        values = comparable(frame, q, level)
        if values is None:
            continue
        elsewhere = (
            group != q.group if q.group else np.isin(group, list(own.get(tuple(q.powers.items()), ())))
        )
        if q.level == "stand":
            # The limits of stands are those of forests.
            elsewhere = elsewhere | np.isin(group, OPEN)
        # What stands of a dead tree is often broken off.
        values = np.where(elsewhere | (broken & ("height" in q.powers)), np.nan, values)
        if np.isfinite(values).any():
            found[q] = values
    return found


def report(found: Finder) -> None:
    """Report records that contradict themselves, with the figures and the likely cause."""
    frame = measured(found.frame)
    values = {
        q: v for q, v in _values(found.frame, frame, level_of(found.frame)).items() if q not in found.odd
    }
    rows = {}
    for quantity, one in values.items():
        for i in np.flatnonzero(quantity.outside(one)):
            rows.setdefault(i, []).append(quantity)
    for i, odd in sorted(rows.items()):
        here = {q: float(v[i]) for q, v in values.items()}
        _report_record(found, frame.index[i], here, odd, frame.iloc[i].to_dict())


def _report_columns(found, values, medians, odd, own) -> None:
    """One problem for each cause; quantities that nothing explains follow with their columns."""
    left = list(odd)
    while left:
        cause = explain(medians, left, own, True)
        explained = left
        if cause is None:
            # Several columns may be wrong at once: the largest part that one of them explains.
            explained = [left[0]]
            cause = explain({left[0]: medians[left[0]]}, explained, own, True) if len(left) > 1 else None
            alike = [q for q in left if cause and cause.column in q.powers]
            if cause and not any(
                q.outside(medians[q] / cause.factor ** q.powers[cause.column], True) for q in alike
            ):
                explained = alike
        left = [q for q in left if q not in explained]
        column = cause.column if cause else _suspected(explained)
        shown = [q for q in values if q in explained][:3]
        figures = "; ".join(_figure(q, values[q]) for q in shown)
        advice = _advice(found, cause, explained)
        expected = tr(f"values that agree with the other columns: {figures}", f"与其他列相符的值：{figures}")
        found.add_column(column, expected, advice, "column")


def _figure(quantity, values) -> str:
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [0.05, 0.95])
    n = f"{quantity.n_study:.0f}"
    inside = tr(f"{quantity.span(True)} in {n} open studies", f"{n} 项公开研究为 {quantity.span(True)}")
    return f"{quantity.label} = {low:.2g}–{high:.2g} {quantity.unit}".strip() + f" ({inside})"


def _suspected(explained) -> str:
    """The column that most of some quantities share."""
    columns = [c for q in explained for c in q.powers]
    return max(dict.fromkeys(columns), key=columns.count)


def _advice(found, cause, explained) -> str:
    if cause is None:
        names = ", ".join(dict.fromkeys(found.label(c) for q in explained for c in q.powers))
        return tr(
            f"one of {names} is in another unit, or is not what its name says",
            f"{names} 之一的单位不同，或并非列名所指",
        )
    if cause.unit == "girth":
        return tr(
            f"{found.label(cause.column)}: likely {cause.words}",
            f"{found.label(cause.column)}：可能是{cause.words}",
        )
    return found.unit_advice(cause.unit, found.label(cause.column))


def _report_record(found, row, values, odd, own) -> None:
    fresh = [q for q in odd if not any((row, c) in found.told for c in q.powers)]
    if not fresh:
        return
    cause = explain(values, fresh, own, False)
    column = cause.column if cause else _suspected(fresh)
    figures = "; ".join(
        f"{q.label} = {values[q]:.3g}, " + tr(f"in open studies {q.span()}", f"公开研究为 {q.span()}")
        for q in fresh[:2]
    )
    expected = tr(f"a value that agrees with the others: {figures}", f"与其他列相符的值：{figures}")
    advice = _advice(found, cause, fresh) if cause else found.check_form()
    found.add(row, column, found.value(column, row), expected, advice, "plausible")


# Codes for what was not measured, and depths in metres.

#: Numbers that programs write where nothing was measured.
CODES = (-9, -99, -999, -9999, -99999, -999.9, -9999.9, 99, 999, 9999, 99999, 999.9, 9999.9)


def codes(found: Finder) -> None:
    """Report numbers such as -999 and 9999 that stand for what was not measured."""
    gap = rules()["sentinel_gap"]
    for column in found.numeric:
        values, known = found.frame[column].astype(float), vocabulary.variable(column)
        coded = values.isin(CODES)
        if not coded.any() or known.role == "position":
            continue
        largest = values[~coded & ~known.outside(values)].max()
        lone = (values > 0) & (values > gap * (largest if np.isfinite(largest) else np.inf))
        for row in values.index[coded & (lone | ((values < 0) & known.outside(values)))]:
            code = f"{values[row]:g}"
            expected = tr("a measurement or a blank cell", "测定值或空白")
            advice = tr(
                f"likely a code for what was not measured: declare it (--missing {code}) or leave the cell blank",
                f"可能是缺测代码：请声明（--missing {code}）或留空",
            )
            found.add(row, column, found.value(column, row), expected, advice, "code")


def depths(found: Finder) -> None:
    """Report layers that all end within a few centimetres, in fractions: their depths are in metres."""
    if not found.has("layer_top", "layer_bottom"):
        return
    bottom = found.frame["layer_bottom"].dropna()
    deepest = rules()["deepest"]
    several = len(bottom) >= 2 and (found.frame["layer_top"] > 0).any()
    if several and bottom.max() <= deepest and (bottom % 1 > 0).any():
        expected = tr(
            f"layers in cm; the deepest ends at {bottom.max():g} cm",
            f"以 cm 计的土层；最深仅至 {bottom.max():g} cm",
        )
        advice = found.unit_advice("m", f"{found.label('layer_top')}, {found.label('layer_bottom')}")
        extra = tr("stocks would be 100 times too small", "碳储量将小 100 倍")
        found.add_column("layer_bottom", expected, f"{advice}; {extra}", "column")


# Values that were computed, not measured.


@dataclass(frozen=True)
class Computed:
    """A column, or a part of it, that follows from others: its records, the formula, and of how many."""

    column: str
    rows: tuple
    formula: str
    of: int
    group: str

    @property
    def words(self) -> str:
        """The formula and on how many records it holds."""
        n, where = len(self.rows), f" ({self.group})" if self.group else ""
        return tr(
            f"{self.formula} on {n} of {self.of} records{where}",
            f"{self.formula}{where}，{self.of} 条记录中有 {n} 条",
        )

    def __str__(self) -> str:
        """One sentence for people."""
        return tr(
            f"{self.column} = {self.words}: computed, not measured",
            f"{self.column} = {self.words}：系推算而非实测",
        )


#: Pairs of which the first is computed from the second with a constant: what costs most to measure stands first.
PAIRS = (
    ("root", "agb"), ("bgb", "agb"), ("root", "total"), ("bgb", "total"), ("root", "stem"), ("foliage", "branch"),
    ("branch", "stem"), ("foliage", "stem"), ("bark", "stem"), ("stem", "volume"), ("agb", "volume"),
    ("bgb_density", "agb_density"), ("bgb_density", "total_density"), ("bgb_density", "stem_biomass_density"),
    ("foliage_density", "branch_density"), ("branch_density", "stem_biomass_density"),
    ("foliage_density", "stem_biomass_density"), ("bark_density", "stem_biomass_density"),
    ("stem_biomass_density", "growing_stock"), ("agb_density", "growing_stock"), ("soc", "organic_matter"),
    ("growing_stock", "basal_area · height"),
)  # fmt: skip
#: Sizes that a formula may have been given, beside the partners above.
GIVEN = ("dbh", "height", "basal_diameter", "crown_diameter", "crown_area", "age", "volume", "growing_stock")
#: Columns that name what is computed alike.
ALIKE = ("species", "genus", "study_id")


def computed(frame: pd.DataFrame, columns: Any = None) -> list[Computed]:
    """Columns that were computed from others, on the records where they were.

    A ratio that returns on more records of a species, a study or the file than chance allows, given the digits written and the
    spread of the other ratios; and a mass or volume whose logarithm follows from sizes with an R² and residuals that no
    balance reaches.

    Parameters
    ----------
    frame : DataFrame
        Vocabulary names and units.
    columns : collection of str, optional
        Those that are looked at; all when left out.

    Returns
    -------
    found : list of Computed
        The largest groups first; one whose records are all told already is left out.
    """
    numbers, rule = measured(frame), rules()
    wanted = [c for c in numbers if columns is None or c in columns]
    held = {c: numbers[c].to_numpy() for c in numbers}
    half = {c: _resolution(v[np.isfinite(v)]) for c, v in held.items()}
    if {"growing_stock", "dbh", "stem_density", "height"} <= set(held):
        # A form factor of the species makes a stock of stems, mean diameter and height.
        area = np.pi / 4 * (held["dbh"] / 100) ** 2 * held["stem_density"]
        held["basal_area · height"], half["basal_area · height"] = area * held["height"], 0.0
    groups = [("", np.arange(len(frame)))]
    for name in ALIKE:
        if name in frame and frame[name].nunique() > 1:
            groups += [(str(key), rows) for key, rows in frame.groupby(name, sort=False).indices.items()]
    found, told = [], set()
    for group, rows in groups:
        if len(rows) < rule["ratio_least"]:
            continue
        for y, x in PAIRS:
            if y in wanted and x in held:
                found += _repeated(held, half, (y, x), rows, group, rule)
        for y in wanted:
            if vocabulary.variable(y).unit in OF_TREE + OF_STAND:
                found += _function(held, half, y, rows, group, rule)
    kept = []
    for item in sorted(found, key=lambda c: -len(c.rows)):
        cells = {(item.column, i) for i in item.rows}
        if not cells <= told:
            kept.append(replace(item, rows=tuple(frame.index[list(item.rows)])))
            told |= cells
    return kept


def _resolution(values: np.ndarray) -> float:
    """Half a unit of the last digit that a column was written with: what nearly all of its values have at most."""
    for digits in range(7):
        whole = np.abs(np.round(values, digits) - values) < 1e-7 * np.maximum(1, np.abs(values))
        if not len(values) or whole.mean() > 0.95:
            return 0.5 * 10.0**-digits
    return 0.5e-6


def _repeated(held, half, pair, rows, group, rule) -> list[Computed]:
    """Records of which one ratio returns, within rounding or within a tenth of a per cent up to half a per cent."""
    y, x = pair
    above, below = held[y][rows], held[x][rows]
    both = np.isfinite(above) & np.isfinite(below)
    use = both & (above > 20 * half[y]) & (below > 20 * half[x])
    if use.sum() < rule["ratio_least"]:
        return []
    rows, above, below = rows[use], above[use], below[use]
    ratio, rounding = np.log(above / below), half[y] / above + half[x] / below
    # The widest first: it finds most records, but only where the others are spread.
    for loose in (rule["function_residual"], 0.001, 0.0):
        low, high = ratio - np.maximum(rounding, loose), ratio + np.maximum(rounding, loose)
        # The point that most intervals hold is the start of one of them.
        start, end = np.sort(low), np.sort(high)
        at = start[(np.searchsorted(start, start, "right") - np.searchsorted(end, start, "left")).argmax()]
        inside = (low <= at) & (at <= high)
        others, count = ratio[~inside], int(inside.sum())
        spread = rule["ratio_spread"]
        if len(others) >= rule["ratio_least"]:
            spread = max(1.4826 * float(np.median(np.abs(others - np.median(others)))), spread / 3)
        chance = (high - low).sum() / (spread * np.sqrt(2 * np.pi))
        rare = len(ratio) * poisson.sf(count - 1, chance) < rule["ratio_chance"]
        # Values at one size only would share any ratio: the two have to move together.
        moving = len(np.unique(below[inside])) >= rule["ratio_least"]
        if rare and moving and count >= max(rule["ratio_least"], rule["ratio_share"] * both.sum()):
            formula = f"{np.exp(np.median(ratio[inside])):.4g} × {x}"
            return [Computed(y, tuple(rows[inside]), formula, int(both.sum()), group)]
    return []


def _function(held, half, y, rows, group, rule) -> list[Computed]:
    """A column whose logarithm is a line or parabola of one size, or a plane of two."""
    values = held[y][rows]
    exact = np.isfinite(values) & (values > 100 * half[y])
    rows, n = rows[exact], int(np.isfinite(values).sum())
    if len(rows) < rule["function_least"]:
        return []
    sizes = [c for c in (*GIVEN, *(x for first, x in PAIRS if first == y)) if c in held and c != y]
    for names in [(c,) for c in sizes] + list(combinations([c for c in sizes if c in GIVEN][:4], 2)):
        x = np.array([held[c][rows] for c in names])
        use = (np.isfinite(x) & (x > 0)).all(axis=0)
        x, target = np.log(x[:, use]), np.log(held[y][rows[use]])
        if use.sum() < max(rule["function_least"], 10) or np.ptp(x, axis=1).min() < 0.3:
            continue
        design = np.column_stack([np.ones(use.sum()), *x, *(x**2 if len(names) == 1 else ())])
        residual = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
        free = (residual**2).sum() / (len(target) - design.shape[1])
        if np.sqrt(free) < rule["function_residual"] and free < (1 - rule["function_r2"]) * target.var(
            ddof=1
        ):
            formula = tr(f"a function of {', '.join(names)}", f"{'、'.join(names)} 的函数")
            return [Computed(y, tuple(rows[use]), formula, n, group)]
    return []


# Parts against the whole, and all that a fit or a stock asks of its data.


@lru_cache(maxsize=1)
def wholes() -> list[tuple[str, tuple[str, ...], bool]]:
    """Wholes, their parts, and whether these are all of it: ``data/rules/wholes.csv``."""
    rows = records("rules", "wholes.csv")
    return [(row["whole"], tuple(row["parts"].split()), row["note"] != "partial") for row in rows]


def sums(found) -> None:
    """Report parts that do not add up to the whole, and parts that together are heavier than it."""
    told, joined = set(), found.components.get("stem") == "stem_with_branches"
    for whole, members, complete in wholes():
        if joined and "stem" in members:
            members = tuple(part for part in members if part != "branch")
        present = [part for part in members if found.has(part)]
        if not found.has(whole) or not present:
            continue
        frame, masses = found.frame, {name: found.frame[name].to_numpy(float) for name in (whole, *present)}
        limit = found.rules["part_relative"] * np.abs(masses[whole]) + found.rules["part_absolute"]
        for part in present:
            _heavier(found, whole, part, frame.index[masses[part] - masses[whole] > limit], told)
        values = np.column_stack([masses[part] for part in present])
        known, total = ~np.isnan(values), np.nansum(values, axis=1)
        all_there = complete and len(present) == len(members)
        wrong = total - masses[whole] > limit
        wrong |= all_there & known.all(axis=1) & (masses[whole] - total > limit)
        places = [
            i for i in np.flatnonzero(wrong & (known.sum(axis=1) > 1)) if (frame.index[i], whole) not in told
        ]
        rows = [frame.index[i] for i in places]
        told |= {(row, whole) for row in rows}
        place = dict(zip(rows, places, strict=True))
        for row in found.in_words(rows, whole, "sum"):
            some = [part for part, there in zip(present, known[place[row]], strict=True) if there]
            made = " + ".join(f"{found.labels.get(part, part)} {frame[part][row]:.6g}" for part in some)
            missing = "" if all_there and len(some) == len(members) else tr("at least ", "至少 ")
            advice = tr("one of them is wrong, or the components differ", "其中之一有误，或组分口径不同")
            expected = f"{missing}{total[place[row]]:.6g} ({made})"
            found.add(row, whole, found.value(whole, row), expected, advice, "sum")


def _heavier(found, whole, part, rows, told) -> None:
    """Report a part that is heavier than its whole."""
    rows = [row for row in rows if (row, part) not in told]
    told |= {(row, name) for row in rows for name in (part, whole)}
    for row in found.in_words(rows, part, "part"):
        text = f"{found.labels.get(whole, whole)} = {found.value(whole, row)}"
        expected = tr(f"at most {text}", f"不大于 {text}")
        # A part is mostly between a hundredth and the whole of its whole.
        ratio = found.frame[part][row] / found.frame[whole][row] * 10
        slip = slip_of(ratio, vocabulary.variable(part).unit, 15)
        advice = found.unit_advice(slip) if slip else found.check_form()
        found.add(row, part, found.value(part, row), expected, advice, "part")


class Doubts(NamedTuple):
    """What a fit or a stock says of its data: ``columns`` in another unit, ``records`` that contradict themselves."""

    columns: list[str]
    records: list[str]


def doubts(frame: pd.DataFrame, name: str) -> Doubts:
    """Columns and records that cannot be what they say; records of one kind beyond the third are counted.

    Identifiers, and columns that are no part of what the frame is used for, are left to ``sinklab data check``.
    """
    found = Finder(frame, name, {}, most=ALIKE_SHOWN)
    for one in (depths, codes, columns, sums, report):
        one(found)
    lines, alike = [], Counter(p.rule for p in found.problems) + found.more
    for rule in alike.keys() - {"column"}:
        lines += [str(p) for p in found.problems if p.rule == rule][:ALIKE_SHOWN]
        if alike[rule] > ALIKE_SHOWN:
            more = alike[rule] - ALIKE_SHOWN
            also = tr(
                f"{more} more alike: {typed()} data check", f"另有 {more} 处同类问题：{typed()} data check"
            )
            lines[-1] = f"{lines[-1]}; {also}"
    return Doubts([str(p) for p in found.problems if p.rule == "column"], lines)
