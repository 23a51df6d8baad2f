"""How the kernel of a notebook is started: forked from a preloaded parent, taken from those kept ready, or anew.

Nearly all of what a small notebook costs is the start of its kernel and the imports. So a run imports once what its
notebooks import, in a process of its own (``python -m sinklab.runs.kernels``), and has it become the kernels:

* Where processes can fork, one parent serves the run. A fork of it begins with libraries that have been imported and
  nothing else: no notebook ever runs in the parent, so nothing passes from one job to the next. A parent in which an
  import has started threads does not fork at all, because a lock that another thread holds would stay locked in the
  child.
* Elsewhere (Windows) each worker keeps one such process ready ahead of the queue: it starts the kernel of the next job
  while the current one runs, and tells it which kernel to become when that job comes.
* A kernel that can have neither is started by Jupyter in the ordinary way.

However it was started, a notebook finds the same environment and gives the same results. A parent ends with the process
that started it, a kernel with its worker.
"""

import ast
import asyncio
import contextlib
import gc
import io
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.launcher import launch_kernel
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

import sinklab
from sinklab import paths
from sinklab.runs.jobs import Task

# The environment of workers and kernels.

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
#: For workers: the socket of the preloaded parent, or what the kernels kept ready import.
SOCKET, AHEAD = "SINKLAB_KERNELS", "SINKLAB_AHEAD"
#: Memory limit of a kernel in bytes, and the file for what it prints.
MEMORY, LOG = "SINKLAB_MEMORY", "SINKLAB_LOG"
#: "0" has a run do without forks, as on Windows.
FORK = "SINKLAB_FORK"
#: pyarrow's allocator would start a thread, and a process with threads must not fork.
_QUIET = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}


def environment(root: Path) -> dict[str, str]:
    """Variables that workers and kernels are started with."""
    chosen = {name: value for name, value in PREFERRED.items() if not os.environ.get(name)}
    # The library that planned the run is the one that the notebooks import.
    library = str(Path(sinklab.__file__).resolve().parent.parent)
    found = os.environ.get("PYTHONPATH", "")
    if library not in found.split(os.pathsep):
        found = os.pathsep.join(filter(None, (library, found)))
    return FIXED | chosen | {"PYTHONPATH": found, "SINKLAB_ROOT": str(root)}


# What is imported beforehand.

#: What a kernel imports before its first cell.
_KERNEL = (
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "psutil",
    "sqlite3",
    "tornado.platform.asyncio",
    "tornado.queues",
)
#: What nearly every notebook ends up importing through the library, which itself imports late.
_USUAL = (
    "numpy.random",
    "pandas",
    "scipy.optimize",
    "scipy.stats",
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


def modules(tasks: list[Task]) -> list[str]:
    """Modules worth importing beforehand: what the notebooks name, and what the library needs for them."""
    jobs = [task.job for task in tasks if task.job.kind == "notebook"]
    found: dict[str, None] = {}
    if any(str(value) == "bayes" for job in jobs for value in job.parameters.values()):
        found |= dict.fromkeys(_BAYES)
    for code in sorted({code for job in jobs for code in job.notebook.code}):
        found |= dict.fromkeys(_imported(code))
    # Nothing known beforehand: as if a notebook fitted something.
    usual = _USUAL if not jobs or {"pandas", "sinklab"} & found.keys() else ()
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


#: Models beyond this number are left to the kernels: many structures are seldom shared by many jobs.
_MODELS = 8
#: Parameters of a notebook that make the model what it is, whatever the data.
_MODEL = ("notebook", "source", "equations", "method", "variance", "by")


def models(tasks: list[Task]) -> list[dict[str, Any]]:
    """Parameters of one job for each model that several jobs sample, those of most jobs first."""
    found: dict[str, list[dict]] = {}
    for job in [task.job for task in tasks if task.job.kind == "notebook"]:
        given = job.parameters | {"notebook": str(job.notebook.path)}
        if given.get("method") == "bayes" and {"source", "equations"} <= given.keys() and not given.get("by"):
            found.setdefault(repr([given.get(name) for name in _MODEL]), []).append(given)
    shared = sorted((jobs for jobs in found.values() if len(jobs) > 1), key=len, reverse=True)
    return [jobs[0] for jobs in shared[:_MODELS]]


# The run's side: the preloaded parent, and who asks it.


class Preloaded:
    """What a run does so that its kernels start quickly, as a context manager.

    Parameters
    ----------
    tasks : list of Task
        What will be executed; decides what is imported. Empty when it is not known yet.
    """

    def __init__(self, tasks: list[Task]):
        self.tasks = tasks
        self.folder: str | None = None
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> dict[str, str]:
        """Start the parent where processes can fork; returns the variables that workers are to be given."""
        names = modules(self.tasks)
        if not hasattr(os, "fork") or not hasattr(socket, "AF_UNIX") or os.environ.get(FORK) == "0":
            return {AHEAD: " ".join(names) or "sys"}
        import fcntl

        self.folder = tempfile.mkdtemp(prefix="sinklab-")
        path = os.path.join(self.folder, "kernels")
        Path(f"{path}.models").write_text(json.dumps(models(self.tasks)), encoding="utf-8")
        # Held as long as the parent lives, which is how workers know that waiting for it makes sense.
        with open(f"{path}.alive", "wb") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sinklab.runs.kernels", path, *names],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(os.environ) | environment(paths.root()) | _QUIET | {"MPLBACKEND": INLINE},
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


def _lives(path: str) -> bool:
    """Whether the preloaded parent of a socket still lives."""
    import fcntl

    try:
        with open(f"{path}.alive", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


class ForkedProcess:
    """A kernel that the preloaded parent forked, with the part of the manners of ``Popen`` that is needed."""

    stdin = stdout = stderr = None

    def __init__(self, path: str, arguments, variables, folder):
        self.connection = socket.socket(socket.AF_UNIX)
        self.returncode: int | None = None
        self._read = b""
        try:
            self.connection.settimeout(20)
            self.connection.connect(path)
            raw = _request(arguments, variables, folder)
            sent = socket.send_fds(self.connection, [raw], [1, 2])
            self.connection.sendall(raw[sent:])
            self.pid = json.loads(self._line())["pid"]
        except BaseException:
            self.connection.close()
            raise

    def _line(self) -> bytes:
        while b"\n" not in self._read:
            more = self.connection.recv(4096)
            if not more:
                raise ConnectionError("the preloaded parent is gone")
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line

    def wait(self, timeout: float | None = None) -> int | None:
        """Exit code once the kernel has ended; None when it still lives after ``timeout`` seconds."""
        if self.returncode is None:
            self.connection.settimeout(timeout)
            try:
                self.returncode = json.loads(self._line())["exit"]
            except (BlockingIOError, TimeoutError):
                return None
            except OSError:
                # The parent was killed; a kernel without it ends by itself.
                self.kill()
                self.returncode = -signal.SIGKILL
            self.connection.close()
        return self.returncode

    def poll(self) -> int | None:
        """Exit code, None while the kernel lives."""
        return self.wait(0)

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


def _request(arguments, variables, folder) -> bytes:
    """One line that says which kernel a preloaded process is to become."""
    own = {name: value for name, value in variables.items() if name not in (SOCKET, AHEAD)}
    asked = {"arguments": list(arguments), "env": own, "cwd": str(folder)}
    return json.dumps(asked).encode() + b"\n"


# The worker's side: the ways of starting a kernel as Jupyter wants them, and its client.

#: When the notebook that is being executed must be over, on the monotonic clock.
_deadline = float("inf")
#: Whether a worker starts the kernel of its next job while it executes one, and that kernel.
_more, _next = False, None
#: Sockets of parents that ended or must not fork.
_given_up: set[str] = set()


def install(preloaded: bool, until: float = float("inf"), more: bool = False) -> None:
    """Have the kernels of this process started here.

    Parameters
    ----------
    preloaded : bool
        Forked or kept ready, where there is such a way.
    until : float
        Time of the monotonic clock beyond which nobody waits for the preloaded parent.
    more : bool
        Whether another notebook will follow, whose kernel can be started meanwhile.
    """
    global _deadline, _more
    _deadline, _more = until, more
    from jupyter_client.provisioning.factory import KernelProvisionerFactory

    factory = KernelProvisionerFactory.instance()
    for name, kind in (("sinklab-ordinary", "Ordinary"), ("sinklab-preloaded", "PreloadedKernel")):
        # No entry point of an installed package: the library also runs from a plain checkout.
        place = f"sinklab.runs.kernels:{kind}"
        factory.provisioners[name] = EntryPoint(name, place, factory.GROUP_NAME)
    factory.default_provisioner_name = "sinklab-preloaded" if preloaded else "sinklab-ordinary"


class Ordinary(LocalProvisioner):
    """A new process for each kernel, its memory limited where Linux offers that."""

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


class PreloadedKernel(Ordinary):
    """A process that has imported everything already; a new one where there is none, or it does not answer."""

    async def launch_kernel(self, cmd, **kwargs):
        """Have a preloaded process become the kernel and limit its memory."""
        path, folder = os.environ.get(SOCKET), kwargs.get("cwd") or os.getcwd()
        arguments, variables = cmd[cmd.index("-f") :], kwargs["env"]
        process = None
        with contextlib.suppress(OSError, ValueError):
            if path and await _ready(path):
                process = ForkedProcess(path, arguments, variables, folder)
            elif not path:
                process = _take_next(arguments, variables, folder)
        if _more and not path and os.environ.get(AHEAD):
            _start_next()
        if process is None:
            return await super().launch_kernel(cmd, **kwargs)
        # It leads a session of its own, like an ordinary one.
        self.process, self.pid, self.cwd = process, process.pid, kwargs.get("cwd")
        self.pgid = None if os.name == "nt" else process.pid
        limit_memory(self.pid)
        return self.connection_info


async def _ready(path: str) -> bool:
    """Wait for the parent to have imported and compiled what an ordinary kernel would have to do as well."""
    while not os.path.exists(path):
        if path in _given_up or not _lives(path):
            _given_up.add(path)
            return False
        if time.monotonic() > _deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def _start_next() -> None:
    """Start the kernel of the next job; it imports, and waits to be told which kernel it is."""
    global _next
    variables = {n: v for n, v in os.environ.items() if n not in (SOCKET, MEMORY, LOG)}
    _next = launch_kernel(
        [sys.executable, "-m", "sinklab.runs.kernels", "-", *variables.pop(AHEAD).split()],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=variables | {"MPLBACKEND": INLINE},
    )


def _take_next(arguments, variables, folder) -> subprocess.Popen | None:
    """Have the kernel that was started ahead become the one that is wanted; None when there is none."""
    global _next
    process, _next = _next, None
    if process is None or process.poll() is not None:
        return None
    with process.stdin as stream:
        stream.write(_request(arguments, variables, folder))
    return process


def limit_memory(process: int) -> None:
    """Limit the memory that a process may write to, as ``SINKLAB_MEMORY`` says; Linux only."""
    limit = os.environ.get(MEMORY)
    if limit and sys.platform == "linux":
        import resource

        # Address space would count what libraries map and never touch; data is what they write.
        resource.prlimit(process, resource.RLIMIT_DATA, (int(limit), int(limit)))


class Client(AsyncKernelClient):
    """Connects as soon as the kernel listens, and is ready as soon as it says so: no waits of a session at a screen."""

    def _create_connected_socket(self, *arguments, **named):
        # Milliseconds until a connection is tried again; a kernel opens its ports a moment after it was started.
        self.context.setsockopt(zmq.RECONNECT_IVL, 10)
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


# The preloaded process: it imports, rehearses, and becomes kernels.

#: Variables that an import has set here, with their values before and after it.
_set_by_imports: dict[str, tuple] = {}
#: Longest request: the environment of a kernel.
_REQUEST = 1 << 20


def main(path: str, names: list[str]) -> int:
    """Import modules, then serve a socket or, for ``-``, become the kernel that standard input asks for.

    Returns
    -------
    code : int
        1 when this process has threads and must not fork.
    """
    if sys.path[0] in ("", os.getcwd()):
        del sys.path[0]  # as the launcher of ordinary kernels does
    _preload([*_KERNEL, *names])
    if path == "-":
        asked = sys.stdin.buffer.readline()
        if asked.endswith(b"\n"):
            _become_kernel(json.loads(asked))
        return 0
    if _threads() == 1:
        _rehearse(json.loads(Path(f"{path}.models").read_text(encoding="utf-8")))
    if _threads() != 1:
        Path(f"{path}.refused").touch()
        return 1
    # What is here already is never garbage: kernels need not look through it, nor copy its pages.
    gc.collect()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    # The name appears when connections are taken, and not before.
    listener.bind(f"{path}.new")
    listener.listen(64)
    os.rename(f"{path}.new", path)
    _serve(listener)
    return 0


def _preload(names) -> None:
    """Import modules; what cannot be imported here is the notebook's affair."""
    import warnings

    before = dict(os.environ)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            with contextlib.suppress(Exception):
                import_module(name)
    changed = {n: v for n, v in os.environ.items() if before.get(n) != v}
    _set_by_imports.update((name, (before.get(name), value)) for name, value in changed.items())


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def _rehearse(given: list[dict]) -> None:
    """Draw a figure and compile models; what cannot be done here is the notebook's affair.

    Neither leaves anything behind but time saved. A figure is drawn and forgotten; a posterior's machine code is
    made and not run, and each kernel puts its own data into it, as every later fit of one process does.
    """
    for work, arguments in ((_draw, ()), *((_compile_model, (parameters,)) for parameters in given)):
        with contextlib.suppress(Exception):
            work(*arguments)


def _draw() -> None:
    """Draw a figure: fonts, formulae and encoders are then at hand."""
    if "matplotlib" not in sys.modules:
        return
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"mathtext.fontset": "stix", "font.family": [paths.register(), "DejaVu Sans"]}):
        figure = Figure(figsize=(2, 2), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.loglog([1, 20], [1, 300], "o", label="树 $10^{2}$")
        left.legend()
        right.errorbar([1, 2], [2, 3], yerr=1)
        right.fill_between([1, 2], [1, 2], [2, 3])
        figure.savefig(io.BytesIO(), format="png")


def _compile_model(given: dict) -> None:
    """Compile the model that a notebook with these parameters samples; nothing is sampled."""
    from sinklab.data import open_data
    from sinklab.equations.system import System
    from sinklab.fitting.bayes.engine import compile_ahead
    from sinklab.fitting.data import prepare

    data = open_data.load(given["source"], given.get("where") or {})
    system = System.parse(given["equations"]).bind(data.columns)
    prepared = prepare(data, system, given["source"], totals=True)
    compile_ahead(prepared, given.get("variance", "lognormal"))


def _serve(listener: socket.socket) -> None:
    """Fork a kernel for every connection until standard input is closed."""
    wake, alarm = os.pipe()
    for end in (wake, alarm):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the runner decides
    signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
    selector = selectors.DefaultSelector()
    for source in (0, wake, listener):
        selector.register(source, selectors.EVENT_READ)
    kernels: dict[int, socket.socket] = {}  # process -> its connection
    while True:
        for key, _ in selector.select():
            if key.fileobj == 0:
                for process in kernels:
                    _kill(process)
                return
            if key.fileobj == wake:
                os.read(wake, 1024)
                _reap(kernels, selector)
            elif key.fileobj is listener:
                connection, _ = listener.accept()
                process = _fork(connection, listener, selector, (wake, alarm), kernels)
                if process:
                    kernels[process] = connection
                    selector.register(connection, selectors.EVENT_READ, process)
                    _send(connection, {"pid": process})
                else:
                    connection.close()
            else:
                # Nothing is ever sent after the request: the worker has closed its end, or is gone.
                selector.unregister(key.fileobj)
                if key.data in kernels:
                    _kill(key.data)


def _fork(connection, listener, selector, pipes, kernels) -> int | None:
    """Fork one kernel as a connection asks for; None when the request is cut short."""
    try:
        connection.settimeout(10)
        raw, files, _, _ = socket.recv_fds(connection, _REQUEST, 2)
        while not raw.endswith(b"\n"):
            more = connection.recv(_REQUEST)
            if not more:
                raise ValueError("cut short")
            raw += more
        asked = json.loads(raw)
    except (OSError, ValueError):
        return None
    process = os.fork()
    if process:
        for file in files:
            os.close(file)
        return process
    code = 0
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for other in (selector, listener, connection, *kernels.values()):
            other.close()
        for end in pipes:
            os.close(end)
        os.setsid()
        os.environ["JPY_PARENT_PID"] = str(os.getppid())
        _become_kernel(asked, files)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    _leave(code)


def _leave(code: int) -> None:
    """End a forked process as Python itself would: what waits for the end is run, buffers are written."""
    import atexit

    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _become_kernel(asked: dict, files=()) -> None:
    """What a new process would find: files, environment, folder, arguments, random numbers.

    ``files`` are for its output; without them it goes into the log that the environment names.
    """
    sources = os.open(os.devnull, os.O_RDONLY), *(files or [_log(asked["env"].get(LOG))] * 2)
    for target, source in enumerate(sources):
        os.dup2(source, target)
    for source in {*sources}:
        os.close(source)
    # Who the parent is, and what interrupts, is known to whoever started this process.
    own = {n: os.environ[n] for n in os.environ if n.startswith(("JPY_", "IPY_INTERRUPT"))}
    os.environ.clear()
    os.environ.update(asked["env"] | own)
    # The imports will not be repeated, so what they do to the environment is done here.
    for name, (before, after) in _set_by_imports.items():
        if os.environ.get(name) == before:
            os.environ[name] = after
    os.chdir(asked["cwd"])
    sys.argv = ["ipykernel_launcher.py", *asked["arguments"]]
    if os.name != "nt":
        # The application read the variable when it was imported.
        sys.argv.append(f"--IPKernelApp.parent_handle={os.environ['JPY_PARENT_PID']}")
    # Two kernels of one parent must not draw the same unseeded numbers.
    for name in ("random", "numpy.random"):
        if name in sys.modules:
            sys.modules[name].seed()
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


def _log(path: str | None) -> int:
    """Open the file for what a kernel prints; nothing is kept where none is named."""
    return os.open(path or os.devnull, os.O_WRONLY | os.O_APPEND)


def _reap(kernels, selector) -> None:
    """Tell the workers of kernels that have ended."""
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not process:
            return
        connection = kernels.pop(process, None)
        if connection is not None:
            with contextlib.suppress(KeyError, ValueError):
                selector.unregister(connection)
            _send(connection, {"exit": os.waitstatus_to_exitcode(status)})
            connection.close()


def _send(connection, message: dict) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(message).encode() + b"\n")


def _kill(process: int) -> None:
    try:
        os.killpg(process, signal.SIGKILL)
    except OSError:
        # Forked a moment ago: it does not lead a group of its own yet.
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
