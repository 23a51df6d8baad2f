"""Reviewers' comments and tracked changes of a Word file: a list to answer, and what became of each.

Each opinion has an anchor (clause, paragraph, table and row, the words it speaks of) and room for the
answer. The list is written and read back as CSV for a workbook or YAML for a person, the same content in both;
the next version of the draft tells what was done about each.

========== ==============================================================================
status     meaning
========== ==============================================================================
answered   an answer is written in the list, or the comment was resolved or replied to
changed    the piece that a comment speaks of reads otherwise now
removed    that piece is no longer there
adopted    an insertion is in the text, a deletion is out of it
declined   the text stands as it was before the tracked change
pending    the tracked change is still tracked
open       nothing happened
========== ==============================================================================
"""

import hashlib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import yaml

from sinklab import paths
from sinklab.data.files import read_rows, read_yaml, write_csv
from sinklab.language import DataError, DraftError, listing, tr
from sinklab.review.word import DOCUMENT, Piece, WordFile, likeness, pieces, tag

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


def _comments(file) -> dict[str, dict]:
    """Author, date, text, parent and state of every comment by its id."""
    root, extended = file.xml("word/comments.xml"), file.xml("word/commentsExtended.xml")
    found, by_paragraph = {}, {}
    for comment in root.iter(tag("w:comment")) if root is not None else ():
        paragraphs = list(comment.iter(tag("w:p")))
        text = " ".join("".join(t.text or "" for t in p.iter(tag("w:t"))) for p in paragraphs)
        key, text = comment.get(tag("w:id"), ""), " ".join(text.split())
        author, date = comment.get(tag("w:author"), ""), comment.get(tag("w:date"), "")
        own = _key("comment", author, date, text)
        found[key] = {
            "key": own,
            "author": author,
            "date": date,
            "text": text,
            "parent": "",
            "resolved": False,
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
    kind = "reply" if told[key]["parent"] else "comment"
    return Opinion(kind=kind, words=words, **told[key], **_place(piece))


def _changes(piece: Piece) -> list[Opinion]:
    """Insertions and deletions of a piece; runs of one hand that touch each other are one change."""
    runs = []
    for paragraph in piece.elements:
        before = None
        for element in paragraph.iter(*_TRACKED):
            if element.getparent().tag in (tag("w:rPr"), tag("w:trPr")):
                continue
            kind = _TRACKED[element.tag]
            # The text of an insertion that was deleted again is no insertion.
            names = ("w:t", "m:t") if kind == "insertion" else ("w:delText", "w:t", "m:t")
            text = "".join(t.text or "" for t in element.iter(*map(tag, names)))
            author, date = element.get(tag("w:author"), ""), element.get(tag("w:date"), "")
            if before is not None and element.getprevious() is before and runs[-1][:2] == [kind, author]:
                runs[-1][3] += text
            else:
                runs.append([kind, author, date, text])
            before = element
    place, found = _place(piece), []
    for kind, author, date, text in runs:
        if text.strip():
            key, words = _key(kind, author, date, text, place["original"]), " ".join(text.split())
            found.append(Opinion(key, kind, author, date, words=words, text="", **place))
    return found


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


# Lists as files

#: Text cells that begin with one of these would be run by a workbook; they get an apostrophe.
_FORMULA = ("=", "+", "-", "@", "'")


def write_list(found: Opinions, path) -> Path:
    """Write a list of opinions as ``.csv`` or ``.yml``; the same list gives the same file.

    Raises
    ------
    DraftError
        Another kind of file.
    """
    path = Path(path)
    rows = [asdict(entry) for entry in found.entries]
    if path.suffix in (".yml", ".yaml"):
        head = {"document": found.document, "n_formatting": found.n_formatting}
        return write_yaml(head | {"opinions": rows}, path)
    if path.suffix != ".csv":
        raise DraftError(f"{path}: expected .csv or .yml", f"{path}：应为 .csv 或 .yml")
    import pandas as pd

    cells = [{k: _guarded(v) for k, v in row.items()} for row in rows]
    write_csv(pd.DataFrame(cells, columns=list(COLUMNS)), path)
    return path


def read_list(path) -> Opinions:
    """Read a list that :func:`write_list` wrote and someone filled in.

    Raises
    ------
    DataError
        Columns are missing, or cells are not what they should be.
    """
    path, kind = Path(path), tr("not a list of opinions", "不是意见清单")
    head: dict = {}
    if path.suffix in (".yml", ".yaml"):
        head, rows = read_entries(path, "opinions", kind)
    else:
        header, records = read_rows(path)
        rows = [{k: _unguarded(v) for k, v in zip(header, record, strict=True)} for record in records]
    entries, problems = [], []
    for number, row in enumerate(rows, start=1):
        missing = [c for c in COLUMNS if c not in row]
        try:
            if missing or row["kind"] not in KINDS:
                raise ValueError(", ".join(missing) or f"kind = {row['kind']!r}")
            counts = {k: int(row[k]) for k in ("paragraph", "row")}
            resolved = str(row["resolved"]).casefold() == "true"
            entries.append(
                Opinion(**({k: str(row[k] or "") for k in COLUMNS} | counts | {"resolved": resolved}))
            )
        except ValueError as error:
            problems.append(tr(f"record {number}: {error}", f"第 {number} 条记录：{error}"))
    if problems:
        raise DataError(f"{path}{tr(': ', '：')}{kind}{tr(':', '：')}\n{listing(problems)}")
    return Opinions(str(head.get("document", path.name)), tuple(entries), int(head.get("n_formatting", 0)))


def write_yaml(content: dict, path) -> Path:
    """Write a file that a person reads and git compares line by line."""
    with paths.atomic_write(path) as stream:
        yaml.safe_dump(content, stream, allow_unicode=True, sort_keys=False, width=1000)
    return Path(path)


def read_entries(path, name: str, kind: str) -> tuple[dict, list[dict]]:
    """A YAML file and the entries it holds under a name.

    Raises
    ------
    DataError
        There is none, or no such entries; ``kind`` says what it is not.
    """
    head = read_yaml(path)
    rows = head.get(name) if isinstance(head, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: {kind} ({name})", f"{path}：{kind}（{name}）")
    return head, rows


def _guarded(cell):
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


# What became of each opinion

STATUSES = ("answered", "changed", "removed", "adopted", "declined", "pending", "open")
#: Pieces less alike than this are not the same piece in another version.
ALIKE = 0.6


def follow(earlier: Opinions, document) -> Opinions:
    """Mark which opinions were answered in a version of the draft.

    Parameters
    ----------
    earlier : Opinions
        Read from a document, or a list that was filled in.
    document : path
        The next version, a DOCX.

    Returns
    -------
    opinions : Opinions
        The same entries with their ``status``; answers that were written stay, and opinions that only
        the next version has come behind them.
    """
    file = WordFile(document)
    there = [p for p in pieces(file) if p.shown]
    now = read_opinions(file)
    by_key = {entry.key: entry for entry in now.entries}
    replied = {entry.parent for entry in now.entries if entry.parent}
    old_replies = {entry.parent for entry in earlier.entries if entry.parent}
    followed = [
        replace(entry, status=_status(entry, there, by_key, replied | old_replies))
        for entry in earlier.entries
    ]
    known = {entry.key for entry in earlier.entries}
    new = [entry for entry in now.entries if entry.key not in known]
    return Opinions(earlier.document, (*followed, *new), earlier.n_formatting)


def _status(entry: Opinion, there, by_key, replied) -> str:
    if entry.answer or entry.adopted:
        return "answered"
    same = by_key.get(entry.key)
    if entry.kind in ("insertion", "deletion"):
        return "pending" if same else _change(entry, _nearest(entry, there))
    if entry.resolved or (same and same.resolved) or entry.key in replied:
        return "answered"
    if entry.kind == "reply":
        return "open"
    piece = _nearest(entry, there)
    if not entry.current:
        return "open"
    if piece is None:
        return "removed"
    return (
        "open" if _letters(piece.shown) in (_letters(entry.current), _letters(entry.original)) else "changed"
    )


def _change(entry: Opinion, piece: Piece | None) -> str:
    """Whether a tracked change that is tracked no more was taken or thrown away."""
    if piece is None:
        return "adopted" if entry.kind == "deletion" else "removed"
    words = _letters(entry.words)
    before, after, now = (_letters(t).count(words) for t in (entry.original, entry.current, piece.shown))
    if before == after:
        # The words stood there twice, or moved within the piece: the nearer reading decides.
        to_new, to_old = (likeness(t, piece.shown, ALIKE) for t in (entry.current, entry.original))
        return "adopted" if to_new > to_old else "declined"
    return "adopted" if abs(now - after) < abs(now - before) else "declined"


def _nearest(entry: Opinion, there) -> Piece | None:
    """Piece of the next version that an opinion speaks of."""
    wanted = {_letters(entry.current), _letters(entry.original)} - {""}
    exact = [p for p in there if _letters(p.shown) in wanted]
    if exact:
        return min(exact, key=lambda p: abs(p.number - entry.paragraph))
    found = [(max(likeness(t, p.shown, ALIKE) for t in (entry.current, entry.original)), p) for p in there]
    best = max(found, key=lambda pair: pair[0], default=(0.0, None))
    return best[1] if best[0] >= ALIKE else None


def _letters(text: str) -> str:
    """Text without spaces and marks of cells, which move between programs."""
    return "".join(letter for letter in text if not letter.isspace() and letter != "|")
