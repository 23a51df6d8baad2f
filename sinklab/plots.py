"""Figures: data with the fitted curve and its intervals, residuals, distributions of values.

Every function returns a matplotlib ``Figure`` and draws with the bundled Chinese font, so labels in
Chinese look the same on every system. :func:`save` writes a file whose bytes depend on the figure
alone.

Fonts, lines and colours that all figures of the house share.

Figures of the systems: carbon by depth, importance of inputs, values beside printed ones, curves over data.

Every function returns a matplotlib ``Figure`` drawn with the bundled Chinese font; :func:`sinklab.plots.save` writes it.

Figures of forest stands: heights over diameters, what a few heights save, expansion factors.

Figures of published knowledge: lines of other authors over new data.

Maps of stocks: what there is, and how uncertain it is, side by side on a layer that the user brings.
"""

import textwrap
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

import numpy as np
import pandas as pd

import sinklab.results.prediction
from sinklab import paths
from sinklab.data import vocabulary
from sinklab.evidence import equations
from sinklab.evidence.equations import log_values, rules, span
from sinklab.evidence.pool_equations import PooledEquation
from sinklab.language import reader_language

# --- Fonts, lines and colours that all figures of the house share.

INK, BAND, FAINT, PRINTED = "#1b4d3e", "#7fb69a", "#d7e8de", "#b5651d"


@contextmanager
def style():
    """Fonts and lines of the house while figures are drawn; texts keep the font that is set when they are made."""
    import matplotlib as mpl

    rc = {
        "font.family": [paths.register(), "DejaVu Sans"],
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "mathtext.fontset": "stix",
    }
    with mpl.rc_context(rc):
        yield


def styled(draw):
    """Draw a whole figure in the style of the house."""

    @wraps(draw)
    def inside(*arguments, **options):
        with style():
            return draw(*arguments, **options)

    return inside


def figure_of(width, height, rows=1, columns=1):
    """Figure and its axes, an array (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def axes_of(width, height, columns=1):
    """Figure and its axes side by side."""
    figure, axes = figure_of(width, height, 1, columns)
    return figure, axes[0]


def words(lang, zh, en):
    """The text of the language."""
    return zh if (lang or reader_language()) == "zh" else en


# --- Figures: data with the fitted curve and its intervals, residuals, distributions of values.

MAX_VALUES = 60


def save(figure, path) -> Path:
    """Write a figure as PNG at 200 dots per inch, without times or names of programs.

    Returns
    -------
    path : Path
        Where it was written; the old file stays until the new one is complete.
    """
    path = Path(path)
    with style(), paths.atomic_write(path, "wb") as stream:
        figure.savefig(stream, format="png", dpi=200, metadata={"Software": None})
    return path


def fit_figure(fit, response=None, data=None, lang=None):
    """Data with the fitted curve, the interval of the mean and that of an individual.

    Parameters
    ----------
    fit : FitResult
        From a fit or from a table.
    response : str, optional
        The last left side (usually a total) when left out.
    data : DataFrame, optional
        Observations to draw; those of the fit when left out, none when it came from a table.
    lang : "zh" or "en", optional

    Returns
    -------
    figure : matplotlib Figure
    """
    lang = lang or reader_language()
    response = response or fit.system.responses[-1]
    data = fit.data if data is None else data
    x = sinklab.results.prediction.main_predictor(fit)
    grid = sinklab.results.prediction.curve_data(fit, data)
    for parameter, column in fit.system.groups.items():
        grid[column] = next(
            g for n, g in zip(fit.layout.names, fit.layout.groups, strict=True) if n == parameter
        )
    mean, single = fit.predict(grid, fit.level), fit.predict(grid, fit.level, "individual")
    level = f"{100 * fit.level:g} %"
    words = {
        "zh": ("实测", "拟合", f"均值 {level} 区间", f"个体 {level} 区间"),
        "en": ("measured", "fitted", f"{level} interval of the mean", f"{level} interval of an individual"),
    }[lang]
    with style():
        figure, axes = figure_of(5.2, 3.8)
        axis = axes[0, 0]
        band = single[f"{response}_lower"], single[f"{response}_upper"]
        axis.fill_between(grid[x], *band, color=FAINT, linewidth=0, label=words[3])
        band = mean[f"{response}_lower"], mean[f"{response}_upper"]
        axis.fill_between(grid[x], *band, color=BAND, linewidth=0, label=words[2])
        seen = sinklab.results.prediction.observed(fit, response, data)
        if seen is not None:
            axis.plot(data[x], seen, "o", ms=3, mfc="none", mec="#555555", mew=0.6, label=words[0])
        axis.plot(grid[x], mean[response], color=INK, lw=1.6, label=words[1])
        axis.set(xlabel=vocabulary.label(x, lang, True), ylabel=vocabulary.label(response, lang, True))
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
        axis.legend(loc="upper left")
        if fit.label:
            axis.set_title(fit.label)
    return figure


def residual_figure(fit, lang=None):
    """Standardised residuals of each free response, against the prediction and by size class.

    The classes are tenths of the sample along the main predictor; bars give the mean and its 95 %
    interval, which should hold zero.
    """
    lang = lang or reader_language()
    x = sinklab.results.prediction.main_predictor(fit)
    words = {
        "zh": ("标准化残差", "预测值", "分级均值"),
        "en": ("standardised residual", "predicted", "class mean"),
    }[lang]
    free = list(fit.residual)
    fitted = fit.fitted()
    with style():
        figure, axes = figure_of(7.2, 2.4 * len(free), len(free), 2)
        for row, response in enumerate(free):
            part = fitted[fitted["response"] == response]
            rows = fit.data.loc[part.index]
            residual = fit.standardised(response).to_numpy()
            left, right = axes[row]
            left.plot(part["predicted"], residual, "o", ms=2.5, mfc="none", mec=INK, mew=0.5)
            left.set_xscale("log")
            left.set(xlabel=f"{words[1]} {vocabulary.label(response, lang, True)}", ylabel=words[0])
            _class_means(right, rows[x].to_numpy(float), residual)
            right.set(xlabel=vocabulary.label(x, lang, True), ylabel=words[2])
            for axis in (left, right):
                axis.axhline(0, color="#999999", lw=0.8)
    return figure


def _class_means(axis, x, residual) -> None:
    order = np.argsort(x, kind="stable")
    for members in np.array_split(order, min(10, max(len(order) // 5, 1))):
        if len(members) < 2:
            continue
        half = 1.96 * residual[members].std(ddof=1) / np.sqrt(len(members))
        axis.errorbar(
            x[members].mean(), residual[members].mean(), yerr=half, fmt="o", ms=3.5, color=INK, lw=1
        )


def values_figure(values, lang=None):
    """Scalar values with their intervals, one line each.

    Parameters
    ----------
    values : DataFrame
        Rows of ``values.csv``: ``name, group, variable, mean, q025, q975, n_study``. Beyond sixty rows the
        ones with the fewest studies are left out, and the title says how many.

    Returns
    -------
    figure : matplotlib Figure
    """
    lang = lang or reader_language()
    shown = values
    if len(values) > MAX_VALUES:
        shown = values.sort_values("n_study", ascending=False, kind="stable").head(MAX_VALUES).sort_index()
    shared, groups = _shared(shown["group"])
    other = {"zh": "其他", "en": "any other"}[lang] if shared else None
    names = [
        vocabulary.group_label(group, lang) or other or name
        for group, name in zip(groups, shown["name"], strict=True)
    ]
    with style():
        figure, axes = figure_of(7.6, 1.2 + 0.22 * len(shown))
        axis = axes[0, 0]
        place = np.arange(len(shown))[::-1]
        axis.hlines(place, shown["q025"], shown["q975"], color=BAND, lw=2.5)
        axis.plot(shown["mean"], place, "o", ms=4, color=INK)
        axis.set_yticks(place, [f"{name} ({n:g})" for name, n in zip(names, shown["n_study"], strict=True)])
        axis.margins(y=0.6 / max(len(shown), 1))
        variable = str(shown["variable"].iloc[0])
        axis.set_xlabel(vocabulary.label(variable, lang, True))
        axis.grid(axis="x", color="#eeeeee")
        note = {
            "zh": f"均值与 95 % 区间（括号内为研究数），{len(shown)}/{len(values)} 项",
            "en": f"mean and 95 % interval (number of studies), {len(shown)} of {len(values)}",
        }[lang]
        # Over the labels, which may leave the axis too narrow for a line of text.
        about = vocabulary.group_label(shared, lang)
        figure.suptitle(f"{about}\n{note}" if about else note, x=0.01, ha="left", fontsize="medium")
    return figure


def _shared(groups) -> tuple[str, list[str]]:
    """What all groups say alike, and what is left of each."""
    told = [list(filter(None, group.split(";"))) for group in groups]
    alike = [part for part in told[0] if all(part in others for others in told)] if len(told) > 1 else []
    return ";".join(alike), [";".join(part for part in parts if part not in alike) for parts in told]


def comparison_figure(told, lang=None):
    """Predictions of several methods side by side, relative to the first.

    Parameters
    ----------
    told : DataFrame
        Columns ``method, response, size, value, lower, upper``; one row for each method, response and
        size, the methods in the order in which they are drawn.

    Returns
    -------
    figure : matplotlib Figure
        One panel for each response; every size is a cluster of intervals, in percent of the prediction
        of the first method.
    """
    lang = lang or reader_language()
    methods = list(dict.fromkeys(told["method"]))
    sizes, responses = list(dict.fromkeys(told["size"])), list(dict.fromkeys(told["response"]))
    colours = ("#1b4d3e", "#7a5195", "#ef5675", "#ffa600", "#2f7fb8", "#777777", "#8c564b")
    with style():
        figure, axes = figure_of(2.6 * len(responses), 3.2, 1, len(responses))
        for axis, response in zip(axes[0], responses, strict=True):
            for m, method in enumerate(methods):
                part = told[(told["method"] == method) & (told["response"] == response)].set_index("size")
                first = told[(told["method"] == methods[0]) & (told["response"] == response)]
                share = 100 / first.set_index("size")["value"].reindex(part.index)
                place = np.array([sizes.index(s) for s in part.index]) + (m - len(methods) / 2) * 0.11
                span = (part[["lower", "upper"]].sub(part["value"], axis=0)).mul(share, axis=0).abs().T
                line = {"fmt": "o", "ms": 3.5, "lw": 1.2, "color": colours[m % len(colours)]}
                axis.errorbar(place, part["value"] * share, yerr=span, label=method, **line)
            axis.axhline(100, color="#cccccc", lw=0.8, zorder=0)
            axis.set_xticks(range(len(sizes)), sizes)
            axis.set_title(vocabulary.label(response, lang), loc="left")
        axes[0, 0].set_ylabel(
            {"zh": f"占 {methods[0]} 预测值的百分比", "en": f"% of the prediction of {methods[0]}"}[lang]
        )
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(methods))
    return figure


# --- Figures of the systems: carbon by depth, importance of inputs, values beside printed ones, curves over

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
    unit = vocabulary.units_symbol(vocabulary.variables()["stock_increment"].unit, lang)
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


# --- Figures of forest stands: heights over diameters, what a few heights save, expansion factors.


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


# --- Figures of published knowledge: lines of other authors over new data.

PUBLISHED_GRID = 120
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
    lang = lang or reader_language()
    limits = rules()
    figure, (axis,) = axes_of(5.4, 4.2)
    response = rows["response"].iloc[0]
    drawn, other = 0, 0
    said = {
        False: words(lang, "已发表方程", "published equations"),
        True: words(lang, "检验判为不合理", "found implausible"),
    }
    for row in rows.to_dict("records"):
        if not set(row["predictors"].split(";")) <= {"dbh", "height"} or row["group"] not in equations.TREES:
            other += 1
            continue
        grid = np.geomspace(*span(row, limits), PUBLISHED_GRID)
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
    return lambda grid: {"height": equations.height_of(grid, "tree")}


def _band(axis, predict, ends, response, level, colour, more, lang) -> None:
    grid = np.geomspace(*ends, PUBLISHED_GRID)
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

    grid = np.geomspace(*fit.ranges["dbh"], PUBLISHED_GRID)
    found = fit.predict(pd.DataFrame({"dbh": grid}), level=level)
    label = words(lang, f"新拟合，均值 {level:.0%} 置信区间", f"new fit, {level:.0%} interval of the mean")
    low = found[f"{response}_lower"].clip(lower=found[response] / 1e3)
    axis.fill_between(grid, low, found[f"{response}_upper"], color=BAND, alpha=0.5, lw=0)
    axis.plot(grid, found[response], color=INK, linewidth=1.6, label=label, zorder=5)


# --- Maps of stocks: what there is, and how uncertain it is, side by side on a layer that the user brings.

NOTHING = "#eeeeee"


def stock_map(layer, value: str, uncertainty: str, label=None, lang=None):
    """Two choropleths of one layer: a value, and its relative uncertainty.

    Parameters
    ----------
    layer : GeoDataFrame
        Polygons with the two columns; rows without a number are drawn grey.
    value : str
        Column of the stock per hectare of carbon [t/ha].
    uncertainty : str
        Column of its relative half-width [-].
    label : str, optional
        Column whose text is written on the polygons.
    lang : "zh" or "en", optional

    Returns
    -------
    figure : matplotlib Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    chinese = (lang or reader_language()) == "zh"
    titles = (
        ("单位面积碳储量 (t/hm²)", "相对不确定性（半宽/估计值，%）")
        if chinese
        else ("carbon per area (t/ha)", "relative uncertainty (half-width / estimate, %)")
    )
    frame = layer.assign(_value=layer[value], _spread=100 * layer[uncertainty])
    with mpl.rc_context({"font.family": [paths.register(), "DejaVu Sans"], "font.size": 9}):
        figure = Figure(figsize=(10, 4.8), layout="constrained")
        axes = figure.subplots(1, 2)
        for axis, column, title, colours in zip(
            axes, ("_value", "_spread"), titles, ("YlGn", "OrRd"), strict=True
        ):
            _draw(axis, frame, column, title, colours)
        if label is not None and len(frame) <= 60:
            inside = frame.geometry.representative_point()
            for name, point in zip(frame[label].astype(str), inside, strict=True):
                axes[0].annotate(name, (point.x, point.y), ha="center", va="center", fontsize=6)
    return figure


def _draw(axis, frame, column, title, colours) -> None:
    known = np.isfinite(frame[column].to_numpy(float))
    if (~known).any():
        frame[~known].plot(ax=axis, color=NOTHING, edgecolor="#999999", linewidth=0.3, hatch="///")
    if known.any():
        frame[known].plot(
            ax=axis, column=column, cmap=colours, edgecolor="#666666", linewidth=0.2, legend=True
        )
    axis.set_title(title, loc="left")
    axis.set_axis_off()
