"""What follows from the columns of a data set: exceptions of single studies, differences, sums, ratios."""

import numpy as np
import pandas as pd

from sinklab import vocabulary
from sinklab.language import tr


def derive(frame, entry, notes) -> None:
    """Add to a frame what its entry in ``data/open.yml`` says can be computed, and count it.

    Parameters
    ----------
    frame : DataFrame
        Changed in place.
    entry : dict
        ``constants`` hold for every record, ``limits`` names columns whose values outside the vocabulary are
        blanked, ``contradictions`` blank two columns where one cannot be such a share of the other,
        ``exceptions`` change a column on the records of one study, ``differences`` take a part from a
        whole, ``sums`` fill totals that are missing, ``ratios`` divide two columns.
    notes : list of str
        Lines are appended.
    """
    for column, value in entry.get("constants", {}).items():
        frame[column] = value
    for name in entry.get("limits", []):
        _limit(frame, name, notes)
    for item in entry.get("contradictions", []):
        _contradiction(frame, item, notes)
    for item in entry.get("exceptions", []):
        _exception(frame, item, notes)
    for item in entry.get("differences", []):
        _difference(frame, item, notes)
    for item in entry.get("sums", []):
        _sum(frame, item, notes)
    for item in entry.get("ratios", []):
        over, under = item["of"]
        frame[item["variable"]] = frame[over] / frame[under]
        text = f"{item['variable']} = {over} / {under}"
        notes.append(tr(f"{text}: computed", f"{text}：计算得出"))


def _records(rows) -> str:
    """Numbers of the first records of a mask, and how many there are."""
    found = [str(i + 1) for i in rows.index[rows]]
    return ", ".join(found[:10]) + (", …" if len(found) > 10 else "")


def _limit(frame, name, notes) -> None:
    known = vocabulary.variable(name)
    outside = (frame[name] < known.minimum) | (frame[name] > known.maximum)
    if outside.any():
        frame[name] = frame[name].mask(outside)
        span = f"{known.minimum:g}-{known.maximum:g} {known.unit}"
        notes.append(
            tr(
                f"{name}: {int(outside.sum())} values outside {span} set to missing (records {_records(outside)})",
                f"{name}：{int(outside.sum())} 个值超出 {span}，设为缺失（第 {_records(outside)} 条）",
            )
        )


def _contradiction(frame, item, notes) -> None:
    over, under = item["of"]
    share = frame[over] / (frame[under] * item["scale"])
    beyond = (share > item["maximum"]) | (share < item["minimum"])
    if beyond.any():
        frame[[over, under]] = frame[[over, under]].mask(beyond)
        span = f"{item['minimum']:g}-{item['maximum']:g}"
        notes.append(
            tr(
                f"{over} is not {span} of {under} on {int(beyond.sum())} records, both set to missing: "
                f"{item['reason']} (records {_records(beyond)})",
                f"{int(beyond.sum())} 条记录的 {over} 与 {under} 之比不在 {span} 内，两者均设为缺失："
                f"{item['reason']}（第 {_records(beyond)} 条）",
            )
        )


def _exception(frame, item, notes) -> None:
    rows = pd.Series(True, index=frame.index)
    for column, value in item["where"].items():
        rows &= frame[column] == value
    name, added = item["variable"], item["add"]
    changed = rows & frame[name].notna()
    frame[name] = frame[name].mask(rows, frame[name] + frame[added])
    for column in item["blank"]:
        frame[column] = frame[column].mask(rows)
    who = ", ".join(str(value) for value in item["where"].values())
    blank = ", ".join(item["blank"])
    notes.append(
        tr(
            f"{who}: {added} added to {name} and {blank} computed anew on {int(changed.sum())} records: {item['reason']}",
            f"{who}：{int(changed.sum())} 条记录的 {name} 加上 {added}，并重新计算 {blank}：{item['reason']}",
        )
    )


def _difference(frame, item, notes) -> None:
    whole, part = frame[item["from"]], frame[item["minus"]]
    result = whole - part
    bad, alone = result <= 0, whole.notna() & part.isna()
    frame[item["variable"]] = result.mask(bad)
    formula = f"{item['variable']} = {item['from']} - {item['minus']}"
    good = int((result > 0).sum())
    notes.append(
        tr(
            f"{formula}: {good} records; blank on {int(alone.sum())} without {item['minus']}",
            f"{formula}：{good} 条；{int(alone.sum())} 条缺 {item['minus']}，留空",
        )
    )
    if bad.any():
        studies = frame.loc[bad, "study_id"].value_counts()
        kinds = ", ".join(f"{study} ({count})" for study, count in studies.items())
        notes.append(
            tr(
                f"{formula}: not positive on {int(bad.sum())} records, {item['variable']} left blank: {kinds}",
                f"{formula}：{int(bad.sum())} 条不为正，{item['variable']} 留空：{kinds}",
            )
        )


def _sum(frame, item, notes) -> None:
    total = frame[item["of"]].sum(axis=1, skipna=False)
    present = frame[item["variable"]] if item["variable"] in frame else pd.Series(np.nan, index=frame.index)
    fill = present.isna() & total.notna()
    frame[item["variable"]] = present.where(~fill, total)
    if fill.any():
        text = f"{item['variable']} = {' + '.join(item['of'])}"
        notes.append(
            tr(
                f"{text}: computed on {int(fill.sum())} records that lack it",
                f"{text}：为 {int(fill.sum())} 条缺该值的记录计算",
            )
        )
