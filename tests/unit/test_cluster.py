"""The sampled unit: which column is taken, the covariance of clusters, the spread between them, totals of sites."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import sinklab as sl
from sinklab.fitting.likelihood import freedom_of_sandwich
from sinklab.language import DataError
from sinklab.results.summary import fit_report
from sinklab.tables.checks import validate
from sinklab.tables.table import Table

ONE = "agb = a * dbh**b"
PARTS = "stem = a1 * dbh**b1\nbranch = a2 * dbh**b2\nagb = stem + branch"


def sites(n_site=20, n=15, sd=0.2, seed=4):
    """Trees whose masses share a factor of their site, that of branches being another one, correlated with it."""
    rng = np.random.default_rng(seed)
    site = np.repeat(np.arange(n_site), n)
    dbh = rng.uniform(5, 40, len(site))
    common, own = rng.normal(0, sd, (2, n_site))
    stem = 0.06 * dbh**2.4 * np.exp(common[site] - sd**2 / 2) * rng.lognormal(-0.005, 0.1, len(site))
    branch = np.exp((0.6 * common + 0.8 * own)[site] - sd**2 / 2) * rng.lognormal(-0.02, 0.2, len(site))
    frame = pd.DataFrame({"site": [f"s{i:02d}" for i in site], "dbh": dbh, "stem": stem})
    return frame.assign(branch=0.02 * dbh**2.2 * branch)


@pytest.fixture(scope="module")
def fit():
    return sl.fit(sites(), PARTS)


def test_a_column_of_the_vocabulary_is_taken_and_said(fit):
    told = fit.certificate.cluster
    assert (told["column"], told["n"], told["freedom"]) == ("site", 20, 19)
    assert "sampled by site (20 levels)" in fit_report(fit)
    chosen = sl.fit(sites().rename(columns={"site": "farm"}), PARTS, cluster="farm")
    assert chosen.covariance.to_numpy() == pytest.approx(fit.covariance.to_numpy(), rel=1e-9)
    chinese = sl.fit(sites().rename(columns={"site": "地点"}), PARTS)
    assert chinese.certificate.cluster["column"] == "地点"


def test_the_column_that_the_data_declare_comes_first():
    data = sites().assign(farm=lambda d: d["site"].str[:2])
    data.attrs["source"] = {"sampled_by": "farm", "name": "x"}
    data["farm"] = np.where(data["site"] < "s10", "a", np.where(data["site"] < "s15", "b", "c"))
    assert sl.fit(data, PARTS).certificate.cluster["column"] == "farm"


def test_degrees_of_freedom_of_a_covariance_of_scores():
    # Of a mean, n - 1; of a line, those whose Wishart matrix varies as much as this covariance does over 20,000 samples.
    assert freedom_of_sandwich(np.ones((12, 1))) == pytest.approx(11)
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(12), np.log(rng.uniform(5, 40, 12))])
    maker = np.eye(12) - design @ np.linalg.pinv(design)
    pull = np.linalg.pinv(design).T / np.diag(maker)[:, None]
    pull = pull @ np.linalg.inv(np.linalg.cholesky(pull.T @ (np.diag(maker)[:, None] * pull))).T
    drawn = np.einsum("sn,nk,nl->skl", (rng.standard_normal((20_000, 12)) @ maker) ** 2, pull, pull)
    assert drawn.mean(axis=0) == pytest.approx(np.eye(2), abs=0.03)
    assert freedom_of_sandwich(design) == pytest.approx(6 / drawn.var(axis=0).sum(), rel=0.05)


def test_intervals_of_few_independent_trees_have_the_freedom_of_their_covariance():
    trees = sites(1, 12).drop(columns="site")
    few = sl.fit(trees, "stem = a * dbh**b")
    known = few.certificate.cluster["freedom"]["stem"]
    assert 3 < known < 8 and few.residual["stem"].freedom == 10
    at = few.predict({"dbh": [20.0]}).iloc[0]
    one = few.predict({"dbh": [20.0]}, kind="individual").iloc[0]
    assert (at["stem_upper"] - at["stem"]) / at["stem_se"] == pytest.approx(stats.t.ppf(0.975, known))
    told = few.parameters.set_index("name").loc["b"]
    assert (told["upper"] - told["value"]) / told["se"] == pytest.approx(stats.t.ppf(0.975, known))
    wide = np.hypot(at["stem_se"], few.residual["stem"].sd(one["stem"], None))
    assert (one["stem_upper"] - one["stem"]) / wide == pytest.approx(stats.t.ppf(0.975, 10), rel=1e-6)
    # A covariance that rests on its variance function has those of the residuals.
    assert "freedom" not in sl.fit(trees, "stem = a * dbh**b", variance="power:dbh").certificate.cluster


def test_without_a_column_independence_is_assumed_and_fails_a_check():
    alone = sl.fit(sites().drop(columns="site"), PARTS)
    assert alone.certificate.cluster["column"] is None and alone.between is None
    assert "records are taken as independent" in fit_report(alone)
    checks = Table.from_fits(alone, "agb_forest_x", "1.0.0", source={"name": "x"}).checks.set_index(
        "check_id"
    )
    assert not checks.loc["sampling_unit", "passed"]
    # A record that is its own plot is independent by design.
    plots = sl.fit(sites().drop(columns="site").assign(plot_id=range(300)), PARTS)
    assert plots.certificate.cluster["column"] == "plot_id" and plots.between is None
    checks = Table.from_fits(plots, "agb_forest_x", "1.0.0", source={"name": "x"}).checks.set_index(
        "check_id"
    )
    assert checks.loc["sampling_unit", "passed"]


def test_refused_columns():
    with pytest.raises(DataError, match="no column farm"):
        sl.fit(sites(), PARTS, cluster="farm")
    with pytest.raises(DataError, match="fewer than 3"):
        sl.fit(sites(2), PARTS, cluster="site")
    with pytest.raises(DataError, match="coefficients of their own"):
        sl.fit(sites(), "stem = a[site] * dbh**b", method="wls", cluster="site")
    dummies = sl.fit(sites(), "stem = a[site] * dbh**b", method="wls")
    assert dummies.certificate.cluster["column"] is None


@pytest.mark.parametrize("method", ["nsur", "wls", "ols-log"])
def test_covariance_is_near_that_of_drawn_sites(method):
    from sinklab.fitting.resample import bootstrap

    data = sites(30)
    fit = sl.fit(data, "stem = a1 * dbh**b1\nbranch = a2 * dbh**b2", method=method)
    grid = pd.DataFrame({"dbh": [10.0, 20.0, 30.0]})
    drawn = bootstrap(fit, 200, kind="group", group="site")
    for response in ("stem", "branch"):
        told, found = fit.predict(grid), drawn.predict(grid)
        assert told[f"{response}_se"].to_numpy() == pytest.approx(found[f"{response}_se"], rel=0.25)
    alone = sl.fit(data, "stem = a1 * dbh**b1\nbranch = a2 * dbh**b2", method=method, cluster="none")
    assert (fit.predict(grid)["stem_se"] > 2 * alone.predict(grid)["stem_se"]).all()


def test_spread_between_sites_is_recovered():
    found = sl.fit(sites(400, 8), PARTS).between
    spread = found.spread.to_numpy()
    assert np.sqrt(np.diag(spread)[:2]) == pytest.approx([0.2, 0.2], rel=0.08)
    assert spread[0, 1] / np.sqrt(spread[0, 0] * spread[1, 1]) == pytest.approx(0.6, abs=0.08)
    assert np.sqrt(np.diag(found.within)[:2]) == pytest.approx([0.1, 0.2], rel=0.05)
    assert found.se["stem"] == pytest.approx(0.04 * np.sqrt(2 / 400), rel=0.2)
    # No spread: the moments stay near nought, and no variance is negative.
    none = sl.fit(sites(40, 8, sd=0.0), PARTS).between
    assert (np.diag(none.spread) >= 0).all() and np.sqrt(none.spread.loc["stem", "stem"]) < 0.03


def test_totals_take_every_error_at_its_level(fit):
    new = pd.DataFrame({"dbh": [12.0, 25.0, 25.0, 31.0], "site": ["n1", "n1", "n2", "n2"]})
    total = fit.total(new, by="site")
    mean = fit.predict(new)
    assert total["agb"].to_numpy() == pytest.approx(mean["agb"].groupby(new["site"]).sum())
    frame = fit.columns(new)
    gradient = fit.layout.at(frame, ("stem",), 4).mean_and_jacobian(fit.values)[1][:, 0]
    summed = gradient[:2].sum(axis=0)
    parameters = summed @ fit.covariance.to_numpy() @ summed
    f = mean["stem"].to_numpy()[:2]
    between = fit.between.spread.loc["stem", "stem"] * f.sum() ** 2
    residual = fit.between.within.loc["stem", "stem"] * (f**2).sum()
    whole = parameters + between + residual
    assert total["stem_se"].iloc[0] == pytest.approx(np.sqrt(whole))
    told = total.shares.loc[("n1", "stem")]
    assert told.to_numpy() == pytest.approx(np.array([parameters, between, residual]) / whole)
    # The average of sites has no site factor, and a site that was sampled its own.
    average = fit.total(new, by="site", of="average")
    assert average.shares.loc[("n1", "stem"), "between"] == 0
    known = fit.total(new.assign(site="s03"), by="site", of="known")
    value, _ = fit.between.effect("s03", "stem")
    assert known["stem"].iloc[0] == pytest.approx(mean["stem"].sum() * np.exp(value))
    assert known["stem_se"].iloc[0] < fit.total(new)["stem_se"].iloc[0]


def test_predictions_of_new_known_and_average_sites(fit):
    grid = pd.DataFrame({"dbh": [20.0], "site": ["s05"]})
    new, average, known = (fit.predict(grid, of=of) for of in ("new", "average", "known"))
    assert fit.predict(grid).equals(new)
    width = [p["agb_upper"].iloc[0] - p["agb_lower"].iloc[0] for p in (average, known, new)]
    assert width[0] < width[2] and width[1] < width[2]
    assert new["agb_se"].iloc[0] == average["agb_se"].iloc[0]
    with pytest.raises(DataError, match="of must be one of"):
        fit.predict(grid, of="other")
    with pytest.raises(DataError, match="named in a column 'site'"):
        fit.predict(grid[["dbh"]], of="known")
    with pytest.raises(DataError, match="not known"):
        sl.fit(sites(), PARTS, cluster="none").predict(grid, of="known")


def test_a_table_keeps_the_spread_and_the_sites(fit, tmp_path):
    folder = Table.from_fits(fit, "agb_forest_x", "1.0.0", source={"name": "x", "origin": "measured"}).write(
        tmp_path
    )
    assert validate(folder) == []
    back = Table.read(folder).model()
    pd.testing.assert_frame_equal(back.between.spread, fit.between.spread)
    grid = sites(3, 4, seed=9)
    for of in ("new", "known", "average"):
        assert back.total(grid, by="site", of=of).to_numpy() == pytest.approx(
            fit.total(grid, by="site", of=of).to_numpy()
        )
    # A covariance that is none is refused.
    text = (folder / "between.csv").read_text(encoding="utf-8-sig").splitlines()
    bad = [
        ",".join([*line.split(",")[:4], "9", ""]) if ",spread,branch,stem," in line else line for line in text
    ]
    frames = Table.read(folder).frames
    from sinklab.tables import pack, package

    frames["between"] = package.from_csv("between", ("\n".join(bad) + "\n").encode("utf-8-sig"))
    with pytest.raises(sl.language.TableError, match="not positive semi-definite"):
        pack.unpack(frames, Table.read(folder).provenance)


def test_a_total_made_of_its_parts_is_judged():
    data = sites()
    data.loc[::7, "branch"] = np.nan
    made, weighed = sl.fit(data, PARTS), sl.fit(data.assign(agb=data["stem"] + data["branch"]), PARTS)
    assert made.index_table.loc["agb", "n"] == data["branch"].notna().sum()
    pd.testing.assert_series_equal(made.index_table.loc["agb"], weighed.index_table.loc["agb"])
    from sinklab.assess.validation import validate as again

    assert "agb" in again(made, "leave:site").indices().index


def test_few_sites_are_said():
    few = sl.fit(sites(5, 30), ONE.replace("agb", "stem"))
    assert "5 levels of site are few" in fit_report(few)
    # The covariance stays that of all directions.
    assert np.linalg.eigvalsh(few.covariance).min() > 0


def test_verdicts_name_what_is_wrong():
    data = sites()
    bad = sl.fit(data, "stem = k + a * dbh**b\nbranch = a2 * dbh**b2", cluster="none").to_json()["verdicts"]
    kinds = {(v["kind"], v["name"]): v for v in bad}
    assert ("intercept", "k") in kinds and not kinds["intercept", "k"]["passed"]
    assert kinds["threshold", "tre_limit"]["threshold"] == 5
    # A curve through the wrong end is worse than the mean.
    rng = np.random.default_rng(1)
    size = rng.uniform(5, 25, 80)
    flat = pd.DataFrame(
        {"mean_dbh": size, "carbon": 60 * (1 - np.exp(-0.35 * size)) ** 6 * rng.lognormal(0, 0.25, 80)}
    )
    fit = sl.fit(flat, "carbon = a * mean_dbh**b", method="wls")
    worse = [v for v in fit.to_json()["verdicts"] if v["kind"] == "worse_than_mean"]
    assert bool(worse) == (fit.index_table.loc["carbon", "R2"] < 0)
    assert ("worse than the mean" in fit_report(fit)) == bool(worse)


def test_sites_left_out_are_judged():
    from sinklab.assess.validation import validate as again

    data = sites(20, 15)
    fit = sl.fit(data, PARTS)
    found = again(fit, "leave:site")
    told = found.sites().loc["agb"]
    observed = (data["stem"] + data["branch"]).groupby(data["site"]).sum()
    part = found.predictions[found.predictions["response"] == "agb"]
    error = 100 * (observed / part.groupby("fold")["predicted"].sum() - 1)
    assert told[["n", "TRE_sd", "TRE_min", "TRE_max"]].to_numpy() == pytest.approx(
        [20, error.std(), error.min(), error.max()]
    )
    assert told["coverage"] >= 85
    assert {v["check_id"] for v in found.verdicts()} == {"site_coverage", "site_spread"}
    assert found.to_json()["sites"]["agb"]["n"] == 20
    with pytest.raises(DataError, match="not the clusters"):
        again(fit, "kfold:5").sites()


def test_a_plot_is_one_new_site_in_an_inventory():
    from sinklab.propagate.inventory import Inventory
    from sinklab.propagate.model import SITES, Model

    fit = sl.fit(sites(), PARTS)
    trees = pd.DataFrame({"plot_id": np.repeat(["p1", "p2"], 30), "dbh": np.tile(np.linspace(8, 35, 30), 2)})
    plots = pd.DataFrame({"plot_id": ["p1", "p2"], "plot_area": [0.1, 0.1]})
    stock = Inventory(trees, plots, Model.of(fit, "agb"), sampling=False)
    units = stock.units("plot")
    assert [n.name for n in units.noises] == [SITES]
    from sinklab.propagate.monte_carlo import draw_totals

    drawn = draw_totals(units, 4000, seed=1)
    whole = fit.total(trees, by="plot_id")
    relative = drawn.std(axis=1) / units.totals()
    assert relative == pytest.approx((whole["agb_se"] / whole["agb"]).to_numpy(), rel=0.06)
    # Both plots share the parameters, not the site.
    alone = sl.fit(sites(), PARTS, cluster="none")
    assert not Inventory(trees, plots, Model.of(alone, "agb"), sampling=False).units("plot").noises
