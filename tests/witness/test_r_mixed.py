"""Agreement with R on mixed models: nlme for nonlinear ones, lme4 for those of logarithms.

``mixed.json`` is what ``mixed.R`` printed for ``mixed_trees.csv`` (334 simulated trees of 20 sites) and
``nested_trees.csv`` (288 of 48 sites in 8 provinces).
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sinklab as sl

HERE = Path(__file__).parent
R = json.loads((HERE / "mixed.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trees():
    return pd.read_csv(HERE / "mixed_trees.csv")


@pytest.mark.parametrize(("key", "variance"), [("power_mean", "power:mean"), ("power_dbh", "power:dbh")])
def test_nlme(trees, key, variance):
    fit, told = sl.fit(trees, "agb = a[site] * dbh**b", method="mixed", variance=variance), R[key]
    assert fit.loglik == pytest.approx(told["loglik"], abs=2e-3)
    assert np.log(fit.values[0]) == pytest.approx(told["fixed"][0], rel=1e-4)
    assert fit.values[1] == pytest.approx(told["fixed"][1], rel=1e-4)
    assert fit.parameters["se"].to_numpy() / [fit.values[0], 1] == pytest.approx(told["se"], rel=1e-3)
    assert np.sqrt(fit.random.covariance.iloc[0, 0]) == pytest.approx(told["sd"], rel=1e-3)
    assert fit.residual["agb"].sigma == pytest.approx(told["sigma"], rel=1e-3)
    assert fit.residual["agb"].exponent == pytest.approx(told["exponent"], rel=1e-4)
    assert fit.random.effects["a"].to_numpy() == pytest.approx(told["effects"], abs=2e-4)


def test_nlme_groups_in_groups():
    trees, told = pd.read_csv(HERE / "nested_trees.csv"), R["nested"]
    fit = sl.fit(trees, "agb = a[province/site] * dbh**b", method="mixed")
    assert fit.loglik == pytest.approx(told["loglik"], abs=2e-3)
    assert [np.log(fit.values[0]), fit.values[1]] == pytest.approx(told["fixed"], rel=1e-5)
    outer, whole = fit.random.outer.covariance.iloc[0, 0], fit.random.covariance.iloc[0, 0]
    assert np.sqrt([outer, whole - outer]) == pytest.approx(told["sd"], rel=1e-3)
    assert fit.residual["agb"].sigma == pytest.approx(told["sigma"], rel=1e-3)


@pytest.mark.parametrize(
    ("key", "text"), [("intercepts", "agb = a[site] * dbh**b"), ("slopes", "agb = a[site] * dbh**b[site]")]
)
def test_lme4(trees, key, text):
    fit, told = sl.fit(trees, text, method="mixed", variance="lognormal"), R[key]
    assert fit.loglik == pytest.approx(told["loglik"], abs=1e-4)
    assert np.log(fit.values[0]) == pytest.approx(told["fixed"][0], rel=1e-4)
    assert fit.values[1] == pytest.approx(told["fixed"][1], rel=1e-5)
    variance = fit.random.covariance.to_numpy()
    ours = [variance[0, 0]] if len(variance) == 1 else [variance[0, 0], variance[1, 1], variance[0, 1]]
    assert ours == pytest.approx(np.atleast_1d(told["variance"]), rel=5e-3)
    assert fit.residual["agb"].sigma == pytest.approx(told["sigma"], rel=1e-4)
