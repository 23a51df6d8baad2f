"""Summaries by site against a printed example of two levels."""

import numpy as np
import pandas as pd
import pytest

from sinklab.systems import soil


@pytest.mark.printed(
    "soil.summarise",
    source="Davies & Goldsmith (1972), table 6.3, as fitted with lme4 and nlme",
    results=5,
)
def test_levels_as_printed():
    # Yield of six batches of five, by REML: mean 1527.50 with an error of 19.38, SD of batches 42.00, within 49.51, and of
    # both 64.92534. Our spreads are of logarithms, here of exp(yield / 10000), where mean and mean of logarithms are one.
    values = [1545, 1440, 1440, 1520, 1580, 1540, 1555, 1490, 1560, 1495, 1595, 1550, 1605, 1510, 1560]
    values += [1445, 1440, 1595, 1465, 1545, 1595, 1630, 1515, 1635, 1625, 1520, 1455, 1450, 1480, 1445]
    batches = pd.DataFrame(
        {"soc_stock": np.exp(np.array(values) / 10000), "site": np.repeat(list("ABCDEF"), 5)}
    )
    (row,) = soil.summarise(batches, "soc_stock", "site").to_dict("records")
    assert 10000 * row["p1"] == pytest.approx(1527.50, abs=0.01)
    assert 10000 * row["se"] / row["mean"] == pytest.approx(19.38, abs=0.02)
    between, both = (10000 * np.sqrt(np.log1p((row[c] / row["mean"]) ** 2)) for c in ("tau", "sd"))
    assert between == pytest.approx(42.00, abs=0.05)
    assert both == pytest.approx(64.925, abs=0.02)
    assert np.sqrt(both**2 - between**2) == pytest.approx(49.51, abs=0.02)
    # Six batches of one trial are one study.
    assert row["n_study"] == 1 and row["n_site"] == 6 and row["n"] == 30
