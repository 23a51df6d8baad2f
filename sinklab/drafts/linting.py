"""The linter of drafts: wording, numbering, units and hand-typed numbers by the rules of GB/T 1.1, and the meaning.

Rules stand in ``data/rules/drafting.csv``, each with its source and whether it was read in print. A rule is either a
pattern of wording or a check of the whole outline, of its form here or of its meaning in :mod:`.meaning`.
"""

import re
from dataclasses import dataclass

from sinklab import paths
from sinklab.data.files import records
from sinklab.drafts import description, meaning, rendering
from sinklab.drafts.meaning import (
    Heading,
    MarkedDesk,
    Outline,
    Spot,
    lines,
    loader,
    taken_apart,
    typed_numbers,
)
from sinklab.language import reader_language, tr

#: Letters shown on either side of what was found.
CONTEXT = 12


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
        return self.meaning_zh if reader_language() == "zh" else self.meaning_en

    @property
    def suggestion(self) -> str:
        """What to do, in the language of the program."""
        return self.suggestion_zh if reader_language() == "zh" else self.suggestion_en


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
    return tuple(Rule(**row) for row in records("rules", "drafting.csv") if row["lang"] in (lang, "both"))


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

    Examples
    --------
    >>> try:
    ...     findings = sl.lint('methodology_grassland')
    ... except sl.SinklabError as error:
    ...     print(str(error).splitlines()[0])
    draft methodology_grassland, tables:
    """
    drawn = description.read(name)
    places: list = []
    desk = MarkedDesk(drawn, lang, paths.reports("drafts"))
    draft = drawn.localised(lang) | {"preview": drawn.preview}
    filled = rendering.write(desk, drawn.template, lang, draft, lambda inner: loader(inner, places))
    found = check(taken_apart(lines(filled, places)), lang)
    counted = next((rule for rule in rules(lang) if rule.rule_id == "uncounted"), None)
    own = paths.relative(description.path_of(name))
    found += [Finding(own, 1, counted, what) for what in meaning.uncounted(draft) if counted]
    sources = [
        (path, path.read_text(encoding="utf-8-sig").splitlines()) for path in description.files_of(name)
    ]
    return sorted(
        (f if f.rule is counted else _placed(f, sources) for f in found),
        key=lambda f: (f.file, f.line, f.rule.rule_id),
    )


def check(drawn: Outline, lang: str, wording: bool = False) -> list[Finding]:
    """Apply all rules to a draft that was taken apart; of a Word file only those of ``wording``."""
    found = []
    for rule in rules(lang):
        if wording and (not rule.pattern or rule.place in ("typed",) or rule.place.startswith("sec:")):
            continue
        look = _by_sentence if rule.place.startswith("sec:") else _by_pattern
        faults = look(rule, drawn) if rule.pattern else CHECKS[rule.rule_id](drawn, lang)
        found += [Finding(spot.line.file, spot.line.number, rule, what) for spot, what in faults]
    return list(dict.fromkeys(found))


def _by_pattern(rule: Rule, drawn: Outline):
    pattern = re.compile(rule.pattern)
    for spot in drawn.spots:
        if _concerned(rule.place, spot):
            prose = spot.typed if rule.place == "typed" else spot.prose
            for match in pattern.finditer(prose):
                yield spot, _shown(prose, match)


def _by_sentence(rule: Rule, drawn: Outline):
    """A clause of a standard that lacks its fixed sentence; the place of the rule is the clause."""
    heading = _named(drawn, rule.place)
    if heading is None or not drawn.standard():
        return
    text = _text(drawn, heading)
    if not re.search(rule.pattern, text):
        # A sentence that may stand anywhere is named, one that begins the clause is shown as it begins.
        begins = rule.pattern.startswith("^")
        yield drawn.spots[heading.at], (text[:24] or heading.title) if begins else rule.pattern


def _concerned(place: str, spot: Spot) -> bool:
    if spot.kind in ("blank", "fence", "formula", "statusnote") or spot.part == "cover":
        return False
    if place in ("foreword", "scope"):
        return spot.part == place
    if place == "clause":
        return spot.part in ("scope", "body", "annex") and spot.kind != "heading"
    if place in ("note", "heading"):
        return spot.kind == place
    return place == "all" or spot.kind != "heading"


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


# Rules that look at the whole outline: order, hanging paragraphs, what is never mentioned, what was typed

#: The clauses a standard begins with.
FIRST = ("sec:scope", "sec:references", "sec:terms")
_HAND_NUMBERED = re.compile(
    r"^(?:\d+(?:\.\d+)*[.、\s]|第[一二三四五六七八九十\d]+[章节]|附录\s*[A-H]|[一二三四五六七八九十]+、)"
)


def hanging_paragraphs(drawn: Outline, lang: str):
    """Text between a heading and the heading of its first subclause; the lead of the terms is allowed."""
    for heading, following in _pairs(drawn):
        if following is None or following.level <= heading.level or "term" in following.classes:
            continue
        text = [spot for spot in drawn.between(heading, following) if spot.kind not in ("blank", "fence")]
        if text:
            yield text[0], text[0].line.text.strip()[:24]


def lone_clauses(drawn: Outline, lang: str):
    """A clause with a single subclause."""
    headings = drawn.body()
    for at, heading in enumerate(headings):
        inside = []
        for other in headings[at + 1 :]:
            if other.level <= heading.level:
                break
            if other.level == heading.level + 1:
                inside.append(other)
        if len(inside) == 1 and "term" not in inside[0].classes:
            yield drawn.spots[inside[0].at], inside[0].title


def clause_order(drawn: Outline, lang: str):
    """Scope, references and terms first, in this order."""
    first = [h for h in drawn.body() if h.level == 1][:3]
    if drawn.standard() and first and tuple(h.identifier for h in first) != FIRST:
        yield drawn.spots[first[0].at], ", ".join(h.title for h in first)


def uncited(drawn: Outline, lang: str):
    """Tables and figures that the text never mentions."""
    cited = drawn.cited()
    for identifier, spot in drawn.defined().items():
        if identifier.startswith(("tbl:", "fig:")) and identifier not in cited:
            yield spot, identifier


def unresolved(drawn: Outline, lang: str):
    """References to what is nowhere defined."""
    defined = drawn.defined()
    for spot in drawn.spots:
        for identifier in Outline((spot,), ()).cited():
            if identifier not in defined:
                yield spot, f"@{identifier}"


def annexes_uncited(drawn: Outline, lang: str):
    """Annexes of which neither they nor what stands in them is mentioned outside."""
    headings = drawn.body()
    for heading in headings:
        if "annex" not in heading.classes:
            continue
        end = next((h for h in headings if h.at > heading.at and h.level == 1), None)
        inside = drawn.between(heading, end)
        here = {heading.identifier, *Outline(inside, ()).defined()}
        outside = [s for s in drawn.spots if s not in set(inside)]
        if not here & Outline(tuple(outside), ()).cited():
            yield drawn.spots[heading.at], heading.title


def formulas_without_legend(drawn: Outline, lang: str):
    """A clause with numbered formulas and no explanation of symbols."""
    for heading, following in _pairs(drawn):
        inside = drawn.between(heading, following)
        numbered = [spot for spot in inside if spot.kind == "formula" and "{#eq:" in spot.line.text]
        if numbered and not any(spot.kind == "legend" for spot in inside):
            yield numbered[0], numbered[0].line.text.partition("{#")[2].rstrip("}")


def _pairs(drawn: Outline):
    headings = drawn.headings
    return zip(headings, [*headings[1:], None], strict=True)


def _named(drawn: Outline, identifier: str) -> Heading | None:
    return next((h for h in drawn.headings if h.identifier == identifier), None)


def _text(drawn: Outline, heading: Heading) -> str:
    following = next((h for h in drawn.headings if h.at > heading.at), None)
    kept = (spot.line.text.strip() for spot in drawn.between(heading, following) if spot.kind != "blank")
    return "\n".join(kept)


def hand_typed(drawn: Outline, lang: str):
    """Numbers in the text that a drafter typed."""
    for spot in drawn.spots:
        silent = spot.kind in ("heading", "fence", "formula", "statusnote")
        if spot.part in ("scope", "body", "annex") and not silent:
            yield from ((spot, number) for number in typed_numbers(spot.typed))


def hand_numbered(drawn: Outline, lang: str):
    """Headings whose number was typed."""
    for heading in drawn.headings:
        if _HAND_NUMBERED.match(heading.title):
            yield drawn.spots[heading.at], heading.title


#: Check of each rule, by its id.
CHECKS = {
    "typed_number": hand_typed,
    "typed_numbering": hand_numbered,
    "hanging_paragraph": hanging_paragraphs,
    "lone_clause": lone_clauses,
    "clause_order": clause_order,
    "uncited": uncited,
    "unresolved": unresolved,
    "annex_uncited": annexes_uncited,
    "no_legend": formulas_without_legend,
    "uncounted": lambda drawn, lang: (),
    **meaning.CHECKS,
}
