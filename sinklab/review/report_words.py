"""Words, numbers and tables of a reviewer's report in one language."""

import numpy as np

from sinklab import vocabulary
from sinklab.drafts import markdown, numbers
from sinklab.review.findings import TableFindings

#: Rows after which a long table is cut, with a note that says how many are left out.
MOST_ROWS = 40


class Words:
    """The wording of one language, and tables and numbers in it.

    Parameters
    ----------
    found : TableFindings
    lang : "zh" or "en"
    """

    def __init__(self, found: TableFindings, lang: str):
        self.found, self.lang = found, lang

    def say(self, en: str, zh: str) -> str:
        """The wording in the language of the report."""
        return zh if self.lang == "zh" else en

    def table(self, label, caption, header, rows, align="", notes=()) -> str:
        """A numbered table, cut when it is long."""
        rest = len(rows) - MOST_ROWS
        if rest > 0:
            notes = [
                *notes,
                self.say(f"NOTE {rest} further rows are not printed.", f"注：另有 {rest} 行未列出。"),
            ]
        head = [self.say(*pair) if isinstance(pair, tuple) else pair for pair in header]
        cells = [
            [cell if isinstance(cell, str) else self.number(cell) for cell in row] for row in rows[:MOST_ROWS]
        ]
        return markdown.table(label, caption, head, cells, align, notes)

    def number(self, value, decimals: int | None = None) -> str:
        """A number for a reader; a dash for one that does not exist."""
        if isinstance(value, (bool, np.bool_)):
            return self.say("yes", "是") if value else self.say("no", "否")
        if isinstance(value, (int, np.integer)):
            return f"{value}"
        if value == np.inf:
            return "∞"
        if not numbers.exists(value):
            return "—"
        return numbers.significant(value, 3) if decimals is None else numbers.fixed(value, decimals)

    def name(self, response: str) -> str:
        """Label of a response."""
        return markdown.escape(vocabulary.label(response, self.lang)) if response else "—"

    def p(self, value) -> str:
        """A probability."""
        return "—" if not np.isfinite(value) else "<0.001" if value < 0.001 else f"{value:.3f}"

    def span(self, low, high, decimals: int = 2) -> str:
        """Two limits."""
        return self.number(low, decimals) + self.say(" to ", "～") + self.number(high, decimals)

    def record(self, row) -> str:
        """Number of a record, from 1."""
        return f"{row + 1}" if isinstance(row, (int, np.integer)) else markdown.escape(row)
