"""Which piece of one document stands where in another."""

from difflib import SequenceMatcher

from sinklab.review.number_tokens import masked, words

#: Pieces less alike than this are one taken out and one put in.
ALIKE = 0.5
#: Pieces of a changed passage that are compared each with each.
MOST_PAIRS = 40_000


def key(piece) -> str:
    """What a piece says apart from its numbers."""
    return masked(piece.text) + "".join(piece.formulas)


def align(old, new) -> list[tuple]:
    """Pair the pieces of two documents.

    Parameters
    ----------
    old, new : list of Piece

    Returns
    -------
    pairs : list of (Piece or None, Piece or None)
        In the order of the text; None where the other document has nothing like it.
    """
    a, b = [key(p) for p in old], [key(p) for p in new]
    pairs = []
    for what, i, i_end, j, j_end in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if what == "equal":
            pairs += zip(old[i:i_end], new[j:j_end], strict=True)
        else:
            pairs += _changed(old[i:i_end], new[j:j_end], a[i:i_end], b[j:j_end])
    return pairs


def _changed(old, new, a, b) -> list[tuple]:
    """Pair pieces of a changed passage in order, so that they are as alike as can be."""
    if len(old) * len(new) > MOST_PAIRS:
        return [(p, None) for p in old] + [(None, p) for p in new]
    alike = [[_alike(x, y) for y in b] for x in a]
    # Best sum of likeness of the rest of both passages, from the end.
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            together = alike[i][j] + best[i + 1][j + 1] if alike[i][j] >= ALIKE else 0.0
            best[i][j] = max(together, best[i + 1][j], best[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(old) and j < len(new):
        if alike[i][j] >= ALIKE and best[i][j] == alike[i][j] + best[i + 1][j + 1]:
            pairs.append((old[i], new[j]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            pairs.append((old[i], None))
            i += 1
        else:
            pairs.append((None, new[j]))
            j += 1
    return pairs + [(p, None) for p in old[i:]] + [(None, p) for p in new[j:]]


def _alike(x: str, y: str) -> float:
    if not x or not y:
        return 0.0
    matcher = SequenceMatcher(None, x, y, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= ALIKE else 0.0


def align_numbers(old: str, new: str) -> list[tuple]:
    """Pair the numbers of two texts by the words around them.

    Returns
    -------
    pairs : list of (Token or None, Token or None)
    """
    a, b = words(old), words(new)
    pairs = []
    matcher = SequenceMatcher(None, [w for w, _ in a], [w for w, _ in b], autojunk=False)
    for what, i, i_end, j, j_end in matcher.get_opcodes():
        left = [token for _, token in a[i:i_end] if token]
        right = [token for _, token in b[j:j_end] if token]
        if what == "equal":
            pairs += zip(left, right, strict=True)
        else:
            pairs += [(token, None) for token in left] + [(None, token) for token in right]
    return pairs
