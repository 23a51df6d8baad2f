r"""Carbon of soils: layers, the stock of a core, layers that were not measured, and the values of many sites.

A profile (a core) is a frame of layers: ``layer_top``, ``layer_bottom`` [cm], ``bulk_density`` [g/cm3], ``soc``
[g/kg], and ``gravel_fraction`` [1] where there is any. Layers join without gap from the surface down. A layer that
was not measured is never counted as zero: :func:`stock_to_depth` and :func:`stock_in_mass` refuse it and say where it
is, :func:`stocks` draws it from what the other layers of all cores say.

*What all cores say of layers.* Carbon density of a layer, :math:`c = \rho_b C` [kg/m3], follows

.. math:: \ln c_{ij} = \beta_0 + \beta_1 \ln(1 + z_{ij} / 10) + u_i + e_{ij}

with z the middle of the layer [cm], u an effect of the core, e of the layer. A layer whose carbon content was measured
but not its bulk density follows

.. math:: \ln \rho_{ij} = \gamma_0 + \gamma_1 \ln C_{ij} + \gamma_2 (\ln C_{ij})^2 + v_i + r_{ij}

and where only the loss on ignition O was measured, :math:`\ln C_{ij} = \delta_0 + \delta_1 \ln O_{ij} + w_i + q_{ij}`
comes first. All are mixed models fitted by REML; residuals of carbon density are the more alike the nearer two layers lie. A
core keeps what was measured; the coefficients are drawn once for all cores of a draw, what was not measured of a core is
drawn together, given what was.

*Stones.* Bulk density and gravel must belong together: the density of the fine earth alone takes a factor :math:`1 - G`, the
fine earth over the volume of earth and stones takes none. Layers with gravel that do not say which (``density_basis``) are
refused.

*Values of many sites.* A quantity measured on cores, quadrats or stands of several sites follows

.. math:: \ln y_{ij} = \mu + s_i + u_{ij}, \quad s \sim N(0, \tau^2), \; u \sim N(0, \sigma^2)

The mean printed is that over sites, each counting once, since a table speaks for a place that was not sampled and how many
units a site got is chance; of all units alike only where they are a grid over the area; with weights the ratio of means
:math:`\sum w y / \sum w`. Its standard error is that of clusters, with Student's t on the sites less one. The distribution
beside it is that of one unit on a new site, with the sites less two. Groups of fewer than five sites share what they know
of the spread: such a group takes the larger of its own and the common value, so few sites never look more certain than
many. A value of which a part was imputed is a conditional mean, and the truth scatters about it (Berkson): the variance
of the logarithm that imputation leaves is added to that between units, and half of it to the logarithm of the mean.

Source
------
Ellert B.H., Bettany J.R. (1995) Calculation of organic matter and nutrients stored in soils under contrasting
management regimes. Can. J. Soil Sci. 75:529-538. Wendt J.W., Hauser S. (2013) An equivalent soil mass procedure for
monitoring soil organic carbon in multiple soil layers. Eur. J. Soil Sci. 64:58-65. Fritsch F.N., Carlson R.E. (1980)
Monotone piecewise cubic interpolation. SIAM J. Numer. Anal. 17:238-246.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from sinklab.data import literature, vocabulary
from sinklab.data.soil_layers import (
    layer_faults,
    layer_rules,
    require_profile,
    unmeasured,
)
from sinklab.data.vocabulary import number
from sinklab.evidence import pooling
from sinklab.evidence.distributions import Distribution
from sinklab.language import ConvergenceError, DataError

#: How a stock inside a layer is read.
METHODS = ("layers", "spline")
#: What a bulk density beside gravel is: fine earth over its own volume, or over the volume of earth and stones.
DENSITY_BASES = ("fine_earth", "whole_volume")
#: Faults with which the layers of a core make no stock; a gap can be filled.
BROKEN = ("overlap", "order", "bounds")
#: Length of the pieces in which a core is continued below its end. [cm]
STEP = 20.0
#: Complete layers, and cores that they come from, that a model of layers needs.
FEW_LAYERS, FEW_CORES = 10, 3
#: Below so many sites a group borrows spread from the others.
FEW_SITES = pooling.FEW


def layer_stock(
    bulk_density: ArrayLike, soc: ArrayLike, thickness: ArrayLike, gravel_fraction: ArrayLike = 0.0
) -> np.ndarray:
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
    stony = np.asarray(gravel_fraction)
    return np.asarray(bulk_density) * np.asarray(soc) * np.asarray(thickness) * (1 - stony) / 10


def layer_mass(bulk_density: ArrayLike, thickness: ArrayLike, gravel_fraction: ArrayLike = 0.0) -> np.ndarray:
    """Dry mass of the fine earth of a layer.

    Parameters
    ----------
    bulk_density : array
        [g/cm3]
    thickness : array
        [cm]
    gravel_fraction : array
        [1]

    Returns
    -------
    soil_mass : array
        [t/ha]; 1 g/cm3 over 1 cm is 100 t/ha.
    """
    return np.asarray(bulk_density) * np.asarray(thickness) * (1 - np.asarray(gravel_fraction)) * 100


def of_fine_earth(layers: pd.DataFrame, name: str = "layers") -> pd.DataFrame:
    """Layers whose bulk density is that of the fine earth over its own volume, as :func:`layer_stock` takes it.

    Parameters
    ----------
    layers : DataFrame
        Where ``gravel_fraction`` is above zero, ``density_basis`` says what was weighed: ``fine_earth``, or
        ``whole_volume`` (fine earth over the volume of earth and stones), which is divided by :math:`1 - G`.
    name : str
        What the layers are called in messages.

    Raises
    ------
    DataError
        Gravel without a basis, each with its record; or a basis that is neither.
    """
    if "gravel_fraction" not in layers or not (stony := layers["gravel_fraction"] > 0).any():
        return layers
    basis = layers.get("density_basis", pd.Series("", index=layers.index)).astype(object).fillna("")
    unsaid = layers.index[stony & ~basis.isin(DENSITY_BASES)]
    if len(unsaid):
        rows = ", ".join(str(number(i)) for i in unsaid[:20])
        raise DataError(
            f"{name}: records {rows} ({len(unsaid)}): gravel beside a bulk density of unknown kind; expected a column "
            "density_basis: fine_earth (fine earth over its own volume: times 1 - gravel) or whole_volume (fine earth over "
            "the volume of earth and stones: no factor); ask the laboratory, the two differ by the share of stones",
            f"{name}：第 {rows} 条记录（共 {len(unsaid)} 条）：有砾石而容重的含义不明；应有列 density_basis：fine_earth"
            "（细土质量与细土体积之比，乘以 1－砾石含量）或 whole_volume（细土质量与含砾石总体积之比，不再乘系数）；"
            "请向实验室核实，两者相差砾石所占的份额",
        )
    whole = stony & (basis == "whole_volume")
    density = layers["bulk_density"] / (1 - layers["gravel_fraction"].where(whole, 0.0))
    return layers.assign(bulk_density=density, density_basis="fine_earth")


# The stock of one complete profile.


def _accumulated(layers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounds of the layers of a profile [cm], and the soil mass and carbon above each of them. [t/ha]."""
    layers = layers.sort_values("layer_top")
    top, bottom = layers["layer_top"].to_numpy(float), layers["layer_bottom"].to_numpy(float)
    density, soc = layers["bulk_density"].to_numpy(float), layers["soc"].to_numpy(float)
    gravel = layers["gravel_fraction"].fillna(0.0).to_numpy(float) if "gravel_fraction" in layers else 0.0
    mass = np.cumsum(layer_mass(density, bottom - top, gravel))
    carbon = np.cumsum(layer_stock(density, soc, bottom - top, gravel))
    return np.r_[top[0], bottom], np.r_[0.0, mass], np.r_[0.0, carbon]


def _at(x, knots, values, method) -> float:
    """Value of a cumulative curve, which no method lets fall."""
    if method not in METHODS:
        raise DataError(
            f"method {method!r}: expected one of {METHODS}", f"方法 {method!r}：应为 {METHODS} 之一"
        )
    if method == "layers" or len(knots) < 3:
        return float(np.interp(x, knots, values))
    from scipy.interpolate import PchipInterpolator

    return float(PchipInterpolator(knots, values)(x))


def stock_to_depth(
    layers: pd.DataFrame, depth: float, method: str = "layers", name: str = "profile"
) -> float:
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
    bounds, _, carbon = _accumulated(of_fine_earth(layers[layers["layer_top"] < depth], name))
    return _at(depth, bounds, carbon, method)


def stock_in_mass(
    layers: pd.DataFrame, soil_mass: float, method: str = "spline", name: str = "profile"
) -> float:
    r"""Organic carbon in a fixed mass of soil, so that loosening or compaction changes nothing.

    Carbon is a function of the soil mass above, :math:`S(M)`, known at the layer bounds; the stock is read
    at the reference mass.

    Parameters
    ----------
    layers : DataFrame
        One profile, as deep as the mass asks.
    soil_mass : float
        Reference mass of fine earth. [t/ha]
    method : "layers" or "spline"
        See :func:`stock_to_depth`.
    name : str
        What the profile is called in messages.

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
    _, reached, carbon = _accumulated(of_fine_earth(layers, name))
    if soil_mass > reached[-1] * (1 + 1e-9):
        raise DataError(
            f"{name}: holds {reached[-1]:.0f} t/ha of soil; expected at least the reference mass {soil_mass:.0f} t/ha; "
            "choose a smaller mass, or impute deeper layers",
            f"{name}：土壤质量 {reached[-1]:.0f} t/hm²；应不小于参考质量 {soil_mass:.0f} t/hm²；请取较小质量或插补更深土层",
        )
    return _at(soil_mass, reached, carbon, method)


def compare_methods(layers: pd.DataFrame, depth: float, by: Sequence[str]) -> pd.DataFrame:
    """Stocks of the same complete profiles by fixed depth, by spline and in equal soil mass.

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
        One row per profile without gap or missing value to ``depth`` that holds the reference mass: ``layers``, ``spline``,
        ``equivalent`` [t/ha] and ``mass`` to the depth [t/ha]. The reference mass, ``attrs["mass"]``, is the lower decile of
        the masses; ``attrs["lighter"]`` counts the profiles left out because they hold less.
    """
    rows, curves = {}, {}
    for key, core in of_fine_earth(layers).groupby(list(by), sort=True, dropna=False):
        core = core[core["layer_top"] < depth]
        if not core["layer_bottom"].max() >= depth or unmeasured(core, depth):
            continue
        require_profile(core, depth, str(key))
        bounds, mass, carbon = _accumulated(core)
        rows[key] = {m: _at(depth, bounds, carbon, m) for m in METHODS} | {
            "mass": _at(depth, bounds, mass, "layers")
        }
        curves[key] = mass, carbon
    found = pd.DataFrame.from_dict(rows, orient="index", columns=[*METHODS, "mass"])
    if not rows:
        return found.reindex(columns=[*METHODS, "equivalent", "mass"])
    reference = float(np.quantile(found["mass"], 0.1))
    heavy = {key: curves[key] for key, row in rows.items() if row["mass"] >= reference}
    found = found[(found["mass"] >= reference).to_numpy()]
    found.insert(2, "equivalent", [_at(reference, *curve, "spline") for curve in heavy.values()])
    found.attrs |= {"mass": reference, "lighter": len(rows) - len(found)}
    return found


# What all cores together say of layers.


@dataclass(frozen=True)
class MixedLine:
    """Coefficients with covariance, and standard deviations of group and residual."""

    coefficients: np.ndarray
    covariance: np.ndarray
    sd_group: float
    sd_residual: float
    #: Depth over which the likeness of layers falls to 1/e [cm], and the share of the residual variance that is alike.
    length: float = 0.0
    alike: float = 0.0

    def between(self, one: ArrayLike, other: ArrayLike) -> np.ndarray:
        """Covariance of what two sets of layers of a core add to the line, from the depths of their middles. [cm]."""
        apart = np.abs(np.subtract.outer(np.asarray(one, float), np.asarray(other, float)))
        return self.sd_group**2 + self.sd_residual**2 * _likeness(apart, self.length, self.alike)


def _likeness(apart, length, alike) -> np.ndarray:
    """Correlation of residuals of layers that lie some way apart; one at no distance."""
    return np.where(apart > 0, alike * np.exp(-apart / max(length, 1e-9)), 1.0)


@dataclass(frozen=True)
class LayerModel:
    """What is known of layers that were not measured: carbon density by depth, bulk density by carbon, carbon by ignition."""

    carbon: MixedLine
    density: MixedLine
    matter: MixedLine | None


def mixed_line(response: ArrayLike, design: ArrayLike, groups: ArrayLike) -> MixedLine:
    """Fit a linear model with one random intercept by REML.

    Parameters
    ----------
    response : array, shape (n,)
    design : array, shape (n, k)
        With a column of ones.
    groups : array, shape (n,)
    """
    from statsmodels.regression.mixed_linear_model import MixedLM

    response, design, groups = np.asarray(response, float), np.asarray(design, float), np.asarray(groups)
    model = MixedLM(response, design, groups)
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
        else:
            n, k = len(response), len(set(groups))
            raise ConvergenceError(
                f"no variances found for {n} values of {k} groups", f"{k} 组共 {n} 个值未能求得方差"
            )
    k = design.shape[1]
    between = max(float(np.asarray(found.cov_re)[0, 0]), 0.0)
    return MixedLine(
        np.asarray(found.fe_params),
        # Where all values lie on their line there is no error, and statsmodels says NaN.
        np.nan_to_num(np.asarray(found.cov_params())[:k, :k]),
        float(np.sqrt(between)),
        float(np.sqrt(found.scale)),
    )


def layer_line(response: ArrayLike, design: ArrayLike, groups: ArrayLike, middle: ArrayLike) -> MixedLine:
    r"""Fit a line to layers of cores by REML, where neighbouring layers of a core are alike.

    .. math:: Cov(y_{ij}, y_{ik}) = \tau^2 + \sigma^2 \left(\delta_{jk} + (1 - \delta_{jk}) \, a\, e^{-|z_j - z_k| / L}\right)

    Parameters
    ----------
    response : array, shape (n,)
    design : array, shape (n, k)
        With a column of ones.
    groups : array, shape (n,)
        Core of each layer.
    middle : array, shape (n,)
        Depth of the middle of each layer. [cm]
    """
    from scipy.optimize import minimize

    response, design, middle = (np.asarray(x, float) for x in (response, design, middle))
    order = np.argsort(np.asarray(groups), kind="stable")
    sizes = np.unique(np.asarray(groups), return_counts=True)[1]
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    blocks = []
    for size in np.unique(sizes):
        rows = order[starts[sizes == size][:, None] + np.arange(size)]
        z = middle[rows]
        both = np.concatenate([design[rows], response[rows][..., None]], axis=2)
        blocks.append((np.abs(z[:, :, None] - z[:, None, :]), both, np.eye(size, dtype=bool)))
    (n, k), least = design.shape, 1e-12 * max(float(response.var()), 1e-12)

    def solved(theta):
        ratio, length, alike = np.exp(theta[0]), np.exp(theta[1]), 1 / (1 + np.exp(-theta[2]))
        cross, logs = np.zeros((k + 1, k + 1)), 0.0
        for apart, both, same in blocks:
            v = ratio + np.where(same, 1.0, 0.999 * alike * np.exp(-apart / length))
            root = np.linalg.cholesky(v)
            white = np.linalg.solve(root, both)
            cross += np.einsum("gij,gik->jk", white, white)
            logs += 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum()
        coefficients = np.linalg.solve(cross[:k, :k], cross[:k, k])
        # Values without any spread around their line leave nothing but rounding.
        scale = max(float((cross[k, k] - cross[:k, k] @ coefficients) / (n - k)), least)
        deviance = logs + np.linalg.slogdet(cross[:k, :k])[1] + (n - k) * np.log(scale)
        return deviance, coefficients, scale, cross[:k, :k]

    limits = [(-12.0, 8.0), (np.log(1.0), np.log(500.0)), (-8.0, 8.0)]
    found = minimize(lambda t: solved(t)[0], [0.0, np.log(20.0), 0.0], method="L-BFGS-B", bounds=limits)
    _, coefficients, scale, cross = solved(found.x)
    ratio, length, alike = np.exp(found.x[0]), np.exp(found.x[1]), 0.999 / (1 + np.exp(-found.x[2]))
    covariance = np.linalg.inv(cross) * scale
    spread = float(np.sqrt(ratio * scale)), float(np.sqrt(scale))
    return MixedLine(coefficients, covariance, *spread, float(length), float(alike))


def depth_design(middle: np.ndarray) -> np.ndarray:
    """Columns of the trend of carbon density with depth, from the middles of layers. [cm]."""
    return np.column_stack([np.ones_like(middle), np.log1p(middle / 10)])


def matter_design(matter: np.ndarray) -> np.ndarray:
    """Columns of carbon content from organic matter. [1]."""
    return np.column_stack([np.ones_like(matter), np.log(matter)])


def fit_layers(layers: pd.DataFrame, by: Sequence[str]) -> LayerModel:
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

    def cores(part):
        return part.groupby(list(by), dropna=False).ngroup().to_numpy()

    def few(part):
        return len(part) < FEW_LAYERS or len(set(cores(part))) < FEW_CORES

    bounded = layers[["layer_top", "layer_bottom"]].notna().all(axis=1)
    whole = of_fine_earth(layers[(layers["bulk_density"] > 0) & (layers["soc"] > 0) & bounded])
    if few(whole):
        n = len(set(cores(whole)))
        raise DataError(
            f"{len(whole)} complete layers of {n} cores; expected at least {FEW_LAYERS} layers of {FEW_CORES} cores to "
            "learn from: add cores with bulk density and carbon",
            f"完整土层 {len(whole)} 个，来自 {n} 个土芯；至少需要 {FEW_CORES} 个土芯的 {FEW_LAYERS} 个土层",
        )
    soc, density = whole["soc"].to_numpy(float), whole["bulk_density"].to_numpy(float)
    log, matter = np.log(soc), None
    if "organic_matter" in layers:
        both = layers[(layers["soc"] > 0) & (layers["organic_matter"] > 0)]
        if not few(both):
            burnt = matter_design(both["organic_matter"].to_numpy(float))
            matter = mixed_line(np.log(both["soc"]), burnt, cores(both))
    middle = ((whole["layer_top"] + whole["layer_bottom"]) / 2).to_numpy(float)
    return LayerModel(
        carbon=layer_line(np.log(soc * density), depth_design(middle), cores(whole), middle),
        density=mixed_line(np.log(density), np.column_stack([np.ones_like(log), log, log**2]), cores(whole)),
        matter=matter,
    )


# The stock of a core of which layers were not measured.


def _broken(core) -> bool:
    """Whether layers overlap, stand upside down or lack bounds: what they hold cannot be told."""
    return bool(layer_faults(core)["kind"].isin(BROKEN).any())


def _pieces(core, depth) -> pd.DataFrame:
    """Layers of a core down to ``depth``, with rows for the gaps and for what lies below the core."""
    measured = ["bulk_density", "soc", "organic_matter", "gravel_fraction"]
    core = of_fine_earth(core[core["layer_top"] < depth]).sort_values("layer_top")
    core = core.reindex(columns=["layer_top", "layer_bottom", *measured]).astype(float)
    blank, rows, above = [np.nan] * len(measured), [], 0.0

    def unknown(top, bottom, values):
        # In steps, so that the trend with depth and the residual of a layer have their scale.
        while top < bottom - layer_rules()["layer_tolerance"]:
            end = bottom if bottom - top < 1.5 * STEP else top + STEP
            rows.append((top, end, *values))
            top = end

    for top, bottom, *values in core.itertuples(index=False):
        unknown(above, top, blank)
        end, seen = min(bottom, depth), np.isfinite(values[:3]).any()
        unknown(top, end, values) if not seen else rows.append((top, end, *values))
        above = bottom
    unknown(above, depth, blank)
    pieces = pd.DataFrame(rows, columns=["top", "bottom", *measured])
    # A piece that was not looked at is as stony as the rest of the core.
    stony = pieces["gravel_fraction"].mean()
    pieces["gravel_fraction"] = pieces["gravel_fraction"].fillna(0.0 if np.isnan(stony) else stony)
    return pieces.assign(thickness=pieces["bottom"] - pieces["top"])


def _without_carbon(pieces, model) -> float:
    """Length of the pieces where neither carbon, nor organic matter that can be converted, was measured. [cm]."""
    known = pieces["soc"] > 0
    if model is not None and model.matter is not None:
        known |= pieces["organic_matter"] > 0
    return float(pieces["thickness"][~known].sum())


def draw_stock(
    core: pd.DataFrame, depth: float, model: LayerModel, n: int, seed: int, core_seed: int = 0
) -> tuple[np.ndarray, float]:
    """Draws of the carbon stock of one core, missing layers as distributions.

    Parameters
    ----------
    core : DataFrame
        Layers without overlap.
    depth : float
        [cm]
    model : LayerModel
    n : int
        Number of draws.
    seed : int
        Coefficients are drawn from it, the same for every core.
    core_seed : int
        Number of the core; its effect and residuals are its own.

    Returns
    -------
    stock : array, shape (n,)
        [t/ha]
    share : float
        Share of the depth whose carbon content was not measured.

    Raises
    ------
    DataError
        Overlapping or upside-down layers.
    """
    if _broken(core):
        raise DataError(
            "layers overlap or have no bounds: mend them before a stock", "土层重叠或缺界限：请先更正"
        )
    pieces = _pieces(core, depth)
    share = _without_carbon(pieces, model) / float(pieces["thickness"].sum())
    return _draw_pieces(pieces, model, n, seed, core_seed), share


def _draw_pieces(pieces, model, n, seed, core_seed) -> np.ndarray:
    shared, own = np.random.default_rng(seed), np.random.default_rng([seed, core_seed + 1])
    beta = shared.multivariate_normal(model.carbon.coefficients, model.carbon.covariance, n)
    gamma = shared.multivariate_normal(model.density.coefficients, model.density.covariance, n)
    middle = ((pieces["top"] + pieces["bottom"]) / 2).to_numpy(float)
    carbon = _measured(pieces, model, gamma, shared, own, n, middle)
    known = np.isfinite(carbon).all(axis=0)
    trend = beta @ depth_design(middle).T
    _complete(carbon, ~known, known, lambda rows: trend[:, rows], model.carbon, own, middle)
    thickness, gravel = pieces["thickness"].to_numpy(), pieces["gravel_fraction"].to_numpy()
    # Carbon over volume is what bulk density times carbon content makes.
    return layer_stock(1.0, carbon, thickness, gravel).sum(axis=1)


def _measured(pieces, model, gamma, shared, own, n, middle) -> np.ndarray:
    """Carbon density of the pieces, shape (n, m); NaN where nothing was measured."""
    soc = np.tile(pieces["soc"].where(pieces["soc"] > 0).to_numpy(float), (n, 1))
    matter, seen = pieces["organic_matter"].to_numpy(float), np.isfinite(soc[0])
    if model.matter is not None:
        delta = shared.multivariate_normal(model.matter.coefficients, model.matter.covariance, n)
        _complete(
            soc,
            ~seen & (matter > 0),
            seen & (matter > 0),
            lambda rows: delta @ matter_design(matter[rows]).T,
            model.matter,
            own,
            middle,
        )
    density = np.tile(pieces["bulk_density"].to_numpy(float), (n, 1))
    weighed, seen = np.isfinite(density[0]), np.isfinite(soc[0])

    def expected(rows):
        log = np.log(soc[:, rows])
        return gamma[:, [0]] + gamma[:, [1]] * log + gamma[:, [2]] * log**2

    _complete(density, ~weighed & seen, weighed & seen, expected, model.density, own, middle)
    return soc * density


def _complete(values, wanted, known, expected, line, random, middle) -> None:
    """Draw the wanted columns around their line, given what the known ones of the core leave over it."""
    if not wanted.any():
        return
    left = np.log(values[:, known]) - expected(known)
    across = line.between(middle[wanted], middle[known])
    weight = np.linalg.solve(line.between(middle[known], middle[known]), across.T)
    covariance = line.between(middle[wanted], middle[wanted]) - across @ weight
    roots, vectors = np.linalg.eigh(covariance)
    noise = random.standard_normal((len(values), int(wanted.sum()))) * np.sqrt(np.clip(roots, 0, None))
    values[:, wanted] = np.exp(expected(wanted) + left @ weight + noise @ vectors.T)


def _printed_stock(core, depth) -> float | None:
    """Printed stock of whole layers: mean density times mean content is not the sum over the layers behind the means."""
    told = "soc_stock" in core and core["soc_stock"].notna().all() and core["layer_bottom"].max() <= depth
    return float(core["soc_stock"].sum()) if told else None


def stocks(
    layers: pd.DataFrame,
    depth: float,
    by: Sequence[str],
    n: int = 500,
    seed: int = 1,
    reach: float = 0.5,
    model: LayerModel | None = None,
) -> pd.DataFrame:
    """Stock of every usable core to one depth, with the uncertainty of what was not measured.

    Parameters
    ----------
    layers : DataFrame
    depth : float
        [cm]
    by : sequence of str
        Columns that name a core.
    n, seed : int
    reach : float
        A core counts when carbon was measured on at least this share of the depth.
    model : LayerModel, optional
        Learned from the same layers when left out and something is missing.

    Returns
    -------
    cores : DataFrame
        The columns of ``by``, ``soc_stock`` (as printed for its layers, their sum, or the geometric mean of the draws),
        ``sd_log`` (its imputation), ``imputed`` (share of the depth); ``attrs["left_out"]`` counts cores by reason.
    """
    cores = dict(list(layers.groupby(list(by), sort=True, dropna=False)))
    known = {key: _pieces(core, depth) for key, core in cores.items() if not _broken(core)}
    complete = {k: bool(p[["bulk_density", "soc"]].notna().all(axis=None)) for k, p in known.items()}
    if model is None and not all(complete.values()):
        model = fit_layers(layers, by)
    rows, left = [], {"overlap or bounds": len(cores) - len(known), "too little measured": 0}
    for i, key in enumerate(cores):
        if key not in known:
            continue
        pieces = known[key]
        without = _without_carbon(pieces, model)
        if pieces["thickness"].sum() - without < reach * depth:
            left["too little measured"] += 1
            continue
        if complete[key]:
            columns = pieces[["bulk_density", "soc", "thickness", "gravel_fraction"]]
            stock = _printed_stock(cores[key], depth) or float(layer_stock(*columns.to_numpy().T).sum())
            rows.append((*key, stock, 0.0, 0.0))
            continue
        log = np.log(_draw_pieces(pieces, model, n, seed, i))
        share = without / float(pieces["thickness"].sum())
        rows.append((*key, float(np.exp(log.mean())), float(log.std()), share))
    found = pd.DataFrame(rows, columns=[*by, "soc_stock", "sd_log", "imputed"])
    found.attrs["left_out"] = left
    return found


# A quantity measured on cores, quadrats or stands of several sites.


def summarise(
    frame: pd.DataFrame,
    variable: str,
    site: str | Sequence[str],
    by: Sequence[str] = (),
    level: float = 0.95,
    kind: str = "",
    noise: str | None = None,
    weight: str | None = None,
    study: str | None = None,
    definition: str = "",
    grid: bool = False,
) -> pd.DataFrame:
    """Hierarchical summary of measured values, as rows of ``values.csv``.

    Parameters
    ----------
    frame : DataFrame
    variable : str
        Column with positive values, a variable of the vocabulary.
    site : str or sequence of str
        Columns that name a site; before them goes ``place`` (:func:`sinklab.data.regions.places`) where it is filled.
    by : sequence of str
        Columns that make the groups (habitat, grassland type …).
    level : float
    kind : str
        Goes into the name, as ``soc_stock[mangrove,100 cm]``.
    noise : str, optional
        Column with the sd of the logarithm of each value (imputation); added to the spread between units.
    weight : str, optional
        Denominator of a ratio that multiplies a stock: the mean is then the ratio of means.
    study : str, optional
        Column that names the study of a site: ``study_id`` or ``source_id`` when left out; without one all is one study.
    definition : str
        What the quantity includes, as ``column=value;column=value``.
    grid : bool
        Units lie on a grid over the area, so that all count alike in the mean.

    Returns
    -------
    values : DataFrame
        With ``n_study``, ``n_site``, ``n`` (units), ``tau`` (sd between sites, natural scale at the mean).

    Raises
    ------
    DataError
        Values that are not positive, or a group with fewer than two units.
    """
    used = frame[frame[variable].notna()]
    wrong = int((used[variable] <= 0).sum())
    if wrong:
        raise DataError(
            f"{variable}: {wrong} values are not positive; set them aside with a reason",
            f"{variable}：{wrong} 个值不为正；请说明原因后剔除",
        )
    parts = dict(list(used.groupby(list(by), sort=True))) if by else {(): used}
    found, sites, places = {}, {}, {}
    for key, part in parts.items():
        names = part[[site] if isinstance(site, str) else list(site)].astype(object).fillna("–").astype(str)
        own = names.agg(" / ".join, axis=1)
        places[key] = (own.mask(part["place"] != "", part["place"]) if "place" in part else own).to_numpy()
        found[key] = _spreads(part[variable], places[key], noise and part[noise])
        sites[key] = len(set(places[key]))
    freedom = sum(sites.values()) - len(sites)
    squares = sum((sites[k] - 1) * (tau**2 + sigma**2) for k, (_, _, tau, sigma) in found.items())
    common = (float(np.sqrt(squares / freedom)), freedom) if freedom else (np.nan, 0)
    rows = []
    for key, part in parts.items():
        labels = ",".join([*map(str, key), *([kind] if kind else [])])
        group = ";".join(f"{c}={k}" for c, k in zip(by, key, strict=True)) + (f";to={kind}" if kind else "")
        about = {
            "name": f"{variable}[{labels}]" if labels else variable,
            "group": group,
            "variable": variable,
            "unit": vocabulary.variable(variable).unit,
            "definition": definition,
            "n_study": _studies(part, study),
            "n_site": sites[key],
            "n": len(part),
            "sources": ";".join(sorted(set(part["source_id"]))) if "source_id" in part else "",
            "mean_of": "units" if weight or grid or sites[key] == 1 else "sites",
            "ratio_of": "means" if weight else "ratios" if variable in pooling.RATIOS else "",
        }
        value = part[variable] * np.exp(part[noise] ** 2 / 2) if noise else part[variable]
        mean = _mean(value, part[weight] if weight else None, places[key], grid)
        about |= _one_unit_of_a_new_site(variable, mean, found[key], (sites[key], len(part)), common, level)
        rows.append(about)
    return pd.DataFrame(rows)


def _studies(part, study) -> int:
    """Number of studies that the sites come from."""
    column = next((c for c in ("study_id", "source_id") if c in part), "") if study is None else study
    return int(literature.studies(part[column]).nunique()) if column else 1


def _mean(value, weight, places, grid) -> tuple[float, float]:
    """Mean over sites or of the units of a grid, or ratio of means, with the standard error of sites; NaN for one site."""
    value = np.asarray(value, float)
    if weight is None:
        weight = 1.0 if grid else 1 / pd.Series(places).map(pd.Series(places).value_counts()).to_numpy()
    weight = np.broadcast_to(np.asarray(weight, float), value.shape)
    mean = float(weight @ value / weight.sum())
    away = pd.Series(weight * (value - mean)).groupby(places).sum()
    k = len(away)
    return mean, float(np.sqrt(k / (k - 1) * (away**2).sum()) / weight.sum()) if k > 1 else np.nan


def _spreads(values, sites, noise=None) -> tuple[float, float, float, float]:
    """Mean of the logarithms with its standard error, sd between sites, sd within a site with ``noise``."""
    log = np.log(np.asarray(values, float))
    if len(log) < 2:
        raise DataError("fewer than two units in a group", "组内少于两个单元")
    places = pd.factorize(np.asarray(sites))[0]
    n = len(set(places))
    if n < 2 or n == len(log):
        mu, se, tau, sigma = log.mean(), log.std(ddof=1) / np.sqrt(len(log)), 0.0, log.std(ddof=1)
    else:
        line = mixed_line(log, np.ones((len(log), 1)), places)
        mu, tau, sigma = line.coefficients[0], line.sd_group, line.sd_residual
        # Where the search for the variances ends on a flat ridge, its covariance is no guide.
        found = line.covariance[0, 0]
        se = np.sqrt(found if found > 0 else tau**2 / n + sigma**2 / len(log))
    if noise is not None:
        sigma = np.sqrt(sigma**2 + np.mean(np.asarray(noise) ** 2))
    return float(mu), float(se), float(tau), float(sigma)


def _one_unit_of_a_new_site(variable, of_sites, found, counts, common, level) -> dict:
    """Mean, spread of the units, and the distribution of one on a new site; few sites borrow spread for it."""
    (mean, error), (mu, se, tau, sigma), (n_site, n) = of_sites, found, counts
    own = spread = float(np.hypot(tau, sigma))
    freedom, new = n_site - 1, pooling.freedom_of_new(n_site)
    shared = n_site < FEW_SITES and common[1] >= max(n_site, pooling.LEAST_FREEDOM)
    borrowed = shared and common[0] > spread
    if shared:
        spread, freedom, new = max(spread, common[0]), common[1], common[1]
        se = max(se, spread / np.sqrt(n_site))
        error = float(np.nanmax([error, mean * spread / np.sqrt(n_site)]))
    here = n_site == 1 and not shared
    if here:
        error, freedom, new = mean * se, n - 1, n - 1
    told = {
        "of_whom": "unit_here" if here else "new_unit",
        "mean": mean,
        "sd": float(mean * np.sqrt(np.expm1(own**2))),
        "sd_of": "units",
        "se": error,
        **pooling.mean_interval(variable, mean, error, freedom, level),
        "tau": float(mean * np.sqrt(np.expm1(tau**2))),
        "level": level,
        "interval_kind": "distribution",
        "spread_read": "sd",
        "note": f"interval for one unit on {'this site' if here else 'a new site'}",
    }
    if new < 1:
        return told | {"note": pooling.NOTES["two"]}
    upper = 0.5 + level / 2
    wide = float(np.hypot(spread, se) * stats.t.ppf(upper, new) / stats.norm.ppf(upper))
    q = Distribution("lognormal", mu, wide).quantile([1 - upper, upper])
    told["note"] += "; spread taken from the other groups" if borrowed else ""
    return told | {"family": "lognormal", "p1": mu, "p2": wide, "q025": float(q[0]), "q975": float(q[1])}
