r"""A karst landscape of several soil types: draws of its carbon, and its total.

Carbon density follows the printed layers of a soil; below them it falls as the mean profile of the
catchment does. Carbon content and bulk density vary as factors around the layers of their soil.
"""

import numpy as np
import pandas as pd

from sinklab.distributions import from_moments
from sinklab.systems import karst

#: Depth to which soil is counted. [cm]
LIMIT = 100.0


def marginals(soil, soc_cv: float, density_cv: float) -> dict:
    """Distributions of the inputs of one soil type; a spread that is not printed is a number.

    Parameters
    ----------
    soil : mapping
        Printed means and SD: ``soil_depth``, ``bedrock_exposure``, ``gravel_fraction`` and their ``_spread``.
    soc_cv, density_cv : float
        Coefficients of variation of carbon content and bulk density within a soil.
    """
    found = {}
    for name, family in (("soil_depth", "gamma"), ("bedrock_exposure", "beta"), ("gravel_fraction", "beta")):
        mean, sd = float(soil[name]), float(soil[f"{name}_spread"])
        varies = np.isfinite(sd) and sd > 0 and mean > 0
        found[name] = from_moments(mean, sd, family) if varies else mean
    found["soc"] = from_moments(1.0, soc_cv, "lognormal")
    found["bulk_density"] = from_moments(1.0, density_cv, "gamma")
    return found


def cumulative(layers, profile):
    """Carbon above a depth, for one soil type.

    Parameters
    ----------
    layers : DataFrame
        ``layer_bottom`` [cm] and ``carbon_density`` [kg/m3] of the printed layers, from the surface.
    profile : DataFrame
        ``layer_top``, ``layer_bottom``, ``soc`` of the mean profile, which continues below them.

    Returns
    -------
    stock : function
        Depth [cm] to carbon per area of soil [t/ha].
    """
    layers = layers[layers["carbon_density"].notna()].sort_values("layer_top")
    profile = profile.sort_values("layer_top")
    last = layers.iloc[-1]
    here = profile.loc[profile["layer_bottom"] == last["layer_bottom"], "soc"].item()
    below = profile[profile["layer_top"] >= last["layer_bottom"]]
    bounds = np.r_[0.0, layers["layer_bottom"], below["layer_bottom"]]
    density = np.r_[layers["carbon_density"], last["carbon_density"] * below["soc"] / here]
    stock = np.r_[0.0, np.cumsum(density * np.diff(bounds) / 10)]
    return lambda depth: np.interp(np.minimum(depth, LIMIT), bounds, stock)


def draw_soils(soils, layers, profile, soc_cv, density_cv, n, seed, matrix=None) -> pd.DataFrame:
    """Places of every soil type with their inputs and their carbon per hectare of ground.

    Parameters
    ----------
    soils : DataFrame
        One row per type: ``soil_type``, ``area`` and the columns of :func:`marginals`.
    layers, profile : DataFrame
        See :func:`cumulative`.
    soc_cv, density_cv : float
    n, seed : int
        Places per type.
    matrix : array, optional
        Correlations within a soil type, in the order of :data:`sinklab.systems.karst.INPUTS`.

    Returns
    -------
    places : DataFrame
        ``soil_type``, ``area``, the inputs and ``soc_stock`` [t/ha of ground].
    """
    parts = []
    for k, (_, soil) in enumerate(soils.iterrows()):
        found = marginals(soil, soc_cv, density_cv)
        drawn = karst.draw_inputs({x: found[x] for x in karst.INPUTS}, n, seed + k, matrix)
        above = cumulative(layers[layers["soil_type"] == soil["soil_type"]], profile)
        drawn["soc_stock"] = _stock_of(drawn, above)
        parts.append(drawn.assign(soil_type=soil["soil_type"], area=float(soil["area"])))
    return pd.concat(parts, ignore_index=True)


def _stock_of(inputs, above):
    """Carbon in t per hectare of ground from the inputs of a place."""
    return (
        above(inputs["soil_depth"])
        * inputs["soc"]
        * inputs["bulk_density"]
        * (1 - inputs["bedrock_exposure"])
        * (1 - inputs["gravel_fraction"])
    )


def total(soils, layers, profile) -> float:
    """Carbon of the landscape in t, every input at its mean; areas are printed in km2."""
    stock = [
        float(cumulative(layers[layers["soil_type"] == kind], profile)(depth))
        for kind, depth in zip(soils["soil_type"], soils["soil_depth"], strict=True)
    ]
    return float(
        karst.soil_stock(stock, soils["area"] * 100, soils["bedrock_exposure"], soils["gravel_fraction"])
    )
