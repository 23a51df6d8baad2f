"""Karst: the printed stock of the Houzhai catchment, thickness with bare rock, exposure, vegetation."""

import numpy as np
import pandas as pd
import pytest

from sinklab.data import literature
from sinklab.evidence import equations
from sinklab.evidence.distributions import from_moments
from sinklab.language import DataError
from sinklab.systems import karst
from sinklab.tables import checks
from sinklab.tables.table import Table

SOURCE = "Zhang et al. (2017), doi:10.5846/stxb201609141863"


@pytest.fixture(scope="module")
def houzhai():
    soc = literature.load("karst_soc")
    profile = soc[(soc["site"] == "Houzhai, Puding") & (soc["layer_bottom"] - soc["layer_top"] <= 10)]
    return literature.load("karst_soil_types"), literature.load("karst_soil_layers"), profile


@pytest.mark.printed("karst.soil_stock", source="Zhang et al. (2017), table 8", results=2)
def test_total_of_the_catchment_as_printed():
    # Table 6: 12.12 kg/m2, 74.17 km2, exposure 36.12 %, gravel 7.71 %; table 8 prints 5.39e5 t.
    total = karst.soil_stock([121.2], [7417.0], [0.3612], [0.0771])
    assert total == pytest.approx(5.39e5, rel=0.02)
    # Without rock and gravel 9.37e5 t, 4 % above mean density times area: the paper adds up its points, table 6 is their mean.
    assert karst.soil_stock([121.2], [7417.0], [0.0], [0.0]) == pytest.approx(9.37e5, rel=0.045)


@pytest.mark.printed(
    "karst.soil_stock", source="Ji et al. (2016), doi:10.17521/cjpe.2015.0147, table 4", results=1
)
def test_total_of_soils_without_rock_as_printed():
    # 110.2 t/ha on 366.96e4 ha of forest are 404.4 Tg.
    assert karst.soil_stock([110.2], [366.96e4], [0.0], [0.0]) == pytest.approx(404.4e6, rel=1e-3)


@pytest.mark.printed("karst.total", source="Zhang et al. (2017), tables 6 and 8", results=2)
def test_accounts_of_one_mean_soil_as_printed():
    one = pd.DataFrame(
        {
            "soil_type": ["all"],
            "area": 74.17,
            "soil_depth": 100.0,
            "bedrock_exposure": 0.3612,
            "gravel_fraction": 0.0771,
        }
    )
    layers = pd.DataFrame(
        {
            "soil_type": ["all"],
            "layer_top": 0.0,
            "layer_bottom": 100.0,
            "bulk_density": 1.2,
            "carbon_density": 12.12,
        }
    )
    profile = pd.DataFrame({"layer_top": [0.0], "layer_bottom": [100.0], "soc": [10.1]})
    assert karst.total(one, layers, profile) == pytest.approx(5.39e5, rel=0.02)
    bare = one.assign(bedrock_exposure=0.0, gravel_fraction=0.0)
    assert karst.total(bare, layers, profile) == pytest.approx(9.37e5, rel=0.045)


def test_sum_over_soil_types_is_near_the_printed_total(houzhai):
    # Tables 1 and 7; the nine soils give 5.0e5 t, 7 % below table 8, whose exposure is that of limestone soils.
    assert karst.total(*houzhai) == pytest.approx(5.39e5, rel=0.08)
    types, layers, _ = houzhai
    printed_sum = layers.groupby("soil_type")["soc_stock"].sum().loc[types["soil_type"]].to_numpy()
    total = karst.soil_stock(
        printed_sum, types["area"] * 100, types["bedrock_exposure"], types["gravel_fraction"]
    )
    assert total == pytest.approx(5.09e5, rel=2e-3)


@pytest.mark.printed("karst.cumulative", source="Zhang et al. (2017), table 7", results=9)
def test_profile_of_a_soil_as_printed(houzhai):
    types, layers, profile = houzhai
    # Table 7: 4.44 kg/m2 in 20 cm of black limestone soil; deeper soil follows the profile of table 3.
    above = karst.cumulative(layers[layers["soil_type"] == "black_limestone_soil"], profile)
    assert above(20) == pytest.approx(44.4, abs=0.01)
    # 0.83 kg/m2 in the last 5 cm, times 14.60 / 18.84 below, over 10 cm.
    assert above(30) - above(20) == pytest.approx(8.3 * 2 * 14.60 / 18.84, rel=1e-6)
    assert above(250) == above(100)
    totals = {
        "yellow_clay": 8.54,
        "black_limestone_soil": 4.44,
        "yellow_limestone_soil": 6.33,
        "large_loam": 9.56,
        "small_loam": 7.34,
        "white_large_loam": 7.18,
        "white_sand_soil": 5.4,
        "large_mud_paddy": 14.5,
        "yellow_clay_paddy": 10.8,
    }
    for kind, total in totals.items():
        part = layers[(layers["soil_type"] == kind) & layers["carbon_density"].notna()]
        stock = karst.cumulative(part, profile)(part["layer_bottom"].max())
        assert stock == pytest.approx(10 * total, abs=0.05), kind


@pytest.mark.printed("karst.marginals", source="Zhang et al. (2017), table 3", results=5)
def test_medians_follow_from_printed_means_and_variation():
    # Mean, coefficient of variation and median of the layers and of both depths; the lognormal gives the median within 6 %.
    soil = {
        "soil_depth": 20.0,
        "soil_depth_spread": 11.0,
        "bedrock_exposure": 0.4334,
        "bedrock_exposure_spread": 0.2362,
    }
    soil |= {"gravel_fraction": 0.2156, "gravel_fraction_spread": 0.1056}
    rows = (
        (29.66, 0.5363, 25.21),
        (8.96, 0.6855, 7.69),
        (5.25, 0.7523, 4.22),
        (25.07, 0.5556, 21.40),
        (20.71, 0.7196, 15.99),
    )
    for mean, cv, median in rows:
        found = karst.marginals(soil, cv, 0.05)["soc"]
        assert mean * found.quantile(0.5) == pytest.approx(median, rel=0.06)
    drawn = karst.marginals(soil, 0.5556, 0.05)["soc"]
    # The largest of 2755 profiles is printed as 119.11 g/kg.
    assert 25.07 * drawn.quantile(1 - 1 / 2755) == pytest.approx(119.11, rel=0.07)


@pytest.mark.printed("karst.draw_soils", source="Zhang et al. (2017), table 1", results=18)
def test_places_of_a_soil_have_its_printed_moments(houzhai):
    types = houzhai[0]
    drawn = karst.draw_soils(*houzhai, 0.5556, 0.05, 6000, 3, karst.correlation()).groupby("soil_type")
    rocky = types[types["bedrock_exposure"] > 0].set_index("soil_type")
    for name, rel in (("bedrock_exposure", 0.03), ("gravel_fraction", 0.02), ("soil_depth", 0.03)):
        assert drawn[name].mean()[rocky.index].to_numpy() == pytest.approx(rocky[name].to_numpy(), rel=rel)
        assert drawn[name].std()[rocky.index].to_numpy() == pytest.approx(
            rocky[f"{name}_spread"].to_numpy(), rel=0.05
        )


@pytest.mark.printed("karst.left_out", source="Zhang et al. (2017), section 3, order of influence", results=2)
def test_thickness_and_exposure_come_before_gravel_and_density(houzhai):
    effect = karst.left_out(*houzhai, 1.20).set_index("input")["change"].abs()
    assert effect["soil_depth"] > effect["bedrock_exposure"] > effect["gravel_fraction"]
    places = karst.draw_soils(*houzhai, 0.5556, 0.05, 2000, 1, karst.correlation())
    shares = karst.variance_shares(places).set_index("input")["share"]
    assert (
        shares.idxmin() == "bulk_density" and shares["soil_depth"] > 0.2 and shares["bedrock_exposure"] > 0.2
    )
    assert ((shares >= 0) & (shares <= 1)).all()


@pytest.mark.printed(
    "karst.variance_shares",
    source="Ishigami and Homma (1990), indices printed with scipy.stats.sobol_indices",
    results=3,
)
def test_variance_shares_of_a_function_with_printed_indices():
    # First-order indices 0.316, 0.438 and 0.003 (from 1024 draws; the third is zero in theory).
    x = np.random.default_rng(1).uniform(-np.pi, np.pi, (60000, 3))
    frame = pd.DataFrame(dict.fromkeys(karst.INPUTS, 1.0), index=range(len(x)))
    frame[["soil_depth", "bedrock_exposure", "gravel_fraction"]] = x
    frame["soc_stock"] = np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    frame["soil_type"], frame["area"] = "one", 1.0
    shares = karst.variance_shares(frame).set_index("input")["share"]
    assert shares["soil_depth"] == pytest.approx(0.316, abs=0.01)
    assert shares["bedrock_exposure"] == pytest.approx(0.438, abs=0.01)
    assert shares["gravel_fraction"] == pytest.approx(0.003, abs=0.005)


def test_variance_shares_of_a_known_product():
    random = np.random.default_rng(2)
    n = 40000
    frame = pd.DataFrame({x: np.ones(n) for x in karst.INPUTS}) + 0.0
    frame["soil_depth"] = 1 + 0.3 * random.standard_normal(n)
    frame["soc"] = 1 + 0.1 * random.standard_normal(n)
    frame["soc_stock"] = frame["soil_depth"] + frame["soc"]
    frame["soil_type"], frame["area"] = "one", 1.0
    shares = karst.variance_shares(frame).set_index("input")["share"]
    assert shares["soil_depth"] == pytest.approx(0.9, abs=0.02)
    assert shares["soc"] == pytest.approx(0.1, abs=0.02)
    assert shares["bulk_density"] == pytest.approx(0, abs=0.01)


@pytest.mark.printed("karst.correlation", source="Zhang et al. (2017), table 5", results=3)
@pytest.mark.printed("karst.draw_inputs", source="Zhang et al. (2017), table 5", results=1)
def test_correlations_as_printed_where_they_can_hold_together():
    matrix = karst.correlation(inputs=("soil_depth", "bedrock_exposure", "gravel_fraction"))
    assert matrix[np.triu_indices(3, 1)] == pytest.approx([-0.816, -0.706, 0.643], abs=1e-12)
    pair = karst.correlation(inputs=("soil_depth", "bedrock_exposure"))
    normal = {"soil_depth": from_moments(0, 1, "normal"), "bedrock_exposure": from_moments(0, 1, "normal")}
    drawn = karst.draw_inputs(normal, 20000, 1, pair)
    assert drawn.corr().iloc[0, 1] == pytest.approx(-0.816, abs=0.01)


@pytest.mark.printed("karst.draw_inputs", source="Zhang et al. (2017), table 1", results=4)
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
    assert drawn["bedrock_exposure"].std() == pytest.approx(0.2151, rel=0.03)
    assert (drawn["gravel_fraction"] == 0).all()
    assert drawn.corr("spearman").loc["soil_depth", "bedrock_exposure"] == pytest.approx(
        matrix[0, 1], abs=0.06
    )


@pytest.mark.printed("karst.probe_thickness", source="Zhang et al. (2017), table 6 from table 1", results=2)
@pytest.mark.printed("karst.exposure", source="Zhang et al. (2017), table 6 from table 1", results=1)
def test_means_of_the_catchment_follow_from_its_soils(houzhai):
    # Table 6 prints means over soils of table 1: 36.12 % of rock in the six rocky ones, 64 cm in all nine.
    types = houzhai[0]
    rocky = types[types["bedrock_exposure"] > 0]
    assert karst.exposure(rocky["bedrock_exposure"]).mean == pytest.approx(0.3612, abs=5e-5)
    transects = [
        (kind, 0.0 if k < round(1000 * share) else thick)
        for kind, share, thick in rocky[["soil_type", "bedrock_exposure", "soil_depth"]].itertuples(
            index=False
        )
        for k in range(1000)
    ]
    names, depth = zip(*transects, strict=True)
    assert karst.probe_thickness(depth, names).zero == pytest.approx(0.3612, abs=5e-4)
    assert karst.probe_thickness(types["soil_depth"], types["soil_type"]).mean == pytest.approx(64, abs=0.5)


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


@pytest.mark.printed("karst.exposure", source="Ye et al. (2022), table 3", results=2)
def test_exposure_is_a_beta_and_never_35():
    # Tianlong mountain: mean 44.7 %, SD 26.2 %.
    found = karst.exposure(np.random.default_rng(1).beta(1.16, 1.43, 400))
    assert found.mean == pytest.approx(0.447, abs=0.04) and found.sd == pytest.approx(0.262, abs=0.03)
    # The plots run from 2 to 96 %: in the tails of the beta, not beyond them.
    assert found.quantile(0.001) < 0.02 < found.quantile(0.05)
    assert found.quantile(0.95) < 0.96 < found.quantile(0.999)
    with pytest.raises(DataError, match=r"record 3: bedrock_exposure = 35.*35 % = 0.35"):
        karst.exposure([0.2, 0.4, 35.0])


@pytest.mark.printed(
    "karst.vegetation_per_hectare",
    source="Liu et al. (2020), doi:10.5846/stxb201906141259, abstract",
    results=2,
)
@pytest.mark.printed("karst.vegetation_per_hectare", source="Zhang et al. (2017), tables 6 and 8", results=1)
def test_masses_of_plots_add_up_and_those_of_patches_are_reduced():
    # Harvested plots: stem, branch, bark and foliage of the trees are 120.00 t/ha, with thinner stems and herbs 122.81 t/ha.
    trees = karst.vegetation_per_hectare([61.04, 40.56, 11.61, 6.80], "plot", 0.447).sum()
    assert trees == pytest.approx(120.00, abs=0.02)
    rest = karst.vegetation_per_hectare([2.56, 0.24], "plot", 0.447).sum()
    assert trees + rest == pytest.approx(122.81, abs=0.02)
    # A mass per area of soil: carbon of the fine earth, 12.12 kg/m2 with 7.71 % gravel, is 5.39e5 t on 7417 ha of ground.
    ground = karst.vegetation_per_hectare(121.2 * (1 - 0.0771), "soil_patch", 0.3612)
    assert ground == pytest.approx(5.39e5 / 7417, rel=0.02)


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
    assert equations.evaluate("loropetalum_guilin_shrub_agb", dbh=2.0, height=2.0) == pytest.approx(
        0.457, rel=2e-3
    )
    # The three stages agree within a factor of two where their sizes meet (4 cm, 3.5 m).
    made = [
        float(equations.evaluate(f"loropetalum_guilin_{s}_agb", dbh=4.0, height=3.5)[0])
        for s in ("shrub_tree", "tree")
    ]
    assert 0.5 < made[0] / made[1] < 2


def test_accounts_of_the_source_are_made_again(houzhai):
    # Table 8: 9.37 without rock and gravel; 8.53 at a thickness of 64 cm, 9.28 at 1.20 g/cm3, 9.61 at one profile, 5.39 in all.
    table = karst.beside_print(*houzhai, 1.20).set_index("input")
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
    order = karst.printed_order()
    assert order == ["soil_depth", "bedrock_exposure", "gravel_fraction", "soc", "bulk_density"]
    effect = karst.left_out(*houzhai, 1.20)[["input", "change"]]
    ranks = karst.ranked(effect, order)
    assert ranks["printed"].tolist() == [1, 2, 3, 4, 5] and ranks.loc["soc", "change"] == 1
    perfect = pd.DataFrame({"input": order, "size": [5.0, -4, 3, 2, 1]})
    assert karst.ranked(perfect, order).attrs["agreement"]["size"] == pytest.approx(1)


def test_exposure_of_guilin_plots():
    # Pan et al. (2018), table 1: 24 plots of 2 to 52 %.
    shares = literature.load("karst_plots")["bedrock_exposure"]
    found = karst.exposure(shares)
    assert len(shares) == 24 and found.mean == pytest.approx(4.9 / 24, abs=0.01)
    low, high = found.quantile([0.02, 0.98])
    assert low < 0.03 and 0.45 < high < 0.65


def test_plots_without_rock_are_plots():
    # Six plots without rock and four with half of it: a fifth of the ground is rock, not half.
    found = karst.exposure([0.0] * 6 + [0.5] * 4)
    assert found.mean == pytest.approx(0.20) and found.sd == pytest.approx(
        np.std([0] * 6 + [0.5] * 4, ddof=1)
    )
    assert karst.exposure([0.0, 0.0, 1.0, 1.0]).mean == pytest.approx(0.5)
    with pytest.raises(DataError, match="without any spread"):
        karst.exposure([0.3, 0.3, 0.3])


def test_rock_is_taken_off_once():
    transect = np.repeat(np.arange(20), 50)
    depth = np.where(np.arange(1000) % 5 < 2, 0.0, 30.0 + np.arange(1000) % 7)
    probes = karst.probe_thickness(depth, transect)
    assert probes.zero == pytest.approx(0.4) and probes.mean == pytest.approx(0.6 * probes.positive.mean)
    rock = {"bedrock_exposure": 0.4}
    beside = karst.draw_inputs({"soil_depth": probes} | rock, 20000, 1)
    alone = karst.draw_inputs({"soil_depth": probes}, 20000, 1)
    # Thickness of the soil times the share that is soil, or thickness over rock and soil: the same ground.
    ground = (beside["soil_depth"] * (1 - beside["bedrock_exposure"])).mean()
    assert ground == pytest.approx(probes.mean, rel=0.01)
    assert alone["soil_depth"].mean() == pytest.approx(ground, rel=0.02)


@pytest.mark.printed("karst.printed_tables", source="Zhang et al. (2017), tables 3, 6 and 8", results=2)
def test_printed_tables_of_the_catchment_disagree(houzhai):
    table = karst.printed_tables(*houzhai, 1.20, 121.2, 0.3612)
    pairs = {(row["one"], row["other"], round(row["second"], 2)): row for row in table.to_dict("records")}
    # 29.66 g/kg in the mean of all profiles, at most 23.9 in any soil: no areas make the one out of the others.
    content = pairs["2+7", "3", 29.66]
    assert content["first"] == pytest.approx(23.93, abs=0.01)
    # Without rock and gravel 6.17 by soil against 9.37, a third less; table 3 at 64 cm agrees with table 8.
    assert pairs["1+7", "8", 9.37]["first"] == pytest.approx(6.17, abs=0.005)
    assert pairs["1+7", "6", 8.99]["ratio"] == pytest.approx(0.686, abs=1e-3)
    assert pairs["3", "8", 8.53]["ratio"] == pytest.approx(0.973, abs=1e-3)
    # 5.00 beside 5.39 agrees because a rock of 0.36 for 0.21 takes off what table 7 lacks.
    assert pairs["1", "6", 0.36]["first"] == pytest.approx(0.209, abs=1e-3)
    assert pairs["1+7", "8", 5.39]["first"] == pytest.approx(5.00, abs=0.005)


def test_a_row_that_contradicts_its_source_has_no_value():
    values = pd.DataFrame({"name": ["soc_stock[a]", "soc_stock[b]"], "mean": [50.0, 60.0]})
    reason = checks.refusal("contradiction", "tables 7 and 3", 0.19)
    about = {"title": "two soils", "source": {"spec": "literature:karst_soil_types", "origin": "printed"}}
    values = values.assign(variable="soc_stock", sources="CX_HZH2017")
    table = Table.from_values(values, "soc_stock_karst", "1.0.0", refused={"soc_stock[a]": reason}, **about)
    rows = table.frames["values"].set_index("name")
    assert np.isnan(rows.loc["soc_stock[a]", "mean"]) and rows.loc["soc_stock[b]", "mean"] == 60
    assert "disagree" in rows.loc["soc_stock[a]", "note"] and "authors" in rows.loc["soc_stock[a]", "note"]
    assert (table.frames["checks"]["check_id"] == "refused").sum() == 1


def test_a_contradiction_is_named_by_its_tables(houzhai):
    said = karst.printed_means()
    tables = karst.printed_tables(*houzhai, said["mean_density"], said["stock"], said["exposure"])
    found = karst.contradiction(tables)
    assert found.where.startswith("tables 2+7 and 3") and found.value == pytest.approx(
        1 - 23.93 / 29.66, abs=1e-3
    )
    assert karst.contradiction(tables[(tables["ratio"] - 1).abs() < 0.1]) is None


@pytest.mark.printed("karst.printed_by_soil", source="Zhang et al. (2017), tables 1 and 7", results=2)
def test_ground_of_paddies_is_all_soil(houzhai):
    types, layers, _ = houzhai
    found = karst.printed_by_soil(types, layers).set_index("group")["printed"]
    # Paddies have neither rock nor gravel: the sum of their layers in table 7 stays.
    for soil in ("large_mud_paddy", "yellow_clay_paddy"):
        whole = layers.loc[layers["soil_type"] == soil, "soc_stock"].sum()
        assert found[f"soil_type={soil}"] == pytest.approx(whole)


def test_accounts_and_values_of_drawn_places(houzhai):
    places = karst.draw_soils(*houzhai, 0.55, 0.05, 2000, 1)
    told = karst.accounts(*houzhai, {"drawn": places})
    assert told.iloc[0] == pytest.approx(6.17, abs=0.01) and told.iloc[1] == pytest.approx(5.00, abs=0.01)
    values = karst.place_values(places, "CX_HZH2017").set_index("group")
    area = houzhai[0].set_index("soil_type")["area"]
    total = sum(values.loc[f"soil_type={kind}", "mean"] * area[kind] * 100 for kind in area.index)
    assert total / 1e5 == pytest.approx(told["drawn"])
    assert ((values["q025"] < values["mean"]) & (values["mean"] < values["q975"])).all()
