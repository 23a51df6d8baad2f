"""Columns that say which record it is: those that are text, and those written once for the records below."""

from typing import Any

from sinklab.data.files import plain
from sinklab.language import tr

#: Names outside the vocabulary that are text.
TEXTS = ("clump", "disc", "line", "stratum", "survey", "quadrat")
#: Identifiers that are often written once for the records below.
DOWN = ("plot_id", "site", "town", "compartment", "core_id", "county", "village", "species", "tree_id")
ORIGINS = {"天然": "natural", "天然林": "natural", "人工": "planted", "人工林": "planted", "植苗": "planted"}


def as_written(text: str) -> str:
    """An identifier without the varieties of width and blank, with its Roman and circled numerals as they are."""
    if text.isascii():
        return plain(text)
    return "".join(
        c if "\u2150" <= c <= "\u218f" or "\u2460" <= c <= "\u24ff" else plain(c) or " " for c in text
    ).strip()


def filled_down(kept: list, outer: list) -> tuple[list, str]:
    """Identifiers that are written once for the records below them; each stands in one run.

    Parameters
    ----------
    kept : list of str or None
    outer : list
        What the identifiers to the left are of each record; within one of them an identifier stands in one run.

    Returns
    -------
    filled : list of str or None
        As given where blank cells do not go on with the value above.
    how : str
        What is told, "" where nothing was filled.
    """
    starts = [(outer[i], c) for i, c in enumerate(kept) if c]
    if (
        not starts
        or kept[0] is None
        or len(starts) == len(kept)
        or len(set(starts)) < len(starts)
        or len(starts) * 2 > len(kept)
    ):
        return kept, ""
    out: list[Any] = []
    for i, cell in enumerate(kept):
        # Another one to the left does not go on with the value of the one before.
        goes_on = out and outer[i] == outer[i - 1]
        out.append(cell or (out[-1] if goes_on else None))
    return out, tr("blank cells take the value above", "空白沿用上方的值")
