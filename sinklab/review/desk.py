"""The desk of a reviewer: look at a tree, set it aside with a reason, see the refit beside the table, sign a verdict.

Plain Python without a screen; :mod:`sinklab.review.desk_view` shows it in a notebook. Verdicts on a table and on
single trees, signed with name and date, lie in a file that git keeps, one per version of a table:
``reports/verdicts/<table_id>/<version>.yml``. A verdict names the model, the record of the data and the
fingerprint of the data it was given on, so that a later reader knows whether it still speaks of the same trees.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from sinklab import paths
from sinklab.data import vocabulary
from sinklab.fitting import fit
from sinklab.fitting.resample import Refitter
from sinklab.language import DataError, SinklabError, listing, tr
from sinklab.results.fit_result import FitResult
from sinklab.review import scrutiny
from sinklab.review.opinions import read_entries, write_yaml
from sinklab.review.recompute import Recomputation
from sinklab.review.scrutiny import own_options
from sinklab.tables import table as tables

# Verdicts

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
            en, zh = "expected YYYY-MM-DD", "应为 YYYY-MM-DD"
            found.append(tr(f"date {self.date!r}: {en}", f"日期 {self.date!r}：{zh}"))
        known = ON_TREES if self.record else ON_TABLES
        if self.decision not in known:
            en, zh = f"one of {', '.join(known)}", f"应为 {', '.join(known)} 之一"
            found.append(tr(f"decision {self.decision!r}: {en}", f"结论 {self.decision!r}：{zh}"))
        if not self.reason.strip() and self.decision != "adopt":
            found.append(tr(f"{self.decision}: give a reason", f"{self.decision}：请写明理由"))
        return found


def file_of(table_id: str, version: str, folder: str | Path | None = None) -> Path:
    """Where the verdicts on a version of a table lie.

    Raises
    ------
    DataError
        An id or version that would lead elsewhere.
    """
    if not (_ID.fullmatch(table_id) and _VERSION.fullmatch(version)):
        raise DataError(
            f"{table_id}@{version}: not a table id and version", f"{table_id}@{version}：不是参数表编号与版本"
        )
    return (Path(folder) if folder else paths.reports("verdicts")) / table_id / f"{version}.yml"


def read_verdicts(path: str | Path) -> list[Verdict]:
    """Read a file of verdicts.

    Raises
    ------
    DataError
        No such file, or entries that are no verdicts; all at once.
    """
    kind = tr("not a file of verdicts", "不是审查结论文件")
    found, problems = [], []
    for number, row in enumerate(read_entries(path, "verdicts", kind)[1], start=1):
        try:
            verdict = Verdict(**{f.name: _cell(row, f.name) for f in fields(Verdict)})
            faults = verdict.problems()
        except (KeyError, TypeError, ValueError) as error:
            faults = [str(error)]
        else:
            found.append(verdict)
        problems += [tr(f"entry {number}: {fault}", f"第 {number} 条：{fault}") for fault in faults]
    if problems:
        raise DataError(f"{path}{tr(': ', '：')}{kind}{tr(':', '：')}\n{listing(problems)}")
    return found


def _cell(row, name):
    if name == "record":
        return int(row[name])
    if name == "effect":
        return float("nan") if row.get(name) is None else float(row[name])
    return str(row[name] if row[name] is not None else "")


def save_verdicts(path: str | Path, table: str, verdicts: Sequence[Verdict]) -> Path:
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
    return write_yaml({"table": table, "verdicts": rows}, path)


# The desk

#: Columns that name a tree, the first that is there is used.
NAMES = ("tree_id", "tree", "id", "plot_id", "plot", "树号", "样木号", "样地号")


class Desk:
    """One model of a table, fitted again to its trees.

    Parameters
    ----------
    ref : path or str
        Folder, id or ``id@version`` of a table.
    model : str, optional
        Which of its models; the first when left out.
    root, data
        As in :func:`sinklab.review.verification.verify`.

    Raises
    ------
    TableError
        No such table.
    DataError
        The table has no such model, its data cannot be had, or its method is not fitted tree by tree.

    Examples
    --------
    >>> desk = sl.Desk(table.write(folder))
    >>> desk.exclude(72, 'wrong leaf bag')
    >>> desk.excluded
    {72: 'wrong leaf bag'}
    """

    def __init__(
        self,
        ref: str | Path,
        model: str | None = None,
        root: str | Path | None = None,
        data: Sequence[str | Path] = (),
    ) -> None:
        self.table = tables.Table.read(tables.resolve(ref, root))
        keys = list(self.table.frames["models"]["model_id"]) if "models" in self.table.frames else []
        self.model = model or (keys[0] if keys else "")
        if self.model not in keys:
            raise DataError(
                f"{self.table.ref}: no model {self.model!r}; it has {', '.join(keys) or 'none'}",
                f"{self.table.ref}：没有模型 {self.model!r}；现有 {'、'.join(keys) or '无'}",
            )
        method = self.table.provenance.models[self.model].method
        if method not in scrutiny.METHODS:
            raise DataError(
                f"{self.table.ref}: method {method} is not refitted tree by tree; use table verify",
                f"{self.table.ref}：{method} 方法不逐株重新拟合；请用 table verify",
            )
        again = Recomputation(self.table.frames, self.table.provenance, data)
        self.fit = again.fit(self.model)
        if self.fit is None:
            raise DataError("\n".join(again.said[self.model]))
        self.excluded: dict[int, str] = {}
        self.kept: dict[int, str] = {}
        self._refitter = None if self.fit.method == "mixed" else Refitter(self.fit)
        self._influence: dict[int, pd.Series] = {}
        self._other: FitResult | None = None
        self._z = pd.DataFrame({r: self.fit.standardised(r) for r in self.fit.residual})

    # Trees

    def name(self, row: int) -> str:
        """What a tree is called in the field form; the number of its record when it has no name."""
        column = next((c for c in NAMES if c in self.fit.data), None)
        return f"{self.fit.data.loc[row, column]}" if column else f"{row + 1}"

    def trees(self) -> pd.DataFrame:
        """All trees: ``record`` (from 1), ``tree``, predictors, standardised residuals, ``cook`` where known.

        Columns ``z_<response>`` hold the residuals, ``excluded`` whether the tree is set aside.
        """
        data = self.fit.data
        told = pd.DataFrame(
            {"record": data.index + 1, "tree": [self.name(i) for i in data.index]}, index=data.index
        )
        told = told.join(data[list(self.fit.system.predictors)]).join(self._z.add_prefix("z_"))
        known = {row: own["cook"] for row, own in self._influence.items()}
        told["cook"] = pd.Series(known, dtype=float).reindex(data.index)
        return told.assign(excluded=[i in self.excluded for i in data.index])

    def record(self, row: int) -> pd.DataFrame:
        """Every cell of a tree's record: ``name, label, value``; blank cells are left out."""
        self._check(row)
        cells = self.fit.data.loc[row].dropna()
        labels = [vocabulary.label(c, unit=True) for c in cells.index]
        return pd.DataFrame({"name": cells.index, "label": labels, "value": cells.to_numpy()})

    def residuals(self, row: int) -> pd.DataFrame:
        """Observed, predicted and standardised residual (free responses) of a tree, by response."""
        self._check(row)
        own = self.fit.fitted().loc[[row]].set_index("response")
        return own[["observed", "predicted"]].assign(
            z=[self._z[r].get(row, np.nan) if r in self._z else np.nan for r in own.index]
        )

    def influence(self, row: int) -> pd.Series | None:
        """Cook's distance and DFBETAS of a tree, from a fit without it; None for mixed models.

        Returns
        -------
        influence : Series
            ``cook``, then one DFBETAS for each parameter; NaN when the fit fails without the tree.
        """
        self._check(row)
        if self._refitter is None:
            return None
        if row not in self._influence:
            rest = np.flatnonzero(self.fit.data.index != row)
            away = self.fit.values - self._refitter.estimate(rest)
            inverse = np.linalg.pinv(self.fit.covariance.to_numpy(), hermitian=True)
            told = pd.Series(away / self.fit.parameters["se"].to_numpy(float), index=self.fit.labels)
            cook = pd.Series({"cook": away @ inverse @ away / len(away)})
            self._influence[row] = pd.concat([cook, told])
        return self._influence[row]

    def influences(self) -> pd.Series:
        """Cook's distance of every tree; a refit for each, so it takes a while for large samples."""
        for row in self.fit.data.index:
            self.influence(row)
        return self.trees()["cook"]

    @property
    def limit(self) -> float:
        """Cook's distance above which a tree deserves a look at its field form, 4 / n."""
        return 4 / len(self.fit.data)

    # Setting aside

    def exclude(self, row: int, reason: str) -> None:
        """Set a tree aside.

        Raises
        ------
        DataError
            No such tree, or no reason.
        """
        self._judge(row, reason)
        self.excluded[row] = reason.strip()
        self.kept.pop(row, None)
        self._other = None

    def keep(self, row: int, reason: str) -> None:
        """Say of a tree that was looked at why it stays; one set aside comes back."""
        self._judge(row, reason)
        self.kept[row] = reason.strip()
        if self.excluded.pop(row, None) is not None:
            self._other = None

    def undo(self, row: int) -> None:
        """Take back what was said of a tree."""
        self.kept.pop(row, None)
        if self.excluded.pop(row, None) is not None:
            self._other = None

    def _judge(self, row: int, reason: str) -> None:
        self._check(row)
        if not reason.strip():
            name = self.name(row)
            raise DataError(f"tree {name}: give a reason", f"样木 {name}：请写明理由")

    def _check(self, row: int) -> None:
        if row not in self.fit.data.index:
            raise DataError(
                f"record {row + 1} is not among the {len(self.fit.data)} trees of the fit",
                f"第 {row + 1} 条记录不在拟合所用的 {len(self.fit.data)} 株之中",
            )

    def refitted(self) -> FitResult:
        """The model without the trees that are set aside; the fit itself when there is none.

        Raises
        ------
        SinklabError
            The fit fails without them.
        """
        if not self.excluded:
            return self.fit
        if self._other is None:
            rest = self.fit.data.drop(index=list(self.excluded))
            options = own_options(self.fit)
            self._other = fit(rest, self.fit.system, **options, level=self.fit.level, seed=self.fit.seed)
        return self._other

    # Side by side

    def parameters(self) -> pd.DataFrame:
        """Table and refit; see :func:`sinklab.review.scrutiny.parameters`."""
        return scrutiny.parameters(self.fit, self.refitted())

    def indices(self) -> pd.DataFrame:
        """Indices of both; see :func:`sinklab.review.scrutiny.indices`."""
        return scrutiny.indices(self.fit, self.refitted())

    def effect(self) -> pd.DataFrame:
        """What the trees set aside do to predictions; see :func:`sinklab.review.scrutiny.effect`."""
        return scrutiny.effect(self.fit, self.refitted())

    def curves(self, response: str) -> pd.DataFrame:
        """Lines of both; see :func:`sinklab.review.scrutiny.curves`."""
        return scrutiny.curves(self.fit, self.refitted(), response)

    # Verdicts

    def verdicts(
        self, reviewer: str, decision: str, remark: str = "", on: str | None = None
    ) -> list[Verdict]:
        """What the reviewer has said: of each tree, and of the table as a whole.

        Parameters
        ----------
        reviewer : str
        decision : {"adopt", "change", "refuse"}
        remark : str
            Needed unless the table is adopted.
        on : str, optional
            Date, YYYY-MM-DD; today when left out.
        """
        on = on or date.today().isoformat()
        stamp = str(self.fit.source.get("fingerprint") or "")
        try:
            moved = float(self.effect()["largest"].max()) if self.excluded else float("nan")
        except SinklabError:
            moved = float("nan")
        nothing = float("nan")
        said = [(-1, "", decision, remark, moved)]
        said += [(row, self.name(row), "exclude", reason, moved) for row, reason in self.excluded.items()]
        said += [(row, self.name(row), "keep", reason, nothing) for row, reason in self.kept.items()]
        return [
            Verdict(reviewer, on, self.model, row + 1, tree, word, reason, stamp, effect)
            for row, tree, word, reason, effect in said
        ]

    def save(
        self,
        reviewer: str,
        decision: str,
        remark: str = "",
        on: str | None = None,
        folder: str | Path | None = None,
    ) -> Path:
        """Enter the verdicts in the file of the table and return its path; see :func:`save_verdicts`."""
        path = file_of(self.table.table_id, self.table.version, folder)
        return save_verdicts(path, self.table.ref, self.verdicts(reviewer, decision, remark, on))
