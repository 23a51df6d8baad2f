"""Equations as SymPy expressions, for whoever wants to go on with algebra.

Constants become floating-point numbers, apart from 0, 1, -1 and small whole exponents, so that SymPy's
automatic evaluation never meets an unbounded integer.
"""

import sympy

from sinklab.equations.tree import (
    Call,
    Comparison,
    Logic,
    Name,
    Negative,
    Number,
    Power,
    Product,
    Sum,
    Where,
    children,
    walk,
)
from sinklab.language import EquationError, tr

MAX_NODES = 20_000
_COMPARE = {"<": sympy.Lt, "<=": sympy.Le, ">": sympy.Gt, ">=": sympy.Ge, "==": sympy.Eq, "!=": sympy.Ne}
_LOGIC = {"and": sympy.And, "or": sympy.Or, "not": sympy.Not}
_FUNCTIONS = {"exp": sympy.exp, "log": sympy.log, "sqrt": sympy.sqrt}


def expression(tree, known=None):
    """SymPy expression of a tree; names are plain symbols, or what ``known`` gives for them.

    A parameter ``a[group]`` becomes the symbol ``a``. ``min``, ``max`` and ``where`` become
    ``Piecewise``, which SymPy can differentiate.
    """
    known = known or {}
    match tree:
        case Number():
            return _number(tree.value)
        case Name():
            return known.get(tree.name, sympy.Symbol(tree.name))
    parts = [expression(part, known) for part in children(tree)]
    match tree:
        case Sum():
            signs = [sign for sign, _ in tree.terms]
            return sympy.Add(*(sign * part for sign, part in zip(signs, parts, strict=True)))
        case Product():
            powers = [power for power, _ in tree.factors]
            return sympy.Mul(*(part**power for power, part in zip(powers, parts, strict=True)))
        case Negative():
            return -parts[0]
        case Power():
            return sympy.Pow(parts[0], _exponent(parts[1]))
        case Call(function="min" | "max"):
            result = parts[0]
            for other in parts[1:]:
                first = result <= other if tree.function == "min" else result >= other
                result = sympy.Piecewise((result, first), (other, True))
            return result
        case Call():
            return _FUNCTIONS[tree.function](parts[0])
        case Where():
            return sympy.Piecewise((parts[1], parts[0]), (parts[2], True))
        case Comparison():
            return _COMPARE[tree.operator](*parts)
        case Logic():
            return _LOGIC[tree.operator](*parts)
    raise TypeError(f"not a node of an equation: {tree!r}")


def _number(value):
    return sympy.Integer(int(value)) if value in (0, 1) else sympy.Float(value)


def _exponent(value):
    """Give whole exponents of moderate size exactly: D**2 is more useful than D**2.0."""
    whole = value.is_Float and float(value).is_integer() and abs(value) <= 100
    return sympy.Integer(int(value)) if whole else value


def expanded(equations, response: str):
    """SymPy expression of ``response`` in predictors and parameters, earlier left sides substituted.

    Raises
    ------
    EquationError
        If the substituted expression would have more than ``MAX_NODES`` parts.
    """
    known, sizes = {}, {}
    for equation in equations:
        parts = list(walk(equation.right))
        sizes[equation.response] = sum(sizes.get(getattr(p, "name", None), 1) for p in parts)
        if sizes[equation.response] > MAX_NODES:
            raise EquationError(
                tr(
                    f"`{equation.response}` would have more than {MAX_NODES} parts after substitution.",
                    f"代入后 `{equation.response}` 的项数将超过 {MAX_NODES}。",
                )
            )
        known[equation.response] = expression(equation.right, known)
        if equation.response == response:
            return known[response]
    raise KeyError(response)
