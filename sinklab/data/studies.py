"""Field studies: a folder with the raw table, what its columns mean, what was corrected and why.

``data/studies/<id>/`` holds four files. ``data.csv`` is kept as received. ``columns.csv`` gives each
raw column its vocabulary variable, the unit it was written in and, for masses, what exactly was
weighed. ``corrections.csv`` changes single cells, each with old value, new value, reason and name.
``study.yml`` says what the study is. :func:`inspect` collects everything that stands in the way of reading
them, :func:`read_study` refuses a study with any of it.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from sinklab import paths
from sinklab.data import files, layout, vocabulary
from sinklab.data.catalogue import STUDY_FILES, study_folder
from sinklab.data.columns import spans
from sinklab.data.headers import is_blank, quantity
from sinklab.language import DataError, Notes, UnitError, listing, tr

COLUMNS = ("column", "variable", "unit_in", "component", "note")
#: How the values of a column were got, which ``columns.csv`` may say in a column ``got`` of its own.
GOT = ("weighed", "subsampled", "measured", "computed", "ratio", "digitised")
#: Of these, those of which no table is made: the equation or the ratio would come back.
NOT_MEASURED = ("computed", "ratio")
CORRECTIONS = ("record", "column", "old", "new", "reason", "who")
#: What study.yml must say; a simulated study also says how it was generated.
FIELDS = ("title", "species", "region", "method", "origin", "licence", "contacts", "citation")
ORIGINS = ("measured", "simulated")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a file: where, what was found, what was expected, what to do."""

    file: str
    record: str
    column: str
    value: str
    expected: str
    advice: str
    rule: str

    def __str__(self):
        """One line for people."""
        where = tr(f", record {self.record}", f"，记录 {self.record}") if self.record else ""
        found = f"{self.column} = {self.value}" if self.value else self.column
        expected = tr(f"expected {self.expected}", f"应为 {self.expected}")
        end = f"; {self.advice}" if self.advice else ""
        return f"{self.file}{where}: {found}; {expected}{end}"


@dataclass
class Inspection:
    """What was read of a study, and everything that stood in the way."""

    folder: Path
    info: dict = field(default_factory=dict)
    columns: list = field(default_factory=list)
    frame: object = None
    problems: list = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)

    def name(self, file: str) -> str:
        """Name of one of the files, for messages."""
        return paths.relative(self.folder / file)

    def add(self, file, record, column, value, expected, advice="", rule="file"):
        """Note a problem."""
        self.problems.append(
            Problem(self.name(file), str(record), str(column), str(value), expected, advice, rule)
        )


def read_study(study_id: str | Path) -> pd.DataFrame:
    """Read a study in vocabulary names and units, with its corrections applied.

    Parameters
    ----------
    study_id : str or path
        Name of a folder in ``data/studies``, or a folder.

    Returns
    -------
    frame : DataFrame, one row per record
        Columns named and measured as in ``data/vocabulary/variables.csv``, with ``study_id`` and
        ``species`` added; row ``i`` is record ``i + 1`` of ``data.csv``. ``attrs["study"]`` holds
        ``study.yml`` and the component of each mass, ``attrs["source"]`` what a table keeps of it,
        ``attrs["notes"]`` what was changed or left out.

    Raises
    ------
    DataError
        Everything that is wrong with the four files, at once.

    Examples
    --------
    >>> sl.read_study('chinese_fir_simulated').shape
    (150, 12)
    """
    found = inspect(study_folder(study_id))
    if found.problems:
        raise DataError(listing(found.problems))
    return found.frame


def inspect(folder: str | Path) -> Inspection:
    """Read a study as far as possible and collect its problems instead of raising them."""
    found = Inspection(Path(folder))
    _read_info(found)
    raw = _read_raw(found)
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
        info = files.parse_yaml(files.read_text(found.folder / "study.yml"), "study.yml")
    except DataError as error:
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
        if info.get("species"):  # that there is none is told above
            vocabulary.species(str(info["species"]))
    except DataError as error:
        found.add(
            "study.yml", "", "species", info.get("species"), tr("a known species", "已知树种"), str(error)
        )


def raw_table(path: str | Path) -> layout.Form:
    """Records of a table as received, opened as every command opens a field file: cells as text, titles, sums and notes apart.

    Raises
    ------
    DataError
        No table, no record, or names used twice.
    """
    form = next(filter(None, map(layout.find, files.sheets(path))), None)
    if form is None or not form.rows:
        raise DataError(f"{path}: no record below the header", f"{path}：表头下没有记录")
    header = [f.header for f in form.fields]
    repeated = ", ".join(sorted({name for name in header if name and header.count(name) > 1}))
    if repeated:
        raise DataError(f"{path}: column names used twice: {repeated}", f"{path}：列名重复：{repeated}")
    return form


def _read_raw(found) -> pd.DataFrame | None:
    if any(found.folder.glob("received.*")):
        # Written by `new study` from the file as received: no title, no sum is left in it.
        return _read_table(found, "data.csv")
    try:
        form = raw_table(found.folder / "data.csv")
    except DataError as error:
        found.add("data.csv", "", "data.csv", "", tr("a readable table", "可读的表格"), str(error))
        return None
    for rows, why in form.skipped:
        lines = spans(row + 1 for row in rows)
        found.notes.add(f"data.csv, row {lines}: not read: {why}", f"data.csv 第 {lines} 行未读：{why}")
    return pd.DataFrame(form.cells, columns=[f.header for f in form.fields], dtype="str")


def _read_table(found, name, expected=None, may_be_empty=False) -> pd.DataFrame | None:
    path = found.folder / name
    try:
        if may_be_empty and path.is_file() and len(files.read_text(path).strip().splitlines()) == 1:
            return pd.DataFrame(columns=list(expected), dtype="str")
        header, rows = files.read_rows(path)
    except DataError as error:
        found.add(name, "", name, "", tr("a readable table", "可读的表格"), str(error))
        return None
    if expected and [c for c in header if c != "got"] != list(expected):
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
            found.notes.add(
                f"column {column} is not read: {row['note']}", f"未读取列 {column}：{row['note']}"
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
            blank = cells.isin(files.MISSING)
            typed[name] = cells.mask(blank)
            continue
        if row.get("got") and row["got"] not in GOT:
            found.add("columns.csv", column, "got", row["got"], " / ".join(GOT))
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
        return files.to_numbers(list(cells), column, "data.csv")
    except DataError:
        pass
    values = np.full(len(cells), np.nan)
    for position, (row, cell) in enumerate(cells.items()):
        said = None if is_blank(cell) else quantity(cell)
        if said is not None and said.value is not None and said.spread is None and not said.unit:
            values[position] = said.value
        elif not is_blank(cell):
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
        return np.asarray(vocabulary.convert(values, row["unit_in"], unit), dtype=float)
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
        known = vocabulary.find_species(str(info["species"]))
        if known:
            frame.insert(1, "species", known.name_latin)
    components = {r["variable"]: r["component"] for r in found.columns if r["component"]}
    title, cited = (
        told if isinstance(told := info.get(k), dict) else {"en": told} for k in ("title", "citation")
    )
    frame.attrs["study"] = info | {"study_id": folder.name, "components": components}
    frame.attrs["notes"] = list(found.notes)
    got = {r["variable"]: r["got"] for r in found.columns if r["variable"] and r.get("got")}
    frame.attrs["source"] = ({"got": got} if got else {}) | {
        "spec": f"study:{folder.name}",
        "where": {},
        "title": title.get("en") or folder.name,
        "title_zh": title.get("zh") or title.get("en") or folder.name,
        "citation": cited.get("en") or cited.get("zh") or "",
        "citation_zh": cited.get("zh") or "",
        "licence": info.get("licence", ""),
        "origin": info.get("origin", ""),
        "sampled_by": info.get("sampled_by"),
        "population": info.get("population")
        or ({"selection": "simulated"} if info.get("generator") else None),
        "components": components,
        "files": paths.files_sha256(p for p in (folder / n for n in STUDY_FILES) if p.is_file()),
    }


# Corrections.


def _same(found: str, expected: str) -> bool:
    try:
        return float(found) == float(expected)
    except ValueError:
        return found == expected


def correct(found, raw, keys, corrections) -> pd.DataFrame:
    """Apply the rows of ``corrections.csv`` to raw cells; column ``*`` leaves the whole record out.

    Parameters
    ----------
    found : Inspection
        Takes the problems: a record or column that is not there, an old value that is another one, a
        correction without reason or name.
    raw : DataFrame of str
    keys : list of str
        Name of each record.
    corrections : DataFrame of str

    Returns
    -------
    raw : DataFrame of str
        With the index of the records that stay.
    """
    raw, dropped = raw.copy(), []
    for number, row in enumerate(corrections.to_dict("records"), start=1):

        def problem(column, value, expected, advice="", number=number):
            found.add("corrections.csv", f"#{number}", column, value, expected, advice)

        for name in ("reason", "who"):
            if not row[name]:
                problem(name, "–", tr("a value", "有内容"))
        rows = [i for i, key in enumerate(keys) if row["record"] in (key, f"#{i + 1}")]
        if len(rows) != 1:
            expected = tr("one record of data.csv", "data.csv 中的一条记录")
            advice = tr(
                f"{len(rows)} records match; use #n for record n", f"匹配到 {len(rows)} 条；可用 #n 指第 n 条"
            )
            problem("record", row["record"], expected, advice)
            continue
        if row["column"] == "*":
            dropped.append(rows[0])
            continue
        if row["column"] not in raw:
            problem("column", row["column"], tr("a column of data.csv, or *", "data.csv 中的列，或 *"))
            continue
        cell = raw.at[rows[0], row["column"]]
        if not _same(cell, row["old"]):
            advice = tr("data.csv or the correction was changed since", "data.csv 或更正记录之后被改动过")
            problem(f"old ({row['column']})", row["old"] or "–", cell or "–", advice)
            continue
        raw.at[rows[0], row["column"]] = row["new"]
    changed = len(corrections) - len(dropped)
    if changed:
        found.notes.add(
            f"{changed} cells corrected (corrections.csv)", f"更正 {changed} 个单元格（corrections.csv）"
        )
    if dropped:
        found.notes.add(
            f"{len(dropped)} records left out (corrections.csv)",
            f"剔除 {len(dropped)} 条记录（corrections.csv）",
        )
    return raw.drop(index=dropped)
