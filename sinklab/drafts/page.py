"""A page of a parameter table or of one fit: equations, numbers, checks passed and failed, figures, origin.

The words stand in ``reports/templates/page``; the same page is HTML for a browser, Word for a report, or PDF.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sinklab import paths, plots
from sinklab.data import vocabulary
from sinklab.drafts import blocks, rendering
from sinklab.drafts.desk import trees_of
from sinklab.language import DraftError, SinklabError, number, reader_language, speaking, tr
from sinklab.results import indices
from sinklab.results.fit_result import FitResult
from sinklab.results.summary import sampling_notes, shape_report, speaks_for, verdicts, wholes
from sinklab.tables.schema import status_label
from sinklab.tables.table import Table

#: Values and checks that one page shows; files hold the others.
MOST = 400
#: Figures of a fit, in order, and what they show; those that its data do not allow are left out.
FIGURES = {
    "fit": ("curve with the intervals of mean and individual", "拟合曲线及均值、单株区间"),
    "log": ("the same on logarithmic axes", "双对数坐标下的拟合曲线"),
    "observed": ("observed against predicted", "实测值与预测值"),
    "residuals": ("standardised residuals, and their means by class", "标准化残差及分级均值"),
    "qq": ("quantiles of the residuals", "残差分位数"),
    "sites": ("sites", "样点"),
    "prior": ("posterior against prior", "后验与先验分布"),
}


def write_page(
    subject: Table | Sequence[FitResult],
    path: str | Path,
    lang: str | None = None,
    files: str = "",
    figures: Sequence[str] = tuple(FIGURES),
    pictures: Sequence[Path] = (),
) -> Path:
    """Write the page of a table or of fits.

    Parameters
    ----------
    subject : Table, or sequence of FitResult
    path : path
        Ends in .html, .docx or .pdf.
    lang : "zh" or "en", optional
        The reader's language when left out.
    files : str, optional
        Address of the folder of the table, relative to the page; its files are linked.
    figures : sequence of str, optional
        Kinds of figures of a fit, all when left out.
    pictures : sequence of path, optional
        PNG files that are shown besides, such as those of the notebook that made a table.

    Raises
    ------
    DraftError
        Another ending.
    """
    path, lang = Path(path), lang or reader_language()
    to = format_of(path)
    with paths.private("page") as place, speaking(lang):
        page = Page(subject, Path(place), files, figures, pictures)
        template = rendering.environment().get_template(f"page/{lang}.md")
        try:
            text = template.render(page.names())
        except SinklabError as error:
            raise DraftError(f"reports/templates/page/{lang}.md: {error}") from error
        made = rendering.convert(text, to, rendering.Look(lang, page.title, page.ref), Path(place))
    with paths.atomic_write(path, "wb") as stream:
        stream.write(made)
    return path


def format_of(path: str | Path) -> str:
    """Format of a page by the ending of its file.

    Raises
    ------
    DraftError
        None of html, docx, pdf.
    """
    ending = Path(path).suffix.removeprefix(".").lower()
    return rendering.checked(reader_language(), ending, kind=("report", "报告"))[0]


def _unnoted(file, name, column, value, printed, status="") -> str:
    """A number of a page: it is cited by no draft."""
    return printed


class Page:
    """What the template of a page may use."""

    def __init__(self, subject, folder: Path, files: str, kinds: Sequence[str], pictures: Sequence[Path]):
        self.lang, self.folder, self.files, self.kinds = reader_language(), folder, files, kinds
        self.pictures = list(pictures)
        for i, path in enumerate(pictures, 1):
            shutil.copy(path, folder / f"picture{i}.png")
        self.table = subject if isinstance(subject, Table) else None
        self.fits = list(subject.models if self.table else subject)
        if self.table:
            self.title, self.ref = tr(self.table.title, self.table.title_zh), self.table.ref
        else:
            about = ", ".join(dict.fromkeys(str(f.source["name"]) for f in self.fits if f.source.get("name")))
            self.title, self.ref = (
                tr("Report of a fit", "拟合报告") + (tr(": ", "：") + about) * bool(about),
                "",
            )

    def names(self) -> dict[str, Any]:
        """Names that the template may use."""
        table = self.table
        return {
            "title": blocks.escape(self.title),
            "ref": self.ref,
            "status": status_label(table.status) if table else "",
            "models": [self.model(f"m{i}", fit) for i, fit in enumerate(self.fits, 1)],
            "values": self.values() if table and len(table.values) else "",
            "checks": self.checks(),
            "figure": self.values_figure() if table and len(table.values) else "",
            "pictures": [
                f"\n![{blocks.escape(path.stem)}](picture{i}.png){{#fig:picture{i} width=14cm}}\n"
                for i, path in enumerate(self.pictures, 1)
            ],
            "sources": self.sources(),
            "files": self.links(),
        }

    # A fit

    def model(self, key: str, fit: FitResult) -> dict[str, Any]:
        """Blocks of one model; a block that it has nothing for is empty."""
        trees = fit.data if fit.data is not None else trees_of(fit)
        fit = fit if trees is None else replace(fit, data=trees)
        parts = {"parameters": blocks.parameters, "indices": blocks.indices, "residuals": blocks.residuals}
        parts |= {"ranges": blocks.ranges, "samples": blocks.samples}
        parts |= {"sites": blocks.sites} if fit.between is not None else {}
        captions = {
            "parameters": ("Parameters", "参数"),
            "indices": ("Indices of the fit", "拟合评价指标"),
            "residuals": ("Standard deviation of residuals", "残差标准差"),
            "ranges": ("Range of the data", "适用范围"),
            "samples": ("Sample", "样本"),
            "sites": ("Spread between sites and total of a new site (%)", "样点间变异与新样点总量区间（%）"),
        }
        made = {
            name: part(_unnoted, fit, self.lang, f"{key}-{name}", tr(*captions[name]))
            for name, part in parts.items()
            if name != "ranges" or fit.ranges
        }
        return {
            "id": key,
            "name": blocks.escape(fit.label) if len(self.fits) > 1 and fit.label else "",
            "state": self.state(fit),
            "equations": [
                f"$${line}$$ {{#eq:{key}-{i}}}" for i, line in enumerate(fit.system.latex(self.lang))
            ],
            "blocks": made,
            "cited": [f"[@tbl:{key}-{name}]" for name in made],
            "figures": (drawn := self.figures(key, fit)),
            "shown": [f"[@fig:{key}-{kind}]" for kind in drawn],
            "notes": self.notes(fit),
        }

    def state(self, fit: FitResult) -> str:
        """Method, convergence and likelihood in one sentence."""
        done = tr("converged", "已收敛") if fit.converged else tr("NOT CONVERGED", "未收敛")
        return tr(
            f"Method {fit.method}, {done}, ln L = {fit.loglik:.4f}.",
            f"方法 {fit.method}，{done}，ln L = {fit.loglik:.4f}。",
        )

    def figures(self, key: str, fit: FitResult) -> dict[str, str]:
        """Figures that the data at hand allow, by kind."""
        found, response = {}, [fit.system.responses[-1], *wholes(fit.system)][-1]
        for kind, words in FIGURES.items():
            if kind not in self.kinds:
                continue
            try:
                drawn = fit.plot(kind, response, lang=self.lang)
            except SinklabError:
                continue
            found[kind] = self.picture(f"{key}-{kind}", drawn, tr(*words))
        return found

    def picture(self, label: str, drawn, caption: str) -> str:
        """A figure as a file beside the page, and the line that shows it."""
        plots.save(drawn, self.folder / f"{label}.png")
        return f"\n![{caption}]({label}.png){{#fig:{label} width=13cm}}\n"

    def notes(self, fit: FitResult) -> list[str]:
        """What is against a fit and what a reader must know of it."""
        failed = [tr(v["message_en"], v["message_zh"]) for v in verdicts(fit) if not v["passed"]]
        lines = [f"✗ {line}" for line in failed] if not self.table else []
        lines += [*speaks_for(fit), *fit.warnings, *sampling_notes(fit)]
        lines += [" ".join(shape_report(fit).split("\n"))] if fit.data is not None else []
        return [blocks.escape(line) for line in lines if line]

    # A table

    def values(self) -> str:
        """Scalar values with their spread."""
        shown = self.table.values.head(MOST)
        return blocks.values(_unnoted, shown, self.lang, "values", tr("Values", "取值"), self.ref)

    def values_figure(self) -> str:
        """Values and intervals, of those with most studies."""
        try:
            return self.picture("values", self.table.plot("values", lang=self.lang), tr("Values", "取值"))
        except SinklabError:
            return ""

    def checks(self) -> str:
        """Checks, those that failed first, with value and threshold."""
        if self.table is None:
            return self.thresholds()
        told = self.table.checks.sort_values("passed", kind="stable").head(MOST)
        rows = [
            [
                "✓" if row["passed"] else "✗",
                blocks.escape(
                    vocabulary.label(row["response"]) if row["response"] else self.named(row["model_id"])
                ),
                blocks.escape(tr(row["message_en"], row["message_zh"])),
                number(row["value"], 4) if row["value"] == row["value"] else "",
                indices.bound(row["comparison"], row["threshold"]),
            ]
            for row in told.fillna({"response": "", "model_id": "", "comparison": ""}).to_dict("records")
        ]
        return self._check_table(rows)

    def named(self, model: str) -> str:
        """Key of a model, where a table has more than one."""
        return model if len(self.fits) > 1 else tr("model", "模型")

    def thresholds(self) -> str:
        """Indices of fits against the thresholds that apply to them."""
        rows = []
        for fit in self.fits:
            for response, row in fit.index_table.iterrows():
                for rule in indices.rules():
                    if rule.systems or not rule.applies(response, "") or rule.quantity not in row:
                        continue
                    value = float(row[rule.quantity])
                    words = [vocabulary.label(response, self.lang), tr(rule.label_en, rule.label_zh)]
                    mark, wanted = (
                        "✓" if rule.met(value) else "✗",
                        indices.bound(rule.comparison, rule.threshold),
                    )
                    rows.append([mark, *map(blocks.escape, words), number(value, 4), wanted])
        return self._check_table(sorted(rows, key=lambda row: row[0] == "✓"))

    def _check_table(self, rows) -> str:
        if not rows:
            return ""
        head = tr(" |of|check|value|wanted", " |对象|检查|值|要求").split("|")
        return blocks.table("checks", tr("Checks", "检查"), head, rows, "cllrr")

    def sources(self) -> list[str]:
        """Where data and printed values come from; study or file, and how many records were used."""
        if self.table:
            found = [s.get("citation") or s["title"] for s in self.table.sources]
        else:
            found = [str(fit.source.get("citation") or fit.source.get("name") or "") for fit in self.fits]
        return [blocks.escape(line) for line in dict.fromkeys(filter(None, found))]

    def links(self) -> list[str]:
        """Files of the table, as links."""
        if not self.files or self.table is None:
            return []
        names = [*(f"{name}.csv" for name in self.table.frames), "datapackage.json", "provenance.json"]
        return [f"[{name}]({self.files}/{name})" for name in names]
