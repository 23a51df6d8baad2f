"""Agreement with R's clubSandwich on the covariance of clusters.

``cluster.json`` is what ``cluster.R`` printed for ``mixed_trees.csv`` (334 simulated trees of 20 sites).
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.fitting.data import Unit, prepare, start_values
from sinklab.fitting.resample import Scores, cluster_covariance, spread_between
from sinklab.fitting.system import SystemFit
from sinklab.results.variance import parse_variance

HERE = Path(__file__).parent
R = json.loads((HERE / "cluster.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trees():
    return pd.read_csv(HERE / "mixed_trees.csv")


def test_line_in_logarithms(trees):
    fit = sl.fit(trees, "agb = exp(la) * dbh**b", method="ols-log", correction="none", cluster="none")
    unit = Unit.of(trees, "site")
    assert fit.values == pytest.approx(R["logs"]["values"], rel=1e-9)
    for kind, power in (("CR0", 0.0), ("CR2", 0.5), ("CR3", 1.0)):
        covariance = cluster_covariance(Scores.of_lines(fit), unit, power)
        assert covariance == pytest.approx(np.array(R["logs"][kind]), rel=1e-6)
    found = spread_between(fit, unit)
    assert found.spread.loc["agb", "agb"] == pytest.approx(R["between"], rel=1e-8)
    assert found.within.loc["agb", "agb"] == pytest.approx(R["within"], rel=1e-8)
    assert found.centre["agb"] == pytest.approx(R["centre"], rel=1e-7)


def test_weighted_regression(trees):
    prepared = prepare(trees, "agb = a + b * dbh**2")
    functions = parse_variance("power:dbh=2", ["agb"], ["dbh"])
    engine = SystemFit(prepared.system, prepared.frame, functions, correlated=False)
    state, _ = engine.maximise(start_values(prepared.system, prepared.frame))
    assert engine.estimates(state)[0] == pytest.approx(R["weighted"]["values"], rel=1e-6)
    scores, unit = Scores.of_system(engine, state), Unit.of(prepared.frame, "site")
    for kind, power in (("CR0", 0.0), ("CR3", 1.0)):
        assert cluster_covariance(scores, unit, power) == pytest.approx(
            np.array(R["weighted"][kind]), rel=1e-5
        )
    # With weights the half power is not unique: clubSandwich takes the root of the unscaled residuals.
    assert np.diag(cluster_covariance(scores, unit)) == pytest.approx(np.diag(R["weighted"]["CR2"]), rel=0.05)
