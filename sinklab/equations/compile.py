"""Numpy functions of a system: means and exact Jacobians, vectorised over trees and draws.

A system becomes one :class:`Graph` in which equal parts exist once: a left side that a later equation uses is
the same node, and a power that occurs in the mean and in its derivative is computed once. Derivatives are
taken forward, node by node, so that a branch not taken never reaches the result. A :class:`Program` carries
the nodes out; :class:`Compiled` and :class:`Evaluator` are what fits and predictions call.

A parameter written ``a[site]`` becomes as many values as there are sites. A :class:`Layout` says where each
value stands in the long vector, and evaluates means and derivatives with it.

The logarithm of ``a * dbh**b * height**c`` is ``log a + b log(dbh) + c log(height)``, which ordinary least squares can fit:
:func:`power_product` and :func:`additive_terms` recognise such equations and their sums.
"""

from dataclasses import dataclass
from functools import cached_property, partialmethod, reduce

import numpy as np

from sinklab.equations import functions
from sinklab.equations.parse import Call, Name, Negative, Number, Power, Product, Sum, names, plain
from sinklab.language import DataError, EquationError, tr


class Term:
    """A node of a graph with the signs of arithmetic, so that derivatives read as formulas."""

    __slots__ = ("graph", "node")

    def __init__(self, graph, node):
        self.graph, self.node = graph, node

    def call(self, operation, *others) -> "Term":
        """Apply an operation to this term and others, which may be numbers."""
        return Term(self.graph, self.graph.apply(operation, self.node, *map(self._of, others)))

    def _of(self, other):
        return other.node if isinstance(other, Term) else self.graph.constant(other)

    def __bool__(self):
        """Whether it is anything but the constant 0."""
        return self.graph.value(self.node) != 0

    def _after(self, operation, other) -> "Term":
        return Term(self.graph, self._of(other)).call(operation, self)

    __neg__ = partialmethod(call, "negative")
    __add__, __radd__ = partialmethod(call, "add"), partialmethod(_after, "add")
    __sub__, __rsub__ = partialmethod(call, "subtract"), partialmethod(_after, "subtract")
    __mul__, __rmul__ = partialmethod(call, "multiply"), partialmethod(_after, "multiply")
    __truediv__, __rtruediv__ = partialmethod(call, "divide"), partialmethod(_after, "divide")
    __pow__ = partialmethod(call, "power")


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
        row, values = functions.operation(operation), [self.value(a) for a in arguments]
        if row.folded and None not in values:
            with np.errstate(all="ignore"):
                return self.constant(row.value(*values))
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
            case Call():
                row = functions.by_word(tree.function)
                nodes = [self.build(argument, known) for argument in tree.arguments]
                if not row.many:
                    return self.apply(row.name, *nodes)
                return reduce(lambda left, right: self.apply(row.name, left, right), nodes)
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
                slope = self._slope(node, operation, [slopes[a].get(name) for a in arguments])
                if self.value(slope) != 0:
                    found[name] = slope
            slopes[node] = found
        return [slopes[root] for root in roots]

    def _slope(self, node, operation, inner):
        """Differentiate one node, from the derivatives of its arguments (None for 0)."""
        differentiate = functions.operation(operation).slope
        if differentiate is None:
            raise EquationError(f"`{operation}` has no derivative.", f"运算 `{operation}` 没有导数。")
        zero = self.constant(0)
        nodes = [node, *self.arguments(node), *(zero if slope is None else slope for slope in inner)]
        found = differentiate(*(Term(self, n) for n in nodes))
        return found.node if isinstance(found, Term) else self.constant(found)


class Program:
    """Instructions in an order in which they can be carried out, split by what changes.

    Parts that depend on the columns only are computed once per data set (``fixed``), the others for
    every parameter vector (``moving``).
    """

    def __init__(self, graph, roots, parameters):
        self.roots = tuple(roots)
        self.size = len(graph.nodes)
        self.inputs, self.fixed, self.moving, self.constants = [], [], [], []
        self.parameters = []
        moves = set()
        order = graph.reached(self.roots)
        for node in order:
            operation, arguments = graph.nodes[node]
            if operation == "constant":
                self.constants.append((node, np.float64(arguments[0])))
            elif operation == "column":
                self.inputs.append((node, arguments[0]))
            elif operation == "parameter":
                self.parameters.append((node, parameters.index(arguments[0])))
                moves.add(node)
            else:
                step = (functions.operation(operation).value, node, arguments)
                if moves.intersection(arguments):
                    moves.add(node)
                    self.moving.append(step)
                else:
                    self.fixed.append(step)
        self.last_use = self._last_use()

    def _last_use(self):
        """For each moving step the slots that no later step needs, to give memory back early."""
        kept = set(self.roots)
        made = {node for _, node, _ in self.moving}
        free = []
        for _, _, arguments in reversed(self.moving):
            done = tuple(a for a in set(arguments) if a in made and a not in kept)
            kept.update(done)
            free.append(done)
        return free[::-1]

    def start(self, columns):
        """Slots with everything that does not depend on the parameters."""
        slots = [None] * self.size
        for node, value in self.constants:
            slots[node] = value
        for node, name in self.inputs:
            slots[node] = columns[name]
        with np.errstate(all="ignore"):
            for function, node, arguments in self.fixed:
                slots[node] = function(*[slots[a] for a in arguments])
        return slots

    def run(self, start, theta):
        """Values of the roots at k numbers or arrays of one value for each row, or at draws (n_draw, k)."""
        slots, draws = start.copy(), isinstance(theta, np.ndarray) and theta.ndim == 2
        for node, index in self.parameters:
            slots[node] = theta[:, index, None] if draws else theta[index]
        with np.errstate(all="ignore"):
            if not draws:
                for function, node, arguments in self.moving:
                    slots[node] = function(*[slots[a] for a in arguments])
            else:
                for (function, node, arguments), done in zip(self.moving, self.last_use, strict=True):
                    slots[node] = function(*[slots[a] for a in arguments])
                    for slot in done:
                        slots[slot] = None
        return [slots[root] for root in self.roots]


class Compiled:
    """Means and Jacobians of chosen responses as arrays, for loops that call them often.

    Parameters
    ----------
    equations : sequence of Equation
        The whole system, in order.
    responses : tuple of str
        The left sides to compute, in the order of the second axis of the results.
    parameters : tuple of str
        The order of ``theta`` and of the last axis of the Jacobian.
    """

    def __init__(self, equations, responses, parameters):
        self.responses, self.parameters = tuple(responses), tuple(parameters)
        self._graph = graph = Graph()
        lefts = {equation.response for equation in equations}
        known = {name: graph.add_node("parameter", name) for name in self.parameters}
        for equation in equations:
            for name in _needed(equation, known, lefts):
                known[name] = graph.add_node("column", name)
            known[equation.response] = graph.build(equation.right, known)
        self._means = [known[response] for response in self.responses]
        self.columns = tuple(
            graph.nodes[node][1][0] for node in graph.reached(self._means) if graph.nodes[node][0] == "column"
        )

    @cached_property
    def _mean_program(self):
        return Program(self._graph, self._means, self.parameters)

    @cached_property
    def _jacobian_cells(self):
        """Places (response, parameter) that are not 0, and their nodes."""
        slopes = self._graph.derivatives(self._means)
        index = {name: i for i, name in enumerate(self.parameters)}
        return [(i, index[name], node) for i, found in enumerate(slopes) for name, node in found.items()]

    @property
    def cells(self) -> list[tuple[int, int]]:
        """Places (response, parameter) of the derivatives that are not 0 everywhere."""
        return [(i, j) for i, j, _ in self._jacobian_cells]

    @cached_property
    def _full_program(self):
        cells = self._jacobian_cells
        return Program(self._graph, self._means + [node for _, _, node in cells], self.parameters)

    def at(self, columns, n=None, places=None, k=0) -> "Evaluator":
        """Hold the data of one call or of a whole fit; see :class:`Evaluator`.

        Parameters
        ----------
        columns : mapping of str to array, shape (n,)
            At least ``self.columns``, as floats.
        n : int, optional
            Number of rows, where the responses depend on no column.
        places, k
            Where parameters vary by group, see :class:`Evaluator`.
        """
        held = {name: np.asarray(columns[name], dtype=float) for name in self.columns}
        if n is None:
            n = len(next(iter(held.values()))) if held else 1
        return Evaluator(self, held, n, places, k)

    def mean_matrix(self, theta, columns, n=None) -> np.ndarray:
        """Means, shape (n, m), or (n_draw, n, m) for ``theta`` of shape (n_draw, k)."""
        return self.at(columns, n).mean(theta)

    def broadcast(self, theta, columns) -> list[np.ndarray]:
        """Means of the responses, with parameters and columns broadcast against each other.

        Parameters
        ----------
        theta : sequence of float or array, length k
            One entry per parameter, such as (n_draw, 1), or (n_draw, n) where it varies by row.
        columns : mapping of str to array
            Such as (n,), or (n_draw, n) for a predictor that has an error of its own in every draw.

        Returns
        -------
        means : list of array
            One per response, of the shape that the operands give.
        """
        return self._mean_program.run(self._mean_program.start(columns), list(theta))


def _needed(equation, known, lefts):
    return dict.fromkeys(
        found.name for found in names(equation.right) if found.name not in known and found.name not in lefts
    )


@dataclass
class Evaluator:
    """A :class:`Compiled` bound to data; what depends on the data alone is computed once.

    Where parameters vary by group, ``theta`` is a long vector of ``k`` values, and ``places`` says where in it
    each parameter stands: a number, or one for each row.
    """

    compiled: Compiled
    columns: dict
    n: int
    places: list | None = None
    k: int = 0

    @cached_property
    def _mean_start(self):
        return self.compiled._mean_program.start(self.columns)

    @cached_property
    def _full_start(self):
        return self.compiled._full_program.start(self.columns)

    def _by_row(self, theta):
        return theta if self.places is None else [np.asarray(theta)[place] for place in self.places]

    def mean(self, theta) -> np.ndarray:
        """Means, shape (n, m), or (n_draw, n, m) for ``theta`` of shape (n_draw, k)."""
        theta = np.asarray(theta, dtype=float)
        values = self.compiled._mean_program.run(self._mean_start, self._by_row(theta))
        return self._matrix(values, theta.shape[:-1])

    def _matrix(self, values, draws=()):
        out = np.empty((*draws, self.n, len(self.compiled.responses)))
        for i in range(out.shape[-1]):
            out[..., i] = values[i]
        return out

    def mean_and_jacobian(self, theta) -> tuple[np.ndarray, np.ndarray]:
        """Means (n, m) and their derivatives (n, m, k), in one pass.

        Parameters
        ----------
        theta : array, shape (k,), or sequence of k floats and arrays, shape (n,)
            A parameter that differs by row, such as that of a tree's group, is an array.
        """
        m, cells = len(self.compiled.responses), self.compiled._jacobian_cells
        values = self.compiled._full_program.run(self._full_start, self._by_row(theta))
        places = range(len(self.compiled.parameters)) if self.places is None else self.places
        slopes = np.zeros((self.n, m, self.k or len(places)))
        everyone = slice(None) if self.places is None else np.arange(self.n)
        for (i, j, _), value in zip(cells, values[m:], strict=True):
            slopes[everyone, i, places[j]] = value
        return self._matrix(values), slopes

    def jacobian(self, theta) -> np.ndarray:
        """Return the derivatives of the means, shape (n, m, k), at ``theta`` of shape (k,)."""
        return self.mean_and_jacobian(theta)[1]


@dataclass(frozen=True)
class Layout:
    """Places of the parameters of a system: ``names`` and ``groups`` are parallel, one per value.

    ``groups`` holds the level of a parameter that varies, and ``""`` for the others.
    """

    system: object
    names: tuple[str, ...]
    groups: tuple[str, ...]

    @classmethod
    def of(cls, system, frame) -> "Layout":
        """Layout of a system on data: a value for each level found there, levels sorted."""
        names, groups = [], []
        for name in system.parameters:
            levels = [""]
            if name in system.groups:
                levels = sorted(frame[system.groups[name]].astype(str).unique())
            names += [name] * len(levels)
            groups += levels
        return cls(system, tuple(names), tuple(groups))

    @property
    def labels(self) -> list[str]:
        """Name of each value, with its level in brackets when it has one."""
        return [f"{n}[{g}]" if g else n for n, g in zip(self.names, self.groups, strict=True)]

    @property
    def grouped(self) -> bool:
        """Whether any parameter varies by group."""
        return bool(self.system.groups)

    def spread(self, values) -> np.ndarray:
        """Give every level of a parameter the same value, from a mapping by parameter name."""
        return np.array([values[name] for name in self.names], dtype=float)

    def count(self, names) -> int:
        """Number of values that belong to some parameters."""
        return sum(name in set(names) for name in self.names)

    @cached_property
    def _places(self) -> dict[str, dict[str, int]]:
        places = {}
        for index, (name, group) in enumerate(zip(self.names, self.groups, strict=True)):
            places.setdefault(name, {})[group] = index
        return places

    def rows(self, frame) -> list[np.ndarray | int]:
        """Position of each parameter in the long vector: one number, or one for each row.

        Raises
        ------
        DataError
            The data lack a group column, or have levels that were not fitted, all at once.
        """
        found, unknown = [], {}
        for name in self.system.parameters:
            if name not in self.system.groups:
                found.append(self._places[name][""])
                continue
            column = self.system.groups[name]
            if column not in frame:
                raise DataError(
                    f"the data have no column {column!r}, by which {name} varies",
                    f"数据中没有列 {column!r}（{name} 按其变化）",
                )
            levels = [str(level) for level in frame[column]]
            missing = sorted(set(levels) - set(self._places[name]))
            if missing:
                known = sorted(self._places[name])
                unknown[column] = tr(
                    f"{column}: levels that were not fitted: {', '.join(missing)}; fitted: {', '.join(known)}",
                    f"{column}：未参与拟合的水平：{'、'.join(missing)}；已拟合：{'、'.join(known)}",
                )
                continue
            found.append(np.array([self._places[name][level] for level in levels], dtype=int))
        if unknown:
            raise DataError("\n".join(unknown.values()))
        return found

    def at(self, frame, responses, n) -> Evaluator:
        """Bind some responses to data of ``n`` rows: predictors as floats, and the group columns."""
        places = self.rows(frame) if self.grouped else None
        return self.system.compiled(responses, by_row=True).at(frame, n, places, len(self.names))


# Products of powers: straight lines of logarithms.


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
