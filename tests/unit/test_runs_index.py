# ruff: noqa: F811  (a fixture that is imported bears the name of an argument)
import re
import shutil
import subprocess
from dataclasses import replace

import pandas as pd
import pytest
from runs_workbench import workbench  # noqa: F401

import sinklab as sl
from sinklab.runs import ledger
from sinklab.runs.batch import write_index
from sinklab.runs.ledger import Record


def record(name, **parameters):
    return Record(
        f"trial/{name}",
        batch="trial",
        id=name,
        title={"zh": f"作业 {name}", "en": f"Job {name}"},
        folder=f"reports/runs/trial/{name}",
        seconds=1.0,
        started="2024-06-11T00:00:00+00:00",
        finished=1.0,
        why=[["new", ""]],
        parts={"parameters": parameters},
    )


@pytest.fixture
def page(workbench):
    ledger.append(record("larch", where={"genus": "Larix", "country": ["RUS", "MNG"], "dbh": {"min": 2}}))
    ledger.append(record("pine", where={"species": "pinus_massoniana", "country": "CHN"}))
    ledger.append(record("other", species="pinus_massoniana"))
    return write_index(workbench / "reports" / "runs" / "index.html")


def test_jobs_are_found_by_species_and_region(page):
    text = page.read_text(encoding="utf-8")
    found = re.findall(r'<tr class="ok" .*? data-species="(.*?)" data-region="(.*?)">', text)
    assert found == [
        ("Larix", "RUS|MNG"),
        ("pinus_massoniana", "CHN"),
        ("pinus_massoniana", ""),
    ]
    assert '<option value="pinus_massoniana" data-zh="马尾松" data-en="Pinus massoniana' in text
    assert re.findall(r'<option value="([A-Z]{3})"', text) == ["CHN", "MNG", "RUS"]


@pytest.mark.browser
def test_a_choice_leaves_the_jobs_that_fit(page, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs Chromium")
    choose = (
        "<script>var s = document.getElementById('region'); s.value = 'MNG';"
        "s.dispatchEvent(new Event('change'));</script></body>"
    )
    chosen = page.with_name("chosen.html")
    chosen.write_text(page.read_text(encoding="utf-8").replace("</body>", choose), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom", chosen.as_uri()]
    text = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60).stdout
    rows = re.findall(r'<tr class="ok"([^>]*)>', text)
    assert ["hidden" in row for row in rows] == [False, True, True]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("en", "trial: 1 ok, 0 failed, 1 unchanged; 3 values or curves refused"),
        ("zh", "trial：完成 1，失败 0，未变 1；3 个取值或曲线不予采用"),
    ],
)
def test_a_batch_ends_with_its_refused_rows_counted(workbench, code, told):
    from types import SimpleNamespace

    from sinklab import language
    from sinklab.runs.batch import counts

    bad = pd.DataFrame({"name": ["bef[a]", "bef[b]", "bef[c]"], "variable": "bef", "unit": "1"})
    bad = bad.assign(mean=[0.7, 1.4, 0.6], se=0.01, sources="X")
    source = {"name": "test", "origin": "measured", "title": "Test", "licence": "CC0-1.0"}
    made = {}
    for name, rows in (("new", bad), ("old", bad.tail(1))):
        more = pd.DataFrame({"name": ["bef[d]"], "variable": "bef", "unit": "1", "mean": 1.5, "sources": "X"})
        table = sl.Table.from_values(pd.concat([rows, more]), f"bef_forest_{name}", "0.1.0", source=source)
        made[name] = str(table.write().relative_to(workbench))
    old, new = (replace(record(name), tables=(made[name],)) for name in ("old", "new"))
    # One job ran now, the other is unchanged: its refused rows are in the batch all the same.
    ledger.append(old)
    tasks = [SimpleNamespace(name=new.job, why=["new"]), SimpleNamespace(name=old.job, why=[])]
    outcome = SimpleNamespace(
        batch=SimpleNamespace(name="trial"), tasks=tasks, records={new.job: new}, failed=[]
    )
    with language.speaking(code):
        assert counts(outcome) == told
