"""What a batch is made of, and the ledger of what became of it.

A job is one notebook with its parameters, read before a kernel starts; a draft is rendered when the jobs are done. A run
gives each of them a content key and the reasons why it must be executed: that is a task, which engines carry to workers.
What became of it is a record, one JSON line of the ledger; the last line of a job counts. A content key says what a job
is made from (code cells, parameters, input files, library, lock and versions), so that a later run can tell whether it
must be executed again, and which part of it changed.
"""

import ast
import hashlib
import json
import os
import re
import time
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from sinklab import paths
from sinklab.language import RunError, reader_language, tr

#: Types that a parameter may be declared with.
TYPES = {"str": str, "int": int, "float": float, "bool": bool, "dict": dict, "list": list, "None": type(None)}


@dataclass(frozen=True)
class Parameter:
    """One name of the cell tagged ``parameters``.

    ``kinds`` names the accepted types (none: anything goes); a parameter without a default, or with
    ``...`` as default, is required.
    """

    name: str
    kinds: tuple[str, ...]
    required: bool


class NotebookFile:
    """A notebook as text: its code cells and its tagged parameters.

    Raises
    ------
    RunError
        The file is missing, is not a notebook, or its parameters cell cannot be read.
    """

    def __init__(self, path: Path):
        self.path = path
        if not path.is_file():
            raise RunError(f"{path}: no such notebook", f"{path}：找不到该笔记本")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
            tagged = [c for c in cells if "parameters" in c.get("metadata", {}).get("tags", ())]
            spec = content.get("metadata", {}).get("kernelspec", {})
            self.language = str(spec.get("language") or "python")
            self.code = tuple("".join(cell["source"]) for cell in cells)
            found = ["".join(cell["source"]) for cell in tagged]
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{path}: not a Jupyter notebook of format 4 ({error!r})",
                f"{path}：不是 Jupyter 第 4 版格式的笔记本（{error!r}）",
            ) from error
        if len(found) > 1:
            raise RunError(
                f"{path}: {len(found)} cells are tagged 'parameters'; expected at most one",
                f"{path}：有 {len(found)} 个单元格带 parameters 标签；最多一个",
            )
        if self.language.lower() != "python":
            name = spec.get("name")
            raise RunError(
                f"{path}: written for the kernel {name!r} ({self.language}), which is not one of this "
                "environment; jobs are executed by its Python",
                f"{path}：所用内核 {name!r}（{self.language}）不在此环境中；作业由本环境的 Python 执行",
            )
        if find_spec("ipykernel") is None:
            raise RunError(
                f"{path}: no Python kernel is installed here (package ipykernel); run: python run.py setup",
                f"{path}：此环境没有 Python 内核（ipykernel 包）；请执行：python run.py setup",
            )
        self.parameters = _declared(found[0], path) if found else {}

    def check(self, values: dict[str, Any]) -> list[tuple[str | None, str]]:
        """Compare parameter values with what the notebook declares.

        Returns
        -------
        problems : list of (name or None, message)
            Unknown and missing names, and values of another type.
        """
        problems = []
        for name, value in values.items():
            if name not in self.parameters:
                problems.append((name, self._unknown(name)))
            elif not accepts(self.parameters[name].kinds, value):
                problems.append((name, _wrong_type(self.parameters[name], value)))
        for name, parameter in self.parameters.items():
            if parameter.required and name not in values:
                text = tr(
                    f"parameter {name!r} of {self.path.name} is missing",
                    f"缺少 {self.path.name} 的参数 {name!r}",
                )
                problems.append((None, text))
        return problems

    def plain(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values with whole numbers as floats where the notebook asks for floats only."""
        found = dict(values)
        for name, value in values.items():
            kinds = self.parameters[name].kinds if name in self.parameters else ()
            if type(value) is int and "float" in kinds and "int" not in kinds:
                found[name] = float(value)
        return found

    def _unknown(self, name: str) -> str:
        near = get_close_matches(name, self.parameters, n=1)
        known = ", ".join(self.parameters) or "–"
        hint = tr(f"did you mean {near[0]!r}?", f"是否为 {near[0]!r}？") if near else ""
        return tr(
            f"parameter {name!r} is not known to {self.path.name}; {hint or 'it knows: ' + known}",
            f"{self.path.name} 没有参数 {name!r}；{hint or '已有：' + known}",
        )


def accepts(kinds, value) -> bool:
    """Whether a value has one of the types; a whole number passes as ``float``, a boolean never as a number."""
    if not kinds:
        return True
    if isinstance(value, bool):
        return "bool" in kinds
    if isinstance(value, int) and "float" in kinds:
        return True
    return isinstance(value, tuple(TYPES[kind] for kind in kinds))


def _wrong_type(parameter: Parameter, value) -> str:
    expected, found = " | ".join(parameter.kinds), type(value).__name__
    hint = ""
    if "str" in parameter.kinds:
        hint = tr("; put it in quotes", "；请加引号")
    elif (
        "float" in parameter.kinds and isinstance(value, str) and re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", value)
    ):
        hint = tr("; YAML wants a decimal point: 1.0e-3", "；YAML 要求小数点：1.0e-3")
    return tr(
        f"parameter {parameter.name!r} = {value!r} is {found}; expected {expected}{hint}",
        f"参数 {parameter.name!r} = {value!r} 的类型为 {found}；应为 {expected}{hint}",
    )


def _declared(source: str, path: Path) -> dict[str, Parameter]:
    """Names, types and need of the assignments in a parameters cell."""
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise RunError(
            f"{path}: the parameters cell is not Python (its line {error.lineno}: {error.msg})",
            f"{path}：参数单元格不是合法的 Python（其第 {error.lineno} 行：{error.msg}）",
        ) from error
    found = {}
    for statement in body:
        if isinstance(statement, ast.Assign):
            targets, kinds = statement.targets, ()
        elif isinstance(statement, ast.AnnAssign):
            targets, kinds = [statement.target], _annotated(statement.annotation)
        else:
            continue
        value = statement.value
        required = value is None or (isinstance(value, ast.Constant) and value.value is Ellipsis)
        if isinstance(statement, ast.Assign) and not required:
            kinds = _kind_of_default(value)
        for target in targets:
            if isinstance(target, ast.Name):
                found[target.id] = Parameter(target.id, kinds, required)
    return found


def _annotated(node) -> tuple[str, ...]:
    """Types of a plain annotation: ``str | None`` gives both, ``dict[str, float]`` ``dict``; none of another one."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        left, right = _annotated(node.left), _annotated(node.right)
        return left + right if left and right else ()
    if isinstance(node, ast.Subscript):
        return _annotated(node.value)
    name = ast.unparse(node)
    return (name,) if name in TYPES else ()


def _kind_of_default(node) -> tuple[str, ...]:
    """Type that a default stands for; none when it is not known, or None."""
    try:
        name = type(ast.literal_eval(node)).__name__
    except ValueError:
        return ()
    return (name,) if name in TYPES and name != "NoneType" else ()


#: Pairs of a code and a detail: why something must be executed, see :func:`reasons`.
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
        Seals of everything written, see :func:`seal`.
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


# The ledger, and the content keys in it


def ledger_path() -> Path:
    """``reports/runs/ledger.jsonl`` of the workbench."""
    return paths.reports("runs", "ledger.jsonl")


def read(path=None) -> dict[str, Record]:
    """Last record of every job, by its name, in the order in which the jobs were last executed.

    A line that is not a whole record is what an interrupted write leaves, and is passed over.
    """
    path = Path(path or ledger_path())
    records: dict[str, Record] = {}
    if not path.is_file():
        return records
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                record = Record.from_dict(json.loads(line))
            except (ValueError, AttributeError, TypeError, RecursionError):
                continue
            records.pop(record.job, None)
            records[record.job] = record
    return records


def append(record: Record, path=None) -> None:
    """Add one record; safe among processes that share the file."""
    from filelock import FileLock

    path = Path(path or ledger_path())
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record.to_dict(), ensure_ascii=False, separators=(",", ":"))
    with FileLock(f"{path}.lock"), open(path, "ab+") as stream:
        # The end of a torn line would swallow the record that follows it.
        stream.seek(0, 2)
        if stream.tell():
            stream.seek(-1, 2)
            if stream.read(1) != b"\n":
                stream.write(b"\n")
        stream.write(text.encode("utf-8", "backslashreplace") + b"\n")
        stream.flush()


class Workbench:
    """What all jobs of a run share, hashed once: source, lock, stack, vocabulary, rules; and a memo of files."""

    def __init__(self):
        self.source = paths.source_sha256()
        self.lock = paths.lock_sha256()
        self.stack = paths.versions()
        self._memo: dict[Path, str] = {}
        rooms = (paths.data("vocabulary"), paths.data("rules"))
        self.shared = self.hashes(p for room in rooms for p in sorted(room.glob("*")) if p.is_file())

    def hashes(self, files) -> dict[str, str]:
        """SHA-256 of files by name: relative to the workbench, absolute for files outside it."""
        found = {}
        for path in files:
            path = Path(path)
            if path not in self._memo:
                self._memo[path] = paths.file_sha256(path) if path.is_file() else ""
            found[place_of(path)] = self._memo[path]
        return found

    def parts(self, job: Job) -> dict[str, Any]:
        """Everything that a notebook job is made from, part by part."""
        code = _sha256("\x00".join(job.notebook.code))
        return {"notebook": code} | self._parts(job.parameters, job.inputs)

    def draft_parts(self, draft: Draft, files) -> dict[str, Any]:
        """Everything that a draft is made from; ``files`` are its description, templates and tables."""
        return self._parts({"lang": list(draft.languages), "to": list(draft.formats)}, files)

    def _parts(self, parameters: dict, files) -> dict[str, Any]:
        return {
            "parameters": parameters,
            "inputs": self.hashes(files) | self.shared,
            "source": self.source,
            "lock": self.lock,
            "stack": self.stack,
        }


def key_of(parts: dict[str, Any]) -> str:
    """Content key: SHA-256 of the parts, whatever the order of names in them."""
    return _sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def place_of(path) -> str:
    """Name of a file in the ledger: relative to the workbench or to ``SINKLAB_DATA``, so that folders may move."""
    path = Path(os.path.abspath(path))
    for folder, prefix in ((paths.root(), ""), (paths.open_data(), "SINKLAB_DATA/")):
        if folder and path.is_relative_to(folder):
            return prefix + path.relative_to(folder).as_posix()
    return path.as_posix()


def seal(files) -> dict[str, list]:
    """Size, time and hash of written files, so that a later run can tell whether they are still there."""
    found = {}
    for path in files:
        state = path.stat()
        found[place_of(path)] = [state.st_size, state.st_mtime_ns, paths.file_sha256(path)]
    return found


def broken_seals(sealed: dict[str, list]) -> list[str]:
    """Files that are missing or no longer as they were written; size and time spare most of the hashing."""
    changed = []
    for name, (size, modified, digest) in sealed.items():
        path = paths.root() / name
        try:
            state = os.stat(path)
        except OSError:
            changed.append(name)
            continue
        if state.st_size == size and (state.st_mtime_ns == modified or paths.file_sha256(path) == digest):
            continue
        changed.append(name)
    return changed


def reasons(record: Record | None, parts: dict[str, Any]) -> Reasons:
    """Why a job must be executed: pairs of a code and a detail; none when its last result still holds.

    Parameters
    ----------
    record : Record or None
        Last record of the job in the ledger.
    parts : dict
        What the job would be made from now.
    """
    if record is None:
        return [["new", ""]]
    found = [] if record.ok else [["failed", ""]]
    before = record.parts
    for part in ("notebook", "source", "lock"):
        if before.get(part) != parts.get(part):
            found.append([part, ""])
    for part in ("parameters", "inputs", "stack"):
        old, new = before.get(part, {}), parts.get(part, {})
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                detail = name if part == "inputs" else f"{name}: {_short(old, name)} → {_short(new, name)}"
                found.append([part, detail])
    found += [["output", name] for name in broken_seals(record.outputs)]
    return found


def _short(values: dict, name: str) -> str:
    text = " ".join(str(values[name]).split()) if name in values else "–"
    return text if len(text) <= 40 else text[:39] + "…"


def wording(reason) -> str:
    """Say a reason in the reader's language."""
    code, detail = reason
    text = {
        "new": tr("first run", "首次运行"),
        "failed": tr("failed last time", "上次失败"),
        "forced": tr("forced", "强制重跑"),
        "notebook": tr("notebook code changed", "笔记本代码有变"),
        "source": tr("sinklab source changed", "sinklab 源码有变"),
        "lock": tr("requirements.lock changed", "requirements.lock 有变"),
        "parameters": tr("parameter", "参数"),
        "inputs": tr("input changed:", "输入文件有变："),
        "stack": tr("version", "版本"),
        "output": tr("output missing or changed:", "结果文件缺失或被改动："),
        "upstream": tr("after", "随上游作业："),
    }[code]
    return f"{text} {detail}".strip()


def wordings(found, limit: int = 2) -> str:
    """Say the first reasons in one line, and count the rest."""
    shown = "; ".join(wording(reason) for reason in found[:limit])
    rest = len(found) - limit
    return shown + (tr(f"; {rest} more", f"；另有 {rest} 项") if rest > 0 else "")
