"""A table moved to one place by the plots measured there: the common factors of its responses."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.cli import main
from sinklab.language import DataError
from sinklab.results.calibration import calibrated
from sinklab.tables.table import Table

TEXT = "agb_density = a * dbh**b * stem_density**c\nbgb_density = r * agb_density**s\ntotal_density = agb_density + bgb_density"


def stands(n_study=25, n=8, factor=None, seed=3, sd=0.25, within=0.15):
    """Plots of studies whose masses are off by a factor of the study, roots by another on top."""
    rng = np.random.default_rng(seed)
    study = np.repeat(np.arange(n_study), n)
    dbh, trees = rng.uniform(6, 30, len(study)), rng.uniform(600, 3000, len(study))
    u, v = rng.normal(0, sd, n_study), rng.normal(0, 0.2, n_study)
    if factor is not None:
        u, v = np.full(n_study, np.log(factor[0])), np.full(n_study, np.log(factor[1]))
    agb = 0.002 * dbh**2 * trees**0.7 * np.exp(u[study] + rng.normal(0, within, len(study)))
    bgb = 0.25 * agb**0.95 * np.exp(v[study] + rng.normal(0, within, len(study)))
    frame = {"study_id": [f"s{i}" for i in study], "dbh": dbh, "stem_density": trees}
    return pd.DataFrame(frame | {"agb_density": agb, "bgb_density": bgb, "total_density": agb + bgb})


@pytest.fixture(scope="module", params=["ols-log", "nsur"])
def fit(request):
    text = TEXT if request.param == "nsur" else "\n".join(TEXT.split("\n")[:1])
    variance = {"variance": "power:mean"} if request.param == "nsur" else {}
    return sl.fit(stands(), text, method=request.param, cluster="study_id", **variance)


def test_thirty_plots_take_the_bias_away(fit):
    """A region with four tenths of the research plots' mass: far off before, right after, means and intervals."""
    region = stands(1, 230, factor=(0.4, 1.2), seed=8)
    few, rest = region[:30], region[30:]
    local = calibrated(fit, few, "county")
    for response in fit.system.responses:
        before, after = (f.predict(rest)[response].sum() / rest[response].sum() for f in (fit, local))
        assert before > 1.8
        assert after == pytest.approx(1, abs=0.08)  # three standard errors of 30 plots
        told = local.predict(rest, kind="individual")
        inside = told[f"{response}_lower"].lt(rest[response]) & told[f"{response}_upper"].gt(rest[response])
        assert 0.9 < inside.mean() < 0.99
    assert local.between is None and local.label == "county"


def test_the_update_is_that_of_normal_distributions():
    """One response on logarithms: mean and variance of the local level as conditioning of a normal says."""
    one = sl.fit(stands(), TEXT.split("\n")[0], method="ols-log", cluster="study_id")
    few = stands(1, 5, factor=(0.6, 1), seed=8)
    local = calibrated(one, few)
    spread, within = (float(m.iloc[0, 0]) for m in (one.between.spread, one.between.within))
    line = np.log(one.predict(few)["agb_density"]) - np.log(one.correction["agb_density"])
    slope = np.column_stack([np.full(5, 1 / one.values[0]), np.log(few[["dbh", "stem_density"]])])
    # The deviations of the plots: a factor shared by all, the coefficients, and the plots themselves.
    total = slope @ one.covariance.to_numpy() @ slope.T + spread + within * np.eye(5)
    away = np.log(few["agb_density"]) - line - np.log(one.correction["agb_density"])
    centre = one.between.centre.iloc[0]
    at = pd.DataFrame({"dbh": [15.0], "stem_density": [1500.0]})
    x = np.r_[1 / one.values[0], np.log(at.to_numpy()[0])]
    cross = slope @ one.covariance.to_numpy() @ x + spread
    moved = centre + cross @ np.linalg.solve(total, away - centre)
    left = x @ one.covariance.to_numpy() @ x + spread - cross @ np.linalg.solve(total, cross)
    told = local.predict(at)
    expected = one.predict(at)["agb_density"].iloc[0] * np.exp(moved + within / 2)
    assert told["agb_density"].iloc[0] == pytest.approx(expected, rel=2e-3)
    assert told["agb_density_se"].iloc[0] / told["agb_density"].iloc[0] == pytest.approx(
        np.sqrt(left), rel=0.03
    )
    # No plot of the place: nothing is learned but its uncertainty kept.
    assert left < spread


def test_roots_of_a_place_follow_from_shoots_alone(fit):
    if "bgb_density" not in fit.system.free:
        pytest.skip("one response")
    region = stands(1, 60, factor=(0.5, 1.0), seed=5)
    local = calibrated(fit, region[["dbh", "stem_density", "agb_density"]].head(30))
    rest = region[30:]
    before, after = (f.predict(rest)["bgb_density"].sum() / rest["bgb_density"].sum() for f in (fit, local))
    # Roots follow shoots as far as they did between the studies.
    assert abs(np.log(after)) < 0.5 * abs(np.log(before))


def test_a_table_is_calibrated_on_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "en")
    fit = sl.fit(stands(), TEXT.split("\n")[0], method="ols-log", cluster="study_id")
    source = {"origin": "measured", "title": "plots"}
    folder = Table.from_fits([fit], "agb_density_forest_larix", "0.1.0", source=source).write(tmp_path)
    region = stands(1, 90, factor=(0.4, 1), seed=8)
    region[:30].to_csv(tmp_path / "own.csv", index=False)
    region[30:].drop(columns=["agb_density", "bgb_density", "total_density"]).to_csv(
        tmp_path / "new.csv", index=False
    )
    command = ["predict", str(folder), str(tmp_path / "new.csv"), "-o", str(tmp_path / "out.csv")]
    assert main([*command, "--calibrate", str(tmp_path / "own.csv")]) == 0
    assert "calibrated with 30 records" in capsys.readouterr().err
    told = sl.read_csv(tmp_path / "out.csv")["agb_density"].sum()
    assert told == pytest.approx(region[30:]["agb_density"].sum(), rel=0.05)


def test_a_second_calibration_is_refused(fit):
    local = calibrated(fit, stands(1, 10))
    with pytest.raises(DataError, match="does not know how places differ"):
        calibrated(local, stands(1, 10))


def test_a_table_says_whom_it_speaks_for_and_warns_of_age_alone(monkeypatch):
    from sinklab.results.summary import speaks_for

    monkeypatch.setenv("SINKLAB_LANG", "en")
    frame = stands()
    frame["age"] = frame["dbh"]
    by_size = sl.fit(frame, TEXT.split("\n")[0], method="ols-log", cluster="study_id")
    by_age = sl.fit(frame, "agb_density = a * age**b", method="ols-log", cluster="study_id")
    assert "a new place like the 25 sampled (study_id)" in speaks_for(by_size)[0]
    assert len(speaks_for(by_size)) == 1
    assert "by age alone" in speaks_for(by_age)[1]
    assert "30 records of the calibration" in speaks_for(calibrated(by_size, frame[:30]))[0]


def test_the_population_is_one_sentence_with_the_way_places_were_chosen_sizes_and_pedigree(fit, monkeypatch):
    from dataclasses import replace

    from sinklab.results.summary import pedigree, population_sentence

    for lang, wanted in (
        ("zh", ("为研究而选定", "来源评分 0.58")),
        ("en", ("chosen on purpose", "pedigree 0.58")),
    ):
        monkeypatch.setenv("SINKLAB_LANG", lang)
        told = {"selection": "purposive", "place": "coordinates", "method": "mixed", "measured": 0.8}
        text = population_sentence(replace(fit, source=fit.source | {"population": told}))
        assert "\n" not in text and all(w in text for w in wanted)
        low, high = fit.ranges["dbh"]
        assert f"{low:.4g}–{high:.4g} cm" in text
    # An inventory whose every value was measured scores all there is; nothing told scores nothing.
    best = {
        "selection": "inventory",
        "place": "coordinates",
        "time": "year",
        "method": "weighed",
        "measured": 1,
    }
    assert pedigree(best)[0] == 1 and pedigree(None)[0] == 0
    with pytest.raises(DataError, match="no population: selection grid"):
        pedigree({"selection": "grid"})
    with pytest.raises(DataError, match=r"measured 1\.5"):
        pedigree({"measured": 1.5})
