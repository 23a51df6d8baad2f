"""Published equations: look-up, plausibility, pooling."""

import numpy as np
import pandas as pd
import pytest

from sinklab.data import vocabulary
from sinklab.evidence import equations
from sinklab.evidence.equations import look_up
from sinklab.language import DataError


@pytest.fixture(scope="module")
def every():
    return equations.published(plausible=False)


def changed(every, name, **cells):
    """One equation of the file with other cells, as a frame of one row, under another name."""
    row = every.loc[name].copy()
    for key, value in (cells | {"equation_id": "changed"}).items():
        row[key] = value
    return pd.DataFrame([row], index=["changed"])


def test_the_file_is_complete_and_says_what_was_left_out(every):
    folder = equations.paths.data("literature")
    left = pd.read_csv(folder / "equations" / "left_out.csv")
    own = pd.read_csv(folder / "equations.csv")
    assert len(own) == 230 and left["n_row"].sum() == 144
    assert set(own["unit"]) == {"kg"} and set(own["printed_unit"]) == {"kg", "g"}
    assert (every["reason"] != "").sum() == (every["check"] != "ok").sum()
    used = {p for cell in every["predictors"] for p in cell.split(";")}
    assert all(vocabulary.is_variable(p) or p == "crown_length" for p in used)


@pytest.mark.parametrize(
    ("name", "data", "value"),
    [
        # 10^(-0.9513 + 2.2746 log10 20)
        ("luo2018_cunninghamia_lanceolata_zhejiang_agb_1", {"dbh": [20.0]}, 101.9),
        # exp(-1.754) 10^2.154, its branches and its needles
        ("xiang2016_pinus_massoniana_hunan_agb_1", {"dbh": [10.0]}, 24.68 + 2.351 + 0.828),
        # 0.0146 20^2.5837 g
        ("cx_hsdk2016_ulmus_pumila_inner_mongolia_stem_1", {"dbh": [20.0]}, 0.03357),
        # 1260.34 (2 x 1.5)^0.98 g
        ("sarcozygium_xanthoxylon_agb", {"crown_area": [2.0], "height": [1.5]}, 3.699),
    ],
)
def test_an_equation_gives_what_can_be_computed_by_hand(every, name, data, value):
    assert equations.evaluate(every.loc[name], data)[0] == pytest.approx(value, rel=2e-3)


def test_looking_up_widens_only_as_far_as_needed():
    pines = look_up("agb", "pinus_massoniana", region="guangxi")
    assert set(pines["level"]) == {"species"} and (pines["taxon"] == "Pinus massoniana").all()
    assert list(pines["near"][:2]) == ["region", "region"] and set(pines["near"][2:]) <= {"zone", "elsewhere"}
    wider = look_up("agb", "马尾松", least=20)
    assert list(dict.fromkeys(wider["level"])) == ["species", "genus"]
    assert set(wider.loc[wider["level"] == "genus", "genus"]) == {"Pinus"}
    no_own = look_up("agb", "quercus_mongolica")
    assert set(no_own["level"]) == {"genus"}
    assert set(look_up("agb", "tilia_amurensis")["level"]) == {"group"}
    roots = look_up("root", "Cunninghamia lanceolata", least=1)
    assert set(roots["level"]) == {"family"} and set(roots["family"]) == {"Cupressaceae"}


def test_a_species_the_vocabulary_lacks_is_found_by_its_latin_name():
    found = look_up("agb", "Manglietia hainanensis", region="south")
    assert set(found["level"]) == {"species"} and found["near"].iloc[0] == "region"
    assert found["region_id"].iloc[0] == "hainan"
    with pytest.raises(DataError, match="neither the vocabulary"):
        look_up("agb", "Nothing known")
    with pytest.raises(DataError, match="guangxi"):
        look_up("agb", "pinus_massoniana", region="atlantis")


def test_shrubs_never_stand_in_for_trees():
    assert set(look_up("agb", group="shrub", least=10_000)["group"]) == {"shrub"}
    assert "shrub" not in set(look_up("agb", "betula_platyphylla", least=10_000)["group"])


def test_the_checks_of_the_file_are_those_that_are_computed(every):
    table = equations.check()
    assert (table["check"] == every["check"]).all()
    assert (table["reason"] == every["reason"]).all()
    flagged = set(table.index[table["check"] == "implausible"])
    elms = {f"cx_hsdk2016_ulmus_pumila_inner_mongolia_{r}_1" for r in ("stem", "branch", "foliage", "root")}
    # Printed in g, a thousand times too small; and a root with an exponent of 2.86 on D2H.
    assert elms | {"cx_hsdk2016_populus_simonii_inner_mongolia_root_1"} <= flagged
    assert len(flagged) < 0.1 * (table["check"] == "ok").sum()
    left_out = equations.published()
    assert not flagged & set(left_out.index) and f"{len(flagged)} " in left_out.attrs["notes"][0]


@pytest.mark.parametrize(
    ("name", "text", "slip"),
    [
        ("luo2018_pinus_massoniana_guangxi_agb_2", "agb = 88.1 * dbh**2.4651", "in g"),
        ("luo2018_pinus_massoniana_guangxi_agb_2", "agb = 0.0000881 * dbh**2.4651", "where g is printed"),
        (
            "luo2018_pinus_tabuliformis_hebei_agb_1",
            "agb = 10**(-2.1628 + 2.3077 * log(dbh) / log(10))",
            "read as log10",
        ),
        ("luo2018_pinus_massoniana_guangxi_agb_2", "agb = 0.0881 * (dbh / 10)**2.4651", "in mm"),
        ("luo2018_pinus_massoniana_guangxi_agb_2", "agb = 0.0881 * (dbh * 100)**2.4651", "in m"),
        ("luo2018_pinus_massoniana_zhejiang_agb_1", "agb = exp(-1.3855 + 2.7751 * log(dbh))", "read as ln"),
    ],
)
def test_slips_of_print_are_found_and_named(every, name, text, slip):
    row = equations.check(changed(every, name, text=text), every).iloc[0]
    assert row["check"] == "implausible"
    assert slip in row["reason"]
    assert equations.check(every.loc[[name]], every)["check"].iloc[0] == "ok"


def test_a_bad_peer_does_not_move_the_pooled_curve(every):
    row, limits = every.loc["luo2018_pinus_massoniana_guangxi_agb_2"], equations.rules()
    at = equations.sizes(row, limits)
    clean = equations.pooled_curve(row, at, every, limits)[0]
    spoiled = every.copy()
    spoiled.loc["luo2018_pinus_massoniana_hubei_agb_1", "text"] = "agb = 227.6 * dbh**2.1224"
    assert np.abs(equations.pooled_curve(row, at, spoiled, limits)[0] - clean).max() < 0.1


def test_what_cannot_be_compared_is_unchecked_and_says_why(every):
    shrub = every[every["group"] == "shrub"]
    assert set(shrub["check"]) == {"unchecked"} and set(shrub["reason"]) == {"no pooled curve for shrub"}
    crown = every[every["response"] == "crown"]
    assert crown["reason"].str.startswith("no pooled curve").all()


def test_bamboo_and_mangroves_are_known_and_recalled_equations_are_not(every):
    culms = look_up("culm", "phyllostachys_edulis", region="zhejiang")
    assert list(culms["equation_id"]) == ["moso_zhejiang_culm"] and culms["near"].iloc[0] == "region"
    assert equations.evaluate(culms.iloc[0], {"dbh": [10.0], "height": [13.0]})[0] == pytest.approx(
        12.52, rel=1e-3
    )
    assert "moso_linan_agb" not in every.index
    assert set(look_up("agb", group="mangrove")["group"]) == {"mangrove"}
