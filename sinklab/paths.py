"""Where things lie, and how files are replaced without a half-written moment."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path


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


@contextmanager
def atomic_write(path, mode: str = "w"):
    r"""Open a temporary file beside ``path`` and put it in place only if the block succeeds.

    Text is written as UTF-8 with ``\\n`` line ends on every system.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
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
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
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
