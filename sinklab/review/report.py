"""The reviewer's report of a table: Word and HTML, in Chinese or English, with a table of opinions to fill in."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from sinklab import paths, plots
from sinklab.drafts import markdown, text
from sinklab.drafts.convert import Look, convert
from sinklab.errors import DraftError, SinklabError
from sinklab.language import LANGUAGES, tr
from sinklab.review.findings import ModelFindings, TableFindings
from sinklab.review.opinions import Opinions
from sinklab.review.report_tables import SMALL, Writer

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
            "title": markdown.escape(
                self.found.table.title_zh if writer.lang == "zh" else self.found.table.title
            ),
            "status": self.found.table.status,
            "sources": [markdown.escape(s.get("citation") or s["title"]) for s in self.found.table.sources],
            "models": [
                {"key": m.key, "name": markdown.escape(m.key), "id": f"m{i}"}
                for i, m in enumerate(self.found.models, 1)
            ],
            "has_values": bool(len(self.found.table.values)),
            "recomputed": writer.recomputed,
            "inputs": writer.inputs,
            "thresholds": writer.thresholds,
            "values": writer.values,
            "agreed": self.found.verification.agreed,
            "lines": self.lines(),
            "summary": self.summary(),
            "parts": self.parts,
            "part_of": lambda index, part: self.part(index, **part),
            "figure": self.figure,
            "notes": lambda index: [
                markdown.escape(self.writer.say(*n)) for n in self.found.models[index].notes
            ],
            "shape": lambda index: self.shape(self.found.models[index]),
            "opinions": self.opinion_table,
            "lang": writer.lang,
        }

    def lines(self) -> list[str]:
        """What differs, what is wrong with the package, and what could not be recomputed."""
        told = self.found.verification
        lines = [markdown.escape(line) for line in (*told.problems, *told.missing, *told.differences())]
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
            caption = f"{caption}{self.writer.say(', ', '，')}{markdown.escape(model.key)}"
        return getattr(self.writer, name)(model, label, caption)

    def figure(self, index: int, label: str, caption: str) -> str:
        """Residuals against prediction and by class; nothing when the model was not refitted."""
        fit = self.found.models[index].fit
        if fit is None:
            return ""
        file = f"{markdown.identifier(label)}.png"
        plots.save(plots.residual_figure(fit, self.writer.lang), self.folder / file)
        return f"\n![{caption}]({file}){{#fig:{label} width=14cm}}\n"

    def shape(self, model: ModelFindings) -> str:
        """Whether the model behaves like plants over its range."""
        say = self.writer.say
        if model.shape is None:
            return ""
        failed = model.shape[~model.shape["passed"]]
        if not len(failed):
            return say(
                f"All {len(model.shape)} checks of shape hold over the fitted range: positive, growing with size, no part larger than its whole.",
                f"在拟合范围内，{len(model.shape)} 项形状检查（取值为正、随大小递增、分量不大于总量）全部通过。",
            )
        told = [
            f"{self.writer.name(r['response'])} ({markdown.escape(r['check'])}, {r['first_failure']:.3g})"
            for r in failed.to_dict("records")
        ]
        return say(f"Checks of shape that fail: {', '.join(told)}.", f"未通过的形状检查：{'、'.join(told)}。")

    def summary(self) -> list[str]:
        """What a reviewer should look at first."""
        say, told = self.writer.say, []
        check = self.found.verification
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
        results = self.found.thresholds["result"].value_counts()
        kept, missed = int(results.get("pass", 0)), int(results.get("fail", 0))
        told.append(
            say(
                f"Thresholds: {kept} kept, {missed} missed, {int(results.get('none', 0))} rules do not apply.",
                f"限值：{kept} 项通过，{missed} 项未通过，{int(results.get('none', 0))} 条规则不适用。",
            )
        )
        for model in self.found.models:
            named = markdown.escape(model.key) + say(": ", "：") if len(self.found.models) > 1 else ""
            told += [named + line for line in self._model_lines(model)]
        return told

    def _model_lines(self, model):
        say = self.writer.say
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
            yield say("the ellipse test rejects: ", "椭圆检验不通过：") + self._named(ellipse)
        uneven = [r for r, row in model.residuals.iterrows() if row["p_spread"] < SMALL]
        if uneven:
            yield say("the variance function does not fit: ", "方差函数不合适：") + self._named(uneven)
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

    def _named(self, responses) -> str:
        return self.writer.say(", ", "、").join(self.writer.name(r) for r in responses)

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
            rows.append([f"{len(rows) + 1}", *(markdown.escape(cell) for cell in cells)])
        blank = "\N{NO-BREAK SPACE}"
        rows += [[f"{len(rows) + 1 + i}", *[blank * 6] * 5] for i in range(EMPTY_ROWS)]
        head = [self.writer.say(*pair) for pair in header]
        return markdown.table(label, caption, head, rows, "cllccl")


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
        return text.environment().get_template(name).render(desk.names())
    except (TemplateError, SinklabError) as error:
        raise DraftError(f"reports/templates/{name}: {error}") from error
