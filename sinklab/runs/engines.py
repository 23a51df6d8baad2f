"""Where tasks are executed: worker processes here, a Dask cluster, a SLURM array. All carry the same tasks.

An engine is a context manager with one method, ``run(tasks)``, that yields an :class:`Event` when a task
is started and when it is finished. Tasks and records are of plain types, see :mod:`sinklab.runs.execute`.

Worker processes on this machine.

A Dask cluster as engine.

A SLURM array as engine: shards of the tasks, no daemon, nothing that listens on a port.

The tasks are written to a folder that all nodes see, with a job script; ``sbatch --array`` starts the
shards, each of which takes every n-th task and writes what it did to a file of its own (a network file
system need not know locks). This process follows those files and merges them into the ledger. What it
did not live to merge is merged at the next run.
"""

import json
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
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path

from sinklab import paths
from sinklab.language import RunError, tr
from sinklab.runs import kernels, ledger
from sinklab.runs.execute import failure_record, lost_record, run_task
from sinklab.runs.kernels import Preloaded

# --- Where tasks are executed: worker processes here, a Dask cluster, a SLURM array. All carry the same tas


@dataclass(frozen=True)
class Event:
    """A task that has been started (no record yet) or is finished."""

    task: dict
    record: dict | None = None


def worker_count(wanted: int | None) -> int:
    """Number of workers: as asked for, else one for each processor that this process may use."""
    if wanted is not None:
        if wanted < 1:
            raise RunError(
                tr(
                    f"--workers {wanted}: expected a positive whole number",
                    f"--workers {wanted}：应为正整数",
                )
            )
        return wanted
    return paths.processors()


def open_engine(
    name: str, workers: int, scheduler: str | None = None, options: str = "", tls: dict | None = None
):
    """Open an engine, to be used as a context manager: ``local``, ``dask`` or ``slurm-array``.

    ``scheduler`` is the address of a Dask scheduler, ``tls`` names the files it asks for (``ca``, ``cert``,
    ``key``); ``options`` go to ``sbatch``.
    """
    if name == "slurm-array":
        return SlurmEngine(workers, options)
    if name == "dask":
        return DaskEngine(workers, scheduler, tls)

    return LocalEngine(workers)


# --- Worker processes on this machine.

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
            task = pipe.recv()
        except EOFError:
            return
        if task is None:
            return
        started = time.time()
        try:
            record = run_task(task, own_process=True)
        except Exception as error:  # such as a full disk while the ledger is written
            line = f"{type(error).__name__}: {error}"
            record = failure_record(task, "error", line, started, text=traceback.format_exc())
        pipe.send(record)


class _Worker:
    """One process and the task it is at; a lost process costs exactly that task."""

    def __init__(self, context, environment):
        self.pipe, far = context.Pipe()
        self.process = context.Process(target=_work, args=(far, environment), daemon=True)
        self.process.start()
        far.close()
        self.task: dict | None = None
        self.started = 0.0

    def give(self, task: dict) -> None:
        """Send a task to the process."""
        self.task, self.started = task, time.time()
        with suppress(OSError):  # a process that is gone is noticed where its record is awaited
            self.pipe.send(task)

    def overdue(self) -> bool:
        """Whether the process went on long after the limit of its task."""
        return self.task is not None and time.time() > self.started + self.task["timeout"] + GRACE

    def take(self) -> dict | None:
        """Record of the task, or None when the process was lost before sending it."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return None

    def end(self, kindly: bool) -> None:
        """Let an idle process go, or stop a busy one."""
        if kindly:
            try:
                self.pipe.send(None)
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

    def run(self, tasks):
        """Execute tasks, yielding an :class:`Event` at each start and each end."""
        waiting = deque(tasks)
        # A preloaded parent costs the imports of one notebook; it pays where workers execute several.
        if len(waiting) > self.limit and not self._workers:
            self._environment = self._preloaded.enter_context(Preloaded(tasks))
        while waiting or any(worker.task for worker in self._workers):
            while waiting and (worker := self._idle()):
                worker.give(waiting.popleft())
                yield Event(worker.task)
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
            environment = kernels.kernels_environment(paths.root()) | self._environment
            self._workers.append(_Worker(get_context("spawn"), environment))
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

    def _lost(self, worker: _Worker) -> dict:
        """Record, and keep, that a worker ended in the midst of its task."""
        overdue = worker.overdue()
        self._workers.remove(worker)
        worker.end(kindly=False)
        code = worker.process.exitcode
        if overdue:
            limit = worker.task["timeout"]
            line = tr(f"no answer after the time limit of {limit:g} s", f"超过 {limit:g} 秒时限后仍无响应")
        else:
            line = tr(
                f"the worker process ended (exit code {code}; killed, or out of memory)",
                f"工作进程意外结束（退出码 {code}；被杀或内存不足）",
            )
        return lost_record(worker.task, "timeout" if overdue else "lost", line, worker.started)


# --- A Dask cluster as engine.


class DaskEngine:
    """A Dask cluster: processes on this machine, or the workers of a scheduler at an address.

    Workers elsewhere need the same workbench under the same path.

    Parameters
    ----------
    workers : int
        Processes here; with a scheduler elsewhere, the tasks it is given at least at the same time.
    scheduler : str, optional
        Address, such as ``tcp://node1:8786`` or ``tls://node1:8786``.
    tls : dict, optional
        Files ``ca``, ``cert`` and ``key`` that a ``tls://`` scheduler asks for; without them those of Dask's
        own configuration are used.
    """

    def __init__(self, workers: int, scheduler: str | None = None, tls: dict | None = None):
        self.limit, self.address, self.tls = workers, scheduler, tls or {}
        self._client = None
        self._open = ExitStack()

    def __enter__(self):
        """Wait for the first tasks: what they need decides what a cluster on this machine loads."""
        try:
            import distributed  # noqa: F401
        except ImportError as error:
            raise RunError(
                tr(
                    "the dask engine needs the package 'distributed'; install it or use --engine local",
                    "dask 引擎需要 distributed 包；请安装或改用 --engine local",
                )
            ) from error
        if self.address is not None:
            self._connect(self.address)
        return self

    def __exit__(self, kind, error, trace):
        """Leave the cluster, and stop the one that was started here."""
        self._open.close()

    def _connect(self, place) -> None:
        from distributed import Client
        from distributed.security import Security

        security = None
        if self.tls:
            security = Security(
                require_encryption=True,
                tls_ca_file=self.tls.get("ca"),
                tls_client_cert=self.tls.get("cert"),
                tls_client_key=self.tls.get("key"),
            )
        try:
            client = Client(place, timeout=30, security=security, set_as_default=False)
        except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
            raise RunError(
                tr(
                    f"no Dask scheduler answers at {self.address}: {error}",
                    f"无法连接 Dask 调度器 {self.address}：{error}",
                )
            ) from error
        self._client = self._open.enter_context(client)

    def _start(self, tasks) -> None:
        """Start a cluster of processes on this machine, none of which listens beyond it."""
        from distributed import LocalCluster

        preloaded = self._open.enter_context(Preloaded(tasks))
        with _deaf():
            cluster = LocalCluster(
                n_workers=self.limit,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                env=kernels.kernels_environment(paths.root()) | preloaded,
            )
        self._connect(self._open.enter_context(cluster))

    def _width(self) -> int:
        """Tasks that are handed out at the same time: one for each worker process.

        A worker that is lost then costs the one task it was at, and a queue of its own is never lost with it.
        """
        return max(len(self._client.scheduler_info(n_workers=-1)["workers"]), self.limit, 1)

    def run(self, tasks):
        """Execute tasks, yielding an :class:`Event` at each start and each end.

        A task whose worker is lost is handed out again by Dask; it then finds its record in the ledger, or
        that it had been begun, see :func:`sinklab.runs.execute.run_task`.
        """
        from distributed import as_completed

        if self._client is None:
            self._start(tasks)
        waiting, at_work = list(reversed(tasks)), {}
        over = as_completed(loop=self._client.loop)
        while waiting or at_work:
            while waiting and len(at_work) < self._width():
                task = waiting.pop()
                # The key names the content, so that a second hand-out is the same task to Dask.
                key = f"{task['job']}-{task['key'][:16]}"
                future = self._client.submit(run_task, task, key=key, pure=False)
                at_work[key] = future, task
                over.add(future)
                yield Event(task)
            future = next(over)
            _, task = at_work.pop(future.key)
            yield Event(task, self._record(future, task))
            future.release()

    def _record(self, future, task) -> dict:
        if future.status == "finished":
            return future.result()
        line = tr(f"the cluster gave the task up: {future.status}", f"集群放弃了任务：{future.status}")
        fault = future.exception() if future.status == "error" else None
        return lost_record(task, "lost", f"{line} {fault or ''}".strip(), task["planned"])


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


# --- A SLURM array as engine: shards of the tasks, no daemon, nothing that listens on a port.

#: Seconds between two looks at the files of the shards.
PAUSE = 0.5


def folder() -> Path:
    """Where arrays keep their tasks, scripts and records until they are merged."""
    return paths.reports("runs", "slurm")


class SlurmEngine:
    """Shards of the tasks as one array of SLURM jobs; the workbench lies under the same path on all nodes.

    Parameters
    ----------
    shards : int
        Size of the array.
    options : str
        Further options of ``sbatch``, such as ``--partition=short --mem=4G --time=02:00:00``.
    """

    def __init__(self, shards: int, options: str = ""):
        self.shards, self.options = shards, shlex.split(options)
        self._array: _Array | None = None

    def __enter__(self):
        """Look for ``sbatch``."""
        if shutil.which("sbatch") is None:
            raise RunError(
                tr(
                    "the slurm-array engine needs the command sbatch; run this on a login node of the cluster, "
                    "or use --engine local",
                    "slurm-array 引擎需要 sbatch 命令；请在集群登录节点上运行，或改用 --engine local",
                )
            )
        return self

    def __exit__(self, kind, error, trace):
        """Take an array that is still there out of the queue, and keep the records it has written."""
        if self._array is not None:
            self._array.cancel()
            merge_left()

    def run(self, tasks):
        """Execute tasks, yielding an :class:`Event` at each start and each end.

        Tasks that a lost shard had not begun are handed out again; the one it was at is recorded as lost.
        """
        waiting = {task["job"]: task for task in tasks}
        while waiting:
            self._array = array = _Array(list(waiting.values()), self.shards, self.options)
            begun: dict[str, float] = {}
            for entry in array.entries():
                task = waiting.get(entry["job"])
                if task is not None and "begun" in entry:
                    begun[entry["job"]] = entry["begun"]
                    yield Event(task)
                elif task is not None:
                    ledger.append(entry["record"])
                    del waiting[entry["job"]]
                    yield Event(task, entry["record"])
            lost = [name for name in begun if name in waiting]
            for name in lost:
                line = tr(
                    f"the array job {array.number} ended in the midst of this task (time or memory limit, or cancelled); "
                    f"see {array.logs}",
                    f"作业阵列 {array.number} 在执行该任务时结束（超时、内存不足或被取消）；见 {array.logs}",
                )
                task = waiting.pop(name)
                yield Event(task, lost_record(task, "lost", line, begun[name]))
            if waiting and not begun:
                raise RunError(
                    tr(
                        f"the array job {array.number} did nothing; see {array.logs}",
                        f"作业阵列 {array.number} 未执行任何任务；见 {array.logs}",
                    )
                )
            if not lost:
                shutil.rmtree(array.folder, ignore_errors=True)
            self._array = None


class _Array:
    """One submitted array: its folder, its number in the queue, and the files its shards write."""

    def __init__(self, tasks, shards, options):
        self.size = min(shards, len(tasks))
        folder().mkdir(parents=True, exist_ok=True)
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self.folder = folder() / f"{name}-{sum(1 for _ in folder().glob(f'{name}-*'))}"
        self.folder.mkdir()
        self.logs = paths.relative(self.folder)
        with open(self.folder / "tasks.jsonl", "w", encoding="utf-8") as stream:
            for task in tasks:
                stream.write(json.dumps(task, ensure_ascii=False) + "\n")
        script = self.folder / "job.sh"
        script.write_text(_script(self.folder, self.size), encoding="utf-8", newline="\n")
        command = ["sbatch", "--wait", "--parsable", f"--array=0-{self.size - 1}", "--ntasks=1"]
        command += ["--job-name=sinklab", f"--chdir={paths.root()}", f"--output={self.folder}/shard-%a.log"]
        # --wait keeps sbatch until the whole array has ended, so that nobody has to poll the queue.
        self.process = subprocess.Popen(
            [*command, *options, str(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )
        self.number = self.process.stdout.readline().strip().partition(";")[0]
        if not self.number:
            fault = self.process.communicate()[1].strip()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise RunError(tr(f"sbatch refused the array: {fault}", f"sbatch 拒绝了作业阵列：{fault}"))
        (self.folder / "number").write_text(self.number, encoding="utf-8")

    def entries(self):
        """What the shards write, as it comes, until the array has left the queue."""
        read: dict[Path, int] = {}
        while True:
            over = self.process.poll() is not None and not _queued(self.number)
            yield from _entries(self.folder, read)
            if over:
                return
            time.sleep(PAUSE)

    def cancel(self) -> None:
        """Take the array out of the queue."""
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(["scancel", self.number], capture_output=True, timeout=30, check=False)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()


def _script(place: Path, size: int) -> str:
    """Job script; the environment is that of the workers elsewhere."""
    lines = ["#!/bin/bash", "# Written by sinklab; one shard of a batch."]
    chosen = kernels.kernels_environment(paths.root()) | {
        name: os.environ[name] for name in ("SINKLAB_DATA", "SINKLAB_LANG") if os.environ.get(name)
    }
    lines += [f"export {name}={shlex.quote(value)}" for name, value in sorted(chosen.items())]
    program = shlex.join([sys.executable, "-P", "-m", "sinklab.runs.shard", str(place)])
    return "\n".join([*lines, f'exec {program} "$SLURM_ARRAY_TASK_ID" {size}']) + "\n"


def _queued(number: str) -> bool:
    """Whether the queue still knows the array, after its ``sbatch --wait`` has ended for whatever reason."""
    try:
        command = ["squeue", "--noheader", f"--jobs={number}", "--states=PD,R,CG,CF,S"]
        answer = subprocess.run(command, capture_output=True, timeout=60, encoding="utf-8", check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and bool(answer.stdout.strip())


def _entries(place: Path, read: dict[Path, int]):
    """Whole lines that the shards added since the last look; ``read`` keeps how far each file was read."""
    for path in sorted(place.glob("shard-*.jsonl")):
        with open(path, "rb") as stream:
            stream.seek(read.get(path, 0))
            for raw in stream:
                if not raw.endswith(b"\n"):
                    break
                read[path] = read.get(path, 0) + len(raw)
                with suppress(ValueError):
                    yield json.loads(raw)


def merge_left() -> int:
    """Merge what arrays wrote after the process that started them had ended.

    Returns
    -------
    merged : int
        Number of records.
    """
    count = 0
    for tasks in sorted(folder().glob("*/tasks.jsonl")):
        known = ledger.read()
        for entry in _entries(tasks.parent, {}):
            record = entry.get("record")
            if record and known.get(entry["job"], {}).get("finished", 0) < record["finished"]:
                ledger.append(record)
                count += 1
        with suppress(OSError):
            if not _queued((tasks.parent / "number").read_text(encoding="utf-8")):
                tasks.unlink()  # merged for good; the logs stay
    return count
