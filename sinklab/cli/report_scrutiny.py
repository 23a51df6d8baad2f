"""What a fit is worth beyond its indices, for people: shape, influence, rivals."""

from sinklab.cli.text import number, table
from sinklab.language import tr

#: Trees or groups shown of a long list: those that pull most.
SHOWN = 10


def shape_report(fit) -> str:
    """Whether curves are positive and grow, and parts are below wholes, over the fitted range."""
    from sinklab.assess.shape import shape_checks
    from sinklab.plots import curve_data

    checks = shape_checks(fit, curve_data(fit, fit.data))
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
            + f"{first} = {row['first_failure']:g}"
        )
    return "\n".join([title, *lines])


def influence_report(fit, group: str | None, workers: int) -> str:
    """Trees, or levels of a column, without which the estimates move most."""
    from sinklab.assess.diagnostics import influence

    found = influence(fit, group, workers)
    most = found.sort_values("cook", ascending=False, na_position="first").head(SHOWN)
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


def comparison_report(fits) -> str:
    """Candidates by AIC, or by leave-one-out when all are Bayesian."""
    from sinklab.assess.compare import compare, compare_loo

    sampled = all(fit.method == "bayes" for fit in fits.values())
    found = (compare_loo if sampled else compare)(fits)
    columns = [c for c in found.columns if c != "method"]
    rows = [
        [name, *(number(v, 6) for v in values)]
        for name, values in zip(found.index, found[columns].to_numpy(), strict=True)
    ]
    body = table([tr("candidate", "候选方程"), *columns], rows)
    lines = [
        f"  {name}: {'; '.join(str(e) for e in fit.system.equations)} · {fit.method} · {_spread(fit)}"
        for name, fit in fits.items()
    ]
    return "\n".join([tr("Candidates", "候选方程比较"), body, *lines])


def _spread(fit) -> str:
    return ", ".join(dict.fromkeys(model.spec for model in fit.residual.values()))
