"""A release: what is refused, what is written, and that a sealed folder tells every later change."""

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from published_tables import EQUATIONS, make_trees

from sinklab import paths
from sinklab.cli import main
from sinklab.data.files import read_csv, write_csv
from sinklab.fitting import fit
from sinklab.language import TableError
from sinklab.review.verification import verify
from sinklab.tables.checks import validate
from sinklab.tables.package import sums, to_json
from sinklab.tables.release import inserted, release_table
from sinklab.tables.schema import RELEASE_FILES, SUMS
from sinklab.tables.table import Table

SOURCE = {
    "origin": "measured",
    "title": "Test trees",
    "citation": "Li A, Wu B (2020) Trees. doi:10.1234/trees.5",
}
REPOSITORY = Path(__file__).resolve().parents[2]
DATE = "2026-03-01"


def write_table(root, data, version="1.0.0", change=None, **source):
    """Table of a plain file, written as a draft; returns its reference."""
    trees = make_trees(100)
    write_csv(trees if change is None else change(trees), data)
    frame = read_csv(data, numeric={"dbh", "height", "stem", "branch", "root"})
    files = {data.name: paths.file_sha256(data)}
    origin = SOURCE | {"spec": f"file:{data.name}", "files": files} | source
    result = fit(frame, EQUATIONS, method="nsur", seed=3)
    Table.from_fits(result, "agb_forest_test", version, source=origin).write(root)
    return f"agb_forest_test@{version}"


def reasons(root, ref):
    """A reason for every check that fails."""
    checks = Table.read(ref, root).checks
    failed = checks[~checks["passed"].astype(bool)]
    return {
        f"{c}:{r}": "small sample of a test"
        for c, r in zip(failed["check_id"], failed["response"], strict=True)
    }


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "params"
    folder.mkdir()
    return folder


@pytest.fixture
def data(tmp_path):
    return tmp_path / "trees.csv"


@pytest.fixture
def draft(root, data):
    return write_table(root, data)


def released(root, ref, data, **options):
    given = {"accept": reasons(root, ref), "date": DATE, "reason": "first table", "reviewers": ["王五"]}
    return release_table(ref, verify(ref, root, [data]), root=root, **(given | options))


def test_a_release_changes_the_status_and_no_number(root, draft, data):
    before = Table.read(draft, root)
    numbers = {p.name: p.read_bytes() for p in (root / "agb_forest_test" / "1.0.0").iterdir()}
    done = released(root, draft, data)
    after = Table.read(draft, root)
    assert (before.status, after.status, done.status) == ("draft", "reviewed", "reviewed")
    for name in ("coefficients.csv", "covariance.csv", "draws.parquet", "indices.csv", "provenance.json"):
        assert (done.folder / name).read_bytes() == numbers[name]
    assert set(RELEASE_FILES) < {p.name for p in done.folder.iterdir()}
    assert validate(done.folder) == []
    assert verify(draft, root, [data]).agreed
    # Reading and writing a sealed table leaves it alone; the next status is another release.
    after.write(root)
    assert validate(done.folder) == []
    assert released(root, draft, data, status="published").status == "published"
    assert validate(done.folder) == []


def test_checksums_are_those_of_sha256sum(root, draft, data):
    folder = released(root, draft, data).folder
    listed = dict(
        reversed(line.split("  ")) for line in (folder / SUMS).read_text(encoding="ascii").splitlines()
    )
    assert set(listed) == {p.name for p in folder.iterdir()} - {SUMS}
    for name, digest in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_metadata(root, draft, data):
    folder = released(root, draft, data, doi="10.5555/sink.1", authors=["A Base"]).folder
    cff = yaml.safe_load((folder / "CITATION.cff").read_text(encoding="utf-8"))
    assert cff["cff-version"] == "1.2.0" and cff["doi"] == "10.5555/sink.1" and cff["version"] == "1.0.0"
    assert cff["authors"] == [{"name": "A Base"}] and cff["date-released"] == DATE
    reference = cff["references"][0]
    assert (reference["authors"][0]["name"], reference["year"], reference["doi"]) == (
        "Li A, Wu B",
        2020,
        "10.1234/trees.5",
    )
    record = json.loads((folder / "datacite.json").read_text(encoding="utf-8"))
    assert record["publicationYear"] == "2026" and record["types"]["resourceTypeGeneral"] == "Dataset"
    assert record["contributors"][0]["name"] == "王五"
    assert record["relatedIdentifiers"] == [
        {
            "relatedIdentifier": "10.1234/trees.5",
            "relatedIdentifierType": "DOI",
            "relationType": "IsDerivedFrom",
        }
    ]
    crate = json.loads((folder / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    entities = {e["@id"]: e for e in crate["@graph"]}
    assert len(entities) == len(crate["@graph"])
    assert entities["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    parts = [p["@id"] for p in entities["./"]["hasPart"]]
    assert "coefficients.csv" in parts and set(parts) <= {p.name for p in folder.iterdir()}
    for part in parts:
        assert entities[part]["sha256"] == hashlib.sha256((folder / part).read_bytes()).hexdigest()
    action = entities["#computation"]
    assert action["object"] == [{"@id": "#input-trees.csv"}] and action["instrument"] == {"@id": "#sinklab"}
    # Every reference inside the crate leads somewhere.
    text = json.dumps(crate["@graph"])
    for name in entities:
        assert name in text
    used = [v["@id"] for e in crate["@graph"] for v in e.values() if isinstance(v, dict) and "@id" in v]
    assert set(used) - set(entities) <= {
        "https://w3id.org/ro/crate/1.1",
        "https://specs.frictionlessdata.io/data-package/",
    }


def test_change_log(root, draft, data):
    (root / "CHANGELOG.md").write_text(
        "# 参数表变更记录\n\n## 记录 · Entries\n\n尚无已评审或已发布的版本。 No version has been reviewed.\n",
        encoding="utf-8",
    )
    done = released(root, draft, data, reason="first\n## agb_forest_test 9.9.9 · forged")
    log = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "尚无" not in log and done.entry in log
    assert log.count("\n## ") == 2 and "## agb_forest_test 1.0.0 · 已评审 reviewed · 2026-03-01" in log
    assert "first release" in log and "file:trees.csv, n = 100" in log and "王五" in log
    assert "small sample of a test" in log
    second = inserted(log, "## other_forest_table 1.0.0 · x\n")
    assert second.index("other_forest_table") < second.index("agb_forest_test 1.0.0")


@pytest.mark.parametrize("name", ["coefficients.csv", "CITATION.cff", "datacite.json", "draws.parquet"])
def test_a_later_change_is_detected(root, draft, data, name):
    folder = released(root, draft, data).folder
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    assert any(name in p and "changed since the release" in p for p in validate(folder))


def test_files_that_come_and_go_are_detected(root, draft, data):
    folder = released(root, draft, data).folder
    (folder / "note.txt").write_text("x", encoding="utf-8")
    (folder / "CITATION.cff").unlink()
    found = validate(folder)
    assert any("note.txt: added after" in p for p in found)
    assert any("CITATION.cff: gone since" in p for p in found)


def test_a_folder_sealed_anew_is_detected_by_the_change_log(root, draft, data):
    folder = released(root, draft, data).folder
    path = folder / "indices.csv"
    path.write_bytes(path.read_bytes().replace(b",0.9", b",0.8", 1))
    head = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    for resource in head["resources"]:
        if resource["name"] == "indices":
            resource["hash"] = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    (folder / "datapackage.json").write_bytes(to_json(head))
    everything = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != SUMS}
    (folder / SUMS).write_bytes(sums(everything))
    (problem,) = validate(folder)
    assert "altered and sealed anew" in problem
    (root / "CHANGELOG.md").write_text("nothing", encoding="utf-8")
    assert any("no entry" in p for p in validate(folder))


def test_a_status_without_a_seal_is_detected(root, draft, data):
    table = Table.read(draft, root)
    frames = {k: f.assign(status="reviewed") if "status" in f else f for k, f in table.frames.items()}
    folder = replace(table, frames=frames).write(root)
    assert any("by `sinklab table release` only" in p for p in validate(folder))


def test_a_sealed_version_is_not_written_over(root, draft, data):
    released(root, draft, data)
    before = Table.read(draft, root)
    with pytest.raises(TableError, match="holds other numbers"):
        write_table(root, data, change=lambda t: t.assign(stem=t["stem"] * 1.01))
    assert Table.read(draft, root).models[0].values.tolist() == before.models[0].values.tolist()


def test_all_reasons_against_a_release_are_named_at_once(root, draft, data):
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    with pytest.raises(TableError) as caught:
        released(
            root,
            draft,
            data,
            accept={"no_such_check": "x"},
            date="01.03.2026",
            reason=" ",
            reviewers=[],
            doi="doi:10.1/x",
        )
    text = str(caught.value)
    for piece in (
        "agb_forest_test@1.0.0 cannot be released",
        "no reason is given",
        "no reviewer is named",
        "expected YYYY-MM-DD",
        "expected 10.…/…",
        "--accept no_such_check: no such check fails",
        "is accepted (--accept ",
    ):
        assert piece in text, piece
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


def test_simulated_numbers_are_never_released(root, data):
    ref = write_table(root, data, origin="simulated")
    with pytest.raises(TableError, match="a demonstration is never released"):
        released(root, ref, data)


def test_a_table_that_was_edited_is_refused(root, draft, data):
    path = root / "agb_forest_test" / "1.0.0" / "indices.csv"
    path.write_bytes(path.read_bytes().replace(b",0.9", b",0.8", 1))
    verification = verify(draft, root, [data])
    with pytest.raises(TableError, match="cannot be released"):
        release_table(draft, verification, "why", ["B"], date=DATE, root=root)


def test_a_table_that_cannot_be_recomputed_is_refused(root, draft, data):
    with pytest.raises(TableError, match="recomputation: .*only its maker has"):
        release_table(
            draft, verify(draft, root), "why", ["B"], accept=reasons(root, draft), date=DATE, root=root
        )
    other = replace(verify(draft, root, [data]), ref="agb_forest_other@1.0.0")
    with pytest.raises(TableError, match="is of agb_forest_other@1.0.0"):
        release_table(draft, other, "why", ["B"], accept=reasons(root, draft), date=DATE, root=root)


def test_the_version_must_say_how_much_moved(root, draft, data):
    released(root, draft, data)

    def heavier(trees):
        return trees.assign(stem=trees["stem"] * 1.5)

    ref = write_table(root, data, "1.0.1", heavier)
    with pytest.raises(
        TableError, match=r"version 1.0.1 is not enough after 1.0.0: major changes need 2.0.0"
    ):
        released(root, ref, data)
    ref = write_table(root, data, "2.0.0", heavier)
    entry = released(root, ref, data).entry
    row = Table.read(ref, root).models[0].parameters.iloc[0]
    assert "against 1.0.0" in entry and f"model, {row['name']}: " in entry and "beyond" in entry
    assert f"→ {row['value']:.6g}" in entry


def test_an_interrupted_release_leaves_everything_as_it_was(root, draft, data, monkeypatch):
    (root / "CHANGELOG.md").write_text("# before\n", encoding="utf-8")
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    real = paths.os.replace

    def failing(source, target):
        if str(target).endswith("1.0.0") and str(source).endswith(".part"):
            raise OSError("the disk is full")
        return real(source, target)

    given = {"accept": reasons(root, draft), "date": DATE, "root": root}
    verification = verify(draft, root, [data])
    monkeypatch.setattr(paths.os, "replace", failing)
    with pytest.raises(OSError, match="disk is full"):
        release_table(draft, verification, "why", ["B"], **given)
    monkeypatch.undo()
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


def test_command(root, draft, data, capsys):
    arguments = ["table", "release", draft, "--reviewer", "A", "--reviewer", "B", "--reason", "new trees"]
    arguments += ["--root", str(root), "--data", str(data), "--date", DATE]
    assert main(arguments) == 2
    assert "check n_aboveground fails for stem: 100 >= 150 does not hold" in capsys.readouterr().err
    for key, reason in reasons(root, draft).items():
        arguments += ["--accept", f"{key}={reason}"]
    assert main(arguments) == 0
    assert "released as reviewed" in capsys.readouterr().out
    assert main(["table", "validate", draft, "--root", str(root)]) == 0
    assert main(arguments) == 2
    assert "already reviewed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("agb_forest_test", "name the version to release"),
        ("../agb_forest_test@1.0.0", "table id '../agb_forest_test'"),
        ("agb_forest_test@../../1.0.0", "table version '../../1.0.0'"),
    ],
)
def test_references_that_are_refused(root, draft, ref, message, capsys):
    arguments = ["table", "release", ref, "--reviewer", "A", "--reason", "x", "--root", str(root)]
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_a_draft_is_released_as_the_version_that_is_asked_for(root, data, capsys):
    draft = write_table(root, data, "0.1.0")
    stored = {p.name: p.read_bytes() for p in (root / "agb_forest_test" / "0.1.0").iterdir()}
    arguments = ["--reviewer", "A", "--reason", "first", "--root", str(root), "--data", str(data)]
    for key, reason in reasons(root, draft).items():
        arguments += ["--accept", f"{key}={reason}"]
    assert main(["table", "release", "agb_forest_test@0.0.9", *arguments]) == 2
    assert "no version 0.0.9; there are: 0.1.0" in capsys.readouterr().err
    assert main(["table", "release", "agb_forest_test@1.0.0", *arguments]) == 0
    assert "made from 0.1.0, which stays" in capsys.readouterr().out
    made, before = Table.read("agb_forest_test@1.0.0", root), Table.read(draft, root)
    assert (made.status, before.status) == ("reviewed", "draft")
    assert made.models[0].values.tolist() == before.models[0].values.tolist()
    assert validate(root / "agb_forest_test" / "1.0.0") == [] and verify(made.ref, root, [data]).agreed
    assert {p.name: p.read_bytes() for p in (root / "agb_forest_test" / "0.1.0").iterdir()} == stored


@pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")
def test_git_takes_released_versions_and_no_others(tmp_path):
    root, data = tmp_path / "params", tmp_path / "trees.csv"
    root.mkdir()
    shutil.copy(REPOSITORY / "params" / ".gitignore", root)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    ref = write_table(root, data)
    shutil.copytree(root / "agb_forest_test", root / "agb_forest_draft")

    def added():
        subprocess.run(["git", "-C", str(tmp_path), "add", "params"], check=True)
        told = subprocess.run(
            ["git", "-C", str(tmp_path), "ls-files", "params"], check=True, capture_output=True, text=True
        )
        return set(told.stdout.split())

    assert added() == {"params/.gitignore"}
    accept = reasons(root, ref)
    released = release_table(
        ref, verify(ref, root, [data]), "first", ["C"], accept=accept, date=DATE, root=root
    )
    own = {f"params/agb_forest_test/1.0.0/{p.name}" for p in released.folder.iterdir()}
    assert added() == own | {"params/.gitignore", "params/CHANGELOG.md"}
    write_table(root, data, "1.0.1")
    assert added() == own | {"params/.gitignore", "params/CHANGELOG.md"}
    # What is sealed and then touched is told.
    values = released.folder / "coefficients.csv"
    values.write_bytes(values.read_bytes() + b"\n")
    assert any("coefficients.csv" in problem for problem in validate(released.folder))
