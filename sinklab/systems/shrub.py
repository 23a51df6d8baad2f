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


def printed_equations() -> pd.DataFrame:
    """Equations of aboveground mass of shrubs in print.

    Returns
    -------
    equations : DataFrame
        ``equation_id, species, habitat, predictor, minimum, maximum, n, read``, and ``used``: whether it may be evaluated
        (neither recalled nor contradicting its own paper) and needs no height beside the crown.
    """
    rows = [r for r in equations.catalogue().values() if r.system == "shrub" and r.response == "agb"]
    fields = ["equation_id", "source_id", "taxon", "region", "predictor", "minimum", "maximum", "n", "read"]
    found = pd.DataFrame([{field: getattr(row, field) for field in fields} for row in rows])
    found["used"] = ~found["read"].isin(equations.REFUSED) & (found["predictor"] != "crown_area")
    return found.rename(columns={"taxon": "species", "region": "habitat"})


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
    known, rows = printed_equations(), []
    tall = known["species"].map(heights).where(known["predictor"] == "crown_area", 1.0)
    known = known.assign(height=tall)[~known["read"].isin(equations.REFUSED) & tall.notna()]
    for row in known.itertuples():
        middle = float(np.sqrt(row.minimum * row.maximum))
        agb = float(equations.evaluate(row.equation_id, height=1.0, crown_area=middle)[0])
        volume = middle * row.height
        rows.append((row.species, row.habitat, volume, agb, agb / volume, int(row.n)))
    columns = ["species", "habitat", "crown_volume", "agb", "crown_mass_density", "n"]
    found = pd.DataFrame(rows, columns=columns)
    found.attrs["source"] = equations.source(known)
    return found


def printed_curves(n: int = 60) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Species, crown volumes [m3] and aboveground masses [kg] of every usable equation, over its own sizes."""
    curves = []
    for row in printed_equations().query("used").itertuples():
        volume = np.geomspace(row.minimum, row.maximum, n)
        curves.append(
            (row.species, volume, equations.evaluate(row.equation_id, height=1.0, crown_area=volume))
        )
    return curves


def printed_parts() -> pd.DataFrame:
    """Whether equations of one paper for the parts of a shrub add up to that of the whole, in the middle of its sizes.

    Returns
    -------
    parts : DataFrame
        ``species, agb, root, total`` [kg], ``sum_over_total`` and ``root_shoot_ratio`` of the species whose three equations
        may all be used.
    """
    known, rows = equations.catalogue(), []
    for row in printed_equations().query("used").itertuples():
        names = [row.equation_id.replace("_agb", f"_{part}") for part in ("agb", "root", "total")]
        found = [known[name] for name in names if name in known]
        if len(found) < 3 or any(f.predictor != "crown_volume" or f.read in equations.REFUSED for f in found):
            continue
        size = {"height": 1.0, "crown_area": float(np.sqrt(row.minimum * row.maximum))}
        above, root, total = (float(equations.evaluate(name, **size)[0]) for name in names)
        rows.append((row.species, above, root, total, (above + root) / total, root / above))
    columns = ["species", "agb", "root", "total", "sum_over_total", "root_shoot_ratio"]
    return pd.DataFrame(rows, columns=columns)
