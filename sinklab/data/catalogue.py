"""Which open data sets there are, and where their files lie. Nothing here imports pandas.

Select records of a frame by the values of its columns.

Bring the files of an open data set to this machine: already here, from a mirror, or from their address.
"""

import hashlib
import http.client
import urllib.error
import urllib.request
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import pandas as pd

from sinklab import paths
from sinklab.data import vocabulary
from sinklab.language import DataError, listing, tr

# --- Which open data sets there are, and where their files lie. Nothing here imports pandas.


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
            tr(
                f"open:{name}: {', '.join(missing)} not found in {looked}; {where_to_get(name)}",
                f"open:{name}：在 {looked} 中未找到 {'、'.join(missing)}；{where_to_get(name)}",
            )
        )
    return [find(path) for path in wanted]


# --- Select records of a frame by the values of its columns.

BOUNDS = ("min", "max")


def select(frame: pd.DataFrame, where, name: str = "data") -> pd.DataFrame:
    """Return the records that fulfil all conditions, with the index and attributes of the frame.

    Parameters
    ----------
    frame : DataFrame
    where : mapping or None
        ``{column: value}``, ``{column: [value, …]}`` or, for numbers, ``{column: {min: …, max: …}}``
        with both ends included. A species may be named by its id, Latin, Chinese or English name.
    name : str
        What the data are called in messages.

    Raises
    ------
    DataError
        A column that is not there, a condition that cannot be read, or no record left, with the
        values that exist.
    """
    if not where:
        return frame
    unknown = [column for column in where if column not in frame]
    if unknown:
        columns = ", ".join(map(str, frame.columns))
        raise DataError(
            tr(
                f"{name}: no column {', '.join(map(str, unknown))}; columns: {columns}",
                f"{name}：没有列 {'、'.join(map(str, unknown))}；已有列：{columns}",
            )
        )
    kept = pd.Series(True, index=frame.index)
    lines = []
    for column, wanted in where.items():
        mask = _mask(frame[column], column, wanted, name)
        kept &= mask
        lines.append(_line(frame[column], column, wanted, mask))
    if not kept.any():
        raise DataError(
            tr(
                f"{name}: no record fulfils all conditions of where:\n{listing(lines)}",
                f"{name}：没有记录满足 where 的全部条件：\n{listing(lines)}",
            )
        )
    chosen = frame[kept]
    chosen.attrs = dict(frame.attrs)
    return chosen


def _mask(values, column, wanted, name) -> pd.Series:
    if isinstance(wanted, dict):
        strange = [key for key in wanted if key not in BOUNDS]
        if strange or not wanted or not pd.api.types.is_numeric_dtype(values):
            raise DataError(
                tr(
                    f"{name}: where {column} = {wanted}; a range holds min, max or both, on a column of numbers",
                    f"{name}：where 中 {column} = {wanted}；范围只含 min、max，且该列应为数值",
                )
            )
        mask = values.notna()
        if "min" in wanted:
            mask &= values >= float(wanted["min"])
        if "max" in wanted:
            mask &= values <= float(wanted["max"])
        return mask
    chosen = list(wanted) if isinstance(wanted, (list, tuple, set)) else [wanted]
    if pd.api.types.is_numeric_dtype(values):
        return values.isin(pd.to_numeric(pd.Series(chosen), errors="coerce").dropna())
    present = set(values.dropna())
    return values.isin([_name(str(item), column, present) for item in chosen])


def _name(item, column, present) -> str:
    """Return the Latin name for a species that was named otherwise."""
    if column == "species" and item not in present:
        try:
            return vocabulary.species(item).name_latin
        except DataError:
            pass
    return item


def _line(values, column, wanted, mask) -> str:
    if pd.api.types.is_numeric_dtype(values):
        span = f"{values.min():g} – {values.max():g}"
    else:
        counts = values.value_counts()
        shown = [f"{value} ({count})" for value, count in counts.head(12).items()]
        span = ", ".join(shown + (["…"] if len(counts) > 12 else []))
    return tr(
        f"{column} = {wanted}: {int(mask.sum())} records; values that exist: {span}",
        f"{column} = {wanted}：{int(mask.sum())} 条；已有值：{span}",
    )


# --- Bring the files of an open data set to this machine: already here, from a mirror, or from their addres

TIMEOUT = 60  # seconds without an answer


def get(name: str, mirror=None) -> list[tuple[Path, str]]:
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
        raise DataError(tr(f"mirror {mirror}: no such folder", f"镜像 {mirror}：文件夹不存在"))
    return [_get_file(name, item, mirror) for item in entry(name)["files"]]


def _get_file(name, item, mirror) -> tuple[Path, str]:
    here = find(item["path"])
    if here:
        return here, "present"
    target = folders()[0] / item["path"]
    if mirror is not None:
        for candidate in (Path(mirror) / item["path"], Path(mirror) / Path(item["path"]).name):
            if candidate.is_file():
                with candidate.open("rb") as source:
                    _place(source, target, item, str(candidate))
                return target, "mirror"
    if not item.get("address"):
        where = tr(f" nor in {mirror}", f"和 {mirror} 中") if mirror else ""
        raise DataError(
            tr(
                f"{name}: {item['path']} is not at hand{where}, and no direct address is known; "
                f"{where_to_get(name)}",
                f"{name}：本机{where}没有 {item['path']}，也没有可直接下载的地址；{where_to_get(name)}",
            )
        )
    try:
        with urllib.request.urlopen(item["address"], timeout=TIMEOUT) as source:
            _place(source, target, item, item["address"])
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DataError(
            tr(
                f"{name}: {item['address']} cannot be reached ({reason}); {where_to_get(name)}",
                f"{name}：无法连接 {item['address']}（{reason}）；{where_to_get(name)}",
            )
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
                    tr(
                        f"{where}: SHA-256 {digest.hexdigest()}; expected {item['sha256']} (data/open.yml); nothing "
                        "was written. The copy is damaged, or it is another release",
                        f"{where}：SHA-256 为 {digest.hexdigest()}；应为 {item['sha256']}（data/open.yml）；"
                        "未写入任何文件。文件不完整，或为其他版本",
                    )
                )
    except PermissionError as error:
        raise DataError(
            tr(
                f"{target}: the folder cannot be written; name another one in SINKLAB_DATA",
                f"{target}：文件夹不可写；请用 SINKLAB_DATA 指明其他文件夹",
            )
        ) from error
