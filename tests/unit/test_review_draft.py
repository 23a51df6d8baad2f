"""Review of drafts: altered, stale and hand-typed numbers are caught; a faithful draft passes."""

import shutil
import zipfile
from dataclasses import replace

import pytest
from desk_workbench import alone, copied, write_carbon_fractions, write_fir

from sinklab import paths
from sinklab.drafts import description
from sinklab.drafts.meaning import masked, plain, read_numbers
from sinklab.drafts.rendering import Look, convert
from sinklab.language import DraftError
from sinklab.review.draft import _written, check_draft
from sinklab.tables.table import Table

NAME = "tree_biomass_cunninghamia"
EQUATIONS = """
stem = a1 * dbh**b1 * height**c1
branch = a2 * dbh**b2 * height**c2
foliage = a3 * dbh**b3 * height**c3
agb = stem + branch + foliage
root = agb * r0 * dbh**r1
volume = v0 * dbh**v1 * height**v2
"""
TABLES = ("agb_forest_cunninghamia", "carbon_fraction_forest_china")


@pytest.fixture(scope="module")
def workbench(tmp_path_factory):
    """A copy of the workbench with two tables and one draft."""
    with copied(tmp_path_factory.mktemp("review"), f"{NAME}.yml") as root:
        write_fir(EQUATIONS, TABLES[0])
        alone(NAME)
        write_carbon_fractions({"species_id": "cunninghamia_lanceolata"})
        yield root


def render(folder, lang):
    """Draft as it is sent out, without its figures and pages."""
    folder.mkdir(exist_ok=True)
    drawn = description.read(NAME)
    _, text, draft = _written(drawn, lang, None, folder)
    path = folder / f"{NAME}.{lang}.docx"
    look = Look(lang, draft["title"], draft["number"], tables=tuple(drawn.tables.values()))
    path.write_bytes(convert(text, "docx", look, folder))
    return path


@pytest.fixture(scope="module", params=["zh", pytest.param("en", marks=pytest.mark.slow)])
def sent(workbench, tmp_path_factory, request):
    return render(tmp_path_factory.mktemp("sent"), request.param)


@pytest.fixture(scope="module")
def english(workbench, tmp_path_factory):
    return render(tmp_path_factory.mktemp("sent"), "en")


def edited(source, target, *changes, part="word/document.xml"):
    """Copy of a document with words of a part replaced, as a person would in Word."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            raw = old.read(name)
            if name == part:
                text = raw.decode("utf-8")
                for before, after in changes:
                    assert before in text
                    text = text.replace(before, after, 1)
                raw = text.encode("utf-8")
            new.writestr(name, raw)
    return target


def test_faithful_draft_passes_with_every_number_traced(sent):
    check = check_draft(sent)
    assert check.findings == ()
    assert check.n_cited == check.n_agreed
    assert check.n_cited > 240
    assert {t.partition("@")[0] for t in check.tables} == set(TABLES)


def test_altered_number_is_named_with_its_place_in_document_and_table(sent, tmp_path):
    back = edited(sent, tmp_path / sent.name, (">2.020<", ">2.030<"))
    (finding,) = check_draft(back).findings
    assert (finding.kind, finding.found, finding.expected) == ("altered", "2.030", "2.020")
    assert (finding.table, finding.file) == ("agb_forest_cunninghamia@0.1.0", "coefficients")
    assert (finding.name, finding.column, finding.row) == ("b1", "value", 3)
    assert "A.1" in finding.caption
    assert "b_1" in finding.text
    assert "2.030" in finding.line()


def test_a_number_altered_into_another_number_of_the_table_is_caught(english, tmp_path):
    """A comparison of what is printed somewhere would let this pass."""
    back = edited(english, tmp_path / english.name, ("comprises 150 trees", "comprises 50 trees"))
    (finding,) = check_draft(back).findings
    assert (finding.kind, finding.found, finding.expected) == ("altered", "50", "150")
    assert (finding.file, finding.column) == ("provenance", "n_used")


def test_two_numbers_that_changed_places_are_both_caught(english, tmp_path):
    swap = (">0.0022<", ">SWAP<"), (">0.0387<", ">0.0022<"), (">SWAP<", ">0.0387<")
    found = check_draft(edited(english, tmp_path / english.name, *swap)).findings
    assert [(f.kind, f.found, f.expected) for f in found] == [
        ("altered", "0.0387", "0.0022"),
        ("altered", "0.0022", "0.0387"),
    ]


def test_hand_typed_number_is_caught_in_text_note_and_template(english, tmp_path, workbench):
    words = "sum of the oven-dry masses of all organs of a living tree"
    back = edited(english, tmp_path / english.name, (words, f"{words}, of a density of 0.412 g/cm³"))
    (finding,) = check_draft(back).findings
    assert (finding.kind, finding.found, finding.heading) == ("typed", "0.412", "3.1 tree biomass")
    template = workbench / "reports" / "templates" / "species_standard" / "en.md"
    before = template.read_text(encoding="utf-8")
    try:
        template.write_text(before.replace(words, f"{words}, usually 0.61 t"), encoding="utf-8")
        (finding,) = check_draft(render(tmp_path / "typed", "en")).findings
    finally:
        template.write_text(before, encoding="utf-8")
    assert (finding.kind, finding.found) == ("typed", "0.61")


def test_numbers_left_out_and_formulas_changed_are_caught(english, tmp_path):
    back = edited(
        english,
        tmp_path / english.name,
        ("1.5\N{NO-BREAK SPACE}cm to ", "up to "),
        ("<m:t>44</m:t>", "<m:t>11</m:t>"),
    )
    found = {f.kind: f for f in check_draft(back).findings}
    assert set(found) == {"removed", "formula"}
    assert (found["removed"].expected, found["removed"].file) == ("1.5", "ranges")
    assert "11/12" in found["formula"].found
    assert "44/12" in found["formula"].expected


def test_stale_version_is_caught_with_the_numbers_that_moved(english, workbench, tmp_path):
    table = Table.read("agb_forest_cunninghamia@0.1.0")
    coefficients = table.frames["coefficients"].copy()
    row = coefficients.index[coefficients["name"] == "b1"][0]
    coefficients.loc[row, ["value", "lower", "upper"]] += 0.05
    draws = table.frames["draws"].assign(b1=table.frames["draws"]["b1"] + 0.05)
    moved = table.frames | {"coefficients": coefficients, "draws": draws}
    folder = replace(table, version="0.2.0", frames=moved).write()
    try:
        (finding,) = check_draft(english).findings
    finally:
        shutil.rmtree(folder)
    assert (finding.kind, finding.found) == ("stale", "agb_forest_cunninghamia@0.1.0")
    assert "agb_forest_cunninghamia@0.2.0" in finding.expected
    # Three cells of the coefficient itself, and the total relative error of each of ten diameter classes.
    assert " 13 of " in finding.expected


def test_document_of_an_older_version_than_the_description_is_stale(english, workbench, tmp_path):
    table = Table.read("agb_forest_cunninghamia@0.1.0")
    folder = replace(table, version="0.3.0").write()
    file = paths.reports("drafts", f"{NAME}.yml")
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(before.replace("cunninghamia@0.1.0", "cunninghamia@0.3.0"), encoding="utf-8")
        found = check_draft(english).findings
    finally:
        file.write_text(before, encoding="utf-8")
        shutil.rmtree(folder)
    assert {f.kind for f in found} == {"stale"}
    assert any("description" in f.expected for f in found)


def test_table_that_does_not_exist_is_named(english, tmp_path):
    ref = "agb_forest_cunninghamia@0.1.0"
    changes = [(ref, ref.replace("0.1.0", "9.0.0"))]
    back = edited(english, tmp_path / english.name, *changes, part="docProps/core.xml")
    assert [f.kind for f in check_draft(back).findings] == ["unknown"]


def test_tracked_changes_count_as_accepted_and_name_their_author(english, tmp_path):
    tracked = (
        '</w:t></w:r><w:del w:id="900" w:author="审稿人" w:date="2026-01-02T00:00:00Z"><w:r><w:delText>150</w:delText>'
        '</w:r></w:del><w:ins w:id="901" w:author="审稿人" w:date="2026-01-02T00:00:00Z"><w:r><w:t>160</w:t></w:r></w:ins>'
        '<w:r><w:t xml:space="preserve"> trees. The'
    )
    back = edited(english, tmp_path / english.name, ("150 trees. The", tracked))
    (finding,) = check_draft(back).findings
    assert (finding.kind, finding.found, finding.author) == ("altered", "160", "审稿人")


def test_draft_is_known_by_its_title_and_unknown_ones_are_refused(english, tmp_path):
    renamed = tmp_path / "returned by the committee.docx"
    shutil.copy(english, renamed)
    assert check_draft(renamed).draft == NAME
    other = edited(renamed, tmp_path / "other.docx", *[("Tree biomass models and carbon", "Another")] * 2)
    with pytest.raises(DraftError, match="--draft"):
        check_draft(other)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a density of 0.412 g/cm³ and −0.5 %", ["0.412", "-0.5"]),
        ("SEE 21.7, D 12.5 cm, CF 0.5", ["21.7", "12.5", "0.5"]),
        ("系数为１．２３，见表 3、图 A.2 和第 5 章", ["1.23"]),
        ("GB/T 1.1—2020, LY/T 2259 and DB45/T 1234—2024, ISO 14064-2", ["2"]),
        ("1.082×10−4 at the level 95 %", ["1.082x10-4"]),
        ("agb_forest_larix@0.1.0, doi:10.5846/stxb2015 (2017), CO2 a1", []),
        ("3-5 kg", ["3", "5"]),
    ],
)
def test_numbers_of_a_line(text, found):
    assert [plain(t.text) for t in read_numbers(text)] == found


def test_masked_text_is_equal_for_other_numbers():
    assert masked("0.1  kg of 25 trees") == masked("7 kg of 3.5 trees") == "# kg of # trees"


def test_command_checks_lists_and_marks_what_was_answered(english, tmp_path, capsys):
    import json

    from sinklab import cli

    insertion = (
        '</w:t></w:r><w:ins w:id="901" w:author="审稿人" w:date="2026-01-02T00:00:00Z"><w:r><w:t xml:space="preserve">'
        ' of a density of 0.412</w:t></w:r></w:ins><w:r><w:t xml:space="preserve">'
    )
    words = "oven-dry masses of all organs"
    back = edited(english, tmp_path / english.name, (words, words + insertion))
    opinions = tmp_path / "opinions.csv"
    code = cli.main(["review", str(back), "--comments", str(opinions), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 1
    assert [f["kind"] for f in told["findings"]] == ["typed"]
    assert [o["kind"] for o in told["opinions"]["entries"]] == ["insertion"]
    assert told["opinions"]["entries"][0]["clause"] == "3.1 tree biomass"
    # The next version was rendered anew and does not have it.
    code = cli.main(["review", str(english), "--answered", str(opinions)])
    said = capsys.readouterr().out
    assert code == 0
    assert "1 declined" in said
    assert "declined" in opinions.read_text(encoding="utf-8-sig")
