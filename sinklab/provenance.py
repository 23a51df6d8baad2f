"""Where a number comes from: hashes of files and data, versions of what computed it.

Everything here gives the same answer on every machine for the same content: no times, no paths,
no user names.
"""

import hashlib
import struct
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sinklab import paths

#: Packages whose version can change a digit of a result.
STACK = ("numpy", "pandas", "scipy", "sympy", "statsmodels", "pymc", "arviz", "nutpie", "numba", "pyarrow")


def file_sha256(path) -> str:
    """SHA-256 of the bytes of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_sha256(files) -> dict[str, str]:
    """SHA-256 of several files by their name relative to the workbench, sorted by name."""
    return dict(sorted((paths.relative(path), file_sha256(path)) for path in files))


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
    """SHA-256 over all Python files of the library, by name; line ends do not matter."""
    folder = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py"), key=lambda p: p.relative_to(folder).as_posix()):
        digest.update(_packed(path.relative_to(folder).as_posix()))
        digest.update(_packed(path.read_text(encoding="utf-8")))
    return digest.hexdigest()


def lock_sha256() -> str:
    """SHA-256 of ``requirements.lock`` of the workbench, "" when there is none; line ends do not matter."""
    path = paths.root() / "requirements.lock"
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
