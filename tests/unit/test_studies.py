"""Study folders: raw table, mapping, corrections; simulated studies that can be drawn again."""

import runpy
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sinklab import paths
from sinklab.data import files
from sinklab.data.catalogue import list_studies, study_files
from sinklab.data.studies import read_study
from sinklab.language import DataError

STUDY = "chinese_fir_simulated"
simulate = SimpleNamespace(**runpy.run_path(str(paths.data("studies", "simulate.py"))))


@pytest.fixture
def copy(tmp_path, repository):
    """A copy of a study that a test may spoil."""
    target = tmp_path / "study_x"
    shutil.copytree(repository / "data" / "studies" / STUDY, target)
    return target


def _edit(path, old, new):
    text = path.read_text(encoding="utf-8-sig")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_three_studies_are_there():
    assert set(list_studies()) >= {STUDY, "masson_pine_simulated", "eucalypt_simulated"}


def test_names_units_and_origin():
    frame = read_study(STUDY)
    assert list(frame.columns) == [
        *("study_id", "species", "tree_id", "site", "dbh", "height", "volume"),
        *("stem", "bark", "branch", "foliage", "root"),
    ]
    assert set(frame["species"]) == {"Cunninghamia lanceolata"}
    source = frame.attrs["source"]
    assert source["origin"] == "simulated" and source["spec"] == f"study:{STUDY}"
    assert source["components"]["root"] == "root_with_stump"
    assert len(source["files"]) == 4 and all(len(digest) == 64 for digest in source["files"].values())
    assert [path.name for path in study_files(STUDY)] == [
        *("data.csv", "columns.csv", "corrections.csv", "study.yml")
    ]


def test_units_are_converted():
    raw = files.read_csv(study_files("eucalypt_simulated")[0])
    frame = read_study("eucalypt_simulated")
    np.testing.assert_allclose(frame["dbh"], raw["胸径/mm"] / 10)
    np.testing.assert_allclose(frame["foliage"], raw["树叶/g"] / 1000)


def test_raw_file_in_gb18030_reads_like_any_other():
    frame = read_study("masson_pine_simulated")
    assert frame["site"].iloc[0] == "模拟样点A"
    with pytest.raises(UnicodeDecodeError):
        study_files("masson_pine_simulated")[0].read_text(encoding="utf-8")


def test_correction_is_applied_and_raw_stays_raw():
    frame = read_study(STUDY).set_index("tree_id")
    raw = files.read_csv(study_files(STUDY)[0]).set_index("树号")
    assert frame.loc["CL083", "dbh"] == pytest.approx(17.6)
    assert raw.loc["CL083", "胸径/cm"] == pytest.approx(176)
    assert any("1 cells corrected" in note for note in frame.attrs["notes"])


@pytest.mark.parametrize("study", [STUDY, "masson_pine_simulated", "eucalypt_simulated", "moso_simulated"])
def test_simulated_study_can_be_drawn_again(study):
    path = study_files(study)[0]
    kept = files.read_text(path).lstrip("\ufeff").splitlines()
    again = simulate.generate(study).splitlines()
    assert kept[0] == again[0] and len(kept) == len(again)
    for old, new in zip(kept[1:], again[1:], strict=True):
        for a, b in zip(old.split(","), new.split(","), strict=True):
            # The last digit of a reading may differ between mathematics libraries, nothing more.
            assert a == b or float(a) == pytest.approx(float(b), rel=2e-3)


@pytest.mark.parametrize("study", [STUDY, "masson_pine_simulated", "eucalypt_simulated"])
def test_sampling_design(study):
    frame = read_study(study)
    classes = simulate.design_classes("short_lived" if study.startswith("euc") else "ten_classes")
    edges = [*classes["dbh_min"], classes["dbh_max"].iloc[-1]]
    group = pd.cut(frame["dbh"], edges, labels=False, include_lowest=True)
    assert len(frame) == 150 and frame["root"].notna().sum() == 50
    counts = group.value_counts()
    # A reading rounded to a class limit may fall to the neighbour.
    assert len(counts) == 10 and counts.between(13, 17).all()
    dug = [frame["root"].iloc[i * 15 : (i + 1) * 15].notna().sum() for i in range(10)]
    assert dug == [5] * 10


def test_culms_are_spread_over_diameter_and_age_classes():
    frame = read_study("moso_simulated")
    classes = simulate.design_classes("moso_culms")
    group = np.repeat(np.arange(len(classes)), 24)
    counts = frame.groupby([group, "age_class"]).size()
    assert len(counts) == 5 * 4 and (counts == 6).all()
    assert (frame["bgb"].notna().groupby(group).sum() == 8).all()
    # Old culms follow the printed equations of Zhejiang; those of age class 1 the ratio of the one stand that was weighed.
    culm = 0.0398 * frame["height"] ** 0.5778 * frame["dbh"] ** 1.854
    ratio = np.log(frame["culm"] / culm).groupby(frame["age_class"]).mean()
    assert np.exp(ratio.loc[[2, 3, 4]]).to_numpy() == pytest.approx(1, abs=0.08)
    assert np.exp(ratio.loc[1] - ratio.loc[[2, 3, 4]].mean()) == pytest.approx(0.54, abs=0.03)


def test_masses_follow_the_printed_equations():
    # Aboveground mass at 20 cm: 0.0588 D^2.5026 = 106 kg; 0.0944 D^2.4976 = 167 kg; Xiang et al. 128 kg.
    for study, printed in ((STUDY, 106.0), ("eucalypt_simulated", 167.4), ("masson_pine_simulated", 127.8)):
        frame = read_study(study)
        agb = frame["stem"] + frame["branch"] + frame["foliage"]
        slope, start = np.polyfit(np.log(frame["dbh"] / 20), np.log(agb), 1)
        assert np.exp(start) == pytest.approx(printed, rel=0.08)
        assert 2.1 < slope < 2.6
        ratio = (frame["root"] / agb).dropna().median()
        assert 0.12 < ratio < 0.30


def test_all_faults_at_once(copy):
    _edit(copy / "columns.csv", "树高/m,height,m", "树高/m,heigth,m")
    _edit(copy / "columns.csv", "树枝/kg,branch,kg", "树枝/kg,branch,cm")
    _edit(copy / "columns.csv", "备注,,,,空白列，不读取", "别名,,,,")
    _edit(copy / "columns.csv", "stem_bark", "stem_barks")
    _edit(copy / "corrections.csv", "176,17.6", "177,17.6")
    _edit(copy / "data.csv", "CL001,模拟样点A,2.5", "CL001,模拟样点A,二.五")
    _edit(copy / "study.yml", "origin: simulated", "origin: guessed")
    with pytest.raises(DataError) as error:
        read_study(copy)
    text = str(error.value)
    for part in (
        "height",  # the nearest variable
        "cannot convert cm",
        "别名",
        "备注",
        "stem_barks",
        "old (胸径/cm) = 177; expected 176",
        "二.五",
        "guessed",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("CL999,胸径/cm,1,2,why,who", "0 records match"),
        ("CL001,胸径,1,2,why,who", "a column of data.csv"),
        ("CL001,胸径/cm,2.5,2.6,,who", "reason"),
        ("CL001,胸径/cm,2.5,2.6,why,", "who"),
    ],
)
def test_corrections_that_cannot_be_followed(copy, row, message):
    with (copy / "corrections.csv").open("a", encoding="utf-8") as stream:
        stream.write(row + "\n")
    with pytest.raises(DataError, match=message):
        read_study(copy)


def test_star_leaves_a_record_out_and_numbers_stay(copy):
    with (copy / "corrections.csv").open("a", encoding="utf-8") as stream:
        stream.write("#2,*,,,broken top,who\n")
    frame = read_study(copy)
    assert len(frame) == 149 and 1 not in frame.index and frame.loc[2, "tree_id"] == "CL003"
    assert any("1 records left out" in note for note in frame.attrs["notes"])


def test_blank_new_value_sets_a_cell_to_missing(copy):
    with (copy / "corrections.csv").open("a", encoding="utf-8") as stream:
        stream.write("CL001,树叶/kg,0.103,,balance failed,who\n")
    assert np.isnan(read_study(copy)["foliage"].iloc[0])


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "utf-8"])
def test_a_raw_table_with_titles_sums_and_full_width_digits_gives_the_same_study(copy, encoding):
    plain = read_study(copy)
    lines = (copy / "data.csv").read_text(encoding="utf-8-sig").splitlines()
    first = lines[1].split(",")
    assert first[2] == "2.5"
    first[2] = "２．５"
    width = "," * (len(first) - 3)
    sheet = [
        "广西杉木标准木调查表",
        "填表日期：2024年5月1日",
        lines[0],
        ",".join(first),
        *lines[2:],
        f"合计,,1234.5{width}",
    ]
    (copy / "data.csv").write_bytes("\r\n".join(line.replace(",", "\t") for line in sheet).encode(encoding))
    found = read_study(copy)
    pd.testing.assert_frame_equal(found, plain)
    notes = " ".join(map(str, found.attrs["notes"]))
    assert "row 1: not read: title" in notes and f"row {len(sheet)}: not read: sums or means" in notes


def test_unknown_study_names_those_that_exist():
    with pytest.raises(DataError, match=STUDY):
        read_study("chinese_fir")


def test_missing_file_is_one_message(copy):
    (copy / "columns.csv").unlink()
    with pytest.raises(DataError, match=r"columns\.csv.*no such file"):
        read_study(copy)
