"""Methodologies and metering guides: numbers from tables, decisions and rules; recalled ones block; own documents."""

import fnmatch
import io
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from desk_workbench import REPOSITORY, copied, write_carbon_fractions, write_fir

from sinklab.data.files import read_yaml
from sinklab.drafts import description, rendering
from sinklab.drafts.desk import Desk
from sinklab.language import DraftError

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
ECONOMIC, ROTATION, GUIDE = (
    "methodology_economic_forest",
    "methodology_short_rotation",
    "metering_guide_guangxi",
)
TREE = "stem = a1 * dbh**b1 * height**c1\nbranch = a2 * dbh**b2\nagb = stem + branch\nroot = agb * r0 * dbh**r1\nvolume = v0 * dbh**v1 * height**v2"


@pytest.fixture(scope="module")
def workbench(tmp_path_factory):
    """Descriptions and templates of the repository, with small tables made here."""
    from sinklab.evidence import knowledge, national
    from sinklab.tables.table import Table

    with copied(tmp_path_factory.mktemp("methodology"), "*.yml") as root:
        write_fir(TREE, "agb_forest_eucalyptus", "agb_forest_cunninghamia", "agb_forest_pinus_massoniana")
        taxon = knowledge.find("eucalyptus")
        stands = national.as_result("agb_by_size_height", taxon.levels)
        Table.from_fits([stands], "biomass_forest_eucalyptus_stand", "0.1.0").write()
        write_carbon_fractions()
        yield root


def changed(workbench, name, like, **changes):
    """Write a description like another one."""
    import yaml

    path = workbench / "reports" / "drafts" / f"{name}.yml"
    path.write_text(yaml.safe_dump({"like": like} | changes, allow_unicode=True), encoding="utf-8")
    return name


def words(path):
    if path.suffix == ".docx":
        with zipfile.ZipFile(path) as archive:
            return "".join(ElementTree.fromstring(archive.read("word/document.xml")).itertext())
    return re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_order_of_a_methodology(workbench, lang):
    page = rendering.render(ROTATION, lang, "html")["html"].read_text(encoding="utf-8")
    order = re.findall(r'<h1[^>]* id="sec:([a-z]+)"', page) or re.findall(r'<h1[^>]*id="sec:([a-z-]+)"', page)
    chapters = "introduction scope references terms boundary baseline project leakage reductions monitoring verification bibliography"
    assert [name for name in order if not name.startswith("annex")] == chapters.split()


@pytest.mark.parametrize("name", [ECONOMIC, ROTATION, GUIDE])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_drafts_of_the_repository_have_no_finding(workbench, name, lang):
    from sinklab.drafts.linting import lint

    assert [str(finding) for finding in lint(name, lang)] == []


def test_numbers_come_from_tables_rules_and_decisions(workbench):
    from sinklab.data.files import read_csv
    from sinklab.tables.table import Table

    files = rendering.render(ROTATION, "en", "docx")
    listed = read_csv(files["docx"].with_name(f"{ROTATION}.en.preview.numbers.csv"))

    def row(table, name, column):
        found = listed[listed["table"].eq(table) & listed["name"].eq(name) & listed["column"].eq(column)]
        assert len(found) == 1
        return found.iloc[0]

    assert row("data/chain/factors.csv", "carbon_fraction", "value")["value"] == 0.47
    assert row("data/chain/factors.csv", "fire_ch4_tropical", "low")["printed"] == "4.8"
    assert row("data/rules/deductions.csv", "ar_tool14 2", "amount")["printed"] == "25\xa0%"
    stand = "biomass_forest_eucalyptus_stand@0.1.0"
    assert row(stand, "b0", "value")["value"] == Table.read(stand).value("b0")
    own = f"reports/drafts/{ROTATION}.yml"
    assert row(own, "parcel_area", "value")["printed"] == "400\xa0m²"
    assert row(own, "non_permanence", "value")["status"] == "recalled"


def test_recalled_numbers_say_so_and_block_the_final_rendering(workbench):
    assert "待核实" not in words(rendering.render(ECONOMIC, "zh", "docx")["docx"])
    with pytest.raises(
        DraftError, match=r"\(recalled\): .*decisions:crediting_period.*non_permanence"
    ) as caught:
        rendering.render(ECONOMIC, "zh", "html", preview=False)
    assert "plot_area" not in str(caught.value)
    checked = {"label": "x", "source": "y", "basis": "verified"}
    settled = {"crediting_period": {"value": [20, 40]} | checked, "non_permanence": {"value": 10} | checked}
    name = changed(workbench, "settled", ECONOMIC, decisions=settled, preview=False)
    with pytest.raises(DraftError, match=r"(?s)placeholder: XX.*placeholder: （发布部门）"):
        rendering.render(name, "zh", "html")
    named = {"number": "GX-001-V01", "issued": "2026-12-01", "in_force": "2027-01-01", "issuer": "某厅"}
    name = changed(workbench, "settled", ECONOMIC, decisions=settled, preview=False, **named)
    page = words(rendering.render(name, "zh", "html")["html"])
    assert "预览稿" not in page
    assert "待核实）" not in page


def test_use_outside_the_fitted_range_is_said(workbench):
    from sinklab.tables.table import Table

    low, high = Table.read("agb_forest_eucalyptus@0.1.0").model().ranges["dbh"]
    name = changed(workbench, "wide", ROTATION, use={"tree": {"dbh": [low - 1, high + 10]}})
    text = words(rendering.render(name, "en", "docx")["docx"])
    assert f"goes beyond the fitted range, {low:g}\xa0cm to {high:g}\xa0cm" in text
    name = changed(workbench, "narrow", ROTATION, use={"tree": {"dbh": [low, high]}})
    assert "goes beyond" not in words(rendering.render(name, "en", "docx")["docx"])


def test_what_a_description_leaves_out_comes_from_the_one_it_is_like(workbench):
    from sinklab.drafts import description

    own, other = description.read("methodology_bamboo"), description.read("methodology_karst")
    assert own.data["issuer"] == other.data["issuer"]
    assert own.data["region"] != other.data["region"]
    assert own.data["decisions"]["parcel_area"]["value"] == 667
    assert own.data["decisions"]["confidence"] == other.data["decisions"]["confidence"]
    changed(workbench, "one", "two")
    changed(workbench, "two", "one")
    with pytest.raises(DraftError, match="one → two → one: a circle"):
        description.read("one")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decisions": {"a": {"value": 1, "label": "x", "source": "y"}}}, "a: no basis"),
        ({"decisions": {"a": {"value": 1, "label": "x", "source": "y", "basis": "guess"}}}, "basis 'guess'"),
        (
            {"decisions": {"a": {"value": [3, 1], "label": "x", "source": "y", "basis": "proposed"}}},
            r"\[3, 1\]",
        ),
        ({"background": {"zh": "甲", "en": "one", "two": None}}, "background: “two” was cut off by a comma"),
        ({"conditions": ["at least {nothing}"]}, "no decision 'nothing'; there are: parcel_area"),
        ({"reference": "../outside.docx"}, "inside the workbench"),
        ({"reference": "reports/none.docx"}, "inside the workbench"),
    ],
)
def test_faults_of_a_description(workbench, changes, message):
    name = changed(workbench, "faulty", ECONOMIC, **changes)
    with pytest.raises(DraftError, match=message):
        rendering.render(name, "en", "html")


def test_document_of_the_drafters_gives_page_and_styles(workbench):
    import docx
    from docx.shared import Mm, Pt

    own = docx.Document()
    own.sections[0].page_width = Mm(180)
    own.styles["Heading 1"].font.size = Pt(19)
    own.save(workbench / "reports" / "own.docx")
    name = changed(workbench, "own_pages", ECONOMIC, reference="reports/own.docx")
    made = docx.Document(io.BytesIO(rendering.render(name, "zh", "docx")["docx"].read_bytes()))
    assert {round(section.page_width.mm) for section in made.sections} == {180}
    assert made.styles["Heading 1"].font.size == Pt(19)
    assert made.styles["Annex"].font.size == Pt(10.5)
    numbered = [p for p in made.paragraphs if p.style.name == "Heading 1"]
    assert len(numbered) == 11
    assert made.styles["Heading 1"].element.pPr.numPr is not None


def test_document_of_the_drafters_that_is_none(workbench):
    path = workbench / "reports" / "own_text.docx"
    path.write_text("not a document", encoding="utf-8")
    name = changed(workbench, "own_text", ECONOMIC, reference="reports/own_text.docx")
    with pytest.raises(DraftError, match="not a Word document"):
        rendering.render(name, "zh", "docx")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * 60_000_000)
    with pytest.raises(DraftError, match="60000000 bytes"):
        rendering.render(name, "zh", "docx")


def test_metering_guide_says_what_must_be_accounted_for(workbench):
    text = words(rendering.render(GUIDE, "zh", "docx")["docx"])
    assert text.count("应计量") == 4
    assert "本文件按照GB/T 1.1—2020" in text
    # The table lists the parameters of the volume: its formula and symbol stand there too.
    legend = re.findall(r"式中：.*?。", text)[-1]
    assert "V——材积" in legend and "v0、v1、v2" in legend


@pytest.mark.parametrize("name", [n for n in description.names() if not description.read(n).tables])
def test_headings_stand_apart_in_every_draft_without_tables(name, tmp_path):
    """A branch that ends a line of a template swallows its end; the heading that follows must not join the paragraph."""
    drawn = description.read(name)
    for lang in ("zh", "en"):
        desk, draft = Desk(drawn, lang, tmp_path), drawn.localised(lang) | {"preview": True}
        lines = rendering.write(desk, drawn.template, lang, draft).split("\n")
        heads = [i for i, line in enumerate(lines) if line.startswith("#")]
        assert len(heads) > 10
        assert [lines[i] for i in heads if lines[i - 1].strip()] == []


def test_batches_before_the_drafts_make_every_table_they_cite():
    batches = REPOSITORY / "notebooks" / "batches"
    head = (batches / "drafts.yml").read_text(encoding="utf-8").partition("title:")[0]
    made = set()
    for batch, only in re.findall(r"#   run (\w+)(?: --only \"?([\w*]+))?", head):
        jobs = [job["id"] for job in read_yaml(batches / f"{batch}.yml")["jobs"]]
        made.update(fnmatch.filter(jobs, only or "*"))
    drafts = [read_yaml(path) for path in (REPOSITORY / "reports" / "drafts").glob("*.yml")]
    cited = {ref.partition("@")[0] for draft in drafts for ref in (draft.get("tables") or {}).values()}
    assert len(cited) > 10
    assert cited - made == set()


@pytest.mark.parametrize(
    "name", ["carbon_ticket_guangxi", "metering_guide_sichuan", "methodology_afforestation"]
)
def test_example_lists_its_formulas_in_the_order_of_the_text(name, tmp_path):
    drawn = description.read(name)
    desk, draft = Desk(drawn, "en", tmp_path), drawn.localised("en") | {"preview": True}
    text = rendering.write(desk, drawn.template, "en", draft)
    numbered = re.findall(r"\{#(eq:q-[\w-]+)\}", text)
    listed = re.findall(r"^\| \[@(eq:q-[\w-]+)\]", text, re.MULTILINE)
    assert len(listed) > 10
    assert listed == [one for one in numbered if one in listed]


@pytest.mark.slow
def test_review_names_words_changed_in_a_methodology(workbench, tmp_path):
    from sinklab.review.draft import check_draft

    sent = rendering.render(ROTATION, "zh", "docx")["docx"]
    assert not check_draft(sent).findings
    changes = (
        ("单位为厘米（cm）", "单位为毫米（mm）"),
        ("单位为千克（kg）", "单位为克（g）"),
        ("不应按样地", "应按样地"),
        ("GB/T 26424", "GB/T 26425"),
        ("桉树立木生物量模型的参数", "杉木立木生物量模型的参数"),
        ("外业测定应记录测定内容、单位、方法、日期、测定人和仪器。", ""),
    )
    for before, after in changes:
        back = tmp_path / sent.name
        with zipfile.ZipFile(sent) as old, zipfile.ZipFile(back, "w") as new:
            for part in old.namelist():
                text = old.read(part)
                if part == "word/document.xml":
                    assert before.encode() in text, before
                    text = text.replace(before.encode(), after.encode(), 1)
                new.writestr(part, text)
        assert {f.kind for f in check_draft(back).findings} & {"wording", "deleted"}, before


@pytest.mark.parametrize(
    "name", ["carbon_ticket_guangxi", "methodology_afforestation", "metering_guide_karst"]
)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_values_that_legends_look_for_stand_in_the_table_of_values(name, lang, tmp_path):
    """The table may stand before that of the parameters, which used to be what put them there."""
    drawn = description.read(name)
    desk, draft = Desk(drawn, lang, tmp_path), drawn.localised(lang) | {"preview": True}
    text = rendering.write(desk, drawn.template, lang, draft)
    table = text[: text.index("{#tbl:decisions}")].rpartition("\n\n| ")[2]
    wanted = [s.factor[9:] for s in desk.chain.wanted("fixed") if s.factor.startswith("decision:")]
    assert wanted
    for one in wanted:
        assert f"| {draft['decisions'][one]['label']} |" in f"| {table}"


@pytest.mark.parametrize(("lang", "words"), [("zh", "计入期"), ("en", "crediting period")])
@pytest.mark.parametrize("name", ["metering_guide_karst", "metering_guide_grassland"])
def test_a_metering_guide_has_no_crediting_period(name, lang, words, tmp_path):
    drawn = description.read(name)
    desk, draft = Desk(drawn, lang, tmp_path), drawn.localised(lang) | {"preview": True}
    assert words not in rendering.write(desk, drawn.template, lang, draft)


def test_explanation_tells_of_chain_and_deduction_where_the_document_has_them(tmp_path):
    def explained(name):
        drawn = description.read(name)
        draft = drawn.localised("en") | {"preview": True}
        return rendering.write(Desk(drawn, "en", tmp_path), rendering.EXPLANATION, "en", draft)

    rules, guide, methodology = map(
        explained, ("carbon_inclusion_guangxi", "metering_guide_karst", "methodology_afforestation")
    )
    assert "chain of equations" not in rules and "default factors" not in rules.lower()
    assert "default factors" in guide.lower() and "AR-TOOL14; those of Chinese" not in guide
    assert "AR-TOOL14; those of Chinese" in methodology


def test_a_column_of_dashes_is_left_out_of_the_default_factors():
    from sinklab import account as chain
    from sinklab.drafts import clauses

    def columns(*modules):
        made = clauses.factors(chain.Chain(modules), lambda *told: told[5], "en", "factors", "Factors")
        return made.strip().partition("\n")[0]

    assert "Range" not in columns("tree") and "Unit" not in columns("tree")
    assert "Range" in columns("tree", "fire") and "Unit" in columns("tree", "fire")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_checks_of_a_table_that_passed_alike_share_a_row(workbench, lang, tmp_path):
    desk = Desk(description.read(ROTATION), lang, tmp_path)
    rows = desk.check_rows()
    told = [row for ref in {row["ref"] for row in rows} for row in desk.checks_of(ref)]
    assert all(row["limit"] != "5" for row in told) and any("±5" in row["limit"] for row in told)
    keys = [(r["ref"], r["what"], r["limit"], r["passed"], r["reason"]) for r in told]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {(r["ref"], r["what"], r["limit"], r["passed"], r["reason"]) for r in rows}


def test_openings_stay_with_what_they_open(tmp_path):
    """A block within a block that does not stay itself stays nowhere."""
    drawn = description.read("carbon_ticket_guangxi")
    desk, draft = Desk(drawn, "en", tmp_path), drawn.localised("en") | {"preview": True}
    text = rendering.write(desk, drawn.template, "en", draft)
    look = rendering.Look("en", "", "", "")
    typst = rendering._pandoc(text, "typst", look, tmp_path)
    assert typst.count("#stays[\nwhere\n") == text.count("\nwhere\n") > 5
    assert "#block[\n#stays[" not in typst
    # The last two lines of a legend are on one page.
    ends = re.findall(r"#stays\[\n\n?([^\n]+;)\n\n?\]\n\n?[^\n]+\.\n\n?\]", typst)
    assert len(ends) >= 3


@pytest.mark.parametrize(
    "name", ["potential_assessment_sichuan", "methodology_afforestation", "metering_guide_karst"]
)
def test_example_says_which_factors_are_defaults(name, tmp_path):
    from sinklab import account as chain

    drawn = description.read(name)
    desk = Desk(drawn, "en", tmp_path)
    text, found = desk.worked_example(), chain.example(desk.chain)
    listed = text[: text.index("{#tbl:example-data}")]
    unlisted = [
        symbol
        for symbol in desk.chain.wanted("fixed")
        if desk.chain.default(symbol) and f"| ${symbol.printed(symbol.indices)}$ |" not in listed
    ]
    assert ("default values of [@tbl:factors]" in text) == bool(unlisted)
    for symbol in unlisted:
        assert float(found.known[symbol.name]) == float(desk.chain.default(symbol)["value"])


@pytest.mark.parametrize(
    ("lang", "words"), [("zh", ("样地", "植被", "同一季节")), ("en", ("plots", "vegetation", "season"))]
)
def test_methodology_without_plots_speaks_of_none(lang, words, tmp_path):
    drawn = description.read("methodology_manure")
    desk, draft = Desk(drawn, lang, tmp_path), drawn.localised(lang) | {"preview": True}
    text = rendering.write(desk, drawn.template, lang, draft)
    assert not [word for word in words if word in text]


def text_of(name, lang, folder):
    drawn = description.read(name)
    draft = drawn.localised(lang) | {"preview": True}
    return rendering.write(Desk(drawn, lang, folder), drawn.template, lang, draft)


@pytest.mark.parametrize(
    ("lang", "words"), [("zh", "监测期的期初和期末"), ("en", "start and the end of the")]
)
@pytest.mark.parametrize(
    "name", ["methodology_afforestation", "metering_guide_karst", "carbon_ticket_guangxi"]
)
def test_legends_explain_the_dates_of_their_formulas(name, lang, words, tmp_path):
    clauses = text_of(name, lang, tmp_path).split("\n## ")
    dated = [c for c in clauses if any("t_{1}" in line for line in c.split("\n") if "{#eq:" in line)]
    assert dated and all(words in clause for clause in dated)


@pytest.mark.parametrize("name", ["metering_guide_grassland", "methodology_cropland", "methodology_peat"])
def test_a_document_without_trees_speaks_of_none(name, tmp_path):
    words = {
        "zh": ("林木", "样木", "胸径", "株数", "造林", "林分"),
        "en": ("tree", "diameter", "planting", "stands "),
    }
    for lang, avoided in words.items():
        # Titles of cited documents speak of what they like.
        text = text_of(name, lang, tmp_path).partition("{.front #sec:bibliography}")[0]
        assert not [word for word in avoided if word in text]


@pytest.mark.parametrize("name", [n for n in description.names() if n.startswith("metering_guide_")])
def test_scope_of_a_guide_names_region_and_levels_apart(name, tmp_path):
    if description.read(name).tables:
        pytest.skip("needs tables")
    scope = text_of(name, "zh", tmp_path).split("# 范围")[1].split("\n# ")[0]
    assert not re.search("(省|市|自治区|县)(省|自治区)", scope)
    assert "给出了计量所用的模型与参数" not in scope


def test_a_methodology_says_error_of_sampling_and_what_stands_between_soil_samples(tmp_path):
    text = text_of("methodology_afforestation", "zh", tmp_path)
    assert "相对允许误差为10%。" in text and "| 相对允许误差 | 10% |" in text
    assert "未测定土壤的监测，土壤有机碳储量取前一次测定的值。" in text
    manure = text_of("methodology_manure", "zh", tmp_path)
    assert not [w for w in ("相对允许误差", "净碳汇量", "土壤", "遥感影像", "地块的边界") if w in manure]


def test_numbers_of_the_example_are_written_alike(tmp_path):
    text = text_of("methodology_afforestation", "zh", tmp_path)
    data, steps = text.split("{#tbl:example-data}")[0], text.split("{#tbl:example-data}")[1]
    density = data[data.rindex(r"| $\rho_") :].split("|")[2]
    assert {len(n) for n in re.findall(r"\d\.\d+", density)} == {4}
    change = next(line for line in steps.split("\n") if line.startswith("| [@eq:q-plot-change]"))
    numbers = re.findall(r"\d+\.\d+", change)
    assert len(numbers) == 6 and {len(n.replace(".", "").lstrip("0")) for n in numbers} == {5}
    assert "算例的样地数少于[@eq:q-plots-stratum]的计算结果，参数抽样组数少于本文件的规定" in text


@pytest.mark.parametrize(("lang", "whom"), [("zh", "区间"), ("en", "range of")])
def test_what_a_range_speaks_for_is_said_of_ranges_only(lang, whom):
    import pandas as pd

    from sinklab.drafts import blocks

    row = {
        "name": "bedrock",
        "variable": "",
        "group": "",
        "mean": 5.72949,
        "se": float("nan"),
        "n_study": 1,
        "status": "draft",
        "mean_of": "units",
        "of_whom": "unit_here",
    }
    known = {k[1] for k in blocks.vocabulary.group_words() if k[0] == "of_whom"}
    row["of_whom"], row["mean_of"] = sorted(known)[0], ""
    frame = pd.DataFrame(
        [row | {"q025": 1.0, "q975": 9.0}, row | {"q025": float("nan"), "q975": float("nan")}]
    )
    table = blocks.values(lambda *told: told[-2], frame, lang, "t", "T", "x@1")
    first, second = table.strip().split("\n")[2:4]
    assert whom in first.rpartition("|")[0].rpartition("|")[2] and whom not in second
    assert "5.729 |" in table


def test_checks_are_told_without_names_of_columns():
    from sinklab.drafts import desk
    from sinklab.tables.schema import readable

    said = "refused: outside the limits: q025 0.12 (>= 0.2); settled by more values"
    assert (
        readable(said, "en")
        == "refused: outside the limits: 2.5 % quantile 0.12 (≥ 0.2); settled by more values"
    )
    said = "不予采用：一年内消长的生物量未说明季节：season；解决办法：注明月份"
    assert readable(said, "zh") == "不予采用：一年内消长的生物量未说明季节；解决办法：注明月份"
    assert desk._powers("≥ -1e-08") == "≥ −1×10^−8^" and desk._powers("-0.5") == "−0.5"


@pytest.mark.parametrize(("lang", "word"), [("zh", "非持久性"), ("en", "Non-permanence")])
def test_only_what_can_be_reversed_has_a_clause_of_permanence(lang, word):
    from sinklab.drafts import clauses

    said = {
        name: clauses.part(clauses.of_draft(description.read(name).data), "net", lang)
        for name in ("methodology_manure", "methodology_afforestation")
    }
    assert word not in said["methodology_manure"] and word in said["methodology_afforestation"]


@pytest.mark.parametrize(
    "name", ["methodology_cropland", "metering_guide_sichuan", "metering_guide_sichuan_project"]
)
def test_example_has_the_level_and_error_that_the_document_decides(name, tmp_path):
    from sinklab import account as chain

    desk = Desk(description.read(name), "en", tmp_path)
    settled = desk._decided.shares()
    found = chain.example(desk.chain, settled)
    level = {
        "methodology_cropland": 0.9,
        "metering_guide_sichuan": 0.95,
        "metering_guide_sichuan_project": 0.9,
    }
    assert found.given["P"] == settled["confidence"] == level[name]
    assert found.given["t_P"] == {0.9: 1.645, 0.95: 1.96}[found.given["P"]]
    stock = float((found.given["w"] * found.given["c"].sel(t="t1").mean("k")).sum())
    assert found.given["E_A"] == pytest.approx(0.1 * stock, abs=0.051)
    assert (found.given["s_P"] < found.given["c"].max()).all() and float(found.known["n_T"]) > 6
    assert "fewer draws of the parameters than this document requires" in desk.worked_example()


def test_relative_uncertainty_has_one_symbol_in_formula_and_table(tmp_path):
    text = text_of("methodology_cropland", "en", tmp_path)
    assert "Relative uncertainty $U$" in text and "| $U$ > 30" in text and "$u$" not in text


def test_standard_of_bamboo_measures_culms_and_no_trees():
    folder = Path(__file__).parents[2] / "reports/templates/bamboo_standard"
    zh, en = ((folder / f"{lang}.md").read_text(encoding="utf-8") for lang in ("zh", "en"))
    assert "第$i$株样竹" in zh and "样木" not in zh
    assert "value of culm $i$" in en and "of tree $i$" not in en and "number of trees" not in en


@pytest.mark.parametrize("name", [n for n in description.names() if not description.read(n).tables])
def test_example_is_measured_as_the_document_lays_out(name, tmp_path):
    """Quadrats fit on their plot, and the example has the plots, quadrats, layers and slices of its document."""
    from sinklab import account as chain

    desk = Desk(description.read(name), "en", tmp_path)
    if desk.chain is None or not desk.has_chain("estimate"):
        pytest.skip("counts no plots")
    own = {n: d["value"] for n, d in desk._decided._decisions.items()}
    found = chain.example(desk.chain, desk._decided.shares())
    given = found.plot | found.given
    alone = desk.has_chain("grass") and not any(
        map(desk.has_chain, ("tree", "tree_volume", "bamboo", "shrub"))
    )
    size = own["grass_plot"] if alone else own["plot_area"] / 10_000
    assert given["N_P"] == pytest.approx(float(given["A"].sum()) / size)
    if desk.has_chain("tree"):
        assert given["a_P"] == size
    if desk.has_chain("grass"):
        assert given["n_Q"] == own["grass_quadrats"] == given["m_G"].sizes["q"] == 5
        hectares = desk._decided.shares()["grass_plot"]
        # Of five points on a square the nearest two are at most half a diagonal apart.
        assert own["grass_distance"] <= (hectares * 10_000 / 2) ** 0.5
    if desk.has_chain("litter"):
        assert given["n_LI"] == own["litter_quadrats"] == given["m_LI"].sizes["q"]
    if desk.has_chain("shrub"):
        assert given["a_S"] == pytest.approx(own["shrub_quadrats"] * own["shrub_quadrat"] / 10_000)
    layers = given.get("h", given.get("h_C"))
    depth = None if layers is None else layers.sum("l").to_numpy()
    if desk.has_chain("mineral_soil"):
        assert (depth == own["soil_depth"]).all()
    if desk.has_chain("karst_soil"):
        assert (depth <= own["soil_depth"]).all()
    if desk.has_chain("core"):
        assert (depth == own["core_depth"]).all() and (layers == own["core_slice"]).all()


def test_a_guide_says_each_reference_where_it_applies_and_measures_every_pool(tmp_path):
    text = text_of("metering_guide_sichuan", "zh", tmp_path)
    clauses = {c.split(" {#")[0]: c for c in text.split("\n## ")}
    assert "DB51/T 3317" in clauses["分层"] and "GB/T 26424" in clauses["乔木"]
    assert "LY/T 3196" in clauses["竹类"] and "GB/T 43648" in clauses["参数的取得"]
    assert {"灌木", "草本", "枯落物", "枯死木", "土壤"} <= {*clauses}
    assert "/T" not in clauses["记录"]
    lists = text_of("metering_guide_karst", "en", tmp_path).split("{#tbl:records}")[0].rpartition("\n\n| ")[2]
    assert "length of the line and of rock along it" in lists


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_guide_of_projects_reaches_net_removals_and_issues_nothing(lang, tmp_path):
    drawn = description.read("metering_guide_sichuan_project")
    desk = Desk(drawn, lang, tmp_path)
    assert {"DC_BSL", "E_PRJ", "LK", "D", "X"} <= desk.chain.results()
    assert not desk.chain.of("permanence") and "K_RISK" not in desk.chain.symbols
    text = text_of("metering_guide_sichuan_project", lang, tmp_path)
    assert not [w for w in ("计入期", "crediting period", "风险储备", "buffer") if w in text]


def test_potential_is_what_projects_add_to_the_state_as_it_is(tmp_path):
    from sinklab import account as chain

    desk = Desk(description.read("potential_assessment_sichuan"), "en", tmp_path)
    given = chain.example(desk.chain).given
    nothing = given | {"B_XP": given["B_XB"], "r_XP": given["r_XB"]}
    assert float(desk.chain.compute(nothing)["P_A"]) == pytest.approx(0.0)


@pytest.mark.parametrize("name", [n for n in description.names() if not description.read(n).tables])
def test_every_document_behind_a_factor_is_in_the_bibliography_and_cited(name, tmp_path):
    for lang in ("zh", "en"):
        text = text_of(name, lang, tmp_path)
        body, _, listed = text.partition("{.front #sec:bibliography}")
        cited = {int(n) for n in re.findall(r"\\\[(\d+)\\\]", body)}
        assert cited == {int(n) for n in re.findall(r"^\\\[(\d+)\\\]", listed, re.MULTILINE)}
        assert bool(cited) == ("{#tbl:factors}" in body)


def test_every_edition_of_a_factor_has_its_citation():
    from sinklab.data.files import records

    known = {row["edition"] for row in records("chain", "documents.csv")}
    assert {row["edition"] for row in records("chain", "factors.csv")} - known == set()


def test_factors_of_a_symbol_stand_together_and_dead_wood_follows_elevation_and_rain(tmp_path):
    table = Desk(description.read("methodology_afforestation"), "en", tmp_path).factor_table("factors", "F")
    signs = [row.split("|")[1].strip() for row in table.strip().split("\n")[2:] if row.startswith("| $")]
    assert len(signs) > len({*signs})
    assert [s for i, s in enumerate(signs) if s in signs[:i] and signs[i - 1] != s] == []
    rows = [row for row in table.split("\n") if "DW" in row.split("|")[1:2].__str__()]
    assert [row.split("|")[3].strip() for row in rows] == ["0.02", "0.01", "0.06", "0.07", "0.08"]


def test_what_tending_takes_away_is_measured_and_what_guangxi_burns_is_tropical():
    from sinklab.drafts import clauses

    managed = clauses.of_draft(description.read("methodology_forest_management").data)
    assert "deadwood_survey" in managed.modules and "f_DW" not in managed.symbols
    for name in ("methodology_short_rotation", "methodology_economic_forest", "carbon_ticket_guangxi"):
        chain = clauses.of_draft(description.read(name).data)
        told = {n: chain.default(chain.symbols[n])["value"] for n in ("C_BF", "G_CH4", "G_N2O")}
        assert told == {"C_BF": "0.55", "G_CH4": "6.8", "G_N2O": "0.20"}


def test_steps_of_a_deduction_have_both_their_ends():
    from sinklab import account as chain

    made = chain.methodology(["tree"])
    text = made.latex(next(e for e in made.equations if e.name == "share"))
    assert r"0.5, & 0.15 < U \le 0.2" in text and "1, & U > 0.3" in text


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("methodology_forest_management", "样地和样方的设计"),
        ("methodology_afforestation", "样地、样方和土壤取样的设计"),
        ("methodology_bamboo", "样地和土壤取样的设计"),
    ],
)
def test_title_of_the_designs_names_what_is_sampled(name, title):
    drawn = description.read(name)
    desk = Desk.__new__(Desk)
    from sinklab.drafts import clauses

    desk.chain, desk._lang = clauses.of_draft(drawn.data), "zh"
    assert desk.designed() == title


def test_short_lists_and_words_before_numbers_stay_together(tmp_path):
    look = rendering.Look("en", "", "", "")
    text = "# One {#sec:one}\n\nIt holds [@tbl:a]:\n\n- first;\n- last.\n\n| a |\n| :- |\n| b |\n\nTable: A {#tbl:a}\n"
    typst = rendering._pandoc(text, "typst", look, tmp_path)
    assert "Table\N{NO-BREAK SPACE}1" in typst or "Table~1" in typst
    assert typst.count("#together[") == 1 and typst.index("#stays[") < typst.index("#together[")


def test_parameters_stand_with_the_equation_that_prints_them():
    from sinklab.drafts.blocks import parameter_owner
    from sinklab.equations.system import System

    def owners(text):
        system = System.parse(text)
        return {name: parameter_owner(system, name) for name in system.parameters}

    shared = (
        "stem = a0*dbh**a1 / (1 + g0*dbh**g1 + k0*dbh**k1)\nbranch = stem * g0*dbh**g1\n"
        "foliage = stem * k0*dbh**k1\nagb = stem + branch + foliage\nroot = agb * r0*dbh**r1"
    )
    assert owners(shared) == {
        **{n: "agb" for n in ("a0", "a1")},
        **{n: "branch" for n in ("g0", "g1")},
        **{n: "foliage" for n in ("k0", "k1")},
        **{n: "root" for n in ("r0", "r1")},
    }
    apart = owners(TREE)
    assert (apart["a1"], apart["a2"], apart["r0"], apart["v0"]) == ("stem", "branch", "root", "volume")


def test_peat_counts_no_plants_beside_factors_that_hold_them(tmp_path):
    """Factors of the IPCC for the carbon dioxide of peatland hold its plants but trees: a stock of herbs would count them twice."""
    from sinklab import account as chain
    from sinklab.drafts import clauses

    made = clauses.of_draft(description.read("methodology_peat").data)
    assert not made.of("grass") and not made.of("change") and made.of("permanence")
    assert made.equation("net").text == "X = E_BSL - E_PRJ - LK"
    found = chain.example(made).known
    assert float(found["X"]) == pytest.approx(float(found["E_BSL"] - found["E_PRJ"] - found["LK"]))
    for lang, avoided, wanted in (
        ("zh", ("基准线清除量", "项目清除量", "样地", "净碳汇量"), ("观测水位", "监测应按植被、营养状况")),
        ("en", ("removals", " plots"), ("water level shall be observed", "annual net emission reductions")),
    ):
        text = text_of("methodology_peat", lang, tmp_path).partition("{.front #sec:bibliography}")[0]
        assert not [word for word in avoided if word in text], lang
        assert all(word in text for word in wanted)


def test_drained_strata_have_methane_of_their_own():
    """Methane of land and ditches follows nutrient status and drainage: what deep drains give is too much for shallow ones."""
    from sinklab import account as chain

    data = description.read("methodology_peat").data
    listed = {(p["symbol"], chain.factor(p["factor"])["value"]) for p in data["chain"]["listed"]}
    assert {
        ("EF_LAN", "1.8"),
        ("EF_LAN", "39"),
        ("EF_LAN", "16"),
        ("EF_DIT", "527"),
        ("EF_DIT", "1165"),
    } <= listed


@pytest.mark.parametrize("name", ["methodology_cropland", "methodology_peat", "methodology_afforestation"])
def test_a_chinese_table_of_factors_names_documents_in_chinese(name, tmp_path):
    text = text_of(name, "zh", tmp_path)
    table = text[: text.index("{#tbl:factors}")].rpartition("\n\n| ")[2]
    rows = [line for line in table.split("\n") if line.startswith("| $")]
    assert len(rows) > 3 and not re.search(r"Table|Vol\.|Eq\.|Refinement|Supplement", "".join(rows))
    assert all(re.search(r"\\\[\d+\\\] \|", row) for row in rows)


@pytest.mark.parametrize(
    ("lang", "words"), [("zh", "千克换算为吨的系数"), ("en", "factor from kilograms to tonnes")]
)
def test_numbers_that_turn_units_are_explained(lang, words, tmp_path):
    text = text_of("methodology_manure", lang, tmp_path)
    assert text.count(words) == 2 and ("一年的天数" if lang == "zh" else "number of days in a year") in text


def test_gain_of_a_newly_planted_coast_ends():
    """AR-AM0014, Formula (4): 0.50 t C/(ha a) for 20 years from planting and nothing afterwards."""
    data = description.read("methodology_coast").data
    assert (
        data["decisions"]["gain_years"]["value"] == 20
        and data["decisions"]["gain_years"]["basis"] == "verified"
    )
    assert "{gain_years}" in data["missing"]["zh"] and "{gain_years}" in data["missing"]["en"]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_manure_counts_what_aeration_costs(lang, tmp_path):
    """Aerobic treatment saves methane at the cost of nitrous oxide and electricity; a facility is credited for its life."""
    drawn = description.read("methodology_manure")
    assert drawn.data["decisions"]["crediting_period"]["value"] == 10
    left = {e.left for e in Desk(drawn, lang, tmp_path).chain.equations}
    assert {"E_MANN", "E_EL", "E_MANP", "E_BSL"} <= left and "DC_BSL" not in left
    assert ("1 year to 5 years" if lang == "en" else "1年～5年") in text_of(
        "methodology_manure", lang, tmp_path
    ).replace("\xa0", " ")


def test_explanation_has_no_clause_of_comments_before_there_are_any(tmp_path):
    drawn = description.read("methodology_peat")
    for lang, said, head in (
        ("zh", "尚未征求意见。", "# 意见处理"),
        ("en", "not been invited yet", "# Comments"),
    ):
        draft = drawn.localised(lang) | {"preview": True}
        text = rendering.write(Desk(drawn, lang, tmp_path), rendering.EXPLANATION, lang, draft)
        assert said in text and head not in text


def test_the_last_of_several_citations_is_joined_by_and(tmp_path):
    tables = "".join(f"| a |\n| :- |\n| b |\n\nTable: T {{#tbl:{n}}}\n\n" for n in "abcd")
    text = f"# One {{#sec:one}}\n\nSee [@tbl:a; @tbl:c], [@tbl:b], [@tbl:d].\n\n{tables}"
    en, zh = (
        rendering._pandoc(text, "typst", rendering.Look(lang, "", "", ""), tmp_path) for lang in ("en", "zh")
    )
    assert "[Table~1] and #link(<tbl:c>)" in en
    assert " and " not in zh and "、#link(<tbl:c>)" in zh


def test_plots_of_quadrats_have_an_area(tmp_path):
    """The number of plots that fit into an area needs the area of a plot, also where shrubs alone are counted."""
    drawn = description.read("methodology_economic_forest")
    text = rendering.write(Desk(drawn, "en", tmp_path), drawn.template, "en", drawn.localised("en"))
    assert (
        "3\N{NO-BREAK SPACE}quadrats of 25\N{NO-BREAK SPACE}m² in each plot of 600\N{NO-BREAK SPACE}m²"
        in text
    )
    assert "| Plot area" in text


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_guide_lists_the_sources_of_its_fractions_alone_and_cites_each(workbench, lang, tmp_path):
    text = text_of(GUIDE, lang, tmp_path)
    body, _, listed = text.partition("{.front #sec:bibliography}")
    numbers = [int(n) for n in re.findall(r"^\\\[(\d+)\\\]", listed, re.MULTILINE)]
    marks = {int(n) for n in re.findall(r"\\\[(\d+)\\\]", body)}
    assert numbers == [*range(1, len(numbers) + 1)] and {numbers[0], numbers[-1]} <= marks
    assert "imulated" not in listed
