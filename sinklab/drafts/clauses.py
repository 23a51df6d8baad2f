"""Equations as clauses of a draft: a chain with legends, sheets of data and worked example; the model of a species standard.

Everything is written from the equations of :mod:`sinklab.account`, so that text, legend, data to be monitored
and example name the same quantities in the same units. ``cite`` notes printed numbers as in :mod:`.blocks`.

Trees by diameter class stand with the model of a species, whose accuracy they tell.

Published standards of species print the total first, its parts as shares of it, and volume and roots by a ratio of their own.
"""

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from sinklab import account as chains
from sinklab.data import vocabulary
from sinklab.data.files import records
from sinklab.drafts import blocks
from sinklab.drafts.blocks import (
    between,
    displayed,
    escape,
    exists,
    fixed,
    headed,
    header,
    listed,
    magnitude,
    measured,
    significant,
    species,
    table,
    unit_symbol,
    unit_words,
)
from sinklab.equations.latex import to_latex
from sinklab.equations.parse import Call, Equation, Name, Number, Product, Sum, names, walk
from sinklab.results import indices
from sinklab.results.fit_result import observed

#: File that a number comes from, as the list of numbers names it.
FACTORS, EXAMPLE = "data/chain/factors.csv", "data/chain/example.csv"
#: Edition that the steps of the deduction come from.
AR_TOOL14 = "UNFCCC CDM AR-TOOL14 v04.2"


def label(equation) -> str:
    """Identifier of an equation, ``eq:q-…``."""
    return "q-" + equation.name.replace("_", "-")


def counted(draft: dict) -> list[str]:
    """Modules that a description counts: those of its included pools and sources, of baseline and leakage, and others."""
    told = draft.get("chain") or {}
    rows = [*(draft.get("pools") or ()), *(draft.get("emission_sources") or ())]
    found = [name for row in rows if row.get("included") for name in row.get("counts") or ()]
    for part in ("baseline", "leakage", "also"):
        found += told.get(part) or ()
    return list(dict.fromkeys(found))


def of_draft(draft: dict):
    """The chain of a description, None where it counts nothing; a guide of stocks has no baseline, one of projects no credits."""
    told, modules = draft.get("chain") or {}, counted(draft)
    if not modules:
        return None
    rule = told.get("rule", "ar_tool14")
    kind = told.get("kind")
    return chains.methodology(modules, rule, told.get("factors"), kind != "stock", kind != "project")


#: Parts of the chain in the order in which a document prints them.
PARTS = (
    "baseline",
    "plot",
    "change",
    "emission",
    "leakage",
    "uncertainty",
    "net",
    "ex_ante",
    "sampling",
    "potential",
)


def printed(chain, parts=PARTS) -> list:
    """Equations in the order of the text, which prints the parts in this order."""
    rows = chains.modules()
    return [e for name in parts for m in rows for e in _of(chain, m, name) if _part(e, rows) == name]


def _part(equation, rows) -> str:
    return "baseline" if equation.left == "E_BSL" else rows[equation.module]["part"]


def part(chain, name: str, lang: str, depth: int = 2) -> str:
    """Clauses of one part of the chain (``plot``, ``change`` …), one for each module."""
    rows = chains.modules()
    wanted = [m for m in rows if _of(chain, m, name)]
    found = []
    for module in wanted:
        own = rows[module]["part"] == name
        place = module.replace("_", "-") + ("" if own else f"-{name}")
        title = rows[module][f"title_{lang}"]
        if not own:
            title = f"基准线{title}" if lang == "zh" else f"Baseline {title[0].lower()}{title[1:]}"
        elif module == "permanence" and "buffer" not in {e.name for e in chain.equations}:
            # Methane that was not given off does not come back: nothing is held for reversals.
            title = "签发" if lang == "zh" else "Issuance"
        found.append(_clause(chain, place, _of(chain, module, name), title, lang, depth))
    return "\n".join(found)


def _of(chain, module: str, name: str) -> list:
    """Equations of a module in a part; what works out emissions of the baseline stands with the baseline."""
    return [e for e in chain.of(module) if _part(e, chains.modules()) == name]


def _clause(chain, place, equations, title, lang, depth) -> str:
    leads = {row["equation"]: row[f"lead_{lang}"] for row in records("chain", "equations.csv")}
    leads["pools"] = _POOLS[lang]
    plain = "{}应按{{ref}}计算。" if lang == "zh" else "The {} shall be calculated using {{ref}}."
    lines = [f"\n{'#' * depth} {title} {{#sec:q-{place}}}\n"]
    for equation in equations:
        name = chain.symbols[equation.left]
        said = leads.get(equation.name) or plain.format(_short(name, lang))
        lines.append(said.format(ref=f"[@eq:{label(equation)}]"))
        lines.append(displayed(chain.latex(equation, lang), label(equation)).strip())
    lines.append(legend(chain, equations, lang))
    return "\n\n".join(lines) + "\n"


def _short(symbol, lang: str) -> str:
    text = symbol.label_zh if lang == "zh" else symbol.label_en
    return text.partition("，" if lang == "zh" else ",")[0]


def legend(chain, equations, lang: str) -> str:
    """Explain every symbol of some equations once, results first and the numbers that turn units last."""
    names = dict.fromkeys([*(e.left for e in equations), *(n for e in equations for n in e.inside())])
    shown = sorted((chain.symbols[n] for n in names), key=_turns)
    lines = [explained(chain, symbol, lang) for symbol in shown]
    if any("t_{1}" in chain.latex(e, lang) for e in equations):
        kind = "assessed" if equations[0].module == "potential" else "monitored"
        lines.append(_PERIOD[kind][lang])
    first, stop, end = ("式中：", "；", "。") if lang == "zh" else ("where", ";", ".")
    body = "\n\n".join([first, *(f"{text}{stop}" for text in lines[:-1]), f"{lines[-1]}{end}"])
    return f"\n::: legend\n{body}\n:::\n"


def _turns(symbol) -> bool:
    """Whether a symbol is a number that turns one unit into another."""
    return symbol.kind == "constant" and not chains.unit(symbol.unit).dims


#: What the two dates of a formula are; the index $t$ of its symbols stands for either.
_PERIOD = {
    "monitored": {
        "zh": "$t_{1}$、$t_{2}$——监测期的期初和期末",
        "en": "$t_{1}$ and $t_{2}$ are the start and the end of the monitoring period",
    },
    "assessed": {
        "zh": "$t_{1}$、$t_{2}$——评估期的期初和期末",
        "en": "$t_{1}$ and $t_{2}$ are the start and the end of the assessment period",
    },
}
#: Sums of pools are written by what a draft counts, so that their lead stands here.
_POOLS = {
    "zh": "样地碳储量为各碳库单位面积碳储量之和，应按{ref}计算；样地内没有的碳库计为零。",
    "en": "The carbon stock of a plot is the sum of the carbon stocks per unit area of its pools and shall be calculated using {ref}; "
    "pools not present on a plot are zero.",
}


def explained(chain, symbol, lang: str) -> str:
    """One line of a legend: symbol, meaning, unit, and where its value stands."""
    sign = f"${symbol.printed(symbol.indices)}$"
    unit, where = unit_words(chains.bare(symbol.unit), lang), ""
    if chain.default(symbol):
        where = "，缺省值见[@tbl:factors]" if lang == "zh" else ", default in [@tbl:factors]"
    elif symbol.factor.startswith("decision:"):
        where = "，取值见[@tbl:decisions]" if lang == "zh" else ", value in [@tbl:decisions]"
    if symbol.kind == "constant":
        # A ratio of molar masses has no unit to name, nor has what turns one unit into another.
        sign, bare = f"${symbol.value}$", _turns(symbol) or chains.bare(symbol.unit) in ("", "1")
        told = f"{sign}——{symbol.label_zh}" if lang == "zh" else f"{sign} is the {symbol.label_en}"
        return told if bare else f"{told}{'，' if lang == 'zh' else ', '}{unit}"
    if lang == "zh":
        return f"{sign}——{symbol.label_zh}，{unit}{where}"
    return f"{sign} {'are' if _several(symbol.label_en) else 'is'} the {symbol.label_en}, {unit}{where}"


def _several(label: str) -> bool:
    """Whether an English label speaks of many: its first noun is ``removals``, ``emissions`` or ``degrees`` of freedom."""
    return re.split(r",| of | in | from ", label)[0].rpartition(" ")[2] in (
        "removals",
        "emissions",
        "degrees",
    )


# Sheets of data and parameters


def designs(chain, lang: str, fill, name: str, caption: str) -> str:
    """How plots, quadrats and soil samples are laid out for each pool, by ``data/chain/designs.csv``."""
    head = [header(word, lang) for word in ("object", "sample_unit", "design")]
    rows = [
        [row[f"object_{lang}"], row[f"unit_{lang}"], fill(row[f"design_{lang}"])]
        for row in records("chain", "designs.csv")
        if row["module"] in chain.modules
    ]
    return table(name, caption, head, rows, "lll", widths=(14, 16, 70))


#: What is recorded of every plot, before what its pools ask for.
_PLOT = {
    "zh": ["样地", "样地号、层、坐标、海拔、坡度、坡向、面积、土地利用、日期、测定人"],
    "en": ["Plot", "number, stratum, coordinates, elevation, slope, aspect, area, land use, date, observer"],
}


def field_records(chain, lang: str, name: str, caption: str) -> str:
    """What the survey records of each pool hold, by ``data/chain/designs.csv``."""
    head = [header(word, lang) for word in ("object", "recorded")]
    rows = [
        [row[f"object_{lang}"], row[f"record_{lang}"]]
        for row in records("chain", "designs.csv")
        if row["module"] in chain.modules
    ]
    return table(name, caption, head, [_PLOT[lang], *rows], "ll", widths=(14, 86))


def monitored(chain, lang: str, name: str, caption: str) -> str:
    """Data to be monitored: all that the chain measures. What issues nothing has no crediting period at whose end soils come again."""
    when = {} if chain.of("permanence") else {"soil": "each"}
    head = [header(word, lang) for word in ("symbol", "quantity_measured", "unit", "method", "frequency")]
    rows = [
        [
            f"${s.printed(s.indices)}$",
            s.label_zh if lang == "zh" else s.label_en,
            unit_symbol(chains.bare(s.unit), lang) or "—",
            s.method_zh if lang == "zh" else s.method_en,
            header(f"when_{when.get(s.when, s.when)}", lang),
        ]
        for s in chain.wanted("measured")
    ]
    return table(name, caption, head, rows, "llcll", widths=(14, 32, 8, 32, 14))


def settled(chain, lang: str, decision, name: str, caption: str) -> str:
    """Parameters that are settled beforehand, with value or the way to get it."""
    head = [header(word, lang) for word in ("symbol", "parameter", "unit", "value_or_source")]
    own = "见[@sec:annex-parameters]" if lang == "zh" else "see [@sec:annex-parameters]"
    rows = []
    for s in chain.wanted("fixed"):
        text = (s.method_zh if lang == "zh" else s.method_en) or own
        if chain.default(s):
            text = "[@tbl:factors]"
        elif s.factor.startswith("decision:"):
            text = decision(s.factor.partition(":")[2])
        meaning = s.label_zh if lang == "zh" else s.label_en
        rows.append(
            [f"${s.printed(s.indices)}$", meaning, unit_symbol(chains.bare(s.unit), lang) or "—", text]
        )
    return table(name, caption, head, rows, "llcl", widths=(14, 42, 10, 34))


def factors(chain, cite, lang: str, name: str, caption: str, more=()) -> str:
    """Default factors with edition and place; ``more`` are further rows of the file, such as those by type of wetland."""
    head = [header(word, lang) for word in ("symbol", "parameter", "worth", "limits", "unit", "source")]
    used = [(f"${s.printed(s.indices)}$", row) for s, row in _factors_of(chain, more)]
    marks = {one: rf"\[{i}\]" for i, one in enumerate(editions(chain, more), start=1)}
    rows = []
    for sign, row in used:
        shown = {}
        for column in ("value", "low", "high"):
            if row[column]:
                text = row[column].replace("-", "\N{MINUS SIGN}")
                shown[column] = cite(
                    FACTORS, "factors", row["factor"], column, float(row[column]), text, "reviewed"
                )
        between = "～" if lang == "zh" else " to "
        limits = f"{shown['low']}{between}{shown['high']}" if "low" in shown else "—"
        unit = unit_symbol(chains.bare(row["unit"]), lang) or "—"
        at = (lang == "zh" and row["place_zh"]) or row["place"]
        mark = marks[row["edition"]]
        source = f"{escape(row['edition'])}, {escape(at)} {mark}"
        if lang == "zh":
            source = f"{escape(_documents()[row['edition']]['short_zh'])}，{escape(at)}{mark}"
        rows.append([sign, row[f"label_{lang}"], shown["value"], limits, unit, source])
    return table(name, caption, head, rows, "llcccl", widths=(15, 28, 8, 13, 11, 25), thin=True)


def editions(chain, more=()) -> list[str]:
    """Documents that default factors and the deduction come from, in the order of the table of factors; the deduction last."""
    found = [row["edition"] for _, row in _factors_of(chain, more)]
    if any(e.name == "share" for e in chain.equations):
        found.append(AR_TOOL14)
    return list(dict.fromkeys(found))


def _factors_of(chain, more) -> list[tuple]:
    """Symbols with their default factors in the order of the text; those listed by type stand with their symbol."""
    listed = [(symbol, chains.factor(name)) for symbol, name in more]
    return [
        (s, row)
        for s in chain.wanted("fixed")
        for row in (chain.default(s), *(row for symbol, row in listed if symbol == s.name))
        if row
    ]


def _documents() -> dict[str, dict]:
    return {row["edition"]: row for row in records("chain", "documents.csv")}


def citations(chain, more=()) -> list[str]:
    """The documents of :func:`editions` as a bibliography cites them."""
    return [escape(_documents()[one]["citation"]) for one in editions(chain, more)]


#: Modules whose pools are sampled on quadrats, and in the soil; the first kind of sample is the plot.
_SAMPLED = (("shrub", "grass", "litter"), ("mineral_soil", "karst_soil", "core"))


def designed(chain, lang: str) -> str:
    """Title of the table of designs: of plots, and of what else the pools ask for."""
    more = [i for i, these in enumerate(_SAMPLED) if {*these} & {*chain.modules}]
    words = ("样地", "样方", "土壤取样") if lang == "zh" else ("plots", "quadrats", "soil sampling")
    *first, last = (words[i] for i in (0, *(i + 1 for i in more)))
    if lang == "zh":
        return ("、".join(first) + "和" if first else "") + f"{last}的设计"
    return "Design of " + (", ".join(first) + " and " if first else "") + last


# The worked example


#: Headings, sentences and captions of the worked example.
_EXAMPLE = {
    "zh": {
        "data": "## 算例数据 {#sec:example-given}\n\n算例数据见[@tbl:example-data]，为说明计算步骤而设，不代表任何项目。"
        "$t_{1}$、$t_{2}$为前后两次监测，$i$为层；第一层第一个样地的碳储量由测定值算出，其余样地的碳储量直接给出。",
        "emission": "## 算例数据 {#sec:example-given}\n\n算例数据见[@tbl:example-data]，为说明计算步骤而设，不代表任何项目。",
        "defaults": "表中未列的因子取[@tbl:factors]的缺省值。",
        "data_caption": "算例数据",
        "steps": "## 算例步骤 {#sec:example-calculated}\n\n按公式顺序计算的结果见[@tbl:example-steps]，"
        "计算中不修约，表中的结果保留五位有效数字，整数部分不修约。"
        "单位面积碳储量一行列出第一层第一个样地的结果。",
        "steps_emission": "## 算例步骤 {#sec:example-calculated}\n\n按公式顺序计算的结果见[@tbl:example-steps]，"
        "计算中不修约，表中的结果保留五位有效数字，整数部分不修约。",
        "few": "算例的样地数少于[@eq:{ref}]的计算结果，{also}少于本文件的规定，只为缩短算例；表中的样地数未取整。",
        "draws": "参数抽样组数",
        "steps_caption": "算例结果",
    },
    "en": {
        "data": "## Input data {#sec:example-given}\n\nThe data are given in [@tbl:example-data]; they serve to illustrate "
        "the calculation steps and do not represent any project. "
        "$t_{1}$ and $t_{2}$ are the two monitoring events, and $i$ is the stratum. The carbon stock of the first plot of the first stratum is "
        "calculated from measured values; the carbon stocks of the other plots are given.",
        "emission": "## Input data {#sec:example-given}\n\nThe data are given in [@tbl:example-data]; they serve to illustrate "
        "the calculation steps and do not represent any project.",
        "defaults": " Factors not listed in the table take the default values of [@tbl:factors].",
        "data_caption": "Input data of the example",
        "steps": "## Calculation steps {#sec:example-calculated}\n\nThe results, in the order of the formulas, are given in [@tbl:example-steps]. "
        "Intermediate results are not rounded; the results in the table are shown to five significant digits, integer parts unrounded. "
        "Rows of carbon stocks per unit area show the first plot of the first stratum.",
        "steps_emission": "## Calculation steps {#sec:example-calculated}\n\nThe results, in the order of the formulas, are given in [@tbl:example-steps]. "
        "Intermediate results are not rounded; the results in the table are shown to five significant digits, integer parts unrounded.",
        "few": " The example has fewer plots than result from [@eq:{ref}] and fewer {also} than this document requires, only "
        "to keep it short; the numbers of plots in the table are not rounded up.",
        "draws": "draws of the parameters",
        "steps_caption": "Results of the example",
    },
}


def worked_example(chain, cite, lang: str, parts=PARTS, settled=None) -> str:
    """Input and result of every equation on the numbers of the example, in the order in which the text has the parts.

    ``settled`` are the shares that the document decides, so that its example has its own level and rates.
    """
    found, words = chains.example(chain, settled), _EXAMPLE[lang]
    data, steps = (
        (words["data"], words["steps"]) if found.plot else (words["emission"], words["steps_emission"])
    )
    inputs = {}
    if found.plot:
        results = chain.results()
        needed = [n for e in chain.equations if e.left in found.plot for n in e.inside()]
        inputs = {n: found.plot[n] for n in chain.symbols if n in needed and n not in results}
    inputs |= {n: v for n, v in found.given.items() if n not in inputs}
    head = [header(word, lang) for word in ("symbol", "worth", "unit")]
    shown = {n: v for n, v in inputs.items() if chain.symbols[n].kind != "constant"}
    rows = [_shown(chain, cite, lang, name, value, given) for name, value in shown.items()]
    own = {symbol.name for symbol in chain.symbols.values() if chain.default(symbol)} - shown.keys()
    if own & {name for equation in chain.equations for name in equation.inside()}:
        data += words["defaults"]
    text = f"\n{data}\n\n{table('example-data', words['data_caption'], head, rows, 'llc', widths=(14, 70, 16))}\n"
    head = [header(word, lang) for word in ("formula", "symbol", "worth", "unit")]
    known, rows = found.known | found.plot, []
    if (np.ceil(known.get("n_R", 0)) > known.get("n", 0)).any():
        steps += words["few"].format(
            ref=label(next(e for e in chain.equations if e.left == "n_R")), also=words["draws"]
        )
    for equation in printed(chain, parts):
        row = _shown(chain, cite, lang, equation.left, known[equation.left], rounded)
        rows.append([f"[@eq:{label(equation)}]", *row])
    return (
        text
        + f"\n{steps}\n\n{table('example-steps', words['steps_caption'], head, rows, 'cllc', widths=(14, 14, 56, 16))}\n"
    )


def _shown(chain, cite, lang, name, value, write) -> list[str]:
    """Symbol, value and unit of a quantity of the example; an array by date and stratum, its numbers written alike."""
    symbol = chain.symbols[name]
    every = [float(n) for n in np.ravel(value)]

    def noted(number, place):
        text = write(number, every, symbol.unit) if write is rounded else write(number, every)
        return cite(EXAMPLE, "example", name, place or "value", number, text, "reviewed")

    text = ("；" if lang == "zh" else "; ").join(_parts(value, noted, lang))
    return [f"${symbol.printed(symbol.indices)}$", text, unit_symbol(chains.bare(symbol.unit), lang) or "—"]


def _parts(value, noted, lang, at: str = ""):
    dims = getattr(value, "dims", ())
    outer = next((d for d in ("t", "i") if d in dims and (len(dims) > 1 or d == "t")), None)
    if outer:
        for position in range(value.sizes[outer]):
            # Text, not a formula: no line may begin with the colon behind it.
            equal = "=" if lang == "zh" else "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"
            sign = f"*t*~{position + 1}~" if outer == "t" else f"*i*{equal}{position + 1}"
            inside = value.isel({outer: position}, drop=True)
            comma = "，" if lang == "zh" else ", "
            yield from _parts(inside, noted, lang, f"{at}{comma}{sign}" if at else sign)
        return
    numbers = value.to_numpy().ravel() if dims else [float(value)]
    shown = listed((noted(float(n), at) for n in numbers), lang)
    yield f"{at}：{shown}".removeprefix("：") if lang == "zh" else f"{at}: {shown}".removeprefix(": ")


def given(number: float, every) -> str:
    """An input of the example, with the decimals of the finest number of its quantity."""
    return fixed(number, max(len(measured(n).partition(".")[2]) for n in every))


def rounded(number: float, every, unit: str = "1") -> str:
    """A result of the example to five significant digits; a count and nought have whole numbers."""
    if (unit == "1" and all(n.is_integer() for n in every)) or not number:
        return measured(number) if abs(number) < 1e6 else f"{number:.0f}"
    return fixed(number, max(4 - magnitude(number, 5), 0))


# Equations of a species standard


def shared_out(system, total: str = "agb"):
    """Factors of a total whose parts are shares of it, as published standards write them; None where they are not.

    ``stem = T / (1 + p + q)``, ``branch = stem * p``, ``foliage = stem * q`` add up to ``T`` whatever ``p`` and ``q`` are.
    """
    sides = {e.response: e.right for e in system.equations}
    parts = [term for _, term in sides[total].terms] if isinstance(sides.get(total), Sum) else []
    if len(parts) < 2 or any(not isinstance(part, Name) or part.name not in sides for part in parts):
        return None
    first, *others = parts
    rest = [_without(sides[other.name], first) for other in others]
    shares = (-1, Sum(((1, Number(1.0)), *((1, share) for share in rest))))
    factors = sides[first.name].factors if isinstance(sides[first.name], Product) else ()
    if None in rest or shares not in factors:
        return None
    return tuple(factor for factor in factors if factor != shares)


#: Ratios that have a formula of their own where a total is shared out: top, bottom and the variable of their quotient.
RATIOS = (("agb", "volume", "bcf"), ("root", "agb", "root_shoot_ratio"))


def compatible(system) -> bool:
    """Whether a total is shared out, and roots and volume hang on it by a factor each, as in published standards."""
    sides = {e.response: e.right for e in system.equations}
    factors = shared_out(system)
    sides["agb"] = Product(factors or ())
    return factors is not None and all(
        _without(sides[top], Name(bottom)) is not None
        for top, bottom, _ in RATIOS
        if {top, bottom} <= {*sides}
    )


def owners(system) -> dict[str, str]:
    """What formula each parameter of a compatible model belongs to as it is printed: a ratio has those of its factor."""
    if not compatible(system):
        return {}
    ratio_of = {top: quotient for top, bottom, quotient in RATIOS if {top, bottom} <= {*system.responses}}
    first, found = next(iter(parts_of(system))), {}
    printed = ratio_of | {first: ratio_of.get("agb", "agb")}
    held = {e.response: {n.name for n in names(e.right)} & {*system.parameters} for e in system.equations}
    for name in system.parameters:
        # The first part holds the shares of the others too.
        response = min((r for r in held if name in held[r]), key=lambda r: len(held[r]))
        found[name] = printed.get(response, response)
    return found


def parameters(cite, fit, lang, label, caption) -> str:
    """Estimates of a model by the formulas that are printed; see :func:`.blocks.parameters`."""
    return blocks.parameters(cite, fit, lang, label, caption, owners(fit.system))


def correlations(cite, fit, lang, label, caption) -> str:
    """Their joint covariance in the same order; see :func:`.blocks.correlations`."""
    return blocks.correlations(cite, fit, lang, label, caption, owners(fit.system))


def residual_correlations(cite, fit, lang, label, caption) -> str:
    """Correlations of the residuals of one tree between equations, below the diagonal."""
    names = list(fit.residual)
    symbols = [f"${vocabulary.variable(name).latex}$" for name in names]
    rows = []
    for i, one in enumerate(names):
        below = [
            cite("residual_correlation", f"{one}, {other}", "value", value, fixed(value, 4))
            for other in names[:i]
            for value in [float(fit.correlation.loc[one, other])]
        ]
        rows.append([symbols[i], *below, "1", *["—"] * (len(names) - i - 1)])
    return table(label, caption, [header("equation", lang), *symbols], rows)


def parts_of(system, total: str = "agb") -> list[str]:
    """Left sides that a total is the sum of."""
    right = system.equations[system.responses.index(total)].right
    return [term.name for _, term in right.terms if isinstance(term, Name)] if isinstance(right, Sum) else []


def whole_first(system, response: str, lang: str) -> str:
    """Equation of a system whose total is shared out: the total stands before its parts, a ratio bears its symbol."""
    factors = shared_out(system)
    for top, bottom, quotient in RATIOS:
        if response == top and bottom in system.responses:
            left, symbol, right = (vocabulary.variable(name).latex for name in (top, quotient, bottom))
            return rf"{left} = {symbol}\,{right}"
    right = system.equations[system.responses.index(response)].right
    if response == "agb":
        right = factors[0][1] if len(factors) == 1 else Product(factors)
    elif isinstance(right, Product) and {*factors} <= {*right.factors}:
        right = Product(((1, Name("agb")), *(f for f in right.factors if f not in factors)))
    return to_latex(Equation(response, right), system, lang)


def segments(system) -> float | None:
    """Diameter at which equations change from one segment to the next; None where none does."""
    for node in (node for equation in system.equations for node in walk(equation.right)):
        if isinstance(node, Call) and node.function == "where":
            condition = node.arguments[0]
            left, *right = condition.arguments
            if left == Name("dbh") and right and isinstance(right[0], Number):
                return right[0].value
    return None


def _without(node, name):
    """What a product multiplies ``name`` with; None where it does not."""
    if not isinstance(node, Product) or (1, name) not in node.factors:
        return None
    kept = tuple(factor for factor in node.factors if factor != (1, name))
    return kept[0][1] if len(kept) == 1 and kept[0][0] == 1 else Product(kept)


def ratio(system, top: str, bottom: str, symbol: str, lang: str) -> str:
    """The ratio of two responses as a function of the predictors: a common factor cancels, components are put in."""
    sides = {name: system.equations[system.responses.index(name)] for name in (top, bottom)}
    factors = shared_out(system, top)
    product = Product(factors) if factors else sides[top].right
    left = _without(product, Name(bottom))
    if left is not None:
        return f"{symbol} = {_right(replace(sides[top], right=left), system, lang)}"
    over, under = (_right(replace(e, right=_put_in(e.right, system)), system, lang) for e in sides.values())
    return rf"{symbol} = \frac{{{over}}}{{{under}}}"


def _right(equation, system, lang: str) -> str:
    return to_latex(equation, system, lang).partition(" = ")[2]


def _put_in(node, system):
    """An expression in which left sides are replaced by what they are made of."""
    if isinstance(node, Name) and node.name in system.responses:
        return _put_in(system.equations[system.responses.index(node.name)].right, system)
    if isinstance(node, Sum):
        return Sum(tuple((sign, _put_in(term, system)) for sign, term in node.terms))
    if isinstance(node, Product):
        return Product(tuple((power, _put_in(factor, system)) for power, factor in node.factors))
    return node


# Classes of trees of a species standard


def classes(cite, fit, lang, label, caption, trees, design: str = "ten_classes") -> str:
    """Trees, trees with roots and total relative error of the aboveground biomass by diameter class.

    Classes are those of ``data/rules/sampling_design.csv``; the heights found in a class stand beside them. Roots are
    counted where the models have them.
    """
    below = [r for r in ("root", "bgb") if r in fit.system.responses and r in trees]
    words = ["diameter_class", "diameter_span", "n", *(["n_root"] if below else []), "heights", "tre"]
    head = [headed("height", lang) if word == "heights" else header(word, lang) for word in words]
    rows = []
    for row, here, value in class_errors(fit, trees, design):
        inside = trees[here]
        numbers = {"n": here.sum(), **({"roots": inside[below[0]].notna().sum()} if below else {})}
        span = inside["height"].agg(["min", "max"]) if "height" in inside else ()
        shown = [cite("trees", row["class_label"], f"height {i}", h, fixed(h, 1)) for i, h in enumerate(span)]
        error = "—"
        if exists(value):
            error = cite("trees", row["class_label"], "TRE", value, fixed(value, 2))
        counts = [cite("trees", row["class_label"], c, int(n), f"{int(n)}") for c, n in numbers.items()]
        name, span = class_words(cite, row, lang)
        rows.append([name, span, *counts, between(*shown, lang) if shown else "—", error])
    return table(label, caption, head, rows)


def design_rows(design: str) -> list[dict]:
    """Classes of a sampling design as ``data/rules/sampling_design.csv`` writes them."""
    return [row for row in records("rules", "sampling_design.csv") if row["design_id"] == design]


def class_limits(row: dict) -> tuple[float, float]:
    """Smallest diameter of a class and the one from which the next begins; the last, written ``38+``, has no end."""
    return float(row["dbh_min"]), np.inf if row["class_label"].endswith("+") else float(row["dbh_max"])


def class_words(cite, row: dict, lang: str) -> tuple[str, str]:
    """A class by its name and by its limits, of which the upper one belongs to the next: ``6`` and ``5 ≤ D < 7``."""
    low, high = class_limits(row)
    name = row["class_label"].removesuffix("+")
    texts = [
        cite("trees", row["class_label"], c, e, f"{e:g}")
        for c, e in (("dbh_min", low), ("dbh_max", high))
        if e < np.inf
    ]
    named = cite("trees", row["class_label"], "class", float(name), name)
    if high == np.inf:
        return f"{named}及以上" if lang == "zh" else f"{named} and above", f"*D* ≥ {texts[0]}"
    return named, f"{texts[0]} ≤ *D* < {texts[1]}"


def class_errors(fit, trees, design: str) -> list[tuple]:
    """Row of the design, which trees are in it, and the total relative error of their mass above ground [%], by class with trees."""
    found, total = [], next((r for r in ("agb", "total") if r in fit.system.responses), "")
    predicted = fit.means(fit.columns(trees))[total] if total else np.full(len(trees), np.nan)
    weighed = observed(fit, total, trees) if total else None
    weighed = np.full(len(trees), np.nan) if weighed is None else np.asarray(weighed, float)
    for row in design_rows(design):
        low, high = class_limits(row)
        here = (trees["dbh"] >= low) & (trees["dbh"] < high)
        # Trees that lack a predictor, such as a height, have no prediction.
        seen = here.to_numpy() & np.isfinite(weighed - predicted)
        error = (
            100 * (weighed[seen] - predicted[seen]).sum() / predicted[seen].sum() if seen.any() else np.nan
        )
        if here.any():
            found.append((row, here, float(error)))
    return found


def largest(cite, fit, lang, trees, design) -> dict:
    """Smallest diameter, trees and total relative error of the largest class with trees; empty where the error is within the limit."""
    found = [] if trees is None or "dbh" not in trees else class_errors(fit, trees, design)
    limit = next(r.threshold for r in indices.rules() if r.quantity == "TRE" and not r.systems)
    if not found or not abs(found[-1][-1]) > limit:
        return {}
    row, here, value = found[-1]
    name, unit = row["class_label"], "%" if lang == "zh" else "\N{NO-BREAK SPACE}%"
    return {
        "from": cite("trees", name, "dbh_min", float(row["dbh_min"]), row["dbh_min"]),
        "n": cite("trees", name, "n", int(here.sum()), f"{int(here.sum())}"),
        "error": cite("trees", name, "TRE", value, fixed(value, 2)) + unit,
        "low": value > 0,
    }


def sampled(add, lang, label, caption, design, recalled: str) -> str:
    """Classes of a sampling design with the numbers to be measured in each; ``recalled`` is the status of what nobody read in print."""
    file, rows = "data/rules/sampling_design.csv", []
    for row in design_rows(design):
        status = "reviewed" if row["status"] == "house rule" else recalled

        def cite(_, name, column, value, printed, status=status):
            return add(file, "rules", f"{design} {name}", column, value, printed, status)

        counts = (cite("", row["class_label"], c, int(row[c]), row[c]) for c in ("n_tree", "n_root"))
        rows.append([class_words(cite, row, lang)[1], *counts])
    return table(label, caption, [header(w, lang) for w in ("diameter_span", "n_culm", "n_dug")], rows)


def culms(cite, fit, lang, label, caption, trees, design: str) -> str:
    """Culms of each diameter class of a design, and the mass above ground of one of mean size, of age class 1 and later.

    The classes are those of ``data/rules/sampling_design.csv``. What a culm of a class weighs is what a stand is added up from
    where culms are counted by class.
    """
    ages = (1.0, 2.0)
    head = [
        header(w, lang)
        for w in ("diameter_class", "diameter_span", "n", "mean_dbh", "mean_height", "culm_young", "culm_old")
    ]
    rows = []
    for row in design_rows(design):
        low, high = class_limits(row)
        found = trees[(trees["dbh"] >= low) & (trees["dbh"] < high)]
        if found.empty:
            continue
        size = found[["dbh", "height"]].mean()
        mean = fit.means(fit.columns(pd.DataFrame([size.to_dict() | {"age_class": age} for age in ages])))[
            "agb"
        ]
        name = row["class_label"]
        cells = [*class_words(cite, row, lang), cite("trees", name, "n", len(found), f"{len(found)}")]
        cells += [cite("trees", name, c, size[c], fixed(size[c], 1)) for c in size.index]
        masses = zip(ages, mean, strict=True)
        rows.append([*cells, *(cite("trees", name, f"agb {age:g}", m, significant(m)) for age, m in masses)])
    return table(label, caption, head, rows)


def taxa(cite, fit, lang, label, caption, trees) -> str:
    """Trees of each species, and how many of them grew in China: whom a model of several species speaks for."""
    trees = trees[trees[list(fit.system.predictors)].notna().all(axis=1)]
    rows = []
    for name, found in trees.groupby("species"):
        home = int(found["country"].eq("CHN").sum())
        counts = [cite("trees", name, c, n, f"{n}") for c, n in (("n", len(found)), ("n_home", home))]
        known = vocabulary.find_species(name)
        rows.append([species(name, lang) if known else f"*{escape(name)}*", *counts])
    return table(label, caption, [header(w, lang) for w in ("taxon", "n", "n_home")], rows, "lcc")
