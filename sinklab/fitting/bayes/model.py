r"""The PyMC model of a fit, built from the equations.

*Unknowns.* The sampler moves standardised variables ``z_…``. The scalar unknowns are one vector
:math:`t = t_0 + R z`, with start and root from :func:`.engine.approximate`. Positive quantities stand in ``t`` as
logarithms, correlations as inverse hyperbolic tangents of partial correlations. A spread between groups that may
be 0 stands there as :math:`\mathrm{arsinh}(s / s_0)` and is *folded*: s and -s are the same spread, so that 0 is no
border against which the sampler runs, and the half-normal prior is a normal one. Far from 0 that is a logarithm
too; :math:`s_0` is what the data can tell from 0. A prior is a normal density of the unknown, its logarithm or
its natural value, with the Jacobian due.

*Correlation matrices* of d quantities are built from d (d - 1) / 2 partial correlations, each free between -1
and 1. Under the LKJ distribution of shape :math:`\eta` they are independent, the one of level k (counted from 0)
being :math:`2\,\mathrm{Beta}(\alpha, \alpha) - 1` with :math:`\alpha = \eta + (d - 2 - k)/2` (Lewandowski et al.).

*Groups.* Given the distribution over the groups, with mean :math:`\mu` and covariance :math:`LL'`, and a quadratic
approximation of the likelihood of a group's own trees, with information :math:`I` and slope :math:`r` at
:math:`\mu`, the value of a group is

.. math:: \theta = \mu + L u, \quad u = C'^{-1}(C^{-1} L' r + z), \quad CC' = 1 + L' I L, \quad z \sim N(0, 1).

With many trees this is the group's own estimate and error (the centred form), with none the distribution over the
groups (the non-centred form), and each group and direction stands where its data put it (Papaspiliopoulos et al.):
a species of three trees whose level is known and whose slope is not is both at once. The approximation only chooses
coordinates; the density of u, standard normal, and the likelihood are exact. All of it is smooth where a spread is 0.

*Trees.* Trees of which the same was weighed share one density, multivariate normal (or lognormal), which is the
marginal of what was measured: components, or sums of components (:func:`density`). Lognormal equations give the
mean: :math:`\ln y \sim N(\ln f - \sigma^2/2, \sigma)`.

*Predictors measured with error.* What was measured is normal about the true value with the stated SD; true values are
lognormal over the trees, their logarithm depending linearly on the logarithms of the other predictors, because a
tree of known height is not any tree. The sampler moves the true value in units of the error of measurement.

*Means.* The system of equations is a PyTensor graph, from the same nodes as its numpy functions. What depends on the data
alone is computed once, with numpy, and handed to the graph as data. Products and powers of positive quantities are kept
as logarithms as far as possible: the logarithm of ``a * dbh**b`` is then ``log a + b * log(dbh)``, cheap and without
overflow. Where a branch of ``where`` is not taken its values never reach a derivative as NaN.

*Data*, the numbers of the priors and the standardisation are ``pm.Data``, so that one compiled model serves every
data set of the same structure.

Source
------
Lewandowski D., Kurowicka D., Joe H. (2009) Generating random correlation matrices based on vines and
extended onion method. Journal of Multivariate Analysis 100:1989-2001.
Papaspiliopoulos O., Roberts G.O., Skoeld M. (2007) A general framework for the parametrization of
hierarchical models. Statistical Science 22:59-73.
"""

import logging
import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from sinklab.equations import functions
from sinklab.equations.compile import Compiled
from sinklab.fitting.bayes.priors import Prior, Wanted
from sinklab.fitting.likelihood import LOG_2PI


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


# Correlations and densities: numbers, arrays or tensors alike.


def pairs(d: int) -> list[tuple[int, int]]:
    """Pairs (level k, component j), k < j, in the order in which partial correlations are held."""
    return [(k, j) for j in range(1, d) for k in range(j)]


def shapes(d: int, eta: float) -> np.ndarray:
    """Alpha of each pair under LKJ(eta)."""
    return np.array([eta + (d - 2 - k) / 2 for k, _ in pairs(d)])


def from_correlation(correlation) -> np.ndarray:
    """Partial correlations, as inverse hyperbolic tangents, of a correlation matrix (d, d)."""
    lower = np.linalg.cholesky(correlation)
    found = []
    for k, j in pairs(len(correlation)):
        left = np.sqrt(1 - np.sum(lower[j, :k] ** 2))
        found.append(np.arctanh(np.clip(lower[j, k] / left, -0.99, 0.99)))
    return np.array(found)


def cholesky(partial, d: int, sqrt) -> list[list]:
    """Rows of the Cholesky factor from partial correlations."""
    rows, at = [[1.0]], 0
    for _ in range(1, d):
        row, left = [], 1.0
        for _ in range(len(rows)):
            row.append(partial[at] * left)
            left = left * sqrt(1 - partial[at] ** 2)
            at += 1
        rows.append([*row, left])
    return rows


def correlation(rows) -> list[list]:
    """Matrix of which ``rows`` is the Cholesky factor."""
    d = len(rows)
    return [
        [1.0 if i == j else sum(rows[i][k] * rows[j][k] for k in range(min(i, j) + 1)) for j in range(d)]
        for i in range(d)
    ]


def factor(matrix, sqrt) -> list[list]:
    """Rows of the Cholesky factor of a matrix, of which the rows of the lower triangle are given."""
    rows = []
    for i, given in enumerate(matrix):
        row = []
        for j, above in enumerate([*rows, row]):
            left = given[j] - sum(x * y for x, y in zip(row, above, strict=False))
            row.append(left / above[j] if j < i else sqrt(left))
        rows.append(row)
    return rows


def density(combine, values, location, log_sd, matrix, library):
    """Normal log-density of each tree (…, n) of which the same was weighed.

    A component that was weighed by itself is measured in its residual SD, so that its trees share the factor of
    their correlations; with a sum of components each tree has a covariance of its own.

    Parameters
    ----------
    combine : array, shape (q, m)
        What was weighed, as sums of components.
    values : sequence of q arrays or tensors, shape (n,)
    location, log_sd : mappings of component to array or tensor
        Expected values of the components, and logarithms of their residual SDs.
    matrix : list of list
        Residual correlation of the components.
    library : module
        PyTensor's tensors, or numpy.
    """
    shares, apart, found = [], [], -0.5 * LOG_2PI * len(combine)
    for weights, value in zip(combine, values, strict=True):
        used = np.flatnonzero(weights).tolist()
        if len(used) == 1:
            shares.append({used[0]: 1.0})
            apart.append((value - location[used[0]]) * library.exp(-log_sd[used[0]]))
            found = found - log_sd[used[0]]
        else:
            shares.append({j: weights[j] * library.exp(log_sd[j]) for j in used})
            apart.append(value - sum(weights[j] * location[j] for j in used))
    rows = factor(
        [
            [sum(a[j] * b[k] * matrix[j][k] for j in a for k in b) for b in shares[: i + 1]]
            for i, a in enumerate(shares)
        ],
        library.sqrt,
    )
    standard = []
    for value, row in zip(apart, rows, strict=True):
        left = value - sum(x * y for x, y in zip(row, standard, strict=False))
        standard.append(left / row[-1])
        found = found - 0.5 * standard[-1] ** 2 - library.log(row[-1])
    return found


# Scalar unknowns.


@dataclass(frozen=True)
class Unknown:
    """One scalar unknown, such as the ``spread`` of ``a``.

    ``way`` tells how it is sampled: ``plain``, as its logarithm (``log``), ``folded`` in multiples of ``unit``, or
    ``partial``, a partial correlation; ``start`` is so too.
    """

    kind: str
    name: str
    way: str
    start: float
    prior: Prior | None = None
    unit: float = 1.0

    @property
    def natural(self) -> bool:
        """Whether the prior is one of the natural value of what is sampled otherwise; a Jacobian is due."""
        return self.way in ("log", "folded") and self.prior.family != "lognormal"

    @property
    def normal(self) -> tuple[float, float]:
        """Centre and scale of a normal density on the scale of the prior."""
        centre = self.prior.centre
        return np.log(centre) if self.prior.family == "lognormal" else centre, self.prior.scale


class Scalars:
    """All scalar unknowns of a model in their order, standardised by its normal approximation.

    First the coefficients that are the same for all trees or means over groups, then spreads, residuals and lines
    of true predictors, last the partial correlations. ``vines`` holds for each correlation matrix its place, its
    size, the shapes of its prior and the places of the folded spreads whose signs turn it.
    """

    def __init__(self, spec, priors, near):
        self.items: list[Unknown] = []
        self.vines: dict[str, tuple] = {}
        self._roots = []
        fixed = []
        for (kind, label, name), start in zip(spec.fixed, near.fixed, strict=True):
            fixed.append(
                Unknown(kind, label, "log" if name in spec.positive else "plain", start, priors[name])
            )
        self._add(fixed, near.root)
        for block, group in zip(spec.blocks, near.groups, strict=True):
            units = resolution(group.information)
            for name, value, unit in zip(
                block.parameters, np.sqrt(np.diag(group.between)), units, strict=True
            ):
                self._add_spread(name, priors[f"spread({name})"], value, len(block.levels), unit)
        for j, response in enumerate(spec.free):
            error, prior = 1 / np.sqrt(2 * spec.counts[j]), priors[f"sigma({response})"]
            self._add([Unknown("sigma", response, "log", np.log(near.sigma[j]), prior)], error)
            if spec.functions[response].estimated:
                prior = priors[f"exponent({response})"]
                one = Unknown("exponent", response, "plain", near.exponent[j], prior)
                self._add([one], error / near.base_sd[j])
        for name, _, line, root, spread in lines(spec):
            prior = priors[f"line({name})"]
            self._add([Unknown("line", f"{name} {i}", "plain", v, prior) for i, v in enumerate(line)], root)
            one = Unknown("population", name, "log", np.log(spread), priors[f"population({name})"])
            self._add([one], 1 / np.sqrt(2 * len(spec.y)))
        for block, group in zip(spec.blocks, near.groups, strict=True):
            if block.correlated:
                sd, name = np.sqrt(np.diag(group.between)), f"correlation({block.column})"
                start, n = group.between / np.outer(sd, sd), len(block.levels)
                self._add_vine(name, priors[name].scale, start, n, block.parameters)
        if spec.correlated:
            self._add_vine("correlation", priors["correlation"].scale, near.correlation, spec.counts.min())

    def _add(self, items, root):
        self.items += items
        self._roots.append(root)

    def _add_spread(self, name, prior, value, n, unit):
        """Add the spread of ``n`` groups, of which the data tell down to ``unit``; folded if it may be 0."""
        if prior.family == "lognormal":
            self._add([Unknown("spread", name, "log", np.log(value), prior)], 1 / np.sqrt(2 * n))
            return
        unit = float(min(unit, prior.scale))
        error = np.hypot(value / np.sqrt(2 * n), unit) / np.hypot(value, unit)
        self._add([Unknown("spread", name, "folded", np.arcsinh(value / unit), prior, unit)], error)

    def _add_vine(self, name, eta, correlation, n, spreads=()):
        """Add the correlations of one matrix under LKJ(eta); ``n`` observations tell of them."""
        start = from_correlation(correlation)
        folded = tuple(self.place("spread", p) for p in spreads)
        self.vines[name] = (len(self.items), len(correlation), shapes(len(correlation), eta), folded)
        self._add(
            [Unknown(name, str(i), "partial", value) for i, value in enumerate(start)],
            np.eye(len(start)) / np.sqrt(n),
        )

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Kind and name of each."""
        return [(u.kind, u.name) for u in self.items]

    @property
    def start(self) -> np.ndarray:
        """The vector :math:`t_0`."""
        return np.array([u.start for u in self.items], float)

    @property
    def root(self) -> np.ndarray:
        """The matrix R, by blocks."""
        return block_diag(*self._roots)

    def place(self, kind, name) -> int:
        """Position of an unknown."""
        return self.keys.index((kind, name))

    def take(self, t, kind, name) -> np.ndarray:
        """Draws of one unknown on its natural scale, from those of the vector (D, P)."""
        one, values = self.items[self.place(kind, name)], t[:, self.place(kind, name)]
        if one.way == "folded":
            return np.abs(one.unit * np.sinh(values))
        return np.exp(values) if one.way == "log" else values

    def correlation(self, t, name) -> np.ndarray:
        """Draws of a correlation matrix, (D, d, d)."""
        at, d, alpha, spreads = self.vines[name]
        matrix = correlation(cholesky(np.tanh(t[:, at : at + len(alpha)]).T, d, np.sqrt))
        out = np.empty((len(t), d, d))
        for i in range(d):
            for j in range(d):
                out[:, i, j] = matrix[i][j]
        for k, place in enumerate(spreads):
            if self.items[place].way == "folded":
                out[:, k] *= np.sign(t[:, place, None])
                out[:, :, k] *= np.sign(t[:, place, None])
        return out


# Groups.


def group_values(builder, c: int, block, z):
    """Values of one block.

    Parameters
    ----------
    builder : Builder
        Where scalar unknowns and data are found.
    c : int
        Number of the block.
    block : Block
    z : tensor, shape (K S,)
        What the sampler moves.

    Returns
    -------
    theta : list of tensor, shape (S,)
        One for each coefficient, on the sampled scale.
    u : list of tensor, shape (S,)
        Deviations in units of the spread between the groups.
    log_size : tensor, shape (S,)
        Logarithm of their size per unit of z.
    """
    import pytensor.tensor as pt

    near, size, n = builder.near.groups[c], range(len(block.parameters)), len(block.levels)
    root = _columns_of_root(builder, block)
    own = [
        [builder.hold(f"information_{c}_{max(i, j)}_{min(i, j)}", near.information[:, i, j]) for j in size]
        for i in size
    ]
    moved = [builder.t[j] - builder.held["start"][j] for j in range(near.cross.shape[2])]
    slope = []
    for i in size:
        cross = [builder.hold(f"cross_{c}_{i}_{j}", near.cross[:, i, j]) for j in range(len(moved))]
        fall = sum(x * shift for x, shift in zip(cross, moved, strict=True))
        slope.append(builder.hold(f"pull_{c}_{i}", near.pull[:, i]) - fall)
    times = [[_product(column, own[j]) for j in size] for column in root]
    inner = [[_product(root[j], times[i]) for j in range(i + 1)] for i in size]
    lower = factor([[*row[:-1], 1.0 + row[-1]] for row in inner], pt.sqrt)
    half, u = [], [None] * len(size)
    for i in size:
        known = sum(x * y for x, y in zip(lower[i], half, strict=False))
        half.append((_product(root[i], slope) - known) / lower[i][i])
    for i in reversed(size):
        known = sum(lower[k][i] * u[k] for k in size[i + 1 :])
        u[i] = (half[i] + z[i * n : (i + 1) * n] - known) / lower[i][i]
    theta = [
        builder.scalar("mean", p) + sum(column[i] * u[j] for j, column in enumerate(root) if i in column)
        for i, p in enumerate(block.parameters)
    ]
    return theta, u, -sum(pt.log(lower[i][i]) for i in size)


def _columns_of_root(builder, block) -> list[dict]:
    """Columns of the triangular root of the covariance over the groups, by row; what is 0 is left out."""
    spread = [builder.scalar("spread", p, natural=True) for p in block.parameters]
    if not block.correlated:
        return [{j: s} for j, s in enumerate(spread)]
    rows = builder.vines[f"correlation({block.column})"]
    return [{i: spread[i] * rows[i][j] for i in range(j, len(rows))} for j in range(len(rows))]


def _product(column, values):
    return sum(x * values[k] for k, x in column.items())


def resolution(information) -> np.ndarray:
    """Size (K,) below which the data cannot tell a spread from 0.

    The likelihood of a variance near 0 has half the summed squares of the groups' information (S, K, K) for its own
    information; its square root, the standard error of a spread that is 0, is returned.
    """
    scale = np.sqrt(np.einsum("skk->sk", information).clip(1e-300))
    unit = information / scale[:, :, None] / scale[:, None, :] + 1e-6 * np.eye(scale.shape[1])
    alone = scale**2 / np.einsum("skk->sk", np.linalg.inv(unit))
    return (2 / (alone**2).sum(axis=0)) ** 0.25


# Predictors measured with error.


def lines(spec):
    """Least-squares line of the logarithm of each such predictor on those before it.

    Yields
    ------
    name : str
    others : tuple of str
        Predictors on the right: those without error first, then those that came before.
    line, root : array
        Coefficients, and a root of their covariance.
    spread : float
        Residual SD.
    """
    others = [c for c in spec.columns if c not in spec.errors]
    for name in spec.errors:
        logs = [np.log(spec.columns[c]) for c in others]
        design = np.column_stack([np.ones(len(spec.y)), *logs])
        y = np.log(spec.columns[name])
        line = np.linalg.lstsq(design, y, rcond=None)[0]
        spread = max(float(np.std(y - design @ line)), 1e-3)
        root = spread * np.linalg.pinv(np.linalg.qr(design)[1])
        yield name, tuple(others), line, root, spread
        others.append(name)


def wanted(spec) -> dict[str, Wanted]:
    """Priors that the distribution of true values needs."""
    found = {}
    for name in spec.errors:
        found[f"line({name})"] = Wanted("true_line", ("normal",))
        found[f"population({name})"] = Wanted("true_spread", ("halfnormal", "lognormal"))
    return found


def true_predictors(builder) -> dict[str, Quantity]:
    """Add the unknown predictors to the model that is being built, and return them."""
    import pytensor.tensor as pt

    pm, spec, found = builder.pm, builder.spec, {}
    for name, others, line, _, _ in lines(spec):
        x, sd = spec.columns[name], spec.errors[name]
        z = pm.Flat(f"z_{name}", shape=len(x))
        shift = builder.hold(f"relative_error_{name}", sd / x) * z
        log_true = builder.hold(f"log_measured_{name}", np.log(x)) + shift
        coefficients = [builder.scalar("line", f"{name} {i}") for i in range(len(line))]
        logs = [
            found[c].log if c in found else builder.hold(f"log_{c}", np.log(spec.columns[c])) for c in others
        ]
        expected = coefficients[0] + sum(b * x for b, x in zip(coefficients[1:], logs, strict=True))
        log_spread = builder.scalar("population", name)
        apart = (log_true - expected) * pt.exp(-log_spread)
        pm.Potential(f"true_{name}", -0.5 * (apart**2).sum() - len(x) * log_spread)
        # (measured - true) / sd, written so that a small difference keeps its digits.
        error = builder.hold(f"sd_in_{name}", x / sd) * pt.expm1(shift)
        pm.Potential(f"measured_{name}", -0.5 * (error**2).sum())
        found[name] = Quantity(pt.exp(log_true), log_true)
        builder.structure.append((name, others, len(x)))
    return found


# The model.


class Held:
    """Data that were taken into a model.

    What has a value for each row is kept as one matrix, what has a fixed size as one vector, what belongs to some of
    the rows by itself. ``held`` holds the tensor of each array by name, ``arrays`` the values of the model's data and
    ``sizes`` what their axes are called; a number stands for an axis that is as long in every data set of the
    structure.

    Parameters
    ----------
    n_row : int
    """

    def __init__(self, n_row: int):
        self.n_row = n_row
        self.held, self.arrays, self.sizes = {}, {}, {}
        self._matrices, self._by_row = {"number": [], "index": []}, []
        self._numbers, self._n_number = [], 0

    def hold(self, name: str, array, along: str | None = None):
        """Tensor of an array, which is taken in once; ``along`` names what an array of some rows is as long as."""
        if name in self.held:
            return self.held[name]
        array = np.asarray(array)
        kind = "index" if array.dtype.kind in "iu" else "number"
        array = array.astype(np.int32 if kind == "index" else float)
        if along:
            self.arrays[name], self.sizes[name] = array, (along,)
            self._kept(name, array)
        elif array.shape == (self.n_row,):
            matrix = self._kept(f"{kind}_by_row", np.zeros((1, 1), array.dtype))
            self.held[name] = matrix[len(self._matrices[kind])]
            self._matrices[kind].append(array)
            self._by_row.append(name)
        else:
            held = self._kept("numbers", np.zeros(1))[self._n_number : self._n_number + array.size]
            self.held[name] = held if array.ndim == 1 else held.reshape(array.shape)
            self._numbers.append(array.ravel())
            self._n_number += array.size
        return self.held[name]

    def _kept(self, name, begin):
        import pymc as pm

        if name not in self.held:
            self.held[name] = pm.Data(name, begin)
        return self.held[name]

    def fill(self, model) -> None:
        """Give the collected data their values."""
        for kind, rows in self._matrices.items():
            if rows:
                self.arrays[f"{kind}_by_row"] = np.stack(rows)
                self.sizes[f"{kind}_by_row"] = (str(len(rows)), "rows")
        self.arrays["numbers"], self.sizes["numbers"] = np.concatenate(self._numbers), (str(self._n_number),)
        for name, array in self.arrays.items():
            model[name].set_value(array)


class Builder(Held):
    """Builds the PyMC model and keeps the arrays that it was given.

    ``structure`` tells all that the compiled code depends on besides the values of ``arrays``; ``scalars``
    are the unknowns that are not values of groups; ``told`` are the tensors of what is drawn, one after another, and
    ``shapes`` their shapes by name.
    """

    def __init__(self, spec, priors, near):
        super().__init__(len(spec.y))
        self.spec, self.near = spec, near
        self.scalars, self._model = Scalars(spec, priors, near), None
        self.structure = [spec.system.text, spec.free, spec.common]
        self.shapes = {"t": (len(self.scalars.items),)} | {
            f"group_{c}": (len(b.parameters), len(b.levels)) for c, b in enumerate(spec.blocks)
        }

    def build(self):
        """Make the model, once.

        Returns
        -------
        model : pymc.Model
        """
        if self._model is not None:
            return self._model
        load()
        import pymc as pm

        with pm.Model(check_bounds=False) as self._model:
            self.pm = pm
            self._unknowns()
            self.rows = {}
            for name, place in self.spec.common_rows.items():
                self.rows[name] = self.t[self.hold(f"level_{name}", place) if np.ndim(place) else place]
            for c, block in enumerate(self.spec.blocks):
                self._block(c, block)
            self._likelihood()
            self.fill(self._model)
        self.structure.append((tuple(self.held), tuple(self._by_row)))
        return self._model

    def _unknowns(self):
        """The vector of scalar unknowns with its priors, and the factors of the correlation matrices."""
        import pytensor.tensor as pt

        pm, s = self.pm, self.scalars
        z = pm.Flat("z", shape=len(s.items))
        t = self.hold("start", s.start) + (self.hold("root", s.root) * z).sum(axis=1)
        self.t = pm.Deterministic("t", t)
        self.told = [self.t]
        plain = [u for u in s.items if u.way != "partial"]
        value, jacobian = self._natural(self.t[: len(plain)], plain)
        centre, scale = np.transpose([u.normal for u in plain])
        apart = (value - self.hold("centre", centre)) / self.hold("scale", scale)
        pm.Potential("priors", (jacobian - 0.5 * apart**2).sum())
        self.vines = {}
        for name, (at, d, alpha, _) in s.vines.items():
            y = self.t[at : at + len(alpha)]
            # tanh(y) is Beta(alpha, alpha) on (-1, 1); log cosh, with its Jacobian, without overflow.
            bend = _log_two_cosh(y) - np.log(2.0)
            pm.Potential(f"prior_{name}", (-2 * self.hold(f"alpha_{name}", alpha) * bend).sum())
            partial = pt.tanh(y)
            self.vines[name] = cholesky([partial[i] for i in range(len(alpha))], d, pt.sqrt)
        self.structure.append(
            tuple((u.kind, u.name, u.way, u.way != "partial" and u.natural) for u in s.items)
        )

    def _natural(self, t, items):
        """Unknowns on the scale of their prior, and the logarithm of the Jacobian."""
        import pytensor.tensor as pt

        value, jacobian = t, 0.0
        log, folded = (np.array([u.natural and u.way == way for u in items]) for way in ("log", "folded"))
        # What is not transformed is kept from the functions, whose overflow would spoil the gradient.
        if log.any():
            inside = pt.switch(log, t, 0.0)
            value, jacobian = pt.switch(log, pt.exp(inside), value), jacobian + inside
        if folded.any():
            inside = pt.switch(folded, t, 0.0)
            unit = self.hold("unit", [u.unit for u in items])
            value, jacobian = (
                pt.switch(folded, unit * pt.sinh(inside), value),
                jacobian + _log_two_cosh(inside),
            )
        return value, jacobian

    def scalar(self, kind, name, natural=False):
        """One unknown, on the sampled or on its natural scale, where a folded one has a sign."""
        import pytensor.tensor as pt

        at = self.scalars.place(kind, name)
        if not natural:
            return self.t[at]
        folded = self.scalars.items[at].way == "folded"
        return self.held["unit"][at] * pt.sinh(self.t[at]) if folded else pt.exp(self.t[at])

    def _block(self, c, block):
        import pytensor.tensor as pt

        z = self.pm.Flat(f"z_{c}", shape=len(block.levels) * len(block.parameters))
        theta, u, log_size = group_values(self, c, block, z)
        self.pm.Potential(f"groups_{c}", log_size.sum() - 0.5 * sum((x**2).sum() for x in u))
        self.pm.Deterministic(f"group_{c}", pt.stack(theta))
        self.told += theta
        level = self.hold(f"group_{c}_of_row", block.rows)
        for name, values in zip(block.parameters, theta, strict=True):
            self.rows[name] = values[level]
        self.structure.append((block.column, block.parameters, block.correlated, len(block.levels)))

    def _likelihood(self):
        """One density for each pattern of what was weighed."""
        import pytensor.tensor as pt

        spec = self.spec
        parameters = true_predictors(self)
        for name, value in self.rows.items():
            positive = name in spec.positive
            parameters[name] = Quantity(pt.exp(value), value) if positive else Quantity(value)
        compiled = Compiled(spec.system.equations, spec.free, (*spec.system.parameters, *spec.errors))
        known = {c: x for c, x in spec.columns.items() if c not in spec.errors}
        means = Translation(compiled, known, parameters, self.hold)
        residuals = [self._residual(j, means) for j in range(len(spec.free))]
        matrix = (
            correlation(self.vines["correlation"]) if spec.correlated else np.eye(len(spec.free)).tolist()
        )
        for i, part in enumerate(spec.parts):
            used = np.flatnonzero((part.combine != 0).any(axis=0)).tolist()
            along = None if len(part.rows) == self.n_row else f"rows_{i}"
            values = [self.hold(f"y_{i}_{a}", y, along) for a, y in enumerate(part.values.T)]
            location, log_sd = ({j: residuals[j][k] for j in used} for k in (0, 1))
            if along:
                index = self.hold(along, part.rows, along)
                location, log_sd = ({j: _take(x, index) for j, x in m.items()} for m in (location, log_sd))
            found = density(part.combine, values, location, log_sd, matrix, pt)
            name = "_".join(spec.free[j] for j in used) if i < len(spec.patterns) else f"combined_{i}"
            self.pm.Potential(name, found.sum())
            self.structure.append((along, part.combine.tobytes()))
        self.structure.append(tuple((r, f.kind, f.by, f.estimated) for r, f in spec.functions.items()))

    def _residual(self, j, means):
        """Location of equation j for all rows and logarithm of its residual SD; both of the logarithm if lognormal."""
        import pytensor.tensor as pt

        response = self.spec.free[j]
        f, log_sigma = self.spec.functions[response], self.scalar("sigma", response)
        if f.logged:
            return means.log_mean(response) - 0.5 * pt.exp(2 * log_sigma), log_sigma
        mean = means.mean(response)
        if f.even:
            return mean, log_sigma
        if f.by_mean:
            base = means.log_mean(response) if f.form.of_log else mean
        else:
            base = self.hold(f"variance_{j}", f.base(self.spec.columns[f.by]))
        held = self.hold(f"variance_function_{j}", [self.near.centre[j], f.start])
        exponent = self.scalar("exponent", response) if f.estimated else held[1]
        return mean, log_sigma + f.log_g(exponent, base, held[0], pt)


def _take(tensor, index):
    """Rows of a vector; a scalar stays one."""
    return tensor[index] if tensor.ndim else tensor


def _log_two_cosh(x):
    """Logarithm of ``2 cosh(x)``, smooth and without overflow."""
    import pytensor.tensor as pt

    size = pt.abs(x)
    return size + pt.log1p(pt.exp(-2 * size))
