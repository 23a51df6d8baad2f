r"""Compare candidate systems on the same data and average them; hold values beside what others printed.

AIC weights are :math:`w_m = \exp(-\Delta_m / 2) / \sum \exp(-\Delta / 2)` (Burnham & Anderson 2002). All
likelihoods are those of the observed quantities, so a fit on logarithms (whose likelihood carries the
Jacobian - sum ln y) stands beside one on the natural scale (Furnival 1961). Candidates must have used
the same trees, which is checked.

Bayesian fits are compared by leave-one-out: the difference of the expected log predictive densities of
the trees, with its standard error from the trees' own differences, and pseudo-BMA weights
:math:`w_m = \exp(elpd_m) / \sum \exp(elpd)` (Yao et al. 2018).

A value stands beside a printed one when both are of the same quantity, depth, type, pool and season and come from
different sources; what differs, or is not said, is not comparable. Of those that are, the share inside the interval is
tested against its level, and the ratio is given with an interval over the sources.

Source
------
Yao Y., Vehtari A., Simpson D., Gelman A. (2018) Using stacking to average Bayesian predictive
distributions. Bayesian Analysis 13:917-1007.
Burnham K.P., Anderson D.R. (2002) Model Selection and Multimodel Inference, 2nd edition. Springer.
Furnival G.M. (1961) An index for comparing equations used in constructing volume tables. Forest
Science 7:337-341.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm, t

from sinklab.data import vocabulary
from sinklab.data.files import rule_values
from sinklab.language import DataError, number, table, tr
from sinklab.results import indices
from sinklab.results.fit_result import FitResult

#: Candidates by name.
Fits = Mapping[str, FitResult]


def compare(fits: Fits) -> pd.DataFrame:
    """Rank fits by AIC.

    Parameters
    ----------
    fits : mapping of str to FitResult
        The same responses measured on the same trees.

    Returns
    -------
    table : DataFrame
        Indexed by name, best first: ``method, k, loglik, AIC, delta, weight, BIC``.

    Raises
    ------
    DataError
        Fewer than two fits, or fits of different responses or trees.

    Examples
    --------
    >>> other = sl.fit(trees, 'stem = c * exp(d * log(dbh)**2)')
    >>> sl.compare({'power': fit, 'log': other}).columns[:3].tolist()
    ['method', 'k', 'loglik']
    """
    if len(fits) < 2:
        raise DataError("compare needs at least two fits", "比较至少需要两个拟合")
    _same_trees(fits)
    rows = {}
    for name, fit in fits.items():
        k = len(fit.parameters) + fit.n_variance
        n = max(fit.n.values())
        aic, bic = indices.aic(fit.loglik, k), indices.bic(fit.loglik, k, n)
        rows[name] = {"method": fit.method, "k": k, "loglik": fit.loglik, "AIC": aic, "BIC": bic}
    table = pd.DataFrame.from_dict(rows, orient="index").sort_values("AIC", kind="stable")
    table.insert(4, "delta", table["AIC"] - table["AIC"].min())
    weight = np.exp(-table["delta"] / 2)
    table.insert(5, "weight", weight / weight.sum())
    return table


def _same_trees(fits) -> None:
    samples = {name: _sample(fit) for name, fit in fits.items()}
    first = next(iter(samples))
    different = [name for name, sample in samples.items() if sample != samples[first]]
    if different:
        names = ", ".join(different)
        raise DataError(
            f"{names}: other responses or trees than {first}; fit all candidates to the same records",
            f"{names}：与 {first} 的因变量或样木不同；请用相同记录拟合各候选模型",
        )


def _sample(fit):
    free = sorted(fit.system.free)
    return tuple((r, tuple(fit.data.index[fit.data[r].notna()])) for r in free)


def compare_loo(fits: Fits) -> pd.DataFrame:
    """Rank Bayesian fits by leave-one-out.

    Parameters
    ----------
    fits : mapping of str to BayesResult
        The same responses measured on the same trees.

    Returns
    -------
    table : DataFrame
        Indexed by name, best first: ``elpd, p`` (effective parameters), ``delta`` (to the best), its standard
        error ``se_delta``, ``weight``, ``k_max`` (largest Pareto k; above 0.7 the elpd is in doubt).

    Raises
    ------
    DataError
        Fewer than two fits, fits without leave-one-out, or of different trees.
    """
    without = [name for name, fit in fits.items() if getattr(fit, "loo", None) is None]
    if len(fits) < 2 or without:
        named = ", ".join(without) or tr("one fit only", "仅一个拟合")
        raise DataError(
            f"leave-one-out compares two Bayesian fits or more, without errors in predictors; not so: {named}",
            f"留一法比较需要两个以上无自变量误差的贝叶斯拟合；不符合：{named}",
        )
    _same_trees(fits)
    points = {name: fit.loo["elpd"] for name, fit in fits.items()}
    best = max(points, key=lambda name: points[name].sum())
    rows = {}
    for name, fit in fits.items():
        apart = points[name] - points[best]
        rows[name] = {
            "elpd": points[name].sum(),
            "p": fit.certificate.loo["p"],
            "delta": apart.sum(),
            "se_delta": float(np.sqrt(len(apart) * apart.var(ddof=0))),
            "weight": np.exp(apart.sum()),
            "k_max": fit.loo["k"].max(),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").sort_values("elpd", ascending=False, kind="stable")
    return table.assign(weight=table["weight"] / table["weight"].sum())


def _ranked(fits) -> pd.DataFrame:
    """By leave-one-out when all fits are Bayesian, else by AIC."""
    sampled = all(fit.method == "bayes" for fit in fits.values())
    return (compare_loo if sampled else compare)(fits)


def average(fits: Fits, data: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Prediction averaged over fits by their weights: of AIC, or of leave-one-out for Bayesian fits.

    The variance adds the spread between the models to their own: the unconditional standard error of
    Burnham & Anderson (2002, equation 4.9), with a normal interval.

    Returns
    -------
    prediction : DataFrame
        For each response that all fits predict: ``r, r_se, r_lower, r_upper``.

    Examples
    --------
    >>> other = sl.fit(trees, 'stem = c * exp(d * log(dbh)**2)')
    >>> sl.average({'power': fit, 'log': other}, pd.DataFrame({'dbh': [20.0]})).columns.tolist()
    ['stem', 'stem_se', 'stem_lower', 'stem_upper']
    """
    weights = _ranked(fits)["weight"]
    predictions = {name: fit.predict(data) for name, fit in fits.items()}
    shared = [
        r for r in next(iter(fits.values())).system.responses if all(r in p for p in predictions.values())
    ]
    half = norm.ppf(0.5 + level / 2)
    columns = {}
    for r in shared:
        mean = sum(weights[name] * p[r] for name, p in predictions.items())
        se = sum(weights[n] * np.sqrt(p[f"{r}_se"] ** 2 + (p[r] - mean) ** 2) for n, p in predictions.items())
        columns |= {r: mean, f"{r}_se": se, f"{r}_lower": mean - half * se, f"{r}_upper": mean + half * se}
    return pd.DataFrame(columns)


def comparison_report(fits: Fits) -> str:
    """Candidates by AIC, or by leave-one-out when all are Bayesian."""
    found = _ranked(fits)
    columns = [c for c in found.columns if c != "method"]
    rows = [
        [name, *(number(v, 6) for v in values)]
        for name, values in zip(found.index, found[columns].to_numpy(), strict=True)
    ]
    body = table([tr("candidate", "候选方程"), *columns], rows)
    lines = [tr("Candidates", "候选方程比较"), body]
    for name, fit in fits.items():
        spread = ", ".join(dict.fromkeys(model.spec for model in fit.residual.values()))
        lines.append(f"  {name}: {'; '.join(map(str, fit.system.equations))} · {fit.method} · {spread}")
    return "\n".join(lines)


# Beside printed values.

#: What two values must share to be compared, in both languages.
ASPECTS = {
    "quantity": ("quantity", "量"),
    "depth": ("depth", "深度"),
    "type": ("type", "类型"),
    "pool": ("pool", "碳库"),
    "season": ("season", "季节"),
}
#: Words for a verdict.
VERDICTS = {
    "agrees": ("agrees with print", "与已发表值一致"),
    "differs": ("differs from print", "与已发表值不一致"),
    "not comparable": ("not comparable", "不可比"),
}


@dataclass(frozen=True)
class Beside:
    """Values beside printed ones.

    Attributes
    ----------
    rows : DataFrame
        One a printed value: ``source_id, printed, mean, lower, upper, ratio`` (ours over print), ``inside``, and ``reason``
        why it is not comparable ("" where it is).
    verdict : "agrees", "differs" or "not comparable"
    level : float
        Of the intervals.
    n, n_source, inside : int
        Values that are comparable, their sources, and values inside the interval.
    probability : float
        Of so small or large a share inside where the intervals keep their level; rows of one source count once.
    ratio, lower, upper : float
        Geometric mean over sources of ours over print, with a 95 % interval (t over the sources).
    """

    rows: pd.DataFrame
    verdict: str
    level: float
    n: int
    n_source: int
    inside: int
    probability: float
    ratio: float
    lower: float
    upper: float

    @property
    def text(self) -> str:
        """Verdict with its numbers, and how many printed values are not comparable for which reason."""
        en, zh = VERDICTS[self.verdict]
        told = [tr(en, zh)]
        if self.n:
            told[0] += tr(
                f": {self.inside} of {self.n} printed values of {self.n_source} sources inside the {self.level:.0%} interval "
                f"(p = {self.probability:.2g})",
                f"：{self.n_source} 个来源的 {self.n} 个已发表值有 {self.inside} 个在 {self.level:.0%} 区间内"
                f"（p = {self.probability:.2g}）",
            )
            told.append(
                tr(f"ours over print {self.ratio:.2f}", f"本表与已发表值之比 {self.ratio:.2f}")
                + (f" ({self.lower:.2f}–{self.upper:.2f})" if np.isfinite(self.lower) else "")
            )
            if self.verdict == "not comparable":
                told.append(tr("too few to tell", "数量过少，不作判断"))
        for reason, n in self.rows.loc[self.rows["reason"] != "", "reason"].value_counts().items():
            told.append(tr(f"{n} not comparable: {reason}", f"{n} 个不可比：{reason}"))
        return "; ".join(told)


def beside(
    printed: pd.DataFrame,
    ours: pd.DataFrame,
    same: Mapping[str, str],
    own: Collection[str] = (),
    level: float = 0.95,
    by_row: bool = False,
) -> Beside:
    """Hold values beside what others printed.

    Parameters
    ----------
    printed : DataFrame
        ``value`` and ``source_id``, and the columns that ``same`` names.
    ours : DataFrame
        ``mean, q025, q975`` (the ends of the interval), and the same columns.
    same : mapping of str to str
        For each of quantity, depth, type, pool and season the column of both frames that says it; "" where the quantity has
        none (the growing stock of a stand has no season).
    own : collection of str
        Sources behind our values, with the compilations that hold them: their rows are no second witness. The file that both
        were read from is recognised by itself.
    level : float
        Of the interval.
    by_row : bool
        Whether ours are predictions row for row; else each printed value is matched to the one row of ours that is alike.

    Returns
    -------
    beside : Beside

    Raises
    ------
    DataError
        An aspect that ``same`` does not speak of, or columns that are missing.

    Examples
    --------
    >>> same = dict.fromkeys(['depth', 'pool', 'season'], '') | {'quantity': 'variable', 'type': 'species'}
    >>> printed = pd.DataFrame({'variable': 'stem', 'species': 'fir', 'value': [150.0, 180.0, 210.0, 260.0], 'source_id': list('ABCD')})
    >>> ours = pd.DataFrame({'variable': ['stem'], 'species': 'fir', 'mean': 200.0, 'q025': 100.0, 'q975': 300.0})
    >>> sl.beside(printed, ours, same).verdict
    'agrees'
    """
    _say_all(printed, ours, same)
    used, spec = [c for c in same.values() if c], _file(printed)
    rows, one_file = [], spec and spec == _file(ours)
    for place, row in enumerate(printed.to_dict("records")):
        near, reason = (ours.iloc[[place]] if by_row else ours), ""
        for aspect, column in same.items():
            if column and not reason:
                alike = near[(near[column] == row[column]).to_numpy(bool)]
                if alike.empty:
                    reason = _differs(aspect, row[column], near[column])
                near = alike if len(alike) else near
        if one_file or row["source_id"] in own:
            reason = tr("the same source", "同一来源")
        elif not reason and len(near) > 1:
            reason = tr("several values of ours are alike", "本表有多个同类值")
        mine = near.iloc[0] if not reason else dict.fromkeys(("mean", "q025", "q975"), np.nan)
        told = {"source_id": row["source_id"], "printed": row["value"]} | {c: row[c] for c in used}
        told |= {"mean": mine["mean"], "lower": mine["q025"], "upper": mine["q975"]}
        if not reason and not (np.isfinite(told["mean"]) and row["value"] > 0):
            reason = tr("no value of ours", "本表没有值")
        rows.append(told | {"reason": reason})
    columns = ["source_id", "printed", *used, "mean", "lower", "upper", "reason"]
    found = pd.DataFrame(rows, columns=list(dict.fromkeys(columns)))
    found.insert(len(found.columns) - 1, "ratio", found["mean"] / found["printed"])
    found.insert(len(found.columns) - 1, "inside", found["printed"].between(found["lower"], found["upper"]))
    return _judged(found, level)


def beside_fit(
    printed: pd.DataFrame,
    fit: FitResult,
    same: Mapping[str, str],
    own: Collection[str] = (),
    level: float = 0.95,
    **about: Any,
) -> Beside:
    """Hold what a fit tells of a new individual, row for row, beside what others printed of it.

    Parameters
    ----------
    printed : DataFrame
        ``value``, ``source_id``, the predictors of the fit and the columns that ``same`` names.
    fit : FitResult
        Of one response.
    same, own, level
        As for :func:`beside`.
    **about
        What the fit speaks of, by columns of ``same``.

    Examples
    --------
    >>> same = dict.fromkeys(['depth', 'pool', 'season'], '') | {'quantity': 'variable', 'type': 'species'}
    >>> printed = pd.DataFrame({'variable': 'stem', 'species': 'fir', 'dbh': [10.0, 20.0, 30.0], 'value': [14.0, 82.0, 215.0], 'source_id': list('ABC')})
    >>> sl.beside_fit(printed, fit, same, variable='stem', species='fir').inside
    3
    """
    response = fit.system.responses[0]
    told = fit.predict(printed, level=level, kind="individual")
    names = {response: "mean", f"{response}_lower": "q025", f"{response}_upper": "q975"}
    mine = told[[*names]].rename(columns=names).assign(**about)
    return beside(printed, mine, same, own, level, by_row=True)


def _say_all(printed, ours, same) -> None:
    """Refuse a comparison that leaves an aspect unsaid or lacks a column."""
    unsaid = [aspect for aspect in ASPECTS if aspect not in same]
    asked = {c for c in same.values() if c}
    absent = [f"printed: {c}" for c in sorted((asked | {"value", "source_id"}) - set(printed))]
    absent += [f"ours: {c}" for c in sorted((asked | {"mean", "q025", "q975"}) - set(ours))]
    if unsaid or absent:
        raise DataError(
            f"beside print: nothing said of {', '.join(unsaid) or '–'}; columns missing: {', '.join(absent) or '–'}; "
            "name for each of quantity, depth, type, pool and season the column of both that says it, or give ''",
            f"与已发表值比较：未说明 {'、'.join(ASPECTS[a][1] for a in unsaid) or '无'}；缺列：{'、'.join(absent) or '无'}；"
            "请就量、深度、类型、碳库、季节逐一给出两者共有的列，不适用时给 ''",
        )


def _file(frame) -> str:
    """The file that a frame was read from, as far as it says."""
    return str((frame.attrs.get("source") or {}).get("spec") or "")


def _differs(aspect, wanted, others) -> str:
    en, zh = ASPECTS[aspect]
    if pd.isna(wanted) or wanted == "":
        return tr(f"{en} not said in print", f"未说明{zh}")
    levels = (f"{x:g}" if isinstance(x, float) else vocabulary.level_label(str(x)) for x in (wanted, *others))
    said, *rest = dict.fromkeys(levels)
    known = ", ".join(rest)
    return tr(f"another {en} ({said} in print, {known} here)", f"{zh}不同（已发表 {said}，本表 {known}）")


def _judged(rows, level) -> Beside:
    rules, fit = rule_values("comparison"), rows[rows["reason"] == ""]
    n, sources = len(fit), fit["source_id"].nunique()
    inside = int(fit["inside"].sum())
    empty = {"probability": np.nan, "ratio": np.nan, "lower": np.nan, "upper": np.nan}
    if not n:
        return Beside(rows, "not comparable", level, 0, 0, 0, **empty)
    # Rows of one source are alike: they are one trial each, not one a row.
    share = fit.groupby("source_id")["inside"].mean().mean()
    probability = float(binomtest(round(share * sources), sources, level).pvalue)
    logs = np.log(fit["ratio"]).groupby(fit["source_id"]).mean()
    half = t.ppf(0.975, sources - 1) * logs.std(ddof=1) / np.sqrt(sources) if sources > 1 else np.nan
    ratio, low, high = (float(np.exp(logs.mean() + x)) for x in (0.0, -half, half))
    verdict = "not comparable"
    if n >= rules["fewest"] and sources > 1:
        apart = probability < rules["probability"] or not low <= 1 <= high
        verdict = "differs" if apart else "agrees"
    return Beside(rows, verdict, level, n, sources, inside, probability, ratio, low, high)
