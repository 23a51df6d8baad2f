# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from runs_workbench import REPOSITORY, workbench, write_batch  # noqa: F401

from sinklab.language import RunError
from sinklab.runs import ledger
from sinklab.runs.batch import run
from sinklab.runs.reading import read_batch

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1200)]

BATCH = """\
notebook: behave.ipynb
defaults: {seed: 7}
jobs:
  - {id: good, parameters: {name: good, factor: 2}, outputs: [params/good/0.1.0]}
  - {id: bad, parameters: {name: bad, behaviour: fail}, outputs: [params/bad/0.1.0]}
  - {id: dead, parameters: {name: dead, behaviour: die}}
  - {id: late, timeout: 20, parameters: {name: late, behaviour: hang}}
  - {id: last, parameters: {name: last}, outputs: [params/last/0.1.0]}
"""


def on_slurm(workers, options=""):
    return run(read_batch("trial"), workers=workers, engine="dask", scheduler="slurm", options=options)


def queued():
    command = ["squeue", "--noheader", "--format=%i %T"]
    lines = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.splitlines()
    return [line.split()[0] for line in lines if "COMPLETING" not in line]


def test_jobs_in_the_queue_execute_the_notebooks(slurm_here, workbench):
    write_batch(workbench, BATCH)
    outcome = on_slurm(2, "--time=10")
    found = {name: r.reason or "ok" for name, r in outcome.records.items()}
    assert found == {
        "trial/good": "ok",
        "trial/bad": "error",
        "trial/dead": "died",
        "trial/late": "timeout",
        "trial/last": "ok",
    }
    assert {name: r.reason or "ok" for name, r in ledger.read().items()} == found
    assert (workbench / "params/last/0.1.0/values.csv").read_text(encoding="utf-8").endswith("last,2.0\n")
    assert queued() == []
    left = list((workbench / "reports/runs/slurm").iterdir())
    assert left and {path.suffix for path in left} <= {".err", ".out"}, "logs, and no key of a certificate"
    again = on_slurm(2)
    assert set(again.records) == {"trial/bad", "trial/dead", "trial/late"}


def test_what_sbatch_refuses_is_told(slurm_here, workbench):
    write_batch(workbench, BATCH)
    with pytest.raises(RunError, match="sbatch refused the workers: .*partition"):
        on_slurm(1, "--partition=nowhere")
    assert queued() == [] and ledger.read() == {}


SLOW = """\
notebook: behave.ipynb
defaults: {seed: 7, behaviour: slow}
jobs:
  - {id: one, parameters: {name: one}, outputs: [params/one/0.1.0]}
  - {id: two, parameters: {name: two, behaviour: ok}, outputs: [params/two/0.1.0]}
  - {id: three, parameters: {name: three, behaviour: ok}, outputs: [params/three/0.1.0]}
"""


def test_a_worker_that_is_cancelled_costs_the_task_it_was_at(slurm_here, workbench):
    write_batch(workbench, SLOW.replace("slow}", "hang}"))
    process = run_in_background("trial", "--workers", "1")
    begun("one", workbench)
    subprocess.run(["scancel", *queued()], check=True)
    assert process.wait(600) == 1
    found = {name: r.reason or "ok" for name, r in ledger.read().items()}
    assert found == {"trial/one": "lost", "trial/two": "ok", "trial/three": "ok"}


def test_ctrl_c_empties_the_queue_and_the_next_run_continues(slurm_here, workbench, interrupts):
    write_batch(workbench, SLOW.replace("slow}", "hang}"))
    process = run_in_background("trial", "--workers", "2")
    begun("one", workbench)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert queued() == []
    write_batch(workbench, SLOW.replace("slow}", "ok}"))
    outcome = on_slurm(2)
    assert all(record.ok for record in ledger.read().values())
    assert "trial/one" in outcome.records


def run_in_background(*arguments):
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    command = [sys.executable, "-m", "sinklab", "run", *arguments, "--scheduler", "slurm"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def begun(job, workbench):
    """Wait until a notebook is in the midst of its behaviour."""
    part = workbench / "reports/runs/trial" / job / "behave.part.ipynb"
    until = time.monotonic() + 400
    while time.monotonic() < until:
        try:
            cells = json.loads(part.read_text(encoding="utf-8"))["cells"]
        except (OSError, ValueError):
            cells = []
        if sum(bool(c["metadata"].get("papermill", {}).get("start_time")) for c in cells) >= 4:
            return
        time.sleep(0.1)
    raise AssertionError(f"{job} was never begun")
