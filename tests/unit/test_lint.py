"""The linter of drafts: each rule finds its fault, names the line, and leaves good text alone."""

import re

import pytest
from desk_workbench import copied

from sinklab.drafts.linting import CHECKS, lint, rules

DECISION = {
    "value": 400,
    "unit": "m²",
    "label": {"zh": "面积", "en": "area"},
    "source": {"zh": "起草组", "en": "drafters"},
    "basis": "proposed",
}


@pytest.fixture(scope="module")
def workbench(tmp_path_factory):
    """Rules and shared templates of the repository, without any table."""
    with copied(tmp_path_factory.mktemp("lint")) as root:
        yield root


def linted(workbench, template, lang="zh", **extra):
    """Findings of a template, as ``(rule, line)``, and the findings themselves."""
    import yaml

    folder = workbench / "reports" / "templates" / "tried"
    folder.mkdir(exist_ok=True)
    for name in ("zh", "en"):
        (folder / f"{name}.md").write_text(template, encoding="utf-8")
    data = {
        "template": "tried",
        "tables": {},
        "title": {"zh": "题", "en": "Title"},
        "decisions": {"area": DECISION},
    }
    path = workbench / "reports" / "drafts" / "tried.yml"
    path.write_text(yaml.safe_dump(data | extra, allow_unicode=True, sort_keys=False), encoding="utf-8")
    found = lint("tried", lang)
    return {(f.rule.rule_id, f.line) for f in found}, found


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("样地必须布设。", "modal_must"),
        ("样地应当布设。", "modal_ought"),
        ("样地不得移动。", "modal_must_not"),
        ("样地需要复测。", "modal_need"),
        ("样地应尽可能均匀。", "modal_vague"),
        ("样地可以移动。", "modal_may"),
        ("本标准适用。", "self_reference"),
        ("见第 12 页。", "page_cited"),
        ("相对误差为{{ stated('63～67%', 'x') }}。", "percent_range"),
        ("含水率为{{ stated('65±2%', 'x') }}。", "percent_tolerance"),
        ("样地为{{ stated('20×30 m', 'x') }}。", "factor_unit"),
        ("高度为{{ stated('20m', 'x') }}。", "unit_space"),
        ("碳储量以 t/hm²/a 计。", "unit_slashes"),
        ("取值如下表所示。", "by_position"),
        ("取值见表3。", "typed_reference"),
        ("按公式（2）计算。", "typed_reference"),
        ("样地,样木。", "halfwidth"),
        ("样地不少于30个。", "typed_number"),
        ("含碳系数取0.47。", "typed_number"),
        ("见[@tbl:none]。", "unresolved"),
        ("注：样地应复测。", "note_requirement"),
    ],
)
def test_a_fault_is_found_on_its_line(workbench, text, rule):
    found, _ = linted(workbench, f"# 调查 {{#sec:a}}\n\n样地应复测。\n\n{text}\n")
    assert (rule, 5) in found
    assert {line for _, line in found} == {5}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Plots must be marked.", "modal_must"),
        ("Plots need to be marked.", "modal_need"),
        ("Plots are allowed to move.", "modal_may"),
        ("Plots shall, as far as possible, be marked.", "modal_vague"),
        ("This standard applies.", "self_reference"),
        ("The plot is {{ stated('20m', 'x') }} wide.", "unit_space"),
        ("See the table below.", "by_position"),
        ("See Table 3.", "typed_reference"),
        ("At least 30 plots are used.", "typed_number"),
    ],
)
def test_faults_in_english(workbench, text, rule):
    found, _ = linted(workbench, f"# Survey {{#sec:a}}\n\n{text}\n", "en")
    assert (rule, 3) in found


@pytest.mark.parametrize(
    ("lang", "good", "bad"),
    [
        ("zh", "单位面积的竹株数。", "单位面积的竹株数"),
        ("en", "number of culms per unit area", "number of culms per unit area."),
    ],
)
def test_a_definition_has_a_full_stop_in_chinese_only(workbench, lang, good, bad):
    for text, wanted in ((good, False), (bad, True)):
        found, _ = linted(workbench, f"# A {{#sec:a}}\n\n## B {{.term #sec:b}}\n\n{text}\n", lang)
        assert any(rule == "term_definition" for rule, _ in found) == wanted


def test_no_blank_stands_after_a_chinese_comma(workbench):
    found, _ = linted(workbench, "# 调查 {#sec:a}\n\n样木应记录地径， 并测定冠幅。\n")
    assert ("space_cjk", 3) in found


def test_good_text_is_left_alone(workbench):
    text = (
        "# 调查 {#sec:a}\n\n样地面积不应小于{{ decision('area') }}，相应的记录宜保存，应用时可采用GB/T 26424—2010和"
        "LY/T 2259的方法，按[@eq:a]计算；CO~2~以2023年为准，方法学CCER-14-001-V01。样地不需要围栏。\n\n"
        "$$a = 0.47 b$$ {#eq:a}\n\n::: legend\n式中：\n\n$a$——碳的质量，单位为千克（kg）；\n\n$b$——质量，单位为千克（kg）。\n:::\n\n"
        "见[@tbl:b]。\n\n{{ decision_table('b', '规定值') }}\n"
    )
    found, _ = linted(workbench, text)
    assert found == set()


def test_structure(workbench):
    text = (
        "# 甲 {#sec:a}\n\n悬置的文字。\n\n## 乙 {#sec:b}\n\n文字。\n\n$$a=b$$ {#eq:c}\n\n"
        "| 甲 |\n| --- |\n| 乙 |\n\nTable: 表 {#tbl:d}\n\n# 3 丙 {#sec:e}\n\n文字。\n\n# 丁 {.annex kind=normative #sec:f}\n\n文字。\n"
    )
    found, _ = linted(workbench, text)
    expected = {
        ("hanging_paragraph", 3),
        ("lone_clause", 5),
        ("no_legend", 9),
        ("symbol_unexplained", 9),
        ("uncited", 15),
        ("typed_numbering", 17),
        ("annex_uncited", 21),
    }
    assert found == expected


def test_structure_of_a_standard(workbench):
    text = (
        "# 前言 {.front #sec:foreword}\n\n本文件应执行。\n\n# 一般要求 {#sec:general}\n\n文字。\n\n"
        "# 范围 {#sec:scope}\n\n样木应测定。\n\n# 规范性引用文件 {#sec:references}\n\n无。\n\n# 术语和定义 {#sec:terms}\n\n无。\n"
    )
    names = {rule for rule, _ in linted(workbench, text)[0]}
    fixed = {"fixed_foreword", "fixed_scope", "fixed_references", "fixed_terms"}
    assert names == fixed | {"foreword_requirement", "clause_order", "scope_requirement"}


def test_lead_of_the_terms_is_no_hanging_paragraph(workbench):
    text = "# 术语和定义 {#sec:terms}\n\n下列术语和定义适用于本文件。\n\n## 碳库　pool {.term #sec:t}\n\n组成部分。\n\n# 要求 {#sec:b}\n\n碳库应计量。\n"
    assert linted(workbench, text)[0] == set()


def test_branches_and_loops_keep_the_lines_of_the_template(workbench):
    text = "# 甲 {#sec:a}\n\n{% if draft.yes %}\n{% for x in draft.plots %}\n- {{ x }}必须\n{% endfor %}\n{% else %}\n样地不得移动。\n{% endif %}\n应当\n"
    found, _ = linted(workbench, text, yes=True, plots=["甲", "乙"])
    assert found == {("modal_must", 5), ("modal_ought", 10)}


def test_faults_of_the_description_name_the_description(workbench):
    _, found = linted(
        workbench, "# 甲 {#sec:a}\n\n{{ draft.note }}\n", note={"zh": "样地应当复测30次。", "en": "-"}
    )
    assert {f.rule.rule_id for f in found} == {"modal_ought", "typed_number"}
    written = (workbench / "reports" / "drafts" / "tried.yml").read_text(encoding="utf-8").splitlines()
    assert all(f.file == "reports/drafts/tried.yml" and "应当" in written[f.line - 1] for f in found)


def test_rules_say_where_they_come_from():
    for lang in ("zh", "en"):
        found = rules(lang)
        assert {r.status for r in found} == {"verified", "recalled", "house rule"}
        assert all(
            r.source and r.meaning_en and r.meaning_zh and r.suggestion_en and r.suggestion_zh for r in found
        )
        structural = {r.rule_id for r in found if not r.pattern}
        assert structural == {*CHECKS, "typed_number", "typed_numbering"}


def test_command(workbench, capsys):
    from sinklab.cli import main

    linted(workbench, "# 甲 {#sec:a}\n\n样地必须布设。\n")
    assert main(["draft", "tried", "--lint", "--lang", "zh"]) == 1
    said = capsys.readouterr().out
    assert "reports/templates/tried/zh.md:3: modal_must: “样地必须布设。”" in said
    assert "GB/T 1.1 Annex C" in said
    linted(workbench, "# 甲 {#sec:a}\n\n样地应布设。\n")
    assert main(["draft", "tried", "--lint", "--lang", "zh"]) == 0
    assert not (workbench / "reports" / "drafts" / "tried").exists()


def test_chinese_titles_in_an_english_list_keep_their_signs():

    (rule,) = (rule for rule in rules("en") if rule.rule_id == "english_comma")
    assert not re.search(rule.pattern, "Li (2017). 杉木、马尾松人工林根系生物量及分配. Forest Research.")
    assert re.search(rule.pattern, "stems，branches")
    assert re.search(rule.pattern, "the fir（杉木）")
