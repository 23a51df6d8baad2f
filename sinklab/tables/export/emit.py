"""Nodes of a graph as text of a programming language.

A :class:`Dialect` says how a language writes each operation; an :class:`Emitter` sets parentheses
only where they are needed and gives a name to whatever is long and used twice.
"""

from dataclasses import dataclass

_SUM, _PRODUCT, _NEGATIVE, _POWER, _ATOM = range(5)
_INFIX = {
    "add": (" + ", _SUM, _SUM, _PRODUCT),
    "subtract": (" - ", _SUM, _SUM, _PRODUCT),
    "multiply": (" * ", _PRODUCT, _PRODUCT, _POWER),
    "divide": (" / ", _PRODUCT, _PRODUCT, _POWER),
}
_COMPARE = {
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
    "equal": "==",
    "not_equal": "!=",
}
#: A node that is used more than once gets a name when it has this many leaves or more.
WORTH_A_NAME = 6


@dataclass(frozen=True)
class Dialect:
    """How a language writes operations.

    ``functions`` are templates by operation, with ``{0}``, ``{1}`` … for the arguments; they bind
    like a call. ``power`` is the sign of a power, "" when a template writes it. ``tight_minus`` tells
    that a leading minus binds closer than a power, as in spreadsheets.
    """

    functions: dict[str, str]
    power: str
    compare: dict[str, str]
    tight_minus: bool = False

    def number(self, value: float) -> str:
        """A constant with all its digits."""
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _functions(**changes) -> dict[str, str]:
    common = {"exp": "exp({0})", "log": "log({0})", "sqrt": "sqrt({0})"}
    return common | changes


PYTHON = Dialect(
    _functions(
        exp="np.exp({0})",
        log="np.log({0})",
        log0="log0({0})",
        sqrt="np.sqrt({0})",
        minimum="np.minimum({0}, {1})",
        maximum="np.maximum({0}, {1})",
        where="np.where({0}, {1}, {2})",
        logical_and="np.logical_and({0}, {1})",
        logical_or="np.logical_or({0}, {1})",
        logical_not="np.logical_not({0})",
    ),
    "**",
    _COMPARE,
)
R = Dialect(
    _functions(
        log0="log0({0})",
        minimum="pmin({0}, {1})",
        maximum="pmax({0}, {1})",
        where="ifelse({0}, {1}, {2})",
        logical_and="(({0}) & ({1}))",
        logical_or="(({0}) | ({1}))",
        logical_not="(!({0}))",
    ),
    "^",
    _COMPARE,
)


class _Sql(Dialect):
    def number(self, value: float) -> str:
        # A point in every number: integers would be divided as integers.
        return repr(float(value))


SQL = _Sql(
    _functions(
        log="ln({0})",
        log0="ln(CASE WHEN {0} = 0 THEN 1.0 ELSE {0} END)",
        power="power({0}, {1})",
        minimum="CASE WHEN {0} < {1} THEN {0} WHEN {0} >= {1} THEN {1} END",
        maximum="CASE WHEN {0} > {1} THEN {0} WHEN {0} <= {1} THEN {1} END",
        where="CASE WHEN {0} THEN {1} ELSE {2} END",
        logical_and="(({0}) AND ({1}))",
        logical_or="(({0}) OR ({1}))",
        logical_not="(NOT ({0}))",
    ),
    "",
    _COMPARE | {"equal": "=", "not_equal": "<>"},
)


class _Excel(Dialect):
    def number(self, value: float) -> str:
        # Formulas in a file have a capital E.
        return super().number(value).upper()


EXCEL = _Excel(
    {
        "exp": "EXP({0})",
        "log": "LN({0})",
        "log0": "LN(IF({0}=0,1,{0}))",
        "sqrt": "SQRT({0})",
        "minimum": "MIN({0},{1})",
        "maximum": "MAX({0},{1})",
        "where": "IF({0},{1},{2})",
        "logical_and": "AND({0},{1})",
        "logical_or": "OR({0},{1})",
        "logical_not": "NOT({0})",
    },
    "^",
    _COMPARE | {"equal": "=", "not_equal": "<>"},
    tight_minus=True,
)


class Emitter:
    """Writes nodes; ``leaf`` gives the text of a predictor or parameter by kind and name.

    Parameters
    ----------
    graph : Graph
    dialect : Dialect
    leaf : callable
        ``leaf("column" or "parameter", name)``; text that stands for a name, a cell or a number.
    """

    def __init__(self, graph, dialect, leaf):
        self.graph, self.dialect, self.leaf = graph, dialect, leaf
        self.names: dict[int, str] = {}
        #: Names that the texts written since it was last emptied refer to.
        self.used: set[str] = set()

    def named(self, node: int, name: str) -> str:
        """Text of a node, which bears ``name`` from now on."""
        text = self.text(node)
        if self.graph.arguments(node):
            self.names.setdefault(node, name)
        return text

    def text(self, node: int) -> str:
        """Text of a node, without parentheses around it."""
        return self._write(node)[0]

    def shared(self, roots) -> list[int]:
        """Nodes below ``roots`` that are worth a name, in an order in which they can be computed."""
        order = self.graph.reached(roots)
        uses = dict.fromkeys(order, 0)
        for node in order:
            for argument in self.graph.arguments(node):
                uses[argument] += 1
        for root in roots:
            uses[root] += 1
        size, found = {}, []
        for node in order:
            arguments = self.graph.arguments(node)
            size[node] = sum(size[a] for a in arguments) or 1
            if arguments and uses[node] > 1 and size[node] >= WORTH_A_NAME:
                found.append(node)
                size[node] = 1
        return found

    def _inside(self, node, at_least) -> str:
        text, binds = self._write(node)
        return f"({text})" if binds < at_least else text

    def _write(self, node) -> tuple[str, int]:
        if node in self.names:
            self.used.add(self.names[node])
            return self.names[node], _ATOM
        operation, arguments = self.graph.nodes[node]
        if operation == "constant":
            return self._number(arguments[0])
        if operation in ("column", "parameter"):
            text = self.leaf(operation, arguments[0])
            self.used.add(text)
            return text, _NEGATIVE if text.startswith("-") else _ATOM
        if operation in _INFIX:
            sign, binds, left, right = _INFIX[operation]
            return f"{self._inside(arguments[0], left)}{sign}{self._inside(arguments[1], right)}", binds
        if operation == "negative":
            operand = self._inside(arguments[0], _ATOM if self.dialect.tight_minus else _POWER)
            return f"-{operand}", _NEGATIVE
        if operation in _COMPARE:
            sides = [self._inside(a, _SUM) for a in arguments]
            return f"{sides[0]} {self.dialect.compare[operation]} {sides[1]}", _SUM
        if operation in ("power", "square"):
            return self._power(operation, arguments)
        parts = [self._write(a)[0] for a in arguments]
        text = self.dialect.functions[operation].format(*parts)
        # Arguments that are repeated or compared inside a template keep their own parentheses.
        if text.startswith("CASE"):
            text = self.dialect.functions[operation].format(*(f"({p})" for p in parts))
            return f"({text})", _ATOM
        return text, _ATOM

    def _power(self, operation, arguments):
        if not self.dialect.power:
            exponent = self.dialect.number(2) if operation == "square" else self._write(arguments[1])[0]
            return self.dialect.functions["power"].format(self._write(arguments[0])[0], exponent), _ATOM
        base = self._inside(arguments[0], _ATOM)
        exponent = self.dialect.number(2) if operation == "square" else self._inside(arguments[1], _ATOM)
        return f"{base}{self.dialect.power}{exponent}", _POWER

    def _number(self, value):
        text = self.dialect.number(value)
        return text, _NEGATIVE if text.startswith("-") else _ATOM
