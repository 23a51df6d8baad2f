"""Errors from tree to region: Monte Carlo against closed forms, sharing, repeatability, coverage."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest
from field_books import book
from scipy import stats

from sinklab.assess.plan import effective_freedom
from sinklab.cli import main
from sinklab.data.files import write_csv
from sinklab.equations.system import System
from sinklab.evidence.distributions import Distribution
from sinklab.fitting import fit, fit_by
from sinklab.language import DataError
from sinklab.propagate.deductions import deduct
from sinklab.propagate.inventory import Inventory, difference, inventory_budget, paired_se, propagate
from sinklab.propagate.model import Factor, Model, Noise, arrange
from sinklab.propagate.monte_carlo import draw_totals, variances
from sinklab.propagate.stands import plots_of_one_size, read_inventory, simulated_inventory
from sinklab.results.prediction import freedom_of
from sinklab.tables.table import Table

SQUARE = System.parse("agb = a * dbh**2").bind(["dbh"], responses_required=False)
PART = """stem = a1 * dbh**b1 * height**c1
branch = a2 * dbh**b2
agb = stem + branch"""


def square(name="m", a=0.1, se=0.005, sigma=0.0, n_pool=0):
    """A model whose totals have closed forms: agb = a * dbh**2 with one uncertain number."""
    pool = np.random.default_rng(5).normal(a, se, (n_pool, 1)) if n_pool else None
    correction = {"agb": float(np.exp(sigma**2 / 2))} if sigma else {}
    return Model(
        name,
        SQUARE,
        ("agb",),
        np.array([a]),
        np.array([[se**2]]),
        pool,
        sigma=sigma,
        correction=correction,
    )


def trees(n=400, seed=1):
    rng = np.random.default_rng(seed)
    dbh = rng.uniform(8, 40, n)
    return pd.DataFrame(
        {
            "dbh": dbh,
            "plot_id": [f"p{i % 20:02d}" for i in range(n)],
            "species": np.where(np.arange(n) % 3 == 0, "oak", "pine"),
        }
    )


def sample_fit(method="nsur", n=120, seed=2, system=PART):
    rng = np.random.default_rng(seed)
    dbh = rng.uniform(5, 40, n)
    height = 1.3 + 20 * (1 - np.exp(-0.06 * dbh)) * rng.lognormal(0, 0.08, n)
    stem = 0.03 * dbh**1.9 * height**0.9 * rng.lognormal(0, 0.15, n)
    branch = 0.02 * dbh**2.1 * rng.lognormal(0, 0.25, n)
    data = pd.DataFrame({"dbh": dbh, "height": height, "stem": stem, "branch": branch, "agb": stem + branch})
    return fit(data, system, method=method, seed=3), data


# closed forms


def test_every_source_agrees_with_its_closed_form():
    data = trees()
    data["sd"] = 0.05 * data["dbh"]
    noises = [
        Noise("dbh", "sd", "dbh"),
        Noise("calliper", 0.3, "dbh", by="species"),
        Noise("plot", 0.2, by="plot_id"),
        Noise("area", 0.1),
    ]
    factor = Factor("carbon_fraction", {"oak": Distribution("normal", 0.48, 0.02), "pine": 0.5}, "species")
    units = arrange(data, square(sigma=0.3), noises=noises, factors=[factor])
    first = variances(units)
    d2, cf = data["dbh"] ** 2, np.where(data["species"] == "oak", 0.48, 0.5)
    mass = 0.1 * np.exp(0.045) * d2 * cf
    oak = data["species"] == "oak"
    expected = {
        "parameters": (mass.sum() / 0.1 * 0.005) ** 2,
        "carbon_fraction": (mass[oak].sum() / 0.48 * 0.02) ** 2,
        "dbh": ((2 * mass * 0.05) ** 2).sum(),
        "calliper": sum((0.3 * (2 * mass / data["dbh"])[s].sum()) ** 2 for s in (oak, ~oak)),
        "plot": (0.2**2) * (mass.groupby(data["plot_id"]).sum() ** 2).sum(),
        "area": 0.01 * (mass**2).sum(),
        "residual": np.expm1(0.09) * (mass**2).sum(),
    }
    assert set(expected) == set(units.sources)
    for source, value in expected.items():
        np.testing.assert_allclose(first[source][0], value, rtol=1e-6, err_msg=source)
        drawn = draw_totals(units, 4000, seed=7, only=[source])[0]
        # A variance of 4,000 draws has a standard error of 2.2 %; dbh is squared, so 1 % on top.
        np.testing.assert_allclose(drawn.var(ddof=1), value, rtol=0.1, err_msg=source)
        np.testing.assert_allclose(drawn.mean(), mass.sum(), rtol=0.003, atol=4 * np.sqrt(value / 4000))
    whole = draw_totals(units, 4000, seed=7)[0]
    np.testing.assert_allclose(whole.var(ddof=1), sum(expected.values()), rtol=0.1)


def test_residuals_of_a_system_honour_the_correlation_of_its_parts():
    found, data = sample_fit()
    data = data[["dbh", "height"]]
    units = arrange(data, Model.of(found, "agb"))
    means = found.predict(data, kind="mean")
    single = found.predict(data, kind="individual")
    # Individuals have n - p degrees of freedom; the mean of few trees those of its covariance.
    quantile = stats.t.ppf(0.975, freedom_of(found, ("stem", "branch"), "individual"))
    expected = ((single["agb_upper"] - single["agb"]) / quantile) ** 2 - means["agb_se"] ** 2
    np.testing.assert_allclose(units.totals()[0], means["agb"].sum(), rtol=1e-12)
    np.testing.assert_allclose(variances(units)["residual"][0], expected.sum(), rtol=1e-6)
    # The sum of the parts is the same response as the identity.
    parts = arrange(data, Model.of(found, ("stem", "branch"), "parts"))
    for name, value in variances(units).items():
        np.testing.assert_allclose(variances(parts)[name], value, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("response", ["stem", "agb"])
def test_log_linear_fits_keep_their_corrected_mean(response):
    found, data = sample_fit("ols-log")
    units = arrange(data, Model.of(found, response))
    expected = found.predict(data)[response].sum()
    np.testing.assert_allclose(units.totals()[0], expected, rtol=1e-12)
    drawn = draw_totals(units, 4000, seed=1, only=["residual"])[0]
    np.testing.assert_allclose(drawn.mean(), expected, atol=4 * drawn.std() / np.sqrt(4000))
    np.testing.assert_allclose(drawn.var(ddof=1), variances(units)["residual"][0], rtol=0.1)
    drawn = draw_totals(units, 1000, seed=1, only=["parameters"])[0]
    np.testing.assert_allclose(drawn.std(ddof=1), np.sqrt(variances(units)["parameters"][0]), rtol=0.12)


def test_parameters_that_vary_by_group_are_looked_up():
    _, data = sample_fit()
    data["site"] = np.where(np.arange(len(data)) % 2, "north", "south")
    found = fit(data, "stem = a[site] * dbh**b", seed=1)
    units = arrange(data, Model.of(found, "stem"))
    np.testing.assert_allclose(units.totals()[0], found.predict(data)["stem"].sum(), rtol=1e-12)
    se = draw_totals(units, 1000, 1, only=["parameters"])[0].std(ddof=1)
    np.testing.assert_allclose(se, np.sqrt(variances(units)["parameters"][0]), rtol=0.12)


def test_measurement_errors_stay_inside_their_limits():
    data = pd.DataFrame({"dbh": np.full(500, 10.0)})
    system = System.parse("agb = a * dbh").bind(["dbh"], responses_required=False)
    model = Model("line", system, ("agb",), np.array([1.0]), np.zeros((1, 1)))
    cut = arrange(data, model, noises=[Noise("dbh", 2.0, "dbh", low=10)], residual=False)
    # Half a normal: mean 10 + 2 sqrt(2/pi), variance 4 (1 - 2/pi) for each of 500 trees.
    drawn = draw_totals(cut, 1000, 1)[0]
    half = 2 * np.sqrt(2 / np.pi)
    assert drawn.mean() == pytest.approx(5000 + 500 * half, abs=5)
    assert drawn.var() == pytest.approx(500 * 4 * (1 - 2 / np.pi), rel=0.15)
    gross = arrange(
        data, model, noises=[Noise("dbh", 0.5, "dbh", gross_share=0.05, gross_sd=4.0)], residual=False
    )
    value = 500 * (0.95 * 0.25 + 0.05 * 16)
    assert variances(gross)["dbh"][0] == pytest.approx(value)
    assert draw_totals(gross, 2000, 1)[0].var() == pytest.approx(value, rel=0.12)


# what is shared


def test_the_relative_error_of_a_mean_does_not_shrink_to_zero_with_trees():
    model = square(se=0.005, sigma=0.4)
    errors = {}
    for n in (100, 1000, 20000):
        drawn = draw_totals(arrange(trees(n), model, noises=[Noise("dbh", 0.5, "dbh")]), 1000, 1)[0]
        errors[n] = drawn.std() / drawn.mean()
    assert errors[100] > errors[1000] > errors[20000]
    assert errors[20000] == pytest.approx(0.05, rel=0.1)  # the 5 % of the parameter stay
    alone = draw_totals(arrange(trees(20000), model), 500, 1, only=["residual"])[0]
    assert alone.std() / alone.mean() < 0.005


def test_models_of_one_name_share_their_parameters_and_others_do_not():
    data = trees(60)

    def by_species(models):
        return draw_totals(
            arrange(data, models, model="species", group="species", residual=False), 1000, seed=4
        )

    same = by_species({"oak": square("m"), "pine": square("m")})
    assert np.corrcoef(same)[0, 1] == pytest.approx(1)
    # Two tables may hold the same random numbers; their parameters are not the same for that.
    other = by_species({"oak": square("m1", n_pool=1000), "pine": square("m2", n_pool=1000)})
    assert abs(np.corrcoef(other)[0, 1]) < 0.1


def test_levels_share_a_draw_wherever_they_occur():
    factor = Factor(
        "cf", {"oak": Distribution("normal", 0.5, 0.05), "": Distribution("normal", 0.4, 0.1)}, "species"
    )
    first = factor.draws(["oak", "elm", "pine"], 500, 1)
    second = factor.draws(["pine", "oak"], 500, 1)
    assert (first[0] == second[1]).all() and (first[2] == second[0]).all()
    assert (first[1] == first[2]).all()  # both take the common value
    assert abs(np.corrcoef(first[0], first[1])[0, 1]) < 0.15


def test_correlated_power_laws_are_drawn_along_their_curve():
    """Normal draws of a and b of a * x**b scatter more than the curve; the delta method knows how much."""
    found, data = sample_fit()
    # Few and similar trees: the coefficient is uncertain by a third, the curve is not.
    thin = fit(data[data["dbh"].between(18, 32)], "stem = a * dbh**b", seed=4)
    relative = thin.parameters.set_index("name").loc["a", "se"] / thin.values[0]
    assert relative > 0.3
    units = arrange(data[data["dbh"].between(18, 32)], Model.of(thin, "stem"), residual=False)
    drawn = draw_totals(units, 4000, seed=2)[0]
    assert drawn.std(ddof=1) == pytest.approx(np.sqrt(variances(units)["parameters"][0]), rel=0.05)
    assert drawn.mean() == pytest.approx(units.totals()[0], abs=4 * drawn.std() / np.sqrt(4000))


def test_stored_draws_of_a_posterior_are_used_as_they_are():
    rows = np.array([[0.09], [0.10], [0.11], [0.13]])
    model = Model("posterior", SQUARE, ("agb",), np.array([0.1]), np.array([[1e-4]]), rows)
    drawn = model.draws(10, seed=1)
    assert sorted(drawn[:4, 0]) == sorted(drawn[4:8, 0]) == [0.09, 0.10, 0.11, 0.13]
    assert (model.draws(4, seed=1) == drawn[:4]).all()


# repeatability


def test_workers_and_draws_do_not_change_the_digits():
    data = trees(9000)
    noises = [Noise("dbh", 0.4, "dbh", low=1, gross_share=0.05, gross_sd=2), Noise("plot", 0.1, by="plot_id")]
    units = arrange(
        data,
        {"oak": square("m1", sigma=0.2), "pine": square("m2")},
        model="species",
        group="plot_id",
        noises=noises,
    )
    one = draw_totals(units, 300, seed=9)
    for workers in (2, 3):
        assert (draw_totals(units, 300, seed=9, workers=workers) == one).all()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert (draw_totals(units, 300, seed=9, workers=pool) == one).all()
    assert (draw_totals(units, 100, seed=9) == one[:, :100]).all()
    assert not np.allclose(draw_totals(units, 300, seed=10), one)


def test_memory_does_not_grow_with_trees_times_draws():
    import tracemalloc

    units = arrange(trees(20000), square(n_pool=1000), noises=[Noise("dbh", 0.4, "dbh")])
    tracemalloc.start()
    draw_totals(units, 1000, seed=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6  # all trees in all draws would be 160 MB


@pytest.mark.slow
def test_a_cluster_gives_the_same_digits():
    distributed = pytest.importorskip("distributed")
    units = arrange(trees(9000), square(sigma=0.2), group="plot_id", noises=[Noise("dbh", 0.4, "dbh")])
    with distributed.Client(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as client:
        found = draw_totals(units, 200, seed=1, workers=client.get_executor())
    assert (found == draw_totals(units, 200, seed=1)).all()


# refusals


def test_rows_that_cannot_be_used_are_named():
    data = trees(10)
    with pytest.raises(DataError, match="oak"):
        arrange(data, {"pine": square()}, model="species")
    with pytest.raises(DataError, match="records 3, 7"):
        arrange(data.assign(dbh=data["dbh"].where(~data.index.isin([2, 6]))), square())
    with pytest.raises(DataError, match="blank in 1 records: 4"):
        arrange(data.assign(species=data["species"].mask(data.index == 3)), square(), group="species")
    with pytest.raises(DataError, match="sd_height"):
        arrange(data, square(), noises=[Noise("h", "sd_height", "dbh")])
    with pytest.raises(DataError, match="pine"):
        arrange(data, square(), factors=[Factor("cf", {"oak": 0.5}, "species")])
    with pytest.raises(DataError, match="no source of error wind"):
        draw_totals(arrange(data, square()), 10, 1, only=["wind"])


# inventories


def inventory(**options):
    data = trees(390)  # p19 has no tree in what follows
    data = data[data["plot_id"] != "p19"]
    plots = pd.DataFrame({"plot_id": [f"p{i:02d}" for i in range(20)], "plot_area": 0.06})
    plots["stratum"] = np.where(np.arange(20) < 12, "hill", "valley")
    strata = pd.DataFrame({"stratum": ["hill", "valley"], "area": [300.0, 100.0], "area_se": [15.0, 5.0]})
    given = {"trees": data, "plots": plots, "models": square(), "strata": strata}
    return Inventory(**(given | options))


def test_strata_are_means_of_all_their_plots():
    whole = inventory()
    result = propagate(whole, 2000, seed=1)
    data, plots = whole.trees, whole.plots.set_index("plot_id")
    density = (0.1 * data["dbh"] ** 2).groupby(data["plot_id"]).sum() / 0.06 / 1000
    density = density.reindex(plots.index, fill_value=0.0)
    by_hand = density.groupby(plots["stratum"]).agg(["mean", "std", "count"])
    np.testing.assert_allclose(result.estimate[:2], by_hand["mean"], rtol=1e-12)
    np.testing.assert_allclose(result.sampling_se[:2], by_hand["std"] / np.sqrt(by_hand["count"]), rtol=1e-12)
    np.testing.assert_allclose(result.estimate[2], by_hand["mean"] @ [0.75, 0.25], rtol=1e-12)
    summary = result.summary()
    np.testing.assert_allclose(summary["se"], summary["se_approach1"], rtol=0.06)
    totals = result.totals()
    assert totals.loc["total", "estimate"] == pytest.approx(400 * result.estimate[2])
    # 5 % of each area on top of the error of the means.
    stock = np.array([300, 100]) * result.estimate[:2]
    expected = np.hypot(400 * summary["se"].iloc[2], 0)
    assert totals.loc["total", "se"] > expected
    assert totals.loc["hill", "se"] ** 2 == pytest.approx(
        (300 * summary["se"].iloc[0]) ** 2 + (0.05 * stock[0]) ** 2, rel=0.1
    )


@pytest.mark.parametrize("told_by", ["trees", "plots", "strata", None])
def test_what_provinces_bring_to_an_inventory_is_drawn_once_for_each(told_by):
    """Two strata of one province go up and down together, those of two do not; unnamed ones are taken for one."""
    rng = np.random.default_rng(8)
    province, site = np.repeat(np.arange(12), 32), np.repeat(np.arange(48), 8)
    dbh = rng.uniform(6, 40, 384)
    factor = rng.normal(0, 0.3, 12)[province] + rng.normal(0, 0.15, 48)[site]
    agb = 0.1 * dbh**2.3 * np.exp(factor) * rng.lognormal(0, 0.08, 384)
    data = pd.DataFrame({"dbh": dbh, "agb": agb, "province": province.astype(str), "site": site.astype(str)})
    model = fit(data, "agb = a[province/site] * dbh**b", method="mixed", seed=1)
    both, outer = (level.covariance.iloc[0, 0] for level in model.random.levels)
    assert outer > 0.03 > both - outer > 0
    given = inventory(models=Model.of(model, "agb"), sampling=False, residual=False)
    home = {"hill": "X", "valley": "Y"}
    of_plot = given.plots["stratum"].map(home)
    if told_by == "plots":
        given = replace(given, plots=given.plots.assign(province=of_plot))
    elif told_by == "strata":
        given = replace(given, strata=given.strata.assign(province=given.strata["stratum"].map(home)))
    elif told_by == "trees":
        at = dict(zip(given.plots["plot_id"], of_plot, strict=True))
        given = replace(given, trees=given.trees.assign(province=given.trees["plot_id"].map(at)))
    found = propagate(given, 20_000, seed=2)
    # By hand: the mass of a stratum by the parameters, by each of its plots as a site, and by its province.
    mean = model.predict(given.trees, of="average")["agb"].to_numpy() / 0.06 / 1000
    plot, stratum = given.trees["plot_id"], given.plots.set_index("plot_id")["stratum"]
    size = stratum.value_counts()
    mass = mean / size[plot.map(stratum)].to_numpy()
    inside = np.column_stack([(plot.map(stratum) == s).to_numpy(float) for s in ("hill", "valley")])
    slopes = np.column_stack([mass / model.values[0], mass * np.log(given.trees["dbh"])]).T @ inside
    by_plot = pd.DataFrame(mass[:, None] * inside).groupby(plot.to_numpy()).sum().to_numpy()
    whole = mass @ inside
    together = np.ones((2, 2)) if told_by is None else np.eye(2)
    wanted = slopes.T @ model.covariance.to_numpy() @ slopes
    wanted += (
        np.expm1(both - outer) * by_plot.T @ by_plot + np.expm1(outer) * np.outer(whole, whole) * together
    )
    drawn = np.cov(found.model_draws[:2])
    assert np.diag(drawn) == pytest.approx(np.diag(wanted), rel=0.1)
    assert drawn[0, 1] == pytest.approx(
        wanted[0, 1], abs=0.03 * np.sqrt(wanted[0, 0] * wanted[1, 1]) + 0.1 * wanted[0, 1]
    )


def test_intervals_of_few_plots_use_student_t():
    result = propagate(inventory(models=square(se=1e-9), residual=False), 20000, seed=3)
    lower, upper = result.interval(0.9)[1]
    half = stats.t.ppf(0.95, 7) * result.sampling_se[1]
    assert (upper - lower) / 2 == pytest.approx(half, rel=0.05)
    census = propagate(inventory(models=square(se=1e-9), residual=False, sampling=False), 100, seed=3)
    assert census.se[0] == pytest.approx(0, abs=1e-5)


def test_inventories_that_do_not_fit_together_are_refused_with_all_reasons():
    good = inventory()
    plots = pd.concat([good.plots.iloc[2:], good.plots.iloc[[2]].assign(plot_area=0.0)])
    plots.loc[plots["plot_id"] == "p05", "stratum"] = "marsh"
    with pytest.raises(DataError) as caught:
        inventory(plots=plots)
    for part in ("p02", "p00, p01", "marsh", "one plot only"):
        assert part in str(caught.value)
    with pytest.raises(DataError, match="areas"):
        inventory(strata=None)


@pytest.mark.slow
def test_intervals_cover_the_truth_when_everything_is_redone():
    """A region is known; sample trees are felled, plots measured with error, again and again."""
    rng = np.random.default_rng(11)
    hits, n_run = 0, 300
    # 400 plots of 30 trees: the region. Its truth is what the trees really weigh.
    size = rng.lognormal(0, 0.15, 400)[:, None] * rng.uniform(8, 35, (400, 30))
    for run in range(n_run):
        weigh = 0.12 * size**2.3 * (1 + 0.2 * rng.standard_normal(size.shape))
        truth = weigh.sum(axis=1).mean() / 0.06 / 1000
        d = rng.uniform(6, 45, 40)
        felled = pd.DataFrame({"dbh": d, "agb": 0.12 * d**2.3 * (1 + 0.2 * rng.standard_normal(40))})
        found = fit(felled, "agb = a * dbh**b", variance="power:mean=1", seed=run)
        chosen = rng.choice(400, 15, replace=False)
        measured = pd.DataFrame(
            {
                "dbh": (size[chosen] * (1 + 0.01 * rng.standard_normal((15, 30)))).ravel(),
                "plot_id": np.repeat(chosen, 30).astype(str),
            }
        )
        plots = pd.DataFrame({"plot_id": chosen.astype(str), "plot_area": 0.06})
        noise = Noise("dbh", 0.01, "dbh", relative=True)
        result = propagate(
            Inventory(
                measured,
                plots,
                Model.of(
                    found,
                    "agb",
                ),
                noises=(noise,),
            ),
            1000,
            seed=run,
        )
        lower, upper = result.interval(0.9)[-1]
        hits += lower <= truth <= upper
    # 90 % of 300 with three standard errors (5.2 %).
    assert 0.848 < hits / n_run < 0.952


# one rule for every interval


def one_tree_plots(mass, name="", model=None, ids=None):
    """Strata by plots: an inventory whose plots have given densities [t/ha], one tree each, equal areas."""
    where, number = np.indices(np.shape(mass)).reshape(2, -1)
    plots = pd.DataFrame(
        {"plot_id": [f"{h}-{p}" for h, p in zip(where, number, strict=True)], "plot_area": 0.001}
    )
    stems = plots[["plot_id"]].assign(
        dbh=np.sqrt(np.ravel(mass)), **({} if ids is None else {"tree_id": ids})
    )
    plots["stratum"] = [f"s{h}" for h in where]
    strata = pd.DataFrame({"stratum": plots["stratum"].unique(), "area": 50.0})
    return Inventory(stems, plots, model or square(a=1.0, se=1e-9), strata=strata, name=name, residual=False)


@pytest.mark.parametrize(("n_stratum", "n_plot"), [(1, 5), (20, 2), (10, 3)])
def test_means_totals_changes_and_deductions_have_the_t_of_all_strata_together(n_stratum, n_plot):
    rng = np.random.default_rng(n_stratum)
    # Strata that are alike: the pooled degrees of freedom of A/R tool 14, n - M.
    mass = 100 + 20 * stats.norm.ppf((np.arange(n_plot) + 0.5) / n_plot) + rng.normal(0, 5, (n_stratum, 1))
    found = propagate(one_tree_plots(mass), 2000, seed=3)
    freedom = n_stratum * (n_plot - 1)
    assert found.freedom[-1] == pytest.approx(freedom) and found.freedom[0] == n_plot - 1
    half = stats.t.ppf(0.95, freedom) * found.se[-1]
    lower, upper = found.interval(0.9)[-1]
    assert (upper - lower) / 2 == pytest.approx(half, rel=0.005)
    np.testing.assert_allclose(found.draws.mean(axis=1), found.estimate, rtol=1e-3)
    total = found.totals(0.9).loc["total"]
    assert (total["upper"] - total["lower"]) / 2 == pytest.approx(50 * n_stratum * half, rel=0.005)
    taken = deduct("ar_tool14", found.estimate[-1], draws=found.draws[-1])
    assert taken.half_width == pytest.approx(half, rel=0.005)
    later = one_tree_plots(mass + 30 + rng.normal(0, 5, mass.shape), "later")
    change = difference(one_tree_plots(mass, "before"), later, 2000, seed=3)
    half = stats.t.ppf(0.95, change.freedom[-1]) * change.se[-1]
    assert np.diff(change.interval(0.9)[-1]) / 2 == pytest.approx(half, rel=0.005)
    assert n_plot - 1 <= change.freedom[-1] <= freedom


#: Plots of each stratum, standard deviation of each, and the lowest coverage that is told of the design.
DESIGNS = {
    "one": ([6], [1.0], 94.0),
    "pairs": ([2] * 20, [1.0] * 20, 94.0),
    "few pairs": ([2] * 4, [1.0] * 4, 94.0),
    "triples": ([3] * 10, [1.0] * 10, 94.0),
    "spreads that differ": ([3] * 10, list(range(1, 11)), 93.0),
    "numbers that differ": ([2, 2, 2, 30], [1.0] * 4, 92.0),
}


@pytest.mark.parametrize("design", DESIGNS)
def test_the_rule_covers_whatever_the_strata_and_plots(design):
    counts, spreads, least = DESIGNS[design]
    rng, runs = np.random.default_rng(7), 20000
    error, parts = np.zeros(runs), np.empty((runs, len(counts)))
    for h, (n, s) in enumerate(zip(counts, spreads, strict=True)):
        drawn = rng.normal(0, s, (runs, n))
        error, parts[:, h] = error + drawn.mean(axis=1), drawn.var(axis=1, ddof=1) / n
    freedom = effective_freedom(parts, np.array(counts) - 1)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(parts.sum(axis=1))
    covered = 100 * (np.abs(error) <= half).mean()
    assert least < covered < 97.5
    assert (freedom <= sum(counts) - len(counts)).all() and (freedom >= min(counts) - 1).all()


@pytest.mark.parametrize(
    ("counts", "shares", "spreads", "least", "most"),
    [
        ([2, 20, 20, 20, 20, 20], [0.5] + [0.1] * 5, [3, 1, 1, 1, 1, 1], 94.5, 97),
        ([2, 10, 10, 10], [0.7, 0.1, 0.1, 0.1], [1] * 4, 94.5, 99),
        ([2, 10, 10, 10, 10], [0.2] * 5, [2, 1, 1, 1, 1], 92.5, 96),
        # What is told of the rule: plots of a small area alone know of a spread ten times that of the others.
        ([2] * 10, [0.1] * 10, [10] + [1] * 9, 84.5, 87),
    ],
)
def test_two_plots_that_carry_most_of_the_area(counts, shares, spreads, least, most):
    rng, runs, n, w = np.random.default_rng(7), 20000, np.array(counts), np.array(shares)
    variance = np.square(spreads) * rng.chisquare(n - 1, (runs, len(n))) / (n - 1)
    error = rng.standard_normal((runs, len(n))) * spreads / np.sqrt(n) @ w
    parts = w**2 * variance / n
    half = stats.t.ppf(0.975, effective_freedom(parts, n - 1, w**2 / n)) * np.sqrt(parts.sum(axis=1))
    assert least < 100 * (np.abs(error) <= half).mean() < most


@pytest.mark.slow
@pytest.mark.parametrize(("n_stratum", "n_plot"), [(20, 2), (10, 3), (4, 6)])
def test_intervals_of_regions_and_changes_cover_over_strata_and_plots(n_stratum, n_plot):
    rng, runs, hits = np.random.default_rng(9), 400, np.zeros(2)
    for run in range(runs):
        before = rng.normal(100, 20, (n_stratum, n_plot))
        after = before + rng.normal(10, 8, before.shape)
        pair = one_tree_plots(before, "a"), one_tree_plots(after, "b")
        rows = propagate(pair[0], 1000, seed=run), difference(*pair, 1000, seed=run)
        for i, (row, truth) in enumerate(zip(rows, (100, 10), strict=True)):
            lower, upper = row.interval(0.95)[-1]
            hits[i] += lower <= truth <= upper
    # 95 % of 400 with three standard errors (3.3 %).
    assert (0.917 < hits / runs).all() and (hits / runs < 0.983).all()


# budget


def noisy(**options):
    data = trees(390)
    data = data[data["plot_id"] != "p19"]
    noises = (Noise("dbh", 0.5, "dbh"), Noise("plot", 0.1, by="plot_id"))
    return inventory(trees=data, noises=noises, models=square(se=0.004, sigma=0.3), **options)


def test_the_budget_adds_up_and_names_the_largest_source():
    found = inventory_budget(noisy(), n_draw=2000, seed=3)
    table = found.table
    sources = ["parameters", "dbh", "plot", "residual", "sampling", "area"]
    assert list(table.index) == [*sources, "sum of the sources", "interaction", "whole"]
    assert found.adds_up and abs(found.interaction) < 0.1 and "add up" in found.text
    assert table.loc[sources, "share"].idxmax() == "sampling"
    np.testing.assert_allclose(table.loc[sources, "se"], table.loc[sources, "se_approach1"], rtol=0.12)
    assert table.loc["whole", "variance"] == pytest.approx(
        table.loc["sum of the sources", "variance"], rel=0.1
    )
    assert abs(found.shift) < 0.01


def test_a_budget_that_does_not_add_up_says_so():
    """Two large errors that multiply: the variance of a product is more than its parts."""
    data = trees(40).assign(all="x")
    noises = (Noise("first", 0.8, by="all"), Noise("second", 0.8, by="all"))
    plots = pd.DataFrame({"plot_id": sorted(data["plot_id"].unique()), "plot_area": 0.1})
    whole = Inventory(data, plots, square(se=1e-6), noises=noises, sampling=False, residual=False)
    found = inventory_budget(whole, n_draw=4000, seed=1)
    # (1 + e)(1 + f): variance 2 * 0.64 + 0.64^2, of which 0.4096 / 1.6896 is interaction.
    assert found.interaction == pytest.approx(0.4096 / 1.6896, abs=0.06)
    assert not found.adds_up and "interaction" in found.text


# change


def twice(permanent=20, **options):
    first = inventory(name="2015", **options)
    grown = first.trees.assign(dbh=first.trees["dbh"] * 1.1)
    names = {p: p if i < permanent else f"new{i}" for i, p in enumerate(first.plots["plot_id"])}
    grown["plot_id"] = grown["plot_id"].map(names)
    plots = first.plots.assign(plot_id=first.plots["plot_id"].map(names))
    return first, inventory(trees=grown, plots=plots, name="2020", **options)


def test_permanent_plots_and_shared_parameters_cancel():
    first, second = twice()
    found = difference(first, second, 2000, seed=1)
    # Everything grows by 21 %: the difference is 0.21 of the first inventory, its errors too.
    before = propagate(first, 2000, seed=1)
    np.testing.assert_allclose(found.estimate, 0.21 * before.estimate, rtol=1e-9)
    np.testing.assert_allclose(found.sampling_se, 0.21 * before.sampling_se, rtol=1e-9)
    assert list(found.n_common) == [12, 8, 20]
    assert (found.se < 0.4 * found.se_independent).all()
    no_residual = difference(
        *twice(residual=False, strata=inventory().strata.drop(columns="area_se")), 2000, seed=1
    )
    np.testing.assert_allclose(no_residual.model_draws.std(axis=1, ddof=1), 0.05 * found.estimate, rtol=0.06)


def test_trees_that_are_measured_again_keep_their_residual():
    def pair(**columns):
        made = twice(models=square(se=1e-9, sigma=0.3), sampling=False)
        strata = inventory().strata.drop(columns="area_se")
        return [replace(i, trees=i.trees.assign(**columns), strata=strata) for i in made]

    first, second = pair(tree_id=np.arange(len(trees(390)) - 19))
    found = difference(first, second, 2000, seed=1)
    assert found.n_tree_common == len(first.trees)
    # Every tree grows by 21 %, and so does what the equation leaves unexplained of it.
    before = propagate(first, 2000, seed=1)
    np.testing.assert_allclose(found.se, 0.21 * before.se, rtol=0.06)
    apart = difference(*pair(), 2000, seed=1)
    assert apart.n_tree_common == 0
    np.testing.assert_allclose(apart.se, np.hypot(1, 1.21) * before.se, rtol=0.06)
    # Trees that died and trees that grew in are each their own.
    some = replace(second, trees=second.trees.assign(tree_id=second.trees["tree_id"] + 100))
    partly = difference(first, some, 2000, seed=1)
    assert partly.n_tree_common == 0 and partly.se[-1] == pytest.approx(apart.se[-1], rel=0.06)
    np.testing.assert_allclose(partly.estimate, found.estimate, rtol=1e-12)
    blank = [
        replace(i, trees=i.trees.assign(tree_id=i.trees["tree_id"].where(i.trees["dbh"] > 20)))
        for i in (first, second)
    ]
    assert difference(*blank, 64, seed=1).n_tree_common == (first.trees["dbh"] > 20).sum()
    with pytest.raises(DataError, match=r"trees listed twice.*\np00 / 7"):
        difference(replace(first, trees=first.trees.assign(tree_id=7)), second)


def test_new_plots_do_not_cancel_and_some_of_each_lies_between():
    se = {n: difference(*twice(n), 64, seed=1).sampling_se[-1] for n in (0, 16, 20)}
    assert se[20] < se[16] < se[0]
    first, second = twice(0)
    expected = np.hypot(first.sampling_se, second.sampling_se)
    np.testing.assert_allclose(difference(first, second, 64, seed=1).sampling_se[:2], expected)


@pytest.mark.slow
def test_partial_replacement_has_the_variance_of_repeated_sampling():
    rng = np.random.default_rng(4)
    model = square(a=1.0, se=1e-9)

    def one_tree_plots(mass, first_plot, name):
        ids = [str(first_plot + i) for i in range(len(mass))]
        stems = pd.DataFrame({"plot_id": ids, "dbh": np.sqrt(mass)})
        return Inventory(
            stems, pd.DataFrame({"plot_id": ids, "plot_area": 0.001}), model, name=name, residual=False
        )

    differences, variances_told = [], []
    for _ in range(600):
        size = rng.normal(100, 20, 25)
        later = size + rng.normal(10, 5, 25)
        pair = one_tree_plots(size[:20], 0, "a"), one_tree_plots(later[5:], 5, "b")  # 15 plots in both
        differences.append(pair[1].plot_values.mean() - pair[0].plot_values.mean())
        se, freedom, common = paired_se(*pair)
        variances_told.append(se[0] ** 2)
    assert (common[0], freedom[0]) == (15, 19)
    # 600 repetitions: the variance of the differences is known to 5.8 %.
    assert np.mean(variances_told) == pytest.approx(np.var(differences, ddof=1), rel=0.15)
    assert np.mean(variances_told) == pytest.approx(400 / 20 + 425 / 20 - 2 * 15 * 400 / 400, rel=0.05)


def test_inventories_that_cannot_be_compared_are_refused():
    first, second = twice()
    with pytest.raises(DataError, match="both inventories are called"):
        difference(first, first)
    with pytest.raises(DataError, match="areas"):
        difference(first, inventory(name="2020", strata=first.strata.assign(area=[1.0, 2.0])))
    moved = first.plots.assign(
        stratum=first.plots["stratum"].where(first.plots["plot_id"] != "p00", "valley")
    )
    with pytest.raises(DataError, match="another stratum: p00"):
        difference(first, inventory(name="2020", plots=moved))


@pytest.mark.slow
def test_intervals_of_a_change_cover_the_truth():
    rng = np.random.default_rng(5)
    size = rng.lognormal(0, 0.2, 300)[:, None] * rng.uniform(8, 35, (300, 20))
    later = size * (1 + rng.normal(0.15, 0.04, 300)[:, None])
    hits, n_run = 0, 300
    residual = 0.2 * rng.standard_normal(size.shape)
    truth = ((later**2.3 - size**2.3) * 0.12 * (1 + residual)).sum(axis=1).mean() / 0.06 / 1000
    for run in range(n_run):
        d = rng.uniform(6, 45, 40)
        felled = pd.DataFrame({"dbh": d, "agb": 0.12 * d**2.3 * (1 + 0.2 * rng.standard_normal(40))})
        model = Model.of(fit(felled, "agb = a * dbh**b", variance="power:mean=1", seed=run), "agb", f"m{run}")
        order = rng.permutation(300)
        sets = {"2015": (size, order[:20]), "2020": (later, order[6:26])}  # 14 permanent plots
        both = [
            Inventory(
                pd.DataFrame(
                    {
                        "dbh": s[rows].ravel(),
                        "plot_id": np.repeat(rows, 20).astype(str),
                        "tree_id": np.tile(np.arange(20), len(rows)),
                    }
                ),
                pd.DataFrame({"plot_id": rows.astype(str), "plot_area": 0.06}),
                model,
                name=name,
            )
            for name, (s, rows) in sets.items()
        ]
        row = difference(*both, n_draw=1000, seed=run).summary(0.9).loc["total"]
        hits += row["lower"] <= truth <= row["upper"]
    # 90 % of 300 with three standard errors (5.2 %).
    assert 0.848 < hits / n_run < 0.952


@pytest.fixture
def two_folders(tmp_path):
    """Two inventories of 8 plots in two strata, five years apart, and a table to weigh their trees."""
    rng = np.random.default_rng(8)
    plot = np.repeat(np.arange(8), 20)
    stems = pd.DataFrame({"plot_id": plot, "tree_id": np.tile(np.arange(20), 8)})
    size = rng.uniform(10, 30, 160) * rng.lognormal(0, 0.1, 8)[plot]
    plots = pd.DataFrame(
        {"plot_id": np.arange(8), "plot_area": 0.06, "stratum": np.where(np.arange(8) < 5, "hill", "valley")}
    )
    strata = pd.DataFrame({"stratum": ["hill", "valley"], "area": [300.0, 100.0]})
    for name, dbh in (("2015", size), ("2020", size * 1.2)):
        folder = tmp_path / name
        for file, frame in (("trees", stems.assign(dbh=dbh)), ("plots", plots), ("strata", strata)):
            write_csv(frame, folder / f"{file}.csv")
    data = pd.DataFrame({"dbh": rng.uniform(6, 40, 80)})
    data["agb"] = 0.12 * data["dbh"] ** 2.3 * rng.lognormal(0, 0.2, 80)
    source = {"spec": "file:felled.csv", "origin": "measured", "title": "felled", "licence": "CC0-1.0"}
    made = Table.from_fits(
        fit(data, "agb = a * dbh**b", seed=1), "agb_forest_pinus_massoniana", "1.0.0", source=source
    )
    made.write(tmp_path / "params")
    return tmp_path, made


def test_the_command_compares_two_inventories_and_deducts(two_folders, capsys):
    folder, made = two_folders
    before, after = str(folder / "2015"), str(folder / "2020")
    command = [
        "change",
        before,
        after,
        "--table",
        "agb_forest_pinus_massoniana",
        "--root",
        str(folder / "params"),
    ]
    assert (
        main([*command, "--rule", "ar_tool14", "--years", "5", "--level", "0.9", "-o", str(folder / "c.csv")])
        == 0
    )
    printed = capsys.readouterr()
    model = Model.of(
        made.models[0], "agb", "agb_forest_pinus_massoniana@1.0.0/" + made.frames["models"]["model_id"][0]
    )
    pair = [
        Inventory(**read_inventory(f), models=model, name=f, factors=(Factor("carbon_fraction", {"": 0.47}),))
        for f in (before, after)
    ]
    found = difference(*pair, 1000, seed=1)
    rows = pd.read_csv(folder / "c.csv", index_col="stratum")
    np.testing.assert_allclose(rows["estimate"], found.estimate, rtol=1e-9)
    np.testing.assert_allclose(rows[["lower", "upper"]], found.interval(0.9), rtol=1e-9)
    taken = deduct("ar_tool14", 400 * found.estimate[-1], draws=found.stock_draws()[-1])
    lines = printed.out.splitlines()
    assert lines[-1].split()[-2:] == [f"{taken.result:.5g}", f"{taken.result * 44 / 12:.5g}"]
    assert f"U = {taken.uncertainty:.1f} %" in printed.out and "counted: agb" in printed.err
    assert "tree_id" not in printed.err
    # The other way round everything is lost, and no removal is left to deduct from.
    assert main([command[0], after, before, *command[3:], "--rule", "ar_tool14"]) == 0
    assert "a loss" in capsys.readouterr().out
    assert main([*command, "--response", "root"]) == 2
    assert "no response root" in capsys.readouterr().err


def test_the_command_takes_the_model_of_each_species_by_any_of_its_names(two_folders, capsys):
    folder, _ = two_folders
    rng = np.random.default_rng(3)
    data = pd.DataFrame(
        {
            "dbh": rng.uniform(6, 40, 120),
            "species": np.repeat(["cunninghamia_lanceolata", "pinus_massoniana"], 60),
        }
    )
    data["agb"] = np.repeat([0.1, 0.2], 60) * data["dbh"] ** 2.3 * rng.lognormal(0, 0.1, 120)
    source = {"spec": "file:felled.csv", "origin": "measured", "title": "felled", "licence": "CC0-1.0"}
    fits = fit_by(data, "agb = a * dbh**b", "species", seed=1)
    Table.from_fits(fits, "agb_forest_two", "1.0.0", source=source).write(folder / "params")
    command = ["change", str(folder / "2015"), str(folder / "2020"), "--table", "agb_forest_two"]
    command += ["--root", str(folder / "params"), "--draws", "64", "-o", str(folder / "c.csv")]
    assert main(command) == 2
    assert "trees.csv: no column species" in capsys.readouterr().err
    found = {}
    for names in (["cunninghamia_lanceolata"], ["杉木"], ["Pinus massoniana"], ["杉木", "马尾松"]):
        for year in ("2015", "2020"):
            stems = read_inventory(folder / year)["trees"]
            stems["species"] = np.resize(names, len(stems))
            write_csv(stems, folder / year / "trees.csv")
        assert main(command) == 0
        found[tuple(names)] = pd.read_csv(folder / "c.csv")["estimate"].iloc[-1]
    fir, same, pine, both = found.values()
    assert fir == same and pine == pytest.approx(2 * fir, rel=0.1) and fir < both < pine


def two_books(folder, layout, weigh):
    """Two inventories as a county office keeps them, in mu, with sums; and their change of carbon by hand [t/ha]."""
    sizes = {
        "2015": {"01": [10.0, 14.0, 20.0], "02": [8.0, 25.0], "03": [12.0, 16.0], "04": [9.0]},
        "2020": {"01": [12.0, 15.5, 22.0], "02": [9.5, 27.0], "03": [13.0, 18.0, 6.0], "04": [11.0]},
    }
    area, layer, land = (
        {"01": 1.0, "02": 0.9, "03": 1.2, "04": 1.0},
        {"01": "山地", "02": "山地", "03": "河谷", "04": "河谷"},
        {"山地": 600, "河谷": 150},
    )
    for year, plots in sizes.items():
        trees = [
            ["柳州市马尾松固定样地每木检尺表"],
            [f"调查年度：{year}"],
            ["样地号", "样木号", "胸径(cm)", "样地面积（亩）", "层", "备注"],
        ]
        for plot, dbh in plots.items():
            rows = [[plot, i + 1, d, area[plot], layer[plot], None] for i, d in enumerate(dbh)]
            trees += [*rows, ["小计", None, sum(dbh), None, None, None]]
        trees += [["合计", None, sum(map(sum, plots.values())), None, None, None], ["调查人：张三"]]
        sheets = {
            "每木检尺": [row[:3] + row[5:] if len(row) > 3 else row for row in trees],
            "样地": [["样地一览"], ["样地号", "面积/亩", "层"], *([p, a, layer[p]] for p, a in area.items()), ["合计", 4.1]],
            "分层": [["层", "面积(亩)", "面积标准误(亩)"], *([k, v, 0] for k, v in land.items()), ["合计", 750]],
        }  # fmt: skip
        if layout == "one list":
            sheets = {"Sheet1": [row[:4] + row[5:] if len(row) > 3 else row for row in trees]}
        if layout == "folder":
            (folder / year).mkdir()
            for name, file in (("每木检尺", "样木.xlsx"), ("样地", "样地.xlsx"), ("分层", "层.xlsx")):
                book(folder / year / file, {"S": sheets[name]})
        else:
            book(folder / f"{year}.xlsx", sheets)
    density = {
        year: {p: sum(0.47 * weigh(d) for d in dbh) / 1000 / (area[p] / 15) for p, dbh in plots.items()}
        for year, plots in sizes.items()
    }
    gain = {p: density["2020"][p] - density["2015"][p] for p in area}
    valley, hill = (gain["03"] + gain["04"]) / 2, (gain["01"] + gain["02"]) / 2
    if layout == "one list":
        return [sum(gain.values()) / 4] * 2, 0
    return [hill, valley, 0.8 * hill + 0.2 * valley], 50


@pytest.mark.parametrize("layout", ["workbook", "folder", "one list"])
def test_inventories_of_a_county_office_give_the_change_by_hand(tmp_path, capsys, layout):
    rng = np.random.default_rng(8)
    data = pd.DataFrame({"dbh": rng.uniform(6, 40, 80)})
    data["agb"] = 0.12 * data["dbh"] ** 2.3 * rng.lognormal(0, 0.1, 80)
    source = {"spec": "file:felled.csv", "origin": "measured", "title": "felled", "licence": "CC0-1.0"}
    made = fit(data, "agb = a * dbh**b", seed=1)
    Table.from_fits(made, "agb_forest_pinus_massoniana", "1.0.0", source=source).write(tmp_path / "params")
    a, b = made.values
    expected, hectares = two_books(tmp_path, layout, lambda d: a * d**b)
    ending = "" if layout == "folder" else ".xlsx"
    command = ["change", str(tmp_path / f"2015{ending}"), str(tmp_path / f"2020{ending}"), "--root", str(tmp_path / "params")]  # fmt: skip
    command += ["--table", "agb_forest_pinus_massoniana", "--draws", "64", "-o", str(tmp_path / "c.csv")]
    assert main(command) == 0
    told = capsys.readouterr().out
    found = pd.read_csv(tmp_path / "c.csv", index_col="stratum")
    np.testing.assert_allclose(found["estimate"], expected, rtol=1e-6)
    assert told.splitlines()[-1].split()[1] == f"{expected[-1] * (hectares or 1):.5g}"
    assert (
        "C 胸径(cm) → dbh" in told
        and "plot_area [mu → ha]" in told
        and "sums of the form agree with its records" in told
    )
    assert "table not read" not in told and told.count("not recognised") == told.count("备注 (remark)")


def test_a_plot_with_two_areas_is_refused(tmp_path):
    rows = [["样地号", "胸径", "样地面积(亩)"], ["1", 10, 1], ["1", 12, 2], ["2", 9, 1]]
    with pytest.raises(DataError, match="two values of plot_area for 1"):
        read_inventory(book(tmp_path / "x.xlsx", {"S": rows}))


# inputs


def test_an_inventory_is_read_from_files(tmp_path):
    made = simulated_inventory(trees()[["dbh"]], seed=3)
    for name, frame in made.items():
        frame = frame.assign(plot_id=range(len(frame))) if name == "plots" else frame
        write_csv(frame, tmp_path / f"{name}.csv")
    plots = made["plots"]["plot_id"]
    numbered = made["trees"].assign(plot_id=made["trees"]["plot_id"].map({p: i for i, p in enumerate(plots)}))
    write_csv(numbered, tmp_path / "trees.csv")
    read = Inventory(**read_inventory(tmp_path), models=square())
    direct = Inventory(**made, models=square())
    np.testing.assert_allclose(read.plot_values.to_numpy(), direct.plot_values.to_numpy())
    np.testing.assert_allclose(propagate(read, 64, 1).estimate, propagate(direct, 64, 1).estimate)
    (tmp_path / "plots.csv").unlink()
    with pytest.raises(DataError, match="no plots.csv"):
        read_inventory(tmp_path)


def test_trees_on_plots_of_one_size_are_an_inventory():
    stems = pd.DataFrame({"plot_id": ["b", "a", "b"], "dbh": [10.0, 20.0, 30.0]})
    found = Inventory(**plots_of_one_size(stems, 0.5), models=square()).plot_values
    # agb = 0.1 dbh^2 kg on half a hectare.
    np.testing.assert_allclose(found.to_numpy().ravel(), np.array([40.0, 100.0]) / 1000 / 0.5)
    for trees_, area in ((stems[["dbh"]], 0.5), (stems.assign(plot_id=["a", None, "b"]), 0.5), (stems, 0.0)):
        with pytest.raises(DataError, match="plot_id"):
            plots_of_one_size(trees_, area)


@pytest.mark.slow
def test_the_notebook_runs_and_its_numbers_are_those_of_the_library(tmp_path, repository, monkeypatch):
    papermill = pytest.importorskip("papermill")
    monkeypatch.setenv("PYTHONPATH", str(repository))
    papermill.execute_notebook(
        repository / "notebooks" / "propagate_inventory.ipynb",
        tmp_path / "executed.ipynb",
        parameters={"n_draw": 64, "out_dir": str(tmp_path / "out")},
        cwd=str(repository),
        progress_bar=False,
    )
    summary = pd.read_csv(tmp_path / "out" / "summary.csv", index_col="stratum")
    assert summary.loc["total", "lower"] < summary.loc["total", "estimate"] < summary.loc["total", "upper"]
    assert summary.loc["total", "se"] == pytest.approx(summary.loc["total", "se_approach1"], rel=0.3)


# open data


@pytest.mark.open_data
def test_mapped_trees_of_nouragues_weigh_what_biomass_says(open_data):
    """R BIOMASS gives 1610.9 Mg, sd 44.3, for these 2,050 trees with its own height curve and wood densities."""
    sample = pd.read_csv(open_data / "nouragues" / "trees.csv")
    heights = pd.read_csv(open_data / "nouragues" / "height_diameter.csv").rename(
        columns={"D": "dbh", "H": "height"}
    )
    curve = fit(heights[["dbh", "height"]], "height = h0 + h1*log(dbh) + h2*log(dbh)**2", seed=1)
    density = pd.read_csv(open_data / "wood_density" / "wood_density.csv")
    density = density[density["region"].str.startswith("South_America")]
    by_species = density.groupby(["genus", "species"])["wd"].mean()
    by_genus = density.groupby("genus")["wd"].mean()
    names = pd.MultiIndex.from_frame(sample[["Genus", "Species"]])
    wd = pd.Series(by_species.reindex(names).to_numpy(), sample.index)
    wd = wd.fillna(sample["Genus"].map(by_genus)).fillna(wd.mean())
    stems = pd.DataFrame(
        {"dbh": sample["D"], "wood_density": wd, "genus": sample["Genus"], "plot_id": sample["Plot"]}
    )
    predicted = curve.predict(stems)
    stems["height"], stems["curve_se"] = predicted["height"], predicted["height_se"]
    # The line and its covariance that stand in for the posterior of BIOMASS in the benchmark of both.
    system = System.parse("agb = exp(a + b*log(wood_density*dbh**2*height))").bind(
        stems.columns, responses_required=False
    )
    covariance = np.array([[3.5e-3, -3.6e-4], [-3.6e-4, 4.0e-5]])
    correction = {"agb": float(np.exp(0.357**2 / 2))}
    model = Model(
        "chave", system, ("agb",), np.array([-2.762, 0.976]), covariance, sigma=0.357, correction=correction
    )
    noises = (
        Noise("dbh", 0.0062, "dbh", relative=True, low=1),
        Noise("height of a tree", curve.residual["height"].sigma, "height", low=1.3),
        Noise("height curve", "curve_se", "height", by="plot_id", low=1.3),
        Noise("wood density", 0.07, "wood_density", by="genus", low=0.08, high=1.39),
    )
    plots = pd.DataFrame({"plot_id": stems["plot_id"].unique(), "plot_area": 1.0})
    census = Inventory(stems, plots, model, noises=noises, sampling=False)
    result = propagate(census, 1000, seed=1, workers=2)
    total, se = len(plots) * result.estimate[-1], len(plots) * result.se[-1]
    assert total == pytest.approx(1610.9, rel=0.05)
    # Wood density shared by genus and a shared height curve make it wider than errors of each tree.
    assert 40 < se < 120
    np.testing.assert_allclose(se, len(plots) * result.approach1.loc["total", "total"], rtol=0.1)


def test_an_inventory_propagates_itself():
    whole = inventory()
    assert whole.propagate(200, 3).summary().equals(propagate(whole, 200, 3).summary())
    assert whole.budget(200, 3).table.equals(inventory_budget(whole, 200, 3).table)
