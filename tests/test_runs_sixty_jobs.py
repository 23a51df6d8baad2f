"""More than seventy jobs on the open data with injected failures, by every engine: the same tables, byte for byte."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [pytest.mark.open_data, pytest.mark.slow, pytest.mark.timeout(3600)]

REPOSITORY = Path(__file__).resolve().parent.parent
#: What goes wrong in each of the injected jobs, as the ledger says.
REASONS = {
    "bad_data": "error",
    "bad_group": "error",
    "hangs": "timeout",
    "kills_kernel": "died",
    "kills_worker": "lost",
    "takes_all_memory": "memory",
}
BATCH = """\
include: [species_by_country.yml, plots_and_cores.yml]
jobs:
  - id: bad_data
    notebook: behave.ipynb
    parameters: {name: bad_data, behaviour: fail}
  - id: bad_group
    notebook: fit_allometry.ipynb
    parameters: {table_id: agb_forest_larix_nowhere, where: {genus: Larix, country: FIN}, equations: agb = a * dbh**b}
  - {id: hangs, notebook: behave.ipynb, timeout: 20, parameters: {name: hangs, behaviour: hang}}
  - {id: kills_kernel, notebook: behave.ipynb, parameters: {name: kills_kernel, behaviour: die}}
  - {id: kills_worker, notebook: behave.ipynb, parameters: {name: kills_worker, behaviour: kill_worker}}
  - id: takes_all_memory
    notebook: behave.ipynb
    memory: 800 MB
    parameters: {name: takes_all_memory, behaviour: hog}
"""
FEWEST = 50


def sinklab(root, *arguments):
    """Run a command in a workbench; seconds, exit code and the events told."""
    environment = dict(os.environ, SINKLAB_ROOT=str(root), SINKLAB_LANG="en")
    environment["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "sinklab", "run", "trial", "--log-json", "--workers", "2", *arguments]
    begun = time.monotonic()
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events and events[-1]["event"] == "end", done.stdout[-2000:] + done.stderr[-2000:]
    return time.monotonic() - begun, done.returncode, events


def tables(root):
    files = sorted(path for path in (root / "params").rglob("*") if path.is_file())
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """What all engines start from: an edit of the repository meanwhile would change what is compared."""
    root = tmp_path_factory.mktemp("library") / "copy"
    for room in ("data", "notebooks", "sinklab", "reports/templates"):
        shutil.copytree(REPOSITORY / room, root / room)
    shutil.copy(REPOSITORY / "tests" / "notebooks" / "behave.ipynb", root / "notebooks")
    shutil.copy(REPOSITORY / "requirements.lock", root)
    (root / "notebooks" / "batches" / "trial.yml").write_text(BATCH, encoding="utf-8")
    return root


def workbench(library, folder):
    """A copy that bears the same name for every engine."""
    return Path(shutil.copytree(library, folder / "workbench"))


@pytest.fixture(scope="module")
def local(library, tmp_path_factory):
    root = workbench(library, tmp_path_factory.mktemp("local"))
    return root, *sinklab(root)


def records(events):
    return {e["job"].partition("/")[2]: e for e in events if e["event"] == "finished"}


def check(events, code):
    found = records(events)
    assert code == 1
    assert len(found) >= FEWEST + len(REASONS)
    failed = {name: e["reason"] for name, e in found.items() if e["status"] != "ok"}
    assert failed == REASONS


def ledger_of(root):
    lines = (root / "reports/runs/ledger.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_every_other_job_completes_and_the_ledger_is_right(local):
    root, seconds, code, events = local
    check(events, code)
    found = records(events)
    print(f"local: {len(found)} jobs, {len(REASONS)} made to fail, {seconds:.0f} s on two workers")
    lines = ledger_of(root)
    assert len(lines) == len(found), "one line for each job"
    for record in lines:
        name = record["id"]
        assert record["status"] == found[name]["status"] and record["why"] == [["new", ""]]
        if record["status"] == "ok":
            assert record["tables"] and all((root / place).is_dir() for place in record["tables"])
            assert all(Path(root / file).is_file() for file in record["outputs"])
        elif name != "bad_group":
            assert not (root / "params" / name).exists()
    kept = [record for record in lines if record["status"] != "ok" and record.get("kept")]
    assert {record["id"] for record in kept} == set(REASONS)
    assert all((root / record["kept"]).is_file() for record in kept)
    assert not list(root.rglob("*.part*"))
    assert len(list((root / "params").iterdir())) == len(found) - len(REASONS)
    page = (root / "reports/runs/index.html").read_text(encoding="utf-8")
    assert page.count('class="failed"') == len(REASONS)


def test_a_second_run_repeats_only_what_failed(local):
    root, first, _, events = local
    before = tables(root)
    seconds, code, again = sinklab(root)
    check_again = records(again)
    assert code == 1 and {name: e["reason"] for name, e in check_again.items()} == REASONS
    started = [e for e in again if e["event"] == "started"]
    assert all(e["why"] == [["failed", ""]] for e in started) and len(started) == len(REASONS)
    assert again[-1]["unchanged"] == len(records(events)) - len(REASONS)
    assert tables(root) == before
    print(f"again: {len(started)} jobs, {seconds:.0f} s")


@pytest.mark.parametrize("scheduler", [None, pytest.param("slurm", marks=pytest.mark.slurm)])
def test_dask_gives_the_same_tables(local, library, tmp_path, scheduler, request):
    if scheduler == "slurm":
        request.getfixturevalue("slurm_here")
    root = workbench(library, tmp_path)
    seconds, code, events = sinklab(
        root, "--engine", "dask", *(["--scheduler", scheduler] if scheduler else [])
    )
    check(events, code)
    expected, found = tables(local[0]), tables(root)
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []
    print(
        f"dask, {scheduler}: {len(records(events))} jobs, {seconds:.0f} s, {len(found)} files of tables alike"
    )


@pytest.fixture
def slurm_here(tmp_path_factory):
    """A SLURM: the one that answers here, else one of a single node."""
    sys.path.append(str(Path(__file__).resolve().parent / "slurm"))
    from single_node import SingleNode, missing

    packages = [name for name in ("dask_jobqueue", "cryptography") if find_spec(name) is None]
    if packages:
        pytest.skip(f"not installed: {', '.join(packages)} (the extra 'cluster')")
    if shutil.which("sinfo") and not subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
        yield
        return
    if missing():
        pytest.skip(f"not installed: {', '.join(missing())}")
    with SingleNode(tmp_path_factory.mktemp("slurm")):
        yield
