"""A whole run: plan, execute what must be executed, render the drafts; what a person sees meanwhile.

:func:`run` does one run, in three steps: tasks are planned from the content keys, those that are due are carried to an
engine, and the drafts follow the jobs whose tables they read. Progress is one bar on a terminal, plain lines elsewhere,
or JSON lines. At the end stands what ``run --watch`` waits for: a study, a notebook or a batch file that is edited.
"""

import json
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import sinklab
from sinklab import paths
from sinklab.language import RunError, tr
from sinklab.runs import ledger, reading
from sinklab.runs.engines import open_engine
from sinklab.runs.execute import failure_record
from sinklab.runs.jobs import Batch, Draft, Job, Record, Task


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
