r"""A table as LaTeX: equations as a standard prints them, and tables with guarded digits.

The file is a fragment for ``\input``; it needs amsmath, booktabs and longtable, and ctex where it speaks Chinese.
"""

import math
import re

from sinklab.data import vocabulary
from sinklab.equations.latex import parameter_symbol
from sinklab.language import TableError, heads, latex_text, tabular, tr
from sinklab.tables.digits import guard, text
from sinklab.tables.export.program import heading


def write(table, level=None, kind=None) -> bytes:
    """LaTeX of a table; see :func:`sinklab.tables.export.export`.

    Raises
    ------
    TableError
        Another level or kind is asked for: the printed limits are those of the coefficients.
    """
    if level is not None or kind is not None:
        raise TableError(
            "latex prints the limits of the coefficients at the level of the table; leave level and kind out",
            "latex 按表中的置信水平印出系数的上下限；请勿指定置信水平和区间类型",
        )
    parts = ["".join(f"% {line}".rstrip() + "\n" for line in heading(table).splitlines())]
    for model in table.models:
        parts += [_equations(model), _coefficients(model), _residuals(model), _ranges(model)]
    if len(table.values):
        parts.append(_values(table))
    return "\n".join(parts).encode("utf-8")


def number(value: float, decimals: int) -> str:
    r"""A number to some decimal places; below 0.001 as ``6.75 \times 10^{-5}``."""
    if value is None or not math.isfinite(value):
        return "--"
    size = math.floor(math.log10(abs(value))) if value else 0
    if size >= -3 or not value:
        return f"${text(value, decimals)}$"
    return rf"${text(value / 10.0**size, decimals + size)} \times 10^{{{size}}}$"


def _named(model, words) -> str:
    return f"{words}{tr(': ', '：')}{latex_text(model.label)}" if model.label else words


def _equations(model) -> str:
    lines = [line.replace(" = ", " &= ", 1) for line in model.system.latex()]
    return "\\begin{align}\n" + " \\\\\n".join(lines) + "\n\\end{align}\n"


def _coefficients(model) -> str:
    printed = guard(model)
    limits = model.parameters[["lower", "upper"]].to_numpy(float)
    rows = []
    for i, row in enumerate(printed.numbers.to_dict("records")):
        if i < len(limits):
            name, group = model.parameters.iloc[i][["name", "group"]]
            shown = [f"${parameter_symbol(name, group or None)}$"]
            others = [row["se"], *limits[i]]
        else:
            response = re.fullmatch(r"correction\[(.+)\]", row["label"])[1]
            shown = [
                latex_text(tr(f"correction of {response}", f"{vocabulary.label(response, 'zh')}的校正系数"))
            ]
            others = [math.nan] * 3
        shown += [number(value, int(row["decimals"])) for value in (row["value"], *others)]
        rows.append(shown)
    level = f"{100 * model.level:g}\\%"
    head = heads(
        f"parameter|value|standard error|lower {level}|upper {level}",
        f"参数|估计值|标准误|{level} 下限|{level} 上限",
    )
    caption = _named(model, tr("Coefficients", "系数"))
    note = tr(
        f"% Rounding moves no prediction by more than {printed.worst:.3f} of its standard error.\n",
        f"% 舍入引起的预测值偏移不超过其标准误的 {printed.worst:.3f} 倍。\n",
    )
    return note + tabular(caption, "lcccc", head, rows)


def _residuals(model) -> str:
    rows = []
    for response, residual in model.residual.items():
        by = "" if residual.variance.even else residual.by
        delta = f"${residual.exponent:.4f}$" if by else "--"
        kind = residual.kind + (f", t {residual.tail:.4g}" if residual.variance.family == "t" else "")
        kind += f", {residual.ident}" if residual.ident else ""
        rows.append(
            [
                latex_text(vocabulary.label(response)),
                latex_text(kind),
                latex_text(by) or "--",
                number(residual.sigma, 3 - math.floor(math.log10(residual.sigma))),
                delta,
                f"${model.n.get(response, 0)}$",
            ]
        )
    head = [*heads("response|variance|of", "因变量|方差函数|自变量"), r"$\sigma$", r"$\delta$", "$n$"]
    return tabular(_named(model, tr("Residual model", "残差模型")), "lllccc", head, rows)


def _ranges(model) -> str:
    known = vocabulary.variables()
    rows = [
        [
            latex_text(vocabulary.label(x)),
            latex_text(vocabulary.units_symbol(known[x].unit)) if x in known else "",
            f"${low:.6g}$",
            f"${high:.6g}$",
        ]
        for x, (low, high) in model.ranges.items()
    ]
    head = heads("predictor|unit|minimum|maximum", "自变量|单位|最小值|最大值")
    return tabular(_named(model, tr("Range of validity", "适用范围")), "llcc", head, rows)


def _values(table) -> str:
    rows, whom = [], {}
    for row in table.values.to_dict("records"):
        se = row["se"]
        size = math.floor(math.log10(se)) if se and math.isfinite(se) and se > 0 else None
        decimals = 1 - size if size is not None else 4
        variable, group = (str(row.get(c) or "") for c in ("variable", "group"))
        named = f"{vocabulary.label(variable)} {vocabulary.group_label(group)}" if variable else row["name"]
        shown = [latex_text(named.strip()), latex_text(vocabulary.units_symbol(row["unit"]))]
        numbers = [number(row[c], decimals) for c in ("mean", "se", "q025", "q975")]
        said = vocabulary.estimand(row)
        rows.append([*shown, *numbers, f"{whom.setdefault(said, len(whom) + 1)}" if said else "--"])
    head = heads("quantity|unit|mean|SE", "参数|单位|均值|标准误")
    head += [r"$q_{0.025}$", r"$q_{0.975}$", tr("note", "注")]
    top = f"\\toprule\n{' & '.join(head)} \\\\\n\\midrule"
    body = "\n".join(" & ".join(row) + r" \\" for row in rows)
    caption = tr("Scalar parameters", "标量参数")
    notes = r"\\ ".join(f"{i}\\quad {latex_text(said)}" for said, i in whom.items())
    about = tr("Mean and range: ", "均值与区间所指：")
    # Rows may go over pages, and long names turn at the end of their column.
    return (
        "{\\small\\setlength{\\tabcolsep}{4pt}\n\\begin{longtable}{p{0.3\\linewidth}lccccc}\n"
        f"\\caption{{{caption}}}\\\\\n{top}\n\\endfirsthead\n{top}\n\\endhead\n\\bottomrule\n\\endfoot\n"
        f"{body}\n\\end{{longtable}}\n" + (f"\\noindent {about}\\\\ {notes}\n" if whom else "") + "}\n"
    )
