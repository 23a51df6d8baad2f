r"""Karst: soil is thin, broken by rock and full of stones, and every one of these enters the stock.

.. math:: S = \sum_j A_j (1 - \delta_j)(1 - G_j) \int_0^{T_j} C_j(z)\, \rho_{b,j}(z)\, dz

Thickness T, exposure of the rock :math:`\delta`, gravel G, carbon content C and bulk density vary over a soil; they are
drawn together, with their correlations. Carbon density follows the printed layers of a soil; below them it falls as the
mean profile of the catchment does. Carbon content and bulk density vary as factors around the layers of their soil.
Vegetation follows another rule: a full plot counts rock and soil alike, and its mass per area is not reduced again.

Which input matters how much are three questions with different answers: which varies most over the landscape, which
changes the total when it is ignored, and which changes it when its mean stands for all soils. The order that the
literature prints belongs to its own accounts; they are made again here from its tables.

Source
------
Zhang Z., Zhou Y., Tian X., Huang X. (2017) Acta Ecologica Sinica 37(22):7647-7659,
doi:10.5846/stxb201609141863: 2755 profiles of the Houzhai catchment, Puding.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from sinklab import paths
from sinklab.data.files import read_csv, records
from sinklab.data.vocabulary import refuse_doubtful, suspect
from sinklab.evidence.distributions import Distribution, ZeroInflated, choose, from_moments, value_of_draws
from sinklab.language import DataError, Notes, listing, tr
from sinklab.tables.checks import Refusal, refusal

#: Grades of rocky desertification, from none to the strongest.
GRADES = ("none", "potential", "light", "moderate", "severe", "extreme")
#: What a mass per area may refer to.
BASES = ("plot", "soil_patch")
INPUTS = ("soil_depth", "bedrock_exposure", "gravel_fraction", "soc", "bulk_density")
#: Depth to which soil is counted. [cm]
LIMIT = 100.0


@dataclass(frozen=True, eq=False)
class Thickness(ZeroInflated):
    """Soil thickness along probe transects: a share of bare rock, and a distribution in cm where there is soil.

    Rock enters a stock once: through the zeros here, or through an exposure beside the thickness of the soil alone.
    """

    zero_se: float
    n: int
    n_transect: int

    @property
    def positive(self) -> Distribution:
        """Thickness where there is soil."""
        return self.above


def probe_thickness(depth: ArrayLike, transect: ArrayLike) -> Thickness:
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
    lines = Notes(suspect(depth, "soil_depth"))
    if depth.isna().any():
        lines.add(
            f"{int(depth.isna().sum())} probes are blank: write 0 on rock", "有空白探测值：岩石处请填 0"
        )
    soil = depth[depth > 0]
    if len(soil) < 3:
        lines.add(
            f"{len(soil)} probes on soil; expected at least 3",
            f"土面探测点 {len(soil)} 个；至少需要 3 个",
        )
    if lines:
        raise DataError(listing(lines))
    bare = (depth == 0).groupby(np.asarray(transect)).mean()
    best, _ = choose(soil, ("lognormal", "gamma", "weibull"))
    se = float(bare.std(ddof=1) / np.sqrt(len(bare))) if len(bare) > 1 else float("nan")
    return Thickness(float((depth == 0).mean()), best, se, len(depth), len(bare))


def exposure(shares: ArrayLike) -> Distribution:
    """Beta distribution of bedrock exposure from shares of transects or plots.

    A plot without rock is a plot: it counts in the mean and in the spread, as one of bare rock does.

    Parameters
    ----------
    shares : array, shape (n,)
        Bare rock over the area of a plot, from 0 to 1. [1]

    Raises
    ------
    DataError
        Shares in per cent (35 for 0.35), each with its record; or shares that all are the same.
    """
    shares = pd.Series(np.asarray(shares, float))
    refuse_doubtful(bedrock_exposure=shares)
    known = shares.dropna()
    mean, sd = float(known.mean()), float(known.std(ddof=1))
    if not sd > 0:
        raise DataError(
            f"{len(known)} shares without any spread; expected plots that differ: give the number itself",
            f"{len(known)} 个裸露率没有差异；应为互有差异的样地：请直接给出该数值",
        )
    # A beta cannot vary more than a coin that shows all rock or none.
    return from_moments(mean, min(sd, 0.999 * float(np.sqrt(mean * (1 - mean)))), "beta")


def soil_stock(
    stock: ArrayLike, area: ArrayLike, bedrock_exposure: ArrayLike, gravel_fraction: ArrayLike
) -> float:
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
    carbon : float
        [t]

    Examples
    --------
    >>> soil_stock([44.4], [1379.0], [0.4334], [0.2156]).round()
    np.float64(27212.0)
    """
    soil = (1 - np.asarray(bedrock_exposure, float)) * (1 - np.asarray(gravel_fraction, float))
    return np.sum(np.asarray(stock, float) * np.asarray(area, float) * soil)


def vegetation_per_hectare(
    density: ArrayLike, basis: str, bedrock_exposure: ArrayLike | None = None
) -> np.ndarray:
    r"""Mass of vegetation per hectare of ground.

    Parameters
    ----------
    density : array
        [t/ha] of ``basis``.
    basis : "plot" or "soil_patch"
        A full plot has rock in its area already: the mass stays. A soil patch is soil alone: it is multiplied by
        :math:`1 - \delta`.
    bedrock_exposure : array, optional
        Needed for soil patches. [1]

    Returns
    -------
    per_hectare : array
        [t/ha] of ground.

    Raises
    ------
    DataError
        The data do not say which, or exposure is missing or in per cent.
    """
    if basis not in BASES:
        raise DataError(
            f"vegetation per area of {basis!r}: expected plot (rock included, no factor) or soil_patch (times 1 - exposure); "
            "ask who measured it, the two differ by the share of rock",
            f"植被单位面积基准 {basis!r}：应为 plot（样地含岩石，不再乘系数）或 soil_patch（乘以 1－裸露率）；请向调查人员核实",
        )
    if basis == "plot":
        return np.asarray(density, float)
    if bedrock_exposure is None or np.isnan(np.asarray(bedrock_exposure, float)).any():
        raise DataError("soil patches need bedrock_exposure", "土面数据需要基岩裸露率")
    refuse_doubtful(bedrock_exposure=bedrock_exposure)
    return np.asarray(density, float) * (1 - np.asarray(bedrock_exposure, float))


def correlation(name: str = "karst_houzhai", inputs: Sequence[str] = INPUTS) -> np.ndarray:
    """Printed correlations of the inputs as a matrix, made positive definite where rounding broke it.

    Pairs that are not printed are zero.
    """
    from statsmodels.stats.correlation_tools import corr_clipped

    matrix = np.eye(len(inputs))
    for row in records("literature", "matrices", f"{name}.csv", numbers=("correlation",)):
        if row["row"] in inputs and row["column"] in inputs:
            i, j = inputs.index(row["row"]), inputs.index(row["column"])
            matrix[i, j] = matrix[j, i] = row["correlation"]
    if np.linalg.eigvalsh(matrix)[0] < 1e-6:
        matrix = corr_clipped(matrix, threshold=1e-6)
    return matrix


def draw_inputs(
    marginals: Mapping[str, Distribution | Thickness | float],
    n: int,
    seed: int,
    matrix: np.ndarray | None = None,
) -> pd.DataFrame:
    """Draw inputs together: any distributions, joined by the correlations of a normal copula.

    Parameters
    ----------
    marginals : dict
        ``{input: Distribution, or a number that does not vary}``. Of a :class:`Thickness` the soil alone is drawn where
        ``bedrock_exposure`` stands beside it, else rock too: rock is taken off once.
    n, seed : int
    matrix : array, optional
        Correlations in the order of ``marginals``; independent when left out.

    Returns
    -------
    draws : DataFrame, shape (n, k)
    """
    k = len(marginals)
    matrix = np.eye(k) if matrix is None else matrix
    normal = np.random.default_rng(seed).multivariate_normal(np.zeros(k), matrix, n, method="eigh")
    share, columns = np.clip(stats.norm.cdf(normal), 1e-9, 1 - 1e-9), {}
    for j, (name, found) in enumerate(marginals.items()):
        if isinstance(found, Thickness):
            found = found.positive if "bedrock_exposure" in marginals else found
        if isinstance(found, Distribution | ZeroInflated):
            columns[name] = found.quantile(share[:, j])
        else:
            columns[name] = np.full(n, float(found))
    return pd.DataFrame(columns)


# A landscape of several soil types.


def marginals(soil: Mapping[str, float], soc_cv: float, density_cv: float) -> dict[str, Distribution | float]:
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


def cumulative(layers: pd.DataFrame, profile: pd.DataFrame) -> Callable[[ArrayLike], np.ndarray]:
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


def draw_soils(
    soils: pd.DataFrame,
    layers: pd.DataFrame,
    profile: pd.DataFrame,
    soc_cv: float,
    density_cv: float,
    n: int,
    seed: int,
    matrix: np.ndarray | None = None,
) -> pd.DataFrame:
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
        Correlations within a soil type, in the order of :data:`INPUTS`.

    Returns
    -------
    places : DataFrame
        ``soil_type``, ``area``, the inputs and ``soc_stock`` [t/ha of ground].
    """
    parts = []
    for k, (_, soil) in enumerate(soils.iterrows()):
        found = marginals(soil, soc_cv, density_cv)
        drawn = draw_inputs({x: found[x] for x in INPUTS}, n, seed + k, matrix)
        above = cumulative(layers[layers["soil_type"] == soil["soil_type"]], profile)
        factors = drawn[["soc", "bulk_density"]].prod(axis=1)
        ground = (1 - drawn[["bedrock_exposure", "gravel_fraction"]]).prod(axis=1)
        drawn["soc_stock"] = above(drawn["soil_depth"]) * factors * ground
        parts.append(drawn.assign(soil_type=soil["soil_type"], area=float(soil["area"])))
    return pd.concat(parts, ignore_index=True)


def total(soils: pd.DataFrame, layers: pd.DataFrame, profile: pd.DataFrame) -> float:
    """Carbon of the landscape in t, every input at its mean; areas are printed in km2."""
    stock = [
        float(cumulative(layers[layers["soil_type"] == kind], profile)(depth))
        for kind, depth in zip(soils["soil_type"], soils["soil_depth"], strict=True)
    ]
    return float(soil_stock(stock, soils["area"] * 100, soils["bedrock_exposure"], soils["gravel_fraction"]))


# Which input matters how much.


def variance_shares(places: pd.DataFrame, bins: int = 40) -> pd.DataFrame:
    r"""Share of the variance over the landscape that knowing one input would take away.

    .. math:: Var(E[S \mid X]) / Var(S)

    by classes of equal count, each place weighted by the area of its soil. Inputs are correlated, so shares
    overlap and need not add to one.

    Returns
    -------
    shares : DataFrame
        ``input`` and ``share``, the largest first.
    """
    weight = places["area"] / places.groupby("soil_type")["soc_stock"].transform("size")
    weight = weight / weight.sum()
    stock = places["soc_stock"]
    mean = float(weight @ stock)
    total = float(weight @ (stock - mean) ** 2)
    rows = []
    for name in INPUTS:
        rank = places[name].rank(method="average", pct=True)
        label = np.minimum((rank * bins).astype(int), bins - 1)
        groups = pd.DataFrame({"w": weight, "ws": weight * stock}).groupby(label).sum()
        between = float((groups["w"] * (groups["ws"] / groups["w"] - mean) ** 2).sum())
        rows.append((name, between / total))
    found = pd.DataFrame(rows, columns=["input", "share"])
    return found.sort_values("share", ascending=False, ignore_index=True)


def left_out(
    soils: pd.DataFrame, layers: pd.DataFrame, profile: pd.DataFrame, mean_density: float
) -> pd.DataFrame:
    """Change of the total when one input is not known by soil type.

    Thickness is taken as one metre, exposure and gravel as zero, carbon content as the mean profile of the catchment, bulk
    density as one number.

    Parameters
    ----------
    soils, layers, profile : DataFrame
        See :func:`draw_soils`; layers with ``bulk_density`` too.
    mean_density : float
        [g/cm3]

    Returns
    -------
    effect : DataFrame
        ``input``, ``total`` [t] without it, and ``change`` relative to the full account [1].
    """
    full = total(soils, layers, profile)
    without = {
        "soil_depth": total(soils.assign(soil_depth=LIMIT), layers, profile),
        "bedrock_exposure": total(soils.assign(bedrock_exposure=0.0), layers, profile),
        "gravel_fraction": total(soils.assign(gravel_fraction=0.0), layers, profile),
        "soc": total(soils, _mean_carbon(layers, profile), profile),
        "bulk_density": total(soils, _one_density(layers, mean_density), profile),
    }
    rows = [(name, amount, amount / full - 1) for name, amount in without.items()]
    return pd.DataFrame(rows, columns=["input", "total", "change"])


def _mean_carbon(layers, profile) -> pd.DataFrame:
    """Layers with the carbon content of the mean profile and their own density."""
    soc = layers["layer_bottom"].map(profile.set_index("layer_bottom")["soc"])
    known = layers["carbon_density"].notna()
    return layers.assign(carbon_density=(layers["bulk_density"] * soc).where(known))


def _one_density(layers, mean_density) -> pd.DataFrame:
    """Layers with their own carbon content and one bulk density."""
    return layers.assign(carbon_density=layers["carbon_density"] / layers["bulk_density"] * mean_density)


def printed_tables(
    soils: pd.DataFrame,
    layers: pd.DataFrame,
    profile: pd.DataFrame,
    mean_density: float,
    stock: float,
    exposed: float,
    name: str = "karst_houzhai",
) -> pd.DataFrame:
    """What the printed tables of one catchment say of the same quantity, pair by pair.

    A mean over all profiles lies below the largest of the means by soil, whatever the areas are; a stock without rock and
    gravel is one number, whether soils are added up or the catchment is taken as a whole.

    Parameters
    ----------
    soils, layers, profile : DataFrame
        See :func:`draw_soils`; layers with ``bulk_density`` too.
    mean_density : float
        Printed mean over the catchment. [g/cm3]
    stock : float
        Printed mean carbon over the area of soil. [t/ha]
    exposed : float
        Printed mean exposure of the catchment. [1]
    name : str
        Schemes in ``data/literature/matrices``.

    Returns
    -------
    table : DataFrame
        ``quantity``, ``one``, ``other`` (which tables), their numbers ``first`` and ``second``, and ``ratio``.
    """
    schemes = read_csv(paths.data("literature", "matrices", f"{name}_schemes.csv")).set_index("scheme")[
        "total"
    ]
    bare = soils.assign(bedrock_exposure=0.0, gravel_fraction=0.0)
    added, area = total(bare, layers, profile) / 1e5, float(soils["area"].sum()) * 100
    weight = soils["area"] / soils["area"].sum()
    content = layers["carbon_density"] / layers["bulk_density"]
    # At the depth where the largest of the soils is furthest below the mean of all.
    largest = content.groupby(layers["layer_bottom"]).max()
    mean = profile.set_index("layer_bottom")["soc"].reindex(largest.index)
    depth = (largest / mean)[largest.index <= 20].idxmin()
    thickness = float(weight @ soils["soil_depth"])
    steps = np.diff(np.r_[0.0, np.minimum(profile.sort_values("layer_bottom")["layer_bottom"], thickness)])
    whole = float(steps @ profile.sort_values("layer_bottom")["soc"]) * mean_density / 10 * area / 1e5
    rows = [
        (tr(f"soc at {depth:g} cm, largest soil and mean", f"{depth:g} cm 含量：最大土壤与均值"), "2+7", "3")
        + (largest[depth], mean[depth]),
        (tr("total without rock, 1e5 t", "不扣岩石的总量，10⁵ t"), "1+7", "8", added, schemes["SOCS7"]),
        (tr("total without rock, 1e5 t", "不扣岩石的总量，10⁵ t"), "1+7", "6", added, stock * area / 1e5),
        (
            tr("total at the mean thickness, 1e5 t", "平均厚度时的总量，10⁵ t"),
            "3",
            "8",
            whole,
            schemes["SOCS6"],
        ),
        (tr("mean exposure", "平均裸露率"), "1", "6", float(weight @ soils["bedrock_exposure"]), exposed),
        (
            tr("total, 1e5 t", "总量，10⁵ t"),
            "1+7",
            "8",
            total(soils, layers, profile) / 1e5,
            schemes["SOCS8"],
        ),
    ]
    table = pd.DataFrame(rows, columns=["quantity", "one", "other", "first", "second"])
    return table.assign(ratio=table["first"] / table["second"])


def printed_means(name: str = "karst_houzhai") -> dict[str, float]:
    """Means, totals and coefficients of variation of a catchment that its source prints, by quantity."""
    rows = records("literature", "matrices", f"{name}_means.csv", numbers=("value",))
    return {row["quantity"]: row["value"] for row in rows}


def contradiction(tables: pd.DataFrame) -> Refusal | None:
    """Why stocks by soil must not be used: the first pair of printed tables that are further apart than the gate allows.

    Parameters
    ----------
    tables : DataFrame
        Of :func:`printed_tables`.
    """
    apart = (tables["ratio"] - 1).abs()
    wide = tables[apart > refusal("contradiction", "", 0.0).threshold]
    if wide.empty:
        return None
    first = wide.iloc[0]
    where = f"tables {first['one']} and {first['other']}, {first['quantity']}"
    return refusal("contradiction", where, apart[first.name])


def accounts(
    soils: pd.DataFrame, layers: pd.DataFrame, profile: pd.DataFrame, places: Mapping[str, pd.DataFrame]
) -> pd.Series:
    """Carbon of the landscape by several ways, in 10⁵ t: inputs at their means, with and without rock and gravel, and drawn.

    Parameters
    ----------
    soils, layers, profile : DataFrame
        See :func:`draw_soils`.
    places : mapping of str to DataFrame
        Places of :func:`draw_soils`, by how they were drawn.
    """
    bare = soils.assign(bedrock_exposure=0.0, gravel_fraction=0.0)
    told = {
        tr("means, neither rock nor gravel taken off", "各项输入取均值，不扣裸岩与砾石"): total(
            bare, layers, profile
        ),
        tr("means", "各项输入取均值"): total(soils, layers, profile),
    }
    for way, drawn in places.items():
        by_type = drawn.groupby("soil_type").agg(stock=("soc_stock", "mean"), area=("area", "first"))
        told[way] = float((by_type["stock"] * by_type["area"] * 100).sum())
    return pd.Series(told, name="10⁵ t") / 1e5


def place_values(places: pd.DataFrame, sources: str, level: float = 0.95) -> pd.DataFrame:
    """Distribution of the stock over the places of each soil type.

    Parameters
    ----------
    places : DataFrame
        Of :func:`draw_soils`.
    sources : str
        Key of ``sources.csv``.
    level : float

    Returns
    -------
    values : DataFrame
        Rows of ``values.csv``. [t/ha of ground]
    """
    note = (
        "per hectare of ground, rock included; to the rock, at most 100 cm; drawn from printed means and SD"
    )
    rows = [
        value_of_draws(
            f"soc_stock[{kind}]",
            "soc_stock",
            part["soc_stock"],
            level,
            group=f"soil_type={kind}",
            sources=sources,
            note=note,
        )
        for kind, part in places.groupby("soil_type", sort=True)
    ]
    return pd.DataFrame(rows)


def printed_by_soil(soils: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    """Printed stock of each soil type, rock and gravel taken off: ``group`` and ``printed`` [t/ha of ground]."""
    found = layers.groupby("soil_type", as_index=False)["soc_stock"].sum().merge(soils, on="soil_type")
    ground = (1 - found[["bedrock_exposure", "gravel_fraction"]]).prod(axis=1)
    return pd.DataFrame({"group": "soil_type=" + found["soil_type"], "printed": found["soc_stock"] * ground})


def printed_order(name: str = "karst_houzhai") -> list[str]:
    """Inputs in the order of influence that the source prints, the largest first."""
    rows = records("literature", "matrices", f"{name}_order.csv", numbers=("rank",))
    return [row["input"] for row in sorted(rows, key=lambda row: row["rank"])]


def beside_print(
    soils: pd.DataFrame,
    layers: pd.DataFrame,
    profile: pd.DataFrame,
    mean_density: float,
    name: str = "karst_houzhai",
) -> pd.DataFrame:
    """Changes of the total when an input is held at its mean, as printed and as the printed tables give them here.

    The source begins with an account of carbon, density and thickness by soil, without rock and gravel; one input is then
    held at its mean over the catchment, and at last rock and gravel are taken off.

    Parameters
    ----------
    soils, layers, profile : DataFrame
        See :func:`draw_soils`.
    mean_density : float
        [g/cm3]
    name : str
        Schemes in ``data/literature/matrices``.

    Returns
    -------
    table : DataFrame
        ``input``, ``printed`` and ``here``: change relative to the account without rock and gravel [1].
    """
    schemes = read_csv(paths.data("literature", "matrices", f"{name}_schemes.csv")).fillna("")
    bare = soils.assign(bedrock_exposure=0.0, gravel_fraction=0.0)
    weight = soils["area"] / soils["area"].sum()
    mean_depth = float(weight @ soils["soil_depth"])
    made = {
        "soil_depth": total(bare.assign(soil_depth=mean_depth), layers, profile),
        "soc": total(bare, _mean_carbon(layers, profile), profile),
        "bulk_density": total(bare, _one_density(layers, mean_density), profile),
        "bedrock_exposure gravel_fraction": total(soils, layers, profile),
    }
    base = total(bare, layers, profile)
    by_text = schemes.set_index(["varies", "held"])["total"]
    every = "soc bulk_density soil_depth"
    printed = {
        "soil_depth": by_text["soc bulk_density", "soil_depth"],
        "soc": by_text["bulk_density soil_depth", "soc"],
        "bulk_density": by_text["soc soil_depth", "bulk_density"],
        "bedrock_exposure gravel_fraction": by_text[f"{every} bedrock_exposure gravel_fraction", ""],
    }
    rows = [(k, printed[k] / by_text[every, ""] - 1, made[k] / base - 1) for k in made]
    return pd.DataFrame(rows, columns=["input", "printed", "here"])


def ranked(importance: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """Ranks of the inputs by every measure beside the printed order.

    Parameters
    ----------
    importance : DataFrame
        ``input`` and one column of sizes for each measure (signs are left aside).
    order : sequence of str
        Inputs, the most important first.

    Returns
    -------
    ranks : DataFrame
        Indexed by input in the printed order; ``attrs["agreement"]`` holds Spearman's correlation of each measure with it.
    """
    table = importance.set_index("input").abs().rank(ascending=False).astype(int).loc[list(order)]
    table.insert(0, "printed", range(1, len(table) + 1))
    table.attrs["agreement"] = {
        c: float(table["printed"].corr(table[c], method="spearman")) for c in table.columns[1:]
    }
    return table
