# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
"""Runs that are cut short: killed, interrupted, without room on the disk. The next run continues."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from runs_workbench import REPOSITORY, workbench, write_batch  # noqa: F401

from sinklab.runs import ledger

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX systems")

BATCH = """\
notebook: behave.ipynb
defaults: {seed: 7}
jobs:
  - {id: first, parameters: {name: first}, outputs: [params/first/0.1.0]}
  - {id: slow, parameters: {name: slow, behaviour: hang}, outputs: [params/slow/0.1.0]}
  - {id: last, parameters: {name: last}, outputs: [params/last/0.1.0]}
"""


def start(*arguments, **more):
    command = [sys.executable, "-m", "sinklab", "run", "trial", *arguments]
    environment = dict(os.environ, PYTHONPATH=str(REPOSITORY), SINKLAB_LANG="en")
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
        **more,
    )


def event(process, name, job):
    """Wait for an event of a run with ``--log-json``."""
    for line in process.stdout:
        told = json.loads(line)
        if (told["event"], told.get("job")) == (name, f"trial/{job}"):
            return told
    raise AssertionError(f"{job} was never {name}")


def statuses():
    return {name.partition("/")[2]: r.status for name, r in ledger.read().items()}


def begun(workbench, job):
    """Wait until a notebook is in the midst of its behaviour."""
    part = workbench / "reports/runs/trial" / job / "behave.part.ipynb"
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            cells = [c for c in json.loads(part.read_text(encoding="utf-8"))["cells"] if c["metadata"]]
        except (OSError, ValueError):
            cells = []
        if sum(bool(c["metadata"].get("papermill", {}).get("start_time")) for c in cells) >= 4:
            return
        time.sleep(0.05)
    raise AssertionError("the notebook was never begun")


def processes_of(workbench):
    """Processes other than this one that work for the workbench."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("SINKLAB_ROOT") == str(workbench):
                found.append(process)
        except psutil.Error:
            continue
    return [p for p in found if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def alone(workbench, seconds=60):
    """Wait until nothing works for the workbench any more."""
    until = time.monotonic() + seconds
    while left := processes_of(workbench):
        assert time.monotonic() < until, [p.cmdline() for p in left]
        time.sleep(0.1)


@posix
@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_after_kill_9_only_what_was_not_finished_is_executed(workbench, workers):
    write_batch(workbench, BATCH)
    process = start("--log-json", "--workers", workers)
    event(process, "finished", "first")
    begun(workbench, "slow")
    process.kill()
    process.wait()
    process.stdout.close()
    alone(workbench)
    assert statuses().get("first") == "ok" and "slow" not in statuses()
    assert not (workbench / "params/slow").exists()
    write_batch(workbench, BATCH.replace("hang", "ok"))
    again = start("--workers", "2")
    told, _ = again.communicate(timeout=240)
    assert again.returncode == 0, told
    assert "first" not in told.partition("ok, 0 failed")[0].replace("first run", "") or "unchanged" in told
    assert statuses() == {"first": "ok", "slow": "ok", "last": "ok"}
    lines = (workbench / "reports/runs/ledger.jsonl").read_text(encoding="utf-8").splitlines()
    assert sum('"job":"trial/first"' in line for line in lines) == 1
    assert not list((workbench / "reports").rglob("*.part*"))


@posix
@pytest.mark.parametrize("engine", ["local", pytest.param("dask", marks=pytest.mark.slow)])
def test_ctrl_c_ends_a_run_at_once_and_the_next_run_continues(workbench, engine, interrupts):
    write_batch(workbench, BATCH)
    process = start("--log-json", "--workers", "2", "--engine", engine)
    begun(workbench, "slow")
    # As a terminal does: the whole group hears it.
    os.killpg(process.pid, signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told
    end = json.loads(told.strip().splitlines()[-1])
    assert (end["event"], end["interrupted"], end["failed"]) == ("end", True, 0)
    alone(workbench)
    assert "slow" not in statuses()
    write_batch(workbench, BATCH.replace("hang", "ok"))
    again = start("--workers", "2")
    again.communicate(timeout=240)
    assert again.returncode == 0
    assert statuses() == {"first": "ok", "slow": "ok", "last": "ok"}


@pytest.fixture
def small_disk(workbench):
    """The results of the workbench on a disk of their own with hardly any room."""
    place = workbench / "reports"
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, check=False).returncode
    except OSError:
        done = 1
    if done:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=False)


@posix
def test_a_full_disk_is_told_and_the_next_run_continues(small_disk, workbench):
    write_batch(workbench, BATCH.replace("hang", "ok"))
    filler = small_disk / "filler"
    with open(filler, "wb") as stream:
        try:
            stream.write(bytes(52 * 1024))
        except OSError:
            pass
    process = start("--workers", "1")
    told, _ = process.communicate(timeout=240)
    assert process.returncode != 0
    assert "No space left on device" in told
    assert "Traceback" not in told
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    again = start("--workers", "2")
    told, _ = again.communicate(timeout=240)
    assert again.returncode == 0, told
    assert statuses() == {"first": "ok", "slow": "ok", "last": "ok"}
