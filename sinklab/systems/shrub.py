r"""Shrubs: size by basal diameter, crown area or crown volume; many stems; stands by cover.

Source
------
Zhao M. et al. (2019) biomass models of 26 common temperate shrubs of Inner Mongolia, Arid Zone Research
(rows CX_SHRUB2019 of ``data/literature/equations/systems.csv``).
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sinklab.data.vocabulary import refuse_doubtful
from sinklab.evidence import equations
from sinklab.language import DataError

#: Texts that a fit takes, by what was measured.
FORMS = {
    "diameter": "agb = a * basal_diameter**b",
    "diameter_height": "agb = a * basal_diameter**b * height**c",
    "crown": "agb = a * crown_area**b",
    "volume": "agb = a * (height * crown_area)**b",
}


def crown_area(width: ArrayLike, across: ArrayLike) -> np.ndarray:
    r"""Crown projection as an ellipse, :math:`\pi d_1 d_2 / 4`. [m], [m] -> [m2].

    Some sources print the product :math:`d_1 d_2` as crown area, 27 % more: their equations want that product.
    """
    return np.pi * np.asarray(width, float) * np.asarray(across, float) / 4


def crown_volume(height: ArrayLike, crown_area: ArrayLike) -> np.ndarray:
    """Height [m] times crown area [m2], as the Inner Mongolian models take it. [m3]."""
    return np.asarray(height, float) * np.asarray(crown_area, float)


def joint_diameter(diameters: ArrayLike) -> float:
    r"""Basal diameter of one stem with the cross-section of several, :math:`\sqrt{\sum d^2}`. [cm].

    For a plant whose stems were measured one by one and whose mass was weighed as a whole.
    """
    diameters = np.asarray(diameters, float)
    if diameters.size == 0 or not (diameters > 0).all():
        raise DataError("stem diameters must be above zero", "各茎基径应大于零")
    return float(np.sqrt((diameters**2).sum()))


def stand_by_cover(cover_fraction: ArrayLike, mass_per_crown: ArrayLike) -> np.ndarray:
    r"""Aboveground mass of a shrub stand from its cover.

    .. math:: B_A = 10\, P\, w

    Parameters
    ----------
    cover_fraction : array
        Share of the ground under shrub crowns. [1]
    mass_per_crown : array
        Mass of a shrub over its crown area. [kg/m2]

    Returns
    -------
    agb_density : array
        [t/ha]

    Raises
    ------
    DataError
        Cover in per cent, with its record.

    Source
    ------
    Wang X. et al. (2017) Acta Ecologica Sinica 37(13):4384-4391, equations 3 and 4.
    """
    refuse_doubtful(cover_fraction=cover_fraction)
    return 10 * np.asarray(cover_fraction, float) * np.asarray(mass_per_crown, float)


def densities(heights: dict[str, float]) -> pd.DataFrame:
    """Mass per crown volume of every species with a usable printed equation, in the middle of its sizes.

    Parameters
    ----------
    heights : dict
        Typical height by species, for equations of crown area alone. [m]

    Returns
    -------
    species : DataFrame
        ``species, habitat, crown_volume, agb, crown_mass_density, n``.
    """
    rows = []
    for row in equations.catalogue().values():
        if row.system != "shrub" or row.response != "agb" or row.read in equations.REFUSED:
            continue
        middle = float(np.sqrt(row.minimum * row.maximum))
        height = heights.get(row.taxon)
        if row.predictor == "crown_area":
            if height is None:
                continue
            area, volume = middle, middle * height
            agb = float(equations.evaluate(row.equation_id, crown_area=area)[0])
        else:
            volume = middle
            agb = float(equations.evaluate(row.equation_id, height=1.0, crown_area=volume)[0])
        rows.append((row.taxon, row.region, volume, agb, agb / volume, int(row.n)))
    columns = ["species", "habitat", "crown_volume", "agb", "crown_mass_density", "n"]
    return pd.DataFrame(rows, columns=columns)
