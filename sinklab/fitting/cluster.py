r"""The unit that was sampled: covariance of the estimates and spread between sites when trees came in clusters.

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

Source
------
Bell R.M., McCaffrey D.F. (2002) Bias reduction in standard errors for linear regression with multi-stage samples.
Survey Methodology 28:169-181. Pustejovsky J.E., Tipton E. (2018) Small-sample methods for cluster-robust variance
estimation and hypothesis testing in fixed effects models. J. Business & Economic Statistics 36:672-683.
Searle S.R., Casella G., McCulloch C.E. (1992) Variance Components, section 3.6 (moments). Wiley.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

from sinklab.fitting.data import FEWEST, Unit
from sinklab.fitting.likelihood import Tail, inverse, own_information
from sinklab.results.fit_result import Between, correlation_draws, observed, with_covariance
from sinklab.results.prediction import free_slopes, means_and_slopes

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
