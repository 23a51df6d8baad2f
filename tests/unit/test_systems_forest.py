"""Growth of stands: known curves are found again, increments carry their error; printed conversions."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.errors import DataError
from sinklab.systems import forest, printed


def stands(n=160, seed=6, oldest=80):
    random = np.random.default_rng(seed)
    age = random.uniform(3, oldest, n)
    stock = 300 * (1 - np.exp(-0.06 * age)) ** 2 * np.exp(0.15 * random.standard_normal(n))
    return pd.DataFrame({"age": age, "growing_stock": stock})


@pytest.fixture(scope="module")
def fitted():
    return forest.fit_growth(
        stands(), "growing_stock", forms=("richards", "schumacher", "mitscherlich"), name="simulated"
    )


def test_the_true_curve_is_found(fitted):
    fits, _ = fitted
    best = fits[0]
    assert best.label == "richards" and fits[-1].label != "richards"
    found = best.parameters.set_index("name")
    for name, value in (("a", np.log(300)), ("k", np.log(0.06)), ("c", np.log(2))):
        assert abs(found.loc[name, "value"] - value) < 3.5 * found.loc[name, "se"], name


def test_increments_bracket_the_truth_and_meet_at_culmination(fitted):
    best = fitted[0][0]
    truth = lambda t: 300 * (1 - np.exp(-0.06 * t)) ** 2  # noqa: E731
    ages = np.array([10.0, 20, 40])
    table = forest.increments(best, ages, n=500)
    for name, value in (("cai", truth(ages + 1) - truth(ages)), ("mai", truth(ages) / ages)):
        assert (table[f"{name}_lower"] < table[name]).all() and (table[name] < table[f"{name}_upper"]).all()
        width = table[f"{name}_upper"] - table[f"{name}_lower"]
        assert (np.abs(table[name] - value) < width).all()
    # d(Y/t)/dt = 0 for A = 300, k = 0.06, c = 2 at k t = 1.2564, t = 20.94 years.
    peak = forest.rotation(best)
    assert peak == pytest.approx(20.94, rel=0.15)
    at_peak = forest.increments(best, [peak - 0.5], n=50)
    assert at_peak["cai"].item() == pytest.approx(at_peak["mai"].item(), rel=0.05)


def test_young_stands_do_not_determine_an_asymptote():
    young = stands(60, 2, 12)
    young["growing_stock"] = 5 * young["age"] * np.exp(0.2 * np.random.default_rng(1).standard_normal(60))
    with pytest.raises(DataError, match="no growth curve converged"):
        forest.fit_growth(young, "growing_stock", forms=("mitscherlich",), name="simulated")


def test_printed_conversions_by_hand():
    # Fang et al. (2007), as quoted by Li et al. (2016), doi:10.17521/cjpe.2015.0193: fir and Masson pine at 200 m3/ha.
    assert printed.evaluate("fang_cunninghamia", growing_stock=200) == pytest.approx(112.181)
    assert printed.evaluate("fang_pinus_massoniana", growing_stock=200) == pytest.approx(121.227)


@pytest.mark.open_data
def test_conversion_of_chinese_fir_plots_agrees_with_print(open_data):
    from sinklab import datasets

    plots = datasets.load("open:eurasia_plots", {"country": "CHN", "species": "cunninghamia_lanceolata"})
    plots = plots[(plots["growing_stock"] > 0) & (plots["total_density"] > 0)]
    fit = sl.fit(plots, forest.CONVERSION["line"].format(y="total_density"), name="open:eurasia_plots")
    at = pd.DataFrame({"growing_stock": [130.0, 190.0, 330.0]})
    assert fit.predict(at)["total_density"].to_numpy() == pytest.approx(
        printed.evaluate("fang_cunninghamia", growing_stock=at["growing_stock"]), rel=0.03
    )
