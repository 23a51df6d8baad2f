"""The reader's language: every message exists in English and Chinese.

One family of errors: where, what was found, what was expected, what to do.

Plain-text tables for a terminal, aligned for Latin and Chinese letters.
"""

import locale
import math
import os
import re
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# The reader's language: every message exists in English and Chinese.

LANGUAGES = ("zh", "en")
_chosen: str | None = None


def reader_language() -> str:
    """Language of the reader, ``"zh"`` or ``"en"``.

    The order of preference is :func:`set_language`, the variable ``SINKLAB_LANG``, the variables
    ``LC_ALL``, ``LC_MESSAGES`` and ``LANG``, the system locale, and English.
    """
    if _chosen:
        return _chosen
    wanted = os.environ.get("SINKLAB_LANG", "").lower()[:2]
    if wanted in LANGUAGES:
        return wanted
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return "zh" if os.environ[name].lower().startswith("zh") else "en"
    system = (locale.getlocale()[0] or "").lower()
    return "zh" if system.startswith(("zh", "chinese")) else "en"


def set_language(code: str | None) -> None:
    """Choose the language for this process; ``None`` returns to the reader's settings."""
    global _chosen
    if code is not None and code not in LANGUAGES:
        raise ValueError(f"language must be one of {LANGUAGES}, found {code!r}")
    _chosen = code


@contextmanager
def speaking(code: str | None) -> Iterator[None]:
    """Another language for a while."""
    before = _chosen
    set_language(code)
    try:
        yield
    finally:
        set_language(before)


def tr(en: str, zh: str) -> str:
    """Return the English or the Chinese wording, as the reader prefers.

    Examples
    --------
    >>> sl.tr('ready', '就绪')
    'ready'
    """
    return zh if reader_language() == "zh" else en


def say(en: str, zh: str) -> None:
    """Print a text in the reader's language.

    Examples
    --------
    >>> sl.say('ready', '就绪')
    ready
    """
    print(tr(en, zh))


#: Seconds after which somebody who waits is told for what; what silences that: a job that nobody watches.
PATIENCE, QUIET = 2.0, "SINKLAB_QUIET"
_told = threading.Lock()


@contextmanager
def waiting(en: str, zh: str) -> Iterator[None]:
    """Tell on stderr what is being done where it takes longer than two seconds, counting on a terminal, and how long it took.

    Within another of these, nothing more is told.
    """
    if os.environ.get(QUIET) or not _told.acquire(blocking=False):
        yield
        return
    start, done, stream = time.monotonic(), threading.Event(), sys.stderr
    lines = 0

    def tell(end: str = "") -> None:
        nonlocal lines
        again = "\r" if lines and stream.isatty() else ""
        stream.write(f"{again}sinklab: {tr(en, zh)} … {time.monotonic() - start:.0f} s{end}")
        stream.flush()
        lines += 1

    def count() -> None:
        while not done.wait(PATIENCE):
            if not lines or stream.isatty():
                tell("" if stream.isatty() else "\n")

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        _told.release()
        if lines:
            tell("\n")


def heads(en: str, zh: str) -> list[str]:
    """Headers of a table in the reader's language, from texts with a stroke between them."""
    return tr(en, zh).split("|")


# One family of errors: where, what was found, what was expected, what to do.


class SinklabError(Exception):
    """Base of all errors that a user can mend; the command line ends with exit code 2.

    Takes the English and the Chinese wording, or one text that is both.

    Examples
    --------
    >>> try:
    ...     sl.variable('girth of the moon')
    ... except sl.SinklabError as error:
    ...     print(type(error).__name__)
    DataError
    """

    def __init__(self, en: str = "", zh: str | None = None):
        super().__init__(en if zh is None else tr(en, zh))


class DataError(SinklabError):
    """A value, record, column or file is not what it should be."""


class UnitError(SinklabError):
    """A unit is unknown, or cannot be converted to the one that is needed."""


class EquationError(SinklabError):
    """An equation text cannot be read, or does not fit its data."""


class TableError(SinklabError):
    """A parameter table cannot be written, read or used."""


class ConvergenceError(SinklabError):
    """A fit did not reach an optimum that may be published."""


class RunError(SinklabError):
    """A batch file or a job in it is not valid."""


class DraftError(SinklabError):
    """A draft cannot be rendered, or cites a number that may not be cited."""


def require_known(wanted, known, en: str = "column", zh: str = "列", place: str = "") -> None:
    """Refuse names that are not among those known, all at once, and say which there are.

    Parameters
    ----------
    wanted, known : iterable of str
        A DataFrame stands for its columns.
    en, zh : str
        What is named, in both languages.
    place : str
        Where: a file, an option.

    Raises
    ------
    DataError
    """
    there = list(map(str, known))
    unknown = [name for name in dict.fromkeys(map(str, wanted)) if name not in there]
    if unknown:
        head = f"{place}: " if place else ""
        raise DataError(
            f"{head}no {en} {', '.join(unknown)}; there are: {', '.join(there) or '–'}",
            f"{head}没有{zh} {'、'.join(unknown)}；现有：{'、'.join(there) or '–'}",
        )


def require_choice(name: str, value, choices) -> None:
    """Refuse the value of an option that is none of its choices."""
    if value not in choices:
        raise DataError(
            f"{name} must be one of {choices}, found {value!r}",
            f"{name} 应为 {choices} 之一，而不是 {value!r}",
        )


def set_variable(name: str, value: str) -> str:
    """How a person sets a variable in the shell at hand: on Windows in cmd and in PowerShell."""
    if os.name != "nt":
        return f"export {name}={value}"
    return f'set "{name}={value}" (cmd), $env:{name} = "{value}" (PowerShell)'


def typed() -> str:
    """How the reader calls the command line: as ``run.py`` was called, else ``sinklab``."""
    return os.environ.get("SINKLAB_COMMAND") or "sinklab"


class Notes(list):
    """Lines that a person will read."""

    def add(self, en: str, zh: str) -> None:
        """Append a line in the reader's language."""
        self.append(tr(en, zh))


def listing(problems, limit: int = 20) -> str:
    """Join problems into one message, one per line, counting those beyond ``limit``.

    Parameters
    ----------
    problems : iterable of str
    limit : int
        Number of lines shown.

    Returns
    -------
    text : str
    """
    lines = [str(p) for p in problems]
    shown = lines[:limit]
    rest = len(lines) - len(shown)
    if rest:
        shown.append(tr(f"… and {rest} more", f"……另有 {rest} 处"))
    return "\n".join(shown)


# Plain-text tables for a terminal, aligned for Latin and Chinese letters.


def joined(names, lang: str) -> str:
    """Names in a sentence; in English one that has a comma of its own is told apart by semicolons.

    Examples
    --------
    >>> joined(["leaf", "bark", "root"], "en"), joined(["叶", "皮"], "zh")
    ('leaf, bark and root', '叶、皮')
    """
    if lang == "zh":
        return "、".join(names)
    mark = "; " if any("," in name for name in names) else ", "
    *most, last = names
    return f"{mark.join(most)}{';' if mark == '; ' else ''} and {last}" if most else last


def plain(value: Any) -> Any:
    """Numpy and container types to those of JSON; numbers that do not exist become null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(v) for v in (sorted(value) if isinstance(value, set) else value)]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, bool, int)) else str(value)


def width(text: str) -> int:
    """Columns that a text takes on a terminal; Chinese letters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


#: Letters of two columns, after each of which a line may end; marks that begin no line, and those that end none.
_WIDE, _CLOSE, _OPEN = "\u2e80-\u9fff\uff00-\uffef", "，。；：、！？）」》”’,.;:!?)", "（「《“‘("
_PIECE = re.compile(rf"[{_OPEN}]*(?:[^\s{_WIDE}]+(?:(?<==)[\u3400-\u9fff]+)?|[{_WIDE}])[{_CLOSE}]*\s*")


def wrap(text: str, columns: int) -> list[str]:
    """Lines of a text for a terminal: Chinese ends after any letter, words, options and names stay whole.

    A mark that closes never begins a line; a single word longer than ``columns`` has a line of its own.

    Examples
    --------
    >>> wrap("地址（默认本机），由 --workers=2 给出", 14)
    ['地址（默认本', '机），由', '--workers=2 给', '出']
    """
    lines = [""]
    for piece in _PIECE.findall(" ".join(text.split())):
        if lines[-1] and width((lines[-1] + piece).rstrip()) > columns:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def number(value, digits: int = 6) -> str:
    """A number for people; an en dash for one that does not exist, yes or no for a truth."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if type(value).__name__ in ("bool", "bool_"):  # numpy's is another class
        return tr("yes", "是") if value else tr("no", "否")
    if isinstance(value, str):
        return value
    return f"{value:.{digits}g}"


def stand_left(header, rows) -> list[bool]:
    """Which columns stand left in a table: the first, and those that hold words, most of them; numbers stand right."""

    def of_words(cells):
        told = [cell for cell in map(number, cells) if cell not in ("", "–", "nan")]
        return sum(cell[0].isalpha() for cell in told) > len(told) / 2

    return [not i or of_words(row[i] for row in rows) for i in range(len(header))]


def table(header, rows) -> str:
    """Lay out rows under a header, the first column and those of words left, the others right.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequences
        Cells; numbers are written by :func:`number`.
    """
    cells = [[str(h) for h in header], *([number(c) for c in row] for row in rows)]
    widths = [max(width(row[i]) for row in cells) for i in range(len(header))]
    left = stand_left(header, cells[1:])
    lines = []
    for row in cells:
        gaps = [" " * (w - width(c)) for c, w in zip(row, widths, strict=True)]
        padded = [c + gap if words else gap + c for c, gap, words in zip(row, gaps, left, strict=True)]
        lines.append("  ".join(padded).rstrip())
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(lines)


#: Look of tables in a notebook, a page or a report: rules above and below, numbers right, no grey boxes.
_TABLE_STYLE = (
    "<style>.sinklab table{border-collapse:collapse;border-top:1.5px solid;border-bottom:1.5px solid;margin:.4em 0}"
    ".sinklab{overflow-x:auto}.sinklab th{border-bottom:.75px solid;font-weight:600;word-break:keep-all}"
    ".sinklab td{white-space:nowrap}.sinklab td.w{white-space:normal;min-width:5em}.sinklab td.w.l{min-width:20em}"
    ".sinklab th,.sinklab td{padding:.15em .7em;text-align:right;font-variant-numeric:tabular-nums}"
    ".sinklab th.w,.sinklab td.w{text-align:left}.sinklab td{line-height:1.5}</style>"
)


#: Letters that LaTeX does not print as they stand.
_LATEX = {c: rf"\{c}" for c in "&%$#_{}"}
_LATEX |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_LATEX |= {
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "✗": r"$\times$",
    "²": "$^2$",
    "³": "$^3$",
}
#: Rows beyond which a table goes over pages; rules of a table in eighths of a point; centimetres of a column of letters in Word.
LONG, THICK, THIN, LETTER = 30, 12, 6, 0.19
#: Letters from which the entries of a column are sentences, which want room on a page.
SENTENCE = 60


def latex_text(words) -> str:
    """Words on one line that LaTeX prints as they are."""
    return "".join(_LATEX.get(c, c) for c in " ".join(str(words).split()))


def tabular(caption: str, columns: str, head, rows) -> str:
    """Table with three rules as LaTeX, of cells that are LaTeX already; it needs booktabs, and longtable where it is long."""
    kind = "longtable" if len(rows) > LONG else "tabular"
    lines = [r"\toprule", " & ".join(head) + r" \\", r"\midrule"]
    lines += [r"\endhead"] if kind == "longtable" else []
    lines += [*(" & ".join(row) + r" \\" for row in rows), r"\bottomrule"]
    told = f"\\caption{{{caption}}}" if caption else ""
    body = f"\\begin{{{kind}}}{{{columns}}}\n"
    if kind == "longtable":
        return body + "\n".join([*([told + r"\\"] if told else []), *lines]) + "\n\\end{longtable}\n"
    top = "\\begin{table}[htbp]\n\\centering\n" + (told + "\n" if told else "")
    return top + body + "\n".join(lines) + "\n\\end{tabular}\n\\end{table}\n"


def first_rows(most: int, caption: str, header: list, rows: list) -> list:
    """The block of a :class:`SetTable` with the first rows, and how many more there are; nothing without rows."""
    more = len(rows) - most
    said = (
        [tr(f"and {more} more rows, all in summary()", f"另有 {more} 行，全部见 summary()")]
        if more > 0
        else []
    )
    return [(caption, header, rows[:most]), *said] if rows else []


class SetTable:
    """What an object shows of itself, from one source for a notebook, a page, LaTeX and Word.

    Parameters
    ----------
    title : str
    *blocks : str or (str, list, list)
        A paragraph; or a table with caption, header and rows, whose numbers :func:`number` writes.
    """

    def __init__(self, title: str, *blocks: "str | tuple[str, list, list]"):
        self.title, self.blocks = title, blocks

    def _parts(self) -> Iterator["tuple[str, list[list[str]], list[bool]] | str"]:
        """Paragraphs; tables as caption, texts with the header first, and which columns stand left."""
        for block in self.blocks:
            if isinstance(block, str):
                yield from block.splitlines()
            else:
                caption, header, rows = block
                yield caption, [[number(c) for c in row] for row in (header, *rows)], stand_left(header, rows)

    def __repr__(self) -> str:
        """The same as text."""
        lines = [self.title]
        for part in self._parts():
            lines += [part] if isinstance(part, str) else [part[0], table(part[1][0], part[1][1:])]
        return "\n".join(filter(None, lines))

    def _repr_html_(self) -> str:
        from html import escape

        parts = [f'<div class="sinklab">{_TABLE_STYLE}<b>{escape(self.title)}</b>']
        for part in self._parts():
            if isinstance(part, str):
                parts.append(f"<div>{escape(part)}</div>")
                continue
            caption, rows, left = part
            long = [max(map(width, column)) > SENTENCE for column in zip(*rows, strict=True)]
            kinds = [
                f' class="w{" l" * sentence}"' if words else ""
                for words, sentence in zip(left, long, strict=True)
            ]
            lines = [
                "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(row, kinds, strict=True))
                for tag, row in zip(["th", *["td"] * len(rows)], rows, strict=False)
            ]
            body = "".join(f"<tr>{line}</tr>" for line in lines)
            parts.append(f"<div>{escape(caption)}</div><table>{body}</table>")
        return "".join([*parts, "</div>"])

    def to_html(self) -> str:
        """Fragment of a page: tables with three rules, numbers right."""
        return self._repr_html_()

    def to_latex(self) -> str:
        """Fragment for a paper; it needs booktabs, longtable, and ctex where it speaks Chinese."""
        parts = []
        for part in (self.title, *self._parts()):
            if isinstance(part, str):
                parts += [latex_text(part) + "\n"] if part else []
                continue
            caption, (head, *rows), left = part
            cells = [[latex_text(cell) for cell in row] for row in (head, *rows)]
            columns = "".join("l" if words else "r" for words in left)
            parts.append(tabular(latex_text(caption), columns, cells[0], cells[1:]))
        return "\n".join(parts)

    def to_word(self, path: "str | os.PathLike") -> "os.PathLike":
        """Write a Word file: captions above tables with three rules, in the faces of Chinese journals; the file's path."""
        from pathlib import Path

        from docx import Document
        from docx.enum.text import WD_ALIGN_PARAGRAPH
        from docx.oxml.ns import qn
        from docx.shared import Cm

        made, path = Document(), Path(path)
        fonts = made.styles["Normal"].element.get_or_add_rPr().get_or_add_rFonts()
        for face, name in {
            "ascii": "Times New Roman",
            "hAnsi": "Times New Roman",
            "eastAsia": "SimSun",
        }.items():
            fonts.set(qn(f"w:{face}"), name)
        section, widths = made.sections[0], [_widths(p[1]) for p in self._parts() if not isinstance(p, str)]
        wide = max(map(sum, widths), default=0) > 16
        section.page_width, section.page_height = (Cm(29.7), Cm(21)) if wide else (Cm(21), Cm(29.7))
        section.left_margin = section.right_margin = Cm(2.5)
        if self.title:
            made.add_paragraph().add_run(self.title).bold = True
        for part in self._parts():
            if isinstance(part, str):
                made.add_paragraph(part)
                continue
            caption, rows, left = part
            if caption:
                above = made.add_paragraph(caption)
                above.alignment, above.paragraph_format.keep_with_next = WD_ALIGN_PARAGRAPH.CENTER, True
            _word_table(made.add_table(len(rows), len(left)), rows, left, 24.7 if wide else 16)
            made.add_paragraph()
        part = path.with_name(f".{path.name}.part")  # what is killed leaves the file as it was
        made.save(part)
        os.replace(part, path)
        return path


def _widths(rows) -> list[float]:
    """Centimetres that the columns of a table want; a header may turn at its half."""
    head, *rest = [[LETTER * width(cell) + 0.5 for cell in row] for row in rows]
    return [max(0.5 * first + 0.3, *cells) for first, *cells in zip(head, *rest, strict=True)]


def _word_table(made, rows, left, most: float) -> None:
    """Fill a table of Word: thick rules above and below, a thin one under the header, which stands on every page."""
    from docx.enum.table import WD_TABLE_ALIGNMENT
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Cm, Pt

    def rules(properties, name, sizes):
        borders = OxmlElement(name)
        for side, size in sizes.items():
            line = OxmlElement(f"w:{side}")
            line.set(qn("w:val"), "single")
            line.set(qn("w:sz"), str(size))
            borders.append(line)
        properties.append(borders)

    made.alignment = WD_TABLE_ALIGNMENT.CENTER
    rules(made._tbl.tblPr, "w:tblBorders", {"top": THICK, "bottom": THICK})
    made.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    made.autofit, wanted = False, _widths(rows)
    scale = min(most / sum(wanted), 1)
    for column, wide in zip(made.columns, wanted, strict=True):
        column.width = Cm(wide * scale)
    size = Pt(max(round(18 * scale) / 2, 5.5))  # a wide table in smaller letters
    for i, (row, texts) in enumerate(zip(made.rows, rows, strict=True)):
        for cell, text, words, wide in zip(row.cells, texts, left, wanted, strict=True):
            cell.width, paragraph = Cm(wide * scale), cell.paragraphs[0]
            paragraph.add_run(text).font.size = size
            paragraph.paragraph_format.space_after = Pt(0)
            paragraph.alignment = WD_ALIGN_PARAGRAPH.LEFT if words else WD_ALIGN_PARAGRAPH.RIGHT
            if not i:
                rules(cell._tc.get_or_add_tcPr(), "w:tcBorders", {"bottom": THIN})
