"""One task, wherever it is executed: lock, second look at the ledger, the work, record.

The work is a notebook that runs to its end in one kernel within its limits, or a draft that is rendered. A notebook
that stopped is kept beside where it should have gone, with its traceback, and the record tells the useful line of it.
"""

import json
import math
import os
import re
import sys
import threading
import time
import traceback
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import sinklab
from sinklab import paths
from sinklab.language import SinklabError, set_language, tr
from sinklab.runs import kernels, ledger, pages
from sinklab.runs.ledger import Record, Task

#: One process executes one notebook at a time, because kernels take their settings from its environment.
_alone = threading.Lock()


def run_task(task: Task, own_process: bool = False, more: bool = False) -> Record:
    """Execute a task and write its record to the ledger.

    A task that another process finished since this run was planned is not repeated: its record is
    returned. That is also what happens when a scheduler hands a task out twice.

    Parameters
    ----------
    task : Task
    own_process : bool
        Whether this process executes nothing else meanwhile; its console output then goes into
        ``kernel.log`` beside the notebook.
    more : bool
        Whether another task will follow, whose kernel can be started meanwhile.
    """
    with _alone:
        return _run_alone(task, own_process, more)


def _run_alone(task: Task, own_process: bool, more: bool) -> Record:
    from filelock import FileLock, Timeout

    os.environ.update(kernels.environment(task.root) | {"SINKLAB_WORKER": str(os.getpid())})
    set_language(task.language)
    paths.refuse_links_out(task.folder / "any")
    task.folder.mkdir(parents=True, exist_ok=True)
    started = time.time()
    try:
        with FileLock(task.folder / ".lock", timeout=task.job.timeout):
            known = ledger.read().get(task.name)
            if known and _holds(known, task):
                return known
            if _cut_off(task):
                line = tr(
                    "the worker process ended while it executed this task (killed, or out of memory)",
                    "工作进程在执行该任务时意外结束（被杀或内存不足）",
                )
                return lost_record(task, "lost", line, started)
            started = time.time()
            with _log(task.folder / "kernel.log") if own_process else nullcontext():
                record = _attempt(task, started, more)
            ledger.append(record)
    except Timeout:
        line = tr("another run is still executing this job", "另一次运行仍在执行该作业")
        record = failure_record(task, "busy", line, started)
        ledger.append(record)
    return record


def failure_record(
    task: Task, reason: str, line: str, started: float, place: str = "", text: str = ""
) -> Record:
    """Record of a task that did not succeed."""
    found = _record(task, started, status="failed", reason=reason, line=line, place=place)
    found.traceback = text[-8000:]
    return found


def lost_record(task: Task, reason: str, line: str, started: float) -> Record:
    """Record, and write to the ledger, what became of a task whose worker is gone."""
    record = failure_record(task, reason, line, started)
    if task.job.kind == "notebook":
        keep(_target(task), NotebookFailure(reason, line))
        _show_kept(record, kept_of(_target(task)))
    ledger.append(record)
    return record


def _record(task: Task, started: float, **more) -> Record:
    job = task.job
    return Record(
        task.name,
        job.kind,
        job.batch,
        job.id,
        job.title,
        job.folder,
        task.why,
        task.key,
        task.parts,
        started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        finished=time.time(),
        seconds=round(time.time() - started, 2),
        **more,
    )


def _target(task: Task) -> Path:
    """Where the executed notebook goes."""
    return task.folder / task.job.notebook.path.name


def _holds(known: Record, task: Task) -> bool:
    """Whether somebody else did this very task after it was planned."""
    done = known.ok and known.key == task.key and known.finished >= task.planned
    return done and not ledger.broken_seals(known.outputs)


def _cut_off(task: Task) -> bool:
    """Whether an attempt of this very run ended in the midst of a cell, as when a scheduler lost its worker.

    It is not repeated unasked: the task might bring down one worker after another.
    """
    if task.job.kind != "notebook":
        return False
    part = part_of(_target(task))
    try:
        return part.stat().st_mtime >= task.planned and begun(part) > 0
    except OSError:
        return False


def _attempt(task: Task, started: float, more: bool) -> Record:
    """Do the work; whatever goes wrong becomes a record and not an exception."""
    try:
        if task.job.kind == "draft":
            return _draft(task, started)
        return _notebook(task, started, more)
    except NotebookFailure as error:
        record = failure_record(task, error.reason, error.line, started, error.place, error.text)
        target = _target(task)
        _show_kept(record, target if error.reason == "output" else kept_of(target))
        return record
    except SinklabError as error:
        return failure_record(task, "error", f"{type(error).__name__}: {error}", started, "", str(error))
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{paths.relative(frame.filename)}:{frame.lineno}"
        line = f"{type(error).__name__}: {error}".rstrip(": ")
        return failure_record(task, "error", line, started, place, traceback.format_exc())


def _show_kept(record: Record, notebook: Path) -> None:
    """Make a page of the notebook that was kept, so that it can be read without Jupyter."""
    if notebook.is_file():
        record.kept = paths.relative(notebook)
        # A notebook that a full disk cut short is no reason to forget why the job failed.
        with suppress(OSError, ValueError, KeyError):
            record.page = paths.relative(pages.write(notebook, record.title))


def _notebook(task: Task, started: float, more: bool) -> Record:
    """Execute a notebook, check that it wrote what it promised, and prepare what the index shows."""
    job, target = task.job, _target(task)
    execute_notebook(job.notebook.path, target, job.parameters, job.timeout, job.memory, more)
    written = {name: _files(paths.root() / name) for name in job.outputs}
    missing = [name for name in written if not written[name]]
    if missing:
        names = ", ".join(missing)
        line = tr(f"the notebook did not write {names}", f"笔记本没有写出 {names}")
        raise NotebookFailure("output", line)
    pages.forget_older(task.folder, started)
    page = pages.write(target, job.title)
    drawn = pages.collect(task.folder)
    pages.write_thumbnails(drawn, target)
    sheets = {name: _sheet(name, task.folder, drawn) for name in written}
    return _record(
        task,
        started,
        notebook=paths.relative(target),
        page=paths.relative(page),
        tables=list(job.outputs),
        sheets={name: paths.relative(sheet) for name, sheet in sheets.items() if sheet},
        figures=[paths.relative(figure) for figure in drawn],
        outputs=ledger.seal([target, page, *drawn, *(file for found in written.values() for file in found)]),
    )


def _sheet(name: str, folder: Path, drawn: list[Path]) -> Path | None:
    """Write the page of a table, with the figures of its notebook; None for outputs of other kinds."""
    place = paths.root() / name
    if not (place / "datapackage.json").is_file():
        return None
    from sinklab.drafts.rendering import write_page
    from sinklab.tables.table import Table

    table, files = Table.read(place), Path(os.path.relpath(place, folder)).as_posix()
    path = folder / f"{table.table_id}-{table.version}.html"
    pictures = [path for path in drawn if path.suffix.lower() == ".png"]
    return write_page(table, path, files=files, figures=(), pictures=pictures)


def _draft(task: Task, started: float) -> Record:
    """Render a draft in every language and format that the batch asks for."""
    from sinklab.drafts import rendering

    written = []
    for language in task.job.languages:
        written += rendering.render(task.job.id, language, task.job.formats).values()
    documents = [paths.relative(path) for path in written]
    return _record(task, started, documents=documents, outputs=ledger.seal(written))


def _files(place: Path) -> list[Path]:
    """Files at or below a place."""
    if place.is_dir():
        return sorted(path for path in place.rglob("*") if path.is_file())
    return [place] if place.is_file() else []


@contextmanager
def _log(path: Path):
    """Send what this process and its kernels print into a file; an empty one is removed."""
    _flush()
    saved = [os.dup(number) for number in (1, 2)]
    try:
        path.unlink(missing_ok=True)
        path.write_bytes(b"")
        with open(path, "ab") as target:  # a kernel kept ready adds to the file as well
            for number in (1, 2):
                os.dup2(target.fileno(), number)
        os.environ[kernels.LOG] = str(path)
        yield
    finally:
        os.environ.pop(kernels.LOG, None)
        _flush()
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        if not path.stat().st_size:
            path.unlink()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


# A notebook in its kernel.

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class NotebookFailure(Exception):
    """A notebook did not reach its end.

    Attributes
    ----------
    reason : str
        ``error``, ``timeout``, ``memory``, ``died``, or ``output`` (it did not write what it promised).
    line : str
        What the traceback ends in: the useful line, or the lines of a message that lists several faults.
    place : str
        Where in the notebook and in the library.
    text : str
        Whole traceback.
    """

    def __init__(self, reason: str, line: str, place: str = "", text: str = ""):
        super().__init__(line)
        self.reason, self.line, self.place, self.text = reason, line, place, text


def execute_notebook(
    source: Path,
    target: Path,
    parameters: dict,
    limit: float,
    memory: int | None = None,
    more: bool = False,
) -> None:
    """Execute a notebook from its template; ``target`` appears only when the notebook reached its end.

    Parameters
    ----------
    source, target : Path
        A notebook that stopped is left beside ``target`` as ``….failed.ipynb``, with its traceback.
    parameters : dict
        Of plain types.
    limit : float
        Seconds for the whole notebook, start of the kernel included.
    memory : int, optional
        Bytes that the kernel may write to, where the system can limit it.
    more : bool
        Whether another notebook will follow, whose kernel can be started meanwhile.

    Raises
    ------
    NotebookFailure
    """
    part, failed = part_of(target), kept_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + limit
    for attempt in (1, 2):
        part.unlink(missing_ok=True)
        try:
            with _quiet_home(memory):
                # A kernel that died before its first cell gets a second try, then by a start of its own.
                kernels.install(attempt == 1, deadline, more)
                _papermill(source, part, parameters, deadline)
        except BaseException as error:
            failure = _explain(error, part, limit, memory)
            if failure is None:
                part.unlink(missing_ok=True)
                raise
            # Once a cell has been started, a second try could repeat what it did.
            if failure.reason == "died" and not begun(part):
                if time.monotonic() >= deadline:
                    failure = NotebookFailure("timeout", _too_late(limit))
                elif attempt == 1:
                    continue
            keep(target, failure)
            raise failure from error
        os.replace(part, target)
        failed.unlink(missing_ok=True)
        return


def _papermill(source, part, parameters, deadline) -> None:
    import logging

    import papermill
    from papermill.translators import papermill_translators
    from traitlets.config import Config

    papermill_translators.register("python", _translator())
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    settings = {"transport_encryption": "auto", "client_factory": "sinklab.runs.kernels.Client"}
    # It holds the key with which code can be sent to the kernel.
    settings["connection_file"] = os.path.join(os.environ["IPYTHONDIR"], "kernel.json")
    papermill.execute_notebook(
        str(source),
        str(part),
        parameters=parameters,
        kernel_name="python3",
        progress_bar=False,
        # Not ``cwd``: that would move this whole process.
        resources={"metadata": {"path": str(paths.root())}},
        timeout_func=lambda cell: max(deadline - time.monotonic(), 0.1),
        start_timeout=math.ceil(max(min(60, deadline - time.monotonic()), 1)),
        shutdown_kernel="immediate",
        config=Config({"KernelManager": settings, "AsyncKernelManager": settings}),
    )


@cache
def _translator():
    """How papermill writes parameters as Python: Chinese as Chinese, not as escapes."""
    from papermill.translators import PythonTranslator

    class Readable(PythonTranslator):
        @classmethod
        def translate_escaped_str(cls, str_val):
            return json.dumps(str(str_val), ensure_ascii=False)

    return Readable


@contextmanager
def _quiet_home(memory: int | None):
    """Give kernels a memory limit, a figure backend, and a private folder without start-up files and history."""
    with paths.private("kernel") as folder:
        chosen = {"IPYTHONDIR": folder, "MPLBACKEND": kernels.INLINE, kernels.MEMORY: str(memory or "")}
        before = {name: os.environ.get(name) for name in chosen}
        os.environ.update(chosen)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _too_late(limit: float) -> str:
    return tr(f"time limit of {limit:g} s exceeded", f"超过 {limit:g} 秒的时限")


def _explain(error, part, limit, memory) -> NotebookFailure | None:
    """Turn what papermill raised into one failure; None for what is not the notebook's concern."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        text = _COLOUR.sub("", "\n".join(error.traceback))
        message = "\n".join(line.rstrip() for line in str(error.evalue).splitlines() if line.strip())
        place = f"In [{error.exec_count}]{_frame(text)}"
        if memory and error.ename.endswith("MemoryError"):
            size = f"{memory / 1024**2:g} MB"
            line = tr(f"memory limit of {size} exceeded", f"超过 {size} 的内存上限")
            return NotebookFailure("memory", f"{line}: {message[:200]}".rstrip(": "), place, text)
        return NotebookFailure("error", f"{error.ename}: {message[:2000]}".rstrip(": "), place, text)
    if isinstance(error, CellTimeoutError):
        return NotebookFailure("timeout", _too_late(limit), _running(part))
    if isinstance(error, DeadKernelError) or (isinstance(error, RuntimeError) and "ernel" in str(error)):
        line = tr(
            "the kernel died (killed, out of memory, or a crash in compiled code)",
            "内核意外终止（被杀、内存不足或编译代码崩溃）",
        )
        return NotebookFailure("died", line, _running(part), str(error))
    if isinstance(error, Exception):
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        return NotebookFailure("error", f"{type(error).__name__}: {first}", "", repr(error))
    return None


def _frame(text: str) -> str:
    """Last place in our own files that a traceback names, as ``, sinklab/fit/system.py:120``."""
    roots = {str(paths.root()), str(Path(sinklab.__file__).resolve().parent.parent)}
    root = f"(?:{'|'.join(map(re.escape, sorted(roots)))})"
    found = re.findall(rf"File {root}[/\\](\S+?\.py):(\d+)", text)
    found += re.findall(rf'File "{root}[/\\](\S+?\.py)", line (\d+)', text)
    return f", {found[-1][0]}:{found[-1][1]}".replace("\\", "/") if found else ""


def _started(content: dict) -> list[dict]:
    """Code cells that were started; papermill's own status calls the later ones completed too."""
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    return [cell for cell in cells if cell["metadata"].get("papermill", {}).get("start_time")]


def begun(part: Path) -> int:
    """Count the code cells of a notebook that were started; none when it was never written."""
    try:
        return len(_started(json.loads(part.read_text(encoding="utf-8"))))
    except (OSError, ValueError, KeyError):
        return 0


def _running(part: Path) -> str:
    """Name the cell that was being executed, as Jupyter would number it."""
    started = begun(part)
    return f"In [{started}]" if started else ""


def part_of(target: Path) -> Path:
    """File that a notebook is written to while it is executed."""
    return target.with_suffix(".part.ipynb")


def kept_of(target: Path) -> Path:
    """File in which a notebook that stopped is kept."""
    return target.with_suffix(".failed.ipynb")


def keep(target: Path, failure: NotebookFailure) -> None:
    """Keep the notebook that stopped; a cell that was cut off gets the reason as its output."""
    part = part_of(target)
    if not part.is_file():
        return
    if not part.stat().st_size:
        part.unlink()
        return
    if failure.reason != "error":
        try:
            content = json.loads(part.read_text(encoding="utf-8"))
        except ValueError:
            part.unlink()  # the worker was killed while it wrote
            return
        if started := _started(content):
            error = {"output_type": "error", "ename": failure.reason, "evalue": failure.line}
            started[-1]["outputs"].append(error | {"traceback": [failure.line]})
        part.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(part, kept_of(target))
