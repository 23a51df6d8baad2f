r"""Wetland: soil from its organic matter, compressed cores, peat; reed and marsh by stems; mangrove trees on plots.

Layers, cores and stocks are those of every soil, :mod:`sinklab.systems.soil`; here stands what only a wetland asks for.

Mangrove trees stand on nested plots, so each stands for its own number per hectare, :math:`N_i`;
:math:`B = \sum_i N_i w_i / 1000` [t/ha]. The error of the equation and of the wood density are shared by the trees of a
species, that of a diameter by none; plots and sites are sampled. A plant that is not taller than breast height has no
diameter there: its mass follows from the diameter near the base and the height.

Source
------
Komiyama A., Poungparn S., Kato S. (2005) Common allometric equations for estimating the tree weight of
mangroves. J. Trop. Ecol. 21:471-477. Khan M.N.I., Suwa R., Hagihara A. (2005) Allometric relationships for
estimating the aboveground phytomass and leaf area of mangrove Kandelia candel (L.) Druce trees in the
Manko Wetland, Okinawa Island, Japan. Trees 19:266-272, doi:10.1007/s00468-004-0377-0. Morris J.T. et al.
(2016) Contributions of organic and inorganic matter to sediment volume and accretion in tidal wetlands at
steady state. Earth's Future 4:110-121.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sinklab import fitting
from sinklab.data import regions
from sinklab.data.open_data import load
from sinklab.data.soil_layers import set_aside
from sinklab.equations.system import System
from sinklab.evidence import equations
from sinklab.evidence.distributions import from_moments
from sinklab.evidence.pooling import mean_interval
from sinklab.language import DataError, Notes, listing, tr
from sinklab.propagate.model import Factor, Model, Noise, arrange
from sinklab.propagate.monte_carlo import draw_totals
from sinklab.results.fit_result import FitResult
from sinklab.systems import soil

#: Height at which a diameter is called dbh. [m]
BREAST_HEIGHT = 1.3
#: A tenth of a stem on a square metre: a stand of reed or cordgrass has more. [1/ha]
FEWEST_STEMS = 1000.0
#: Conversion of organic matter [1] to organic carbon [g/kg]: texts that a fit by system takes.
CARBON_OF_MATTER = {
    "power": "soc = a * organic_matter**b",
    "quadratic": "soc = a * organic_matter + b * organic_matter**2",
}
#: Bulk density of a mixture of organic and mineral matter, each with its own density k. [g/cm3]
MIXING = "bulk_density = 1 / (organic_matter / k1 + (1 - organic_matter) / k2)"


def mixing_density(organic_matter: ArrayLike, k1: float, k2: float) -> np.ndarray:
    r"""Bulk density of a mixture: the volumes of organic and mineral matter add up.

    .. math:: \rho_b = 1 / (O / k_1 + (1 - O) / k_2)

    Parameters
    ----------
    organic_matter : array
        Share of dry mass lost on ignition. [1]
    k1, k2 : float
        Bulk density of pure organic and pure mineral matter. [g/cm3]

    Returns
    -------
    bulk_density : array
        [g/cm3]; ``k2`` at no organic matter, ``k1`` at nothing else.

    Source
    ------
    Morris et al. (2016), the ideal mixing model.
    """
    organic_matter = np.asarray(organic_matter, float)
    return 1 / (organic_matter / k1 + (1 - organic_matter) / k2)


def decompacted(
    layer_top: ArrayLike,
    layer_bottom: ArrayLike,
    bulk_density: ArrayLike,
    recovered: float,
    penetrated: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Depths and bulk density of a core that was compressed while it was driven.

    .. math:: f = L_{recovered} / L_{penetrated}, \quad z' = z / f, \quad \rho_b' = \rho_b f

    Compression is taken as even along the core, so the mass of a layer stays.

    Parameters
    ----------
    layer_top, layer_bottom : array
        On the recovered core. [cm]
    bulk_density : array
        Of the recovered core. [g/cm3]
    recovered, penetrated : float
        Length of the core and depth of the hole. [cm]

    Returns
    -------
    layer_top, layer_bottom, bulk_density : arrays

    Raises
    ------
    DataError
        A core longer than its hole, or lengths that are not positive.
    """
    if not 0 < recovered <= penetrated:
        raise DataError(
            f"recovered {recovered:g} cm from a hole of {penetrated:g} cm; expected a core no longer than the hole: "
            "exchange the two, or check the field book",
            f"孔深 {penetrated:g} cm 却取得 {recovered:g} cm 土芯；土芯不应长于孔深：请核对两者是否颠倒",
        )
    factor = recovered / penetrated
    return (
        np.asarray(layer_top) / factor,
        np.asarray(layer_bottom) / factor,
        np.asarray(bulk_density) * factor,
    )


def read_cores(spec: str, where: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Layers of cores, values whose unit is in doubt left blank and never converted.

    Parameters
    ----------
    spec, where
        As :func:`sinklab.load` takes them.

    Returns
    -------
    layers : DataFrame
        ``attrs["notes"]`` names every value that was left blank, ``attrs["source"]`` counts them.
    """
    chosen = load(spec, where)
    layers, doubtful = set_aside(chosen)
    layers.attrs["notes"] = [*chosen.attrs["notes"], *doubtful]
    told = {"set_aside": f"{len(doubtful)} values in doubt left blank"} if doubtful else {}
    layers.attrs["source"] = chosen.attrs["source"] | told
    return layers


def fit_conversions(layers: pd.DataFrame, **options: Any) -> list[FitResult]:
    """Organic carbon from organic matter by each form of :data:`CARBON_OF_MATTER`, and bulk density by :data:`MIXING`.

    Parameters
    ----------
    layers : DataFrame
        ``organic_matter`` [1], ``soc`` [g/kg], ``bulk_density`` [g/cm3].
    **options
        ``level``, ``seed``, ``name`` of :func:`sinklab.fit`.
    """
    how = {"method": "nsur", "variance": "power:mean"} | options
    fits = [
        fitting.fit(layers, text, label=f"carbon {form}", **how) for form, text in CARBON_OF_MATTER.items()
    ]
    return [*fits, fitting.fit(layers, MIXING, label="mixing", start={"k1": 0.1, "k2": 1.7}, **how)]


def stock_values(
    layers: pd.DataFrame,
    depths: Sequence[float],
    by: Sequence[str],
    site: Sequence[str],
    groups: Sequence[str],
    learn_from: pd.DataFrame | None = None,
    level: float = 0.95,
    **options: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Carbon of one core on a new site to each depth, by group, and what was counted for it.

    Parameters
    ----------
    layers : DataFrame
    depths : sequence of float
        [cm]
    by, site, groups : sequence of str
        Columns that name a core, a site and a group.
    learn_from : DataFrame, optional
        Layers of more cores, to draw from where something was not measured.
    level : float
    **options
        ``n``, ``seed``, ``reach`` of :func:`sinklab.systems.soil.stocks`.

    Returns
    -------
    values : DataFrame
        Rows of ``values.csv``; groups of a single core have none.
    counts : DataFrame
        By depth: cores used, cores left out by reason, and single cores of their group.
    """
    model = (
        soil.fit_layers(learn_from, [c for c in by if c in learn_from]) if learn_from is not None else None
    )
    # The paper of a core is its study; a compilation names it in the locator.
    paper = "locator" if "locator" in layers else None
    layers = layers.assign(place=regions.places(layers))
    kept = [*groups, "place", *(c for c in ("locator", "source_id") if c in layers)]
    kinds, rows, counts = layers.groupby(list(by), dropna=False)[kept].first().reset_index(), [], {}
    for depth in depths:
        cores = soil.stocks(layers, depth, by, model=model, **options)
        left_out = cores.attrs["left_out"]
        cores = cores.merge(kinds, on=list(by))
        several = cores.groupby(list(groups))["soc_stock"].transform("size") > 1
        counts[f"{depth:g} cm"] = {
            tr("cores", "土芯"): int(several.sum()),
            tr("overlap or bounds", "土层重叠或界限有误"): left_out["overlap or bounds"],
            tr("too little measured", "实测厚度不足"): left_out["too little measured"],
            tr("single of its group", "所在组只有一个"): int((~several).sum()),
        }
        told = {"kind": f"{depth} cm", "noise": "sd_log", "study": paper, "definition": f"soil_depth={depth}"}
        rows.append(soil.summarise(cores[several], "soc_stock", site, groups, level, **told))
    return pd.concat(rows, ignore_index=True), pd.DataFrame.from_dict(counts, orient="index")


def stem_count_mass(stem_density: ArrayLike, stem_mass: ArrayLike, season: str) -> np.ndarray:
    r"""Mass of reed or cordgrass, or of any stand of stems, from the stems on a quadrat and the mass of a stem.

    .. math:: B_A = N\, \bar w / 10^6

    Parameters
    ----------
    stem_density : array
        Living stems. [1/ha]; ten thousand times those of a square metre.
    stem_mass : array
        Mean oven-dry mass of a stem. [g]
    season : str
        Month or season of the quadrats, which must be known: the same stand differs several times.

    Returns
    -------
    agb_density : array
        [t/ha]

    Raises
    ------
    DataError
        No season, or counts and masses that cannot be per hectare, each with its record.
    """
    problems = Notes()
    if not str(season).strip():
        problems.add("season is blank; give month or season of the quadrats", "缺季节；请填写取样月份或季节")
    for name, values in (("stem_density", stem_density), ("stem_mass", stem_mass)):
        if (np.asarray(values) < 0).any():
            problems.add(f"{name} below zero", f"{name} 小于零")
    few = (np.asarray(stem_density) > 0) & (np.asarray(stem_density) < FEWEST_STEMS)
    if few.any():
        problems.add(
            f"{int(few.sum())} stands of fewer than {FEWEST_STEMS:g} stems per hectare; expected stems per hectare, not per "
            "square metre: times 10 000",
            f"{int(few.sum())} 个样方每公顷不足 {FEWEST_STEMS:g} 株；应为每公顷株数而非每平方米株数：请乘以 10 000",
        )
    if problems:
        raise DataError(listing(problems))
    return np.asarray(stem_density, float) * np.asarray(stem_mass, float) / 1e6


def peat_stock(peat_depth: ArrayLike, carbon_density: ArrayLike) -> np.ndarray:
    """Carbon of peat from its depth to the mineral ground.

    Parameters
    ----------
    peat_depth : array
        [cm]
    carbon_density : array
        [kg/m3]

    Returns
    -------
    soc_stock : array
        [t/ha]; 1 m of 100 kg/m3 is 1000 t/ha.
    """
    return np.asarray(peat_depth, float) * np.asarray(carbon_density, float) / 10


# Mangrove trees on plots.


def mangrove_tree(dbh: ArrayLike, wood_density: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    r"""Mass of a mangrove tree by the common equations.

    .. math:: W_A = 0.251\, \rho\, D^{2.46}, \quad W_R = 0.199\, \rho^{0.899} D^{2.22}

    Parameters
    ----------
    dbh : array, shape (n,)
        Diameter at 1.3 m; above the highest prop root for Rhizophora. [cm]
    wood_density : array or float
        [g/cm3]

    Returns
    -------
    agb, root : arrays, shape (n,)
        [kg]

    Source
    ------
    Komiyama, Poungparn & Kato (2005), 104 trees of ten species; coefficients of
    ``data/literature/equations/systems.csv``.

    Examples
    --------
    >>> [float(x.round(1)[0]) for x in mangrove_tree(10.0, 0.8)]
    [57.9, 27.0]
    """
    dbh, wood_density = np.broadcast_arrays(np.atleast_1d(np.asarray(dbh, float)), wood_density)
    columns: dict[str, Any] = {"dbh": dbh, "wood_density": wood_density}
    return equations.evaluate("komiyama2005_agb", **columns), equations.evaluate(
        "komiyama2005_root", **columns
    )


def shrubby_mangrove(basal_diameter: ArrayLike, height: ArrayLike) -> np.ndarray:
    r"""Aboveground mass of a low, many-stemmed Kandelia: the diameter is taken at a tenth of the height.

    .. math:: W_A = 0.04117\, D_{0.1}^2\, H

    Parameters
    ----------
    basal_diameter : array, shape (n,)
        At a tenth of the height. [cm]
    height : array, shape (n,)
        [m]

    Returns
    -------
    agb : array, shape (n,)
        [kg]; add the stems of one plant.

    Source
    ------
    Khan, Suwa & Hagihara (2005), R2 = 0.978; with the diameter at breast height it was 0.32.
    """
    return equations.evaluate("kandelia_manko_agb", basal_diameter=basal_diameter, height=height)


def wood_densities(species: Sequence[str], records: pd.DataFrame) -> pd.DataFrame:
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
    sd = table["std"] / np.sqrt(table["size"])
    return pd.DataFrame({"wood_density": table["mean"], "sd": sd, "n": table["size"].astype(int)})


def tree_masses(trees: pd.DataFrame, wood: pd.DataFrame) -> pd.DataFrame:
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
    made["common"], made["root"] = mangrove_tree(made["dbh"].to_numpy(), made["wood_density"].to_numpy())
    made["low"] = made["height"] <= BREAST_HEIGHT
    short = shrubby_mangrove(made["dbh"].to_numpy(), made["height"].to_numpy())
    made["by_height"] = np.where(made["low"], short, made["common"])
    return made


def local_masses(dbh: ArrayLike, height: ArrayLike) -> pd.DataFrame:
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
    for row in equations.catalogue().values():
        if row.system != "wetland" or row.response != "agb" or not row.taxon[:1].isupper():
            continue
        given: dict[str, Any] = {"dbh": dbh} | ({"height": height} if "height" in row.text else {})
        if row.predictor == "dbh" and "read" in row.read:
            mass = equations.evaluate(row.equation_id, **given)
            columns[row.equation_id] = np.where(mass > 0, mass, np.nan)
    return pd.DataFrame(columns)


def plot_density(trees: pd.DataFrame, column: str) -> pd.DataFrame:
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


def plot_values(by_plot: Mapping[str, pd.DataFrame], level: float = 0.95) -> pd.DataFrame:
    """Mass per hectare of a plot on a new site by each method of computing trees, as rows of ``values.csv``.

    Bare plots count in the mean over sites, and the sd is that of the plots: many are nearly bare, and that of a lognormal
    would lie far above it.

    Parameters
    ----------
    by_plot : mapping of str to DataFrame
        Of :func:`plot_density`, by method.
    level : float
    """
    rows = []
    for method, plots in by_plot.items():
        used = plots[plots["agb_density"] > 0].assign(method=method)
        row = soil.summarise(used, "agb_density", "site", ["method"], level).iloc[0].to_dict()
        of_sites = plots.groupby("site")["agb_density"].mean()
        mean, error = float(of_sites.mean()), float(of_sites.std() / len(of_sites) ** 0.5)
        row |= {"name": f"agb_density[mangrove,{method}]", "mean": mean, "sd": plots["agb_density"].std()}
        row |= {"se": error} | mean_interval("agb_density", mean, error, len(of_sites) - 1, level)
        rows.append(row)
    return pd.DataFrame(rows)


def between_equations(trees: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
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


def site_draws(
    trees: pd.DataFrame,
    wood: pd.DataFrame,
    equation_sd: Mapping[str, float],
    dbh_error: float,
    n: int,
    seed: int,
    response: str = "agb",
) -> tuple[pd.DataFrame, pd.Series]:
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
    text = equations.catalogue()[f"komiyama2005_{response}"].text
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
