"""Waiting for a study, a notebook or a batch file to be edited."""

import time
from pathlib import Path

import sinklab
from sinklab import paths
from sinklab.runs.jobs import Batch

#: Seconds between two looks, and of quiet before a change counts as finished.
PAUSE, QUIET = 1.0, 0.5


def watched(batch: Batch) -> list[Path]:
    """Files that a batch depends on: its own, notebooks, inputs, vocabulary and rules, drafts, the library."""
    found = [*batch.files, *(file for job in batch.jobs for file in (job.notebook.path, *job.inputs))]
    for place in (paths.data("vocabulary"), paths.data("rules"), paths.reports("templates")):
        found += place.rglob("*")
    found += [paths.reports("drafts", f"{draft.id}.yml") for draft in batch.drafts]
    found += Path(sinklab.__file__).parent.rglob("*.py")
    # A folder tells of files that come and go, such as a study that was not complete yet.
    return list(dict.fromkeys([*found, *(path.parent for path in found)]))


def snapshot(files) -> dict[Path, tuple]:
    """Size and time of files; nothing for those that are not there."""
    found = {}
    for path in files:
        try:
            state = path.stat()
        except OSError:
            continue
        found[path] = (state.st_size if path.is_file() else 0, state.st_mtime_ns)
    return found


def wait_for_change(files, before: dict[Path, tuple]) -> list[Path]:
    """Wait until files differ from a snapshot and nobody writes to them any more.

    Returns
    -------
    changed : list of Path
        Those that were added, removed or written.
    """
    while (now := snapshot(files)) == before:
        time.sleep(PAUSE)
    while True:
        time.sleep(QUIET)
        later = snapshot(files)
        if later == now:
            break
        now = later
    return [path for path in files if before.get(path) != now.get(path)]
