"""From the Markdown of a draft to Word, HTML and PDF."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sinklab import fonts
from sinklab.drafts import finish, reference
from sinklab.errors import DraftError, listing
from sinklab.language import tr

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
    model, target = folder / "reference.docx", folder / "draft.docx"
    own = look.reference.read_bytes() if look.reference else None
    model.write_bytes(reference.document(look.lang, own))
    _pandoc(text, "docx", look, folder, f"--reference-doc={model}", f"--output={target}")
    return finish.finish(target.read_bytes(), look.lang, look.title, look.number, look.watermark)


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


def _pdf(text, look, folder) -> bytes:
    import typst

    body = _pandoc(text, "typst", look, folder)
    known = {key: getattr(look, key) for key in ("lang", "title", "number", "watermark")}
    # Strings of JSON are strings of typst.
    items = ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in known.items())
    preamble = (LAYOUT / "preamble.typ").read_text(encoding="utf-8")
    source = folder / "draft.typ"
    source.write_text(f"#let draft = ({items}, marks: {look.marks})\n{preamble}\n{body}", encoding="utf-8")
    try:
        return typst.compile(str(source), font_paths=[str(fonts.folder())])
    except RuntimeError as error:
        raise DraftError(tr(f"typst: {error}", f"typst：{error}")) from error


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
