"""Stand models on nested levels: the engine against a peer, its rows, results, calibration, and what was kept back."""

import re

import numpy as np
import pandas as pd
import pytest

from sinklab.assess import validation
from sinklab.evidence import national
from sinklab.language import DataError
from sinklab.results import prediction
from sinklab.results.calibration import calibrated


def plots(seed=1, n=900):
    """Stands of twelve species in six genera of two types; parts of the country, studies and places have factors of their own."""
    rng = np.random.default_rng(seed)
    species, study = rng.integers(0, 12, n), rng.integers(0, 60, n)
    place = study * 3 + rng.integers(0, 3, n)
    dbh, trees = rng.uniform(5, 30, n), rng.uniform(500, 4000, n)
    kind = species // 6
    effects = [rng.normal(0, sd, size) for sd, size in ((0.1, 12), (0.15, 6), (0.12, 60), (0.1, 180))]
    log = 0.5 + 2.0 * np.log(dbh / 15) + (0.6 + 0.1 * kind) * np.log(trees / 2000) + 4
    log += (
        effects[0][species]
        + effects[1][species // 2]
        + effects[2][study]
        + effects[3][place]
        + rng.normal(0, 0.15, n)
    )
    cell, more = study % 15, np.random.default_rng(seed + 100)
    log += more.normal(0, 0.1, (2, 15))[kind, cell]
    frame = {"dbh": dbh, "stem_density": trees, "agb_density": np.exp(log), "study": [f"s{i}" for i in study]}
    frame |= {"place": [f"p{i}" for i in place], "forest_type": [f"t{i}" for i in kind]}
    frame |= {"cell": [f"c{i}" for i in cell]}
    frame |= {"family": [f"f{i}" for i in kind], "genus": [f"g{i // 2}" for i in species]}
    return pd.DataFrame(frame | {"species": [f"g{i // 2} s{i}" for i in species]})


@pytest.fixture(scope="module")
def found():
    return national.fit(plots(), "agb_density", ("dbh", "stem_density"))


def test_the_solution_is_that_of_the_whole_covariance(found):
    """Henderson's equations with absorbed places against generalised least squares with the full matrix."""
    frame, spreads = found.frame, found.spreads
    x, y = national.design(frame, found.predictors, found.centre), np.log(frame["agb_density"].to_numpy())
    total = spreads["residual"] ** 2 * np.eye(len(frame))
    for level in ("family", "genus", "species", "forest_type", "study", "place"):
        total += spreads[level] ** 2 * (frame[level].to_numpy()[:, None] == frame[level].to_numpy())
    same = frame["forest_type"].to_numpy()[:, None] == frame["forest_type"].to_numpy()
    part = frame["cell"].to_numpy()[:, None] == frame["cell"].to_numpy()
    total += spreads["cell"] ** 2 * (same & part)
    for j, name in enumerate(found.predictors, 1):
        total += spreads[f"forest_type:{name}"] ** 2 * same * np.outer(x[:, j], x[:, j])
    inverse = np.linalg.inv(total)
    covariance = np.linalg.inv(x.T @ inverse @ x)
    beta = covariance @ x.T @ inverse @ y
    assert found.mean[:3] == pytest.approx(beta, abs=1e-8)
    assert found.covariance[:3, :3] == pytest.approx(covariance, rel=1e-6)
    # The effect of a genus is its best linear unbiased prediction.
    z = (frame["genus"] == "g3").to_numpy(float)
    blup = spreads["genus"] ** 2 * z @ inverse @ (y - x @ beta)
    at = found.columns.index(("genus", "g3"))
    assert found.mean[at] * spreads["genus"] == pytest.approx(blup, abs=1e-8)


def test_spreads_are_found(found):
    told = {k: found.spreads[k] for k in ("cell", "study", "place", "residual")}
    assert told == pytest.approx({"cell": 0.1, "study": 0.12, "place": 0.1, "residual": 0.15}, abs=0.04)


def test_a_species_nobody_measured_leans_on_its_genus_and_is_wider(found):
    own, genus = (dict(forest_type="t0", family="f0", genus="g1", species=s) for s in ("g1 s2", "g1 new"))
    (_, narrow, none), (_, wide, unseen) = found.coefficients(own), found.coefficients(genus)
    assert none == 0 and unseen == pytest.approx(found.spreads["species"] ** 2)
    assert wide[0, 0] > narrow[0, 0]


def test_studies_left_out_are_covered(found):
    told = national.left_out(found)
    assert 0.93 <= told["inside"].mean() <= 0.975
    assert told["predicted"].sum() / told["observed"].sum() == pytest.approx(1, abs=0.05)


def test_parts_of_the_country_left_out_are_covered_with_variances_that_never_saw_them():
    """A part left out, its variances too: intervals hold. The chance of plots that share parts is wider than the binomial."""
    found = national.scaled(national.fit(plots(), "agb_density", ("dbh", "stem_density")))
    told = national.left_out(found, "cell", again=True)
    assert 0.93 <= told["inside"].mean() <= 0.975
    assert (told["level"] == "species").all()
    drawn = validation.drawn_away(told, found.spreads, n=400)
    assert drawn.std() == pytest.approx(1, abs=0.05)
    for row in validation.scores(told, drawn=drawn).to_dict("records"):
        assert row["error"] == pytest.approx(100 * np.sqrt(0.95 * 0.05 / row["n"]))
        assert row["high"] - row["low"] > 3.92 * row["error"] and row["low"] < 95 < row["high"]
        assert row["bias_low"] < row["bias"] < row["bias_high"] and national.is_held(row)[1] != "no"


def test_a_type_that_scatters_more_is_wider_by_as_much_as_its_parts_tell():
    """One type with twice the standard deviation: its variance rises with the degrees of freedom of parts, not of plots."""
    frame, rng = plots(), np.random.default_rng(9)
    loud = frame["forest_type"].eq("t1").to_numpy()
    of_cell = dict(zip(sorted(set(frame["cell"])), rng.normal(0, 0.4, 15), strict=True))
    frame.loc[loud, "agb_density"] *= np.exp(
        frame.loc[loud, "cell"].map(of_cell) + rng.normal(0, 0.25, loud.sum())
    )
    found = national.scaled(national.fit(frame, "agb_density", ("dbh", "stem_density")))
    assert found.scales["t1"] > 1.15 > 0.9 > found.scales["t0"]
    assert found.held["t1"] < 200 < loud.sum() and found.freedom_of("t1") <= found.freedom


def test_a_class_holds_holds_by_chance_or_does_not():
    row = {"coverage": 95.0, "low": 88.0, "high": 100.0, "bias": 4.0, "bias_low": -20.0, "bias_high": 25.0}
    assert national.is_held(row) == ("yes", "yes")
    assert national.is_held(row | {"coverage": 90.0, "bias": 12.0}) == ("chance", "chance")
    assert national.is_held(row | {"coverage": 87.0, "bias": -30.0}) == ("no", "no")


def test_the_scorecard_puts_rows_scores_and_tables_in_their_place(tmp_path, monkeypatch, capsys):
    """Two runs leave what one leaves; rows of another model stay."""
    from sinklab.cli import main

    monkeypatch.setenv("SINKLAB_LANG", "en")
    frame = plots(n=400).assign(set="eurasia_plots")
    frame.attrs["notes"] = ["made up"]
    monkeypatch.setattr(national, "stands", lambda: frame)
    assert main(["scorecard", "agb_by_size", "-o", str(tmp_path)]) == 0
    folder = tmp_path / "data" / "literature" / "equations"
    first = {name: (folder / name).read_text("utf-8") for name in ("stands.csv", "stands_left_out.csv")}
    page = tmp_path / "reports" / "scorecard_national.md"
    (folder / "stands.csv").write_text(
        first["stands.csv"]
        + first["stands.csv"].splitlines()[-1].replace("agb_by_size", "litter_by_agb")
        + "\n"
    )
    page.write_text("# A page\n\n" + page.read_text("utf-8") + "\nwords\n", encoding="utf-8")
    assert main(["scorecard", "agb_by_size", "-o", str(tmp_path)]) == 0
    assert (folder / "stands.csv").read_text("utf-8").startswith(first["stands.csv"])
    assert "litter_by_agb" in (folder / "stands.csv").read_text("utf-8")
    assert (folder / "stands_left_out.csv").read_text("utf-8") == first["stands_left_out.csv"]
    text = page.read_text("utf-8")
    assert (
        text.startswith("# A page") and text.rstrip().endswith("words") and text.count("| cell | size |") == 3
    )
    assert "| species | all |" in text and "| cell | level | species |" in text
    assert "of 2 types hold" in capsys.readouterr().out
    assert main(["scorecard", "agb_by_soize", "-o", str(tmp_path)]) == 2


def test_a_slip_of_print_is_named_and_left_out():
    frame = plots()
    frame.loc[7, "agb_density"] *= 30
    found = national.fit(frame, "agb_density", ("dbh", "stem_density"))
    assert len(found.far) == 1 and len(found.frame) == len(frame) - 1


def test_few_stands_are_refused():
    with pytest.raises(DataError, match="20 stands of"):
        national.fit(plots().head(20), "agb_density", ("dbh", "stem_density"))


# What the repository carries.


def fir(seed=4, n=130, factor=1.0):
    """Inventory plots of a region: thin stands, and a level of their own."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"dbh": rng.uniform(6, 22, n), "stem_density": rng.uniform(600, 3500, n)})
    line = national.as_result("agb_by_size", TAXON).predict(frame)
    agb = line["agb_density"] * factor * np.exp(rng.normal(0, 0.18, n) - 0.016)
    return frame.assign(
        agb_density=agb, bgb_density=line["bgb_density"] * factor * np.exp(rng.normal(0, 0.2, n))
    )


TAXON = {"species": "Cunninghamia lanceolata", "genus": "Cunninghamia", "forest_type": "chinese_fir"}


def test_components_add_up_and_intervals_are_of_a_new_place():
    fit = national.as_result("agb_by_size", TAXON)
    at = pd.DataFrame({"dbh": [10.1, 17.5], "stem_density": [2558.0, 1702.0]})
    one, mean, average = (fit.predict(at, **o) for o in ({"kind": "individual"}, {}, {"of": "average"}))
    assert (one["agb_density"] + one["bgb_density"]).to_numpy() == pytest.approx(
        one["total_density"].to_numpy()
    )
    width = [float((p["agb_density_upper"] / p["agb_density_lower"]).iloc[0]) for p in (one, mean, average)]
    assert width[0] > width[1] > width[2]
    # Means of the ten and the twenty open plots of about these sizes.
    assert mean["agb_density"].to_numpy() == pytest.approx([48.7, 130.6], rel=0.25)
    assert 0.15 < float((mean["bgb_density"] / mean["agb_density"]).iloc[0]) < 0.35


def test_thirty_plots_of_a_region_calibrate_the_national_model():
    fit, region = national.as_result("agb_by_size", TAXON), fir(factor=0.7)
    local = calibrated(fit, region[:30])
    rest = region[30:]
    for response in ("agb_density", "bgb_density"):
        before, after = (f.predict(rest)[response].sum() / rest[response].sum() - 1 for f in (fit, local))
        assert before > 0.3 and abs(after) < 0.08
    told = local.predict(rest, kind="individual")
    inside = told["agb_density_lower"].lt(rest["agb_density"]) & told["agb_density_upper"].gt(
        rest["agb_density"]
    )
    assert inside.mean() > 0.9


def test_the_narrowest_level_answers():
    assert national.best("agb_by_size", TAXON)["rank"] == "species"
    assert national.best("agb_by_size", TAXON | {"species": "Cunninghamia konishii"})["rank"] == "genus"
    other = {"species": "Nothing x", "genus": "Nothing", "forest_type": "chinese_fir"}
    assert national.best("agb_by_size", other)["rank"] == "forest_type"
    with pytest.raises(DataError, match="no plot of"):
        national.as_result("agb_by_size", {"species": "Nothing x"})


@pytest.mark.parametrize("model_id", ["agb_by_size", "agb_by_basal_area", "stock_by_size"])
def test_every_curve_runs_where_plots_are(model_id):
    """Stems fall where diameters rise: no curve of any taxon comes a fifth above the heaviest plot of the compilation."""
    rows = national.known()
    most = 1.2 * {"agb_density": 548.8, "growing_stock": 1498.0}[national.models()[model_id]["response"]]
    for row in rows[rows["model_id"] == model_id].to_dict("records"):
        fit = national.as_result(
            model_id, {"forest_type": row["forest_type"], row["rank"]: row["taxon"]}, row["taxon"]
        )
        path = prediction.curve_data(fit)
        assert (fit.range_note(path) != "").mean() < 0.02
        assert fit.means(fit.columns(path))[fit.system.free[0]].max() < most
        if "stem_density" in path and row["n"] > 30:
            assert path["stem_density"].iloc[0] > path["stem_density"].iloc[-1]


@pytest.mark.open_data
def test_the_rows_are_made_from_the_open_plots(open_data):
    stands = national.stands()
    assert stands["set"].value_counts().to_dict() == {"eurasia_plots": 2380, "groa_china": 2046}
    for model_id in ("agb_by_size", "stock_by_basal_area", "stock_by_size_height", "bgb_by_agb"):
        found = national.fit_model(stands, model_id)
        made = national.estimates(found, model_id).reset_index(drop=True)
        kept = national.known()
        kept = kept[kept["model_id"] == model_id].reset_index(drop=True)
        assert list(made["taxon"]) == list(kept["taxon"])
        slopes = [f"slope_{j + 1}" for j in range(len(found.predictors))]
        for column in ("level", *slopes, "between", "within"):
            assert made[column].to_numpy() == pytest.approx(kept[column].to_numpy(), abs=0.01)
        for column in [c for c in made if c == "reach" or c.startswith(("middle", "s1", "s2", "s3"))]:
            same = pytest.approx(kept[column].to_numpy(float), rel=1e-4, abs=1e-6, nan_ok=True)
            assert made[column].to_numpy() == same
        if model_id == "bgb_by_agb":
            # Print that tells of no fixed share is all that roots are taken from.
            assert kept.set_index("taxon").loc["Pinus tabuliformis", "n"] == 82
            continue
        told = national.left_out(found, "study")
        assert 93 <= 100 * told["inside"].mean() <= 97
        assert abs(told["predicted"].sum() / told["observed"].sum() - 1) < 0.05


def left_out_rows():
    """Scores of every model and type in parts of the country without plots, as the repository carries them."""
    from sinklab.data.files import records

    numbers = ("n", "n_left", "bias", "bias_low", "bias_high", "RMSE", "coverage", "error", "low", "high")
    return pd.DataFrame(records("literature", *national.LEFT_OUT, numbers=numbers))


def test_a_type_that_comes_out_off_where_no_plot_is_from_is_told_of(monkeypatch):
    """Birch by diameter and stems is told of; by diameter and stems fir is right, and nothing is said."""
    monkeypatch.setenv("SINKLAB_LANG", "en")
    rows = left_out_rows()
    assert (
        set(rows["model_id"]) == set(national.models()) and not rows.duplicated(["model_id", "class"]).any()
    )
    row = rows.set_index(["model_id", "class"]).loc[("agb_by_size", "poplar_birch")]
    assert row["bias"] < -10 and national.is_held(row) == ("no", "chance")
    (told,) = national.as_result("agb_by_size", {"forest_type": "poplar_birch"}).warnings
    assert (
        f"51 stands of such forest came out {-row['bias']:.0f} % too little" in told and "calibrate" in told
    )
    assert national.as_result("agb_by_size", TAXON).warnings == ()
    # A type of few plots is judged with the other rare ones.
    assert national.off_elsewhere("agb_by_age", "cypress") == national.off_elsewhere("agb_by_age", "other")


def test_a_model_by_age_that_is_off_elsewhere_is_no_table_and_no_answer(monkeypatch):
    """By age, stands of Chinese pine in cells left out: far too much. The gate refuses it, with the reason."""
    from sinklab.evidence import knowledge
    from sinklab.tables.checks import refusals

    monkeypatch.setenv("SINKLAB_LANG", "en")
    rows = left_out_rows().set_index(["model_id", "class"])
    row = rows.loc[("agb_by_age", "chinese_pine")]
    assert row["bias"] > 50 and row["n"] > 200
    assert national.refused_elsewhere("agb_by_age", "chinese_pine") == row["bias"]
    pine = national.as_result("agb_by_age", {"forest_type": "chinese_pine"})
    said = [r.wordings[0] for r in refusals(pine)]
    assert any(
        "total bias of a forest type in parts of the country" in s and "chinese_pine" in s for s in said
    )
    found = knowledge.ask("Pinus tabuliformis", age=40, stem_density=1500.0)
    assert "not given for this type of forest" in found.refused["agb_by_age"]
    assert f"came out {row['bias']:.0f} % too much" in found.refused["agb_by_age"]
    # By age fir is within a tenth, and is answered.
    assert national.refused_elsewhere("agb_by_age", "chinese_fir") == 0.0
    assert not [
        r for r in refusals(national.as_result("agb_by_age", TAXON)) if r.rule["rule_id"] == "elsewhere"
    ]


#: Types whose intervals hold neither from 93 to 97 per cent nor by chance: a study of poplars weighs three times what their size
#: allows, mixed stocks of one part of the country scatter as nowhere else, and rare types with heights stay a hair below.
OFF = {
    ("agb_by_size", "poplar_birch"),
    ("agb_by_size_height", "other"),
    ("stock_by_basal_area", "mixed"),
    ("stock_by_size_height", "mixed"),
}


def test_intervals_hold_in_parts_of_the_country_without_plots():
    """Coverage of every type and model: within 93 to 97 %, or no further off than chance has it; who is not is named here."""
    rows = left_out_rows()
    held = [national.is_held(row)[0] for row in rows.to_dict("records")]
    off = {
        (r["model_id"], r["class"]) for r, h in zip(rows.to_dict("records"), held, strict=True) if h == "no"
    }
    assert off == OFF
    roots = rows[rows["model_id"] == "bgb_by_agb"].set_index("class")
    assert roots["coverage"].min() > 93 and roots.loc["broadleaf_deciduous", "coverage"] < 98


@pytest.mark.open_data
@pytest.mark.slow
def test_scores_of_cells_left_out_follow_from_the_open_plots(open_data):
    found = national.fit_model(national.stands(), "agb_by_basal_area")
    made = (
        validation.scorecard(found, "agb_by_basal_area", ("cell",))
        .set_index(["by", "class"])
        .loc["forest_type"]
    )
    kept = left_out_rows()
    kept = kept[kept["model_id"] == "agb_by_basal_area"].set_index("class")
    assert sorted(made.index) == sorted(kept.index)
    for column, near in (("n", 0), ("bias", 0.3), ("coverage", 1.5)):
        assert made[column].loc[kept.index].to_numpy() == pytest.approx(kept[column].to_numpy(), abs=near)


@pytest.mark.open_data
def test_stocks_that_a_form_factor_made_teach_no_model_of_stock(open_data):
    """A third of the printed stocks with stems, diameter and height are 0.6727, 0.5113 … times basal area and height."""
    stands = national.stands()
    shape = stands["growing_stock"] / (stands["basal_area"] * stands["height"])
    pine = stands["shaped"] & stands["species"].eq("Pinus tabuliformis")
    assert pine.sum() > 50 and shape[pine].to_numpy() == pytest.approx(0.6727, rel=0.006)
    assert 0.25 < stands.loc[shape.notna(), "shaped"].mean() < 0.4
    assert not national.usable(stands, "growing_stock", ("dbh", "stem_density"))["shaped"].any()
    assert national.usable(stands, "agb_density", ("growing_stock",))["shaped"].any()


# Another population: an inventory that no research plot is in.


def inventory():
    """The 320 inventory plots of the open set, with the stems that basal area and mean diameter give."""
    from sinklab.data.open_data import load

    plots = load("open:forestat_plots")
    return plots.assign(stem_density=plots["basal_area"] / (np.pi / 4 * (plots["dbh"] / 100) ** 2))


def covered(fit, plots, response="growing_stock"):
    told = fit.predict(plots, kind="individual")
    inside = told[f"{response}_lower"].lt(plots[response]) & told[f"{response}_upper"].gt(plots[response])
    return inside.mean(), told[response].sum() / plots[response].sum() - 1


@pytest.mark.open_data
@pytest.mark.slow
def test_the_variances_between_populations_follow_from_the_open_plots(open_data):
    from sinklab.data.files import records

    stands = national.stands()
    stands = stands[stands["set"] == "eurasia_plots"]
    numbers = ("regional", "selection", "n_region", "n_inventory", "scatter_freedom")
    numbers += ("slope", "shift", "shift_se", "left_out")
    rows = records("rules", "populations.csv", numbers=numbers, several=("predictors",))
    by_stock, shifts = {}, {}
    for of, response in (("stock", "growing_stock"), ("mass", "agb_density")):
        # The row without a predictor is a rule of the house.
        for row in (r for r in rows if r["of"] == of and r["predictors"] not in ((), ("agb_density",))):
            if response in row["predictors"] or (of == "stock" and row["predictors"] == ("growing_stock",)):
                continue
            found = national.scaled(national.fit(stands, response, row["predictors"]))
            told = validation.populations(found)
            assert told["regional"] == pytest.approx(row["regional"], abs=6e-4), row
            assert told["n_region"] == row["n_region"]
            assert told["scatter_freedom"] == pytest.approx(row["scatter_freedom"], abs=0.06), row
            assert told["slope"] == pytest.approx(row["slope"], rel=0.02, abs=1e-4), row
            if row["predictors"] == ("growing_stock",):
                continue
            off = shifts.setdefault(row["predictors"], {}) | told["shift"]
            shifts[row["predictors"]] = off
            for name, value in validation.shift_of(off).items():
                expected = pytest.approx(row[name], abs=0.5 if name == "left_out" else 2e-3, nan_ok=True)
                assert value == expected, row
            # No inventory with weighed mass is open: of mass it says what it says of growing stock.
            heard = by_stock.get(row["predictors"], {}) | told["selection"]
            by_stock.setdefault(row["predictors"], heard)
            assert np.mean(list(heard.values())) == pytest.approx(row["selection"], abs=6e-4), row
            assert len(heard) == row["n_inventory"] == (2 if "age" in row["predictors"] else 1)


@pytest.fixture(scope="module")
def research():
    """Open plots of birch, poplar and aspen, the basal area by mean diameter and stems."""
    from sinklab.data.open_data import load

    plots = load("open:eurasia_plots", {"country": "CHN", "forest_type": "poplar_birch"})
    return plots.assign(basal_area=plots["stem_density"] * np.pi / 4 * (plots["dbh"] / 100) ** 2)


def by_thirty(fit, plots, n=100):
    """Coverage and bias of the other plots after calibration with thirty, ``n`` times."""
    rng = np.random.default_rng(1)
    own = [plots.iloc[rng.permutation(len(plots))] for _ in range(n)]
    return np.array([covered(calibrated(fit, p[:30]), p[30:]) for p in own])


@pytest.mark.open_data
def test_an_inventory_is_covered_by_age_once_research_plots_are_no_sample_of_it(open_data, research):
    """Age alone: nearly twice the stock of the inventory, and intervals that hold only with the spread between populations."""
    import sinklab as sl
    from sinklab.results.calibration import widened

    plots = inventory()
    by_age = sl.fit(research, "growing_stock = a*age**b", method="ols-log")
    (before, off), (after, _) = covered(by_age, plots), covered(widened(by_age), plots)
    assert before < 0.88 and off > 0.8
    assert 0.93 <= after <= 0.985
    told = by_thirty(widened(by_age), plots, 40)
    # The mean of thirty plots has a standard error of a tenth itself.
    assert abs(told[:, 1].mean()) < 0.05 and 0.93 <= told[:, 0].mean() <= 0.97


@pytest.mark.open_data
def test_an_inventory_is_lower_at_one_diameter_and_a_table_with_height_holds_there(
    open_data, research, monkeypatch
):
    """Diameter and stems: a quarter too much, for stands of one form are a sixth lower; basal area and height hold."""
    import sinklab as sl
    from sinklab.results.calibration import widened
    from sinklab.results.summary import speaks_for

    monkeypatch.setenv("SINKLAB_LANG", "en")
    plots = inventory()
    by_size = sl.fit(research, "growing_stock = a*dbh**b*stem_density**c", method="ols-log")
    assert 0.2 < covered(by_size, plots)[1] < 0.25
    assert re.search("1[1-7] % lower at equal mean diameter", " ".join(speaks_for(by_size, plots)))
    form = [(d["growing_stock"] / (d["basal_area"] * d["height"])).median() for d in (research, plots)]
    assert form == pytest.approx([0.48, 0.49], abs=0.01)
    for model in ("a*basal_area**b*height**c", "a*dbh**b*stem_density**c*height**d"):
        inside, off = covered(widened(sl.fit(research, f"growing_stock = {model}", method="ols-log")), plots)
        assert 0.93 <= inside <= 0.97 and abs(off) < 0.07
    told = by_thirty(widened(by_size), plots, 40)
    assert abs(told[:, 1].mean()) < 0.02 and 0.93 <= told[:, 0].mean() <= 0.97


#: Forms of the tables that thirty plots move, and how far the mean of thirty plots itself lies off (RMS).
FORMS = {
    "a*age**b": 0.12,
    "a*age**b*stem_density**c": 0.12,
    "a*dbh**b*stem_density**c": 0.05,
    "a*basal_area**b*height**c": 0.05,
    "a*dbh**b*stem_density**c*height**d": 0.05,
}


@pytest.mark.open_data
@pytest.mark.parametrize("form", FORMS)
def test_thirty_plots_take_the_bias_of_the_total_away_by_any_predictors(open_data, research, form):
    """Heights measured with error tilt the line of the place: too low in small stands, too high in large ones."""
    import sinklab as sl
    from sinklab.results.calibration import widened

    fit = widened(sl.fit(research, f"growing_stock = {form}", method="ols-log"))
    off = by_thirty(fit, inventory(), 60)[:, 1]
    assert abs(off.mean()) < 0.025 and np.sqrt((off**2).mean()) < FORMS[form]


def test_one_inventory_foretells_another_or_does_not():
    alike, apart = validation.shift_of({"a": -0.5, "b": -0.6}), validation.shift_of({"a": -0.2, "b": -0.8})
    assert alike["shift"] == pytest.approx(-0.55) and alike["shift_se"] == pytest.approx(0.05)
    assert alike["left_out"] == pytest.approx(100 * np.expm1(0.1)) and apart["left_out"] > 80
    alone = validation.shift_of({"a": -0.2})
    assert alone["shift"] == -0.2 and np.isnan(alone["left_out"])


def test_studies_whose_lines_are_steeper_or_flatter_are_told():
    """Slopes drawn with a standard deviation of 0.3 between forty studies."""
    rng = np.random.default_rng(2)
    parts = []
    for slope in rng.normal(0, 0.3, 40):
        line = rng.normal(4, 0.6, 20)
        parts.append(pd.DataFrame({"line": line, "off": slope * line + rng.normal(0, 0.15, 20)}))
    assert validation._slopes(parts) == pytest.approx(0.09, rel=0.35)


@pytest.mark.open_data
@pytest.mark.parametrize(
    "model, most", [("stock_by_size", 0.15), ("stock_by_basal_area", 0.15), ("stock_by_size_height", 0.1)]
)
def test_national_models_hold_for_an_inventory_and_thirty_plots_take_the_rest(open_data, model, most):
    plots, fit = inventory(), national.as_result(model, {"forest_type": "poplar_birch"})
    inside, off = covered(fit, plots)
    assert inside > 0.93 and abs(off) < most
    told = by_thirty(fit, plots, 40)
    assert abs(told[:, 1].mean()) < 0.02 and 0.93 <= told[:, 0].mean() <= 0.98
