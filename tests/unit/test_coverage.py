"""Simulation recovery: how often 95 % intervals hold the truth, over 400 simulated data sets each.

The trees follow the model of the fit (normal residuals, spread a power of the mean, correlated between
components); one case keeps the lognormal spread of real trees under the normal likelihood.
"""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl

SYSTEM = """
stem = a1 * dbh**b1 * height**c1
branch = a2 * dbh**b2
foliage = a3 * dbh**b3
agb = stem + branch + foliage
root = agb * r0 * dbh**r1
"""
FREE = ["stem", "branch", "foliage", "root"]
TRUTH = dict(a1=0.03, b1=2.0, c1=0.8, a2=0.02, b2=2.2, a3=0.05, b3=1.6, r0=0.4, r1=-0.1)
SD = np.array([0.1, 0.22, 0.22, 0.2])
CORRELATION = np.array([[1, 0.3, 0.2, 0.2], [0.3, 1, 0.6, 0.2], [0.2, 0.6, 1, 0.1], [0.2, 0.2, 0.1, 1]])
SIZES = pd.DataFrame({"dbh": [8.0, 20.0, 38.0], "height": [8.0, 16.0, 22.0]})
N_SET = 400


def truth(frame):
    system = sl.System.parse(SYSTEM).bind([*FREE, "agb", "dbh", "height"])
    return system.mean([TRUTH[p] for p in system.parameters], frame)


def trees(seed, n=150, roots=True, lognormal=False):
    rng = np.random.default_rng(seed)
    dbh = rng.uniform(5, 40, n)
    frame = pd.DataFrame(
        {"dbh": dbh, "height": 1.3 + 25 * (1 - np.exp(-0.05 * dbh)) * np.exp(rng.normal(0, 0.1, n))}
    )
    mean = truth(frame)
    error = rng.multivariate_normal(np.zeros(4), CORRELATION, n) * SD
    factor = np.exp(error - SD**2 / 2) if lognormal else np.maximum(1 + error, 0.02)
    for j, response in enumerate(FREE):
        frame[response] = mean[response] * factor[:, j]
    if not roots:
        frame.loc[rng.random(n) > 1 / 3, "root"] = np.nan
    return frame


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["ml", "gls"])
@pytest.mark.parametrize(
    ("roots", "lognormal"),
    [(True, False), (False, False), (False, True)],
    ids=["whole", "gaps", "gaps, lognormal"],
)
def test_intervals_hold_the_truth(roots, lognormal, estimator):
    known = truth(SIZES)
    coefficients, totals = [], []
    for seed in range(N_SET):
        fit = sl.fit(trees(seed, roots=roots, lognormal=lognormal), SYSTEM, estimator=estimator)
        values = np.array([TRUTH[p] for p in fit.parameters["name"]])
        coefficients.append((fit.parameters["lower"] < values) & (values < fit.parameters["upper"]))
        told = fit.predict(SIZES)
        totals.append(
            [(told[f"{r}_lower"] < known[r]) & (known[r] < told[f"{r}_upper"]) for r in ("agb", "root")]
        )
    # The share of one coefficient has a standard error of 1.1 %; the mean of all, less.
    assert 0.93 < np.mean(coefficients) < 0.97
    assert (np.mean(coefficients, axis=0) > 0.91).all()
    assert 0.93 < np.mean(totals) < 0.97
