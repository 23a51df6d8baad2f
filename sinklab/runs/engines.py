"""Where tasks are executed: worker processes on this machine, or a Dask cluster, which SLURM may start.

An engine is a context manager with one method, ``run(tasks)``, that yields an :class:`Event` when a task is started and
when it is finished.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from urllib.parse import urlsplit

from sinklab import paths
from sinklab.language import RunError, tr
from sinklab.runs import kernels
from sinklab.runs.execute import failure_record, lost_record, run_task
from sinklab.runs.ledger import Record, Task


@dataclass(frozen=True)
class Event:
    """A task that has been started (no record yet) or is finished."""

    task: Task
    record: Record | None = None


def worker_count(wanted: int | None) -> int:
    """Number of workers: as asked for, else one for each processor that this process may use."""
    if wanted is not None:
        if wanted < 1:
            raise RunError(
                f"--workers {wanted}: expected a positive whole number", f"--workers {wanted}：应为正整数"
            )
        return wanted
    return paths.processors()


def open_engine(
    name: str,
    workers: int,
    scheduler: str | None = None,
    options: str = "",
    tls: dict[str, str] | None = None,
    unencrypted: bool = False,
) -> "LocalEngine | DaskEngine":
    """Open an engine, to be used as a context manager: ``local`` or ``dask``; the rest is for :class:`DaskEngine`."""
    if name != "dask":
        return LocalEngine(workers)
    return DaskEngine(workers, scheduler, options, tls, unencrypted)


# Worker processes on this machine.

#: Seconds that a worker may need beyond the limit of its task before it is killed.
GRACE = 45.0


def _work(pipe, environment: dict) -> None:
    """Loop of a worker process: take a task, execute it, send its record back."""
    # Ctrl-C reaches the whole group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(environment)

    def follow():
        # A parent killed without warning must not leave a worker that holds the lock of a job.
        parent_process().join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    while True:
        try:
            task, more = pipe.recv()
        except EOFError:
            return
        if task is None:
            return
        started = time.time()
        try:
            record = run_task(task, own_process=True, more=more)
        except Exception as error:  # such as a full disk while the ledger is written
            line = f"{type(error).__name__}: {error}"
            record = failure_record(task, "error", line, started, text=traceback.format_exc())
        pipe.send(record)


class _Worker:
    """One process and the task it is at; a lost process costs exactly that task."""

    def __init__(self, environment: dict):
        context = get_context("spawn")
        self.pipe, far = context.Pipe()
        self.process = context.Process(target=_work, args=(far, environment), daemon=True)
        self.process.start()
        far.close()
        self.task: Task | None = None
        self.started = 0.0

    def give(self, task: Task, more: bool) -> None:
        """Send a task to the process, and whether another will follow."""
        self.task, self.started = task, time.time()
        with suppress(OSError):  # a process that is gone is noticed where its record is awaited
            self.pipe.send((task, more))

    def overdue(self) -> bool:
        """Whether the process went on long after the limit of its task."""
        return self.task is not None and time.time() > self.started + self.task.job.timeout + GRACE

    def take(self) -> Record | None:
        """Record of the task, or None when the process was lost before sending it."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return None

    def end(self, kindly: bool) -> None:
        """Let an idle process go, or stop a busy one."""
        if kindly:
            try:
                self.pipe.send((None, False))
            except OSError:
                kindly = False
        if not kindly:
            self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


class LocalEngine:
    """Worker processes on this machine, started when there is work for them.

    Each worker is a process of its own behind its own pipe, and not a member of a shared pool: a
    pool is lost as a whole when one of its processes is killed.
    """

    def __init__(self, workers: int):
        self.limit = workers
        self._workers: list[_Worker] = []
        self._preloaded = ExitStack()
        self._environment: dict[str, str] = {}

    def __enter__(self):
        """Start nothing yet."""
        return self

    def __exit__(self, kind, error, trace):
        """Stop what is still running; kernels end with their worker."""
        for worker in self._workers:
            worker.end(kindly=worker.task is None)
        self._workers.clear()
        self._preloaded.close()

    def run(self, tasks: list[Task]) -> Iterator[Event]:
        """Execute tasks, yielding an :class:`Event` at each start and each end."""
        waiting = deque(tasks)
        # What is preloaded costs the imports of one notebook; it pays where workers execute several.
        if len(waiting) > self.limit and not self._workers:
            self._environment = self._preloaded.enter_context(kernels.Preloaded(tasks))
        while waiting or any(worker.task for worker in self._workers):
            while waiting and (worker := self._idle()):
                task = waiting.popleft()
                worker.give(task, more=bool(waiting))
                yield Event(task)
            for worker in self._ready():
                task, record = worker.task, worker.take()
                if record is None:
                    record = self._lost(worker)
                worker.task = None
                yield Event(task, record)

    def _idle(self) -> _Worker | None:
        for worker in self._workers:
            if worker.task is None:
                return worker
        if len(self._workers) < self.limit:
            self._workers.append(_Worker(kernels.environment(paths.root()) | self._environment))
            return self._workers[-1]
        return None

    def _ready(self) -> list[_Worker]:
        """Workers that sent something or ended; one that is long overdue is stopped first."""
        busy = [worker for worker in self._workers if worker.task]
        found = wait([worker.pipe for worker in busy], timeout=1.0)
        for worker in busy:
            if worker.overdue() and worker.pipe not in found:
                worker.process.kill()
                found.append(worker.pipe)
        return [worker for worker in busy if worker.pipe in found]

    def _lost(self, worker: _Worker) -> Record:
        """Record, and keep, that a worker ended in the midst of its task."""
        overdue = worker.overdue()
        self._workers.remove(worker)
        worker.end(kindly=False)
        code = worker.process.exitcode
        if overdue:
            limit = worker.task.job.timeout
            line = tr(f"no answer after the time limit of {limit:g} s", f"超过 {limit:g} 秒时限后仍无响应")
        else:
            line = tr(
                f"the worker process ended (exit code {code}; killed, or out of memory)",
                f"工作进程意外结束（退出码 {code}；被杀或内存不足）",
            )
        return lost_record(worker.task, "timeout" if overdue else "lost", line, worker.started)


# A Dask cluster.


class DaskEngine:
    """A Dask cluster: processes here, workers that SLURM starts, or those of a scheduler at an address.

    Workers elsewhere need the same workbench and the same Python under the same paths.

    Parameters
    ----------
    workers : int
        Processes here, or jobs in the queue of SLURM; with a scheduler at an address, the tasks that it is given at
        least at the same time.
    scheduler : str, optional
        ``slurm``, or an address such as ``tcp://node1:8786`` or ``tls://node1:8786``.
    options : str
        Options of ``sbatch`` for ``slurm``, such as ``--partition=short --mem=4G --time=02:00:00``. What stands in the
        section ``jobqueue.slurm`` of Dask's own configuration (network interface, account, …) counts as well.
    tls : dict, optional
        Files ``ca``, ``cert`` and ``key`` that a ``tls://`` scheduler asks for; without them those of Dask's own
        configuration are used; ``slurm`` and processes here have their own for each run.
    unencrypted : bool
        Whether a scheduler on another machine may be one that anybody can reach and give work to.
    """

    def __init__(
        self,
        workers: int,
        scheduler: str | None = None,
        options: str = "",
        tls: dict[str, str] | None = None,
        unencrypted: bool = False,
    ):
        self.limit, self.address, self.options, self.tls = workers, scheduler, options, tls
        self.unencrypted = unencrypted
        self._client = None
        self._open = ExitStack()

    def __enter__(self):
        """Find what is needed; a cluster is started with the first tasks, which decide what it loads."""
        _import("distributed", "distributed")
        try:
            if self.address == "slurm":
                self._queue()
            elif self.address is not None:
                self._refuse_unencrypted()
                self._connect(self.address, self._security())
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, kind, error, trace):
        """Leave the cluster, and stop the one that was started here."""
        self._open.close()

    def _security(self):
        """Certificates that were named on the command line, as Dask wants them."""
        from distributed.security import Security

        if not self.tls:
            return None
        names = {"ca": "tls_ca_file", "cert": "tls_client_cert", "key": "tls_client_key"}
        found = {names[name]: path for name, path in self.tls.items()}
        if self.address == "slurm":
            for role in ("scheduler", "worker"):
                found |= {f"tls_{role}_{name}": self.tls.get(name) for name in ("cert", "key")}
        return Security(require_encryption=True, **found)

    def _refuse_unencrypted(self) -> None:
        """Refuse a scheduler that every machine on the way can read, and give orders to."""
        kind, _, rest = self.address.rpartition("://")
        host = urlsplit(f"//{rest}").hostname or ""
        with suppress(ValueError):
            host = "localhost" if ip_address(host).is_loopback else host
        if kind not in ("tls", "wss") and host != "localhost" and not self.unencrypted:
            raise RunError(
                f"{self.address}: whoever reaches this scheduler can run programs as you; expected tls://…, or "
                "--unencrypted where the network is trusted",
                f"{self.address}：凡能连接该调度器的人都可以你的身份运行程序；应为 tls://…；网络可信时可加 --unencrypted",
            )

    def _connect(self, place, security=None) -> None:
        from distributed import Client

        try:
            client = Client(place, timeout=30, security=security, set_as_default=False)
        except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
            raise RunError(
                f"no Dask scheduler answers at {self.address}: {error}",
                f"无法连接 Dask 调度器 {self.address}：{error}",
            ) from error
        self._client = self._open.enter_context(client)

    def _start(self, tasks: list[Task]) -> None:
        """Start a cluster of processes on this machine, none of which listens beyond it.

        Other users of the machine reach it too: so it takes orders only from who has the certificate of this run.
        """
        from distributed import LocalCluster
        from distributed.security import Security

        _import("cryptography", "cryptography")
        security = Security.temporary()
        preloaded = self._open.enter_context(kernels.Preloaded(tasks))
        with _deaf():
            cluster = LocalCluster(
                n_workers=self.limit,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                protocol="tls://",
                security=security,
                dashboard_address="127.0.0.1:0",
                env=kernels.environment(paths.root()) | preloaded,
            )
        self._connect(self._open.enter_context(cluster), security)

    def _queue(self) -> None:
        """Start a scheduler here and have SLURM start its workers, one process of one thread in each of its jobs."""
        jobqueue = _import("dask_jobqueue", "dask-jobqueue")
        if shutil.which("sbatch") is None:
            raise RunError(
                "--scheduler slurm needs the command sbatch; run this on a login node of the cluster, "
                "or use --engine local",
                "--scheduler slurm 需要 sbatch 命令；请在集群登录节点上运行，或改用 --engine local",
            )
        import dask

        folder = paths.reports("runs", "slurm")
        folder.mkdir(parents=True, exist_ok=True)
        self.tls = self.tls or self._own_certificate(folder)
        chosen = kernels.environment(paths.root()) | {
            name: os.environ[name] for name in ("SINKLAB_DATA", "SINKLAB_LANG") if os.environ.get(name)
        }
        configured = dask.config.get("jobqueue.slurm")
        # The queue's own limits hold where neither the options nor Dask's configuration say otherwise.
        skipped = ["-t 00:30:00"] + ([] if configured["memory"] else ["--mem="])
        exports = [f"export {name}={shlex.quote(value)}" for name, value in sorted(chosen.items())]
        cluster = jobqueue.SLURMCluster(
            cores=1,
            processes=1,
            memory=configured["memory"] or "1 GB",
            job_name="sinklab",
            python=f"{shlex.quote(sys.executable)} -P",
            job_directives_skip=skipped,
            job_extra_directives=[
                f"--chdir={paths.root()}",
                *configured["job-extra-directives"],
                *shlex.split(self.options),
            ],
            job_script_prologue=[*configured["job-script-prologue"], *exports],
            # The memory of notebooks is limited by SLURM and by their jobs, not by Dask.
            worker_extra_args=[
                "--memory-limit=0",
                "--no-dashboard",
                *("--preload", __name__),
                *configured["worker-extra-args"],
            ],
            log_directory=str(folder),
            scheduler_options={"dashboard": False} | configured["scheduler-options"],
            security=self._security(),
        )
        self._open.enter_context(cluster)
        command = ["sbatch", "--test-only"]
        tried = subprocess.run(
            command, input=cluster.job_script(), capture_output=True, encoding="utf-8", check=False
        )
        if tried.returncode:
            fault = tried.stderr.strip()
            raise RunError(f"sbatch refused the workers: {fault}", f"sbatch 拒绝了工作进程：{fault}")
        # Never fewer, so that a worker that SLURM ended is replaced.
        cluster.adapt(minimum=self.limit, maximum=self.limit, interval="5s")
        self._connect(cluster, cluster.security)

    def _own_certificate(self, folder: Path) -> dict[str, str]:
        """Certificate for this run alone: whoever reaches a scheduler can have it execute anything."""
        from distributed.security import Security

        _import("cryptography", "cryptography")
        made = Security.temporary().get_tls_config_for_role("worker")
        place = Path(self._open.enter_context(paths.private("tls", folder)))
        files = {name: place / f"{name}.pem" for name in ("ca", "cert", "key")}
        for name, path in files.items():
            path.write_text(made["ca_file" if name == "ca" else name], encoding="utf-8")
        return {name: str(path) for name, path in files.items()}

    def _width(self) -> int:
        """Tasks that are handed out at the same time: one for each worker process.

        A worker that is lost then costs the one task it was at, and a queue of its own is never lost with it.
        """
        return max(len(self._client.scheduler_info(n_workers=-1)["workers"]), self.limit, 1)

    def run(self, tasks: list[Task]) -> Iterator[Event]:
        """Execute tasks, yielding an :class:`Event` at each start and each end.

        A task whose worker is lost is handed out again by Dask; it then finds its record in the ledger, or
        that it had been begun, see :func:`sinklab.runs.execute.run_task`.
        """
        from distributed import as_completed

        if self._client is None:
            self._start(tasks)
        waiting, at_work = deque(tasks), {}
        over = as_completed(loop=self._client.loop)
        while waiting or at_work:
            while waiting and len(at_work) < self._width():
                task = waiting.popleft()
                # The key names the content, so that a second hand-out is the same task to Dask.
                key = f"{task.name}-{task.key[:16]}"
                future = self._client.submit(run_task, task, more=bool(waiting), key=key, pure=False)
                at_work[key] = future, task
                over.add(future)
                yield Event(task)
            future = next(over)
            _, task = at_work.pop(future.key)
            yield Event(task, self._record(future, task))
            future.release()

    def _record(self, future, task: Task) -> Record:
        if future.status == "finished":
            return future.result()
        line = tr(f"the cluster gave the task up: {future.status}", f"集群放弃了任务：{future.status}")
        fault = future.exception() if future.status == "error" else None
        return lost_record(task, "lost", f"{line} {fault or ''}".strip(), task.planned)


def _import(module: str, package: str):
    """Import a package that Dask on a cluster needs."""
    from importlib import import_module

    try:
        # dask_jobqueue takes Ctrl-C for itself as it is imported, and would end a run with code 0 in silence.
        with _deaf():
            return import_module(module)
    except ImportError as error:
        raise RunError(
            f"the dask engine needs the package {package!r}; install it or use --engine local",
            f"dask 引擎需要 {package} 包；请安装或改用 --engine local",
        ) from error


def dask_setup(worker) -> None:
    """Give a worker that SLURM started a preloaded parent of its own; called by Dask, which loads this module there."""
    worker.preloaded = ExitStack()
    os.environ.update(worker.preloaded.enter_context(kernels.Preloaded([])))


def dask_teardown(worker) -> None:
    """Let the preloaded parent go; called by Dask."""
    worker.preloaded.close()


@contextmanager
def _deaf():
    """Have processes that are started meanwhile ignore Ctrl-C; this process alone decides what it means."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
