"""The folder of a table: CSV files a workbook opens, draws, origin, their description, and the seal of a release.

CSV has the shortest digits that give the same number, and no cell that a workbook would run. The
Frictionless description ``datapackage.json`` holds the size and SHA-256 of every file. A released table
is sealed: ``SHA256SUMS`` lists the SHA-256 of all files of the folder, in the form of ``sha256sum``, and its
own SHA-256 stands in ``CHANGELOG.md`` beside the tables, so that someone who alters a number and mends
all the hashes in the folder is still found out.

``provenance.json`` tells where the numbers come from, and what that allows them to be called. The data of a fit or of
values are told as a dict that whoever made them fills: ``spec`` or ``name``, ``origin`` (measured, simulated, printed),
``where``, ``files``, ``fingerprint``, ``n_read``, ``n_used``, ``citation``, ``licence``, ``recipe`` … A model adds how
it was fitted, a table which software computed it.
"""

import csv
import hashlib
import io
import json
import math
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import pandas as pd

from sinklab import paths
from sinklab.language import Notes, TableError, listing, plain, reader_language, tr, typed
from sinklab.results.fit_result import FitResult
from sinklab.tables.schema import (
    BINARY,
    CHANGELOG,
    DESCRIPTOR,
    FILES,
    FROZEN,
    MODEL_FILES,
    RELEASE_FILES,
    SCHEMA_VERSION,
    SUMS,
    TITLES,
    columns_of,
    older_columns,
)

#: Origin of data that nobody measured.
SIMULATED = "simulated"


@dataclass(frozen=True)
class ModelRecord:
    """What ``provenance.json`` keeps of one model; no times, and nothing of the machine but versions."""

    source: dict
    method: str
    variance: dict[str, str]
    correction: str
    level: float
    seed: int
    certificate: dict
    warnings: list[str]
    versions: dict[str, str]

    @classmethod
    def of(cls, fit: FitResult, origin: dict) -> "ModelRecord":
        """Record of a fit to data of some origin."""
        return cls(
            source=plain(origin),
            method=fit.method,
            variance={r: m.spec for r, m in fit.residual.items()},
            correction=fit.correction_kind,
            level=float(fit.level),
            seed=int(fit.seed),
            certificate=plain(fit.certificate.to_dict()),
            warnings=list(fit.warnings),
            versions=dict(fit.versions),
        )


@dataclass(frozen=True)
class Provenance:
    """Content of ``provenance.json``: software, data and models; ``sinklab`` is its version and source."""

    schema_version: int
    sinklab: dict[str, str]
    lock_sha256: str
    stack: dict[str, str]
    data: list[dict]
    models: dict[str, ModelRecord]

    @classmethod
    def here(cls, origins, models: dict[str, ModelRecord]) -> "Provenance":
        """Provenance of numbers that are computed here, in words that mean the same on any machine."""
        about = {"schema_version": SCHEMA_VERSION} | paths.software()
        about |= {"data": distinct(origins), "models": {key: asdict(m) for key, m in models.items()}}
        return cls.from_dict(_portable(about))

    @classmethod
    def from_dict(cls, content: dict) -> "Provenance":
        """Read what :meth:`to_dict` gives.

        Raises
        ------
        TableError
            Keys that are missing or not known.
        """
        models = _fields(Provenance, content)["models"]
        return cls(
            **content | {"models": {key: ModelRecord(**_fields(ModelRecord, m)) for key, m in models.items()}}
        )

    def to_dict(self) -> dict:
        """Plain types, as they stand in the file."""
        return asdict(self)


def _fields(kind, content) -> dict:
    wanted, found = {f.name for f in fields(kind)}, set(content) if isinstance(content, dict) else set()
    if wanted != found:
        missing, unknown = (", ".join(sorted(x)) or "–" for x in (wanted - found, found - wanted))
        raise TableError(
            f"provenance.json: missing {missing}; not known {unknown}",
            f"provenance.json：缺少 {missing}；未知 {unknown}",
        )
    return content


def origin_of(fit, source=None) -> dict:
    """Describe the data of a fit: what the data frame says of itself, the fit, and ``source``.

    Raises
    ------
    TableError
        None of them names the data.
    """
    carried = fit.data.attrs.get("source") if fit.data is not None else None
    found = dict(carried or {}) | {k: v for k, v in fit.source.items() if v is not None} | (source or {})
    if not name_of(found):
        raise TableError(
            f"{fit.label or fit.system.responses[0]}: nothing says where the data come from; "
            'give source={"name": …, "origin": …}',
            f"{fit.label or fit.system.responses[0]}：没有说明数据来源；请给出 source={{'name': …, 'origin': …}}",
        )
    return found


def name_of(origin) -> str:
    """One line that names the data: ``study:chinese_fir_guangxi`` or a file name, and what was selected."""
    name = str(origin.get("spec") or origin.get("name") or "")
    where = origin.get("where") or {}
    picked = "; ".join(f"{k} = {_listed(v)}" for k, v in where.items())
    return f"{name} ({picked})" if name and picked else name


def _listed(value) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def status_for(origin, wanted: str) -> str:
    """Status that numbers of this origin may have: simulated data never exceed ``demonstration``."""
    kinds = origin.get("origin", "")
    simulated = SIMULATED in ([kinds] if isinstance(kinds, str) else list(kinds))
    return "demonstration" if simulated else wanted


def distinct(origins) -> list[dict]:
    """Origins without empty ones and repetitions, in order."""
    found: list[dict] = []
    for origin in map(plain, origins):
        if origin and origin not in found:
            found.append(origin)
    return found


def package_sources(origins, frames) -> list[dict]:
    """List the sources for ``datapackage.json``: title, and citation, licence, address where known."""
    found: list[dict] = []
    for origin in distinct(origins):
        if origin.get("references"):
            found += [{"title": t, "citation": c} for t, c in origin["references"].items()]
            continue
        title = str(origin.get("title") or name_of(origin))
        entry = {"title": title}
        words = {k: k for k in ("citation", "citation_zh")} | {
            "licence": "licence",
            "url": "path",
            "doi": "doi",
        }
        entry |= {theirs: origin[ours] for ours, theirs in words.items() if origin.get(ours)}
        if title and entry not in found:
            found.append(entry)
    # What a row calls its source may be the data that stand above with their citation.
    told = {name_of(origin) for origin in origins} | {str(origin.get("spec")) for origin in origins}
    for cell in frames["values"]["sources"] if "values" in frames else ():
        parts = [part.strip() for part in str(cell).split(";")]
        entries = [{"title": part} for part in parts if part and part not in told]
        found += [e for e in entries if e["title"] not in {f["title"] for f in found}]
    return found


def printed_source(source: dict, lang: str | None = None) -> str:
    """One source of a table as it is printed: its citation, in Chinese where there is one, else its title."""
    own = ("citation_zh",) if (lang or reader_language()) == "zh" else ()
    return str(next(source[key] for key in (*own, "citation", "title") if source.get(key)))


def _portable(value):
    """Replace absolute paths in a nested description by names that mean the same on any machine."""
    if isinstance(value, dict):
        return {str(k): _portable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_portable(v) for v in value]
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str) and "\n" not in value:
        if PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute():
            return paths.relative(value)
    return value


# Excel and WPS evaluate text cells that begin with one of these.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TRUE, _FALSE = "true", "false"


def to_csv(name: str, frame: pd.DataFrame) -> bytes:
    r"""Write a frame as one CSV file of a package.

    Parameters
    ----------
    name : str
        Key of :data:`sinklab.tables.schema.FILES`; its columns are written, in its order.
    frame : DataFrame
        Columns that are absent are left blank; columns unknown to the schema are an error.

    Returns
    -------
    content : bytes
        UTF-8 with BOM, ``\n``; numbers in the shortest form that reads back unchanged.

    Raises
    ------
    TableError
        Unknown columns, wrong types, words that a column does not know, or text that a workbook would
        run as a formula; all at once.
    """
    names = columns_of(name)
    unknown = [str(c) for c in frame.columns if c not in names]
    if unknown:
        expected = ", ".join(names)
        raise TableError(
            f"{name}.csv: unknown columns {', '.join(unknown)}; expected {expected}",
            f"{name}.csv：未知的列 {'、'.join(unknown)}；应为 {expected}",
        )
    problems, columns = Notes(), []
    for field in FILES[name]:
        cells = frame[field.name] if field.name in frame.columns else [None] * len(frame)
        columns.append([_cell_out(field, cell, name, i, problems) for i, cell in enumerate(cells, start=1)])
    if problems:
        raise TableError(listing(problems))
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*columns, strict=True))
    return stream.getvalue().encode("utf-8-sig")


def _cell_out(field, cell, name, record, problems) -> str:
    where = f"{name}.csv, record {record}: {field.name} = {cell!r}"
    if cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if field.enum and cell not in ("", *field.enum):
        known = ", ".join(field.enum)
        problems.add(f"{where}; expected one of {known}", f"{where}：应为 {known} 之一")
        return ""
    if field.type == "string":
        text = str(cell)
        if text.startswith(_FORMULA):
            problems.add(
                f"{where}; a workbook would run text that begins with = + - @; reword it",
                f"{where}：以 = + - @ 开头的文本会被电子表格当作公式执行；请改写",
            )
        return text
    try:
        return _WRITERS[field.type](cell)
    except (TypeError, ValueError, OverflowError):
        problems.add(f"{where}; expected {field.type}", f"{where}：应为 {field.type} 类型")
        return ""


def _write_boolean(cell) -> str:
    if not isinstance(cell, (bool, np.bool_)):
        raise TypeError(cell)
    return _TRUE if cell else _FALSE


def _write_integer(cell) -> str:
    if int(cell) != cell:
        raise ValueError(cell)
    return str(int(cell))


def _write_number(cell) -> str:
    number = float(cell)
    if math.isinf(number):
        return "INF" if number > 0 else "-INF"
    # Whole numbers as 12, not 12.0; the negative zero keeps its sign.
    if number == int(number) and abs(number) < 1e15 and not (number == 0 and math.copysign(1, number) < 0):
        return str(int(number))
    return repr(number)


_WRITERS = {"boolean": _write_boolean, "integer": _write_integer, "number": _write_number}


def from_csv(name: str, content: bytes) -> pd.DataFrame:
    """Read one CSV file of a package.

    Parameters
    ----------
    name : str
        Key of :data:`sinklab.tables.schema.FILES`.
    content : bytes
        As written by :func:`to_csv`.

    Returns
    -------
    frame : DataFrame
        Text as str ("" when blank), flags as bool (None when blank), numbers as float64 (NaN when
        blank); counts as int64, or as float64 when some are blank.

    Raises
    ------
    TableError
        Other columns than the schema has, or cells of the wrong type; all at once.
    """
    names = columns_of(name)
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    header = rows[0] if rows else []
    older = next((found for found in older_columns(name) if found == header), None)
    if older is not None and header != names:
        # A package of an older layout: it does not speak of what came later.
        at = [older.index(n) if n in older else None for n in names]
        rows = [
            names,
            *(
                [row[i] if i is not None else "" for i in at] if len(row) == len(older) else row
                for row in rows[1:]
            ),
        ]
        header = names
    if header != names:
        raise TableError(
            f"{name}.csv: columns {', '.join(header)}; expected {', '.join(names)}",
            f"{name}.csv：列为 {'、'.join(header)}；应为 {'、'.join(names)}",
        )
    problems = Notes()
    for i, row in enumerate(rows[1:], start=1):
        if len(row) != len(names):
            problems.add(
                f"{name}.csv, record {i}: {len(row)} cells; expected {len(names)}",
                f"{name}.csv 第 {i} 条记录：{len(row)} 个单元格；应为 {len(names)} 个",
            )
    if problems:
        raise TableError(listing(problems))
    columns = {
        field.name: _column_in(field, [row[i] for row in rows[1:]], name, problems)
        for i, field in enumerate(FILES[name])
    }
    if problems:
        raise TableError(listing(problems))
    return pd.DataFrame(columns)


def _column_in(field, cells, name, problems):
    if field.type == "string":
        return pd.array(cells, dtype="str")
    read = _read_boolean if field.type == "boolean" else lambda cell: float(cell or "nan")
    values = []
    for i, cell in enumerate(cells, start=1):
        try:
            values.append(read(cell))
        except ValueError:
            values.append(read(""))
            problems.add(
                f"{name}.csv, record {i}: {field.name} = {cell!r}; expected {field.type}",
                f"{name}.csv 第 {i} 条记录：{field.name} = {cell!r}；应为 {field.type} 类型",
            )
    if field.type == "boolean":
        return np.array(values, dtype=object if None in values else bool)
    numbers = np.array(values, dtype=float)
    whole = field.type == "integer" and len(numbers) and np.isfinite(numbers).all()
    return numbers.astype(np.int64) if whole else numbers


def _read_boolean(cell: str) -> bool | None:
    if cell not in (_TRUE, _FALSE, ""):
        raise ValueError(cell)
    return cell == _TRUE if cell else None


# The folder


def sha256(content: bytes) -> str:
    """SHA-256 of some bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def to_json(content) -> bytes:
    """JSON as the package stores it: UTF-8, one key per line, no number that JSON does not know."""
    return (json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode("utf-8")


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


def contents(frames, provenance: Provenance) -> dict[str, bytes]:
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
            files[f"{name}.csv"] = to_csv(name, frames[name])
        except TableError as error:
            problems.append(str(error))
    if problems:
        raise TableError(listing(problems))
    if "draws" in frames:
        files["draws.parquet"] = _draws_bytes(frames["draws"])
    files["provenance.json"] = to_json(provenance.to_dict())
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
        _, form, mediatype = BINARY[name]
        found |= {"type": "file", "format": form, "mediatype": mediatype}
    found |= {"bytes": len(content), "hash": f"sha256:{sha256(content)}"}
    if name in FILES:
        schema = {"fields": [field.descriptor() for field in FILES[name]], "missingValues": [""]}
        if name == "models":
            schema["primaryKey"] = ["model_id"]
        if name in MODEL_FILES:
            reference = {"resource": "models", "fields": ["model_id"]}
            schema["foreignKeys"] = [{"fields": ["model_id"], "reference": reference}]
        found["schema"] = schema
    return found


def write_folder(folder: Path, frames, provenance: Provenance, head) -> None:
    """Write a package as a whole; an earlier one stays as it was if anything fails."""
    files = contents(frames, provenance)
    files[DESCRIPTOR] = describe(files, head)
    if folder.is_dir():
        if _stored(folder) == files:
            return
        _refuse_frozen(folder)
    with paths.atomic_folder(folder) as work:
        for filename, content in files.items():
            (work / filename).write_bytes(content)


def holds(folder: Path, frames, provenance: Provenance, head) -> bool:
    """Whether a folder is this package already."""
    files = contents(frames, provenance)
    return folder.is_dir() and _stored(folder) == files | {DESCRIPTOR: describe(files, head)}


def _stored(folder) -> dict[str, bytes]:
    """Files of a package that lies in a folder; what a release adds is no part of the table itself."""
    found = [path for path in folder.iterdir() if path.is_file() and path.name not in RELEASE_FILES]
    return {path.name: paths.unix_lines(path.read_bytes()) for path in found}


def _refuse_frozen(folder) -> None:
    """Keep reviewed and published versions: they are facts, and other numbers need another version."""
    try:
        status = read_descriptor(folder)["sinklab"]["status"]
    except (TableError, KeyError):
        return
    if status in FROZEN:
        raise TableError(
            f"{folder}: this version is {status} and holds other numbers; write a new version",
            f"{folder}：该版本状态为 {status}，且数值不同；请使用新的版本号",
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
            f"{folder}: no table here ({DESCRIPTOR} is absent)",
            f"{folder}：此处没有参数表（缺少 {DESCRIPTOR}）",
        )
    try:
        found = json.loads(_bounded(path))
        layout = int(found["sinklab"]["schema_version"])
        resources = [(str(r["name"]), str(r["path"])) for r in found["resources"]]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise TableError(
            f"{path}: not the description of a sinklab table ({error!r})",
            f"{path}：不是 sinklab 参数表的描述文件（{error!r}）",
        ) from None
    if not 1 <= layout <= SCHEMA_VERSION:
        raise TableError(
            f"{path}: layout version {layout}; this sinklab reads 1 to {SCHEMA_VERSION}",
            f"{path}：格式版本为 {layout}；当前 sinklab 只能读取 1～{SCHEMA_VERSION}",
        )
    # Only the files of the layout are opened, whatever path a description names.
    known = {name: f"{name}.csv" for name in FILES} | {name: spec[0] for name, spec in BINARY.items()}
    odd = [f"{name}: {file}" for name, file in resources if known.get(name) != file]
    if odd:
        expected = ", ".join(known.values())
        raise TableError(
            f"{path}: unknown files {', '.join(odd)}; expected some of {expected}",
            f"{path}：未知的文件 {'、'.join(odd)}；应为 {expected} 中的文件",
        )
    present = {name for name, _ in resources}
    needed = {"checks", "provenance"} | (
        {"models", *MODEL_FILES, "draws"} if "models" in present else {"values"}
    )
    if needed - present:
        absent = ", ".join(known[name] for name in sorted(needed - present))
        raise TableError(
            f"{path}: does not list {absent}",
            f"{path}：未列出 {absent}",
        )
    return found


def read_folder(folder: Path) -> tuple[dict, dict]:
    """Read a package, refusing files that are not the ones that were written.

    Returns
    -------
    frames : dict of DataFrame
        And under ``provenance`` its :class:`Provenance`.
    descriptor : dict
        The content of ``datapackage.json``.

    Raises
    ------
    TableError
        Files missing or changed since they were written, or cells of the wrong type; all at once.
    """
    descriptor = read_descriptor(folder)
    faults = changed_files(folder, descriptor)
    if not faults:
        frames, faults = read_files(folder, descriptor)
    if faults:
        raise TableError(f"{folder}:\n{listing(faults)}")
    return frames, descriptor


def read_files(folder: Path, descriptor) -> tuple[dict, list[str]]:
    """Files of a package as they lie there, changed or not, and what keeps the others from being read."""
    frames, faults = {}, Notes()
    for resource in descriptor["resources"]:
        name, path = resource["name"], folder / resource["path"]
        if not path.is_file():
            faults.add(f"{path.name}: missing", f"{path.name}：缺失")
            continue
        try:
            frames[name] = _read(name, _bounded(path))
        except TableError as error:
            faults.append(f"{path.name}: {error}")
        except (ArithmeticError, ValueError, OSError, LookupError, TypeError, RuntimeError) as error:
            faults.append(f"{path.name}: {type(error).__name__}: {error}")
    return frames, faults


#: Bytes of a file of a package, and numbers of its draws, beyond which nothing is loaded.
MOST_BYTES, MOST_NUMBERS = 512 * 2**20, 50_000_000
#: Columns of the draws beside those of the coefficients, and what they may be written as.
_DRAWN = {"model_id": ("string", "large_string"), "draw": ("int32", "int64")}


#: Signs that no document or workbook can hold, as they are and as JSON writes them.
_UNWRITABLE = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\\u00(?:0[0-8bcef]|1[0-9a-f])|\\ud[89a-f]", re.IGNORECASE
)


def _bounded(path: Path) -> bytes:
    """Content of a file of a package, unless it is too large, or text with signs of no script.

    Raises
    ------
    TableError
    """
    if path.stat().st_size > MOST_BYTES:
        raise TableError(f"larger than {MOST_BYTES} bytes", f"超过 {MOST_BYTES} 字节")
    content = path.read_bytes()
    if path.suffix in (".csv", ".json") and (found := _UNWRITABLE.search(content)):
        raise TableError(
            f"byte {found.start()}: a control character; expected text",
            f"第 {found.start()} 字节：控制字符；应为文本",
        )
    return content


def _read(name, content) -> pd.DataFrame | Provenance:
    if name == "provenance":
        return Provenance.from_dict(json.loads(content.decode("utf-8")))
    if name == "draws":
        import pyarrow.parquet as parquet

        # What the footer says, before anything is unpacked.
        told = parquet.read_metadata(io.BytesIO(content))
        if told.num_rows * told.num_columns > MOST_NUMBERS:
            raise TableError(
                f"{told.num_rows} rows of {told.num_columns} columns; at most {MOST_NUMBERS} numbers",
                f"{told.num_rows} 行 {told.num_columns} 列；最多 {MOST_NUMBERS} 个数",
            )
        odd = [
            c.name
            for c in told.schema.to_arrow_schema()
            if str(c.type) not in _DRAWN.get(c.name, ("double",))
        ]
        if odd or not _DRAWN.keys() <= {*told.schema.names}:
            raise TableError(
                f"expected columns {', '.join(_DRAWN)}, and numbers in all others, found {', '.join(odd) or 'none'}",
                f"应有列 {'、'.join(_DRAWN)}，其余均为数值列，实为 {'、'.join(odd) or '缺少'}",
            )
        return parquet.read_table(io.BytesIO(content)).to_pandas()
    return from_csv(name, content)


def changed_files(folder: Path, descriptor) -> list[str]:
    """Name the files that are missing or differ from the hash in the description."""
    problems = Notes()
    for resource in descriptor["resources"]:
        path = folder / resource["path"]
        if not path.is_file():
            problems.add(f"{resource['path']}: missing", f"{resource['path']}：缺失")
        elif f"sha256:{paths.file_sha256(path)}" != resource.get("hash"):
            problems.add(
                f"{resource['path']}: changed since it was written; restore it, or write the table anew",
                f"{resource['path']}：写入之后被改动；请恢复原文件，或重新生成参数表",
            )
    return problems


# The seal of a released table

_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


def sums(files: dict[str, bytes]) -> bytes:
    """Content of ``SHA256SUMS`` for some files."""
    lines = (f"{sha256(content)}  {name}\n" for name, content in sorted(files.items()))
    return "".join(lines).encode("ascii")


def heading(table_id: str, version: str) -> str:
    """Beginning of the headings of a version in the change log."""
    return f"## {table_id} {version} ·"


def digest_line(content: bytes) -> str:
    """Line of the change log that holds the digest of ``SHA256SUMS``."""
    return f"- 封存 sealed: {SUMS} sha256:{sha256(content)}"


def seal_problems(folder: Path, table_id: str, version: str) -> list[str]:
    """Every way in which a released folder is not what was released.

    Parameters
    ----------
    folder : path
        Folder of a version whose status is reviewed or published.

    Returns
    -------
    problems : list of str
    """
    path = folder / SUMS
    if not path.is_file():
        return [
            tr(
                f"{SUMS}: absent; a version is reviewed or published by `{typed()} table release` only",
                f"缺少 {SUMS}；只能用 {typed()} table release 将版本定为已评审或已发布",
            )
        ]
    content = paths.unix_lines(path.read_bytes())
    listed = {}
    for line in content.decode("utf-8", errors="replace").splitlines():
        found = _LINE.fullmatch(line)
        if not found:
            return [tr(f"{SUMS}: cannot be read: {line[:80]!r}", f"{SUMS}：无法读取：{line[:80]!r}")]
        listed[found[2]] = found[1]
    faults = Notes()
    for name in sorted({p.name for p in folder.iterdir()} - {SUMS} | set(listed)):
        here = (folder / name).is_file() if Path(name).name == name else False
        if name not in listed:
            faults.add(f"{name}: added after the release", f"{name}：发布之后加入")
        elif not here:
            faults.add(f"{name}: gone since the release", f"{name}：发布之后缺失")
        elif paths.file_sha256(folder / name) != listed[name]:
            faults.add(f"{name}: changed since the release", f"{name}：发布之后被改动")
    return faults + _against_log(folder, content, table_id, version)


def _against_log(folder, content, table_id, version) -> list[str]:
    log = folder.resolve().parent.parent / CHANGELOG
    if not log.is_file():
        return []  # A folder that was handed on alone has nothing to be compared with.
    stored, here = "", False
    # The latest entry of a version stands first.
    for line in log.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            here = line.startswith(heading(table_id, version))
        elif here and (found := re.search(rf"{SUMS} sha256:([0-9a-f]{{64}})", line)):
            stored = found[1]
            break
    if stored == sha256(content):
        return []
    if not stored:
        return [
            tr(
                f"{CHANGELOG} has no entry for {table_id} {version}",
                f"{CHANGELOG} 中没有 {table_id} {version} 的条目",
            )
        ]
    return [
        tr(
            f"{SUMS}: not the one that {CHANGELOG} names ({stored[:12]}); the folder was altered and sealed anew",
            f"{SUMS}：与 {CHANGELOG} 所记（{stored[:12]}）不符；文件夹被改动后重新封存",
        )
    ]
