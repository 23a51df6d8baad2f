"""Figures of the systems: carbon by depth, importance of inputs, values beside printed ones, curves over data.

Every function returns a matplotlib ``Figure`` drawn with the bundled Chinese font; :func:`sinklab.plots.save` writes it.
"""

import numpy as np

from sinklab import units, vocabulary
from sinklab.plot_style import BAND, INK, PRINTED, axes_of, styled, words

SAMPLES = "#cccccc"


def readable(values, lang=None) -> list[str]:
    """Labels of values in words: the group, or the variable where there is none, and the number of units.

    Parameters
    ----------
    values : DataFrame
        Rows of ``values.csv``: ``group``, ``variable``, and ``n`` or ``n_study``.
    """
    labels = []
    for row in values.to_dict("records"):
        name = vocabulary.group_label(row["group"], lang) or vocabulary.label(row["variable"], lang)
        n = row.get("n", np.nan)
        labels.append(f"{name} (n = {n:g})" if n == n else name)
    return labels


def group_word(column, value, lang=None) -> str:
    """One level of a column of groups in words, as ``mangrove`` of ``habitat``."""
    return vocabulary.group_label(f"{column}={value}", lang)


@styled
def depth_figure(layers, variable, by, lang=None):
    """Values of every layer against depth, with the median of 10 cm classes.

    Parameters
    ----------
    layers : DataFrame
        ``layer_top``, ``layer_bottom`` [cm] and ``variable``.
    variable : str
    by : str
        Column whose values get a panel each.
    """
    groups = [(k, g) for k, g in layers[layers[variable] > 0].groupby(by)]
    figure, axes = axes_of(3.4 * len(groups) + 0.6, 3.8, len(groups))
    for axis, (key, part) in zip(axes, groups, strict=True):
        middle = (part["layer_top"] + part["layer_bottom"]) / 2
        axis.plot(part[variable], middle, ".", ms=2, color=SAMPLES)
        depth = np.minimum(middle // 10, 14)
        found = part.groupby(depth)[variable].quantile([0.25, 0.5, 0.75]).unstack()
        place = found.index.to_numpy(float) * 10 + 5
        axis.fill_betweenx(place, found[0.25], found[0.75], color=BAND, alpha=0.5, lw=0)
        axis.plot(found[0.5], place, "-o", ms=3, color=INK)
        axis.set(xscale="log", ylim=(150, 0), title=f"{group_word(by, key, lang)} (n = {len(part)})")
        axis.set_xlabel(vocabulary.label(variable, lang, True))
        axis.set_ylabel(words(lang, "深度 / cm", "depth / cm"))
    return figure


@styled
def beside_figure(values, printed, variable, lang=None):
    """Our values with their intervals, and the printed ones of the same groups below.

    Parameters
    ----------
    values, printed : DataFrame
        ``label, mean, q025, q975``; limits may be missing.
    variable : str
    """
    rows = [(row, INK, BAND) for row in values.to_dict("records")]
    rows += [(row, PRINTED, "#e8c9a0") for row in printed.to_dict("records")]
    figure, (axis,) = axes_of(7.4, 1.0 + 0.3 * len(rows))
    for place, (row, ink, band) in enumerate(reversed(rows)):
        if np.isfinite(row.get("q025", np.nan)):
            axis.hlines(place, row["q025"], row["q975"], color=band, lw=3)
        axis.plot(row["mean"], place, "o" if ink == INK else "D", ms=4.5, color=ink)
    axis.set_yticks(range(len(rows)), [row["label"] for row, *_ in reversed(rows)])
    axis.margins(y=0.6 / len(rows))
    axis.set_xlim(left=0)
    axis.set_xlabel(vocabulary.label(variable, lang, True))
    axis.set_title(
        words(
            lang, "绿：本表（均值与区间）；棕：已发表", "green: this table (mean, interval); brown: printed"
        ),
        loc="left",
    )
    axis.grid(axis="x", color="#eeeeee")
    return figure


@styled
def importance_figure(table, lang=None):
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
def curves_figure(data, x, y, curves, lang=None, log=False):
    """Points with fitted and printed curves.

    Parameters
    ----------
    data : DataFrame or None
    x, y : str
        Variables of the vocabulary.
    curves : list of (label, x values, y values, kind)
        ``kind`` is ``ours`` or ``printed``.
    """
    figure, (axis,) = axes_of(5.6, 4.0)
    if data is not None:
        axis.plot(data[x], data[y], "o", ms=3, mfc="none", mec="#777777", mew=0.5)
    shades = iter(["#b5651d", "#8a6fb0", "#3b7dbd", "#c0504d", "#777733", "#d2a24c", "#5f9ea0"])
    inks = iter([INK, "#4f9a7a", "#86b59f", "#2f6f9f", "#7a4f9a", "#9a7a4f"])
    for label, grid, line, kind in curves:
        if kind == "ours":
            axis.plot(grid, line, color=next(inks, INK), lw=1.8, label=label)
        else:
            axis.plot(grid, line, "--", color=next(shades, "#999999"), lw=1.2, label=label)
    axis.set(xlabel=vocabulary.label(x, lang, True), ylabel=vocabulary.label(y, lang, True))
    if log:
        axis.set(xscale="log", yscale="log")
    axis.legend(fontsize=8)
    return figure


@styled
def increments_figure(increments, printed=None, lang=None):
    """Current and mean annual increment over age, each with its band; printed current increments as points.

    Parameters
    ----------
    increments : DataFrame
        Of :func:`sinklab.systems.forest.increments` for growing stock, at many ages.
    printed : DataFrame, optional
        ``age``, ``stock_increment`` and ``site``.
    """
    figure, (axis,) = axes_of(5.6, 3.6)
    names = {
        "cai": (words(lang, "连年生长量", "current annual increment"), INK),
        "mai": (words(lang, "平均生长量", "mean annual increment"), PRINTED),
    }
    for key, (name, ink) in names.items():
        low, high = increments[f"{key}_lower"], increments[f"{key}_upper"]
        axis.fill_between(increments["age"], low, high, color=ink, alpha=0.15, lw=0)
        axis.plot(increments["age"], increments[key], color=ink, lw=1.8, label=name)
    if printed is not None:
        for site, part in printed.groupby("site"):
            label = words(lang, f"已发表的连年生长量，{site}", f"printed current increment, {site}")
            axis.plot(part["age"], part["stock_increment"], "D", ms=4, color="#3b7dbd", label=label)
    unit = units.symbol(vocabulary.variables()["stock_increment"].unit, lang)
    axis.set_xlabel(vocabulary.label("age", lang, True))
    axis.set_ylabel(words(lang, f"生长量（{unit}）", f"increment ({unit})"))
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=8)
    return figure


@styled
def equations_figure(trees, columns, lang=None):
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
        for shade, (column, label) in zip((INK, PRINTED, "#3b7dbd"), columns.items(), strict=False):
            axis.plot(part["dbh"], part[column], ".", ms=2, color=shade, label=label)
        axis.set(xscale="log", yscale="log", title=f"{species} (n = {len(part)})")
        axis.set_xlabel(vocabulary.label("dbh", lang, True))
        axis.set_ylabel(vocabulary.label("agb", lang, True))
    axes[0].legend(fontsize=7, markerscale=4)
    return figure
