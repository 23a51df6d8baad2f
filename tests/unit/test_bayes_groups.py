"""Pooled coefficients: their coordinates, spreads near 0, agreement with REML, and what is told of it all."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.fitting.bayes import engine, model, sample
from sinklab.fitting.bayes.engine import fit_bayes
from sinklab.fitting.bayes.model import resolution
from sinklab.fitting.bayes.result import predictive
from sinklab.fitting.data import prepare
from sinklab.fitting.resample import between_groups
from sinklab.language import DataError
from sinklab.results.prediction import of_groups
from sinklab.results.summary import sampling_report

EQUATION = "agb = a[species] * dbh**b[species]"


def species(counts=(40, 30, 20, 12, 8, 5, 4, 3), spread=(0.1, 0.03), sigma=0.25, seed=4, at=1.0):
    """Trees of a few species that hardly differ."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(counts)), counts)
    a = 0.09 * np.exp(spread[0] * rng.standard_normal(len(counts)))
    b = 2.4 + spread[1] * rng.standard_normal(len(counts))
    dbh = rng.uniform(5, 36, len(of))
    agb = a[of] * (dbh / at) ** b[of] * np.exp(sigma * rng.standard_normal(len(of)) - sigma**2 / 2)
    return pd.DataFrame({"species": [f"s{i:02d}" for i in of], "dbh": dbh, "agb": agb})


@pytest.fixture(scope="module")
def alike():
    return fit_bayes(prepare(species(), EQUATION), "lognormal", seed=1)


def test_species_that_hardly_differ_are_sampled_without_divergences(alike):
    checks = alike.certificate.checks
    assert alike.converged and checks["divergences"]["value"] == 0
    assert checks["ess_bulk"]["value"] > 1000 and checks["ess_tail"]["value"] > 1000
    attempts = alike.certificate.sampled
    assert attempts[0]["accept"] == 0.8 and attempts[-1]["divergences"] == 0
    assert (len(attempts) > 1) == any("sampled again" in w for w in alike.warnings)
    assert (alike.other_draws[["spread(a)", "spread(b)"]] >= 0).all().all()
    assert alike.other_draws["correlation(a, b)"].abs().max() < 1


def test_divergences_are_answered_by_smaller_steps(alike, monkeypatch):
    rates = []

    def diverging(builder, draws, tune, chains, cores, seed, accept):
        rates.append((accept, seed))
        posterior, statistics = plain(builder, draws, tune, chains, cores, seed, accept)
        statistics["diverging"] = np.zeros_like(statistics["diverging"])
        statistics["diverging"][0, :3] = accept < 0.99
        return posterior, statistics

    plain = sample.sample_posterior
    monkeypatch.setattr(sample, "sample_posterior", diverging)
    options = {"draws": 100, "tune": 100, "chains": 2, "seed": 5}
    result = fit_bayes(prepare(species(), EQUATION), "lognormal", **options)
    assert rates == [(0.8, 5), (0.95, 5), (0.99, 5)]
    told = [{"accept": 0.8, "divergences": 3}, {"accept": 0.95, "divergences": 3}]
    assert result.certificate.sampled == [*told, {"accept": 0.99, "divergences": 0}]
    assert any("3 (0.8); 3 (0.95); sampled again at 0.99, with none" in w for w in result.warnings)
    monkeypatch.undo()
    fixed = fit_bayes(prepare(species(), EQUATION), "lognormal", accept=0.99, **options)
    assert fixed.stored_draws.equals(result.stored_draws)


def reference_builder(frame, text, pool):
    spec = engine.read_spec(prepare(frame, text), "lognormal", pool, None, True)
    return model.Builder(spec, *engine._priors(spec, frame, None, 0))


@pytest.mark.parametrize(
    ("text", "pool"),
    [
        (EQUATION, "correlated"),
        (EQUATION, "independent"),
        ("agb = a[species] * dbh**b", "correlated"),
        ("agb = a[species] * (dbh / (dbh + c[species]))**b[species] * 20**b[species]", "correlated"),
    ],
    ids=["two", "independent", "one", "three"],
)
def test_coordinates_of_groups_do_not_change_the_density(text, pool):
    """The density of z is that of the group values under their distribution, times the Jacobian."""
    import pytensor

    builder = reference_builder(species(), text, pool)
    model = builder.build()
    term = next(p for p in model.potentials if p.name == "groups_0")
    wanted = model.replace_rvs_by_values([term, model["group_0"], model["t"]])
    z = model.rvs_to_values[model["z_0"]]
    wanted.append(pytensor.gradient.jacobian(wanted[1].flatten(), z))
    function = pytensor.function(model.value_vars, wanted, on_unused_input="ignore", mode="FAST_COMPILE")
    block, scalars = builder.spec.blocks[0], builder.scalars
    rng, constants = np.random.default_rng(1), []
    for _ in range(3):
        density, theta, t, slopes = function(*(rng.standard_normal(v.type.shape) for v in model.value_vars))
        t = t[None]
        mean = [scalars.take(t, "mean", p)[0] for p in block.parameters]
        mean = [
            np.log(m) if p in builder.spec.positive else m
            for m, p in zip(mean, block.parameters, strict=True)
        ]
        spread = np.array([scalars.take(t, "spread", p)[0] for p in block.parameters])
        matrix = scalars.correlation(t, "correlation(species)")[0] if block.correlated else np.eye(len(mean))
        root = spread[:, None] * np.linalg.cholesky(matrix)
        u = np.linalg.solve(root, theta - np.array(mean)[:, None])
        prior = -0.5 * (u**2).sum() - len(theta.T) * np.log(np.diag(root)).sum()
        constants.append(density - prior - np.linalg.slogdet(slopes)[1])
    assert np.ptp(constants) < 1e-7


def test_resolution_is_the_standard_error_of_a_spread_of_zero():
    class Near:
        information = np.full((8, 1, 1), 400.0)

    # Group means with variance 1/400: the variance between them is known to 1/400 * sqrt(2/8).
    assert resolution(Near.information)[0] == pytest.approx(np.sqrt(np.sqrt(2 / 8) / 400))


def test_hierarchical_lognormal_agrees_with_reml():
    """Against statsmodels' MixedLM on logarithms, where the model is linear.

    Fixed effects within a quarter of their standard error and the residual SD within 3 %; SDs between groups,
    whose posterior is skewed, by the posterior median within a third of a standard error, about SD / sqrt(2 S).
    """
    import statsmodels.api as sm

    trees = species((25,) * 24, (0.3, 0.15), 0.2, seed=9, at=18.0)
    # At the middle of the trees, so that level and exponent are nearly free of each other.
    prepared = prepare(trees, "agb = a[species] * (dbh / 18)**b[species]")
    result = fit_bayes(prepared, "lognormal", priors={"correlation(species)": "lkj(1)"}, seed=2)
    design = sm.add_constant(np.log(trees["dbh"] / 18))
    linear = sm.MixedLM(np.log(trees["agb"]), design, trees["species"], exog_re=design).fit(reml=True)
    other, sigma = result.other_draws, np.sqrt(linear.scale)
    level = np.log(other["mean(a)"]) - other["sigma(agb)"] ** 2 / 2
    for drawn, value, se in zip((level, other["mean(b)"]), linear.fe_params, linear.bse_fe, strict=True):
        assert drawn.mean() == pytest.approx(value, abs=0.25 * se)
        assert drawn.std() == pytest.approx(se, rel=0.2)
    assert other["sigma(agb)"].mean() == pytest.approx(sigma, rel=0.03)
    between = np.asarray(linear.cov_re)
    for k, name in enumerate("ab"):
        sd = np.sqrt(between[k, k])
        assert other[f"spread({name})"].median() == pytest.approx(sd, abs=sd / np.sqrt(48) / 3)
    correlation = between[0, 1] / np.sqrt(between[0, 0] * between[1, 1])
    assert other["correlation(a, b)"].mean() == pytest.approx(correlation, abs=0.1)
    effects = pd.DataFrame(linear.random_effects).T.iloc[:, 0] + linear.fe_params.iloc[0]
    drawn = np.log(result.stored_draws.filter(like="a[")).mean() - (other["sigma(agb)"] ** 2).mean() / 2
    assert np.allclose(drawn, effects.sort_index(), atol=0.015)


def test_predictive_checks_tell_a_wrong_variance_and_contradicting_priors(alike):
    table = alike.predictive_checks
    assert set(table["kind"]) == {"posterior", "prior"} and table["p"].between(0, 1).all()
    inside = table.set_index(["kind", "summary"]).loc[("posterior", "inside_90")]
    assert inside["lower"] < inside["observed"] < inside["upper"]
    checks = alike.certificate.checks
    assert checks["posterior_predictive"]["passed"] and checks["prior_predictive"]["passed"]
    trees = species()
    trees["agb"] *= np.where(np.arange(len(trees)) % 9 == 0, 4.0, 1.0)
    options = {"draws": 500, "tune": 500, "seed": 1}
    wrong = sl.fit(trees, "agb = a * dbh**b", method="bayes", variance="none", **options)
    told = wrong.certificate.checks["posterior_predictive"]
    assert not told["passed"] and not told["blocks"] and told["worst"].startswith("agb, ")
    assert any("posterior_predictive" in w for w in wrong.warnings)
    stated = pd.DataFrame(
        {"name": ["b"], "prior": ["normal(0.5, 0.05)"], "source": ["a table of another world"]}
    )
    stated.loc[1] = ["a", "lognormal(0.09, 0.2)", None]
    clash = sl.fit(trees, "agb = a * dbh**b", method="bayes", variance="lognormal", priors=stated, **options)
    assert not clash.certificate.checks["prior_predictive"]["passed"]
    origin = clash.priors.set_index("name")["origin"]
    assert origin["b"] == "a table of another world" and origin["a"] == "stated"


def test_the_report_tells_what_is_borrowed_and_how_it_moves_with_the_prior(alike):
    text = sampling_report(alike)
    assert "prior / 2" in text and "prior × 2" in text and "ln a" in text
    row = alike.shrinkage.sort_values("borrowed").iloc[-1]
    assert row["n"] <= 5 and f"{row['narrower']:.6g}" in text and f"{row['wider']:.6g}" in text
    # The same as if the priors of the spreads had been stated with half their scale.
    stated = {f"spread({p})": "halfnormal(0.25)" for p in "ab"}
    again = fit_bayes(prepare(species(), EQUATION), "lognormal", priors=stated, seed=3)
    assert np.allclose(alike.shrinkage["narrower"], again.shrinkage["value"], atol=0.012)
    assert alike.shrinkage["borrowed"].mean() < again.shrinkage["borrowed"].mean()


def test_new_groups_are_drawn_from_their_population_and_known_ones_keep_their_effects(alike, tmp_path):
    trees = pd.DataFrame({"species": ["s00", "s07", "elsewhere", "beyond"], "dbh": 20.0}, index=list("wxyz"))
    told = alike.predict(trees)
    values = dict(zip(alike.labels, alike.values, strict=True))
    own = [values[f"a[{level}]"] * 20 ** values[f"b[{level}]"] for level in ("s00", "s07")]
    assert told["agb"].tolist()[:2] == pytest.approx(own) and told.index.tolist() == list("wxyz")
    # The spread of a new group is that of the means and that between groups.
    extended, *_ = of_groups(alike, trees)
    other, drawn = alike.other_draws, extended.stored_draws
    a, b = (np.log(other["mean(a)"]), other["mean(b)"])
    for level in ("elsewhere", "beyond"):
        new_a, new_b = np.log(drawn[f"a[{level}]"]), drawn[f"b[{level}]"]
        assert new_a.mean() == pytest.approx(a.mean(), abs=0.02)
        assert new_a.var() == pytest.approx(a.var() + (other["spread(a)"] ** 2).mean(), rel=0.15)
        assert new_b.var() == pytest.approx(b.var() + (other["spread(b)"] ** 2).mean(), rel=0.15)
        shared = (other["correlation(a, b)"] * other["spread(a)"] * other["spread(b)"]).mean()
        assert np.cov(new_a - a, new_b - b)[0, 1] == pytest.approx(
            shared, abs=0.1 * (new_a - a).std() * new_b.std()
        )
    width = np.log(told["agb_upper"] / told["agb_lower"]).to_numpy()
    assert width[2:].min() > 1.3 * width[0] and width[2] == pytest.approx(width[3], rel=0.1)
    middle = other["mean(a)"].mean() * 20 ** other["mean(b)"].mean()
    assert told["agb"].tolist()[2:] == pytest.approx([middle] * 2)
    alone = predictive(alike, trees.loc[["y"]], "mean")["agb"][:, 0]
    assert np.quantile(np.log(alone), [0.025, 0.975]) == pytest.approx(
        np.log(told.loc["y", ["agb_lower", "agb_upper"]].astype(float)), abs=0.2 * width[2]
    )
    # Whose trees they are may be said; groups need not be named then.
    new = alike.predict(trees, of="new")
    assert new["agb"].tolist() == pytest.approx([middle] * 4)
    assert np.log(new["agb_upper"] / new["agb_lower"]).to_numpy() == pytest.approx([width[2]] * 4, rel=0.1)
    average = alike.predict(trees[["dbh"]], of="average")
    assert average["agb"].tolist() == pytest.approx([middle] * 4)
    narrow = np.log(average["agb_upper"] / average["agb_lower"]).to_numpy()
    assert narrow.max() < 0.8 * width[2] and np.ptp(narrow) < 1e-12
    pd.testing.assert_frame_equal(alike.predict(trees, of="known"), told)
    with pytest.raises(DataError, match="of must be one of"):
        alike.predict(trees, of="old")
    whole = alike.total(trees.assign(stand=["p", "p", "q", "q"]), by="stand", of="average")
    assert whole["agb"].tolist() == pytest.approx([2 * middle] * 2)
    # The spread between groups in the form of the sites of other methods does not count twice.
    spread, other = between_groups(alike), alike.other_draws
    slopes = np.column_stack([np.ones(len(alike.data)), np.log(alike.data["dbh"])])
    shared = (other["correlation(a, b)"] * other["spread(a)"] * other["spread(b)"]).mean()
    psi = [[(other["spread(a)"] ** 2).mean(), shared], [shared, (other["spread(b)"] ** 2).mean()]]
    expected = np.einsum("ni,ij,nj->n", slopes, psi, slopes).mean()
    assert (spread.column, spread.n) == ("species", alike.data["species"].nunique())
    assert spread.spread.loc["agb", "agb"] == pytest.approx(expected, rel=1e-6)
    pd.testing.assert_frame_equal(replace(alike, between=spread).predict(trees), told)
    # A table keeps what new groups are drawn from.
    source = {"name": "species", "origin": "measured", "licence": "CC0-1.0", "citation": "this test"}
    table = sl.Table.from_fits(alike, "agb_forest_alike", "1.0.0", source=source)
    folder = table.write(tmp_path)
    pd.testing.assert_frame_equal(sl.Table.read(folder).predict(trees), told)


def test_remarks_on_compilers_and_blas_do_not_reach_users(tmp_path):
    code = (
        "import numpy as np, pandas as pd, sinklab as sl; d = np.linspace(5, 40, 20)\n"
        "t = pd.DataFrame({'dbh': d, 'agb': 0.1 * d**2.4 * np.exp(0.2 * np.sin(9 * d))})\n"
        "sl.fit(t, 'agb = a * dbh**b', method='bayes', variance='lognormal', draws=50, tune=50)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True
    )
    assert "BLAS" not in done.stderr and "g++" not in done.stderr
