"""Equations as their sources print them, one text each, evaluated by the same parser as our own.

The rows lie in ``data/literature/equations/systems.csv``. ``status`` says how a row was read: ``read`` in the source,
``second hand`` in published code or another work that quotes it, ``recalled`` from memory, ``suspect`` where the
text read contradicts its own table. The last two can be looked at but never evaluated into a table.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from sinklab import paths
from sinklab.errors import EquationError
from sinklab.language import tr

#: Statuses of equations whose values may enter a table.
USABLE = ("read", "second hand")


@dataclass(frozen=True)
class Printed:
    """One row of the file: id, system, source, species, response, text, status and note."""

    equation_id: str
    system: str
    source_id: str
    locator: str
    species: str
    response: str
    component: str
    text: str
    predictor: str
    minimum: str
    maximum: str
    n: str
    region: str
    status: str
    note: str


@lru_cache(maxsize=1)
def equations() -> dict[str, Printed]:
    """All printed equations by id."""
    file = paths.data("literature", "equations", "systems.csv")
    with open(file, encoding="utf-8-sig", newline="") as stream:
        rows = [{k: row[k] for k in Printed.__dataclass_fields__} for row in csv.DictReader(stream)]
    return {row["equation_id"]: Printed(**row) for row in rows}


def evaluate(equation_id: str, allow_recalled: bool = False, **columns) -> np.ndarray:
    """Value of a printed equation.

    Parameters
    ----------
    equation_id : str
    allow_recalled : bool
        Evaluate a recalled or suspect equation too, for a look.
    **columns : array or float
        Predictors in vocabulary units.

    Returns
    -------
    values : array, shape (n,)
        In the unit of the response.

    Raises
    ------
    EquationError
        Unknown id, missing predictor, or an equation that was only recalled.

    Examples
    --------
    >>> evaluate("komiyama2005_agb", dbh=10.0, wood_density=0.8).round(2)
    array([57.92])
    """
    from sinklab.equations import System

    known = equations()
    if equation_id not in known:
        raise EquationError(
            tr(
                f"printed equation {equation_id!r} is not known; known: {', '.join(known)}",
                f"没有印刷方程 {equation_id!r}；已有：{'、'.join(known)}",
            )
        )
    row = known[equation_id]
    if row.status not in USABLE and not allow_recalled:
        raise EquationError(
            tr(
                f"{equation_id}: its coefficients are {row.status} ({row.note}); obtain the printed source before they are used",
                f"{equation_id}：系数状态为 {row.status}（{row.note}）；请取得原文后再使用",
            )
        )
    values = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in columns.values()))
    frame = pd.DataFrame(dict(zip(columns, values, strict=True)))
    system = System.parse(row.text).bind(frame.columns, responses_required=False)
    return np.asarray(system.mean({}, frame)[row.response], float)


def title(equation_id: str) -> str:
    """Label of a printed equation for a figure: species or genus, who printed it, and where it holds."""
    from sinklab import literature, vocabulary

    row = equations()[equation_id]
    source = literature.sources().loc[row.source_id].fillna("").astype(str)
    names = {s.name_latin: s for s in vocabulary.species_list()}
    species = row.species
    if species in names:
        species = tr(names[species].name_latin, names[species].name_zh)
    first = source["authors"].split(";")[0].strip()
    year = source["year"].removesuffix(".0")
    place = f", {row.region}" if row.region else ""
    maker = " ".join(x for x in (first, year) if x)
    if row.note.endswith(" as quoted"):
        maker = row.note.removesuffix(" as quoted")
    return f"{species} ({maker}{place})"
