"""Rendering a draft: description and template to Markdown inside a sandbox, Markdown to documents, all or nothing."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path

from sinklab import paths
from sinklab.data.files import write_csv
from sinklab.drafts import description, meaning
from sinklab.drafts.desk import Desk
from sinklab.language import LANGUAGES, DraftError, SinklabError, listing, tr

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
    """What the pages say and look like: language, title, number, watermark, Word document of the drafters."""

    lang: str
    title: str
    number: str
    watermark: str = ""
    reference: Path | None = None

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
        look = Look(lang, *said, drawn.reference)
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
        return environment(through).get_template(name).render(desk.names() | {"draft": draft, "lang": lang})
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
    options = [
        f"--reference-doc={model}",
        f"--output={target}",
        f"--metadata=pages:{_pages(text, look, folder)}",
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
