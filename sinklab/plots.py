"""Figures: data with the fitted curve and its intervals, residuals, distributions of values.

Every function returns a matplotlib ``Figure`` and draws with the bundled Chinese font, so labels in
Chinese look the same on every system. :func:`save` writes a file whose bytes depend on the figure
alone.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from sinklab import paths, vocabulary
from sinklab.equations.parts import complete
from sinklab.language import language
from sinklab.plot_style import BAND, FAINT, INK, figure_of, style

N_GRID = 200
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


def main_predictor(fit) -> str:
    """Predictor that figures are drawn against: the first of the equations."""
    return fit.system.predictors[0]


def curve_data(fit, data=None) -> pd.DataFrame:
    """Predictors along the fitted span of the main one, the others following it.

    Another predictor follows its line on the main one in logarithms, as in the data; without data it
    runs from its smallest to its largest value.
    """
    x = main_predictor(fit)
    low, high = fit.ranges[x]
    grid = np.geomspace(low, high, N_GRID)
    columns = {x: grid}
    for other in fit.system.predictors[1:]:
        bottom, top = fit.ranges[other]
        if data is not None and other in data:
            both = data[[x, other]].dropna().astype(float)
            slope, intercept = np.polyfit(np.log(both[x]), np.log(both[other]), 1)
        else:
            slope = np.log(top / bottom) / np.log(high / low)
            intercept = np.log(bottom) - slope * np.log(low)
        columns[other] = np.clip(np.exp(intercept + slope * np.log(grid)), bottom, top)
    return pd.DataFrame(columns)


def observed(fit, response, data):
    """Measured values of a response; those of a total that was not weighed are made of its parts.

    Returns
    -------
    values : Series or array, shape (n,), or None
        None when the data do not hold them.
    """
    if data is None or response in data:
        return None if data is None else data[response]
    if response not in fit.system.identities:
        return None
    blank = np.full(len(data), np.nan)
    parts = {r: data[r].to_numpy(float) if r in data else blank for r in fit.system.free}
    columns = {c: data[c].to_numpy(float) for c in fit.system.predictors}
    made = complete(fit.system, parts, columns)[response]
    return made if np.isfinite(made).any() else None


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
    lang = lang or language()
    response = response or fit.system.responses[-1]
    data = fit.data if data is None else data
    x = main_predictor(fit)
    grid = curve_data(fit, data)
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
        seen = observed(fit, response, data)
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
    lang = lang or language()
    x = main_predictor(fit)
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
            residual = _standardised(fit, response, part, rows)
            left, right = axes[row]
            left.plot(part["predicted"], residual, "o", ms=2.5, mfc="none", mec=INK, mew=0.5)
            left.set_xscale("log")
            left.set(xlabel=f"{words[1]} {vocabulary.label(response, lang, True)}", ylabel=words[0])
            _class_means(right, rows[x].to_numpy(float), residual)
            right.set(xlabel=vocabulary.label(x, lang, True), ylabel=words[2])
            for axis in (left, right):
                axis.axhline(0, color="#999999", lw=0.8)
    return figure


def _standardised(fit, response, part, rows) -> np.ndarray:
    model = fit.residual[response]
    predicted = part["predicted"].to_numpy(float)
    if model.kind == "lognormal":
        # Residuals of the logarithms, from the median.
        return np.log(part["observed"] / predicted * fit.correction[response]).to_numpy() / model.sigma
    return (part["observed"].to_numpy(float) - predicted) / model.sd(predicted, rows)


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
    lang = lang or language()
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
    lang = lang or language()
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
