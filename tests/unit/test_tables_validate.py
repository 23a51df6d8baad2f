"""An independent tool and our own checks agree that a package is sound, and find what is planted."""

import hashlib
import json
import re

import numpy as np
import pandas as pd
import pytest

from sinklab.fitting import fit
from sinklab.language import TableError
from sinklab.tables import package
from sinklab.tables.checks import rules, validate
from sinklab.tables.table import Table

SOURCE = {"spec": "study:test_trees", "origin": "measured"}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(5)
    dbh = rng.uniform(5, 40, 50)
    stem = 0.05 * dbh**2.4 * rng.lognormal(0, 0.1, 50)
    branch = 0.02 * dbh**2.1 * rng.lognormal(0, 0.2, 50)
    trees = pd.DataFrame({"dbh": dbh, "stem": stem, "branch": branch})
    one = fit(trees, "stem = a * dbh**b\nbranch = c * dbh**d\nagb = stem + branch", method="nsur")
    values = pd.DataFrame(
        {
            "name": ["carbon_fraction"],
            "group": ["stem"],
            "mean": [0.5],
            "se": [0.01],
            "q025": [0.45],
            "q975": [0.55],
        }
    )
    return Table.from_fits(one, "agb_forest_test", "1.0.0", source=SOURCE, values=values)


@pytest.fixture
def folder(table, tmp_path):
    return table.write(tmp_path)


def edit(folder, name, old, new, seal=True):
    """Change one file as a forger would: with ``seal`` the description is made to fit it."""
    path = folder / name
    text = path.read_bytes().decode("utf-8-sig" if name.endswith(".csv") else "utf-8")
    assert text.count(old) >= 1, (name, old)
    mark = "\ufeff" if name.endswith(".csv") else ""
    path.write_bytes((mark + text.replace(old, new, 1)).encode())
    if seal:
        description = folder / "datapackage.json"
        content = json.loads(description.read_text(encoding="utf-8"))
        for resource in content["resources"]:
            if resource["path"] == name:
                resource["bytes"] = path.stat().st_size
                resource["hash"] = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        description.write_bytes(package.to_json(content))


def cell(table, name, column, row=0):
    value = table.frames[name][column].iloc[row]
    return repr(float(value)) if not isinstance(value, str) else value


def test_a_written_table_is_sound(folder):
    assert validate(folder) == []


def test_values_alone_are_sound(tmp_path):
    values = pd.DataFrame({"name": ["wood_density"], "mean": [0.4], "sources": ["a paper"]})
    assert validate(Table.from_values(values, "density_forest_test", "0.1.0").write(tmp_path)) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "found"),
    [
        ("coefficients.csv", "model,a,", "nobody,a,", "foreign key"),
        ("equations.csv", ",draft\n", ",approved\n", '"approved".*enum'),
        ("values.csv", "draft", "final", '"final".*enum'),
        ("values.csv", ",0.01,", ",-0.01,", '"-0.01".*minimum'),
        ("models.csv", "draft", "", "required"),
        ("checks.csv", "true", "maybe", '"maybe"'),
        ("values.csv", "0.55", "lots", '"lots"'),
    ],
)
def test_planted_faults_are_found_by_the_independent_tool(folder, name, old, new, found):
    edit(folder, name, old, new)
    problems = validate(folder)
    assert any(name in p and re.search(found, p, re.IGNORECASE) for p in problems), problems


def test_negative_standard_error(table, folder):
    se = cell(table, "coefficients", "se")
    edit(folder, "coefficients.csv", f",{se},", f",-{se},")
    problems = "\n".join(validate(folder))
    assert 'constraint "minimum" is "0"' in problems
    assert "covariance.csv gives" in problems


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("equations.csv", "a * dbh**b", "a * dbh**q"), "without a value: q; not in any equation: b"),
        (("equations.csv", "a * dbh**b", "__import__('os')"), "model"),
        (("covariance.csv", "model,b,a,", "model,b,c,"), "b: given twice"),
        (("provenance.json", "{", "["), "provenance.json"),
        (("datapackage.json", '"status": "draft"', '"status": "published"'), "weakest row is draft"),
        (("datapackage.json", '"version": "1.0.0"', '"version": "1.0.1"'), "agb_forest_test/1.0.1"),
        (("equations.csv", ",draft\n", ",published\n"), "stem is published; its model is draft"),
    ],
)
def test_contradictions_inside_a_sealed_package(folder, change, found):
    edit(folder, *change, seal=change[0] != "datapackage.json")
    assert found in "\n".join(validate(folder))


def test_estimate_that_left_its_draws(table, folder):
    value = cell(table, "coefficients", "value", 1)
    edit(folder, "coefficients.csv", value, repr(float(value) * 1.2))
    assert "the draws have mean" in "\n".join(validate(folder))


def test_covariance_that_cannot_be(table, folder):
    off = table.frames["covariance"]
    row = off[(off["row"] == "b") & (off["column"] == "a")]["value"].iloc[0]
    edit(folder, "covariance.csv", repr(float(row)), repr(float(row) * 3))
    assert "not positive semi-definite" in "\n".join(validate(folder))


def test_changed_file_is_found(folder):
    edit(folder, "indices.csv", "50", "500", seal=False)
    assert any("indices.csv" in p and "hash" in p for p in validate(folder))


def test_missing_and_surplus_files_are_found(folder):
    (folder / "ranges.csv").unlink()
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    problems = "\n".join(validate(folder))
    assert "ranges.csv: missing" in problems
    assert "notes.txt: not listed" in problems


def test_no_table_here(tmp_path):
    with pytest.raises(TableError, match="no table here"):
        validate(tmp_path)
    (tmp_path / "datapackage.json").write_text("{}", encoding="utf-8")
    with pytest.raises(TableError, match="not the description"):
        validate(tmp_path)


def test_rules_have_a_source_and_say_whether_it_was_read():
    for rule in rules():
        assert rule.source and rule.label_en and rule.label_zh
        assert rule.status in ("verified", "recalled")
        assert rule.comparison in ("<=", ">=", "abs<=")


def test_recalled_threshold_is_recorded_and_does_not_fail_the_table(table, folder):
    checks = table.checks.set_index(["check_id", "response"])
    too_few = checks.loc[("n_aboveground", "stem")]
    assert (too_few["value"], too_few["threshold"], bool(too_few["passed"])) == (50, 150, False)
    assert too_few["rule_status"] == "recalled"
    assert validate(folder) == []


def test_rules_of_an_ecosystem_stay_there(table):
    names = set(table.checks["check_id"])
    assert "tre_limit" in names and "tre_karst" not in names


def test_values_complete_themselves(tmp_path):
    values = pd.DataFrame(
        {
            "name": ["cf_stem", "cf_root"],
            "variable": "carbon_fraction",
            "mean": [0.51, 0.49],
            "sources": ["A; B", "B"],
        }
    )
    values["status"] = ["published", "demonstration"]
    made = Table.from_values(values, "carbon_forest_test", "1.0.0", status="reviewed")
    assert list(made.values["status"]) == ["reviewed", "demonstration"]
    assert list(made.values["unit"]) == ["1", "1"]
    assert made.status == "demonstration"
    assert [s["title"] for s in made.sources] == ["A", "B"]
    back = Table.read(made.write(tmp_path))
    assert back.value("cf_root") == 0.49
    assert back.value("cf_stem", "unit") == "1"
    assert (back.value("cf_stem", "source"), back.value("cf_stem", "status")) == ("A; B", "reviewed")
    assert back.models == ()
    with pytest.raises(TableError, match="no model"):
        back.predict(pd.DataFrame({"dbh": [1.0]}))


def test_simulated_values_are_demonstration():
    values = pd.DataFrame({"name": ["x"], "mean": [1.0], "unit": ["1"]})
    values.attrs["source"] = {"spec": "study:made_up", "origin": "simulated"}
    made = Table.from_values(values, "x_forest_test", "1.0.0", status="published")
    assert made.status == "demonstration"
    assert made.values["sources"].iloc[0] == "study:made_up"


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"name": ["x"]}, "mean"),
        ({"name": ["x"], "mean": [1.0], "colour": ["red"]}, "colour"),
        ({"name": ["x"], "mean": [1.0], "sources": ["s"]}, "no unit"),
        ({"name": ["x"], "mean": [1.0], "unit": ["1"]}, "no sources"),
        ({"name": [], "mean": []}, "no row"),
        ({"name": ["x"], "mean": [1.0], "unit": ["1"], "sources": ["s"], "status": ["good"]}, "good"),
    ],
)
def test_incomplete_values_are_refused(values, found):
    with pytest.raises(TableError, match=found):
        Table.from_values(pd.DataFrame(values), "x_forest_test", "1.0.0")
