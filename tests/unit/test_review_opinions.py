"""Comments and tracked changes: out of a document, into a list, and what the next version did about them."""

import io
from dataclasses import replace

import pytest

from sinklab.language import DataError, DraftError
from sinklab.review.opinions import COLUMNS, follow, read_list, read_opinions, write_list

W = 'w:author="{}" w:date="2026-03-04T05:06:07Z"'


def document(path, *, trees="150 trees", density=None, drop=False, comment=True):
    """A short draft as Word would hold it; ``density`` is tracked, True, False or None for not there."""
    docx = pytest.importorskip("docx")
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    made = docx.Document()
    made.add_heading("Modelling sample", 1)
    made.add_heading("Composition", 2)
    first = made.add_paragraph("The models rest on ")
    words = first.add_run(trees)
    first.add_run(", felled in three provinces.")
    if comment:
        made.add_comment(words, text="Why so few?", author="专家甲", initials="甲")
        made.add_comment(words, text="=HYPERLINK(1)", author="专家乙", initials="乙")
    second = made.add_paragraph("The density of wood is ")
    if density == "tracked":
        for kind, tag, text in (("del", "delText", "taken from tables"), ("ins", "t", "measured on discs")):
            author = W.format("Reviewer B")
            second._p.append(
                parse_xml(
                    f'<w:{kind} {nsdecls("w")} w:id="{7 if kind == "del" else 8}" {author}><w:r><w:{tag}>{text}</w:{tag}>'
                    f"</w:r></w:{kind}>"
                )
            )
    else:
        second.add_run(density or "taken from tables")
    second.add_run(" of the region.")
    if not drop:
        third = made.add_paragraph("Trees of other provinces may be added to the sample.")
        if comment:
            made.add_comment(third.runs[0], text="Unclear.", author="专家甲", initials="甲")
    table = made.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "stem", "0.0447"
    if comment:
        made.add_comment(table.cell(0, 1).paragraphs[0].runs[0], text="Unit?", author="专家丙", initials="丙")
    out = io.BytesIO()
    made.save(out)
    path.write_bytes(out.getvalue())
    return path


@pytest.fixture
def first(tmp_path):
    return document(tmp_path / "first.docx", density="tracked")


def test_every_opinion_has_its_author_words_and_place(first):
    found = read_opinions(first).entries
    told = [(o.kind, o.author, o.words, o.text) for o in found]
    assert told == [
        ("comment", "专家甲", "150 trees", "Why so few?"),
        ("comment", "专家乙", "150 trees", "=HYPERLINK(1)"),
        ("deletion", "Reviewer B", "taken from tables", ""),
        ("insertion", "Reviewer B", "measured on discs", ""),
        ("comment", "专家甲", "Trees of other provinces may be added to the sample.", "Unclear."),
        ("comment", "专家丙", "0.0447", "Unit?"),
    ]
    assert found[0].clause == "1.1 Composition"
    assert (found[0].paragraph, found[-1].row) == (3, 1)
    assert found[2].date == "2026-03-04T05:06:07Z"
    assert found[2].original == "The density of wood is taken from tables of the region."
    assert found[2].current == "The density of wood is measured on discs of the region."


@pytest.mark.parametrize("suffix", [".csv", ".yml"])
def test_list_is_read_back_unchanged(first, tmp_path, suffix):
    found = read_opinions(first)
    path = write_list(found, tmp_path / f"opinions{suffix}")
    again = read_list(path)
    assert again.entries == found.entries
    before = path.read_bytes()
    write_list(again, path)
    assert path.read_bytes() == before
    if suffix == ".csv":
        # A comment must not run as a formula in the workbook of the one who answers it.
        assert b",'=HYPERLINK(1)," in before
        assert b",=HYPERLINK" not in before


def test_next_version_marks_what_was_done(first, tmp_path):
    found = read_opinions(first)
    path = write_list(found, tmp_path / "opinions.csv")
    filled = [replace(o, answer="kg, see 5.1") if o.text == "Unit?" else o for o in read_list(path).entries]
    listed = replace(found, entries=tuple(filled))
    following = document(
        tmp_path / "next.docx", trees="212 trees", density="measured on discs", drop=True, comment=False
    )
    status = {(o.kind, o.text): o.status for o in follow(listed, following).entries}
    assert status == {
        ("comment", "Why so few?"): "changed",
        ("comment", "=HYPERLINK(1)"): "changed",
        ("deletion", ""): "adopted",
        ("insertion", ""): "adopted",
        ("comment", "Unclear."): "removed",
        ("comment", "Unit?"): "answered",
    }


def test_next_version_that_did_nothing_is_open_and_declined(first, tmp_path):
    following = document(tmp_path / "next.docx", comment=False)
    followed = follow(read_opinions(first), following).entries
    assert [o.status for o in followed] == ["open", "open", "declined", "declined", "open", "open"]


def test_changes_that_are_still_tracked_are_pending(first, tmp_path):
    following = document(tmp_path / "next.docx", density="tracked", comment=False)
    status = [o.status for o in follow(read_opinions(first), following).entries]
    assert status[2:4] == ["pending", "pending"]


def test_replies_and_resolved_comments(tmp_path):
    import zipfile

    source = document(tmp_path / "plain.docx")
    head = 'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" xmlns:w15="http://schemas.microsoft.com/office/word/2012/wordml"'
    target = tmp_path / "threads.docx"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            raw = old.read(name)
            if name == "word/comments.xml":
                pieces = raw.decode("utf-8").split("<w:p>")
                marked = [pieces[0]] + [
                    f'<w:p {head} w14:paraId="0000000{i}">{p}' for i, p in enumerate(pieces[1:])
                ]
                raw = "".join(marked).encode("utf-8")
            new.writestr(name, raw)
        states = (
            f'<w15:commentsEx {head}><w15:commentEx w15:paraId="00000000" w15:done="1"/>'
            '<w15:commentEx w15:paraId="00000001" w15:paraIdParent="00000000" w15:done="1"/>'
            '<w15:commentEx w15:paraId="00000002" w15:done="0"/></w15:commentsEx>'
        )
        new.writestr("word/commentsExtended.xml", states)
    entries = read_opinions(target).entries
    assert [(o.kind, o.resolved) for o in entries[:3]] == [
        ("comment", True),
        ("reply", True),
        ("comment", False),
    ]
    assert entries[1].parent == entries[0].key
    before = read_opinions(source)
    assert [o.status for o in follow(before, target).entries[:1]] == ["answered"]


def test_list_that_is_none_is_refused(tmp_path, first):
    path = tmp_path / "list.csv"
    path.write_text("key,kind\n1,comment\n", encoding="utf-8")
    with pytest.raises(DataError, match="record 1: author"):
        read_list(path)
    path = tmp_path / "list.yml"
    path.write_text("- 1\n", encoding="utf-8")
    with pytest.raises(DataError, match="not a list"):
        read_list(path)
    with pytest.raises(DraftError, match=r"\.csv or \.yml"):
        write_list(read_opinions(first), tmp_path / "list.xls")
    assert len(COLUMNS) == 18
