"""Small files that once failed, each through the command that failed: what is right comes out."""

import json
import math
import shutil

import numpy as np
import pandas as pd
import pytest

from sinklab.cli import main
from sinklab.data.reading import read

STEM = "stem = a*dbh^b*height^c"
SEGMENTS = "agb = where(dbh < k, a*dbh^b, a*k^(b-c)*dbh^c)"


@pytest.fixture
def files(repository):
    return repository / "tests" / "data" / "cases"


@pytest.fixture
def call(files, capsys, tmp_path, repository, monkeypatch):
    """A command in a workbench of its own; a file of the folder is called by its name."""
    for name in ("vocabulary", "rules"):
        shutil.copytree(repository / "data" / name, tmp_path / "data" / name)
    shutil.copy(repository / "data" / "open.yml", tmp_path / "data")
    monkeypatch.setenv("SINKLAB_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = main([str(files / w) if (files / w).is_file() else str(w) for w in words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def fitted(call, file, equations, *options):
    code, out, err = call("fit", file, "--equations", equations, "--json", "-", *options)
    assert code == 0, err
    return json.loads(out)


def values(fit):
    return {p["name"] + (f"[{p['group']}]" if p.get("group") else ""): p["value"] for p in fit["parameters"]}


@pytest.mark.parametrize("method", ["nsur", "wls"])
def test_a_coefficient_for_each_site(call, method):
    """gnls of R: b 2.38135, ln L -236.51; printed a of the six sites."""
    fit = fitted(call, "mix.csv", "stem = a[site]*dbh^b", "--method", method)
    found = [p["value"] for p in fit["parameters"]]
    assert fit["converged"] and fit["loglik"] == pytest.approx(-236.48, abs=0.05)
    np.testing.assert_allclose(found, [0.0762, 0.0732, 0.0743, 0.0846, 0.0749, 0.1028, 2.381], rtol=5e-3)


@pytest.mark.parametrize(
    ("file", "equation", "expected"),
    [
        ("ndvi.csv", "agb_density = a + b*ndvi", [0.60059, 2.50653]),
        ("age0.csv", "height = h0 + x*(1-exp(-y*age))^z", [0.4603, 21.521, 0.06498, 1.5099]),
        ("depth.csv", "soc = a*exp(-k*layer_top)", [30.745, 0.019508]),
    ],
)
def test_predictors_of_zero_and_below(call, file, equation, expected):
    """lm and nls of R."""
    fit = fitted(call, file, equation, "--method", "wls", "--variance", "none")
    np.testing.assert_allclose(list(values(fit).values()), expected, rtol=1e-4)


@pytest.mark.parametrize("equation", ["stem = a*D^b*height^c", "stem = a*D^b", "stem = a*(D^2*H)^b"])
def test_symbols_are_refused_with_their_names(call, equation):
    code, _, err = call("fit", "fresh.csv", "--equations", equation)
    assert code == 2 and "`D` is the symbol of `dbh`" in err and "use `dbh`" in err


def test_a_total_without_a_column_has_its_indices(call):
    code, out, _ = call(
        "fit",
        "fresh.csv",
        "--equations",
        "stem=a*dbh^b; branch=c*dbh^d; foliage=e*dbh^f; w = stem+branch+foliage",
    )
    assert code == 0 and "w         60  0.96144" in out and "-1.7892" in out


def test_a_column_of_sums_changes_no_index(call, files, tmp_path):
    equations = "stem=a*dbh^b; branch=c*dbh^d; foliage=e*dbh^f; agb = stem+branch+foliage"
    trees = read(files / "en.csv")
    whole = trees[["stem", "branch", "foliage"]].sum(axis=1, skipna=False)
    file = tmp_path / "sums.csv"
    trees.assign(agb=whole.round(2)).to_csv(file, index=False)
    with_sums, without = (fitted(call, f, equations)["indices"]["agb"] for f in (file, "en.csv"))
    assert with_sums["n"] == without["n"] == 120
    for name in ("R2", "TRE", "SEE"):
        assert with_sums[name] == pytest.approx(without[name], rel=1e-3)


@pytest.mark.parametrize("factor", ["a[region]", "exp(la[region])"])
def test_regions_at_random(call, factor):
    """nlme of R: ln L -641.2932, b 1.97132, c 0.65969, sd 0.1220."""
    fit = fitted(call, "region_plots.csv", f"carbon = {factor}*mean_dbh^b*density^c", "--method", "mixed")
    found = values(fit)
    assert fit["converged"] and fit["loglik"] == pytest.approx(-641.293, abs=2e-3)
    assert (found["b"], found["c"]) == pytest.approx((1.97132, 0.65969), rel=2e-4)


def test_a_curve_that_misses_its_data_is_told(call):
    code, out, _ = call("fit", "saturating.csv", "--equations", "carbon = a*mean_dbh^b", "--method", "wls")
    assert code == 0 and "R2 = -0.833, worse than the mean of the observations; use another form" in out
    assert "TRE = -19.01%; wanted within ±5" in out


@pytest.mark.slow
@pytest.mark.parametrize(("file", "loglik"), [("seg2.csv", -84.618), ("seg0.csv", None)])
def test_a_knot_is_the_same_from_every_start(call, file, loglik):
    found = [
        fitted(call, file, SEGMENTS, *start)["loglik"]
        for start in ((), ("--start", "k=10"), ("--start", "k=20"))
    ]
    assert max(found) - min(found) < 1e-3
    assert loglik is None or found[0] == pytest.approx(loglik, abs=2e-3)


# Layouts of text files


def test_ids_are_three_stands(call, tmp_path):
    """001, 01 and 1 are different stands, whose areas are 10, 20 and 5 ha."""
    rng = np.random.default_rng(1)
    age = np.linspace(5, 40, 40)
    stands = pd.DataFrame({"age": age, "total_density": 300 * np.exp(-15 / age) * rng.lognormal(0, 0.1, 40)})
    stands.to_csv("stands.csv", index=False)
    options = [
        "--equations",
        "total_density = a*exp(-b/age)",
        "--method",
        "wls",
        "--save",
        "total_density_forest_cunninghamia",
    ]
    assert call("fit", "stands.csv", *options)[0] == 0
    options = [
        "--table",
        "total_density_forest_cunninghamia",
        "--area",
        "area",
        "--id",
        "id",
        "--carbon-fraction",
        "0.5",
    ]
    code, out, err = call("stock", "stid.csv", *options, "--by", "county", "-o", "out")
    assert code == 0, err
    assert "identifier used twice" not in out + err
    found = pd.read_csv(next((tmp_path / "out").glob("*stands*.csv")), dtype=str, encoding="utf-8-sig")
    assert list(found["stand_id"]) == ["001", "01", "1"]
    line = next(line for line in out.splitlines() if line.startswith("total"))
    expected = 0.5 * sum(a * 300 * math.exp(-15 / t) for a, t in ((10, 15), (20, 20), (5, 25)))
    assert float(line.split()[4]) == pytest.approx(expected, rel=0.08)


def test_decimal_commas_give_the_fit_of_points(call, files, tmp_path):
    text = (files / "deccomma.csv").read_text(encoding="utf-8").replace(",", ".").replace(";", ",")
    (tmp_path / "points.csv").write_text(text, encoding="utf-8")
    one, other = (
        fitted(call, f, "stem = a*dbh^b", "--method", "wls") for f in ("deccomma.csv", "points.csv")
    )
    assert one["n"]["stem"] == 40 and list(values(one).values()) == list(values(other).values())
    assert "the comma is the decimal mark" in call("fit", "deccomma.csv", "--equations", "stem = a*dbh^b")[1]


def test_ranges_are_layers_and_errors_stand_apart(call, files):
    frame = read(files / "range.csv")
    assert frame["layer_top"].tolist() == [0, 20] and frame["layer_bottom"].tolist() == [20, 40]
    assert frame["soc"].tolist() == [15, 9] and frame["soc_sd"].tolist() == [2, 1]
    code, out, err = call("data", "check", "range.csv")
    assert code == 0 and "no problem" in out and "B depth → layer_top, layer_bottom" in out + err


def test_row_numbers_and_chinese_names(call):
    assert "counts the rows; ignored" in call("fit", "rowname.csv", "--equations", "stem = a*dbh^b")[1]
    code, out, _ = call("fit", "cn_headers.csv", "--equations", "树干 = a*胸径^b", "--method", "wls")
    assert code == 0 and "GB18030" in out and "stem = a * dbh**b" in out


def test_a_workbook_with_titles_is_the_same_trees(call, files, tmp_path):
    from field_books import book

    trees = pd.read_csv(files / "en.csv", dtype=str, keep_default_na=False)
    names = {
        "dbh": "胸径(cm)",
        "height": "树高(m)",
        "stem": "干",
        "branch": "枝",
        "foliage": "叶",
        "root": "根",
    }
    kept = trees[list(names)].apply(pd.to_numeric).astype(object).where(trees[list(names)] != "", None)
    rows = [["XX林场样木生物量调查"], ["2023年7月"], list(names.values()), *kept.to_numpy().tolist()]
    file = book(tmp_path / "field.xlsx", {"样木": rows, "根": [["另见"]]})
    kept.rename(columns=names).to_csv(tmp_path / "zh.csv", index=False)
    code, out, _ = call("fit", file, "--equations", "干 = a*胸径^b", "--method", "wls")
    assert (
        code == 0 and "header in row 3" in out and "row 1–2: title" in out and "no table in sheet 根" in out
    )
    fits = [fitted(call, f, STEM) for f in (file, tmp_path / "zh.csv", "en.csv")]
    assert fits[0]["n"]["stem"] == 120
    for fit in fits[:2]:
        np.testing.assert_allclose(list(values(fit).values()), list(values(fits[2]).values()), rtol=1e-6)


def test_chinese_names_in_every_command(call, files, tmp_path):
    """predict, plan and stock take 胸径 and 树高 as fit does."""
    trees = read(files / "en.csv")
    assert (
        call("fit", "en.csv", "--equations", STEM, "--method", "wls", "--save", "stem_forest_cases")[0] == 0
    )
    chinese = trees[["dbh", "height"]].rename(columns={"dbh": "胸径", "height": "树高"})
    chinese.assign(面积=1.0).to_csv(tmp_path / "zh.csv", index=False, encoding="gb18030")
    trees[["dbh", "height"]].to_csv(tmp_path / "plain.csv", index=False)
    found = []
    for file in ("zh.csv", "plain.csv"):
        code, _, err = call("predict", "stem_forest_cases", file, "-o", f"out_{file}")
        assert code == 0, err
        found.append(pd.read_csv(f"out_{file}", encoding="utf-8-sig")["stem"].to_numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


@pytest.fixture
def zh(files, tmp_path):
    """Our trees under Chinese names, in mu, ten a plot."""
    trees = read(files / "en.csv")
    names = {"tree": "样木号", "dbh": "胸径", "height": "树高", "stem": "干", "branch": "枝", "foliage": "叶"}
    trees = trees[[c for c in names if c in trees]].rename(columns=names)
    trees.assign(样地号=[f"{i // 10:02d}" for i in range(len(trees))], **{"面积(亩)": 15}).to_csv(
        tmp_path / "zh.csv", index=False, encoding="gb18030"
    )
    return tmp_path / "zh.csv"


def test_trees_under_chinese_names_are_no_stands_and_no_strata(call, zh):
    """What is asked of the file is told beside what was understood of it."""
    assert call("fit", zh, "--equations", STEM, "--method", "wls", "--save", "stem_forest_cases")[0] == 0
    told = "胸径 → dbh"
    code, out, err = call("stock", zh, "--table", "stem_forest_cases")
    assert code == 2 and told in out and "name the column that holds their area" in err
    code, out, err = call("plan", "plots", zh)
    assert code == 2 and told in out and "no column stratum" in err and "dbh" in err


@pytest.mark.parametrize("by", ["样地号", "plot_id"])
@pytest.mark.parametrize("area", ["面积(亩)", "面积", "plot_area", "1"])
def test_columns_that_options_name_keep_the_unit_of_their_header(call, zh, tmp_path, by, area):
    """15 mu are a hectare, by whatever name the column is called."""
    assert call("fit", zh, "--equations", STEM, "--method", "wls", "--save", "stem_forest_cases")[0] == 0
    code, _, err = call(
        "plots", zh, "--table", "stem_forest_cases", "--by", by, "--area", area, "-o", "p.csv"
    )
    assert code == 0, err
    found = pd.read_csv("p.csv")
    np.testing.assert_allclose(found["plot_area"], 1.0)
    assert call("predict", "stem_forest_cases", zh, "-o", "t.csv")[0] == 0
    trees = pd.read_csv("t.csv", encoding="utf-8-sig")["stem"].to_numpy().reshape(12, 10)
    np.testing.assert_allclose(found["stem_biomass_density"], trees.sum(axis=1) / 1000, rtol=1e-9)


@pytest.mark.parametrize("area", ["面积(亩)", "面积", "area", "D"])
@pytest.mark.parametrize(("header", "factor"), [("碳密度(t/hm2)", 1), ("碳储量密度(kg/m2)", 10), ("碳", 1)])
def test_stands_in_mu_by_every_name_of_the_column(call, tmp_path, area, header, factor):
    (tmp_path / "s.csv").write_text(
        f"小班号,县,{header},面积(亩)\n001,甲,4,150\n01,甲,5,300\n", encoding="utf-8"
    )
    code, out, err = call("stock", "s.csv", "--measured", header, "--area", area, "--id", "小班号")
    assert code == 0, err
    total = next(line for line in out.splitlines() if line.startswith("total")).split()
    assert float(total[2]) == 30 and float(total[4]) == pytest.approx(factor * 140, rel=1e-4)


def test_strata_under_chinese_names_and_in_mu_give_the_same_plan(call, tmp_path):
    plans = []
    for name, text in (
        ("en.csv", "stratum,area,mean,sd,cost\nhill,40,80,30,1200\nvalley,10,120,45,900\n"),
        ("zh2.csv", "层,面积(亩),均值,标准差,费用\nhill,600,80,30,1200\nvalley,150,120,45,900\n"),
    ):
        (tmp_path / f"x{name}").write_text(text, encoding="gb18030")
        code, out, err = call("plan", "plots", tmp_path / f"x{name}")
        assert code == 0, err
        plans.append(out[out.index("stratum  area") :])
    assert plans[0] == plans[1] and "mu → ha" in out


def test_two_columns_of_one_diameter_are_asked_for(call, tmp_path):
    assert (
        call("fit", "en.csv", "--equations", STEM, "--method", "wls", "--save", "stem_forest_cases")[0] == 0
    )
    for header in ("dbh,dbh,树高", "胸径(cm),DBH/cm,树高"):
        (tmp_path / "two.csv").write_text(f"{header}\n10,20,12\n11,21,13\n", encoding="utf-8")
        code, _, err = call("predict", "stem_forest_cases", "two.csv")
        assert code == 2 and "dbh: which of A" in err and "--column dbh=A" in err
        code, out, err = call("predict", "stem_forest_cases", "two.csv", "--column", "dbh=B", "-o", "o.csv")
        assert code == 0, err
        one = pd.read_csv("o.csv", encoding="utf-8-sig")["stem"]
        (tmp_path / "one.csv").write_text("dbh,height\n20,12\n21,13\n", encoding="utf-8")
        assert call("predict", "stem_forest_cases", "one.csv", "-o", "p.csv")[0] == 0
        np.testing.assert_allclose(one, pd.read_csv("p.csv", encoding="utf-8-sig")["stem"], rtol=1e-12)


# Files of which nothing, or the wrong thing, was understood


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("unknown_names.csv", "0 of 5 columns recognised; nothing was checked"),
        ("headerless.csv", "the header row is numeric"),
        ("all_mm.csv", "likely written in mm"),
        ("depth_m.csv", "stocks would be 100 times too small"),
        ("short_dbh.csv", "at least 39 (stem 35 + foliage 4)"),
        ("sentinel.csv", "at least 40 (stem 36 + foliage 4)"),
        ("soil_check.csv", "soc·bulk_density = 361"),
    ],
)
def test_checks_that_passed(call, file, words):
    code, out, err = call("data", "check", file)
    assert code != 0 and words in out + err and "no problem" not in out


def test_millimetres_make_no_table(call, files, tmp_path):
    trees = read(files / "en.csv")
    trees.assign(dbh=trees["dbh"] * 10).to_csv(tmp_path / "mm.csv", index=False)
    for file in ("all_mm.csv", "mm.csv"):
        code, _, err = call("fit", file, "--equations", "stem = a*dbh^b", "--save", "stem_forest_mmslip")
        assert (
            code == 2 and "not saved, columns contradict each other" in err and "likely written in mm" in err
        )
    assert not (tmp_path / "params").exists()
    assert "likely written in mm" in "".join(call("data", "check", tmp_path / "mm.csv")[1:])


# Predictions and stands


def test_ids_and_records_without_predictors(call, tmp_path):
    assert (
        call("fit", "en.csv", "--equations", STEM, "--method", "wls", "--save", "stem_forest_cases")[0] == 0
    )
    assert call("predict", "stem_forest_cases", "ids.csv", "-o", "o.csv")[0] == 0
    rows = pd.read_csv("o.csv", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    assert list(rows["plot_id"]) == ["007", "007", "0012"] and list(rows["tree_id"]) == ["001", "002", "010"]
    code, _, err = call("predict", "stem_forest_cases", "na.csv", "-o", "n.csv")
    assert code == 0 and "2 records without dbh or height: no prediction" in err
    notes = pd.read_csv("n.csv", dtype=str, keep_default_na=False, encoding="utf-8-sig")["range_note"]
    assert [bool(n) for n in notes][1:3] == [True, True]


@pytest.mark.parametrize(
    ("names", "encoding"), [(("小班号", "树种", "碳密度"), None), (("id", "species", "carbon"), None)]
)
def test_layers_in_gbk(call, tmp_path, names, encoding):
    """Three stands of 400 m by 400 m with 40, 35.5 and 50.2 t/ha: 2011.2 t on 48 ha; one file says UTF-8 and is GBK."""
    import geopandas as gpd
    from shapely.geometry import box

    stand, species, carbon = names
    shapes = [box(500000 + 500 * i, 2500000, 500400 + 500 * i, 2500400) for i in range(3)]
    land = {stand: ["001", "01", "1"], species: ["杉木", "马尾松", "桉树"], carbon: [40, 35.5, 50.2]}
    gpd.GeoDataFrame(land, geometry=shapes, crs="EPSG:4527".replace("4527", "32649")).to_file(
        "land.shp", encoding="gbk"
    )
    if stand == "id":
        (tmp_path / "land.cpg").write_text("UTF-8")
    else:
        (tmp_path / "land.cpg").unlink(missing_ok=True)
    code, out, err = call("stock", "land.shp", "--measured", carbon, "--id", stand)
    line = next((line for line in out.splitlines() if line.startswith("total")), out + err)
    assert code == 0 and line.split()[1] == "3"
    # The grid of UTM is narrower than the ground by the factor of the projection.
    assert float(line.split()[2]) == pytest.approx(48, rel=2e-3) and float(line.split()[4]) == pytest.approx(
        2011.2, rel=2e-3
    )


def test_one_stand_of_age_0_takes_no_interval_from_its_county(call, tmp_path):
    rng = np.random.default_rng(1)
    age = np.linspace(5, 40, 40)
    stands = pd.DataFrame({"age": age, "total_density": 300 * np.exp(-15 / age) * rng.lognormal(0, 0.1, 40)})
    stands.to_csv("stands.csv", index=False)
    options = [
        "--equations",
        "total_density = a*exp(-b/age)",
        "--method",
        "wls",
        "--save",
        "total_density_forest_pinus_massoniana",
    ]
    assert call("fit", "stands.csv", *options)[0] == 0
    table = [
        "--table",
        "total_density_forest_pinus_massoniana",
        "--area",
        "面积",
        "--id",
        "小班号",
        "--by",
        "县",
    ]
    land = pd.DataFrame(
        {
            "小班号": ["a", "b", "c", "d"],
            "树种": "马尾松",
            "平均年龄": [20, 0, 15, 25],
            "面积": [10.0, 2, 7, 5],
            "县": ["甲", "甲", "乙", "乙"],
        }
    )
    land.to_csv("land.csv", index=False)
    code, out, err = call("stock", "land.csv", *table, "--carbon-fraction", "0.5")
    assert code == 0, err
    rows = [line.split() for line in out.splitlines() if line.startswith(("甲", "乙", "total"))]
    assert len(rows) == 3 and all("–" not in row[4:7] for row in rows), out
    assert "1 (2 ha)" in out + err, out + err
    assert all(math.isfinite(float(row[4])) for row in rows)
