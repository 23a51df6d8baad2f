"""A fit as text that a person would want to read: what was found, how sure it is, whether it makes sense."""

import numpy as np
import pandas as pd

from sinklab.equations.parse import Name, Sum
from sinklab.language import number, table, tr
from sinklab.results import indices, prediction
from sinklab.results.fit_result import FitResult

#: Groups shown of a long list: those that borrow most.
SHOWN = 12
#: Trees or groups shown of a long list: those that pull most.
SCRUTINY_SHOWN = 10


def fit_report(fit: FitResult) -> str:
    """Equations with numbers, parameters, residuals, indices with their formulas, range, warnings."""
    parts = [_head, _equations, _parameters, _residuals, _correlation, _random]
    parts += [sampling_report] if fit.method == "bayes" else []
    blocks = [_told(part, fit) for part in (*parts, _indices, _ranges, shape_report, _warnings)]
    return "\n\n".join(block for block in blocks if block)


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
    return "\n".join(f"{tr('Note', '注意')}: {w}" for w in fit.warnings)


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
    found: dict[tuple[str, str], tuple] = {}
    for group in prediction.groups_of(fit):
        name = ", ".join(f"{column} = {level}" for column, level in group.items())
        for check, response, good in _shape(fit, fit.means(fit.columns(path.assign(**group)))):
            if found.get((check, response), (True,))[0]:
                told = (True, np.nan, "") if good.all() else (False, float(x[np.argmin(good)]), name)
                found[check, response] = told
    rows = [(*key, *told) for key, told in found.items()]
    return pd.DataFrame(rows, columns=["check", "response", "passed", "first_failure", "group"])


def _shape(fit, mean):
    """Checks of the means along a path: check, response, and where it holds."""
    for response in fit.system.responses:
        yield "positive", response, mean[response] > 0
        if response in fit.system.free or _is_sum(fit.system, response):
            yield "growing", response, np.append(True, np.diff(mean[response]) >= 0)
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
