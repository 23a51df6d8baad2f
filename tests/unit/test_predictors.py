"""What a predictor may be is decided by the equation; an equation that predicts from nothing is refused with what was meant."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.cli import main
from sinklab.language import DataError, EquationError


def test_zero_and_negative_predictors_are_fitted_where_the_equation_has_a_value():
    ndvi = np.linspace(-0.1, 0.7, 30)
    noise = np.random.default_rng(1).normal(0, 0.05, 30)
    plots = pd.DataFrame({"ndvi": ndvi, "agb_density": 0.6 + 2.5 * ndvi + noise})
    fit = sl.fit(plots, "agb_density = a + b*ndvi", "wls", "none")
    slope, intercept = np.polyfit(ndvi, plots["agb_density"], 1)
    np.testing.assert_allclose(fit.values, [intercept, slope], rtol=1e-6)
    assert fit.warnings == ()


def growth(h0):
    age = np.arange(0.0, 40, 2)
    noise = np.random.default_rng(2).normal(0, 0.05, len(age))
    return pd.DataFrame({"age": age, "height": h0 + 21.5 * (1 - np.exp(-0.065 * age)) ** 1.5 + noise})


def test_age_zero_counts_where_a_parameter_speaks_there_and_is_left_out_with_a_note_where_none_does():
    fit = sl.fit(growth(0.5), "height = h0 + x*(1 - exp(-y*age))^z", "wls", "none")
    assert max(fit.n.values()) == 20 and fit.warnings == ()
    np.testing.assert_allclose(fit.values, [0.5, 21.5, 0.065, 1.5], rtol=0.15)
    origin = growth(0.0).assign(height=lambda f: f["height"].abs())
    through = sl.fit(origin, "height = x*(1 - exp(-y*age))^z", "wls", "none")
    assert max(through.n.values()) == 19
    assert any("its equation is 0 there" in line and "records 1)" in line for line in through.warnings)


@pytest.mark.parametrize(
    ("equation", "words"),
    [
        ("stem = a*dbh^b", "record 3: dbh = 0; expected above 0"),
        ("stem = a + b*log(dbh)", "record 3: dbh = 0; expected above 0"),
    ],
)
def test_a_record_is_refused_where_the_equation_has_no_value(equation, words):
    trees = pd.DataFrame({"dbh": [8.0, 12, 0, 20, 25, 31], "stem": [12.0, 33, 1, 120, 210, 380]})
    with pytest.raises(DataError, match=words):
        sl.fit(trees, equation, "wls", "none")
    assert sl.fit(trees, "stem = a + b*dbh^2", "wls", "none").n == {"stem": 6}


TREES = pd.DataFrame({"dbh": [5.0, 9, 14, 22], "height": [4.0, 7, 11, 15], "stem": [3.0, 14, 50, 160]})


@pytest.mark.parametrize("equation", ["stem = a*D^b*height^c", "stem = a*D^b", "stem = a*(D^2*height)^b"])
def test_a_symbol_in_the_place_of_its_column_is_named(equation):
    with pytest.raises(EquationError, match=r"`D` is the symbol of `dbh` .*: use `dbh`"):
        sl.fit(TREES, equation)


def test_an_equation_without_predictor_is_refused():
    with pytest.raises(EquationError, match="names no column, so nothing predicts it"):
        sl.fit(TREES, "stem = k*q^r")
    with pytest.raises(EquationError, match="`D` is the symbol of `dbh`"):
        sl.fit(TREES[["height", "stem"]].rename(columns={"height": "top"}), "stem = a*D^b")


def test_a_letter_that_is_a_symbol_may_be_a_coefficient():
    trees = TREES.assign(age=[5, 10, 15, 20])
    fit = sl.fit(trees, "stem = A*dbh^b", "wls", "none")
    assert fit.system.parameters == ("A", "b")


def test_a_mean_may_be_asked_for():
    trees = TREES.assign(site=["p", "p", "q", "q"])
    one = sl.fit(trees, "stem = a", "wls", "none", cluster="none")
    assert one.parameters["value"].to_list() == pytest.approx([TREES["stem"].mean()])
    each = sl.fit(trees, "stem = a[site]", "wls", "none", cluster="none")
    assert each.parameters["value"].to_list() == pytest.approx([8.5, 105.0])


def test_numbers_that_begin_anew_lose_no_tree():
    trees = pd.concat([TREES] * 3, ignore_index=True)
    trees = trees.assign(tree_id=[1, 2, 3, 4] * 3, stem=trees["stem"] * np.linspace(0.97, 1.03, 12))
    fit = sl.fit(trees, "stem = a*dbh^b", "wls", "none")
    assert fit.n == {"stem": 12}
    assert any(
        "numbers begin anew at records #1, #5, #9" in line and "plot_id" in line for line in fit.warnings
    )
    with pytest.raises(DataError, match="tree_id = 2 stands in records 2, 7; expected once; .*12a and 12b"):
        sl.fit(trees.assign(tree_id=[1, 2, 3, 4, 5, 6, 2, *range(8, 13)]), "stem = a*dbh^b")


@pytest.mark.open_data
@pytest.mark.parametrize(
    ("file", "equation", "values"),
    [
        ("ndvi", "agb_density = a + b*ndvi", [0.60059, 2.50653]),
        ("age0", "height = h0 + x*(1-exp(-y*age))^z", [0.4603, 21.521, 0.06498, 1.5099]),
        ("depth", "soc = a*exp(-k*layer_top)", [30.745, 0.019508]),
    ],
)
def test_small_files_that_were_refused(cases, file, equation, values):
    fit = sl.fit(pd.read_csv(cases / f"{file}.csv"), equation, "wls", "none")
    np.testing.assert_allclose(fit.values, values, rtol=1e-4)


@pytest.mark.open_data
@pytest.mark.parametrize("equation", ["stem = a*D^b*height^c", "stem = a*D^b", "stem = a*(D^2*H)^b"])
def test_symbols_in_a_small_file(cases, equation):
    with pytest.raises(EquationError, match="`D` is the symbol of `dbh`"):
        sl.fit(pd.read_csv(cases / "fresh.csv"), equation)


@pytest.mark.open_data
@pytest.mark.parametrize(
    ("file", "words"),
    [("unknown_names", "columns recognised"), ("headerless", "the header row is numeric")],
)
def test_files_of_which_nothing_is_understood_fail(cases, capsys, file, words):
    assert main(["data", "check", str(cases / f"{file}.csv")]) in (1, 2)
    out, err = capsys.readouterr()
    assert words in out + err and "no problem" not in out
