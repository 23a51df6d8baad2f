"""``%sinklab`` in a notebook: run jobs of a batch from a cell and watch them, or any other command.

After ``%load_ext sinklab``::

    %sinklab run open_data --only agb_forest_larix
    %sinklab table list

Jobs are executed by a process of their own, exactly as from a terminal; the cell only shows them.

The extension, and ``import sinklab`` in a notebook, also have data frames shown as set tables in the reader's language.
"""

import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from sinklab import paths
from sinklab.data import vocabulary
from sinklab.data.files import records
from sinklab.language import DataError, SetTable, number, tr

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: Failed jobs that a cell lists; the index page has them all.
LISTED = 20
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """Give a shell the magic, and have it show data frames as set tables in the reader's language.

    Examples
    --------
    >>> from IPython.core.interactiveshell import InteractiveShell
    >>> sl.load_ipython_extension(InteractiveShell.instance())
    """
    shell.register_magic_function(sinklab_magic, "line", "sinklab")
    show_frames(shell)


def show_frames(shell: "InteractiveShell") -> None:
    """Have a shell show data frames and series as :func:`frame_html` sets them."""
    formatter = shell.display_formatter.formatters["text/html"]
    # By name: pandas need not be imported for it.
    for kind, module in (("DataFrame", "frame"), ("Series", "series")):
        for place in ("pandas", f"pandas.core.{module}"):
            formatter.for_type_by_name(place, kind, frame_html)


def sinklab_magic(line: str) -> None:
    """Run a command of sinklab; ``run`` shows live progress, in one output that is brought up to date."""
    arguments = shlex.split(line, posix=os.name != "nt")
    planned = {"--dry-run", "--log-json", "--watch", "-h", "--help"} & set(arguments)
    if arguments[:1] != ["run"] or planned:
        with closing(_said(arguments)) as lines:
            for text in lines:
                print(_COLOUR.sub("", text), end="")
        return
    from IPython.display import HTML, display

    progress, shown = Progress(), display(HTML(""), display_id=True)
    try:
        with closing(_said([*arguments, "--log-json"])) as lines:
            for text in lines:
                progress.take(text)
                shown.update(HTML(progress.html()))
    finally:
        shown.update(HTML(progress.html()))


def _said(arguments: list[str]) -> Iterator[str]:
    """Lines that a command prints; one that nobody listens to any more is interrupted, and then ends in order."""
    from sinklab.runs import kernels

    process = subprocess.Popen(
        [sys.executable, "-m", "sinklab", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=paths.root(),
        env=dict(os.environ)
        | {
            "PYTHONPATH": kernels.environment(paths.root())["PYTHONPATH"],
            "PYTHONUTF8": "1",
            "SINKLAB_ROOT": str(paths.root()),
        },
        encoding="utf-8",
        errors="replace",
    )
    try:
        yield from process.stdout
    finally:
        if process.poll() is None:
            with suppress(OSError):
                process.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Progress:
    """What a cell shows of a run, from the lines of ``--log-json``."""

    def __init__(self):
        self.state = {"total": 0, "done": 0, "failed": 0, "left_seconds": None}
        self.running: dict[str, None] = {}
        self.failures: list[dict] = []
        self.end: dict | None = None
        self.said: deque[str] = deque(maxlen=LISTED)

    def take(self, line: str) -> None:
        """Note one line; what is no event is a message for the reader."""
        try:
            event = json.loads(line)
            kind = event["event"]
        except (ValueError, KeyError, TypeError):
            if line.strip():
                self.said.append(_COLOUR.sub("", line.rstrip()))
            return
        if kind == "plan":
            self.state |= {"total": event["total"], "done": 0, "failed": 0}
        elif kind == "started":
            self.running[event["job"]] = None
        elif kind == "finished":
            self.running.pop(event["job"], None)
            if event["status"] != "ok":
                self.failures.append(event)
        elif kind == "end":
            self.end = event
        self.state |= {name: event[name] for name in self.state if name in event}

    def html(self) -> str:
        """One bar, the jobs at work, the failures, and at the end the counts."""
        state, parts = self.state, []
        if self.end is None:
            left = state["left_seconds"]
            text = f"{state['done']}/{state['total']}"
            if state["failed"]:
                text += tr(f", {state['failed']} failed", f"，失败 {state['failed']}")
            if left is not None:
                text += tr(f", about {left:.0f} s left", f"，约剩 {left:.0f} 秒")
            bar = f'<progress value="{state["done"]}" max="{max(state["total"], 1)}"></progress>'
            parts.append(f"{bar} {text} {escape(', '.join(self.running))}")
        for event in self.failures[:LISTED]:
            kept = event.get("kept") or ""
            parts.append(
                f"✗ <b>{escape(event['job'])}</b> {escape(event['line'])} <code>{escape(kept)}</code>"
            )
        if len(self.failures) > LISTED:
            rest = len(self.failures) - LISTED
            parts.append(tr(f"… and {rest} more", f"……另有 {rest} 个"))
        parts += [escape(line) for line in self.said]
        if self.end is not None:
            n = self.end
            parts.append(
                tr(
                    f"{n['batch']}: {n['ok']} ok, {n['failed']} failed, {n['unchanged']} unchanged, {n['not_run']} not run",
                    f"{n['batch']}：完成 {n['ok']}，失败 {n['failed']}，未变 {n['unchanged']}，未执行 {n['not_run']}",
                )
                + f" · <code>{escape(n['index'])}</code>"
            )
        return "<br>".join(parts)


# Data frames as set tables in the reader's language.

#: Rows shown of a frame that has more than pandas would print, letters of a cell, significant digits of a column.
ROWS, LETTERS, DIGITS = 20, 200, 4
#: Columns whose entries are words of the library, told as its headers are.
_CODES = "spread_kind spread_read check check_id told_by level near read status rule_status method".split()
#: Columns whose entries are names of variables.
_NAMES = ("name", "variable", "response", "quantity", "predictor", "input")
#: What a column tells of a variable that begins its name; a name of values with the levels of their group.
_ENDS = ("se", "lower", "upper", "min", "max", "spread", "sd", "sd_log")
_OF_GROUP = re.compile(r"(\w+)\[(.*?)\](?: \[(.*)\])?")
_OF_COLUMN = re.compile(r"\w+=\w+(;\w+=\w+)*")
_OF_CLASS = re.compile(r"(\w+) (<=|>|\d)(.*)")
_NUMBERED = re.compile(r"(\w+)_(\d)")


def frame_html(frame: Any) -> str:
    """What a notebook shows of a data frame or series; of a long or wide one the number left out is told."""
    import pandas as pd

    return _frame(frame, pd.get_option("display.max_rows"), pd.get_option("display.max_columns")).to_html()


def set_table(thing: Any, title: str = "") -> SetTable:
    r"""A data frame, series, fit, table, system or distribution as set tables in the reader's language.

    In a notebook it shows itself; ``to_latex()`` gives a fragment for a paper, ``to_word(path)`` a Word file, ``to_html()``
    a piece of a page, all with three rules and the same cells.

    Parameters
    ----------
    thing : DataFrame, Series, or an object with a ``set_table`` of its own
        Of a frame every row and column is set: labels with units, groups in words, digits that tell something.
    title : str
        Caption of a frame.

    Examples
    --------
    >>> print(sl.set_table(trees[["dbh", "height"]].head(2), "Two trees").to_latex().splitlines()[2])
    \caption{Two trees}
    >>> sl.set_table(fit).to_word(folder / "fit.docx").name
    'fit.docx'
    """
    import pandas as pd

    if isinstance(thing, (pd.DataFrame, pd.Series)):
        return _frame(thing, None, None, title)
    if not hasattr(thing, "set_table"):
        kind = type(thing).__name__
        raise DataError(
            f"set_table: found a {kind}; expected a data frame, series, fit, table, system or distribution",
            f"set_table：得到 {kind}；应为数据框、序列、拟合、参数表、方程组或概率分布",
        )
    return thing.set_table()


def _frame(frame, rows: int | None, columns: int | None, title: str = "") -> SetTable:
    """Set a data frame or series: labels with units, groups in words, as many digits as tell something.

    A column that exists in both languages stands in the reader's.
    """
    import pandas as pd

    of_rows = isinstance(frame, pd.DataFrame) and frame.index.name is None and frame.index.dtype.kind == "i"
    if isinstance(frame, pd.Series):
        frame = frame.to_frame("" if frame.name is None else frame.name)
    if not len(frame):
        return SetTable(title, tr("none", "无"))
    frame = _said_once(_rules_in_words(frame))
    most = rows, columns or len(frame.columns)
    shown = frame if not most[0] or len(frame) <= most[0] else frame.head(ROWS)
    # Numbers of rows, of all or of those that were chosen, tell a reader nothing.
    index = [] if of_rows or _counts_rows(frame.index) else list(range(frame.index.nlevels))
    header = [heading(frame.index.names[i] or "") for i in index]
    cells = [_cells(shown.index.get_level_values(i), frame.index.names[i]) for i in index]
    places = [i for i, name in enumerate(frame.columns) if not _of_other_language(name, frame.columns)]
    blank = [i for i in places if all(entry == "" or pd.isna(entry) is True for entry in frame.iloc[:, i])]
    places = [i for i in places if i not in blank]
    for i in places[: most[1]]:
        header.append(_column(frame.columns[i], frame.columns.names))
        cells.append(_cells(shown.iloc[:, i], frame.columns[i]))
    notes = []
    if len(shown) < len(frame):
        notes.append(
            tr(f"first {len(shown)} of {len(frame)} rows", f"共 {len(frame)} 行，此处为前 {len(shown)} 行")
        )
    if blank:
        names = tr("; ", "、").join(_column(frame.columns[i], frame.columns.names) for i in blank)
        notes.append(tr(f"empty: {names}", f"空列：{names}"))
    if len(places) > most[1]:
        notes.append(
            tr(f"first {most[1]} of {len(places)} columns", f"共 {len(places)} 列，此处为前 {most[1]} 列")
        )
    return SetTable("", (title, header, list(zip(*cells, strict=True))), *notes)


def _rules_in_words(frame):
    """Checks as people read them: ``>=`` and ``0.2`` as one limit, a source with how it was read."""
    from sinklab.results.indices import bound, rule_source

    if not {"comparison", "threshold", "rule_source", "rule_status"} <= set(frame.columns):
        return frame
    told = frame[["comparison", "rule_source", "rule_status"]].fillna("").astype(str)
    limits = [bound(c, float(t)) for c, t in zip(told["comparison"], frame["threshold"], strict=True)]
    read = zip(told["rule_source"], told["rule_status"], strict=True)
    sources = [rule_source(source, status) if source else "" for source, status in read]
    return frame.assign(threshold=limits, rule_source=sources).drop(columns=["comparison", "rule_status"])


def _said_once(frame):
    """A frame of values without the columns that its names say already: variable, its unit, group."""
    if not {"name", "variable", "group"} <= set(frame.columns):
        return frame
    told = frame[["name", "variable", "group"]].fillna("").astype(str)
    names = [
        f"{name} [{group}]" if group else name
        for name, group in zip(told["name"], told["group"], strict=True)
    ]
    if not all(
        _OF_GROUP.fullmatch(name) and name.startswith(f"{v}[")
        for name, v in zip(names, told["variable"], strict=True)
    ):
        return frame
    known = vocabulary.variables()
    if "unit" in frame and all(
        u == known[v].unit for u, v in zip(frame["unit"], told["variable"], strict=True) if v in known
    ):
        frame = frame.drop(columns="unit")
    return frame.assign(name=names).drop(columns=["variable", "group"])


@cache
def _headings() -> dict[str, tuple[str, str]]:
    """Words of columns that are no variables, English and Chinese."""
    return {row["word"]: (row["en"], row["zh"]) for row in records("vocabulary", "frame_headers.csv")}


def heading(name: Any) -> str:
    """Header of a column: a variable with its unit, a word of result tables, the end of an interval; else the name."""
    text, known = str(name), _headings()
    text = "species" if text == "species_id" else text  # its entries are shown as names
    if vocabulary.is_variable(text):
        return vocabulary.label(text, unit=True)
    if text in known:
        return tr(*known[text])
    own = text.removesuffix(tr("_en", "_zh"))
    base, _, end = text.rpartition("_")
    # Of ``agb_sd_log`` the longer end is meant.
    base, end = (base[:-3], f"sd_{end}") if base.endswith("_sd") else (base, end)
    if base in known and end in _ENDS:
        return f"{tr(*known[base])}{tr(', ', '')}{tr(*known[end])}"
    if vocabulary.is_variable(base) and end in _ENDS:
        return vocabulary.label(base, unit=end != "sd_log", told=tr(*known[end]))
    numbered = _NUMBERED.fullmatch(text)
    if numbered and vocabulary.is_variable(numbered[1]):
        return vocabulary.label(numbered[1], unit=True, told=numbered[2])
    if numbered and numbered[1] in known:
        return f"{tr(*known[numbered[1]])} {numbered[2]}"
    of_group = _OF_GROUP.fullmatch(text)
    if of_group and vocabulary.is_variable(of_group[1]):
        groups = vocabulary.group_label(of_group[3] or "") or ", ".join(map(_level, of_group[2].split(",")))
        return f"{vocabulary.label(of_group[1], unit=True)} {groups}"
    return heading(own) if own != text else text


def _level(value: str) -> str:
    """One level of a group whose column is not told, in words where only one column knows it."""
    of_class = _OF_CLASS.fullmatch(value)
    if of_class and vocabulary.is_variable(of_class[1]):
        return f"{vocabulary.label(of_class[1], unit=True)} {of_class[2].replace('<=', '≤')}{of_class[3]}"
    return vocabulary.level_label(value)


def _column(name: Any, levels: Any) -> str:
    """Header of a column whose name may have several levels, each a group of its own column."""
    names = name if isinstance(name, tuple) else (name,)
    return " · ".join(_word(part, level) for part, level in zip(names, levels, strict=True) if part != "")


def _word(value: Any, column: Any) -> str:
    """A name in words: of a group where its column is known, else as a header."""
    # A frame is there by now, and what these import with it; a kernel that shows none goes without.
    from sinklab.data import literature, open_data
    from sinklab.evidence.knowledge import LEVEL_WORDS
    from sinklab.results.indices import rules
    from sinklab.tables.schema import status_label

    if column in ("species", "species_id"):
        return vocabulary.group_label(f"species_id={value}")
    if column == "status":
        return status_label(value)
    if column == "unit":
        return vocabulary.units_symbol(value)
    if column == "group":
        return vocabulary.group_label(value) if "=" in value else value
    if column == "rank" and value in LEVEL_WORDS:
        return tr(*LEVEL_WORDS[value])
    if column == "taxon":
        return _taxon(value)
    if column is None or column in _NAMES:
        return heading(value)
    if column in ("source", "source_id", "sources", "study", "study_id"):
        return "; ".join(literature.short(one.strip()) for one in value.split(";"))
    if column == "forest_type":
        row = open_data.forest_types().get(value)
        return tr(row["name_en"], row["name_zh"]) if row else value
    if column in _CODES and (value in _headings() or column == "check_id"):
        rule = next((rule for rule in rules() if rule.rule_id == value), None)
        return tr(rule.label_en, rule.label_zh) if rule else heading(value)
    if isinstance(value, str) and _OF_COLUMN.fullmatch(value):
        columns = vocabulary.group_members(value)
        if all(name == "component" or vocabulary.is_variable(name) for name in columns):
            return vocabulary.group_label(value)
    return vocabulary.group_label(f"{column}={value}")


def _taxon(value: str) -> str:
    """A species, genus, family or forest type in words."""
    from sinklab.data import open_data

    # Types first: the word of one, such as larch, is also the common name of a genus.
    kind, found = open_data.forest_types().get(value), vocabulary.find_species(value)
    if kind:
        return tr(kind["name_en"], kind["name_zh"])
    if found:
        return tr(found.name_latin, found.name_zh)
    known = (group for group in (("genus", value), ("family", value)) if group in vocabulary.group_words())
    return next((vocabulary.group_label("=".join(group)) for group in known), value)


def _cells(values: Any, column: Any) -> list[str]:
    """Entries of one column as texts."""
    import numpy as np
    import pandas as pd

    values = pd.Series(values).reset_index(drop=True)
    if pd.api.types.is_float_dtype(values):
        values = values.astype(float)
        sizes = values[np.isfinite(values) & (values != 0)].abs()
        places = DIGITS - 1 - int(np.floor(np.log10(sizes.median()))) if len(sizes) else 0
        # No zeros beyond what a rounded column holds.
        places = next(
            (d for d in range(max(places, 0)) if np.allclose(sizes, sizes.round(d), 1e-9, 0)), max(places, 0)
        )
        return [_number(value, places) for value in values]
    return [_entry(value, column) for value in values]


def _number(value: float, places: int) -> str:
    """A number of a column; one that would vanish or overflow there keeps significant digits of its own."""
    if not math.isfinite(value) or places > 6 or (value and abs(value) < 0.5 * 10**-places):
        return number(value, DIGITS)
    return f"{value:.{places}f}"


def _entry(value: Any, column: Any) -> str:
    """One entry that is no decimal number."""
    import pandas as pd

    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "–"
    if type(value).__name__ in ("bool", "bool_"):
        return heading("yes" if value else "no")
    if isinstance(value, float):
        return number(value, DIGITS)
    text = _word(value, column) if isinstance(value, str) else str(value)
    return text if len(text) <= LETTERS else text[:LETTERS] + "…"


def _counts_rows(index: Any) -> bool:
    """Whether an index is but the number of the row."""
    import pandas as pd

    return isinstance(index, pd.RangeIndex) and index.name is None and index.start == 0 and index.step == 1


def _of_other_language(name: Any, columns: Any) -> bool:
    """Whether a column repeats in the other language what another one says in the reader's.

    So does the Chinese name of a level, as ``soil_type_zh``, where the level itself is shown in words.
    """
    own, other = tr("_en _zh", "_zh _en").split()
    base = str(name).removesuffix("_zh")
    if base != name and base in columns and any(base == column for column, _ in vocabulary.group_words()):
        return True
    return isinstance(name, str) and name.endswith(other) and name.removesuffix(other) + own in columns
