"""Grassland functions against printed means, and lines with an error in the predictor."""

import numpy as np
import pandas as pd
import pytest

from sinklab import literature
from sinklab.errors import DataError
from sinklab.systems import grassland, summary


def test_parts_of_a_printed_total():
    # Gao et al. (2008), abstract: 1543.3 and 2448.5 g/m2, 69.2 % and 87.8 % of them below ground.
    above, below = grassland.split_total([15.433, 24.485], [0.692, 0.878])
    assert above == pytest.approx([4.753, 2.987], abs=2e-3) and below == pytest.approx(
        [10.680, 21.498], abs=2e-3
    )
    rows = literature.load("grassland")
    rows = rows[rows["source_id"] == "HONGYUAN2008"]
    assert (rows["bgb_density"] / rows["agb_density"]).tolist() == pytest.approx(
        rows["root_shoot_ratio"].tolist(), rel=3e-3
    )


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


def test_yunnan_by_hand_and_with_cover_in_per_cent():
    # Height 21.30 cm and cover 71.7 % of warm tussock (printed means); NDVI 0.6 gives 1.28 t/ha.
    made = grassland.yunnan_aboveground(0.6, 21.30, 0.717)
    assert made == pytest.approx(
        (-2015.156 + 2280.171 * 0.6 + 36.842 * 21.3 + 15.892 * 71.7) / 1000, rel=1e-9
    )
    # Means of five types with the mean NDVI that gives the printed mean of 1.637 t/ha lie in its yearly range.
    heights, covers = (
        np.array([12.60, 21.30, 23.78, 33.21, 29.62]),
        np.array([0.920, 0.717, 0.724, 0.841, 0.849]),
    )
    assert 1.377 < grassland.yunnan_aboveground(0.6, heights, covers).mean() < 1.889
    with pytest.raises(DataError, match=r"record 1: cover_fraction = 71.7.*71.7 % = 0.717"):
        grassland.yunnan_aboveground(0.6, 21.3, 71.7)


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
    found = summary.summarise(many, "root_shoot_ratio", ["source_id", "site"], ["grassland_type"]).set_index(
        "group"
    )
    alpine = found.loc["grassland_type=alpine_meadow"]
    assert alpine["q025"] < alpine["mean"] < alpine["q975"] and alpine["n"] == 28
