"""What a draft means: one symbol one thing, every symbol explained with its unit, references, terms, what is counted.

A draft is taken apart first: the template is filled in with marks around what the desk printed, so that each line is
known by its file; the lines become an outline of spots and headings, and numbers are read back from the text. The checks
look at it as it would be printed, whoever wrote it: :mod:`.linting` tells what they find by line, a final rendering is
refused for it (:func:`require`), and the review of a document that came back runs them again.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from sinklab import account as chains
from sinklab.data import vocabulary
from sinklab.drafts.blocks import unit_words
from sinklab.drafts.desk import DECIDED, TABLES, Desk
from sinklab.language import DraftError, listing, tr

#: Letters of the private area: around the number of a source line, and around what the desk printed.
PLACE, END, OPEN, CLOSE = "\ue000", "\ue001", "\ue002", "\ue003"
#: Stands where something was taken out.
GAP = "\ue004"
#: Functions of the desk that print; the others answer questions.
PRINTING = {*DECIDED, *TABLES} | {
    *"value number n n_sites limits equation equations legend correlation_refs values_table figure species label "
    "sources status_note range_notes ratio_equation whole_first segment class_table taxa_table culm_table sampling_table "
    "model_title model_refs model_equations model_words model_use chain_part design_table record_table monitored_table "
    "settled_table factor_table worked_example bibliography document_mark largest_class site_values".split()
}
_TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{##.*?##\}", re.DOTALL)
_MARK = re.compile(f"{PLACE}(\\d+){END}")
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*(\{[^{}]*\})?\s*$")
_DIV = re.compile(r"^:::+\s*(\S*)")
_IDENTIFIER = re.compile(r"\{[^{}]*#((?:tbl|fig|eq|sec):[\w-]+)")
_CITED = re.compile(r"@((?:tbl|fig|eq|sec):[\w-]+)")
#: What is neither prose nor typed by a drafter: formulas, code, attributes, references, links.
_NOT_PROSE = re.compile(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\{[^{}]*\}|\[@[^\]]*\]|!?\[\]\{[^}]*\}|https?://\S+")
_NOTE = re.compile(r"^(?:注\d*：|示例\d*：|NOTE\b|EXAMPLE\b)")


@dataclass(frozen=True)
class Line:
    """One line of a rendered draft.

    ``text`` is what is printed; in ``typed`` everything that the desk printed is replaced by a gap, so
    that what is left was typed by a drafter.
    """

    file: str
    number: int
    text: str
    typed: str


@dataclass(frozen=True)
class Spot:
    """A line with its part (cover, foreword, front, scope, body, annex) and kind (heading, table, note …)."""

    line: Line
    part: str
    kind: str

    @property
    def prose(self) -> str:
        """The text without formulas, code, attributes and references."""
        return _NOT_PROSE.sub(GAP, self.line.text)

    @property
    def typed(self) -> str:
        """The prose that a drafter typed."""
        return _NOT_PROSE.sub(GAP, self.line.typed)


@dataclass(frozen=True)
class Heading:
    """A heading: level, words, identifier, classes, and the position of its line."""

    level: int
    title: str
    identifier: str
    classes: tuple[str, ...]
    at: int


@dataclass(frozen=True)
class Outline:
    """A draft as spots and headings, with what is defined and cited where."""

    spots: tuple[Spot, ...]
    headings: tuple[Heading, ...]

    def between(self, first: Heading, second: Heading | None) -> tuple[Spot, ...]:
        """Spots under a heading up to another one, or to the end."""
        return self.spots[first.at + 1 : second.at if second else None]

    def body(self) -> list[Heading]:
        """Headings that are numbered."""
        return [h for h in self.headings if "front" not in h.classes]

    def standard(self) -> bool:
        """Whether the draft follows the structure of GB/T 1.1: it has a foreword."""
        return any(h.identifier == "sec:foreword" for h in self.headings)

    def defined(self) -> dict[str, Spot]:
        """Where each identifier is defined."""
        return {found: spot for spot in self.spots for found in _IDENTIFIER.findall(spot.line.text)}

    def cited(self) -> set[str]:
        """Identifiers that the text mentions."""
        return {found for spot in self.spots for found in _CITED.findall(spot.line.text)}


# A template filled in so that every line is known by its file


class MarkedDesk(Desk):
    """A desk whose printing functions enclose what they print; figures are not drawn."""

    def names(self) -> dict:
        """Names that a template may use."""
        return {
            name: _enclosing(function) if name in PRINTING else function
            for name, function in super().names().items()
        }

    def figure(self, alias: str, response: str, label: str, caption: str) -> str:
        """Place of a figure, which is not drawn."""
        self._fit(alias)
        return f"\n![{caption}]({label}.png){{#fig:{label}}}\n"


def _enclosing(function):
    def enclosed(*arguments, **named):
        printed = function(*arguments, **named)
        if isinstance(printed, list):
            return [f"{OPEN}{text}{CLOSE}" for text in printed]
        if isinstance(printed, dict):
            return {k: f"{OPEN}{v}{CLOSE}" if isinstance(v, str) else v for k, v in printed.items()}
        return f"{OPEN}{printed}{CLOSE}"

    return enclosed


def loader(inner, places: list):
    """Loader of templates whose lines carry marks; ``places`` is filled with ``(template, line)``."""
    from jinja2 import BaseLoader

    class Marking(BaseLoader):
        def get_source(self, environment, template):
            source, path, fresh = inner.get_source(environment, template)
            return _with_marks(source, template, places), path, fresh

    return Marking()


def _with_marks(source: str, template: str, places: list) -> str:
    spans = [match.span() for match in _TAG.finditer(source)]
    out, at = [], 0
    for number, line in enumerate(source.splitlines(keepends=True), start=1):
        # A mark inside a tag would break it; blanks before a tag that stands alone must stay its first.
        if not any(start < at < end for start, end in spans):
            out.append(f"{PLACE}{len(places)}{END}")
            places.append((template, number))
        out.append(line)
        at += len(line)
    return "".join(out)


def lines(text: str, places) -> list[Line]:
    """Take the marks out of a rendered text."""
    found, place, inside = [], ("", 0), False
    for raw in text.split("\n"):
        here = None
        for mark in _MARK.finditer(raw):
            # A line begins where its first letter stands; marks before it belong to tags.
            if here is None or not _MARK.sub("", raw[: mark.start()]).strip(f" {OPEN}{CLOSE}"):
                here = places[int(mark[1])]
            place = places[int(mark[1])]
        plain = _MARK.sub("", raw)
        typed, inside = _typed(plain, inside)
        file, number = here or place
        found.append(Line(file, number, plain.replace(OPEN, "").replace(CLOSE, ""), typed))
    return found


def _typed(text: str, inside: bool) -> tuple[str, bool]:
    """Replace printed stretches by a gap; ``inside`` says whether one is open at the start of the line."""
    out, depth = [], int(inside)
    for letter in text:
        if letter == OPEN:
            depth += 1
            out.append(GAP)
        elif letter == CLOSE:
            depth -= 1
        elif not depth:
            out.append(letter)
    return "".join(out), depth > 0


# The outline: where each line stands


def taken_apart(lines: list[Line]) -> Outline:
    """Find the headings of a draft and say of each line where it stands."""
    spots, headings, part, div = [], [], "cover", ""
    for at, line in enumerate(lines):
        found = _HEADING.match(line.text)
        fence = _DIV.match(line.text)
        if found and not div:
            heading = _heading(found, at)
            headings.append(heading)
            part = _part(heading, part)
            kind = "heading"
        elif fence:
            div, kind = fence[1].strip("{}."), "fence"
        else:
            kind = _kind(line.text, div)
        spots.append(Spot(line, part, kind))
    return Outline(tuple(spots), tuple(headings))


def _heading(found, at) -> Heading:
    attributes = (found[3] or "").strip("{}").split()
    identifier = next((word[1:] for word in attributes if word.startswith("#")), "")
    classes = tuple(word[1:] for word in attributes if word.startswith("."))
    return Heading(len(found[1]), found[2], identifier, classes, at)


def _part(heading, before) -> str:
    if "front" in heading.classes:
        return "foreword" if heading.identifier == "sec:foreword" else "front"
    if "annex" in heading.classes:
        return "annex"
    if heading.level > 1:
        return before
    return "scope" if heading.identifier == "sec:scope" else "body"


def _kind(text: str, div: str) -> str:
    if not text.strip():
        return "blank"
    if div in ("legend", "statusnote"):
        return div
    if div.startswith("cover"):
        return "cover"
    if div in ("note", "tablenote") or _NOTE.match(text):
        return "note"
    if text.startswith("|"):
        return "table"
    if text.startswith("Table:"):
        return "caption"
    return "formula" if text.startswith("$$") else "text"


def plain_lines(markdown: str) -> list[Line]:
    """Lines of a rendered text without marks: nothing is known of who typed them."""
    return [Line("", number, text, "") for number, text in enumerate(markdown.split("\n"), start=1)]


# Numbers read back from a text. Those of standards, clauses, years, dates, levels of intervals, addresses and references to
# tables are *structure*: they are part of the wording and never come from a parameter table.

#: A number with its sign and power of ten. Digits that follow a letter belong to a name (CO2, a1).
NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])(?:(?<![\w)])[−-]|−)?\d+(?:[.,]\d+)*(?:\s?[×xX*]\s?10\s?\^?[−-]?\d+)?", re.ASCII
)
_WIDE = str.maketrans("０１２３４５６７８９．－＋％，\u3000\u00a0", "0123456789.-+%,  ")
#: A cited table, as drafts print it.
TABLE = re.compile(r"\b([a-z][a-z0-9]*(?:_[a-z0-9]+)+)@(\d+\.\d+\.\d+)")
#: Bodies that number their standards.
_BODIES = r"(?:GB|LY|HJ|NY|SL|QX|TD|HY|DZ|JJ[FG]|ISO(?:/IEC)?|IEC|DB\d*)"
STRUCTURE = re.compile(
    "|".join(
        (
            TABLE.pattern,
            r"(?:https?://|doi:\s?|www\.)\S+|\b10\.\d{4,}/\S+",
            # Numbers of standards and methodologies, with the year behind a dash.
            rf"\b{_BODIES}(?:/[TZ])?\s?\d[\d.]*(?:[—–:-]\d{{4}})?",
            r"\bT/[A-Z]+\s?\d[\d.]*(?:[—–:-]\d{4})?|\b(?:CCER|AR-TOOL|AR-AMS|AR-ACM|VM)[-\s]?\d[\dV-]*",
            r"\bICS\s[\d.]+|\bCCS\s[A-Z]\s?\d+",
            r"(?:Part|Annex|Clause|Table|Figure|Fig\.|Formula|Equation|Eq\.|Section|Tier|Approach|No\.)"
            r"[\s\u00a0]*[A-Z]?\.?\d+(?:\.\d+)*",
            r"(?:表|图|公式|附录)\s?[A-Z]?\.?\d+(?:\.\d+)*",
            r"第\s?\d+(?:\.\d+)*\s?(?:部分|章|条|款|节|页|次|期|卷|号)",
            # Dates, and years of publications.
            r"\b(?:19|20)\d\d(?:-\d\d-\d\d|\s?年(?:\d+\s?月(?:\d+\s?日)?)?)",
            r"(?:et al\.,?\s\(?|[A-Z][a-z]+(?:,\s|\s\())(?:19|20)\d\d\b|\((?:19|20)\d\d\)",
            # The level of an interval.
            r"\d+(?:\.\d+)?[\s\u00a0]?%[\s\u00a0]?(?=lower|upper|limit|range|interval|confidence|置信|上限|下限|区间|范围)",
            r"(?<=level)[\s\u00a0]\d+(?:\.\d+)?[\s\u00a0]?%|(?<=水平|概率)[\s\u00a0]?\d+(?:\.\d+)?[\s\u00a0]?%",
            # Numbers of items of a list, and of documents of a bibliography.
            r"^\s*\d+\s?[)）、]|\\?\[\d+\\?\]",
        )
    ),
    # Words end where Chinese begins.
    re.ASCII,
)
#: In text that a drafter types: numbers that belong to names (standards, methodologies, dates, formulas of
#: substances, identifiers of papers), and those of items of a list.
_NAMES = re.compile(
    rf"(?<![A-Za-z])(?:{_BODIES}|T)(?:/[A-Z]+)*\s*[\dX]+(?:\.\d+)*(?:[-—:][\dX]+)*"
    r"|(?<![A-Za-z])[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+|(?<![A-Za-z])[A-Z]{2,}\d+(?![A-Za-z0-9])"
    r"|(?:CO|CH|N)~?[24]~?O?(?![a-z0-9])"
    r"|\\?\[\d+\\?\]|doi:?\s*10\.\S+|(?<!\d)10\.\d{4,}/\S+|\d{4}-\d{2}(?:-\d{2})?|(?<!\d)\d{4}\s*年(?:\s*\d+\s*月)?"
)
_ITEM = re.compile(r"^\s*(?:\d+[.)]|[a-z]\))\s")
_TYPED = re.compile(r"(?<![A-Za-z0-9_.~^])[−-]?\d+(?:\.\d+)?\s*(?:%|‰|[a-zA-Z²³/·]+|[\u4e00-\u9fff])?")
_WORD = re.compile(r"[A-Za-z]+|\s+|.", re.DOTALL)


@dataclass(frozen=True)
class Token:
    """A number in a text: as it stands there, and from where to where."""

    text: str
    start: int
    end: int

    @property
    def plain(self) -> str:
        """The number in one spelling: no spaces, one kind of minus sign."""
        return plain(self.text)


def widened(text: str) -> str:
    """Text with digits, signs and spaces of full width in their usual form, of the same length."""
    return text.translate(_WIDE)


def plain(text: str) -> str:
    """A printed number in one spelling, the marks of Markdown left out."""
    text = re.sub(r"[\s^*]", "", widened(text).replace("×", "x").replace("X", "x"))
    return text.replace("\N{MINUS SIGN}", "-").replace("–", "-").removeprefix("+")


def read_numbers(text: str) -> list[Token]:
    """Numbers of a text that are not structure."""
    text = widened(text)
    covered = [match.span() for match in STRUCTURE.finditer(text)]
    return [
        Token(match.group(), *match.span())
        for match in NUMBER.finditer(text)
        if not any(start < match.end() and match.start() < end for start, end in covered)
    ]


def masked(text: str) -> str:
    """Text with every number replaced by ``#``, in single spaces."""
    text = widened(text)
    for token in reversed(read_numbers(text)):
        text = f"{text[: token.start]}#{text[token.end :]}"
    return " ".join(text.split())


def words(text: str) -> list[tuple[str, Token | None]]:
    """Text as words and letters; a number is ``("#", token)``."""
    text, found, at = widened(text), [], 0
    for token in [*read_numbers(text), Token("", len(text), len(text))]:
        found += [(word, None) for word in _WORD.findall(text[at : token.start]) if not word.isspace()]
        if token.text:
            found.append(("#", token))
        at = token.end
    return found


def typed_numbers(text: str) -> list[str]:
    """Numbers, with the word behind them, of Markdown that a drafter typed; numbers of names and of items are none."""
    return [match[0].strip() for match in _TYPED.finditer(_NAMES.sub("", _ITEM.sub("", text)))]


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


#: An index of a symbol, or a value of it such as the date $t_{1}$.
_INDEX = re.compile(r"(?<![A-Za-z\\])[a-z](?:_\{\d\}|(?![A-Za-z]))")


def symbol_unused(drawn: Outline, lang: str):
    """A symbol that a legend explains and no formula bears."""
    borne = {name for _, latex in formulas(drawn) for name in symbols(latex)}
    borne |= {i for _, latex in formulas(drawn) for i in _INDEX.findall(latex)}
    for line in explained(drawn):
        for name in line.symbols:
            if name not in borne:
                yield line.spot, f"${name}$"


def legend_unit(drawn: Outline, lang: str):
    """A line of a legend without a unit; what explains values of an index, such as two dates, has none."""
    borne = {name for _, latex in formulas(drawn) for name in symbols(latex)}
    for line in explained(drawn):
        indices = all(_INDEX.fullmatch(name) and name not in borne for name in line.symbols)
        if line.symbols and not indices and not _UNIT.search(line.said):
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
    """A definition that begins with its term or with 是指, or that requires something; a Chinese one that has no full stop."""
    wrong = (
        r"^(?:是?指|{0}(?:是|为|指))|应(?![用力答对])|不应|宜(?![林居])"
        if lang == "zh"
        else r"(?i)^(?:an?|the)\s|^{0}\s|^means|\bshall\b|\bshould\b"
    )
    for _, word, text in _terms(drawn):
        for spot in text:
            said = spot.line.text.strip()
            # In Chinese a definition is a sentence with its full stop, in English it has none.
            stopped = said.endswith("。" if lang == "zh" else ".")
            if re.search(wrong.format(re.escape(word)), said) or stopped != (lang == "zh"):
                yield spot, said[:24]


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
