"""Deduction rules: the examples that their sources print, and the edges of their classes."""

import numpy as np
import pytest

from sinklab.language import DataError
from sinklab.propagate.deductions import BASES, deduct, rule, rules


def test_ar_tool14_prints_sixty_plus_minus_nine():
    project = deduct("ar_tool14", 60.0, half_width=9.0)
    assert (project.uncertainty, project.deduction, project.result) == pytest.approx((15, 2.25, 57.75))
    assert deduct("ar_tool14", 60.0, half_width=9.0, role="baseline").result == pytest.approx(62.25)


def test_ar_tool14_prints_a_worked_uncertainty():
    # Mean 45.328 of 34 plots, s 12.776: SE 2.191, t 1.692, half-width 3.707, U 8.18 %.
    se = 12.776 / np.sqrt(34)
    assert se == pytest.approx(2.191, abs=5e-4)
    found = deduct("ar_tool14", 45.328, se=se, freedom=33)
    assert found.half_width / se == pytest.approx(1.692, abs=5e-4)
    # The printed half-width is the product of the rounded factors.
    assert found.half_width == pytest.approx(3.707, abs=2e-3)
    assert found.uncertainty == pytest.approx(8.18, abs=5e-3)
    assert found.deduction == 0


@pytest.mark.parametrize(
    ("u", "share"),
    [(0.10, 0), (0.1001, 0.25), (0.15, 0.25), (0.16, 0.5), (0.2, 0.5), (0.25, 0.75), (0.3, 0.75), (0.4, 1)],
)
def test_ar_tool14_classes_hold_their_upper_limit(u, share):
    assert deduct("ar_tool14", 200.0, half_width=200 * u).deduction == pytest.approx(200 * u * share)


def test_gold_standard_prints_ninety_seven():
    assert deduct("gs_403", 100.0, half_width=23.0).result == pytest.approx(97)
    assert deduct("gs_403", 100.0, half_width=20.0).result == 100


def test_vm0047_takes_the_excess_over_ten_per_cent_and_all_above_one_hundred():
    assert deduct("vm0047", 50.0, half_width=9.0).percent == pytest.approx(8)
    assert deduct("vm0047", 50.0, half_width=50.0).percent == pytest.approx(90)
    assert deduct("vm0047", 50.0, half_width=51.0).result == 0


def test_the_two_editions_of_vm0042_are_two_rules():
    # z(0.667) = 0.43164 on one side, nothing free; z(0.975) = 1.95996 on two sides, 15 % free. No mix of them.
    assert deduct("vm0042", 100.0, se=10.0).percent == pytest.approx(4.3164, abs=2e-4)
    assert deduct("vm0042_v1", 100.0, se=10.0).percent == pytest.approx(4.5996, abs=2e-4)
    assert deduct("vm0042", 100.0, se=40.0).percent == pytest.approx(17.266, abs=2e-3)
    assert deduct("vm0042_v1", 100.0, se=7.0).deduction == 0


def test_a_level_stands_with_every_allowance():
    # VM0033: 20 % at 90 % or 30 % at 95 %; VM0007 and its module VMD0017 give 15 % at 90 and at 95 %.
    for name, quantile, free in (
        ("vm0033", 1.644854, 20),
        ("vm0033_95", 1.959964, 30),
        ("vm0007", 1.644854, 15),
        ("vmd0017", 1.959964, 15),
    ):
        found = deduct(name, 100.0, se=20.0, of="net")
        assert found.percent == pytest.approx(20 * quantile - free, abs=1e-4), name
        assert deduct(name, 100.0, se=5.0, of="net").deduction == 0, name


def test_before_a_project_is_measured_vm0047_takes_ten_per_cent_at_least():
    assert deduct("vm0047", 50.0, half_width=2.0, ex_ante=True).percent == pytest.approx(10)
    assert deduct("vm0047", 50.0, half_width=9.0, ex_ante=True).percent == pytest.approx(10)
    assert deduct("vm0047", 50.0, half_width=20.0, ex_ante=True).percent == pytest.approx(30)
    assert deduct("ar_tool14", 60.0, half_width=3.0, ex_ante=True).deduction == 0


def test_a_rule_of_changes_is_refused_on_a_stock():
    with pytest.raises(
        DataError, match="rule of a change of stocks, not of a stock; rules of that: ar_tool14"
    ):
        deduct("vm0047", 50.0, half_width=9.0, of="stock")
    with pytest.raises(DataError, match="net removal of a project"):
        deduct("vm0033", 50.0, half_width=9.0, of="change")
    assert deduct("ar_tool14", 60.0, half_width=9.0, of="stock").result == pytest.approx(57.75)


def test_art_trees_takes_a_share_of_the_half_width_and_wants_ten_thousand_runs():
    assert deduct("art_trees", 100.0, half_width=1.645006).percent == pytest.approx(0.524417)
    drawn = np.random.default_rng(1).normal(100, 10, 2000)
    assert "10000" in " ".join(deduct("art_trees", 100.0, draws=drawn).notes)
    many = np.random.default_rng(1).normal(100, 10, 200_000)
    found = deduct("art_trees", 100.0, draws=many)
    assert found.percent == pytest.approx(5.244, abs=0.05) and not found.notes


def test_a_recalled_rule_says_so_and_asks_for_plots_where_it_has_no_number():
    found = deduct("ar_cm", 100.0, half_width=15.0)
    assert found.result == 94 and found.status == "recalled" and "recalled" in found.notes[0]
    assert deduct("ar_cm", 100.0, half_width=25.0).result == 89
    none = deduct("ar_cm", 100.0, half_width=31.0)
    assert np.isnan(none.result) and "more plots" in none.notes[0]


def test_every_rule_has_its_source_and_classes_without_gaps():
    assert set(rules()) >= {"ar_tool14", "vm0047", "vm0042", "gs_403", "art_trees", "ar_cm"}
    for found in rules().values():
        assert found.source and found.label_zh and found.base and set(found.base) <= set(BASES)
        assert found.status == ("recalled" if found.mark == "R" else "verified")
        limits = [0.0, *(step.up_to for step in found.steps)]
        assert [step.above for step in found.steps] == limits[:-1] and limits[-1] == np.inf
    assert [r.rule_id for r in rules().values() if r.status == "recalled"] == ["ar_cm"]
    assert rule("vm0042").probability == 0.667


def test_what_cannot_be_deducted_is_refused():
    with pytest.raises(DataError, match="ar_tool14"):
        deduct("ar_tool41", 1.0, se=1.0)
    with pytest.raises(DataError, match="positive"):
        deduct("vm0047", -3.0, se=1.0)
    with pytest.raises(DataError, match="one of"):
        deduct("vm0047", 3.0)
    with pytest.raises(DataError, match="negative"):
        deduct("vm0047", 3.0, half_width=-1.0)
