r"""Put printed values of several studies together: mean, spread between them, a new place, a species nobody measured.

:func:`summarise` pools each group of rows by itself, :func:`fit` over species, genera and families at once; both give rows of
``values.csv``.

*A study is a source.* The rows of one study (ages, plots, treatments) are nested in it: their mean is the value of the
study, and its sampling variance is that of their mean, or what their ± says where that is more.

*Random effects.* Study :math:`i` has a mean :math:`y_i` with sampling variance :math:`v_i`; the true
values differ between studies with variance :math:`\tau^2` (Paule & Mandel 1982, by statsmodels), and
:math:`w_i = 1/(v_i + \tau^2)`. The mean over studies has variance
:math:`\max(q, 1) / \sum w_i, \; q = \sum w_i (y_i - \bar y)^2 / (k - 1)`, with Student's t on k - 1 degrees of freedom
(Hartung & Knapp 2001). A new place has :math:`\tau^2` on top of it. Where no sampling variance is known that is Student's t
on k - 2 degrees of freedom (Higgins, Thompson & Spiegelhalter 2009), but on two at three studies, where the interval of a
normal sample is exact. Else :math:`\tau` is integrated over its likelihood, because an estimate of nought is no proof of it,
with a half-normal prior (Röver et al. 2021) whose scale ``data/rules/hierarchy.csv`` gives: a multiple of the spread of the
studies, and at most one of their mean. Simulated over 0.1 to 0.6 of spread and half to twice the sampling error, three
studies then hold a new place in 93 to 99 % (in 96 to 100 %, and twice as wide, with a flat prior).

*What stands behind ±.* A standard deviation is divided by the root of n, a standard error is taken as it is, and a ± of
unknown kind is read as a standard error, because that widens the mean. An n that is not printed is not known, nor is the
variance that rests on it: the study then takes the largest one that is known, or none beside :math:`\tau^2`.

*Few studies.* Groups of one table share what they know of :math:`\tau`: a group of fewer than five studies takes the
larger of its own and the common value, with the degrees of freedom of the common one, so few studies never look more
certain than many. Two studies alone do not tell how places differ. Where no group has two studies, the standard
deviation that one prints is the spread of units on its own place, and the row says so.

*Hierarchy.* On the scale of logarithms (fractions: logits) printed value j is

.. math:: y_j = x_j \beta + u_{family} + u_{genus} + u_{species} + u_{organ} + r_{region} + s_{study} + e_j + \epsilon_j

with a mean per organ (:math:`\beta`, flat prior), normal deviations of every level, of the organs of a species where
there are several organs, of what crosses the levels when asked for (a region, in which all species share a deviation), of the study (which all its
values share), between stands (:math:`e`), and the sampling error :math:`\epsilon_j` that the printed ± says.
Given the standard deviations everything is normal and solved exactly; the standard deviations themselves have
half-normal priors (``data/rules/hierarchy.csv``: no wider than a multiple of the spread of the values) and
are integrated over by importance sampling from a Student's t about the mode. Few values leave them wide, and
that widens the answer; nothing is plugged in as if it were known. A species without values takes the spread
between species of its genus, a genus without values that
between genera of its family, and so on. A new stand adds the spread between studies and between stands.

Source
------
Hartung J., Knapp G. (2001) A refined method for the meta-analysis of controlled clinical trials with binary outcome.
Statistics in Medicine 20:3875-3889. Higgins J.P.T., Thompson S.G., Spiegelhalter D.J. (2009) A re-evaluation of random-effects
meta-analysis. J. R. Stat. Soc. A 172:137-159. Paule R.C., Mandel J. (1982) Consensus values and
weighting factors. J. Res. Natl. Bur. Stand. 87:377-385. Gelman A., Carlin J.B., Stern H.S., et al. (2013)
Bayesian Data Analysis, 3rd edition, chapters 5, 10 and 15. CRC Press. Röver C., Bender R., Dias S., et al. (2021) On weakly
informative prior distributions for the heterogeneity parameter in Bayesian random-effects meta-analysis. Research Synthesis
Methods 12:448-474.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize, stats

from sinklab.data import literature, vocabulary
from sinklab.data.files import rule_values
from sinklab.evidence.distributions import Distribution, Scale, from_moments, moments, quantiles
from sinklab.language import DataError, Notes, require_choice, require_known
from sinklab.results.variance import require_level

# One group of studies.

#: Below so many studies or sites a group borrows spread from the others.
FEW = 5
#: A spread on fewer degrees of freedom is not lent.
LEAST_FREEDOM = 3
#: Column that names the study of a printed row.
STUDIES = "study of the source"


@dataclass(frozen=True)
class Pooled:
    """Mean over studies with its standard error, spread between studies, and standard deviation for a new place.

    ``freedom`` of the mean and ``freedom_new`` of a new place; ``new`` is an even mixture of normals (centres, spreads) where
    the spread was integrated over; ``borrowed``: it is that of other groups; ``own``: no spread between studies is known,
    and ``sd`` is that of units on the one place.
    """

    mean: float
    se: float
    tau: float
    sd: float
    freedom: float
    freedom_new: float
    n_study: int
    borrowed: bool = False
    own: bool = False
    new: tuple[np.ndarray, np.ndarray] | None = None


def sampling_variance(spread: float, kind: str, n: float) -> float:
    """Variance of a printed mean, from what stands behind its ±, NaN where that is not known; see the module."""
    if kind == "none" or not np.isfinite(spread):
        return 0.0
    if kind == "sd":
        return float(spread**2 / n) if np.isfinite(n) and n >= 1 else np.nan
    if kind == "range":
        # A range of n values is about as wide as the normal's expected range; unknown n is taken as 2.
        return float((spread / 1.128) ** 2)
    return float(spread**2)


def _sampling(rows: pd.DataFrame, variable: str) -> np.ndarray:
    """Sampling variances of printed rows; one that is not known is the largest of those that are."""
    if f"{variable}_spread" not in rows:
        return np.zeros(len(rows))
    n = rows["n"].astype(float) if "n" in rows else pd.Series(np.nan, rows.index)
    cells = zip(rows[f"{variable}_spread"].astype(float), rows["spread_kind"], n, strict=True)
    return _known(np.array([sampling_variance(*cell) for cell in cells]))


def _known(variances) -> np.ndarray:
    return np.where(np.isnan(variances), np.nanmax([*variances, 0.0]), variances)


def by_study(rows: pd.DataFrame, variable: str) -> pd.DataFrame:
    """Mean of each study over its rows, with its sampling variance.

    Parameters
    ----------
    rows : DataFrame
        Printed rows; see :func:`summarise`. The column ``study of the source`` names their study.
    variable : str

    Returns
    -------
    studies : DataFrame
        Indexed by study: ``mean``, ``variance``, ``rows``.
    """
    part = pd.DataFrame({"mean": rows[variable].astype(float), "variance": _sampling(rows, variable)})
    found = part.groupby(rows[STUDIES].to_numpy()).agg(
        mean=("mean", "mean"), scatter=("mean", "var"), variance=("variance", "mean"), rows=("mean", "size")
    )
    most = found[["scatter", "variance"]].max(axis=1)
    return pd.DataFrame({"mean": found["mean"], "variance": most / found["rows"], "rows": found["rows"]})


def between_studies(means: ArrayLike, variances: ArrayLike) -> float:
    """Variance between studies, Paule and Mandel's estimate; NaN for fewer than two."""
    from statsmodels.stats.meta_analysis import combine_effects

    means, variances = np.asarray(means, float), np.asarray(variances, float)
    if len(means) < 2:
        return np.nan
    spread = float(np.var(means, ddof=1))
    # Studies without a printed spread get a sampling variance of zero, which the estimator cannot divide by.
    floor = max(1e-6 * spread, 1e-300)
    if (variances <= floor).all():
        return spread
    return float(combine_effects(means, np.maximum(variances, floor), method_re="iterated").tau2)


def pool(means, spreads, kinds, ns, tau_common: float = np.nan, freedom_common: float = 0) -> Pooled:
    """Pool the printed means of one group.

    Parameters
    ----------
    means, spreads, kinds, ns : sequences
        One entry per study; NaN where nothing is printed.
    tau_common, freedom_common : float
        Spread between studies that the other groups of the table know, and its degrees of freedom.
    """
    told = [sampling_variance(*row) for row in zip(spreads, kinds, ns, strict=True)]
    printed = [s for s, k in zip(spreads, kinds, strict=True) if k == "sd" and np.isfinite(s)]
    unknown = bool(np.isnan(told).all())
    found = pool_studies(means, _known(np.array(told)), tau_common, freedom_common)
    if np.isfinite(found.tau):
        return found
    # One study: nothing says how places differ, but what units on this one do may be printed.
    n = float(np.nansum(np.asarray(ns, float)))
    freedom = max(n - 1, 1) if n else np.inf
    sd = float(printed[0]) if printed else np.nan
    se = np.nan if unknown or not any(told) else found.se
    return replace(found, se=se, sd=sd, freedom=freedom, freedom_new=freedom, own=True)


def pool_studies(
    means, variances, tau_common: float = np.nan, freedom_common: float = 0, scale: str = "log"
) -> Pooled:
    """Random effects over the means of studies with known sampling variances; see :func:`pool`.

    ``scale`` is that of the variable, on which the rule limits the spread between places.
    """
    means, variances = np.asarray(means, float), np.asarray(variances, float)
    k, own = len(means), np.sqrt(between_studies(means, variances))
    shared = k < FEW and freedom_common >= max(k, LEAST_FREEDOM)
    borrowed = bool(shared and not own >= tau_common)
    tau = tau_common if borrowed else own
    total = variances + np.nan_to_num(tau) ** 2
    weights = np.ones_like(means) if (total <= 0).any() else 1 / total
    mean = float(np.average(means, weights=weights))
    q = float(weights @ (means - mean) ** 2 / (k - 1)) if k > 1 else 1.0
    se = 0.0 if (total <= 0).any() else float(np.sqrt(max(q, 1.0) / weights.sum()))
    freedom = (freedom_common, freedom_common) if shared else (k - 1, freedom_of_new(k))
    new = None if shared or k < 3 or not (variances > 0).any() else _integrated(means, variances, scale)
    return Pooled(mean, se, float(tau), float(np.hypot(tau, se)), *freedom, k, borrowed, new=new)


def freedom_of_new(k: int) -> int:
    """Degrees of freedom for a new place after k of them: k - 2, but two at three, and none at two, which do not tell."""
    return max(k - 2, 2) if k > 2 else 0


def _integrated(means, variances, scale: str, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """A new place under every spread between studies that the means allow, as an even mixture of n normals."""
    u, rule = (np.arange(2000) + 0.5) / 2000, rule_values("hierarchy")
    middle = abs(float(means.mean()))
    most = rule[f"place_{scale}"] * middle * (1 - middle if scale == "logit" else 1.0)
    prior = min(rule["place_times"] * float(means.std(ddof=1)), most) or most
    tau = np.sqrt(means.var(ddof=1) + variances.mean()) * u / (1 - u)
    weights = 1 / (variances + tau[:, None] ** 2)
    centre = weights @ means / weights.sum(axis=1)
    away = (weights * (means - centre[:, None]) ** 2).sum(axis=1)
    log = (
        0.5 * np.log(weights).sum(axis=1) - 0.5 * np.log(weights.sum(axis=1)) - 0.5 * away - 2 * np.log1p(-u)
    )
    log -= 0.5 * (tau / prior) ** 2
    share = np.cumsum(np.exp(log - log.max()))
    picked = np.searchsorted(share / share[-1], (np.arange(n) + 0.5) / n)
    return centre[picked], np.sqrt(tau**2 + 1 / weights.sum(axis=1))[picked]


def summarise(
    rows: pd.DataFrame,
    variable: str,
    by: Iterable[str],
    level: float = 0.95,
    study: str = "source_id",
    definition: str = "",
) -> pd.DataFrame:
    """Pool one variable over groups of printed rows.

    Parameters
    ----------
    rows : DataFrame
        As :func:`sinklab.data.literature.load` returns them.
    variable : str
        Column of values; ``<variable>_spread`` beside it when spreads are printed.
    by : sequence of str
        Columns that make the groups.
    level : float
        Level of the intervals.
    study : str
        Column of the studies in which rows are nested.
    definition : str
        What the quantity includes; left out, what the rows say of it (:func:`sinklab.data.literature.definition_of`).

    Returns
    -------
    values : DataFrame
        Rows of ``values.csv`` of a table package.

    Raises
    ------
    DataError
        A column is missing, or no row has a value.

    >>> len(sl.summarise(sl.load('literature:carbon_fraction'), 'carbon_fraction', ['component'])) > 9
    True
    """
    by = list(by)
    require_known((variable, *by, study), rows)
    rows = rows[rows[variable].notna()]
    if rows.empty:
        raise DataError(f"{variable}: no row has a value", f"{variable}：没有任何取值")
    if f"{variable}_spread" not in rows:
        rows = rows.assign(**{f"{variable}_spread": np.nan, "spread_kind": "none"})
    rows = rows.assign(**{STUDIES: literature.studies(rows[study])})
    groups = dict(list(rows.groupby(by, sort=True)))
    known = {key: by_study(part, variable) for key, part in groups.items()}
    common = _common(known.values())
    return pd.DataFrame(
        [_row(key, part, known[key], variable, by, common, level, definition) for key, part in groups.items()]
    )


def _common(groups) -> tuple[float, float]:
    """Spread between studies over all groups, weighted by their degrees of freedom."""
    squares, freedom = 0.0, 0
    for part in groups:
        if len(part) > 1:
            squares += (len(part) - 1) * between_studies(part["mean"], part["variance"])
            freedom += len(part) - 1
    return (float(np.sqrt(squares / freedom)), freedom) if freedom else (np.nan, 0)


def _row(key, part, studies, variable, by, common, level, definition) -> dict:
    if len(part) == 1:
        n = part["n"].astype(float) if "n" in part else [np.nan]
        pooled = pool(
            part[variable], part[f"{variable}_spread"].astype(float), part["spread_kind"], n, *common
        )
    else:
        pooled = pool_studies(studies["mean"], studies["variance"], *common, Scale.of(variable).name)
        if not np.isfinite(pooled.tau):
            # Several rows of one study: their scatter is that of the place.
            sd = float(part[variable].std(ddof=1))
            pooled = replace(pooled, sd=sd, freedom=len(part) - 1, freedom_new=len(part) - 1, own=True)
    group = [f"{column}={str(k).removesuffix('.0')}" for column, k in zip(by, key, strict=True)]
    told = {"mean": pooled.mean, "sd": pooled.sd, "se": pooled.se, "tau": pooled.tau}
    here = "unit_here" if np.isfinite(pooled.sd) else "site_here"
    whom = (here, "units", "units") if pooled.own else ("new_site", "groups", "predictive")
    told |= dict(zip(("of_whom", "mean_of", "sd_of"), whom, strict=True))
    told |= {} if np.isfinite(pooled.sd) else {"sd_of": ""}
    told["definition"] = definition or literature.definition_of(part, variable)
    told |= {"ratio_of": "ratios" if vocabulary.variable(variable).name in RATIOS else ""}
    told |= mean_interval(variable, pooled.mean, pooled.se, pooled.freedom, level)
    told |= _predictive(pooled, vocabulary.variable(variable), level)
    note = NOTES["borrowed" if pooled.borrowed else "two" if pooled.freedom_new < 1 else ""]
    return _value(variable, group, part, len(studies), told, level, note)


#: What the column ``note`` says of a row.
NOTES = {
    "": "",
    "borrowed": "spread between studies taken from the other groups",
    "two": "two studies do not tell how places differ",
    "known": "hierarchical: species with values",
    "other": "hierarchical: from other organs of the species and this organ of others",
    "unknown": "hierarchical: any species of this group without values of its own",
}
#: Variables that are a ratio of two quantities of a stand or a plant.
RATIOS = ("root_shoot_ratio", "bef", "bcef")


def mean_interval(variable: str, mean: float, se: float, freedom: float, level: float) -> dict:
    """Limits of a mean by Student's t on the scale of its variable; blank where its error is not known."""
    if not (np.isfinite(se) and mean > 0 and freedom > 1):
        return {"mean_lower": np.nan, "mean_upper": np.nan}
    scale = Scale.of(variable)
    away = stats.t.ppf(0.5 + level / 2, freedom) * np.sqrt(scale.variance(mean, se**2))
    low, high = scale.back(scale.to(mean) + np.array([-1, 1]) * min(away, 50.0))
    return {"mean_lower": float(low), "mean_upper": float(high)}


def _value(variable, group, part, n_study, told, level, note) -> dict:
    """One row of ``values.csv`` for a group (``column=value``), with the printed rows it rests on."""
    kinds = sorted(set(part["spread_kind"])) if "spread_kind" in part else []
    # An n that is not printed is not known, and neither is the sum.
    n = part["n"].astype(float).sum(skipna=False) if "n" in part else np.nan
    return {
        "name": f"{variable}[{','.join(g.partition('=')[2] for g in group)}]",
        "group": ";".join(group),
        "variable": variable,
        "unit": vocabulary.variable(variable).unit,
        "n_study": n_study,
        "n": n,
        **told,
        "level": level,
        "interval_kind": "distribution",
        "spread_read": ";".join("se" if k == "unknown" else k for k in kinds),
        # References of an open data set are numbers of its own: the data set is the source.
        "sources": ";".join(sorted(part["source_id"].unique())) if "source_id" in part else "",
        "note": note,
    }


def _predictive(pooled, info, level) -> dict:
    """Distribution for a new place: a family on the support of the variable, as wide as Student's t."""
    empty = {"family": "", "p1": np.nan, "p2": np.nan, "q025": np.nan, "q975": np.nan}
    if not np.isfinite(pooled.sd) or pooled.sd == 0 or pooled.mean <= 0 or pooled.freedom_new < 1:
        return empty
    upper = 0.5 + level / 2
    z = stats.norm.ppf(upper)
    widened = pooled.sd * stats.t.ppf(upper, pooled.freedom_new) / z
    if pooled.new is not None:
        widened = float(np.diff(quantiles(np.array([1 - upper, upper]), *pooled.new))[0] / 2 / z)
    fraction = info.minimum is not None and info.minimum >= 0 and info.maximum <= 1 and info.unit == "1"
    family = "beta" if fraction else "lognormal"
    if fraction and widened**2 >= 0.98 * pooled.mean * (1 - pooled.mean):
        return empty
    found = from_moments(pooled.mean, widened, family)
    low, high = found.quantile([1 - upper, upper])
    return {"family": family, "p1": found.p1, "p2": found.p2, "q025": float(low), "q975": float(high)}


# How far every level spreads: likelihood with the means integrated out, and draws by importance sampling.

#: Candidates per draw that is kept, degrees of freedom and inflation of the proposal.
CANDIDATES, TAIL, WIDEN, ROUNDS = 4, 5, 1.2, 2
#: Logarithms of spreads that are never left: far below any that matters, far above any prior.
ENDS = (-14.0, 4.0)
SMALLEST = 1e-4


def design(column, of) -> np.ndarray:
    """Indicators of the values of a column that were seen; an unseen one takes the mean of all."""
    known = sorted(of.astype(str).unique())
    table = (column.astype(str).to_numpy()[:, None] == np.array(known)[None, :]).astype(float)
    table[table.sum(axis=1) == 0] = 1 / len(known)
    return table


def keys(rows, levels) -> np.ndarray:
    """Key of the last of some nested levels, with those above it; blank where it is not known."""
    cells = [
        rows[level].astype(object).where(rows[level].notna(), "").astype(str).to_numpy() for level in levels
    ]
    joined = ["/".join(parts) for parts in zip(*cells, strict=True)]
    return np.where(cells[-1] == "", "", np.array(joined, dtype=object))


def blocks(rows, paths) -> list[np.ndarray]:
    """Which pairs of rows share each path of levels; the last, between stands, is the identity."""
    found = []
    for path in paths:
        key = keys(rows, path)
        found.append(((key[:, None] == key[None, :]) & (key != "")[:, None]).astype(float))
        # What is not known is something of its own.
        np.fill_diagonal(found[-1], 1.0)
    return [*found, np.eye(len(rows))]


def covariance(tau, blocks, sampling) -> np.ndarray:
    """Covariance (n, n) of the values under standard deviations of the levels."""
    total = sum(t**2 * block for t, block in zip(tau, blocks, strict=True))
    return total + np.diag(sampling + SMALLEST**2)


def solve(factor, right):
    """Solve with a lower triangular factor."""
    from scipy.linalg import solve_triangular

    return solve_triangular(factor, right, lower=True)


def log_density(theta, y, x, blocks, sampling, prior) -> float:
    """Posterior density of the logarithms of the spreads, the means integrated out."""
    tau = np.exp(theta)
    factor = np.linalg.cholesky(covariance(tau, blocks, sampling))
    solved = solve(factor, np.column_stack([y, x]))
    dy, dx = solved[:, 0], solved[:, 1:]
    joint = dx.T @ dx
    beta = np.linalg.solve(joint, dx.T @ dy)
    likelihood = -np.log(np.diag(factor)).sum() - 0.5 * np.linalg.slogdet(joint)[1]
    likelihood -= 0.5 * ((dy - dx @ beta) ** 2).sum()
    return float(likelihood - 0.5 * ((tau / prior) ** 2).sum() + theta.sum())


def importance(density, k, prior, n, seed) -> tuple[np.ndarray, float]:
    """Draws of a density (n, k), and how many they are worth.

    The proposal starts as a Student's t about the mode and is moved to the mean and covariance of its own
    weighted draws, which follow a ridge (two spreads that only their sum is known of) better than a mode.
    """
    best = optimize.minimize(
        lambda t: -density(t), np.full(k, np.log(prior / 3)), method="L-BFGS-B", bounds=[(-8, 3)] * k
    )
    rng = np.random.default_rng(seed)
    centre, about = best.x, _spread_about(density, best.x)
    for _ in range(ROUNDS):
        theta, weight = _weighted(density, centre, about, CANDIDATES * n // 2, rng)
        centre = weight @ theta
        about = WIDEN * ((theta - centre) * weight[:, None]).T @ (theta - centre) + 1e-4 * np.eye(k)
    theta, weight = _weighted(density, centre, about, CANDIDATES * n, rng)
    # Systematic resampling: the draws are spread as evenly as the weights allow.
    picked = np.searchsorted(np.cumsum(weight), (np.arange(n) + rng.random()) / n)
    return theta[np.minimum(picked, len(theta) - 1)], float(1 / (weight**2).sum())


def _weighted(density, centre, about, m, rng) -> tuple[np.ndarray, np.ndarray]:
    """Draws from a Student's t (m, k) with weights that turn them into draws of the density."""
    half = np.linalg.cholesky(about)
    tails = np.sqrt(TAIL / rng.chisquare(TAIL, m))
    theta = centre + (rng.standard_normal((m, len(centre))) * tails[:, None]) @ half.T
    theta = np.clip(theta, *ENDS)
    weight = np.array([density(t) for t in theta]) - stats.multivariate_t.logpdf(
        theta, centre, about, df=TAIL
    )
    weight = np.exp(weight - weight.max())
    return theta, weight / weight.sum()


def _spread_about(density, mode) -> np.ndarray:
    """Covariance of the normal that has the curvature of the density at its mode, widened."""
    k, step = len(mode), 0.05
    unit = step * np.eye(k)
    hessian = np.empty((k, k))
    for i in range(k):
        for j in range(i, k):
            corners = [density(mode + a * unit[i] + b * unit[j]) for a in (1, -1) for b in (1, -1)]
            hessian[i, j] = hessian[j, i] = (corners[0] - corners[1] - corners[2] + corners[3]) / (
                4 * step**2
            )
    values, vectors = np.linalg.eigh(-hessian)
    # A flat direction is bounded by the prior: the logarithm of a half-normal has an SD of about one.
    return (vectors * (WIDEN**2 / np.maximum(values, 1.0))) @ vectors.T


# Species within genera within families: what a new stand will have.

LEVELS = ("family", "genus", "species_id")
STAND, STUDY = "stand", "study"
KINDS = ("mean", "stand")
LEAST_EFFECTIVE = 40


def with_taxonomy(rows: pd.DataFrame) -> pd.DataFrame:
    """Fill in genus and family from ``species_id``; a row that names a genus only has a blank species."""
    known = {s.species_id: s for s in vocabulary.species_list()}
    told = [known.get(key) for key in rows["species_id"]]
    found = rows.assign(
        genus=[s.genus if s else None for s in told], family=[s.family if s else None for s in told]
    )
    whole = [s is not None and s.name_latin == s.genus for s in told]
    found["species_id"] = found["species_id"].mask(np.array(whole, bool))
    return found


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Values with the spread of every level; made by :func:`fit`.

    ``spreads`` has one row per draw and a column per level and crossed column, then ``study`` and ``stand``: standard
    deviations on the scale. ``rows`` are the values used; ``effective`` is the effective number of draws.

    >>> from sinklab.evidence import pooling
    >>> type(pooling.fit(sl.load('literature:carbon_fraction'), 'carbon_fraction', 'component')).__name__
    'Hierarchy'
    """

    variable: str
    scale: Scale
    by: str
    levels: tuple[str, ...]
    crossed: tuple[str, ...]
    study: str
    rows: pd.DataFrame
    y: np.ndarray
    sampling: np.ndarray
    spreads: pd.DataFrame
    effective: float
    warnings: tuple[str, ...] = ()

    def predict(self, targets: pd.DataFrame, kind: str = STAND, level: float = 0.95) -> pd.DataFrame:
        """Distribution of the mean of a species, or of a new stand of it.

        Parameters
        ----------
        targets : DataFrame
            The column ``by``, those of the levels and the crossed ones; blank or unseen means not known,
            and takes the spread of that level.
        kind : "stand" or "mean"
            A new stand (new study), or the mean over stands.
        level : float

        Returns
        -------
        found : DataFrame, index of ``targets``
            ``median, mean, sd, lower, upper`` in the unit of the variable, ``centre, spread`` of the normal on
            the scale that has the same interval, and ``told_by``: the narrowest level with values.
        """
        require_choice("kind", kind, KINDS)
        require_level(level)
        targets = _filled(targets, self.rows, self.levels)
        targets = targets.assign(**{column: None for column in self.crossed if column not in targets})
        centres, spreads = self._moments(targets, kind)
        ends = np.array([0.5 - level / 2, 0.5, 0.5 + level / 2])
        found = np.array([quantiles(ends, m, s) for m, s in zip(centres.T, spreads.T, strict=True)])
        values = self.scale.back(found)
        told = [moments(self.scale, m, s) for m, s in zip(centres.T, spreads.T, strict=True)]
        return pd.DataFrame(
            {
                "median": values[:, 1],
                "mean": [mean for mean, _ in told],
                "sd": [sd for _, sd in told],
                "lower": values[:, 0],
                "upper": values[:, 2],
                "centre": (found[:, 0] + found[:, 2]) / 2,
                "spread": (found[:, 2] - found[:, 0]) / 2 / stats.norm.ppf(0.5 + level / 2),
                "told_by": self._told_by(targets),
            },
            index=targets.index,
        )

    def _moments(self, targets, kind) -> tuple[np.ndarray, np.ndarray]:
        """Mean and SD of every target (columns) under every draw of the spreads (rows)."""
        x, wanted = (
            design(self.rows[self.by], self.rows[self.by]),
            design(targets[self.by], self.rows[self.by]),
        )
        paths = [*self.paths, *((column,) for column in self.crossed)]
        known = [keys(self.rows, path) for path in paths]
        seen = [keys(targets, path) for path in paths]
        same = [(a[:, None] == b[None, :]) & (b[None, :] != "") for a, b in zip(known, seen, strict=True)]
        pairs = blocks(self.rows, [*paths, (self.study,)])
        centres, spreads = [], []
        for tau in self.spreads.to_numpy():
            factor = np.linalg.cholesky(covariance(tau, pairs, self.sampling))
            cross = sum(t**2 * s for t, s in zip(tau, same, strict=False)).astype(float)
            solved = solve(factor, np.column_stack([self.y, x, cross]))
            y, dx, dc = solved[:, 0], solved[:, 1 : 1 + x.shape[1]], solved[:, 1 + x.shape[1] :]
            joint = np.linalg.inv(dx.T @ dx)
            beta = joint @ dx.T @ y
            rest = wanted - dc.T @ dx
            own = (tau[: len(paths)] ** 2).sum() + ((tau[len(paths) :] ** 2).sum() if kind == STAND else 0)
            centres.append(wanted @ beta + dc.T @ (y - dx @ beta))
            variance = own - (dc**2).sum(axis=0) + np.einsum("ij,jk,ik->i", rest, joint, rest)
            spreads.append(np.sqrt(np.maximum(variance, SMALLEST**2)))
        return np.array(centres), np.array(spreads)

    def _told_by(self, targets) -> list[str]:
        told = np.array(["none"] * len(targets), dtype=object)
        for path in self.paths:
            seen = set(keys(self.rows, path)) - {""}
            told[[key in seen for key in keys(targets, path)]] = path[-1]
        return list(told)

    @property
    def paths(self) -> list[tuple[str, ...]]:
        """Every level with those above it: an epithet means nothing without its genus; see :func:`paths_of`."""
        return paths_of(self.rows, self.levels, self.by)

    def spread_table(self) -> pd.DataFrame:
        """Median and 90 % interval of the standard deviation of every level, on the scale."""
        q = self.spreads.quantile([0.05, 0.5, 0.95]).T
        return q.set_axis(["lower", "median", "upper"], axis=1)


def paths_of(rows, levels, by) -> list[tuple[str, ...]]:
    """Paths of nested levels, and the organs within a species where there are several: leaves of larch are their own."""
    nested = [tuple(levels[: i + 1]) for i in range(len(levels))]
    return [*nested, (*levels, by)] if rows[by].nunique() > 1 else nested


def fit(
    rows: pd.DataFrame,
    variable: str,
    by: str = "component",
    levels: Sequence[str] = LEVELS,
    study: str = "source_id",
    crossed: Sequence[str] = (),
    n_draw: int = 200,
    seed: int = 0,
) -> Hierarchy:
    """Fit the spread of every level to printed or measured values.

    Parameters
    ----------
    rows : DataFrame
        ``variable``, with ``<variable>_spread``, ``spread_kind`` and ``n`` where a ± is printed; columns
        ``by`` and ``study``; and those of ``levels``, each nested in the one before. Genus and family are
        filled in from ``species_id`` when they are not columns.
    variable : str
        Of the vocabulary.
    by : str
        Column of the fixed means, such as the organ.
    levels : sequence of str
    study : str
        Column of what shares an error, such as the source.
    crossed : sequence of str
        Columns whose values deviate alike whatever the species, such as the region.
    n_draw, seed : int
        Draws of the spreads that are kept.

    Raises
    ------
    DataError
        Columns that are missing, or values that the scale cannot hold.
    """
    if "species_id" in levels and not {"genus", "family"} <= set(rows.columns):
        rows = with_taxonomy(rows)
    require_known((variable, by, study, *levels, *crossed), rows)
    rows, scale = rows[rows[variable].notna()], Scale.of(variable)
    value = rows[variable].to_numpy(float)
    wrong = int(((value <= 0) | ((value >= 1) & (scale.name == "logit"))).sum())
    if wrong or not len(rows):
        raise DataError(
            f"{variable}: {wrong} of {len(rows)} values are not inside the limits of a {scale.name}",
            f"{variable}：{len(rows)} 个值中有 {wrong} 个不在 {scale.name} 尺度范围内",
        )
    y, sampling = scale.to(value), scale.variance(value, _sampling(rows, variable))
    paths = [*paths_of(rows, levels, by), *((column,) for column in crossed)]
    x, pairs = design(rows[by], rows[by]), blocks(rows, [*paths, (study,)])
    prior = _prior(y, x, scale)

    def density(theta):
        return log_density(theta, y, x, pairs, sampling, prior)

    drawn, effective = importance(density, len(pairs), prior, n_draw, seed)
    warnings = Notes()
    if effective < LEAST_EFFECTIVE:
        warnings.add(
            f"{effective:.0f} effective draws of the spreads; raise n_draw",
            f"各级标准差的有效抽样数仅 {effective:.0f}；请增大 n_draw",
        )
    spreads = pd.DataFrame(np.exp(drawn), columns=[*(path[-1] for path in paths), STUDY, STAND])
    columns = (by, tuple(levels), tuple(crossed), study)
    return Hierarchy(variable, scale, *columns, rows, y, sampling, spreads, effective, tuple(warnings))


def _prior(y, x, scale) -> float:
    """Scale of the half-normal priors: a multiple of the spread of the values about the means, at most that of the rule."""
    rules, freedom = rule_values("hierarchy"), len(y) - np.linalg.matrix_rank(x)
    most = rules[f"sd_{scale.name}"]
    if freedom < 2:
        return most
    away = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return float(np.clip(rules["sd_times"] * np.sqrt(away @ away / freedom), most / 20, most))


def _filled(targets, rows, levels) -> pd.DataFrame:
    """Wider levels of a known species, and blanks where a column is missing."""
    targets = targets.copy()
    for i in range(len(levels) - 1, 0, -1):
        finer, wider = levels[i], levels[i - 1]
        lookup = rows.dropna(subset=[finer, wider]).drop_duplicates(finer).set_index(finer)[wider]
        if wider not in targets:
            targets[wider] = None
        if finer in targets:
            given = targets[wider].astype(object).where(targets[wider].notna(), targets[finer].map(lookup))
            targets[wider] = given.where(given.notna(), None)
    if levels[-1] not in targets:
        targets[levels[-1]] = None
    return targets


# The answers of a hierarchy as rows of values.csv: every known species, and those that nobody measured.


def values(
    found: Hierarchy,
    level: float = 0.95,
    by: Sequence[str] | None = None,
    at: Mapping[str, str] | None = None,
    every: Sequence[str] = (),
) -> pd.DataFrame:
    """Distributions for a new stand, one row per organ and species, genus, family, and any species.

    Parameters
    ----------
    found : Hierarchy
    level : float
        Level of the interval whose width the named distribution keeps.
    by : sequence of str, optional
        Values of the fixed column, such as organs; all that were seen when left out.
    at : dict, optional
        Values of crossed columns, such as the region that the rows are for; a new one when left out.
    every : sequence of str
        Organs of which every species with any value gets a row, measured or not.

    Returns
    -------
    values : DataFrame
        Columns of ``values.csv``. ``mean`` is that over stands, with ``se`` and limits; ``sd`` and the distribution are
        those of a new stand, ``tau`` the SD between studies; ``n_study`` and ``n`` count the values of that organ
        in the group. Groups in which nobody measured the organ are left to :meth:`Hierarchy.predict`.

    Raises
    ------
    DataError
        ``at`` names a column that is not crossed, or a value that no row has.
    """
    at = dict(at or {})
    _check_at(found, at)
    organs = sorted(found.rows[found.by].astype(str).unique()) if by is None else list(by)
    frames = [_targets(found, organ, every if organ in every else ()) for organ in organs]
    targets = pd.concat(frames, ignore_index=True).assign(**at)
    stand, mean = found.predict(targets, "stand", level), found.predict(targets, "mean", level)
    over, rows = _mean_over_stands(found, targets, mean), []
    for i, target in targets.iterrows():
        named = Distribution(found.scale.family, stand.at[i, "centre"], stand.at[i, "spread"])
        part = _told(found, target)
        low, high = named.quantile([0.025, 0.975]) if level != 0.95 else stand.loc[i, ["lower", "upper"]]
        # A name says where values come from, so it names a region only where one of them was measured there.
        own = not at or bool(np.logical_and.reduce([part[k].astype(str) == v for k, v in at.items()]).any())
        shown = [*(f"{k}={v}" for k, v in at.items()), *_group(found, target)]
        told = {"mean": over[i], "sd": stand.at[i, "sd"], "se": mean.at[i, "sd"]}
        told |= {
            f"mean_{end}": mean.at[i, end] * over[i] / mean.at[i, "median"] for end in ("lower", "upper")
        }
        tau = found.spreads[STUDY].median() / np.sqrt(found.scale.variance(over[i], 1.0))
        told |= {"of_whom": "new_unit", "mean_of": "shrunk", "sd_of": "predictive", "tau": float(tau)}
        told |= {
            "definition": f"{found.by}={target[found.by]}" if found.by == "component" else "",
            "family": named.family,
            "p1": named.p1,
            "p2": named.p2,
            "q025": float(low),
            "q975": float(high),
        }
        note = NOTES["other" if part.empty else "known" if pd.notna(target[found.levels[-1]]) else "unknown"]
        rows.append(_value(found.variable, shown, part, part[found.study].nunique(), told, level, note))
        if not own:
            keys = ",".join(entry.partition("=")[2] for entry in shown[len(at) :])
            rows[-1]["name"] = f"{found.variable}[{keys}]" if keys else found.variable
            rows[-1]["note"] += f"; for {', '.join(at.values())}, where none of its values was measured"
    return pd.DataFrame(rows)


def _mean_over_stands(found, targets, mean) -> list[float]:
    """Mean of the quantity over the stands (and unknown species) of each target, errors of the estimate left out."""
    typical = found.spreads.median() ** 2
    seen = [np.isin(keys(targets, p), list(set(keys(found.rows, p)) - {""})) for p in found.paths]
    shared = sum(np.where(known, 0.0, typical[p[-1]]) for known, p in zip(seen, found.paths, strict=True))
    spread = np.sqrt(shared + typical[STUDY] + typical[STAND])
    centre = found.scale.to(mean["median"].to_numpy())
    return [moments(found.scale, [c], [s])[0] for c, s in zip(centre, spread, strict=True)]


def _check_at(found, at) -> None:
    wrong = [f"{k}={v}" for k, v in at.items() if k not in found.crossed or v not in set(found.rows[k])]
    if wrong:
        known = {k: sorted(set(found.rows[k].dropna().astype(str))) for k in found.crossed}
        raise DataError(
            f"at: {', '.join(wrong)} is not a value of a crossed column; there are {known or 'none'}",
            f"at：{'、'.join(wrong)} 不是交叉列的取值；现有 {known or '无'}",
        )


def weighted(values: pd.DataFrame, variable: str, shares: Mapping[str, float], group: str, name: str) -> dict:
    """Row of a whole from those of its parts, weighted by their mass.

    ``values`` are rows of ``values.csv`` of the parts in the order of ``shares``. The errors of the parts of one species are
    taken to go together, which is the widest that they can be.
    """
    share, columns = np.array(list(shares.values())), "mean sd se tau mean_lower mean_upper q025 q975".split()
    told = {c: float(share @ values[c].to_numpy(float)) for c in columns}
    named = from_moments(told["mean"], (told["q975"] - told["q025"]) / 2 / stats.norm.ppf(0.975), "beta")
    first = values.iloc[0].to_dict()
    told |= {"name": name, "group": group, "definition": group.rpartition(";")[2], "n": np.nan}
    told |= {"family": named.family, "p1": named.p1, "p2": named.p2, "n_study": int(values["n_study"].max())}
    told["sources"] = ";".join(sorted({s for cell in values["sources"] for s in cell.split(";") if s}))
    parts = ", ".join(f"{part} {share:.3f}" for part, share in shares.items())
    return first | told | {"variable": variable, "note": f"weighted by mass: {parts}"}


def _targets(found, organ, every=()) -> pd.DataFrame:
    """Every species with a value of the organ, then an unknown one of each genus, family, and of none."""
    levels, frames = list(found.levels), []
    own = found.rows if every else found.rows[found.rows[found.by].astype(str) == organ]
    for depth in range(len(levels), -1, -1):
        kept = levels[:depth]
        known = own[kept].dropna().drop_duplicates() if kept else pd.DataFrame(index=[0])
        frames.append(known.sort_values(kept) if kept else known)
    table = pd.concat(frames, ignore_index=True).reindex(columns=levels)
    table = table.astype(object).where(table.notna(), None)
    return table.assign(**{found.by: organ})


def _group(found, target) -> list[str]:
    """Narrowest level and organ; every level where a species is an epithet, which needs its genus."""
    group = [f"{k}={target[k]}" for k in (*found.levels, found.by) if pd.notna(target[k])]
    return group if found.levels[-1] == "species" else group[-2:]


def _told(found, target) -> pd.DataFrame:
    """Rows of the organ inside the narrowest group that a target names."""
    rows = found.rows[found.rows[found.by].astype(str) == target[found.by]]
    inside = np.ones(len(rows), bool)
    for level in found.levels:
        if pd.notna(target[level]):
            inside &= (rows[level] == target[level]).to_numpy()
    return rows[inside]
