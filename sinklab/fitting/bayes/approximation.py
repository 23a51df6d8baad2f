r"""A normal approximation of the posterior, from which the sampler takes its start and its scale.

The equations are made linear at the present estimates; common coefficients :math:`\beta`, group values
:math:`\theta_s` about their mean :math:`\mu`, and the variances are improved in turn (Lindstrom and Bates).
Parameters stand on the sampled scale, where positive ones are logarithms. Groups know each other only through
:math:`\beta` and :math:`\mu`, so the joint precision is a block arrow: :math:`\beta = \hat\beta + L z` and the
means are sampled through independent standard normal :math:`z`, and what a group's own trees say of
:math:`\theta_s`, its information and the slope of its likelihood, gives :func:`.model.group_values` the
coordinates of each. The sampler sees neither the units nor the correlation of the coefficients; nothing here
enters the model itself.

Source
------
Lindstrom M.J., Bates D.M. (1990) Nonlinear mixed effects models for repeated measures data.
Biometrics 46:673-687.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from sinklab.language import ConvergenceError

MAX_ROUNDS = 60
#: Relative change of the objective at which the rounds end; a scale need not be known better.
SETTLED = 1e-5


@dataclass
class Group:
    """Approximation for one block: S levels, K coefficients, of q that are the same for all or means over groups.

    ``between`` (K, K) is the covariance over the groups; of each group's own data there are the ``information``
    (S, K, K), the slope ``pull`` (S, K) of their log-likelihood at the means, and ``cross`` (S, K, q), by which that
    slope falls with the coefficients.
    """

    between: np.ndarray
    information: np.ndarray
    pull: np.ndarray
    cross: np.ndarray


@dataclass
class Approximation:
    """Estimates on the sampled scale, where positive coefficients are logarithms, and their spread.

    ``fixed`` (q,) are the common coefficients, then the means of the groups, and ``root`` (q, q) that of their
    covariance; ``sigma``, ``exponent`` (m,) of the variance functions whose variable was centred at ``centre`` and
    has the spread ``base_sd``; ``correlation`` (m, m) of the residuals.
    """

    fixed: np.ndarray
    root: np.ndarray
    groups: list[Group]
    sigma: np.ndarray
    exponent: np.ndarray
    centre: np.ndarray
    base_sd: np.ndarray
    correlation: np.ndarray


def approximate(spec, start, means, scales) -> Approximation:
    """Improve from start values until the objective is settled.

    Parameters
    ----------
    spec : Spec
    start : dict
        Value of each parameter by name, on the sampled scale.
    means, scales : array
        Nearest normals of the priors of the common coefficients, then of the means of the groups.

    Raises
    ------
    ConvergenceError
        The equations are not defined at the start.
    """
    rounds = Rounds(spec, start, means, scales)
    if not np.isfinite(rounds.objective(rounds.fixed, rounds.eta)):
        shown = ", ".join(f"{n} = {np.exp(v) if n in spec.positive else v:.6g}" for n, v in start.items())
        raise ConvergenceError(
            f"the equations give no finite positive values at the start {shown}; use another form",
            f"方程在初值 {shown} 处得不到有限正值；请改用其他形式",
        )
    for _ in range(MAX_ROUNDS):
        sigma = rounds.sigma
        gain = rounds.improve()
        if gain < SETTLED and np.allclose(rounds.sigma, sigma, rtol=1e-3):
            break
    return _summary(rounds)


def _summary(rounds) -> Approximation:
    matrix, vector, parts = rounds.equations()
    matrix, _ = eliminated(matrix, vector, [part[1:] for part in parts])
    groups = []
    for (own, cross, _, rest), eta, between in zip(parts, rounds.eta, rounds.between, strict=True):
        # ``rest`` is the slope with the distribution over the groups, at the groups' own values.
        pull = rest + eta @ np.linalg.inv(between) + np.einsum("skl,sl->sk", own, eta)
        groups.append(Group(between, own, pull, cross))
    residual, _, base = rounds.residuals(rounds.evaluate(rounds.fixed, rounds.eta)[0])
    held = np.array([not f.estimated for f in rounds.functions])
    base = np.ma.array(base, mask=~rounds.seen)
    centre, spread = np.where(held, 0.0, base.mean(axis=0)), base.std(axis=0).data
    return Approximation(
        fixed=rounds.fixed,
        root=_root_of_inverse(matrix),
        groups=groups,
        sigma=rounds.sigma * np.exp(rounds.exponent * centre),
        exponent=rounds.exponent,
        centre=centre,
        base_sd=np.where(spread > 0, spread, 1.0),
        correlation=_correlation(residual / rounds.sigma, rounds.seen),
    )


class Rounds:
    """The rounds of improvement; ``means`` and ``scales`` are those of the priors, on the sampled scale."""

    def __init__(self, spec, start, means, scales):
        self.spec, self.prior_mean, self.precision = spec, means, scales**-2.0
        names = list(spec.system.parameters)
        self.log = np.array([name in spec.positive for name in names])
        self.seen = np.isfinite(spec.y)
        self.functions = [spec.functions[r] for r in spec.free]
        self.sigma = np.full(len(spec.free), 0.3)
        self.exponent = np.array([f.start for f in self.functions])
        self.between = [np.diag([0.3**2] * len(b.parameters)) for b in spec.blocks]
        self.fixed = np.array([start[name] for _, _, name in spec.fixed])
        self.eta = [np.zeros((len(b.levels), len(b.parameters))) for b in spec.blocks]
        self.random = [[names.index(p) for p in b.parameters] for b in spec.blocks]
        means_at = {name: i for i, (kind, _, name) in enumerate(spec.fixed) if kind == "mean"}
        # Place of every parameter in the fixed vector, for each row.
        self.place = np.empty((len(names), len(spec.y)), dtype=int)
        for p, name in enumerate(names):
            self.place[p] = means_at[name] if name in means_at else spec.common_rows[name]
        self._evaluator = spec.compiled.at(spec.columns, len(spec.y))

    def evaluate(self, fixed, eta):
        """Means (n, m) and derivatives (n, m, p) by each named parameter on the sampled scale."""
        values = fixed[self.place]
        for block, names, deviation in zip(self.spec.blocks, self.random, eta, strict=True):
            values[names] += deviation[block.rows].T
        natural = np.where(self.log[:, None], np.exp(np.clip(values, -600, 600)), values)
        mean, slopes = self._evaluator.mean_and_jacobian(list(natural))
        return mean, slopes * np.where(self.log[:, None], natural, 1.0).T[:, None]

    def residuals(self, mean):
        """Residuals without sigma, the size they are measured in, and the variable of each variance."""
        base, size = np.zeros_like(mean), np.ones_like(mean)
        residual = self.spec.y - mean
        with np.errstate(all="ignore"):
            for j, f in enumerate(self.functions):
                if f.logged:
                    size[:, j] = mean[:, j]
                    residual[:, j] = np.log(self.spec.y[:, j] / mean[:, j]) + self.sigma[j] ** 2 / 2
                    continue
                if not f.even:
                    base[:, j] = f.base(f.variable(mean[:, j], self.spec.columns))
                    size[:, j] = np.exp(f.log_g(self.exponent[j], base[:, j]))
                residual[:, j] /= size[:, j]
        return np.where(self.seen, residual, 0.0), np.where(self.seen, size, 1.0), base

    def objective(self, fixed, eta) -> float:
        """Minus the log-density of data, coefficients and group values; infinite where undefined."""
        mean, _ = self.evaluate(fixed, eta)
        residual, size, _ = self.residuals(mean)
        with np.errstate(all="ignore"):
            value = 0.5 * np.sum((residual / self.sigma) ** 2) + np.log(size).sum()
        value += 0.5 * np.sum(self.precision * (fixed - self.prior_mean) ** 2)
        for deviation, between in zip(eta, self.between, strict=True):
            value += 0.5 * np.sum(deviation @ np.linalg.inv(between) * deviation)
        return value if np.isfinite(value) else np.inf

    def equations(self):
        """Normal equations at the present state: of the fixed vector, and of each block."""
        mean, slopes = self.evaluate(self.fixed, self.eta)
        residual, size, _ = self.residuals(mean)
        weighted = np.where(self.seen[:, :, None], slopes, 0.0) / (size * self.sigma)[:, :, None]
        inner = np.einsum("njp,njq->npq", weighted, weighted)
        gradient = np.einsum("njp,nj->np", weighted, residual / self.sigma)
        q = len(self.fixed)
        matrix, vector = np.diag(self.precision), self.precision * (self.prior_mean - self.fixed)
        for p in range(len(self.log)):
            np.add.at(vector, self.place[p], gradient[:, p])
            for r in range(len(self.log)):
                np.add.at(matrix, (self.place[p], self.place[r]), inner[:, p, r])
        parts = []
        for c, (block, names) in enumerate(zip(self.spec.blocks, self.random, strict=True)):
            own = np.zeros((len(block.levels), len(names), len(names)))
            np.add.at(own, block.rows, inner[:, names][:, :, names])
            cross = np.zeros((len(block.levels), len(names), q))
            for a, p in enumerate(names):
                for r in range(len(self.log)):
                    np.add.at(cross, (block.rows, a, self.place[r]), inner[:, p, r])
            inverse = np.linalg.inv(self.between[c])
            rest = -self.eta[c] @ inverse
            np.add.at(rest, block.rows, gradient[:, names])
            # Blocks that share trees are not independent given the rest; together they know at most
            # as much as each would with its own information taken as many times as there are blocks.
            known = len(self.spec.blocks) * own + inverse
            parts.append((own, cross, np.linalg.inv(known), rest))
        return matrix, vector, parts

    def improve(self) -> float:
        """One round; returns the decrease of the objective by its step."""
        matrix, vector, parts = self.equations()
        matrix, vector = eliminated(matrix, vector, [part[1:] for part in parts])
        step = np.linalg.lstsq(matrix, vector, rcond=1e-12)[0]
        moves = [np.einsum("skl,sl->sk", spread, rest - cross @ step) for _, cross, spread, rest in parts]
        before, scale = self.objective(self.fixed, self.eta), 1.0
        while scale > 1e-6:
            fixed = self.fixed + scale * step
            eta = [e + scale * move for e, move in zip(self.eta, moves, strict=True)]
            after = self.objective(fixed, eta)
            if after <= before:
                self.fixed, self.eta = fixed, eta
                break
            scale /= 2
        self._variances([spread for _, _, spread, _ in parts])
        return before - min(after, before)

    def _variances(self, spreads):
        for c, (deviation, spread) in enumerate(zip(self.eta, spreads, strict=True)):
            between = (deviation.T @ deviation + spread.sum(axis=0)) / len(deviation)
            self.between[c] = between + 1e-6 * np.eye(len(between))
        mean, _ = self.evaluate(self.fixed, self.eta)
        for j, f in enumerate(self.functions):
            if f.estimated:
                self.exponent[j] = self._exponent(j, f, mean)
        residual, _, _ = self.residuals(mean)
        counts, variance = self.seen.sum(axis=0), np.empty(len(self.sigma))
        for j, f in enumerate(self.functions):
            if f.logged:
                # Most likely variance when the mean of the logarithm lies half of it below ln f.
                ratio = (residual[:, j] - self.sigma[j] ** 2 / 2)[self.seen[:, j]]
                variance[j] = 2 * (np.sqrt(1 + np.mean(ratio**2)) - 1)
            else:
                variance[j] = (residual[:, j] ** 2).sum() / counts[j]
        self.sigma = np.maximum(np.sqrt(variance), 1e-8)

    def _exponent(self, j, f, mean) -> float:
        """Most likely exponent for the present means, sigma at its best for each."""
        seen = self.seen[:, j]
        base, rest = self.residuals(mean)[2][seen, j], (self.spec.y - mean)[seen, j]
        spread = max(base.std(), 1e-8)

        def minus_loglik(exponent):
            relative = rest * np.exp(-f.log_g(exponent, base, base.mean()))
            return 0.5 * len(rest) * np.log(np.mean(relative**2) + 1e-300)

        reach = min(6 / spread, f.form.most)
        return float(minimize_scalar(minus_loglik, bounds=(-reach, reach), method="bounded").x)


def eliminated(matrix, vector, parts):
    """Normal equations (k, k), (k,) of what all groups share, without the effects of the groups.

    ``parts`` holds for each column of groups the equations' cross terms (G, q, k), the covariance (G, q, q) of the
    effects given what is shared, and their right sides (G, q).
    """
    for cross, spread, rest in parts:
        matrix = matrix - np.einsum("gqk,gqr,grl->kl", cross, spread, cross, optimize=True)
        vector = vector - np.einsum("gqk,gqr,gr->k", cross, spread, rest, optimize=True)
    return matrix, vector


def _root_of_inverse(matrix) -> np.ndarray:
    """Root of the inverse of a symmetric matrix; directions that nothing determines get a wide spread."""
    size = np.sqrt(np.diag(matrix))
    roots, vectors = np.linalg.eigh(matrix / np.outer(size, size))
    return vectors / np.sqrt(np.maximum(roots, 1e-10)) / size[:, None]


def _correlation(residual, seen) -> np.ndarray:
    """Correlation of the residuals over the pairs seen together, drawn in to be safely positive definite."""
    found = pd.DataFrame(np.where(seen, residual, np.nan)).corr(min_periods=4).clip(-0.95, 0.95).fillna(0.0)
    np.fill_diagonal(matrix := found.to_numpy(copy=True), 1.0)
    roots, vectors = np.linalg.eigh(matrix)
    matrix = (vectors * np.maximum(roots, 0.02)) @ vectors.T
    size = np.sqrt(np.diag(matrix))
    return matrix / np.outer(size, size)
