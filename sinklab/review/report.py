"""The reviewer's report of a table: Word and HTML, in Chinese or English, with a table of opinions to fill in."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from sinklab import paths, plots
from sinklab.drafts import markdown, text
from sinklab.drafts.convert import Look, convert
from sinklab.errors import DraftError, SinklabError
from sinklab.language import LANGUAGES, tr
from sinklab.review import report_summary
from sinklab.review.findings import TableFindings
from sinklab.review.opinions import Opinions
from sinklab.review.report_tables import Writer

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
            "summary": report_summary.summary(self.found, writer),
            "parts": self.parts,
            "part_of": lambda index, part: self.part(index, **part),
            "figure": self.figure,
            "notes": lambda index: [
                markdown.escape(self.writer.say(*n)) for n in self.found.models[index].notes
            ],
            "shape": lambda index: report_summary.shape(self.found.models[index], writer),
            "opinions": self.opinion_table,
            "verdicts": writer.verdicts,
            "has_verdicts": bool(self.found.verdicts),
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
