r"""Mangrove trees on plots: common and local equations, low plants, and what the choice means per hectare.

Trees stand on nested plots, so each stands for its own number per hectare, :math:`N_i`;
:math:`B = \sum_i N_i w_i / 1000` [t/ha]. The error of the equation and of the wood density are shared by the trees of a
species, that of a diameter by none; plots and sites are sampled. A plant that is not taller than breast height has no
diameter there: its mass follows from the diameter near the base and the height.
"""

import numpy as np
import pandas as pd

from sinklab.errors import DataError, listing
from sinklab.language import tr
from sinklab.systems import wetland
from sinklab.systems.printed import equations, evaluate

#: Height at which a diameter is called dbh. [m]
BREAST_HEIGHT = 1.3


def wood_densities(species, records) -> pd.DataFrame:
    """Mean wood density of each species and the spread between its records.

    Parameters
    ----------
    species : sequence of str
        Latin names.
    records : DataFrame
        ``genus``, ``species`` (epithet) and ``wood_density`` [g/cm3].

    Returns
    -------
    table : DataFrame
        Indexed by species: ``wood_density``, ``sd`` (of the mean of its records), ``n``.

    Raises
    ------
    DataError
        Species without a record, all of them.
    """
    names = records["genus"].str.cat(records["species"], sep=" ")
    known = records.groupby(names)["wood_density"].agg(["mean", "std", "size"])
    absent = sorted(set(species) - set(known.index))
    if absent:
        raise DataError(tr("no wood density of:\n", "没有木材密度：\n") + listing(absent))
    table = known.loc[sorted(set(species))]
    return pd.DataFrame(
        {
            "wood_density": table["mean"],
            "sd": table["std"] / np.sqrt(table["size"]),
            "n": table["size"].astype(int),
        }
    )


def tree_masses(trees, wood) -> pd.DataFrame:
    """Mass of every plant by the common equations, with and without the rule for low plants.

    Parameters
    ----------
    trees : DataFrame
        ``species``, ``dbh`` [cm], ``height`` [m].
    wood : DataFrame
        Of :func:`wood_densities`.

    Returns
    -------
    trees : DataFrame
        A copy with ``wood_density``, ``common`` and ``root`` [kg] by the common equations, ``low`` (no taller than breast
        height, so its diameter was taken below) and ``by_height`` [kg]: the equation of low Kandelia for those, the common
        one for the rest.
    """
    made = trees.copy()
    made["wood_density"] = made["species"].map(wood["wood_density"])
    made["common"], made["root"] = wetland.mangrove_tree(
        made["dbh"].to_numpy(), made["wood_density"].to_numpy()
    )
    made["low"] = made["height"] <= BREAST_HEIGHT
    short = wetland.shrubby_mangrove(made["dbh"].to_numpy(), made["height"].to_numpy())
    made["by_height"] = np.where(made["low"], short, made["common"])
    return made


def local_masses(dbh, height) -> pd.DataFrame:
    """Mass of stems of one size by every usable printed equation of a single mangrove species.

    Parameters
    ----------
    dbh : array, shape (n,)
        [cm]
    height : array, shape (n,)
        [m]

    Returns
    -------
    masses : DataFrame, shape (n, m)
        Columns are equation ids; missing where an equation falls below zero (smaller than its trees). [kg]
    """
    columns = {}
    for row in equations().values():
        if row.system != "wetland" or row.response != "agb" or not row.species[:1].isupper():
            continue
        given = {"dbh": dbh} | ({"height": height} if "height" in row.text else {})
        if row.predictor == "dbh" and "read" in row.status:
            mass = evaluate(row.equation_id, **given)
            columns[row.equation_id] = np.where(mass > 0, mass, np.nan)
    return pd.DataFrame(columns)


def plot_density(trees, column: str) -> pd.DataFrame:
    """Mass per hectare of every plot, in t/ha.

    Parameters
    ----------
    trees : DataFrame
        ``site``, ``plot_id``, ``stem_density`` (plants per hectare that this one stands for) and ``column`` [kg].
    column : str

    Returns
    -------
    plots : DataFrame
        ``site``, ``plot_id``, ``agb_density``.
    """
    mass = trees[column] * trees["stem_density"] / 1000
    keys = [trees["site"], trees["plot_id"]]
    return mass.groupby(keys).sum().rename("agb_density").reset_index()


def between_equations(trees, one: str, other: str) -> pd.DataFrame:
    """Ratio of two mass columns by species: of the sums, and its geometric mean and spread tree by tree."""
    rows = {}
    for species, part in trees.groupby("species"):
        both = part[(part[one] > 0) & (part[other] > 0)]
        log = np.log(both[one] / both[other])
        rows[species] = {
            "n": len(both),
            "of_sums": float(both[one].sum() / both[other].sum()),
            "geometric_mean": float(np.exp(log.mean())),
            "sd_log": float(log.std(ddof=1)),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("species")


def site_draws(trees, wood, equation_sd, dbh_error: float, n: int, seed: int, response: str = "agb"):
    """Draws of the mean mass per hectare of each site, with the errors of equation, wood density and diameter.

    Parameters
    ----------
    trees : DataFrame
        Of :func:`tree_masses`; every plant with its ``site``, ``plot_id`` and ``stem_density``.
    wood : DataFrame
        Of :func:`wood_densities`.
    equation_sd : mapping of str to float
        Relative standard deviation of the equation for a species.
    dbh_error : float
        Relative standard deviation of a diameter.
    n, seed : int
    response : "agb" or "root"
        Which of the common equations.

    Returns
    -------
    draws : DataFrame, shape (n, number of sites)
        [t/ha]
    shares : Series
        Share of each source alone in the variance of the mean over the sites.
    """
    from sinklab.distributions import from_moments
    from sinklab.equations import System
    from sinklab.propagate import Factor, Model, Noise, arrange, draw_totals

    text = equations()[f"komiyama2005_{response}"].text
    system = System.parse(text).bind(["dbh", "wood_density"], responses_required=False)
    # No covariance is printed: the doubt about the equation is that between equations, a factor by species.
    model = Model("komiyama2005", system, (response,), np.empty(0), np.empty((0, 0)))
    used = trees[trees["dbh"] > 0].reset_index(drop=True)
    used["wood_sd"] = used["species"].map(wood["sd"])
    plots = trees.groupby("site")["plot_id"].nunique()
    weight = (used["stem_density"] / 1000 / used["site"].map(plots)).to_numpy(float)
    sources = (
        Noise("wood_density", "wood_sd", "wood_density", by="species"),
        Noise("dbh", dbh_error, "dbh", relative=True, low=0.05),
    )
    doubt = {s: from_moments(1.0, sd, "lognormal") if sd > 0 else 1.0 for s, sd in equation_sd.items()}
    factor = Factor("equation", doubt, "species")
    units = arrange(
        used, model, group="site", weight=weight, noises=sources, factors=(factor,), residual=False
    )
    draws = pd.DataFrame(draw_totals(units, n, seed).T, columns=units.groups)
    alone = {
        name: draw_totals(units, n, seed, only=[name]).mean(axis=0).var()
        for name in units.sources
        if name in ("wood_density", "dbh", "equation")
    }
    shares = pd.Series(alone) / sum(alone.values())
    return draws, shares
