"""Bamboo against the tables of Cao et al. (2017), doi:10.5846/stxb201509301992; ages against 度."""

import numpy as np
import pytest

from sinklab.data import literature
from sinklab.language import DataError
from sinklab.systems import bamboo


@pytest.fixture(scope="module")
def culms():
    return literature.load("bamboo_culms")


@pytest.mark.printed("bamboo.stand_mass", source="Cao et al. (2017), tables 1 and 3", results=3)
def test_stand_is_counts_times_culms_as_printed(culms):
    # Tables 1 and 3: 1250, 1300, 2400 culms/ha; 20.254, 25.036, 55.685 t/ha.
    stands = literature.load("bamboo_stands").dropna(subset=["age"])
    whole = culms[culms["component"] == "whole_plant"].sort_values("age")["mass"]
    for count, mass, printed in zip(stands["stem_density"], whole, stands["total_density"], strict=True):
        assert bamboo.stand_mass([count], [mass]) == pytest.approx(printed, abs=0.003)
    assert bamboo.stand_mass(stands["stem_density"], whole) == pytest.approx(
        stands["total_density"].sum(), abs=0.005
    )


@pytest.mark.printed("bamboo.stand_mass", source="Cao et al. (2017), tables 3, 5 and 8", results=3)
def test_carbon_of_the_culms_as_printed(culms):
    # Tables 3, 5 and 8: culms hold 7.126, 8.097 and 18.080 t C/ha.
    fractions = (
        literature.load("bamboo_carbon").query("component == 'culm'").set_index("age")["carbon_fraction"]
    )
    stems = culms.query("component == 'culm'").set_index("age")["mass"]
    counts = {1: 1250, 3: 1300, 5: 2400}
    made = [float(bamboo.stand_mass([counts[a]], [stems[a]]) * fractions[a]) for a in counts]
    assert made == pytest.approx([7.126, 8.097, 18.080], rel=2e-3)


@pytest.mark.printed("bamboo.root_shoot", source="Cao et al. (2017), discussion 4.1", results=1)
def test_ratio_of_roots_as_printed(culms):
    # The comparison of studies in the discussion prints 0.196 for Taojiang: culms of five years.
    five = culms[culms["age"] == 5].set_index("component")["mass"]
    printed = literature.load("bamboo_ratios").set_index("site")["root_shoot_ratio"]
    assert bamboo.root_shoot(five) == pytest.approx(printed["Taojiang"], abs=5e-4)
    with pytest.raises(DataError, match="bamboo_rhizome"):
        bamboo.root_shoot(five.drop("bamboo_rhizome"))


@pytest.mark.printed(
    "bamboo.root_shoot",
    source="biomass of Pleioblastus amarus at Yuhang, J. Bamboo Res., project 001102204",
    results=1,
)
def test_share_below_ground_of_a_running_bamboo_as_printed():
    # Abstract: 40.54 % of 10 282.12 g/m2 below ground. The roots were weighed with the rhizomes and stumps.
    parts = {
        "culm": 4086.44,
        "branch_unspecified": 1017.82,
        "foliage_unspecified": 1009.41,
        "bamboo_rhizome": 3587.42,
        "bamboo_stump": 581.03,
        "root_fibril": 0.0,
        "root_lateral": 0.0,
    }
    assert sum(parts.values()) == pytest.approx(10282.12, abs=0.02)
    ratio = bamboo.root_shoot(parts)
    assert 100 * ratio / (1 + ratio) == pytest.approx(40.54, abs=0.005)


@pytest.mark.printed(
    "bamboo.zhejiang_moso",
    source="Hao et al. (2010) as quoted by Cao et al. (2017), discussion 4.1",
    results=2,
)
def test_zhejiang_culms_have_the_shares_of_tianmu():
    # Moso of Mt Tianmu, Zhejiang: culms are 62.87 % of all mass, roots and rhizomes 0.331 of what stands above them. The
    # sizes there are not printed: those of Taojiang stand for them, and a crown of 5 m (4 to 6 m change both by 1 %).
    stands = literature.load("bamboo_stands").dropna(subset=["dbh"])
    culm, crown, root = bamboo.zhejiang_moso(stands["dbh"], stands["height"], 5.0)
    assert np.mean(culm / (culm + crown + root)) == pytest.approx(0.6287, rel=0.1)
    assert np.mean(root / (culm + crown)) == pytest.approx(0.331, rel=0.1)


def test_zhejiang_culm_is_below_the_printed_hunan_culms(culms):
    # Table 1: 9.80 cm and 10.90 m at five years; 14.703 +/- 1.984 kg were weighed, the Zhejiang model gives 10.89.
    culm, crown, root = bamboo.zhejiang_moso(9.80, 10.90, 5.0)
    assert culm == pytest.approx(0.0398 * 10.9**0.5778 * 9.8**1.854, rel=1e-9)
    assert culm == pytest.approx(10.89, abs=0.01) and abs(culm - 14.703) / 1.984 < 2
    assert crown == pytest.approx(0.28 * 9.8**0.8357 * 5**0.274) and root == pytest.approx(
        0.371 * 10.9**0.1357 * 9.8**0.9817
    )


@pytest.mark.printed(
    "bamboo.age_class", source="Liu et al. (2010) as quoted by Cao et al. (2017), section 4.2", results=3
)
def test_classes_of_the_printed_culms():
    # There class I is 1 to 2 years, II 3 to 4 and III 5 to 6, another way to count; the culms of 1, 3 and 5 years that
    # were dug have the same class by both.
    assert bamboo.age_class([1, 3, 5]).tolist() == [1, 2, 3]


def test_age_classes_of_years():
    assert bamboo.age_class([0.5, 1, 2, 3, 4, 5, 6, 7, 8]).tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5]
    with pytest.raises(DataError):
        bamboo.age_class([0])


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([1, 3, 5, 5, 3], "records 2, 3, 4, 5: age_class holds 1, 3, 5; likely years"),
        ([1, 2, 9], "records 3: age_class holds 1, 2, 9; likely years"),
        ([1, 2.5], "record 2: age_class = 2.5.*likely years"),
        ([1, float("nan"), 2], "record 2: age_class = nan"),
    ],
)
def test_years_are_not_classes(column, words):
    with pytest.raises(DataError, match=words):
        bamboo.require_age_class(column)
    bamboo.require_age_class([1, 2, 3, 4, 2])
    bamboo.require_age_class([1, 1, 1])


@pytest.mark.printed("bamboo.draw_mean_mass", source="Cao et al. (2017), table 3", results=6)
def test_draws_have_the_printed_means_and_spreads(culms):
    # Whole culms of 1, 3 and 5 years, six of each. The SD of the organs add up to 5.31, 6.38 and 6.21: the organs of
    # older culms are far from rising and falling together.
    drawn = bamboo.draw_mean_mass(culms, (*bamboo.ABOVE, *bamboo.BELOW), 40000, 3)
    assert np.median(drawn, axis=0) == pytest.approx([16.204, 19.258, 23.202], rel=0.01)
    middle = np.subtract(*np.quantile(drawn, [0.75, 0.25], axis=0))
    # 0.7267 is the upper quartile of Student's t with five degrees of freedom.
    assert middle * np.sqrt(6) / (2 * 0.7267) == pytest.approx([5.171, 4.740, 4.003], rel=0.03)


@pytest.mark.printed("bamboo.stand_carbon", source="Cao et al. (2017), table 7", results=3)
def test_carbon_of_the_stand_as_printed(culms):
    # Table 7: 10.490, 11.802 and 28.226 t C/ha of the culms of 1, 3 and 5 years; rounded masses and fractions.
    counts = {1: 1250, 3: 1300, 5: 2400}
    carbon = bamboo.stand_carbon(culms, literature.load("bamboo_carbon"), counts)
    assert carbon.to_numpy() == pytest.approx([10.490, 11.802, 28.226], rel=0.03)


def test_values_of_a_stand_are_its_culms_times_their_counts(culms):
    counts = {5: 2400, 1: 1250, 3: 1300}
    values = bamboo.stand_values(culms, counts, 4000, 1).set_index("variable")
    organs = culms[culms["component"].isin(bamboo.ABOVE)].groupby("age")["mass"].sum()
    assert values.loc["agb_density", "mean"] == pytest.approx(
        bamboo.stand_mass([1250, 1300, 2400], organs), rel=0.01
    )
    parts = values.loc["agb_density", "mean"] + values.loc["bgb_density", "mean"]
    assert values.loc["total_density", "mean"] == pytest.approx(parts)
    assert (values["mean_lower"] < values["mean"]).all() and (values["mean"] < values["mean_upper"]).all()
    assert set(values["n"]) == {18} and set(values["of_whom"]) == {"site_here"}
    assert "4950 culms/ha" in values.loc["agb_density", "note"]


def test_organs_rise_together_where_whole_culms_are_not_known(culms):
    organs = culms[culms["component"] != "whole_plant"]
    parts = (*bamboo.ABOVE, *bamboo.BELOW)
    wide, narrow = (bamboo.draw_mean_mass(f, parts, 20000, 5) for f in (organs, culms))
    spread = [np.subtract(*np.quantile(d, [0.75, 0.25], axis=0)) for d in (wide, narrow)]
    sd = organs.groupby("age")["mass_spread"].sum().to_numpy()
    assert spread[0] / spread[1] == pytest.approx(sd / [5.171, 4.740, 4.003], rel=0.04)
    one = [bamboo.draw_mean_mass(f, ("culm",), 100, 5) for f in (organs, culms)]
    assert one[0] == pytest.approx(one[1])


def test_forms_fit_culms_of_known_coefficients():
    import pandas as pd

    import sinklab as sl

    random = np.random.default_rng(4)
    n = 300
    frame = pd.DataFrame(
        {"dbh": random.uniform(5, 15, n), "age_class": random.integers(1, 5, n).astype(float)}
    )
    frame["agb"] = 0.2 * frame["dbh"] ** 1.8 * (frame["age_class"] / (0.6 + frame["age_class"])) ** 0.5
    frame["agb"] *= np.exp(0.1 * random.standard_normal(n))
    fit = sl.fit(frame, "agb = a * dbh**b * (age_class / (0.6 + age_class))**c", name="simulated")
    found = fit.parameters.set_index("name")
    for name, value in (("b", 1.8), ("c", 0.5)):
        assert abs(found.loc[name, "value"] - value) < 4 * found.loc[name, "se"]


@pytest.mark.printed("bamboo.zhejiang_moso", source="Cao et al. (2017), tables 1 and 3", results=3)
def test_zhejiang_model_beside_the_printed_culms_of_three_ages(culms):
    # Table 1: sizes of culms of 1, 3 and 5 years in Taojiang; the model of another province lies within two SD of each.
    stands = literature.load("bamboo_stands").dropna(subset=["dbh"])
    stems = culms[culms["component"] == "culm"].set_index("age")
    culm, _, _ = bamboo.zhejiang_moso(stands["dbh"], stands["height"], 5.0)
    for age, made in zip(stands["age"], culm, strict=True):
        assert abs(made - stems.loc[age, "mass"]) < 2.2 * stems.loc[age, "mass_spread"], age
