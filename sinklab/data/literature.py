"""Printed values of ``data/literature``: one row each, with its source and how it was read.

A value column is a variable of the vocabulary in its unit; ``<variable>_spread`` is what stands behind
the ± and ``spread_kind`` says what that is (``sd``, ``se``, ``range``, ``unknown`` or ``none``).
``check`` is ``ok``, or says what contradicts the row in its own source; such rows are kept in the
file and left out of :func:`load`, counted.
"""

import re
from functools import lru_cache
from textwrap import shorten
from typing import Any

import pandas as pd

from sinklab import paths
from sinklab.data import vocabulary
from sinklab.data.files import read_csv
from sinklab.data.soil_layers import carbon_faults
from sinklab.language import DataError, Notes, listing, tr

SPREAD_KINDS = ("sd", "se", "range", "unknown", "none")
#: Columns that describe a row; every other column must be a variable or its spread.
ABOUT = {
    "source_id", "locator", "read", "site", "region", "origin", "age_class", "spread_kind", "n", "check", "note",
    "species_id", "component", "soil_type", "soil_type_zh", "rhizome_method", "area",
}  # fmt: skip


@lru_cache(maxsize=1)
def sources() -> pd.DataFrame:
    """All sources, indexed by ``source_id``: authors, year, title, journal, doi, how read, licence, same_data."""
    return read_csv(paths.data("literature", "sources.csv")).set_index("source_id")


def studies(source_id: pd.Series) -> pd.Series:
    """Study of each source: sources that print the same measurements (``same_data``) are one study."""
    same = sources()["same_data"].dropna().to_dict()
    return source_id.map(lambda source: same.get(source, source))


def citation(source_id: str) -> str:
    """One source as a line of a list of references, in the order of GB/T 7714; a title that was not seen is left out.

    Examples
    --------
    >>> literature.citation('CX_LARCH2016')
    '贾彦龙, 李倩茹, 许中旗, 等. 基于CO2FIX模型的华北落叶松人工林碳循环过程[J]. 植物生态学报, 2016, 40: 405-415. doi:10.17521/cjpe.2015.0302.'
    """
    row = sources().loc[source_id].fillna("").astype(str)
    # A document is found by its DOI where its title was not seen.
    title = "" if row["doi"] and _UNSEEN.match(row["title"]) else row["title"].strip(" .")
    kind = next((mark for word, mark in _KINDS.items() if re.search(word, row["journal"])), "")
    year = row["year"].removesuffix(".0")
    pages = re.sub(r":\s*(?=\d)", ": ", row["volume_pages"])
    # A volume may be numbered by its year.
    told = (row["journal"], pages) if year and pages.startswith(year) else (row["journal"], year, pages)
    where = ", ".join(filter(None, told))
    doi = f"doi:{row['doi']}" if row["doi"] else ""
    parts = (
        _people(row["authors"], row["title"]),
        f"{title}{kind}" if title and not _UNSEEN.match(title) else title,
        where,
        doi,
    )
    return ". ".join(part.strip(" .") for part in parts if part) + "."


#: Titles that say that the title was not seen.
_UNSEEN = re.compile(r"title not (shown|seen)|\s*$")
#: Marks of kinds of documents, by a word of what they were published in; the first that fits.
_KINDS = {"PANGAEA|Zenodo|Dryad|figshare": "[DS]", "^thesis": "[D]", ".": "[J]"}


def _people(authors: str, title: str) -> str:
    """The first three authors, as GB/T 7714 names them."""
    names = [" ".join(name.split()) for name in authors.split(";") if name.strip()]
    cut = len(names) > 3 or (names and names[-1] in ("等", "et al."))
    names = [name for name in names if name not in ("等", "et al.")][:3]
    chinese = bool(re.search("[\u4e00-\u9fff]", "".join(names) or title))
    return ", ".join([*names, *(["等" if chinese else "et al"] if cut else [])])


def short(source_id: str) -> str:
    """Who printed a source and when, as ``Schepaschenko et al. 2017``; its title where nobody is named.

    What follows the id after a blank stays (one study of a compilation), and an id that is not known stays as it is.
    """
    key, _, part = source_id.partition(" ")
    if key not in sources().index:
        return source_id
    row = sources().loc[key].fillna("").astype(str)
    people = [name.strip() for name in row["authors"].split(";") if name.strip()]
    names = [name.partition(" ")[0].rstrip(",") for name in people] or [
        shorten(row["title"], 36, placeholder=" …")
    ]
    who = tr(" & ", "、").join(names) if len(names) < 3 else names[0] + tr(" et al.", "等")
    told = f"{who} {row['year'].removesuffix('.0')}".strip()
    return f"{told}, {part}" if part else told


def cited(rows: pd.DataFrame) -> dict[str, Any]:
    """What printed rows are taken from: ``citation``, ``licence``, ``references`` (id and citation) and ``population``."""
    used = sorted(rows["source_id"].unique())
    references = {source: citation(source) for source in used}
    return {
        "citation": " ".join(references.values()),
        "licence": "; ".join(sorted({str(sources().loc[source, "licence"]) for source in used})),
        "references": references,
        "population": _population(rows),
    }


def _population(rows) -> dict[str, Any]:
    """How the places of printed rows were chosen, and how well place and time are told of most of them.

    Equations rest on weighed plants; of stands a fifth is taken for computed, as in the compilations of such stands.
    """
    told = {c: c in rows and rows[c].notna().mean() > 0.5 for c in ("latitude", "region", "year")}
    return {
        "selection": "published",
        "place": "coordinates" if told["latitude"] else "province" if told["region"] else "country",
        "time": "year" if told["year"] else "",
        **(
            {"method": "weighed", "measured": 1.0} if "text" in rows else {"method": "mixed", "measured": 0.8}
        ),
    }


def load(name: str, every: bool = False) -> pd.DataFrame:
    """Read one file of printed values.

    Parameters
    ----------
    name : str
        File of ``data/literature`` without ``.csv``.
    every : bool
        Rows too whose ``check`` is not ok.

    Returns
    -------
    rows : DataFrame
        Rows whose ``check`` is ok, in file order; ``attrs["source"]`` and ``attrs["notes"]`` as for
        any other data source.

    Raises
    ------
    DataError
        Unknown sources, columns, species, components or spreads, values out of range; all at once.
    """
    file = paths.data("literature", f"{name}.csv")
    frame = read_csv(file)
    measured = [c for c in frame if c not in ABOUT and vocabulary.is_number(c)]
    problems = _faults(frame)
    problems += [line for column in measured for line in vocabulary.suspect(frame[column], column)]
    if problems:
        raise DataError(f"{paths.relative(file)}: {listing(problems)}")
    ok = (frame["check"] == "ok") | every
    notes = Notes()
    for reason, rows in frame[~ok].groupby("check", sort=True).groups.items():
        notes.add(f"{len(rows)} rows left out of the file: {reason}", f"未采用的 {len(rows)} 行：{reason}")
    chosen = frame[ok]
    notes += [str(fault) for fault in carbon_faults(chosen)]
    chosen.attrs["notes"] = notes
    chosen.attrs["source"] = {
        "spec": f"literature:{name}",
        "origin": "printed",
        "title": name,
        **cited(chosen),
        "files": paths.files_sha256([file, paths.data("literature", "sources.csv")]),
    }
    return chosen


def _faults(frame) -> list[str]:
    """Columns that mean nothing, and keys that stand in none of their lists."""
    problems = Notes()
    for column in frame.columns:
        if column not in ABOUT and not vocabulary.is_variable(column.removesuffix("_spread")):
            problems.add(
                f"column {column} is neither a variable nor a description",
                f"列 {column} 既不是变量也不是说明列",
            )
    known = {
        "source_id": set(sources().index),
        "species_id": {s.species_id for s in vocabulary.species_list()},
        "component": set(vocabulary.components()),
        "spread_kind": set(SPREAD_KINDS),
    }
    for column in [c for c in known if c in frame]:
        for i, value in frame.loc[~frame[column].isin(known[column]), column].items():
            problems.add(
                f"record {i + 1}: {column} = {value!r} is not known",
                f"第 {i + 1} 条记录：{column} = {value!r} 未知",
            )
    return problems


#: Columns that say what a printed quantity includes; one with a spread of its own was measured and defines nothing.
DEFINING = {"component", "season", "soil_depth", "dbh_threshold"}
#: Quantities of a stand, which hold the trees from some diameter on, and what is made of them.
OF_STANDS = frozenset(
    "agb_density bgb_density total_density stem_biomass_density bark_density branch_density foliage_density "
    "growing_stock stock_increment stem_density basal_area bef bcef root_shoot_ratio".split()
)


def definition_of(rows: pd.DataFrame, variable: str) -> str:
    """What printed rows include, ``column=value;…``: what all rows say, else ``several``, or ``unstated`` where one does not."""
    measured, found = {c.removesuffix("_spread") for c in rows if c.endswith("_spread")}, {}
    for column in DEFINING & set(rows) - {variable} - measured:
        said = rows[column].astype(object).where(rows[column].notna(), "").astype(str)
        kinds = set(said.str.removesuffix(".0").replace(["", "not stated"], "unstated"))
        found[column] = kinds.pop() if len(kinds) == 1 else "unstated" if "unstated" in kinds else "several"
    return ";".join(f"{column}={value}" for column, value in sorted(found.items()))


def with_threshold(definition: str, variable: str, system: str) -> str:
    """A definition that also says from which diameter on the trees of a stand were counted: ``unstated`` where nothing does."""
    if system != "forest" or variable not in OF_STANDS or "dbh_threshold=" in definition:
        return definition
    return ";".join(filter(None, (definition, "dbh_threshold=unstated")))
