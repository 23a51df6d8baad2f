"""What a reviewer should look at first: sentences from what was found."""

from sinklab.drafts import markdown

#: Probability below which a test is called significant here.
SMALL = 0.01


def shape(model, writer) -> str:
    """Whether the model behaves like plants over its range."""
    say = writer.say
    if model.shape is None:
        return ""
    failed = model.shape[~model.shape["passed"]]
    if not len(failed):
        return say(
            f"All {len(model.shape)} checks of shape hold over the fitted range: positive, growing with size, no part larger than its whole.",
            f"在拟合范围内，{len(model.shape)} 项形状检查（取值为正、随大小递增、分量不大于总量）全部通过。",
        )
    told = [
        f"{writer.name(r['response'])} ({markdown.escape(r['check'])}, {r['first_failure']:.3g})"
        for r in failed.to_dict("records")
    ]
    return say(f"Checks of shape that fail: {', '.join(told)}.", f"未通过的形状检查：{'、'.join(told)}。")


def summary(found, writer) -> list[str]:
    """What a reviewer should look at first."""
    say, told = writer.say, []
    check = found.verification
    compared = len(check.comparisons)
    same = sum(c.agreed for c in check.comparisons)
    told.append(
        say(
            f"Recomputation: {same} of {compared} numbers agree.",
            f"重算：{compared} 个数值中 {same} 个相符。",
        )
    )
    if check.missing:
        told.append(
            say(
                f"{len(check.missing)} things could not be recomputed.",
                f"{len(check.missing)} 项无法重算。",
            )
        )
    told += _verdict_lines(found, writer)
    results = found.thresholds["result"].value_counts()
    kept, missed = int(results.get("pass", 0)), int(results.get("fail", 0))
    told.append(
        say(
            f"Thresholds: {kept} kept, {missed} missed, {int(results.get('none', 0))} rules do not apply.",
            f"限值：{kept} 项通过，{missed} 项未通过，{int(results.get('none', 0))} 条规则不适用。",
        )
    )
    for model in found.models:
        named = markdown.escape(model.key) + say(": ", "：") if len(found.models) > 1 else ""
        told += [named + line for line in _model_lines(model, writer)]
    return told


def _verdict_lines(found, writer):
    say, signed = writer.say, found.verdicts
    if not signed:
        return
    people = list(dict.fromkeys(v.reviewer for v in signed))
    trees = sum(v.decision == "exclude" for v in signed)
    yield say(
        f"Verdicts: signed by {', '.join(map(markdown.escape, people))}; {trees} trees set aside.",
        f"审查结论：{'、'.join(map(markdown.escape, people))}已签署；剔除样木 {trees} 株。",
    )
    if found.stale:
        yield say(
            f"{len(found.stale)} verdicts were given on other data than the table is made from now.",
            f"有 {len(found.stale)} 条结论针对的不是本表现用数据。",
        )


def _model_lines(model, writer):
    say = writer.say
    if model.fit is None:
        yield say("not refitted; see its notes.", "未重新拟合，见说明。")
        return
    biased = int(model.by_size["biased"].sum())
    yield say(
        f"{biased} of {len(model.by_size)} classes of size are biased at 5 %.",
        f"{len(model.by_size)} 个径级中 {biased} 个在 5% 水平上有偏。",
    )
    ellipse = [r for r, row in model.bias.iterrows() if row["p_ellipse"] < SMALL]
    if ellipse:
        yield say("the ellipse test rejects: ", "椭圆检验不通过：") + _named(ellipse, writer)
    uneven = [r for r, row in model.residuals.iterrows() if row["p_spread"] < SMALL]
    if uneven:
        yield say("the variance function does not fit: ", "方差函数不合适：") + _named(uneven, writer)
    if model.by_site is not None:
        row = model.by_site.loc[model.by_site["worst_TRE"].abs().idxmax()]
        yield say(
            f"left out, site {markdown.escape(row['worst'])} has a total relative error of {row['worst_TRE']:.1f} %.",
            f"剔除后预测，地点{markdown.escape(row['worst'])}的总相对误差为 {row['worst_TRE']:.1f}%。",
        )
    if model.published is not None and len(model.published):
        outside = int((model.published["inside"] < 0.5).sum())
        yield say(
            f"{outside} of {len(model.published)} published equations lie outside the interval of a tree over half of the shared range.",
            f"{len(model.published)} 个已发表方程中，{outside} 个在一半以上共同范围内落在单株区间之外。",
        )


def _named(responses, writer) -> str:
    return writer.say(", ", "、").join(writer.name(r) for r in responses)
