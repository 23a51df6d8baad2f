"""Faults of soil layers that make a stock wrong: order, gaps, overlaps, missing values and likely units.

Every function only reports; nothing is converted or closed on its own. The thresholds are those of
``data/rules/soil_checks.csv``.
"""

import csv
from functools import lru_cache

import numpy as np
import pandas as pd

from sinklab import paths, units, vocabulary
from sinklab.errors import DataError, UnitError, listing
from sinklab.language import tr

#: Layers that a comparison of medians needs.
MANY = 10


@lru_cache(maxsize=1)
def rules() -> dict[str, float]:
    """Thresholds of ``data/rules/soil_checks.csv`` by their id."""
    with open(paths.data("rules", "soil_checks.csv"), encoding="utf-8-sig", newline="") as stream:
        return {row["rule_id"]: float(row["value"]) for row in csv.DictReader(stream)}


def layer_faults(layers, by=()) -> pd.DataFrame:
    """Find layers that are upside down, overlap, or leave a gap above them.

    Parameters
    ----------
    layers : DataFrame
        ``layer_top``, ``layer_bottom`` [cm].
    by : sequence of str
        Columns that name a profile.

    Returns
    -------
    faults : DataFrame
        Index of ``layers``; ``kind`` (``order``, ``overlap``, ``gap``, ``bounds``), ``size`` [cm] and ``above`` (the bound
        of the layer above, or the surface).
    """
    found, tolerance = {}, rules()["layer_tolerance"]
    groups = layers.groupby(list(by), sort=False, dropna=False) if by else [((), layers)]
    for _, part in groups:
        part = part.sort_values(["layer_top", "layer_bottom"])
        above = 0.0
        for i, top, bottom in zip(part.index, part["layer_top"], part["layer_bottom"], strict=True):
            if not (np.isfinite(top) and np.isfinite(bottom)):
                found[i] = ("bounds", np.nan, above)
                continue
            if bottom <= top:
                found[i] = ("order", top - bottom, above)
                continue
            if top < above - tolerance:
                found[i] = ("overlap", above - top, above)
            elif top > above + tolerance:
                found[i] = ("gap", top - above, above)
            above = max(above, bottom)
    faults = pd.DataFrame.from_dict(found, orient="index", columns=["kind", "size", "above"])
    return faults.reindex([i for i in layers.index if i in found])


def describe_faults(layers, faults, by=()) -> list[str]:
    """One line for each fault, naming record, profile, what was found and what was expected."""
    advice = {
        "order": tr("bottom lies above top: exchange them, or correct one", "下界高于上界：请互换或更正"),
        "overlap": tr("overlaps the layer above: keep one of the two", "与上层重叠：请只保留其一"),
        "gap": tr("leaves a gap: add the layer, or impute it", "与上层之间有缺口：请补测或插补"),
        "bounds": tr("bounds are missing: read them in the field book", "上下界缺失：请查野外记录"),
    }
    lines = []
    for i, kind, above in zip(faults.index, faults["kind"], faults["above"], strict=True):
        row = layers.loc[i]
        who = " ".join(str(row[c]) for c in by)
        top, bottom = row["layer_top"], row["layer_bottom"]
        lines.append(
            tr(
                f"record {_number(i)} {who}: layer {top:g}-{bottom:g} cm, expected to begin at {above:g} cm; ",
                f"第 {_number(i)} 条记录 {who}：土层 {top:g}～{bottom:g} cm，应始于 {above:g} cm；",
            )
            + advice[kind]
        )
    return lines


def unit_faults(layers) -> list[str]:
    """Values that cannot be what their column says, each with its record and the likely unit.

    Outside the limits of the vocabulary (bulk density in kg/m3, exposure, gravel and organic matter in per
    cent), carbon that is a tenth or ten times of what the organic matter of its layer allows, and, over ten
    layers and more, carbon that is too little for soil as loose as this: per cent for g/kg. A single core of
    soft mud may truly hold so little.
    """
    lines = []
    for column in (
        "bulk_density",
        "soc",
        "organic_matter",
        "gravel_fraction",
        "bedrock_exposure",
        "soil_depth",
    ):
        if column in layers:
            lines += suspect(layers[column], column)
    if {"soc", "organic_matter"} <= set(layers.columns):
        lines += _carbon_of_matter(layers).values()
    if {"soc", "bulk_density"} <= set(layers.columns) and len(layers) >= MANY:
        lines += _carbon_of_density(layers)
    return lines


def suspect(values, name: str) -> list[str]:
    """Values of one variable outside its limits, with the units that would bring them back.

    Parameters
    ----------
    values : Series
        In the unit of the vocabulary.
    name : str
        A variable of the vocabulary.

    Returns
    -------
    lines : list of str
        ``record 41: carbon_fraction = 47; expected 0.2-0.7; likely unit: % (47 % = 0.47)``.
    """
    known = vocabulary.variable(name)
    values = values.dropna().astype(float)
    wrong = values[(values < known.minimum) | (values > known.maximum)]
    lines = []
    for i, value in wrong.items():
        likely = _likely(value, known)
        lines.append(
            tr(
                f"record {_number(i)}: {name} = {value:g}; "
                f"expected {known.minimum:g}-{known.maximum:g} {units.symbol(known.unit, 'en')}; ",
                f"第 {_number(i)} 条记录：{name} = {value:g}；"
                f"应为 {known.minimum:g}～{known.maximum:g} {units.symbol(known.unit, 'zh')}；",
            )
            + (likely or tr("no unit explains it: check the field book", "单位无法解释：请查野外记录"))
        )
    return lines


def _likely(value, known) -> str:
    found = {}
    for unit in units.units():
        try:
            converted = float(units.convert(value, unit, known.unit))
        except UnitError:
            continue
        if unit != known.unit and known.minimum < converted < known.maximum:
            found.setdefault(
                round(converted, 12),
                f"{unit} ({value:g} {unit} = {converted:g} {known.unit})".replace(" 1)", ")"),
            )
    return tr("likely unit: ", "可能的单位：") + ", ".join(list(found.values())[:2]) if found else ""


def _carbon_of_matter(layers) -> dict:
    """Lines by index for layers whose carbon and organic matter contradict each other.

    Clay loses water on ignition, so little carbon beside much loss is believed unless a tenth explains it;
    more carbon than organic matter can hold is never believed.
    """
    low, high = rules()["oc_of_om_low"], rules()["oc_of_om_high"]
    ratio = layers["soc"] / (layers["organic_matter"] * 1000)
    lines = {}
    for i, r in ratio[(ratio < low) | (ratio > high)].items():
        soc = layers.loc[i, "soc"]
        if r < low and not low <= r * 10 <= high:
            continue
        likely = tr("one of the two is wrong", "两者之一有误")
        if r < low:
            likely = _percent(soc)
        elif low <= r / 10 <= high:
            likely = tr("likely organic matter in another unit", "有机质含量可能为其他单位")
        lines[i] = (
            tr(
                f"record {_number(i)}: soc = {soc:g} g/kg is {100 * r:.3g} % of the organic matter; "
                f"expected {100 * low:g}-{100 * high:g} %; ",
                f"第 {_number(i)} 条记录：有机碳 {soc:g} g/kg 为有机质的 {100 * r:.3g} %；"
                f"应为 {100 * low:g}～{100 * high:g} %；",
            )
            + likely
        )
    return lines


def _carbon_of_density(layers) -> list[str]:
    """Loose soil is loose because it holds organic matter: compare its carbon with the mixing model."""
    k1, k2 = rules()["mixing_k1"], rules()["mixing_k2"]
    loose = layers[(layers["bulk_density"] < rules()["loose_soil"]) & layers["soc"].notna()]
    loose = loose[loose["bulk_density"] > k1]
    if loose.empty:
        return []
    matter = (1 / loose["bulk_density"] - 1 / k2) / (1 / k1 - 1 / k2)
    share = loose["soc"] / (500 * matter)  # half of the organic matter is carbon, in g/kg
    if share.median() >= rules()["carbon_of_mixing"] or not share.median() * 10 > rules()["carbon_of_mixing"]:
        return []
    records = ", ".join(str(_number(i)) for i in loose.index[:10])
    soc, density = loose["soc"].median(), loose["bulk_density"].median()
    return [
        tr(
            f"records {records}: soc = {soc:g} g/kg at a bulk density of {density:g} g/cm3 (medians); soil as loose as "
            f"this holds about {soc / share.median():.0f} g/kg; ",
            f"第 {records} 条记录：容重中位数 {density:g} g/cm³ 处有机碳中位数 {soc:g} g/kg；如此疏松的土壤约含 "
            f"{soc / share.median():.0f} g/kg；",
        )
        + _percent(soc)
    ]


def _percent(soc) -> str:
    return tr(
        f"likely unit: % ({soc:g} % = {10 * soc:g} g/kg)", f"可能的单位：%（{soc:g} % = {10 * soc:g} g/kg）"
    )


def require_profile(layers, depth: float, name: str = "profile") -> None:
    """Refuse a profile whose stock to ``depth`` would be wrong.

    Raises
    ------
    DataError
        Layers out of order, overlapping or gapped, values missing or of another unit, an end above ``depth``; all at once.
    """
    used = layers[layers["layer_top"] < depth]
    problems = describe_faults(used, layer_faults(used))
    for column in ("bulk_density", "soc", "organic_matter", "gravel_fraction"):
        problems += suspect(used[column], column) if column in used else []
    problems += _carbon_of_matter(used).values() if "organic_matter" in used else []
    for column in ("bulk_density", "soc"):
        for i in used.index[used[column].isna()]:
            problems.append(
                tr(
                    f"record {_number(i)}: {column} is missing; impute it as a distribution, it is not zero",
                    f"第 {_number(i)} 条记录：缺 {column}；请按分布插补，不得视为零",
                )
            )
    end = used["layer_bottom"].max() if len(used) else 0.0
    if not end >= depth - rules()["layer_tolerance"]:
        problems.append(
            tr(
                f"ends at {end:g} cm; expected {depth:g} cm: state a smaller depth, or impute the layers below",
                f"止于 {end:g} cm；应达 {depth:g} cm：请采用较浅的深度，或插补下部土层",
            )
        )
    if problems:
        raise DataError(f"{name}: " + listing(problems))


def _number(index):
    return index + 1 if isinstance(index, (int, np.integer)) else index


def set_aside(layers) -> tuple[pd.DataFrame, list[str]]:
    """Blank the values whose unit is in doubt, each named; the depths stay.

    Parameters
    ----------
    layers : DataFrame

    Returns
    -------
    layers : DataFrame
        A copy: values outside the limits of the vocabulary are missing, and where carbon and organic matter contradict each
        other both are.
    lines : list of str
        What was blanked and why.
    """
    layers, lines = layers.copy(), []
    for column in ("bulk_density", "soc", "organic_matter", "gravel_fraction"):
        if column in layers:
            known = vocabulary.variable(column)
            lines += suspect(layers[column], column)
            outside = (layers[column] < known.minimum) | (layers[column] > known.maximum)
            layers[column] = layers[column].mask(outside)
    if {"soc", "organic_matter"} <= set(layers.columns):
        against = _carbon_of_matter(layers)
        lines += against.values()
        layers.loc[list(against), ["soc", "organic_matter"]] = np.nan
    return layers, lines
