"""Limits of parameters."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.cli import main
from sinklab.fitting.resample import bootstrap
from sinklab.language import DataError

SYSTEM = "stem = a1 * dbh**b1\nbranch = a2 * dbh**b2\nagb = stem + branch"


def trees(n=80, seed=2):
    rng = np.random.default_rng(seed)
    dbh = rng.uniform(5, 40, n)
    stem, branch = 0.08 * dbh**2.4, 0.03 * dbh**2.0
    frame = pd.DataFrame({"dbh": dbh, "stem": stem, "branch": branch})
    return frame.assign(
        stem=stem * (1 + 0.1 * rng.normal(size=n)), branch=branch * (1 + 0.2 * rng.normal(size=n))
    )


@pytest.mark.parametrize("bounds", [{"b1": (0, 4)}, {"b1": (0, None), "a2": (None, 1.0)}, {"a1": (1e-6, 1)}])
def test_limits_that_do_not_bind_change_nothing(bounds):
    free, bound = sl.fit(trees(), SYSTEM), sl.fit(trees(), SYSTEM, bounds=bounds)
    assert bound.loglik == pytest.approx(free.loglik, abs=1e-7)
    assert bound.values == pytest.approx(free.values, rel=1e-5)
    assert bound.covariance.to_numpy() == pytest.approx(free.covariance.to_numpy(), rel=1e-3, abs=1e-12)
    assert not [w for w in bound.warnings if "limit" in w]


def test_a_limit_that_binds_is_kept_and_named():
    fit = sl.fit(trees(), SYSTEM, bounds={"b1": (0, 2.2)})
    assert fit.values[1] == pytest.approx(2.2, abs=1e-3)
    assert fit.values[1] <= 2.2
    assert any("b1 ended on its limit" in w for w in fit.warnings)
    assert fit.loglik < sl.fit(trees(), SYSTEM).loglik - 5


def test_resamples_keep_the_limits():
    fit = bootstrap(sl.fit(trees(), SYSTEM, bounds={"b2": (0, 2.0)}), 60, "case", seed=1)
    assert fit.stored_draws["b2"].max() <= 2.0 + 1e-9
    assert fit.certificate.bounds == {"b2": (0, 2.0)}


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"c": (0, 1)}, "c is no parameter; the equations have a1, b1, a2, b2"),
        ({"b1": (3, 1)}, "lower limit first"),
    ],
)
def test_wrong_limits_are_named(bounds, message):
    with pytest.raises(DataError, match=message):
        sl.fit(trees(), SYSTEM, bounds=bounds)


def test_command(tmp_path, capsys):
    trees().to_csv(tmp_path / "t.csv", index=False)
    base = ["fit", str(tmp_path / "t.csv"), "--equations", SYSTEM.replace("\n", ";")]
    assert main([*base, "--bounds", "b1=0:2.2,a2=0:"]) == 0
    assert "b1 ended on its limit" in capsys.readouterr().out
    assert main([*base, "--bounds", "b1=5"]) == 2
    assert "name=low:high" in capsys.readouterr().err
    assert main([*base, "--bounds", "b1=0:4", "--method", "ols-log"]) == 2
