"""``data list``, ``data get`` and ``new study`` as a person meets them."""

import json
import shutil

import pytest

from sinklab import paths
from sinklab.cli import main
from sinklab.data.checks import check


@pytest.fixture
def workbench(tmp_path, repository, monkeypatch):
    """A workbench of its own with the vocabulary, the rules and one study."""
    for name in ("vocabulary", "rules", "studies/chinese_fir_simulated"):
        shutil.copytree(repository / "data" / name, tmp_path / "data" / name)
    shutil.copyfile(repository / "data" / "open.yml", tmp_path / "data" / "open.yml")
    monkeypatch.setenv("SINKLAB_ROOT", str(tmp_path))
    monkeypatch.delenv("SINKLAB_DATA", raising=False)
    return tmp_path


def test_list_shows_studies_and_absent_open_data(workbench, capsys):
    assert main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (study,) = [line.split() for line in lines if line.startswith("chinese_fir_simulated")]
    assert study[1:4] == ["simulated", "150", "Apache-2.0"]
    (baad,) = [line.split() for line in lines if line.startswith("baad")]
    assert baad[1:3] == ["absent", "–"] and "10.1890/14-1889.1" in baad


def test_list_in_json_and_in_chinese(workbench, capsys, monkeypatch):
    assert main(["data", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found["open"]][:3] == ["eurasia_trees", "eurasia_plots", "baad"]
    assert {"mangrove_soil_cores", "biodepth_grassland"} < {row["name"] for row in found["open"]}
    assert found["studies"][0]["records"] == 150
    monkeypatch.setenv("SINKLAB_LANG", "zh")
    assert main(["data", "list"]) == 0
    assert "杉木样木（演示）" in capsys.readouterr().out


def test_list_survives_a_broken_study(workbench, capsys):
    (workbench / "data" / "studies" / "chinese_fir_simulated" / "study.yml").write_text(
        "a: [", encoding="utf-8"
    )
    assert main(["data", "list"]) == 0
    assert "chinese_fir_simulated" in capsys.readouterr().out


def test_get_without_data_is_one_message(workbench, capsys):
    assert main(["data", "get", "baad"]) == 2
    error = capsys.readouterr().err
    assert "https://doi.org/10.1890/14-1889.1" in error and "Traceback" not in error


def test_new_study_from_a_field_form(workbench, tmp_path, capsys):
    form = tmp_path / "form.csv"
    form.write_bytes("树号,胸径/mm,H(m),树干/kg,枝 kg,备注\nA1,123,9.5,20.1,3.2,\n".encode("gb18030"))
    assert main(["new", "study", "my_fir", "--data", str(form), "--species", "杉木"]) == 0
    folder = paths.data("studies", "my_fir")
    assert (folder / "data.csv").read_bytes() == form.read_bytes()
    assert "species: cunninghamia_lanceolata" in (folder / "study.yml").read_text(encoding="utf-8")
    rows = (folder / "columns.csv").read_text(encoding="utf-8-sig").splitlines()
    assert rows == [
        "column,variable,unit_in,component,note",
        "树号,tree_id,,,",
        "胸径/mm,dbh,mm,,",
        "H(m),height,m,,",
        "树干/kg,stem,kg,,",
        "枝 kg,branch,kg,,",
        "备注,,,,",
    ]
    # What was weighed is never guessed, and study.yml is still empty: the check says so.
    rules = [p.rule for p in check("my_fir")]
    assert rules.count("component") == 2 and rules.count("file") == 6
    assert "sinklab data check my_fir" in capsys.readouterr().out


def test_new_study_becomes_sound_when_filled_in(workbench, capsys):
    assert main(["new", "study", "plain"]) == 0
    folder = paths.data("studies", "plain")
    with (folder / "data.csv").open("a", encoding="utf-8") as stream:
        stream.write("T1,A,12.3,10.1,30.2,5.1,2.2,,\n")
    columns = (folder / "columns.csv").read_text(encoding="utf-8-sig")
    for line, component in (("树干/kg,stem,kg,", "stem_over_bark"), ("树枝/kg,branch,kg,", "branch_live")):
        columns = columns.replace(line, line + component)
    for line, component in (("树叶/kg,foliage,kg,", "foliage_live"), ("树根/kg,root,kg,", "root_with_stump")):
        columns = columns.replace(line, line + component)
    (folder / "columns.csv").write_text(columns, encoding="utf-8")
    (folder / "study.yml").write_text(
        "title: {en: t, zh: 题}\nspecies: 杉木\nregion: r\nmethod: m\norigin: measured\n"
        "licence: CC BY 4.0\ncontacts: [x]\ncitation: c\n",
        encoding="utf-8",
    )
    assert [str(p) for p in check("plain")] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["My Fir"], "small letters"),
        (["../x"], "small letters"),
        (["chinese_fir_simulated"], "exists already"),
        (["x", "--species", "nothing like it"], "species.csv"),
        (["x", "--data", "nowhere.csv"], "no such file"),
    ],
)
def test_new_study_refuses(workbench, capsys, arguments, message):
    before = sorted(p.name for p in (workbench / "data" / "studies").iterdir())
    assert main(["new", "study", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert sorted(p.name for p in (workbench / "data" / "studies").iterdir()) == before


def test_from_a_workbook_to_a_batch_and_a_draft(workbench, tmp_path, capsys):
    import openpyxl
    import yaml

    from sinklab.data.studies import read_study

    book = openpyxl.Workbook()
    rows = [["马尾松样木"], ["树号", "胸径(mm)", "树高(m)", "干(kg)", "枝(kg)", "叶(kg)"]]
    rows += [[f"{i:03d}", 100 + 10 * i, 8 + i / 2, 20 + i, 4 + i / 10, 2 + i / 20] for i in range(9)]
    for row in [*rows, ["合计", None, None, sum(20 + i for i in range(9))]]:
        book.active.append(row)
    book.save(tmp_path / "pine.xlsx")
    assert main(["new", "study", str(tmp_path / "pine.xlsx")]) == 2
    assert "--species" in capsys.readouterr().err
    options = ["--species", "马尾松", "--region", "广西", "--weighed", "stem_over_bark"]
    assert main(["new", "study", str(tmp_path / "pine.xlsx"), *options]) == 0
    frame = read_study("pine")
    assert list(frame["tree_id"])[:2] == ["000", "001"] and list(frame["dbh"])[:2] == [10.0, 11.0]
    assert frame.attrs["study"]["components"]["stem"] == "stem_over_bark"
    assert [str(p) for p in check("pine") if p.rule in ("file", "component")] == []
    assert (
        paths.data("studies", "pine", "received.xlsx").read_bytes() == (tmp_path / "pine.xlsx").read_bytes()
    )
    assert main(["new", "batch", "pine"]) == 0
    batch = yaml.safe_load((workbench / "notebooks" / "batches" / "pine.yml").read_text(encoding="utf-8"))
    (job,) = batch["jobs"]
    assert job["parameters"]["table_id"] == "agb_forest_pinus_massoniana"
    assert "agb = stem + branch + foliage" in job["parameters"]["equations"]
    assert main(["new", "draft", "agb_forest_pinus_massoniana", "--region", "广西"]) == 0
    draft = workbench / "reports" / "drafts" / "tree_biomass_pinus_massoniana.yml"
    described = yaml.safe_load(draft.read_text(encoding="utf-8"))
    assert described["tables"] == {"main": "agb_forest_pinus_massoniana@0.1.0"}
    assert described["region"] == {"zh": "广西", "en": "Guangxi"}
    # A table that nobody reviewed can be shown, with a watermark: the next command must not refuse it.
    assert described["preview"] is True and "watermark" in capsys.readouterr().out
    # Without it the region is that of the study, once the table is made.
    assert main(["new", "draft", "agb_forest_pinus_massoniana", "--name", "early"]) == 0
    early = yaml.safe_load((workbench / "reports" / "drafts" / "early.yml").read_text(encoding="utf-8"))
    assert early["region"] == {"zh": "（待定）", "en": "(to be decided)"}
    fit = ["fit", "study:pine", "--equations", "stem = a*dbh^b", "--save", "agb_forest_pinus_massoniana"]
    assert main(fit) == 0
    assert main(["new", "draft", "agb_forest_pinus_massoniana", "--name", "late"]) == 0
    late = yaml.safe_load((workbench / "reports" / "drafts" / "late.yml").read_text(encoding="utf-8"))
    assert late["region"]["en"] == "Guangxi" and late["preview"] is True
    assert main(["new", "draft", "agb_forest_pinus_massoniana"]) == 2
    assert "exists already" in capsys.readouterr().err
    # A table whose id holds more than the species, one that holds none, and one that is not made.
    assert main(["new", "draft", "agb_forest_cunninghamia_published", "--name", "pooled"]) == 0
    assert "is not made yet" in capsys.readouterr().out
    pooled = yaml.safe_load((workbench / "reports" / "drafts" / "pooled.yml").read_text(encoding="utf-8"))
    assert pooled["species"] == "cunninghamia_lanceolata"
    assert main(["new", "draft", "agb_forest_mytree", "--name", "mine"]) == 2
    assert "--species NAME" in capsys.readouterr().err
