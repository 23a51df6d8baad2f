"""Finding tables: by folder, by ``id@version``, by id (the latest version), or all of them."""

from difflib import get_close_matches
from pathlib import Path

from sinklab import paths
from sinklab.errors import TableError, listing
from sinklab.language import tr
from sinklab.tables.naming import check_table_id, check_version, version_key
from sinklab.tables.package import DESCRIPTOR, read_descriptor


def table_ids(root=None) -> list[str]:
    """Ids of the tables below ``root`` (``params/`` of the workbench when left out), sorted."""
    folder = Path(root) if root is not None else paths.params()
    if not folder.is_dir():
        return []
    return sorted(
        p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".") and versions(p)
    )


def versions(folder) -> list[str]:
    """Versions of one table, the folder ``params/<table_id>``, from the oldest to the latest."""
    found = []
    for path in Path(folder).iterdir():
        if not (path / DESCRIPTOR).is_file() or path.name.startswith("."):
            continue
        try:
            found.append(check_version(path.name))
        except TableError:
            continue
    return sorted(found, key=version_key)


def resolve(ref, root=None) -> Path:
    """Folder of a table.

    Parameters
    ----------
    ref : path or str
        The folder of a version, the folder of a table (its latest version), ``id@version``, or ``id``
        (the latest version below ``root``).
    root : path, optional
        Folder that holds the tables; ``params/`` of the workbench when left out.

    Raises
    ------
    TableError
        Nothing there; with the nearest ids, or the versions that exist.
    """
    path = Path(ref)
    if (path / DESCRIPTOR).is_file():
        return path
    if path.is_dir() and versions(path):
        return path / versions(path)[-1]
    table_id, _, version = str(ref).partition("@")
    check_table_id(table_id)
    if version:
        check_version(version)
    base = Path(root) if root is not None else paths.params()
    folder = base / table_id
    known = versions(folder) if folder.is_dir() else []
    if not known:
        ids = table_ids(base)
        shown = paths.relative(base) if base.is_relative_to(paths.root()) else base
        near = ", ".join(get_close_matches(table_id, ids, n=3) or ids[:10]) or "–"
        raise TableError(
            tr(
                f"{shown}: no table {table_id}; there are: {near}",
                f"{shown}：没有参数表 {table_id}；现有：{near}",
            )
        )
    if version and version not in known:
        there = ", ".join(known)
        raise TableError(
            tr(
                f"{table_id}: no version {version}; there are: {there}",
                f"{table_id}：没有版本 {version}；现有：{there}",
            )
        )
    return folder / (version or known[-1])


def list_tables(root=None) -> list[dict]:
    """Describe the versions of all tables, without reading their numbers.

    Returns
    -------
    tables : list of dict
        ``table_id, version, status, title, title_zh, n_model, n_equation, n_value, folder``.

    Raises
    ------
    TableError
        Descriptions that cannot be read, all at once.
    """
    base = Path(root) if root is not None else paths.params()
    found, problems = [], []
    for table_id in table_ids(base):
        for version in versions(base / table_id):
            folder = base / table_id / version
            try:
                head = read_descriptor(folder)
            except TableError as error:
                problems.append(str(error))
                continue
            own = head["sinklab"]
            found.append(
                {"table_id": table_id, "version": version, "status": own.get("status", "")}
                | {key: head.get(key, "") for key in ("title", "title_zh")}
                | {key: own.get(key, 0) for key in ("n_model", "n_equation", "n_value")}
                | {"folder": paths.relative(folder)}
            )
    if problems:
        raise TableError(listing(problems))
    return found
