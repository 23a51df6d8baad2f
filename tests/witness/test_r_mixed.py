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


@pytest.mark.open_data
def test_nlme_on_three_components_of_larch(open_data):
    """What nlme gives, in 47 s, for one response of three kinds: varPower and varIdent by kind, corSymm within a tree."""
    from sinklab.data import open_data

    data = open_data.load("open:eurasia_trees", {"genus": "Larix"})
    data["stand"] = data["latitude"].round(1).astype(str) + "_" + data["longitude"].round(1).astype(str)
    data = data[["stand", "dbh", "height", "stem", "branch", "foliage"]]
    text = "\n".join(
        f"{part} = a{i}[stand] * dbh**b{i} * height**c{i}"
        for i, part in enumerate(("stem", "branch", "foliage"))
    )
    data = data[(data.drop(columns="stand") > 0).all(axis=1)].reset_index(drop=True)
    fit = sl.fit(data, text, method="mixed")
    assert fit.converged and sum(fit.n.values()) == 3 * 371
    assert fit.loglik == pytest.approx(-1872.0217, abs=5e-3)
    found = fit.values * 1.0
    found[[0, 3, 6]] = np.log(found[[0, 3, 6]])
    told = [
        -3.3646767,
        1.6935234,
        1.0761287,
        -2.8441955,
        2.4357955,
        -0.6387224,
        -3.4701939,
        2.1842798,
        -0.6537869,
    ]
    assert found == pytest.approx(told, abs=5e-4)
    assert np.sqrt(np.diag(fit.random.covariance)) == pytest.approx(
        [0.1242748, 0.1922564, 0.2898392], rel=1e-3
    )
