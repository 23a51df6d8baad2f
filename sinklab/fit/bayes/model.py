r"""The PyMC model of a fit, built from the equations.

The sampler moves standardised variables ``z_…`` (see :mod:`.approximate`), of which the unknowns are linear
functions (:mod:`.scalars`); a prior is PyMC's normal density of the unknown, its logarithm or its natural value,
with the Jacobian due. Data, the numbers of the priors and the standardisation are ``pm.Data``, so that one compiled
model serves every data set of the same structure.

Residuals of one tree are correlated: the components it has are written one after another, each normal (or
lognormal) given those before it, which is the marginal of the multivariate distribution on what was
measured. Lognormal equations give the mean: :math:`\ln y \sim N(\ln f - \sigma^2/2, \sigma)`.
"""

import numpy as np

from sinklab.equations.forms import additive_terms, power_product
from sinklab.fit.bayes import latent, vines
from sinklab.fit.bayes.priors import Wanted
from sinklab.fit.bayes.scalars import collect
from sinklab.fit.bayes.spec import branches
from sinklab.fit.bayes.translate import Quantity, Translation

#: Groups in which the data have less than this share are sampled as deviations from their mean.
CENTRED_FROM = 0.5
#: Data of some of the rows, whose number may differ from one data set to the next.
_OF_A_SUBSET = ("y_", "rows_")


def wanted_priors(spec, start, sizes) -> dict[str, Wanted]:
    """What needs a prior, with the sizes that the rule may refer to.

    ``start`` holds natural start values by parameter, ``sizes`` the residual SD at the start and the SD
    of the variance function's variable by response.
    """
    wanted = {}
    exponents = _exponents(spec.system)
    spread = {}
    for name in spec.system.parameters:
        if name in spec.positive:
            wanted[name] = Wanted("coefficient", ("lognormal", "normal"), start[name])
        elif name in exponents:
            wanted[name] = Wanted("exponent", ("normal",), start[name])
        else:
            wanted[name] = Wanted("other", ("normal",), start[name], abs(start[name]) or 1.0)
        logarithmic = name in spec.positive or name in exponents
        unit = 1.0 if logarithmic else abs(start[name]) or 1.0
        spread[name] = Wanted(
            "spread_log" if logarithmic else "spread_other", ("halfnormal", "lognormal"), unit=unit
        )
    for block in spec.blocks:
        wanted |= {f"spread({name})": spread[name] for name in block.parameters}
        if block.correlated:
            wanted[f"correlation({block.column})"] = Wanted("correlation", ("lkj",))
    for response in spec.free:
        sigma, base_sd = sizes.get(response, (1.0, 1.0))
        f = spec.functions[response]
        wanted[f"sigma({response})"] = (
            Wanted("sigma_log", ("halfnormal", "lognormal"))
            if f.kind == "lognormal"
            else Wanted("sigma", ("halfnormal", "lognormal"), unit=sigma)
        )
        if f.estimated:
            wanted[f"exponent({response})"] = (
                Wanted("variance_power", ("normal",))
                if f.kind == "power"
                else Wanted("variance_exp", ("normal",), unit=1 / base_sd)
            )
    if spec.correlated:
        wanted["correlation"] = Wanted("correlation", ("lkj",))
    return wanted | latent.wanted(spec)


def _exponents(system) -> set[str]:
    """Parameters that are exponents in a product of powers or a sum of such."""
    found, parameters = set(), set(system.parameters)
    for tree in branches(system):
        form = power_product(tree, parameters)
        for term in (form,) if form else additive_terms(tree, parameters) or ():
            found |= {e for _, e in term.powers if isinstance(e, str)}
    return found


class Builder:
    """Builds the PyMC model and keeps the arrays that it was given.

    ``arrays`` holds every data array by name, ``structure`` all that the compiled code depends on besides
    their values, ``scalars`` the unknowns that are not values of groups.
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
        import pymc as pm

        self.arrays, self.held = {}, {}
        self.by_row, self.numbers, self.n_number = {"number": [], "index": []}, [], 0
        self.structure = [self.spec.system.text, self.spec.free, self.spec.common]
        with pm.Model(check_bounds=False) as model:
            self.pm = pm
            self._unknowns()
            self.rows = {n: self._common_rows(n, i) for n, i in self.spec.common_rows.items()}
            for c, block in enumerate(self.spec.blocks):
                self._block(c, block)
            self._likelihood()
            self._fill(model)
        self.structure.append(tuple(self.held))
        return model

    def hold(self, name, array):
        """Take an array into the model as data, once.

        Compiling takes time for each data array, so those that have a value for each row are kept
        together as one matrix, and all that have a fixed size as one vector.
        """
        if name in self.held:
            return self.held[name]
        array = np.asarray(array)
        array = array.astype(np.int32) if array.dtype.kind in "iu" else array.astype(float)
        kind = "index" if array.dtype.kind == "i" else "number"
        if array.shape == (len(self.spec.y),) and not name.startswith(_OF_A_SUBSET):
            matrix = self._kept(f"{kind}_by_row", np.empty((1, 1), array.dtype))
            self.held[name] = matrix[len(self.by_row[kind])]
            self.by_row[kind].append(array)
        elif kind == "number" and not name.startswith(_OF_A_SUBSET):
            held = self._kept("numbers", np.empty(1))[self.n_number : self.n_number + array.size]
            self.held[name] = held if array.ndim == 1 else held.reshape(array.shape)
            self.numbers.append(array.ravel())
            self.n_number += array.size
        else:
            self.arrays[name], self.held[name] = array, self.pm.Data(name, array)
        return self.held[name]

    def _kept(self, name, begin):
        if name not in self.held:
            self.held[name] = self.pm.Data(name, begin)
        return self.held[name]

    def _fill(self, model):
        """Give the collected data their values."""
        self.arrays |= {f"{kind}_by_row": np.stack(rows) for kind, rows in self.by_row.items() if rows}
        self.arrays["numbers"] = np.concatenate(self.numbers)
        for name, array in self.arrays.items():
            model[name].set_value(array)

    def _unknowns(self):
        """The vector of scalar unknowns with its priors, and each of them by itself."""
        import pytensor.tensor as pt

        pm, s = self.pm, self.scalars
        size = len(s.keys)
        z = pm.Flat("z", shape=size)
        self.t = pm.Deterministic(
            "t", self.hold("start", s.start) + (self.hold("root", s.root()) * z).sum(axis=1)
        )
        plain = size - sum(d * (d - 1) // 2 for _, d, _ in s.vines.values())
        t, natural = self.t[:plain], np.array(s.natural[:plain])
        centre, scale = self.hold("centre", s.centre[:plain]), self.hold("scale", s.scale[:plain])
        value = pt.switch(natural, pt.exp(t), t) if natural.any() else t
        density = pm.logp(pm.Normal.dist(centre, scale), value) + natural * t
        pm.Potential("priors", density.sum())
        self.conditionals = {}
        for name, (at, d, alpha) in s.vines.items():
            y = self.t[at : at + len(alpha)]
            # tanh(y) is Beta(alpha, alpha) on (-1, 1); log cosh, with its Jacobian, without overflow.
            bend = pt.logaddexp(y, -y) - np.log(2.0)
            pm.Potential(f"prior_{name}", (-2 * self.hold(f"alpha_{name}", alpha) * bend).sum())
            partial = pt.tanh(y)
            rows = vines.cholesky([partial[i] for i in range(len(alpha))], d, pt.sqrt)
            self.conditionals[name] = vines.Conditionals(rows, pt.sqrt)
        self.structure.append((tuple(s.keys), tuple(s.natural), tuple(s.log)))

    def scalar(self, kind, name, natural=False):
        """One unknown, on the sampled or on its natural scale."""
        import pytensor.tensor as pt

        at = self.scalars.place(kind, name)
        return pt.exp(self.t[at]) if natural else self.t[at]

    def _common_rows(self, name, place):
        return self.t[self.hold(f"level_{name}", place)] if np.ndim(place) else self.t[place]

    def _block(self, c, block):
        """One value for each group: sampled as it is where the data tell it, else as a deviation."""
        import pytensor.tensor as pt

        near = self.near.groups[c]
        centred = near.informed >= CENTRED_FROM
        mean = [self.scalar("mean", p) for p in block.parameters]
        spread = [self.scalar("spread", p, natural=True) for p in block.parameters]
        rows = [[0.0] * j + [1.0] for j in range(len(mean))]
        if block.correlated:
            rows = self.conditionals[f"correlation({block.column})"].full
        parts = []
        if centred.any():
            parts.append(self._centred(c, block, centred, mean, rows))
        if not centred.all():
            parts.append(self._deviating(c, int((~centred).sum()), mean, spread, rows))
        theta = [
            pt.concatenate(values) if len(parts) > 1 else values[0] for values in zip(*parts, strict=True)
        ]
        position = np.argsort(self.group_order(near))
        self.pm.Deterministic(f"group_{c}", pt.stack(theta))
        level = self.hold(f"group_{c}_of_row", position[block.rows])
        for name, values in zip(block.parameters, theta, strict=True):
            self.rows[name] = values[level]
        self.structure.append(
            (block.column, block.parameters, block.correlated, int(centred.sum()), len(centred))
        )

    @staticmethod
    def group_order(near) -> np.ndarray:
        """Order in which groups are sampled: those sampled as they are, then the deviations."""
        return np.argsort(near.informed < CENTRED_FROM, kind="stable")

    def _centred(self, c, block, centred, mean, rows):
        """Group values about their own estimate; their distribution about the mean is a density."""
        import pytensor.tensor as pt

        near = self.near.groups[c]
        log_spread = [self.scalar("spread", p) for p in block.parameters]
        n_group, size, k = near.slope[centred].shape
        z = self.pm.Flat(f"z_{c}", shape=n_group * size)
        z = [z[i * n_group : (i + 1) * n_group] for i in range(size)]
        theta, standard, total = [], [], 0.0
        shift = [self.t[i] - self.held["start"][i] for i in range(k)]
        for i in range(size):
            value = self.hold(f"start_{c}_{i}", near.theta[centred, i])
            for j in range(i + 1):
                value = value + self.hold(f"root_{c}_{i}_{j}", near.root[centred, i, j]) * z[j]
            for j in range(k):
                value = value - self.hold(f"slope_{c}_{i}_{j}", near.slope[centred, i, j]) * shift[j]
            u = (value - mean[i]) * pt.exp(-log_spread[i])
            if i and block.correlated:
                u = u - sum(rows[i][j] * standard[j] for j in range(i))
                u = u / rows[i][i]
                total = total - n_group * pt.log(rows[i][i])
            total = total + self.pm.logp(self.pm.Normal.dist(0.0, 1.0), u).sum() - n_group * log_spread[i]
            theta.append(value)
            standard.append(u)
        self.pm.Potential(f"groups_{c}", total)
        return theta

    def _deviating(self, c, n_group, mean, spread, rows):
        """Group values as standard normal deviations from the mean."""
        u = self.pm.Normal(f"u_{c}", 0.0, 1.0, shape=n_group * len(mean))
        u = [u[i * n_group : (i + 1) * n_group] for i in range(len(mean))]
        return [mean[i] + spread[i] * sum(rows[i][j] * u[j] for j in range(i + 1)) for i in range(len(mean))]

    def _likelihood(self):
        import pytensor.tensor as pt

        spec = self.spec
        columns = spec.columns | latent.true_predictors(self)
        parameters = {}
        for name, value in self.rows.items():
            positive = name in spec.positive
            parameters[name] = Quantity(pt.exp(value), value) if positive else Quantity(value)
        self.translation = Translation(spec.compiled, columns, parameters, self.hold)
        independent = [[0.0] * j + [1.0] for j in range(len(spec.free))]
        self.residuals = self.conditionals.get("correlation", vines.Conditionals(independent, pt.sqrt))
        self.scales, self.standard, nodes = {}, {}, {}
        complete = len(spec.patterns) == 1 and len(spec.patterns[0].rows) == len(spec.y)
        for pattern in spec.patterns:
            for a, j in enumerate(pattern.seen):
                before = tuple(map(int, pattern.seen[:a])) if spec.correlated else ()
                nodes.setdefault((before, int(j)), []).append(pattern.rows)
        for (before, j), rows in nodes.items():
            self._observe(before, j, None if complete else np.sort(np.concatenate(rows)))
        for i, part in enumerate(spec.combined):
            self._observe_combined(i, part)
        self.structure.append((tuple(nodes), complete, tuple(c.combine.tobytes() for c in spec.combined)))
        self.structure.append(tuple((r, f.kind, f.by, f.estimated) for r, f in spec.functions.items()))

    def _scale(self, j):
        """Location of equation j for all rows and logarithm of its residual SD; both of the logarithm if lognormal."""
        if j not in self.scales:
            self.scales[j] = self._make_scale(j)
        return self.scales[j]

    def _make_scale(self, j):
        response = self.spec.free[j]
        f, log_sigma = self.spec.functions[response], self.scalar("sigma", response)
        if f.kind == "lognormal":
            sigma = self.scalar("sigma", response, natural=True)
            return self.translation.log_mean(response) - 0.5 * sigma**2, log_sigma
        mean = self.translation.mean(response)
        if f.kind == "constant":
            return mean, log_sigma
        if f.by == "mean":
            base = self.translation.log_mean(response)
        else:
            x = self.spec.columns[f.by]
            base = self.hold(f"variance_{j}", np.log(x) if f.kind == "power" else x)
        held = self.hold(f"variance_function_{j}", [self.near.centre[j], f.start])
        exponent = self.scalar("exponent", response) if f.estimated else held[1]
        return mean, log_sigma + exponent * (base - held[0])

    def _standard(self, before, j):
        """Standardised residual of j given those of ``before``, for all rows, and the SD that is left to it.

        Rows that lack a component have its estimate in place of it, and are never used.
        """
        import pytensor.tensor as pt

        if (before, j) not in self.standard:
            location, log_sd = self._scale(j)
            y = np.where(np.isfinite(self.spec.y[:, j]), self.spec.y[:, j], self.near.mean[:, j])
            y = self.hold(f"full_{j}", np.log(y) if self.spec.is_lognormal(j) else y)
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
            index = self.hold(f"rows_{name}", rows)
            standard, log_sd = standard[index], _take(log_sd, index)
        density = self.pm.logp(self.pm.Normal.dist(0.0, 1.0), standard).sum()
        spread = log_sd.sum() if log_sd.ndim else log_sd * standard.shape[0]
        self.pm.Potential(name, density - spread)

    def _observe_combined(self, i, part):
        """Trees of which sums of components were weighed: normal, with a covariance of their own each."""
        index = self.hold(f"rows_combined_{i}", part.rows)
        used = [int(j) for j in np.flatnonzero((part.combine != 0).any(axis=0))]
        matrix = vines.correlation(self.residuals.full)
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
            y = self.hold(f"y_combined_{i}_{a}", part.values[:, a])
            self.pm.Normal(f"combined_{i}_{a}", location, row[a], observed=y)
            standard.append((y - location) / row[a])


def _take(tensor, index):
    """Rows of a vector; a scalar stays one."""
    return tensor[index] if tensor.ndim else tensor
