"""Fit a system to data: one function, every method, one result.

========= ============================================================== ==========================
method    what it does                                                   page
========= ============================================================== ==========================
ols-log   least squares of logarithms, bias correction recorded          :mod:`.system`
wls       weighted nonlinear regression, equation by equation            :mod:`.system`
nsur      simultaneous system with correlated residuals                  :mod:`.system`
mixed     parameters that vary at random between groups                  :mod:`.mixed`
bayes     posterior by sampling, with priors and partial pooling         :mod:`.bayes`
========= ============================================================== ==========================
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sinklab.data.plausibility import Computed, computed, doubts, rules
from sinklab.data.studies import NOT_MEASURED
from sinklab.equations.system import System
from sinklab.fitting.data import Prepared, columns_of, prepare, sampled_unit, start_values
from sinklab.fitting.mixed import fit_mixed
from sinklab.fitting.resample import Scores, between_groups, robust
from sinklab.fitting.search import certified_maximum
from sinklab.fitting.system import CORRECTIONS, SystemFit, fit_log_linear, from_state
from sinklab.language import DataError
from sinklab.language import tr as tr
from sinklab.results.fit_result import FitResult
from sinklab.results.variance import parse_variance, require_families, require_level

#: Methods whose covariance follows the clusters of the data.
CLUSTERED = ("ols-log", "wls", "nsur")
#: Searches from further starts, for equations that are no products of powers.
FURTHER_STARTS = 2
METHODS = ("ols-log", "wls", "nsur", "mixed", "bayes")
ESTIMATORS = ("ml", "gls", "reml")


def fit(
    data: pd.DataFrame | Mapping[str, Any] | str | Path,
    system: System | str,
    method: str = "nsur",
    variance: str | Mapping[str, str] = "power:mean",
    estimator: str = "ml",
    start: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
    cluster: str | None = None,
    correction: str = "baskerville",
    level: float = 0.95,
    seed: int = 0,
    label: str = "",
    name: str = "data",
    keep_computed: bool = False,
    **sampling: Any,
) -> FitResult:
    """Fit a system of equations.

    Parameters
    ----------
    data : DataFrame
        One row per individual or plot; columns bear the names in the equations. A blank response is
        a component that was not measured. Or a field file, ``study:<id>`` or ``open:<name>``, which is read as
        :func:`sinklab.read` does.
    system : System or str
        Equations, see :class:`sinklab.System`.
    method : {"nsur", "wls", "ols-log", "mixed", "bayes"}
    variance : str or mapping
        Variance function for ``wls`` and ``nsur``: ``none``, ``power:mean``, ``power:dbh`` (exponent
        estimated), ``power:dbh=2`` (fixed), ``exp:dbh``, ``lognormal`` (see :mod:`.likelihood`), ``gamma``, ``ident:site``
        (a sigma for each group), ``t`` or ``t=4`` (Student's t), joined as in ``power:mean*ident:site*t``; or one
        for each equation as in ``"stem=power:dbh,root=none"``; see :mod:`sinklab.results.variance`.
    estimator : {"ml", "gls", "reml"}
        For variances that follow the prediction: the maximum of the normal likelihood, or iterated
        weights, which stay efficient when residuals have heavy tails; see :mod:`.system`. With ``mixed``: the
        likelihood, or the restricted one, whose variances between groups owe nothing to the fixed parameters.
    start : mapping, optional
        Start values that override the automatic ones, by parameter name.
    bounds : mapping, optional
        Lower and upper limit (None for none) by parameter name, for ``wls`` and ``nsur``.
    cluster : str, optional
        Column of what was sampled (sites, plots): standard errors, covariance and intervals are those of clusters, and
        the spread between them is estimated (:mod:`.resample`), for ``ols-log``, ``wls`` and ``nsur``. ``"none"`` takes the
        records as independent. Left out, a column that the data declare or the vocabulary knows as one is taken, and said.
    correction : {"baskerville", "snowdon", "none"}
        Back-transformation of ``ols-log``.
    level : float
        Level of the intervals of the parameters.
    seed : int
        For the search of start values and for the draws of the result.
    label, name : str
        What this fit and its data are called.
    keep_computed : bool
        Keep values of a response that were computed from another column. Where they are the smaller part of the response,
        they are set aside, counted and named (:func:`sinklab.data.plausibility.computed`).
    **sampling
        Options of ``bayes``: ``priors``, ``pool``, ``measurement_error``, ``draws``, ``tune``, ``chains``,
        ``cores`` …; see :func:`sinklab.fitting.bayes.engine.fit_bayes`.

    Returns
    -------
    result : FitResult

    Raises
    ------
    DataError, EquationError, ConvergenceError

    Examples
    --------
    >>> import pandas as pd
    >>> trees = pd.DataFrame({"dbh": [5.0, 10.0, 20.0, 30.0], "agb": [5.0, 31.0, 170.0, 480.0]})
    >>> result = fit(trees, "agb = a * dbh**b", method="ols-log")
    >>> round(float(result.values[1]), 2)
    2.54
    """
    _check_options(method, estimator, correction, level, bounds, sampling)
    if isinstance(data, str | Path):
        from sinklab.data.reading import read

        system = System.parse(system) if isinstance(system, str) else system
        name = Path(data).name if name == "data" else name
        wanted = columns_of([system])
        kept = [*wanted["text"] - {"species"}, *({cluster} - {None, "none"})]
        data = read(data, kept=kept, **wanted)
    prepared = prepare(data, system, name, totals=method in ("nsur", "bayes"))
    items, aside = _computed_of(prepared), {}
    if not keep_computed:
        prepared, aside = _measured(prepared, items, data, system, name, method in ("nsur", "bayes"))
    if aside:
        items = _computed_of(prepared)
    nested = ", ".join(f"{p}[{g}]" for p, g in prepared.system.groups.items() if "/" in g)
    if nested and method != "mixed":
        raise DataError(
            f"{nested}: groups in groups need method mixed", f"{nested}：嵌套分组只适用于方法 mixed"
        )
    # What the data say of themselves (measured or simulated, licence, files) stays with the result.
    carried = dict(getattr(data, "attrs", {}).get("source") or {})
    unit = None
    if method in CLUSTERED:
        unit = sampled_unit(prepared.frame, prepared.system, cluster, carried.get("sampled_by"))
    clusters = None if unit is None or unit.alone else unit
    if method == "ols-log":
        system = prepared.system
        require_families(parse_variance(variance, system.free, system.predictors), method, ident=False)
        result = fit_log_linear(prepared, correction, level, seed)
        if clusters:
            result = robust(result, clusters, Scores.of_lines(result))
    elif method == "bayes":
        from sinklab.fitting.bayes.engine import fit_bayes

        result = fit_bayes(prepared, variance, level=level, seed=seed, **sampling)
    else:
        result = _fit_system(prepared, method, variance, estimator, start, bounds, level, seed, clusters)
    if method in CLUSTERED and clusters is None:
        alone = {
            "column": unit.column if unit else None,
            "n": unit.n if unit else None,
            "kind": "independent",
        }
        known = (result.certificate.cluster or {}) | alone
        result = replace(result, certificate=replace(result.certificate, cluster=known))
    spread = between_groups(result) if method in ("mixed", "bayes") else None
    if spread is not None:
        told = {"column": spread.column, "n": spread.n, "kind": "random"}
        if method == "mixed":
            # Groups, not trees, say how well a mean over groups is known.
            told["freedom"] = dict.fromkeys(result.system.free, spread.n - 1)
        result = replace(result, between=spread, certificate=replace(result.certificate, cluster=told))
    if start and method in ("wls", "nsur", "mixed"):
        # Whoever computes this again begins where it began.
        given = {name: float(value) for name, value in dict(start).items()}
        result = replace(result, certificate=replace(result.certificate, start=given))
    source = {"name": name, "n_read": prepared.n_read, "n_used": len(prepared.frame)}
    lines, refused = _not_measured(prepared, items, carried)
    found = doubts(prepared.frame, name)
    source |= {"computed": refused} if refused else {}
    source |= stocking_of(prepared.frame, prepared.system)
    source |= {"set_aside": aside} if aside else {}
    source |= {"implausible": found.columns} if found.columns else {}
    warnings = (*result.warnings, *lines, *found.columns, *found.records)
    return replace(result, label=label, source=carried | result.source | source, warnings=warnings)


def stocking_of(frame: pd.DataFrame, system: System) -> dict[str, list[float]]:
    """What stands of a fit are like where it does not ask: for whoever has other stands.

    Returns
    -------
    told : dict
        ``stocking``: deciles and median of the stems [1/ha]. ``heights``: line of ln(mean height) [m] on ln(mean diameter)
        [cm], and the deciles of the ratio to it. Blank for trees, for what is asked for, and where too few plots tell it.
    """
    told: dict[str, list[float]] = {}
    stand = [r for r in system.free if r.endswith("_density") or r == "growing_stock"]
    by, whole = set(system.predictors), {"growing_stock", "agb_density"}
    if not stand or whole & by:
        return told
    trees = frame["stem_density"].dropna() if "stem_density" in frame else ()
    if len(trees) >= 5 and not {"stem_density", "basal_area"} & by:
        told["stocking"] = [float(q) for q in trees.quantile([0.1, 0.5, 0.9])]
    if {"dbh", "height"} <= set(frame) and "dbh" in by and "height" not in by:
        sizes = np.log(frame[["dbh", "height"]].where(lambda d: d > 0).dropna())
        if len(sizes) >= 10 and np.ptp(sizes["dbh"]) > 0:
            slope, level = np.polyfit(sizes["dbh"], sizes["height"], 1)
            ratio = np.exp(sizes["height"] - level - slope * sizes["dbh"])
            told["heights"] = [float(level), float(slope), *(float(q) for q in ratio.quantile([0.1, 0.9]))]
    return told


def _computed_of(prepared) -> list[Computed]:
    """Values of the responses that follow from others."""
    return computed(prepared.frame, [r for r in prepared.system.responses if r in prepared.frame])


def _measured(prepared, items, data, system, name, totals) -> tuple[Prepared, dict[str, int]]:
    """Data without the computed values of responses that were measured for the most part, and how many those are."""
    frame, found = prepared.frame, {}
    for item in items:
        found.setdefault(item.column, set()).update(item.rows)
    most = rules()["computed_share"]
    found = {r: rows for r, rows in found.items() if len(rows) <= most * frame[r].notna().sum()}
    if not found:
        return prepared, {}
    rest = pd.DataFrame(data)
    rest = rest.copy() if frame.index.isin(rest.index).all() else rest.reset_index(drop=True)
    for response, rows in found.items():
        rest[response] = rest[response].mask(rest.index.isin(rows))
    lines = [
        tr(f"{item}; set aside (--keep-computed keeps them)", f"{item}；已剔除（--keep-computed 可保留）")
        for item in items
        if item.column in found
    ]
    try:
        again = prepare(rest, system, name, totals)
    except DataError as error:
        raise DataError("\n".join([str(error), *lines])) from error
    return replace(again, warnings=(*again.warnings, *lines)), {r: len(rows) for r, rows in found.items()}


def _not_measured(prepared, items, source) -> tuple[list[str], dict[str, list[str]]]:
    """What is told of responses that were not measured, and by response what keeps them from becoming a table.

    That is the word of columns.csv, or more than half of the values.
    """
    frame, lines = prepared.frame, {}
    rows = {r: set() for r in prepared.system.responses if r in frame}
    for item in items:
        lines.setdefault(item.column, []).append(str(item))
        rows[item.column] |= set(item.rows)
    most = rules()["computed_share"]
    refused = {r: lines[r] for r in lines if len(rows[r]) > most * frame[r].notna().sum()}
    for column, how in (source.get("got") or {}).items():
        if column in prepared.system.free and column in frame and how in NOT_MEASURED:
            text = tr(
                f"{column}: {how}, says columns.csv: not measured",
                f"{column}：columns.csv 注明为 {how}，非实测",
            )
            lines.setdefault(column, []).append(text)
            refused[column] = lines[column]
    return [line for some in lines.values() for line in some], refused


def _check_options(method, estimator, correction, level, bounds, sampling):
    for value, known, en, zh in (
        (method, METHODS, "method", "方法"),
        (estimator, ESTIMATORS, "estimator", "估计方法"),
        (correction, CORRECTIONS, "correction", "校正"),
    ):
        if value not in known:
            raise DataError(f"{en} {value!r} is none of {known}", f"{zh} {value!r} 不在 {known} 之中")
    if sampling and method != "bayes":
        names = ", ".join(sampling)
        raise DataError(
            f"options {names} belong to method bayes, not to {method}",
            f"选项 {names} 属于方法 bayes，不适用于 {method}",
        )
    if estimator == "reml" and method != "mixed":
        raise DataError(
            f"estimator reml belongs to method mixed, not to {method}",
            f"reml 估计适用于方法 mixed，不适用于 {method}",
        )
    if bounds and method not in ("wls", "nsur"):
        raise DataError(
            f"method {method} takes no bounds; wls and nsur do",
            f"方法 {method} 不支持参数界限；wls 与 nsur 支持",
        )
    require_level(level)


def _fit_system(prepared, method, variance, estimator, start, bounds, level, seed, unit=None) -> FitResult:
    system, frame = prepared.system, prepared.frame
    start = dict(start or {})
    unknown = [p for p in start if p not in system.parameters]
    if unknown:
        raise DataError(
            f"start values for unknown parameters: {', '.join(unknown)}; the equations have "
            f"{', '.join(system.parameters)}",
            f"初值中的参数未出现在方程里：{'、'.join(unknown)}；方程参数为 {'、'.join(system.parameters)}",
        )
    functions = parse_variance(variance, system.free, system.predictors, set(frame.columns))
    if method == "mixed":
        return fit_mixed(prepared, functions, start, level, seed, estimator == "reml")
    engine = SystemFit(system, frame, functions, method == "nsur", estimator == "gls", bounds)
    engine.refuse_singular()
    starts = [start_values(system, frame, start, seed)]
    if start:
        # A start that was given may lead to a lower summit than the automatic one.
        starts.append(start_values(system, frame, None, seed))
    if any(system.power_product(r) is None for r in system.free):
        # Forms that bend may have several summits; a search from elsewhere tells.
        starts += [start_values(system, frame, None, seed + i) for i in range(1, 1 + FURTHER_STARTS)]
    state, certificate = certified_maximum(engine, starts, seed)
    result = from_state(prepared, engine, state, certificate, method, level, seed)
    if unit is None:
        return result
    means = result.means(result.columns(frame))
    return robust(result, unit, Scores.of_system(engine, state, means))


def fit_by(
    data: pd.DataFrame | Mapping[str, Any], system: System | str, by: str, **options: Any
) -> list[FitResult]:
    """Fit each level of a column apart; see :func:`fit` for the options.

    Returns
    -------
    results : list of FitResult
        In the order of the sorted levels, labelled by them. Records without a level are an error.

    Raises
    ------
    DataError
        The column is missing or has blanks.

    Examples
    --------
    >>> [found.label for found in sl.fit_by(trees, 'stem = a * dbh**b', 'site')]
    ['模拟样点A', '模拟样点B', '模拟样点C', '模拟样点D', '模拟样点E']
    """
    frame = pd.DataFrame(data)
    if by not in frame.columns:
        found = ", ".join(map(str, frame.columns))
        raise DataError(
            f"no column {by!r} to fit by; found {found}", f"没有用于分组的列 {by!r}；现有 {found}"
        )
    blank = frame.index[frame[by].isna()]
    if len(blank):
        records = ", ".join(str(i + 1) for i in blank[:20])
        raise DataError(f"{by} is blank in records {records}", f"第 {records} 条记录的 {by} 为空")
    options.setdefault("name", "data")
    name = options.pop("name")
    results = []
    for value, part in frame.groupby(by, sort=True):
        part.attrs = dict(getattr(data, "attrs", {}))
        result = fit(part, system, label=f"{value}", name=f"{name}, {by} = {value}", **options)
        results.append(replace(result, source=result.source | {"by": by}))
    return results
