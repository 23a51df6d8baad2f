# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import json
import os
import re

import pytest
from runs_workbench import workbench, write_batch  # noqa: F401

from sinklab.cli import main
from sinklab.language import DraftError
from sinklab.runs import ledger
from sinklab.runs.batch import run
from sinklab.runs.execute import run_task
from sinklab.runs.ledger import Task
from sinklab.runs.reading import read_batch

BATCH = """\
notebook: behave.ipynb
defaults: {seed: 7}
jobs:
  - {id: good, title: {zh: 好作业, en: A good job}, parameters: {name: good, factor: 2}, outputs: [params/good/0.1.0]}
  - {id: bad, parameters: {name: bad, behaviour: fail}, outputs: [params/bad/0.1.0]}
  - {id: dead, parameters: {name: dead, behaviour: die}}
  - {id: lost, parameters: {name: lost, behaviour: kill_worker}}
  - {id: late, timeout: 6, parameters: {name: late, behaviour: hang}}
  - {id: empty, parameters: {name: other}, outputs: [params/promised/0.1.0]}
  - {id: last, parameters: {name: last}, outputs: [params/last/0.1.0]}
drafts:
  - {name: standard, lang: [zh], to: [html]}
"""


def sinklab_run(*arguments):
    return main(["run", *arguments])


@pytest.fixture
def trial(workbench):
    (workbench / "reports" / "drafts").mkdir(parents=True)
    (workbench / "reports" / "drafts" / "standard.yml").write_text("table: bad@0.1.0\n", encoding="utf-8")
    write_batch(workbench, BATCH)
    return workbench


def test_a_cell_of_a_run_shows_a_frame_as_a_set_table(workbench, monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "zh")
    place = workbench / "notebooks" / "behave.ipynb"
    content = json.loads(place.read_text(encoding="utf-8"))
    content["cells"][-1]["source"] = "import pandas\npandas.DataFrame({'dbh': [12.5]})"
    place.write_text(json.dumps(content), encoding="utf-8")
    write_batch(workbench, "notebook: behave.ipynb\ndefaults: {seed: 7}\njobs:\n  - {id: one}\n")
    assert sinklab_run("trial") == 0
    page = (workbench / "reports" / "runs" / "trial" / "one" / "behave.html").read_text(encoding="utf-8")
    assert "胸径/cm</th>" in page and "12.5</td>" in page and 'class="dataframe"' not in page


def test_failures_stay_with_their_job(trial, capsys):
    assert sinklab_run("trial", "--workers", "2") == 1
    printed = capsys.readouterr().out
    records = ledger.read()
    reasons = {name.partition("/")[2]: r.reason or "ok" for name, r in records.items()}
    assert reasons == {
        "good": "ok",
        "bad": "error",
        "dead": "died",
        "lost": "lost",
        "late": "timeout",
        "empty": "output",
        "last": "ok",
        "draft:standard": "blocked",
    }
    folder = trial / "reports" / "runs" / "trial"

    good = records["trial/good"]
    assert (trial / "params/good/0.1.0/values.csv").read_text(encoding="utf-8") == "name,value\ngood,4.0\n"
    assert {"params/good/0.1.0/values.csv", "reports/runs/trial/good/behave.ipynb"} <= good.outputs.keys()
    said = json.loads((folder / "good" / "behave.ipynb").read_text(encoding="utf-8"))
    streams = [o for c in said["cells"] for o in c.get("outputs", ()) if o["output_type"] == "stream"]
    text = "".join("".join(output["text"]) for output in streams)
    assert text == "good 2.0 7 {} 好作业 1 True\n", "parameters, one thread, and the workbench as folder"
    assert 'title_zh = "好作业"' in "".join(line for cell in said["cells"] for line in cell["source"])

    bad = records["trial/bad"]
    assert bad.line == "DataError: study_x/data.csv, record 41: dbh = 1830 cm\nexpected 0.1-400 cm"
    assert bad.place == "In [4]"
    kept = (folder / "bad" / "behave.failed.ipynb").read_text(encoding="utf-8")
    assert "record 41" in kept and not (folder / "bad" / "behave.ipynb").exists()
    assert "time limit of 6 s exceeded" in records["trial/late"].line
    assert 6 <= records["trial/late"].seconds < 600, "it would sleep for ten minutes"
    assert "exit code" in records["trial/lost"].line
    assert (folder / "lost" / "behave.failed.ipynb").is_file()
    assert "params/promised/0.1.0" in records["trial/empty"].line
    assert "bad" in records["trial/draft:standard"].line
    assert not list((trial / "reports").rglob("*.part*"))

    assert "record 41: dbh = 1830 cm" in printed and "behave.failed.ipynb" in printed
    assert "trial: 2 ok, 6 failed, 0 unchanged" in printed
    assert not re.search(r"Traceback", printed)

    page = (trial / "reports" / "runs" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "好作业" in page and "A good job" in page and "record 41" in page
    assert page.count('class="failed"') == 6
    assert "data:image/jpeg;base64," in page
    for link in re.findall(r'href="([^"#]+)"', page):
        assert (trial / "reports" / "runs" / link).exists(), link
    shown = (folder / "good" / "behave.html").read_text(encoding="utf-8")
    assert "<math" in shown and not re.search(r'(src|href)="(https?:)?//', shown)

    assert sinklab_run("trial", "--dry-run") == 0
    planned = capsys.readouterr().out
    assert "skip  trial/good  unchanged" in planned and "run   trial/bad  failed last time" in planned
    assert sinklab_run("trial", "--only", "good") == 0
    assert "trial: 0 ok, 0 failed, 1 unchanged" in capsys.readouterr().out


def test_a_changed_parameter_repeats_one_job_and_stale_figures_go(workbench, capsys):
    text = "notebook: behave.ipynb\ndefaults: {seed: 7}\njobs:\n"
    one = "  - {id: one, parameters: {name: one}, outputs: [params/one/0.1.0]}\n"
    write_batch(workbench, text + one)
    assert sinklab_run("trial", "--workers", "1") == 0
    old = workbench / "reports" / "runs" / "trial" / "one" / "figures" / "old.png"
    old.write_bytes(b"not drawn any more")
    os.utime(old, (1, 1))
    write_batch(workbench, text + one.replace("name: one", "name: one, factor: 5"))
    outcome = run(read_batch("trial"))
    assert outcome.records["trial/one"].why == [["parameters", "factor: – → 5.0"]]
    assert (workbench / "params/one/0.1.0/values.csv").read_text(encoding="utf-8").endswith("one,10.0\n")
    assert not old.exists() and (old.parent / "leaf.png").exists()


@pytest.fixture
def drafts(monkeypatch):
    """The chapter that renders drafts; what a test puts in place of ``render`` is taken back."""
    from sinklab.drafts import rendering

    monkeypatch.setattr(rendering, "render", rendering.render)
    return rendering


def draft_task():
    batch = read_batch("trial")
    return Task(batch.drafts[0], "key", {}, [["new", ""]])


def test_a_draft_is_rendered_and_sealed(trial, drafts):
    def render(name, lang, formats):
        path = trial / "reports" / f"{name}.{lang}.{formats[0]}"
        path.write_text("<html>", encoding="utf-8")
        return {"html": path}

    drafts.render = render
    record = run_task(draft_task())
    assert (record.status, record.documents) == ("ok", ["reports/standard.zh.html"])
    assert ledger.read()["trial/draft:standard"].outputs.keys() == {"reports/standard.zh.html"}


def test_a_refused_draft_says_why(trial, drafts):
    def render(name, lang, formats):
        raise DraftError("number 3 is a demonstration\nuse a reviewed table")

    drafts.render = render
    record = run_task(draft_task())
    assert record.status == "failed"
    assert record.line == "DraftError: number 3 is a demonstration\nuse a reviewed table"


def test_a_task_done_by_somebody_else_meanwhile_is_not_repeated(trial, drafts):
    calls = []

    def render(name, lang, formats):
        calls.append(name)
        path = trial / "reports" / "x.html"
        path.write_text("<html>", encoding="utf-8")
        return {"html": path}

    drafts.render = render
    task = draft_task()
    first = run_task(task)
    assert run_task(task) == first and calls == ["standard"]
    (trial / "reports" / "x.html").unlink()
    run_task(task)
    assert calls == ["standard", "standard"], "a result that is gone is made again"


@pytest.mark.slow
def test_dask_gives_the_same_records(workbench, capsys):
    write_batch(workbench, BATCH.partition("  - {id: dead")[0])
    assert sinklab_run("trial", "--engine", "dask", "--workers", "2") == 1
    assert {n: r.status for n, r in ledger.read().items()} == {"trial/good": "ok", "trial/bad": "failed"}
