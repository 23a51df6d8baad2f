"""The ledger of runs: one JSON line for each job that was executed; the last line of a job counts."""

import json
from pathlib import Path

from sinklab import paths


def ledger_path() -> Path:
    """``reports/runs/ledger.jsonl`` of the workbench."""
    return paths.reports("runs", "ledger.jsonl")


def name_of(job) -> str:
    """Name of a job or draft in the ledger, over all batches."""
    return f"{job.batch}/{'draft:' if job.kind == 'draft' else ''}{job.id}"


def read(path=None) -> dict[str, dict]:
    """Last record of every job.

    A line that is not a whole record is what an interrupted write leaves, and is passed over.

    Returns
    -------
    records : dict
        By the name that :func:`name_of` gives, in the order in which the jobs were last executed.
    """
    path = Path(path or ledger_path())
    records = {}
    if not path.is_file():
        return records
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                record = json.loads(line)
                name = record["job"]
            except (ValueError, KeyError, TypeError):
                continue
            records.pop(name, None)
            records[name] = record
    return records


def append(record: dict, path=None) -> None:
    """Add one record; safe among processes that share the file."""
    from filelock import FileLock

    path = Path(path or ledger_path())
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    with FileLock(f"{path}.lock"), open(path, "ab+") as stream:
        # The end of a torn line would swallow the record that follows it.
        stream.seek(0, 2)
        if stream.tell():
            stream.seek(-1, 2)
            if stream.read(1) != b"\n":
                stream.write(b"\n")
        stream.write(line + b"\n")
        stream.flush()
