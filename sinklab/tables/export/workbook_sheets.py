"""Sheets that only show the table: notes, coefficients, covariance, residual model, ranges, indices, values."""

from openpyxl.styles import Alignment

from sinklab import vocabulary
from sinklab.indices import FORMULAS
from sinklab.tables.export.families import EXCEL_QUANTILES
from sinklab.tables.export.headings import described
from sinklab.tables.export.workbook_cells import at, formula, put, widths

STATUS = {"demonstration": "演示", "draft": "草案", "reviewed": "已评审", "published": "已发布"}
NUMBER = "0.0000E+00"
#: First row of data of these sheets.
FIRST = 4


def notes(book, table) -> None:
    """First sheet: what the table is, where it comes from, how the workbook is used."""
    sheet = book.create_sheet("说明")
    widths(sheet, [110])
    put(sheet, 1, 1, table.title_zh, "title")
    lines = [table.title, f"表号 {table.ref}，状态：{STATUS[table.status]}"]
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
    lines += ["", "来源："] + [f"  {s.get('citation') or s['title']}" for s in table.sources]
    row = 2
    if table.status == "demonstration":
        put(sheet, row, 1, "演示：由模拟数据得出，数值不得用于实际计量。", "warn")
        row += 1
    for line in lines:
        cell = put(sheet, row, 1, line.strip(), "plain")
        cell.alignment = Alignment(indent=2 if line.startswith("  ") else 0, wrap_text=True)
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
            cells = [model.label, label, record["value"], record["se"], record["lower"], record["upper"]]
            for column, cell in enumerate([*cells, model.level], start=1):
                put(sheet, row, column, cell, digits=NUMBER if 3 <= column <= 6 else None)
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
}


def constants(book, programs, table) -> dict:
    """Sheet 残差; returns the cell of each constant by (model number, name)."""
    sheet = _start(book, "残差", "残差模型", ["模型", "意义", "对象", "数值"], [18, 22, 26, 16])
    places, row = {}, FIRST
    for number, (program, model) in enumerate(zip(programs, table.models, strict=True)):
        for name, value in program.constants.items():
            kind, *what = name.split(" ")
            labels = "、".join(vocabulary.label(w, "zh") for w in what)
            for column, cell in enumerate((model.label, _CONSTANTS[kind], labels, value), start=1):
                put(sheet, row, column, cell)
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
            for column, cell in enumerate(
                (model.label, vocabulary.label(x, "zh"), x, unit, low, high), start=1
            ):
                put(sheet, row, column, cell)
            places[number, x] = at(sheet, row, 5), at(sheet, row, 6)
            row += 1
    return places


def indices(book, table) -> None:
    """Sheet 评价指标."""
    names = [n for n in ("n", *FORMULAS) if n in table.frames["indices"]]
    head = ["模型", "因变量", "分级", *names]
    sheet = _start(book, "评价指标", "评价指标", head, [18, 14, 16] + [12] * len(names))
    for row, record in enumerate(table.frames["indices"].to_dict("records"), start=FIRST):
        labels = [record["model_id"], vocabulary.label(record["response"], "zh"), record["class_label"]]
        for column, cell in enumerate([*labels, *(record[n] for n in names)], start=1):
            put(sheet, row, column, cell)


def values(book, table, level) -> None:
    """Sheet 参数值, with quantiles of the distributions at a level that can be changed."""
    head = [
        "名称",
        "分组",
        "单位",
        "研究数",
        "均值",
        "标准误",
        "标准差",
        "分布",
        "参数一",
        "参数二",
        "下限",
        "上限",
    ]
    sheet = _start(book, "参数值", "标量参数", head + ["状态", "来源"], [30, 34, 8, 8] + [12] * 8 + [8, 40])
    put(sheet, 2, 1, "分布区间的水平", "plain")
    put(sheet, 2, 2, level, "input")
    for row, record in enumerate(table.values.to_dict("records"), start=FIRST):
        labels = [
            record["name"],
            vocabulary.group_label(record["group"], "zh"),
            record["unit"],
            record["n_study"],
        ]
        numbers = [record[c] for c in ("mean", "se", "sd", "family", "p1", "p2")]
        for column, cell in enumerate(labels + numbers, start=1):
            put(sheet, row, column, cell)
        code = EXCEL_QUANTILES.get(record["family"])
        for column, share in ((11, "(1-$B$2)/2"), (12, "(1+$B$2)/2")):
            if code:
                formula(sheet, row, column, code.format(q=f"({share})", p1=f"$I{row}", p2=f"$J{row}"))
            else:
                put(sheet, row, column, "—")
        put(sheet, row, 13, STATUS[record["status"]])
        put(sheet, row, 14, record["sources"])
