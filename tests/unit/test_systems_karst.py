"""Karst: the printed stock of the Houzhai catchment, thickness with bare rock, exposure, vegetation."""

import numpy as np
import pandas as pd
import pytest

from sinklab import literature
from sinklab.distributions import from_moments
from sinklab.errors import DataError
from sinklab.systems import karst, karst_importance, karst_soils, printed

SOURCE = "Zhang et al. (2017), doi:10.5846/stxb201609141863"


@pytest.fixture(scope="module")
def houzhai():
    soc = literature.load("karst_soc")
    profile = soc[(soc["site"] == "Houzhai, Puding") & (soc["layer_bottom"] - soc["layer_top"] <= 10)]
    return literature.load("karst_soil_types"), literature.load("karst_soil_layers"), profile


def test_total_of_the_catchment_as_printed():
    # Table 6: 12.12 kg/m2, 74.17 km2, exposure 36.12 %, gravel 7.71 %; table 8 prints 5.39e5 t.
    total = karst.soil_stock([121.2], [7417.0], [0.3612], [0.0771])
    assert total == pytest.approx(5.39e5, rel=0.02)


def test_sum_over_soil_types_is_near_the_printed_total(houzhai):
    # Tables 1 and 7; the nine soils give 5.0e5 t, 7 % below table 8, whose exposure is that of limestone soils.
    assert karst_soils.total(*houzhai) == pytest.approx(5.39e5, rel=0.08)
    types, layers, _ = houzhai
    printed_sum = layers.groupby("soil_type")["soc_stock"].sum().loc[types["soil_type"]].to_numpy()
    total = karst.soil_stock(
        printed_sum, types["area"] * 100, types["bedrock_exposure"], types["gravel_fraction"]
    )
    assert total == pytest.approx(5.09e5, rel=2e-3)


def test_profile_of_a_soil_as_printed(houzhai):
    types, layers, profile = houzhai
    # Table 7: 4.44 kg/m2 in 20 cm of black limestone soil; deeper soil follows the profile of table 3.
    above = karst_soils.cumulative(layers[layers["soil_type"] == "black_limestone_soil"], profile)
    assert above(20) == pytest.approx(44.4, abs=0.01)
    # 0.83 kg/m2 in the last 5 cm, times 14.60 / 18.84 below, over 10 cm.
    assert above(30) - above(20) == pytest.approx(8.3 * 2 * 14.60 / 18.84, rel=1e-6)
    assert above(250) == above(100)


def test_thickness_and_exposure_come_before_gravel_and_density(houzhai):
    effect = karst_importance.left_out(*houzhai, 1.20).set_index("input")["change"].abs()
    assert effect["soil_depth"] > effect["bedrock_exposure"] > effect["gravel_fraction"]
    places = karst_soils.draw_soils(*houzhai, 0.5556, 0.05, 2000, 1, karst.correlation())
    shares = karst_importance.variance_shares(places).set_index("input")["share"]
    assert (
        shares.idxmin() == "bulk_density" and shares["soil_depth"] > 0.2 and shares["bedrock_exposure"] > 0.2
    )
    assert ((shares >= 0) & (shares <= 1)).all()


def test_variance_shares_of_a_known_product():
    random = np.random.default_rng(2)
    n = 40000
    frame = pd.DataFrame({x: np.ones(n) for x in karst.INPUTS}) + 0.0
    frame["soil_depth"] = 1 + 0.3 * random.standard_normal(n)
    frame["soc"] = 1 + 0.1 * random.standard_normal(n)
    frame["soc_stock"] = frame["soil_depth"] + frame["soc"]
    frame["soil_type"], frame["area"] = "one", 1.0
    shares = karst_importance.variance_shares(frame).set_index("input")["share"]
    assert shares["soil_depth"] == pytest.approx(0.9, abs=0.02)
    assert shares["soc"] == pytest.approx(0.1, abs=0.02)
    assert shares["bulk_density"] == pytest.approx(0, abs=0.01)


def test_draws_keep_marginals_and_correlations():
    matrix = karst.correlation()
    assert np.linalg.eigvalsh(matrix)[0] > 0 and matrix == pytest.approx(matrix.T)
    # Table 5: thickness against exposure -0.816, gravel against exposure 0.643; clipping moves them a little.
    assert matrix[0, 1] == pytest.approx(-0.816, abs=0.2) and matrix[1, 2] == pytest.approx(0.643, abs=0.1)
    marginals = {
        "soil_depth": from_moments(32, 16, "gamma"),
        "bedrock_exposure": from_moments(0.3783, 0.2151, "beta"),
        "gravel_fraction": 0.0,
        "soc": from_moments(1, 0.5, "lognormal"),
        "bulk_density": from_moments(1, 0.05, "gamma"),
    }
    drawn = karst.draw_inputs(marginals, 20000, 4, matrix)
    assert drawn["soil_depth"].mean() == pytest.approx(32, rel=0.02)
    assert drawn["soil_depth"].std() == pytest.approx(16, rel=0.03)
    assert drawn["bedrock_exposure"].mean() == pytest.approx(0.3783, rel=0.02)
    assert (drawn["gravel_fraction"] == 0).all()
    assert drawn.corr("spearman").loc["soil_depth", "bedrock_exposure"] == pytest.approx(
        matrix[0, 1], abs=0.06
    )


def test_probes_on_rock_are_a_point_mass():
    random = np.random.default_rng(7)
    transect = np.repeat(np.arange(30), 10)
    rock = random.random(300) < 0.4
    depth = np.where(rock, 0.0, random.gamma(2.2, 7.0, 300))
    found = karst.probe_thickness(depth, transect)
    assert found.zero == pytest.approx(rock.mean()) and found.n_transect == 30
    assert found.zero_se == pytest.approx(np.sqrt(0.24 / 300), rel=0.35)
    assert found.positive.mean == pytest.approx(15.4, rel=0.12)
    drawn = found.draw(20000, 1)
    assert (drawn == 0).mean() == pytest.approx(found.zero, abs=0.01)
    assert drawn.mean() == pytest.approx(found.mean, rel=0.03)
    with pytest.raises(DataError, match="probes are blank"):
        karst.probe_thickness([0, np.nan, 4, 5, 6], [1, 1, 1, 2, 2])


def test_exposure_is_a_beta_and_never_35():
    # Tianlong mountain: mean 44.7 %, SD 26.2 %.
    found = karst.exposure(np.random.default_rng(1).beta(1.16, 1.43, 400))
    assert found.mean == pytest.approx(0.447, abs=0.04) and found.sd == pytest.approx(0.262, abs=0.03)
    with pytest.raises(DataError, match=r"record 3: bedrock_exposure = 35.*35 % = 0.35"):
        karst.exposure([0.2, 0.4, 35.0])


def test_vegetation_takes_exposure_once_or_not_at_all():
    # Ye et al. (2022): 106.94 t/ha from full plots with a mean exposure of 44.7 %.
    assert karst.vegetation_per_hectare(106.94, "plot", 0.447) == pytest.approx(106.94)
    assert karst.vegetation_per_hectare(106.94, "soil_patch", 0.447) == pytest.approx(59.14, abs=0.01)
    for basis in ("", "unknown", None):
        with pytest.raises(DataError, match="the two differ by the share of rock"):
            karst.vegetation_per_hectare(106.94, basis, 0.447)
    with pytest.raises(DataError, match="need bedrock_exposure"):
        karst.vegetation_per_hectare(106.94, "soil_patch")
    with pytest.raises(DataError, match="35 % = 0.35"):
        karst.vegetation_per_hectare(106.94, "soil_patch", 35)


def test_loropetalum_by_hand():
    # Zhang et al. (2018), table 2: W = 6.778 (D2H)^0.63 g with D = 2 cm and H = 200 cm is 457 g.
    assert printed.evaluate("loropetalum_guilin_shrub_agb", dbh=2.0, height=2.0) == pytest.approx(
        0.457, rel=2e-3
    )
    # The three stages agree within a factor of two where their sizes meet (4 cm, 3.5 m).
    made = [
        float(printed.evaluate(f"loropetalum_guilin_{s}_agb", dbh=4.0, height=3.5)[0])
        for s in ("shrub_tree", "tree")
    ]
    assert 0.5 < made[0] / made[1] < 2


def test_accounts_of_the_source_are_made_again(houzhai):
    # Table 8: 9.37 without rock and gravel; 8.53 at a thickness of 64 cm, 9.28 at 1.20 g/cm3, 9.61 at one profile, 5.39 in all.
    table = karst_importance.beside_print(*houzhai, 1.20).set_index("input")
    assert table.loc["soil_depth", "printed"] == pytest.approx(8.53 / 9.37 - 1)
    assert table.loc["bulk_density", "printed"] == pytest.approx(9.28 / 9.37 - 1)
    assert table.loc["bedrock_exposure gravel_fraction", "printed"] == pytest.approx(5.39 / 9.37 - 1)
    # Rock and gravel by the areas of table 1 take off less: a fifth of the ground is rock, not 36 %.
    assert table.loc["bedrock_exposure gravel_fraction", "here"] == pytest.approx(-0.19, abs=0.01)
    types = houzhai[0]
    weight = types["area"] / types["area"].sum()
    assert weight @ types["bedrock_exposure"] == pytest.approx(0.209, abs=1e-3)
    # Table 6 prints a mean thickness of 64 cm: the mean over the areas of table 1.
    assert weight @ types["soil_depth"] == pytest.approx(64, abs=0.5)


def test_ranks_stand_beside_the_printed_order(houzhai):
    order = karst_importance.printed_order()
    assert order == ["soil_depth", "bedrock_exposure", "gravel_fraction", "soc", "bulk_density"]
    effect = karst_importance.left_out(*houzhai, 1.20)[["input", "change"]]
    ranks = karst_importance.ranked(effect, order)
    assert ranks["printed"].tolist() == [1, 2, 3, 4, 5] and ranks.loc["soc", "change"] == 1
    perfect = pd.DataFrame({"input": order, "size": [5.0, -4, 3, 2, 1]})
    assert karst_importance.ranked(perfect, order).attrs["agreement"]["size"] == pytest.approx(1)


def test_exposure_of_guilin_plots():
    # Pan et al. (2018), table 1: 24 plots of 2 to 52 %.
    shares = literature.load("karst_plots")["bedrock_exposure"]
    found = karst.exposure(shares)
    assert len(shares) == 24 and found.mean == pytest.approx(4.9 / 24, abs=0.01)
    low, high = found.quantile([0.02, 0.98])
    assert low < 0.03 and 0.45 < high < 0.65
