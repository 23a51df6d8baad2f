"""What a reader sees of a job: its executed notebook as a page, its figures, and small pictures for the index.

A page is one HTML file that opens without a server and without the internet.
"""

import base64
import io
import json
import re
from functools import cache
from pathlib import Path

from sinklab import paths
from sinklab.language import tr

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


def write(notebook: Path, title: dict) -> Path:
    """Write an executed notebook as HTML beside it.

    Code is folded away; text and formulae (MathML), tables, figures and messages stand as in the
    notebook. Nothing in the file refers to an outside address by itself.

    Returns
    -------
    page : Path
    """
    parts: list[dict] = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        parts += [*source_of(cell), *map(output_of, cell.get("outputs", ()))]
    convert(parts)
    name = " · ".join(dict.fromkeys(title.values()))
    page = notebook.with_suffix(".html")
    with paths.atomic_write(page) as stream:
        stream.write(template("page.html.j2").render(name=name, file=notebook.name, parts=parts, tr=tr))
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
