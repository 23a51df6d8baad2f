"""Every number of a draft against the tables it cites, also in a draft that came back edited.

The draft is rendered anew, in memory, from its description and the tables that the document names;
each number of the document is then held against the number that stands in its place.

========== =================================================================================
kind       what it says of a number
========== =================================================================================
altered    another number than the table gives
typed      a number that comes from no table: typed into the document, or into its template
removed    a number of a table that is no longer printed
formula    a formula that is not the one of the table
stale      a table of which a newer version exists, or not the one the description names
unknown    a table that is not there
========== =================================================================================
"""

import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from sinklab.drafts import description
from sinklab.drafts.description import Description
from sinklab.errors import DraftError, SinklabError
from sinklab.language import LANGUAGES, tr
from sinklab.review.alignment import align, align_numbers
from sinklab.review.draft_findings import Finding
from sinklab.review.expected import Expected, citations, expected, read
from sinklab.review.number_tokens import TABLE, numbers
from sinklab.review.word_file import WordFile
from sinklab.review.word_text import Piece, pieces
from sinklab.tables import store


@dataclass(frozen=True)
class DraftCheck:
    """What was found in a document.

    ``n_cited`` counts the numbers that the tables give for it, ``n_agreed`` those that stand there as
    the tables have them; ``links`` are places outside that the document would load.
    """

    document: str
    draft: str
    lang: str
    tables: tuple[str, ...]
    n_cited: int
    n_agreed: int
    findings: tuple[Finding, ...]
    links: tuple[str, ...]

    @property
    def agreed(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def frame(self):
        """Findings as a table."""
        import pandas as pd

        return pd.DataFrame([asdict(f) for f in self.findings], columns=[f.name for f in fields(Finding)])

    def to_json(self) -> dict:
        """Plain types."""
        return asdict(self) | {"agreed": self.agreed}


def check_draft(document, name: str | None = None, lang: str | None = None) -> DraftCheck:
    """Check the numbers of a draft.

    Parameters
    ----------
    document : path
        A DOCX, as rendered or as it came back.
    name, lang : str, optional
        Draft of ``reports/drafts`` and its language; from the name and the text of the file when
        left out.

    Returns
    -------
    check : DraftCheck

    Raises
    ------
    DraftError
        The document must not be opened, or it is not known which draft it is.
    """
    file = WordFile(document)
    here = [p for p in pieces(file) if read(p)]
    drawn = description.read(name or _name(file.name, here))
    lang = lang or _language(file.name, here)
    cited = _cited(here)
    tables, findings = _tables(drawn, cited)
    wanted = expected(drawn, lang, tables)
    findings += _newer(drawn, lang, tables, wanted, cited)
    told, agreed = _compare(wanted, here)
    refs = tuple(tables.values())
    return DraftCheck(
        file.name, drawn.name, lang, refs, len(wanted.cited), agreed, (*findings, *told), tuple(file.links())
    )


def _name(file_name: str, here) -> str:
    """Draft that a document is: by the name of the file, else by the title in it."""
    known = description.names()
    by_file = [n for n in known if Path(file_name).name.startswith(f"{n}.") or Path(file_name).stem == n]
    if by_file:
        return max(by_file, key=len)
    text = {re.sub(r"\s", "", p.shown) for p in here}
    found = []
    for candidate in known:
        try:
            titles = description.read(candidate).data["title"].values()
        except DraftError:
            continue
        if any(re.sub(r"\s", "", str(title)) in text for title in titles):
            found.append(candidate)
    if len(found) == 1:
        return found[0]
    raise DraftError(
        tr(
            f"{file_name}: it is not known which draft this is; say --draft NAME, one of: {', '.join(known) or '–'}",
            f"{file_name}：无法判断是哪份文稿；请用 --draft 指明，可选：{'、'.join(known) or '无'}",
        )
    )


def _language(file_name, here) -> str:
    named = [lang for lang in LANGUAGES if f".{lang}." in file_name]
    if named:
        return named[0]
    letters = "".join(p.text for p in here)
    chinese = sum("\u4e00" <= letter <= "\u9fff" for letter in letters)
    return "zh" if chinese > 0.2 * len(letters) else "en"


def _cited(here) -> dict[str, Piece]:
    """Tables that a document names, with the piece that names each first."""
    found = {}
    for piece in here:
        for match in TABLE.finditer(piece.shown):
            found.setdefault(match.group(), piece)
    return found


def _tables(drawn: Description, cited) -> tuple[dict[str, str], list[Finding]]:
    """Tables to hold a document against: the versions it names, where they exist."""
    tables, findings = dict(drawn.tables), []
    by_id = {ref.partition("@")[0]: alias for alias, ref in tables.items()}
    for ref, piece in cited.items():
        alias = by_id.get(ref.partition("@")[0])
        try:
            store.resolve(ref)
        except SinklabError as error:
            findings.append(_finding("unknown", piece, ref, str(error), table=ref))
            continue
        if alias is None:
            findings.append(
                _finding(
                    "unknown", piece, ref, tr("the draft has no such table", "该文稿未引用此表"), table=ref
                )
            )
        elif ref != drawn.tables[alias]:
            named = drawn.tables[alias]
            said = tr(f"the description of the draft names {named}", f"文稿说明中为 {named}")
            findings.append(_finding("stale", piece, ref, said, table=ref))
            tables[alias] = ref
    return tables, findings


def _newer(drawn, lang, tables, wanted: Expected, cited) -> list[Finding]:
    """Tables of which there is a newer version, and how many of the printed numbers it changes."""
    latest = {alias: _latest(ref) for alias, ref in tables.items()}
    if latest == tables:
        return []
    newest = {tables[alias]: ref for alias, ref in latest.items()}
    try:
        then = {(c.table, c.file, c.name, c.column): c.printed for c in citations(drawn, lang, latest)}
    except SinklabError:
        # The newer table is laid out in another way, so that this draft cannot be made from it.
        then = None
    findings = []
    for old, new in newest.items():
        if old == new:
            continue
        now = {(new, c.file, c.name, c.column): c.printed for c in wanted.citations if c.table == old}
        said = tr(f"{new} exists", f"已有 {new}")
        if then is not None:
            moved = sum(then.get(key) != printed for key, printed in now.items())
            said += tr(
                f" and prints {moved} of {len(now)} numbers differently",
                f"，{len(now)} 个数值中 {moved} 个不同",
            )
        findings.append(_finding("stale", cited.get(old), old, said, table=old))
    return findings


def _latest(ref: str) -> str:
    folder = store.resolve(ref).parent
    return f"{ref.partition('@')[0]}@{store.versions(folder)[-1]}"


def _finding(kind, piece, found="", wanted="", citation=None, table="") -> Finding:
    place = (piece.number, piece.heading, piece.caption, piece.row) if piece else (0, "", "", 0)
    cell = (
        (citation.table, citation.file, citation.name, citation.column) if citation else (table, "", "", "")
    )
    text, authors = (piece.shown[:200], ", ".join(piece.changes)) if piece else ("", "")
    return Finding(kind, *place, found, wanted, *cell, text, authors)


def _compare(wanted: Expected, here) -> tuple[list[Finding], int]:
    findings, agreed = [], 0
    positions = {id(piece): i for i, piece in enumerate(wanted.pieces)}
    last = None
    for old, new in align(wanted.pieces, here):
        last = new or last
        told, same = _piece(wanted, positions.get(id(old), -1), old, new, last)
        findings += told
        agreed += same
    return findings, agreed


def _piece(wanted: Expected, position, old, new, last) -> tuple[list[Finding], int]:
    """Compare one piece; what is gone is reported at the piece before it."""
    findings, agreed = [], 0
    order = {token: k for k, token in enumerate(numbers(old.text))} if old else {}
    for a, b in align_numbers(old.text if old else "", new.text if new else ""):
        place = (position, order[a]) if a else None
        citation = wanted.cited.get(place)
        if citation and b and a.plain == b.plain:
            agreed += 1
        elif citation and b:
            findings.append(_finding("altered", new, b.text, a.text, citation))
        elif citation:
            findings.append(_finding("removed", new or last, "", a.text, citation))
        elif b and (a is None or a.plain != b.plain or place in wanted.untraced):
            findings.append(_finding("typed", new, b.text))
    before, after = old.formulas if old else (), new.formulas if new else ()
    if [_one_spelling(f) for f in before] != [_one_spelling(f) for f in after]:
        findings.append(_finding("formula", new or last, " ; ".join(after), " ; ".join(before)))
    return findings, agreed


def _one_spelling(formula: str) -> str:
    return re.sub(r"[\s\u200b\u2009\u2061\u2062]", "", formula).replace("\N{MINUS SIGN}", "-")
