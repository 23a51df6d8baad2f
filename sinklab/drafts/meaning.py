"""What a draft means: one symbol one thing, every symbol explained with its unit, references, terms, what is counted.

The checks look at a draft as it would be printed, whoever wrote it: :mod:`.linting` tells what they find by line, a
final rendering is refused for it (:func:`require`), and the review of a document that came back runs them again.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from sinklab.account import chain as chains
from sinklab.data import vocabulary
from sinklab.drafts.blocks import unit_words
from sinklab.drafts.outline import Outline, Spot, plain_lines, taken_apart
from sinklab.language import DraftError, listing, tr

# Symbols of a formula

_GROUPS_SKIPPED = frozenset("text operatorname begin end".split())
_ACCENTS = frozenset("bar hat overline tilde".split())
_GREEK = re.compile(
    r"(?i)alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|varphi|chi|psi|omega"
)
#: Letters that only count: strata, plots, trees, layers, dates …
_INDICES = frozenset("abfghijklmnpqt")
#: Letters with a fixed meaning.
_FIXED = frozenset({"e", r"\partial", r"\mathrm{d}"})


def symbols(latex: str) -> list[str]:
    r"""Symbols of a formula without their running indices: ``C_{\mathrm{F},j}`` is ``C_{\mathrm{F}}``."""
    found, at = [], 0
    while at < len(latex):
        symbol, at = _symbol(latex, at)
        if symbol and symbol not in _FIXED:
            found.append(symbol)
    return list(dict.fromkeys(found))


def _group(latex: str, at: int) -> tuple[str, int]:
    """Content of a group in braces, or one sign, and where it ends."""
    while at < len(latex) and latex[at].isspace():
        at += 1
    if at >= len(latex) or latex[at] != "{":
        command = re.match(r"\\[A-Za-z]+", latex[at:])
        end = at + len(command[0] if command else latex[at : at + 1])
        return latex[at:end], end
    depth = 0
    for end in range(at, len(latex)):
        depth += {"{": 1, "}": -1}.get(latex[end], 0)
        if not depth:
            return latex[at + 1 : end], end + 1
    return latex[at + 1 :], len(latex)


def _symbol(latex: str, at: int) -> tuple[str, int]:
    """Read one symbol, or step over one sign."""
    command = re.match(r"\\([A-Za-z]+)", latex[at:])
    name = command[1] if command else ""
    end = at + (len(command[0]) if command else 1)
    if name in _GROUPS_SKIPPED:
        return "", _group(latex, end)[1]
    if name == "sum":
        return "", _group(latex, end + 1)[1] if latex[end : end + 1] == "_" else end
    if name == "Delta":
        inside, after = _symbol(latex, _blanks(latex, end))
        return (rf"\Delta {inside}", after) if inside else (r"\Delta", end)
    if name in _ACCENTS:
        inside, end = _group(latex, end)
        base = rf"\{name}{{{inside.strip()}}}"
    elif name == "mathrm":
        inside, end = _group(latex, end)
        base = rf"\mathrm{{{inside}}}"
    elif name and _GREEK.fullmatch(name):
        base = rf"\{name}"
    elif not name and latex[at].isalpha() and latex[at].isascii():
        base = latex[at]
    else:
        return "", end
    squared = re.match(r"\^(?:\{2\}|2)", latex[end:]) if base == "R" else None
    if squared:
        # The coefficient of determination is one symbol.
        return "R^{2}", end + len(squared[0])
    if latex[end : end + 1] == "_":
        inside, end = _group(latex, end + 1)
        kept = [part.strip() for part in _split(inside)]
        kept = [p for p in kept if not (p in _INDICES or re.fullmatch(r"t_\{?\d\}?", p))]
        base += f"_{{{','.join(kept)}}}" if kept else ""
    return base, end


def _blanks(latex: str, at: int) -> int:
    while at < len(latex) and latex[at].isspace():
        at += 1
    return at


def _split(text: str) -> list[str]:
    parts, depth = [""], 0
    for letter in text:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


# Legends


@dataclass(frozen=True)
class Explained:
    """One line of a legend: its symbols and what it says of them."""

    spot: Spot
    symbols: tuple[str, ...]
    said: str

    @property
    def parameter(self) -> bool:
        """Whether it names parameters of a model, whose values a table gives."""
        return bool(re.search(r"模型参数|parameters? of the models?", self.said))

    @property
    def meaning(self) -> str:
        """Meaning and unit in one spelling, without the place of its value."""
        text = re.split(r"[，,]\s*(?:缺省值|取值|default in|value in|given in)", self.said)[0]
        return re.sub(r"[\s；;。.]", "", text)


_LINE = re.compile(r"^((?:\$[^$]+\$(?:、|,\s|\sand\s)?)+)(?:——|\s(?:is|are)\s)(.*)$")
_UNIT = re.compile(
    r"单位为|单位与|无量纲|（%）|\(%\)|in the unit of|\bin [^()]+\(\S|dimensionless|\[@tbl:|之比$|molar masses|密度$|density of methane$"
)


def explained(drawn: Outline) -> list[Explained]:
    """All lines of all legends."""
    found = []
    for spot in drawn.spots:
        match = _LINE.match(spot.line.text.strip()) if spot.kind == "legend" else None
        if match:
            names = [symbols(text) for text in re.findall(r"\$([^$]+)\$", match[1])]
            flat = tuple(name for inside in names for name in inside)
            found.append(Explained(spot, flat, match[2].rstrip("；;。. ")))
    return found


def formulas(drawn: Outline) -> list[tuple[Spot, str]]:
    """Formulas that stand alone, with their spots."""
    found = []
    for spot in drawn.spots:
        match = re.match(r"\$\$(.*?)\$\$", spot.line.text.strip())
        if match:
            found.append((spot, match[1]))
    return found


def symbol_twice(drawn: Outline, lang: str):
    """A symbol that legends explain in two ways; parameters of different models may bear one letter."""
    known: dict[str, Explained] = {}
    for line in explained(drawn):
        for name in line.symbols:
            first = known.setdefault(name, line)
            if first.parameter != line.parameter or (not line.parameter and first.meaning != line.meaning):
                yield line.spot, f"${name}$: {first.said[:30]} / {line.said[:30]}"


def symbol_unexplained(drawn: Outline, lang: str):
    """A symbol of a formula that no legend explains."""
    known = {name for line in explained(drawn) for name in line.symbols}
    for spot, latex in formulas(drawn):
        for name in symbols(latex):
            if name not in known:
                yield spot, f"${name}$"


def symbol_unused(drawn: Outline, lang: str):
    """A symbol that a legend explains and no formula bears."""
    borne = {name for _, latex in formulas(drawn) for name in symbols(latex)}
    borne |= {
        i for spot, latex in formulas(drawn) for i in re.findall(r"(?<![A-Za-z\\])[a-z](?![A-Za-z])", latex)
    }
    for line in explained(drawn):
        for name in line.symbols:
            if name not in borne:
                yield line.spot, f"${name}$"


def legend_unit(drawn: Outline, lang: str):
    """A line of a legend without a unit."""
    for line in explained(drawn):
        if line.symbols and not _UNIT.search(line.said):
            yield line.spot, line.spot.line.text.strip()[:40]


@lru_cache(maxsize=2)
def _units(lang: str) -> dict[str, set[str]]:
    """Units that a symbol of the chain or the vocabulary may have in print."""
    found: dict[str, set[str]] = {}
    for symbol in chains.symbols().values():
        found.setdefault(symbol.latex, set()).add(unit_words(chains.bare(symbol.unit), lang))
    for variable in vocabulary.variables().values():
        if variable.latex:
            found.setdefault(variable.latex, set()).add(unit_words(variable.unit, lang))
    return found


def legend_wrong_unit(drawn: Outline, lang: str):
    """A unit that is not the one of its symbol: centimetres for the metres of a height."""
    known = _units(lang)
    for line in explained(drawn):
        allowed = known.get(line.symbols[0]) if len(line.symbols) == 1 else None
        told = re.search(r"单位为|无量纲" if lang == "zh" else r"\bin [^()]+\(|dimensionless", line.said)
        if allowed and told and not any(unit in line.said for unit in allowed):
            yield line.spot, line.spot.line.text.strip()[:60]


def formula_unnumbered(drawn: Outline, lang: str):
    """A formula that stands alone and has no number."""
    for spot, latex in formulas(drawn):
        if "{#eq:" not in spot.line.text:
            yield spot, latex[:30]


# References

_CODE = re.compile(
    r"(?<![A-Za-z])(?:(?:GB|LY|HJ|NY|SL|QX|TD|HY|DZ|DB\d*)(?:/[TZ])?|T/[A-Z]+|ISO(?:/IEC)?)\s?\d[\d.]*|CCER[-\d]+"
)
#: Order of the bodies in a list of references, national first.
_ORDER = ("GB", "LY", "HJ", "NY", "SL", "QX", "TD", "HY", "DZ", "DB", "T/", "CCER", "ISO")


def _codes(spots) -> dict[str, Spot]:
    found: dict[str, Spot] = {}
    for spot in spots:
        for code in _CODE.findall(spot.line.text.replace("\\", "")):
            found.setdefault(re.sub(r"\s", "", code).rstrip(".-"), spot)
    return found


def _references(drawn: Outline):
    heading = next((h for h in drawn.headings if h.identifier == "sec:references"), None)
    if heading is None:
        return None
    following = next((h for h in drawn.headings if h.at > heading.at), None)
    return drawn.between(heading, following)


def _body(drawn: Outline, inside) -> list[Spot]:
    own = {id(spot) for spot in inside}
    parts = ("scope", "body", "annex")
    return [s for s in drawn.spots if id(s) not in own and s.part in parts and s.kind != "statusnote"]


def reference_uncited(drawn: Outline, lang: str):
    """A document that is listed and never cited."""
    inside = _references(drawn)
    if inside is not None:
        cited = _codes(_body(drawn, inside))
        yield from ((spot, code) for code, spot in _codes(inside).items() if code not in cited)


def reference_unlisted(drawn: Outline, lang: str):
    """A standard that a clause cites and that is not listed; annexes that inform may name others."""
    inside = _references(drawn)
    if inside is not None:
        listed = _codes(inside)
        body = [s for s in _body(drawn, inside) if s.kind not in ("note", "tablenote")]
        yield from ((spot, code) for code, spot in _codes(body).items() if code not in listed)


def reference_order(drawn: Outline, lang: str):
    """References that do not stand national first, then by industry, region and number."""
    inside = _references(drawn) or ()
    keys = []
    for code, spot in _codes(inside).items():
        body = next(i for i, name in enumerate(_ORDER) if code.startswith(name))
        number = re.search(r"\d[\d.]*", re.sub(r"^DB\d*", "", code))
        keys.append(((body, [int(p) for p in number[0].split(".") if p] if number else []), spot, code))
    yield from ((spot, code) for (a, *_), (b, spot, code) in zip(keys, keys[1:], strict=False) if b < a)


# Terms


def _terms(drawn: Outline):
    for heading in drawn.headings:
        if "term" in heading.classes:
            following = next((h for h in drawn.headings if h.at > heading.at), None)
            text = [s for s in drawn.between(heading, following) if s.kind == "text"]
            word = heading.title.split("\u3000")[0] if "\u3000" in heading.title else heading.title
            yield drawn.spots[heading.at], word.strip(), text[:1]


def term_definition(drawn: Outline, lang: str):
    """A definition that begins with its term or with 是指, or that requires something."""
    wrong = (
        r"^(?:是?指|{0}(?:是|为|指))|应(?![用力答对])|不应|宜(?![林居])"
        if lang == "zh"
        else r"(?i)^(?:an?|the)\s|^{0}\s|^means|\bshall\b|\bshould\b"
    )
    for _, word, text in _terms(drawn):
        for spot in text:
            if re.search(wrong.format(re.escape(word)), spot.line.text.strip()):
                yield spot, spot.line.text.strip()[:24]


def term_unused(drawn: Outline, lang: str):
    """A term that no clause uses."""
    for heading, word, text in _terms(drawn):
        own = {id(heading), *(id(s) for s in text)}
        others = [
            s.line.text
            for s in drawn.spots
            if id(s) not in own and s.part not in ("cover", "front", "foreword")
        ]
        stem = word.lower().removesuffix("s")
        if not any(stem in line.lower() for line in others):
            yield heading, word


def empty_cell(drawn: Outline, lang: str):
    """A cell of a table that holds nothing; the first column may leave out what the row above says."""
    for spot in drawn.spots:
        if spot.kind == "table":
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", spot.line.text.strip().strip("|"))]
            if "" in cells[1:]:
                yield spot, spot.line.text.strip()[:24]


#: Checks of the outline by the rule they belong to.
CHECKS = {
    check.__name__: check
    for check in (
        symbol_twice,
        symbol_unexplained,
        symbol_unused,
        legend_unit,
        legend_wrong_unit,
        formula_unnumbered,
        reference_uncited,
        reference_unlisted,
        reference_order,
        term_definition,
        term_unused,
        empty_cell,
    )
}  # fmt: skip


# What a description counts


def uncounted(draft: dict) -> list[str]:
    """Included pools and sources whose name speaks of what no module of theirs works out."""
    rows = chains.modules()
    found = []
    for item in [*(draft.get("pools") or ()), *(draft.get("emission_sources") or ())]:
        if not item.get("included") or "counts" not in item and "source" in item:
            continue
        name, own = str(item["name"]), item.get("counts") or []
        asked = {row["words"] for row in rows.values() if row["words"] and re.search(row["words"], name)}
        have = {rows[m]["words"] for m in own if m in rows}
        if not own or asked - have:
            found.append(name)
    return found


# The gate of a final rendering

_PLACEHOLDER = re.compile(
    r"X{2,}|（[^（）]*(?:待定|部门|单位|起草人|未定|待核实)）|\((?:issuing|proposing|committee|draft)[^()]*\)|region to be|TBD|TODO|待补"
)


def faults(markdown: str, lang: str) -> list[str]:
    """Faults of meaning and placeholders of a draft in Markdown, one line each."""
    drawn = taken_apart(plain_lines(markdown))
    found = [f"{name}: {what}" for name, check in CHECKS.items() for _, what in check(drawn, lang)]
    held = dict.fromkeys(m[0] for spot in drawn.spots for m in _PLACEHOLDER.finditer(spot.line.text))
    return found + [tr(f"placeholder: {text}", f"占位符：{text}") for text in held]


def require(desk, draft: dict, markdown: str, lang: str, name: str) -> None:
    """Refuse a final rendering whose checks, sources or meaning are not in order.

    Raises
    ------
    DraftError
        Lists all: mandatory checks of the tables that failed or were not evaluated and are not ``accepted`` with a
        reason, tables without a source, placeholders, faults of meaning, pools that nothing works out.
    """
    told = [tr(f"check: {line}", f"检验：{line}") for line in desk.open_checks()]
    told += [tr(f"no source: {ref}", f"无来源：{ref}") for ref in desk.unsourced()]
    told += [tr(f"counted, but not worked out: {line}", f"计入而无公式：{line}") for line in uncounted(draft)]
    told += faults(markdown, lang)
    if told:
        raise DraftError(
            f"draft {name}: not yet fit for a final rendering:\n{listing(told)}\nRender with --preview, or mend these.",
            f"文稿 {name}：尚不能生成正式稿：\n{listing(told)}\n请用 --preview 生成示范稿，或先改正上述各项。",
        )
