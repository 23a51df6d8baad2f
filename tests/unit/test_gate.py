"""The gate of tables: what no quantity can be and no curve may be is refused, with its reason and what would settle it."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.data.files import read_csv
from sinklab.drafts import blocks
from sinklab.evidence import equations, national, pool_equations
from sinklab.language import DataError, TableError
from sinklab.paths import file_sha256
from sinklab.results.summary import fit_report
from sinklab.review.verification import verify
from sinklab.systems import forest
from sinklab.tables.checks import refusals, run_checks, validate
from sinklab.tables.export import export_table

SOURCE = {"name": "test", "origin": "measured", "title": "Test", "licence": "CC0-1.0"}


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "en")


def values(*rows):
    columns = ["name", "variable", "unit", "mean", "q025", "q975"]
    return pd.DataFrame(rows, columns=columns).assign(se=0.01, sources="X", family="normal", p1=1.0, p2=1.0)


PLANTED = values(
    ("agb_density[mangrove]", "agb_density", "t/ha", 400.0, 50.0, 3193.0),
    ("wood_density[oak]", "wood_density", "g/cm3", 0.8, 0.22, 2.92),
    ("bef[fir]", "bef", "1", 1.3, 0.9, 1.9),
    ("carbon_fraction[leaf]", "carbon_fraction", "1", 0.48, 0.17, 0.78),
    ("bef[pine]", "bef", "1", 0.8, np.nan, np.nan),
    ("wood_density[pine]", "wood_density", "g/cm3", 0.42, 0.35, 0.49),
    ("carbon_fraction[stem]", "carbon_fraction", "1", 0.5, 0.45, 0.55),
    ("made_up", "", "1", 4000.0, 3000.0, 5000.0),
)


def test_values_that_cannot_be_are_refused_and_the_others_stay(tmp_path):
    table = sl.Table.from_values(PLANTED, "values_forest_planted", "0.1.0", source=SOURCE)
    found = table.values.set_index("name")
    lost = ["agb_density[mangrove]", "wood_density[oak]", "bef[fir]", "carbon_fraction[leaf]", "bef[pine]"]
    assert list(found.index[found["status"] == "refused"]) == lost
    assert found.loc[lost, ["mean", "se", "p1", "p2", "q025", "q975"]].isna().all(axis=None)
    kept = found.drop(lost)
    assert kept["mean"].tolist() == [0.42, 0.5, 4000.0] and set(kept["status"]) == {"draft"}
    assert "q975 3193 (<= 2500)" in found.loc["agb_density[mangrove]", "note"]
    assert (
        "q025 0.9 (>= 1)" in found.loc["bef[fir]", "note"] and "settled by" in found.loc["bef[fir]", "note"]
    )
    told = table.checks[table.checks["check_id"] == "refused"]
    assert set(told["response"]) == set(lost) and not told["passed"].any()
    assert told["message_zh"].str.contains("不予采用").all()
    # A refused row is neither a value in order nor one out of order, and does not lower the table.
    assert (table.checks["check_id"] == "quantiles_in_order").sum() == 3 and table.status == "draft"
    back = sl.Table.read(table.write(tmp_path))
    assert validate(tmp_path / "values_forest_planted" / "0.1.0") == [] and back.status == "draft"
    assert back.value("wood_density[pine]") == 0.42
    with pytest.raises(TableError, match="refused: outside the limits of the quantity: q975 2.92"):
        back.value("wood_density[oak]")
    for target in ("xlsx", "r", "latex"):
        assert export_table(back, target, tmp_path / f"out.{target}").stat().st_size > 0


def test_no_soil_holds_more_carbon_than_a_layer_of_peat():
    """A quantile of 2,380 t/ha to 1 m lies within the bounds of a stock of any depth, and no metre of soil holds it."""
    rows = values(
        ("soc_stock[wide]", "soc_stock", "t/ha", 443.0, 44.0, 2380.0),
        ("soc_stock[shallow]", "soc_stock", "t/ha", 119.0, 12.0, 637.0),
        ("soc_stock[peat]", "soc_stock", "t/ha", 479.0, 168.0, 1133.0),
        ("soc_stock[deep]", "soc_stock", "t/ha", 1900.0, 900.0, 2380.0),
        ("soc_stock[any]", "soc_stock", "t/ha", 1900.0, 900.0, 2380.0),
    ).assign(
        definition=[
            "soil_depth=100",
            "habitat=mangrove;soil_depth=30",
            "soil_depth=100",
            "soil_depth=300",
            "",
        ]
    )
    table = sl.Table.from_values(rows, "soc_stock_wetland_planted", "0.1.0", source=SOURCE)
    found = table.values.set_index("name")
    assert list(found.index[found["status"] == "refused"]) == ["soc_stock[wide]", "soc_stock[shallow]"]
    assert "q975 238 (<= 150)" in found.loc["soc_stock[wide]", "note"]
    assert "q975 212.3 (<= 150)" in found.loc["soc_stock[shallow]", "note"]


def test_refused_values_are_told_in_a_note_and_not_cited():
    table = sl.Table.from_values(PLANTED, "values_forest_planted", "0.1.0", source=SOURCE)
    cited = []

    def cite(file, name, column, value, text, status):
        cited.append(name)
        return text

    printed = blocks.values(cite, table.values, "en", "t", "Values", table.ref)
    assert printed.count("did not pass the checks of plausibility and are not listed") == 1
    rows = [line for line in printed.splitlines() if line.startswith("| ") and ":--" not in line]
    assert len(rows) == 4 and "| — | — | — |" not in printed  # the heads and three values; no row of dashes
    assert set(cited) == {"wood_density[pine]", "carbon_fraction[stem]", "made_up"}


def test_a_table_made_again_of_its_own_values_keeps_what_was_refused():
    table = sl.Table.from_values(PLANTED, "values_forest_planted", "0.1.0", source=SOURCE)
    again = sl.Table.from_values(table.values, "values_forest_planted", "0.1.0", source=SOURCE)
    pd.testing.assert_frame_equal(again.values, table.values)


def stands(curve, noise=0.1, n=60, seed=1, low=5, high=60):
    random = np.random.default_rng(seed)
    age = np.linspace(low, high, n)
    return pd.DataFrame({"age": age, "growing_stock": curve(age) * random.lognormal(0, noise, n)})


SCHUMACHER, START = "growing_stock = exp(a - exp(b) / age)", {"a": 5.5, "b": 2.7}


def growing(t):
    return 400 * np.exp(-20 / t)


def reasons(fit):
    return {refusal.rule["rule_id"] for refusal in refusals(fit)}


def test_a_growing_stand_passes():
    data = stands(lambda t: 300 * (1 - np.exp(-0.05 * t)) ** 2)
    fits, _ = forest.fit_growth(data, "growing_stock")
    assert fits and all(reasons(fit) == set() for fit in fits)


def test_a_curve_that_stands_still_is_refused():
    data = stands(lambda t: 200 * (1 - np.exp(-0.6 * t)), noise=0.05, low=2)
    fit = sl.fit(data, "growing_stock = exp(a) * (1 - exp(-exp(k) * age))", start={"a": 5.3, "k": -0.5})
    assert reasons(fit) == {"growth"}
    with pytest.raises(TableError, match="current over mean annual increment"):
        sl.Table.from_fits(fit, "growing_stock_forest_still", "0.1.0", source=SOURCE)


def test_a_stock_whose_increment_culminates_at_an_end_of_the_ages_is_refused():
    # A power of age has no culmination: its mean annual increment is largest at the oldest stand, or at the youngest.
    for exponent, age in ((0.6, "5"), (1.35, "60")):
        fit = sl.fit(stands(lambda t, b=exponent: 30 * t**b), "growing_stock = a * age**b")
        (found,) = refusals(fit)
        assert found.rule["rule_id"] == "culmination" and found.where == f"growing_stock: {age}"
    # Heights are no stock: the largest mean increment of a height lies before any stand that is measured.
    tall = stands(lambda t: 3 * t**0.5).rename(columns={"growing_stock": "height"})
    assert reasons(sl.fit(tall, "height = a * age**b")) == set()


@pytest.mark.parametrize("species", ["cunninghamia_lanceolata", "pinus_massoniana"])
def test_powers_of_age_over_printed_stands_are_refused(species):
    # Eleven stands of fir and 27 of Masson pine: exponents 1.35 and 1.33, so they would grow ever faster.
    printed = sl.load("literature:stand_biomass", {"species_id": species}).dropna(
        subset=["age", "total_density"]
    )
    fit = sl.fit(printed, "total_density = a * age**b", method="wls")
    assert fit.parameters.set_index("name").at["b", "value"] > 1.3 and "culmination" in reasons(fit)
    text = "total_density = exp(a - exp(b) / age)"
    assert reasons(sl.fit(printed, text, method="wls", start={"a": 6.0, "b": 3.0})) == set()


def test_an_age_that_explains_little_is_refused():
    # Eucalypts of other species and decades on one curve: 26 stands, R2 of 0.26, whatever the form.
    printed = sl.load("literature:stand_biomass", {"species_id": "eucalyptus"})
    for text, start in (("a * age**b", None), ("exp(a - exp(b) / age)", {"a": 5.0, "b": 1.0})):
        fit = sl.fit(printed, f"agb_density = {text}", start=start)
        assert fit.index_table.at["agb_density", "R2"] == pytest.approx(0.255, abs=0.003)
        assert reasons(fit) == {"explained", "culmination"}
    random = np.random.default_rng(3)
    data = stands(growing, noise=0.9, n=120)
    fit = sl.fit(data, SCHUMACHER, start=START)
    assert 0 < fit.index_table.at["growing_stock", "R2"] < 0.3 and "explained" in reasons(fit)
    dbh = random.uniform(5, 30, 120)
    parts = {"stem": 0.1 * dbh**2.4 * random.lognormal(0, 0.1, 120), "foliage": random.lognormal(0, 0.8, 120)}
    text = "stem = a1 * dbh**b1\nfoliage = a2 * dbh**b2\nagb = stem + foliage"
    whole = sl.fit(pd.DataFrame({"dbh": dbh, "agb": parts["stem"] + parts["foliage"]} | parts), text)
    # A part of a sum may be poor where the sum is good.
    assert whole.index_table.at["foliage", "R2"] < 0.3 and "explained" not in reasons(whole)


def test_an_equation_off_on_average_is_refused():
    # Shrubs of many countries by their height: 18 % off plot by plot while the total is right.
    random = np.random.default_rng(6)
    height = random.uniform(5, 200, 200)
    mass = (2 + 0.0003 * height**2) * random.lognormal(0, 0.1, 200)
    data = pd.DataFrame({"canopy_height": height, "agb_density": mass})
    fit = sl.fit(data, "agb_density = a * canopy_height**b", variance="none")
    assert abs(fit.index_table.at["agb_density", "ASE"]) > 10
    assert reasons(fit) == {"systematic"}


def test_few_scattered_trees_make_no_equation():
    # Willow of Russia: 21 trees, mean prediction error of 38 %.
    random = np.random.default_rng(9)
    dbh = random.uniform(3, 24, 12)
    trees = pd.DataFrame({"dbh": dbh, "agb": 0.1 * dbh**2.3 * random.lognormal(0, 0.9, 12)})
    fit = sl.fit(trees, "agb = a * dbh**b", variance="lognormal")
    assert fit.index_table.at["agb", "MPE"] > 20 and "precision" in reasons(fit)
    sure = trees.assign(agb=0.1 * dbh**2.3 * random.lognormal(0, 0.1, 12))
    assert reasons(sl.fit(sure, "agb = a * dbh**b", variance="lognormal")) == set()


def test_a_curve_that_falls_is_refused():
    data = stands(lambda t: 400 * np.exp(-0.02 * t))
    assert reasons(sl.fit(data, "growing_stock = a * exp(-b * age)")) >= {"falling"}


def test_a_curve_worse_than_a_constant_is_refused_and_the_good_one_stays(tmp_path):
    data = stands(growing)
    good = sl.fit(data, SCHUMACHER, label="good", start=START)
    # Held at the wrong exponent, the curve misses both ends.
    bad = sl.fit(data, "growing_stock = a / age**2", label="bad")
    assert reasons(good) == set() and "constant" in reasons(bad)
    table = sl.Table.from_fits([good, bad], "growing_stock_forest_two", "0.1.0", source=SOURCE)
    assert [model.label for model in table.models] == ["good"]
    refused = table.checks[table.checks["check_id"] == "refused"]
    assert set(refused["model_id"]) == {"bad"} and refused["message_en"].str.contains("settled by").all()
    table.write(tmp_path)
    assert validate(tmp_path / "growing_stock_forest_two" / "0.1.0") == []


def test_a_coefficient_that_the_data_do_not_know_is_refused():
    data = stands(growing)
    fit = sl.fit(data, SCHUMACHER, start=START)
    wide = fit.parameters.assign(se=[0.1, 9.8e12])
    from dataclasses import replace

    assert reasons(fit) == set() and "coefficient" in reasons(replace(fit, parameters=wide))


def test_a_sign_that_rests_on_one_plot_is_refused():
    random = np.random.default_rng(4)
    mass = random.uniform(50, 90, 14)
    data = pd.DataFrame({"total_density": mass, "root_shoot_ratio": 0.25 * (mass / 70) ** -0.2})
    data["root_shoot_ratio"] *= random.lognormal(0, 0.05, 14)
    data.loc[14] = 400.0, 0.9
    equation = "root_shoot_ratio = a * total_density**b"
    assert reasons(sl.fit(data, equation, variance="lognormal")) >= {"sign"}
    assert "sign" not in reasons(sl.fit(data.drop(index=14), equation, variance="lognormal"))


def test_roots_that_rise_with_the_stand_are_refused():
    # Masson pine: r0 = 0.028, r1 = 0.347 over 4 to 555 m3/ha, where roots were dug on 59 to 555: 0.05 at the lower end.
    random = np.random.default_rng(7)
    stock = random.uniform(20, 500, 80)
    stands = pd.DataFrame({"growing_stock": stock, "agb_density": 1.2 * stock**0.87})
    text = "agb_density = a * growing_stock**b\nbgb_density = agb_density * r0 * growing_stock**r1\n"
    text += "root_shoot_ratio = bgb_density / agb_density"
    for exponent, expected in ((0.35, {"direction"}), (-0.15, set()), (0.04, set())):
        dug = 0.2 * (stock / 150) ** exponent * random.lognormal(0, 0.1, 80)
        made = stands.assign(bgb_density=stands["agb_density"] * dug)
        made["agb_density"] *= random.lognormal(0, 0.1, 80)
        assert reasons(sl.fit(made, text)) == expected


def test_a_constant_can_be_fitted_and_beats_curves_of_nothing():
    random = np.random.default_rng(2)
    data = pd.DataFrame({"age": random.uniform(5, 60, 80), "growing_stock": random.lognormal(5, 0.3, 80)})
    constant = sl.fit(data, "growing_stock = exp(a)")
    assert constant.values[0] == pytest.approx(np.log(data["growing_stock"].mean()), rel=1e-6)
    assert constant.predict(data)["growing_stock"].nunique() == 1 and "not reported" not in fit_report(
        constant
    )
    assert reasons(constant) == set()
    with pytest.raises(DataError, match="no growth curve converged"):
        forest.fit_growth(data, "growing_stock")


def test_where_there_is_nothing_to_check_there_is_no_failed_check():
    data = stands(growing)
    table = sl.Table.from_fits(
        sl.fit(data, SCHUMACHER, start=START), "growing_stock_forest_x", "0.1.0", source=SOURCE
    )
    frames = table.frames | {"indices": table.frames["indices"].assign(TRE=np.nan)}
    found = run_checks(frames, table.table_id)
    assert "tre_limit" not in set(found["check_id"]) and "ase_limit" in set(found["check_id"])
    # A model of other plots has no index at all, and its total is no failure.
    indices = frames["indices"].copy()
    indices[["R2", "SEE", "TRE", "ASE", "MPE", "MPSE", "RMSE", "AIC", "BIC"]] = np.nan
    total = frames["equations"].assign(response="total_density")
    frames |= {"indices": indices, "equations": pd.concat([frames["equations"], total])}
    assert not set(run_checks(frames, table.table_id)["check_id"]) & {"tre_limit", "ase_limit"}


def test_a_table_with_a_refusal_agrees_with_its_recomputation(tmp_path):
    file = tmp_path / "stands.csv"
    data = stands(growing)
    data.to_csv(file, index=False)
    frame = read_csv(file, numeric={"age", "growing_stock"})
    fits = [
        sl.fit(frame, SCHUMACHER, label="good", start=START),
        sl.fit(frame, "growing_stock = a / age**2", label="bad"),
    ]
    source = SOURCE | {"spec": "file:stands.csv", "files": {"stands.csv": file_sha256(file)}}
    sl.Table.from_fits(fits, "growing_stock_forest_two", "0.1.0", source=source).write(tmp_path)
    found = verify("growing_stock_forest_two@0.1.0", tmp_path, [file])
    assert found.agreed, (found.problems, found.missing, found.differences())


def test_a_conversion_that_makes_more_carbon_than_matter_is_refused():
    # 230.5 O + 1042.7 O2 at 0.66: 606 g/kg of 660, a share of 0.92; carbon is at most some 0.6 of organic matter.
    random = np.random.default_rng(5)
    matter = random.uniform(0.02, 0.66, 200)
    noise = np.exp(0.1 * random.standard_normal(200))
    steep = pd.DataFrame({"organic_matter": matter, "soc": (230.5 * matter + 1042.7 * matter**2) * noise})
    text = "soc = a * organic_matter + b * organic_matter**2"
    (found,) = refusals(sl.fit(steep, text, variance="power:mean", cluster="none"))
    assert found.rule["rule_id"] == "matter" and found.value == pytest.approx(0.92, abs=0.03)
    fair = steep.assign(soc=470.2 * matter**1.161 * noise)
    assert refusals(sl.fit(fair, "soc = a * organic_matter**b", cluster="none")) == []


GROWN = "growing_stock = exp(a) * (1 - exp(-exp(k) * age))", {"a": 5.7, "k": -4.5}
ROOTS = "agb_density = a * growing_stock**b\nbgb_density = agb_density * r0 * growing_stock**r1\n"


@pytest.mark.open_data
@pytest.mark.parametrize(
    ("source", "where", "text", "start", "rule"),
    [
        ("eurasia_plots", {"species": "larix_gmelinii", "origin": "natural"}, *GROWN, "culmination"),
        ("eurasia_plots", {"species": "larix_gmelinii", "origin": "natural"}, SCHUMACHER, START, "explained"),
        (
            "eurasia_plots",
            {"species": "pinus_massoniana"},
            ROOTS + "root_shoot_ratio = bgb_density / agb_density",
            None,
            "direction",
        ),
        (
            "drone_allometry",
            {"plant_type": "Shrub"},
            "agb_density = a * canopy_height**b",
            None,
            "systematic",
        ),
    ],
    ids=["larch mitscherlich", "larch schumacher", "masson roots", "shrub"],
)
def test_what_the_pages_refuse_the_gate_refuses(open_data, source, where, text, start, rule):
    """Curves that were published until they were read; see reports/systems."""
    from sinklab.data import open_data as sets

    more = {"canopy_height": {"min": 1}} if source == "drone_allometry" else {"country": "CHN"}
    data = sets.load(f"open:{source}", where | more)
    assert rule in reasons(sl.fit(data, text, start=start, variance="power:mean"))


def published(factors, exponents, names=None):
    """Power equations of conifers as rows of the catalogue."""
    base = equations.published().loc["luo2018_pinus_massoniana_guangxi_agb_2"]
    cells = {"n": 40, "r2": 0.97, "dbh_min": 5.0, "dbh_max": 30.0}
    rows = []
    for i, (a, b) in enumerate(zip(factors, exponents, strict=True)):
        more = {"equation_id": f"made_{i}", "text": f"agb = {a:.6g} * dbh**{b:.6g}", "level": "species"}
        more |= {"taxon": "Pinus massoniana"} if names is None else {"taxon": names[i], "level": "family"}
        rows.append(base.to_dict() | cells | more)
    return pd.DataFrame(rows).set_index("equation_id", drop=False)


def test_published_equations_that_leave_a_new_place_within_more_than_a_factor_of_two_are_refused():
    """Six places whose mass of a tree of 12 cm has an SD of 0.4 on the log; half of that passes."""
    wide = np.array([-0.5, -0.3, -0.1, 0.1, 0.3, 0.5])
    for width, found in ((1.0, {"new_place"}), (0.4, set())):
        exponents = [2.39, 2.41, 2.4, 2.4, 2.41, 2.39]
        curves = pool_equations.pool(published(0.1 * np.exp(width * wide), exponents))
        fit = pool_equations.as_result(curves)
        assert reasons(fit) == found
        if not found:
            assert sl.Table.from_fits(fit, "agb_forest_near", "0.1.0", source=SOURCE).models
            continue
        with pytest.raises(TableError, match="factor either way within which a new place lies"):
            sl.Table.from_fits(fit, "agb_forest_wide", "0.1.0", source=SOURCE)


def test_a_family_whose_evidence_is_one_species_of_another_genus_speaks_for_that_species():
    """Cypress asked of a family of which five equations of six are Chinese fir; shared among genera the family answers."""
    factors, exponents = [0.1, 0.11, 0.09, 0.1, 0.12, 0.1], [2.4, 2.38, 2.42, 2.41, 2.39, 2.4]
    for names, found in (
        (["Cunninghamia lanceolata"] * 5 + ["Metasequoia glyptostroboides"], {"another_species"}),
        (["Cunninghamia lanceolata"] * 3 + ["Metasequoia glyptostroboides"] * 3, set()),
    ):
        fit = pool_equations.as_result(pool_equations.pool(published(factors, exponents, names)))
        assert reasons(fit) == found
    # Stands: cypress takes the family; fir takes that of the pines, none of which has half of the plots.
    taxon = {"forest_type": "cypress", "family": "Cupressaceae", "genus": "Cupressus"}
    (told,) = refusals(national.as_result("agb_by_size", taxon | {"species": "Cupressus funebris"}))
    assert told.rule["rule_id"] == "another_species" and told.where == "Cupressaceae: Cunninghamia lanceolata"
    fir = {
        "forest_type": "needleleaf_evergreen",
        "family": "Pinaceae",
        "genus": "Abies",
        "species": "Abies x",
    }
    assert reasons(national.as_result("agb_by_size", fir)) == set()


SYSTEM = "stem = a * dbh**b * height**c\nbranch = d * dbh**e * height**f\nagb = stem + branch"


def felled(outlying):
    """Trees of six studies; branches do not follow the diameter, but in one study of large trees, if any."""
    random = np.random.default_rng(4)
    dbh = np.r_[np.tile(np.geomspace(8, 20, 12), 5), np.geomspace(30, 40, 12)]
    trees = pd.DataFrame({"study_id": np.repeat([f"s{i}" for i in range(6)], 12), "dbh": dbh})
    trees["height"] = 2.2 * dbh**0.65 * random.lognormal(0, 0.15, len(dbh))
    trees["stem"] = 0.03 * dbh**1.9 * trees["height"] ** 0.9 * random.lognormal(0, 0.1, len(dbh))
    slope = np.where(trees["study_id"] == "s5", 1.6, 1.0) if outlying else 1.0
    own = -0.5 if outlying else 2.0
    trees["branch"] = 8 * (dbh / 12) ** own * random.lognormal(0, 0.15, len(dbh)) * np.exp(3 * (slope - 1))
    return trees


def test_a_sign_of_a_further_predictor_that_rests_on_one_study_is_refused():
    """Foliage falls with the height at one diameter, but one study of tall trees that carry much turns it."""
    random = np.random.default_rng(9)
    dbh = np.tile(np.geomspace(8, 30, 12), 6)
    trees = pd.DataFrame({"study_id": np.repeat([f"s{i}" for i in range(6)], 12), "dbh": dbh})
    trees["height"] = 2.2 * dbh**0.65 * random.lognormal(0, 0.08, len(dbh))
    tall = trees["study_id"] == "s5"
    trees.loc[tall, "height"] *= 2
    text = "foliage = a * dbh**b * height**c"
    trees["foliage"] = 0.5 * dbh**2 * trees["height"] ** -0.6 * random.lognormal(0, 0.1, len(dbh))
    assert "sign" not in reasons(sl.fit(trees, text, variance="lognormal", cluster="none"))
    trees.loc[tall, "foliage"] *= 4
    fit = sl.fit(trees, text, variance="lognormal", cluster="none")
    again = sl.fit(trees[~tall], text, variance="lognormal", cluster="none")
    signs = [f.parameters.set_index("name").loc["c", ["lower", "upper"]] for f in (fit, again)]
    assert (signs[0] > 0).all() and (signs[1] < 0).all()
    found = [r for r in refusals(fit) if r.rule["rule_id"] == "sign"]
    assert [(r.where, r.value) for r in found] == [("foliage: height", 1.0)]
    # An exponent that is not told from nought is said to be so, and claims no sign.
    trees["foliage"] = 0.5 * dbh**2 * random.lognormal(0, 0.1, len(dbh))
    assert "sign" not in reasons(sl.fit(trees, text, variance="lognormal", cluster="none"))


def test_a_sign_inside_a_system_that_rests_on_one_study_is_refused():
    """Without one study the exponent of branches changes its sign, as refits show; what leaves one out in logarithms sees it."""
    trees = felled(outlying=True)
    fit = sl.fit(trees, SYSTEM, variance="lognormal", cluster="none")
    again = sl.fit(trees[trees["study_id"] != "s5"], SYSTEM, variance="lognormal", cluster="none")
    exponents = [f.parameters.set_index("name").at["e", "value"] for f in (fit, again)]
    assert exponents[0] > 0 > exponents[1]
    found = [r for r in refusals(fit) if r.rule["rule_id"] == "sign"]
    assert [(r.where, r.value) for r in found] == [("branch: dbh", 1.0)]
    sound = sl.fit(felled(outlying=False), SYSTEM, variance="lognormal", cluster="none")
    assert "sign" not in reasons(sound)
