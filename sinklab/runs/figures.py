"""Figures of a job, and the small pictures that the index shows of them."""

import base64
import io
import json
from pathlib import Path

from sinklab import paths

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
