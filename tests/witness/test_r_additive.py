"""Agreement with R on the 300-tree additive system.

The trees and the R script belong to the bench data set (``SINKLAB_DATA/../bench``); the values below
are the printed output of that script under R 4.2.2 with nlme 3.1-162, systemfit 1.1-28 and nlsur 0.8.
"""

import os
from pathlib import Path

import numpy as np
import pytest

import sinklab as sl

BENCH = Path(os.environ.get("SINKLAB_DATA", "")) / ".." / "bench" / "data" / "additive4_300.csv"
pytestmark = [
    pytest.mark.open_data,
    pytest.mark.skipif(not BENCH.is_file(), reason="SINKLAB_DATA does not lie beside the bench data"),
]
COMPONENTS = ("stem", "bark", "branch", "foliage")
SYSTEM = "\n".join(f"{c} = a{k}*D**b{k}*H**c{k}" for c, k in zip(COMPONENTS, "1234", strict=True))
ORDER = [f"{p}{k}" for k in "1234" for p in "abc"]

#: Coefficients and standard errors as R printed them, in the order of ORDER.
GNLS_POWER_D = (
    [
        0.01924,
        1.76655,
        1.11574,
        0.00749,
        1.54862,
        0.88408,
        0.01245,
        2.57764,
        -0.13383,
        0.02671,
        2.1268,
        -0.43209,
    ],
    [
        0.00141,
        0.04315,
        0.06699,
        0.000811,
        0.06808,
        0.1038,
        0.002364,
        0.1164,
        0.1812,
        0.004406,
        0.1032,
        0.1603,
    ],
)
NLSUR_WEIGHTED = (
    [
        0.01924,
        1.76514,
        1.11721,
        0.00749,
        1.54192,
        0.89073,
        0.01261,
        2.5857,
        -0.14712,
        0.02722,
        2.14194,
        -0.45498,
    ],
    [0.001397, 0.04319, 0.06684, 0.000791, 0.06921, 0.104, 0.002418, 0.1129, 0.178, 0.004538, 0.1002, 0.1576],
)


@pytest.fixture(scope="module")
def trees():
    return sl.read_csv(BENCH)


def values(result):
    return result.parameters.set_index("name").loc[ORDER, "value"].to_numpy()


def errors(result):
    return result.parameters.set_index("name").loc[ORDER, "se"].to_numpy()


def test_log_linear_equals_systemfit(trees):
    """systemfit SUR of the logarithms; the coefficients a are printed times exp(s^2 / 2)."""
    result = sl.fit(trees, SYSTEM, method="ols-log")
    factor = [result.correction[c] if p == "a" else 1.0 for c in COMPONENTS for p in "abc"]
    r = [
        0.01962,
        1.78309,
        1.09141,
        0.00751,
        1.5489,
        0.88299,
        0.0122,
        2.55045,
        -0.09806,
        0.02725,
        2.11355,
        -0.42572,
    ]
    assert values(result) * factor == pytest.approx(r, abs=6e-6)


def test_power_of_a_predictor_equals_gnls(trees):
    """gnls, varPower(D) per component, corSymm over components: log-likelihood -2594.59."""
    result = sl.fit(trees, SYSTEM, method="nsur", variance="power:D")
    assert result.loglik == pytest.approx(-2594.586, abs=2e-3)
    r_value, r_error = GNLS_POWER_D
    # gnls stops within a hundredth of a standard error of the maximum.
    assert np.abs((values(result) - r_value) / r_error).max() < 0.02
    assert errors(result) == pytest.approx(r_error, rel=5e-3)


def test_power_of_the_prediction_beats_gnls(trees):
    """gnls stops at -2581.39 because it holds the weights while it moves the means."""
    result = sl.fit(trees, SYSTEM, method="nsur", variance="power:mean")
    assert result.loglik == pytest.approx(-2581.1393, abs=1e-3)


def test_uncorrelated_power_equals_gnls(trees):
    """gnls, varPower(D) per component, no correlation: log-likelihood -2714.90."""
    result = sl.fit(trees, SYSTEM, method="wls", variance="power:D")
    assert result.loglik == pytest.approx(-2714.892, abs=2e-3)


def test_poor_starts_reach_the_same_maximum(trees):
    start = {f"{p}{k}": v for k in "1234" for p, v in zip("abc", (0.01, 2.0, 1.0), strict=True)}
    result = sl.fit(trees, SYSTEM, start=start)
    assert result.converged
    assert result.loglik == pytest.approx(-2581.1393, abs=1e-3)


def test_fixed_weights_equal_nlsur(trees):
    """nlsur IFGNLS with weights from a regression of log squared residuals on log D, as in the script."""
    weights = {}
    for component in COMPONENTS:
        design = np.column_stack([np.ones(len(trees)), np.log(trees["D"]), np.log(trees["H"])])
        line = np.linalg.lstsq(design, np.log(trees[component]), rcond=None)[0]
        squared = np.log((trees[component] - np.exp(design @ line)) ** 2 + 1e-9)
        slope = np.polyfit(np.log(trees["D"]), squared, 1)[0] / 2
        weights[component] = f"power:D={slope:.12f}"
    result = sl.fit(trees, SYSTEM, method="nsur", variance=weights)
    r_value, r_error = NLSUR_WEIGHTED
    assert values(result) == pytest.approx(r_value, abs=6e-6)
    # nlsur divides by n, sinklab by n - p.
    assert errors(result) * np.sqrt(297 / 300) == pytest.approx(r_error, rel=2e-3)
