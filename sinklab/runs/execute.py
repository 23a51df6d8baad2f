"""One job, wherever it is executed: lock, second look at the ledger, work, record."""

import os
import sys
import threading
import time
import traceback
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path

from sinklab import paths
from sinklab.language import SinklabError, set_language, tr
from sinklab.runs import kernels, ledger

_alone = threading.Lock()


def task_of(job, key: str, parts: dict, why, language: str) -> dict:
    """Describe a job or draft in plain types, so that any engine can carry it to a worker."""
    task = {
        "job": ledger.name_of(job),
        "kind": job.kind,
        "batch": job.batch,
        "id": job.id,
        "title": job.title,
        "folder": job.folder,
        "timeout": job.timeout,
        "root": str(paths.root()),
        "language": language,
        "key": key,
        "parts": parts,
        "why": why,
        "planned": time.time(),
    }
    if job.kind == "draft":
        return task | {"languages": list(job.languages), "formats": list(job.formats)}
    return task | {
        "notebook": str(job.notebook.path),
        "parameters": job.parameters,
        "outputs": list(job.outputs),
        "memory": job.memory,
    }


def run_task(task: dict, own_process: bool = False) -> dict:
    """Execute a task and write its record to the ledger.

    A task that another process finished since this run was planned is not repeated: its record is
    returned. That is also what happens when a scheduler hands a task out twice. One process executes one
    notebook at a time, because kernels take their settings from its environment.

    Parameters
    ----------
    task : dict
        From :func:`task_of`.
    own_process : bool
        Whether this process executes nothing else meanwhile; its console output then goes into
        ``kernel.log`` beside the notebook.

    Returns
    -------
    record : dict
    """
    with _alone:
        return _run_alone(task, own_process)


def _run_alone(task: dict, own_process: bool) -> dict:
    from filelock import FileLock, Timeout

    root = Path(task["root"])
    os.environ.update(kernels.kernels_environment(root) | {"SINKLAB_WORKER": str(os.getpid())})
    set_language(task["language"])
    folder = root / task["folder"]
    folder.mkdir(parents=True, exist_ok=True)
    started = time.time()
    try:
        with FileLock(folder / ".lock", timeout=task["timeout"]):
            known = ledger.read().get(task["job"])
            if known and _holds(known, task):
                return known
            if _cut_off(task):
                line = tr(
                    "the worker process ended while it executed this task (killed, or out of memory)",
                    "工作进程在执行该任务时意外结束（被杀或内存不足）",
                )
                return lost_record(task, "lost", line, started)
            started = time.time()
            with _log(folder / "kernel.log") if own_process else nullcontext():
                record = _attempt(task, folder, started)
            _tell(record, task)
            return record
    except Timeout:
        line = tr("another run is still executing this job", "另一次运行仍在执行该作业")
        record = failure_record(task, "busy", line, started)
        _tell(record, task)
        return record


def failure_record(
    task: dict, reason: str, line: str, started: float, place: str = "", text: str = ""
) -> dict:
    """Record of a task that did not succeed."""
    return _record(task, started) | {
        "status": "failed",
        "reason": reason,
        "line": line,
        "place": place,
        "traceback": text[-8000:],
    }


def lost_record(task: dict, reason: str, line: str, started: float) -> dict:
    """Record, and write to the ledger, what became of a task whose worker is gone."""
    record = failure_record(task, reason, line, started)
    if task["kind"] == "notebook":
        target = Path(task["root"]) / task["folder"] / Path(task["notebook"]).name
        kernels.keep(target, kernels.NotebookFailure(reason, line))
        record |= _kept(kernels.kept_of(target), task["title"])
    _tell(record, task)
    return record


def _tell(record: dict, task: dict) -> None:
    """Write a record to the ledger, unless whoever started the task does so."""
    if not task.get("apart"):
        ledger.append(record)


def _record(task: dict, started: float) -> dict:
    begun = datetime.fromtimestamp(started, UTC)
    return {
        name: task[name] for name in ("job", "kind", "batch", "id", "title", "folder", "why", "key", "parts")
    } | {
        "started": begun.isoformat(timespec="seconds"),
        "finished": time.time(),
        "seconds": round(time.time() - started, 2),
    }


def _holds(known: dict, task: dict) -> bool:
    """Whether somebody else did this very task after it was planned."""
    return (
        known["status"] == "ok"
        and known["key"] == task["key"]
        and known["finished"] >= task["planned"]
        and not ledger.broken_seals(known["outputs"])
    )


def _cut_off(task: dict) -> bool:
    """Whether an attempt of this very run ended in the midst of a cell, as when a scheduler lost its worker.

    It is not repeated unasked: the task might bring down one worker after another.
    """
    if task["kind"] != "notebook":
        return False
    part = kernels.part_of(Path(task["root"]) / task["folder"] / Path(task["notebook"]).name)
    try:
        return part.stat().st_mtime >= task["planned"] and kernels.begun(part) > 0
    except OSError:
        return False


def _attempt(task: dict, folder: Path, started: float) -> dict:
    """Do the work; whatever goes wrong becomes a record and not an exception."""
    work = _draft if task["kind"] == "draft" else _notebook
    try:
        results = work(task, folder, started)
    except kernels.NotebookFailure as error:
        record = failure_record(task, error.reason, error.line, started, error.place, error.text)
        target = folder / Path(task["notebook"]).name
        return record | _kept(target if error.reason == "output" else kernels.kept_of(target), task["title"])
    except SinklabError as error:
        return failure_record(task, "error", f"{type(error).__name__}: {error}", started, "", str(error))
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{paths.relative(frame.filename)}:{frame.lineno}"
        line = f"{type(error).__name__}: {error}".rstrip(": ")
        return failure_record(task, "error", line, started, place, traceback.format_exc())
    return _record(task, started) | {"status": "ok"} | results


def _kept(notebook: Path, title: dict) -> dict:
    """Make a page of the notebook that was kept, so that it can be read without Jupyter."""
    from sinklab.runs import pages as runs_pages

    if not notebook.is_file():
        return {}
    found = {"kept": paths.relative(notebook)}
    # A notebook that a full disk cut short is no reason to forget why the job failed.
    with suppress(OSError, ValueError, KeyError):
        found["page"] = paths.relative(runs_pages.write(notebook, title))
    return found


def _notebook(task: dict, folder: Path, started: float) -> dict:
    """Execute a notebook, check that it wrote what it promised, and prepare what the index shows."""
    from sinklab.runs import pages as runs_pages

    target = folder / Path(task["notebook"]).name
    kernels.execute(Path(task["notebook"]), target, task["parameters"], task["timeout"], task["memory"])
    missing = [name for name in task["outputs"] if not _files(paths.root() / name)]
    if missing:
        names = ", ".join(missing)
        line = tr(f"the notebook did not write {names}", f"笔记本没有写出 {names}")
        raise kernels.NotebookFailure("output", line)
    runs_pages.forget_older(folder, started)
    page = runs_pages.write(target, task["title"])
    drawn = runs_pages.collect(folder)
    runs_pages.write_thumbnails(drawn, target)
    written = [file for name in task["outputs"] for file in _files(paths.root() / name)]
    return {
        "notebook": paths.relative(target),
        "page": paths.relative(page),
        "tables": task["outputs"],
        "figures": [paths.relative(figure) for figure in drawn],
        "outputs": ledger.seal([target, page, *drawn, *written]),
    }


def _draft(task: dict, folder: Path, started: float) -> dict:
    """Render a draft in every language and format that the batch asks for."""
    from sinklab.drafts import rendering

    written = []
    for language in task["languages"]:
        written += rendering.render(task["id"], language, task["formats"]).values()
    return {"documents": [paths.relative(path) for path in written], "outputs": ledger.seal(written)}


def _files(place: Path) -> list[Path]:
    """Files at or below a place."""
    if place.is_dir():
        return sorted(path for path in place.rglob("*") if path.is_file())
    return [place] if place.is_file() else []


@contextmanager
def _log(path: Path):
    """Send what this process and its kernels print into a file; an empty one is removed."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    saved = [os.dup(number) for number in (1, 2)]
    try:
        with open(path, "wb") as target:
            for number in (1, 2):
                os.dup2(target.fileno(), number)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        if not path.stat().st_size:
            path.unlink()
