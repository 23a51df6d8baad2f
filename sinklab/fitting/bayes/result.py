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
from sinklab.fitting.bayes import model, priors
from sinklab.language import DataError, require_choice, require_known, tr
from sinklab.results.fit_result import FitResult, Population, correlation_draws


@dataclass(frozen=True, repr=False)
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


def posterior_table(draws: pd.DataFrame, chains: int, level: float) -> pd.DataFrame:
    """Summary of every quantity with its diagnostics, from draws of the chains one after another."""
    values = draws.to_numpy()
    lower, upper = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    columns = {"mean": values.mean(axis=0), "sd": values.std(axis=0, ddof=1), "lower": lower, "upper": upper}
    columns |= diagnostics(values.reshape(chains, -1, values.shape[1]))
    return pd.DataFrame(columns, index=pd.Index(draws.columns, name="quantity"))


def shrinkage_table(builder, posterior, other, priors) -> pd.DataFrame:
    """How far each group's values rest on the other groups, and how they move with the prior.

    ``borrowed`` is the weight of the distribution over the groups in a group's value, the rest being that
    of its own trees: 0 where a group speaks for itself, 1 where it takes what the others say. It is worked
    out on the linear approximation of the equations, and averaged over the draws of that distribution.
    ``narrower`` and ``wider`` are the values if the prior of the spread had half or twice its scale,
    from the same draws by importance weights.

    Parameters
    ----------
    builder : Builder
    posterior : dict of array
        See :func:`.sample.sample_posterior`.
    other : DataFrame
        See :func:`other_draws`.
    priors : dict of Prior

    Returns
    -------
    table : DataFrame
        ``column, group, name, n, mean, value, borrowed, narrower, wider``; values are logarithms for a
        coefficient that multiplies a mean.
    """
    rows, groups, t = [], group_draws(builder, posterior), flat(posterior["t"])
    for block, near, theta in zip(builder.spec.blocks, builder.near.groups, groups, strict=True):
        counts = np.bincount(block.rows, minlength=len(block.levels))
        spreads = other[[f"spread({p})" for p in block.parameters]].to_numpy()
        own = [priors[f"spread({p})"] for p in block.parameters]
        weights = [_weights(own, spreads, factor) for factor in (0.5, 2.0)]
        borrowed = _borrowed(near, correlation_draws(block.parameters, other), spreads)
        for k, name in enumerate(block.parameters):
            columns = {
                "column": block.column,
                "group": block.levels,
                "name": name,
                "n": counts,
                "mean": t[:, builder.scalars.place("mean", name)].mean(),
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


def _borrowed(near, matrix, spreads, n: int = 200) -> np.ndarray:
    """Weight of the distribution over the groups in each value (S, K), over some of the draws."""
    at = np.linspace(0, len(spreads) - 1, min(n, len(spreads))).round().astype(int)
    inverse = np.linalg.inv(matrix[at] * spreads[at, :, None] * spreads[at, None, :])
    share = np.linalg.solve(near.information[:, None] + inverse, inverse[None])
    return np.clip(np.diagonal(share, axis1=2, axis2=3).mean(axis=1), 0.0, 1.0)


# Log-likelihood of every tree under every draw, and random residuals.

#: Numbers held at once: draws times trees of one portion.
PORTION = 2_000_000


def residual_draws(functions, other) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residual SDs and exponents (D, m) of variance functions and correlations (D, m, m), from :func:`other_draws`."""
    fixed = {r: np.full(len(other), float(f.start)) for r, f in functions.items()}
    exponent = np.column_stack([other.get(f"exponent({r})", fixed[r]) for r in functions])
    sigma = other[[f"sigma({r})" for r in functions]].to_numpy()
    return sigma, exponent, correlation_draws(list(functions), other)


def means(system, rows, responses, n_draw, frame) -> list[np.ndarray]:
    """Means of responses (D, n) from each parameter of the system for each row, (D, n) or (D, 1)."""
    columns = {c: np.asarray(frame[c], float) for c in system.predictors}
    found = system.compiled(responses, by_row=True).broadcast(rows, columns)
    return [np.broadcast_to(mean, (n_draw, len(frame))) for mean in found]


def residual_scales(functions, sigma, exponent, mean, frame) -> list[np.ndarray]:
    """Residual SDs (D, n) of the equations; of the logarithm for a lognormal one."""
    return [
        f.scale(sigma[:, j, None], exponent[:, j, None], mean[j], frame)
        for j, f in enumerate(functions.values())
    ]


def log_likelihood(spec, frame, coefficients, other) -> np.ndarray:
    """Log-density of each tree's components, shape (D, n), in the units of the responses."""
    count, step = len(coefficients), max(1, PORTION // len(coefficients))
    sigma, exponent, found = residual_draws(spec.functions, other)
    out, m = np.zeros((count, len(frame))), range(len(spec.free))
    matrix = [[found[:, j, k, None] for k in m] for j in m]
    logged = np.array([f.logged for f in spec.functions.values()])
    with np.errstate(all="ignore"):
        for part in spec.parts:
            for begin in range(0, len(part.rows), step):
                rows, values = (a[begin : begin + step] for a in (part.rows, part.values))
                trees = frame.iloc[rows]
                places = spec.layout.rows(trees)
                theta = [coefficients[:, at].reshape(count, -1) for at in places]
                mean = means(spec.system, theta, spec.free, count, trees)
                scale = residual_scales(spec.functions, sigma, exponent, mean, trees)
                location = [
                    np.log(f) - sd**2 / 2 if log else f
                    for f, sd, log in zip(mean, scale, logged, strict=True)
                ]
                log_sd = [np.log(sd) for sd in scale]
                density = model.density(part.combine, values.T, location, log_sd, matrix, np)
                # The density of a response, not of its logarithm.
                out[:, rows] = density - values @ ((part.combine != 0) @ logged.astype(float))
    return out


def observe(functions, other, mean, frame, rng) -> list[np.ndarray]:
    """New observations (D, n) of the free responses, one for each draw and tree, with correlated residuals."""
    sigma, exponent, matrix = residual_draws(functions, other)
    normal = rng.standard_normal((*mean[0].shape, len(mean)))
    standard = np.einsum("dqr,dnr->dnq", np.linalg.cholesky(matrix), normal, optimize=True)
    scales = residual_scales(functions, sigma, exponent, mean, frame)
    parts = zip(functions.values(), scales, mean, strict=True)
    return [f.observed(scale, one, standard[:, :, j]) for j, (f, scale, one) in enumerate(parts)]


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
    system, functions = result.system, {r: kept.variance for r, kept in result.residual.items()}
    rows = _by_row(result, frame, coefficients, other, rng)
    found = means(system, rows, tuple(functions), len(other), frame)
    if kind.endswith("individual"):
        found = observe(functions, other, found, frame, rng)
    drawn = dict(zip(functions, found, strict=True))
    if system.identities:
        made = system.made.broadcast(
            [drawn[r] for r in system.free], {c: frame[c].to_numpy(float) for c in system.made.columns}
        )
        drawn |= {r: np.broadcast_to(x, found[0].shape) for r, x in zip(system.identities, made, strict=True)}
    return {r: drawn[r] for r in system.responses}


def _stored(result, n):
    found = len(result.stored_draws)
    if n is not None and n > found:
        raise DataError(f"{n} draws asked for; {found} are stored", f"要求 {n} 次抽样；仅存有 {found} 次")
    # Spread over the chains, which are stored one after another.
    keep = np.arange(found) if n is None else np.linspace(0, found - 1, n).round().astype(int)
    return result.stored_draws.iloc[keep], result.other_draws.iloc[keep]


def _from_priors(result, n, rng):
    """Coefficients and all other quantities drawn from their priors."""
    stated = {
        name: priors.parse(name, text)
        for name, text in zip(result.priors["name"], result.priors["prior"], strict=True)
    }
    groups, drawn = result.system.groups, {}
    for name, prior in stated.items():
        if prior.family == "lkj":
            members = result.correlated[name]
            alpha = model.shapes(len(members), prior.scale)
            partial = 2 * rng.beta(alpha, alpha, (n, len(alpha))).T - 1
            matrix = model.correlation(model.cholesky(partial, len(members), np.sqrt))
            drawn |= {f"correlation({a}, {b})": matrix[i][j] for a, b, i, j in _pairs(members)}
        else:
            drawn[name] = prior.draw(rng, n, name in result.positive)
    pooled, coefficients = {p for p in groups if f"spread({p})" in drawn}, {}
    for label, name in zip(result.labels, result.layout.names, strict=True):
        if name not in pooled:
            # A fixed effect of every level has the prior of its coefficient for itself.
            alone = name not in groups
            coefficients[label] = drawn[name] if alone else stated[name].draw(rng, n, name in result.positive)
    drawn |= {f"mean({p})": drawn[p] for p in pooled}
    other = pd.DataFrame({c: drawn[c] for c in result.other_draws if c in drawn})
    for response, centre in result.centres.items():
        # The prior of sigma is one at the centre of its variance function.
        exponent = other.get(f"exponent({response})", result.residual[response].exponent)
        other[f"sigma({response})"] *= np.exp(-exponent * centre)
    return pd.DataFrame(coefficients, index=other.index), other


def _by_row(result, frame, coefficients, other, rng) -> list[np.ndarray]:
    """Every parameter for every row, (D, n) or (D, 1)."""
    groups, known = result.system.groups, {c: x.to_numpy() for c, x in coefficients.items()}
    population = Population(other, result.positive)
    for column in dict.fromkeys(groups.values()):
        levels, index = np.unique(frame[column].astype(str), return_inverse=True)
        members = [p for p in result.system.parameters if groups.get(p) == column]
        unseen = [level for level in levels if f"{members[0]}[{level}]" not in known]
        if unseen and not population.knows(members[0]):
            raise DataError(
                f"{column}: levels that were not fitted: {', '.join(unseen)}; without pooling nothing is known of them",
                f"{column}：未参与拟合的水平：{'、'.join(unseen)}；未作部分汇集，无法推断",
            )
        for level in unseen:
            known |= {f"{n}[{level}]": x for n, x in population.drawn(members, rng).items()}
        for name in members:
            known[name] = np.column_stack([known[f"{name}[{level}]"] for level in levels])[:, index]
    return [known[name].reshape(len(other), -1) for name in result.system.parameters]


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


def other_draws(builder, t) -> pd.DataFrame:
    """Everything beside the coefficients, natural scale and unit, one column each, from draws (D, P)."""
    spec, scalars, columns = builder.spec, builder.scalars, {}
    for j, (r, f) in enumerate(spec.functions.items()):
        exponent = scalars.take(t, "exponent", r) if f.estimated else float(f.start)
        columns[f"sigma({r})"] = scalars.take(t, "sigma", r) * np.exp(-exponent * builder.near.centre[j])
    columns |= {
        f"exponent({r})": scalars.take(t, "exponent", r) for r, f in spec.functions.items() if f.estimated
    }
    for block in spec.blocks:
        for kind in ("mean", "spread"):
            columns |= {f"{kind}({p})": scalars.take(t, kind, p) for p in block.parameters}
    for name, found in members(spec).items():
        matrix = scalars.correlation(t, name)
        columns |= {f"correlation({a}, {b})": matrix[:, i, j] for a, b, i, j in _pairs(found)}
    return pd.DataFrame(columns)


def members(spec) -> dict[str, tuple[str, ...]]:
    """Members of each correlation matrix, by the name of its prior."""
    found = {f"correlation({b.column})": b.parameters for b in spec.blocks if b.correlated}
    return found | ({"correlation": spec.free} if spec.correlated else {})


def population(spec, other) -> Population | None:
    """The distribution over the groups, if there are any that are pooled."""
    kept = [f"{kind}({p})" for b in spec.blocks for kind in ("mean", "spread") for p in b.parameters]
    for name, found in members(spec).items():
        kept += [f"correlation({a}, {b})" for a, b, *_ in _pairs(found)] if name != "correlation" else []
    return Population(other[kept], spec.positive) if kept else None


def _pairs(names):
    """Two names and their places, for each pair."""
    return [(names[j], names[i], i, j) for i, j in zip(*np.tril_indices(len(names), -1), strict=True)]


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


def judged(posterior, statistics, loo, predictive=None) -> dict[str, dict]:
    """Every check with value, threshold and verdict.

    Parameters
    ----------
    posterior : DataFrame
        See :func:`posterior_table`.
    statistics : dict
        ``diverging`` and ``energy``, shape (chain, draw).
    loo : dict or None
        See :func:`leave_one_out`; None where it does not exist.
    predictive : DataFrame, optional
        See :func:`compare_data`.
    """
    values = {
        "divergences": (float(statistics["diverging"].sum()), ""),
        "e_bfmi": (energy_fraction(statistics["energy"]), ""),
    }
    for name, sign in (("rhat", 1), ("ess_bulk", -1), ("ess_tail", -1)):
        known = posterior[name].dropna()
        worst = (sign * known).idxmax() if len(known) else ""
        values[name] = (float(known[worst]) if len(known) else float("nan"), worst)
    if loo is not None:
        values["pareto_k"] = (float(loo["k"].max()), "")
    for kind, rows in () if predictive is None else predictive.groupby("kind"):
        worst = rows.loc[rows["p"].idxmin()]
        values[f"{kind}_predictive"] = (float(worst["p"]), f"{worst['response']}, {worst['summary']}")
    checks = {}
    for name, rule in _rules().items():
        if name in values:
            value, where = values[name]
            passed = value <= rule["threshold"] if rule["comparison"] == "<=" else value >= rule["threshold"]
            checks[name] = {
                "value": value,
                "comparison": rule["comparison"],
                "threshold": rule["threshold"],
                "passed": bool(passed),
                "blocks": bool(rule["blocks"]),
                "worst": where,
                "source": rule["source"],
            }
    return checks


def _rules() -> dict[str, dict]:
    return {r["check"]: r for r in records("rules", "bayes_checks.csv", numbers=("threshold", "blocks"))}


def warnings(checks) -> list[str]:
    """One line for each check that failed, with what may be done."""
    told, rules = [], _rules()
    for name, c in checks.items():
        if not c["passed"]:
            where = f" ({c['worst']})" if c["worst"] else ""
            found, wanted = f"{name} = {c['value']:.4g}{where}", f"{c['comparison']} {c['threshold']:g}"
            en, zh = rules[name]["advice_en"], rules[name]["advice_zh"]
            told.append(tr(f"{found}; expected {wanted}; {en}", f"{found}；应 {wanted}；{zh}"))
    return told


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
