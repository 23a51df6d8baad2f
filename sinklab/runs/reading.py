"""From a batch file to validated jobs; nothing starts before everything in it is known to be right."""

import re
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from sinklab import paths
from sinklab.errors import RunError, listing
from sinklab.language import LANGUAGES, tr
from sinklab.runs import draft_files, places
from sinklab.runs.batch_file import BatchFile
from sinklab.runs.jobs import TIME_LIMIT, Batch, Draft, Job, batch_path
from sinklab.runs.notebook_file import NotebookFile

FORMATS = ("docx", "html", "pdf")
_BATCH_KEYS = ("title", "notebook", "timeout", "defaults", "jobs", "drafts")
_JOB_KEYS = ("id", "title", "notebook", "parameters", "outputs", "inputs", "timeout")
_DRAFT_KEYS = ("name", "title", "lang", "to", "timeout")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def read_batch(name: str) -> Batch:
    """Read and validate a batch.

    Raises
    ------
    RunError
        All problems of the file at once, each with its line: unknown keys, missing notebooks and
        input files, unknown, missing or wrongly typed parameters, jobs of one name, jobs that write
        the same place.
    """
    path = batch_path(name)
    return _Reader(BatchFile(path), path).batch()


@dataclass
class _Reader:
    """Walks through a batch file and keeps every problem it meets."""

    file: BatchFile
    path: Path
    notebooks: dict = field(default_factory=dict)

    def batch(self) -> Batch:
        data = self.file.data
        if not isinstance(data, dict):
            data = {}
            self.file.report(
                tr("expected a mapping with the key 'jobs'", "内容应为含有 jobs 键的映射"),
            )
        self._keys({k: v for k, v in data.items() if not str(k).startswith("x-")}, _BATCH_KEYS, ())
        title = self._title(data, self.path.stem, ())
        defaults = self._typed(data, "defaults", dict, {}, ())
        limit = self._timeout(data, TIME_LIMIT, ())
        jobs = []
        for position, entry in enumerate(self._typed(data, "jobs", list, [], ())):
            job = self._job(entry, data.get("notebook"), defaults, limit, ("jobs", position))
            if job:
                jobs.append((job, ("jobs", position)))
        drafts = []
        for position, entry in enumerate(self._typed(data, "drafts", list, [], ())):
            draft = self._draft(entry, limit, ("drafts", position))
            if draft:
                drafts.append((draft, ("drafts", position)))
        self._once(jobs)
        self._once(drafts)
        for place, message in places.overlaps(jobs):
            self.file.report(message, *place)
        self._used(defaults)
        if not jobs and not drafts and not self.file.problems:
            self.file.report(tr("there is no job in this batch", "该批次中没有作业"))
        if self.file.problems:
            head = tr("the batch cannot start:", "批次无法启动：")
            raise RunError(f"{head}\n{listing(self.file.messages(), 50)}")
        return Batch(self.path.stem, self.path, title, tuple(j for j, _ in jobs), tuple(d for d, _ in drafts))

    def _job(self, entry, notebook, defaults, limit, place) -> Job | None:
        if not self._entry(entry, "id", _JOB_KEYS, place):
            return None
        notebook = self._notebook(entry.get("notebook", notebook), place)
        given = self._typed(entry, "parameters", dict, {}, place)
        if notebook is None:
            return None
        values = {k: v for k, v in defaults.items() if k in notebook.parameters} | given
        title = self._title(entry, entry["id"], place)
        # What the job itself knows need not be repeated among its parameters.
        own = {f"title_{code}": text for code, text in title.items()}
        own["out_dir"] = f"reports/runs/{self.path.stem}/{entry['id']}"
        values = {k: v for k, v in own.items() if k in notebook.parameters} | values
        for name, message in notebook.check(values):
            self.file.report(f"{entry['id']}: {message}", *place, "parameters", *([name] if name else []))
        for name in values:
            self._plain(values[name], f"{entry['id']}: {name}", (*place, "parameters", name))
        return Job(
            batch=self.path.stem,
            id=entry["id"],
            title=title,
            notebook=notebook,
            parameters=notebook.plain(values),
            outputs=places.outputs(
                self.file, self._typed(entry, "outputs", list, None, place), values, place
            ),
            inputs=places.inputs(self.file, self._typed(entry, "inputs", list, [], place), values, place),
            timeout=self._timeout(entry, limit, place),
        )

    def _draft(self, entry, limit, place) -> Draft | None:
        if not self._entry(entry, "name", _DRAFT_KEYS, place):
            return None
        file = paths.reports("drafts", f"{entry['name']}.yml")
        if not file.is_file():
            name = paths.relative(file)
            self.file.report(tr(f"{name}: no such draft", f"{name}：找不到该文稿"), *place, "name")
        chosen = {}
        for key, allowed in (("lang", LANGUAGES), ("to", FORMATS)):
            chosen[key] = tuple(str(item) for item in self._typed(entry, key, list, list(allowed), place))
            for wrong in [item for item in chosen[key] if item not in allowed]:
                text = ", ".join(allowed)
                self.file.report(
                    tr(f"{key}: {wrong!r}; expected {text}", f"{key}：{wrong!r}；应为 {text}"), *place, key
                )
        return Draft(
            self.path.stem,
            entry["name"],
            self._title(entry, entry["name"], place)
            if "title" in entry
            else draft_files.title(entry["name"]),
            chosen["lang"],
            chosen["to"],
            self._timeout(entry, limit, place),
        )

    def _entry(self, entry, key, known, place) -> bool:
        """Check the shape of a job or draft, and the name that becomes a folder."""
        if not isinstance(entry, dict):
            self.file.report(tr("expected a mapping", "应为映射"), *place)
            return False
        self._keys(entry, known, place)
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

    def _keys(self, entry, known, place) -> None:
        for key in entry:
            if key not in known:
                text = ", ".join(known)
                self.file.report(
                    tr(f"unknown key {key!r}; known: {text}", f"未知的键 {key!r}；可用：{text}"), *place, key
                )

    def _typed(self, entry, key, kind, default, place):
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

    def _title(self, entry, fallback, place) -> dict:
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

    def _timeout(self, entry, default, place) -> float:
        value = entry.get("timeout", default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            text = tr(
                f"timeout: expected a positive number of seconds, found {value!r}",
                f"timeout：应为正的秒数，实为 {value!r}",
            )
            self.file.report(text, *place, "timeout")
            return default
        return float(value)

    def _notebook(self, name, place) -> NotebookFile | None:
        if not isinstance(name, str):
            text = tr("the job names no notebook", "作业未指定笔记本")
            self.file.report(text, *place)
            return None
        beside = self.path.parent / name
        path = beside if beside.is_file() else paths.notebooks(name)
        if path not in self.notebooks:
            try:
                self.notebooks[path] = NotebookFile(path)
            except RunError as error:
                self.notebooks[path] = None
                self.file.report(str(error), *place, "notebook")
        return self.notebooks[path]

    def _plain(self, value, name, place) -> None:
        """Report values that do not survive the way into a notebook (dates, sets)."""
        if isinstance(value, dict):
            for key, below in value.items():
                self._plain(below, f"{name}.{key}", (*place, key))
        elif isinstance(value, list):
            for position, below in enumerate(value):
                self._plain(below, f"{name}[{position}]", (*place, position))
        elif isinstance(value, date) or not isinstance(value, (str, int, float, type(None))):
            text = tr(
                f"{name}: {value!r} is not text, number, list or mapping; put it in quotes",
                f"{name}：{value!r} 不是文字、数、列表或映射；请加引号",
            )
            self.file.report(text, *place)

    def _once(self, entries) -> None:
        first = {}
        for entry, place in entries:
            name = entry.id.casefold()  # folders of Windows and macOS know no case
            if name in first:
                line = self.file.line(*first[name])
                text = tr(
                    f"{entry.id!r} is used twice (first in line {line})",
                    f"{entry.id!r} 重复（首次在第 {line} 行）",
                )
                self.file.report(text, *place)
            first.setdefault(name, place)

    def _used(self, defaults) -> None:
        known = {name for notebook in self.notebooks.values() if notebook for name in notebook.parameters}
        for name in defaults:
            if name not in known:
                text = tr(
                    f"defaults: no notebook of this batch has a parameter {name!r}",
                    f"defaults：本批次的笔记本都没有参数 {name!r}",
                )
                self.file.report(text, "defaults", name)
