"""Where things lie, and how files are replaced without a half-written moment.

Where a number comes from: hashes of files and data, versions of what computed it.

Everything here gives the same answer on every machine for the same content: no times, no paths,
no user names.

A Chinese font that is always there, for figures and PDF on systems without one.

``SinklabSansSC.otf`` holds the letters of GB 2312, Greek, Cyrillic and mathematical signs of Noto Sans
CJK SC (regular), made with ``pyftsubset --no-hinting --layout-features=`` and renamed, as the SIL Open
Font License (``OFL.txt``) asks.
"""

import ast
import hashlib
import json
import os
import shutil
import struct
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from glob import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sinklab.language import DataError

# --- Where things lie, and how files are replaced without a half-written moment.


@cache
def _root(override: str, here: str) -> Path:
    if override:
        return Path(override).resolve()
    package_parent = Path(__file__).resolve().parent.parent
    for folder in (Path(here), *Path(here).parents, package_parent):
        if (folder / "data" / "vocabulary" / "variables.csv").is_file():
            return folder
    return Path(here)


def root() -> Path:
    """Folder of the workbench: ``SINKLAB_ROOT``, else the nearest one that holds ``data/vocabulary``."""
    return _root(os.environ.get("SINKLAB_ROOT", ""), os.getcwd())


def data(*parts) -> Path:
    """Path below ``data/``; an installed package without a workbench falls back on its own copy."""
    folder = root() / "data"
    if not (folder / "vocabulary").is_dir():
        folder = Path(__file__).resolve().parent / "_data"
    return folder.joinpath(*parts)


def params(*parts) -> Path:
    """Path below ``params/``, the parameter tables; ``SINKLAB_PARAMS`` names another folder for them."""
    folder = os.environ.get("SINKLAB_PARAMS", "").strip()
    return (Path(folder) if folder else root() / "params").joinpath(*parts)


def reports(*parts) -> Path:
    """Path below ``reports/``: templates, drafts, runs."""
    return root().joinpath("reports", *parts)


def notebooks(*parts) -> Path:
    """Path below ``notebooks/``."""
    return root().joinpath("notebooks", *parts)


def open_data() -> Path | None:
    """Folder of open data sets already downloaded (``SINKLAB_DATA``), or None when not set."""
    folder = os.environ.get("SINKLAB_DATA", "").strip()
    return Path(folder).expanduser().resolve() if folder else None


def relative(path) -> str:
    """Path relative to the workbench, with forward slashes; the bare name for files outside it."""
    path = Path(path).resolve()
    try:
        return path.relative_to(root()).as_posix()
    except ValueError:
        return path.name


#: Seconds after which a part file or folder is what a killed process left behind.
STALE = 900


def _replaceable(path, kind) -> Path:
    """A place that is free, or of the kind that is to be written; a device or a pipe is never replaced.

    What a killed process left beside it goes; what it had moved aside comes back.
    """
    path = Path(path)
    for left in path.parent.glob(f".{escape(path.name)}.{8 * '?'}.part*"):
        with suppress(OSError):
            state = left.stat()
            if time.time() - max(state.st_mtime, state.st_ctime) < STALE:
                continue
            if left.suffix == ".part-old" and not path.exists():
                os.replace(left, path)
            elif left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
    if path.exists() and not kind(path):
        what = ("a file", "文件") if kind is Path.is_file else ("a folder", "文件夹")
        raise DataError(
            f"{path}: cannot be written: it is there, and not {what[0]}",
            f"{path}：无法写入：已存在且不是{what[1]}",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def atomic_write(path, mode: str = "w"):
    r"""Open a temporary file beside ``path`` and put it in place only if the block succeeds.

    Text is written as UTF-8 with ``\\n`` line ends on every system.
    """
    path = _replaceable(path, Path.is_file)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, mode, **text) as stream:
            yield stream
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def atomic_folder(path):
    """Yield a temporary folder that takes the place of ``path`` only if the block succeeds."""
    path = _replaceable(path, Path.is_dir)
    work = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        yield work
        work.chmod(0o755)
        if path.exists():
            old = path.with_name(f".{path.name}.{work.name[-13:-5]}.part-old")
            os.replace(path, old)
            try:
                os.replace(work, path)
            except BaseException:
                os.replace(old, path)
                raise
            shutil.rmtree(old)
        else:
            os.replace(work, path)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


# --- Where a number comes from: hashes of files and data, versions of what computed it.

#: Packages whose version can change a digit of a result.
STACK = ("numpy", "pandas", "scipy", "statsmodels", "pymc", "arviz", "nutpie", "numba", "pyarrow")


def file_sha256(path) -> str:
    """SHA-256 of the bytes of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_sha256(files) -> dict[str, str]:
    """SHA-256 of several files by their name relative to the workbench, sorted by name."""
    return dict(sorted((relative(path), file_sha256(path)) for path in files))


def fingerprint(frame) -> str:
    """SHA-256 of what a table says, however it is held in memory.

    The index, the order of the columns and the types of the columns (5 or 5.0, text or category)
    do not matter; names, values, missing cells and the order of the rows do.

    Parameters
    ----------
    frame : DataFrame, shape (n, m)
        Columns of numbers, booleans, text or dates.

    Returns
    -------
    digest : str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(f"rows {len(frame)}".encode())
    names = [str(name) for name in frame.columns]
    for position in sorted(range(len(names)), key=names.__getitem__):
        digest.update(_packed(names[position]))
        digest.update(_column_bytes(frame.iloc[:, position]))
    return digest.hexdigest()


def _packed(text: str) -> bytes:
    """Text with its length before it, so that ("ab", "c") differs from ("a", "bc")."""
    raw = text.encode("utf-8")
    return b"t" + struct.pack("<q", len(raw)) + raw


def _column_bytes(column) -> bytes:
    """Bytes of one column: float64 for numbers and booleans, packed text for the rest."""
    import numpy as np
    from pandas.api import types

    if types.is_numeric_dtype(column.dtype):
        numbers = column.to_numpy(dtype="<f8", na_value=np.nan)
        # One zero and one NaN, whatever their bits.
        numbers = np.where(np.isnan(numbers), np.nan, numbers + 0.0)
        return b"n" + numbers.astype("<f8").tobytes()
    missing = column.isna().to_numpy()
    cells = column.astype(object).to_numpy()
    parts = [b"-" if gone else _packed(_cell_text(cell)) for cell, gone in zip(cells, missing, strict=True)]
    return b"s" + b"".join(parts)


def _cell_text(cell) -> str:
    return cell.isoformat() if hasattr(cell, "isoformat") else str(cell)


def notebook_code(path) -> tuple[str, list[str]]:
    """SHA-256 of the code of a notebook, and the names its parameters cell declares.

    The parameters cell itself and all text and output are left out of the hash; line ends do not matter.

    Raises
    ------
    DataError
        Another cell assigns a parameter, so its value at the end says nothing of what was given.
    """
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    digest, declared, assigned = hashlib.sha256(), [], set()
    for cell in (c for c in cells if c["cell_type"] == "code"):
        code = "".join(cell["source"]).replace("\r\n", "\n")
        if "parameters" in cell.get("metadata", {}).get("tags", ()):
            declared += _stored_names(code)
        else:
            assigned |= {*_stored_names(code)}
            digest.update(_packed(code))
    lost = [name for name in declared if name in assigned]
    if lost:
        names, file = ", ".join(lost), Path(path).name
        raise DataError(
            f"{file}: parameters {names} are assigned in another cell; give the result another name",
            f"{file}：参数 {names} 在其他单元格中被重新赋值；请为结果另取名称",
        )
    return digest.hexdigest(), declared


def _stored_names(code: str) -> list[str]:
    """Names that the statements of a cell assign, functions and comprehensions apart."""
    found = []
    waiting = list(ast.parse(code).body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.append(node.id)
        if not isinstance(
            node, (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
        ):
            waiting += ast.iter_child_nodes(node)
    return found


def recipe(notebook: str, namespace: dict) -> dict:
    """How a notebook makes a table: its name, the hash of its code and the values of its parameters.

    Parameters
    ----------
    notebook : str
        File name in ``notebooks/``.
    namespace : dict
        ``globals()`` of the notebook.

    Returns
    -------
    recipe : dict
        ``notebook, code`` and ``parameters``, each a Python literal (JSON has no numbers as keys); where
        the notebook writes its figures is left out.

    Raises
    ------
    DataError
        As :func:`notebook_code`.
    """
    code, names = notebook_code(notebooks(notebook))
    told = {name: repr(namespace[name]) for name in names if name != "out_dir"}
    return {"notebook": f"notebooks/{notebook}", "code": code, "parameters": told}


def processors() -> int:
    """Processors that this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def versions(packages=STACK) -> dict[str, str]:
    """Versions of Python and of packages, read from their metadata without importing them.

    Packages that are not installed are left out.
    """
    import platform

    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@lru_cache(maxsize=1)
def source_sha256() -> str:
    """SHA-256 over all Python files of the library and the tables beside them, by name; line ends do not matter."""
    folder = Path(__file__).resolve().parent
    files = {p.relative_to(folder).as_posix(): p for kind in ("*.py", "*/*.csv") for p in folder.rglob(kind)}
    digest = hashlib.sha256()
    for name in sorted(name for name in files if not name.startswith("_data/")):
        digest.update(_packed(name))
        digest.update(_packed(files[name].read_text(encoding="utf-8")))
    return digest.hexdigest()


def lock_sha256() -> str:
    """SHA-256 of ``requirements.lock`` of the workbench, "" when there is none; line ends do not matter."""
    path = root() / "requirements.lock"
    if not path.is_file():
        return ""
    return hashlib.sha256(path.read_text(encoding="utf-8").encode("utf-8")).hexdigest()


def software() -> dict:
    """Describe the software that computes here: version and source of sinklab, lock, stack."""
    from sinklab import __version__

    return {
        "sinklab": {"version": __version__, "source_sha256": source_sha256()},
        "lock_sha256": lock_sha256(),
        "stack": versions(),
    }


# --- A Chinese font that is always there, for figures and PDF on systems without one.

FAMILY = "Sinklab Sans SC"


def folder() -> Path:
    """Folder that holds the font file, for programs that search folders."""
    return Path(__file__).resolve().parent / "fonts"


def register() -> str:
    """Make the font known to matplotlib and return its family name."""
    from matplotlib import font_manager

    file = folder() / "SinklabSansSC.otf"
    if not any(entry.fname == str(file) for entry in font_manager.fontManager.ttflist):
        font_manager.fontManager.addfont(str(file))
    return FAMILY
