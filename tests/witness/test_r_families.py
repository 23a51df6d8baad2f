"""Agreement with R on families of residuals: gamma, and groups with a sigma of their own.

``families.json`` is what ``families.R`` printed for ``mixed_trees.csv`` (334 simulated trees of 20 sites).
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sinklab as sl

HERE = Path(__file__).parent
R = json.loads((HERE / "families.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trees():
    found = pd.read_csv(HERE / "mixed_trees.csv")
    order = found["site"].rank(method="dense").astype(int)
    return found.assign(block=np.array(["east", "north", "south"])[order % 3])


def ratios(told):
    """Those of R are of the group that comes first in the data, ours of the first by name."""
    plain = {name.removeprefix("A."): value for name, value in told.items() if name != "B.power"}
    return {name: value / plain["east"] for name, value in plain.items()}


@pytest.mark.parametrize(
    ("name", "equation", "variance"),
    [
        ("ident", "agb = a + b * dbh**2", "ident:block"),
        ("both", "agb = a * dbh**b", "power:dbh*ident:block"),
    ],
)
def test_groups_with_a_sigma_of_their_own(trees, name, equation, variance):
    fit, told = sl.fit(trees, equation, method="wls", variance=variance, cluster="none"), R[name]
    assert fit.converged
    assert fit.loglik == pytest.approx(told["loglik"], abs=1e-6)
    assert fit.values == pytest.approx(told["values"], rel=1e-5)
    assert fit.parameters["se"].to_numpy() == pytest.approx(told["se"], rel=1e-4)
    model, wanted = fit.residual["agb"], ratios(told["ratios"])
    assert {k: v for k, v in model.ratios.items() if k} == pytest.approx(wanted, rel=1e-4)
    assert model.exponent == pytest.approx(told["ratios"].get("B.power", 0.0), rel=1e-4)
    # R's sigma is that of its first group; gls divides by n, gnls by n - p as ours.
    n, size = len(trees), model.sigma * model.ratios["north"]
    assert size * (np.sqrt(1 - 2 / n) if name == "ident" else 1) == pytest.approx(told["sigma"], rel=1e-4)


def test_groups_with_a_sigma_of_their_own_in_a_mixed_model(trees):
    equation = "agb = exp(la[site]) * dbh**b"
    fit, told = sl.fit(trees, equation, method="mixed", variance="power:dbh*ident:block"), R["mixed"]
    assert fit.converged
    assert fit.loglik == pytest.approx(told["loglik"], abs=1e-4)
    assert fit.values == pytest.approx(told["values"], rel=1e-4)
    assert fit.random.covariance.iloc[0, 0] == pytest.approx(told["between"], rel=1e-3)
    model = fit.residual["agb"]
    assert {k: v for k, v in model.ratios.items() if k} == pytest.approx(ratios(told["ratios"]), rel=1e-3)
    assert model.exponent == pytest.approx(told["ratios"]["B.power"], rel=1e-3)


def test_gamma(trees):
    fit, told = sl.fit(trees, "agb = a * dbh**b", method="wls", variance="gamma", cluster="none"), R["gamma"]
    assert fit.converged
    assert fit.loglik == pytest.approx(told["loglik"], abs=1e-6)
    assert [np.log(fit.values[0]), fit.values[1]] == pytest.approx(told["values"], rel=1e-6)
    se = fit.parameters["se"].to_numpy() / [fit.values[0], 1.0]
    assert se == pytest.approx(told["se"], rel=1e-5)
    # The shape of R divides by n, ours by n - p.
    n = len(trees)
    assert fit.residual["agb"].sigma ** -2 == pytest.approx(told["shape"] * (n - 2) / n, rel=1e-6)
