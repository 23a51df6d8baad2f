"""Which numbers a draft prints, from which table, and whether they are good enough to be printed."""

from dataclasses import astuple, dataclass, fields

from sinklab.errors import DraftError, listing
from sinklab.language import tr
from sinklab.tables.naming import STATUSES

#: Status of a number that nobody read in print: weaker than all that tables know.
RECALLED = "recalled"
_ORDER = (RECALLED, *STATUSES)


@dataclass(frozen=True)
class Citation:
    """One printed number: the table, the file and name in it, the number, how it was printed, its status."""

    table: str
    file: str
    name: str
    column: str
    value: float | str
    printed: str
    status: str


class Citations:
    """All numbers that a draft prints, in the order of the text."""

    def __init__(self):
        self.entries: list[Citation] = []

    def add(self, table: str, file: str, name: str, column: str, value, printed: str, status: str) -> str:
        """Note a number and return how it is printed."""
        self.entries.append(Citation(table, file, name, column, value, printed, status))
        return printed

    def frame(self):
        """One row for each printed number, repetitions left out."""
        import pandas as pd

        rows = [astuple(entry) for entry in dict.fromkeys(self.entries)]
        return pd.DataFrame(rows, columns=[field.name for field in fields(Citation)])

    def weaker_than(self, minimum: str) -> list[str]:
        """One line for each table with numbers whose status is below ``minimum``: which numbers they are."""
        found: dict[tuple, list] = {}
        for entry in self.entries:
            if _ORDER.index(entry.status) < _ORDER.index(minimum):
                names = found.setdefault((entry.table, entry.status), [])
                label = f"{entry.file}:{entry.name}"
                if label not in names:
                    names.append(label)
        return [f"{table} ({status}): {_shortened(names)}" for (table, status), names in found.items()]

    def statuses(self) -> set[str]:
        """Statuses of all printed numbers."""
        return {entry.status for entry in self.entries}

    def require(self, minimum: str, name: str) -> None:
        """Refuse a final rendering that prints numbers whose status is not good enough.

        Raises
        ------
        DraftError
            Lists them by table.
        """
        weak = self.weaker_than(minimum)
        if weak:
            raise DraftError(
                tr(
                    f"draft {name}: a final rendering needs numbers of status {minimum} or better; these are not:\n"
                    f"{listing(weak)}\nRender with --preview (watermarked), or name tables that may be cited.",
                    f"文稿 {name}：正式稿所引数值的状态不得低于 {minimum}；以下数值不符合：\n"
                    f"{listing(weak)}\n请用 --preview 生成带水印的示范稿，或改引符合要求的参数表。",
                )
            )


def _shortened(names, limit: int = 40) -> str:
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" … +{rest}" if rest > 0 else "")
