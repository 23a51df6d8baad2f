"""The reviewer's report of a table: Word and HTML, in Chinese or English, with a table of opinions to fill in.

``reports/templates/review`` holds its text, ``data/vocabulary/review_tables.csv`` the columns of its tables: where
each comes from, how its cells are written, and its heading in both languages.
"""

from pathlib import Path

import numpy as np

from sinklab import paths, plots
from sinklab.data import vocabulary
from sinklab.data.files import records
from sinklab.drafts import blocks, rendering
from sinklab.drafts.rendering import Look, convert
from sinklab.language import DraftError, SinklabError
from sinklab.results import indices
from sinklab.review.desk import WORDS
from sinklab.review.findings import ModelFindings, TableFindings
from sinklab.review.opinions import Opinions
from sinklab.review.scrutiny import LOGNORMAL, MEDIANS, OUTLIER, species_of

FORMATS = ("docx", "html")


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
    from jinja2 import TemplateError

    formats = rendering.checked(lang, formats, FORMATS, ("report", "报告"))
    table, name = found.table, f"review/{lang}.md"
    target = Path(folder) if folder else paths.reports("reviews", table.table_id)
    with paths.private("review") as place:
        work = Path(place)
        report = Report(found, lang, work, opinions)
        try:
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
            "sources": [blocks.escape(s.get("citation") or s["title"]) for s in table.sources],
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
        source = blocks.escape(row["source"].replace(indices.UNSEEN, ""))
        statuses = {
            "recalled": ("recalled, not read in print", "未核对原文"),
            "verified": ("read in print", "已核对原文"),
        }
        known = self.say(*statuses.get(row["status"], [blocks.escape(row["status"])] * 2))
        silent = self.say("speaks of no response here; ", "不涉及本表因变量；")
        return (silent if row["result"] == "none" else "") + self.say(
            f"{source} ({known})", f"{source}（{known}）"
        )

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
        plots.save(plots.residual_figure(fit, self.lang), self.folder / file)
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
