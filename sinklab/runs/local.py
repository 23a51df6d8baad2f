"""Worker processes on this machine."""

import os
import signal
import threading
import time
import traceback
from collections import deque
from contextlib import ExitStack, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait

from sinklab import paths
from sinklab.language import tr
from sinklab.runs import kernels
from sinklab.runs.engines import Event
from sinklab.runs.execute import failure_record, lost_record, run_task
from sinklab.runs.starting import Preloaded

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
            environment = kernels.environment(paths.root()) | self._environment
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
