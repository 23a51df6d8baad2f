"""What the sampling of a Bayesian fit looked like, for people: checks, priors, what groups borrowed."""

from sinklab.cli.text import number, table
from sinklab.language import tr

#: Groups shown of a long list: those that borrow most.
SHOWN = 12


def sampling_report(fit) -> str:
    """Checks of the sampling, priors, and how much of each group's values was borrowed."""
    blocks = [_checks(fit), _priors(fit), _borrowed(fit)]
    return "\n\n".join(block for block in blocks if block)


def _checks(fit) -> str:
    header = [tr("check", "检查"), tr("found", "结果"), tr("wanted", "要求"), "", tr("where", "位置")]
    rows = []
    for name, check in fit.certificate["checks"].items():
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
