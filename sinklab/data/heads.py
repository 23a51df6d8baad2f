"""The head of a form: title, number and size of the plot, units of all columns; and what labels with numbers say.

Crews write what is the same for all records above the table, or beside it: 标准地号：03, 面积 | 0.08公顷. :func:`read_head` takes
it, :func:`beside_table` finds it to the right, :func:`labelled` says what 样地1, 2号样木 or 2015年 are.
"""

import re
from typing import Any

from sinklab.data import vocabulary
from sinklab.data.columns import knows, meaning, species_name
from sinklab.data.files import letters, plain
from sinklab.data.headers import is_unit, quantity
from sinklab.language import Notes, tr


def is_head(text) -> bool:
    """Whether a cell is a label with a colon, as in the head of a form; ``样线:样点`` is not."""
    return bool(re.search(r"[:：]\s*$|^[^:：]{1,12}[:：]\s*\S", text))


def read_head(grid: Any, form: Any, start: int) -> None:
    """Take what stands above the header of a form: its constants, units, title; each row is told as no record."""
    for row in range(start, form.header[0]):
        cells = grid.filled(row)
        if not cells:
            continue
        found = list(pairs(grid, row, cells))
        joined = " ".join(t for _, t in cells)
        written = re.search(r"(?:计量)?单位\s*[:：]\s*(.+?)\s*[)）]?$", joined)
        if (
            not written
            and len(cells) == 1
            and (last := re.search(r"[(（/]\s*([^()（）]+?)\s*[)）]?\s*$", joined))
        ):
            # 材积(m3); 平均值±标准差，t·hm-2
            token = re.search(r"[,，;；、]\s*([^,，;；、]+)$", last[1])
            if is_unit(last[1]):
                written = last
            elif token and is_unit(token[1]):
                form.units = token[1]
        bare = all(re.fullmatch(".{0,4}单位|units?", label, re.IGNORECASE) for label, *_ in found)
        size = _SIZE.search(joined) if bare else None
        if size:
            form.constants.append(
                (
                    f"{size[1][:2]}面积" if size[1][:2] in ("样方", "样地") else "样地面积",
                    size[2],
                    f"{letters(cells[0][0])}{row + 1}",
                )
            )
        for label, value, j in found:
            form.constants.append((label, value, f"{letters(j)}{row + 1}"))
        if written and all(is_unit(t) for t in re.split(r"[、,，;；\s]+", written[1]) if t):
            form.units = written[1]
            before = joined[: written.start()].strip(" (（")
            form.title = form.title or before
            form.skip(row, tr("title", "标题") if before else tr("line of units", "单位行"))
        elif found:
            form.skip(row, tr("head of the form", "表头信息"))
        else:
            said = labelled([joined]) if form.title else ("", {})
            form.title = joined if said[0] else form.title or joined
            form.skip(row, tr("title", "标题"))


#: Size of a plot in a title: 样方面积1m×1m.
_SIZE = re.compile(
    r"((?:样方|样地|标准地|样圆|收集框|收集器|收集网|接收框)(?:面积|大小|规格)?)[为:：(（]?\s*(\d[\d.]*\s*(?:c?m|米)?\s*[×xX*]\s*\d[\d.]*\s*(?:c?m|米)|\d[\d.]*\s*(?:m2|m²|㎡|hm2|hm²|公顷|亩))"
)


def beside_table(rows: list[list[str]]) -> list[tuple[str, str, int, int]]:
    """Labels and values that stand in two columns to the right of a table, with a blank column between; they are blanked.

    Returns
    -------
    found : list of tuple
        Label, value, row and column of the value.
    """
    width = len(rows[0]) if rows else 0
    used = [j for j in range(width) if any(row[j] for row in rows[1:])]
    if len(used) < 4 or used[-1] != used[-2] + 1 or used[-2] == used[-3] + 1:
        return []
    label, value = used[-2:]
    at = [i for i, row in enumerate(rows) if row[label] or row[value]]
    texts = [re.sub(r"\s*[:：]\s*$", "", rows[i][label]) for i in at]
    known = [bool(t) and (knows(t) or rows[i][label] != t) for t, i in zip(texts, at, strict=True)]
    named = sum(knows(rows[i][value]) for i in at)
    if len(at) < 2 or not all(texts) or sum(known) * 3 < 2 * len(at) or named * 3 > len(at):
        return []
    found = [(t, rows[i][value], i, value) for t, i in zip(texts, at, strict=True) if rows[i][value]]
    for i in at:
        rows[i][label] = rows[i][value] = ""
    return found


#: 面积0.0667hm2, 海拔 450m, 郁闭度0.7 in a head without colons.
_BARE = re.compile(
    r"([\u4e00-\u9fff]{2,6}) ?(\d+(?:\.\d+)?(?: ?[×x*] ?\d+(?:\.\d+)?)? ?[a-zA-Z°%\u4e00-\u9fff]{0,3}\d?)"
)


def _is_number(label) -> bool:
    name = meaning((label,)).name
    return vocabulary.is_variable(name) and vocabulary.variable(name).numeric


def pairs(grid, row, cells):
    """Labels with their values: ``标准地号：03`` in one cell, or in two beside each other."""
    j = 0
    while j < len(cells):
        at, text = cells[j]
        after = cells[j + 1] if j + 1 < len(cells) else None
        inside = re.findall(r"([^\s:：;；,，、]{1,16})\s*[:：]\s*([^\s:：;；,，、]+)", text)
        if re.search(r"[:：]\s*$", text) and after and not is_head(after[1]):
            yield re.sub(r"[:：]\s*$", "", text), after[1], after[0]
            j += 1
        elif inside and not re.match(r"(?:计量)?单位", text):
            yield from ((label, value, at) for label, value in inside)
        elif (bare := _BARE.fullmatch(plain(text))) and _is_number(bare[1]):
            yield bare[1], bare[2], at
        elif after and knows(text) and not knows(after[1]) and not is_head(after[1]):
            yield text, after[1], after[0]
            j += 1
        j += 1


_ID = r"((?:[a-z]+[-_]?)?\d+(?:[-_]\d+)*|[a-z]|[一二三四五六七八九十]{1,3}|[甲乙丙丁戊]|[ivx]{1,4})"


def _numbered(kinds) -> re.Pattern:
    """Something with its number before or behind: 样地1, 1号样地, 标准地三, plot B."""
    behind = rf"(?:固定)?(?:{kinds})\s*(?:编?号|no\.?|#)?\s*[:：]?\s*{_ID}号?"
    return re.compile(rf"{behind}|第?{_ID}号?\s*(?:{kinds})", re.IGNORECASE)


_PLOT = _numbered("样地|标准地|样方|样圆|plot|quadrat")
#: A plot with its number in a title: 样地3每木检尺; not 样方50cm×50cm, 样地3个.
PLOT_IN_TITLE = re.compile(
    r"(?:样地|标准地)\s*(?:编?号)?\s*[:：]?\s*([A-Za-z]{0,3}\d+)(?![\d.]|\s*(?:[cm个块×xX*—～~-]|号?[~～—-]))"
)
_TREE = _numbered("标准木|样木|解析木|平均木|伐倒木|样株|样竹|木|tree")


_LINE = _numbered("样线|测线|样带|line|transect")


#: Months and seasons.
_SEASON = re.compile(
    r"(?:1[0-2]|[1-9])月份?|[春夏秋冬][季天]?|spring|summer|autumn|fall|winter", re.IGNORECASE
)
#: What tells one survey from another.
SURVEY = re.compile(r"(?:19|20)\d\d年?|[前后上本]期|初[测查]|复[测查]|第?[一二三四1-4][次期]")


def labelled(labels: list[str]) -> tuple[str, dict[str, str]]:
    """What names of sheets, groups of columns or lines between records say, all of one kind.

    Returns
    -------
    name : str
        ``plot_id``, ``year``, ``survey``, ``species`` or "".
    said : dict of str to str
        The part of each label that is the value.
    """
    for name, pattern in (
        ("plot_id", _PLOT),
        ("tree_id", _TREE),
        ("line", _LINE),
        ("year", SURVEY),
        ("season", _SEASON),
        ("survey", SURVEY),
    ):
        match = re.fullmatch if name.endswith("_id") or name in ("season", "line") else re.search
        # 样地1（上坡）
        bare = {label: re.sub(r"(?<=.) ?\([^()]*\)$", "", plain(label)) for label in labels}
        found = {label: match(pattern, bare[label]) for label in labels}
        if labels and all(found.values()):
            said = {label: next(filter(None, (*m.groups(), m[0]))) for label, m in found.items()}
            if len(labels) == 1 and name == "season":
                continue
            if name != "year":
                return name, said
            if all(v[:2] in ("19", "20") for v in said.values()):
                return name, {label: v.rstrip("年") for label, v in said.items()}
    if labels and all((q := quantity(label)) and q.ends for label in labels):
        return "土层", {}
    if labels and all(species_name(label) != label for label in labels):
        return "species", {}
    return "", {}


# Columns that say which record it is: those that are text, and those written once for the records below


#: Names outside the vocabulary that are text.
TEXTS = ("clump", "disc", "line", "stratum", "survey", "quadrat")
#: Identifiers that are often written once for the records below.
DOWN = ("plot_id", "site", "town", "compartment", "core_id", "county", "village", "species", "tree_id")
ORIGINS = {"天然": "natural", "天然林": "natural", "人工": "planted", "人工林": "planted", "植苗": "planted"}


def as_written(text: str) -> str:
    """An identifier without the varieties of width and blank, with its Roman and circled numerals as they are."""
    if text.isascii():
        return plain(text)
    return "".join(
        c if "\u2150" <= c <= "\u218f" or "\u2460" <= c <= "\u24ff" else plain(c) or " " for c in text
    ).strip()


def in_groups(column: str, kept: list, told: Notes) -> list:
    """Values of the groups that cells name; those that ``groups.csv`` does not know are told and stay as written."""
    value = {c: vocabulary.group_value(column, c) for c in set(kept) if c}
    if lost := ", ".join(sorted(c for c, v in value.items() if not v)):
        told.add(f"{column} not in groups.csv: {lost}", f"groups.csv 中没有的 {column}：{lost}")
    return [value.get(c) or c for c in kept]


def filled_down(kept: list, outer: list, lines: list) -> tuple[list, str]:
    """Identifiers that are written once for the records below them; each stands in one run.

    Parameters
    ----------
    kept : list of str or None
    outer : list
        What the identifiers to the left are of each record; within one of them an identifier stands in one run.
    lines : list
        Line of the form of each record; of a line that made several records the first tells.

    Returns
    -------
    filled : list of str or None
        As given where blank cells do not go on with the value above.
    how : str
        What is told, "" where nothing was filled.
    """
    firsts = [i for i, line in enumerate(lines) if not i or line != lines[i - 1]]
    starts = [(outer[i], kept[i]) for i in firsts if kept[i]]
    if (
        not starts
        or kept[0] is None
        or len(starts) == len(firsts)
        or len(set(starts)) < len(starts)
        or len(starts) * 2 > len(firsts)
    ):
        return kept, ""
    out: list[Any] = []
    for i, cell in enumerate(kept):
        # Another one to the left does not go on with the value of the one before.
        goes_on = out and outer[i] == outer[i - 1]
        out.append(cell or (out[-1] if goes_on else None))
    return out, _from_above()


def _from_above() -> str:
    return tr("blank cells take the value above", "空白沿用上方的值")


#: Marks for the value above.
DITTO = {"〃", "″", "′′", "''", '"', "”", "“", "””", "同上", "同前", "ditto", "do.", "idem", "(同上)"}


def ditto(form) -> None:
    """Put the value above in the place of marks that stand for it, and tell it."""
    marked = []
    for k, f in enumerate(form.fields):
        for i, row in enumerate(form.cells):
            if row[k] and plain(row[k]).casefold() in DITTO and i and form.cells[i - 1][k]:
                marked.append((f.header, row[k]))
                row[k] = form.cells[i - 1][k]
    for header, mark in dict.fromkeys(marked):
        n = marked.count((header, mark))
        form.notes.add(
            f"{header}: {mark} in {n} cells (ditto) read as the value above",
            f"{header}：{n} 个单元格的 {mark} 按上一行的值读取",
        )


def with_its_plot(cells: list, below: list[bool]) -> tuple[list, str]:
    """Cells of what is told of a plot, filled down where the plot too is written once for the records below it.

    ``below`` says of each record whether its plot was taken from above. Cells are as given where any of those is filled,
    or where one is blank beside a plot that is written. What is told is as of :func:`filled_down`.
    """
    if not any(below) or any(bool(c) == b for c, b in zip(cells, below, strict=True)):
        return cells, ""
    out: list[str] = []
    for cell in cells:
        out.append(cell or out[-1])
    return out, _from_above()
