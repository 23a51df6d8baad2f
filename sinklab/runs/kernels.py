"""One notebook in one kernel: its environment, its time limit, and the file it ends in.

The client of a kernel, with the waits of an interactive session left out.

How a kernel is started: forked from a preloaded parent where there is one, else in the ordinary way.

The parent is :mod:`sinklab.runs.preloaded`; a run with several notebooks starts one on Linux and macOS.
Either way the notebook finds the same environment and gives the same results.

The two ways of starting a kernel, as Jupyter wants them, both with a memory limit where Linux offers one.
"""

import ast
import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from queue import Empty

import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

import sinklab
from sinklab import paths
from sinklab.language import tr

# --- The client of a kernel, with the waits of an interactive session left out.

#: Milliseconds until a connection is tried again; a kernel opens its ports a moment after it has been started.
AGAIN = 10


class Client(AsyncKernelClient):
    """Connects as soon as the kernel listens, and is ready as soon as the kernel says that it is idle."""

    def _create_connected_socket(self, *arguments, **named):
        self.context.setsockopt(zmq.RECONNECT_IVL, AGAIN)
        return super()._create_connected_socket(*arguments, **named)

    async def wait_for_ready(self, timeout=None):
        """Wait for the answer of the kernel and for the end of its messages, and not a while longer."""
        channel, idle = self.iopub_channel, False
        get = channel.get_msg

        async def get_unless_idle(**named):
            nonlocal idle
            if idle:
                raise Empty
            message = await get(**named)
            of = message["parent_header"].get("msg_type")
            idle = of == "kernel_info_request" and message["content"].get("execution_state") == "idle"
            return message

        channel.get_msg = get_unless_idle
        try:
            await super().wait_for_ready(timeout)
        finally:
            del channel.get_msg


# --- How a kernel is started: forked from a preloaded parent where there is one, else in the ordinary way.

#: Names the socket of the preloaded parent for workers, and the memory limit of a kernel in bytes.
SOCKET, MEMORY = "SINKLAB_KERNELS", "SINKLAB_MEMORY"
#: pyarrow's allocator would start a thread, and a process with threads must not fork.
_QUIET = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
#: What nearly every notebook ends up importing through the library, which itself imports late.
_USUAL = (
    "numpy.random",
    "pandas",
    "scipy.optimize",
    "scipy.stats",
    "sympy",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "IPython.display",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "pandas.core.methods.to_dict",
    "pyarrow.parquet",
    "yaml",
    "sinklab.data.catalogue",
    "sinklab.data.studies",
    "sinklab.equations.forms",
    "sinklab.equations.latex",
    "sinklab.fitting",
    "sinklab.plots",
    "sinklab.results.prediction",
    "sinklab.tables.checks",
    "sinklab.tables.pack",
    "sinklab.tables.table",
)
_BAYES = ("pymc", "arviz", "nutpie")


class Preloaded:
    """The preloaded parent of a run, as a context manager; without effect where processes cannot fork.

    Parameters
    ----------
    tasks : list of dict
        What will be executed; decides what is imported. Empty when it is not known yet.
    """

    def __init__(self, tasks):
        self.tasks = tasks
        self.folder = self.process = None

    def __enter__(self) -> dict[str, str]:
        """Start the parent; returns the variables by which workers find it."""
        if not hasattr(os, "fork") or not hasattr(socket, "AF_UNIX"):
            return {}
        self.folder = tempfile.mkdtemp(prefix="sinklab-")
        path = os.path.join(self.folder, "kernels")
        import fcntl

        from sinklab.runs import preloaded

        environment = dict(os.environ) | kernels_environment(paths.root()) | _QUIET
        environment["MPLBACKEND"] = INLINE
        text = json.dumps(preloaded.models(self.tasks))
        Path(f"{path}.models").write_text(text, encoding="utf-8")
        # Held as long as the parent lives, which is how workers know that waiting for it makes sense.
        with open(f"{path}.alive", "wb") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sinklab.runs.preloaded", path, *modules(self.tasks)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                pass_fds=[alive.fileno()],
            )
        return {SOCKET: path}

    def __exit__(self, kind, error, trace):
        """Let the parent and whatever kernels it still has go."""
        if self.process is not None:
            self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def modules(tasks) -> list[str]:
    """Modules worth importing before the fork: what the notebooks name, and what the library needs for them."""
    found, texts = {}, set()
    for task in tasks:
        if task["kind"] == "notebook":
            texts.add(task["notebook"])
            if any(str(value) == "bayes" for value in task["parameters"].values()):
                found |= dict.fromkeys(_BAYES)
    for name in sorted(texts):
        cells = json.loads(Path(name).read_text(encoding="utf-8"))["cells"]
        for cell in cells:
            if cell["cell_type"] == "code":
                found |= dict.fromkeys(_imported("".join(cell["source"])))
    # Nothing known beforehand: as if a notebook fitted something.
    usual = _USUAL if not texts or {"pandas", "sinklab"} & found.keys() else ()
    return list(dict.fromkeys((*usual, *found)))


def _imported(code: str) -> list[str]:
    """Modules that the statements of a cell import; none when it is not plain Python."""
    try:
        statements = ast.parse(code).body
    except SyntaxError:
        return []
    found = []
    for statement in statements:
        if isinstance(statement, ast.Import):
            found += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module == "sinklab":
            found += [f"sinklab.{alias.name}" for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            found.append(statement.module)
    return found


def alive(path: str) -> bool:
    """Whether the preloaded parent of a socket still lives."""
    import fcntl

    try:
        with open(f"{path}.alive", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


class ForkedProcess:
    """A kernel that the preloaded parent forked, with the part of the manners of ``Popen`` that is needed."""

    stdin = stdout = stderr = None

    def __init__(self, path: str, arguments, environment: dict, folder):
        self.connection = socket.socket(socket.AF_UNIX)
        self.returncode: int | None = None
        self._read = b""
        request = {"arguments": list(arguments), "env": dict(environment), "cwd": str(folder)}
        try:
            self.connection.settimeout(20)
            self.connection.connect(path)
            raw = json.dumps(request).encode() + b"\n"
            sent = socket.send_fds(self.connection, [raw], [1, 2])
            self.connection.sendall(raw[sent:])
            self.pid = json.loads(self._line())["pid"]
        except BaseException:
            self.connection.close()
            raise
        self.connection.setblocking(False)

    def _line(self) -> bytes:
        while b"\n" not in self._read:
            more = self.connection.recv(4096)
            if not more:
                raise ConnectionError("the preloaded parent is gone")
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line

    def poll(self) -> int | None:
        """Exit code, None while the kernel lives."""
        if self.returncode is None:
            try:
                self.returncode = json.loads(self._line())["exit"]
            except BlockingIOError:
                return None
            except OSError:
                # The parent was killed; a kernel without it ends by itself.
                self.send_signal(signal.SIGKILL)
                self.returncode = -signal.SIGKILL
            self.connection.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Exit code, once the kernel has ended."""
        if self.poll() is None:
            self.connection.settimeout(timeout)
            try:
                self.returncode = json.loads(self._line())["exit"]
            except OSError:
                self.returncode = -signal.SIGKILL
            self.connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End the kernel at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the kernel to end."""
        self.send_signal(signal.SIGTERM)


#: When the notebook that is being executed must be over, on the monotonic clock.
deadline = float("inf")


def install(ordinary: bool, until: float = float("inf")) -> None:
    """Have the kernels of this process started here.

    Parameters
    ----------
    ordinary : bool
        Never forked.
    until : float
        Time of the monotonic clock beyond which nobody waits for the preloaded parent.
    """
    global deadline
    deadline = until
    from jupyter_client.provisioning.factory import KernelProvisionerFactory

    factory = KernelProvisionerFactory.instance()
    group = factory.GROUP_NAME
    for name, kind in (("sinklab-ordinary", "Ordinary"), ("sinklab-forked", "Forked")):
        # No entry point of an installed package: the library also runs from a plain checkout.
        factory.provisioners[name] = EntryPoint(name, f"sinklab.runs.kernels:{kind}", group)
    factory.default_provisioner_name = "sinklab-ordinary" if ordinary else "sinklab-forked"


# --- One notebook in one kernel: its environment, its time limit, and the file it ends in.

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


def kernels_environment(root: Path) -> dict[str, str]:
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
                install(attempt == 2, deadline)
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
    settings = {"transport_encryption": "auto", "client_factory": "sinklab.runs.kernels.Client"}
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
        chosen = {"IPYTHONDIR": folder, "MPLBACKEND": INLINE, MEMORY: str(memory or "")}
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


# --- The two ways of starting a kernel, as Jupyter wants them, both with a memory limit where Linux offers

#: Sockets of parents that ended or must not fork.
_given_up: set[str] = set()


class Ordinary(LocalProvisioner):
    """A new process for each kernel."""

    async def launch_kernel(self, cmd, **kwargs):
        """Start the kernel and limit its memory."""
        information = await super().launch_kernel(cmd, **kwargs)
        limit_memory(self.pid)
        return information

    async def kill(self, restart=False):
        """Kill the kernel, and see its end before the manager begins to look every tenth of a second."""
        await super().kill(restart)
        until = time.monotonic() + 1
        while self.process and await self.poll() is None and time.monotonic() < until:
            await asyncio.sleep(0.005)


class Forked(Ordinary):
    """A fork of the preloaded parent; a new process where there is none, or it does not answer."""

    async def launch_kernel(self, cmd, **kwargs):
        """Have the kernel forked and limit its memory."""
        path = os.environ.get(SOCKET)
        if path and await _ready(path):
            arguments = cmd[cmd.index("-f") :]
            environment = {name: value for name, value in kwargs["env"].items() if name != SOCKET}
            try:
                self.process = ForkedProcess(path, arguments, environment, kwargs.get("cwd") or os.getcwd())
            except (OSError, ValueError):
                return await super().launch_kernel(cmd, **kwargs)
            # A forked kernel leads a session of its own, like an ordinary one.
            self.pid = self.pgid = self.process.pid
            self.cwd = kwargs.get("cwd")
            limit_memory(self.pid)
            return self.connection_info
        return await super().launch_kernel(cmd, **kwargs)


async def _ready(path: str) -> bool:
    """Wait for the parent to have imported and compiled what an ordinary kernel would have to do as well."""
    while not os.path.exists(path):
        if path in _given_up or not alive(path):
            _given_up.add(path)
            return False
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def limit_memory(process: int) -> None:
    """Limit the memory that a process may write to, as ``SINKLAB_MEMORY`` says; Linux only."""
    limit = os.environ.get(MEMORY)
    if limit and sys.platform == "linux":
        import resource

        # Address space would count what libraries map and never touch; data is what they write.
        resource.prlimit(process, resource.RLIMIT_DATA, (int(limit), int(limit)))
