"""Which open data sets there are, and where their files lie. Nothing here imports pandas."""

from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from sinklab import paths
from sinklab.errors import DataError
from sinklab.language import tr


@lru_cache(maxsize=4)
def _read(path: Path, changed: float) -> dict:
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def entries() -> dict[str, dict]:
    """All open data sets of ``data/open.yml`` by name."""
    path = paths.data("open.yml")
    return _read(path, path.stat().st_mtime)


def entry(name: str) -> dict:
    """Return what ``data/open.yml`` says of one data set.

    Raises
    ------
    DataError
        With the names that exist.
    """
    known = entries()
    if name not in known:
        near = get_close_matches(name, known, n=3) or list(known)
        raise DataError(
            tr(
                f"open data set {name!r} is not in data/open.yml; known: {', '.join(near)}",
                f"data/open.yml 中没有公开数据集 {name!r}；已有：{'、'.join(near)}",
            )
        )
    return known[name]


def folders() -> list[Path]:
    """Folders that are searched for open data: ``SINKLAB_DATA``, then ``data/open``."""
    named = paths.open_data()
    return ([named] if named else []) + [paths.data("open")]


def find(path: str) -> Path | None:
    """File of an open data set, or None."""
    for folder in folders():
        if (folder / path).is_file():
            return folder / path
    return None


def present(name: str) -> bool:
    """Whether all files of a data set are at hand."""
    return all(find(item["path"]) for item in entry(name)["files"])


def where_to_get(name: str) -> str:
    """Sentence that tells a person where a data set can be obtained."""
    doi = entry(name)["doi"]
    wanted = ", ".join(item["path"] for item in entry(name)["files"])
    return tr(
        f"obtain it from https://doi.org/{doi}, put {wanted} into a folder and name the folder in SINKLAB_DATA, "
        f"or run `sinklab data get {name} --mirror FOLDER`",
        f"请从 https://doi.org/{doi} 获取，将 {wanted} 放入一个文件夹并用 SINKLAB_DATA 指明，"
        f"或运行 sinklab data get {name} --mirror 文件夹",
    )


def files(name: str) -> list[Path]:
    """Files of a data set that is at hand.

    Raises
    ------
    DataError
        A file is absent, with what to do.
    """
    wanted = [item["path"] for item in entry(name)["files"]]
    missing = [path for path in wanted if not find(path)]
    if missing:
        looked = ", ".join(str(folder) for folder in folders())
        raise DataError(
            tr(
                f"open:{name}: {', '.join(missing)} not found in {looked}; {where_to_get(name)}",
                f"open:{name}：在 {looked} 中未找到 {'、'.join(missing)}；{where_to_get(name)}",
            )
        )
    return [find(path) for path in wanted]
