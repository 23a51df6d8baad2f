"""``%sinklab`` in a notebook: run jobs of a batch from a cell and watch them, or any other command.

After ``%load_ext sinklab``::

    %sinklab run open_data --only agb_forest_larix
    %sinklab table list

Jobs are executed by a process of their own, exactly as from a terminal; the cell only shows them.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import closing, suppress
from html import escape
from typing import TYPE_CHECKING

from sinklab import paths
from sinklab.language import tr

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: Failed jobs that a cell lists; the index page has them all.
LISTED = 20
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """Give a shell the magic.

    Examples
    --------
    >>> from IPython.core.interactiveshell import InteractiveShell
    >>> sl.load_ipython_extension(InteractiveShell.instance())
    """
    shell.register_magic_function(sinklab_magic, "line", "sinklab")


def sinklab_magic(line: str) -> None:
    """Run a command of sinklab; ``run`` shows live progress, in one output that is brought up to date."""
    arguments = shlex.split(line, posix=os.name != "nt")
    planned = {"--dry-run", "--log-json", "--watch", "-h", "--help"} & set(arguments)
    if arguments[:1] != ["run"] or planned:
        with closing(_said(arguments)) as lines:
            for text in lines:
                print(_COLOUR.sub("", text), end="")
        return
    from IPython.display import HTML, display

    progress, shown = Progress(), display(HTML(""), display_id=True)
    try:
        with closing(_said([*arguments, "--log-json"])) as lines:
            for text in lines:
                progress.take(text)
                shown.update(HTML(progress.html()))
    finally:
        shown.update(HTML(progress.html()))


def _said(arguments: list[str]) -> Iterator[str]:
    """Lines that a command prints; one that nobody listens to any more is interrupted, and then ends in order."""
    from sinklab.runs import kernels

    process = subprocess.Popen(
        [sys.executable, "-m", "sinklab", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=paths.root(),
        env=dict(os.environ)
        | {
            "PYTHONPATH": kernels.environment(paths.root())["PYTHONPATH"],
            "PYTHONUTF8": "1",
            "SINKLAB_ROOT": str(paths.root()),
        },
        encoding="utf-8",
        errors="replace",
    )
    try:
        yield from process.stdout
    finally:
        if process.poll() is None:
            with suppress(OSError):
                process.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Progress:
    """What a cell shows of a run, from the lines of ``--log-json``."""

    def __init__(self):
        self.state = {"total": 0, "done": 0, "failed": 0, "left_seconds": None}
        self.running: dict[str, None] = {}
        self.failures: list[dict] = []
        self.end: dict | None = None
        self.said: deque[str] = deque(maxlen=LISTED)

    def take(self, line: str) -> None:
        """Note one line; what is no event is a message for the reader."""
        try:
            event = json.loads(line)
            kind = event["event"]
        except (ValueError, KeyError, TypeError):
            if line.strip():
                self.said.append(_COLOUR.sub("", line.rstrip()))
            return
        if kind == "plan":
            self.state |= {"total": event["total"], "done": 0, "failed": 0}
        elif kind == "started":
            self.running[event["job"]] = None
        elif kind == "finished":
            self.running.pop(event["job"], None)
            if event["status"] != "ok":
                self.failures.append(event)
        elif kind == "end":
            self.end = event
        self.state |= {name: event[name] for name in self.state if name in event}

    def html(self) -> str:
        """One bar, the jobs at work, the failures, and at the end the counts."""
        state, parts = self.state, []
        if self.end is None:
            left = state["left_seconds"]
            text = f"{state['done']}/{state['total']}"
            if state["failed"]:
                text += tr(f", {state['failed']} failed", f"，失败 {state['failed']}")
            if left is not None:
                text += tr(f", about {left:.0f} s left", f"，约剩 {left:.0f} 秒")
            bar = f'<progress value="{state["done"]}" max="{max(state["total"], 1)}"></progress>'
            parts.append(f"{bar} {text} {escape(', '.join(self.running))}")
        for event in self.failures[:LISTED]:
            kept = event.get("kept") or ""
            parts.append(
                f"✗ <b>{escape(event['job'])}</b> {escape(event['line'])} <code>{escape(kept)}</code>"
            )
        if len(self.failures) > LISTED:
            rest = len(self.failures) - LISTED
            parts.append(tr(f"… and {rest} more", f"……另有 {rest} 个"))
        parts += [escape(line) for line in self.said]
        if self.end is not None:
            n = self.end
            parts.append(
                tr(
                    f"{n['batch']}: {n['ok']} ok, {n['failed']} failed, {n['unchanged']} unchanged, {n['not_run']} not run",
                    f"{n['batch']}：完成 {n['ok']}，失败 {n['failed']}，未变 {n['unchanged']}，未执行 {n['not_run']}",
                )
                + f" · <code>{escape(n['index'])}</code>"
            )
        return "<br>".join(parts)
