"""A SLURM array as engine: shards of the tasks, no daemon, nothing that listens on a port.

The tasks are written to a folder that all nodes see, with a job script; ``sbatch --array`` starts the
shards, each of which takes every n-th task and writes what it did to a file of its own (a network file
system need not know locks). This process follows those files and merges them into the ledger. What it
did not live to merge is merged at the next run.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from sinklab import paths
from sinklab.errors import RunError
from sinklab.language import tr
from sinklab.runs import kernels, ledger
from sinklab.runs.engines import Event
from sinklab.runs.execute import lost_record

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
    chosen = kernels.environment(paths.root()) | {
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
