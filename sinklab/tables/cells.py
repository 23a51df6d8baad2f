"""Frames to CSV text and back: shortest digits that give the same number, no cell a workbook would run."""

import csv
import io
import math

import numpy as np
import pandas as pd

from sinklab.errors import TableError, listing
from sinklab.language import tr
from sinklab.tables.schema import FILES

# Excel and WPS evaluate text cells that begin with one of these.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TRUE, _FALSE = "true", "false"


def to_csv(name: str, frame: pd.DataFrame) -> bytes:
    r"""Write a frame as one CSV file of a package.

    Parameters
    ----------
    name : str
        Key of :data:`sinklab.tables.schema.FILES`; its columns are written, in its order.
    frame : DataFrame
        Columns that are absent are left blank; columns unknown to the schema are an error.

    Returns
    -------
    content : bytes
        UTF-8 with BOM, ``\n``; numbers in the shortest form that reads back unchanged.

    Raises
    ------
    TableError
        Unknown columns, wrong types, words that a column does not know, or text that a workbook would
        run as a formula; all at once.
    """
    fields = FILES[name]
    unknown = [str(c) for c in frame.columns if c not in {f.name for f in fields}]
    if unknown:
        expected = ", ".join(f.name for f in fields)
        raise TableError(
            tr(
                f"{name}.csv: unknown columns {', '.join(unknown)}; expected {expected}",
                f"{name}.csv：未知的列 {'、'.join(unknown)}；应为 {expected}",
            )
        )
    problems: list[str] = []
    columns = []
    for field in fields:
        cells = frame[field.name] if field.name in frame.columns else [None] * len(frame)
        columns.append([_cell_out(field, cell, name, i, problems) for i, cell in enumerate(cells, start=1)])
    if problems:
        raise TableError(listing(problems))
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([f.name for f in fields])
    writer.writerows(zip(*columns, strict=True))
    return stream.getvalue().encode("utf-8-sig")


def _cell_out(field, cell, name, record, problems) -> str:
    where = f"{name}.csv, record {record}: {field.name} = {cell!r}"
    if cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if field.enum and cell not in ("", *field.enum):
        known = ", ".join(field.enum)
        problems.append(tr(f"{where}; expected one of {known}", f"{where}：应为 {known} 之一"))
        return ""
    if field.type == "string":
        text = str(cell)
        if text.startswith(_FORMULA):
            problems.append(
                tr(
                    f"{where}; a workbook would run text that begins with = + - @; reword it",
                    f"{where}：以 = + - @ 开头的文本会被电子表格当作公式执行；请改写",
                )
            )
        return text
    try:
        return _WRITERS[field.type](cell)
    except (TypeError, ValueError, OverflowError):
        problems.append(tr(f"{where}; expected {field.type}", f"{where}：应为 {field.type} 类型"))
        return ""


def _write_boolean(cell) -> str:
    if not isinstance(cell, (bool, np.bool_)):
        raise TypeError(cell)
    return _TRUE if cell else _FALSE


def _write_integer(cell) -> str:
    if int(cell) != cell:
        raise ValueError(cell)
    return str(int(cell))


def _write_number(cell) -> str:
    number = float(cell)
    if math.isinf(number):
        return "INF" if number > 0 else "-INF"
    # Whole numbers as 12, not 12.0; the negative zero keeps its sign.
    if number == int(number) and abs(number) < 1e15 and not (number == 0 and math.copysign(1, number) < 0):
        return str(int(number))
    return repr(number)


_WRITERS = {"boolean": _write_boolean, "integer": _write_integer, "number": _write_number}


def from_csv(name: str, content: bytes) -> pd.DataFrame:
    """Read one CSV file of a package.

    Parameters
    ----------
    name : str
        Key of :data:`sinklab.tables.schema.FILES`.
    content : bytes
        As written by :func:`to_csv`.

    Returns
    -------
    frame : DataFrame
        Text as str ("" when blank), flags as bool (None when blank), numbers as float64 (NaN when
        blank); counts as int64, or as float64 when some are blank.

    Raises
    ------
    TableError
        Other columns than the schema has, or cells of the wrong type; all at once.
    """
    fields = FILES[name]
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    header = rows[0] if rows else []
    if header != [f.name for f in fields]:
        raise TableError(
            tr(
                f"{name}.csv: columns {', '.join(header)}; expected {', '.join(f.name for f in fields)}",
                f"{name}.csv：列为 {'、'.join(header)}；应为 {'、'.join(f.name for f in fields)}",
            )
        )
    problems = [
        tr(
            f"{name}.csv, record {i}: {len(row)} cells; expected {len(fields)}",
            f"{name}.csv 第 {i} 条记录：{len(row)} 个单元格；应为 {len(fields)} 个",
        )
        for i, row in enumerate(rows[1:], start=1)
        if len(row) != len(fields)
    ]
    if problems:
        raise TableError(listing(problems))
    columns = {}
    for position, field in enumerate(fields):
        cells = [row[position] for row in rows[1:]]
        columns[field.name] = _column_in(field, cells, name, problems)
    if problems:
        raise TableError(listing(problems))
    return pd.DataFrame(columns)


def _column_in(field, cells, name, problems):
    if field.type == "string":
        return pd.array(cells, dtype="str")
    read = _read_boolean if field.type == "boolean" else _read_number
    values = []
    for i, cell in enumerate(cells, start=1):
        try:
            values.append(read(cell))
        except ValueError:
            values.append(read(""))
            problems.append(
                tr(
                    f"{name}.csv, record {i}: {field.name} = {cell!r}; expected {field.type}",
                    f"{name}.csv 第 {i} 条记录：{field.name} = {cell!r}；应为 {field.type} 类型",
                )
            )
    if field.type == "boolean":
        return np.array(values, dtype=object if None in values else bool)
    numbers = np.array(values, dtype=float)
    whole = field.type == "integer" and len(numbers) and np.isfinite(numbers).all()
    return numbers.astype(np.int64) if whole else numbers


def _read_boolean(cell: str) -> bool | None:
    if cell not in (_TRUE, _FALSE, ""):
        raise ValueError(cell)
    return cell == _TRUE if cell else None


def _read_number(cell: str) -> float:
    return float(cell) if cell else math.nan
