"""The reviewer's report of a table: Word and HTML, in Chinese or English, with a table of opinions to fill in.

``reports/templates/review`` holds its text, ``data/vocabulary/review_tables.csv`` the columns of its tables: where
each comes from, how its cells are written, and its heading in both languages. What it says is worked out once for both.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from sinklab import paths, plots
from sinklab.data import vocabulary
from sinklab.data.files import records
from sinklab.drafts import blocks, rendering
from sinklab.drafts.rendering import Look, convert
from sinklab.language import DraftError, SinklabError, speaking, tr
from sinklab.results import indices
from sinklab.results.fit_result import FitResult
from sinklab.review import scrutiny
from sinklab.review.desk import WORDS, Verdict, file_of, read_verdicts
from sinklab.review.opinions import Opinions
from sinklab.review.recompute import Recomputation
from sinklab.review.scrutiny import LOGNORMAL, MEDIANS, OUTLIER, species_of
from sinklab.review.verification import Verification, recomputed
from sinklab.tables import checks
from sinklab.tables import table as tables
from sinklab.tables.package import printed_source
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


FORMATS = ("docx", "html")


def render(
    found: TableFindings, lang: str = "zh", formats=FORMATS, opinions: Opinions | None = None, folder=None
) -> dict[str, Path]:
    """Write the reviewer's report of a table.

    Parameters
    ----------
    found : TableFindings
        See :func:`examine`.
    lang : "zh" or "en"
    formats : sequence of "docx", "html"
    opinions : Opinions, optional
        Opinions that stand in the table of opinions already.
    folder : path, optional
        ``reports/reviews/<table_id>`` when left out.

    Returns
    -------
    files : dict of format to Path
        ``<version>.<lang>.<format>``.

    Raises
    ------
    DraftError
        Another language or format, or a template that cannot be filled in.
    """
    from jinja2 import TemplateError

    formats = rendering.checked(lang, formats, FORMATS, ("report", "报告"))
    table, name = found.table, f"review/{lang}.md"
    target = Path(folder) if folder else paths.reports("reviews", table.table_id)
    with paths.private("review") as place:
        work = Path(place)
        report = Report(found, lang, work, opinions)
        try:
            with vocabulary.words_of(table.ecosystem):
                text = rendering.environment().get_template(name).render(report.names())
        except (TemplateError, SinklabError) as error:
            raise DraftError(f"reports/templates/{name}: {error}") from error
        look = Look(lang, report.say(f"Review of {table.ref}", f"参数表审查报告　{table.ref}"), table.ref)
        made = {to: convert(text, to, look, work) for to in formats}
    return rendering.save(made, target, f"{table.version}.{lang}")


class Wording:
    """Words, numbers and tables of a report in one language, "zh" or "en"."""

    #: Rows after which a long table is cut, with a note that says how many are left out.
    MOST_ROWS = 40

    def __init__(self, lang: str):
        self.lang = lang

    def say(self, en: str, zh: str) -> str:
        """The wording in the language of the report."""
        return zh if self.lang == "zh" else en

    def name(self, response: str) -> str:
        """Label of a response."""
        return blocks.escape(vocabulary.label(response, self.lang)) if response else "—"

    def number(self, value, decimals: int | None = None) -> str:
        """A number for a reader; a dash for one that does not exist."""
        if isinstance(value, (bool, np.bool_)):
            return self.say("yes", "是") if value else self.say("no", "否")
        if isinstance(value, (int, np.integer)):
            return f"{value}"
        if value == np.inf:
            return "∞"
        if not blocks.exists(value):
            return "—"
        return blocks.significant(value, 3) if decimals is None else blocks.fixed(value, decimals)

    def cell(self, form: str, value, *more) -> str:
        """One cell in a form of the specification of tables.

        A digit stands for decimal places, ``span`` and a digit for two limits, ``at`` for a number and the record it
        comes from; ``name`` labels a response, ``once`` only in the first of its rows. Without a form, words stay as
        they are and numbers get three digits.
        """
        kind, _, digits = form.rpartition(" ")
        match kind or form:
            case "":
                return value if isinstance(value, str) else self.number(value)
            case "name" | "once":
                return self.name(value)
            case "text":
                return blocks.escape(value)
            case "p":
                return "—" if not np.isfinite(value) else "<0.001" if value < 0.001 else f"{value:.3f}"
            case "record":
                return f"{value + 1}" if isinstance(value, (int, np.integer)) else blocks.escape(value)
            case "at":
                return f"{self.number(value, 2)} ({self.cell('record', *more)})"
            case "span":
                ends = (self.number(end, int(digits)) for end in (value, *more))
                return self.say(" to ", "～").join(ends)
        return self.number(value, int(form)) if form.isdigit() else f"{value:{form}}"

    def table(self, name: str, label, caption, rows, size: str = "", blank=(), most: int = MOST_ROWS) -> str:
        """A numbered table as it is specified, cut when it is long.

        Parameters
        ----------
        name : str
            In the specification.
        label, caption : str
        rows : sequence of dict
            Values by the columns they come from.
        size : str
            Heading of a column of sizes.
        blank : sequence of sequences of str
            Rows that follow as they are.
        most : int
            Rows that are printed.
        """
        columns = [row for row in records("vocabulary", "review_tables.csv") if row["table"] == name]
        cells, before = [], None
        for row in rows[:most]:
            line = [self.cell(c["form"], *(row[part] for part in c["source"].split())) for c in columns]
            if columns[0]["form"] == "once":
                line[0], before = "" if line[0] == before else line[0], line[0]
            cells.append(line)
        rest = len(rows) - most
        notes = [self.say(f"NOTE {rest} further rows are not printed.", f"注：另有 {rest} 行未列出。")]
        head = [size if c[self.lang] == "{size}" else c[self.lang] for c in columns]
        align = "".join(c["align"] for c in columns)
        return blocks.table(label, caption, head, [*cells, *blank], align, notes if rest > 0 else ())


#: Tables of one model: name, and captions.
PARTS = {
    "residuals": ("Standardised residuals", "标准化残差"),
    "bias": ("Test of bias", "偏差检验"),
    "by_size": ("Bias by class of size", "分径级偏差"),
    "influential": ("Influential trees", "强影响样木"),
    "by_site": ("Prediction of sites left out", "逐点剔除的预测误差"),
    "beyond": ("Predictions beyond the range of the sample", "超出样本范围的预测"),
    "published": ("Published equations over the model", "已发表方程与本模型之比"),
    "sensitivity": ("Sensitivity to choices", "对方法选择的敏感性"),
}
#: Topics and choices of the table of sensitivity.
TOPICS = {
    "correction": ("bias correction", "偏差校正"),
    "weights": ("weights", "权函数"),
    "outliers": (f"residuals beyond {OUTLIER:g} SD", f"标准化残差超过 {OUTLIER:g}"),
    "influence": ("influence", "强影响样木"),
    "verdict": ("set aside by", "审查人剔除"),
}
CHOICES = {
    LOGNORMAL: ("lognormal, mean", "对数正态，均值"),
    MEDIANS: ("lognormal, median (not corrected)", "对数正态，中位数（未校正）"),
}
#: Empty rows of the table of opinions, lines of differences and influential trees that are printed.
EMPTY_ROWS, MOST_LINES, MOST_NAMED = 8, 30, 10
#: Probability below which a test is called significant in the summary.
SMALL = 0.01
PAD = "\N{NO-BREAK SPACE}"


class Report(Wording):
    """What the template of a report can ask for.

    Parameters
    ----------
    found : TableFindings
    lang : "zh" or "en"
    folder : Path
        Where figures are drawn.
    opinions : Opinions, optional
    """

    def __init__(self, found: TableFindings, lang: str, folder: Path, opinions: Opinions | None):
        super().__init__(lang)
        self.found, self.folder, self.entries = found, folder, opinions.entries if opinions else ()

    def names(self) -> dict:
        """Names that a template may use."""
        table, models = self.found.table, self.found.models
        offered = (
            "recomputed inputs thresholds values parts part_of figure notes shape opinions verdicts".split()
        )
        return {name: getattr(self, name) for name in offered} | {
            "ref": table.ref,
            "title": blocks.escape(self.say(table.title, table.title_zh)),
            "status": table.status,
            "sources": [blocks.escape(printed_source(s)) for s in table.sources],
            "models": [
                {"key": m.key, "name": blocks.escape(m.key), "id": f"m{i}"} for i, m in enumerate(models, 1)
            ],
            "has_values": bool(len(table.values)),
            "agreed": self.found.verification.agreed,
            "lines": self.lines(),
            "summary": list(self.summary()),
            "has_verdicts": bool(self.found.verdicts),
            "lang": self.lang,
        }

    def several(self, model: str) -> str:
        """Key of a model where a table has more than one."""
        return blocks.escape(model) if len(self.found.models) > 1 else ""

    # The table as a whole

    def lines(self) -> list[str]:
        """What differs, what is wrong with the package, what could not be recomputed, and notebooks written anew."""
        told = self.found.verification
        lines = [
            blocks.escape(line)
            for line in (*told.problems, *told.missing, *told.differences(), *told.notes())
        ]
        rest = len(lines) - MOST_LINES
        return lines[:MOST_LINES] + ([self.say(f"and {rest} more", f"另有 {rest} 处")] if rest > 0 else [])

    def recomputed(self, label, caption) -> str:
        """Numbers compared and agreed, by file."""
        rows = self.found.verification.summary().to_dict("records")
        return self.table("recomputed", label, caption, rows, blank=() if rows else [["—"] * 4])

    def inputs(self, label, caption) -> str:
        """Input files and whether they are the ones the table was made from."""
        rows = [
            {"name": i.name, "stored": i.stored[:12] or "—", "found": i.found[:12] or "—", "agreed": i.agreed}
            for i in self.found.verification.inputs
        ]
        return self.table("inputs", label, caption, rows, blank=() if rows else [["—"] * 4])

    def thresholds(self, label, caption) -> str:
        """Every rule: value, limit, result, and why."""
        results = {"pass": ("pass", "通过"), "fail": ("FAIL", "未通过"), "none": ("—", "—")}
        rows = []
        for row in self.found.thresholds.to_dict("records"):
            sign = {"<=": "≤", ">=": "≥", "abs<=": "±"}[row["comparison"]]
            unit = "" if row["unit"] in ("", "1") else row["unit"]
            model = self.several(row["model"])
            rows.append(
                {
                    "rule": self.say(row["label_en"], row["label_zh"]),
                    "response": self.name(row["response"]) + (f" ({model})" if model else ""),
                    "value": self.number(row["value"], 0 if row["quantity"] == "n" else 2),
                    # Wide enough to stay on one line.
                    "limit": f"{3 * PAD}{sign}{row['threshold']:g}{unit}{3 * PAD}",
                    "result": PAD + self.say(*results[row["result"]]) + PAD,
                    "reason": self._reason(row),
                }
            )
        return self.table("thresholds", label, caption, rows)

    def _reason(self, row) -> str:
        with speaking(self.lang):
            told = blocks.escape(indices.rule_source(row["source"], row["status"]))
        silent = self.say("speaks of no response here; ", "不涉及本表因变量；")
        return (silent if row["result"] == "none" else "") + told

    def values(self, label, caption) -> str:
        """Scalar values of a table, as they are."""
        rows = [
            row
            | {
                "name": row["variable"] or row["name"],
                "group": vocabulary.group_label(row["group"], self.lang),
            }
            for row in self.found.table.values.to_dict("records")
        ]
        return self.table("values", label, caption, rows)

    def verdicts(self, label, caption) -> str:
        """What reviewers said of the table and of single trees."""
        rows = []
        for verdict in self.found.verdicts:
            tree = self.say(
                f"tree {verdict.tree} ({verdict.record})", f"样木 {verdict.tree}（{verdict.record}）"
            )
            subject = blocks.escape(tree) if verdict.record else self.say("the table", "整表")
            model = self.several(verdict.model)
            stale = self.say(" (of other data)", "（针对其他数据）")
            rows.append(
                vars(verdict)
                | {
                    "subject": subject + (f" ({model})" if model else ""),
                    "reason": verdict.reason or "—",
                    "decision": self.say(*WORDS[verdict.decision])
                    + (stale if verdict in self.found.stale else ""),
                }
            )
        return self.table("verdicts", label, caption, rows)

    def opinions(self, label, caption) -> str:
        """Opinions to fill in; those of a list stand there already."""
        rows = []
        for number, entry in enumerate(self.entries, start=1):
            change = {"insertion": ("insert", "增加"), "deletion": ("delete", "删除")}.get(entry.kind)
            rows.append(
                {
                    "number": f"{number}",
                    # The first word of a heading is its number.
                    "clause": entry.clause.partition(" ")[0] or "—",
                    "said": f"{self.say(*change)}: {entry.words}" if change else entry.text,
                    "author": entry.author,
                    "adopted": entry.adopted or entry.status,
                    "answer": entry.answer,
                }
            )
        blank = [[f"{len(rows) + i}", *[PAD * 6] * 5] for i in range(1, EMPTY_ROWS + 1)]
        return self.table("opinions", label, caption, rows, blank=blank, most=len(rows))

    # One model

    def parts(self, index: int) -> list[dict]:
        """Tables that there are for a model."""
        frames = {name: getattr(self.found.models[index], name) for name in PARTS}
        return [
            {
                "name": name,
                "label": f"{name.replace('_', '-')}-{index + 1}",
                "caption": self.say(*PARTS[name]),
            }
            for name, frame in frames.items()
            if frame is not None and len(frame)
        ]

    def part_of(self, index: int, part: dict) -> str:
        """One table of a model."""
        model, name = self.found.models[index], part["name"]
        key = self.several(model.key)
        caption = part["caption"] + (self.say(", ", "，") + key if key else "")
        size = blocks.headed(model.fit.system.predictors[0], self.lang)
        return self.table(name, part["label"], caption, self._rows(name, model), size)

    def _rows(self, name: str, model: ModelFindings) -> list[dict]:
        frame = getattr(model, name)
        if name == "sensitivity":
            return self._choices(frame)
        if name == "published":
            species = species_of(self.found.table.table_id, model.fit)
            # Id of an equation without the species, which all equations of a table share.
            short = (
                frame["equation"].str.replace(f"_{species}_", "_", regex=False)
                if species
                else frame["equation"]
            )
            frame = frame.assign(equation=short, inside=100 * frame["inside"])
        elif name == "influential":
            frame = frame.head(MOST_NAMED).reset_index(names="row")
        elif "response" not in frame:
            frame = frame.reset_index(names="response")
        return frame.to_dict("records")

    def _choices(self, frame) -> list[dict]:
        rows, before = [], None
        for row in frame.to_dict("records"):
            choice = self.say(*CHOICES.get(row["choice"], [row["choice"]] * 2))
            if row["topic"] in ("outliers", "influence"):
                choice = self.say(f"without {choice} trees", f"剔除 {choice} 株")
            named = f"{self.say(*TOPICS[row['topic']])}{self.say(': ', '：')}{blocks.escape(choice)}"
            if row["note"]:
                rows.append(row | {"choice": named, "response": self.say("not fitted", "未能拟合")})
                continue
            rows.append(
                row | {"choice": named if named != before else "", "response": self.name(row["response"])}
            )
            before = named
        return rows

    def figure(self, index: int, label: str, caption: str) -> str:
        """Residuals against prediction and by class; nothing when the model was not refitted."""
        fit = self.found.models[index].fit
        if fit is None:
            return ""
        file = f"{blocks.identifier(label)}.png"
        plots.save(plots.residual_figure(fit, self.lang, caption=False), self.folder / file)
        return f"\n![{caption}]({file}){{#fig:{label} width=14cm}}\n"

    def notes(self, index: int) -> list[str]:
        """What could not be worked out for a model, and why."""
        return [blocks.escape(self.say(*note)) for note in self.found.models[index].notes]

    def shape(self, index: int) -> str:
        """Whether a model behaves like plants over its range."""
        checked = self.found.models[index].shape
        if checked is None:
            return ""
        failed = checked[~checked["passed"]].to_dict("records")
        if not failed:
            return self.say(
                f"All {len(checked)} checks of shape hold over the fitted range: positive, growing with size, no part larger than its whole.",
                f"在拟合范围内，{len(checked)} 项形状检查（取值为正、随大小递增、分量不大于总量）全部通过。",
            )
        told = [
            f"{self.name(r['response'])} ({blocks.escape(r['check'])}, {r['first_failure']:.3g})"
            for r in failed
        ]
        return self.say(
            f"Checks of shape that fail: {', '.join(told)}.", f"未通过的形状检查：{'、'.join(told)}。"
        )

    # What a reviewer should look at first

    def summary(self):
        """Sentences from what was found."""
        say, check = self.say, self.found.verification
        compared, same = len(check.comparisons), sum(c.agreed for c in check.comparisons)
        yield say(
            f"Recomputation: {same} of {compared} numbers agree.",
            f"重算：{compared} 个数值中 {same} 个相符。",
        )
        if check.missing:
            count = len(check.missing)
            yield say(f"{count} things could not be recomputed.", f"{count} 项无法重算。")
        signed = self.found.verdicts
        if signed:
            people = [blocks.escape(name) for name in dict.fromkeys(v.reviewer for v in signed)]
            trees = sum(v.decision == "exclude" for v in signed)
            yield say(
                f"Verdicts: signed by {', '.join(people)}; {trees} trees set aside.",
                f"审查结论：{'、'.join(people)}已签署；剔除样木 {trees} 株。",
            )
        if self.found.stale:
            count = len(self.found.stale)
            yield say(
                f"{count} verdicts were given on other data than the table is made from now.",
                f"有 {count} 条结论针对的不是本表现用数据。",
            )
        results = list(self.found.thresholds["result"])
        kept, missed, silent = (results.count(word) for word in ("pass", "fail", "none"))
        yield say(
            f"Thresholds: {kept} kept, {missed} missed, {silent} rules do not apply.",
            f"限值：{kept} 项通过，{missed} 项未通过，{silent} 条规则不适用。",
        )
        for model in self.found.models:
            key = self.several(model.key)
            yield from ((key + say(": ", "：") if key else "") + line for line in self._of_model(model))

    def _of_model(self, model: ModelFindings):
        say = self.say
        if model.fit is None:
            yield say("not refitted; see its notes.", "未重新拟合，见说明。")
            return
        biased, classes = int(model.by_size["biased"].sum()), len(model.by_size)
        yield say(
            f"{biased} of {classes} classes of size are biased at 5 %.",
            f"{classes} 个径级中 {biased} 个在 5% 水平上有偏。",
        )
        tests = (
            (model.bias["p_ellipse"], say("the ellipse test rejects: ", "椭圆检验不通过：")),
            (model.residuals["p_spread"], say("the variance function does not fit: ", "方差函数不合适：")),
        )
        for p, words in tests:
            if (p < SMALL).any():
                yield words + say(", ", "、").join(map(self.name, p.index[p < SMALL]))
        if model.by_site is not None:
            row = model.by_site.loc[model.by_site["worst_TRE"].abs().idxmax()]
            site, error = blocks.escape(row["worst"]), row["worst_TRE"]
            yield say(
                f"left out, site {site} has a total relative error of {error:.1f} %.",
                f"剔除后预测，地点{site}的总相对误差为 {error:.1f}%。",
            )
        if model.published is not None and len(model.published):
            outside, count = int((model.published["inside"] < 0.5).sum()), len(model.published)
            yield say(
                f"{outside} of {count} published equations lie outside the interval of a tree over half of the shared range.",
                f"{count} 个已发表方程中，{outside} 个在一半以上共同范围内落在单株区间之外。",
            )
