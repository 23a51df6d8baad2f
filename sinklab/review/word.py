"""Word files from outside, opened only when they are what they claim to be, and their text in pieces to compare.

A draft that comes back by mail is untrusted. Nothing is unpacked to disk, no part may grow beyond a
limit while it is read (whatever its header says), no document type or entity is accepted, names of
parts stay inside the archive. Links to other places are never followed; they are listed.

The pieces are paragraphs, and rows of tables. Tracked insertions count as text and tracked deletions do not,
as if all were accepted; what was tracked is remembered by piece. Results of fields (contents, numbers of
tables, references) are left out of the numbers, since Word works them out by itself, and so are formulas,
which are compared whole. Text boxes, footnotes and endnotes count as text too: a number may hide there.
"""

import io
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path, PurePosixPath
from xml.parsers import expat

from sinklab.language import DraftError, tr

#: Limits of a document: bytes of the file, parts, bytes of all parts and of one part of XML, times that one may grow.
MOST_BYTES = 100 * 2**20
MOST_PARTS = 5000
MOST_UNPACKED = 400 * 2**20
MOST_XML = 80 * 2**20
MOST_GROWTH = 200
#: Parts smaller than this may grow as they like: XML of a few letters packs well.
SMALL = 2**20

_SPACES = {
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "w14": "http://schemas.microsoft.com/office/word/2010/wordml",
    "w15": "http://schemas.microsoft.com/office/word/2012/wordml",
}
DOCUMENT = "word/document.xml"
_BROKEN = (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, zlib.error)


def tag(name: str) -> str:
    """Qualified name of an element or attribute: ``w:p``, ``m:t``, ``w15:done``."""
    space, _, local = name.partition(":")
    return f"{{{_SPACES[space]}}}{local}"


class WordFile:
    """The parts of a Word file, read with every limit of this module.

    Parameters
    ----------
    source : path or bytes

    Raises
    ------
    DraftError
        Not a Word file, or one that must not be opened; with the part and the reason.
    """

    def __init__(self, source):
        self.name = Path(source).name if not isinstance(source, bytes) else "document.docx"
        raw = _content(source, self.name)
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(raw))
            infos = self._archive.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise self._refused(
                f"not a Word file of type .docx ({error})", f"不是 .docx 格式的 Word 文件（{error}）"
            ) from error
        self._check(infos)
        self._parts = {info.filename: info for info in infos if not info.is_dir()}
        if DOCUMENT not in self._parts or "[Content_Types].xml" not in self._parts:
            raise self._refused(f"holds no {DOCUMENT}", f"其中没有 {DOCUMENT}")
        self._budget = MOST_UNPACKED
        self._trees: dict = {}

    @property
    def names(self) -> list[str]:
        """Names of all parts, sorted."""
        return sorted(self._parts)

    def xml(self, name: str):
        """Root element of a part, None when the document has no such part."""
        if name not in self._parts:
            return None
        if name not in self._trees:
            self._trees[name] = self._parsed(name, self._read(name, MOST_XML))
        return self._trees[name]

    def property(self, name: str) -> str:
        """What the document says of itself under ``name`` (``keywords``, ``title``); "" where it says nothing."""
        root = self.xml("docProps/core.xml")
        named = (one.text or "" for one in root if one.tag.endswith("}" + name)) if root is not None else ()
        return next(named, "")

    def links(self) -> list[str]:
        """Places outside the document that it refers to, web links left out."""
        found = []
        for name in (n for n in self.names if n.endswith(".rels")):
            for relation in self.xml(name):
                kind = str(relation.get("Type", "")).rpartition("/")[2]
                if relation.get("TargetMode") == "External" and kind != "hyperlink":
                    found.append(f"{kind}: {relation.get('Target')}")
        return found

    def _check(self, infos):
        if len(infos) > MOST_PARTS:
            raise self._refused(
                f"{len(infos)} parts; at most {MOST_PARTS}", f"部件 {len(infos)} 个，上限 {MOST_PARTS}"
            )
        seen = set()
        for info in infos:
            name = info.filename
            if _leaves(name) or _leaves(info.orig_filename):
                raise self._refused(
                    f"part {name!r} points outside the document", f"部件 {name!r} 指向文件之外"
                )
            if name.casefold() in seen:
                raise self._refused(f"part {name!r} is there twice", f"部件 {name!r} 重复")
            seen.add(name.casefold())
            if info.flag_bits & 0x1:
                raise self._refused(f"part {name!r} is encrypted", f"部件 {name!r} 已加密")
            if info.file_size > SMALL and info.file_size > MOST_GROWTH * max(info.compress_size, 1):
                raise self._bomb(name)
        if sum(info.file_size for info in infos) > MOST_UNPACKED:
            raise self._bomb(tr("all parts", "全部部件"))

    def _read(self, name, most) -> bytes:
        most = min(most, self._budget)
        try:
            with self._archive.open(self._parts[name]) as stream:
                # The size in the header may lie; one byte more than allowed tells.
                content = stream.read(most + 1)
        except _BROKEN as error:
            raise self._refused(f"part {name!r}: {error}", f"部件 {name!r}：{error}") from error
        if len(content) > most:
            raise self._bomb(name)
        self._budget -= len(content)
        return content

    def _parsed(self, name, content):
        from lxml import etree

        def refuse(*_):
            raise self._refused(
                f"part {name!r} declares a document type or entities; Word never writes those",
                f"部件 {name!r} 声明了文档类型或实体；Word 不会写入此类内容",
            )

        # A document type is refused before anything in it is worked out, in whatever encoding it is written.
        reader = expat.ParserCreate()
        reader.StartDoctypeDeclHandler = reader.EntityDeclHandler = refuse
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        try:
            reader.Parse(content, True)
            return etree.fromstring(content, parser)
        except (expat.ExpatError, etree.XMLSyntaxError) as error:
            raise self._refused(f"part {name!r}: {error}", f"部件 {name!r}：{error}") from error

    def _bomb(self, name):
        en, zh = "would unpack to far more than a document needs", "解压后远超文档所需大小"
        return self._refused(f"{name} {en}", f"{name} {zh}")

    def _refused(self, en: str, zh: str) -> DraftError:
        return DraftError(
            f"{self.name}: refused: {en}. Ask its sender for a file saved anew by Word or WPS.",
            f"{self.name}：拒绝打开：{zh}。请对方用 Word 或 WPS 重新保存后再发。",
        )


def _content(source, name) -> bytes:
    if isinstance(source, bytes):
        return source
    path = Path(source)
    if not path.is_file():
        raise DraftError(f"{path}: no such file", f"{path}：文件不存在")
    size, most = (f"{count / 2**20:.0f} MB" for count in (path.stat().st_size, MOST_BYTES))
    if path.stat().st_size > MOST_BYTES:
        raise DraftError(f"{name}: {size}; at most {most}", f"{name}：{size}，上限 {most}")
    return path.read_bytes()


def _leaves(name: str) -> bool:
    """Whether a name of a part would lead out of a folder on any system."""
    strange = any(mark in name for mark in ("\\", "\x00")) or ":" in name.split("/")[0]
    return not name or strange or name.startswith("/") or ".." in PurePosixPath(name).parts


# The text in pieces

#: Stand for a formula and for the result of a field in the text of a piece.
FORMULA, FIELD = "\ufffc", "\ufffb"
CELL = "\u241f"
_P, _TBL, _TR, _TC, _T = (tag(f"w:{n}") for n in ("p", "tbl", "tr", "tc", "t"))
#: Elements whose text is not part of the document as it reads.
_SKIPPED = {tag(f"w:{n}") for n in ("del", "moveFrom", "delText", "pPr", "rPr")} | {
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
}
_PICTURES = {tag("w:drawing"), tag("w:pict"), tag("w:object")}
#: Fields that Word works out; the text of all others (links, dates) is text.
_COMPUTED = {"SEQ", "REF", "PAGEREF", "PAGE", "NUMPAGES", "TOC", "STYLEREF", "SECTIONPAGES"}
_SPACE = {tag("w:tab"): " ", tag("w:br"): " ", tag("w:cr"): " ", tag("w:noBreakHyphen"): "-"}
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # I and O look like digits
_HEADING = re.compile(r"heading\s*([1-3])|^[1-3]$|annex|附录|term$", re.IGNORECASE)
_CAPTION = re.compile(r"caption|题注", re.IGNORECASE)


@dataclass
class Piece:
    """A paragraph or a row of a table.

    ``number`` counts paragraphs of the document from 1 (a row has that of its first paragraph);
    ``heading`` is the nearest heading before it with its number, ``caption`` that of its table, ``row`` the row in it
    from 1 (0 outside tables); ``comments`` are ids of comments that touch it, ``changes`` the authors
    of tracked changes in it.
    """

    text: str
    number: int
    style: str
    heading: str = ""
    caption: str = ""
    row: int = 0
    formulas: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    elements: list = field(default_factory=list, repr=False)

    @property
    def shown(self) -> str:
        """Text as a person reads it."""
        text = self.text.replace(CELL, " | ")
        for mark, parts in ((FORMULA, self.formulas), (FIELD, self.fields)):
            for part in parts:
                text = text.replace(mark, part, 1)
        return " ".join(text.split())


def pieces(file: WordFile) -> list[Piece]:
    """All pieces of a document, in the order of the text."""
    body = file.xml(DOCUMENT).find(tag("w:body"))
    styles = file.xml("word/styles.xml")
    every = () if styles is None else styles.iter(tag("w:style"))
    names = {style.get(tag("w:styleId"), ""): style.find(tag("w:name")) for style in every}
    walk = _Walk({key: name.get(tag("w:val"), "") for key, name in names.items() if name is not None})
    for notes in (None, "footnote", "endnote"):
        root = body if notes is None else file.xml(f"word/{notes}s.xml")
        for element in (root,) if notes is None else root if root is not None else ():
            walk.blocks(element)
    return walk.found


class _Walk:
    """Goes through a body once, keeping heading, caption and the state of fields."""

    def __init__(self, styles):
        self.styles, self.heading, self.caption, self.count = styles, "", "", 0
        self.clauses = _Clauses()
        self.found: list[Piece] = []

    def blocks(self, parent):
        """Read the paragraphs and tables below an element."""
        for element in parent:
            if element.tag == _P:
                self._paragraph(element)
            elif element.tag == _TBL:
                self._table(element)
            elif element.tag in (tag("w:sdt"), tag("w:sdtContent"), tag("w:ins"), tag("w:customXml")):
                self.blocks(element)

    def _paragraph(self, element):
        self.count += 1
        style = self._style(element)
        piece = read_paragraphs([[element]], self.count, style)
        if _HEADING.search(style) and piece.shown:
            self.heading = self.clauses.heading(style, piece.shown)
        elif _CAPTION.search(style):
            self.caption = piece.shown
        piece.heading = self.heading
        self.found.append(piece)

    def _table(self, element):
        for row, tr_element in enumerate(element.iter(_TR), start=1):
            cells = [list(cell.iter(_P)) for cell in tr_element.iter(_TC)]
            first = self.count + 1
            self.count += sum(map(len, cells))
            piece = read_paragraphs(cells, first, "table")
            piece.heading, piece.caption, piece.row = self.heading, self.caption, row
            for mark in ("w:ins", "w:del"):
                tracked = tr_element.find(f"{tag('w:trPr')}/{tag(mark)}")
                if tracked is not None:
                    piece.changes += (tracked.get(tag("w:author"), ""),)
                    piece.text = piece.text if mark == "w:ins" else ""
            self.found.append(piece)

    def _style(self, element) -> str:
        style = element.find(f"{tag('w:pPr')}/{tag('w:pStyle')}")
        key = style.get(tag("w:val"), "") if style is not None else ""
        return self.styles.get(key, key)


class _Clauses:
    """Numbers of clauses, which Word works out from the styles of the headings."""

    def __init__(self):
        self.annex, self.count = 0, [0, 0, 0]

    def heading(self, style: str, text: str) -> str:
        """Heading with its number in front, unless it was typed there."""
        style = style.casefold()
        if style == "annex":
            self.annex, self.count = self.annex + 1, [0, 0, 0]
            return f"{_LETTERS[min(self.annex, len(_LETTERS)) - 1]} {text}"
        digits = [int(letter) for letter in style if letter in "123"]
        # Clauses of an annex and entries of terms are of the second level.
        level = digits[0] if digits else 2
        self.count[level - 1 :] = [self.count[level - 1] + 1, *[0] * (3 - level)]
        if text[:1].isdigit():
            return text
        first = [_LETTERS[min(self.annex, len(_LETTERS)) - 1]] if self.annex else [str(self.count[0])]
        return ".".join(first + [str(n) for n in self.count[1:level]]) + f" {text}"


def read_paragraphs(cells, number: int, style: str) -> Piece:
    """One piece of the paragraphs of some cells (one cell for a paragraph of the text)."""
    reader = _Reader()
    texts = []
    for paragraphs in cells:
        start = len(reader.text)
        for element in paragraphs:
            reader.paragraph(element)
        texts.append("".join(reader.text[start:]).strip())
    return Piece(
        CELL.join(texts),
        number,
        style,
        formulas=tuple(reader.formulas),
        fields=tuple(reader.fields),
        comments=tuple(reader.comments),
        changes=tuple(dict.fromkeys(reader.changes)),
        elements=[p for paragraphs in cells for p in paragraphs],
    )


class _Reader:
    def __init__(self):
        self.text: list[str] = []
        self.formulas: list[str] = []
        self.fields: list[str] = []
        self.comments: list[str] = []
        self.changes: list[str] = []
        # Fields that are open: instruction and result.
        self.inside: list[tuple[list, list]] = []

    def paragraph(self, element):
        self._walk(element)
        while self.inside:
            # The contents begin in one paragraph and end in another.
            self._field("end", whole=False)
        self.text.append(" ")

    def _walk(self, element):
        for child in element:
            name = child.tag
            if name in (tag("w:ins"), tag("w:del"), tag("w:moveTo"), tag("w:moveFrom")):
                self.changes.append(child.get(tag("w:author"), ""))
            if name == tag("w:commentRangeStart") or name == tag("w:commentReference"):
                key = child.get(tag("w:id"), "")
                self.comments += [key] if key not in self.comments else []
            if name in _SKIPPED or not isinstance(name, str):
                continue
            if name in _PICTURES:
                for box in child.iter(tag("w:txbxContent")):
                    self._walk(box)
            elif name in (tag("m:oMath"), tag("m:oMathPara")):
                self._say(FORMULA)
                self.formulas.append(formula_text(child))
            elif name == tag("w:fldSimple"):
                self.inside.append(([child.get(tag("w:instr"), "")], []))
                self._walk(child)
                self._field("end")
            elif name == tag("w:fldChar"):
                self._field(child.get(tag("w:fldCharType")))
            elif name == tag("w:instrText"):
                if self.inside:
                    self.inside[-1][0].append(child.text or "")
            elif name == _T:
                self._say(child.text or "")
            elif name in _SPACE:
                self._say(_SPACE[name])
            else:
                self._walk(child)

    def _field(self, kind, whole=True):
        if kind == "begin":
            self.inside.append(([], []))
        elif kind == "end" and self.inside:
            instruction, result = ("".join(part) for part in self.inside.pop())
            if whole and instruction.split()[:1] and instruction.split()[0].upper() in _COMPUTED:
                if self.inside:
                    self._say(result)
                else:
                    self.text.append(FIELD)
                    self.fields.append(result)
            else:
                self._say(result)

    def _say(self, text):
        (self.inside[-1][1] if self.inside else self.text).append(text)


def formula_text(element) -> str:
    """Letters and digits of a formula in their order, its structure in brackets."""
    shape = {tag("m:sSup"): "^", tag("m:sSub"): "_", tag("m:f"): "/", tag("m:rad"): "√"}
    parts = []
    for child in element:
        if child.tag == tag("m:t"):
            parts.append(child.text or "")
        elif child.tag == tag("m:d"):
            parts += [_bracket(child, "m:begChr", "("), formula_text(child), _bracket(child, "m:endChr", ")")]
        elif isinstance(child.tag, str) and child.tag not in _SKIPPED and not child.tag.endswith("Pr"):
            inside = (
                [formula_text(child)] if child.tag not in shape else [formula_text(part) for part in child]
            )
            parts.append(shape.get(child.tag, "").join(part for part in inside if part))
    return "".join(parts)


def _bracket(element, name: str, usual: str) -> str:
    """Bracket around a part of a formula; programs leave out the usual ones."""
    told = element.find(f"{tag('m:dPr')}/{tag(name)}")
    return usual if told is None else told.get(tag("m:val"), usual)


def likeness(a: str, b: str, least: float) -> float:
    """How alike two texts are, from 0 to 1; 0 where they are less alike than ``least`` or one is empty."""
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    if not a or not b or matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
        return 0.0
    return matcher.ratio()
