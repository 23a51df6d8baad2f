"""The result of a Bayesian fit: priors beside posterior, what was borrowed, predictive draws, and every check.

*Draws.* What the sampler moved becomes the quantities that people know (:func:`coefficient_draws`,
:func:`residual_draws`, :func:`other_draws`). Means, log-likelihoods of every tree under every draw and random
residuals come from the system's own functions, with numpy.

*Prediction.* :func:`predictive` gives what the posterior, or the prior alone, expects of trees.

*Checks.* Whether the draws may be used is told by every check with its threshold, from
``data/rules/bayes_checks.csv``. Among them the data stand beside what the model expects of such data: every response
is simulated anew for the same trees, from the posterior and from the priors alone, and summaries of what was
measured are placed among those of the simulations (:func:`compare_data`). A summary far out in the posterior's tells
what the model fails to describe; one far out among the prior's that priors and data contradict each other. The
tail area is that of both sides; near 0 is bad, and it is cautious, because the data were used twice.

Source
------
Gelman A. et al. (2013) Bayesian Data Analysis, 3rd edition, chapter 6. CRC Press.
Evans M., Moshonov H. (2006) Checking for prior-data conflict. Bayesian Analysis 1:893-914.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from sinklab.data.files import records
from sinklab.equations.compile import Compiled
from sinklab.equations.parse import names
from sinklab.fitting.bayes import model, priors
from sinklab.language import DataError, require_choice, require_known, tr
from sinklab.results.fit_result import FitResult


@dataclass(frozen=True)
class BayesResult(FitResult):
    """A fit by sampling.

    ``stored_draws`` holds the coefficients; ``other_draws`` residual SDs, exponents, correlations, and mean
    and spread of the groups, row for row with them; ``priors`` has columns ``name, prior, origin``;
    ``posterior`` a row for every quantity with ``mean, sd, lower, upper, rhat, ess_bulk, ess_tail``;
    ``shrinkage`` tells for each pooled value how much of it was borrowed from the other groups; ``loo`` has
    Pareto ``k`` for each tree; ``predictive_checks`` places the data among simulated ones, see
    :func:`compare_data`. ``positive`` names the coefficients sampled as logarithms, ``centres`` the
    centres of variance functions by response, ``correlated`` the members of each correlation matrix.
    """

    other_draws: pd.DataFrame | None = None
    priors: pd.DataFrame | None = None
    posterior: pd.DataFrame | None = None
    shrinkage: pd.DataFrame | None = None
    loo: pd.DataFrame | None = None
    predictive_checks: pd.DataFrame | None = None
    positive: frozenset = frozenset()
    centres: dict = field(default_factory=dict)
    correlated: dict = field(default_factory=dict)

    @property
    def _interval_kind(self) -> str:
        return "posterior, equal tails"


def parameter_table(layout, values, level) -> pd.DataFrame:
    """Posterior mean, SD and equal-tailed interval of the coefficients, from draws (D, k)."""
    lower, upper = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    return pd.DataFrame(
        {
            "name": layout.names,
            "group": layout.groups,
            "value": values.mean(axis=0),
            "se": values.std(axis=0, ddof=1),
            "lower": lower,
            "upper": upper,
        }
    )


def posterior_table(labels, draws, found, level) -> pd.DataFrame:
    """Summary of every quantity with its diagnostics, from draws (D, k)."""
    lower, upper = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    columns = {"mean": draws.mean(axis=0), "sd": draws.std(axis=0, ddof=1), "lower": lower, "upper": upper}
    return pd.DataFrame(columns | found, index=pd.Index(labels, name="quantity"))


def shrinkage_table(builder, t, groups, priors) -> pd.DataFrame:
    """How far each group's values rest on the other groups, and how they move with the prior.

    ``borrowed`` is the weight of the distribution over the groups in a group's value, the rest being that
    of its own trees: 0 where a group speaks for itself, 1 where it takes what the others say. It is worked
    out on the linear approximation of the equations, and averaged over the draws of that distribution.
    ``narrower`` and ``wider`` are the values if the prior of the spread had half or twice its scale,
    from the same draws by importance weights.

    Parameters
    ----------
    builder : Builder
    t : array, shape (D, P)
        Scalar unknowns.
    groups : list of array, shape (D, K, S)
        Values of the groups on the sampled scale.
    priors : dict of Prior

    Returns
    -------
    table : DataFrame
        ``column, group, name, n, mean, value, borrowed, narrower, wider``; values are logarithms for a
        coefficient that multiplies a mean.
    """
    rows, scalars = [], builder.scalars
    for block, near, theta in zip(builder.spec.blocks, builder.near.groups, groups, strict=True):
        counts = np.bincount(block.rows, minlength=len(block.levels))
        spreads = np.column_stack([scalars.take(t, "spread", p) for p in block.parameters])
        own = [priors[f"spread({p})"] for p in block.parameters]
        weights = [_weights(own, spreads, factor) for factor in (0.5, 2.0)]
        borrowed = _borrowed(block, near, scalars, t, spreads)
        for k, name in enumerate(block.parameters):
            columns = {
                "column": block.column,
                "group": block.levels,
                "name": name,
                "n": counts,
                "mean": t[:, scalars.place("mean", name)].mean(),
                "value": theta[:, k].mean(axis=0),
                "borrowed": borrowed[:, k],
                "narrower": weights[0] @ theta[:, k],
                "wider": weights[1] @ theta[:, k],
            }
            rows.append(pd.DataFrame(columns))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def _weights(priors, spreads, factor) -> np.ndarray:
    """Weights of the draws (D,) under priors of the spreads whose scale is multiplied."""
    log = sum(
        replace(p, scale=p.scale * factor).log_density(s) - p.log_density(s)
        for p, s in zip(priors, spreads.T, strict=True)
    )
    weights = np.exp(log - log.max())
    return weights / weights.sum()


def _borrowed(block, near, scalars, t, spreads, n: int = 200) -> np.ndarray:
    """Weight of the distribution over the groups in each value (S, K), over some of the draws."""
    at = np.linspace(0, len(t) - 1, min(n, len(t))).round().astype(int)
    matrix = np.tile(np.eye(len(block.parameters)), (len(at), 1, 1))
    if block.correlated:
        matrix = scalars.correlation(t[at], f"correlation({block.column})")
    inverse = np.linalg.inv(matrix * spreads[at, :, None] * spreads[at, None, :])
    share = np.linalg.solve(
        near.information[:, None] + inverse, np.broadcast_to(inverse, (len(block.levels), *inverse.shape))
    )
    return np.clip(np.diagonal(share, axis1=2, axis2=3).mean(axis=1), 0.0, 1.0)


# Log-likelihood of every tree under every draw, and random residuals.

LOG_2PI = float(np.log(2 * np.pi))
#: Numbers held at once: draws times trees of one portion.
PORTION = 2_000_000


@dataclass(frozen=True)
class Draws:
    """Draws of everything a density needs: arrays whose first axis is the draw.

    ``values`` (D, k) are coefficients in the order of the layout; ``sigma`` and ``exponent`` (D, m) those
    of the variance functions in their natural unit, ``correlation`` (D, m, m), all in the order of
    ``free``.
    """

    free: tuple[str, ...]
    functions: dict
    values: np.ndarray
    sigma: np.ndarray
    exponent: np.ndarray
    correlation: np.ndarray

    def at(self, index) -> "Draws":
        """Chosen draws, such as a slice."""
        return Draws(
            self.free,
            self.functions,
            self.values[index],
            self.sigma[index],
            self.exponent[index],
            self.correlation[index],
        )

    def mean(self) -> "Draws":
        """Posterior mean as a single draw."""
        return Draws(
            self.free,
            self.functions,
            *(a.mean(axis=0)[None] for a in (self.values, self.sigma, self.exponent, self.correlation)),
        )


def means(system, layout, responses, values, frame) -> list[np.ndarray]:
    """Means of responses (D, n) for draws of the coefficients (D, k)."""
    compiled = Compiled(system.equations, tuple(responses), system.parameters)
    n = len(frame)
    columns = {c: np.asarray(frame[c], float) for c in compiled.columns}
    theta = [values[:, place].reshape(len(values), -1) for place in layout.rows(frame)]
    return [np.broadcast_to(mean, (len(values), n)) for mean in compiled.broadcast(theta, columns)]


def residual_scale(draws, j, mean, frame) -> np.ndarray:
    """Residual SD (D, n) of one equation; of the logarithm for a lognormal one."""
    f = draws.functions[draws.free[j]]
    return f.scale(draws.sigma[:, j, None], draws.exponent[:, j, None], mean, frame)


def log_likelihood(spec, frame, draws) -> np.ndarray:
    """Log-density of each tree's components, shape (D, n), in the units of the responses."""
    n, step = len(frame), max(1, PORTION // len(draws.values))
    out = np.empty((len(draws.values), n))
    for begin in range(0, n, step):
        rows = np.arange(begin, min(n, begin + step))
        out[:, rows] = _portion(spec, frame.iloc[rows], draws, rows)
    return out


def _portion(spec, frame, draws, rows):
    y = spec.y[rows]
    mean = means(spec.system, spec.layout, draws.free, draws.values, frame)
    residual, size = np.zeros((2, *mean[0].shape, y.shape[1]))
    out = np.zeros(mean[0].shape)
    with np.errstate(all="ignore"):
        for j in range(y.shape[1]):
            sd = residual_scale(draws, j, mean[j], frame)
            size[:, :, j] = sd
            if spec.is_lognormal(j):
                residual[:, :, j] = np.log(y[:, j] / mean[j]) + sd**2 / 2
                out -= np.where(np.isfinite(y[:, j]), np.log(y[:, j]), 0.0)
            else:
                residual[:, :, j] = y[:, j] - mean[j]
    for pattern in spec.patterns:
        at, inside, _ = np.intersect1d(rows, pattern.rows, return_indices=True)
        if len(at):
            out[:, inside] += _normal(
                residual[:, inside][:, :, pattern.seen],
                size[:, inside][:, :, pattern.seen],
                draws.correlation[:, pattern.seen][:, :, pattern.seen],
            )
    for part in spec.combined:
        at, inside, own = np.intersect1d(rows, part.rows, return_indices=True)
        if len(at):
            location = np.stack([m[:, inside] for m in mean], axis=2) @ part.combine.T
            half = size[:, inside][:, :, None, :] * part.combine
            covariance = np.einsum("dnqr,drs,dnps->dnqp", half, draws.correlation, half, optimize=True)
            out[:, inside] += _with_covariance(part.values[own] - location, covariance)
    return out


def _normal(residual, size, correlation):
    """Normal density of residuals (D, n, q) with SD ``size`` and one correlation matrix for each draw."""
    root = np.linalg.cholesky(correlation)
    standard = np.einsum("dqr,dnr->dnq", np.linalg.inv(root), residual / size, optimize=True)
    log_root = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    q = residual.shape[2]
    return -0.5 * (standard**2).sum(axis=2) - np.log(size).sum(axis=2) - log_root[:, None] - 0.5 * q * LOG_2PI


def _with_covariance(residual, covariance):
    root = np.linalg.cholesky(covariance)
    standard = np.linalg.solve(root, residual[..., None])[..., 0]
    log_root = np.log(np.diagonal(root, axis1=2, axis2=3)).sum(axis=2)
    return -0.5 * (standard**2).sum(axis=2) - log_root - 0.5 * residual.shape[2] * LOG_2PI


def observe(draws, mean, frame, rng) -> list[np.ndarray]:
    """New observations (D, n) of the free responses, one for each draw and tree, with correlated residuals."""
    root = np.linalg.cholesky(draws.correlation)
    normal = rng.standard_normal((*mean[0].shape, len(draws.free)))
    standard = np.einsum("dqr,dnr->dnq", root, normal, optimize=True)
    out = []
    for j, response in enumerate(draws.free):
        scale = residual_scale(draws, j, mean[j], frame)
        out.append(draws.functions[response].observed(scale, mean[j], standard[:, :, j]))
    return out


# Predictive draws: what the posterior, or the prior alone, expects of trees.

KINDS = ("mean", "individual", "prior", "prior_individual")


def predictive(
    result: BayesResult, data: pd.DataFrame, kind: str = "individual", n: int | None = None, seed: int = 0
) -> dict[str, np.ndarray]:
    """Draws of every response of a Bayesian fit.

    A level of a group column that was not fitted is a new group: its coefficients are drawn from the
    distribution over the groups, one for each draw and shared by the trees of that level.

    Parameters
    ----------
    result : BayesResult
    data : DataFrame
        Predictors and group columns, in the units of the fit.
    kind : {"individual", "mean", "prior", "prior_individual"}
        One new tree of each row, with its residual; the mean of such trees; or the same before any data
        were seen, from the priors alone.
    n : int, optional
        Number of draws; all stored ones by default, 1000 for the prior.
    seed : int

    Returns
    -------
    draws : dict of array, shape (n, len(data))
        By response, identities included; an identity of individuals is made of its own parts.

    Raises
    ------
    DataError
        Unknown kind, missing columns, or more draws than are stored.
    """
    require_choice("kind", kind, KINDS)
    frame = pd.DataFrame(data)
    needed = [*result.system.predictors, *dict.fromkeys(result.system.groups.values())]
    require_known(needed, frame)
    rng = np.random.default_rng(seed)
    if kind.startswith("prior"):
        coefficients, other = _from_priors(result, n or 1000, rng)
    else:
        coefficients, other = _stored(result, n)
    rows = _by_row(result, frame, coefficients, other, rng)
    free, system = list(result.residual), result.system
    columns = {c: frame[c].to_numpy(float) for c in system.predictors}
    shape = len(other), len(frame)
    found = Compiled(system.equations, free, system.parameters).broadcast(rows, columns)
    found = [np.broadcast_to(mean, shape) for mean in found]
    if kind.endswith("individual"):
        found = observe(_residuals(result, other), found, frame, rng)
    drawn = dict(zip(free, found, strict=True))
    return {r: _identity(system, r, drawn, columns, shape) for r in system.responses}


def _identity(system, response, drawn, columns, shape):
    """An identity from the draws of the responses before it; the others are drawn already."""
    if response not in drawn:
        line = next(e for e in system.equations if e.response == response)
        parts = [r for r in drawn if r in {found.name for found in names(line.right)}]
        compiled = Compiled((line,), (response,), parts)
        value = compiled.broadcast([drawn[r] for r in parts], columns)[0]
        drawn[response] = np.broadcast_to(value, shape)
    return drawn[response]


def _stored(result, n):
    found = len(result.stored_draws)
    if n is not None and n > found:
        raise DataError(f"{n} draws asked for; {found} are stored", f"要求 {n} 次抽样；仅存有 {found} 次")
    # Spread over the chains, which are stored one after another.
    keep = np.arange(found) if n is None else np.linspace(0, found - 1, n).round().astype(int)
    return result.stored_draws.iloc[keep], result.other_draws.iloc[keep]


def _from_priors(result, n, rng):
    """Coefficients and all other quantities drawn from their priors."""
    drawn = {}
    for name, text in zip(result.priors["name"], result.priors["prior"], strict=True):
        prior = priors.parse(name, text)
        if prior.family != "lkj":
            drawn[name] = _positive(prior, rng, n) if name in result.positive else prior.draw(rng, n)
    groups = result.system.groups
    coefficients = {}
    for label, name in zip(result.labels, result.layout.names, strict=True):
        if name not in groups or f"spread({name})" not in drawn:
            # A fixed effect of every level has the prior of its coefficient for itself.
            again = priors.parse(name, result.priors.set_index("name").loc[name, "prior"])
            draw = _positive(again, rng, n) if name in result.positive else again.draw(rng, n)
            coefficients[label] = drawn[name] if name not in groups else draw
    other = {c: drawn[c] for c in result.other_draws if c in drawn}
    other |= {f"mean({p})": drawn[p] for p in groups if f"spread({p})" in drawn}
    other |= _prior_correlations(result, n, rng)
    other = pd.DataFrame(other)
    for response, centre in result.centres.items():
        # The prior of sigma is one at the centre of its variance function.
        exponent = other.get(f"exponent({response})", result.residual[response].exponent)
        other[f"sigma({response})"] *= np.exp(-exponent * centre)
    return pd.DataFrame(coefficients, index=other.index), other


def _positive(prior, rng, n):
    values = prior.draw(rng, n)
    while (values <= 0).any():
        values[values <= 0] = prior.draw(rng, int((values <= 0).sum()))
    return values


def _prior_correlations(result, n, rng) -> dict:
    found = {}
    for name, text in zip(result.priors["name"], result.priors["prior"], strict=True):
        prior = priors.parse(name, text)
        if prior.family != "lkj":
            continue
        members = result.correlated[name]
        alpha = model.shapes(len(members), prior.scale)
        partial = 2 * rng.beta(alpha, alpha, (n, len(alpha))).T - 1
        matrix = model.correlation(model.cholesky(partial, len(members), np.sqrt))
        below = zip(*np.tril_indices(len(members), -1), strict=True)
        found |= {f"correlation({members[j]}, {members[i]})": matrix[i][j] for i, j in below}
    return found


def _by_row(result, frame, coefficients, other, rng) -> list[np.ndarray]:
    """Every parameter for every row, (D, n) or (D, 1)."""
    system, new, rows = result.system, {}, []
    for name in system.parameters:
        if name not in system.groups:
            rows.append(coefficients[name].to_numpy()[:, None])
            continue
        column = system.groups[name]
        levels, index = np.unique(frame[column].astype(str), return_inverse=True)
        unseen = [level for level in levels if f"{name}[{level}]" not in coefficients]
        if unseen and column not in new:
            new[column] = _new_groups(result, column, unseen, other, rng)
        values = [
            new[column][name, level] if level in unseen else coefficients[f"{name}[{level}]"].to_numpy()
            for level in levels
        ]
        rows.append(np.column_stack(values)[:, index])
    return rows


def _new_groups(result, column, levels, other, rng) -> dict:
    """Coefficients of groups that were not seen, by name and level, from the distribution over the groups."""
    members = [p for p in result.system.parameters if result.system.groups.get(p) == column]
    if f"spread({members[0]})" not in other:
        raise DataError(
            f"{column}: levels that were not fitted: {', '.join(levels)}; without pooling nothing is known of them",
            f"{column}：未参与拟合的水平：{'、'.join(levels)}；未作部分汇集，无法推断",
        )
    root = np.linalg.cholesky(_matrices(members, other))
    found = {}
    for level in levels:
        deviation = np.einsum("dkl,dl->dk", root, rng.standard_normal((len(other), len(members))))
        for k, name in enumerate(members):
            mean, spread = other[f"mean({name})"].to_numpy(), other[f"spread({name})"].to_numpy()
            logs = name in result.positive
            found[name, level] = (
                mean * np.exp(spread * deviation[:, k]) if logs else mean + spread * deviation[:, k]
            )
    return found


def _matrices(members, other) -> np.ndarray:
    """Correlation matrices (D, d, d) of named quantities; uncorrelated where no correlation was drawn."""
    out = np.tile(np.eye(len(members)), (len(other), 1, 1))
    for i, one in enumerate(members):
        for j, two in enumerate(members):
            for label in (f"correlation({one}, {two})", f"correlation({two}, {one})"):
                if i != j and label in other:
                    out[:, i, j] = other[label]
    return out


def _residuals(result, other) -> Draws:
    free = list(result.residual)
    functions, exponents = {}, []
    for response, kept in result.residual.items():
        functions[response] = kept.variance
        drawn = other.get(f"exponent({response})")
        exponents.append(np.full(len(other), kept.exponent) if drawn is None else drawn.to_numpy())
    sigma = np.column_stack([other[f"sigma({r})"] for r in free])
    nothing = np.empty((len(other), 0))
    return Draws(tuple(free), functions, nothing, sigma, np.column_stack(exponents), _matrices(free, other))


# What the sampler moved, as the quantities that people know.


def flat(values):
    """Draws of all chains, one after another."""
    return values.reshape(-1, *values.shape[2:])


def group_draws(builder, posterior) -> list[np.ndarray]:
    """Values of the groups on the sampled scale, (D, K, S) for each block, levels in their order."""
    return [flat(posterior[f"group_{c}"]) for c in range(len(builder.near.groups))]


def coefficient_draws(builder, posterior) -> np.ndarray:
    """Coefficients on their natural scale, (D, k), in the order of the layout."""
    spec, t = builder.spec, flat(posterior["t"])
    groups = group_draws(builder, posterior)
    found = {(n, g): t[:, i] for i, (n, g) in enumerate(spec.common)}
    for block, theta in zip(spec.blocks, groups, strict=True):
        for k, name in enumerate(block.parameters):
            found |= {(name, level): theta[:, k, s] for s, level in enumerate(block.levels)}
    labels = zip(spec.layout.names, spec.layout.groups, strict=True)
    out = np.column_stack([found[label] for label in labels])
    log = np.array([name in spec.positive for name in spec.layout.names])
    out[:, log] = np.exp(out[:, log])
    return out


def residual_draws(spec, near, scalars, t, values) -> Draws:
    """Draws of coefficients, residual SDs in their natural unit, exponents and correlations."""
    m = len(spec.free)
    exponent = np.tile([float(spec.functions[r].start) for r in spec.free], (len(t), 1))
    for j, response in enumerate(spec.free):
        if spec.functions[response].estimated:
            exponent[:, j] = scalars.take(t, "exponent", response)
    sigma = np.column_stack([scalars.take(t, "sigma", r) for r in spec.free])
    correlation = (
        scalars.correlation(t, "correlation") if spec.correlated else np.tile(np.eye(m), (len(t), 1, 1))
    )
    return Draws(
        spec.free, spec.functions, values, sigma * np.exp(-exponent * near.centre), exponent, correlation
    )


def other_draws(spec, draws, scalars, t) -> pd.DataFrame:
    """Everything beside the coefficients, natural scale and unit, one column each."""
    columns = {f"sigma({r})": draws.sigma[:, j] for j, r in enumerate(spec.free)}
    for j, r in enumerate(spec.free):
        if spec.functions[r].estimated:
            columns[f"exponent({r})"] = draws.exponent[:, j]
    if spec.correlated:
        columns |= _pairs(spec.free, draws.correlation)
    for block in spec.blocks:
        for kind in ("mean", "spread"):
            columns |= {f"{kind}({p})": scalars.take(t, kind, p) for p in block.parameters}
        if block.correlated:
            columns |= _pairs(block.parameters, scalars.correlation(t, f"correlation({block.column})"))
    return pd.DataFrame(columns)


def members(spec) -> dict[str, tuple[str, ...]]:
    """Members of each correlation matrix, by the name of its prior."""
    found = {f"correlation({b.column})": b.parameters for b in spec.blocks if b.correlated}
    return found | ({"correlation": spec.free} if spec.correlated else {})


def _pairs(names, matrices) -> dict:
    below = zip(*np.tril_indices(len(names), -1), strict=True)
    return {f"correlation({names[j]}, {names[i]})": matrices[:, i, j] for i, j in below}


# Whether the draws may be used.


def diagnostics(values) -> dict[str, np.ndarray]:
    """R-hat and effective sample sizes of quantities, by ArviZ.

    Parameters
    ----------
    values : array, shape (chain, draw, k)

    Returns
    -------
    found : dict of array, shape (k,)
        ``rhat, ess_bulk, ess_tail``.
    """
    try:
        from arviz_stats.base import array_stats
    except ImportError:
        return _by_data_set(values)
    axes = {"chain_axis": 0, "draw_axis": 1}
    return {
        "rhat": array_stats.rhat(values, method="rank", **axes),
        "ess_bulk": array_stats.ess(values, method="bulk", **axes),
        "ess_tail": array_stats.ess(values, method="tail", prob=(0.05, 0.95), **axes),
    }


def _by_data_set(values):
    """The same with ArviZ before 1.0."""
    import arviz as az

    data = az.convert_to_dataset({"x": values})
    return {
        "rhat": az.rhat(data, method="rank")["x"].values,
        "ess_bulk": az.ess(data, method="bulk")["x"].values,
        "ess_tail": az.ess(data, method="tail", prob=0.05)["x"].values,
    }


def leave_one_out(log_likelihood) -> dict:
    """Expected log predictive density by Pareto-smoothed importance sampling (Vehtari et al. 2017).

    Parameters
    ----------
    log_likelihood : array, shape (draw, n)

    Returns
    -------
    found : dict
        ``elpd``, its standard error ``se``, effective number of parameters ``p``; ``pointwise`` and ``k`` (n,).
    """
    try:
        from arviz_stats.base import array_stats

        # ArviZ 1 takes log-likelihoods and turns them into weights; before it took log weights.
        smoothed, k = array_stats.psislw(log_likelihood.T)
    except ImportError:
        import arviz as az

        smoothed, k = az.psislw(-log_likelihood.T)
    smoothed, k = np.asarray(smoothed), np.atleast_1d(np.asarray(k))
    pointwise = _log_sum(smoothed + log_likelihood.T)
    whole = _log_sum(log_likelihood.T) - np.log(len(log_likelihood))
    return {
        "elpd": float(pointwise.sum()),
        "se": float(np.sqrt(len(pointwise) * pointwise.var())),
        "p": float((whole - pointwise).sum()),
        "pointwise": pointwise,
        "k": k,
    }


def _log_sum(values):
    top = values.max(axis=1)
    return top + np.log(np.exp(values - top[:, None]).sum(axis=1))


def energy_fraction(energy) -> float:
    """Smallest energy Bayesian fraction of missing information over the chains (chain, draw)."""
    jumps = np.square(np.diff(energy, axis=1)).mean(axis=1)
    return float((jumps / energy.var(axis=1)).min())


def certificate(found, labels, statistics, loo, predictive=None) -> dict:
    """Every check with value, threshold and verdict.

    Parameters
    ----------
    found : dict
        See :func:`diagnostics`.
    labels : sequence of str
        Names of the quantities.
    statistics : dict
        ``diverging`` and ``energy``, shape (chain, draw).
    loo : dict or None
        See :func:`leave_one_out`; None where it does not exist.
    predictive : DataFrame, optional
        See :func:`compare_data`.
    """
    values = {
        "rhat": _worst(found["rhat"], labels, np.nanargmax),
        "ess_bulk": _worst(found["ess_bulk"], labels, np.nanargmin),
        "ess_tail": _worst(found["ess_tail"], labels, np.nanargmin),
        "divergences": (float(statistics["diverging"].sum()), ""),
        "e_bfmi": (energy_fraction(statistics["energy"]), ""),
    }
    if loo is not None:
        values["pareto_k"] = (float(loo["k"].max()), "")
    for kind, rows in () if predictive is None else predictive.groupby("kind"):
        worst = rows.loc[rows["p"].idxmin()]
        values[f"{kind}_predictive"] = (float(worst["p"]), f"{worst['response']}, {worst['summary']}")
    checks = {}
    for rule in records("rules", "bayes_checks.csv", numbers=("threshold", "blocks")):
        if rule["check"] not in values:
            continue
        value, where = values[rule["check"]]
        threshold = rule["threshold"]
        passed = value <= threshold if rule["comparison"] == "<=" else value >= threshold
        checks[rule["check"]] = {
            "value": value,
            "comparison": rule["comparison"],
            "threshold": threshold,
            "passed": bool(passed),
            "blocks": bool(rule["blocks"]),
            "worst": where,
            "source": rule["source"],
        }
    return {"converged": all(c["passed"] for c in checks.values() if c["blocks"]), "checks": checks}


def _worst(values, labels, which) -> tuple[float, str]:
    if not np.isfinite(values).any():
        return float("nan"), ""
    at = int(which(values))
    return float(values[at]), labels[at]


def warnings(checks) -> list[str]:
    """One line for each check that failed."""
    told = []
    for name, c in checks.items():
        if c["passed"]:
            continue
        where = f" ({c['worst']})" if c["worst"] else ""
        advice = _ADVICE[name]()
        told.append(
            tr(
                f"{name} = {c['value']:.4g}{where}; expected {c['comparison']} {c['threshold']:g}; {advice}",
                f"{name} = {c['value']:.4g}{where}；应 {c['comparison']} {c['threshold']:g}；{advice}",
            )
        )
    return told


_ADVICE = {
    "rhat": lambda: tr("draw more, or simplify the model", "请增加抽样次数或简化模型"),
    "ess_bulk": lambda: tr("draw more", "请增加抽样次数"),
    "ess_tail": lambda: tr("draw more", "请增加抽样次数"),
    "divergences": lambda: tr(
        "state narrower priors, pool independently or simplify the model",
        "请给出更窄的先验、改用独立汇集或简化模型",
    ),
    "e_bfmi": lambda: tr("draw more, or state narrower priors", "请增加抽样次数或给出更窄的先验"),
    "posterior_predictive": lambda: tr(
        "trees simulated from the fit are unlike those measured; try another variance function or form",
        "由模型模拟的样木与实测不符；请尝试其他方差函数或方程形式",
    ),
    "prior_predictive": lambda: tr(
        "the priors expect other trees than were measured; look at priors and units",
        "先验预期与实测样木不符；请检查先验与单位",
    ),
    "pareto_k": lambda: tr(
        "look at the trees that move the fit; LOO is unreliable there", "请检查影响拟合的样木；其 LOO 不可靠"
    ),
}


# Data against what the model expects of such data, before and after they were seen.

#: Simulated data sets at most, and at least if trees are many; numbers to simulate in all.
SIMULATED, AT_LEAST, NUMBERS = 1000, 500, 4_000_000
#: Share of new trees within the interval whose coverage is compared.
INSIDE = 0.9


def _inside(low, high):
    return lambda y: ((y >= low) & (y <= high)).mean(axis=-1)


def _summaries(drawn, kind) -> dict:
    """Functions of trees (…, n) by name; the median and the ends for the prior, whose tails may overflow."""
    found = {"smallest": lambda y: y.min(axis=-1), "largest": lambda y: y.max(axis=-1)}
    if kind == "prior":
        return found | {"median": lambda y: np.median(y, axis=-1)}
    low, high = np.quantile(drawn, [0.5 - INSIDE / 2, 0.5 + INSIDE / 2], axis=0)
    found |= {"mean": lambda y: y.mean(axis=-1), "sd": lambda y: y.std(axis=-1)}
    return found | {f"inside_{INSIDE * 100:g}": _inside(low, high)}


def compare_data(result: BayesResult, seed: int) -> pd.DataFrame:
    """Place summaries of the data among those of simulated data.

    Parameters
    ----------
    result : BayesResult
        With its draws, priors and data.
    seed : int

    Returns
    -------
    table : DataFrame
        ``kind`` (posterior, prior), ``response``, ``summary``, ``observed``, ``lower``, ``upper`` (95 % of the
        simulations) and ``p``, the two-sided tail area of the observed one.
    """
    frame, free = result.data, list(result.residual)
    count = int(np.clip(NUMBERS // max(1, len(frame) * len(free)), AT_LEAST, SIMULATED))
    rows = []
    with np.errstate(all="ignore"):
        for kind, drawn_from in (("posterior", "individual"), ("prior", "prior_individual")):
            n = min(count, len(result.stored_draws)) if kind == "posterior" else count
            drawn = predictive(result, frame, drawn_from, n, seed)
            for response in free:
                seen = frame[response].notna().to_numpy()
                if not seen.any():
                    continue
                y, simulated = frame[response].to_numpy(float)[seen], drawn[response][:, seen]
                for name, summary in _summaries(simulated, kind).items():
                    rows.append((kind, response, name, *_place(summary(y), summary(simulated))))
    return pd.DataFrame(rows, columns=["kind", "response", "summary", "observed", "lower", "upper", "p"])


def _place(observed, simulated) -> tuple:
    """The observed value, 95 % of the simulated ones, and its tail area among them."""
    above, below = (simulated >= observed).sum(), (simulated <= observed).sum()
    p = min(1.0, 2 * (min(above, below) + 1) / (len(simulated) + 1))
    lower, upper = np.nanquantile(simulated, [0.025, 0.975])
    return float(observed), float(lower), float(upper), float(p)
