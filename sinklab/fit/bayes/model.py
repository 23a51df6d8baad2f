r"""The PyMC model of a fit, built from the equations.

The sampler moves standardised variables ``z_…`` (see :mod:`.approximate`); every quantity of the model is
a deterministic function of them with constant derivative, and carries its prior as PyMC's density of the
named family, with the Jacobian of a logarithm where it is sampled as one. Data, priors' numbers and the
standardisation are ``pm.Data``, so that one compiled model serves every data set of the same structure.

Residuals of one tree are correlated: the components it has are written one after another, each normal (or
lognormal) given those before it, which is the marginal of the multivariate distribution on what was
measured. Lognormal equations give the mean: :math:`\ln y \sim N(\ln f - \sigma^2/2, \sigma)`.
"""

import numpy as np

from sinklab.fit.bayes import vines
from sinklab.fit.bayes.priors import Wanted, density
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
            wanted[name] = Wanted("exponent", ("normal", "lognormal"), start[name])
        else:
            wanted[name] = Wanted("other", ("normal", "lognormal"), start[name], abs(start[name]) or 1.0)
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
    return wanted


def _exponents(system) -> set[str]:
    """Parameters that are exponents in a product of powers or a sum of such."""
    found = set()
    for response in system.responses:
        form = system.power_product(response)
        terms = (form,) if form else system.additive_terms(response) or ()
        for term in terms:
            found |= {e for _, e in term.powers if isinstance(e, str)}
    return found


class Builder:
    """Builds the PyMC model and keeps the arrays that it was given.

    ``arrays`` holds every data array by name, ``structure`` what the compiled code depends on besides
    their values, ``labels`` the rows of the free responses in each observed variable.
    """

    def __init__(self, spec, priors, approximation):
        self.spec, self.priors, self.at = spec, priors, approximation
        self.arrays, self.held = {}, {}
        self.by_row, self.numbers, self.n_number = {"number": [], "index": []}, [], 0
        self.structure = [spec.system.text, spec.free, tuple(sorted(spec.positive))]

    def build(self):
        """Make the model.

        Returns
        -------
        model : pymc.Model
        """
        import pymc as pm

        with pm.Model(check_bounds=False) as model:
            self.pm = pm
            self.rows = {}
            self._common()
            for c, block in enumerate(self.spec.blocks):
                self._block(c, block)
            self._residual_scale()
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
        array = array.astype(np.int64) if array.dtype.kind in "iu" else array.astype(float)
        kind = "index" if array.dtype.kind == "i" else "number"
        if array.shape == (len(self.spec.y),):
            self.held[name] = self._kept(f"{kind}_by_row", np.empty((1, 1), array.dtype))[
                len(self.by_row[kind])
            ]
            self.by_row[kind].append(array)
        elif kind == "number" and not name.startswith(_OF_A_SUBSET):
            vector = self._kept("numbers", np.empty(1))
            held = vector[self.n_number : self.n_number + array.size]
            self.held[name] = held.reshape(array.shape) if array.ndim != 1 else held
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

    def _standard(self, name, *shape):
        return self.pm.Flat(f"z_{name}", shape=shape)

    def _prior(self, names, natural, label, jacobian=None):
        """Add the log-density of a vector of quantities, family by family."""
        priors = [self.priors[n] for n in names]
        centre = self.hold(f"centre_{label}", [p.centre for p in priors])
        scale = self.hold(f"scale_{label}", [p.scale for p in priors])
        total = 0.0
        for family in dict.fromkeys(p.family for p in priors):
            at = [i for i, p in enumerate(priors) if p.family == family]
            self.structure.append((label, family, tuple(at)))
            values = density(family, natural[at], centre[at], scale[at])
            total = total + self.pm.math.sum(values)
        if jacobian is not None:
            total = total + self.pm.math.sum(jacobian)
        self.pm.Potential(f"prior_{label}", total)

    def _natural(self, names, values):
        """Quantities on their natural scale, and what the logarithms add to the log-density."""
        import pytensor.tensor as pt

        log = [i for i, n in enumerate(names) if n in self.spec.positive]
        if not log:
            return values, None
        mask = np.array([n in self.spec.positive for n in names])
        return pt.switch(mask, pt.exp(values), values), values[log]

    def _common(self):
        k = len(self.spec.common)
        self.beta_shift = None
        if not k:
            return
        z = self._standard("common", k)
        self.beta_shift = (self.hold("root_common", self.at.beta_root) * z).sum(axis=1)
        beta = self.pm.Deterministic("common", self.hold("start_common", self.at.beta) + self.beta_shift)
        names = [name for name, _ in self.spec.common]
        natural, jacobian = self._natural(names, beta)
        self._prior(names, natural, "common", jacobian)
        self.structure.append(self.spec.common)
        for name, rows in self.spec.common_rows.items():
            if np.ndim(rows):
                self.rows[name] = beta[self.hold(f"level_{name}", rows)]
            else:
                self.rows[name] = beta[rows]

    def _block(self, c, block):
        """Coefficients of one block: their mean and spread over the groups, and one value for each group."""
        import pytensor.tensor as pt

        pm, near, K = self.pm, self.at.groups[c], len(block.parameters)
        S = len(block.levels)
        mean = self.hold(f"start_mean_{c}", near.mean) + (
            self.hold(f"root_mean_{c}", near.mean_root) * self._standard(f"mean_{c}", K)
        ).sum(axis=1)
        if self.beta_shift is not None:
            mean = mean - (self.hold(f"slope_mean_{c}", near.mean_slope) * self.beta_shift).sum(axis=1)
        mean = pm.Deterministic(f"mean_{c}", mean)
        natural, jacobian = self._natural(block.parameters, mean)
        self._prior(block.parameters, natural, f"mean_{c}", jacobian)
        start = 0.5 * np.log(np.diag(near.between))
        log_spread = self.hold(f"start_spread_{c}", start) + self._standard(f"spread_{c}", K) / np.sqrt(2 * S)
        spread = pm.Deterministic(f"spread_{c}", pt.exp(log_spread))
        self._prior([f"spread({p})" for p in block.parameters], spread, f"spread_{c}", log_spread)
        rows = [[0.0] * j + [1.0] for j in range(K)]
        if block.correlated:
            start = near.between / np.sqrt(np.outer(np.diag(near.between), np.diag(near.between)))
            rows = self._vine(f"correlation({block.column})", f"correlation_{c}", start, S)
        centred = near.informed >= CENTRED_FROM
        self.structure.append((block.column, block.parameters, block.correlated, tuple(map(bool, centred))))
        parts = []
        if centred.any():
            parts.append(self._centred(c, near, centred, mean, spread, rows))
        if not centred.all():
            z = pm.Normal(f"u_{c}", 0.0, 1.0, shape=(int((~centred).sum()), K))
            moved = [mean[k] + spread[k] * sum(rows[k][i] * z[:, i] for i in range(k + 1)) for k in range(K)]
            parts.append(pt.stack(moved, axis=1))
        theta = pt.concatenate(parts, axis=0) if len(parts) > 1 else parts[0]
        if len(parts) > 1:
            back = np.argsort(np.concatenate([np.flatnonzero(centred), np.flatnonzero(~centred)]))
            theta = theta[self.hold(f"order_{c}", back)]
        theta = pm.Deterministic(f"group_{c}", theta)
        level = self.hold(f"rows_{c}", block.rows)
        for k, name in enumerate(block.parameters):
            self.rows[name] = theta[:, k][level]

    def _centred(self, c, near, centred, mean, spread, rows):
        """Group values sampled about their own estimate, with their distribution about the mean as prior."""
        S, K = int(centred.sum()), near.theta.shape[1]
        z = self._standard(f"group_{c}", S, K)
        theta = self.hold(f"start_group_{c}", near.theta[centred]) + (
            self.hold(f"root_group_{c}", near.root[centred]) * z[:, None, :]
        ).sum(axis=2)
        if self.beta_shift is not None:
            slope = self.hold(f"slope_group_{c}", near.slope[centred])
            theta = theta - (slope * self.beta_shift).sum(axis=2)
        standard, total = [], 0.0
        for k in range(K):
            shift = sum((rows[k][i] * standard[i] for i in range(k)), 0.0)
            given = self.pm.Normal.dist(mean[k] + spread[k] * shift, spread[k] * rows[k][k])
            total = total + self.pm.logp(given, theta[:, k]).sum()
            standard.append((theta[:, k] - mean[k]) / spread[k])
        self.pm.Potential(f"groups_{c}", total)
        return theta

    def _vine(self, prior, label, start, n):
        """Cholesky rows of an unknown correlation matrix with its LKJ prior."""
        import pytensor.tensor as pt

        d = len(start)
        width = self.hold(f"width_{label}", 1 / np.sqrt(n))
        y = self.hold(f"start_{label}", vines.from_correlation(start))
        y = y + width * self._standard(label, d * (d - 1) // 2)
        alpha = self.hold(f"alpha_{label}", vines.shapes(d, self.priors[prior].scale))
        # Density of tanh(y) under Beta(alpha, alpha) on (-1, 1), with its Jacobian; log cosh without overflow.
        self.pm.Potential(f"prior_{label}", (-2 * alpha * (pt.logaddexp(y, -y) - np.log(2.0))).sum())
        rows = vines.cholesky(pt.tanh(y), d, pt.sqrt)
        matrix = vines.correlation(rows)
        below = [matrix[i][j] for i in range(d) for j in range(i)]
        self.pm.Deterministic(label, pt.stack(below))
        return rows

    def _residual_scale(self):
        """Residual SD at the centre of each variance function, exponents and correlations."""
        import pytensor.tensor as pt

        spec, m = self.spec, len(self.spec.free)
        counts = np.isfinite(spec.y).sum(axis=0)
        start = self.hold("start_sigma", np.log(self.at.sigma))
        log_sigma = start + self.hold("width_sigma", 1 / np.sqrt(2 * counts)) * self._standard("sigma", m)
        self.sigma = self.pm.Deterministic("sigma", pt.exp(log_sigma))
        self._prior([f"sigma({r})" for r in spec.free], self.sigma, "sigma", log_sigma)
        free = [j for j, r in enumerate(spec.free) if spec.functions[r].estimated]
        self.exponent = {}
        if free:
            width = 1 / (np.sqrt(2 * counts[free]) * self.at.base_sd[free])
            values = self.hold("start_exponent", self.at.exponent[free]) + self.hold(
                "width_exponent", width
            ) * self._standard("exponent", len(free))
            values = self.pm.Deterministic("exponent", values)
            self._prior([f"exponent({spec.free[j]})" for j in free], values, "exponent")
            self.exponent = {j: values[i] for i, j in enumerate(free)}
        rows = [[0.0] * j + [1.0] for j in range(m)]
        if spec.correlated:
            rows = self._vine("correlation", "correlation", self.at.correlation, counts.min())
        self.conditionals = vines.Conditionals(rows, pt.sqrt)

    def _likelihood(self):
        spec = self.spec
        columns = dict(spec.columns) | self._latent()
        parameters = {}
        for name, value in self.rows.items():
            positive = name in spec.positive
            parameters[name] = Quantity(self.pm.math.exp(value), value) if positive else Quantity(value)
        self.translation = Translation(spec.compiled, columns, parameters, self.hold)
        self.scales, self.standard = {}, {}
        complete = len(spec.patterns) == 1 and len(spec.patterns[0].rows) == len(spec.y)
        nodes = {}
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
        """Mean, residual SD on the scale of the residual, for all rows, of equation j."""
        import pytensor.tensor as pt

        if j not in self.scales:
            response, sigma = self.spec.free[j], self.sigma[j]
            f = self.spec.functions[response]
            if f.kind == "lognormal":
                self.scales[j] = self.translation.log_mean(response) - 0.5 * sigma**2, sigma
                return self.scales[j]
            if f.kind == "constant":
                self.scales[j] = self.translation.mean(response), sigma
                return self.scales[j]
            if f.by == "mean":
                base = self.translation.log_mean(response)
            else:
                x = self.spec.columns[f.by]
                base = self.hold(f"variance_{j}", np.log(x) if f.kind == "power" else x)
            exponent = self.exponent.get(j)
            if exponent is None:
                exponent = self.hold(f"exponent_{j}", f.start)
            centre = self.hold(f"centre_of_variance_{j}", self.at.centre[j])
            self.scales[j] = (
                self.translation.mean(response),
                sigma * pt.exp(exponent * (base - centre)),
            )
        return self.scales[j]

    def _conditional(self, before, j):
        """Location and SD of equation j given the standardised residuals of ``before``, for all rows."""
        location, sd = self._scale(j)
        weights = self.conditionals.row(before, j)
        for a, k in enumerate(before):
            location = location + sd * weights[a] * self._residual(before[:a], k)
        return location, sd * weights[-1]

    def _residual(self, before, j):
        """Standardised residual of j given ``before``, for all rows; rows that lack it are never used."""
        if (before, j) not in self.standard:
            location, sd = self._conditional(before, j)
            y = np.where(np.isfinite(self.spec.y[:, j]), self.spec.y[:, j], self.at.mean[:, j])
            y = np.log(y) if self.spec.is_lognormal(j) else y
            self.standard[before, j] = (self.hold(f"full_{j}", y) - location) / sd
        return self.standard[before, j]

    def _observe(self, before, j, rows):
        import pytensor.tensor as pt

        location, sd = self._conditional(before, j)
        y, name = self.spec.y[:, j], self.spec.free[j]
        if before != tuple(range(j)):
            name += "_after_" + "_".join(map(str, before))
        if rows is not None:
            index = self.hold(f"rows_{name}", rows)
            location, sd, y = _take(location, index), _take(sd, index), y[rows]
        location = location + pt.zeros_like(self.hold(f"y_{name}", y))
        family = self.pm.LogNormal if self.spec.is_lognormal(j) else self.pm.Normal
        family(name, location, sd, observed=self.hold(f"y_{name}", y))

    def _observe_combined(self, i, part):
        """Trees of which sums of components were weighed: normal, with a covariance of their own each."""
        index = self.hold(f"rows_combined_{i}", part.rows)
        used = [int(j) for j in np.flatnonzero((part.combine != 0).any(axis=0))]
        matrix = vines.correlation(self.conditionals.full)
        mean = {j: _take(self._scale(j)[0], index) for j in used}
        sd = {j: _take(self._scale(j)[1], index) for j in used}
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

    def _latent(self):
        """Predictors measured with error: the true value of each tree, lognormal given the other predictors."""
        import pytensor.tensor as pt

        found = {}
        known = [c for c in self.spec.columns if c not in self.spec.errors]
        logs = [np.log(self.spec.columns[c]) for c in known]
        tensors = [self.hold(f"log_{c}", x) for c, x in zip(known, logs, strict=True)]
        n = len(self.spec.y)
        for name, sd in self.spec.errors.items():
            x = self.spec.columns[name]
            design = np.column_stack([np.ones(n), *logs])
            line, *_ = np.linalg.lstsq(design, np.log(x), rcond=None)
            rest = np.log(x) - design @ line
            # Standardised like everything else: by the triangular root of the least-squares covariance.
            q, r = np.linalg.qr(design)
            spread = max(rest.std(), 1e-3)
            z = self._standard(f"line_{name}", design.shape[1])
            start = self.hold(f"line_{name}", line)
            line = start + (self.hold(f"root_line_{name}", spread * np.linalg.inv(r)) * z).sum(axis=1)
            self.pm.Potential(f"prior_line_{name}", density("normal", line, 0.0, 10.0).sum())
            log_spread = self.hold(f"start_population_{name}", np.log(spread)) + self._standard(
                f"population_{name}"
            ) * self.hold(f"width_population_{name}", 1 / np.sqrt(2 * n))
            population = pt.exp(log_spread)
            self.pm.Potential(
                f"prior_population_{name}", density("halfnormal", population, 0.0, 1.0) + log_spread
            )
            share = self.hold(f"share_{name}", sd / x)
            log_true = self.hold(f"observed_log_{name}", np.log(x)) + share * self._per_row(f"true_{name}")
            expected = line[0] + sum((line[i + 1] * t for i, t in enumerate(tensors)), 0.0)
            self.pm.Potential(
                f"population_{name}_density",
                self.pm.logp(self.pm.Normal.dist(expected, population), log_true).sum(),
            )
            true = pt.exp(log_true)
            self.pm.Normal(
                f"measured_{name}",
                true,
                self.hold(f"sd_{name}", sd),
                observed=self.hold(f"measured_{name}_y", x),
            )
            found[name] = Quantity(true, log_true)
            logs.append(np.log(x))
            tensors.append(log_true)
        return found

    def _per_row(self, name):
        """A standardised variable for each row."""
        self.structure.append((name, len(self.spec.y)))
        return self._standard(name, len(self.spec.y))


def _take(tensor, index):
    """Rows of a vector; a scalar stays one."""
    return tensor[index] if getattr(tensor, "ndim", 0) else tensor
