"""Open data: names, selection and fetching without the data; the readers with it."""

import functools
import hashlib
import http.server
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest

from sinklab import paths
from sinklab.data import catalogue, vocabulary
from sinklab.data import open_data as reader
from sinklab.data.open_data import select
from sinklab.language import DataError

STUDY = "study:chinese_fir_simulated"


# Names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "species", "genus", "taxa"),
    [
        ("Pinus sylvestris L.", "Pinus sylvestris", "Pinus", 1),
        ("Cryptomeria japonica (Thunb. ex L.f.) D.Don", "Cryptomeria japonica", "Cryptomeria", 1),
        ("Tilia mandshurica Rupr. & Maxim.", "Tilia mandshurica", "Tilia", 1),
        ("Pinus sylvestris L. var. mongolica", "Pinus sylvestris var. mongolica", "Pinus", 1),
        ("Larix Principis-Rupprechtii", "Larix principis-rupprechtii", "Larix", 1),
        ("Quercus  frainetto Ten.", "Quercus frainetto", "Quercus", 1),
        ("Abies holoph\u0443lla Maxim.", "Abies holophylla", "Abies", 1),  # Cyrillic letter
        ("Pinus tabulaeformis Carr.", "Pinus tabuliformis", "Pinus", 1),
        ("Betula pendula, B. pubescens", "", "Betula", 2),
        ("Cunninghamia lanceolata & Pinus massoniana", "", "", 2),
        ("Populus-Betula", "", "", 2),
        ("Eucalyptus urophylla, Eucaliptus grandis", "", "Eucalyptus", 2),
        ("Quercus (evergreen, subtropics)", "", "Quercus", 1),
        ("Populus trichocarpa (hybrid)", "", "Populus", 1),
        ("Ocotea sp. 2", "", "Ocotea", 1),
        ("Unknown sp. 1", "", "", 0),
        (
            "Eucalyptus urophylla * Eucalyptus grandis (clone)",
            "Eucalyptus urophylla × E. grandis",
            "Eucalyptus",
            1,
        ),
    ],
)
def test_clean_names(label, species, genus, taxa):
    assert reader.clean(label) == (species, genus, taxa)


def test_variants_lead_to_names_that_stay():
    for used in reader._variants().values():
        assert reader._variants().get(used, used) == used


# Selection ---------------------------------------------------------------------------------------


@pytest.fixture
def frame():
    frame = pd.DataFrame(
        {
            "species": ["Pinus massoniana", "Pinus massoniana", "Picea abies", None],
            "dbh": [5.0, 10.0, 20.0, np.nan],
        },
        index=[3, 4, 5, 6],
    )
    frame.attrs["notes"] = ["kept"]
    return frame


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        (None, [3, 4, 5, 6]),
        ({"species": "Picea abies"}, [5]),
        ({"species": "马尾松"}, [3, 4]),
        ({"species": ["pinus_massoniana", "Picea abies"], "dbh": {"min": 10}}, [4, 5]),
        ({"dbh": {"max": 10}}, [3, 4]),
        ({"dbh": {"min": 5, "max": 10}}, [3, 4]),
        ({"dbh": 20}, [5]),
    ],
)
def test_select(frame, where, rows):
    chosen = select(frame, where)
    assert list(chosen.index) == rows
    assert chosen.attrs["notes"] == ["kept"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"dhb": 5}, r"no column dhb; columns: species, dbh"),
        ({"species": "Larix"}, r"Pinus massoniana \(2\)"),
        ({"dbh": {"min": 100}}, r"0 records; values that exist: 5 – 20"),
        ({"dbh": {"above": 1}}, "min, max or both"),
        ({"species": {"min": 1}}, "on a column of numbers"),
    ],
)
def test_select_says_what_exists(frame, where, message):
    with pytest.raises(DataError, match=message):
        select(frame, where, "x")


def test_load_study_keeps_record_numbers_and_says_what_was_chosen():
    frame = reader.load(STUDY, {"dbh": {"min": 30}})
    assert frame.index.min() > 100 and (frame["dbh"] >= 30).all()
    assert frame.attrs["source"]["where"] == {"dbh": {"min": 30}}
    assert frame.attrs["source"]["origin"] == "simulated"
    assert frame.attrs["notes"][-1] == f"where: {len(frame)} of 150 records kept"
    # Selecting does not change what another caller reads.
    assert reader.load(STUDY).attrs["source"]["where"] == {}


@pytest.mark.parametrize(
    "spec", ["chinese_fir_simulated", "open:", "study:nowhere", "open:nowhere", "literature:nowhere"]
)
def test_unknown_sources_are_refused_alike(spec):
    with pytest.raises(DataError):
        reader.load(spec)
    with pytest.raises(DataError):
        catalogue.input_files(spec)


def test_files_needs_no_pandas(repository):
    code = f"from sinklab.data import catalogue; import sys; catalogue.input_files('{STUDY}'); assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=repository, check=True)


# The catalogue and fetching ----------------------------------------------------------------------


def test_catalogue_speaks_the_vocabulary():
    for name, entry in catalogue.entries().items():
        assert entry["licence"] and entry["citation"] and entry["doi"], name
        assert all(len(item["sha256"]) == 64 for item in entry["files"])
        for variable, item in entry["columns"].items():
            known = vocabulary.variable(item.get("as", variable)) if "unit" in item else None
            if "component" in item:
                assert item["component"] in vocabulary.components()
            if (
                known
                and known.unit in ("kg", "t/ha")
                and variable not in ("understory_density", "litter_density")
            ):
                assert "component" in item, (name, variable)


TEXT = "name;Grоwing\nPinus sylvestris L.;1\n"


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A mirror with one file, an empty folder for open data, and a catalogue of one data set."""
    mirror = tmp_path / "mirror"
    (mirror / "set").mkdir(parents=True)
    (mirror / "set" / "a.csv").write_text(TEXT, encoding="utf-8")
    digest = hashlib.sha256((mirror / "set" / "a.csv").read_bytes()).hexdigest()
    item = {"path": "set/a.csv", "sha256": digest}
    monkeypatch.setattr(catalogue, "entries", lambda: {"x": {"doi": "10.1/x", "files": [item]}})
    monkeypatch.setenv("SINKLAB_DATA", str(tmp_path / "here"))
    return mirror, item, tmp_path / "here" / "set" / "a.csv"


def test_get_from_a_mirror_then_present(shelf):
    mirror, _, target = shelf
    assert catalogue.get("x", mirror) == [(target, "mirror")]
    assert target.read_text(encoding="utf-8") == TEXT
    assert catalogue.get("x") == [(target, "present")]


def test_get_takes_a_bare_name_too(shelf):
    mirror, _, target = shelf
    assert catalogue.get("x", mirror / "set") == [(target, "mirror")]


def test_get_downloads_and_verifies(shelf):
    mirror, item, target = shelf
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(mirror))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        item["address"] = f"http://127.0.0.1:{server.server_port}/set/a.csv"
        assert catalogue.get("x") == [(target, "download")]
        target.unlink()
        item["address"] += "x"
        with pytest.raises(DataError, match=r"cannot be reached.*https://doi\.org/10\.1/x"):
            catalogue.get("x")
        server.shutdown()
    with pytest.raises(DataError, match="cannot be reached"):
        catalogue.get("x")
    assert not target.exists()


def test_get_refuses_a_file_that_is_another(shelf):
    mirror, item, target = shelf
    item["sha256"] = "0" * 64
    with pytest.raises(DataError, match="SHA-256"):
        catalogue.get("x", mirror)
    assert not target.exists() and list(target.parent.iterdir()) == []


def test_get_without_address_says_where(shelf):
    with pytest.raises(
        DataError, match=r"no direct address is known; obtain it from https://doi\.org/10\.1/x"
    ):
        catalogue.get("x")
    with pytest.raises(DataError, match="no such folder"):
        catalogue.get("x", "/nowhere/at/all")


def test_absent_data_say_what_to_do(shelf):
    with pytest.raises(DataError, match=r"set/a\.csv not found in .*data get x --mirror"):
        catalogue.input_files("open:x")


# Reading, on a small file with every trap --------------------------------------------------------


@pytest.fixture
def small(tmp_path, monkeypatch):
    text = (
        "ID,Species,D\u0411H,H,hd,St,Br,Fo,Ro,V\n"  # a Cyrillic letter in the header of dbh
        "1,Pinus sylvestris L.,0.10,8,1.3,10,2,1,3,20\n"
        "2,Picea abi\u0435s,0.20,12,0.3,30,4,2, ,90\n"
        '3,"Betula pendula, B. pubescens",0.05,1.1,1.3,1,2,0.1,0.2,Klimax\n'
        "4,Larix,0.30,20,,90,10,5,0,300\n"
    ).replace("D\u0411H", "D\u0412H")
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    entry = {
        "title": {"en": "t", "zh": "t"},
        "doi": "10.1/x",
        "licence": "CC0",
        "citation": "c",
        "origin": "measured",
        "files": [{"path": "a.csv", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}],
        "species": "Species",
        "columns": {
            "tree_id": {"column": "ID"},
            "dbh": {"column": "DBH", "unit": "m"},
            "height": {"column": "H", "unit": "m"},
            "volume": {"column": "V", "unit": "dm3", "component": "volume_over_bark"},
            "both": {"column": "St", "unit": "kg", "component": "stem_with_branches", "as": "stem"},
            "branch": {"column": "Br", "unit": "kg", "component": "branch_unspecified"},
            "foliage": {"column": "Fo", "unit": "kg", "component": "foliage_unspecified"},
            "root": {"column": "Ro", "unit": "kg", "component": "root_unspecified"},
        },
        "diameter_height": {"column": "hd", "minimum": 1.2, "maximum": 1.5, "breast_height": 1.3},
        "differences": [
            {"variable": "stem", "from": "both", "minus": "branch", "component": "stem_over_bark"}
        ],
        "sums": [{"variable": "agb", "of": ["both", "foliage"]}],
    }
    # study_id is used to say whose differences are not positive.
    entry["columns"]["study_id"] = {"column": "ID"}
    monkeypatch.setattr(catalogue, "entries", lambda: {"x": entry})
    monkeypatch.setenv("SINKLAB_DATA", str(tmp_path))
    return reader.read_open("x")


def test_small_values(small):
    np.testing.assert_allclose(small["dbh"], [10, np.nan, np.nan, 30])
    np.testing.assert_allclose(small["volume"], [0.02, 0.09, np.nan, 0.3])
    np.testing.assert_allclose(small["stem"], [8, 26, np.nan, 80])
    np.testing.assert_allclose(small["agb"], [11, 32, 1.1, 95])
    np.testing.assert_allclose(small["root"], [3, np.nan, 0.2, np.nan])
    assert list(small["genus"]) == ["Pinus", "Picea", "Betula", "Larix"]
    assert list(small["species"].dropna()) == ["Pinus sylvestris", "Picea abies"]
    assert list(small["species_id"].dropna()) == ["pinus_sylvestris", "picea_abies"]


def test_small_notes_count_everything(small):
    notes = "\n".join(small.attrs["notes"])
    for part in (
        "letters of another alphabet",
        "1 species labels held letters",
        "1 records name several taxa",
        "1 records name a genus only",
        "V: 1 cells hold text, set to missing: Klimax (1)",
        "Ro: 1 cells hold only a blank",
        "Ro: 1 values at or below zero",
        "1 dbh values set to missing: not at breast height (height < 1.3 m)",
        "1 dbh values set to missing: not at breast height (hd < 1.2 m",
        "1 dbh values kept although hd is blank",
        "stem = both - branch: 3 records; blank on 0 without branch",
        "not positive on 1 records, stem left blank: 3 (1)",
        "agb = both + foliage: computed on 4 records",
    ):
        assert part in notes, part


def test_measurements_below_each_other_become_plots(tmp_path, monkeypatch):
    rows = [
        "id,plot,age,name,note,what,mean",
        "m1,A,20,NAC,NI,agb_C,50.5",
        "m2,A,20,NAC,NI,bgb_C,12",
        "m3,A,20,NAC,NI,bgb_C,13",
        'm4,Larix,999,NAC,"Picea, Abies",agb_OM,80',
        "m5,Larix,30,NAC,NAC,agb_C,41",
        "m6,B,30,Pinus massoniana,NAC,NPP,7",
    ]
    (tmp_path / "m.csv").write_text("\n".join(rows), encoding="utf-8")
    entry = {
        name: {"en": "t", "zh": "t"} if name == "title" else "x"
        for name in ("title", "licence", "citation", "origin")
    }
    of = {"unit": "t/ha", "component": "root_unspecified"}
    entry |= {
        "files": [{"path": "m.csv", "sha256": ""}],
        "long": {"keys": ["plot", "age", "name", "note"], "name": "what", "value": "mean", "kept": ["agb_C", "agb_OM", "bgb_C"]},
        "missing": ["NAC", "NI", "999"],
        "species": ["name", "note", "plot"],
        "forest_type": True,
        "columns": {
            "plot_id": {"column": "id"},
            "age": {"column": "age", "unit": "year"},
            "agb_density": of | {"column": "agb_OM"},
            "agb_of_carbon": of | {"column": "agb_C", "over": 0.5, "as": "agb_density"},
            "bgb_density": of | {"column": "bgb_C", "over": 0.5},
        },
        "sums": [{"variable": "agb_density", "of": ["agb_of_carbon"]}],
    }  # fmt: skip
    monkeypatch.setattr(catalogue, "entries", lambda: {"x": entry})
    monkeypatch.setenv("SINKLAB_DATA", str(tmp_path))
    found = reader.read_open("x").set_index("plot_id").loc[["m1", "m4", "m5"]]
    np.testing.assert_allclose(found["agb_density"], [101, 80, 82])
    np.testing.assert_allclose(found["bgb_density"], [24, np.nan, np.nan])
    np.testing.assert_allclose(found["age"], [20, np.nan, 30])
    # A plot named after its trees, or after nothing.
    assert found["forest_type"].fillna("").tolist() == ["", "spruce_fir", "larch"]
    notes = "\n".join(reader.read_open("x").attrs["notes"])
    assert "1 rows measure something else" in notes and "1 rows repeat a measurement" in notes


# Reading the real files --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trees(open_data):
    return reader.load("open:eurasia_trees")


@pytest.fixture(scope="module")
def plots(open_data):
    return reader.load("open:eurasia_plots")


@pytest.fixture(scope="module")
def baad(open_data):
    return reader.load("open:baad")


@pytest.mark.open_data
def test_trees(trees):
    assert len(trees) == 9613
    notes = "\n".join(trees.attrs["notes"])
    assert (
        "160 dbh values set to missing" in notes and "63 diameters moved from dbh to basal_diameter" in notes
    )
    assert trees["basal_diameter"].notna().sum() == 63
    # All 7,409 diameters as filed give ln agb = -2.268 + 2.393 ln dbh; the 230 small ones that were not
    # measured at breast height bend the line.
    fit = trees.dropna(subset=["dbh", "agb"])
    slope, start = np.polyfit(np.log(fit["dbh"]), np.log(fit["agb"]), 1)
    assert len(fit) == 7185
    assert slope == pytest.approx(2.303, abs=0.001) and start == pytest.approx(-2.023, abs=0.001)
    # Volume came in dm3: stem mass over volume is a density in kg/m3.
    density = (trees["stem"] / trees["volume"])[trees["dbh"] > 10].median()
    assert 350 < density < 550
    assert set(trees["country"].dropna()) >= {"DEU", "CHE", "CHN", "RUS"} and "SWZ" not in set(
        trees["country"]
    )


@pytest.mark.open_data
def test_plots(plots):
    assert len(plots) == 9798
    notes = "\n".join(plots.attrs["notes"])
    assert "header 'Growing sto" in notes and "Stand age: 52 cells hold text" in notes
    assert "Klimax (11)" in notes and "Stump & Roots: 2 cells hold only a blank" in notes
    china = plots[(plots["country"] == "CHN") & plots["growing_stock"].notna() & plots["agb_density"].notna()]
    slope, _ = np.polyfit(np.log(china["growing_stock"]), np.log(china["agb_density"]), 1)
    assert slope == pytest.approx(0.747, abs=0.02)
    assert plots["bcef"].median() == pytest.approx(0.58, abs=0.05)


@pytest.mark.open_data
def test_baad(baad):
    assert len(baad) == 21084
    assert 5 < baad["dbh"].median() < 15  # metres would be 0.1
    assert 0.3 < baad["wood_density"].median() < 0.6  # kg/m3 would be 400
    parts = baad["stem"] + baad["branch"] + baad["foliage"]
    assert (baad["agb"] / parts).median() == pytest.approx(1.0, abs=1e-6)
    assert any("Epron2011" in note for note in baad.attrs["notes"])
    assert (baad["stem"].dropna() > 0).all()


@pytest.mark.open_data
@pytest.mark.parametrize(
    ("spec", "where", "n", "complete", "roots"),
    [
        ("eurasia_trees", {"genus": "Larix"}, 566, 371, 92),
        ("eurasia_trees", {"species": "Pinus sylvestris"}, 4015, 2106, 168),
        ("eurasia_trees", {"genus": "Picea"}, 1298, 914, 251),
        ("eurasia_trees", {"genus": "Betula"}, 1291, 1073, 65),
        ("baad", {"species": "Cryptomeria japonica"}, 190, 177, 21),
        ("baad", {"species": "青冈"}, 18, 15, 0),
        ("baad", {"species": "Eucalyptus grandis"}, 216, 144, 0),
    ],
)
def test_enough_trees(open_data, spec, where, n, complete, roots):
    frame = reader.load(f"open:{spec}", where)
    whole = frame[["dbh", "height", "stem", "branch", "foliage"]].notna().all(axis=1)
    assert len(frame) == n
    assert whole.sum() == pytest.approx(complete, abs=5)
    assert (whole & frame["root"].notna()).sum() == pytest.approx(roots, abs=5)


@pytest.mark.open_data
@pytest.mark.parametrize(
    ("where", "n", "stock", "roots"),
    [
        ({"species": "杉木"}, 342, 266, 74),
        ({"species": "马尾松"}, 146, 121, 56),
        ({"species": "油松"}, 226, 212, 130),
        ({"genus": "Larix"}, 176, 144, 75),
    ],
)
def test_enough_chinese_plots(open_data, where, n, stock, roots):
    frame = reader.load("open:eurasia_plots", where | {"country": "CHN"})
    counts = (len(frame), frame["growing_stock"].notna().sum(), frame["bgb_density"].notna().sum())
    assert counts == (n, stock, roots)
    assert 0.25 < frame["bcef"].median() < 1.2 and 0.12 < frame["root_shoot_ratio"].median() < 0.4


@pytest.mark.open_data
def test_plots_of_forc(open_data):
    """Carbon is half of the dry mass: Arengou, Baihe and Hainan by hand from the file."""
    frame = reader.load("open:forc_china")
    assert len(frame) == 357 and frame["copy_of"].notna().sum() >= 225
    one = frame[(frame["site"] == "Arengou")].iloc[0]
    assert one["agb_density"] == pytest.approx(55.4 / 0.5) and one["age"] == 214
    assert one["forest_type"] and one["study_id"] == "Luo_1996_ponp"
    written = pd.read_csv(open_data / "forc_china" / "measurements.csv", keep_default_na=False)
    for variable, column, share in (
        ("biomass_ag_C", "agb_density", 0.5),
        ("biomass_root_C", "bgb_density", 0.5),
    ):
        cells = written.loc[written["variable.name"] == variable, "mean"].astype(float)
        assert frame[f"{column[:3]}_of_carbon"].sum() == pytest.approx(cells.sum() / share, rel=1e-9)


@pytest.mark.open_data
def test_files_of_open_data_are_the_ones_described(open_data):
    assert [p.name for p in catalogue.input_files("open:baad")] == ["baad_data.csv", "open.yml"]
    assert catalogue.input_files("open:baad")[1] == paths.data("open.yml")
    for name in catalogue.entries():
        frame = reader.load(f"open:{name}")
        assert not any("differs from the file" in note for note in frame.attrs["notes"])
        assert frame.attrs["source"]["files"] == {
            i["path"]: i["sha256"] for i in catalogue.entry(name)["files"]
        }
