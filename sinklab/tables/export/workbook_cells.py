"""Cells of a workbook: text that no program runs, headings, widths, one look."""

import re

from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter

from sinklab.tables.export.headings import one_line

#: Text that begins with one of these is taken for a formula by a workbook.
FORMULA = ("=", "+", "-", "@")
FONT = "宋体"
_HEAD = PatternFill("solid", fgColor="DDE8CB")
_INPUT = PatternFill("solid", fgColor="FFF7CC")
_WARN = PatternFill("solid", fgColor="F9CB9C")
_LINE = Side(style="thin", color="999999")
_BORDER = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)


def put(sheet, row, column, value, kind: str = "", digits: str | None = None):
    """Write a value, never a formula.

    Parameters
    ----------
    sheet : Worksheet
    row, column : int
    value : str, float or None
        Text that looks like a formula stays text.
    kind : {"", "head", "input", "title", "warn", "plain"}
        Look of the cell.
    digits : str, optional
        Number format.

    Returns
    -------
    cell : Cell
    """
    cell = sheet.cell(row, column)
    if isinstance(value, str):
        value = one_line(value)
        cell.value = value
        if value.startswith(FORMULA):
            cell.data_type = "s"
            cell.quotePrefix = True
    elif value is not None and value == value:
        cell.value = float(value) if not isinstance(value, (bool, int)) else value
    return _look(cell, kind, digits)


def formula(sheet, row, column, text, kind: str = "", digits: str | None = None):
    """Write a formula that this program made."""
    cell = sheet.cell(row, column)
    cell.value = f"={text}"
    return _look(cell, kind, digits)


def _look(cell, kind, digits):
    cell.font = Font(name=FONT, size=14 if kind == "title" else 10, bold=kind in ("title", "head"))
    if kind in ("", "head", "input"):
        cell.border = _BORDER
    fill = {"head": _HEAD, "input": _INPUT, "warn": _WARN}.get(kind)
    if fill:
        cell.fill = fill
    if kind == "head":
        cell.alignment = Alignment(horizontal="center", vertical="center", wrap_text=True)
    if digits:
        cell.number_format = digits
    return cell


def widths(sheet, sizes) -> None:
    """Set the widths of the first columns, in characters."""
    for i, size in enumerate(sizes, start=1):
        sheet.column_dimensions[get_column_letter(i)].width = size


def sheet_name(text: str, taken) -> str:
    """Name of a sheet that workbooks accept and no other sheet has."""
    name = re.sub(r"[\[\]:*?/\\']", " ", one_line(text)).strip()[:28] or "表"
    found, i = name, 2
    while found.casefold() in {t.casefold() for t in taken}:
        found, i = f"{name}{i}", i + 1
    return found


def at(sheet, row, column, fixed_row: bool = True) -> str:
    """Reference to a cell of another sheet; the row is left to be filled in when it is not fixed."""
    place = f"${row}" if fixed_row else ROW
    return f"'{sheet.title}'!${get_column_letter(column)}{place}"


#: Stands in formulas for the row they are written to; no name and no formula holds it.
ROW = "\N{SECTION SIGN}"
