"""Small pieces of Markdown: text that stays text, and tables."""

import re
import unicodedata

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|@$^~'\"&])")
_IDENTIFIER = re.compile(r"[^A-Za-z0-9]+")


def escape(text) -> str:
    """Text of a table or description that must be printed as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def identifier(*parts) -> str:
    """Identifier of a table, figure or equation made of words: ``agb stem`` gives ``agb-stem``."""
    return "-".join(_IDENTIFIER.sub("-", str(part)).strip("-") for part in parts)


def width(text: str) -> int:
    """Columns that a text takes; Chinese letters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def table(label: str, caption: str, header, rows, align: str = "", notes=()) -> str:
    """A numbered table.

    Parameters
    ----------
    label : str
        Identifier, cited as ``[@tbl:label]``.
    caption : str
        Markdown.
    header, rows : sequences of str
        Cells in Markdown.
    align : str
        One letter for each column, ``l``, ``c`` or ``r``; centred when left out.
    notes : sequence of str
        Printed in the last row, as the rules of drafting ask.
    """
    rules = {"l": ":---", "c": ":---:", "r": "---:"}
    align = align or "c" * len(header)
    lines = [header, [rules[letter] for letter in align], *rows]
    body = "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
    text = f"{body}\n\nTable: {caption} {{#tbl:{label}}}\n"
    if notes:
        text += "\n::: tablenote\n" + "\n\n".join(notes) + "\n:::\n"
    return f"\n{text}\n"
