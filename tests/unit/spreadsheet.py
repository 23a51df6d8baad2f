"""A small spreadsheet, to work out the formulas of a workbook where no office program is at hand.

It knows the grammar of formulas as spreadsheets define it (a leading minus binds closer than a power,
powers go from left to right) and the functions the exports use. Statistics come from scipy. It shares no
line with the code that writes the formulas.
"""

import re

import numpy as np
import openpyxl
from openpyxl.utils import range_boundaries
from scipy import stats

_TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:[^"]|"")*")|(?P<number>\d+\.?\d*(?:E[+-]?\d+)?)'
    r"|(?P<cell>(?:'(?:[^']|'')+'!)?\$?[A-Z]{1,3}\$?\d+(?::\$?[A-Z]{1,3}\$?\d+)?)"
    r"|(?P<name>[A-Z][A-Z0-9.]*)|(?P<sign><=|>=|<>|[-+*/^&=<>(),]))"
)


class Fault(Exception):
    """An error value such as #N/A."""


#: What is raised where a cell of a spreadsheet shows an error.
FAULTS = (Fault, ZeroDivisionError, ValueError, OverflowError)


class Sheets:
    """Values of a workbook, worked out when they are asked for."""

    def __init__(self, path):
        self.book = openpyxl.load_workbook(path)
        self.known = {}

    def value(self, sheet, row, column):
        key = sheet, row, column
        if key not in self.known:
            cell = self.book[sheet].cell(row, column)
            if cell.data_type == "f":
                try:
                    self.known[key] = _Reader(cell.value[1:], self, sheet).result()
                except FAULTS as error:
                    self.known[key] = Fault(str(error))
            else:
                self.known[key] = cell.value
        found = self.known[key]
        if isinstance(found, Fault):
            raise found
        return found

    def area(self, text, sheet):
        place, _, ref = text.rpartition("!")
        sheet = place.strip("'").replace("''", "'") if place else sheet
        left, top, right, bottom = range_boundaries(ref.replace("$", ""))
        rows = [[self.value(sheet, r, c) for c in range(left, right + 1)] for r in range(top, bottom + 1)]
        return rows if ":" in ref else rows[0][0]


class _Reader:
    """One formula: every rule of the grammar is a method that returns a value."""

    def __init__(self, text, sheets, sheet):
        self.sheets, self.sheet, self.at, self.tokens = sheets, sheet, 0, []
        place = 0
        while place < len(text):
            found = _TOKEN.match(text, place)
            if not found:
                raise AssertionError(f"not a formula at {place}: {text}")
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            place = found.end()

    def result(self):
        value = self.comparison()
        assert self.at == len(self.tokens), self.tokens[self.at :]
        return 0 if value is None else value

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, *signs):
        kind, text = self.peek()
        if kind == "sign" and text in signs:
            self.at += 1
            return text
        return None

    def comparison(self):
        left = self.joined()
        while sign := self.take("=", "<>", "<", ">", "<=", ">="):
            right = self.joined()
            left = ("" if isinstance(right, str) else 0.0) if left is None else left
            right = ("" if isinstance(left, str) else 0.0) if right is None else right
            if isinstance(left, str) != isinstance(right, str):
                # Any text is larger than any number.
                left, right = (1, 0) if isinstance(left, str) else (0, 1)
            left = {
                "=": left == right,
                "<>": left != right,
                "<": left < right,
                ">": left > right,
                "<=": left <= right,
                ">=": left >= right,
            }[sign]
        return left

    def joined(self):
        left = self.sum()
        while self.take("&"):
            left = _text(left) + _text(self.sum())
        return left

    def sum(self):
        left = self.product()
        while sign := self.take("+", "-"):
            right = _number(self.product())
            left = _number(left) + right if sign == "+" else _number(left) - right
        return left

    def product(self):
        left = self.power()
        while sign := self.take("*", "/"):
            right = _number(self.power())
            left = _number(left) * right if sign == "*" else _number(left) / right
        return left

    def power(self):
        left = self.signed()
        while self.take("^"):
            left = _number(left) ** _number(self.signed())
            if isinstance(left, complex):
                raise Fault("#NUM!")
        return left

    def signed(self):
        if self.take("-"):
            return -_number(self.signed())
        return self.atom()

    def atom(self):
        if self.take("("):
            value = self.comparison()
            assert self.take(")")
            return value
        kind, text = self.peek()
        self.at += 1
        if kind == "number":
            return float(text)
        if kind == "string":
            return text[1:-1].replace('""', '"')
        if kind == "cell":
            return self.sheets.area(text, self.sheet)
        assert kind == "name", (kind, text, self.tokens)
        if text in ("TRUE", "FALSE"):
            return text == "TRUE"
        return self.function(text)

    def function(self, name):
        assert self.take("("), name
        arguments = []
        while not self.take(")"):
            start = self.at
            try:
                arguments.append(self.comparison())
            except FAULTS as error:
                # A branch that is not taken may fail; a test for numbers or errors wants to know.
                arguments.append(error if isinstance(error, Fault) else Fault(str(error)))
                self.at = self._end_of_argument(start)
            self.take(",")
        if name == "ISNUMBER":
            return isinstance(arguments[0], (int, float)) and not isinstance(arguments[0], bool)
        if name == "ISERROR":
            return isinstance(arguments[0], Fault)
        if name == "IFERROR":
            chosen = arguments[1] if isinstance(arguments[0], Fault) else arguments[0]
            if isinstance(chosen, Fault):
                raise chosen
            return chosen
        if name == "IF":
            if isinstance(arguments[0], Fault):
                raise arguments[0]
            chosen = arguments[1] if arguments[0] else arguments[2]
            if isinstance(chosen, Fault):
                raise chosen
            return chosen
        for argument in arguments:
            if isinstance(argument, Fault):
                raise argument
        return _FUNCTIONS[name](*arguments)

    def _end_of_argument(self, at):
        depth = 0
        while at < len(self.tokens):
            text = self.tokens[at][1] if self.tokens[at][0] == "sign" else ""
            if depth == 0 and text in (",", ")"):
                return at
            depth += (text == "(") - (text == ")")
            at += 1
        raise AssertionError("unbalanced")


def _number(value):
    if value is None:
        return 0.0
    if isinstance(value, str):
        raise Fault("#VALUE!")
    return float(value)


def _text(value):
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return "" if value is None else str(value)


def _flat(arguments):
    for argument in arguments:
        if isinstance(argument, list):
            yield from (cell for row in argument for cell in row)
        else:
            yield argument


def _match(wanted, rows, kind):
    assert kind == 0
    for i, cell in enumerate(_flat([rows]), start=1):
        if cell == wanted:
            return i
    raise Fault("#N/A")


def _log(x):
    if _number(x) <= 0:
        raise Fault("#NUM!")
    return float(np.log(_number(x)))


_FUNCTIONS = {
    "AND": lambda *a: all(a),
    "OR": lambda *a: any(a),
    "NOT": lambda a: not a,
    "LOG10": lambda x: _log(x) / _log(10.0),
    "LN": _log,
    "EXP": lambda x: float(np.exp(_number(x))),
    "SQRT": lambda x: float(np.sqrt(_number(x))),
    "ABS": lambda x: abs(_number(x)),
    "MIN": lambda *a: min(map(_number, _flat(a))),
    "MAX": lambda *a: max(map(_number, _flat(a))),
    "ROUND": lambda x, n: round(_number(x), int(n)),
    "COUNTA": lambda *a: sum(cell is not None for cell in _flat(a)),
    "COUNTIF": lambda rows, wanted: sum(cell == wanted for cell in _flat([rows])),
    "MATCH": _match,
    "INDEX": lambda rows, i: list(_flat([rows]))[int(i) - 1],
    "MMULT": lambda a, b: (np.array(a, float) @ np.array(b, float)).tolist(),
    "SUMPRODUCT": lambda a, b: float((np.array(a, float) * np.array(b, float)).sum()),
    "TINV": lambda p, n: float(stats.t.isf(p / 2, int(n))),
    "NORMSDIST": lambda z: float(stats.norm.cdf(z)),
    "NORMSINV": lambda p: float(stats.norm.ppf(p)),
    "NORMINV": lambda p, m, s: float(stats.norm.ppf(p, m, s)),
    "LOGINV": lambda p, m, s: float(np.exp(stats.norm.ppf(p, m, s))),
    "GAMMAINV": lambda p, a, b: float(stats.gamma.ppf(p, a, scale=b)),
    "BETAINV": lambda p, a, b: float(stats.beta.ppf(p, a, b)),
}
