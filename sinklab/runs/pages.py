"""What a reader sees of a job: its executed notebook as a page, its figures, and small pictures for the index.

A page is one HTML file that opens without a server and without the internet.
"""

import base64
import io
import json
import re
from html import escape
from pathlib import Path

from sinklab import paths
from sinklab.language import tr

_MARK = "SINKLAB-PART-{}"
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STYLE = """
:root{color-scheme:light}
body{font:16px/1.7 "Times New Roman","SimSun","Noto Serif CJK SC",serif;max-width:60em;margin:2em auto;padding:0 1em;color:#1c2420}
h1,h2,h3,summary,header{font-family:"Segoe UI","Microsoft YaHei","Noto Sans CJK SC","PingFang SC",sans-serif}
h1{font-size:1.5em}h2{font-size:1.25em;margin-top:1.8em}h3{font-size:1.05em}
header{color:#5a6b62;border-bottom:1px solid #cfd8d3;font-size:.85em;padding-bottom:.4em}
details.code{margin:.8em 0}details.code>summary{color:#5a6b62;cursor:pointer;font-size:.8em}
pre{font:13px/1.5 Consolas,"DejaVu Sans Mono","Noto Sans Mono CJK SC",monospace;background:#f4f6f5;padding:.7em .9em;overflow-x:auto;border-radius:4px}
pre{margin:.4em 0;white-space:pre-wrap}
pre.stderr{background:#fdf6e3}pre.error{background:#fdecea;color:#8c1d18}
.output{margin:.6em 0;overflow-x:auto}
table{border-collapse:collapse;font-size:.9em;margin:.6em 0}td,th{border:1px solid #cfd8d3;padding:.25em .6em;text-align:right}
thead th{background:#eef2f0}img,svg{max-width:100%;height:auto}math{font-size:1.1em}
"""


def write(notebook: Path, title: dict) -> Path:
    """Write an executed notebook as HTML beside it.

    Code is folded away; text and formulae (MathML), tables, figures and messages stand as in the
    notebook. Nothing in the file refers to an outside address by itself.

    Returns
    -------
    page : Path
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    collected: list[str] = []
    body = "\n".join(filter(None, (_cell(cell, collected) for cell in cells)))
    for position, html in enumerate(_markdown(collected)):
        body = body.replace(f"<!--{_MARK.format(position)}-->", html)
    name = escape(" · ".join(dict.fromkeys(title.values())))
    page = notebook.with_suffix(".html")
    with paths.atomic_write(page) as stream:
        stream.write(
            f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{name}</title>\n'
            f"<style>{_STYLE}</style></head>\n<body>\n<header>{name} — {escape(notebook.name)}</header>\n"
            f"{body}\n</body></html>\n"
        )
    return page


def _cell(cell: dict, collected: list[str]) -> str:
    source = "".join(cell["source"])
    if not source.strip():
        return ""
    if cell["cell_type"] == "markdown":
        return _later(source, collected)
    if cell["cell_type"] != "code":
        return f"<pre>{escape(source)}</pre>"
    number = cell.get("execution_count") or " "
    tags = cell.get("metadata", {}).get("tags", ())
    label = {
        "parameters": tr("default parameters", "默认参数"),
        "injected-parameters": tr("parameters", "参数"),
    }
    name = next((label[tag] for tag in tags if tag in label), tr("code", "代码"))
    shown = " open" if "injected-parameters" in tags else ""
    code = f'<details class="code"{shown}><summary>[{number}] {name}</summary><pre>{escape(source)}</pre></details>'
    return code + "".join(_output(output, collected) for output in cell.get("outputs", ()))


def _later(markdown: str, collected: list[str]) -> str:
    """Leave a mark where the HTML of a Markdown text will stand; one converter call serves them all."""
    collected.append(markdown)
    return f"<!--{_MARK.format(len(collected) - 1)}-->"


def _markdown(texts: list[str]) -> list[str]:
    """Convert Markdown with TeX formulae to HTML with MathML."""
    if not texts:
        return []
    import pypandoc

    divider = "\n\n" + _MARK.format("NEXT") + "\n\n"
    # Jupyter starts lists and headings without a blank line, as GitHub does.
    form = "markdown-yaml_metadata_block+lists_without_preceding_blankline-blank_before_header"
    html = pypandoc.convert_text(
        divider.join(texts), "html", format=form, extra_args=["--mathml", "--wrap=none"]
    )
    parts = html.split("<p>" + _MARK.format("NEXT") + "</p>")
    if len(parts) != len(texts):
        # An open block ran over a divider: take the texts one by one.
        parts = [pypandoc.convert_text(t, "html", format=form, extra_args=["--mathml"]) for t in texts]
    return parts


def _output(output: dict, collected: list[str]) -> str:
    kind = output["output_type"]
    if kind == "stream":
        text = _COLOUR.sub("", "".join(output["text"]))
        return f'<pre class="{escape(output["name"])}">{escape(text)}</pre>'
    if kind == "error":
        text = _COLOUR.sub("", "\n".join(output["traceback"]))
        return f'<pre class="error">{escape(text)}</pre>'
    data = {name: "".join(value) for name, value in output["data"].items() if isinstance(value, (str, list))}
    return f'<div class="output">{_richest(data, collected)}</div>'


def _richest(data: dict[str, str], collected: list[str]) -> str:
    """Form of an output that says most, of those that need no script."""
    if "text/html" in data:
        return data["text/html"]
    if "image/svg+xml" in data:
        return data["image/svg+xml"]
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            return f'<img alt="" src="data:{kind};base64,{data[kind].strip()}">'
    for kind in ("text/markdown", "text/latex"):
        if kind in data:
            return _later(data[kind], collected)
    return f"<pre>{escape(data.get('text/plain', ''))}</pre>"


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
