"""What a draft is made from, read off its description: templates, tables and other files."""

import re
from functools import lru_cache
from pathlib import Path

from sinklab import paths
from sinklab.language import LANGUAGES
from sinklab.runs.batch_file import BatchFile

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
