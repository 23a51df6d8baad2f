"""Wording of drafts in both languages: units, names of groups, headers of tables."""

from sinklab import vocabulary
from sinklab.results import ResidualModel

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


def deviation_latex(model: ResidualModel, symbol: str, by: str) -> str:
    """Standard deviation of the residual of an equation, LaTeX; ``by`` is the symbol it depends on."""
    return {
        "constant": r"\sigma",
        "lognormal": rf"{symbol}\sqrt{{\exp(\sigma^{{2}}) - 1}}",
        "power": rf"\sigma\,{{{by}}}^{{\delta}}",
        "exp": rf"\sigma\exp(\delta\,{by})",
    }[model.kind]


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
