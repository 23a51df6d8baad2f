"""The doors for files: those of people, whatever program wrote them, and the workbench's own rules and vocabularies.

:func:`sheets` opens a field file as sheets of text cells, as its author sees them: workbooks of Excel and WPS, old and
new, and text in any encoding and with any delimiter (what stands in the cells is found out by
:mod:`sinklab.data.layout` and :mod:`sinklab.data.columns`). :func:`read_csv` makes a typed frame of a plain CSV file
that a program wrote, :func:`records` text rows of a file below ``data/``; both name every fault of a file at once.
numpy and pandas are imported where a frame is made and nowhere else, so that vocabularies and rules cost no start-up time.
"""

from __future__ import annotations

import csv
import datetime
import io
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinklab import paths
from sinklab.language import DataError, Notes, SinklabError, listing, tr

# A delimiter that is tried in vain makes one cell of a whole line; the file is in memory already.
csv.field_size_limit(2**31 - 1)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: Cells that stand for "not measured".
MISSING = {"", "NA", "N/A", "-", "—", "–", "/"}
#: Cells that a program wrote for a number that does not exist.
NOT_FINITE = {"nan", "inf", "+inf", "-inf", "infinity", "-infinity", "#num!", "#div/0!", "#value!", "#n/a"}

# Field files: sheets of text cells.

#: First bytes of workbooks: a ZIP archive, an OLE file, a bare stream of BIFF records.
XLSX, XLS = (b"PK\x03\x04",), (b"\xd0\xcf\x11\xe0", b"\x09\x08", b"\x09\x04", b"\x09\x02", b"\x09\x00")
DELIMITERS = "\t;,|"
#: Letters outside ASCII that files in the code page of Western Windows hold: units, names of people and places.
WESTERN = re.compile("[°±²³µ·×¼½¾‘’“”–—•…ß-öø-üÀ-ÖØ-Ý\xa0]*")


@dataclass
class Sheet:
    """One sheet of a workbook, or a text file, as text cells.

    Attributes
    ----------
    name : str
        Empty for a text file.
    rows : list of list of str
        All of one length; numbers as the file shows them (``007``, ``35.2%``), dates as ``2024-05-01``.
    merged : list of tuple
        First row, first column, last row, last column of merged cells, counted from 0.
    form : str
        ``xlsx``, ``xls``, or the encoding of a text file.
    delimiter : str
        Of a text file.
    dates : set of tuple
        Cells that hold a date.
    notes : Notes
        What is to be told of the sheet.
    turned : tuple of int
        Of a table whose variables stood in rows and was turned into columns: its first row, and rows kept above it.
    """

    name: str
    rows: list[list[str]]
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    form: str = "xlsx"
    delimiter: str = ""
    dates: set[tuple[int, int]] = field(default_factory=set)
    notes: Notes = field(default_factory=Notes)
    turned: tuple[int, ...] = ()

    def __post_init__(self):
        """Make the rows a rectangle."""
        width = max(map(len, self.rows), default=0)
        self.rows = [row + [""] * (width - len(row)) for row in self.rows]

    @property
    def filled(self) -> int:
        """Cells that hold anything."""
        return sum(bool(cell) for row in self.rows for cell in row)


def letters(column: int) -> str:
    """Name of a column as spreadsheets have it, counted from 0: ``C``, ``AA``."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def place(row: int, column: int) -> str:
    """Name of a cell as spreadsheets have it, both counted from 0: ``C10``."""
    return f"{letters(column)}{row + 1}"


def sheets(path: str | Path, encoding: str | None = None) -> list[Sheet]:
    """Open a field file as sheets of text cells.

    Parameters
    ----------
    path : path
        Workbook (.xlsx, .xls, .et) or text file; what the file is follows from its first bytes, not from its name.
    encoding : str, optional
        Of a text file, where it is not UTF-8, UTF-16, GB18030 or the code page of Western Windows.

    Raises
    ------
    DataError
        The file is missing, empty, protected or damaged, or its encoding is none of these.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file", f"{path}：文件不存在")
    with path.open("rb") as stream:
        start = stream.read(512)
    try:
        if start.startswith(XLSX):
            return _xlsx(path)
        if start.startswith(XLS):
            return _xls(path)
        if re.match(
            rb"(?:\xef\xbb\xbf)?\s*<(?:!DOCTYPE\s+html|html|head|meta|table|div|body)\b", start, re.IGNORECASE
        ):
            return _web_page(path)
    except DataError:
        raise
    except Exception as error:
        # The readers of workbooks raise errors of many kinds; all mean that the file is no workbook.
        raise DataError(
            f"{path}: the workbook cannot be opened ({error}); is it protected or damaged? Save it again as .xlsx",
            f"{path}：无法打开工作簿（{error}）；是否加密或损坏？请另存为 .xlsx",
        ) from error
    return [_text_sheet(path, encoding)]


def _xlsx(path) -> list[Sheet]:
    import openpyxl
    from openpyxl.utils import column_index_from_string

    with path.open("rb") as stream:
        book = openpyxl.load_workbook(stream, data_only=True)
    with path.open("rb") as stream:
        formulas = openpyxl.load_workbook(stream, data_only=False)
    found = []
    for page in book.worksheets:
        sheet = Sheet(page.title, [], form="xlsx")
        bare = []
        for i, row in enumerate(page.iter_rows()):
            sheet.rows.append([shown(cell.value, cell.number_format) for cell in row])
            for j, cell in enumerate(row):
                if isinstance(cell.value, (datetime.datetime, datetime.date)):
                    sheet.dates.add((i, j))
                elif cell.value is None and formulas[page.title].cell(i + 1, j + 1).data_type == "f":
                    bare.append(place(i, j))
        sheet.__post_init__()
        sheet.merged = [
            (r.min_row - 1, r.min_col - 1, r.max_row - 1, r.max_col - 1) for r in page.merged_cells.ranges
        ]
        _tell_hidden(
            sheet,
            page.sheet_state != "visible",
            [i - 1 for i, row in page.row_dimensions.items() if row.hidden],
            [
                column_index_from_string(j) - 1 + k
                for j, column in page.column_dimensions.items()
                if column.hidden
                for k in range(max(column.max - column.min + 1, 1) if column.min else 1)
            ],
        )
        if bare:
            sheet.notes.add(
                f"{len(bare)} formulas without a stored value ({', '.join(bare[:5])} …): open the workbook in Excel "
                "or WPS and save it",
                f"{len(bare)} 个公式没有保存计算值（{'、'.join(bare[:5])} 等）：请用 Excel 或 WPS 打开并保存一次",
            )
        found.append(sheet)
    return found


def _xls(path) -> list[Sheet]:
    import xlrd

    book = xlrd.open_workbook(path, formatting_info=True, logfile=io.StringIO())
    found = []
    for page in book.sheets():
        sheet = Sheet(page.name, [], form="xls")
        for i in range(page.nrows):
            row = []
            for j in range(page.row_len(i)):
                cell = page.cell(i, j)
                value = cell.value
                if cell.ctype == xlrd.XL_CELL_ERROR:
                    value = xlrd.error_text_from_code.get(value, "#N/A")
                elif cell.ctype == xlrd.XL_CELL_DATE:
                    value = xlrd.xldate_as_datetime(value, book.datemode)
                    sheet.dates.add((i, j))
                elif cell.ctype == xlrd.XL_CELL_BOOLEAN:
                    value = bool(value)
                style = book.format_map[book.xf_list[cell.xf_index].format_key].format_str
                row.append(shown(value, style))
            sheet.rows.append(row)
        sheet.__post_init__()
        sheet.merged = [(a, c, b - 1, d - 1) for a, b, c, d in page.merged_cells]
        _tell_hidden(
            sheet,
            page.visibility != 0,
            [i for i, row in page.rowinfo_map.items() if row.hidden],
            [j for j, column in page.colinfo_map.items() if column.hidden],
        )
        found.append(sheet)
    return found


def _web_page(path) -> list[Sheet]:
    """Tables of a web page, which many systems save as .xls; each is a sheet."""
    from lxml import html

    raw = path.read_bytes()
    page = html.fromstring(
        decoded(path)[0].encode("utf-8") if b"\x00" not in raw[:200] else raw,
        parser=html.HTMLParser(encoding="utf-8"),
    )
    found = []
    for k, table in enumerate(page.iter("table"), start=1):
        cells: dict[tuple[int, int], str] = {}
        merged = []
        lines = [row for row in table.iter("tr") if next(row.iterancestors("table")) is table]
        for i, line in enumerate(lines):
            j = 0
            for cell in line.iterchildren("td", "th"):
                while (i, j) in cells:
                    j += 1
                down, right = (max(int(cell.get(name) or 1), 1) for name in ("rowspan", "colspan"))
                for a, b in ((a, b) for a in range(down) for b in range(right)):
                    cells[i + a, j + b] = ""
                cells[i, j] = plain(cell.text_content())
                if down > 1 or right > 1:
                    merged.append((i, j, i + down - 1, j + right - 1))
                j += right
        width = max((j for _, j in cells), default=-1) + 1
        rows = [
            [cells.get((i, j), "") for j in range(width)]
            for i in range(max((i for i, _ in cells), default=-1) + 1)
        ]
        if width:
            found.append(Sheet(tr("table", "表") + f" {k}", rows, merged, form="HTML"))
    if not found:
        raise DataError(
            f"{path}: a web page without a table; expected a workbook or a text file",
            f"{path}：是没有表格的网页；应为工作簿或文本文件",
        )
    return found


def _tell_hidden(sheet, hidden, rows, columns) -> None:
    """Tell what a person who opens the book does not see; it is read like the rest."""
    if hidden and sheet.filled:
        sheet.notes.add("the sheet is hidden", "该工作表处于隐藏状态")
    rows = [str(i + 1) for i in sorted(rows) if i < len(sheet.rows) and any(sheet.rows[i])]
    columns = [letters(j) for j in sorted(columns) if any(j < len(row) and row[j] for row in sheet.rows)]
    for what, en, zh in ((rows, "hidden rows", "隐藏的行"), (columns, "hidden columns", "隐藏的列")):
        if what:
            told = ", ".join(what[:12]) + (" …" if len(what) > 12 else "")
            sheet.notes.add(f"{en}, read as well: {told}", f"{zh}（已一并读取）：{told}")


def shown(value: Any, style: str = "") -> str:
    """A value of a workbook or layer as it is read by a person, with all digits that were stored."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        style = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]', "", style or "").partition(";")[0]
        if "%" in style:
            return f"{value * 100:.15g}%"
        text = str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.15g}"
        # An id such as 007 is often the number 7 in the format 000.
        return text.zfill(len(style)) if re.fullmatch("00+", style) else text
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    return str(value).strip()


#: Lines and columns of a text file that are read as one table; lines of a piece of a larger file.
MOST_LINES, MOST_COLUMNS, PIECE = 1_000_000, 5_000, 100_000


def _line_end(path) -> bytes:
    with open(path, "rb") as stream:
        start = stream.read(1 << 20)
    return b"\r" if b"\r" in start and b"\n" not in start else b"\n"


def count_lines(path: str | Path) -> int:
    """Lines of a text file, read block by block; 0 of a workbook, and of letters of two bytes."""
    with open(path, "rb") as stream:
        start = stream.read(1 << 20)
        if start.startswith((*XLSX, *XLS)) or b"\x00" in start[:2000]:
            return 0
        stream.seek(0)
        end = _line_end(path)
        return sum(block.count(end) for block in iter(lambda: stream.read(1 << 20), b"")) + 1


def pieces(path: str | Path, head: int, folder: str | Path) -> Iterator[tuple[int, Path]]:
    """Cut a large text file into small ones, each below its first lines; a cell with line ends in it is not cut.

    Parameters
    ----------
    path : path
        In an encoding whose line ends are single bytes.
    head : int
        Lines above the records.
    folder : path
        Where a piece lies until the next one is asked for.

    Yields
    ------
    first, piece : int, Path
        Line of the file, counted from 1, with which the records of the piece begin.
    """
    end, place, line = _line_end(path), Path(folder) / Path(path).name, 0
    with open(path, "rb") as stream:
        rows = _ended_by(stream, end)
        above = b"".join(islice(rows, head))
        line = head
        while block := list(islice(rows, PIECE)):
            while sum(row.count(b'"') for row in block) % 2 and (row := next(rows, b"")):
                block.append(row)
            place.write_bytes(above + b"".join(block))
            yield line + 1, place
            line += len(block)


def _ended_by(stream, end: bytes) -> Iterator[bytes]:
    """Lines of a binary file with their ends."""
    if end == b"\n":
        yield from stream
        return
    rest = b""
    while block := stream.read(1 << 20):
        *whole, rest = (rest + block).split(end)
        yield from (row + end for row in whole)
    if rest:
        yield rest


def _text_sheet(path, encoding) -> Sheet:
    lines = count_lines(path)
    if lines > MOST_LINES:
        raise DataError(
            f"{path}: {lines:,} lines; at most {MOST_LINES:,} are read as one table (`predict` reads any number): cut the "
            "file into several",
            f"{path}：{lines:,} 行；一张表最多读取 {MOST_LINES:,} 行（predict 不限）：请将文件分成几个",
        )
    text, form = decoded(path, encoding)
    above, text = _comments(text)
    lines = text.splitlines()
    if lines and re.fullmatch(r"sep=.", lines[0].strip()):
        text = "\n".join(["", *lines[1:]])
    delimiter = _delimiter(text)
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    ]
    rows = [[line] for line in above] + rows
    if max(map(len, rows), default=0) < 2 and sum("  " in line.strip() for line in lines) * 2 > len(lines):
        rows, delimiter = _fixed_width(lines), " "
    if (width := max(map(len, rows), default=0)) > MOST_COLUMNS:
        raise DataError(
            f"{path}: {width:,} columns; expected at most {MOST_COLUMNS:,}: is {delimiter!r} what stands between the cells?",
            f"{path}：{width:,} 列；最多 {MOST_COLUMNS:,} 列：{delimiter!r} 是否为单元格之间的分隔符？",
        )
    return Sheet("", rows, form=form, delimiter=delimiter)


def _comments(text) -> tuple[list[str], str]:
    """Lines above a table that begin with #, and the rest; the last of them may be the header, as numpy writes it."""
    lines = text.splitlines()
    count = next((i for i, line in enumerate(lines) if not line.lstrip().startswith("#")), len(lines))
    if not count or count == len(lines):
        return [], text
    bare = [line.lstrip("# \t").rstrip(",;\t ") for line in lines[:count]]
    rest = "\n".join(lines[count:])
    mark = _delimiter(rest)
    first = next(csv.reader([lines[count]], delimiter=mark), [])
    if all(map(numeric, filter(None, first))) and bare[-1].count(mark) == lines[count].count(mark) > 0:
        return bare[:-1], f"{bare[-1]}\n{rest}"
    if bare[0].count(mark) == lines[count].count(mark) > 0 and not numeric(bare[0].split(mark)[0]):
        # A column of that name: #, species, …
        return [], text
    return bare, rest


def _fixed_width(lines) -> list[list[str]]:
    """Cells of lines whose columns stand below each other: between them are places that are blank in all lines of numbers."""
    numbers = [
        line.expandtabs() for line in lines if len(re.findall(r"(?<!\S)[-+]?\d[\d.]*(?!\S)", line)) > 1
    ]
    width = max(map(len, numbers), default=0)
    used = [any(i < len(line) and line[i] != " " for line in numbers) for i in range(width)]
    starts = [i for i in range(width) if used[i] and not (i and used[i - 1])]
    if len(starts) < 2:
        return [[line.strip()] for line in lines]
    cells = []
    for line in (line.expandtabs() for line in lines):
        # A word belongs to the column that it stands over or that is nearest.
        row: list[str] = [""] * len(starts)
        for word in re.finditer(r"\S+(?: \S+)*", line):
            ends = [next((k for k in range(s, width) if not used[k]), width) for s in starts]
            near = [max(s - word.end(), word.start() - e, -1) for s, e in zip(starts, ends, strict=True)]
            at = near.index(min(near))
            row[at] = f"{row[at]} {word[0]}".strip()
        cells.append(row)
    return cells


def _delimiter(text) -> str:
    """Delimiter that cuts most lines into the same number of cells, more than one."""
    lines = [line for line in text.splitlines() if line.strip()][:200]
    best, found = 0.0, ","
    for delimiter in DELIMITERS:
        counts = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter))
        counts.pop(1, None)
        share = max(counts.values(), default=0) / max(len(lines), 1)
        # A decimal comma cuts all lines alike except the header.
        if share > best + 0.02:
            best, found = share, delimiter
    return found


def decoded(path: str | Path, encoding: str | None = None) -> tuple[str, str]:
    """Text of a file and its encoding.

    UTF-8 and UTF-16 with or without byte-order mark, GB18030, and the code page of Western Windows where what is
    not ASCII are signs and letters of units and names; or the encoding that is given.

    Raises
    ------
    DataError
        The file is missing, empty, or fits none of them; an encoding that does not exist.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file", f"{path}：文件不存在")
    raw = path.read_bytes()
    if not raw.strip(b"\xef\xbb\xbf\xfe\xff\x00 \t\r\n"):
        raise DataError(
            f"{path}: the file is empty; expected a header line and one line per record",
            f"{path}：文件为空；应有表头行和每条记录一行",
        )
    try:
        if encoding:
            return raw.decode(encoding).removeprefix("\ufeff"), encoding
    except (UnicodeDecodeError, LookupError) as error:
        raise DataError(
            f"{path}: cannot be read as {encoding} ({error})", f"{path}：无法按 {encoding} 读取（{error}）"
        ) from None
    start = 0
    for name in _encodings(raw):
        try:
            text = raw.decode(name)
        except UnicodeDecodeError as error:
            start = error.start
            continue
        if name == "gb18030" and not re.search(
            "[\u4e00-\u9fff]{2}|(?<![A-Za-z])[\u4e00-\u9fff](?![a-z])", text
        ):
            # A Western letter and the one after it, as in Höhe and Äste, make a single Chinese one beside Latin letters.
            continue
        western = name != "cp1252" or WESTERN.fullmatch("".join(c for c in text if ord(c) > 127))
        if "\x00" not in text and western:
            return text.removeprefix("\ufeff"), {"utf-8-sig": "UTF-8"}.get(name, name.upper())
    raise DataError(
        f"{path}: unreadable as UTF-8, UTF-16 or GB18030 (byte {start}); name its encoding, or save it as CSV UTF-8",
        f"{path}：无法按 UTF-8、UTF-16 或 GB18030 读取（第 {start} 字节）；请指明编码，或另存为 CSV UTF-8",
    )


def _encodings(raw) -> list[str]:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return ["utf-16"]
    if b"\x00" in raw[:2000]:
        # Without a mark: which byte of the ASCII letters is 0 tells the order.
        odd, even = raw[1:2000:2].count(0), raw[0:2000:2].count(0)
        return ["utf-16-le" if odd > even else "utf-16-be"]
    return ["utf-8-sig", "gb18030", "cp1252"]


def read_text(path: str | Path, encoding: str | None = None) -> str:
    """Text of a file; see :func:`decoded`."""
    return decoded(path, encoding)[0]


# Cells.

#: A number as people write it: with a limit, a range, an error, a product, a unit.
NUMBER = re.compile(
    r"[<>≤≥≈~约]?\s*[-+]?(?:\d[\d,. ]*|\.\d+)(?:e[-+]?\d+)?\s*(?:[±~\-–—×xX*至到]+\s*\d[\d.,]*\s*)*(?:%|‰|°|[a-z]{1,3}\d?(?:/[a-z]+\d?)?)?",
    re.IGNORECASE,
)


#: Letters beyond which a cell is prose, and no name, number or unit is looked for in it.
PROSE = 500


def plain(text: str) -> str:
    """A cell without the varieties of width, minus and blank that people and programs put into it."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).replace("\u2212", "-")
    return " ".join(text.split())


def numeric(text: str) -> bool:
    """Whether a cell looks like a number, a range, a mean with its error, or a date."""
    if len(text) > PROSE:
        return False
    return bool(NUMBER.fullmatch(plain(text)) or re.fullmatch(r"\d{4}-\d\d-\d\d.*", text))


# Plain CSV files that a program wrote.


def read_rows(path: str | Path) -> tuple[list[str], list[list[str]]]:
    """Read header and records of a CSV file as stripped text cells.

    Raises
    ------
    DataError
        Empty or repeated column names, no record, or records of another length than the header,
        all offenders at once.
    """
    text = read_text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    numbered = [(i, row) for i, row in enumerate(rows, start=1) if any(row)]
    if not numbered:
        raise DataError(f"{path}: the file is empty", f"{path}：文件为空")
    header, records = numbered[0][1], numbered[1:]
    problems = Notes()
    repeated = sorted({name for name in header if header.count(name) > 1 and name})
    if repeated:
        names = ", ".join(repeated)
        problems.add(f"column names used twice: {names}", f"列名重复：{names}")
    for position, name in enumerate(header, start=1):
        if not name and any(len(row) >= position and row[position - 1] for _, row in records):
            problems.add(
                f"column {position} holds values but has no name", f"第 {position} 列有数据但没有列名"
            )
    for line, row in records:
        if len(row) > len(header) and any(row[len(header) :]):
            problems.add(
                f"line {line}: {len(row)} cells; expected {len(header)} as in the header",
                f"第 {line} 行：{len(row)} 个单元格；应与表头一致为 {len(header)} 个",
            )
    if not records:
        problems.add("no record below the header", "表头下没有记录")
    if problems:
        raise DataError(f"{path}: {listing(problems)}")
    width = len(header)
    return header, [(row + [""] * width)[:width] for _, row in records]


def read_cells(path: str | Path) -> list[list[str]]:
    """Lines of a comma-separated file, header included, as the cells stand there."""
    return list(csv.reader(io.StringIO(read_text(path))))


def to_numbers(cells: Sequence[str], name: str, where: str) -> np.ndarray:
    """Turn text cells into floats; blanks and ``NA`` become NaN.

    Parameters
    ----------
    cells : sequence of str
    name : str
        Column name, for the message.
    where : str
        File name, for the message.

    Raises
    ------
    DataError
        Text, or a number that is not finite, with record numbers.
    """
    import numpy as np

    values = np.full(len(cells), np.nan)
    problems = Notes()
    for i, cell in enumerate(cells):
        if cell in MISSING:
            continue
        text = cell.replace("\u2212", "-")
        try:
            number = float(text) if text.casefold() not in NOT_FINITE else math.inf
        except ValueError:
            problems.add(f"record {i + 1}: {name} = {cell!r}", f"第 {i + 1} 条记录：{name} = {cell!r}")
            continue
        if not math.isfinite(number):
            problems.add(
                f"record {i + 1}: {name} = {cell!r} (not finite)",
                f"第 {i + 1} 条记录：{name} = {cell!r}（非有限值）",
            )
            continue
        values[i] = number
    if problems:
        raise DataError(
            f"{where}: expected a finite number or a blank cell:\n{listing(problems)}",
            f"{where}：应为有限数值或空白：\n{listing(problems)}",
        )
    return values


def read_csv(path: str | Path, numeric: Collection[str] | None = None) -> pd.DataFrame:
    """Read a CSV file into a frame with typed columns.

    Parameters
    ----------
    path : path
        UTF-8 with or without BOM, or GB18030; comma, semicolon or tab between cells.
    numeric : collection of str, optional
        Columns that must be numbers; a text cell in them is an error. Other columns become numbers
        when every filled cell is one, and stay text otherwise.

    Returns
    -------
    frame : DataFrame
        Index 0 … n-1 in file order; record ``i + 1`` in messages is row ``i`` here.

    Raises
    ------
    DataError
        See :func:`read_rows` and :func:`to_numbers`.

    Examples
    --------
    >>> sl.write_csv(pd.DataFrame({'dbh': [12.5]}), folder / 'a.csv')
    >>> sl.read_csv(folder / 'a.csv', numeric=['dbh'])['dbh'].tolist()
    [12.5]
    """
    import pandas as pd

    header, rows = read_rows(path)
    wanted = set(numeric or ())
    columns, problems = {}, []
    for position, name in enumerate(header):
        if not name:
            continue
        cells = [row[position] for row in rows]
        try:
            columns[name] = to_numbers(cells, name, str(path))
        except DataError as error:
            if name in wanted or (numeric is None and _means_numbers(cells)):
                problems.append(str(error))
            columns[name] = pd.array([None if c in MISSING else c for c in cells], dtype="str")
    if problems:
        raise DataError("\n".join(problems))
    return pd.DataFrame(columns)


def _means_numbers(cells: Sequence[str]) -> bool:
    """Whether a column is one of numbers, some of which a program could not give."""
    filled = [cell for cell in cells if cell not in MISSING]
    parsed = sum(is_number(cell.replace("\u2212", "-")) for cell in filled)
    return 2 * parsed >= len(filled) > 0 and any(cell.casefold() in NOT_FINITE for cell in cells)


# YAML files: what people wrote, read within bounds.

#: Bytes of a file, depth, and nodes with every alias written out.
MOST_BYTES, MOST_DEPTH, MOST_NODES = 16 * 2**20, 50, 1_000_000


def read_yaml(path: str | Path, error: type[SinklabError] = DataError, note: Any = None) -> Any:
    """Content of a YAML file in UTF-8.

    Parameters
    ----------
    path : path
    error : type
        Of what is raised.
    note : callable, optional
        Is shown the root node, before anything is made of it.

    Raises
    ------
    SinklabError
        Of the type asked for: missing, not UTF-8, not YAML, or beyond the bounds of this module.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise error(f"{path}: larger than {MOST_BYTES} bytes", f"{path}：超过 {MOST_BYTES} 字节")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as fault:
        raise error(f"{path}: {fault.strerror}", f"{path}：{fault.strerror}") from fault
    except UnicodeDecodeError as fault:
        raise error(
            f"{path}: not UTF-8 (byte {fault.start}); save the file as UTF-8",
            f"{path}：不是 UTF-8 编码（第 {fault.start} 字节）；请将文件另存为 UTF-8",
        ) from fault
    return parse_yaml(text, path, error, note)


def parse_yaml(text: str, where, error: type[SinklabError] = DataError, note: Any = None) -> Any:
    """Content of a YAML text; ``where`` names it in messages, the rest is that of :func:`read_yaml`."""
    import yaml

    kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth, size = _yaml_size(yaml, text, kind)
        if depth > MOST_DEPTH or size > MOST_NODES:
            raise error(
                f"{where}: nested or repeated beyond every use (at most {MOST_DEPTH} levels, {MOST_NODES} entries "
                "with what & and * repeat)",
                f"{where}：嵌套或引用过多（最多 {MOST_DEPTH} 层，展开 & 与 * 后最多 {MOST_NODES} 项）",
            )
        loader = kind(text)
        try:
            node = loader.get_single_node()
            if note and node is not None:
                note(node)
            return None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as fault:
        mark, what = getattr(fault, "problem_mark", None), getattr(fault, "problem", None) or str(fault)
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else f"{where}"
        raise error(f"{place}: not valid YAML: {what}", f"{place}：YAML 语法错误：{what}") from fault


def _yaml_size(yaml, text: str, kind) -> tuple[int, float]:
    """Depth of a text, and its nodes with every alias written out; one that holds itself is endless."""
    sizes: dict[str, float] = {}
    open_nodes: list[list] = [["", 0]]
    deepest = 0
    for event in yaml.parse(text, Loader=kind):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append([event.anchor, 1])
            sizes[event.anchor] = math.inf
            deepest = max(deepest, len(open_nodes) - 1)
            if deepest > MOST_DEPTH:
                break
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
            sizes[anchor] = size
            open_nodes[-1][1] += size
        elif isinstance(event, yaml.AliasEvent):
            open_nodes[-1][1] += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            sizes[event.anchor] = 1
            open_nodes[-1][1] += 1
    return deepest, open_nodes[0][1]


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    r"""Write a frame as UTF-8 with BOM and ``\\n`` line ends, in place only when complete.

    Examples
    --------
    >>> sl.write_csv(pd.DataFrame({'dbh': [12.5]}), folder / 'a.csv')
    >>> (folder / 'a.csv').exists()
    True
    """
    with paths.atomic_write(path) as stream:
        stream.write("\ufeff")
        frame.to_csv(stream, index=False, lineterminator="\n")


def is_number(text: str) -> bool:
    """Whether a text reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def records(
    *place: str, numbers: tuple[str, ...] = (), several: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Rows of a CSV file below ``data/``, such as ``records("rules", "deductions.csv")``.

    A file is read once, and again only when it has changed.

    Parameters
    ----------
    *place : str
        Folder and file below ``data/``.
    numbers : tuple of str
        Columns that are floats, NaN where blank; all others stay text.
    several : tuple of str
        Columns of which a cell holds several entries, with semicolons between; they become tuples.

    Raises
    ------
    DataError
        See :func:`read_rows` and :func:`to_numbers`; columns of numbers that are not there.
    """
    path = paths.data(*place)
    rows = _own(path, path.stat().st_mtime_ns if path.is_file() else 0, numbers)
    return [row | {c: tuple(filter(None, row[c].split(";"))) for c in several} for row in rows]


@lru_cache(maxsize=64)
def _own(path: Path, changed: int, numbers: tuple[str, ...]) -> list[dict[str, Any]]:
    header, rows = read_rows(path)
    missing = [name for name in numbers if name not in header]
    if missing:
        raise DataError(
            f"{path}: no column {', '.join(missing)}; columns: {', '.join(header)}",
            f"{path}：没有列 {'、'.join(missing)}；已有列：{'、'.join(header)}",
        )
    columns: list[Any] = [list(cells) for cells in zip(*rows, strict=True)]
    for name in numbers:
        at = header.index(name)
        columns[at] = to_numbers(columns[at], name, str(path)).tolist()
    return [dict(zip(header, row, strict=True)) for row in zip(*columns, strict=True)]


def rule_values(name: str) -> dict[str, float]:
    """Numbers of ``data/rules/<name>.csv`` by ``rule_id``.

    Raises
    ------
    DataError
        A rule without a number, or one that stands twice.
    """
    rows = records("rules", f"{name}.csv", numbers=("value",))
    found = {row["rule_id"]: row["value"] for row in rows}
    wrong = [rule for rule, value in found.items() if math.isnan(value)]
    if wrong or len(found) < len(rows):
        told = ", ".join(wrong or [row["rule_id"] for row in rows])
        raise DataError(
            f"data/rules/{name}.csv: expected each rule once, with its number: {told}",
            f"data/rules/{name}.csv：每条规则应只出现一次并有数值：{told}",
        )
    return found


def rule_row(name: str, rule_id: str) -> dict[str, Any]:
    """One rule of ``data/rules/<name>.csv`` with its source; ``value`` is NaN where the rule has no number."""
    return next(r for r in records("rules", f"{name}.csv", numbers=("value",)) if r["rule_id"] == rule_id)
