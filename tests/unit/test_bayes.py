"""Bayesian fits: the graph against numpy, priors as stated, and posteriors with known answers."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.fit.bayes import fit_bayes
from sinklab.fit.prepare import prepare

TRUTH = {"a": 0.08, "b": 2.4, "sigma": 0.2}


def trees(n=60, seed=3):
    rng = np.random.default_rng(seed)
    dbh = rng.uniform(5, 40, n)
    noise = np.exp(TRUTH["sigma"] * rng.standard_normal(n) - TRUTH["sigma"] ** 2 / 2)
    return pd.DataFrame({"dbh": dbh, "agb": TRUTH["a"] * dbh ** TRUTH["b"] * noise})


@pytest.fixture(scope="module")
def single():
    return fit_bayes(prepare(trees(), "agb = a * dbh**b"), "lognormal", draws=500, tune=300, chains=4, seed=1)


def test_posterior_with_weak_priors_agrees_with_maximum_likelihood(single):
    likely = sl.fit(trees(), "agb = a * dbh**b", variance="lognormal")
    assert single.method == "bayes" and single.converged
    assert np.allclose(single.values, likely.values, atol=0.15 * single.parameters["se"].max())
    ratio = single.parameters["se"] / likely.parameters["se"]
    assert ratio.between(0.9, 1.2).all()
    assert single.residual["agb"].sigma == pytest.approx(likely.residual["agb"].sigma, rel=0.06)
    assert list(single.stored_draws.columns) == ["a", "b"] and len(single.stored_draws) == 2000
    lower, upper = np.quantile(single.stored_draws["b"], [0.025, 0.975])
    assert single.parameters["lower"][1] == pytest.approx(lower)
    assert single.parameters["upper"][1] == pytest.approx(upper)
