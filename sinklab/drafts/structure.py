"""Rules of drafting that look at the whole document: order, hanging paragraphs, what is never mentioned."""

from sinklab.drafts.outline import Heading, Outline

#: The clauses a standard begins with.
FIRST = ("sec:scope", "sec:references", "sec:terms")
#: Beginnings of the fixed sentences.
FIXED = {
    "sec:foreword": {
        "zh": ("本文件按照GB/T 1.1—2020《标准化工作导则",),
        "en": ("This document is drafted in accordance with the rules given in GB/T 1.1—2020",),
    },
    "sec:references": {
        "zh": ("下列文件中的内容通过文中的规范性引用而构成本文件必不可少的条款", "本文件没有规范性引用文件"),
        "en": ("The following documents are referred to in the text", "There are no normative references"),
    },
    "sec:terms": {
        "zh": ("下列术语和定义适用于本文件", "本文件没有需要界定的术语和定义"),
        "en": ("For the purposes of this document", "No terms and definitions are listed"),
    },
}
SCOPE = {"zh": ("本文件规定了", "本文件适用于"), "en": ("This document specifies", "applies to")}


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


def fixed(identifier: str):
    """Check that the clause of an identifier begins with its fixed sentence."""

    def look(drawn: Outline, lang: str):
        heading = _named(drawn, identifier)
        if heading is None or not drawn.standard():
            return
        text = _text(drawn, heading)
        if not text.startswith(FIXED[identifier][lang]):
            yield drawn.spots[heading.at], text[:24] or heading.title

    return look


def scope(drawn: Outline, lang: str):
    """The scope says what the document specifies, and where it applies."""
    heading = _named(drawn, "sec:scope")
    if heading is None or not drawn.standard():
        return
    text = _text(drawn, heading)
    for words in SCOPE[lang]:
        if words not in text:
            yield drawn.spots[heading.at], words


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


#: Check of each rule, by its id.
CHECKS = {
    "hanging_paragraph": hanging_paragraphs,
    "lone_clause": lone_clauses,
    "clause_order": clause_order,
    "fixed_foreword": fixed("sec:foreword"),
    "fixed_scope": scope,
    "fixed_references": fixed("sec:references"),
    "fixed_terms": fixed("sec:terms"),
    "uncited": uncited,
    "unresolved": unresolved,
    "annex_uncited": annexes_uncited,
    "no_legend": formulas_without_legend,
}
