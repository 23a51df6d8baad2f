"""What became of each opinion in the next version of a draft.

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

from dataclasses import replace
from difflib import SequenceMatcher

from sinklab.review.opinions import Opinion, Opinions, read_opinions
from sinklab.review.word_file import WordFile
from sinklab.review.word_text import Piece, pieces

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
        to_new, to_old = (_alike(t, piece.shown) for t in (entry.current, entry.original))
        return "adopted" if to_new > to_old else "declined"
    return "adopted" if abs(now - after) < abs(now - before) else "declined"


def _nearest(entry: Opinion, there) -> Piece | None:
    """Piece of the next version that an opinion speaks of."""
    wanted = {_letters(entry.current), _letters(entry.original)} - {""}
    exact = [p for p in there if _letters(p.shown) in wanted]
    if exact:
        return min(exact, key=lambda p: abs(p.number - entry.paragraph))
    found = [(max(_alike(t, p.shown) for t in (entry.current, entry.original)), p) for p in there]
    best = max(found, key=lambda pair: pair[0], default=(0.0, None))
    return best[1] if best[0] >= ALIKE else None


def _alike(a: str, b: str) -> float:
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    if not a or matcher.real_quick_ratio() < ALIKE or matcher.quick_ratio() < ALIKE:
        return 0.0
    return matcher.ratio()


def _letters(text: str) -> str:
    """Text without spaces and marks of cells, which move between programs."""
    return "".join(letter for letter in text if not letter.isspace() and letter != "|")
