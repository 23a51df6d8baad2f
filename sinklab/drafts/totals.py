"""Equations of a species standard: a total that is shared out, ratios that hang on it, segments of diameter.

Published standards print the total first, its parts as shares of it, and volume and roots by a ratio of their own.
"""

from dataclasses import replace

from sinklab.data import vocabulary
from sinklab.equations.latex import to_latex
from sinklab.equations.parse import Call, Equation, Name, Number, Product, Sum, walk


def shared_out(system, total: str = "agb"):
    """Factors of a total whose parts are shares of it, as published standards write them; None where they are not.

    ``stem = T / (1 + p + q)``, ``branch = stem * p``, ``foliage = stem * q`` add up to ``T`` whatever ``p`` and ``q`` are.
    """
    sides = {e.response: e.right for e in system.equations}
    parts = [term for _, term in sides[total].terms] if isinstance(sides.get(total), Sum) else []
    if len(parts) < 2 or any(not isinstance(part, Name) or part.name not in sides for part in parts):
        return None
    first, *others = parts
    rest = [_without(sides[other.name], first) for other in others]
    shares = (-1, Sum(((1, Number(1.0)), *((1, share) for share in rest))))
    factors = sides[first.name].factors if isinstance(sides[first.name], Product) else ()
    if None in rest or shares not in factors:
        return None
    return tuple(factor for factor in factors if factor != shares)


#: Ratios that have a formula of their own where a total is shared out: top, bottom and the variable of their quotient.
RATIOS = (("agb", "volume", "bcf"), ("root", "agb", "root_shoot_ratio"))


def compatible(system) -> bool:
    """Whether a total is shared out, and roots and volume hang on it by a factor each, as in published standards."""
    sides = {e.response: e.right for e in system.equations}
    factors = shared_out(system)
    sides["agb"] = Product(factors or ())
    return factors is not None and all(
        _without(sides[top], Name(bottom)) is not None
        for top, bottom, _ in RATIOS
        if {top, bottom} <= {*sides}
    )


def whole_first(system, response: str, lang: str) -> str:
    """Equation of a system whose total is shared out: the total stands before its parts, a ratio bears its symbol."""
    factors = shared_out(system)
    for top, bottom, quotient in RATIOS:
        if response == top and bottom in system.responses:
            left, symbol, right = (vocabulary.variable(name).latex for name in (top, quotient, bottom))
            return rf"{left} = {symbol}\,{right}"
    right = system.equations[system.responses.index(response)].right
    if response == "agb":
        right = factors[0][1] if len(factors) == 1 else Product(factors)
    elif isinstance(right, Product) and {*factors} <= {*right.factors}:
        right = Product(((1, Name("agb")), *(f for f in right.factors if f not in factors)))
    return to_latex(Equation(response, right), system, lang)


def segments(system) -> float | None:
    """Diameter at which equations change from one segment to the next; None where none does."""
    for node in (node for equation in system.equations for node in walk(equation.right)):
        if isinstance(node, Call) and node.function == "where":
            condition = node.arguments[0]
            left, *right = condition.arguments
            if left == Name("dbh") and right and isinstance(right[0], Number):
                return right[0].value
    return None


def _without(node, name):
    """What a product multiplies ``name`` with; None where it does not."""
    if not isinstance(node, Product) or (1, name) not in node.factors:
        return None
    kept = tuple(factor for factor in node.factors if factor != (1, name))
    return kept[0][1] if len(kept) == 1 and kept[0][0] == 1 else Product(kept)


def ratio(system, top: str, bottom: str, symbol: str, lang: str) -> str:
    """The ratio of two responses as a function of the predictors: a common factor cancels, components are put in."""
    sides = {name: system.equations[system.responses.index(name)] for name in (top, bottom)}
    factors = shared_out(system, top)
    product = Product(factors) if factors else sides[top].right
    left = _without(product, Name(bottom))
    if left is not None:
        return f"{symbol} = {_right(replace(sides[top], right=left), system, lang)}"
    over, under = (_right(replace(e, right=_put_in(e.right, system)), system, lang) for e in sides.values())
    return rf"{symbol} = \frac{{{over}}}{{{under}}}"


def _right(equation, system, lang: str) -> str:
    return to_latex(equation, system, lang).partition(" = ")[2]


def _put_in(node, system):
    """An expression in which left sides are replaced by what they are made of."""
    if isinstance(node, Name) and node.name in system.responses:
        return _put_in(system.equations[system.responses.index(node.name)].right, system)
    if isinstance(node, Sum):
        return Sum(tuple((sign, _put_in(term, system)) for sign, term in node.terms))
    if isinstance(node, Product):
        return Product(tuple((power, _put_in(factor, system)) for power, factor in node.factors))
    return node
