"""Equations that are lines in logarithms reach the fits with their constants and composite bases."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.language import EquationError


def trees(text, values):
    """Trees that follow an equation exactly, save for a scatter that is orthogonal to every line."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {"dbh": rng.uniform(5, 40, 60), "height": rng.uniform(4, 25, 60), "site": ["p", "q"] * 30}
    )
    system = sl.System.parse(text)
    design = system.power_product("stem").design(frame)[0]
    scatter = rng.normal(0, 0.05, 60)
    scatter -= design @ np.linalg.lstsq(design, scatter, rcond=None)[0]
    return system, frame.assign(stem=system.mean(values, frame)["stem"] * np.exp(scatter))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("stem = 2*a*dbh^b*height^c", {"a": 0.03, "b": 1.9, "c": 0.8}),
        ("stem = a*(dbh^2*height)^b", {"a": 0.03, "b": 0.9}),
        ("stem = a*dbh^b/height^c", {"a": 0.03, "b": 2.9, "c": 0.3}),
        ("stem = exp(la + b*log(dbh))", {"la": -3.1, "b": 2.4}),
        ("stem = a*dbh^b*exp(-k*height)", {"a": 0.03, "b": 2.4, "k": 0.05}),
    ],
)
def test_ols_log_recovers_the_line(text, values):
    system, frame = trees(text, values)
    fit = sl.fit(frame, system, method="ols-log")
    found = fit.parameters.set_index("name")["value"]
    assert {name: found[name] for name in values} == pytest.approx(values, rel=1e-9)
    assert fit.log_coefficients().tolist() == [name == "a" for name in fit.parameters["name"]]


def test_a_grouped_parameter_is_no_line_for_ols_log():
    _, frame = trees("stem = a*dbh^b", {"a": 0.1, "b": 2.4})
    with pytest.raises(EquationError, match="site"):
        sl.fit(frame, sl.System.parse("stem = a[site]*dbh^b"), method="ols-log")
