"""Numbers as they are printed: as many digits as their standard error supports."""

import math

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
    """A number to a decimal place, which may lie left of the point, with a true minus sign."""
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
    return f"{number:.6g}".replace("-", MINUS)


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
