"""The reference document: page, fonts and paragraph styles that Word drafts are made with.

Values follow the layout of GB/T 1.1: A4, body 10.5 pt song with an indent of two characters, headings
10.5 pt hei, titles of foreword and contents 16 pt hei, tables 9 pt.

Finishing a Word draft: tables, sections with their page numbers, watermark, fixed properties.
"""

import copy
import datetime
import io
import subprocess
import zipfile
from dataclasses import dataclass
from functools import lru_cache

from sinklab.language import DraftError, tr

# --- The reference document: page, fonts and paragraph styles that Word drafts are made with.

#: East Asian and Latin faces; hei (sans serif) for headings, song (serif) for text.
SONG, HEI = ("SimSun", "Times New Roman"), ("SimHei", "SimHei")
HEI_EN = ("SimHei", "Arial")
#: Largest document of the drafters, unpacked, in bytes.
LARGEST = 50_000_000
#: Page and margins in millimetres, width of the text.
PAGE, MARGINS, TEXT_WIDTH = (210, 297), (25, 25, 25, 25), 160


@dataclass(frozen=True)
class Style:
    """One paragraph style; lengths in points, the indent in characters."""

    name: str
    hei: bool = False
    size: float = 10.5
    bold: bool = False
    align: str = ""
    before: float = 0
    after: float = 0
    line: float = 1.25
    indent: int = 0  # of the first line, in characters
    left: int = 0
    hang: int = 0  # of the lines behind the first
    keep: bool = False
    outline: int | None = None
    number: tuple[int, int] | None = None  # list, level
    base: str = "Normal"
    page_break: bool = False
    rule: str = ""  # sides with a line, or "box"


STYLES = (
    Style("Normal"),
    Style("Body Text", align="both", indent=2),
    Style("First Paragraph", align="both", indent=2),
    Style("Compact", size=9, align="center", line=1.1),
    Style("Heading 1", hei=True, before=11, after=11, keep=True, outline=0, number=(1, 0)),
    Style("Heading 2", hei=True, before=6, after=6, keep=True, outline=1, number=(1, 1)),
    Style("Heading 3", hei=True, before=6, after=6, keep=True, outline=2, number=(1, 2)),
    Style("Term", hei=True, before=6, after=4, keep=True, hang=2),
    Style(
        "Front Heading",
        hei=True,
        size=16,
        align="center",
        before=18,
        after=22,
        keep=True,
        outline=0,
        page_break=True,
    ),
    Style("Contents Heading", hei=True, size=16, align="center", before=18, after=22, keep=True),
    Style("Document Title", hei=True, size=16, align="center", before=18, after=22, keep=True),
    Style(
        "Annex",
        hei=True,
        align="center",
        before=11,
        after=14,
        keep=True,
        outline=0,
        number=(2, 0),
        page_break=True,
    ),
    Style("Annex Clause", hei=True, before=6, after=6, keep=True, outline=1, number=(2, 1)),
    Style("Caption", hei=True, align="center", before=4, after=4),
    Style("Table Caption", hei=True, align="center", before=8, after=4, keep=True, base="Caption"),
    Style("Image Caption", hei=True, align="center", before=4, after=8, base="Caption"),
    Style("Captioned Figure", align="center", before=6, line=1.0, keep=True),
    Style("Equation", before=6, after=6),
    Style("Legend", indent=2),
    Style("Note", size=9, indent=2),
    Style("List Dash", align="both", hang=2, left=2),
    Style("List Letter", align="both"),
    Style("Table Note", size=9, align="both", line=1.1),
    Style("Status Note", hei=True, size=10.5, align="both", before=6, after=6, rule="box"),
    Style("Section End", size=1, line=1.0),
    Style("Cover Codes", hei=True, size=10.5),
    Style("Cover Kind", hei=True, size=26, align="center", before=40, after=24),
    Style("Cover Number", hei=True, size=14, align="right", after=110, rule="bottom"),
    Style("Cover Title", hei=True, size=26, align="center", after=14),
    Style("Cover Title English", hei=True, size=14, align="center", after=18),
    Style("Cover Stage", hei=True, size=14, align="center", after=10),
    Style("Cover Note", size=10.5, align="center", after=110),
    Style("Cover Dates", hei=True, size=14, before=20, after=14, rule="bottom"),
    Style("Cover Issuer", hei=True, size=16, align="center", before=14),
    Style("TOC 1", line=1.3),
    Style("TOC 2", line=1.3, left=2),
    Style("Header", size=10.5, align="right"),
    Style("Footer", size=9, align="right"),
)


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
    import docx
    import pypandoc

    if own is None:
        command = [pypandoc.get_pandoc_path(), "--print-default-data-file", "reference.docx"]
        made = docx.Document(io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout))
        _page(made.sections[0])
        _defaults(made, lang)
        kept: set[str] = set()
    else:
        made = _opened(own)
        kept = {style.name for style in made.styles}
    _numbering(made, lang)
    for style in STYLES:
        if style.name not in kept:
            _style(made, style, lang)
        elif style.number:
            _numbered(made.styles[style.name].element.get_or_add_pPr(), style)
    _tabs(made)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def _opened(raw: bytes):
    """A document of the drafters, after a look at its size."""
    import docx

    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST:
            raise ValueError(f"{size} bytes")
        return docx.Document(io.BytesIO(raw))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DraftError(
            tr(
                f"reference: not a Word document that can be used (.docx, at most {LARGEST} bytes unpacked): {error}",
                f"reference：不是可用的 Word 文档（.docx，解压后不超过 {LARGEST} 字节）：{error}",
            )
        ) from error


def _page(section) -> None:
    from docx.shared import Mm

    section.page_width, section.page_height = (Mm(length) for length in PAGE)
    top, bottom, left, right = (Mm(length) for length in MARGINS)
    section.top_margin, section.bottom_margin = top, bottom
    section.left_margin, section.right_margin = left, right
    section.header_distance, section.footer_distance = Mm(15), Mm(15)


def set_fonts(properties, faces) -> None:
    """Set East Asian and Latin faces of run properties; theme fonts would win and are removed."""
    from docx.oxml.ns import qn

    fonts = properties.get_or_add_rFonts()
    for name in list(fonts.attrib):
        del fonts.attrib[name]
    east, latin = faces
    for name, face in (("ascii", latin), ("hAnsi", latin), ("eastAsia", east), ("cs", latin)):
        fonts.set(qn(f"w:{name}"), face)


def _defaults(made, lang) -> None:
    from docx.oxml.ns import qn

    properties = made.styles.element.find(qn("w:docDefaults")).find(qn("w:rPrDefault")).find(qn("w:rPr"))
    set_fonts(properties, SONG)
    language = properties.find(qn("w:lang"))
    if language is not None:
        language.set(qn("w:eastAsia"), "zh-CN")
        language.set(qn("w:val"), "zh-CN" if lang == "zh" else "en-GB")


def _style(made, style, lang) -> None:
    from docx.enum.style import WD_STYLE_TYPE
    from docx.shared import Pt, RGBColor

    known = {one.name: one for one in made.styles}
    found = known.get(style.name) or made.styles.add_style(style.name, WD_STYLE_TYPE.PARAGRAPH)
    if style.name != "Normal":
        found.base_style = known[style.base]
    found.quick_style = True
    hei = HEI if lang == "zh" else HEI_EN
    set_fonts(found.element.get_or_add_rPr(), hei if style.hei else SONG)
    font = found.font
    font.size, font.bold, font.italic, font.color.rgb = Pt(style.size), style.bold, False, RGBColor(0, 0, 0)
    _paragraph(found, style, lang)


def _paragraph(found, style, lang) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Pt

    layout = found.paragraph_format
    # English paragraphs are told apart by the space between them, Chinese ones by their indent.
    after = style.after or (6 if lang == "en" and style.indent and style.align else 0)
    layout.space_before, layout.space_after, layout.line_spacing = Pt(style.before), Pt(after), style.line
    layout.keep_with_next, layout.page_break_before = style.keep, style.page_break
    codes = {"": ALIGN.LEFT, "both": ALIGN.JUSTIFY, "center": ALIGN.CENTER, "right": ALIGN.RIGHT}
    layout.alignment = codes[style.align]
    first = style.indent if lang == "zh" else 0
    hang = style.hang if lang == "zh" or style.left else 0
    layout.left_indent = Pt((style.left + hang) * style.size)
    layout.first_line_indent = Pt((first - hang) * style.size)
    properties = found.element.get_or_add_pPr()
    if not hang:
        # The indent in characters, which Word prefers, must not outlive a change of the size.
        properties.find(qn("w:ind")).set(qn("w:firstLineChars"), str(100 * first))
    if style.rule:
        later = (
            "w:shd",
            "w:tabs",
            "w:spacing",
            "w:ind",
            "w:contextualSpacing",
            "w:jc",
            "w:outlineLvl",
            "w:rPr",
        )
        properties.insert_element_before(_rules(style.rule), *later)
    for old in properties.findall(qn("w:outlineLvl")) + properties.findall(qn("w:numPr")):
        properties.remove(old)
    if style.outline is not None:
        level = OxmlElement("w:outlineLvl")
        level.set(qn("w:val"), str(style.outline))
        properties.append(level)
    if style.number:
        _numbered(properties, style)


def _numbered(properties, style) -> None:
    numbering = properties.get_or_add_numPr()
    numbering.get_or_add_ilvl().val = style.number[1]
    numbering.get_or_add_numId().val = style.number[0]


def _rules(sides):
    """Borders of a paragraph."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    borders = OxmlElement("w:pBdr")
    for side in ("top", "left", "bottom", "right") if sides == "box" else (sides,):
        line = OxmlElement(f"w:{side}")
        values = {"val": "single", "sz": "8", "space": "6", "color": "AA0000" if sides == "box" else "000000"}
        for name, value in values.items():
            line.set(qn(f"w:{name}"), value)
        borders.append(line)
    return borders


def _tabs(made) -> None:
    from docx.enum.text import WD_TAB_ALIGNMENT as TAB
    from docx.enum.text import WD_TAB_LEADER as LEADER
    from docx.shared import Mm

    stops = made.styles["Equation"].paragraph_format.tab_stops
    stops.add_tab_stop(Mm(TEXT_WIDTH / 2), TAB.CENTER)
    stops.add_tab_stop(Mm(TEXT_WIDTH), TAB.RIGHT, LEADER.DOTS)
    for name in ("TOC 1", "TOC 2"):
        made.styles[name].paragraph_format.tab_stops.add_tab_stop(Mm(TEXT_WIDTH), TAB.RIGHT, LEADER.DOTS)
    made.styles["Cover Dates"].paragraph_format.tab_stops.add_tab_stop(Mm(TEXT_WIDTH), TAB.RIGHT)


#: Lists that headings are numbered by: (level text, format, style) for each level.
LISTS = {
    1: (("%1", "decimal", "Heading1"), ("%1.%2", "decimal", "Heading2"), ("%1.%2.%3", "decimal", "Heading3")),
    2: (("{annex}%1", "upperLetter", "Annex"), ("%1.%2", "decimal", "AnnexClause")),
}


def _numbering(made, lang) -> None:
    """Multilevel lists tied to the heading styles, so that numbers live in Word."""
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

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


# --- Finishing a Word draft: tables, sections with their page numbers, watermark, fixed properties.

#: Files carry this date instead of the time of rendering, so that equal drafts are equal files.
FIXED_DATE = datetime.datetime(2000, 1, 1)
#: Rows of a table that is not broken across pages.
SMALL_TABLE = 15


def finish(raw: bytes, lang: str, title: str, number: str, watermark: str) -> bytes:
    """Turn the document that pandoc wrote into one that can be sent out.

    Parameters
    ----------
    raw : bytes
        The document, made with :func:`sinklab.drafts.reference.document`.
    lang, title, number : str
        For the properties and the page headers.
    watermark : str
        Printed across every page; "" for a final draft.

    Returns
    -------
    document : bytes
    """
    import docx

    made = docx.Document(io.BytesIO(raw))
    for table in made.tables:
        _table(table)
    _terms(made)
    _sections(made)
    _page_furniture(made, lang, number, watermark)
    _renumber_bookmarks(made)
    _update_fields(made)
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


# Tables


def _table(table) -> None:
    from docx.enum.table import WD_TABLE_ALIGNMENT
    from docx.oxml.ns import qn

    properties = table._tbl.tblPr
    for tag in ("w:tblStyle", "w:tblBorders"):
        for old in properties.findall(qn(tag)):
            properties.remove(old)
    _borders(properties)
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    rows = list(table.rows)
    for number, row in enumerate(rows):
        # A small table stays on one page.
        together = len(rows) <= SMALL_TABLE and number + 1 < len(rows)
        _row(row, header=number == 0, together=together)


def _borders(properties) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    borders = OxmlElement("w:tblBorders")
    for side in ("top", "left", "bottom", "right", "insideH", "insideV"):
        line = OxmlElement(f"w:{side}")
        size = "4" if side.startswith("inside") else "8"
        for name, value in (("val", "single"), ("sz", size), ("space", "0"), ("color", "000000")):
            line.set(qn(f"w:{name}"), value)
        borders.append(line)
    later = ("w:shd", "w:tblLayout", "w:tblCellMar", "w:tblLook", "w:tblCaption", "w:tblDescription")
    following = next((e for e in properties if e.tag in {qn(name) for name in later}), None)
    # The schema wants the borders before these.
    (properties.append if following is None else following.addprevious)(borders)


def _row(row, header: bool, together: bool) -> None:
    from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    properties = row._tr.get_or_add_trPr()
    for tag in ("w:cantSplit", "w:tblHeader"):
        for old in properties.findall(qn(tag)):
            properties.remove(old)
    marks = ["w:cantSplit", "w:tblHeader"] if header else ["w:cantSplit"]
    for tag in marks:
        properties.append(OxmlElement(tag))
    for cell in dict.fromkeys(row.cells):
        for old in cell._tc.get_or_add_tcPr().findall(qn("w:tcBorders")):
            cell._tc.tcPr.remove(old)
        cell.vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER
        for paragraph in cell.paragraphs:
            # Cells inherit the indent of the text otherwise.
            paragraph.paragraph_format.first_line_indent = 0
            paragraph._p.pPr.find(qn("w:ind")).set(qn("w:firstLineChars"), "0")
            if together:
                paragraph.paragraph_format.keep_with_next = True


# Terms


def _terms(made) -> None:
    """Number the entries of terms like clauses; a level that belongs to a heading style must be set on each."""
    from docx.shared import Pt

    for paragraph in made.paragraphs:
        if paragraph.style.name != "Term":
            continue
        numbering = paragraph._p.get_or_add_pPr().get_or_add_numPr()
        numbering.get_or_add_ilvl().val, numbering.get_or_add_numId().val = 1, 1
        hang = paragraph.style.paragraph_format
        # The level's own indent would win over the style's.
        paragraph.paragraph_format.left_indent = hang.left_indent or Pt(0)
        paragraph.paragraph_format.first_line_indent = hang.first_line_indent or Pt(0)


# Sections


def _sections(made) -> None:
    """Replace the marks that the filter left by ends of sections: cover, front pages, body."""
    from docx.oxml.ns import qn

    body = made.element.body
    last = body.find(qn("w:sectPr"))
    _restart_pages(last, None)
    kinds = iter((None, "upperRoman", "decimal"))
    marks = [p for p in made.paragraphs if p.style.style_id == "SectionEnd"]
    for mark in marks:
        section = copy.deepcopy(last)
        _restart_pages(section, next(kinds))
        before = mark._p.getprevious()
        if (
            before is not None
            and before.tag == qn("w:p")
            and before.find(f"{qn('w:pPr')}/{qn('w:sectPr')}") is None
        ):
            # An end of its own paragraph could make an empty page.
            before.get_or_add_pPr()._insert_sectPr(section)
            body.remove(mark._p)
        else:
            mark._p.get_or_add_pPr()._insert_sectPr(section)
    _restart_pages(last, "decimal" if marks else None)


def _restart_pages(section, kind) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for old in section.findall(qn("w:pgNumType")):
        section.remove(old)
    if kind is None:
        return
    numbering = OxmlElement("w:pgNumType")
    numbering.set(qn("w:fmt"), kind)
    numbering.set(qn("w:start"), "1")
    margins = section.find(qn("w:pgMar"))
    margins.addnext(numbering)


def _page_furniture(made, lang, number, watermark) -> None:
    """Number of the standard above, page number below, watermark across; the cover has only the last."""
    several = len(made.sections) > 1
    hei = HEI if lang == "zh" else HEI_EN
    for position, section in enumerate(made.sections):
        section.header.is_linked_to_previous = section.footer.is_linked_to_previous = False
        above, below = section.header.paragraphs[0], section.footer.paragraphs[0]
        above.style, below.style = made.styles["Header"], made.styles["Footer"]
        if position or not several:
            set_fonts(above.add_run(number)._r.get_or_add_rPr(), hei)
            _page_number(below)
        if watermark:
            above._p.append(_watermark(watermark, position))


def _page_number(paragraph) -> None:
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    for inside in (
        '<w:fldChar w:fldCharType="begin"/>',
        '<w:instrText xml:space="preserve"> PAGE </w:instrText>',
        '<w:fldChar w:fldCharType="separate"/>',
        "<w:t>1</w:t>",
        '<w:fldChar w:fldCharType="end"/>',
    ):
        paragraph._p.append(parse_xml(f"<w:r {nsdecls('w')}>{inside}</w:r>"))


def _watermark(text: str, position: int):
    """Slanted grey letters behind the text, as Word writes its own watermarks."""
    from xml.sax.saxutils import quoteattr

    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    wide = sum(1.0 if ord(letter) > 0x2E80 else 0.6 for letter in text)
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


# The whole document

#: Settings that the schema wants behind ``updateFields``.
_AFTER_UPDATE_FIELDS = (
    "hdrShapeDefaults footnotePr endnotePr compat docVars rsids attachedSchema themeFontLang clrSchemeMapping "
    "doNotIncludeSubdocsInStats doNotAutoCompressPictures forceUpgrade captions readModeInkLockDown smartTagType "
    "shapeDefaults doNotEmbedSmartTags decimalSymbol listSeparator"
).split()


def _renumber_bookmarks(made) -> None:
    """Give each bookmark an id of its own; pandoc and the filter count separately."""
    from docx.oxml.ns import qn

    numbers: dict[str, str] = {}
    for element in made.element.body.iter(qn("w:bookmarkStart"), qn("w:bookmarkEnd")):
        key = qn("w:id")
        if element.tag == qn("w:bookmarkStart"):
            numbers[element.get(key)] = str(len(numbers) + 1)
        element.set(key, numbers[element.get(key)])


def _update_fields(made) -> None:
    """Let Word fill in the contents and references when the document is opened."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    settings = made.settings.element
    if settings.find(qn("w:updateFields")) is not None:
        return
    update = OxmlElement("w:updateFields")
    update.set(qn("w:val"), "true")
    later = {qn(f"w:{name}") for name in _AFTER_UPDATE_FIELDS}
    following = next((e for e in settings if e.tag in later or not e.tag.startswith(qn("w:")[:-1])), None)
    (settings.append if following is None else following.addprevious)(update)


def _properties(made, lang, title) -> None:
    properties = made.core_properties
    properties.title, properties.language = title, "zh-CN" if lang == "zh" else "en-GB"
    properties.author = properties.last_modified_by = properties.comments = ""
    properties.created = properties.modified = FIXED_DATE
    properties.revision = 1
