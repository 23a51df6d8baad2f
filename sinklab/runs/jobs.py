"""What a batch is made of: jobs and drafts, the task that a run makes of each, and the record of its execution.

A job is one notebook with its parameters; a draft is rendered when the jobs are done. A run gives each of them a
content key and the reasons why it must be executed: that is a task, which engines carry to workers. What became of
it is a record, one line of the ledger.
"""

import time
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from sinklab import paths
from sinklab.language import reader_language, tr
from sinklab.runs.notebooks import NotebookFile

#: Pairs of a code and a detail: why something must be executed, see :func:`sinklab.runs.ledger.reasons`.
Reasons = list[list[str]]


@dataclass(frozen=True)
class Entry:
    """What jobs and drafts have in common; ``mark`` tells their names apart."""

    batch: str
    id: str
    title: dict[str, str]
    kind: ClassVar[str]
    mark: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """Name in the ledger, over all batches."""
        return f"{self.batch}/{self.mark}{self.id}"

    @property
    def folder(self) -> str:
        """Where the executed notebook, the figures and the log go, relative to the workbench."""
        return f"reports/runs/{self.batch}/{self.mark.replace(':', '-')}{self.id}"


@dataclass(frozen=True)
class Job(Entry):
    """One notebook with its parameters; ``outputs`` are files or folders below the workbench.

    ``timeout`` is in seconds, ``memory`` in bytes (None: no limit).
    """

    notebook: NotebookFile
    parameters: dict[str, Any]
    outputs: tuple[str, ...]
    inputs: tuple[Path, ...]
    timeout: float
    memory: int | None = None
    kind = "notebook"


@dataclass(frozen=True)
class Draft(Entry):
    """One draft, rendered when the jobs are done."""

    languages: tuple[str, ...]
    formats: tuple[str, ...]
    timeout: float
    outputs: ClassVar[tuple[str, ...]] = ()
    kind = "draft"
    mark = "draft:"


@dataclass(frozen=True)
class Batch:
    """All jobs and drafts of a batch file; ``files`` are the file and those it includes."""

    name: str
    path: Path
    title: dict[str, str]
    jobs: tuple[Job, ...]
    drafts: tuple[Draft, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Task:
    """A job or draft with its content key, and why it must be executed (nothing: it need not be).

    Whatever a worker elsewhere must know goes with it: the workbench, the reader's language, and when it was
    planned (seconds since 1970).
    """

    job: Job | Draft
    key: str
    parts: dict[str, Any]
    why: Reasons
    root: Path = field(default_factory=paths.root)
    language: str = field(default_factory=reader_language)
    planned: float = field(default_factory=time.time)

    @property
    def name(self) -> str:
        """Name in the ledger."""
        return self.job.name

    @property
    def folder(self) -> Path:
        """Where its files go."""
        return self.root / self.job.folder


@dataclass
class Record:
    """What became of a task.

    Attributes
    ----------
    job : str
        Name in the ledger.
    started, finished, seconds
        Beginning (UTC), end (seconds since 1970), and time it took.
    status : str
        ``ok`` or ``failed``; then ``reason``, the useful ``line``, its ``place`` in the notebook and the library, and
        the ``traceback`` say why, and ``kept`` names the notebook that stopped.
    page, notebook, tables, figures, documents
        Files for the reader, relative to the workbench; ``sheets`` are the pages of tables.
    outputs : dict
        Seals of everything written, see :func:`sinklab.runs.ledger.seal`.
    """

    job: str
    kind: str = "notebook"
    batch: str = ""
    id: str = ""
    title: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    why: Reasons = field(default_factory=list)
    key: str = ""
    parts: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    finished: float = 0.0
    seconds: float = 0.0
    status: str = "ok"
    reason: str = ""
    line: str = ""
    place: str = ""
    traceback: str = ""
    kept: str = ""
    notebook: str = ""
    page: str = ""
    tables: list[str] = field(default_factory=list)
    sheets: dict[str, str] = field(default_factory=dict)
    figures: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    outputs: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the task reached its end."""
        return self.status == "ok"

    @property
    def status_word(self) -> str:
        """How the task ended, in the reader's language."""
        return tr("ok", "完成") if self.ok else tr("failed", "失败")

    def to_dict(self) -> dict[str, Any]:
        """Return what there is to tell, as plain types for the ledger."""
        return {name: value for name, value in vars(self).items() if value not in ("", [], {})}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> "Record":
        """Read a line of the ledger; what other versions told besides is passed over."""
        return cls(**{name: value for name, value in told.items() if name in _TOLD})


_TOLD = frozenset(f.name for f in fields(Record))
