"""Intervals by linearisation and by draws say the same where nothing bends, and differ where it does."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.cli import main
from sinklab.language import DataError

SYSTEM = """
stem = a1 * dbh**b1 * height**c1
branch = a2 * dbh**b2
agb = stem + branch
root = agb * r0
rsr = root / stem
"""
NEW = pd.DataFrame({"dbh": [10.0, 20.0, 35.0], "height": [9.0, 15.0, 21.0]})


def trees(n=160, seed=4, sites=8):
    rng = np.random.default_rng(seed)
    dbh = rng.uniform(6, 40, n)
    height = 1.3 + 25 * (1 - np.exp(-0.05 * dbh)) * np.exp(rng.normal(0, 0.1, n))
    error = rng.multivariate_normal([0, 0, 0], [[1, 0.4, 0.2], [0.4, 1, 0.3], [0.2, 0.3, 1]], n)
    stem = 0.03 * dbh**2 * height**0.8 * np.exp(0.12 * error[:, 0])
    branch = 0.02 * dbh**2.2 * np.exp(0.25 * error[:, 1])
    frame = pd.DataFrame({"dbh": dbh, "height": height, "stem": stem, "branch": branch})
    frame["root"] = (stem + branch) * 0.25 * np.exp(0.2 * error[:, 2])
    return frame.assign(site=[f"s{i % sites}" for i in range(n)])


@pytest.fixture(scope="module", params=["power:mean", "lognormal"])
def fit(request):
    return sl.fit(trees(), SYSTEM, variance=request.param, seed=3, cluster="none")


@pytest.mark.parametrize("kind", ["mean", "individual"])
def test_both_ways_agree_where_nothing_bends(fit, kind):
    one, other = fit.predict(NEW, kind=kind), fit.predict(NEW, kind=kind, intervals="draws")
    for response in ("stem", "branch", "agb", "root"):
        width = (one[f"{response}_upper"] - one[f"{response}_lower"]).to_numpy()
        assert other[response].to_numpy() == pytest.approx(one[response].to_numpy())
        # 2,000 draws: the Monte Carlo error of a 2.5 % quantile is some 3 % of the width; totals of
        # lognormal parts are taken as normal by the delta method.
        slack = 0.08 if kind == "mean" else 0.15
        for end in ("lower", "upper"):
            assert (np.abs(other[f"{response}_{end}"] - one[f"{response}_{end}"]) < slack * width).all()
        assert other[f"{response}_se"].to_numpy() == pytest.approx(one[f"{response}_se"].to_numpy(), rel=0.1)


def test_draws_are_reproduced(fit):
    one, other = (fit.predict(NEW, kind="individual", intervals="draws") for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    moved = sl.fit(trees(), SYSTEM, variance="power:mean", seed=4)
    assert not np.allclose(moved.predict(NEW, intervals="draws")["agb_upper"], one["agb_upper"])


@pytest.mark.slow
def test_individual_trees_are_covered_by_draws():
    fit = sl.fit(trees(400, seed=8), SYSTEM, variance="lognormal")
    new = trees(2000, seed=9)
    new["agb"] = new["stem"] + new["branch"]
    told = fit.predict(new, kind="individual", intervals="draws")
    for response in ("stem", "agb", "root"):
        inside = (told[f"{response}_lower"] < new[response]) & (new[response] < told[f"{response}_upper"])
        assert 0.93 < inside.mean() < 0.97


def test_a_ratio_of_individuals_is_lopsided(fit):
    told = fit.predict(NEW, kind="individual", intervals="draws")
    above, below = told["rsr_upper"] - told["rsr"], told["rsr"] - told["rsr_lower"]
    # A ratio of lognormals has the long tail above; of normals, the short one below is cut off.
    assert np.abs(above / below - 1).max() > 0.05


def test_draws_of_a_mixed_model_hold_the_spread_between_groups():
    frame = trees(240, sites=12)
    # Sites multiply by exp(u): linearisation is as good as draws where their spread is no larger than this.
    factor = np.exp(np.random.default_rng(1).normal(0, 0.12, 12))
    frame["stem"] *= factor[frame["site"].str[1:].astype(int)]
    fit = sl.fit(frame, "stem = a[site] * dbh**b", method="mixed")
    for kind in ("mean", "individual"):
        one = fit.predict(NEW, kind=kind)
        other = fit.predict(NEW, kind=kind, intervals="draws")
        width = (one["stem_upper"] - one["stem_lower"]).to_numpy()
        assert (np.abs(other["stem_upper"] - one["stem_upper"]) < 0.12 * width).all()


def test_unknown_intervals_are_refused(fit):
    with pytest.raises(DataError, match="intervals must be one of"):
        fit.predict(NEW, intervals="guess")


def test_command_with_draws_and_calibration(tmp_path, capsys, monkeypatch):
    frame = trees(240, sites=12)
    fit = sl.fit(frame, "stem = a[site] * dbh**b", method="mixed")
    source = {"origin": "measured", "title": "trees of twelve sites"}
    folder = sl.Table.from_fits([fit], "agb_forest_cunninghamia", "0.1.0", source=source).write(tmp_path)
    NEW.to_csv(tmp_path / "new.csv", index=False)
    frame[frame["site"] == "s3"].to_csv(tmp_path / "group.csv", index=False)
    assert main(["predict", str(folder), str(tmp_path / "new.csv"), "--intervals", "draws"]) == 0
    assert "stem_upper" in capsys.readouterr().out
    out = tmp_path / "out.csv"
    options = ["--calibrate", str(tmp_path / "group.csv"), "-o", str(out)]
    assert main(["predict", str(folder), str(tmp_path / "new.csv"), *options]) == 0
    assert "calibrated with 20 records" in capsys.readouterr().err
    effect = fit.random.effects.loc["s3", "a"]
    expected = fit.values[0] * np.exp(effect) * NEW["dbh"] ** fit.values[1]
    assert sl.read_csv(out)["stem"].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-4)


def test_records_without_a_prediction_say_why(fit, monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "en")
    new = pd.DataFrame({"dbh": [20.0, np.nan, 20.0, np.nan, -5.0], "height": [15.0, 15, np.nan, np.nan, 9]})
    found = fit.predict(new)
    notes = list(found["range_note"])
    assert notes[0] == "" and not found["out_of_range"][:4].any()
    assert notes[1] == "no dbh: no prediction" and notes[3] == "no dbh, height: no prediction"
    assert notes[2] == "no height: no prediction of stem, agb, root, rsr"
    assert found["branch"].notna().tolist() == [True, False, True, False, False]
    assert notes[4].startswith("the equation has no value here: no prediction; dbh = -5 outside")


def test_the_command_counts_records_without_a_prediction(fit, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "en")
    folder = sl.Table.from_fits(fit, "agb_forest_test", "1.0.0", source={"name": "x"}).write(tmp_path)
    file = tmp_path / "new.csv"
    file.write_text("tree,dbh,height\n1,10,9\n2,,15\n3,20,NA\n4,-5,9\n", encoding="utf-8")
    assert main(["predict", str(folder), str(file), "-o", str(tmp_path / "out.csv")]) == 0
    said = capsys.readouterr().err
    assert "2 records without dbh or height: no prediction" in said
    assert "1 records where an equation has no value" in said


def stands_with_few_roots():
    """Stands of 5 to 600 m3/ha; roots were dug on those of 59 to 555."""
    random = np.random.default_rng(3)
    stock = np.r_[5.0, 600.0, 59.0, 555.0, np.exp(random.uniform(np.log(5), np.log(600), 60))]
    frame = pd.DataFrame({"growing_stock": stock, "agb_density": 0.9 * stock**0.9})
    frame["agb_density"] *= np.exp(0.1 * random.standard_normal(len(stock)))
    frame["bgb_density"] = frame["agb_density"] * 0.2 * np.exp(0.1 * random.standard_normal(len(stock)))
    return frame.assign(bgb_density=frame["bgb_density"].where(frame["growing_stock"].between(59, 555)))


def test_each_response_has_its_own_range(tmp_path):
    text = "agb_density = a * growing_stock**b\nbgb_density = agb_density * r0 * growing_stock**r1"
    fit = sl.fit(stands_with_few_roots(), text, method="nsur", variance="power:mean", cluster="none")
    assert fit.ranges["growing_stock"] == pytest.approx((5, 600))
    assert fit.domains["bgb_density"].ranges["growing_stock"] == pytest.approx((59, 555))
    new = pd.DataFrame({"growing_stock": [5.0, 100.0, 590.0, 700.0]})
    found = fit.predict(new)
    assert found["out_of_range"].tolist() == [True, False, True, True]
    assert found["range_note"][0] == "growing_stock = 5 outside 59–555 [bgb_density]"
    assert "[" not in found["range_note"][3]
    # Of the mass above ground alone the range is the whole one.
    assert (fit.range_note(new, ["agb_density"]) != "").tolist() == [False, False, False, True]
    table = sl.Table.from_fits([fit], "agb_density_forest_roots", "1.0.0")
    again = sl.Table.read(table.write(tmp_path)).models[0].predict(new)
    assert list(again["range_note"]) == list(found["range_note"])


def test_predictors_that_no_tree_had_together_are_told():
    # Tall trees are thick: 40 cm and 6 m lie inside both spans, and branch = a D^4.8 H^-3.6 makes them 78 kg of branch.
    random = np.random.default_rng(4)
    dbh = np.exp(random.uniform(np.log(5), np.log(40), 80))
    height = 1.3 + 0.6 * dbh**0.9 * np.exp(0.08 * random.standard_normal(80))
    branch = 0.61 * dbh**4.83 * height**-3.57 * np.exp(0.2 * random.standard_normal(80))
    trees = pd.DataFrame({"dbh": dbh, "height": height, "branch": branch})
    fit = sl.fit(trees, "branch = a * dbh**b * height**c", method="nsur", cluster="none")
    new = pd.DataFrame({"dbh": [20.0, 38.0, 6.0], "height": [10.5, 5.0, 15.0]})
    assert all(fit.ranges["height"][0] < h < fit.ranges["height"][1] for h in new["height"])
    found = fit.predict(new)
    assert found["out_of_range"].tolist() == [False, True, True]
    assert found["range_note"][1] == "dbh, height together outside the records [branch]"
    # No tree of the fit lies outside its own records, and by hand the distance is that of scipy.
    assert not fit.predict(trees)["out_of_range"].any()
    logs = np.log(trees[["dbh", "height"]])
    away = np.log(new.iloc[1].to_numpy()) - logs.mean().to_numpy()
    distance = np.sqrt(away @ np.linalg.inv(logs.cov().to_numpy()) @ away)
    assert fit.domains["branch"].distance(new)[1] == pytest.approx(distance)
    assert distance > fit.domains["branch"].reach
