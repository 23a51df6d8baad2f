r"""A result taken to another place: moved there by trees weighed or plots measured, or widened where there are none.

What a fit knows of the difference between places is the prior, the measurements of the place decide how far it goes: the
empirical best linear unbiased predictor. Few records draw it a little way, many all the way, and what is left of the
difference stays in the intervals.

*Random parameters* (a mixed model). Records of a new group show where it lies: with the residual covariance :math:`R`, the
slopes :math:`Z` by the deviations and the covariance :math:`\Psi` between groups,
:math:`\hat b = \Psi Z^T (Z \Psi Z^T + R)^{-1} (y - f(\hat b) + Z \hat b)`, iterated where the equations bend. The uncertainty
is that of :math:`\hat\beta + \hat b`: what is left of the deviation given the records,
:math:`(Z^T R^{-1} Z + \Psi^{-1})^{-1}`, and the estimates of the typical group as far as they still count.

*A common factor of every response* (any fit or pooled table with the spread between sampled units). A record says
:math:`l = \ln(y / \hat f) = v + g^T(\beta - \hat\beta) + e` with :math:`v \sim N(\mu, \Psi)`, :math:`\beta \sim N(\hat\beta, C)` and
:math:`e \sim N(0, W)`; coefficients and factors are updated together, so that what they share does not count twice. The
factors become coefficients of the equations, ``local_<response>``. Scatter differs between places as much as levels do, so
:math:`W` is drawn to that of the records too, as a variance that the table knows on a few degrees of freedom.

*A slope of the place.* A region may lie above a table in its small stands and below it in its large ones, as where heights are
measured with error; one factor for both is off in the total, which the large stands make. Responses per hectare
therefore take a power too, :math:`y = k\,c\,(\hat f / c)^t`, with :math:`c` the value in the middle of the table's range and
:math:`t \sim N(1, \tau)`: ``tilt_<response>``; :math:`\tau` is how slopes differ between studies (column ``slope``).

*Another population.* Plots that were chosen on purpose are not drawn from the stands of a region: by age alone they carry
twice the mass of inventory plots, by mean diameter and stem density hardly more. :func:`widened` adds to :math:`\Psi` the
variance that ``data/rules/populations.csv`` gives for the predictors, by a factor that the pedigree of the data sets. The
mean stays. Calibration takes it into its prior and leaves nothing of it.

Source
------
Pinheiro J.C., Bates D.M. (2000) Mixed-Effects Models in S and S-PLUS, section 7.3. Springer.
Lappi J. (1991) Calibration of height and volume equations with random parameters. Forest Science 37:781-801.
Smyth G.K. (2004) Linear models and empirical Bayes methods for assessing differential expression. Statistical Applications
in Genetics and Molecular Biology 3(1):3, section 4 and 6.2 (a variance drawn to that of others, and their freedom).
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import sinklab as sl
from sinklab.data.files import records
from sinklab.equations.compile import Layout
from sinklab.equations.system import System
from sinklab.language import ConvergenceError, DataError, require_known

#: Set of plots whose selection the variances of ``data/rules/populations.csv`` were estimated from.
REFERENCE = {
    "selection": "compilation",
    "place": "coordinates",
    "time": "year",
    "method": "mixed",
    "measured": 0.8,
}
#: Steps of the search for a group where equations bend.
MAX_STEPS = 100


def calibrated(
    fit: "sl.FitResult", trees: pd.DataFrame | Mapping[str, Any], label: str = ""
) -> "sl.FitResult":
    """Move a result to one place, by the trees of it that were weighed, or its plots that were measured.

    Parameters
    ----------
    fit : FitResult
        With random parameters, or with a known spread between sampled units; fitted or read from a table.
    trees : DataFrame
        Records of one place: the predictors, and the responses that were measured (blank otherwise).
    label : str
        Name of the group.

    Returns
    -------
    result : FitResult
        Parameters of that place with their covariance; intervals of an individual no longer contain
        the spread between places.

    Raises
    ------
    DataError
        The result does not know how places differ, or the records have no response or no predictor of it.
    ConvergenceError

    Examples
    --------
    >>> local = sl.calibrated(fit, trees.head(12))
    >>> local.source['calibrated_with']
    12
    """
    frame, fit = _checked(fit, trees), fit.typical
    if fit.random is None:
        return _by_factors(fit, frame, label)
    deviations = np.zeros(len(fit.random.names))
    for _ in range(MAX_STEPS):
        moved, spread, gain = _step(fit, frame, deviations)
        if np.abs(moved - deviations).max() < 1e-10 * (1 + np.abs(moved).max()):
            break
        deviations = moved
    else:
        raise ConvergenceError(
            f"calibration did not settle in {MAX_STEPS} steps", f"校准 {MAX_STEPS} 步后仍未收敛"
        )
    shifted, factor, ratio = _shifted(fit, deviations)
    places = fit.random.places(fit.labels)
    turn = np.diag(ratio)
    turn[places] -= factor[:, None] * gain
    covariance = turn @ fit.covariance.to_numpy() @ turn.T
    covariance[np.ix_(places, places)] += spread * np.outer(factor, factor)
    source = fit.source | {"calibrated_with": len(frame)}
    return replace(
        fit,
        parameters=parameters_of(fit, shifted, covariance),
        covariance=pd.DataFrame(covariance, index=fit.labels, columns=fit.labels),
        correction=corrections(fit),
        random=None,
        between=None,
        stored_draws=None,
        label=label,
        source=source,
    )


def _checked(fit, trees) -> pd.DataFrame:
    if fit.random is None and fit.between is None:
        raise DataError(
            f"a result of method {fit.method!r} without random effects or a sampled unit does not know how places differ; "
            "fit with method mixed, or with the column of the sampled unit (cluster)",
            f"方法 {fit.method!r} 的结果没有随机效应，也没有抽样单元，不知地点间差异；请用 mixed 拟合，或给出抽样单元列（cluster）",
        )
    frame = pd.DataFrame(trees).reset_index(drop=True)
    missing = [x for x in fit.system.predictors if x not in frame]
    seen = [r for r in fit.system.free if r in frame and frame[r].notna().any()]
    if missing or not seen:
        expected = ", ".join([*fit.system.predictors, *fit.system.free])
        found = ", ".join(map(str, frame.columns))
        raise DataError(
            f"records for calibration: found columns {found}; expected the predictors and at least one response "
            f"of {expected}",
            f"校准记录：现有列 {found}；应含自变量及至少一个因变量（{expected}）",
        )
    return frame.assign(**{r: np.nan for r in fit.system.free if r not in frame})


def _step(fit, frame, deviations):
    """New deviations, what is left of their uncertainty, and their answer to the parameters."""
    shifted, factor, ratio = _shifted(fit, deviations)
    residual, slope, sd = _near(fit, frame, shifted)
    by_deviation = slope[:, :, fit.random.places(fit.labels)] * factor
    by_parameter = slope * ratio
    information = np.zeros_like(fit.random.covariance.to_numpy())
    target, answer = np.zeros(len(factor)), np.zeros((len(factor), slope.shape[2]))
    correlation = fit.correlation.to_numpy()
    for i, row in enumerate(residual):
        seen = np.isfinite(row)
        if not seen.any():
            continue
        weight = np.linalg.inv(correlation[np.ix_(seen, seen)] * np.outer(sd[i, seen], sd[i, seen]))
        z = by_deviation[i, seen]
        information += z.T @ weight @ z
        target += z.T @ weight @ (row[seen] + z @ deviations)
        answer += z.T @ weight @ by_parameter[i, seen]
    # Without the inverse of their covariance, which may be nearly singular.
    sizes, axes = np.linalg.eigh(fit.random.covariance.to_numpy())
    root = axes * np.sqrt(np.clip(sizes, 0, None))
    spread = root @ np.linalg.solve(np.eye(len(root)) + root.T @ information @ root, root.T)
    return spread @ target, spread, spread @ answer


def _near(fit, frame, values):
    """Residuals (n, m), slopes (n, m, k) and residual standard deviations on the scale of the fit."""
    free = list(fit.system.free)
    mean, slope = fit.layout.at(frame, tuple(free), len(frame)).mean_and_jacobian(values)
    y = frame[free].to_numpy(float)
    models = [fit.residual[r] for r in free]
    if fit.of_medians:
        sd = np.broadcast_to([m.sigma for m in models], mean.shape)
        return np.log(y) - np.log(mean), slope / mean[:, :, None], sd
    sd = np.column_stack([m.sd(mean[:, j], frame) for j, m in enumerate(models)])
    return y - mean, slope, sd


def _shifted(fit, deviations):
    """Parameters of the group, their derivatives by the deviations and by the typical parameters."""
    random, labels = fit.random, fit.labels
    shifted, ratio = random.moved(fit.values, labels, deviations), np.ones(len(fit.values))
    grown = np.array([name in random.multiplies for name in random.names])
    ratio[random.places(labels)] = np.where(grown, np.exp(deviations), 1.0)
    return shifted, random.factors(shifted, labels), ratio


def corrections(fit) -> dict[str, float]:
    """Factors that make means of one group: medians of one group lack the spread between groups in what makes them means."""
    if not fit.of_medians or fit.correction_kind == "none":
        return dict(fit.correction)
    return {r: float(np.exp(fit.residual[r].sigma ** 2 / 2)) for r in fit.correction}


def parameters_of(fit, values, covariance) -> pd.DataFrame:
    """Table of parameters with Wald intervals at the level of the fit."""
    se = np.sqrt(np.clip(np.diag(covariance), 0, None))
    freedom = min(m.freedom for m in fit.residual.values())
    half = stats.t.ppf(0.5 + fit.level / 2, freedom) * se
    return fit.parameters.assign(value=values, se=se, lower=values - half, upper=values + half)


# A common factor of every response.


def _by_factors(fit, frame, label):
    """Result of one place whose responses are off by common factors, which become coefficients of their own."""
    between, free, k = fit.between, list(fit.system.free), len(fit.values)
    missing = [r for r in free if r not in between.names]
    if missing:
        raise DataError(
            f"the spread between sites of {', '.join(missing)} is not known: nothing to calibrate",
            f"{'、'.join(missing)} 的样点间变异未知，无法校准",
        )
    tilted = {r: _middle(fit, r) for r in free if per_hectare(r) and slope_variance() > 0}
    layout, own = _with_factors(fit, free, tilted)
    local, tilt = (
        [layout.labels.index(f"{name}_{r}") for r in some]
        for name, some in (("local", free), ("tilt", tilted))
    )
    at = np.ones(k + len(local) + len(tilt))
    at[own] = fit.values
    mean, slope = layout.at(frame, tuple(free), len(frame)).mean_and_jacobian(at)
    slope, seen = slope / mean[:, :, None], frame[free].gt(0).to_numpy()
    # A factor that must stay positive is moved as a logarithm: places differ by more than its standard error allows for.
    unit = np.ones(len(at))
    unit[own] = np.where(fit.log_coefficients(), fit.values, 1.0)
    slope = slope * unit
    corrected = np.log([fit.correction.get(r, 1.0) if fit.of_medians else 1.0 for r in free])
    away = np.log(np.where(seen, frame[free].to_numpy(float), 1.0)) - np.log(mean) - corrected
    spread, scatter = (m.loc[free, free].to_numpy() for m in (between.spread, between.within))
    # A factor of shoots moves roots that are written as a share of them: from factors of responses to those written.
    turn = np.linalg.inv(slope[:, :, local].mean(axis=0))
    prior, start = np.zeros((len(at), len(at))), np.zeros(len(at))
    prior[np.ix_(own, own)] = fit.covariance.to_numpy() / np.outer(unit[own], unit[own])
    prior[np.ix_(local, local)] = turn @ spread @ turn.T
    prior[tilt, tilt] = slope_variance()
    start[local] = turn @ between.centre[free].to_numpy(float)
    away = np.where(seen, away - slope @ start, 0.0)
    held = scatter_freedom()
    within = scatter
    for _ in range(MAX_STEPS):
        step, covariance = _drawn(slope, away, seen, prior, within)
        again = _scatter(slope, away, seen, step, covariance, scatter, held)
        settled, within = np.allclose(again, within, rtol=1e-4), again
        if settled:
            break
    moved = start + step
    # A mean of the place is its median times what single records add; medians keep that as their correction.
    of_records = np.diag(within) / 2
    at[own] = np.where(unit[own] != 1, fit.values * np.exp(moved[own]), fit.values + moved[own])
    at[local] = np.exp(moved[local] + turn @ (corrected if fit.of_medians else of_records))
    at[tilt] += moved[tilt]
    scale = np.where(unit != 1, at, 1.0)
    scale[local] = at[local]
    covariance = covariance * np.outer(scale, scale)
    correction = dict(zip(free, np.exp(of_records) if fit.of_medians else np.ones(len(free)), strict=True))
    share = np.sqrt(np.diag(within) / np.diag(scatter + spread))
    freedom = np.where(seen.any(axis=0), held + seen.sum(axis=0) - 1, np.inf)
    residual = {
        r: replace(fit.residual[r], sigma=fit.residual[r].sigma * s, freedom=min(fit.residual[r].freedom, f))
        for r, s, f in zip(free, share, freedom, strict=True)
    }
    moved_fit = replace(
        fit,
        system=layout.system,
        parameters=pd.DataFrame({"name": list(layout.names), "group": list(layout.groups)}),
        covariance=pd.DataFrame(covariance, index=layout.labels, columns=layout.labels),
        residual=residual,
        correction=fit.correction | correction,
        between=None,
        stored_draws=None,
        label=label,
        source=fit.source | {"calibrated_with": int(seen.any(axis=1).sum())},
    )
    return replace(moved_fit, parameters=parameters_of(moved_fit, at, covariance))


def _drawn(slope, away, seen, prior, within):
    """How far records draw coefficients and factors from where they were expected, and what is left of the uncertainty."""
    information, target = np.zeros_like(prior), np.zeros(len(prior))
    for i, row in enumerate(seen):
        if row.any():
            weight = np.linalg.inv(within[np.ix_(row, row)])
            information += slope[i, row].T @ weight @ slope[i, row]
            target += slope[i, row].T @ weight @ away[i, row]
    sizes, axes = np.linalg.eigh(prior)
    root = axes * np.sqrt(np.clip(sizes, 0, None))
    covariance = root @ np.linalg.solve(np.eye(len(root)) + root.T @ information @ root, root.T)
    return covariance @ target, covariance


def _scatter(slope, away, seen, step, covariance, usual, held) -> np.ndarray:
    """Covariance of single records about the line of their place: what it usually is counts as ``held`` records.

    A step of expectation and maximisation: squares are those that are expected with what is left of the uncertainty.
    """
    left = (away - slope @ step) ** 2 + np.einsum("irk,kl,irl->ir", slope, covariance, slope)
    square, n = np.where(seen, left, 0.0).sum(axis=0), seen.sum(axis=0)
    told = ((held - 2) * np.diag(usual) + square) / (held - 2 + n)
    size = np.sqrt(np.where(n > 0, told / np.diag(usual), 1.0))
    return usual * np.outer(size, size)


def _middle(fit, response) -> float:
    """Fitted value in the middle of the ranges of the predictors, on the scale of their logarithms."""
    ends = {x: fit.ranges[x] for x in fit.system.predictors}
    middle = pd.DataFrame({x: [np.sqrt(a * b) if a > 0 else (a + b) / 2] for x, (a, b) in ends.items()})
    return float(fit.layout.at(middle, (response,), 1).mean_and_jacobian(fit.values)[0][0, 0])


def _with_factors(fit, free, tilted) -> tuple[Layout, list[int]]:
    """The same equations, every free one with the coefficients of the place; and where the fit's own stand now."""
    lines = []
    for equation in fit.system.equations:
        left, _, right = str(equation).partition(" = ")
        if left in tilted:
            middle = f"{tilted[left]:.6g}"
            right = f"{middle} * (({right}) / {middle})**tilt_{left}"
        lines.append(f"{left} = local_{left} * ({right})" if left in free else f"{left} = {right}")
    system = System.parse("\n".join(lines), fit.system.predictors, responses_required=False)
    own = list(zip(fit.parameters["name"], fit.parameters["group"], strict=True))
    local = {f"local_{r}" for r in free} | {f"tilt_{r}" for r in tilted}
    pairs = [
        p for name in system.parameters for p in ([(name, "")] if name in local else own) if p[0] == name
    ]
    return Layout(system, *map(tuple, zip(*pairs, strict=True))), [pairs.index(pair) for pair in own]


# Another population.


#: What a pedigree scores besides the share that was measured; rows of ``data/rules/pedigree.csv``.
PEDIGREE = ("selection", "place", "time", "method")


def pedigree(population: Mapping[str, Any] | None) -> tuple[float, dict[str, dict]]:
    """How well data say whom they speak for: score from 0 to 1, and the row of ``data/rules/pedigree.csv`` of each item.

    The mean of how places were chosen, of place, time and method, and of the share of the values that was measured.

    Raises
    ------
    DataError
        A level that the rule does not know, or a share outside 0 to 1.
    """
    told = {k: "" if v is None else v for k, v in (population or {}).items()}
    known = {(r["item"], r["level"]): r for r in records("rules", "pedigree.csv", numbers=("score",))}
    for item in PEDIGREE:
        levels = [level for i, level in known if i == item]
        require_known([str(told.get(item, ""))], levels, f"population: {item}", f"总体：{item}")
    rows = {item: known[item, str(told.get(item, ""))] for item in PEDIGREE}
    share = float(told.get("measured") or 0)
    if not 0 <= share <= 1:
        raise DataError(
            f"population: measured {share:g}: expected a share from 0 to 1",
            f"总体：measured {share:g}：应为 0～1 的份额",
        )
    return (sum(r["score"] for r in rows.values()) + share) / (len(rows) + 1), rows


def _middle_of_rule(column: str) -> float:
    rows = records("rules", "populations.csv", numbers=(column,))
    return float(np.nanmedian([r[column] for r in rows]))


@lru_cache(maxsize=1)
def scatter_freedom() -> float:
    """Degrees of freedom on which other places tell the scatter of records about the line of one: median of the rule's rows.

    Variances within studies differ far more than chance (Smyth's estimator): one place is hardly known from others.
    """
    return _middle_of_rule("scatter_freedom")


@lru_cache(maxsize=1)
def slope_variance() -> float:
    """Variance between studies of the slope of logarithms on those fitted: median of the rule's rows.

    A row alone rests on 13 to 45 studies of six plots or more, and says little of itself.
    """
    return _middle_of_rule("slope")


def per_hectare(response: str) -> str:
    """Kind of a response per hectare as the rule names it: ``stock``, ``mass``, or "" of single plants."""
    return "stock" if response == "growing_stock" else "mass" if response.endswith("_density") else ""


def population_rule(predictors, response: str) -> dict[str, Any] | None:
    """Row of ``data/rules/populations.csv`` for predictors and a response per hectare, with numbers; None where it has none."""
    numbers = ("regional", "selection", "shift", "shift_se", "left_out", "n_inventory")
    rows = records("rules", "populations.csv", numbers=numbers, several=("predictors",))
    own = (r for r in rows if r["of"] == per_hectare(response) and set(r["predictors"]) == set(predictors))
    return next(own, None)


def between_populations(
    predictors, response: str, population: Mapping[str, Any] | None
) -> tuple[float, float]:
    """Variances of the logarithm of a response per hectare: of the selection of plots, and between regions.

    The first comes on top of the spread between sites, the second is a part of it. That of selection grows with what is not
    told of the data: by the share of the scores of ``data/rules/pedigree.csv`` that the way of selection lacks, and with the
    whole pedigree, both held against the plots that it was estimated from. Plots of an inventory lack nothing; of data that
    do not say how they were chosen nothing is assumed.

    Returns
    -------
    selection, regional : float
        Nought for responses of single plants and predictors that no row of ``data/rules/populations.csv`` has.
    """
    row = population_rule(predictors, response)
    if row is None or not (population or {}).get("selection"):
        return 0.0, 0.0
    (score, told), (usual, of_usual) = pedigree(population), pedigree(REFERENCE)
    lacking = (1 - told["selection"]["score"]) / (1 - of_usual["selection"]["score"])
    return row["selection"] * lacking * (2 - score) / (2 - usual), row["regional"]


def widened(fit: "sl.FitResult") -> "sl.FitResult":
    """The result for a population that was not sampled: with the variance between populations in its spread between sites.

    A result that was calibrated, has it already, knows no spread between sites or none of whose responses has a row in
    ``data/rules/populations.csv`` comes back as it is.
    """
    if fit.between is None or fit.between.population is not None or "calibrated_with" in fit.source:
        return fit
    about, names = fit.source.get("population"), fit.between.names
    found = np.array([between_populations(fit.system.predictors, r, about) for r in names])
    if not found.any():
        return fit
    root, between = np.sqrt(found), fit.between
    added, regional = (pd.DataFrame(np.outer(r, r), names, names) for r in root.T)
    # What regions share is a part of what sites differ, as far as that goes.
    share = min(1.0, float((np.diag(between.spread) / np.maximum(found[:, 1], 1e-12)).min()))
    spread, free = between.spread + added, [r for r in fit.system.free if r in names]
    sds = {r: fit.residual[r].sigma for r in free}
    residual, wide = dict(fit.residual), {}
    for r in free:
        logged = fit.residual[r].variance.logged
        # Residuals on the natural scale grow by what the variance of logarithms of one stand does.
        whole = sds[r] ** 2 if logged else float(between.spread.loc[r, r] + between.within.loc[r, r])
        wide[r] = sds[r] * np.sqrt(1 + added.loc[r, r] / whole)
        residual[r] = replace(fit.residual[r], sigma=wide[r])
    correlation = fit.correlation.copy()
    for i in free:
        for j in free:
            if i != j and fit.residual[i].variance.logged and fit.residual[j].variance.logged:
                joint = fit.correlation.loc[i, j] * sds[i] * sds[j] + added.loc[i, j]
                correlation.loc[i, j] = joint / (wide[i] * wide[j])
    shared = replace(
        between,
        spread=spread,
        centre=between.centre - np.diag(added) / 2,
        population=added + share * regional,
    )
    return replace(fit, between=shared, residual=residual, correlation=correlation)
