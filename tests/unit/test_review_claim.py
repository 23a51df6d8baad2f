"""Claimed equations on trees: bias, equivalence and coverage, against numbers worked out apart."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sinklab.language import DataError
from sinklab.review import scrutiny
from sinklab.review.scrutiny import bias_by_class, size_classes

EQUATION = "agb = 0.1 * dbh**2.4"


@pytest.fixture
def trees():
    rng = np.random.default_rng(5)
    dbh = rng.uniform(5, 40, 300)
    return pd.DataFrame({"dbh": dbh, "agb": 0.1 * dbh**2.4 * (1 + rng.normal(0, 0.2, 300))})


def test_a_true_claim_holds(trees):
    found = scrutiny.test_claim(trees, EQUATION, deviation=0.2, ranges={"dbh": (10, None)})
    assert found.holds
    assert found.transfer.verdict == "accept"
    assert found.outside == (trees["dbh"] < 10).sum()
    relative = (trees["agb"] / (0.1 * trees["dbh"] ** 2.4) - 1).abs()
    assert found.coverage.inside == (relative <= stats.norm.ppf(0.975) * 0.2).sum()
    assert found.bias["p_ellipse"] > 0.01
    assert not found.classes["biased"].all()


def test_names_with_values_give_the_same_as_numbers(trees):
    a = scrutiny.test_claim(trees, EQUATION).to_json()
    b = scrutiny.test_claim(trees, "agb = a * dbh**b", {"a": 0.1, "b": 2.4}).to_json()
    assert a["indices"] == b["indices"]
    assert a["coverage"] is None


def test_a_biased_claim_is_told_by_how_much(trees):
    found = scrutiny.test_claim(trees, "agb = 0.08 * dbh**2.4", deviation=0.2)
    assert found.transfer.verdict == "calibrate"
    assert found.transfer.ratio == pytest.approx(1.25, abs=0.03)
    assert found.bias["mean_relative_error"] == pytest.approx(25, abs=3)
    assert not found.equivalence["equivalent"]
    assert found.classes["biased"].all()
    assert not found.holds


def test_intervals_too_narrow_and_too_wide_do_not_cover(trees):
    for deviation, share in ((0.1, 2 * stats.norm.cdf(stats.norm.ppf(0.975) * 0.5) - 1), (0.6, 1.0)):
        covered = scrutiny.test_claim(trees, EQUATION, deviation=deviation).coverage
        assert covered.share == pytest.approx(share, abs=0.06)
        assert not covered.holds


def test_exact_interval_of_a_share():
    """81 of 263, the example of Agresti and Coull; limits from statsmodels."""
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    inside = pd.Series(np.arange(263) < 81)
    found = scrutiny.covered(inside.astype(float), 0.5, 2.0, 0.95)
    assert (found.lower, found.upper) == pytest.approx(
        proportion.proportion_confint(81, 263, method="beta"), abs=1e-12
    )
    assert scrutiny.covered(pd.Series([1.0] * 10), 0, 2, 0.95).upper == 1


def test_logarithmic_deviation(trees):
    rng = np.random.default_rng(6)
    logs = trees.assign(agb=0.1 * trees["dbh"] ** 2.4 * np.exp(rng.normal(0, 0.3, len(trees))))
    assert scrutiny.test_claim(logs, EQUATION, deviation=0.3, scale="log").coverage.share == pytest.approx(
        0.95, abs=0.03
    )


def test_coverage_of_a_table(trees):
    import sinklab as sl
    from sinklab.tables.table import Table

    rng = np.random.default_rng(8)
    dbh = rng.uniform(5, 40, 80)
    sample = pd.DataFrame({"dbh": dbh, "agb": 0.1 * dbh**2.4 * (1 + rng.normal(0, 0.2, 80))})
    fit = sl.fit(sample, "agb = a * dbh**b", method="wls", variance="power:mean=1")
    table = Table.from_fits(
        [fit], "agb_forest_larix", "0.1.0", source={"name": "trees", "origin": "measured"}
    )
    found = scrutiny.test_table(trees, table)
    assert found.equation == "agb_forest_larix@0.1.0"
    assert found.coverage.share == pytest.approx(0.95, abs=0.04)
    assert found.transfer.verdict == "accept"
    wide = scrutiny.test_table(trees.assign(dbh=trees["dbh"] + 30), table)
    assert wide.outside > 200
    assert wide.transfer.verdict != "accept"


def test_what_is_missing_is_named_at_once(trees):
    with pytest.raises(DataError, match=r"a, b; give them with --values; deviation -1"):
        scrutiny.test_claim(trees, "agb = a * dbh**b", deviation=-1)
    with pytest.raises(DataError, match="not positive in records"):
        scrutiny.test_claim(trees, "agb = 0.1 * dbh - 2")


def test_classes_hold_every_tree_once():
    size = pd.Series(np.r_[np.full(30, 5.0), np.linspace(6, 40, 47)])
    named = size_classes(size)
    assert named.notna().all()
    table = bias_by_class(size * 1.1, size, size)
    assert table["n"].sum() == 77
    assert table["ASE"].to_numpy() == pytest.approx(10)
    assert list(table["size"]) == sorted(table["size"], key=lambda s: float(s.split("–")[0]))
    assert size_classes(pd.Series([3.0, 3.0])).nunique() == 1


def test_five_trees_decide_nothing_and_are_reported(trees, tmp_path, capsys):
    from sinklab.cli import main

    found = scrutiny.test_claim(trees.head(5), EQUATION)
    assert found.n == 5 and found.transfer.verdict == "undecided" and not found.holds
    assert found.equivalence["lower"] < found.equivalence["mean_relative_error"] < found.equivalence["upper"]
    trees.head(5).to_csv(tmp_path / "trees.csv", index=False)
    assert main(["review", EQUATION, "--data", str(tmp_path / "trees.csv")]) == 1
    assert "not decided: 5 trees, the rule asks for 30" in capsys.readouterr().out
    with pytest.raises(DataError, match="fewer than 4"):
        scrutiny.test_claim(trees.head(3), EQUATION)


def test_a_printed_correction_needs_the_base_of_its_logarithms(trees):
    """A deviation of 0.13 of decimal logarithms is 0.2993 of natural ones: factor exp(0.2993² / 2) = 1.0458."""
    rng = np.random.default_rng(6)
    medians = 0.1 * trees["dbh"] ** 2.4
    logs = trees.assign(agb=medians * 10 ** rng.normal(0, 0.13, len(trees)))
    with pytest.raises(DataError, match="--log e"):
        scrutiny.test_claim(logs, EQUATION, correction=1.0458)
    with pytest.raises(DataError, match="log10: 1.046"):
        scrutiny.test_claim(logs, EQUATION, deviation=0.13, scale="log", correction=1.0458)
    found = scrutiny.test_claim(logs, EQUATION, deviation=0.13, scale="log10", correction=1.0458)
    without = scrutiny.test_claim(logs, EQUATION, deviation=0.13, scale="log10")
    assert found.coverage == without.coverage and found.coverage.share == pytest.approx(0.95, abs=0.03)
    expected = 100 * (logs["agb"].sum() / (1.0458 * medians.sum()) - 1)
    assert found.indices["TRE"] == pytest.approx(expected, abs=1e-9) and found.transfer.verdict == "accept"
    assert found.transfer.ratio == pytest.approx(without.transfer.ratio / 1.0458, rel=1e-6)
