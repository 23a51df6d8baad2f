"""Rendering a draft: description and template to Markdown inside a sandbox, Markdown to documents, all or nothing.

The page of a table or of one fit (equations, numbers, checks passed and failed, figures, origin) is rendered here too: its
words stand in ``reports/templates/page``, and it is HTML for a browser, Word for a report, or PDF.
"""

import json
import math
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from sinklab import paths, plots
from sinklab.data import vocabulary
from sinklab.data.files import write_csv
from sinklab.drafts import blocks, description, meaning
from sinklab.drafts.desk import Desk, trees_of
from sinklab.language import (
    LANGUAGES,
    DraftError,
    SinklabError,
    listing,
    number,
    reader_language,
    speaking,
    tr,
)
from sinklab.results import indices
from sinklab.results.fit_result import FitResult
from sinklab.results.summary import (
    sampling_notes,
    shape_report,
    speaks_for,
    values_sentence,
    verdicts,
    wholes,
)
from sinklab.tables.package import printed_source
from sinklab.tables.schema import BINARY, DESCRIPTOR, readable, status_label, subject_label
from sinklab.tables.table import Table

FORMATS = ("docx", "html", "pdf")
LAYOUT = Path(__file__).resolve().parent / "layout"
#: No raw HTML, TeX or Word code from templates and descriptions, no guessing of quotes and dashes.
READER = (
    "markdown+table_attributes+east_asian_line_breaks-raw_html-raw_tex-raw_attribute-smart-auto_identifiers"
)
#: What is wrong with a draft, as the filters report it.
PROBLEMS = {
    "unresolved": ("[@{}] refers to nothing", "[@{}] 没有对应的对象"),
    "leftover": (
        "{} was left in the text: write [@kind:name] with brackets",
        "正文中残留 {}：引用应写作 [@kind:name]",
    ),
    "twice": ("{} is defined twice", "{} 定义了两次"),
    "uncited": ("{} is never mentioned in the text", "正文中没有提及 {}"),
    "unnumbered": ("a {} without identifier (#tbl:… or #fig:…)", "有 {} 缺少标识（#tbl:… 或 #fig:…）"),
    "annex": (
        "annex “{}” needs kind=normative or kind=informative",
        "附录“{}”须注明 kind=normative 或 informative",
    ),
    "annexes": ("{}: more than eight annexes", "{}：附录多于八个"),
    "level": ("heading “{}” is deeper than three levels", "标题“{}”超过三级"),
    "picture": ("picture {} is not one of the draft's own figures", "图片 {} 不是本稿生成的图"),
}
#: Template of the explanation of drafting: basis, data, checks, values set, opinions. Every draft gets one.
EXPLANATION = "explanation"
#: Watermarks: numbers from simulated data, and other previews.
DEMONSTRATION = {"zh": "演示数据", "en": "DEMONSTRATION"}
PREVIEW = {"zh": "预览稿", "en": "PREVIEW"}


@dataclass(frozen=True)
class Look:
    """What the pages say and look like: language, title, number, watermark, Word document of the drafters.

    ``tables`` are the versions that the numbers come from; a Word file keeps them among its properties, where they
    come back with it from whoever edited the text.
    """

    lang: str
    title: str
    number: str
    watermark: str = ""
    reference: Path | None = None
    tables: tuple[str, ...] = ()

    @property
    def marks(self) -> float:
        """Width of the watermark in letters."""
        return sum(1.0 if ord(letter) > 0x2E80 else 0.6 for letter in self.watermark) or 1.0


def render(
    name: str, lang: str = "zh", formats: str | Sequence[str] = FORMATS, preview: bool | None = None
) -> dict[str, Path]:
    """Render a draft of ``reports/drafts/<name>.yml`` to ``reports/drafts/<name>/<name>.<lang>.<format>``.

    Those of a preview are called ``<name>.<lang>.preview.<format>``. Beside the documents stand the explanation of
    drafting (``….explanation.<format>``) and ``….numbers.csv``, which lists every printed number with its table.

    Parameters
    ----------
    name : str
    lang : "zh" or "en"
    formats : sequence of "docx", "html", "pdf"
    preview : bool, optional
        Watermarked, whatever the status of the numbers. As the description says when left out.

    Returns
    -------
    files : dict of format to Path

    Raises
    ------
    DraftError
        A final rendering prints numbers whose status is not good enough; tables, references or names
        that do not exist; anything else wrong in description or template. Files made before stay.

    Examples
    --------
    >>> try:
    ...     files = sl.render('methodology_grassland', 'zh', 'html', preview=True)
    ... except sl.SinklabError as error:
    ...     print(str(error).splitlines()[0])
    draft methodology_grassland, tables:
    """
    formats = checked(lang, formats)
    drawn = description.read(name)
    preview = drawn.preview if preview is None else preview
    with paths.private("draft") as place:
        folder = Path(place)
        desk = Desk(drawn, lang, folder)
        draft = drawn.localised(lang) | {"preview": preview}
        markdown = write(desk, drawn.template, lang, draft)
        if not preview:
            desk.citations.require(drawn.minimum_status, name)
            meaning.require(desk, draft, markdown, lang, name)
        numbers = desk.citations.frame()
        said = str(draft["title"]), str(draft.get("number", "")), _watermark(desk, lang, preview)
        look = Look(lang, *said, drawn.reference, tuple(drawn.tables.values()))
        made = {to: convert(markdown, to, look, folder) for to in formats}
        told = write(desk, EXPLANATION, lang, draft)
        notes = {to: convert(told, to, look, folder) for to in formats}
    target, stem = paths.reports("drafts", name), f"{name}.{lang}{'.preview' if preview else ''}"
    written = save(made, target, stem)
    save(notes, target, f"{stem}.{EXPLANATION}")
    write_csv(numbers, target / f"{stem}.numbers.csv")
    return written


def checked(lang: str, formats, known=FORMATS, kind=("draft", "文稿")) -> tuple[str, ...]:
    """Formats to make, when they and the language are among those there are.

    Raises
    ------
    DraftError
        They are not; ``kind`` says of what, in English and Chinese.
    """
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    if lang not in LANGUAGES or not formats or {*formats} - {*known}:
        raise DraftError(
            f"{kind[0]} in {lang!r} to {formats}: languages are {', '.join(LANGUAGES)}; formats {', '.join(known)}",
            f"{kind[1]}语言 {lang!r}、格式 {formats}：语言应为 {'、'.join(LANGUAGES)}，格式应为 {'、'.join(known)}",
        )
    return formats


def save(made: dict[str, bytes], folder: Path, name: str) -> dict[str, Path]:
    """Write the formats of a document as ``<name>.<format>``."""
    written = {to: folder / f"{name}.{to}" for to in made}
    for to, path in written.items():
        with paths.atomic_write(path, "wb") as stream:
            stream.write(made[to])
    return written


def _watermark(desk, lang, preview) -> str:
    if not preview:
        return ""
    return (DEMONSTRATION if "demonstration" in desk.citations.statuses() else PREVIEW)[lang]


# Template and tables to Markdown


def environment(through=lambda loader: loader):
    """Jinja environment whose templates reach text and the functions of the desk, and nothing else.

    ``through`` makes the loader that is used from the one that reads ``reports/templates``.
    """
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        loader=through(FileSystemLoader(paths.reports("templates"), encoding="utf-8")),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # "{#" begins an identifier of Markdown, {#sec:scope}.
        comment_start_string="{##",
        comment_end_string="##}",
    )


def write(desk: Desk, template: str, lang: str, draft: dict, through=lambda loader: loader) -> str:
    """Fill in a template.

    Parameters
    ----------
    desk : Desk
    template : str
        Folder of ``reports/templates``.
    lang : "zh" or "en"
    draft : dict
        Description in that language; the template reads it as ``draft``.
    through : function, optional
        See :func:`environment`.

    Returns
    -------
    text : str
        Markdown.

    Raises
    ------
    DraftError
        With the line of the template: an unknown name, a syntax error, an attempt to leave the sandbox.
    """
    from jinja2 import TemplateError, TemplateNotFound

    name = f"{template}/{lang}.md"
    try:
        with vocabulary.words_of(desk.ecosystem):
            return (
                environment(through).get_template(name).render(desk.names() | {"draft": draft, "lang": lang})
            )
    except TemplateNotFound as error:
        raise DraftError(
            f"reports/templates has no {error.name}", f"reports/templates 中没有 {error.name}"
        ) from error
    except TemplateError as error:
        raise DraftError(f"{_place(error, name)}: {error.message or error}") from error
    except SinklabError as error:
        raise DraftError(f"{_place(error, name)}: {error}") from error
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        # A function of the desk was called with what it does not know.
        raise DraftError(f"{_place(error, name)}: {type(error).__name__}: {error}") from error


def _place(error, name: str) -> str:
    """Template and line in which something went wrong."""
    found = name, getattr(error, "lineno", None)
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename.replace("\\", "/")
        if "/templates/" in file and file.endswith(".md"):
            found = file.partition("/templates/")[2], trace.tb_lineno
        trace = trace.tb_next
    path, line = found
    return f"reports/templates/{path}" + (f", {tr('line', '第')} {line}{tr('', ' 行')}" if line else "")


# Markdown to Word, HTML and PDF


def convert(text: str, to: str, look: Look, folder: Path) -> bytes:
    """Make one format of a draft.

    Parameters
    ----------
    text : str
        Markdown.
    to : "docx", "html" or "pdf"
    look : Look
    folder : Path
        Holds the figures; used for work files.

    Returns
    -------
    raw : bytes

    Raises
    ------
    DraftError
        References that lead nowhere or were left in the text, tables never mentioned, foreign pictures.
    """
    return {"docx": _docx, "html": _html, "pdf": _pdf}[to](text, look, folder)


def _docx(text, look, folder) -> bytes:
    from sinklab.drafts import word

    model, target = folder / "reference.docx", folder / "draft.docx"
    own = look.reference.read_bytes() if look.reference else None
    model.write_bytes(word.document(look.lang, own))
    properties = folder / "properties.json"
    properties.write_text(json.dumps({"keywords": look.tables}), encoding="utf-8")
    options = [
        f"--reference-doc={model}",
        f"--output={target}",
        f"--metadata=pages:{_pages(text, look, folder)}",
        f"--metadata-file={properties}",
    ]
    _pandoc(text, "docx", look, folder, *options)
    return word.finish(target.read_bytes(), look.lang, look.title, look.number, look.watermark, look.marks)


def _html(text, look, folder) -> bytes:
    options = ["--standalone", "--embed-resources", "--mathml", f"--template={LAYOUT / 'page.html'}"]
    options += (
        [f"--variable=watermark:{look.watermark}", f"--variable=marks:{look.marks:g}"]
        if look.watermark
        else []
    )
    return _pandoc(text, "html5", look, folder, *options, f"--metadata=pagetitle:{look.title}").encode(
        "utf-8"
    )


@lru_cache(maxsize=2)
def _set(text, look, folder):
    """The draft as typst reads it, ready to be set or asked for its pages.

    Raises
    ------
    DraftError
        Letters that neither the font of the house nor any of this machine has: they would print as boxes.
    """
    import typst

    body = _pandoc(text, "typst", look, folder)
    lacking = _lacking({letter for letter in body + look.title if letter > "\u2e80"})
    if lacking:
        raise DraftError(
            f"no font has the letters {lacking}: install one that does, such as Noto Serif CJK SC",
            f"没有字体含有下列字：{lacking}；请安装含有这些字的字体，如 Noto Serif CJK SC",
        )
    known = {key: getattr(look, key) for key in ("lang", "title", "number", "watermark")}
    # Strings of JSON are strings of typst.
    items = ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in known.items())
    preamble = (LAYOUT / "preamble.typ").read_text(encoding="utf-8")
    source = folder / "draft.typ"
    source.write_text(f"#let draft = ({items}, marks: {look.marks})\n{preamble}\n{body}", encoding="utf-8")
    return typst.Compiler(str(source), font_paths=[str(paths.folder())])


def _lacking(letters: set[str]) -> str:
    """Letters that no font has; those of the machine are looked at only for what the font of the house lacks."""
    import typst
    from fontTools.ttLib import TTFont

    house = [(str(file), -1) for file in sorted(paths.folder().glob("*.otf"))]
    rest = {ord(letter) for letter in letters}
    for path, index in chain(house, ((f.path, f.index) for f in typst.Fonts().fonts() if f.path)):
        if not rest:
            break
        with TTFont(path, fontNumber=index, lazy=True) as font:
            rest -= font.getBestCmap().keys()
    return "".join(map(chr, sorted(rest)))


def _pdf(text, look, folder) -> bytes:
    try:
        return _set(text, look, folder).compile()
    except RuntimeError as error:
        raise DraftError(f"typst: {error}", f"typst：{error}") from error


def _pages(text, look, folder) -> str:
    """Pages of the headings as the PDF has them, for the contents of the Word document.

    "" where there are none, or the draft cannot be set as a PDF: Word needs no PDF and counts itself when told to.
    """
    try:
        found = json.loads(_set(text, look, folder).query("<pages>", field="value"))
    except (RuntimeError, DraftError):
        return ""
    return " ".join(found[0]) if found else ""


def _pandoc(text, to, look, folder, *options) -> str:
    import pypandoc

    command = [pypandoc.get_pandoc_path(), f"--from={READER}", f"--to={to}", f"--metadata=lang:{look.lang}"]
    command += [f"--lua-filter={LAYOUT / 'crossref.lua'}", f"--lua-filter={LAYOUT / 'blocks.lua'}"]
    command += [f"--resource-path={folder}", *options]
    # pandoc stamps documents with this time.
    environment = os.environ | {"SOURCE_DATE_EPOCH": "946684800"}
    run = subprocess.run(
        command, input=text.encode("utf-8"), capture_output=True, cwd=folder, env=environment, check=False
    )
    said = run.stderr.decode("utf-8", "replace")
    if run.returncode:
        raise DraftError(_told(said))
    return run.stdout.decode("utf-8")


def _told(said: str) -> str:
    """Turn the lines of the filters into sentences; other failures speak for themselves."""
    problems = []
    for line in said.splitlines():
        mark, _, rest = line.partition("\t")
        kind, _, what = rest.partition("\t")
        if mark == "draft-problem" and kind in PROBLEMS:
            problems.append(tr(*(wording.format(what) for wording in PROBLEMS[kind])))
    return listing(problems) if problems else f"pandoc: {said.strip()}"


# The page of a table or of one fit


#: Values and checks that one page shows; files hold the others.
MOST = 400
#: Methods of fits in words.
METHODS = {
    "ols-log": ("least squares on logarithms", "对数线性最小二乘"),
    "wls": ("weighted nonlinear least squares", "加权非线性最小二乘"),
    "nsur": ("simultaneous equations, nonlinear SUR", "误差相关的非线性联立方程组"),
    "mixed": ("mixed-effects model", "混合效应模型"),
    "bayes": ("Bayesian posterior", "贝叶斯后验"),
    "pooled": ("pooled over studies", "按研究合并"),
}
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
        template = environment().get_template(f"page/{lang}.md")
        try:
            with vocabulary.words_of(page.ecosystem):
                text = template.render(page.names())
        except SinklabError as error:
            raise DraftError(f"reports/templates/page/{lang}.md: {error}") from error
        made = convert(text, to, Look(lang, page.title, page.ref), Path(place))
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
    return checked(reader_language(), ending, kind=("report", "报告"))[0]


def _caption_of(picture: Path) -> str:
    """What a picture shows, as :func:`sinklab.plots.save` kept it; the name of its file when it tells nothing."""
    from PIL import Image

    with Image.open(picture) as found:
        said = str(found.info.get("Title") or "")
    return said[:1].upper() + said[1:] or picture.stem.replace("_", " ")


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
        known = {self.table.ecosystem} if self.table else {fit.ecosystem for fit in self.fits}
        self.ecosystem = known.pop() if len(known) == 1 else ""
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
                f"\n![{blocks.escape(_caption_of(path))}](picture{i}.png){{#fig:picture{i} width=14cm}}\n"
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
        # Pooled equations have no trees to be judged by.
        judged = fit.index_table.notna().any(axis=None)
        made = {
            name: part(_unnoted, fit, self.lang, f"{key}-{name}", tr(*captions[name]))
            for name, part in parts.items()
            if (name != "ranges" or fit.ranges) and (name != "indices" or judged)
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
        known = METHODS.get(fit.method)
        method = f"{tr(*known)} ({fit.method})" if known else fit.method
        likelihood = f"ln L = {fit.loglik:.4f}" if math.isfinite(fit.loglik) else ""
        return tr(
            f"Method: {', '.join(filter(None, (method, done, likelihood)))}.",
            f"方法：{'，'.join(filter(None, (method.replace(' (', '（').replace(')', '）'), done, likelihood)))}。",
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
            caption = tr(*words)
            found[kind] = self.picture(f"{key}-{kind}", drawn, caption[:1].upper() + caption[1:])
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
        shown, told = (
            self.table.values.head(MOST),
            [values_sentence(self.table.values, self.table.provenance.data)],
        )
        caption = tr("Values", "取值")
        return blocks.values(_unnoted, shown, self.lang, "values", caption, self.ref, notes=told)

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
        told = self.table.checks.sort_values("passed", kind="stable")
        told = told.fillna({"response": "", "model_id": "", "comparison": ""})
        # Values that passed one and the same check share a row.
        alike = told[told["passed"].astype(bool) & told["response"].str.contains("[", regex=False)]
        same = ["check_id", "message_en"]
        many = alike.groupby(same)["response"].transform("size").reindex(told.index, fill_value=0)
        first = ~alike.duplicated(same).reindex(told.index, fill_value=False)
        rows = []
        for row, n in zip(told[first].head(MOST).to_dict("records"), many[first].head(MOST), strict=True):
            about = subject_label(row["response"]) if row["response"] else self.named(row["model_id"])
            value = number(row["value"], 4) if row["value"] == row["value"] and n < 2 else ""
            about = tr(f"{n:g} values", f"{n:g} 个取值") if n > 1 else about
            said = [about, readable(tr(row["message_en"], row["message_zh"]))]
            bound = indices.bound(row["comparison"], row["threshold"])
            rows.append(["✓" if row["passed"] else "✗", *map(blocks.escape, said), value, bound])
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
            found = [printed_source(s, self.lang) for s in self.table.sources]
        else:
            found = [str(fit.source.get("citation") or fit.source.get("name") or "") for fit in self.fits]
        return [blocks.escape(line) for line in dict.fromkeys(filter(None, found))]

    def links(self) -> list[str]:
        """Files of the table, as links."""
        if not self.files or self.table is None:
            return []
        tables = (BINARY[name][0] if name in BINARY else f"{name}.csv" for name in self.table.frames)
        names = [*tables, DESCRIPTOR, BINARY["provenance"][0]]
        return [f"[{name}]({self.files}/{name})" for name in names]
