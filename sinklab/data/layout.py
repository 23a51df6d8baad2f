"""The layout of a field form: where in a sheet the header stands, what its rows say, and which rows are records.

Forms have titles, heads with the number and size of the plot, headers in several rows with merged cells, rows of
units and of column numbers, subtotals, means, remarks, the same columns two or three times side by side, one column of
counts for each species, and further tables below. :func:`find` turns a sheet of text cells into a
:class:`Form`: named columns, records, and everything that is no record with the reason; :func:`melt` makes records of
columns that repeat for several species, surveys, ages or points.
"""

import re
from dataclasses import dataclass, field, replace

from sinklab.data import vocabulary
from sinklab.data.columns import ORGANS, knows, meaning
from sinklab.data.files import Sheet, numeric, place, plain
from sinklab.data.headers import is_unit, quantity, unit_of
from sinklab.data.heads import beside_table, is_head, labelled, pairs, read_head
from sinklab.language import DataError, Notes, listing, tr

#: What stands before a row of units.
UNIT_LABELS = ("单位", "计量单位", "unit", "units", "Unit", "Units")
#: Rows in which a header is looked for.
DEPTH = 60
#: Rows that sum or average others; a mean tree (平均木) that was felled is a record.
SUMS = re.compile(
    r"(?:第? ?\S{1,6} ?)?(?:林班|小班|村|乡|镇|县|林场|工区|样地|标准地|样方|组|户|本?页)(?:计|合计|小计)"
    r"|(?!.*平均木|.*平均标准木).{0,8}(?:合计|小计|总计|总和|累计|平均|均值|标准差|标准误|变异系数|最大值|最小值|极差|样本[数量]|样品数|重复数|观测数|最小显著差数?).{0,12}"
    r"|(?:grand |sub)?-?totals?|sum|means?|averages?|avg\.?|s\.?d\.?|s\.?e\.?|std\.? ?dev\.?|cv ?(?:\(?%\)?)?|max(?:imum)?|min(?:imum)?|median|中位数"
    r"|.{0,12}(?:LSD|显著性|[FP] ?[值=<]|p[- ]value).{0,12}|Mittel(?:wert)?|Summe|Durchschnitt|promedio|media|suma|moyenne|somme|m[ée]dia|soma",
    re.IGNORECASE,
)
NOTES = re.compile(
    r"(?:附?注|备注|说明|制表|填表|调查人|记录人|审核|校核|日期|单位|资料来源|notes?|source|\*|※|①)",
    re.IGNORECASE,
)


@dataclass
class Field:
    """A column of a form: the parts of its header from the top, the unit below, and where it stands."""

    parts: tuple[str, ...]
    at: int
    unit: str = ""

    @property
    def header(self) -> str:
        """Header as one text."""
        return "/".join(self.parts)


@dataclass
class Form:
    """What stands in a sheet.

    Attributes
    ----------
    sheet : Sheet
    fields : list of Field
        Columns with a name, in order.
    header : tuple of int
        First and last row of the header, counted from 0.
    cells : list of list of str
        Text cells of the records, one list a record.
    rows : list of int
        Row of each record, counted from 0.
    at : list of list of int
        Column of each cell.
    skipped : list of (list of int, str)
        Rows that are no records, and what they are.
    constants : list of (str, str, str)
        What the head of the form says of all records: label, value, place.
    units : str
        Units that a line above the table names for all its columns.
    title : str
    notes : Notes
    others : list of Form
        Further tables of the sheet.
    """

    sheet: Sheet
    fields: list[Field]
    header: tuple[int, int]
    cells: list[list[str]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    at: list[list[int]] = field(default_factory=list)
    skipped: list[tuple[list[int], str]] = field(default_factory=list)
    constants: list[tuple[str, str, str]] = field(default_factory=list)
    units: str = ""
    title: str = ""
    notes: Notes = field(default_factory=Notes)
    others: list["Form"] = field(default_factory=list)

    @property
    def remarks(self) -> str:
        """What titles and notes around the table say."""
        rows = sorted(
            {row for rows, why in self.skipped for row in rows if why != tr("sums or means", "合计或平均行")}
        )
        return "。".join(cell for row in rows for cell in self.sheet.rows[row] if cell and not numeric(cell))

    @property
    def is_layer(self) -> bool:
        """Whether the records are those of a layer of land, which has no rows for people."""
        return self.sheet.form in ("layer", "图层")

    def skip(self, row: int, why: str) -> None:
        """Note a row that is no record; rows of one kind that follow each other stand together."""
        for rows, known in self.skipped:
            if known == why:
                rows.append(row)
                return
        self.skipped.append(([row], why))

    def add(self, name: str, values: list[str], unit: str = "") -> None:
        """Add a column that says something of every record."""
        self.fields.append(Field((name,), -1, unit))
        for i, value in enumerate(values):
            self.cells[i].append(value)
            self.at[i].append(-1)


class Grid:
    """Cells of a sheet with merged ones filled, and what each row looks like."""

    def __init__(self, sheet: Sheet):
        self.sheet, self.cells = sheet, sheet.rows
        self.wide = {}
        for top, left, bottom, right in sheet.merged:
            if right > left:
                for row in range(top, bottom + 1):
                    self.wide[row, left] = right

    def filled(self, row: int) -> list[tuple[int, str]]:
        """Cells of a row that hold anything."""
        return [(j, cell) for j, cell in enumerate(self.cells[row]) if cell]

    def texts(self, row: int) -> list[tuple[int, str]]:
        """Cells of a row that are words."""
        return [(j, cell) for j, cell in self.filled(row) if not numeric(cell)]

    def score(self, row: int) -> float:
        """How much a row looks like a header."""
        cells = self.filled(row)
        texts = [t for _, t in cells if not numeric(t)]
        if is_matrix(cells):
            return 60.0
        known = sum(knows(t) for t in texts)
        # 0m, 1m, 3m beside three names head the diameters at these heights.
        marks = [q for _, t in cells if numeric(t) and (q := quantity(t)) and q.unit]
        few = len(texts) * 2 < len(cells) and (known < 3 or len(texts) + len(marks) < len(cells))
        if len(cells) < 2 or few or _are_pairs(cells):
            return 0.0
        heads = sum(is_head(t) for t in texts)
        units = sum(is_unit(plain(t)) for t in texts)
        below = [j for i in range(row + 1, min(row + 12, len(self.cells))) for j, _ in self.filled(i)]
        width = len(set(below) | {j for j, _ in cells})
        value = 3 * known + len(texts) - 2 * (len(cells) - len(texts)) - 3 * heads - 2 * units
        return max(value, 0) * len(cells) / max(width, 1)


def _are_pairs(cells) -> bool:
    """Whether known labels and their values alternate, as in the head of a form: 胸径 | 18.2 | 树高 | 15.6."""
    labels, values = [t for _, t in cells[::2]], [t for _, t in cells[1::2]]
    return (
        len(cells) > 3
        and len(labels) == len(values)
        and all(map(knows, labels))
        and not any(map(knows, values))
        and any(map(numeric, values))
    )


def is_matrix(cells: list[tuple[int, str]]) -> bool:
    """Whether a row counts the points of a line: a word, then 1, 2, 3 …; or layers that join: 0-20, 20-40."""
    ends = [q.ends for _, t in cells[1:] if (q := quantity(t)) and q.ends]
    if len(cells) > 2 and len(ends) == len(cells) - 1 and knows(cells[0][1]):
        return all(a[1] == b[0] for a, b in zip(ends, ends[1:], strict=False))
    return (
        len(cells) > 5
        and not numeric(cells[0][1])
        and [t for _, t in cells[1:]] == [str(i) for i in range(1, len(cells))]
    )


def find(sheet: Sheet, start: int = 0) -> Form | None:
    """Find the table of a sheet.

    Parameters
    ----------
    sheet : Sheet
    start : int
        First row that is looked at.

    Returns
    -------
    form : Form or None
        None where the sheet holds no table.

    Raises
    ------
    DataError
        The rows hold numbers, but none looks like a header.
    """
    if not start and not sheet.turned:
        sheet = _turned(sheet)
    beside = beside_table(sheet.rows) if not start else []
    grid = Grid(sheet)
    stop = min(len(sheet.rows), start + DEPTH)
    scores = {row: grid.score(row) for row in range(start, stop)}
    best = max(scores, key=lambda row: (scores[row], -row), default=None)
    if best is None or not scores[best]:
        return _without_header(grid, start)
    best = next(
        row
        for row in range(start, best + 1)
        if grid.filled(row) == grid.filled(best) or _is_table(grid, row, best)
    )
    top, bottom = _block(grid, best, start)
    _row_names(grid, bottom)
    form = Form(sheet, [], (top, bottom))
    form.constants += [(label, value, place(row, column)) for label, value, row, column in beside]
    if not start and (blocks := _blocks(grid, top, bottom)):
        form, *others = [f for f in map(find, blocks) if f]
        form.others += [g for f in others for g in (f, *f.others)]
        return form
    units, first = _under_header(grid, form, bottom)
    form.fields = _fields(grid, top, bottom, units, first)
    read_head(grid, form, start)
    _records(grid, form, first)
    if not form.rows and not start:
        return form
    _side_by_side(form)
    _layers_in_names(form)
    return form


def _is_table(grid, row, below) -> bool:
    """Whether a row above another header is the header of a table of its own: known names, and records before the next."""
    cells = grid.filled(row)
    known = sum(knows(t) and not is_unit(plain(t)) for _, t in cells)
    if known < 3 or known * 4 < 3 * len(cells) or any(numeric(t) or is_head(t) for _, t in cells):
        return False
    names = {j for j, _ in cells}
    under = [grid.filled(r) for r in range(row + 1, below)]
    records = [
        r
        for r in under
        if len(r) * 2 > len(cells) and {j for j, _ in r} <= names and sum(numeric(t) for _, t in r) >= 2
    ]
    return len(records) >= 2


def _blocks(grid, header, names) -> list[Sheet]:
    """Tables that stand beside each other, with a blank column between: each as a sheet with the other cells blank.

    They are cards with the same header and heads of their own, or tables of other records, which have a name in common.
    """
    sheet = grid.sheet
    rows = [row for row in range(len(sheet.rows)) if len(grid.filled(row)) > 1]
    used = sorted({j for row in rows for j, _ in grid.filled(row)})
    starts = [j for i, j in enumerate(used) if not i or j > used[i - 1] + 1]
    ends = [*starts[1:], len(sheet.rows[0])]
    parts = [[t for j, t in grid.filled(header) if a <= j < b] for a, b in zip(starts, ends, strict=True)]
    if len(starts) < 2:
        return []
    heads = [
        [label for row in rows if row < header for label, _, j in pairs(grid, row, grid.filled(row)) if a <= j < b and knows(label)]
        for a, b in zip(starts, ends, strict=True)
    ]  # fmt: skip
    alike = all(p == parts[0] for p in parts) and all(heads)
    if not alike and not _are_others(grid, names, starts, ends):
        return []
    return [
        replace(
            sheet,
            rows=[[t if a <= j < b else "" for j, t in enumerate(row)] for row in sheet.rows],
            merged=[m for m in sheet.merged if a <= m[1] < b],
            notes=sheet.notes if not i else Notes(),
        )
        for i, (a, b) in enumerate(zip(starts, ends, strict=True))
    ]


def _are_others(grid, header, starts, ends) -> bool:
    """Whether tables beside each other are of other records: all have known names, one of them in common, but not all."""
    known = []
    for a, b in zip(starts, ends, strict=True):
        texts = [t for j, t in grid.filled(header) if a <= j < b]
        found = [meaning((t,)).name for t in texts]
        known.append({name for name in found if name})
        if len(known[-1]) < 2 or len(texts) < 3:
            return False
    return any(one & other for one, other in zip(known, known[1:], strict=False)) and any(
        one != known[0] for one in known
    )


def _row_names(grid, bottom) -> None:
    """Give a header one cell more where R wrote names of rows that no column has: each line is longer by one cell."""
    sheet = grid.sheet
    filled = [j for j, _ in grid.filled(bottom)]
    below = [row for row in sheet.rows[bottom + 1 :] if any(row)]
    last = max(filled)
    if not (sheet.delimiter and below and filled == list(range(last + 1)) and len(sheet.rows[0]) == last + 2):
        return
    if all(row[0] and row[-1] for row in below) and len({row[0] for row in below}) == len(below):
        sheet.rows[bottom] = ["", *sheet.rows[bottom][:-1]]
        sheet.notes.add(
            "each line has one cell more than the header: the first ones are names of rows",
            "每行比表头多一个单元格：第一个为行名",
        )


def _turned(sheet) -> Sheet:
    """The sheet, with rows for columns where the names of the variables stand below each other in its first column."""
    grid = Grid(sheet)
    wide = [row for row in range(min(len(sheet.rows), DEPTH)) if len(grid.filled(row)) > 2]
    at = 0
    if wide and len(sheet.rows[0]) > 3 and sum(knows(sheet.rows[row][0]) for row in wide) * 2 < len(wide):
        # Groups stand before the names: 鲜重 | 干, 枝, 叶.
        at = 1
    named = [row for row in wide if knows(sheet.rows[row][at])]
    beside = [t for row in named[1:] for j, t in grid.filled(row) if j > at and not is_unit(plain(t))]
    heads = [t for _, t in grid.filled(wide[0])[1:]] if wide else []
    if (
        len(named) < 3
        or len(named) * 4 < 3 * len(wide)
        or sum(map(numeric, beside)) * 4 < 3 * len(beside)
        or any(
            sum(knows(t) and not is_unit(plain(t)) for j, t in grid.filled(row) if j >= at) > 2
            for row in wide
        )
        or (
            all(meaning((sheet.rows[row][at],)).kind in (*ORGANS, "component") for row in named)
            and labelled(heads)[0] not in ("plot_id", "tree_id")
        )
        or not any(vocabulary.is_variable(meaning((sheet.rows[row][at],)).name) for row in named)
    ):
        return sheet
    first = wide[0]
    rows = [list(column) for column in zip(*sheet.rows[first:], strict=True)]
    merged = [(b, a - first, d, c - first) for a, b, c, d in sheet.merged if a >= first]
    dates = {(column, row - first) for row, column in sheet.dates if row >= first}
    name, said = labelled([t for t in (row[0] for row in rows[1:]) if t and t not in UNIT_LABELS])
    corner = meaning((rows[0][0],)).unit if knows(rows[0][0]) else ""
    if name and corner:
        # 器官(t/hm2): the unit of every organ.
        rows[0][1:] = [t if not t or meaning((t,)).unit else f"{t}({corner})" for t in rows[0][1:]]
    elif (ids := _ids_of(rows[0][1:], heads)) and not knows(rows[0][0]):
        rows[0][0] = ids
    if name and (not knows(rows[0][0]) or meaning((rows[0][0],)).kind == "component"):
        rows[0][0] = name
        for row in rows[1:]:
            row[0] = said.get(row[0], row[0])
    # What stands above the table stays above it.
    above = [line for line in sheet.rows[:first] if any(line)]
    k = len(above)
    merged = [(a + k, b, c + k, d) for a, b, c, d in merged]
    dates = {(row + k, column) for row, column in dates}
    found = Sheet(
        sheet.name, above + rows, merged, sheet.form, sheet.delimiter, dates, sheet.notes, (first, k)
    )
    found.notes.add(
        f"the variables stand in rows; the table was turned, its columns A, B … are the rows {first + 1}, {first + 2} … of the sheet",
        f"变量写在行中，表格已转置：其 A、B 等列为原表第 {first + 1}、{first + 2} 等行",
    )
    return found


def _ids_of(names, heads) -> str:
    """What codes over turned columns are of, each once: trees where organs or diameters stand below, plots where masses per area do."""
    codes = [h for h in heads if h not in UNIT_LABELS]
    found = [meaning((t,)) for t in names if t]
    coded = all(
        re.fullmatch(r"[A-Za-z\u4e00-\u9fff]{0,4}[-_]?\d{1,4}(?:[-_]\d{1,4})*|[A-Z]", plain(h)) for h in codes
    )
    if len(codes) < 2 or len(set(codes)) < len(codes) or not coded:
        return ""
    names = {m.name for m in found}
    per_area = any("/ha" in m.unit or m.name.endswith("_density") for m in found)
    if names & {"plot_id", "tree_id", "core_id"}:
        return ""
    return (
        "plot_id"
        if per_area
        else "tree_id"
        if names & {"dbh", "basal_diameter", "stem", "culm", "foliage"}
        else ""
    )


def _without_header(grid, start) -> None:
    """A sheet without a header holds no table, or numbers nobody named."""
    filled = [row for row in range(start, len(grid.cells)) if len(grid.filled(row)) > 1]
    if filled and not start and all(len(grid.texts(row)) * 2 < len(grid.filled(row)) for row in filled[:5]):
        raise DataError(
            f"the header row is numeric ({', '.join(c for _, c in grid.filled(filled[0])[:4])} …): no column names? "
            "Put a row with the names of the columns above the numbers",
            f"表头行是数字（{'、'.join(c for _, c in grid.filled(filled[0])[:4])} 等）：没有列名？请在数据上方加一行列名",
        )


# The header: its rows, the units below, the names of the columns.


def _block(grid, best, start) -> tuple[int, int]:
    """First and last row of a header around its most telling row."""
    top = bottom = best
    while top > start and _is_group_row(grid, top - 1, top):
        top -= 1
    while bottom + 1 < len(grid.cells) and _is_sub_row(grid, bottom, bottom + 1):
        bottom += 1
    return top, bottom


def _spans(grid, row, below) -> dict[int, int]:
    """Columns that a cell of a header row stands over: merged, or blank to the right with names below them."""
    cells, under = grid.filled(row), {j for j, _ in grid.filled(below)}
    found = {}
    for position, (j, _) in enumerate(cells):
        if (row, j) in grid.wide:
            found[j] = grid.wide[row, j]
            continue
        stop = cells[position + 1][0] if position + 1 < len(cells) else len(grid.cells[row])
        end = j
        if j in under:
            while end + 1 < stop and end + 1 in under:
                end += 1
        found[j] = end
    return found


def _is_group_row(grid, row, below) -> bool:
    cells = grid.filled(row)
    spans = _spans(grid, row, below) if cells else {}
    # Layers and years may stand over the columns that are measured in each.
    numbers = [
        t for j, t in cells
        if numeric(t) and not (spans[j] > j and ((q := quantity(t)) and q.ends or re.fullmatch(r"(?:19|20)\d\d", plain(t))))
    ]  # fmt: skip
    if not cells or numbers or any(is_head(t) for _, t in cells):
        return False
    under = {j for j, _ in grid.filled(below)}
    width = max([*under, *(j for j, _ in cells)]) + 1
    whole = any(end - j + 1 >= 0.8 * width for j, end in spans.items()) and len(cells) == 1
    if whole or (len(cells) == 1 and cells[0][0] == 0):
        return False
    names = [j for j, _ in cells if j not in under]
    groups = [j for j, end in spans.items() if end > j]
    if not groups and not names:
        # Names in two languages, one above the other.
        return len(cells) >= 3 and sum(knows(t) for _, t in cells) * 2 >= len(cells)
    # Two or more names, or a group that stands over a part of the table.
    named = sum(j not in under or spans[j] > j or knows(t) for j, t in cells)
    return (len(cells) > 1 or cells[0][0] > 0) and named * 5 >= 4 * len(cells)


def _is_sub_row(grid, row, below) -> bool:
    cells = grid.filled(below)
    if not cells or any(is_head(t) for _, t in cells):
        return False
    spans = _spans(grid, row, below)
    named = {j for j, _ in grid.filled(row)}
    groups = {j for start, end in spans.items() if end > start for j in range(start, end + 1)}
    free = [(j, t) for j, t in cells if j in groups or j not in named]
    numbers = [t for _, t in cells if numeric(t)]
    if all(is_unit(plain(t)) or plain(t) in UNIT_LABELS for _, t in cells):
        return False
    beside = [t for j, t in cells if j in named and j not in groups]
    if len(free) < len(cells) and free and groups and beside and all(is_unit(plain(t)) for t in beside):
        # Units below single names, sorts below a group: cm, m, >20mm(kg), 5-20mm(kg).
        return not any(re.fullmatch(r"[-+]?\d[\d.,]*", plain(t)) for _, t in cells)
    if len(free) == len(cells) and groups:
        # Ages over the columns of a stem analysis are numbers that rise.
        read = [quantity(t) for t in numbers]
        layers = all(q and (q.ends or q.limit is not None) for q in read) and any(q.ends for q in read if q)
        years = bool(numbers) and all(re.fullmatch(r"(?:19|20)\d\d", plain(t)) for t in numbers)
        rising = years or len(numbers) >= 3 and _rising(numbers) and len(cells) < len(named | groups)
        return not numbers or layers or rising
    named_too = sum(knows(t) or is_unit(plain(t)) for _, t in cells)
    return not numbers and len(cells) >= 3 and named_too * 2 > len(cells)


def _rising(numbers) -> bool:
    try:
        values = [float(re.sub(r"[^\d.]", "", plain(n))) for n in numbers]
    except ValueError:
        return False
    return all(a < b for a, b in zip(values, values[1:], strict=False))


def _under_header(grid, form, bottom) -> tuple[dict[int, str], int]:
    """Units and column numbers below a header; the first row of records."""
    units, row = {}, bottom + 1
    while row < len(grid.cells):
        cells = [(j, plain(t)) for j, t in grid.filled(row)]
        bare = [re.sub(r"^[(\[]|[)\]]$", "", t) for _, t in cells]
        if (
            cells
            and len(cells) > 2
            and bare == [str(i) for i in range(1, len(bare) + 1)]
            and _records_follow(grid, row)
        ):
            form.skip(row, tr("column numbers", "栏号"))
        elif row == bottom + 1 and _are_codes(grid, bottom, cells):
            form.skip(row, tr("codes of the columns", "字段代码"))
        elif cells and not units and _are_units(grid, cells):
            units = {j: t for j, t in cells if is_unit(t) or re.fullmatch(r"[(\[].*[)\]]", t)}
            form.skip(row, tr("units", "单位"))
        elif cells or row > bottom + 3:
            break
        row += 1
    return units, row


def _records_follow(grid, row) -> bool:
    """Whether the row below does not go on counting, as a record 1, 2, 3 … would."""
    return row + 1 < len(grid.cells) and len(grid.filled(row + 1)) > 1 and grid.filled(row + 1)[0][1] != "2"


def _are_codes(grid, bottom, cells) -> bool:
    """Whether a row below Chinese names holds their codes in a data base: LIN_BAN, XJ, MIAN_JI."""
    names = grid.filled(bottom)
    codes = all(re.fullmatch(r"[A-Za-z][A-Za-z_]*\d{0,2}", t) and not is_unit(t) for _, t in cells)
    numbers = any(numeric(t) for row in grid.cells[bottom + 2 : bottom + 5] for t in row)
    return codes and numbers and len(cells) * 3 >= len(names) * 2 and len(cells) > 2 and any("\u4e00" <= t[0] <= "\u9fff" for _, t in names)  # fmt: skip


def _are_units(grid, cells) -> bool:
    if len(cells) > 1 and all(
        re.fullmatch(r"[(\[](?=[^()]*[^\d()])[^()]{1,12}[)\]]|[-—–/]", t) for _, t in cells
    ):
        # All in brackets, whether or not anybody knows the units.
        return True
    units = sum(is_unit(t) and t != "1" for _, t in cells)
    rest = [t for _, t in cells if not is_unit(t) and t not in ("-", "—", "/", "–", "1", *UNIT_LABELS)]
    return units >= 1 and units >= len(rest) and not any(numeric(t) for t in rest)


def _fields(grid, top, bottom, units, first) -> list[Field]:
    """Names of the columns, groups above them included."""
    levels = []
    for row in range(top, bottom + 1):
        level = dict(grid.filled(row))
        if row < bottom:
            for j, end in _spans(grid, row, row + 1).items():
                level.update({k: level[j] for k in range(j + 1, end + 1) if k not in level})
        levels.append(level)
    width = max((len(row) for row in grid.cells[top:]), default=0)
    found = []
    for j in range(width):
        parts = tuple(dict.fromkeys(re.sub(r"\s+", " ", level[j]).strip() for level in levels if j in level))
        if parts:
            found.append(Field(parts, j, units.get(j, "")))
        elif any(row[j] for row in grid.cells[first:]):
            found.append(Field((), j, units.get(j, "")))
    return found


# Records, and rows that are none.


def _records(grid, form, first) -> None:
    """Take the rows below a header, up to the next table."""
    filled = _merged_down(grid, first)
    _no_shifted(form, first)
    columns = [f.at for f in form.fields]
    remarks = {f.at for f in form.fields if meaning(f.parts).kind == "remark"}
    section, sections = "", []
    for row in range(first, len(grid.cells)):
        cells = grid.filled(row)
        if not cells:
            continue
        if _starts_another(form, row, cells) or (form.rows and _starts_card(grid, form, row)):
            lines = (
                [r for rows, why in form.skipped if why == _line() for r in rows if r > form.rows[-1]]
                if form.rows
                else []
            )
            for rows, _ in form.skipped:
                # What stands above the next card is its title.
                rows[:] = [r for r in rows if r not in lines]
            form.skipped = [(rows, why) for rows, why in form.skipped if rows]
            other = find(form.sheet, min([*lines, row]))
            form.others += [other, *other.others] if other else []
            break
        why = _no_record(form, cells, remarks)
        if not why and cells[0][1] in ("n", "N") and _ends_in_sums(form, row):
            why = tr("sums or means", "合计或平均行")
        if why == tr("note", "附注") and not form.units:
            # 注：数据为平均值±标准差（t·hm-2）
            unit = re.search(r"[(（]\s*([^()（）]+?)\s*[)）]", cells[0][1])
            form.units = unit[1] if unit and "/" in unit_of(unit[1]) else ""
        if why:
            section = cells[0][1] if why == _line() else section
            form.skip(row, why)
            continue
        form.rows.append(row)
        form.cells.append([grid.cells[row][j] or filled.get((row, j), "") for j in columns])
        form.at.append(list(columns))
        sections.append(section)
    bare = [k for k, f in enumerate(form.fields) if not f.parts and not any(row[k] for row in form.cells)]
    for row in [form.fields, *form.cells, *form.at] if bare else ():
        # Only a further table has values in these columns.
        row[:] = [value for k, value in enumerate(row) if k not in bare]
    if any(sections):
        form.add(SECTION, sections)


def _no_shifted(form, first) -> None:
    """Refuse lines of a text file that have more cells than the header names: a delimiter within a cell shifted the rest."""
    sheet = form.sheet
    if not sheet.delimiter:
        return
    last = max((f.at for f in form.fields if f.parts), default=0)
    longer = [row for row in range(first, len(sheet.rows)) if any(sheet.rows[row][last + 1 :])]
    records = sum(any(row) for row in sheet.rows[first:])
    if not longer or len(longer) == records:
        return
    lines = [
        tr(
            f"line {row + 1}: {' '.join(sheet.rows[row])[:60]}",
            f"第 {row + 1} 行：{' '.join(sheet.rows[row])[:60]}",
        )
        for row in longer
    ]
    mark = {"\t": tr("tab", "制表符")}.get(sheet.delimiter, sheet.delimiter)
    raise DataError(
        f"{len(longer)} lines have more cells than the {last + 1} of the header; is there a {mark} within a cell without "
        f"quotation marks?\n{listing(lines)}",
        f"{len(longer)} 行的单元格多于表头的 {last + 1} 个；单元格内是否有未加引号的“{mark}”？\n{listing(lines)}",
    )


def _ends_in_sums(form, row) -> bool:
    """Whether the row above is a mean or a deviation: an n below it counts the records."""
    return any(row - 1 in rows for rows, why in form.skipped if why == tr("sums or means", "合计或平均行"))


def _no_record(form, cells, remarks) -> str:
    """What a row is that is no record, "" for a record."""
    if _repeats_header(form, cells):
        return tr("the header again", "重复的表头")
    told = [t for j, t in cells if j not in remarks and not numeric(t)]
    if any(
        SUMS.fullmatch(re.sub(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])", "", plain(t))) for t in told[:4]
    ):
        return tr("sums or means", "合计或平均行")
    words = len(told) == len(cells)
    if words and len(cells) <= 3 and (not told or NOTES.match(plain(told[0]))):
        return tr("note", "附注")
    if words and len(cells) == 1 and len(form.fields) > 2:
        return _line()
    if words and sum(is_head(t) for t in told) * 2 >= len(told):
        return tr("note", "附注")
    return ""


def _line() -> str:
    """What a row is that stands between records and names what follows."""
    return tr("line between records", "分段行")


#: Name of the column that holds the lines between records, until it is known what they say.
SECTION = "\x00section"


def _merged_down(grid, first) -> dict[tuple[int, int], str]:
    """Values of cells that are merged over several records."""
    found = {}
    for top, left, bottom, right in grid.sheet.merged:
        if bottom > top and top >= first and left == right:
            found.update({(row, left): grid.cells[top][left] for row in range(top + 1, bottom + 1)})
    return found


def _repeats_header(form, cells) -> bool:
    names = {f.at: f.parts for f in form.fields if f.parts}
    same = sum(t in names.get(j, ()) for j, t in cells)
    return same >= 2 and same * 5 >= 4 * len(cells)


def _starts_another(form, row, cells) -> bool:
    """Whether a row is the header of a further table: mostly known names, and no number."""
    known = sum(knows(t) for _, t in cells)
    return (
        len(cells) >= 3
        and known >= 3
        and known * 2 > len(cells)
        and not any(numeric(t) for _, t in cells)
        and not _repeats_header(form, cells)
    )


def _starts_card(grid, form, row) -> bool:
    """Whether a row is the head of a further card: labels with values, and the same header below."""
    cells = grid.filled(row)
    labels = [label for label, _, _ in pairs(grid, row, cells) if knows(label)]
    below = range(row + 1, min(row + 8, len(grid.cells)))
    # Labels with a colon, or those that the head of this card has.
    known = {label for label, _, _ in form.constants}
    heads = any(is_head(text) for _, text in cells) or bool(known & set(labels))
    return heads and bool(labels) and any(_repeats_header(form, grid.filled(r)) for r in below)


#: A sample with its layer: P1 0-20, P1-20-40, LS-1(0-20cm), 1_40_60.
_LAYERED = re.compile(
    r"(.*?[^\s_(（:：-])[\s_(（:：-]+(\d+(?:\.\d+)?)\s*(?:cm)?\s*[-_~～–—至]\s*(\d+(?:\.\d+)?)\s*(?:cm)?\s*[)）]?",
    re.IGNORECASE,
)


def _layers_in_names(form) -> None:
    """Take layers that only the names of samples say into a column of their own, where they join within each core."""
    names = [meaning(f.parts, f.unit) for f in form.fields if f.parts]
    if any(m.kind == "layer" or m.name.startswith("layer_") for m in names):
        return
    if not {"soc", "bulk_density", "organic_matter", "carbon_density", "soc_stock"} & {m.name for m in names}:
        return
    for k, f in enumerate(form.fields):
        found = [_LAYERED.fullmatch(plain(row[k])) for row in form.cells]
        if not f.parts or not found or not all(found):
            continue
        before: dict[str, float] = {}
        for core, top, bottom in (m.groups() for m in found):
            if float(top) != before.get(core, 0) or float(bottom) <= float(top):
                break
            before[core] = float(bottom)
        else:
            if not meaning(f.parts, f.unit).name:
                form.fields[k] = replace(f, parts=("core_id",))
            for row, m in zip(form.cells, found, strict=True):
                row[k] = m[1]
            form.add("土层(cm)", [f"{m[2]}-{m[3]}" for m in found])
            form.notes.add(
                f"{f.header}: layers taken out of the names of samples, in cm",
                f"{f.header}：样品名中的土层已另列，单位 cm",
            )
            return


# The same columns several times side by side.


def _side_by_side(form) -> None:
    """Put columns that stand two or three times beside each other below each other."""
    fields = [f for f in form.fields if f.parts and f.parts != (SECTION,)]
    names = [f.parts for f in fields]
    for size in range(2, len(names) // 2 + 1):
        if len(names) % size == 0 and names == names[:size] * (len(names) // size):
            break
    else:
        return
    where = {f.at: i for i, f in enumerate(form.fields)}
    extra = [i for i, f in enumerate(form.fields) if f.parts == (SECTION,)]
    cells, rows, at = [], [], []
    for k in range(len(names) // size):
        block = [where[f.at] for f in fields[k * size : (k + 1) * size]]
        for values, row, places in zip(form.cells, form.rows, form.at, strict=True):
            if any(values[i] for i in block):
                cells.append([values[i] for i in block + extra])
                at.append([places[i] for i in block + extra])
                rows.append(row)
    form.notes.add(
        f"the same {size} columns stand {len(names) // size} times side by side; they are put below each other",
        f"同样的 {size} 列并排 {len(names) // size} 组，已上下合并",
    )
    form.fields = fields[:size] + [form.fields[i] for i in extra]
    form.cells, form.rows, form.at = cells, rows, at


def compare_sums(form: Form) -> Notes:
    """Whether the sums that a form holds are those of its records."""
    notes, agree, differ = Notes(), 0, []
    rows = [r for rows, why in form.skipped if why == tr("sums or means", "合计或平均行") for r in rows]
    before = whole = form.header[1]
    for row in sorted(rows):
        cells = form.sheet.rows[row]
        label = next((plain(c) for c in cells if c), "")
        if not re.search("计|和|total|sum", label, re.IGNORECASE):
            continue
        part = "小计" in label or "sub" in label.casefold()
        # A 合计 may be of all the records above, or of those since the last sum.
        above = [i for i, r in enumerate(form.rows) if r < row]
        since = [i for i in above if form.rows[i] > before]
        wide = [i for i in above if form.rows[i] > whole]
        before, whole = row, whole if part else row
        for k, f in enumerate(form.fields):
            total = quantity(cells[f.at]) if f.at >= 0 else None
            if not f.parts or total is None or total.value is None:
                continue
            read = [
                [q.value for i in own if (q := quantity(form.cells[i][k])) and q.value is not None]
                for own in ((since,) if part else (above, wide, since))
            ]
            sums = [sum(values) for values in read if values]
            if any(abs(added - total.value) <= 0.002 * abs(added) + 0.06 for added in sums):
                agree += 1
            elif sums:
                differ.append(f"{place(row, f.at)} {f.header} {cells[f.at]} ≠ {sums[0]:g}")
    if agree and not differ:
        notes.add(f"the {agree} sums of the form agree with its records", f"表内 {agree} 个合计与记录一致")
    elif agree:
        notes.add(
            f"sums that are not those of the records: {', '.join(differ[:5])}",
            f"与记录不一致的合计：{'、'.join(differ[:5])}",
        )
    return notes
