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

What was read and not taken up is counted in ``data/literature/equations/left_out.csv``.
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
GROUPS = ("conifer", "broadleaf", "tree", "shrub")
NUMBERS = ("n", "dbh_min", "dbh_max", "height_min", "height_max", "r2", "r")
#: Predictors that equations use and the vocabulary does not have, with their unit.
OTHER_PREDICTORS = {"crown_length": "m"}
#: How far an equation was fetched, the nearest first.
LEVELS = ("species", "genus", "family", "group", "any")
#: Groups whose equations may stand in for one another at the widest level.
TREES = ("conifer", "broadleaf", "tree")


@lru_cache(maxsize=1)
def _rows() -> pd.DataFrame:
    file = paths.data("literature", "equations.csv")
    rows = read_csv(file, numeric=set(NUMBERS))
    words = [c for c in rows.columns if c not in NUMBERS]
    rows[words] = rows[words].astype(object).where(rows[words].notna(), "").astype(str)
    rows[list(NUMBERS)] = rows[list(NUMBERS)].astype(float)
    problems = _problems(rows)
    if problems:
        raise DataError(f"{paths.relative(file)}: {listing(problems)}")
    return rows.set_index("equation_id", drop=False)


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
    files = [paths.data("literature", f"{name}.csv") for name in ("equations", "sources")]
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


def look_up(
    response: str,
    species: str | None = None,
    *,
    genus: str | None = None,
    family: str | None = None,
    group: str | None = None,
    region: str | None = None,
    predictors=None,
    least: int = 1,
    plausible: bool = True,
) -> pd.DataFrame:
    """Published equations for a species, and failing that for its genus, family, type, or any tree.

    The search widens level by level until ``least`` equations are found, and keeps those of the narrower
    levels; within a level, equations of the region come first, then those of its part of the country.

    Parameters
    ----------
    response : str
        Such as ``agb`` or ``root``.
    species : str, optional
        Id or any name of a species of the vocabulary, or a Latin name. Gives genus, family and group.
    genus, family, group : str, optional
        Where to begin when there is no species; ``group`` is conifer, broadleaf or shrub.
    region : str, optional
        ``region_id``, such as ``guangxi``, or a part of the country, such as ``south``.
    predictors : sequence of str, optional
        Use only equations of exactly these.
    least : int
        Number of equations to find before the search stops.
    plausible : bool
        Leave out implausible ones.

    Returns
    -------
    rows : DataFrame
        As :func:`equations`, with ``level`` (species, genus, family, group, any) and ``near`` (region,
        zone, elsewhere), the nearest first. Empty when even the widest level has none.
    """
    rows = equations(plausible)
    keys = _keys(rows, species, genus, family, group)
    known = rows["response"] == response
    if predictors is not None:
        known &= rows["predictors"].map(lambda cell: set(cell.split(";")) == set(predictors))
    # A shrub and a tree have no diameter in common.
    wide = (rows["group"] == "shrub") if keys.get("group") == "shrub" else rows["group"].isin(TREES)
    level = pd.Series("", index=rows.index)
    for name in LEVELS:
        if name != "any" and not keys.get(name):
            continue
        match = wide if name == "any" else _matches(rows, name, keys[name])
        level[known & match & (level == "")] = name
        if (level != "").sum() >= least:
            break
    attrs = rows.attrs
    found = rows[level != ""].assign(level=level[level != ""])
    found["near"] = _near(found, rows, region)
    order = found.assign(
        by_level=found["level"].map(LEVELS.index),
        by_region=found["near"].map(("region", "zone", "elsewhere").index),
    )
    found = found.loc[order.sort_values(["by_level", "by_region"], kind="stable").index]
    found.attrs = {"notes": attrs["notes"], "source": source(found)}
    return found


def _matches(rows, name, key):
    if name != "species":
        return rows[name] == key
    return (rows["species_id"] == key) | (rows["taxon"].str.casefold() == str(key).casefold())


def _keys(rows, species, genus, family, group) -> dict:
    """Return what is asked for at each level, from the vocabulary or from the equations themselves."""
    keys = {"species": None, "genus": genus, "family": family, "group": group}
    if species is not None:
        try:
            found = vocabulary.species(species)
            # A genus of the vocabulary is a species row without an epithet.
            own = found.species_id if found.name_latin != found.genus else None
            keys |= {"species": own, "genus": found.genus, "family": found.family, "group": found.group}
        except DataError:
            keys |= {"species": species, "genus": species.split()[0].capitalize()}
    for finer, wider in (("genus", "family"), ("genus", "group"), ("family", "group")):
        if keys[finer] and not keys[wider]:
            same = rows.loc[rows[finer] == keys[finer], wider]
            keys[wider] = same.mode().iloc[0] if len(same) else None
    if not keys["family"] and not keys["group"]:
        raise DataError(
            tr(
                f"{species or 'nothing'}: neither the vocabulary nor an equation knows it; give genus, family or group",
                f"{species or '未指定'}：词表与方程库均无此名；请给出属、科或类型（genus、family、group）",
            )
        )
    return keys


def _near(found, rows, region) -> pd.Series:
    near = pd.Series("elsewhere", index=found.index)
    if region is None:
        return near
    if region not in set(rows["region_id"]) | set(rows["zone"]):
        known = ", ".join(sorted(set(rows["region_id"]) | set(rows["zone"]) - {""}))
        raise DataError(
            tr(
                f"region {region!r} has no equation; known: {known}",
                f"区域 {region!r} 没有方程；已有：{known}",
            )
        )
    zones = set(rows.loc[rows["region_id"] == region, "zone"]) | {region}
    near[found["zone"].isin(zones - {""})] = "zone"
    near[found["region_id"] == region] = "region"
    near[found["zone"] == region] = "region"
    return near
