"""The way to the nearest published equations: species, genus, family, type, and the region within each."""

import pandas as pd

from sinklab import vocabulary
from sinklab.errors import DataError
from sinklab.knowledge import catalogue
from sinklab.language import tr

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
    rows = catalogue.equations(plausible)
    keys = _keys(rows, species, genus, family, group)
    known = rows["response"] == response
    if predictors is not None:
        known &= rows["predictors"].map(lambda cell: set(cell.split(";")) == set(predictors))
    # A shrub, a bamboo and a tree have no diameter in common.
    apart = keys.get("group") if keys.get("group") in set(catalogue.OF_SYSTEM.values()) else ""
    wide = (rows["group"] == apart) if apart else rows["group"].isin(catalogue.TREES)
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
    found.attrs = {"notes": attrs["notes"], "source": catalogue.source(found)}
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
