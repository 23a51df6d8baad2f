"""What a draft is made of, in Markdown: text, tables, equations with their legends, tables of a fit; every number is noted.

Names of units are rows of ``data/vocabulary/printed_units.csv``, headers of tables rows of
``data/vocabulary/draft_headers.csv``. ``cite`` notes a printed number: file, name, column, value and text.
"""

import math
import re
from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.data import vocabulary
from sinklab.data.files import records
from sinklab.equations.latex import parameter_symbol, taken
from sinklab.equations.parse import Call, Name, Number, Product, Sum, names, walk
from sinklab.language import DraftError, joined
from sinklab.results.indices import formulas
from sinklab.tables import digits
from sinklab.tables.schema import REFUSED

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|@$^~'\"&])")
_IDENTIFIER = re.compile(r"[^A-Za-z0-9]+")
#: Significant digits of a standard error; the value follows to the same place.
ERROR_DIGITS = 2
#: Significant digits of a number without an error.
PLAIN_DIGITS = 4
MINUS = "\N{MINUS SIGN}"


def escape(text) -> str:
    """Text of a table or description that must be printed as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def identifier(*parts) -> str:
    """Identifier of a table, figure or equation made of words: ``agb stem`` gives ``agb-stem``."""
    return "-".join(_IDENTIFIER.sub("-", str(part)).strip("-") for part in parts)


def table(label: str, caption: str, header, rows, align: str = "", notes=(), widths=(), thin=False) -> str:
    """A numbered table.

    Parameters
    ----------
    label : str
        Identifier, cited as ``[@tbl:label]``.
    caption : str
        Markdown.
    header, rows : sequences of str
        Cells in Markdown.
    align : str
        One letter for each column, ``l``, ``c`` or ``r``; centred when left out.
    notes : sequence of str
        Printed in the last row, as the rules of drafting ask.
    widths : sequence of int
        Shares of the width of the page; left to the renderer when left out.
    thin : bool
        Leave out columns that hold nothing but dashes.
    """
    rules = {"l": (":", ""), "c": (":", ":"), "r": ("", ":")}
    align = align or "c" * len(header)
    told = [i for i in range(len(header)) if not (thin and rows) or any(row[i] != "—" for row in rows)]
    header, *rows = ([line[i] for i in told] for line in (header, *rows))
    align, widths = "".join(align[i] for i in told), [widths[i] for i in told] if widths else ()
    dashes = ["-" * width for width in widths or [3] * len(align)]
    marks = [dash.join(rules[letter]) for letter, dash in zip(align, dashes, strict=True)]
    lines = [header, marks, *rows]
    body = "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
    text = f"{body}\n\nTable: {caption} {{#tbl:{label}}}\n"
    if notes:
        text += "\n::: tablenote\n" + "\n\n".join(notes) + "\n:::\n"
    return f"\n{text}\n"


# Numbers, with as many digits as their standard error supports


def exists(number) -> bool:
    """Whether there is a finite number to print."""
    return number is not None and not isinstance(number, str) and math.isfinite(number)


def magnitude(number: float, digits: int) -> int:
    """Exponent of ten of a number once it is rounded to ``digits`` significant digits."""
    return int(f"{abs(number):.{max(digits - 1, 0)}e}".partition("e")[2]) if number else 0


def fixed(number: float, decimals: int) -> str:
    """A number to a decimal place, which may lie left of the point, with a true minus sign; a dash where there is none."""
    if not exists(number):
        return "—"
    text = f"{round(number, decimals):.{max(decimals, 0)}f}"
    if float(text) == 0:
        return text.removeprefix("-")
    return text.replace("-", MINUS)


def significant(number, digits: int = PLAIN_DIGITS) -> str:
    """A number to some significant digits, in powers of ten where it is very small or large; Markdown."""
    if not exists(number):
        return "—"
    return beside(number, digits - 1 - magnitude(number, digits), magnitude(number, digits))


def measured(number: float) -> str:
    """A measured number as it was measured: no digits are added, and six at most are kept."""
    return f"{number:.6g}".replace("-", MINUS) if exists(number) else "—"


def alike(*numbers: float) -> list[str]:
    """Measured numbers side by side, with the decimals of the finest of them: 7 beside 11.3 is 7.0."""
    return [fixed(n, max(len(measured(one).partition(".")[2]) for one in numbers)) for n in numbers]


def beside(number: float, decimals: int, exponent: int) -> str:
    """A number to a decimal place, written as the power of ten that numbers beside it use."""
    if not exists(number):
        return "—"
    if -4 < exponent < 6:
        return fixed(number, decimals)
    power = str(exponent).replace("-", MINUS)
    return f"{fixed(number / 10**exponent, decimals + exponent)}×10^{power}^"


def place(value: float, se: float) -> tuple[int, int]:
    """Decimal place supported by a standard error, and the exponent to print value and error with."""
    if not exists(se) or se <= 0:
        digits = PLAIN_DIGITS + 2
        return digits - 1 - magnitude(value, digits), magnitude(value, digits)
    decimals = ERROR_DIGITS - 1 - magnitude(se, ERROR_DIGITS)
    # A value below its error is still written with the exponent of the error.
    return decimals, magnitude(max(abs(value), se), PLAIN_DIGITS)


def with_error(value, se, *others, decimals: int | None = None) -> list[str]:
    """Print a value, its standard error and other numbers beside them, all to the place the error supports.

    Parameters
    ----------
    value, se : float
        ``se`` may be missing: the value then has six significant digits.
    *others : float
        Limits of intervals.
    decimals : int, optional
        Decimal places to print, where more are needed than the error supports; see
        :func:`sinklab.tables.digits.guard`.

    Returns
    -------
    texts : list of str
        Markdown, an em dash for what does not exist.

    Examples
    --------
    >>> with_error(0.044724, 0.0015479, 0.0417)
    ['0.0447', '0.0015', '0.0417']
    """
    if not exists(value):
        return ["—"] * (2 + len(others))
    supported, exponent = place(value, se)
    decimals = supported if decimals is None else max(supported, decimals)
    return [beside(number, decimals, exponent) for number in (value, se, *others)]


# Wording in both languages: "zh" or "en"


@cache
def _units() -> dict[str, dict[str, str]]:
    return {row["unit"]: row for row in records("vocabulary", "printed_units.csv")}


def unit_symbol(unit: str, lang: str) -> str:
    """Symbol of a unit as it is printed; "" for a plain number."""
    if unit in ("", "1"):
        return ""
    row = _units().get(unit, {"symbol": unit})
    return (lang == "en" and row.get("symbol_en")) or row["symbol"]


def unit_words(unit: str, lang: str) -> str:
    """Unit as the explanation of a symbol names it."""
    if unit in ("", "1"):
        return "无量纲" if lang == "zh" else "dimensionless"
    words, symbol = _units().get(unit, {}).get(f"words_{lang}", unit), unit_symbol(unit, lang)
    if words == symbol:
        return f"单位为{words}" if lang == "zh" else f"in {words}"
    return f"单位为{words}（{symbol}）" if lang == "zh" else f"in {words} ({symbol})"


def title(name: str, lang: str) -> str:
    """Label of a variable as the first word of a line."""
    label = vocabulary.label(name, lang)
    return label[:1].upper() + label[1:]


def headed(name: str, lang: str) -> str:
    """Label of a variable with its unit, as in ``胸径/cm``."""
    known = vocabulary.variables().get(name)
    symbol = unit_symbol(known.unit, lang) if known else ""
    if not symbol:
        return title(name, lang)
    if lang == "en":
        return f"{title(name, lang)} ({symbol})"
    return f"{title(name, lang)}/({symbol})" if "/" in symbol else f"{title(name, lang)}/{symbol}"


def listed(items, lang: str) -> str:
    """Items side by side in a sentence."""
    return ("、" if lang == "zh" else ", ").join(items)


def cited(ids) -> str:
    """One citation of several formulas, tables or figures: those in a row are printed as a range."""
    found = "; ".join(f"@{one}" for one in ids)
    return f"[{found}]" if found else ""


def species(key: str, lang: str) -> str:
    """Name of a species in words, with its Latin name in italics."""
    found = vocabulary.species(key)
    name, latin = found.name_zh if lang == "zh" else found.name_en, f"*{found.name_latin}*"
    around = "{}（{}）" if lang == "zh" else "{} ({})"
    return latin if name == found.name_latin else around.format(name, latin)


def header(word: str, lang: str, **values) -> str:
    """Header of a column."""
    found = {row["word"]: row[lang] for row in records("vocabulary", "draft_headers.csv")}
    own = vocabulary.wording("header", word).get(f"label_{lang}")
    text = (own or found[word]).format(**values)
    return text[:1].upper() + text[1:]


def between(low: str, high: str, lang: str) -> str:
    """Two ends of a range."""
    return f"{low}～{high}" if lang == "zh" else f"{low} to {high}"


def demonstration_note(titles, lang: str) -> str:
    """Warning that tables come from simulated data."""
    if lang == "zh":
        return f"示范稿：本稿引用的参数表（{listed(titles, lang)}）由模拟数据得出，仅用于演示格式与流程，不能用于任何计量。"
    tables = "tables" if len(titles) > 1 else "table"
    come, they = ("come", "They show") if len(titles) > 1 else ("comes", "It shows")
    return (
        f"DEMONSTRATION: the parameter {tables} cited here ({listed(titles, lang)}) {come} from simulated data. "
        f"{they} form and workflow only and cannot be used for any accounting."
    )


def span(name: str, low: float, high: float, lang: str) -> str:
    """Range of a variable with its unit at both ends."""
    unit = unit_symbol(vocabulary.variable(name).unit, lang)
    return between(*(f"{end:g}\N{NO-BREAK SPACE}{unit}".rstrip() for end in (low, high)), lang)


def outside_note(label: str, wanted: str, fitted: str, lang: str, model: str = "") -> str:
    """Sentence about a use that leaves the fitted range of a model, which has a title where there are several."""
    if lang == "zh":
        return f"{label}的使用范围{wanted}超出{model or '模型'}的建模范围{fitted}，超出部分为外推，其误差不在所列不确定性之内"
    return (
        f"{label}{f' ({model})' if model else ''}: the range of use, {wanted}, goes beyond the fitted range, {fitted}; what lies outside "
        "is extrapolated, and its error is not part of the uncertainty stated"
    )


#: How equations are estimated, by the method of a fit; with several equations and with one.
_ESTIMATED = {
    "nsur": (
        "各方程联立估计，方程间的随机误差允许相关",
        "the equations are estimated jointly, with errors correlated between them",
    ),
    "mixed": ("各方程按混合效应模型估计", "the equations are estimated as a mixed-effects model"),
    "bayes": ("各方程按层次贝叶斯模型估计", "the equations are estimated as a hierarchical Bayesian model"),
    "wls": ("各方程分别用加权最小二乘法估计", "each equation is estimated by weighted least squares"),
    "ols-log": (
        "各方程取对数后用最小二乘法估计，并作偏差校正",
        "each equation is estimated on the log scale, corrected for bias",
    ),
}
_POOLED = ("模型由已发表的方程合并得到", "the model is pooled from published equations")
#: What the number in the exponential of a pooled equation is; see ``of_mean`` of the pooled equations.
_LEVELLED = (
    "；指数函数中的常数由各地点间幂指数的方差得到，使曲线为各地点的均值",
    "; the constant in the exponential follows from the variance of the powers between places and makes the curve the mean over places",
)
_NATIONAL = (
    "各方程由公开的样地数据取对数后，按研究与样地嵌套的混合效应模型估计",
    "the equations are estimated from open plots as a mixed-effects model of logarithms, plots nested in studies",
)
_UNWEIGHTED = ("各方程分别用最小二乘法估计", "each equation is estimated by least squares")


def told(fit, lang: str) -> str:
    """Sentences about a fit that follow from it: estimation, variance, additivity, how roots are tied to the rest."""
    at, system = (0 if lang == "zh" else 1), fit.system
    even = [r for r, model in fit.residual.items() if model.variance.even]
    weighted = [r for r in fit.residual if r not in even]
    plain = fit.method == "wls" and not weighted
    said = [(_UNWEIGHTED if plain else _ESTIMATED.get(fit.method, _UNWEIGHTED))[at]]
    if fit.method == "pooled":
        # Models of stands were fitted to plots elsewhere; the repository carries their estimates.
        how = _NATIONAL if fit.source.get("spec") == "literature:equations/stands" else _POOLED
        right = system.equations[0].right
        levelled = isinstance(right, Product) and any(
            isinstance(f, Call) and f.function == "exp" for _, f in right.factors
        )
        text = how[at] + (_LEVELLED[at] if levelled else "")
        return f"{text}。" if lang == "zh" else f"{text[:1].upper()}{text[1:]}."
    if len(fit.residual) == 1 and fit.method == "nsur":
        said = [_ESTIMATED["wls"][at] if weighted else _UNWEIGHTED[at]]
    if weighted:
        names = sorted({m.by for r, m in fit.residual.items() if r in weighted})
        by = listed(
            (
                vocabulary.label(n, lang) if vocabulary.is_variable(n) else ("预测值", "the prediction")[at]
                for n in names
            ),
            lang,
        )
        said.append(
            f"随机误差的标准差随{by}变化"
            if lang == "zh"
            else f"the standard deviation of the errors varies with {by}"
        )
    if even:
        which = "" if not weighted else listed((vocabulary.label(r, lang) for r in even), lang)
        if lang == "zh":
            said.append(f"{which}随机误差的方差为常数")
        else:
            said.append(f"the variance of the errors{f' of {which}' if which else ''} is constant")
    for total in ("agb", "total"):
        if total in system.identities:
            label = vocabulary.label(total, lang)
            said.append(f"{label}等于各分量之和" if lang == "zh" else f"{label} is the sum of its components")
    for root in ("root", "bgb"):
        if root in system.responses:
            tied = {*inside(system.equations[system.responses.index(root)])} & {*system.responses}
            label, to = (
                vocabulary.label(root, lang),
                listed((vocabulary.label(r, lang) for r in system.responses if r in tied), lang),
            )
            if tied:
                said.append(
                    f"{label}由{to}推算，两者相容"
                    if lang == "zh"
                    else f"{label} is derived from {to}, so that the two are compatible"
                )
            else:
                said.append(
                    f"{label}由自变量直接计算"
                    if lang == "zh"
                    else f"{label} is calculated from the predictors alone"
                )
    return ("；".join(said) + "。") if lang == "zh" else f"{said[0][:1].upper()}{'; '.join(said)[1:]}."


# Equations and the explanation of their symbols


def inside(equation) -> list[str]:
    """Names on the right side of an equation, in order."""
    return list(dict.fromkeys(name.name for name in names(equation.right)))


def line(system, response, ref: str):
    """Position of the equation of a response.

    Raises
    ------
    DraftError
        The table ``ref`` has none; the message lists those it has.
    """
    for position, equation in enumerate(system.equations):
        if equation.response == response:
            return position
    raise DraftError(
        f"{ref}: no equation for {response!r}; there are: {', '.join(system.responses)}",
        f"{ref}：没有 {response!r} 的方程；现有：{'、'.join(system.responses)}",
    )


def parameter_owner(system, name: str) -> str:
    """Response of the equation that prints a parameter first: of a total that is shared out, its own, of a share its component."""
    holders = [e.response for e in system.equations if name in inside(e)]
    sides = {e.response: e for e in system.equations}
    for whole in (e for e in system.equations if isinstance(e.right, Sum)):
        first, *others = [term.name for _, term in whole.right.terms if isinstance(term, Name)] or [""]
        if holders[0] == first and others and _shared(sides[first], [sides[o] for o in others], system):
            return next((o for o in others if o in holders), whole.response)
    return holders[0]


def _shared(first, others, system) -> bool:
    """Whether a component is what the shares of the others leave of a total, so that it has the parameters of all."""
    own = {*inside(first)} & {*system.parameters}
    return all({*inside(e)} & {*system.parameters} <= own for e in others)


def numbered(system, alias: str, response: str, ref: str, lang: str) -> str:
    """One equation with its identifier ``eq:alias-response``."""
    return displayed(system.latex(lang)[line(system, response, ref)], identifier(alias, response))


def displayed(text: str, label: str) -> str:
    """A formula on a line of its own; conditions of segments stand apart, a sum too long for the line is broken."""
    apart = in_two_lines(text.replace(", & ", r", & \quad "))
    return f"\n$${apart}$$ {{#eq:{label}}}\n"


#: Letters that fit between the margins beside the number of a formula.
LINE = 50
_SCRIPT = re.compile(r"[_^]\{((?:[^{}]|\{[^{}]*\})*)\}")
_FRACTION = re.compile(r"\\frac\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}\{((?:[^{}]|\{[^{}]*\})*)\}")


def letters(latex: str) -> float:
    """Width of a formula in letters, about: indices are small, of a fraction the wider part counts."""
    plain = re.sub(r"\\(mathrm|text|operatorname|left|right|bar|hat)\b", "", latex)
    if found := _FRACTION.search(plain):
        return letters(plain.replace(found[0], max(found[1], found[2], key=letters), 1))
    small = sum(len(re.sub(r"[\\{},^_ ]|\\[a-z]+", "", part)) for part in _SCRIPT.findall(plain))
    rest = re.sub(r"[\\{}&, ]", "", re.sub(r"\\[a-zA-Z]+", "x", _SCRIPT.sub("", plain)))
    return len(rest) + 1.2 * len(re.findall(r"[-+=<>]", rest)) + 0.62 * small


def in_two_lines(latex: str) -> str:
    """A sum that is too long for the line, broken before the sign that halves it; other formulas as they are."""
    left, equal, right = latex.partition(" = ")
    if letters(latex) <= LINE or not equal or r"\begin" in latex:
        return latex
    depth, signs = 0, []
    for at, letter in enumerate(right):
        depth += (letter in "{(") - (letter in "})")
        if depth == 0 and letter in "+-" and right[at - 1 : at + 2] in (" + ", " - "):
            signs.append(at)
    if not signs:
        return latex
    at = min(signs, key=lambda at: abs(letters(right[:at]) - letters(right[at:])))
    # Without marks of alignment, which office programs other than Word print.
    return rf"\begin{{gathered}} {left} = {right[:at].rstrip()} \\ \quad {right[at:]} \end{{gathered}}"


def legend(system, responses, skip, parameters: str | None, lang: str, also=()) -> str:
    """Explain the symbols of some equations, parameters last.

    Parameters
    ----------
    system : System
    responses : sequence of str
    skip : sequence of str
        Variables that were explained before.
    parameters : str or None
        Identifier of the table that gives the parameters; without it they are not explained.
    lang : "zh" or "en"
    also : sequence of str
        Variables that are not of the system, such as a ratio.
    """
    wanted, letters = [], []
    for equation in system.equations:
        if equation.response in responses:
            here = inside(equation)
            wanted += [equation.response, *(n for n in here if n not in system.parameters)]
            letters += [n for n in here if n in system.parameters]
    # Two variables may share a symbol and its explanation, as roots and belowground parts do.
    lines = list(dict.fromkeys(_explained(n, lang) for n in dict.fromkeys([*wanted, *also]) if n not in skip))
    shown = [equation for equation in system.equations if equation.response in responses]
    lines += dict.fromkeys(line for equation in shown for line in _references(equation, lang))
    if parameters and letters:
        symbols = [f"${parameter_symbol(n, None, taken(system))}$" for n in counted_off(letters)]
        joined = listed(symbols, lang)
        said = "——模型参数，取值见" if lang == "zh" else " are parameters of the models, given in "
        lines.append(f"{joined}{said}[@tbl:{parameters}]")
    first, stop, end = ("式中：", "；", "。") if lang == "zh" else ("where", ";", ".")
    body = "\n\n".join([first, *(f"{text}{stop}" for text in lines[:-1]), f"{lines[-1]}{end}"])
    return f"\n::: legend\n{body}\n:::\n"


def _references(equation, lang: str):
    """Lines about the numbers that a model divides its predictors by, such as ``(dbh / 11.59)``."""
    for node in walk(equation.right):
        if isinstance(node, Product) and len(node.factors) == 2:
            (over, name), (under, number) = node.factors
            if isinstance(name, Name) and isinstance(number, Number) and (over, under) == (1, -1):
                if vocabulary.is_variable(name.name):
                    known = vocabulary.variable(name.name)
                    unit = unit_words(known.unit, lang)
                    yield (
                        f"${number.value:g}$——建模样本中{known.label_zh}的参考值，{unit}"
                        if lang == "zh"
                        else f"${number.value:g}$ is the reference value of the {known.label_en} in the sample, {unit}"
                    )


def counted_off(names) -> list[str]:
    """Names once each, letters as they come, those of one letter by their number: segments write b1, b3 before b2."""
    once = list(dict.fromkeys(names))
    split = {name: re.fullmatch(r"(.*?)(\d*)", name).groups() for name in once}  # type: ignore[union-attr]
    order = list(dict.fromkeys(letter for letter, _ in split.values()))
    return sorted(once, key=lambda name: (order.index(split[name][0]), int(split[name][1] or 0)))


def _explained(name: str, lang: str) -> str:
    known = vocabulary.variable(name)
    unit = unit_words(known.unit, lang)
    if lang == "zh":
        return f"${known.latex}$——{known.label_zh}，{unit}"
    return f"${known.latex}$ is the {known.label_en}, {unit}"


# Tables of a fit

#: The six indices of the Chinese standards.
SIX = ("R2", "SEE", "TRE", "ASE", "MPE", "MPSE")
#: Columns of a part of the matrix of correlations, so that it fits the page.
MATRIX_COLUMNS = 8


def _symbols(fit) -> list[str]:
    rows = zip(fit.parameters["name"], fit.parameters["group"], strict=True)
    others = taken(fit.system)
    return [f"${parameter_symbol(name, group or None, others)}$" for name, group in rows]


def _order(fit, owner=None) -> list[int]:
    """Places of the parameters as tables list them: by equation, then by letter and number."""
    names = list(fit.parameters["name"])
    owners = [(owner or {}).get(name) or parameter_owner(fit.system, name) for name in names]
    counted = counted_off(names)
    by = [*dict.fromkeys(owners)].index
    return sorted(range(len(names)), key=lambda i: (by(owners[i]), counted.index(names[i])))


def parameters(cite, fit, lang, label, caption, owner=None) -> str:
    """Estimates with standard errors and limits, one row each; ``owner`` names the formula of a parameter where it is printed otherwise.

    The rounding guard sets the digits, so that predictions from the printed estimates stay what they were.
    """
    level = f"{100 * fit.level:g}%" if lang == "zh" else f"{100 * fit.level:g} %"
    head = [header(w, lang) for w in ("equation", "parameter", "value", "se")]
    head += [header(w, lang, level=level) for w in ("lower", "upper")]
    rows, before, places = [], None, digits.guard(fit).decimals
    told = list(zip(_symbols(fit), fit.labels, fit.parameters.to_dict("records"), strict=True))
    for symbol, own, row in (told[i] for i in _order(fit, owner)):
        texts = with_error(row["value"], row["se"], row["lower"], row["upper"], decimals=int(places[own]))
        name = row["name"] + (f"[{row['group']}]" if row["group"] else "")
        for column, text in zip(("value", "se", "lower", "upper"), texts, strict=True):
            cite("coefficients", name, column, row[column], text)
        of = (owner or {}).get(row["name"]) or parameter_owner(fit.system, row["name"])
        # A blank cell is joined with the one above it.
        rows.append(["" if of == before else title(of, lang), symbol, *texts])
        before = of
    return table(label, caption, head, rows, "lccccc")


def indices(cite, fit, lang, label, caption) -> str:
    """The six indices of each response."""
    head = [header("quantity", lang), header("n", lang)]
    head += ["$R^{2}$", "SEE", *(f"{name}/%" if lang == "zh" else f"{name} (%)" for name in SIX[2:])]
    rows = []
    for response, row in fit.index_table.iterrows():
        cells = [headed(response, lang)]
        # A pooled equation rests on equations: it has no trees to count.
        counted = exists(row["n"])
        cells.append(cite("indices", response, "n", int(row["n"]), f"{int(row['n'])}") if counted else "—")
        for index in SIX:
            text = index_text(index, row[index])
            cells.append(cite("indices", response, index, row[index], text))
        rows.append(cells)
    note = "注：SEE 的单位与因变量相同。" if lang == "zh" else "NOTE SEE is in the unit of the response."
    return table(label, caption, head, rows, "lccccccc", [note])


def index_text(index: str, value) -> str:
    """An index of fit as it is printed."""
    if not exists(value):
        return "—"
    if index == "SEE":
        return significant(value)
    return fixed(value, 4 if index == "R2" else 2)


def index_formulas(lang) -> list[tuple[str, str, str, str]]:
    """Name, LaTeX, meaning and symbol of each of the six indices; names of several letters stand upright."""
    found = []
    for name in SIX:
        formula = formulas()[name]
        latex = re.sub(r"\b(SEE|TRE|ASE|MPE|MPSE)\b", r"\\mathrm{\1}", formula.latex)
        symbol = "R^{2}" if name == "R2" else rf"\mathrm{{{name}}}"
        said = formula.zh if lang == "zh" else formula.en
        unit = {
            "R2": ("，无量纲", ", dimensionless"),
            "SEE": ("，单位与因变量相同", ", in the unit of the response"),
        }
        found.append((name, latex, said + unit.get(name, ("", ""))[lang != "zh"], symbol))
    return found


def samples(cite, fit, lang, label, caption) -> str:
    """Count the trees of each response, and say what was weighed, and of stands from which diameter on trees were counted."""
    head = [header(w, lang) for w in ("quantity", "weighed", "n")]
    components, known = fit.source.get("components") or {}, vocabulary.components()
    defined = fit.source.get("definitions") or {}
    rows = []
    for response in fit.system.responses:
        count = fit.n.get(response)
        if count is None and response not in components:
            continue
        component = vocabulary.component(components[response]) if components.get(response) in known else None
        sums = header("sum" if response in fit.system.identities else "unstated", lang)
        said = (component.label_zh if lang == "zh" else component.label_en) if component else sums
        if response in defined:
            parts = [vocabulary.group_label(part, lang) for part in defined[response].split(";")]
            said = ("；" if lang == "zh" else "; ").join(parts)
        counted = "—" if count is None else cite("equations", response, "n", count, f"{count}")
        rows.append([title(response, lang), said, counted])
    return table(label, caption, head, rows, "llc")


def ranges(cite, fit, lang, label, caption) -> str:
    """Smallest and largest predictor of the sample."""
    head = [header(w, lang) for w in ("predictor", "minimum", "maximum")]
    rows = []
    for predictor, limits in fit.ranges.items():
        cells = [headed(predictor, lang)]
        for column, limit, text in zip(("minimum", "maximum"), limits, alike(*limits), strict=True):
            cells.append(cite("ranges", predictor, column, limit, text))
        rows.append(cells)
    return table(label, caption, head, rows, "lcc")


def residuals(cite, fit, lang, label, caption) -> str:
    """Standard deviation of the residual of each equation, as a function."""
    head = [header("equation", lang), header("deviation", lang), r"$\sigma$", r"$\delta$"]
    rows = []
    for response, model in fit.residual.items():
        symbol = vocabulary.variable(response).latex if vocabulary.is_variable(response) else response
        by = symbol if model.by in ("mean", "") else vocabulary.variable(model.by).latex
        cells = [title(response, lang), f"${model.latex(symbol, by)}$"]
        cells.append(cite("equations", response, "sigma", model.sigma, significant(model.sigma)))
        if model.variance.even:
            cells.append("—")
        else:
            exponent = fixed(model.exponent, 4)
            cells.append(cite("equations", response, "variance_exponent", model.exponent, exponent))
        rows.append(cells)
    return table(
        label,
        caption,
        head,
        rows,
        "lccc",
        [_estimates(fit, lang)],
        thin=True,
    )


def _estimates(fit, lang: str) -> str:
    """What the letters of a table of residuals are."""
    told = any(not m.variance.even and exists(m.exponent) for m in fit.residual.values())
    letters = [r"$\sigma$", r"$\delta$"][: 1 + told]
    known = [r for r in fit.residual if r != "volume" and vocabulary.is_variable(r)]
    units = dict.fromkeys(vocabulary.variable(r).unit for r in known)
    words = [_units().get(unit, {}).get(f"words_{lang}", unit) for unit in units if unit not in ("", "1")]
    if lang == "zh":
        said = [f"预测值的单位为{'、'.join(words)}"] * bool(words)
        said += ["材积的单位为立方米"] * ("volume" in fit.residual)
        return f"注：{'和'.join(letters)}由样本估计{'；' * bool(said)}{'，'.join(said)}。"
    said = [f"predictions are in {' and '.join(words)}"] * bool(words)
    said += [f"volumes {'' if words else 'are '}in cubic metres"] * ("volume" in fit.residual)
    return f"NOTE {' and '.join(letters)} {'are' if told else 'is'} estimated from the sample{'; ' * bool(said)}{', '.join(said)}."


def sites(cite, fit, lang, label, caption) -> str:
    """Spread between the sites that were sampled, and where the total of a site that was not may lie, in per cent."""
    words = ("equation", "between_sites", "new_site_lower", "new_site_upper")
    head = [header(word, lang) for word in words]
    rows = [[title(r, lang), *site_texts(cite, fit, r)] for r in fit.between.names]
    return table(label, caption, head, rows, "lccc")


def site_texts(cite, fit, response) -> list[str]:
    """Spread between sites and the two limits of a new one of a response, in per cent."""
    between = fit.between
    quantile = stats.t.ppf(0.975, between.n - 1)
    sd, centre = np.sqrt(between.spread.loc[response, response]), between.centre[response]
    told = [100 * sd, *(100 * np.expm1(centre + side * quantile * sd) for side in (-1, 1))]
    return [
        cite("between", response, c, v, fixed(v, 1))
        for c, v in zip(("spread", "lower", "upper"), told, strict=True)
    ]


def matrix_parts(size: int) -> list[range]:
    """Columns of each part that a matrix is printed in."""
    count = -(-size // MATRIX_COLUMNS)
    width = -(-size // count)
    return [range(start, min(start + width, size)) for start in range(0, size, width)]


def correlations(cite, fit, lang, label, caption, owner=None) -> str:
    """Standard errors with four digits and correlations of the estimates: the joint covariance.

    A large matrix is printed in parts that fit the page; part ``i`` is cited as ``label-i``.
    """
    order = _order(fit, owner)
    covariance = fit.covariance.to_numpy(float)[np.ix_(order, order)]
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    symbols, labels = ([told[i] for i in order] for told in (_symbols(fit), fit.labels))
    text = ""
    parts = matrix_parts(len(symbols))
    for number, columns in enumerate(parts, start=1):
        rows = []
        for i in range(columns.start, len(symbols)):
            cells = [symbols[i]]
            se = significant(deviation[i])
            cells.append(cite("coefficients", labels[i], "se", deviation[i], se))
            for j in columns:
                pair, shown = f"{labels[i]}, {labels[j]}", fixed(correlation[i, j], 4)
                below = cite("covariance", pair, "correlation", correlation[i, j], shown) if j < i else "—"
                cells.append("1" if i == j else below)
            rows.append(cells)
        head = [header("parameter", lang), header("se", lang), *(symbols[j] for j in columns)]
        ends = between(symbols[columns[0]], symbols[columns[-1]], lang)
        part = f"（{ends}）" if lang == "zh" else f" ({ends})"
        text += table(f"{label}-{number}", caption + (part if len(parts) > 1 else ""), head, rows)
    return text


def values(cite, frame, lang, label, caption, ref, labels=None, notes=()) -> str:
    """Scalar values with their standard errors and the range of the quantity itself.

    Species, organ and age have a column each where they differ; ``labels`` are wordings of groups that the vocabulary
    does not know, ``notes`` sentences that stand below.
    """
    several = frame["variable"].nunique() > 1
    apart = [] if several or labels else _apart(list(frame["group"]))
    rows, refused, stands, unstated = [], [], [], {}
    for row in _in_order(frame, apart):
        shown = vocabulary.group_label(row["group"], lang)
        shown = (labels or {}).get(shown, shown)
        if several or not shown:
            shown = " ".join(filter(None, (headed(row["variable"] or row["name"], lang), shown)))
        if row["status"] == REFUSED:
            refused.append(escape(shown))
            continue
        limits = row["q025"], row["q975"]
        mean, se, low, high = _value_texts(row["mean"], row["se"], *limits)
        studies = f"{int(row['n_study'])}" if exists(row["n_study"]) else "—"
        columns = ("mean", "se", "q025", "q975", "n_study")
        for column, text in zip(columns, (mean, se, low, high, studies), strict=True):
            # A dash is no number, and nobody can look it up.
            if text != "—":
                cite("values", row["name"], column, row[column], text, row["status"])
        interval = between(low, high, lang) if exists(limits[0]) else "—"
        # What a range speaks for is said of a range that is there.
        stands.append(
            escape(vocabulary.estimand(row if interval != "—" else row | {"of_whom": ""}, lang)) or "—"
        )
        plain = several or labels or ";" in row["group"] or shown in row["group"]
        own = ["species_id"] if row["group"].startswith("species_id=") and not plain else []
        named = [_member(row["group"], c, lang, unstated) for c in apart or own] or [escape(shown)]
        rows.append([*named, mean, se, interval, studies, stands[-1]])
    if not rows:
        raise DraftError(
            f"{ref}: no value is left to print in table {label}", f"{ref}：表 {label} 中没有可列出的取值"
        )
    # The sign of a range, and its unit at both ends.
    ends = r"\1 \3～\2 \3" if lang == "zh" else r"\1 \3 to \2 \3"
    stands = [re.sub(r"(\d)–(\d+) ?(c?m)\b", ends, text) for text in stands]
    rows = [[*row[:-1], text] for row, text in zip(rows, stands, strict=True)]
    # What all rows share is said once, below the table; a row without a range says the same of its mean alone.
    longest = max(stands, key=len)
    alike = all(longest.startswith(s) and s != "—" or s == longest for s in stands)
    head = [header(word, lang) for word in apart or ["group"]]
    units = {*frame.get("unit", pd.Series(dtype=str)).dropna()} if not several else set()
    head += [in_unit(header(word, lang), units, lang) for word in ("mean", "se", "interval")]
    head += [header(word, lang) for word in ("n_study", "estimand")[: 1 if alike else 2]]
    # Where no row has a range, the note speaks of the mean alone.
    stand = _STANDS[lang] if frame[["q025", "q975"]].notna().any(axis=None) else _MEANS[lang]
    shared = [stand.format(longest)] if alike and longest != "—" else []
    notes = shared + [escape(line[0].upper() + line[1:]) + {"zh": "。", "en": "."}[lang] for line in notes]
    notes += [_REFUSED[lang].format(joined(refused, lang))] if refused else []
    studied = len(apart or ["group"]) + 3
    notes += [_UNSEEN[lang]] if any(row[studied] == "0" for row in rows) else []
    if unstated:
        notes.append(_UNSTATED[lang].format(("；" if lang == "zh" else "; ").join(unstated.values())))
    marks = (
        [f" {i}" if lang == "en" else str(i) for i in range(1, len(notes) + 1)] if len(notes) > 1 else [""]
    )
    told = [_NOTE[lang].format(mark) + note for mark, note in zip(marks, notes, strict=False)]
    rows = [row[: len(head)] for row in rows]
    align = "l" * len(apart or "g") + "ccccl"
    return table(label, caption, head, rows, align[: len(head)], told, thin=True)


#: Columns of groups that have a column of a printed table each.
_MEMBERS = ("species_id", "component", "age")


def _apart(groups: list[str]) -> list[str]:
    """Columns of which groups are made, where tables print one each: those that differ; none where groups are made of others."""
    parts = [vocabulary.group_members(str(group)) for group in groups]
    known = all(part and {*part} <= {*_MEMBERS} and {*part} == {*parts[0]} for part in parts)
    differ = [c for c in _MEMBERS if known and len({part.get(c) for part in parts}) > 1]
    return differ if "component" in differ else []


#: Order of organs in a table of values, by the variable of their component.
_ORGANS = "stem wood bark culm branch foliage crown agb stump rhizome root bgb total".split()


def _in_order(frame, apart) -> list[dict]:
    """Rows by species and then by organ from the stem to the roots, where these have columns of their own; else as they are."""
    rows = frame.to_dict("records")
    if not apart:
        return rows
    parts = [vocabulary.group_members(row["group"]) for row in rows]
    seen = [*dict.fromkeys(part.get("species_id") for part in parts)]
    known = vocabulary.components()
    organs = [_ORGANS.index(known[p["component"]].variable) if p["component"] in known else 99 for p in parts]
    order = sorted(range(len(rows)), key=lambda i: (seen.index(parts[i].get("species_id")), organs[i]))
    return [rows[i] for i in order]


#: What a component leaves open, which a note tells once.
_OPEN = re.compile("未说明|按原文|not stated|as printed")


def _member(group: str, column: str, lang: str, unstated: dict[str, str]) -> str:
    """One member of a group as its column prints it; what of an organ its sources do not state is noted."""
    value = vocabulary.group_members(group)[column]
    if column == "species_id":
        known = vocabulary.species(value)
        return known.name_zh if lang == "zh" else f"*{known.name_latin}*"
    if column == "age":
        return measured(float(value))
    # The label in the words of its species: bamboo has others than trees.
    of = ";".join(part for part in group.split(";") if part.startswith("species_id"))
    skip = vocabulary.group_label(of, lang)
    text = (
        vocabulary.group_label(";".join(filter(None, (of, f"component={value}"))), lang)
        .removeprefix(skip)
        .strip(" ,")
    )
    first, *rest = re.split("[（），]" if lang == "zh" else ", ", text)
    kept, left = ([p for p in rest if p and bool(_OPEN.search(p)) == wanted] for wanted in (False, True))
    plain = f"{first}（{'，'.join(kept)}）" if kept and lang == "zh" else ", ".join([first, *kept])
    said = [p for p in left if not re.search("按原文|as printed", p)]
    if said:
        unstated[value] = (
            f"{plain}{'，'.join(said).removesuffix('未说明')}"
            if lang == "zh"
            else f"{', '.join(said).removesuffix(' not stated')} ({plain})"
        )
    return escape(plain)


def in_unit(text: str, units, lang: str) -> str:
    """A header with the unit that its column shares."""
    symbol = unit_symbol(next(iter(units)), lang) if len(units) == 1 else ""
    around = ("{}/{}" if lang == "zh" else "{} ({})") if symbol else "{}"
    return around.format(text, symbol)


#: Notes of a table of values: what all rows stand for, and the groups whose estimates a check refused.
_NOTE = {"zh": "注{}：", "en": "NOTE{} "}
_STANDS = {"zh": "均值与区间所指：{}。", "en": "Mean and range: {}."}
_MEANS = {"zh": "均值所指：{}。", "en": "Mean: {}."}
_REFUSED = {
    "zh": "{}的估计值未通过合理性检验，未列入。",
    "en": "The estimates of {} did not pass the checks of plausibility and are not listed.",
}
#: What a value of no study of its own is.
_UNSEEN = {
    "zh": "研究数为0的取值没有该组自己的测定，由分层模型根据同一树种的其他器官和其他树种的同一器官推得，或由各器官的取值按质量加权得到。",
    "en": "Values of 0 studies rest on no measurement of their own group: a hierarchical model infers them from other organs of the "
    "species and from the same organ of other species, or it is the mean of organs weighted by mass.",
}


#: What sources leave open about organs.
_UNSTATED = {"zh": "原文献未说明的内容：{}。", "en": "Not stated by the sources: {}."}


def _value_texts(mean, se, low, high) -> list[str]:
    """A value, its standard error and limits; without an error the digits follow a quarter of the range."""
    if exists(se):
        return with_error(mean, se, low, high)
    if not exists(low) or not exists(high) or high <= low:
        # Nothing tells how well it is known: no more digits than a table of the kind prints.
        return [measured(float(f"{mean:.{PLAIN_DIGITS}g}")) if exists(mean) else "—", "—", "—", "—"]
    text, _, *limits = with_error(mean, (high - low) / 4, low, high)
    return [text, "—", *limits]
