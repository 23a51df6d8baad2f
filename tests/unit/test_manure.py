"""Gases of manure: the arithmetic by hand, factors that are not there, and how they were read."""

import pandas as pd
import pytest

from sinklab.language import DataError
from sinklab.systems import manure


def herds(**more):
    told = {"category": ["dairy_cattle", "swine_finishing"], "head": [100, 2000]}
    told |= {"system": ["solid_storage", "slurry_pit_over_1_month"]}
    told |= {"climate": ["cool", "warm_temp_moist"], "productivity": ["low", "low"]}
    return pd.DataFrame(told | more)


def test_the_arithmetic_is_that_of_the_first_tier():
    """100 cows of 386 kg: 9.0 kg of solids and 0.44 kg of nitrogen a tonne and day; 1.7 g of methane a kg of solids."""
    cows, pigs = manure.emissions(herds()).to_dict("records")
    solids, nitrogen = (100 * 386 / 1000 * 365 * rate for rate in (9.0, 0.44))
    assert cows["volatile_solids"] == pytest.approx(solids) and cows["nitrogen"] == pytest.approx(nitrogen)
    assert cows["manure_ch4"] == pytest.approx(solids * 1.7 / 1000)
    assert cows["direct_n2o"] == pytest.approx(nitrogen * 0.01 * 44 / 28)
    assert cows["indirect_n2o"] == pytest.approx(nitrogen * (0.30 * 0.010 + 0.02 * 0.011) * 44 / 28)
    assert pigs["manure_ch4"] == pytest.approx(2000 * 49 / 1000 * 365 * 6.8 * 71.9 / 1000)
    # Slurry under the floor leaches nothing; a quarter of its nitrogen goes into the air.
    assert pigs["indirect_n2o"] == pytest.approx(pigs["nitrogen"] * 0.25 * 0.010 * 44 / 28)
    for told in (cows, pigs):
        whole = 27.0 * told["manure_ch4"] + 273 * (told["direct_n2o"] + told["indirect_n2o"])
        assert told["co2e"] == pytest.approx(whole / 1000)


def test_a_zone_takes_the_wide_climate_where_the_table_has_no_other():
    wide, zone = (
        manure.factor("methane", "dairy_cattle", "dry_lot", c, "low") for c in ("cool", "cool_temp_dry")
    )
    assert wide == zone == 0.9
    lagoon = [
        manure.factor("methane", "dairy_cattle", "lagoon", c, "low") for c in ("boreal_dry", "tropical_dry")
    ]
    assert lagoon == [42.7, 69.7]


def test_shares_of_one_herd_split_its_manure():
    frame = herds(share=[0.25, 1.0])
    part, whole = manure.emissions(frame), manure.emissions(herds())
    assert part["co2e"].iloc[0] == pytest.approx(whole["co2e"].iloc[0] / 4)
    assert part["co2e"].iloc[1] == pytest.approx(whole["co2e"].iloc[1])


def test_what_the_tables_do_not_hold_is_refused_all_at_once(monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "en")
    bad = herds(category=["unicorn", "swine_finishing"], head=[10, -1], system=["solid_storage", "bag"])
    with pytest.raises(DataError) as error:
        manure.emissions(bad)
    for words in ("live_mass of unicorn: 0 factors", "head -1", "methane of swine_finishing, bag"):
        assert words in str(error.value)
    with pytest.raises(DataError, match="shares add up to 1.2"):
        manure.emissions(herds(herd=["a", "a"], share=[0.6, 0.6]))
    with pytest.raises(DataError, match="range, 0.05 to 0.50"):
        manure.emissions(herds(system=["digester_gas_tight"] * 2))
    with pytest.raises(DataError, match="system"):
        manure.emissions(herds().drop(columns="system"))


def test_every_factor_says_its_table_and_that_it_is_transcribed(monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "en")
    rows = manure.factors()
    assert rows["value"].ge(0).all() and rows["place"].str.contains("Table").all()
    assert set(rows["mark"]) == {"V2"} and rows["read"].str.contains("to be proofed").all()
    asked = ["quantity", "category", "productivity", "system", "climate"]
    assert not rows.duplicated(asked).any()
    (note,) = manure.emissions(herds()).attrs["notes"]
    assert f"{len(rows)} of {len(rows)} are transcribed" in str(note)
    # Solids in a lagoon never give more methane than their potential, and more in the warmth.
    lagoon = rows[(rows["quantity"] == "methane") & (rows["system"] == "lagoon")]
    by = lagoon.pivot_table(index=["category", "productivity"], columns="climate", values="value")
    assert (by["boreal_dry"] < by["tropical_dry"]).all() and lagoon["value"].max() < 0.48 * 0.67 * 1000


def test_factors_of_one_head_are_those_of_a_herd_of_one():
    """386 kg, 9.0 kg of solids a tonne and day, 1.7 g of methane a kg; every row follows from the emissions of one animal."""
    values = manure.per_head().set_index("name")
    assert not values.index.duplicated().any() and values["mean"].ge(0).all()
    assert set(values["variable"]) == {"enteric_ch4_factor", "manure_ch4_factor", "manure_n2o_factor"}
    assert values.loc["enteric_ch4_factor[dairy_cattle]", "mean"] == 78
    cow = values.loc["manure_ch4_factor[dairy_cattle, low, solid_storage, cool]"]
    assert cow["mean"] == pytest.approx(0.386 * 365 * 9.0 * 1.7 / 1000) and "Table 10.14" in cow["sources"]
    assert values["note"].str.contains("to be proofed").all()
    held = values[values["variable"] == "manure_ch4_factor"].reset_index(drop=True)
    rows = []
    for group in held["group"]:
        herd = dict(part.split("=") for part in group.split(";"))
        kept = manure.NITROGEN.get(herd["system"], herd["system"])
        told = values["mean"].get(f"manure_n2o_factor[{herd['category']}, {kept}]")
        rows.append(herd | {"head": 1, "n2o": told})
    herds = pd.DataFrame(rows).assign(ch4=held["mean"]).dropna(subset=["n2o"])
    herds = herds.sample(40, random_state=1)
    told = manure.emissions(herds)
    assert told["manure_ch4"].to_numpy() == pytest.approx(herds["ch4"].to_numpy())
    assert (told["direct_n2o"] + told["indirect_n2o"]).to_numpy() == pytest.approx(herds["n2o"].to_numpy())
