"""What a batch consists of: jobs, each a notebook with its parameters, and drafts.

A batch file lies in ``notebooks/batches`` and looks like this::

    title: {zh: …, en: …}
    include: [trees.yml]                   # files beside this one; what this one sets wins
    notebook: fit_allometry.ipynb          # for jobs that name none
    timeout: 900                           # seconds for a whole notebook
    memory: 2 GB                           # of a kernel, where the system can limit it
    defaults: {seed: 20240611}             # for the notebooks that declare the parameter
    x-anything: &name …                    # a place for YAML anchors
    jobs:
      - id: agb_forest_pinus
        title: {zh: …, en: …}
        notebook: …
        parameters: {source: "study:…", table_id: …, version: 0.1.0, …}
        outputs: [params/…]                # left out: params/<table_id>/<version>
        inputs: [data/…]                   # files beside those of `source`
        timeout: 60
        memory: 800 MB
      - id: "agb_{species}_{region}"       # a job for every combination, see sinklab.runs.reading
        matrix: {species: all, region: [china, japan]}
    axes:
      species: {larix: {…}, betula: {…}}
    drafts:
      - {name: …, lang: [zh, en], to: [docx, html, pdf]}

A notebook that declares ``title_zh``, ``title_en`` or ``out_dir`` is given the titles of the job and the
folder for its figures, unless the job sets them.

A YAML file with its line numbers, so that every problem can say where it is.

Where a job reads and where it writes: two jobs never write the same place.
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from sinklab import paths
from sinklab.language import RunError, SinklabError, tr
from sinklab.runs.notebooks import NotebookFile

# --- What a batch consists of: jobs, each a notebook with its parameters, and drafts.

#: Seconds for a whole notebook when neither the batch nor the job says otherwise.
TIME_LIMIT = 900.0


@dataclass(frozen=True)
class Job:
    """One notebook with its parameters; ``outputs`` are files or folders below the workbench.

    ``timeout`` is in seconds, ``memory`` in bytes (None: no limit).
    """

    batch: str
    id: str
    title: dict
    notebook: NotebookFile
    parameters: dict
    outputs: tuple[str, ...]
    inputs: tuple[Path, ...]
    timeout: float
    memory: int | None = None
    kind: str = "notebook"

    @property
    def folder(self) -> str:
        """Where the executed notebook and the figures go, relative to the workbench."""
        return f"reports/runs/{self.batch}/{self.id}"


@dataclass(frozen=True)
class Draft:
    """One draft, rendered when the jobs are done."""

    batch: str
    id: str
    title: dict
    languages: tuple[str, ...]
    formats: tuple[str, ...]
    timeout: float
    kind: str = "draft"

    @property
    def folder(self) -> str:
        """Where the log of the rendering goes, relative to the workbench."""
        return f"reports/runs/{self.batch}/draft-{self.id}"


@dataclass(frozen=True)
class Batch:
    """All jobs and drafts of a batch file; ``files`` are the file and those it includes."""

    name: str
    path: Path
    title: dict
    jobs: tuple[Job, ...]
    drafts: tuple[Draft, ...]
    files: tuple[Path, ...]


def batch_path(name: str) -> Path:
    """Path of a batch, given its name or a path to a ``.yml`` file.

    Raises
    ------
    RunError
        With the batches that exist.
    """
    path = Path(name)
    if path.suffix not in (".yml", ".yaml"):
        path = paths.notebooks("batches", f"{name}.yml")
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in paths.notebooks("batches").glob("*.yml"))) or "–"
        raise RunError(
            tr(f"{path}: no such batch; batches here: {known}", f"{path}：找不到该批次；现有批次：{known}")
        )
    return path


# --- A YAML file with its line numbers, so that every problem can say where it is.

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BOOLEAN = "tag:yaml.org,2002:bool"


class BatchFile:
    """Content of a YAML file, the line of each of its entries, and the problems met while reading it.

    Attributes
    ----------
    path : Path
    data : object
        Mappings, sequences and scalars.
    problems : list of (int, str, str)
        Line, message, and the job it concerns ("": the file itself).
    """

    def __init__(self, path):
        self.path = Path(path)
        self.problems: list[tuple[int, str, str]] = []
        self._lines: dict[tuple, int] = {(): 1}
        try:
            loader = _Loader(self.path.read_text(encoding="utf-8-sig"))
            try:
                node = loader.get_single_node()
                self.data = None if node is None else loader.construct_document(node)
            finally:
                loader.dispose()
        except UnicodeDecodeError as error:
            raise RunError(
                tr(
                    f"{self.path}: not UTF-8 (byte {error.start}); save the batch file as UTF-8",
                    f"{self.path}：不是 UTF-8 编码（第 {error.start} 字节）；请将批次文件另存为 UTF-8",
                )
            ) from error
        except yaml.YAMLError as error:
            raise RunError(self._syntax(error)) from error
        if node is not None:
            self._walk(node, ())

    def line(self, *place) -> int:
        """Line of an entry, given the keys and positions that lead to it; of its parent when unknown."""
        while place not in self._lines:
            place = place[:-1]
        return self._lines[place]

    def report(self, message: str, *place, job: str = "") -> None:
        """Keep a problem for the message that names all of them."""
        self.problems.append((self.line(*place), message, job))

    def messages(self) -> list[str]:
        """Return the problems in the order of their lines, each with the name of the file.

        A problem that many jobs of one matrix have is told once, with the first of them and their number.
        """
        jobs: dict[tuple[int, str], dict[str, None]] = {}
        for line, message, job in self.problems:
            jobs.setdefault((line, message), {})[job] = None
        found = []
        for (line, message), names in jobs.items():
            first, rest = next(iter(names)), len(names) - 1
            more = tr(f" (and {rest} more)", f"（另有 {rest} 个）") if rest else ""
            found.append((line, f"{first}{more}: {message}" if first else message))
        return [f"{self.path}:{line}: {text}" for line, text in sorted(found)]

    def _syntax(self, error) -> str:
        mark = getattr(error, "problem_mark", None)
        where = f"{self.path}:{mark.line + 1}:{mark.column + 1}" if mark else str(self.path)
        what = getattr(error, "problem", None) or str(error)
        return tr(f"{where}: not valid YAML: {what}", f"{where}：YAML 语法错误：{what}")

    def _walk(self, node, place) -> None:
        """Note the lines below ``node``; find keys given twice and words that YAML reads as booleans."""
        if isinstance(node, yaml.MappingNode):
            # construct_document has put merged pairs (<<) first; they lie above the mapping that merges
            # them, and overriding one of those is no repetition.
            seen = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if key.value in seen and seen[key.value] >= node.start_mark.line + 1:
                    self.problems.append(
                        (
                            line,
                            tr(
                                f"{key.value!r} is given twice (first in line {seen[key.value]})",
                                f"{key.value!r} 重复给出（首次在第 {seen[key.value]} 行）",
                            ),
                            "",
                        )
                    )
                seen[key.value] = line
                below = (*place, key.value)
                self._lines[below] = line
                self._walk(value, below)
        elif isinstance(node, yaml.SequenceNode):
            for position, value in enumerate(node.value):
                below = (*place, position)
                self._lines[below] = value.start_mark.line + 1
                self._walk(value, below)
        elif node.tag == _BOOLEAN and node.value.lower() not in ("true", "false"):
            meaning = node.value.lower() in ("yes", "on", "y")
            self.problems.append(
                (
                    node.start_mark.line + 1,
                    tr(
                        f"{node.value} is read as {str(meaning).lower()}; put it in quotes if it is a word",
                        f"{node.value} 会被读作 {str(meaning).lower()}；若是文字请加引号",
                    ),
                    "",
                )
            )


# --- Where a job reads and where it writes: two jobs never write the same place.


def outputs(file, items, values, place) -> tuple[str, ...]:
    """Files and folders that a job writes, relative to the workbench.

    Parameters
    ----------
    file : BatchFile
        Takes the problems.
    items : list of str or None
        As the batch file says; None stands for the folder of the table that the parameters name.
    values : dict
        Parameters of the job.
    place : tuple
        Where the job stands in the batch file.
    """
    if items is None:
        named = {"table_id", "version"} <= values.keys()
        items = [f"params/{values['table_id']}/{values['version']}"] if named else []
    found = []
    for position, item in enumerate(items):
        parts = PurePosixPath(str(item)).parts
        if not parts or str(item).startswith("/") or ".." in parts or set(str(item)) & set(":\\"):
            text = tr(
                f"outputs: {item!r}; expected a path below the workbench, such as params/…",
                f"outputs：{item!r}；应为工作台内的相对路径，如 params/…",
            )
            file.report(text, *place, "outputs", position)
        else:
            found.append("/".join(parts))
    return tuple(found)


def inputs(file, items, values, place, known: dict) -> tuple[Path, ...]:
    """Files that a job reads: those of its data sources (``source``, ``sources``), and those it names.

    ``known`` keeps the files of the sources that were looked up before.
    """
    found = []
    for name in ("source", "sources"):
        specs = values.get(name)
        for spec in [specs] if isinstance(specs, str) else specs or []:
            if spec not in known:
                known[spec] = _source(file, spec, (*place, "parameters", name))
            found += known[spec]
    for position, item in enumerate(items):
        path = paths.root() / str(item)
        if not path.exists():
            text = tr(f"inputs: {item}: no such file", f"inputs：找不到文件 {item}")
            file.report(text, *place, "inputs", position)
        elif path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.is_file())
        else:
            found.append(path)
    return tuple(dict.fromkeys(found))


def _source(file, spec, place) -> list[Path]:
    from sinklab.data import catalogue

    try:
        return [Path(path) for path in catalogue.input_files(spec)]
    except SinklabError as error:
        file.report(str(error), *place)
        return []


def overlaps(entries) -> list[tuple[tuple, str]]:
    """Jobs that write the same place, or one inside the other's.

    Parameters
    ----------
    entries : list of (Job, spot)
        A spot is whatever says where the job stands.

    Returns
    -------
    problems : list of (spot, message)
    """
    # Names that differ in case only are one place on Windows and macOS.
    claims = sorted(
        (tuple(output.casefold().split("/")), position)
        for position, (job, _) in enumerate(entries)
        for output in job.outputs
    )
    problems, above, owner = [], None, None
    for claim, position in claims:
        if above is None or claim[: len(above)] != above:
            above, owner = claim, position
        elif position != owner:
            (first, _), (second, spot) = (entries[i] for i in sorted((owner, position)))
            where = "/".join(claim)
            text = tr(
                f"jobs {first.id!r} and {second.id!r} both write {where}",
                f"作业 {first.id!r} 与 {second.id!r} 都写入 {where}",
            )
            problems.append((spot, text))
    return problems
