"""What is shown of runs: the index page of every job of every batch, and the end of one run on the console.

The page tells what became of each job and links its results; the console tells what was done, what failed and where
to look.
"""

import csv
import io
import json
import os
import sys
from pathlib import Path

from sinklab import language, paths
from sinklab.data.files import read_text
from sinklab.language import RunError, reader_language, tr
from sinklab.runs import ledger, pages
from sinklab.runs.batch import Outcome, json_line
from sinklab.runs.jobs import Record, Task
from sinklab.runs.reading import batch_path, names

#: Names of parameters, and of conditions on the data, that tell what a job is about.
_ABOUT = {"species": ("species", "genus", "family"), "region": ("region", "country", "province", "ecoregion")}


def write_index(path) -> Path:
    """Write the page that shows the last execution of every job.

    Jobs that have left their batch file are left out. The page holds its own style, script and small
    pictures; links are relative to it.

    Parameters
    ----------
    path : path
        Usually ``reports/runs/index.html``.
    """
    path = Path(path)
    rows = [_row(record, path.parent) for record in _listed(ledger.read())]
    totals = {
        "ok": sum(row["status"] == "ok" for row in rows),
        "failed": sum(row["status"] != "ok" for row in rows),
        "seconds": sum(row["seconds"] for row in rows),
        "last": max((row["started"] for row in rows), default=""),
    }
    batches = list(dict.fromkeys(row["batch"] for row in rows))
    about = {name: _choices(row[name] for row in rows) for name in _ABOUT}
    page = pages.template("index.html.j2")
    text = page.render(rows=rows, totals=totals, batches=batches, about=about, language=reader_language())
    with paths.atomic_write(path) as stream:
        stream.write(text)
    return path


def _listed(records: dict[str, Record]) -> list[Record]:
    """Records in the order of their batch files; those of batches that cannot be read come as they are."""
    found = []
    for batch in dict.fromkeys(record.batch for record in records.values()):
        own = {name: record for name, record in records.items() if record.batch == batch}
        try:
            order = names(batch_path(batch))
        except (RunError, AttributeError, KeyError, TypeError):
            order = list(own)
        found += [own[name] for name in order if name in own]
    return found


def _row(record: Record, here: Path) -> dict:
    """What the page says of a record; every text in both languages."""
    drawn = {Path(name).name: _link(name, here) for name in record.figures}
    small = pages.read_thumbnails(paths.root() / record.folder)
    page = _link(record.page, here)
    return vars(record) | {
        **{name: _about(record, _ABOUT[name]) for name in _ABOUT},
        "why": _both(lambda: ledger.wordings(record.why)),
        "page": page,
        "notebook": _link(record.notebook or record.kept, here),
        "log": _link(_log_of(record), here),
        "tables": [
            _table(name, here) | {"sheet": _link(record.sheets.get(name), here)} for name in record.tables
        ],
        "documents": [(Path(name).name, _link(name, here)) for name in record.documents],
        "pictures": [(name, uri, drawn.get(name) or page) for name, uri in small],
        "figures": [(name, link) for name, link in drawn.items() if name not in dict(small)],
    }


def _log_of(record: Record) -> str:
    """What the worker and the kernel of a task printed, "" when they were silent."""
    log = paths.root() / record.folder / "kernel.log"
    return paths.relative(log) if log.is_file() and log.stat().st_size else ""


def _about(record: Record, names) -> list[str]:
    """Species or regions that a job names among its parameters or in the conditions on its data."""
    parameters = record.parts.get("parameters", {})
    where = parameters.get("where") if isinstance(parameters.get("where"), dict) else {}
    found = []
    for name in names:
        for values in (parameters.get(name), where.get(name)):
            found += values if isinstance(values, list) else [values]
    return list(dict.fromkeys(str(value) for value in found if isinstance(value, (str, int)) and value))


def _choices(found) -> list[tuple[str, dict[str, str]]]:
    """Values to choose from, with their names in both languages, sorted by name."""
    values = dict.fromkeys(value for several in found for value in several)
    pairs = [(value, {code: _name(value, code) for code in language.LANGUAGES}) for value in values]
    return sorted(pairs, key=lambda pair: pair[1][reader_language()].casefold())


def _name(value: str, code: str) -> str:
    """Name of a species of the vocabulary, else the value as it stands."""
    from sinklab.data import vocabulary

    species = vocabulary.find_species(value)
    if species is None:
        return value
    return species.name_zh if code == "zh" else species.name_latin


def _table(name: str, here: Path) -> dict:
    """Link to a written folder or file; a table also tells its status, how good it is, and its files."""
    from sinklab.tables.schema import status_label

    place = paths.root() / name
    table = {"name": name.removeprefix("params/"), "link": _link(name, here), "status": "", "files": []}
    table |= {"status_words": {}, "good": _good(place)}
    if place.is_dir():
        table["files"] = [
            (p.name, _link(paths.relative(p), here)) for p in sorted(place.iterdir()) if p.is_file()
        ]
    try:
        described = json.loads((place / "datapackage.json").read_text(encoding="utf-8"))
        status = str(described.get("status") or described.get("sinklab", {}).get("status") or "")
        table |= {"status": status, "status_words": {c: status_label(status, c) for c in language.LANGUAGES}}
    except (OSError, ValueError, AttributeError):
        pass
    return table


def _good(place: Path) -> dict[str, str]:
    """How good a table is, for the columns of the page: checks passed, and R² and MPE of its responses."""
    from sinklab.tables.schema import REFUSED

    checks, told = (_rows(place / f"{name}.csv") for name in ("checks", "indices"))
    found = {"checks": f"{sum(c['passed'] == 'true' for c in checks)}/{len(checks)}"} if checks else {}
    refused = sum(c["check_id"] == REFUSED for c in checks)
    whole = [row for row in told if not row.get("class_column")]
    for index, decimals in (("R2", 2), ("MPE", 1)):
        values = [float(row[index]) for row in whole if row.get(index)]
        if values:
            low, high = (f"{value:.{decimals}f}" for value in (min(values), max(values)))
            found[index] = low if low == high else f"{low}–{high}"
    return found | ({"refused": str(refused)} if refused else {})


def _rows(file: Path) -> list[dict[str, str]]:
    """Rows of a file of a table; none when it is not there."""
    return list(csv.DictReader(io.StringIO(read_text(file)))) if file.is_file() else []


def _link(name: str | None, here: Path) -> str:
    """Address of a file relative to the page, "" when it is not there."""
    from urllib.parse import quote

    if not name or not (paths.root() / name).exists():
        return ""
    return quote(Path(os.path.relpath(paths.root() / name, here)).as_posix())


def _both(wording) -> dict[str, str]:
    """Text in both languages."""
    found = {}
    for code in language.LANGUAGES:
        with language.speaking(code):
            found[code] = wording()
    return found


# The end of a run on the console.

#: Unchanged jobs are listed one by one up to this number, and counted beyond it.
LISTED = 40


def _tally(outcome: Outcome) -> dict[str, int]:
    failed, executed = len(outcome.failed), len(outcome.records)
    unchanged = sum(1 for task in outcome.tasks if not task.why)
    waiting = len(outcome.tasks) - unchanged - executed
    return {"ok": executed - failed, "failed": failed, "unchanged": unchanged, "not_run": max(waiting, 0)}


def counts(outcome: Outcome) -> str:
    """One line: how many tasks were executed, failed, unchanged."""
    n = _tally(outcome)
    text = tr(
        f"{outcome.batch.name}: {n['ok']} ok, {n['failed']} failed, {n['unchanged']} unchanged",
        f"{outcome.batch.name}：完成 {n['ok']}，失败 {n['failed']}，未变 {n['unchanged']}",
    )
    if n["not_run"]:
        text += tr(f", {n['not_run']} not run", f"，未执行 {n['not_run']}")
    if refused := _refused(outcome):
        text += tr(f"; {refused} values or curves refused", f"；{refused} 个取值或曲线不予采用")
    return text


def _refused(outcome: Outcome) -> int:
    """Values and curves that the tables of a batch refuse, of jobs that did not run again too: rows of their checks."""
    told = ledger.read() | outcome.records
    names = [name for task in outcome.tasks if task.name in told for name in told[task.name].tables]
    return sum(int(_good(paths.root() / name).get("refused", 0)) for name in names)


def show(outcome: Outcome, index, as_json: bool = False) -> None:
    """Print what a run did."""
    if as_json:
        tally = _tally(outcome) | {"interrupted": outcome.interrupted, "index": paths.relative(index)}
        json_line("end", batch=outcome.batch.name, **tally)
        return
    if outcome.records:
        _summary_table(outcome)
    for record in outcome.failed:
        print("\n" + _failure(record))
    if outcome.failed:
        print()
    print(counts(outcome))
    if outcome.interrupted:
        print(tr("interrupted; run again to continue", "已中断；再次运行即可继续"))
    print(tr(f"index: {paths.relative(index)}", f"总览页：{paths.relative(index)}"))


def show_plan(tasks: list[Task], as_json: bool = False) -> None:
    """Print what would be executed, and why."""
    if as_json:
        for task in tasks:
            json_line("planned", job=task.name, due=bool(task.why), why=task.why)
        return
    for task in tasks:
        what = tr("run ", "执行") if task.why else tr("skip", "跳过")
        why = ledger.wordings(task.why, 4) if task.why else tr("unchanged", "未变")
        print(f"{what}  {task.name}  {why}")
    due = sum(1 for task in tasks if task.why)
    rest = len(tasks) - due
    print(tr(f"{due} would run, {rest} unchanged", f"将执行 {due} 项，未变 {rest} 项"))


def _summary_table(outcome: Outcome) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False)
    for heading in (tr("job", "作业"), tr("title", "名称"), tr("result", "结果"), tr("why", "原因")):
        table.add_column(heading, overflow="fold")
    table.add_column(tr("seconds", "用时/秒"), justify="right")
    for task in outcome.tasks:
        record = outcome.records.get(task.name)
        if record is None and len(outcome.tasks) > LISTED:
            continue
        style, word, seconds = "dim", tr("unchanged", "未变"), ""
        if record is not None:
            style = "green" if record.ok else "red"
            word, seconds = record.status_word, f"{record.seconds:.1f}"
        elif task.why:
            word = tr("not run", "未执行")
        name, title = task.name.partition("/")[2], task.job.title[reader_language()]
        why = ledger.wordings(task.why)
        table.add_row(Text(name), Text(title), Text(word, style=style), Text(why), Text(seconds))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)


def _failure(record: Record) -> str:
    """First useful line of a failure, where it happened, and the files that were kept."""
    lines = record.line.splitlines()
    shown = [f"{tr('FAILED', '失败')}  {record.job}", *(f"  {line}" for line in lines[:6])]
    if record.place:
        shown.append(tr(f"  at {record.place}", f"  位置：{record.place}"))
    if record.kept:
        shown.append(tr(f"  kept notebook: {record.kept}", f"  保留的笔记本：{record.kept}"))
    if log := _log_of(record):
        shown.append(tr(f"  log: {log}", f"  日志：{log}"))
    return "\n".join(shown)
