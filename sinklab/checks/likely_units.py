"""Values that cannot be what their column says, each with its record and the unit that would explain it.

Every function only reports; nothing is converted on its own. The thresholds are those of
``data/rules/soil_checks.csv``.
"""

import numpy as np

from sinklab import units, vocabulary
from sinklab.checks.layers import number, rules
from sinklab.errors import UnitError
from sinklab.language import tr

#: Layers that a comparison of medians needs.
MANY = 10
#: Columns of soil layers whose unit is looked at.
SOIL = ("bulk_density", "soc", "organic_matter", "gravel_fraction", "bedrock_exposure", "soil_depth")
#: Of these, those that a stock is made from.
OF_STOCK = ("bulk_density", "soc", "organic_matter", "gravel_fraction")


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
        explained = likely(value, known)
        lines.append(
            tr(
                f"record {number(i)}: {name} = {value:g}; "
                f"expected {known.minimum:g}-{known.maximum:g} {units.symbol(known.unit, 'en')}; ",
                f"第 {number(i)} 条记录：{name} = {value:g}；"
                f"应为 {known.minimum:g}～{known.maximum:g} {units.symbol(known.unit, 'zh')}；",
            )
            + (explained or tr("no unit explains it: check the field book", "单位无法解释：请查野外记录"))
        )
    return lines


def likely(value, known) -> str:
    """Units in which a number would lie inside the limits of a variable; empty when there is none."""
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


def unit_faults(layers) -> list[str]:
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


def set_aside(layers):
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
            known = vocabulary.variable(column)
            lines += suspect(layers[column], column)
            outside = (layers[column] < known.minimum) | (layers[column] > known.maximum)
            layers[column] = layers[column].mask(outside)
    against = against_matter(layers)
    if against:
        layers.loc[list(against), ["soc", "organic_matter"]] = np.nan
    return layers, lines + list(against.values())


def carbon(found) -> None:
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
    return rules()["oc_of_om_low"], rules()["oc_of_om_high"]


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
    k1, k2 = rules()["mixing_k1"], rules()["mixing_k2"]
    loose = layers[(layers["bulk_density"] < rules()["loose_soil"]) & layers["soc"].notna()]
    loose = loose[loose["bulk_density"] > k1]
    if loose.empty:
        return None
    matter = (1 / loose["bulk_density"] - 1 / k2) / (1 / k1 - 1 / k2)
    share = loose["soc"] / (500 * matter)  # half of the organic matter is carbon, in g/kg
    if share.median() >= rules()["carbon_of_mixing"] or not share.median() * 10 > rules()["carbon_of_mixing"]:
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
