"""Tables of a draft, written from parameter tables; every number in them is noted.

Equations of a draft and the explanation of their symbols.

Small pieces of Markdown: text that stays text, and tables.

Numbers as they are printed: as many digits as their standard error supports.

Wording of drafts in both languages: units, names of groups, headers of tables.
"""

import math
import re
import unicodedata

import numpy as np

from sinklab.data import vocabulary
from sinklab.equations.latex import parameter_symbol
from sinklab.equations.tree import names
from sinklab.language import DraftError, tr
from sinklab.results.indices import FORMULAS
from sinklab.tables import digits

# --- Small pieces of Markdown: text that stays text, and tables.

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|@$^~'\"&])")
_IDENTIFIER = re.compile(r"[^A-Za-z0-9]+")


def escape(text) -> str:
    """Text of a table or description that must be printed as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def identifier(*parts) -> str:
    """Identifier of a table, figure or equation made of words: ``agb stem`` gives ``agb-stem``."""
    return "-".join(_IDENTIFIER.sub("-", str(part)).strip("-") for part in parts)


def width(text: str) -> int:
    """Columns that a text takes; Chinese letters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def table(label: str, caption: str, header, rows, align: str = "", notes=()) -> str:
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
    """
    rules = {"l": ":---", "c": ":---:", "r": "---:"}
    align = align or "c" * len(header)
    lines = [header, [rules[letter] for letter in align], *rows]
    body = "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
    text = f"{body}\n\nTable: {caption} {{#tbl:{label}}}\n"
    if notes:
        text += "\n::: tablenote\n" + "\n\n".join(notes) + "\n:::\n"
    return f"\n{text}\n"


# --- Numbers as they are printed: as many digits as their standard error supports.

#: Significant digits of a standard error; the value follows to the same place.
ERROR_DIGITS = 2
#: Significant digits of a number without an error.
PLAIN_DIGITS = 4
MINUS = "\N{MINUS SIGN}"


def exists(number) -> bool:
    """Whether there is a finite number to print."""
    return number is not None and not isinstance(number, str) and math.isfinite(number)


def magnitude(number: float, digits: int) -> int:
    """Exponent of ten of a number once it is rounded to ``digits`` significant digits."""
    return int(f"{abs(number):.{max(digits - 1, 0)}e}".partition("e")[2]) if number else 0


def fixed(number: float, decimals: int) -> str:
    """A number to a decimal place, which may lie left of the point, with a true minus sign."""
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
    return f"{number:.6g}".replace("-", MINUS)


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


# --- Wording of drafts in both languages: units, names of groups, headers of tables.

#: Symbol and names of each unit of the vocabulary that a draft may print.
UNITS = {
    "cm": ("cm", "centimetres", "厘米"),
    "m": ("m", "metres", "米"),
    "kg": ("kg", "kilograms", "千克"),
    "t": ("t", "tonnes", "吨"),
    "year": ("a", "years", "年"),
    "m2": ("m²", "square metres", "平方米"),
    "m3": ("m³", "cubic metres", "立方米"),
    "g/cm3": ("g/cm³", "grams per cubic centimetre", "克每立方厘米"),
    "kg/m3": ("kg/m³", "kilograms per cubic metre", "千克每立方米"),
    "t/m3": ("t/m³", "tonnes per cubic metre", "吨每立方米"),
    "t/ha": ("t/hm²", "tonnes per hectare", "吨每公顷"),
    "m2/ha": ("m²/hm²", "square metres per hectare", "平方米每公顷"),
    "m3/ha": ("m³/hm²", "cubic metres per hectare", "立方米每公顷"),
    "1/ha": ("株/hm²", "stems per hectare", "株每公顷"),
    "g/kg": ("g/kg", "grams per kilogram", "克每千克"),
    "du": ("du", "du", "度"),
}


def unit_symbol(unit: str) -> str:
    """Symbol of a unit as it is printed; "" for a plain number."""
    return "" if unit in ("", "1") else UNITS[unit][0] if unit in UNITS else unit


def unit_words(unit: str, lang: str) -> str:
    """Unit as the explanation of a symbol names it."""
    if unit in ("", "1"):
        return "无量纲" if lang == "zh" else "dimensionless"
    symbol, english, chinese = UNITS.get(unit, (unit, unit, unit))
    return f"单位为{chinese}（{symbol}）" if lang == "zh" else f"in {english} ({symbol})"


def title(name: str, lang: str) -> str:
    """Label of a variable as the first word of a line."""
    label = vocabulary.label(name, lang)
    return label[:1].upper() + label[1:]


def headed(name: str, lang: str) -> str:
    """Label of a variable with its unit, as in ``胸径/cm``."""
    known = vocabulary.variables().get(name)
    symbol = unit_symbol(known.unit) if known else ""
    if not symbol:
        return title(name, lang)
    if lang == "en":
        return f"{title(name, lang)} ({symbol})"
    return f"{title(name, lang)}/({symbol})" if "/" in symbol else f"{title(name, lang)}/{symbol}"


def listed(items, lang: str) -> str:
    """Items side by side in a sentence."""
    return ("、" if lang == "zh" else ", ").join(items)


def species(key: str, lang: str) -> str:
    """Name of a species in words, with its Latin name in italics."""
    found = vocabulary.species(key)
    return (
        f"{found.name_zh}（*{found.name_latin}*）"
        if lang == "zh"
        else f"{found.name_en} (*{found.name_latin}*)"
    )


#: Headers of the tables of a draft.
HEADERS = {
    "equation": {"zh": "方程", "en": "equation"},
    "parameter": {"zh": "参数", "en": "parameter"},
    "value": {"zh": "估计值", "en": "estimate"},
    "se": {"zh": "标准误", "en": "standard error"},
    "mean": {"zh": "均值", "en": "mean"},
    "lower": {"zh": "{level} 置信下限", "en": "{level} lower limit"},
    "upper": {"zh": "{level} 置信上限", "en": "{level} upper limit"},
    "interval": {"zh": "95% 分布区间", "en": "95 % range"},
    "n": {"zh": "样本数", "en": "number of trees"},
    "n_study": {"zh": "研究数", "en": "studies"},
    "quantity": {"zh": "量", "en": "quantity"},
    "weighed": {"zh": "测定内容", "en": "what was measured"},
    "predictor": {"zh": "自变量", "en": "predictor"},
    "minimum": {"zh": "最小值", "en": "minimum"},
    "maximum": {"zh": "最大值", "en": "maximum"},
    "index": {"zh": "指标", "en": "index"},
    "group": {"zh": "分组", "en": "group"},
    "deviation": {"zh": "残差标准差", "en": "residual standard deviation"},
    "unstated": {"zh": "未说明", "en": "not stated"},
    "sum": {"zh": "由各分量相加", "en": "sum of its parts"},
}


def header(word: str, lang: str, **values) -> str:
    """Header of a column."""
    text = HEADERS[word][lang].format(**values)
    return text[:1].upper() + text[1:]


def demonstration_note(refs, lang: str) -> str:
    """Warning that tables come from simulated data."""
    if lang == "zh":
        return f"示范稿：本稿引用的参数表 {listed(refs, lang)} 由模拟数据得出，仅用于演示格式与流程，不能用于任何计量。"
    tables = "tables" if len(refs) > 1 else "table"
    come, they = ("come", "They show") if len(refs) > 1 else ("comes", "It shows")
    return (
        f"DEMONSTRATION: the parameter {tables} {listed(refs, lang)} cited here {come} from simulated data. "
        f"{they} form and workflow only and cannot be used for any accounting."
    )


def span(name: str, low: float, high: float, lang: str) -> str:
    """Range of a variable with its unit at both ends."""
    unit = unit_symbol(vocabulary.variable(name).unit)
    ends = [f"{end:g}\N{NO-BREAK SPACE}{unit}".rstrip() for end in (low, high)]
    return ("～" if lang == "zh" else " to ").join(ends)


def outside_note(label: str, wanted: str, fitted: str, ref: str, lang: str) -> str:
    """Sentence about a use that leaves the fitted range."""
    if lang == "zh":
        return f"{label}的使用范围{wanted}超出参数表{ref}的建模范围{fitted}，超出部分为外推，其误差不在所列不确定性之内"
    return (
        f"{label}: the range of use, {wanted}, goes beyond the fitted range of {ref}, {fitted}; what lies outside "
        "is extrapolated, and its error is not part of the uncertainty stated"
    )


# --- Equations of a draft and the explanation of their symbols.


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
        tr(
            f"{ref}: no equation for {response!r}; there are: {', '.join(system.responses)}",
            f"{ref}：没有 {response!r} 的方程；现有：{'、'.join(system.responses)}",
        )
    )


def parameter_owner(system, name: str) -> str:
    """Response of the first equation in which a parameter stands."""
    return next(e.response for e in system.equations if name in inside(e))


def numbered(system, alias: str, response: str, ref: str, lang: str) -> str:
    """One equation with its identifier ``eq:alias-response``."""
    text = system.latex(lang)[line(system, response, ref)]
    return f"\n$${text}$$ {{#eq:{identifier(alias, response)}}}\n"


def legend(system, responses, skip, parameters: str | None, lang: str) -> str:
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
    """
    wanted, letters = [], []
    for equation in system.equations:
        if equation.response in responses:
            here = inside(equation)
            wanted += [equation.response, *(n for n in here if n not in system.parameters)]
            letters += [n for n in here if n in system.parameters]
    # Two variables may share a symbol and its explanation, as roots and belowground parts do.
    lines = list(dict.fromkeys(_explained(n, lang) for n in dict.fromkeys(wanted) if n not in skip))
    if parameters and letters:
        symbols = [f"${parameter_symbol(n)}$" for n in dict.fromkeys(letters)]
        joined = listed(symbols, lang)
        said = "——模型参数，取值见" if lang == "zh" else " are parameters of the models, given in "
        lines.append(f"{joined}{said}[@tbl:{parameters}]")
    first, stop, end = ("式中：", "；", "。") if lang == "zh" else ("where", ";", ".")
    body = "\n\n".join([first, *(f"{text}{stop}" for text in lines[:-1]), f"{lines[-1]}{end}"])
    return f"\n::: legend\n{body}\n:::\n"


def _explained(name: str, lang: str) -> str:
    known = vocabulary.variable(name)
    unit = unit_words(known.unit, lang)
    if lang == "zh":
        return f"${known.latex}$——{known.label_zh}，{unit}"
    return f"${known.latex}$ is the {known.label_en}, {unit}"


# --- Tables of a draft, written from parameter tables; every number in them is noted.

#: The six indices of the Chinese standards.
SIX = ("R2", "SEE", "TRE", "ASE", "MPE", "MPSE")
#: Columns of a part of the matrix of correlations, so that it fits the page.
MATRIX_COLUMNS = 8


def _symbols(fit) -> list[str]:
    rows = zip(fit.parameters["name"], fit.parameters["group"], strict=True)
    return [f"${parameter_symbol(name, group or None)}$" for name, group in rows]


def parameters(cite, fit, lang, label, caption) -> str:
    """Estimates with standard errors and limits, one row each.

    The rounding guard sets the digits, so that predictions from the printed estimates stay what they were.
    """
    level = f"{100 * fit.level:g}%" if lang == "zh" else f"{100 * fit.level:g} %"
    head = [header(w, lang) for w in ("equation", "parameter", "value", "se")]
    head += [header(w, lang, level=level) for w in ("lower", "upper")]
    rows, before, places = [], None, digits.guard(fit).decimals
    listed = zip(_symbols(fit), fit.labels, fit.parameters.to_dict("records"), strict=True)
    for symbol, own, row in listed:
        texts = with_error(row["value"], row["se"], row["lower"], row["upper"], decimals=int(places[own]))
        name = row["name"] + (f"[{row['group']}]" if row["group"] else "")
        for column, text in zip(("value", "se", "lower", "upper"), texts, strict=True):
            cite("coefficients", name, column, row[column], text)
        owner = parameter_owner(fit.system, row["name"])
        rows.append(["" if owner == before else title(owner, lang), symbol, *texts])
        before = owner
    return table(label, caption, head, rows, "lccccc")


def indices(cite, fit, lang, label, caption) -> str:
    """The six indices of each response."""
    head = [header("quantity", lang), header("n", lang)]
    head += ["$R^{2}$", "SEE", *(f"{name}/%" if lang == "zh" else f"{name} (%)" for name in SIX[2:])]
    rows = []
    for response, row in fit.index_table.iterrows():
        cells = [headed(response, lang)]
        cells.append(cite("indices", response, "n", int(row["n"]), f"{int(row['n'])}"))
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
        formula = FORMULAS[name]
        latex = re.sub(r"\b(SEE|TRE|ASE|MPE|MPSE)\b", r"\\mathrm{\1}", formula.latex)
        symbol = "R^{2}" if name == "R2" else rf"\mathrm{{{name}}}"
        found.append((name, latex, formula.zh if lang == "zh" else formula.en, symbol))
    return found


def samples(cite, fit, lang, label, caption) -> str:
    """Count the trees of each response, and say what was weighed."""
    head = [header(w, lang) for w in ("quantity", "weighed", "n")]
    components, known = fit.source.get("components") or {}, vocabulary.components()
    rows = []
    for response in fit.system.responses:
        count = fit.n.get(response)
        if count is None and response not in components:
            continue
        component = known.get(components.get(response, ""))
        sums = header("sum" if response in fit.system.identities else "unstated", lang)
        said = (component.label_zh if lang == "zh" else component.label_en) if component else sums
        counted = "—" if count is None else cite("equations", response, "n", count, f"{count}")
        rows.append([title(response, lang), said, counted])
    return table(label, caption, head, rows, "llc")


def ranges(cite, fit, lang, label, caption) -> str:
    """Smallest and largest predictor of the sample."""
    head = [header(w, lang) for w in ("predictor", "minimum", "maximum")]
    rows = []
    for predictor, limits in fit.ranges.items():
        cells = [headed(predictor, lang)]
        for column, limit in zip(("minimum", "maximum"), limits, strict=True):
            cells.append(cite("ranges", predictor, column, limit, measured(limit)))
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
        needed = not model.variance.even
        exponent = fixed(model.exponent, 4) if needed else "—"
        cells.append(
            cite("equations", response, "variance_exponent", model.exponent, exponent) if needed else "—"
        )
        rows.append(cells)
    return table(label, caption, head, rows, "lccc")


def matrix_parts(size: int) -> list[range]:
    """Columns of each part that a matrix is printed in."""
    count = -(-size // MATRIX_COLUMNS)
    width = -(-size // count)
    return [range(start, min(start + width, size)) for start in range(0, size, width)]


def correlations(cite, fit, lang, label, caption) -> str:
    """Standard errors with four digits and correlations of the estimates: the joint covariance.

    A large matrix is printed in parts that fit the page; part ``i`` is cited as ``label-i``.
    """
    covariance = fit.covariance.to_numpy(float)
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    symbols, text = _symbols(fit), ""
    parts = matrix_parts(len(symbols))
    for number, columns in enumerate(parts, start=1):
        rows = []
        for i in range(columns.start, len(symbols)):
            cells = [symbols[i]]
            se = significant(deviation[i])
            cells.append(cite("coefficients", fit.labels[i], "se", deviation[i], se))
            for j in columns:
                cells.append(_correlation(cite, fit, i, j, correlation) if j <= i else "")
            rows.append(cells)
        head = [header("parameter", lang), header("se", lang), *(symbols[j] for j in columns)]
        span = (
            f"（{symbols[columns[0]]}～{symbols[columns[-1]]}）"
            if lang == "zh"
            else (f" ({symbols[columns[0]]} to {symbols[columns[-1]]})")
        )
        shown = caption + (span if len(parts) > 1 else "")
        text += table(f"{label}-{number}", shown, head, rows)
    return text


def _correlation(cite, fit, i, j, correlation) -> str:
    if i == j:
        return "1"
    pair = f"{fit.labels[i]}, {fit.labels[j]}"
    return cite("covariance", pair, "correlation", correlation[i, j], fixed(correlation[i, j], 4))


def values(cite, frame, lang, label, caption, ref, labels=None) -> str:
    """Scalar values with their standard errors and the range of the quantity itself.

    ``labels`` are wordings of groups that the vocabulary does not know.
    """
    if not len(frame):
        raise DraftError(
            tr(f"{ref}: no value is left to print in table {label}", f"{ref}：表 {label} 中没有可列出的取值")
        )
    several = frame["variable"].nunique() > 1
    head = [header("group", lang), header("mean", lang), header("se", lang)]
    head += [header("interval", lang), header("n_study", lang)]
    rows = []
    for row in frame.to_dict("records"):
        limits = row["q025"], row["q975"]
        mean, se, low, high = _value_texts(row["mean"], row["se"], *limits)
        for column, text in zip(("mean", "se", "q025", "q975"), (mean, se, low, high), strict=True):
            cite("values", row["name"], column, row[column], text, row["status"])
        studies = f"{int(row['n_study'])}" if exists(row["n_study"]) else "—"
        cite("values", row["name"], "n_study", row["n_study"], studies, row["status"])
        shown = vocabulary.group_label(row["group"], lang)
        shown = (labels or {}).get(shown, shown)
        if several or not shown:
            shown = " ".join(filter(None, (title(row["variable"] or row["name"], lang), shown)))
        span = f"{low}～{high}" if lang == "zh" else f"{low} to {high}"
        rows.append([escape(shown), mean, se, span if exists(limits[0]) else "—", studies])
    return table(label, caption, head, rows, "lcccc")


def _value_texts(mean, se, low, high) -> list[str]:
    """A value, its standard error and limits; without an error the digits follow a quarter of the range."""
    if exists(se):
        return with_error(mean, se, low, high)
    if not exists(low) or not exists(high) or high <= low:
        return [measured(mean) if exists(mean) else "—", "—", "—", "—"]
    text, _, *limits = with_error(mean, (high - low) / 4, low, high)
    return [text, "—", *limits]
