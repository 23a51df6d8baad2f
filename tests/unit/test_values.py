"""Printed values, named distributions and their pooling."""

import numpy as np
import pandas as pd
import pytest

from sinklab.data import files, literature
from sinklab.evidence import pooling
from sinklab.evidence.distributions import FAMILIES, Distribution, choose, fit, from_moments
from sinklab.language import DataError

FILES = ("stand_biomass", "bamboo_culms", "carbon_fraction", "karst_soil_types")


@pytest.mark.parametrize("name", FILES)
def test_every_row_has_a_source_and_passes_the_vocabulary(name):
    rows = literature.load(name)
    assert len(rows) >= 9
    assert set(rows["source_id"]) <= set(literature.sources().index)
    assert rows.attrs["source"]["origin"] == "printed" and rows.attrs["source"]["citation"]


def test_a_source_is_named_as_a_reference_and_the_file_it_came_in_stands_with_how_it_was_read():
    named = literature.sources()[["authors", "title", "journal"]].fillna("").agg(" ".join, axis=1)
    assert not named[named.str.contains(r"\.csv|\.xlsx|\bfile\b|as named in", case=False)].to_dict()


def test_printed_values_as_in_their_papers():
    culms = literature.load("bamboo_culms").set_index(["component", "age"])
    # Cao et al. 2017: one-year culm 10.675 +- 3.277 kg, whole plant of five years 23.202 +- 4.003 kg.
    assert culms.loc[("culm", 1), ["mass", "mass_spread"]].tolist() == [10.675, 3.277]
    assert culms.loc[("whole_plant", 5), ["mass", "mass_spread"]].tolist() == [23.202, 4.003]
    soils = literature.load("karst_soil_types").set_index("soil_type")
    # Zhang et al. 2017: black limestone soil, 20 +- 11 cm, 43.34 % bare rock, 21.56 % gravel.
    assert soils.loc["black_limestone_soil", "soil_depth"] == 20
    assert soils.loc["black_limestone_soil", "bedrock_exposure"] == pytest.approx(0.4334)
    stands = literature.load("stand_biomass")
    fir = stands[(stands["species_id"] == "cunninghamia_lanceolata") & (stands["age"] == 25)]
    assert sorted(fir["total_density"]) == [210.24, 311.38]


def test_contradicted_rows_are_counted_and_left_out():
    rows = literature.load("stand_biomass")
    assert rows.attrs["notes"] == ["5 rows left out of the file: holds understory and litter"]
    assert not (rows["source_id"] == "EUCA2014").any()


def test_faults_of_a_file_are_listed_together(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "literature"
    folder.mkdir(parents=True)
    (tmp_path / "data" / "vocabulary").mkdir()
    bad = pd.DataFrame(
        {"source_id": ["NOBODY"], "species_id": ["oak"], "spread_kind": ["±"], "check": ["ok"],
         "carbon_fraction": [47.0], "colour": ["red"]}
    )  # fmt: skip
    files.write_csv(bad, folder / "bad.csv")
    known = literature.paths.data
    monkeypatch.setattr(
        literature.paths, "data", lambda *p: folder / "bad.csv" if p[-1] == "bad.csv" else known(*p)
    )
    with pytest.raises(DataError) as caught:
        literature.load("bad")
    for part in ("NOBODY", "'oak'", "'±'", "carbon_fraction = 47", "column colour"):
        assert part in str(caught.value)


@pytest.mark.parametrize("family", FAMILIES)
def test_moments_and_quantiles_come_back(family):
    found = from_moments(0.48, 0.03, family)
    assert (found.mean, found.sd) == pytest.approx((0.48, 0.03), rel=1e-6)
    assert found.cdf(found.quantile(0.3)) == pytest.approx(0.3)
    draws = found.draw(40_000, seed=1)
    assert draws.mean() == pytest.approx(0.48, abs=0.001) and draws.std() == pytest.approx(0.03, abs=0.001)
    grid = np.linspace(0.2, 0.8, 20001)
    assert np.trapezoid(found.pdf(grid), grid) == pytest.approx(1, abs=1e-3)


def test_the_family_of_the_data_is_chosen():
    skewed = Distribution("lognormal", 1.0, 0.9).draw(400, seed=3)
    best, table = choose(skewed)
    assert best.family == "lognormal"
    assert set(table["family"]) == {"normal", "lognormal", "gamma", "weibull"}
    assert fit(skewed, "lognormal").p2 == pytest.approx(0.9, abs=0.1)
    with pytest.raises(DataError, match="beta: needs three different values between 0 and 1"):
        fit(skewed, "beta")


def test_pooling_by_hand():
    # Two studies of equal precision: mean of both, tau from their difference.
    pooled = pooling.pool([0.46, 0.50], [0.0, 0.0], ["sd", "sd"], [5, 5])
    assert pooled.mean == pytest.approx(0.48)
    assert pooled.tau == pytest.approx(np.sqrt(0.0008), rel=1e-3)
    assert pooled.se == pytest.approx(0.02, rel=1e-3)
    assert pooled.sd == pytest.approx(np.hypot(np.sqrt(0.0008), 0.02), rel=1e-3)


def test_fewer_studies_and_unknown_spreads_never_narrow():
    means = [0.45, 0.47, 0.49, 0.51, 0.48]
    many = pooling.pool(means, [0.02] * 5, ["sd"] * 5, [10] * 5)
    one = pooling.pool(means[:1], [0.02], ["sd"], [10], many.tau, 4)
    assert one.se > many.se and one.sd > many.sd
    unknown = pooling.pool(means, [0.02] * 5, ["unknown"] * 5, [10] * 5)
    assert unknown.se >= many.se
    no_n = pooling.pool(means, [0.02] * 5, ["sd"] * 5, [np.nan] * 5)
    assert no_n.se >= many.se


@pytest.mark.slow
def test_predictive_intervals_hold_a_new_study():
    rng = np.random.default_rng(11)
    inside = []
    for _ in range(300):
        true = 0.48 + 0.03 * rng.normal(size=7)
        means = true + 0.01 * rng.normal(size=7)
        rows = pd.DataFrame(
            {"source_id": "s", "spread_kind": "se", "carbon_fraction": means[:6], "carbon_fraction_spread": 0.01,
             "n": 5, "species_id": "x"}
        )  # fmt: skip
        row = pooling.summarise(rows, "carbon_fraction", ["species_id"]).iloc[0]
        inside.append(row["q025"] < true[6] < row["q975"])
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def test_measured_plots_are_pooled_by_study_without_a_printed_spread():
    """Rows of plots have no ± and no kind of it: a mean of study means, whichever column names the study."""
    rows = pd.DataFrame(
        {
            "litter_density": [2.0, 4.0, 6.0, 9.0, 3.0, 3.0],
            "forest_type": "chinese_fir",
            "study_id": ["a", "a", "b", "b", "c", "c"],
        }
    )
    told = pooling.summarise(rows, "litter_density", ["forest_type"], study="study_id").iloc[0]
    assert told["n_study"] == 3 and told["variable"] == "litter_density"
    # Means of studies 3, 7.5 and 3: the one that scatters most counts least.
    assert 3.0 < told["mean"] < np.mean([3.0, 7.5, 3.0]) + 0.01
    assert told["spread_read"] == "none" and told["q025"] < told["mean"] < told["q975"]
