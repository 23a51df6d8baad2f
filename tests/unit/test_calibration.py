"""A table moved to one place by the plots measured there: the common factors of its responses."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.cli import main
from sinklab.language import DataError
from sinklab.results.calibration import calibrated
from sinklab.tables.table import Table

TEXT = "agb_density = a * dbh**b * stem_density**c\nbgb_density = r * agb_density**s\ntotal_density = agb_density + bgb_density"


def stands(n_study=25, n=8, factor=None, seed=3, sd=0.25, within=0.15):
    """Plots of studies whose masses are off by a factor of the study, roots by another on top."""
    rng = np.random.default_rng(seed)
    study = np.repeat(np.arange(n_study), n)
    dbh, trees = rng.uniform(6, 30, len(study)), rng.uniform(600, 3000, len(study))
    u, v = rng.normal(0, sd, n_study), rng.normal(0, 0.2, n_study)
    if factor is not None:
        u, v = np.full(n_study, np.log(factor[0])), np.full(n_study, np.log(factor[1]))
    agb = 0.002 * dbh**2 * trees**0.7 * np.exp(u[study] + rng.normal(0, within, len(study)))
    bgb = 0.25 * agb**0.95 * np.exp(v[study] + rng.normal(0, within, len(study)))
    frame = {"study_id": [f"s{i}" for i in study], "dbh": dbh, "stem_density": trees}
    return pd.DataFrame(frame | {"agb_density": agb, "bgb_density": bgb, "total_density": agb + bgb})


@pytest.fixture(scope="module", params=["ols-log", "nsur"])
def fit(request):
    text = TEXT if request.param == "nsur" else "\n".join(TEXT.split("\n")[:1])
    variance = {"variance": "power:mean"} if request.param == "nsur" else {}
    return sl.fit(stands(), text, method=request.param, cluster="study_id", **variance)


def test_thirty_plots_take_the_bias_away(fit):
    """A region with four tenths of the research plots' mass: far off before, right after, means and intervals."""
    region = stands(1, 230, factor=(0.4, 1.2), seed=8)
    few, rest = region[:30], region[30:]
    local = calibrated(fit, few, "county")
    for response in fit.system.responses:
        before, after = (f.predict(rest)[response].sum() / rest[response].sum() for f in (fit, local))
        assert before > 1.8
        assert after == pytest.approx(1, abs=0.08)  # three standard errors of 30 plots
        told = local.predict(rest, kind="individual")
        inside = told[f"{response}_lower"].lt(rest[response]) & told[f"{response}_upper"].gt(rest[response])
        assert 0.88 < inside.mean() < 0.995  # scatter and slope are known from thirty plots
    assert local.between is None and local.label == "county"


@pytest.mark.parametrize("within", [0.05, 0.45])
def test_the_scatter_of_a_place_is_learned_from_its_plots(within):
    """Plots of a quiet and of a ragged place beside a table that knows 0.15: intervals and means follow the place."""
    one = sl.fit(stands(), TEXT.split("\n")[0], method="ols-log", cluster="study_id")
    covered, off = [], []
    for seed in range(20):
        region = stands(1, 230, factor=(0.8, 1), seed=seed, within=within)
        local, rest = calibrated(one, region[:30]), region[30:]
        told = local.predict(rest, kind="individual")
        covered.append(
            (
                told["agb_density_lower"].lt(rest["agb_density"])
                & told["agb_density_upper"].gt(rest["agb_density"])
            ).mean()
        )
        off.append(told["agb_density"].sum() / rest["agb_density"].sum() - 1)
    assert local.residual["agb_density"].sigma == pytest.approx(within, rel=0.35)
    # Three times quieter than the table, a place of thirty plots keeps some of the width of the others.
    assert 0.93 <= np.mean(covered) <= (0.975 if within > 0.15 else 0.998)
    assert abs(np.mean(off)) < 3 * within / np.sqrt(30 * 20) + 0.01


def test_the_update_is_that_of_normal_distributions(monkeypatch):
    """One response on logarithms: mean and variance of the local level as conditioning of a normal says."""
    from sinklab.results.calibration import slope_variance

    monkeypatch.setattr("sinklab.results.calibration.scatter_freedom", lambda: 1e9)
    one = sl.fit(stands(), TEXT.split("\n")[0], method="ols-log", cluster="study_id")
    few = stands(1, 5, factor=(0.6, 1), seed=8)
    local = calibrated(one, few)
    spread, within = (float(m.iloc[0, 0]) for m in (one.between.spread, one.between.within))
    line = np.log(one.predict(few)["agb_density"]) - np.log(one.correction["agb_density"])
    slope = np.column_stack([np.full(5, 1 / one.values[0]), np.log(few[["dbh", "stem_density"]])])
    # The deviations of the plots: a factor shared by all, a slope on the line itself about the middle of the table's
    # range, the coefficients, and the plots themselves.
    middle = pd.DataFrame({k: [np.sqrt(a * b)] for k, (a, b) in one.ranges.items()})
    about = np.log(one.predict(middle)["agb_density"].iloc[0]) - np.log(one.correction["agb_density"])
    tau, tilt = slope_variance(), (line - about).to_numpy()
    total = slope @ one.covariance.to_numpy() @ slope.T + spread + within * np.eye(5)
    total += tau * np.outer(tilt, tilt)
    away = np.log(few["agb_density"]) - line - np.log(one.correction["agb_density"])
    centre = one.between.centre.iloc[0]
    at = pd.DataFrame({"dbh": [15.0], "stem_density": [1500.0]})
    x = np.r_[1 / one.values[0], np.log(at.to_numpy()[0])]
    here = np.log(one.predict(at)["agb_density"].iloc[0] / one.correction["agb_density"]) - about
    cross = slope @ one.covariance.to_numpy() @ x + spread + tau * tilt * here
    moved = centre + cross @ np.linalg.solve(total, away - centre)
    left = x @ one.covariance.to_numpy() @ x + spread + tau * here**2 - cross @ np.linalg.solve(total, cross)
    told = local.predict(at)
    expected = one.predict(at)["agb_density"].iloc[0] * np.exp(moved + within / 2)
    assert told["agb_density"].iloc[0] == pytest.approx(expected, rel=2e-3)
    assert told["agb_density_se"].iloc[0] / told["agb_density"].iloc[0] == pytest.approx(
        np.sqrt(left), rel=0.03
    )
    # No plot of the place: nothing is learned but its uncertainty kept.
    assert left < spread


def test_roots_of_a_place_follow_from_shoots_alone(fit):
    if "bgb_density" not in fit.system.free:
        pytest.skip("one response")
    region = stands(1, 60, factor=(0.5, 1.0), seed=5)
    local = calibrated(fit, region[["dbh", "stem_density", "agb_density"]].head(30))
    rest = region[30:]
    before, after = (f.predict(rest)["bgb_density"].sum() / rest["bgb_density"].sum() for f in (fit, local))
    # Roots follow shoots as far as they did between the studies.
    assert abs(np.log(after)) < 0.5 * abs(np.log(before))


def test_a_table_is_calibrated_on_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "en")
    fit = sl.fit(stands(), TEXT.split("\n")[0], method="ols-log", cluster="study_id")
    source = {"origin": "measured", "title": "plots"}
    folder = Table.from_fits([fit], "agb_density_forest_larix", "0.1.0", source=source).write(tmp_path)
    region = stands(1, 90, factor=(0.4, 1), seed=8)
    region[:30].to_csv(tmp_path / "own.csv", index=False)
    region[30:].drop(columns=["agb_density", "bgb_density", "total_density"]).to_csv(
        tmp_path / "new.csv", index=False
    )
    command = ["predict", str(folder), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out.csv")]
    assert main([*command, "--calibrate", str(tmp_path / "own.csv")]) == 0
    assert "calibrated with 30 records" in capsys.readouterr().err
    told = sl.read_csv(tmp_path / "out.csv")["agb_density"].sum()
    assert told == pytest.approx(region[30:]["agb_density"].sum(), rel=0.05)


def test_a_second_calibration_is_refused(fit):
    local = calibrated(fit, stands(1, 10))
    with pytest.raises(DataError, match="does not know how places differ"):
        calibrated(local, stands(1, 10))


def test_a_table_says_whom_it_speaks_for_and_warns_of_age_alone(monkeypatch):
    from sinklab.results.summary import speaks_for

    monkeypatch.setenv("SINKLAB_LANG", "en")
    frame = stands()
    frame["age"] = frame["dbh"]
    by_size = sl.fit(frame, TEXT.split("\n")[0], method="ols-log", cluster="study_id")
    by_age = sl.fit(frame, "agb_density = a * age**b", method="ols-log", cluster="study_id")
    assert "a new place like the 25 sampled (study)" in speaks_for(by_size)[0]
    assert len(speaks_for(by_size)) == 1
    assert "by age alone" in speaks_for(by_age)[1]
    assert "30 records of the calibration" in speaks_for(calibrated(by_size, frame[:30]))[0]


def test_the_population_is_one_sentence_with_the_way_places_were_chosen_sizes_and_pedigree(fit, monkeypatch):
    from dataclasses import replace

    from sinklab.results.calibration import pedigree
    from sinklab.results.summary import population_sentence

    for lang, wanted in (
        ("zh", ("为研究而选定", "来源评分 0.58")),
        ("en", ("chosen on purpose", "pedigree 0.58")),
    ):
        monkeypatch.setenv("SINKLAB_LANG", lang)
        told = {"selection": "purposive", "place": "coordinates", "method": "mixed", "measured": 0.8}
        text = population_sentence(replace(fit, source=fit.source | {"population": told}))
        assert "\n" not in text and all(w in text for w in wanted)
        low, high = fit.ranges["dbh"]
        assert f"{low:.4g}–{high:.4g} cm" in text
    # An inventory whose every value was measured scores all there is; nothing told scores nothing.
    best = {
        "selection": "inventory",
        "place": "coordinates",
        "time": "year",
        "method": "weighed",
        "measured": 1,
    }
    assert pedigree(best)[0] == 1 and pedigree(None)[0] == 0
    with pytest.raises(DataError, match="no population: selection grid"):
        pedigree({"selection": "grid"})
    with pytest.raises(DataError, match=r"measured 1\.5"):
        pedigree({"measured": 1.5})


PURPOSIVE = {
    "selection": "compilation",
    "place": "coordinates",
    "time": "year",
    "method": "mixed",
    "measured": 0.8,
}


def by_age(population, n=30, seed=3):
    """Stands of many studies by age alone, chosen as ``population`` says."""
    frame = stands(n, 20, seed=seed)
    frame["age"] = frame["dbh"] * 1.5
    frame["growing_stock"] = 2 * frame["agb_density"]
    frame.attrs["source"] = {"spec": "open:x", "origin": "measured", "population": population}
    return sl.fit(frame, "growing_stock = a * age**b", method="ols-log", cluster="study_id")


def test_research_plots_are_widened_for_a_region_and_an_inventory_is_not():
    """The variance is that of the rule for these predictors; the mean stays; nothing is widened twice."""
    from sinklab.results.calibration import between_populations, widened

    fit = by_age(PURPOSIVE)
    wide = widened(fit)
    selection, regional = between_populations(["age"], "growing_stock", PURPOSIVE)
    assert selection > 0.2 > regional > 0.05
    grown = wide.between.spread.iloc[0, 0] - fit.between.spread.iloc[0, 0]
    assert grown == pytest.approx(selection)
    at = pd.DataFrame({"age": [20.0]})
    narrow, told = (f.predict(at, kind="individual").iloc[0] for f in (fit, wide))
    assert told["growing_stock"] == pytest.approx(narrow["growing_stock"])
    halves = [np.log(p["growing_stock_upper"] / p["growing_stock_lower"]) for p in (narrow, told)]
    freedom = [f.residual["growing_stock"].sigma ** 2 for f in (fit, wide)]
    assert freedom[1] - freedom[0] == pytest.approx(selection) and halves[1] > 1.5 * halves[0]
    assert widened(wide) is wide
    for other in (None, {**PURPOSIVE, "selection": "inventory"}):
        assert widened(by_age(other)).between.spread.iloc[0, 0] == pytest.approx(
            fit.between.spread.iloc[0, 0]
        )
    # Worse told, wider: a station of which nothing else is known.
    assert between_populations(["age"], "growing_stock", {"selection": "station"})[0] > selection
    assert between_populations(["dbh", "stem_density"], "growing_stock", PURPOSIVE)[0] < 0.1 * selection
    assert between_populations(["dbh"], "stem", PURPOSIVE) == (0.0, 0.0)


def test_a_region_far_below_the_table_is_reached_with_thirty_plots():
    """A factor is moved as a logarithm: linear steps would take a county of a third of the mass below nought."""
    from sinklab.results.calibration import widened

    fit = widened(by_age(PURPOSIVE))
    rng = np.random.default_rng(1)
    age = rng.uniform(10, 60, 400)
    region = pd.DataFrame({"age": age})
    line = fit.predict(region)["growing_stock"].to_numpy()
    region["growing_stock"] = 0.3 * line * np.exp(rng.normal(0, 0.25, 400) - 0.03)
    local = calibrated(fit, region[:30])
    told = local.predict(region[30:], kind="individual")
    assert (told["growing_stock"] > 0).all()
    off = [
        f.predict(region[30:])["growing_stock"].sum() / region[30:]["growing_stock"].sum() - 1
        for f in (fit, local)
    ]
    assert off[0] > 2 and abs(off[1]) < 0.06
    inside = told["growing_stock_lower"].lt(region["growing_stock"]) & told["growing_stock_upper"].gt(
        region["growing_stock"]
    )
    assert inside[30:].mean() > 0.92


def by_size(population):
    """The same plots by mean diameter and stem density."""
    frame = stands(30, 20)
    frame.attrs["source"] = {"spec": "open:x", "origin": "measured", "population": population}
    return sl.fit(frame, TEXT.split("\n")[0], method="ols-log", cluster="study_id")


def test_a_table_carries_the_spread_between_populations(tmp_path):
    from sinklab.results.calibration import widened

    wide = widened(by_size(PURPOSIVE))
    source = {"origin": "measured", "title": "plots"}
    folder = Table.from_fits([wide], "agb_density_forest_larix", "0.1.0", source=source).write(tmp_path)
    read = Table.read(folder).models[0]
    assert read.between.population.to_numpy() == pytest.approx(wide.between.population.to_numpy())
    assert widened(read) is read


def test_stands_of_one_region_share_what_populations_differ():
    """A thousand stands are no more certain together than the population allows."""
    from sinklab.propagate.stands import prepare
    from sinklab.propagate.stocks import stock
    from sinklab.results.calibration import widened

    told = {}
    for name, fit in (("sampled", by_size(None)), ("region", widened(by_size(PURPOSIVE)))):
        source = {"origin": "measured", "title": "plots"}
        table = Table.from_fits([fit], "agb_density_forest_larix", "0.1.0", source=source)
        sizes = {"dbh": np.linspace(10, 25, 1000), "stem_density": np.linspace(2500, 800, 1000)}
        frame = pd.DataFrame(sizes | {"area_ha": 1.0, "species": "larix"})
        found = stock(prepare(frame, area="area_ha"), [table], mapping={"larix": table.table_id})
        draws = found.draws.sum(axis=0)
        told[name] = np.log(draws).std()
        if name == "region":
            expected = np.hypot(np.sqrt(fit.between.population.iloc[0, 0]), told["sampled"])
            assert told[name] == pytest.approx(expected, rel=0.1)
            assert draws.mean() == pytest.approx(found.estimate.sum(), rel=0.05)
    assert told["sampled"] < 0.5 * told["region"]


def test_stocks_are_calibrated_with_the_plots_of_their_species(tmp_path, capsys, monkeypatch):
    """Two tables, one of them far off here: thirty plots take that bias away and leave the other table alone."""
    monkeypatch.setenv("SINKLAB_LANG", "en")
    source, refs = {"origin": "measured", "title": "plots"}, []
    for name, seed in (("larix", 3), ("betula", 4)):
        fit = sl.fit(stands(seed=seed), TEXT.split("\n")[0], method="ols-log", cluster="study_id")
        refs.append(
            Table.from_fits([fit], f"agb_density_forest_{name}", "0.1.0", source=source).write(tmp_path)
        )
    region = stands(1, 330, factor=(0.4, 1), seed=8).assign(species="larix", area_ha=1.0)
    birch = stands(1, 100, factor=(1.0, 1), seed=9).assign(species="betula", area_ha=1.0)
    pd.concat([region[:30], birch[:1].assign(species="oak")]).to_csv(tmp_path / "own.csv", index=False)
    rest = pd.concat([region[30:], birch])
    rest.drop(columns=["agb_density", "bgb_density", "total_density"]).to_csv(
        tmp_path / "new.csv", index=False
    )
    command = [
        "stock",
        str(tmp_path / "new.csv"),
        "--area",
        "area_ha",
        "--table",
        *map(str, refs),
        "--by",
        "species",
    ]
    command += ["--map", "larix=agb_density_forest_larix", "--map", "betula=agb_density_forest_betula"]
    command += ["--carbon-fraction", "0.5", "-o"]
    told = {}
    for name, more in (("before", []), ("after", ["--calibrate", str(tmp_path / "own.csv")])):
        assert main([*command, str(tmp_path / name), *more]) == 0
        summary = sl.read_csv(tmp_path / name / "stocks.csv")
        told[name] = summary[summary["level"] == "species"].set_index("species")["carbon_t"]
    said = capsys.readouterr().err
    assert "calibrated with 30 records" in said and "1 records of the calibration belong to no model" in said
    measured = rest.groupby("species")["agb_density"].sum() / 2
    assert told["before"]["larix"] / measured["larix"] > 1.8
    assert told["after"]["larix"] == pytest.approx(measured["larix"], rel=0.06)
    assert told["after"]["betula"] == told["before"]["betula"]


def test_stands_of_other_stocking_are_told_of(monkeypatch):
    """A table by age of plots of 600 to 3,000 stems: no word to stands of as many, a warning to stands of a third."""
    from sinklab.results.summary import speaks_for

    monkeypatch.setenv("SINKLAB_LANG", "en")
    fit = by_age(PURPOSIVE)
    told = fit.source["stocking"]
    assert told == sorted(told) and 600 < told[0] < told[1] < told[2] < 3000
    alike, thin = (
        pd.DataFrame({"stem_density": np.linspace(*ends, 50)}) for ends in ((700, 2900), (300, 900))
    )
    assert len(speaks_for(fit, alike)) == len(speaks_for(fit)) == 2
    assert f"600 stems per hectare (median), the plots of the table {told[1]:.0f}" in speaks_for(fit, thin)[2]
    assert "stocking" not in by_size(None).source and len(speaks_for(by_size(None), thin)) == 1


def test_stands_lower_at_one_diameter_are_told_of(tmp_path, capsys, monkeypatch):
    """A table by diameter and stems that asks for no height: predict and stock say so of stands a sixth lower, once."""
    from sinklab.results.summary import speaks_for

    monkeypatch.setenv("SINKLAB_LANG", "en")
    frame = stands()
    height = 2.5 * frame["dbh"] ** 0.6
    frame["height"] = height * np.exp(np.random.default_rng(1).normal(0, 0.1, len(frame)))
    fit = sl.fit(frame, TEXT.split("\n")[0], method="ols-log", cluster="study_id")
    level, slope, low, high = fit.source["heights"]
    assert (np.exp(level), slope) == pytest.approx(
        (2.5, 0.6), rel=0.08
    ) and 0.8 < low < 0.95 < 1.05 < high < 1.2
    lower = frame.assign(height=height / 1.2)
    assert (
        len(speaks_for(fit, frame)) == 1 and "16 % lower at equal mean diameter" in speaks_for(fit, lower)[1]
    )
    assert len(speaks_for(calibrated(fit, lower[:30]), lower)) == 1
    folder = Table.from_fits(
        [fit], "agb_density_forest_larix", "0.1.0", source={"origin": "measured", "title": "plots"}
    ).write(tmp_path)
    lower.drop(columns=["agb_density", "bgb_density", "total_density"]).to_csv(
        tmp_path / "new.csv", index=False
    )
    assert main(["predict", str(folder), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out.csv")]) == 0
    assert capsys.readouterr().err.count("lower at equal mean diameter") == 1


def test_a_table_by_diameter_and_stems_asks_for_heights_where_nobody_tells_them(monkeypatch):
    """Not of an inventory, nor of data that do not say how they were chosen, nor where the stands tell heights that are alike."""
    from sinklab.results.summary import speaks_for

    monkeypatch.setenv("SINKLAB_LANG", "en")
    sizes, fit = stands()[["dbh", "stem_density"]], by_size(PURPOSIVE)
    (_, told) = speaks_for(fit, sizes)
    assert "19 % too much, with heights 4 %" in told and "needs calibration" in told
    silent = (by_size(None), by_size({**PURPOSIVE, "selection": "inventory"}), calibrated(fit, stands(1, 30)))
    assert [len(speaks_for(one, sizes)) for one in silent] == [1, 1, 1]
    assert len(speaks_for(fit, sizes.assign(height=12.0))) == len(speaks_for(fit)) == 1


def test_predict_tells_of_stands_of_other_stocking(tmp_path, capsys, monkeypatch):
    """As stock does, by the same words; not a second time once calibrated."""
    monkeypatch.setenv("SINKLAB_LANG", "en")
    frame = stands()
    fit = sl.fit(frame, "agb_density = a * dbh**b", method="ols-log", cluster="study_id")
    source = {"origin": "measured", "title": "plots"}
    folder = Table.from_fits([fit], "agb_density_forest_larix", "0.1.0", source=source).write(tmp_path)
    thin = stands(1, 60).assign(stem_density=np.linspace(200, 500, 60))
    thin[:30].to_csv(tmp_path / "own.csv", index=False)
    thin[30:].drop(columns=["agb_density", "bgb_density", "total_density"]).to_csv(
        tmp_path / "new.csv", index=False
    )
    command = ["predict", str(folder), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out.csv")]
    for more, n in (([], 1), (["--calibrate", str(tmp_path / "own.csv")], 0)):
        assert main([*command, *more]) == 0
        assert capsys.readouterr().err.count("stems per hectare (median)") == n


def test_a_tree_list_is_calibrated_with_trees_weighed_at_the_place(tmp_path, capsys, monkeypatch):
    """Trees of the place weigh six tenths of the table: plots of a tree list follow after thirty of them were weighed."""
    monkeypatch.setenv("SINKLAB_LANG", "en")
    rng = np.random.default_rng(2)

    def trees(n, factor, sd):
        dbh, unit = rng.uniform(5, 30, n), np.arange(n) // 10
        level = factor * np.exp(rng.normal(0, sd, unit.max() + 1))[unit]
        return pd.DataFrame(
            {"site_id": unit, "dbh": dbh, "agb": 0.1 * dbh**2.4 * level * np.exp(rng.normal(0, 0.15, n))}
        )

    fit = sl.fit(trees(250, 1.0, 0.25), "agb = a * dbh**b", method="ols-log", cluster="site_id")
    source = {"origin": "measured", "title": "trees"}
    folder = Table.from_fits([fit], "agb_forest_larix", "0.1.0", source=source).write(tmp_path)
    place = trees(330, 0.6, 0.0).assign(plot_id=np.arange(330) % 5)
    place[:30].to_csv(tmp_path / "own.csv", index=False)
    place[30:].drop(columns="agb").to_csv(tmp_path / "list.csv", index=False)
    command = ["plots", str(tmp_path / "list.csv"), "--table", str(folder), "--area", "0.06"]
    weighed = place[30:].groupby("plot_id")["agb"].sum() / 60
    for more, low, high in (([], 1.4, 2.2), (["--calibrate", str(tmp_path / "own.csv")], 0.92, 1.08)):
        assert main([*command, *more, "-o", str(tmp_path / "out.csv")]) == 0
        told = sl.read_csv(tmp_path / "out.csv").set_index("plot_id")
        assert low < told["agb_density"].sum() / weighed.sum() < high
    assert "calibrated with 30 records" in capsys.readouterr().err
    # What thirty trees leave open all plots share; over forty such places 95.5 % of the plots are inside.
    inside = told["agb_density_lower"].lt(weighed) & told["agb_density_upper"].gt(weighed)
    assert inside.mean() >= 0.6


def test_printed_equations_and_stands_say_whom_they_speak_for(monkeypatch):
    """Pooled published equations, and a fit of printed stands: how they were chosen, and a spread for a region by the rule."""
    from sinklab.data.open_data import load
    from sinklab.evidence import pool_equations
    from sinklab.results.calibration import between_populations, pedigree
    from sinklab.results.summary import population_sentence

    monkeypatch.setenv("SINKLAB_LANG", "en")
    pooled = pool_equations.default_equation("agb", "pinus_massoniana")
    text = population_sentence(pool_equations.as_result(pooled))
    assert f"the {len(pooled.rows)} sampled (site), printed in publications" in text
    assert "pedigree 0.58 of 1" in text
    stands = load("literature:stand_biomass").attrs["source"]["population"]
    assert stands["selection"] == "published" and pedigree(stands)[0] == pytest.approx(0.46)
    # Told less of than a compilation with places and years, and wider by as much.
    wider = between_populations(["age"], "agb_density", stands)[0]
    assert wider / between_populations(["age"], "agb_density", PURPOSIVE)[0] == pytest.approx(1.54 / 1.24)


def test_values_say_whom_they_speak_for_and_how_much_wider_a_region_is(tmp_path, monkeypatch):
    """Selection, place, time, method and share measured of what they were made from; a mass per hectare takes the rule's spread."""
    from sinklab.results.calibration import between_populations
    from sinklab.results.summary import values_sentence

    monkeypatch.setenv("SINKLAB_LANG", "en")
    values = pd.DataFrame(
        {"name": ["cf", "mass"], "group": "", "variable": ["carbon_fraction", "agb_density"]}
    )
    values = values.assign(unit=["1", "t/ha"], mean=[0.5, 80.0], n_study=[4, 12], sources="x")
    values.attrs["source"] = {"name": "x", "origin": "measured", "title": "x", "population": PURPOSIVE}
    both, fractions = values_sentence(values, [values.attrs["source"]]), values_sentence(values[:1], [{}])
    assert (
        "like those of 12 studies or fewer (compiled from studies that chose their places on purpose" in both
        and "pedigree 0.76" in both
    )
    plain = values_sentence(values, [values.attrs["source"]], with_score=False)  # the text of a draft
    assert plain == both.replace("; pedigree 0.76 of 1", "")
    wider = np.exp(1.96 * np.sqrt(between_populations((), "agb_density", PURPOSIVE)[0]))
    assert f"up to {wider:.1f} times more or less" in both and wider > 2.5
    assert "chosen in a way that is not stated; pedigree 0.00" in fractions and "times" not in fractions
    # Of several origins the one that is told worst counts; a table prints the sentence when it is written and read.
    station = {"population": PURPOSIVE | {"selection": "station", "place": ""}}
    assert "research stations" in values_sentence(values, [values.attrs["source"], station])
    table = Table.from_values(values, "values_forest_larix", "0.1.0")
    assert both in Table.read(table.write(tmp_path)).summary()


@pytest.mark.parametrize(
    ("lang", "said"), [("zh", "胸径 8–24 cm，株数密度 700–4000 株/hm²"), ("en", " 1/ha; pedigree")]
)
def test_sizes_are_told_in_the_units_that_people_print(lang, said, monkeypatch):
    from sinklab.results.summary import population_sentence

    monkeypatch.setenv("SINKLAB_LANG", lang)
    stands = pd.DataFrame({"dbh": [8.0, 12, 16, 24], "stem_density": [4000.0, 2100, 1600, 700]})
    stands["agb_density"] = [50.0, 80, 120, 170]
    fit = sl.fit(stands, "agb_density = a * dbh**b * stem_density", cluster="none", name="stands")
    assert said in population_sentence(fit)
