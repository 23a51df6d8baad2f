"""What stands at the head of every exported file: which table, how far it may be trusted, in what units."""

from sinklab import vocabulary
from sinklab.language import tr


def heading(table) -> str:
    """Plain text: title, reference, status, equations, predictors and responses with units and ranges."""
    lines = [f"{one_line(table.title)} · {one_line(table.title_zh)}", f"{table.ref} · {table.status}"]
    if table.status == "demonstration":
        lines.append(
            tr(
                "DEMONSTRATION: made from simulated data; the numbers must not be used.",
                "演示：由模拟数据得出，数值不得用于实际计量。",
            )
        )
    for source in table.sources:
        lines.append(tr("Source: ", "来源：") + one_line(source.get("citation") or source["title"]))
    if any(model.method == "bayes" for model in table.models):
        lines.append(
            tr(
                "Intervals by linearisation; sinklab itself takes quantiles of the joint draws.",
                "区间由线性化求得；sinklab 本身采用联合抽样的分位数。",
            )
        )
    for key, model in zip(_keys(table), table.models, strict=True):
        lines += ["", f"{key}: {model.method}", *(f"  {e}" for e in model.system.text.splitlines())]
        lines += [f"  {described(x)}: {low:g}–{high:g}" for x, (low, high) in model.ranges.items()]
        lines += [f"  {described(r)}" for r in model.system.responses]
    lines += ["", tr("Made by sinklab; do not edit.", "由 sinklab 生成，请勿手改。")]
    return "\n".join(lines) + "\n"


def _keys(table):
    return [one_line(key) for key in table.frames["models"]["model_id"]] if table.models else []


def one_line(text) -> str:
    """Text without line ends and control characters, so that it stays inside a comment."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def described(name: str, lang: str | None = None) -> str:
    """A column with its meaning and unit: ``dbh: diameter at breast height, cm``."""
    known = vocabulary.variables().get(name)
    if known is None:
        return name
    unit = "" if known.unit in ("", "1") else f", {known.unit}"
    return f"{name} ({vocabulary.label(name, lang)}{unit})"


def group_keys(models) -> dict[str, str]:
    """Model id by group level, and by the Chinese name of the level where it has one."""
    found = dict(zip(map(str, models["label_zh"]), models["model_id"], strict=True))
    return found | dict(zip(map(str, models["group_level"]), models["model_id"], strict=True))
