r"""Carbon of a soil profile to a stated depth or to a stated soil mass.

A profile is a frame of layers: ``layer_top``, ``layer_bottom`` [cm], ``bulk_density`` [g/cm3], ``soc``
[g/kg], and ``gravel_fraction`` [1] where there is any. Layers join without gap from the surface down;
:func:`require_profile` says where they do not. A layer that was not measured is never
counted as zero: these functions refuse it, and :mod:`sinklab.systems.wetland_cores` draws it.

Source
------
Ellert B.H., Bettany J.R. (1995) Calculation of organic matter and nutrients stored in soils under
contrasting management regimes. Can. J. Soil Sci. 75:529-538. Wendt J.W., Hauser S. (2013) An equivalent
soil mass procedure for monitoring soil organic carbon in multiple soil layers. Eur. J. Soil Sci. 64:58-65.
Fritsch F.N., Carlson R.E. (1980) Monotone piecewise cubic interpolation. SIAM J. Numer. Anal. 17:238-246.
"""

import numpy as np
import pandas as pd

from sinklab.checks.layers import describe_faults, layer_faults, number, rules
from sinklab.checks.likely_units import OF_STOCK, against_matter, suspect
from sinklab.errors import DataError, listing
from sinklab.language import tr

METHODS = ("layers", "spline")


def layer_stock(bulk_density, soc, thickness, gravel_fraction=0.0):
    r"""Organic carbon of a layer.

    .. math:: S = \rho_b\, C\, z\, (1 - G) / 10

    Parameters
    ----------
    bulk_density : array
        Dry mass over volume of the fine earth. [g/cm3]
    soc : array
        Organic carbon over dry mass. [g/kg]
    thickness : array
        [cm]
    gravel_fraction : array
        Volume share of fragments above 2 mm. [1]

    Returns
    -------
    stock : array
        [t/ha]; 1 g/cm3 with 10 g/kg over 1 cm is 1 t/ha.

    Source
    ------
    Zhang et al. (2017) Acta Ecologica Sinica 37(22):7647-7659, doi:10.5846/stxb201609141863.
    """
    return np.asarray(bulk_density) * soc * thickness * (1 - np.asarray(gravel_fraction)) / 10


def layer_mass(bulk_density, thickness, gravel_fraction=0.0):
    """Dry mass of the fine earth of a layer. [t/ha]; 1 g/cm3 over 1 cm is 100 t/ha."""
    return np.asarray(bulk_density) * thickness * (1 - np.asarray(gravel_fraction)) * 100


def _columns(layers):
    layers = layers.sort_values("layer_top")
    top, bottom = layers["layer_top"].to_numpy(float), layers["layer_bottom"].to_numpy(float)
    density, soc = layers["bulk_density"].to_numpy(float), layers["soc"].to_numpy(float)
    gravel = layers["gravel_fraction"].to_numpy(float) if "gravel_fraction" in layers else 0.0
    return top, bottom, density, soc, gravel


def _at(x, knots, values, method):
    """Value of a cumulative curve, which no method lets fall."""
    if method not in METHODS:
        raise DataError(
            tr(f"method {method!r}: expected one of {METHODS}", f"方法 {method!r}：应为 {METHODS} 之一")
        )
    if method == "layers" or len(knots) < 3:
        return np.interp(x, knots, values)
    from scipy.interpolate import PchipInterpolator

    return PchipInterpolator(knots, values)(x)


def stock_to_depth(layers, depth: float, method: str = "layers", name: str = "profile") -> float:
    r"""Organic carbon from the surface to a fixed depth.

    Carbon is accumulated from the surface, :math:`S(z) = \int_0^z c\,dz`; every layer keeps its mass. Inside
    a layer that the depth cuts, ``layers`` holds the density constant, ``spline`` lets it follow a monotone
    cubic through the layer bounds (never negative).

    Parameters
    ----------
    layers : DataFrame
        One profile; see the module.
    depth : float
        [cm]
    method : "layers" or "spline"
    name : str
        What the profile is called in messages.

    Returns
    -------
    stock : float
        [t/ha]

    Raises
    ------
    DataError
        Gaps, overlaps, missing values above ``depth``, or a profile that ends above it.

    Examples
    --------
    >>> import pandas as pd
    >>> one = pd.DataFrame({"layer_top": [0, 20], "layer_bottom": [20, 60], "bulk_density": 1.0, "soc": [20.0, 10.0]})
    >>> stock_to_depth(one, 40)
    60.0
    """
    require_profile(layers, depth, name)
    top, bottom, density, soc, gravel = _columns(layers[layers["layer_top"] < depth])
    stock = np.cumsum(layer_stock(density, soc, bottom - top, gravel))
    return float(_at(depth, np.r_[top[0], bottom], np.r_[0.0, stock], method))


def stock_in_mass(layers, mass: float, method: str = "spline", name: str = "profile") -> float:
    r"""Organic carbon in a fixed mass of soil, so that loosening or compaction changes nothing.

    Carbon is a function of the soil mass above, :math:`S(M)`, known at the layer bounds; the stock is read
    at the reference mass.

    Parameters
    ----------
    layers : DataFrame
        One profile, as deep as the mass asks.
    mass : float
        Reference mass of fine earth. [t/ha]
    method : "layers" or "spline"
        See :func:`stock_to_depth`.

    Returns
    -------
    stock : float
        [t/ha]

    Raises
    ------
    DataError
        As :func:`stock_to_depth`, or the profile holds less soil than asked for.
    """
    require_profile(layers, float(layers["layer_bottom"].max()), name)
    top, bottom, density, soc, gravel = _columns(layers)
    stock = np.r_[0.0, np.cumsum(layer_stock(density, soc, bottom - top, gravel))]
    reached = np.r_[0.0, np.cumsum(layer_mass(density, bottom - top, gravel))]
    if mass > reached[-1] * (1 + 1e-9):
        raise DataError(
            tr(
                f"{name}: holds {reached[-1]:.0f} t/ha of soil; expected at least the reference mass {mass:.0f} t/ha; "
                "choose a smaller mass, or impute deeper layers",
                f"{name}：土壤质量 {reached[-1]:.0f} t/hm²；应不小于参考质量 {mass:.0f} t/hm²；请取较小质量或插补更深土层",
            )
        )
    return float(_at(mass, reached, stock, method))


def compare_methods(layers, depth: float, by) -> pd.DataFrame:
    """Stocks of the complete profiles by fixed depth, by spline and in equal soil mass.

    Parameters
    ----------
    layers : DataFrame
    depth : float
        [cm]
    by : sequence of str
        Columns that name a profile.

    Returns
    -------
    stocks : DataFrame
        One row per profile without gap or missing value to ``depth``: ``layers``, ``spline``, ``equivalent`` [t/ha] and
        ``mass`` to the depth [t/ha]. The reference mass, ``attrs["mass"]``, is the lower decile of these masses;
        a lighter profile has no ``equivalent``.
    """
    whole = {}
    for key, core in layers.groupby(list(by), sort=True, dropna=False):
        core = core[core["layer_top"] < depth]
        bare = core[["bulk_density", "soc"]].isna().any(axis=None)
        if not bare and layer_faults(core).empty and core["layer_bottom"].max() >= depth:
            whole[key] = core
    if not whole:
        return pd.DataFrame(columns=[*METHODS, "equivalent", "mass"])
    rows = {k: {m: stock_to_depth(core, depth, m, str(k)) for m in METHODS} for k, core in whole.items()}
    for key, core in whole.items():
        thickness = core["layer_bottom"].clip(upper=depth) - core["layer_top"]
        rows[key]["mass"] = float(layer_mass(core["bulk_density"], thickness).sum())
    reference = float(np.quantile([row["mass"] for row in rows.values()], 0.1))
    for key, core in whole.items():
        light = rows[key]["mass"] < reference
        rows[key]["equivalent"] = np.nan if light else stock_in_mass(core, reference, name=str(key))
    found = pd.DataFrame.from_dict(rows, orient="index")[[*METHODS, "equivalent", "mass"]]
    found.attrs["mass"] = reference
    return found


def require_profile(layers, depth: float, name: str = "profile") -> None:
    """Refuse a profile whose stock to ``depth`` would be wrong.

    Raises
    ------
    DataError
        Layers out of order, overlapping or gapped, values missing or of another unit, an end above ``depth``; all at once.
    """
    used = layers[layers["layer_top"] < depth]
    problems = describe_faults(used, layer_faults(used))
    for column in OF_STOCK:
        problems += suspect(used[column], column) if column in used else []
    problems += against_matter(used).values()
    for column in ("bulk_density", "soc"):
        for i in used.index[used[column].isna()]:
            problems.append(
                tr(
                    f"record {number(i)}: {column} is missing; impute it as a distribution, it is not zero",
                    f"第 {number(i)} 条记录：缺 {column}；请按分布插补，不得视为零",
                )
            )
    end = used["layer_bottom"].max() if len(used) else 0.0
    if not end >= depth - rules()["layer_tolerance"]:
        problems.append(
            tr(
                f"ends at {end:g} cm; expected {depth:g} cm: state a smaller depth, or impute the layers below",
                f"止于 {end:g} cm；应达 {depth:g} cm：请采用较浅的深度，或插补下部土层",
            )
        )
    if problems:
        raise DataError(f"{name}: " + listing(problems))
