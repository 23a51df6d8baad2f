"""Growth of stands: known curves are found again, increments carry their error; printed conversions."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.errors import DataError
from sinklab.systems import factors, forest, printed


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
    fit = sl.fit(plots, factors.CONVERSION["line"].format(y="total_density"), name="open:eurasia_plots")
    at = pd.DataFrame({"growing_stock": [130.0, 190.0, 330.0]})
    assert fit.predict(at)["total_density"].to_numpy() == pytest.approx(
        printed.evaluate("fang_cunninghamia", growing_stock=at["growing_stock"]), rel=0.03
    )


def test_factors_by_hand_and_heavier_stems_are_named():
    stands_ = pd.DataFrame(
        {
            "agb_density": [60.0, 100, 80],
            "stem_biomass_density": [50.0, 80, np.nan],
            "bgb_density": [12.0, 25, 0],
            "growing_stock": [100.0, 0, 160],
        }
    )
    made = factors.ratios(stands_)
    assert made["bef"].tolist()[:2] == pytest.approx([1.2, 1.25]) and np.isnan(made["bef"][2])
    assert made["bcef"].tolist()[::2] == pytest.approx([0.6, 0.5]) and np.isnan(made["bcef"][1])
    assert made["root_shoot_ratio"].tolist()[:2] == pytest.approx([0.2, 0.25])
    with pytest.raises(DataError, match="records 2: the stem is heavier"):
        factors.ratios(stands_.assign(stem_biomass_density=[50.0, 120, 10]))


def test_a_printed_line_makes_its_hyperbola():
    # Fang et al. (2007) as quoted by Li et al. (2016): 0.4652 V + 19.141, so mass over stock is 0.4652 + 19.141 / V.
    stock = np.linspace(40, 400, 30)
    mass = printed.evaluate("fang_cunninghamia", growing_stock=stock)
    frame = pd.DataFrame({"growing_stock": stock, "bcef": mass / stock})
    frame["bcef"] *= np.exp(1e-4 * np.random.default_rng(1).standard_normal(30))
    fit = next(f for f in factors.fit_factor(frame, "bcef", "growing_stock") if "hyperbola" in f.label)
    assert fit.values == pytest.approx([0.4652, 19.141], rel=2e-3)


def test_classes_need_stands_of_several_studies():
    random = np.random.default_rng(2)
    frame = pd.DataFrame({"age": np.repeat([5.0, 15.0, 40.0], 24), "study_id": np.tile(np.arange(6), 12)})
    frame.loc[frame["age"] == 40, "study_id"] = 1
    frame["bef"] = np.repeat([1.8, 1.35, 1.15], 24) * np.exp(0.05 * random.standard_normal(72))
    found = factors.by_class(frame, "age", [10, 20])
    assert found["name"].tolist() == ["bef[age <= 10]", "bef[age 10-20]"]
    assert found["mean"].tolist() == pytest.approx([1.8, 1.35], rel=0.03)
    assert found.attrs["small"] == {"bef, age > 20": (24, 1)}
    assert (found["q025"] < found["mean"]).all() and (found["mean"] < found["q975"]).all()


def test_lines_by_age_group_are_found_again():
    random = np.random.default_rng(5)
    frame = pd.DataFrame(
        {"age": np.repeat([5.0, 25.0, 60.0], 40), "growing_stock": random.uniform(30, 300, 120)}
    )
    slope, foot = np.repeat([0.7, 0.5, 0.4], 40), np.repeat([5.0, 15.0, 30.0], 40)
    frame["total_density"] = (slope * frame["growing_stock"] + foot) * np.exp(
        0.03 * random.standard_normal(120)
    )
    fits, small = factors.by_age(frame.iloc[:85], "total_density", [10, 40])
    assert [f.label for f in fits] == ["line, age 0-10", "line, age 10-40"] and small == {"line, age > 40": 5}
    assert fits[0].values == pytest.approx([0.7, 5.0], rel=0.2) and fits[1].values[0] == pytest.approx(
        0.5, rel=0.05
    )


def test_sites_with_their_own_asymptote():
    random = np.random.default_rng(4)
    site = np.repeat(np.arange(12), 10)
    top = 300 * np.exp(0.3 * random.standard_normal(12))[site]
    age = random.uniform(4, 70, 120)
    frame = pd.DataFrame({"study_id": site, "age": age})
    frame["growing_stock"] = top * np.exp(-14 / age) * np.exp(0.08 * random.standard_normal(120))
    mixed, failed = forest.fit_growth(frame, "growing_stock", forms=("schumacher",), group="study_id")
    single, _ = forest.fit_growth(frame, "growing_stock", forms=("schumacher",))
    assert not failed and mixed[0].loglik > single[0].loglik + 40
    assert np.sqrt(mixed[0].random.covariance.iloc[0, 0]) == pytest.approx(0.3, rel=0.5)
    dummies = forest.site_dummies(frame, "growing_stock", "schumacher", "study_id")
    tops = dummies.parameters.query("name == 'a'").set_index("group")["value"]
    truth = np.log(pd.Series(top, index=site).groupby(level=0).first())
    assert np.corrcoef(tops.sort_index(key=lambda k: k.astype(int)), truth)[0, 1] > 0.95
    table = forest.increments(mixed[0], [10.0, 30.0], n=200)
    assert (table["cai_lower"] < table["cai"]).all() and forest.rotation(mixed[0]) == pytest.approx(
        14, rel=0.15
    )


@pytest.mark.open_data
def test_expansion_factors_of_eucalypts_agree_with_print(open_data):
    from sinklab import datasets, literature

    plots = datasets.load("open:eurasia_plots", {"country": "CHN", "genus": "Eucalyptus"})
    stands_ = factors.ratios(plots)
    # Zhu et al. (2020), abstract: BEF 1.251 (1.05 to 1.35), BCEF 0.658 (0.46 to 0.76).
    row = literature.load("stand_factors").set_index("source_id").loc["ZHUWK2020"]
    assert stands_["bef"].mean() == pytest.approx(row["bef"], rel=0.03)
    assert stands_["bcef"].mean() == pytest.approx(row["bcef"], rel=0.12)


def test_growth_of_printed_stands_of_two_rotations():
    # Huitong, Chinese fir at 7, 11, 16, 20 and 25 years: 52.96 to 311.38 t/ha in the first rotation, 40.06 to 210.24 in the second.
    from sinklab import literature

    rows = literature.load("stand_biomass")
    huitong = rows[rows["source_id"] == "CX_HUITONG2018"]
    assert len(huitong) == 10
    fits, _ = forest.fit_growth(huitong, "total_density")
    mean = huitong.groupby("age")["total_density"].mean()
    told = fits[0].predict(pd.DataFrame({"age": mean.index.astype(float)}))["total_density"].to_numpy()
    assert told[1:] == pytest.approx(mean.to_numpy()[1:], rel=0.15)
    gain = forest.increments(fits[0], np.arange(11.0, 25), n=100)["cai"].sum()
    assert gain == pytest.approx(mean[25] - mean[11], rel=0.15)


def test_titles_of_printed_equations_say_who_and_where():
    assert printed.title("fang_cunninghamia") == "Cunninghamia lanceolata (Fang et al. 2007, China)"
    assert printed.title("larix_shandong").startswith("Larix (") and printed.title("larix_shandong").endswith(
        "Shandong)"
    )
