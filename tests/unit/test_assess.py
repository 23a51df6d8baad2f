"""Validation, influence, bias, equivalence, comparison, shape and transfer."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.assess.comparison import average, compare
from sinklab.assess.validation import bias_test, equivalence_test, folds, influence, transfer_test, validate
from sinklab.language import DataError
from sinklab.results import prediction, summary
from sinklab.results.fit_result import Certificate

SYSTEM = "stem = a1*dbh**b1\nbranch = a2*dbh**b2\nagb = stem + branch"


def simulated(n=120, seed=3, site_sd=0.0):
    rng = np.random.default_rng(seed)
    dbh = rng.uniform(4, 40, n)
    site = rng.integers(0, 8, n)
    shift = np.exp(rng.normal(0, site_sd, 8))[site] if site_sd else 1.0
    return pd.DataFrame(
        {
            "dbh": dbh,
            "site": [f"s{i}" for i in site],
            "latitude": 22 + site * 0.7,
            "longitude": 108.0,
            "stem": 0.08 * dbh**2.4 * shift * (1 + 0.1 * rng.normal(size=n)),
            "branch": 0.02 * dbh**2.1 * shift * (1 + 0.2 * rng.normal(size=n)),
        }
    )


def test_every_tree_is_predicted_once_by_a_fit_without_it():
    fit = sl.fit(simulated(), SYSTEM)
    found = validate(fit, "kfold:6")
    assert found.n_failed == 0
    stem = found.predictions[found.predictions["response"] == "stem"]
    assert sorted(stem.index) == list(range(120)) and stem["fold"].nunique() == 6
    # By hand: the first fold fitted apart.
    test = stem[stem["fold"] == "1"].index
    alone = sl.fit(simulated().drop(index=test), SYSTEM)
    expected = alone.predict(simulated().loc[test])["stem"]
    assert np.allclose(stem.loc[test, "predicted"], expected, rtol=1e-4)
    assert found.indices().loc["stem", "RMSE"] >= fit.index_table.loc["stem", "RMSE"]


def test_leaving_out_sites_is_harder_than_leaving_out_trees():
    fit = sl.fit(simulated(site_sd=0.3), SYSTEM)
    trees, sites = validate(fit, "kfold:8"), validate(fit, "leave:site")
    assert sites.indices().loc["stem", "MPSE"] > 1.05 * trees.indices().loc["stem", "MPSE"]
    assert set(sites.by_fold().loc["stem"].index) == {f"s{i}" for i in range(8)}


def test_schemes_and_their_faults():
    data = simulated()
    assert len(folds(data, "loo")) == 120
    assert len(folds(data, "groups:4:site")) == 4
    assert len(folds(data, "blocks:0.5")) == 8
    for scheme, message in (("magic", "none of"), ("leave:plot", "plot"), ("kfold:x", "kfold:x")):
        with pytest.raises(DataError, match=message):
            folds(data, scheme)


def test_log_fits_are_validated_with_their_correction():
    fit = sl.fit(simulated(), SYSTEM, method="ols-log")
    assert abs(validate(fit, "kfold:5").indices().loc["stem", "TRE"]) < 4


def test_a_wrong_tree_stands_out():
    trees = simulated()
    trees.loc[17, ["stem", "branch"]] *= 3
    table = influence(sl.fit(trees, SYSTEM, cluster="none"))
    # The outlier bends the variance function too, so one small tree may pull as hard.
    assert 17 in table["cook"].nlargest(2).index and table.loc[17, "flag"]
    # The covariance of clusters would grow with the outlier's own site and hide it.
    sites = influence(sl.fit(trees, SYSTEM, cluster="none"), group="site")
    assert list(sites.index) == [f"s{i}" for i in range(8)]
    assert trees.loc[17, "site"] in sites["cook"].nlargest(2).index


def test_bias_and_equivalence_by_hand():
    f = np.array([10.0, 20, 30, 40, 50, 60])
    y = f * 1.1 + np.array([0.1, -0.2, 0.1, 0.2, -0.1, -0.1])
    found = bias_test(y, f)
    slope, intercept = np.polyfit(f, y, 1)
    assert (found["slope"], found["intercept"]) == pytest.approx((slope, intercept))
    assert found["p_ellipse"] < 1e-5
    assert not equivalence_test(y, f, margin=10)["equivalent"]
    assert equivalence_test(y, f, margin=15)["equivalent"]
    rng = np.random.default_rng(0)
    shares = [
        bias_test(f * (1 + 0.1 * rng.normal(size=6)), f, 1 / f**2)["p_ellipse"] < 0.05 for _ in range(2000)
    ]
    assert np.mean(shares) == pytest.approx(0.05, abs=0.015)


def test_the_true_form_wins_by_aic_and_averages_lie_between():
    trees = simulated()
    fits = {
        "power": sl.fit(trees, "stem = a*dbh**b", method="wls"),
        "line": sl.fit(trees, "stem = a + b*dbh", method="wls", variance="power:dbh"),
        "log": sl.fit(trees, "stem = a*dbh**b", method="ols-log"),
    }
    table = compare(fits)
    assert table.index[-1] == "line" and table["weight"].sum() == pytest.approx(1)
    assert table.loc["line", "delta"] > 20
    new = pd.DataFrame({"dbh": [10.0, 30.0]})
    mixed = average({k: fits[k] for k in ("power", "log")}, new)
    both = np.array([fits[k].predict(new)["stem"] for k in ("power", "log")])
    assert (mixed["stem"] >= both.min(axis=0)).all() and (mixed["stem"] <= both.max(axis=0)).all()
    with pytest.raises(DataError, match="other responses or trees"):
        compare({"a": fits["power"], "b": sl.fit(trees.head(50), "stem = a*dbh**b", method="wls")})


def test_shape_names_where_a_system_fails():
    trees = simulated()
    fit = sl.fit(trees, SYSTEM)
    good = summary.shape_checks(fit, prediction.curve_data(fit))
    assert good["passed"].all() and summary.wholes(fit.system) == {"agb": ["stem", "branch"]}
    bent = sl.fit(trees, "stem = a*dbh + b*dbh**2 + c", method="wls", variance="power:dbh=2")
    bad = summary.shape_checks(bent, pd.DataFrame({"dbh": np.linspace(0.1, 40, 100)})).set_index("check")
    assert not bad.loc["positive", "passed"] or not bad.loc["growing", "passed"]
    assert bad["first_failure"].min() == pytest.approx(0.1, abs=2)


def stands(rng=None):
    """Stands that thin themselves: stems fall as trees grow, to about 300 t/ha."""
    rng = rng or np.random.default_rng(11)
    dbh = np.exp(rng.uniform(np.log(3), np.log(30), 200))
    stems = 40000 * dbh**-1.2 * np.exp(rng.normal(0, 0.25, 200))
    agb = 1.2e-4 * dbh**2.3 * stems * np.exp(rng.normal(0, 0.1, 200))
    return pd.DataFrame({"dbh": dbh, "stem_density": stems, "agb_density": agb})


def test_a_curve_of_stands_is_drawn_where_stands_are():
    """Without its data a fit knows from its domain that stems fall where diameters rise, and draws the same curve."""
    measured = stands()
    fit = sl.fit(measured, "agb_density = a * dbh**b * stem_density**c", variance="power:mean")
    bare = replace(fit, data=None)
    with_data, without = (prediction.curve_data(f, f.data) for f in (fit, bare))
    assert without["stem_density"].to_numpy() == pytest.approx(with_data["stem_density"].to_numpy(), rel=1e-9)
    assert without["stem_density"].is_monotonic_decreasing
    told = bare.predict(without)
    assert not told["out_of_range"].any()
    largest = told["agb_density"].max()
    assert 0.6 * measured["agb_density"].max() < largest < measured["agb_density"].max()
    # One that loses more stems than its trees gain still grows with them.
    sparse = measured.assign(
        agb_density=lambda d: d["agb_density"] * d["dbh"] ** -1.2 * d["stem_density"] ** 0.2
    )
    thinned = sl.fit(sparse, "agb_density = a * dbh**b * stem_density**c", variance="power:mean")
    along = prediction.curve_data(thinned)
    assert not thinned.predict(along)["agb_density"].is_monotonic_increasing
    assert summary.shape_checks(thinned, along)["passed"].all()
    # Not even the domain: stems still fall, from end to end, and nothing that no stand holds is drawn or judged.
    older = prediction.curve_data(replace(bare, domains={}))
    ends = fit.ranges["stem_density"]
    assert older["stem_density"].iloc[[0, -1]].tolist() == pytest.approx(ends[::-1])
    assert bare.predict(older)["agb_density"].max() < 1.1 * measured["agb_density"].max()
    both_high = pd.DataFrame({x: [high] for x, (_, high) in fit.ranges.items()})
    assert bare.predict(both_high)["agb_density"].item() > 5 * measured["agb_density"].max()


def test_without_records_heights_rise_and_what_is_no_size_stays():
    rng = np.random.default_rng(3)
    trees = simulated().assign(height=lambda d: 1.3 + 2 * d["dbh"] ** 0.6 * rng.uniform(0.9, 1.1, len(d)))
    trees["wood_density"] = rng.uniform(0.3, 0.6, len(trees))
    fit = sl.fit(trees, "stem = a * dbh**b * height**c * wood_density", method="wls")
    path = prediction.curve_data(replace(fit, data=None, domains={}))
    assert path["height"].iloc[[0, -1]].tolist() == pytest.approx(list(fit.ranges["height"]))
    assert path["wood_density"].to_numpy() == pytest.approx(np.sqrt(np.prod(fit.ranges["wood_density"])))


def test_transfer_verdicts():
    trees = simulated(200).assign(agb=lambda d: d["stem"] + d["branch"])
    true = {"a": float(sl.fit(trees, "agb = a*dbh**b", method="wls").values[0]), "b": 0.0}
    true["b"] = float(sl.fit(trees, "agb = a*dbh**b", method="wls").values[1])
    equation = "agb = a * dbh**b"
    assert transfer_test(trees, equation, true, "agb").verdict == "accept"
    scaled = transfer_test(trees, equation, true | {"a": 0.7 * true["a"]}, "agb")
    assert scaled.verdict == "calibrate" and scaled.ratio == pytest.approx(1 / 0.7, rel=0.02)
    steep = transfer_test(trees, equation, true | {"b": true["b"] + 0.4}, "agb", {"dbh": (10, 30)})
    assert steep.verdict == "reject" and steep.outside > 0
    with pytest.raises(DataError, match="the rule asks for 30"):
        transfer_test(trees.head(20), equation, true, "agb")


def test_leave_one_out_ranks_bayesian_fits_by_tree():
    from types import SimpleNamespace

    from sinklab.assess.comparison import compare_loo

    trees = pd.DataFrame({"dbh": np.arange(1.0, 41), "agb": np.arange(1.0, 41) ** 2})
    rng = np.random.default_rng(0)
    good = pd.Series(rng.normal(-1, 0.5, 40), index=trees.index)
    apart = rng.normal(-0.3, 0.4, 40)

    def stub(points, p):
        loo = pd.DataFrame({"elpd": points, "k": 0.2})
        system = SimpleNamespace(free=("agb",))
        return SimpleNamespace(
            loo=loo, certificate=Certificate(loo={"p": p}), data=trees, system=system, method="bayes"
        )

    fits = {"worse": stub(good + apart, 4.0), "better": stub(good, 3.0)}
    found = compare_loo(fits)
    assert list(found.index) == ["better", "worse"]
    assert found.loc["worse", "delta"] == pytest.approx(apart.sum())
    assert found.loc["worse", "se_delta"] == pytest.approx(np.sqrt(40) * apart.std())
    assert found.loc["worse", "weight"] == pytest.approx(1 / (1 + np.exp(-apart.sum())), rel=1e-9)
    fits["worse"].loo = None
    with pytest.raises(DataError, match="worse"):
        compare_loo(fits)
