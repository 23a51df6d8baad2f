# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import json
import os
import sys
from textwrap import dedent

import pytest
from runs_workbench import workbench, write_batch  # noqa: F401

from sinklab.cli import main
from sinklab.language import RunError
from sinklab.runs import engines, ledger
from sinklab.runs.batch import plan_jobs, run
from sinklab.runs.reading import read_batch

needs_bash = pytest.mark.skipif(os.name == "nt", reason="SLURM does not run on Windows")

BATCH = """\
notebook: behave.ipynb
defaults: {seed: 7}
jobs:
  - {id: good, parameters: {name: good, factor: 2}, outputs: [params/good/0.1.0]}
  - {id: bad, parameters: {name: bad, behaviour: fail}, outputs: [params/bad/0.1.0]}
  - {id: third, parameters: {name: third}, outputs: [params/third/0.1.0]}
"""

#: Stands in for SLURM: runs the shards one after another, as many as ``--array`` asks for.
SBATCH = """\
    #!{python}
    import os, pathlib, subprocess, sys, time

    folder = pathlib.Path(__file__).parent
    options = dict(item[2:].partition("=")[::2] for item in sys.argv[1:-1])
    assert {{"wait", "parsable", "array", "chdir", "output"}} <= options.keys(), options
    print("4711;cluster", flush=True)
    with open(folder / "calls", "a") as stream:
        stream.write(" ".join(sys.argv[1:-1]) + "\\n")
    first, last = map(int, options["array"].split("-"))
    for number in range(first, last + 1):
        with open(options["output"].replace("%a", str(number)), "wb") as log:
            environment = dict(os.environ, SLURM_ARRAY_TASK_ID=str(number))
            shard = subprocess.Popen(
                ["bash", sys.argv[-1]], cwd=options["chdir"], env=environment, stdout=log, stderr=log
            )
            if (folder / "kill").exists():
                (folder / "kill").unlink()
                written = pathlib.Path(sys.argv[-1]).parent / f"shard-{{number}}.jsonl"
                while not written.exists() or not written.stat().st_size:
                    time.sleep(0.05)
                shard.kill()
            shard.wait()
"""


@pytest.fixture
def queue(workbench, monkeypatch):
    """A folder on PATH with a stand-in for sbatch."""
    folder = workbench / "bin"
    folder.mkdir()
    (folder / "sbatch").write_text(dedent(SBATCH).format(python=sys.executable), encoding="utf-8")
    (folder / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    write_batch(workbench, BATCH)
    return folder


@needs_bash
def test_an_array_gives_the_records_of_its_shards(queue, workbench, capsys):
    options = ["run", "trial", "--engine", "slurm-array", "--workers", "2", "--sbatch=--partition=short"]
    assert main(options) == 1
    records = ledger.read()
    assert {name: r["status"] for name, r in records.items()} == {
        "trial/good": "ok",
        "trial/bad": "failed",
        "trial/third": "ok",
    }
    assert records["trial/bad"]["line"].startswith("DataError: study_x/data.csv, record 41")
    assert len((workbench / "reports/runs/ledger.jsonl").read_text(encoding="utf-8").splitlines()) == 3
    call = (queue / "calls").read_text(encoding="utf-8")
    assert "--array=0-1" in call and "--partition=short" in call
    assert (workbench / "params/third/0.1.0/values.csv").read_text(encoding="utf-8").endswith("third,2.0\n")
    assert not list(engines.folder().iterdir())
    capsys.readouterr()
    assert main(options[:2] + ["--dry-run"]) == 0
    assert "1 would run, 2 unchanged" in capsys.readouterr().out


@needs_bash
def test_a_lost_shard_costs_the_task_it_was_at(queue, workbench):
    (queue / "kill").touch()
    outcome = run(read_batch("trial"), workers=1, engine="slurm-array")
    assert {name: r.get("reason", "ok") for name, r in outcome.records.items()} == {
        "trial/good": "lost",
        "trial/bad": "error",
        "trial/third": "ok",
    }
    assert "array job 4711 ended in the midst" in outcome.records["trial/good"]["line"]
    assert (queue / "calls").read_text(encoding="utf-8").count("\n") == 2, "the rest was handed out again"


def test_records_that_nobody_waited_for_are_merged(workbench):
    place = engines.folder() / "20240101-000000-1-0"
    place.mkdir(parents=True)
    (place / "tasks.jsonl").write_text("", encoding="utf-8")
    (place / "number").write_text("12", encoding="utf-8")
    lines = [
        {"job": "trial/good", "begun": 5},
        {"job": "trial/good", "record": {"job": "trial/good", "status": "ok", "finished": 6}},
        {"job": "trial/old", "record": {"job": "trial/old", "status": "failed", "finished": 3}},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (place / "shard-0.jsonl").write_text(text + '{"job": "trial/torn", "rec', encoding="utf-8")
    ledger.append({"job": "trial/old", "status": "ok", "finished": 9})
    assert engines.merge_left() == 1
    assert {name: r["status"] for name, r in ledger.read().items()} == {"trial/old": "ok", "trial/good": "ok"}
    assert engines.merge_left() == 0


def test_a_plan_knows_what_arrays_did_meanwhile(workbench, capsys):
    write_batch(workbench, BATCH)
    place = engines.folder() / "20240101-000000-1-0"
    place.mkdir(parents=True)
    (place / "tasks.jsonl").write_text("", encoding="utf-8")
    step = plan_jobs(read_batch("trial").jobs, ledger.Workbench(), {}, False)[0]
    record = {"job": step.name, "status": "ok", "finished": 6, "parts": step.parts, "outputs": {}}
    (place / "shard-0.jsonl").write_text(
        json.dumps({"job": step.name, "record": record}) + "\n", encoding="utf-8"
    )
    assert main(["run", "trial", "--dry-run"]) == 0
    assert "2 would run, 1 unchanged" in capsys.readouterr().out


@needs_bash
def test_what_sbatch_refuses_is_told(queue, workbench):
    (queue / "sbatch").write_text(
        "#!/bin/sh\necho 'error: invalid partition' >&2\nexit 1\n", encoding="utf-8"
    )
    with pytest.raises(RunError, match="refused the array: error: invalid partition"):
        run(read_batch("trial"), workers=1, engine="slurm-array")
    (queue / "sbatch").write_text("#!/bin/sh\necho 77\n", encoding="utf-8")
    with pytest.raises(RunError, match="array job 77 did nothing"):
        run(read_batch("trial"), workers=1, engine="slurm-array")


def test_without_slurm_the_message_says_what_to_do(workbench, monkeypatch):
    write_batch(workbench, BATCH)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RunError, match="--engine local"):
        run(read_batch("trial"), workers=1, engine="slurm-array")
