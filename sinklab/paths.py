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
import re
import shutil
import stat
import struct
import tempfile
import threading
import time
from contextlib import contextmanager, nullcontext, suppress
from functools import cache, lru_cache
from glob import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sinklab.language import DataError

try:
    import fcntl
except ImportError:  # as on Windows
    fcntl = None  # type: ignore[assignment]

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
    """Folder of the workbench: ``SINKLAB_ROOT``, else the nearest one that holds ``data/vocabulary``.

    Examples
    --------
    >>> (sl.root() / 'data').is_dir()
    True
    """
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


#: Names that a disk of Windows does not take, whatever ending they have.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?|.*[. ]", re.IGNORECASE)


def portable(name: str) -> bool:
    """Whether a name of letters, digits and ``_ - .`` can be one of a file or folder on every system."""
    return not _DEVICES.fullmatch(name)


def plain(name) -> bool:
    """Whether what somebody calls a thing can name its file: with the folders above, Windows opens the path too."""
    letters = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}", name)
    return bool(letters) and portable(name)


#: Seconds after which a part file or folder is what a killed process left behind, where no lock tells.
STALE = 900
#: What this process takes from the permissions of new files; asked once, because asking sets it for a moment.
_UMASK = os.umask(0o022)
os.umask(_UMASK)


def _lock(place, wait: bool = False) -> int | None:
    """Lock a file or folder; its descriptor, which frees it when closed, or None where there are no such locks.

    The system frees what a killed process held.

    Raises
    ------
    BlockingIOError
        Another process holds it, and this one does not wait.
    """
    if fcntl is None:
        return None
    handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:  # such as a folder on a network
        os.close(handle)
        return None
    return handle


@contextmanager
def _at_work(place):
    """Show the others that somebody is at a part file or folder."""
    handle = _lock(place, wait=True)  # whoever looks for what was left behind holds it for a moment
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _left_behind(place: Path, moment: float = 2) -> bool:
    """Whether nobody is at a part any more; a ``moment`` may lie between its making and its lock."""
    try:
        state = place.lstat()
        handle = _lock(place)
    except OSError:
        return False
    if handle is not None:
        os.close(handle)
    return time.time() - max(state.st_mtime, state.st_ctime) >= min(
        STALE if handle is None else moment, STALE
    )


_turns = threading.local()


@contextmanager
def turn(folder):
    """Let one process at a time decide what a folder holds; a second one waits.

    Within one thread, turns of one folder may be nested.
    """
    folder = Path(folder).resolve()
    held = _turns.__dict__.setdefault("held", set())
    if folder in held:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    handle, lock = _lock(folder, wait=True), nullcontext()
    if handle is None:
        from filelock import FileLock

        lock = FileLock(folder / ".turn.lock")
    held.add(folder)
    try:
        with lock:
            yield
    finally:
        held.discard(folder)
        if handle is not None:
            os.close(handle)


def mend(folder, name: str = "*") -> None:
    """Clear what killed processes left of a file or folder, or of all; what one had moved aside comes back."""
    for left in Path(folder).glob(f".{name if name == '*' else escape(name)}.{8 * '?'}.part*"):
        with suppress(OSError):
            path = left.with_name(re.sub(r"^\.(.*)\.[^.]{8}\.part(-old)?$", r"\1", left.name))
            if left.suffix == ".part-old" and not path.exists():
                if _left_behind(left, 0):
                    os.replace(left, path)
            elif _left_behind(left):
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _rooms() -> list[Path]:
    """Folders that may themselves be links, as somebody arranged them; nothing below them leads out."""
    places = [params(), root(), data("studies"), data("open"), open_data()]
    places += [reports(name) for name in ("runs", "drafts", "reviews", "verdicts")]
    found = [Path(os.path.abspath(place)) for place in places if place]
    return sorted(found, key=lambda place: -len(place.parts))


def refuse_links_out(path) -> None:
    """Refuse a place below a room of the workbench that a link has moved out of it.

    Raises
    ------
    DataError
    """
    path = Path(os.path.abspath(path))
    room = next((room for room in _rooms() if path.is_relative_to(room)), None)
    if room is not None and not path.parent.resolve().is_relative_to(room.resolve()):
        raise DataError(
            f"{path}: not written: a link leads out of {room}, to {path.parent.resolve()}",
            f"{path}：未写入：有链接指向 {room} 之外的 {path.parent.resolve()}",
        )


def _replaceable(path, kind) -> Path:
    """A place that is free, or of the kind that is to be written; a device or a pipe is never replaced.

    What a killed process left beside it goes; what it had moved aside comes back.
    """
    path = Path(path)
    refuse_links_out(path)
    mend(path.parent, path.name)
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

    Text is written as UTF-8 with ``\\n`` line ends on every system. A file that is replaced hands on its permissions,
    a link is replaced itself.
    """
    path = _replaceable(path, Path.is_file)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    allowed = path.stat().st_mode & 0o777 if path.is_file() and not path.is_symlink() else 0o666 & ~_UMASK
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with _at_work(name):
            with os.fdopen(handle, mode, **text) as stream:
                yield stream
            os.chmod(name, allowed)
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
        with _at_work(work):
            yield work
            work.chmod(0o777 & ~_UMASK)
            with turn(path.parent):
                _swap(work, path)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _swap(work: Path, path: Path) -> None:
    """Put a folder in the place of another, or of a link to one."""
    if path.is_symlink():
        path.unlink()
    if not path.exists():
        os.replace(work, path)
        return
    old = path.with_name(f".{path.name}.{work.name[-13:-5]}.part-old")
    with _at_work(path):
        os.replace(path, old)
        try:
            os.replace(work, path)
        except BaseException:
            os.replace(old, path)
            raise
        shutil.rmtree(old)


def clear(within=None) -> Path:
    """Clear private folders that killed processes left among temporary files, or in another place; which it was."""
    within = Path(within or tempfile.gettempdir())
    for left in within.glob(".sinklab.*"):
        with suppress(OSError):
            state = left.lstat()
            ours = not hasattr(os, "geteuid") or state.st_uid == os.geteuid()
            if ours and stat.S_ISDIR(state.st_mode) and _left_behind(left):
                shutil.rmtree(left)
    return within


@contextmanager
def private(kind: str, within=None):
    """Temporary folder that nobody else can enter; those that killed processes left are cleared."""
    within = clear(within)
    folder = tempfile.mkdtemp(prefix=f".sinklab.{kind}.", dir=within)
    try:
        with _at_work(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def own(folder) -> bool:
    """Make a folder for what will be executed later; whether nobody but this user can have put anything there.

    It is the user's and closed to all others, as is who owns what lies in it; and the folders above are the user's or
    the system's, and let nobody else put another in its place.
    """
    folder = Path(os.path.abspath(folder))
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not hasattr(os, "getuid"):
            return os.access(folder, os.W_OK)  # profiles of Windows are private
        told, user = folder.lstat(), os.getuid()
        above = [place.lstat() for place in folder.resolve().parents]
        return (
            stat.S_ISDIR(told.st_mode)
            and not told.st_mode & 0o077
            and all(place.lstat().st_uid == user for place in (folder, *folder.rglob("*")))
            and all(a.st_uid in (0, user) for a in above)
            and all(not a.st_mode & 0o022 or a.st_mode & stat.S_ISVTX for a in above)
            and os.access(folder, os.W_OK)
        )
    return False


# --- Where a number comes from: hashes of files and data, versions of what computed it.

#: Packages whose version can change a digit of a result.
STACK = ("numpy", "pandas", "scipy", "statsmodels", "pymc", "arviz", "nutpie", "numba", "pyarrow")


#: Bytes at the beginning of a file among which no 0 stands if it is text, as git has it.
_START = 8000


def unix_lines(content: bytes) -> bytes:
    r"""Content of a file, with ``\n`` for the line ends of Windows if it is text."""
    return content if b"\0" in content[:_START] else content.replace(b"\r\n", b"\n")


def file_sha256(path, raw: bool = False) -> str:
    r"""SHA-256 of a file, as 64 hexadecimal digits; of text with ``\n`` at its line ends, unless ``raw``.

    Git for Windows may give a clone other line ends, and the clone is still the same.
    """
    with open(path, "rb") as stream:
        start = stream.read(_START)
        stream.seek(0)
        if raw or b"\0" in start:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        digest, held = hashlib.sha256(), b""
        while block := stream.read(1 << 20):
            block = held + block
            held = b"\r" if block.endswith(b"\r") else b""
            digest.update(block.removesuffix(held).replace(b"\r\n", b"\n"))
        digest.update(held)
        return digest.hexdigest()


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

    found = {name: _version(name) for name in packages}
    return {"python": platform.python_version()} | {name: v for name, v in found.items() if v}


@lru_cache
def _version(package) -> str | None:
    # Every fit asks, and its metadata are read as a mail message is.
    try:
        return version(package)
    except PackageNotFoundError:
        return None


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
