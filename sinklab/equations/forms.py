r"""Products of powers and their sums, recognised for straight lines on the log scale, start values, and means over groups.

The logarithm of ``a * dbh**b * height**c`` is ``log a + b log(dbh) + c log(height)``, which ordinary
least squares can fit.

*Mean over groups* (:func:`over_groups`). Where parameters deviate between groups by :math:`u \sim N(0, \Psi)`, a product
whose logarithm is a straight line :math:`v^T u` in them has the mean :math:`\exp(v^T \Psi v / 2)` times the product at no
deviation, which is exact; a term in which one deviation enters as it stands has that of no deviation. Every other term is
the sum of three nodes by deviation of Gauss and Hermite, exact for polynomials of the fifth degree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product as combinations

import numpy as np

from sinklab.equations.compile import Graph, Program
from sinklab.equations.parse import (
    Call,
    Equation,
    Name,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Sum,
    children,
    names,
    plain,
)

#: Nodes of Gauss and Hermite in standard deviations, and their weights in sixths.
NODES = ((0.0, 4), (3**0.5, 1), (-(3**0.5), 1))
#: Digits of what the spread between groups puts into a text.
DIGITS = 9


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


# The mean over groups of equations whose parameters deviate between them.


def over_groups(
    equations: Sequence[Equation],
    made: Sequence[str],
    random: Sequence[str],
    covariance: np.ndarray,
    multiplies: Sequence[str],
    multiplied_out: bool = True,
) -> list[Equation]:
    """Equations of the mean over groups, from those of the typical one; see the module.

    Parameters
    ----------
    equations : sequence of Equation
        Without groups.
    made : sequence of str
        Left sides that are made of others alone: they stay, made of means.
    random : sequence of str
        Parameters that deviate.
    covariance : array, shape (q, q)
        Of their deviations.
    multiplies : sequence of str
        Those whose deviation ``u`` multiplies by ``exp(u)`` instead of being added.
    multiplied_out : bool
        Whether products of sums become sums of products, in which names may stand in another order.
    """
    groups = _Groups(tuple(random), np.asarray(covariance, float), frozenset(multiplies), multiplied_out)
    found, typical = [], {}
    for equation in equations:
        right = _with_lefts(equation.right, typical, groups)
        typical[equation.response] = right
        mean = equation.right if equation.response in made else groups.mean(right, equation.right, typical)
        found.append(Equation(equation.response, mean, equation.position))
    return found


def _replaced(node, known: Mapping[str, Node]) -> Node:
    """A tree with other trees in the place of some names."""
    if isinstance(node, Name):
        return known.get(node.name, node)
    if not children(node):
        return node
    held = {}
    for name in node.__match_args__:
        part = getattr(node, name)
        if isinstance(part, Node):
            part = _replaced(part, known)
        elif isinstance(part, tuple):
            part = tuple(
                (p[0], _replaced(p[1], known)) if isinstance(p, tuple) else _replaced(p, known) for p in part
            )
        held[name] = part
    return type(node)(**held)


def _with_lefts(tree, typical, groups) -> Node:
    """A right side with the earlier left sides that deviate written out."""
    return _replaced(tree, {r: right for r, right in typical.items() if groups.in_tree(right)})


def _terms(tree, sign=1, out=None) -> list[tuple[int, Node]]:
    """A tree as a sum, and products multiplied out of sums for which ``out`` holds."""
    match tree:
        case Sum():
            return [term for s, part in tree.terms for term in _terms(part, sign * s, out)]
        case Negative():
            return _terms(tree.operand, -sign, out)
        case Product() if out:
            open_ = [
                _terms(part, out=out) if power == 1 and out(part) else [(1, part)]
                for power, part in tree.factors
            ]
            if max(map(len, open_)) == 1 and all(o[0][0] == 1 for o in open_):
                return [(sign, _flat(tree))]
            powers = [power for power, _ in tree.factors]
            return [
                (
                    sign * int(np.prod([s for s, _ in chosen])),
                    _flat(Product(tuple((p, part) for p, (_, part) in zip(powers, chosen, strict=True)))),
                )
                for chosen in combinations(*open_)
            ]
    return [(sign, tree)]


def _flat(tree) -> Product:
    """A product without products among its factors."""
    found = []
    for power, part in tree.factors:
        inner = _flat(part).factors if isinstance(part, Product) else ((1, part),)
        found += [(power * p, f) for p, f in inner]
    return Product(tuple(found))


def _rounded(value: float) -> Number:
    return Number(float(f"{value:.{DIGITS}g}"))


def _sum(parts) -> Node:
    parts = [(-s, p.operand) if isinstance(p, Negative) else (s, p) for s, p in parts]
    if len(parts) == 1:
        return parts[0][1] if parts[0][0] > 0 else Negative(parts[0][1])
    return Sum(tuple(parts))


@dataclass(frozen=True, eq=False)
class _Groups:
    """How parameters deviate, and means of trees over that."""

    random: tuple[str, ...]
    covariance: np.ndarray
    multiplies: frozenset[str]
    multiplied_out: bool

    def in_tree(self, tree) -> bool:
        """Whether a tree has a parameter that deviates."""
        return any(n.name in self.random for n in names(tree))

    def mean(self, tree, written, typical) -> Node:
        """Mean of a right side; as it was written where its terms have the mean of no deviation."""
        if not self.in_tree(tree):
            return written
        terms = _terms(tree, out=self.in_tree if self.multiplied_out else None)
        found = [(sign, self._of_term(term)) for sign, term in terms]
        if all(new is None for _, new in found) and all(n.name not in typical for n in names(written)):
            return written
        return _sum(
            (sign, term if new is None else new) for (sign, new), (_, term) in zip(found, terms, strict=True)
        )

    def _of_term(self, term) -> Node | None:
        """Mean of a term; None for that at no deviation."""
        if not self.in_tree(term):
            return None
        factors = term.factors if isinstance(term, Product) else ((1, term),)
        lines, plain_ones = [], 0
        for power, factor in factors:
            line = self._line(factor, power)
            if line is None:
                plain_ones += 1 if power == 1 and isinstance(factor, Name) else 2
            else:
                lines += line
        if plain_ones == 1 and not lines:
            return None
        return self._by_nodes(term) if plain_ones else self._raised(factors, lines)

    def _line(self, factor, power) -> list[tuple[str, Node, float]] | None:
        """Deviations by which the logarithm of a factor moves, each with what it is multiplied by; None if not straight."""
        if not self.in_tree(factor):
            return []
        match factor:
            case Name() if factor.name in self.multiplies:
                return [(factor.name, Number(1.0), power)]
            case Power() if not self.in_tree(factor.base):
                inner = self._inner(factor.exponent, power)
                return inner and [
                    (
                        n,
                        Call("log", (factor.base,))
                        if x == Number(1.0)
                        else Product(((1, x), (1, Call("log", (factor.base,))))),
                        s,
                    )
                    for n, x, s in inner
                ]
            case Call(function="exp"):
                return self._inner(factor.arguments[0], power)
        return None

    def _inner(self, tree, sign) -> list[tuple[str, Node, float]] | None:
        """A sum that is straight in added deviations, as :meth:`_line` gives it."""
        found = []
        for s, term in _terms(tree, out=self.in_tree):
            if not self.in_tree(term):
                continue
            factors = term.factors if isinstance(term, Product) else ((1, term),)
            own = [f for p, f in factors if self.in_tree(f)]
            rest = tuple((p, f) for p, f in factors if not self.in_tree(f))
            if len(own) != 1 or not isinstance(own[0], Name) or own[0].name in self.multiplies:
                return None
            if any(p != 1 and f is own[0] for p, f in factors):
                return None
            if rest and rest[0][0] < 0:
                rest = ((1, Number(1.0)), *rest)
            by = Number(1.0) if not rest else rest[0][1] if len(rest) == 1 else Product(rest)
            found.append((own[0].name, by, sign * s))
        return found

    def _raised(self, factors, lines) -> Node:
        """A product of powers times what its deviations add on average."""
        sizes: dict[tuple, float] = {}
        for i, (one, x, a) in enumerate(lines):
            for j, (other, y, b) in enumerate(lines[: i + 1]):
                psi = self.covariance[self.random.index(one), self.random.index(other)]
                by = tuple(f for f in (x, y) if f != Number(1.0))
                sizes[by] = sizes.get(by, 0.0) + a * b * psi * (0.5 if i == j else 1.0)
        parts = []
        for by, size in sizes.items():
            number = _rounded(abs(size))
            if number.value:
                told = _flat(Product(tuple((1, f) for f in (number, *by)))) if by else number
                parts.append((1 if size > 0 else -1, told))
        if not parts:
            return Product(factors) if len(factors) > 1 else factors[0][1]
        return Product((*factors, (1, Call("exp", (_sum(parts),)))))

    def _by_nodes(self, term) -> Node:
        """A term over the nodes of its deviations."""
        own = [n for n in dict.fromkeys(n.name for n in names(term)) if n in self.random]
        places = [self.random.index(n) for n in own]
        sizes, axes = np.linalg.eigh(self.covariance[np.ix_(places, places)])
        kept = sizes > 1e-14 * max(sizes.max(), 1e-300)
        root, parts = axes[:, kept] * np.sqrt(sizes[kept]), []
        for chosen in combinations(NODES, repeat=root.shape[1]):
            away, weight = root @ [z for z, _ in chosen], int(np.prod([w for _, w in chosen]))
            moved = {n: self._moved(n, u) for n, u in zip(own, away, strict=True) if u}
            told = _flat(Product(((1, _replaced(term, moved)),)))
            parts.append((1, Product(((1, Number(float(weight))), *told.factors)) if weight > 1 else told))
        return Product(((1, _sum(parts)), (-1, Number(6.0 ** root.shape[1])))) if kept.any() else term

    def _moved(self, name, away) -> Node:
        if name in self.multiplies:
            return Product(((1, _rounded(np.exp(away))), (1, Name(name))))
        return Sum(((1, Name(name)), (1 if away > 0 else -1, _rounded(abs(away)))))
