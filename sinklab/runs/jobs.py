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
      - id: "agb_{species}_{region}"       # a job for every combination, see sinklab.runs.matrix
        matrix: {species: all, region: [china, japan]}
    axes:
      species: {larix: {…}, betula: {…}}
    drafts:
      - {name: …, lang: [zh, en], to: [docx, html, pdf]}

A notebook that declares ``title_zh``, ``title_en`` or ``out_dir`` is given the titles of the job and the
folder for its figures, unless the job sets them.
"""

from dataclasses import dataclass
from pathlib import Path

from sinklab import paths
from sinklab.errors import RunError
from sinklab.language import tr
from sinklab.runs.notebook_file import NotebookFile

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
