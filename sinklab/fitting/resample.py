r"""Uncertainty of the estimates from what was sampled: sites instead of trees, bootstrap and jackknife.

Trees of one site resemble each other, so that a site, not a tree, is what was sampled. Two things follow.

**Covariance** (:func:`robust`). The scores of a fit are summed by cluster and spread between two inverses of the
information, each cluster freed of its own pull on the fit by the power -1/2 of one minus its leverage (CR2 of Bell &
McCaffrey 2002; Pustejovsky & Tipton 2018): :math:`q_g = B\,(I - H_g B)^{-1/2} s_g`, :math:`V = \sum_g q_g q_g^T`, with the
inverse information :math:`B` of all parameters, variance exponents and residual covariance among them, and the part
:math:`H_g` of the information that the cluster brings. For regression with one variance this is ``vcovCR`` of R's
clubSandwich. With few clusters such a matrix has a low rank and wild entries. It is therefore averaged with the
covariance that the spread between sites implies, :math:`C + B \sum_g Z_g \Psi Z_g^T B`, where :math:`C` is the covariance of
independent trees and :math:`Z_g` the answer of the cluster's score to the site factors; for :math:`G` clusters and
:math:`k` coefficients CR2 has the weight :math:`G^2 / (G^2 + k^2)`, which goes to one. Intervals take Student's t with
:math:`G - 1` degrees of freedom.

**Spread between sites** (:func:`spread_between`). The mass of every tree of a site is off by a common factor. With
:math:`l_{ij} = \ln(y_{ij} / \hat f_{ij})` the within-site covariance :math:`W` is that of the deviations from the site's mean,
and the covariance of the site factors is that of the site means less what trees contribute to it,
:math:`\Psi = \mathrm{cov}(\bar l_g) - W\,\overline{1/n_g}`, made positive semi-definite. Moments, not likelihood: the largest
sites do not decide alone, as they must not when the next site may be small. The mean of the site factors (``centre``) is
not zero, because a fit weighs trees and not sites. Effects of the sites seen are shrunk to it. Where the method itself
knows how groups differ, :func:`between_groups` puts it in the same form.

**Refits** (:func:`bootstrap`). *Kinds.* ``case`` draws whole trees with replacement and assumes only that trees are alike and
independent; ``group`` draws whole levels of a column (sites, plots), for trees that resemble their
neighbours, and the only kind for a mixed model, whose groups are drawn whole and are new ones each time; ``residual``
keeps the trees and draws new responses from the fitted model with its
variance functions and residual correlation, which assumes that model. Trees keep their missing
components in every kind.

*Intervals.* ``percentile``: quantiles of the refits. ``bca``: quantiles shifted for bias and for the
change of the standard error with the estimate, the latter from the jackknife (leave one tree, or one
group, out).

*How.* Each refit has its own random stream, spawned from the seed, so the draws do not depend on the
number of processes. Refits start at the estimates and go without a certificate. Those that do not converge are left out and
counted.

Source
------
Bell R.M., McCaffrey D.F. (2002) Bias reduction in standard errors for linear regression with multi-stage samples.
Survey Methodology 28:169-181. Pustejovsky J.E., Tipton E. (2018) Small-sample methods for cluster-robust variance
estimation and hypothesis testing in fixed effects models. J. Business & Economic Statistics 36:672-683.
Searle S.R., Casella G., McCulloch C.E. (1992) Variance Components, section 3.6 (moments). Wiley.
Efron B., Tibshirani R.J. (1993) An Introduction to the Bootstrap, chapters 6, 11, 13 and 14.
Chapman & Hall.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from multiprocessing import get_context

import numpy as np
import pandas as pd
from scipy import sparse, stats

from sinklab.fitting.data import FEWEST, Unit
from sinklab.fitting.likelihood import Tail, inverse, own_information
from sinklab.fitting.mixed import Again
from sinklab.fitting.system import SystemFit, correction_factor, fit_line
from sinklab.language import ConvergenceError, DataError, require_known
from sinklab.results.fit_result import Between, FitResult, correlation_draws, observed, with_covariance
from sinklab.results.prediction import free_slopes, means_and_slopes
from sinklab.results.variance import parse_variance

#: Leverage this near to one leaves nothing of a direction that a cluster alone determines.
WHOLE = 1e-8


# The scores of a fit.


@dataclass(frozen=True)
class Scores:
    """What a fit says of each record's pull on its ``p`` parameters, the ``k`` coefficients first.

    Attributes
    ----------
    pull : array, shape (n, p)
        Score of each record at the estimates.
    bread : array, shape (p, p)
        Inverse of the information of all records.
    own : callable
        ``own(unit) -> (G, p, p)``, the information that each cluster brings.
    moved : array, shape (n, k, m)
        Derivative of the coefficients' scores by a common factor on each free response (of its logarithm).
    more : array, shape (n, k)
        What each record moves the coefficients beyond that, already as a movement.
    turn : array, shape (k,)
        Derivative of the coefficients reported by those searched.
    means : dict of array, shape (n,), optional
        Expected values of all responses, where they are known already.
    """

    pull: np.ndarray
    bread: np.ndarray
    own: Callable[[Unit], np.ndarray]
    moved: np.ndarray
    more: np.ndarray | float
    turn: np.ndarray
    means: dict[str, np.ndarray] | None = None

    @classmethod
    def of_system(cls, engine, state, means=None) -> "Scores":
        """Scores of ``wls`` and ``nsur`` at a maximum."""
        likelihood = engine.likelihood
        scores, nuisance, information, cross, inner = likelihood.blocks(state)
        bread = inverse(np.block([[information, cross], [cross.T, inner]]))
        k = state.jacobian.shape[2]

        def own(unit):
            parts = own_information(likelihood, state, len(bread))
            return sum(_by_cluster(unit, part, rows) for rows, part in parts)

        # A factor moves a mean in proportion to itself, the logarithm of one by a constant.
        mean = np.where(engine.logs.columns, 1.0, state.mean) if engine.logs else state.mean
        size, moved = mean * np.exp(-state.log_g), np.zeros((len(mean), k, mean.shape[1]))
        for p in likelihood.patterns:
            precision = np.linalg.inv(state.sigma[np.ix_(p.seen, p.seen)])
            weighted = np.einsum("nqk,qr->nkr", state.scaled_slope[np.ix_(p.rows, p.seen)], precision)
            weighted *= Tail(state.tails[p.seen[0]], len(p.seen)).mean
            moved[np.ix_(p.rows, np.arange(k), p.seen)] = weighted * size[np.ix_(p.rows, p.seen)][:, None, :]
        slope = engine.bounds.slope(likelihood.split(state.theta)[0])
        pull = np.concatenate([scores, nuisance], axis=1)
        return cls(pull, bread, own, moved, _of_shift(engine, state, bread[:k, :k]), slope, means)

    @classmethod
    def of_lines(cls, fit) -> "Scores":
        """Scores of the lines of ``ols-log``, from their residuals."""
        labels, frame, n = fit.labels, fit.data, len(fit.data)
        k, free = len(labels), fit.system.free
        means = fit.means(fit.columns(frame))
        design, residual = np.zeros((n, len(free), k)), np.zeros((n, len(free)))
        turn = np.ones(k)
        for j, response in enumerate(free):
            form, y = fit.system.power_product(response), frame[response].to_numpy(float)
            places, seen = [labels.index(name) for name in form.parameters], np.isfinite(y)
            design[:, j, places] = form.design(frame)[0] * seen[:, None]
            if not form.log:
                place = labels.index(form.coefficient)
                turn[place] = fit.values[place]
            median = means[response] / fit.correction[response]
            residual[seen, j] = np.log(y[seen] / median[seen])
        pull, moved = np.einsum("njk,nj->nk", design, residual), design.transpose(0, 2, 1)
        flat = design.reshape(-1, k)

        def own(unit):
            return _by_cluster(unit, moved @ design)

        return cls(pull, inverse(flat.T @ flat), own, moved, 0.0, turn, means)


def _of_shift(engine, state, bread) -> np.ndarray | float:
    """Movement of the coefficients (n, k) through the shift of lognormal equations, half their residual variance."""
    if engine.logs is None:
        return 0.0
    likelihood = engine.likelihood
    total = np.zeros((len(bread), state.sigma.shape[0]))
    for p in likelihood.patterns:
        precision = np.linalg.inv(state.sigma[np.ix_(p.seen, p.seen)])
        total[:, p.seen] += np.einsum("nqk,qr->kr", state.scaled_slope[np.ix_(p.rows, p.seen)], precision)
    seen = likelihood.observed & engine.logs.columns
    away = np.where(seen, state.u**2 - np.diag(state.sigma), 0.0) / np.maximum(seen.sum(axis=0), 1)
    # The coefficients answer to a shift by minus the inverse information; the shift is minus half the variance.
    return 0.5 * away @ (bread @ total).T


def _by_cluster(unit, values, rows=slice(None)) -> np.ndarray:
    """Sums over the records of each cluster, (G, …), of values (n, …) of some rows."""
    code = unit.code[rows]
    members = sparse.csr_array((np.ones(len(code)), (code, np.arange(len(code)))), (unit.n, len(code)))
    return (members @ values.reshape(len(code), -1)).reshape(unit.n, *values.shape[1:])


def cluster_covariance(scores: Scores, unit: Unit, power: float = 0.5) -> np.ndarray:
    """Covariance of the coefficients, shape (k, k): CR2, with power 0 CR0 (nothing corrected), with 1 CR3 (jackknife)."""
    k = len(scores.turn)
    pull = _by_cluster(unit, scores.pull)
    sizes, axes = np.linalg.eigh(scores.bread)
    root = (axes * np.sqrt(np.clip(sizes, 0, None))) @ axes.T
    leverage = root @ scores.own(unit) @ root
    left, turned = np.linalg.eigh(np.eye(len(root)) - (leverage + leverage.transpose(0, 2, 1)) / 2)
    factor = np.divide(1.0, np.clip(left, WHOLE, None) ** power, out=np.zeros_like(left), where=left > WHOLE)
    freed = np.einsum("gpq,gq,grq,gr->gp", turned, factor, turned, pull @ root, optimize=True)
    moved = (freed @ root)[:, :k]
    if np.ndim(scores.more):
        moved = moved + _by_cluster(unit, scores.more)
    moved = moved * scores.turn
    return moved.T @ moved


def _implied(scores, unit, spread, covariance) -> np.ndarray:
    """Covariance that site factors with a known covariance imply, (k, k)."""
    k = len(scores.turn)
    answer = _by_cluster(unit, scores.moved)
    bread = scores.turn[:, None] * scores.bread[:k, :k]
    return covariance + bread @ np.einsum("gki,ij,glj->kl", answer, spread, answer, optimize=True) @ bread.T


def robust(fit, unit: Unit, scores: Scores):
    """The same result with the covariance and the intervals of clusters, and the spread between them.

    Returns
    -------
    fit : FitResult
        ``certificate.cluster`` tells column, number, kind, degrees of freedom and the weight of CR2; ``between`` is
        :func:`spread_between`.
    """
    found, k = spread_between(fit, unit, scores.means), len(fit.values)
    covariance, weight = cluster_covariance(scores, unit), 1.0
    free = list(fit.system.free)
    if found is not None and set(free) <= set(found.names):
        weight = unit.n**2 / (unit.n**2 + k**2)
        places = [found.names.index(r) for r in free]
        spread = found.spread.to_numpy()[np.ix_(places, places)]
        implied = _implied(scores, unit, spread, fit.covariance.to_numpy())
        covariance = weight * covariance + (1 - weight) * implied
    told = {"column": unit.column, "n": unit.n, "kind": "CR2", "freedom": unit.n - 1, "weight": weight}
    certificate = replace(fit.certificate, cluster=told)
    return replace(with_covariance(fit, covariance, unit.n - 1), certificate=certificate, between=found)


# The spread between sites.


def spread_between(fit, unit: Unit, means: dict | None = None) -> Between | None:
    """Covariance of the site factors of all responses by moments; None where it cannot be told from that of trees.

    ``means`` are those of the records of the fit, where they are known. Responses that are not positive everywhere, or
    that fewer than three sites have, are left out.
    """
    logs = _log_ratios(fit, means or fit.means(fit.columns(fit.data)))
    names = [r for r in logs if len(np.unique(unit.code[np.isfinite(logs[r])])) >= FEWEST]
    if not names:
        return None
    away = np.column_stack([logs[r] for r in names])
    seen = np.isfinite(away)
    counts = np.array([np.bincount(unit.code, s, unit.n) for s in seen.T]).T
    filled = np.where(seen, away, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.array([np.bincount(unit.code, c, unit.n) for c in filled.T]).T / counts
    inside = np.where(seen, away - means[unit.code], 0.0)
    m, spread, within, share = len(names), *np.zeros((3, len(names), len(names)))
    for i in range(m):
        for j in range(i + 1):
            both = seen[:, i] & seen[:, j]
            shared = np.bincount(unit.code, both, unit.n)
            sites = shared > 0
            freedom = both.sum() - sites.sum()
            if freedom < 1 or sites.sum() < FEWEST:
                continue
            of_trees = inside[both, i] @ inside[both, j] / freedom
            of_means = np.cov(means[sites, i], means[sites, j])[0, 1]
            ratio = np.mean(shared[sites] / (counts[sites, i] * counts[sites, j]))
            within[i, j] = within[j, i] = of_trees
            spread[i, j] = spread[j, i] = of_means - of_trees * ratio
            share[i, j] = share[j, i] = ratio
    if not np.diag(within).any():
        return None
    labels = {"index": names, "columns": names}
    spread, within = _positive(spread), _positive(within)
    centre = np.nanmean(means, axis=0)
    return Between(
        column=unit.column,
        spread=pd.DataFrame(spread, **labels),
        within=pd.DataFrame(within, **labels),
        centre=pd.Series(centre, index=names),
        share=pd.Series(np.diag(share), index=names),
        n=unit.n,
        effects=_effects(unit, names, means, counts, spread, within, centre),
    )


def between_groups(fit) -> Between | None:
    r"""Spread between the groups of a ``mixed`` fit or of a posterior, as common factors of the responses.

    A group's deviations :math:`b` move the logarithm of a response by :math:`z^T b` with its relative slopes
    :math:`z`; :math:`\Psi` is the mean of :math:`z_r^T \mathrm{cov}(b)\, z_s` over the individuals, and the spread within a
    group that of the relative residuals; what groups hold that contain others is the spread between populations. Of a
    posterior, covariances are means over its draws. None where neither method is used, or parameters vary by several
    columns.
    """
    found = _deviations(fit)
    if found is None:
        return None
    column, covariance, effects, factors = found
    frame, names = fit.columns(fit.data), list(fit.system.responses)
    means, slopes = means_and_slopes(
        fit.layout, fit.values, fit.correction if fit.of_medians else {}, frame, tuple(names)
    )
    good = np.all([np.isfinite(means[r]) & (means[r] > 0) for r in names], axis=0)
    if not good.any():
        return None
    moved = np.stack([factors(slopes[r])[good] / means[r][good, None] for r in names], axis=1)
    parts = [free_slopes(fit.system, (r,), means, frame) for r in names]
    sds = {r: m.sd(means[r], frame) for r, m in fit.residual.items()}
    scatter = np.zeros((len(frame), len(names), len(fit.residual)))
    for i, (name, part) in enumerate(zip(names, parts, strict=True)):
        for j, free in enumerate(fit.residual):
            scatter[:, i, j] = part.get(free, 0.0) * sds[free] / means[name]
    correlation = fit.correlation.loc[[*fit.residual], [*fit.residual]].to_numpy()
    spread = np.einsum("nri,ij,nsj->rs", moved, covariance, moved) / len(moved)
    within = np.einsum("nri,ij,nsj->rs", scatter[good], correlation, scatter[good]) / good.sum()
    own = fit.data[column.split("/")].astype(str).agg("/".join, axis=1).to_numpy()[good]
    levels, code = np.unique(own, return_inverse=True)
    unit = Unit(column, levels, code)
    counts = _by_cluster(unit, np.ones((len(moved), len(names))))
    shifts = np.einsum("nri,ni->nr", moved, effects.loc[own].to_numpy(float))
    pull = np.diag(spread) / (np.diag(spread) + np.diag(within) / counts) if np.diag(spread).all() else 0.0
    # About a curve that is the mean over groups, the median group lies lower; a posterior keeps that of each group.
    centre = -np.diag(spread) / 2 if fit.random is not None else np.zeros(len(names))
    told = pd.DataFrame(
        {
            "level": np.repeat(levels, len(names)),
            "response": np.tile(names, len(levels)),
            "value": (_by_cluster(unit, shifts) / counts + centre).ravel(),
            "se": np.sqrt(np.broadcast_to(np.diag(spread) * (1 - pull), counts.shape)).ravel(),
        }
    )
    labels = {"index": names, "columns": names}
    outer, population = getattr(fit.random, "outer", None), None
    if outer is not None:
        shared = np.einsum("nri,ij,nsj->rs", moved, outer.covariance.to_numpy(), moved) / len(moved)
        population = pd.DataFrame(_positive(shared), **labels)
    return Between(
        column=column,
        spread=pd.DataFrame(_positive(spread), **labels),
        within=pd.DataFrame(_positive(within), **labels),
        centre=pd.Series(centre, index=names),
        share=pd.Series((1 / counts).mean(axis=0), index=names),
        n=len(levels),
        effects=told,
        population=population,
    )


def _deviations(fit):
    """Column of the groups, covariance of their deviations, those of the groups seen, and the slopes by them."""
    if fit.random is not None:
        random = fit.random
        slopes = partial(random.slopes, labels=fit.labels, values=fit.values)
        return random.column, random.covariance.to_numpy(), random.effects, slopes
    population, groups = fit.population, fit.system.groups
    names = [] if population is None else [p for p in fit.system.parameters if population.knows(p)]
    columns = {groups.get(name) for name in names}
    if len(columns) != 1 or None in columns:
        return None
    sds = np.array([population.draws[f"spread({name})"].to_numpy() for name in names]).T
    drawn = correlation_draws(names, population.draws) * sds[:, :, None] * sds[:, None, :]
    middle = {name: float(np.mean(values)) for name, values in population.mean(names).items()}
    told = fit.parameters.pivot(index="group", columns="name", values="value")[names]
    grows = np.array([name in population.multiplies for name in names])
    centre = np.array([middle[name] for name in names])
    with np.errstate(invalid="ignore", divide="ignore"):
        effects = np.where(grows, np.log(told / centre), told - centre)

    def slopes(gradient):
        found = []
        for name, grown in zip(names, grows, strict=True):
            places = np.flatnonzero((fit.parameters["name"] == name).to_numpy())
            sizes = fit.values[places] if grown else 1.0
            found.append((gradient[:, places] * sizes).sum(axis=1))
        return np.array(found).T

    return columns.pop(), drawn.mean(axis=0), pd.DataFrame(effects, told.index, names), slopes


def _log_ratios(fit, means) -> dict[str, np.ndarray]:
    """Logarithm of observed over predicted by response, blank where either is missing or not positive."""
    frame, found = fit.data, {}
    for response in fit.system.responses:
        seen = observed(fit, response, frame)
        if seen is None:
            continue
        seen, mean = np.asarray(seen, float), np.asarray(means[response], float)
        good = (seen > 0) & (mean > 0)
        # A response that is often zero or below is no product of factors.
        if good.sum() > 0.5 * np.isfinite(seen).sum():
            found[response] = np.log(np.divide(seen, mean, out=np.full(len(mean), np.nan), where=good))
    return found


def _positive(matrix) -> np.ndarray:
    """Nearest covariance: negative eigenvalues are none."""
    sizes, axes = np.linalg.eigh((matrix + matrix.T) / 2)
    found = (axes * np.clip(sizes, 0, None)) @ axes.T
    return (found + found.T) / 2


def _effects(unit, names, means, counts, spread, within, centre) -> pd.DataFrame:
    """Shrunken factors of the sites seen, as logarithms: columns ``level, response, value, se``."""
    between, seen = np.diag(spread), counts > 0
    of_mean = np.diag(within) / np.where(seen, counts, 1)
    pull = np.divide(between, between + of_mean, out=np.zeros_like(of_mean), where=(between > 0) & seen)
    value = centre + pull * (np.where(seen, means, centre) - centre)
    se = np.sqrt(np.clip(between * (1 - pull), 0, None))
    site, place = np.nonzero(seen)
    return pd.DataFrame(
        {
            "level": np.asarray(unit.levels, object)[site],
            "response": np.asarray(names, object)[place],
            "value": value[seen],
            "se": se[seen],
        }
    )


KINDS = ("case", "group", "residual")
INTERVALS = ("percentile", "bca")
CHUNK = 50


def bootstrap(
    fit: FitResult,
    n: int = 2000,
    kind: str | None = None,
    group: str | None = None,
    interval: str = "percentile",
    seed: int | None = None,
    workers: int = 1,
) -> FitResult:
    """Refit to resampled data and return the same result with the uncertainty of the refits.

    Parameters
    ----------
    fit : FitResult
        Of ``wls``, ``nsur``, ``ols-log`` or ``mixed``, with its data.
    n : int
        Number of refits.
    kind : {"case", "group", "residual"}, optional
        Left out, whole sampled units (sites) are drawn where the fit knows them, or the groups of a mixed model; else cases.
    group : str, optional
        Column whose levels are drawn together, for ``kind="group"``; that of the sampled unit when left out.
    interval : {"percentile", "bca"}
    seed : int, optional
        That of the fit when left out.
    workers : int
        Processes. The result does not depend on it.

    Returns
    -------
    result : FitResult
        Estimates as before; standard errors, covariance, intervals and ``stored_draws`` from the
        refits; ``certificate.bootstrap`` tells kind, interval, number of refits and failures.

    Raises
    ------
    DataError
        Unknown kind or interval, no group column, or one whose levels cut through the groups of a mixed model.
    ConvergenceError
        More than a tenth of the refits failed.

    Examples
    --------
    >>> sl.bootstrap(fit, 50, seed=1).certificate.bootstrap['n']
    50
    """
    unit = fit.sampled_by
    kind = kind or ("group" if unit else "case")
    check_kind(kind, interval, fit.method)
    group = group or unit if kind == "group" else None
    if kind == "group" and (group is None or group not in fit.data):
        found = ", ".join(map(str, fit.data.columns))
        raise DataError(
            f"bootstrap by group: no column {group!r}; found {found}",
            f"分组自助法：没有列 {group!r}；现有 {found}",
        )
    seed = fit.seed if seed is None else seed
    refitter = Refitter(fit)
    if group is not None:
        refitter.whole(group)
    tasks = [(kind, group, child) for child in np.random.SeedSequence(seed).spawn(n)]
    draws = _run(refitter, tasks, workers)
    good = np.isfinite(draws).all(axis=1)
    failed = int((~good).sum())
    if failed > 0.1 * n:
        raise ConvergenceError(
            f"{failed} of {n} refits did not converge; use a simpler equation",
            f"{n} 次重抽样拟合中有 {failed} 次未收敛；请简化方程",
        )
    draws = pd.DataFrame(draws[good], columns=fit.labels)
    if interval == "percentile":
        low, high = np.full((2, len(fit.labels)), [[(1 - fit.level) / 2], [(1 + fit.level) / 2]])
    else:
        low, high = _bca_levels(fit, draws, jackknife(fit, group if kind == "group" else None, workers))
    columns = draws.to_numpy().T
    parameters = fit.parameters.assign(
        se=draws.std(ddof=1).to_numpy(),
        lower=[np.quantile(c, q) for c, q in zip(columns, low, strict=True)],
        upper=[np.quantile(c, q) for c, q in zip(columns, high, strict=True)],
    )
    covariance = pd.DataFrame(np.cov(columns), index=fit.labels, columns=fit.labels)
    told = {"kind": kind, "group": group, "interval": interval, "n": n, "n_failed": failed, "seed": seed}
    return replace(
        fit,
        parameters=parameters,
        covariance=covariance,
        stored_draws=draws,
        certificate=replace(fit.certificate, bootstrap=told),
        seed=seed,
    )


def jackknife(fit: FitResult, group: str | None = None, workers: int = 1) -> pd.DataFrame:
    """Estimates with one tree, or one level of ``group``, left out at a time.

    Returns
    -------
    estimates : DataFrame
        One row for each tree or level left out, indexed by it; NaN where the refit failed. Of a mixed model whole groups
        are left out when nothing is said.
    """
    group = fit.sampled_by if group is None and fit.method == "mixed" else group
    require_known([group] if group else [], fit.data, place="influence")
    refitter = Refitter(fit)
    left_out = fit.data.index if group is None else sorted(fit.data[group].unique())
    values = _run(refitter, [("leave", group, item) for item in left_out], workers)
    return pd.DataFrame(values, index=pd.Index(left_out, name=group), columns=fit.labels)


def check_kind(kind: str | None, interval: str, method: str = "nsur") -> None:
    """Refuse a kind of resampling or of interval that does not exist, or not for a method, before any fit."""
    if method == "bayes":
        raise DataError(
            "a posterior is not refitted: its draws tell the uncertainty; leave out --bootstrap and --influence",
            "后验分布不作重抽样拟合：不确定性由其抽样给出；请去掉 --bootstrap 与 --influence",
        )
    if method == "mixed" and kind in ("case", "residual"):
        raise DataError(
            f"bootstrap of a mixed model: trees of a group share its effect, so whole groups are drawn, not {kind}; leave out "
            "--resample, or name a column: --resample group:COL",
            f"混合模型自助法：同组样木共享效应，须整组抽取，不能用 {kind}；请去掉 --resample，或写 --resample group:列名",
        )
    if kind not in (None, *KINDS) or interval not in INTERVALS:
        raise DataError(
            f"bootstrap: kind {kind!r} of {KINDS} and interval {interval!r} of {INTERVALS}",
            f"自助法：类型 {kind!r} 应属 {KINDS}，区间 {interval!r} 应属 {INTERVALS}",
        )


def _bca_levels(fit, draws, left_out):
    """Probabilities at which the quantiles of the draws are taken, for each parameter."""
    below = (draws.to_numpy() < fit.values).mean(axis=0)
    shift = stats.norm.ppf(np.clip(below, 1 / (len(draws) + 1), 1 - 1 / (len(draws) + 1)))
    values = left_out.dropna().to_numpy()
    away = values.mean(axis=0) - values
    acceleration = (away**3).sum(axis=0) / (6 * ((away**2).sum(axis=0)) ** 1.5)
    levels = []
    for z in stats.norm.ppf([(1 - fit.level) / 2, (1 + fit.level) / 2]):
        levels.append(stats.norm.cdf(shift + (shift + z) / (1 - acceleration * (shift + z))))
    return levels


class Refitter:
    """Everything that a refit needs, taken from a result with its data.

    Parameters
    ----------
    fit : FitResult
        Of ``wls``, ``nsur``, ``ols-log`` or ``mixed``.

    Raises
    ------
    DataError
        The result holds no data, or its method cannot be refitted here.
    """

    def __init__(self, fit):
        if fit.data is None or fit.method not in ("wls", "nsur", "ols-log", "mixed"):
            raise DataError(
                f"cannot refit a result of method {fit.method!r} (with data: {fit.data is not None})",
                f"无法重新拟合方法为 {fit.method!r} 的结果（含数据：{fit.data is not None}）",
            )
        self.system, self.method, self.frame = fit.system, fit.method, fit.data
        self.values, self.layout, self.n = fit.values, fit.layout, len(fit.data)
        self.residual, self.correction_kind = fit.residual, fit.correction_kind
        self.correlation = fit.correlation.to_numpy()
        self.hold = fit.certificate.estimator == "gls"
        self.bounds = fit.certificate.bounds
        self.labels = [] if fit.random is None else fit.random.column.split("/")
        if self.method == "mixed":
            self._mixed = Again.of(fit, self._functions(fit))
            return
        self.mean = fit.predict(fit.data)[list(fit.system.free)]
        if self.method == "ols-log":
            self.mean = self.mean / pd.Series(fit.correction)
        else:
            self._prepare_system(fit)

    @staticmethod
    def _functions(fit):
        return parse_variance(
            {r: m.spec for r, m in fit.residual.items()}, fit.system.free, fit.system.predictors
        )

    def _prepare_system(self, fit):
        self.functions = self._functions(fit)
        engine = self._engine(self.frame)
        self.theta = np.concatenate([self.values, engine.scale.searched(fit.residual)])

    def _engine(self, frame):
        correlated = self.method == "nsur"
        return SystemFit(self.system, frame, self.functions, correlated, self.hold, self.bounds)

    def simulate(self, rng) -> pd.DataFrame:
        """New responses drawn from the fitted model, missing where they were missing."""
        normal = rng.multivariate_normal(np.zeros(len(self.correlation)), self.correlation, self.n)
        whole = {}
        for j, (response, model) in enumerate(self.residual.items()):
            mean = self.mean[response].to_numpy()
            # The mean of a system is one; the line of ols-log is a median.
            whole[response] = model.observed(mean, self.frame, normal[:, j], self.method == "ols-log")
        columns = {c: self.frame[c].to_numpy(float) for c in self.system.predictors}
        whole = self.system.complete(whole, columns)
        drawn = {r: np.where(self.frame[r].notna(), v, np.nan) for r, v in whole.items() if r in self.frame}
        return pd.DataFrame(drawn, index=self.frame.index)

    def estimate(self, rows, responses=None, drawn=None) -> np.ndarray:
        """Estimates on chosen rows, or on new responses; NaN where the refit fails."""
        return self.refit(rows, responses, drawn)[0]

    def whole(self, group) -> None:
        """Refuse a column whose levels cut through the groups of a mixed model.

        Raises
        ------
        DataError
        """
        if self.labels and self.frame.groupby(self.labels[0])[group].nunique().max() > 1:
            raise DataError(
                f"bootstrap by {group}: its levels cut through those of {self.labels[0]}, which share an effect; draw "
                f"{self.labels[0]} or what holds it",
                f"按 {group} 抽样会拆开共享效应的 {self.labels[0]}；请按 {self.labels[0]} 或包含它的列抽样",
            )

    def refit(self, rows, responses=None, drawn=None) -> tuple[np.ndarray, np.ndarray]:
        """Estimates, and the factor that each free response's mean is multiplied by.

        ``drawn`` numbers the draw that each row belongs to: a group of a mixed model drawn twice is two groups.
        """
        frame = self.frame if responses is None else self.frame.assign(**responses)
        frame = frame.iloc[rows].reset_index(drop=True)
        if drawn is not None and self.labels:
            frame[self.labels[0]] = frame[self.labels[0]].astype(str) + "#" + pd.Series(drawn).astype(str)
        try:
            if self.method == "mixed":
                return self._mixed(frame) or self._nothing()
            return self._log_lines(frame) if self.method == "ols-log" else self._system(frame)
        except (np.linalg.LinAlgError, ConvergenceError, DataError, ValueError):
            return self._nothing()

    def _nothing(self):
        return np.full(len(self.values), np.nan), np.ones(len(self.system.free))

    def _system(self, frame):
        engine = self._engine(frame)
        if engine.layout.labels != self.layout.labels:
            # A resample without one of the groups says nothing of its coefficient.
            return self._nothing()
        state = engine.resume(self.theta)
        if state is None:
            return self._nothing()
        return engine.estimates(state)[0], np.ones(len(self.system.free))

    def _log_lines(self, frame):
        lines = [fit_line(self.system, response, frame) for response in self.system.free]
        found = {}
        for line in lines:
            found |= dict(
                zip(line.names, np.where(line.on_log, np.exp(line.values), line.values), strict=True)
            )
        values = np.array([found[p] for p in self.system.parameters])
        median = self.system.mean(values, frame)
        factors = [
            correction_factor(self.correction_kind, line, frame[r].to_numpy(float), median[r])
            for line, r in zip(lines, self.system.free, strict=True)
        ]
        return values, np.array(factors)


def _run(refitter, tasks, workers) -> np.ndarray:
    chunks = [tasks[i : i + CHUNK] for i in range(0, len(tasks), CHUNK)]
    if workers <= 1 or len(chunks) == 1:
        return np.vstack([_work(refitter, chunk) for chunk in chunks])
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        return np.vstack(list(pool.map(_work, repeat(refitter), chunks)))


def _work(refitter, chunk) -> np.ndarray:
    return np.vstack([refitter.estimate(*_draw(refitter, *task)) for task in chunk])


def _draw(refitter, kind, group, item):
    """Rows of the resample, and new responses when they are drawn from the model."""
    n = refitter.n
    everyone = np.arange(n)
    if kind == "leave":
        key = refitter.frame.index if group is None else refitter.frame[group]
        return everyone[np.asarray(key != item)], None
    rng = np.random.default_rng(item)
    if kind == "case":
        return rng.integers(0, n, n), None
    if kind == "group":
        levels, codes = np.unique(refitter.frame[group].astype(str), return_inverse=True)
        drawn = rng.integers(0, len(levels), len(levels))
        rows = [everyone[codes == level] for level in drawn]
        return np.concatenate(rows), None, np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    return everyone, refitter.simulate(rng)
