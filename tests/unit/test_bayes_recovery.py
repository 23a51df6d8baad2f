"""Bayesian fits over many simulated data sets, and against maximum likelihood: minutes, not seconds."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import sinklab as sl
from sinklab.fitting.bayes import sample
from sinklab.fitting.bayes.engine import fit_bayes
from sinklab.fitting.data import prepare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

COMPONENTS = "stem = a * dbh**b\nroot = stem * r0 * dbh**r1"
COMPONENT_PRIORS = {
    "a": "lognormal(0.08, 0.3)",
    "b": "normal(2.4, 0.2)",
    "r0": "lognormal(0.3, 0.3)",
    "r1": "normal(-0.1, 0.2)",
    "sigma(stem)": "lognormal(0.15, 0.3)",
    "sigma(root)": "lognormal(0.3, 0.3)",
    "correlation": "lkj(2)",
}


def components(rng, n=40):
    """Truth from the priors and trees from the truth; roots on every third tree."""
    truth = {
        "a": 0.08 * np.exp(0.3 * rng.standard_normal()),
        "b": rng.normal(2.4, 0.2),
        "r0": 0.3 * np.exp(0.3 * rng.standard_normal()),
        "r1": rng.normal(-0.1, 0.2),
        "sigma(stem)": 0.15 * np.exp(0.3 * rng.standard_normal()),
        "sigma(root)": 0.3 * np.exp(0.3 * rng.standard_normal()),
        "correlation(stem, root)": 2 * rng.beta(2, 2) - 1,
    }
    dbh = rng.uniform(5, 40, n)
    sd = np.array([truth["sigma(stem)"], truth["sigma(root)"]])
    r = truth["correlation(stem, root)"]
    e = rng.multivariate_normal([0, 0], np.outer(sd, sd) * [[1, r], [r, 1]], n) - sd**2 / 2
    stem = truth["a"] * dbh ** truth["b"]
    root = stem * truth["r0"] * dbh ** truth["r1"]
    trees = pd.DataFrame({"dbh": dbh, "stem": stem * np.exp(e[:, 0]), "root": root * np.exp(e[:, 1])})
    trees.loc[trees.index % 3 != 0, "root"] = np.nan
    return truth, trees


POOLED = "agb = a[site] * (dbh / 15)**b[site]"
POOLED_PRIORS = {
    "a": "lognormal(50, 0.5)",
    "b": "normal(2.4, 0.2)",
    "spread(a)": "lognormal(0.3, 0.3)",
    "spread(b)": "halfnormal(0.1)",
    "sigma(agb)": "lognormal(0.2, 0.3)",
    "correlation(site)": "lkj(2)",
}


def pooled(rng, n_site=8, n=12):
    """Truth from the priors and sites and trees from the truth."""
    truth = {
        "mean(a)": 50 * np.exp(0.5 * rng.standard_normal()),
        "mean(b)": rng.normal(2.4, 0.2),
        "spread(a)": 0.3 * np.exp(0.3 * rng.standard_normal()),
        "spread(b)": 0.1 * abs(rng.standard_normal()),
        "sigma(agb)": 0.2 * np.exp(0.3 * rng.standard_normal()),
        "correlation(a, b)": 2 * rng.beta(2, 2) - 1,
    }
    spread, r = np.array([truth["spread(a)"], truth["spread(b)"]]), truth["correlation(a, b)"]
    deviation = rng.multivariate_normal([0, 0], np.outer(spread, spread) * [[1, r], [r, 1]], n_site)
    a, b = truth["mean(a)"] * np.exp(deviation[:, 0]), truth["mean(b)"] + deviation[:, 1]
    truth |= {"a[s0]": a[0], "b[s0]": b[0]}
    site = np.repeat(np.arange(n_site), n)
    dbh = rng.uniform(5, 40, len(site))
    e = truth["sigma(agb)"] * rng.standard_normal(len(site)) - truth["sigma(agb)"] ** 2 / 2
    agb = a[site] * (dbh / 15) ** b[site] * np.exp(e)
    return truth, pd.DataFrame({"site": [f"s{s}" for s in site], "dbh": dbh, "agb": agb})


@pytest.mark.parametrize(
    ("simulate", "text", "stated"),
    [(components, COMPONENTS, COMPONENT_PRIORS), (pooled, POOLED, POOLED_PRIORS)],
    ids=["components", "pooled"],
)
def test_ranks_of_the_truth_among_the_draws_are_uniform(simulate, text, stated):
    rng = np.random.default_rng(20)
    ranks, compiled = [], len(sample._compiled)
    for i in range(160):
        truth, trees = simulate(rng)
        options = {"priors": stated, "draws": 250, "tune": 300, "seed": i, "cores": 2}
        result = fit_bayes(prepare(trees, text), "lognormal", **options)
        assert result.certificate.checks["divergences"]["passed"], i
        drawn = pd.concat([result.stored_draws, result.other_draws], axis=1)
        thinned = drawn.iloc[:: len(drawn) // 99][:99]
        ranks.append({name: int((thinned[name] < value).sum()) for name, value in truth.items()})
    ranks = pd.DataFrame(ranks)
    assert len(sample._compiled) == compiled + 1
    for name in ranks:
        counts = np.bincount(ranks[name] // 10, minlength=10)
        assert stats.chisquare(counts).pvalue > 0.001, (name, counts)


def test_components_agree_with_the_maximum_of_the_likelihood():
    rng = np.random.default_rng(7)
    _, trees = components(rng, 240)
    result = fit_bayes(prepare(trees, COMPONENTS), "power:mean", seed=3)
    likely = sl.fit(trees, COMPONENTS, variance="power:mean")
    assert result.converged
    shift = (result.values - likely.values) / likely.parameters["se"]
    assert shift.abs().max() < 0.25
    assert result.loglik == pytest.approx(likely.loglik, abs=3)
    assert result.correlation.loc["stem", "root"] == pytest.approx(
        likely.correlation.loc["stem", "root"], abs=0.05
    )


def test_few_trees_borrow_and_many_do_not():
    rng = np.random.default_rng(3)
    counts = [60, 40, 40, 30, 30, 20, 2, 1]
    site = np.repeat(np.arange(8), counts)
    level = 0.06 * np.exp(0.25 * rng.standard_normal(8))
    dbh = rng.uniform(5, 40, len(site))
    agb = level[site] * dbh**2.4 * np.exp(0.3 * rng.standard_normal(len(site)) - 0.045)
    trees = pd.DataFrame({"site": [f"s{s}" for s in site], "dbh": dbh, "agb": agb})
    result = fit_bayes(prepare(trees, "agb = a[site] * dbh**b"), "lognormal", seed=1)
    assert result.converged
    borrowed = result.shrinkage.set_index("group")["borrowed"]
    assert borrowed["s0"] < 0.06 and borrowed["s7"] > 0.3 and borrowed["s7"] > borrowed["s6"]
    moved = (result.shrinkage["wider"] - result.shrinkage["narrower"]).abs()
    assert moved.iloc[0] < 0.02
    z = (np.log(result.stored_draws.iloc[:, :8]).mean() - np.log(level)) / np.log(
        result.stored_draws.iloc[:, :8]
    ).std()
    assert z.abs().max() < 3.2


def test_error_of_measurement_flattens_a_curve_unless_it_is_told():
    rng = np.random.default_rng(2)
    dbh = np.exp(rng.normal(2.9, 0.35, 300))
    agb = 0.08 * dbh**2.4 * np.exp(0.15 * rng.standard_normal(300) - 0.15**2 / 2)
    seen = dbh + rng.normal(0, 1.5, 300)
    trees = pd.DataFrame({"dbh": seen, "agb": agb})[seen > 3]
    naive = fit_bayes(prepare(trees, "agb = a * dbh**b"), "lognormal", seed=1)
    told = fit_bayes(
        prepare(trees, "agb = a * dbh**b"), "lognormal", measurement_error={"dbh": 1.5}, draws=2000, seed=1
    )
    b = told.parameters.set_index("name").loc["b"]
    assert naive.parameters.set_index("name").loc["b", "upper"] < 2.4
    assert b["lower"] < 2.4 < b["upper"]
    assert told.residual["agb"].sigma == pytest.approx(0.15, abs=0.05)
    assert naive.residual["agb"].sigma > 0.2
    assert "pareto_k" not in told.certificate.checks
