r"""Density of what was measured on each tree.

Residuals of one tree are correlated: the components it has are written one after another, each normal (or
lognormal) given those before it, which is the marginal of the multivariate distribution on what was
measured. Lognormal equations give the mean: :math:`\ln y \sim N(\ln f - \sigma^2/2, \sigma)`.
"""

import numpy as np

from sinklab.fit.bayes import vines


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
        self.residuals = residuals or vines.Conditionals(independent, pt.sqrt)
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
        response = self.spec.free[j]
        f, log_sigma = self.spec.functions[response], self.builder.scalar("sigma", response)
        if f.kind == "lognormal":
            sigma = self.builder.scalar("sigma", response, natural=True)
            return self.translation.log_mean(response) - 0.5 * sigma**2, log_sigma
        mean = self.translation.mean(response)
        if f.kind == "constant":
            return mean, log_sigma
        if f.by == "mean":
            base = self.translation.log_mean(response)
        else:
            x = self.spec.columns[f.by]
            base = self.builder.hold(f"variance_{j}", np.log(x) if f.kind == "power" else x)
        held = self.builder.hold(f"variance_function_{j}", [self.builder.near.centre[j], f.start])
        exponent = self.builder.scalar("exponent", response) if f.estimated else held[1]
        return mean, log_sigma + exponent * (base - held[0])

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
            y = self.builder.hold(f"y_combined_{i}_{a}", part.values[:, a], f"rows_combined_{i}")
            standard.append((y - location) / row[a])
            density = self.pm.logp(self.pm.Normal.dist(0.0, 1.0), standard[a]) - self.pm.math.log(row[a])
            self.pm.Potential(f"combined_{i}_{a}", density.sum())


def _take(tensor, index):
    """Rows of a vector; a scalar stays one."""
    return tensor[index] if tensor.ndim else tensor
