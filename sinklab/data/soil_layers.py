"""Layers of a soil profile that cannot be right: bounds that do not join, carbon that the rest of the layer does not allow.

A layer may be upside down, overlap the one above, or leave a gap; its carbon may contradict its organic matter, or be too
little for soil as loose as this, which means per cent for g/kg. Every function only reports, and names the record; the
thresholds are those of ``data/rules/soil_checks.csv``.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sinklab.data import vocabulary
from sinklab.data.files import rule_values
from sinklab.data.vocabulary import number, suspect
from sinklab.language import tr

# Soil layers that do not join: upside down, overlapping, with a gap above them.

#: Columns that name a profile, as far as they are there.
PROFILE = ("study_id", "source_id", "site", "plot_id", "core_id", "soil_type")


def layer_rules() -> dict[str, float]:
    """Thresholds of ``data/rules/soil_checks.csv`` by their id."""
    return rule_values("soil_checks")


def layer_faults(layers: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
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
    found, tolerance = {}, layer_rules()["layer_tolerance"]
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


def advice(kind: str) -> str:
    """What to do about a fault."""
    return {
        "order": tr("bottom lies above top: exchange them, or correct one", "下界高于上界：请互换或更正"),
        "overlap": tr("overlaps the layer above: keep one of the two", "与上层重叠：请只保留其一"),
        "gap": tr("leaves a gap: add the layer, or impute it", "与上层之间有缺口：请补测或插补"),
        "bounds": tr("bounds are missing: read them in the field book", "上下界缺失：请查野外记录"),
    }[kind]


def describe_faults(layers: pd.DataFrame, faults: pd.DataFrame, by: Sequence[str] = ()) -> list[str]:
    """One line for each fault, naming record, profile, what was found and what was expected."""
    lines = []
    for i, kind, above in zip(faults.index, faults["kind"], faults["above"], strict=True):
        row = layers.loc[i]
        who = " ".join(str(row[c]) for c in by)
        top, bottom = row["layer_top"], row["layer_bottom"]
        lines.append(
            tr(
                f"record {number(i)} {who}: layer {top:g}-{bottom:g} cm, expected to begin at {above:g} cm; ",
                f"第 {number(i)} 条记录 {who}：土层 {top:g}～{bottom:g} cm，应始于 {above:g} cm；",
            )
            + advice(kind)
        )
    return lines


def report_joins(found) -> None:
    """Report the layers of a frame that do not join, profile by profile."""
    if not found.has("layer_top", "layer_bottom"):
        return
    by = [c for c in PROFILE if c in found.frame]
    faults = layer_faults(found.frame, by)
    for i, kind, above in zip(faults.index, faults["kind"], faults["above"], strict=True):
        top, bottom = found.frame.loc[i, "layer_top"], found.frame.loc[i, "layer_bottom"]
        expected = tr(f"a layer that begins at {above:g} cm", f"始于 {above:g} cm 的土层")
        found.add(i, "layer_top", f"{top:g}–{bottom:g} cm", expected, advice(kind), "layers")


# Carbon of a soil layer that its organic matter or its density does not allow.

#: Layers that a comparison of medians needs.
MANY = 10
#: Columns of soil layers whose unit is looked at.
SOIL = ("bulk_density", "soc", "organic_matter", "gravel_fraction", "bedrock_exposure", "soil_depth")
#: Of these, those that a stock is made from.
OF_STOCK = ("bulk_density", "soc", "organic_matter", "gravel_fraction")


def unit_faults(layers: pd.DataFrame) -> list[str]:
    """Values of soil layers that cannot be what their column says.

    Outside the limits of the vocabulary (bulk density in kg/m3, exposure, gravel and organic matter in per
    cent), carbon that is a tenth or ten times of what the organic matter of its layer allows, and, over ten
    layers and more, carbon that is too little for soil as loose as this: per cent for g/kg. A single core of
    soft mud may truly hold so little.
    """
    lines = [line for column in SOIL if column in layers for line in suspect(layers[column], column)]
    lines += against_matter(layers).values()
    if {"soc", "bulk_density"} <= set(layers.columns) and len(layers) >= MANY:
        loose = _too_little_for_loose_soil(layers)
        lines += [_of_loose_soil(layers, *loose)] if loose else []
    return lines


def against_matter(layers) -> dict:
    """Lines by index for layers whose carbon and organic matter contradict each other."""
    lines = {}
    for i, (r, advice) in _carbon_of_matter(layers).items():
        soc, (low, high) = layers.loc[i, "soc"], _share_of_matter()
        lines[i] = (
            tr(
                f"record {number(i)}: soc = {soc:g} g/kg is {100 * r:.3g} % of the organic matter; "
                f"expected {100 * low:g}-{100 * high:g} %; ",
                f"第 {number(i)} 条记录：有机碳 {soc:g} g/kg 为有机质的 {100 * r:.3g} %；"
                f"应为 {100 * low:g}～{100 * high:g} %；",
            )
            + advice
        )
    return lines


def set_aside(layers: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
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
    for column in OF_STOCK:
        if column in layers:
            lines += suspect(layers[column], column)
            layers[column] = layers[column].mask(vocabulary.variable(column).outside(layers[column]))
    against = against_matter(layers)
    if against:
        layers.loc[list(against), ["soc", "organic_matter"]] = np.nan
    return layers, lines + list(against.values())


def report_carbon(found) -> None:
    """Report carbon that contradicts the organic matter or the density of its layer."""
    if found.has("soc", "organic_matter"):
        low, high = _share_of_matter()
        for i, (_, advice) in _carbon_of_matter(found.frame).items():
            matter = 1000 * found.frame.loc[i, "organic_matter"]
            expected = tr(
                f"{low * matter:.3g}–{high * matter:.3g} g/kg",
                f"{low * matter:.3g}～{high * matter:.3g} g/kg",
            )
            found.add(i, "soc", found.value("soc", i), expected, advice, "carbon")
    if found.has("soc", "bulk_density") and len(found.frame) >= MANY:
        loose = _too_little_for_loose_soil(found.frame)
        if loose:
            records, _, soc, expected = loose
            told = tr(f"about {expected:.0f} g/kg in soil as loose", f"如此疏松的土壤约 {expected:.0f} g/kg")
            found.add(
                records[0],
                "soc",
                tr(f"{soc:g} g/kg (median)", f"{soc:g} g/kg（中位数）"),
                told,
                _percent(soc),
                "carbon",
            )


def _share_of_matter():
    return layer_rules()["oc_of_om_low"], layer_rules()["oc_of_om_high"]


def _carbon_of_matter(layers) -> dict:
    """Share of carbon in organic matter and advice, by index, where the two contradict each other.

    Clay loses water on ignition, so little carbon beside much loss is believed unless a tenth explains it;
    more carbon than organic matter can hold is never believed.
    """
    if not {"soc", "organic_matter"} <= set(layers.columns):
        return {}
    low, high = _share_of_matter()
    ratio = layers["soc"] / (layers["organic_matter"] * 1000)
    found = {}
    for i, r in ratio[(ratio < low) | (ratio > high)].items():
        if r < low and not low <= r * 10 <= high:
            continue
        advice = tr("one of the two is wrong", "两者之一有误")
        if r < low:
            advice = _percent(layers.loc[i, "soc"])
        elif low <= r / 10 <= high:
            advice = tr("likely organic matter in another unit", "有机质含量可能为其他单位")
        found[i] = (r, advice)
    return found


def _too_little_for_loose_soil(layers):
    """Records, and medians of density, carbon and carbon expected, of loose soil that holds too little; None if it does not.

    Loose soil is loose because it holds organic matter: its carbon is compared with the mixing model.
    """
    k1, k2 = layer_rules()["mixing_k1"], layer_rules()["mixing_k2"]
    loose = layers[(layers["bulk_density"] < layer_rules()["loose_soil"]) & layers["soc"].notna()]
    loose = loose[loose["bulk_density"] > k1]
    if loose.empty:
        return None
    matter = (1 / loose["bulk_density"] - 1 / k2) / (1 / k1 - 1 / k2)
    share = loose["soc"] / (500 * matter)  # half of the organic matter is carbon, in g/kg
    if (
        share.median() >= layer_rules()["carbon_of_mixing"]
        or not share.median() * 10 > layer_rules()["carbon_of_mixing"]
    ):
        return None
    soc = loose["soc"].median()
    return list(loose.index), loose["bulk_density"].median(), soc, soc / share.median()


def _of_loose_soil(layers, records, density, soc, expected) -> str:
    shown = ", ".join(str(number(i)) for i in records[:10])
    return tr(
        f"records {shown}: soc = {soc:g} g/kg at a bulk density of {density:g} g/cm3 (medians); soil as loose as "
        f"this holds about {expected:.0f} g/kg; ",
        f"第 {shown} 条记录：容重中位数 {density:g} g/cm³ 处有机碳中位数 {soc:g} g/kg；如此疏松的土壤约含 {expected:.0f} g/kg；",
    ) + _percent(soc)


def _percent(soc) -> str:
    return tr(
        f"likely unit: % ({soc:g} % = {10 * soc:g} g/kg)", f"可能的单位：%（{soc:g} % = {10 * soc:g} g/kg）"
    )
