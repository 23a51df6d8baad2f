"""One thing that is wrong in a file, and what was read of a study."""

from dataclasses import dataclass, field
from pathlib import Path

from sinklab import paths
from sinklab.language import tr


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a file: where, what was found, what was expected, what to do."""

    file: str
    record: str
    column: str
    value: str
    expected: str
    advice: str
    rule: str

    def __str__(self):
        """One line for people."""
        where = tr(f", record {self.record}", f"，记录 {self.record}") if self.record else ""
        found = f"{self.column} = {self.value}" if self.value else self.column
        expected = tr(f"expected {self.expected}", f"应为 {self.expected}")
        end = f"; {self.advice}" if self.advice else ""
        return f"{self.file}{where}: {found}; {expected}{end}"


@dataclass
class Inspection:
    """What was read of a study, and everything that stood in the way."""

    folder: Path
    info: dict = field(default_factory=dict)
    columns: list = field(default_factory=list)
    frame: object = None
    problems: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def name(self, file: str) -> str:
        """Name of one of the files, for messages."""
        return paths.relative(self.folder / file)

    def add(self, file, record, column, value, expected, advice="", rule="file"):
        """Note a problem."""
        self.problems.append(
            Problem(self.name(file), str(record), str(column), str(value), expected, advice, rule)
        )
