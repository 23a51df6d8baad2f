"""Soil layers of a profile that do not join: upside down, overlapping, with a gap above them."""

import numpy as np
import pandas as pd

from sinklab.language import tr
from sinklab.tabular import rule_values

#: Columns that name a profile, as far as they are there.
PROFILE = ("study_id", "source_id", "site", "plot_id", "core_id", "soil_type")


def rules() -> dict[str, float]:
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
