"""A fit as text that a person would want to read."""

from sinklab import indices
from sinklab.cli.report_sampling import sampling_report
from sinklab.cli.report_scrutiny import shape_report
from sinklab.cli.text import number, table
from sinklab.language import tr


def fit_report(fit) -> str:
    """Equations with numbers, parameters, residuals, indices with their formulas, range, warnings."""
    blocks = [
        _head(fit),
        _equations(fit),
        _parameters(fit),
        _residuals(fit),
        _correlation(fit),
        _random(fit),
        sampling_report(fit) if fit.method == "bayes" else "",
        _indices(fit),
    ]
    blocks += [_ranges(fit), shape_report(fit), _warnings(fit)]
    return "\n\n".join(block for block in blocks if block)


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
    told = fit.certificate.get("bootstrap")
    if fit.method == "bayes":
        kind = tr("posterior, equal tails", "后验分布，等尾区间")
        return f"{tr('Parameters', '参数')} ({kind})\n{table(header, list(rows))}"
    kind = tr("Wald intervals, Student t", "Wald 区间，t 分布")
    if told:
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
        f"  {i}: {indices.describe(i)} = {indices.FORMULAS[i].plain}" for i in frame.columns if i != "n"
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


def validation_report(validation) -> str:
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
    return f"{head}\n{table([tr('response', '因变量'), *frame.columns], rows)}{failed}"
