"""Tables of a draft, written from parameter tables; every number in them is noted."""

import re

import numpy as np

from sinklab import vocabulary
from sinklab.drafts import markdown, numbers, words
from sinklab.drafts.equations_in_text import parameter_owner
from sinklab.equations.render import parameter_symbol
from sinklab.errors import DraftError
from sinklab.indices import FORMULAS
from sinklab.language import tr
from sinklab.tables import digits

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
    head = [words.header(w, lang) for w in ("equation", "parameter", "value", "se")]
    head += [words.header(w, lang, level=level) for w in ("lower", "upper")]
    rows, before, places = [], None, digits.guard(fit).decimals
    listed = zip(_symbols(fit), fit.labels, fit.parameters.to_dict("records"), strict=True)
    for symbol, own, row in listed:
        texts = numbers.with_error(
            row["value"], row["se"], row["lower"], row["upper"], decimals=int(places[own])
        )
        name = row["name"] + (f"[{row['group']}]" if row["group"] else "")
        for column, text in zip(("value", "se", "lower", "upper"), texts, strict=True):
            cite("coefficients", name, column, row[column], text)
        owner = parameter_owner(fit.system, row["name"])
        rows.append(["" if owner == before else words.title(owner, lang), symbol, *texts])
        before = owner
    return markdown.table(label, caption, head, rows, "lccccc")


def indices(cite, fit, lang, label, caption) -> str:
    """The six indices of each response."""
    head = [words.header("quantity", lang), words.header("n", lang)]
    head += ["$R^{2}$", "SEE", *(f"{name}/%" if lang == "zh" else f"{name} (%)" for name in SIX[2:])]
    rows = []
    for response, row in fit.index_table.iterrows():
        cells = [words.headed(response, lang)]
        cells.append(cite("indices", response, "n", int(row["n"]), f"{int(row['n'])}"))
        for index in SIX:
            text = index_text(index, row[index])
            cells.append(cite("indices", response, index, row[index], text))
        rows.append(cells)
    note = "注：SEE 的单位与因变量相同。" if lang == "zh" else "NOTE SEE is in the unit of the response."
    return markdown.table(label, caption, head, rows, "lccccccc", [note])


def index_text(index: str, value) -> str:
    """An index of fit as it is printed."""
    if not numbers.exists(value):
        return "—"
    if index == "SEE":
        return numbers.significant(value)
    return numbers.fixed(value, 4 if index == "R2" else 2)


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
    head = [words.header(w, lang) for w in ("quantity", "weighed", "n")]
    components, known = fit.source.get("components") or {}, vocabulary.components()
    rows = []
    for response in fit.system.responses:
        count = fit.n.get(response)
        if count is None and response not in components:
            continue
        component = known.get(components.get(response, ""))
        sums = words.header("sum" if response in fit.system.identities else "unstated", lang)
        said = (component.label_zh if lang == "zh" else component.label_en) if component else sums
        counted = "—" if count is None else cite("equations", response, "n", count, f"{count}")
        rows.append([words.title(response, lang), said, counted])
    return markdown.table(label, caption, head, rows, "llc")


def ranges(cite, fit, lang, label, caption) -> str:
    """Smallest and largest predictor of the sample."""
    head = [words.header(w, lang) for w in ("predictor", "minimum", "maximum")]
    rows = []
    for predictor, limits in fit.ranges.items():
        cells = [words.headed(predictor, lang)]
        for column, limit in zip(("minimum", "maximum"), limits, strict=True):
            cells.append(cite("ranges", predictor, column, limit, numbers.measured(limit)))
        rows.append(cells)
    return markdown.table(label, caption, head, rows, "lcc")


def residuals(cite, fit, lang, label, caption) -> str:
    """Standard deviation of the residual of each equation, as a function."""
    head = [words.header("equation", lang), words.header("deviation", lang), r"$\sigma$", r"$\delta$"]
    rows = []
    for response, model in fit.residual.items():
        symbol = vocabulary.variable(response).latex if vocabulary.is_variable(response) else response
        by = symbol if model.by in ("mean", "") else vocabulary.variable(model.by).latex
        deviation = words.deviation_latex(model, symbol, by)
        cells = [words.title(response, lang), f"${deviation}$"]
        cells.append(cite("equations", response, "sigma", model.sigma, numbers.significant(model.sigma)))
        needed = model.kind in ("power", "exp")
        exponent = numbers.fixed(model.exponent, 4) if needed else "—"
        cells.append(
            cite("equations", response, "variance_exponent", model.exponent, exponent) if needed else "—"
        )
        rows.append(cells)
    return markdown.table(label, caption, head, rows, "lccc")


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
            se = numbers.significant(deviation[i])
            cells.append(cite("coefficients", fit.labels[i], "se", deviation[i], se))
            for j in columns:
                cells.append(_correlation(cite, fit, i, j, correlation) if j <= i else "")
            rows.append(cells)
        head = [words.header("parameter", lang), words.header("se", lang), *(symbols[j] for j in columns)]
        span = (
            f"（{symbols[columns[0]]}～{symbols[columns[-1]]}）"
            if lang == "zh"
            else (f" ({symbols[columns[0]]} to {symbols[columns[-1]]})")
        )
        shown = caption + (span if len(parts) > 1 else "")
        text += markdown.table(f"{label}-{number}", shown, head, rows)
    return text


def _correlation(cite, fit, i, j, correlation) -> str:
    if i == j:
        return "1"
    pair = f"{fit.labels[i]}, {fit.labels[j]}"
    return cite("covariance", pair, "correlation", correlation[i, j], numbers.fixed(correlation[i, j], 4))


def values(cite, frame, lang, label, caption, ref, labels=None) -> str:
    """Scalar values with their standard errors and the range of the quantity itself.

    ``labels`` are wordings of groups that the vocabulary does not know.
    """
    if not len(frame):
        raise DraftError(
            tr(f"{ref}: no value is left to print in table {label}", f"{ref}：表 {label} 中没有可列出的取值")
        )
    several = frame["variable"].nunique() > 1
    head = [words.header("group", lang), words.header("mean", lang), words.header("se", lang)]
    head += [words.header("interval", lang), words.header("n_study", lang)]
    rows = []
    for row in frame.to_dict("records"):
        limits = row["q025"], row["q975"]
        mean, se, low, high = _value_texts(row["mean"], row["se"], *limits)
        for column, text in zip(("mean", "se", "q025", "q975"), (mean, se, low, high), strict=True):
            cite("values", row["name"], column, row[column], text, row["status"])
        studies = f"{int(row['n_study'])}" if numbers.exists(row["n_study"]) else "—"
        cite("values", row["name"], "n_study", row["n_study"], studies, row["status"])
        shown = vocabulary.group_label(row["group"], lang)
        shown = (labels or {}).get(shown, shown)
        if several or not shown:
            shown = " ".join(filter(None, (words.title(row["variable"] or row["name"], lang), shown)))
        span = f"{low}～{high}" if lang == "zh" else f"{low} to {high}"
        rows.append([markdown.escape(shown), mean, se, span if numbers.exists(limits[0]) else "—", studies])
    return markdown.table(label, caption, head, rows, "lcccc")


def _value_texts(mean, se, low, high) -> list[str]:
    """A value, its standard error and limits; without an error the digits follow a quarter of the range."""
    if numbers.exists(se):
        return numbers.with_error(mean, se, low, high)
    if not numbers.exists(low) or not numbers.exists(high) or high <= low:
        return [numbers.measured(mean) if numbers.exists(mean) else "—", "—", "—", "—"]
    text, _, *limits = numbers.with_error(mean, (high - low) / 4, low, high)
    return [text, "—", *limits]
