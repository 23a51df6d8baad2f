"""The lines of a draft with the part of the document they stand in, and its headings."""

import re
from dataclasses import dataclass

from sinklab.drafts.marked import GAP, Line

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*(\{[^{}]*\})?\s*$")
_DIV = re.compile(r"^:::+\s*(\S*)")
_IDENTIFIER = re.compile(r"\{[^{}]*#((?:tbl|fig|eq|sec):[\w-]+)")
_CITED = re.compile(r"@((?:tbl|fig|eq|sec):[\w-]+)")
#: What is neither prose nor typed by a drafter: formulas, code, attributes, references, links.
_NOT_PROSE = re.compile(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\{[^{}]*\}|\[@[^\]]*\]|!?\[\]\{[^}]*\}|https?://\S+")
_NOTE = re.compile(r"^(?:注\d*：|示例\d*：|NOTE\b|EXAMPLE\b)")


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
