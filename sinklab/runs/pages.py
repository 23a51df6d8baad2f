"""What a reader sees of a job, its executed notebook as a page with its figures, and the offline site.

A page is one HTML file that opens without a server and without the internet. So does the site: a start page of tasks,
the guide, the pages of the systems, the docstrings of the public names. Its pages hold both languages and show one; a
button changes between them. Texts are written once, in the guide and in ``reports/systems``.
"""

import base64
import html as html_text
import io
import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path
from urllib.parse import quote

import sinklab
from sinklab import paths
from sinklab.language import LANGUAGES, RunError, reader_language, tr
from sinklab.runs import kernels

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
#: Forms of an output that need no script, the one that says most first; those that are converted from Markdown.
_FORMS = ("text/html image/svg+xml image/png image/jpeg text/markdown text/latex text/plain").split()
_LATER = ("markdown", "text/markdown", "text/latex")
_NEXT = "SINKLAB-PART-NEXT"


@cache
def template(name: str):
    """Page of this folder that waits to be filled in."""
    from jinja2 import Environment, PackageLoader

    places = PackageLoader("sinklab.runs", "")
    environment = Environment(loader=places, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["soft"] = soft
    return environment.get_template(name)


def soft(text: str):
    """A name or path whose line may end after a stroke, a dot or an underline, rather than within a word."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([_/.@:-]+)(?=\w)", r"\1<wbr>", str(escape(text))))  # noqa: S704 - it is escaped


def _soft_code(html: str) -> str:
    """The same for a name of at least 16 letters that is HTML already."""
    return re.sub(r"([_/.]+)(?=\w)", r"\1<wbr>", html) if len(html) >= 16 and " " not in html else html


def write(notebook: Path, title: dict) -> Path:
    """Write an executed notebook as HTML beside it.

    Code is folded away; what stands in both languages is shown in the reader's, and in the other at a click. Text and
    formulae (MathML), tables, figures and messages stand as in the notebook. Nothing in the file refers to an outside
    address by itself.

    Returns
    -------
    page : Path
    """
    parts: list[dict] = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        parts += [*source_of(cell), *map(output_of, cell.get("outputs", ()))]
    convert(parts)
    for part in parts:
        if part["form"] == "markdown":
            part["text"] = _both(part["text"])
    name, language = " · ".join(dict.fromkeys(title.values())), reader_language()
    page = notebook.with_suffix(".html")
    with paths.atomic_write(page) as stream:
        stream.write(
            template("page.html.j2").render(
                name=name, file=notebook.name, parts=parts, language=language, title=title, tr=tr
            )
        )
    return page


def source_of(cell: dict) -> list[dict]:
    """Text or code of a cell as part of a page; none when it is empty."""
    source, tags = "".join(cell["source"]), cell.get("metadata", {}).get("tags", ())
    part = {"form": cell["cell_type"], "number": cell.get("execution_count") or " ", "tags": tags}
    return [part | {"text": source}] if source.strip() else []


def convert(parts: list[dict]) -> None:
    """Convert the texts among the parts of a page to HTML."""
    later = [part for part in parts if part["form"] in _LATER]
    for part, html in zip(later, _markdown([part["text"] for part in later]), strict=True):
        part["text"] = html


def _markdown(texts: list[str]) -> list[str]:
    """Convert Markdown with TeX formulae to HTML with MathML."""
    if not texts:
        return []
    import pypandoc

    # Jupyter starts lists and headings without a blank line, as GitHub does.
    form = "markdown-yaml_metadata_block+lists_without_preceding_blankline-blank_before_header"
    html = pypandoc.convert_text(
        f"\n\n{_NEXT}\n\n".join(texts), "html", format=form, extra_args=["--mathml", "--wrap=none"]
    )
    parts = html.split(f"<p>{_NEXT}</p>")
    if len(parts) != len(texts):
        # An open block ran over a divider: take the texts one by one.
        parts = [pypandoc.convert_text(t, "html", format=form, extra_args=["--mathml"]) for t in texts]
    return parts


def output_of(output: dict) -> dict:
    """Form and text of an output."""
    kind = output["output_type"]
    if kind in ("stream", "error"):
        text = "".join(output["text"]) if kind == "stream" else "\n".join(output["traceback"])
        return {"form": "said", "text": _COLOUR.sub("", text), "name": output.get("name", kind)}
    form = next((form for form in _FORMS if isinstance(output["data"].get(form), (str, list))), "text/plain")
    return {"form": form, "text": "".join(output["data"].get(form, "")).strip("\n")}


# Figures, and small pictures of them.

#: Longest side of a small picture, in pixels, and how many of them stand for a job.
SIZE, NUMBER = 320, 3


def collect(folder: Path) -> list[Path]:
    """Figures that a job wrote, in ``figures/`` or beside its notebook."""
    found = [p for p in folder.rglob("*") if p.suffix.lower() in (".png", ".svg", ".pdf") and p.is_file()]
    return sorted(found)


def forget_older(folder: Path, started: float) -> None:
    """Remove figures that the run begun at ``started`` did not draw again."""
    for path in collect(folder):
        # File systems keep times to two seconds at worst.
        if path.stat().st_mtime < started - 2:
            path.unlink()


def write_thumbnails(drawn: list[Path], notebook: Path) -> None:
    """Write small pictures of the first figures, else of the first pictures in the executed notebook.

    They lie in ``thumbnails.json`` beside the notebook: names, and ``data:`` addresses of a few kilobytes.
    """
    sources = [(path.name, path.read_bytes()) for path in drawn if path.suffix.lower() == ".png"]
    sources = sources or [("", raw) for raw in _pictures(notebook)]
    found = [[name, _small(raw)] for name, raw in sources[:NUMBER]]
    with paths.atomic_write(notebook.parent / "thumbnails.json") as stream:
        json.dump(found, stream)


def read_thumbnails(folder: Path) -> list[tuple[str, str]]:
    """Name and address of the small pictures of a job; none when there are none."""
    try:
        return [(name, uri) for name, uri in json.loads((folder / "thumbnails.json").read_text("utf-8"))]
    except (OSError, ValueError):
        return []


def _pictures(notebook: Path) -> list[bytes]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    encoded = [output.get("data", {}).get("image/png") for output in outputs]
    return [base64.b64decode("".join(text)) for text in encoded if text]


def _small(raw: bytes) -> str:
    from PIL import Image

    with Image.open(io.BytesIO(raw)) as picture:
        layers = picture.convert("RGBA")
    flat = Image.new("RGB", layers.size, "white")
    flat.paste(layers, mask=layers.getchannel("A"))
    flat.thumbnail((SIZE, SIZE))
    stream = io.BytesIO()
    flat.save(stream, "JPEG", quality=72, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


# The offline site

START, REFERENCE = "index.html", "reference/sinklab.html"
#: Chapters that notebooks use beside the public names, and the chapters of the systems.
_CHAPTERS = ("plots", "evidence.knowledge", "propagate.stands", "runs.magic")
_BETWEEN, _CHINESE = " · ", re.compile("[\u3400-\u9fff]")
_TEXT = re.compile(r"<(p|li|h[1-4]|td|th)([^>]*)>((?:(?!<\1[ >]).)*?)</\1>", re.S)
#: Leads from the functions back to the tasks.
_LOGO = "data:image/svg+xml," + quote(
    '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="36"><text y="24" font-size="18" fill="#1f7a4d" '
    'font-family="sans-serif">← 全部任务 · All tasks</text></svg>'
)
#: Seconds for one page of the guide.
LIMIT = 600


def sources() -> dict[Path, str]:
    """Files that become pages, and the address of each within the site."""
    guide = paths.notebooks("guide")
    found = {guide / f"start_{code}.md": START for code in LANGUAGES}
    for path in sorted([*guide.glob("*.ipynb"), *guide.glob("*.md")]):
        found.setdefault(path, f"guide/{path.stem}.html")
    texts = sorted([*paths.reports("systems").glob("*.md"), *paths.reports().glob("*.md")])
    return found | {path: f"{path.parent.name}/{path.stem}.html" for path in texts}


def write_site(execute: bool = True) -> Path:
    """Write the site into ``reports/site``, in place of an earlier one.

    Parameters
    ----------
    execute : bool
        Whether the pages of the guide are executed, once in each language, in a copy of the workbench, and show
        their results; otherwise they are shown as they are stored.

    Returns
    -------
    start : Path
        The start page.

    Raises
    ------
    RunError
        A page of the guide does not run, or a link leads nowhere; an earlier site stays.
    """
    place = paths.reports("site")
    place.parent.mkdir(parents=True, exist_ok=True)
    known = sources()
    told = _executed([path for path in known if path.suffix == ".ipynb"]) if execute else {}
    with paths.atomic_folder(place) as work:
        for address in dict.fromkeys(known.values()):
            own = [path for path, one in known.items() if one == address]
            parts = [part for path in own for part in _parts(path, told, known)]
            page = work / address
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(_page(address, parts, known), encoding="utf-8", newline="\n")
        _write_reference(work / REFERENCE)
    return place / START


def _parts(path: Path, told: dict, known: dict[Path, str]) -> list[dict]:
    """What a page shows: texts in both languages, code, and the results of each language's execution."""
    parts = []
    if path.suffix == ".ipynb":
        runs = {code: told[path, code] for code in LANGUAGES if (path, code) in told}
        runs = runs or {"": json.loads(path.read_text(encoding="utf-8"))["cells"]}
        for cells in zip(*runs.values(), strict=True):
            parts += source_of(cells[0])
            for code, cell in zip(runs, cells, strict=True):
                parts += [output_of(output) | {"lang": code} for output in cell.get("outputs", ())]
    else:
        code = path.stem.rpartition("_")[2]
        lang = code if code in LANGUAGES else ""
        parts = [{"form": "markdown", "text": path.read_text(encoding="utf-8"), "lang": lang}]
    convert(parts)
    for part in parts:
        if part["form"] == "markdown":
            text = re.sub(r'href="([^"]+)"', lambda m: f'href="{_moved(path, m[1], known)}"', part["text"])
            # Long names of functions and tables end a line after a dot or an underline.
            text = re.sub(
                r"(?<!<pre>)<code>([^<]*)</code>", lambda m: f"<code>{_soft_code(m[1])}</code>", text
            )
            part["text"] = text if part.get("lang") else _both(text)
    return parts


def _page(address: str, parts: list[dict], known: dict[Path, str]) -> str:
    """One page; its head leads to the start, the pages before and after, and the public names."""
    up, guide = "../" * address.count("/"), [own for path, own in known.items() if path.suffix == ".ipynb"]
    links = {"start": up + START, "reference": up + REFERENCE}
    if address in guide:
        at = guide.index(address)
        links |= {"before": at and up + guide[at - 1], "next": at + 1 < len(guide) and up + guide[at + 1]}
    heads = [
        re.sub(r"<[^>]+>", "", part["text"].partition("<h1")[2].partition(">")[2].partition("</h1>")[0])
        for part in parts
        if part["form"] == "markdown" and "<h1" in part["text"]
    ]
    return template("page.html.j2").render(
        name=_BETWEEN.join(heads), file="", parts=parts, tr=tr, site=links, language=reader_language()
    )


def _moved(source: Path, href: str, known: dict[Path, str]) -> str:
    """Address within the site of what a text links to; addresses of the internet stay as they are."""
    if "://" in href or href.startswith("#"):
        return href
    name, _, anchor = href.partition("#")
    target = Path(os.path.normpath(source.parent / name))
    if target == paths.reports("systems"):
        target = next(iter(known))  # the start page lists them
    if target not in known:
        raise RunError(
            f"{paths.relative(source)}: the link {href} leads to no page of the site; link to a page of the guide or"
            " of a system",
            f"{paths.relative(source)}：链接 {href} 不指向站内任何页面；请改为指南或系统说明中的页面",
        )
    moved = Path(os.path.relpath(known[target], Path(known[source]).parent)).as_posix()
    return f"{moved}#{anchor}" if anchor else moved


def _both(html: str) -> str:
    """Mark what of a text is Chinese and what is English; what has one wording alone is shown in both languages.

    Two wordings stand in one element with `` · `` between them, or in paragraphs after each other.
    """
    html = _TEXT.sub(_divided, html)
    plain = re.compile(r"<p>((?:(?!</p>|<span class=\"zh\">).)*)</p>", re.S)
    told = {bool(_CHINESE.search(match[1])) for match in plain.finditer(html)}
    if len(told) < 2:
        return html
    return plain.sub(lambda m: f'<p class="{"zh" if _CHINESE.search(m[1]) else "en"}">{m[1]}</p>', html)


def _divided(match: re.Match) -> str:
    """Put the two wordings of an element into spans of their own."""
    tag, more, inner = match.groups()
    for found in re.finditer(_BETWEEN, inner):
        left, right = inner[: found.start()], inner[found.end() :]
        closed = left.count("</") == len(re.findall(r"<(?!wbr|br|img)[a-zA-Z]", left))
        if closed and _CHINESE.search(left) and not _CHINESE.search(right):
            # What the Chinese wording is about, named before its colon, is that of the English one too.
            about = re.match(r"(<code>[^<]*</code>)：", left)
            right = f"{about[1]}: {right}" if about and about[1] not in right else right
            return f'<{tag}{more}><span class="zh">{left}</span><span class="en">{right}</span></{tag}>'
    return match[0]


# What the guide says when it is executed.


def _executed(notebooks: list[Path]) -> dict[tuple[Path, str], list[dict]]:
    """Cells of every page of the guide after its execution, by file and language."""
    with ThreadPoolExecutor(len(LANGUAGES)) as both:
        return {
            key: cells for done in both.map(_read_aloud, LANGUAGES, [notebooks] * 2) for key, cells in done
        }


def _read_aloud(code: str, notebooks: list[Path]) -> list[tuple[tuple[Path, str], list[dict]]]:
    """Execute the guide in one language, in a copy of what it reads, so that nothing of the workbench is touched."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    done = []
    with paths.private("guide") as folder:
        root = Path(folder).resolve() / "sinklab"
        shutil.copytree(paths.data(), root / "data", ignore=shutil.ignore_patterns("open"))
        shutil.copytree(paths.notebooks(), root / "notebooks")
        for room in ("drafts", "templates"):
            shutil.copytree(paths.reports(room), root / "reports" / room)
        (root / "params").mkdir()
        chosen = kernels.environment(root) | {"SINKLAB_LANG": code, "MPLBACKEND": kernels.INLINE}
        for path in notebooks:
            notebook = nbformat.read(path, as_version=4)
            client = NotebookClient(
                notebook, timeout=LIMIT, kernel_name="python3", resources={"metadata": {"path": str(root)}}
            )
            try:
                client.execute(env=os.environ | chosen)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                said = str(error).strip().splitlines()[-1][:300]
                raise RunError(
                    f"{paths.relative(path)} does not run: {said}; mend it, or take it as stored with --stored",
                    f"{paths.relative(path)} 运行失败：{said}；请修正，或用 --stored 按存储的样子生成",
                ) from error
            # A place in a private folder would mean nothing to a reader.
            text = nbformat.writes(notebook).replace(json.dumps(f"{root}{os.sep}")[1:-1], "")
            done.append(((path, code), json.loads(text)["cells"]))
    return done


# The docstrings.


def placeless(text: str) -> str:
    """A page of functions without the place where a module lies that is a default: its name says all."""
    # Signatures are set letter by letter; between the two brackets stand spans alone.
    return re.sub(
        r"(?:&lt;|<)(?:</?span[^>]*>)*module(?:(?!&gt;).){1,400}?(?:'|&#39;)(\w+)(?:'|&#39;).{1,500}?site-packages.{1,300}?&gt;",
        r"\1",
        text,
    )


#: Formulae of docstrings as pdoc leaves them to a script of the internet.
_FORMULA = re.compile(r"\\\(([^<]+?)\\\)|\$\$([^<]+?)\$\$", re.S)


def formulae(html: str) -> str:
    """A page whose formulae are MathML, which needs no script."""
    found = [
        html_text.unescape(f"${m[1].strip()}$" if m[1] else f"$${m[2].strip()}$$")
        for m in _FORMULA.finditer(html)
    ]
    told = iter(_markdown(found))
    return _FORMULA.sub(lambda _: next(told).strip().removeprefix("<p>").removesuffix("</p>"), html)


def _name_types(module) -> None:
    """Have signatures name ``ArrayLike``, rather than list what it stands for."""
    from inspect import formatannotation

    from numpy.typing import ArrayLike

    def short(annotation):
        return re.sub(r"\btyping\.", "", formatannotation(annotation))

    long = short(ArrayLike)
    inner = long.partition("[")[2].removesuffix("]")

    def named(annotation):
        told = short(annotation)
        if inner not in told:
            return annotation
        told = told.replace(long, "ArrayLike").replace(inner, "ArrayLike")
        return type(told, (), {"__module__": "builtins", "__qualname__": told})

    for function in [*module.functions, *(f for one in module.classes for f in one.methods)]:
        said = function.signature
        arguments = [one.replace(annotation=named(one.annotation)) for one in said.parameters.values()]
        function.__dict__["signature"] = type(said)(
            arguments, return_annotation=named(said.return_annotation)
        )


def _write_reference(first: Path) -> None:
    """Write a page of the public names and one of each chapter that notebooks use."""
    import pdoc.doc
    import pdoc.render

    for name in sinklab.__all__:
        getattr(sinklab, name)
    systems = sorted(Path(sinklab.__file__).parent.joinpath("systems").glob("[a-z]*.py"))
    names = [
        "sinklab",
        *(f"sinklab.{name}" for name in _CHAPTERS),
        *(f"sinklab.systems.{p.stem}" for p in systems),
    ]
    told = {name: pdoc.doc.Module(import_module(name)) for name in names}
    words = {"show_source": False, "footer_text": "docstrings are in English · 函数说明为英文"}
    for name, module in told.items():
        page = first.parent / f"{name.replace('.', '/')}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        back = "../" * (1 + name.count(".")) + START
        pdoc.render.configure(docformat="numpy", logo=_LOGO, logo_link=back, **words)
        _name_types(module)
        text = formulae(placeless(pdoc.render.html_module(module, told)))
        page.write_text(text, encoding="utf-8", newline="\n")
    (first.parent / "search.js").write_text(
        placeless(pdoc.render.search_index(told)), encoding="utf-8", newline="\n"
    )
