"""Numbers in a line of text, and what is a number of a table and what only looks like one.

Numbers of standards, clauses, years, dates, levels of intervals, addresses and references to tables are
*structure*: they are part of the wording and never come from a parameter table.
"""

import re
from dataclasses import dataclass

#: A number with its sign and power of ten. Digits that follow a letter belong to a name (CO2, a1).
NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])(?:(?<![\w)])[−-]|−)?\d+(?:[.,]\d+)*(?:\s?[×xX*]\s?10\s?\^?[−-]?\d+)?", re.ASCII
)
_WIDE = str.maketrans("０１２３４５６７８９．－＋％，\u3000\u00a0", "0123456789.-+%,  ")
#: A cited table, as drafts print it.
TABLE = re.compile(r"\b([a-z][a-z0-9]*(?:_[a-z0-9]+)+)@(\d+\.\d+\.\d+)")
STRUCTURE = re.compile(
    "|".join(
        (
            TABLE.pattern,
            r"(?:https?://|doi:\s?|www\.)\S+|\b10\.\d{4,}/\S+",
            # Numbers of standards and methodologies, with the year behind a dash.
            r"\b(?:GB|LY|HJ|NY|SL|QX|TD|HY|DZ|JJ[FG]|ISO(?:/IEC)?|IEC|DB\d{2,4})(?:/[TZ])?\s?\d[\d.]*(?:[—–:-]\d{4})?",
            r"\bT/[A-Z]+\s?\d[\d.]*(?:[—–:-]\d{4})?|\b(?:CCER|AR-TOOL|AR-AMS|AR-ACM|VM)[-\s]?\d[\dV-]*",
            r"\bICS\s[\d.]+|\bCCS\s[A-Z]\s?\d+",
            r"(?:Part|Annex|Clause|Table|Figure|Fig\.|Formula|Equation|Eq\.|Section|Tier|Approach|No\.)"
            r"[\s\u00a0]*[A-Z]?\.?\d+(?:\.\d+)*",
            r"(?:表|图|公式|附录)\s?[A-Z]?\.?\d+(?:\.\d+)*",
            r"第\s?\d+(?:\.\d+)*\s?(?:部分|章|条|款|节|页|次|期|卷|号)",
            # Dates, and years of publications.
            r"\b(?:19|20)\d\d(?:-\d\d-\d\d|\s?年(?:\d+\s?月(?:\d+\s?日)?)?)",
            r"(?:et al\.,?\s\(?|[A-Z][a-z]+(?:,\s|\s\())(?:19|20)\d\d\b|\((?:19|20)\d\d\)",
            # The level of an interval.
            r"\d+(?:\.\d+)?[\s\u00a0]?%[\s\u00a0]?(?=lower|upper|limit|range|interval|confidence|置信|上限|下限|区间|范围)",
            r"(?<=level)[\s\u00a0]\d+(?:\.\d+)?[\s\u00a0]?%|(?<=水平|概率)[\s\u00a0]?\d+(?:\.\d+)?[\s\u00a0]?%",
            # Numbers of items of a list.
            r"^\s*\d+\s?[)）、]",
        )
    ),
    # Words end where Chinese begins.
    re.ASCII,
)


@dataclass(frozen=True)
class Token:
    """A number in a text: as it stands there, and from where to where."""

    text: str
    start: int
    end: int

    @property
    def plain(self) -> str:
        """The number in one spelling: no spaces, one kind of minus sign."""
        return plain(self.text)


def widened(text: str) -> str:
    """Text with digits, signs and spaces of full width in their usual form, of the same length."""
    return text.translate(_WIDE)


def plain(text: str) -> str:
    """A printed number in one spelling, the marks of Markdown left out."""
    text = re.sub(r"[\s^*]", "", widened(text).replace("×", "x").replace("X", "x"))
    return text.replace("\N{MINUS SIGN}", "-").replace("–", "-").removeprefix("+")


def numbers(text: str) -> list[Token]:
    """Numbers of a text that are not structure."""
    text = widened(text)
    covered = [match.span() for match in STRUCTURE.finditer(text)]
    return [
        Token(match.group(), *match.span())
        for match in NUMBER.finditer(text)
        if not any(start < match.end() and match.start() < end for start, end in covered)
    ]


def masked(text: str) -> str:
    """Text with every number replaced by ``#``, in single spaces."""
    text, out, at = widened(text), [], 0
    for token in numbers(text):
        out += [text[at : token.start], "#"]
        at = token.end
    return " ".join("".join([*out, text[at:]]).split())


_WORD = re.compile(r"[A-Za-z]+|\s+|.", re.DOTALL)


def words(text: str) -> list[tuple[str, Token | None]]:
    """Text as words and letters; a number is ``("#", token)``."""
    text, found, at = widened(text), [], 0
    for token in [*numbers(text), Token("", len(text), len(text))]:
        found += [(word, None) for word in _WORD.findall(text[at : token.start]) if not word.isspace()]
        if token.text:
            found.append(("#", token))
        at = token.end
    return found
