# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import json
import os
import subprocess
import sys
import threading

import pytest
from runs_workbench import REPOSITORY, workbench, write_batch  # noqa: F401

from sinklab import paths
from sinklab.runs import ledger, reading
from sinklab.runs.batch import plan_drafts, plan_jobs, select
from sinklab.runs.ledger import Record
from sinklab.runs.reading import read_batch

BATCH = """\
notebook: behave.ipynb
jobs:
  - id: one
    parameters: {seed: 1, name: a, where: {country: CHN, genus: Larix}}
    inputs: [data/extra.csv]
    outputs: [params/a/0.1.0]
"""


@pytest.fixture
def job(workbench):
    (workbench / "data" / "extra.csv").write_text("x\n1\n", encoding="utf-8")
    write_batch(workbench, BATCH)
    return read_batch("trial").jobs[0]


def parts_now():
    return ledger.Workbench().parts(read_batch("trial").jobs[0])


def edit_notebook(root, change):
    path = root / "notebooks" / "behave.ipynb"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content["cells"])
    path.write_text(json.dumps(content), encoding="utf-8")


def record(parts, outputs=()):
    return Record("trial/one", parts=json.loads(json.dumps(parts)), outputs=ledger.seal(outputs))


def test_nothing_changed(job):
    parts = parts_now()
    assert ledger.reasons(record(parts), parts_now()) == []
    assert ledger.key_of(parts) == ledger.key_of(dict(reversed(parts.items())))


def test_outputs_ids_and_text_of_a_notebook_do_not_count(job, workbench):
    before = parts_now()

    def change(cells):
        cells[0]["source"] = "# Another title"
        for position, cell in enumerate(cells):
            cell["id"] = f"other{position}"
            if cell["cell_type"] == "code":
                cell["execution_count"] = 3
                cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x"}]

    edit_notebook(workbench, change)
    assert ledger.key_of(parts_now()) == ledger.key_of(before)


def test_each_part_is_named_when_it_changes(job, workbench, monkeypatch):
    old = record(parts_now())
    edit_notebook(workbench, lambda cells: cells[-1].update(source="".join(cells[-1]["source"]) + "\n1 + 1"))
    (workbench / "data" / "extra.csv").write_text("x\n2\n", encoding="utf-8")
    write_batch(workbench, BATCH.replace("seed: 1", "seed: 2").replace("Larix", "Picea"))
    monkeypatch.setattr(paths, "source_sha256", lambda: "other")
    monkeypatch.setattr(paths, "lock_sha256", lambda: "other")
    monkeypatch.setattr(paths, "versions", lambda: old.parts["stack"] | {"numpy": "0.0"})
    found = ledger.reasons(old, parts_now())
    assert [code for code, _ in found] == [
        "notebook",
        "source",
        "lock",
        "parameters",
        "parameters",
        "inputs",
        "stack",
    ]
    details = [detail for _, detail in found]
    assert details[3] == "seed: 1 → 2"
    assert details[4].startswith("where:") and "Picea" in details[4]
    assert details[5] == "data/extra.csv"
    assert details[6].startswith("numpy: ") and details[6].endswith("→ 0.0")


def test_vocabulary_and_rules_are_inputs(job, workbench):
    old = record(parts_now())
    with open(workbench / "data" / "rules" / "acceptance.csv", "a", encoding="utf-8") as stream:
        stream.write("\n")
    assert ledger.reasons(old, parts_now()) == [["inputs", "data/rules/acceptance.csv"]]


def test_results_must_still_be_there_as_they_were_written(job, workbench):
    result = workbench / "params" / "a" / "0.1.0" / "values.csv"
    result.parent.mkdir(parents=True)
    result.write_text("name,value\n", encoding="utf-8")
    parts = parts_now()
    old = record(parts, [result])
    assert ledger.reasons(old, parts) == []
    os.utime(result, (1, 1))
    assert ledger.reasons(old, parts) == [], "another time with the same content is no change"
    result.write_text("name,VALUE\n", encoding="utf-8")
    assert ledger.reasons(old, parts) == [["output", "params/a/0.1.0/values.csv"]]
    result.unlink()
    assert ledger.reasons(old, parts) == [["output", "params/a/0.1.0/values.csv"]]


def test_open_data_may_move(workbench, tmp_path, monkeypatch):
    names = []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "trees.csv").write_text("dbh\n1\n", encoding="utf-8")
        monkeypatch.setenv("SINKLAB_DATA", str(tmp_path / place))
        names.append(ledger.Workbench().hashes([tmp_path / place / "trees.csv"]))
    assert names[0] == names[1] and list(names[0]) == ["SINKLAB_DATA/trees.csv"]


def test_the_last_line_of_a_job_counts_and_torn_lines_do_not(tmp_path):
    path = tmp_path / "runs" / "ledger.jsonl"
    assert ledger.read(path) == {}
    ledger.append(Record("b/one", status="failed"), path)
    ledger.append(Record("b/two", status="ok"), path)
    ledger.append(Record("b/one", status="ok"), path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"job": "b/three", "sta')
    assert ledger.read(path) == {
        "b/two": Record("b/two", status="ok"),
        "b/one": Record("b/one", status="ok"),
    }
    ledger.append(Record("b/four", title={"zh": "杉木"}), path)
    assert ledger.read(path)["b/four"].title == {"zh": "杉木"}
    assert set(ledger.read(path)) == {"b/one", "b/two", "b/four"}


def test_a_ledger_of_another_version_can_be_read(tmp_path):
    path = tmp_path / "ledger.jsonl"
    line = {"job": "b/one", "status": "failed", "line": "", "place": "", "why": [["new", ""]], "invented": 1}
    path.write_text(json.dumps(line) + '\n{"event": "plan"}\n[1]\n', encoding="utf-8")
    (found,) = ledger.read(path).values()
    assert (found.job, found.status, found.why) == ("b/one", "failed", [["new", ""]])
    assert Record.from_dict(found.to_dict()) == found


def test_records_written_at_once_stay_whole(tmp_path):
    path = tmp_path / "ledger.jsonl"

    def write(writer):
        for number in range(25):
            ledger.append(Record(f"b/{writer}-{number}", line="x" * 5000), path)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.read(path)) == 100
    assert len(path.read_text(encoding="utf-8").splitlines()) == 100


def test_a_draft_follows_the_tables_that_it_names(job, workbench):
    description = workbench / "reports" / "drafts" / "standard.yml"
    description.parent.mkdir(parents=True)
    description.write_text("title: 标准\ntables: {main: a@0.1.0, other: b}\n", encoding="utf-8")
    write_batch(workbench, BATCH + "drafts:\n  - {name: standard, lang: [zh], to: [html]}\n")
    table = workbench / "params" / "a" / "0.1.0" / "values.csv"
    table.parent.mkdir(parents=True)
    table.write_text("1\n", encoding="utf-8")
    assert reading.draft_inputs("standard") == [description, table]
    batch = read_batch("trial")
    bench = ledger.Workbench()
    steps = plan_jobs(batch.jobs, bench, {}, False)
    (step,) = plan_drafts(batch.drafts, bench, {}, False, steps)
    assert step.why == [["new", ""], ["upstream", "one"]]
    old = {"trial/draft:standard": record(step.parts)}
    assert plan_drafts(batch.drafts, ledger.Workbench(), old, False)[0].why == []
    table.write_text("2\n", encoding="utf-8")
    changed = plan_drafts(batch.drafts, ledger.Workbench(), old, False)
    assert changed[0].why == [["inputs", "params/a/0.1.0/values.csv"]]


def test_only_takes_a_pattern(job):
    batch = read_batch("trial")
    assert [j.id for j in select(batch, "o*")[0]] == ["one"]
    with pytest.raises(Exception, match="--only two"):
        select(batch, "two")


def test_planning_and_a_kernel_import_nothing_heavy(job, workbench):
    code = (
        "import sys\n"
        "import sinklab\n"
        "from sinklab.cli import main\n"
        "from sinklab.runs import batch, ledger, reading, engines\n"
        "loaded = reading.read_batch('trial')\n"
        "batch.plan_jobs(loaded.jobs, ledger.Workbench(), ledger.read(), False)\n"
        "heavy = {'numpy', 'pandas', 'papermill', 'nbformat', 'nbclient', 'rich', 'sympy', 'matplotlib', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "InteractiveShell.instance()\n"
        "sinklab._in_notebook()\n"
        "assert 'sinklab.runs.magic' in sys.modules\n"
        "print(sorted((heavy - {'numpy'}) & set(sys.modules)))\n"
    )
    environment = dict(os.environ, PYTHONPATH=str(REPOSITORY))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=environment, check=True
    )
    assert done.stdout.split() == ["[]", "[]"]
