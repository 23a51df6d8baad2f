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

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from sinklab.data.files import records
from sinklab.equations.system import System
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
