"""``sinklab table`` from the outside: exit codes, both languages, JSON."""

import json

import pandas as pd
import pytest

from sinklab.cli import main
from sinklab.fitting import fit
from sinklab.language import set_language
from sinklab.tables.table import Table


@pytest.fixture
def root(tmp_path):
    trees = pd.DataFrame({"dbh": [5.0, 10.0, 20.0, 30.0, 35.0], "agb": [5.0, 31.0, 170.0, 480.0, 690.0]})
    source = {"spec": "study:few", "origin": "simulated", "citation": "Nobody (2020)"}
    Table.from_fits(
        fit(trees, "agb = a * dbh**b", method="ols-log"), "agb_forest_test", "1.0.0", source=source
    ).write(tmp_path)
    values = pd.DataFrame(
        {"name": ["cf"], "variable": ["carbon_fraction"], "mean": [0.51], "n": [12], "sources": ["a paper"]}
    )
    Table.from_values(values, "carbon_forest_test", "0.2.0").write(tmp_path)
    return tmp_path


def test_list(root, capsys):
    assert main(["table", "list", "--root", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[:6] == ["agb_forest_test", "1.0.0", "demonstration", "1", "1", "0"]
    assert lines[3].split()[:6] == ["carbon_forest_test", "0.2.0", "draft", "0", "0", "1"]


def test_list_of_nothing(tmp_path, capsys):
    assert main(["table", "list", "--root", str(tmp_path / "none")]) == 0
    assert "no tables" in capsys.readouterr().out


def test_show_says_what_a_reader_needs(root, capsys):
    assert main(["table", "show", "agb_forest_test", "--root", str(root)]) == 0
    out = capsys.readouterr().out
    for piece in (
        "agb = a * dbh**b",
        "must not be used",
        "baskerville",
        "dbh 5–35",
        "aboveground biomass: at least 150 trees for aboveground biomass and its parts; found 5; LY/T 2259",
        "(recalled, not read in print)",
        "study:few · simulated",
        "Nobody (2020)",
    ):
        assert piece in out, piece


def test_show_in_chinese(root, capsys):
    set_language("zh")
    assert main(["table", "show", "carbon_forest_test", "--root", str(root)]) == 0
    out = capsys.readouterr().out
    assert "含碳系数" in out and "草案" in out and "0.51" in out


def test_show_json_holds_the_fit(root, capsys):
    assert main(["table", "show", "agb_forest_test@1.0.0", "--root", str(root), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    table = Table.read("agb_forest_test", root)
    found = content["models"][0]["fit"]["parameters"]
    assert [p["value"] for p in found] == list(table.models[0].values)
    assert content["status"] == "demonstration"
    assert content["models"][0]["n_draw"] == 1000


def test_validate_all_and_exit_codes(root, capsys):
    assert main(["table", "validate", "--root", str(root)]) == 0
    assert capsys.readouterr().out.count(": ok") == 2
    path = root / "carbon_forest_test" / "0.2.0" / "values.csv"
    path.write_bytes(path.read_bytes().replace(b"0.51", b"0.61"))
    assert main(["table", "validate", "--root", str(root), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["agb_forest_test@1.0.0"] == []
    assert any("values.csv" in problem for problem in found["carbon_forest_test@0.2.0"])


def test_edited_table_is_not_shown(root, capsys):
    path = root / "carbon_forest_test" / "0.2.0" / "values.csv"
    path.write_bytes(path.read_bytes().replace(b"0.51", b"0.61"))
    assert main(["table", "show", "carbon_forest_test", "--root", str(root)]) == 2
    captured = capsys.readouterr()
    assert "values.csv: changed since it was written" in captured.err and not captured.out


@pytest.mark.parametrize("ref", ["../../etc/passwd", "agb_forest_none", "agb_forest_test@9.9.9"])
def test_bad_references_end_in_one_message(root, ref, capsys):
    assert main(["table", "show", ref, "--root", str(root)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("sinklab: ") and "Traceback" not in captured.err
