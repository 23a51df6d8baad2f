"""One estimand a row: whom a mean speaks for, what a study is, what few studies can tell, and tables made before."""

import json

import numpy as np
import pandas as pd
import pytest

import sinklab as sl
from sinklab.data import literature, vocabulary
from sinklab.evidence import equations, pooling
from sinklab.systems import forest, grassland, soil
from sinklab.tables.checks import validate

BLANK = {"spread_kind": "none", "n": np.nan}


def printed(study, value, **more):
    rows = pd.DataFrame({"source_id": study, "wood_density": value, "species_id": "x"} | BLANK | more)
    return pooling.summarise(rows, "wood_density", ["species_id"]).iloc[0]


def test_three_studies_are_wide_but_not_wider_than_needed():
    """Without sampling errors the interval is that of a normal sample; with them that of a half-normal spread, by quadrature."""
    from scipy import integrate, optimize, stats

    means = np.array([0.40, 0.46, 0.52])
    bare = pooling.pool_studies(means, np.zeros(3))
    assert (bare.freedom_new, bare.sd) == (2, pytest.approx(0.06 * np.sqrt(4 / 3)))
    assert pooling.pool_studies(means[:2], np.zeros(2)).freedom_new == 0
    assert pooling.pool_studies(np.r_[means, 0.44, 0.48], np.zeros(5)).freedom_new == 3
    error = 0.03
    centres, spreads = pooling.pool_studies(means, np.full(3, error**2)).new
    prior = stats.halfnorm(scale=min(5 * means.std(ddof=1), 1.5 * means.mean()))

    def density(tau):
        variance = error**2 + tau**2
        return prior.pdf(tau) * variance**-1.0 * np.exp(-0.5 * ((means - means.mean()) ** 2).sum() / variance)

    whole = integrate.quad(density, 0, 3)[0]

    def below(q):
        def weighted(tau):
            spread = np.sqrt(tau**2 + (error**2 + tau**2) / 3)
            return density(tau) * stats.norm.cdf(q, means.mean(), spread)

        return integrate.quad(weighted, 0, 3)[0] / whole

    upper = optimize.brentq(lambda q: below(q) - 0.975, 0.5, 2)
    assert pooling.quantiles(np.array([0.025, 0.975]), centres, spreads) == pytest.approx(
        [2 * means.mean() - upper, upper], abs=0.003
    )


def test_a_study_is_a_source_and_its_rows_are_nested_in_it():
    # Six rows of root carbon of Chinese fir come from two papers.
    rows = literature.load("carbon_fraction")
    values = pooling.summarise(rows, "carbon_fraction", ["species_id", "component"]).set_index("name")
    fir = values.loc["carbon_fraction[cunninghamia_lanceolata,root_unspecified]"]
    part = rows[(rows["species_id"] == "cunninghamia_lanceolata") & (rows["component"] == "root_unspecified")]
    papers = part.groupby("source_id")["carbon_fraction"].mean()
    assert fir["n_study"] == 2 == len(papers) and len(part) == 6
    assert fir["mean"] == pytest.approx(papers.mean(), abs=0.002)
    assert fir["se"] == pytest.approx(papers.std(ddof=1) / np.sqrt(2), rel=0.03)
    assert fir["se"] == pytest.approx(0.035, abs=0.001)
    # Rows of one paper say nothing of how papers differ.
    one = printed("a", [0.4, 0.5, 0.6])
    assert one["n_study"] == 1 and one["of_whom"] == "unit_here" and np.isnan(one["tau"])


def test_sources_that_print_the_same_sites_are_one_study():
    told = literature.studies(pd.Series(["MAFANG2006", "MAW2008", "MAANNA2014", "HONGYUAN2008"]))
    assert list(told) == ["MAFANG2006"] * 3 + ["HONGYUAN2008"]
    row = printed(["MAW2008", "MAANNA2014"], [0.50, 0.52])
    assert row["n_study"] == 1 and row["sources"] == "MAANNA2014;MAW2008"


def test_an_n_that_is_not_printed_is_unknown():
    # The SD between probes of a soil is the one in print, not 1.414 times it, and no standard error follows from it.
    rows = literature.load("karst_soil_types")
    for variable in ("soil_depth", "bedrock_exposure", "gravel_fraction"):
        values = pooling.summarise(rows, variable, ["soil_type"])
        sd = (
            values["group"]
            .str.removeprefix("soil_type=")
            .map(rows.set_index("soil_type")[f"{variable}_spread"])
        )
        assert sd.notna().sum() in (9, 6, 7)
        assert values["sd"].to_numpy() == pytest.approx(sd.to_numpy(), nan_ok=True)
        assert values["se"].isna().all() and values["n"].isna().all()
        assert set(values.loc[values["sd"].notna(), "sd_of"]) == {"units"}
        assert set(values.loc[values["sd"].notna(), "of_whom"]) == {"unit_here"}
    known = printed("a", 0.5, n=[4.0], spread_kind="sd", wood_density_spread=[0.1])
    assert known["se"] == pytest.approx(0.05) and known["n"] == 4


def sites(values, habitat="h", site=None):
    n = len(values)
    return pd.DataFrame(
        {"soc_stock": values, "habitat": habitat, "site": [f"{habitat}{i}" for i in site or range(n)]}
    )


def test_the_mean_lies_inside_the_data_whatever_is_borrowed():
    # Two sites that agree beside many that do not: the spread is borrowed for a new site, the mean is theirs.
    wild = np.exp(4 + np.random.default_rng(1).normal(0, 0.9, 30))
    frame = pd.concat([sites([7.0, 7.04], "few"), sites(wild, "many")], ignore_index=True)
    few, many = soil.summarise(frame, "soc_stock", "site", ["habitat"]).to_dict("records")
    assert few["mean"] == pytest.approx(7.02) and many["mean"] == pytest.approx(wild.mean())
    assert few["sd"] < 0.1 and few["q975"] / few["q025"] > 10 and few["mean_lower"] < 6


def test_salt_marsh_and_coast_of_china():
    rows = literature.load("wetland_cores")
    cores = soil.stocks(rows, 100, ["site", "core_id"])
    cores = cores.merge(rows.loc[rows["habitat"] != "seagrass", ["core_id", "habitat"]], on="core_id")
    values = soil.summarise(cores, "soc_stock", ["site"], ["habitat"], kind="100 cm", study="")
    values = values.set_index("group")["mean"]
    # Layer sums as printed, not mean density times mean carbon (216 for mangroves); every site counts once.
    printed = rows.groupby("habitat")["soc_stock"].mean()
    by_site = rows.groupby(["habitat", "site"])["soc_stock"].mean().groupby("habitat").mean()
    assert values["habitat=mangrove;to=100 cm"] == pytest.approx(by_site["mangrove"])
    assert printed["mangrove"] == pytest.approx(204.8, abs=0.1) and (rows["bulk_density"] * rows["soc"] * 10)[
        rows["habitat"] == "mangrove"
    ].mean() == pytest.approx(216.3, abs=0.1)
    assert values["habitat=salt_marsh;to=100 cm"] == pytest.approx(by_site["salt_marsh"])
    assert values["habitat=salt_marsh;to=100 cm"] == pytest.approx(72.68, abs=0.01)
    # Thirteen of the seventeen cores lie in one place; counted alike they say 52, and nobody is told 72 for that.
    alike = soil.summarise(cores, "soc_stock", ["site"], ["habitat"], grid=True).set_index("group")["mean"]
    assert (
        alike["habitat=salt_marsh"] == pytest.approx(printed["salt_marsh"])
        and 14 < printed["salt_marsh"] < 60
    )


def test_the_mean_speaks_for_a_place_that_was_not_sampled():
    # Nine cores of one rich site and one of each of three poor ones: how many cores a site got is chance.
    frame = sites([90.0] * 9 + [30.0, 36.0, 24.0], site=[0] * 9 + [1, 2, 3]).assign(source_id="a")
    (row,) = soil.summarise(frame, "soc_stock", "site").to_dict("records")
    assert row["mean"] == pytest.approx((90 + 30 + 36 + 24) / 4) and row["mean_of"] == "sites"
    assert row["se"] == pytest.approx(np.std([90, 30, 36, 24], ddof=1) / 2)
    assert (row["n_study"], row["n_site"], row["n"]) == (1, 4, 12)
    # On a grid over the area all units count alike, and of one site there are only its units.
    (grid,) = soil.summarise(frame, "soc_stock", "site", grid=True).to_dict("records")
    assert grid["mean"] == pytest.approx(frame["soc_stock"].mean()) and grid["mean_of"] == "units"
    (one,) = soil.summarise(sites([20.0, 30.0, 28.0], site=[0] * 3), "soc_stock", "site").to_dict("records")
    assert one["mean"] == pytest.approx(26) and one["mean_of"] == "units" and one["of_whom"] == "unit_here"


def test_factors_of_a_stock_are_ratios_of_means():
    random = np.random.default_rng(3)
    stands = pd.DataFrame({"study_id": np.repeat(list("abcdef"), 5), "age": 5.0})
    stands["growing_stock"] = random.uniform(5, 200, 30)
    stands["agb_density"] = 0.5 * stands["growing_stock"] + 12
    (row,) = forest.by_class(forest.ratios(stands), "age", [10]).to_dict("records")
    total = stands["agb_density"].sum() / stands["growing_stock"].sum()
    assert row["mean"] == pytest.approx(total) and row["ratio_of"] == "means"
    assert (stands["agb_density"] / stands["growing_stock"]).mean() > 1.2 * total
    assert row["mean_lower"] < total < row["mean_upper"]


def test_noise_of_imputed_values_is_added():
    # A core's value is a conditional mean; the truth scatters about it by what imputation leaves.
    random = np.random.default_rng(4)
    n, between, noise = 4000, 0.3, 0.35
    centre = 4 + random.normal(0, between, n)
    truth = np.exp(centre + random.normal(0, noise, n))
    cores = sites(np.exp(centre)).assign(noise=noise)
    (row,) = soil.summarise(cores, "soc_stock", "site", noise="noise").to_dict("records")
    assert row["mean"] == pytest.approx(truth.mean(), rel=0.02)
    assert row["sd"] == pytest.approx(truth.std(), rel=0.05)
    assert row["q025"] == pytest.approx(np.quantile(truth, 0.025), rel=0.05)
    assert row["q975"] == pytest.approx(np.quantile(truth, 0.975), rel=0.05)


def test_two_studies_do_not_tell_how_places_differ():
    row = printed(["a", "b"], [0.40, 0.50])
    assert row["mean"] == pytest.approx(0.45) and np.isnan(row["q025"]) and row["family"] == ""
    assert row["se"] == pytest.approx(0.05) and np.isnan(row["mean_lower"]) and "two studies" in row["note"]
    three = printed(["a", "b", "c"], [0.40, 0.45, 0.50])
    # Student's t on two degrees of freedom for both: a new place is twice as uncertain as the mean of three.
    assert three["se"] == pytest.approx(0.05 / np.sqrt(3), rel=1e-3)
    assert np.log(three["mean_upper"] / three["mean"]) == pytest.approx(4.3027 * three["se"] / 0.45, rel=1e-3)
    wide, mean = np.log(three["q975"] / three["q025"]) / 2, np.log(three["mean_upper"] / three["mean"])
    assert wide == pytest.approx(2 * mean, rel=0.05)


def test_the_spread_between_studies_is_in_the_unit_of_the_row():
    rows = literature.load("carbon_fraction")
    pooled = pooling.summarise(rows, "carbon_fraction", ["species_id", "component"])["tau"].median()
    shrunk = pooling.values(pooling.fit(rows, "carbon_fraction", n_draw=40, seed=1))
    assert shrunk["tau"].max() < 0.06 and pooled == pytest.approx(shrunk["tau"].median(), rel=0.6)
    assert (shrunk["mean_lower"] < shrunk["mean"]).all() and (shrunk["mean"] < shrunk["mean_upper"]).all()
    assert set(shrunk["mean_of"]) == {"shrunk"} and set(shrunk["of_whom"]) == {"new_unit"}


def test_what_a_row_estimates_is_said_in_words():
    row = {"group": "soil_type=x", "mean_of": "units", "ratio_of": "means", "of_whom": "new_unit"}
    assert (
        vocabulary.estimand(row, "en") == "mean of all units; ratio of means; range of one unit on a new site"
    )
    assert vocabulary.estimand(row | {"definition": "component=root_unspecified"}, "zh") == (
        "全部单元的均值；均值之比；根系（是否含伐桩未说明）；区间为新地点的一个单元"
    )
    assert vocabulary.estimand({"group": ""}, "en") == ""


def test_the_definition_is_what_the_printed_rows_say():
    rows = literature.load("wetland_vegetation")
    reed = rows[rows["species"] == "Phragmites australis"]
    assert literature.definition_of(reed, "total_density") == "season=unstated"
    cordgrass = rows[rows["root_shoot_ratio"].notna() & (rows["species"] == "Spartina alterniflora")]
    assert literature.definition_of(cordgrass, "root_shoot_ratio") == "season=mean of the year"
    grass = literature.load("grassland")
    kinds = grassland.ratio_by_study(grass[~grass["season"].isin(["June", "October"])], ["grassland_type"])
    said = {
        kind: literature.definition_of(part, "root_shoot_ratio")
        for kind, part in kinds.groupby("grassland_type")
    }
    # One of two sources of the same sites says the season, so the study does; roots to 100 cm only in one paper.
    assert said["temperate_meadow_steppe"] == "season=peak;soil_depth=unstated"
    assert said["alpine_meadow"] == "season=several;soil_depth=unstated"
    assert said["sagebrush_desert"] == "season=unstated;soil_depth=100"
    # A thickness with a spread of its own was measured: it is no definition of the rock beside it.
    karst = literature.load("karst_soil_types")
    assert literature.definition_of(karst, "bedrock_exposure") == ""
    row = {"mean_of": "sites", "of_whom": "new_unit", "definition": "soil_depth=100"}
    assert vocabulary.estimand(row, "en") == "mean over sites; 0–100 cm; range of one unit on a new site"
    assert vocabulary.estimand(row | {"definition": "season=unstated"}, "zh").startswith(
        "各地点的均值；季节未说明；"
    )


def test_what_the_data_set_weighed_is_the_definition_of_its_values():
    source = {"name": "test", "origin": "measured", "title": "Test", "licence": "CC0-1.0"}
    source |= {"components": {"agb_density": "aboveground_herbs", "bgb_density": "root_with_stump"}}
    rows = [("root_shoot_ratio", 0.3, ""), ("agb_density", 4.0, ""), ("soc_stock", 80.0, "soil_depth=30")]
    values = pd.DataFrame(rows, columns=["variable", "mean", "definition"])
    values["name"] = values["variable"]
    told = sl.Table.from_values(values, "values_grassland_x", "0.1.0", source=source).values["definition"]
    assert told.tolist() == [
        "component=aboveground_herbs;component=root_with_stump",
        "component=aboveground_herbs",
        "soil_depth=30",
    ]


def test_herbs_of_an_unknown_season_are_refused():
    rows = literature.load("wetland_vegetation")
    values = pd.concat(
        [pooling.summarise(rows, v, ["species"]) for v in ("total_density", "root_shoot_ratio")]
    )
    table = sl.Table.from_values(values, "total_density_wetland_x", "0.1.0", source=rows.attrs["source"])
    kept = table.values[table.values["status"] != "refused"]
    assert list(kept["name"]) == ["root_shoot_ratio[Spartina alterniflora]"]
    told = table.checks[table.checks["check_id"] == "refused"]
    assert len(told) == 6 and told["message_en"].str.contains("the season of a mass").all()
    assert told["message_zh"].str.contains("季节").all() and "nan" not in "".join(told["message_en"])


def old_layout(folder):
    """A package of values as layout 1 wrote it: without the columns of what a row estimates."""
    added = "definition of_whom mean_of ratio_of n_site sd_of mean_lower mean_upper".split()
    file, about = folder / "values.csv", folder / "datapackage.json"
    frame = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig").drop(columns=added)
    frame.to_csv(file, index=False, encoding="utf-8-sig", lineterminator="\n")
    told = json.loads(about.read_text(encoding="utf-8"))
    told["sinklab"]["schema_version"] = 1
    for resource in told["resources"]:
        if resource["name"] == "values":
            fields = resource["schema"]["fields"]
            resource["schema"]["fields"] = [f for f in fields if f["name"] not in added]
            resource["hash"] = f"sha256:{sl.paths.file_sha256(file)}"
            if "bytes" in resource:
                resource["bytes"] = file.stat().st_size
    about.write_text(json.dumps(told, ensure_ascii=False, indent=2), encoding="utf-8")
    return folder


def test_a_table_made_before_is_read_and_verified(tmp_path):
    from sinklab.review.verification import verify

    rows = literature.load("karst_soil_types")
    values = pooling.summarise(rows, "soil_depth", ["soil_type"])
    table = sl.Table.from_values(values, "soil_karst_old", "0.1.0", source=rows.attrs["source"])
    folder = old_layout(table.write(tmp_path))
    back = sl.Table.read(folder)
    assert (back.values["of_whom"] == "").all() and back.values["n_site"].isna().all()
    assert back.values["mean"].tolist() == pytest.approx(values["mean"].tolist())
    assert validate(folder) == []
    assert verify(folder).differences() == []
    # Numbers as an older version made them are told, one line each; nothing crashes.
    file = folder / "values.csv"
    text = file.read_text(encoding="utf-8-sig").replace(",13,", ",18.385,", 1)
    file.write_text(text, encoding="utf-8-sig", newline="\n")
    about = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    for resource in about["resources"]:
        if resource["name"] == "values":
            resource["hash"] = f"sha256:{sl.paths.file_sha256(file)}"
    (folder / "datapackage.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    (line,) = verify(folder).differences()
    assert "soil_depth[yellow_clay]" in line and "sd" in line


def test_grassland_types_rest_on_their_studies():
    rows = literature.load("grassland")
    rows = rows[~rows["season"].isin(["June", "October"]) & (rows["root_shoot_ratio"] > 0)]
    studies = grassland.ratio_by_study(rows, ["grassland_type"])
    values = pooling.summarise(studies, "root_shoot_ratio", ["grassland_type"], study="study_id")
    values = values.set_index(values["group"].str.removeprefix("grassland_type="))
    # 温性草甸草原 is printed as 7.0 and 7.04 by two sources of the same 113 sites.
    meadow = values.loc["temperate_meadow_steppe"]
    assert 7.0 <= meadow["mean"] <= 7.05 and meadow["n_study"] == 1 and meadow["of_whom"] == "site_here"
    # 高寒草甸: twelve rows of one grazing trial are one study beside Hongyuan (2.25 to 7.2), ratios of means in each.
    alpine = values.loc["alpine_meadow"]
    trial, hongyuan = (rows[rows["source_id"] == s] for s in ("CX_GRAZE2018", "HONGYUAN2008"))
    ratio = [p["bgb_density"].sum() / p["agb_density"].sum() for p in (trial, hongyuan)]
    assert ratio == pytest.approx([14.86, 4.01], abs=0.01)
    assert alpine["n_study"] == 2 and alpine["mean"] == pytest.approx(np.mean(ratio))
    assert np.isnan(alpine["q025"]) and "two studies" in alpine["note"]


def test_a_corrected_slope_is_that_of_the_predictor_without_error():
    random = np.random.default_rng(6)
    true = random.uniform(0.1, 0.8, 4000)
    seen = true + random.normal(0, 0.08, 4000)
    frame = pd.DataFrame({"agb_density": np.exp(-0.5 + 3.5 * true + random.normal(0, 0.3, 4000))})
    text = "agb_density = a * exp(b * ndvi)"
    known, reliability = grassland.without_error(seen, 0.08)
    plain, corrected = (
        sl.fit(frame.assign(ndvi=x), text, method="ols-log").parameters.set_index("name")
        for x in (seen, known)
    )
    line = grassland.corrected_line(seen, np.log(frame["agb_density"]), 0.08)
    assert corrected.at["b", "value"] == pytest.approx(line.slope, rel=1e-6) == pytest.approx(3.5, rel=0.03)
    assert plain.at["b", "value"] == pytest.approx(reliability * line.slope, rel=1e-6)
    assert plain.at["b", "value"] < 3.2


def test_one_carbon_table_has_every_component_and_the_part_above_ground():
    rows = literature.load("carbon_fraction")
    organs = ["stem_over_bark_stump_unknown", "branch_unspecified", "foliage_unspecified", "root_unspecified"]
    values = pooling.values(pooling.fit(rows, "carbon_fraction", n_draw=40, seed=1), every=organs).set_index(
        "name"
    )
    for species in ("cunninghamia_lanceolata", "pinus_massoniana", "quercus_mongolica"):
        parts = values.loc[[f"carbon_fraction[{species},{organ}]" for organ in organs[:3]]]
        shares = equations.aboveground_shares(species)
        assert (
            sum(shares.values()) == pytest.approx(1)
            and shares["stem"] > 0.6 > shares["branch"] > shares["foliage"]
        )
        row = pooling.weighted(parts, "carbon_fraction", shares, f"species_id={species};component=agb", "x")
        assert row["mean"] == pytest.approx(np.average(parts["mean"], weights=[*shares.values()]))
        assert row["q025"] < row["mean_lower"] < row["mean"] < row["mean_upper"] < row["q975"]
        assert f"carbon_fraction[{species},root_unspecified]" in values.index
    # Masson pine has roots in print only: what the taxonomy says of the rest counts no study.
    assert values.at["carbon_fraction[pinus_massoniana,foliage_unspecified]", "n_study"] == 0
    assert "other organs" in values.at["carbon_fraction[pinus_massoniana,foliage_unspecified]", "note"]


def test_roots_that_were_computed_from_shoots_make_no_ratio():
    random = np.random.default_rng(8)
    agb = random.uniform(40, 200, 30).round(2)
    bgb = (agb * np.where(np.arange(30) < 12, 0.36, random.uniform(0.15, 0.3, 30))).round(2)
    stands = forest.ratios(pd.DataFrame({"agb_density": agb, "bgb_density": bgb}))
    assert stands["root_shoot_ratio"].isna().tolist() == [True] * 12 + [False] * 18
    assert "computed" in stands.attrs["set_aside"][0] and "12 of 30" in stands.attrs["set_aside"][0]


@pytest.mark.open_data
def test_chinese_mangroves_to_thirty_centimetres(open_data):
    from sinklab.data import open_data as sets

    by = ["study_id", "site", "core_id"]
    world = sets.load("open:mangrove_soil_cores")
    china = world[world["country"].isin(["CHN", "HKG", "TWN"])]
    cores = soil.stocks(china, 30, by, 200, 20240611, 0.5, soil.fit_layers(world, by))
    (row,) = soil.summarise(cores, "soc_stock", ["study_id", "site"], noise="sd_log").to_dict("records")
    expected = cores["soc_stock"] * np.exp(cores["sd_log"] ** 2 / 2)
    by_site = expected.groupby([cores["study_id"], cores["site"]]).mean()
    assert row["mean"] == pytest.approx(by_site.mean()) == pytest.approx(59.2, abs=0.5)
    assert row["n_site"] == len(by_site) and row["n_study"] == cores["study_id"].nunique()
    assert row["se"] == pytest.approx(by_site.std(ddof=1) / np.sqrt(len(by_site)))
    # The mean of 72 cores is 55, since 16 of them are of one poor place. One core on a new site has a mean of 65 by its
    # distribution, 54 with the noise of imputed layers taken out of the spread; both lie inside the limits of the mean.
    assert expected.mean() == pytest.approx(54.9, abs=0.5) and row["mean_lower"] < 54 < 65 < row["mean_upper"]
    spread = np.log1p((row["sd"] / row["mean"]) ** 2)
    assert np.exp(row["p1"] + spread / 2) == pytest.approx(65, abs=3) and row["p2"] ** 2 > spread
    plain = soil.summarise(cores, "soc_stock", ["study_id", "site"]).iloc[0]
    assert row["sd"] > 1.1 * plain["sd"] and row["q975"] > plain["q975"] and row["q025"] < plain["q025"]


@pytest.mark.open_data
def test_heights_of_poplars_are_those_of_the_mean(open_data):
    from sinklab.data import open_data as sets

    trees = sets.load("open:eurasia_trees", {"genus": "Populus"})
    trees = trees[(trees["dbh"] > 0) & (trees["height"] > 1.3) & trees["plot_id"].notna()]
    middle = trees[trees["dbh"].between(16, 25)]
    fits, _ = forest.fit_heights(trees, "", ("naslund", "michailoff", "weibull"), seed=1)
    off = next(iter(fits.values())).predict(middle[["dbh"]])["height"] - middle["height"]
    # The curve of a typical plot lies 2.1 m below these trees.
    assert abs(off.mean()) < 0.7


def test_stands_say_from_which_diameter_on_trees_were_counted():
    """What no source says is told as not told; grassland has no diameters, and neither has a single tree."""
    source = {"name": "t", "origin": "measured", "title": "T", "licence": "CC0-1.0"}
    rows = pd.DataFrame(
        {"name": list("abcd"), "variable": ["agb_density", "bcef", "carbon_fraction", "wood_density"]}
    )
    rows = rows.assign(mean=[80.0, 0.7, 0.5, 0.4], unit=["t/ha", "t/m3", "1", "g/cm3"], sources="X")
    forest_rows = sl.Table.from_values(rows, "values_forest_x", "0.1.0", source=source).values
    assert list(forest_rows["definition"]) == [
        "component=aboveground_unspecified;dbh_threshold=unstated",
        "dbh_threshold=unstated",
        "",
        "",
    ]
    told = (
        vocabulary.estimand(forest_rows.iloc[1].to_dict(), "zh"),
        vocabulary.estimand(forest_rows.iloc[1].to_dict(), "en"),
    )
    assert "起测径阶未注明" in told[0] and "diameter threshold not stated" in told[1]
    meadow = sl.Table.from_values(rows.head(1), "values_grassland_x", "0.1.0", source=source).values
    assert list(meadow["definition"]) == ["component=aboveground_unspecified"]
    # Where all rows say it, the row does; where some do not, it is not said.
    plots = pd.DataFrame({"agb_density": [1.0, 2.0], "dbh_threshold": [5.0, 5.0]})
    assert literature.definition_of(plots, "agb_density") == "dbh_threshold=5"
    assert (
        literature.definition_of(plots.assign(dbh_threshold=[5.0, np.nan]), "agb_density")
        == "dbh_threshold=unstated"
    )
    assert (
        literature.definition_of(plots.assign(dbh_threshold=[5.0, 3.0]), "agb_density")
        == "dbh_threshold=several"
    )
    assert vocabulary.group_label("dbh_threshold=5", "en") == "trees from 5 cm dbh"


def test_equations_say_what_was_weighed_and_counted(tmp_path):
    rng = np.random.default_rng(2)
    stands = pd.DataFrame(
        {"growing_stock": rng.uniform(20, 300, 30), "study_id": np.repeat([f"s{i}" for i in range(6)], 5)}
    )
    stands["agb_density"] = 1.1 * stands["growing_stock"] ** 0.9 * rng.lognormal(0, 0.1, 30)
    told = {"name": "t", "origin": "measured", "components": {"agb_density": "aboveground_unspecified"}}
    fit = sl.fit(stands, "agb_density = a * growing_stock**b", variance="lognormal", cluster="study_id")
    from dataclasses import replace

    fit = replace(fit, source=fit.source | told)
    sl.Table.from_fits(fit, "agb_density_forest_x", "0.1.0", source=told).write(tmp_path)
    read = sl.Table.read("agb_density_forest_x", tmp_path)
    said = read.frames["equations"]["definition"].tolist()
    assert said == ["component=aboveground_unspecified;dbh_threshold=unstated"]
    from sinklab.drafts import blocks

    cells = blocks.samples(lambda *args: args[4], read.models[0], "zh", "x", "x")
    assert "地上部分（是否含伐桩未说明）；起测径阶未注明" in cells
    trees = pd.DataFrame({"dbh": rng.uniform(5, 30, 30)})
    trees["agb"] = 0.1 * trees["dbh"] ** 2.4 * rng.lognormal(0, 0.1, 30)
    single = sl.Table.from_fits(
        sl.fit(trees, "agb = a * dbh**b", cluster="none"), "agb_forest_x", "0.1.0", source=told
    )
    assert single.frames["equations"]["definition"].tolist() == ["component=aboveground_unspecified"]


def test_one_bay_under_several_names_is_one_site():
    from sinklab.data import regions

    cores = pd.DataFrame(
        {
            "study_id": ["a", "b", "c", "d", "e"],
            "site": ["Deep Bay", "Mai Po Nature Reserve", "Guangdong", "Yingluo Harbor", "Guangxi"],
            "latitude": [22.52, 22.49, 22.493, 21.56, 24.0],
            "longitude": [114.02, 114.03, 114.029, 109.757, 108.0],
        }
    )
    assert regions.places(cores).tolist() == ["deep_bay", "deep_bay", "deep_bay", "yingluo_bay", ""]
    units = cores.assign(soc_stock=[200.0, 220.0, 240.0, 100.0, 90.0])
    sites = ["study_id", "site"]
    apart = soil.summarise(units, "soc_stock", sites).iloc[0]
    joined = soil.summarise(units.assign(place=regions.places(cores)), "soc_stock", sites).iloc[0]
    assert (apart["n_site"], joined["n_site"]) == (5, 3)
    # The mean is that of three places: the bay counts once.
    assert joined["mean"] == pytest.approx(np.mean([220.0, 100.0, 90.0]))
