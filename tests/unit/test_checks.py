"""Checks of data: one broken study shows every kind of problem, the studies of the repository none."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from sinklab.cli import main
from sinklab.data.catalogue import list_studies
from sinklab.data.checks import Examined, check, height_curve
from sinklab.language import DataError


@pytest.fixture(scope="module")
def bad(repository):
    return repository / "tests" / "data" / "studies" / "bad_study"


@pytest.fixture(scope="module")
def found(bad):
    return check(bad)


@pytest.mark.parametrize("study", list_studies())
def test_studies_of_the_repository_have_no_problem(study):
    assert check(study) == []


@pytest.mark.parametrize(
    ("rule", "record", "column", "value", "expected", "advice"),
    [
        ("file", "#13 (T13)", "胸径/cm", "20.x", "a finite number", "corrections.csv"),
        ("component", "树枝/kg", "树枝/kg (branch): component", "–", "branch_live", "component"),
        ("duplicate", "#16 (T15)", "树号 (tree_id)", "T15", "each id once", "#15, #16"),
        ("range", "#6 (T06)", "胸径/cm (dbh)", "1100 cm", "0.1–400 cm", "written in mm"),
        ("range", "#7 (T07)", "树高/m (height)", "870 m", "0.002–120 m", "written in cm"),
        ("range", "#14 (T14)", "树枝/kg (branch)", "-1.2 kg", "0–60000 kg", "never negative"),
        ("sum", "#9 (T09)", "地上/kg (agb)", "103.7 kg", "51.85 (树干/kg 36.81", "one of them is wrong"),
        ("part", "#10 (T10)", "树皮/kg (bark)", "81.06 kg", "at most 树干/kg = 54.04 kg", "field form"),
        ("part", "#8 (T08)", "树叶/kg (foliage)", "3100 kg", "at most", "written in g"),
        ("fresh", "#11 (T11)", "鲜重/kg (fresh_mass)", "44.7 kg", "dry mass 74.5 kg", "exchanged"),
        ("dh", "#5 (T05)", "树高/m (height)", "7.9 m", "at dbh = 96 cm", "(dbh): likely written in mm"),
        ("mass", "#8 (T08)", "树叶/kg (foliage)", "3100 kg", "at dbh = 13.8 cm", "written in g"),
    ],
)
def test_every_kind_of_problem(found, rule, record, column, value, expected, advice):
    hits = [p for p in found if (p.rule, p.record, p.column) == (rule, record, column)]
    assert len(hits) == 1, [str(p) for p in found]
    (hit,) = hits
    assert hit.value == value and expected in hit.expected and advice in hit.advice
    assert hit.file.endswith("columns.csv" if rule == "component" else "data.csv")


def test_nothing_else_is_reported(found):
    sound = {f"(T{i:02d})" for i in (1, 2, 3, 4, 12, *range(17, 25))}
    assert not [p for p in found if any(tree in p.record for tree in sound)]
    assert len(found) == 15


def test_height_curve_is_not_pulled_by_a_wrong_tree():
    dbh = np.linspace(5, 40, 60)
    height = 1.3 + (dbh / (2 + 0.16 * dbh)) ** 2
    height[30] *= 10
    curve = height_curve(dbh, height)
    keep = np.arange(60) != 30
    np.testing.assert_allclose(curve(dbh[keep]), height[keep], rtol=1e-3)


def test_branches_in_the_stem_are_not_added_twice():
    frame = pd.DataFrame({"tree_id": ["a"], "stem": [10.0], "branch": [2.0], "foliage": [1.0], "agb": [11.0]})
    assert [p.rule for p in Examined(frame, "x.csv", {}).problems] == ["sum"]
    frame.attrs["source"] = {"components": {"stem": "stem_with_branches"}}
    assert Examined(frame, "x.csv", {}).problems == []


def test_same_number_on_two_sites_is_no_duplicate():
    frame = pd.DataFrame({"tree_id": ["1", "1"], "site": ["a", "b"], "dbh": [10.0, 12.0]})
    assert Examined(frame, "x.csv", {}).problems == []
    assert [p.rule for p in Examined(frame.drop(columns="site"), "x.csv", {}).problems] == ["duplicate"]


def test_stand_values_are_checked_too():
    frame = pd.DataFrame(
        {
            "plot_id": ["p"],
            "stem_biomass_density": [100.0],
            "bark_density": [120.0],
            "branch_density": [20.0],
            "foliage_density": [5.0],
            "agb_density": [160.0],
        }
    )
    assert [p.rule for p in Examined(frame, "x.csv", {}).problems] == ["sum", "part"]


def test_command_prints_and_exits_with_one(bad, capsys):
    assert main(["data", "check", str(bad)]) == 1
    text = capsys.readouterr().out
    assert "15 problems" in text and "record #9 (T09): 地上/kg (agb) = 103.7 kg; expected 51.85" in text
    assert main(["data", "check"]) == 0


def test_command_prints_json(bad, capsys):
    assert main(["data", "check", str(bad), "--json"]) == 1
    (problems,) = json.loads(capsys.readouterr().out).values()
    assert len(problems) == 15
    assert set(problems[0]) == {"file", "record", "column", "value", "expected", "advice", "rule"}


def test_plain_csv_is_checked(tmp_path, capsys):
    path = tmp_path / "trees.csv"
    path.write_text("tree_id,dbh,height\n1,12,10\n2,1500,11\n", encoding="utf-8")
    assert main(["data", "check", str(path)]) == 1
    text = capsys.readouterr().out
    assert "record #2 (2): dbh = 1500 cm" in text and "likely written in mm" in text
    assert "columns.csv" not in text


def test_unknown_name_is_one_message(capsys):
    with pytest.raises(DataError, match="chinese_fir_simulated"):
        check("nowhere")
    assert main(["data", "check", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


SOIL = {"core_id": list("AABB"), "layer_top": [0, 15, 0, 10], "layer_bottom": [10, 30, 20, 40]}


@pytest.mark.parametrize(
    ("columns", "record", "words"),
    [
        (SOIL, "#2 (A)", "15–30 cm; expected a layer that begins at 10 cm; leaves a gap"),
        (SOIL, "#4 (B)", "10–40 cm; expected a layer that begins at 20 cm; overlaps"),
        (SOIL | {"layer_bottom": [10, 30, 20, 5]}, "#4 (B)", "bottom lies above top"),
        (
            SOIL | {"bulk_density": [1.2, 1.2, 1250, 1.2]},
            "#3 (B)",
            "bulk_density = 1250.*likely written in kg/m3",
        ),
        (
            SOIL | {"soc": [20.0, 2.0, 15, 10], "organic_matter": [0.04, 0.04, 0.03, 0.02]},
            "#2 (A)",
            "soc = 2 g/kg; expected .*likely unit: % .2 % = 20 g/kg",
        ),
        (
            {"plot_id": [1, 2], "bedrock_exposure": [0.2, 35]},
            "#2 (2)",
            "bedrock_exposure = 35.*likely written in %",
        ),
        (
            {"component": ["stem"] * 2, "carbon_fraction": [0.48, 47]},
            "#2",
            "carbon_fraction = 47.*written in %",
        ),
        ({"dbh": [9, 10, 11], "age_class": [1, 3, 5]}, "#2", "the column holds 1, 3, 5; likely years"),
        ({"dbh": [9, 10], "age_class": [1, 2.5]}, "#2", "age_class = 2.5; expected a class"),
    ],
)
def test_problems_of_soil_rock_and_bamboo(columns, record, words):
    hits = [str(p) for p in Examined(pd.DataFrame(columns), "field.csv", {}).problems if p.record == record]
    assert any(re.search(words, hit) for hit in hits), hits


def test_sound_layers_classes_and_trees_that_share_a_plot_are_not_reported():
    layers = SOIL | {
        "layer_top": [0, 10, 0, 20],
        "bulk_density": [1.2] * 4,
        "soc": [20.0, 12, 15, 9],
        "plot_id": ["p"] * 4,
    }
    assert Examined(pd.DataFrame(layers), "layers.csv", {}).problems == []
    assert Examined(pd.DataFrame({"age_class": [1, 2, 3, 3, 4, np.nan]}), "culms.csv", {}).problems == []
    assert Examined(pd.DataFrame({"plot_id": [1, 1, 2], "dbh": [10, 12, 14]}), "trees.csv", {}).problems == []
    (double,) = Examined(
        pd.DataFrame({"plot_id": [1, 1], "growing_stock": [90.0, 120.0]}), "stands.csv", {}
    ).problems
    assert double.rule == "duplicate"


def test_many_problems_of_one_kind_are_counted(tmp_path, capsys):
    rows = "\n".join(f"c{i},0,20\nc{i},15,40\nc{i},50,60" for i in range(60))
    (tmp_path / "cores.csv").write_text(f"core_id,layer_top,layer_bottom\n{rows}\n", encoding="utf-8")
    assert main(["data", "check", str(tmp_path / "cores.csv")]) == 1
    told = capsys.readouterr().out.splitlines()
    # Gaps and overlaps are each told once, with the first places.
    assert "2 problems" in told[0] and len(told) == 3
    assert "60 of 180 records: #2 (c0) 15–40 cm, #5 (c1) 15–40 cm, #8 (c2) 15–40 cm, …" in told[1]
    assert "overlaps the layer above" in told[1] and "leaves a gap" in told[2]
    (tmp_path / "plots.csv").write_text("plot_id,canopy_closure\n" + "\n".join(f"{i},7" for i in range(60)))
    assert main(["data", "check", str(tmp_path / "plots.csv")]) == 1
    told = capsys.readouterr().out.splitlines()
    assert "60 problems" in told[0] and len(told) == 52 and "and 10 more alike" in told[-1]


def test_plants_of_a_plot_that_stand_for_a_number_per_hectare_share_it():
    """Nested plots give each plant the number it stands for; the plot is no double, nor are small plants copies."""
    plants = pd.DataFrame(
        {"plot_id": ["a"] * 3, "stem_density": [795.8] * 3, "dbh": [2.0, 2, 3], "height": 2.0}
    )
    (double,) = Examined(plants, "stands.csv", {}).problems
    assert double.rule == "duplicate"
    assert Examined(plants.assign(crown_diameter=0.4), "plants.csv", {}).problems == []


def test_a_tree_stands_once_in_each_survey():
    trees = pd.DataFrame(
        {"plot_id": ["p"] * 6, "tree_id": list("123") * 2, "dbh": [9.1, 12, 14.4, 10, 13, 15.2]}
    )
    assert Examined(trees.assign(year=[2018] * 3 + [2023] * 3), "trees.csv", {}).problems == []
    (anew,) = Examined(trees, "trees.csv", {}).problems
    assert anew.rule == "duplicate"


def test_a_tree_of_a_stem_analysis_stands_once_for_each_age():
    tree = pd.DataFrame(
        {"tree_id": ["J1"] * 4 + ["J2"] * 4, "age": [5, 10, 15, 20] * 2, "dbh": [2.0, 5, 8, 10, 3, 6, 9, 12]}
    )
    tree["height"] = tree["dbh"] + 1
    assert not [p for p in Examined(tree, "t.csv", {}).problems if p.rule == "duplicate"]
    tree.loc[3, "age"] = 15
    assert [p for p in Examined(tree, "t.csv", {}).problems if p.rule == "duplicate"]
    # A tree that was written twice with another age is no history.
    tree = pd.DataFrame({"tree_id": ["1", "2", "3", "3"], "age": [20, 22, 25, 31], "dbh": [10.0, 11, 12, 15]})
    assert [p for p in Examined(tree, "t.csv", {}).problems if p.rule == "duplicate"]
