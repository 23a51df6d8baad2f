r"""What all cores together say of layers: carbon density by depth, bulk density by carbon, carbon by ignition.

Carbon density of a layer, :math:`c = \rho_b C` [kg/m3], follows

.. math:: \ln c_{ij} = \beta_0 + \beta_1 \ln(1 + z_{ij} / 10) + s_{site} + u_i + e_{ij}

with z the middle of the layer [cm], s an effect of the site, u of the core, e of the layer. A layer whose
carbon content was measured but not its bulk density follows

.. math:: \ln \rho_{ij} = \gamma_0 + \gamma_1 \ln C_{ij} + \gamma_2 (\ln C_{ij})^2 + v_i + r_{ij}

and where only the loss on ignition O was measured, :math:`\ln C_{ij} = \delta_0 + \delta_1 \ln O_{ij} + w_i + q_{ij}`
comes first. All are mixed models fitted by REML on all cores (statsmodels).
"""

from dataclasses import dataclass

import numpy as np

from sinklab.errors import ConvergenceError, DataError
from sinklab.language import tr


@dataclass(frozen=True)
class MixedLine:
    """Coefficients with covariance, and standard deviations of group and residual."""

    coefficients: np.ndarray
    covariance: np.ndarray
    sd_group: float
    sd_residual: float
    n: int
    n_group: int


@dataclass(frozen=True)
class LayerModel:
    """What is known of layers that were not measured: carbon density by depth, bulk density by carbon, carbon by ignition."""

    carbon: MixedLine
    density: MixedLine
    matter: MixedLine | None


def mixed_line(response, design, groups) -> MixedLine:
    """Fit a linear model with one random intercept by REML.

    Parameters
    ----------
    response : array, shape (n,)
    design : array, shape (n, k)
        With a column of ones.
    groups : array, shape (n,)
    """
    import warnings

    from statsmodels.regression.mixed_linear_model import MixedLM

    model = MixedLM(np.asarray(response, float), np.asarray(design, float), np.asarray(groups))
    found = None
    with warnings.catch_warnings():
        # A variance of zero is a valid answer; statsmodels warns of the bound.
        warnings.simplefilter("ignore")
        for search in (None, "powell", "nm"):
            # Where gradients fail on a flat ridge, a search without them still ends.
            try:
                found = model.fit(reml=True, method=search)
                break
            except np.linalg.LinAlgError:
                continue
    if found is None:
        raise ConvergenceError(
            tr(
                f"no variances found for {len(np.asarray(response))} values of {len(set(groups))} groups",
                f"{len(set(groups))} 组共 {len(np.asarray(response))} 个值未能求得方差",
            )
        )
    k = np.asarray(design).shape[1]
    covariance = np.asarray(found.cov_params())[:k, :k]
    return MixedLine(
        np.asarray(found.fe_params),
        covariance,
        float(np.sqrt(max(float(np.asarray(found.cov_re)[0, 0]), 0.0))),
        float(np.sqrt(found.scale)),
        len(np.asarray(response)),
        len(set(groups)),
    )


def depth_design(middle):
    """Columns of the trend of carbon density with depth, from the middles of layers. [cm]."""
    return np.column_stack([np.ones_like(middle), np.log1p(middle / 10)])


def _carbon_design(soc):
    """Columns of bulk density from carbon content. [g/kg]."""
    log = np.log(soc)
    return np.column_stack([np.ones_like(log), log, log**2])


def matter_design(matter):
    """Columns of carbon content from organic matter. [1]."""
    return np.column_stack([np.ones_like(matter), np.log(matter)])


def fit_layers(layers, by) -> LayerModel:
    """Learn carbon density and bulk density from all layers that have both.

    Parameters
    ----------
    layers : DataFrame
        ``layer_top``, ``layer_bottom``, ``bulk_density``, ``soc``.
    by : sequence of str
        Columns that name a core.

    Raises
    ------
    DataError
        Fewer than ten complete layers or three cores.
    """
    whole = layers[
        (layers["bulk_density"] > 0)
        & (layers["soc"] > 0)
        & layers[["layer_top", "layer_bottom"]].notna().all(axis=1)
    ]
    cores = whole.groupby(list(by), dropna=False).ngroup().to_numpy()
    if len(whole) < 10 or len(set(cores)) < 3:
        raise DataError(
            tr(
                f"{len(whole)} complete layers of {len(set(cores))} cores; expected at least 10 layers of 3 cores to "
                "learn from: add cores with bulk density and carbon",
                f"完整土层 {len(whole)} 个，来自 {len(set(cores))} 个土芯；至少需要 3 个土芯的 10 个土层",
            )
        )
    middle = ((whole["layer_top"] + whole["layer_bottom"]) / 2).to_numpy(float)
    soc = whole["soc"].to_numpy(float)
    density = whole["bulk_density"].to_numpy(float)
    return LayerModel(
        carbon=mixed_line(np.log(soc * density), depth_design(middle), cores),
        density=mixed_line(np.log(density), _carbon_design(soc), cores),
        matter=_fit_matter(layers, by),
    )


def _fit_matter(layers, by) -> MixedLine | None:
    if "organic_matter" not in layers:
        return None
    both = layers[(layers["soc"] > 0) & (layers["organic_matter"] > 0)]
    cores = both.groupby(list(by), dropna=False).ngroup().to_numpy()
    if len(both) < 10 or len(set(cores)) < 3:
        return None
    return mixed_line(np.log(both["soc"]), matter_design(both["organic_matter"].to_numpy(float)), cores)
