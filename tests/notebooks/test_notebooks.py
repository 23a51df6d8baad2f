"""Every notebook of the repository runs, thin and without outputs, in a workbench of its own.

The quick suite takes those that live on what the repository carries; the others need the open data.
"""

import json
import shutil
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
GUIDE = sorted((REPOSITORY / "notebooks" / "guide").glob("*.ipynb"))
#: Settings that make a run short; 0 leaves the sampling out.
SMALL = {"draws": 400, "n_draw": 400}
WITHOUT_SAMPLING = {"compare_methods.ipynb": {"draws": 0}}
#: Notebooks that look at a table which another one makes.
MADE_BY = {"review_table.ipynb": "fit_allometry.ipynb"}


def jobs():
    """The first job of every notebook that a batch names, embedded data before open data."""
    found = {}
    for path in sorted((REPOSITORY / "notebooks" / "batches").glob("*.yml")):
        batch = yaml.safe_load(path.read_text(encoding="utf-8"))
        for job in batch.get("jobs") or []:
            notebook = job.get("notebook", batch.get("notebook"))
            parameters = {**(batch.get("defaults") or {}), **(job.get("parameters") or {})}
            is_open = "open:" in json.dumps(parameters) or path.stem in (
                "open_data",
                "systems_open",
                "methods",
            )
            if notebook and (notebook not in found or (found[notebook][1] and not is_open)):
                found[notebook] = parameters, is_open
    return found


JOBS = jobs()


@pytest.mark.parametrize("path", NOTEBOOKS + GUIDE, ids=lambda p: p.stem)
def test_notebooks_carry_no_outputs_and_say_what_they_ask(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
    assert [c for c in cells if "parameters" in c["metadata"].get("tags", [])], "no cell tagged parameters"
    first = "".join(cells[0]["source"])
    assert cells[0]["cell_type"] == "markdown"
    assert "问题" in first and "Question" in first


def test_every_notebook_is_in_a_batch():
    assert {path.name for path in NOTEBOOKS} - set(JOBS) == set()


@pytest.fixture
def workbench(tmp_path, monkeypatch):
    root = tmp_path / "工作台"
    shutil.copytree(REPOSITORY / "data", root / "data", ignore=shutil.ignore_patterns("open"))
    shutil.copytree(REPOSITORY / "notebooks", root / "notebooks")
    (root / "params").mkdir()
    monkeypatch.setenv("SINKLAB_ROOT", str(root))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.chdir(root)
    return root


def execute(root, name):
    """Run the first job of a notebook; the tables that it wrote are sound, and are found again from what they state."""
    import papermill

    from sinklab.review.verification import verify
    from sinklab.tables.checks import validate

    parameters, _ = JOBS[name]
    cells = json.loads((root / "notebooks" / name).read_text(encoding="utf-8"))["cells"]
    declared = "".join("".join(c["source"]) for c in cells if "parameters" in c["metadata"].get("tags", []))
    wanted = SMALL | WITHOUT_SAMPLING.get(name, {})
    small = {k: v for k, v in wanted.items() if f"\n{k} = " in f"\n{declared}"}
    papermill.execute_notebook(
        root / "notebooks" / name,
        root / "out.ipynb",
        {**parameters, **small, "out_dir": str(root / "out")},
        kernel_name="python3",
        progress_bar=False,
        cwd=str(root),
    )
    written = [path.parent for path in root.glob("params/*/*/datapackage.json")]
    assert {path.name: problems for path in written if (problems := validate(path))} == {}
    for path in written:
        found = verify(path)
        assert found.agreed, [*found.problems, *found.missing, *found.differences()][:9]


@pytest.mark.parametrize("name", [n for n, (_, is_open) in sorted(JOBS.items()) if not is_open])
def test_runs_on_what_the_repository_carries(workbench, name):
    if name in MADE_BY:
        execute(workbench, MADE_BY[name])
    execute(workbench, name)


@pytest.mark.open_data
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [n for n, (_, is_open) in sorted(JOBS.items()) if is_open])
def test_runs_on_open_data(workbench, name):
    execute(workbench, name)


#: What a page of the guide prints when it did what it says.
SAYS = {
    "01_felled_trees": "150 records",
    "02_ten_species": "would run, 0 unchanged",
    "03_sites_and_calibration": "TRE",
    "04_karst_plot": "plot with its rock           47.4",
    "05_soil_cores": "fixed depth, 30 cm       49.4",
    "06_grassland": "β = 0.924",
    "07_a_province": "融水苗族自治县",
    "08_a_draft": "metering_guide_karst (en): no finding",
    "09_a_review": "every number agrees",
}


@pytest.mark.parametrize("path", GUIDE, ids=lambda p: p.stem)
def test_a_page_of_the_guide_runs_and_says_what_it_promises(path, workbench, monkeypatch):
    import papermill

    monkeypatch.setenv("SINKLAB_LANG", "en")
    for place in ("drafts", "templates"):
        shutil.copytree(REPOSITORY / "reports" / place, workbench / "reports" / place)
    out = papermill.execute_notebook(
        path, workbench / "out.ipynb", kernel_name="python3", progress_bar=False, cwd=str(workbench)
    )
    told = [output for cell in out.cells for output in cell.get("outputs", [])]
    text = "".join(str(o.get("text", "")) + str(o.get("data", {}).get("text/plain", "")) for o in told)
    assert SAYS[path.stem] in text, text[-2000:]
    assert not [o for o in told if "dataframe" in str(o.get("data", {}).get("text/html", ""))], "a raw frame"
    assert not [o for o in told if o["output_type"] == "stream" and "Traceback" in str(o.get("text", ""))]
