"""Where tasks are executed: worker processes here, a Dask cluster, a SLURM array. All carry the same tasks.

An engine is a context manager with one method, ``run(tasks)``, that yields an :class:`Event` when a task
is started and when it is finished. Tasks and records are of plain types, see :mod:`sinklab.runs.execute`.
"""

import os
from dataclasses import dataclass

from sinklab.errors import RunError
from sinklab.language import tr


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
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def open_engine(
    name: str, workers: int, scheduler: str | None = None, options: str = "", tls: dict | None = None
):
    """Open an engine, to be used as a context manager: ``local``, ``dask`` or ``slurm-array``.

    ``scheduler`` is the address of a Dask scheduler, ``tls`` names the files it asks for (``ca``, ``cert``,
    ``key``); ``options`` go to ``sbatch``.
    """
    if name == "slurm-array":
        from sinklab.runs.slurm import SlurmEngine

        return SlurmEngine(workers, options)
    if name == "dask":
        from sinklab.runs.cluster import DaskEngine

        return DaskEngine(workers, scheduler, tls)
    from sinklab.runs.local import LocalEngine

    return LocalEngine(workers)
