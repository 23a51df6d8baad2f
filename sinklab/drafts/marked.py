"""Text of a draft that remembers which line of which file each of its lines came from."""

import re
from dataclasses import dataclass

from sinklab.drafts.desk import Desk

#: Letters of the private area: around the number of a source line, and around what the desk printed.
PLACE, END, OPEN, CLOSE = "\ue000", "\ue001", "\ue002", "\ue003"
#: Stands where something was taken out.
GAP = "\ue004"
#: Functions of the desk that print; the others answer questions.
PRINTING = (
    "value number n limits equation equations legend parameter_table index_table range_table residual_table "
    "correlation_tables correlation_refs sample_table values_table figure species label sources status_note "
    "stated decision decision_table default deduction_table fill range_notes"
).split()
_TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{##.*?##\}", re.DOTALL)
_MARK = re.compile(f"{PLACE}(\\d+){END}")


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


class MarkedDesk(Desk):
    """A desk whose printing functions enclose what they print; figures are not drawn."""

    def names(self) -> dict:
        """Names that a template may use."""
        known = super().names()
        return {name: _enclosing(known[name]) if name in PRINTING else known[name] for name in known}

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
