"""Faults planted in drafts that are sound: the lint and the check of meaning find them, the review finds those of people."""

import copy
import re
from pathlib import Path

import pytest

from sinklab.drafts import description, linting, meaning, rendering
from sinklab.drafts.desk import Desk
from sinklab.drafts.meaning import Line, taken_apart
from sinklab.review.draft import _compare, changed_words, expected

#: Drafts without parameter tables, so that nothing has to be fitted.
DRAFTS = (
    "metering_guide_karst",
    "methodology_afforestation",
    "methodology_forest_management",
    "methodology_cropland",
    "metering_guide_grassland",
)
#: Sentences that a drafter might put in, each with one fault.
SENTENCES = """样地必须布设。
样地应当布设。
样地不得移动。
样地需要复测。
样地应尽可能均匀。
样地可以移动。
本标准适用。
见第 12 页。
样地不少于30个。
取值如下表所示。
取值见表3。
样地,样木应编号。
建议采用固定样地。
最好在夏季测定。
样木若干株。
误差在一成左右。
灌木、草本等等。
测定应符合国家有关规定。
业主应依法承担责任。
面积不应小于一亩。
胸径以公分计。
浓度以ppm计。
样地(固定)应标记。
调查应符合GB/T 26424-2010的规定。
胸径5-10 cm的林木应测定。
碳储量以t/ha计。
排放量以CO2计。
碳储量以吨/公顷计。
我们采用固定样地。
样地应标记，，并记录。
原则上每年监测。
监测和/或核查应记录。
误差≥一成的应复测。
例子比如桉树。
格式见附件A。
如前所述，样地应复测。
数值见参数库。
采用根茎比率计算。
样地 应标记。
采用"固定"样地。
调查应符合LY/T 1234的规定。
取值见[@tbl:nowhere]。
以上凭记忆，待核实。""".split("\n")


@pytest.fixture(
    scope="module", params=[DRAFTS[0], *(pytest.param(d, marks=pytest.mark.slow) for d in DRAFTS[1:])]
)
def draft(request):
    """A draft as lines, as they are printed."""
    drawn = description.read(request.param)
    text = rendering.write(
        Desk(drawn, "zh", Path()), drawn.template, "zh", drawn.localised("zh") | {"preview": True}
    )
    return request.param, text.split("\n")


def found_in(lines, planted=()):
    """Rules and words that the lint finds; only planted lines were typed by a drafter."""
    told = [Line("x", n, text, text if n in planted else "") for n, text in enumerate(lines)]
    return {(f.rule.rule_id, f.found) for f in linting.check(taken_apart(told), "zh")}


def at(lines, pattern):
    return next(n for n, line in enumerate(lines) if re.search(pattern, line))


def swapped(lines, pattern, before, after):
    n = at(lines, pattern)
    assert re.search(before, lines[n]), lines[n]
    return [*lines[:n], re.sub(before, after, lines[n], count=1), *lines[n + 1 :]]


def put(lines, pattern, *new, before=False):
    n = at(lines, pattern) + (0 if before else 1)
    return [*lines[:n], "", *new, "", *lines[n:]]


LEGEND = r"^\$\\bar\{c\}"
STRUCTURE = {
    "a unit left out": lambda x: swapped(x, LEGEND, "，单位为吨每公顷（t/hm²）", ""),
    "kilograms for tonnes": lambda x: swapped(x, LEGEND, "吨每公顷（t/hm²）", "千克每公顷（kg/hm²）"),
    "metres for a count": lambda x: swapped(x, r"^\$n_", "无量纲", "单位为米（m）"),
    "a line of a legend left out": lambda x: [y for y in x if not re.match(r"\$s_\{i,t\}\$", y)],
    "a symbol changed in the legend": lambda x: swapped(x, LEGEND, r"\\bar\{c\}", r"\\bar{q}"),
    "a symbol changed in the formula": lambda x: swapped(x, r"^\$\$C_\{t\} =", r"\\bar\{c\}", r"\\bar{q}"),
    "one symbol for two things": lambda x: put(x, r"^::: legend", "$\\bar{c}_{i}$——第$i$层的平均胸径，单位为吨每公顷（t/hm²）；"),
    "a formula without number": lambda x: swapped(x, r"^\$\$C_\{t\} =", r" \{#eq:[\w-]+\}", ""),
    "a reference never cited": lambda x: put(x, "sec:references", "GB/T 99999　从未引用的文件"),
    "references out of order": lambda x: put(x, "sec:references", "LY/T 2　某规程", "GB/T 1　某规程"),
    "a definition with 是指": lambda x: put(x, r"\{\.term #sec:term", "是指某物。"),
    "a requirement in a definition": lambda x: put(x, r"\{\.term #sec:term", "某物，应每年测定。"),
    "a term never used": lambda x: put(x, r"\{\.term #sec:term", "## 某怪词　odd word {.term #sec:term-odd}", "某物。", before=True),
    "an empty cell": lambda x: swapped(x, r"^\| .* \| .* \|$", r"\| ([^|]+) \|$", "|  |"),
    "a number of a heading typed": lambda x: swapped(x, r"^# .*sec:monitoring\}|^# .*sec:sampling\}", "^# ", "# 9 "),
    "a hanging paragraph": lambda x: put(x, r"^# .*sec:monitoring\}|^# .*sec:sampling\}", "悬置的文字。"),
    "a table never cited": lambda x: put(x, r"#sec:boundary-area|#sec:general-levels", "| 甲 |", "| --- |", "| 乙 |", "", "Table: 表 {#tbl:odd}"),
    "a requirement in a note": lambda x: put(x, r"#sec:boundary-area|#sec:general-levels", "注：样地应复测。"),
    "an annex never cited": lambda x: [*x, "# 某附录 {.annex kind=normative #sec:annex-odd}", "", "文字。"],
}  # fmt: skip


def test_planted_faults_are_found(draft):
    """95 of 100, and less than one false finding a page: here none at all."""
    name, lines = draft
    sound = found_in(lines)
    assert sound == set(), name
    missed = []
    where = at(lines, "外业测定应记录|测定记录应包括|测定记录")
    for sentence in SENTENCES:
        mutant = [*lines[: where + 1], "", sentence, *lines[where + 1 :]]
        if not found_in(mutant, {where + 2}) - sound:
            missed.append(sentence)
    for fault, plant in STRUCTURE.items():
        mutant = plant(lines)
        assert mutant != lines, fault
        if not found_in(mutant) - sound:
            missed.append(fault)
    assert len(missed) <= 0.05 * (len(SENTENCES) + len(STRUCTURE)), missed


def test_what_is_counted_without_a_formula_is_found():
    data = description.read("methodology_afforestation").localised("zh")
    assert meaning.uncounted(data) == []
    pools = copy.deepcopy(data["pools"])
    pools[0]["counts"] = ["shrub"]
    del pools[4]["counts"]
    assert meaning.uncounted(data | {"pools": pools}) == ["林木地上和地下生物量", "土壤有机碳"]


# What people change in a document that comes back

#: Words before and after; the first piece that has them is changed.
EDITS = (
    ("不应", "应"),
    ("应按", "可按"),
    ("t/hm²", "kg/hm²"),
    ("吨每公顷", "千克每公顷"),
    ("前后两次", "最后一次"),
    ("固定样地", "临时样地"),
    ("土壤", "植被"),
    ("减去", "加上"),
    ("有机碳", "有机质"),
    ("IPCC 2019", "IPCC 2006"),
    ("每年", "每月"),
    ("缺省值", "实测值"),
)


def test_words_units_formulas_and_clauses_that_people_changed_are_found():
    drawn = description.read("methodology_cropland")
    wanted = expected(drawn, "zh")
    assert _compare(wanted, copy.deepcopy(wanted.pieces))[0] == []
    planted = 0
    for before, after in EDITS:
        pieces = copy.deepcopy(wanted.pieces)
        piece = next((p for p in pieces if before in p.text), None)
        if piece is None:
            continue
        planted += 1
        piece.text = piece.text.replace(before, after, 1)
        findings, _ = _compare(wanted, pieces)
        assert findings, (before, after)
        assert any(after[:2] in f.found or f.kind in ("altered", "removed", "deleted") for f in findings)
    assert planted >= 9
    pieces = copy.deepcopy(wanted.pieces)
    last = [p for p in pieces if p.row > 1][-1].caption
    rows = [p for p in pieces if p.row > 1 and p.caption == last]
    pieces.remove(rows[3])
    (finding,) = _compare(wanted, pieces)[0]
    assert finding.kind == "deleted"
    pieces = copy.deepcopy(wanted.pieces)
    formula = next(p for p in pieces if p.formulas and not p.row)
    formula.formulas = (formula.formulas[0].replace("=", "≠"), *formula.formulas[1:])
    assert [f.kind for f in _compare(wanted, pieces)[0]] == ["formula"]
    pieces = copy.deepcopy(wanted.pieces)
    first, second = [p for p in pieces if p.row > 1][:2]
    first.text, second.text = second.text, first.text
    assert _compare(wanted, pieces)[0]


def test_changed_words_are_shown_with_what_stands_around():
    ((now, before),) = changed_words("样地的标记不应使其受到影响", "样地的标记应使其受到影响")
    assert "不应" in before and "不应" not in now
    assert changed_words("胸径 5 cm", "胸径 6 cm") == []
    assert changed_words("胸径 5 cm", "胸径 5 mm") == [("胸径5 mm", "胸径5 cm")]
