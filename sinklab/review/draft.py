"""Every number and word of a draft against the tables and the text it was made from, also in one that came back edited.

The draft is rendered anew, in memory, from its description and the tables that the document names;
each number and each word of the document is then held against what stands in its place: units, labels of rows, a 不
that is gone. A row or paragraph that is gone is told once, not by each of its numbers.

========== =================================================================================
kind       what it says of a number
========== =================================================================================
altered    another number than the table gives
typed      a number that comes from no table: typed into the document, or into its template
removed    a number of a table that is no longer printed
formula    a formula that is not the one of the table
wording    words, units or labels that are not those of the rendered text
deleted    a paragraph or row that is gone
inserted   a paragraph or row that the rendered text has not
stale      a table of which a newer version exists, or not the one the description names
unknown    a table that is not there
========== =================================================================================
"""

import re
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import SequenceMatcher
from pathlib import Path

import pandas as pd

from sinklab import paths
from sinklab.drafts import description, linting, rendering
from sinklab.drafts.description import Description
from sinklab.drafts.desk import Citation, Desk
from sinklab.drafts.meaning import TABLE, Line, masked, read_numbers, taken_apart, words
from sinklab.drafts.rendering import Look, convert
from sinklab.language import LANGUAGES, DraftError, SinklabError, tr
from sinklab.review.word import CELL, Piece, WordFile, likeness, pieces
from sinklab.tables import table

KINDS = {
    "altered": ("altered number", "数值被改动"),
    "typed": ("hand-typed number", "手工键入"),
    "removed": ("number left out", "数值缺失"),
    "formula": ("formula", "公式不符"),
    "wording": ("changed wording", "文字被改动"),
    "deleted": ("deleted", "被删除"),
    "inserted": ("inserted", "新增"),
    "stale": ("stale table", "表版本过时"),
    "unknown": ("unknown table", "找不到表"),
}


@dataclass(frozen=True)
class Finding:
    """One fault: what it is, where it stands, what was found and expected, and the number of the table.

    ``paragraph`` counts from 1; ``caption`` and ``row`` are those of a table of the document; ``author``
    is that of a tracked change there.
    """

    kind: str
    paragraph: int
    heading: str
    caption: str
    row: int
    found: str
    expected: str
    table: str
    file: str
    name: str
    column: str
    text: str
    author: str

    def line(self) -> str:
        """The finding in one line, for a person."""
        place = tr(f"paragraph {self.paragraph}", f"第 {self.paragraph} 段") if self.paragraph else ""
        row = tr(f"{self.caption}, row {self.row}", f"{self.caption}，第 {self.row} 行")
        source = ": ".join(filter(None, (self.table, self.file, self.name, self.column)))
        said = {
            "altered": tr(
                f"{self.found}; the table gives {self.expected}", f"{self.found}；表中为 {self.expected}"
            ),
            "typed": tr(f"{self.found} comes from no table", f"{self.found} 不来自任何参数表"),
            "removed": tr(f"{self.expected} is no longer printed", f"{self.expected} 已不在文中"),
            "formula": tr(
                f"{self.found or '–'}; expected {self.expected or '–'}",
                f"{self.found or '无'}；应为 {self.expected or '无'}",
            ),
            "wording": tr(f"“{self.found}”; was “{self.expected}”", f"“{self.found}”；原为“{self.expected}”"),
            "deleted": f"“{self.expected}”",
            "inserted": f"“{self.found}”",
            "stale": tr(f"{self.found}; {self.expected}", f"{self.found}；{self.expected}"),
            "unknown": tr(f"{self.found}: {self.expected}", f"{self.found}：{self.expected}"),
        }[self.kind]
        by = tr(f" (changed by {self.author})", f"（修改者：{self.author}）") if self.author else ""
        where = ", ".join(filter(None, (place, row if self.row else self.heading)))
        return f"{tr(*KINDS[self.kind])}: {where}: {said}" + (f" [{source}]" if source else "") + by


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
        return pd.DataFrame([asdict(f) for f in self.findings], columns=[f.name for f in fields(Finding)])

    def to_json(self) -> dict:
        """Plain types."""
        return asdict(self) | {"agreed": self.agreed}


@dataclass
class Expected:
    """A draft as its tables have it.

    ``cited`` gives the citation behind a number by position of the piece and of the number in it;
    ``untraced`` are positions of numbers that the template or the description holds by itself.
    """

    pieces: list[Piece]
    citations: list[Citation]
    cited: dict[tuple[int, int], Citation] = field(default_factory=dict)
    untraced: set[tuple[int, int]] = field(default_factory=set)


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
    # Tables that the document names, with the piece that names each first; those it was made from are properties.
    cited: dict[str, Piece | None] = dict.fromkeys(
        m.group() for m in TABLE.finditer(file.property("keywords"))
    )
    for piece in here:
        for match in TABLE.finditer(piece.shown):
            cited[match.group()] = cited.get(match.group()) or piece
    tables, findings = _tables(drawn, cited)
    wanted = expected(drawn, lang, tables)
    findings += _newer(drawn, lang, tables, wanted, cited)
    told, agreed = _compare(wanted, here)
    refs, count = tuple(tables.values()), len(wanted.cited)
    return DraftCheck(
        file.name, drawn.name, lang, refs, count, agreed, (*findings, *told), tuple(file.links())
    )


def lint_document(document, lang: str | None = None) -> list[linting.Finding]:
    """Wording of a Word file by the rules of drafting, whoever edited it; see :func:`sinklab.drafts.linting.lint`.

    Returns
    -------
    findings : list of Finding
        ``line`` is the number of the paragraph.

    Raises
    ------
    DraftError
        The document must not be opened.
    """
    file = WordFile(document)
    here = [p for p in pieces(file) if read(p)]
    told = []
    for piece in here:
        text, style = piece.shown, piece.style.casefold()
        if re.fullmatch(r"heading [1-3]|annex.*|term", style):
            text = f"{'#' * (int(style[-1]) if style[-1].isdigit() else 2)} {text}"
        elif piece.row:
            text = "| " + " | ".join(piece.text.split(CELL)) + " |"
        told.append(Line(file.name, piece.number, text, text))
    return linting.check(taken_apart(told), lang or _language(file.name, here), wording=True)


def read(piece: Piece) -> bool:
    """Whether a piece is read for numbers: not when it is empty or a line of the contents."""
    return bool(piece.text.strip()) and not piece.style.lower().startswith(("toc", "contents"))


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
        f"{file_name}: it is not known which draft this is; say --draft NAME, one of: {', '.join(known) or '–'}",
        f"{file_name}：无法判断是哪份文稿；请用 --draft 指明，可选：{'、'.join(known) or '无'}",
    )


def _language(file_name, here) -> str:
    named = [lang for lang in LANGUAGES if f".{lang}." in file_name]
    if named:
        return named[0]
    letters = "".join(p.text for p in here)
    chinese = sum("\u4e00" <= letter <= "\u9fff" for letter in letters)
    return "zh" if chinese > 0.2 * len(letters) else "en"


def _tables(drawn: Description, cited) -> tuple[dict[str, str], list[Finding]]:
    """Tables to hold a document against: the versions it names, where they exist."""
    tables, findings = dict(drawn.tables), []
    by_id = {ref.partition("@")[0]: alias for alias, ref in tables.items()}
    for ref, piece in cited.items():
        alias = by_id.get(ref.partition("@")[0])
        try:
            table.resolve(ref)
        except SinklabError as error:
            findings.append(_finding("unknown", piece, ref, str(error), table=ref))
            continue
        if alias is None:
            said = tr("the draft has no such table", "该文稿未引用此表")
            findings.append(_finding("unknown", piece, ref, said, table=ref))
        elif ref != drawn.tables[alias]:
            named = drawn.tables[alias]
            said = tr(f"the description of the draft names {named}", f"文稿说明中为 {named}")
            findings.append(_finding("stale", piece, ref, said, table=ref))
            tables[alias] = ref
    return tables, findings


def _newer(drawn, lang, tables, wanted: Expected, cited) -> list[Finding]:
    """Tables of which there is a newer version, and how many of the printed numbers it changes."""
    latest = {
        alias: f"{ref.partition('@')[0]}@{table.versions(table.resolve(ref).parent)[-1]}"
        for alias, ref in tables.items()
    }
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
    if new is None:
        return [_finding("deleted", last, "", old.shown[:80])], 0
    if old is None and not read_numbers(new.text):
        return [_finding("inserted", new, new.shown[:80])], 0
    order = {token: k for k, token in enumerate(read_numbers(old.text))} if old else {}
    for a, b in align_numbers(old.text if old else "", new.text if new else ""):
        place = (position, order[a]) if a else None
        citation = wanted.cited.get(place)
        if citation and b and a.plain == b.plain:
            agreed += 1
        elif citation and b:
            findings.append(_finding("altered", new, b.text, a.text, citation))
        elif citation:
            findings.append(_finding("removed", new, "", a.text, citation))
        elif b and (a is None or a.plain != b.plain or place in wanted.untraced):
            findings.append(_finding("typed", new, b.text))
    if old:
        findings += [_finding("wording", new, *change) for change in changed_words(old.text, new.text)]
    before, after = old.formulas if old else (), new.formulas if new else ()
    if [_one_spelling(f) for f in before] != [_one_spelling(f) for f in after]:
        findings.append(_finding("formula", new, " ; ".join(after), " ; ".join(before)))
    return findings, agreed


#: Letters shown on either side of changed words.
_AROUND = 6


def changed_words(old: str, new: str) -> list[tuple[str, str]]:
    """Words of a text that are others now, as ``(now, before)`` with what stands around them; numbers are not looked at."""
    a, b = (words(TABLE.sub("@", text)) for text in (old, new))
    found = []
    matcher = SequenceMatcher(None, [w for w, _ in a], [w for w, _ in b], autojunk=False)
    for what, i, i_end, j, j_end in matcher.get_opcodes():
        if what == "equal" or "#" in {w for w, _ in [*a[i:i_end], *b[j:j_end]]}:
            continue
        shown = [
            _joined(side[max(start - _AROUND, 0) : end + _AROUND])
            for side, start, end in ((b, j, j_end), (a, i, i_end))
        ]
        found.append((shown[0], shown[1]))
    return found


def _joined(side) -> str:
    """Words with a blank between two of Latin letters."""
    text = " ".join(token.text if token else word for word, token in side)
    return re.sub(r"(?<=[^A-Za-z0-9]) | (?=[^A-Za-z0-9])", "", text).replace(CELL, " | ")


def _one_spelling(formula: str) -> str:
    return re.sub(r"[\s\u200b\u2009\u2061\u2062]", "", formula).replace("\N{MINUS SIGN}", "-")


# What the draft ought to say

#: A picture of one white point: the numbers of a draft do not stand in its figures.
_POINT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010100000000376ef924"
    "0000000a49444154789c6368000000820081dd436af40000000049454e44ae426082"
)


class _Desk(Desk):
    """A desk that draws no figures, and remembers wording that comes from tables as it stands."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.wording: list[str] = []

    def figure(self, alias, response, label, caption):
        name = f"{label}.png".replace(":", "-")
        (self._folder / name).write_bytes(_POINT)
        return f"\n![{caption}]({name}){{#fig:{label} width=10cm}}\n"

    def sources(self, refs=None):
        lines = super().sources(refs)
        self.wording += lines
        return lines

    def bibliography(self):
        lines = super().bibliography()
        # As they are printed, without the marks of Markdown.
        self.wording += [line.replace("\\", "") for line in lines]
        return lines

    def range_notes(self):
        # The range of use is what the description says; that it goes beyond the table is said by the desk.
        lines = super().range_notes()
        self.wording += lines
        return lines

    def table_list(self):
        rows = super().table_list()
        self.wording += [row["title"] for row in rows]
        return rows


def expected(description, lang: str, tables: dict[str, str] | None = None) -> Expected:
    """Render a draft in memory and trace each of its numbers.

    Parameters
    ----------
    description : Description
    lang : "zh" or "en"
    tables : dict, optional
        Other tables by alias than the description names.

    Returns
    -------
    expected : Expected

    Raises
    ------
    DraftError
        As rendering does.
    """
    with paths.private("review") as place:
        desk, markdown, draft = _written(description, lang, tables, Path(place))
        look = Look(lang, str(draft["title"]), str(draft.get("number", "")))
        file = WordFile(convert(markdown, "docx", look, Path(place)))
    found = Expected([p for p in pieces(file) if read(p)], desk.citations.entries)
    _trace(found, desk.wording)
    return found


def citations(description, lang: str, tables: dict[str, str]) -> list[Citation]:
    """Numbers that a draft would print from other tables."""
    with paths.private("review") as place:
        return _written(description, lang, tables, Path(place))[0].citations.entries


def _written(description, lang, tables, folder):
    drawn = replace(description, tables=tables) if tables else description
    desk = _Desk(drawn, lang, folder)
    draft = drawn.localised(lang) | {"preview": drawn.preview}
    return desk, rendering.write(desk, drawn.template, lang, draft), draft


def _trace(found: Expected, wording):
    """Say for each number of the text which citation it is, by order; the rest is structure or untraced."""
    places = [(i, k, t.plain) for i, p in enumerate(found.pieces) for k, t in enumerate(read_numbers(p.text))]
    # A citation may be printed with its unit, or as two numbers.
    entries = [(c, t.plain) for c in found.citations for t in read_numbers(re.sub(r"[\^*]", "", c.printed))]
    printed = [said for _, said in entries]
    matcher = SequenceMatcher(None, [p for _, _, p in places], printed, autojunk=False)
    left, unused = dict(enumerate(places)), dict(enumerate(entries))
    for i, j, size in matcher.get_matching_blocks():
        for step in range(size):
            found.cited[left.pop(i + step)[:2]] = unused.pop(j + step)[0]
    by_print: dict[str, list[Citation]] = {}
    for citation, said in unused.values():
        by_print.setdefault(said, []).append(citation)
    tables = {found.pieces[i].caption for i, _ in found.cited if found.pieces[i].row}
    known = [_bare(line) for line in wording]
    for i, k, said in left.values():
        piece = found.pieces[i]
        own = any(line and line in _bare(piece.shown) for line in known)
        if by_print.get(said):
            # Noted elsewhere in the order of the text than it is printed.
            found.cited[i, k] = by_print[said].pop(0)
        elif not own and not (piece.row and piece.caption in tables):
            found.untraced.add((i, k))


def _bare(line: str) -> str:
    return "".join(letter for letter in line if letter.isalnum())


# Which piece of one document stands where in the other

#: Pieces less alike than this are one taken out and one put in.
ALIKE = 0.5
#: Pieces of a changed passage that are compared each with each.
MOST_PAIRS = 40_000


def align(old, new) -> list[tuple]:
    """Pair the pieces of two documents.

    Parameters
    ----------
    old, new : list of Piece

    Returns
    -------
    pairs : list of (Piece or None, Piece or None)
        In the order of the text; None where the other document has nothing like it.
    """
    # What the pieces say apart from their numbers.
    a, b = ([masked(p.text) + "".join(p.formulas) for p in side] for side in (old, new))
    pairs = []
    for what, i, i_end, j, j_end in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if what == "equal":
            pairs += zip(old[i:i_end], new[j:j_end], strict=True)
        else:
            pairs += _changed(old[i:i_end], new[j:j_end], a[i:i_end], b[j:j_end])
    return pairs


def _changed(old, new, a, b) -> list[tuple]:
    """Pair pieces of a changed passage in order, so that they are as alike as can be."""
    if len(old) * len(new) > MOST_PAIRS:
        return [(p, None) for p in old] + [(None, p) for p in new]
    alike = [[likeness(x, y, ALIKE) for y in b] for x in a]
    # Best sum of likeness of the rest of both passages, from the end.
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            together = alike[i][j] + best[i + 1][j + 1] if alike[i][j] >= ALIKE else 0.0
            best[i][j] = max(together, best[i + 1][j], best[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(old) and j < len(new):
        if alike[i][j] >= ALIKE and best[i][j] == alike[i][j] + best[i + 1][j + 1]:
            pairs.append((old[i], new[j]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            pairs.append((old[i], None))
            i += 1
        else:
            pairs.append((None, new[j]))
            j += 1
    return pairs + [(p, None) for p in old[i:]] + [(None, p) for p in new[j:]]


def align_numbers(old: str, new: str) -> list[tuple]:
    """Pair the numbers of two texts by the words around them.

    Returns
    -------
    pairs : list of (Token or None, Token or None)
    """
    a, b = words(old), words(new)
    pairs = []
    matcher = SequenceMatcher(None, [w for w, _ in a], [w for w, _ in b], autojunk=False)
    for what, i, i_end, j, j_end in matcher.get_opcodes():
        left = [token for _, token in a[i:i_end] if token]
        right = [token for _, token in b[j:j_end] if token]
        if what == "equal":
            pairs += zip(left, right, strict=True)
        else:
            pairs += [(token, None) for token in left] + [(None, token) for token in right]
    return pairs
