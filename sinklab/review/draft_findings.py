"""One fault of a number in a draft, and how it is told."""

from dataclasses import dataclass

from sinklab.language import tr

KINDS = ("altered", "typed", "removed", "formula", "stale", "unknown")


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
        inside = (
            tr(f"{self.caption}, row {self.row}", f"{self.caption}，第 {self.row} 行")
            if self.row
            else self.heading
        )
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
            "stale": tr(f"{self.found}; {self.expected}", f"{self.found}；{self.expected}"),
            "unknown": tr(f"{self.found}: {self.expected}", f"{self.found}：{self.expected}"),
        }[self.kind]
        by = tr(f" (changed by {self.author})", f"（修改者：{self.author}）") if self.author else ""
        where = ", ".join(filter(None, (place, inside)))
        return f"{kind_label(self.kind)}: {where}: {said}" + (f" [{source}]" if source else "") + by


def kind_label(kind: str) -> str:
    """Kind of a finding in the reader's language."""
    zh = dict(
        zip(KINDS, ("数值被改动", "手工键入", "数值缺失", "公式不符", "表版本过时", "找不到表"), strict=True)
    )
    en = ("altered number", "hand-typed number", "number left out", "formula", "stale table", "unknown table")
    return tr(dict(zip(KINDS, en, strict=True))[kind], zh[kind])
