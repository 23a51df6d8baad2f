"""Stocks of stands: files of every kind, geometry, species without a parameter, and totals of regions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pyproj import Geod

from sinklab.cli import main
from sinklab.data import open_data, regions
from sinklab.data.reading import read
from sinklab.evidence.distributions import Distribution
from sinklab.fitting import fit
from sinklab.language import DataError, set_language
from sinklab.propagate.model import Factor
from sinklab.propagate.stands import in_words, models_for, prepare
from sinklab.propagate.stocks import carbon_fractions, co2_per_carbon, defaults, stock
from sinklab.tables.table import Table

gpd = pytest.importorskip("geopandas")
shapely = pytest.importorskip("shapely")

SOURCE = {"spec": "study:test_stands", "origin": "measured", "title": "Test stands", "licence": "CC0-1.0"}
EQUATIONS = "agb_density = a * growing_stock**b\nbgb_density = agb_density * r0"


def table(group, a=1.1, seed=1, equations=EQUATIONS, n=80):
    rng = np.random.default_rng(seed)
    stock_m3 = rng.uniform(10, 350, n)
    agb = a * stock_m3**0.88 * rng.lognormal(0, 0.2, n)
    data = pd.DataFrame({"growing_stock": stock_m3, "agb_density": agb})
    data["bgb_density"] = 0.22 * agb * rng.lognormal(0, 0.2, n)
    return Table.from_fits(
        fit(data, equations, seed=seed), f"agb_density_forest_{group}", "1.0.0", source=SOURCE
    )


@pytest.fixture(scope="module")
def tables():
    return [table("pinus_massoniana", 0.9, 1), table("larix", 1.2, 2)]


def grid(n=120, seed=3):
    """Stands of 0.01 degrees in two cities, with counties that bear the same name in both."""
    rng = np.random.default_rng(seed)
    i = np.arange(n)
    x, y = 108 + 0.01 * (i % 12), 23 + 0.01 * (i // 12)
    frame = {
        "xbh": [f"s{k:03d}" for k in i],
        "species": rng.choice(["马尾松", "兴安落叶松", "Larix olgensis"], n),
        "growing_stock": rng.uniform(30, 300, n).round(1),
        "city": np.where(i % 12 < 6, "南宁市", "百色"),
        "county": np.where(i // 12 < 5, "城区", "郊区"),
    }
    return gpd.GeoDataFrame(frame, geometry=shapely.box(x, y, x + 0.0099, y + 0.0099), crs=4490)


# names and layers


def test_zones_and_cities_are_those_of_the_plans():
    cities = [r for r in regions.all_regions() if r.level == "city"]
    assert len([r for r in cities if r.province == "四川"]) == 21
    assert len([r for r in cities if r.province == "广西"]) == 14
    assert len({r.zone for r in cities if r.zone}) == 5
    assert regions.find("凉山彝族自治州").zone == "川西南" and regions.find("阿坝").zone == "川西北"
    assert regions.find("Lishui").province == "浙江" and regions.find("赤峰市").province == "内蒙古"
    assert regions.find("南宁路") is None
    frame, unknown = regions.add_regions(pd.DataFrame({"city": ["百色市", "达州", "武汉", None]}))
    assert list(frame["province"]) == ["广西", "四川", "", ""] and frame["zone"][1] == "川东北"
    assert unknown == {"武汉": 1, "": 1}


def test_counties_are_found_by_name_city_and_code():
    counties = [r for r in regions.all_regions() if r.level == "county"]
    assert len({r.code for r in counties}) == len(counties) == 315
    assert all(
        regions.find(r.name_zh, "county", r.city) == regions.find(r.code, "county") == r for r in counties
    )
    assert regions.find("横州", "county").city == "南宁" and regions.find("若尔盖", "county").zone == "川西北"
    # Two cities have a county of this name, so the name alone says nothing.
    assert (
        regions.find("市中区", "county") is None
        and regions.find("市中区", "county", "乐山市").code == "511102"
    )
    frame, unknown = regions.add_regions(pd.DataFrame({"county": ["阿鲁科尔沁旗", "市中区", "会理", ""]}))
    assert list(frame["city"]) == ["赤峰", "", "凉山", ""] and frame["province"][0] == "内蒙古"
    assert unknown == {"市中区": 1, "": 1}


def test_areas_are_those_of_the_ellipsoid():
    stands = grid(4)
    exact = [abs(Geod(ellps="GRS80").geometry_area_perimeter(g)[0]) / 1e4 for g in stands.geometry]
    np.testing.assert_allclose(regions.hectares(stands), exact, rtol=1e-5)
    np.testing.assert_allclose(regions.hectares(stands.to_crs(32649)), exact, rtol=1e-5)


@pytest.mark.parametrize("kind", ["gpkg", "parquet", "shp", "shp_gbk", "shp_utf8", "csv"])
def test_every_kind_of_file_gives_the_same_stands(tmp_path, kind):
    stands = grid(10).rename(columns={"species": "树种"})
    path = tmp_path / f"stands.{kind.partition('_')[0]}"
    if kind == "parquet":
        stands.to_parquet(path)
    elif kind == "csv":
        stands.drop(columns="geometry").to_csv(path, index=False, encoding="gb18030")
    elif kind == "gpkg":
        stands.to_file(path)
    else:
        short = stands.rename(columns={"growing_stock": "stock"})
        short.to_file(path, encoding="UTF-8" if kind == "shp_utf8" else "GB18030")
        if kind != "shp":
            path.with_suffix(".cpg").unlink()
    found = read(path)
    assert list(found.attrs["account"].written["树种"]) == list(stands["树种"])
    if kind != "csv":
        np.testing.assert_allclose(regions.hectares(found), regions.hectares(stands), rtol=1e-9)


def test_a_layer_without_or_with_a_wrong_reference_system_is_refused(tmp_path):
    grid(4).set_crs(None, allow_override=True).to_file(tmp_path / "bare.gpkg")
    with pytest.raises(DataError, match="names no coordinate reference system"):
        regions.read_layer(tmp_path / "bare.gpkg")
    assert regions.read_layer(tmp_path / "bare.gpkg", crs=4490).crs.to_epsg() == 4490
    grid(4).set_crs(32649, allow_override=True).to_file(tmp_path / "wrong.gpkg")
    with pytest.raises(DataError, match="cannot be in"):
        regions.read_layer(tmp_path / "wrong.gpkg")
    (tmp_path / "junk.gpkg").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read"):
        regions.read_layer(tmp_path / "junk.gpkg")


# geometry


def faulty():
    stands = grid(12)
    shapes = stands.geometry.to_numpy().copy()
    x, y = 108.02, 23.0
    shapes[2] = shapely.Polygon([(x, y), (x + 0.0099, y + 0.0099), (x + 0.0099, y), (x, y + 0.0099)])
    shapes[5] = shapely.box(108.045, 23, 108.0599, 23.0099)  # lies on half of stand 4
    shapes[7] = None
    shapes[8] = shapely.Point(108.08, 23)
    return stands.set_geometry(gpd.GeoSeries(shapes, crs=4490))


def test_faulty_geometry_is_mended_settled_and_listed():
    whole = regions.hectares(grid(12)).to_numpy()
    found = prepare(faulty(), "xbh")
    problems = found.problems.set_index("stand")
    area = found.frame["area_ha"].to_numpy()
    assert problems.loc["s002", "problem"] == "invalid geometry" and area[2] == pytest.approx(
        whole[2] / 2, rel=1e-3
    )
    assert problems.loc["s002", "area_ha"] == pytest.approx(area[2])
    assert problems.loc["s005", "problem"] == "overlap" and "s004" in problems.loc["s005", "detail"]
    assert area[4] == pytest.approx(whole[4])
    assert area[5] == pytest.approx(whole[5] * 100 / 99, rel=1e-3)  # half of stand 4 is cut
    assert problems.loc["s005", "area_ha"] == pytest.approx(49 / 99 * whole[4], rel=1e-3)
    assert list(problems.index[problems["problem"] == "no area"]) == ["s007", "s008"]
    ground = regions.hectares(gpd.GeoSeries([shapely.union_all(found.frame.geometry)], crs=4490))[0]
    assert np.nansum(area) == pytest.approx(ground)
    kept = prepare(faulty(), "xbh", overlap="keep")
    assert np.nansum(kept.frame["area_ha"]) == pytest.approx(ground + problems.loc["s005", "area_ha"])
    with pytest.raises(DataError, match="s004 × s005"):
        prepare(faulty(), "xbh", overlap="error")


def test_a_stand_inside_or_equal_to_another_is_an_overlap_too():
    stands = grid(3)
    shapes = stands.geometry.to_numpy().copy()
    shapes[1], shapes[2] = shapes[0], shapely.box(108.002, 23.002, 108.004, 23.004)
    found = prepare(stands.set_geometry(gpd.GeoSeries(shapes, crs=4490)))
    assert list(found.frame["area_ha"].round(6))[1:] == [0, 0]
    assert (found.problems["problem"] == "overlap").sum() == 3


def test_areas_of_the_register_stand_in_and_are_compared():
    stands = faulty().assign(area=regions.hectares(faulty()))
    stands.loc[7, "area"], stands.loc[0, "area"] = 40.0, 99.0
    found = prepare(stands, "xbh", "area")
    kinds = found.problems.groupby("stand")["problem"].apply(list)
    assert found.frame["area_ha"][7] == 40 and kinds["s007"] == ["no polygon"]
    assert kinds["s000"] == ["area differs"] and found.frame["area_ha"][0] == pytest.approx(111.27, abs=0.01)
    with pytest.raises(DataError, match="name the column that holds their area"):
        prepare(pd.DataFrame({"species": ["a"]}))


# stocks


def test_totals_add_up_and_their_errors_are_shared(tables):
    found = stock(prepare(grid(), "xbh"), tables, by=["city", "county"], n_draw=2000, seed=2)
    rows = found.summary().set_index(["level", "city", "county"])
    total = rows.loc[("total", "", "")]
    county = rows.loc["county"]
    assert len(county) == 4 and len(rows.loc["city"]) == 2  # counties of one name in two cities are two
    for column in ("n_stand", "area_ha", "carbon_t"):
        assert county[column].sum() == pytest.approx(total[column])
        assert rows.loc["city"][column].sum() == pytest.approx(total[column])
    np.testing.assert_allclose(rows["se_t"], rows["se_approach1_t"], rtol=0.08)
    # Independent counties would have this error; the shared parameters make it larger.
    assert total["se_t"] > 1.2 * np.sqrt((county["se_t"] ** 2).sum())
    assert total["co2e_t"] == pytest.approx(total["carbon_t"] * 44 / 12)


def test_one_stand_is_area_times_density_times_carbon(tables):
    stands = grid(6)
    found = stock(prepare(stands, "xbh"), tables, carbon_fraction=0.5, n_draw=64)
    row = found.stands.iloc[0]
    model = tables[0 if row["species"] == "马尾松" else 1]
    predicted = model.predict(stands.iloc[[0]])
    density = float((predicted["agb_density"] + predicted["bgb_density"]).iloc[0])
    assert row["carbon_t"] == pytest.approx(row["area_ha"] * density * 0.5)
    assert co2_per_carbon() == pytest.approx(11 / 3) and defaults()["carbon_fraction"] == 0.47
    above = stock(prepare(stands, "xbh"), tables, carbon_fraction=0.5, responses=["agb_density"], n_draw=64)
    alone = model.predict(stands.iloc[[0]], kind="individual")["agb_density"].iloc[0]
    assert above.stands["carbon_t"][0] == pytest.approx(row["area_ha"] * alone * 0.5)


def test_relative_error_stays_when_stands_become_many(tables):
    def relative(n):
        frame = pd.DataFrame({"species": "马尾松", "growing_stock": np.linspace(50, 250, n), "area": 10.0})
        total = stock(prepare(frame, area="area"), tables, n_draw=500).summary().iloc[-1]
        return total["se_t"] / total["carbon_t"]

    few, many, most = relative(10), relative(1000), relative(20000)
    assert few > 1.5 * many and most == pytest.approx(many, rel=0.15) and most > 0.01


def test_carbon_fractions_of_species_are_shared_by_species(tables):
    spread = Factor(
        "carbon_fraction", {"pinus_massoniana": Distribution("normal", 0.5, 0.05), "": 0.47}, "species_id"
    )
    stands = grid()
    plain = stock(prepare(stands, "xbh"), tables, carbon_fraction=spread, residual=False, n_draw=2000)
    none = stock(
        prepare(stands, "xbh"),
        tables,
        carbon_fraction=Factor("carbon_fraction", {"pinus_massoniana": 0.5, "": 0.47}, "species_id"),
        residual=False,
        n_draw=2000,
    )
    pine = plain.stands.loc[plain.stands["species"] == "马尾松", "carbon_t"].sum()
    added = plain.summary()["se_t"].iloc[-1] ** 2 - none.summary()["se_t"].iloc[-1] ** 2
    assert added == pytest.approx((0.1 * pine) ** 2, rel=0.15)


def test_carbon_fractions_come_from_a_table_with_what_is_missing_named():
    rows = [
        {
            "name": "carbon_fraction[a]",
            "group": "species_id=pinus_massoniana;component=whole_plant",
            "p1": 100.0,
            "p2": 100.0,
            "family": "beta",
        },
        {
            "name": "carbon_fraction[b]",
            "group": "species_id=larix;component=stem_wood",
            "p1": 9.0,
            "p2": 9.0,
            "family": "beta",
        },
    ]
    values = pd.DataFrame(
        [r | {"variable": "carbon_fraction", "unit": "1", "mean": 0.5, "sources": "X"} for r in rows]
    )
    found = Table.from_values(values, "carbon_fraction_forest_test", "1.0.0", source=SOURCE)
    factor, notes = carbon_fractions(found, ["larix", "pinus_massoniana"], 0.47)
    assert factor.of("pinus_massoniana").p1 == 100 and factor.of("larix") == 0.47
    assert len(notes) == 1 and "larix" in notes[0] and "pinus" not in notes[0]


def carbon_table(*rows):
    values = pd.DataFrame(
        [
            {"name": f"carbon_fraction[{s},{c}]", "group": f"species_id={s};component={c}", "mean": m}
            | {"variable": "carbon_fraction", "unit": "1", "family": f, "p1": p, "p2": q, "sources": "X"}
            for s, c, m, f, p, q in rows
        ]
    )
    return Table.from_values(values, "carbon_fraction_forest_test", "1.0.0", source=SOURCE)


def test_organs_stand_for_the_whole_by_their_share_of_the_mass():
    # Chinese fir: 66.00 % stem, 8.59 % branch, 7.14 % foliage, 18.27 % root.
    fir = "cunninghamia_lanceolata"
    found = carbon_table(
        (fir, "stem_over_bark", 0.52, "normal", 0.52, 0.02),
        (fir, "branch_unspecified", 0.48, "normal", 0.48, 0.03),
        (fir, "foliage_unspecified", 0.50, "normal", 0.50, 0.01),
        (fir, "root_unspecified", 0.46, "normal", 0.46, 0.04),
        ("pinus_massoniana", "stem_over_bark", 0.55, "normal", 0.55, 0.02),
    )
    factor, notes = carbon_fractions(found, [fir, "pinus_massoniana"], 0.47)
    mean = 0.66 * 0.52 + 0.0859 * 0.48 + 0.0714 * 0.50 + 0.1827 * 0.46
    sd = 0.66 * 0.02 + 0.0859 * 0.03 + 0.0714 * 0.01 + 0.1827 * 0.04
    assert factor.of(fir).mean == pytest.approx(mean, rel=1e-3)
    assert factor.of(fir).sd == pytest.approx(sd, rel=1e-3)
    # The stem alone is 62 % of a Masson pine: too little to stand for the rest.
    assert factor.of("pinus_massoniana") == 0.47
    assert len(notes) == 2 and f"{fir}: {mean:.3f}" in notes[0] and "pinus_massoniana" in notes[1]
    above, _ = carbon_fractions(found, [fir], 0.47, organs=["stem", "branch", "foliage"])
    assert above.of(fir).mean == pytest.approx((mean - 0.1827 * 0.46) / 0.8173, rel=1e-3)


def test_a_stand_where_the_equation_has_no_value_is_listed_and_spares_the_totals(tmp_path, capsys):
    rng = np.random.default_rng(5)
    age = rng.uniform(3, 40, 60)
    data = pd.DataFrame({"age": age, "total_density": 200 * np.exp(-9 / age) * rng.lognormal(0, 0.2, 60)})
    growth = fit(data, "total_density = a * exp(-b / age)", seed=1)
    by_age = Table.from_fits(growth, "total_density_forest_larix", "1.0.0", source=SOURCE)
    stands = grid(40).assign(species="兴安落叶松", age=20.0)
    stands.loc[7, "age"] = 0.0
    stands.loc[8, "county"] = "新区"
    stands.loc[8, "age"] = 0.0
    found = stock(prepare(stands, "xbh"), [by_age], by=["county"], carbon_fraction=0.5, n_draw=64)
    lost = found.problems[found.problems["problem"] == "no value"]
    assert len(lost) == (stands["age"] == 0).sum() and set(lost["detail"]) == {"age = 0"}
    summary = found.summary().set_index("county")
    assert summary.loc["城区", ["lower_t", "upper_t", "relative"]].notna().all()
    assert summary.loc["", ["lower_t", "upper_t", "relative"]].notna().all()
    by_age.write(tmp_path)
    file = tmp_path / "stands.gpkg"
    stands.to_file(file, driver="GPKG")
    options = [
        "--table",
        "total_density_forest_larix",
        "--root",
        str(tmp_path),
        "--id",
        "xbh",
        "--by",
        "county",
    ]
    set_language("en")
    try:
        assert main(["stock", str(file), *options, "--draws", "64"]) == 0
    finally:
        set_language(None)
    said = capsys.readouterr()
    assert "新区: no stand of it is counted" in said.out and "no value: " in said.err


def test_stands_that_cannot_be_computed_are_listed_with_their_area(tables):
    stands = grid(30)
    stands.loc[3, "species"], stands.loc[4, "species"] = "银杏", None
    stands.loc[5, "growing_stock"], stands.loc[6, "growing_stock"] = np.nan, 900
    prepared = prepare(stands, "xbh")
    found = stock(prepared, tables, by=["city"], n_draw=64)
    reasons = found.stands.set_index("xbh")["reason"]
    assert list(reasons[["s003", "s004", "s005", "s006"]]) == [
        "no parameter",
        "no species",
        "no growing_stock",
        "",
    ]
    assert set(found.problems["stand"]) == {"s003", "s004", "s005", "s006"}
    assert found.stands["out_of_range"].sum() == 1
    total = found.summary().iloc[-1]
    lost = found.stands["area_ha"][[3, 4, 5]].sum()
    assert total["area_ha"] - total["area_used_ha"] == pytest.approx(lost)
    assert total["area_out_of_range_ha"] == pytest.approx(found.stands["area_ha"][6])
    assert found.chosen.set_index("species").loc["银杏", "table"] == ""
    assert len(prepared.problems) == 0  # the stands are as they were
    with pytest.raises(DataError, match="s003: no parameter"):
        stock(prepared, tables, missing="error")
    mended = stock(prepared, tables, mapping={"*": "agb_density_forest_larix"}, n_draw=64)
    assert mended.stands["used"].sum() == 28
    how = mended.chosen.set_index("species")["how"]
    assert (
        how["银杏"] == "mapping of all others" and how["马尾松"] == "species" and how["兴安落叶松"] == "genus"
    )
    with pytest.raises(DataError, match="银杏 = nothing: 0 models"):
        stock(prepared, tables, mapping={"银杏": "nothing"})


def test_measured_cores_need_no_model():
    cores = pd.DataFrame(
        {"soc": [80.0, 120.0], "soc_se": [8.0, 6.0], "area": [10.0, 5.0], "city": ["a", "b"]}
    )
    found = stock(prepare(cores, area="area"), [], measured="soc", by=["city"], n_draw=4000)
    rows = found.summary()
    np.testing.assert_allclose(rows["carbon_t"], [800, 600, 1400])
    np.testing.assert_allclose(rows["se_t"], [80, 30, np.hypot(80, 30)], rtol=0.05)


def test_an_uncertainty_that_was_not_given_is_not_nought(tmp_path, capsys):
    cores = pd.DataFrame({"soc": [80.0, 120.0], "area": [10.0, 5.0]})
    found = stock(prepare(cores, area="area"), [], measured="soc", n_draw=200)
    rows = found.summary("ar_tool14")
    np.testing.assert_allclose(rows["carbon_t"], [1400])
    nothing = [
        "se_t",
        "se_approach1_t",
        "lower_t",
        "upper_t",
        "relative",
        "deduction_t",
        "carbon_after_deduction_t",
    ]
    assert rows[nothing].isna().all(axis=None) and found.stands["carbon_se_t"].isna().all()
    cores.to_csv(tmp_path / "cores.csv", index=False)
    command = ["stock", str(tmp_path / "cores.csv"), "--measured", "soc", "--area", "area"]
    assert main([*command, "--rule", "ar_tool14"]) == 0
    printed = capsys.readouterr()
    assert "soc_se" in printed.err
    assert printed.out.splitlines()[-1].split()[4:] == ["1400", "–", "–", "–", "5133.3", "–"]
    cores.assign(soc_se=[8.0, 6.0]).to_csv(tmp_path / "cores.csv", index=False)
    assert main(command) == 0
    assert "–" not in capsys.readouterr().out.splitlines()[-1]


def test_an_effect_of_counties_is_shared_by_their_stands(tables):
    given = {"tables": tables, "by": ["city", "county"], "n_draw": 2000, "carbon_fraction": 0.5}
    plain = stock(prepare(grid(), "xbh"), **given).summary()
    shared = stock(prepare(grid(), "xbh"), **given, effects={"city": 0.1}).summary()
    added = shared["se_t"] ** 2 - plain["se_t"] ** 2
    carbon = plain.loc[plain["level"] == "city", "carbon_t"]
    assert added.iloc[-1] == pytest.approx((0.01 * carbon**2).sum(), rel=0.15)
    county = plain["level"] == "county"
    np.testing.assert_allclose(added[county], 0.01 * plain.loc[county, "carbon_t"] ** 2, rtol=0.2)
    with pytest.raises(DataError, match="no column village"):
        stock(prepare(grid(), "xbh"), tables, effects={"village": 0.1})


def test_a_layer_with_chinese_fields_gives_the_stock_by_hand(tables, tmp_path, capsys):
    stands = grid(12).to_crs(32649)
    fields = {
        "xbh": "小班号",
        "species": "优势树种",
        "growing_stock": "公顷蓄积(m3)",
        "county": "县",
        "city": "市",
    }
    stands = stands[stands["species"] == "马尾松"].rename(columns=fields)
    stands["面积/亩"] = (15 * stands.geometry.area / 1e4).round(2)
    stands.to_file(tmp_path / "小班.gpkg")
    folder = tables[0].write(tmp_path / "params")
    command = [
        "stock",
        str(tmp_path / "小班.gpkg"),
        "--table",
        tables[0].ref,
        "--root",
        str(folder.parents[1]),
    ]
    assert main([*command, "--by", "县", "--draws", "100", "-o", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "公顷蓄积(m3) → growing_stock" in told and "面积/亩 → area [mu → ha]" in told
    a, b, r0 = tables[0].models[0].values
    carbon = 0.47 * (1 + r0) * a * stands["公顷蓄积(m3)"] ** b * regions.hectares(stands)
    found = pd.read_csv(tmp_path / "out" / "stocks.csv").set_index("县")
    for county, rows in carbon.groupby(stands["县"]):
        assert found.loc[county, "carbon_t"] == pytest.approx(rows.sum(), rel=2e-4), county


def test_what_the_numbers_leave_out_is_said(tables):
    made_up = Table.from_fits(
        replace(tables[0].models[0], label="x"),
        "agb_density_forest_pinus_massoniana",
        "2.0.0",
        source=SOURCE | {"origin": "simulated"},
    )
    found = stock(prepare(grid(), "xbh"), [made_up, tables[1]], carbon_fraction=0.5, n_draw=64)
    assert len(found.notes) == 2
    assert found.notes[0].startswith("DEMONSTRATION: agb_density_forest_pinus_massoniana@2.0.0 made")
    assert "0.5 for all stands, without an uncertainty" in found.notes[1]
    above = {"兴安落叶松": "agb_density_forest_larix"}
    pools = [tables[0], table("larix", 1.2, 2, "agb_density = a * growing_stock**b")]
    mixed = stock(
        prepare(grid(), "xbh"), pools, mapping=above, carbon_fraction=Distribution("beta", 50, 50), n_draw=64
    )
    assert len(mixed.notes) == 1 and "species differ in the pool" in mixed.notes[0]


def test_problems_are_told_in_chinese_too():
    set_language("zh")
    try:
        assert in_words("overlap") == "重叠" and in_words("no growing_stock") == "缺 growing_stock"
        assert in_words("no column age") == "缺 age"
    finally:
        set_language(None)
    assert in_words("no column age") == "no column age"


def test_deductions_stand_beside_every_row(tables):
    rows = stock(prepare(grid(), "xbh"), tables, by=["city"], n_draw=500).summary("ar_cm")
    assert set(rows["rule_status"]) == {"recalled"}
    np.testing.assert_allclose(rows["carbon_after_deduction_t"], rows["carbon_t"] - rows["deduction_t"])


# command line


def test_the_command_writes_stocks_problems_and_a_map(tables, tmp_path, capsys, monkeypatch):
    for found in tables:
        found.write(tmp_path / "params")
    stands = grid(40).rename(columns={"growing_stock": "蓄积"})
    stands.loc[3, "species"] = "银杏"
    stands.to_file(tmp_path / "stands.gpkg")
    layer = stands.dissolve("city").reset_index()[["city", "geometry"]]
    layer.to_file(tmp_path / "cities.gpkg")
    command = ["stock", str(tmp_path / "stands.gpkg"), "--root", str(tmp_path / "params")]
    command += ["--table", "agb_density_forest_larix", "agb_density_forest_pinus_massoniana"]
    command += [
        "--column",
        "growing_stock=蓄积",
        "--id",
        "xbh",
        "--by",
        "province,city",
        "--rule",
        "ar_tool14",
    ]
    command += [
        "--draws",
        "200",
        "--predictor-sd",
        "growing_stock=0.1",
        "--area-sd",
        "0.02",
        "-o",
        str(tmp_path / "out"),
    ]
    command += ["--boundaries", str(tmp_path / "cities.gpkg")]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert "银杏: 1 stands" in printed.out and "no parameter: 1" in printed.err
    files = {p.name for p in (tmp_path / "out").iterdir()}
    assert files == {"stocks.csv", "stands.csv", "stands.gpkg", "problems.csv", "parameters.csv", "map.png"}
    rows = pd.read_csv(tmp_path / "out" / "stocks.csv")
    assert list(rows["level"]) == ["province", "city", "city", "total"] and rows["province"][0] == "广西"
    first = (tmp_path / "out" / "stocks.csv").read_bytes()
    assert main([*command, "--workers", "2"]) == 0
    assert (tmp_path / "out" / "stocks.csv").read_bytes() == first
    (tmp_path / "out" / "mine.txt").write_text("keep", encoding="utf-8")
    assert main(command) == 2
    assert "other files" in capsys.readouterr().err and (tmp_path / "out" / "mine.txt").exists()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--rule", "no_such"], "no deduction rule"),
        (["--rule", "vm0047"], "not of a stock"),
        (["--by", "village"], "no column village"),
        (["--carbon-fraction", "47"], "at most 1"),
        (["--column", "growing_stock=volume"], "no column volume"),
        (["--map", "pine"], "NAME=VALUE"),
        (["--effect", "city=much"], "city=much: not a number"),
    ],
)
def test_what_the_command_cannot_use_is_said_once(tables, tmp_path, capsys, extra, message):
    tables[0].write(tmp_path / "params")
    grid(5).to_file(tmp_path / "stands.gpkg")
    command = ["stock", str(tmp_path / "stands.gpkg"), "--root", str(tmp_path / "params")]
    assert main([*command, "--table", "agb_density_forest_pinus_massoniana", *extra]) == 2
    assert message in capsys.readouterr().err


# open data


@pytest.mark.open_data
@pytest.mark.parametrize("genus", ["Larix", "Pinus", "Cunninghamia"])
def test_plots_that_the_model_has_not_seen_add_up_within_its_interval(genus):
    """Chinese plots of genera with over a hundred: fit to one half, stock of the other half against what was measured there."""
    plots = open_data.load("open:eurasia_plots", {"country": "CHN", "genus": genus})
    plots = plots[plots["growing_stock"].notna() & plots["agb_density"].notna()]
    order = np.random.default_rng(0).permutation(len(plots))
    seen, unseen = plots.iloc[order[::2]], plots.iloc[order[1::2]]
    model = fit(seen, "agb_density = a * growing_stock**b", seed=1)
    made = Table.from_fits(model, f"agb_density_forest_{genus.lower()}", "1.0.0", source=SOURCE)
    stands = prepare(unseen.assign(area=1.0), area="area")
    found = stock(stands, [made], "genus", responses=["agb_density"], carbon_fraction=1.0, level=0.999)
    total = found.summary().iloc[-1]
    # Plots of one study resemble each other, so 95 % would be too narrow; a wrong unit is far outside.
    assert total["lower_t"] < unseen["agb_density"].sum() < total["upper_t"]
    # How whole populations differ is a part of it.
    assert total["relative"] < 0.4


# one table for several regions


def test_regions_of_one_table_share_its_parameters_and_each_stand_is_a_site_of_its_own():
    rng = np.random.default_rng(6)
    site, volume = np.repeat(np.arange(14), 9), rng.uniform(10, 350, 126)
    agb = 1.1 * volume**0.88 * np.exp(np.repeat(rng.normal(0, 0.25, 14), 9)) * rng.lognormal(0, 0.1, 126)
    data = pd.DataFrame({"site": [f"s{i}" for i in site], "growing_stock": volume, "agb_density": agb})
    model = fit(data, "agb_density = a * growing_stock**b", seed=1)
    of_larch = Table.from_fits(model, "agb_density_forest_larix", "1.0.0", source=SOURCE)
    stands = pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(6)],
            "species": "兴安落叶松",
            "growing_stock": [80.0, 120.0, 200.0, 150.0, 90.0, 220.0],
            "county": ["A", "A", "A", "B", "B", "C"],
            "area": [10.0, 4.0, 6.0, 8.0, 12.0, 5.0],
        }
    )
    found = stock(
        prepare(stands, "id", area="area"), [of_larch], by=["county"], carbon_fraction=0.5, n_draw=20_000
    )
    # By hand: with masses m = area f / 2 the counties share C through their gradients, and each stand adds its own
    # m^2 (Psi + W).
    mean = model.predict(stands, of="average")["agb_density"].to_numpy()
    mass, (a, _) = 0.5 * stands["area"].to_numpy() * mean, model.values
    slopes = mass[:, None] * np.column_stack([np.full(6, 1 / a), np.log(stands["growing_stock"])])
    county = (stands["county"].to_numpy()[:, None] == list("ABC")).astype(float)
    between, within = (
        m.loc["agb_density", "agb_density"] for m in (model.between.spread, model.between.within)
    )
    gradient = county.T @ slopes
    shared = gradient @ model.covariance.to_numpy() @ gradient.T
    own = np.diag(county.T @ (mass**2 * (between + within)))
    drawn = np.cov(found.draws)
    assert np.diag(drawn) == pytest.approx(np.diag(shared + own), rel=0.1)
    assert drawn[0, 1] == pytest.approx(shared[0, 1], rel=0.25)
    assert drawn[0, 1] > 5 * np.sqrt(drawn[0, 0] * drawn[1, 1] / found.draws.shape[1])
    whole = np.ones(3) @ (shared + own) @ np.ones(3)
    assert found.draws.sum(axis=0).var() == pytest.approx(whole, rel=0.1)


@pytest.mark.parametrize("named", [True, False])
def test_what_provinces_bring_is_drawn_once_for_each(named, tmp_path):
    rng = np.random.default_rng(8)
    province, site = np.repeat(np.arange(12), 24), np.repeat(np.arange(48), 6)
    volume = rng.uniform(20, 350, 288)
    factor = rng.normal(0, 0.3, 12)[province] + rng.normal(0, 0.15, 48)[site]
    agb = 1.1 * volume**0.88 * np.exp(factor) * rng.lognormal(0, 0.08, 288)
    data = pd.DataFrame({"growing_stock": volume, "agb_density": agb})
    data = data.assign(province=[f"p{i}" for i in province], site=[f"s{i}" for i in site])
    model = fit(data, "agb_density = a[province/site] * growing_stock**b", method="mixed", seed=1)
    Table.from_fits(model, "agb_density_forest_larix", "1.0.0", source=SOURCE).write(tmp_path)
    table = Table.read(tmp_path / "agb_density_forest_larix" / "1.0.0")
    stands = pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(6)],
            "species": "兴安落叶松",
            "growing_stock": [80.0, 120.0, 200.0, 150.0, 90.0, 220.0],
            "county": ["A", "A", "A", "B", "B", "C"],
            "province": ["X", "X", "X", "X", "X", "Y"],
            "area": [10.0, 4.0, 6.0, 8.0, 12.0, 5.0],
        }
    )
    given = stands if named else stands.drop(columns="province")
    found = stock(
        prepare(given, "id", area="area"), [table], by=["county"], carbon_fraction=0.5, n_draw=20_000
    )
    # By hand: counties of one province go up and down together by Psi of provinces, those of unnamed ones too.
    mean = model.predict(stands, of="average")["agb_density"].to_numpy()
    mass, (a, _) = 0.5 * stands["area"].to_numpy() * mean, model.values
    slopes = mass[:, None] * np.column_stack([np.full(6, 1 / a), np.log(stands["growing_stock"])])
    county = (stands["county"].to_numpy()[:, None] == list("ABC")).astype(float)
    both, outer = (level.covariance.iloc[0, 0] for level in model.random.levels)
    assert outer > 0.03 > both - outer > 0
    residual = (0.5 * stands["area"] * model.residual["agb_density"].sd(mean, stands)).to_numpy()
    together = (
        (stands[["province"]].to_numpy() == stands["province"].to_numpy()) if named else np.ones((6, 6))
    )
    rows = slopes @ model.covariance.to_numpy() @ slopes.T + np.diag(mass**2 * (both - outer) + residual**2)
    wanted = county.T @ (rows + np.expm1(outer) * np.outer(mass, mass) * together) @ county
    drawn = np.cov(found.draws)
    assert np.diag(drawn) == pytest.approx(np.diag(wanted), rel=0.1)
    assert drawn[0, 1] == pytest.approx(wanted[0, 1], rel=0.12)
    assert drawn[0, 2] == pytest.approx(
        wanted[0, 2], abs=0.03 * np.sqrt(wanted[0, 0] * wanted[2, 2]) + 0.12 * wanted[0, 2]
    )


def test_a_table_whose_id_goes_on_behind_the_species_serves_the_species():
    both = [table("pinus_massoniana_stand", 0.9, 1), table("larix_growing", 1.2, 2)]
    chosen = models_for(["马尾松", "Larix olgensis", "杉木"], both)[1].set_index("species")
    assert chosen["table"].tolist() == [both[0].ref, both[1].ref, ""]
    assert chosen["how"].tolist() == ["species", "genus", ""]


def test_tables_may_be_named_in_two_options_and_reasons_are_counted(tables, tmp_path, capsys):
    for one in tables:
        one.write(tmp_path)
    stands, names = tmp_path / "stands.csv", [one.ref for one in tables]
    rows = pd.DataFrame(
        {"xbh": ["a", "b"], "species": ["马尾松", "兴安落叶松"], "growing_stock": [90, 80], "area_ha": 2}
    )
    rows.to_csv(stands, index=False)
    said = ["stock", str(stands), "--root", str(tmp_path), "-o", str(tmp_path / "out"), "--draws", "200"]
    assert main([*said, "--table", names[0], "--table", names[1]]) == 0
    assert len(pd.read_csv(tmp_path / "out/stands.csv").query("used")) == 2
    rows.assign(species=["杉木", ""]).to_csv(stands, index=False)
    capsys.readouterr()
    assert main([*said, "--table", names[0]]) == 2
    told = capsys.readouterr().err
    assert "1 stands: no parameter (杉木); say --map SPECIES=TABLE" in told and "1 stands: no species" in told
