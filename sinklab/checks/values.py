"""Checks that need no model: identifiers, limits, parts against the whole, dry against fresh."""

import numpy as np
import pandas as pd

from sinklab import vocabulary
from sinklab.checks.finder import plain, slip_of, slips, unit_text
from sinklab.language import tr

#: Wholes and the parts that make them up.
SUMS = (
    ("stem", ("wood", "bark")),
    ("crown", ("branch", "foliage")),
    ("agb", ("stem", "branch", "foliage")),
    ("agb", ("stem", "crown")),
    ("total", ("agb", "root")),
    ("total", ("agb", "bgb")),
    ("agb_density", ("stem_biomass_density", "branch_density", "foliage_density")),
    ("total_density", ("agb_density", "bgb_density")),
)
#: Wholes and parts that cannot be heavier.
PARTS = (
    ("stem", ("wood", "bark")),
    ("agb", ("stem", "branch", "foliage", "crown")),
    ("total", ("agb", "root", "bgb")),
    ("stem_biomass_density", ("bark_density",)),
    ("total_density", ("agb_density", "bgb_density")),
)
#: Variables of a stand that its trees and quadrats do not have.
STAND = ("growing_stock", "stem_density", "basal_area")
#: Individuals are numbered within these; a plot may stand once for each layer, core, date and component.
WITHIN = (
    "study_id",
    "source_id",
    "site",
    "plot_id",
    "core_id",
    "layer_top",
    "season",
    "species",
    "component",
)


def identifiers(found) -> None:
    """Report individuals that appear twice, and text in columns of numbers."""
    frame = found.frame
    for column in frame:
        if found.measured(column) and column not in found.numeric:
            numbers = pd.to_numeric(frame[column], errors="coerce")
            for row, cell in frame[column][numbers.isna() & frame[column].notna()].items():
                found.add(row, column, str(cell), tr("a number", "数值"), found.check_form(), "number")
    # A plot is a record of its own where stands are described; trees and quadrats share theirs.
    name = "tree_id" if "tree_id" in frame or not found.has_any(*STAND) else "plot_id"
    if name not in frame:
        return
    keys = [name, *(c for c in WITHIN if c in frame and c != name)]
    filled = frame[frame[name].notna()]
    for _, part in filled[filled.duplicated(keys, keep=False)].groupby(keys, dropna=False, sort=False):
        records = ", ".join(f"#{row + 1}" for row in part.index)
        advice = tr(
            f"records {records} share it; leave the copy out in corrections.csv (column *) or renumber it",
            f"记录 {records} 编号相同；请在 corrections.csv 中剔除重复记录（列写 *）或另行编号",
        )
        expected = tr("each id once", "编号不重复")
        found.add(part.index[-1], name, plain(part[name].iloc[0]), expected, advice, "duplicate")


def limits(found) -> None:
    """Report values outside the limits of the vocabulary."""
    for column in found.numeric:
        known, values = vocabulary.variable(column), found.frame[column]
        low = -np.inf if known.minimum is None else known.minimum
        high = np.inf if known.maximum is None else known.maximum
        for row, value in values[values.notna() & ~found.inside(column)].items():
            span = f"{low:g}–{high:g}{unit_text(column)}"
            expected = tr(f"{span} (variables.csv)", f"{span}（variables.csv）")
            found.add(
                row, column, found.value(column, row), expected, _limit_advice(found, known, value), "range"
            )


def _limit_advice(found, known, value) -> str:
    if value < 0 <= (known.minimum or 0):
        return tr(
            "a measurement is never negative; correct it or leave it blank", "测定值不应为负；请更正或留空"
        )
    low, high = known.minimum or 0, known.maximum if known.maximum is not None else np.inf
    # A value just beyond a limit is a large tree, not a slip.
    far = value > 2 * high or value < low / 2
    inside = [unit for unit, factor in slips(known.unit) if far and low <= value / factor <= high]
    return found.unit_advice(inside[0]) if inside else found.check_form()


def sums(found) -> None:
    """Report parts that do not add up to the whole."""
    frame, rule = found.frame, found.rules
    joined = found.components.get("stem") == "stem_with_branches"
    for whole, parts in SUMS:
        if joined and "stem" in parts:
            parts = tuple(part for part in parts if part != "branch")
        if not found.has(whole, *parts):
            continue
        total = frame[list(parts)].sum(axis=1, skipna=False)
        wide = rule["part_relative"] * frame[whole].abs() + rule["part_absolute"]
        for row in frame.index[(total - frame[whole]).abs() > wide]:
            made = " + ".join(f"{found.labels.get(part, part)} {frame[part][row]:.6g}" for part in parts)
            advice = tr("one of them is wrong, or the components differ", "其中之一有误，或组分口径不同")
            found.add(row, whole, found.value(whole, row), f"{total[row]:.6g} ({made})", advice, "sum")


def parts(found) -> None:
    """Report parts that are heavier than the whole."""
    frame, rule = found.frame, found.rules
    for whole, members in PARTS:
        for part in members:
            if not found.has(whole, part):
                continue
            limit = frame[whole] * (1 + rule["part_relative"]) + rule["part_absolute"]
            for row in frame.index[frame[part] > limit]:
                text = f"{found.labels.get(whole, whole)} = {found.value(whole, row)}"
                expected = tr(f"at most {text}", f"不大于 {text}")
                unit = vocabulary.variable(part).unit
                # A part is mostly between a hundredth and the whole of its whole.
                slip = slip_of(frame[part][row] / frame[whole][row] * 10, unit, 15)
                advice = found.unit_advice(slip) if slip else found.check_form()
                found.add(row, part, found.value(part, row), expected, advice, "part")


def fresh(found) -> None:
    """Report dry masses above the fresh mass."""
    frame = found.frame
    if not found.has("fresh_mass"):
        return
    organs = [c for c in ("stem", "branch", "foliage") if found.has(c)]
    dry = frame[organs].sum(axis=1, min_count=1) if organs else pd.Series(np.nan, index=frame.index)
    if found.has("agb"):
        dry = frame["agb"].where(frame["agb"].notna(), dry)
    for row in frame.index[dry > frame["fresh_mass"]]:
        expected = tr(f"at least the dry mass {dry[row]:.6g} kg", f"不小于绝干质量 {dry[row]:.6g} kg")
        advice = tr(
            "were fresh and dry mass exchanged, or one of them mistyped?", "鲜质量与干质量是否填反或填错？"
        )
        found.add(row, "fresh_mass", found.value("fresh_mass", row), expected, advice, "fresh")
