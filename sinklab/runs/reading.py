"""From a batch file to validated jobs; nothing starts before everything in it is known to be right.

Checks that all entries of a batch file share: shape, keys, names, titles, limits, plain values.

One entry of a batch file, every combination of its axes: a job for each.

An axis is a list of plain values, or a mapping whose keys are the values and whose entries describe
them. What is called like a setting of a job (``parameters``, ``timeout`` …) is merged into the jobs of
that value, everything else is text for ``{axis.name}``::

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

What a draft is made from, read off its description: templates, tables and other files.
"""

import re
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from itertools import product
from pathlib import Path

from sinklab import paths
from sinklab.language import LANGUAGES, RunError, listing, tr
from sinklab.runs import jobs as runs_jobs
from sinklab.runs.jobs import TIME_LIMIT, Batch, BatchFile, Draft, Job, batch_path
from sinklab.runs.notebooks import NotebookFile

# --- Checks that all entries of a batch file share: shape, keys, names, titles, limits, plain values.

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])i?B?", re.IGNORECASE)


class Checker:
    """Reads values out of the entries of one batch file, and reports to it what is wrong with them."""

    def __init__(self, file):
        self.file = file

    def named(self, entry, key, known, place) -> bool:
        """Check the shape of a job or draft, and the name that becomes a folder."""
        if not isinstance(entry, dict):
            self.file.report(tr("expected a mapping", "应为映射"), *place)
            return False
        self.keys(entry, known, place)
        name = entry.get(key)
        if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
            self.file.report(
                tr(
                    f"{key} = {name!r}; expected Latin letters, digits, _ - or . (it names a folder)",
                    f"{key} = {name!r}；应由拉丁字母、数字及 _ - . 组成（用作文件夹名）",
                ),
                *place,
                key,
            )
            return False
        return True

    def keys(self, entry, known, place) -> None:
        """Report keys that mean nothing here."""
        for key in entry:
            if key not in known:
                text = ", ".join(known)
                self.file.report(
                    tr(f"unknown key {key!r}; known: {text}", f"未知的键 {key!r}；可用：{text}"), *place, key
                )

    def typed(self, entry, key, kind, default, place):
        """Value of a key that must be a list or a mapping."""
        value = entry.get(key)
        if value is None:
            return default
        if not isinstance(value, kind):
            what = {list: tr("a list", "列表"), dict: tr("a mapping", "映射")}[kind]
            self.file.report(
                tr(f"{key}: expected {what}, found {value!r}", f"{key}：应为{what}，实为 {value!r}"),
                *place,
                key,
            )
            return default
        return value

    def title(self, entry, fallback, place) -> dict:
        """Title in both languages, from one text or one for each."""
        title = entry.get("title", fallback)
        if isinstance(title, str):
            return dict.fromkeys(LANGUAGES, title)
        if (
            not isinstance(title, dict)
            or set(title) != set(LANGUAGES)
            or not all(isinstance(text, str) for text in title.values())
        ):
            text = tr("title: expected {zh: …, en: …}", "title：应为 {zh: …, en: …}")
            self.file.report(text, *place, "title")
            return dict.fromkeys(LANGUAGES, str(fallback))
        return title

    def seconds(self, entry, default, place) -> float:
        """Time limit."""
        value = entry.get("timeout", default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            text = tr(
                f"timeout: expected a positive number of seconds, found {value!r}",
                f"timeout：应为正的秒数，实为 {value!r}",
            )
            self.file.report(text, *place, "timeout")
            return default
        return float(value)

    def memory(self, entry, default, place) -> int | None:
        """Memory limit in bytes, from a text such as ``2 GB``; None when there is none."""
        value = entry.get("memory", default)
        if value is None or value is default:
            return value
        match = _MEMORY.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None or float(match[1]) <= 0:
            text = tr(
                f"memory: expected a size such as 2 GB or 800 MB, found {value!r}",
                f"memory：应为 2 GB、800 MB 之类的大小，实为 {value!r}",
            )
            self.file.report(text, *place, "memory")
            return default
        return int(float(match[1]) * 1024 ** ("KMGT".index(match[2].upper()) + 1))

    def plain(self, value, name, place) -> None:
        """Report values that do not survive the way into a notebook (dates, sets)."""
        if isinstance(value, dict):
            for key, below in value.items():
                self.plain(below, f"{name}.{key}", (*place, key))
        elif isinstance(value, list):
            for position, below in enumerate(value):
                self.plain(below, f"{name}[{position}]", (*place, position))
        elif isinstance(value, date) or not isinstance(value, (str, int, float, type(None))):
            text = tr(
                f"{name}: {value!r} is not text, number, list or mapping; put it in quotes",
                f"{name}：{value!r} 不是文字、数、列表或映射；请加引号",
            )
            self.file.report(text, *place)


# --- One entry of a batch file, every combination of its axes: a job for each.

#: What a job, the value of an axis and an override may set.
SETTINGS = ("title", "notebook", "parameters", "outputs", "inputs", "timeout", "memory")
_AXIS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def expand(file, entry: dict, shared: dict, place: tuple) -> list[tuple[dict, str]]:
    """Jobs of an entry with a matrix; an entry without one is its only job.

    Parameters
    ----------
    file : BatchFile
        Takes the problems.
    entry : dict
        As the batch file says.
    shared : dict
        Axes that the batch defines for all its entries.
    place : tuple
        Where the entry stands.

    Returns
    -------
    jobs : list of (dict, str)
        Plain entries, and the combination each comes from ("" without a matrix).
    """
    if "matrix" not in entry:
        return [(entry, "")]
    axes = _axes(file, entry["matrix"], shared, (*place, "matrix"))
    if not axes:
        return []
    left_out = _rules(file, entry, "except", axes, place)
    overrides = _rules(file, entry, "override", axes, place)
    base = {key: value for key, value in entry.items() if key not in ("matrix", "except", "override")}
    met, found = set(), []
    for values in product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        hits = [position for position, (when, _) in enumerate(left_out) if _matches(when, chosen)]
        met.update(("except", position) for position in hits)
        if hits:
            continue
        job = _combined(file, base, axes, chosen, place)
        for position, (when, settings) in enumerate(overrides):
            if _matches(when, chosen):
                met.add(("override", position))
                job = merged(job, settings)
        label = ", ".join(f"{axis}={value}" for axis, value in chosen.items())
        found.append((_filled(file, job, _names(axes, chosen), place), label))
    for key, rules in (("except", left_out), ("override", overrides)):
        for position in range(len(rules)):
            if (key, position) not in met:
                text = tr(f"{key}: no combination is like this", f"{key}：没有这样的组合")
                file.report(text, *place, key, position)
    return found


def merged(first: dict, second: dict) -> dict:
    """Two mappings as one: the second wins, and mappings inside are merged in the same way."""
    both = {n: merged(first[n], v) for n, v in second.items() if _mappings(first.get(n), v)}
    return first | second | both


def _mappings(*values) -> bool:
    return all(isinstance(value, dict) for value in values)


def read_axis(file, name, values, place) -> dict:
    """Values of one axis by name, each with what it sets and says."""
    if isinstance(values, dict):
        pairs = [(key, {} if below is None else below) for key, below in values.items()]
    elif isinstance(values, list):
        pairs = [(value, {}) for value in values]
    else:
        pairs = []
    found = {}
    for key, below in pairs:
        if isinstance(key, bool) or not isinstance(key, (str, int, float)) or not isinstance(below, dict):
            text = tr(
                f"axis {name!r}: {key!r} is not a plain value or not described by a mapping",
                f"维度 {name!r}：{key!r} 不是普通值，或其说明不是映射",
            )
            file.report(text, *place, key)
        elif key in found:
            file.report(tr(f"axis {name!r}: {key!r} twice", f"维度 {name!r}：{key!r} 重复"), *place)
        else:
            found[key] = below
    if not pairs or not _AXIS.fullmatch(str(name)):
        text = tr(
            f"axis {name!r}: expected a Latin name, and a list or mapping of values",
            f"维度 {name!r}：应为拉丁字母名称及取值的列表或映射",
        )
        file.report(text, *place)
        return {}
    return found


def _axes(file, matrix, shared, place) -> dict[str, dict]:
    """Axes of an entry; of an axis that the batch defines, all values or those that are listed."""
    if not isinstance(matrix, dict) or not matrix:
        text = tr(
            f"matrix: expected axes with values, found {matrix!r}", f"matrix：应为维度及取值，实为 {matrix!r}"
        )
        file.report(text, *place)
        return {}
    axes = {}
    for name, wanted in matrix.items():
        if wanted == "all" and name not in shared:
            text = tr(
                f"matrix: no axis {name!r} among 'axes' ({', '.join(shared) or '–'})",
                f"matrix：axes 中没有维度 {name!r}（{', '.join(shared) or '–'}）",
            )
            file.report(text, *place, name)
        elif wanted == "all":
            axes[name] = shared[name]
        elif name in shared and isinstance(wanted, list):
            axes[name] = {key: shared[name][key] for key in wanted if key in shared[name]}
            for position, key in enumerate(wanted):
                if key not in shared[name]:
                    file.report(_unknown(f"{name}", key, shared[name]), *place, name, position)
        else:
            axes[name] = read_axis(file, name, wanted, (*place, name))
    return axes if len(axes) == len(matrix) and all(axes.values()) else {}


def _unknown(what, name, known) -> str:
    near = get_close_matches(str(name), [str(k) for k in known], n=1)
    hint = tr(f"did you mean {near[0]!r}?", f"是否为 {near[0]!r}？") if near else ", ".join(map(str, known))
    return tr(f"{what}: unknown {name!r}; {hint}", f"{what}：未知的 {name!r}；{hint}")


def _rules(file, entry, key, axes, place) -> list[tuple[dict, dict]]:
    """Conditions of ``except`` and ``override``, with what an override sets."""
    rules = entry.get(key) or []
    if not isinstance(rules, list):
        file.report(tr(f"{key}: expected a list", f"{key}：应为列表"), *place, key)
        return []
    found = []
    for position, rule in enumerate(rules):
        here = (*place, key, position)
        when = rule.get("when") if key == "override" and isinstance(rule, dict) else rule
        settings = {k: v for k, v in rule.items() if k != "when"} if isinstance(rule, dict) else {}
        if not isinstance(when, dict) or not when:
            file.report(tr(f"{key}: expected axes with values", f"{key}：应为维度及取值"), *here)
            continue
        problems = [_unknown(key, name, axes) for name in when if name not in axes]
        for name in when.keys() & axes.keys():
            wanted = when[name] if isinstance(when[name], list) else [when[name]]
            problems += [_unknown(f"{key}: {name}", v, axes[name]) for v in wanted if v not in axes[name]]
        if key == "override":
            problems += [_unknown(key, name, SETTINGS) for name in settings if name not in SETTINGS]
        for text in problems:
            file.report(text, *here)
        if not problems:
            found.append((when, settings if key == "override" else {}))
    return found


def _matches(when, chosen) -> bool:
    return all(chosen[n] in (wanted if isinstance(wanted, list) else [wanted]) for n, wanted in when.items())


def _combined(file, base, axes, chosen, place) -> dict:
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
                    text = tr(
                        f"axes {rival!r} and {axis!r} both set {name}, to different values",
                        f"维度 {rival!r} 与 {axis!r} 对 {name} 给出不同的值",
                    )
                    file.report(text, *place, "matrix")
            owner[leaf] = (axis, setting)
        job = merged(job, settings)
    return job


def _leaves(settings, above=()):
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _names(axes, chosen) -> dict:
    """What braces may name: an axis, and whatever the chosen value says of itself."""
    names = dict(chosen)
    for axis, value in chosen.items():
        names |= {f"{axis}.{k}": v for k, v in axes[axis][value].items() if k not in SETTINGS}
    return names


def _filled(file, item, names, place):
    """Replace what stands in braces, in every text of an entry."""
    if isinstance(item, dict):
        return {key: _filled(file, value, names, (*place, key)) for key, value in item.items()}
    if isinstance(item, list):
        return [_filled(file, value, names, (*place, n)) for n, value in enumerate(item)]
    if not isinstance(item, str) or "{" not in item and "}" not in item:
        return item

    def value_of(match):
        if match[1] is None:
            return match[0][0]
        if match[1] not in names:
            file.report(_unknown("{…}", match[1], names), *place)
            return match[0]
        return names[match[1]]

    whole = _PLACEHOLDER.fullmatch(item)
    if whole:
        return value_of(whole)
    return _PLACEHOLDER.sub(lambda match: str(value_of(match)), item)


# --- What a draft is made from, read off its description: templates, tables and other files.

_TABLE = re.compile(r"(?:params/)?([A-Za-z0-9][A-Za-z0-9_.-]*)(?:[@/]([A-Za-z0-9_.+-]+))?/?")


@lru_cache(maxsize=256)
def _texts(path: Path, modified: int) -> tuple[str, ...]:
    """All texts in a description, wherever they stand."""
    found, waiting = [], [BatchFile(path).data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str):
            found.append(item)
    return tuple(found)


def _description(name: str) -> tuple[Path, tuple[str, ...]]:
    path = paths.reports("drafts", f"{name}.yml")
    return path, _texts(path, path.stat().st_mtime_ns)


def title(name: str) -> dict:
    """Title of a draft in both languages; its name when the description has none or is not there."""
    path = paths.reports("drafts", f"{name}.yml")
    data = BatchFile(path).data if path.is_file() else None
    found = data.get("title") if isinstance(data, dict) else None
    return found if isinstance(found, dict) and {*found} == {*LANGUAGES} else dict.fromkeys(LANGUAGES, name)


def tables(name: str) -> dict[str, str | None]:
    """Return what may be ids of tables in a draft's description, with the version asked for (None: the latest)."""
    matches = [_TABLE.fullmatch(text) for text in _description(name)[1]]
    return {match[1]: match[2] for match in matches if match}


def inputs(name: str) -> list[Path]:
    """Files that a draft is made from: description, templates, tables, and files it names."""
    path, texts = _description(name)
    found = [path, *_below(paths.reports("templates"))]
    for table, version in tables(name).items():
        found += _below(paths.params(table, version) if version else paths.params(table))
    for text in texts:
        if "\n" not in text and len(text) < 260 and "/" in text:
            found += [p for p in [paths.root() / text] if p.is_file()]
    return list(dict.fromkeys(found))


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


# --- From a batch file to validated jobs; nothing starts before everything in it is known to be right.

FORMATS = ("docx", "html", "pdf")
_SHARED = ("notebook", "timeout", "memory", "defaults", "axes")
_BATCH_KEYS = ("title", "include", *_SHARED, "jobs", "drafts")
_JOB_KEYS = ("id", *SETTINGS)
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
            jobs += [f"{path.stem}/{job['id']}" for job, _ in expand(file, entry, shared.axes, ())]
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
                self.axes[axis] = read_axis(file, axis, values, ("axes", axis))


def _check_together(readers, shared) -> None:
    """Problems between jobs, of one file or of several."""
    jobs = [pair for reader in readers for pair in reader.jobs]
    for entries in (jobs, [pair for reader in readers for pair in reader.drafts]):
        _once(entries)
    for spot, message in runs_jobs.overlaps(jobs):
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
                pairs = expand(self.file, entry, self.shared.axes, place)
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
            outputs=runs_jobs.outputs(self.file, written, values, place),
            inputs=runs_jobs.inputs(self.file, read, values, place, shared.sources),
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
            self.title(entry, entry["name"], place) if "title" in entry else title(entry["name"]),
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
