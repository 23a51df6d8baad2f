r"""A Bayesian fit from prepared data to its result.

First it is settled what is to be sampled: which coefficients are common, which vary by group, what was measured
(:class:`Spec`); then what needs a prior (:func:`wanted_priors`); :func:`fit_bayes` approximates, samples and judges.

*Approximation* (:func:`approximate`), from which the sampler takes its start and its scale. The
equations are made linear at the present estimates; common coefficients :math:`\beta`, group values
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

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from sinklab.equations.compile import Compiled, Layout, additive_terms, branches, factors, power_product
from sinklab.fitting import data
from sinklab.fitting.bayes import model, priors
from sinklab.fitting.bayes import result as bayes_result
from sinklab.fitting.bayes.model import Builder
from sinklab.fitting.bayes.priors import Wanted
from sinklab.fitting.bayes.result import BayesResult
from sinklab.fitting.data import start_values
from sinklab.fitting.likelihood import find_patterns
from sinklab.fitting.system import assembled
from sinklab.language import ConvergenceError, DataError, listing, tr
from sinklab.results.fit_result import Certificate, correlation_draws
from sinklab.results.variance import parse_variance, require_families

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


POOLS = ("correlated", "independent", "none")


@dataclass(frozen=True)
class Block:
    """Coefficients that vary by one column and are partially pooled over its levels."""

    column: str
    parameters: tuple[str, ...]
    levels: tuple[str, ...]
    rows: np.ndarray
    correlated: bool


@dataclass(frozen=True)
class Spec:
    """The model of one fit and its data.

    ``y`` (n, m) holds the free responses in the order of :attr:`free`, those measured most often first,
    NaN where a component is missing. ``common`` lists the coefficients that are not pooled, by name and
    level. ``errors`` gives the standard deviation (n,) of the predictors that were measured with error.
    """

    system: object
    layout: Layout
    free: tuple[str, ...]
    functions: dict
    columns: dict
    y: np.ndarray
    combined: tuple
    common: tuple[tuple[str, str], ...]
    common_rows: dict
    blocks: tuple[Block, ...]
    positive: frozenset[str]
    correlated: bool
    errors: dict
    notes: tuple[str, ...]

    @cached_property
    def compiled(self) -> Compiled:
        """Means of the free responses, in the order of :attr:`free`."""
        return Compiled(self.system.equations, self.free, self.system.parameters)

    @cached_property
    def fixed(self) -> list[tuple[str, str, str]]:
        """What is the same for all trees or a mean over groups: kind, label and parameter, common ones first."""
        found = [("common", f"{n}[{g}]", n) for n, g in self.common]
        return found + [("mean", p, p) for block in self.blocks for p in block.parameters]

    @cached_property
    def patterns(self):
        """Rows with the same components, those that only a combination was weighed of left out."""
        seen = np.isfinite(self.y)
        for part in self.combined:
            seen[part.rows] = False
        return find_patterns(seen)

    @cached_property
    def counts(self) -> np.ndarray:
        """Number of trees (m,) that have each component."""
        return np.isfinite(self.y).sum(axis=0)

    @cached_property
    def parts(self) -> list[data.Combined]:
        """What was weighed of the trees, by pattern; values are logarithms where residuals are lognormal."""
        logged, one = [f.logged for f in self.functions.values()], np.eye(len(self.free))
        with np.errstate(all="ignore"):
            y = np.where(logged, np.log(self.y), self.y)
        own = [data.Combined(p.rows, one[p.seen], y[np.ix_(p.rows, p.seen)]) for p in self.patterns]
        return [*own, *self.combined]

    @cached_property
    def used(self) -> np.ndarray:
        """Rows that say something of the responses."""
        return np.sort(np.concatenate([part.rows for part in self.parts]))


def read_spec(prepared, variance, pool, measurement_error, correlated) -> Spec:
    """Settle the model from the options of a fit.

    Raises
    ------
    DataError
        Zeros where a lognormal needs positive values, unknown options, all at once for each kind.
    """
    system, frame = prepared.system, prepared.frame
    functions = parse_variance(variance, system.free, system.predictors)
    require_families(functions, "bayes", ident=False)
    logged = [r for r in system.free if functions[r].logged]
    data.refuse_zeros(frame, logged)
    columns = {c: frame[c].to_numpy(float) for c in system.predictors}
    y, combined, notes = frame[list(system.free)].to_numpy(float), (), ()
    if not logged:
        # A sum of lognormal parts has no density in closed form.
        y, combined, notes = data.read(system, frame, columns)
    else:
        notes = _unused_totals(system, frame)
    order = np.argsort(-np.isfinite(y).sum(axis=0), kind="stable")
    combined = tuple(data.Combined(c.rows, c.combine[:, order], c.values) for c in combined)
    kinds = _pool_kinds(system, pool)
    blocks, common, common_rows = _coefficients(system, frame, kinds)
    return Spec(
        system=system,
        layout=Layout.of(system, frame),
        free=tuple(system.free[j] for j in order),
        functions={system.free[j]: functions[system.free[j]] for j in order},
        columns=columns,
        y=y[:, order],
        combined=combined,
        common=common,
        common_rows=common_rows,
        blocks=blocks,
        positive=factors(system.equations, system.parameters),
        correlated=correlated and len(system.free) > 1,
        errors=_errors(system, frame, measurement_error),
        notes=tuple(notes),
    )


def _unused_totals(system, frame) -> tuple[str, ...]:
    """Tell of trees of which only a total was weighed."""
    count = int(frame[list(system.free)].isna().all(axis=1).sum())
    if not count:
        return ()
    return (
        tr(
            f"{count} records have a total only, which lognormal residuals cannot use",
            f"{count} 条记录只有总量，对数正态误差无法使用",
        ),
    )


def _pool_kinds(system, pool) -> dict[str, str]:
    """How the coefficients of each group column are pooled."""
    columns = tuple(dict.fromkeys(system.groups.values()))
    if pool is None or isinstance(pool, str):
        pool = dict.fromkeys(columns, pool or "correlated")
    unknown = [c for c in pool if c not in columns]
    wrong = [k for k in pool.values() if k not in POOLS]
    if unknown or wrong:
        raise DataError(
            f"pool = {pool}; expected one of {POOLS} for each of the group columns "
            f"{list(columns)}; a coefficient varies by group when it is written a[{(*columns, 'species')[0]}]",
            f"pool = {pool}；应对每个分组列 {list(columns)} 给出 {POOLS} 之一；"
            f"按组变化的系数写作 a[{(*columns, 'species')[0]}]",
        )
    return {c: pool.get(c, "correlated") for c in columns}


def _coefficients(system, frame, kinds):
    blocks, common, common_rows = [], [], {}
    for column, kind in kinds.items():
        levels, rows = np.unique(frame[column].astype(str), return_inverse=True)
        names = tuple(p for p in system.parameters if system.groups.get(p) == column)
        if kind == "none":
            for name in names:
                common_rows[name] = len(common) + rows
                common += [(name, level) for level in levels]
            continue
        if len(levels) < 2:
            raise DataError(
                f"{column} has one level, {levels[0]!r}; pooling needs at least two; "
                f"write {', '.join(names)} without [{column}]",
                f"{column} 只有一个水平 {levels[0]!r}；部分汇集至少需要两个；请去掉 [{column}]",
            )
        correlated = kind == "correlated" and len(names) > 1
        blocks.append(Block(column, names, tuple(map(str, levels)), rows, correlated))
    for name in system.parameters:
        if name not in system.groups:
            common_rows[name] = len(common)
            common.append((name, ""))
    return tuple(blocks), tuple(common), common_rows


def _errors(system, frame, measurement_error) -> dict[str, np.ndarray]:
    errors, problems = {}, []
    for name, sd in (measurement_error or {}).items():
        if name not in system.predictors:
            told = ", ".join(system.predictors)
            problems.append(tr(f"{name} is not a predictor ({told})", f"{name} 不是自变量（{told}）"))
        elif isinstance(sd, str) and sd not in frame:
            problems.append(tr(f"{name}: no column {sd!r}", f"{name}：没有列 {sd!r}"))
        else:
            sd = np.broadcast_to(np.asarray(frame[sd] if isinstance(sd, str) else sd, float), len(frame))
            errors[name] = sd
            if not (np.isfinite(sd).all() and (sd > 0).all()):
                problems.append(
                    tr(
                        f"{name}: standard deviations of the measurement must be positive",
                        f"{name}：测量标准差须为正",
                    )
                )
    if problems:
        raise DataError(f"measurement_error: {listing(problems)}")
    return errors


# What needs a prior, and the sizes that the rules for priors refer to.


def wanted_priors(spec, start, sizes) -> dict[str, Wanted]:
    """What needs a prior, with the sizes that the rule may refer to.

    ``start`` holds natural start values by parameter, ``sizes`` the residual SD at the start and the SD
    of the variance function's variable by response.
    """
    wanted, exponents = {}, _exponents(spec.system)
    normal, scales = ("normal",), ("halfnormal", "lognormal")
    for name in spec.system.parameters:
        if name in spec.positive:
            wanted[name] = Wanted("coefficient", ("lognormal", "normal"), start[name])
        elif name in exponents:
            wanted[name] = Wanted("exponent", normal, start[name])
        else:
            wanted[name] = Wanted("other", normal, start[name], abs(start[name]) or 1.0)
    for block in spec.blocks:
        for name in block.parameters:
            role = "spread_other" if wanted[name].role == "other" else "spread_log"
            wanted[f"spread({name})"] = Wanted(role, scales, unit=wanted[name].unit)
        if block.correlated:
            wanted[f"correlation({block.column})"] = Wanted("correlation", ("lkj",))
    for response, f in spec.functions.items():
        sigma, base_sd = sizes.get(response, (1.0, 1.0))
        role, unit = ("sigma_log", 1.0) if f.logged else ("sigma", sigma)
        wanted[f"sigma({response})"] = Wanted(role, scales, unit=unit)
        if f.estimated:
            unit = 1.0 if f.form.of_log else 1 / base_sd
            wanted[f"exponent({response})"] = Wanted(f"variance_{f.kind}", normal, unit=unit)
    if spec.correlated:
        wanted["correlation"] = Wanted("correlation", ("lkj",))
    return wanted | model.wanted(spec)


def _exponents(system) -> set[str]:
    """Parameters that are exponents in a product of powers or a sum of such."""
    found, parameters = set(), set(system.parameters)
    for tree in branches(system.equations):
        form = power_product(tree, parameters)
        for term in (form,) if form else additive_terms(tree, parameters) or ():
            found |= {e for _, e in term.powers if isinstance(e, str)}
    return found


# The fit.

#: Acceptance rates at which a model is sampled again whose trajectories diverged.
RAISED = (0.95, 0.99)


def fit_bayes(
    prepared: data.Prepared,
    variance: str | Mapping[str, str] = "lognormal",
    pool: str | Mapping[str, str] | None = None,
    priors: Mapping[str, Any] | pd.DataFrame | None = None,
    measurement_error: Mapping[str, Any] | None = None,
    correlated: bool = True,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    accept: float = 0.8,
    level: float = 0.95,
    seed: int = 0,
) -> BayesResult:
    """Sample the posterior of a system; see :mod:`sinklab.fitting.bayes`.

    Parameters
    ----------
    prepared : Prepared
        From :func:`sinklab.fitting.data.prepare`.
    variance : str or mapping
        As for the other methods, ``lognormal`` among them; mixed systems may have both.
    pool : {"correlated", "independent", "none"} or mapping from group column, optional
        How ``a[species]`` is treated: partially pooled, with correlated deviations of the coefficients
        (default) or independent ones; or ``none``, every level with a prior of its own.
    priors : mapping or DataFrame, optional
        Stated priors, see :mod:`.priors`; the rest is built by rule, and all are told in the result.
    measurement_error : mapping, optional
        Standard deviation of the measurement of a predictor, in its unit: a number, an array, or the name of
        a column. The true values become unknowns.
    correlated : bool
        Estimate the residual correlation of the components.
    draws, tune, chains : int
        Draws kept and spent on tuning, for each chain.
    cores : int, optional
        Chains run at the same time; it does not change the draws.
    accept : float
        Acceptance rate that the step size is tuned to; higher is slower and diverges less. Draws with
        divergences are thrown away and sampled again at 0.95 and, if need be, 0.99, with the same seed.
    level : float
        Level of the equal-tailed intervals.
    seed : int

    Returns
    -------
    result : BayesResult

    Raises
    ------
    DataError, ConvergenceError
    """
    _check_numbers(draws, tune, chains, accept)
    spec = read_spec(prepared, variance, pool, measurement_error, correlated)
    stated, near = _priors(spec, prepared.frame, priors, seed)
    builder = Builder(spec, stated, near)
    posterior, statistics, attempts = _sample(builder, draws, tune, chains, cores, seed, accept)
    result, loo = _result(prepared, builder, stated, posterior, statistics, level, seed)
    result = replace(result, warnings=(*_told(attempts), *result.warnings))
    # What a later recomputation needs beside the priors; arrays of measurement errors stay with the data.
    options = {"pool": pool, "correlated": correlated, "tune": tune, "accept": accept}
    options["measurement_error"] = dict(measurement_error or {}) or None
    by_name = all(isinstance(e, (int, float, str)) for e in (measurement_error or {}).values())
    return _judged(result, statistics, loo, stated, sampled=attempts, options=options if by_name else None)


def compile_ahead(
    prepared: data.Prepared,
    variance: str | Mapping[str, str] = "lognormal",
    pool: str | Mapping[str, str] | None = None,
    correlated: bool = True,
) -> None:
    """Compile what :func:`fit_bayes` would with these options, for this process and those that come of it."""
    from sinklab.fitting.bayes.sample import compile_model

    spec = read_spec(prepared, variance, pool, None, correlated)
    compile_model(Builder(spec, *_priors(spec, prepared.frame, None, 0)))


def _sample(builder, draws, tune, chains, cores, seed, accept):
    """Sample, with smaller steps if a trajectory diverged; tells of every attempt."""
    from sinklab.fitting.bayes.sample import sample_posterior

    told = []
    for rate in (accept, *(r for r in RAISED if r > accept)):
        posterior, statistics = sample_posterior(builder, draws, tune, chains, cores, seed, rate)
        told.append({"accept": rate, "divergences": int(statistics["diverging"].sum())})
        if not told[-1]["divergences"]:
            break
    return posterior, statistics, told


def _told(attempts) -> tuple[str, ...]:
    """Say that the draws are not those of the first attempt."""
    if len(attempts) == 1:
        return ()
    before = "; ".join(f"{a['divergences']} ({a['accept']:g})" for a in attempts[:-1])
    last = attempts[-1]
    return (
        tr(
            f"divergences at an acceptance rate: {before}; sampled again at {last['accept']:g}, with "
            f"{last['divergences'] or 'none'}",
            f"各接受率下的发散次数：{before}；已按接受率 {last['accept']:g} 重新抽样，发散 {last['divergences']} 次",
        ),
    )


def _check_numbers(draws, tune, chains, accept):
    if min(draws, tune) < 10 or chains < 1 or not 0 < accept < 1:
        raise DataError(
            f"draws = {draws}, tune = {tune}, chains = {chains}, accept = {accept}; expected at least 10 draws "
            "and 10 for tuning, one chain, and an acceptance rate between 0 and 1",
            f"draws = {draws}，tune = {tune}，chains = {chains}，accept = {accept}；抽样与调整次数至少 10，"
            "至少一条链，接受率应在 0 与 1 之间",
        )


def _priors(spec, frame, stated, seed):
    """Priors of all quantities, and the normal approximation of the posterior under them."""
    start = start_values(spec.system, frame, None, seed)
    for name in spec.positive:
        start[name] = max(abs(start[name]), 1e-300)
    on_scale = {n: np.log(v) if n in spec.positive else v for n, v in start.items()}
    # All faults of the statements at once; the numbers for sigma are not looked at here.
    about = priors.complete(stated, wanted_priors(spec, start, {}))
    normal = np.array([about[n].gaussian(n in spec.positive) for _, _, n in spec.fixed])
    near = approximate(spec, on_scale, normal[:, 0], normal[:, 1])
    # The residual SD at the centre of the variance function, and the spread of its variable.
    sizes = {r: (near.sigma[j], near.base_sd[j]) for j, r in enumerate(spec.free)}
    return priors.complete(stated, wanted_priors(spec, start, sizes)), near


def _result(prepared, builder, stated, posterior, statistics, level, seed) -> tuple[BayesResult, dict | None]:
    """The result but for its certificate, and leave-one-out."""
    spec, near, frame, free = builder.spec, builder.near, prepared.frame, list(prepared.system.free)
    values = bayes_result.coefficient_draws(builder, posterior)
    coefficients = pd.DataFrame(values, columns=spec.layout.labels)
    other = bayes_result.other_draws(builder, bayes_result.flat(posterior["t"]))
    drawn = pd.concat([coefficients, other], axis=1)
    table = bayes_result.posterior_table(drawn, len(statistics["energy"]), level)
    # With unknown predictors a tree's density has no closed form.
    used, loo = spec.used, None
    if not spec.errors:
        loo = bayes_result.leave_one_out(bayes_result.log_likelihood(spec, frame, values, other)[:, used])
    at_mean, residual = other.mean().to_frame().T, {}
    for response in free:
        count = spec.counts[spec.free.index(response)]
        f, p = spec.functions[response], spec.layout.count(spec.system.own_parameters[response])
        sigma, exponent = at_mean[f"sigma({response})"], at_mean.get(f"exponent({response})", [f.start])
        residual[response] = f.residual(response, sigma[0], exponent[0], max(count - p, 1))
    result = assembled(
        prepared,
        of=BayesResult,
        method="bayes",
        values=values.mean(axis=0),
        covariance=np.atleast_2d(np.cov(values.T)),
        freedom=np.inf,
        residual=residual,
        correlation=correlation_draws(free, at_mean)[0],
        loglik=float(bayes_result.log_likelihood(spec, frame, values.mean(axis=0)[None], at_mean).sum()),
        logliks={},
        correction=dict.fromkeys(free, 1.0),
        correction_kind="none",
        certificate=Certificate(converged=False),
        warnings=(*prepared.warnings, *spec.notes),
        level=level,
        seed=seed,
        stored_draws=coefficients,
        other_draws=other,
        priors=priors.table(stated),
        posterior=table,
        shrinkage=bayes_result.shrinkage_table(builder, posterior, other, stated),
        positive=spec.positive,
        population=bayes_result.population(spec, other),
        centres={r: float(near.centre[j]) for j, r in enumerate(spec.free)},
        correlated=bayes_result.members(spec),
    )
    limits = {name: table[name].to_numpy()[: len(coefficients.columns)] for name in ("lower", "upper")}
    result = replace(result, parameters=result.parameters.assign(**limits))
    if loo is not None:
        # With unknown predictors the trees to simulate are not known either.
        pointwise = pd.DataFrame({"elpd": loo["pointwise"], "k": loo["k"]}, index=frame.index[used])
        found = bayes_result.compare_data(result, seed)
        result = replace(result, loo=pointwise, predictive_checks=found)
    return result, loo


def _judged(result, statistics, loo, stated, **known) -> BayesResult:
    """The result with its certificate, of which something is known, and the warnings that come of it."""
    checks = bayes_result.judged(result.posterior, statistics, loo, result.predictive_checks)
    chains, draws = statistics["energy"].shape
    certificate = Certificate(
        converged=all(c["passed"] for c in checks.values() if c["blocks"]),
        checks=checks,
        draws=draws,
        chains=chains,
        loo=None if loo is None else {k: loo[k] for k in ("elpd", "se", "p")},
        priors={p.name: {"prior": p.text, "origin": p.origin} for p in stated.values()},
        **known,
    )
    told = (*result.warnings, *bayes_result.warnings(checks))
    return replace(result, converged=certificate.converged, certificate=certificate, warnings=told)
