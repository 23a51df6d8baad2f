"""Batch files: from YAML to validated jobs. Nothing starts before everything in a file is known to be right.

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
    drafts:
      - {name: …, lang: [zh, en], to: [docx, html, pdf]}

A notebook that declares ``title_zh``, ``title_en`` or ``out_dir`` is given the titles of the job and the
folder for its figures, unless the job sets them.

One entry may stand for many jobs, one for every combination of its axes. An axis is a list of plain values, or a
mapping whose keys are the values and whose entries describe them. What is called like a setting of a job
(``parameters``, ``timeout`` …) is merged into the jobs of that value, everything else is text for ``{axis.name}``::

    axes:
      species:
        larix: {zh: 落叶松属, en: Larch, parameters: {where: {genus: Larix}}}
        betula: {zh: 桦木属, en: Birch, parameters: {where: {genus: Betula}}}
    jobs:
      - id: "agb_{species}_{region}"
        title: {zh: "{species.zh}（{region}）", en: "{species.en}, {region}"}
        matrix: {species: all, region: [china, japan]}
        parameters: {table_id: "agb_{species}_{region}", where: {dbh: {min: 2}}}
        except: [{species: larix, region: japan}]
        override: [{when: {species: betula}, timeout: 60, parameters: {seed: 2}}]

The settings of an entry come first, those of its axes replace them, overrides come last; mappings are
merged name by name. A text that is one ``{axis.name}`` and nothing else takes the value as it is, a list
or a number included; ``{{`` stands for a brace.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from sinklab import paths
from sinklab.data.files import read_yaml
from sinklab.language import LANGUAGES, RunError, SinklabError, listing, tr
from sinklab.runs.ledger import Batch, Draft, Job, NotebookFile

#: Seconds for a whole notebook when neither the batch nor the job says otherwise.
TIME_LIMIT = 900.0
#: Jobs that one matrix may stand for.
MOST_JOBS = 20_000
#: Formats of a draft.
FORMATS = ("docx", "html", "pdf")
#: What a job, the value of an axis and an override may set.
SETTINGS = ("title", "notebook", "parameters", "outputs", "inputs", "timeout", "memory")
_BATCH_KEYS = ("title", "include", "notebook", "timeout", "memory", "defaults", "axes", "jobs", "drafts")
_JOB_KEYS = ("id", *SETTINGS)
_DRAFT_KEYS = ("name", "title", "lang", "to", "timeout")


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
            f"{path}: no such batch; batches here: {known}", f"{path}：找不到该批次；现有批次：{known}"
        )
    return path


def read_batch(name: str, only: str | None = None) -> Batch:
    """Read and validate a batch; what jobs would read that do not match ``only`` is not looked for.

    Raises
    ------
    RunError
        All problems of the file and of those it includes at once, each with its line: unknown keys,
        missing notebooks and input files, unknown, missing or wrongly typed parameters, jobs of one
        name, jobs that write the same place.
    """
    path = batch_path(name)
    files = _with_included(path)
    shared = _Shared(path.stem, files, only)
    readers = [_Reader(file, shared) for file in files]
    for reader in readers:
        reader.read()
    jobs = [pair for reader in readers for pair in reader.jobs]
    drafts = [pair for reader in readers for pair in reader.drafts]
    for entries in (jobs, drafts):
        _report_same_names(entries)
    _report_overlaps(jobs)
    known = {name for notebook in shared.notebooks.values() if notebook for name in notebook.parameters}
    for reader in readers:
        reader.report_unused(known)
    if not (jobs or drafts or any(file.messages() for file in files)):
        Spot(files[0]).report("there is no job in this batch", "该批次中没有作业")
    problems = [message for file in files for message in file.messages()]
    if problems:
        head = tr("the batch cannot start:", "批次无法启动：")
        raise RunError(f"{head}\n{listing(problems, 50)}")
    return Batch(
        path.stem,
        path,
        Spot(files[0]).title(files[0].data, path.stem),
        tuple(job for job, _ in jobs),
        tuple(draft for draft, _ in drafts),
        tuple(file.path for file in files),
    )


def names(path: Path) -> list[str]:
    """Names in the ledger of the jobs and drafts of a batch, read without any check."""
    files = _with_included(path)
    shared = _Shared(path.stem, files)
    jobs, drafts = [], []
    for file in files:
        for entry in file.data.get("jobs") or []:
            jobs += [f"{path.stem}/{job['id']}" for job, _ in _expand(Spot(file), entry, shared.axes)]
        drafts += [f"{path.stem}/draft:{draft['name']}" for draft in file.data.get("drafts") or []]
    return jobs + drafts


# A YAML file with its line numbers, so that every problem can say where it is.


class BatchFile:
    """Content of a YAML file, the line of each of its entries, and the problems met while reading it.

    Attributes
    ----------
    path : Path
    data : object
        Mappings, sequences and scalars.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._problems: list[tuple[int, str, str]] = []
        self._lines: dict[tuple, int] = {(): 1}
        self.data: Any = read_yaml(self.path, RunError, lambda node: self._walk(node, ()))

    def line(self, place: tuple) -> int:
        """Line of an entry, given the keys and positions that lead to it; of its parent when unknown."""
        while place not in self._lines:
            place = place[:-1]
        return self._lines[place]

    def report(self, line: int, en: str, zh: str | None = None, job: str = "") -> None:
        """Keep a problem for the message that names all of them, and the job it concerns ("": the file itself)."""
        self._problems.append((line, en if zh is None else tr(en, zh), job))

    def messages(self) -> list[str]:
        """Return the problems in the order of their lines, each with the name of the file.

        A problem that many jobs of one matrix have is told once, with the first of them and their number.
        """
        jobs: dict[tuple[int, str], dict[str, None]] = {}
        for line, message, job in self._problems:
            jobs.setdefault((line, message), {})[job] = None
        found = []
        for (line, message), concerned in jobs.items():
            first, rest = next(iter(concerned)), len(concerned) - 1
            more = tr(f" (and {rest} more)", f"（另有 {rest} 个）") if rest else ""
            found.append((line, f"{first}{more}: {message}" if first else message))
        return [f"{self.path}:{line}: {text}" for line, text in sorted(found)]

    def _walk(self, node, place) -> None:
        """Note the lines below ``node``; find keys given twice and words that YAML reads as booleans."""
        if isinstance(node, yaml.MappingNode):
            # construct_document has put merged pairs (<<) first; they lie above the mapping that merges
            # them, and overriding one of those is no repetition.
            seen: dict[str, int] = {}
            for key, value in node.value:
                name, line = key.value, key.start_mark.line + 1
                if name in seen and seen[name] >= node.start_mark.line + 1:
                    first = seen[name]
                    self.report(
                        line,
                        f"{name!r} is given twice (first in line {first})",
                        f"{name!r} 重复给出（首次在第 {first} 行）",
                    )
                seen[name] = self._lines[*place, name] = line
                self._walk(value, (*place, name))
        elif isinstance(node, yaml.SequenceNode):
            for position, value in enumerate(node.value):
                self._lines[*place, position] = value.start_mark.line + 1
                self._walk(value, (*place, position))
        elif node.tag == "tag:yaml.org,2002:bool" and node.value.lower() not in ("true", "false"):
            meaning = str(node.value.lower() in ("yes", "on", "y")).lower()
            self.report(
                node.start_mark.line + 1,
                f"{node.value} is read as {meaning}; put it in quotes if it is a word",
                f"{node.value} 会被读作 {meaning}；若是文字请加引号",
            )


def _with_included(path: Path) -> list[BatchFile]:
    """Return a batch file and those it includes, each once, the including one first."""
    found: dict[Path, BatchFile] = {}

    def visit(path):
        file = found[path.resolve()] = BatchFile(path)
        included = file.data.get("include") if isinstance(file.data, dict) else None
        included = [included] if isinstance(included, str) else included or []
        for position, name in enumerate(included if isinstance(included, list) else []):
            below = file.path.parent / str(name)
            if not below.is_file():
                Spot(file, ("include", position)).report(
                    f"include: {name}: no such file", f"include：找不到文件 {name}"
                )
            elif below.resolve() not in found:
                visit(below)

    visit(path)
    return list(found.values())


def _seconds(value) -> float | None:
    wrong = isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0
    return None if wrong else float(value)


def _bytes(value) -> int | None:
    match = _MEMORY.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match or not float(match[1]) > 0:
        return None
    return int(float(match[1]) * 1024 ** ("KMGT".index(match[2].upper()) + 1))


def _a(kind: type):
    return lambda value: value if isinstance(value, kind) else None


#: How the value of a key is read (None: it cannot be), and what is expected of it.
FORMS = {
    "timeout": (_seconds, "a positive number of seconds", "正的秒数"),
    "memory": (_bytes, "a size such as 2 GB or 800 MB", " 2 GB、800 MB 之类的大小"),
    **dict.fromkeys(("parameters", "defaults", "axes"), (_a(dict), "a mapping", "映射")),
    **dict.fromkeys(("jobs", "drafts", "outputs", "inputs", "lang", "to"), (_a(list), "a list", "列表")),
}
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])i?B?", re.IGNORECASE)


@dataclass(frozen=True)
class Spot:
    """A place in a batch file: reads values out of the entry that stands there, and reports what is wrong with them.

    ``label`` tells the combination of a matrix.
    """

    file: BatchFile
    place: tuple = ()
    label: str = ""

    def at(self, *keys) -> "Spot":
        """Spot below this one."""
        return replace(self, place=(*self.place, *keys))

    def report(self, en: str, zh: str | None = None, job: str = "") -> None:
        """Keep a problem of this spot: one text, or both wordings."""
        self.file.report(self.file.line(self.place), en, zh, job)

    def wording(self, seen_from: "Spot") -> str:
        """Name the spot for a message that belongs to another one."""
        line = self.file.line(self.place)
        text = tr(f"line {line}", f"第 {line} 行")
        if self.file is not seen_from.file:
            text = f"{self.file.path}:{line}"
        return f"{text}, {self.label}" if self.label else text

    def named(self, entry, key: str, known) -> bool:
        """Check the shape of a job or draft, and the name that becomes a folder."""
        if not isinstance(entry, dict):
            self.report("expected a mapping", "应为映射")
            return False
        self.keys(entry, known)
        name = entry.get(key)
        if paths.plain(name):
            return True
        self.at(key).report(
            f"{key} = {name!r}; expected up to 80 Latin letters, digits, _ - or ., and no name such as con or nul: it "
            "names a folder, on Windows too",
            f"{key} = {name!r}；应由不超过 80 个拉丁字母、数字及 _ - . 组成，且非 con、nul 等名称"
            "（用作文件夹名，须适用于 Windows）",
        )
        return False

    def keys(self, entry, known) -> None:
        """Report keys that mean nothing here."""
        text = ", ".join(known)
        for key in entry:
            if key not in known:
                self.at(key).report(f"unknown key {key!r}; known: {text}", f"未知的键 {key!r}；可用：{text}")

    def value(self, entry, key: str, default: Any = None) -> Any:
        """Value of a key, of the form that :data:`FORMS` asks for."""
        read, en, zh = FORMS[key]
        given = entry.get(key)
        if given is None or (found := read(given)) is not None:
            return default if given is None else found
        self.at(key).report(f"{key}: expected {en}, found {given!r}", f"{key}：应为{zh}，实为 {given!r}")
        return default

    def title(self, entry, fallback: str) -> dict[str, str]:
        """Title in both languages, from one text or one for each."""
        title = entry.get("title", fallback)
        if isinstance(title, str):
            return dict.fromkeys(LANGUAGES, title)
        whole = isinstance(title, dict) and set(title) == set(LANGUAGES)
        if whole and all(isinstance(text, str) for text in title.values()):
            return title
        self.at("title").report("title: expected {zh: …, en: …}", "title：应为 {zh: …, en: …}")
        return dict.fromkeys(LANGUAGES, str(fallback))

    def plain(self, value, name: str) -> None:
        """Report values that do not survive the way into a notebook (dates, sets)."""
        if isinstance(value, dict):
            for key, below in value.items():
                self.at(key).plain(below, f"{name}.{key}")
        elif isinstance(value, list):
            for position, below in enumerate(value):
                self.at(position).plain(below, f"{name}[{position}]")
        elif isinstance(value, date) or not isinstance(value, (str, int, float, type(None))):
            self.report(
                f"{name}: {value!r} is not text, number, list or mapping; put it in quotes",
                f"{name}：{value!r} 不是文字、数、列表或映射；请加引号",
            )

    def unknown(self, what: str, name, known) -> None:
        """Report a name that is not among the known ones, with the one that may have been meant."""
        known = [str(one) for one in known]
        near = get_close_matches(str(name), known, n=1)
        hint = tr(f"did you mean {near[0]!r}?", f"是否为 {near[0]!r}？") if near else ", ".join(known)
        self.report(f"{what}: unknown {name!r}; {hint}", f"{what}：未知的 {name!r}；{hint}")


# Every combination of the axes of an entry: a job for each.

_AXIS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def _expand(spot: Spot, entry, shared: dict[str, dict]) -> list[tuple[Any, str]]:
    """Jobs of an entry, each with the combination it comes from ("" for an entry without a matrix).

    ``shared`` are the axes that the batch defines for all its entries.
    """
    if not isinstance(entry, dict) or "matrix" not in entry:
        return [(entry, "")]
    axes = _axes(spot.at("matrix"), entry["matrix"], shared)
    count = math.prod(map(len, axes.values()))
    if count > MOST_JOBS:
        spot.at("matrix").report(
            f"matrix: {count} combinations; at most {MOST_JOBS}", f"matrix：组合 {count} 个，上限 {MOST_JOBS}"
        )
    if not axes or count > MOST_JOBS:
        return []
    rules = _rules(spot, entry, "except", axes) + _rules(spot, entry, "override", axes)
    base = {key: value for key, value in entry.items() if key not in ("matrix", "except", "override")}
    met, found = set(), []
    for values in product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        hits = [rule for rule in rules if _matches(rule[2], chosen)]
        left_out = [rule for rule in hits if rule[0] == "except"]
        met.update((key, position) for key, position, *_ in left_out or hits)
        if left_out:
            continue
        job = _combined(spot, base, axes, chosen)
        for *_, settings in hits:
            job = _merged(job, settings)
        names = dict(chosen)  # what braces may name: an axis, and whatever the chosen value says of itself
        for axis, value in chosen.items():
            names |= {f"{axis}.{k}": v for k, v in axes[axis][value].items() if k not in SETTINGS}
        label = ", ".join(f"{axis}={value}" for axis, value in chosen.items())
        found.append((_filled(spot, job, names), label))
    for key, position, *_ in rules:
        if (key, position) not in met:
            spot.at(key, position).report(f"{key}: no combination is like this", f"{key}：没有这样的组合")
    return found


def _merged(first: dict, second: dict) -> dict:
    """Two mappings as one: the second wins, and mappings inside are merged in the same way."""
    both = {
        name: _merged(first[name], value)
        for name, value in second.items()
        if isinstance(first.get(name), dict) and isinstance(value, dict)
    }
    return first | second | both


def _axis(spot: Spot, name, values) -> dict:
    """Values of one axis by name, each with what it sets and says."""
    pairs = []
    if isinstance(values, dict):
        pairs = [(key, {} if below is None else below) for key, below in values.items()]
    elif isinstance(values, list):
        pairs = [(value, {}) for value in values]
    found: dict = {}
    for key, below in pairs:
        if isinstance(key, bool) or not isinstance(key, (str, int, float)) or not isinstance(below, dict):
            spot.at(key).report(
                f"axis {name!r}: {key!r} is not a plain value or not described by a mapping",
                f"维度 {name!r}：{key!r} 不是普通值，或其说明不是映射",
            )
        elif key in found:
            spot.report(f"axis {name!r}: {key!r} twice", f"维度 {name!r}：{key!r} 重复")
        else:
            found[key] = below
    if pairs and _AXIS.fullmatch(str(name)):
        return found
    spot.report(
        f"axis {name!r}: expected a Latin name, and a list or mapping of values",
        f"维度 {name!r}：应为拉丁字母名称及取值的列表或映射",
    )
    return {}


def _axes(spot: Spot, matrix, shared) -> dict[str, dict]:
    """Axes of an entry; of an axis that the batch defines, all values or those that are listed."""
    if not isinstance(matrix, dict) or not matrix:
        spot.report(
            f"matrix: expected axes with values, found {matrix!r}", f"matrix：应为维度及取值，实为 {matrix!r}"
        )
        return {}
    axes = {}
    for name, wanted in matrix.items():
        if wanted == "all" and name not in shared:
            known = ", ".join(shared) or "–"
            spot.at(name).report(
                f"matrix: no axis {name!r} among 'axes' ({known})",
                f"matrix：axes 中没有维度 {name!r}（{known}）",
            )
        elif wanted == "all":
            axes[name] = shared[name]
        elif name in shared and isinstance(wanted, list):
            axes[name] = {key: shared[name][key] for key in wanted if key in shared[name]}
            for position, key in enumerate(wanted):
                if key not in shared[name]:
                    spot.at(name, position).unknown(f"{name}", key, shared[name])
        else:
            axes[name] = _axis(spot.at(name), name, wanted)
    return axes if len(axes) == len(matrix) and all(axes.values()) else {}


def _rules(spot: Spot, entry, key: str, axes) -> list[tuple[str, int, dict, dict]]:
    """Rules of ``except`` or ``override``: key and position, their condition, and what an override sets."""
    rules = entry.get(key) or []
    if not isinstance(rules, list):
        spot.at(key).report(f"{key}: expected a list", f"{key}：应为列表")
        return []
    found = []
    for position, rule in enumerate(rules):
        here = spot.at(key, position)
        when, settings = rule, {}
        if key == "override" and isinstance(rule, dict):
            when, settings = rule.get("when"), {k: v for k, v in rule.items() if k != "when"}
        if not isinstance(when, dict) or not when:
            here.report(f"{key}: expected axes with values", f"{key}：应为维度及取值")
            continue
        wrong = [(key, name, axes) for name in when if name not in axes]
        for name in when.keys() & axes.keys():
            wrong += [(f"{key}: {name}", v, axes[name]) for v in _several(when[name]) if v not in axes[name]]
        wrong += [(key, name, SETTINGS) for name in settings if name not in SETTINGS]
        for what, name, known in wrong:
            here.unknown(what, name, known)
        if not wrong:
            found.append((key, position, when, settings))
    return found


def _several(value) -> list:
    return value if isinstance(value, list) else [value]


def _matches(when: dict, chosen: dict) -> bool:
    return all(chosen[name] in _several(wanted) for name, wanted in when.items())


def _combined(spot: Spot, base, axes, chosen) -> dict:
    """Settings of the entry and of the values of its axes; two axes that disagree are a problem."""
    job, owner = base, {}
    for axis, value in chosen.items():
        settings = {k: v for k, v in axes[axis][value].items() if k in SETTINGS}
        for leaf, setting in _leaves(settings):
            # A mapping below a plain value, or above it, is a clash like the same name twice.
            for other, (rival, theirs) in owner.items():
                nested = leaf[: len(other)] == other or other[: len(leaf)] == leaf
                if rival != axis and nested and (leaf != other or theirs != setting):
                    name = ".".join(map(str, leaf))
                    spot.at("matrix").report(
                        f"axes {rival!r} and {axis!r} both set {name}, to different values",
                        f"维度 {rival!r} 与 {axis!r} 对 {name} 给出不同的值",
                    )
            owner[leaf] = (axis, setting)
        job = _merged(job, settings)
    return job


def _leaves(settings, above=()):
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _filled(spot: Spot, item, names: dict):
    """Replace what stands in braces, in every text of an entry."""
    if isinstance(item, dict):
        return {key: _filled(spot.at(key), value, names) for key, value in item.items()}
    if isinstance(item, list):
        return [_filled(spot.at(position), value, names) for position, value in enumerate(item)]
    if not isinstance(item, str) or "{" not in item and "}" not in item:
        return item

    def value_of(match):
        if match[1] is None:
            return match[0][0]
        if match[1] in names:
            return names[match[1]]
        spot.unknown("{…}", match[1], names)
        return match[0]

    whole = _PLACEHOLDER.fullmatch(item)
    return value_of(whole) if whole else _PLACEHOLDER.sub(lambda match: str(value_of(match)), item)


# The entries of a file, one by one.


class _Shared:
    """What the files of a batch share: settings, of which the including file's win; notebooks; sources."""

    def __init__(self, name: str, files: list[BatchFile], only: str | None = None):
        self.name, self.only = name, only
        self.notebooks: dict[Path, NotebookFile | None] = {}
        self.sources: dict[str, list[Path]] = {}
        self.defaults: dict = {}
        self.axes: dict[str, dict] = {}
        self.limit, self.memory, self.notebook = TIME_LIMIT, None, None
        for file in reversed(files):
            data, spot = file.data if isinstance(file.data, dict) else {}, Spot(file)
            self.defaults |= spot.value(data, "defaults", {})
            self.limit = spot.value(data, "timeout", self.limit)
            self.memory = spot.value(data, "memory", self.memory)
            self.notebook = data.get("notebook", self.notebook)
            for axis, values in spot.value(data, "axes", {}).items():
                self.axes[axis] = _axis(spot.at("axes", axis), axis, values)


class _Reader:
    """Walks through one file of a batch and keeps every problem it meets."""

    def __init__(self, file: BatchFile, shared: _Shared):
        self.file, self.shared, self.top = file, shared, Spot(file)
        self.jobs: list[tuple[Job, Spot]] = []
        self.drafts: list[tuple[Draft, Spot]] = []

    def read(self) -> None:
        """Read the jobs and drafts of the file."""
        if not isinstance(self.file.data, dict):
            self.top.report("expected a mapping with the key 'jobs'", "内容应为含有 jobs 键的映射")
            self.file.data = {}
        data, top = self.file.data, self.top
        top.keys({k: v for k, v in data.items() if not str(k).startswith("x-")}, _BATCH_KEYS)
        top.title(data, self.shared.name)
        if not isinstance(data.get("include", []), (str, list)):
            top.at("include").report("include: expected file names", "include：应为文件名")
        for position, entry in enumerate(top.value(data, "jobs", [])):
            spot = top.at("jobs", position)
            for own, label in _expand(spot, entry, self.shared.axes):
                if job := self._job(own, spot):
                    self.jobs.append((job, replace(spot, label=label)))
        for position, entry in enumerate(top.value(data, "drafts", [])):
            spot = top.at("drafts", position)
            if draft := self._draft(entry, spot):
                self.drafts.append((draft, spot))

    def report_unused(self, known: set[str]) -> None:
        """Report defaults that no notebook of the batch takes."""
        for name in self.top.value(self.file.data, "defaults", {}):
            if name not in known:
                self.top.at("defaults", name).report(
                    f"defaults: no notebook of this batch has a parameter {name!r}",
                    f"defaults：本批次的笔记本都没有参数 {name!r}",
                )

    def _job(self, entry, spot: Spot) -> Job | None:
        if not spot.named(entry, "id", _JOB_KEYS):
            return None
        shared = self.shared
        notebook = self._notebook(entry.get("notebook", shared.notebook), spot)
        given = spot.value(entry, "parameters", {})
        if notebook is None:
            return None
        title = spot.title(entry, entry["id"])
        wanted = shared.only is None or fnmatchcase(entry["id"], shared.only)
        # What the job itself knows need not be repeated among its parameters.
        own = {f"title_{code}": text for code, text in title.items()}
        own["out_dir"] = f"reports/runs/{shared.name}/{entry['id']}"
        values = {k: v for k, v in (own | shared.defaults).items() if k in notebook.parameters} | given
        for name, message in notebook.check(values):
            spot.at("parameters", *([name] if name else [])).report(message, job=entry["id"])
        for name in values:
            spot.at("parameters", name).plain(values[name], f"{entry['id']}: {name}")
        return Job(
            batch=shared.name,
            id=entry["id"],
            title=title,
            notebook=notebook,
            parameters=notebook.plain(values),
            outputs=_outputs(spot.at("outputs"), spot.value(entry, "outputs", None), values),
            inputs=_inputs(spot, spot.value(entry, "inputs", []), values, shared.sources) if wanted else (),
            timeout=spot.value(entry, "timeout", shared.limit),
            memory=spot.value(entry, "memory", shared.memory),
        )

    def _draft(self, entry, spot: Spot) -> Draft | None:
        from sinklab.drafts import description

        if not spot.named(entry, "name", _DRAFT_KEYS):
            return None
        name = entry["name"]
        told: dict = {}
        try:
            told = description.content(name)
        except SinklabError as error:
            spot.at("name").report(str(error))
        chosen = {}
        for key, allowed in (("lang", LANGUAGES), ("to", FORMATS)):
            chosen[key] = tuple(str(item) for item in spot.value(entry, key, list(allowed)))
            for wrong in [item for item in chosen[key] if item not in allowed]:
                text = ", ".join(allowed)
                spot.at(key).report(f"{key}: {wrong!r}; expected {text}", f"{key}：{wrong!r}；应为 {text}")
        title = told.get("title")
        if "title" in entry or not (isinstance(title, dict) and {*title} == {*LANGUAGES}):
            title = spot.title(entry, name)
        limit = spot.value(entry, "timeout", self.shared.limit)
        return Draft(self.shared.name, name, title, chosen["lang"], chosen["to"], limit)

    def _notebook(self, name, spot: Spot) -> NotebookFile | None:
        if not isinstance(name, str):
            spot.report("the job names no notebook", "作业未指定笔记本")
            return None
        beside = self.file.path.parent / name
        path = beside if beside.is_file() else paths.notebooks(name)
        if path not in self.shared.notebooks:
            try:
                self.shared.notebooks[path] = NotebookFile(path)
            except RunError as error:
                self.shared.notebooks[path] = None
                spot.at("notebook").report(str(error))
        return self.shared.notebooks[path]


# Where a job reads and where it writes: two jobs never write the same place.


def _outputs(spot: Spot, items, values: dict) -> tuple[str, ...]:
    """Files and folders that a job writes, relative to the workbench; if it names none, the folder of its table."""
    if items is None:
        named = {"table_id", "version"} <= values.keys()
        items = [f"params/{values['table_id']}/{values['version']}"] if named else []
    found = []
    for position, item in enumerate(items):
        parts = PurePosixPath(str(item)).parts
        if not parts or str(item).startswith("/") or ".." in parts or set(str(item)) & set(":\\"):
            spot.at(position).report(
                f"outputs: {item!r}; expected a path below the workbench, such as params/…",
                f"outputs：{item!r}；应为工作台内的相对路径，如 params/…",
            )
        else:
            found.append("/".join(parts))
    return tuple(found)


def _inputs(spot: Spot, items, values: dict, known: dict[str, list[Path]]) -> tuple[Path, ...]:
    """Files that a job reads: those of its data sources (``source``, ``sources``), and those it names.

    ``known`` keeps the files of the sources that were looked up before.
    """
    found: list[Path] = []
    for name in ("source", "sources"):
        given = values.get(name) or []
        for source in [given] if isinstance(given, str) else given:
            if source not in known:
                known[source] = _files_of(spot.at("parameters", name), source)
            found += known[source]
    for position, item in enumerate(items):
        path = paths.root() / str(item)
        if not path.exists():
            spot.at("inputs", position).report(f"inputs: {item}: no such file", f"inputs：找不到文件 {item}")
        found += _below(path) if path.is_dir() else [path]
    return tuple(dict.fromkeys(found))


def _files_of(spot: Spot, source: str) -> list[Path]:
    from sinklab.data import catalogue

    try:
        return [Path(path) for path in catalogue.input_files(source)]
    except SinklabError as error:
        spot.report(str(error))
        return []


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def _report_same_names(entries) -> None:
    """Report names that two jobs bear; folders of Windows and macOS know no case."""
    first: dict[str, Spot] = {}
    for entry, spot in entries:
        before = first.setdefault(entry.id.casefold(), spot)
        if before is not spot:
            where = before.wording(spot)
            text = tr(f"{entry.id!r} is used twice (first in {where})", f"{entry.id!r} 重复（首次在{where}）")
            spot.report(f"{text}: {spot.label}" if spot.label else text)


def _report_overlaps(entries) -> None:
    """Report jobs that write the same place, or one inside the other's."""
    # Names that differ in case only are one place on Windows and macOS.
    claims = sorted(
        (tuple(output.casefold().split("/")), position)
        for position, (job, _) in enumerate(entries)
        for output in job.outputs
    )
    above, owner = None, None
    for claim, position in claims:
        if above is None or claim[: len(above)] != above:
            above, owner = claim, position
        elif position != owner:
            (first, _), (second, spot) = (entries[i] for i in sorted((owner, position)))
            where = "/".join(claim)
            spot.report(
                f"jobs {first.id!r} and {second.id!r} both write {where}",
                f"作业 {first.id!r} 与 {second.id!r} 都写入 {where}",
            )


# What a draft is made from, read off its description: templates, tables and other files.

_TABLE = re.compile(r"(?:params/)?([A-Za-z0-9][A-Za-z0-9_.-]*)(?:[@/]([A-Za-z0-9_.+-]+))?/?")


def _texts(item) -> Iterator[str]:
    """All texts in a description, wherever they stand."""
    if isinstance(item, (dict, list)):
        for below in item.values() if isinstance(item, dict) else item:
            yield from _texts(below)
    elif isinstance(item, str):
        yield item


def draft_tables(name: str) -> dict[str, str | None]:
    """Return what may be ids of tables in a draft's description, with the version asked for (None: the latest)."""
    from sinklab.drafts import description

    matches = [_TABLE.fullmatch(text) for text in _texts(description.content(name))]
    return {match[1]: match[2] for match in matches if match}


def draft_inputs(name: str) -> list[Path]:
    """Files that a draft is made from: descriptions, templates, tables, and files it names."""
    from sinklab.drafts import description

    found = [*description.files_of(name), *_below(paths.reports("templates")), *_below(paths.data("chain"))]
    for table, version in draft_tables(name).items():
        found += _below(paths.params(table, version) if version else paths.params(table))
    for text in _texts(description.content(name)):
        if "\n" not in text and len(text) < 260 and "/" in text:
            found += [p for p in [paths.root() / text] if p.is_file()]
    return list(dict.fromkeys(found))
