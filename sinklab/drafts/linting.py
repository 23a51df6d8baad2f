"""The linter of drafts: wording, numbering, units and hand-typed numbers by the rules of GB/T 1.1.

Rules stand in ``data/rules/drafting.csv``, each with its source and whether it was read in print. The template is
filled in with marks around what the tables printed, so that each line is known by its file and by what a drafter
typed in it; the lines become an outline, and a rule is either a pattern of wording or a check of the whole outline.
"""

import re
from dataclasses import dataclass

from sinklab import paths
from sinklab.data.files import records
from sinklab.drafts import description, rendering
from sinklab.drafts.desk import DECIDED, TABLES, Desk
from sinklab.drafts.numbers import typed_numbers
from sinklab.language import reader_language, tr

#: Letters shown on either side of what was found.
CONTEXT = 12


#: Letters of the private area: around the number of a source line, and around what the desk printed.
PLACE, END, OPEN, CLOSE = "\ue000", "\ue001", "\ue002", "\ue003"
#: Stands where something was taken out.
GAP = "\ue004"
#: Functions of the desk that print; the others answer questions.
PRINTING = {*DECIDED, *TABLES} | {
    *"value number n limits equation equations legend correlation_refs values_table figure species label "
    "sources status_note range_notes model_title model_refs model_words chain_part design_table monitored_table "
    "settled_table factor_table worked_example".split()
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


@dataclass(frozen=True)
class Rule:
    """One rule of drafting; ``status`` is verified, recalled or house rule."""

    rule_id: str
    lang: str
    place: str
    pattern: str
    clause: str
    source: str
    status: str
    meaning_en: str
    meaning_zh: str
    suggestion_en: str
    suggestion_zh: str

    @property
    def meaning(self) -> str:
        """What the rule asks for, in the language of the program."""
        return self.meaning_zh if reader_language() == "zh" else self.meaning_en

    @property
    def suggestion(self) -> str:
        """What to do, in the language of the program."""
        return self.suggestion_zh if reader_language() == "zh" else self.suggestion_en


@dataclass(frozen=True)
class Finding:
    """One place that breaks a rule."""

    file: str
    line: int
    rule: Rule
    found: str

    def __str__(self) -> str:
        """One line: where, which rule, what was found, what to do, where the rule comes from."""
        origin = f"GB/T 1.1 {self.rule.clause}".strip() if self.rule.clause else self.rule.source
        status = {"verified": "", "recalled": tr(", recalled", "，凭记忆"), "house rule": ""}[
            self.rule.status
        ]
        what = tr(
            f"“{self.found}”: {self.rule.meaning}; {self.rule.suggestion}",
            f"“{self.found}”：{self.rule.meaning}；{self.rule.suggestion}",
        )
        return f"{self.file}:{self.line}: {self.rule.rule_id}: {what} [{origin}{status}]"


def rules(lang: str) -> tuple[Rule, ...]:
    """Rules that hold for drafts in a language."""
    return tuple(Rule(**row) for row in records("rules", "drafting.csv") if row["lang"] in (lang, "both"))


def lint(name: str, lang: str = "zh") -> list[Finding]:
    """Check a draft of ``reports/drafts/<name>.yml``.

    The template is filled in from its tables, so that only what would be printed is judged; nothing is
    drawn and nothing is written.

    Parameters
    ----------
    name : str
    lang : "zh" or "en"

    Returns
    -------
    findings : list of Finding
        By file and line; a fault in the text of the description names the description.

    Raises
    ------
    DraftError
        The draft cannot be filled in.
    """
    drawn = description.read(name)
    places: list = []
    desk = MarkedDesk(drawn, lang, paths.reports("drafts"))
    draft = drawn.localised(lang) | {"preview": drawn.preview}
    filled = rendering.write(desk, drawn.template, lang, draft, lambda inner: loader(inner, places))
    found = check(outline(lines(filled, places)), lang)
    sources = [
        (path, path.read_text(encoding="utf-8-sig").splitlines()) for path in description.files_of(name)
    ]
    return sorted((_placed(f, sources) for f in found), key=lambda f: (f.file, f.line, f.rule.rule_id))


def check(drawn: Outline, lang: str) -> list[Finding]:
    """Apply all rules to a draft that was taken apart."""
    found = []
    for rule in rules(lang):
        look = _by_sentence if rule.place.startswith("sec:") else _by_pattern
        faults = look(rule, drawn) if rule.pattern else CHECKS[rule.rule_id](drawn, lang)
        found += [Finding(spot.line.file, spot.line.number, rule, what) for spot, what in faults]
    return list(dict.fromkeys(found))


def _by_pattern(rule: Rule, drawn: Outline):
    pattern = re.compile(rule.pattern)
    for spot in drawn.spots:
        if _concerned(rule.place, spot):
            prose = spot.typed if rule.place == "typed" else spot.prose
            for match in pattern.finditer(prose):
                yield spot, _shown(prose, match)


def _by_sentence(rule: Rule, drawn: Outline):
    """A clause of a standard that lacks its fixed sentence; the place of the rule is the clause."""
    heading = _named(drawn, rule.place)
    if heading is None or not drawn.standard():
        return
    text = _text(drawn, heading)
    if not re.search(rule.pattern, text):
        # A sentence that may stand anywhere is named, one that begins the clause is shown as it begins.
        begins = rule.pattern.startswith("^")
        yield drawn.spots[heading.at], (text[:24] or heading.title) if begins else rule.pattern


def _concerned(place: str, spot: Spot) -> bool:
    if spot.kind in ("blank", "fence", "formula", "statusnote") or spot.part == "cover":
        return False
    if place in ("foreword", "scope"):
        return spot.part == place
    if place in ("note", "heading"):
        return spot.kind == place
    return place == "all" or spot.kind != "heading"


def _shown(prose: str, match) -> str:
    around = prose[max(match.start() - CONTEXT, 0) : match.end() + CONTEXT]
    return re.sub(r"[\ue000-\ue0ff]", "…", around).strip()


def _placed(finding: Finding, sources) -> Finding:
    """Name the description when the words stand there, and the path of the template when not."""
    core = max(finding.found.strip("…").split("…"), key=len)
    for path, words in sources:
        for number, line in enumerate(words, start=1):
            if len(core) > 1 and core in line and not line.lstrip().startswith("#"):
                return Finding(paths.relative(path), number, finding.rule, finding.found)
    return Finding(f"reports/templates/{finding.file}", finding.line, finding.rule, finding.found)


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


def outline(lines: list[Line]) -> Outline:
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


# Rules that look at the whole outline: order, hanging paragraphs, what is never mentioned, what was typed

#: The clauses a standard begins with.
FIRST = ("sec:scope", "sec:references", "sec:terms")
_HAND_NUMBERED = re.compile(
    r"^(?:\d+(?:\.\d+)*[.、\s]|第[一二三四五六七八九十\d]+[章节]|附录\s*[A-H]|[一二三四五六七八九十]+、)"
)


def hanging_paragraphs(drawn: Outline, lang: str):
    """Text between a heading and the heading of its first subclause; the lead of the terms is allowed."""
    for heading, following in _pairs(drawn):
        if following is None or following.level <= heading.level or "term" in following.classes:
            continue
        text = [spot for spot in drawn.between(heading, following) if spot.kind not in ("blank", "fence")]
        if text:
            yield text[0], text[0].line.text.strip()[:24]


def lone_clauses(drawn: Outline, lang: str):
    """A clause with a single subclause."""
    headings = drawn.body()
    for at, heading in enumerate(headings):
        inside = []
        for other in headings[at + 1 :]:
            if other.level <= heading.level:
                break
            if other.level == heading.level + 1:
                inside.append(other)
        if len(inside) == 1 and "term" not in inside[0].classes:
            yield drawn.spots[inside[0].at], inside[0].title


def clause_order(drawn: Outline, lang: str):
    """Scope, references and terms first, in this order."""
    first = [h for h in drawn.body() if h.level == 1][:3]
    if drawn.standard() and first and tuple(h.identifier for h in first) != FIRST:
        yield drawn.spots[first[0].at], ", ".join(h.title for h in first)


def uncited(drawn: Outline, lang: str):
    """Tables and figures that the text never mentions."""
    cited = drawn.cited()
    for identifier, spot in drawn.defined().items():
        if identifier.startswith(("tbl:", "fig:")) and identifier not in cited:
            yield spot, identifier


def unresolved(drawn: Outline, lang: str):
    """References to what is nowhere defined."""
    defined = drawn.defined()
    for spot in drawn.spots:
        for identifier in Outline((spot,), ()).cited():
            if identifier not in defined:
                yield spot, f"@{identifier}"


def annexes_uncited(drawn: Outline, lang: str):
    """Annexes of which neither they nor what stands in them is mentioned outside."""
    headings = drawn.body()
    for heading in headings:
        if "annex" not in heading.classes:
            continue
        end = next((h for h in headings if h.at > heading.at and h.level == 1), None)
        inside = drawn.between(heading, end)
        here = {heading.identifier, *Outline(inside, ()).defined()}
        outside = [s for s in drawn.spots if s not in set(inside)]
        if not here & Outline(tuple(outside), ()).cited():
            yield drawn.spots[heading.at], heading.title


def formulas_without_legend(drawn: Outline, lang: str):
    """A clause with numbered formulas and no explanation of symbols."""
    for heading, following in _pairs(drawn):
        inside = drawn.between(heading, following)
        numbered = [spot for spot in inside if spot.kind == "formula" and "{#eq:" in spot.line.text]
        if numbered and not any(spot.kind == "legend" for spot in inside):
            yield numbered[0], numbered[0].line.text.partition("{#")[2].rstrip("}")


def _pairs(drawn: Outline):
    headings = drawn.headings
    return zip(headings, [*headings[1:], None], strict=True)


def _named(drawn: Outline, identifier: str) -> Heading | None:
    return next((h for h in drawn.headings if h.identifier == identifier), None)


def _text(drawn: Outline, heading: Heading) -> str:
    following = next((h for h in drawn.headings if h.at > heading.at), None)
    kept = (spot.line.text.strip() for spot in drawn.between(heading, following) if spot.kind != "blank")
    return "\n".join(kept)


def hand_typed(drawn: Outline, lang: str):
    """Numbers in the text that a drafter typed."""
    for spot in drawn.spots:
        silent = spot.kind in ("heading", "fence", "formula", "statusnote")
        if spot.part in ("scope", "body", "annex") and not silent:
            yield from ((spot, number) for number in typed_numbers(spot.typed))


def hand_numbered(drawn: Outline, lang: str):
    """Headings whose number was typed."""
    for heading in drawn.headings:
        if _HAND_NUMBERED.match(heading.title):
            yield drawn.spots[heading.at], heading.title


#: Check of each rule, by its id.
CHECKS = {
    "typed_number": hand_typed,
    "typed_numbering": hand_numbered,
    "hanging_paragraph": hanging_paragraphs,
    "lone_clause": lone_clauses,
    "clause_order": clause_order,
    "uncited": uncited,
    "unresolved": unresolved,
    "annex_uncited": annexes_uncited,
    "no_legend": formulas_without_legend,
}
