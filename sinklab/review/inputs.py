"""The inputs that a table names: whether they are at hand and the same, and what they hold."""

from dataclasses import dataclass
from pathlib import Path

from sinklab import paths, provenance
from sinklab.errors import SinklabError
from sinklab.language import tr

#: Kinds of sources that can be read again by name.
LOADED = ("study", "open", "literature")


@dataclass(frozen=True)
class Input:
    """One input file: the SHA-256 that the table names, and the one found ("" when absent)."""

    name: str
    stored: str
    found: str

    @property
    def agreed(self) -> bool:
        """Whether the file is the one the table was made from."""
        return self.stored == self.found


def _beside(stored) -> list[Path]:
    """Files of the workbench's data that a table names, such as further files of printed values."""
    data, named = paths.data().resolve(), [paths.root() / name for name in stored]
    return [path for path in named if path.resolve().is_relative_to(data) and path.is_file()]


class Inputs:
    """Reads each source once and keeps what was found of it.

    Parameters
    ----------
    files : sequence of path, optional
        Own data files, for tables that were made from plain files (``file:trees.csv``).
    """

    def __init__(self, files=()):
        self.given = {Path(file).name: Path(file) for file in files}
        self.checked: dict[str, Input] = {}
        self.missing: list[str] = []
        self._frames: dict[str, object] = {}

    def frame(self, source: dict, numeric=()):
        """Data of a source, None when they cannot be had (then :attr:`missing` says why).

        Parameters
        ----------
        source : dict
            Record of ``provenance.json``.
        numeric : collection of str
            Columns of a plain file that hold numbers.
        """
        key = repr((source.get("spec"), source.get("where"), source.get("name")))
        if key not in self._frames:
            self._frames[key] = self._read(source, numeric)
        return self._frames[key]

    def check(self, source: dict) -> None:
        """Compare the files of a source with those of today, without reading the data."""
        spec = str(source.get("spec") or "")
        stored = dict(source.get("files") or {})
        if spec.partition(":")[0] in LOADED and stored:
            from sinklab import datasets

            try:
                files = datasets.files(spec)
                if spec.startswith("open:"):
                    # Known by their names in the catalogue, wherever they lie.
                    ends = {
                        name: next((f for f in files if f.as_posix().endswith(name)), None) for name in stored
                    }
                    found = {name: provenance.file_sha256(f) for name, f in ends.items() if f}
                else:
                    found = provenance.files_sha256(dict.fromkeys([*files, *_beside(stored)]))
                self._check(stored, found)
            except SinklabError as error:
                self._check(stored, {})
                self.missing.append(f"{spec}: {error}")

    def _read(self, source, numeric):
        spec = str(source.get("spec") or "")
        kind = spec.partition(":")[0]
        stored = dict(source.get("files") or {})
        try:
            if kind in LOADED:
                from sinklab import datasets

                frame = datasets.load(spec, source.get("where") or None)
                self._check(stored, dict(frame.attrs["source"].get("files") or {}))
                return frame
            return self._own_file(spec or str(source.get("name") or "?"), stored, numeric)
        except SinklabError as error:
            self._check(stored, {})
            self.missing.append(f"{spec or source.get('name')}: {error}")
            return None

    def _own_file(self, spec, stored, numeric):
        from sinklab.tabular import read_csv

        names = list(stored) or [spec.partition(":")[2] or spec]
        here = [name for name in names if name in self.given]
        if len(names) != 1 or not here:
            self._check(stored, {})
            wanted = ", ".join(names)
            self.missing.append(
                tr(
                    f"{spec}: the table was made from a file that only its maker has; name it with --data {wanted}",
                    f"{spec}：该表由本地文件生成，仅制表人持有；请用 --data {wanted} 指明",
                )
            )
            return None
        path = self.given[here[0]]
        frame = read_csv(path, numeric=set(numeric))
        self._check(stored, {here[0]: provenance.file_sha256(path)})
        return frame

    def _check(self, stored, found):
        for name in dict.fromkeys([*stored, *found]):
            self.checked[name] = Input(name, stored.get(name, ""), found.get(name, ""))
