"""Values that a notebook worked out are recomputed by running it again: what agrees, what is named, what is refused."""

import json
import re
import shutil
from pathlib import Path

import pytest

from sinklab import paths
from sinklab.language import DataError, set_language
from sinklab.review.recompute import Inputs, frames_again
from sinklab.review.verification import verify
from sinklab.tables.package import to_json

REPOSITORY = Path(__file__).resolve().parents[2]
PARAMETERS = '''table_id = "height_forest_test"
version = "0.1.0"
shares = {1: 0.25, 3: 0.75}
heights = [4.0, 8.0]
out_dir = "elsewhere"'''
WORK = """import pandas as pd
import sinklab as sl
from sinklab import paths

mean = shares[1] * heights[0] + shares[3] * heights[1]
row = {"name": "height[test]", "variable": "height", "unit": "m", "mean": mean, "sd": 1.0, "level": 0.95}
row |= {"q025": mean - 2, "q975": mean + 2, "n": 2, "n_study": 1, "sources": "field", "interval_kind": "distribution"}
source = {"spec": "file:own", "origin": "measured", "recipe": paths.recipe("own.ipynb", globals())}
sl.Table.from_values(pd.DataFrame([row]), table_id, version, source=source).write()"""


@pytest.fixture
def workbench(tmp_path, monkeypatch):
    shutil.copytree(REPOSITORY / "data" / "vocabulary", tmp_path / "data" / "vocabulary")
    shutil.copytree(REPOSITORY / "data" / "rules", tmp_path / "data" / "rules")
    monkeypatch.setenv("SINKLAB_ROOT", str(tmp_path))
    set_language("en")
    write_notebook(tmp_path, WORK)
    yield tmp_path
    set_language(None)


def write_notebook(root, work, parameters=PARAMETERS):
    import nbformat.v4 as v4

    tagged = v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# Question"), tagged, v4.new_code_cell(work)])
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    }
    (root / "notebooks").mkdir(exist_ok=True)
    (root / "notebooks" / "own.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


@pytest.fixture
def table(workbench):
    exec(compile(f"{PARAMETERS}\nheights = [4.0, 10.0]\n{WORK}", "own", "exec"), {})
    return workbench / "params" / "height_forest_test" / "0.1.0"


def alter(table, change):
    """Change the record of origin and settle the hashes, as a careful hand would."""
    about = json.loads((table / "provenance.json").read_text(encoding="utf-8"))
    change(about["data"][0]["recipe"])
    raw = to_json(about)
    (table / "provenance.json").write_bytes(raw)
    import hashlib

    head = json.loads((table / "datapackage.json").read_text(encoding="utf-8"))
    own = next(r for r in head["resources"] if r["name"] == "provenance")
    own |= {"bytes": len(raw), "hash": "sha256:" + hashlib.sha256(raw).hexdigest()}
    (table / "datapackage.json").write_bytes(to_json(head))


def test_a_recipe_holds_literals_and_no_paths(table):
    about = json.loads((table / "provenance.json").read_text(encoding="utf-8"))
    recipe = about["data"][0]["recipe"]
    assert recipe["parameters"]["shares"] == "{1: 0.25, 3: 0.75}"
    assert recipe["parameters"]["heights"] == "[4.0, 10.0]" and "out_dir" not in recipe["parameters"]
    assert recipe["code"] == paths.notebook_code(paths.notebooks("own.ipynb"))[0]


def test_values_agree_with_the_notebook_run_again(table):
    told = verify(table)
    assert told.agreed, (told.missing, told.problems, told.differences())
    values = {c.column: c.recomputed for c in told.comparisons if c.file == "values"}
    assert values["mean"] == pytest.approx(0.25 * 4 + 0.75 * 10)
    assert [p.name for p in (table.parent.parent).iterdir()] == ["height_forest_test"]


def test_a_value_that_the_notebook_does_not_give_is_named(table):
    alter(table, lambda recipe: recipe["parameters"].update(heights="[4.0, 11.0]"))
    told = verify(table)
    assert not told.agreed
    assert any("mean = 8.5; recomputed 9.25" in line for line in told.differences())


def test_another_notebook_of_the_same_name_is_a_changed_input(table, workbench):
    write_notebook(workbench, WORK.replace("mean - 2", "mean - 3"))
    lines = verify(table).differences()
    assert any(line.startswith("input notebooks/own.ipynb: SHA-256") for line in lines)
    assert any("q025 = 6.5; recomputed 5.5" in line for line in lines)


def test_a_notebook_written_anew_that_gives_the_same_numbers_is_told_and_agrees(table, workbench):
    write_notebook(workbench, WORK.replace("mean - 2", "mean - 1 - 1"))
    told = verify(table)
    assert told.agreed and told.differences() == []
    (note,) = told.notes()
    assert "notebooks/own.ipynb was changed since" in note and str(len(told.comparisons)) in note


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"notebook": "../own.ipynb"}, "no such notebook"),
        ({"notebook": "notebooks/none.ipynb"}, "no such notebook"),
        ({"parameters": {"x = __import__('os').abort()": "1"}}, "no longer has the parameters"),
        ({"parameters": {"heights": "__import__('os').abort()"}}, "own.ipynb"),
        ({"parameters": {"heights": "[4.0]"}}, "IndexError"),
    ],
)
def test_what_must_not_or_cannot_be_run_is_said(table, change, said):
    alter(table, lambda recipe: recipe.update(change))
    told = verify(table)
    assert not told.agreed and len(told.missing) == 1 and said in told.missing[0]


def test_a_notebook_that_writes_no_table_is_said(workbench):
    write_notebook(workbench, "print(heights)")
    inputs = Inputs()
    code, _ = paths.notebook_code(paths.notebooks("own.ipynb"))
    recipe = {"notebook": "notebooks/own.ipynb", "code": code, "parameters": {}}
    assert frames_again(recipe, "height_forest_test", "0.1.0", inputs) is None
    assert "wrote no table" in inputs.missing[0]


def test_parameters_that_are_assigned_again_make_no_recipe(workbench):
    write_notebook(
        workbench, "for heights in [[1.0], [2.0]]:\n    pass\nsquares = [shares for shares in range(3)]"
    )
    with pytest.raises(DataError, match="parameters heights are assigned"):
        paths.recipe("own.ipynb", {})


def test_every_notebook_of_the_repository_that_records_a_recipe_may(workbench):
    found = 0
    for path in sorted((REPOSITORY / "notebooks").glob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        named = re.findall(r'(?:paths\.recipe\(|publish\(globals\(\), )\\"([^"\\]+)', text)
        if named:
            paths.notebook_code(path)
            found += 1
            assert named == [path.name]
    assert found >= 7


def test_further_files_of_the_data_are_looked_at_and_others_never():
    further = "data/vocabulary/units.csv"
    inputs = Inputs()
    stored = {further: "0" * 64, "../outside.csv": "0" * 64, "notebooks/own.ipynb": "0" * 64}
    inputs.check({"spec": "literature:carbon_fraction", "files": stored})
    assert inputs.checked[further].found == paths.file_sha256(paths.data("vocabulary", "units.csv"))
    assert not inputs.checked[further].agreed
    assert inputs.checked["../outside.csv"].found == inputs.checked["notebooks/own.ipynb"].found == ""
