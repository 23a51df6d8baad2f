"""What a template can ask for: numbers, equations, tables and figures, all fetched from parameter tables.

:class:`Desk` answers the template. :class:`Citations` notes which numbers it printed, from which table, and
whether they are good enough to be printed; :class:`Decided` has the numbers that are not estimates: what the
drafters decided, defaults of rules, constants of a definition.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sinklab.data import open_data, vocabulary
from sinklab.data.files import records
from sinklab.drafts import blocks, clauses
from sinklab.drafts.description import Description
from sinklab.language import DraftError, SinklabError, TableError, listing, speaking, tr
from sinklab.results import indices
from sinklab.results.calibration import pedigree
from sinklab.results.summary import values_sentence
from sinklab.tables.package import printed_source
from sinklab.tables.schema import STATUSES, readable, subject_label
from sinklab.tables.table import Table

#: Status of a number that nobody read in print: weaker than all that tables know.
RECALLED = "recalled"
_ORDER = (RECALLED, *STATUSES)


@dataclass(frozen=True)
class Citation:
    """One printed number: the table, the file and name in it, the number, how it was printed, its status."""

    table: str
    file: str
    name: str
    column: str
    value: float | str
    printed: str
    status: str


class Citations:
    """All numbers that a draft prints, in the order of the text."""

    def __init__(self):
        self.entries: list[Citation] = []

    def add(self, table: str, file: str, name: str, column: str, value, printed: str, status: str) -> str:
        """Note a number and return how it is printed."""
        self.entries.append(Citation(table, file, name, column, value, printed, status))
        return printed

    def frame(self):
        """One row for each printed number, repetitions left out."""
        rows = [astuple(entry) for entry in dict.fromkeys(self.entries)]
        return pd.DataFrame(rows, columns=[field.name for field in fields(Citation)])

    def weaker_than(self, minimum: str) -> list[str]:
        """One line for each table with numbers whose status is below ``minimum``: which numbers they are."""
        found: dict[tuple, list] = {}
        for entry in self.entries:
            if _ORDER.index(entry.status) < _ORDER.index(minimum):
                names = found.setdefault((entry.table, entry.status), [])
                label = f"{entry.file}:{entry.name}"
                if label not in names:
                    names.append(label)
        return [f"{table} ({status}): {_shortened(names)}" for (table, status), names in found.items()]

    def statuses(self) -> set[str]:
        """Statuses of all printed numbers."""
        return {entry.status for entry in self.entries}

    def require(self, minimum: str, name: str) -> None:
        """Refuse a final rendering that prints numbers whose status is not good enough.

        Raises
        ------
        DraftError
            Lists them by table.
        """
        weak = self.weaker_than(minimum)
        if weak:
            raise DraftError(
                f"draft {name}: a final rendering needs numbers of status {minimum} or better; these are not:\n"
                f"{listing(weak)}\nRender with --preview (watermarked), or name tables that may be cited.",
                f"文稿 {name}：正式稿所引数值的状态不得低于 {minimum}；以下数值不符合：\n"
                f"{listing(weak)}\n请用 --preview 生成带水印的示范稿，或改引符合要求的参数表。",
            )


def _shortened(names, limit: int = 40) -> str:
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" … +{rest}" if rest > 0 else "")


#: Grounds of a decision, with the status that its number has in the list of numbers.
BASES = {"verified": "reviewed", "proposed": "reviewed", "recalled": RECALLED}
_WORDS = {
    "verified": {"zh": "已核对", "en": "verified in print"},
    "proposed": {"zh": "起草组建议", "en": "proposed by the drafters"},
    "recalled": {"zh": "凭记忆，待核实", "en": "recalled, to be verified"},
}
_HEADS = {
    "decisions": {"zh": ["事项", "取值"], "en": ["Item", "Value"]},
    "grounds": {
        "zh": ["事项", "取值", "依据", "核对情况"],
        "en": ["Item", "Value", "Source", "Verification"],
    },
    "deductions": {
        "zh": ["相对不确定性 $U$", "扣减比例（占半宽）"],
        "en": ["Relative uncertainty $U$", "Share of the half-width deducted"],
    },
}
#: Names that templates may use.
DECIDED = "stated decision decision_table default deduction_table fill recalled".split()
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
        #: Decisions that were printed, in the order of the text.
        self.used: dict[str, None] = {}
        problems = list(_problems(self._decisions))
        if problems:
            raise DraftError(f"{self._file}:\n{listing(problems)}")

    def names(self) -> dict:
        """Names that a template may use."""
        return {name: getattr(self, name) for name in DECIDED}

    def stated(self, text: str, reason: str) -> str:
        """A number that belongs to a definition or rule, as it is typed; the reason is noted beside it."""
        return self._citations.add("template", "stated", reason, "value", None, text, "reviewed")

    def decision(self, name: str) -> str:
        """Value of a decision with its unit; where it comes from is told by the explanation of drafting."""
        self.used.setdefault(name)
        return self._value(name)

    def shares(self) -> dict[str, float]:
        """Decisions in per cent as shares, those in square metres as hectares."""
        found, scale = self._decisions.items(), {"%": 100, "m²": 10_000, "hm²": 1}
        return {
            n: d["value"] / scale[d["unit"]]
            for n, d in found
            if d.get("unit") in scale and not isinstance(d["value"], list)
        }

    def decision_table(self, label: str, caption: str, grounds: bool = False) -> str:
        """Decisions that the text uses, with source and ground in the explanation of drafting."""
        rows = []
        for name, found in self._decisions.items():
            if name not in self.used:
                continue
            row = [blocks.escape(found["label"]), self._value(name)]
            if grounds:
                row += [blocks.escape(found["source"]), _WORDS[found["basis"]][self._lang]]
            rows.append(row)
        head = _HEADS["grounds" if grounds else "decisions"][self._lang]
        return blocks.table(label, caption, head, rows, "lcll"[: len(head)])

    def recalled(self) -> bool:
        """Whether a decision that the text uses is recalled and not read."""
        return any(self._decisions[name]["basis"] == "recalled" for name in self.used)

    def fill(self, text: str) -> str:
        """Text of the description whose ``{name}`` are decisions."""
        return _SLOT.sub(lambda slot: self.decision(slot[1]), text)

    def default(self, rule: str) -> str:
        """One default of ``data/rules/stock_defaults.csv``."""
        row = next((r for r in records("rules", "stock_defaults.csv") if r["rule_id"] == rule), None)
        if row is None:
            file = "stock_defaults.csv"
            raise DraftError(f"no default {rule!r} in data/rules/{file}", f"{file} 中没有 {rule!r}")
        return self._rule("stock_defaults.csv", row, "value", blocks.measured(float(row["value"])))

    def deduction_table(self, rule: str, label: str, caption: str) -> str:
        """Steps of a deduction that takes a share of the half-width, from ``data/rules/deductions.csv``."""
        steps = [
            r
            for r in records("rules", "deductions.csv")
            if r["rule_id"] == rule and r["form"] == "share_of_half_width"
        ]
        if not steps:
            en, zh = f"no stepped deduction {rule!r} in data/rules/", f" 中没有分级扣减规则 {rule!r}"
            raise DraftError(f"{en}deductions.csv", f"deductions.csv{zh}")
        rows = [[self._step(row), self._percent(row, "amount")] for row in steps]
        return blocks.table(label, caption, _HEADS["deductions"][self._lang], rows, "cc")

    def _step(self, row) -> str:
        above, upto = self._percent(row, "above"), row["up_to"] and self._percent(row, "up_to")
        if not upto:
            step = f"$U$ > {above}"
        else:
            step = f"{above} < $U$ ≤ {upto}" if float(row["above"]) else f"$U$ ≤ {upto}"
        # Signs of Chinese text are wide and need no spaces.
        return step.translate(str.maketrans("<>", "＜＞", " ")) if self._lang == "zh" else step

    def _percent(self, row, column: str) -> str:
        text = _with_unit(f"{100 * float(row[column]):g}", "%", self._lang)
        return self._rule("deductions.csv", row, column, text)

    def _rule(self, file: str, row, column: str, text: str) -> str:
        status = RECALLED if row["status"] == "recalled" else "reviewed"
        name = row["rule_id"] + (f" {row['step']}" if "step" in row else "")
        return self._citations.add(
            f"data/rules/{file}", "rules", name, column, float(row[column]), text, status
        )

    def _named(self, name: str) -> dict:
        if name not in self._decisions:
            file, known = self._file, ", ".join(self._decisions) or "–"
            en, zh = f"no decision {name!r}; there are: {known}", f"decisions 中没有 {name!r}；现有：{known}"
            raise DraftError(f"{file}: {en}", f"{file}：{zh}")
        return self._decisions[name]

    def _value(self, name: str) -> str:
        found = self._named(name)
        ends = found["value"] if isinstance(found["value"], list) else [found["value"]]
        shown = []
        for end in ends:
            text = _with_unit(blocks.measured(end), found.get("unit", ""), self._lang)
            status = BASES[found["basis"]]
            shown.append(self._citations.add(self._file, "decisions", name, "value", end, text, status))
        return blocks.between(*shown, self._lang) if len(shown) > 1 else shown[0]


def _problems(decisions):
    if not isinstance(decisions, dict):
        en = "expected names with value, unit, label, source, basis"
        yield tr(f"decisions: {en}", "decisions：应为名称及其内容")
        return
    for name, found in decisions.items():
        lacking = [key for key in ("value", "label", "source", "basis") if key not in (found or {})]
        if lacking:
            en, zh = f"no {', '.join(lacking)}", f"缺少 {'、'.join(lacking)}"
        elif found["basis"] not in BASES:
            basis, known = found["basis"], ", ".join(BASES)
            en, zh = f"basis {basis!r}; expected one of {known}", f"的 basis 为 {basis!r}；应为 {known} 之一"
        elif not _is_value(found["value"]):
            value = found["value"]
            en = f"value {value!r}; expected a number or [low, high]"
            zh = f"的 value 为 {value!r}；应为数值或 [下限, 上限]"
        else:
            continue
        yield tr(f"decisions: {name}: {en}", f"decisions：{name} {zh}")


def _powers(text: str) -> str:
    """Numbers of programs as they are printed: ``-1e-08`` is −1×10⁻⁸."""
    minus = blocks.MINUS
    text = re.sub(r"(\d)e([+-]?)0*(\d+)", lambda m: f"{m[1]}×10^{minus if m[2] == '-' else ''}{m[3]}^", text)
    return re.sub(r"(?<![\w.)])-(?=\d)", minus, text)


def _is_value(value) -> bool:
    ends = value if isinstance(value, list) else [value]
    numeric = all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends)
    return numeric and len(ends) in (1, 2) and (len(ends) == 1 or ends[0] < ends[1])


def _with_unit(text: str, unit: str, lang: str) -> str:
    if not unit:
        return text
    unit = unit.removesuffix("s") if text == "1" and lang == "en" else unit
    # Chinese measure words and, in Chinese, the sign of per cent stand close.
    gap = "" if (unit == "%" and lang == "zh") or unit[0] > "\u2e80" else "\N{NO-BREAK SPACE}"
    return f"{text}{gap}{unit}"


#: Names of the desk that templates may use.
OFFERED = (
    "has_table has responses ranges parts value number n n_sites has_sites chosen limits equation equations legend index_formulas "
    "correlation_refs values_table figure species label sources table_list status_note range_notes ratio_equation has_n has_trees class_table "
    "largest_class "
    "has_taxa taxa_table culm_table sampling_table compatible whole_first segmented segment begins_at "
    "model_aliases model_title model_refs model_equations model_words model_use has_chain chain_part design_table record_table monitored_table "
    "settled_table factor_table bibliography source_marks document_mark designed worked_example check_rows checks_of explained "
    "correlated site_values"
).split()
#: Tables of a fit that templates ask for by alias, label and caption.
TABLES = {
    "index_table": blocks.indices,
    "range_table": blocks.ranges,
    "residual_table": blocks.residuals,
    "site_table": blocks.sites,
    "residual_correlations": clauses.residual_correlations,
    "parameter_table": clauses.parameters,
    "correlation_tables": clauses.correlations,
    "sample_table": blocks.samples,
}


class Desk:
    """Functions of a template; an ``alias`` is a word that the description gives to a table.

    Parameters
    ----------
    description : Description
    lang : "zh" or "en"
    folder : Path
        Where figures are drawn.
    """

    def __init__(self, description: Description, lang: str, folder: Path):
        self._description, self._lang, self._folder = description, lang, Path(folder)
        self._tables = _read_tables(description)
        self.citations = Citations()
        self._decided = Decided(description, lang, self.citations)
        self._draft = description.localised(lang)
        self.chain = clauses.of_draft(description.data)
        problems = self.chain.problems() if self.chain else ()
        if problems:
            said = tr(f"draft {description.name}, chain:", f"文稿 {description.name} 的计算链：")
            raise DraftError(f"{said}\n{listing(problems)}")
        self._printed_in: dict[str, list[str]] = {}
        self._trees_read: dict[str, Any] = {}
        #: Parts of the chain in the order in which the template asked for them.
        self._parts: list[str] = []

    def names(self) -> dict:
        """Names that a template may use."""
        tables = {name: partial(self._table, write) for name, write in TABLES.items()}
        return {name: getattr(self, name) for name in OFFERED} | tables | self._decided.names()

    # What there is

    @property
    def ecosystem(self) -> str:
        """Ecosystem of the models that are cited, "" where they are of several: its words are spoken."""
        found = {t.ecosystem for t in self._tables.values() if "models" in t.frames}
        return found.pop() if len(found) == 1 else ""

    def has_table(self, alias: str) -> bool:
        """Whether the description names a table of this alias."""
        return alias in self._tables

    def has(self, alias: str, response: str) -> bool:
        """Whether a table has an equation for a response."""
        return self.has_table(alias) and response in self._fit(alias).system.responses

    def responses(self, alias: str) -> list[str]:
        """Responses of a table, in the order of its equations."""
        return list(self._fit(alias).system.responses)

    def ranges(self, alias: str) -> list[str]:
        """Predictors whose fitted span a table gives."""
        return list(self._fit(alias).ranges)

    def parts(self, alias: str, response: str) -> list[str]:
        """Left sides that an equation is made of, such as the components of a total."""
        system = self._fit(alias).system
        at = blocks.line(system, response, self._tables[alias].ref)
        inside = blocks.inside(system.equations[at])
        return [r for r in system.responses if r in inside]

    # Numbers

    def value(self, ref: str, name: str, column: str = "value") -> str:
        """One number of a table, with the digits that its standard error supports.

        Parameters
        ----------
        ref : str
            Alias, or a table as ``id@version``.
        name : str
            A coefficient or scalar value, with its group in brackets when it has one.
        column : str
            ``value``, ``se``, ``lower``, ``upper``, ``q025`` …
        """
        table = self._tables.get(ref) or Table.read(ref)
        number, status = table.value(name, column), table.value(name, "status")
        if isinstance(number, str):
            return blocks.escape(number)
        text = blocks.with_error(table.value(name), table.value(name, "se"), number)[2]
        file = "coefficients" if "coefficients" in table.frames else "values"
        return self.citations.add(table.ref, file, name, column, number, text, status)

    def number(self, alias: str, response: str, index: str) -> str:
        """One index of fit of a response."""
        table, ref = self._fit(alias).index_table, self._tables[alias].ref
        if response not in table.index or index not in table:
            raise DraftError(
                f"{ref}: no index {index} of {response}", f"{ref}：没有 {response} 的指标 {index}"
            )
        value = table.loc[response, index]
        text = f"{int(value)}" if index == "n" else blocks.index_text(index, value)
        return self._cite(alias)("indices", response, index, value, text)

    def n(self, alias: str, response: str | None = None) -> str:
        """Number of trees behind a response, or of all that the fit used; of a pooled model the largest number of a response."""
        counts, used = self._fit(alias).n, self._fit(alias).source.get("n_used")
        if response is None and used and self.has_n(alias):
            return self._cite(alias)("provenance", "data", "n_used", used, f"{used}")
        response = response or max(counts, key=counts.get)
        return self._cite(alias)("equations", response, "n", counts[response], f"{counts[response]}")

    def has_n(self, alias: str) -> bool:
        """Whether a model rests on trees that were counted, and was not pooled from published equations."""
        fit = self._fit(alias)
        return fit.method != "pooled" and any(fit.n.values())

    def has_sites(self, alias: str) -> bool:
        """Whether the spread between the sites (or plots, studies) that were sampled is known."""
        return self._fit(alias).between is not None

    def n_sites(self, alias: str) -> str:
        """Number of sites that were sampled."""
        between = self._fit(alias).between
        return self._cite(alias)("between", between.column, "n", between.n, f"{between.n}")

    def chosen(self, alias: str) -> str:
        """How the places behind a model were chosen, which says whom its numbers speak for."""
        row = pedigree(self._fit(alias).source.get("population"))[1]["selection"]
        return row[f"meaning_{self._lang}"]

    def begins_at(self, alias: str, predictor: str) -> float:
        """Smallest value of a predictor behind a model."""
        return float(self._fit(alias).ranges[predictor][0])

    def limits(self, alias: str, predictor: str) -> str:
        """Fitted span of a predictor with its unit: ``1.5 cm～41.2 cm``."""
        cite, unit = self._cite(alias), blocks.unit_symbol(vocabulary.variable(predictor).unit, self._lang)
        ends = self._fit(alias).ranges[predictor]
        low, high = (
            cite("ranges", predictor, column, bound, text) + f"\N{NO-BREAK SPACE}{unit}"
            for column, bound, text in zip(("minimum", "maximum"), ends, blocks.alike(*ends), strict=True)
        )
        return blocks.between(low, high, self._lang)

    def range_notes(self) -> list[str]:
        """Sentences about predictors that are to be used outside their fitted span, by ``use`` of the description."""
        told = [*(self._draft.get("models") or ()), *(self._draft.get("parameters") or ())]
        titles, found = {one.get("alias"): one["title"] for one in told if one.get("title")}, []
        for alias, spans in (self._description.data.get("use") or {}).items():
            for predictor, (low, high) in spans.items():
                smallest, largest = self._fit(alias).ranges[predictor]
                if low < smallest or high > largest:
                    wanted = blocks.span(predictor, low, high, self._lang)
                    about = blocks.title(predictor, self._lang), wanted, self.limits(alias, predictor)
                    found.append(blocks.outside_note(*about, self._lang, titles.get(alias, "")))
        return found

    # Equations

    def equation(self, alias: str, response: str) -> str:
        """One numbered equation, cited as ``[@eq:alias-response]``."""
        ref = self._named(alias).ref
        return blocks.numbered(self._fit(alias).system, alias, response, ref, self._lang)

    def compatible(self, alias: str) -> bool:
        """Whether the components of a model are shares of its aboveground biomass; see :func:`.clauses.compatible`."""
        return clauses.compatible(self._fit(alias).system)

    def whole_first(self, alias: str, responses) -> str:
        """Numbered equations of a compatible model, the total before its parts; see :func:`.clauses.whole_first`."""
        system = self._fit(alias).system
        lines = ((clauses.whole_first(system, r, self._lang), blocks.identifier(alias, r)) for r in responses)
        return "\n".join(blocks.displayed(*line) for line in lines)

    def segmented(self, alias: str) -> bool:
        """Whether the equations of a model change at some diameter."""
        return clauses.segments(self._fit(alias).system) is not None

    def segment(self, alias: str) -> str:
        """Diameter at which they do."""
        at = clauses.segments(self._fit(alias).system)
        return self._cite(alias)("equations", "segment", "dbh", at, f"{at:g}") + "\N{NO-BREAK SPACE}cm"

    def ratio_equation(self, alias: str, top: str, bottom: str, symbol: str, label: str) -> str:
        """A numbered ratio of two responses as a function of the predictors; see :func:`.clauses.ratio`."""
        return blocks.displayed(
            clauses.ratio(self._fit(alias).system, top, bottom, symbol, self._lang), label
        )

    def equations(self, alias: str, responses=None) -> str:
        """Several numbered equations, all by default."""
        return "\n".join(self.equation(alias, r) for r in responses or self.responses(alias))

    def legend(self, alias: str, responses=None, skip=(), parameters: str | None = None, also=()) -> str:
        """Explain the symbols of equations; see :func:`sinklab.drafts.blocks.legend`."""
        system = self._fit(alias).system
        return blocks.legend(system, responses or system.responses, skip, parameters, self._lang, also)

    # What a final rendering asks for

    def check_rows(self) -> list[dict]:
        """Checks of the tables: table, message, value, threshold, whether passed, and why a failed one is accepted."""
        accepted, found = self._draft.get("accepted") or {}, []
        for table in self._tables.values():
            frame = table.frames.get("checks")
            for row in frame.to_dict("records") if frame is not None else ():
                reason = accepted.get(row["check_id"]) or accepted.get(f"{row['check_id']}:{row['response']}")
                passed = {"true": "yes", "false": "no"}.get(str(row["passed"]).lower(), "open")
                said = row[f"message_{self._lang}"]
                of = str(row["response"]) if row["response"] == row["response"] else ""
                if vocabulary.is_variable(of):
                    said = f"{blocks.title(of, self._lang)}: {said}"
                elif of and passed != "yes":
                    # Which of the values of a table failed.
                    labels = self._description.localised(self._lang).get("labels")
                    words = subject_label(of, self._lang, labels)
                    said = f"{words[:1].upper()}{words[1:]}: {said}"
                what = readable(said.replace(": ", "：", 1) if self._lang == "zh" else said, self._lang)
                value = (
                    _powers(f"{row['value']:.{blocks.PLAIN_DIGITS}g}") if blocks.exists(row["value"]) else "—"
                )
                threshold = row["threshold"] if blocks.exists(row["threshold"]) else math.nan
                limit = _powers(indices.bound(row["comparison"], threshold, self._lang)) or "—"
                what = blocks.escape(what).replace(" %", "\N{NO-BREAK SPACE}%")
                told = {"ref": table.ref, "what": what, "value": value, "limit": limit}
                found.append(told | {"passed": passed, "reason": reason or "", "check": row["check_id"]})
        return found

    def checks_of(self, ref: str) -> list[dict]:
        """Checks of one table for readers: values that passed one and the same check share a row."""
        alike: dict[tuple, list[dict]] = {}
        for row in self.check_rows():
            if row["ref"] == ref:
                alike.setdefault((row["what"], row["limit"], row["passed"], row["reason"]), []).append(row)
        words = "{}个值" if self._lang == "zh" else "{} values"
        return [
            rows[0] | ({"value": words.format(len(rows))} if len(rows) > 1 else {}) for rows in alike.values()
        ]

    def open_checks(self) -> list[str]:
        """Checks that failed or were not evaluated, and that nobody accepted with a reason.

        What the gate of tables refused is not in the table and is printed by no draft.
        """
        rows = [
            r
            for r in self.check_rows()
            if r["passed"] != "yes" and not r["reason"] and r["check"] != "refused"
        ]
        return [f"{r['ref']}: {r['check']}: {r['what']} ({r['value']} / {r['limit']})" for r in rows]

    def unsourced(self) -> list[str]:
        """Tables that name no source, or one whose title is not known."""
        lacking = re.compile(r"title not (shown|seen)|未显示|^\s*$")
        return [
            t.ref
            for t in self._tables.values()
            if not t.sources or any(lacking.search(str(s.get("citation") or s["title"])) for s in t.sources)
        ]

    def explained(self) -> list[dict]:
        """Opinions received and what was made of them, as the description lists them."""
        return self._draft.get("opinions") or []

    # Models

    def model_aliases(self) -> list[str]:
        """Tables of models among the parameters of a methodology."""
        return [p["alias"] for p in self._draft.get("parameters") or () if p["kind"] == "model"]

    def model_title(self, alias: str) -> str:
        """What a methodology calls a model."""
        return next(p["title"] for p in self._draft["parameters"] if p.get("alias") == alias)

    def model_refs(self, alias: str) -> str:
        """Citations of the equations of a model, as :meth:`model_equations` prints them."""
        return blocks.cited(f"eq:{label}" for label, _ in self._model(alias))

    def model_equations(self, alias: str) -> str:
        """Equations of a model with their legend: volume, total, components as shares, roots where it is compatible."""
        system = self._fit(alias).system
        also = ["bcf"] if clauses.compatible(system) and "volume" in system.responses else ()
        said = "\n".join(blocks.displayed(text, label) for label, text in self._model(alias))
        return said + self.legend(alias, parameters=f"{alias}-parameters", also=also)

    def _model(self, alias: str) -> list[tuple[str, str]]:
        """Identifier and LaTeX of each equation of a model, in the order of calculation."""
        system, lang = self._fit(alias).system, self._lang
        if not clauses.compatible(system):
            shown = zip(system.responses, system.latex(lang), strict=True)
            return [(blocks.identifier(alias, r), text) for r, text in shown]
        found, plain = [], dict(zip(system.responses, system.latex(lang), strict=True))
        for response in ("volume", "agb", *self.parts(alias, "agb"), "root"):
            if response in plain:
                # The ratio of roots has a symbol of its own in standards of species; in a chain it is that of stands.
                text = plain[response] if response == "root" else clauses.whole_first(system, response, lang)
                found.append((blocks.identifier(alias, response), text))
            if response == "agb" and "volume" in plain:
                text = clauses.ratio(system, "agb", "volume", vocabulary.variable("bcf").latex, lang)
                found.append((blocks.identifier(alias, "bcf"), text))
        return found

    def model_use(self, alias: str) -> str:
        """What a model is for, where the description says so."""
        said = next(p for p in self._draft["parameters"] if p.get("alias") == alias).get("use", "")
        return f" {said}" if said and self._lang == "en" else said

    def model_words(self, alias: str) -> str:
        """Sentences about structure, estimation and weights of a model, from its table."""
        return blocks.told(self._fit(alias), self._lang)

    # The chain of a methodology

    def has_chain(self, module: str) -> bool:
        """Whether the chain of the draft has equations of a module."""
        return self.chain is not None and bool(self.chain.of(module))

    def chain_part(self, part: str) -> str:
        """Clauses of a part of the chain with their equations and legends."""
        self._parts.append(part)
        # Legends send the reader to the table of decisions, which may stand before that of the parameters.
        for symbol in self.chain.wanted("fixed"):
            if symbol.factor.startswith("decision:"):
                self._decided.used.setdefault(symbol.factor.partition(":")[2])
        return clauses.part(self.chain, part, self._lang)

    def design_table(self, label: str, caption: str) -> str:
        """Designs of plots, quadrats and soil samples of the pools that are counted."""
        return clauses.designs(self.chain, self._lang, self._decided.fill, label, caption)

    def record_table(self, label: str, caption: str) -> str:
        """What is recorded in the field, by pool."""
        return clauses.field_records(self.chain, self._lang, label, caption)

    def monitored_table(self, label: str, caption: str) -> str:
        """Data that the chain measures."""
        return clauses.monitored(self.chain, self._lang, label, caption)

    def settled_table(self, label: str, caption: str) -> str:
        """Parameters of the chain that are settled beforehand."""
        return clauses.settled(self.chain, self._lang, self._decided.decision, label, caption)

    def factor_table(self, label: str, caption: str) -> str:
        """Default factors of the chain, and those that the description lists by type."""
        return clauses.factors(self.chain, self.citations.add, self._lang, label, caption, self._more())

    def _more(self) -> list[tuple[str, str]]:
        """Symbol and factor of the rows that the description lists."""
        told = (self._draft.get("chain") or {}).get("listed") or ()
        return [(pair["symbol"], pair["factor"]) for pair in told]

    def bibliography(self) -> list[str]:
        """Documents that default factors and the deduction come from, one line each, and sources of values that stand above."""
        return (clauses.citations(self.chain, self._more()) if self.chain else []) + self._printed()

    def _printed(self) -> list[str]:
        # Models bring no sources into the bibliography: the text cites none of theirs.
        return self.sources(self._printed_in)

    def source_marks(self) -> str:
        """Numbers in the bibliography of what the values that stand above come from; "" where none do."""
        first = len(clauses.editions(self.chain, self._more()))
        marks = [rf"\[{first + i}\]" for i, _ in enumerate(self._printed(), start=1)]
        marks = marks if len(marks) < 3 else [blocks.between(marks[0], marks[-1], self._lang)]
        return blocks.listed(marks, self._lang)

    def document_mark(self, edition: str) -> str:
        """Number of a document in the bibliography, in square brackets."""
        return rf"\[{clauses.editions(self.chain, self._more()).index(edition) + 1}\]"

    def designed(self) -> str:
        """Title of the table of designs."""
        return clauses.designed(self.chain, self._lang)

    def worked_example(self) -> str:
        """The chain worked out on the numbers of the example."""
        parts = dict.fromkeys([*self._parts, *clauses.PARTS])
        return clauses.worked_example(
            self.chain, self.citations.add, self._lang, parts, self._decided.shares()
        )

    # Tables

    def correlated(self, alias: str) -> bool:
        """Whether the residuals of one tree are correlated between equations."""
        fit = self._fit(alias)
        return len(fit.residual) > 1 and bool((fit.correlation.to_numpy() != np.eye(len(fit.residual))).any())

    def site_values(self, alias: str, response: str) -> dict[str, str]:
        """Spread between sites and the interval of a new one, in per cent, of one response."""
        sd, *ends = blocks.site_texts(self._cite(alias), self._fit(alias), response)
        unit = "%" if self._lang == "zh" else "\N{NO-BREAK SPACE}%"
        return {"sd": sd + unit, "span": blocks.between(*(end + unit for end in ends), self._lang)}

    def has_trees(self, alias: str) -> bool:
        """Whether the trees of a model are at hand, unchanged, with their diameters."""
        data = self._trees(alias)
        return data is not None and "dbh" in data

    def class_table(self, alias: str, label: str, caption: str, design: str = "ten_classes") -> str:
        """Sample and accuracy by diameter class; see :func:`.clauses.classes`."""
        fit = self._fit(alias)
        return clauses.classes(self._cite(alias), fit, self._lang, label, caption, self._trees(alias), design)

    def largest_class(self, alias: str, design: str = "ten_classes") -> dict:
        """Smallest diameter, trees and total relative error of the largest diameter class; empty where the error is none to tell of."""
        return clauses.largest(self._cite(alias), self._fit(alias), self._lang, self._trees(alias), design)

    def culm_table(self, alias: str, label: str, caption: str, design: str) -> str:
        """Mass of a culm by diameter class and age class; see :func:`.clauses.culms`."""
        fit = self._fit(alias)
        return clauses.culms(self._cite(alias), fit, self._lang, label, caption, self._trees(alias), design)

    def sampling_table(self, label: str, caption: str, design: str) -> str:
        """Classes of a sampling design with the numbers to be measured in each; see ``data/rules/sampling_design.csv``."""
        return clauses.sampled(self.citations.add, self._lang, label, caption, design, RECALLED)

    def has_taxa(self, alias: str) -> bool:
        """Whether the trees of a model are at hand and are of several species of known countries."""
        data = self._trees(alias)
        return data is not None and {"species", "country"} <= {*data} and data["species"].nunique() > 1

    def taxa_table(self, alias: str, label: str, caption: str) -> str:
        """Sample by species; see :func:`.clauses.taxa`."""
        fit = self._fit(alias)
        return clauses.taxa(self._cite(alias), fit, self._lang, label, caption, self._trees(alias))

    def index_formulas(self) -> list:
        """Name, LaTeX, meaning and symbol of the six indices."""
        return blocks.index_formulas(self._lang)

    def correlation_refs(self, alias: str, label: str) -> str:
        """References to all parts of ``correlation_tables``."""
        count = len(blocks.matrix_parts(len(self._fit(alias).parameters)))
        return blocks.cited(f"tbl:{label}-{i + 1}" for i in range(count))

    def values_table(
        self,
        alias: str,
        label: str,
        caption: str,
        name: str = "",
        group: str | Sequence[str] = "",
        organs: Sequence[str] = (),
    ) -> str:
        """Scalar values: those of a name, those whose group contains ``group`` or one of them, and of organs those that ``organs`` names as variables."""
        table = self._named(alias)
        frame = table.values
        frame = frame[frame["name"].eq(name) | frame["variable"].eq(name)] if name else frame
        wanted = [group] if isinstance(group, str) else group
        frame = frame[[any(one in known for one in wanted) for known in frame["group"]]] if group else frame
        if organs:
            known = {c.component_id for c in vocabulary.components().values() if c.variable in organs}
            named = frame["group"].str.extract("component=([a-z_]+)")[0]
            frame = frame[named.isna() | named.isin(known)]
        printed = [part.strip() for cell in frame["sources"] for part in str(cell).split(";")]
        self._printed_in.setdefault(table.ref, []).extend(printed)
        labels = self._description.localised(self._lang).get("labels")
        with speaking(self._lang):
            # Values of one place speak for it alone, which the note on their ranges says.
            here = frame.get("of_whom", pd.Series(dtype=str)).isin(("unit_here", "site_here")).all()
            told = [] if here else [values_sentence(frame, table.provenance.data, with_score=False)]
        return blocks.values(self._cite(alias), frame, self._lang, label, caption, table.ref, labels, told)

    # Figures

    def figure(self, alias: str, response: str, label: str, caption: str) -> str:
        """Fitted curve with both intervals and, where the trees are at hand and unchanged, the trees."""
        from sinklab import plots

        fit = self._fit(alias)
        data = self._trees(alias)
        file = f"{blocks.identifier(label)}.png"
        # The caption names the figure.
        drawn = plots.fit_figure(fit, response, data, self._lang, caption=False)
        plots.save(drawn, self._folder / file)
        if data is None and fit.method != "pooled":
            caption += "（未绘样木）" if self._lang == "zh" else " (trees not drawn)"
        return f"\n![{caption}]({file}){{#fig:{label} width=10cm}}\n"

    # Words

    def species(self, key: str) -> str:
        """Name of a species with its Latin name."""
        return blocks.species(key, self._lang)

    def label(self, name: str) -> str:
        """Label of a variable."""
        return vocabulary.label(name, self._lang)

    def sources(self, refs=None) -> list[str]:
        """Where the numbers come from, one line each; of printed values, those that stand above. ``refs`` are tables to look at."""
        cited = []
        for table in (t for t in self._tables.values() if refs is None or t.ref in refs):
            used = self._printed_in.get(table.ref)
            wanted = [s for s in table.sources if used is None or s["title"] in used]
            cited += [printed_source(s, self._lang) for s in wanted]
        return list(dict.fromkeys(map(blocks.escape, cited)))

    def table_list(self) -> list[dict]:
        """Reference, title and status of every table."""
        title = "title_zh" if self._lang == "zh" else "title"
        return [
            {"ref": t.ref, "title": blocks.escape(getattr(t, title)), "status": t.status}
            for t in self._tables.values()
        ]

    def status_note(self) -> str:
        """Warning of a preview: the tables whose numbers are simulated; nothing when none are."""
        # The note says itself what a title adds in parentheses.
        told = [t["title"] for t in self.table_list() if t["status"] == "demonstration"]
        titles = [re.sub(r"\s*[（(][^（(]*[)）]$", "", title) for title in told]
        text = blocks.demonstration_note(titles, self._lang)
        return f"\n::: statusnote\n{text}\n:::\n" if titles else ""

    # Behind the functions

    def _named(self, alias: str) -> Table:
        if alias not in self._tables:
            name, known = self._description.name, ", ".join(self._tables)
            raise DraftError(
                f"draft {name}: no table is called {alias!r} there; there are: {known}",
                f"文稿 {name}：未定义名为 {alias!r} 的参数表；现有：{known}",
            )
        return self._tables[alias]

    def _fit(self, alias: str):
        return self._named(alias).model()

    def _trees(self, alias: str):
        """Observations of a model, read once for all that is made of them; see :func:`trees_of`."""
        if alias not in self._trees_read:
            fit = self._fit(alias)
            found = trees_of(fit)
            if found is not None:
                # What lacks a predictor, or all that is modelled, is not of the sample.
                weighed = found[[r for r in fit.system.free if r in found]].notna().any(axis=1)
                found = found[found[list(fit.system.predictors)].notna().all(axis=1) & weighed]
            self._trees_read[alias] = found
        return self._trees_read[alias]

    def _cite(self, alias: str):
        table = self._named(alias)

        def cite(file, name, column, value, printed, status=table.status) -> str:
            return self.citations.add(table.ref, file, name, column, value, printed, status)

        return cite

    def _table(self, write, alias, label, caption) -> str:
        return write(self._cite(alias), self._fit(alias), self._lang, label, caption)


def trees_of(fit):
    """Observations that a model was fitted to, if they are at hand and still the same files.

    ``fit.source`` says where they are and what they hashed to; a base without the open data gets None and
    can render every draft.
    """
    if fit.data is not None:
        return fit.data
    spec = fit.source.get("spec")
    if not spec:
        return None
    try:
        data = open_data.load(spec, fit.source.get("where") or {})
    except SinklabError:
        return None
    same = data.attrs["source"].get("files") == fit.source.get("files")
    # A notebook may have fitted what it worked out from these files, such as a ratio of two columns.
    return data if same and {*fit.system.free, *fit.system.predictors} <= set(data) else None


def _read_tables(description) -> dict[str, Table]:
    found, problems = {}, []
    for alias, ref in description.tables.items():
        try:
            found[alias] = Table.read(ref)
        except TableError as error:
            problems.append(f"{alias}: {error}")
    if problems:
        said = tr(f"draft {description.name}, tables:", f"文稿 {description.name} 的参数表：")
        raise DraftError(f"{said}\n{listing(problems)}")
    return found
