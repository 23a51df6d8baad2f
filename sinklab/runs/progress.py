"""What a person sees while tasks are executed: one bar on a terminal, plain lines elsewhere, or JSON lines."""

import json
import sys
import time
from datetime import UTC, datetime

from sinklab.language import tr


def open_progress(total: int, as_json: bool = False):
    """Progress display for ``total`` tasks, to be used as a context manager."""
    if as_json:
        return JsonLines(total)
    return Bar(total) if sys.stdout.isatty() else Lines(total)


def status_word(record: dict) -> str:
    """Say how a task ended, in the reader's language."""
    return tr("ok", "完成") if record["status"] == "ok" else tr("failed", "失败")


def json_line(event: str, **values) -> None:
    """Print one JSON object in a line, with the time in UTC."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    print(json.dumps({"event": event, "time": now} | values, ensure_ascii=False), flush=True)


class JsonLines:
    """A JSON line for each start and each end, for programs that watch a run."""

    def __init__(self, total: int):
        self.total, self.done, self.failed = total, 0, 0
        self.running: dict[str, None] = {}
        self.begun = time.monotonic()

    def __enter__(self):
        """Say how many tasks there are."""
        json_line("plan", total=self.total)
        return self

    def __exit__(self, kind, error, trace):
        """Nothing is left to be cleared."""

    def started(self, task: dict) -> None:
        """Print that a task was handed to a worker."""
        self.running[task["job"]] = None
        json_line("started", job=task["job"], why=task["why"], **self._state())

    def finished(self, task: dict, record: dict) -> None:
        """Print how a task ended."""
        self.running.pop(task["job"], None)
        self.done += 1
        self.failed += record["status"] != "ok"
        told = {
            name: record[name]
            for name in ("status", "seconds", "reason", "line", "place", "kept")
            if name in record
        }
        json_line("finished", job=task["job"], **told, **self._state())

    def _state(self) -> dict:
        """Counts, and the seconds that remain if the rest goes as the tasks so far did."""
        spent = time.monotonic() - self.begun
        left = round(spent / self.done * (self.total - self.done), 1) if self.done else None
        counts = {"total": self.total, "done": self.done, "failed": self.failed}
        return counts | {"running": len(self.running), "left_seconds": left}


class Lines:
    """A line for each finished task; what ends in a log file."""

    def __init__(self, total: int):
        self.total, self.done = total, 0

    def __enter__(self):
        """Say how many tasks there are."""
        print(tr(f"{self.total} to run", f"共需执行 {self.total} 项"), flush=True)
        return self

    def __exit__(self, kind, error, trace):
        """Nothing is left to be cleared."""

    def started(self, task: dict) -> None:
        """Lines speak of finished tasks only."""

    def finished(self, task: dict, record: dict) -> None:
        """Print the line of a task."""
        self.done += 1
        width = len(str(self.total))
        text = f"[{self.done:>{width}}/{self.total}] {status_word(record)}  {task['job']}  {record['seconds']:.1f} s"
        if record["status"] != "ok":
            text += "  " + record["line"].splitlines()[0]
        print(text, flush=True)


class Bar:
    """One bar with the counts, the time that remains, and the tasks that are being executed."""

    def __init__(self, total: int):
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.progress = Progress(
            TextColumn("sinklab"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn(tr("left", "剩余")),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            transient=True,
        )
        self.bar = self.progress.add_task("", total=total)
        self.running: dict[str, None] = {}
        self.failed = 0

    def __enter__(self):
        """Show the bar."""
        self.progress.start()
        return self

    def __exit__(self, kind, error, trace):
        """Take the bar away."""
        self.progress.stop()

    def started(self, task: dict) -> None:
        """Add a task to those shown."""
        self.running[task["id"]] = None
        self._show()

    def finished(self, task: dict, record: dict) -> None:
        """Count a task; a failed one gets a line of its own above the bar."""
        self.running.pop(task["id"], None)
        if record["status"] != "ok":
            self.failed += 1
            self.progress.console.print(
                f"{status_word(record)} {task['job']}: {record['line']}", markup=False
            )
        self.progress.advance(self.bar)
        self._show()

    def _show(self) -> None:
        names = ", ".join(self.running)
        failed = tr(f"{self.failed} failed; ", f"失败 {self.failed}；") if self.failed else ""
        self.progress.update(self.bar, description=failed + names)
