"""A process that has imported the libraries of notebooks once, and forks a kernel for each that asks.

Run as ``python -m sinklab.runs.preloaded SOCKET MODULE …``; ``SOCKET.models`` may name models to compile. A forked kernel begins with the environment,
folder and output files of an ordinary one, with libraries that have been imported and nothing else: no
notebook ever runs in the parent, so that nothing passes from one job to the next. A parent in which an
import has started threads does not fork at all, because a lock that another thread holds would stay
locked in the child; kernels then start in the ordinary way.

The parent ends with the process that started it (its standard input closes), a kernel with the worker
that asked for it.

What a preloaded parent does once so that its kernels need not: drawing, and compiling models to be sampled.

Neither leaves anything behind but time saved. A figure is drawn and forgotten; a posterior's machine code is
made and not run, and each kernel puts its own data into it, as every later fit of one process does.
"""

import contextlib
import gc
import io
import json
import os
import selectors
import signal
import socket
import sys
import threading
from importlib import import_module
from pathlib import Path

# --- What a preloaded parent does once so that its kernels need not: drawing, and compiling models to be sa

#: Models beyond this number are left to the kernels: many structures are seldom shared by many jobs.
MODELS = 8
#: Parameters of a notebook that make the model what it is, whatever the data.
_MODEL = ("notebook", "source", "equations", "method", "variance", "by")


def models(tasks) -> list[dict]:
    """Parameters of one job for each model that several jobs sample, those of most jobs first.

    Parameters
    ----------
    tasks : list of dict
        From :func:`sinklab.runs.execute.task_of`.
    """
    found: dict[str, list[dict]] = {}
    for task in tasks:
        given = task.get("parameters", {}) | {"notebook": task.get("notebook")}
        if given.get("method") == "bayes" and {"source", "equations"} <= given.keys() and not given.get("by"):
            found.setdefault(repr([given.get(name) for name in _MODEL]), []).append(given)
    shared = sorted((jobs for jobs in found.values() if len(jobs) > 1), key=len, reverse=True)
    return [jobs[0] for jobs in shared[:MODELS]]


def draw() -> None:
    """Draw a figure: fonts, formulae and encoders are then at hand."""
    if "matplotlib" not in sys.modules:
        return
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from sinklab import paths

    with rc_context({"mathtext.fontset": "stix", "font.family": [paths.register(), "DejaVu Sans"]}):
        figure = Figure(figsize=(2, 2), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.loglog([1, 20], [1, 300], "o", label="树 $10^{2}$")
        left.legend()
        right.errorbar([1, 2], [2, 3], yerr=1)
        right.fill_between([1, 2], [1, 2], [2, 3])
        figure.savefig(io.BytesIO(), format="png")


def compile_model(given: dict) -> None:
    """Compile the model that a notebook with these parameters samples; nothing is sampled."""
    from sinklab.data import open_data
    from sinklab.equations.system import System
    from sinklab.fitting.bayes import engine, sample
    from sinklab.fitting.bayes.engine import read_spec
    from sinklab.fitting.bayes.model import Builder
    from sinklab.fitting.data import prepare

    data = open_data.load(given["source"], given.get("where") or {})
    system = System.parse(given["equations"]).bind(data.columns)
    prepared = prepare(data, system, given["source"], totals=True)
    spec = read_spec(prepared, given.get("variance", "lognormal"), None, None, True)
    sample.compiled(Builder(spec, *engine._priors(spec, prepared.frame, None, 0)))


def rehearse(wanted) -> None:
    """Draw and compile; what cannot be done here is the notebook's affair."""
    for work, arguments in ((draw, ()), *((compile_model, (given,)) for given in wanted)):
        with contextlib.suppress(Exception):
            work(*arguments)


# --- A process that has imported the libraries of notebooks once, and forks a kernel for each that asks.

#: What a kernel imports before its first cell.
KERNEL = (
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
#: Longest request: the environment of a kernel.
REQUEST = 1 << 20


#: Variables that an import has set here, with their values before and after it.
_set_by_imports: dict[str, tuple] = {}


def preload(modules) -> bool:
    """Import modules; False when this process has threads then and must not fork."""
    import warnings

    before = dict(os.environ)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules:
            # What cannot be imported here is the notebook's affair.
            with contextlib.suppress(Exception):
                import_module(name)
    changed = {n: v for n, v in os.environ.items() if before.get(n) != v}
    _set_by_imports.update((name, (before.get(name), value)) for name, value in changed.items())
    return _threads() == 1


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def serve(listener: socket.socket) -> None:
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
        raw, files, _, _ = socket.recv_fds(connection, REQUEST, 2)
        while not raw.endswith(b"\n"):
            more = connection.recv(REQUEST)
            if not more:
                raise ValueError("cut short")
            raw += more
        request = json.loads(raw)
    except (OSError, ValueError):
        return None
    process = os.fork()
    if process:
        for file in files:
            os.close(file)
        return process
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for other in (selector, listener, connection, *kernels.values()):
            other.close()
        for end in pipes:
            os.close(end)
        _become_kernel(request, files)
    except SystemExit as error:
        _leave(error.code if isinstance(error.code, int) else 0)
    except BaseException:
        import traceback

        traceback.print_exc()
        _leave(1)
    _leave(0)


def _leave(code: int) -> None:
    """End a forked process as Python itself would: what waits for the end is run, buffers are written."""
    import atexit

    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _become_kernel(request: dict, files) -> None:
    """What a new process would find: session, files, environment, folder, arguments, random numbers."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in zip((0, 1, 2), (null, *files), strict=True):
        os.dup2(source, target)
        os.close(source)
    os.environ.clear()
    os.environ.update(request["env"])
    # The imports will not be repeated, so what they do to the environment is done here.
    for name, (before, after) in _set_by_imports.items():
        if os.environ.get(name) == before:
            os.environ[name] = after
    os.environ["JPY_PARENT_PID"] = str(os.getppid())
    os.chdir(request["cwd"])
    # The application read the variable when it was imported.
    parent = f"--IPKernelApp.parent_handle={os.getppid()}"
    sys.argv = ["ipykernel_launcher.py", *request["arguments"], parent]
    # Two kernels of one parent must not draw the same unseeded numbers.
    for name in ("random", "numpy.random"):
        if name in sys.modules:
            sys.modules[name].seed()
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


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


def main(path: str, modules) -> int:
    """Import the modules and serve; 1 when this process must not fork."""
    if sys.path[0] in ("", os.getcwd()):
        del sys.path[0]  # as the launcher of ordinary kernels does
    forks = preload([*KERNEL, *modules])
    if forks:
        models = Path(f"{path}.models")
        rehearse(json.loads(models.read_text(encoding="utf-8")) if models.exists() else [])
        forks = _threads() == 1
    if not forks:
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
    serve(listener)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
