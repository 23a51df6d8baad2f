"""Rendering a draft: description and template to Markdown, Markdown to documents, all or nothing."""

import tempfile
from pathlib import Path

from sinklab import paths
from sinklab.drafts import description, text
from sinklab.drafts.convert import FORMATS, Look, convert
from sinklab.drafts.desk import Desk
from sinklab.errors import DraftError
from sinklab.language import LANGUAGES, tr

#: Watermarks: numbers from simulated data, and other previews.
DEMONSTRATION = {"zh": "演示数据", "en": "DEMONSTRATION"}
PREVIEW = {"zh": "预览稿", "en": "PREVIEW"}


def render(name: str, lang: str = "zh", formats=FORMATS, preview: bool | None = None) -> dict[str, Path]:
    """Render a draft of ``reports/drafts/<name>.yml`` to ``reports/drafts/<name>/<name>.<lang>.<format>``.

    Beside the documents, ``<name>.<lang>.numbers.csv`` lists every printed number with its table.

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
    """
    formats = _checked(lang, formats)
    drawn = description.read(name)
    preview = drawn.preview if preview is None else preview
    with tempfile.TemporaryDirectory(prefix="sinklab-draft-") as place:
        folder = Path(place)
        desk = Desk(drawn, lang, folder)
        draft = drawn.localised(lang) | {"preview": preview}
        markdown = text.write(desk, drawn.template, lang, draft)
        if not preview:
            desk.citations.require(drawn.minimum_status, name)
        said = str(draft["title"]), str(draft.get("number", "")), _watermark(desk, lang, preview)
        look = Look(lang, *said, drawn.reference)
        made = {to: convert(markdown, to, look, folder) for to in formats}
        numbers = desk.citations.frame()
    return _write(name, lang, made, numbers)


def _checked(lang, formats) -> tuple[str, ...]:
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    unknown = [to for to in formats if to not in FORMATS]
    if lang not in LANGUAGES or unknown or not formats:
        raise DraftError(
            tr(
                f"draft in {lang!r} to {formats}: languages are {', '.join(LANGUAGES)}; formats {', '.join(FORMATS)}",
                f"文稿语言 {lang!r}、格式 {formats}：语言应为 {'、'.join(LANGUAGES)}，格式应为 {'、'.join(FORMATS)}",
            )
        )
    return formats


def _watermark(desk, lang, preview) -> str:
    if not preview:
        return ""
    return (DEMONSTRATION if "demonstration" in desk.citations.statuses() else PREVIEW)[lang]


def _write(name, lang, made, numbers) -> dict[str, Path]:
    from sinklab.tabular import write_csv

    folder = paths.reports("drafts", name)
    written = {}
    for to, raw in made.items():
        path = folder / f"{name}.{lang}.{to}"
        with paths.atomic_write(path, "wb") as stream:
            stream.write(raw)
        written[to] = path
    write_csv(numbers, folder / f"{name}.{lang}.numbers.csv")
    return written
