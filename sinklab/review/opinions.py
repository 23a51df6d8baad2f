"""Reviewers' comments and tracked changes of a Word file, as a list to answer.

Each opinion has an anchor (clause, paragraph, table and row, the words it speaks of) and room for the
answer. :mod:`sinklab.review.opinion_list` writes the list and reads it back; in the next version of the
draft :mod:`sinklab.review.answers` finds what was done about each.
"""

import hashlib
from dataclasses import asdict, dataclass, fields

from sinklab.review.word_file import DOCUMENT, WordFile, tag
from sinklab.review.word_text import Piece, pieces

KINDS = ("comment", "reply", "insertion", "deletion")
_TRACKED = {
    tag("w:ins"): "insertion",
    tag("w:moveTo"): "insertion",
    tag("w:del"): "deletion",
    tag("w:moveFrom"): "deletion",
}
_FORMATTING = {
    tag(f"w:{n}")
    for n in ("rPrChange", "pPrChange", "tblPrChange", "tcPrChange", "trPrChange", "sectPrChange")
}


@dataclass(frozen=True)
class Opinion:
    """One comment, reply, insertion or deletion.

    ``key`` stays the same in every version of the document; ``words`` are those it speaks of;
    ``original`` is the piece without any tracked change and ``current`` with all of them; ``parent``
    is the key of the comment that a reply answers. ``status``, ``adopted``, ``answer`` and ``note``
    are filled in by those who answer, or by comparing with the next version.
    """

    key: str
    kind: str
    author: str
    date: str
    clause: str
    paragraph: int
    caption: str
    row: int
    words: str
    text: str
    parent: str = ""
    resolved: bool = False
    original: str = ""
    current: str = ""
    status: str = "open"
    adopted: str = ""
    answer: str = ""
    note: str = ""


COLUMNS = tuple(f.name for f in fields(Opinion))


@dataclass(frozen=True)
class Opinions:
    """Opinions of a document; ``n_formatting`` counts tracked changes of layout, which say nothing of content."""

    document: str
    entries: tuple[Opinion, ...]
    n_formatting: int = 0

    def to_json(self) -> dict:
        """Plain types."""
        return asdict(self)


def read_opinions(document) -> Opinions:
    """Comments and tracked changes of a document, in the order of the text.

    Parameters
    ----------
    document : path or WordFile

    Raises
    ------
    DraftError
        The document must not be opened.
    """
    file = document if isinstance(document, WordFile) else WordFile(document)
    found = pieces(file)
    told = _comments(file)
    quoted = _quoted(file)
    entries, placed = [], set()
    for piece in found:
        for key in piece.comments:
            if key in told and key not in placed:
                placed.add(key)
                entries.append(_comment(told, key, piece, quoted.get(key, "")))
        entries += _changes(piece)
    # Comments of headers, or whose place was deleted.
    entries += [_comment(told, key, None, "") for key in told if key not in placed]
    root = file.xml(DOCUMENT)
    count = sum(1 for element in root.iter() if element.tag in _FORMATTING)
    return Opinions(file.name, tuple(entries), count)


def _place(piece: Piece | None) -> dict:
    if piece is None:
        return {"clause": "", "paragraph": 0, "caption": "", "row": 0}
    own = {"clause": piece.heading, "paragraph": piece.number, "caption": piece.caption, "row": piece.row}
    return own | {"original": _without_changes(piece), "current": piece.shown}


def _key(*parts) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8")).hexdigest()[:12]


# Comments


def _comments(file) -> dict[str, dict]:
    """Author, date, text, parent and state of every comment by its id."""
    root, extended = file.xml("word/comments.xml"), file.xml("word/commentsExtended.xml")
    found, by_paragraph = {}, {}
    for comment in root.iter(tag("w:comment")) if root is not None else ():
        paragraphs = list(comment.iter(tag("w:p")))
        text = " ".join("".join(t.text or "" for t in p.iter(tag("w:t"))) for p in paragraphs)
        key = comment.get(tag("w:id"), "")
        author, date = comment.get(tag("w:author"), ""), comment.get(tag("w:date"), "")
        text = " ".join(text.split())
        found[key] = {
            "author": author,
            "date": date,
            "text": text,
            "key": _key("comment", author, date, text),
        }
        for paragraph in paragraphs:
            by_paragraph[paragraph.get(tag("w14:paraId"), "")] = key
    for state in extended.iter(tag("w15:commentEx")) if extended is not None else ():
        key = by_paragraph.get(state.get(tag("w15:paraId"), ""))
        parent = by_paragraph.get(state.get(tag("w15:paraIdParent"), "-"))
        if key in found:
            found[key]["resolved"] = state.get(tag("w15:done"), "0") in ("1", "true")
            found[key]["parent"] = found[parent]["key"] if parent in found else ""
    return found


def _quoted(file) -> dict[str, str]:
    """Words between the two ends of each comment."""
    open_ids: dict[str, list] = {}
    closed = {}
    for element in file.xml(DOCUMENT).iter(
        tag("w:commentRangeStart"), tag("w:commentRangeEnd"), tag("w:t"), tag("m:t"), tag("w:p")
    ):
        key = element.get(tag("w:id"), "")
        if element.tag == tag("w:commentRangeStart"):
            open_ids[key] = []
        elif element.tag == tag("w:commentRangeEnd"):
            closed[key] = "".join(open_ids.pop(key, ()))
        else:
            for text in open_ids.values():
                text.append(" " if element.tag == tag("w:p") else element.text or "")
    return {key: " ".join(text.split()) for key, text in closed.items()}


def _comment(told, key, piece, words) -> Opinion:
    own = told[key]
    parent = own.get("parent", "")
    return Opinion(
        key=own["key"],
        kind="reply" if parent else "comment",
        author=own["author"],
        date=own["date"],
        words=words,
        text=own["text"],
        parent=parent,
        resolved=own.get("resolved", False),
        **_place(piece),
    )


# Tracked changes


def _changes(piece: Piece) -> list[Opinion]:
    """Insertions and deletions of a piece; runs of one hand that touch each other are one change."""
    runs = []
    for paragraph in piece.elements:
        before = None
        for element in paragraph.iter(*_TRACKED):
            if element.getparent().tag in (tag("w:rPr"), tag("w:trPr")):
                continue
            kind = _TRACKED[element.tag]
            names = (
                (tag("w:t"), tag("m:t"))
                if kind == "insertion"
                else (tag("w:delText"), tag("w:t"), tag("m:t"))
            )
            text = "".join(t.text or "" for t in element.iter(*names))
            author, date = element.get(tag("w:author"), ""), element.get(tag("w:date"), "")
            if before is not None and element.getprevious() is before and runs[-1][:2] == [kind, author]:
                runs[-1][3] += text
            else:
                runs.append([kind, author, date, text])
            before = element
    place = _place(piece)
    return [
        Opinion(
            key=_key(kind, author, date, text, place["original"]),
            kind=kind,
            author=author,
            date=date,
            words=" ".join(text.split()),
            text="",
            **place,
        )
        for kind, author, date, text in runs
        if text.strip()
    ]


def _without_changes(piece: Piece) -> str:
    """Text of a piece as it was before any tracked change."""
    parts = []
    for paragraph in piece.elements:
        for element in paragraph.iter(tag("w:t"), tag("w:delText"), tag("m:t")):
            above = {_TRACKED.get(parent.tag) for parent in element.iterancestors()}
            if "insertion" not in above:
                parts.append(element.text or "")
        parts.append(" ")
    return " ".join("".join(parts).split())
