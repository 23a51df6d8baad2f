"""The folder of a table: its files, their hashes, and the Frictionless description."""

import hashlib
import io
import json
from pathlib import Path, PurePosixPath, PureWindowsPath

import pandas as pd

from sinklab import paths, provenance
from sinklab.errors import TableError, listing
from sinklab.language import tr
from sinklab.tables import cells
from sinklab.tables.schema import FILES, MODEL_FILES, SCHEMA_VERSION, TITLES
from sinklab.tables.seal import RELEASE_FILES

DESCRIPTOR = "datapackage.json"
LICENCE = {"name": "Apache-2.0", "title": "Apache License 2.0"}
#: A version with one of these statuses is never overwritten by other numbers.
FROZEN = ("reviewed", "published")
_BINARY = {
    "draws": ("draws.parquet", "parquet", "application/vnd.apache.parquet"),
    "provenance": ("provenance.json", "json", "application/json"),
}


def to_json(content) -> bytes:
    """JSON as the package stores it: UTF-8, one key per line, no number that JSON does not know."""
    return (json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode("utf-8")


def portable(value):
    """Replace absolute paths in a nested description by names that mean the same on any machine."""
    if isinstance(value, dict):
        return {str(k): portable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [portable(v) for v in value]
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str) and "\n" not in value:
        if PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute():
            return paths.relative(value)
    return value


def _draws_bytes(draws: pd.DataFrame) -> bytes:
    """Parquet with 64-bit numbers, so that a prediction by draws repeats exactly."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    # Types are stated, so that the bytes do not depend on how pandas holds text and counts.
    kinds = {"model_id": pa.string(), "draw": pa.int32()}
    arrays = {c: pa.array(draws[c], kinds.get(c, pa.float64()), from_pandas=False) for c in draws.columns}
    table = pa.table(arrays)
    sink = io.BytesIO()
    parquet.write_table(table, sink, compression="zstd", use_dictionary=["model_id"])
    return sink.getvalue()


def read_draws(content: bytes) -> pd.DataFrame:
    """Joint draws from the bytes of ``draws.parquet``."""
    import pyarrow.parquet as parquet

    return parquet.read_table(io.BytesIO(content)).to_pandas()


def contents(frames, origin) -> dict[str, bytes]:
    """Bytes of every file but the description, by file name.

    Raises
    ------
    TableError
        Cells that must not be written, of all files at once.
    """
    files, problems = {}, []
    for name in FILES:
        if name not in frames:
            continue
        try:
            files[f"{name}.csv"] = cells.to_csv(name, frames[name])
        except TableError as error:
            problems.append(str(error))
    if problems:
        raise TableError(listing(problems))
    if "draws" in frames:
        files["draws.parquet"] = _draws_bytes(frames["draws"])
    files["provenance.json"] = to_json(origin)
    return files


def describe(files, head) -> bytes:
    """Frictionless description of a package.

    Parameters
    ----------
    files : dict of bytes
        See :func:`contents`.
    head : dict
        Properties of the package itself: name, version, title, sources …

    Returns
    -------
    content : bytes
        ``datapackage.json``; every file is listed with its size and SHA-256.
    """
    resources = [_resource(name, content, files) for name, content in files.items()]
    return to_json(head | {"resources": resources})


def _resource(filename, content, files) -> dict:
    name = filename.split(".")[0]
    en, zh = TITLES[name]
    found = {"name": name, "title": en, "title_zh": zh, "path": filename, "scheme": "file"}
    if name in FILES:
        found |= {"type": "table", "format": "csv", "mediatype": "text/csv", "encoding": "utf-8-sig"}
    else:
        _, form, mediatype = _BINARY[name]
        found |= {"type": "file", "format": form, "mediatype": mediatype}
    found |= {"bytes": len(content), "hash": f"sha256:{hashlib.sha256(content).hexdigest()}"}
    if name in FILES:
        schema = {"fields": [field.descriptor() for field in FILES[name]], "missingValues": [""]}
        if name == "models":
            schema["primaryKey"] = ["model_id"]
        if name in MODEL_FILES:
            reference = {"resource": "models", "fields": ["model_id"]}
            schema["foreignKeys"] = [{"fields": ["model_id"], "reference": reference}]
        found["schema"] = schema
    return found


def write_folder(folder: Path, frames, origin, head) -> None:
    """Write a package as a whole; an earlier one stays as it was if anything fails."""
    files = contents(frames, origin)
    description = describe(files, head)
    if folder.is_dir():
        # What a release adds is no part of the table itself.
        found = [path for path in folder.iterdir() if path.is_file() and path.name not in RELEASE_FILES]
        earlier = {path.name: path.read_bytes() for path in found}
        if earlier == files | {DESCRIPTOR: description}:
            return
        _refuse_frozen(folder)
    with paths.atomic_folder(folder) as work:
        for filename, content in files.items():
            (work / filename).write_bytes(content)
        (work / DESCRIPTOR).write_bytes(description)


def _refuse_frozen(folder) -> None:
    """Keep reviewed and published versions: they are facts, and other numbers need another version."""
    try:
        status = read_descriptor(folder)["sinklab"]["status"]
    except (TableError, KeyError):
        return
    if status in FROZEN:
        raise TableError(
            tr(
                f"{folder}: this version is {status} and holds other numbers; write a new version",
                f"{folder}：该版本状态为 {status}，且数值不同；请使用新的版本号",
            )
        )


def read_descriptor(folder: Path) -> dict:
    """Read ``datapackage.json`` of a package.

    Raises
    ------
    TableError
        It is absent, not JSON, not a table of sinklab, or of a newer layout than this version knows.
    """
    path = folder / DESCRIPTOR
    if not path.is_file():
        raise TableError(
            tr(
                f"{folder}: no table here ({DESCRIPTOR} is absent)",
                f"{folder}：此处没有参数表（缺少 {DESCRIPTOR}）",
            )
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        layout = int(found["sinklab"]["schema_version"])
        resources = [(str(r["name"]), str(r["path"])) for r in found["resources"]]
    except (ValueError, KeyError, TypeError) as error:
        raise TableError(
            tr(
                f"{path}: not the description of a sinklab table ({error!r})",
                f"{path}：不是 sinklab 参数表的描述文件（{error!r}）",
            )
        ) from None
    if layout != SCHEMA_VERSION:
        raise TableError(
            tr(
                f"{path}: layout version {layout}; this sinklab reads {SCHEMA_VERSION}",
                f"{path}：格式版本为 {layout}；当前 sinklab 只能读取 {SCHEMA_VERSION}",
            )
        )
    # Only the files of the layout are opened, whatever path a description names.
    known = {name: f"{name}.csv" for name in FILES} | {name: spec[0] for name, spec in _BINARY.items()}
    odd = [f"{name}: {file}" for name, file in resources if known.get(name) != file]
    if odd:
        expected = ", ".join(known.values())
        raise TableError(
            tr(
                f"{path}: unknown files {', '.join(odd)}; expected some of {expected}",
                f"{path}：未知的文件 {'、'.join(odd)}；应为 {expected} 中的文件",
            )
        )
    present = {name for name, _ in resources}
    needed = {"checks", "provenance"} | (
        {"models", *MODEL_FILES, "draws"} if "models" in present else {"values"}
    )
    if needed - present:
        absent = ", ".join(known[name] for name in sorted(needed - present))
        raise TableError(
            tr(f"{path}: does not list {absent}", f"{path}：未列出 {absent}"),
        )
    return found


def read_folder(folder: Path) -> tuple[dict, dict, dict]:
    """Read a package, refusing files that are not the ones that were written.

    Returns
    -------
    frames : dict of DataFrame
    origin : dict
        The content of ``provenance.json``.
    descriptor : dict
        The content of ``datapackage.json``.

    Raises
    ------
    TableError
        Files missing or changed since they were written, or cells of the wrong type; all at once.
    """
    descriptor = read_descriptor(folder)
    problems = changed_files(folder, descriptor)
    if problems:
        raise TableError(f"{folder}:\n{listing(problems)}")
    frames = {}
    for resource in descriptor["resources"]:
        content = (folder / resource["path"]).read_bytes()
        name = resource["name"]
        try:
            frames[name] = read_file(name, content)
        except (TableError, ValueError, OSError) as error:
            problems.append(f"{resource['path']}: {error}")
    if problems:
        raise TableError(f"{folder}:\n{listing(problems)}")
    origin = frames.pop("provenance")
    return frames, origin, descriptor


def read_file(name: str, content: bytes):
    """Read one file of a package: a frame, or the dict of ``provenance.json``."""
    if name == "provenance":
        return json.loads(content.decode("utf-8"))
    return read_draws(content) if name == "draws" else cells.from_csv(name, content)


def changed_files(folder: Path, descriptor) -> list[str]:
    """Name the files that are missing or differ from the hash in the description."""
    problems = []
    for resource in descriptor["resources"]:
        path = folder / resource["path"]
        if not path.is_file():
            problems.append(tr(f"{resource['path']}: missing", f"{resource['path']}：缺失"))
        elif f"sha256:{provenance.file_sha256(path)}" != resource.get("hash"):
            problems.append(
                tr(
                    f"{resource['path']}: changed since it was written; restore it, or write the table anew",
                    f"{resource['path']}：写入之后被改动；请恢复原文件，或重新生成参数表",
                )
            )
    return problems
