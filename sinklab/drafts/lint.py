"""The linter of drafts: wording, numbering, units and hand-typed numbers by the rules of GB/T 1.1.

Rules stand in ``data/rules/drafting.csv``, each with its source and whether it was read in print.
"""

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sinklab import paths
from sinklab.drafts import description, structure, text
from sinklab.drafts.marked import MarkedDesk, lines, loader
from sinklab.drafts.outline import Outline, Spot, outline
from sinklab.language import language, tr

#: Letters shown on either side of what was found.
CONTEXT = 12
#: Numbers that belong to names: standards, methodologies, dates, formulas of substances, identifiers of papers.
_NAMES = re.compile(
    r"(?<![A-Za-z])(?:GB|LY|DB\d*|NY|HJ|TD|SL|HY|QX|ISO|IEC|T)(?:/[A-Z]+)*\s*[\dX]+(?:\.\d+)*(?:[-—:][\dX]+)*"
    r"|(?<![A-Za-z])[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+|(?<![A-Za-z])[A-Z]{2,}\d+(?![A-Za-z0-9])"
    r"|(?:CO|CH|N)~?[24]~?O?(?![a-z0-9])"
    r"|doi:?\s*10\.\S+|(?<!\d)10\.\d{4,}/\S+|\d{4}-\d{2}(?:-\d{2})?|(?<!\d)\d{4}\s*年(?:\s*\d+\s*月)?"
)
_NUMBER = re.compile(r"(?<![A-Za-z0-9_.~^])[−-]?\d+(?:\.\d+)?\s*(?:%|‰|[a-zA-Z²³/·]+|[\u4e00-\u9fff])?")
_MARKER = re.compile(r"^\s*(?:\d+[.)]|[a-z]\))\s")
_HAND_NUMBERED = re.compile(
    r"^(?:\d+(?:\.\d+)*[.、\s]|第[一二三四五六七八九十\d]+[章节]|附录\s*[A-H]|[一二三四五六七八九十]+、)"
)


@dataclass(frozen=True)
class Rule:
    """One rule of drafting; ``status`` is verified, recalled or house rule."""

    rule_id: str
    lang: str
    place: str
    pattern: str
    clause: str
    source: str
    status: str
    meaning_en: str
    meaning_zh: str
    suggestion_en: str
    suggestion_zh: str

    @property
    def meaning(self) -> str:
        """What the rule asks for, in the language of the program."""
        return self.meaning_zh if language() == "zh" else self.meaning_en

    @property
    def suggestion(self) -> str:
        """What to do, in the language of the program."""
        return self.suggestion_zh if language() == "zh" else self.suggestion_en


@dataclass(frozen=True)
class Finding:
    """One place that breaks a rule."""

    file: str
    line: int
    rule: Rule
    found: str

    def __str__(self) -> str:
        """One line: where, which rule, what was found, what to do, where the rule comes from."""
        origin = f"GB/T 1.1 {self.rule.clause}".strip() if self.rule.clause else self.rule.source
        status = {"verified": "", "recalled": tr(", recalled", "，凭记忆"), "house rule": ""}[
            self.rule.status
        ]
        what = tr(
            f"“{self.found}”: {self.rule.meaning}; {self.rule.suggestion}",
            f"“{self.found}”：{self.rule.meaning}；{self.rule.suggestion}",
        )
        return f"{self.file}:{self.line}: {self.rule.rule_id}: {what} [{origin}{status}]"


def rules(lang: str) -> tuple[Rule, ...]:
    """Rules that hold for drafts in a language."""
    return tuple(
        rule for rule in _all_rules(paths.data("rules", "drafting.csv")) if rule.lang in (lang, "both")
    )


@lru_cache
def _all_rules(path: Path) -> tuple[Rule, ...]:
    with open(path, encoding="utf-8-sig", newline="") as stream:
        return tuple(Rule(**row) for row in csv.DictReader(stream))


def lint(name: str, lang: str = "zh") -> list[Finding]:
    """Check a draft of ``reports/drafts/<name>.yml``.

    The template is filled in from its tables, so that only what would be printed is judged; nothing is
    drawn and nothing is written.

    Parameters
    ----------
    name : str
    lang : "zh" or "en"

    Returns
    -------
    findings : list of Finding
        By file and line; a fault in the text of the description names the description.

    Raises
    ------
    DraftError
        The draft cannot be filled in.
    """
    drawn = description.read(name)
    places: list = []
    desk = MarkedDesk(drawn, lang, paths.reports("drafts"))
    draft = drawn.localised(lang) | {"preview": drawn.preview}
    filled = text.write(desk, drawn.template, lang, draft, lambda inner: loader(inner, places))
    found = check(outline(lines(filled, places)), lang)
    sources = [
        (path, path.read_text(encoding="utf-8-sig").splitlines()) for path in description.files_of(name)
    ]
    return sorted((_placed(f, sources) for f in found), key=lambda f: (f.file, f.line, f.rule.rule_id))


def check(drawn: Outline, lang: str) -> list[Finding]:
    """Apply all rules to a draft that was taken apart."""
    found = []
    for rule in rules(lang):
        if rule.pattern:
            look = _by_pattern
        else:
            look = {"typed_number": _typed_numbers, "typed_numbering": _typed_numbering}.get(rule.rule_id)
        faults = look(rule, drawn) if look else structure.CHECKS[rule.rule_id](drawn, lang)
        found += [Finding(spot.line.file, spot.line.number, rule, what) for spot, what in faults]
    return list(dict.fromkeys(found))


def _by_pattern(rule: Rule, drawn: Outline):
    pattern = re.compile(rule.pattern)
    for spot in drawn.spots:
        if _concerned(rule.place, spot):
            prose = spot.typed if rule.place == "typed" else spot.prose
            for match in pattern.finditer(prose):
                yield spot, _shown(prose, match)


def _concerned(place: str, spot: Spot) -> bool:
    if spot.kind in ("blank", "fence", "formula", "statusnote") or spot.part == "cover":
        return False
    if place in ("foreword", "scope"):
        return spot.part == place
    if place in ("note", "heading"):
        return spot.kind == place
    return place == "all" or spot.kind != "heading"


def _typed_numbers(rule: Rule, drawn: Outline):
    for spot in drawn.spots:
        if spot.part not in ("scope", "body", "annex") or spot.kind in (
            "heading",
            "fence",
            "formula",
            "statusnote",
        ):
            continue
        prose = _NAMES.sub("", _MARKER.sub("", spot.typed))
        for match in _NUMBER.finditer(prose):
            yield spot, match[0].strip()


def _typed_numbering(rule: Rule, drawn: Outline):
    for heading in drawn.headings:
        if _HAND_NUMBERED.match(heading.title):
            yield drawn.spots[heading.at], heading.title


def _shown(prose: str, match) -> str:
    around = prose[max(match.start() - CONTEXT, 0) : match.end() + CONTEXT]
    return re.sub(r"[\ue000-\ue0ff]", "…", around).strip()


def _placed(finding: Finding, sources) -> Finding:
    """Name the description when the words stand there, and the path of the template when not."""
    core = max(finding.found.strip("…").split("…"), key=len)
    for path, words in sources:
        for number, line in enumerate(words, start=1):
            if len(core) > 1 and core in line and not line.lstrip().startswith("#"):
                return Finding(paths.relative(path), number, finding.rule, finding.found)
    return Finding(f"reports/templates/{finding.file}", finding.line, finding.rule, finding.found)
