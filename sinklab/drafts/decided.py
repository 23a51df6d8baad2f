"""Numbers that are not estimates: what the drafters decided, defaults of rules, constants of a definition."""

import csv
import re

from sinklab import paths
from sinklab.drafts import markdown, numbers
from sinklab.drafts.citations import RECALLED, Citations
from sinklab.errors import DraftError, listing
from sinklab.language import tr

#: Grounds of a decision, with the status that its number has in the list of numbers.
BASES = {"verified": "draft", "proposed": "draft", "recalled": RECALLED}
_WORDS = {
    "verified": {"zh": "已核对", "en": "checked in print"},
    "proposed": {"zh": "起草组建议", "en": "proposed by the drafters"},
    "recalled": {"zh": "凭记忆，待核实", "en": "recalled, unverified"},
}
_HEADS = {
    "decisions": {"zh": ["事项", "取值", "依据", "核对情况"], "en": ["Item", "Value", "Source", "Checked"]},
    "deductions": {
        "zh": ["相对不确定性 $u$", "扣减比例（占半宽）"],
        "en": ["Relative uncertainty $u$", "Share of the half-width deducted"],
    },
}
_SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class Decided:
    """Functions of a template for numbers of the description and of ``data/rules``.

    Parameters
    ----------
    description : Description
        Its ``decisions`` map names to ``value`` (a number or ``[low, high]``), ``unit``, ``label``,
        ``source`` and ``basis`` (verified, proposed or recalled).
    lang : "zh" or "en"
    citations : Citations
        Every number is noted there; recalled ones block a final rendering.

    Raises
    ------
    DraftError
        A decision lacks something; all faults at once.
    """

    def __init__(self, description, lang: str, citations: Citations):
        self._file = f"reports/drafts/{description.name}.yml"
        self._lang, self._citations = lang, citations
        self._decisions = description.localised(lang).get("decisions") or {}
        problems = list(_problems(self._decisions))
        if problems:
            raise DraftError(f"{self._file}:\n{listing(problems)}")

    def names(self) -> dict:
        """Names that a template may use."""
        offered = "stated decision decision_table default deduction_table fill".split()
        return {name: getattr(self, name) for name in offered}

    def stated(self, text: str, reason: str) -> str:
        """A number that belongs to a definition or rule, as it is typed; the reason is noted beside it."""
        return self._citations.add("template", "stated", reason, "value", None, text, "draft")

    def decision(self, name: str) -> str:
        """Value of a decision with its unit; a recalled one says so."""
        found = self._named(name)
        text = self._value(name)
        if found["basis"] != "recalled":
            return text
        said = _WORDS["recalled"][self._lang]
        return f"{text}（{said}）" if self._lang == "zh" else f"{text} ({said})"

    def decision_table(self, label: str, caption: str) -> str:
        """All decisions with source and ground."""
        rows = []
        for name, found in self._decisions.items():
            source, basis = markdown.escape(found["source"]), _WORDS[found["basis"]][self._lang]
            rows.append([markdown.escape(found["label"]), self._value(name), source, basis])
        return markdown.table(label, caption, _HEADS["decisions"][self._lang], rows, "lcll")

    def fill(self, text: str) -> str:
        """Text of the description whose ``{name}`` are decisions."""
        return _SLOT.sub(lambda slot: self.decision(slot[1]), text)

    def default(self, rule: str) -> str:
        """One default of ``data/rules/stock_defaults.csv``."""
        row = next((r for r in _rows("stock_defaults.csv") if r["rule_id"] == rule), None)
        if row is None:
            raise DraftError(
                tr(
                    f"no default {rule!r} in data/rules/stock_defaults.csv",
                    f"stock_defaults.csv 中没有 {rule!r}",
                )
            )
        return self._rule("stock_defaults.csv", row, "value", numbers.measured(float(row["value"])))

    def deduction_table(self, rule: str, label: str, caption: str) -> str:
        """Steps of a deduction that takes a share of the half-width, from ``data/rules/deductions.csv``."""
        steps = [
            r for r in _rows("deductions.csv") if r["rule_id"] == rule and r["form"] == "share_of_half_width"
        ]
        if not steps:
            raise DraftError(
                tr(
                    f"no stepped deduction {rule!r} in data/rules/deductions.csv",
                    f"deductions.csv 中没有分级扣减规则 {rule!r}",
                )
            )
        rows = [[self._step(row), self._percent(row, "amount")] for row in steps]
        return markdown.table(label, caption, _HEADS["deductions"][self._lang], rows, "cc")

    def _step(self, row) -> str:
        above, upto = self._percent(row, "above"), row["up_to"] and self._percent(row, "up_to")
        if not upto:
            return f"$u$＞{above}" if self._lang == "zh" else f"$u$ > {above}"
        if not float(row["above"]):
            return f"$u$≤{upto}" if self._lang == "zh" else f"$u$ ≤ {upto}"
        return f"{above}＜$u$≤{upto}" if self._lang == "zh" else f"{above} < $u$ ≤ {upto}"

    def _percent(self, row, column: str) -> str:
        text = _with_unit(f"{100 * float(row[column]):g}", "%", self._lang)
        return self._rule("deductions.csv", row, column, text)

    def _rule(self, file: str, row, column: str, text: str) -> str:
        status = RECALLED if row["status"] == "recalled" else "draft"
        name = row["rule_id"] + (f" {row['step']}" if "step" in row else "")
        return self._citations.add(
            f"data/rules/{file}", "rules", name, column, float(row[column]), text, status
        )

    def _named(self, name: str) -> dict:
        if name not in self._decisions:
            known = ", ".join(self._decisions) or "–"
            raise DraftError(
                tr(
                    f"{self._file}: no decision {name!r}; there are: {known}",
                    f"{self._file}：decisions 中没有 {name!r}；现有：{known}",
                )
            )
        return self._decisions[name]

    def _value(self, name: str) -> str:
        found = self._named(name)
        ends = found["value"] if isinstance(found["value"], list) else [found["value"]]
        shown = []
        for end in ends:
            text = _with_unit(numbers.measured(end), found.get("unit", ""), self._lang)
            status = BASES[found["basis"]]
            shown.append(self._citations.add(self._file, "decisions", name, "value", end, text, status))
        return ("～" if self._lang == "zh" else " to ").join(shown)


def _problems(decisions):
    if not isinstance(decisions, dict):
        yield tr(
            "decisions: expected names with value, unit, label, source, basis", "decisions：应为名称及其内容"
        )
        return
    for name, found in decisions.items():
        lacking = [key for key in ("value", "label", "source", "basis") if key not in (found or {})]
        if lacking:
            yield tr(
                f"decisions: {name}: no {', '.join(lacking)}", f"decisions：{name} 缺少 {'、'.join(lacking)}"
            )
        elif found["basis"] not in BASES:
            known = ", ".join(BASES)
            yield tr(
                f"decisions: {name}: basis {found['basis']!r}; expected one of {known}",
                f"decisions：{name} 的 basis 为 {found['basis']!r}；应为 {known} 之一",
            )
        elif not _is_value(found["value"]):
            yield tr(
                f"decisions: {name}: value {found['value']!r}; expected a number or [low, high]",
                f"decisions：{name} 的 value 为 {found['value']!r}；应为数值或 [下限, 上限]",
            )


def _is_value(value) -> bool:
    ends = value if isinstance(value, list) else [value]
    numeric = all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends)
    return numeric and len(ends) in (1, 2) and (len(ends) == 1 or ends[0] < ends[1])


def _with_unit(text: str, unit: str, lang: str) -> str:
    if not unit:
        return text
    gap = "" if unit == "%" and lang == "zh" else "\N{NO-BREAK SPACE}"
    return f"{text}{gap}{unit}"


def _rows(file: str) -> list[dict]:
    with open(paths.data("rules", file), encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))
