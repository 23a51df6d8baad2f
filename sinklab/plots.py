"""Figures: fits and their residuals, values, objects, curves, published equations; those of one ecosystem stand in its chapter.

Every function returns a matplotlib ``Figure`` drawn with the bundled Chinese font, so labels in Chinese look the same
on every system; ``lang`` is that of the reader when left out. :func:`save` writes a file whose bytes depend on the
figure alone. What is drawn is worked out elsewhere: predictions, residuals and means of classes belong to results.
"""

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial, wraps
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from sinklab import paths
from sinklab.data import literature, vocabulary
from sinklab.equations.latex import mathtext
from sinklab.equations.system import System
from sinklab.evidence import distributions, equations
from sinklab.evidence.pool_equations import PooledEquation
from sinklab.language import DataError, reader_language, require_choice
from sinklab.results.fit_result import FitResult, observed
from sinklab.results.indices import class_means
from sinklab.results.prediction import curve_data, kinds_of, main_predictor, main_response

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Fonts, lines and colours that all figures share.

INK, BAND, FAINT, PRINTED = "#1b4d3e", "#7fb69a", "#d7e8de", "#b5651d"
#: Colours of lines one after another: our own, other people's, and several fits of one kind.
INKS = (INK, "#4f9a7a", "#86b59f", "#2f6f9f", "#7a4f9a", "#9a7a4f")
SHADES = ("#b5651d", "#8a6fb0", "#3b7dbd", "#c0504d", "#777733", "#d2a24c", "#5f9ea0")
METHODS = (INK, "#7a5195", "#ef5675", "#ffa600", "#2f7fb8", "#777777", "#8c564b")
#: Marks and dashes one after another, so that lines and sources are told apart without colours.
MARKS = "Ds^v<>PpX*hd"
DASHES = ("-", "--", "-.", ":", (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))
#: Values that one figure shows, published lines that are named one by one, priors, points of a line, species named.
MAX_VALUES, MAX_NAMED, MAX_PANELS, N_GRID, MAX_SPECIES = 60, 6, 12, 120, 3

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def style() -> Iterator[None]:
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


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw a whole figure in the style of the house."""

    @wraps(draw)
    def inside(*arguments: P.args, **options: P.kwargs) -> R:
        with style():
            return vocabulary.in_its_words(draw)(*arguments, **options)

    return inside


@lru_cache(maxsize=1)
def _shown() -> type["Figure"]:
    """Class of figures that a notebook shows when a cell ends with one, whatever it was set up for."""
    from matplotlib.figure import Figure

    class Shown(Figure):
        def _repr_png_(self) -> bytes:
            stream = BytesIO()
            with style():
                self.savefig(stream, format="png", dpi=110)
            return stream.getvalue()

    return Shown


def figure_of(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple["Figure", Any]:
    """Figure and its axes, an array (rows, columns)."""
    figure = _shown()(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def axes_of(width: float, height: float, columns: int = 1) -> tuple["Figure", Any]:
    """Figure and its axes side by side."""
    figure, axes = figure_of(width, height, 1, columns)
    return figure, axes[0]


def words(lang: str | None, zh: str, en: str) -> str:
    """The text of the language."""
    return zh if (lang or reader_language()) == "zh" else en


def group_word(column: str, value: Any, lang: str | None = None) -> str:
    """One level of a column of groups in words, as ``mangrove`` of ``habitat``."""
    return vocabulary.group_label(f"{column}={value}", lang)


def name_axes(axis: Any, x: str | None = None, y: str | None = None, lang: str | None = None) -> None:
    """Label the axes with variables of the vocabulary and their units."""
    if x is not None:
        axis.set_xlabel(vocabulary.label(x, lang, True))
    if y is not None:
        axis.set_ylabel(vocabulary.label(y, lang, True))


def log_scale(axis: Any, x: bool = True, y: bool = True) -> None:
    """Logarithmic axes, called when all is drawn; one that spans less than two decades has plain numbers at 1, 2 and 5 of each."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for wanted, name in ((x, "x"), (y, "y")):
        if not wanted:
            continue
        axis.set(**{f"{name}scale": "log"})
        low, high = sorted(getattr(axis, f"get_{name}lim")())
        if high < 100 * low:
            ticks = getattr(axis, f"{name}axis")
            ticks.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ticks.set_minor_formatter(NullFormatter())


def points(
    axis: Any,
    x: Any,
    y: Any,
    size: float = 3.0,
    edge: str = "#999999",
    width: float = 0.4,
    label: Any = None,
    mark: str = "o",
) -> None:
    """Measured values as open circles, or other marks."""
    axis.plot(x, y, mark, ms=size, mfc="none", mec=edge, mew=width, label=label)


def band(axis: Any, x: Any, told: Any, response: str, **options: Any) -> None:
    """Interval of a prediction."""
    axis.fill_between(x, told[f"{response}_lower"], told[f"{response}_upper"], lw=0, **options)


#: Formats of :func:`save` by the ending of a file, with what keeps times and names of programs out of them.
FORMATS: dict[str, tuple[str, dict[str, str | None] | None]] = {
    ".png": ("png", {"Software": None}),
    ".svg": ("svg", {"Date": None, "Creator": None}),
    ".pdf": ("pdf", {"CreationDate": None, "Creator": None, "Producer": None}),
    ".tif": ("tiff", None),
    ".tiff": ("tiff", None),
}


def told_of(figure: "Figure") -> str:
    """What a figure shows, by its first axes: what stands on them, and whose it is."""
    if not figure.axes:
        return ""
    axis = figure.axes[0]
    x, y = (re.split(r"/| \(", text)[0] for text in (axis.get_xlabel(), axis.get_ylabel()))
    chinese = re.search("[\u4e00-\u9fff]", x + y) is not None
    axes = ("与" if chinese else " against ").join(filter(None, (y, x)))
    whose = axis.get_title().partition("\n")[0]
    whose = re.sub(r"\$?\\mathit\{([^}]*)\}\$?", r"\1", whose).replace("\\ ", " ")
    # Equations and counts are no name.
    whose = "" if re.search(r"[=$\d]", whose) else whose
    return ("，" if chinese else ", ").join(filter(None, (axes, whose)))


def save(figure: "Figure", path: str | Path, dpi: int = 200) -> Path:
    """Write a figure as PNG, SVG, PDF or TIFF, as the name of the file ends; the same figure gives the same bytes.

    What it shows in words is kept as the title of the file (TIFF has none), for whoever shows it below a caption.

    Parameters
    ----------
    figure : Figure
    path : path
    dpi : int
        Dots per inch of PNG and TIFF; printers ask for 600.

    Returns
    -------
    path : Path
        Where it was written; the old file stays until the new one is complete.

    Raises
    ------
    DataError
        Another ending.
    """
    import matplotlib as mpl

    path = Path(path)
    require_choice("ending of a figure", path.suffix.lower(), tuple(FORMATS))
    kind, metadata = FORMATS[path.suffix.lower()]
    metadata = metadata and {**metadata, "Title": told_of(figure)}
    with style(), mpl.rc_context({"svg.hashsalt": "sinklab"}), paths.atomic_write(path, "wb") as stream:
        figure.savefig(stream, format=kind, dpi=dpi, metadata=metadata)
    return path


def show(figure: "Figure", out_dir: str | Path, name: str) -> None:
    """Save a figure of a notebook as ``figures/<name>.png`` of its folder, and show it.

    A folder that is not absolute lies in the workbench, wherever the notebook was opened.
    """
    from IPython.display import Image, display

    display(Image(filename=str(save(figure, paths.root() / out_dir / "figures" / f"{name}.png"))))


# Fits.


@styled
def fit_figure(
    fit: FitResult,
    response: str | None = None,
    data: pd.DataFrame | None = None,
    lang: str | None = None,
    log: bool = False,
    caption: bool = True,
) -> "Figure":
    """Data with the fitted curve, the interval of the mean and that of an individual.

    Parameters
    ----------
    fit : FitResult
        From a fit or from a table.
    response : str, optional
        The total, or the mass above ground, or the last left side when left out.
    data : DataFrame, optional
        Observations to draw; those of the fit when left out, none when it came from a table.
    log : bool
        Both axes by logarithms.
    caption : bool
        Species, equation, number of trees and indices above; a document says them in its own words.
    """
    response = response or main_response(fit)
    data = fit.data if data is None else data
    x, level, kinds = main_predictor(fit), f"{100 * fit.level:g}", kinds_of(fit)
    of_one = words(lang, f"个体的{level}%区间", f"{level} % interval of an individual")
    of_mean = words(lang, f"均值的{level}%区间", f"{level} % interval of the mean")
    figure, (axis,) = axes_of(5.2, 3.8)
    grids = [curve_data(fit, data, kind) for kind in kinds or [None]]
    means = [fit.predict(grid, fit.level, of="average") for grid in grids]
    for i, grid in enumerate(grids):
        single = fit.predict(grid, fit.level, "individual")
        band(axis, grid[x], single, response, color=FAINT, label=None if i else of_one)
    for i, (grid, mean) in enumerate(zip(grids, means, strict=True)):
        band(axis, grid[x], mean, response, color=BAND, label=None if i else of_mean)
    seen = observed(fit, response, data)
    for i, (grid, mean) in enumerate(zip(grids, means, strict=True)):
        kind = kinds[i] if kinds else None
        told = _kind_words(kind, lang) if kind else ""
        if seen is not None:
            here = np.ones(len(data), bool) if kind is None else (data[kind[0]] >= kind[1]) == kind[2]
            said = words(lang, "实测", "measured") + told
            points(axis, data[x][here], np.asarray(seen)[here], 3.0, "#555555", 0.6, said, "os"[i])
        said = words(lang, "拟合", "fitted") + told
        axis.plot(grid[x], mean[response], color=INK, lw=1.6, ls=DASHES[i], label=said)
    name_axes(axis, x, response, lang)
    if log:
        log_scale(axis)
    else:
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
    axis.legend(loc="upper left")
    if caption:
        told = [_above(fit, response, lang), _along(fit, grids[0], {kind[0] for kind in kinds}, lang)]
        axis.set_title("\n".join(filter(None, told)), fontsize="small")
    return figure


def _along(fit: FitResult, grid: pd.DataFrame, kinds: set[str], lang: str | None) -> str:
    """Where the other predictors of a curve go from end to end, as stems that fall where diameters rise."""
    told = []
    for x in (x for x in fit.system.predictors[1:] if x not in kinds):
        ends = [f"{float(f'{grid[x].iloc[i]:.3g}'):g}" for i in (0, -1)]
        span = words(lang, "～", " to ").join(dict.fromkeys(ends))
        unit = vocabulary.units_symbol(vocabulary.variable(x).unit, lang)
        told.append(f"{vocabulary.label(x, lang)} {span} {unit}".strip())
    return words(lang, "沿曲线：", "along the curve: ") + words(lang, "；", "; ").join(told) if told else ""


def _kind_words(kind: tuple[str, float, bool, float], lang: str | None) -> str:
    """One kind of :func:`.kinds_of` in words: ``, age class ≥ 2``."""
    name, bound, above, _ = kind
    unit = vocabulary.units_symbol(vocabulary.variable(name).unit, lang)
    told = f"{'≥' if above else '<'} {bound:g}"
    zh = f"，{vocabulary.label(name, 'zh')}{told.replace('<', '＜').replace(' ', '')}{unit}"
    return words(lang, zh, f", {vocabulary.label(name, 'en')} {told}")


def of_whom(fit: FitResult, lang: str | None = None) -> str:
    """Whose fit it is: its label in words, else the species of its trees where they are few; Latin names stand slanted."""
    # A model of stands is called by its kind, rank and taxon.
    seen = [re.sub(r"^\w+, [a-z]+ ", "", fit.label)] if fit.label else []
    if not seen and fit.data is not None and "species" in fit.data:
        seen = list(fit.data["species"].dropna().astype(str).unique())
    told = {}
    for name, found in ((name, vocabulary.find_species(name)) for name in seen):
        # The Chinese font has no italics.
        latin = (
            "$" + r"\ ".join(rf"\mathit{{{part}}}" for part in found.name_latin.split()) + "$"
            if found
            else ""
        )
        told[words(lang, found.name_zh, latin) if found else name] = None
    return words(lang, "、", ", ").join(told) if len(told) <= MAX_SPECIES else ""


def _above(fit: FitResult, response: str, lang: str | None) -> str:
    """What stands above a figure of one response: species, equation, number of trees and indices."""
    return "\n".join(filter(None, [of_whom(fit, lang), _caption(fit, response, lang)]))


def _head(figure: "Figure", fit: FitResult, responses: Sequence[str], lang: str | None) -> None:
    """The same above a figure of several responses, a line each; an equation that is too long stands above its figures."""
    lines = [of_whom(fit, lang)]
    for response in responses:
        text, _, counts = _caption(fit, response, lang).rpartition("\n")
        lines += [text, counts] if len(text) > 90 else [f"{text}   {counts}".strip()]
    figure.suptitle("\n".join(filter(None, lines)), x=0.01, ha="left", fontsize="small")


def _caption(fit: FitResult, response: str, lang: str | None) -> str:
    """Equation of a response; below it the number of trees and indices."""
    text = next(
        line
        for equation, line in zip(fit.system.equations, mathtext(fit.system, lang), strict=True)
        if equation.response == response
    )
    told = fit.index_table.loc[response] if response in fit.index_table.index else {}
    n = fit.n.get(response) or int(told.get("n", 0))
    figures = [
        f"{said} = {told[name]:.3g}{unit}"
        for name, said, unit in (("R2", "R²", ""), ("MPE", "MPE", " %"))
        if name in told and np.isfinite(told[name])
    ]
    figures = [f"n = {n}"] * (n > 0) + figures
    text = text if text[0] == "$" and len(text) < 160 else textwrap.fill(text, 60)
    return "\n".join(filter(None, [text, "  ".join(figures)]))


@styled
def observed_figure(fit: FitResult, response: str | None = None, lang: str | None = None) -> "Figure":
    """Observed against predicted values of a response, with the line on which both agree."""
    response, seen = response or main_response(fit), None
    if fit.data is not None:
        seen = observed(fit, response, fit.data)
    if seen is None:
        raise _no_trees(fit, response)
    told = fit.predict(fit.data, fit.level, of="average")[response]
    figure, (axis,) = axes_of(4.2, 4.0)
    points(axis, told, seen, edge=INK, width=0.6)
    top = float(np.nanmax([np.nanmax(told), np.nanmax(seen)])) * 1.03
    axis.plot([0, top], [0, top], color="#999999", lw=0.9, label="1:1")
    name = vocabulary.label(response, lang, True)
    axis.set_xlabel(f"{words(lang, '预测值', 'predicted')} {name}")
    axis.set_ylabel(f"{words(lang, '实测值', 'observed')} {name}")
    axis.set_xlim(0, top)
    axis.set_ylim(0, top)
    axis.legend(loc="upper left")
    axis.set_title(_above(fit, response, lang), fontsize="small")
    return figure


@styled
def quantile_figure(fit: FitResult, lang: str | None = None) -> "Figure":
    """Quantiles of the standardised residuals of each free response against those of a normal distribution."""
    from scipy import stats

    if fit.data is None:
        raise _no_trees(fit, fit.system.free[0])
    columns = 2 if len(fit.residual) in (2, 4) else min(len(fit.residual), 3)
    rows = -(-len(fit.residual) // columns)
    figure, grid = figure_of(max(2.6 * columns, 4.2), 2.7 * rows + 0.5, rows, columns)
    for axis in grid.flat[len(fit.residual) :]:
        axis.set_visible(False)
    for axis, response in zip(grid.flat, fit.residual, strict=False):
        residual = np.sort(fit.standardised(response).to_numpy(float))
        normal = stats.norm.ppf((np.arange(len(residual)) + 0.5) / len(residual))
        points(axis, normal, residual, 2.5, INK, 0.5)
        ends = [normal[0], normal[-1]]
        axis.plot(ends, ends, color="#999999", lw=0.9)
        axis.set_title(vocabulary.label(response, lang), fontsize="small")
        axis.set_xlabel(words(lang, "正态分位数", "normal quantile"))
    for row in grid:
        row[0].set_ylabel(words(lang, "标准化残差", "standardised residual"))
    _head(figure, fit, list(fit.residual), lang)
    return figure


@styled
def sites_figure(fit: FitResult, response: str | None = None, lang: str | None = None) -> "Figure":
    """Factors of the sites that were sampled, in order, with the interval of a new one."""
    from scipy import stats

    found = fit.between
    if found is None or found.effects is None:
        raise DataError(
            "the fit knows no sites; name their column with cluster=",
            "拟合没有样点信息；请用 cluster= 指定样点列",
        )
    response = response or main_response(fit)
    response = response if response in found.names else found.names[-1]
    part = found.effects[found.effects["response"] == response].sort_values("value")
    middle, ends_of = part["value"].to_numpy(), 1.96 * part["se"].to_numpy()
    centre, sd = float(found.centre[response]), float(np.sqrt(found.spread.loc[response, response]))
    ends = centre + stats.t.ppf(0.5 + fit.level / 2, max(found.n - 1, 1)) * sd * np.array([-1, 1])
    figure, (axis,) = axes_of(5.2, max(2.4, 0.16 * len(part) + 1))
    level = f"{100 * fit.level:g} %"
    axis.axvspan(
        *100 * np.expm1(ends), color=FAINT, label=words(lang, f"新样点 {level} 区间", f"new site, {level}")
    )
    axis.axvline(0, color="#999999", lw=0.8)
    places = np.arange(len(part))
    axis.hlines(places, *100 * np.expm1([middle - ends_of, middle + ends_of]), color=INK, lw=0.8)
    axis.plot(100 * np.expm1(middle), places, "o", ms=3.5, color=INK, label=words(lang, "样点", "sites"))
    axis.set_yticks(
        places, [textwrap.shorten(str(v), 40, placeholder="…") for v in part["level"]], fontsize="x-small"
    )
    axis.set_xlabel(words(lang, "相对方程的偏离/%", "deviation from the equation (%)"))
    axis.set_title(f"{vocabulary.label(response, lang)}\n{_above(fit, response, lang)}", fontsize="small")
    figure.legend(loc="outside lower right", ncols=2, fontsize="small")
    return figure


def _no_trees(fit: FitResult, response: str) -> DataError:
    return DataError(
        f"{response}: no observations with this result (it was read from a table, or no tree has all parts)",
        f"{response}：该结果没有实测值（读自参数表，或没有分量齐全的样木）",
    )


#: Figures of a fit, by kind.
KINDS: dict[str, Callable[..., "Figure"]] = {
    "fit": lambda fit, response, lang: fit_figure(fit, response, lang=lang, caption=True),
    "log": lambda fit, response, lang: fit_figure(fit, response, lang=lang, log=True, caption=True),
    "observed": lambda fit, response, lang: observed_figure(fit, response, lang),
    "residuals": lambda fit, response, lang: residual_figure(fit, lang),
    "qq": lambda fit, response, lang: quantile_figure(fit, lang),
    "sites": lambda fit, response, lang: sites_figure(fit, response, lang),
    "prior": lambda fit, response, lang: prior_figure(fit, lang),
}


def drawn(
    thing: Any, kind: str, path: str | Path | None = None, lang: str | None = None, name: str | None = None
) -> "Figure":
    """Figure of a fit, table, system or distribution, as its method ``plot`` gives it; also written when a path is given.

    Raises
    ------
    DataError
        Unknown kinds and endings, and what a kind needs and the thing does not have.
    """
    kinds: dict[str, Callable[[], Figure]]
    match thing:
        case FitResult():
            kinds = {known: partial(draw, thing, name, lang) for known, draw in KINDS.items()}
        case System():
            kinds = {"equations": partial(equations_as_set, thing, lang)}
        case distributions.Distribution() | distributions.ZeroInflated():
            kinds = {
                known: partial(distribution_figure, thing, known, lang) for known in ("density", "cumulative")
            }
        case _:
            kinds = {"values": partial(_values_of, thing, name, lang)}
    require_choice("kind", kind, tuple(kinds))
    figure = kinds[kind]()
    if path is not None:
        save(figure, path, dpi=600)
    return figure


def _values_of(table: Any, variable: str | None, lang: str | None) -> "Figure":
    """Values of one variable of a table, those that are refused left out."""
    there = table.values[
        (table.values["status"] != "refused") & table.values[["mean", "q025"]].notna().all(axis=1)
    ]
    names = list(dict.fromkeys(there["variable"]))
    if not names:
        raise DataError(
            f"{table.ref}: no value has a mean and an interval to draw; table show {table.table_id} says why",
            f"{table.ref}：没有同时具备均值与区间、可以绘图的取值；table show {table.table_id} 列出原因",
        )
    if variable is not None or len(names) != 1:
        require_choice(
            words(lang, "response（取值的变量）", "response (variable of the values)"), variable, tuple(names)
        )
        there = there[there["variable"] == variable]
    return values_figure(there, lang, sum(table.values["variable"].isin(there["variable"])))


@styled
def equations_as_set(system: System, lang: str | None = None) -> "Figure":
    """Equations of a system as a paper sets them, one below the other."""
    lines = mathtext(system, lang)
    figure, (axis,) = axes_of(6.4, 0.3 + 0.42 * len(lines))
    axis.axis("off")
    for k, line in enumerate(lines):
        axis.text(0, 1 - (k + 0.5) / len(lines), line, va="center", fontsize=13 if line[0] == "$" else 9)
    return figure


@styled
def distribution_figure(found: Any, kind: str, lang: str | None = None) -> "Figure":
    """Density of a distribution with its middle 95 %, or the share below; a share at nought is a stroke."""
    (low, high), ends = found.quantile(np.array([0.025, 0.975])), found.quantile(np.array([0.001, 0.999]))
    figure, (axis,) = axes_of(4.6, 3.0)
    if kind == "cumulative":
        share = np.linspace(0.001, 0.999, 4 * N_GRID)
        axis.plot(found.quantile(share), share, color=INK, lw=1.6)
        axis.set_ylabel(words(lang, "累积概率", "share below"))
    else:
        x = np.linspace(max(ends[0], 1e-9) if getattr(found, "zero", 0) else ends[0], ends[1], 4 * N_GRID)
        y = found.pdf(x)
        axis.fill_between(x, y, where=(x >= low) & (x <= high), color=FAINT, lw=0, label="95 %")
        axis.plot(x, y, color=INK, lw=1.6)
        axis.set_ylabel(words(lang, "概率密度", "density"))
        axis.set_ylim(bottom=0)
    if getattr(found, "zero", 0):
        axis.axvline(0, color=PRINTED, lw=2, label=f"P(0) = {found.zero:.3g}")
    axis.axvline(found.mean, color="#999999", lw=0.9, ls="--", label=words(lang, "均值", "mean"))
    axis.set_title(repr(found), fontsize="small")
    axis.legend()
    return figure


@styled
def prior_figure(fit: FitResult, lang: str | None = None) -> "Figure":
    """Posterior draws of every quantity that has a prior of its own, against that prior."""
    stated = getattr(fit, "priors", None)
    if stated is None:
        raise DataError(
            "the fit has no priors; fit it with method bayes", "该结果没有先验分布；请用 bayes 方法拟合"
        )
    from sinklab.fitting.bayes import priors

    draws = pd.concat([fit.stored_draws, fit.other_draws], axis=1)
    known, shown = dict(zip(stated["name"], stated["prior"], strict=True)), []
    for column in draws:
        # The prior of a pooled coefficient is that of its mean over the groups, of another that of every level.
        name = column.removeprefix("mean(").removesuffix(")") if column.startswith("mean(") else column
        name = name if name in known or f"mean({name.partition('[')[0]})" in draws else name.partition("[")[0]
        shown += [(column, name)] if name in known else []
    more, shown = max(len(shown) - MAX_PANELS, 0), shown[:MAX_PANELS]
    figure, axes = figure_of(7.6, 2.0 * -(-len(shown) // 3), -(-len(shown) // 3), 3)
    for axis in axes.flat[len(shown) :]:
        axis.set_visible(False)
    for axis, (column, name) in zip(axes.flat, shown, strict=False):
        values, prior = draws[column].to_numpy(), priors.parse(name, known[name])
        if name.startswith("sigma("):
            # The prior is that of the spread at the centre of the variance function.
            response = name[6:-1]
            power = draws.get(f"exponent({response})", fit.residual[response].exponent)
            values = values * np.exp(np.asarray(power) * fit.centres[response])
        low, high = np.quantile(values, [0.001, 0.999])
        x = np.linspace(low - (high - low) / 2, high + (high - low) / 2, N_GRID)
        positive = name in fit.positive or name.startswith(("sigma(", "spread("))
        x = x[x > 0] if positive else x
        axis.hist(values, bins=30, density=True, color=BAND, label=words(lang, "后验", "posterior"))
        axis.plot(x, prior.density(x, positive), color=PRINTED, lw=1.5, label=words(lang, "先验", "prior"))
        axis.set_title(f"{column} ~ {known[name]}", fontsize="small")
        axis.set_yticks([])
    rest = words(lang, f"另有 {more} 个量未绘", f"{more} more quantities not drawn") if more else None
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, title=rest)
    _head(figure, fit, list(fit.residual), lang)
    return figure


@styled
def residual_figure(fit: FitResult, lang: str | None = None, caption: bool = True) -> "Figure":
    """Standardised residuals of each free response, against the prediction and by size class.

    Above them stand species, equations, numbers of trees and indices, unless a document says them in its own words.

    The classes are tenths of the sample along the main predictor; bars give the mean and its 95 %
    interval, which should hold zero.
    """
    x, fitted = main_predictor(fit), fit.fitted()
    figure, axes = figure_of(7.2, 2.4 * len(fit.residual), len(fit.residual), 2)
    for (left, right), response in zip(axes, fit.residual, strict=True):
        part, residual = fitted[fitted["response"] == response], fit.standardised(response)
        points(left, part["predicted"], residual, 2.5, INK, 0.5)
        log_scale(left, y=False)
        left.set_xlabel(f"{words(lang, '预测值', 'predicted')} {vocabulary.label(response, lang, True)}")
        left.set_ylabel(words(lang, "标准化残差", "standardised residual"))
        means = class_means(fit.data.loc[part.index, x], residual)
        for row in means.itertuples():
            right.errorbar(row.x, row.mean, yerr=row.half_width, fmt="o", ms=3.5, color=INK, lw=1)
        name_axes(right, x, None, lang)
        right.set_ylabel(words(lang, "分级均值", "class mean"))
        for axis in (left, right):
            axis.axhline(0, color="#999999", lw=0.8)
    if caption:
        _head(figure, fit, list(fit.residual), lang)
    return figure


@styled
def comparison_figure(told: pd.DataFrame, lang: str | None = None) -> "Figure":
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
    methods, sizes, responses = (list(dict.fromkeys(told[c])) for c in ("method", "size", "response"))
    figure, axes = axes_of(2.6 * len(responses), 3.2, len(responses))
    for axis, response in zip(axes, responses, strict=True):
        of_this = told[told["response"] == response].set_index("size")
        first = of_this.loc[of_this["method"] == methods[0], "value"]
        for m, method in enumerate(methods):
            part = of_this[of_this["method"] == method]
            share = 100 / first.reindex(part.index)
            place = np.array([sizes.index(s) for s in part.index]) + (m - len(methods) / 2) * 0.11
            span = (part[["lower", "upper"]].sub(part["value"], axis=0)).mul(share, axis=0).abs().T
            line = {
                "fmt": "o" if m == 0 else MARKS[m - 1],
                "ms": 3.5,
                "lw": 1.2,
                "mfc": "none" if m else None,
            }
            line["color"] = METHODS[m % len(METHODS)]
            axis.errorbar(place, part["value"] * share, yerr=span, label=method, **line)
        axis.axhline(100, color="#cccccc", lw=0.8, zorder=0)
        axis.set_xticks(range(len(sizes)), sizes)
        axis.set_title(vocabulary.label(response, lang), loc="left")
    axes[0].set_ylabel(words(lang, f"占 {methods[0]} 预测值的百分比", f"% of the prediction of {methods[0]}"))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(methods))
    return figure


# Values.


@styled
def values_figure(values: pd.DataFrame, lang: str | None = None, of: int | None = None) -> "Figure":
    """Scalar values with their intervals, one line each.

    Parameters
    ----------
    values : DataFrame
        Rows of ``values.csv``: ``name, group, variable, mean, q025, q975, n_study``. Beyond sixty rows the
        ones with the fewest studies are left out, and the title says how many.
    of : int, optional
        How many there are with those that have no interval to draw; as many as rows when left out.
    """
    shown = values
    if len(values) > MAX_VALUES:
        shown = values.sort_values("n_study", ascending=False, kind="stable").head(MAX_VALUES).sort_index()
    shared, groups = _shared(shown["group"])
    other = words(lang, "其他", "any other") if shared else None
    labels = [
        f"{vocabulary.group_label(group, lang) or other or name} ({n:g})"
        for group, name, n in zip(groups, shown["name"], shown["n_study"], strict=True)
    ]
    figure, (axis,) = axes_of(7.6, 1.2 + 0.22 * len(shown))
    place = np.arange(len(shown))[::-1]
    axis.hlines(place, shown["q025"], shown["q975"], color=BAND, lw=2.5)
    axis.plot(shown["mean"], place, "o", ms=4, color=INK)
    axis.set_yticks(place, labels)
    axis.margins(y=0.6 / max(len(shown), 1))
    name_axes(axis, str(shown["variable"].iloc[0]), None, lang)
    axis.grid(axis="x", color="#eeeeee")
    note = words(
        lang,
        f"均值与 95 % 区间（括号内为研究数），{len(shown)}/{of or len(values)} 项",
        f"mean and 95 % interval (number of studies), {len(shown)} of {of or len(values)}",
    )
    # Over the labels, which may leave the axis too narrow for a line of text.
    about = vocabulary.group_label(shared, lang)
    figure.suptitle(f"{about}\n{note}" if about else note, x=0.01, ha="left", fontsize="medium")
    return figure


def _shared(groups: Sequence[str]) -> tuple[str, list[str]]:
    """What all groups say alike, and what is left of each."""
    told = [list(filter(None, group.split(";"))) for group in groups]
    alike = [part for part in told[0] if all(part in others for others in told)] if len(told) > 1 else []
    return ";".join(alike), [";".join(part for part in parts if part not in alike) for parts in told]


@styled
def beside_figure(rows: pd.DataFrame, variable: str, lang: str | None = None) -> "Figure":
    """Our values with their intervals, and what was printed of the same thing on the same row.

    Parameters
    ----------
    rows : DataFrame
        ``label``, or the ``group`` of values (``variable`` where it is blank); ``mean, q025, q975`` of ours; ``printed``, and ``lower, upper`` of it where they
        are said. Whatever is not there may be missing. Rows of one label share a line: our value is the one of the first
        of them, and every printed one has the mark of its ``source_id`` (one kind of mark where there is no such column).
    variable : str
    """
    rows = rows.reindex(columns=rows.columns.union(["mean", "q025", "q975", "printed", "lower", "upper"]))
    if "label" not in rows:
        told = [vocabulary.group_label(group, lang) for group in rows["group"]]
        names = rows.get("variable", [variable] * len(rows))
        rows = rows.assign(label=[a or vocabulary.label(x, lang) for a, x in zip(told, names, strict=True)])
    labels = list(dict.fromkeys(rows["label"]))
    sources = (
        list(dict.fromkeys(rows.loc[rows["printed"].notna(), "source_id"])) if "source_id" in rows else [""]
    )
    figure, (axis,) = axes_of(7.4, 1.3 + 0.34 * len(labels))
    many = (
        words(lang, f"{len(sources)} 个来源", f"{len(sources)} sources") if len(sources) > MAX_NAMED else ""
    )
    printed, ours = words(lang, "已发表", "printed"), words(lang, "本表", "this table")
    own = rows.drop_duplicates("label")
    place = np.arange(len(own)) * -1.0 + 0.12
    axis.hlines(place, own["q025"], own["q975"], color=BAND, lw=3)
    axis.plot(own["mean"], place, "o", ms=4.5, color=INK)
    axis.plot(
        [], [], "o-", ms=4.5, color=INK, label=f"{ours} {words(lang, '（均值与区间）', '(mean, interval)')}"
    )
    for k, source in enumerate([""] if many else sources):
        part = rows[rows["printed"].notna()]
        part = part[part["source_id"] == source] if source else part
        place = np.array([-labels.index(label) - 0.16 for label in part["label"]])
        axis.hlines(place, part["lower"], part["upper"], color="#e8c9a0", lw=3, zorder=1)
        named = literature.short(source) if source else many
        label = f"{printed} ({named})" if named else printed
        axis.plot(part["printed"], place, MARKS[k % len(MARKS)], ms=5, mfc="none", mec=PRINTED, label=label)
    axis.set_yticks([-i for i in range(len(labels))], labels)
    axis.set_ylim(-len(labels) + 0.4, 0.6)
    axis.set_xlim(left=0)
    name_axes(axis, variable, None, lang)
    if "variable" in rows and rows["variable"].nunique() > 1:
        axis.set_xlabel(vocabulary.units_symbol(vocabulary.variable(variable).unit, lang))
    figure.legend(loc="outside upper left", ncols=3, fontsize="small")
    axis.grid(axis="x", color="#eeeeee")
    return figure


# Curves over data.


@styled
def curves_figure(
    data: pd.DataFrame | None,
    x: str,
    y: str,
    fits: Sequence[FitResult] = (),
    printed: Sequence[str | tuple[str, Any, Any]] = (),
    lang: str | None = None,
    log: bool = False,
) -> "Figure":
    """Points with our curves, each over its own range, and printed ones, told apart by dashes and marks.

    Parameters
    ----------
    data : DataFrame or None
        Columns ``x`` and ``y``.
    x, y : str
        Variables of the vocabulary.
    fits : sequence of FitResult
        Over ``x`` alone; those without the response ``y`` are left out.
    printed : sequence of str or (str, array, array)
        Ids of published equations of ``x`` alone, drawn over the range of the data; or a label with its points.
    """
    figure, (axis,) = axes_of(5.6, 4.0)
    if data is not None:
        points(axis, data[x], data[y], edge="#999999", width=0.5)
    for k, fit in enumerate(fit for fit in fits if y in fit.system.responses):
        grid = pd.DataFrame({x: np.linspace(*fit.ranges[x], N_GRID)})
        look = {"ls": DASHES[k % len(DASHES)], "color": INKS[k % len(INKS)]}
        axis.plot(grid[x], fit.predict(grid)[y], lw=1.8, label=fit.label, **look)
    for k, line in enumerate(printed):
        if isinstance(line, str):
            grid = np.linspace(data[x].min(), data[x].max(), N_GRID)
            line = equations.title(line), grid, equations.evaluate(line, **{x: grid})
        # Lines that cross lie close: their marks are not to fall on one place.
        every = (k % 5, max(len(line[1]) // 5, 1))
        look = {"marker": MARKS[k % len(MARKS)], "ms": 4, "mfc": "none", "markevery": every}
        dash, shade = DASHES[(k + 1) % len(DASHES)], SHADES[k % len(SHADES)]
        axis.plot(*line[1:], ls=dash, color=shade, lw=1.0, label=line[0], **look)
    name_axes(axis, x, y, lang)
    if log:
        log_scale(axis)
    axis.legend(fontsize=8 if len(fits) + len(printed) < 8 else 6, ncols=1 + (len(fits) + len(printed) > 8))
    return figure


# Published equations: lines of other authors over new data.


@styled
def published_figure(
    rows: pd.DataFrame,
    data: pd.DataFrame | None = None,
    pooled: PooledEquation | None = None,
    fit: FitResult | None = None,
    level: float = 0.95,
    lang: str | None = None,
) -> "Figure":
    """Published lines, each over its own range, with new trees, a new fit and the pooled equation.

    Parameters
    ----------
    rows : DataFrame
        Equations of one response, as :func:`sinklab.evidence.equations.look_up` gives them, the nearest first.
        Implausible ones are drawn dashed; those over other predictors than dbh and height are counted.
    data : DataFrame, optional
        New trees: ``dbh`` [cm] and the response.
    pooled : PooledEquation, optional
        Drawn with the interval of a new place.
    fit : FitResult, optional
        A new fit over ``dbh`` alone, drawn with the interval of its mean.
    level : float
        Level of the intervals.

    Returns
    -------
    figure : matplotlib Figure, logarithmic axes
    """
    limits, response = equations.rules(), str(rows["response"].iloc[0])
    figure, (axis,) = axes_of(5.4, 4.2)
    drawn, other = 0, 0
    said = {
        False: words(lang, "已发表方程", "published equations"),
        True: words(lang, "检验判为不合理", "found implausible"),
    }
    for row in rows.to_dict("records"):
        if (
            not set(row["predictors"].split(";")) <= {"dbh", "height"}
            or row["group"] not in equations.trees()
        ):
            other += 1
            continue
        grid = np.geomspace(*equations.span(row, limits), N_GRID)
        named, bad = drawn < MAX_NAMED, row["check"] == "implausible"
        # The nearest lines stand out; each kind has one entry in the legend.
        look = {"color": PRINTED, "alpha": 0.9, "zorder": 2}
        look = look if named else {"color": "#9a9a9a", "alpha": 0.8, "zorder": 1}
        line = np.exp(equations.log_values(row, grid))
        axis.plot(grid, line, "--" if bad else "-", lw=1.0, label=said.pop(bad, "_"), **look)
        drawn += 1
    if pooled is not None:
        grid = pd.DataFrame({"dbh": np.geomspace(*pooled.ranges["dbh"], N_GRID)})
        if "height" in pooled.predictors:
            grid["height"] = equations.height_of(grid["dbh"].to_numpy(), "tree")
        told = pooled.predict(grid, level=level, kind="place")
        label = words(
            lang, f"合并方程，新地点 {level:.0%} 预测区间", f"pooled, {level:.0%} interval of a new place"
        )
        band(axis, grid["dbh"], told, response, color=PRINTED, alpha=0.15)
        axis.plot(grid["dbh"], told[response], color=PRINTED, lw=2.2, label=label, zorder=4)
    if fit is not None:
        grid = pd.DataFrame({"dbh": np.geomspace(*fit.ranges["dbh"], N_GRID)})
        told = fit.predict(grid, level=level, of="average")
        # A lower limit of zero has no place on a logarithmic axis.
        low = told[f"{response}_lower"].clip(lower=told[response] / 1e3)
        label = words(
            lang, f"新拟合，均值 {level:.0%} 置信区间", f"new fit, {level:.0%} interval of the mean"
        )
        band(axis, grid["dbh"], told.assign(**{f"{response}_lower": low}), response, color=BAND, alpha=0.5)
        axis.plot(grid["dbh"], told[response], ls=DASHES[2], color=INK, lw=1.6, label=label, zorder=5)
    if data is not None:
        both = data[["dbh", response]].dropna()
        label = words(lang, f"新样木 {len(both)} 株", f"{len(both)} new trees")
        axis.plot(both["dbh"], both[response], "o", color=INK, ms=3, alpha=0.5, zorder=3, label=label)
    log_scale(axis)
    name_axes(axis, "dbh", response, lang)
    told = words(lang, f"{drawn} 个方程", f"{drawn} equations")
    if other:
        told += words(
            lang, f"；另有 {other} 个以其他量为自变量，未绘", f"; {other} over other predictors not drawn"
        )
    axis.set_title(told, fontsize=8, loc="left")
    axis.legend(fontsize=8)
    return figure
