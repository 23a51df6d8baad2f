"""Fit and pool again, from the data and the settings that a table names.

What a notebook worked out by itself: run it again with the parameters that the table names.

The notebook is the one of the workbench, never one that a package brings; the package gives its name and
values for parameters that the notebook declares. Its tables go to a folder that is thrown away.

The inputs that a table names: whether they are at hand and the same, and what they hold.
"""

import ast
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sinklab import paths
from sinklab.language import SinklabError, tr
from sinklab.results.fit_result import Certificate
from sinklab.tables import pack, package
from sinklab.tables.provenance import ModelRecord, Provenance

# --- Fit and pool again, from the data and the settings that a table names.


def refit(frames, key: str, record: ModelRecord, inputs):
    """Fit one model again.

    Parameters
    ----------
    frames : dict of DataFrame
        The files of the package.
    key : str
        Id of the model.
    record : ModelRecord
        What ``provenance.json`` keeps of it.
    inputs : Inputs

    Returns
    -------
    fit : FitResult or None
        None when the data cannot be had; then ``inputs.missing`` says why.

    Raises
    ------
    SinklabError
        The fit fails where it succeeded before.
    """
    from sinklab import fitting
    from sinklab.fitting.resample import bootstrap

    source, certificate = record.source, Certificate.from_dict(record.certificate)
    if record.method not in fitting.METHODS:
        known = ", ".join(fitting.METHODS)
        inputs.missing.append(
            tr(
                f"{key}: method {record.method} cannot be refitted here (only {known})",
                f"{key}：此处无法重新拟合方法 {record.method}（仅支持 {known}）",
            )
        )
        return None
    system = _system(frames, key)
    model = frames["models"].set_index("model_id").loc[key]
    numeric = {*frames["ranges"].query("model_id == @key")["predictor"], *system.responses}
    sampling = {}
    if record.method == "bayes":
        sampling = _sampling(key, certificate, inputs)
        if sampling is None:
            return None
    data = inputs.frame(source, numeric)
    if data is None:
        return None
    if source.get("by"):
        level = data[source["by"]].map(lambda value: f"{value}")
        data = data[level == model["label"]]
    variance = ",".join(f"{r}={spec}" for r, spec in record.variance.items())
    found = fitting.fit(
        data,
        system,
        method=record.method,
        variance=variance if record.method != "ols-log" else "none",
        estimator=certificate.estimator or "ml",
        start=certificate.start,
        bounds=certificate.bounds,
        correction=record.correction,
        level=record.level,
        # A bootstrap leaves its own seed here; the estimates depend on neither.
        seed=int(record.seed),
        label=model["label"],
        name=str(source.get("name") or "data"),
        **sampling,
    )
    told = certificate.bootstrap
    if told:
        wanted = {k: told[k] for k in ("n", "kind", "group", "interval", "seed")}
        found = bootstrap(found, **wanted)
    return found


def _sampling(key, certificate, inputs) -> dict | None:
    """Options of a Bayesian fit, None when its record does not hold them."""
    options = certificate.options
    if options is None:
        inputs.missing.append(
            tr(
                f"{key}: a posterior whose options (pooling, measurement error, tuning) are not recorded cannot be "
                "sampled again",
                f"{key}：未记录抽样选项（合并方式、测量误差、调整次数）的后验分布无法重新抽样",
            )
        )
        return None
    priors = {name: told["prior"] for name, told in (certificate.priors or {}).items()}
    return {**options, "priors": priors, "draws": certificate.draws, "chains": certificate.chains}


def noise_of(record) -> tuple[int, bool]:
    """Effective number of draws behind the uncertainty of a model, and whether its estimates are drawn too."""
    certificate = Certificate.from_dict(record.certificate)
    if record.method == "bayes":
        checks = certificate.checks or {}
        return max(int((checks.get("ess_bulk") or {}).get("value") or 0), 1), True
    return int((certificate.bootstrap or {}).get("n") or 0), False


def _system(frames, key):
    """Equations of a model as they were fitted."""
    from sinklab.equations.system import System

    lines = frames["equations"].query("model_id == @key").sort_values("equation_order")
    system = System.parse("\n".join(lines["equation"]))
    random = frames["random_effects"].query("model_id == @key") if "random_effects" in frames else ()
    if len(random) and not system.groups:
        # Packages of before wrote the equations of a mixed model without its groups.
        system = system.grouped(random["group_column"].iloc[0], dict.fromkeys(random["row"]))
    return system


def frames_of(fit, key: str, frames) -> dict:
    """Files of one recomputed model, laid out as the package lays them out.

    Raises
    ------
    TableError
        The recomputed fit could not become a table.
    """
    pack.check_fits([fit])
    stored = frames["models"].set_index("model_id").loc[key]
    classes = frames["indices"].query("model_id == @key")["class_column"]
    by_class = next((c for c in classes if c), None)
    made = pack.pack_table(
        [fit], [stored["status"]], [stored["source"]], stored["group_column"], None, by_class
    )
    return {
        name: frame.assign(model_id=key) if "model_id" in frame else frame for name, frame in made.items()
    }


def pool_again(values, about: Provenance, inputs):
    """Pool the scalar values again from printed rows.

    Parameters
    ----------
    values : DataFrame
        The file ``values.csv``.
    about : Provenance
        ``provenance.json``.
    inputs : Inputs

    Returns
    -------
    pooled : DataFrame or None
        None when the values were not pooled from ``literature:``, or their rows cannot be had.
    """
    import pandas as pd

    from sinklab.evidence import pooling

    taken = [record.source for record in about.models.values()]
    # Values that say how else they were summarised (levels, draws) are not those of a pooling.
    sources = [
        s
        for s in about.data
        if s not in taken and str(s.get("spec", "")).startswith("literature:") and not s.get("summary")
    ]
    if len(sources) != 1:
        inputs.missing.append(
            tr(
                f"values.csv: {len(values)} values were not pooled from one file of data/literature, so "
                "nothing says how to recompute them",
                f"values.csv：{len(values)} 个取值并非由 data/literature 的一个文件汇总得出，无从重算",
            )
        )
        return None
    rows = inputs.frame(sources[0])
    if rows is None:
        return None
    parts = []
    for (variable, level), part in values.groupby(["variable", "level"], sort=False, dropna=False):
        by = [piece.partition("=")[0] for piece in str(part["group"].iloc[0]).split(";") if piece]
        try:
            parts.append(pooling.summarise(rows, variable, by, level=float(level)))
        except (SinklabError, KeyError, ValueError) as error:
            inputs.missing.append(f"values.csv, {variable}: {error}")
    return pd.concat(parts, ignore_index=True) if parts else None


# --- The inputs that a table names: whether they are at hand and the same, and what they hold.

#: Kinds of sources that can be read again by name.
LOADED = ("study", "open", "literature")


@dataclass(frozen=True)
class Input:
    """One input file: the SHA-256 that the table names, and the one found ("" when absent)."""

    name: str
    stored: str
    found: str

    @property
    def agreed(self) -> bool:
        """Whether the file is the one the table was made from."""
        return self.stored == self.found


def _beside(stored) -> list[Path]:
    """Files of the workbench's data that a table names, such as further files of printed values."""
    data, named = paths.data().resolve(), [paths.root() / name for name in stored]
    return [path for path in named if path.resolve().is_relative_to(data) and path.is_file()]


class Inputs:
    """Reads each source once and keeps what was found of it.

    Parameters
    ----------
    files : sequence of path, optional
        Own data files, for tables that were made from plain files (``file:trees.csv``).
    """

    def __init__(self, files=()):
        self.given = {Path(file).name: Path(file) for file in files}
        self.checked: dict[str, Input] = {}
        self.missing: list[str] = []
        self._frames: dict[str, object] = {}

    def frame(self, source: dict, numeric=()):
        """Data of a source, None when they cannot be had (then :attr:`missing` says why).

        Parameters
        ----------
        source : dict
            Record of ``provenance.json``.
        numeric : collection of str
            Columns of a plain file that hold numbers.
        """
        key = repr((source.get("spec"), source.get("where"), source.get("name")))
        if key not in self._frames:
            self._frames[key] = self._read(source, numeric)
        return self._frames[key]

    def check(self, source: dict) -> None:
        """Compare the files of a source with those of today, without reading the data."""
        spec = str(source.get("spec") or "")
        stored = dict(source.get("files") or {})
        if spec.partition(":")[0] in LOADED and stored:
            from sinklab.data import catalogue

            try:
                files = catalogue.input_files(spec)
                if spec.startswith("open:"):
                    # Known by their names in the catalogue, wherever they lie.
                    ends = {
                        name: next((f for f in files if f.as_posix().endswith(name)), None) for name in stored
                    }
                    found = {name: paths.file_sha256(f) for name, f in ends.items() if f}
                else:
                    found = paths.files_sha256(dict.fromkeys([*files, *_beside(stored)]))
                self._check(stored, found)
            except SinklabError as error:
                self._check(stored, {})
                self.missing.append(f"{spec}: {error}")

    def _read(self, source, numeric):
        spec = str(source.get("spec") or "")
        kind = spec.partition(":")[0]
        stored = dict(source.get("files") or {})
        try:
            if kind in LOADED:
                from sinklab.data import open_data

                frame = open_data.load(spec, source.get("where") or None)
                self._check(stored, dict(frame.attrs["source"].get("files") or {}))
                return frame
            return self._own_file(spec or str(source.get("name") or "?"), stored, numeric)
        except SinklabError as error:
            self._check(stored, {})
            self.missing.append(f"{spec or source.get('name')}: {error}")
            return None

    def _own_file(self, spec, stored, numeric):
        from sinklab.data.files import read_csv

        names = list(stored) or [spec.partition(":")[2] or spec]
        here = [name for name in names if name in self.given]
        if len(names) != 1 or not here:
            self._check(stored, {})
            wanted = ", ".join(names)
            self.missing.append(
                tr(
                    f"{spec}: the table was made from a file that only its maker has; name it with --data {wanted}",
                    f"{spec}：该表由本地文件生成，仅制表人持有；请用 --data {wanted} 指明",
                )
            )
            return None
        path = self.given[here[0]]
        frame = read_csv(path, numeric=set(numeric))
        self._check(stored, {here[0]: paths.file_sha256(path)})
        return frame

    def _check(self, stored, found):
        for name in dict.fromkeys([*stored, *found]):
            self.checked[name] = Input(name, stored.get(name, ""), found.get(name, ""))


# --- What a notebook worked out by itself: run it again with the parameters that the table names.

#: Seconds after which a notebook is given up.
TIME_LIMIT = 900
_NOTEBOOK = re.compile(r"notebooks/[A-Za-z0-9_]+\.ipynb")


def frames_again(recipe: dict, table_id: str, version: str, inputs):
    """Files of a table as the notebook of a recipe gives them today.

    Parameters
    ----------
    recipe : dict
        As :func:`sinklab.paths.recipe` wrote it.
    table_id, version : str
        Of the table that is verified.
    inputs : Inputs
        Learns whether the notebook is the one the table was made with, and what is missing.

    Returns
    -------
    frames : dict of DataFrame, or None
        By name of the file; None when the notebook cannot be run, then ``inputs.missing`` says why.
    """
    name, parameters = str(recipe.get("notebook")), dict(recipe.get("parameters") or {})
    path = paths.root() / name
    if not _NOTEBOOK.fullmatch(name) or not path.is_file():
        inputs.missing.append(tr(f"{name}: no such notebook here", f"此处没有笔记本 {name}"))
        return None
    try:
        given = {key: ast.literal_eval(text) for key, text in parameters.items()}
        code, declared = paths.notebook_code(path)
    except (ValueError, SyntaxError, SinklabError) as error:
        inputs.missing.append(f"{name}: {error}")
        return None
    inputs.checked[name] = Input(name, str(recipe.get("code", "")), code)
    unknown = sorted({*parameters} - {*declared})
    if unknown:
        inputs.missing.append(
            tr(
                f"{name} no longer has the parameters {', '.join(unknown)}",
                f"{name} 已没有参数 {'、'.join(unknown)}",
            )
        )
        return None
    own = {"table_id": table_id, "version": version}
    with tempfile.TemporaryDirectory(prefix="sinklab-review-") as place:
        own["out_dir"] = str(Path(place) / "out")
        fault = _run(path, given | {k: own[k] for k in declared if k in own}, Path(place) / "params")
        folder = Path(place) / "params" / table_id / version
        if not fault and not folder.is_dir():
            fault = tr("it wrote no table", "未写出参数表")
        if fault:
            inputs.missing.append(
                tr(
                    f"{name} cannot be run again: {fault}",
                    f"{name} 无法重新运行：{fault}",
                )
            )
            return None
        return package.read_folder(folder)[0]


def _run(path, parameters, tables) -> str:
    """Execute a notebook and return what went wrong, "" for nothing."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.read(path, as_version=4)
    tagged = [i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ())]
    lines = [f"{name} = {value!r}" for name, value in parameters.items()]
    notebook.cells.insert(tagged[0] + 1 if tagged else 0, nbformat.v4.new_code_cell("\n".join(lines)))
    client = NotebookClient(
        notebook,
        timeout=TIME_LIMIT,
        kernel_name="python3",
        resources={"metadata": {"path": str(paths.root())}},
    )
    library = Path(__file__).resolve().parents[2]
    search = os.pathsep.join(filter(None, [str(library), os.environ.get("PYTHONPATH")]))
    own = {"SINKLAB_PARAMS": str(tables), "SINKLAB_ROOT": str(paths.root()), "PYTHONPATH": search}
    try:
        # What the kernel itself has to say is not for the reader.
        client.execute(env=os.environ | own, stderr=subprocess.DEVNULL)
    except CellExecutionError as error:
        return f"{error.ename}: {error.evalue}"
    except (CellTimeoutError, DeadKernelError) as error:
        return str(error)
    return ""
