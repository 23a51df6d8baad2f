"""Layers of a soil profile that cannot be right: bounds that do not join, carbon that the rest of the layer does not allow.

A layer may be upside down, overlap the one above, or leave a gap; its carbon may contradict its organic matter, or be too
little for soil as loose as this, which means per cent for g/kg. Every function only reports, and names the record; the
thresholds are those of ``data/rules/soil_checks.csv``. :func:`require_profile` refuses a profile whose stock would be wrong.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sinklab.data import vocabulary
from sinklab.data.files import rule_row, rule_values
from sinklab.data.vocabulary import number, suspect
from sinklab.language import DataError, Notes, listing, tr

# Soil layers that do not join: upside down, overlapping, with a gap above them.

#: Columns that name a profile, as far as they are there.
PROFILE = ("study_id", "source_id", "site", "plot_id", "core_id", "soil_type")


class Fault(NamedTuple):
    """One value of a layer that cannot be right; as text, a line that names the record."""

    index: Any
    column: str
    value: str
    expected: str
    advice: str
    text: str

    def __str__(self) -> str:
        """One line for people."""
        i = number(self.index)
        return tr(f"record {i}: {self.text}; {self.advice}", f"第 {i} 条记录：{self.text}；{self.advice}")


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
        "twice": tr(
            "the layer stands twice: give replicate cores their own core_id (such as A-1, A-2), all are kept",
            "该层重复：重复土芯请各自编号（core_id，如 A-1、A-2），均予保留",
        ),
        "gap": tr("leaves a gap: add the layer, or impute it", "与上层之间有缺口：请补测或插补"),
        "bounds": tr("bounds are missing: read them in the field book", "上下界缺失：请查野外记录"),
    }[kind]


def join_faults(layers: pd.DataFrame, by: Sequence[str] = ()) -> list[Fault]:
    """Layers that do not join, each with what was found and what was expected."""
    faults, found = layer_faults(layers, by), []
    bounds = [*by, "layer_top", "layer_bottom"]
    twice = set(layers.index[layers.duplicated(bounds, keep=False)])
    for i, kind, above in zip(faults.index, faults["kind"], faults["above"], strict=True):
        top, bottom = layers.at[i, "layer_top"], layers.at[i, "layer_bottom"]
        expected = tr(f"a layer that begins at {above:g} cm", f"始于 {above:g} cm 的土层")
        text = tr(
            f"layer {top:g}-{bottom:g} cm, expected to begin at {above:g} cm",
            f"土层 {top:g}～{bottom:g} cm，应始于 {above:g} cm",
        )
        told = advice("twice" if kind == "overlap" and i in twice else kind)
        found.append(Fault(i, "layer_top", f"{top:g}–{bottom:g} cm", expected, told, text))
    return found


# Carbon of a soil layer that its organic matter or its density does not allow.

#: Layers that a comparison of medians needs.
MANY = 10
#: Columns of soil layers that a stock is made from.
OF_STOCK = ("bulk_density", "soc", "organic_matter", "gravel_fraction")


def carbon_faults(layers: pd.DataFrame) -> list[Fault]:
    """Carbon that contradicts the organic matter or the density of its layer."""
    return against_matter(layers) + too_much_for_volume(layers) + _too_little_for_loose_soil(layers)


def set_aside(layers: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Blank the values whose unit is in doubt, each named; the depths stay.

    Parameters
    ----------
    layers : DataFrame

    Returns
    -------
    layers : DataFrame
        A copy: values outside the limits of the vocabulary are missing; where carbon and organic matter, or carbon and
        density, contradict each other both are.
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
        layers.loc[[fault.index for fault in against], ["soc", "organic_matter"]] = np.nan
    dense = too_much_for_volume(layers)
    if dense:
        layers.loc[[fault.index for fault in dense], ["soc", "bulk_density"]] = np.nan
    return layers, lines + [str(fault) for fault in [*against, *dense]]


def too_much_for_volume(layers: pd.DataFrame) -> list[Fault]:
    """Layers that hold more carbon than fits into their volume, by ``carbon_volume`` of ``data/rules/gate.csv``.

    Organic matter is light: by the mixing model half of it, as carbon, comes to some 50 kg on a cubic metre, whatever its share.
    Carbon or density is wrong, and nothing says which.
    """
    if not {"soc", "bulk_density"} <= set(layers.columns):
        return []
    most = rule_row("gate", "carbon_volume")["value"]
    found = []
    held = layers["soc"] * layers["bulk_density"]
    # A density that no soil has is told as such, and says nothing of the carbon beside it.
    possible = ~vocabulary.variable("bulk_density").outside(layers["bulk_density"])
    for i, value in held[(held > most) & possible].items():
        soc, density = layers.at[i, "soc"], layers.at[i, "bulk_density"]
        where = "/".join(str(layers.at[i, c]) for c in ("study_id", "site", "core_id") if c in layers)
        told = (
            f"{where}, {layers.at[i, 'layer_top']:g}–{layers.at[i, 'layer_bottom']:g} cm: " if where else ""
        )
        text = tr(
            f"{told}soc = {soc:g} g/kg at {density:g} g/cm3 is {value:.0f} kg of carbon on a cubic metre; expected up to {most:g}",
            f"{told}有机碳 {soc:g} g/kg、容重 {density:g} g/cm³，合每立方米 {value:.0f} kg 碳；应不超过 {most:g}",
        )
        advice = tr("one of the two is wrong", "两者之一有误")
        said = f"{soc:.6g} g/kg, soc·bulk_density = {value:.0f} kg/m3"
        found.append(Fault(i, "soc", said, f"0–{most:g} kg/m3", advice, text))
    return found


def against_matter(layers: pd.DataFrame) -> list[Fault]:
    """Layers whose carbon and organic matter contradict each other.

    Clay loses water on ignition, so little carbon beside much loss is believed unless a tenth explains it;
    more carbon than organic matter can hold is never believed.
    """
    if not {"soc", "organic_matter"} <= set(layers.columns):
        return []
    low, high = layer_rules()["oc_of_om_low"], layer_rules()["oc_of_om_high"]
    ratio, found = layers["soc"] / (layers["organic_matter"] * 1000), []
    for i, r in ratio[(ratio < low) | (ratio > high)].items():
        soc, matter = layers.at[i, "soc"], 1000 * layers.at[i, "organic_matter"]
        told = tr("one of the two is wrong", "两者之一有误")
        if r < low:
            if not low <= r * 10 <= high:
                continue
            told = _percent(soc)
        elif low <= r / 10 <= high:
            told = tr("likely organic matter in another unit", "有机质含量可能为其他单位")
        expected = f"{low * matter:.3g}–{high * matter:.3g} g/kg"
        text = tr(
            f"soc = {soc:g} g/kg is {100 * r:.3g} % of the organic matter; expected {100 * low:g}-{100 * high:g} %",
            f"有机碳 {soc:g} g/kg 为有机质的 {100 * r:.3g} %；应为 {100 * low:g}～{100 * high:g} %",
        )
        found.append(Fault(i, "soc", f"{soc:.6g} g/kg", expected, told, text))
    return found


def _too_little_for_loose_soil(layers) -> list[Fault]:
    """Loose soil that holds too little carbon, over ten layers and more, told at the first of its layers.

    Loose soil is loose because it holds organic matter: its carbon is compared with the mixing model.
    """
    if not {"soc", "bulk_density"} <= set(layers.columns) or len(layers) < MANY:
        return []
    rule = layer_rules()
    k1, k2 = rule["mixing_k1"], rule["mixing_k2"]
    density = layers["bulk_density"]
    loose = layers[(density < rule["loose_soil"]) & (density > k1) & layers["soc"].notna()]
    matter = (1 / loose["bulk_density"] - 1 / k2) / (1 / k1 - 1 / k2)
    # Half of the organic matter is carbon, in g/kg.
    share, soc = (loose["soc"] / (500 * matter)).median(), loose["soc"].median()
    if not share < rule["carbon_of_mixing"] < 10 * share:
        return []
    value = tr(f"{soc:g} g/kg (median)", f"{soc:g} g/kg（中位数）")
    wanted = tr(
        f"about {soc / share:.0f} g/kg in soil as loose ({loose['bulk_density'].median():g} g/cm3)",
        f"如此疏松的土壤（{loose['bulk_density'].median():g} g/cm³）约 {soc / share:.0f} g/kg",
    )
    text = tr(f"soc = {value}; expected {wanted}", f"有机碳 {value}；{wanted}")
    return [Fault(loose.index[0], "soc", value, wanted, _percent(soc), text)]


def _percent(soc) -> str:
    return tr(
        f"likely unit: % ({soc:g} % = {10 * soc:g} g/kg)", f"可能的单位：%（{soc:g} % = {10 * soc:g} g/kg）"
    )


# A complete profile


def require_profile(layers: pd.DataFrame, depth: float, name: str = "profile") -> None:
    """Refuse a profile whose stock to ``depth`` would be wrong.

    Raises
    ------
    DataError
        Layers out of order, overlapping or gapped, values missing or of another unit, an end above ``depth``; all at once.
    """
    used = layers[layers["layer_top"] < depth]
    problems = unmeasured(used, depth)
    for column in OF_STOCK:
        problems += suspect(used[column], column) if column in used else []
    problems += map(str, against_matter(used))
    if problems:
        raise DataError(f"{name}: " + listing(problems))


def unmeasured(layers, depth) -> list[str]:
    """What keeps layers from being a complete profile to a depth, one line each."""
    problems = Notes(map(str, join_faults(layers)))
    # Stones that were looked for in some layers and not in others are not known to be absent.
    sought = "gravel_fraction" in layers and layers["gravel_fraction"].notna().any()
    for column in ("bulk_density", "soc", *(["gravel_fraction"] if sought else [])):
        for i in layers.index[layers[column].isna()]:
            problems.add(
                f"record {number(i)}: {column} is missing; impute it as a distribution, it is not zero",
                f"第 {number(i)} 条记录：缺 {column}；请按分布插补，不得视为零",
            )
    end = layers["layer_bottom"].max() if len(layers) else 0.0
    if not end >= depth - layer_rules()["layer_tolerance"]:
        problems.add(
            f"ends at {end:g} cm; expected {depth:g} cm: state a smaller depth, or impute the layers below",
            f"止于 {end:g} cm；应达 {depth:g} cm：请采用较浅的深度，或插补下部土层",
        )
    return problems
