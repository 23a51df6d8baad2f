r"""Grassland: mass from cover, height and greenness, roots by depth, quadrats to plots to types.

Source
------
Gale M.R., Grigal D.F. (1987) Vertical root distributions of northern tree species in relation to
successional status. Can. J. For. Res. 17:829-834. Fuller W.A. (1987) Measurement Error Models. Wiley,
section 1.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize

from sinklab import fitting
from sinklab.data import literature
from sinklab.data.vocabulary import number, refuse_doubtful
from sinklab.evidence import equations, pooling
from sinklab.language import DataError
from sinklab.results.fit_result import FitResult
from sinklab.systems import soil


@dataclass(frozen=True)
class CorrectedLine:
    """Straight line whose predictor is known with error: slope and intercept, naive and corrected, with jackknife errors."""

    slope: float
    intercept: float
    slope_se: float
    intercept_se: float
    naive_slope: float
    reliability: float
    n: int


def require_season(frame: pd.DataFrame, column: str = "season") -> None:
    """Refuse quadrats without month or season: the same sward differs several times over a year.

    Raises
    ------
    DataError
        With the records.
    """
    if column not in frame:
        raise DataError(
            "no column season: add month or season of the clip", "缺少 season 列：请补充刈割月份或季节"
        )
    blank = frame[column].isna() | (frame[column].astype(str).str.strip() == "")
    if blank.any():
        records = ", ".join(str(number(i)) for i in frame.index[blank][:20])
        raise DataError(
            f"records {records}: season is blank; give month or season of the clip",
            f"第 {records} 条记录：缺季节；请填写刈割月份或季节",
        )


def yunnan_aboveground(ndvi: ArrayLike, canopy_height: ArrayLike, cover_fraction: ArrayLike) -> np.ndarray:
    r"""Aboveground mass of Yunnan grassland.

    .. math:: B_A = (-2015.156 + 2280.171\, NDVI + 36.842\, H + 15.892\, P) / 1000

    with H in cm and P in per cent.

    Parameters
    ----------
    ndvi : array
        Of 250 m cells. [1]
    canopy_height : array
        [cm]
    cover_fraction : array
        [1]

    Returns
    -------
    agb_density : array
        [t/ha]; the regression explains r = 0.614 of 600 plots and can fall below zero outside them.

    Raises
    ------
    DataError
        Cover in per cent, NDVI times 10000, each with its record.

    Source
    ------
    ``data/literature/equations/systems.csv``, CX_YUNNAN2017.
    """
    refuse_doubtful(cover_fraction=cover_fraction, ndvi=ndvi)
    return equations.evaluate(
        "grass_yunnan_agb", ndvi=ndvi, canopy_height=canopy_height, cover_fraction=cover_fraction
    )


def root_beta(layer_bottom: ArrayLike, roots: ArrayLike) -> float:
    r"""Shape of roots with depth, from the masses of joining layers.

    .. math:: Y(d) = 1 - \beta^d

    is the share of all roots above depth d [cm]; the layers see :math:`Y(d) / Y(d_{max})`.

    Parameters
    ----------
    layer_bottom : array, shape (m,)
        Ascending. [cm]
    roots : array, shape (m,)
        Root mass of each layer, any unit.

    Returns
    -------
    beta : float
        Between 0 and 1; larger is deeper.

    Source
    ------
    Gale & Grigal (1987).
    """
    depth = np.asarray(layer_bottom, float)
    share = np.cumsum(roots) / np.sum(roots)
    if len(depth) < 2 or (np.diff(depth) <= 0).any():
        raise DataError(
            "roots by depth need two layers or more, from the surface down",
            "根系深度分布需要自上而下的两层以上",
        )

    def misfit(beta):
        return np.sum((share - (1 - beta**depth) / (1 - beta ** depth[-1])) ** 2)

    found = optimize.minimize_scalar(misfit, bounds=(0.5, 0.9999), method="bounded", options={"xatol": 1e-8})
    return float(found.x)


def roots_to_depth(bgb_density: ArrayLike, sampled: float, wanted: float, beta: float) -> np.ndarray:
    r"""Root mass to a depth that was not sampled. [t/ha], depths in cm.

    ``bgb_density`` to ``sampled`` is multiplied by :math:`(1 - \beta^{wanted}) / (1 - \beta^{sampled})`.
    """
    return np.asarray(bgb_density, float) * (1 - beta**wanted) / (1 - beta**sampled)


def corrected_line(x: ArrayLike, y: ArrayLike, sd_error: float, through_zero: bool = False) -> CorrectedLine:
    r"""Straight line y = a + b x when x was measured with an error of known standard deviation.

    Error in x pulls the slope towards zero; it is divided by the reliability
    :math:`\lambda = (s_x^2 - \sigma_u^2) / s_x^2`. Standard errors are those of the jackknife.

    Parameters
    ----------
    x, y : array, shape (n,)
    sd_error : float
        Of x, in its unit.
    through_zero : bool
        No intercept; then :math:`\lambda = 1 - n \sigma_u^2 / \sum x^2`.

    Returns
    -------
    line : CorrectedLine

    Raises
    ------
    DataError
        An error as large as the spread of x: nothing can be learned.

    Source
    ------
    Fuller (1987), eq. 1.2.3.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)

    def solve(x, y):
        if through_zero:
            reliability = 1 - len(x) * sd_error**2 / (x @ x)
            naive = (x @ y) / (x @ x)
            return naive / reliability, 0.0, naive, reliability
        spread = np.var(x, ddof=1)
        reliability = (spread - sd_error**2) / spread
        naive = np.cov(x, y)[0, 1] / spread
        slope = naive / reliability if reliability else np.inf
        return slope, y.mean() - slope * x.mean(), naive, reliability

    slope, intercept, naive, reliability = solve(x, y)
    if reliability <= 0.1:
        raise DataError(
            f"the predictor varies by {np.std(x):.3g} and its error is {sd_error:.3g}: no line can be told from it; "
            "measure a wider range, or more exactly",
            f"自变量标准差 {np.std(x):.3g}，误差 {sd_error:.3g}：无法估计直线；请扩大取值范围或提高测定精度",
        )
    n = len(x)
    left = np.array([solve(np.delete(x, i), np.delete(y, i))[:2] for i in range(n)])
    se = np.sqrt((n - 1) / n * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    return CorrectedLine(slope, intercept, float(se[0]), float(se[1]), naive, reliability, n)


def without_error(x: ArrayLike, sd_error: float) -> tuple[np.ndarray, float]:
    r"""What a predictor measured with a known error is expected to be, :math:`\bar x + \lambda (x - \bar x)`.

    A curve fitted to it has the slope of :func:`corrected_line`: it answers for the predictor without error. The curve
    of the measured predictor answers for one measured as badly.

    Parameters
    ----------
    x : array, shape (n,)
    sd_error : float
        In the unit of x.

    Returns
    -------
    x : array, shape (n,)
    reliability : float
        :math:`\lambda`.

    Source
    ------
    Fuller (1987), section 1.2. Carroll R.J. et al. (2006) Measurement error in nonlinear models, chapter 4.
    """
    x = np.asarray(x, float)
    spread = float(np.nanvar(x, ddof=1))
    reliability = (spread - sd_error**2) / spread
    if reliability <= 0.1:
        raise DataError(
            f"the predictor varies by {np.sqrt(spread):.3g} and its error is {sd_error:.3g}: no curve can be told from it",
            f"自变量标准差 {np.sqrt(spread):.3g}，误差 {sd_error:.3g}：无法估计曲线",
        )
    return np.nanmean(x) + reliability * (x - np.nanmean(x)), reliability


def fits_without_error(
    fits: Sequence[FitResult], sd_error: float, log_response: bool = False, **options: Any
) -> tuple[list[FitResult], pd.DataFrame]:
    """Fit curves of one predictor again for that predictor without its error.

    Parameters
    ----------
    fits : sequence of FitResult
        With their data.
    sd_error : float
        Standard deviation of the error of the predictor.
    log_response : bool
        Fit the logarithm, as an exponential of the predictor asks for; else with a variance that follows the mean.
    **options
        Of :func:`sinklab.fit`.

    Returns
    -------
    corrected : list of FitResult
        See :func:`without_error`.
    slopes : DataFrame
        By curve: ``reliability``, and the last coefficient ``plain``, ``corrected`` and its ``se``.
    """
    how = {"method": "ols-log"} if log_response else {"method": "nsur", "variance": "power:mean"}
    corrected, rows = [], {}
    for fit in fits:
        x, response = fit.system.predictors[0], fit.system.responses[0]
        used = fit.data[fit.data[[x, response]].notna().all(axis=1) & (fit.data[response] > 0)]
        known, reliability = without_error(used[x], sd_error)
        plain = fitting.fit(used, fit.system, **how, **options)
        label = f"{fit.label} {x} without error".strip()
        corrected.append(fitting.fit(used.assign(**{x: known}), fit.system, label=label, **how, **options))
        value, error = corrected[-1].parameters[["value", "se"]].iloc[-1]
        naive = plain.parameters["value"].iloc[-1]
        rows[label] = {"reliability": reliability, "plain": naive, "corrected": value, "se": error}
    return corrected, pd.DataFrame.from_dict(rows, orient="index")


def root_shapes(layers: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Shape of roots with depth of every site of printed layers, and one value of them.

    Parameters
    ----------
    layers : DataFrame
        Of ``literature:grassland_roots``: layers that join, and sums over them, which are left aside.

    Returns
    -------
    beta : Series
        By site, see :func:`root_beta`.
    value : DataFrame
        A row of ``values.csv``: mean and spread over the sites, treatments of one trial.
    """
    deepest = layers.groupby("site")["layer_bottom"].transform("max")
    single = layers[(layers["layer_top"] > 0) | (layers["layer_bottom"] < deepest)]
    beta = pd.Series(
        {
            site: root_beta(part["layer_bottom"], part["bgb_density"])
            for site, part in single.sort_values(["site", "layer_top"]).groupby("site")
        },
        name="beta",
    )
    row = {
        "name": f"root_beta[{layers['grassland_type'].iloc[0]}]",
        "unit": "1",
        "of_whom": "site_here",
        "mean_of": "units",
        "n_study": 1,
        "n_site": 1,
        "n": len(beta),
        "mean": beta.mean(),
        "sd": beta.std(),
        "sd_of": "units",
        "sources": ";".join(sorted(set(layers["source_id"]))),
        "note": f"{len(beta)} treatments of one site: {beta.min():.3f} to {beta.max():.3f}",
    }
    return beta, pd.DataFrame([row])


def ratio_values(
    quadrats: pd.DataFrame, ratio: str, groups: Sequence[str], site: Sequence[str], level: float, name: str
) -> pd.DataFrame:
    """Values of a root:shoot ratio by type: ratios of studies in print, or plots on sites that were measured.

    Parameters
    ----------
    quadrats : DataFrame
        With ``source_id`` where they are printed rows.
    ratio : str
        Column of the ratio; records without it, or of nought, are left aside.
    groups, site : sequence of str
        Columns of the types and of the sites. Types of a single plot are left aside.
    level : float
    name : str
        Source of measured quadrats.
    """
    known = quadrats[quadrats[ratio] > 0]
    if "source_id" in known:
        studies = ratio_by_study(known, groups)
        return pooling.summarise(studies, ratio, groups, level, study="study_id").assign(ratio_of="means")
    many = known.groupby(list(groups))[ratio].transform("size") > 1
    found = soil.summarise(known[many], ratio, site, groups, level, weight="agb_density", study="")
    return found.assign(sources=name)


def ratio_by_study(rows: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """Root:shoot ratio of each study and type: the ratio of its mean masses, or the mean of ratios where no masses are printed.

    Treatments and months of one trial are no studies of their own, and sources that print the same sites are one.

    Parameters
    ----------
    rows : DataFrame
        Of ``literature:grassland``.
    groups : sequence of str
        Columns that make the types.

    Returns
    -------
    studies : DataFrame
        ``study_id``, ``source_id`` (all of the study, separated by ;), the columns of ``groups``, ``season`` and ``soil_depth`` as
        any of its sources says them, ``root_shoot_ratio``, ``rows``, ``spread_kind``.
    """
    rows = rows.assign(study_id=literature.studies(rows["source_id"]))
    found = []
    for key, part in rows.groupby(["study_id", *groups], sort=True):
        both = part.dropna(subset=["agb_density", "bgb_density"])
        ratio = (
            both["bgb_density"].sum() / both["agb_density"].sum()
            if len(both)
            else part["root_shoot_ratio"].mean()
        )
        told = {
            "source_id": ";".join(sorted(set(part["source_id"]))),
            **{c: _said(part[c]) for c in ("season", "soil_depth") if c in part},
            "root_shoot_ratio": ratio,
            "rows": len(part),
        }
        found.append(dict(zip(["study_id", *groups], key, strict=True)) | told | {"spread_kind": "none"})
    return pd.DataFrame(found)


def _said(column) -> object:
    """What the rows of a study say of it where they say it: one thing, or several; blank where none does."""
    known = set(column.dropna()) - {"", "not stated"}
    return "several" if len(known) > 1 else known.pop() if known else None


def scale_up(quadrats: pd.DataFrame, variable: str, plot: str, by: str) -> pd.DataFrame:
    """Mean of each type from quadrats nested in plots; the plot is the unit that was sampled.

    Parameters
    ----------
    quadrats : DataFrame
        One row per quadrat, with ``season``.
    variable, plot, by : str
        Value, plot and type.

    Returns
    -------
    types : DataFrame
        Index ``by``; ``mean`` of plot means, ``se`` between plots, ``n_plot``, ``n_quadrat``, ``sd_plot`` and ``sd_quadrat``
        (within plots).

    Raises
    ------
    DataError
        No season.
    """
    require_season(quadrats)
    rows = {}
    for key, part in quadrats.groupby(by):
        means = part.groupby(plot)[variable].mean()
        within = part[variable] - part[plot].map(means)
        freedom = len(part) - len(means)
        rows[key] = {
            "mean": float(means.mean()),
            "se": float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else np.nan,
            "n_plot": len(means),
            "n_quadrat": len(part),
            "sd_plot": float(means.std(ddof=1)) if len(means) > 1 else np.nan,
            "sd_quadrat": float(np.sqrt((within**2).sum() / freedom)) if freedom else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(by)
