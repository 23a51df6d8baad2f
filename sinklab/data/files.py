"""The one door for CSV and YAML files: those of people, in any encoding, and the workbench's own rules and vocabularies.

:func:`read_csv` makes a typed frame of a field file, :func:`records` text rows of a file below ``data/``; both
name every fault of a file at once. numpy and pandas are imported where a frame is made and nowhere else, so that
vocabularies and rules cost no start-up time.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinklab import paths
from sinklab.language import DataError, Notes, SinklabError, listing

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: Cells that stand for "not measured".
MISSING = {"", "NA", "N/A", "-", "—", "–", "/"}
#: Cells that a program wrote for a number that does not exist.
NOT_FINITE = {"nan", "inf", "+inf", "-inf", "infinity", "-infinity", "#num!", "#div/0!", "#value!", "#n/a"}


def read_text(path: str | Path) -> str:
    """Read a text file in UTF-8 (with or without BOM) or GB18030.

    Raises
    ------
    DataError
        The file is missing, empty, holds NUL bytes, or fits neither encoding.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file", f"{path}：文件不存在")
    raw = path.read_bytes()
    if not raw.strip():
        raise DataError(
            f"{path}: the file is empty; expected a header line and one line per record",
            f"{path}：文件为空；应有表头行和每条记录一行",
        )
    if b"\x00" in raw:
        raise DataError(
            f"{path}: not a text file (NUL bytes; UTF-16 or a workbook?); save it as CSV UTF-8",
            f"{path}：不是文本文件（含空字节，可能是 UTF-16 或工作簿）；请另存为 CSV UTF-8",
        )
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            fault = error
    raise DataError(
        f"{path}: unreadable as UTF-8 or GB18030 (byte {fault.start}); save it as CSV UTF-8",
        f"{path}：无法按 UTF-8 或 GB18030 读取（第 {fault.start} 字节）；请另存为 CSV UTF-8",
    )


def read_rows(path: str | Path) -> tuple[list[str], list[list[str]]]:
    """Read header and records of a CSV file as stripped text cells.

    Raises
    ------
    DataError
        Empty or repeated column names, no record, or records of another length than the header,
        all offenders at once.
    """
    text = read_text(path)
    first = text.lstrip().splitlines()[0]
    delimiter = max(",;\t", key=first.count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    numbered = [(i, row) for i, row in enumerate(rows, start=1) if any(row)]
    header, records = numbered[0][1], numbered[1:]
    problems = Notes()
    repeated = sorted({name for name in header if header.count(name) > 1 and name})
    if repeated:
        names = ", ".join(repeated)
        problems.add(f"column names used twice: {names}", f"列名重复：{names}")
    for position, name in enumerate(header, start=1):
        if not name and any(len(row) >= position and row[position - 1] for _, row in records):
            problems.add(
                f"column {position} holds values but has no name", f"第 {position} 列有数据但没有列名"
            )
    for line, row in records:
        if len(row) > len(header) and any(row[len(header) :]):
            problems.add(
                f"line {line}: {len(row)} cells; expected {len(header)} as in the header",
                f"第 {line} 行：{len(row)} 个单元格；应与表头一致为 {len(header)} 个",
            )
    if not records:
        problems.add("no record below the header", "表头下没有记录")
    if problems:
        raise DataError(f"{path}: {listing(problems)}")
    width = len(header)
    return header, [(row + [""] * width)[:width] for _, row in records]


def read_cells(path: str | Path) -> list[list[str]]:
    """Lines of a comma-separated file, header included, as the cells stand there."""
    return list(csv.reader(io.StringIO(read_text(path))))


def to_numbers(cells: Sequence[str], name: str, where: str) -> np.ndarray:
    """Turn text cells into floats; blanks and ``NA`` become NaN.

    Parameters
    ----------
    cells : sequence of str
    name : str
        Column name, for the message.
    where : str
        File name, for the message.

    Raises
    ------
    DataError
        Text, or a number that is not finite, with record numbers.
    """
    import numpy as np

    values = np.full(len(cells), np.nan)
    problems = Notes()
    for i, cell in enumerate(cells):
        if cell in MISSING:
            continue
        text = cell.replace("\u2212", "-")
        try:
            number = float(text) if text.casefold() not in NOT_FINITE else math.inf
        except ValueError:
            problems.add(f"record {i + 1}: {name} = {cell!r}", f"第 {i + 1} 条记录：{name} = {cell!r}")
            continue
        if not math.isfinite(number):
            problems.add(
                f"record {i + 1}: {name} = {cell!r} (not finite)",
                f"第 {i + 1} 条记录：{name} = {cell!r}（非有限值）",
            )
            continue
        values[i] = number
    if problems:
        raise DataError(
            f"{where}: expected a finite number or a blank cell:\n{listing(problems)}",
            f"{where}：应为有限数值或空白：\n{listing(problems)}",
        )
    return values


def read_csv(path: str | Path, numeric: Collection[str] | None = None) -> pd.DataFrame:
    """Read a CSV file into a frame with typed columns.

    Parameters
    ----------
    path : path
        UTF-8 with or without BOM, or GB18030; comma, semicolon or tab between cells.
    numeric : collection of str, optional
        Columns that must be numbers; a text cell in them is an error. Other columns become numbers
        when every filled cell is one, and stay text otherwise.

    Returns
    -------
    frame : DataFrame
        Index 0 … n-1 in file order; record ``i + 1`` in messages is row ``i`` here.

    Raises
    ------
    DataError
        See :func:`read_rows` and :func:`to_numbers`.
    """
    import pandas as pd

    header, rows = read_rows(path)
    wanted = set(numeric or ())
    columns, problems = {}, []
    for position, name in enumerate(header):
        if not name:
            continue
        cells = [row[position] for row in rows]
        try:
            columns[name] = to_numbers(cells, name, str(path))
        except DataError as error:
            if name in wanted or (numeric is None and _means_numbers(cells)):
                problems.append(str(error))
            columns[name] = pd.array([None if c in MISSING else c for c in cells], dtype="str")
    if problems:
        raise DataError("\n".join(problems))
    return pd.DataFrame(columns)


def _means_numbers(cells: Sequence[str]) -> bool:
    """Whether a column is one of numbers, some of which a program could not give."""
    filled = [cell for cell in cells if cell not in MISSING]
    parsed = sum(is_number(cell.replace("\u2212", "-")) for cell in filled)
    return 2 * parsed >= len(filled) > 0 and any(cell.casefold() in NOT_FINITE for cell in cells)


# YAML files: what people wrote, read within bounds.

#: Bytes of a file, depth, and nodes with every alias written out.
MOST_BYTES, MOST_DEPTH, MOST_NODES = 16 * 2**20, 50, 1_000_000


def read_yaml(path: str | Path, error: type[SinklabError] = DataError, note: Any = None) -> Any:
    """Content of a YAML file in UTF-8.

    Parameters
    ----------
    path : path
    error : type
        Of what is raised.
    note : callable, optional
        Is shown the root node, before anything is made of it.

    Raises
    ------
    SinklabError
        Of the type asked for: missing, not UTF-8, not YAML, or beyond the bounds of this module.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise error(f"{path}: larger than {MOST_BYTES} bytes", f"{path}：超过 {MOST_BYTES} 字节")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as fault:
        raise error(f"{path}: {fault.strerror}", f"{path}：{fault.strerror}") from fault
    except UnicodeDecodeError as fault:
        raise error(
            f"{path}: not UTF-8 (byte {fault.start}); save the file as UTF-8",
            f"{path}：不是 UTF-8 编码（第 {fault.start} 字节）；请将文件另存为 UTF-8",
        ) from fault
    return parse_yaml(text, path, error, note)


def parse_yaml(text: str, where, error: type[SinklabError] = DataError, note: Any = None) -> Any:
    """Content of a YAML text; ``where`` names it in messages, the rest is that of :func:`read_yaml`."""
    import yaml

    kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth, size = _yaml_size(yaml, text, kind)
        if depth > MOST_DEPTH or size > MOST_NODES:
            raise error(
                f"{where}: nested or repeated beyond every use (at most {MOST_DEPTH} levels, {MOST_NODES} entries "
                "with what & and * repeat)",
                f"{where}：嵌套或引用过多（最多 {MOST_DEPTH} 层，展开 & 与 * 后最多 {MOST_NODES} 项）",
            )
        loader = kind(text)
        try:
            node = loader.get_single_node()
            if note and node is not None:
                note(node)
            return None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as fault:
        mark, what = getattr(fault, "problem_mark", None), getattr(fault, "problem", None) or str(fault)
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else f"{where}"
        raise error(f"{place}: not valid YAML: {what}", f"{place}：YAML 语法错误：{what}") from fault


def _yaml_size(yaml, text: str, kind) -> tuple[int, float]:
    """Depth of a text, and its nodes with every alias written out; one that holds itself is endless."""
    sizes: dict[str, float] = {}
    open_nodes: list[list] = [["", 0]]
    deepest = 0
    for event in yaml.parse(text, Loader=kind):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append([event.anchor, 1])
            sizes[event.anchor] = math.inf
            deepest = max(deepest, len(open_nodes) - 1)
            if deepest > MOST_DEPTH:
                break
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
            sizes[anchor] = size
            open_nodes[-1][1] += size
        elif isinstance(event, yaml.AliasEvent):
            open_nodes[-1][1] += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            sizes[event.anchor] = 1
            open_nodes[-1][1] += 1
    return deepest, open_nodes[0][1]


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    r"""Write a frame as UTF-8 with BOM and ``\\n`` line ends, in place only when complete."""
    with paths.atomic_write(path) as stream:
        stream.write("\ufeff")
        frame.to_csv(stream, index=False, lineterminator="\n")


def is_number(text: str) -> bool:
    """Whether a text reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def records(
    *place: str, numbers: tuple[str, ...] = (), several: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Rows of a CSV file below ``data/``, such as ``records("rules", "deductions.csv")``.

    A file is read once, and again only when it has changed.

    Parameters
    ----------
    *place : str
        Folder and file below ``data/``.
    numbers : tuple of str
        Columns that are floats, NaN where blank; all others stay text.
    several : tuple of str
        Columns of which a cell holds several entries, with semicolons between; they become tuples.

    Raises
    ------
    DataError
        See :func:`read_rows` and :func:`to_numbers`; columns of numbers that are not there.
    """
    path = paths.data(*place)
    rows = _own(path, path.stat().st_mtime_ns if path.is_file() else 0, numbers)
    return [row | {c: tuple(filter(None, row[c].split(";"))) for c in several} for row in rows]


@lru_cache(maxsize=64)
def _own(path: Path, changed: int, numbers: tuple[str, ...]) -> list[dict[str, Any]]:
    header, rows = read_rows(path)
    missing = [name for name in numbers if name not in header]
    if missing:
        raise DataError(
            f"{path}: no column {', '.join(missing)}; columns: {', '.join(header)}",
            f"{path}：没有列 {'、'.join(missing)}；已有列：{'、'.join(header)}",
        )
    columns: list[Any] = [list(cells) for cells in zip(*rows, strict=True)]
    for name in numbers:
        at = header.index(name)
        columns[at] = to_numbers(columns[at], name, str(path)).tolist()
    return [dict(zip(header, row, strict=True)) for row in zip(*columns, strict=True)]


def rule_values(name: str) -> dict[str, float]:
    """Numbers of ``data/rules/<name>.csv`` by ``rule_id``.

    Raises
    ------
    DataError
        A rule without a number, or one that stands twice.
    """
    rows = records("rules", f"{name}.csv", numbers=("value",))
    found = {row["rule_id"]: row["value"] for row in rows}
    wrong = [rule for rule, value in found.items() if math.isnan(value)]
    if wrong or len(found) < len(rows):
        told = ", ".join(wrong or [row["rule_id"] for row in rows])
        raise DataError(
            f"data/rules/{name}.csv: expected each rule once, with its number: {told}",
            f"data/rules/{name}.csv：每条规则应只出现一次并有数值：{told}",
        )
    return found
