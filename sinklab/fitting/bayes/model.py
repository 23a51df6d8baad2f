r"""The PyMC model of a fit, built from the equations.

*Unknowns.* The sampler moves standardised variables ``z_…``. The scalar unknowns are one vector
:math:`t = t_0 + R z`, with start and root from :mod:`.approximation`. Positive quantities stand in ``t`` as
logarithms, correlations as inverse hyperbolic tangents of partial correlations. A spread between groups that may
be 0 stands there as :math:`\mathrm{arsinh}(s / s_0)` and is *folded*: s and -s are the same spread, so that 0 is no
border against which the sampler runs, and the half-normal prior is a normal one. Far from 0 that is a logarithm
too; :math:`s_0` is what the data can tell from 0. A prior is PyMC's normal density of the unknown, its logarithm or
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

*Trees.* Residuals of one tree are correlated: the components it has are written one after another, each normal (or
lognormal) given those before it, which is the marginal of the multivariate distribution on what was measured.
Lognormal equations give the mean: :math:`\ln y \sim N(\ln f - \sigma^2/2, \sigma)`.

*Predictors measured with error.* What was measured is normal about the true value with the stated SD; true values are
lognormal over the trees, their logarithm depending linearly on the logarithms of the other predictors, because a
tree of known height is not any tree. The sampler moves the true value in units of the error of measurement.

*Data*, the numbers of the priors and the standardisation are ``pm.Data``, so that one compiled model serves every
data set of the same structure.

Source
------
Lewandowski D., Kurowicka D., Joe H. (2009) Generating random correlation matrices based on vines and
extended onion method. Journal of Multivariate Analysis 100:1989-2001.
Papaspiliopoulos O., Roberts G.O., Skoeld M. (2007) A general framework for the parametrization of
hierarchical models. Statistical Science 22:59-73.
"""

from dataclasses import dataclass, field

import numpy as np

from sinklab.fitting.bayes.priors import Wanted
from sinklab.fitting.bayes.translation import Quantity, Translation, load

# Correlations: numbers, arrays or tensors alike.


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
    """Rows of the Cholesky factor from partial correlations (tensors or numbers)."""
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


class Conditionals:
    """Cholesky rows for any choice of components, each conditional on those before it.

    Parameters
    ----------
    rows : list of list
        Cholesky factor of all components.
    sqrt : callable
    """

    def __init__(self, rows, sqrt):
        self.full, self.sqrt = rows, sqrt
        self._matrix, self._found = None, {}

    def row(self, before: tuple[int, ...], j: int) -> list:
        """Weights of the standardised residuals of ``before``, then the SD that is left to ``j``."""
        if before == tuple(range(j)):
            return self.full[j]
        key = (*before, j)
        if key not in self._found:
            self._matrix = self._matrix or correlation(self.full)
            row, left = [], 1.0
            for a, k in enumerate(before):
                above = self.row(before[:a], k)
                value = self._matrix[j][k] - sum(x * y for x, y in zip(row, above[:-1], strict=True))
                row.append(value / above[-1])
                left = left - row[-1] ** 2
            self._found[key] = [*row, self.sqrt(left)]
        return self._found[key]


# Scalar unknowns.


@dataclass
class Scalars:
    """Unknowns in the order in which they were added.

    ``keys`` are ``(kind, name)`` pairs such as ``("spread", "a")``; ``log`` tells which are logarithms,
    ``folded`` which may have either sign, in multiples of ``unit``; ``natural`` where the prior is one of the
    natural value, so that a Jacobian is due; ``centre`` and ``scale`` are those of a normal density on the
    scale of the prior. ``vines`` holds for each correlation matrix its place, its size, the shapes of its prior
    and the places of the folded spreads whose signs turn it.
    """

    keys: list = field(default_factory=list)
    log: list = field(default_factory=list)
    folded: list = field(default_factory=list)
    unit: list = field(default_factory=list)
    natural: list = field(default_factory=list)
    centre: list = field(default_factory=list)
    scale: list = field(default_factory=list)
    start: list = field(default_factory=list)
    vines: dict = field(default_factory=dict)
    _blocks: list = field(default_factory=list)

    def add(self, keys, priors, log, start, root, slope=None) -> None:
        """Add a vector of unknowns.

        Parameters
        ----------
        keys : sequence of (str, str)
        priors : sequence of Prior
        log : sequence of bool
            Which are sampled as logarithms.
        start : array, shape (q,)
        root : array, shape (q, q)
        slope : array, shape (q, k), optional
            Dependence on the first k unknowns of all.
        """
        for key, prior, logged, value in zip(keys, priors, log, start, strict=True):
            on_log = prior.family == "lognormal"
            centre = np.log(prior.centre) if on_log else prior.centre
            self._append(
                key, value, centre, prior.scale, log=bool(logged), natural=bool(logged) and not on_log
            )
        self._blocks.append((len(self.keys) - len(start), np.atleast_2d(root), slope))

    def add_spread(self, key, prior, value, n, unit) -> None:
        """Add the spread of ``n`` groups, of which the data tell down to ``unit``; folded if it may be 0."""
        if prior.family == "lognormal":
            self.add([key], [prior], [True], [np.log(value)], [[1 / np.sqrt(2 * n)]])
            return
        unit = min(unit, prior.scale)
        self._append(key, np.arcsinh(value / unit), 0.0, prior.scale, natural=True, folded=True, unit=unit)
        error = np.hypot(value / np.sqrt(2 * n), unit) / np.hypot(value, unit)
        self._blocks.append((len(self.keys) - 1, np.array([[error]]), None))

    def add_vine(self, name, eta, correlation, n, spreads=()) -> None:
        """Add the correlations of one matrix under LKJ(eta); ``n`` observations tell of them."""
        start = from_correlation(correlation)
        folded = tuple(self.place("spread", p) for p in spreads)
        self.vines[name] = (len(self.keys), len(correlation), shapes(len(correlation), eta), folded)
        for i, value in enumerate(start):
            self._append((name, str(i)), value, 0.0, np.inf)
        self._blocks.append((len(self.keys) - len(start), np.eye(len(start)) / np.sqrt(n), None))

    def _append(self, key, start, centre, scale, log=False, folded=False, natural=False, unit=1.0):
        self.keys.append(key)
        self.log.append(log)
        self.folded.append(folded)
        self.natural.append(natural)
        self.unit.append(float(unit))
        self.centre.append(float(centre))
        self.scale.append(float(scale))
        self.start.append(float(start))

    def root(self) -> np.ndarray:
        """The matrix R, lower triangular by blocks."""
        out = np.zeros((len(self.keys), len(self.keys)))
        for at, root, slope in self._blocks:
            here = slice(at, at + len(root))
            out[here, here] = root
            if slope is not None:
                k = slope.shape[1]
                out[here, :k] = -slope @ out[:k, :k]
        return out

    def place(self, kind, name) -> int:
        """Position of an unknown."""
        return self.keys.index((kind, name))

    def take(self, t, kind, name) -> np.ndarray:
        """Draws of one unknown on its natural scale, from those of the vector (D, P)."""
        at = self.place(kind, name)
        if self.folded[at]:
            return np.abs(self.unit[at] * np.sinh(t[:, at]))
        return np.exp(t[:, at]) if self.log[at] else t[:, at]

    def correlation(self, t, name) -> np.ndarray:
        """Draws of a correlation matrix, (D, d, d)."""
        at, d, _, spreads = self.vines[name]
        partial = np.tanh(t[:, at : at + d * (d - 1) // 2]).T
        matrix = correlation(cholesky(partial, d, np.sqrt))
        sign = [np.sign(t[:, p]) if self.folded[p] else 1.0 for p in spreads] or [1.0] * d
        out = np.empty((len(t), d, d))
        for i in range(d):
            for j in range(d):
                out[:, i, j] = 1.0 if i == j else sign[i] * sign[j] * matrix[i][j]
        return out


def collect(spec, priors, near) -> Scalars:
    """All scalar unknowns of a model, standardised by its normal approximation."""
    found, k = Scalars(), len(spec.common)
    if k:
        names = [name for name, _ in spec.common]
        log = [n in spec.positive for n in names]
        keys = [("common", f"{n}[{g}]") for n, g in spec.common]
        found.add(keys, [priors[n] for n in names], log, near.beta, near.beta_root)
    for block, group in zip(spec.blocks, near.groups, strict=True):
        names = block.parameters
        log = [n in spec.positive for n in names]
        slope = group.mean_slope if k else None
        keys = [("mean", n) for n in names]
        found.add(keys, [priors[n] for n in names], log, group.mean, group.mean_root, slope)
        values, units = np.sqrt(np.diag(group.between)), resolution(group)
        for name, value, unit in zip(names, values, units, strict=True):
            found.add_spread(("spread", name), priors[f"spread({name})"], value, len(block.levels), unit)
    counts = np.isfinite(spec.y).sum(axis=0)
    own = [priors[f"sigma({r})"] for r in spec.free]
    width = np.diag(1 / np.sqrt(2 * counts))
    found.add([("sigma", r) for r in spec.free], own, [True] * len(own), np.log(near.sigma), width)
    for j, response in enumerate(spec.free):
        if spec.functions[response].estimated:
            width = [[1 / (np.sqrt(2 * counts[j]) * near.base_sd[j])]]
            prior = priors[f"exponent({response})"]
            found.add([("exponent", response)], [prior], [False], [near.exponent[j]], width)
    add_scalars(spec, priors, found)
    for block, group in zip(spec.blocks, near.groups, strict=True):
        if block.correlated:
            sd = np.sqrt(np.diag(group.between))
            name = f"correlation({block.column})"
            start, n = group.between / np.outer(sd, sd), len(block.levels)
            found.add_vine(name, priors[name].scale, start, n, block.parameters)
    if spec.correlated:
        found.add_vine("correlation", priors["correlation"].scale, near.correlation, counts.min())
    return found


# Groups.


def group_values(builder, c: int, block, z, library):
    """Values of one block.

    Parameters
    ----------
    builder : Builder or Unknowns
        Where scalar unknowns and data are found.
    c : int
        Number of the block.
    block : Block
    z : tensor, shape (…, K S)
        What the sampler moves.
    library : module
        PyTensor's tensors, or numpy.

    Returns
    -------
    theta : list of tensor, shape (…, S)
        One for each coefficient, on the sampled scale.
    u : list of tensor, shape (…, S)
        Deviations in units of the spread between the groups.
    log_size : tensor, shape (…, S)
        Logarithm of their size per unit of z.
    """
    near, size = builder.near.groups[c], len(block.parameters)
    root = _root(builder, block)
    mean = [builder.scalar("mean", p) for p in block.parameters]
    pair = {(i, j): near.information[:, i, j] for i in range(size) for j in range(i + 1)}
    held = {(i, j): builder.hold(f"information_{c}_{i}_{j}", own) for (i, j), own in pair.items()}
    own = [[held[max(i, j), min(i, j)] for j in range(size)] for i in range(size)]
    slope = _slope(builder, c, near, own, mean)
    z = [z[..., i * len(block.levels) : (i + 1) * len(block.levels)] for i in range(size)]
    u, log_size = _standardised(root, own, slope, z, library)
    return [mean[i] + _product(root[i], u, range(i + 1)) for i in range(size)], u, log_size


def _root(builder, block) -> list[list]:
    """Lower triangular root of the covariance over the groups; None where it is 0 by construction."""
    spread = [builder.scalar("spread", p, natural=True) for p in block.parameters]
    if not block.correlated:
        return [[None] * i + [s] for i, s in enumerate(spread)]
    rows = builder.conditionals[f"correlation({block.column})"].full
    return [[spread[i] * rows[i][j] for j in range(i + 1)] for i in range(len(spread))]


def _slope(builder, c, near, own, mean) -> list:
    """Slope of the likelihood of each group's own trees at the mean over the groups."""
    common = [builder.t[j] - builder.held["start"][j] for j in range(near.cross.shape[2])]
    begin = builder.hold(f"mean_{c}", near.mean)
    moved = [m - begin[i] for i, m in enumerate(mean)]
    out = []
    for i in range(len(mean)):
        value = builder.hold(f"pull_{c}_{i}", near.pull[:, i])
        for j, shift in enumerate(common):
            value = value - builder.hold(f"cross_{c}_{i}_{j}", near.cross[:, i, j]) * shift
        out.append(value - _product(own[i], moved, range(len(mean))))
    return out


def _product(left, right, over):
    """Sum of products, those with None left out."""
    return sum(left[k] * right[k] for k in over if left[k] is not None)


def _standardised(root, own, slope, z, library):
    """Deviations u in units of the root, and the logarithm of their size per unit of z."""
    size = len(root)
    column = [[root[i][j] if i >= j else None for i in range(size)] for j in range(size)]
    everything = range(size)
    times = [[_product(column[j], own[i], everything) for j in everything] for i in everything]
    lower, half, log_size = [], [], 0.0
    for i in everything:
        row = []
        for j in range(i):
            known = _product(column[i], [times[k][j] for k in everything], everything)
            row.append((known - _product(row, lower[j], range(j))) / lower[j][j])
        known = _product(column[i], [times[k][i] for k in everything], everything)
        left = 1.0 + known - sum(x**2 for x in row)
        lower.append([*row, library.sqrt(left)])
        log_size = log_size - 0.5 * library.log(left)
        half.append((_product(column[i], slope, everything) - _product(row, half, range(i))) / lower[i][i])
    u = [None] * size
    for i in reversed(everything):
        above = sum(lower[k][i] * u[k] for k in range(i + 1, size))
        u[i] = (half[i] + z[i] - above) / lower[i][i]
    return u, log_size


def resolution(near) -> np.ndarray:
    """Size (K,) below which the data cannot tell a spread from 0.

    The likelihood of a variance near 0 has half the summed squares of the groups' information for its own
    information; its square root, the standard error of a spread that is 0, is returned.
    """
    scale = np.sqrt(np.einsum("skk->sk", near.information).clip(1e-300))
    unit = near.information / scale[:, :, None] / scale[:, None, :] + 1e-6 * np.eye(scale.shape[1])
    alone = scale**2 / np.einsum("skk->sk", np.linalg.inv(unit))
    return (2 / (alone**2).sum(axis=0)) ** 0.25


# Trees.


class Likelihood:
    """Adds the density of the responses to the model that is being built.

    Parameters
    ----------
    builder : Builder
    translation : Translation
        Means of the responses.
    residuals : Conditionals or None
        Correlation of the components; None if they are independent.
    """

    def __init__(self, builder, translation, residuals):
        import pytensor.tensor as pt

        self.builder, self.spec, self.pm, self.translation = builder, builder.spec, builder.pm, translation
        independent = [[0.0] * j + [1.0] for j in range(len(self.spec.free))]
        self.residuals = residuals or Conditionals(independent, pt.sqrt)
        self.scales, self.standard = {}, {}

    def add(self) -> tuple:
        """Add every term; returns what the compiled code depends on."""
        spec, nodes = self.spec, {}
        complete = len(spec.patterns) == 1 and len(spec.patterns[0].rows) == len(spec.y)
        for pattern in spec.patterns:
            for a, j in enumerate(pattern.seen):
                before = tuple(map(int, pattern.seen[:a])) if spec.correlated else ()
                nodes.setdefault((before, int(j)), []).append(pattern.rows)
        for (before, j), rows in nodes.items():
            self._observe(before, j, None if complete else np.sort(np.concatenate(rows)))
        for i, part in enumerate(spec.combined):
            self._observe_combined(i, part)
        return (
            tuple(nodes),
            complete,
            tuple(c.combine.tobytes() for c in spec.combined),
            tuple((r, f.kind, f.by, f.estimated) for r, f in spec.functions.items()),
        )

    def _scale(self, j):
        """Location of equation j for all rows and logarithm of its residual SD; both of the logarithm if lognormal."""
        if j not in self.scales:
            self.scales[j] = self._make_scale(j)
        return self.scales[j]

    def _make_scale(self, j):
        import pytensor.tensor as pt

        response = self.spec.free[j]
        f, log_sigma = self.spec.functions[response], self.builder.scalar("sigma", response)
        if f.logged:
            sigma = self.builder.scalar("sigma", response, natural=True)
            return self.translation.log_mean(response) - 0.5 * sigma**2, log_sigma
        mean = self.translation.mean(response)
        if f.even:
            return mean, log_sigma
        if f.by_mean:
            base = self.translation.log_mean(response) if f.form.of_log else mean
        else:
            base = self.builder.hold(f"variance_{j}", f.base(self.spec.columns[f.by]))
        held = self.builder.hold(f"variance_function_{j}", [self.builder.near.centre[j], f.start])
        exponent = self.builder.scalar("exponent", response) if f.estimated else held[1]
        return mean, log_sigma + f.log_g(exponent, base, held[0], pt)

    def _standard(self, before, j):
        """Standardised residual of j given those of ``before``, for all rows, and the SD that is left to it.

        Rows that lack a component have its estimate in place of it, and are never used.
        """
        import pytensor.tensor as pt

        if (before, j) not in self.standard:
            location, log_sd = self._scale(j)
            y = np.where(np.isfinite(self.spec.y[:, j]), self.spec.y[:, j], self.builder.near.mean[:, j])
            y = self.builder.hold(f"full_{j}", np.log(y) if self.spec.is_lognormal(j) else y)
            standard = (y - location) * pt.exp(-log_sd)
            *weights, left = self.residuals.row(before, j)
            for a, k in enumerate(before):
                standard = standard - weights[a] * self._standard(before[:a], k)[0]
            self.standard[before, j] = standard / left if before else standard, left
        return self.standard[before, j]

    def _observe(self, before, j, rows):
        """Density of one component where it was measured together with those of ``before``."""
        import pytensor.tensor as pt

        standard, left = self._standard(before, j)
        log_sd = self._scale(j)[1] + (pt.log(left) if before else 0.0)
        name = "_given_".join([self.spec.free[j], *(self.spec.free[k] for k in before)])
        if rows is not None:
            index = self.builder.hold(f"rows_{name}", rows)
            standard, log_sd = standard[index], _take(log_sd, index)
        density = self.pm.logp(self.pm.Normal.dist(0.0, 1.0), standard).sum()
        spread = log_sd.sum() if log_sd.ndim else log_sd * standard.shape[0]
        self.pm.Potential(name, density - spread)

    def _observe_combined(self, i, part):
        """Trees of which sums of components were weighed: normal, with a covariance of their own each."""
        index = self.builder.hold(f"rows_combined_{i}", part.rows)
        used = [int(j) for j in np.flatnonzero((part.combine != 0).any(axis=0))]
        matrix = correlation(self.residuals.full)
        mean = {j: _take(self._scale(j)[0], index) for j in used}
        sd = {j: self.pm.math.exp(_take(self._scale(j)[1], index)) for j in used}
        standard, rows = [], []
        for a, weights in enumerate(part.combine):
            location = sum(weights[j] * mean[j] for j in used)
            row = []
            for b, above in enumerate(part.combine[: a + 1]):
                covariance = sum(
                    weights[j] * above[k] * matrix[j][k] * sd[j] * sd[k] for j in used for k in used
                )
                covariance = covariance - sum(
                    x * y for x, y in zip(row, rows[b] if b < a else row, strict=False)
                )
                row.append(covariance / rows[b][b] if b < a else self.pm.math.sqrt(covariance))
            rows.append(row)
            location = location + sum((row[b] * standard[b] for b in range(a)), 0.0)
            y = self.builder.hold(f"y_combined_{i}_{a}", part.values[:, a], f"rows_combined_{i}")
            standard.append((y - location) / row[a])
            density = self.pm.logp(self.pm.Normal.dist(0.0, 1.0), standard[a]) - self.pm.math.log(row[a])
            self.pm.Potential(f"combined_{i}_{a}", density.sum())


def _take(tensor, index):
    """Rows of a vector; a scalar stays one."""
    return tensor[index] if tensor.ndim else tensor


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


def add_scalars(spec, priors, scalars) -> None:
    """Add lines and spreads to the scalar unknowns."""
    for name, others, line, root, spread in lines(spec):
        keys = [("line", f"{name} {i}") for i in range(len(others) + 1)]
        scalars.add(keys, [priors[f"line({name})"]] * len(keys), [False] * len(keys), line, root)
        width = [[1 / np.sqrt(2 * len(spec.y))]]
        scalars.add([("population", name)], [priors[f"population({name})"]], [True], [np.log(spread)], width)


def true_predictors(builder) -> dict[str, Quantity]:
    """Add the unknown predictors to the model that is being built, and return them."""
    import pytensor.tensor as pt

    pm, spec = builder.pm, builder.spec
    found = {}
    for name, others, line, _, _ in lines(spec):
        x, sd = spec.columns[name], spec.errors[name]
        z = pm.Flat(f"z_{name}", shape=len(x))
        measured = builder.hold(f"log_measured_{name}", np.log(x))
        shift = builder.hold(f"relative_error_{name}", sd / x) * z
        log_true = measured + shift
        expected = builder.scalar("line", f"{name} 0")
        for i in range(1, len(line)):
            other = others[i - 1]
            log_other = (
                found[other].log
                if other in found
                else builder.hold(f"log_{other}", np.log(spec.columns[other]))
            )
            expected = expected + builder.scalar("line", f"{name} {i}") * log_other
        log_spread = builder.scalar("population", name)
        standard = pm.Normal.dist(0.0, 1.0)
        apart = (log_true - expected) * pt.exp(-log_spread)
        pm.Potential(f"true_{name}", pm.logp(standard, apart).sum() - len(x) * log_spread)
        # (measured - true) / sd, written so that a small difference keeps its digits.
        error = builder.hold(f"sd_in_{name}", x / sd) * pt.expm1(shift)
        pm.Potential(f"measured_{name}", pm.logp(standard, error).sum())
        found[name] = Quantity(pt.exp(log_true), log_true)
        builder.structure.append((name, others, len(x)))
    return found


# The model.


#: Data of some of the rows, whose number may differ from one data set to the next.
_OF_A_SUBSET = ("y_", "rows_")


class Held:
    """Data that were taken into a model.

    What has a value for each row is kept as one matrix, what has a fixed size as one vector. ``tensors``
    holds the tensor of each array by name, ``arrays`` the values of the model's data and ``sizes`` what their axes
    are called; a number stands for an axis that is as long in every data set of the structure.

    Parameters
    ----------
    n_row : int
    """

    def __init__(self, n_row: int):
        import pymc as pm

        self.pm, self.n_row = pm, n_row
        self.tensors, self.arrays, self.sizes = {}, {}, {}
        self._matrices, self._names_by_row = {"number": [], "index": []}, []
        self._numbers, self._n_number = [], 0

    def take(self, name: str, array, along: str | None = None):
        """Tensor of an array, which is taken in once; ``along`` names another that is as long."""
        if name in self.tensors:
            return self.tensors[name]
        array = np.asarray(array)
        array = array.astype(np.int32) if array.dtype.kind in "iu" else array.astype(float)
        kind = "index" if array.dtype.kind == "i" else "number"
        if array.shape == (self.n_row,) and not name.startswith(_OF_A_SUBSET):
            matrix = self._kept(f"{kind}_by_row", np.zeros((1, 1), array.dtype))
            self.tensors[name] = matrix[len(self._matrices[kind])]
            self._matrices[kind].append(array)
            self._names_by_row.append(name)
        elif kind == "number" and not name.startswith(_OF_A_SUBSET):
            held = self._kept("numbers", np.zeros(1))[self._n_number : self._n_number + array.size]
            self.tensors[name] = held if array.ndim == 1 else held.reshape(array.shape)
            self._numbers.append(array.ravel())
            self._n_number += array.size
        else:
            self.arrays[name], self.tensors[name] = array, self.pm.Data(name, array)
            self.sizes[name] = (along or name,)
        return self.tensors[name]

    def _kept(self, name, begin):
        if name not in self.tensors:
            self.tensors[name] = self.pm.Data(name, begin)
        return self.tensors[name]

    def fill(self, model) -> None:
        """Give the collected data their values."""
        self.arrays |= {f"{kind}_by_row": np.stack(rows) for kind, rows in self._matrices.items() if rows}
        self.sizes |= {
            name: (str(len(rows)), "rows") for name, rows in self.arrays.items() if name not in self.sizes
        }
        self.arrays["numbers"] = np.concatenate(self._numbers)
        self.sizes["numbers"] = (str(self._n_number),)
        for name, array in self.arrays.items():
            model[name].set_value(array)

    @property
    def structure(self) -> tuple:
        """All that compiled code depends on: what is held, and which of it by row."""
        return tuple(self.tensors), tuple(self._names_by_row)


class Builder:
    """Builds the PyMC model and keeps the arrays that it was given.

    ``structure`` tells all that the compiled code depends on besides the values of ``arrays``; ``scalars``
    are the unknowns that are not values of groups.
    """

    def __init__(self, spec, priors, near):
        self.spec, self.near = spec, near
        self.scalars = collect(spec, priors, near)

    def build(self):
        """Make the model.

        Returns
        -------
        model : pymc.Model
        """
        load()
        import pymc as pm

        self.structure = [self.spec.system.text, self.spec.free, self.spec.common]
        with pm.Model(check_bounds=False) as model:
            self.pm, self.data = pm, Held(len(self.spec.y))
            self._unknowns()
            self.rows = {n: self._common_rows(n, i) for n, i in self.spec.common_rows.items()}
            for c, block in enumerate(self.spec.blocks):
                self._block(c, block)
            self._likelihood()
            self.data.fill(model)
        self.structure.append(self.data.structure)
        return model

    @property
    def arrays(self) -> dict:
        """The values of the model's data."""
        return self.data.arrays

    @property
    def sizes(self) -> dict:
        """What the axes of the data are called, see :class:`Held`."""
        return self.data.sizes

    @property
    def held(self) -> dict:
        """Tensors of the data by name."""
        return self.data.tensors

    def hold(self, name, array, along=None):
        """Take an array into the model as data, once."""
        return self.data.take(name, array, along)

    def _unknowns(self):
        """The vector of scalar unknowns with its priors, and each of them by itself."""
        import pytensor.tensor as pt

        pm, s = self.pm, self.scalars
        size = len(s.keys)
        z = pm.Flat("z", shape=size)
        self.t = pm.Deterministic(
            "t", self.hold("start", s.start) + (self.hold("root", s.root()) * z).sum(axis=1)
        )
        plain = size - sum(d * (d - 1) // 2 for _, d, *_ in s.vines.values())
        value, jacobian = self._natural(self.t[:plain], plain)
        centre, scale = self.hold("centre", s.centre[:plain]), self.hold("scale", s.scale[:plain])
        pm.Potential("priors", (pm.logp(pm.Normal.dist(centre, scale), value) + jacobian).sum())
        self.conditionals = {}
        for name, (at, d, alpha, _) in s.vines.items():
            y = self.t[at : at + len(alpha)]
            # tanh(y) is Beta(alpha, alpha) on (-1, 1); log cosh, with its Jacobian, without overflow.
            bend = _log_two_cosh(y) - np.log(2.0)
            pm.Potential(f"prior_{name}", (-2 * self.hold(f"alpha_{name}", alpha) * bend).sum())
            partial = pt.tanh(y)
            rows = cholesky([partial[i] for i in range(len(alpha))], d, pt.sqrt)
            self.conditionals[name] = Conditionals(rows, pt.sqrt)
        self.structure.append((tuple(s.keys), tuple(s.natural), tuple(s.log), tuple(s.folded)))

    def _natural(self, t, n):
        """Unknowns on the scale of their prior, and the logarithm of the Jacobian."""
        import pytensor.tensor as pt

        s, value, jacobian = self.scalars, t, 0.0
        log, folded = np.array(s.natural[:n]) & np.array(s.log[:n]), np.array(s.folded[:n])
        # What is not transformed is kept from the functions, whose overflow would spoil the gradient.
        if log.any():
            inside = pt.switch(log, t, 0.0)
            value, jacobian = pt.switch(log, pt.exp(inside), value), jacobian + inside
        if folded.any():
            inside = pt.switch(folded, t, 0.0)
            value = pt.switch(folded, self.hold("unit", s.unit[:n]) * pt.sinh(inside), value)
            jacobian = jacobian + _log_two_cosh(inside)
        return value, jacobian

    def scalar(self, kind, name, natural=False):
        """One unknown, on the sampled or on its natural scale."""
        import pytensor.tensor as pt

        at = self.scalars.place(kind, name)
        if not natural:
            return self.t[at]
        if self.scalars.folded[at]:
            return self.held["unit"][at] * pt.sinh(self.t[at])
        return pt.exp(self.t[at])

    def _common_rows(self, name, place):
        return self.t[self.hold(f"level_{name}", place)] if np.ndim(place) else self.t[place]

    def _block(self, c, block):
        import pytensor.tensor as pt

        z = self.pm.Flat(f"z_{c}", shape=len(block.levels) * len(block.parameters))
        theta, u, log_size = group_values(self, c, block, z, pt)
        self.pm.Potential(f"groups_{c}", log_size.sum() - 0.5 * sum((x**2).sum() for x in u))
        self.pm.Deterministic(f"group_{c}", pt.stack(theta))
        level = self.hold(f"group_{c}_of_row", block.rows)
        for name, values in zip(block.parameters, theta, strict=True):
            self.rows[name] = values[level]
        self.structure.append((block.column, block.parameters, block.correlated, len(block.levels)))

    def _likelihood(self):
        import pytensor.tensor as pt

        columns = self.spec.columns | true_predictors(self)
        parameters = {}
        for name, value in self.rows.items():
            positive = name in self.spec.positive
            parameters[name] = Quantity(pt.exp(value), value) if positive else Quantity(value)
        translation = Translation(self.spec.compiled, columns, parameters, self.hold)
        self.structure.append(Likelihood(self, translation, self.conditionals.get("correlation")).add())


def _log_two_cosh(x):
    """Logarithm of ``2 cosh(x)``, smooth and without overflow."""
    import pytensor.tensor as pt

    size = pt.abs(x)
    return size + pt.log1p(pt.exp(-2 * size))
