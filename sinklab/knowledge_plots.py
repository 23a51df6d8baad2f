"""Figures of published knowledge: lines of other authors over new data."""

import numpy as np

from sinklab import vocabulary
from sinklab.knowledge import catalogue
from sinklab.knowledge.plausibility import log_values, rules, span
from sinklab.knowledge.pooled import PooledEquation
from sinklab.language import language
from sinklab.plot_style import BAND, INK, PRINTED, axes_of, styled, words

N_GRID = 120
OTHERS = "#9a9a9a"
#: Lines that are named one by one; the others share one entry of the legend.
MAX_NAMED = 6


@styled
def published_figure(rows, data=None, pooled: PooledEquation | None = None, fit=None, level=0.95, lang=None):
    """Published lines, each over its own range, with new trees, a new fit and the pooled equation.

    Parameters
    ----------
    rows : DataFrame
        Equations of one response, as :func:`sinklab.knowledge.look_up` gives them, the nearest first.
        Implausible ones are drawn dashed; those over other predictors than dbh and height are counted.
    data : DataFrame, optional
        New trees: ``dbh`` [cm] and the response.
    pooled : PooledEquation, optional
        Drawn with the interval of a new place.
    fit : FitResult, optional
        A new fit over ``dbh`` alone, drawn with the interval of its mean.
    level : float
        Level of the intervals.
    lang : "zh" or "en", optional

    Returns
    -------
    figure : matplotlib Figure, logarithmic axes
    """
    lang = lang or language()
    limits = rules()
    figure, (axis,) = axes_of(5.4, 4.2)
    response = rows["response"].iloc[0]
    drawn, other = 0, 0
    said = {
        False: words(lang, "已发表方程", "published equations"),
        True: words(lang, "检验判为不合理", "found implausible"),
    }
    for row in rows.to_dict("records"):
        if not set(row["predictors"].split(";")) <= {"dbh", "height"} or row["group"] not in catalogue.TREES:
            other += 1
            continue
        grid = np.geomspace(*span(row, limits), N_GRID)
        named = drawn < MAX_NAMED
        bad = row["check"] == "implausible"
        axis.plot(
            grid,
            np.exp(log_values(row, grid)),
            color=PRINTED if named else OTHERS,
            alpha=0.9 if named else 0.8,
            linewidth=1.0,
            linestyle="--" if bad else "-",
            zorder=2 if named else 1,
            label=said.pop(bad, "_"),
        )
        drawn += 1
    if pooled is not None:
        _band(axis, pooled.predict, pooled.ranges["dbh"], response, level, PRINTED, _heights(pooled), lang)
    if fit is not None:
        _fitted(axis, fit, response, level, lang)
    if data is not None:
        both = data[["dbh", response]].dropna()
        label = words(lang, f"新样木 {len(both)} 株", f"{len(both)} new trees")
        axis.plot(both["dbh"], both[response], "o", color=INK, markersize=3, alpha=0.5, zorder=3, label=label)
    axis.set(
        xscale="log",
        yscale="log",
        xlabel=vocabulary.label("dbh", lang, unit=True),
        ylabel=vocabulary.label(response, lang, unit=True),
    )
    told = words(lang, f"{drawn} 个方程", f"{drawn} equations")
    if other:
        told += words(
            lang, f"；另有 {other} 个以其他量为自变量，未绘", f"; {other} over other predictors not drawn"
        )
    axis.set_title(told, fontsize=8, loc="left")
    axis.legend(fontsize=8)
    return figure


def _heights(pooled):
    """Columns that a pooled equation needs beside the diameter."""
    if "height" not in pooled.predictors:
        return lambda grid: {}
    return lambda grid: {"height": catalogue.height_of(grid, "tree")}


def _band(axis, predict, ends, response, level, colour, more, lang) -> None:
    grid = np.geomspace(*ends, N_GRID)
    found = predict({"dbh": grid, **more(grid)}, level=level, kind="place")
    label = words(
        lang, f"合并方程，新地点 {level:.0%} 预测区间", f"pooled, {level:.0%} interval of a new place"
    )
    axis.fill_between(
        grid, found[f"{response}_lower"], found[f"{response}_upper"], color=colour, alpha=0.15, lw=0
    )
    axis.plot(grid, found[response], color=colour, linewidth=2.2, label=label, zorder=4)


def _fitted(axis, fit, response, level, lang) -> None:
    import pandas as pd

    grid = np.geomspace(*fit.ranges["dbh"], N_GRID)
    found = fit.predict(pd.DataFrame({"dbh": grid}), level=level)
    label = words(lang, f"新拟合，均值 {level:.0%} 置信区间", f"new fit, {level:.0%} interval of the mean")
    low = found[f"{response}_lower"].clip(lower=found[response] / 1e3)
    axis.fill_between(grid, low, found[f"{response}_upper"], color=BAND, alpha=0.5, lw=0)
    axis.plot(grid, found[response], color=INK, linewidth=1.6, label=label, zorder=5)
