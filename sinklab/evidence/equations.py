r"""The published equations of ``data/literature/equations.csv``, and the way to the nearest ones.

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

Published equations as knowledge: look them up, doubt them, pool them into a default equation or a prior.

The way to the nearest published equations: species, genus, family, type, and the region within each.

Is a published equation possible? A comparison with what all the others say, at three sizes.

At the two ends and the geometric middle of its range an equation is set beside its peers: equations of
the same response and type whose range (with some reach) holds that size, itself left out. Their pooled
curve is the median of the logarithms and their spread the median absolute deviation, so that a few
wrong peers do not matter. Where an equation needs a height, all take the same one from the diameter.

An equation is implausible when it is not positive, or when at any size it is off by more than a factor
and by more than a multiple of the spread, or by more than a larger factor whatever the spread, all in
``data/rules/equation_checks.csv``. For such an equation the slips that are common in print are tried one by
one. "Fits if" names those that bring all sizes back and at least halve the misfit (of logarithms), "nearer
if" the one that takes the misfit to a third without bringing it back:

============================ ============================================================
slip                         what :math:`\ln y` becomes
============================ ============================================================
mass in g, or in t           :math:`\ln y \mp \ln 1000`
ln printed, log10 meant      :math:`\ln y + c\,(\ln 10 - 1)`, c at predictors of 1
log10 printed, ln meant      :math:`\ln y + c\,(1/\ln 10 - 1)`
diameter in mm, or in m      the equation at 10 D, or at D/100
height in cm, or in dm       the equation at 100 H, or at 10 H
============================ ============================================================

The logarithms are tried only where :math:`\ln y` is a straight line in :math:`\ln D`.

Equations as their sources print them, one text each, evaluated by the same parser as our own.

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
from sinklab.data import literature, vocabulary
from sinklab.data.files import read_csv
from sinklab.equations.system import System
from sinklab.language import DataError, EquationError, SinklabError, listing, tr

# --- The published equations of ``data/literature/equations.csv``, and the way to the nearest ones.

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


def published(plausible: bool = True) -> pd.DataFrame:
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
        "files": paths.files_sha256(files),
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


# --- The way to the nearest published equations: species, genus, family, type, and the region within each.

#: How far an equation was fetched, the nearest first.
LEVELS = ("species", "genus", "family", "group", "any")


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
        Where to begin when there is no species; ``group`` is conifer, broadleaf, shrub, bamboo or mangrove.
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
        As :func:`~sinklab.knowledge.equations`, with ``level`` (species, genus, family, group, any) and ``near`` (region,
        zone, elsewhere), the nearest first. Empty when even the widest level has none.
    """
    rows = published(plausible)
    keys = _keys(rows, species, genus, family, group)
    known = rows["response"] == response
    if predictors is not None:
        known &= rows["predictors"].map(lambda cell: set(cell.split(";")) == set(predictors))
    # A shrub, a bamboo and a tree have no diameter in common.
    apart = keys.get("group") if keys.get("group") in set(OF_SYSTEM.values()) else ""
    wide = (rows["group"] == apart) if apart else rows["group"].isin(TREES)
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


# --- Is a published equation possible? A comparison with what all the others say, at three sizes.

#: Predictors for which the comparison has values: the diameter, and a height that follows from it.
COMPARED = ({"dbh"}, {"dbh", "height"})
LN10 = float(np.log(10))
MAD = 1.4826  # the SD of a normal over its median absolute deviation


def rules() -> dict[str, float]:
    """Thresholds of the comparison and of the pooling."""
    table = read_csv(paths.data("rules", "equation_checks.csv"), numeric={"value"})
    return dict(zip(table["rule"], table["value"].astype(float), strict=True))


def log_values(row, sizes, dbh_factor: float = 1.0, height_factor: float = 1.0) -> np.ndarray:
    """Logarithm of an equation at diameters [cm], the height following them; NaN where it is not positive."""
    data = {"dbh": np.asarray(sizes, float) * dbh_factor}
    if "height" in row["predictors"]:
        data["height"] = height_of(sizes, row["group"]) * height_factor
    value = evaluate(row, data)
    with np.errstate(all="ignore"):
        return np.where(value > 0, np.log(np.where(value > 0, value, 1.0)), np.nan)


def sizes(row, limits) -> np.ndarray:
    """Three diameters [cm] at which an equation is looked at."""
    low, high = span(row, limits)
    inner = max(low, limits["size_low"]), min(high, limits["size_high"])
    if inner[0] < inner[1]:
        low, high = inner
    return np.geomspace(low, high, 3)


def span(row, limits) -> tuple[float, float]:
    """Range of diameters [cm] of an equation, or the usual one where none is printed."""
    low = row["dbh_min"] if row["dbh_min"] > 0 else limits["range_low"]
    high = row["dbh_max"] if row["dbh_max"] > 0 else limits["range_high"]
    return float(low), float(high)


def check(rows: pd.DataFrame | None = None, among: pd.DataFrame | None = None) -> pd.DataFrame:
    """Compare equations with the pooled curve of the others at three sizes.

    Parameters
    ----------
    rows : DataFrame, optional
        Equations as :func:`~sinklab.knowledge.equations` gives them; all of the file when left out.
    among : DataFrame, optional
        The equations they are compared with; all of the file when left out.

    Returns
    -------
    table : DataFrame, indexed by ``equation_id``
        ``dbh_1 … dbh_3`` [cm], ``ratio_1 … ratio_3`` to the pooled curve, ``limit_1 … limit_3`` (ratios
        up to it, or down to its inverse, pass), ``peers`` (fewest of the three), ``check`` and ``reason``.
    """
    among = published(plausible=False) if among is None else among
    rows = among if rows is None else rows
    limits = rules()
    return pd.DataFrame(
        [_checked(row, among, limits) for _, row in rows.iterrows()], index=rows["equation_id"]
    )


def _checked(row, among, limits) -> dict:
    if row["group"] not in TREES:
        return {"check": "unchecked", "reason": f"no pooled curve for {row['group']}"}
    if set(row["predictors"].split(";")) not in COMPARED:
        over = row["predictors"].replace(";", " and ")
        return {"check": "unchecked", "reason": f"no pooled curve over {over}"}
    at = sizes(row, limits)
    pooled, spread, count = pooled_curve(row, at, among, limits)
    own = log_values(row, at)
    limit = np.clip(limits["spread"] * spread, np.log(limits["factor"]), np.log(limits["ceiling"]))
    found = {f"dbh_{i + 1}": at[i] for i in range(3)} | {"peers": int(count.min())}
    found |= {f"ratio_{i + 1}": float(np.exp(own[i] - pooled[i])) for i in range(3)}
    found |= {f"limit_{i + 1}": float(np.exp(limit[i])) for i in range(3)}
    known = np.isfinite(pooled)
    if not known.any():
        return found | {"check": "unchecked", "reason": "too few equations to compare with"}
    off = known & ~(np.abs(own - pooled) <= limit)
    if not off.any():
        return found | {"check": "ok", "reason": ""}
    return found | {"check": "implausible", "reason": _reason(row, at, own, pooled, limit, off)}


def pooled_curve(row, at, among, limits) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median, spread (of logarithms) and number of the peers of an equation at some diameters [cm]."""
    peers = among[(among["response"] == row["response"]) & (among["equation_id"] != row["equation_id"])]
    peers = peers[peers["group"].isin(TREES)]
    peers = peers[[set(cell.split(";")) in COMPARED for cell in peers["predictors"]]]
    spans = np.array([span(peer, limits) for _, peer in peers.iterrows()]).reshape(-1, 2)
    holds = (at >= spans[:, :1] / limits["reach"]) & (at <= spans[:, 1:] * limits["reach"])
    # Every peer is read along the heights of the equation in question, so that heights cancel out.
    logs = np.array([log_values(peer | {"group": row["group"]}, at) for peer in peers.to_dict("records")])
    logs = np.where(holds, logs.reshape(-1, len(at)), np.nan)
    same = (peers["group"] == row["group"]).to_numpy() | (row["group"] == "tree")
    middle, spread, count = (np.full(len(at), np.nan) for _ in range(3))
    for j in range(len(at)):
        column = logs[same, j][np.isfinite(logs[same, j])]
        if len(column) < limits["peers"]:
            column = logs[:, j][np.isfinite(logs[:, j])]
        count[j] = len(column)
        if len(column) >= limits["peers"]:
            middle[j] = np.median(column)
            spread[j] = MAD * np.median(np.abs(column - middle[j]))
    return middle, spread, count


def _slips(row, at, own) -> dict[str, np.ndarray]:
    """What the equation would say had each slip not been made."""
    found = {
        "the mass is in g (÷1000)": own - np.log(1000),
        "the mass is in kg where g is printed, or in t (×1000)": own + np.log(1000),
        "the diameter is in mm": log_values(row, at, dbh_factor=10),
        "the diameter is in m": log_values(row, at, dbh_factor=0.01),
    }
    if "height" in row["predictors"]:
        found["the height is in cm"] = log_values(row, at, height_factor=100)
        found["the height is in dm"] = log_values(row, at, height_factor=10)
    grid = np.geomspace(at[0], at[-1], 5)
    straight = np.abs(np.diff(log_values(row, grid), 2)).max() < 1e-6
    if straight:
        ones = {name: np.ones(1) for name in row["predictors"].split(";")}
        # Of the mass as it was printed: the step from g to kg is not part of the intercept.
        c = float(np.log(evaluate(row, ones)[0])) + np.log(1000) * (row["printed_unit"] == "g")
        found["the intercept is of log10, read as ln"] = own + c * (LN10 - 1)
        found["the intercept is of ln, read as log10"] = own + c * (1 / LN10 - 1)
    return found


def _reason(row, at, own, pooled, limit, off) -> str:
    if not np.isfinite(own).all():
        where = ", ".join(f"{d:.3g}" for d in at[~np.isfinite(own)])
        return f"not positive at {where} cm"
    told = ", ".join(
        f"{np.exp(o - p):.3g} at {d:.3g} cm"
        for o, p, d, wrong in zip(own, pooled, at, off, strict=True)
        if wrong
    )
    text = f"times the pooled curve: {told}"
    known = np.isfinite(pooled)
    before = np.abs(own - pooled)[known].max()
    misfit = {n: np.abs(line - pooled)[known] for n, line in _slips(row, at, own).items()}
    misfit = {n: m for n, m in sorted(misfit.items(), key=lambda item: item[1].max()) if np.isfinite(m).all()}
    fits = [n for n, m in misfit.items() if (m <= limit[known]).all() and m.max() <= before / 2]
    if fits:
        return f"{text}; fits if {' or if '.join(fits[:2])}"
    nearest = next(iter(misfit))
    return f"{text}; nearer if {nearest}" if misfit[nearest].max() <= before / 3 else text


# --- Equations as their sources print them, one text each, evaluated by the same parser as our own.

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
def printed_equations() -> dict[str, Printed]:
    """All printed equations by id."""
    file = paths.data("literature", "equations", "systems.csv")
    with open(file, encoding="utf-8-sig", newline="") as stream:
        rows = [{k: row[k] for k in Printed.__dataclass_fields__} for row in csv.DictReader(stream)]
    return {row["equation_id"]: Printed(**row) for row in rows}


def evaluate_printed(equation_id: str, allow_recalled: bool = False, **columns) -> np.ndarray:
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
    from sinklab.equations.system import System

    known = printed_equations()
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
    from sinklab.data import literature, vocabulary

    row = printed_equations()[equation_id]
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
