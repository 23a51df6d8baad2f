"""Read the four files of a study and collect everything that stands in the way."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from sinklab import provenance, tabular, units, vocabulary
from sinklab.errors import DataError, UnitError
from sinklab.language import tr
from sinklab.studies import FILES
from sinklab.studies.corrections import correct
from sinklab.studies.problem import Inspection

COLUMNS = ("column", "variable", "unit_in", "component", "note")
CORRECTIONS = ("record", "column", "old", "new", "reason", "who")
#: What study.yml must say; a simulated study also says how it was generated.
FIELDS = ("title", "species", "region", "method", "origin", "licence", "contacts", "citation")
ORIGINS = ("measured", "simulated")


def inspect(folder) -> Inspection:
    """Read a study as far as possible and collect its problems instead of raising them."""
    found = Inspection(Path(folder))
    _read_info(found)
    raw = _read_table(found, "data.csv")
    columns = _read_table(found, "columns.csv", COLUMNS)
    corrections = _read_table(found, "corrections.csv", CORRECTIONS, may_be_empty=True)
    if raw is None or columns is None:
        return found
    found.columns = columns.to_dict("records")
    keys = _record_keys(found, raw)
    if corrections is not None:
        raw = correct(found, raw, keys, corrections)
    found.frame = _typed(found, raw, keys)
    _describe(found)
    return found


def _read_info(found) -> None:
    try:
        info = yaml.safe_load(tabular.read_text(found.folder / "study.yml"))
    except (DataError, yaml.YAMLError) as error:
        found.add(
            "study.yml", "", "study.yml", "", tr("a readable YAML file", "可读的 YAML 文件"), str(error)
        )
        return
    if not isinstance(info, dict):
        expected = ", ".join(FIELDS)
        found.add("study.yml", "", "study.yml", type(info).__name__, expected)
        return
    found.info = info
    for name in FIELDS:
        value = info.get(name)
        # A text in two languages is said when both are.
        if not (all(value.values()) if isinstance(value, dict) else value):
            advice = tr("say it in study.yml", "请在 study.yml 中写明")
            found.add("study.yml", "", name, "–", tr("a value", "有内容"), advice)
    if info.get("origin") and info["origin"] not in ORIGINS:
        found.add("study.yml", "", "origin", info["origin"], " / ".join(ORIGINS))
    if info.get("origin") == "simulated" and not info.get("generator"):
        found.add("study.yml", "", "generator", "–", tr("seed and equations", "随机种子与方程"))
    try:
        vocabulary.species(str(info.get("species", "")))
    except DataError as error:
        found.add(
            "study.yml", "", "species", info.get("species"), tr("a known species", "已知树种"), str(error)
        )


def _read_table(found, name, expected=None, may_be_empty=False) -> pd.DataFrame | None:
    path = found.folder / name
    try:
        if may_be_empty and path.is_file() and len(tabular.read_text(path).strip().splitlines()) == 1:
            return pd.DataFrame(columns=list(expected), dtype="str")
        header, rows = tabular.read_rows(path)
    except DataError as error:
        found.add(name, "", name, "", tr("a readable table", "可读的表格"), str(error))
        return None
    if expected and list(header) != list(expected):
        found.add(name, "", tr("header", "表头"), ",".join(header), ",".join(expected))
        return None
    return pd.DataFrame(rows, columns=header, dtype="str")


def _record_keys(found, raw) -> list[str]:
    """Names by which people find a record: tree number, else plot number, else ``#`` and the position."""
    for variable in ("tree_id", "plot_id"):
        for row in found.columns:
            if row["variable"] == variable and row["column"] in raw:
                cells = list(raw[row["column"]])
                return [cell or f"#{i + 1}" for i, cell in enumerate(cells)]
    return [f"#{i + 1}" for i in range(len(raw))]


def _typed(found, raw, keys) -> pd.DataFrame:
    """Turn raw cells into vocabulary columns and units; cells that are no numbers become problems."""
    described, taken, typed = set(), {}, {}
    for row in found.columns:
        column, name = row["column"], row["variable"]
        described.add(column)
        if column not in raw:
            expected = tr("a column of data.csv", "data.csv 中的列")
            found.add("columns.csv", column, "column", column, expected, ", ".join(raw.columns))
            continue
        if not name:
            found.notes.append(
                tr(f"column {column} is not read: {row['note']}", f"未读取列 {column}：{row['note']}")
            )
            continue
        if name in taken:
            expected = tr(f"one column; {taken[name]} is it already", f"只对应一列；{taken[name]} 已对应")
            found.add("columns.csv", column, "variable", name, expected)
            continue
        taken[name] = column
        try:
            variable = vocabulary.variable(name)
        except DataError as error:
            found.add("columns.csv", column, "variable", name, tr("a known variable", "已知变量"), str(error))
            continue
        cells = raw[column]
        if not variable.numeric:
            blank = cells.isin(tabular.MISSING)
            typed[name] = cells.mask(blank)
            continue
        if row["component"] and row["component"] not in vocabulary.components():
            expected = tr(
                "a component of data/vocabulary/components.csv", "data/vocabulary/components.csv 中的组分"
            )
            found.add("columns.csv", column, "component", row["component"], expected)
        values = _numbers(found, cells, column, keys)
        typed[name] = pd.Series(_converted(found, row, values, variable.unit), index=raw.index)
    for column in raw.columns:
        if column and column not in described:
            advice = tr("leave variable blank if it is not used", "不使用的列 variable 留空")
            found.add(
                "columns.csv",
                "",
                column,
                "",
                tr("a row for every column of data.csv", "每列各有一行"),
                advice,
            )
    return pd.DataFrame(typed, index=raw.index)


def _numbers(found, cells, column, keys) -> np.ndarray:
    try:
        return tabular.to_numbers(list(cells), column, "data.csv")
    except DataError:
        pass
    values = np.full(len(cells), np.nan)
    for position, (row, cell) in enumerate(cells.items()):
        try:
            values[position] = tabular.to_numbers([cell], column, "data.csv")[0]
        except DataError:
            expected = tr("a finite number or a blank cell", "有限数值或空白")
            advice = tr(
                "add a row to corrections.csv with the reason", "请在 corrections.csv 中加一行并写明理由"
            )
            found.add("data.csv", _record(keys, row), column, cell, expected, advice)
    return values


def _record(keys, row) -> str:
    return keys[row] if keys[row].startswith("#") else f"#{row + 1} ({keys[row]})"


def _converted(found, row, values, unit) -> np.ndarray:
    if not row["unit_in"]:
        expected = tr(f"the unit of the raw column, such as {unit}", f"原始列的单位，例如 {unit}")
        found.add("columns.csv", row["column"], "unit_in", "–", expected)
        return values
    try:
        return np.asarray(units.convert(values, row["unit_in"], unit), dtype=float)
    except UnitError as error:
        found.add("columns.csv", row["column"], "unit_in", row["unit_in"], unit, str(error))
        return values


def _describe(found) -> None:
    """Add what the folder says of all records, and the attributes that travel with the frame."""
    frame, info = found.frame, found.info
    folder = found.folder
    if "study_id" not in frame:
        frame.insert(0, "study_id", folder.name)
    if "species" not in frame and info.get("species"):
        try:
            known = vocabulary.species(str(info["species"]))
        except DataError:
            known = None
        if known:
            frame.insert(1, "species", known.name_latin)
    components = {r["variable"]: r["component"] for r in found.columns if r["component"]}
    title = info.get("title") if isinstance(info.get("title"), dict) else {"en": info.get("title")}
    frame.attrs["study"] = info | {"study_id": folder.name, "components": components}
    frame.attrs["notes"] = list(found.notes)
    frame.attrs["source"] = {
        "spec": f"study:{folder.name}",
        "where": {},
        "title": title.get("en") or folder.name,
        "title_zh": title.get("zh") or title.get("en") or folder.name,
        "citation": info.get("citation", ""),
        "licence": info.get("licence", ""),
        "origin": info.get("origin", ""),
        "components": components,
        "files": provenance.files_sha256(p for p in (folder / n for n in FILES) if p.is_file()),
    }
