"""A draft taken apart: every line with its file, what a drafter typed in it, its part and its kind.

The template is filled in with marks around what the desk printed, so that each line is known by its file; the lines
become an outline of spots and headings, on which :mod:`.linting` and :mod:`.meaning` look.
"""

import re
from dataclasses import dataclass

from sinklab.drafts.desk import DECIDED, TABLES, Desk

#: Letters of the private area: around the number of a source line, and around what the desk printed.
PLACE, END, OPEN, CLOSE = "\ue000", "\ue001", "\ue002", "\ue003"
#: Stands where something was taken out.
GAP = "\ue004"
#: Functions of the desk that print; the others answer questions.
PRINTING = {*DECIDED, *TABLES} | {
    *"value number n n_sites limits equation equations legend correlation_refs values_table figure species label "
    "sources status_note range_notes ratio_equation class_table model_title model_refs model_words chain_part design_table monitored_table "
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
