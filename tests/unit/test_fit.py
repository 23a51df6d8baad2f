"""Engines on small data with known answers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import sinklab as sl
from sinklab.language import ConvergenceError, DataError, EquationError

SYSTEM = """
stem = a1 * dbh**b1 * height**c1
branch = a2 * dbh**b2
agb = stem + branch
root = agb * r0 * dbh**r1
"""
TRUTH = {"a1": 0.03, "b1": 1.9, "c1": 0.8, "a2": 0.02, "b2": 2.2, "r0": 0.4, "r1": -0.1}


def simulated(n=400, seed=5, sd=(0.12, 0.25, 0.2), missing=0.6):
    rng = np.random.default_rng(seed)
    dbh = rng.uniform(4, 45, n)
    height = 2 + 0.9 * dbh**0.8 * np.exp(rng.normal(0, 0.15, n))
    mean = sl.System.parse(SYSTEM).mean(TRUTH, {"dbh": dbh, "height": height})
    correlation = np.array([[1, 0.4, 0.3], [0.4, 1, 0.2], [0.3, 0.2, 1]])
    noise = rng.multivariate_normal(np.zeros(3), correlation * np.outer(sd, sd), n)
    frame = pd.DataFrame({"tree_id": range(n), "dbh": dbh, "height": height})
    for j, response in enumerate(["stem", "branch", "root"]):
        frame[response] = mean[response] * (1 + noise[:, j])
    frame.loc[rng.random(n) < missing, "root"] = np.nan
    return frame


def test_a_compatible_system_with_missing_roots_is_recovered():
    result = sl.fit(simulated(), SYSTEM)
    assert result.converged and result.certificate.rank == 16
    found = result.parameters.set_index("name")
    z = (found["value"] - pd.Series(TRUTH)) / found["se"]
    assert z.abs().max() < 3.0
    assert result.n["stem"] == 400 and result.n["root"] == simulated()["root"].notna().sum()
    exponents = [m.exponent for m in result.residual.values()]
    assert np.allclose(exponents, 1.0, atol=0.12)
    assert result.correlation.loc["stem", "branch"] == pytest.approx(0.4, abs=0.12)
    assert list(result.system.identities) == ["agb"]


def test_identity_predictions_are_the_sum_of_their_parts():
    result = sl.fit(simulated(), SYSTEM)
    prediction = result.predict(simulated(n=50, seed=9))
    assert np.allclose(prediction["agb"], prediction["stem"] + prediction["branch"], rtol=1e-12)
    assert (prediction["agb_lower"] < prediction["agb"]).all()
    individual = result.predict(simulated(n=50, seed=9), kind="individual")
    assert (individual["agb_upper"] > prediction["agb_upper"]).all()


def test_individual_intervals_cover_new_trees():
    result = sl.fit(simulated(n=1500), SYSTEM)
    trees = simulated(n=4000, seed=77, missing=0.0)
    prediction = result.predict(trees, level=0.9, kind="individual")
    for response in ("stem", "branch", "root"):
        inside = trees[response].between(prediction[f"{response}_lower"], prediction[f"{response}_upper"])
        assert inside.mean() == pytest.approx(0.9, abs=0.02)
    agb = trees["stem"] + trees["branch"]
    assert agb.between(prediction["agb_lower"], prediction["agb_upper"]).mean() == pytest.approx(
        0.9, abs=0.02
    )


def test_out_of_range_trees_are_flagged_by_name():
    result = sl.fit(simulated(), SYSTEM)
    new = pd.DataFrame({"dbh": [10.0, 80.0], "height": [9.0, 9.0]}, index=["in", "out"])
    prediction = result.predict(new)
    assert prediction["out_of_range"].tolist() == [False, True]
    assert prediction.loc["out", "range_note"].startswith("dbh = 80 outside")
    assert list(prediction.index) == ["in", "out"]


def test_row_order_and_units_do_not_matter():
    trees = simulated(n=150)
    one = sl.fit(trees, SYSTEM)
    other = sl.fit(trees.sample(frac=1, random_state=1), SYSTEM)
    assert np.allclose(one.values, other.values, rtol=1e-5)
    grams = trees.assign(**{c: trees[c] * 1000 for c in ("stem", "branch", "root")})
    scaled = sl.fit(grams, SYSTEM).parameters.set_index("name")["value"]
    plain = one.parameters.set_index("name")["value"]
    assert scaled["a1"] == pytest.approx(1000 * plain["a1"], rel=1e-4)
    assert scaled["b2"] == pytest.approx(plain["b2"], rel=1e-5)


def test_data_without_error_give_back_the_equation():
    trees = simulated(n=40, sd=(0, 0, 0), missing=0.0)
    result = sl.fit(trees, SYSTEM)
    assert np.allclose(result.values, [TRUTH[p] for p in result.system.parameters], rtol=1e-6)


def test_log_line_with_its_corrections():
    rng = np.random.default_rng(2)
    dbh = rng.uniform(5, 40, 300)
    trees = pd.DataFrame({"dbh": dbh, "agb": 0.1 * dbh**2.4 * np.exp(rng.normal(0, 0.3, 300))})
    plain = sl.fit(trees, "agb = a*dbh**b", method="ols-log", correction="none")
    slope, intercept = np.polyfit(np.log(dbh), np.log(trees["agb"]), 1)
    assert plain.values == pytest.approx([np.exp(intercept), slope], rel=1e-10)
    corrected = sl.fit(trees, "agb = a*dbh**b", method="ols-log")
    sigma = corrected.residual["agb"].sigma
    assert corrected.correction["agb"] == pytest.approx(np.exp(sigma**2 / 2))
    assert np.allclose(corrected.values, plain.values)
    ratio = sl.fit(trees, "agb = a*dbh**b", method="ols-log", correction="snowdon")
    assert ratio.fitted()["predicted"].sum() == pytest.approx(trees["agb"].sum())
    # The likelihood is that of the response itself, so methods can be compared.
    residual = np.log(trees["agb"] / plain.system.mean(plain.values, trees)["agb"])
    density = stats.lognorm.logpdf(
        trees["agb"], np.sqrt(np.mean(residual**2)), scale=trees["agb"] / np.exp(residual)
    )
    assert plain.loglik == pytest.approx(density.sum(), rel=1e-10)


def test_the_log_total_is_made_of_corrected_parts():
    trees = simulated(missing=0.0)
    system = "stem = a1*dbh**b1*height**c1\nbranch = a2*dbh**b2\nagb = stem + branch"
    result = sl.fit(trees, system, method="ols-log")
    prediction = result.predict(trees)
    assert np.allclose(prediction["agb"], prediction["stem"] + prediction["branch"])
    raw = result.system.mean(result.values, trees)
    assert np.allclose(prediction["stem"], raw["stem"] * result.correction["stem"])


def test_equation_by_equation_keeps_the_correlation_for_the_total():
    trees = simulated(missing=0.0)
    system = "stem = a1*dbh**b1*height**c1\nbranch = a2*dbh**b2\nagb = stem + branch"
    result = sl.fit(trees, system, method="wls")
    alone = sl.fit(trees, "branch = a2*dbh**b2", method="wls")
    joint = result.parameters.set_index("name")
    assert joint.loc["b2", "value"] == pytest.approx(alone.values[1], rel=1e-5)
    assert joint.loc["b2", "se"] == pytest.approx(alone.parameters["se"][1], rel=1e-4)
    assert result.covariance.loc["b1", "b2"] != 0
    assert result.correlation.loc["stem", "branch"] == pytest.approx(0.4, abs=0.12)


def test_a_growth_curve_finds_its_own_starts():
    rng = np.random.default_rng(4)
    age = rng.uniform(3, 60, 80)
    mean = 220 * (1 - np.exp(-0.05 * age)) ** 1.8
    stands = pd.DataFrame({"age": age, "total_density": mean * (1 + 0.1 * rng.normal(size=80))})
    result = sl.fit(stands, "total_density = A * (1 - exp(-k * age))**c", method="wls")
    z = (result.values - [220, 0.05, 1.8]) / result.parameters["se"]
    assert result.converged and np.abs(z).max() < 3


def test_segments_that_join_find_their_own_starts():
    """Small trees have an exponent of their own; mass, root:shoot function and volume join at 5 cm."""
    rng = np.random.default_rng(2)
    dbh = np.concatenate([rng.uniform(0.5, 5, 75), rng.uniform(5, 40, 75)])
    agb = np.where(dbh < 5, 0.09 * 5**0.55 * dbh**1.9, 0.09 * dbh**2.45)
    trees = pd.DataFrame({"dbh": dbh, "agb": agb * (1 + 0.15 * rng.normal(size=150))})
    trees["root"] = trees["agb"] * 0.3 * dbh**-0.1 * (1 + 0.2 * rng.normal(size=150))
    trees["volume"] = trees["agb"] / 600 * (1 + 0.08 * rng.normal(size=150))
    trees.loc[::3, "root"] = np.nan
    text = """
    agb = where(dbh < 5, a * 5**(b - b0) * dbh**b0, a * dbh**b)
    root = agb * where(dbh < 5, r0 * 5**(r1 - r2) * dbh**r2, r0 * dbh**r1)
    volume = where(dbh < 5, v0 * 5**(v1 - v2) * dbh**v2, v0 * dbh**v1)
    bcf = agb / volume
    """
    fit = sl.fit(trees, text)
    assert fit.converged and fit.certificate.agree
    truth = {
        "a": 0.09,
        "b": 2.45,
        "b0": 1.9,
        "r0": 0.3,
        "r1": -0.1,
        "r2": -0.1,
        "v0": 0.09 / 600,
        "v1": 2.45,
        "v2": 1.9,
    }
    found = fit.parameters.set_index("name")
    assert (((found["value"] - pd.Series(truth)) / found["se"]).abs() < 3.2).all()
    below, above = fit.predict({"dbh": [4.999999]}), fit.predict({"dbh": [5.000001]})
    for response in ("agb", "root", "volume", "bcf"):
        assert below[response][0] == pytest.approx(above[response][0], rel=1e-4)
    # The biomass conversion factor is a ratio of the two and needs no observations.
    assert below["bcf"][0] == pytest.approx(below["agb"][0] / below["volume"][0], rel=1e-12)


def test_a_coefficient_by_site_is_a_dummy_variable_model():
    trees = simulated(missing=0.0)
    trees["site"] = np.where(np.arange(len(trees)) % 3 == 0, "north", "south")
    trees.loc[trees["site"] == "north", "stem"] *= 1.5
    system = "stem = a[site]*dbh**b1*height**c1\nbranch = a2*dbh**b2\nagb = stem + branch"
    result = sl.fit(trees, system)
    found = result.parameters.set_index(["name", "group"])["value"]
    assert result.labels[:2] == ["a[north]", "a[south]"]
    assert found["a", "north"] / found["a", "south"] == pytest.approx(1.5, rel=0.06)
    assert result.residual["stem"].freedom == 400 - 4
    # One common exponent and a coefficient for each site equal two fits only in the coefficient.
    prediction = result.predict(
        pd.DataFrame({"dbh": [20.0, 20.0], "height": [15.0, 15.0], "site": ["north", "south"]})
    )
    assert prediction["stem"][0] / prediction["stem"][1] == pytest.approx(
        found["a", "north"] / found["a", "south"]
    )
    with pytest.raises(DataError, match="not fitted: west; fitted: north, south"):
        result.predict(pd.DataFrame({"dbh": [20.0], "height": [15.0], "site": ["west"]}))
    with pytest.raises(EquationError, match="the group `site` of `a` is not a column"):
        sl.fit(trees.drop(columns="site"), system)


def test_draws_repeat_and_have_the_covariance():
    result = sl.fit(simulated(), SYSTEM, seed=3)
    draws = result.draws(20000)
    assert draws.equals(sl.fit(simulated(), SYSTEM, seed=3).draws(20000))
    assert np.allclose(draws.std(), result.parameters["se"], rtol=0.03)
    assert np.allclose(draws.corr(), result.covariance / np.outer(draws.std(), draws.std()), atol=0.06)


def test_a_free_total_of_its_parts_is_named_as_singular():
    trees = simulated(missing=0.0).assign(agb=lambda d: d["stem"] + d["branch"])
    system = "stem = a1*dbh**b1\nbranch = a2*dbh**b2\nagb = a1*dbh**b1 + a2*dbh**b2 + a3*dbh"
    with pytest.raises(EquationError, match="singular system: the observations of stem, branch, agb"):
        sl.fit(trees, system)


@pytest.mark.parametrize(
    ("variance", "message"),
    [
        ("power:volume", "'volume' is not a predictor"),
        ("cubic", "'cubic' is none of"),
        ("stem=power:dbh,leaf=none", "called leaf"),
        ("power:dbh=x", "'power:dbh=x' is none of"),
    ],
)
def test_variance_faults_are_named(variance, message):
    with pytest.raises(DataError, match=message):
        sl.fit(simulated(60), SYSTEM, variance=variance)


def test_variance_by_equation_and_fixed_exponents():
    result = sl.fit(simulated(), SYSTEM, variance="stem=power:dbh=2,root=none,branch=exp:dbh")
    assert result.residual["stem"].exponent == 2.0 and result.residual["stem"].fixed
    assert result.residual["root"].kind == "constant"
    assert result.residual["branch"].kind == "exp" and not result.residual["branch"].fixed
    again = sl.fit(simulated(), SYSTEM, variance={r: m.spec for r, m in result.residual.items()})
    assert again.loglik == pytest.approx(result.loglik, abs=1e-6)


def test_blanks_are_counted_not_dropped_silently():
    trees = simulated(n=100, missing=0.0)
    trees.loc[[3, 4], "dbh"] = np.nan
    trees.loc[[7], ["stem", "branch", "root"]] = np.nan
    result = sl.fit(trees, SYSTEM)
    assert result.source["n_used"] == 97 and result.source["n_read"] == 100
    assert any(w.startswith("2 of 100 records left out: dbh is blank") for w in result.warnings)
    assert any(w.startswith("1 of 100 records left out: none of stem") for w in result.warnings)


def test_indices_by_class():
    trees = simulated(missing=0.0)
    trees["class"] = pd.cut(trees["dbh"], [0, 15, 30, 60]).astype(str)
    result = sl.fit(trees, SYSTEM)
    table = result.indices(by="class")
    assert table.loc["stem", "n"].sum() == 400
    assert set(result.indices().columns) == {
        "n",
        "R2",
        "SEE",
        "TRE",
        "ASE",
        "MPE",
        "MPSE",
        "RMSE",
        "AIC",
        "BIC",
    }


@pytest.mark.parametrize("text", ["y = a*exp(b/x**c)", "y = a/(1 + b*exp(-c*x))", "y = a*x**b/(c + x**b)"])
@pytest.mark.parametrize("spread", [0.0, 0.01])
def test_what_the_data_do_not_determine_is_said_and_never_a_crash(text, spread):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.uniform(5, 40, 12), "y": 7 + spread * rng.normal(size=12)})
    try:
        found = sl.fit(frame, text)
    except ConvergenceError as error:
        assert "do not determine the parameters (a = " in str(error)
    else:
        assert not found.converged
