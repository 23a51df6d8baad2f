r"""Wetland: carbon from loss on ignition, bulk density by mixing, compaction, mangrove trees, marsh and reed.

Source
------
Komiyama A., Poungparn S., Kato S. (2005) Common allometric equations for estimating the tree weight of
mangroves. J. Trop. Ecol. 21:471-477. Khan M.N.I., Suwa R., Hagihara A. (2005) Allometric relationships for
estimating the aboveground phytomass and leaf area of mangrove Kandelia candel (L.) Druce trees in the
Manko Wetland, Okinawa Island, Japan. Trees 19:266-272, doi:10.1007/s00468-004-0377-0. Morris J.T. et al.
(2016) Contributions of organic and inorganic matter to sediment volume and accretion in tidal wetlands at
steady state. Earth's Future 4:110-121.
"""

import numpy as np

from sinklab.errors import DataError, listing
from sinklab.language import tr
from sinklab.systems.printed import evaluate

#: Conversion of organic matter [1] to organic carbon [g/kg]: texts that a fit by system takes.
CARBON_OF_MATTER = {
    "power": "soc = a * organic_matter**b",
    "quadratic": "soc = a * organic_matter + b * organic_matter**2",
}
#: Bulk density of a mixture of organic and mineral matter, each with its own density k. [g/cm3]
MIXING = "bulk_density = 1 / (organic_matter / k1 + (1 - organic_matter) / k2)"


def mixing_density(organic_matter, k1: float, k2: float):
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


def decompacted(layer_top, layer_bottom, bulk_density, recovered: float, penetrated: float):
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
            tr(
                f"recovered {recovered:g} cm from a hole of {penetrated:g} cm; expected a core no longer than the hole: "
                "exchange the two, or check the field book",
                f"孔深 {penetrated:g} cm 却取得 {recovered:g} cm 土芯；土芯不应长于孔深：请核对两者是否颠倒",
            )
        )
    factor = recovered / penetrated
    return (
        np.asarray(layer_top) / factor,
        np.asarray(layer_bottom) / factor,
        np.asarray(bulk_density) * factor,
    )


def mangrove_tree(dbh, wood_density):
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
    columns = {"dbh": dbh, "wood_density": wood_density}
    return evaluate("komiyama2005_agb", **columns), evaluate("komiyama2005_root", **columns)


def shrubby_mangrove(basal_diameter, height):
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
    return evaluate("kandelia_manko_agb", basal_diameter=basal_diameter, height=height)


def stem_count_mass(stem_density, stem_mass, season: str):
    r"""Mass of reed or cordgrass, or of any stand of stems, from the stems on a quadrat and the mass of a stem.

    .. math:: B_A = N\, \bar w / 100

    Parameters
    ----------
    stem_density : array
        Living stems. [1/m2]
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
        No season, or counts and masses below zero.
    """
    problems = []
    if not str(season).strip():
        problems.append(
            tr("season is blank; give month or season of the quadrats", "缺季节；请填写取样月份或季节")
        )
    for name, values in (("stem_density", stem_density), ("stem_mass", stem_mass)):
        if (np.asarray(values) < 0).any():
            problems.append(tr(f"{name} below zero", f"{name} 小于零"))
    if problems:
        raise DataError(listing(problems))
    return np.asarray(stem_density, float) * np.asarray(stem_mass, float) / 100


def peat_stock(peat_depth, carbon_density):
    """Carbon of peat from its depth to the mineral ground. [cm], [kg/m3] -> [t/ha]; 1 m of 100 kg/m3 is 1000 t/ha."""
    return np.asarray(peat_depth, float) * np.asarray(carbon_density, float) / 10
