"""What a reviewer looks at in a fitted model: residuals, influence, sites, classes of size, the ends of its range."""

import numpy as np
import pandas as pd
from scipy import stats

from sinklab import plots
from sinklab.assess.diagnostics import bias_test, equivalence_test, influence
from sinklab.assess.shape import shape_checks
from sinklab.assess.transfer import thresholds
from sinklab.assess.validation import validate
from sinklab.errors import SinklabError
from sinklab.review.classes import bias_by_class

#: Columns of data that may name the places that trees come from, the first that fits is taken.
SITE_COLUMNS = ("site", "site_id", "place", "location", "county", "study_id", "province", "plot", "plot_id")
#: Leaving out each tree of a larger sample takes too long for a report.
MOST_REFITS = 1200
#: Most sites that are left out one by one, and trees that are named.
MOST_SITES, MOST_NAMED = 60, 10
#: A standardised residual beyond this is called an outlier.
OUTLIER = 3.0
#: Sizes at which the range is left, as multiples of the largest of the sample.
BEYOND = (1.0, 1.25, 1.5, 2.0)
METHODS = ("ols-log", "wls", "nsur", "mixed")


def standardised(fit, response: str) -> pd.Series:
    """Residuals of a free response over their standard deviation, by row of the data."""
    fitted = fit.fitted()
    part = fitted[fitted["response"] == response]
    model, predicted = fit.residual[response], part["predicted"].to_numpy(float)
    if model.kind == "lognormal":
        # Residuals of the logarithms, from the median.
        raw = np.log(part["observed"].to_numpy(float) / predicted * fit.correction[response]) / model.sigma
    else:
        raw = (part["observed"].to_numpy(float) - predicted) / model.sd(predicted, fit.data.loc[part.index])
    return pd.Series(raw, index=part.index)


def residuals(fit) -> pd.DataFrame:
    """Standardised residuals of each free response, tested for what they should be.

    Returns
    -------
    residuals : DataFrame
        Indexed by response: ``n, mean, sd, outliers`` (beyond 3), ``largest``, ``row`` (of the largest),
        ``trend`` and ``p_trend`` (Spearman, of the residuals with the prediction), ``spread`` and
        ``p_spread`` (of their absolute values with it: is the variance function right?), ``p_normal``
        (Shapiro-Wilk).
    """
    fitted = fit.fitted()
    rows = {}
    for response in fit.residual:
        z = standardised(fit, response)
        predicted = fitted[fitted["response"] == response]["predicted"]
        trend, spread = stats.spearmanr(predicted, z), stats.spearmanr(predicted, z.abs())
        rows[response] = {
            "n": len(z),
            "mean": z.mean(),
            "sd": z.std(ddof=1),
            "outliers": int((z.abs() > OUTLIER).sum()),
            "largest": z.loc[z.abs().idxmax()],
            "row": z.abs().idxmax(),
            "trend": trend.statistic,
            "p_trend": trend.pvalue,
            "spread": spread.statistic,
            "p_spread": spread.pvalue,
            "p_normal": stats.shapiro(z).pvalue if 3 <= len(z) <= 5000 else np.nan,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def bias(fit) -> pd.DataFrame:
    """Bias of each response that was measured: ellipse test, mean relative error, equivalence."""
    margin = float(thresholds()["equivalence"]["margin"])
    rows = {}
    for response, part in fit.fitted().groupby("response", sort=False):
        y, f = part["observed"].to_numpy(float), part["predicted"].to_numpy(float)
        sd = fit.residual[response].sd(f, fit.data.loc[part.index]) if response in fit.residual else f
        test, equal = bias_test(y, f, 1 / sd**2), equivalence_test(y, f, margin)
        rows[response] = test | {
            "lower": equal["lower"],
            "upper": equal["upper"],
            "equivalent": equal["equivalent"],
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def influential(fit) -> tuple[pd.DataFrame | None, tuple[str, str]]:
    """Trees that pull most, by Cook's distance of the whole system.

    Returns
    -------
    trees : DataFrame or None
        Indexed by row of the data: ``cook, dfbetas`` (the largest, signed) and ``parameter``, those
        above 4 / n, largest first; None when it was not computed.
    note : (str, str)
        How many were flagged, or why there is nothing; in English and Chinese.
    """
    n = len(fit.data)
    if fit.method not in METHODS[:3]:
        return None, (f"not computed for method {fit.method}", f"{fit.method} 方法未计算")
    if n > MOST_REFITS:
        return None, (
            f"not computed for {n} trees (at most {MOST_REFITS})",
            f"样木 {n} 株，超过 {MOST_REFITS} 株，未计算",
        )
    table = influence(fit)
    flagged = table[table["flag"]].sort_values("cook", ascending=False, kind="stable")
    names = fit.labels
    # A tree without which the fit fails has no distance: it leads the list.
    flagged = pd.concat([flagged[flagged["cook"].isna()], flagged.dropna(subset=["cook"])])
    betas = flagged[names].astype(float)
    at = betas.abs().fillna(0).to_numpy().argmax(axis=1) if len(betas) else []
    told = pd.DataFrame(
        {
            "cook": flagged["cook"],
            "dfbetas": [betas.iloc[i, j] for i, j in enumerate(at)],
            "parameter": [names[j] for j in at],
        },
        index=flagged.index,
    )
    return told, (f"{len(told)} of {n} trees above 4/n", f"{n} 株样木中有 {len(told)} 株超过 4/n")


def site_column(fit, wanted: str | None = None) -> str | None:
    """Column that names the places of the trees: the one asked for, or the first with several levels."""
    for column in (wanted,) if wanted else SITE_COLUMNS:
        if (
            column in fit.data
            and 2 < fit.data[column].nunique() <= MOST_SITES
            and fit.data[column].notna().all()
        ):
            return column
    return None


def by_site(fit, column: str) -> tuple[pd.DataFrame | None, tuple[str, str]]:
    """Predictions of each site by a fit to all others.

    Returns
    -------
    sites : DataFrame or None
        One row per response over all sites: ``n, R2, TRE, ASE, RMSE``, and ``worst`` (site),
        ``worst_TRE`` [%], ``n_site``.
    note : (str, str)
        Sites that could not be left out, in English and Chinese; blank when there are none.
    """
    try:
        found = validate(fit, f"leave:{column}")
    except SinklabError as error:
        return None, (str(error), str(error))
    table, sites = found.indices(), found.by_fold()
    rows = {}
    for response in table.index:
        own = sites.loc[response]["TRE"]
        worst = own.abs().idxmax()
        row = table.loc[response]
        rows[response] = {k: row[k] for k in ("n", "R2", "TRE", "ASE", "RMSE")}
        rows[response] |= {"worst": worst, "worst_TRE": own[worst], "n_site": len(own)}
    note = ("", "")
    if found.n_failed:
        note = (f"{found.n_failed} sites could not be left out", f"{found.n_failed} 个地点剔除后无法拟合")
    return pd.DataFrame.from_dict(rows, orient="index"), note


def by_size(fit) -> pd.DataFrame:
    """Bias of each measured response by class of the main predictor; column ``response`` first."""
    size = plots.main_predictor(fit)
    parts = []
    for response, part in fit.fitted().groupby("response", sort=False):
        classes = bias_by_class(
            part["observed"], part["predicted"], fit.data.loc[part.index, size].astype(float)
        )
        parts.append(classes.assign(response=response))
    table = pd.concat(parts, ignore_index=True)
    return table[["response", *[c for c in table if c != "response"]]]


def beyond(fit) -> pd.DataFrame:
    """What the model says at and beyond the upper end of its range.

    Returns
    -------
    beyond : DataFrame
        ``response, multiple`` (of the largest main predictor), ``size, predicted, error`` (standard
        error of the mean, as a share of it [%]).
    """
    path = plots.curve_data(fit, fit.data)
    end, x = path.iloc[[-1]], plots.main_predictor(fit)
    far = pd.concat([end] * len(BEYOND), ignore_index=True)
    step = max(len(path) // 4, 1)
    for column in path:
        # Other predictors go on as they went over the last quarter of the path.
        ratio = np.log(path[column].iloc[-1] / path[column].iloc[-1 - step])
        slope = ratio / np.log(path[x].iloc[-1] / path[x].iloc[-1 - step])
        far[column] = path[column].iloc[-1] * np.array(BEYOND) ** slope
    told = fit.predict(far)
    rows = [
        (
            response,
            multiple,
            far[x].iloc[i],
            told[response].iloc[i],
            100 * told[f"{response}_se"].iloc[i] / told[response].iloc[i],
        )
        for response in fit.system.responses
        for i, multiple in enumerate(BEYOND)
    ]
    return pd.DataFrame(rows, columns=["response", "multiple", "size", "predicted", "error"])


def shape(fit) -> pd.DataFrame:
    """Positivity, growth and parts against wholes over the fitted range."""
    return shape_checks(fit, plots.curve_data(fit, fit.data))
