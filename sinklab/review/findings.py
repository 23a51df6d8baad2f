"""Everything a reviewer's report says of a table, worked out once for both languages."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from sinklab.language import SinklabError, tr
from sinklab.results.fit_result import FitResult
from sinklab.review import scrutiny
from sinklab.review.desk import Verdict, file_of, read_verdicts
from sinklab.review.recompute import Recomputation
from sinklab.review.verification import Verification, recomputed
from sinklab.tables import checks
from sinklab.tables import table as tables
from sinklab.tables.schema import system_of
from sinklab.tables.table import Table

#: Frames of the findings on a model.
FRAMES = "residuals bias by_size influential by_site beyond shape published sensitivity".split()


@dataclass(frozen=True)
class ModelFindings:
    """What was found of one model; parts that could not be worked out are None.

    ``notes`` say why, in English and Chinese. Each frame is the result of the function of :mod:`sinklab.review.scrutiny`
    of that name; ``published`` is that of :func:`sinklab.review.scrutiny.beside_published`.
    """

    key: str
    fit: FitResult | None
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
        models = []
        for model in self.models:
            told = {"key": model.key, "site": model.site, "notes": [tr(*note) for note in model.notes]}
            for name in FRAMES:
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


def thresholds(table: Table) -> pd.DataFrame:
    """Every acceptance rule against every response of a table.

    Returns
    -------
    thresholds : DataFrame
        ``rule, label_en, label_zh, model, response, quantity, value, comparison, threshold, unit, result``
        (pass, fail, none), ``status`` (of the rule) and ``source``. A rule that speaks of no response of
        the table has one row with result none.
    """
    columns = "label_en label_zh model response quantity value comparison threshold unit result status source".split()
    indices = table.frames.get("indices", pd.DataFrame(columns=["class_column"]))
    whole = indices[indices["class_column"] == ""].to_dict("records")
    rows = []
    for rule in checks.rules():
        own = {name: getattr(rule, name) for name in columns if hasattr(rule, name)} | {"rule": rule.rule_id}
        applied = [r for r in whole if rule.applies(r["response"], system_of(table.table_id))]
        for row in applied:
            value, place = row[rule.quantity], {"model": row["model_id"], "response": row["response"]}
            result = "none" if pd.isna(value) else "pass" if rule.row(value)["passed"] else "fail"
            rows.append(own | place | {"value": value, "result": result})
        if not applied:
            rows.append(own | {"model": "", "response": "", "value": float("nan"), "result": "none"})
    return pd.DataFrame(rows)[["rule", *columns]]


def examine(
    ref: str | Path,
    root: str | Path | None = None,
    data: Sequence[str | Path] = (),
    site: str | None = None,
    verdicts: str | Path | None = None,
) -> TableFindings:
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
    folder = tables.resolve(ref, root)
    verification, again = recomputed(folder, data)
    table = tables.Table.read(folder)
    own = file_of(table.table_id, table.version)
    signed = read_verdicts(verdicts or own) if verdicts or own.is_file() else []
    found = TableFindings(table, verification, thresholds(table), (), tuple(signed))
    spoken = [v for v in signed if v not in found.stale]
    keys = table.frames["models"]["model_id"] if "models" in table.frames else ()
    models = [_model(table, key, again, site, [v for v in spoken if v.model == key]) for key in keys]
    return replace(found, models=tuple(models))


def _model(table: Table, key: str, again: Recomputation, site: str | None, verdicts) -> ModelFindings:
    method = table.provenance.models[key].method
    if method not in scrutiny.METHODS:
        said = (
            f"{key}: a fit by {method} is recomputed, and not refitted without trees or with other choices",
            f"{key}：{method} 方法的拟合只重算，不再逐株、逐项重新拟合",
        )
        return ModelFindings(key, None, notes=(said,))
    try:
        fit = again.fit(key)
    except SinklabError as error:
        return ModelFindings(key, None, notes=((f"{key}: {error}",) * 2,))
    if fit is None:
        return ModelFindings(
            key, None, notes=tuple((line, line) for line in again.said[key] or again.inputs.missing)
        )
    notes = []

    def noted(en: str, zh: str, told: tuple[pd.DataFrame | None, tuple[str, str]]) -> pd.DataFrame | None:
        frame, said = told
        if said[0]:
            notes.append((f"{en}: {said[0]}", f"{zh}：{said[1]}"))
        return frame

    trees = noted("Influence", "影响分析", scrutiny.influential(fit))
    column = scrutiny.site_column(fit, site)
    left_out = (None, ("the data have no column of three or more sites", "数据中没有含三个以上地点的列"))
    if column:
        left_out = scrutiny.by_site(fit, column)
    sites = noted("Leave-one-site-out", "逐点剔除检验", left_out)
    published = noted("Published equations", "已发表方程", scrutiny.beside_published(fit, table.table_id))
    choices = None
    if fit.method == "mixed":
        notes.append(("Sensitivity: not worked out for mixed models", "敏感性分析：混合模型未计算"))
    else:
        excluded: dict[str, list[int]] = {}
        for verdict in (v for v in verdicts if v.decision == "exclude"):
            excluded.setdefault(verdict.reviewer, []).append(verdict.record - 1)
        choices = scrutiny.sensitivity(fit, None if trees is None else trees.index, excluded)
    told = {"influential": trees, "by_site": sites, "published": published, "sensitivity": choices}
    for look in (scrutiny.residuals, scrutiny.bias, scrutiny.by_size, scrutiny.beyond, scrutiny.shape):
        told[look.__name__] = look(fit)
    return ModelFindings(key, fit, site=column, notes=tuple(notes), **told)
