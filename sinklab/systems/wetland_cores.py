r"""Cores with layers that were not measured: the missing carbon is drawn, given the layers above and below.

A core keeps what was measured; draws fill the rest from the distribution that its own layers leave, under the models of
:mod:`sinklab.systems.wetland_layers`. The coefficients are drawn once for all cores of a draw, the effect of a core
once for its layers, the residual for every layer.
"""

import numpy as np
import pandas as pd

from sinklab.checks.layers import layer_faults, rules
from sinklab.errors import DataError
from sinklab.language import tr
from sinklab.systems.wetland_layers import LayerModel, MixedLine, depth_design, fit_layers, matter_design


def _pieces(core, depth) -> pd.DataFrame:
    """Layers of a core down to ``depth``, with rows for the gaps and for what lies below the core."""
    core = core[core["layer_top"] < depth].sort_values("layer_top")
    matter = core["organic_matter"] if "organic_matter" in core else pd.Series(np.nan, core.index)
    columns = core["layer_top"], core["layer_bottom"], core["bulk_density"], core["soc"], matter
    blank, rows, above = (np.nan, np.nan, np.nan), [], 0.0
    for top, bottom, density, soc, ignition in zip(*columns, strict=True):
        if top > above + rules()["layer_tolerance"]:
            rows.append((above, top, *blank))
        rows.append((top, min(bottom, depth), density, soc, ignition))
        above = bottom
    while above < depth - rules()["layer_tolerance"]:
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
        and (ends >= depth - rules()["layer_tolerance"]).all()
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
    for number, (key, core) in enumerate(layers.groupby(list(by), sort=True, dropna=False)):
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
        drawn, share = draw_stock(core, depth, model, n, seed, number)
        log = np.log(drawn)
        rows.append((*key, float(np.exp(log.mean())), float(log.std()), share))
    cores = pd.DataFrame(rows, columns=[*by, "soc_stock", "sd_log", "imputed"])
    cores.attrs["left_out"] = left
    return cores
