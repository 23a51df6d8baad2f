"""A field sheet to print: one line for each tree to be felled."""

import html

import pandas as pd

from sinklab.language import tr

STYLE = """
@page { size: A4 landscape; margin: 12mm }
body { font-family: "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif; font-size: 11px }
h1 { font-size: 16px; margin: 0 0 4px } p { margin: 0 0 8px }
table { border-collapse: collapse; width: 100% } thead { display: table-header-group }
th, td { border: 1px solid #444; padding: 3px 4px; text-align: center } td.blank { min-width: 46px; height: 18px }
tr { break-inside: avoid } tr.root td.mark { font-weight: bold }
"""


def tree_list(plan) -> pd.DataFrame:
    """One row for each tree of a plan: number, class, limits of dbh, height grade, whether roots are dug.

    Height grades are spread evenly over the trees of a class, and roots over the grades.
    """
    grades = (tr("low", "低"), tr("middle", "中"), tr("high", "高"))
    rows = []
    for _, row in plan.classes.iterrows():
        count, dug = int(row["n_tree"]), int(row["n_root"])
        for i in range(count):
            # The i-th tree has roots when the running share of dug trees passes a whole number.
            rooted = (i + 1) * dug // count > i * dug // count
            low_high = f"{row['dbh_min']:g}–{row['dbh_max']:g}"
            rows.append((row["class_label"], low_high, grades[i % 3], rooted))
    frame = pd.DataFrame(rows, columns=["class", "dbh_range", "height_grade", "root"])
    frame.insert(0, "number", range(1, len(frame) + 1))
    return frame


def field_sheet(plan, title: str, measured) -> str:
    """HTML page to print.

    Parameters
    ----------
    plan : TreePlan
    title : str
    measured : sequence of str
        Headers of the columns to fill in.
    """
    fixed = [
        tr("no.", "编号"),
        tr("class", "径阶"),
        tr("dbh/cm", "胸径范围/cm"),
        tr("height grade", "树高级"),
        tr("roots", "挖根"),
    ]
    blanks = [
        tr("plot", "样地"),
        tr("dbh/cm", "实测胸径/cm"),
        tr("height/m", "树高/m"),
        *measured,
        tr("remarks", "备注"),
    ]
    head = "".join(f"<th>{html.escape(text)}</th>" for text in (*fixed, *blanks))
    body = []
    for row in tree_list(plan).itertuples(index=False):
        mark = "●" if row.root else ""
        cells = [row.number, row[1], row.dbh_range, row.height_grade]
        line = (
            "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + f'<td class="mark">{mark}</td>'
        )
        line += '<td class="blank"></td>' * len(blanks)
        body.append(f"<tr{' class=root' if row.root else ''}>{line}</tr>")
    note = tr(
        f"{plan.n_tree} trees, roots of {int(plan.classes['n_root'].sum())} (●)",
        f"共 {plan.n_tree} 株，挖根 {int(plan.classes['n_root'].sum())} 株（●）",
    )
    return (
        f'<!doctype html><html lang="{tr("en", "zh")}"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1><p>{note}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></body></html>\n"
    )
