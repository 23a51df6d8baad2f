"""Products of powers and their sums, recognised for automatic start values.

A product of powers is linear on the logarithmic scale: the logarithm of ``a * dbh**b * height**c`` is
``log a + b log(dbh) + c log(height)``, which ordinary least squares can start.
"""

from dataclasses import dataclass

import numpy as np

from sinklab.equations.compile import Program
from sinklab.equations.graph import Graph
from sinklab.equations.tree import Call, Name, Negative, Number, Power, Product, Sum, children, names, plain


@dataclass(frozen=True)
class PowerProduct:
    """``sign * coefficient * known * base**exponent * …``, or with ``exp(coefficient)`` where ``log``.

    Attributes
    ----------
    coefficient : str or None
        Its parameter; None if there is none.
    log : bool
        Whether the parameter is the logarithm of the coefficient, as in ``exp(a + b * log(dbh))``.
    sign : int
        1 or -1.
    powers : tuple of (tree, str or float)
        Bases without parameters (columns and earlier left sides), and their exponents: the name of a
        parameter, or a number.
    """

    coefficient: str | None
    log: bool
    sign: int
    powers: tuple

    @property
    def exponents(self) -> dict:
        """``{text of the base: exponent}``; the base is mostly the name of a predictor."""
        return {plain(base): exponent for base, exponent in self.powers}

    @property
    def parameters(self) -> tuple[str, ...]:
        """The coefficient, then the exponents that are parameters, each once."""
        found = [exponent for _, exponent in self.powers if isinstance(exponent, str)]
        return tuple(dict.fromkeys(([self.coefficient] if self.coefficient else []) + found))

    def design(self, data) -> tuple[np.ndarray, np.ndarray]:
        """Linear model of ``log(sign * mean)``.

        Parameters
        ----------
        data : DataFrame or mapping of str to array, shape (n,)
            The columns and earlier left sides that are named.

        Returns
        -------
        matrix : array, shape (n, k)
            One column for each of :attr:`parameters`; the coefficient's is 1 and estimates its logarithm.
        offset : array, shape (n,)
            Logarithm of the factors without a parameter.
        """
        logs = [np.atleast_1d(_log_of(base, data)) for base, _ in self.powers]
        n = max((len(column) for column in logs), default=1)
        n = len(data) if hasattr(data, "columns") else n
        matrix, offset = np.zeros((n, len(self.parameters))), np.zeros(n)
        if self.coefficient:
            matrix[:, 0] = 1
        for (_, exponent), column in zip(self.powers, logs, strict=True):
            if isinstance(exponent, str):
                matrix[:, self.parameters.index(exponent)] += column
            else:
                offset += exponent * column
        return matrix, offset


def _log_of(base, data):
    """Logarithm of a tree without parameters."""
    graph = Graph()
    known = {found.name: graph.add_node("column", found.name) for found in names(base)}
    program = Program(graph, [graph.apply("log", graph.build(base, known))], ())
    return program.start({name: np.asarray(data[name], dtype=float) for name in known})[program.roots[0]]


def power_product(tree, parameters) -> PowerProduct | None:
    """Read a right side as a product of powers with at most one coefficient.

    Parameters
    ----------
    tree : Node
        As written: earlier left sides count as known quantities.
    parameters : set of str

    Returns
    -------
    product : PowerProduct or None
        None if the equation has another form, or one parameter in two places that are not both exponents.
    """
    factors = _factors(tree, parameters, 1.0)
    if factors is None:
        return None
    coefficients = [(name, log) for kind, name, log in factors if kind == "coefficient"]
    numbers = [value for kind, value, _ in factors if kind == "number"]
    powers = [(base, exponent) for kind, base, exponent in factors if kind == "power"]
    used = [exponent for _, exponent in powers if isinstance(exponent, str)]
    if len(coefficients) > 1 or (coefficients and coefficients[0][0] in used):
        return None
    constant = float(np.prod(numbers))
    if constant == 0 or not np.isfinite(constant):
        return None
    if abs(constant) != 1:
        powers.append((Number(abs(constant)), 1.0))
    name, log = coefficients[0] if coefficients else (None, False)
    return PowerProduct(name, log, 1 if constant > 0 else -1, tuple(powers))


def additive_terms(tree, parameters) -> tuple[PowerProduct, ...] | None:
    """Read a right side as a sum of products of powers, e.g. a polynomial; None if it is not one.

    No parameter may stand in two terms.
    """
    if not isinstance(tree, Sum):
        return None
    terms = []
    for sign, part in tree.terms:
        term = power_product(part if sign > 0 else Negative(part), parameters)
        if term is None:
            return None
        terms.append(term)
    used = [name for term in terms for name in term.parameters]
    return tuple(terms) if len(used) == len(set(used)) else None


def _factors(tree, parameters, power):
    """Factors ``(kind, what, how)`` of ``tree**power``, or None."""
    if not any(found.name in parameters for found in names(tree)) and not _is_signed(tree):
        return [("power", tree, power)]
    match tree:
        case Number():
            return [("number", tree.value**power, None)] if tree.value else None
        case Name():
            return [("coefficient", tree.name, False)] if power == 1 else None
        case Negative():
            inner = _factors(tree.operand, parameters, power)
            return None if inner is None or power not in (1, -1) else [*inner, ("number", -1.0, None)]
        case Product():
            found = [_factors(part, parameters, power * sign) for sign, part in tree.factors]
            return None if None in found else [factor for inner in found for factor in inner]
        case Power():
            return _power(tree.base, tree.exponent, parameters, power)
        case Call(function="exp"):
            return _exponential(tree.arguments[0], parameters, power)
    return None


def _is_signed(tree):
    """Whether a factor without parameters is a plain number or carries a sign, to be taken apart."""
    return isinstance(tree, Number | Negative) or (
        isinstance(tree, Product) and any(_is_signed(part) for part in children(tree))
    )


def _power(base, exponent, parameters, power):
    """Factors of a power whose base has no parameter and whose exponent is a parameter or its multiple."""
    if any(found.name in parameters for found in names(base)):
        return None
    return _multiple(base, exponent, parameters, power)


def _multiple(base, exponent, parameters, power):
    match exponent:
        case Number():
            return [("power", base, exponent.value * power)]
        case Name() if exponent.name in parameters:
            scaled = base if power == 1 else Power(base, _signed(power))
            return [("power", scaled, exponent.name)]
        case Negative():
            return _multiple(base, exponent.operand, parameters, -power)
    return None


def _signed(value):
    return Number(value) if value >= 0 else Negative(Number(-value))


def _exponential(tree, parameters, power):
    """Factors of ``exp(a + b * log(x) + c * y)``: the exponential of a sum is a product."""
    found = []
    for sign, part in tree.terms if isinstance(tree, Sum) else ((1, tree),):
        factors = _linear(part, parameters, sign * power)
        if factors is None:
            return None
        found += factors
    return found


def _linear(part, parameters, power):
    """Factors of ``exp(part)**power`` for one term of the exponent."""
    if isinstance(part, Negative):
        return _linear(part.operand, parameters, -power)
    own = [found.name for found in names(part) if found.name in parameters]
    if not own:
        return [("power", Call("exp", (part,)), power)]
    if isinstance(part, Name):
        return [("coefficient", part.name, True)] if power == 1 else None
    if not isinstance(part, Product) or len(own) > 1:
        return None
    rest = tuple(factor for factor in part.factors if factor[1] not in (Name(own[0]),))
    if len(rest) == len(part.factors) or (-1, Name(own[0])) in part.factors or rest[0][0] < 0:
        return None
    inner = rest[0][1] if len(rest) == 1 else Product(rest)
    if isinstance(inner, Call) and inner.function == "log":
        return _multiple(inner.arguments[0], Name(own[0]), parameters, power)
    return _multiple(Call("exp", (inner,)), Name(own[0]), parameters, power)
