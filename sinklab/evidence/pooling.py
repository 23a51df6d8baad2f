r"""Put printed values of several studies together: mean, spread between them, a new place, a species nobody measured.

:func:`summarise` pools each group of rows by itself, :func:`fit` over species, genera and families at once; both give rows of
``values.csv``.

*Random effects.* Study :math:`i` prints a mean :math:`y_i` with sampling variance :math:`v_i`; the true
values differ between studies with variance :math:`\tau^2` (Paule & Mandel 1982, by statsmodels). The
mean has variance :math:`1 / \sum 1/(v_i + \tau^2)`; a new place has :math:`\tau^2` on top of it, with
Student's t on k - 1 degrees of freedom (Higgins, Thompson & Spiegelhalter 2009).

*What stands behind ±.* A standard deviation is divided by the root of n (by 1 where n is not
printed), a standard error is taken as it is, and a ± of unknown kind is read as a standard error,
because that widens the mean. Nothing printed means no sampling variance beside :math:`\tau^2`.

*Few studies.* Groups of one table share what they know of :math:`\tau`: a group takes the larger of its
own and the common value, so few studies never look more certain than many. Where no group has two
studies, the standard deviation that one prints stands for the spread between places.

*Hierarchy.* On the scale of logarithms (fractions: logits) printed value j is

.. math:: y_j = x_j \beta + u_{family} + u_{genus} + u_{species} + r_{region} + s_{study} + e_j + \epsilon_j

with a mean per organ (:math:`\beta`, flat prior), normal deviations of every level, of what crosses the
levels when asked for (a region, in which all species share a deviation), of the study (which all its
values share), between stands (:math:`e`), and the sampling error :math:`\epsilon_j` that the printed ± says.
Given the standard deviations everything is normal and solved exactly; the standard deviations themselves have
half-normal priors (``data/rules/hierarchy.csv``) and are integrated over by importance sampling from a Student's t
about the mode. Few values leave them wide, and that widens the answer; nothing is plugged in as if it were known.
A species without values takes the spread between species of its genus, a genus without values that
between genera of its family, and so on. A new stand adds the spread between studies and between stands.

Source
------
Higgins J.P.T., Thompson S.G., Spiegelhalter D.J. (2009) A re-evaluation of random-effects
meta-analysis. J. R. Stat. Soc. A 172:137-159. Paule R.C., Mandel J. (1982) Consensus values and
weighting factors. J. Res. Natl. Bur. Stand. 87:377-385. Gelman A., Carlin J.B., Stern H.S., et al. (2013)
Bayesian Data Analysis, 3rd edition, chapters 5, 10 and 15. CRC Press.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from sinklab.data import vocabulary
from sinklab.data.files import rule_values
from sinklab.evidence.distributions import Distribution, from_moments
from sinklab.language import DataError, Notes, require_choice, require_known, require_level

# One group of studies.


@dataclass(frozen=True)
class Pooled:
    """Mean with its standard error, spread between studies, and standard deviation for a new place."""

    mean: float
    se: float
    tau: float
    sd: float
    freedom: float
    n_study: int


def sampling_variance(spread: float, kind: str, n: float) -> float:
    """Variance of a printed mean, from what stands behind its ±; see the module."""
    if kind == "none" or not np.isfinite(spread):
        return 0.0
    if kind == "sd":
        return float(spread**2 / (n if np.isfinite(n) and n >= 1 else 1.0))
    if kind == "range":
        # A range of n values is about as wide as the normal's expected range; unknown n is taken as 2.
        return float((spread / 1.128) ** 2)
    return float(spread**2)


def _sampling(rows: pd.DataFrame, variable: str) -> np.ndarray:
    """Sampling variances of printed rows."""
    if f"{variable}_spread" not in rows:
        return np.zeros(len(rows))
    n = rows["n"].astype(float) if "n" in rows else pd.Series(np.nan, rows.index)
    cells = zip(rows[f"{variable}_spread"].astype(float), rows["spread_kind"], n, strict=True)
    return np.array([sampling_variance(*cell) for cell in cells])


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

    Returns
    -------
    pooled : Pooled
    """
    means = np.asarray(means, float)
    variances = np.array([sampling_variance(*row) for row in zip(spreads, kinds, ns, strict=True)])
    own = np.sqrt(between_studies(means, variances))
    taus = {own: len(means) - 1, tau_common: freedom_common}
    known = [t for t in taus if np.isfinite(t)]
    tau = max(known) if known else np.nan
    weights = 1 / np.maximum(variances + np.nan_to_num(tau) ** 2, 1e-300)
    if (variances + np.nan_to_num(tau) ** 2 == 0).any():
        weights = np.ones_like(means)
    mean = float(np.average(means, weights=weights))
    has_spread = np.isfinite(tau) or (variances > 0).any()
    se = float(np.sqrt(1 / weights.sum())) if has_spread else np.nan
    if np.isfinite(tau):
        return Pooled(mean, se, tau, float(np.hypot(tau, se)), max(taus[tau], 1), len(means))
    printed = [s for s, k in zip(spreads, kinds, strict=True) if k == "sd" and np.isfinite(s)]
    sd = float(np.hypot(printed[0], se)) if printed else np.nan
    return Pooled(mean, se, np.nan, sd, np.inf, len(means))


def summarise(rows: pd.DataFrame, variable: str, by: Iterable[str], level: float = 0.95) -> pd.DataFrame:
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
        Level of the interval.

    Returns
    -------
    values : DataFrame
        Rows of ``values.csv`` of a table package.

    Raises
    ------
    DataError
        A column is missing, or no row has a value.
    """
    by = list(by)
    require_known((variable, *by, "source_id", "spread_kind"), rows)
    rows = rows[rows[variable].notna()]
    if rows.empty:
        raise DataError(f"{variable}: no row has a value", f"{variable}：没有任何取值")
    if f"{variable}_spread" not in rows:
        rows = rows.assign(**{f"{variable}_spread": np.nan, "spread_kind": "none"})
    groups = dict(list(rows.groupby(by, sort=True)))
    tau, freedom = _common(groups.values(), variable)
    return pd.DataFrame([_row(key, part, variable, by, tau, freedom, level) for key, part in groups.items()])


def _common(groups, variable) -> tuple[float, float]:
    """Spread between studies over all groups, weighted by their degrees of freedom."""
    squares, freedom = 0.0, 0
    for part in groups:
        if len(part) > 1:
            squares += (len(part) - 1) * between_studies(part[variable], _sampling(part, variable))
            freedom += len(part) - 1
    return (float(np.sqrt(squares / freedom)), freedom) if freedom else (np.nan, 0)


def _row(key, part, variable, by, tau, freedom, level) -> dict:
    n = part["n"].astype(float) if "n" in part else np.full(len(part), np.nan)
    spread = part[f"{variable}_spread"].astype(float)
    pooled = pool(part[variable].astype(float), spread, part["spread_kind"], n, tau, freedom)
    group = [f"{column}={str(k).removesuffix('.0')}" for column, k in zip(by, key, strict=True)]
    borrowed = np.isfinite(tau) and pooled.tau == tau and len(part) < 3
    told = {"mean": pooled.mean, "sd": pooled.sd, "se": pooled.se, "tau": pooled.tau}
    told |= _predictive(pooled, vocabulary.variable(variable), level)
    note = "spread between studies taken from the other groups" if borrowed else ""
    return _value(variable, group, part, len(part), told, level, note)


def _value(variable, group, part, n_study, told, level, note) -> dict:
    """One row of ``values.csv`` for a group (``column=value``), with the printed rows it rests on."""
    kinds = sorted(set(part["spread_kind"])) if "spread_kind" in part else []
    return {
        "name": f"{variable}[{','.join(g.partition('=')[2] for g in group)}]",
        "group": ";".join(group),
        "variable": variable,
        "unit": vocabulary.variable(variable).unit,
        "n_study": n_study,
        "n": int(part["n"].fillna(1).sum()) if "n" in part else len(part),
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
    if not np.isfinite(pooled.sd) or pooled.sd == 0 or pooled.mean <= 0:
        return empty
    upper = 0.5 + level / 2
    widened = pooled.sd * stats.t.ppf(upper, pooled.freedom) / stats.norm.ppf(upper)
    fraction = info.minimum is not None and info.minimum >= 0 and info.maximum <= 1 and info.unit == "1"
    family = "beta" if fraction else "lognormal"
    if fraction and widened**2 >= 0.98 * pooled.mean * (1 - pooled.mean):
        return empty
    found = from_moments(pooled.mean, widened, family)
    low, high = found.quantile([1 - upper, upper])
    return {"family": family, "p1": found.p1, "p2": found.p2, "q025": float(low), "q975": float(high)}


# The scale on which values of a parameter are normal, and mixtures of normals on it.

N_NODE = 30


@dataclass(frozen=True, eq=False)
class Scale:
    """Where values are normal: ``log``, or ``logit`` for fractions."""

    name: str

    @classmethod
    def of(cls, variable: str) -> "Scale":
        """Scale of a variable of the vocabulary."""
        info = vocabulary.variable(variable)
        fraction = info.unit == "1" and info.maximum is not None and info.maximum <= 1
        return cls("logit" if fraction else "log")

    @property
    def family(self) -> str:
        """Family of distributions that is normal on this scale."""
        return {"log": "lognormal", "logit": "logitnormal"}[self.name]

    def to(self, value):
        """Value to scale."""
        return np.log(value) if self.name == "log" else special.logit(value)

    def back(self, y):
        """Scale to value."""
        return np.exp(y) if self.name == "log" else special.expit(y)

    def variance(self, value, variance):
        """Sampling variance on the scale, to first order."""
        slope = 1 / value if self.name == "log" else 1 / (value * (1 - value))
        return variance * slope**2


def quantiles(q, centres, spreads) -> np.ndarray:
    """Quantiles of an even mixture of normals."""
    low, high = (centres - 8 * spreads).min(), (centres + 8 * spreads).max()
    low, high = np.full(len(q), low), np.full(len(q), high)
    for _ in range(60):
        middle = (low + high) / 2
        below = special.ndtr((middle[:, None] - centres) / spreads).mean(axis=1) < q
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def moments(scale, centres, spreads) -> tuple[float, float]:
    """Mean and SD, in the unit of the variable, of an even mixture of normals on the scale."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(N_NODE)
    value = scale.back(np.asarray(centres)[:, None] + np.asarray(spreads)[:, None] * nodes)
    weights = weights / weights.sum()
    mean = float((value @ weights).mean())
    return mean, float(np.sqrt((((value - mean) ** 2) @ weights).mean()))


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


def blocks(rows, levels, crossed) -> list[np.ndarray]:
    """Which pairs of rows share each level and each crossed column; the last, between stands, is the identity."""
    found = []
    nested = [levels[: i + 1] for i in range(len(levels))]
    for path in (*nested, *((column,) for column in crossed)):
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
        paths = [*self._paths, *((column,) for column in self.crossed)]
        known = [keys(self.rows, path) for path in paths]
        seen = [keys(targets, path) for path in paths]
        same = [(a[:, None] == b[None, :]) & (b[None, :] != "") for a, b in zip(known, seen, strict=True)]
        pairs = blocks(self.rows, self.levels, (*self.crossed, self.study))
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
        for path in self._paths:
            seen = set(keys(self.rows, path)) - {""}
            told[[key in seen for key in keys(targets, path)]] = path[-1]
        return list(told)

    @property
    def _paths(self) -> list[tuple[str, ...]]:
        """Every level with those above it: an epithet means nothing without its genus."""
        return [self.levels[: i + 1] for i in range(len(self.levels))]

    def spread_table(self) -> pd.DataFrame:
        """Median and 90 % interval of the standard deviation of every level, on the scale."""
        q = self.spreads.quantile([0.05, 0.5, 0.95]).T
        return q.set_axis(["lower", "median", "upper"], axis=1)


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
    x, pairs = design(rows[by], rows[by]), blocks(rows, levels, (*crossed, study))
    prior = rule_values("hierarchy")[f"sd_{scale.name}"]

    def density(theta):
        return log_density(theta, y, x, pairs, sampling, prior)

    drawn, effective = importance(density, len(pairs), prior, n_draw, seed)
    warnings = Notes()
    if effective < LEAST_EFFECTIVE:
        warnings.add(
            f"{effective:.0f} effective draws of the spreads; raise n_draw",
            f"各级标准差的有效抽样数仅 {effective:.0f}；请增大 n_draw",
        )
    spreads = pd.DataFrame(np.exp(drawn), columns=[*levels, *crossed, STUDY, STAND])
    columns = (by, tuple(levels), tuple(crossed), study)
    return Hierarchy(variable, scale, *columns, rows, y, sampling, spreads, effective, tuple(warnings))


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

#: Levels that a row for an unknown species may stand for, the finest first.
NOTES = {
    "known": "hierarchical: species with values",
    "unknown": "hierarchical: any species of this group without values of its own",
}


def values(
    found: Hierarchy,
    level: float = 0.95,
    by: Sequence[str] | None = None,
    at: Mapping[str, str] | None = None,
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

    Returns
    -------
    values : DataFrame
        Columns of ``values.csv``. ``mean`` and ``sd`` are those of a new stand, ``se`` that of the mean over
        stands, ``tau`` the SD between studies on the scale; ``n_study`` and ``n`` count the values of that organ
        in the group. Groups in which nobody measured the organ are left to :meth:`Hierarchy.predict`.

    Raises
    ------
    DataError
        ``at`` names a column that is not crossed, or a value that no row has.
    """
    at = dict(at or {})
    _check_at(found, at)
    organs = sorted(found.rows[found.by].astype(str).unique()) if by is None else list(by)
    targets = pd.concat([_targets(found, organ) for organ in organs], ignore_index=True).assign(**at)
    stand, mean = found.predict(targets, "stand", level), found.predict(targets, "mean", level)
    tau = float(found.spreads["study"].median())
    rows = []
    for i, target in targets.iterrows():
        named = Distribution(found.scale.family, stand.at[i, "centre"], stand.at[i, "spread"])
        part = _told(found, target)
        low, high = named.quantile([0.025, 0.975]) if level != 0.95 else stand.loc[i, ["lower", "upper"]]
        shown = [*(f"{k}={v}" for k, v in at.items()), *_group(found, target)]
        told = {"mean": stand.at[i, "mean"], "sd": stand.at[i, "sd"], "se": mean.at[i, "sd"], "tau": tau}
        told |= {
            "family": named.family,
            "p1": named.p1,
            "p2": named.p2,
            "q025": float(low),
            "q975": float(high),
        }
        note = NOTES["known" if pd.notna(target[found.levels[-1]]) else "unknown"]
        rows.append(_value(found.variable, shown, part, part[found.study].nunique(), told, level, note))
    return pd.DataFrame(rows)


def _check_at(found, at) -> None:
    wrong = [f"{k}={v}" for k, v in at.items() if k not in found.crossed or v not in set(found.rows[k])]
    if wrong:
        known = {k: sorted(set(found.rows[k].dropna().astype(str))) for k in found.crossed}
        raise DataError(
            f"at: {', '.join(wrong)} is not a value of a crossed column; there are {known or 'none'}",
            f"at：{'、'.join(wrong)} 不是交叉列的取值；现有 {known or '无'}",
        )


def _targets(found, organ) -> pd.DataFrame:
    """Every species with a value of the organ, then an unknown one of each genus, family, and of none."""
    levels, frames = list(found.levels), []
    own = found.rows[found.rows[found.by].astype(str) == organ]
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
