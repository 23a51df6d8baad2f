"""A table for those who do not run sinklab: workbook, R, LaTeX.

Every expression is written from the equations of the table, so an export predicts what the table
predicts: means, standard errors, both kinds of intervals, and a flag outside the validity range.

======= ====================================================================
target  what comes out
======= ====================================================================
xlsx    workbook in Chinese, live formulas, :mod:`.workbook`
r       R source, base R only, :mod:`.program`
latex   equations and tables for print, guarded digits, :mod:`.program`
======= ====================================================================
"""

from importlib import import_module
from pathlib import Path

from sinklab import paths
from sinklab.language import TableError
from sinklab.language import tr as tr
from sinklab.results.prediction import KINDS
from sinklab.tables.schema import check_table_id, check_version
from sinklab.tables.table import Table

#: Module, function and file ending of each target.
TARGETS = {
    "xlsx": ("workbook", "write", "xlsx"),
    "r": ("program", "write_r", "R"),
    "latex": ("program", "write_latex", "tex"),
}


def export_table(
    table: Table,
    target: str,
    path: str | Path | None = None,
    level: float | None = None,
    kind: str | None = None,
) -> Path:
    """Write a table for another tool.

    Parameters
    ----------
    table : Table
    target : {"xlsx", "r", "latex"}
    path : path, optional
        File to write; ``<table_id>-<version>.<ending>`` in the working folder when left out.
    level, kind : float, str, optional
        Level and kind of the intervals, 0.95 and mean when left out: what the functions and the
        workbook start with. Printed tables have those of the table.

    Returns
    -------
    path : Path

    Raises
    ------
    TableError
        Unknown target, level or kind, or a table that the target cannot hold.

    Examples
    --------
    >>> sl.export_table(table, 'r', folder / 'stem.R').name
    'stem.R'
    """
    if target not in TARGETS:
        known = ", ".join(TARGETS)
        raise TableError(
            f"target {target!r}; expected one of {known}", f"导出格式 {target!r} 无效；应为 {known} 之一"
        )
    if (kind or "mean") not in KINDS or not 0 < (0.95 if level is None else level) < 1:
        raise TableError(
            f"level {level}, kind {kind!r}; expected a level between 0 and 1 and a kind of {KINDS}",
            f"置信水平 {level}、区间类型 {kind!r} 无效；水平应在 0 与 1 之间，类型应为 {KINDS} 之一",
        )
    module, function, ending = TARGETS[target]
    name = f"{check_table_id(table.table_id)}-{check_version(table.version)}.{ending}"
    path = Path(path) if path is not None else Path(name)
    if target != "latex":
        level, kind = 0.95 if level is None else level, kind or "mean"
    writer = getattr(import_module(f"sinklab.tables.export.{module}"), function)
    content = writer(table, level, kind)
    with paths.atomic_write(path, "wb") as stream:
        stream.write(content)
    return path
