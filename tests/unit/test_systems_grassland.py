"""Grassland functions against printed means, and lines with an error in the predictor."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.data import literature
from sinklab.language import DataError
from sinklab.systems import grassland, soil


def test_printed_ratios_are_those_of_the_printed_parts():
    rows = literature.load("grassland")
    rows = rows[rows["source_id"] == "HONGYUAN2008"]
    assert (rows["bgb_density"] / rows["agb_density"]).tolist() == pytest.approx(
        rows["root_shoot_ratio"].tolist(), rel=3e-3
    )


@pytest.mark.printed("grassland.root_beta", source="Zhang & Xu (2017), table 2", results=1)
def test_roots_of_duolun_add_up_and_have_their_depth():
    # Zhang & Xu (2017), table 2: 0-10, 10-20, 20-40 cm and their sum 0-40 cm, four treatments.
    rows = literature.load("grassland_roots")
    for _, part in rows.groupby("site"):
        layers = part[(part["layer_bottom"] - part["layer_top"] < 40)].sort_values("layer_top")
        whole = part.loc[part["layer_bottom"] - part["layer_top"] == 40, "bgb_density"].item()
        assert layers["bgb_density"].sum() == pytest.approx(whole, abs=2e-4)
    fenced = rows[(rows["site"] == "Duolun GL") & (rows["layer_bottom"] - rows["layer_top"] < 40)]
    beta = grassland.root_beta(fenced["layer_bottom"], fenced["bgb_density"])
    assert beta == pytest.approx(0.925, abs=0.01)
    share = (1 - beta**10) / (1 - beta**40)
    assert share == pytest.approx(1010.41 / 1690.96, abs=0.03)


@pytest.mark.printed("grassland.root_beta", source="Jackson et al. (1996), abstract and summary", results=2)
@pytest.mark.printed(
    "grassland.roots_to_depth", source="Jackson et al. (1996), abstract and summary", results=3
)
def test_roots_of_the_world_as_printed():
    # All biomes: beta 0.966, with 30, 50 and 75 % of the roots in the upper 10, 20 and 40 cm.
    assert grassland.root_beta([10, 20, 40, 400], [30, 20, 25, 25]) == pytest.approx(0.966, abs=5e-4)
    assert grassland.roots_to_depth(75.0, 40, 10, 0.966) == pytest.approx(30, abs=1)
    assert grassland.roots_to_depth(75.0, 40, 20, 0.966) == pytest.approx(50, abs=0.5)
    # Deserts: beta 0.975, "only 50 %" in the upper 30 cm; temperate grassland: 0.943, 80 to 90 % there. The shares of
    # grasses and shrubs in 10 cm, 44 and 21 %, are of their roots themselves and not of their curves.
    assert grassland.root_beta([30, 400], [50, 50]) == pytest.approx(0.975, abs=0.003)
    assert 80 < grassland.roots_to_depth(100.0, 400, 30, 0.943) < 90


@pytest.mark.printed("grassland.roots_to_depth", source="Zhang & Xu (2017), table 2", results=4)
def test_roots_of_duolun_from_their_upper_layers():
    # Four treatments: mass to 40 cm from that to 20 cm and the beta of all layers, within 1.5 of the printed standard
    # errors. From the upper 10 cm alone the abandoned cropland comes out 9 % (2.2 standard errors) too high.
    for site, part in literature.load("grassland_roots").groupby("site"):
        thick = part["layer_bottom"] - part["layer_top"]
        layers, whole = part[thick < 40].sort_values("layer_top"), part[thick == 40].iloc[0]
        beta = grassland.root_beta(layers["layer_bottom"], layers["bgb_density"])
        made = grassland.roots_to_depth(layers["bgb_density"].iloc[:2].sum(), 20, 40, beta)
        assert made == pytest.approx(whole["bgb_density"], rel=0.06), site
        assert abs(made - whole["bgb_density"]) < 1.5 * whole["bgb_density_spread"], site


def test_beta_is_recovered_and_extends_roots():
    depth = np.array([10, 20, 30, 50.0])
    mass = np.diff(np.r_[0, 1 - 0.94**depth])
    assert grassland.root_beta(depth, mass) == pytest.approx(0.94, abs=1e-4)
    assert grassland.roots_to_depth(5.0, 30, 30, 0.94) == pytest.approx(5.0)
    assert grassland.roots_to_depth(5.0, 30, 100, 0.94) == pytest.approx(5 * (1 - 0.94**100) / (1 - 0.94**30))


def test_ratio_of_temperate_steppe_is_near_the_printed_one():
    # Ma & Fang (2006), abstract: 135.3 and 775.2 g/m2, median ratio 6.3 (5.2 to 6.7 by type).
    row = literature.load("grassland").set_index("source_id").loc["MAFANG2006"]
    assert row["bgb_density"] / row["agb_density"] == pytest.approx(5.73, abs=0.01)
    assert row["root_shoot_ratio"] == 6.3


@pytest.mark.printed("grassland.yunnan_aboveground", source="Yao et al. (2017), table 2", results=4)
def test_yunnan_has_the_printed_coefficients_in_our_units():
    # Table 2, in kg/ha, cm and per cent of cover: constant, NDVI, height and cover.
    made = grassland.yunnan_aboveground([0.0, 1, 0, 0], [0.0, 0, 1, 0], [0.0, 0, 0, 0.01])
    assert 1000 * made[0] == pytest.approx(-2015.156)
    assert 1000 * (made[1:] - made[0]) == pytest.approx([2280.171, 36.842, 15.892])
    with pytest.raises(DataError, match=r"record 1: cover_fraction = 71.7.*71.7 % = 0.717"):
        grassland.yunnan_aboveground(0.6, 21.3, 71.7)


@pytest.mark.printed("grassland.yunnan_aboveground", source="Yao et al. (2017), tables 3 and 5", results=6)
def test_yunnan_types_are_as_dense_as_printed():
    # Lowland and mountain meadow, warm tussock and shrub tussock, hot tussock and shrub tussock. NDVI by type is not
    # printed: it comes from the paper's other line, 3331.172 NDVI - 405.647 = mass. The authors count an error of 56 %
    # for a plot (accuracy 43.7 %); the types stay within 22 %, 11 % on average.
    height = [24.89, 12.60, 21.30, 23.78, 33.21, 29.62]
    cover = np.array([78.73, 92.01, 71.67, 82.44, 84.07, 84.94]) / 100
    mass = np.array([1552.45, 1071.73, 1771.02, 1588.12, 2004.37, 1579.80])
    made = 1000 * grassland.yunnan_aboveground((mass + 405.647) / 3331.172, height, cover)
    assert made == pytest.approx(mass, rel=0.22)
    assert np.mean(np.abs(made / mass - 1)) < 0.12
    assert np.argmax(made) == np.argmax(mass) and np.argmin(made) == np.argmin(mass)


def test_error_in_the_predictor_is_taken_out():
    random = np.random.default_rng(3)
    slopes = []
    for _ in range(60):
        true = random.normal(0.5, 0.12, 150)
        y = 1 + 3 * true + 0.3 * random.standard_normal(150)
        slopes.append(grassland.corrected_line(true + 0.08 * random.standard_normal(150), y, 0.08))
    assert np.mean([s.naive_slope for s in slopes]) == pytest.approx(
        3 * 0.12**2 / (0.12**2 + 0.08**2), rel=0.04
    )
    assert np.mean([s.slope for s in slopes]) == pytest.approx(3, rel=0.05)
    spread = np.std([s.slope for s in slopes])
    assert np.mean([s.slope_se for s in slopes]) == pytest.approx(spread, rel=0.3)
    zero = grassland.corrected_line([1.0, 2, 3, 4, 5, 6], [2.0, 4, 6, 8, 10, 12], 0.0, True)
    assert zero.slope == pytest.approx(2) and zero.intercept == 0 and zero.reliability == 1
    with pytest.raises(DataError, match="no line can be told"):
        grassland.corrected_line([1.0, 2, 3], [1.0, 2, 3], 1.0)


@pytest.mark.printed(
    "grassland.corrected_line", source="SAS/STAT User's Guide, CALIS, output 29.8.2", results=1
)
def test_line_without_correction_as_printed():
    # y on x, 1.1511; the guide goes on with an error variance of 0.019 in x.
    x = """7.91736 6.10807 6.94139 7.61290 6.77190 6.33328 7.60608 6.65642 6.26643 7.32266 5.76977 5.62881 7.57418 7.17305
    8.23123 7.17199 8.04604 5.77692 5.72741 6.66033 7.14944 7.51832 5.48877 7.50323 7.15814 7.35485 8.91648 5.37445
    6.00419 6.89546"""
    y = """13.8673 11.7966 12.2174 12.9761 11.6356 11.7732 12.8040 12.8866 11.9382 13.2590 10.7654 11.5041 13.2502 13.3416
    13.9876 13.1750 14.5968 11.5077 11.3299 12.5159 12.4988 12.3588 11.2211 13.3735 13.1556 13.8457 14.4929 9.6366
    11.7654 13.1493"""
    x, y = (np.array(text.split(), float) for text in (x, y))
    line = grassland.corrected_line(x, y, np.sqrt(0.019))
    assert line.naive_slope == pytest.approx(1.1511, abs=5e-5)
    assert line.slope == pytest.approx(np.cov(x, y)[0, 1] / (np.var(x, ddof=1) - 0.019))


#: Slopes of mass on canopy height through zero [g/m2/m], whole parts, of species whose plots are all in the open data.
CANOPY = {
    "Arctophila fulva": 852,
    "Artemisia arbuscula": 3378,
    "Atriplex canescens": 4001,
    "Bromus marginatus": 609,
    "Elytropappus rhinocerotis": 4989,
    "Festuca rubra": 1388,
    "Larrea tridentata": 5631,
    "Launaea arborescens": 5214,
    "Nardus stricta": 1470,
    "Nassella trichotoma": 4505,
    "Pleuraphis mutica": 3206,
    "Prosopis glandulosa": 5372,
    "Prunus spinosa": 2734,
    "Pteridium aquilinum": 1096,
    "Salix richardsonii": 2523,
    "Symphoricarpos oreophilus": 2189,
    "Trifolium repens": 2865,
    "Ulex gallii": 4033,
}


@pytest.mark.open_data
@pytest.mark.printed(
    "grassland.corrected_line", source="Cunliffe et al. (2022), models by species", results=18
)
def test_lines_through_zero_as_printed(open_data):
    plots = pd.read_csv(open_data / "drone_allometry" / "drone_allometry_subset.csv", encoding="utf-8")
    species = (plots["plot_genus"] + " " + plots["plot_species"]).str.strip()
    for name, slope in CANOPY.items():
        part = plots[species == name].dropna(subset=["AGB_g_m2", "HAG_plotmean_of_cellmax_m"])
        line = grassland.corrected_line(
            part["HAG_plotmean_of_cellmax_m"], part["AGB_g_m2"], 0.0, through_zero=True
        )
        assert int(line.slope) == slope, name


@pytest.mark.printed(
    "grassland.scale_up", source="Davies & Goldsmith (1972), table 6.3, as fitted with lme4", results=3
)
def test_nested_units_as_printed():
    # Six batches of five: mean 1527.50 with an error of 19.38, SD within a batch 49.51.
    batches = pd.DataFrame(
        {
            "mass": [1545, 1440, 1440, 1520, 1580, 1540, 1555, 1490, 1560, 1495, 1595, 1550, 1605, 1510, 1560]
            + [1445, 1440, 1595, 1465, 1545, 1595, 1630, 1515, 1635, 1625, 1520, 1455, 1450, 1480, 1445],
            "plot_id": np.repeat(list("ABCDEF"), 5),
            "kind": "dyestuff",
            "season": "none",
        }
    )
    row = grassland.scale_up(batches, "mass", "plot_id", "kind").loc["dyestuff"]
    assert row["mean"] == pytest.approx(1527.50)
    assert row["se"] == pytest.approx(19.38, abs=0.005)
    assert row["sd_quadrat"] == pytest.approx(49.51, abs=0.005)


def test_quadrats_are_not_independent():
    random = np.random.default_rng(1)
    plot = np.repeat(np.arange(12), 9)
    value = 3 + random.normal(0, 1, 12)[plot] + random.normal(0, 0.5, 108)
    frame = pd.DataFrame(
        {"plot_id": plot, "agb_density": value, "grassland_type": "meadow", "season": "August"}
    )
    row = grassland.scale_up(frame, "agb_density", "plot_id", "grassland_type").loc["meadow"]
    assert row["n_plot"] == 12 and row["sd_quadrat"] == pytest.approx(0.5, rel=0.2)
    assert row["se"] > 2 * value.std(ddof=1) / np.sqrt(108)
    with pytest.raises(DataError, match="records 3: season is blank"):
        grassland.scale_up(
            frame.assign(season=["August"] * 2 + [""] + ["August"] * 105),
            "agb_density",
            "plot_id",
            "grassland_type",
        )


def test_ratio_by_type_is_a_distribution():
    rows = literature.load("grassland")
    kinds = rows.groupby("grassland_type")["root_shoot_ratio"].size()
    many = rows[rows["grassland_type"].isin(kinds.index[kinds > 1])]
    found = soil.summarise(many, "root_shoot_ratio", ["source_id", "site"], ["grassland_type"]).set_index(
        "group"
    )
    alpine = found.loc["grassland_type=alpine_meadow"]
    assert alpine["q025"] < alpine["mean"] < alpine["q975"] and alpine["n"] == 28


def test_curves_for_a_predictor_without_error_are_steeper():
    rng = np.random.default_rng(4)
    true = rng.normal(30, 6, 400)
    frame = pd.DataFrame({"canopy_height": true + rng.normal(0, 4, 400)})
    frame["agb_density"] = 0.05 * true**1.2 * np.exp(rng.normal(0, 0.05, 400))
    fit = sl.fit(frame, "agb_density = a * canopy_height**b", variance="power:mean", name="simulated")
    corrected, slopes = grassland.fits_without_error([fit], 4.0, name="simulated")
    row = slopes.iloc[0]
    assert row["reliability"] == pytest.approx(36 / 52, abs=0.05)
    assert row["plain"] < 0.95 < row["corrected"] and row["corrected"] == pytest.approx(
        1.2, abs=3.5 * row["se"]
    )
    assert corrected[0].label.endswith("without error")


def test_sums_over_layers_are_no_layers():
    layers = literature.load("grassland_roots")
    beta, value = grassland.root_shapes(layers)
    part = layers[(layers["site"] == "Duolun GL") & (layers["layer_bottom"] - layers["layer_top"] < 40)]
    assert beta["Duolun GL"] == pytest.approx(grassland.root_beta(part["layer_bottom"], part["bgb_density"]))
    assert value["mean"].item() == pytest.approx(beta.mean()) and value["n"].item() == 4


def test_ratios_of_studies_or_of_plots():
    printed = literature.load("grassland")
    values = grassland.ratio_values(printed, "root_shoot_ratio", ["grassland_type"], ["site"], 0.95, "")
    studies = grassland.ratio_by_study(printed[printed["root_shoot_ratio"] > 0], ["grassland_type"])
    assert list(values["n_study"]) == list(studies.groupby("grassland_type").size())
    rng = np.random.default_rng(1)
    plots = pd.DataFrame({"site": list("aabbccd") * 4, "kind": ["x"] * 27 + ["y"]})
    plots["agb_density"], plots["root_shoot_ratio"] = rng.uniform(1, 3, 28), rng.lognormal(1, 0.3, 28)
    values = grassland.ratio_values(plots, "root_shoot_ratio", ["kind"], ["site"], 0.95, "open:made")
    # The type of a single plot has no value; the mean is the ratio of means.
    assert list(values["group"]) == ["kind=x"] and set(values["sources"]) == {"open:made"}
    used = plots[plots["kind"] == "x"]
    whole = (used["root_shoot_ratio"] * used["agb_density"]).sum() / used["agb_density"].sum()
    assert values["mean"].item() == pytest.approx(whole)
