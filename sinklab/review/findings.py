"""Everything a reviewer's report says of a table, worked out once for both languages."""

from dataclasses import asdict, dataclass, replace

import pandas as pd

from sinklab.errors import SinklabError
from sinklab.language import tr
from sinklab.review import published, scrutiny, sensitivity
from sinklab.review.inputs import Inputs
from sinklab.review.recompute import refit
from sinklab.review.verdicts import Verdict, file_of, read_verdicts
from sinklab.review.verify import Verification, verify
from sinklab.tables import Table, acceptance, store
from sinklab.tables.naming import system_of


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
            k: record["source"].get("fingerprint") or ""
            for k, record in self.table.provenance["models"].items()
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
    table = Table.read(store.resolve(ref, root))
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
    for rule in acceptance.rules():
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
    record = table.provenance["models"][key]
    if record["method"] not in scrutiny.METHODS:
        method = record["method"]
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
    beside, said = published.beside_published(fit, table.table_id)
    notes += [(f"Published equations: {said[0]}", f"已发表方程：{said[1]}")] if said[0] else []
    choices = None
    if fit.method == "mixed":
        notes.append(("Sensitivity: not worked out for mixed models", "敏感性分析：混合模型未计算"))
    else:
        choices = sensitivity.sensitivity(fit, None if trees is None else trees.index, excluded(verdicts))
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
