"""Word files from outside: bombs, entities, paths and half files are refused with the reason."""

import io
import struct
import zipfile

import pytest

from sinklab.language import DraftError
from sinklab.review import word
from sinklab.review.word import DOCUMENT, WordFile, pieces, tag

BODY = (
    '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{}</w:body>'
    "</w:document>"
)
PLAIN = BODY.format("<w:p><w:r><w:t>one 1.5</w:t></w:r></w:p>")


def packed(parts, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in {"[Content_Types].xml": "<Types/>", DOCUMENT: PLAIN, **parts}.items():
            archive.writestr(name, content)
    return out.getvalue()


def text_of(body):
    return [p.text for p in pieces(WordFile(packed({DOCUMENT: BODY.format(body)})))]


def test_plain_document_is_read():
    assert [p.text for p in pieces(WordFile(packed({})))] == ["one 1.5"]


def test_bomb_by_its_header():
    with pytest.raises(DraftError, match="unpack"):
        WordFile(packed({"word/media/a.xml": b"0" * 50_000_000}))


def test_bomb_whose_header_lies(monkeypatch):
    monkeypatch.setattr(word, "MOST_XML", 1000)
    with pytest.raises(DraftError, match="unpack"):
        WordFile(packed({"word/styles.xml": "<a>" + "x" * 5000 + "</a>"})).xml("word/styles.xml")


def test_many_parts_together(monkeypatch):
    monkeypatch.setattr(word, "MOST_UNPACKED", 10_000)
    with pytest.raises(DraftError, match="all parts"):
        WordFile(packed({f"word/{i}.xml": "y" * 3000 for i in range(5)}))
    monkeypatch.setattr(word, "MOST_PARTS", 3)
    with pytest.raises(DraftError, match="parts; at most 3"):
        WordFile(packed({f"word/{i}.xml": "y" for i in range(5)}))


BILLION = (
    '<!DOCTYPE d [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><d>&c;</d>'
)
OUTSIDE = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><d>&x;</d>'


@pytest.mark.parametrize("content", [BILLION, OUTSIDE, '<!DOCTYPE d SYSTEM "http://example.org/d.dtd"><d/>'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_and_document_types(content, encoding):
    file = WordFile(packed({"word/comments.xml": content.encode(encoding)}))
    with pytest.raises(DraftError, match="document type"):
        file.xml("word/comments.xml")


@pytest.mark.parametrize(
    "name", ["../evil.xml", "word/../../evil.xml", "/etc/evil.xml", "C:/evil.xml", "word\\..\\evil.xml"]
)
def test_parts_that_point_outside(name):
    with pytest.raises(DraftError, match="outside the document"):
        WordFile(packed({name: "<a/>"}))


def test_part_that_is_there_twice():
    with pytest.raises(DraftError, match="twice"):
        WordFile(packed({"WORD/document.xml": PLAIN}))


@pytest.mark.parametrize("raw", [b"", b"not a zip", b"PK\x03\x04 cut off", b"%PDF-1.7"])
def test_what_is_no_word_file(raw):
    with pytest.raises(DraftError, match="not a Word file"):
        WordFile(raw)


def test_zip_without_a_document_and_damaged_part(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(DraftError, match="holds no"):
        WordFile(out.getvalue())
    with pytest.raises(DraftError, match="no such file"):
        WordFile(tmp_path / "absent.docx")
    raw = bytearray(packed({}, zipfile.ZIP_STORED))
    raw[raw.index(b"one 1.5")] ^= 0xFF
    with pytest.raises(DraftError, match=r"document\.xml"):
        WordFile(bytes(raw)).xml(DOCUMENT)


def test_encrypted_part():
    raw = bytearray(packed({}))
    at = raw.rindex(b"PK\x01\x02")
    flags = struct.unpack_from("<H", raw, at + 8)[0]
    struct.pack_into("<H", raw, at + 8, flags | 1)
    with pytest.raises(DraftError, match="encrypted"):
        WordFile(bytes(raw))


def test_broken_xml_is_named():
    with pytest.raises(DraftError, match=r"word/document\.xml"):
        WordFile(packed({DOCUMENT: "<a><b></a>"})).xml(DOCUMENT)


def test_links_outside_are_listed_and_not_followed():
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Type="http://x/attachedTemplate" Target="http://evil.example/t.dotm" TargetMode="External"/>'
        '<Relationship Id="r2" Type="http://x/hyperlink" Target="https://doi.org/1" TargetMode="External"/></Relationships>'
    )
    file = WordFile(packed({"word/_rels/settings.xml.rels": relations}))
    assert file.links() == ["attachedTemplate: http://evil.example/t.dotm"]


def test_text_of_fields_changes_boxes_and_links():
    field = (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> {} </w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>{}</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )
    assert text_of("<w:p>" + field.format("SEQ Table", "7") + "</w:p>") == ["\ufffb"]
    # A number typed into the result of a field that Word does not work out is text.
    assert text_of("<w:p>" + field.format("HYPERLINK x", "0.5") + "</w:p>") == ["0.5"]
    changed = "<w:p><w:r><w:t>a</w:t></w:r><w:del><w:r><w:delText>1</w:delText></w:r></w:del><w:ins><w:r><w:t>2</w:t></w:r></w:ins></w:p>"
    assert text_of(changed) == ["a2"]
    box = "<w:p><w:r><w:drawing><w:txbxContent><w:p><w:r><w:t>3.14</w:t></w:r></w:p></w:txbxContent></w:drawing></w:r></w:p>"
    assert text_of(box) == ["3.14"]
    table = "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>4</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    (row,) = pieces(WordFile(packed({DOCUMENT: BODY.format(table)})))
    assert (row.row, row.shown) == (1, "x | 4")


def test_brackets_of_formulas_however_they_are_written():
    space = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    typed = f"<w:p><m:oMath {space}><m:r><m:t>f(x)</m:t></m:r></m:oMath></w:p>"
    inside = "<m:d>{}<m:e><m:r><m:t>x</m:t></m:r></m:e></m:d>"
    built = f"<w:p><m:oMath {space}><m:r><m:t>f</m:t></m:r>{inside.format('')}</m:oMath></w:p>"
    square = '<m:dPr><m:begChr m:val="["/><m:endChr m:val="]"/></m:dPr>'
    other = f"<w:p><m:oMath {space}><m:r><m:t>f</m:t></m:r>{inside.format(square)}</m:oMath></w:p>"
    found = pieces(WordFile(packed({DOCUMENT: BODY.format(typed + built + other)})))
    assert [p.formulas for p in found] == [("f(x)",), ("f(x)",), ("f[x]",)]


def test_footnotes_are_text():
    notes = BODY.replace("w:document", "w:footnotes").replace("<w:body>{}</w:body>", "{}")
    note = notes.format("<w:footnote><w:p><w:r><w:t>see 9.9</w:t></w:r></w:p></w:footnote>")
    found = pieces(WordFile(packed({"word/footnotes.xml": note})))
    assert [p.text for p in found] == ["one 1.5", "see 9.9"]
    assert tag("w:p").endswith("}p")
