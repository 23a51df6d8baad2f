"""A whole run: plan, execute what must be executed, render the drafts, tell what happened."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sinklab import language
from sinklab.errors import RunError
from sinklab.language import tr
from sinklab.runs import draft_files, keys, ledger
from sinklab.runs.engines import open_engine
from sinklab.runs.execute import failure_record, task_of
from sinklab.runs.jobs import Batch, Draft, Job
from sinklab.runs.progress import open_progress
from sinklab.runs.slurm import merge_left


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
        return task_of(self.job, self.key, self.parts, self.why, language.language())


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


def plan_jobs(jobs, bench: keys.Workbench, records: dict, force: bool) -> list[Step]:
    """Steps for jobs, each with what changed since it was last executed."""
    steps = []
    for job in jobs:
        parts = bench.parts(job)
        why = keys.reasons(records.get(ledger.name_of(job)), parts)
        steps.append(Step(job, keys.key_of(parts), parts, why or ([["forced", ""]] if force else [])))
    return steps


def plan_drafts(drafts, bench: keys.Workbench, records: dict, force: bool, upstream=()) -> list[Step]:
    """Steps for drafts; ``upstream`` are steps that are still to be executed and may change their tables."""
    steps = []
    for draft in drafts:
        parts = bench.draft_parts(draft, draft_files.inputs(draft.id))
        why = keys.reasons(records.get(ledger.name_of(draft)), parts)
        why += [["upstream", step.job.id] for step in feeding(draft, upstream)]
        steps.append(Step(draft, keys.key_of(parts), parts, why or ([["forced", ""]] if force else [])))
    return steps


def feeding(draft: Draft, steps) -> list[Step]:
    """Those of the steps whose tables a draft reads."""
    read = {f"params/{table}" for table in draft_files.tables(draft.id)}
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
    outcome.steps = plan_jobs(jobs, keys.Workbench(), ledger.read(), force)
    try:
        with _Crew(as_json, engine, workers, scheduler, options, tls) as crew:
            crew.execute(outcome, _due(outcome.steps, repeat_failed))
            steps = plan_drafts(drafts, keys.Workbench(), ledger.read(), force)
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
