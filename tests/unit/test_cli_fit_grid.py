"""``sinklab fit`` over what the README lists: every method, variance and option, with parameters that vary by group."""

import csv
import json
from itertools import product

import numpy as np
import pandas as pd
import pytest

from sinklab.cli import main
from sinklab.results import summary
from sinklab.tables.table import Table

FORMS = {"plain": "stem = a*dbh^b", "grouped": "stem = a[site]*dbh^b"}
VARIANCES = ("power:mean", "power:dbh", "power:dbh=2", "exp:dbh", "lognormal", "none")
#: Other families of residuals, and the methods that take them.
FAMILIES = {
    "gamma": ("nsur", "wls"),
    "t": ("nsur", "wls"),
    "power:mean*ident:species": ("nsur", "wls", "mixed"),
}
METHODS = ("nsur", "wls", "ols-log", "mixed")
#: What a method does not take is refused, and the message says what to use.
REFUSED = {("ols-log", "grouped"): "use wls or nsur", ("mixed", "plain"): "vary by one column"}


def trees():
    rng = np.random.default_rng(4)
    dbh = rng.uniform(5, 33, 96)
    site = np.repeat([*"ABCDEF"], 16)
    factor = 0.075 * np.exp(rng.normal(0, 0.15, 6))[np.repeat(np.arange(6), 16)]
    stem = factor * dbh**2.38 * np.exp(rng.normal(0, 0.1, 96))
    species = np.where(np.arange(96) % 2, "杉木", "马尾松")
    return pd.DataFrame({"site": site, "species": species, "dbh": dbh, "stem": stem})


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SINKLAB_PARAMS", str(tmp_path / "params"))
    trees().to_csv(tmp_path / "trees.csv", index=False)

    def run(*options):
        code = main(["fit", str(tmp_path / "trees.csv"), *map(str, options)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_the_methods_are_those_of_the_command(repository):
    with (repository / "sinklab" / "cli" / "options.csv").open(encoding="utf-8") as stream:
        rows = [r for r in csv.DictReader(stream) if (r["commands"], r["option"]) == ("fit", "--method")]
    assert set(rows[0]["metavar"].split("|")) == {*METHODS, "bayes"}


@pytest.mark.parametrize(("method", "variance", "form"), product(METHODS, (*VARIANCES, *FAMILIES), FORMS))
def test_no_step_loses_a_fit(call, tmp_path, method, variance, form):
    options = ["--equations", FORMS[form], "--method", method, "--variance", variance]
    options += ["--json", tmp_path / "out.json", "--save", "stem_forest_cunninghamia"]
    code, out, err = call(*options)
    taken = method in FAMILIES.get(variance, METHODS)
    if (method, form) in REFUSED or not taken:
        assert code == 2 and (REFUSED[method, form] if taken else "use wls or nsur") in err
        assert not (tmp_path / "out.json").exists()
        return
    assert code == 0 and err == "" and "not reported" not in out and "Shape over the fitted range" in out
    told = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    values = {(p["name"], p["group"]): p["value"] for p in told["parameters"]}
    varies = form == "grouped" and method != "mixed"
    assert len(values) == (7 if varies else 2) and values["b", ""] == pytest.approx(2.38, abs=0.2)
    folder = tmp_path / "params" / "stem_forest_cunninghamia" / "0.1.0"
    assert Table.read(folder).model().values == pytest.approx([*values.values()], rel=1e-6)
    new = tmp_path / "new.csv"
    pd.DataFrame({"site": ["A", "F"], "dbh": [10.0, 20.0]}).to_csv(new, index=False)
    asked = ["predict", str(folder), str(new), "-o", str(tmp_path / "p.csv")]
    assert main(asked) == 0
    assert pd.read_csv(tmp_path / "p.csv")["stem"].gt(10).all()


@pytest.mark.parametrize("method", ["nsur", "wls", "mixed"])
def test_each_level_apart_and_every_further_question(call, tmp_path, method):
    grouped = ["--equations", FORMS["grouped"], "--method", method, "--json", tmp_path / "out.json"]
    code, out, err = call(*grouped, "--by", "species", "--save", "stem_forest_two")
    assert (code, err) == (0, "") and out.count("Shape over the fitted range") == 2
    assert [f["label"] for f in json.loads((tmp_path / "out.json").read_text("utf-8"))["fits"]] == [
        "杉木",
        "马尾松",
    ]
    influence = "site" if method == "mixed" else "species"
    code, out, err = call(*grouped, "--validate", "kfold:4", "--influence", influence)
    assert code == 0 and "Influence: " in out and "Validation (kfold:4)" in out and "not reported" not in out


def test_a_question_that_is_refused_keeps_the_fit(call, tmp_path):
    code, out, err = call(
        "--equations", FORMS["grouped"], "--method", "mixed", "--bootstrap", 9, "--resample", "group:species", "--json", tmp_path / "out.json",
        "--save", "stem_forest_kept",
    )  # fmt: skip
    assert code == 2 and "its levels cut through those of site" in err and "converged" in out
    assert json.loads((tmp_path / "out.json").read_text("utf-8"))["converged"]
    assert (tmp_path / "params" / "stem_forest_kept" / "0.1.0").is_dir()


def test_a_block_of_the_report_that_fails_is_named(call, monkeypatch):
    def fails(fit):
        raise ValueError("no curve")

    monkeypatch.setattr(summary, "_ranges", fails)
    code, out, _ = call("--equations", FORMS["plain"])
    assert code == 0 and "not reported: fails (no curve)" in out and "Indices" in out


def test_a_curve_that_falls_in_one_group_is_found_there(call, tmp_path):
    frame = trees().sort_values(["site", "dbh"])
    slope = frame["site"].map({"D": -3.0}).fillna(4.0)
    frame["stem"] = 120 + slope * frame["dbh"] + np.cos(7 * frame["dbh"])
    frame.to_csv(tmp_path / "trees.csv", index=False)
    code, out, _ = call("--equations", "stem = a + b[site]*dbh", "--variance", "none")
    assert code == 0 and "stem: not growing, first at site = D, dbh = " in out
