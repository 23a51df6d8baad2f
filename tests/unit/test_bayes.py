"""Bayesian fits: the graph against numpy, priors as stated, and posteriors with known answers."""

import numpy as np
import pandas as pd
import pytest
from incomplete_trees import weighed

import sinklab as sl
from sinklab.equations.compile import Compiled
from sinklab.fitting.bayes import engine
from sinklab.fitting.bayes import model as bayes_model
from sinklab.fitting.bayes.engine import fit_bayes
from sinklab.fitting.bayes.model import Quantity, Translation
from sinklab.fitting.bayes.result import coefficient_draws, log_likelihood, other_draws, predictive
from sinklab.fitting.data import prepare
from sinklab.language import DataError

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


def test_certificate_holds_every_check_with_its_threshold(single):
    checks = single.certificate.checks
    of_sampling = ["rhat", "ess_bulk", "ess_tail", "divergences", "e_bfmi", "pareto_k"]
    assert list(checks) == [*of_sampling, "posterior_predictive", "prior_predictive"]
    assert all(c["passed"] and c["source"] for c in checks.values())
    assert checks["rhat"]["threshold"] == 1.01 and 0.999 < checks["rhat"]["value"] < 1.01
    assert checks["ess_bulk"]["value"] > 1000 and checks["divergences"]["value"] == 0
    likely = sl.fit(trees(), "agb = a * dbh**b", variance="lognormal")
    # LOO stands below the maximum by about the three parameters.
    assert single.certificate.loo["elpd"] == pytest.approx(likely.loglik - 3, abs=1.2)
    assert single.certificate.loo["p"] == pytest.approx(3, abs=1)
    assert single.loglik == pytest.approx(likely.loglik, abs=0.5)
    assert single.to_json()["interval"]["kind"] == "posterior, equal tails"
    assert len(single.loo) == 60


def test_the_seed_alone_decides_and_one_compilation_serves_other_data(single):
    from sinklab.fitting.bayes import sample

    before = len(sample._compiled)
    options = {"variance": "lognormal", "draws": 500, "tune": 300, "chains": 4, "seed": 1}
    again = fit_bayes(prepare(trees(), "agb = a * dbh**b"), cores=1, **options)
    assert again.stored_draws.equals(single.stored_draws)
    other = fit_bayes(prepare(trees(90, seed=8), "agb = a * dbh**b"), **options)
    assert len(sample._compiled) == before
    likely = sl.fit(trees(90, seed=8), "agb = a * dbh**b", variance="lognormal")
    assert np.allclose(other.values, likely.values, atol=0.15 * other.parameters["se"].max())
    strong = fit_bayes(
        prepare(trees(), "agb = a * dbh**b"), priors={"b": "normal(2.0, 0.001)"}, **options | {"seed": 2}
    )
    assert len(sample._compiled) == before
    assert strong.parameters["value"][1] == pytest.approx(2.0, abs=0.01)
    told = strong.priors.set_index("name")
    assert told.loc["b", "prior"] == "normal(2, 0.001)" and told.loc["b", "origin"] == "stated"
    assert told.loc["a", "origin"] == "automatic" and told.loc["sigma(agb)", "prior"] == "halfnormal(1)"


def test_machine_code_that_computes_something_else_is_noticed(single):
    from sinklab.fitting.bayes import sample

    spec = engine.read_spec(prepare(trees(), "agb = a * dbh**b"), "lognormal", None, None, True)
    builder = bayes_model.Builder(spec, *engine._priors(spec, trees(), None, 0))
    model, functions = sample.compile_model(builder)
    expected = sample.reference(model)
    assert sample.agrees(functions, builder, expected)
    point, logp, quantities = expected
    assert not sample.agrees(functions, builder, (point, logp + 0.01, quantities))
    assert not sample.agrees(functions, builder, (point, logp, {"t": quantities["t"] + 1e-4}))
    builder.arrays["number_by_row"] = builder.arrays["number_by_row"] * 1.001
    assert not sample.agrees(functions, builder, expected)


def test_predictive_draws_agree_with_the_equation_and_its_residual(single):
    new = pd.DataFrame({"dbh": [10.0, 30.0]})
    mean = predictive(single, new, "mean")["agb"]
    assert mean.shape == (2000, 2)
    assert np.allclose(mean, single.system.mean(single.stored_draws.to_numpy(), new)["agb"])
    one = predictive(single, new, "individual", seed=4)["agb"]
    sigma = single.residual["agb"].sigma
    assert np.log(one).std(axis=0) == pytest.approx(np.full(2, sigma), rel=0.15)
    assert np.allclose(one.mean(axis=0), mean.mean(axis=0), rtol=0.03)
    before = predictive(single, new, "prior", n=4000)["agb"]
    # ln a and b are independent in the prior: SD 2 and 1, so that of ln f at dbh 10 is this.
    assert np.log(before[:, 0]).std() == pytest.approx(np.sqrt(4 + np.log(10) ** 2), rel=0.06)
    with pytest.raises(DataError, match="kind must be one of"):
        predictive(single, new, "median")


def incomplete(n=40):
    """Trees with gaps, and two of which only the total of some components was weighed."""
    rng = np.random.default_rng(2)
    dbh = rng.uniform(5, 40, n)
    species = rng.choice(list("ABCDEF"), n, p=[0.3, 0.3, 0.2, 0.1, 0.05, 0.05])
    frame = pd.DataFrame({"dbh": dbh, "species": species})
    return weighed(frame, rng)


POOLED = """
stem = a1[species] * dbh**b1[species]
branch = a2 * dbh**b2
agb = stem + branch
root = agb * r0 * dbh**r1
"""


@pytest.mark.parametrize("variance", ["power:mean", "stem=lognormal,branch=power:dbh,root=none"])
def test_the_graph_and_numpy_give_the_same_likelihood(variance):
    import pytensor

    prepared = prepare(incomplete(), POOLED, totals=True)
    spec = engine.read_spec(prepared, variance, None, None, True)
    assert sorted(len(p.rows) for p in spec.patterns) == [1, 1, 13, 23]
    assert sum(len(c.rows) for c in spec.combined) == (2 if variance == "power:mean" else 0)
    stated, near = engine._priors(spec, prepared.frame, None, 0)
    builder = bayes_model.Builder(spec, stated, near)
    model = builder.build()
    of_trees = (*spec.free, "combined")
    likelihood = sum(p for p in model.potentials if p.name.split("_given_")[0].startswith(of_trees))
    wanted = model.replace_rvs_by_values([likelihood, model["t"], model["group_0"]])
    function = pytensor.function(model.value_vars, wanted, on_unused_input="ignore", mode="FAST_COMPILE")
    logs = sum(np.nansum(np.log(spec.y[:, j])) for j in range(3) if spec.functions[spec.free[j]].logged)
    rng = np.random.default_rng(1)
    for _ in range(3):
        point = [rng.standard_normal(v.type.shape) for v in model.value_vars]
        value, t, groups = function(*point)
        posterior = {"t": t[None, None], "group_0": groups[None, None]}
        values = coefficient_draws(builder, posterior)
        other = other_draws(builder, t[None])
        assert log_likelihood(spec, prepared.frame, values, other).sum() + logs == pytest.approx(
            value, rel=1e-10
        )


SHAPES = [
    "y = a * x**b * z**c",
    "y = where(x < 12, a * x**b, a * 12**b + c * (x - 12)**1.5)",
    "y = a + b * x + c * x**2",
    "y = exp(a + b * log(x)) / (1 + c * x)",
    "y = max(a * x**b, c) + min(x, z) * sqrt(a)",
    "y = a * (x - 3)**b + c * x",
]


@pytest.mark.parametrize("text", SHAPES)
def test_translated_means_and_their_slopes_are_those_of_the_system(text):
    import pytensor
    import pytensor.tensor as pt

    data = {"x": np.array([2.0, 8.0, 15.0, 30.0]), "z": np.array([3.0, 9.0, 12.0, 20.0])}
    system = sl.System.parse(text, ["y", "x", "z"])
    log = pt.dscalar("log")
    b, c = pt.dscalar("b"), pt.dscalar("c")
    known = {"a": Quantity(pt.exp(log), log), "b": Quantity(b), "c": Quantity(c)}
    compiled = Compiled(system.equations, ("y",), system.parameters)
    made = Translation(compiled, data, known, lambda _, array: pt.constant(array))
    mean, log_mean = made.mean("y"), made.log_mean("y")
    slope = pytensor.gradient.jacobian(log_mean, [log, b, c], disconnected_inputs="ignore")
    function = pytensor.function(
        [log, b, c], [mean, log_mean, *slope], mode="FAST_COMPILE", on_unused_input="ignore"
    )
    values = {"a": 0.4, "b": 1.7, "c": 0.05}
    found = function(np.log(0.4), 1.7, 0.05)
    expected = system.mean(values, data)["y"]
    if "x - 3" in text:
        expected[0] = 0.05 * 2  # a power of a negative number is no number; the graph has 0
    assert np.allclose(found[0], expected, rtol=1e-12)
    assert np.allclose(found[1], np.log(expected), rtol=1e-10)
    jacobian = system.jacobian(values, data)["y"] / expected[:, None]
    rows = slice(1, None) if "x - 3" in text else slice(None)
    for name, slope in zip("abc", found[2:], strict=True):
        wanted = jacobian[:, system.parameters.index(name)] * (0.4 if name == "a" else 1.0)
        assert np.isfinite(slope).all() and np.allclose(slope[rows], wanted[rows], rtol=1e-9)


def test_vines_give_correlations_and_the_marginals_of_lkj():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((4, 6))
    matrix = np.corrcoef(root)
    partial = np.tanh(bayes_model.from_correlation(matrix))
    rows = bayes_model.cholesky(partial, 4, np.sqrt)
    assert np.allclose(bayes_model.correlation(rows), matrix, atol=1e-12)
    chosen = matrix[np.ix_([0, 2, 3], [0, 2, 3])]
    own, found = np.linalg.cholesky(chosen), bayes_model.factor(chosen, np.sqrt)
    assert np.allclose(found[2], own[2])
    assert np.allclose(found[1], own[1][:2])
    alpha = bayes_model.shapes(4, 2.0)
    draws = 2 * rng.beta(alpha, alpha, (20_000, 6)).T - 1
    found = bayes_model.correlation(bayes_model.cholesky(draws, 4, np.sqrt))
    # Every correlation is marginally Beta(eta - 1 + d / 2) on (-1, 1): variance 1 / (2 alpha + 1).
    for i, j in ((1, 0), (2, 1), (3, 2), (3, 0)):
        assert found[i][j].var() == pytest.approx(1 / (2 * 3 + 1), rel=0.05)


def test_stated_priors_are_checked_all_at_once():
    prepared = prepare(trees(), "agb = a * dbh**b")
    stated = {"a": "gamma(1, 2)", "b": "normal(2, -1)", "sigma(agb)": "normal(0, 1)", "q": "normal(0, 1)"}
    with pytest.raises(DataError) as caught:
        fit_bayes(prepared, priors=stated)
    text = str(caught.value)
    assert "a = 'gamma(1, 2)'" in text and "b = 'normal(2, -1)'" in text and "'q'" in text
    with pytest.raises(DataError, match="sigma"):
        fit_bayes(prepared, priors={"sigma(agb)": "normal(0, 1)"})
    with pytest.raises(DataError, match="not a predictor"):
        fit_bayes(prepared, measurement_error={"height": 0.5})
    with pytest.raises(DataError, match="pool = "):
        fit_bayes(prepared, pool={"species": "strongly"})
    zero = trees().assign(agb=lambda d: d["agb"].where(d.index != 4, 0.0))
    with pytest.raises(DataError, match="record 5"):
        fit_bayes(prepare(zero, "agb = a * dbh**b"), "lognormal")
