"""How a kernel is started: forked from a preloaded parent where there is one, else in the ordinary way.

The parent is :mod:`sinklab.runs.preloaded`; a run with several notebooks starts one on Linux and macOS.
Either way the notebook finds the same environment and gives the same results.
"""

import ast
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from importlib.metadata import EntryPoint
from pathlib import Path

from sinklab import paths

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
    "sinklab.datasets.where",
    "sinklab.equations.forms",
    "sinklab.equations.render",
    "sinklab.fit",
    "sinklab.plots",
    "sinklab.prediction.delta",
    "sinklab.prediction.draws",
    "sinklab.studies",
    "sinklab.studies.corrections",
    "sinklab.studies.inspection",
    "sinklab.tables.acceptance",
    "sinklab.tables.apply",
    "sinklab.tables.origin",
    "sinklab.tables.pack",
    "sinklab.tables.store",
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

        from sinklab.runs import kernels, rehearsal

        environment = dict(os.environ) | kernels.environment(paths.root()) | _QUIET
        environment["MPLBACKEND"] = kernels.INLINE
        text = json.dumps(rehearsal.models(self.tasks))
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
        factory.provisioners[name] = EntryPoint(name, f"sinklab.runs.provisioners:{kind}", group)
    factory.default_provisioner_name = "sinklab-ordinary" if ordinary else "sinklab-forked"
