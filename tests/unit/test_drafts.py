"""Drafts: every number from a table, references that lead somewhere, refusal of what may not be cited."""

import io
import json
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import docx
import pandas as pd
import pytest
from desk_workbench import REPOSITORY, alone, copied, write_carbon_fractions, write_fir

import sinklab as sl
from sinklab import paths
from sinklab.data import open_data
from sinklab.data.files import read_yaml
from sinklab.drafts import blocks, clauses, description, meaning, rendering
from sinklab.drafts.desk import Desk
from sinklab.drafts.word import BELOW_TABLE
from sinklab.equations.system import System
from sinklab.language import DraftError
from sinklab.tables.table import Table

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
EQUATIONS = """
stem = a1 * dbh**b1 * height**c1
branch = a2 * dbh**b2
agb = stem + branch
root = agb * r0 * dbh**r1
"""
NAME = "tree_biomass_cunninghamia"
ONLY_CARBON = {"carbon": "carbon_fraction_forest_china@0.1.0"}


@pytest.fixture(scope="module")
def workbench(tmp_path_factory):
    """Templates and one description of the repository, with tables made here."""
    with copied(tmp_path_factory.mktemp("desk"), f"{NAME}.yml") as root:
        write_fir(EQUATIONS, "agb_forest_cunninghamia")
        alone(NAME)
        write_carbon_fractions({"species_id": "cunninghamia_lanceolata"})
        yield root


@pytest.fixture(scope="module", params=["zh", "en"])
def rendered(workbench, request):
    return request.param, rendering.render(NAME, request.param)


def describe(workbench, name, template=None, **changes):
    """Write a description made from the repository's, with a template of its own when one is given."""
    import yaml

    text = (workbench / "reports" / "drafts" / f"{NAME}.yml").read_text(encoding="utf-8")
    data = yaml.safe_load(text) | changes
    if template is not None:
        folder = workbench / "reports" / "templates" / name
        folder.mkdir(exist_ok=True)
        (folder / "en.md").write_text(template, encoding="utf-8")
        data["template"] = name
    path = workbench / "reports" / "drafts" / f"{name}.yml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    return name


def word(path):
    with zipfile.ZipFile(path) as archive:
        return ElementTree.fromstring(archive.read("word/document.xml"))


def test_three_formats(rendered):
    lang, files = rendered
    assert set(files) == {"docx", "html", "pdf"}
    assert files["pdf"].read_bytes().startswith(b"%PDF")
    page = files["html"].read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(https?:)?//', page), "a page must not load anything"
    assert {"zh": "演示数据", "en": "DEMONSTRATION"}[lang] in page


def test_references_of_word_lead_somewhere(rendered):
    document = word(rendered[1]["docx"])
    names = [mark.get(f"{W}name") for mark in document.iter(f"{W}bookmarkStart")]
    ids = [mark.get(f"{W}id") for mark in document.iter(f"{W}bookmarkStart")]
    assert len(names) == len(set(names))
    assert len(ids) == len(set(ids))
    fields = [text.text for text in document.iter(f"{W}instrText")]
    targets = {field.split()[1] for field in fields if field.split()[0] == "REF"}
    assert len(targets) > 15
    assert targets <= set(names)
    assert sum(field.split()[0] == "SEQ" for field in fields) > 20


def test_contents_print_pages_before_word_counts_them(rendered):
    document = word(rendered[1]["docx"])
    entries = [
        "".join(text.text or "" for text in paragraph.iter(f"{W}t"))
        for paragraph in document.iter(f"{W}p")
        if (style := paragraph.find(f"{W}pPr/{W}pStyle")) is not None
        and style.get(f"{W}val", "").startswith("TOC")
    ]
    pages = [re.search(r"(\d+|[IVXivx]+)$", entry) for entry in entries]
    assert len(entries) > 8 and all(pages), entries
    numbers = [int(page[1]) for page in pages if page[1].isdigit()]
    assert numbers == sorted(numbers) and numbers[-1] > 3


def test_trees_without_a_height_leave_the_error_of_their_class_alone(workbench):
    """Diameter classes of a draft: a tree that cannot be predicted is counted, and says nothing of the error."""
    from sinklab.tables.table import Table

    fit = Table.read("agb_forest_cunninghamia@0.1.0").model()
    data = open_data.load("study:chinese_fir_simulated")
    told = {}
    for name, trees in (
        ("whole", data),
        ("blank", data.assign(height=data["height"].where(data.index % 7 > 0))),
    ):
        told[name] = clauses.classes(lambda *cell: cell[-1], fit, "en", "classes", "Classes", trees).split(
            "\n"
        )
    assert "nan" not in "".join(told["blank"]) and told["whole"] != told["blank"]
    counts = [[row.split("|")[3] for row in told[name] if row.startswith("|")] for name in told]
    assert counts[0] == counts[1] and len(counts[0]) > 5


def test_classes_count_roots_only_where_the_models_have_them(monkeypatch):
    """Larch: some trees have roots, but no root model passed its checks, and 5.4 says so."""
    row = clauses.design_rows("ten_classes")[0]
    trees = pd.DataFrame({"dbh": [2.0, 2.5], "height": [3.0, 4.0], "root": [1.0, 2.0]})
    monkeypatch.setattr(clauses, "class_errors", lambda fit, trees, _: [(row, trees["dbh"] > 0, 1.0)])
    told = [
        clauses.classes(lambda *cell: cell[-1], fit, "en", "classes", "Classes", trees)
        for fit in (SimpleNamespace(system=SimpleNamespace(responses=r)) for r in (("agb",), ("agb", "root")))
    ]
    assert ["Trees with roots" in text for text in told] == [False, True]


@pytest.mark.slow
def test_a_root_of_the_diameter_alone_is_said_to_be_so(workbench, tmp_path):
    """Template prose follows from the table: no sentence says that such roots come from the shoots."""
    write_fir(EQUATIONS.replace("agb * r0 * dbh**r1", "a4 * dbh**b4"), "agb_forest_my_fir")
    describe(workbench, "my_fir", tables=ONLY_CARBON | {"main": "agb_forest_my_fir@0.1.0"})
    told = {}
    for name in (NAME, "my_fir"):
        drawn = description.read(name)
        desk, own = Desk(drawn, "zh", tmp_path), drawn.localised("zh") | {"preview": True}
        told[name] = rendering.write(desk, drawn.template, "zh", own)
    assert "根系生物量由自变量直接计算" in told["my_fir"] and "推算" not in told["my_fir"]
    assert "由自变量直接计算" not in told[NAME] and "推算，两者相容" in told[NAME]


#: The structure of the published standards as the batch of the guide writes it.
COMPATIBLE = next(
    job["parameters"]["equations"]
    for job in read_yaml(REPOSITORY / "notebooks" / "batches" / "guide.yml")["jobs"]
    if job["id"] == "agb_forest_cunninghamia"
)
#: Parameters of a published set: volume in dm³, conversion factor in g/cm³ (standards_more.md, section 1).
PUBLISHED = {
    "v0": 0.07669, "v1": 1.80035, "v2": 0.99246, "v3": 1.55262,
    "f0": 0.89292, "f1": 0.21514, "f2": -0.40100, "f3": -0.006815,
    "r0": 0.64849, "r1": 0.38706, "r2": -0.64126, "r3": 1.47865,
    "g0": 0.2, "g1": 0.1, "g2": -0.3, "k0": 0.1, "k1": -0.1, "k2": -0.2,
}  # fmt: skip


def test_structure_of_published_standards_gives_their_numbers():
    """BCF and root:shoot of D and H, in two segments that meet at 5 cm; H counts alike in both."""
    system = System.parse(COMPATIBLE)
    trees = pd.DataFrame({"dbh": [20.0, 3.0, 5.0, 5.0 - 1e-9], "height": [15.0, 4.0, 5.0, 5.0]})
    mean = system.mean(PUBLISHED, trees)
    assert clauses.segments(system) == 5
    factor = mean["agb"] / mean["volume"]
    ratio = mean["root"] / mean["agb"]
    assert mean["agb"][0] == pytest.approx(142, abs=0.5)
    assert (factor[0], ratio[0]) == pytest.approx((0.574, 0.364), abs=5e-4)
    # The printed coefficients of the small segment.
    small = [
        1.27630 * 3**-0.006815 * 4**-0.40100,
        0.11426 * 3**1.55262 * 4**0.99246,
        0.11192 * 3**1.47865 * 4**-0.64126,
    ]
    assert [factor[1], mean["volume"][1], ratio[1]] == pytest.approx(small, rel=2e-4)
    for name in ("volume", "agb", "stem", "branch", "foliage", "root"):
        assert mean[name][2] == pytest.approx(mean[name][3], rel=1e-8), name


def test_structure_of_published_standards_is_printed_the_total_first():
    system = System.parse(COMPATIBLE)
    told = {r: clauses.whole_first(system, r, "en") for r in ("agb", "stem", "branch", "root")}
    assert told["agb"] == r"W_{\mathrm{A}} = F_{\mathrm{BC}}\,V"
    assert told["root"] == r"W_{\mathrm{R}} = R\,W_{\mathrm{A}}"
    assert told["stem"].startswith(
        r"W_{\mathrm{S}} = \frac{W_{\mathrm{A}}}{1 + g_{0}\,D^{g_{1}}\,H^{g_{2}} + k_{0}"
    )
    factor = clauses.ratio(system, "agb", "volume", "F", "en")
    assert factor == (
        r"F = \begin{cases} f_{0} \times 5^{f_{1} - f_{3}}\,D^{f_{3}}\,H^{f_{2}}, & D < 5 \\ "
        r"f_{0}\,D^{f_{1}}\,H^{f_{2}}, & D \ge 5 \end{cases}"
    )
    # Components with equations of their own are no shares; a share that does not add up is none either.
    assert not clauses.compatible(System.parse(EQUATIONS))
    assert not clauses.compatible(
        System.parse(COMPATIBLE.replace("foliage = stem * k0", "foliage = stem * g0"))
    )


def test_a_sum_too_long_for_the_line_is_broken_and_nothing_else():
    term = r"c_{\mathrm{GRASS},i,k,t}"
    short, long = f"c = {term} + {term}", "c_{i,k,t} = " + " + ".join([term] * 7)
    assert blocks.in_two_lines(short) == short
    broken = blocks.in_two_lines(long)
    first, second = (
        broken.removeprefix(r"\begin{gathered} ").removesuffix(r" \end{gathered}").split(r" \\ \quad ")
    )
    assert f"{first} {second}" == long and second.startswith("+ ")
    assert max(blocks.letters(first), blocks.letters(second)) < blocks.LINE < blocks.letters(long)
    product = "E = " + r"\,".join([term] * 9)
    assert blocks.in_two_lines(product) == product
    # A sum within brackets is not torn apart.
    assert blocks.in_two_lines(f"E = a\\left({long[12:]}\\right)") == f"E = a\\left({long[12:]}\\right)"
    # Of a fraction the wider part counts, an index counts less than a letter.
    assert blocks.letters(r"\frac{abc}{d}") == 3 and blocks.letters("a_{b}") == pytest.approx(1.62)


def test_small_trees_are_spoken_of_as_the_table_allows(workbench, tmp_path):
    """A segment, no segment though small trees were felled, no small trees at all."""
    trees = open_data.load("study:chinese_fir_simulated")
    large = sl.fit(trees[trees["dbh"] >= 5], EQUATIONS)
    Table.from_fits([large], "agb_forest_large", "0.1.0").write()
    write_fir(COMPATIBLE, "agb_forest_segments")
    told = {}
    for table in ("agb_forest_cunninghamia", "agb_forest_large", "agb_forest_segments"):
        describe(workbench, "small", tables=ONLY_CARBON | {"main": f"{table}@0.1.0"})
        drawn = description.read("small")
        draft = drawn.localised("zh") | {"preview": True}
        text = rendering.write(Desk(drawn, "zh", tmp_path), drawn.template, "zh", draft)
        told[table] = text.partition("{#sec:validity-small}")[2].partition("{#sec:validity-ext")[0]
        whole = "以胸径5\xa0cm为界分段" in text
        assert whole == (table == "agb_forest_segments")
        assert [f for f in meaning.faults(text, "zh") if not f.startswith("placeholder")] == []
    assert "未单独建立分段" in told["agb_forest_cunninghamia"]
    assert "不应外推" in told["agb_forest_large"]
    assert "应按各式中胸径小于5\xa0cm的分段计算" in told["agb_forest_segments"]


def test_culms_of_a_class_weigh_what_the_equations_say_at_their_mean_size():
    """Numbers that follow from coefficients one can multiply in the head."""
    from sinklab.data import files

    trees = open_data.load("study:moso_simulated")
    text = "culm = 0.01 * dbh**2 * height * where(age_class < 2, 0.5, 1)\nagb = culm"
    system = System.parse(text).bind(trees.columns)
    fit = SimpleNamespace(
        system=system, columns=lambda frame: frame, means=lambda frame: system.mean({}, frame)
    )
    cited = []

    def cite(*told):
        cited.append(told)
        return told[-1]

    printed = clauses.culms(cite, fit, "en", "culms", "Culms", trees, "moso_culms")
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| ")][2:]
    classes = [r for r in files.records("rules", "sampling_design.csv") if r["design_id"] == "moso_culms"]
    assert len(rows) == len(classes) == 5 and sum(int(row[2]) for row in rows) == len(trees)
    for row, wanted in zip(rows, classes, strict=True):
        here = trees[
            trees["dbh"].between(float(wanted["dbh_min"]), float(wanted["dbh_max"]), inclusive="left")
        ]
        old = 0.01 * here["dbh"].mean() ** 2 * here["height"].mean()
        span = f"{wanted['dbh_min']} ≤ *D* < {wanted['dbh_max']}"  # the upper end belongs to the next class
        assert row[:3] == [wanted["class_label"], span, str(len(here))]
        assert [float(row[5]), float(row[6])] == pytest.approx([old / 2, old], rel=5e-4)
    assert {told[2] for told in cited} == {
        "class",
        "dbh_min",
        "dbh_max",
        "n",
        "dbh",
        "height",
        "agb 1",
        "agb 2",
    }


def test_species_of_a_sample_are_counted_with_those_at_home():
    trees = pd.DataFrame(
        {
            "species": ["Larix gmelinii"] * 3 + ["Larix unheard"] * 2,
            "country": ["CHN", "CHN", "RUS", "RUS", "RUS"],
            "dbh": [5.0, 6.0, 7.0, 8.0, None],
        }
    )
    fit = SimpleNamespace(system=System.parse("agb = a * dbh**b").bind(["dbh", "agb"]))
    printed = clauses.taxa(lambda *told: told[-1], fit, "en", "taxa", "Sample", trees)
    assert "(*Larix gmelinii*) | 3 | 2 |" in printed and "| *Larix unheard* | 1 | 0 |" in printed


def test_formulas_in_a_row_are_cited_as_a_range(rendered):
    lang, files = rendered
    told = " ".join(re.sub(r"<[^>]+>", "", files["html"].read_text(encoding="utf-8")).split())
    assert re.search(
        {"zh": r"公式（\d+）～公式（\d+）", "en": r"Formula \(\d+\) to Formula \(\d+\)"}[lang], told
    )


def test_properties_of_paragraphs_are_in_the_order_of_the_schema(rendered):
    order = (
        "pStyle keepNext keepLines pageBreakBefore framePr widowControl numPr suppressLineNumbers pBdr shd tabs "
        "suppressAutoHyphens kinsoku wordWrap overflowPunct topLinePunct autoSpaceDE autoSpaceDN bidi adjustRightInd "
        "snapToGrid spacing ind contextualSpacing mirrorIndents suppressOverlap jc textDirection textAlignment "
        "textboxTightWrap outlineLvl divId cnfStyle rPr sectPr pPrChange"
    ).split()
    for properties in word(rendered[1]["docx"]).iter(f"{W}pPr"):
        found = [order.index(child.tag.removeprefix(W)) for child in properties]
        assert found == sorted(found)


def test_equations_are_live_in_word(rendered):
    document = word(rendered[1]["docx"])
    maths = "{http://schemas.openxmlformats.org/officeDocument/2006/math}oMath"
    assert len(list(document.iter(maths))) > 30


def test_every_number_is_listed_with_its_table(rendered, workbench):
    from sinklab.data.files import read_csv
    from sinklab.tables.table import Table

    lang, files = rendered
    listed = read_csv(files["docx"].with_name(f"{NAME}.{lang}.preview.numbers.csv"))
    text = "".join(word(files["docx"]).itertext())
    shown = listed[~listed["printed"].str.contains("×")]
    missing = [printed for printed in shown["printed"] if str(printed) not in text]
    assert not missing
    row = listed[(listed["name"] == "a1") & (listed["column"] == "value")].iloc[0]
    assert row["value"] == Table.read("agb_forest_cunninghamia@0.1.0").value("a1")


def test_values_are_named_in_words_with_their_sources(rendered):
    lang, files = rendered
    text = re.sub(r"\s+", " ", "".join(word(files["docx"]).itertext()))
    assert {"zh": "树干（带皮）", "en": "stem with bark"}[lang] in text  # the organs of the one species
    assert "10.5846/stxb201511292394" in text
    assert "species_id=" not in text


def test_rendering_again_gives_equal_files(workbench):
    first = {to: path.read_bytes() for to, path in rendering.render(NAME, "zh").items()}
    again = {to: path.read_bytes() for to, path in rendering.render(NAME, "zh").items()}
    assert first == again


def test_final_rendering_refuses_simulated_numbers_and_keeps_files(workbench):
    files = rendering.render(NAME, "en", "html")
    before = files["html"].read_bytes()
    with pytest.raises(
        DraftError, match=r"agb_forest_cunninghamia@0\.1\.0 \(demonstration\).*coefficients:a1"
    ) as caught:
        rendering.render(NAME, "en", preview=False)
    assert "carbon_fraction_forest_china@0.1.0 (draft)" in str(caught.value)
    assert files["html"].read_bytes() == before


def test_printed_values_may_be_cited_in_a_final_rendering(workbench):
    template = '# Scope {#sec:a}\n\nSee [@tbl:c].\n\n{{ values_table("carbon", "c", "Carbon") }}\n'
    name = describe(
        workbench, "carbon_only", template, preview=False, minimum_status="draft", tables=ONLY_CARBON
    )
    page = rendering.render(name, "en", "html")["html"].read_text(encoding="utf-8")
    assert rendering.render(name, "en", "html", preview=True)["html"].name == "carbon_only.en.preview.html"
    assert "DEMONSTRATION" not in page
    assert "PREVIEW" not in page


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("See [@tbl:nothing].", r"\[@tbl:nothing\] refers to nothing"),
        ("# A {#sec:a}\n\n# B {#sec:a}\n\n[@sec:a]", "sec:a is defined twice"),
        ('{{ index_table("main", "i", "Indices") }}', "tbl:i is never mentioned"),
        ('{{ value("main", "a9") }}', "a9"),
        ('{{ value("main", "a1", "median") }}', "median"),
        ('{{ number("main", "stem", "R3") }}', "no index R3 of stem"),
        ('{{ equation("main", "bark") }}', "no equation for 'bark'; there are: stem"),
        ('{{ value("else", "a1") }}', "else"),
        ("{{ ().__class__.__mro__ }}", "unsafe"),
        ("\n\n{{ open('/etc/passwd') }}", r"line 3.*'open' is undefined"),
        ("{% include '../../data/vocabulary/units.csv' %}", "units.csv"),
        ("{{ draft.nothing }}", "nothing"),
        ("{% if %}", "en.md, line 1"),
        ("![x](/etc/hostname){#fig:x}\n\n[@fig:x]", "not one of the draft's own figures"),
    ],
)
def test_faults_of_a_template(workbench, template, message):
    name = describe(workbench, "faulty", template)
    with pytest.raises(DraftError, match=f"(?s){message}"):
        rendering.render(name, "en", "html")
    assert (
        not list(paths.reports("drafts", name).glob("*")) if paths.reports("drafts", name).exists() else True
    )


def test_all_faults_of_a_description_at_once(workbench):
    name = describe(workbench, "wrong", template=None, preview="yes", title="x", minimum_status="good")
    with pytest.raises(DraftError) as caught:
        rendering.render(name)
    assert all(word in str(caught.value) for word in ("preview", "title", "minimum_status"))


def test_missing_tables_are_all_named(workbench):
    name = describe(workbench, "absent", tables={"main": "agb_forest_none@0.1.0", "carbon": "none@9.9.9"})
    with pytest.raises(DraftError, match=r"(?s)carbon: .*none.*main: params: no table agb_forest_none"):
        rendering.render(name)


def test_text_of_a_description_is_not_code(workbench):
    template = "{{ draft.region }}\n"
    name = describe(workbench, "hostile", template, region="<script>alert(1)</script> {{ 7 * 7 }}")
    page = rendering.render(name, "en", "html")["html"].read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "{{ 7 * 7 }}" in page.replace("&#123;", "{")


@pytest.mark.parametrize(("value", "se", "printed"), [
    (0.044724, 0.0015479, ("0.0447", "0.0015")),
    (6.7825e-05, 3.03e-06, ("6.78×10^−5^", "0.30×10^−5^")),
    (1234.56, 78.9, ("1235", "79")),
    (-0.3512, 0.0282, ("−0.351", "0.028")),
    (0.002, 0.5, ("0.00", "0.50")),
    (2.5, float("nan"), ("2.50000", "—")),
])  # fmt: skip
def test_digits_follow_the_standard_error(value, se, printed):
    from sinklab.drafts.blocks import with_error

    assert tuple(with_error(value, se)) == printed


def test_command(workbench, capsys):
    from sinklab.cli import main

    assert main(["draft", NAME, "--lang", "en", "--to", "html"]) == 0
    assert f"reports/drafts/{NAME}/{NAME}.en.preview.html" in capsys.readouterr().out
    assert main(["draft"]) in (0, 1)
    assert "agb_forest_cunninghamia@0.1.0" in capsys.readouterr().out
    assert main(["draft", NAME, "--final"]) == 2
    assert main(["draft", "nothing"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert NAME in said
    assert io.StringIO(said).readline().startswith("sinklab: ")


def test_printed_parameters_give_the_predictions_of_the_table(workbench):
    # Coefficients known to a tenth whose products are known to a hundredth need more digits than their own error says.
    import numpy as np

    import sinklab as sl
    from sinklab.data import open_data
    from sinklab.drafts import blocks
    from sinklab.tables import digits

    fit = sl.fit(
        open_data.load("study:eucalypt_simulated"), "foliage = a * dbh**b * height**c", variance="power:mean"
    )
    told = {}

    def cite(file, name, column, value, text):
        told[name, column] = text
        return text

    blocks.parameters(cite, fit, "en", "p", "Parameters")
    places = digits.guard(fit).decimals
    for label, value in zip(fit.labels, fit.values, strict=True):
        printed = told[label, "value"].replace("\N{MINUS SIGN}", "-")
        assert abs(float(printed) - value) <= 0.5 * 10.0 ** -places[label] + 1e-12
        assert len(printed.partition(".")[2]) >= places[label]
    read = np.array([float(told[label, "value"].replace("\N{MINUS SIGN}", "-")) for label in fit.labels])
    grid = fit.data[["dbh", "height"]]
    mean = fit.predict(grid)
    moved = read[0] * grid["dbh"] ** read[1] * grid["height"] ** read[2] - mean["foliage"]
    assert (moved.abs() / mean["foliage_se"]).max() <= 0.1
    by_error = digits.guard(fit).unguarded
    assert by_error > 0.1, "the digits of the errors alone would do here: the test shows nothing"


def test_word_keeps_leads_with_formulas_and_bars_over_letters():
    """A lead stays with its formula, the formula with its legend; means have a combining bar, text stands off a table."""
    look = rendering.Look("en", "T", "N")
    text = (
        "# One {#sec:one}\n\nThe mean is calculated with [@eq:mean].\n\n$$\\bar{x} = x$$ {#eq:mean}\n\n::: legend\nwhere\n\n"
        "$x$ is the mass;\n\nit is large;\n\nit is old.\n:::\n\nSee [@tbl:a]:\n\n- one.\n\n| a |\n|:--|\n| b |\n\nTable: T {#tbl:a}\n\nBelow.\n"
    )
    with paths.private("draft") as folder:
        raw = rendering.convert(text, "docx", look, Path(folder))
    made = docx.Document(io.BytesIO(raw))
    kept = {p.text: p.paragraph_format.keep_with_next for p in made.paragraphs}
    assert kept["The mean is calculated with Formula (1)."]
    assert kept["where"]
    assert kept["See Table 1:"]
    assert not kept["Below."]
    # The last two lines of a legend are on one page.
    assert kept["it is large;"] and not kept["it is old."]
    assert not next(on for text, on in kept.items() if text.endswith("is the mass;"))
    assert any(text.startswith("—\u2003one") for text in kept)
    below = next(p for p in made.paragraphs if p.text == "Below.")
    assert below.paragraph_format.space_before.pt == BELOW_TABLE
    body = zipfile.ZipFile(io.BytesIO(raw)).read("word/document.xml").decode()
    assert 'm:chr m:val="\u0305"' in body


def test_refused_values_are_told_below_the_table_and_not_as_dashes():
    row = {
        "variable": "carbon_fraction",
        "q025": 0.45,
        "q975": 0.55,
        "n_study": 3,
        "mean_of": "units",
        "status": "draft",
    }
    rows = [
        row | {"name": "a", "group": "component=root", "mean": 0.5, "se": 0.01},
        row | {"name": "b", "group": "component=stem", "mean": None, "se": None, "status": "refused"},
    ]
    noted = []

    def cite(*entry):
        noted.append(entry)
        return entry[4]

    text = blocks.values(cite, pd.DataFrame(rows), "en", "t", "T", "table@0.1.0")
    assert text.count("| root") == 1
    assert "—" not in text
    assert "NOTE 1 Mean and range: mean of all units." in text
    assert "did not pass the checks of plausibility and are not listed" in text
    assert {entry[1] for entry in noted} == {"a"}
    with pytest.raises(DraftError, match="no value is left"):
        blocks.values(cite, pd.DataFrame(rows[1:]), "en", "t", "T", "table@0.1.0")


@pytest.mark.parametrize(("lang", "name"), [("zh", "毛竹"), ("en", "*Phyllostachys edulis*")])
def test_a_species_in_a_table_of_values_has_its_latin_name_in_italics(lang, name):
    row = {"name": "a", "group": "species_id=phyllostachys_edulis", "variable": "", "mean": 0.4, "se": None}
    row |= {"q025": None, "q975": None, "n_study": 1, "status": "draft", "ratio_of": "", "definition": ""}
    row |= {"mean_of": "units", "of_whom": "unit_here"}
    text = blocks.values(lambda *told: told[4], pd.DataFrame([row]), lang, "t", "T", "x@1")
    assert re.search(rf"(^|[|\s]){re.escape(name)}($|[|\s])", text, re.M)
    unknown = pd.DataFrame([row | {"group": "species_id=nobody_knows"}])
    assert "nobody" in blocks.values(lambda *told: told[4], unknown, lang, "t", "T", "x@1")


def test_what_rows_of_values_share_is_said_once_and_empty_columns_are_left_out():
    row = {"variable": "", "se": None, "n_study": 1, "status": "draft", "ratio_of": "", "definition": ""}
    row |= {"mean_of": "units", "of_whom": "unit_here"}
    rows = [
        row | {"name": n, "group": g, "mean": 0.4, "q025": low, "q975": high}
        for n, g, low, high in (("a", "component=root", 0.1, 0.9), ("b", "component=stem", None, None))
    ]
    row |= {"mean": None, "q025": None, "q975": None, "status": "refused"}
    refused = [row | {"name": n, "group": f"component={n}"} for n in ("leaf", "bark")]
    for lang, note, names in (
        ("zh", "注1：均值与区间所指：全部单元的均值；区间为本地点的一个单元。", "leaf、bark的"),
        (
            "en",
            "NOTE 1 Mean and range: mean of all units; range of one unit of this site.",
            "of leaf and bark did",
        ),
    ):
        text = blocks.values(lambda *told: told[4], pd.DataFrame(rows + refused), lang, "t", "T", "x@1")
        head = text.strip().split("\n")[0]
        # Neither a standard error, which none has, nor what all rows say alike.
        assert head.count("|") == 5 and note in text and names in text


def test_definitions_of_a_mean_stand_apart():
    from sinklab.data import vocabulary

    row = {"mean_of": "units", "definition": "season=several;soil_depth=unstated"}
    assert vocabulary.estimand(row, "zh") == "全部单元的均值；季节不一，深度未说明"


@pytest.mark.parametrize(
    ("words", "broken"), [("mass", False), ("mass of the living and the dead parts of a plant " * 2, True)]
)
def test_a_table_is_broken_where_its_lines_are_many_and_not_its_rows(words, broken, tmp_path):
    rows = "\n".join(f"| $x_{{{i}}}$ | {words} | t | {words} |" for i in range(9))
    text = f"# One {{#sec:one}}\n\nSee [@tbl:data].\n\n| Symbol | What | Unit | Method |\n|:--|:--|:-:|:--|\n{rows}\n\nTable: Data {{#tbl:data}}\n"
    typst = rendering._pandoc(text, "typst", rendering.Look("en", "", "", ""), tmp_path)
    assert ("#continued[" in typst) == broken and ("#whole[" in typst) != broken


def test_no_page_of_the_contents_holds_a_lone_entry(tmp_path):
    def pages(entries):
        opening = "# Contents {.front .contents}\n\n::: contents\n:::\n\n"
        text = opening + "\n\n".join(f"# 术语 {{#sec:h{i}}}\n\n文。" for i in range(entries))
        look = rendering.Look("zh", "T", "N")
        last = int(rendering._pages(text, look, tmp_path).split()[-1])
        return len(re.findall(rb"/Type ?/Page\b", rendering._pdf(text, look, tmp_path))) - last

    assert [pages(count) for count in (38, 42, 43, 60)] == [1, 1, 1, 2]


@pytest.mark.parametrize(("lang", "spilling", "least"), [("zh", 33, 39), ("en", 39, 43)])
def test_contents_hardly_longer_than_their_page_are_set_closer_in_word(tmp_path, lang, spilling, least):
    from sinklab.drafts import word as words

    opening = "# Contents {.front .contents}\n\n::: contents\n:::\n\n"
    usual = docx.Document(io.BytesIO(words.document(lang))).styles["TOC 2"].paragraph_format.line_spacing

    def spacing(entries):
        text = opening + "\n\n".join(f"# H {{#sec:h{i}}}\n\nText." for i in range(entries))
        raw = rendering.convert(text, "docx", rendering.Look(lang, "T", "N"), tmp_path)
        return docx.Document(io.BytesIO(raw)).styles["TOC 2"].paragraph_format.line_spacing

    for entries in (spilling, least):
        assert entries * spacing(entries).pt <= words.CONTENTS_ROOM
    assert spacing(spilling - 1) == spacing(60) == usual


def test_the_last_line_of_a_list_does_not_stand_alone_in_word(tmp_path):
    raw = rendering.convert(
        "Checks:\n\n- a\n- b\n- c\n\nText.\n", "docx", rendering.Look("en", "T", "N"), tmp_path
    )
    made = docx.Document(io.BytesIO(raw))
    listed = [p for p in made.paragraphs if p.style.name == "List Dash"]
    assert [bool(p.paragraph_format.keep_with_next) for p in listed] == [False, True, False]


@pytest.mark.parametrize(("kind", "word"), [("tbl", "表"), ("eq", "公式")])
def test_a_word_and_its_number_are_on_one_line(tmp_path, kind, word):
    made = {
        "tbl": "| a |\n|---|\n| 1 |\n\nTable: 名 {#tbl:x}",
        "eq": "$$ a = b $$ {#eq:x}",
    }[kind]
    text = f"# 节 {{#sec:a}}\n\n见[@{kind}:x]。\n\n{made}\n"
    found = rendering._pandoc(text, "typst", rendering.Look("zh", "T", "N"), tmp_path)
    assert re.search(word + "\u2060（?1", found)


def test_no_blank_stands_between_the_characters_of_a_description():
    import yaml

    def strings(found):
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict | list):
            for part in found.values() if isinstance(found, dict) else found:
                yield from strings(part)

    # A folded line of YAML becomes a blank, which is right between words and wrong between characters.
    for path in sorted((REPOSITORY / "reports" / "drafts").glob("*.yml")):
        for text in strings(yaml.safe_load(path.read_text(encoding="utf-8"))):
            assert not re.search("[\u3001-\u303f\u4e00-\u9fff\uff00-\uffef] +[\u4e00-\u9fff]", text), (
                path.name,
                text,
            )


def test_units_have_their_own_symbol_in_english():
    assert blocks.unit_symbol("1/ha", "zh") == "株/hm²"
    assert blocks.unit_symbol("1/ha", "en") == "stems/hm²"


def long_table(before: int) -> str:
    """A table of 30 rows behind some lines; the last row is a note."""
    rows = "".join(f"| row{i} | 1 |\n" for i in range(30))
    lines = "".join(f"Line {i}.\n\n" for i in range(before))
    note = "\n::: tablenote\nNOTE End.\n:::\n"
    return f"# One {{#sec:one}}\n\nSee [@tbl:a].\n\n{lines}| a | b |\n|:--|:-:|\n{rows}\nTable: T {{#tbl:a}}\n{note}"


def test_a_long_table_breaks_without_lone_rows_and_is_named_where_it_goes_on(monkeypatch):
    """Wherever the page ends, two rows stand below the first head and two with the note at the end."""
    look, split, plain = rendering.Look("en", "T", "N"), 0, rendering._pandoc

    def marked(*told):
        found = plain(*told)
        assert "#continued[Table 1 (continued)]" in found and found.count("<table-begins>") == 1
        return re.sub(r"\[row\d+\]", "[#context [#metadata(here().page())<row>]]", found)

    monkeypatch.setattr(rendering, "_pandoc", marked)
    for before in (8, 16, 19, 20, 21, 22, 23):
        with paths.private("draft") as folder:
            found = rendering._set(long_table(before), look, Path(folder)).query("<row>", field="value")
        pages = json.loads(found)
        assert pages.count(pages[0]) >= 2 and pages.count(pages[-1]) >= 2 and len(pages) == 30
        split += pages[0] != pages[-1]
    assert split >= 4


def test_rows_at_the_ends_of_a_long_table_stay_together_in_word():
    with paths.private("draft") as folder:
        raw = rendering.convert(long_table(0), "docx", rendering.Look("en", "T", "N"), Path(folder))
    rows = docx.Document(io.BytesIO(raw)).tables[0].rows
    kept = [row.cells[0].paragraphs[0].paragraph_format.keep_with_next or False for row in rows]
    assert kept == [True] * 2 + [False] * 27 + [True] * 2 + [False]


def test_letters_of_segments_are_listed_by_their_number():
    assert blocks.counted_off(["g", "f0", "f1", "f3", "f2", "g"]) == ["g", "f0", "f1", "f2", "f3"]


@pytest.mark.parametrize(
    ("lang", "words"), [("zh", ("竹枝", "竹叶", "秆高")), ("en", ("branch", "leaf", "culm height"))]
)
def test_bamboo_has_its_own_words_wherever_a_table_of_it_is_shown(lang, words):
    """Legends, headers, components, figures and objects; trees beside it keep theirs."""
    from sinklab.data import vocabulary
    from sinklab.language import speaking
    from sinklab.results.summary import fit_report

    fit = sl.fit(
        open_data.load("study:moso_simulated"),
        "culm = a1 * dbh**b1 * height**c1 * where(age_class < 2, k1, 1)\nbranch = a2 * dbh**b2\nfoliage = a3 * dbh**b3",
        method="wls",
    )
    assert fit.ecosystem == "bamboo"
    with speaking(lang):
        shown = repr(fit.set_table()) + fit_report(fit)
        with vocabulary.words_of(fit.ecosystem):
            legend = blocks.legend(fit.system, fit.system.responses, (), None, lang)
            ranges = blocks.ranges(lambda *told: told[4], fit, lang, "r", "R")
    for text in (legend, shown):
        assert (
            all(word in text for word in words[:2]) and "树枝" not in text and "foliage biomass" not in text
        )
    assert words[2][1:] in ranges and "树高" not in ranges
    assert vocabulary.label("branch", "zh") == "树枝生物量" and vocabulary.label("height", "zh") == "树高"
    told = vocabulary.group_label("species_id=phyllostachys_edulis;component=branch_unspecified", "zh")
    assert told == "毛竹 竹枝" and vocabulary.group_label("component=branch_unspecified", "zh").startswith(
        "枝（"
    )


def test_a_figure_has_a_curve_of_each_kind_that_conditions_tell_apart():
    from sinklab import plots
    from sinklab.results.prediction import kinds_of

    trees = open_data.load("study:moso_simulated")
    fit = sl.fit(trees, "culm = a1 * dbh**b1 * where(age_class < 2, k1, 1)", method="wls")
    assert kinds_of(fit) == [("age_class", 2, False, 1), ("age_class", 2, True, 2)]
    (axis,) = plots.fit_figure(fit, "culm", trees, "en").axes
    curves = [line for line in axis.lines if line.get_linestyle() != "None"]
    assert (
        len(curves) == 2
        and [text.get_text() for text in axis.get_legend().get_texts()][-1] == "fitted, age class ≥ 2"
    )
    young, old = (line.get_ydata() for line in curves)
    assert (young / old) == pytest.approx(fit.values[fit.labels.index("k1")])
    segmented = sl.fit(
        trees, "culm = where(dbh < 5, a0 * 5**(b1 - b2) * dbh**b2, a0 * dbh**b1)", method="wls"
    )
    assert kinds_of(segmented) == []


def test_trees_above_the_last_class_of_a_design_are_in_it():
    last = clauses.design_rows("ten_classes")[-1]
    assert clauses.class_limits(last) == (35, float("inf")) and clauses.class_limits(
        clauses.design_rows("ten_classes")[0]
    ) == (1.5, 3)
    said = {lang: clauses.class_words(lambda *told: told[4], last, lang) for lang in ("zh", "en")}
    assert said == {"zh": ("38及以上", "*D* ≥ 35"), "en": ("38 and above", "*D* ≥ 35")}


def test_values_have_a_column_of_species_organ_and_age_and_their_unit():
    row = {
        "variable": "mass",
        "unit": "kg",
        "q025": 0.4,
        "q975": 0.6,
        "n_study": 1,
        "mean_of": "units",
        "of_whom": "unit_here",
    }
    row |= {"mean": 0.5, "se": 0.01, "status": "draft"}
    groups = [f"component={c};age={a}" for c in ("branch_unspecified", "culm") for a in (1, 3)]
    frame = pd.DataFrame([row | {"name": g, "group": g} for g in groups])
    printed = blocks.values(lambda *told: told[4], frame, "zh", "t", "T", "x@1")
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    assert lines[0] == "| 器官 | 竹龄/a | 均值/kg | 标准误/kg | 95% 分布区间/kg | 研究数 |"
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| 竹秆"] * 2 + ["| 枝"] * 2
    assert "原文献未说明的内容：枝是否含枯枝。" in printed


def test_parameters_stand_with_the_formula_that_is_printed_and_residuals_with_their_correlation():
    """Of a compatible model the factor of volume, the shares and the ratio of roots have parameters of their own."""
    text = (
        "volume = v0 * dbh**v1\nstem = volume * f0 * dbh**f1 / (1 + g0 * dbh**g1 + k0 * dbh**k1)\n"
        "branch = stem * g0 * dbh**g1\nfoliage = stem * k0 * dbh**k1\nagb = stem + branch + foliage\nroot = agb * r0 * dbh**r1"
    )
    columns = ["dbh", "volume", "stem", "branch", "foliage", "root"]
    owners = clauses.owners(System.parse(text).bind(columns))
    assert {name[0]: of for name, of in owners.items()} == {
        "v": "volume",
        "f": "bcf",
        "g": "branch",
        "k": "foliage",
        "r": "root_shoot_ratio",
    }
    assert clauses.owners(System.parse("agb = a * dbh**b").bind(["dbh", "agb"])) == {}


def test_a_source_whose_title_was_not_seen_is_cited_by_its_doi():
    """The order of GB/T 7714; without title and DOI the words that it was not seen stay, and no final draft prints them."""
    from sinklab.data import literature

    assert literature.citation("IJFR626149") == (
        "International Journal of Forestry Research, 2012: 626149. doi:10.1155/2012/626149."
    )
    assert literature.citation("CX_BAMBOO2017").startswith("曹福明, 闫文德, 田大伦, 等. 桃江县毛竹林")
    assert "[J]. 生态学报, 2017, 37(6): 2005-2013. doi:" in literature.citation("CX_BAMBOO2017")
    assert literature.citation("WIDAGDO2021").startswith("Widagdo F.R.A., Li F., Xie L., et al. Intra-")
    assert "title not seen" in literature.citation("ZOIGETHESIS")


@pytest.mark.parametrize(
    ("lang", "stand", "tree"),
    [
        (
            "zh",
            "由样本估计；预测值的单位为吨每公顷。",
            "由样本估计；预测值的单位为千克，材积的单位为立方米。",
        ),
        (
            "en",
            "; predictions are in tonnes per hectare.",
            "; predictions are in kilograms, volumes in cubic metres.",
        ),
    ],
)
def test_residuals_are_told_in_the_unit_of_what_is_predicted(lang, stand, tree):
    def noted(**mass):
        sizes = pd.Series([8.0, 12, 16, 24, 30])
        scatter = pd.DataFrame({"agb_density": [1.05, 0.95, 1, 1.1, 0.98], "volume": [1, 1.1, 0.9, 1, 1.05]})
        scatter["agb"] = scatter["agb_density"]
        table = pd.DataFrame(
            {"dbh": sizes} | {name: a * sizes**1.5 * scatter[name] for name, a in mass.items()}
        )
        lines = (f"{name} = {letter} * dbh**{letter}1" for name, letter in zip(mass, "pq", strict=False))
        fit = sl.fit(table, "; ".join(lines), cluster="none", name="made")
        return blocks.residuals(lambda *told: told[-1], fit, lang, "tbl:r", "R")

    assert stand in noted(agb_density=0.4)
    assert tree in noted(agb=0.1, volume=0.001)


@pytest.mark.parametrize(
    "file", sorted((REPOSITORY / "reports" / "drafts").glob("*.yml")), ids=lambda file: file.stem
)
def test_the_english_title_of_a_cover_leaves_no_lone_word_on_a_line(file):
    # 65 letters of 14 pt fill the line of a cover; the templates break at a dash and at a line end.
    title = read_yaml(file).get("title_english", "")
    assert all(len(line) <= 65 for line in re.split(r"\n|— ", title))
