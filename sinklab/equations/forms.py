"""Products of powers and their sums, recognised for straight lines on the log scale and start values.

The logarithm of ``a * dbh**b * height**c`` is ``log a + b log(dbh) + c log(height)``, which ordinary
least squares can fit.
"""

from dataclasses import dataclass

import numpy as np

from sinklab.equations.compile import Graph, Program
from sinklab.equations.parse import Call, Name, Negative, Number, Power, Product, Sum, names, plain


@dataclass(frozen=True)
class PowerProduct:
    """``constant * coefficient * base**exponent * …``, with ``exp(coefficient)`` where ``log`` is true.

    Attributes
    ----------
    coefficient : str or None
        The leading parameter; None only in a term of a sum that has none.
    log : bool
        Whether the parameter is the logarithm of the factor, as in ``exp(a + b * log(dbh))``.
    constant : float
        Product of the plain numbers, with its sign; positive in a product that stands alone.
    powers : tuple of (Node, str or float)
        Bases without parameters (of columns and earlier left sides), each once, and their exponents:
        the name of a parameter, or a number.
    """

    coefficient: str | None
    log: bool
    constant: float
    powers: tuple

    @property
    def exponents(self) -> dict:
        """``{text of the base: exponent}``: mostly names of predictors, but also ``dbh**2 * height``."""
        return {plain(base): exponent for base, exponent in self.powers}

    @property
    def parameters(self) -> tuple[str, ...]:
        """The coefficient, then the exponents that are parameters, each once."""
        found = [exponent for _, exponent in self.powers if isinstance(exponent, str)]
        return tuple(dict.fromkeys(([self.coefficient] if self.coefficient else []) + found))

    def design(self, data) -> tuple[np.ndarray, np.ndarray]:
        """Linear model of the logarithm of the absolute value.

        Parameters
        ----------
        data : DataFrame or mapping of str to array, shape (n,)
            At least the columns and earlier left sides in the bases.

        Returns
        -------
        matrix : array, shape (n, k)
            One column for each of :attr:`parameters`; the coefficient's is 1 and belongs to its
            logarithm (to the parameter itself where :attr:`log` is true).
        offset : array, shape (n,)
            Logarithm of the factors without a parameter.
        """
        n = len(next(iter(data.values()))) if isinstance(data, dict) else len(data)
        order = self.parameters
        matrix, offset = np.zeros((n, len(order))), np.full(n, np.log(abs(self.constant)))
        if self.coefficient:
            matrix[:, 0] = 1
        for base, exponent in self.powers:
            if isinstance(exponent, str):
                matrix[:, order.index(exponent)] += _log_of(base, data)
            else:
                offset += exponent * _log_of(base, data)
        return matrix, offset


def _log_of(base, data):
    """Logarithm of a tree without parameters."""
    graph = Graph()
    known = {found.name: graph.add_node("column", found.name) for found in names(base)}
    program = Program(graph, [graph.apply("log", graph.build(base, known))], ())
    return program.start({name: np.asarray(data[name], dtype=float) for name in known})[program.roots[0]]


def power_product(tree, parameters) -> PowerProduct | None:
    """Read a right side as a positive product of powers with one leading coefficient.

    Parameters
    ----------
    tree : Node
        As written: earlier left sides count as known quantities.
    parameters : set of str

    Returns
    -------
    product : PowerProduct or None
        None if the equation has another form.
    """
    product = _product(tree, parameters)
    return product if product and product.coefficient and product.constant > 0 else None


def branches(equations) -> list:
    """Right sides as written, each branch of a segmented equation by itself."""
    waiting, found = [e.right for e in equations], []
    while waiting:
        tree = waiting.pop()
        if isinstance(tree, Call) and tree.function == "where":
            waiting += tree.arguments[1:]
        else:
            found.append(tree)
    return found


def factors(equations, parameters) -> frozenset[str]:
    """Parameters that must be positive, because a mean, or a branch of one, is a multiple of them."""
    forms = [power_product(tree, set(parameters)) for tree in branches(equations)]
    return frozenset(form.coefficient for form in forms if form is not None and not form.log)


def additive_terms(tree, parameters) -> tuple[PowerProduct, ...] | None:
    """Read a right side as a sum of products of powers, such as a polynomial, or None.

    A term may lack a coefficient or have a negative constant; no parameter stands in two terms.
    """
    if not isinstance(tree, Sum):
        return None
    terms = [_product(part if sign > 0 else Negative(part), parameters) for sign, part in tree.terms]
    used = [name for term in terms if term for name in term.parameters]
    return tuple(terms) if None not in terms and len(used) == len(set(used)) else None


def _product(tree, parameters):
    try:
        factors = _factors(tree, parameters, 1.0)
    except OverflowError:
        return None
    if factors is None:
        return None
    coefficients, powers, numeric, constant = [], {}, {}, 1.0
    for kind, what, how in factors:
        if kind == "coefficient":
            coefficients.append((what, how))
        elif kind == "number":
            constant *= what
        elif isinstance(how, str):
            if powers.setdefault(what, how) != how:
                return None  # dbh**b * dbh**c: only b + c is defined
        else:
            numeric[what] = numeric.get(what, 0.0) + how
    if len(coefficients) > 1 or (coefficients and coefficients[0][0] in powers.values()):
        return None
    if constant == 0 or not np.isfinite(constant):
        return None
    for base, exponent in numeric.items():
        if base in powers:  # dbh**b * dbh: one base for each column of the design
            powers[Power(base, _signed(exponent))] = 1.0
        else:
            powers[base] = exponent
    name, log = coefficients[0] if coefficients else (None, False)
    return PowerProduct(name, log, constant, tuple(powers.items()))


def _has(tree, parameters):
    return any(found.name in parameters for found in names(tree))


def _raised(base, power):
    """Tree of ``base**power``."""
    return base if power == 1 else Power(base, _signed(power))


def _signed(value):
    return Number(value) if value >= 0 else Negative(Number(-value))


def _factors(tree, parameters, power):
    """Factors ``(kind, what, how)`` of ``tree**power``, ``power`` a number; None if it is no product."""
    match tree:
        case Number():
            return [("number", tree.value**power, None)] if tree.value else None
        case Name() if tree.name in parameters:
            return [("coefficient", tree.name, False)] if power == 1 else None
        case Negative():
            inner = _factors(tree.operand, parameters, power)
            return [*inner, ("number", -1.0, None)] if inner is not None and abs(power) == 1 else None
        case Product():
            found = [_factors(part, parameters, power * sign) for sign, part in tree.factors]
            return None if None in found else [factor for inner in found for factor in inner]
        case Power() if not _has(tree.base, parameters):
            return _powers(tree.base, tree.exponent, parameters, power)
        case Call(function="exp") if _has(tree, parameters):
            return _exponential(tree.arguments[0], parameters, power)
    return None if _has(tree, parameters) else [("power", tree, power)]


def _powers(base, exponent, parameters, power):
    """Factors of ``base**(exponent * power)``, the base without parameters."""
    match exponent:
        case Number() if isinstance(base, Number):
            return [("number", base.value ** (exponent.value * power), None)] if base.value else None
        case Number():
            return [("power", base, exponent.value * power)]
        case Negative():
            return _powers(base, exponent.operand, parameters, -power)
        case Name() if exponent.name in parameters:
            return [("power", _raised(base, power), exponent.name)]
    return None if _has(exponent, parameters) else [("power", Power(base, exponent), power)]


def _exponential(tree, parameters, power):
    """Factors of ``exp(a + b * log(x) - c * y)**power``: the exponential of a sum is a product."""
    found = []
    for sign, part in tree.terms if isinstance(tree, Sum) else ((1, tree),):
        factors = _exponential_term(part, parameters, sign * power)
        if factors is None:
            return None
        found += factors
    return found


def _exponential_term(part, parameters, power):
    if isinstance(part, Negative):
        return _exponential_term(part.operand, parameters, -power)
    if not _has(part, parameters):
        return [("power", Call("exp", (part,)), power)]
    if isinstance(part, Name):
        return [("coefficient", part.name, True)] if power == 1 else None
    if not isinstance(part, Product):
        return None
    factors = []
    for sign, factor in part.factors:
        while isinstance(factor, Negative):
            factor, power = factor.operand, -power
        factors.append((sign, factor))
    own = [(sign, factor) for sign, factor in factors if _has(factor, parameters)]
    rest = tuple(factor for factor in factors if factor not in own)
    if len(own) != 1 or own[0][0] < 0 or not isinstance(own[0][1], Name):
        return None
    if rest[0][0] < 0:
        rest = ((1, Number(1.0)), *rest)
    inner = rest[0][1] if len(rest) == 1 else Product(rest)
    if isinstance(inner, Call) and inner.function == "log":
        return _powers(inner.arguments[0], own[0][1], parameters, power)
    return _powers(Call("exp", (inner,)), own[0][1], parameters, power)
