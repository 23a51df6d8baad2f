r"""Mass of a stand from its growing stock: lines by age group, expansion factors, and roots to shoots.

.. math:: BEF = B_A / B_{stem}, \quad BCEF = B_A / V, \quad R = B_B / B_A

A line :math:`B = a V + b` makes the factor a hyperbola, :math:`B / V = a + b / V`: young stands of little stock have
the largest factors. Factors by age class are summarised over studies, because plots of one study are alike.

Source
------
Fang J., Chen A., Peng C., Zhao S., Ci L. (2001) Changes in forest biomass carbon storage in China between 1949 and
1998. Science 292:2320-2322 (lines as quoted in ``data/literature/equations/systems.csv``).
"""

import numpy as np
import pandas as pd

from sinklab.errors import DataError, SinklabError
from sinklab.language import tr
from sinklab.systems import summary

#: Mass of a stand from its growing stock.
CONVERSION = {
    "line": "{y} = a * growing_stock + b",
    "power": "{y} = a * growing_stock**b",
}
#: A factor against the growing stock or the age of the stand.
FORMS = {
    "hyperbola": "{y} = a + b / {x}",
    "power": "{y} = a * {x}**b",
}
#: Ratios of a stand, each from two of its columns.
RATIOS = {
    "bef": ("agb_density", "stem_biomass_density"),
    "bcef": ("agb_density", "growing_stock"),
    "root_shoot_ratio": ("bgb_density", "agb_density"),
}
#: Stands that a fit or a class needs, and studies that a class needs.
FEW_STANDS = 10
FEW_STUDIES = 3


def ratios(stands) -> pd.DataFrame:
    """Expansion factors and root:shoot ratio of every stand.

    Parameters
    ----------
    stands : DataFrame
        Any of ``agb_density``, ``bgb_density``, ``stem_biomass_density`` [t/ha] and ``growing_stock`` [m3/ha].

    Returns
    -------
    stands : DataFrame
        A copy with ``bef`` [1], ``bcef`` [t/m3] and ``root_shoot_ratio`` [1]; missing where a part is missing or zero.

    Raises
    ------
    DataError
        Stands whose stem is heavier than all that is above ground, each with its record.
    """
    made = stands.copy()
    for name, (over, under) in RATIOS.items():
        if over in stands and under in stands:
            made[name] = (stands[over] / stands[under].where(stands[under] > 0)).where(stands[over] > 0)
    if "bef" in made:
        heavy = made.index[made["bef"] < 1 - 1e-9]
        if len(heavy):
            records = ", ".join(str(i + 1 if isinstance(i, (int, np.integer)) else i) for i in heavy[:20])
            raise DataError(
                tr(
                    f"records {records}: the stem is heavier than the part above ground; look for columns exchanged, or for "
                    "carbon beside dry mass",
                    f"第 {records} 条记录：树干大于地上生物量；请检查列是否互换、碳与干物质是否混用",
                )
            )
    return made


def by_class(stands, column: str, bounds, site: str = "study_id", level: float = 0.95) -> pd.DataFrame:
    """Factors by class of age or growing stock, with studies and stands as two levels.

    Parameters
    ----------
    stands : DataFrame
        Of :func:`ratios`.
    column : str
        ``age`` or ``growing_stock``.
    bounds : sequence of float
        Values at which a class ends; the last is open.
    site : str
        Column of the studies.
    level : float

    Returns
    -------
    values : DataFrame
        Rows of ``values.csv``, the interval for one stand of a new study; ``attrs["small"]`` says how many stands of how many
        studies the classes have that are left out: fewer than ten stands, or than three studies.
    """
    edges = [-np.inf, *map(float, bounds), np.inf]
    names = [f"<= {edges[1]:g}"] + [f"{a:g}-{b:g}" for a, b in zip(edges[1:-2], edges[2:-1], strict=True)]
    names.append(f"> {edges[-2]:g}")
    label = pd.cut(stands[column], edges, labels=names)
    used = stands.assign(**{f"{column}_range": label.astype("object")})
    tables, small = [], {}
    for name in RATIOS:
        if name not in used:
            continue
        known = used[used[name].notna() & used[f"{column}_range"].notna()]
        group = known.groupby(f"{column}_range")[site].agg(["size", "nunique"])
        enough = (group["size"] >= FEW_STANDS) & (group["nunique"] >= FEW_STUDIES)
        small |= {f"{name}, {column} {k}": tuple(map(int, group.loc[k])) for k in group.index[~enough]}
        if enough.any():
            kept = known[known[f"{column}_range"].isin(group.index[enough])]
            tables.append(summary.summarise(kept, name, site, [f"{column}_range"], level))
    if not tables:
        raise DataError(
            tr(
                f"no class of {column} has {FEW_STANDS} stands of {FEW_STUDIES} studies; choose wider classes",
                f"{column} 各级均不足 {FEW_STUDIES} 项研究的 {FEW_STANDS} 块样地；请合并分级",
            )
        )
    found = pd.concat(tables, ignore_index=True)
    # By ratio, then from the smallest class on.
    place = found["group"].str.partition("=")[2].map({k: i for i, k in enumerate(names)})
    found = found.assign(ratio=found["variable"].map(list(RATIOS).index), place=place)
    found = found.sort_values(["ratio", "place"], ignore_index=True).drop(columns=["ratio", "place"])
    ranges = found["group"].str.partition("=")[2]
    found["name"] = [f"{v}[{column} {k}]" for v, k in zip(found["variable"], ranges, strict=True)]
    found["note"] = found["note"].str.replace("one unit on a new site", "one stand of a new study")
    found.attrs["small"] = small
    return found


def fit_factor(stands, response: str, predictor: str, level: float = 0.95, seed: int = 0, name: str = "data"):
    """Fit a factor against age or growing stock, by both forms.

    Returns
    -------
    fits : list of FitResult
        Those that converged, the smaller AIC first; empty for fewer than ten stands.
    """
    import sinklab as sl

    used = stands[(stands[response] > 0) & (stands[predictor] > 0)]
    if len(used) < FEW_STANDS:
        return []
    fits = []
    for form, text in FORMS.items():
        label = f"{response} by {predictor}, {form}"
        try:
            found = sl.fit(
                used, text.format(y=response, x=predictor), level=level, seed=seed, label=label, name=name
            )
        except SinklabError:
            # A factor that does not depend on the predictor leaves a form without a maximum.
            continue
        if found.converged:
            fits.append(found)
    return sorted(fits, key=lambda fit: fit.indices()["AIC"].iloc[0])


def by_age(stands, mass: str, bounds, level: float = 0.95, seed: int = 0, name: str = "data"):
    """Lines from growing stock to mass, one for each age group.

    Parameters
    ----------
    stands : DataFrame
        ``age``, ``growing_stock`` and ``mass``.
    mass : str
    bounds : sequence of float
        Ages at which a group ends. [year]
    level, seed, name

    Returns
    -------
    fits : list of FitResult
        Labelled ``line, age 10-20``; groups of fewer than ten stands are left out and counted.
    small : dict of int
        Stands of the groups that were left out.
    """
    import sinklab as sl

    used = stands[(stands["age"] > 0) & (stands["growing_stock"] > 0) & (stands[mass] > 0)]
    edges, fits, small = [0.0, *map(float, bounds), np.inf], [], {}
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        part = used[(used["age"] > low) & (used["age"] <= high)]
        label = f"line, age {low:g}-{high:g}" if np.isfinite(high) else f"line, age > {low:g}"
        if len(part) < FEW_STANDS:
            small[label] = len(part)
            continue
        text = CONVERSION["line"].format(y=mass)
        fits.append(sl.fit(part, text, level=level, seed=seed, label=label, name=name))
    return fits, small
