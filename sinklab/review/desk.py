"""The desk of a reviewer: look at a tree, set it aside with a reason, and see the refit beside the table.

Plain Python without a screen; :mod:`sinklab.review.desk_view` shows it in a notebook.
"""

from datetime import date

import numpy as np
import pandas as pd

from sinklab import vocabulary
from sinklab.errors import DataError, SinklabError
from sinklab.fit import fit as fit_again
from sinklab.fit.refit import Refitter
from sinklab.language import tr
from sinklab.review import scrutiny, side_by_side
from sinklab.review.inputs import Inputs
from sinklab.review.recompute import refit
from sinklab.review.sensitivity import own_options
from sinklab.review.verdicts import Verdict, file_of, save_verdicts
from sinklab.tables import Table, store

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
        As in :func:`sinklab.review.verify.verify`.

    Raises
    ------
    TableError
        No such table.
    DataError
        The table has no such model, its data cannot be had, or its method is not fitted tree by tree.
    """

    def __init__(self, ref, model: str | None = None, root=None, data=()):
        self.table = Table.read(store.resolve(ref, root))
        keys = list(self.table.frames["models"]["model_id"]) if "models" in self.table.frames else []
        self.model = model or (keys[0] if keys else "")
        if self.model not in keys:
            raise DataError(
                tr(
                    f"{self.table.ref}: no model {self.model!r}; it has {', '.join(keys) or 'none'}",
                    f"{self.table.ref}：没有模型 {self.model!r}；现有 {'、'.join(keys) or '无'}",
                )
            )
        record, inputs = self.table.provenance["models"][self.model], Inputs(data)
        if record["method"] not in scrutiny.METHODS:
            raise DataError(
                tr(
                    f"{self.table.ref}: method {record['method']} is not refitted tree by tree; use table verify",
                    f"{self.table.ref}：{record['method']} 方法不逐株重新拟合；请用 table verify",
                )
            )
        self.fit = refit(self.table.frames, self.model, record, inputs)
        if self.fit is None:
            raise DataError("\n".join(inputs.missing))
        self.excluded: dict[int, str] = {}
        self.kept: dict[int, str] = {}
        self._refitter = None if self.fit.method == "mixed" else Refitter(self.fit)
        self._influence: dict[int, pd.Series] = {}
        self._other = None
        self._z = pd.DataFrame({r: scrutiny.standardised(self.fit, r) for r in self.fit.residual})

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

    def _judge(self, row, reason):
        self._check(row)
        if not reason.strip():
            raise DataError(tr(f"tree {self.name(row)}: give a reason", f"样木 {self.name(row)}：请写明理由"))

    def _check(self, row):
        if row not in self.fit.data.index:
            raise DataError(
                tr(
                    f"record {row + 1} is not among the {len(self.fit.data)} trees of the fit",
                    f"第 {row + 1} 条记录不在拟合所用的 {len(self.fit.data)} 株之中",
                )
            )

    def refitted(self):
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
            self._other = fit_again(
                rest, self.fit.system, **options, level=self.fit.level, seed=self.fit.seed
            )
        return self._other

    # Side by side

    def parameters(self) -> pd.DataFrame:
        """Table and refit; see :func:`sinklab.review.side_by_side.parameters`."""
        return side_by_side.parameters(self.fit, self.refitted())

    def indices(self) -> pd.DataFrame:
        """Indices of both; see :func:`sinklab.review.side_by_side.indices`."""
        return side_by_side.indices(self.fit, self.refitted())

    def effect(self) -> pd.DataFrame:
        """What the trees set aside do to predictions; see :func:`sinklab.review.side_by_side.effect`."""
        return side_by_side.effect(self.fit, self.refitted())

    def curves(self, response: str) -> pd.DataFrame:
        """Lines of both; see :func:`sinklab.review.side_by_side.curves`."""
        return side_by_side.curves(self.fit, self.refitted(), response)

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
        told = [Verdict(reviewer, on, self.model, 0, "", decision, remark, stamp, moved)]
        for name, rows in (("exclude", self.excluded), ("keep", self.kept)):
            effect = moved if name == "exclude" else float("nan")
            told += [
                Verdict(reviewer, on, self.model, row + 1, self.name(row), name, reason, stamp, effect)
                for row, reason in rows.items()
            ]
        return told

    def save(self, reviewer: str, decision: str, remark: str = "", on: str | None = None, folder=None):
        """Enter the verdicts in the file of the table and return its path; see :mod:`.verdicts`."""
        path = file_of(self.table.table_id, self.table.version, folder)
        return save_verdicts(path, self.table.ref, self.verdicts(reviewer, decision, remark, on))
