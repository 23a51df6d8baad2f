r"""Means over groups of equations whose parameters deviate between them.

Where parameters deviate between groups by :math:`u \sim N(0, \Psi)`, a product whose logarithm is a straight line
:math:`v^T u` in them has the mean :math:`\exp(v^T \Psi v / 2)` times the product at no deviation, which is exact; a term in
which one deviation enters as it stands has that of no deviation. Every other term is the sum of three nodes by deviation
of Gauss and Hermite, exact for polynomials of the fifth degree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product as combinations

import numpy as np

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
)

#: Nodes of Gauss and Hermite in standard deviations, and their weights in sixths.
NODES = ((0.0, 4), (3**0.5, 1), (-(3**0.5), 1))
#: Digits of what the spread between groups puts into a text.
DIGITS = 9


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
