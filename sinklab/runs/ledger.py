"""The ledger of runs, and the content keys in it.

The ledger holds a JSON line for each job that was executed; the last line of a job counts. A content key says what a
job is made from (code cells, parameters, input files, library, lock and versions), so that a later run can tell
whether it must be executed again, and which part of it changed.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from sinklab import paths
from sinklab.language import tr
from sinklab.runs.jobs import Draft, Job, Reasons, Record


def ledger_path() -> Path:
    """``reports/runs/ledger.jsonl`` of the workbench."""
    return paths.reports("runs", "ledger.jsonl")


def read(path=None) -> dict[str, Record]:
    """Last record of every job, by its name, in the order in which the jobs were last executed.

    A line that is not a whole record is what an interrupted write leaves, and is passed over.
    """
    path = Path(path or ledger_path())
    records: dict[str, Record] = {}
    if not path.is_file():
        return records
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                record = Record.from_dict(json.loads(line))
            except (ValueError, AttributeError, TypeError, RecursionError):
                continue
            records.pop(record.job, None)
            records[record.job] = record
    return records


def append(record: Record, path=None) -> None:
    """Add one record; safe among processes that share the file."""
    from filelock import FileLock

    path = Path(path or ledger_path())
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record.to_dict(), ensure_ascii=False, separators=(",", ":"))
    with FileLock(f"{path}.lock"), open(path, "ab+") as stream:
        # The end of a torn line would swallow the record that follows it.
        stream.seek(0, 2)
        if stream.tell():
            stream.seek(-1, 2)
            if stream.read(1) != b"\n":
                stream.write(b"\n")
        stream.write(text.encode("utf-8", "backslashreplace") + b"\n")
        stream.flush()


class Workbench:
    """What all jobs of a run share, hashed once: source, lock, stack, vocabulary, rules; and a memo of files."""

    def __init__(self):
        self.source = paths.source_sha256()
        self.lock = paths.lock_sha256()
        self.stack = paths.versions()
        self._memo: dict[Path, str] = {}
        rooms = (paths.data("vocabulary"), paths.data("rules"))
        self.shared = self.hashes(p for room in rooms for p in sorted(room.glob("*")) if p.is_file())

    def hashes(self, files) -> dict[str, str]:
        """SHA-256 of files by name: relative to the workbench, absolute for files outside it."""
        found = {}
        for path in files:
            path = Path(path)
            if path not in self._memo:
                self._memo[path] = paths.file_sha256(path) if path.is_file() else ""
            found[place_of(path)] = self._memo[path]
        return found

    def parts(self, job: Job) -> dict[str, Any]:
        """Everything that a notebook job is made from, part by part."""
        code = _sha256("\x00".join(job.notebook.code))
        return {"notebook": code} | self._parts(job.parameters, job.inputs)

    def draft_parts(self, draft: Draft, files) -> dict[str, Any]:
        """Everything that a draft is made from; ``files`` are its description, templates and tables."""
        return self._parts({"lang": list(draft.languages), "to": list(draft.formats)}, files)

    def _parts(self, parameters: dict, files) -> dict[str, Any]:
        return {
            "parameters": parameters,
            "inputs": self.hashes(files) | self.shared,
            "source": self.source,
            "lock": self.lock,
            "stack": self.stack,
        }


def key_of(parts: dict[str, Any]) -> str:
    """Content key: SHA-256 of the parts, whatever the order of names in them."""
    return _sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def place_of(path) -> str:
    """Name of a file in the ledger: relative to the workbench or to ``SINKLAB_DATA``, so that folders may move."""
    path = Path(os.path.abspath(path))
    for folder, prefix in ((paths.root(), ""), (paths.open_data(), "SINKLAB_DATA/")):
        if folder and path.is_relative_to(folder):
            return prefix + path.relative_to(folder).as_posix()
    return path.as_posix()


def seal(files) -> dict[str, list]:
    """Size, time and hash of written files, so that a later run can tell whether they are still there."""
    found = {}
    for path in files:
        state = path.stat()
        found[place_of(path)] = [state.st_size, state.st_mtime_ns, paths.file_sha256(path)]
    return found


def broken_seals(sealed: dict[str, list]) -> list[str]:
    """Files that are missing or no longer as they were written; size and time spare most of the hashing."""
    changed = []
    for name, (size, modified, digest) in sealed.items():
        path = paths.root() / name
        try:
            state = os.stat(path)
        except OSError:
            changed.append(name)
            continue
        if state.st_size == size and (state.st_mtime_ns == modified or paths.file_sha256(path) == digest):
            continue
        changed.append(name)
    return changed


def reasons(record: Record | None, parts: dict[str, Any]) -> Reasons:
    """Why a job must be executed: pairs of a code and a detail; none when its last result still holds.

    Parameters
    ----------
    record : Record or None
        Last record of the job in the ledger.
    parts : dict
        What the job would be made from now.
    """
    if record is None:
        return [["new", ""]]
    found = [] if record.ok else [["failed", ""]]
    before = record.parts
    for part in ("notebook", "source", "lock"):
        if before.get(part) != parts.get(part):
            found.append([part, ""])
    for part in ("parameters", "inputs", "stack"):
        old, new = before.get(part, {}), parts.get(part, {})
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                detail = name if part == "inputs" else f"{name}: {_short(old, name)} → {_short(new, name)}"
                found.append([part, detail])
    found += [["output", name] for name in broken_seals(record.outputs)]
    return found


def _short(values: dict, name: str) -> str:
    text = " ".join(str(values[name]).split()) if name in values else "–"
    return text if len(text) <= 40 else text[:39] + "…"


def wording(reason) -> str:
    """Say a reason in the reader's language."""
    code, detail = reason
    text = {
        "new": tr("first run", "首次运行"),
        "failed": tr("failed last time", "上次失败"),
        "forced": tr("forced", "强制重跑"),
        "notebook": tr("notebook code changed", "笔记本代码有变"),
        "source": tr("sinklab source changed", "sinklab 源码有变"),
        "lock": tr("requirements.lock changed", "requirements.lock 有变"),
        "parameters": tr("parameter", "参数"),
        "inputs": tr("input changed:", "输入文件有变："),
        "stack": tr("version", "版本"),
        "output": tr("output missing or changed:", "结果文件缺失或被改动："),
        "upstream": tr("after", "随上游作业："),
    }[code]
    return f"{text} {detail}".strip()


def wordings(found, limit: int = 2) -> str:
    """Say the first reasons in one line, and count the rest."""
    shown = "; ".join(wording(reason) for reason in found[:limit])
    rest = len(found) - limit
    return shown + (tr(f"; {rest} more", f"；另有 {rest} 项") if rest > 0 else "")
