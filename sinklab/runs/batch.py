"""A whole run: plan, execute what must be executed, render the drafts, tell what happened.

Waiting for a study, a notebook or a batch file to be edited.

What a person sees while tasks are executed: one bar on a terminal, plain lines elsewhere, or JSON lines.
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
from sinklab import language, paths
from sinklab.language import RunError, tr
from sinklab.runs import ledger, reading
from sinklab.runs.engines import merge_left, open_engine
from sinklab.runs.execute import failure_record, task_of
from sinklab.runs.jobs import Batch, Draft, Job

# --- Waiting for a study, a notebook or a batch file to be edited.

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


# --- What a person sees while tasks are executed: one bar on a terminal, plain lines elsewhere, or JSON lin


def open_progress(total: int, as_json: bool = False):
    """Progress display for ``total`` tasks, to be used as a context manager."""
    if as_json:
        return JsonLines(total)
    return Bar(total) if sys.stdout.isatty() else Lines(total)


def status_word(record: dict) -> str:
    """Say how a task ended, in the reader's language."""
    return tr("ok", "完成") if record["status"] == "ok" else tr("failed", "失败")


def json_line(event: str, **values) -> None:
    """Print one JSON object in a line, with the time in UTC."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    print(json.dumps({"event": event, "time": now} | values, ensure_ascii=False), flush=True)


class JsonLines:
    """A JSON line for each start and each end, for programs that watch a run."""

    def __init__(self, total: int):
        self.total, self.done, self.failed = total, 0, 0
        self.running: dict[str, None] = {}
        self.begun = time.monotonic()

    def __enter__(self):
        """Say how many tasks there are."""
        json_line("plan", total=self.total)
        return self

    def __exit__(self, kind, error, trace):
        """Nothing is left to be cleared."""

    def started(self, task: dict) -> None:
        """Print that a task was handed to a worker."""
        self.running[task["job"]] = None
        json_line("started", job=task["job"], why=task["why"], **self._state())

    def finished(self, task: dict, record: dict) -> None:
        """Print how a task ended."""
        self.running.pop(task["job"], None)
        self.done += 1
        self.failed += record["status"] != "ok"
        told = {
            name: record[name]
            for name in ("status", "seconds", "reason", "line", "place", "kept")
            if name in record
        }
        json_line("finished", job=task["job"], **told, **self._state())

    def _state(self) -> dict:
        """Counts, and the seconds that remain if the rest goes as the tasks so far did."""
        spent = time.monotonic() - self.begun
        left = round(spent / self.done * (self.total - self.done), 1) if self.done else None
        counts = {"total": self.total, "done": self.done, "failed": self.failed}
        return counts | {"running": len(self.running), "left_seconds": left}


class Lines:
    """A line for each finished task; what ends in a log file."""

    def __init__(self, total: int):
        self.total, self.done = total, 0

    def __enter__(self):
        """Say how many tasks there are."""
        print(tr(f"{self.total} to run", f"共需执行 {self.total} 项"), flush=True)
        return self

    def __exit__(self, kind, error, trace):
        """Nothing is left to be cleared."""

    def started(self, task: dict) -> None:
        """Lines speak of finished tasks only."""

    def finished(self, task: dict, record: dict) -> None:
        """Print the line of a task."""
        self.done += 1
        width = len(str(self.total))
        text = f"[{self.done:>{width}}/{self.total}] {status_word(record)}  {task['job']}  {record['seconds']:.1f} s"
        if record["status"] != "ok":
            text += "  " + record["line"].splitlines()[0]
        print(text, flush=True)


class Bar:
    """One bar with the counts, the time that remains, and the tasks that are being executed."""

    def __init__(self, total: int):
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.progress = Progress(
            TextColumn("sinklab"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn(tr("left", "剩余")),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            transient=True,
        )
        self.bar = self.progress.add_task("", total=total)
        self.running: dict[str, None] = {}
        self.failed = 0

    def __enter__(self):
        """Show the bar."""
        self.progress.start()
        return self

    def __exit__(self, kind, error, trace):
        """Take the bar away."""
        self.progress.stop()

    def started(self, task: dict) -> None:
        """Add a task to those shown."""
        self.running[task["id"]] = None
        self._show()

    def finished(self, task: dict, record: dict) -> None:
        """Count a task; a failed one gets a line of its own above the bar."""
        self.running.pop(task["id"], None)
        if record["status"] != "ok":
            self.failed += 1
            self.progress.console.print(
                f"{status_word(record)} {task['job']}: {record['line']}", markup=False
            )
        self.progress.advance(self.bar)
        self._show()

    def _show(self) -> None:
        names = ", ".join(self.running)
        failed = tr(f"{self.failed} failed; ", f"失败 {self.failed}；") if self.failed else ""
        self.progress.update(self.bar, description=failed + names)


# --- A whole run: plan, execute what must be executed, render the drafts, tell what happened.


@dataclass(frozen=True)
class Step:
    """A job or draft with its content key, and why it must be executed (nothing: it need not be)."""

    job: Job | Draft
    key: str
    parts: dict
    why: list

    @property
    def name(self) -> str:
        """Name in the ledger."""
        return ledger.name_of(self.job)

    def task(self) -> dict:
        """Plain description for an engine."""
        return task_of(self.job, self.key, self.parts, self.why, language.reader_language())


@dataclass
class Outcome:
    """What a run did: the steps it considered, and the records of those it executed."""

    batch: Batch
    steps: list[Step] = field(default_factory=list)
    records: dict[str, dict] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def failed(self) -> list[dict]:
        """Records of the tasks that failed, in the order of the batch."""
        found = [self.records.get(step.name) for step in self.steps]
        return [record for record in found if record and record["status"] != "ok"]


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
            tr(
                f"--only {pattern}: no such job in {batch.path}; it has: {known}",
                f"--only {pattern}：{batch.path} 中没有匹配的作业；已有：{known}",
            )
        )
    return jobs, drafts


def plan_jobs(jobs, bench: ledger.Workbench, records: dict, force: bool) -> list[Step]:
    """Steps for jobs, each with what changed since it was last executed."""
    steps = []
    for job in jobs:
        parts = bench.parts(job)
        why = ledger.reasons(records.get(ledger.name_of(job)), parts)
        steps.append(Step(job, ledger.key_of(parts), parts, why or ([["forced", ""]] if force else [])))
    return steps


def plan_drafts(drafts, bench: ledger.Workbench, records: dict, force: bool, upstream=()) -> list[Step]:
    """Steps for drafts; ``upstream`` are steps that are still to be executed and may change their tables."""
    steps = []
    for draft in drafts:
        parts = bench.draft_parts(draft, reading.inputs(draft.id))
        why = ledger.reasons(records.get(ledger.name_of(draft)), parts)
        why += [["upstream", step.job.id] for step in feeding(draft, upstream)]
        steps.append(Step(draft, ledger.key_of(parts), parts, why or ([["forced", ""]] if force else [])))
    return steps


def feeding(draft: Draft, steps) -> list[Step]:
    """Those of the steps whose tables a draft reads."""
    read = {f"params/{table}" for table in reading.tables(draft.id)}
    return [
        s for s in steps if any("/".join(o.split("/")[:2]) in read for o in getattr(s.job, "outputs", ()))
    ]


def run(
    batch: Batch,
    only=None,
    workers=1,
    engine="local",
    scheduler=None,
    force=False,
    options="",
    as_json=False,
    repeat_failed=True,
    tls=None,
) -> Outcome:
    """Execute what changed in a batch, drafts last.

    Parameters
    ----------
    batch : Batch
        Validated, from :func:`sinklab.runs.reading.read_batch`.
    only : str, optional
        Pattern of names.
    workers : int
    engine : "local", "dask" or "slurm-array"
    scheduler : str, optional
        Address of a Dask scheduler.
    force : bool
        Execute unchanged jobs too.
    options : str
        Further options of ``sbatch``.
    as_json : bool
        Tell the progress in JSON lines.
    repeat_failed : bool
        Execute jobs again of which nothing changed since they failed.
    tls : dict, optional
        Files ``ca``, ``cert`` and ``key`` for a Dask scheduler at a ``tls://`` address.

    Returns
    -------
    outcome : Outcome
        Failures are in it and are not raised.
    """
    jobs, drafts = select(batch, only)
    outcome = Outcome(batch)
    merge_left()
    outcome.steps = plan_jobs(jobs, ledger.Workbench(), ledger.read(), force)
    try:
        with _Crew(as_json, engine, workers, scheduler, options, tls) as crew:
            crew.execute(outcome, _due(outcome.steps, repeat_failed))
            steps = plan_drafts(drafts, ledger.Workbench(), ledger.read(), force)
            outcome.steps += steps
            crew.execute(outcome, [s for s in _due(steps, repeat_failed) if not _blocked(s, outcome)])
    except KeyboardInterrupt:
        outcome.interrupted = True
    return outcome


def _due(steps, repeat_failed: bool) -> list[Step]:
    """Steps that must be executed."""
    return [step for step in steps if step.why and (repeat_failed or step.why != [["failed", ""]])]


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

    def execute(self, outcome: Outcome, steps) -> None:
        """Carry steps to the engine and keep their records."""
        if not steps:
            return
        if self.engine is None:
            self.engine = self.stack.enter_context(open_engine(*self.choice))
        with open_progress(len(steps), self.as_json) as progress:
            for event in self.engine.run([step.task() for step in steps]):
                if event.record is None:
                    progress.started(event.task)
                else:
                    outcome.records[event.task["job"]] = event.record
                    progress.finished(event.task, event.record)


def _blocked(step: Step, outcome: Outcome) -> bool:
    """Whether a job that a draft depends on failed in this run; the draft is then recorded as failed."""
    failed = {record["job"] for record in outcome.failed}
    culprits = [s.job.id for s in feeding(step.job, [s for s in outcome.steps if s.name in failed])]
    if not culprits:
        return False
    names = ", ".join(culprits)
    task = step.task()
    line = tr(
        f"not rendered, because it reads tables of: {names}", f"未生成，因其所用参数表的作业失败：{names}"
    )
    record = failure_record(task, "blocked", line, task["planned"])
    ledger.append(record)
    outcome.records[step.name] = record
    return True
