r"""Predictions with intervals, from a result or a table.

Two ways lead to an interval; estimate, range and shape of the answer are the same.

*Linearisation* (:func:`by_delta`). On the natural scale the interval of the mean is
:math:`\hat f \pm t\, \sqrt{J C J^T}` with the Jacobian :math:`J` of the (expanded) equation and the joint
covariance :math:`C`; an individual adds its residual variance, and the variance between groups when parameters
vary at random. The residual of an identity is the one that its parts imply, so a total honours the correlation
of its components. Intervals of responses with lognormal residuals are built on ln(response) and transformed back;
the interval of the mean is centred on the mean (with ``ols-log``: the line times the correction factor),
the one of an individual on the median. Where sites differ by a wide factor (:data:`WIDE`), an individual with normal
residuals of variance :math:`v` has the interval of a lognormal one,
:math:`\hat f \exp(-(\Psi / \hat f^2 + l)/2 \pm t\, \sqrt{(J C J^T + \Psi) / \hat f^2 + l})` with
:math:`l = \ln(1 + v / \hat f^2)`, :math:`\Psi` being what parameters that vary at random add.
Intervals are Wald intervals with Student's t; a quantity that cannot be negative has its lower limit cut at zero.

*Joint draws of the parameters* (:func:`by_draws`). Nothing is linearised, so the intervals of curved equations and
of ratios may be lopsided. A table carries draws, so the same numbers come out wherever it is read.

Source
------
Pinheiro J.C., Bates D.M. (2000) Mixed-Effects Models in S and S-PLUS, section 7.3. Springer.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

import sinklab as sl
from sinklab.data import vocabulary
from sinklab.equations.compile import Compiled, Layout
from sinklab.equations.parse import Call, Name, Number, names, walk
from sinklab.equations.system import System
from sinklab.language import DataError, require_choice, require_known, tr
from sinklab.results.calibration import calibrated, corrections, parameters_of
from sinklab.results.variance import require_level, widening

KINDS = ("mean", "individual")
INTERVALS = ("delta", "draws")
#: Draws behind the quantiles of a prediction.
N_DRAW = 2000


def predict(
    result: "sl.FitResult",
    data: pd.DataFrame | Mapping[str, Any],
    level: float = 0.95,
    kind: str = "mean",
    intervals: str | None = None,
    of: str | None = None,
) -> pd.DataFrame:
    """Predict every response of a fitted system.

    Parameters
    ----------
    result : FitResult
    data : DataFrame or mapping of arrays
        The predictors, in the units of the fit. Positive and finite; blanks give blank predictions.
    level : float
        Level of the interval.
    kind : "mean" or "individual"
        Interval of the mean of all such individuals, or of one individual.
    intervals : "delta" or "draws", optional
        By linearisation, or quantiles over joint draws of the parameters (:func:`by_draws`); draws for
        ``bayes``, else delta, when left out.
    of : "new", "known" or "average", optional
        Whose individuals they are: of a site that was not sampled (the default where the spread between sites is
        known), of the sites named in the column of the sampled unit, or of the average of all sites. The interval of
        an individual holds for any site: the residuals of a fit contain what sites add. The groups of a posterior are
        known by their names, and new by others, when left out.

    Returns
    -------
    prediction : DataFrame, index of ``data``
        For each response ``r``: ``r``, ``r_se``, ``r_lower``, ``r_upper`` in its unit; ``out_of_range``
        (bool) and ``range_note`` naming the predictors outside the span of the fit or of one response, predictors that lie
        together where no record was, or why there is no prediction.

    Raises
    ------
    DataError
        A predictor is missing, ``kind`` is unknown, or ``level`` is not between 0 and 1.
    """
    result, data, of = of_groups(result, data, of)
    _check_request(result, data, level, kind, intervals)
    if of == "known" and result.random is not None:
        return _of_known_groups(result, pd.DataFrame(data), level, kind, intervals)
    frame = result.columns(data)
    index = data.index if isinstance(data, pd.DataFrame) else frame.index
    intervals = intervals or ("draws" if result.method == "bayes" else "delta")
    sites = Sites.of_data(result, data, of)
    if intervals == "delta":
        columns = by_delta(result, frame, level, kind, sites)
    else:
        columns = by_draws(result, frame, level, kind, sites)
    prediction = pd.DataFrame(columns)
    note = result.range_note(frame)
    prediction["out_of_range"] = note != ""
    prediction["range_note"] = _with_blanks(note, result, frame, prediction)
    prediction.index = index
    return prediction


def _of_known_groups(result, data, level, kind, intervals) -> pd.DataFrame:
    """Predictions with the effects of the groups that a mixed fit has seen; of others, those of a new group."""
    columns = result.random.column.split("/")
    if result.random.effects is None or not {*columns} <= {*data}:
        raise DataError(
            f"known groups are named in {' and '.join(columns)}, and their effects kept with the fit; a table of before "
            "goes to a group by its trees (predict --calibrate)",
            f"已知组须由列 {'、'.join(columns)} 给出，且拟合结果应保存其效应；早先的参数表可用该组样木校准（predict --calibrate）",
        )
    asked, parts = data[columns].astype(str).agg("/".join, axis=1).to_numpy(), []
    places = []
    for name in dict.fromkeys(asked):
        rows = np.flatnonzero(asked == name)
        group = known_group(result, name) if name in result.random.effects.index else result
        parts.append(group.predict(data.iloc[rows], level=level, kind=kind, intervals=intervals))
        places.append(rows)
    return pd.concat(parts).iloc[np.argsort(np.concatenate(places))]


def known_group(result: "sl.FitResult", name: str) -> "sl.FitResult":
    """A mixed fit moved to a group that it has seen: its effects, and the covariance that its trees leave."""
    result = result.typical
    random = result.random
    values = random.moved(result.values, result.labels, random.effects.loc[name].to_numpy(float))
    if random.spread is not None:
        covariance = random.spread[name].loc[result.labels, result.labels]
    else:
        own = result.data[random.column.split("/")].astype(str).agg("/".join, axis=1)
        covariance = calibrated(result, result.data[own == name]).covariance
    return replace(
        result,
        parameters=parameters_of(result, values, covariance.to_numpy()),
        covariance=covariance,
        correction=corrections(result),
        random=None,
        between=None,
        stored_draws=None,
        label=name,
    )


def _with_blanks(note, result, frame, prediction) -> np.ndarray:
    """Notes of the records, with why a response has no prediction: predictors missing, or no value of its equation."""
    predictors, responses = list(result.system.predictors), list(result.system.responses)
    note, blank = note.copy(), prediction[responses].isna().to_numpy()
    for i in np.flatnonzero(blank.any(axis=1)):
        absent = [x for x in predictors if np.isnan(frame[x].iloc[i])]
        lost = [] if blank[i].all() else [r for r, gone in zip(responses, blank[i], strict=True) if gone]
        of_en, of_zh = (f" of {', '.join(lost)}", f"{'、'.join(lost)}") if lost else ("", "")
        why = tr(f"no {', '.join(absent)}", f"缺 {'、'.join(absent)}")
        why = why if absent else tr("the equation has no value here", "方程在此无值")
        note[i] = "; ".join(
            filter(None, (why + tr(f": no prediction{of_en}", f"：无{of_zh}预测值"), note[i]))
        )
    return note


def _check_request(result, data, level, kind, intervals):
    require_choice("kind", kind, KINDS)
    require_choice("intervals", intervals or INTERVALS[0], INTERVALS)
    require_level(level)
    require_known((*result.system.predictors, *result.system.groups.values()), data, "predictor", "自变量")


def means_and_slopes(
    layout: Layout,
    values: np.ndarray,
    correction: Mapping[str, float],
    frame: pd.DataFrame,
    responses: tuple[str, ...] = (),
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Expected values (n,) of responses of a system, and their derivatives (n, k) by the parameters.

    Parameters
    ----------
    layout : Layout
    values : array, shape (k,)
    correction : mapping of str to float
        Factors that make means of the free responses, taken as known; empty where the equations give means.
    frame : DataFrame
        Predictors as numbers and group columns.
    responses : tuple of str
        All when left out, and where there is a correction.
    """
    system = layout.system
    wanted = system.free if correction else responses or system.responses
    raw, slope = layout.at(frame, wanted, len(frame)).mean_and_jacobian(values)
    factor = {r: correction.get(r, 1.0) for r in wanted}
    means = {r: raw[:, i] * factor[r] for i, r in enumerate(wanted)}
    slopes = {r: slope[:, i] * factor[r] for i, r in enumerate(wanted)}
    if correction:
        for response in system.identities:
            parts = free_slopes(system, (response,), means, frame)
            slopes[response] = sum(d[:, None] * slopes[r] for r, d in parts.items())
        means = system.complete(means, frame)
    return means, slopes


def free_slopes(system: System, responses, means, frame) -> dict[str, np.ndarray]:
    """Derivative (n,) of a sum of responses by each free response that it is made of."""
    inner = system.identity_slopes({r: means[r] for r in system.free}, frame)
    total: dict[str, np.ndarray] = {}
    for response in responses:
        for part, d in inner.get(response, {response: np.ones(len(frame))}).items():
            total[part] = total.get(part, 0.0) + d
    return total


def by_delta(result, frame, level, kind, sites=None) -> dict[str, np.ndarray]:
    """Columns of a prediction with Wald intervals; ``sites`` as of :class:`Sites`, the average of all when left out."""
    sites = sites or Sites(result)
    correction = result.correction if result.of_medians else {}
    mean, gradient = means_and_slopes(result.layout, result.values, correction, frame)
    columns = {}
    for response in result.system.responses:
        columns |= _interval(result, response, frame, mean, gradient[response], level, kind, sites)
    return columns


def _interval(result, response, frame, mean, gradient, level, kind, sites) -> dict[str, np.ndarray]:
    centre = mean[response]
    slope = free_slopes(result.system, (response,), mean, frame)
    covariance = result.covariance.to_numpy()
    variance = np.einsum("ij,jk,ik->i", gradient, covariance, gradient)
    se = np.sqrt(np.clip(variance, 0, None))
    freedom = freedom_of(result, slope, kind)
    quantile = stats.t.ppf(0.5 + level / 2, freedom)
    if kind == "mean" and sites.told(response):
        shift, spread = sites.effects(response, len(frame))
        half = quantile * np.sqrt((se / centre) ** 2 + spread)
        estimate = centre * np.exp(shift) if sites.of == "known" else centre
        lower, upper = centre * np.exp(shift - half), centre * np.exp(shift + half)
        return {
            response: estimate,
            f"{response}_se": se,
            f"{response}_lower": lower,
            f"{response}_upper": upper,
        }
    model, between = result.residual.get(response), _between_groups(result, gradient)
    if model is not None and model.variance.logged:
        spread = (se / centre) ** 2
        base = centre
        if kind == "individual":
            spread = spread + model.sigma**2 + between / centre**2
            base = centre / (result.correction[response] if result.of_medians else np.exp(model.sigma**2 / 2))
        half = quantile * np.sqrt(spread)
        lower, upper = base * np.exp(-half), base * np.exp(half)
    elif kind == "individual" and lopsided(result, response, slope):
        extra = np.log1p(residual_variance(result, slope, frame, mean) / centre**2)
        half = quantile * np.sqrt((variance + between) / centre**2 + extra)
        # The median individual, of the median group, lies below the mean.
        off = (between / centre**2 + extra) / 2
        lower, upper = (centre * np.exp(end - off) for end in (-half, half))
    else:
        (family, tail), square = family_of(result, slope), quantile**2 * variance
        if kind == "individual":
            variance, extra = variance + between, residual_variance(result, slope, frame, mean)
            # As a scale, with the quantile of its own tail.
            of_residual = stats.t.ppf(0.5 + level / 2, min(tail, freedom)) / widening(tail)
            square = quantile**2 * variance + of_residual**2 * extra
        half = np.sqrt(np.clip(square, 0, None))
        lower, upper = np.maximum(centre - half, floor(result, response)), centre + half
        if kind == "individual" and family == "gamma":
            shape, chance = centre**2 / (variance + extra), special.ndtr(quantile)
            lower, upper = (centre * special.gammaincinv(shape, p) / shape for p in (1 - chance, chance))
    return {response: centre, f"{response}_se": se, f"{response}_lower": lower, f"{response}_upper": upper}


def freedom_of(result: "sl.FitResult", parts: Iterable[str], kind: str = "mean") -> float:
    """Degrees of freedom of Student's t for what is made of some free responses: those of its covariance, if these are fewer."""
    of_trees = min(result.residual[r].freedom for r in parts)
    return min(of_trees, result.freedom_of_covariance(parts, kind))


def family_of(result: "sl.FitResult", parts: Iterable[str]) -> tuple[str, float]:
    """Distribution of individuals made of some free responses, and the least degrees of freedom of their tails.

    It is ``gamma`` where all of them are, else ``t``, which with infinite degrees of freedom is normal.
    """
    models = [result.residual[r] for r in parts]
    family = "gamma" if all(m.kind == "gamma" for m in models) else "t"
    return family, min((m.tail for m in models), default=np.inf)


#: Standard deviation of the logarithmic site factor above which individuals are lopsided about their mean.
WIDE = 0.15


def lopsided(result: "sl.FitResult", response: str, parts: Iterable[str]) -> bool:
    """Whether the interval of an individual is made on the scale of logarithms because sites differ by a wide factor.

    The residuals of its free responses ``parts`` are normal there; gamma and t have intervals of their own, lognormal ones too.
    """
    between = result.between
    if between is None or response not in between.names or family_of(result, parts) != ("t", np.inf):
        return False
    return bool(between.spread.loc[response, response] > WIDE**2)


#: Whose individuals a prediction speaks of.
POPULATIONS = ("new", "known", "average")


@dataclass(frozen=True)
class Sites:
    """The sites of the rows of a prediction: new ones, known ones by name, or the average of all.

    ``level`` holds the names of known sites row by row; a name that was not sampled is that of a new site.
    """

    result: Any
    of: str = "average"
    level: np.ndarray | None = None

    @classmethod
    def of_data(cls, result, data, of) -> "Sites":
        """Read the request; new sites are meant where their spread is known and nothing is said.

        Raises
        ------
        DataError
            No such population, or a result or data without what it needs.
        """
        between = result.between
        if of is not None:
            require_choice("of", of, POPULATIONS)
        if between is None:
            if of == "known":
                raise DataError(
                    "the spread between sites is not known: the fit had no column of the sampled unit",
                    "样点间变异未知：拟合时没有抽样单元列",
                )
            # The effects of random parameters are a spread too, see :class:`RandomEffects`.
            return cls(result, of or ("new" if result.random is not None else "average"))
        if of != "known":
            return cls(result, of or "new")
        if between.column not in data or between.effects is None:
            raise DataError(
                f"known sites are named in a column {between.column!r}, and their effects kept with the fit",
                f"已知样点须由列 {between.column!r} 给出，且拟合结果应保存其效应",
            )
        return cls(result, "known", np.asarray(data[between.column]).astype(str))

    def told(self, response: str) -> bool:
        """Whether sites make a difference to a response."""
        between = self.result.between
        return between is not None and self.of != "average" and response in between.names

    def spread(self, response: str) -> float:
        """Variance of the logarithmic site factor, nought where it is not known."""
        between = self.result.between
        if between is None or response not in between.names:
            return 0.0
        return float(between.spread.loc[response, response])

    def at(self, rows: np.ndarray) -> "Sites":
        """The sites of some rows."""
        return self if self.level is None else replace(self, level=self.level[rows])

    def effects(self, response: str, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of the logarithmic site factor of each row, (n,)."""
        between = self.result.between
        centre, spread = float(between.centre[response]), self.spread(response)
        if self.of != "known":
            return np.full(n, centre), np.full(n, spread)
        seen = {name: between.effect(name, response) for name in set(self.level)}
        pairs = [seen[name] or (centre, np.sqrt(spread)) for name in self.level]
        return np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs]) ** 2


class Totals(pd.DataFrame):
    """Totals by group; ``shares`` tells which part of each variance comes from which source."""

    _metadata = ["shares"]  # noqa: RUF012

    @property
    def _constructor(self):
        return Totals


#: Sources of the variance of a total.
SOURCES = ("parameters", "between", "residual")


def total(
    result: "sl.FitResult",
    data: pd.DataFrame | Mapping[str, Any],
    by: str | None = None,
    level: float = 0.95,
    of: str | None = None,
) -> Totals:
    r"""Totals of all responses over the individuals of each group, every error at the level where it is shared.

    The parameters are common to all individuals, the site factor to those of a group (a site, stand or plot), the residual
    belongs to one. With the sum of the means :math:`F = \sum f_i` the variance of the logarithm is
    :math:`g^T C g / F^2 + \Psi + W \sum f_i^2 / F^2`, the gradient :math:`g` being summed too; the interval is
    :math:`F \exp(\mu \pm t\, s)` about the mean :math:`\mu` of the site factors,
    t with degrees of freedom after Satterthwaite, those of the sites for all that sites tell.
    Without a known spread the interval is :math:`F \pm t\, s` on the natural scale.

    Parameters
    ----------
    result : FitResult
    data : DataFrame
        One row per individual: the predictors, and the column ``by``.
    by : str, optional
        Column of the groups; all rows are one group when left out.
    level : float
        Level of the interval.
    of : "new", "known" or "average", optional
        See :func:`predict`; for ``known`` a group is the site of its name where ``by`` is the sampled unit, else that of
        its first row.

    Returns
    -------
    totals : DataFrame
        One row a group: for each response ``r``, ``r``, ``r_se``, ``r_lower``, ``r_upper`` in its unit; ``shares`` (rows group
        and response, columns :data:`SOURCES`) sums to one.

    Raises
    ------
    DataError
        As :func:`predict`; rows without a predictor or a group.

    Source
    ------
    Satterthwaite F.E. (1946) An approximate distribution of estimates of variance components. Biometrics Bulletin 2:110-114.
    """
    result, data, of = of_groups(result, data, of)
    _check_request(result, data, level, "mean", "delta")
    table = pd.DataFrame(data)
    require_known([by] if by else [], list(table.columns))
    frame, sites = result.columns(table), Sites.of_data(result, table, of)
    keys = pd.Series("", index=range(len(table))) if by is None else table[by].reset_index(drop=True)
    blank = frame[list(result.system.predictors)].isna().any(axis=1) | keys.isna()
    if blank.any():
        records = ", ".join(str(i + 1) for i in np.flatnonzero(blank)[:20])
        raise DataError(
            f"totals need every predictor and group; blank in records {records}",
            f"汇总要求自变量与分组均不缺失；第 {records} 条记录有缺失",
        )
    codes, names = pd.factorize(keys, sort=True)
    correction = result.correction if result.of_medians else {}
    mean, gradient = means_and_slopes(result.layout, result.values, correction, frame)
    columns, shares = {}, []
    # A group is one site: that of its first row.
    sites = sites.at(np.unique(codes, return_index=True)[1])
    for response in result.system.responses:
        parts = _parts(result, response, frame, mean, gradient[response], codes, sites)
        columns |= _of_total(result, response, parts, level, sites)
        whole = np.maximum(sum(parts[1]), np.finfo(float).tiny)
        told = {name: v / whole for name, v in zip(SOURCES, parts[1], strict=True)}
        shares.append(pd.DataFrame({"group": names, "response": response} | told))
    found = Totals(columns, index=pd.Index(names, name=by or "group"))
    found.shares = pd.concat(shares).set_index(["group", "response"])
    return found


def _parts(result, response, frame, mean, gradient, codes, sites):
    """Sum by group, its variance from parameters, sites and residuals, and the degrees of freedom."""
    slope, n_group = free_slopes(result.system, (response,), mean, frame), codes.max() + 1
    whole, summed = np.bincount(codes, mean[response], n_group), np.zeros((n_group, gradient.shape[1]))
    np.add.at(summed, codes, gradient)
    variance = np.einsum("gk,kl,gl->g", summed, result.covariance.to_numpy(), summed)
    between, within = np.zeros(n_group), residual_variance(result, slope, frame, mean)
    if result.random is not None and sites.of == "new":
        between = _between_groups(result, summed)
    elif sites.told(response):
        between = sites.effects(response, n_group)[1] * whole**2
        within = result.between.within.loc[response, response] * mean[response] ** 2
    residual, freedom = np.bincount(codes, within, n_group), freedom_of(result, slope)
    # The same sites tell of the parameters and of their spread; all individuals tell of the residuals.
    of_trees = min(result.residual[r].freedom for r in slope)
    each = (variance + between) ** 2 / freedom + residual**2 / of_trees
    satterthwaite = np.divide(
        (variance + between + residual) ** 2, each, out=np.full(n_group, np.inf), where=each > 0
    )
    return whole, (variance, between, residual), satterthwaite


def _of_total(result, response, parts, level, sites) -> dict[str, np.ndarray]:
    whole, sources, freedom = parts
    spread = np.sqrt(np.clip(sum(sources), 0, None))
    half = stats.t.ppf(0.5 + level / 2, freedom) * spread
    estimate = whole
    if sites.told(response):
        shift = sites.effects(response, len(whole))[0]
        lower, upper = whole * np.exp(shift - half / whole), whole * np.exp(shift + half / whole)
        estimate = whole * np.exp(shift) if sites.of == "known" else whole
    else:
        lower, upper = np.maximum(whole - half, floor(result, response)), whole + half
    return {
        response: estimate,
        f"{response}_se": spread,
        f"{response}_lower": lower,
        f"{response}_upper": upper,
    }


def _between_groups(result, gradient) -> np.ndarray:
    """Variance that an individual of an unknown group owes to its group."""
    if result.random is None:
        return np.zeros(len(gradient))
    slopes = result.random.slopes(gradient, result.labels, result.values)
    return np.einsum("nq,qr,nr->n", slopes, result.random.covariance.to_numpy(), slopes)


def residual_variance(result, slope, frame, mean) -> np.ndarray:
    """Residual variance of a combination of free responses, with their correlation."""
    scaled = {r: d * result.residual[r].sd(mean[r], frame) for r, d in slope.items()}
    total = np.zeros(len(frame))
    for one, a in scaled.items():
        for other, b in scaled.items():
            total += a * b * result.correlation.loc[one, other]
    return np.clip(total, 0, None)


def floor(result, response) -> float:
    """Zero for quantities that cannot be negative, else minus infinity."""
    known = vocabulary.variables().get(response)
    if known is not None:
        return 0.0 if known.minimum is not None and known.minimum >= 0 else -np.inf
    model = result.residual.get(response)
    return 0.0 if model is None or model.variance.by_mean or model.variance.logged else -np.inf


def by_draws(result, frame, level, kind, sites=None) -> dict[str, np.ndarray]:
    r"""Columns of a prediction with quantiles over :data:`N_DRAW` joint draws of the parameters.

    An individual adds to each draw its residuals, correlated between the equations, and the deviation
    of its group when parameters vary at random; an identity is made of the parts of each draw, so its
    interval follows from theirs. The estimate is that of :func:`by_delta`; the standard error is the
    standard deviation of the draws.
    """
    stored = result.stored_draws
    values = result.draws(N_DRAW if stored is None else min(N_DRAW, len(stored))).to_numpy()
    rng = np.random.default_rng([result.seed, len(values)])
    responses, n = result.system.responses, len(frame)
    # One group has its own curve, not the mean over groups.
    of_one = result.typical if kind == "individual" else result
    evaluator = of_one.layout.at(frame, tuple(result.system.free), n)
    found = {r: np.empty((len(values), n)) for r in responses}
    for i, theta in enumerate(values):
        if kind == "individual" and result.random is not None:
            theta = result.random.drawn(theta, result.labels, rng)
        means = dict(zip(result.system.free, evaluator.mean(theta).T, strict=True))
        if kind == "individual":
            whole = result.system.complete(_individual(result, means, frame, rng), frame)
        elif result.of_medians:
            whole = result.means(frame, means)
        else:
            whole = result.system.complete(means, frame)
        for response, row in whole.items():
            found[response][i] = row
    if kind == "mean" and sites is not None:
        normal = rng.standard_normal((len(values), n if sites.of == "known" else 1))
        for response in filter(sites.told, responses):
            shift, spread = sites.effects(response, n)
            found[response] = found[response] * np.exp(shift + np.sqrt(spread) * normal)
    centre = by_delta(result, frame, level, "mean", sites)
    columns = {}
    for response in responses:
        low, high = np.quantile(found[response], [0.5 - level / 2, 0.5 + level / 2], axis=0)
        of_sites = kind == "mean" and sites is not None and sites.told(response)
        se = centre[f"{response}_se"] if of_sites else found[response].std(axis=0, ddof=1)
        columns |= {response: centre[response], f"{response}_se": se}
        columns |= {f"{response}_lower": np.maximum(low, floor(result, response)), f"{response}_upper": high}
    if kind == "individual":
        # The standard error is that of the mean, as with the other intervals.
        columns |= {f"{r}_se": centre[f"{r}_se"] for r in responses}
    return columns


def _individual(result, means, frame, rng) -> dict[str, np.ndarray]:
    """One individual for each row: means or medians of the free responses with residuals."""
    names = list(result.system.free)
    correlation = result.correlation.loc[names, names].to_numpy()
    roots, vectors = np.linalg.eigh(correlation)
    normal = rng.standard_normal((len(frame), len(names))) * np.sqrt(np.clip(roots, 0, None)) @ vectors.T
    out = {}
    for j, response in enumerate(names):
        model = result.residual[response]
        out[response] = model.observed(means[response], frame, normal[:, j], result.of_medians)
    return out


@dataclass(frozen=True)
class Means:
    """Expected values of some responses of a system, for many vectors of parameters at once.

    ``correction`` holds the factors that make means of the free responses; without any the equations give means.
    """

    system: System
    responses: tuple[str, ...]
    correction: dict[str, float] = field(default_factory=dict)

    @cached_property
    def _equations(self) -> Compiled:
        wanted = self.system.free if self.correction else self.responses
        return self.system.compiled(wanted, by_row=True)

    @property
    def columns(self) -> tuple[str, ...]:
        """Predictors that are needed."""
        return self._equations.columns

    def __call__(self, theta, columns, places) -> list[np.ndarray]:
        """Means of the responses, shapes (d, n) or (d, 1).

        Parameters
        ----------
        theta : array, shape (d, k)
        columns : mapping of str to array, shape (n,) or (d, n)
        places : list
            Position in ``theta`` of each parameter of the system, or one for each row.
        """
        moving = [theta[:, p, None] if np.ndim(p) == 0 else theta[:, p] for p in places]
        found = self._equations.broadcast(moving, columns)
        if not self.correction:
            return found
        free = {r: f * self.correction.get(r, 1.0) for r, f in zip(self.system.free, found, strict=True)}
        if set(self.responses) - set(free):
            parts = self.system.made.broadcast([free[r] for r in self.system.free], columns)
            free |= dict(zip(self.system.identities, parts, strict=True))
        return [free[r] for r in self.responses]


def of_groups(
    result: "sl.FitResult", data: pd.DataFrame | Mapping[str, Any], of: str | None = None
) -> tuple["sl.FitResult", pd.DataFrame | Mapping[str, Any], str | None]:
    """A posterior that has coefficients for every group of some data, the data that name them, and what is left to ask.

    Groups that were fitted keep their own coefficients; those of another group are drawn from the distribution over
    groups, one for each joint draw, and estimated by its mean.

    Parameters
    ----------
    result : FitResult
        Another than that of pooled coefficients is given back as it is.
    data : DataFrame or mapping of arrays
        With the columns of the groups, which ``new`` and ``average`` do not need.
    of : "new", "known" or "average", optional
        Take every group as a new one, or the mean over the groups for all.
    """
    population, system = result.population, result.system
    if population is None:
        return result, data, of
    if of is not None:
        require_choice("of", of, POPULATIONS)
    frame, rng = pd.DataFrame(data), np.random.default_rng([result.seed, len(population.draws)])
    rows, drawn = [], {}
    for column in dict.fromkeys(system.groups.values()):
        names = [p for p in system.parameters if system.groups.get(p) == column]
        if not population.knows(names[0]):
            continue
        if of == "average" or (of == "new" and column not in frame):
            frame = frame.assign(**{column: f"({of})"})
        elif of == "new":
            frame = frame.assign(**{column: "(new) " + frame[column].astype(str)})
        fitted = result.parameters.loc[result.parameters["name"] == names[0], "group"]
        for level in sorted({*(frame[column].astype(str) if column in frame else ())} - {*fitted}):
            middle = population.mean(names)
            found = middle if of == "average" else population.drawn(names, rng)
            drawn |= {f"{name}[{level}]": found[name] for name in names}
            rows += [(name, level, middle[name].mean(), found[name].std(ddof=1)) for name in names]
    draws = pd.concat([result.stored_draws.reset_index(drop=True), pd.DataFrame(drawn)], axis=1)
    more = pd.DataFrame(rows, columns=["name", "group", "value", "se"])
    extended = replace(
        result,
        parameters=pd.concat([result.parameters, more], ignore_index=True),
        covariance=pd.DataFrame(np.cov(draws.T), index=draws.columns, columns=draws.columns),
        stored_draws=draws,
    )
    # A group has coefficients of its own from here on.
    return replace(extended if rows else result, population=None, between=None), frame, None


# Curves over the fitted range.
#: Points of a curve drawn over the fitted range.
N_GRID = 200


def curves_of_groups(fit: "sl.FitResult", data: pd.DataFrame, group: str, n: int) -> dict[str, pd.DataFrame]:
    """Curve of every group of a mixed fit over ``n`` sizes between the smallest and the largest of its own trees."""
    fit, x, found = fit.typical, main_predictor(fit), {}
    for level, deviation in fit.random.effects.iterrows():
        sizes = data.loc[data[group].astype(str) == str(level), x]
        own = pd.DataFrame({x: np.linspace(sizes.min(), sizes.max(), n)})
        moved = dict(zip(fit.labels, fit.random.moved(fit.values, fit.labels, deviation), strict=True))
        found[str(level)] = own.assign(**fit.system.mean(moved, own))
    return found


def main_predictor(fit: "sl.FitResult") -> str:
    """Predictor that figures are drawn against: the first of the equations."""
    return fit.system.predictors[0]


#: Responses that stand for a whole system, the widest first.
WHOLES = ("total", "total_density", "agb", "agb_density")


def main_response(fit: "sl.FitResult") -> str:
    """Response that figures show where none is named: the total, else the mass above ground, else the last of the equations.

    Examples
    --------
    >>> trees = pd.DataFrame({'dbh': [8., 12, 16, 24], 'agb': [15., 45, 90, 260], 'bgb': [4., 11, 21, 60]})
    >>> main_response(sl.fit(trees, 'agb = a * dbh**b; bgb = c * dbh**d'))
    'agb'
    """
    return next((whole for whole in WHOLES if whole in fit.system.responses), fit.system.responses[-1])


def kinds_of(fit: "sl.FitResult") -> list[tuple[str, float, bool, float]]:
    """Kinds that conditions of the equations tell apart, as culms of age class 1 and later ones: each has a curve of its own.

    Returns
    -------
    kinds : list of (predictor, bound, above, value)
        A predictor that stands in conditions alone, the number it is compared with, whether the kind is not below that,
        and a value of the kind; empty where the equations have none.
    """
    x, cut, outside = main_predictor(fit), {}, set()
    for equation in fit.system.equations:
        conditions = [
            n.arguments[0] for n in walk(equation.right) if isinstance(n, Call) and n.function == "where"
        ]
        within = [name.name for condition in conditions for name in names(condition)]
        outside |= {
            name
            for name, n in Counter(n.name for n in names(equation.right)).items()
            if n > within.count(name)
        }
        for condition in conditions:
            left, *right = condition.arguments
            if isinstance(left, Name) and left.name != x and right and isinstance(right[0], Number):
                cut.setdefault(left.name, right[0].value)
    name = next((n for n in cut if n in fit.ranges and n not in outside), "")
    if not name:
        return []
    bound, (low, _) = cut[name], fit.ranges[name]
    return [(name, bound, False, low), (name, bound, True, bound)]


def curve_data(
    fit: "sl.FitResult", data: pd.DataFrame | None = None, kind: tuple[str, float, bool, float] | None = None
) -> pd.DataFrame:
    """Predictors along the fitted span of the main one, the others where records of that size lie.

    Another predictor follows its line on the main one in logarithms, as in the data, or as the :class:`Domain` of a
    response tells without them. Where neither does, sizes rise together from end to end, stems per area fall, and what is
    no size stays in the middle. Parameters that vary by a column are those of its first group; :func:`groups_of` names
    the others. A ``kind`` of :func:`kinds_of` has its own value throughout.

    Examples
    --------
    Large trees stand apart: no stand has the largest diameter and the most stems.

    >>> stands = pd.DataFrame({'dbh': [8., 12, 16, 24], 'stem_density': [4000., 2100, 1600, 700]})
    >>> fit = sl.fit(stands.assign(agb_density=[50., 80, 120, 170]), 'agb_density = a * dbh**b * stem_density')
    >>> curve_data(fit)['stem_density'].iloc[[0, -1]].round().tolist()
    [4000.0, 749.0]
    """
    first = main_predictor(fit)
    columns = {first: steps(*fit.ranges[first], N_GRID)}
    for x in fit.system.predictors[1:]:
        slope, intercept, *_ = fit.line_on(first, x, data) or from_end_to_end(fit, first, x)
        columns[x] = np.clip(np.exp(intercept) * columns[first] ** slope, *fit.ranges[x])
    if kind is not None:
        columns[kind[0]] = np.full(N_GRID, kind[3])
    return pd.DataFrame(columns, index=range(N_GRID)).assign(**groups_of(fit)[0])


def steps(low: float, high: float, n: int) -> np.ndarray:
    """Values from end to end of a span, evenly in logarithms where these exist."""
    return np.geomspace(low, high, n) if low > 0 else np.linspace(low, high, n)


def from_end_to_end(fit, x, other) -> tuple[float, float]:
    """Slope and intercept of a line of logarithms of which the ends alone are known."""
    (low, high), (bottom, top) = fit.ranges[x], fit.ranges[other]
    if not 0 < low < high or not 0 < bottom:
        return 0.0, float(np.log((bottom + top) / 2))
    slope = _rises(x) * _rises(other) * np.log(top / bottom) / np.log(high / low)
    return slope, (np.log(bottom * top) - slope * np.log(low * high)) / 2


def _rises(name) -> int:
    """1 of a size, -1 of a number of individuals on an area, 0 of what is neither."""
    if not vocabulary.is_number(name):
        return 0
    known = vocabulary.variable(name)
    return -1 if known.unit == "1/ha" else int(known.role in ("predictor", "response", "stand"))


def groups_of(fit: "sl.FitResult") -> list[dict[str, str]]:
    """Every group that the estimates of a fit know, as the values of its columns; one empty group without any."""
    told = fit.parameters.assign(column=fit.parameters["name"].map(fit.system.groups)).dropna(subset="column")
    levels = [
        [(column, level) for level in dict.fromkeys(part["group"])]
        for column, part in told.groupby("column", sort=False)
    ]
    return [dict(chosen) for chosen in product(*levels)]
