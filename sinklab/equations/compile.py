"""Numpy functions of a system: means and exact Jacobians, vectorised over trees and draws."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sinklab.equations.graph import Graph
from sinklab.equations.tree import names


def _log0(x):
    """Logarithm with 0 in place of log(0); see :class:`~sinklab.equations.graph.Graph`."""
    return np.log(np.where(x == 0, 1.0, x))


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
                function = _log0 if operation == "log0" else getattr(np, operation)
                step = (function, node, arguments)
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
        """Values of the roots at ``theta`` of shape (k,) or (n_draw, k)."""
        slots = start.copy()
        if theta.ndim == 1:
            for node, index in self.parameters:
                slots[node] = theta[index]
        else:
            for node, index in self.parameters:
                slots[node] = theta[:, index, None]
        with np.errstate(all="ignore"):
            if theta.ndim == 1:
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

    @cached_property
    def _full_program(self):
        cells = self._jacobian_cells
        return Program(self._graph, self._means + [node for _, _, node in cells], self.parameters)

    def at(self, columns, n=None) -> "Evaluator":
        """Hold the data of one call or of a whole fit; see :class:`Evaluator`.

        Parameters
        ----------
        columns : mapping of str to array, shape (n,)
            At least ``self.columns``, as floats.
        n : int, optional
            Number of rows, where the responses depend on no column.
        """
        held = {name: np.asarray(columns[name], dtype=float) for name in self.columns}
        if n is None:
            n = len(next(iter(held.values()))) if held else 1
        return Evaluator(self, held, n)

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
        moving = np.empty(len(self.parameters), dtype=object)
        for i, value in enumerate(theta):
            moving[i] = value
        return self._mean_program.run(self._mean_program.start(columns), moving)

    def jacobian_tensor(self, theta, columns, n=None) -> np.ndarray:
        """Return the derivatives of the means, shape (n, m, k), at ``theta`` of shape (k,)."""
        return self.at(columns, n).mean_and_jacobian(theta)[1]


def _needed(equation, known, lefts):
    return dict.fromkeys(
        found.name for found in names(equation.right) if found.name not in known and found.name not in lefts
    )


@dataclass
class Evaluator:
    """A :class:`Compiled` bound to data; what depends on the data alone is computed once."""

    compiled: Compiled
    columns: dict
    n: int

    @cached_property
    def _mean_start(self):
        return self.compiled._mean_program.start(self.columns)

    @cached_property
    def _full_start(self):
        return self.compiled._full_program.start(self.columns)

    def mean(self, theta) -> np.ndarray:
        """Means, shape (n, m), or (n_draw, n, m) for ``theta`` of shape (n_draw, k)."""
        theta = np.asarray(theta, dtype=float)
        values = self.compiled._mean_program.run(self._mean_start, theta)
        return self._matrix(values, theta.shape[:-1])

    def _matrix(self, values, draws=()):
        out = np.empty((*draws, self.n, len(self.compiled.responses)))
        for i in range(out.shape[-1]):
            out[..., i] = values[i]
        return out

    def mean_and_jacobian(self, theta) -> tuple[np.ndarray, np.ndarray]:
        """Means (n, m) and their derivatives (n, m, k) at ``theta`` of shape (k,), in one pass."""
        theta = np.asarray(theta, dtype=float)
        m, k = len(self.compiled.responses), len(self.compiled.parameters)
        values = self.compiled._full_program.run(self._full_start, theta)
        slopes = np.zeros((self.n, m, k))
        for (i, j, _), value in zip(self.compiled._jacobian_cells, values[m:], strict=True):
            slopes[:, i, j] = value
        return self._matrix(values), slopes

    def jacobian(self, theta) -> np.ndarray:
        """Return the derivatives of the means, shape (n, m, k), at ``theta`` of shape (k,)."""
        return self.mean_and_jacobian(theta)[1]
