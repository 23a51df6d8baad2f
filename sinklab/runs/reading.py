"""From a batch file to validated jobs; nothing starts before everything in it is known to be right."""

from pathlib import Path

from sinklab import paths
from sinklab.errors import RunError, listing
from sinklab.language import LANGUAGES, tr
from sinklab.runs import draft_files, matrix, places
from sinklab.runs.batch_file import BatchFile
from sinklab.runs.entries import Checker
from sinklab.runs.jobs import TIME_LIMIT, Batch, Draft, Job, batch_path
from sinklab.runs.notebook_file import NotebookFile

FORMATS = ("docx", "html", "pdf")
_SHARED = ("notebook", "timeout", "memory", "defaults", "axes")
_BATCH_KEYS = ("title", "include", *_SHARED, "jobs", "drafts")
_JOB_KEYS = ("id", *matrix.SETTINGS)
_DRAFT_KEYS = ("name", "title", "lang", "to", "timeout")


def read_batch(name: str) -> Batch:
    """Read and validate a batch.

    Raises
    ------
    RunError
        All problems of the file and of those it includes at once, each with its line: unknown keys,
        missing notebooks and input files, unknown, missing or wrongly typed parameters, jobs of one
        name, jobs that write the same place.
    """
    path = batch_path(name)
    files = batch_files(path)
    shared = _Shared(path.stem, files)
    readers = [_Reader(file, shared) for file in files]
    for reader in readers:
        reader.read()
    _check_together(readers, shared)
    problems = [message for file in files for message in file.messages()]
    if problems:
        head = tr("the batch cannot start:", "批次无法启动：")
        raise RunError(f"{head}\n{listing(problems, 50)}")
    title = Checker(files[0]).title(files[0].data, path.stem, ())
    jobs = tuple(job for reader in readers for job, _ in reader.jobs)
    drafts = tuple(draft for reader in readers for draft, _ in reader.drafts)
    return Batch(path.stem, path, title, jobs, drafts, tuple(file.path for file in files))


def batch_files(path: Path) -> list[BatchFile]:
    """Return a batch file and those it includes, each once, the including one first."""
    found: dict[Path, BatchFile] = {}

    def visit(path):
        file = found[path.resolve()] = BatchFile(path)
        names = file.data.get("include") if isinstance(file.data, dict) else None
        names = [names] if isinstance(names, str) else names or []
        for position, name in enumerate(names if isinstance(names, list) else []):
            below = file.path.parent / str(name)
            if not below.is_file():
                text = tr(f"include: {name}: no such file", f"include：找不到文件 {name}")
                file.report(text, "include", position)
            elif below.resolve() not in found:
                visit(below)

    visit(path)
    return list(found.values())


def names(path: Path) -> list[str]:
    """Names in the ledger of the jobs and drafts of a batch, read without any check."""
    files = batch_files(path)
    shared = _Shared(path.stem, files)
    jobs, drafts = [], []
    for file in files:
        for entry in file.data.get("jobs") or []:
            jobs += [f"{path.stem}/{job['id']}" for job, _ in matrix.expand(file, entry, shared.axes, ())]
        drafts += [f"{path.stem}/draft:{draft['name']}" for draft in file.data.get("drafts") or []]
    return jobs + drafts


class _Shared:
    """What the files of a batch share: settings, of which the including file's win; notebooks; sources."""

    def __init__(self, name: str, files: list[BatchFile]):
        self.name = name
        self.notebooks: dict[Path, NotebookFile | None] = {}
        self.sources: dict[str, list[Path]] = {}
        self.defaults: dict = {}
        self.axes: dict[str, dict] = {}
        self.limit, self.memory, self.notebook = TIME_LIMIT, None, None
        for file in reversed(files):
            data, checker = file.data if isinstance(file.data, dict) else {}, Checker(file)
            self.defaults |= checker.typed(data, "defaults", dict, {}, ())
            self.limit = checker.seconds(data, self.limit, ())
            self.memory = checker.memory(data, self.memory, ())
            self.notebook = data.get("notebook", self.notebook)
            for axis, values in checker.typed(data, "axes", dict, {}, ()).items():
                self.axes[axis] = matrix.read_axis(file, axis, values, ("axes", axis))


def _check_together(readers, shared) -> None:
    """Problems between jobs, of one file or of several."""
    jobs = [pair for reader in readers for pair in reader.jobs]
    for entries in (jobs, [pair for reader in readers for pair in reader.drafts]):
        _once(entries)
    for spot, message in places.overlaps(jobs):
        spot.report(message)
    known = {name for notebook in shared.notebooks.values() if notebook for name in notebook.parameters}
    for reader in readers:
        reader.used(known)
    main = readers[0].file
    if not any(reader.jobs or reader.drafts or reader.file.problems for reader in readers):
        main.report(tr("there is no job in this batch", "该批次中没有作业"))


def _once(entries) -> None:
    """Report names that two jobs bear; folders of Windows and macOS know no case."""
    first = {}
    for entry, spot in entries:
        name = entry.id.casefold()
        if name in first:
            where, other = first[name].wording(spot), spot.label
            text = tr(f"{entry.id!r} is used twice (first in {where})", f"{entry.id!r} 重复（首次在{where}）")
            spot.report(f"{text}: {other}" if other else text)
        first.setdefault(name, spot)


class _Spot:
    """Where a job stands: its file, its place there, and the combination of a matrix."""

    def __init__(self, file, place, label=""):
        self.file, self.place, self.label = file, place, label

    def report(self, message: str) -> None:
        """Keep a problem of this spot."""
        self.file.report(message, *self.place)

    def wording(self, seen_from: "_Spot") -> str:
        """Name the spot for a message that belongs to another one."""
        line = self.file.line(*self.place)
        text = tr(f"line {line}", f"第 {line} 行")
        if self.file is not seen_from.file:
            text = f"{self.file.path}:{line}"
        return f"{text}, {self.label}" if self.label else text


class _Reader(Checker):
    """Walks through one file of a batch and keeps every problem it meets."""

    def __init__(self, file: BatchFile, shared: _Shared):
        super().__init__(file)
        self.shared = shared
        self.jobs: list[tuple[Job, _Spot]] = []
        self.drafts: list[tuple[Draft, _Spot]] = []

    def read(self) -> None:
        """Read the jobs and drafts of the file."""
        data = self.file.data
        if not isinstance(data, dict):
            text = tr("expected a mapping with the key 'jobs'", "内容应为含有 jobs 键的映射")
            self.file.report(text)
            self.file.data = data = {}
        self.keys({k: v for k, v in data.items() if not str(k).startswith("x-")}, _BATCH_KEYS, ())
        self.title(data, self.shared.name, ())
        if not isinstance(data.get("include", []), (str, list)):
            self.file.report(tr("include: expected file names", "include：应为文件名"), "include")
        for position, entry in enumerate(self.typed(data, "jobs", list, [], ())):
            place = ("jobs", position)
            pairs = [(entry, "")]
            if isinstance(entry, dict):
                pairs = matrix.expand(self.file, entry, self.shared.axes, place)
            for job_entry, label in pairs:
                job = self._job(job_entry, place)
                if job:
                    self.jobs.append((job, _Spot(self.file, place, label)))
        for position, entry in enumerate(self.typed(data, "drafts", list, [], ())):
            draft = self._draft(entry, ("drafts", position))
            if draft:
                self.drafts.append((draft, _Spot(self.file, ("drafts", position))))

    def used(self, known: set) -> None:
        """Report defaults that no notebook of the batch takes."""
        for name in self.typed(self.file.data, "defaults", dict, {}, ()):
            if name not in known:
                text = tr(
                    f"defaults: no notebook of this batch has a parameter {name!r}",
                    f"defaults：本批次的笔记本都没有参数 {name!r}",
                )
                self.file.report(text, "defaults", name)

    def _job(self, entry, place) -> Job | None:
        if not self.named(entry, "id", _JOB_KEYS, place):
            return None
        shared = self.shared
        notebook = self._notebook(entry.get("notebook", shared.notebook), place)
        given = self.typed(entry, "parameters", dict, {}, place)
        if notebook is None:
            return None
        values = {k: v for k, v in shared.defaults.items() if k in notebook.parameters} | given
        title = self.title(entry, entry["id"], place)
        # What the job itself knows need not be repeated among its parameters.
        own = {f"title_{code}": text for code, text in title.items()}
        own["out_dir"] = f"reports/runs/{shared.name}/{entry['id']}"
        values = {k: v for k, v in own.items() if k in notebook.parameters} | values
        for name, message in notebook.check(values):
            self.file.report(message, *place, "parameters", *([name] if name else []), job=entry["id"])
        for name in values:
            self.plain(values[name], f"{entry['id']}: {name}", (*place, "parameters", name))
        written = self.typed(entry, "outputs", list, None, place)
        read = self.typed(entry, "inputs", list, [], place)
        return Job(
            batch=shared.name,
            id=entry["id"],
            title=title,
            notebook=notebook,
            parameters=notebook.plain(values),
            outputs=places.outputs(self.file, written, values, place),
            inputs=places.inputs(self.file, read, values, place, shared.sources),
            timeout=self.seconds(entry, shared.limit, place),
            memory=self.memory(entry, shared.memory, place),
        )

    def _draft(self, entry, place) -> Draft | None:
        if not self.named(entry, "name", _DRAFT_KEYS, place):
            return None
        file = paths.reports("drafts", f"{entry['name']}.yml")
        if not file.is_file():
            name = paths.relative(file)
            self.file.report(tr(f"{name}: no such draft", f"{name}：找不到该文稿"), *place, "name")
        chosen = {}
        for key, allowed in (("lang", LANGUAGES), ("to", FORMATS)):
            chosen[key] = tuple(str(item) for item in self.typed(entry, key, list, list(allowed), place))
            for wrong in [item for item in chosen[key] if item not in allowed]:
                text = ", ".join(allowed)
                self.file.report(
                    tr(f"{key}: {wrong!r}; expected {text}", f"{key}：{wrong!r}；应为 {text}"), *place, key
                )
        return Draft(
            self.shared.name,
            entry["name"],
            self.title(entry, entry["name"], place) if "title" in entry else draft_files.title(entry["name"]),
            chosen["lang"],
            chosen["to"],
            self.seconds(entry, self.shared.limit, place),
        )

    def _notebook(self, name, place) -> NotebookFile | None:
        if not isinstance(name, str):
            text = tr("the job names no notebook", "作业未指定笔记本")
            self.file.report(text, *place)
            return None
        beside = self.file.path.parent / name
        path = beside if beside.is_file() else paths.notebooks(name)
        if path not in self.shared.notebooks:
            try:
                self.shared.notebooks[path] = NotebookFile(path)
            except RunError as error:
                self.shared.notebooks[path] = None
                self.file.report(str(error), *place, "notebook")
        return self.shared.notebooks[path]
