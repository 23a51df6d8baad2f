"""The two working sheets of a model: 预测, where a person types, and 推导, where the formulas are."""

import math

from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from sinklab import vocabulary
from sinklab.tables.export.emit import EXCEL
from sinklab.tables.export.lines import Lines
from sinklab.tables.export.workbook_cells import ROW, at, formula, put, widths

#: Rows for individuals, and the first of them.
ROWS, FIRST = 200, 8
LEVEL, KIND = "$B$4", "$D$4"
MEAN, INDIVIDUAL = "均值", "个体"
_DIGITS = "0.000"


class Steps(Lines):
    """Writes the intermediate steps of a model into columns of the sheet 推导."""

    def __init__(self, program, number, sheet, steps, places):
        self.number, self.sheet, self.steps, self.places = number, sheet, steps, places
        self.column = 1
        self.inputs = [*program.model.system.predictors, *dict.fromkeys(program.model.system.groups.values())]
        super().__init__(program, EXCEL, "cell", "")

    def _all_names(self, system) -> dict[str, str]:
        names = {x: at(self.sheet, 0, i, False) for i, x in enumerate(self.inputs, start=2)}
        for parameter in system.parameters:
            if parameter in system.groups:
                names[parameter] = self._written(parameter)
            else:
                names[parameter] = at(*self.places["coefficients"][self.number, parameter])
        return names | {r: self._written(r) for r in system.responses}

    def _written(self, name) -> str:
        """Take the next free column for a quantity, and return the reference to its cell."""
        self.column += 1
        put(self.steps, FIRST - 1, self.column, name, "head")
        return f"${get_column_letter(self.column)}{ROW}"

    def _bare(self, response) -> str:
        return response

    def _fresh(self, name, taken) -> str:
        return self._written(name)

    def _constant(self, name) -> str:
        return self.places["constants"][self.number, name]

    def fill(self, reference, text) -> None:
        """Write a formula into every row of the column that a reference names."""
        column = reference.strip("$").removesuffix(ROW)
        for row in range(FIRST, FIRST + ROWS):
            whole = f'IF($A{row},{text.replace(ROW, str(row))},"")'
            self.steps[f"{column}{row}"] = f"={whole}"

    def write(self) -> dict[str, dict[str, str]]:
        """Fill the sheet; returns the references to mean, se, extra and median of each response."""
        self._flags()
        self._grouped()
        for reference, text, _ in self.variables():
            self.fill(reference, text)
        for reference, text in self.deviation_texts():
            self.fill(reference, text)
        return {r: self._response(r) for r in self.program.model.system.responses}

    def _flags(self) -> None:
        """Column A: whether all inputs of the row are there."""
        put(self.steps, FIRST - 1, 1, "完整", "head")
        groups = self.program.model.system.groups
        tests = [f"ISNUMBER({self.names[x]})" for x in self.program.model.system.predictors]
        for parameter, column in groups.items():
            tests.append(f"ISNUMBER({self._match(parameter, column)})")
        text = f"AND({','.join(tests or ['TRUE'])})"
        for row in range(FIRST, FIRST + ROWS):
            self.steps.cell(row, 1).value = f"={text.replace(ROW, str(row))}"

    def _span(self, parameter):
        """Sheet, column and rows of the values of one parameter that varies by group."""
        cells = self.places["coefficients"]
        labels = [x for x in self.program.model.labels if x.startswith(f"{parameter}[")]
        rows = [cells[self.number, x][1] for x in labels]
        return cells[self.number, labels[0]][0], min(rows), max(rows)

    def _match(self, parameter, column) -> str:
        sheet, first, last = self._span(parameter)
        labels = f"'{sheet.title}'!$B${first}:$B${last}"
        return f'MATCH("{parameter}["&{self.names[column]}&"]",{labels},0)'

    def _grouped(self) -> None:
        for parameter, column in self.program.model.system.groups.items():
            sheet, first, last = self._span(parameter)
            found = f"INDEX('{sheet.title}'!$C${first}:$C${last},{self._match(parameter, column)})"
            self.fill(self.names[parameter], found)

    def _response(self, response) -> dict[str, str]:
        found = {"mean": self.names[response], "se": self._standard_error(response)}
        found["extra"] = self._written(f"{response} 个体")
        self.fill(found["extra"], self.extra(response))
        if response in self.program.median:
            found["median"] = self._written(f"{response} 中位数")
            self.fill(found["median"], self.median(response))
        return {key: f"'{self.steps.title}'!{reference}" for key, reference in found.items()}

    def _standard_error(self, response) -> str:
        """Write derivatives side by side, then the root of their product with the covariance."""
        sheet, row, column = self.places["covariance"][self.number]
        slopes = {i: (c, level, text) for i, c, level, text in self.gradient(response)}
        own = None
        if slopes:
            low, high = min(slopes), max(slopes)
            labels = self.program.model.labels
            cells = [self._written(f"∂{response}/∂{labels[i]}") for i in range(low, high + 1)]
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
        reference = self._written(f"{response} 标准误")
        self.fill(reference, own or "0")
        return reference


def sheets(book, names, program, number, places, level, kind, label):
    """Add both sheets of a model.

    Parameters
    ----------
    book : Workbook
    names : (str, str)
        Of the sheets.
    program : Program
    number : int
        Place of the model in the table.
    places : dict
        Where the other sheets hold coefficients, covariance, constants and ranges.
    level, kind : float, str
        What the cells start with.
    label : str
        Title of the sheet.
    """
    sheet, steps = (book.create_sheet(name) for name in names)
    writer = Steps(program, number, sheet, steps, places)
    put(steps, 1, 1, f"推导：{label}", "title")
    put(steps, 2, 1, "中间计算，请勿改动。", "plain")
    references = writer.write()
    _head(sheet, label, level, kind)
    columns = _columns(sheet, writer, program, number, places)
    for response in program.model.system.responses:
        columns = _outputs(sheet, response, references[response], program, steps, columns)
    widths(sheet, [12] * (len(writer.inputs) + 2) + [26] + [11] * (4 * len(references)))
    sheet.freeze_panes = sheet.cell(FIRST, 2 + len(writer.inputs))
    steps.freeze_panes = steps.cell(FIRST, 2)


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


def _columns(sheet, writer, program, number, places) -> int:
    """Columns of inputs, the flag and the note; returns the first free column."""
    put(sheet, FIRST - 1, 1, "序号", "head")
    model = program.model
    for i, x in enumerate(writer.inputs, start=2):
        put(sheet, FIRST - 1, i, vocabulary.label(x, "zh", unit=True), "head")
        put(sheet, FIRST - 2, i, x, "head")
        start = math.sqrt(math.prod(model.ranges[x])) if x in model.ranges else _first_level(model, x)
        for row in range(FIRST, FIRST + ROWS):
            given = start if row == FIRST else None
            put(sheet, row, i, round(given, 1) if isinstance(given, float) and given > 1 else given, "input")
    flag = len(writer.inputs) + 2
    put(sheet, FIRST - 1, flag, "超出范围", "head")
    put(sheet, FIRST - 1, flag + 1, "说明", "head")
    outside, notes = [], []
    for x in model.system.predictors:
        low, high = places["ranges"][number, x]
        slack = f"1E-9*MAX(ABS({low}),ABS({high}))"
        test = f"OR({writer.names[x]}<{low}-{slack},{writer.names[x]}>{high}+{slack})"
        outside.append(test)
        said = vocabulary.label(x, "zh")
        notes.append(f'IF({test},"{said}超出"&ROUND({low},4)&"～"&ROUND({high},4)&"；","")')
    complete = at(writer.steps, 0, 1, False)
    inputs = f"$B{ROW}:${get_column_letter(flag - 1)}{ROW}"
    texts = {
        flag: f'IF({complete},IF(OR({",".join(outside or ["FALSE"])}),"是","否"),"")',
        flag
        + 1: f'IF({complete},{"&".join(notes or [chr(34) * 2])},IF(COUNTA({inputs})>0,"自变量不全或分组未知",""))',
    }
    for row in range(FIRST, FIRST + ROWS):
        put(sheet, row, 1, row - FIRST + 1)
        for column, text in texts.items():
            formula(sheet, row, column, text.replace(ROW, str(row)))
    letter = get_column_letter(flag)
    red = CellIsRule(operator="equal", formula=['"是"'], fill=PatternFill("solid", bgColor="F9CB9C"))
    sheet.conditional_formatting.add(f"{letter}{FIRST}:{letter}{FIRST + ROWS - 1}", red)
    return flag + 2


def _first_level(model, column) -> str:
    name = next(p for p, c in model.system.groups.items() if c == column)
    return model.parameters.loc[model.parameters["name"] == name, "group"].iloc[0]


def _outputs(sheet, response, references, program, steps, column) -> int:
    """Four columns of one response; returns the next free column."""
    put(sheet, FIRST - 2, column, vocabulary.label(response, "zh", unit=True), "head")
    sheet.merge_cells(start_row=FIRST - 2, start_column=column, end_row=FIRST - 2, end_column=column + 3)
    for i, text in enumerate(("估计值", "标准误", "下限", "上限")):
        put(sheet, FIRST - 1, column + i, text, "head")
    texts = [references["mean"], references["se"], *limits(response, references, program)]
    complete = at(steps, 0, 1, False)
    for i, text in enumerate(texts):
        whole = f'IF({complete},{text},"")'
        for row in range(FIRST, FIRST + ROWS):
            formula(sheet, row, column + i, whole.replace(ROW, str(row)), digits=_DIGITS)
    return column + 4


def limits(response, references, program) -> tuple[str, str]:
    """Formulas of both limits, for the level and the kind that are chosen in the sheet."""
    mean, se, extra = (references[key] for key in ("mean", "se", "extra"))
    quantile = student(program.freedom[response])
    if response in program.median:
        spread = f"({se}/{mean})^2"
        wide = f"{quantile}*SQRT({spread}+{extra})"
        narrow = f"{quantile}*{se}/{mean}"
        sides = [
            f'IF({KIND}="{INDIVIDUAL}",{references["median"]}*EXP({sign}{wide}),{mean}*EXP({sign}{narrow}))'
            for sign in ("-", "")
        ]
        return sides[0], sides[1]
    half = f'{quantile}*SQRT({se}^2+IF({KIND}="{INDIVIDUAL}",MAX({extra},0),0))'
    lower = f"{mean}-{half}"
    if math.isfinite(program.floor[response]):
        lower = f"MAX({lower},{program.floor[response]:g})"
    return lower, f"{mean}+{half}"


def student(freedom: float) -> str:
    """Two-sided quantile of Student's t at the chosen level, from functions every spreadsheet has."""
    if math.isinf(freedom):
        return f"NORMSINV(0.5+{LEVEL}/2)"
    if freedom == int(freedom):
        return f"TINV(1-{LEVEL},{int(freedom)})"
    # TINV cuts the degrees of freedom to a whole number; the beta distribution does not.
    share = f"BETAINV(1-{LEVEL},{freedom / 2!r},0.5)"
    return f"SQRT({freedom!r}*(1/{share}-1))"
