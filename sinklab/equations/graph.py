"""Expressions as a graph in which equal parts exist once, and their exact derivatives.

A system becomes one graph: a left side that a later equation uses is the same node, and a power that
occurs in the mean and in its derivative is computed once. Derivatives are taken forward, node by
node, so that a branch not taken never reaches the result.
"""

import numpy as np

from sinklab.equations.tree import Call, Comparison, Logic, Name, Negative, Number, Power, Product, Sum, Where

_COMPARE = {
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
    "==": "equal",
    "!=": "not_equal",
}
_LOGIC = {"and": "logical_and", "or": "logical_or", "not": "logical_not"}
_FOLDED = (
    "add",
    "subtract",
    "multiply",
    "divide",
    "power",
    "negative",
    "exp",
    "log",
    "sqrt",
    "minimum",
    "maximum",
)


class Graph:
    """Nodes ``(operation, arguments)``; arguments are node numbers, always smaller than the node's own.

    Operations bear numpy's names, besides ``constant`` (its value), ``column`` and ``parameter``
    (their names) and ``log0``: the logarithm in the derivative of a power, 0 where its argument is 0,
    because x^b log(x) tends to 0 with x when b > 0.
    """

    def __init__(self):
        self.nodes = []
        self._numbers = {}

    def add_node(self, operation, *arguments) -> int:
        """Return the number of the node, a new one only if there is none like it."""
        key = (operation, arguments)
        if key not in self._numbers:
            self._numbers[key] = len(self.nodes)
            self.nodes.append(key)
        return self._numbers[key]

    def constant(self, value) -> int:
        """Node of a constant."""
        return self.add_node("constant", float(value))

    def value(self, node):
        """Value of a constant node, else None."""
        operation, arguments = self.nodes[node]
        return arguments[0] if operation == "constant" else None

    def apply(self, operation, *arguments) -> int:
        """Node of an operation, after folding constants and what adds 0 or multiplies by 1."""
        values = [self.value(a) for a in arguments]
        if operation in _FOLDED and None not in values:
            with np.errstate(all="ignore"):
                return self.constant(getattr(np, operation)(*values))
        match operation, values:
            case ("add", [0.0, _]) | ("multiply", [1.0, _]):
                return arguments[1]
            case ("add" | "subtract", [_, 0.0]) | ("multiply" | "divide" | "power", [_, 1.0]):
                return arguments[0]
            case ("multiply", [0.0, _]) | ("multiply", [_, 0.0]) | ("divide", [0.0, _]):
                return self.constant(0)
            case ("subtract", [0.0, _]) | ("multiply", [-1.0, _]):
                return self.apply("negative", arguments[1])
            case ("power", [_, 0.0]):
                return self.constant(1)
            case ("power", [_, 2.0]):
                return self.add_node("square", arguments[0])
            case ("power", [_, 0.5]):
                return self.add_node("sqrt", arguments[0])
            case ("power", [_, -1.0]):
                return self.apply("divide", self.constant(1), arguments[0])
        if operation == "where" and arguments[1] == arguments[2]:
            return arguments[1]
        if operation == "log" and self.nodes[arguments[0]][0] == "exp":
            return self.arguments(arguments[0])[0]
        floated = self._floated(operation, arguments)
        return self.add_node(operation, *arguments) if floated is None else floated

    def _floated(self, operation, arguments):
        """Move the logarithm of a power's derivative outwards, so that it multiplies the mean itself.

        (a x^b log x) h^c becomes (a x^b h^c) log x, whose first factor is computed anyway.
        """
        if operation not in ("multiply", "divide"):
            return None
        for here, other in ((0, 1), (1, 0)) if operation == "multiply" else ((0, 1),):
            inner, parts = self.nodes[arguments[here]]
            if inner == "multiply" and self.nodes[parts[1]][0] == "log0":
                pair = [None, None]
                pair[here], pair[other] = parts[0], arguments[other]
                return self.add_node("multiply", self.apply(operation, *pair), parts[1])
        return None

    def build(self, tree, known) -> int:
        """Node of an equation's tree; ``known`` gives the node of every name."""
        match tree:
            case Number():
                return self.constant(tree.value)
            case Name():
                return known[tree.name]
            case Sum():
                return self._chain(tree.terms, "add", "subtract", known)
            case Product():
                return self._chain(tree.factors, "multiply", "divide", known)
            case Negative():
                return self.apply("negative", self.build(tree.operand, known))
            case Power():
                return self.apply("power", self.build(tree.base, known), self.build(tree.exponent, known))
            case Call(function="min" | "max"):
                nodes = [self.build(a, known) for a in tree.arguments]
                node = nodes[0]
                for other in nodes[1:]:
                    node = self.apply("minimum" if tree.function == "min" else "maximum", node, other)
                return node
            case Call():
                return self.apply(tree.function, self.build(tree.arguments[0], known))
            case Where():
                parts = (self.build(part, known) for part in (tree.condition, tree.yes, tree.no))
                return self.apply("where", *parts)
            case Comparison():
                sides = (self.build(side, known) for side in (tree.left, tree.right))
                return self.apply(_COMPARE[tree.operator], *sides)
            case Logic():
                nodes = [self.build(part, known) for part in tree.operands]
                node = nodes[0] if len(nodes) > 1 else self.apply("logical_not", nodes[0])
                for other in nodes[1:]:
                    node = self.apply(_LOGIC[tree.operator], node, other)
                return node
        raise TypeError(f"not a node of an equation: {tree!r}")

    def _chain(self, parts, plus, minus, known):
        node = self.build(parts[0][1], known)
        for sign, part in parts[1:]:
            node = self.apply(plus if sign > 0 else minus, node, self.build(part, known))
        return node

    def reached(self, roots) -> list:
        """Numbers of all nodes that ``roots`` need, themselves included, ascending."""
        needed = set(roots)
        for node in range(max(needed, default=-1), -1, -1):
            if node in needed:
                needed.update(self.arguments(node))
        return sorted(needed)

    def arguments(self, node) -> tuple:
        """Numbers of the nodes that ``node`` is computed from."""
        operation, arguments = self.nodes[node]
        return () if operation in ("constant", "column", "parameter") else arguments

    def derivatives(self, roots) -> list:
        """For each root the derivatives ``{parameter: node}``; a parameter left out has derivative 0."""
        slopes = {}
        for node in self.reached(roots):
            operation, arguments = self.nodes[node]
            if operation == "parameter":
                slopes[node] = {arguments[0]: self.constant(1)}
                continue
            found = {}
            for name in dict.fromkeys(n for a in self.arguments(node) for n in slopes[a]):
                inner = [slopes[a].get(name) for a in self.arguments(node)]
                slope = self._slope(node, operation, arguments, inner)
                if self.value(slope) != 0:
                    found[name] = slope
            slopes[node] = found
        return [slopes[root] for root in roots]

    def _slope(self, node, operation, arguments, inner):
        """Differentiate one node, from the derivatives of its arguments (None for 0)."""
        zero = self.constant(0)
        d = [zero if i is None else i for i in inner]
        a, b = (*arguments, None)[:2]
        apply = self.apply
        match operation:
            case "add" | "subtract":
                return apply(operation, *d)
            case "negative":
                return apply("negative", d[0])
            case "multiply":
                return apply("add", apply("multiply", d[0], b), apply("multiply", a, d[1]))
            case "divide":
                return apply("divide", apply("subtract", d[0], apply("multiply", node, d[1])), b)
            case "square":
                return apply("multiply", apply("multiply", self.constant(2), a), d[0])
            case "sqrt":
                return apply("divide", d[0], apply("multiply", self.constant(2), node))
            case "exp":
                return apply("multiply", node, d[0])
            case "log":
                return apply("divide", d[0], a)
            case "power":
                lower = apply("power", a, apply("subtract", b, self.constant(1)))
                by_base = (
                    apply("multiply", apply("multiply", b, lower), d[0]) if inner[0] is not None else zero
                )
                by_exponent = zero
                if inner[1] is not None:
                    by_exponent = apply("multiply", apply("multiply", node, apply("log0", a)), d[1])
                return apply("add", by_base, by_exponent)
            case "where":
                return apply("where", a, d[1], d[2])
            case "minimum" | "maximum":
                first = apply("less_equal" if operation == "minimum" else "greater_equal", a, b)
                return apply("where", first, *d)
        return zero  # conditions are constant on either side of their boundary
