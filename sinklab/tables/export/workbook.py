"""A table as a workbook in Chinese with live formulas, for Excel, WPS and LibreOffice.

Type diameter and height into the sheet 预测 and every component appears with its standard error, its
interval and a flag outside the validity range. The formulas are written from the equations of the
table; the standard error is that of the joint covariance. Only functions that spreadsheets have had
for twenty years are used.

The sheets that only show the table (notes, coefficients, covariance, residual model, ranges, indices,
values) come first below, then the two working sheets of a model: 预测, where a person types, and 推导,
where the formulas are.
"""

import io
import math
import re
import zipfile
from datetime import datetime

import numpy as np
import openpyxl
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.page import PageMargins
from openpyxl.worksheet.properties import PageSetupProperties

from sinklab.data import vocabulary
from sinklab.language import width
from sinklab.results.indices import formulas
from sinklab.tables.export.program import Program, Writer, described, one_line
from sinklab.tables.package import printed_source
from sinklab.tables.schema import DEMONSTRATION, status_label

#: Quantile functions of the families of :mod:`sinklab.evidence.distributions`, with cells ``{q}``, ``{p1}``,
#: ``{p2}``; in names that every spreadsheet knows.
QUANTILES = {
    "normal": "NORMINV({q},{p1},{p2})",
    "lognormal": "LOGINV({q},{p1},{p2})",
    "gamma": "GAMMAINV({q},{p1},{p2})",
    "weibull": "{p2}*(-LN(1-{q}))^(1/{p1})",
    "beta": "BETAINV({q},{p1},{p2})",
    "logitnormal": "1/(1+EXP(-NORMINV({q},{p1},{p2})))",
}

#: Sheets that every workbook may have.
FIXED = ("说明", "系数", "残差", "适用范围", "评价指标", "参数值")
#: Rows of a sheet of predictions that are printed; more of them wait for trees.
PREPARED = 25
#: Moment that stands in the file in place of the present one, so that the same table gives the same bytes.
_MOMENT = (2000, 1, 1, 0, 0, 0)


@vocabulary.in_its_words
def write(table, level: float, kind: str) -> bytes:
    """Workbook of a table; see :func:`sinklab.tables.export.export`."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    notes(book, table)
    steps: set[str] = set()
    if table.models:
        programs, taken, names = [Program(model) for model in table.models], set(FIXED), []
        for model in table.models:
            label = f"_{model.label}" if len(table.models) > 1 else ""
            names.append([sheet_name(f"{base}{label}", taken) for base in ("预测", "推导", "协方差")])
        # References to a sheet need it to exist, so what is shown last is made first.
        places = {"coefficients": coefficients(book, table), "ranges": ranges(book, table)}
        places["constants"] = constants(book, programs, table)
        places["covariance"] = {
            i: covariance(book, model, names[i][2]) for i, model in enumerate(table.models)
        }
        for i, (one, model) in enumerate(zip(programs, table.models, strict=True)):
            label = f"{table.title_zh}{f'：{model.label}' if len(table.models) > 1 else ''}"
            sheets(book, names[i][:2], one, i, places, level, kind, label)
        indices(book, table)
        _order(book, names)
        steps = {own[1] for own in names}
    if len(table.values):
        values(book, table, level)
    book.active = 1 if table.models else 0
    for sheet in book.worksheets:
        _set_page(sheet)
        if sheet.title in steps:
            # Nobody reads the steps of a hundred columns on paper.
            sheet.print_area, sheet.page_setup.fitToWidth = "A1:F2", 1
            sheet.oddFooter.left.text = "&A（中间计算不打印；需要时请在页面设置中修改打印区域）"
    return _bytes(book, table)


def _order(book, names) -> None:
    """Working sheets first, intermediate steps last."""
    wanted = ["说明", *(own[0] for own in names), "系数", "适用范围", "评价指标", "残差"]
    wanted += [own[2] for own in names] + [own[1] for own in names]
    book._sheets = [book[name] for name in wanted]


def _set_page(sheet) -> None:
    """A page wide on A4, two where a sheet is very wide, head rows on every page; rows that wait for trees are printed as far as the first page."""
    last, head = sheet.max_row, sheet[sheet.freeze_panes].row - 1 if sheet.freeze_panes else 0
    note = "&A"
    if last > head + PREPARED:
        last = head + PREPARED
        note += f"（打印前 {PREPARED} 行；更多行请在页面设置中修改打印区域）"
    sheet.print_area = f"A1:{get_column_letter(sheet.max_column)}{last}"
    if head:
        sheet.print_title_rows = f"1:{head}"
    letters = (get_column_letter(i) for i in range(1, sheet.max_column + 1))
    wide = sum(sheet.column_dimensions[letter].width for letter in letters)
    sheet.page_setup.orientation = "landscape" if wide > 95 else "portrait"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    # Wider sheets would be too small to read on one page: their first column stands on each.
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = math.ceil(wide / 170), 0
    sheet.print_title_cols = "A:A"
    sheet.page_margins = PageMargins(0.5, 0.5, 0.6, 0.6, 0.3, 0.3)
    sheet.oddFooter.left.text, sheet.oddFooter.right.text = note, "&P/&N"


def _bytes(book, table) -> bytes:
    """Bytes of a workbook without the moment it was written."""
    book.properties.title, book.properties.creator = one_line(table.title_zh)[:255], "sinklab"
    book.properties.created = book.properties.modified = datetime(*_MOMENT)
    moment = f"{datetime(*_MOMENT):%Y-%m-%dT%H:%M:%SZ}".encode()
    raw, out = io.BytesIO(), io.BytesIO()
    book.save(raw)
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + moment, content)
            target.writestr(zipfile.ZipInfo(name, _MOMENT), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


# Cells: text that no program runs, headings, widths, one look.

#: Text that begins with one of these is taken for a formula by a workbook.
FORMULA = ("=", "+", "-", "@")
FONT = "宋体"
_FILLS = {
    kind: PatternFill("solid", fgColor=colour)
    for kind, colour in (("head", "DDE8CB"), ("input", "FFF7CC"), ("warn", "F9CB9C"))
}
_LINE = Side(style="thin", color="999999")
_BORDER = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)


def put(sheet, row, column, value, kind: str = "", digits: str | None = None):
    """Write a value, never a formula: text that looks like one stays text.

    ``kind`` is the look, one of "", "head", "input", "title", "warn" and "plain"; ``digits`` the number format.
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


def put_row(sheet, row, values, digits=()) -> None:
    """Write values side by side from the first column; ``digits`` are number formats by column."""
    for column, value in enumerate(values, start=1):
        put(sheet, row, column, value, digits=dict(digits).get(column))


def _look(cell, kind, digits):
    cell.font = Font(name=FONT, size=14 if kind == "title" else 10, bold=kind in ("title", "head"))
    if kind in ("", "head", "input"):
        cell.border = _BORDER
    if kind in _FILLS:
        cell.fill = _FILLS[kind]
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
    """Name of a sheet that workbooks accept and no other sheet has; it is then among those ``taken``."""
    name = re.sub(r"[\[\]:*?/\\']", " ", one_line(text)).strip()[:28] or "表"
    found, i = name, 2
    while found.casefold() in {t.casefold() for t in taken}:
        found, i = f"{name}{i}", i + 1
    taken.add(found)
    return found


def at(sheet, row, column, fixed_row: bool = True) -> str:
    """Reference to a cell of another sheet; the row is left to be filled in when it is not fixed."""
    place = f"${row}" if fixed_row else ROW
    return f"'{sheet.title}'!${get_column_letter(column)}{place}"


#: Stands in formulas for the row they are written to; no name and no formula holds it.
ROW = "\N{SECTION SIGN}"


# Sheets that only show the table.

NUMBER = "0.0000E+00"
#: First row of data of these sheets, and letters of a line of the notes.
FIRST, NOTES_WIDTH = 4, 110


def printed(value) -> str | None:
    """Number format of a cell that shows four significant digits; the cell itself holds all of them."""
    if isinstance(value, bool | str | None) or not math.isfinite(value) or value == int(value):
        return None
    places = 3 - math.floor(math.log10(abs(value)))
    return NUMBER if places > 7 else "0" + "." * (places > 0) + "0" * max(places, 0)


def notes(book, table) -> None:
    """First sheet: what the table is, where it comes from, how the workbook is used."""
    sheet = book.create_sheet("说明")
    widths(sheet, [NOTES_WIDTH])
    put(sheet, 1, 1, table.title_zh, "title")
    lines = [table.title, f"表号 {table.ref}，状态：{status_label(table.status, 'zh')}"]
    if table.models:
        lines += [
            "",
            "用法：在“预测”工作表的黄色单元格中填入自变量，各组分的估计值、标准误和区间由公式即时算出；",
            "“超出范围”一列为“是”时，自变量不在建模样本范围内，结果属外推。置信水平和区间类型可改：",
            "“均值”为同类个体平均值的区间，“个体”为单个个体的区间。“推导”工作表是中间计算，请勿改动。",
            "标准误由系数的联合协方差求得（线性化），因此总量的区间计入了各组分之间的相关。",
        ]
    for model in table.models:
        lines += ["", f"模型 {model.label or '—'}（方法 {model.method}）："]
        lines += [f"  {line}" for line in model.system.text.splitlines()]
        lines += [f"  {described(x, 'zh')}" for x in (*model.system.predictors, *model.system.responses)]
    lines += ["", "来源："] + [f"  {printed_source(s, 'zh')}" for s in table.sources]
    row = 2
    if table.status == "demonstration":
        put(sheet, row, 1, DEMONSTRATION[1], "warn")
        row += 1
    for line in lines:
        cell = put(sheet, row, 1, line.strip(), "plain")
        cell.alignment = Alignment(indent=2 if line.startswith("  ") else 0, wrap_text=True)
        # Programs do not agree on who works out the height of a line that turns.
        turns = math.ceil((width(line) + 4) / NOTES_WIDTH)
        sheet.row_dimensions[row].height = 14 * turns if turns > 1 else None
        row += 1


def _start(book, name, title, head, sizes):
    sheet = book.create_sheet(name)
    put(sheet, 1, 1, title, "title")
    for i, text in enumerate(head, start=1):
        put(sheet, FIRST - 1, i, text, "head")
    widths(sheet, sizes)
    sheet.freeze_panes = sheet.cell(FIRST, 1)
    return sheet


def coefficients(book, table) -> dict:
    """Sheet 系数; returns the cell of each value by (model number, label)."""
    head = ["模型", "参数", "估计值", "标准误", "下限", "上限", "置信水平"]
    sheet = _start(book, "系数", "系数", head, [18, 14, 16, 14, 14, 14, 10])
    places, row = {}, FIRST
    for number, model in enumerate(table.models):
        for label, record in zip(model.labels, model.parameters.to_dict("records"), strict=True):
            numbers = [record[c] for c in ("value", "se", "lower", "upper")]
            put_row(
                sheet, row, [model.label, label, *numbers, model.level], dict.fromkeys(range(3, 7), NUMBER)
            )
            places[number, label] = (row, 3)
            row += 1
    return {key: (sheet, *place) for key, place in places.items()}


def covariance(book, model, name):
    """Sheet of the covariance of one model; returns it and the row and column before its first cell."""
    sheet = _start(book, name, "系数的联合协方差", ["", *model.labels], [14] * (len(model.labels) + 1))
    for i, label in enumerate(model.labels):
        put(sheet, FIRST + i, 1, label, "head")
        for j in range(len(model.labels)):
            put(sheet, FIRST + i, j + 2, float(model.covariance.iloc[i, j]), digits=NUMBER)
    return sheet, FIRST - 1, 1


_CONSTANTS = {
    "sigma": "残差标准差尺度",
    "delta": "方差函数指数",
    "correlation": "方程间残差相关系数",
    "correction": "对数偏差校正系数",
    "between": "参数的组间协方差",
    "widening": "t 分布标准差与尺度之比",
    "ratio": "分组标准差倍数（末行为全部样木）",
}


def constants(book, programs, table) -> dict:
    """Sheet 残差; returns the cell of each constant by (model number, name)."""
    sheet = _start(book, "残差", "残差模型", ["模型", "意义", "对象", "数值"], [18, 22, 26, 16])
    places, row = {}, FIRST
    for number, (program, model) in enumerate(zip(programs, table.models, strict=True)):
        for name, value in program.constants.items():
            kind, what, *more = name.split(" ", 2)
            # What follows is another response, or a group by its name.
            labels = [vocabulary.label(what, "zh"), *(more if kind == "ratio" else [])]
            labels += [vocabulary.label(w, "zh") for w in more if kind != "ratio"]
            cells = [model.label, _CONSTANTS[kind], "、".join(labels), value]
            put_row(sheet, row, cells, [(4, printed(value))])
            places[number, name] = at(sheet, row, 4)
            row += 1
    return places


def ranges(book, table) -> dict:
    """Sheet 适用范围; returns the cells of both ends by (model number, predictor)."""
    head = ["模型", "自变量", "列名", "单位", "最小值", "最大值"]
    sheet = _start(book, "适用范围", "适用范围（建模样本）", head, [18, 14, 18, 10, 12, 12])
    places, row = {}, FIRST
    known = vocabulary.variables()
    for number, model in enumerate(table.models):
        for x, (low, high) in model.ranges.items():
            unit = known[x].unit if x in known else ""
            digits = [(5, printed(low)), (6, printed(high))]
            put_row(sheet, row, [model.label, vocabulary.label(x, "zh"), x, unit, low, high], digits)
            places[number, x] = at(sheet, row, 5), at(sheet, row, 6)
            row += 1
    return places


def indices(book, table) -> None:
    """Sheet 评价指标."""
    names = [n for n in dict.fromkeys(("n", *formulas())) if n in table.frames["indices"]]
    head = ["模型", "因变量", "分级", *names]
    sheet = _start(book, "评价指标", "评价指标", head, [18, 14, 16] + [12] * len(names))
    for row, record in enumerate(table.frames["indices"].to_dict("records"), start=FIRST):
        labels = [record["model_id"], vocabulary.label(record["response"], "zh"), record["class_label"]]
        found = [record[n] for n in names]
        put_row(sheet, row, [*labels, *found], [(i, printed(v)) for i, v in enumerate(found, start=4)])


def values(book, table, level) -> None:
    """Sheet 参数值, with quantiles of the distributions at a level that can be changed."""
    head = ["名称", "分组", "单位", "研究数", "均值", "标准误", "标准差", "分布", "参数一", "参数二"]
    head += ["下限", "上限", "状态", "来源", "均值与区间所指", "均值下限", "均值上限"]
    widths = [30, 34, 8, 8] + [12] * 8 + [8, 40, 40, 12, 12]
    sheet = _start(book, "参数值", "标量参数", head, widths)
    put(sheet, 2, 1, "分布区间的水平", "plain")
    put(sheet, 2, 2, level, "input")
    for row, record in enumerate(table.values.to_dict("records"), start=FIRST):
        group = vocabulary.group_label(record["group"], "zh")
        numbers = [record[c] for c in ("unit", "n_study", "mean", "se", "sd", "family", "p1", "p2")]
        limits = printed(record["q025"]) or printed(record["mean"])
        digits = [(i, printed(v)) for i, v in enumerate(numbers, start=3)]
        put_row(sheet, row, [record["name"], group, *numbers], digits)
        code = QUANTILES.get(record["family"])
        for column, share in ((11, "(1-$B$2)/2"), (12, "(1+$B$2)/2")):
            if code:
                quantile = code.format(q=f"({share})", p1=f"$I{row}", p2=f"$J{row}")
                formula(sheet, row, column, quantile, digits=limits)
            else:
                put(sheet, row, column, "—")
        put(sheet, row, 13, status_label(record["status"], "zh"))
        told = [vocabulary.estimand(record, "zh"), record["mean_lower"], record["mean_upper"]]
        for column, cell in enumerate([record["sources"], *told], start=14):
            put(sheet, row, column, cell, digits=printed(cell))


# The two working sheets of a model.

#: First row for individuals, and all of them.
FIRST_PREDICTION = 8
WORKED = range(FIRST_PREDICTION, FIRST_PREDICTION + 200)
LEVEL, KIND = "$B$4", "$D$4"
MEAN, INDIVIDUAL, NO_VALUE = "均值", "个体", "—"
_DIGITS = "0.000"


class Steps(Writer):
    """Writes the intermediate steps of a model into columns of the sheet 推导, one for each name."""

    def __init__(self, program, number, sheet, steps, places):
        self.index, self.sheet, self.steps, self.places = number, sheet, steps, places
        self.column = 1
        groups = [*program.model.system.groups.values(), *(m.ident for m in program.model.residual.values())]
        self.inputs = [*program.model.system.predictors, *dict.fromkeys(filter(None, groups))]
        super().__init__(program, "excel")

    def first_names(self, system) -> dict[str, str]:
        """Cells of inputs and coefficients; columns of their own for what varies by group and for responses."""
        names = {x: at(self.sheet, 0, i, False) for i, x in enumerate(self.inputs, start=2)}
        for parameter in system.parameters:
            if parameter in system.groups:
                names[parameter] = self.new(parameter)
            else:
                names[parameter] = at(*self.places["coefficients"][self.index, parameter])
        return names | {r: self.new(r) for r in system.responses}

    def new(self, name) -> str:
        """Take the next free column for a quantity, and return the reference to its cell."""
        self.column += 1
        put(self.steps, FIRST_PREDICTION - 1, self.column, name, "head")
        return f"${get_column_letter(self.column)}{ROW}"

    def constant(self, name) -> str:
        """Cell of a constant in the sheet 残差."""
        return self.places["constants"][self.index, name]

    def fill(self, reference, text) -> None:
        """Write a formula into every row of the column that a reference names."""
        column = reference.strip("$").removesuffix(ROW)
        for row in WORKED:
            whole = f'IF($A{row},{text.replace(ROW, str(row))},"")'
            self.steps[f"{column}{row}"] = f"={whole}"

    def write(self) -> dict[str, dict[str, str]]:
        """Fill the sheet; returns the references to mean, se, extra and median of each response."""
        self._flags()
        self._grouped()
        self._ratios()
        for reference, text in [*self.means(), *self.deviations()]:
            self.fill(reference, text)
        return {r: self._response(r) for r in self.program.model.system.responses}

    def _flags(self) -> None:
        """Column A: whether all inputs of the row are there."""
        put(self.steps, FIRST_PREDICTION - 1, 1, "完整", "head")
        groups = self.program.model.system.groups
        tests = [f"ISNUMBER({self.names[x]})" for x in self.program.model.system.predictors]
        for parameter, column in groups.items():
            tests.append(f"ISNUMBER({self._match(parameter, column)})")
        text = f"AND({','.join(tests or ['TRUE'])})"
        for row in WORKED:
            self.steps.cell(row, 1).value = f"={text.replace(ROW, str(row))}"

    def _span(self, parameter):
        """Sheet, column and rows of the values of one parameter that varies by group."""
        cells = self.places["coefficients"]
        labels = [x for x in self.program.model.labels if x.startswith(f"{parameter}[")]
        rows = [cells[self.index, x][1] for x in labels]
        return cells[self.index, labels[0]][0], min(rows), max(rows)

    def _match(self, parameter, column) -> str:
        sheet, first, last = self._span(parameter)
        labels = f"'{sheet.title}'!$B${first}:$B${last}"
        return f'MATCH("{parameter}["&{self.names[column]}&"]",{labels},0)'

    def _grouped(self) -> None:
        for parameter, column in self.program.model.system.groups.items():
            sheet, first, last = self._span(parameter)
            found = f"INDEX('{sheet.title}'!$C${first}:$C${last},{self._match(parameter, column)})"
            self.fill(self.names[parameter], found)

    def _ratios(self) -> None:
        """Factor of the deviation of every group; of one that is not known, that of all trees."""
        for response, model in self.program.model.residual.items():
            if not model.ident:
                continue
            first, *_, last, other = (self.constant(f"ratio {response} {level}") for level in model.ratios)
            values = f"{first}:{last.partition('!')[2]}"
            # The labels stand before the values, with the name of the response in front of the group.
            head = vocabulary.label(response, "zh").replace('"', '""')
            place = f'MATCH("{head}、"&{self.names[model.ident]}&"",{values.replace("$D$", "$C$")},0)'
            self.names[f"ratio {response}"] = self.new(f"{response} 组倍数")
            found = f"IF(ISNUMBER({place}),INDEX({values},{place}),{other})"
            self.fill(self.names[f"ratio {response}"], found)

    def _response(self, response) -> dict[str, str]:
        found = {"mean": self.names[response], "se": self._standard_error(response)}
        found["extra"] = self.new(f"{response} 个体")
        self.fill(found["extra"], self.extra(response))
        if response in self.program.median:
            found["median"] = self.new(f"{response} 中位数")
            self.fill(found["median"], self.median(response))
        return {key: f"'{self.steps.title}'!{reference}" for key, reference in found.items()}

    def _standard_error(self, response) -> str:
        """Write derivatives side by side, then the root of their product with the covariance."""
        sheet, row, column = self.places["covariance"][self.index]
        slopes = {i: (c, level, text) for i, c, level, text in self.gradient(response)}
        own = None
        if slopes:
            low, high = min(slopes), max(slopes)
            labels = self.program.model.labels
            cells = [self.new(f"∂{response}/∂{labels[i]}") for i in range(low, high + 1)]
            for i, reference in zip(range(low, high + 1), cells, strict=True):
                group, level, text = slopes.get(i, ("", "", "0"))
                if group:
                    quoted = level.replace('"', '""')
                    text = f'IF({self.names[group]}&""="{quoted}",{text},0)'
                self.fill(reference, text)
            span = f"{cells[0]}:{cells[-1]}"
            first, last = (get_column_letter(column + 1 + i) for i in (low, high))
            block = f"'{sheet.title}'!${first}${row + 1 + low}:${last}${row + 1 + high}"
            own = f"SQRT(MAX(SUMPRODUCT(MMULT({span},{block}),{span}),0))"
        reference = self.new(f"{response} 标准误")
        self.fill(reference, own or "0")
        return reference


def sheets(book, names, program, number, places, level, kind, label):
    """Add both sheets of the model with this number in the table.

    ``names`` are those of the sheets, ``places`` where the other sheets hold coefficients, covariance, constants
    and ranges, ``level`` and ``kind`` what the cells start with, ``label`` the title.
    """
    sheet, steps = (book.create_sheet(name) for name in names)
    writer = Steps(program, number, sheet, steps, places)
    put(steps, 1, 1, f"推导：{label}", "title")
    put(steps, 2, 1, "中间计算，请勿改动。", "plain")
    references = writer.write()
    _head(sheet, label, level, kind)
    columns = _columns(sheet, writer, number, places)
    for response in program.model.system.responses:
        columns = _outputs(sheet, response, references[response], program, steps, columns)
    widths(sheet, [12] * (len(writer.inputs) + 2) + [26] + [11] * (4 * len(references)))
    sheet.freeze_panes = sheet.cell(FIRST_PREDICTION, 2 + len(writer.inputs))
    steps.freeze_panes = steps.cell(FIRST_PREDICTION, 2)


def _head(sheet, label, level, kind) -> None:
    put(sheet, 1, 1, label, "title")
    put(sheet, 2, 1, "在黄色单元格中填入自变量；其余各列由公式算出。", "plain")
    put(sheet, 4, 1, "置信水平", "head")
    put(sheet, 4, 2, level, "input")
    put(sheet, 4, 3, "区间类型", "head")
    put(sheet, 4, 4, MEAN if kind == "mean" else INDIVIDUAL, "input")
    choice = DataValidation(type="list", formula1=f'"{MEAN},{INDIVIDUAL}"', allow_blank=False)
    share = DataValidation(type="decimal", operator="between", formula1="0.5", formula2="0.9999")
    for validation, cell in ((choice, "D4"), (share, "B4")):
        sheet.add_data_validation(validation)
        validation.add(cell)


def _columns(sheet, writer, number, places) -> int:
    """Columns of inputs, the flag and the note; returns the first free column."""
    put(sheet, FIRST_PREDICTION - 1, 1, "序号", "head")
    model = writer.program.model
    for i, x in enumerate(writer.inputs, start=2):
        put(sheet, FIRST_PREDICTION - 1, i, vocabulary.label(x, "zh", unit=True), "head")
        put(sheet, FIRST_PREDICTION - 2, i, x, "head")
        start = math.sqrt(math.prod(model.ranges[x])) if x in model.ranges else _first_level(model, x)
        start = round(start, 1) if isinstance(start, float) and start > 1 else start
        for row in WORKED:
            put(sheet, row, i, start if row == WORKED[0] else None, "input")
    flag = len(writer.inputs) + 2
    put(sheet, FIRST_PREDICTION - 1, flag, "超出范围", "head")
    put(sheet, FIRST_PREDICTION - 1, flag + 1, "说明", "head")
    outside, notes = [], []
    for x in model.system.predictors:
        low, high = places["ranges"][number, x]
        slack = f"1E-9*MAX(ABS({low}),ABS({high}))"
        test = f"OR({writer.names[x]}<{low}-{slack},{writer.names[x]}>{high}+{slack})"
        outside.append(test)
        said = vocabulary.label(x, "zh")
        notes.append(f'IF({test},"{said}超出"&ROUND({low},4)&"～"&ROUND({high},4)&"；","")')
    for responses, domain in model.shared_domains():
        if domain.adds_to(model.ranges):
            tests, texts = _domain_tests(responses, domain, model.ranges, writer.names)
            outside, notes = outside + tests, notes + texts
    first, last = (get_column_letter(flag + 1 + i) for i in (1, 4 * len(model.system.responses)))
    notes.append(f'IF(COUNTIF(${first}{ROW}:${last}{ROW},"{NO_VALUE}")>0,"标“{NO_VALUE}”处方程无值；","")')
    complete = at(writer.steps, 0, 1, False)
    inputs = f"$B{ROW}:${get_column_letter(flag - 1)}{ROW}"
    texts = {
        flag: f'IF({complete},IF(OR({",".join(outside or ["FALSE"])}),"是","否"),"")',
        flag
        + 1: f'IF({complete},{"&".join(notes or [chr(34) * 2])},IF(COUNTA({inputs})>0,"自变量不全或分组未知",""))',
    }
    for row in WORKED:
        put(sheet, row, 1, row - FIRST_PREDICTION + 1)
        for column, text in texts.items():
            formula(sheet, row, column, text.replace(ROW, str(row)))
    letter = get_column_letter(flag)
    red = CellIsRule(operator="equal", formula=['"是"'], fill=PatternFill("solid", bgColor="F9CB9C"))
    sheet.conditional_formatting.add(f"{letter}{FIRST_PREDICTION}:{letter}{WORKED[-1]}", red)
    return flag + 2


def _domain_tests(responses, domain, ranges, cells) -> tuple[list[str], list[str]]:
    """Conditions that a row lies outside the records of some responses, and the words of the note."""
    label, tests, notes = "、".join(vocabulary.label(r, "zh") for r in responses), [], []
    for x, (low, high) in domain.ranges.items():
        if ranges[x] != (low, high):
            slack = 1e-9 * max(abs(low), abs(high))
            tests.append(f"OR({cells[x]}<{low - slack!r},{cells[x]}>{high + slack!r})")
            said = f"{label}：{vocabulary.label(x, 'zh')}超出{low:.4g}～{high:.4g}；"
            notes.append(f'IF({tests[-1]},"{said}","")')
    if not math.isnan(domain.reach):
        inverse, joint = np.linalg.inv(domain.spread.to_numpy()), list(domain.centre.index)
        away = [f"(LN(MAX({cells[x]},1E-300))-({float(domain.centre[x])!r}))" for x in joint]
        terms = [
            f"({float(inverse[i, j])!r})*{away[i]}*{away[j]}"
            for i in range(len(joint))
            for j in range(len(joint))
        ]
        far = f"({'+'.join(terms)}>{float(domain.reach * (1 + 1e-9)) ** 2!r})"
        said = f"{label}：{'、'.join(vocabulary.label(x, 'zh') for x in joint)}的组合超出样本；"
        notes.append(f'IF(OR({",".join(tests or ["FALSE"])}),"",IF({far},"{said}",""))')
        tests = [*tests, far]
    return tests, notes


def _first_level(model, column) -> str:
    name = next((p for p, c in model.system.groups.items() if c == column), None)
    if name is None:
        return next(iter(next(m for m in model.residual.values() if m.ident == column).ratios))
    return model.parameters.loc[model.parameters["name"] == name, "group"].iloc[0]


def _outputs(sheet, response, references, program, steps, column) -> int:
    """Four columns of one response; returns the next free column."""
    put(sheet, FIRST_PREDICTION - 2, column, vocabulary.label(response, "zh", unit=True), "head")
    head = FIRST_PREDICTION - 2
    sheet.merge_cells(start_row=head, start_column=column, end_row=head, end_column=column + 3)
    for i, text in enumerate(("估计值", "标准误", "下限", "上限")):
        put(sheet, FIRST_PREDICTION - 1, column + i, text, "head")
    texts = [references["mean"], references["se"], *limits(response, references, program)]
    complete = at(steps, 0, 1, False)
    for i, text in enumerate(texts):
        # Where the equation has no value (a size of 0), a mark stands instead of an error, and the note tells.
        whole = f'IF({complete},IFERROR({text},"{NO_VALUE}"),"")'
        for row in WORKED:
            formula(sheet, row, column + i, whole.replace(ROW, str(row)), digits=_DIGITS)
    return column + 4


def limits(response, references, program) -> tuple[str, str]:
    """Formulas of both limits, for the level and the kind that are chosen in the sheet."""
    mean, se, extra = (references[key] for key in ("mean", "se", "extra"))
    for_mean, for_one = (student(freedom) for freedom in program.freedom[response])
    quantile = for_one if for_one == for_mean else _by_kind(for_one, for_mean)
    site = program.site.get(response)
    if site is not None:
        # The interval of the mean is that of a site that was not sampled.
        spread = f"{quantile}*SQRT(({se}/{mean})^2+{site[1]!r})"
        of_site = [f"{mean}*EXP({site[0]!r}{sign}{spread})" for sign in "-+"]
    if response in program.median:
        spread = f"({se}/{mean})^2"
        wide = f"{quantile}*SQRT({spread}+{extra})"
        narrow = f"{quantile}*{se}/{mean}"
        of_mean = of_site if site else [f"{mean}*EXP({sign}{narrow})" for sign in ("-", "")]
        of_one = [f"{references['median']}*EXP({sign}{wide})" for sign in ("-", "")]
        return _by_kind(of_one[0], of_mean[0]), _by_kind(of_one[1], of_mean[1])
    family, tail = program.family[response]
    half = f'{quantile}*SQRT({se}^2+IF({KIND}="{INDIVIDUAL}",MAX({extra},0),0))'
    if math.isfinite(tail):
        of_tail = f"{student(min(tail, program.freedom[response][1]))}^2*{1 - 2 / tail!r}*MAX({extra},0)"
        half = f'SQRT({quantile}^2*{se}^2+IF({KIND}="{INDIVIDUAL}",{of_tail},0))'
    lower, upper = f"{mean}-{half}", f"{mean}+{half}"
    if math.isfinite(program.floor[response]):
        lower = f"MAX({lower},{program.floor[response]:g})"
    if family == "gamma":
        spread = f"(({se}^2+{extra})/{mean}^2)"
        ends = [f"{mean}*GAMMAINV(NORMSDIST({sign}{quantile}),1/{spread},{spread})" for sign in ("-", "")]
        lower, upper = (_by_kind(one, of_all) for one, of_all in zip(ends, (lower, upper), strict=True))
    if site is not None:
        return _by_kind(lower, of_site[0]), _by_kind(upper, of_site[1])
    return lower, upper


def _by_kind(individual, mean) -> str:
    """Formula for the kind of interval that is chosen in the sheet."""
    return f'IF({KIND}="{INDIVIDUAL}",{individual},{mean})'


def student(freedom: float) -> str:
    """Two-sided quantile of Student's t at the chosen level, from functions every spreadsheet has."""
    if math.isinf(freedom):
        return f"NORMSINV(0.5+{LEVEL}/2)"
    if freedom == int(freedom):
        return f"TINV(1-{LEVEL},{int(freedom)})"
    # TINV cuts the degrees of freedom to a whole number; the beta distribution does not.
    share = f"BETAINV(1-{LEVEL},{freedom / 2!r},0.5)"
    return f"SQRT({freedom!r}*(1/{share}-1))"
