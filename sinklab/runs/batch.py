"""A whole run: plan, execute what must be executed, render the drafts; what a person sees meanwhile.

:func:`run` does one run, in three steps: tasks are planned from the content keys, those that are due are carried to an
engine, and the drafts follow the jobs whose tables they read. Progress is one bar on a terminal, plain lines elsewhere,
or JSON lines. At the end stands what ``run --watch`` waits for: a study, a notebook or a batch file that is edited.

The index page tells what became of every job of every batch and links its results; the console tells what was done, what
failed and where to look.
"""

import csv
import io
import json
import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import sinklab
from sinklab import language, paths
from sinklab.data.files import read_text
from sinklab.language import RunError, reader_language, tr
from sinklab.runs import ledger, pages, reading
from sinklab.runs.engines import open_engine
from sinklab.runs.execute import failure_record
from sinklab.runs.ledger import Batch, Draft, Job, Record, Task
from sinklab.runs.reading import batch_path, names


@dataclass
class Outcome:
    """What a run did: the tasks it considered, and the records of those it executed."""

    batch: Batch
    tasks: list[Task] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def failed(self) -> list[Record]:
        """Records of the tasks that failed, in the order of the batch."""
        found = [self.records.get(task.name) for task in self.tasks]
        return [record for record in found if record and not record.ok]


def select(batch: Batch, pattern: str | None) -> tuple[list[Job], list[Draft]]:
    """Jobs and drafts whose name matches a pattern such as ``agb_*``.

    Raises
    ------
    RunError
        Nothing matches.
    """
    if pattern is None:
        return list(batch.jobs), list(batch.drafts)
    jobs = [job for job in batch.jobs if fnmatchcase(job.id, pattern)]
    drafts = [draft for draft in batch.drafts if fnmatchcase(draft.id, pattern)]
    if not jobs and not drafts:
        known = ", ".join(entry.id for entry in (*batch.jobs, *batch.drafts))
        raise RunError(
            f"--only {pattern}: no such job in {batch.path}; it has: {known}",
            f"--only {pattern}：{batch.path} 中没有匹配的作业；已有：{known}",
        )
    return jobs, drafts


def plan_jobs(jobs, bench: ledger.Workbench, records: dict[str, Record], force: bool = False) -> list[Task]:
    """Tasks for jobs, each with what changed since it was last executed."""
    return [_task(job, bench.parts(job), records, force) for job in jobs]


def plan_drafts(
    drafts, bench: ledger.Workbench, records: dict[str, Record], force: bool = False, upstream=()
) -> list[Task]:
    """Tasks for drafts; ``upstream`` are tasks that are still to be executed and may change their tables."""
    found = []
    for draft in drafts:
        parts = bench.draft_parts(draft, reading.draft_inputs(draft.id))
        after = [["upstream", task.job.id] for task in _feeding(draft, upstream)]
        found.append(_task(draft, parts, records, force, after))
    return found


def _task(job: Job | Draft, parts: dict, records, force: bool, after=()) -> Task:
    why = [*ledger.reasons(records.get(job.name), parts), *after]
    return Task(job, ledger.key_of(parts), parts, why or ([["forced", ""]] if force else []))


def _feeding(draft: Draft, tasks) -> list[Task]:
    """Those of the tasks whose tables a draft reads."""
    read = {f"params/{table}" for table in reading.draft_tables(draft.id)}
    return [t for t in tasks if any("/".join(o.split("/")[:2]) in read for o in t.job.outputs)]


def run(
    batch: Batch,
    only: str | None = None,
    workers: int = 1,
    engine: str = "local",
    scheduler: str | None = None,
    force: bool = False,
    options: str = "",
    as_json: bool = False,
    repeat_failed: bool = True,
    tls: dict[str, str] | None = None,
    unencrypted: bool = False,
) -> Outcome:
    """Execute what changed in a batch, drafts last.

    Parameters
    ----------
    batch : Batch
        Validated, from :func:`sinklab.runs.reading.read_batch`.
    only : str, optional
        Pattern of names.
    workers, engine, scheduler, options, tls, unencrypted
        Where, see :func:`sinklab.runs.engines.open_engine`.
    force : bool
        Execute unchanged jobs too.
    as_json : bool
        Tell the progress in JSON lines.
    repeat_failed : bool
        Execute jobs again of which nothing changed since they failed.

    Returns
    -------
    outcome : Outcome
        Failures are in it and are not raised.
    """
    jobs, drafts = select(batch, only)
    outcome = Outcome(batch, plan_jobs(jobs, ledger.Workbench(), ledger.read(), force))
    try:
        with _Crew(as_json, engine, workers, scheduler, options, tls, unencrypted) as crew:
            crew.execute(outcome, _due(outcome.tasks, repeat_failed))
            tasks = plan_drafts(drafts, ledger.Workbench(), ledger.read(), force)
            outcome.tasks += tasks
            crew.execute(outcome, [t for t in _due(tasks, repeat_failed) if not _blocked(t, outcome)])
    except KeyboardInterrupt:
        outcome.interrupted = True
    return outcome


def _due(tasks, repeat_failed: bool) -> list[Task]:
    """Tasks that must be executed."""
    return [task for task in tasks if task.why and (repeat_failed or task.why != [["failed", ""]])]


def _blocked(task: Task, outcome: Outcome) -> bool:
    """Whether a job that a draft depends on failed in this run; the draft is then recorded as failed."""
    failed = {record.job for record in outcome.failed}
    culprits = [t.job.id for t in _feeding(task.job, [t for t in outcome.tasks if t.name in failed])]
    if culprits:
        names = ", ".join(culprits)
        line = tr(
            f"not rendered, because it reads tables of: {names}", f"未生成，因其所用参数表的作业失败：{names}"
        )
        outcome.records[task.name] = failure_record(task, "blocked", line, task.planned)
        ledger.append(outcome.records[task.name])
    return bool(culprits)


class _Crew:
    """An engine that is opened when there is work for it, and stays open until the drafts are done."""

    def __init__(self, as_json: bool, *choice):
        self.as_json, self.choice = as_json, choice
        self.stack = ExitStack()
        self.engine = None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.stack.close()

    def execute(self, outcome: Outcome, tasks: list[Task]) -> None:
        """Carry tasks to the engine and keep their records."""
        if not tasks:
            return
        if self.engine is None:
            self.engine = self.stack.enter_context(open_engine(*self.choice))
        with open_progress(len(tasks), self.as_json) as progress:
            for event in self.engine.run(tasks):
                if event.record is None:
                    progress.started(event.task)
                else:
                    outcome.records[event.task.name] = event.record
                    progress.finished(event.task, event.record)


# What a person sees while tasks are executed.


def open_progress(total: int, as_json: bool = False) -> "Lines":
    """Progress display for ``total`` tasks, to be used as a context manager."""
    if as_json:
        return JsonLines(total)
    return Bar(total) if sys.stdout.isatty() else Lines(total)


class Lines:
    """A line for each finished task; what ends in a log file."""

    def __init__(self, total: int):
        self.total, self.done, self.failed = total, 0, 0
        self.running: dict[str, None] = {}

    def __enter__(self):
        """Say how many tasks there are."""
        print(tr(f"{self.total} to run", f"共需执行 {self.total} 项"), flush=True)
        return self

    def __exit__(self, kind, error, trace):
        """Nothing is left to be cleared."""

    def started(self, task: Task) -> None:
        """Note that a task was handed to a worker."""
        self.running[task.name] = None

    def finished(self, task: Task, record: Record) -> None:
        """Count a task, and tell how it ended."""
        self.running.pop(task.name, None)
        self.done += 1
        self.failed += not record.ok
        self.tell(record)

    def tell(self, record: Record) -> None:
        """Print the line of a task."""
        width = len(str(self.total))
        text = (
            f"[{self.done:>{width}}/{self.total}] {record.status_word}  {record.job}  {record.seconds:.1f} s"
        )
        if not record.ok:
            text += "  " + record.line.splitlines()[0]
        print(text, flush=True)


def json_line(event: str, **values) -> None:
    """Print one JSON object in a line, with the time in UTC."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    print(json.dumps({"event": event, "time": now} | values, ensure_ascii=False), flush=True)


class JsonLines(Lines):
    """A JSON line for each start and each end, for programs that watch a run."""

    def __enter__(self):
        """Say how many tasks there are."""
        self.begun = time.monotonic()
        json_line("plan", total=self.total)
        return self

    def started(self, task: Task) -> None:
        """Print that a task was handed to a worker."""
        super().started(task)
        json_line("started", job=task.name, why=task.why, **self._state())

    def tell(self, record: Record) -> None:
        """Print how a task ended."""
        told = record.to_dict()
        names = ("job", "status", "seconds", "reason", "line", "place", "kept")
        json_line("finished", **{name: told[name] for name in names if name in told}, **self._state())

    def _state(self) -> dict:
        """Counts, and the seconds that remain if the rest goes as the tasks so far did."""
        spent = time.monotonic() - self.begun
        left = round(spent / self.done * (self.total - self.done), 1) if self.done else None
        counts = {"total": self.total, "done": self.done, "failed": self.failed}
        return counts | {"running": len(self.running), "left_seconds": left}


class Bar(Lines):
    """One bar with the counts, the time that remains, and the tasks that are being executed."""

    def __enter__(self):
        """Show the bar."""
        from rich import progress

        self.progress = progress.Progress(
            progress.TextColumn("sinklab"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn(tr("left", "剩余")),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.description}"),
            transient=True,
        )
        self.bar = self.progress.add_task("", total=self.total)
        self.progress.start()
        return self

    def __exit__(self, kind, error, trace):
        """Take the bar away."""
        self.progress.stop()

    def started(self, task: Task) -> None:
        """Add a task to those shown."""
        super().started(task)
        self._show()

    def tell(self, record: Record) -> None:
        """Move the bar; a failed task gets a line of its own above it."""
        if not record.ok:
            text = f"{record.status_word} {record.job}: {record.line}"
            self.progress.console.print(text, markup=False)
        self.progress.advance(self.bar)
        self._show()

    def _show(self) -> None:
        names = ", ".join(name.partition("/")[2] for name in self.running)
        failed = tr(f"{self.failed} failed; ", f"失败 {self.failed}；") if self.failed else ""
        self.progress.update(self.bar, description=failed + names)


# Waiting for a study, a notebook or a batch file to be edited.

#: Seconds between two looks, and of quiet before a change counts as finished.
PAUSE, QUIET = 1.0, 0.5


def watched(batch: Batch) -> list[Path]:
    """Files that a batch depends on: its own, notebooks, inputs, vocabulary and rules, drafts, the library."""
    found = [*batch.files, *(file for job in batch.jobs for file in (job.notebook.path, *job.inputs))]
    for place in (paths.data("vocabulary"), paths.data("rules"), paths.reports("templates")):
        found += place.rglob("*")
    found += [paths.reports("drafts", f"{draft.id}.yml") for draft in batch.drafts]
    found += Path(sinklab.__file__).parent.rglob("*.py")
    # A folder tells of files that come and go, such as a study that was not complete yet.
    return list(dict.fromkeys([*found, *(path.parent for path in found)]))


def snapshot(files) -> dict[Path, tuple]:
    """Size and time of files; nothing for those that are not there."""
    found = {}
    for path in files:
        try:
            state = path.stat()
        except OSError:
            continue
        found[path] = (state.st_size if path.is_file() else 0, state.st_mtime_ns)
    return found


def wait_for_change(files, before: dict[Path, tuple]) -> list[Path]:
    """Wait until files differ from a snapshot and nobody writes to them any more.

    Returns
    -------
    changed : list of Path
        Those that were added, removed or written.
    """
    while (now := snapshot(files)) == before:
        time.sleep(PAUSE)
    while True:
        time.sleep(QUIET)
        later = snapshot(files)
        if later == now:
            break
        now = later
    return [path for path in files if before.get(path) != now.get(path)]


# What is shown of runs


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
