"""One notebook in one kernel: its environment, its time limit, and the file it ends in."""

import json
import os
import re
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import sinklab
from sinklab import paths
from sinklab.language import tr
from sinklab.runs import starting

#: Set for every worker and kernel. One thread each: the workers are the parallelism.
FIXED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "PYTHONUTF8": "1",
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
    "JUPYTER_PLATFORM_DIRS": "1",
    "MPLBACKEND": "agg",
}
#: Set only where the user has not; PyTensor must never look for a C compiler.
PREFERRED = {"PYTENSOR_FLAGS": "cxx=,mode=NUMBA"}
INLINE = "module://matplotlib_inline.backend_inline"
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


def environment(root: Path) -> dict[str, str]:
    """Variables that workers and kernels are started with."""
    chosen = {name: value for name, value in PREFERRED.items() if not os.environ.get(name)}
    # The library that planned the run is the one that the notebooks import.
    library = str(Path(sinklab.__file__).resolve().parent.parent)
    found = os.environ.get("PYTHONPATH", "")
    if library not in found.split(os.pathsep):
        found = os.pathsep.join(filter(None, (library, found)))
    return FIXED | chosen | {"PYTHONPATH": found, "SINKLAB_ROOT": str(root)}


def execute(source: Path, target: Path, parameters: dict, limit: float, memory: int | None = None) -> None:
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
                starting.install(attempt == 2, deadline)
                _papermill(source, part, parameters, deadline)
        except BaseException as error:
            failure = _explain(error, part, limit, memory)
            if failure is None:
                part.unlink(missing_ok=True)
                raise
            # Once a cell has been started, a second try could repeat what it did.
            if attempt == 1 and failure.reason == "died" and not begun(part):
                if time.monotonic() < deadline:
                    continue
                failure = NotebookFailure("timeout", _too_late(limit))
            keep(target, failure)
            raise failure from error
        os.replace(part, target)
        failed.unlink(missing_ok=True)
        return


def _papermill(source, part, parameters, deadline) -> None:
    import logging

    import papermill
    from traitlets.config import Config

    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    settings = {"transport_encryption": "auto", "client_factory": "sinklab.runs.client.Client"}
    papermill.execute_notebook(
        str(source),
        str(part),
        parameters=parameters,
        kernel_name="python3",
        progress_bar=False,
        # Not ``cwd``: that would move this whole process.
        resources={"metadata": {"path": str(paths.root())}},
        timeout_func=lambda cell: max(deadline - time.monotonic(), 0.1),
        start_timeout=int(max(min(60, deadline - time.monotonic()), 1)),
        shutdown_kernel="immediate",
        config=Config({"KernelManager": settings, "AsyncKernelManager": settings}),
    )


@contextmanager
def _quiet_home(memory: int | None):
    """Give kernels a memory limit, a figure backend, and an IPython folder without start-up files and history."""
    with tempfile.TemporaryDirectory(prefix="sinklab-", ignore_cleanup_errors=True) as folder:
        chosen = {"IPYTHONDIR": folder, "MPLBACKEND": INLINE, starting.MEMORY: str(memory or "")}
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


def _cells(part: Path) -> list[dict]:
    """Code cells of a notebook that stopped; none when it was never written."""
    try:
        cells = json.loads(part.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return []
    return [cell for cell in cells if cell["cell_type"] == "code"]


def begun(part: Path) -> int:
    """Count the code cells that were started; papermill's own status calls the later ones completed too."""
    return sum(bool(cell["metadata"].get("papermill", {}).get("start_time")) for cell in _cells(part))


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
        cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
        started = [c for c in cells if c["metadata"].get("papermill", {}).get("start_time")]
        if started:
            error = {"output_type": "error", "ename": failure.reason, "evalue": failure.line}
            started[-1]["outputs"].append(error | {"traceback": [failure.line]})
        part.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(part, kept_of(target))
