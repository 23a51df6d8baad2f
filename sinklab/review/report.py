"""The reviewer's report of a table: Word and HTML, in Chinese or English, with a table of opinions to fill in.

Tables of a reviewer's report about a table as a whole, written as Markdown from what was found.

Tables of one model in a reviewer's report, written as Markdown from what was found.

Words, numbers and tables of a reviewer's report in one language.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sinklab import paths, plots
from sinklab.data import vocabulary
from sinklab.drafts import blocks, rendering
from sinklab.drafts.rendering import Look, convert
from sinklab.language import LANGUAGES, DraftError, SinklabError, tr
from sinklab.review import findings
from sinklab.review.desk import WORDS
from sinklab.review.findings import TableFindings
from sinklab.review.opinions import Opinions
from sinklab.review.scrutiny import LOGNORMAL, MEDIANS, OUTLIER, species_of

# --- Words, numbers and tables of a reviewer's report in one language.

#: Rows after which a long table is cut, with a note that says how many are left out.
MOST_ROWS = 40


class Words:
    """The wording of one language, and tables and numbers in it.

    Parameters
    ----------
    found : TableFindings
    lang : "zh" or "en"
    """

    def __init__(self, found: TableFindings, lang: str):
        self.found, self.lang = found, lang

    def say(self, en: str, zh: str) -> str:
        """The wording in the language of the report."""
        return zh if self.lang == "zh" else en

    def table(self, label, caption, header, rows, align="", notes=()) -> str:
        """A numbered table, cut when it is long."""
        rest = len(rows) - MOST_ROWS
        if rest > 0:
            notes = [
                *notes,
                self.say(f"NOTE {rest} further rows are not printed.", f"注：另有 {rest} 行未列出。"),
            ]
        head = [self.say(*pair) if isinstance(pair, tuple) else pair for pair in header]
        cells = [
            [cell if isinstance(cell, str) else self.number(cell) for cell in row] for row in rows[:MOST_ROWS]
        ]
        return blocks.table(label, caption, head, cells, align, notes)

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

    def name(self, response: str) -> str:
        """Label of a response."""
        return blocks.escape(vocabulary.label(response, self.lang)) if response else "—"

    def p(self, value) -> str:
        """A probability."""
        return "—" if not np.isfinite(value) else "<0.001" if value < 0.001 else f"{value:.3f}"

    def span(self, low, high, decimals: int = 2) -> str:
        """Two limits."""
        return self.number(low, decimals) + self.say(" to ", "～") + self.number(high, decimals)

    def record(self, row) -> str:
        """Number of a record, from 1."""
        return f"{row + 1}" if isinstance(row, (int, np.integer)) else blocks.escape(row)


# --- Tables of one model in a reviewer's report, written as Markdown from what was found.


class ModelTables(Words):
    """Tables of a model; every method gives Markdown."""

    def residuals(self, model, label, caption) -> str:
        """Standardised residuals."""
        header = [
            ("Response", "因变量"),
            "n",
            ("Mean", "均值"),
            ("SD", "标准差"),
            ("Beyond 3", "超过 3"),
            ("Largest (record)", "最大值（记录）"),
            ("Trend, p", "趋势 p"),
            ("Spread, p", "方差 p"),
            ("Normal, p", "正态 p"),
        ]
        rows = [
            [
                self.name(r),
                int(row["n"]),
                self.number(row["mean"], 2),
                self.number(row["sd"], 2),
                int(row["outliers"]),
                f"{self.number(row['largest'], 2)} ({self.record(row['row'])})",
                self.p(row["p_trend"]),
                self.p(row["p_spread"]),
                self.p(row["p_normal"]),
            ]
            for r, row in model.residuals.iterrows()
        ]
        return self.table(label, caption, header, rows, "lcccccccc")

    def bias(self, model, label, caption) -> str:
        """Ellipse test and equivalence."""
        header = [
            ("Response", "因变量"),
            ("Intercept", "截距"),
            ("Slope", "斜率"),
            "F",
            "p",
            ("Mean relative error (%)", "平均相对误差/%"),
            ("90 % interval", "90% 区间"),
            ("Equivalent", "等效"),
        ]
        rows = [
            [
                self.name(r),
                row["intercept"],
                self.number(row["slope"], 3),
                self.number(row["F"], 2),
                self.p(row["p_ellipse"]),
                self.number(row["mean_relative_error"], 2),
                self.span(row["lower"], row["upper"]),
                bool(row["equivalent"]),
            ]
            for r, row in model.bias.iterrows()
        ]
        return self.table(label, caption, header, rows, "lccccccc")

    def by_size(self, model, label, caption) -> str:
        """Bias by class."""
        size = blocks.headed(model.fit.system.predictors[0], self.lang)
        header = [
            ("Response", "因变量"),
            size,
            "n",
            "TRE (%)",
            "ASE (%)",
            ("95 % interval", "95% 区间"),
            ("Biased", "有偏"),
        ]
        rows, before = [], None
        for row in model.by_size.to_dict("records"):
            named = self.name(row["response"]) if row["response"] != before else ""
            before = row["response"]
            rows.append(
                [
                    named,
                    row["size"],
                    int(row["n"]),
                    self.number(row["TRE"], 2),
                    self.number(row["ASE"], 2),
                    self.span(row["lower"], row["upper"]),
                    row["biased"],
                ]
            )
        return self.table(label, caption, header, rows, "lcccccc")

    def influential(self, model, label, caption) -> str:
        """Trees that pull most."""
        header = [
            ("Record", "记录"),
            ("Cook's distance", "Cook 距离"),
            ("Largest DFBETAS", "最大 DFBETAS"),
            ("Parameter", "参数"),
        ]
        shown = model.influential.head(10)
        rows = [
            [self.record(i), row["cook"], self.number(row["dfbetas"], 2), blocks.escape(row["parameter"])]
            for i, row in shown.iterrows()
        ]
        return self.table(label, caption, header, rows, "cccc")

    def by_site(self, model, label, caption) -> str:
        """Leave one site out."""
        header = [
            ("Response", "因变量"),
            ("Sites", "地点数"),
            "$R^{2}$",
            "TRE (%)",
            "ASE (%)",
            ("Worst site", "误差最大的地点"),
            ("its TRE (%)", "该地点 TRE (%)"),
        ]
        rows = [
            [
                self.name(r),
                int(row["n_site"]),
                self.number(row["R2"], 4),
                self.number(row["TRE"], 2),
                self.number(row["ASE"], 2),
                blocks.escape(row["worst"]),
                self.number(row["worst_TRE"], 1),
            ]
            for r, row in model.by_site.iterrows()
        ]
        return self.table(label, caption, header, rows, "lcccccc")

    def beyond(self, model, label, caption) -> str:
        """The model beyond its range."""
        size = blocks.headed(model.fit.system.predictors[0], self.lang)
        header = [
            ("Response", "因变量"),
            ("Multiple of the largest", "最大值的倍数"),
            size,
            ("Prediction", "预测值"),
            ("Standard error (%)", "标准误/%"),
        ]
        rows = [
            [
                self.name(row["response"]) if row["multiple"] == 1 else "",
                f"{row['multiple']:g}",
                f"{row['size']:.3g}",
                row["predicted"],
                self.number(row["error"], 1),
            ]
            for row in model.beyond.to_dict("records")
        ]
        return self.table(label, caption, header, rows, "lcccc")

    def published(self, model, label, caption) -> str:
        """Published equations over fitted."""
        size = blocks.headed(model.fit.system.predictors[0], self.lang)
        key = species_of(self.found.table.table_id, model.fit) or ""
        header = [
            ("Response", "因变量"),
            ("Equation", "方程"),
            size,
            ("Mean ratio", "平均比值"),
            ("Least to most", "最小～最大"),
            ("Inside the interval of a tree (%)", "落入单株区间/%"),
        ]
        rows = [
            [
                self.name(row["response"]),
                blocks.escape(_short(row["equation"], key)),
                self.span(row["low"], row["high"], 1),
                self.number(row["mean"], 2),
                self.span(row["least"], row["most"]),
                self.number(100 * row["inside"], 0),
            ]
            for row in model.published.to_dict("records")
        ]
        return self.table(label, caption, header, rows, "llcccc")

    def sensitivity(self, model, label, caption) -> str:
        """Other choices."""
        topics = {
            "correction": ("bias correction", "偏差校正"),
            "weights": ("weights", "权函数"),
            "outliers": (f"residuals beyond {OUTLIER:g} SD", f"标准化残差超过 {OUTLIER:g}"),
            "influence": ("influence", "强影响样木"),
            "verdict": ("set aside by", "审查人剔除"),
        }
        known = {
            LOGNORMAL: ("lognormal, mean", "对数正态，均值"),
            MEDIANS: ("lognormal, median (not corrected)", "对数正态，中位数（未校正）"),
        }
        header = [
            ("Choice", "选择"),
            ("Response", "因变量"),
            ("Change of the sum (%)", "合计变化/%"),
            ("Largest change (standard errors)", "最大变化（标准误的倍数）"),
        ]
        rows, before = [], None
        for row in model.sensitivity.to_dict("records"):
            choice = self.say(*known[row["choice"]]) if row["choice"] in known else row["choice"]
            if row["topic"] in ("outliers", "influence"):
                choice = self.say(f"without {choice} trees", f"剔除 {choice} 株")
            named = f"{self.say(*topics[row['topic']])}{self.say(': ', '：')}{blocks.escape(choice)}"
            if row["note"]:
                rows.append([named, self.say("not fitted", "未能拟合"), "—", "—"])
                continue
            rows.append(
                [
                    named if named != before else "",
                    self.name(row["response"]),
                    self.number(row["change"], 2),
                    self.number(row["largest"], 2),
                ]
            )
            before = named
        return self.table(label, caption, header, rows, "llcc")


def _short(equation: str, species: str) -> str:
    """Id of an equation without the species, which all equations of a table share."""
    return equation.replace(f"_{species}_", "_") if species else equation


# --- Tables of a reviewer's report about a table as a whole, written as Markdown from what was found.

PAD = "\N{NO-BREAK SPACE}" * 3


class Writer(ModelTables):
    """Writes all tables of a report in one language; every method gives Markdown."""

    def recomputed(self, label, caption) -> str:
        """Numbers compared and agreed, by file."""
        header = [
            ("File", "文件"),
            ("Compared", "比较数"),
            ("Agreed", "相符数"),
            ("Largest deviation / tolerance", "最大偏差/容许值"),
        ]
        rows = [
            [blocks.escape(r["file"]), int(r["n"]), int(r["n_agreed"]), float(r["largest"])]
            for r in self.found.verification.summary().to_dict("records")
        ]
        return self.table(label, caption, header, rows or [["—"] * 4], "lccc")

    def inputs(self, label, caption) -> str:
        """Input files and whether they are the ones the table was made from."""
        header = [
            ("File", "文件"),
            ("SHA-256 stated", "表中 SHA-256"),
            ("SHA-256 found", "现有 SHA-256"),
            ("Same", "一致"),
        ]
        rows = [
            [blocks.escape(i.name), i.stored[:12] or "—", i.found[:12] or "—", i.agreed]
            for i in self.found.verification.inputs
        ]
        return self.table(label, caption, header, rows or [["—"] * 4], "lccc")

    def thresholds(self, label, caption) -> str:
        """Every rule: value, limit, result, and why."""
        header = [
            ("Rule", "规则"),
            ("Response", "因变量"),
            ("Value", "数值"),
            ("Limit", "限值"),
            ("Result", "结论"),
            ("Reason", "理由"),
        ]
        rows = []
        for row in self.found.thresholds.to_dict("records"):
            sign = {"<=": "≤", ">=": "≥", "abs<=": "±"}[row["comparison"]]
            unit = "" if row["unit"] in ("", "1") else row["unit"]
            # Wide enough to stay on one line.
            limit = f"{PAD}{sign}{row['threshold']:g}{unit}{PAD}"
            result = {"pass": ("pass", "通过"), "fail": ("FAIL", "未通过"), "none": ("—", "—")}[row["result"]]
            rule = blocks.escape(row["label_zh"] if self.lang == "zh" else row["label_en"])
            many = len(self.found.models) > 1
            named = self.name(row["response"]) + (
                f" ({blocks.escape(row['model'])})" if many and row["model"] else ""
            )
            rows.append(
                [
                    rule,
                    named,
                    self.number(row["value"], 0 if row["quantity"] == "n" else 2),
                    limit,
                    PAD[:1] + self.say(*result) + PAD[:1],
                    self._reason(row),
                ]
            )
        return self.table(label, caption, header, rows, "llcccl")

    def _reason(self, row) -> str:
        source = blocks.escape(row["source"].replace(" (text not seen)", ""))
        status = {
            "recalled": ("recalled, not read in print", "未核对原文"),
            "verified": ("read in print", "已核对原文"),
        }
        known = self.say(*status[row["status"]]) if row["status"] in status else blocks.escape(row["status"])
        why = (
            self.say("speaks of no response here; ", "不涉及本表因变量；") if row["result"] == "none" else ""
        )
        return why + self.say(f"{source} ({known})", f"{source}（{known}）")

    def values(self, label, caption) -> str:
        """Scalar values of a table, as they are."""
        header = [
            ("Value", "参数"),
            ("Group", "组别"),
            ("Mean", "均值"),
            ("Standard error", "标准误"),
            ("Studies", "研究数"),
            ("Status", "状态"),
        ]
        rows = []
        for row in self.found.table.values.to_dict("records"):
            group = vocabulary.group_label(row["group"], self.lang)
            studies = f"{int(row['n_study'])}" if blocks.exists(row["n_study"]) else "—"
            rows.append(
                [
                    self.name(row["variable"] or row["name"]),
                    blocks.escape(group),
                    row["mean"],
                    row["se"],
                    studies,
                    row["status"],
                ]
            )
        return self.table(label, caption, header, rows, "llcccc")

    def verdicts(self, label, caption) -> str:
        """What reviewers said of the table and of single trees."""
        header = [
            ("Reviewer", "审查人"),
            ("Date", "日期"),
            ("Subject", "对象"),
            ("Verdict", "结论"),
            ("Reason", "理由"),
            ("Largest change (standard errors)", "最大变化（标准误的倍数）"),
        ]
        many = len(self.found.models) > 1
        rows = []
        for verdict in self.found.verdicts:
            subject = self.say(
                f"tree {verdict.tree} ({verdict.record})", f"样木 {verdict.tree}（{verdict.record}）"
            )
            subject = blocks.escape(subject) if verdict.record else self.say("the table", "整表")
            said = self.say(*WORDS[verdict.decision])
            if verdict in self.found.stale:
                said += self.say(" (of other data)", "（针对其他数据）")
            rows.append(
                [
                    blocks.escape(verdict.reviewer),
                    verdict.date,
                    subject + (f" ({blocks.escape(verdict.model)})" if many else ""),
                    said,
                    blocks.escape(verdict.reason) or "—",
                    self.number(verdict.effect, 2),
                ]
            )
        return self.table(label, caption, header, rows, "lclclc")


# --- The reviewer's report of a table: Word and HTML, in Chinese or English, with a table of opinions to fi

FORMATS = ("docx", "html")
#: Empty rows of the table of opinions, and lines of differences that are printed.
EMPTY_ROWS = 8
MOST_LINES = 30
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


@dataclass(frozen=True)
class _Desk:
    """What the template can ask for."""

    found: TableFindings
    writer: Writer
    folder: Path
    opinions: Opinions | None

    def names(self) -> dict:
        """Names that a template may use."""
        writer = self.writer
        return {
            "ref": self.found.table.ref,
            "title": blocks.escape(
                self.found.table.title_zh if writer.lang == "zh" else self.found.table.title
            ),
            "status": self.found.table.status,
            "sources": [blocks.escape(s.get("citation") or s["title"]) for s in self.found.table.sources],
            "models": [
                {"key": m.key, "name": blocks.escape(m.key), "id": f"m{i}"}
                for i, m in enumerate(self.found.models, 1)
            ],
            "has_values": bool(len(self.found.table.values)),
            "recomputed": writer.recomputed,
            "inputs": writer.inputs,
            "thresholds": writer.thresholds,
            "values": writer.values,
            "agreed": self.found.verification.agreed,
            "lines": self.lines(),
            "summary": findings.summary(self.found, writer),
            "parts": self.parts,
            "part_of": lambda index, part: self.part(index, **part),
            "figure": self.figure,
            "notes": lambda index: [
                blocks.escape(self.writer.say(*n)) for n in self.found.models[index].notes
            ],
            "shape": lambda index: findings.shape(self.found.models[index], writer),
            "opinions": self.opinion_table,
            "verdicts": writer.verdicts,
            "has_verdicts": bool(self.found.verdicts),
            "lang": writer.lang,
        }

    def lines(self) -> list[str]:
        """What differs, what is wrong with the package, and what could not be recomputed."""
        told = self.found.verification
        lines = [blocks.escape(line) for line in (*told.problems, *told.missing, *told.differences())]
        rest = len(lines) - MOST_LINES
        if rest > 0:
            lines = lines[:MOST_LINES] + [self.writer.say(f"and {rest} more", f"另有 {rest} 处")]
        return lines

    def parts(self, index: int) -> list[dict]:
        """Tables that there are for a model."""
        model, found = self.found.models[index], []
        for name, caption in PARTS.items():
            frame = getattr(model, name)
            if frame is not None and len(frame):
                found.append(
                    {
                        "name": name,
                        "label": f"{name.replace('_', '-')}-{index + 1}",
                        "caption": self.writer.say(*caption),
                    }
                )
        return found

    def part(self, index: int, name: str, label: str, caption: str) -> str:
        """One table of a model."""
        model = self.found.models[index]
        if len(self.found.models) > 1:
            caption = f"{caption}{self.writer.say(', ', '，')}{blocks.escape(model.key)}"
        return getattr(self.writer, name)(model, label, caption)

    def figure(self, index: int, label: str, caption: str) -> str:
        """Residuals against prediction and by class; nothing when the model was not refitted."""
        fit = self.found.models[index].fit
        if fit is None:
            return ""
        file = f"{blocks.identifier(label)}.png"
        plots.save(plots.residual_figure(fit, self.writer.lang), self.folder / file)
        return f"\n![{caption}]({file}){{#fig:{label} width=14cm}}\n"

    def opinion_table(self, label, caption) -> str:
        """Opinions to fill in; those of a list stand there already."""
        header = [
            ("No.", "序号"),
            ("Clause", "章条编号"),
            ("Opinion", "意见内容"),
            ("By", "提出人"),
            ("Adopted", "处理意见"),
            ("Reason", "理由"),
        ]
        rows = []
        for entry in self.opinions.entries if self.opinions else ():
            change = {"insertion": ("insert", "增加"), "deletion": ("delete", "删除")}.get(entry.kind)
            said = f"{self.writer.say(*change)}: {entry.words}" if change else entry.text
            # The first word of a heading is its number.
            clause = entry.clause.partition(" ")[0] or "—"
            cells = (clause, said, entry.author, entry.adopted or entry.status, entry.answer)
            rows.append([f"{len(rows) + 1}", *(blocks.escape(cell) for cell in cells)])
        blank = "\N{NO-BREAK SPACE}"
        rows += [[f"{len(rows) + 1 + i}", *[blank * 6] * 5] for i in range(EMPTY_ROWS)]
        head = [self.writer.say(*pair) for pair in header]
        return blocks.table(label, caption, head, rows, "cllccl")


def render(
    found: TableFindings, lang: str = "zh", formats=FORMATS, opinions: Opinions | None = None, folder=None
) -> dict[str, Path]:
    """Write the reviewer's report of a table.

    Parameters
    ----------
    found : TableFindings
        See :func:`sinklab.review.findings.examine`.
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
    if lang not in LANGUAGES or not formats or {*formats} - {*FORMATS}:
        raise DraftError(
            tr(
                f"report in {lang!r} to {formats}: languages are {', '.join(LANGUAGES)}; formats {', '.join(FORMATS)}",
                f"报告语言 {lang!r}、格式 {formats}：语言应为 {'、'.join(LANGUAGES)}，格式应为 {'、'.join(FORMATS)}",
            )
        )
    table = found.table
    target = Path(folder) if folder else paths.reports("reviews", table.table_id)
    with tempfile.TemporaryDirectory(prefix="sinklab-review-") as place:
        work = Path(place)
        desk = _Desk(found, Writer(found, lang), work, opinions)
        title = desk.writer.say(f"Review of {table.ref}", f"参数表审查报告　{table.ref}")
        said = write(desk, lang)
        made = {to: convert(said, to, Look(lang, title, table.ref), work) for to in formats}
    written = {}
    for to, raw in made.items():
        written[to] = target / f"{table.version}.{lang}.{to}"
        with paths.atomic_write(written[to], "wb") as stream:
            stream.write(raw)
    return written


def write(desk: _Desk, lang: str) -> str:
    """Fill in the template of the report."""
    from jinja2 import TemplateError

    name = f"review/{lang}.md"
    try:
        return rendering.environment().get_template(name).render(desk.names())
    except (TemplateError, SinklabError) as error:
        raise DraftError(f"reports/templates/{name}: {error}") from error
