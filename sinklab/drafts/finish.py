"""Finishing a Word draft: tables, sections with their page numbers, watermark, fixed properties."""

import copy
import datetime
import io
import zipfile

from sinklab.drafts.reference import HEI, HEI_EN, set_fonts

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
