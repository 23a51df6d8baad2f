# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import os
import signal
import subprocess
import sys
import time

import pytest
from runs_workbench import REPOSITORY, workbench, write_batch  # noqa: F401

from sinklab.runs import engines, ledger
from sinklab.runs.batch import run
from sinklab.runs.reading import read_batch

pytestmark = pytest.mark.slurm

BATCH = """\
notebook: behave.ipynb
defaults: {seed: 7}
jobs:
  - {id: good, parameters: {name: good, factor: 2}, outputs: [params/good/0.1.0]}
  - {id: bad, parameters: {name: bad, behaviour: fail}, outputs: [params/bad/0.1.0]}
  - {id: dead, parameters: {name: dead, behaviour: die}}
  - {id: late, timeout: 6, parameters: {name: late, behaviour: hang}}
  - {id: last, parameters: {name: last}, outputs: [params/last/0.1.0]}
"""


def test_an_array_of_shards(slurm_here, workbench):
    write_batch(workbench, BATCH)
    outcome = run(read_batch("trial"), workers=2, engine="slurm-array")
    found = {name: r.get("reason", "ok") for name, r in outcome.records.items()}
    assert found == {
        "trial/good": "ok",
        "trial/bad": "error",
        "trial/dead": "died",
        "trial/late": "timeout",
        "trial/last": "ok",
    }
    assert {name: r.get("reason", "ok") for name, r in ledger.read().items()} == found
    assert (workbench / "params/last/0.1.0/values.csv").read_text(encoding="utf-8").endswith("last,2.0\n")
    assert not list(engines.folder().iterdir()), "merged arrays leave nothing"
    again = run(read_batch("trial"), workers=2, engine="slurm-array")
    assert set(again.records) == {"trial/bad", "trial/dead", "trial/late"}


SLOW = """\
notebook: behave.ipynb
defaults: {seed: 7, behaviour: slow}
jobs:
  - {id: one, parameters: {name: one}, outputs: [params/one/0.1.0]}
  - {id: two, parameters: {name: two}, outputs: [params/two/0.1.0]}
  - {id: three, parameters: {name: three, behaviour: ok}, outputs: [params/three/0.1.0]}
"""


def queued():
    command = ["squeue", "--noheader", "--format=%i %T"]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.split("\n")[:-1]


def running(job, workbench):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for path in engines.folder().glob("*/shard-*.jsonl"):
            if f'"trial/{job}", "begun"' in path.read_text(encoding="utf-8"):
                return
        time.sleep(0.1)
    raise AssertionError(f"{job} was never begun")


def test_a_cancelled_shard_costs_the_task_it_was_at(slurm_here, workbench):
    write_batch(workbench, SLOW)
    events = run_in_background("trial", "--workers", "1")
    running("one", workbench)
    number = next(engines.folder().glob("*/number")).read_text(encoding="utf-8")
    subprocess.run(["scancel", f"{number}_0"], check=True)
    assert events.wait(90) == 1
    found = {name: r.get("reason", "ok") for name, r in ledger.read().items()}
    assert found == {"trial/one": "lost", "trial/two": "ok", "trial/three": "ok"}


def test_ctrl_c_empties_the_queue_and_the_next_run_continues(slurm_here, workbench):
    write_batch(workbench, SLOW.replace("slow}", "hang}"))
    process = run_in_background("trial", "--workers", "2")
    running("one", workbench)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert time.monotonic() - begun < 15
    assert [line for line in queued() if "COMPLETING" not in line] == []
    write_batch(workbench, SLOW.replace("slow}", "ok}"))
    outcome = run(read_batch("trial"), workers=2, engine="slurm-array")
    assert all(record["status"] == "ok" for record in ledger.read().values())
    assert {"trial/one", "trial/two"} <= outcome.records.keys()


def run_in_background(*arguments):
    environment = dict(os.environ, PYTHONPATH=str(REPOSITORY))
    command = [sys.executable, "-m", "sinklab", "run", *arguments, "--engine", "slurm-array"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
