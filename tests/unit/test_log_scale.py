"""Lognormal residuals in simultaneous systems."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

import sinklab as sl
from sinklab.language import DataError, EquationError

SYSTEM = """
stem = a1 * dbh**b1 * height**c1
branch = a2 * dbh**b2
agb = stem + branch
root = agb * r0 * dbh**r1
"""
FREE = ["stem", "branch", "root"]
TRUTH = np.array([0.03, 2.0, 0.8, 0.02, 2.2, 0.3, -0.1])
SD = np.array([0.12, 0.5, 0.4])
CORRELATION = np.array([[1, 0.3, 0.2], [0.3, 1, 0.5], [0.2, 0.5, 1]])


def trees(n=250, seed=5, gaps=True):
    rng = np.random.default_rng(seed)
    dbh = rng.uniform(5, 40, n)
    height = 1.3 + 25 * (1 - np.exp(-0.05 * dbh)) * np.exp(rng.normal(0, 0.1, n))
    stem, branch = TRUTH[0] * dbh ** TRUTH[1] * height ** TRUTH[2], TRUTH[3] * dbh ** TRUTH[4]
    mean = np.column_stack([stem, branch, (stem + branch) * TRUTH[5] * dbh ** TRUTH[6]])
    error = rng.multivariate_normal(np.zeros(3), CORRELATION * np.outer(SD, SD), n)
    frame = pd.DataFrame(mean * np.exp(error - SD**2 / 2), columns=FREE)
    if gaps:
        frame.loc[n // 3 :, "root"] = np.nan
    return frame.assign(dbh=dbh, height=height)


def density(frame, system, values, sigma):
    """Log-density of the masses themselves, tree by tree."""
    mean = system.mean(values, frame)
    centre = np.log(np.column_stack([mean[r] for r in FREE])) - np.diag(sigma) / 2
    logs, total = np.log(frame[FREE].to_numpy()), 0.0
    for row, middle in zip(logs, centre, strict=True):
        seen = np.isfinite(row)
        block = sigma[np.ix_(seen, seen)]
        total += multivariate_normal(middle[seen], block).logpdf(row[seen]) - row[seen].sum()
    return total


def test_stands_at_the_maximum_of_the_density_of_the_masses():
    frame = trees(90)
    fit = sl.fit(frame, SYSTEM, variance="lognormal")
    counts, p = frame[FREE].notna().sum().to_numpy(), np.array([3, 2, 2])
    sd = np.array([fit.residual[r].sigma for r in FREE]) * np.sqrt((counts - p) / counts)
    sigma = fit.correlation.to_numpy() * np.outer(sd, sd)
    best = density(frame, fit.system, fit.values, sigma)
    assert fit.loglik == pytest.approx(best, abs=1e-6)
    for i in range(len(TRUTH)):
        for factor in (0.999, 1.001):
            values = fit.values.copy()
            values[i] *= factor
            assert density(frame, fit.system, values, sigma) < best
    for i in range(3):
        for factor in (0.99, 1.01):
            size = np.ones(3)
            size[i] = factor
            assert density(frame, fit.system, fit.values, sigma * np.outer(size, size)) < best


def test_one_equation_is_the_log_linear_line_with_its_correction():
    frame, text = trees(), "branch = a * dbh**b"
    line = sl.fit(frame, text, method="ols-log")
    fit = sl.fit(frame, text, variance="lognormal")
    assert fit.values[0] == pytest.approx(line.values[0] * line.correction["branch"], rel=2e-3)
    assert fit.values[1] == pytest.approx(line.values[1], rel=1e-7)
    assert fit.parameters["se"][1] == pytest.approx(line.parameters["se"][1], rel=1e-6)
    assert fit.loglik == pytest.approx(line.loglik, abs=1e-8)
    assert fit.residual["branch"].sigma == pytest.approx(line.residual["branch"].sigma, rel=1e-8)
    new = frame[["dbh"]].head(5)
    one, other = (f.predict(new, kind="individual") for f in (line, fit))
    assert other["branch_lower"].to_numpy() == pytest.approx(one["branch_lower"].to_numpy(), rel=1e-2)


def test_likelihoods_of_both_error_models_are_on_one_scale():
    long_tails = trees(gaps=False)
    assert sl.fit(long_tails, SYSTEM, variance="lognormal").loglik > sl.fit(long_tails, SYSTEM).loglik + 20
    rng, even = np.random.default_rng(2), trees(gaps=False)
    mean = sl.System.parse(SYSTEM).bind(list(even)).mean(TRUTH, even)
    for response in FREE:
        even[response] = np.clip(mean[response] * (1 + 0.25 * rng.normal(size=len(even))), 1e-2, None)
    assert sl.fit(even, SYSTEM).loglik > sl.fit(even, SYSTEM, variance="lognormal").loglik + 5


def test_the_identity_holds_on_means():
    fit = sl.fit(trees(), SYSTEM, variance="lognormal")
    means = fit.predict(trees())
    assert (means["stem"] + means["branch"]).to_numpy() == pytest.approx(means["agb"].to_numpy(), rel=1e-12)
    assert fit.correction == dict.fromkeys(FREE, 1.0)


def test_lognormal_for_some_equations_only():
    fit = sl.fit(trees(), SYSTEM, variance="branch=lognormal,root=lognormal")
    assert [m.kind for m in fit.residual.values()] == ["power", "lognormal", "lognormal"]
    assert fit.converged
    assert fit.certificate.loglik_second == pytest.approx(fit.loglik, abs=1e-4)
    assert (fit.parameters["se"] < 0.5 * fit.parameters["value"].abs()).to_numpy()[:6].all()


def test_a_response_of_zero_is_named():
    frame = trees()
    frame.loc[[3, 8], "branch"] = 0.0
    with pytest.raises(DataError, match=r"(?s)record 4: branch = 0.*record 9"):
        sl.fit(frame, SYSTEM, variance="lognormal")


def test_equations_without_a_factor_are_refused():
    with pytest.raises(EquationError, match="factor of their own.*branch"):
        sl.fit(trees(), "stem = a * dbh**b\nbranch = a * dbh**c", variance="lognormal")


def test_a_table_keeps_the_error_model(tmp_path):
    fit = sl.fit(trees(), SYSTEM, variance="lognormal")
    table = sl.Table.from_fits(
        [fit], "agb_forest_cunninghamia", "0.1.0", source={"origin": "simulated", "title": "x"}
    )
    again = sl.Table.read(table.write(tmp_path)).model()
    assert again.residual["root"].kind == "lognormal"
    new = trees().head(4)
    for kind in ("mean", "individual"):
        one, other = fit.predict(new, kind=kind), again.predict(new, kind=kind)
        assert other["root_upper"].to_numpy() == pytest.approx(one["root_upper"].to_numpy(), rel=1e-9)


@pytest.mark.slow
def test_intervals_cover():
    """Coefficients and totals of 400 simulated sets, roots on a third of the trees."""
    inside, totals = [], []
    new = pd.DataFrame({"dbh": [8.0, 20.0, 38.0], "height": [8.0, 16.0, 22.0]})
    system = sl.System.parse(SYSTEM).bind([*FREE, "agb", "dbh", "height"])
    truth = system.mean(TRUTH, new)["agb"]
    for seed in range(400):
        fit = sl.fit(trees(120, seed), SYSTEM, variance="lognormal")
        inside.append((fit.parameters["lower"] < TRUTH) & (fit.parameters["upper"] > TRUTH))
        told = fit.predict(new)
        totals.append((told["agb_lower"] < truth) & (told["agb_upper"] > truth))
    assert 0.93 < np.mean(inside) < 0.97
    assert 0.93 < np.mean(totals) < 0.97
