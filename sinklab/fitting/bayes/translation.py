"""A system of equations as a PyTensor graph, from the same nodes as its numpy functions.

What depends on the data alone is computed once, with numpy, and handed to the graph as data. Products
and powers of positive quantities are kept as logarithms as far as possible: the logarithm of
``a * dbh**b`` is then ``log a + b * log(dbh)``, cheap and without overflow. Where a branch of
``where`` is not taken its values never reach a derivative as NaN.
"""

import logging
import warnings
from dataclasses import dataclass

import numpy as np

from sinklab.equations import functions


def _worth_hearing(record) -> bool:
    """Whether a record is anything but the remark that there is no C compiler."""
    return not record.getMessage().startswith("g++ not")


def load() -> None:
    """Import PyTensor without its remarks on C compilers and BLAS."""
    logger = logging.getLogger("pytensor.configdefaults")
    logger.addFilter(_worth_hearing)
    try:
        import pytensor
    finally:
        logger.removeFilter(_worth_hearing)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS", UserWarning)
        # Looked up once in a process; here, so that the remark falls where it is not heard.
        _ = pytensor.config.blas__ldflags


_LOGIC = ("logical_and", "logical_or", "logical_not")


@dataclass(frozen=True)
class Quantity:
    """A parameter or a latent predictor as a tensor, with its logarithm when it is positive."""

    value: object
    log: object = None


class Translation:
    """Means of the responses of a system as tensors.

    Parameters
    ----------
    compiled : Compiled
        Its graph is translated, and its order of responses kept.
    columns : mapping of str to array, shape (n,)
        Predictors that are data.
    parameters : mapping of str to Quantity
        Scalars, or one value for each row; predictors that are unknown quantities are parameters too.
    hold : callable
        ``hold(name, array)`` takes data into the model and returns its tensor.
    """

    def __init__(self, compiled, columns, parameters, hold):
        self.graph, self.parameters, self.hold = compiled._graph, parameters, hold
        self.roots = dict(zip(compiled.responses, compiled._means, strict=True))
        # Numpy values of the nodes that depend on data alone.
        slots = compiled._mean_program.start({c: np.asarray(x, float) for c, x in columns.items()})
        self._fixed = {node: value for node, value in enumerate(slots) if value is not None}
        self._values, self._logs = {}, {}

    def mean(self, response):
        """Mean of a response, (n,) or a scalar."""
        return self._value(self.roots[response])

    def log_mean(self, response):
        """Logarithm of the mean."""
        return self._log(self.roots[response])

    def _quantity(self, node):
        """The Quantity behind a node, or None."""
        operation, arguments = self.graph.nodes[node]
        return self.parameters[arguments[0]] if operation == "parameter" else None

    def _held(self, node, array, kind):
        """Data of a node; a constant stays a number."""
        array = np.where(np.isfinite(array), array, 1.0)
        return self.hold(f"{kind}{node}", array) if array.ndim else float(array)

    def _positive(self, node) -> bool:
        if node in self._fixed:
            return bool(np.all(self._fixed[node] > 0))
        quantity = self._quantity(node)
        if quantity is not None:
            return quantity.log is not None
        operation, arguments = self.graph.nodes[node]
        positive = functions.operation(operation).positive
        return positive is not None and bool(positive([self._positive(a) for a in arguments]))

    def _value(self, node):
        if node not in self._values:
            self._values[node] = self._make_value(node)
        return self._values[node]

    def _log(self, node):
        if node not in self._logs:
            self._logs[node] = self._make_log(node)
        return self._logs[node]

    def _make_value(self, node):
        import pytensor.tensor as pt

        if node in self._fixed:
            return self._held(node, self._fixed[node], "x")
        quantity = self._quantity(node)
        if quantity is not None:
            return quantity.value
        operation, arguments = self.graph.nodes[node]
        if operation in ("multiply", "divide", "power") and self._positive(node):
            return pt.exp(self._log(node))
        if operation == "power":
            return self._power(node, *arguments)
        if operation == "where":
            return pt.switch(self._condition(arguments[0]), *(self._value(a) for a in arguments[1:]))
        return functions.operation(operation).tensor(*(self._value(a) for a in arguments))

    def _power(self, node, base, exponent):
        """Power of a base that may be 0 or negative: 0 there, unless the exponent is a number."""
        import pytensor.tensor as pt

        if exponent in self._fixed:
            return pt.pow(self._value(base), self._value(exponent))
        if base in self._fixed:
            array = self._fixed[base]
            above = np.asarray(array > 0)
            logs = self._held(node, np.log(np.where(above, array, 1.0)), "log")
            return self._held(node, above.astype(float), "above") * pt.exp(self._value(exponent) * logs)
        value = self._value(base)
        safe = pt.switch(pt.gt(value, 0), value, 1.0)
        return pt.switch(pt.gt(value, 0), pt.exp(self._value(exponent) * pt.log(safe)), 0.0)

    def _condition(self, node):
        import pytensor.tensor as pt

        if node in self._fixed:
            return pt.gt(self._held(node, self._fixed[node].astype(float), "if"), 0.5)
        operation, arguments = self.graph.nodes[node]
        inner = self._condition if operation in _LOGIC else self._value
        return functions.operation(operation).tensor(*(inner(a) for a in arguments))

    def _make_log(self, node):
        import pytensor.tensor as pt

        if node in self._fixed and self._positive(node):
            return self._held(node, np.log(self._fixed[node]), "log")
        quantity = self._quantity(node)
        if quantity is not None and quantity.log is not None:
            return quantity.log
        if not self._positive(node) or quantity is not None:
            return pt.log(self._value(node))
        operation, arguments = self.graph.nodes[node]
        match operation:
            case "multiply":
                return self._log(arguments[0]) + self._log(arguments[1])
            case "divide":
                return self._log(arguments[0]) - self._log(arguments[1])
            case "power":
                return self._value(arguments[1]) * self._log(arguments[0])
            case "sqrt":
                return 0.5 * self._log(arguments[0])
            case "square":
                return 2.0 * self._log(arguments[0])
            case "exp":
                return self._value(arguments[0])
            case "where":
                return pt.switch(self._condition(arguments[0]), *(self._log(a) for a in arguments[1:]))
        return pt.log(self._value(node))
