# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest
from runs_workbench import REPOSITORY, workbench, write_batch  # noqa: F401

from sinklab.language import RunError
from sinklab.runs import engines, ledger
from sinklab.runs.batch import plan_jobs, run
from sinklab.runs.reading import read_batch

BATCH = """\
notebook: behave.ipynb
defaults: {seed: 7}
jobs:
  - {id: lost, parameters: {name: lost, behaviour: kill_worker}}
  - {id: good, parameters: {name: good, factor: 2}, outputs: [params/good/0.1.0]}
  - {id: bad, parameters: {name: bad, behaviour: fail}, outputs: [params/bad/0.1.0]}
  - {id: last, parameters: {name: last}, outputs: [params/last/0.1.0]}
"""


@pytest.mark.slow
def test_a_dask_worker_killed_midway_costs_the_task_it_was_at(workbench):
    write_batch(workbench, BATCH)
    outcome = run(read_batch("trial"), workers=2, engine="dask")
    found = {name: r.reason or "ok" for name, r in outcome.records.items()}
    assert found == {"trial/lost": "lost", "trial/good": "ok", "trial/bad": "error", "trial/last": "ok"}
    assert {name: r.reason or "ok" for name, r in ledger.read().items()} == found
    lines = (workbench / "reports/runs/ledger.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4, "nothing was executed twice"
    assert (workbench / "reports/runs/trial/lost/behave.failed.ipynb").is_file()
    write_batch(workbench, BATCH.replace("kill_worker", "ok").replace("fail}", "ok}"))
    again = run(read_batch("trial"), workers=1, engine="local")
    assert {name: r.status for name, r in again.records.items()} == {"trial/lost": "ok", "trial/bad": "ok"}


@pytest.fixture
def certificate(tmp_path):
    """A key and a certificate that vouches for itself."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    files = {"cert": tmp_path / "cert.pem", "key": tmp_path / "key.pem"}
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=trial"]
    command += ["-keyout", str(files["key"]), "-out", str(files["cert"])]
    subprocess.run(command, check=True, capture_output=True)
    return {name: str(path) for name, path in files.items()} | {"ca": str(files["cert"])}


def start(module, *arguments, tls):
    command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments]
    command += ["--tls-ca-file", tls["ca"], "--tls-cert", tls["cert"], "--tls-key", tls["key"]]
    environment = dict(os.environ, PYTHONPATH=str(REPOSITORY))
    return subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, encoding="utf-8"
    )


def address_of(scheduler):
    until = time.monotonic() + 60
    for line in scheduler.stderr:
        if "Scheduler at:" in line:
            threading.Thread(target=scheduler.stderr.read, daemon=True).start()
            return line.split()[-1]
        assert time.monotonic() < until, line
    raise AssertionError("the scheduler did not start")


@pytest.mark.slow
def test_a_scheduler_elsewhere_asks_for_a_certificate(workbench, certificate, monkeypatch):
    write_batch(workbench, BATCH.replace("kill_worker", "ok"))
    scheduler = start(
        "dask_scheduler", "--host", "tls://127.0.0.1", "--port", "0", "--no-dashboard", tls=certificate
    )
    worker = None
    try:
        address = address_of(scheduler)
        options = ["--nthreads", "2", "--host", "127.0.0.1", "--no-dashboard"]
        worker = start("dask_worker", address, *options, tls=certificate)
        threading.Thread(target=worker.stderr.read, daemon=True).start()
        with pytest.raises(RunError, match="no Dask scheduler answers"):
            run(read_batch("trial"), engine="dask", scheduler=address)
        outcome = run(read_batch("trial"), workers=2, engine="dask", scheduler=address, tls=certificate)
    finally:
        for process in filter(None, (worker, scheduler)):
            process.terminate()
            process.wait(60)
    found = {name: r.reason or "ok" for name, r in outcome.records.items()}
    assert found == {"trial/lost": "ok", "trial/good": "ok", "trial/bad": "error", "trial/last": "ok"}


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("tcp://node1:8786", True),
        ("node1:8786", True),
        ("tcp://192.168.0.7:8786", True),
        ("tcp://0.0.0.0:8786", True),
        ("ws://node1:8786", True),
        ("tcp://[2001:db8::1]:8786", True),
        ("tcp://localhost.example.org:1", True),
        ("tcp://127.0.0.1:1", False),
        ("tcp://[::1]:1", False),
        ("localhost:1", False),
        ("tls://node1:8786", False),
    ],
)
def test_an_open_scheduler_elsewhere_is_used_only_when_asked_for(workbench, monkeypatch, address, refused):
    tried = []
    monkeypatch.setattr(engines.DaskEngine, "_connect", lambda self, place, *_: tried.append(place))
    if refused:
        with pytest.raises(RunError, match="--unencrypted"), engines.open_engine("dask", 1, address):
            pass
    with engines.open_engine("dask", 1, address, unencrypted=refused):
        assert tried == [address]


def test_a_cluster_here_obeys_only_who_has_its_certificate(workbench):
    """Any user of the machine reaches its ports."""
    from distributed import Client

    write_batch(workbench, BATCH.replace("kill_worker", "ok"))
    with engines.open_engine("dask", 1) as engine:
        tasks = plan_jobs(read_batch("trial").jobs[1:2], ledger.Workbench(), {}, False)
        events = engine.run(tasks)
        next(events)
        address = engine._client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        for other in (address, address.replace("tls", "tcp")):
            with pytest.raises((OSError, TimeoutError, TypeError, ValueError)):
                Client(other, timeout=3, set_as_default=False)
        assert [event.record.status for event in events] == ["ok"]
