"""Indices worked by hand on five trees."""

import numpy as np
import pytest

from sinklab.results import indices

Y = np.array([10.0, 20.0, 30.0, 40.0, 50.0])
F = np.array([11.0, 19.0, 31.0, 38.0, 52.0])


def test_indices_worked_by_hand():
    found = indices.evaluate(Y, F, p=2)
    # Squared errors 1 + 1 + 1 + 4 + 4 = 11; total spread 1000; t(0.975, 3) = 3.182446.
    assert found["R2"] == pytest.approx(1 - 11 / 1000)
    assert found["SEE"] == pytest.approx(np.sqrt(11 / 3))
    assert found["TRE"] == pytest.approx(100 * (150 - 151) / 151)
    relative = np.array([-1 / 11, 1 / 19, -1 / 31, 2 / 38, -2 / 52])
    assert found["ASE"] == pytest.approx(20 * relative.sum())
    assert found["MPSE"] == pytest.approx(20 * np.abs(relative).sum())
    assert found["MPE"] == pytest.approx(100 * 3.182446305 * np.sqrt(11 / 3) / 30 / np.sqrt(5), rel=1e-8)
    assert found["RMSE"] == pytest.approx(np.sqrt(11 / 5))


def test_relative_indices_divide_by_the_prediction():
    assert indices.total_relative_error(np.array([2.0]), np.array([1.0])) == 100.0
    assert indices.average_systematic_error(np.array([2.0]), np.array([1.0])) == 100.0


def test_information_criteria():
    assert indices.aic(-100.0, 3) == 206.0
    assert indices.bic(-100.0, 3, 50) == pytest.approx(200 + 3 * np.log(50))


def test_a_bound_on_both_sides_reads_as_people_write_it():
    assert indices.bound("abs<=", 5, "en") == "within ±5"
    assert indices.bound("abs<=", 5, "zh") == "±5以内"
    assert (indices.bound("<=", 10, "zh"), indices.bound(">=", 0.95, "en")) == ("≤ 10", "≥ 0.95")
    assert indices.bound("", 5) == "" == indices.bound("<=", float("nan"))
