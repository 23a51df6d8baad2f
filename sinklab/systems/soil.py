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

Cores with layers that were not measured: the missing carbon is drawn, given the layers above and below.

A core keeps what was measured; draws fill the rest from the distribution that its own layers leave, under the models of
:mod:`sinklab.systems.wetland_layers`. The coefficients are drawn once for all cores of a draw, the effect of a core
once for its layers, the residual for every layer.

What all cores together say of layers: carbon density by depth, bulk density by carbon, carbon by ignition.

Carbon density of a layer, :math:`c = \rho_b C` [kg/m3], follows

.. math:: \ln c_{ij} = \beta_0 + \beta_1 \ln(1 + z_{ij} / 10) + s_{site} + u_i + e_{ij}

with z the middle of the layer [cm], s an effect of the site, u of the core, e of the layer. A layer whose
carbon content was measured but not its bulk density follows

.. math:: \ln \rho_{ij} = \gamma_0 + \gamma_1 \ln C_{ij} + \gamma_2 (\ln C_{ij})^2 + v_i + r_{ij}

and where only the loss on ignition O was measured, :math:`\ln C_{ij} = \delta_0 + \delta_1 \ln O_{ij} + w_i + q_{ij}`
comes first. All are mixed models fitted by REML on all cores (statsmodels).

A quantity measured on cores or quadrats of several sites: mean, spread of sites and units, a new unit.

.. math:: \ln y_{ij} = \mu + s_i + u_{ij}, \quad s \sim N(0, \tau^2), \; u \sim N(0, \sigma^2)

The mean on the natural scale is :math:`\exp(\mu + (\tau^2 + \sigma^2) / 2)`; the interval is that of one unit on a
new site, with Student's t on the sites less one. Groups of fewer than five sites share what they know of the
spread: such a group takes the larger of its own and the common value, so few sites never look more
certain than many.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.data import vocabulary
from sinklab.data.soil_layers import (
    OF_STOCK,
    against_matter,
    describe_faults,
    layer_faults,
    layer_rules,
)
from sinklab.data.vocabulary import number, suspect
from sinklab.evidence.distributions import Distribution
from sinklab.language import ConvergenceError, DataError, listing, tr

# --- Carbon of a soil profile to a stated depth or to a stated soil mass.

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
    if not end >= depth - layer_rules()["layer_tolerance"]:
        problems.append(
            tr(
                f"ends at {end:g} cm; expected {depth:g} cm: state a smaller depth, or impute the layers below",
                f"止于 {end:g} cm；应达 {depth:g} cm：请采用较浅的深度，或插补下部土层",
            )
        )
    if problems:
        raise DataError(f"{name}: " + listing(problems))


# --- What all cores together say of layers: carbon density by depth, bulk density by carbon, carbon by igni


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


# --- Cores with layers that were not measured: the missing carbon is drawn, given the layers above and belo


def _pieces(core, depth) -> pd.DataFrame:
    """Layers of a core down to ``depth``, with rows for the gaps and for what lies below the core."""
    core = core[core["layer_top"] < depth].sort_values("layer_top")
    matter = core["organic_matter"] if "organic_matter" in core else pd.Series(np.nan, core.index)
    columns = core["layer_top"], core["layer_bottom"], core["bulk_density"], core["soc"], matter
    blank, rows, above = (np.nan, np.nan, np.nan), [], 0.0
    for top, bottom, density, soc, ignition in zip(*columns, strict=True):
        if top > above + layer_rules()["layer_tolerance"]:
            rows.append((above, top, *blank))
        rows.append((top, min(bottom, depth), density, soc, ignition))
        above = bottom
    while above < depth - layer_rules()["layer_tolerance"]:
        # Below the core in steps, so that the trend with depth and the residual of a layer have their scale.
        rows.append((above, min(above + 20.0, depth), *blank))
        above = rows[-1][1]
    return pd.DataFrame(rows, columns=["top", "bottom", "density", "soc", "matter"])


def _has_carbon(pieces, model) -> pd.Series:
    """Whether carbon, or organic matter that can be converted, was measured."""
    known = pieces["soc"] > 0
    return known | (pieces["matter"] > 0) if model is not None and model.matter is not None else known


def _all_measured(layers, depth, by) -> bool:
    used = layers[layers["layer_top"] < depth]
    ends = layers.groupby(list(by), dropna=False)["layer_bottom"].max()
    return bool(
        used[["bulk_density", "soc"]].notna().all(axis=None)
        and layer_faults(used, by).empty
        and (ends >= depth - layer_rules()["layer_tolerance"]).all()
    )


def draw_stock(
    core, depth: float, model: LayerModel, n: int, seed: int, core_seed: int = 0
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
    faults = layer_faults(core)
    if faults["kind"].isin(["overlap", "order", "bounds"]).any():
        raise DataError(
            tr("layers overlap or have no bounds: mend them before a stock", "土层重叠或缺界限：请先更正")
        )
    pieces = _pieces(core, depth)
    shared, own = np.random.default_rng(seed), np.random.default_rng([seed, core_seed + 1])
    beta = shared.multivariate_normal(model.carbon.coefficients, model.carbon.covariance, n)
    gamma = shared.multivariate_normal(model.density.coefficients, model.density.covariance, n)
    carbon = _measured(pieces, model, gamma, shared, own, n)
    known = np.isfinite(carbon).all(axis=0)
    trend = beta @ depth_design(((pieces["top"] + pieces["bottom"]) / 2).to_numpy(float)).T
    effect = _core_effect(np.log(carbon[:, known]) - trend[:, known], model.carbon, own)
    residual = own.standard_normal(trend.shape) * model.carbon.sd_residual
    drawn = np.exp(trend + effect[:, None] + residual)
    carbon = np.where(known, carbon, drawn)
    thickness = (pieces["bottom"] - pieces["top"]).to_numpy(float)
    share = float(thickness[~_has_carbon(pieces, model)].sum() / thickness.sum())
    return carbon @ thickness / 10, share


def _measured(pieces, model, gamma, shared, own, n) -> np.ndarray:
    """Carbon density of the pieces, shape (n, m); NaN where nothing was measured."""
    soc = np.tile(pieces["soc"].where(pieces["soc"] > 0).to_numpy(float), (n, 1))
    matter, seen = pieces["matter"].to_numpy(float), np.isfinite(soc[0])
    if model.matter is not None:
        delta = shared.multivariate_normal(model.matter.coefficients, model.matter.covariance, n)
        _complete(
            soc,
            ~seen & (matter > 0),
            seen & (matter > 0),
            lambda rows: delta @ matter_design(matter[rows]).T,
            model.matter,
            own,
        )
    density = np.tile(pieces["density"].to_numpy(float), (n, 1))
    weighed, seen = np.isfinite(density[0]), np.isfinite(soc[0])

    def expected(rows):
        log = np.log(soc[:, rows])
        return gamma[:, [0]] + gamma[:, [1]] * log + gamma[:, [2]] * log**2

    _complete(density, ~weighed & seen, weighed & seen, expected, model.density, own)
    return soc * density


def _complete(values, wanted, known, expected, line, random) -> None:
    """Draw the wanted columns from their line, with the effect that the known columns leave for the core."""
    if not wanted.any():
        return
    n = len(values)
    left = np.log(values[:, known]) - expected(known) if known.any() else np.empty((n, 0))
    effect = _core_effect(left, line, random)[:, None]
    noise = random.standard_normal((n, int(wanted.sum()))) * line.sd_residual
    values[:, wanted] = np.exp(expected(wanted) + effect + noise)


def _core_effect(residual, model: MixedLine, random) -> np.ndarray:
    """Draw the effect of a core, given the residuals of its measured layers, shape (n, m)."""
    n, m = residual.shape
    between, within = model.sd_group**2, model.sd_residual**2
    if not m or between == 0:
        return random.standard_normal(n) * model.sd_group
    precision = 1 / between + m / within
    mean = residual.sum(axis=1) / within / precision
    return mean + random.standard_normal(n) / np.sqrt(precision)


def stocks(
    layers, depth: float, by, n: int = 500, seed: int = 1, reach: float = 0.5, model=None
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
        The columns of ``by``, ``soc_stock`` (geometric mean of the draws), ``sd_log`` (its imputation), ``imputed`` (share of the
        depth); ``attrs["left_out"]`` counts cores by reason.
    """
    if model is None and not _all_measured(layers, depth, by):
        model = fit_layers(layers, by)
    rows, left = [], {"overlap or bounds": 0, "too little measured": 0}
    for i, (key, core) in enumerate(layers.groupby(list(by), sort=True, dropna=False)):
        kinds = layer_faults(core)["kind"]
        if kinds.isin(["overlap", "order", "bounds"]).any():
            left["overlap or bounds"] += 1
            continue
        pieces = _pieces(core, depth)
        thickness = pieces["bottom"] - pieces["top"]
        if thickness[_has_carbon(pieces, model)].sum() < reach * depth:
            left["too little measured"] += 1
            continue
        if pieces[["density", "soc"]].notna().all(axis=None):
            rows.append((*key, float((pieces["density"] * pieces["soc"] * thickness).sum() / 10), 0.0, 0.0))
            continue
        drawn, share = draw_stock(core, depth, model, n, seed, i)
        log = np.log(drawn)
        rows.append((*key, float(np.exp(log.mean())), float(log.std()), share))
    cores = pd.DataFrame(rows, columns=[*by, "soc_stock", "sd_log", "imputed"])
    cores.attrs["left_out"] = left
    return cores


# --- A quantity measured on cores or quadrats of several sites: mean, spread of sites and units, a new unit

#: Below so many sites a group borrows spread from the others.
FEW_SITES = 5


def summarise(
    frame, variable: str, site, by=(), level: float = 0.95, kind: str = "", noise=None
) -> pd.DataFrame:
    """Hierarchical summary of measured values, as rows of ``values.csv``.

    Parameters
    ----------
    frame : DataFrame
    variable : str
        Column with positive values, a variable of the vocabulary.
    site : str or sequence of str
        Columns that name a site.
    by : sequence of str
        Columns that make the groups (habitat, grassland type …).
    level : float
    kind : str
        Goes into the name, as ``soc_stock[mangrove,100 cm]``.
    noise : str, optional
        Column with the sd of the logarithm of each value (imputation); taken out of the spread between units.

    Returns
    -------
    values : DataFrame
        With ``n_study`` (sites), ``n`` (units), ``tau`` (sd between sites, natural scale at the mean).

    Raises
    ------
    DataError
        Values that are not positive, or a group with fewer than two units.
    """
    sites = [site] if isinstance(site, str) else list(site)
    used = frame[frame[variable].notna()]
    if (used[variable] <= 0).any():
        raise DataError(
            tr(
                f"{variable}: {int((used[variable] <= 0).sum())} values are not positive; set them aside with a reason",
                f"{variable}：{int((used[variable] <= 0).sum())} 个值不为正；请说明原因后剔除",
            )
        )
    parts = dict(list(used.groupby(list(by), sort=True))) if by else {(): used}
    labels = {
        key: part[sites].astype(object).fillna("–").astype(str).agg(" / ".join, axis=1)
        for key, part in parts.items()
    }
    found = {key: _spreads(part[variable], labels[key], noise and part[noise]) for key, part in parts.items()}
    number = {key: int(label.nunique()) for key, label in labels.items()}
    freedom = sum(number.values()) - len(number)
    squares = sum((number[k] - 1) * (tau**2 + sigma**2) for k, (_, _, tau, sigma) in found.items())
    common = (float(np.sqrt(squares / freedom)), freedom) if freedom else (np.nan, 0)
    rows = [
        _row(key, len(parts[key]), number[key], found[key], common, (variable, by, level, kind))
        for key in parts
    ]
    return pd.DataFrame(rows)


def _spreads(values, sites, noise=None) -> tuple[float, float, float, float]:
    """Mean of the logarithms with its standard error, sd between sites, sd within a site without ``noise``."""
    log = np.log(np.asarray(values, float))
    if len(log) < 2:
        raise DataError(tr("fewer than two units in a group", "组内少于两个单元"))
    number = pd.factorize(np.asarray(sites))[0]
    if len(set(number)) < 2 or len(set(number)) == len(log):
        mu, se, tau, sigma = log.mean(), log.std(ddof=1) / np.sqrt(len(log)), 0.0, log.std(ddof=1)
    else:
        line = mixed_line(log, np.ones((len(log), 1)), number)
        mu, tau, sigma = line.coefficients[0], line.sd_group, line.sd_residual
        # Where the search for the variances ends on a flat ridge, its covariance is no guide.
        plain = tau**2 / len(set(number)) + sigma**2 / len(log)
        found = line.covariance[0, 0]
        se = np.sqrt(found if found > 0 else plain)
    if noise is not None:
        sigma = np.sqrt(max(sigma**2 - np.mean(np.asarray(noise) ** 2), 0.0))
    return float(mu), float(se), float(tau), float(sigma)


def _row(key, n, n_site, found, common, about) -> dict:
    variable, by, level, kind = about
    mu, se, tau, sigma = found
    spread, freedom = float(np.hypot(tau, sigma)), max(n_site - 1, 1)
    few = n_site < FEW_SITES and common[1] > freedom
    borrowed = few and common[0] > spread
    if few:
        spread, freedom = max(spread, common[0]), common[1]
        se = max(se, spread / np.sqrt(n_site))
    mean = float(np.exp(mu + spread**2 / 2))
    upper = 0.5 + level / 2
    wide = float(np.hypot(spread, se) * stats.t.ppf(upper, freedom) / stats.norm.ppf(upper))
    q = Distribution("lognormal", mu, wide).quantile([1 - upper, upper])
    labels = ",".join([*map(str, key), *([kind] if kind else [])])
    extra = f";to={kind}" if kind else ""
    return {
        "name": f"{variable}[{labels}]" if labels else variable,
        "group": ";".join(f"{c}={k}" for c, k in zip(by, key, strict=True)) + extra,
        "variable": variable,
        "unit": vocabulary.variable(variable).unit,
        "n_study": n_site,
        "n": n,
        "mean": mean,
        "sd": float(mean * np.sqrt(np.expm1(spread**2))),
        "se": float(mean * se),
        "tau": float(mean * np.sqrt(np.expm1(tau**2))),
        "family": "lognormal",
        "p1": mu,
        "p2": wide,
        "q025": float(q[0]),
        "q975": float(q[1]),
        "level": level,
        "interval_kind": "distribution",
        "spread_read": "sd",
        "note": "interval for one unit on a new site"
        + ("; spread taken from the other groups" if borrowed else ""),
    }
