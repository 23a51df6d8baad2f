"""What a person sees while tasks are executed: one bar on a terminal, plain lines elsewhere."""

import sys

from sinklab.language import tr


def open_progress(total: int):
    """Progress display for ``total`` tasks, to be used as a context manager."""
    return Bar(total) if sys.stdout.isatty() else Lines(total)


def status_word(record: dict) -> str:
    """Say how a task ended, in the reader's language."""
    return tr("ok", "完成") if record["status"] == "ok" else tr("failed", "失败")


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
