"""Numbers of a draft: printed with as many digits as their standard error supports, and read back from a text.

Numbers of standards, clauses, years, dates, levels of intervals, addresses and references to tables are
*structure*: they are part of the wording and never come from a parameter table.
"""

import math
import re
from dataclasses import dataclass

# Printed

#: Significant digits of a standard error; the value follows to the same place.
ERROR_DIGITS = 2
#: Significant digits of a number without an error.
PLAIN_DIGITS = 4
MINUS = "\N{MINUS SIGN}"


def exists(number) -> bool:
    """Whether there is a finite number to print."""
    return number is not None and not isinstance(number, str) and math.isfinite(number)


def magnitude(number: float, digits: int) -> int:
    """Exponent of ten of a number once it is rounded to ``digits`` significant digits."""
    return int(f"{abs(number):.{max(digits - 1, 0)}e}".partition("e")[2]) if number else 0


def fixed(number: float, decimals: int) -> str:
    """A number to a decimal place, which may lie left of the point, with a true minus sign; a dash where there is none."""
    if not exists(number):
        return "—"
    text = f"{round(number, decimals):.{max(decimals, 0)}f}"
    if float(text) == 0:
        return text.removeprefix("-")
    return text.replace("-", MINUS)


def significant(number, digits: int = PLAIN_DIGITS) -> str:
    """A number to some significant digits, in powers of ten where it is very small or large; Markdown."""
    if not exists(number):
        return "—"
    return beside(number, digits - 1 - magnitude(number, digits), magnitude(number, digits))


def measured(number: float) -> str:
    """A measured number as it was measured: no digits are added, and six at most are kept."""
    return f"{number:.6g}".replace("-", MINUS) if exists(number) else "—"


def beside(number: float, decimals: int, exponent: int) -> str:
    """A number to a decimal place, written as the power of ten that numbers beside it use."""
    if not exists(number):
        return "—"
    if -4 < exponent < 6:
        return fixed(number, decimals)
    power = str(exponent).replace("-", MINUS)
    return f"{fixed(number / 10**exponent, decimals + exponent)}×10^{power}^"


def place(value: float, se: float) -> tuple[int, int]:
    """Decimal place supported by a standard error, and the exponent to print value and error with."""
    if not exists(se) or se <= 0:
        digits = PLAIN_DIGITS + 2
        return digits - 1 - magnitude(value, digits), magnitude(value, digits)
    decimals = ERROR_DIGITS - 1 - magnitude(se, ERROR_DIGITS)
    # A value below its error is still written with the exponent of the error.
    return decimals, magnitude(max(abs(value), se), PLAIN_DIGITS)


def with_error(value, se, *others, decimals: int | None = None) -> list[str]:
    """Print a value, its standard error and other numbers beside them, all to the place the error supports.

    Parameters
    ----------
    value, se : float
        ``se`` may be missing: the value then has six significant digits.
    *others : float
        Limits of intervals.
    decimals : int, optional
        Decimal places to print, where more are needed than the error supports; see
        :func:`sinklab.tables.digits.guard`.

    Returns
    -------
    texts : list of str
        Markdown, an em dash for what does not exist.

    Examples
    --------
    >>> with_error(0.044724, 0.0015479, 0.0417)
    ['0.0447', '0.0015', '0.0417']
    """
    if not exists(value):
        return ["—"] * (2 + len(others))
    supported, exponent = place(value, se)
    decimals = supported if decimals is None else max(supported, decimals)
    return [beside(number, decimals, exponent) for number in (value, se, *others)]


# Read back

#: A number with its sign and power of ten. Digits that follow a letter belong to a name (CO2, a1).
NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])(?:(?<![\w)])[−-]|−)?\d+(?:[.,]\d+)*(?:\s?[×xX*]\s?10\s?\^?[−-]?\d+)?", re.ASCII
)
_WIDE = str.maketrans("０１２３４５６７８９．－＋％，\u3000\u00a0", "0123456789.-+%,  ")
#: A cited table, as drafts print it.
TABLE = re.compile(r"\b([a-z][a-z0-9]*(?:_[a-z0-9]+)+)@(\d+\.\d+\.\d+)")
#: Bodies that number their standards.
_BODIES = r"(?:GB|LY|HJ|NY|SL|QX|TD|HY|DZ|JJ[FG]|ISO(?:/IEC)?|IEC|DB\d*)"
STRUCTURE = re.compile(
    "|".join(
        (
            TABLE.pattern,
            r"(?:https?://|doi:\s?|www\.)\S+|\b10\.\d{4,}/\S+",
            # Numbers of standards and methodologies, with the year behind a dash.
            rf"\b{_BODIES}(?:/[TZ])?\s?\d[\d.]*(?:[—–:-]\d{{4}})?",
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
#: In text that a drafter types: numbers that belong to names (standards, methodologies, dates, formulas of
#: substances, identifiers of papers), and those of items of a list.
_NAMES = re.compile(
    rf"(?<![A-Za-z])(?:{_BODIES}|T)(?:/[A-Z]+)*\s*[\dX]+(?:\.\d+)*(?:[-—:][\dX]+)*"
    r"|(?<![A-Za-z])[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+|(?<![A-Za-z])[A-Z]{2,}\d+(?![A-Za-z0-9])"
    r"|(?:CO|CH|N)~?[24]~?O?(?![a-z0-9])"
    r"|doi:?\s*10\.\S+|(?<!\d)10\.\d{4,}/\S+|\d{4}-\d{2}(?:-\d{2})?|(?<!\d)\d{4}\s*年(?:\s*\d+\s*月)?"
)
_ITEM = re.compile(r"^\s*(?:\d+[.)]|[a-z]\))\s")
_TYPED = re.compile(r"(?<![A-Za-z0-9_.~^])[−-]?\d+(?:\.\d+)?\s*(?:%|‰|[a-zA-Z²³/·]+|[\u4e00-\u9fff])?")
_WORD = re.compile(r"[A-Za-z]+|\s+|.", re.DOTALL)


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


def read_numbers(text: str) -> list[Token]:
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
    text = widened(text)
    for token in reversed(read_numbers(text)):
        text = f"{text[: token.start]}#{text[token.end :]}"
    return " ".join(text.split())


def words(text: str) -> list[tuple[str, Token | None]]:
    """Text as words and letters; a number is ``("#", token)``."""
    text, found, at = widened(text), [], 0
    for token in [*read_numbers(text), Token("", len(text), len(text))]:
        found += [(word, None) for word in _WORD.findall(text[at : token.start]) if not word.isspace()]
        if token.text:
            found.append(("#", token))
        at = token.end
    return found


def typed_numbers(text: str) -> list[str]:
    """Numbers, with the word behind them, of Markdown that a drafter typed; numbers of names and of items are none."""
    return [match[0].strip() for match in _TYPED.finditer(_NAMES.sub("", _ITEM.sub("", text)))]
