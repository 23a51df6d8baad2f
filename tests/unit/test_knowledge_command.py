"""What is known of a species: the level that answers, its interval and range, refusals, a plan where nothing is known."""

import re

import numpy as np
import pandas as pd
import pytest

from sinklab.cli import main
from sinklab.data import vocabulary
from sinklab.data.files import records
from sinklab.evidence import knowledge, national
from sinklab.language import DataError, speaking


def test_a_species_answers_with_level_range_and_source():
    found = knowledge.ask("杉木", dbh=12, stem_density=2400)
    stand = found.answers[
        (found.answers["kind"] == "stand") & found.answers["at"].str.contains("stem_density 2400")
    ]
    row = stand[stand["quantity"] == "agb_density"].iloc[0]
    expected = national.as_result("agb_by_size", found.taxon.levels).predict(
        pd.DataFrame({"dbh": [12.0], "stem_density": [2400.0]}), kind="individual"
    )
    assert row["value"] == pytest.approx(expected["agb_density"].iloc[0], rel=1e-3)
    assert row["lower"] == pytest.approx(expected["agb_density_lower"].iloc[0], rel=0.02)
    assert row["level"] == "species Cunninghamia lanceolata" and "SCHEPASCHENKO2017" in row["source"]
    tree = found.answers[(found.answers["quantity"] == "agb") & (found.answers["kind"] == "tree")].iloc[0]
    assert tree["lower"] < tree["value"] < tree["upper"] and tree["level"].startswith("species")
    assert found.plan is None


def test_what_nothing_supports_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("SINKLAB_LANG", "en")
    with pytest.raises(DataError, match="dbh 300 cm lies outside"):
        knowledge.ask("山茶科", dbh=300)
    assert main(["knowledge", "山茶科", "--dbh", "300"]) == 2
    assert "nothing supports an answer for dbh" in capsys.readouterr().err
    assert main(["knowledge", "no such tree"]) == 2


def test_the_tables_of_the_inventory_stand_beside_and_not_the_ipcc_where_a_genus_is_told():
    found = knowledge.ask("eucalyptus").answers.set_index("quantity")
    assert found.loc["carbon_fraction", "value"] == 0.5238
    rows = knowledge.ask("毛竹").answers
    ratio = rows[rows["quantity"] == "root_shoot_ratio"]
    assert ratio["value"].tolist() == [0.37] and "Ouyang 2022" in ratio["source"].iloc[0]
    classes = knowledge.ask("油松").answers
    assert not classes.loc[classes["quantity"] == "root_shoot_ratio", "source"].str.contains("IPCC").any()


def test_both_editions_of_the_ipcc_stand_with_their_own_class_bounds():
    """Roots of temperate conifers: 50 and 150 t/ha in 2006, 125 t/ha in the refinement of 2019, seen rows only."""
    rows = pd.DataFrame(records("rules", "defaults.csv", numbers=("value", "class_low", "class_high")))
    assert set(rows["mark"]) <= {"V", "V2"} and rows["locator"].ne("").all()
    roots = rows[(rows["variable"] == "root_shoot_ratio") & (rows["domain"] == "temperate")]
    roots = roots[roots["taxon"] == "conifers"].groupby("edition")["class_low"].agg(lambda s: sorted(set(s)))
    assert roots.to_dict() == {"IPCC 2006": [0, 50, 150], "IPCC 2019": [0, 125]}
    stands = rows[(rows["variable"] == "agb_density") & (rows["taxon"] == "Cunninghamia")]
    assert stands.sort_values("class_low")["value"].tolist() == [62.96, 148.6]
    told = knowledge.ask("杉木").answers.query("kind == 'class' and quantity == 'agb_density'")
    assert told["at"].tolist() == ["age 0-20", "age > 20"] and told["source"].str.contains("2019R").all()


def test_the_command_sets_tables_in_the_readers_language(capsys):
    assert main(["knowledge", "Cunninghamia", "lanceolata", "--dbh", "12"]) == 0
    told = capsys.readouterr().out
    assert "diameter at breast height 12 cm" in told and "species Cunninghamia lanceolata" in told
    assert "[1] " in told and "stem_density" not in told
    with speaking("zh"):
        assert main(["knowledge", "杉木"]) == 0
        told = capsys.readouterr().out
        assert "地上生物量" in told and "株数密度" in told and "年份" not in told
        assert not re.search(r"\b(agb|dbh|species|genus|age|printed)\b", told)
        assert main(["knowledge", "苦竹"]) == 0
        assert "Empty DataFrame" not in capsys.readouterr().out


def test_names_at_every_level():
    assert knowledge.find("Cunninghamia").genus == "Cunninghamia"
    assert knowledge.find("山茶科").family == "Theaceae"
    assert knowledge.find("杉木").forest_type == "chinese_fir"
    with pytest.raises(DataError):
        knowledge.find("无此树")


@pytest.mark.slow
def test_every_taxon_answers_or_says_what_a_sample_takes():
    counts = {}
    for species in vocabulary.species_list():
        found = knowledge.ask(species.species_id)
        level = found.answers["kind"].iloc[0] if len(found.answers) else "plan"
        counts[level] = counts.get(level, 0) + 1
        assert len(found.answers) or found.plan["places"] > 10
        told = found.answers.dropna(subset=["lower", "upper"])
        assert (told["lower"] <= told["value"] + 1e-9).all() and (told["value"] <= told["upper"] + 1e-9).all()
        values = found.answers.loc[found.answers["kind"].isin(["tree", "stand"]), "value"]
        assert np.isfinite(values.astype(float)).all()
    assert counts["tree"] > 200


def test_what_is_told_of_a_tree_adds_up_at_one_diameter():
    """Parts are shares of the mass above ground; the total is that and the root, its ends as if both were off together."""
    for name, sizes in (("Pinus massoniana", {"dbh": 16.0}), ("Cunninghamia lanceolata", {})):
        rows = knowledge.ask(name, **sizes).answers
        trees = rows[rows["kind"] == "tree"].set_index("quantity")
        assert list(trees.index) == ["agb", "root", "total", "stem", "branch", "foliage"]
        assert trees["at"].nunique() == 1
        parts = trees.loc[["stem", "branch", "foliage"]]
        assert parts["value"].sum() == pytest.approx(trees.loc["agb", "value"])
        for column in ("value", "lower", "upper"):
            assert trees.loc[["agb", "root"], column].sum() == pytest.approx(trees.loc["total", column])
        assert (trees["lower"] < trees["value"]).all() and (trees["value"] < trees["upper"]).all()
        assert parts["rests_on"].str.contains("100 %|of it|份额").all()


def test_a_stand_model_with_height_asks_for_the_height_of_that_diameter():
    found = knowledge.ask("Pinus massoniana", dbh=16.0, stem_density=1500.0)
    assert "agb_by_size_height" in found.refused and "agb_by_size" not in found.refused
    told = knowledge.ask("Pinus massoniana", dbh=16.0, stem_density=1500.0, height=12.0)
    assert "agb_by_size_height" not in told.refused
