r"""Karst: soil is thin, broken by rock and full of stones, and every one of these enters the stock.

.. math:: S = \sum_j A_j (1 - \delta_j)(1 - G_j) \int_0^{T_j} C_j(z)\, \rho_{b,j}(z)\, dz

Thickness T, exposure of the rock :math:`\delta`, gravel G, carbon content C and bulk density vary over a soil; they are
drawn together, with their correlations. Vegetation follows another rule: a full plot counts rock and
soil alike, and its mass per area is not reduced again.

Source
------
Zhang Z., Zhou Y., Tian X., Huang X. (2017) Acta Ecologica Sinica 37(22):7647-7659,
doi:10.5846/stxb201609141863: 2755 profiles of the Houzhai catchment, Puding.
"""

import csv
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from sinklab import paths
from sinklab.checks.likely_units import suspect
from sinklab.distributions import Distribution, choose, from_moments
from sinklab.errors import DataError
from sinklab.language import tr

#: Grades of rocky desertification, from none to the strongest.
GRADES = ("none", "potential", "light", "moderate", "severe", "extreme")
#: What a mass per area may refer to.
BASES = ("plot", "soil_patch")
INPUTS = ("soil_depth", "bedrock_exposure", "gravel_fraction", "soc", "bulk_density")


@dataclass(frozen=True)
class Thickness:
    """Soil thickness along probe transects: a share of bare rock, and a distribution in cm where there is soil."""

    zero: float
    zero_se: float
    positive: Distribution
    n: int
    n_transect: int

    @property
    def mean(self) -> float:
        """Mean over rock and soil."""
        return (1 - self.zero) * self.positive.mean

    def draw(self, n: int, seed: int) -> np.ndarray:
        """Thickness at ``n`` points, zero on rock."""
        random = np.random.default_rng(seed)
        return np.where(random.random(n) < self.zero, 0.0, self.positive.draw(n, seed + 1))


def probe_thickness(depth, transect) -> Thickness:
    """Distribution of soil thickness from probes at even steps along transects.

    Parameters
    ----------
    depth : array, shape (n,)
        Probed thickness, zero on bare rock. [cm]
    transect : array, shape (n,)
        Transect of each probe; the standard error of the share of rock is that between transects.

    Returns
    -------
    thickness : Thickness

    Raises
    ------
    DataError
        Missing or negative probes, or fewer than three on soil.
    """
    depth = pd.Series(np.asarray(depth, float))
    lines = suspect(depth, "soil_depth")
    if depth.isna().any():
        lines.append(
            tr(f"{int(depth.isna().sum())} probes are blank: write 0 on rock", "有空白探测值：岩石处请填 0")
        )
    soil = depth[depth > 0]
    if len(soil) < 3:
        lines.append(
            tr(
                f"{len(soil)} probes on soil; expected at least 3",
                f"土面探测点 {len(soil)} 个；至少需要 3 个",
            )
        )
    if lines:
        raise DataError("\n".join(lines))
    bare = (depth == 0).groupby(np.asarray(transect)).mean()
    best, _ = choose(soil, ("lognormal", "gamma", "weibull"))
    se = float(bare.std(ddof=1) / np.sqrt(len(bare))) if len(bare) > 1 else float("nan")
    return Thickness(float((depth == 0).mean()), se, best, len(depth), len(bare))


def exposure(shares) -> Distribution:
    """Beta distribution of bedrock exposure from shares of transects or plots, strictly between 0 and 1.

    Raises
    ------
    DataError
        Shares in per cent (35 for 0.35), each with its record.
    """
    shares = pd.Series(np.asarray(shares, float))
    lines = suspect(shares, "bedrock_exposure")
    if lines:
        raise DataError("\n".join(lines))
    inner = shares[(shares > 0) & (shares < 1)]
    return from_moments(float(inner.mean()), float(inner.std(ddof=1)), "beta")


def soil_stock(stock, area, bedrock_exposure, gravel_fraction):
    r"""Soil carbon of an area with rock and gravel.

    .. math:: \sum_j S_j A_j (1 - \delta_j)(1 - G_j)

    Parameters
    ----------
    stock : array
        Carbon of the fine earth to the thickness of the soil, per area of soil. [t/ha]
    area : array
        Area of the soil type, rock included. [ha]
    bedrock_exposure, gravel_fraction : array
        [1]

    Returns
    -------
    total : float
        [t]

    Examples
    --------
    >>> soil_stock([44.4], [1379.0], [0.4334], [0.2156]).round()
    np.float64(27212.0)
    """
    parts = (
        np.asarray(stock, float)
        * area
        * (1 - np.asarray(bedrock_exposure))
        * (1 - np.asarray(gravel_fraction))
    )
    return np.sum(parts)


def vegetation_per_hectare(mass, basis: str, bedrock_exposure=None):
    r"""Mass of vegetation per hectare of ground.

    Parameters
    ----------
    mass : array
        [t/ha] of ``basis``.
    basis : "plot" or "soil_patch"
        A full plot has rock in its area already: the mass stays. A soil patch is soil alone: it is multiplied by
        :math:`1 - \delta`.
    bedrock_exposure : array, optional
        Needed for soil patches. [1]

    Returns
    -------
    density : array
        [t/ha] of ground.

    Raises
    ------
    DataError
        The data do not say which, or exposure is missing or in per cent.
    """
    if basis not in BASES:
        raise DataError(
            tr(
                f"vegetation per area of {basis!r}: expected plot (rock included, no factor) or soil_patch (times 1 - exposure); "
                "ask who measured it, the two differ by the share of rock",
                f"植被单位面积基准 {basis!r}：应为 plot（样地含岩石，不再乘系数）或 soil_patch（乘以 1－裸露率）；请向调查人员核实",
            )
        )
    if basis == "plot":
        return np.asarray(mass, float)
    if bedrock_exposure is None or np.isnan(np.asarray(bedrock_exposure, float)).any():
        raise DataError(tr("soil patches need bedrock_exposure", "土面数据需要基岩裸露率"))
    lines = suspect(pd.Series(np.atleast_1d(np.asarray(bedrock_exposure, float))), "bedrock_exposure")
    if lines:
        raise DataError("\n".join(lines))
    return np.asarray(mass, float) * (1 - np.asarray(bedrock_exposure, float))


def correlation(name: str = "karst_houzhai", inputs=INPUTS) -> np.ndarray:
    """Printed correlations of the inputs as a matrix, made positive definite where rounding broke it.

    Pairs that are not printed are zero.
    """
    from statsmodels.stats.correlation_tools import corr_clipped

    matrix = np.eye(len(inputs))
    with open(
        paths.data("literature", "matrices", f"{name}.csv"), encoding="utf-8-sig", newline=""
    ) as stream:
        for row in csv.DictReader(stream):
            if row["row"] in inputs and row["column"] in inputs:
                i, j = inputs.index(row["row"]), inputs.index(row["column"])
                matrix[i, j] = matrix[j, i] = float(row["correlation"])
    if np.linalg.eigvalsh(matrix)[0] < 1e-6:
        matrix = corr_clipped(matrix, threshold=1e-6)
    return matrix


def draw_inputs(marginals: dict, n: int, seed: int, matrix=None) -> pd.DataFrame:
    """Draw inputs together: any distributions, joined by the correlations of a normal copula.

    Parameters
    ----------
    marginals : dict
        ``{input: Distribution, or a number that does not vary}``.
    n, seed : int
    matrix : array, optional
        Correlations in the order of ``marginals``; independent when left out.

    Returns
    -------
    draws : DataFrame, shape (n, k)
    """
    names = list(marginals)
    matrix = np.eye(len(names)) if matrix is None else matrix
    normal = np.random.default_rng(seed).multivariate_normal(np.zeros(len(names)), matrix, n, method="eigh")
    share = np.clip(stats.norm.cdf(normal), 1e-9, 1 - 1e-9)
    columns = {}
    for j, name in enumerate(names):
        found = marginals[name]
        columns[name] = (
            found.quantile(share[:, j]) if isinstance(found, Distribution) else np.full(n, float(found))
        )
    return pd.DataFrame(columns)
