"""Pieces of HTML for the desk of a reviewer: the record of a tree, and the refit beside the table."""

from html import escape

import numpy as np

from sinklab import vocabulary
from sinklab.language import tr

RED = "#b5362a"
SHOWN_BETAS = 4
_TABLE = "border-collapse:collapse;font-size:13px;line-height:1.35"
_CELL = "padding:2px 10px 2px 0;text-align:left;border-bottom:1px solid #e0e0e0"


def record(desk, row: int) -> str:
    """Record, residuals and influence of a tree."""
    parts = [f"<b>{tr('Tree', '样木')} {escape(desk.name(row))}</b> ({tr('record', '记录')} {row + 1})"]
    said = desk.excluded.get(row) or desk.kept.get(row)
    if said:
        word = tr("excluded", "已剔除") if row in desk.excluded else tr("kept", "保留")
        parts.append(f'<span style="color:{RED}">{word}: {escape(said)}</span>')
    cells = desk.record(row).to_dict("records")
    parts.append(table([], [[cell["label"], number(cell["value"])] for cell in cells]))
    head = [
        tr("Response", "因变量"),
        tr("measured", "实测"),
        tr("predicted", "预测"),
        tr("standardised residual", "标准化残差"),
    ]
    rows = [[vocabulary.label(r), *map(number, own)] for r, own in desk.residuals(row).iterrows()]
    return "<br>".join([*parts, table(head, rows), *_influence(desk, row)])


def _influence(desk, row):
    found = desk.influence(row)
    if found is None:
        return
    betas = found.drop("cook")
    most = betas.reindex(betas.abs().sort_values(ascending=False).index).head(SHOWN_BETAS)
    yield (
        f"{tr('Cook distance', 'Cook 距离')} {number(found['cook'])} "
        f"({tr('limit', '界限')} 4/n = {number(desk.limit)}); DFBETAS: "
        + ", ".join(f"{escape(name)} {number(value)}" for name, value in most.items())
    )


def refit(desk) -> str:
    """Table and refit side by side."""
    if not desk.excluded:
        return tr("No tree is set aside.", "尚未剔除样木。")
    names = tr(", ", "、").join(escape(desk.name(row)) for row in desk.excluded)
    count = len(desk.excluded)
    title = tr(f"Set aside ({count}): {names}", f"剔除 {count} 株：{names}")
    indices = desk.indices()
    head = [
        tr("Response", "因变量"),
        "R²",
        tr("refit", "重新拟合"),
        tr("change of the sum, %", "合计变化/%"),
        tr("largest change / SE", "最大变化/标准误"),
    ]
    rows = []
    for response, own in desk.effect().iterrows():
        both = [indices[c].get(response, np.nan) for c in ("R2", "R2_refit")]
        rows.append(
            [vocabulary.label(response), *map(number, both), f"{own['change']:+.2f}", f"{own['largest']:.2f}"]
        )
    head_parameters = [
        tr("Parameter", "参数"),
        tr("table", "参数表"),
        tr("SE", "标准误"),
        tr("refit", "重新拟合"),
        tr("SE", "标准误"),
        tr("shift / SE", "变化/标准误"),
    ]
    columns = ["value", "se", "value_refit", "se_refit"]
    lines = [
        [label, *map(number, own[columns]), f"{own['shift']:+.2f}"]
        for label, own in desk.parameters().iterrows()
    ]
    return f"<b>{title}</b>" + table(head, rows) + "<br>" + table(head_parameters, lines)


def number(value) -> str:
    """A cell as a person wants it."""
    if isinstance(value, str) or value is None:
        return str(value or "")
    if not isinstance(value, (int, float, np.number)):
        return str(value)
    return "–" if not np.isfinite(value) else f"{value:.4g}"


def table(head, rows) -> str:
    """A small table; every cell is escaped."""

    def line(cells, kind):
        inner = "".join(f'<{kind} style="{_CELL}">{escape(str(cell))}</{kind}>' for cell in cells)
        return f"<tr>{inner}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f'<table style="{_TABLE}">{line(head, "th") if head else ""}{body}</table>'
