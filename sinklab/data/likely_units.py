"""Values that cannot be what their column says, each with its record and the unit that would explain it.

Every function only reports; nothing is converted on its own. The thresholds are those of
``data/rules/soil_checks.csv``.

The collector of problems, the thresholds, and the advice that goes with a suspicious number.

Soil layers of a profile that do not join: upside down, overlapping, with a gap above them.
"""

import numpy as np
import pandas as pd

from sinklab.data import vocabulary
from sinklab.data.files import rule_values
from sinklab.data.studies import Problem
from sinklab.language import UnitError, tr

# --- The collector of problems, the thresholds, and the advice that goes with a suspicious number.

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
    return [(other, float(vocabulary.convert(1.0, unit, other))) for other in CONFUSED.get(unit, ())]


def slip_of(ratio, unit, within):
    """Unit in which a value ``ratio`` times what was expected was probably written, or None."""
    if not ratio > 0:
        return None
    fits = [(abs(np.log(ratio / factor)), other) for other, factor in slips(unit)]
    near = [item for item in fits if item[0] < np.log(within)]
    return min(near)[1] if near else None


# --- Soil layers of a profile that do not join: upside down, overlapping, with a gap above them.

#: Columns that name a profile, as far as they are there.
PROFILE = ("study_id", "source_id", "site", "plot_id", "core_id", "soil_type")


def layer_rules() -> dict[str, float]:
    """Thresholds of ``data/rules/soil_checks.csv`` by their id."""
    return rule_values("soil_checks")


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


def describe_faults(layers, faults, by=()) -> list[str]:
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


def number(index):
    """Number of a record, counted from one; other labels stand for themselves."""
    return index + 1 if isinstance(index, (int, np.integer)) else index


def joins(found) -> None:
    """Report the layers of a frame that do not join, profile by profile."""
    if not found.has("layer_top", "layer_bottom"):
        return
    by = [c for c in PROFILE if c in found.frame]
    faults = layer_faults(found.frame, by)
    for i, kind, above in zip(faults.index, faults["kind"], faults["above"], strict=True):
        top, bottom = found.frame.loc[i, "layer_top"], found.frame.loc[i, "layer_bottom"]
        expected = tr(f"a layer that begins at {above:g} cm", f"始于 {above:g} cm 的土层")
        found.add(i, "layer_top", f"{top:g}–{bottom:g} cm", expected, advice(kind), "layers")


# --- Values that cannot be what their column says, each with its record and the unit that would explain it.

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
                f"expected {known.minimum:g}-{known.maximum:g} {vocabulary.units_symbol(known.unit, 'en')}; ",
                f"第 {number(i)} 条记录：{name} = {value:g}；"
                f"应为 {known.minimum:g}～{known.maximum:g} {vocabulary.units_symbol(known.unit, 'zh')}；",
            )
            + (explained or tr("no unit explains it: check the field book", "单位无法解释：请查野外记录"))
        )
    return lines


def likely(value, known) -> str:
    """Units in which a number would lie inside the limits of a variable; empty when there is none."""
    found = {}
    for unit in vocabulary.units():
        try:
            converted = float(vocabulary.convert(value, unit, known.unit))
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
