"""Writing and reading tables: the same numbers, the same bytes, nothing half-written."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from published_tables import EQUATIONS, SOURCE, make_trees

from sinklab.fitting import fit, fit_by
from sinklab.language import TableError
from sinklab.tables import package
from sinklab.tables.checks import validate
from sinklab.tables.package import from_csv, to_csv
from sinklab.tables.table import Table, list_tables, publish, resolve


@pytest.fixture(scope="module")
def trees():
    latin = {"pinus_massoniana": "Pinus massoniana", "cunninghamia_lanceolata": "Cunninghamia lanceolata"}
    made = make_trees()
    return made.assign(species=made["species"].map(latin)).drop(columns="site")


@pytest.fixture(scope="module")
def system_fit(trees):
    return fit(trees, EQUATIONS, method="nsur", seed=3)


@pytest.fixture(scope="module")
def log_fits(trees):
    whole = trees.assign(agb=trees["stem"] + trees["branch"])
    return fit_by(whole, "agb = a * dbh**b", "species", method="ols-log")


@pytest.fixture
def table(system_fit):
    return Table.from_fits(system_fit, "agb_forest_test", "1.0.0", source=SOURCE)


def assert_same_prediction(found, expected):
    assert list(found.columns) == list(expected.columns)
    for column in expected:
        if expected[column].dtype.kind == "f":
            np.testing.assert_allclose(found[column], expected[column], rtol=1e-9, atol=0, err_msg=column)
        else:
            assert list(found[column]) == list(expected[column])


@pytest.mark.parametrize("kind", ["mean", "individual"])
def test_table_predicts_like_the_fit(table, system_fit, trees, tmp_path, kind):
    back = Table.read(table.write(tmp_path))
    new = trees[["dbh", "height"]].iloc[::-1] * [1.3, 1.0]
    assert_same_prediction(
        back.predict(new, level=0.9, kind=kind), system_fit.predict(new, level=0.9, kind=kind)
    )
    assert back.predict(new)["out_of_range"].any()


def test_rebuilt_model_is_the_model(table, system_fit, tmp_path):
    model = Table.read(table.write(tmp_path)).models[0]
    assert model.system == system_fit.system
    assert model.residual == system_fit.residual
    assert model.ranges == system_fit.ranges
    assert model.n == system_fit.n
    assert model.loglik == system_fit.loglik
    assert model.certificate.to_dict() == json.loads(json.dumps(system_fit.certificate.to_dict()))
    assert model.data is None
    # One triangle is stored; the other may differ from it in the last digit.
    pd.testing.assert_frame_equal(model.covariance, system_fit.covariance, rtol=1e-12)
    pd.testing.assert_frame_equal(model.correlation, system_fit.correlation, rtol=1e-12)
    pd.testing.assert_frame_equal(model.index_table, system_fit.index_table, check_exact=True)
    assert (model.parameters["value"].to_numpy() == system_fit.values).all()
    pd.testing.assert_frame_equal(model.draws(1000), system_fit.draws(1000), check_exact=True)


def test_draws_carry_the_joint_uncertainty(table, system_fit, tmp_path):
    draws = Table.read(table.write(tmp_path)).models[0].draws(1000)
    expected = system_fit.covariance.to_numpy()
    se = np.sqrt(np.diag(expected))
    correlation = np.corrcoef(draws.to_numpy(), rowvar=False)
    np.testing.assert_allclose(correlation, expected / np.outer(se, se), atol=0.15)


def test_same_table_gives_the_same_bytes(table, system_fit, tmp_path):
    first = table.write(tmp_path / "one")
    again = Table.from_fits(system_fit, "agb_forest_test", "1.0.0", source=SOURCE).write(tmp_path / "two")
    back = Table.read(first).write(tmp_path / "three")
    names = sorted(p.name for p in first.iterdir())
    for other in (again, back):
        assert sorted(p.name for p in other.iterdir()) == names
        for name in names:
            assert (other / name).read_bytes() == (first / name).read_bytes(), name


def test_files_say_nothing_of_the_machine(system_fit, tmp_path):
    source = SOURCE | {"name": str(tmp_path / "trees.csv"), "files": {"trees.csv": "0" * 64}}
    folder = Table.from_fits(system_fit, "agb_forest_test", "1.0.0", source=source).write(tmp_path)
    for path in folder.glob("*.*"):
        assert str(tmp_path).encode() not in path.read_bytes(), path.name
    record = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    assert record["models"]["model"]["source"]["name"] == "trees.csv"
    assert record["models"]["model"]["source"]["fingerprint"] == system_fit.source["fingerprint"]


def test_csv_opens_in_a_chinese_workbook(table, tmp_path):
    raw = (table.write(tmp_path) / "equations.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in raw
    assert "树干生物量" in raw.decode("utf-8-sig")


def test_models_by_group(log_fits, trees, tmp_path):
    made = Table.from_fits(log_fits, "agb_forest_two", "1.0.0", source=SOURCE)
    assert set(made.frames["models"]["group_column"]) == {"species"}
    back = Table.read(made.write(tmp_path))
    found = back.predict(trees)
    for one in log_fits:
        mine = trees["species"] == one.label
        assert_same_prediction(found[mine], one.predict(trees[mine]))
    chinese = back.frames["models"].set_index("label")["label_zh"]
    assert chinese["Cunninghamia lanceolata"] == "杉木"
    assert back.model("杉木").label == "Cunninghamia lanceolata"
    assert_same_prediction(
        back.predict(trees[["dbh"]], model="pinus_massoniana"), back.models[1].predict(trees[["dbh"]])
    )


def test_groups_by_chinese_name_and_by_number(log_fits, trees):
    made = Table.from_fits(log_fits, "agb_forest_two", "1.0.0", source=SOURCE)
    chinese = trees.assign(
        species=trees["species"].map(
            {one.label: zh for one, zh in zip(log_fits, ("杉木", "马尾松"), strict=True)}
        )
    )
    assert_same_prediction(made.predict(chinese), made.predict(trees))
    whole = trees.assign(agb=trees["stem"] + trees["branch"], plot=np.arange(len(trees)) % 2 + 1)
    by_plot = Table.from_fits(
        fit_by(whole, "agb = a * dbh**b", "plot"), "agb_forest_two", "1.0.0", source=SOURCE
    )
    assert_same_prediction(by_plot.predict(whole.astype({"plot": float})), by_plot.predict(whole))
    with pytest.raises(TableError, match="plot = 3.0"):
        by_plot.predict(whole.assign(plot=3.0))


@pytest.mark.parametrize("method", ["nsur", "wls"])
def test_coefficients_that_vary_by_group(trees, tmp_path, method):
    one = fit(trees, "stem = a[species] * dbh**b", method=method)
    folder = Table.from_fits(one, "stem_forest_test", "1.0.0", source=SOURCE).write(tmp_path)
    back = Table.read(folder)
    assert_same_prediction(back.predict(trees), one.predict(trees))
    pine = one.parameters.set_index("group").loc["Pinus massoniana", "value"]
    assert back.value("a[Pinus massoniana]") == pine
    assert validate(folder) == []


def test_unknown_groups_are_all_named(log_fits, trees, tmp_path):
    made = Table.from_fits(log_fits, "agb_forest_two", "1.0.0", source=SOURCE, by="species")
    strangers = trees.assign(species=["Larix", "Picea"] * (len(trees) // 2))
    with pytest.raises(TableError, match="Larix, Picea.*Cunninghamia lanceolata, Pinus massoniana"):
        made.predict(strangers)
    with pytest.raises(TableError, match="species"):
        made.predict(trees[["dbh"]])


def test_correction_survives(log_fits, tmp_path):
    made = Table.from_fits(log_fits, "agb_forest_two", "1.0.0", source=SOURCE, by="species")
    model = Table.read(made.write(tmp_path)).models[0]
    assert model.correction_kind == "baskerville"
    sigma = model.residual["agb"].sigma
    assert model.correction["agb"] == pytest.approx(np.exp(sigma**2 / 2), rel=1e-12)


def test_simulated_data_stay_demonstration(system_fit):
    for origin in ("simulated", ["measured", "simulated"]):
        made = Table.from_fits(
            system_fit, "agb_forest_test", "1.0.0", status="published", source=SOURCE | {"origin": origin}
        )
        assert made.status == "demonstration"
        assert set(made.frames["equations"]["status"]) == {"demonstration"}


def test_simulated_data_are_recognised_through_the_fit(trees):
    made_up = trees.copy()
    made_up.attrs["source"] = {
        "spec": "study:made_up",
        "origin": "simulated",
        "files": {"data.csv": "0" * 64},
    }
    fits = [fit(made_up, "stem = a * dbh**b"), *fit_by(made_up, "stem = a * dbh**b", "species")]
    for one in fits:
        made = Table.from_fits(one, "stem_forest_test", "1.0.0", status="reviewed")
        assert made.status == "demonstration"
        assert made.provenance.models.popitem()[1].source["files"] == {"data.csv": "0" * 64}


def test_fit_that_did_not_converge_is_refused(system_fit):
    with pytest.raises(TableError, match="did not converge"):
        Table.from_fits(replace(system_fit, converged=False), "agb_forest_test", "1.0.0", source=SOURCE)


def test_impossible_covariance_is_refused(system_fit):
    covariance = system_fit.covariance.copy()
    covariance.iloc[0, 1] = covariance.iloc[1, 0] = 2 * np.sqrt(covariance.iloc[0, 0] * covariance.iloc[1, 1])
    with pytest.raises(TableError, match="positive semi-definite"):
        Table.from_fits(replace(system_fit, covariance=covariance), "agb_forest_test", "1.0.0", source=SOURCE)


def test_data_without_a_name_are_refused(system_fit):
    with pytest.raises(TableError, match="where the data come from"):
        Table.from_fits(replace(system_fit, source={}), "agb_forest_test", "1.0.0")


@pytest.mark.parametrize(
    "table_id",
    ["../../etc", "agb_forest_x/y", "AGB_forest_x", "agb", "agb_forest", "agb__forest_x", "C:\\a_b_c", ""],
)
def test_table_ids_cannot_leave_the_folder(system_fit, table_id, tmp_path):
    with pytest.raises(TableError, match="table id"):
        Table.from_fits(system_fit, table_id, "1.0.0", source=SOURCE)
    if table_id:
        with pytest.raises(TableError):
            resolve(table_id, tmp_path)


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "1.0.0/..", "01.0.0", "latest"])
def test_versions_are_semantic(system_fit, version):
    with pytest.raises(TableError, match="version"):
        Table.from_fits(system_fit, "agb_forest_test", version, source=SOURCE)


def test_a_failed_write_leaves_the_old_table(table, system_fit, tmp_path, monkeypatch):
    folder = table.write(tmp_path)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    other = Table.from_fits(replace(system_fit, seed=4), "agb_forest_test", "1.0.0", source=SOURCE)
    monkeypatch.setattr(package.Path, "write_bytes", _fail_at_last(package.Path.write_bytes))
    with pytest.raises(TableError, match="cannot be written"):
        other.write(tmp_path)
    monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["1.0.0"]


def _fail_at_last(write):
    def failing(path, content):
        if path.name == "datapackage.json":
            raise OSError("disk full")
        return write(path, content)

    return failing


def test_published_versions_are_facts(system_fit, tmp_path):
    Table.from_fits(system_fit, "agb_forest_test", "1.0.0", status="published", source=SOURCE).write(tmp_path)
    Table.from_fits(system_fit, "agb_forest_test", "1.0.0", status="published", source=SOURCE).write(tmp_path)
    other = replace(system_fit, seed=4)
    with pytest.raises(TableError, match="new version"):
        Table.from_fits(other, "agb_forest_test", "1.0.0", source=SOURCE).write(tmp_path)
    Table.from_fits(other, "agb_forest_test", "1.0.1", source=SOURCE).write(tmp_path)
    assert Table.read("agb_forest_test", root=tmp_path).version == "1.0.1"


def test_edited_files_are_refused(table, tmp_path):
    folder = table.write(tmp_path)
    path = folder / "coefficients.csv"
    path.write_bytes(path.read_bytes().replace(b"a1", b"a9"))
    (folder / "ranges.csv").unlink()
    with pytest.raises(TableError, match=r"(?s)coefficients\.csv: changed.*ranges\.csv: missing"):
        Table.read(folder)


def test_description_cannot_point_elsewhere(table, tmp_path):
    folder = table.write(tmp_path)
    path = folder / "datapackage.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"ranges.csv"', '"../ranges.csv"'), encoding="utf-8"
    )
    with pytest.raises(TableError, match="unknown files"):
        Table.read(folder)


def test_formulas_cannot_enter_a_workbook(system_fit):
    made = Table.from_fits(
        replace(system_fit, label='=HYPERLINK("x")'),
        "agb_forest_test",
        "1.0.0",
        source=SOURCE | {"spec": "@cmd"},
    )
    with pytest.raises(TableError, match=r"(?s)label = .*source = '@cmd'"):
        made.write("unused")


def test_latest_version_is_by_number(table, tmp_path):
    for version in ("1.9.0", "1.10.0", "1.2.0"):
        replace(table, version=version).write(tmp_path)
    assert resolve("agb_forest_test", tmp_path).name == "1.10.0"
    assert resolve("agb_forest_test@1.2.0", tmp_path).name == "1.2.0"
    assert resolve(tmp_path / "agb_forest_test").name == "1.10.0"
    with pytest.raises(TableError, match="1.2.0, 1.9.0, 1.10.0"):
        resolve("agb_forest_test@3.0.0", tmp_path)
    with pytest.raises(TableError, match="there are: agb_forest_test"):
        resolve("agb_forest_tent", tmp_path)
    assert [row["version"] for row in list_tables(tmp_path)] == ["1.2.0", "1.9.0", "1.10.0"]
    assert list_tables(tmp_path)[0]["n_equation"] == 4


def test_numbers_by_name(table, system_fit):
    first = system_fit.parameters.iloc[0]
    assert table.value("a1") == first["value"]
    assert table.value("a1", "se") == first["se"]
    assert table.value("a1", model="model") == first["value"]
    assert (table.value("a1", "status"), table.value("a1", "source")) == ("draft", SOURCE["spec"])
    with pytest.raises(TableError, match="no number 'zz'.*a1, b1"):
        table.value("zz")
    with pytest.raises(TableError, match="no column 'mass'"):
        table.value("a1", "mass")


def test_same_name_in_several_models_needs_the_model(log_fits):
    made = Table.from_fits(log_fits, "agb_forest_two", "1.0.0", source=SOURCE, by="species")
    with pytest.raises(TableError, match="2 numbers are called 'b'"):
        made.value("b")
    assert made.value("b", model="Pinus massoniana") == log_fits[1].values[1]


def test_indices_by_class(trees, tmp_path):
    classed = trees.assign(
        dbh_class=pd.cut(trees["dbh"], [0, 10, 20, 99], labels=["<10", "10-20", ">20"]).astype(str)
    )
    one = fit(classed, "stem = a * dbh**b", method="ols-log")
    made = Table.from_fits(one, "stem_forest_test", "1.0.0", source=SOURCE, by_class="dbh_class")
    indices = Table.read(made.write(tmp_path)).frames["indices"]
    classes = indices[indices["class_column"] == "dbh_class"].set_index("class_label")
    expected = classed["dbh_class"].value_counts()
    assert dict(classes["n"]) == dict(expected)
    assert len(indices) == 1 + len(expected)


def test_components_say_what_was_weighed(system_fit):
    made = Table.from_fits(
        system_fit, "agb_forest_test", "1.0.0", source=SOURCE, components={"stem": "stem_over_bark"}
    )
    assert made.frames["equations"].set_index("response")["component"]["stem"] == "stem_over_bark"
    with pytest.raises(TableError, match="root: stump"):
        Table.from_fits(system_fit, "agb_forest_test", "1.0.0", source=SOURCE, components={"root": "stump"})


@pytest.mark.parametrize("number", [0.1, 1 / 3, 1e-300, -0.0, 123456789.0, 5e-324, 1e22, 2.5, -7.0, np.inf])
def test_numbers_survive_the_csv(number):
    frame = pd.DataFrame({"model_id": ["m"], "row": ["a"], "column": ["a"], "value": [number]})
    found = from_csv("covariance", to_csv("covariance", frame))["value"].iloc[0]
    assert found == number and np.signbit(found) == np.signbit(number)


def test_a_version_that_is_there_is_never_replaced_unasked(trees, system_fit, tmp_path):
    def made(seed):
        return Table.from_fits(replace(system_fit, seed=seed), "agb_forest_test", "0.1.0", source=SOURCE)

    first, how = made(3).save(tmp_path)
    assert (first.name, how) == ("0.1.0", "first")
    stored = {p.name: p.read_bytes() for p in first.iterdir()}
    assert made(3).save(tmp_path) == (first, "same")
    second, how = made(4).save(tmp_path)
    assert (second.name, how) == ("0.1.1", "beside")
    assert {p.name: p.read_bytes() for p in first.iterdir()} == stored
    with pytest.raises(TableError, match="0.1.0 is there and stays; take 0.1.2"):
        made(5).save(tmp_path, "0.1.0")
    assert made(5).save(tmp_path, "0.2.0") == (tmp_path / "agb_forest_test" / "0.2.0", "beside")
    assert made(6).save(tmp_path, overwrite=True) == (tmp_path / "agb_forest_test" / "0.2.0", "replaced")
    third, how = made(7).save(tmp_path, "0.1.0", overwrite=True)
    assert (third.name, how) == ("0.1.0", "replaced") and Table.read(third).models[0].seed == 7
    assert [row["version"] for row in list_tables(tmp_path)] == ["0.1.0", "0.1.1", "0.2.0"]


def test_a_notebook_publishes_its_values(tmp_path, monkeypatch, capsys):
    from sinklab import paths

    monkeypatch.setenv("SINKLAB_PARAMS", str(tmp_path))
    names = {"table_id": "carbon_fraction_forest_fir", "version": "0.1.0", "out_dir": "x", "seed": 3}
    names |= {"title_en": "Carbon of fir", "title_zh": "杉木含碳"}
    monkeypatch.setattr(paths, "notebook_code", lambda path: ("hash", ["table_id", "seed", "out_dir"]))
    values = pd.DataFrame({"name": ["carbon_fraction[fir]"], "variable": "carbon_fraction", "mean": 0.5})
    values = values.assign(unit="1", n_study=1, sources="ZZW2020")
    about = {"spec": "literature:carbon_fraction", "origin": "printed"}
    failed = publish(names, "fir.ipynb", values=values, source=about, summary="one value")
    folder = tmp_path / "carbon_fraction_forest_fir" / "0.1.0"
    assert Table.read(folder).title_zh == "杉木含碳" and failed["passed"].eq(False).all()
    told = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    source = told["data"][0]
    assert source["recipe"]["parameters"] == {"table_id": "'carbon_fraction_forest_fir'", "seed": "3"}
    assert source["summary"] == "one value" and source["spec"] == about["spec"]
    assert capsys.readouterr().out.split() == ["0.1.0", "draft"]
    # The source that values carry is taken where none is given, and the values themselves stay as they are.
    values.attrs["source"] = about
    publish(names, values=values, summary="again")
    assert values.attrs["source"] == about


@pytest.mark.parametrize(
    ("table_id", "en", "zh"),
    [
        ("agb_forest_cunninghamia", "Cunninghamia lanceolata", "杉木"),
        ("agb_forest_betula", "Betula", "桦木属"),
        ("agb_forest_pinus_massoniana", "Pinus massoniana", "马尾松"),
        ("soc_stock_karst_houzhai", "houzhai", "houzhai"),
    ],
)
def test_default_title_names_species_and_genera(table_id, en, zh):
    from sinklab.tables.schema import default_title

    assert default_title(table_id, "en").endswith(en) and default_title(table_id, "zh").endswith(zh)
