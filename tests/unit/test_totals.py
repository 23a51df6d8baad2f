"""Totals of trees whose parts were not all weighed."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

import sinklab as sl
from sinklab.equations.system import System
from sinklab.fitting import data
from sinklab.fitting.data import prepare
from sinklab.fitting.likelihood import SystemLikelihood
from sinklab.fitting.system import SystemFit
from sinklab.results.variance import parse_variance

SYSTEM = """
stem = a1 * dbh**b1 * height**c1
branch = a2 * dbh**b2
foliage = a3 * dbh**b3
agb = stem + branch + foliage
root = agb * r0
total = agb + root
bcef = agb / volume_known
"""
TREES = SYSTEM.replace("bcef = agb / volume_known\n", "")


def trees(n=200, seed=3):
    rng = np.random.default_rng(seed)
    dbh = rng.uniform(5, 40, n)
    height = 1.3 + 25 * (1 - np.exp(-0.05 * dbh)) * np.exp(rng.normal(0, 0.1, n))
    mean = np.column_stack([0.03 * dbh**2 * height**0.8, 0.02 * dbh**2.2, 0.05 * dbh**1.6])
    correlation = np.array([[1, 0.3, 0.2], [0.3, 1, 0.6], [0.2, 0.6, 1]])
    error = rng.multivariate_normal(np.zeros(3), correlation, n) * [0.12, 0.25, 0.25]
    parts = mean * (1 + error)
    frame = pd.DataFrame({"dbh": dbh, "height": height})
    frame[["stem", "branch", "foliage"]] = parts
    frame["agb"] = parts.sum(axis=1)
    frame["root"] = frame["agb"] * 0.25 * (1 + rng.normal(0, 0.2, n))
    frame["total"] = frame["agb"] + frame["root"]
    return frame


def gaps(frame):
    """Rows 0-79 whole; then without two parts, without any, without one; roots and totals on some."""
    frame = frame.copy()
    frame.loc[80:119, ["branch", "foliage"]] = np.nan
    frame.loc[120:149, ["stem", "branch", "foliage"]] = np.nan
    frame.loc[150:169, ["foliage"]] = np.nan
    frame.loc[60:, "root"] = np.nan
    frame.loc[60:99, "total"] = np.nan
    frame.loc[130:169, "agb"] = np.nan
    frame.loc[180:, "total"] = np.nan
    return frame


def engine(frame, correlated=True, text=TREES, variance="power:mean"):
    prepared = prepare(frame, text, totals=True)
    functions = parse_variance(variance, prepared.system.free, prepared.system.predictors)
    return SystemFit(prepared.system, prepared.frame, functions, correlated)


@pytest.fixture(scope="module")
def fitted():
    return engine(gaps(trees()))


@pytest.fixture(scope="module")
def place(fitted):
    """A state near the maximum, not at it."""
    theta = np.array([0.03, 2.0, 0.8, 0.02, 2.2, 0.05, 1.6, 0.25, 1.0, 1.1, 0.9, 1.0])
    names = [*fitted.layout.labels]
    assert names == ["a1", "b1", "c1", "a2", "b2", "a3", "b3", "r0"]
    sigma = np.diag([0.02, 0.07, 0.06, 0.05]) + 0.01
    return fitted.likelihood.state(theta, sigma)


def test_ratios_are_no_sums():
    columns = {
        "dbh": np.array([5.0, 9.0]),
        "height": np.array([4.0, 8.0]),
        "volume_known": np.array([1.0, 3.0]),
    }
    system = System.parse(SYSTEM).bind(
        [*columns, "stem", "branch", "foliage", "agb", "root", "total", "bcef"]
    )
    found = data.sums(system, columns, 2)
    assert list(found) == ["agb", "total"]
    assert found["total"] == pytest.approx([1, 1, 1, 1])
    assert found["agb"] == pytest.approx([1, 1, 1, 0])


def test_what_totals_say_depends_on_the_parts():
    whole = trees(6)
    frame = whole.copy()
    frame.loc[1, "branch"] = np.nan
    frame.loc[2, ["branch", "foliage"]] = np.nan
    frame.loc[3, ["stem", "branch", "foliage", "agb"]] = np.nan
    frame.loc[4, ["stem", "root"]] = np.nan
    frame.loc[5, ["branch", "foliage", "agb", "root"]] = np.nan
    system = System.parse(TREES).bind(list(frame))
    columns = {c: frame[c].to_numpy() for c in ("dbh", "height")}
    y, combined, notes = data.read(system, frame, columns)
    # One part is missing: it follows, from agb, and the root from total.
    assert y[1, 1] == pytest.approx(whole["branch"][1])
    assert y[4] == pytest.approx(whole.loc[4, ["stem", "branch", "foliage", "root"]].to_numpy(float))
    told = {int(c.rows[0]): c for c in combined}
    assert set(told) == {2, 3, 5}
    assert told[2].combine.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 0]]
    assert told[2].values[0, 2] == pytest.approx(whole.loc[2, ["branch", "foliage"]].sum())
    # The total without the root leaves the sum of the parts above ground.
    assert told[3].combine.tolist() == [[0, 0, 0, 1], [1, 1, 1, 0]]
    assert told[5].values[0] == pytest.approx([whole["stem"][5], whole["total"][5] - whole["stem"][5]])
    assert any("branch of 1 trees follows" in note for note in notes)
    assert any("3 trees enter through a total" in note for note in notes)


def test_complete_trees_owe_nothing_to_their_total():
    frame = trees(50)
    with_total, without = sl.fit(frame, TREES), sl.fit(frame.drop(columns=["agb", "total"]), TREES)
    assert with_total.loglik == pytest.approx(without.loglik, abs=1e-8)
    assert with_total.values == pytest.approx(without.values, rel=1e-7)


def test_parts_above_their_total_are_named():
    frame = trees(60)
    frame.loc[[7, 9], ["branch", "foliage"]] = np.nan
    frame.loc[7, ["agb", "total"]] = frame["stem"][7] * 0.9, np.nan
    result = sl.fit(frame, TREES)
    said = [w for w in result.warnings if "not above the sum" in w]
    assert len(said) == 1
    assert "records 8)" in said[0]


def test_likelihood_is_the_normal_density_of_what_was_weighed(fitted, place):
    """Every tree on its own, its components and totals as combinations of the four components."""
    frame = gaps(trees())
    g = np.exp(place.log_g)
    total = 0.0
    rows = {"stem": [1, 0, 0, 0], "branch": [0, 1, 0, 0], "foliage": [0, 0, 1, 0], "root": [0, 0, 0, 1]}
    rows |= {"agb": [1, 1, 1, 0], "total": [1, 1, 1, 1]}
    for i, tree in frame.iterrows():
        seen = [name for name in rows if np.isfinite(tree[name])]
        combine = np.array([rows[name] for name in seen], float)
        covariance = combine @ (np.outer(g[i], g[i]) * place.sigma) @ combine.T
        residual = tree[seen].to_numpy(float) - combine @ place.mean[i]
        # Redundant totals make the covariance singular; the density lives on its range.
        keep, values = _independent(combine, residual)
        covariance = keep @ (np.outer(g[i], g[i]) * place.sigma) @ keep.T
        total += multivariate_normal(np.zeros(len(keep)), covariance).logpdf(values)
    assert place.loglik == pytest.approx(total, rel=1e-10)


def _independent(combine, residual):
    """Echelon form by exact steps: parts first, so that totals are freed of them."""
    chosen, values = [], []
    for row, value in zip(combine, residual, strict=True):
        row, value = row.copy(), value
        for other, known in zip(chosen, values, strict=True):
            lead = np.flatnonzero(other)[0]
            factor = row[lead] / other[lead]
            row, value = row - factor * other, value - factor * known
        if np.abs(row).max() > 1e-12:
            chosen.append(row)
            values.append(value)
    return np.array(chosen), np.array(values)


def test_score_is_the_slope_of_the_likelihood(fitted, place):
    likelihood = fitted.likelihood
    width = len(place.theta) + len(likelihood.pairs)
    exact = likelihood.joint_score(place, place, np.zeros(width))
    from_blocks, _ = likelihood.joint_score_and_information(place)
    for i in range(width):
        step = np.zeros(width)
        step[i] = 1e-5 * (abs(place.theta[i]) if i < len(place.theta) else 1)
        up, down = likelihood.displaced(place, step), likelihood.displaced(place, -step)
        slope = (up.loglik - down.loglik) / (2 * step[i])
        assert exact[i] == pytest.approx(slope, rel=1e-5, abs=1e-4)
    assert from_blocks == pytest.approx(exact, rel=1e-9, abs=1e-9)


def test_single_components_as_combinations_carry_the_same_information(place, fitted):
    """A tree written as combinations that are its components is an ordinary tree."""
    y = trees()[["stem", "branch", "foliage", "root"]].to_numpy()
    plain = SystemLikelihood(y, fitted.likelihood.evaluate, fitted.scale, True)
    apart = [data.Combined(np.arange(50, 90), np.eye(4), y[50:90])]
    mixed = SystemLikelihood(y, fitted.likelihood.evaluate, fitted.scale, True, apart)
    one, other = plain.state(place.theta, place.sigma), mixed.state(place.theta, place.sigma)
    assert other.loglik == pytest.approx(one.loglik, rel=1e-12)
    for a, b in zip(plain.blocks(one), mixed.blocks(other), strict=True):
        assert b == pytest.approx(a, rel=1e-8, abs=1e-8 * np.abs(a).max())


def test_totals_sharpen_what_parts_leave_open():
    frame = gaps(trees())
    with_totals = sl.fit(frame, TREES)
    without = sl.fit(frame.drop(columns=["agb", "total"]), TREES)
    assert with_totals.converged
    assert with_totals.certificate.agree
    big = pd.DataFrame({"dbh": [35.0], "height": [22.0]})
    assert with_totals.predict(big)["agb_se"][0] < without.predict(big)["agb_se"][0]
    assert with_totals.n == {"stem": 170, "branch": 130, "foliage": 110, "agb": 160, "root": 60, "total": 140}


def test_methods_that_fit_one_by_one_count_the_trees_they_leave_out():
    frame = gaps(trees())
    result = sl.fit(frame, TREES, method="wls")
    assert any(
        "30 of 200 records left out: none of stem, branch, foliage, root" in w for w in result.warnings
    )


@pytest.mark.slow
def test_intervals_cover_with_totals_only():
    """95 % intervals of 400 simulated sets in which a third of the trees has a total only."""
    from sinklab.fitting.resample import Refitter

    fit = sl.fit(gaps(trees()), TREES)
    tool, inside = Refitter(fit), []
    for seed in range(400):
        drawn = tool.simulate(np.random.default_rng(seed))
        frame = fit.data.assign(**{c: drawn[c].to_numpy() for c in drawn})
        # A normal residual of a quarter of the mean reaches below zero once in thirty thousand.
        again = sl.fit(frame[(drawn.fillna(1).to_numpy() > 0).all(axis=1)], TREES)
        inside.append((again.parameters["lower"] < fit.values) & (fit.values < again.parameters["upper"]))
    covered = np.mean(inside)
    assert 0.93 < covered < 0.97
