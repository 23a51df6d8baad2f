"""Word drafts: the reference document that pandoc writes with, and the last touches on what it wrote.

The reference document holds page, fonts and paragraph styles after the layout of GB/T 1.1; the styles are
rows of ``data/rules/draft_styles.csv``, each with its source: face (song with serifs, hei without), size and
spaces in points, ``line`` in lines, ``indent`` of the first line, ``left`` and ``hang`` of the others in
characters, level in the outline and in the lists that number headings.
"""

import copy
import datetime
import io
import math
import subprocess
import zipfile
from functools import lru_cache
from itertools import pairwise
from xml.sax.saxutils import quoteattr

import docx
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT, WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_TAB_ALIGNMENT, WD_TAB_LEADER
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor
from docx.text.paragraph import Paragraph

from sinklab.data.files import records
from sinklab.language import DraftError

#: East Asian and Latin faces; hei (sans serif) for headings, song (serif) for text.
FACES = {
    ("song", "zh"): ("SimSun", "Times New Roman"),
    ("song", "en"): ("SimSun", "Times New Roman"),
    ("hei", "zh"): ("SimHei", "SimHei"),
    ("hei", "en"): ("SimHei", "Arial"),
}
ALIGNMENTS = {
    "": WD_ALIGN_PARAGRAPH.LEFT,
    "both": WD_ALIGN_PARAGRAPH.JUSTIFY,
    "center": WD_ALIGN_PARAGRAPH.CENTER,
    "right": WD_ALIGN_PARAGRAPH.RIGHT,
}
#: Page, margins, distance of header and footer, and width of the text, in millimetres.
PAGE, MARGIN, FURNITURE, TEXT_WIDTH = (210, 297), 25, 15, 160
SIDES = ("top", "left", "bottom", "right")
#: Lists that headings are numbered by: (level text, format, style) for each level.
LISTS = {
    1: (("%1", "decimal", "Heading1"), ("%1.%2", "decimal", "Heading2"), ("%1.%2.%3", "decimal", "Heading3")),
    2: (("{annex}%1", "upperLetter", "Annex"), ("%1.%2", "decimal", "AnnexClause")),
}
#: Largest document of the drafters, unpacked, in bytes.
LARGEST = 50_000_000
#: Points between a table and the text below it; above the dates of a cover without a call for comments.
BELOW_TABLE, ABOVE_DATES = 6, 170
#: Points that a page of contents has for its lines; from one line to the next as the styles have it, and at the least.
CONTENTS_ROOM, CONTENTS_LINES = 625, {"zh": (19.4, 16.0), "en": (16.4, 14.4)}
#: Room above and below what a cell holds, in twentieths of a point.
CELL_MARGIN = 40
#: Lines of a table that is not broken across pages, and letters that a line of a table as wide as the text holds.
SMALL_TABLE, LINE = 15, 90
#: Rows at the end of a larger one that stay together: the last may be its note.
LAST_ROWS = 3
#: Files carry this date instead of the time of rendering, so that equal drafts are equal files.
FIXED_DATE = datetime.datetime(2000, 1, 1)
#: Elements that the schema wants behind the borders of a paragraph, those of a table, and ``updateFields``.
_AFTER_RULES = "shd tabs spacing ind contextualSpacing jc outlineLvl rPr".split()
_AFTER_BORDERS = "shd tblLayout tblCellMar tblLook tblCaption tblDescription".split()
_AFTER_UPDATE_FIELDS = (
    "hdrShapeDefaults footnotePr endnotePr compat docVars rsids attachedSchema themeFontLang clrSchemeMapping "
    "doNotIncludeSubdocsInStats doNotAutoCompressPictures forceUpgrade captions readModeInkLockDown smartTagType "
    "shapeDefaults doNotEmbedSmartTags decimalSymbol listSeparator"
).split()


# Elements of a Word file


def _element(name: str, **attributes):
    """An element of the main namespace with attributes of it."""
    element = OxmlElement(f"w:{name}")
    for key, value in attributes.items():
        element.set(qn(f"w:{key}"), str(value))
    return element


def _drop(parent, *names: str) -> None:
    for name in names:
        for old in parent.findall(qn(f"w:{name}")):
            parent.remove(old)


def _insert(parent, element, later: list[str]) -> None:
    """Put an element before those that the schema wants behind it."""
    tags, own = {qn(f"w:{name}") for name in later}, qn("w:p").removesuffix("p")
    following = next((e for e in parent if e.tag in tags or not e.tag.startswith(own)), None)
    (parent.append if following is None else following.addprevious)(element)


def _lines(name: str, widths: dict, space: int, color: str):
    """Borders along some sides, in eighths of a point."""
    borders = _element(name)
    for side, width in widths.items():
        borders.append(_element(side, val="single", sz=width, space=space, color=color))
    return borders


def _set_fonts(properties, faces) -> None:
    """Set East Asian and Latin faces of run properties; theme fonts would win and are removed."""
    fonts, (east, latin) = properties.get_or_add_rFonts(), faces
    for name in list(fonts.attrib):
        del fonts.attrib[name]
    for name, face in (("ascii", latin), ("hAnsi", latin), ("eastAsia", east), ("cs", latin)):
        fonts.set(qn(f"w:{name}"), face)


def _number(properties, numbered: int, level: int) -> None:
    numbering = properties.get_or_add_numPr()
    numbering.get_or_add_ilvl().val, numbering.get_or_add_numId().val = level, numbered


# The reference document


@lru_cache(maxsize=4)
def document(lang: str, own: bytes | None = None) -> bytes:
    """Bytes of the reference document for a language.

    Parameters
    ----------
    lang : "zh" or "en"
    own : bytes, optional
        Word document of the drafters: its page and the styles it has are kept, those it lacks are added.

    Raises
    ------
    DraftError
        ``own`` is not a Word document, or an oversized one.
    """
    import pypandoc

    if own is None:
        command = [pypandoc.get_pandoc_path(), "--print-default-data-file", "reference.docx"]
        made = docx.Document(io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout))
        _page(made, lang)
        kept: set[str] = set()
    else:
        made = _opened(own)
        kept = {style.name for style in made.styles}
    _numbering(made, lang)
    sizes = ("size", "before", "after", "line", "indent", "left", "hang")
    for style in records("rules", "draft_styles.csv", numbers=sizes):
        if style["name"] not in kept:
            _style(made, style, lang)
        elif style["list"]:
            _number(made.styles[style["name"]].element.get_or_add_pPr(), *map(int, style["list"].split(".")))
    _tabs(made)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def _opened(raw: bytes):
    """A document of the drafters, after a look at its size."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST:
            raise ValueError(f"{size} bytes")
        return docx.Document(io.BytesIO(raw))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DraftError(
            f"reference: not a Word document that can be used (.docx, at most {LARGEST} bytes unpacked): {error}",
            f"reference：不是可用的 Word 文档（.docx，解压后不超过 {LARGEST} 字节）：{error}",
        ) from error


def _page(made, lang) -> None:
    """Page and margins; face and language of everything."""
    section = made.sections[0]
    section.page_width, section.page_height = (Mm(length) for length in PAGE)
    for side in ("top", "bottom", "left", "right"):
        setattr(section, f"{side}_margin", Mm(MARGIN))
    section.header_distance = section.footer_distance = Mm(FURNITURE)
    properties = made.styles.element.find(qn("w:docDefaults")).find(qn("w:rPrDefault")).find(qn("w:rPr"))
    _set_fonts(properties, FACES["song", lang])
    language = properties.find(qn("w:lang"))
    if language is not None:
        language.set(qn("w:eastAsia"), "zh-CN")
        # Latin words of a Chinese text are words too: they are not broken anywhere.
        language.set(qn("w:val"), "en-GB")


def _style(made, style, lang) -> None:
    known = {one.name: one for one in made.styles}
    found = known.get(style["name"]) or made.styles.add_style(style["name"], WD_STYLE_TYPE.PARAGRAPH)
    if style["base"]:
        found.base_style = known[style["base"]]
    found.quick_style = True
    _set_fonts(found.element.get_or_add_rPr(), FACES[style["face"], lang])
    font = found.font
    font.size, font.bold, font.italic = Pt(style["size"]), False, False
    font.color.rgb = RGBColor(0, 0, 0)

    layout = found.paragraph_format
    # English paragraphs are told apart by the space between them, Chinese ones by their indent.
    after = style["after"] or (6 if lang == "en" and style["indent"] and style["align"] else 0)
    layout.space_before, layout.space_after = Pt(style["before"]), Pt(after)
    layout.line_spacing = style["line"]
    layout.keep_with_next, layout.page_break_before = bool(style["keep"]), bool(style["page_break"])
    layout.alignment = ALIGNMENTS[style["align"]]
    first = style["indent"] if lang == "zh" else 0
    hang = style["hang"] if lang == "zh" or style["left"] else 0
    layout.left_indent = Pt((style["left"] + hang) * style["size"])
    layout.first_line_indent = Pt((first - hang) * style["size"])
    properties = found.element.get_or_add_pPr()
    if not hang:
        # The indent in characters, which Word prefers, must not outlive a change of the size.
        properties.find(qn("w:ind")).set(qn("w:firstLineChars"), f"{100 * first:.0f}")
    if style["rule"]:
        box = style["rule"] == "box"
        widths = dict.fromkeys(SIDES if box else (style["rule"],), 8)
        rules = _lines("pBdr", widths, 6, "AA0000" if box else "000000")
        _insert(properties, rules, _AFTER_RULES)
    _drop(properties, "outlineLvl", "numPr")
    if style["outline"]:
        properties.append(_element("outlineLvl", val=style["outline"]))
    if style["list"]:
        _number(properties, *map(int, style["list"].split(".")))


def _tabs(made) -> None:
    stops = (
        ("Equation", TEXT_WIDTH / 2, WD_TAB_ALIGNMENT.CENTER, WD_TAB_LEADER.SPACES),
        ("Equation", TEXT_WIDTH, WD_TAB_ALIGNMENT.RIGHT, WD_TAB_LEADER.DOTS),
        ("TOC 1", TEXT_WIDTH, WD_TAB_ALIGNMENT.RIGHT, WD_TAB_LEADER.DOTS),
        ("TOC 2", TEXT_WIDTH, WD_TAB_ALIGNMENT.RIGHT, WD_TAB_LEADER.DOTS),
        ("Cover Dates", TEXT_WIDTH, WD_TAB_ALIGNMENT.RIGHT, WD_TAB_LEADER.SPACES),
    )
    for name, place, alignment, leader in stops:
        made.styles[name].paragraph_format.tab_stops.add_tab_stop(Mm(place), alignment, leader)


def _numbering(made, lang) -> None:
    """Multilevel lists tied to the heading styles, so that numbers live in Word."""
    root = made.part.numbering_part.element
    for child in list(root):
        root.remove(child)
    annex = "附录" if lang == "zh" else "Annex "
    for number, levels in LISTS.items():
        xml = (
            f'<w:abstractNum {nsdecls("w")} w:abstractNumId="{number}"><w:multiLevelType w:val="multilevel"/>'
        )
        for i, (text, kind, style) in enumerate(levels):
            xml += (
                f'<w:lvl w:ilvl="{i}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/><w:pStyle w:val="{style}"/>'
                f'<w:suff w:val="nothing"/><w:lvlText w:val="{text.format(annex=annex)}"/><w:lvlJc w:val="left"/>'
                '<w:pPr><w:ind w:left="0" w:firstLine="0"/></w:pPr></w:lvl>'
            )
        root.append(parse_xml(xml + "</w:abstractNum>"))
    for number in LISTS:
        root.append(
            parse_xml(f'<w:num {nsdecls("w")} w:numId="{number}"><w:abstractNumId w:val="{number}"/></w:num>')
        )


# Finishing what pandoc wrote


def finish(raw: bytes, lang: str, title: str, number: str, watermark: str, marks: float) -> bytes:
    """Turn the document that pandoc wrote into one that can be sent out.

    Parameters
    ----------
    raw : bytes
        The document, made with :func:`document`.
    lang, title, number : str
        For the properties and the page headers.
    watermark : str
        Printed across every page; "" for a final draft.
    marks : float
        Its width in letters.

    Returns
    -------
    document : bytes
    """
    made = docx.Document(io.BytesIO(raw))
    for table in made.tables:
        _table(table)
    _terms(made)
    _cover(made)
    _contents(made, lang)
    _together(made)
    _accents(made)
    _sections(made)
    _page_furniture(made, lang, number, watermark, marks)
    _renumber_bookmarks(made)
    settings = made.settings.element
    if settings.find(qn("w:updateFields")) is None:
        # Word fills in the contents and references when the document is opened.
        _insert(settings, _element("updateFields", val="true"), _AFTER_UPDATE_FIELDS)
    _properties(made, lang, title)
    out = io.BytesIO()
    made.save(out)
    return repack(out.getvalue())


def repack(raw: bytes) -> bytes:
    """Write a zip archive again, its members in order of name and with one date."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        # Word wants the list of types first.
        names = sorted(old.namelist(), key=lambda name: (name != "[Content_Types].xml", name))
        for name in names:
            info = zipfile.ZipInfo(name, FIXED_DATE.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, old.read(name))
    return out.getvalue()


def _table(table) -> None:
    properties = table._tbl.tblPr
    _drop(properties, "tblStyle", "tblBorders")
    widths = dict.fromkeys(SIDES, 8) | {"insideH": 4, "insideV": 4}
    _insert(properties, _lines("tblBorders", widths, 0, "000000"), _AFTER_BORDERS)
    _drop(properties, "tblCellMar")
    margins = _element("tblCellMar")
    for side in ("top", "bottom"):
        margins.append(_element(side, w=CELL_MARGIN, type="dxa"))
    _insert(properties, margins, _AFTER_BORDERS[_AFTER_BORDERS.index("tblCellMar") + 1 :])
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    rows = list(table.rows)
    small = len(rows) <= 2 + LAST_ROWS or _lines_of(table, rows) <= SMALL_TABLE
    for number, row in enumerate(rows):
        # A small table stays on one page; of a large one no row stands alone at the foot or the head of a page.
        ends = number < 2 or number >= len(rows) - LAST_ROWS
        together = (small or ends) and number + 1 < len(rows)
        _row(row, header=number == 0, together=together)


def _lines_of(table, rows) -> int:
    """Lines that the rows of a table take, and nearly: letters of a cell, those of Chinese twice as wide, by its column."""
    widths = [int(column.width or 0) for column in table.columns]
    room = [LINE * width / max(sum(widths), 1) for width in widths]

    def lines(at: int, cell) -> int:
        text = "".join(cell._tc.itertext())
        return math.ceil(sum(1 + (letter > "\u2e7f") for letter in text) / max(room[at] - 3, 1))

    return sum(max([1, *(lines(at, cell) for at, cell in _own_cells(row))]) for row in rows)


def _own_cells(row):
    """Cells of a row with their columns; what spans several, such as a note, has the room of all and is left out."""
    cells = list(row.cells)
    return [(at, cell) for at, cell in enumerate(cells) if sum(other._tc is cell._tc for other in cells) == 1]


def _row(row, header: bool, together: bool) -> None:
    properties = row._tr.get_or_add_trPr()
    _drop(properties, "cantSplit", "tblHeader")
    for name in ("cantSplit", "tblHeader") if header else ("cantSplit",):
        properties.append(_element(name))
    for cell in dict.fromkeys(row.cells):
        _drop(cell._tc.get_or_add_tcPr(), "tcBorders")
        cell.vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER
        for paragraph in cell.paragraphs:
            # Cells inherit the indent of the text otherwise.
            paragraph.paragraph_format.first_line_indent = 0
            paragraph._p.pPr.find(qn("w:ind")).set(qn("w:firstLineChars"), "0")
            if together:
                paragraph.paragraph_format.keep_with_next = True


def _terms(made) -> None:
    """Number the entries of terms like clauses; a level that belongs to a heading style must be set on each."""
    for paragraph in made.paragraphs:
        if paragraph.style.name != "Term":
            continue
        _number(paragraph._p.get_or_add_pPr(), 1, 1)
        hang = paragraph.style.paragraph_format
        # The level's own indent would win over the style's.
        paragraph.paragraph_format.left_indent = hang.left_indent or Pt(0)
        paragraph.paragraph_format.first_line_indent = hang.first_line_indent or Pt(0)


def _cover(made) -> None:
    """The dates stand low on the cover, also where no call for comments stands above them."""
    styles = {p.style.name: p for p in made.paragraphs if p.style.name.startswith("Cover ")}
    if "Cover Dates" in styles and "Cover Note" not in styles:
        styles["Cover Dates"].paragraph_format.space_before = Pt(ABOVE_DATES)


def _contents(made, lang) -> None:
    """Contents that are hardly longer than their page are set closer, so that no page holds a lone entry."""
    entries = sum(p.style.name.lower().startswith("toc ") for p in made.paragraphs)
    usual, least = CONTENTS_LINES[lang]
    if entries and usual > CONTENTS_ROOM / entries >= least:
        for name in ("TOC 1", "TOC 2"):
            # Of the style, for Word writes the lines anew.
            made.styles[name].paragraph_format.line_spacing = Pt(int(20 * CONTENTS_ROOM / entries) / 20)


def _together(made) -> None:
    """Keep what belongs together on one page: a lead and its formula, the formula and its legend, a lead and its list."""
    blocks = [block for block in made.element.body if block.tag in (qn("w:p"), qn("w:tbl"))]
    for one, following in pairwise(blocks):
        if one.tag == qn("w:tbl") and following.tag == qn("w:p"):
            # Text does not stand on the lower rule of a table.
            text = Paragraph(following, made)
            if text.style.name in ("Body Text", "First Paragraph"):
                text.paragraph_format.space_before = Pt(BELOW_TABLE)
        if qn("w:tbl") in (one.tag, following.tag):
            continue
        before, after = (Paragraph(p, made).style.name for p in (one, following))
        if before.lower().startswith("heading"):
            # Some programs keep a heading with its text only where the paragraph itself says so.
            Paragraph(one, made).paragraph_format.keep_with_next = True
        formula = after == "Equation" and before not in ("Legend", "Section End")
        explained = after == "Legend" and before == "Equation"
        opens = Paragraph(one, made).text.rstrip().endswith(("：", ":", "where"))
        if formula or explained or (opens and after in ("Legend", "List Dash", "List Letter")):
            Paragraph(one, made).paragraph_format.keep_with_next = True
    for one, last, following in zip(blocks, blocks[1:], blocks[2:], strict=False):
        if qn("w:tbl") not in (one.tag, last.tag):
            here = {Paragraph(p, made).style.name for p in (one, last)}
            goes_on = following.tag == qn("w:p") and Paragraph(following, made).style.name in here
            if here in ({"Legend"}, {"List Dash"}, {"List Letter"}) and not goes_on:
                # The last line of a legend or a list does not stand on a page alone.
                Paragraph(one, made).paragraph_format.keep_with_next = True


#: Accents as the formulas of Word know them, for the spacing signs that look like them.
ACCENTS = {
    "‾": "\N{COMBINING OVERLINE}",
    "¯": "\N{COMBINING OVERLINE}",
    "^": "\N{COMBINING CIRCUMFLEX ACCENT}",
}


def _accents(made) -> None:
    """A mean has a bar over its letter: with a spacing sign programs print a dot, or the sign beside it."""
    for mark in made.element.body.iter(qn("m:chr")):
        if mark.getparent().tag == qn("m:accPr"):
            mark.set(qn("m:val"), ACCENTS.get(mark.get(qn("m:val")), mark.get(qn("m:val"))))


def _sections(made) -> None:
    """Replace the marks that the filter left by ends of sections: cover, front pages, body."""
    body = made.element.body
    last = body.find(qn("w:sectPr"))
    _restart_pages(last, None)
    kinds = iter((None, "upperRoman", "decimal"))
    marks = [p for p in made.paragraphs if p.style.style_id == "SectionEnd"]
    for mark in marks:
        section = copy.deepcopy(last)
        _restart_pages(section, next(kinds))
        before = mark._p.getprevious()
        if before is None:
            # A document without a cover has no page before its first.
            body.remove(mark._p)
        elif before.tag == qn("w:p") and before.find(f"{qn('w:pPr')}/{qn('w:sectPr')}") is None:
            # An end of its own paragraph could make an empty page.
            before.get_or_add_pPr()._insert_sectPr(section)
            body.remove(mark._p)
        else:
            mark._p.get_or_add_pPr()._insert_sectPr(section)
    _restart_pages(last, "decimal" if marks else None)


def _restart_pages(section, kind) -> None:
    _drop(section, "pgNumType")
    if kind is not None:
        section.find(qn("w:pgMar")).addnext(_element("pgNumType", fmt=kind, start=1))


def _page_furniture(made, lang, number, watermark, marks) -> None:
    """Number of the standard above, page number below, watermark across; the cover has only the last."""
    several = len(made.sections) > 1
    for position, section in enumerate(made.sections):
        section.header.is_linked_to_previous = section.footer.is_linked_to_previous = False
        above, below = section.header.paragraphs[0], section.footer.paragraphs[0]
        above.style, below.style = made.styles["Header"], made.styles["Footer"]
        if position or not several:
            _set_fonts(above.add_run(number)._r.get_or_add_rPr(), FACES["hei", lang])
            _page_number(below)
        if watermark:
            above._p.append(_watermark(watermark, marks, position))


def _page_number(paragraph) -> None:
    for inside in (
        '<w:fldChar w:fldCharType="begin"/>',
        '<w:instrText xml:space="preserve"> PAGE </w:instrText>',
        '<w:fldChar w:fldCharType="separate"/>',
        "<w:t>1</w:t>",
        '<w:fldChar w:fldCharType="end"/>',
    ):
        paragraph._p.append(parse_xml(f"<w:r {nsdecls('w')}>{inside}</w:r>"))


def _watermark(text: str, wide: float, position: int):
    """Slanted grey letters behind the text, as Word writes its own watermarks."""
    height = min(105, 430 / wide)
    style = (
        f"position:absolute;margin-left:0;margin-top:0;width:{height * wide:.0f}pt;height:{height:.0f}pt;rotation:315;"
        "z-index:-251658752;mso-position-horizontal:center;mso-position-horizontal-relative:margin;"
        "mso-position-vertical:center;mso-position-vertical-relative:margin"
    )
    return parse_xml(
        f"""<w:r {nsdecls("w")} xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office">
<w:rPr><w:noProof/></w:rPr><w:pict>
<v:shapetype id="_x0000_t136" coordsize="21600,21600" o:spt="136" adj="10800" path="m@7,l@8,m@5,21600l@6,21600e">
<v:formulas><v:f eqn="sum #0 0 10800"/><v:f eqn="prod #0 2 1"/><v:f eqn="sum 21600 0 @1"/><v:f eqn="sum 0 0 @2"/>
<v:f eqn="sum 21600 0 @3"/><v:f eqn="if @0 @3 0"/><v:f eqn="if @0 21600 @1"/><v:f eqn="if @0 0 @2"/>
<v:f eqn="if @0 @4 21600"/><v:f eqn="mid @5 @6"/><v:f eqn="mid @8 @5"/><v:f eqn="mid @7 @8"/><v:f eqn="mid @6 @7"/>
<v:f eqn="sum @6 0 @5"/></v:formulas>
<v:path textpathok="t" o:connecttype="custom" o:connectlocs="@9,0;@10,10800;@11,21600;@12,10800" o:connectangles="270,180,90,0"/>
<v:textpath on="t" fitshape="t"/></v:shapetype>
<v:shape id="PowerPlusWaterMarkObject{position + 1}" o:spid="_x0000_s{2049 + position}" type="#_x0000_t136"
 style="{style}" o:allowincell="f" fillcolor="#d0d0d0" stroked="f"><v:fill opacity=".5"/>
<v:textpath style="font-family:&quot;SimHei&quot;;font-size:1pt" string={quoteattr(text)}/></v:shape></w:pict></w:r>"""
    )


def _renumber_bookmarks(made) -> None:
    """Give each bookmark an id of its own; pandoc and the filter count separately."""
    numbers: dict[str, str] = {}
    for element in made.element.body.iter(qn("w:bookmarkStart"), qn("w:bookmarkEnd")):
        key = qn("w:id")
        if element.tag == qn("w:bookmarkStart"):
            numbers[element.get(key)] = str(len(numbers) + 1)
        element.set(key, numbers[element.get(key)])


def _properties(made, lang, title) -> None:
    properties = made.core_properties
    properties.title, properties.language = title, "zh-CN" if lang == "zh" else "en-GB"
    properties.author = properties.last_modified_by = properties.comments = ""
    properties.created = properties.modified = FIXED_DATE
    properties.revision = 1
