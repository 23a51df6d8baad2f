"""Bad input of every command: one message, the right exit code, and nothing half-written.

A case is a command line and words of the message, with ``=>`` between them; the files it names are made below.
"""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from published_tables import make_trees, values_table

from sinklab import cli, language, paths
from sinklab.cli import main
from sinklab.data.files import write_csv
from sinklab.fitting import fit
from sinklab.tables.package import to_json
from sinklab.tables.table import Table

REPOSITORY = Path(__file__).resolve().parents[2]
TREES = "dbh,agb,site\n" + "".join(
    f"{d},{0.1 * d**2.4 * (1 + 0.05 * (-1) ** d):.4f},{'ABC'[d % 3]}\n" for d in range(5, 35)
)
HEAD = "dbh,agb\n5,4\n9,8\n14,40\n20,90\n"
FILES = {
    "empty.csv": b"",
    "blank.csv": b"\n \n\t\n",
    "bom.csv": b"\xef\xbb\xbf",
    "commas.csv": b",,,\n,,,\n",
    "head.csv": b"dbh,agb\n",
    "nul.csv": b"dbh,agb\n5,\x004\n",
    "utf16.csv": "dbh,agb\n5,4\n".encode("utf-16"),
    "picture.csv": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "zip.csv": b"PK\x03\x04" + bytes(200),
    "twice.csv": HEAD.replace("agb", "dbh").encode(),
    "ragged.csv": (HEAD + "25,120,7,8\n").encode(),
    "unnamed.csv": HEAD.replace("agb", "").encode(),
    "words.csv": (HEAD + "25,many\n").encode(),
    "infinite.csv": (HEAD + "25,inf\n").encode(),
    "infinite_dbh.csv": (HEAD + "1e999,3\n").encode(),
    "nan.csv": (HEAD + "25,#DIV/0!\n").encode(),
    "zero.csv": (HEAD + "0,3\n").encode(),
    "negative.csv": (HEAD + "-7,3\n").encode(),
    "negative_mass.csv": (HEAD + "7,-3\n").encode(),
    "one.csv": b"dbh,agb\n5,4\n",
    "two.csv": b"dbh,agb\n5,4\n9,8\n",
    "no_mass.csv": b"dbh,agb\n5,\n9,\n",
    "huge.csv": (HEAD + "25,1e308\n1e308,5\n").encode(),
    "constant.csv": b"dbh,agb\n5,4\n5,6\n5,5\n5,4.4\n",
    "other.csv": b"D,W\n5,4\n9,8\n",
    "cr.csv": b"dbh,agb\r5,4\r9,8\r",
    "quote.csv": b'dbh,agb\n5,"4\n9,8\n',
    "wide.csv": (",".join(f"c{i}" for i in range(30000)) + "\n1\n").encode(),
    "prior.csv": b"name,prior\na,normal(\n",
    "prior_unknown.csv": b'name,prior\nzz,"normal(0, 1)"\n',
    "prior_columns.csv": b"x,y\n1,2\n",
    "strata.csv": b"stratum,area,mean,sd,cost\nA,10,50,20,1\nB,20,80,30,1\n",
    "strata_words.csv": b"stratum,area,mean,sd,cost\nA,many,50,20,1\n",
    "strata_negative.csv": b"stratum,area,mean,sd,cost\nA,-10,50,20,1\n",
    "strata_columns.csv": b"stratum,area\nA,10\n",
    "stands.csv": b"stand_id,species,area_ha,agb,agb_se,dbh\ns1,x,10,50,5,20\ns2,x,5,40,4,20\n",
    "stands_words.csv": b"stand_id,species,area_ha,agb,dbh\ns1,x,many,50,20\n",
    "stands_negative.csv": b"stand_id,species,area_ha,agb,dbh\ns1,x,-1,50,20\n",
    "stands_twice.csv": b"stand_id,species,area_ha,agb,dbh\ns1,x,1,50,20\ns1,x,1,50,20\n",
    "map.csv": b"tree,model\nx,y\n",
    "text.txt": b"agb = a * dbh^b\n",
    "words.txt": b"this is no equation\n",
    "broken.json": b'{"a": [1, 2',
    "list.yml": b"- 1\n- 2\n",
    "opinions.csv": b"key,kind\n1,comment\n",
    "verdicts.yml": b"verdicts: [1, 2]\n",
    "fake.docx": b"this is no document",
    "cut.docx": b"PK\x03\x04 cut off",
    "fake.gpkg": b"this is no layer",
    "broken.geojson": b'{"type": "FeatureCollection", "features": [',
    "empty.geojson": b'{"type": "FeatureCollection", "features": []}',
    "nowhere.geojson": json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {"type": "Feature", "geometry": None, "properties": {"species": "x", "dbh": 3, "agb": 5}}
            ],
        }
    ).encode(),
}
BATCHES = {
    "empty": "",
    "words": "just words",
    "list": "- 1\n- 2\n",
    "number": "42",
    "null": "null",
    "tab": "jobs:\n\t- {id: a}\n",
    "colon": "a: b: c\n",
    "bomb": "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
    + "".join(
        f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    )
    + "jobs: *j\n",
    "deep": "jobs: " + "[" * 3000 + "]" * 3000,
    "deeper": "jobs: " + "[" * 200000,
    "own": "jobs: &a [*a]\n",
    "date": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: 2024-99-99}}]\n",
    "day": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: 2024-01-02}}]\n",
    "python": "jobs: !!python/object/apply:os.getcwd []\n",
    "binary": "jobs: !!binary //\n",
    "key": "? [1, 2]\n: 3\n",
    "alias": "jobs: *nobody\n",
    "jobs": "jobs: 3\n",
    "job": "jobs: [3]\n",
    "id": "notebook: behave.ipynb\njobs: [{id: ../../up}]\n",
    "id_number": "notebook: behave.ipynb\njobs: [{id: 7}]\n",
    "id_long": f"notebook: behave.ipynb\njobs: [{{id: {'a' * 300}}}]\n",
    "id_twice": "notebook: behave.ipynb\njobs: [{id: A, parameters: {name: a}}, {id: a, parameters: {name: a}}]\n",
    "no_notebook": "jobs: [{id: a}]\n",
    "lost_notebook": "jobs: [{id: a, notebook: lost.ipynb}]\n",
    "odd_notebook": "jobs: [{id: a, notebook: broken.ipynb}]\n",
    "folder_notebook": "jobs: [{id: a, notebook: batches}]\n",
    "key_unknown": "notebook: behave.ipynb\njbs: []\njobs: [{id: a, parameters: {name: a}}]\n",
    "parameter": "notebook: behave.ipynb\njobs: [{id: a, parameters: {nam: a}}]\n",
    "parameters": "notebook: behave.ipynb\njobs: [{id: a, parameters: [1]}]\n",
    "type": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: a, factor: many}}]\n",
    "timeout": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: a}, timeout: -1}]\n",
    "timeout_words": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: a}, timeout: soon}]\n",
    "timeout_nan": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: a}, timeout: .nan}]\n",
    "memory": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: a}, memory: 3}]\n",
    "memory_unit": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: a}, memory: 3 XB}]\n",
    "outputs": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: a}, outputs: [../../etc]}]\n",
    "outputs_root": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: a}, outputs: [/etc/passwd]}]\n",
    "outputs_drive": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: a}, outputs: ['C:/x']}]\n",
    "outputs_number": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: a}, outputs: 3}]\n",
    "inputs": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: a}, inputs: [data/lost.csv]}]\n",
    "include": "include: [lost.yml]\n",
    "include_number": "include: 7\n",
    "overlap": "notebook: behave.ipynb\njobs: [{id: a, parameters: {name: a}, outputs: [params/x]}, "
    "{id: b, parameters: {name: b}, outputs: [params/x/1]}]\n",
    "matrix": "notebook: behave.ipynb\njobs: [{id: 'a{k}', matrix: {k: 3}}]\n",
    "matrix_empty": "notebook: behave.ipynb\njobs: [{id: 'a{k}', matrix: {k: []}}]\n",
    "matrix_large": "notebook: behave.ipynb\njobs: [{id: 'a{k}{l}', matrix: {k: &k ["
    + ",".join(map(str, range(2000)))
    + "], l: *k}}]\n",
    "matrix_brace": "notebook: behave.ipynb\njobs: [{id: 'a{m}', matrix: {k: [1]}}]\n",
    "draft": "drafts: [{name: lost}]\n",
    "draft_path": "drafts: [{name: ../../up}]\n",
    "draft_lang": "drafts: [{name: lost, lang: [fr]}]\n",
    "title": "title: 3\nnotebook: behave.ipynb\njobs: [{id: a, parameters: {name: a}}]\n",
    "defaults": "notebook: behave.ipynb\ndefaults: {zzz: 1}\njobs: [{id: a, parameters: {name: a}}]\n",
    "good": "notebook: behave.ipynb\ndefaults: {seed: 7}\njobs: [{id: a, parameters: {name: a}}]\n",
}
DRAFTS = {
    "empty": "",
    "words": "just words",
    "bomb": BATCHES["bomb"],
    "deep": BATCHES["deep"],
    "tab": "template:\n\t- x\n",
    "circle": "like: circle\ntemplate: methodology\n",
    "like": "like: nobody\n",
    "template": "template: none\ntitle: {zh: 甲, en: A}\ntables: {}\n",
    "template_path": "template: ../../up\ntitle: {zh: 甲, en: A}\ntables: {}\n",
    "title": "template: methodology\ntitle: 3\ntables: {}\n",
    "tables": "template: methodology\ntitle: {zh: 甲, en: A}\ntables: 3\n",
    "table": "template: methodology\ntitle: {zh: 甲, en: A}\ntables: {main: lost@1.0.0}\n",
    "table_number": "template: methodology\ntitle: {zh: 甲, en: A}\ntables: {main: 3}\n",
    "status": "template: methodology\ntitle: {zh: 甲, en: A}\ntables: {}\nminimum_status: perfect\n",
    "reference": "template: methodology\ntitle: {zh: 甲, en: A}\ntables: {}\nreference: ../../up.docx\n",
    "preview": "template: methodology\ntitle: {zh: 甲, en: A}\ntables: {}\npreview: maybe\n",
    "bad_table": "template: methodology\ntitle: {zh: 甲, en: A}\ntables: {main: agb_forest_bad@0.1.0}\n",
}


# Tables whose files say of themselves that they are in order.


def _seal(folder, name, content):
    """Write a file of a package and settle its hash, as a careful hand would."""
    head = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    own = next(r for r in head["resources"] if r["path"] == name)
    own |= {"bytes": len(content), "hash": "sha256:" + hashlib.sha256(content).hexdigest()}
    (folder / name).write_bytes(content)
    (folder / "datapackage.json").write_bytes(to_json(head))


def _swap(name, old, new, count=1):
    def change(folder):
        text = (folder / name).read_text(encoding="utf-8-sig")
        assert old in text, (name, old)
        _seal(folder, name, text.replace(old, new, count).encode("utf-8-sig"))

    return change


def _cell(name, row, column, value):
    def change(folder):
        frame = pd.read_csv(folder / name, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        frame.loc[row, column] = value
        _seal(folder, name, frame.to_csv(index=False, lineterminator="\n").encode("utf-8-sig"))

    return change


def _drop(name, row):
    def change(folder):
        lines = (folder / name).read_text(encoding="utf-8-sig").splitlines(keepends=True)
        del lines[row]
        _seal(folder, name, "".join(lines).encode("utf-8-sig"))

    return change


def _draws(alter):
    def change(folder):
        import pyarrow as pa
        import pyarrow.parquet as parquet

        frame = alter(pd.read_parquet(folder / "draws.parquet"))
        sink = pa.BufferOutputStream()
        parquet.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink)
        _seal(folder, "draws.parquet", sink.getvalue().to_pybytes())

    return change


def _many(folder):
    """160 million rows in a file of some kilobytes."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    sink = pa.BufferOutputStream()
    block = pa.table({n: pa.array(np.zeros(1_000_000)) for n in ("a", "b")})
    with parquet.ParquetWriter(sink, block.schema, compression="zstd") as writer:
        for _ in range(60):
            writer.write_table(block)
    _seal(folder, "draws.parquet", sink.getvalue().to_pybytes())


def _head(**values):
    def change(folder):
        head = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
        (folder / "datapackage.json").write_bytes(json.dumps(head | values).encode())

    return change


def _raw(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def _sealed(name, content):
    return lambda folder: _seal(folder, name, content)


TABLES = {
    "inf": _cell("coefficients.csv", 0, "value", "INF"),
    "minus_inf": _cell("coefficients.csv", 1, "value", "-INF"),
    "nan": _cell("coefficients.csv", 0, "value", ""),
    "words": _cell("coefficients.csv", 0, "value", "many"),
    "se_negative": _cell("coefficients.csv", 0, "se", "-1"),
    "se_inf": _cell("coefficients.csv", 0, "se", "INF"),
    "se_large": _cell("coefficients.csv", 0, "se", "7"),
    "value_moved": _cell("coefficients.csv", 0, "value", "7"),
    "covariance_negative": _cell("covariance.csv", 0, "value", "-1"),
    "covariance_zero": _cell("covariance.csv", 0, "value", "0"),
    "covariance_large": _cell("covariance.csv", 1, "value", "99"),
    "covariance_inf": _cell("covariance.csv", 1, "value", "INF"),
    "covariance_nan": _cell("covariance.csv", 1, "value", ""),
    "covariance_short": _drop("covariance.csv", 1),
    "covariance_twice": _cell("covariance.csv", 1, "column", "b"),
    "covariance_name": _cell("covariance.csv", 1, "column", "zz"),
    "coefficient_lost": _drop("coefficients.csv", 1),
    "coefficient_name": _cell("coefficients.csv", 0, "name", "zz"),
    "equation_broken": _cell("equations.csv", 0, "equation", "agb = a * dbh^"),
    "equation_code": _cell("equations.csv", 0, "equation", "agb = __import__('os').system('x')"),
    "equation_deep": _cell("equations.csv", 0, "equation", "agb = " + "(" * 5000 + "a" + ")" * 5000),
    "sigma_inf": _cell("equations.csv", 0, "sigma", "INF"),
    "sigma_negative": _cell("equations.csv", 0, "sigma", "-2"),
    "correlation": _cell("residual_correlation.csv", 0, "value", "7"),
    "range_inf": _cell("ranges.csv", 0, "maximum", "INF"),
    "range_words": _cell("ranges.csv", 0, "maximum", "tall"),
    "models_lost": _drop("models.csv", 1),
    "models_method": _cell("models.csv", 0, "model_id", "zz"),
    "draws_moved": _draws(lambda f: f.assign(a=f["a"] + 5)),
    "draws_wide": _draws(lambda f: f.assign(a=f["a"].mean() + 50 * (f["a"] - f["a"].mean()))),
    "draws_nan": _draws(lambda f: f.assign(a=np.nan)),
    "draws_inf": _draws(lambda f: f.assign(b=np.inf)),
    "draws_words": _draws(lambda f: f.assign(a="many")),
    "draws_lost": _draws(lambda f: f.drop(columns="a")),
    "draws_one": _draws(lambda f: f.head(1)),
    "draws_none": _draws(lambda f: f.head(0)),
    "draws_model": _draws(lambda f: f.drop(columns="model_id")),
    "draws_many": _many,
    "draws_text": _sealed("draws.parquet", b"this is no parquet"),
    "draws_cut": _sealed("draws.parquet", b"PAR1" + bytes(50) + b"PAR1"),
    "csv_binary": _sealed("models.csv", bytes(range(256))),
    "csv_empty": _sealed("covariance.csv", b""),
    "csv_columns": _swap("ranges.csv", "minimum", "least"),
    "csv_ragged": _swap("ranges.csv", "\n", ",7\n"),
    "changed": _raw("coefficients.csv", b"other"),
    "origin_words": _sealed("provenance.json", b"words"),
    "origin_list": _sealed("provenance.json", b"[1, 2]"),
    "origin_empty": _sealed("provenance.json", b"{}"),
    "origin_deep": _sealed("provenance.json", b"[" * 100000),
    "head_words": _raw("datapackage.json", b"words"),
    "head_list": _raw("datapackage.json", b"[]"),
    "head_deep": _raw("datapackage.json", b'{"sinklab":' * 100000),
    "head_number": _raw("datapackage.json", b"9" * 10000),
    "head_name": _head(name="../up"),
    "head_version": _head(version="latest"),
    "head_resources": _head(resources=7),
    "head_control": _head(title="a\x00b"),
    "head_surrogate": _head(title_zh="a\ud800b"),
    "origin_control": _swap("provenance.json", '"', '"\\u0007'),
    "label_control": _cell("models.csv", 0, "label", "a\x1bb"),
    "head_layout": _head(sinklab={"schema_version": 99}),
    "head_infinite": _head(sinklab={"schema_version": float("inf")}),
    "head_path": _head(resources=[{"name": "models", "path": "../../etc/passwd"}]),
}


def _land(path):
    """Stands whose file names no reference system."""
    import geopandas as gpd
    from shapely.geometry import box

    stands = {"species": ["x"], "agb": [50.0], "geometry": [box(100, 30, 100.01, 30.01)]}
    gpd.GeoDataFrame(stands).to_file(path)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    root = tmp_path_factory.mktemp("bad").resolve()
    for room in ("vocabulary", "rules"):
        shutil.copytree(REPOSITORY / "data" / room, root / "data" / room)
    shutil.copytree(REPOSITORY / "reports" / "templates", root / "reports" / "templates")
    shutil.copy(REPOSITORY / "data" / "open.yml", root / "data")
    (root / "notebooks" / "batches").mkdir(parents=True)
    shutil.copy(REPOSITORY / "tests" / "notebooks" / "behave.ipynb", root / "notebooks")
    (root / "notebooks" / "broken.ipynb").write_text("{", encoding="utf-8")
    for name, text in BATCHES.items():
        (root / "notebooks" / "batches" / f"{name}.yml").write_text(text, encoding="utf-8")
    (root / "reports" / "drafts").mkdir()
    for name, text in DRAFTS.items():
        (root / "reports" / "drafts" / f"{name}.yml").write_text(text, encoding="utf-8")
    (root / "trees.csv").write_text(TREES, encoding="utf-8")
    for name, content in FILES.items():
        (root / name).write_bytes(content)
    (root / "folder").mkdir()
    os.mkfifo(root / "pipe") if hasattr(os, "mkfifo") else (root / "pipe").mkdir()
    (root / "nobody.csv").symlink_to(root / "absent")
    write_csv(make_trees(), root / "field.csv")
    _land(root / "land.shp")
    frame = pd.read_csv(root / "trees.csv")
    made = fit(frame, "agb = a * dbh**b", method="wls", variance="power:mean", seed=1)
    source = {"spec": "file:trees.csv", "files": {"trees.csv": paths.file_sha256(root / "trees.csv")}}
    table = Table.from_fits(made, "agb_forest_good", "0.1.0", source=source | {"origin": "measured"})
    table.write(root / "params")
    values_table().write(root / "params")
    table = Table.from_fits(made, "agb_forest_bad", "0.1.0", source=source | {"origin": "measured"})
    for name, change in TABLES.items():
        change(table.write(root / name))
    shutil.copytree(root / "covariance_negative" / "agb_forest_bad", root / "params" / "agb_forest_bad")
    return root


@pytest.fixture
def outcome(bench, monkeypatch, capsys, tmp_path):
    """Exit code and message of a command line; nothing is left behind that was not there before."""
    monkeypatch.setenv("SINKLAB_ROOT", str(bench))
    monkeypatch.delenv("SINKLAB_DATA", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(bench)
    language.set_language("en")

    def carry_out(line):
        before = _state(bench)
        words = [w for w in shlex.split(line.replace("{deep}", "(" * 20000 + "a" + ")" * 20000))]
        code = main(words)
        said = capsys.readouterr()
        assert _state(bench) == before, "something was written"
        return code, said.err, said.out

    return carry_out


def _state(root):
    """Every file below a folder, with its size and time."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            state = os.lstat(os.path.join(folder, name))
            found[folder, name] = state.st_size, state.st_mtime_ns
    return found


E = "--equations 'agb = a*dbh^b'"
FIT = [
    *(
        f"fit {name} {E} => {words}"
        for name, words in {
            "lost.csv": "no such file",
            "folder": "no such file",
            "pipe": "no such file",
            "nobody.csv": "no such file",
            "/dev/null": "no such file",
            "empty.csv": "empty",
            "blank.csv": "empty",
            "bom.csv": "",
            "commas.csv": "",
            "head.csv": "no record",
            "nul.csv": "",
            "utf16.csv": "",
            "picture.csv": "",
            "zip.csv": "",
            "twice.csv": "",
            "unnamed.csv": "",
            "words.csv": "record 5: agb = 'many'",
            "infinite.csv": "record 5",
            "infinite_dbh.csv": "record 5",
            "zero.csv": "",
            "negative.csv": "",
            "negative_mass.csv": "",
            "one.csv": "",
            "two.csv": "",
            "no_mass.csv": "",
            "huge.csv": "",
            "constant.csv": "",
            "other.csv": "",
            "quote.csv": "",
            "wide.csv": "",
        }.items()
    ),
    *(
        f"fit trees.csv --equations '{text}' => {words}"
        for text, words in {
            "": "",
            " ": "",
            "agb": "",
            "lost.txt": "no such file",
            "words.txt": "",
            "folder": "no such file",
            "agb = ": "",
            "agb = a *": "",
            "agb = a * dbh^b^": "",
            "agb = (a * dbh": "",
            "agb = a * dbh)": "",
            "agb = tanhh(a * dbh)": "",
            "agb = {deep}": "",
            "agb = a.b * dbh": "",
            "agb = a[0] * dbh": "",
            "agb = lambda: a": "",
            "agb = __import__(dbh)": "",
            "agb = 5": "",
            "agb = dbh": "",
            "agb = a * dbh; agb = b * dbh": "",
            "agb = b1 * x1; x1 = b2 * agb": "",
            "agb = agb * a": "",
            "agb == a * dbh": "",
            "a = agb * dbh^b": "",
            "agb = a * height^b": "height",
            "agb = a * dbh^b; stem = c * dbh^d": "",
            "agb = 10**10**10 * a * dbh": "",
            "agb = a * dbh^b # ; rm -rf /": "",
            "agb = a @ dbh": "",
            "agb = a * dbh^b if dbh else a": "",
            "agb = 1e999 * a * dbh": "",
            "agb = a[site] * dbh^b[nocol]": "",
            "agb = ａ * dbh^ｂ": "",
        }.items()
    ),
    *(
        f"fit trees.csv {E} {options} => {words}"
        for options, words in {
            "--method magic": "magic",
            "--method ''": "",
            "--variance magic": "magic",
            "--variance power:": "",
            "--variance power:nocol": "nocol",
            "--variance power:dbh=many": "",
            "--variance power:dbh=1e999": "",
            "--variance stem=power:dbh": "stem",
            "--variance exp": "",
            "--estimator magic": "magic",
            "--correction magic": "magic",
            "--start a": "name=number",
            "--start a=": "name=number",
            "--start =1": "",
            "--start a=many": "name=number",
            "--start zz=1": "zz",
            "--start a=nan": "",
            "--start a=inf": "",
            "--bounds a": "low:high",
            "--bounds a=1": "low:high",
            "--bounds a=:": "low:high",
            "--bounds a=many:2": "low:high",
            "--bounds a=3:1": "",
            "--bounds zz=0:1": "zz",
            "--bounds a=nan:nan": "",
            "--bootstrap -5": "whole number",
            "--bootstrap 1.5": "whole number",
            "--bootstrap many": "whole number",
            "--bootstrap 1e12": "whole number",
            "--bootstrap 99999999999999999999": "whole number",
            "--bootstrap 1": "",
            "--bootstrap 9 --resample magic": "magic",
            "--bootstrap 9 --resample group": "",
            "--bootstrap 9 --resample group:": "",
            "--bootstrap 9 --resample group:nocol": "nocol",
            "--bootstrap 9 --interval wide": "wide",
            "--validate magic": "magic",
            "--validate ''x": "",
            "--validate kfold": "",
            "--validate kfold:": "",
            "--validate kfold:0": "",
            "--validate kfold:1": "",
            "--validate kfold:-3": "",
            "--validate kfold:many": "",
            "--validate kfold:99999": "",
            "--validate kfold:1e3": "",
            "--validate groups:5": "",
            "--validate groups:5:nocol": "nocol",
            "--validate groups:0:site": "",
            "--validate groups:many:site": "",
            "--validate leave": "",
            "--validate leave:nocol": "nocol",
            "--validate leave:": "",
            "--validate blocks:0": "",
            "--validate blocks:-1": "",
            "--validate blocks:many": "",
            "--influence nocol": "nocol",
            "--against ''": "",
            "--against agb": "",
            "--against 'agb = c*dbh@magic'": "magic",
            "--against 'agb = c*nocol'": "nocol",
            "--against 'agb = c*dbh' --by site": "--by",
            "--by nocol": "nocol",
            "--by ''x": "",
            "--level 0": "--level must lie between 0 and 1",
            "--level 1": "--level must lie between 0 and 1",
            "--level -1": "--level must lie between 0 and 1",
            "--level 9": "--level must lie between 0 and 1",
            "--level nan": "--level must lie between 0 and 1",
            "--level inf": "--level must lie between 0 and 1",
            "--level 95%": "--level must lie between 0 and 1",
            "--level ''": "--level must lie between 0 and 1",
            "--seed -1": "--seed must be a whole number between 0",
            "--seed 1.5": "--seed must be a whole number",
            "--seed many": "--seed must be a whole number",
            "--seed 99999999999999999999": "--seed must be a whole number",
            "--seed": "--seed",
            "--draws 0": "--draws must be a whole number",
            "--draws 1e12": "--draws must be a whole number",
            "--tune -1": "--tune must be a whole number",
            "--chains 0": "--chains must be a whole number",
            "--chains 1000": "--chains must be a whole number",
            "--method bayes --priors lost.csv": "no such file",
            "--method bayes --priors prior.csv": "",
            "--method bayes --priors prior_unknown.csv": "zz",
            "--method bayes --priors prior_columns.csv": "",
            "--method bayes --pool magic": "magic",
            "--method bayes --measurement-error dbh": "name=sd",
            "--method bayes --measurement-error dbh=": "name=sd",
            "--method bayes --measurement-error dbh=-1": "",
            "--method bayes --measurement-error dbh=nan": "",
            "--method bayes --measurement-error dbh=nocol": "nocol",
            "--method bayes --measurement-error zz=1": "zz",
            "--json folder": "not a file",
            "--json pipe": "not a file",
            "--json /dev/full": "not a file",
            "--json trees.csv/x.json": "",
            "--save ''x": "",
            "--save Agb": "",
            "--save ../up": "",
            "--save agb_forest_x@1": "",
            "--save agb_forest_x@latest": "",
            "--save agb_moon_x": "",
            "--nonsense": "nonsense",
            "extra": "extra",
            "--method mixed": "",
        }.items()
    ),
    "fit => DATA",
    "fit trees.csv => equations",
    " => COMMAND",
    "magic => magic",
]
P = "params/agb_forest_good/0.1.0"
PREDICT = [
    *(f"predict {name}/agb_forest_bad/0.1.0 trees.csv => " for name in TABLES),
    *(f"predict {name}/agb_forest_bad/0.1.0 trees.csv --intervals draws => " for name in TABLES),
    *(
        f"predict {ref} trees.csv => {words}"
        for ref, words in {
            "lost": "table id",
            "agb_forest_lost": "no table",
            "agb_forest_good@9.9.9": "no version",
            "agb_forest_good@latest": "",
            "../up": "",
            "''": "",
            "folder": "",
            "trees.csv": "",
            "/dev/null": "",
            "pipe": "",
            "carbon_fraction_forest_test": "",
        }.items()
    ),
    *(
        f"predict agb_forest_good {name} => {words}"
        for name, words in {
            "lost.csv": "no such file",
            "folder": "no such file",
            "pipe": "no such file",
            "/dev/zero": "no such file",
            "empty.csv": "empty",
            "bom.csv": "",
            "head.csv": "no record",
            "nul.csv": "",
        }.items()
    ),
    *(
        f"predict agb_forest_good trees.csv {options} => {words}"
        for options, words in {
            "--level 0": "--level must lie",
            "--level 1": "--level must lie",
            "--level 2": "--level must lie",
            "--level -0.5": "--level must lie",
            "--level nan": "--level must lie",
            "--level many": "--level must lie",
            "--kind magic": "magic",
            "--kind ''": "",
            "--intervals magic": "magic",
            "--calibrate lost.csv": "no such file",
            "--calibrate head.csv": "no record",
            "--calibrate empty.csv": "",
            "-o folder": "not a file",
            "-o pipe": "not a file",
            "-o /dev/full": "not a file",
            "-o trees.csv/x.csv": "",
            "-o": "expected one argument",
            "--nonsense": "nonsense",
            "extra": "extra",
        }.items()
    ),
    "predict => TABLE",
    "predict agb_forest_good => DATA",
]
S = "stock stands.csv --area area_ha --measured agb"
STOCK = [
    *(
        f"stock {name} --measured agb => {words}"
        for name, words in {
            "lost.csv": "",
            "folder": "",
            "pipe": "",
            "/dev/null": "",
            "empty.csv": "",
            "head.csv": "",
            "nul.csv": "",
            "utf16.csv": "",
            "other.csv": "",
            "stands_words.csv": "",
            "stands_negative.csv": "",
            "fake.gpkg": "",
            "broken.geojson": "",
            "empty.geojson": "",
            "nowhere.geojson": "",
            "fake.docx": "",
            "trees.csv": "",
        }.items()
    ),
    *(f"stock stands.csv --table {name}/agb_forest_bad/0.1.0 => " for name in TABLES),
    *(
        f"{S} {options} => {words}"
        for options, words in {
            "--table lost": "",
            "--by nocol": "nocol",
            "--by zone": "",
            "--city nocol --by province": "",
            "--id nocol": "nocol",
            "--area nocol": "nocol",
            "--area species": "",
            "--measured nocol": "nocol",
            "--measured species": "",
            "--column dbh": "NAME=VALUE",
            "--column dbh=nocol": "nocol",
            "--map x": "NAME=VALUE",
            "--mapping lost.csv": "no such file",
            "--mapping map.csv": "no column",
            "--overlap magic": "magic",
            "--uncomputed magic": "magic",
            "--carbon-fraction 0": "above 0",
            "--carbon-fraction 2": "above 0",
            "--carbon-fraction -1": "",
            "--carbon-fraction nan": "above 0",
            "--carbon-fraction lost": "",
            "--predictor-sd dbh": "NAME=VALUE",
            "--predictor-sd dbh=many": "not a number",
            "--predictor-sd dbh=nan": "",
            "--predictor-sd dbh=-1": "",
            "--predictor-sd nocol=0.1": "nocol",
            "--effect site": "site",
            "--effect species=many": "not a number",
            "--effect species=-1": "",
            "--effect species=inf": "",
            "--effect nocol=0.1": "nocol",
            "--area-sd -1": "--area-sd must lie",
            "--area-sd nan": "--area-sd must lie",
            "--area-sd many": "--area-sd must lie",
            "--rule magic": "magic",
            "--level 0": "--level must lie",
            "--level 95": "--level must lie",
            "--draws 0": "--draws must be",
            "--draws 1": "--draws must be",
            "--draws 1e12": "--draws must be",
            "--draws many": "--draws must be",
            "--seed -1": "--seed must be",
            "--workers 0": "--workers must be",
            "--workers -3": "--workers must be",
            "--workers 1.5": "--workers must be",
            "--boundaries lost.shp -o out": "no such file",
            "-o trees.csv": "",
            "-o /dev/full": "",
            "-o folder/../stands.csv": "",
            "--nonsense": "nonsense",
        }.items()
    ),
    *(
        f"stock land.shp --measured agb {options} => {words}"
        for options, words in {
            "": "",
            "--crs EPSG:999999": "999999",
            "--crs magic": "magic",
            "--crs EPSG:4326 --layer magic": "magic",
            "--crs EPSG:4326 --encoding magic": "magic",
        }.items()
    ),
    "stock stands.csv --area area_ha --table agb_forest_good --species nocol => nocol",
    "stock => STANDS",
    "stock stands.csv => --table",
    *(
        f"plan trees agb_forest_good {options} => {words}"
        for options, words in {
            "--target 0": "--target must lie",
            "--target nan": "--target must lie",
            "--target many": "--target must lie",
            "--root-target -1": "--root-target must lie",
            "--assurance 1": "--assurance must lie",
            "--assurance 0": "--assurance must lie",
            "--samples 0": "--samples must be",
            "--samples 1e9": "--samples must be",
            "--seed -1": "--seed must be",
            "--response magic": "magic",
            "--design magic": "magic",
            "--cost 1": "TREE:PER_CM:ROOT",
            "--cost 1:2": "TREE:PER_CM:ROOT",
            "--cost a:b:c": "TREE:PER_CM:ROOT",
            "--cost 0:0:0": "TREE:PER_CM:ROOT",
            "--cost nan:1:1": "TREE:PER_CM:ROOT",
            "--cost 1:inf:1": "TREE:PER_CM:ROOT",
            "-o sheet.pdf": "field sheet",
        }.items()
    ),
    "plan trees lost => table id",
    "plan trees covariance_negative/agb_forest_bad/0.1.0 => ",
    *(
        f"plan plots {line} => {words}"
        for line, words in {
            "lost.csv": "no such file",
            "empty.csv": "empty",
            "strata_words.csv": "many",
            "strata_negative.csv": "",
            "strata_columns.csv": "",
            "strata.csv --error 0": "--error must lie",
            "strata.csv --error nan": "--error must lie",
            "strata.csv --level 1": "--level must lie",
            "strata.csv --level 90": "--level must lie",
            "strata.csv --plot-area 0": "--plot-area must lie",
            "strata.csv --plot-area -1": "--plot-area must lie",
            "strata.csv -o folder": "not a file",
        }.items()
    ),
    "plan => ACTION",
    "plan magic => magic",
]
TABLE = [
    *(f"table show {name}/agb_forest_bad/0.1.0 => " for name in TABLES),
    *(f"table export {name}/agb_forest_bad/0.1.0 --to r -o out.R => " for name in TABLES),
    *(f"table diff agb_forest_good {name}/agb_forest_bad/0.1.0 => " for name in TABLES),
    *(
        f"table verify {name}/agb_forest_bad/0.1.0 => "
        for name in ("head_words", "head_deep", "head_layout", "head_path")
    ),
    *(
        f"table validate {name}/agb_forest_bad/0.1.0 => "
        for name in ("head_words", "head_deep", "head_resources")
    ),
    *(
        f"table {line} => {words}"
        for line, words in {
            "": "ACTION",
            "magic": "magic",
            "show": "TABLE",
            "show lost": "table id",
            "show agb_forest_good@9.9.9": "no version",
            "show agb_forest_good extra": "extra",
            "show agb_forest_good --root lost": "no table",
            "show agb_forest_good --root trees.csv": "no table",
            "validate lost": "table id",
            "diff agb_forest_good": "B",
            "diff agb_forest_good lost": "table id",
            "verify": "TABLE",
            "verify lost": "table id",
            "export agb_forest_good": "--to",
            "export agb_forest_good --to pdf": "pdf",
            "export agb_forest_good --to r -o folder": "not a file",
            "export agb_forest_good --to r -o pipe": "not a file",
            "export agb_forest_good --to xlsx -o /dev/full": "not a file",
            "export agb_forest_good --to latex -o trees.csv/x": "",
            "export agb_forest_good --to r --level 0": "--level must lie",
            "export agb_forest_good --to r --level many": "--level must lie",
            "export agb_forest_good --to r --kind magic": "magic",
            "release agb_forest_good": "--re",
            "release agb_forest_good --reason x --reviewer y": "name the version",
            "release lost@1.0.0 --reason x --reviewer y": "table id",
            "release agb_forest_good@0.1.0 --reason x --reviewer y --status magic": "magic",
            "release agb_forest_good@0.1.0 --reason x --reviewer y --accept z": "CHECK",
            "release agb_forest_good@0.1.0 --reason x --reviewer y --date tomorrow": "",
            "release agb_forest_bad@0.1.0 --reason x --reviewer y": "",
            "release agb_forest_good@0.1.0 --reason '' --reviewer ''": "",
        }.items()
    ),
]
DRAFT = [
    *(f"draft {name} => " for name in DRAFTS),
    *(f"draft {name} --lint => " for name in DRAFTS if name not in ("bad_table", "table")),
    *(
        f"draft {line} => {words}"
        for line, words in {
            "lost": "no such draft",
            "../up": "no such draft",
            "lost --lang fr": "fr",
            "lost --to magic": "",
            "lost --preview --final": "not allowed",
            "lost --nonsense": "nonsense",
        }.items()
    ),
    *(f"review {name}/agb_forest_bad/0.1.0 => " for name in TABLES),
    *(f"review {name}/agb_forest_bad/0.1.0 --on trees.csv => " for name in TABLES if name != "inf"),
    *(
        f"review {line} => {words}"
        for line, words in {
            "": "TABLE|DRAFT.docx|EQUATION",
            "lost": "table id",
            "agb_forest_good --to magic": "magic",
            "agb_forest_good --to ,": "",
            "agb_forest_good --lang fr": "fr",
            "agb_forest_good --opinions lost.csv": "",
            "agb_forest_good --opinions opinions.csv": "",
            "agb_forest_good --opinions list.yml": "",
            "agb_forest_good --opinions folder": "",
            "agb_forest_good --verdicts lost.yml": "",
            "agb_forest_good --verdicts verdicts.yml": "",
            "agb_forest_good --verdicts list.yml": "",
            "agb_forest_good --verdicts trees.csv": "",
            "fake.docx": "",
            "cut.docx": "",
            "lost.docx": "no such file",
            "fake.docx --comments out.csv": "",
            "fake.docx --answered lost.csv": "",
            "'agb = a*dbh^b'": "",
            "'agb = a*dbh^b' --data lost.csv": "no such file",
            "'agb = a*dbh^b' --data trees.csv": "no number for a",
            "'agb = a*dbh^b' --data trees.csv field.csv": "one file of trees",
            "'agb = a*dbh^b' --data trees.csv --values a=many": "",
            "'agb = a*dbh^b' --data trees.csv --values a=nan,b=2": "",
            "'agb = a*dbh^b' --data trees.csv --values a=0,b=2": "",
            "'agb = a*dbh^b' --data trees.csv --values a=-1,b=2": "",
            "'agb = a*dbh^' --data trees.csv --values a=1": "",
            "'agb = {deep}' --data trees.csv --values a=1": "",
            "'agb = 0.1*nocol^2' --data trees.csv": "nocol",
            "'zz = 0.1*dbh^2' --data trees.csv": "zz",
            "'agb = 0.1*dbh^2' --data trees.csv --response zz": "zz",
            "'agb = 0.1*dbh^2' --data trees.csv --range dbh": "low:high",
            "'agb = 0.1*dbh^2' --data trees.csv --range dbh=many:2": "low:high",
            "'agb = 0.1*dbh^2' --data trees.csv --deviation 0": "--deviation must lie",
            "'agb = 0.1*dbh^2' --data trees.csv --deviation many": "--deviation must lie",
            "'agb = 0.1*dbh^2' --data trees.csv --level 1": "--level must lie",
            "'agb = 0.1*dbh^2' --data trees.csv --level 95": "--level must lie",
            "'agb = 0.1*dbh^2' --data empty.csv": "empty",
            "'agb = 0.1*dbh^2' --data nul.csv": "",
            "'agb = 0.1*dbh^2' --data one.csv": "",
            "'agb = 0.1*dbh^2' --data no_mass.csv": "",
            "agb_forest_good --on lost.csv": "no such file",
            "agb_forest_good --on other.csv": "lack",
            "lost --on trees.csv": "table id",
            "inf/agb_forest_bad/0.1.0 --on trees.csv": "inf",
        }.items()
    ),
]
RUN = [
    *(f"run {name} => " for name in BATCHES if name != "good"),
    *(f"run {name} --dry-run => " for name in BATCHES if name != "good"),
    *(
        f"run notebooks/batches/{name}.yml --log-json => "
        for name in BATCHES
        if name not in ("good", "deeper")
    ),
    *(
        f"run {line} => {words}"
        for line, words in {
            "lost": "no such batch",
            "lost.yml": "no such batch",
            "../up": "no such batch",
            "folder": "no such batch",
            "good --only zz": "no such job",
            "good --workers 0": "--workers must be a whole number between 1",
            "good --workers -1": "--workers must be",
            "good --workers many": "--workers must be",
            "good --workers 1e9": "--workers must be",
            "good --workers 99999": "--workers must be",
            "good --engine magic": "magic",
            "good --scheduler": "expected one argument",
            "good --nonsense": "nonsense",
            "good extra": "extra",
        }.items()
    ),
    "lab moon --port 8 => moon",
    "lab --port 70000 => --port must be",
    "lab --port many => --port must be",
    "data check lost => ",
    "data get lost => ",
    "new study ../up => study id",
    "new study Ü => study id",
    "new study ok --data lost.csv => no such file",
    "new study ok --species magic => magic",
    "new draft agb_forest_cunninghamia_lanceolata --name ../../up => 80 Latin letters",
    "new draft agb_forest_cunninghamia_lanceolata --name con => such as con or nul",
    "new draft agb_forest_cunninghamia_lanceolata@latest => expected major.minor.patch",
    "new draft /etc/passwd --species cunninghamia_lanceolata => expected <response>_<system>_<group>",
    "new batch chinese_fir_simulated --name ../up => ",
]


#: Every third command line is tried each time, all of them with the slow tests.
CASES = [
    case if place % 3 == 0 else pytest.param(case, marks=pytest.mark.slow)
    for place, case in enumerate([*FIT, *PREDICT, *STOCK, *TABLE, *DRAFT, *RUN])
]


@pytest.mark.parametrize("case", CASES)
def test_bad_input_ends_in_one_message(outcome, case):
    line, _, words = case.partition(" => ")
    code, said, _ = outcome(line)
    assert code == 2, said
    # Before it may stand how the data were read.
    assert len(re.findall("^sinklab: ", said, re.M)) == 1 and "Traceback" not in said
    assert words in said


def test_there_are_enough():
    distinct = [len(set(cases)) for cases in (FIT, PREDICT, STOCK, TABLE, DRAFT, RUN)]
    assert min(distinct) >= 150, distinct


@pytest.mark.parametrize(
    ("error", "code", "en", "zh"),
    [
        (OSError(28, "No space left", "x.csv"), 2, "x.csv: No space left", "x.csv: No space left"),
        (MemoryError(), 2, "more memory", "内存不足"),
        (RecursionError(), 2, "nested too deeply", "嵌套过深"),
        (KeyError("a"), 70, "a fault of the program: KeyError: 'a'", "程序出错：KeyError"),
        (
            ValueError("one\ntwo"),
            70,
            "a fault of the program: ValueError: one (",
            "程序出错：ValueError: one（",
        ),
    ],
)
def test_what_is_not_the_inputs_fault_is_told_with_its_log(
    monkeypatch, capsys, tmp_path, error, code, en, zh
):
    def fail(arguments):
        raise error

    monkeypatch.setattr("sinklab.cli.data.run_list", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for lang, words in (("en", en), ("zh", zh)):
        language.set_language(lang)
        assert main(["data", "list"]) == code
        said = capsys.readouterr().err
        assert words in said and said.count("\n") == 1 and "Traceback" not in said
    logs = sorted(tmp_path.glob("sinklab-*.log"))
    assert len(logs) == 2 and logs[-1].name in said or logs[0].name in said
    assert all("Traceback" in log.read_text(encoding="utf-8") for log in logs)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
def test_a_full_disk_behind_standard_output(bench):
    command = [sys.executable, "-m", "sinklab", "table", "list", "--root", str(bench / "params")]
    environment = dict(os.environ, PYTHONPATH=str(REPOSITORY), SINKLAB_LANG="en", SINKLAB_ROOT=str(bench))
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, encoding="utf-8", env=environment)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "No space left" in done.stderr


def test_a_link_is_replaced_and_not_followed(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("SINKLAB_ROOT", str(bench))
    (tmp_path / "outside.csv").write_text("mine", encoding="utf-8")
    (tmp_path / "link.csv").symlink_to(tmp_path / "outside.csv")
    given = ["predict", str(bench / "params/agb_forest_good/0.1.0"), str(bench / "trees.csv")]
    assert main([*given, "-o", str(tmp_path / "link.csv")]) == 0
    assert (tmp_path / "outside.csv").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "link.csv").is_symlink()


def test_every_number_of_an_option_has_limits():
    numbers = [row for row in cli.rows("options") if row["kind"] in ("number", "integer")]
    assert (
        numbers and [r["option"] for r in numbers if not re.fullmatch(r"[(\[].+,.+[)\]]", r["choices"])] == []
    )


#: Our own copies of files that did harm once, and every command that may meet one: words of its message.
HOSTILE = {
    "alias_bomb.yml": {
        "run {}": "nested or repeated beyond every use",
        "run {} --dry-run": "nested or repeated beyond every use",
        "draft bomb": "nested or repeated beyond every use",
        "draft bomb --lint": "nested or repeated beyond every use",
        "review agb_forest_good --verdicts {}": "nested or repeated beyond every use",
    },
    "bad_date.yml": {
        "run {}": "not valid YAML",
        "run {} --only x1": "not valid YAML",
        "review agb_forest_good --verdicts {}": "not valid YAML",
    },
    "only_bom.csv": {
        "fit {} --equations 'agb = a*dbh^b'": "empty",
        "predict agb_forest_good {}": "empty",
        "data check {}": "empty",
        "new study bom --data {}": "empty",
        "stock {} --table agb_forest_good --area area_ha --id stand_id": "empty",
        "plots {} --table agb_forest_good --area 0.06": "empty",
        "plan plots {} --error 0.1": "empty",
        "change {} {} --table agb_forest_good": "empty",
        "review agb_forest_good --on {}": "empty",
        "review 'agb = 0.1*dbh^2.3' --on {}": "empty",
    },
    "infinite_table": {
        "predict {} trees.csv": "inf",
        "table show {}": "inf",
        "table export {} --to r -o x.R": "inf",
        "table export {} --to xlsx -o x.xlsx": "inf",
        "table diff agb_forest_good {}": "inf",
        "review {}": "inf",
        "review {} --on trees.csv": "inf",
        "plots trees.csv --table {} --area 0.06": "inf",
        "plan trees {}": "inf",
        "new draft {} --species 'Cunninghamia lanceolata'": "expected <response>_<system>_<group>",
        "stock stands.csv --table {} --area area_ha --id stand_id": "inf",
    },
}


@pytest.fixture(scope="module")
def hostile(bench):
    folder = bench / "hostile"
    folder.mkdir()
    (folder / "alias_bomb.yml").write_text(BATCHES["bomb"], encoding="utf-8")
    (folder / "bad_date.yml").write_text(
        "jobs:\n  - id: x1\n    notebook: behave.ipynb\n    parameters: {name: 2024-99-99}\n",
        encoding="utf-8",
    )
    (folder / "only_bom.csv").write_bytes(FILES["bom.csv"])
    (folder / "cr_only.csv").write_bytes(FILES["cr.csv"])
    noise = np.random.default_rng(7).normal(0, 0.03, (3, 8))
    sites = [
        f"t{8 * i + j},{'ABC'[i]},{dbh},{0.12 * dbh**2.35 * np.exp(noise[i, j]):.3f}"
        for i in range(3)
        for j, dbh in enumerate((5, 8, 11, 14, 18, 22, 27, 33))
    ]
    (folder / "dummy_save.csv").write_text("\n".join(["tree_id,site,dbh,agb", *sites, ""]), encoding="utf-8")
    table = folder / "infinite_table"
    shutil.copytree(bench / "params" / "agb_forest_good" / "0.1.0", table)
    for row in (0, 1):
        _cell("coefficients.csv", row, "value", "inf")(table)
    return folder


@pytest.mark.parametrize(
    ("name", "line", "words"), [(n, c, w) for n, known in HOSTILE.items() for c, w in known.items()]
)
def test_the_hostile_cases_are_refused(hostile, outcome, name, line, words):
    code, said, _ = outcome(line.replace("{}", f"hostile/{name}"))
    assert code == 2 and words in said and len(re.findall("^sinklab: ", said, re.M)) == 1, said


def test_the_odd_cases_are_read(hostile, bench, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SINKLAB_ROOT", str(bench))
    monkeypatch.setenv("SINKLAB_PARAMS", str(tmp_path / "params"))
    assert main(["data", "check", str(hostile / "cr_only.csv")]) in (0, 1)
    assert "recognised 2 of 2 columns" in capsys.readouterr().out
    for command in ("validate", "verify"):
        assert main(["table", command, str(hostile / "infinite_table")]) == 1
        assert "inf" in capsys.readouterr().out
    # Effects of sites as a factor, saved, read again and used.
    trees, out = str(hostile / "dummy_save.csv"), str(tmp_path / "out.csv")
    given = [trees, "--equations", "agb = a[site]*dbh^b", "--method", "wls", "--save", "agb_forest_dummy"]
    assert main(["fit", *given]) == 0
    assert main(["table", "validate", "agb_forest_dummy"]) == 0
    assert main(["predict", "agb_forest_dummy", trees, "-o", out]) == 0
    found = pd.read_csv(out)
    assert len(found) == 24 and np.isfinite(found["agb"]).all()
    assert (found["agb"] / found["agb_measured"]).between(0.8, 1.25).all()


#: What Python's parser says to whoever writes a program, not to whoever calls one.
OF_PROGRAMMERS = re.compile(
    r"conflicting|not defined|invalid argument for positionals|must be optional|not callable|cannot |can't open"
    r"|invalid option string|dest= is required|conflict_resolution|argument \"-\"|%\(prog\)s: |subparser|is deprecated"
    r"|unable to|unknown parser"
)


def test_pythons_parser_speaks_the_readers_language(capsys):
    import argparse

    said = re.findall(r"""_\(\s*(["'])(.+?)\1""", Path(argparse.__file__).read_text(encoding="utf-8"))
    known = {row["en"] for row in cli.rows("phrases")}
    assert len(said) > 20 and {text for _, text in said if not OF_PROGRAMMERS.search(text)} - known == set()
    marks = re.compile(r"%(?:\(\w+\))?[rsd]")
    assert all(sorted(marks.findall(r["en"])) == sorted(marks.findall(r["zh"])) for r in cli.rows("phrases"))
    language.set_language("zh")
    for line, words in {
        "magic": "取值 'magic' 无效",
        "fit": "缺少必需的参数：数据",
        "fit a.csv --seed": "参数 --seed：应有一个值",
        "run a b": "无法识别的参数：b",
        "draft a --preview --final": "不能与",
        "fit a.csv --v 1": "有歧义",
        "run a --dry-run=3": "不接受所给的值",
    }.items():
        assert main(line.split()) == 2
        told = capsys.readouterr().err
        assert words in told and not re.search("expected|argument |invalid|required|ambiguous", told), told
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    told = capsys.readouterr().out
    assert "用法：" in told and "显示帮助" in told and "usage" not in told
    assert argparse._("usage: ") != "用法："
