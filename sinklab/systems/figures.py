"""Figures of one ecosystem: carbon by depth, importance of inputs, masses of trees, growth, heights, expansion factors."""

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sinklab.data import literature, vocabulary
from sinklab.evidence.pooling import RATIOS
from sinklab.plots import (
    BAND,
    DASHES,
    INK,
    MARKS,
    PRINTED,
    SHADES,
    axes_of,
    band,
    figure_of,
    group_word,
    name_axes,
    points,
    styled,
    words,
)
from sinklab.results.fit_result import FitResult
from sinklab.results.indices import class_quartiles
from sinklab.results.prediction import curves_of_groups

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def depth_figure(layers: pd.DataFrame, variable: str, by: str, lang: str | None = None) -> "Figure":
    """Values of every layer against depth, with the median of 10 cm classes.

    Parameters
    ----------
    layers : DataFrame
        ``layer_top``, ``layer_bottom`` [cm] and ``variable``.
    variable : str
    by : str
        Column whose values get a panel each.
    """
    groups = list(layers[layers[variable] > 0].groupby(by))
    figure, axes = axes_of(3.4 * len(groups) + 0.6, 3.8, len(groups))
    for axis, (key, part) in zip(axes, groups, strict=True):
        middle = (part["layer_top"] + part["layer_bottom"]) / 2
        axis.plot(part[variable], middle, ".", ms=2, color="#cccccc")
        found = class_quartiles(middle, part[variable], width=10.0, last=14)
        axis.fill_betweenx(found.index, found[0.25], found[0.75], color=BAND, alpha=0.5, lw=0)
        axis.plot(found[0.5], found.index, "-o", ms=3, color=INK)
        axis.set(xscale="log", ylim=(150, 0), title=f"{group_word(by, key, lang)} (n = {len(part)})")
        name_axes(axis, variable, None, lang)
        axis.set_ylabel(words(lang, "深度 / cm", "depth / cm"))
    return figure


@styled
def importance_figure(table: pd.DataFrame, lang: str | None = None) -> "Figure":
    """Bars of the importance of each input.

    Parameters
    ----------
    table : DataFrame
        ``input`` (a variable) and columns of shares, one panel each.
    """
    columns = [c for c in table.columns if c != "input"]
    figure, axes = axes_of(3.6 * len(columns), 0.8 + 0.4 * len(table), len(columns))
    names = [vocabulary.label(x, lang) for x in table["input"]]
    for axis, column in zip(axes, columns, strict=True):
        axis.barh(range(len(table))[::-1], table[column], color=BAND)
        axis.set_yticks(range(len(table))[::-1], names)
        axis.set_xlabel(column)
    return figure


@styled
def equations_figure(trees: pd.DataFrame, columns: Mapping[str, str], lang: str | None = None) -> "Figure":
    """Masses by several equations over diameter, one panel for each species.

    Parameters
    ----------
    trees : DataFrame
        ``species``, ``dbh`` and the columns of masses [kg].
    columns : dict of str
        Column and its label.
    """
    groups = list(trees.groupby("species"))
    figure, axes = axes_of(3.2 * len(groups) + 0.4, 3.4, len(groups))
    for axis, (species, part) in zip(axes, groups, strict=True):
        looks = zip(((INK, "."), (PRINTED, "x"), ("#3b7dbd", "^")), columns.items(), strict=False)
        for (shade, mark), (column, label) in looks:
            axis.plot(part["dbh"], part[column], mark, ms=2.5, mew=0.4, color=shade, label=label)
        axis.set(xscale="log", yscale="log", title=f"{species} (n = {len(part)})")
        name_axes(axis, "dbh", "agb", lang)
    axes[0].legend(fontsize=7, markerscale=4)
    return figure


@styled
def increments_figure(
    increments: pd.DataFrame, printed: pd.DataFrame | None = None, lang: str | None = None
) -> "Figure":
    """Current and mean annual increment over age, each with its band; printed current increments as points.

    Parameters
    ----------
    increments : DataFrame
        Of :func:`sinklab.systems.forest.increments` for growing stock, at many ages.
    printed : DataFrame, optional
        ``age``, ``stock_increment`` and ``site``.
    """
    figure, (axis,) = axes_of(5.6, 3.6)
    for key, name, ink, dash in (
        ("cai", words(lang, "连年生长量", "current annual increment"), INK, "-"),
        ("mai", words(lang, "平均生长量", "mean annual increment"), PRINTED, "--"),
    ):
        band(axis, increments["age"], increments, key, color=ink, alpha=0.15)
        axis.plot(increments["age"], increments[key], dash, color=ink, lw=1.8, label=name)
    if printed is not None:
        for mark, (site, part) in zip(MARKS, printed.groupby("site"), strict=False):
            label = words(lang, f"已发表的连年生长量，{site}", f"printed current increment, {site}")
            axis.plot(part["age"], part["stock_increment"], mark, ms=4, color="#3b7dbd", label=label)
    unit = vocabulary.units_symbol(vocabulary.variables()["stock_increment"].unit, lang)
    name_axes(axis, "age", None, lang)
    axis.set_ylabel(words(lang, f"生长量（{unit}）", f"increment ({unit})"))
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=8)
    return figure


@styled
def heights_figure(
    trees: pd.DataFrame, fits: Mapping[str, FitResult], group: str, lang: str | None = None
) -> "Figure":
    """Heights over diameters with the curves of the mean over plots (left), and the curve of every plot of the best one (right).

    Parameters
    ----------
    trees : DataFrame
        ``dbh``, ``height``.
    fits : dict of FitResult
        Mixed curves by form, the best first.
    group : str
        Column of the plots.
    """
    figure, (left, right) = axes_of(8.6, 3.9, 2)
    grid = pd.DataFrame({"dbh": np.linspace(0.3, trees["dbh"].max(), 120)})
    for axis in (left, right):
        points(axis, trees["dbh"], trees["height"], 2.2)
        name_axes(axis, "dbh", "height", lang)
        axis.set_ylim(0, 1.05 * trees["height"].max())
    for k, (shade, (form, fit)) in enumerate(zip((INK, *SHADES, "#444444"), fits.items(), strict=False)):
        told = fit.predict(grid)["height"]
        look = {"ls": DASHES[k % len(DASHES)], "marker": MARKS[k] if k >= len(DASHES) else None}
        left.plot(
            grid["dbh"], told, color=shade, lw=1.2, ms=3, markevery=15, label=form.replace("_", " "), **look
        )
    left.legend(fontsize=7, ncols=2)
    form, best = next(iter(fits.items()))
    for own in curves_of_groups(best, trees, group, 40).values():
        right.plot(own["dbh"], own["height"], color=BAND, lw=0.9)
    right.plot(grid["dbh"], best.predict(grid)["height"], color=INK, lw=1.8)
    left.set_title(words(lang, "各样地均值的各种曲线", "curves of the mean over plots"), loc="left")
    name = form.replace("_", " ")
    right.set_title(words(lang, f"{name}：各样地的曲线", f"{name}: curve of each plot"), loc="left")
    return figure


@styled
def heights_beside_figure(fit: FitResult, published: pd.DataFrame, lang: str | None = None) -> "Figure":
    """Mean curve with the interval of one tree on a new plot, and published heights by their source.

    Parameters
    ----------
    fit : FitResult
        Mixed curve.
    published : DataFrame
        ``source_id, dbh, height``.
    """
    figure, (axis,) = axes_of(6.4, 4.0)
    grid = pd.DataFrame({"dbh": np.linspace(0.5, published["dbh"].max(), 120)})
    told = fit.predict(grid, kind="individual")
    band(axis, grid["dbh"], told, "height", color=BAND, alpha=0.3)
    axis.plot(grid["dbh"], told["height"], color=INK, lw=1.8)
    for i, (source, part) in enumerate(published.groupby("source_id")):
        look = {"ms": 4, "mfc": "none", "mew": 0.8, "label": literature.short(source)}
        axis.plot(part["dbh"], part["height"], MARKS[i % len(MARKS)], **look)
    name_axes(axis, "dbh", "height", lang)
    axis.set_ylim(0, 1.1 * max(published["height"].max(), told["height_upper"].quantile(0.9)))
    axis.legend(fontsize=7, ncols=2)
    return figure


@styled
def gain_figure(gain: pd.DataFrame, lang: str | None = None) -> "Figure":
    """Error of heights on a plot against the heights measured there.

    Parameters
    ----------
    gain : DataFrame
        ``measured``, ``RMSE``.
    """
    figure, (axis,) = axes_of(4.6, 3.2)
    axis.plot(gain["measured"], gain["RMSE"], "-o", color=INK)
    axis.set_ylim(0, 1.1 * gain["RMSE"].max())
    axis.set_xticks(gain["measured"])
    axis.set_xlabel(words(lang, "样地内实测树高的株数", "heights measured on the plot"))
    axis.set_ylabel(words(lang, "其余树木的均方根误差 / m", "RMSE of the other trees / m"))
    axis.grid(axis="y", color="#eeeeee")
    return figure


@styled
def factors_figure(
    stands: pd.DataFrame, fits: Mapping[tuple[str, str], FitResult], lang: str | None = None
) -> "Figure":
    """Expansion factors and root:shoot ratio of stands over age (left) and growing stock (right), with the best fit.

    Parameters
    ----------
    stands : DataFrame
    fits : dict of FitResult
        By ``(response, predictor)``; missing where the stands make no curve.
    """
    responses = [c for c in RATIOS if c in stands and stands[c].notna().any()]
    figure, axes = figure_of(7.6, 0.4 + 2.4 * len(responses), len(responses), 2)
    for row, response in zip(axes, responses, strict=True):
        top = stands[response].quantile(0.98)
        for axis, predictor in zip(row, ("age", "growing_stock"), strict=True):
            points(axis, stands[predictor], stands[response], 2.5)
            if (response, predictor) in fits:
                fit = fits[response, predictor]
                grid = pd.DataFrame({predictor: np.linspace(*fit.ranges[predictor], 150)})
                axis.plot(grid[predictor], fit.predict(grid)[response], color=INK, lw=1.6)
            axis.set_ylim(0, 1.25 * top if np.isfinite(top) else 1)
            name_axes(axis, predictor, None, lang)
            axis.set_ylabel(textwrap.fill(vocabulary.label(response, lang, True), 26), fontsize=8)
    return figure
