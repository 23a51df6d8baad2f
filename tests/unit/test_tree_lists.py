"""From a tree list to plots: sums per hectare by hand, dead trees apart, heights filled with their error carried on."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.cli import main
from sinklab.language import DataError
from sinklab.propagate.stands import plots_of_trees


def felled(seed=1, n_site=8):
    rng = np.random.default_rng(seed)
    site = np.repeat(np.arange(n_site), 12)
    dbh = rng.uniform(5, 35, len(site))
    height = 1.3 + 3.1 * dbh**0.55 * np.exp(rng.normal(0, 0.08, len(site)))
    level = np.exp(rng.normal(0, 0.1, n_site))[site]
    stem = 0.03 * dbh**1.9 * height**0.9 * level * np.exp(rng.normal(0, 0.1, len(site)))
    return pd.DataFrame({"site": site.astype(str), "dbh": dbh, "height": height, "stem": stem})


@pytest.fixture(scope="module")
def table():
    fit = sl.fit(felled(), "stem = a*dbh**b*height**c", cluster="site", name="made here")
    return sl.Table.from_fits([fit], table_id="stem_forest_cunninghamia", version="0.1.0")


@pytest.fixture(scope="module")
def curve():
    return sl.fit(felled(), "height = 1.3 + a*dbh**b", cluster="site", name="made here")


@pytest.fixture
def trees():
    rng = np.random.default_rng(3)
    dbh = rng.uniform(6, 30, 60)
    frame = pd.DataFrame({"plot_id": np.repeat(["01", "1", "007"], 20), "dbh": dbh})
    return frame.assign(height=1.3 + 3.1 * dbh**0.55, plot_area=0.06)


def test_plots_are_sums_of_their_trees_per_hectare(table, trees):
    found = plots_of_trees(trees, [table], "plot_id", "plot_area")
    by_hand = table.model().predict(trees, of="average")["stem"].groupby(trees["plot_id"]).sum() / 1000 / 0.06
    np.testing.assert_allclose(found["stem_biomass_density"], by_hand)
    assert list(found.index) == ["007", "01", "1"] and found["stem_density"].to_list() == pytest.approx(
        [20 / 0.06] * 3
    )
    total = table.model().total(trees, by="plot_id")
    np.testing.assert_allclose(found["stem_biomass_density_se"], total["stem_se"] / 60)
    np.testing.assert_allclose(found["stem_biomass_density_upper"], total["stem_upper"] / 60)
    one = plots_of_trees(trees.drop(columns="plot_area"), [table], "plot_id", 0.06)
    np.testing.assert_allclose(one["stem_biomass_density"], found["stem_biomass_density"])


def test_dead_and_cut_trees_are_counted_apart(table, trees):
    said = trees.assign(状态=["枯立木", "采伐", *["活"] * 58])
    found = plots_of_trees(said, [table], "plot_id", "plot_area")
    assert found["n_dead"].to_dict() == {"007": 0, "01": 2, "1": 0} and found["n_tree"]["01"] == 18
    alive = plots_of_trees(trees.iloc[2:], [table], "plot_id", "plot_area")
    np.testing.assert_allclose(found["stem_biomass_density"], alive["stem_biomass_density"])


@pytest.mark.slow
def test_filled_heights_move_little_and_widen_by_what_they_are_off(table, curve, trees):
    blank = trees.assign(height=trees["height"].where(np.arange(60) % 3 == 0))
    found = plots_of_trees(blank, [table], "plot_id", "plot_area", curve)
    full = plots_of_trees(trees, [table], "plot_id", "plot_area")
    assert list(found["n_height"]) == [14, 13, 13] or found["n_height"].sum() == 40
    assert (found["stem_biomass_density"] / full["stem_biomass_density"]).between(0.93, 1.07).all()
    # By simulation of heights: their own deviations tree by tree, the curve's for all alike.
    rows, rng = blank["height"].isna(), np.random.default_rng(7)
    mean, single = (curve.predict(blank[rows], kind=k, of="new") for k in ("mean", "individual"))
    ratio = (single["height_upper"] - single["height_lower"]) / (mean["height_upper"] - mean["height_lower"])
    own = mean["height_se"] * np.sqrt(ratio**2 - 1)
    sums = []
    for _ in range(400):
        drawn = blank.copy()
        shift = rng.normal() * mean["height_se"] + rng.normal(size=rows.sum()) * own
        drawn.loc[rows, "height"] = mean["height"] + shift
        stem = table.model().predict(drawn, of="average")["stem"]
        sums.append(stem.groupby(drawn["plot_id"]).sum() / 60)
    base = table.model().total(blank.assign(height=blank["height"].fillna(mean["height"])), by="plot_id")
    expected = np.sqrt((base["stem_se"] / 60) ** 2 + pd.DataFrame(sums).var())
    np.testing.assert_allclose(found["stem_biomass_density_se"], expected, rtol=0.06)


def test_a_component_that_a_model_of_the_plot_lacks_is_blank_there(table, trees):
    both = felled().assign(branch=lambda f: 0.3 * f["stem"] * np.exp(0.1 * np.sin(np.arange(len(f)))))
    fit = sl.fit(both, "stem = a*dbh**b*height**c\nbranch = d*dbh**e", cluster="site", name="made here")
    wider = sl.Table.from_fits([fit], table_id="stem_forest_pinus_massoniana", version="0.1.0")
    lanceolata = sl.Table.from_fits(
        [table.model()],
        table_id="stem_forest_cunninghamia_lanceolata",
        version="0.1.0",
        source={"origin": "measured"},
    )
    mixed = trees.assign(species=["马尾松"] * 30 + ["杉木"] * 30)
    found = plots_of_trees(mixed, [lanceolata, wider], "plot_id", "plot_area")
    assert found["branch_density"].isna().to_dict() == {"007": True, "01": False, "1": True}
    assert found["branch_density_upper"].isna().to_list() == [True, False, True]
    parts = [
        t.model().total(mixed[mixed["species"] == n], by="plot_id")
        for t, n in ((lanceolata, "杉木"), (wider, "马尾松"))
    ]
    assert found["stem_biomass_density"]["1"] == pytest.approx(sum(p["stem"]["1"] for p in parts) / 60)
    assert found["stem_biomass_density_se"]["1"] == pytest.approx(
        np.hypot(*(p["stem_se"]["1"] for p in parts)) / 60
    )


def test_what_cannot_be_added_up_is_refused(table, trees):
    uneven = trees.assign(plot_area=[0.06, 0.07, *[0.06] * 58])
    with pytest.raises(DataError, match="plots without one area above 0: 01"):
        plots_of_trees(uneven, [table], "plot_id", "plot_area")
    with pytest.raises(DataError, match="quadrat"):
        plots_of_trees(trees, [table], "quadrat", 0.06)
    with pytest.raises(DataError, match="every predictor"):
        plots_of_trees(trees.assign(height=np.nan), [table], "plot_id", 0.06)
    other = sl.Table.from_fits(
        [table.model()], table_id="stem_forest_larix", version="0.1.0", source={"origin": "measured"}
    )
    with pytest.raises(DataError, match=r"no table for the trees of: 毛竹 \(60\)"):
        plots_of_trees(trees.assign(species="毛竹"), [table, other], "plot_id", 0.06)


def test_the_command_reads_a_field_file_and_writes_plots(table, trees, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SINKLAB_LANG", "zh")
    folder = table.write(tmp_path / "params")
    headers = {"plot_id": "样地号", "dbh": "胸径(cm)", "height": "树高(m)", "plot_area": "样地面积(亩)"}
    book = trees.assign(plot_area=0.9, 状态="活").rename(columns=headers)
    book.loc[0, "状态"] = "枯立木"
    book.to_excel(tmp_path / "检尺.xlsx", index=False)
    assert (
        main(["plots", str(tmp_path / "检尺.xlsx"), "--table", str(folder), "-o", str(tmp_path / "out.csv")])
        == 0
    )
    told = capsys.readouterr()
    assert "3 块样地 59 株；枯死或采伐 1 株另计" in told.out and "胸径(cm) → dbh" in told.err
    written = pd.read_csv(tmp_path / "out.csv", dtype={"plot_id": str}).set_index("plot_id")
    expected = plots_of_trees(trees.iloc[1:], [table], "plot_id", 0.06)
    np.testing.assert_allclose(written["stem_biomass_density"], expected["stem_biomass_density"], rtol=1e-6)
