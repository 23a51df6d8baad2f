"""The tree of an equation as it was written, and its canonical text.

Sums and products are flat and keep the order of the writer, because a standard prints the terms in
the order in which they were thought. Every node remembers its position, which never counts when two
trees are compared.
"""

from dataclasses import dataclass, field

from sinklab.equations.functions import ATOM, NEGATIVE, POWER, PRODUCT, SUM


@dataclass(frozen=True, slots=True)
class Node:
    """Base of all nodes; ``position`` is (line, column), both counted from 1."""

    position: tuple = field(default=(1, 1), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A constant, never negative: a minus sign is a :class:`Negative`."""

    value: float


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A predictor, an earlier left side or a parameter, which may vary by a ``group`` column."""

    name: str
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Sum(Node):
    """Terms with their signs: ``((1, a), (-1, b))`` is ``a - b``."""

    terms: tuple


@dataclass(frozen=True, slots=True)
class Product(Node):
    """Factors with their powers 1 or -1: ``((1, a), (-1, b))`` is ``a / b``."""

    factors: tuple


@dataclass(frozen=True, slots=True)
class Negative(Node):
    """A leading minus sign."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Power(Node):
    """``base**exponent``."""

    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of the language with its arguments; see :mod:`.functions`."""

    function: str
    arguments: tuple


@dataclass(frozen=True, slots=True)
class Where(Node):
    """``yes`` where the condition holds, else ``no``."""

    condition: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """``left < right`` and its kin."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """``and``, ``or`` of two or more conditions, ``not`` of one."""

    operator: str
    operands: tuple


@dataclass(frozen=True, slots=True)
class Equation:
    """One line of a system: ``response = right``."""

    response: str
    right: Node
    position: tuple = field(default=(1, 1), compare=False)

    def __str__(self):
        """Canonical text of the line."""
        return f"{self.response} = {plain(self.right)}"


def children(node) -> tuple:
    """Nodes directly below ``node``, in the order of writing."""
    match node:
        case Sum():
            return tuple(term for _, term in node.terms)
        case Product():
            return tuple(factor for _, factor in node.factors)
        case Negative():
            return (node.operand,)
        case Power():
            return (node.base, node.exponent)
        case Call():
            return node.arguments
        case Where():
            return (node.condition, node.yes, node.no)
        case Comparison():
            return (node.left, node.right)
        case Logic():
            return node.operands
    return ()


def walk(node):
    """Yield ``node`` and everything below it, in the order of writing."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        yield here
        waiting.extend(reversed(children(here)))


def names(node) -> list:
    """Every :class:`Name` in ``node``, with repetitions, in the order of writing."""
    return [found for found in walk(node) if isinstance(found, Name)]


def plain_number(value: float) -> str:
    """Shortest text that reads back as the same number."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


_LEVELS = {Sum: SUM, Product: PRODUCT, Negative: NEGATIVE, Power: POWER}


def level(node) -> int:
    """How tightly the outermost operation of ``node`` binds, as in Python."""
    return _LEVELS.get(type(node), ATOM)


def plain(node, at_least: int = SUM) -> str:
    """Canonical text of ``node``; in parentheses where it binds less than ``at_least``."""
    text = _plain(node)
    return f"({text})" if level(node) < at_least else text


def _plain(node):
    match node:
        case Number():
            return plain_number(node.value)
        case Name():
            return node.name if node.group is None else f"{node.name}[{node.group}]"
        case Sum():
            return _chain(node.terms, (" + ", " - "), PRODUCT, PRODUCT)
        case Product():
            return _chain(node.factors, (" * ", " / "), NEGATIVE, POWER)
        case Negative():
            return f"-{plain(node.operand, POWER)}"
        case Power():
            return f"{plain(node.base, ATOM)}**{plain(node.exponent, ATOM)}"
        case Call():
            return f"{node.function}({', '.join(plain(a) for a in node.arguments)})"
        case Where():
            return f"where({plain(node.condition)}, {plain(node.yes)}, {plain(node.no)})"
        case Comparison():
            return f"{plain(node.left)} {node.operator} {plain(node.right)}"
        case Logic():
            parts = [f"({plain(part)})" if isinstance(part, Logic) else plain(part) for part in node.operands]
            return (
                f"not ({plain(node.operands[0])})"
                if node.operator == "not"
                else f" {node.operator} ".join(parts)
            )
    raise TypeError(f"not a node of an equation: {node!r}")


def _chain(parts, signs, first, later):
    """Join the parts of a sum or product; a minus sign after another sign goes into parentheses."""
    text = plain(parts[0][1], first)
    for sign, part in parts[1:]:
        shown = plain(part, later)
        text += signs[sign < 0] + (f"({shown})" if shown.startswith("-") else shown)
    return text
