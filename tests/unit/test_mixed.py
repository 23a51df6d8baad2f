"""Mixed models: agreement with linear theory, recovery, prediction for known and unknown groups."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import sinklab as sl
from sinklab.cli import main
from sinklab.equations.system import System
from sinklab.language import ConvergenceError, DataError, EquationError
from sinklab.propagate.model import notes_of
from sinklab.results.calibration import calibrated
from sinklab.results.summary import fit_report

ONE = "agb = a[site] * dbh**b"
SIMULATED = {"name": "x", "origin": "simulated"}
BOTH = "agb = a[site] * dbh**b[site]"


def trees(groups=20, size=16, seed=7, spread=(0.15, 0.05)):
    rng = np.random.default_rng(seed)
    parts = []
    for g in range(groups):
        dbh = rng.uniform(6, 45, size)
        a, b = 0.05 * (1 + spread[0] * rng.normal()), 2.4 + spread[1] * rng.normal()
        agb = a * dbh**b * (1 + 0.15 * rng.normal(size=size))
        parts.append(pd.DataFrame({"site": f"s{g:02d}", "dbh": dbh, "agb": agb}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def fitted():
    return sl.fit(trees(), ONE, method="mixed")


def test_certificate_and_shape(fitted):
    assert fitted.converged
    assert fitted.certificate.agree
    assert list(fitted.parameters["name"]) == ["a", "b"]
    assert fitted.random.names == ["a"]
    assert fitted.random.column == "site"
    assert fitted.random.effects.shape == (20, 1)
    assert "[site]" not in fitted.system.text
    # Deviations of the groups seen stay below the spread that they show.
    assert fitted.random.effects["a"].std(ddof=0) < np.sqrt(fitted.random.covariance.loc["a", "a"])


def test_a_linear_model_with_constant_spread_is_that_of_statsmodels():
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(3)
    data = pd.DataFrame({"site": np.repeat([f"g{i}" for i in range(15)], 12), "dbh": rng.uniform(5, 40, 180)})
    effect = rng.normal(0, 4, 15)[np.repeat(np.arange(15), 12)]
    data["agb"] = 60 + effect + 8 * data["dbh"] + rng.normal(0, 6, 180)
    fit = sl.fit(data, "agb = p[site] + q * dbh", method="mixed", variance="none")
    peer = smf.mixedlm("agb ~ dbh", data, groups="site").fit(reml=False)
    assert fit.loglik == pytest.approx(peer.llf, abs=1e-5)
    assert fit.values == pytest.approx(peer.fe_params.to_numpy(), rel=1e-5)
    assert fit.random.covariance.iloc[0, 0] == pytest.approx(peer.cov_re.iloc[0, 0], rel=1e-3)
    assert fit.residual["agb"].sigma ** 2 == pytest.approx(peer.scale, rel=1e-4)
    grow = np.sqrt(180 / 178)
    assert fit.parameters["se"].to_numpy() == pytest.approx(peer.bse_fe.to_numpy() * grow, rel=1e-3)
    told = pd.Series({k: v.iloc[0] for k, v in peer.random_effects.items()})
    assert fit.random.effects["p"].to_numpy() == pytest.approx(
        told[fit.random.effects.index].to_numpy(), abs=1e-3
    )


@pytest.mark.parametrize("text", [ONE, BOTH])
def test_lognormal_is_the_linear_mixed_model_of_logarithms(text):
    import statsmodels.formula.api as smf

    data = trees()
    fit = sl.fit(data, text, method="mixed", variance="lognormal")
    logs = data.assign(y=np.log(data["agb"]), x=np.log(data["dbh"]))
    random = "~ x" if text == BOTH else "~ 1"
    peer = smf.mixedlm("y ~ x", logs, groups="site", re_formula=random).fit(
        reml=False, method="bfgs", maxiter=500
    )
    assert fit.loglik == pytest.approx(peer.llf - logs["y"].sum(), abs=1e-3)
    assert np.log(fit.values[0]) == pytest.approx(peer.fe_params["Intercept"], abs=2e-3)
    assert fit.values[1] == pytest.approx(peer.fe_params["x"], abs=1e-3)
    assert fit.random.multiplies == ("a",)
    assert fit.correction["agb"] > np.exp(fit.residual["agb"].sigma ** 2 / 2)


@pytest.mark.parametrize("variance", ["power:mean", "power:dbh", "lognormal"])
def test_calibration_with_the_trees_of_a_group_is_its_effect(variance):
    data = trees()
    fit = sl.fit(data, BOTH, method="mixed", variance=variance)
    for site in ("s00", "s07"):
        group = calibrated(fit, data[data["site"] == site], site)
        effect = fit.random.effects.loc[site]
        a = (
            fit.values[0] * np.exp(effect["a"])
            if "a" in fit.random.multiplies
            else fit.values[0] + effect["a"]
        )
        assert group.values == pytest.approx([a, fit.values[1] + effect["b"]], rel=1e-4)
        assert group.random is None
        assert group.label == site


def test_more_trees_tell_more_of_a_group(fitted):
    new = trees(1, 30, seed=99)
    widths = []
    for count in (1, 5, 30):
        group = calibrated(fitted, new.head(count))
        low_high = group.predict(pd.DataFrame({"dbh": [25.0]}), kind="individual")
        widths.append((low_high["agb_upper"] - low_high["agb_lower"])[0])
    unknown = fitted.predict(pd.DataFrame({"dbh": [25.0]}), kind="individual")
    assert (unknown["agb_upper"] - unknown["agb_lower"])[0] > widths[0] > widths[1] > widths[2]


@pytest.mark.slow
def test_individuals_of_an_unknown_group_are_covered():
    """Intervals of individuals must hold trees of sites that were not in the sample."""
    inside = []
    for seed in range(25):
        fit = sl.fit(trees(16, 10, seed=seed), ONE, method="mixed")
        new = trees(40, 3, seed=1000 + seed, spread=(0.15, 0.05))
        told = fit.predict(new, kind="individual")
        inside.append(((told["agb_lower"] < new["agb"]) & (new["agb"] < told["agb_upper"])).mean())
    assert 0.90 < np.mean(inside) < 0.985


def test_a_system_with_gaps_adds_up():
    rng = np.random.default_rng(5)
    data = trees(12, 15)
    data["stem"] = data["agb"] * 0.8 * (1 + 0.05 * rng.normal(size=len(data)))
    data["branch"] = data["agb"] * 0.2 * (1 + 0.3 * rng.normal(size=len(data)))
    data["branch"] = data["branch"].clip(lower=0.05)
    data.loc[data.index % 3 == 0, "branch"] = np.nan
    text = "stem = a1[site] * dbh**b1\nbranch = a2[site] * dbh**b2\nagb = stem + branch"
    fit = sl.fit(data, text, method="mixed")
    assert fit.converged
    assert fit.random.names == ["a1", "a2"]
    told = fit.predict(data.head(4))
    assert (told["stem"] + told["branch"]).to_numpy() == pytest.approx(told["agb"].to_numpy(), rel=1e-12)


def test_validation_leaves_out_whole_groups():
    from sinklab.assess.validation import validate

    data = trees(8, 12)
    fit = sl.fit(data, ONE, method="mixed")
    found = validate(fit, "leave:site")
    assert len(found.predictions) == len(data)
    rest = data[data["site"] != "s03"]
    again = sl.fit(rest, ONE, method="mixed")
    part = found.predictions[found.predictions["fold"].astype(str).str.contains("s03")]
    expected = again.predict(data[data["site"] == "s03"])["agb"]
    assert part["predicted"].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-6)


def test_groups_that_do_not_differ_are_named():
    fit = sl.fit(trees(12, 20, spread=(0, 0), seed=11), ONE, method="mixed")
    plain = sl.fit(trees(12, 20, spread=(0, 0), seed=11), "agb = a * dbh**b")
    spread = np.sqrt(fit.random.covariance.iloc[0, 0]) / fit.values[0]
    assert spread < 0.03
    assert fit.values == pytest.approx(plain.values, rel=0.05)
    assert fit.loglik >= plain.loglik - 0.5
    assert bool([w for w in fit.warnings if "do not differ in a" in w]) == (spread < 2e-4)


def test_a_table_keeps_what_groups_differ_by(fitted, tmp_path):
    source = {"origin": "measured", "title": "trees of twenty sites"}
    table = sl.Table.from_fits([fitted], "agb_forest_cunninghamia", "0.1.0", source=source)
    folder = table.write(tmp_path)
    assert (folder / "random_effects.csv").is_file()
    again = sl.Table.read(folder).model()
    new = pd.DataFrame({"dbh": [8.0, 30.0]})
    for kind in ("mean", "individual"):
        one, other = fitted.predict(new, kind=kind), again.predict(new, kind=kind)
        assert other["agb_upper"].to_numpy() == pytest.approx(one["agb_upper"].to_numpy(), rel=1e-9)
    group = trees(1, 6, seed=42)
    assert calibrated(again, group).values == pytest.approx(calibrated(fitted, group).values, rel=1e-9)
    from sinklab.tables.checks import validate

    assert validate(folder) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agb = a * dbh**b", "vary by one column"),
        ("agb = a[site] * dbh**b[plot]", "found site, plot"),
    ],
)
def test_equations_that_are_not_mixed(text, message):
    with pytest.raises(EquationError, match=message):
        sl.fit(trees().assign(plot="p"), text, method="mixed")


def test_few_groups_are_refused():
    with pytest.raises(DataError, match="3 groups; expected at least 4"):
        sl.fit(trees(3), ONE, method="mixed")


def test_calibration_wants_a_mixed_model_and_responses(fitted):
    with pytest.raises(DataError, match="does not know how places differ"):
        calibrated(sl.fit(trees(), "agb = a * dbh**b", cluster="none"), trees())
    with pytest.raises(DataError, match="at least one response"):
        calibrated(fitted, trees()[["dbh"]])


def plots(regions=14, size=12, seed=3):
    """Stands of regions, a few with hardly any carbon: a spread that follows the prediction, and outliers."""
    rng = np.random.default_rng(seed)
    region = np.repeat([f"R{i:02d}" for i in range(regions)], size)
    own = np.repeat(np.exp(rng.normal(0, 0.15, regions)), size)
    x, n = rng.uniform(5, 30, len(region)), rng.uniform(400, 2500, len(region))
    carbon = 0.002 * own * x**1.95 * n**0.65 * np.maximum(1 + 0.35 * rng.normal(size=len(region)), 0.01)
    return pd.DataFrame({"region": region, "x": x, "n": n, "carbon": carbon})


@pytest.mark.parametrize("variance", ["power:mean", "lognormal"])
def test_estimates_do_not_depend_on_how_a_factor_is_written(variance):
    data = plots()
    factor = sl.fit(data, "carbon = a[region] * x**b * n**c", method="mixed", variance=variance)
    power = sl.fit(data, "carbon = exp(la[region]) * x**b * n**c", method="mixed", variance=variance)
    assert factor.converged and power.converged and factor.random.multiplies == ("a",)
    assert factor.loglik == pytest.approx(power.loglik, abs=1e-3)
    assert [np.log(factor.values[0]), *factor.values[1:]] == pytest.approx(power.values, rel=1e-4)
    assert factor.random.covariance.iloc[0, 0] == pytest.approx(power.random.covariance.iloc[0, 0], rel=5e-3)
    one, other = (f.predict(data, kind="individual") for f in (factor, power))
    assert one["carbon_upper"].to_numpy() == pytest.approx(other["carbon_upper"].to_numpy(), rel=2e-3)


def components(sites=14, size=14, seed=8):
    rng = np.random.default_rng(seed)
    effects = rng.multivariate_normal(
        [0, 0, 0], [[0.02, 0.01, 0], [0.01, 0.04, 0.02], [0, 0.02, 0.08]], sites
    )
    parts = []
    for s in range(sites):
        dbh = rng.uniform(5, 40, size)
        frame = pd.DataFrame({"site": f"s{s:02d}", "dbh": dbh, "height": 1.3 + 1.1 * dbh**0.8})
        for j, (name, a, b, c, cv) in enumerate(
            [
                ("stem", 0.03, 1.7, 1.1, 0.1),
                ("branch", 0.05, 2.4, -0.6, 0.3),
                ("foliage", 0.03, 2.2, -0.7, 0.25),
            ]
        ):
            frame["height"] = frame["height"] * np.exp(0.03 * rng.normal(size=size))
            scale = np.exp(effects[s, j] + cv * rng.normal(size=size))
            frame[name] = a * dbh**b * frame["height"] ** c * scale
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


ADDITIVE = """stem = a1[site] * dbh**b1 * height**c1
branch = a2[site] * dbh**b2 * height**c2
foliage = a3[site] * dbh**b3 * height**c3
agb = stem + branch + foliage"""


@pytest.mark.parametrize("variance", ["power:mean", "lognormal"])
def test_an_additive_system_with_three_coefficients_that_vary(variance):
    data = components()
    fit = sl.fit(data, ADDITIVE, method="mixed", variance=variance)
    assert fit.converged and fit.certificate.agree and fit.certificate.steps < 40
    spread = np.sqrt(np.diag(fit.random.covariance))
    assert spread == pytest.approx([0.14, 0.2, 0.28], rel=0.5)
    told = fit.predict(data.head(4))
    parts = told[["stem", "branch", "foliage"]].sum(axis=1)
    assert parts.to_numpy() == pytest.approx(told["agb"].to_numpy(), rel=1e-12)
    # Means, not medians: predictions of all trees sum up to what was weighed, but for the sites that were drawn.
    assert fit.predict(data)["agb"].sum() == pytest.approx(
        data[["stem", "branch", "foliage"]].sum().sum(), rel=0.15
    )
    group = calibrated(fit, data[data["site"] == "s03"])
    known = fit.random.effects.loc["s03"].to_numpy()
    assert np.log(group.values[[0, 3, 6]] / fit.values[[0, 3, 6]]) == pytest.approx(known, abs=2e-3)


def test_restricted_likelihood_of_a_linear_model_is_that_of_statsmodels():
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(3)
    data = pd.DataFrame({"site": np.repeat([f"g{i}" for i in range(8)], 12), "dbh": rng.uniform(5, 40, 96)})
    effect = rng.normal(0, 4, 8)[np.repeat(np.arange(8), 12)]
    data["agb"] = 60 + effect + 8 * data["dbh"] + rng.normal(0, 6, 96)
    fit = sl.fit(data, "agb = p[site] + q * dbh", method="mixed", variance="none", estimator="reml")
    peer = smf.mixedlm("agb ~ dbh", data, groups="site").fit(reml=True)
    assert fit.certificate.estimator == "reml" and fit.loglik == pytest.approx(peer.llf, abs=1e-4)
    assert fit.values == pytest.approx(peer.fe_params.to_numpy(), rel=1e-5)
    assert fit.random.covariance.iloc[0, 0] == pytest.approx(peer.cov_re.iloc[0, 0], rel=1e-3)
    assert fit.residual["agb"].sigma ** 2 == pytest.approx(peer.scale, rel=1e-4)
    assert fit.parameters["se"].to_numpy() == pytest.approx(peer.bse_fe.to_numpy(), rel=3e-3)
    with pytest.raises(DataError, match="belongs to method mixed"):
        sl.fit(data, "agb = p + q * dbh", estimator="reml")


def test_groups_in_groups_reach_a_table(tmp_path):
    rng = np.random.default_rng(12)
    parts = []
    for p in range(6):
        for s, up in enumerate(rng.normal(rng.normal(0, 0.25), 0.1, 5)):
            dbh = rng.uniform(5, 40, 8)
            agb = 0.08 * np.exp(up) * dbh**2.4 * (1 + 0.12 * rng.normal(size=8))
            parts.append(pd.DataFrame({"province": f"P{p}", "site": f"S{s}", "dbh": dbh, "agb": agb}))
    data = pd.concat(parts, ignore_index=True)
    text = "agb = a[province/site] * dbh**b"
    fit = sl.fit(data, text, method="mixed")
    assert fit.converged and fit.random.column == "province/site" and fit.random.outer.column == "province"
    assert len(fit.random.effects) == 30 and len(fit.random.outer.effects) == 6
    assert fit.random.covariance.iloc[0, 0] > fit.random.outer.covariance.iloc[0, 0] > 0.01
    source = {"origin": "measured", "title": "trees of thirty sites"}
    folder = sl.Table.from_fits([fit], "agb_forest_nested", "0.1.0", source=source).write(tmp_path)
    again = sl.Table.read(folder).model()
    assert again.random.outer.covariance.iloc[0, 0] == pytest.approx(fit.random.outer.covariance.iloc[0, 0])
    new = pd.DataFrame({"dbh": [8.0, 30.0]})
    one, other = fit.predict(new, kind="individual"), again.predict(new, kind="individual")
    assert other["agb_upper"].to_numpy() == pytest.approx(one["agb_upper"].to_numpy(), rel=1e-9)
    with pytest.raises(DataError, match="groups in groups need method mixed"):
        sl.fit(data, text)


def test_nothing_is_concluded_from_a_fit_that_did_not_converge(monkeypatch):
    from sinklab.fitting import mixed

    monkeypatch.setattr(mixed, "MAX_ALTERNATIONS", 1)
    fit = sl.fit(trees(12, 20, spread=(0, 0), seed=11), ONE, method="mixed")
    assert not fit.converged and len(fit.warnings) == 1 and "not converged" in fit.warnings[0]


@pytest.mark.parametrize("variance", ["power:mean", "lognormal"])
def test_known_groups_are_predicted_with_their_effects(variance, tmp_path):
    data = trees(spread=(0.3, 0.03))
    fit = sl.fit(data, BOTH, method="mixed", variance=variance)
    new = pd.DataFrame({"site": ["s03", "s11", "s03", "elsewhere"], "dbh": [20.0, 20.0, 35.0, 20.0]})
    told, typical = fit.predict(new, of="known"), fit.predict(new)
    effect = fit.random.effects.loc["s03"]
    own = fit.values[0] * np.exp(effect["a"]) * np.array([20.0, 35.0]) ** (fit.values[1] + effect["b"])
    half = np.exp(fit.residual["agb"].sigma ** 2 / 2) if variance == "lognormal" else 1.0
    assert told["agb"].to_numpy()[[0, 2]] == pytest.approx(own * half, rel=1e-6)
    assert told.loc[3].equals(typical.loc[3]) and told["agb"][0] != pytest.approx(told["agb"][1], rel=0.01)
    # Sites of which trees were weighed are known better than a new one, and nearer to what was weighed there.
    one, other = (fit.predict(data, kind="individual", of=of) for of in ("known", "new"))
    width = [(f["agb_upper"] - f["agb_lower"]).mean() for f in (one, other)]
    error = [np.log(f["agb"] / data["agb"]).std() for f in (one, other)]
    assert width[0] < width[1] and error[0] < 0.8 * error[1]
    with pytest.raises(DataError, match="named in site"):
        fit.predict(new[["dbh"]], of="known")
    # A table knows the groups too, without the trees.
    source = {"origin": "measured", "title": "trees of twenty sites"}
    folder = sl.Table.from_fits([fit], "agb_forest_known", "0.1.0", source=source).write(tmp_path)
    again = sl.Table.read(folder).model().predict(new, of="known")
    for column in ("agb", "agb_se", "agb_lower", "agb_upper"):
        assert again[column].to_numpy() == pytest.approx(told[column].to_numpy(), rel=1e-8)
    new.to_csv(tmp_path / "new.csv", index=False)
    asked = [
        "predict",
        str(folder),
        str(tmp_path / "new.csv"),
        "--for",
        "known",
        "-o",
        str(tmp_path / "p.csv"),
    ]
    assert main(asked) == 0
    assert pd.read_csv(tmp_path / "p.csv")["agb"].to_numpy() == pytest.approx(
        told["agb"].to_numpy(), rel=1e-6
    )


def test_command(tmp_path, capsys):
    trees().to_csv(tmp_path / "trees.csv", index=False)
    code = main(["fit", str(tmp_path / "trees.csv"), "--equations", ONE, "--method", "mixed"])
    said = capsys.readouterr().out
    assert code == 0
    assert "Between groups of site, 20 groups" in said


@pytest.mark.parametrize("starts_lost", [1, 2])
def test_linear_models_that_become_singular_cost_a_start_and_never_crash(monkeypatch, starts_lost):
    from sinklab.fitting import mixed

    rng, alternate, calls = np.random.default_rng(2), mixed.alternate, []
    frame = pd.DataFrame({"x": rng.uniform(5, 40, 48), "site": np.repeat([*"abcdef"], 8)})
    frame["y"] = 3 * frame["x"] * (1 + 0.1 * rng.normal(size=48))

    def sometimes(model, begin):
        calls.append(begin)
        if len(calls) > 2 - starts_lost:
            raise np.linalg.LinAlgError("Singular matrix")
        return alternate(model, begin)

    monkeypatch.setattr(mixed, "alternate", sometimes)
    if starts_lost == 2:
        with pytest.raises(ConvergenceError, match="do not determine the parameters"):
            sl.fit(frame, "y = a[site] * x**b", method="mixed")
    else:
        told = sl.fit(frame, "y = a[site] * x**b", method="mixed").certificate
        assert told.loglik_second is None and told.agree is False


@pytest.fixture(scope="module")
def two_factors():
    """Trees of 40 sites: a factor of the stem with SD 0.2, and one of branches that shares 0.6 of it."""
    rng = np.random.default_rng(5)
    site, dbh = np.repeat([f"s{i:02d}" for i in range(40)], 12), rng.uniform(5, 40, 480)
    common, own = np.repeat(rng.normal(0, 0.2, (2, 40)), 12, axis=1)
    stem = 0.06 * dbh**2.4 * np.exp(common) * (1 + 0.1 * rng.normal(size=480))
    branch = 0.02 * dbh**2.2 * np.exp(0.6 * common + 0.8 * own) * (1 + 0.2 * rng.normal(size=480))
    return pd.DataFrame({"site": site, "dbh": dbh, "stem": stem, "branch": branch})


ADDED = "stem = a1[site]*dbh**b1\nbranch = a2[site]*dbh**b2\nagb = stem + branch"


@pytest.fixture(scope="module")
def spread(two_factors):
    return sl.fit(two_factors, ADDED, method="mixed")


def test_the_spread_between_groups_is_that_of_the_random_effects(spread, two_factors):
    found = spread.between
    assert (found.column, found.n, found.names) == ("site", 40, ["stem", "branch", "agb"])
    # One factor for each equation: the covariance of the factors is that of the deviations.
    psi = spread.random.covariance.to_numpy()
    assert found.spread.loc[["stem", "branch"], ["stem", "branch"]].to_numpy() == pytest.approx(psi, rel=1e-9)
    share = spread.predict(two_factors).pipe(lambda t: t["stem"] / t["agb"]).to_numpy()
    weight = np.column_stack([share, 1 - share])
    assert found.spread.loc["agb", "agb"] == pytest.approx(
        np.einsum("ni,ij,nj->n", weight, psi, weight).mean(), rel=1e-9
    )
    # It is that of the moments of a fit that has no random effects, within its error.
    moments = sl.fit(two_factors, ADDED.replace("[site]", "")).between
    assert ((found.spread - moments.spread).abs().to_numpy() < found.se.max()).all()
    known = found.effects.query("response == 'stem'").set_index("level")["value"]
    # Effects stand about the curve that is the mean over groups, half a variance above that of the typical one.
    typical = spread.random.effects["a1"].loc[known.index].to_numpy()
    assert known.to_numpy() + psi[0, 0] / 2 == pytest.approx(typical)


def test_means_of_a_new_group_contain_the_spread(spread, tmp_path):
    new = pd.DataFrame({"dbh": [20.0]})
    told, average = spread.predict(new).iloc[0], spread.predict(new, of="average").iloc[0]
    wide = np.sqrt((told["stem_se"] / told["stem"]) ** 2 + spread.between.spread.loc["stem", "stem"])
    half = stats.t.ppf(0.975, 39) * wide
    # About the median site: the curve is the mean over sites.
    off = spread.between.spread.loc["stem", "stem"] / 2
    assert told["stem_upper"] == pytest.approx(told["stem"] * np.exp(half - off))
    assert average["stem_upper"] == pytest.approx(
        average["stem"] + stats.t.ppf(0.975, 39) * average["stem_se"]
    )
    # A site that was seen has its effect and no spread.
    known = spread.predict(new.assign(site="s03"), of="known").iloc[0]
    assert known["stem_upper"] - known["stem_lower"] < 0.5 * (told["stem_upper"] - told["stem_lower"])
    folder = sl.Table.from_fits(spread, "agb_forest_x", "1.0.0", source={"name": "x"}).write(tmp_path)
    again = sl.Table.read(folder).model()
    pd.testing.assert_frame_equal(again.predict(new), spread.predict(new))
    assert again.between.spread.to_numpy() == pytest.approx(spread.between.spread.to_numpy())
    assert "Between 40 levels of site" in fit_report(spread)


def test_stands_draw_the_groups_of_a_mixed_model(spread):
    stand = pd.DataFrame({"stand_id": ["p"], "dbh": [20.0], "area": [1.0]})
    model = sl.Model.of(spread, "agb")
    assert model.with_sites().site_sd(stand, 1)[0] == pytest.approx(
        np.sqrt(spread.between.spread.loc["agb", "agb"]), rel=0.1
    )
    assert notes_of([model]) and not notes_of([model.with_sites()])


@pytest.mark.parametrize(("variance", "told"), [("power:mean", True), ("lognormal", False)])
def test_a_curve_is_the_mean_over_sites_and_says_how_far_a_typical_one_lies_off(variance, told):
    rng = np.random.default_rng(1)
    site, dbh = np.repeat(np.arange(60), 12), rng.uniform(5, 40, 720)
    factor = np.exp(rng.normal(0, 0.4, 60))[site]
    data = pd.DataFrame({"dbh": dbh, "agb": 0.1 * dbh**2.3 * factor * rng.lognormal(0, 0.1, 720)})
    result = sl.fit(data.assign(site=site.astype(str)), ONE, method="mixed", variance=variance)
    above = 100 * np.expm1(result.random.covariance.iloc[0, 0] / 2)
    assert (
        any(f"beside those of a typical one: agb +{above:.1f} %" in line for line in result.warnings) == told
    )
    sizes = pd.DataFrame({"dbh": [8.0, 30.0]})
    a, b = result.values
    spread = np.exp(result.random.covariance.iloc[0, 0] / 2)
    residual = 1.0 if told else np.exp(result.residual["agb"].sigma ** 2 / 2)
    mean = a * sizes["dbh"] ** b * spread * residual
    assert result.predict(sizes)["agb"].to_numpy() == pytest.approx(
        mean.to_numpy(), rel=1e-6 if told else 1e-3
    )
    assert result.typical.predict(sizes)["agb"][0] == pytest.approx(
        a * 8**b * (1 if told else spread * residual), rel=1e-3
    )


#: Equations, parameters that deviate, their covariance, those that are multiplied, values.
DEVIATING = [
    ("stem = a * dbh**b", "a b", [[0.16, -0.02], [-0.02, 0.01]], "a", {"a": 0.1, "b": 2.4}),
    ("stem = exp(a - b / dbh)", "a b", [[0.09, 0.1], [0.1, 1.0]], "", {"a": 5.0, "b": 8.0}),
    ("height = 1.3 + a * (1 - exp(-b * dbh))**c", "a", [[9.0]], "", {"a": 20.0, "b": 0.06, "c": 1.2}),
    (
        "stem = a1 * dbh**b1\nbranch = a2 * dbh**b2\nagb = stem + branch\nroot = agb * r0 * dbh**r1",
        "a1 a2 r0",
        [[0.04, 0.01, 0.0], [0.01, 0.09, 0.02], [0.0, 0.02, 0.06]],
        "a1 a2 r0",
        {"a1": 0.1, "b1": 2.4, "a2": 0.02, "b2": 2.2, "r0": 0.3, "r1": -0.1},
    ),
    # What has no closed form: nodes, good to a part of ten thousand where places differ by a fifth.
    ("stem = a * dbh / (b + dbh)", "a b", [[0.04, 0.1], [0.1, 4.0]], "a", {"a": 50.0, "b": 20.0}),
    ("stem = a * dbh**b\nroot = r * stem**s", "a", [[0.04]], "a", {"a": 0.1, "b": 2.4, "r": 0.3, "s": 0.8}),
    ("height = (a + b * dbh) * c**0.5", "a c", [[4.0, 0.1], [0.1, 0.04]], "", {"a": 9.0, "b": 0.2, "c": 2.0}),
]


@pytest.mark.parametrize("case", DEVIATING, ids=lambda case: case[0].splitlines()[-1])
def test_the_mean_over_groups_is_the_integral_over_their_deviations(case):
    text, names, covariance, multiplies, values = case
    system, names = System.parse(text), names.split()
    mean = system.over_groups(names, np.array(covariance), multiplies.split())
    assert mean.parameters == system.parameters and mean.identities == system.identities
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    grid = np.array(list(itertools.product(nodes, repeat=len(names)))) @ np.linalg.cholesky(covariance).T
    weight = np.array([np.prod(w) for w in itertools.product(weights / weights.sum(), repeat=len(names))])
    theta = np.tile([values[p] for p in system.parameters], (len(grid), 1))
    for j, name in enumerate(names):
        place = system.parameters.index(name)
        moved = grid[:, j]
        theta[:, place] = (
            theta[:, place] * np.exp(moved) if name in multiplies.split() else theta[:, place] + moved
        )
    sizes = {"dbh": np.array([5.0, 12.0, 30.0])}
    every, found = system.mean(theta, sizes), mean.mean(values, sizes)
    closed = case not in DEVIATING[4:]
    for response in system.free:
        assert found[response] == pytest.approx(weight @ every[response], rel=2e-8 if closed else 2e-4)


def test_the_mean_over_groups_is_one_in_table_file_stock_and_group(spread, two_factors, tmp_path):
    new = pd.DataFrame({"dbh": [9.0, 20.0, 38.0]})
    told = spread.predict(new)
    psi = spread.random.covariance.to_numpy()
    a1, b1 = (spread.values[spread.labels.index(p)] for p in ("a1", "b1"))
    assert told["stem"].to_numpy() == pytest.approx(
        a1 * new["dbh"].to_numpy() ** b1 * np.exp(psi[0, 0] / 2), rel=1e-8
    )
    table = sl.Table.from_fits(spread, "stem_forest_spread", "1.0.0", source=SIMULATED)
    table.write(tmp_path)
    read = sl.Table.read("stem_forest_spread", tmp_path)
    rows = read.frames["equations"].set_index("response")
    assert (
        rows.at["stem", "typical"] == "stem = a1[site] * dbh**b1" and "[" not in rows.at["stem", "equation"]
    )
    model = read.models[0]
    assert model.system == spread.system and model.typical.system == spread.typical.system
    pd.testing.assert_frame_equal(model.predict(new), told, rtol=1e-12)
    of_stock = sl.Model.of(model, "agb").centre({"dbh": new["dbh"].to_numpy()}, [0, 1, 2, 3], 3)
    assert of_stock == pytest.approx(told["agb"].to_numpy(), rel=1e-12)
    # A group that was seen keeps its own curve, and so does one that is calibrated.
    known = spread.predict(new.assign(site="s00"), of="known")["stem"].to_numpy()
    own = a1 * np.exp(spread.random.effects.loc["s00", "a1"]) * new["dbh"].to_numpy() ** b1
    assert known == pytest.approx(own, rel=1e-12)
    local = sl.calibrated(model, two_factors[two_factors["site"] == "s00"])
    assert local.system == spread.typical.system and local.predict(new)["stem"].to_numpy() == pytest.approx(
        own, rel=1e-6
    )


def test_a_table_of_before_keeps_the_curve_of_the_typical_group(spread, tmp_path):
    table = sl.Table.from_fits(spread, "stem_forest_spread", "1.0.0", source=SIMULATED)
    frames = dict(table.frames)
    frames["equations"] = frames["equations"].assign(equation=frames["equations"]["typical"], typical="")
    frames["equations"]["equation"] = frames["equations"]["equation"].where(
        frames["equations"]["response"] != "agb", "agb = stem + branch"
    )
    replace(table, frames=frames).write(tmp_path)
    old = sl.Table.read("stem_forest_spread", tmp_path).models[0]
    new = pd.DataFrame({"dbh": [20.0]})
    assert old.system == spread.typical.system and old.typical is old
    assert old.predict(new)["stem"][0] == pytest.approx(
        spread.predict(new)["stem"][0] / np.exp(spread.random.covariance.iloc[0, 0] / 2), rel=1e-8
    )
