"""Plans of trees and plots."""

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.assess.plan import (
    Cost,
    Sampler,
    effective_freedom,
    field_sheet,
    optimal_allocation,
    plot_plan,
    tree_list,
    tree_plan,
)
from sinklab.cli import main
from sinklab.language import DataError

SYSTEM = "stem = a1 * dbh**b1 * height**c1\nbranch = a2 * dbh**b2\nagb = stem + branch\nroot = agb * r0"


def trees(n=200, seed=1, noise=1.0):
    rng = np.random.default_rng(seed)
    dbh = rng.uniform(1.6, 41, n)
    height = 1.3 + 25 * (1 - np.exp(-0.05 * dbh)) * np.exp(rng.normal(0, 0.1, n))
    stem = 0.03 * dbh**2 * height**0.8 * (1 + noise * 0.12 * rng.normal(size=n))
    branch = 0.02 * dbh**2.2 * (1 + noise * 0.2 * rng.normal(size=n))
    frame = pd.DataFrame({"dbh": dbh, "height": height, "stem": stem, "branch": branch})
    frame["root"] = (stem + branch) * 0.25 * (1 + noise * 0.2 * rng.normal(size=n))
    frame.loc[rng.random(n) > 1 / 3, "root"] = np.nan
    return frame


@pytest.fixture(scope="module")
def pilot():
    return sl.fit(trees(), SYSTEM)


@pytest.fixture(scope="module")
def plan(pilot):
    return tree_plan(pilot, target=6.0, n_sim=30, cost=Cost(100, 10, 200), seed=2)


def test_the_plan_meets_its_target_and_fewer_trees_do_not(pilot, plan):
    assert plan.reached
    size = int(plan.classes["n_tree"].iloc[0])
    assert plan.precision.loc["agb", "mpe_assured"] <= 6.0 + 1e-9
    sampler = Sampler(pilot)
    count = len(sampler.classes)
    fewer = sampler.judge(np.full(count, size // 2), np.full(count, max(1, size // 6)), 30, 2)[0]
    mpe = np.where(np.isnan(fewer), np.inf, fewer)[:, pilot.system.responses.index("agb")]
    assert np.quantile(mpe, 0.9, method="higher") > 6.0
    assert plan.cost == pytest.approx(plan.classes["cost"].sum())
    assert plan.n_tree == 10 * size


def test_error_of_the_curve_is_what_refits_show(pilot, plan):
    """Half-widths of the curve's interval at the planned size agree with the simulated errors."""
    sampler, size = Sampler(pilot), int(plan.classes["n_tree"].iloc[0])
    roots = int(plan.classes["n_root"].iloc[0])
    told = []
    for seed in range(12):
        sample = sampler.draw(np.full(10, size), np.full(10, roots), np.random.default_rng(seed))
        fit = sl.fit(sample.drop(columns="class"), SYSTEM)
        prediction = fit.predict(sampler.middles)
        told.append(100 * (prediction["agb_upper"] - prediction["agb"]) / prediction["agb"])
    assert plan.error.loc["agb"].mean() == pytest.approx(np.mean(told), rel=0.25)


def test_more_precise_trees_need_fewer(plan):
    other = tree_plan(sl.fit(trees(noise=0.5), SYSTEM), target=6.0, n_sim=30, seed=2)
    assert other.n_tree < plan.n_tree


def test_the_optimal_allocation_is_cheaper_for_the_same_precision(pilot, plan):
    sampler = Sampler(pilot)
    each = Cost(100, 10, 0).of(sampler.middles["dbh"])
    counts = np.full(10, 15)
    sizes = optimal_allocation(sampler, counts, each, "agb", 1 / 3)
    assert (sizes >= 3).all()
    assert (sizes * each).sum() <= (counts * each).sum() * 1.05

    def spread(n):
        information = np.tensordot(n, sampler.class_information(1 / 3), axes=1)
        middles = sampler.middles
        mean, slope = pilot.layout.at(middles, ("agb",), 10).mean_and_jacobian(pilot.values)
        relative = slope[:, 0] / mean[:, :1]
        return np.einsum("ij,jk,ik->i", relative, np.linalg.inv(information), relative).mean()

    assert spread(sizes) <= spread(counts) * 1.02


@pytest.mark.slow
def test_roots_have_a_target_of_their_own(pilot):
    found = tree_plan(pilot, target=8.0, root_target=14.0, n_sim=20, seed=3)
    assert found.precision.loc["root", "mpe_assured"] <= 14.0 + 1e-9
    assert (found.classes["n_root"] <= found.classes["n_tree"]).all()


def test_the_field_sheet_lists_every_tree(plan):
    listed = tree_list(plan)
    assert len(listed) == plan.n_tree
    assert listed["root"].sum() == plan.classes["n_root"].sum()
    assert (
        listed.groupby("class", sort=False)["root"].sum().to_numpy() == plan.classes["n_root"].to_numpy()
    ).all()
    page = field_sheet(plan, "杉木 <plan>", ["stem/kg"])
    assert page.count("<tr") == plan.n_tree + 1
    assert "<plan>" not in page


def test_plots_by_hand():
    """Two strata worked out by Cochran's formula with a normal quantile in place of t."""
    strata = pd.DataFrame(
        {"stratum": ["a", "b"], "area": [6e4, 4e4], "mean": [50.0, 100.0], "sd": [20.0, 50.0]}
    )
    plan = plot_plan(strata, error=10, level=0.9, assurance=0.5)
    spread, mean = 0.6 * 20 + 0.4 * 50, 0.6 * 50 + 0.4 * 100
    by_hand = (1.645 * spread / (0.1 * mean)) ** 2
    assert by_hand <= plan["n_plot"].sum() <= by_hand + 4
    assert plan["n_plot"][1] / plan["n_plot"][0] == pytest.approx(0.4 * 50 / (0.6 * 20), rel=0.15)
    assert plan.attrs["half_width"] <= 10
    assert plan["n_plot_proportional"].sum() >= plan["n_plot"].sum()
    # Half the plots are not enough.
    assert plot_plan(strata, error=5)["n_plot"].sum() > 3 * plan["n_plot"].sum()


@pytest.mark.parametrize(
    ("strata", "error"),
    [
        ([(6e4, 50, 20), (4e4, 100, 50)], 10),
        ([(1e4, 80, 30)], 12),
        ([(1e3, 60 + 4 * i, 25 + i) for i in range(10)], 12),
    ],
)
def test_the_wanted_share_of_samples_of_plots_keeps_the_half_width(strata, error):
    from scipy import stats

    strata = pd.DataFrame(strata, columns=["area", "mean", "sd"]).assign(stratum=range(len(strata)))
    plan = plot_plan(strata, error=error, level=0.9, assurance=0.9)
    weight, counts = (plan["area"] / plan["area"].sum()).to_numpy(), plan["n_plot"].to_numpy()
    assert plan.attrs["median"] < plan.attrs["half_width"] <= error
    rng, kept = np.random.default_rng(5), 0
    for _ in range(2000):
        drawn = [rng.normal(m, s, n) for m, s, n in zip(plan["mean"], plan["sd"], counts, strict=True)]
        parts = weight**2 * np.array([x.var(ddof=1) / len(x) for x in drawn])
        half = stats.t.ppf(0.95, effective_freedom(parts, counts - 1)) * np.sqrt(parts.sum())
        kept += half <= error / 100 * (weight @ [x.mean() for x in drawn])
    # At least nine in ten, and not many plots more than that takes.
    assert 0.88 < kept / 2000 < 0.97


def test_degrees_of_freedom_of_a_sum_of_variances():
    assert effective_freedom([3.0], [7]) == pytest.approx(7)
    assert effective_freedom([0.0, 0.0], [1, 3]) == 4
    assert effective_freedom(np.ones(20), np.ones(20)) == 20
    assert effective_freedom([1e6, 1.0, 1.0], [2, 30, 30]) == pytest.approx(2, abs=1e-4)
    drawn = np.random.default_rng(1).chisquare(1, (4000, 20))
    assert 17 < np.mean(effective_freedom(drawn, np.ones(20))) <= 20


def test_faults_of_strata_are_all_named():
    strata = pd.DataFrame({"stratum": ["a", "a"], "area": [0, 5], "mean": [1, 2], "sd": ["x", 1]})
    with pytest.raises(DataError, match=r"(?s)record 1: area = 0.*record 1: sd = x.*stratum a stands twice"):
        plot_plan(strata)
    with pytest.raises(DataError, match="no column mean, sd"):
        plot_plan(strata[["stratum", "area"]])


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (SYSTEM, {"response": "leaf"}, "no response 'leaf'"),
        (SYSTEM, {"target": -1}, "target above 0"),
        (SYSTEM, {"design": "none"}, "no design 'none'"),
        ("stem = a * dbh**b * age**c", {}, "expected dbh"),
    ],
)
def test_pilots_that_cannot_be_planned_with(text, options, message):
    frame = trees().assign(age=np.linspace(5, 40, 200))
    with pytest.raises(DataError, match=message):
        tree_plan(sl.fit(frame, text), **options)


def test_command(pilot, tmp_path, capsys):
    source = {"origin": "measured", "title": "pilot trees"}
    folder = sl.Table.from_fits([pilot], "agb_forest_cunninghamia", "0.1.0", source=source).write(tmp_path)
    sheet = tmp_path / "sheet.html"
    options = ["--target", "9", "--samples", "12", "--cost", "300:20:400", "-o", str(sheet)]
    assert main(["plan", "trees", str(folder), *options]) == 0
    assert "Precision of the planned sample" in capsys.readouterr().out
    assert sheet.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert main(["plan", "trees", str(folder), "--cost", "x"]) == 2
    assert main(["plan", "trees", str(folder), "-o", str(tmp_path / "sheet.docx")]) == 2
    assert ".html, .csv" in capsys.readouterr().err
    strata = tmp_path / "strata.csv"
    strata.write_text("stratum,area,mean,sd\na,100,50,20\nb,50,90,30\n", encoding="utf-8")
    assert main(["plan", "plots", str(strata)]) == 0
    assert "half-width reached" in capsys.readouterr().out
