"""Everything a reviewer's report says of a table, worked out once for both languages.

What a reviewer should look at first: sentences from what was found.
"""

from dataclasses import asdict, dataclass, replace

import pandas as pd

from sinklab.drafts import blocks
from sinklab.language import SinklabError, tr
from sinklab.review import scrutiny
from sinklab.review.desk import Verdict, file_of, read_verdicts
from sinklab.review.recompute import Inputs, refit
from sinklab.review.verification import Verification, verify
from sinklab.tables import checks
from sinklab.tables import table as tables_table
from sinklab.tables.schema import system_of
from sinklab.tables.table import Table

# --- Everything a reviewer's report says of a table, worked out once for both languages.


@dataclass(frozen=True)
class ModelFindings:
    """What was found of one model; parts that could not be worked out are None.

    ``notes`` say why, in English and Chinese. Each frame is the result of the function of :mod:`sinklab.review.scrutiny`,
    :mod:`sinklab.review.sensitivity` or :mod:`sinklab.review.published` of that name.
    """

    key: str
    fit: object | None
    residuals: pd.DataFrame | None = None
    bias: pd.DataFrame | None = None
    by_size: pd.DataFrame | None = None
    influential: pd.DataFrame | None = None
    site: str | None = None
    by_site: pd.DataFrame | None = None
    beyond: pd.DataFrame | None = None
    shape: pd.DataFrame | None = None
    published: pd.DataFrame | None = None
    sensitivity: pd.DataFrame | None = None
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TableFindings:
    """What was found of a table: its recomputation, every threshold, and each of its models."""

    table: Table
    verification: Verification
    thresholds: pd.DataFrame
    models: tuple[ModelFindings, ...]
    verdicts: tuple[Verdict, ...] = ()

    @property
    def stale(self) -> tuple[Verdict, ...]:
        """Verdicts that were given on other data than the table is made from now."""
        now = {
            k: record.source.get("fingerprint") or "" for k, record in self.table.provenance.models.items()
        }
        return tuple(v for v in self.verdicts if v.model not in now or v.data != now[v.model])

    @property
    def agreed(self) -> bool:
        """Whether the recomputation agrees and no threshold that applies is missed."""
        return self.verification.agreed and not (self.thresholds["result"] == "fail").any()

    def to_json(self) -> dict:
        """Plain types."""
        frames = (
            "residuals",
            "bias",
            "by_size",
            "influential",
            "by_site",
            "beyond",
            "shape",
            "published",
            "sensitivity",
        )
        models = []
        for model in self.models:
            told = {"key": model.key, "site": model.site, "notes": [tr(*note) for note in model.notes]}
            for name in frames:
                frame = getattr(model, name)
                told[name] = None if frame is None else frame.reset_index().astype(object).to_dict("records")
            models.append(told)
        return {
            "table": self.table.ref,
            "status": self.table.status,
            "agreed": self.agreed,
            "verification": {k: v for k, v in self.verification.to_json().items() if k != "comparisons"},
            "thresholds": self.thresholds.astype(object).to_dict("records"),
            "models": models,
            "verdicts": [asdict(v) | {"stale": v in self.stale} for v in self.verdicts],
        }


def examine(ref, root=None, data=(), site: str | None = None, verdicts=None) -> TableFindings:
    """Recompute a table and look at its models as a reviewer does.

    Parameters
    ----------
    ref : path or str
        Folder, id or ``id@version``.
    root : path, optional
        Folder of the tables; ``params/`` when left out.
    data : sequence of path
        Own data files, for tables made from plain files.
    site : str, optional
        Column of the data that names the places of the trees.
    verdicts : path, optional
        File of reviewers' verdicts; that of the table in ``reports/verdicts`` when left out.

    Returns
    -------
    findings : TableFindings

    Raises
    ------
    TableError
        No such table, or its files are not the ones that were written.
    DataError
        The file of verdicts cannot be read.
    """
    verification = verify(ref, root, data)
    table = Table.read(tables_table.resolve(ref, root))
    inputs = Inputs(data)
    own = file_of(table.table_id, table.version)
    signed = read_verdicts(verdicts or own) if verdicts or own.is_file() else []
    found = TableFindings(table, verification, thresholds(table), (), tuple(signed))
    spoken = [v for v in signed if v not in found.stale]
    keys = table.frames["models"]["model_id"] if "models" in table.frames else ()
    models = [_model(table, key, inputs, site, [v for v in spoken if v.model == key]) for key in keys]
    return replace(found, models=tuple(models))


def thresholds(table: Table) -> pd.DataFrame:
    """Every acceptance rule against every response of a table.

    Returns
    -------
    thresholds : DataFrame
        ``rule, label_en, label_zh, model, response, quantity, value, comparison, threshold, unit, result``
        (pass, fail, none), ``status`` (of the rule) and ``source``. A rule that speaks of no response of
        the table has one row with result none.
    """
    rows = []
    indices = table.frames.get("indices", pd.DataFrame(columns=["class_column"]))
    whole = indices[indices["class_column"] == ""].to_dict("records")
    for rule in checks.rules():
        common = {
            "rule": rule.rule_id,
            "label_en": rule.label_en,
            "label_zh": rule.label_zh,
            "quantity": rule.quantity,
            "comparison": rule.comparison,
            "threshold": rule.threshold,
            "unit": rule.unit,
            "status": rule.status,
            "source": rule.source,
        }
        applied = [r for r in whole if rule.applies(r["response"], system_of(table.table_id))]
        for row in applied:
            value = row[rule.quantity]
            result = "pass" if rule.met(value) else "fail"
            rows.append(
                common
                | {"model": row["model_id"], "response": row["response"], "value": value, "result": result}
            )
        if not applied:
            rows.append(common | {"model": "", "response": "", "value": float("nan"), "result": "none"})
    order = (
        "rule label_en label_zh model response quantity value comparison threshold unit result status source"
    )
    return pd.DataFrame(rows)[order.split()]


def excluded(verdicts) -> dict[str, list[int]]:
    """Rows of the data that each reviewer sets aside."""
    found: dict[str, list[int]] = {}
    for verdict in verdicts:
        if verdict.decision == "exclude":
            found.setdefault(verdict.reviewer, []).append(verdict.record - 1)
    return found


def _model(table: Table, key: str, inputs: Inputs, site: str | None, verdicts) -> ModelFindings:
    before = len(inputs.missing)
    record = table.provenance.models[key]
    if record.method not in scrutiny.METHODS:
        method = record.method
        return ModelFindings(
            key,
            None,
            notes=(
                (
                    f"{key}: a fit by {method} is recomputed, and not refitted without trees or with other choices",
                    f"{key}：{method} 方法的拟合只重算，不再逐株、逐项重新拟合",
                ),
            ),
        )
    try:
        fit = refit(table.frames, key, record, inputs)
    except SinklabError as error:
        return ModelFindings(key, None, notes=((f"{key}: {error}",) * 2,))
    if fit is None:
        return ModelFindings(key, None, notes=tuple((line, line) for line in inputs.missing[before:]))
    notes = []
    trees, said = scrutiny.influential(fit)
    notes.append((f"Influence: {said[0]}", f"影响分析：{said[1]}"))
    column, sites = scrutiny.site_column(fit, site), None
    if column is None:
        notes.append(
            (
                "Leave-one-site-out: the data have no column of three or more sites",
                "逐点剔除检验：数据中没有含三个以上地点的列",
            )
        )
    else:
        sites, said = scrutiny.by_site(fit, column)
        notes += [(f"Leave-one-site-out: {said[0]}", f"逐点剔除检验：{said[1]}")] if said[0] else []
    beside, said = scrutiny.beside_published(fit, table.table_id)
    notes += [(f"Published equations: {said[0]}", f"已发表方程：{said[1]}")] if said[0] else []
    choices = None
    if fit.method == "mixed":
        notes.append(("Sensitivity: not worked out for mixed models", "敏感性分析：混合模型未计算"))
    else:
        choices = scrutiny.sensitivity(fit, None if trees is None else trees.index, excluded(verdicts))
    return ModelFindings(
        key,
        fit,
        scrutiny.residuals(fit),
        scrutiny.bias(fit),
        scrutiny.by_size(fit),
        trees,
        column,
        sites,
        scrutiny.beyond(fit),
        scrutiny.shape(fit),
        beside,
        choices,
        tuple(notes),
    )


# --- What a reviewer should look at first: sentences from what was found.

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
        f"{writer.name(r['response'])} ({blocks.escape(r['check'])}, {r['first_failure']:.3g})"
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
        named = blocks.escape(model.key) + say(": ", "：") if len(found.models) > 1 else ""
        told += [named + line for line in _model_lines(model, writer)]
    return told


def _verdict_lines(found, writer):
    say, signed = writer.say, found.verdicts
    if not signed:
        return
    people = list(dict.fromkeys(v.reviewer for v in signed))
    trees = sum(v.decision == "exclude" for v in signed)
    yield say(
        f"Verdicts: signed by {', '.join(map(blocks.escape, people))}; {trees} trees set aside.",
        f"审查结论：{'、'.join(map(blocks.escape, people))}已签署；剔除样木 {trees} 株。",
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
            f"left out, site {blocks.escape(row['worst'])} has a total relative error of {row['worst_TRE']:.1f} %.",
            f"剔除后预测，地点{blocks.escape(row['worst'])}的总相对误差为 {row['worst_TRE']:.1f}%。",
        )
    if model.published is not None and len(model.published):
        outside = int((model.published["inside"] < 0.5).sum())
        yield say(
            f"{outside} of {len(model.published)} published equations lie outside the interval of a tree over half of the shared range.",
            f"{len(model.published)} 个已发表方程中，{outside} 个在一半以上共同范围内落在单株区间之外。",
        )


def _named(responses, writer) -> str:
    return writer.say(", ", "、").join(writer.name(r) for r in responses)
