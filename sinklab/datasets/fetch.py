"""Bring the files of an open data set to this machine: already here, from a mirror, or from their address."""

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path

from sinklab import paths
from sinklab.datasets import catalog
from sinklab.errors import DataError
from sinklab.language import tr

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
    return [_get_file(name, item, mirror) for item in catalog.entry(name)["files"]]


def _get_file(name, item, mirror) -> tuple[Path, str]:
    here = catalog.find(item["path"])
    if here:
        return here, "present"
    target = catalog.folders()[0] / item["path"]
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
                f"{catalog.where_to_get(name)}",
                f"{name}：本机{where}没有 {item['path']}，也没有可直接下载的地址；{catalog.where_to_get(name)}",
            )
        )
    try:
        with urllib.request.urlopen(item["address"], timeout=TIMEOUT) as source:
            _place(source, target, item, item["address"])
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DataError(
            tr(
                f"{name}: {item['address']} cannot be reached ({reason}); {catalog.where_to_get(name)}",
                f"{name}：无法连接 {item['address']}（{reason}）；{catalog.where_to_get(name)}",
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
