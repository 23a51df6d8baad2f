"""A fit as text that a person would want to read: what was found, how sure it is, whether it makes sense."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.data import vocabulary
from sinklab.data.checks import far_off
from sinklab.data.files import rule_values
from sinklab.equations.parse import Name, Sum
from sinklab.language import SetTable, first_rows, number, table, tr
from sinklab.results import indices, prediction
from sinklab.results.calibration import between_populations, pedigree, per_hectare, population_rule
from sinklab.results.fit_result import FitResult

#: Groups shown of a long list: those that borrow most.
SHOWN = 12
#: Fewer clusters than this are called few.
FEW = 10
#: Trees or groups shown of a long list: those that pull most.
SCRUTINY_SHOWN = 10
#: Parameters that a notebook shows.
SHOWN_HTML = 40


@vocabulary.in_its_words
def fit_report(fit: FitResult) -> str:
    """Equations with numbers, parameters, residuals, indices with their formulas, range, warnings."""
    parts = [_head, _equations, _parameters, _residuals, _correlation, _random]
    parts += [sampling_report] if fit.method == "bayes" else []
    parts += [_between, _indices, _verdicts, _ranges, shape_report, _warnings, population_sentence]
    blocks = [_told(part, fit) for part in parts]
    return "\n\n".join(block for block in blocks if block)


def population_sentence(fit: FitResult) -> str:
    """One sentence: whom the numbers of a result speak for, how its places were chosen, their sizes, and how well this is told."""
    cluster = fit.certificate.cluster or {}
    column = vocabulary.label(cluster.get("column") or (fit.random.column if fit.random else ""))
    if "calibrated_with" in fit.source:
        n = fit.source["calibrated_with"]
        return tr(
            f"the numbers speak for the place of the {n} records of the calibration",
            f"数值代表校准所用 {n} 条记录的所在地",
        )
    score, rows = pedigree(fit.source.get("population"))
    n = f"{cluster['n']} " if cluster.get("n") else ""
    where = fit.source.get("where") or {}
    region = ", ".join(str(where[k]) for k in ("country", "region", "province") if k in where)
    known = vocabulary.variables()
    sizes = tr(", ", "，").join(
        f"{vocabulary.label(x)} {low:.4g}–{high:.4g} {vocabulary.units_symbol(known[x].unit) if x in known else ''}".strip()
        for x, (low, high) in fit.ranges.items()
    )
    chosen = rows["selection"]
    whom = (
        (f"a new place like the {n}sampled ({column})", f"与所抽 {n}个{column}同类的新地点")
        if column
        else ("individuals like those measured", "与所测个体同类者")
    )
    return tr(
        f"the numbers speak for {whom[0]}{f' in {region}' if region else ''}, {chosen['meaning_en']}"
        f"{f'; {sizes}' if sizes else ''}; pedigree {score:.2f} of 1; calibrate where places differ",
        f"数值代表{whom[1]}（{f'{region}；' if region else ''}{chosen['meaning_zh']}{f'；{sizes}' if sizes else ''}；"
        f"来源评分 {score:.2f}，满分 1）；条件不同者先用本地样地校准",
    )


def values_sentence(
    values: pd.DataFrame, origins: Sequence[Mapping[str, Any]], with_score: bool = True
) -> str:
    """One sentence: whom scalar values speak for, how their places were chosen, how well this is told, and how much wider a region is.

    Parameters
    ----------
    values : DataFrame
        Rows of ``values.csv``: ``variable``, ``n_study``.
    origins : sequence of mapping
        What the values were made from, each with its ``population``; the one that is told worst counts.
    with_score : bool
        The pedigree too, which is a word of this workbench and has no place in the text of a standard.
    """
    told = [o.get("population") or {} for o in origins] or [{}]
    worst = min(told, key=lambda population: pedigree(population)[0])
    score, rows = pedigree(worst)
    n = pd.to_numeric(values.get("n_study", pd.Series(dtype=float)), errors="coerce").max()
    of = (
        (f"those of {n:.0f} studies or fewer", f"所汇总的至多 {n:.0f} 项研究的地点")
        if n > 1
        else ("those measured", "所测地点")
    )
    chosen = rows["selection"]
    variables = [v for v in values.get("variable", pd.Series(dtype=str)).unique() if isinstance(v, str)]
    wider = max((between_populations((), v, worst)[0] for v in variables), default=0.0)
    factor = np.exp(stats.norm.ppf(0.975) * np.sqrt(wider))
    scored = (f"; pedigree {score:.2f} of 1", f"；来源评分 {score:.2f}，满分 1") if with_score else ("", "")
    return tr(
        f"the values describe unmeasured places like {of[0]} ({chosen['meaning_en']}{scored[0]}"
        + (f"; stands of a region may hold up to {factor:.1f} times more or less, 95 %" if wider else "")
        + ")",
        f"取值代表与{of[1]}同类的新地点（{chosen['meaning_zh']}{scored[1]}"
        + (f"；用于区域林分时可再差至 {factor:.1f} 倍，95 %" if wider else "")
        + "）",
    )


def speaks_for(fit: FitResult, stands: pd.DataFrame | None = None) -> list[str]:
    """Whom the numbers of a result speak for, and what is wrong with them elsewhere: a sentence each.

    ``stands`` are those it is applied to: their stems per hectare, and heights at their diameters, where told, are held against
    those of the plots. Once calibrated a result speaks for the place alone. A table
    of mass or stock per hectare by age alone holds for stands as dense as its own: research plots carry about twice the stems
    of inventory plots of the same age.
    """
    lines = [population_sentence(fit)]
    per_hectare = [r for r in fit.system.responses if r.endswith("_density") or r == "growing_stock"]
    if per_hectare and set(fit.system.predictors) == {"age"} and "calibrated_with" not in fit.source:
        lines.append(
            tr(
                f"{', '.join(per_hectare)} by age alone hold for stands as dense as those of the table; research plots carry about twice the "
                "stems of an inventory. Take a table by basal area and height or by mean diameter and stem density, or calibrate",
                f"{'、'.join(per_hectare)} 仅以林龄为自变量，只适用于与建表样地同密度的林分（研究样地株数约为清查样地的两倍）；"
                "请改用含断面积与平均高、或平均胸径与株数密度的参数表，或先校准",
            )
        )
    if stands is not None and "calibrated_with" not in fit.source:
        lines += [*_other_stocking(fit, stands), *_other_heights(fit, stands), *_no_heights(fit, stands)]
    return lines


def _no_heights(fit, stands) -> list[str]:
    """What is said where neither stands nor a table by mean diameter and stems tell heights, in which inventories differ."""
    if set(fit.system.predictors) != {"dbh", "stem_density"} or "height" in stands:
        return []
    chosen = pedigree(fit.source.get("population"))[1]["selection"]
    rules = [
        population_rule(x, "growing_stock")
        for x in (fit.system.predictors, (*fit.system.predictors, "height"))
    ]
    if chosen["level"] in ("", "inventory") or not any(map(per_hectare, fit.system.free)) or None in rules:
        return []
    here, there = (100 * np.expm1(-r["shift"]) for r in rules)
    return [
        tr(
            f"the table needs calibration here: neither these stands nor it tell heights. By mean diameter and stem density alone, "
            f"research plots gave an inventory of lower stands {here:.0f} % too much, with heights {there:.0f} %; the interval allows "
            "for it. Measure heights and take a table that holds them, or calibrate with thirty plots",
            f"参数表用于此处须先校准：这些林分与参数表均无树高。仅按平均胸径与株数密度时，研究样地的模型对一套（林分较矮的）清查资料"
            f"偏高 {here:.0f} %，含平均高时 {there:.0f} %；区间已计入。请测平均高并改用含树高的参数表，或用 30 块样地校准",
        )
    ]


def _other_stocking(fit, stands) -> list[str]:
    """What is said where stands have other stems per hectare than the plots of a table that does not ask for them."""
    told, rule = fit.source.get("stocking"), rule_values("data_checks")
    trees = pd.to_numeric(stands.get("stem_density", pd.Series(dtype=float)), errors="coerce").dropna()
    if not told or trees.empty:
        return []
    low, middle, high = told
    here, outside = float(trees.median()), float((~trees.between(low, high)).mean())
    denser, strange = rule["stocking_factor"], rule["stocking_outside"]
    if low <= here <= high and outside <= strange and 1 / denser <= here / middle <= denser:
        return []
    return [
        tr(
            f"these stands have {here:.0f} stems per hectare (median), the plots of the table {middle:.0f} (from {low:.0f} to "
            f"{high:.0f}), and it does not ask for them: mass is off by about as much; calibrate, or take a table by stem density",
            f"这些林分每公顷 {here:.0f} 株（中位数），建表样地 {middle:.0f} 株（{low:.0f}～{high:.0f}），而参数表不含株数密度，"
            "结果偏差大致相当；请校准，或改用含株数密度的参数表",
        )
    ]


def _other_heights(fit, stands) -> list[str]:
    """What is said where stands are lower or higher at one mean diameter than the plots of a table that asks for no height."""
    told = fit.source.get("heights")
    if not told or not {"dbh", "height"} <= set(stands):
        return []
    sizes = stands[["dbh", "height"]].apply(pd.to_numeric, errors="coerce").where(lambda d: d > 0).dropna()
    level, slope, low, high = told
    ratio = sizes["height"] / np.exp(level + slope * np.log(sizes["dbh"]))
    off = float(ratio.median()) - 1 if len(ratio) else 0.0
    if abs(off) <= rule_values("data_checks")["height_share"]:
        return []
    side, word = ("lower", "低") if off < 0 else ("higher", "高")
    return [
        tr(
            f"these stands are {100 * abs(off):.0f} % {side} at equal mean diameter than the plots of the table (most of those from "
            f"{100 * low:.0f} to {100 * high:.0f} % of their line), and it does not ask for heights: stock and mass are off by about "
            "as much; calibrate, or take a table by basal area and height",
            f"同一平均胸径下，这些林分比建表样地{word} {100 * abs(off):.0f} %（建表样地多为其曲线的 {100 * low:.0f}～{100 * high:.0f} %），"
            "而参数表不含树高，蓄积量与生物量偏差大致相当；请校准，或改用含断面积与平均高的参数表",
        )
    ]


def brief(fit: FitResult) -> str:
    """A fit in at most twelve lines: state, equations, how good, what is against it."""
    shown = [f"  {e}" for e in fit.system.equations[:5]]
    more = len(fit.system.equations) - len(shown)
    shown += [tr(f"  and {more} more equations", f"  另有 {more} 个方程")] if more else []
    told = fit.index_table
    wanted = [c for c in ("R2", "TRE", "MPE") if c in told]
    good = [
        f"{response}: " + ", ".join(f"{c} {number(row[c], 3)}" for c in wanted)
        for response, row in told.iterrows()
    ]
    failed = [v for v in verdicts(fit) if not v["passed"]]
    against = tr(
        f"against it: {len(failed)} verdicts, {len(fit.warnings)} notes",
        f"判定不通过 {len(failed)} 项，注意 {len(fit.warnings)} 条",
    )
    return "\n".join([_head(fit), *shown, "; ".join(good), _ranges(fit), against])


@vocabulary.in_its_words
def as_set_table(fit: FitResult) -> SetTable:
    """A fit as a notebook shows it: parameters and indices as set tables in the reader's language."""
    level = f"{100 * fit.level:g} %"
    header = [
        "",
        tr("value", "估计值"),
        tr("std. error", "标准误"),
        tr(f"lower {level}", f"{level} 下限"),
        tr(f"upper {level}", f"{level} 上限"),
    ]
    columns = fit.parameters[["value", "se", "lower", "upper"]].to_numpy(float)
    rows = [[name, *(number(v, 4) for v in row)] for name, row in zip(fit.labels, columns, strict=True)]
    shown = [c for c in fit.index_table if c in ("n", "R2", "SEE", "TRE", "ASE", "MPE", "MPSE")]
    told = [
        [vocabulary.label(response), *(number(row[c], 4) for c in shown)]
        for response, row in fit.index_table.iterrows()
    ]
    state, *counts = _head(fit).splitlines()
    notes = [_verdicts(fit), _ranges(fit), _warnings(fit)]
    return SetTable(
        state,
        *counts,
        "\n".join(str(e) for e in fit.system.equations),
        *first_rows(SHOWN_HTML, tr("Parameters", "参数"), header, rows),
        (tr("Indices", "评价指标"), ["", *map(indices.index_head, shown)], told),
        *filter(None, notes),
    )


def _told(part, fit) -> str:
    """A block of the report; one that cannot be told says why, and the fit stands without it."""
    try:
        return part(fit)
    except Exception as error:  # noqa: BLE001 - what a report trips over is no reason to lose a fit
        name = part.__name__.strip("_").replace("_", " ")
        return tr(f"Note: not reported: {name} ({error})", f"注意：未能报告：{name}（{error}）")


def _head(fit) -> str:
    state = tr("converged", "已收敛") if fit.converged else tr("NOT CONVERGED", "未收敛")
    counts = ", ".join(f"{r} {n}" for r, n in fit.n.items())
    title = f"{fit.label}  " if fit.label else ""
    line = f"{title}{fit.method} · {state} · ln L = {fit.loglik:.4f}"
    return f"{line}\n{tr('trees', '样本数')}: {counts}"


def _equations(fit) -> str:
    return tr("Equations", "方程") + "\n" + "\n".join(f"  {e}" for e in fit.system.equations)


def _parameters(fit) -> str:
    level = f"{100 * fit.level:g} %"
    header = [
        tr("parameter", "参数"),
        tr("value", "估计值"),
        tr("std. error", "标准误"),
        tr(f"lower {level}", f"{level} 下限"),
        tr(f"upper {level}", f"{level} 上限"),
    ]
    rows = zip(fit.labels, *(fit.parameters[c] for c in ("value", "se", "lower", "upper")), strict=True)
    told, kind = fit.certificate.bootstrap, tr("Wald intervals, Student t", "Wald 区间，t 分布")
    if fit.between is not None and fit.random is None:
        column = vocabulary.label(fit.between.column)
        kind += tr(f", clusters of {column}", f"，按{column}聚群")
    if fit.method == "bayes":
        kind = tr("posterior, equal tails", "后验分布，等尾区间")
    elif told:
        kind = tr(
            f"{told['interval']} intervals of {told['n']} {told['kind']} bootstrap refits, {told['n_failed']} failed",
            f"自助法 {told['kind']} {told['n']} 次，{told['interval']} 区间，失败 {told['n_failed']} 次",
        )
    return f"{tr('Parameters', '参数')} ({kind})\n{table(header, list(rows))}"


def _residuals(fit) -> str:
    lines = [tr("Residual variance", "残差方差函数")]
    for response, model in fit.residual.items():
        exponent = "" if model.fixed else tr("  (exponent estimated)", "（指数为估计值）")
        factor = fit.correction[response]
        correction = ""
        if fit.correction_kind != "none":
            correction = tr(
                f"  correction {fit.correction_kind} × {factor:.6g}",
                f"  校正 {fit.correction_kind} × {factor:.6g}",
            )
        lines.append(f"  {response}: {model.text}{exponent}{correction}")
    return "\n".join(lines)


def _correlation(fit) -> str:
    if len(fit.correlation) < 2:
        return ""
    names = list(fit.correlation.columns)
    rows = [[r, *(number(v, 3) for v in fit.correlation.loc[r])] for r in names]
    return f"{tr('Residual correlation', '残差相关')}\n{table(['', *names], rows)}"


def _random(fit) -> str:
    if fit.random is None:
        return ""
    names, covariance = fit.random.names, fit.random.covariance.to_numpy()
    spread = covariance.diagonal() ** 0.5
    rows = []
    for i, name in enumerate(names):
        correlations = [covariance[i, j] / (spread[i] * spread[j]) for j in range(len(names))]
        way = "× exp(u)" if name in fit.random.multiplies else "+ u"
        rows.append([name, way, float(spread[i]), *(number(c, 3) for c in correlations)])
    header = [tr("parameter", "参数"), tr("deviation", "偏离"), tr("sd", "标准差"), *names]
    count = 0 if fit.random.effects is None else len(fit.random.effects)
    of = tr(f", {count} groups", f"，{count} 组") if count else ""
    title = tr("Between groups of", "组间变异，分组列") + f" {fit.random.column}{of}"
    return f"{title}\n{table(header, rows)}"


def _between(fit) -> str:
    """Spread between the sites that were sampled, and how far a new site may lie from the equation."""
    found = fit.between
    if found is None:
        return ""
    title = tr(
        f"Between {found.n} levels of {vocabulary.label(found.column)}: factors of whole sites, as per cent",
        f"{vocabulary.label(found.column)}（{found.n} 个）间变异：样点整体因子，%",
    )
    header = [tr("response", "因变量"), tr("sd", "标准差"), tr("std. error", "标准误"), tr("mean", "均值")]
    header += [
        tr(f"new site, {100 * fit.level:g} %", f"新样点 {100 * fit.level:g} % 区间"),
        tr("trees of one site, sd", "样点内标准差"),
    ]
    quantile, rows = stats.t.ppf(0.5 + fit.level / 2, max(found.n - 1, 1)), []
    for name in found.names:
        variance, centre = float(found.spread.loc[name, name]), float(found.centre[name])
        sd, within = np.sqrt(variance), np.sqrt(found.within.loc[name, name])
        ends = 100 * np.expm1(centre + quantile * sd * np.array([-1, 1]))
        se = found.se[name] / (2 * sd) if sd > 0 else float("nan")
        span = f"{ends[0]:+.1f} … {ends[1]:+.1f}"
        rows.append(
            [
                name,
                number(100 * sd, 3),
                number(100 * se, 2),
                f"{100 * np.expm1(centre):+.1f}",
                span,
                number(100 * within, 3),
            ]
        )
    return f"{title}\n{table(header, rows)}"


def _verdicts(fit) -> str:
    """What the fit fails, in words; and how many thresholds it keeps."""
    found = verdicts(fit)
    failed = [v for v in found if not v["passed"]]
    lines = [tr(v["message_en"], v["message_zh"]) for v in failed]
    kept = sum(v["kind"] == "threshold" and v["passed"] for v in found)
    held = sum(v["kind"] == "threshold" for v in found)
    title = tr(f"Verdicts: {kept} of {held} thresholds kept", f"判定：{held} 项阈值中有 {kept} 项满足")
    own = tr(
        "  (indices of the trees of the fit say little of other sites; --validate leave:COL does)",
        "  （拟合样木的指标难以说明其他样点；请用 --validate leave:列名）",
    )
    return "\n".join([title + own, *(f"  ✗ {line}" for line in lines)])


def verdicts(fit: FitResult) -> list[dict]:
    """What can be said against a fit, and what for it.

    Returns
    -------
    verdicts : list of dict
        ``kind`` (threshold, worse_than_mean, missed, intercept, simpler, family, gross_errors), ``response``, ``name`` (of the rule,
        parameter or family),
        ``passed``, ``value``, ``threshold``, ``message_en``, ``message_zh``.
    """
    found = []
    for response, row in fit.index_table.iterrows():
        r2 = float(row.get("R2", np.nan))
        if r2 < 0:
            en = f"{response}: R2 = {r2:.3f}, worse than the mean of the observations; use another form or variance"
            zh = f"{response}：R2 = {r2:.3f}，不如观测均值；请换方程形式或方差函数"
            found.append(_verdict("worse_than_mean", response, "R2", False, r2, 0.0, en, zh))
        for rule in indices.rules():
            if rule.systems or not rule.applies(response, "") or rule.quantity not in row:
                continue
            value = float(row[rule.quantity])
            told = f"{response}: {rule.quantity} = {value:.4g}{rule.unit if rule.unit != '1' else ''}; "
            bound = partial(indices.bound, rule.comparison, rule.threshold)
            zh = f"{told}要求 {bound('zh')}（{rule.source.replace(indices.UNSEEN, '，未见原文')}）"
            en = f"{told}wanted {bound('en')} ({rule.source})"
            found.append(
                _verdict("threshold", response, rule.rule_id, rule.met(value), value, rule.threshold, en, zh)
            )
    return found + _missed(fit) + _needless(fit) + _families(fit) + _gross(fit)


def _missed(fit) -> list[dict]:
    """The smallest or largest third of the records where a curve passes them by: sums may agree where the form does not."""
    found, rule = [], rule_values("data_checks")
    parts = fit.fitted().groupby("response", sort=False) if fit.data is not None else ()
    for response, part in parts:
        part = part[part["predicted"] > 0].sort_values("predicted")
        n = len(part) // 3
        for en, zh, third in (("smallest", "最小", part[:n]), ("largest", "最大", part[len(part) - n :])):
            off = third["observed"] - third["predicted"]
            relative, total = off / third["predicted"], 100 * off.sum() / third["predicted"].sum()
            told_apart = abs(relative.mean()) > rule["third_se"] * relative.std() / np.sqrt(max(n, 1))
            if n < rule["third_least"] or abs(total) < rule["third_error"] or not told_apart:
                continue
            from_, to = third["observed"].min(), third["observed"].max()
            en = f"{response}: the curve misses the {en} third ({n} records, {from_:.4g}–{to:.4g}): {total:+.1f} % in total"
            zh = f"{response}：曲线偏离{zh}的三分之一（{n} 条记录，{from_:.4g}～{to:.4g}）：合计偏差 {total:+.1f}%"
            en, zh = f"{en}; try another form", f"{zh}；请换方程形式"
            found.append(_verdict("missed", response, "third", False, total, rule["third_error"], en, zh))
    return found


#: How the option ``variance`` names the families of residuals, and their names in two languages.
FAMILIES = {
    "normal": ("power:mean", "normal", "正态"),
    "lognormal": ("lognormal", "lognormal", "对数正态"),
    "gamma": ("gamma", "gamma", "gamma"),
    "t": ("t", "Student t", "t 分布"),
}


def _pairs(fit) -> dict[str, pd.DataFrame]:
    """Observed and predicted values of each free response that is above zero everywhere, by record."""
    if fit.data is None:
        return {}
    parts = dict(iter(fit.fitted().groupby("response", sort=False)))
    parts = {r: part for r, part in parts.items() if r in fit.residual}
    return {r: part for r, part in parts.items() if (part[["observed", "predicted"]] > 0).all(axis=None)}


def _families(fit) -> list[dict]:
    """Families of residuals that are far ahead of the one that was fitted, by AIC on the scale of the response."""
    found, ahead = [], rule_values("data_checks")["family_ahead"]
    for response, part in _pairs(fit).items() if fit.method in ("wls", "nsur", "ols-log") else ():
        own = float(fit.index_table.loc[response].get("AIC", np.nan))
        count = fit.layout.count(fit.system.own_parameters[response])
        factor = bool(set(fit.system.own_parameters[response]) & fit.system.factors)
        told = indices.families(part["observed"].to_numpy(), part["predicted"].to_numpy(), count, factor)
        told.pop(fit.residual[response].variance.family, None)
        best = min(told, key=lambda name: told[name])
        if not own - told[best] > ahead:
            continue
        option, english, chinese = FAMILIES[best]
        # Simultaneous equations share the tails of Student's t.
        if len(fit.residual) > 1 and not (best == "t" and fit.method == "nsur"):
            option = f"{response}={option}"
        en = f"{response}: {english} residuals are far ahead: AIC {told[best]:.1f} or less, {own:.1f} as fitted"
        zh = f"{response}：{chinese}残差明显更优：AIC 不高于 {told[best]:.1f}，当前为 {own:.1f}"
        en, zh = f"{en}; use --variance {option}", f"{zh}；请用 --variance {option}"
        found.append(_verdict("family", response, best, False, own - told[best], ahead, en, zh))
    return found


def gross_errors(fit: FitResult) -> pd.DataFrame:
    """Records of a fit that are far off what their size says: gross errors, until they are shown to be none.

    A surface in the logarithms of prediction and predictors is laid through all records so that a few do not pull it away;
    ``mass_scale`` and ``mass_ratio`` of ``data/rules/data_checks.csv`` say what is far.

    Returns
    -------
    records : DataFrame, index of the data
        ``response, observed, expected``; ``share`` of the records of the response that are far off.
    """
    rows = []
    for part in _pairs(fit).values():
        logs, size = np.log(part["observed"] / part["predicted"]).to_numpy(), np.log(part["predicted"])
        used = fit.data.loc[part.index, list(fit.system.predictors[1:])].astype(float)
        used = np.log(used.loc[:, (used > 0).all()])
        about = (size - size.mean()).to_numpy()
        surface = np.column_stack([np.ones(len(about)), about, about**2, used - used.mean()])
        far, residual = far_off(surface, logs)
        told = part[far].assign(expected=part["observed"] / np.exp(residual), share=far.mean())
        rows.append(told[["response", "observed", "expected", "share"]])
    return pd.concat(rows) if rows else pd.DataFrame(columns=["response", "observed", "expected", "share"])


def _gross(fit) -> list[dict]:
    found = []
    for response, part in gross_errors(fit).groupby("response", sort=False):
        shown = [
            f"{i + 1} ({row['observed']:.4g}; {row['expected']:.4g})"
            for i, row in part.head(SCRUTINY_SHOWN).iterrows()
        ]
        records = ", ".join(shown) + (", …" if len(part) > len(shown) else "")
        en = f"{response}: {len(part)} records far off what their size says (observed; expected): {records}"
        zh = f"{response}：{len(part)} 条记录远离其大小所示（实测；期望）：{records}"
        en = f"{en}; compare with the source: units, decimal points, digits; --variance t is hardly moved by them"
        zh = f"{zh}；请与原始记录核对单位、小数点与数字；--variance t 几乎不受其影响"
        found.append(_verdict("gross_errors", response, response, False, part["share"].iloc[0], 0.0, en, zh))
    return found


def _verdict(kind, response, name, passed, value, threshold, en, zh) -> dict:
    value = None if not np.isfinite(value) else float(value)
    told = {"kind": kind, "response": response, "name": name, "passed": bool(passed), "value": value}
    return told | {"threshold": threshold, "message_en": en, "message_zh": zh}


def _needless(fit) -> list[dict]:
    """Parameters that are not told from nought: intercepts, and others without which an equation is simpler.

    An intercept moves the mean by itself. Factors of whole products, random and grouped parameters are left out: they
    cannot be nought, or their groups say more.
    """
    if fit.data is None:
        return []
    found, used = [], fit.data.head(50)
    frame, owner = fit.columns(used), {p: r for r in fit.system.free for p in fit.system.own_parameters[r]}
    slope = fit.layout.at(frame, tuple(fit.system.free), len(used)).mean_and_jacobian(fit.values)[1]
    factors = set(fit.system.leading)
    for place, row in enumerate(fit.parameters.to_dict("records")):
        name, response = row["name"], owner[row["name"]]
        if not row["lower"] <= 0 <= row["upper"] or row["group"] or name in factors:
            continue
        if fit.random is not None and name in fit.random.names:
            continue
        alone = np.allclose(slope[:, fit.system.free.index(response), place], 1.0)
        span = f"{row['lower']:.3g} … {row['upper']:.3g}"
        if alone:
            en, zh = (
                f"{response}: intercept {name} is not told from 0 ({span})",
                f"{response}：截距 {name} 与 0 无显著差异（{span}）",
            )
        else:
            en, zh = (
                f"{response}: {name} is not told from 0 ({span})",
                f"{response}：{name} 与 0 无显著差异（{span}）",
            )
        en, zh = f"{en}; a simpler equation without it is as good", f"{zh}；去掉它的简化方程同样好"
        kind = "intercept" if alone else "simpler"
        found.append(_verdict(kind, response, name, False, row["value"], 0.0, en, zh))
    return found


def _indices(fit) -> str:
    frame = fit.index_table
    rows = [
        [r, *(number(v, 5) for v in values)] for r, values in zip(frame.index, frame.to_numpy(), strict=True)
    ]
    legend = [
        f"  {i}: {indices.describe(i)} = {indices.formulas()[i].plain}" for i in frame.columns if i != "n"
    ]
    key = tr(
        "  y observed, f predicted, ȳ mean of y, p parameters", "  y 实测值，f 预测值，ȳ 实测均值，p 参数个数"
    )
    body = table([tr("response", "因变量"), *frame.columns], rows)
    return f"{tr('Indices', '评价指标')}\n{body}\n" + "\n".join([*legend, key])


def _ranges(fit) -> str:
    spans = ", ".join(f"{x} {low:g}–{high:g}" for x, (low, high) in fit.ranges.items())
    return f"{tr('Fitted range', '适用范围')}: {spans}"


def _warnings(fit) -> str:
    return "\n".join(f"{tr('Note', '注意')}: {w}" for w in (*fit.warnings, *sampling_notes(fit)))


def sampling_notes(fit: FitResult) -> list[str]:
    """What a reader must know of the unit that was sampled."""
    told = fit.certificate.cluster
    if told is None or told["kind"] == "random" or (told["kind"] == "independent" and told["column"]):
        return []
    if told["column"] is None:
        return [
            tr(
                "records are taken as independent: no column of the sampled unit (site, plot_id, stand, study_id) was "
                "found or used; intervals are too narrow if the records came from a few sites",
                "各记录视为独立：未找到或未使用抽样单元列（site、plot_id、stand、study_id）；若来自少数样点，区间偏窄",
            )
        ]
    column, n = vocabulary.label(told["column"]), told["n"]
    notes = [
        tr(
            f"sampled by {column} ({n} levels): standard errors and intervals are those of clusters "
            "(cluster none takes the records as independent)",
            f"按{column}抽样（{n} 个）：标准误与区间按群计算（cluster none 则视各记录为独立）",
        )
    ]
    if n < FEW:
        notes.append(
            tr(
                f"{n} levels of {column} are few: their spread is known badly, and intervals rest on {n - 1} degrees "
                "of freedom",
                f"{column}只有 {n} 个，偏少：其间变异估计粗略，区间自由度仅 {n - 1}",
            )
        )
    return notes


# What the sampling of a Bayesian fit looked like: checks, priors, what groups borrowed.


def sampling_report(fit: FitResult) -> str:
    """Checks of the sampling, priors, and how much of each group's values was borrowed."""
    blocks = [_checks(fit), _priors(fit), _borrowed(fit)]
    return "\n\n".join(block for block in blocks if block)


def _checks(fit) -> str:
    header = [tr("check", "检查"), tr("found", "结果"), tr("wanted", "要求"), "", tr("where", "位置")]
    rows = []
    for name, check in fit.certificate.checks.items():
        wanted = f"{check['comparison']} {number(check['threshold'])}"
        rows.append([name, check["value"], wanted, "✓" if check["passed"] else "✗", check.get("worst") or ""])
    return f"{tr('Sampling', '抽样检查')}\n{table(header, rows)}"


def _priors(fit) -> str:
    priors = getattr(fit, "priors", None)
    if priors is None:
        return ""
    header = [tr("quantity", "量"), tr("prior", "先验"), tr("origin", "来源")]
    rows = priors[["name", "prior", "origin"]].to_numpy().tolist()
    return f"{tr('Priors', '先验分布')}\n{table(header, rows)}"


def _borrowed(fit) -> str:
    found = getattr(fit, "shrinkage", None)
    if found is None or found.empty:
        return ""
    title = tr(
        "Borrowed from the other groups (0 nothing, 1 everything), and the value if the prior of the spread had "
        "half or twice its scale (ln: logarithms)",
        "由其他组借得的比例（0 为无，1 为全部），以及组间标准差先验尺度减半、加倍时的取值（ln 为对数）",
    )
    most = found.sort_values("borrowed", ascending=False, kind="stable").head(SHOWN)
    header = [tr("group", "组"), tr("parameter", "参数"), "n", tr("borrowed", "借得"), tr("value", "值")]
    header += [tr("prior / 2", "先验 / 2"), tr("prior × 2", "先验 × 2")]
    name = most["name"].where(~most["name"].isin(fit.positive), "ln " + most["name"])
    shown = most.assign(name=name)[["group", "name", "n", "borrowed", "value", "narrower", "wider"]]
    rows = shown.to_numpy().tolist()
    rest = len(found) - SHOWN
    more = (
        "\n" + tr(f"  … and {rest} more that borrow less", f"  … 其余 {rest} 个借得更少") if rest > 0 else ""
    )
    return f"{title}\n{table(header, rows)}{more}"


# Whether curves are positive and grow, and parts are below wholes.


def shape_report(fit: FitResult) -> str:
    """Whether curves are positive and grow, and parts are below wholes, over the fitted range."""
    if not fit.system.predictors:
        return ""
    checks = shape_checks(fit, prediction.curve_data(fit, fit.data))
    failed = checks[~checks["passed"]]
    title = tr("Shape over the fitted range", "适用范围内的曲线形状")
    if failed.empty:
        return title + tr(": positive, growing, parts below wholes", "：均为正值，随大小递增，组分不大于总量")
    first = fit.system.predictors[0]
    kinds = {"positive": tr("not positive", "非正值"), "growing": tr("not growing", "不递增")}
    lines = []
    for row in failed.to_dict("records"):
        whole = row["check"].removeprefix("part of ")
        kind = kinds.get(row["check"], tr(f"above {whole}", f"大于 {whole}"))
        lines.append(
            f"  {row['response']}: {kind}"
            + tr(", first at ", "，始于 ")
            + ", ".join([*filter(None, [row["group"]]), f"{first} = {row['first_failure']:g}"])
        )
    return "\n".join([title, *lines])


def shape_checks(fit: FitResult, path: pd.DataFrame) -> pd.DataFrame:
    """Check positivity, growth along a path of sizes, and parts against wholes, in every group.

    Parameters
    ----------
    fit : FitResult
    path : DataFrame
        Predictors from small to large, such as :func:`sinklab.plots.curve_data` gives.

    Returns
    -------
    checks : DataFrame
        ``check, response, passed, first_failure, group``: the place on the path where it first fails, as
        the value of its first predictor, NaN where it holds; and the first group where it does.
    """
    x = path[fit.system.predictors[0]].to_numpy(float)
    # What falls along the path is held from step to step: a stand of so many stems holds more where its trees are larger.
    falling = [c for c in fit.system.predictors if path[c].iloc[-1] < path[c].iloc[0]]
    ahead = path.shift(-1).assign(**path[falling]).iloc[:-1]
    found: dict[tuple[str, str], tuple] = {}
    for group in prediction.groups_of(fit):
        name = ", ".join(f"{column} = {level}" for column, level in group.items())
        mean, larger = (fit.means(fit.columns(part.assign(**group))) for part in (path, ahead))
        for check, response, good in _shape(fit, mean, larger):
            if found.get((check, response), (True,))[0]:
                told = (True, np.nan, "") if good.all() else (False, float(x[np.argmin(good)]), name)
                found[check, response] = told
    rows = [(*key, *told) for key, told in found.items()]
    return pd.DataFrame(rows, columns=["check", "response", "passed", "first_failure", "group"])


def _shape(fit, mean, larger):
    """Checks of the means along a path, and of individuals a step larger: check, response, and where it holds."""
    for response in fit.system.responses:
        yield "positive", response, mean[response] > 0
        if response in fit.system.free or _is_sum(fit.system, response):
            yield "growing", response, np.append(True, larger[response] >= mean[response][:-1])
    for whole, parts in wholes(fit.system).items():
        for part in parts:
            yield f"part of {whole}", part, mean[part] <= mean[whole] * (1 + 1e-9)


def _is_sum(system, response) -> bool:
    right = next(e for e in system.equations if e.response == response).right
    return isinstance(right, Sum) and all(
        isinstance(term, Name) and term.name in system.responses for _, term in right.terms
    )


def wholes(system) -> dict[str, list[str]]:
    """Responses that are sums of other responses, with these parts."""
    found = {}
    for equation in system.equations:
        if _is_sum(system, equation.response):
            found[equation.response] = [term.name for sign, term in equation.right.terms if sign > 0]
    return found
