r"""Operations of the equation language: one row for each, from which everything else is made.

A row says how an equation writes an operation, what it is worth, how it is differentiated, and how LaTeX,
R, a spreadsheet and PyTensor write it. The reader of equations, compiled means and derivatives, print,
exports and the Bayesian model all look operations up here, so that a new function is one new row::

    Operation("tanh", "tanh(x)", np.tanh, lambda y, x, dx: (1 - y * y) * dx, pytensor="tanh",
              latex=r"\tanh\left({}\right)", r="tanh({0})", excel="TANH({0})")

An operation that has no row raises, wherever it is met.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sinklab.language import EquationError

#: How tightly an operation binds, loosest first, as in Python.
SUM, PRODUCT, NEGATIVE, POWER, ATOM = range(5)
LN_10 = float(np.log(10.0))


@dataclass(frozen=True)
class Operation:
    """One operation of the language.

    Attributes
    ----------
    name : str
        In a compiled graph; numpy's name where numpy has it.
    written : str
        How an equation writes it: ``sqrt(x)``, ``min(a, b, …)``, ``a < b``. Empty where
        it has no word or sign of its own.
    value : callable
        Numpy function of arrays; it also folds constants.
    slope : callable or None
        ``slope(y, *arguments, *slopes)``: derivative of the value ``y`` by a parameter, from the arguments and
        their derivatives, all of which know arithmetic and :meth:`~sinklab.equations.compile.Term.call`. None
        where a derivative is never asked for.
    r, excel : str
        Text in R and in a formula, with ``{0}``, ``{1}`` … for the arguments.
    latex : str
        Print of a function, with ``{}`` for its arguments; signs are set by :mod:`.latex`.
    pytensor : str
        Name in ``pytensor.tensor``; see :attr:`tensor`.
    positive : callable or None
        Whether the value is positive, given whether each argument is; None if that does not follow.
    domain : str
        Where it is defined, in the letters of ``written``; empty for everywhere.
    binds : tuple of int
        How tightly the text binds, and how tightly each argument must to stand without parentheses.
    """

    name: str
    written: str
    value: Callable
    slope: Callable | None
    r: str
    excel: str
    pytensor: str
    latex: str = ""
    positive: Callable[[list[bool]], bool] | None = None
    domain: str = ""
    binds: tuple[int, ...] = (ATOM,)

    @property
    def word(self) -> str:
        """The name or the sign by which an equation writes it."""
        head, called, _ = self.written.partition("(")
        return head if called else self.written.split()[-2] if self.written else ""

    @property
    def many(self) -> bool:
        """Whether it takes any number of arguments, two by two."""
        return "…" in self.written or self.word in ("and", "or")

    def takes(self, count: int) -> bool:
        """Whether a function can have so many arguments."""
        n = self.written.count(",") + 1
        return count >= n - 1 if self.many else count == n

    @property
    def folded(self) -> bool:
        """Whether constants are put together; conditions stay as they were written."""
        return self.slope not in (None, _flat)

    @property
    def tensor(self) -> Callable:
        """Function of PyTensor, which is imported here and not before."""
        import pytensor.tensor

        return getattr(pytensor.tensor, self.pytensor)

    def argument_binds(self, place: int) -> int:
        """How tightly an argument must bind to stand without parentheses."""
        return self.binds[1 + place] if len(self.binds) > 1 else SUM


def _log0(x):
    """Logarithm with 0 in place of log(0)."""
    return np.log(np.where(x == 0, 1.0, x))


def _flat(y, *others):
    """Conditions are constant on either side of their boundary."""
    return 0


def _power_slope(y, a, b, da, db):
    # x^b log(x) tends to 0 with x when b > 0, hence log0.
    by_base = b * a ** (b - 1) * da if da else 0
    return by_base + (y * a.call("log0") * db if db else 0)


def _first(known):
    return known[0]


_SUM, _PRODUCT = (SUM, SUM, PRODUCT), (PRODUCT, PRODUCT, POWER)
# fmt: off
_ROWS = (
    # Operators.
    Operation(
        "add", "a + b", np.add, lambda y, a, b, da, db: da + db,
        r="{0} + {1}", excel="{0} + {1}", pytensor="add", positive=all, binds=_SUM,
    ),
    Operation(
        "subtract", "a - b", np.subtract, lambda y, a, b, da, db: da - db,
        r="{0} - {1}", excel="{0} - {1}", pytensor="sub", binds=_SUM,
    ),
    Operation(
        "multiply", "a * b", np.multiply, lambda y, a, b, da, db: da * b + a * db,
        r="{0} * {1}", excel="{0} * {1}", pytensor="mul", positive=all, binds=_PRODUCT,
    ),
    Operation(
        "divide", "a / b", np.divide, lambda y, a, b, da, db: (da - y * db) / b,
        r="{0} / {1}", excel="{0} / {1}", pytensor="true_div", positive=all, binds=_PRODUCT,
    ),
    Operation(
        "negative", "", np.negative, lambda y, x, dx: -dx,
        r="-{0}", excel="-{0}", pytensor="neg", binds=(NEGATIVE, POWER),
    ),
    Operation(
        "power", "a ** b", np.power, _power_slope,
        r="{0}^{1}", excel="{0}^{1}", pytensor="pow", positive=_first, binds=(POWER, ATOM, ATOM),
    ),
    Operation(
        "square", "", np.square, lambda y, x, dx: 2 * x * dx,
        r="{0}^2", excel="{0}^2", pytensor="sqr", positive=_first, binds=(POWER, ATOM),
    ),
    # Functions.
    Operation(
        "exp", "exp(x)", np.exp, lambda y, x, dx: y * dx,
        latex=r"\exp\left({}\right)", r="exp({0})", excel="EXP({0})", pytensor="exp", positive=lambda known: True,
    ),
    Operation(
        "log", "log(x)", np.log, lambda y, x, dx: dx / x,
        latex=r"\ln\left({}\right)", r="log({0})", excel="LN({0})", pytensor="log", domain="x > 0",
    ),
    Operation(
        "log10", "log10(x)", np.log10, lambda y, x, dx: dx / (x * LN_10),
        latex=r"\lg\left({}\right)", r="log10({0})", excel="LOG10({0})", pytensor="log10", domain="x > 0",
    ),
    Operation(
        "log0", "", _log0, None, r="log0({0})", excel="LN(IF({0}=0,1,{0}))", pytensor="log",
    ),
    Operation(
        "sqrt", "sqrt(x)", np.sqrt, lambda y, x, dx: dx / (2 * y),
        latex=r"\sqrt{{{}}}", r="sqrt({0})", excel="SQRT({0})", pytensor="sqrt", positive=_first, domain="x >= 0",
    ),
    Operation(
        "minimum", "min(a, b, …)", np.minimum,
        lambda y, a, b, da, db: a.call("less_equal", b).call("where", da, db),
        latex=r"\min\left({}\right)", r="pmin({0}, {1})", excel="MIN({0},{1})", pytensor="minimum", positive=all,
    ),
    Operation(
        "maximum", "max(a, b, …)", np.maximum,
        lambda y, a, b, da, db: a.call("greater_equal", b).call("where", da, db),
        latex=r"\max\left({}\right)", r="pmax({0}, {1})", excel="MAX({0},{1})", pytensor="maximum", positive=any,
    ),
    Operation(
        "where", "where(condition, a, b)", np.where,
        lambda y, holds, a, b, _, da, db: holds.call("where", da, db),
        r="ifelse({0}, {1}, {2})", excel="IF({0},{1},{2})", pytensor="switch",
        positive=lambda known: known[1] and known[2],
    ),
    # Conditions.
    *(
        Operation(
            name, f"a {sign} b", getattr(np, name), _flat,
            r=f"{{0}} {sign} {{1}}", excel=f"{{0}} {excel} {{1}}", pytensor=tensor, binds=(SUM,),
        )
        for name, sign, excel, tensor in (
            ("less", "<", "<", "lt"),
            ("less_equal", "<=", "<=", "le"),
            ("greater", ">", ">", "gt"),
            ("greater_equal", ">=", ">=", "ge"),
            ("equal", "==", "=", "eq"),
            ("not_equal", "!=", "<>", "neq"),
        )
    ),
    Operation(
        "logical_and", "a and b", np.logical_and, _flat, r="(({0}) & ({1}))", excel="AND({0},{1})", pytensor="and_"
    ),
    Operation(
        "logical_or", "a or b", np.logical_or, _flat, r="(({0}) | ({1}))", excel="OR({0},{1})", pytensor="or_"
    ),
    Operation(
        "logical_not", "not x", np.logical_not, _flat, r="(!({0}))", excel="NOT({0})", pytensor="invert"
    ),
)
# fmt: on

#: Rows by the name that a compiled graph uses.
OPERATIONS: dict[str, Operation] = {row.name: row for row in _ROWS}
#: Rows by the name or sign that an equation uses.
WORDS: dict[str, Operation] = {row.word: row for row in _ROWS if row.written}


def operation(name: str) -> Operation:
    """Row of an operation of a compiled graph.

    Raises
    ------
    EquationError
        There is none: what has no row has no value, no derivative and no text.
    """
    return _known(OPERATIONS, name)


def by_word(word: str) -> Operation:
    """Row of what an equation writes as a function or a sign; raises like :func:`operation`."""
    return _known(WORDS, word)


def named_operations() -> dict[str, Operation]:
    """Rows of the functions that an equation can call, by name."""
    return {word: row for word, row in WORDS.items() if "(" in row.written}


def reserved(language: str) -> set[str]:
    """Names of functions that the text of some operation calls, in ``"r"`` or ``"excel"``."""
    texts = " ".join(getattr(row, language) for row in OPERATIONS.values())
    return set(re.findall(r"[A-Za-z]\w*(?=\()", texts))


def _known(rows, name):
    if name not in rows:
        raise EquationError(
            f"the operation `{name}` has no row in the registry of the equation language.",
            f"方程语言的登记表中没有运算 `{name}`。",
        )
    return rows[name]
