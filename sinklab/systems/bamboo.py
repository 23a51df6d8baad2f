r"""Bamboo: the age of a culm counts in 度 (du), mass by diameter and age class, stands from counts by class.

A culm reaches its size in its first weeks; afterwards it gains mass, not diameter, so age class stands beside the
diameter. Class 1 is the first year, each later class two years. Belowground values differ several times
between studies because rhizomes are sampled differently: their method is part of the value.

Source
------
Cao F. et al. (2017) Acta Ecologica Sinica 37(6):2005-2013, doi:10.5846/stxb201509301992. Guan J. et al.
(2017) Acta Ecologica Sinica 37(20):6761-6772, doi:10.5846/stxb201605070878.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sinklab.data.checks import like_years, not_whole
from sinklab.evidence import equations
from sinklab.evidence.distributions import value_of_draws
from sinklab.language import DataError, Notes, listing

#: Texts that a fit takes: age class as a saturating factor, or with a coefficient for each class.
FORMS = {
    "saturating": "agb = a * dbh**b * (age_class / (k + age_class))**c",
    "dummy": "agb = a[age_class] * dbh**b",
}
#: Components below ground of a culm that was dug out.
BELOW = ("root_fibril", "root_lateral", "bamboo_rhizome", "bamboo_stump")
ABOVE = ("culm", "branch_unspecified", "foliage_unspecified")


def age_class(years: ArrayLike) -> np.ndarray:
    """Age class (度) of a culm from its age: 1 for the first year, then two years each.

    Some count two years from the first class on (1-2, 3-4, 5-6; Liu et al. 2010 in Cao et al. 2017): odd ages have the same
    class by both, even ones do not.

    Parameters
    ----------
    years : array
        Age in full or begun years, 1 or more.

    Returns
    -------
    age_class : array of int

    Examples
    --------
    >>> age_class([1, 2, 3, 4, 5, 6, 7]).tolist()
    [1, 2, 2, 3, 3, 4, 4]
    """
    years = np.asarray(years, float)
    if not ((years > 0) & np.isfinite(years)).all():
        raise DataError("ages must be above zero", "竹龄应大于零")
    return (np.floor(np.ceil(years) / 2) + 1).astype(int)


def require_age_class(classes: ArrayLike) -> None:
    """Refuse a column of age classes that looks like years.

    Classes are whole numbers from 1 to about 6, and culms of class 2 are never absent beside 3 and more; years as they
    are told from the culm are 1, 3, 5, 7.

    Raises
    ------
    DataError
        With the records and the likely unit.
    """
    classes = pd.Series(np.asarray(classes, float))
    problems = Notes()
    for i, value in not_whole(classes).items():
        problems.add(
            f"record {i + 1}: age_class = {value:g}; expected a whole class from 1 on; likely years",
            f"第 {i + 1} 条记录：龄级 = {value:g}；应为自 1 起的整数；可能是年",
        )
    rows = like_years(classes)
    if rows:
        records = ", ".join(str(i + 1) for i in rows[:20])
        found = ", ".join(f"{v:g}" for v in sorted(set(classes.dropna())))
        problems.add(
            f"records {records}: age_class holds {found}; likely years, for which 1, 3, 5, 7 are classes 1, 2, 3, 4: "
            "declare the column as age, or convert it with age_class()",
            f"第 {records} 条记录：龄级取值为 {found}；可能是年（1、3、5、7 年为 1、2、3、4 度）：请改为 age 列，或换算",
        )
    if problems:
        raise DataError(listing(problems))


def zhejiang_moso(
    dbh: ArrayLike, height: ArrayLike, crown_length: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Mass of a moso culm in Zhejiang.

    .. math:: W_S = 0.0398 H^{0.5778} D^{1.854}, \; W_C = 0.280 D^{0.8357} L^{0.274}, \; W_R = 0.371 H^{0.1357} D^{0.9817}

    Parameters
    ----------
    dbh : array
        [cm]
    height, crown_length : array
        [m]

    Returns
    -------
    culm, crown, root : arrays
        [kg]; how rhizomes were sampled for the root is not stated.

    Source
    ------
    Guan et al. (2017), table 1, from the provincial models of public-welfare forests.
    """
    columns = {"dbh": dbh, "height": height}
    return (
        equations.evaluate("moso_zhejiang_culm", **columns),
        equations.evaluate("moso_zhejiang_crown", dbh=dbh, crown_length=crown_length),
        equations.evaluate("moso_zhejiang_root", **columns),
    )


def root_shoot(masses: Mapping[str, float]) -> float:
    """Ratio of the parts below ground to those above of a culm.

    Parameters
    ----------
    masses : mapping of component id to kg
        :data:`ABOVE` and :data:`BELOW`; all must be there.
    """
    missing = [c for c in (*ABOVE, *BELOW) if c not in masses]
    if missing:
        raise DataError(
            f"no mass of {', '.join(missing)}: a ratio without them would be too small",
            f"缺少 {'、'.join(missing)} 的质量：缺项会使比值偏小",
        )
    return float(sum(masses[c] for c in BELOW) / sum(masses[c] for c in ABOVE))


def stand_mass(counts: ArrayLike, mass: ArrayLike) -> np.ndarray:
    r"""Mass of a stand from culms of each age class.

    .. math:: B = \sum_t N_t\, \bar w_t / 1000

    Parameters
    ----------
    counts : array, shape (m,)
        Culms of each class. [1/ha]
    mass : array, shape (..., m)
        Mean mass of a culm of each class, or draws of it. [kg]

    Returns
    -------
    density : array, shape (...)
        [t/ha]
    """
    return np.asarray(mass, float) @ np.asarray(counts, float) / 1000


def draw_mean_mass(culms: pd.DataFrame, components: Sequence[str], n: int, seed: int) -> np.ndarray:
    """Draws of the mean mass of a culm by age, from printed means and SD of its organs.

    The organs of one culm are large or small together, but not strictly: their correlation at an age is the one that
    the SD of whole culms of that age implies, or one where whole culms were not printed.

    Parameters
    ----------
    culms : DataFrame
        ``age, component, mass, mass_spread, n``; with rows ``whole_plant`` where they are printed.
    components : sequence of str
    n, seed : int

    Returns
    -------
    draws : array, shape (n, number of ages)
        Ages ascending. [kg]
    """
    part = culms[culms["component"].isin(components)]
    found = part.groupby("age").agg(mass=("mass", "sum"), n=("n", "max"))
    square, together = _spread_of_sum(part)
    sd = np.sqrt(square + _organs_together(culms) * (together - square))
    se = sd / np.sqrt(found["n"])
    random = np.random.default_rng(seed)
    # Six culms an age: Student's t, and masses stay positive on the scale of logarithms.
    relative = (se / found["mass"]).to_numpy()
    t = random.standard_t((found["n"] - 1).to_numpy(), (n, len(found)))
    return found["mass"].to_numpy() * np.exp(relative * t)


def stand_values(
    culms: pd.DataFrame, counts: Mapping[float, float], n: int, seed: int, level: float = 0.95
) -> pd.DataFrame:
    """Mass above and below ground and in all of one stand, from culms counted by age.

    The error is that of the means of the culms alone: other stands are not spoken for.

    Parameters
    ----------
    culms : DataFrame
        Of :func:`draw_mean_mass`, of one site, with ``site``, ``source_id`` and ``rhizome_method``.
    counts : mapping
        Culms by age in years. [1/ha]
    n, seed : int
        Draws.
    level : float

    Returns
    -------
    values : DataFrame
        Rows of ``values.csv``: ``agb_density``, ``bgb_density``, ``total_density``. [t/ha]
    """
    share, site = [counts[age] for age in sorted(counts)], culms["site"].iloc[0]
    above, below = (stand_mass(share, draw_mean_mass(culms, part, n, seed)) for part in (ABOVE, BELOW))
    about = "this stand of three ages; only the error of the culm masses is in its limits"
    method = f"{about}; {culms['rhizome_method'].iloc[0]}"
    told = {"group": f"site={site}", "of_whom": "site_here", "mean_of": "units", "n_site": 1}
    told |= {"n": int(culms.groupby("age")["n"].max().sum()), "sources": culms["source_id"].iloc[0]}
    rows = [
        value_of_draws(f"{name}[{site.lower()}]", name, draws, level, note=note, **told)
        for name, draws, note in (
            ("agb_density", above, f"{sum(share)} culms/ha; {about}"),
            ("bgb_density", below, method),
            ("total_density", above + below, method),
        )
    ]
    return pd.DataFrame(rows)


def stand_carbon(culms: pd.DataFrame, fractions: pd.DataFrame, counts: Mapping[float, float]) -> pd.Series:
    """Carbon of a stand by age, from counts, organ masses and carbon fractions.

    Parameters
    ----------
    culms, fractions : DataFrame
        ``age``, ``component`` and ``mass`` [kg] or ``carbon_fraction`` [1].
    counts : mapping
        Culms by age in years. [1/ha]

    Returns
    -------
    carbon : Series
        By age. [t/ha]
    """
    both = culms.merge(fractions[["age", "component", "carbon_fraction"]], on=["age", "component"])
    carbon = both["mass"] * both["carbon_fraction"] * both["age"].map(counts)
    return carbon.groupby(both["age"]).sum() / 1000


def _spread_of_sum(organs) -> tuple[pd.Series, pd.Series]:
    """Variance of the sum of organs by age: of independent ones, and of ones that rise and fall together."""
    spread = organs.groupby("age")["mass_spread"]
    return spread.agg(lambda sd: (sd**2).sum()), spread.sum() ** 2


def _organs_together(culms) -> pd.Series:
    """Common correlation of the organs of a culm by age, between 0 and 1."""
    organs = culms[culms["component"].isin((*ABOVE, *BELOW))]
    square, together = _spread_of_sum(organs)
    whole = culms[culms["component"] == "whole_plant"].groupby("age")["mass_spread"].max() ** 2
    complete = organs.groupby("age")["component"].nunique() == len(ABOVE) + len(BELOW)
    found = ((whole.reindex(square.index) - square) / (together - square)).clip(0, 1)
    return found.where(complete).fillna(1.0)
