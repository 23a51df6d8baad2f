"""What a draft ought to say: rendered anew from its description and its tables, number by number."""

import re
import tempfile
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from pathlib import Path

from sinklab.drafts import text
from sinklab.drafts.citations import Citation
from sinklab.drafts.convert import Look, convert
from sinklab.drafts.desk import Desk
from sinklab.review.number_tokens import numbers
from sinklab.review.word_file import WordFile
from sinklab.review.word_text import Piece, pieces

#: A picture of one white point: the numbers of a draft do not stand in its figures.
_POINT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010100000000376ef924"
    "0000000a49444154789c6368000000820081dd436af40000000049454e44ae426082"
)


class _Desk(Desk):
    """A desk that draws no figures, and remembers wording that comes from tables as it stands."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.wording: list[str] = []

    def figure(self, alias, response, label, caption):
        name = f"{label}.png".replace(":", "-")
        (self._folder / name).write_bytes(_POINT)
        return f"\n![{caption}]({name}){{#fig:{label} width=11cm}}\n"

    def sources(self):
        lines = super().sources()
        self.wording += lines
        return lines

    def range_notes(self):
        # The range of use is what the description says; that it goes beyond the table is said by the desk.
        lines = super().range_notes()
        self.wording += lines
        return lines

    def table_list(self):
        rows = super().table_list()
        self.wording += [row["title"] for row in rows]
        return rows


@dataclass
class Expected:
    """A draft as its tables have it.

    ``cited`` gives the citation behind a number by position of the piece and of the number in it;
    ``untraced`` are positions of numbers that the template or the description holds by itself.
    """

    pieces: list[Piece]
    citations: list[Citation]
    cited: dict[tuple[int, int], Citation] = field(default_factory=dict)
    untraced: set[tuple[int, int]] = field(default_factory=set)


def expected(description, lang: str, tables: dict[str, str] | None = None) -> Expected:
    """Render a draft in memory and trace each of its numbers.

    Parameters
    ----------
    description : Description
    lang : "zh" or "en"
    tables : dict, optional
        Other tables by alias than the description names.

    Returns
    -------
    expected : Expected

    Raises
    ------
    DraftError
        As rendering does.
    """
    with tempfile.TemporaryDirectory(prefix="sinklab-review-") as place:
        desk, markdown, draft = _written(description, lang, tables, Path(place))
        look = Look(lang, str(draft["title"]), str(draft.get("number", "")))
        file = WordFile(convert(markdown, "docx", look, Path(place)))
    found = Expected([p for p in pieces(file) if read(p)], desk.citations.entries)
    _trace(found, desk.wording)
    return found


def citations(description, lang: str, tables: dict[str, str]) -> list[Citation]:
    """Numbers that a draft would print from other tables."""
    with tempfile.TemporaryDirectory(prefix="sinklab-review-") as place:
        return _written(description, lang, tables, Path(place))[0].citations.entries


def _written(description, lang, tables, folder):
    drawn = replace(description, tables=tables) if tables else description
    desk = _Desk(drawn, lang, folder)
    draft = drawn.localised(lang) | {"preview": drawn.preview}
    return desk, text.write(desk, drawn.template, lang, draft), draft


def read(piece: Piece) -> bool:
    """Whether a piece is read for numbers: not when it is empty or a line of the contents."""
    return bool(piece.text.strip()) and not piece.style.lower().startswith(("toc", "contents"))


def _trace(found: Expected, wording):
    """Say for each number of the text which citation it is, by order; the rest is structure or untraced."""
    places = [(i, k, t.plain) for i, p in enumerate(found.pieces) for k, t in enumerate(numbers(p.text))]
    # A citation may be printed with its unit, or as two numbers.
    entries = [(c, t.plain) for c in found.citations for t in numbers(re.sub(r"[\^*]", "", c.printed))]
    printed = [said for _, said in entries]
    matcher = SequenceMatcher(None, [p for _, _, p in places], printed, autojunk=False)
    left, unused = dict(enumerate(places)), dict(enumerate(entries))
    for i, j, size in matcher.get_matching_blocks():
        for step in range(size):
            found.cited[left.pop(i + step)[:2]] = unused.pop(j + step)[0]
    by_print: dict[str, list[Citation]] = {}
    for citation, said in unused.values():
        by_print.setdefault(said, []).append(citation)
    tables = {found.pieces[i].caption for i, _ in found.cited if found.pieces[i].row}
    known = [_bare(line) for line in wording]
    for i, k, said in left.values():
        piece = found.pieces[i]
        own = any(line and line in _bare(piece.shown) for line in known)
        if by_print.get(said):
            # Noted elsewhere in the order of the text than it is printed.
            found.cited[i, k] = by_print[said].pop(0)
        elif not own and not (piece.row and piece.caption in tables):
            found.untraced.add((i, k))


def _bare(line: str) -> str:
    return "".join(letter for letter in line if letter.isalnum())
