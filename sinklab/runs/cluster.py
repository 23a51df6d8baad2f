"""A Dask cluster as engine."""

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
    """

    def __init__(self, workers: int, scheduler: str | None = None):
        self.limit, self.address = workers, scheduler
        self._client = self._cluster = None
        self._preloaded = Preloaded([])

    def __enter__(self):
        """Connect, starting a cluster on this machine when no address is given."""
        try:
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise RunError(
                tr(
                    "the dask engine needs the package 'distributed'; install it or use --engine local",
                    "dask 引擎需要 distributed 包；请安装或改用 --engine local",
                )
            ) from error
        try:
            if self.address is None:
                self._cluster = LocalCluster(
                    n_workers=self.limit,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address=None,
                    env=kernels.environment(paths.root()) | self._preloaded.__enter__(),
                )
            self._client = Client(self._cluster or self.address, timeout=30)
        except (OSError, TimeoutError, ValueError) as error:
            raise RunError(
                tr(
                    f"no Dask scheduler answers at {self.address}: {error}",
                    f"无法连接 Dask 调度器 {self.address}：{error}",
                )
            ) from error
        return self

    def __exit__(self, kind, error, trace):
        """Leave the cluster, and stop the one that was started here."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
        self._preloaded.__exit__(kind, error, trace)

    def run(self, tasks):
        """Execute tasks, yielding an :class:`Event` at each end; a lost worker's task is handed out again."""
        from distributed import as_completed

        # The key names the content: a task that is handed out twice finds its record in the ledger.
        waiting = {}
        for task in tasks:
            future = self._client.submit(run_task, task, key=f"{task['job']}-{task['key'][:16]}", pure=False)
            waiting[future.key] = (future, task)
        for future in as_completed([future for future, _ in waiting.values()]):
            _, task = waiting.pop(future.key)
            if future.status == "finished":
                record = future.result()
            else:
                line = tr(
                    f"the cluster gave the task up: {future.status}", f"集群放弃了任务：{future.status}"
                )
                fault = future.exception() if future.status == "error" else None
                record = lost_record(task, "lost", f"{line} {fault or ''}".strip(), task["planned"])
            future.release()
            yield Event(task, record)
