r"""Published equations: read them, find the nearest ones, doubt them.

Two files hold them: ``data/literature/equations.csv`` those of trees, ``data/literature/equations/systems.csv`` those that
the chapters of the ecosystems use. One row of either is one :class:`Equation`: its text in the language of
:mod:`sinklab.equations` with the printed numbers in it, predictors and result in vocabulary units (``printed_unit`` says
in what unit a mass was printed). What was read and not taken up is counted in ``left_out.csv`` beside the second.

=========== ================================================================================
column      what
=========== ================================================================================
correction  of the bias of logarithms: ``included``, ``unknown`` for logarithmic forms of which
            the source does not say, blank for forms printed on the natural scale
read        ``read`` or ``machine-read`` in the full text, ``abstract``, ``second hand`` from a compilation or code,
            ``recalled`` from memory, ``suspect`` where the text read contradicts its own table; the last two can be
            looked at, but are never evaluated into a table
check       ``ok``, ``implausible`` or ``unchecked``, from :func:`check`
=========== ================================================================================

Is an equation possible? At the two ends and the geometric middle of its range it is set beside its peers: equations of
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
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sinklab import paths
from sinklab.data import catalogue as catalogue_of_open
from sinklab.data import literature, vocabulary
from sinklab.data.files import read_csv, records, rule_values
from sinklab.equations.system import System
from sinklab.language import DataError, EquationError, Notes, SinklabError, listing, tr

CHECKS = ("ok", "implausible", "unchecked")
CORRECTIONS = ("", "unknown", "included")
#: Readings whose numbers may not enter a table.
REFUSED = ("recalled", "suspect")
#: What an equation must give to be one of an individual.
INDIVIDUAL = ("agb", "root", "bgb", "total", "stem", "branch", "foliage", "crown", "culm")
#: Files below ``data/literature``.
FILES = (("equations.csv",), ("equations", "systems.csv"), ("sources.csv",))


def trees() -> tuple[str, ...]:
    """Groups of species whose equations may stand in for one another at the widest level."""
    return vocabulary.ecosystem("forest").groups


# The catalogue.


@dataclass(frozen=True)
class Equation:
    """One published equation; numbers that are not printed are NaN, other blanks are empty.

    ``minimum`` and ``maximum`` are the printed range of ``predictor``, ``dbh_min`` and ``dbh_max`` [cm] that of the diameter
    where it is one of those.
    """

    equation_id: str
    system: str
    taxon: str
    species_id: str
    genus: str
    family: str
    group: str
    region: str
    region_id: str
    zone: str
    response: str
    component: str
    unit: str
    printed_unit: str
    predictors: str
    text: str
    correction: str
    predictor: str
    minimum: float
    maximum: float
    dbh_min: float
    dbh_max: float
    n: float
    r2: float
    r: float
    source_id: str
    locator: str
    read: str
    check: str
    reason: str
    note: str

    @property
    def of_individuals(self) -> bool:
        """Whether it gives a mass of a tree, shrub or culm, and may be looked up."""
        return bool(self.group) and self.response in INDIVIDUAL and self.read != "recalled"


def catalogue() -> dict[str, Equation]:
    """All published equations by id: of trees, then of the ecosystems, stands included.

    Raises
    ------
    DataError
        Unknown sources, species, components, systems or readings, or texts that cannot be read; all at once.
    """
    return _catalogue(paths.data("literature"))


@lru_cache(maxsize=2)
def _catalogue(folder) -> dict[str, Equation]:
    numbers = ("n", "dbh_min", "dbh_max", "r2", "r")
    own = [_of_tree(row) for row in records("literature", *FILES[0], numbers=numbers)]
    zones = {e.region_id: e.zone for e in own}
    families = {e.genus: e.family for e in own} | {s.genus: s.family for s in vocabulary.species_list()}
    numbers = ("n", "r2", "minimum", "maximum")
    others = [_of_system(row, zones, families) for row in records("literature", *FILES[1], numbers=numbers)]
    for file, found in zip(FILES, (own, others), strict=False):
        problems = _problems(found)
        if problems:
            raise DataError(f"{paths.relative(folder.joinpath(*file))}: {listing(problems)}")
    return {e.equation_id: e for e in (*own, *others)}


def _of_tree(row) -> Equation:
    size = {"predictor": "dbh", "minimum": row["dbh_min"], "maximum": row["dbh_max"]}
    cells = {name: row.get(name, "") for name in Equation.__dataclass_fields__}
    species = {"species_id": row["species_id"] or _species_id(row["taxon"])}
    return Equation(**(cells | size | species | {"system": "forest"}))


def _species_id(taxon: str) -> str:
    """Key of a species by its name or a synonym; "" of one that the vocabulary lacks, and of a genus."""
    known = vocabulary.find_species(taxon) if " " in taxon else None
    return known.species_id if known else ""


def _of_system(row, zones, families) -> Equation:
    """Equation of ``systems.csv``; a range of something else than a diameter is told in its note."""
    taxon, system = row["species"], vocabulary.ecosystems().get(row["system"])
    genus = taxon.split()[0] if " " in taxon and taxon[:1].isupper() else ""
    region = row["region"].split(",")[-1].strip().lower().replace(" ", "_")
    # Those of forests are of stands.
    group = system.groups[0] if system and system.groups and system.groups != trees() else ""
    on_dbh = row["predictor"] == "dbh"
    span = f"{row['predictor']} {row['minimum']:g} to {row['maximum']:g}" if row["maximum"] > 0 else ""
    told = {name: row.get(name, "") for name in Equation.__dataclass_fields__} | {
        "taxon": taxon,
        "species_id": _species_id(taxon),
        "genus": genus,
        "family": families.get(genus, ""),
        "group": group,
        "region_id": region,
        "zone": zones.get(region, ""),
        "predictors": ";".join(_names(row["text"])),
        "dbh_min": row["minimum"] if on_dbh else np.nan,
        "dbh_max": row["maximum"] if on_dbh else np.nan,
        "r": np.nan,
        "read": row["status"],
        "check": "unchecked",
        "reason": f"no pooled curve for {group}",
    }
    individual = group and row["response"] in INDIVIDUAL
    masses = {
        "unit": "kg",
        "printed_unit": "kg",
        "note": "; ".join(filter(None, (row["note"], "" if on_dbh else span))),
    }
    return Equation(**(told | (masses if individual else {})))


def _names(text) -> list[str]:
    """Names on the right of an equation that has numbers for its coefficients."""
    system = System.parse(text)
    return [*system.predictors, *system.parameters]


def _problems(found: list[Equation]) -> list[str]:
    known = {
        "source_id": set(literature.sources().index),
        "species_id": {s.species_id for s in vocabulary.species_list()} | {""},
        "component": {*vocabulary.components(), ""},
        "system": set(vocabulary.ecosystems()),
        "group": {g for s in vocabulary.ecosystems().values() for g in s.groups} | {""},
        "check": set(CHECKS),
        "correction": set(CORRECTIONS),
    }
    wrong = [
        (i, c, getattr(e, c)) for c in known for i, e in enumerate(found) if getattr(e, c) not in known[c]
    ]
    ids = [e.equation_id for e in found]
    wrong += [(i, "equation_id", name) for i, name in enumerate(ids) if name in ids[:i]]
    wrong += [(i, "minimum", e.minimum) for i, e in enumerate(found) if e.minimum >= e.maximum]
    for i, e in enumerate(found):
        try:
            responses = _system(e.text, e.predictors).responses
        except SinklabError as error:
            wrong.append((i, "text", error))
            continue
        if e.response not in responses or (e.of_individuals and len(responses) > 1):
            wrong.append((i, "response", e.response))
    return [
        tr(
            f"record {i + 1}: {column} = {value} is not usable",
            f"第 {i + 1} 条记录：{column} = {value} 不可用",
        )
        for i, column, value in wrong
    ]


def published(plausible: bool = True, provinces: bool = False) -> pd.DataFrame:
    """Published equations of individuals, one row each, indexed by ``equation_id``.

    Parameters
    ----------
    plausible : bool
        Leave out the rows that the check found implausible; they are counted in ``attrs["notes"]``.
    provinces : bool
        With those of :func:`of_provinces` over the diameter alone, where their file is at hand.

    Returns
    -------
    rows : DataFrame
        Columns are those of :class:`Equation`; ``attrs["source"]`` and ``attrs["notes"]`` as for any data source.
        Recalled equations are not among them.

    Examples
    --------
    >>> sl.published().columns[:3].tolist()
    ['equation_id', 'system', 'taxon']
    """
    rows = pd.DataFrame([vars(e) for e in catalogue().values() if e.of_individuals])
    rows = rows.set_index("equation_id", drop=False)
    if provinces:
        # Those over diameter and height are of the same trees.
        more = of_provinces()
        rows = pd.concat([rows, more[more["predictors"] == "dbh"]]) if len(more) else rows
    bad = rows["check"] == "implausible"
    notes = Notes()
    if plausible and bad.any():
        names = ", ".join(rows.index[bad])
        notes.add(
            f"{bad.sum()} implausible equations left out: {names}", f"剔除 {bad.sum()} 个不合理方程：{names}"
        )
        rows = rows[~bad]
    rows.attrs["notes"] = notes
    rows.attrs["source"] = source(rows)
    return rows


#: Organ equations by species and province, below a folder of open data.
PROVINCES = "china_regional_equations/equations.csv"
#: Those of them that are implausible, with the reason.
OUT = ("equations", "provinces_out.csv")
#: Parts of the country of the provinces that no equation of the repository is from.
ZONES = {"chongqing": "southwest"}
ORGANS = {
    "stem": "stem_over_bark_stump_unknown",
    "branch": "branch_unspecified",
    "foliage": "foliage_unspecified",
    "root": "root_unspecified",
}


def of_provinces() -> pd.DataFrame:
    """Organ equations of nine provinces (Zhou et al. 2018), with their sums above ground; no rows without ``SINKLAB_DATA``.

    Second hand, read in the code of a package: no number of trees, range or R² is told. Each was held against the other
    published equations (:func:`check`; a test makes the list again); ``check`` says which are implausible.
    """
    path = catalogue_of_open.find(PROVINCES)
    return _of_provinces(path, path.stat().st_mtime_ns) if path else pd.DataFrame()


@lru_cache(maxsize=2)
def _of_provinces(path, changed) -> pd.DataFrame:
    known = pd.DataFrame([vars(e) for e in catalogue().values() if e.of_individuals])
    zones = dict(zip(known["region_id"], known["zone"], strict=True)) | ZONES
    rows = []
    for (province, label, form), part in read_csv(path).groupby(
        ["province", "species_or_group", "form"], sort=False
    ):
        region = province.lower()
        told = _taxon_of(label)
        if told is None:
            continue
        size = "(dbh**2 * height)" if "height" in form else "dbh"
        texts = {r.organ: f"{r.a:g} * {size}**{r.b:g}" for r in part.itertuples()}
        texts["agb"] = " + ".join(texts[organ] for organ in ("stem", "branch", "foliage") if organ in texts)
        for response, text in texts.items():
            key = f"zhou2018_{label.lower().replace('.', '').replace(' ', '_')}_{region}_{response}"
            row = dict.fromkeys(Equation.__dataclass_fields__, "") | told
            row |= dict.fromkeys(("minimum", "maximum", "dbh_min", "dbh_max", "n", "r2", "r"), np.nan)
            row |= {
                "equation_id": f"{key}_{'dh' if 'height' in form else 'd'}",
                "system": "forest",
                "region": province,
            }
            row |= {"region_id": region, "zone": zones[region], "response": response, "predictor": "dbh"}
            row |= {
                "component": ORGANS.get(response, "aboveground_no_stump"),
                "unit": "kg",
                "printed_unit": "kg",
            }
            row |= {"predictors": "dbh;height" if "height" in form else "dbh", "text": f"{response} = {text}"}
            rows.append(row | {"source_id": "ZHOU2018", "read": "second hand", "locator": "R/initValueSet.R"})
    found = pd.DataFrame(rows).set_index("equation_id", drop=False)
    # The comparison takes a minute: what it says is carried.
    out = {r["equation_id"]: r["reason"] for r in records("literature", *OUT)}
    told = ["implausible" if name in out else "ok" for name in found.index]
    return found.assign(check=told, reason=[out.get(name, "") for name in found.index])


def _taxon_of(label) -> dict[str, str] | None:
    """Keys of a species, a genus, conifers or broadleaved trees; None of mixtures and of what is another province's."""
    if label in ("Conifer", "Broadleaf"):
        return {"taxon": label.lower(), "group": label.lower()}
    found = vocabulary.find_species(label.removesuffix(" L."))
    if found is None:
        return None
    own = found.species_id if " " in found.name_latin else ""
    return {
        "taxon": label,
        "species_id": own,
        "genus": found.genus,
        "family": found.family,
        "group": found.group,
    }


def source(rows: pd.DataFrame) -> dict[str, Any]:
    """Where some rows come from, as tables and drafts name it."""
    return {
        "spec": "literature:equations",
        "origin": "printed",
        "title": "published equations",
        **literature.cited(rows),
        "files": paths.files_sha256([paths.data("literature", *file) for file in FILES]),
    }


@lru_cache(maxsize=1024)
def _system(text: str, predictors: str):
    return System.parse(text).bind(predictors.split(";"), responses_required=False)


def evaluate(
    equation: str | Mapping[str, Any] | pd.Series,
    data: Mapping[str, ArrayLike] | pd.DataFrame | None = None,
    *,
    allow_recalled: bool = False,
    **columns: ArrayLike,
) -> np.ndarray:
    """Value of a published equation.

    Parameters
    ----------
    equation : str, or row
        An ``equation_id``, or a row of :func:`published`.
    data : DataFrame or mapping of str to array, shape (n,), optional
        The predictors in vocabulary units; see ``predictors`` of the equation.
    allow_recalled : bool
        Evaluate a recalled or suspect equation too, for a look.
    **columns : array or float
        Predictors by name, instead of ``data``.

    Returns
    -------
    values : array, shape (n,)
        In the unit of the response, without any further correction.

    Raises
    ------
    EquationError
        Unknown id, missing predictor, or an equation that was only recalled or contradicts its source.

    Examples
    --------
    >>> evaluate("luo2018_pinus_massoniana_guangxi_agb_2", dbh=10.0).round(3)
    array([25.708])
    >>> evaluate("komiyama2005_agb", dbh=10.0, wood_density=0.8).round(2)
    array([57.91])
    """
    row = vars(_find(equation)) if isinstance(equation, str) else equation
    if row["read"] in REFUSED and not allow_recalled:
        name = row["equation_id"]
        raise EquationError(
            f"{name}: its coefficients are {row['read']} ({row['note']}); obtain the printed source before they are used",
            f"{name}：系数状态为 {row['read']}（{row['note']}）；请取得原文后再使用",
        )
    given, wanted = columns if data is None else data, row["predictors"].split(";")
    missing = [name for name in wanted if name not in given]
    if missing:
        raise EquationError(
            f"{row['equation_id']}: {row['text']} needs {', '.join(missing)}; found {', '.join(given)}",
            f"{row['equation_id']}：{row['text']} 还需要 {'、'.join(missing)}；现有 {'、'.join(given)}",
        )
    # A single size beside many, in a look at a curve.
    names = list(columns) if data is None else wanted
    values = np.broadcast_arrays(*(np.atleast_1d(np.asarray(given[name], float)) for name in names))
    at = dict(zip(names, values, strict=True))
    with np.errstate(all="ignore"):
        means = _system(row["text"], row["predictors"]).mean({}, {name: at[name] for name in wanted})
    return np.asarray(means[row["response"]], float)


def _find(equation_id: str) -> Equation:
    known = catalogue()
    if equation_id not in known:
        raise EquationError(
            f"printed equation {equation_id!r} is not known; known: {', '.join(known)}",
            f"没有印刷方程 {equation_id!r}；已有：{'、'.join(known)}",
        )
    return known[equation_id]


def title(equation_id: str) -> str:
    """Label of a published equation for a figure: species or genus, who printed it, and where it holds."""
    found = _find(equation_id)
    printed = literature.sources().loc[found.source_id].fillna("").astype(str)
    names = {s.name_latin: s for s in vocabulary.species_list()}
    taxon = tr(found.taxon, names[found.taxon].name_zh) if found.taxon in names else found.taxon
    first = printed["authors"].split(";")[0].strip()
    maker = " ".join(x for x in (first, printed["year"].removesuffix(".0")) if x)
    if found.note.endswith(" as quoted"):
        maker = found.note.removesuffix(" as quoted")
    region = found.region or found.region_id
    return f"{taxon} ({maker}{f', {region}' if region else ''})"


def heights() -> dict[str, dict[str, Any]]:
    """Height of a tree of a given diameter by group: ``text, sd_log``; where a height is needed and unknown."""
    return {
        row["group"]: row for row in records("literature", "equations", "heights.csv", numbers=("sd_log",))
    }


def height_of(dbh: ArrayLike, group: str) -> np.ndarray:
    """Median height [m] at a diameter [cm] for ``conifer``, ``broadleaf`` or ``tree``."""
    known = heights()
    return _system(known.get(group, known["tree"])["text"], "dbh").mean({}, {"dbh": dbh})["height"]


# The way to the nearest: species, genus, family, type, and the region within each.

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
    predictors: Iterable[str] | None = None,
    least: int = 1,
    plausible: bool = True,
    provinces: bool = False,
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
    plausible, provinces : bool
        See :func:`published`.

    Returns
    -------
    rows : DataFrame
        As :func:`published`, with ``level`` (species, genus, family, group, any) and ``near`` (region,
        zone, elsewhere), the nearest first. Empty when even the widest level has none.

    Examples
    --------
    >>> sl.look_up('agb', '杉木')['response'].unique().tolist()
    ['agb']
    """
    rows = published(plausible, provinces)
    keys = _keys(rows, species, genus, family, group)
    known = rows["response"] == response
    if predictors is not None:
        known &= rows["predictors"].map(lambda cell: set(cell.split(";")) == set(predictors))
    # A shrub, a bamboo and a tree have no diameter in common.
    own = keys["group"] if keys["group"] in set(rows["group"]) - set(trees()) else ""
    wide = (rows["group"] == own) if own else rows["group"].isin(trees())
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
            f"{species or 'nothing'}: neither the vocabulary nor an equation knows it; give genus, family or group",
            f"{species or '未指定'}：词表与方程库均无此名；请给出属、科或类型（genus、family、group）",
        )
    return keys


def _near(found, rows, region) -> pd.Series:
    near = pd.Series("elsewhere", index=found.index)
    if region is None:
        return near
    if region not in set(rows["region_id"]) | set(rows["zone"]):
        known = ", ".join(sorted(set(rows["region_id"]) | set(rows["zone"]) - {""}))
        raise DataError(
            f"region {region!r} has no equation; known: {known}", f"区域 {region!r} 没有方程；已有：{known}"
        )
    zones = set(rows.loc[rows["region_id"] == region, "zone"]) | {region}
    near[found["zone"].isin(zones - {""})] = "zone"
    near[found["region_id"] == region] = "region"
    near[found["zone"] == region] = "region"
    return near


# Is an equation possible? A comparison with what all the others say, at three sizes.

#: Predictors for which the comparison has values: the diameter, and a height that follows from it.
COMPARED = ({"dbh"}, {"dbh", "height"})
LN10 = float(np.log(10))
MAD = 1.4826  # the SD of a normal over its median absolute deviation


def aboveground_shares(species_id: str, dbh: float = 16.0) -> dict[str, float]:
    """Shares of stem, branches and foliage in the mass above ground, from published equations of all three.

    Those of the species; else the mean over the species of its group (conifers, broadleaved trees).

    Parameters
    ----------
    species_id : str
    dbh : float
        Diameter of the tree. [cm]

    Returns
    -------
    shares : dict
        By response; they add up to one.
    """
    parts = ("stem", "branch", "foliage")
    rows = published()
    rows = rows[rows["response"].isin(parts) & (rows["species_id"] != "")]
    sets = {
        key: part
        for key, part in rows.groupby(["source_id", "species_id"])
        if set(part["response"]) == {*parts}
    }
    own = {key: part for key, part in sets.items() if key[1] == species_id}
    kind = vocabulary.species(species_id).group
    chosen = own or {key: part for key, part in sets.items() if part["group"].iloc[0] == kind} or sets
    mass = {
        key: pd.Series({r["response"]: np.exp(log_values(r, [dbh])[0]) for _, r in part.iterrows()})
        for key, part in chosen.items()
    }
    found = pd.DataFrame({key: m / m.sum() for key, m in mass.items()}).mean(axis=1)
    return {part: float(found[part]) for part in parts}


def rules() -> dict[str, float]:
    """Thresholds of the comparison and of the pooling."""
    return rule_values("equation_checks")


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
        Equations as :func:`published` gives them; all of the file when left out.
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
    if row["group"] not in trees():
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
    peers = peers[peers["group"].isin(trees())]
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
