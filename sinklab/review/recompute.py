"""A table computed again from what it records: inputs read, models fitted, values pooled, its notebook run.

:class:`Inputs` finds the sources that a table names and says whether they are the same;
:class:`Recomputation` fits and pools from them with the settings of the table. What a notebook worked out
by itself needs the notebook: the one of the workbench is run, never one that a package brings; the package
gives its name and values for parameters that the notebook declares, and its tables go to a folder that is
thrown away. What cannot be done is a line of :attr:`Inputs.missing`, not an error.
"""

import ast
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sinklab import paths
from sinklab.data import vocabulary
from sinklab.language import SinklabError, tr
from sinklab.results.fit_result import Certificate
from sinklab.tables import pack, package
from sinklab.tables.package import ModelRecord, Provenance

# What was recorded: the inputs

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
        spec, stored = str(source.get("spec") or ""), dict(source.get("files") or {})
        if spec.partition(":")[0] in LOADED and stored:
            self._tried(spec, stored, lambda: _of_today(spec, stored))

    def _read(self, source, numeric):
        spec, stored = str(source.get("spec") or ""), dict(source.get("files") or {})
        frames: list = []

        def load():
            if spec.partition(":")[0] in LOADED:
                from sinklab.data import open_data

                frames.append(open_data.load(spec, source.get("where") or None))
                return dict(frames[0].attrs["source"].get("files") or {})
            told = source.get("reading") or {}
            frame, found = self._own_file(spec or str(source.get("name") or "?"), stored, numeric, told)
            frames.append(frame)
            return found

        self._tried(spec or str(source.get("name")), stored, load)
        return frames[0] if frames else None

    def _own_file(self, spec, stored, numeric, told):
        from sinklab.data.reading import read

        names = list(stored) or [spec.partition(":")[2] or spec]
        here = [name for name in names if name in self.given]
        if len(names) != 1 or not here:
            wanted = ", ".join(names)
            self.missing.append(
                tr(
                    f"{spec}: the table was made from a file that only its maker has; name it with --data {wanted}",
                    f"{spec}：该表由本地文件生成，仅制表人持有；请用 --data {wanted} 指明",
                )
            )
            return None, {}
        path = self.given[here[0]]
        return read(path, needed=set(numeric), text={"species"}, **told), {here[0]: paths.file_sha256(path)}

    def _tried(self, name, stored, load) -> None:
        """Note the SHA-256 of the files that ``load`` gives, and why it gives none."""
        try:
            found = load()
        except SinklabError as error:
            found = {}
            self.missing.append(f"{name}: {error}")
        for file in dict.fromkeys([*stored, *found]):
            self.checked[file] = Input(file, stored.get(file, ""), found.get(file, ""))


def _of_today(spec: str, stored) -> dict[str, str]:
    """SHA-256 of the files that a source consists of today."""
    from sinklab.data import catalogue

    files = catalogue.input_files(spec)
    if not spec.startswith("open:"):
        # Beside them a table may name more files of the workbench's data, such as further printed values.
        data, named = paths.data().resolve(), [paths.root() / name for name in stored]
        beside = [path for path in named if path.resolve().is_relative_to(data) and path.is_file()]
        return paths.files_sha256(dict.fromkeys([*files, *beside]))
    # Known by their names in the catalogue, wherever they lie.
    ends = {name: next((f for f in files if f.as_posix().endswith(name)), None) for name in stored}
    return {name: paths.file_sha256(f, raw=True) for name, f in ends.items() if f}


# Fitted and pooled again


class Recomputation:
    """A table's models and values computed again, each once, from inputs that are read once.

    Parameters
    ----------
    frames : dict of DataFrame
        The files of the package.
    about : Provenance
        Its ``provenance.json``.
    data : sequence of path
        Own data files; see :class:`Inputs`.

    Attributes
    ----------
    said : dict of list of str
        Why a model could not be fitted again, by its id.
    """

    def __init__(self, frames: dict, about: Provenance, data=()):
        self.frames, self.about, self.inputs = frames, about, Inputs(data)
        self.said: dict[str, list[str]] = {}
        self._fits: dict[str, object] = {}

    def fit(self, key: str):
        """Fit one model again.

        Returns
        -------
        fit : FitResult or None
            None when the data cannot be had; then :attr:`said` tells why.

        Raises
        ------
        SinklabError
            The fit fails where it succeeded before.
        """
        if key not in self._fits:
            before = len(self.inputs.missing)
            self._fits[key] = self._fit(key, self.about.models[key])
            self.said[key] = self.inputs.missing[before:]
        return self._fits[key]

    def _fit(self, key: str, record: ModelRecord):
        from sinklab import fitting
        from sinklab.fitting.resample import bootstrap

        source, certificate = record.source, Certificate.from_dict(record.certificate)
        if record.method not in fitting.METHODS:
            known = ", ".join(fitting.METHODS)
            self._missing(
                f"{key}: method {record.method} cannot be refitted here (only {known})",
                f"{key}：此处无法重新拟合方法 {record.method}（仅支持 {known}）",
            )
            return None
        system = self._system(key)
        label = self._of(key, "models")["label"].iloc[0]
        sampling = {}
        if record.method == "bayes":
            if certificate.options is None:
                self._missing(
                    f"{key}: a posterior whose options (pooling, measurement error, tuning) are not recorded cannot be "
                    "sampled again",
                    f"{key}：未记录抽样选项（合并方式、测量误差、调整次数）的后验分布无法重新抽样",
                )
                return None
            priors = {name: told["prior"] for name, told in (certificate.priors or {}).items()}
            sampling = {**certificate.options, "priors": priors}
            sampling |= {"draws": certificate.draws, "chains": certificate.chains}
        data = self.inputs.frame(source, {*self._of(key, "ranges")["predictor"], *system.responses})
        if data is None:
            return None
        if source.get("by"):
            data = data[data[source["by"]].map(lambda value: f"{value}") == label]
        variance = ",".join(f"{r}={spec}" for r, spec in record.variance.items())
        found = fitting.fit(
            data,
            system,
            method=record.method,
            variance=variance if record.method != "ols-log" else "none",
            estimator=certificate.estimator or "ml",
            start=certificate.start,
            bounds=certificate.bounds,
            # Packages of before tell no clusters: their covariance is that of independent records.
            cluster=(certificate.cluster or {}).get("column") or "none",
            correction=record.correction,
            level=record.level,
            # A bootstrap leaves its own seed here; the estimates depend on neither.
            seed=int(record.seed),
            label=label,
            name=str(source.get("name") or "data"),
            # Packages of before set nothing aside.
            keep_computed=not source.get("set_aside"),
            **sampling,
        )
        told = certificate.bootstrap
        if told:
            found = bootstrap(found, **{k: told[k] for k in ("n", "kind", "group", "interval", "seed")})
        return found

    def _missing(self, en, zh) -> None:
        self.inputs.missing.append(tr(en, zh))

    def _of(self, key, name):
        return self.frames[name].query("model_id == @key")

    def _system(self, key):
        """Equations of a model as they were fitted."""
        from sinklab.equations.system import System

        told = self._of(key, "equations").sort_values("equation_order")
        apart = "typical" in told and told["typical"].fillna("").ne("").all()
        system = System.parse("\n".join(told["typical" if apart else "equation"]))
        random = self._of(key, "random_effects") if "random_effects" in self.frames else ()
        if len(random) and not system.groups:
            # Packages of before wrote the equations of a mixed model without its groups.
            system = system.grouped(random["group_column"].iloc[0], dict.fromkeys(random["row"]))
        return system

    def files(self, key: str) -> dict:
        """Files of one recomputed model, laid out as the package lays them out.

        Raises
        ------
        TableError
            The recomputed fit could not become a table.
        """
        fit, stored = self.fit(key), self._of(key, "models").iloc[0]
        pack.check_fits([fit])
        by_class = next((c for c in self._of(key, "indices")["class_column"] if c), None)
        made = pack.pack_table(
            [fit], [stored["status"]], [stored["source"]], stored["group_column"], None, by_class
        )
        return {name: f.assign(model_id=key) if "model_id" in f else f for name, f in made.items()}

    def pooled(self):
        """Scalar values pooled again from printed rows.

        Returns
        -------
        pooled : DataFrame or None
            None when the values were not pooled from ``literature:``, or their rows cannot be had.
        """
        import pandas as pd

        from sinklab.evidence import pooling

        values, taken = self.frames["values"], [record.source for record in self.about.models.values()]
        # Values that say how else they were summarised (levels, draws) are not those of a pooling.
        sources = [
            s
            for s in self.about.data
            if s not in taken and str(s.get("spec", "")).startswith("literature:") and not s.get("summary")
        ]
        if len(sources) != 1:
            self._missing(
                f"values.csv: {len(values)} values were not pooled from one file of data/literature, so "
                "nothing says how to recompute them",
                f"values.csv：{len(values)} 个取值并非由 data/literature 的一个文件汇总得出，无从重算",
            )
            return None
        rows = self.inputs.frame(sources[0])
        if rows is None:
            return None
        parts = []
        for (variable, level), part in values.groupby(["variable", "level"], sort=False, dropna=False):
            by = [*vocabulary.group_members(str(part["group"].iloc[0]))]
            try:
                parts.append(pooling.summarise(rows, variable, by, level=float(level)))
            except (SinklabError, KeyError, ValueError) as error:
                self.inputs.missing.append(f"values.csv, {variable}: {error}")
        return pd.concat(parts, ignore_index=True) if parts else None


# Its notebook run again

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
        en, zh = ", ".join(unknown), "、".join(unknown)
        inputs.missing.append(tr(f"{name} no longer has the parameters {en}", f"{name} 已没有参数 {zh}"))
        return None
    with paths.private("review") as place:
        own = {"table_id": table_id, "version": version, "out_dir": str(Path(place) / "out")}
        fault = _run(path, given | {k: own[k] for k in declared if k in own}, Path(place) / "params")
        folder = Path(place) / "params" / table_id / version
        if not fault and not folder.is_dir():
            fault = tr("it wrote no table", "未写出参数表")
        if fault:
            inputs.missing.append(tr(f"{name} cannot be run again: {fault}", f"{name} 无法重新运行：{fault}"))
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
