"""Which data there are, and where their files lie: studies, open data sets, printed values.

``study:<id>``, ``open:<name>`` and ``literature:<file>`` name them everywhere. Open data sets are not in the repository:
:func:`get` brings their files to this machine, from a mirror or from their address. Nothing here imports pandas, so that
the inputs of a run are known at once.
"""

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from sinklab import paths
from sinklab.data.files import read_yaml
from sinklab.language import DataError, set_variable, tr, typed

#: Folder of a study: the raw table, what its columns mean, what was corrected, what the study is.
STUDY_FILES = ("data.csv", "columns.csv", "corrections.csv", "study.yml")
KINDS = ("study", "open", "literature")
TIMEOUT = 60  # seconds without an answer


def kind_and_name(spec: str) -> tuple[str, str]:
    """Split the name of a data source; one of no known kind is refused."""
    kind, _, name = str(spec).partition(":")
    if kind not in KINDS or not name:
        raise DataError(
            f"data {spec!r}: expected study:<id>, open:<name> or literature:<file>",
            f"数据 {spec!r}：应为 study:<编号>、open:<名称> 或 literature:<文件>",
        )
    return kind, name


def input_files(spec: str) -> list[Path]:
    """Return the input files of a data source, without reading them.

    Raises
    ------
    DataError
        The source is not known or its files are not at hand.
    """
    kind, name = kind_and_name(spec)
    if kind == "study":
        return study_files(name)
    if kind == "open":
        return [*entry_files(name), paths.data("open.yml")]
    return literature_files(name)


def literature_files(name: str) -> list[Path]:
    """Return a file of printed values and the sources beside it."""
    found = [paths.data("literature", f"{stem}.csv") for stem in (name, "sources")]
    if not found[0].is_file():
        known = ", ".join(sorted(path.stem for path in paths.data("literature").glob("*.csv")))
        raise DataError(
            f"literature:{name}: no such file in data/literature; known: {known or 'none'}",
            f"literature:{name}：data/literature 中没有该文件；已有：{known or '无'}",
        )
    return [path for path in found if path.is_file()]


# Studies.


def list_studies() -> tuple[str, ...]:
    """Ids of the studies under ``data/studies``, sorted.

    Examples
    --------
    >>> sl.list_studies()
    ('chinese_fir_simulated', 'eucalypt_simulated', 'masson_pine_simulated', 'moso_simulated')
    """
    return tuple(sorted(path.parent.name for path in paths.data("studies").glob("*/study.yml")))


def study_folder(study_id: str | Path) -> Path:
    """Folder of a study, by its id or by the path of a folder.

    Raises
    ------
    DataError
        With the ids that exist.
    """
    folder = Path(study_id)
    if folder.is_dir() and (folder / "study.yml").is_file():
        return folder.resolve()
    folder = paths.data("studies", str(study_id))
    if str(study_id) and (folder / "study.yml").is_file():
        return folder
    known = list_studies()
    near = get_close_matches(str(study_id), known, n=3) or known
    raise DataError(
        f"study {str(study_id)!r} does not exist in data/studies; known: {', '.join(near) or 'none'}",
        f"data/studies 中没有研究 {str(study_id)!r}；已有：{'、'.join(near) or '无'}",
    )


def study_files(study_id: str | Path) -> list[Path]:
    """Return the four files of a study."""
    folder = study_folder(study_id)
    return [folder / name for name in STUDY_FILES]


# Open data sets.


@lru_cache(maxsize=4)
def _read(path: Path, changed: float) -> dict:
    return read_yaml(path)


def entries() -> Mapping[str, dict[str, Any]]:
    """All open data sets of ``data/open.yml`` by name."""
    path = paths.data("open.yml")
    return _read(path, path.stat().st_mtime)


def entry(name: str) -> dict[str, Any]:
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
            f"open data set {name!r} is not in data/open.yml; known: {', '.join(near)}",
            f"data/open.yml 中没有公开数据集 {name!r}；已有：{'、'.join(near)}",
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
    shown = set_variable("SINKLAB_DATA", tr("FOLDER", "文件夹"))
    return tr(
        f"obtain it from https://doi.org/{doi}, put {wanted} into a folder and name the folder in SINKLAB_DATA: "
        f"{shown}; or run: {typed()} data get {name} --mirror FOLDER",
        f"请从 https://doi.org/{doi} 获取，将 {wanted} 放入一个文件夹并用 SINKLAB_DATA 指明：{shown}；"
        f"或运行 {typed()} data get {name} --mirror 文件夹",
    )


def entry_files(name: str) -> list[Path]:
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
            f"open:{name}: {', '.join(missing)} not found in {looked}; {where_to_get(name)}",
            f"open:{name}：在 {looked} 中未找到 {'、'.join(missing)}；{where_to_get(name)}",
        )
    return [find(path) for path in wanted]


def get(name: str, mirror: str | Path | None = None) -> list[tuple[Path, str]]:
    """Make the files of an open data set available.

    Looks in ``SINKLAB_DATA`` and ``data/open`` first, then in ``mirror``, then at the address in
    ``data/open.yml``. A file that is fetched is put in place only if its SHA-256 is the expected one.

    Parameters
    ----------
    name : str
        A name in ``data/open.yml``.
    mirror : path, optional
        Folder that holds the file under the path of ``data/open.yml``, or under its bare name.

    Returns
    -------
    found : list of (path, how)
        ``how`` is ``"present"``, ``"mirror"`` or ``"download"``.

    Raises
    ------
    DataError
        A file can be had from none of them, or is not the expected one.
    """
    if mirror is not None and not Path(mirror).is_dir():
        raise DataError(f"mirror {mirror}: no such folder", f"镜像 {mirror}：文件夹不存在")
    return [_get_file(name, item, mirror) for item in entry(name)["files"]]


def _get_file(name, item, mirror) -> tuple[Path, str]:
    target = folders()[0] / item["path"]
    paths.mend(target.parent)
    here = find(item["path"])
    if here:
        return here, "present"
    if mirror is not None:
        for candidate in (Path(mirror) / item["path"], Path(mirror) / Path(item["path"]).name):
            if candidate.is_file():
                with candidate.open("rb") as source:
                    _place(source, target, item, str(candidate))
                return target, "mirror"
    address = str(item.get("address") or "")
    if not address.startswith(("https://", "http://")):  # and no file of this machine
        where = tr(f" nor in {mirror}", f"和 {mirror} 中") if mirror else ""
        raise DataError(
            f"{name}: {item['path']} is not at hand{where}, and no direct address is known; "
            f"{where_to_get(name)}",
            f"{name}：本机{where}没有 {item['path']}，也没有可直接下载的地址；{where_to_get(name)}",
        )
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as source:
            _place(source, target, item, item["address"])
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DataError(
            f"{name}: {item['address']} cannot be reached ({reason}); {where_to_get(name)}",
            f"{name}：无法连接 {item['address']}（{reason}）；{where_to_get(name)}",
        ) from error
    return target, "download"


def _place(source, target, item, where) -> None:
    """Copy a stream to its place if its digest is the expected one."""
    digest = hashlib.sha256()
    try:
        with paths.atomic_write(target, "wb") as stream:
            while block := source.read(1 << 20):
                digest.update(block)
                stream.write(block)
            if digest.hexdigest() != item["sha256"]:
                raise DataError(
                    f"{where}: SHA-256 {digest.hexdigest()}; expected {item['sha256']} (data/open.yml); nothing "
                    "was written. The copy is damaged, or it is another release",
                    f"{where}：SHA-256 为 {digest.hexdigest()}；应为 {item['sha256']}（data/open.yml）；"
                    "未写入任何文件。文件不完整，或为其他版本",
                )
    except PermissionError as error:
        raise DataError(
            f"{target}: the folder cannot be written; name another one in SINKLAB_DATA",
            f"{target}：文件夹不可写；请用 SINKLAB_DATA 指明其他文件夹",
        ) from error
