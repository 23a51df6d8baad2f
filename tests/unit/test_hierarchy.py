"""Hierarchical pooling of scalar values, and the choice of a family."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import sinklab as sl
from sinklab.data import literature, open_data
from sinklab.evidence import distributions, pooling
from sinklab.evidence.distributions import Distribution, Scale, moments, quantiles
from sinklab.language import DataError

SPREADS = {"family": 0.15, "genus": 0.1, "species_id": 0.2, "study": 1e-6, "stand": 0.1}


def world(seed, families=6, genera=3, species=3, stands=4):
    """Wood densities of stands of species in genera in families, and what is true of every species."""
    rng = np.random.default_rng(seed)
    rows, truth = [], {}
    for f in range(families):
        of_family = rng.normal(np.log(0.5), SPREADS["family"])
        for g in range(genera):
            of_genus = of_family + rng.normal(0, SPREADS["genus"])
            for s in range(species):
                name = f"s{f}{g}{s}"
                truth[name] = of_genus + rng.normal(0, SPREADS["species_id"])
                for value in truth[name] + rng.normal(0, SPREADS["stand"], stands):
                    rows.append((f"f{f}", f"g{f}{g}", name, "stem", np.exp(value)))
    frame = pd.DataFrame(rows, columns=["family", "genus", "species_id", "component", "wood_density"])
    return frame.assign(source_id=[f"study {i}" for i in range(len(frame))]), truth


@pytest.fixture(scope="module")
def fitted():
    rows, truth = world(1)
    return pooling.fit(rows, "wood_density", seed=1), rows, truth


@pytest.mark.slow
def test_spreads_are_recovered(fitted):
    inside = []
    for seed in range(10):
        table = pooling.fit(world(200 + seed)[0], "wood_density", n_draw=100, seed=seed).spread_table()
        inside += [
            table.at[k, "lower"] < SPREADS[k] < table.at[k, "upper"]
            for k in ("family", "genus", "species_id")
        ]
    # Intervals of 90 %; thirty of them, of which three are expected to miss.
    assert 24 <= sum(inside)
    # Every study has one stand: only both together can be told.
    both = np.hypot(fitted[0].spreads["study"], fitted[0].spreads["stand"])
    assert np.median(both) == pytest.approx(SPREADS["stand"], rel=0.12)
    assert fitted[0].effective > 50


def test_with_known_spreads_the_mean_of_a_species_is_shrunk_as_the_formula_says():
    rows, _ = world(2, families=1, genera=1, species=5, stands=4)
    found = pooling.fit(rows, "wood_density", n_draw=20)
    sd = pd.DataFrame([[1e-6, 1e-6, 0.2, 1e-6, 0.1]], columns=found.spreads.columns)
    exact = replace(found, spreads=sd)
    target = pd.DataFrame({"species_id": ["s000", "none of them"], "component": "stem"})
    got = exact.predict(target, "mean")
    logs = np.log(rows["wood_density"]).groupby(rows["species_id"]).mean()
    within, between = 0.1**2 / 4, 0.2**2
    weight = between / (between + within)
    assert got["centre"].iloc[0] == pytest.approx(
        logs.mean() + weight * (logs["s000"] - logs.mean()), abs=1e-4
    )
    assert got["centre"].iloc[1] == pytest.approx(logs.mean(), abs=1e-4)
    of_mean = (between + within) / 5
    variance = between * (1 - weight) + (1 - weight) ** 2 * of_mean
    assert got["spread"].iloc[0] == pytest.approx(np.sqrt(variance), rel=1e-3)
    assert got["spread"].iloc[1] == pytest.approx(np.sqrt(between + of_mean), rel=1e-3)
    stand = exact.predict(target, "stand")["spread"].iloc[1]
    assert stand == pytest.approx(np.sqrt(between + of_mean + 0.1**2), rel=1e-3)


def test_less_that_is_known_means_a_wider_answer(fitted):
    found, _, _ = fitted
    targets = pd.DataFrame(
        {
            "species_id": ["s000", None, None, None],
            "genus": ["g00", "g00", None, None],
            "family": ["f0", "f0", "f0", None],
            "component": "stem",
        }
    )
    got = found.predict(targets)
    assert list(got["told_by"]) == ["species_id", "genus", "family", "none"]
    assert (np.diff(got["spread"]) > 0).all()
    assert (found.predict(targets, "mean")["spread"] < got["spread"]).all()
    # A species is enough to know its genus and family.
    alone = found.predict(pd.DataFrame({"species_id": ["s000"], "component": ["stem"]}))
    assert alone["spread"].iloc[0] == pytest.approx(got["spread"].iloc[0])


def test_fewer_values_widen():
    rows, _ = world(3, families=2, genera=2, species=2, stands=8)
    target = pd.DataFrame({"species_id": ["s000"], "component": ["stem"]})
    width = {}
    for kept in (1, 3, 8):
        own = rows["species_id"] != "s000"
        part = pd.concat([rows[own], rows[~own].head(kept)], ignore_index=True)
        width[kept] = pooling.fit(part, "wood_density", seed=2).predict(target, "mean")["spread"].iloc[0]
    assert width[1] > 1.2 * width[3] and width[3] > 1.1 * width[8]
    few = pooling.fit(rows.head(2), "wood_density", seed=2).predict(target)["spread"].iloc[0]
    assert few > 2 * pooling.fit(rows, "wood_density", seed=2).predict(target)["spread"].iloc[0]


@pytest.mark.parametrize("missing", ["species_id", "family"])
def test_intervals_hold_for_new_stands(missing):
    inside = []
    for seed in range(12):
        rows, truth = world(100 + seed, stands=2)
        found = pooling.fit(rows, "wood_density", n_draw=60, seed=seed)
        targets = rows.drop_duplicates("species_id")[["family", "genus", "species_id", "component"]]
        rng = np.random.default_rng(seed)
        if missing == "species_id":
            true = targets["species_id"].map(truth) + rng.normal(0, SPREADS["stand"], len(targets))
        else:
            # A new family: nothing of it was seen.
            whole = np.sqrt(sum(SPREADS[k] ** 2 for k in ("family", "genus", "species_id", "stand")))
            true = np.log(0.5) + rng.normal(0, whole, 6)
            targets = pd.DataFrame({"component": ["stem"] * 6})
        got = found.predict(targets, level=0.9)
        inside.append(((got["lower"] < np.exp(true)) & (np.exp(true) < got["upper"])).mean())
    assert np.mean(inside) == pytest.approx(0.9, abs=0.05 if missing == "species_id" else 0.09)


def test_a_printed_standard_error_is_believed_only_as_far_as_it_goes():
    rows, _ = world(4, families=1, genera=1, species=6, stands=1)
    rows = rows.assign(wood_density_spread=0.001, spread_kind="se", n=30.0)
    vague = rows.copy()
    vague.loc[vague["species_id"] == "s000", "wood_density_spread"] = 0.2
    target = pd.DataFrame({"species_id": ["s000"], "component": ["stem"]})
    sd = pd.DataFrame([[1e-6, 1e-6, 0.2, 1e-6, 0.05]], columns=[*pooling.LEVELS, "study", "stand"])
    fits = (pooling.fit(r, "wood_density", n_draw=10) for r in (rows, vague))
    sharp, blunt = (replace(found, spreads=sd).predict(target, "mean") for found in fits)
    assert blunt["spread"].iloc[0] > 1.2 * sharp["spread"].iloc[0]
    others = np.log(rows["wood_density"][rows["species_id"] != "s000"]).mean()
    assert abs(blunt["centre"].iloc[0] - others) < abs(sharp["centre"].iloc[0] - others)


def test_a_region_shifts_all_species_alike():
    rng, shift = np.random.default_rng(8), {f"r{i}": x for i, x in enumerate(np.linspace(-0.3, 0.3, 7))}
    rows, truth = world(8)
    rows["region"] = rng.choice(list(shift), len(rows))
    rows["wood_density"] *= np.exp(rows["region"].map(shift))
    found = pooling.fit(rows, "wood_density", crossed=["region"], n_draw=100, seed=8)
    assert found.spread_table().loc["region", "lower"] < 0.2 < found.spread_table().loc["region", "upper"]
    targets = pd.DataFrame({"species_id": "s000", "component": "stem", "region": [*shift, None]})
    told = found.predict(targets, "mean")
    wanted = truth["s000"] + np.array([*shift.values()])
    off = (told["centre"].iloc[:-1] - wanted) / told["spread"].iloc[:-1]
    assert np.abs(off).max() < 3.5
    # The region is known to less than its spread; a new one has all of it.
    assert told["spread"].iloc[:-1].max() < 0.12 and told["spread"].iloc[-1] > 0.15
    # Who leaves regions out believes that stands of a species differ by them.
    plain = pooling.fit(rows, "wood_density", n_draw=100, seed=8)
    assert plain.predict(targets)["spread"].iloc[0] > 1.3 * found.predict(targets)["spread"].iloc[0]
    values = pooling.values(found, at={"region": "r6"})
    assert values["group"].str.startswith("region=r6;").all()
    # Only what was measured there is named after the region; the others say that they were not.
    here = set(rows.loc[rows["region"] == "r6", "species_id"])
    species = values["group"].str.extract("species_id=([^;]+)")[0]
    known = values[species.notna()]
    measured = known["group"].str.extract("species_id=([^;]+)")[0].isin(here)
    assert 0 < measured.sum() < len(known)
    assert (known["name"].str.contains(r"\[r6,") == measured).all()
    assert (known["note"].str.contains("none of its values was measured") == ~measured).all()
    assert values.loc[0, "mean"] > pooling.values(found, at={"region": "r0"}).loc[0, "mean"] * 1.5
    for at in ({"region": "r9"}, {"county": "x"}):
        with pytest.raises(DataError, match="crossed"):
            pooling.values(found, at=at)


def test_a_mixture_has_the_quantiles_and_moments_of_its_parts():
    at = quantiles(np.array([0.025, 0.5, 0.975]), np.array([0.0, 0.0]), np.array([1.0, 1.0]))
    assert at == pytest.approx([-1.959964, 0, 1.959964], abs=1e-5)
    mean, sd = moments(Scale("log"), [0.1, 0.1], [0.3, 0.3])
    assert mean == pytest.approx(np.exp(0.1 + 0.045)) and sd == pytest.approx(mean * np.sqrt(np.expm1(0.09)))
    # The variance of a logit is that of the fraction over (p q)^2.
    assert Scale("logit").variance(0.5, 0.01) == pytest.approx(0.16)


def test_printed_carbon_fractions_become_rows_of_a_table(tmp_path):
    rows = literature.load("carbon_fraction")
    found = pooling.fit(rows, "carbon_fraction", seed=1)
    values = pooling.values(found)
    assert values["name"].is_unique and values["family"].eq("logitnormal").all()
    assert ((values["q025"] < values["mean"]) & (values["mean"] < values["q975"])).all()
    own = values[values["name"] == "carbon_fraction[cunninghamia_lanceolata,root_unspecified]"].iloc[0]
    any_root = values[values["name"] == "carbon_fraction[root_unspecified]"].iloc[0]
    assert own["q975"] - own["q025"] < any_root["q975"] - any_root["q025"] and own["se"] < any_root["se"]
    assert 0.4 < own["mean"] < 0.55 and own["n_study"] >= 1 and "CX_GXROOT2017" in own["sources"]
    table = sl.Table.from_values(values, "carbon_fraction_forest_china", "0.2.0", source=rows.attrs["source"])
    back = sl.Table.read(table.write(tmp_path))
    assert back.checks["passed"].all() and len(back.values) == len(values)
    assert back.value("carbon_fraction[root_unspecified]", "mean") == pytest.approx(any_root["mean"])


@pytest.mark.open_data
def test_wood_densities_of_the_pine_family():
    rows = open_data.load("open:wood_density", {"region": "China", "family": "Pinaceae"})
    assert len(rows) > 80 and rows["wood_density"].between(0.2, 0.9).all()
    levels = ("family", "genus", "species")
    found = pooling.fit(rows, "wood_density", levels=levels, study="study_id", n_draw=60, seed=1)
    targets = pd.DataFrame(
        {
            "genus": ["Pinus", "Pinus"],
            "species": ["massoniana", None],
            "family": "Pinaceae",
            "component": "stem_wood",
        }
    )
    got = found.predict(targets)
    assert list(got["told_by"]) == ["species", "genus"]
    own = rows[(rows["genus"] == "Pinus") & (rows["species"] == "massoniana")]["wood_density"]
    assert got["mean"].iloc[0] == pytest.approx(own.mean(), rel=0.03)
    assert got["spread"].iloc[1] > 1.3 * got["spread"].iloc[0]
    values = pooling.values(found)
    assert values["name"].is_unique and (values["sources"] == "").all()


def test_values_outside_the_scale_and_missing_columns_are_refused():
    rows, _ = world(5, families=1, genera=1, species=2)
    with pytest.raises(DataError, match="1 of 8 values"):
        pooling.fit(rows.assign(wood_density=[0.0] + [0.5] * 7), "wood_density")
    with pytest.raises(DataError, match="no column component"):
        pooling.fit(rows.drop(columns="component"), "wood_density")
    found = pooling.fit(rows, "wood_density", n_draw=10)
    with pytest.raises(DataError, match="stand"):
        found.predict(rows, "tree")


def test_leaving_one_out_is_what_refitting_gives():
    x = np.array([1.0, 2.0, 4.0, 3.0, 2.5])
    table = distributions.compare(x, ["normal", "lognormal"], method="exact")
    by_hand = 0.0
    for i in range(5):
        rest = np.delete(x, i)
        by_hand += stats.norm.logpdf(x[i], rest.mean(), rest.std())
    assert table.at["normal", "elpd"] == pytest.approx(by_hand)
    assert table["weight"].sum() == pytest.approx(1) and table["difference"].iloc[0] == 0


@pytest.mark.parametrize(
    ("family", "p1", "p2"),
    [
        ("normal", 5.0, 1.5),
        ("lognormal", 0.0, 0.8),
        ("gamma", 1.5, 2.0),
        ("weibull", 3.5, 1.0),
        ("beta", 2.0, 1.2),
        ("logitnormal", 1.0, 1.8),
    ],
)
def test_the_family_that_made_the_values_is_never_far_behind(family, p1, p2):
    x = Distribution(family, p1, p2).draw(150, seed=4)
    table = distributions.compare(x)
    row = table.loc[family]
    assert row["difference"] >= -2 * max(row["difference_se"], 0.5)
    assert table["method"].eq("exact").all()
    worst = table.iloc[-1]
    assert worst["difference"] < -2


def test_importance_sampling_agrees_with_refitting():
    x = Distribution("gamma", 4.0, 0.2).draw(120, seed=5)
    exact, psis = (
        distributions.compare(x, ["gamma", "lognormal", "weibull"], method=m) for m in ("exact", "psis")
    )
    assert (psis["k"] < 0.7).all()
    for family in exact.index:
        assert psis.at[family, "elpd"] == pytest.approx(exact.at[family, "elpd"], abs=0.5)
    assert list(psis.index) == list(exact.index)


@pytest.mark.parametrize("method", ["exact", "psis"])
def test_values_with_noughts_have_a_point_mass(method):
    made = distributions.ZeroInflated(0.3, Distribution("gamma", 2.0, 1.5))
    x = made.draw(150, seed=6)
    table = distributions.compare(x, method=method)
    assert set(table.index) <= {"zero_gamma", "zero_lognormal", "zero_weibull"}
    assert table["zero"].iloc[0] == pytest.approx((np.sum(x == 0) + 0.5) / 151)
    assert table.loc["zero_gamma", "difference"] > -2 * max(table.loc["zero_gamma", "difference_se"], 0.5)
    assert "noughts" in table.attrs["left_out"]["normal"]
    # Noughts alone cost what a coin with that share costs.
    share = np.mean(x == 0)
    entropy = 150 * (share * np.log(share) + (1 - share) * np.log(1 - share))
    above = distributions.compare(x[x > 0], ["gamma"], method=method).at["gamma", "elpd"]
    assert table.at["zero_gamma", "elpd"] == pytest.approx(entropy + above, abs=1.5)


def test_a_point_mass_counts_in_quantiles_and_mean():
    found = distributions.ZeroInflated(0.4, Distribution("lognormal", 0.0, 0.5))
    assert found.quantile([0.1, 0.4, 0.7]) == pytest.approx([0, 0, 1.0])
    assert found.mean == pytest.approx(0.6 * np.exp(0.125))
    assert np.mean(found.draw(4000, seed=1) == 0) == pytest.approx(0.4, abs=0.03)


def test_families_that_cannot_hold_the_values_say_why():
    table = distributions.compare([-1.0, 0.5, 2.0, 1.0, 0.3])
    assert list(table.index) == ["normal"]
    assert set(table.attrs["left_out"]) == set(distributions.CANDIDATES) - {"normal"}
    with pytest.raises(DataError, match="at least 4"):
        distributions.compare([1.0, 2.0, np.nan])
    with pytest.raises(DataError, match="no family"):
        distributions.compare([-1.0, 0.5, 2.0, 1.0], ["gamma"])
