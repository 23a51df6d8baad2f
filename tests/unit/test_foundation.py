"""Language, errors, paths, units, vocabulary and CSV reading."""

import csv
import io
import re
import shutil
import threading
from contextlib import ExitStack

import numpy as np
import pandas as pd
import pytest

from sinklab import language, paths
from sinklab.data import files, vocabulary
from sinklab.data.files import records
from sinklab.language import DataError, TableError, UnitError, listing
from sinklab.tables.schema import check_table_id


def test_tr_follows_the_reader(monkeypatch):
    monkeypatch.setenv("SINKLAB_LANG", "zh")
    assert language.tr("tree", "树") == "树"
    monkeypatch.setenv("SINKLAB_LANG", "en")
    assert language.tr("tree", "树") == "tree"
    monkeypatch.delenv("SINKLAB_LANG")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert language.reader_language() == "zh"


def test_listing_counts_what_it_does_not_show():
    assert listing(map(str, range(25)), limit=3).splitlines()[-1].split()[2] == "22"


def test_units_survive_a_round_trip_and_keep_printed_values():
    rows = list(csv.DictReader(open(paths.data("vocabulary", "units.csv"), encoding="utf-8")))
    for one in rows:
        for other in rows:
            if one["dimension"] == other["dimension"]:
                back = vocabulary.convert(
                    vocabulary.convert(7.25, one["unit"], other["unit"]), other["unit"], one["unit"]
                )
                assert back == pytest.approx(7.25, rel=1e-12)
    assert vocabulary.convert(1.0, "g/m2", "t/ha") == pytest.approx(0.01)
    assert vocabulary.convert(1.0, "kg/m3", "g/cm3") == pytest.approx(0.001)
    assert vocabulary.convert(np.array([47.0]), "%", "1")[0] == 0.47
    assert vocabulary.convert(548.1, "g/kg", "1") == pytest.approx(0.5481)
    with pytest.raises(UnitError, match="cannot convert"):
        vocabulary.convert(1.0, "kg", "m")
    with pytest.raises(UnitError, match="not known"):
        vocabulary.convert(1.0, "stone", "kg")


def test_every_name_of_a_taxon_leads_to_it_alone():
    for taxon in vocabulary.species_list():
        for name in (taxon.species_id, taxon.name_latin, taxon.name_zh, *taxon.synonyms, *taxon.also_zh):
            assert vocabulary.species(name) == taxon, name
    # Standards print the older name of the camphor tree, checklists the newer one.
    assert vocabulary.species("Camphora officinarum") == vocabulary.species("樟树")
    for programme, known in (
        ("guangxi", "毛竹"),
        ("sichuan", "慈竹"),
        ("lishui", "木荷"),
        ("chifeng", "樟子松"),
    ):
        assert programme in vocabulary.species(known).regions, known


def test_vocabulary_is_consistent():
    for v in vocabulary.variables().values():
        assert v.label_en and v.label_zh and v.meaning_en and v.meaning_zh
        if v.numeric:
            vocabulary.check(v.unit)
            assert v.minimum < v.maximum
    for c in vocabulary.components().values():
        assert vocabulary.is_variable(c.variable)
        assert not set(c.includes) & set(c.excludes)
    ids = [s.species_id for s in vocabulary.species_list()]
    assert len(ids) == len(set(ids))
    assert vocabulary.species("杉木").species_id == vocabulary.species("Cunninghamia lanceolata").species_id
    with pytest.raises(DataError, match="pinus_massoniana"):
        vocabulary.species("pinus_massonianna")
    assert vocabulary.label("dbh", "zh", unit=True) == "胸径/cm"
    assert vocabulary.label("agb_density", "zh", unit=True) == "单位面积地上生物量/(t/hm²)"
    assert vocabulary.group_label("species_id=pinus_massoniana;component=stem_bark", "zh") == "马尾松 干皮"
    assert vocabulary.label("root_shoot_ratio", "en", unit=True) == "root:shoot ratio"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_read_csv_in_the_encodings_of_field_books(tmp_path, encoding):
    file = tmp_path / "树.csv"
    file.write_bytes("树号,胸径,备注\n1,10.5,好\n2,NA,\n".encode(encoding))
    frame = files.read_csv(file)
    assert list(frame.columns) == ["树号", "胸径", "备注"]
    assert frame["胸径"][0] == 10.5 and np.isnan(frame["胸径"][1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n \n", "is empty"),
        (b"dbh,stem\n", "no record"),
        (b"dbh,dbh\n1,2\n", "used twice: dbh"),
        (b"dbh,stem\n1,2,3\n", "line 2: 3 cells"),
        (b"dbh,stem\n1,inf\n2,nan\n", "record 1: stem = 'inf'"),
        (b"dbh,stem\n\xff\xff\xff,2\n", "unreadable"),
    ],
)
def test_read_csv_names_what_is_wrong(tmp_path, content, message):
    file = tmp_path / "bad.csv"
    file.write_bytes(content)
    with pytest.raises(DataError, match=message):
        files.read_csv(file)


def test_numeric_columns_name_every_text_cell(tmp_path):
    file = tmp_path / "bad.csv"
    file.write_text("dbh,stem\n1,x\n2,y\n3,4\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"record 1: stem = 'x'\nrecord 2: stem = 'y'"):
        files.read_csv(file, numeric=["stem"])


def test_atomic_write_leaves_the_old_file_when_the_block_fails(tmp_path):
    file = tmp_path / "table.csv"
    files.write_csv(pd.DataFrame({"a": [1.5]}), file)
    assert file.read_bytes() == b"\xef\xbb\xbfa\n1.5\n"
    with pytest.raises(RuntimeError), paths.atomic_write(file) as stream:
        stream.write("half")
        raise RuntimeError
    assert file.read_bytes() == b"\xef\xbb\xbfa\n1.5\n"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_atomic_folder_swaps_whole_folders(tmp_path):
    folder = tmp_path / "1.0.0"
    for text in ("old", "new"):
        with paths.atomic_folder(folder) as work:
            (work / "a.txt").write_text(text, encoding="utf-8")
    with pytest.raises(RuntimeError), paths.atomic_folder(folder) as work:
        (work / "a.txt").write_text("half", encoding="utf-8")
        raise RuntimeError
    assert (folder / "a.txt").read_text(encoding="utf-8") == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["1.0.0"]


def test_every_ecosystem_that_is_named_is_a_row():
    known = vocabulary.ecosystems()
    pages = {page.stem for page in paths.reports("systems").glob("*.md")}
    assert pages == {page for system in known.values() for page in system.pages}
    named = {folder.name for folder in paths.params().iterdir() if folder.is_dir()}
    for batch in paths.notebooks("batches").glob("*.yml"):
        ids = re.findall(r"""table_id: *["']?([a-z0-9_{}]+)""", batch.read_text(encoding="utf-8"))
        named |= {re.sub(r"{.*?}", "x", table_id).strip("}") for table_id in ids}
    assert len(named) > 50
    for table_id in named:
        check_table_id(table_id)
    for system in known.values():
        assert all(paths.notebooks(f"{name}.ipynb").is_file() for name in system.notebooks)
        assert not system.batch or paths.notebooks("batches", f"{system.batch}.yml").is_file()
    rules = {name for row in records("rules", "acceptance.csv") for name in row["systems"].split(";")} - {""}
    told = {row["system"] for row in records("literature", "equations", "systems.csv")}
    assert rules | told <= set(known)


def test_an_unknown_ecosystem_in_a_table_id_is_refused_with_one_message():
    with pytest.raises(TableError) as found:
        check_table_id("agb_seabed_kelp")
    assert "names no ecosystem of data/vocabulary/systems.csv" in str(found.value)
    assert ", ".join(vocabulary.ecosystems()) in str(found.value)
    with pytest.raises(DataError, match="known: forest, bamboo"):
        vocabulary.ecosystem("seabed")


def test_what_a_killed_process_left_is_cleared_by_the_next_write(tmp_path, monkeypatch):
    def leave():
        (tmp_path / ".a.csv.abcdefg1.part").write_text("half", encoding="utf-8")
        for name in (".t.abcdefg2.part", ".t.abcdefg3.part-old"):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "was.csv").write_text(name, encoding="utf-8")

    def write():
        with paths.atomic_write(tmp_path / "a.csv") as stream:
            stream.write("whole")
        with paths.atomic_folder(tmp_path / "t") as folder:
            (folder / "is.csv").write_text("new", encoding="utf-8")
        return sorted(p.name for p in tmp_path.iterdir())

    leave()
    with ExitStack() as others:
        for left in [*tmp_path.iterdir()]:
            others.enter_context(paths._at_work(left))
        monkeypatch.setattr(paths, "STALE", -1)
        assert write() == [
            ".a.csv.abcdefg1.part",
            ".t.abcdefg2.part",
            ".t.abcdefg3.part-old",
            "a.csv",
            "t",
        ], "it may still be at work"
    monkeypatch.setattr(paths, "STALE", 900)
    assert {".a.csv.abcdefg1.part", ".t.abcdefg2.part"} < {*write()}, "it was made a moment ago"
    monkeypatch.setattr(paths, "STALE", -1)
    assert write() == ["a.csv", "t"]
    leave()
    shutil.rmtree(tmp_path / "t")
    with pytest.raises(KeyError), paths.atomic_folder(tmp_path / "t"):
        raise KeyError
    assert [p.name for p in (tmp_path / "t").iterdir()] == ["was.csv"], "what stood there before is back"


@pytest.mark.parametrize("watched", [False, True])
def test_what_takes_long_is_told_while_it_lasts(monkeypatch, watched):
    """On a terminal the seconds count up in one line; elsewhere it is told once, and at its end."""
    told = threading.Semaphore(0)

    class Stream(io.StringIO):
        def isatty(self):
            return watched

        def write(self, text):
            super().write(text)
            told.release()

    monkeypatch.setattr("sys.stderr", stream := Stream())
    monkeypatch.setattr(language, "PATIENCE", 0.01)
    monkeypatch.delenv(language.QUIET)
    with language.waiting("loading a", "正在载入 a"), language.waiting("reading b", "正在读取 b"):
        assert told.acquire(timeout=60) and (not watched or told.acquire(timeout=60))
    lines = stream.getvalue()
    assert lines.startswith("sinklab: loading a … 0 s") and lines.endswith("\n") and "reading b" not in lines
    assert lines.count("\n") == (1 if watched else 2) and ("\r" in lines) == watched
    monkeypatch.setattr(language, "PATIENCE", 60)
    with language.waiting("loading a", "正在载入 a"):
        pass
    assert stream.getvalue() == lines
