"""A table as a workbook in Chinese with live formulas, for Excel, WPS and LibreOffice.

Type diameter and height into the sheet 预测 and every component appears with its standard error, its
interval and a flag outside the validity range. The formulas are written from the equations of the
table; the standard error is that of the joint covariance. Only functions that spreadsheets have had
for twenty years are used.
"""

import io
import re
import zipfile
from datetime import datetime

import openpyxl

from sinklab.tables.export import workbook_sheets as plain
from sinklab.tables.export.program import program
from sinklab.tables.export.workbook_cells import sheet_name
from sinklab.tables.export.workbook_prediction import sheets

#: Moment that stands in the file in place of the present one, so that the same table gives the same bytes.
_MOMENT = (2000, 1, 1, 0, 0, 0)


def write(table, level: float, kind: str) -> bytes:
    """Workbook of a table; see :func:`sinklab.tables.export.export`."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    plain.notes(book, table)
    if table.models:
        programs = [program(model) for model in table.models]
        taken = {"说明", "系数", "残差", "适用范围", "评价指标", "参数值"}
        names = []
        for model in table.models:
            label = f"_{model.label}" if len(table.models) > 1 else ""
            own = []
            for base in ("预测", "推导", "协方差"):
                own.append(sheet_name(f"{base}{label}", taken))
                taken.add(own[-1])
            names.append(own)
        # References to a sheet need it to exist, so what is shown last is made first.
        places = {"coefficients": plain.coefficients(book, table), "ranges": plain.ranges(book, table)}
        places["constants"] = plain.constants(book, programs, table)
        places["covariance"] = {
            i: plain.covariance(book, model, names[i][2]) for i, model in enumerate(table.models)
        }
        for i, (one, model) in enumerate(zip(programs, table.models, strict=True)):
            label = f"{table.title_zh}{f'：{model.label}' if len(table.models) > 1 else ''}"
            sheets(book, names[i][:2], one, i, places, level, kind, label)
        plain.indices(book, table)
        _order(book, names)
    if len(table.values):
        plain.values(book, table, level)
    book.active = 1 if table.models else 0
    return _bytes(book, table)


def _order(book, names) -> None:
    """Working sheets first, intermediate steps last."""
    wanted = ["说明", *(own[0] for own in names), "系数", "适用范围", "评价指标", "残差"]
    wanted += [own[2] for own in names] + [own[1] for own in names]
    book._sheets = [book[name] for name in wanted]


def _bytes(book, table) -> bytes:
    """Bytes of a workbook without the moment it was written."""
    book.properties.title, book.properties.creator = table.title_zh, "sinklab"
    book.properties.created = book.properties.modified = datetime(*_MOMENT)
    raw = io.BytesIO()
    book.save(raw)
    out = io.BytesIO()
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = _without_moment(content)
            target.writestr(zipfile.ZipInfo(name, _MOMENT), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _without_moment(content: bytes) -> bytes:
    moment = f"{datetime(*_MOMENT):%Y-%m-%dT%H:%M:%SZ}".encode()
    return re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + moment, content)
