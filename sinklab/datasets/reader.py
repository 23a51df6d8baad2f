"""Read an open data set by what ``data/open.yml`` says of its columns, counting every value it sets aside."""

import csv
import io
from collections import Counter

import pandas as pd

from sinklab import provenance, tabular, units, vocabulary
from sinklab.datasets import catalog, names
from sinklab.datasets.derive import derive
from sinklab.errors import DataError, listing
from sinklab.language import tr

#: Columns of which one says what a record is.
IDENTIFIERS = {"tree_id", "plot_id", "core_id"}


def read_open(name: str) -> pd.DataFrame:
    """Read an open data set in vocabulary names and units.

    Parameters
    ----------
    name : str
        A name in ``data/open.yml``.

    Returns
    -------
    frame : DataFrame
        One row per record of the file; ``attrs["source"]`` and ``attrs["notes"]``.

    Raises
    ------
    DataError
        The file is not at hand, or lacks a column.
    """
    entry = catalog.entry(name)
    path, *others = catalog.files(name)
    notes = []
    raw = _raw(path, notes)
    for item, other in zip(entry.get("joins", ()), others, strict=True):
        raw = _join(raw, _raw(other, notes), item["keys"], other)
    wanted = [item["column"] for item in entry["columns"].values()]
    wanted += [entry["species"]] if "species" in entry else []
    missing = [column for column in wanted if column not in raw]
    if missing:
        raise DataError(
            tr(
                f"{path}: no column {', '.join(missing)}; columns: {', '.join(raw.columns)}",
                f"{path}：没有列 {'、'.join(missing)}；已有列：{', '.join(raw.columns)}",
            )
        )
    columns = _species(raw[entry["species"]], notes) if "species" in entry else {}
    if not IDENTIFIERS & set(entry["columns"]):
        columns["tree_id"] = pd.Series([f"{name}_{i + 1:05d}" for i in range(len(raw))], index=raw.index)
    for variable, item in entry["columns"].items():
        columns[variable] = _column(raw[item["column"]], variable, item, notes)
    frame = pd.DataFrame(columns)
    _diameter_height(frame, raw, entry.get("diameter_height"), notes)
    derive(frame, entry, notes)
    components = {
        v: i["component"] for v, i in entry["columns"].items() if "component" in i and "as" not in i
    }
    components |= {d["variable"]: d["component"] for d in entry.get("differences", [])}
    digests = {
        item["path"]: provenance.file_sha256(file)
        for item, file in zip(entry["files"], [path, *others], strict=True)
    }
    changed = [item["path"] for item in entry["files"] if digests[item["path"]] != item["sha256"]]
    if changed:
        notes.append(
            tr(
                f"{', '.join(changed)} differs from the file described in data/open.yml (SHA-256)",
                f"{'、'.join(changed)} 与 data/open.yml 所述文件不同（SHA-256）",
            )
        )
    frame.attrs["notes"] = notes
    frame.attrs["source"] = {
        "spec": f"open:{name}",
        "where": {},
        "title": entry["title"]["en"],
        "title_zh": entry["title"]["zh"],
        "citation": entry["citation"],
        "licence": entry["licence"],
        "origin": entry["origin"],
        "components": components,
        "files": digests,
    }
    return frame


def _raw(path, notes) -> pd.DataFrame:
    """Text cells as in the file, under headers written in Latin letters only."""
    rows = list(csv.reader(io.StringIO(tabular.read_text(path))))
    header = [names.latin(cell) for cell in rows[0]]
    for before, after in zip(rows[0], header, strict=True):
        if before.strip() != after:
            text = f"{before!r} → {after!r}"
            notes.append(
                tr(f"header {text}: letters of another alphabet", f"表头 {text}：含其他字母表的字母")
            )
    lengths = [f"{i + 1}: {len(row)}" for i, row in enumerate(rows) if len(row) != len(header)]
    if lengths:
        raise DataError(
            tr(
                f"{path}: expected {len(header)} cells in every line, found\n{listing(lengths)}",
                f"{path}：每行应有 {len(header)} 个单元格，而\n{listing(lengths)}",
            )
        )
    return pd.DataFrame(rows[1:], columns=header, dtype="object")


def _join(raw, other, keys, path) -> pd.DataFrame:
    """Add to every record the columns of a second file that it lacks, found by shared keys."""
    twice = other[other.duplicated(keys)]
    alone = raw[~pd.MultiIndex.from_frame(raw[keys]).isin(pd.MultiIndex.from_frame(other[keys]))]
    problems = [
        tr(f"keys used twice: {row}", f"键重复：{row}") for row in twice[keys].drop_duplicates().to_numpy()
    ]
    problems += [
        tr(f"no record for {row}", f"没有 {row} 的记录") for row in alone[keys].drop_duplicates().to_numpy()
    ]
    if problems:
        raise DataError(f"{path}: {listing(problems)}")
    fresh = [c for c in other.columns if c in keys or c not in raw]
    return raw.merge(other[fresh], on=keys, how="left", validate="many_to_one")


def _species(labels, notes) -> dict:
    """Columns species, genus and species_id from the labels of a data set."""
    cleaned = [names.clean(label) for label in labels]
    species = pd.Series([s or None for s, _, _ in cleaned], index=labels.index, dtype="str")
    genus = pd.Series([g or None for _, g, _ in cleaned], index=labels.index, dtype="str")
    keys = {s: names.species_id(s) or None for s in set(species.dropna())}
    foreign = sum(names.latin(label) != " ".join(label.split()) for label in labels)
    several = sum(n > 1 for _, _, n in cleaned)
    unnamed = sum(n < 2 and not s for s, _, n in cleaned)
    for count, en, zh in (
        (
            foreign,
            "species labels held letters of another alphabet, replaced",
            "个树种名含其他字母表的字母，已替换",
        ),
        (
            several,
            "records name several taxa: species blank, genus kept where they share it",
            "条记录含多个树种：树种留空，同属时保留属名",
        ),
        (unnamed, "records name a genus only, or nothing: species blank", "条记录只有属名或无名称：树种留空"),
    ):
        if count:
            notes.append(tr(f"{count} {en}", f"{count} {zh}"))
    return {"species": species, "genus": genus, "species_id": species.map(keys).astype("str")}


def _column(cells, variable, item, notes) -> pd.Series:
    blank_only = int(sum(bool(cell) and not cell.strip() for cell in cells))
    if blank_only:
        text = tr(
            f"{item['column']}: {blank_only} cells hold only a blank, read as missing",
            f"{item['column']}：{blank_only} 个单元格只有空格，按缺失处理",
        )
        notes.append(text)
    cells = cells.str.strip()
    cells = cells.mask(cells.isin(tabular.MISSING))
    if "unit" not in item:
        if "values" in item:
            cells = cells.map(lambda cell: item["values"].get(cell, cell), na_action="ignore")
        return cells.map(lambda cell: " ".join(names.latin(cell).split()), na_action="ignore").astype("str")
    values = pd.to_numeric(cells, errors="coerce").astype(float)
    text = cells[values.isna() & cells.notna()]
    if len(text):
        kinds = ", ".join(f"{cell} ({count})" for cell, count in Counter(text).most_common(8))
        notes.append(
            tr(
                f"{item['column']}: {len(text)} cells hold text, set to missing: {kinds}",
                f"{item['column']}：{len(text)} 个单元格为文字，设为缺失：{kinds}",
            )
        )
    known = vocabulary.variable(item.get("as", variable))
    values = pd.Series(units.convert(values.to_numpy(), item["unit"], known.unit), index=cells.index)
    # A length or mass of zero or less was not measured; the limits of the vocabulary are left to `data check`.
    impossible = (values <= 0) if (known.minimum or 0) > 0 else (values < (known.minimum or 0))
    if known.role != "position" and impossible.any():
        count = int(impossible.sum())
        notes.append(
            tr(
                f"{item['column']}: {count} values at or below zero set to missing",
                f"{item['column']}：{count} 个不大于零的值设为缺失",
            )
        )
        values = values.mask(impossible)
    return values


def _diameter_height(frame, raw, rule, notes) -> None:
    """Set aside diameters that were not measured at breast height."""
    if not rule:
        return
    cells = raw[rule["column"]]
    if "rules" in rule:
        for item in rule["rules"]:
            away = frame["dbh"].notna() & cells.str.contains(item["contains"], regex=False)
            _set_aside(frame, away, item["move_to"], f"{rule['column']}: … {item['contains']}", notes)
    else:
        height = pd.to_numeric(cells, errors="coerce")
        away = frame["dbh"].notna() & ((height < rule["minimum"]) | (height > rule["maximum"]))
        _set_aside(frame, away, "", f"{rule['column']} < {rule['minimum']} m / > {rule['maximum']} m", notes)
        unknown = int((frame["dbh"].notna() & height.isna()).sum())
        if unknown:
            notes.append(
                tr(
                    f"{unknown} dbh values kept although {rule['column']} is blank",
                    f"{unknown} 个胸径未注明量测高度（{rule['column']} 为空），予以保留",
                )
            )
    # What remains on plants below breast height cannot be a diameter there.
    low = frame["dbh"].notna() & (frame["height"] < rule["breast_height"])
    _set_aside(frame, low, "", f"height < {rule['breast_height']} m", notes)


def _set_aside(frame, away, move_to, why, notes) -> None:
    if not away.any():
        return
    count = int(away.sum())
    if move_to:
        frame[move_to] = frame["dbh"].where(away)
        notes.append(
            tr(
                f"{count} diameters moved from dbh to {move_to} ({why})",
                f"{count} 个直径由胸径改记为 {move_to}（{why}）",
            )
        )
    else:
        notes.append(
            tr(
                f"{count} dbh values set to missing: not at breast height ({why})",
                f"{count} 个胸径设为缺失：不在胸高处量测（{why}）",
            )
        )
    frame["dbh"] = frame["dbh"].mask(away)
