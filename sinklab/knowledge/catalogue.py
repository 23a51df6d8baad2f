"""The published equations of ``data/literature/equations.csv``, and the way to the nearest ones.

One row is one equation, its text in the language of :mod:`sinklab.equations` with the printed numbers in
it, predictors and result in vocabulary units (``printed_unit`` says in what unit the mass was printed).

=========== ================================================================================
column      what
=========== ================================================================================
correction  of the bias of logarithms: ``included``, ``unknown`` for logarithmic forms of which
            the source does not say, blank for forms printed on the natural scale
read        ``machine-read`` full text, ``abstract``, or ``second hand`` from a compilation
check       ``ok``, ``implausible`` or ``unchecked``, from :mod:`sinklab.knowledge.plausibility`
=========== ================================================================================

Shrubs, bamboo, mangroves and karst come from ``data/literature/equations/systems.csv``, which the systems
themselves use; recalled rows stay out. What was read and not taken up is counted in ``left_out.csv`` beside it.
"""

from functools import lru_cache

import numpy as np
import pandas as pd

from sinklab import literature, paths, provenance, vocabulary
from sinklab.equations import System
from sinklab.errors import DataError, SinklabError, listing
from sinklab.language import tr
from sinklab.tabular import read_csv

CHECKS = ("ok", "implausible", "unchecked")
CORRECTIONS = ("", "unknown", "included")
GROUPS = ("conifer", "broadleaf", "tree", "shrub", "bamboo", "mangrove")
NUMBERS = ("n", "dbh_min", "dbh_max", "height_min", "height_max", "r2", "r")
#: Predictors that equations use and the vocabulary does not have, with their unit.
OTHER_PREDICTORS = {"crown_length": "m"}
#: Group of the equations of a system, and what they must give to be one of an individual.
OF_SYSTEM = {"shrub": "shrub", "karst": "shrub", "bamboo": "bamboo", "wetland": "mangrove"}
INDIVIDUAL = ("agb", "root", "bgb", "total", "stem", "branch", "foliage", "crown", "culm")
#: Groups whose equations may stand in for one another at the widest level.
TREES = ("conifer", "broadleaf", "tree")


@lru_cache(maxsize=1)
def _rows() -> pd.DataFrame:
    file = paths.data("literature", "equations.csv")
    rows = read_csv(file, numeric=set(NUMBERS))
    words = [c for c in rows.columns if c not in NUMBERS]
    rows[words] = rows[words].astype(object).where(rows[words].notna(), "").astype(str)
    rows[list(NUMBERS)] = rows[list(NUMBERS)].astype(float)
    rows = pd.concat([rows, _of_systems(rows)], ignore_index=True)
    problems = _problems(rows)
    if problems:
        raise DataError(f"{paths.relative(file)}: {listing(problems)}")
    return rows.set_index("equation_id", drop=False)


def _of_systems(rows) -> pd.DataFrame:
    """Return the equations of individuals that the systems keep, in the same columns."""
    told = read_csv(
        paths.data("literature", "equations", "systems.csv"), numeric={"n", "r2", "minimum", "maximum"}
    )
    words = told.columns.difference(["n", "r2", "minimum", "maximum"])
    told[words] = told[words].astype(object).where(told[words].notna(), "").astype(str)
    told = told[
        told["system"].isin(list(OF_SYSTEM))
        & told["response"].isin(INDIVIDUAL)
        & (told["status"] != "recalled")
    ]
    zones = dict(zip(rows["region_id"], rows["zone"], strict=True))
    named = {s.name_latin: s for s in vocabulary.species_list()}
    families = dict(zip(rows["genus"], rows["family"], strict=True))
    families |= {s.genus: s.family for s in named.values()}
    found = []
    for row in told.to_dict("records"):
        taxon, region = row["species"], row["region"].split(",")[-1].strip().lower().replace(" ", "_")
        genus = taxon.split()[0] if " " in taxon and taxon[0].isupper() else ""
        on_dbh = row["predictor"] == "dbh"
        span = f"{row['predictor']} {row['minimum']:g} to {row['maximum']:g}" if row["maximum"] > 0 else ""
        found.append(
            dict.fromkeys(rows.columns, "")
            | {
                k: row[k]
                for k in ("equation_id", "response", "component", "text", "source_id", "locator", "n", "r2")
            }
            | {
                "taxon": taxon,
                "genus": genus,
                "family": families.get(genus, ""),
                "group": OF_SYSTEM[row["system"]],
            }
            | {
                "species_id": named[taxon].species_id if taxon in named else "",
                "unit": "kg",
                "printed_unit": "kg",
            }
            | {
                "region_id": region,
                "zone": zones.get(region, ""),
                "predictors": ";".join(_names(row["text"])),
            }
            | {
                "dbh_min": row["minimum"] if on_dbh else np.nan,
                "dbh_max": row["maximum"] if on_dbh else np.nan,
            }
            | {
                "height_min": np.nan,
                "height_max": np.nan,
                "r": np.nan,
                "read": row["status"],
                "check": "unchecked",
            }
            | {"reason": f"no pooled curve for {OF_SYSTEM[row['system']]}"}
            | {"note": "; ".join(filter(None, (row["note"], "" if on_dbh else span)))}
        )
    return pd.DataFrame(found, columns=rows.columns)


def _names(text) -> list[str]:
    """Names on the right of an equation that has numbers for its coefficients."""
    system = System.parse(text)
    return [*system.predictors, *system.parameters]


def _problems(rows) -> list[str]:
    species = {s.species_id for s in vocabulary.species_list()} | {""}
    known = {
        "source_id": set(literature.sources().index),
        "species_id": species,
        "component": set(vocabulary.components()),
        "group": set(GROUPS),
        "check": set(CHECKS),
        "correction": set(CORRECTIONS),
    }
    found = [
        (i, column, rows.at[i, column])
        for column in known
        for i in rows.index[~rows[column].isin(known[column])]
    ]
    found += [
        (i, "equation_id", rows.at[i, "equation_id"]) for i in rows.index[rows["equation_id"].duplicated()]
    ]
    found += [(i, "dbh_min", rows.at[i, "dbh_min"]) for i in rows.index[rows["dbh_min"] >= rows["dbh_max"]]]
    for i, row in rows.iterrows():
        try:
            response = (
                System.parse(row["text"])
                .bind(row["predictors"].split(";"), responses_required=False)
                .responses
            )
        except SinklabError as error:
            found.append((i, "text", error))
            continue
        if response != (row["response"],):
            found.append((i, "response", row["response"]))
    return [
        tr(
            f"record {i + 1}: {column} = {value} is not usable",
            f"第 {i + 1} 条记录：{column} = {value} 不可用",
        )
        for i, column, value in found
    ]


def equations(plausible: bool = True) -> pd.DataFrame:
    """Published equations, one row each, indexed by ``equation_id``.

    Parameters
    ----------
    plausible : bool
        Leave out the rows that the check found implausible; they are counted in ``attrs["notes"]``.

    Returns
    -------
    rows : DataFrame
        ``attrs["source"]`` and ``attrs["notes"]`` as for any data source.

    Raises
    ------
    DataError
        Unknown sources, species, components, or texts that cannot be read; all at once.
    """
    rows = _rows().copy()
    bad = rows["check"] == "implausible"
    notes = []
    if plausible and bad.any():
        names = ", ".join(rows.index[bad])
        notes.append(
            tr(
                f"{bad.sum()} implausible equations left out: {names}",
                f"剔除 {bad.sum()} 个不合理方程：{names}",
            )
        )
        rows = rows[~bad]
    rows.attrs["notes"] = notes
    rows.attrs["source"] = source(rows)
    return rows


def source(rows) -> dict:
    """Where some rows come from, as tables and drafts name it."""
    names = ("equations.csv", "equations/systems.csv", "sources.csv")
    files = [paths.data("literature", *name.split("/")) for name in names]
    return {
        "spec": "literature:equations",
        "origin": "printed",
        "title": "published equations",
        **literature.cited(rows),
        "files": provenance.files_sha256(files),
    }


@lru_cache(maxsize=1)
def heights() -> pd.DataFrame:
    """Height of a tree of a given diameter by group: ``text, sd_log``; where a height is needed and unknown."""
    return read_csv(paths.data("literature", "equations", "heights.csv")).set_index("group")


def height_of(dbh, group: str) -> np.ndarray:
    """Median height [m] at a diameter [cm] for ``conifer``, ``broadleaf`` or ``tree``."""
    row = heights().loc[group if group in heights().index else "tree"]
    return System.parse(row["text"]).bind(["dbh"], responses_required=False).mean({}, {"dbh": dbh})["height"]


@lru_cache(maxsize=1024)
def _system(text: str, predictors: str) -> System:
    return System.parse(text).bind(predictors.split(";"), responses_required=False)


def evaluate(row, data) -> np.ndarray:
    """Value of one published equation.

    Parameters
    ----------
    row : Series
        A row of :func:`equations`.
    data : DataFrame or mapping of str to array, shape (n,)
        The predictors in vocabulary units; see the column ``predictors``.

    Returns
    -------
    values : array, shape (n,)
        In the unit of the response, without any further correction.

    Examples
    --------
    >>> row = equations().loc["luo2018_pinus_massoniana_guangxi_agb_2"]
    >>> row["text"], evaluate(row, {"dbh": [10.0]}).round(3)
    ('agb = 0.0881 * dbh**2.4651', array([25.708]))
    """
    columns = {name: np.asarray(data[name], float) for name in row["predictors"].split(";")}
    with np.errstate(all="ignore"):
        return np.asarray(_system(row["text"], row["predictors"]).mean({}, columns)[row["response"]], float)
