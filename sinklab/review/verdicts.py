"""Verdicts of reviewers on a table and on single trees, signed with name and date, in a file that git keeps.

One file per version of a table, ``reports/verdicts/<table_id>/<version>.yml``. A verdict names the model,
the record of the data and the fingerprint of the data it was given on, so that a later reader knows
whether it still speaks of the same trees.
"""

import re
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path

import yaml

from sinklab import paths
from sinklab.errors import DataError, listing
from sinklab.language import tr

#: What may be said of a tree, and of a table; in English and Chinese.
ON_TREES = {"keep": ("keep", "保留"), "exclude": ("exclude", "剔除")}
ON_TABLES = {
    "adopt": ("adopt", "通过"),
    "change": ("adopt after changes", "修改后通过"),
    "refuse": ("refuse", "不通过"),
}
WORDS = ON_TREES | ON_TABLES
_ID = re.compile(r"[a-z0-9][a-z0-9_]*")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True)
class Verdict:
    """What one reviewer says of one tree, or of a table as a whole (``record`` 0, ``tree`` blank).

    ``effect`` is the largest change of a prediction along the fitted range when the trees that this
    reviewer excludes from the model are left out together, in standard errors; NaN where none is.
    """

    reviewer: str
    date: str
    model: str
    record: int
    tree: str
    decision: str
    reason: str
    data: str
    effect: float = float("nan")

    def problems(self) -> list[str]:
        """Everything that keeps this from being a verdict."""
        found = []
        if not self.reviewer.strip():
            found.append(tr("the reviewer has no name", "缺少审查人姓名"))
        try:
            date.fromisoformat(self.date)
        except ValueError:
            found.append(
                tr(f"date {self.date!r}: expected YYYY-MM-DD", f"日期 {self.date!r}：应为 YYYY-MM-DD")
            )
        known = ON_TREES if self.record else ON_TABLES
        if self.decision not in known:
            names = ", ".join(known)
            found.append(
                tr(
                    f"decision {self.decision!r}: one of {names}",
                    f"结论 {self.decision!r}：应为 {names} 之一",
                )
            )
        if not self.reason.strip() and self.decision != "adopt":
            found.append(tr(f"{self.decision}: give a reason", f"{self.decision}：请写明理由"))
        return found


def file_of(table_id: str, version: str, folder=None) -> Path:
    """Where the verdicts on a version of a table lie.

    Raises
    ------
    DataError
        An id or version that would lead elsewhere.
    """
    if not (_ID.fullmatch(table_id) and _VERSION.fullmatch(version)):
        raise DataError(
            tr(
                f"{table_id}@{version}: not a table id and version",
                f"{table_id}@{version}：不是参数表编号与版本",
            )
        )
    return (Path(folder) if folder else paths.reports("verdicts")) / table_id / f"{version}.yml"


def read_verdicts(path) -> list[Verdict]:
    """Read a file of verdicts.

    Raises
    ------
    DataError
        No such file, or entries that are no verdicts; all at once.
    """
    path = Path(path)
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8-sig"))["verdicts"]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise TypeError("verdicts")
    except (OSError, yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise DataError(
            tr(f"{path}: not a file of verdicts ({error})", f"{path}：不是审查结论文件（{error}）")
        ) from error
    found, problems = [], []
    for number, row in enumerate(rows, start=1):
        try:
            verdict = Verdict(**{f.name: _cell(row, f.name) for f in fields(Verdict)})
            faults = verdict.problems()
        except (KeyError, TypeError, ValueError) as error:
            faults = [str(error)]
        else:
            found.append(verdict)
        problems += [tr(f"entry {number}: {fault}", f"第 {number} 条：{fault}") for fault in faults]
    if problems:
        raise DataError(
            tr(f"{path}: not a file of verdicts:", f"{path}：不是审查结论文件：") + "\n" + listing(problems)
        )
    return found


def _cell(row, name):
    if name == "record":
        return int(row[name])
    if name == "effect":
        return float("nan") if row.get(name) is None else float(row[name])
    return str(row[name] if row[name] is not None else "")


def save_verdicts(path, table: str, verdicts) -> Path:
    """Enter one reviewer's verdicts; those of other reviewers in the file stay as they are.

    What the same reviewer said of the same models before is replaced, so the file holds the last
    word of each.

    Parameters
    ----------
    path : path
        See :func:`file_of`.
    table : str
        ``id@version``.
    verdicts : sequence of Verdict
        Of one reviewer.

    Raises
    ------
    DataError
        There is none, or they are not complete; the file stays as it was.
    """
    path, new = Path(path), list(verdicts)
    problems = list(dict.fromkeys(fault for v in new for fault in v.problems()))
    if not new or len({v.reviewer for v in new}) > 1:
        problems.append(tr("expected verdicts of one reviewer", "应为同一审查人的结论"))
    if problems:
        raise DataError(tr(f"{table}: not saved: ", f"{table}：未保存：") + listing(problems))
    said = {(v.reviewer, v.model) for v in new}
    kept = read_verdicts(path) if path.is_file() else []
    kept = [v for v in kept if (v.reviewer, v.model) not in said]
    ordered = sorted([*kept, *new], key=lambda v: (v.reviewer, v.model, v.record))
    rows = [asdict(v) | {"effect": None if v.effect != v.effect else round(v.effect, 4)} for v in ordered]
    with paths.atomic_write(path) as stream:
        yaml.safe_dump(
            {"table": table, "verdicts": rows}, stream, allow_unicode=True, sort_keys=False, width=1000
        )
    return path
