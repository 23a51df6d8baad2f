"""Plain-text tables for a terminal, aligned for Latin and Chinese letters."""

import math
import unicodedata


def width(text: str) -> int:
    """Columns that a text takes on a terminal; Chinese letters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def number(value, digits: int = 6) -> str:
    """A number for people; an en dash for one that does not exist."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, (bool, str)):
        return str(value)
    return f"{value:.{digits}g}"


def table(header, rows) -> str:
    """Lay out rows under a header, first column left, the others right.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequences
        Cells; numbers are written by :func:`number`.
    """
    cells = [[str(h) for h in header], *([number(c) for c in row] for row in rows)]
    widths = [max(width(row[i]) for row in cells) for i in range(len(header))]
    lines = []
    for row in cells:
        gaps = [" " * (w - width(c)) for c, w in zip(row, widths, strict=True)]
        padded = [gap + c if i else c + gap for i, (c, gap) in enumerate(zip(row, gaps, strict=True))]
        lines.append("  ".join(padded).rstrip())
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(lines)
