"""Certified values of the NIST Statistical Reference Datasets, nonlinear regression.

Source: National Institute of Standards and Technology, Statistical Reference Datasets, problem
DanWood (Daniel & Wood 1980), lower level of difficulty, certified values and data as published.
"""

import pandas as pd
import pytest

import sinklab as sl

DANWOOD = pd.DataFrame(
    {"x": [1.309, 1.471, 1.490, 1.565, 1.611, 1.680], "y": [2.138, 3.421, 3.597, 4.340, 4.882, 5.660]}
)


@pytest.mark.parametrize("start", [None, {"b1": 1.0, "b2": 5.0}, {"b1": 0.7, "b2": 4.0}])
def test_danwood_to_six_digits(start):
    result = sl.fit(DANWOOD, "y = b1 * x**b2", method="wls", variance="none", start=start)
    found = result.parameters.set_index("name")
    assert found.loc["b1", "value"] == pytest.approx(7.6886226176e-01, rel=1e-6)
    assert found.loc["b2", "value"] == pytest.approx(3.8604055871e00, rel=1e-6)
    assert found.loc["b1", "se"] == pytest.approx(1.8281973860e-02, rel=1e-6)
    assert found.loc["b2", "se"] == pytest.approx(5.1726610913e-02, rel=1e-6)
    assert result.residual["y"].sigma == pytest.approx(3.2853114039e-02, rel=1e-6)
    residuals = result.fitted()
    squares = ((residuals["observed"] - residuals["predicted"]) ** 2).sum()
    assert squares == pytest.approx(4.3173084083e-03, rel=1e-6)
    assert result.residual["y"].freedom == 4
