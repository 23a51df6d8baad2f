"""A YAML file with its line numbers, so that every problem can say where it is."""

from pathlib import Path

import yaml

from sinklab.errors import RunError
from sinklab.language import tr

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BOOLEAN = "tag:yaml.org,2002:bool"


class BatchFile:
    """Content of a YAML file, the line of each of its entries, and the problems met while reading it.

    Attributes
    ----------
    path : Path
    data : object
        Mappings, sequences and scalars.
    problems : list of (int, str, str)
        Line, message, and the job it concerns ("": the file itself).
    """

    def __init__(self, path):
        self.path = Path(path)
        self.problems: list[tuple[int, str, str]] = []
        self._lines: dict[tuple, int] = {(): 1}
        try:
            loader = _Loader(self.path.read_text(encoding="utf-8-sig"))
            try:
                node = loader.get_single_node()
                self.data = None if node is None else loader.construct_document(node)
            finally:
                loader.dispose()
        except UnicodeDecodeError as error:
            raise RunError(
                tr(
                    f"{self.path}: not UTF-8 (byte {error.start}); save the batch file as UTF-8",
                    f"{self.path}：不是 UTF-8 编码（第 {error.start} 字节）；请将批次文件另存为 UTF-8",
                )
            ) from error
        except yaml.YAMLError as error:
            raise RunError(self._syntax(error)) from error
        if node is not None:
            self._walk(node, ())

    def line(self, *place) -> int:
        """Line of an entry, given the keys and positions that lead to it; of its parent when unknown."""
        while place not in self._lines:
            place = place[:-1]
        return self._lines[place]

    def report(self, message: str, *place, job: str = "") -> None:
        """Keep a problem for the message that names all of them."""
        self.problems.append((self.line(*place), message, job))

    def messages(self) -> list[str]:
        """Return the problems in the order of their lines, each with the name of the file.

        A problem that many jobs of one matrix have is told once, with the first of them and their number.
        """
        jobs: dict[tuple[int, str], dict[str, None]] = {}
        for line, message, job in self.problems:
            jobs.setdefault((line, message), {})[job] = None
        found = []
        for (line, message), names in jobs.items():
            first, rest = next(iter(names)), len(names) - 1
            more = tr(f" (and {rest} more)", f"（另有 {rest} 个）") if rest else ""
            found.append((line, f"{first}{more}: {message}" if first else message))
        return [f"{self.path}:{line}: {text}" for line, text in sorted(found)]

    def _syntax(self, error) -> str:
        mark = getattr(error, "problem_mark", None)
        where = f"{self.path}:{mark.line + 1}:{mark.column + 1}" if mark else str(self.path)
        what = getattr(error, "problem", None) or str(error)
        return tr(f"{where}: not valid YAML: {what}", f"{where}：YAML 语法错误：{what}")

    def _walk(self, node, place) -> None:
        """Note the lines below ``node``; find keys given twice and words that YAML reads as booleans."""
        if isinstance(node, yaml.MappingNode):
            # construct_document has put merged pairs (<<) first; they lie above the mapping that merges
            # them, and overriding one of those is no repetition.
            seen = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if key.value in seen and seen[key.value] >= node.start_mark.line + 1:
                    self.problems.append(
                        (
                            line,
                            tr(
                                f"{key.value!r} is given twice (first in line {seen[key.value]})",
                                f"{key.value!r} 重复给出（首次在第 {seen[key.value]} 行）",
                            ),
                            "",
                        )
                    )
                seen[key.value] = line
                below = (*place, key.value)
                self._lines[below] = line
                self._walk(value, below)
        elif isinstance(node, yaml.SequenceNode):
            for position, value in enumerate(node.value):
                below = (*place, position)
                self._lines[below] = value.start_mark.line + 1
                self._walk(value, below)
        elif node.tag == _BOOLEAN and node.value.lower() not in ("true", "false"):
            meaning = node.value.lower() in ("yes", "on", "y")
            self.problems.append(
                (
                    node.start_mark.line + 1,
                    tr(
                        f"{node.value} is read as {str(meaning).lower()}; put it in quotes if it is a word",
                        f"{node.value} 会被读作 {str(meaning).lower()}；若是文字请加引号",
                    ),
                    "",
                )
            )
