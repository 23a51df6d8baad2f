"""Recomputing a table: what agrees, what was altered, and what cannot be had."""

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from published_tables import EQUATIONS, make_trees, values_table

from sinklab import paths
from sinklab.cli import main
from sinklab.data import open_data
from sinklab.data.files import write_csv
from sinklab.evidence import pooling
from sinklab.fitting import fit, fit_by
from sinklab.fitting.resample import bootstrap
from sinklab.language import set_language
from sinklab.review.verification import tolerance, verify
from sinklab.tables.package import to_json
from sinklab.tables.table import Table


@pytest.fixture(scope="module")
def trees_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "trees.csv"
    write_csv(make_trees(), path)
    return path


def read_trees(path):
    from sinklab.data.files import read_csv

    return read_csv(path, numeric={"dbh", "height", "stem", "branch", "root"})


def source_of(path):
    files = {path.name: paths.file_sha256(path)}
    return {"spec": f"file:{path.name}", "files": files, "origin": "measured"}


@pytest.fixture(scope="module")
def system_fit(trees_file):
    return fit(read_trees(trees_file), EQUATIONS, method="nsur", seed=3)


@pytest.fixture
def folder(system_fit, trees_file, tmp_path):
    source = source_of(trees_file)
    return Table.from_fits(system_fit, "agb_forest_test", "1.0.0", source=source, by_class="site").write(
        tmp_path
    )


def edit(folder, name, change, consistent=True):
    """Alter a file by hand; ``consistent`` mends the hash in the description as a clever hand would."""
    path = folder / name
    content = change(path.read_bytes())
    assert content != path.read_bytes()
    path.write_bytes(content)
    if consistent:
        head = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
        for resource in head["resources"]:
            if resource["path"] == name:
                resource |= {"hash": f"sha256:{hashlib.sha256(content).hexdigest()}", "bytes": len(content)}
        (folder / "datapackage.json").write_bytes(to_json(head))


def test_an_untouched_table_agrees(folder, trees_file):
    found = verify(folder, data=[trees_file])
    assert found.agreed, found.differences()
    summary = found.summary().set_index("file")
    # 7 coefficients with value, se, lower, upper and kind of interval; 28 cells of the covariance.
    assert summary.loc["coefficients", "n"] == 7 * 5 and summary.loc["covariance", "n"] == 28
    assert summary.loc["indices", "n"] == len(pd.read_csv(folder / "indices.csv")) * 10 - summary_blanks(
        folder
    )
    assert (summary["n"] == summary["n_agreed"]).all() and (summary["largest"] < 1).all()
    assert summary.loc["draws", "largest"] > 0


def summary_blanks(folder):
    frame = pd.read_csv(folder / "indices.csv", encoding="utf-8-sig")
    numbers = ["n", "R2", "SEE", "TRE", "ASE", "MPE", "MPSE", "RMSE", "AIC", "BIC"]
    return int(frame[numbers].isna().sum().sum())


def test_a_coefficient_altered_by_hand_is_named(folder, trees_file):
    stored = pd.read_csv(folder / "coefficients.csv", encoding="utf-8-sig")
    old = str(stored["value"][0])
    new = str(stored["value"][0] + 0.01 * stored["se"][0])
    edit(folder, "coefficients.csv", lambda raw: raw.replace(old.encode(), new.encode()))
    found = verify(folder, data=[trees_file])
    assert not found.agreed
    # A hundredth of a standard error: nobody sees it, and the package contradicts itself nowhere.
    assert found.problems == ()
    (line,) = found.differences()
    assert line.startswith("coefficients: model, a1: value = ") and "tolerance" in line
    (wrong,) = [c for c in found.comparisons if not c.agreed]
    assert wrong.deviation == pytest.approx(10, rel=1e-3)


def test_a_careless_hand_is_seen_by_the_hash(folder, trees_file):
    edit(folder, "indices.csv", lambda raw: raw.replace(b",0.9", b",0.8", 1), consistent=False)
    found = verify(folder, data=[trees_file])
    assert any("indices" in p and "hash" in p for p in found.problems), found.problems
    assert any(line.startswith("indices: model, stem: R2") for line in found.differences())


def test_other_draws_of_the_same_fit_agree_and_shifted_ones_do_not(folder, trees_file, system_fit):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    path = folder / "draws.parquet"
    frame = parquet.read_table(path).to_pandas()

    def replaced(drawn):
        def change(_):
            parquet.write_table(pa.Table.from_pandas(drawn, preserve_index=False), path)
            return path.read_bytes() + b""

        content = change(None)
        path.write_bytes(b"")
        edit(folder, "draws.parquet", lambda _: content)

    normal = replace(system_fit, seed=99).draws(1000).to_numpy()
    other = frame.copy()
    other[system_fit.labels] = normal
    replaced(other)
    assert verify(folder, data=[trees_file]).agreed
    # Same means and standard deviations, but without the joint uncertainty.
    for i, label in enumerate(system_fit.labels):
        other[label] = np.random.default_rng(i).permutation(normal[:, i])
    replaced(other)
    found = verify(folder, data=[trees_file])
    assert found.problems == () and len(found.differences()) == 1
    assert "draws: model: spread" in found.differences()[0]


def test_changed_data_are_named(folder, trees_file, tmp_path):
    other = tmp_path / "other" / "trees.csv"
    other.parent.mkdir()
    write_csv(make_trees().assign(stem=lambda f: f["stem"] * np.where(f.index == 7, 1.5, 1.0)), other)
    found = verify(folder, data=[other])
    lines = found.differences()
    assert lines[0].startswith("input trees.csv: SHA-256")
    assert any(line.startswith("provenance: model: fingerprint") for line in lines)
    assert any(line.startswith("coefficients: model, a1: value") for line in lines)


def test_missing_data_are_said_plainly(folder, capsys):
    found = verify(folder)
    assert not found.agreed and found.differences() == []
    assert "name it with --data trees.csv" in found.missing[0]
    assert main(["table", "verify", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "could not be recomputed" in out and "NOT agreed" in out


@pytest.mark.parametrize("kind", ["case", "residual"])
def test_bootstrap_is_repeated(trees_file, tmp_path, kind):
    result = fit(read_trees(trees_file), "stem = a * dbh**b", method="wls", variance="power:mean")
    result = bootstrap(result, n=60, kind=kind, seed=5)
    made = Table.from_fits(result, "stem_forest_boot", "1.0.0", source=source_of(trees_file)).write(tmp_path)
    found = verify(made, data=[trees_file])
    # 60 draws are few for the limits of validation; the recomputation itself must agree.
    assert found.differences() == [] and found.missing == ()


def test_models_by_group_are_each_refitted(trees_file, tmp_path):
    fits = fit_by(
        read_trees(trees_file), "stem = a * dbh**b", "species", method="ols-log", correction="snowdon"
    )
    made = Table.from_fits(fits, "stem_forest_two", "1.0.0", source=source_of(trees_file)).write(tmp_path)
    found = verify(made, data=[trees_file])
    assert found.agreed, found.differences()
    assert sum(c.file == "draws" for c in found.comparisons) == 4


def test_a_study_of_the_repository(tmp_path):
    trees = open_data.load("study:masson_pine_simulated")
    result = fit(trees, "stem = a * dbh**b * height**c", method="wls", variance="power:dbh")
    made = Table.from_fits(result, "stem_forest_masson", "0.1.0").write(tmp_path)
    found = verify(made)
    assert found.agreed, found.differences()
    assert [i.name.rsplit("/", 1)[1] for i in found.inputs if i.agreed][:1] == ["columns.csv"]


def test_pooled_values(tmp_path):
    rows = open_data.load("literature:carbon_fraction")
    values = pooling.summarise(rows, "carbon_fraction", ["species_id", "component"])
    table = Table.from_values(values, "carbon_forest_china", "0.1.0", source=rows.attrs["source"])
    made = table.write(tmp_path)
    assert verify(made).agreed
    mean = float(values["mean"].iloc[2])
    edit(made, "values.csv", lambda raw: raw.replace(repr(mean).encode(), repr(mean * 1.0001).encode(), 1))
    (line,) = verify(made).differences()
    assert line.startswith(f"values: {values['name'].iloc[2]}")


def test_values_that_nobody_pooled_cannot_be_recomputed(tmp_path):
    found = verify(values_table().write(tmp_path))
    assert not found.agreed and found.differences() == []
    assert "nothing says how to recompute" in found.missing[0]


def test_unreadable_files_end_in_a_verdict(folder, trees_file):
    (folder / "covariance.csv").unlink()
    found = verify(folder, data=[trees_file])
    assert not found.agreed and any("covariance.csv" in p for p in found.problems)


def test_tolerances_follow_the_uncertainty():
    assert tolerance("coefficients", "value", 2.0, (0.5, 0.0)) == pytest.approx(5e-4)
    assert tolerance("covariance", "value", 1.0, (0.5, 0.2)) == pytest.approx(2e-4)
    # A bootstrap of 2,500: five Monte Carlo standard errors are a tenth.
    assert tolerance("coefficients", "se", 0.5, (0.5, 0.0), 2500) == pytest.approx(0.0505)
    assert tolerance("values", "mean", 0.5, (0.0, 0.0)) == pytest.approx(5e-7)


def test_command_in_both_languages(folder, trees_file, capsys):
    arguments = ["table", "verify", str(folder), "--data", str(trees_file)]
    assert main(arguments) == 0
    assert "agb_forest_test@1.0.0: agreed" in capsys.readouterr().out
    set_language("zh")
    assert main(arguments) == 0
    assert "相符" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    (content,) = json.loads(capsys.readouterr().out)
    assert content["agreed"] is True and content["inputs"][0]["name"] == "trees.csv"


@pytest.mark.parametrize("ref", ["../agb_forest_test", "agb_forest_test@../1.0.0", "agb_forest_test/.."])
def test_path_traversal_is_refused(folder, ref, tmp_path, capsys):
    shutil.copytree(folder.parent, tmp_path / "elsewhere" / "agb_forest_test")
    root = tmp_path / "elsewhere" / "params"
    root.mkdir()
    assert main(["table", "verify", ref, "--root", str(root)]) == 2
    assert capsys.readouterr().err.startswith("sinklab: table")


def test_parameters_that_vary_at_random(trees_file, tmp_path):
    trees = read_trees(trees_file)
    trees["stem"] *= trees["site"].map({"north": 0.7, "south": 0.9, "east": 1.0, "west": 1.1}).fillna(1.3)
    path = tmp_path / "moved.csv"
    write_csv(trees, path)
    result = fit(read_trees(path), "stem = a[site] * dbh**b", method="mixed", variance="power:mean")
    made = Table.from_fits(result, "stem_forest_mixed", "1.0.0", source=source_of(path)).write(tmp_path)
    found = verify(made, data=[path])
    assert found.agreed, (found.problems, found.differences())
    assert any(c.file == "random_effects" for c in found.comparisons)


@pytest.mark.parametrize(
    "fault", [np.linalg.LinAlgError("SVD did not converge"), ZeroDivisionError("by zero")]
)
def test_a_fit_that_breaks_is_a_finding(folder, trees_file, monkeypatch, fault):
    def broken(*_, **__):
        raise fault

    monkeypatch.setattr("sinklab.fitting.fit", broken)
    found = verify(folder, data=[trees_file])
    assert not found.agreed
    assert any(f"model: cannot be fitted again: {fault}" in p for p in found.problems)


@pytest.mark.slow
def test_a_posterior_is_sampled_again(trees_file, tmp_path):
    equation = "stem = a * dbh**b"
    result = fit(read_trees(trees_file), equation, method="bayes", variance="lognormal", seed=4, draws=500)
    made = Table.from_fits(result, "stem_forest_bayes", "1.0.0", source=source_of(trees_file)).write(tmp_path)
    found = verify(made, data=[trees_file])
    assert found.differences() == [] and found.missing == ()
    stored = pd.read_csv(made / "coefficients.csv", encoding="utf-8-sig")
    value = repr(float(stored["value"][1]))
    moved = repr(float(stored["value"][1] + stored["se"][1]))
    edit(made, "coefficients.csv", lambda raw: raw.replace(value.encode(), moved.encode(), 1))
    assert any(
        line.startswith("coefficients: model, b: value")
        for line in verify(made, data=[trees_file]).differences()
    )
