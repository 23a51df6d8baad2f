"""A Dask cluster as engine."""

import signal
import threading
from contextlib import ExitStack, contextmanager

from sinklab import paths
from sinklab.errors import RunError
from sinklab.language import tr
from sinklab.runs import kernels
from sinklab.runs.engines import Event
from sinklab.runs.execute import lost_record, run_task
from sinklab.runs.starting import Preloaded


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
                env=kernels.environment(paths.root()) | preloaded,
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
