r"""Is a fit good enough: validation without the trees that are predicted, influence, bias, transfer of an equation.

=============== =============================================================================
scheme          folds
=============== =============================================================================
loo             each tree apart (scikit-learn ``LeaveOneOut``)
kfold:K         K random folds, seeded (``KFold``)
groups:K:COL    K folds that keep the levels of a column together (``GroupKFold``)
leave:COL       each level of a column apart, as leave-one-site-out (``LeaveOneGroupOut``)
blocks:DEG      squares of DEG degrees of latitude and longitude apart
=============== =============================================================================

Every fold is refitted with its variance functions from the estimates of the whole sample, and
predicts the trees it has not seen. Zeng & Tang (2011) advise to publish the fit of all trees; the
indices here say what such a fit is worth on new ones.

*Influence* comes from the jackknife: with :math:`d_i = \hat\beta - \hat\beta_{(i)}` Cook's distance is
:math:`d_i^T C^{-1} d_i / k` and DFBETAS is :math:`d_i` over the standard errors. Trees above
:math:`4 / n` deserve a look at their field form.

*Bias* is tested as Chinese practice does: observed = a + b · predicted, with a = 0 and b = 1 tested
together (the ellipse test, an F test), weighted by the residual variance of the fit, beside the
paired t test of the mean relative error. *Equivalence* turns the question round (two one-sided tests,
Schuirmann 1987): is the mean relative error proven to lie within a stated margin?

*Transfer*: may a published equation be used here? It predicts trees it was not fitted on, and is judged by the total
relative error, the average systematic error, the ellipse test of bias and the equivalence test, against the thresholds
of ``data/rules/transfer.csv``, each of which says where it comes from and whether it was read in print.

Source
------
Zeng W., Tang S. (2011) Scientia Silvae Sinicae 47(11):106-113. Roberts D.R. et al. (2017)
Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic structure.
Ecography 40:913-929. Cook R.D. (1977) Detection of influential observation in linear regression. Technometrics
19:15-18. Schuirmann D.J. (1987) A comparison of the two one-sided tests procedure and the power approach for
assessing the equivalence of average bioavailability. J. Pharmacokinet. Biopharm. 15:657-680.
"""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from sinklab import paths
from sinklab.data.files import records
from sinklab.data.open_data import load
from sinklab.equations.system import System
from sinklab.evidence import national
from sinklab.evidence.pooling import between_studies
from sinklab.fitting import fit
from sinklab.fitting.data import Unit
from sinklab.fitting.resample import Refitter, jackknife, spread_between
from sinklab.language import DataError, SinklabError, number, plain, table, tr
from sinklab.results import indices
from sinklab.results.fit_result import FitResult
from sinklab.results.fit_result import observed as observed_of
from sinklab.results.summary import SCRUTINY_SHOWN

SCHEMES = "loo, kfold:K, groups:K:COL, leave:COL, blocks:DEG"


@dataclass(frozen=True)
class Validation:
    """Predictions of trees by fits that had not seen them.

    ``predictions`` has columns ``response, observed, predicted, fold``, indexed by the row of the
    data; ``n_failed`` counts folds that could not be refitted, whose trees are left out. ``totals`` (``response, site, n,
    observed, predicted, lower, upper``) holds the totals of the sites that were sampled, each predicted as a new site
    by what is known without it; None where other folds are left out.
    """

    scheme: str
    predictions: pd.DataFrame
    n_parameter: dict[str, int]
    n_failed: int
    totals: pd.DataFrame | None = None

    def sites(self) -> pd.DataFrame:
        """Sites left out, by response: ``n``, TRE's ``TRE_sd, TRE_min, TRE_max`` [%], ``coverage`` of the totals [%].

        Raises
        ------
        DataError
            The folds were not the sites that were sampled.
        """
        if self.totals is None:
            raise DataError(
                f"validation {self.scheme!r}: the folds are not the clusters of the fit",
                f"验证方案 {self.scheme!r}：各折并非拟合所用的聚群",
            )
        rows = {}
        for response, part in self.totals.groupby("response", sort=False):
            error = 100 * (part["observed"] / part["predicted"] - 1)
            hit = part["observed"].between(part["lower"], part["upper"])
            told = (len(part), error.std(ddof=1), error.min(), error.max(), 100 * hit.mean())
            rows[response] = dict(zip(("n", "TRE_sd", "TRE_min", "TRE_max", "coverage"), told, strict=True))
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("response")

    def verdicts(self) -> list[dict]:
        """Rows of acceptance (``data/rules/acceptance.csv``) for the sites left out; none for other folds."""
        if self.totals is None:
            return []
        return [
            rule.row(float(row[rule.quantity])) | {"response": response}
            for response, row in self.sites().iterrows()
            for rule in indices.validation_rules()
            if rule.applies(response, "")
        ]

    def indices(self) -> pd.DataFrame:
        """Indices per response over all folds together."""
        rows = {}
        for response, part in self.predictions.groupby("response", sort=False):
            rows[response] = indices.evaluate(part["observed"], part["predicted"], self.n_parameter[response])
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("response")

    def to_json(self) -> dict[str, Any]:
        """Plain types for ``fit --json``."""
        table = {r: {k: float(v) for k, v in row.items()} for r, row in self.indices().iterrows()}
        folds = int(self.predictions["fold"].nunique())
        found = {"scheme": self.scheme, "n_fold": folds, "n_failed": self.n_failed, "indices": table}
        if self.totals is not None:
            found |= {"sites": plain(self.sites().to_dict("index")), "verdicts": plain(self.verdicts())}
        return found

    def by_fold(self) -> pd.DataFrame:
        """Indices per response and fold; no parameter is counted, since none was fitted there."""
        rows = {}
        for key, part in self.predictions.groupby(["response", "fold"], sort=False):
            rows[key] = indices.evaluate(part["observed"], part["predicted"], p=0)
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["response", "fold"])


def folds(data: pd.DataFrame, scheme: str, seed: int = 0) -> list[tuple[str, np.ndarray]]:
    """Name and row positions of every fold.

    Parameters
    ----------
    data : DataFrame
    scheme : str
        One of the table above.
    seed : int
        For ``kfold``.

    Raises
    ------
    DataError
        Unknown scheme, missing column, or fewer than two folds.
    """
    from sklearn import model_selection

    kind, *rest = scheme.split(":")
    rows = np.zeros((len(data), 1))
    try:
        match kind, rest:
            case "loo", []:
                return [(str(label), np.array([i])) for i, label in enumerate(data.index)]
            case "kfold", [k]:
                splitter = model_selection.KFold(int(k), shuffle=True, random_state=seed)
                return [(str(i + 1), test) for i, (_, test) in enumerate(splitter.split(rows))]
            case "groups", [k, column]:
                splitter, groups = model_selection.GroupKFold(int(k)), data[column].astype(str)
                return [(str(i + 1), test) for i, (_, test) in enumerate(splitter.split(rows, groups=groups))]
            case "leave", [column]:
                groups = data[column].astype(str)
            case "blocks", [size]:
                square = np.floor(data[["latitude", "longitude"]].astype(float) / float(size)).astype(int)
                groups = square["latitude"].astype(str) + "," + square["longitude"].astype(str)
            case _:
                raise DataError(
                    f"validation {scheme!r} is none of {SCHEMES}", f"验证方案 {scheme!r} 不在 {SCHEMES} 之中"
                )
        split = model_selection.LeaveOneGroupOut().split(rows, groups=groups)
        return [(str(groups.iloc[test[0]]), test) for _, test in split]
    except (KeyError, ValueError) as error:
        found = ", ".join(map(str, data.columns))
        raise DataError(
            f"validation {scheme!r}: {error}; columns: {found}",
            f"验证方案 {scheme!r}：{error}；现有列：{found}",
        ) from None


def validate(fit: FitResult, scheme: str = "kfold:10", seed: int | None = None) -> Validation:
    """Refit without each fold and predict it.

    Parameters
    ----------
    fit : FitResult
        Of ``wls``, ``nsur``, ``ols-log`` or ``mixed`` (which predicts the mean over groups), with its data.
    scheme : str
        One of the table above.
    seed : int, optional
        That of the fit when left out.

    Returns
    -------
    validation : Validation

    Examples
    --------
    >>> found = sl.validate(fit, 'kfold:5', seed=1)
    >>> found.predictions.columns.tolist()
    ['response', 'observed', 'predicted', 'fold']
    """
    mixed = fit.method == "mixed" and fit.data is not None
    again = partial(_mixed_again, fit) if mixed else partial(_again, fit, Refitter(fit))
    everyone = np.arange(len(fit.data))
    parts, failed, totals = [], 0, []
    of_sites = not mixed and fit.between is not None and scheme == f"leave:{fit.between.column}"
    for name, test in folds(fit.data, scheme, fit.seed if seed is None else seed):
        without = again(np.setdiff1d(everyone, test))
        if without is None:
            failed += 1
            continue
        parts += _predicted(without, fit.data.iloc[test], name)
        if of_sites:
            totals += _left_out(fit, without, test, name)
    if not parts:
        raise DataError(
            f"validation {scheme!r}: no fold could be refitted", f"验证方案 {scheme!r}：各折均无法重新拟合"
        )
    count = {r: fit.layout.count(fit.system.parameters_of[r]) for r in fit.system.responses}
    columns = ["response", "site", "n", "observed", "predicted", "lower", "upper"]
    found = pd.DataFrame(totals, columns=columns) if of_sites else None
    return Validation(scheme, pd.concat(parts), count, failed, found)


def _again(model, refitter, rows) -> FitResult | None:
    """The result with the estimates on other rows; None where the refit fails."""
    values, factors = refitter.refit(rows)
    if not np.isfinite(values).all():
        return None
    return replace(
        model,
        parameters=model.parameters.assign(value=values),
        correction=dict(zip(model.system.free, factors, strict=True)),
        stored_draws=None,
    )


def _left_out(fit, without, test, name) -> list[tuple]:
    """Totals of a site, predicted as those of a new one by the estimates and the spread between sites without it."""
    rest = fit.data.drop(index=fit.data.index[test])
    without = replace(without, data=rest)
    spread = spread_between(without, Unit.of(rest, fit.between.column))
    if spread is None:
        return []
    without, trees, rows = replace(without, between=spread), fit.data.iloc[test], []
    for response in spread.names:
        observed = observed_of(fit, response, trees)
        if observed is None:
            continue
        seen = np.isfinite(np.asarray(observed, float))
        if seen.any():
            told = without.total(trees[seen]).iloc[0]
            whole = float(np.asarray(observed, float)[seen].sum())
            rows.append(
                (
                    response,
                    name,
                    int(seen.sum()),
                    whole,
                    *told[[response, f"{response}_lower", f"{response}_upper"]],
                )
            )
    return rows


def _mixed_again(model, rows) -> FitResult | None:
    """A mixed model fitted to other rows; None where that fails."""
    system = model.typical.system.grouped(model.random.column, model.random.names)
    variance, estimator = (
        {r: m.spec for r, m in model.residual.items()},
        model.certificate.estimator or "ml",
    )
    try:
        found = fit(model.data.iloc[rows], system, "mixed", variance, estimator)
    except SinklabError:
        return None
    return found if np.isfinite(found.values).all() else None


def _predicted(fit, rows, fold) -> list[pd.DataFrame]:
    means = fit.means(fit.columns(rows))
    found = []
    for response in fit.system.responses:
        observed = observed_of(fit, response, rows)
        if observed is not None:
            part = pd.DataFrame(
                {"response": response, "observed": observed, "predicted": means[response], "fold": fold},
                index=rows.index,
            )
            found.append(part[part["observed"].notna()])
    return found


def validation_report(validation: Validation) -> str:
    """Indices of the trees that each fold had not seen."""
    frame = validation.indices()
    rows = [
        [r, *(number(v, 5) for v in values)] for r, values in zip(frame.index, frame.to_numpy(), strict=True)
    ]
    head = tr(f"Validation ({validation.scheme})", f"交叉验证（{validation.scheme}）")
    failed = ""
    if validation.n_failed:
        count = validation.n_failed
        failed = tr(f"\n{count} folds could not be refitted", f"\n有 {count} 折无法重新拟合")
    lines = [f"{head}\n{table([tr('response', '因变量'), *frame.columns], rows)}{failed}"]
    if validation.totals is not None:
        lines += [_sites_report(validation)]
    return "\n\n".join(lines)


def _sites_report(validation) -> str:
    frame = validation.sites()
    title = tr(
        "Sites left out: total relative error of the site (%) and intervals of 95 % that hold its total (%)",
        "留出样点：样点总相对误差（%）及 95% 区间覆盖其总量的比例（%）",
    )
    header = [
        tr("response", "因变量"),
        "n",
        tr("TRE, sd", "TRE 标准差"),
        tr("smallest", "最小"),
        tr("largest", "最大"),
    ]
    header += [tr("covered", "覆盖率")]
    rows = [[r, int(row["n"]), *(number(v, 4) for v in row.to_numpy()[1:])] for r, row in frame.iterrows()]
    lines = [title, table(header, rows)]
    for verdict in validation.verdicts():
        if not verdict["passed"]:
            told = tr(verdict["message_en"], verdict["message_zh"])
            lines.append(f"  ✗ {verdict['response']}: {told} ({number(verdict['value'], 4)})")
    return "\n".join(lines)


# Influence and bias.


def influence(fit: FitResult, group: str | None = None, workers: int = 1) -> pd.DataFrame:
    """Cook's distance and DFBETAS of each tree, or of each level of a column.

    Returns
    -------
    influence : DataFrame
        Indexed by the row of the data, or the level (the groups of a mixed model when nothing is said): ``cook``, then one column of DFBETAS for each
        parameter, ``flag`` above 4 / n. A tree without which the fit fails has NaN and is flagged.

    Examples
    --------
    >>> sl.influence(fit)['cook'].idxmax()
    4
    """
    away = fit.values - jackknife(fit, group, workers)
    inverse = np.linalg.pinv(fit.covariance.to_numpy(), hermitian=True)
    cook = np.einsum("ij,jk,ik->i", away.to_numpy(), inverse, away.to_numpy()) / len(fit.values)
    table = away / fit.parameters["se"].to_numpy()
    table.insert(0, "cook", cook)
    table["flag"] = ~(cook <= 4 / len(table))
    return table


def influence_report(fit: FitResult, group: str | None, workers: int) -> str:
    """Trees, or levels of a column, without which the estimates move most."""
    found = influence(fit, group, workers)
    group = found.index.name
    most = found.sort_values("cook", ascending=False, na_position="first").head(SCRUTINY_SHOWN)
    unit = group or tr("record", "记录")
    # Records are counted from 1, as in every message about a file.
    names = [str(i) if group else str(int(i) + 1) for i in most.index]
    header = [unit, tr("Cook's distance", "Cook 距离"), *(f"DFBETAS {p}" for p in fit.labels)]
    rows = [
        [name, *(number(v, 3) for v in row)]
        for name, row in zip(names, most.drop(columns="flag").to_numpy(), strict=True)
    ]
    flagged = int(found["flag"].sum())
    title = tr(
        f"Influence: {flagged} of {len(found)} above 4 / n = {4 / len(found):.3g}",
        f"影响诊断：{len(found)} 个中有 {flagged} 个超过 4 / n = {4 / len(found):.3g}",
    )
    return f"{title}\n{table(header, rows)}"


def bias_test(
    observed: ArrayLike, predicted: ArrayLike, weights: ArrayLike | None = None
) -> dict[str, float]:
    """Test whether observations scatter around the predictions without bias.

    Parameters
    ----------
    observed, predicted : array, shape (n,)
    weights : array, shape (n,), optional
        Inverse residual variances; equal when left out.

    Returns
    -------
    test : dict
        ``intercept, slope``, ``F`` and ``p_ellipse`` of both together (2 and n - 2 d.f.),
        ``mean_relative_error`` [%], ``t`` and ``p_paired``.
    """
    y, f = np.asarray(observed, float), np.asarray(predicted, float)
    w = np.ones_like(y) if weights is None else np.asarray(weights, float)
    root = np.sqrt(w)
    design = np.column_stack([root, root * f])
    line, *_ = np.linalg.lstsq(design, root * y, rcond=None)
    free = np.sum(w * (y - line[0] - line[1] * f) ** 2)
    n = len(y)
    ratio = (np.sum(w * (y - f) ** 2) - free) / 2 / (free / (n - 2))
    paired = stats.ttest_1samp((y - f) / f, 0.0)
    return {
        "intercept": float(line[0]),
        "slope": float(line[1]),
        "F": float(ratio),
        "p_ellipse": float(stats.f.sf(ratio, 2, n - 2)),
        "mean_relative_error": float(100 * np.mean((y - f) / f)),
        "t": float(paired.statistic),
        "p_paired": float(paired.pvalue),
    }


def equivalence_test(observed: ArrayLike, predicted: ArrayLike, margin: float = 10.0) -> dict[str, float]:
    """Two one-sided t tests that the mean relative error lies within ± ``margin`` per cent.

    Returns
    -------
    test : dict
        ``mean_relative_error`` [%], ``lower`` and ``upper`` of its 90 % interval [%], ``margin`` [%],
        ``p`` (the larger of the two), ``equivalent`` at 5 %.
    """
    y, f = np.asarray(observed, float), np.asarray(predicted, float)
    relative = 100 * (y - f) / f
    n, mean = len(relative), relative.mean()
    se = relative.std(ddof=1) / np.sqrt(n)
    p = max(stats.t.sf((mean + margin) / se, n - 1), stats.t.cdf((mean - margin) / se, n - 1))
    half = stats.t.ppf(0.95, n - 1) * se
    return {
        "mean_relative_error": float(mean),
        "lower": float(mean - half),
        "upper": float(mean + half),
        "margin": float(margin),
        "p": float(p),
        "equivalent": bool(p < 0.05),
    }


# Transfer of a published equation.


@dataclass(frozen=True)
class Transfer:
    """Verdict ``accept``, ``calibrate``, ``reject`` or ``undecided`` with the checks it rests on.

    ``ratio`` is the sum of the observations over that of the predictions: what a calibrated equation
    would be multiplied by. ``outside`` counts trees beyond the range the equation claims.
    """

    verdict: str
    checks: pd.DataFrame
    ratio: float
    n: int
    outside: int

    @property
    def text(self) -> str:
        """The verdict in words."""
        least = thresholds()["n"]["threshold"]
        words = {
            "undecided": tr(
                f"not decided: {self.n} trees, the rule asks for {least}; read the intervals, not the checks",
                f"无法判定：样木 {self.n} 株，规则要求 {least} 株；请看区间，不以检验为准",
            ),
            "accept": tr("may be used here", "可在本区域使用"),
            "calibrate": tr(
                f"biased by a constant share; usable when multiplied by {self.ratio:.4g}",
                f"存在固定比例偏差；乘以 {self.ratio:.4g} 后可用",
            ),
            "reject": tr("must not be used here without refitting", "不宜在本区域直接使用，应重新拟合"),
        }
        return words[self.verdict]


def thresholds() -> dict[str, dict[str, str]]:
    """Rows of ``data/rules/transfer.csv`` by check."""
    return {row["check"]: row for row in records("rules", "transfer.csv")}


def transfer_test(
    data: pd.DataFrame,
    equation: str,
    values: Mapping[str, float],
    response: str,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    fewest: int | None = None,
) -> Transfer:
    """Test an equation with given coefficients on measured trees.

    Parameters
    ----------
    data : DataFrame
        Predictors and the measured response.
    equation : str
        Such as ``"agb = a * dbh**b"``.
    values : mapping of str to float
        Its coefficients.
    response : str
    ranges : mapping of str to (low, high), optional
        Range that the equation claims for its predictors.
    fewest : int, optional
        Trees below which nothing is tested; the rule's own number when left out. With fewer than the rule
        asks for the verdict is ``undecided``.

    Returns
    -------
    transfer : Transfer
        ``calibrate`` when the equation passes once multiplied by one constant.

    Raises
    ------
    DataError
        Fewer trees than the rule asks for, or than ``fewest``.

    Examples
    --------
    >>> sl.transfer_test(trees, 'stem = a * dbh**b', {'a': 0.05, 'b': 2.5}, 'stem').verdict
    'calibrate'
    """
    system = System.parse(equation).bind(data.columns)
    used = data[[*system.predictors, response]].dropna()
    rules = thresholds()
    least = int(float(rules["n"]["threshold"]))
    if len(used) < (fewest or least):
        raise DataError(
            f"transfer test: {len(used)} trees with {response}; the rule asks for {least}"
            + (f", and nothing can be told of fewer than {fewest}" if fewest else ""),
            f"移植检验：有 {response} 的样木 {len(used)} 株；规则要求 {least} 株"
            + (f"，少于 {fewest} 株时无法检验" if fewest else ""),
        )
    observed = used[response].to_numpy(float)
    predicted = system.mean(values, used)[response]
    checks = _checks(observed, predicted, rules)
    ratio = float(observed.sum() / predicted.sum())
    verdict = "accept"
    if not checks["passed"].all():
        verdict = "calibrate" if _checks(observed, predicted * ratio, rules)["passed"].all() else "reject"
    if len(used) < least:
        verdict = "undecided"
    outside = np.zeros(len(used), bool)
    for name, (low, high) in (ranges or {}).items():
        outside |= ~used[name].between(low, high).to_numpy()
    return Transfer(verdict, checks, ratio, len(used), int(outside.sum()))


def _checks(observed, predicted, rules) -> pd.DataFrame:
    bias = bias_test(observed, predicted, weights=1 / predicted**2)
    margin = float(rules["equivalence"]["margin"])
    equal = equivalence_test(observed, predicted, margin)
    found = {
        "TRE": (abs(indices.total_relative_error(observed, predicted)), "<="),
        "ASE": (abs(indices.average_systematic_error(observed, predicted)), "<="),
        "ellipse": (bias["p_ellipse"], ">="),
        "equivalence": (equal["p"], "<="),
    }
    rows = []
    for check, (value, comparison) in found.items():
        rule, limit = rules[check], float(rules[check]["threshold"])
        passed = bool(value <= limit if comparison == "<=" else value >= limit)
        rows.append((check, value, comparison, limit, passed, rule["status"], rule["source"]))
    columns = ["check", "value", "comparison", "threshold", "passed", "status", "source"]
    return pd.DataFrame(rows, columns=columns)


# Models of stands: a scorecard of what was left out.


def scores(
    told: pd.DataFrame, per: str = "forest_type", least: int = 30, drawn: np.ndarray | None = None
) -> pd.DataFrame:
    """Bias, RMSE and coverage of what was left out, by class; classes of fewer than ``least`` stands are pooled as ``other``.

    ``drawn`` (draws, n) are ``away`` of a model that is right (:func:`drawn_away`): the middle 95 % of the coverage and the
    bias that it would show on these very plots are ``low`` to ``high`` and ``bias_low`` to ``bias_high``. ``error`` is the
    binomial standard error of a coverage of 95 %, as if the plots were independent.
    """
    size = told.groupby(per)[per].transform("size")
    classes = told[per].where(size >= least, "other").to_numpy()
    rows = []
    for name in sorted(set(classes)):
        own = classes == name
        part = told[own]
        row = {per: name} | _score(part)
        if drawn is not None:
            inside = 100 * (np.abs(drawn[:, own]) <= part["half"].to_numpy()).mean(axis=1)
            middle = part["observed"].to_numpy() / np.exp((part["away"] * part["sd"]).to_numpy())
            again = (middle * np.exp(drawn[:, own] * part["sd"].to_numpy())).sum(axis=1)
            off = 100 * (part["predicted"].sum() / again - 1)
            row |= dict(zip(("low", "high"), np.quantile(inside, [0.025, 0.975]), strict=True))
            row |= dict(zip(("bias_low", "bias_high"), np.quantile(off, [0.025, 0.975]), strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def averages(
    told: pd.DataFrame, spreads: Mapping[str, float], drawn: np.ndarray, least: int = 5
) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows and draws as those of single stands, for the average of a forest type in a part that was left out.

    The standard deviation of an average is that of what its stands share and of what is their own; parts with ``least``
    stands of the type count.
    """
    rows, columns = [], []
    for _, part in told.reset_index(drop=True).groupby(["left", "kind"]):
        if len(part) < least:
            continue
        alike = national.shared(part, spreads)
        sd = part["sd"].to_numpy()
        whole = float(np.sqrt(sd @ alike @ sd)) / len(part)
        row = {"left": part["left"].iloc[0], "sd": whole, "half": part["half"].iloc[0]}
        row |= {"away": float((part["away"] * sd).mean()) / whole}
        rows.append(row | part[["observed", "predicted"]].sum().to_dict())
        columns.append((drawn[:, part.index] * sd).mean(axis=1) / whole)
    found = pd.DataFrame(rows)
    return found.assign(inside=found["away"].abs() <= found["half"]), np.column_stack(columns)


def drawn_away(told: pd.DataFrame, spreads: Mapping[str, float], n: int = 1000, seed: int = 0) -> np.ndarray:
    """Draws (n, rows) of ``away`` as a right model has them: what plots share of part, study and place they share here too."""
    rng = np.random.default_rng(seed)
    drawn, left = np.zeros((n, len(told))), np.ones(len(told))
    for code, weight in national.shared_units(told, spreads):
        drawn += rng.standard_normal((n, code.max() + 1))[:, code] * weight
        left -= weight**2
    return drawn + rng.standard_normal(drawn.shape) * np.sqrt(left)


def _score(part) -> dict[str, float]:
    ratio = part["predicted"].sum() / part["observed"].sum() - 1
    rmse = np.sqrt(((part["predicted"] - part["observed"]) ** 2).mean()) / part["observed"].mean()
    told = {"n": len(part), "n_left": part["left"].nunique(), "bias": 100 * ratio, "RMSE": 100 * rmse}
    error = 100 * np.sqrt(0.95 * 0.05 / len(part))
    return told | {"coverage": 100 * part["inside"].mean(), "error": error}


#: What is left out of a scorecard: a twentieth of the studies, a cell of five degrees (about a province), a species.
LEFT = ("studies", "cell", "species")
SCORES = ["class", "n", "n_left", "bias", "bias_low", "bias_high", "RMSE", "coverage", "error", "low", "high"]


def scorecard(found: national.Nested, model_id: str, left: Sequence[str] = LEFT) -> pd.DataFrame:
    """Bias, RMSE and coverage (per cent) of stands predicted without their studies, their part of the country, their species.

    Returns
    -------
    rows : DataFrame
        ``model_id, left, by`` (forest type, third of the prediction, or level that answered) and :data:`SCORES`. With a cell
        the variances are estimated without it too; with studies and species they are those of all stands.
    """
    frame = found.frame
    names = {name: i % 20 for i, name in enumerate(sorted(frame["study"].unique()))}
    whole = replace(found, frame=frame.assign(studies=frame["study"].map(names)))
    tables = []
    for way in left:
        told = national.left_out(whole, way, again=way == "cell")
        drawn = drawn_away(told, found.spreads)
        size = pd.qcut(told["predicted"], 3, labels=["small", "middle", "large"]).astype(str)
        ways = {"forest_type": told["kind"], "size": size, "level": told["level"], "all": "all"}
        for by, classes in ways.items():
            rows = scores(told.assign(**{"class": classes}), "class", drawn=drawn)
            tables.append(rows.assign(model_id=model_id, left=way, by=by))
        if way == "cell":
            whole_parts, drawn = averages(told, found.spreads, drawn)
            rows = scores(whole_parts.assign(**{"class": "average"}), "class", least=1, drawn=drawn)
            tables.append(rows.assign(model_id=model_id, left=way, by="part"))
    return pd.concat(tables, ignore_index=True)[["model_id", "left", "by", *SCORES]]


#: How files of the repository are read that are written again cell by cell.
AS_WRITTEN: dict[str, Any] = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}


def renew(root: Path, model_id: str, rows: pd.DataFrame, card: pd.DataFrame) -> None:
    """Put the rows of a model and its scores in the place of the earlier ones: two files of ``data`` and a report.

    Parameters
    ----------
    root : Path
        Folder that holds ``data/literature/equations`` and ``reports``; files that are not there begin empty.
    rows, card : DataFrame
        Of :func:`sinklab.evidence.national.estimates` and :func:`scorecard`.
    """
    own = card[(card["left"] == "cell") & (card["by"] == "forest_type")]
    scored = own[["model_id", "left", *SCORES]].round(1).assign(source=f"{__name__}.scorecard")
    order = [*national.models()]
    for name, made, form in ((national.FILE, rows, "%.6g"), (national.LEFT_OUT, scored, "%.1f")):
        path = root.joinpath("data", "literature", *name)
        path.parent.mkdir(parents=True, exist_ok=True)
        told = pd.read_csv(io.StringIO(made.to_csv(index=False, float_format=form)), **AS_WRITTEN)
        kept = pd.read_csv(path, **AS_WRITTEN) if path.exists() else told[:0]
        # Models of fewer predictors have fewer columns; rows of other models stay as they are written.
        columns = [*kept, *(c for c in told if c not in kept)]
        whole = pd.concat([kept[kept["model_id"] != model_id], told]).reindex(columns=columns).fillna("")
        whole = whole.sort_values("model_id", key=lambda ids: ids.map(order.index), kind="stable")
        with paths.atomic_write(path) as stream:
            stream.write(whole.to_csv(index=False, lineterminator="\n"))
    page = root / "reports" / "scorecard_national.md"
    page.parent.mkdir(exist_ok=True)
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    scored = pd.read_csv(root.joinpath("data", "literature", *national.LEFT_OUT))
    for name, block in (("summary", _summary(scored)), (model_id, _card(model_id, card))):
        block = f"<!-- {name} -->\n\n{block}\n\n<!-- /{name} -->"
        old = re.compile(rf"<!-- {name} -->.*?<!-- /{name} -->", re.DOTALL)
        text = (
            old.sub(lambda _, new=block: new, text) if old.search(text) else f"{text.rstrip()}\n\n{block}\n"
        )
    with paths.atomic_write(page) as stream:
        stream.write(text)


def _summary(scored) -> str:
    """Table of how many types of each model hold in parts of the country without plots, and which do not, in Markdown."""
    lines = ["| model | types | bias: holds, by chance, no | coverage: holds, by chance, no | not held |"]
    lines += ["|---|---|---|---|---|"]
    for model_id, rows in scored.groupby("model_id", sort=False):
        own = [
            (row["class"], *national.is_held(row))
            for row in rows.to_dict("records")
            if row["class"] != "other"
        ]
        inside, near = ([told[i] for told in own] for i in (1, 2))
        counts = [
            ", ".join(str(some.count(word)) for word in ("yes", "chance", "no")) for some in (near, inside)
        ]
        off = "; ".join(kind for kind, *told in own if "no" in told) or "–"
        lines.append(f"| {model_id} | {len(own)} | {counts[0]} | {counts[1]} | {off} |")
    return "\n".join(lines)


def _card(model_id, card) -> str:
    """Heading and table of a model's scores, in Markdown."""
    model = national.models()[model_id]
    lines = [f"## {model_id}：{model['label_zh']} · {model['label_en']}", ""]
    lines += ["| left | by | class | n | left out | bias | RMSE | coverage | bias holds | coverage holds |"]
    lines += ["|---|---|---|---|---|---|---|---|---|---|"]
    for row in card.to_dict("records"):
        inside, near = national.is_held(row)
        cells = [row["left"], row["by"], row["class"], row["n"], row["n_left"]]
        cells += [f"{row['bias']:.1f} ({row['bias_low']:.0f} … {row['bias_high']:.0f})", f"{row['RMSE']:.0f}"]
        cells += [f"{row['coverage']:.1f} ± {row['error']:.1f} ({row['low']:.0f} … {row['high']:.0f})"]
        lines.append(f"| {' | '.join(map(str, [*cells, near, inside]))} |")
    return "\n".join(lines)


# Populations: how far the stands of a region lie from those of others, and those of an inventory from research plots.

#: Inventories that research plots are held against, and the types that a forester may give their stands.
INVENTORIES = {"forestat_plots": ("poplar_birch", "broadleaf_deciduous")}
#: Studies of the compilation whose plots are of the national inventory (Ni et al. 2001 scale inventory data up).
OF_INVENTORY = ("Luo, 1996; Ni et al., 2001",)
#: Plots of a forest type on which such a study is heard.
HEARD = 30


def witnesses(found: national.Nested) -> pd.DataFrame:
    """How far inventories lie from what research plots give them, one row per inventory and forest type.

    A study of the compilation is held against a fit without it.

    Returns
    -------
    told : DataFrame
        ``inventory, forest_type, n``; ``shift``, mean of the logarithms less the median predicted; ``selection``, its square
        less what parts of the country and studies differ, which a new inventory has anyway; places average out; ``away`` (Series of the plots) and their
        ``sd`` and ``freedom``, of which the coverage with any variance of selection follows (:func:`covered`).
    """
    held = []
    for name, kinds in INVENTORIES.items():
        plots = load(f"open:{name}")
        plots["stem_density"] = plots["basal_area"] / (np.pi / 4 * (plots["dbh"] / 100) ** 2)
        if {found.response, *found.predictors} <= set(plots):
            held += [
                (name, kind, found, plots.assign(**dict.fromkeys(national.LEVELS) | {"forest_type": kind}))
                for kind in kinds
            ]
    for name in OF_INVENTORY:
        own = found.frame["study"] == name
        parts = {k: p for k, p in found.frame[own].groupby("forest_type") if len(p) >= HEARD}
        rest = (
            national.scaled(national.fit(found.frame[~own], found.response, found.predictors, found.spreads))
            if parts
            else None
        )
        known = set(rest.frame["forest_type"]) if rest else set()
        held += [(name, kind, rest, part) for kind, part in parts.items() if kind in known]
    rows = []
    for name, kind, model, plots in held:
        told = model.predict(plots)
        away = np.log(plots[found.response]) - told["log"]
        anyway = model.scales.get(kind, 1.0) * sum(model.spreads[u] ** 2 for u in ("cell", "study"))
        square = float(away.mean()) ** 2 - anyway
        freedom = model.freedom_of(kind)
        rows.append((name, kind, len(plots), float(away.mean()), square, away, told["sd"], freedom))
    columns = "inventory forest_type n shift selection away sd freedom".split()
    return pd.DataFrame(rows, columns=columns)


def covered(told: pd.DataFrame, selection: float, level: float = 0.95) -> float:
    """Share of the plots of :func:`witnesses` inside their intervals, with a variance of selection."""
    inside = [
        np.abs(row.away) <= stats.t.ppf(0.5 + level / 2, row.freedom) * np.sqrt(row.sd**2 + selection)
        for row in told.itertuples(index=False)
    ]
    return float(np.concatenate(inside).mean())


def populations(found: national.Nested) -> dict[str, Any]:
    """Variances of logarithms by which whole populations differ, for the predictors of a model.

    ``regional``: between forest types of cells of five degrees (those of two studies or more), each predicted without its
    cell, less what studies of one population differ. ``selection``: mean over the inventories of :func:`witnesses` of
    what each says on the average of its types, none less than nought.
    ``scatter_freedom``: degrees of freedom on which studies tell the scatter of plots within another one; ``slope``: variance
    between them of the slope of logarithms on those predicted.

    Returns
    -------
    told : dict
        ``regional, n_region``, ``selection`` and ``shift`` by inventory, ``scatter_freedom`` and ``slope``. An inventory
        without the response or a predictor is not counted.
    """
    told = national.left_out(found, "cell")
    logs = pd.DataFrame(
        {"line": np.log(told["predicted"]), "off": np.log(told["observed"] / told["predicted"])}
    )
    groups = logs.groupby([told["left"], told["forest_type"], told["study"]])
    off = groups["off"]
    of_regions = off.mean().groupby(level=[0, 1]).agg(["mean", "var", "size"]).query("size > 1")
    of_studies = np.average(of_regions["var"], weights=of_regions["size"] - 1)
    regional = of_regions["mean"].var() - of_studies * (1 / of_regions["size"]).mean()
    # An inventory that lies as near as studies of its types says nothing of its selection.
    heard = witnesses(found).groupby("inventory")[["selection", "shift"]].mean()
    told = {"regional": max(float(regional), 0.0), "n_region": len(of_regions)}
    told |= {"selection": dict(heard["selection"].clip(lower=0)), "shift": dict(heard["shift"])}
    told["scatter_freedom"] = national.freedom_of_variances(off.agg(["var", "size"]).query("size > 5"))
    return told | {"slope": _slopes([part for _, part in groups if len(part) > 5])}


def shift_of(inventories: Mapping[str, float]) -> dict[str, float]:
    """How far inventories lie from research plots on average, and whether one of them foretells another.

    Parameters
    ----------
    inventories : mapping of str to float
        Mean of the logarithms of observed over predicted of each, as :func:`populations` tells it.

    Returns
    -------
    told : dict
        ``shift`` and ``shift_se`` (logarithms; NaN of one inventory), and ``left_out``: the largest error [%] of the mean of
        an inventory that is moved by what the others say; NaN of one.
    """
    off = np.array([*inventories.values()])
    if len(off) < 2:
        return {"shift": float(off.sum()) if len(off) else np.nan, "shift_se": np.nan, "left_out": np.nan}
    others = (off.sum() - off) / (len(off) - 1)
    worst = float(np.abs(np.expm1(others - off)).max())
    return {"shift": float(off.mean()), "shift_se": float(stats.sem(off)), "left_out": 100 * worst}


def _slopes(parts: Sequence[pd.DataFrame], least: float = 0.15) -> float:
    """Variance between studies of the slope of ``off`` on ``line``, where a study spans a standard deviation of ``least``."""
    told = []
    for part in parts:
        if part["line"].std() >= least:
            line = stats.linregress(part["line"], part["off"])
            told.append((line.slope, line.stderr**2 * (len(part) - 2), len(part) - 2))
    slope, scaled_se, freedom = np.array(told).T
    # The scatter of one study is hardly known from six plots: what each knows of its slope goes by the scatter of all.
    wide = np.array([part["line"].var() * (len(part) - 1) for part in parts if part["line"].std() >= least])
    scatter = float((scaled_se * wide).sum() / freedom.sum())
    return between_studies(slope, scatter / wide)
