"""Figures of forest stands: heights over diameters, what a few heights save, expansion factors."""

import textwrap

import numpy as np
import pandas as pd

from sinklab import vocabulary
from sinklab.plot_style import BAND, INK, axes_of, styled, words


@styled
def heights_figure(trees, fits, group, lang=None):
    """Heights over diameters with the typical curves (left), and the curve of every plot of the best one (right).

    Parameters
    ----------
    trees : DataFrame
        ``dbh``, ``height``.
    fits : dict of FitResult
        Mixed curves by form, the best first.
    group : str
        Column of the plots.
    """
    figure, axes = axes_of(8.6, 3.9, 2)
    grid = pd.DataFrame({"dbh": np.linspace(0.3, trees["dbh"].max(), 120)})
    for axis in axes:
        axis.plot(trees["dbh"], trees["height"], "o", ms=2.2, mfc="none", mec="#999999", mew=0.4)
        axis.set(xlabel=vocabulary.label("dbh", lang, True), ylabel=vocabulary.label("height", lang, True))
        axis.set_ylim(0, 1.05 * trees["height"].max())
    shades = [INK, "#b5651d", "#3b7dbd", "#8a6fb0", "#c0504d", "#777733", "#d2a24c", "#5f9ea0", "#444444"]
    for shade, (form, fit) in zip(shades, fits.items(), strict=False):
        axes[0].plot(
            grid["dbh"], fit.predict(grid)["height"], color=shade, lw=1.2, label=form.replace("_", " ")
        )
    axes[0].legend(fontsize=7, ncols=2)
    form, best = next(iter(fits.items()))
    for level, deviation in best.random.effects.iterrows():
        part = trees.loc[trees[group].astype(str) == str(level), "dbh"]
        own = pd.DataFrame({"dbh": np.linspace(part.min(), part.max(), 40)})
        moved = dict(zip(best.labels, best.values, strict=True))
        moved[best.random.names[0]] += float(deviation.iloc[0])
        axes[1].plot(own["dbh"], best.system.mean(moved, own)["height"], color=BAND, lw=0.9)
    axes[1].plot(grid["dbh"], best.predict(grid)["height"], color=INK, lw=1.8)
    axes[0].set_title(words(lang, "典型样地的各种曲线", "curves of the typical plot"), loc="left")
    name = form.replace("_", " ")
    axes[1].set_title(words(lang, f"{name}：各样地的曲线", f"{name}: curve of each plot"), loc="left")
    return figure


@styled
def heights_beside_figure(fit, published, lang=None):
    """Typical curve with the interval of one tree on a new plot, and published heights by their source.

    Parameters
    ----------
    fit : FitResult
        Mixed curve.
    published : DataFrame
        ``source, dbh, height``.
    """
    figure, (axis,) = axes_of(6.4, 4.0)
    grid = pd.DataFrame({"dbh": np.linspace(0.5, published["dbh"].max(), 120)})
    told = fit.predict(grid, kind="individual")
    axis.fill_between(grid["dbh"], told["height_lower"], told["height_upper"], color=BAND, alpha=0.3, lw=0)
    axis.plot(grid["dbh"], told["height"], color=INK, lw=1.8)
    marks = "os^vD<>Pp*hXd"
    for i, (source, part) in enumerate(published.groupby("source")):
        axis.plot(part["dbh"], part["height"], marks[i % len(marks)], ms=4, mfc="none", mew=0.8, label=source)
    axis.set(xlabel=vocabulary.label("dbh", lang, True), ylabel=vocabulary.label("height", lang, True))
    axis.set_ylim(0, 1.1 * max(published["height"].max(), told["height_upper"].quantile(0.9)))
    axis.legend(fontsize=7, ncols=2)
    return figure


@styled
def gain_figure(gain, lang=None):
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
def factors_figure(stands, fits, lang=None):
    """Expansion factors and root:shoot ratio of stands over age (left) and growing stock (right), with the best fit.

    Parameters
    ----------
    stands : DataFrame
    fits : dict of FitResult
        By ``(response, predictor)``; missing where there were too few stands.
    """
    from matplotlib.figure import Figure

    responses = list(dict.fromkeys(response for response, _ in fits))
    figure = Figure(figsize=(7.6, 0.4 + 2.4 * len(responses)), layout="constrained")
    axes = figure.subplots(len(responses), 2, squeeze=False)
    for i, response in enumerate(responses):
        for j, predictor in enumerate(("age", "growing_stock")):
            axis = axes[i, j]
            axis.plot(stands[predictor], stands[response], "o", ms=2.5, mfc="none", mec="#999999", mew=0.4)
            if (response, predictor) in fits:
                fit = fits[response, predictor]
                grid = pd.DataFrame({predictor: np.linspace(*fit.ranges[predictor], 150)})
                told = fit.predict(grid)
                axis.plot(grid[predictor], told[response], color=INK, lw=1.6)
            top = stands[response].quantile(0.98)
            axis.set_ylim(0, 1.25 * top if np.isfinite(top) else 1)
            axis.set_xlabel(vocabulary.label(predictor, lang, True))
            axis.set_ylabel(textwrap.fill(vocabulary.label(response, lang, True), 26), fontsize=8)
    return figure
