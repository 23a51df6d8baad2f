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
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib import import_module
from importlib.metadata import EntryPoint
from multiprocessing import get_context
from multiprocessing.connection import Client as connected
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.launcher import launch_kernel
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

import sinklab
from sinklab import paths
from sinklab.language import QUIET
from sinklab.runs.ledger import Task

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
    QUIET: "1",
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
    "sinklab.equations.groups",
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
        self.folder = contextlib.ExitStack()
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> dict[str, str]:
        """Start the parent where processes can fork; returns the variables that workers are to be given."""
        names = modules(self.tasks)
        if not hasattr(os, "fork") or not hasattr(socket, "AF_UNIX") or os.environ.get(FORK) == "0":
            return {AHEAD: " ".join(names) or "sys"}
        path = os.path.join(self.folder.enter_context(paths.private("kernels")), "kernels")
        # Workers connect from now on, and wait for an answer; they are refused once the parent is gone.
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(64)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sinklab.runs.kernels", str(listener.fileno()), *names],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(os.environ) | environment(paths.root()) | _QUIET | {"MPLBACKEND": INLINE},
                pass_fds=[listener.fileno()],
            )
        _tell(self.process.stdin, models(self.tasks))
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
        self.folder.close()


class ForkedProcess:
    """A kernel that the preloaded parent forked, with the part of the manners of ``Popen`` that is needed."""

    stdin = stdout = stderr = None

    def __init__(self, path: str, arguments, variables, folder):
        self.returncode: int | None = None
        self.connection = connected(path, "AF_UNIX")
        try:
            self.connection.send(_request(arguments, variables, folder))
            for output in (1, 2):
                send_handle(self.connection, output, None)
            # The parent answers when it has imported and compiled what an ordinary kernel would have to do as well.
            if not self.connection.poll(min(max(_deadline - time.monotonic(), 0), 3600)):
                raise TimeoutError(path)
            self.pid = self.connection.recv()
        except BaseException:
            self.connection.close()
            raise

    def wait(self, timeout: float | None = None) -> int | None:
        """Exit code once the kernel has ended; None when it still lives after ``timeout`` seconds."""
        if self.returncode is None:
            try:
                if not self.connection.poll(timeout):
                    return None
                self.returncode = self.connection.recv()
            except (EOFError, OSError):
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


def _request(arguments, variables, folder) -> dict[str, Any]:
    """Which kernel a preloaded process is to become."""
    own = {name: value for name, value in variables.items() if name not in (SOCKET, AHEAD)}
    return {"arguments": list(arguments), "env": own, "cwd": str(folder)}


def _tell(stream, told) -> None:
    """Send the one line that a preloaded process reads from its standard input."""
    stream.write(json.dumps(told).encode() + b"\n")
    stream.flush()


# The worker's side: the ways of starting a kernel as Jupyter wants them, and its client.

#: When the notebook that is being executed must be over, on the monotonic clock.
_deadline = float("inf")
#: Whether a worker starts the kernel of its next job while it executes one, and that kernel.
_more, _next = False, None


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

    async def pre_launch(self, **kwargs):
        """Have the kernel load the extension, which shows data frames as set tables."""
        kwargs = await super().pre_launch(**kwargs)
        return kwargs | {"cmd": [*kwargs["cmd"], "--ext=sinklab"]}

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
        with contextlib.suppress(EOFError, OSError, ValueError):
            if path:
                process = ForkedProcess(path, arguments, variables, folder)
            else:
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
        _tell(stream, _request(arguments, variables, folder))
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


def main(place: str, names: list[str]) -> int:
    """Import modules, then fork kernels or, for ``-``, become the one that standard input asks for.

    Parameters
    ----------
    place : str
        Number of the file of a listening socket, or ``-``.
    names : list of str
        Modules.

    Returns
    -------
    code : int
        1 when this process has threads and must not fork.
    """
    if sys.path[0] in ("", os.getcwd()):
        del sys.path[0]  # as the launcher of ordinary kernels does
    _preload([*_KERNEL, *names])
    told = sys.stdin.buffer.readline()
    if place == "-":
        if told.endswith(b"\n"):
            _become_kernel(json.loads(told))
        return 0
    listener = socket.socket(fileno=int(place))
    if _threads() == 1:
        _rehearse(json.loads(told or "[]"))
    if _threads() != 1:
        Path(f"{listener.getsockname()}.refused").touch()
        return 1
    # What is here already is never garbage: kernels need not look through it, nor copy its pages.
    gc.collect()
    gc.freeze()
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the runner decides
    kernels: dict[Connection, BaseProcess] = {}
    while True:
        # A process that a kernel left behind may keep its sentinel from telling: so look once a second.
        ready = wait([0, listener, *kernels, *(kernel.sentinel for kernel in kernels.values())], 1)
        for connection, kernel in [*kernels.items()]:
            if connection in ready or 0 in ready:
                # Nothing is ever sent after the request: the worker has closed its end, or is gone.
                _kill(kernel.pid)
                kernel.join()
            if kernel.exitcode is not None:
                with contextlib.suppress(OSError):
                    connection.send(kernel.exitcode)
                connection.close()
                del kernels[connection]
        if 0 in ready:
            return
        if listener in ready:
            connection = Connection(listener.accept()[0].detach())
            try:
                kernels[connection] = _fork(connection, [listener, connection, *kernels])
            except (EOFError, OSError):
                connection.close()


def _fork(connection: Connection, inherited: list) -> BaseProcess:
    """Fork the kernel that a connection asks for; the child closes what it has inherited."""
    if not connection.poll(10):
        raise EOFError
    asked, files = connection.recv(), [recv_handle(connection) for _ in range(2)]
    kernel = get_context("fork").Process(target=_forked, args=(asked, files, inherited))
    kernel.start()
    for file in files:
        os.close(file)
    with contextlib.suppress(OSError):
        connection.send(kernel.pid)
    return kernel


def _forked(asked: dict, files: list[int], inherited: list) -> None:
    """Become a kernel in a session of its own."""
    import atexit

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for other in inherited:
        other.close()
    os.setsid()
    os.environ["JPY_PARENT_PID"] = str(os.getppid())
    try:
        _become_kernel(asked, files)
    finally:
        # As at the end of any other Python.
        atexit._run_exitfuncs()


def _kill(process: int) -> None:
    try:
        os.killpg(process, signal.SIGKILL)
    except OSError:
        # Forked a moment ago: it does not lead a group of its own yet.
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
