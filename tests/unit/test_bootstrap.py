"""Bootstrap and jackknife against what theory says."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.fitting.resample import bootstrap, jackknife
from sinklab.language import DataError


@pytest.fixture(scope="module")
def line():
    rng = np.random.default_rng(8)
    dbh = rng.uniform(5, 40, 120)
    site = np.repeat([f"s{i:02d}" for i in range(12)], 10)
    shift = np.repeat(rng.normal(0, 0.25, 12), 10)
    agb = 0.1 * dbh**2.4 * np.exp(shift) * (1 + 0.12 * rng.normal(size=120))
    trees = pd.DataFrame({"dbh": dbh, "agb": agb, "site": site})
    return sl.fit(trees, "agb = a * dbh**b", method="wls", seed=4, cluster="none")


def test_residual_bootstrap_returns_the_standard_errors_of_the_model(line):
    result = bootstrap(line, 400, kind="residual")
    assert np.allclose(result.parameters["se"], line.parameters["se"], rtol=0.12)
    assert np.array_equal(result.values, line.values)
    assert len(result.stored_draws) == 400
    assert result.certificate.bootstrap["n_failed"] == 0


def test_trees_of_a_site_are_drawn_together(line):
    case, group = bootstrap(line, 300), bootstrap(line, 300, kind="group", group="site")
    # Sites differ by a quarter, so drawing trees one by one understates the uncertainty.
    total = [r.predict(pd.DataFrame({"dbh": [20.0]}))["agb_se"][0] for r in (case, group)]
    assert total[1] > 1.5 * total[0]


def test_the_draws_do_not_depend_on_the_number_of_processes(line):
    one, two = bootstrap(line, 120, workers=1), bootstrap(line, 120, workers=2)
    assert one.stored_draws.equals(two.stored_draws)
    assert not one.stored_draws.equals(bootstrap(line, 120, seed=5).stored_draws)


def test_jackknife_of_a_log_line_equals_the_textbook():
    rng = np.random.default_rng(1)
    x = rng.uniform(1, 3, 30)
    trees = pd.DataFrame({"x": np.exp(x), "y": np.exp(1 + 2 * x + rng.normal(0, 0.2, 30))})
    result = sl.fit(trees, "y = a * x**b", method="ols-log")
    left_out = jackknife(result)
    # Slope without tree i: b - h e / (1 - leverage), from the hat matrix.
    design = np.column_stack([np.ones(30), x])
    hat = design @ np.linalg.inv(design.T @ design) @ design.T
    coefficients = np.linalg.lstsq(design, np.log(trees["y"]), rcond=None)[0]
    residual = np.log(trees["y"]) - design @ coefficients
    change = np.linalg.inv(design.T @ design) @ design.T * (residual.to_numpy() / (1 - np.diag(hat)))
    assert np.allclose(left_out["b"], coefficients[1] - change[1], rtol=1e-9)


def test_bca_moves_the_interval_of_a_skewed_estimate(line):
    percentile, bca = bootstrap(line, 400), bootstrap(line, 400, interval="bca")
    assert np.array_equal(percentile.stored_draws, bca.stored_draws)
    assert not np.allclose(percentile.parameters["lower"], bca.parameters["lower"])
    assert (bca.parameters["lower"] < line.values).all() and (bca.parameters["upper"] > line.values).all()


def test_unknown_requests_are_named(line):
    with pytest.raises(DataError, match="kind 'tree'"):
        bootstrap(line, 10, kind="tree")
    with pytest.raises(DataError, match="no column 'plot'"):
        bootstrap(line, 10, kind="group", group="plot")


def test_whole_sites_are_drawn_where_the_fit_knows_them(line):
    known = sl.fit(line.data, "agb = a * dbh**b", method="wls", seed=4)
    drawn = bootstrap(known, 100)
    assert (drawn.certificate.bootstrap["kind"], drawn.certificate.bootstrap["group"]) == ("group", "site")
    assert drawn.stored_draws.equals(bootstrap(line, 100, "group", "site").stored_draws)
    assert bootstrap(line, 20).certificate.bootstrap["kind"] == "case"


@pytest.fixture(scope="module")
def mixed():
    rng = np.random.default_rng(5)
    site, dbh = np.repeat([f"s{i:02d}" for i in range(20)], 12), rng.uniform(5, 40, 240)
    agb = 0.1 * dbh**2.4 * np.exp(np.repeat(rng.normal(0, 0.2, 20), 12)) * (1 + 0.1 * rng.normal(size=240))
    trees = pd.DataFrame({"site": site, "plot": np.tile(["x", "y"], 120), "dbh": dbh, "agb": agb})
    return sl.fit(trees.assign(region=trees["site"].str[:2]), "agb = a[site] * dbh**b", method="mixed")


@pytest.mark.slow
def test_whole_groups_of_a_mixed_model_are_drawn(mixed):
    drawn = bootstrap(mixed, 80, workers=2)
    assert (drawn.certificate.bootstrap["kind"], drawn.certificate.bootstrap["group"]) == ("group", "site")
    assert drawn.certificate.bootstrap["n_failed"] == 0 and drawn.values == pytest.approx(mixed.values)
    # The standard errors are those of the likelihood, but for the error of 80 refits and of 20 groups.
    ratio = drawn.parameters["se"] / mixed.parameters["se"]
    assert ratio.between(0.65, 1.5).all()
    with pytest.raises(DataError, match="cut through those of site"):
        bootstrap(mixed, 9, "group", "plot")
    with pytest.raises(DataError, match="whole groups are drawn, not residual"):
        bootstrap(mixed, 9, "residual")


def test_a_group_drawn_twice_is_two_groups(mixed):
    # Were they one, its likelihood would be another; the maximum of the whole sample drawn once is that of the fit.
    from sinklab.fitting.resample import Refitter

    refitter = Refitter(mixed)
    once = refitter.estimate(np.arange(240), None, np.zeros(240, int))
    assert once == pytest.approx(mixed.values, rel=1e-4)
    twice = np.tile(np.arange(240), 2)
    assert refitter.estimate(twice, None, np.repeat([0, 1], 240)) == pytest.approx(mixed.values, rel=2e-3)
    assert not np.allclose(
        refitter.estimate(twice), refitter.estimate(twice, None, np.repeat([0, 1], 240)), rtol=1e-6
    )


def test_groups_of_a_mixed_model_are_left_out_one_by_one(mixed):
    left = jackknife(mixed)
    assert left.index.name == "site" and list(left.index) == sorted(mixed.data["site"].unique())
    without = mixed.data[mixed.data["site"] != "s07"]
    alone = sl.fit(without, "agb = a[site] * dbh**b", method="mixed")
    assert left.loc["s07"].to_numpy() == pytest.approx(alone.values, rel=1e-4)


def test_a_posterior_is_not_refitted():
    from sinklab.fitting.resample import check_kind

    with pytest.raises(DataError, match="a posterior is not refitted"):
        check_kind(None, "percentile", "bayes")
