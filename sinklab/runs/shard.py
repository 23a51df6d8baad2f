"""One shard of an array: ``python -m sinklab.runs.shard FOLDER NUMBER SIZE``.

Takes every ``SIZE``-th task of ``FOLDER/tasks.jsonl`` and writes ``FOLDER/shard-NUMBER.jsonl``: a line when
a task is begun, and one with its record. A worker process of its own stands between the shard and the
tasks, so that one that is killed costs only itself.
"""

import json
import os
import sys
import time
from pathlib import Path


def main(place: str, number: int, size: int) -> int:
    """Execute the tasks of a shard.

    Returns
    -------
    code : int
        1 when a task failed; SLURM then shows the shard as failed.
    """
    from sinklab.runs.engines import LocalEngine

    folder, failed = Path(place), False
    lines = (folder / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
    # Records go through this process alone: the ledger of the workbench is merged where the run was started.
    tasks = [json.loads(line) | {"apart": True} for line in lines[number::size]]
    with (
        open(folder / f"shard-{number}.jsonl", "a", encoding="utf-8", newline="\n") as stream,
        LocalEngine(1) as engine,
    ):
        for event in engine.run(tasks):
            entry = {"job": event.task["job"]}
            if event.record is None:
                entry["begun"] = time.time()
            else:
                entry["record"] = event.record
                failed = failed or event.record["status"] != "ok"
            stream.write(json.dumps(entry, ensure_ascii=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
