"""What a reviewer looks at in a fitted model: residuals, influence, sites, classes of size, the ends of its range.

Beside them: what the predictions would be with other choices, the published equations of the species where
their ranges overlap, and two fits of the same model side by side. A choice is a fit of its own to the same
trees; its effect is told as the change of the sum over the sample, and as the largest change along the
fitted range in standard errors of the table's own mean.

What is claimed for an equation is tested on trees it was not fitted to: bias (ellipse test, mean relative error),
equivalence (TOST), the verdict of :func:`sinklab.assess.validation.transfer_test`, bias by class of size, the range
that is claimed, and *coverage*: the share of trees inside the intervals that the claim implies, with its exact
(Clopper-Pearson) interval.

Source
------
Clopper C.J., Pearson E.S. (1934) The use of confidence or fiducial limits illustrated in the case of
the binomial. Biometrika 26:404-413.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from sinklab import fitting
from sinklab.assess.validation import (
    Transfer,
    bias_test,
    equivalence_test,
    influence,
    thresholds,
    transfer_test,
    validate,
)
from sinklab.data import vocabulary
from sinklab.equations.system import System
from sinklab.evidence import equations
from sinklab.language import DataError, SinklabError, tr
from sinklab.results import prediction, summary
from sinklab.results.fit_result import FitResult
from sinklab.results.indices import evaluate, total_relative_error

# Bias by class of size

#: Classes hold equal numbers of trees; fewer classes when a class would hold less than this.
LEAST = 10
MOST_CLASSES = 6


def size_classes(size) -> pd.Series:
    """Class of each tree, as its limits: ``5–9.8``; classes hold about the same number of trees.

    Parameters
    ----------
    size : Series, shape (n_tree,)
        Diameter or another measure of size, without missing values.
    """
    count = int(np.clip(len(size) // LEAST, 1, MOST_CLASSES))
    limits = np.unique(np.quantile(size, np.linspace(0, 1, count + 1)))
    if len(limits) < 3:
        return pd.Series(f"{size.min():.4g}–{size.max():.4g}", index=size.index)
    names = [f"{a:.4g}–{b:.4g}" for a, b in zip(limits, limits[1:], strict=False)]
    place = np.clip(np.searchsorted(limits, size, side="right") - 1, 0, len(names) - 1)
    return pd.Series(np.array(names)[place], index=size.index)


def bias_by_class(observed, predicted, size) -> pd.DataFrame:
    """Bias in each class of size, with a test of its own.

    Parameters
    ----------
    observed, predicted, size : Series, shape (n_tree,)
        On one index.

    Returns
    -------
    classes : DataFrame
        In the order of size: ``size, n, TRE, ASE`` [%], ``lower, upper`` of the 95 % interval of the
        mean relative error [%], ``biased`` when it does not hold zero. A class of one tree has no
        interval and no verdict.
    """
    named = size_classes(size)
    rows = []
    for name in dict.fromkeys(named.loc[size.sort_values(kind="stable").index]):
        y, f = observed[named == name].to_numpy(float), predicted[named == name].to_numpy(float)
        relative = 100 * (y - f) / f
        half = np.nan
        if len(y) > 1:
            half = stats.t.ppf(0.975, len(y) - 1) * relative.std(ddof=1) / np.sqrt(len(y))
        mean = relative.mean()
        rows.append(
            {
                "size": name,
                "n": len(y),
                "TRE": total_relative_error(y, f),
                "ASE": mean,
                "lower": mean - half,
                "upper": mean + half,
                "biased": bool(abs(mean) > half),
            }
        )
    return pd.DataFrame(rows)


# The fit by itself

#: Columns of data that may name the places that trees come from, the first that fits is taken.
SITE_COLUMNS = ("site", "site_id", "place", "location", "county", "study_id", "province", "plot", "plot_id")
#: Leaving out each tree of a larger sample takes too long for a report.
MOST_REFITS = 1200
#: Most sites that are left out one by one.
MOST_SITES = 60
#: A standardised residual beyond this is called an outlier.
OUTLIER = 3.0
#: Sizes at which the range is left, as multiples of the largest of the sample.
BEYOND = (1.0, 1.25, 1.5, 2.0)
METHODS = ("ols-log", "wls", "nsur", "mixed")


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
        z = fit.standardised(response)
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
        rows[response] = test | {name: equal[name] for name in ("lower", "upper", "equivalent")}
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
        named = fit.data.get(column)
        if named is not None and 2 < named.nunique() <= MOST_SITES and named.notna().all():
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
    size = prediction.main_predictor(fit)
    parts = []
    for response, part in fit.fitted().groupby("response", sort=False):
        own = fit.data.loc[part.index, size].astype(float)
        parts.append(bias_by_class(part["observed"], part["predicted"], own))
        parts[-1].insert(0, "response", response)
    return pd.concat(parts, ignore_index=True)


def beyond(fit) -> pd.DataFrame:
    """What the model says at and beyond the upper end of its range.

    Returns
    -------
    beyond : DataFrame
        ``response, multiple`` (of the largest main predictor), ``size, predicted, error`` (standard
        error of the mean, as a share of it [%]).
    """
    path = prediction.curve_data(fit, fit.data)
    end, x = path.iloc[[-1]], prediction.main_predictor(fit)
    far = pd.concat([end] * len(BEYOND), ignore_index=True)
    step = max(len(path) // 4, 1)
    for column in fit.system.predictors:
        # Other predictors go on as they went over the last quarter of the path.
        ratio = np.log(path[column].iloc[-1] / path[column].iloc[-1 - step])
        slope = ratio / np.log(path[x].iloc[-1] / path[x].iloc[-1 - step])
        far[column] = path[column].iloc[-1] * np.array(BEYOND) ** slope
    told = fit.predict(far)
    rows = []
    for response in fit.system.responses:
        mean, error = told[response], 100 * told[f"{response}_se"] / told[response]
        rows += zip([response] * len(BEYOND), BEYOND, far[x], mean, error, strict=True)
    return pd.DataFrame(rows, columns=["response", "multiple", "size", "predicted", "error"])


def shape(fit) -> pd.DataFrame:
    """Positivity, growth and parts against wholes over the fitted range."""
    return summary.shape_checks(fit, prediction.curve_data(fit, fit.data))


# Other choices

#: Errors of logarithms: an equation of means, and one of medians whose correction was forgotten.
LOGNORMAL, MEDIANS = "lognormal", "lognormal, medians"
COLUMNS = ("topic", "choice", "response", "change", "largest", "note")


def sensitivity(fit, trees=None, excluded=None) -> pd.DataFrame:
    """Refit with other choices.

    Parameters
    ----------
    fit : FitResult
        Of ``ols-log``, ``wls`` or ``nsur``, with its data.
    trees : Index, optional
        Rows of influential trees, to be left out together.
    excluded : dict, optional
        Rows that each reviewer sets aside, by name.

    Returns
    -------
    sensitivity : DataFrame
        ``topic`` (correction, weights, outliers, influence, verdict), ``choice`` (number of trees left out
        for outliers and influence, the reviewer for verdict), ``response, change`` [%],
        ``largest`` (in standard errors); a choice that could not be fitted has a ``note``.
    """
    rows = []
    for topic, choice, options, kept in _choices(fit, trees, excluded or {}):
        data = fit.data if kept is None else fit.data.loc[kept]
        try:
            other = fitting.fit(
                data, fit.system, **(own_options(fit) | options), level=fit.level, seed=fit.seed
            )
            told = effect(fit, other, choice == MEDIANS)
            rows += [(topic, choice, *row, "") for row in told.itertuples()]
        except SinklabError as error:
            rows.append((topic, choice, "", np.nan, np.nan, " ".join(str(error).split())[:200]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def own_options(fit) -> dict:
    """Options of :func:`sinklab.fit.fit` that a result was made with."""
    told = fit.certificate
    # Whoever fits again takes the same unit for sampled.
    sampled = {} if told.cluster is None else {"cluster": told.cluster["column"] or "none"}
    if fit.method == "ols-log":
        return {"method": "ols-log", "correction": fit.correction_kind} | sampled
    variance = {r: m.spec for r, m in fit.residual.items()}
    found = {"method": fit.method, "variance": variance, "estimator": told.estimator or "ml"} | sampled
    return found | {k: v for k, v in (("bounds", told.bounds), ("start", told.start)) if v}


def _choices(fit, trees, excluded):
    """Topic, name, options and rows kept of every choice that differs from the table's own."""
    now = {r: m.spec for r, m in fit.residual.items()}
    if fit.method == "ols-log":
        for kind in ("none", "baskerville", "snowdon"):
            if kind != fit.correction_kind:
                yield "correction", kind, {"correction": kind}, None
        weighted = {"method": "wls", "variance": "power:mean", "correction": "baskerville"}
        yield "weights", "wls, power:mean", weighted, None
    else:
        x = prediction.main_predictor(fit)
        for spec in ("power:mean=1", f"power:{x}", "none"):
            if any(s != spec for s in now.values()):
                yield "weights", spec, {"variance": spec}, None
        yield "correction", LOGNORMAL, {"variance": "lognormal"}, None
        yield "correction", MEDIANS, {"variance": "lognormal"}, None
    far = pd.concat([fit.standardised(r) for r in fit.residual])
    out = far.index[far.abs() > OUTLIER].unique()
    if len(out):
        yield "outliers", f"{len(out)}", {}, fit.data.index.difference(out)
    if trees is not None and len(trees):
        yield "influence", f"{len(trees)}", {}, fit.data.index.difference(trees)
    for reviewer, rows in excluded.items():
        yield "verdict", f"{reviewer} ({len(rows)})", {}, fit.data.index.difference(rows)


def _predicted(fit, data, medians: bool) -> dict:
    """Predictions of every response; the medians of a lognormal model when asked for."""
    mean = fit.predict(data)
    if not medians:
        return {r: mean[r].to_numpy(float) for r in fit.system.responses}
    parts = {r: mean[r].to_numpy(float) * np.exp(-(fit.residual[r].sigma ** 2) / 2) for r in fit.system.free}
    return fit.system.complete(parts, {x: data[x].to_numpy(float) for x in fit.system.predictors})


# Beside published equations

#: Sizes at which two equations are compared.
N_GRID = 60
PUBLISHED = "response equation source level low high mean least most inside".split()


def species_of(table_id: str, fit) -> str | None:
    """Species that a table speaks of: by its id, else by its data when they are of one species."""
    if named := vocabulary.species_within(table_id):
        return named.species_id
    for column in ("species_id", "species"):
        if fit.data is not None and column in fit.data and fit.data[column].nunique() == 1:
            known = vocabulary.find_species(str(fit.data[column].iloc[0]))
            return known.species_id if known else None
    return None


def beside_published(fit, table_id: str, level: float = 0.95) -> tuple[pd.DataFrame, tuple[str, str]]:
    """Compare each response with every published equation whose range overlaps the fitted one.

    Parameters
    ----------
    fit : FitResult
    table_id : str
        Tells the species.
    level : float
        Of the interval of a single tree.

    Returns
    -------
    compared : DataFrame
        ``response, equation, source, level`` (species, genus …), ``low`` and ``high`` of the shared range
        of the main predictor, the ``mean``, ``least`` and ``most`` of published over fitted, and
        ``inside``: the share of the range where the published value lies in the interval of a tree.
    note : (str, str)
        Why there is nothing, when there is nothing; in English and Chinese.
    """
    key, rows = species_of(table_id, fit), []
    for response in fit.system.responses if key else ():
        found = equations.look_up(response, key)
        for name, row in found[found["level"].isin(("species", "genus"))].iterrows():
            told = _compare(fit, response, row, level)
            if told is not None:
                rows.append((response, str(name), str(row["source_id"]), row["level"], *told))
    note = ("", "")
    if key is None:
        note = ("the table speaks of no species of the vocabulary", "该表未对应到词表中的树种")
    elif not rows:
        note = ("no published equation of the species is in range", "没有适用范围重叠的同树种已发表方程")
    return pd.DataFrame(rows, columns=PUBLISHED), note


def _compare(fit, response, row, level):
    """Shared range and ratios; None when the equation asks for what the model does not, or is out of range."""
    x = prediction.main_predictor(fit)
    if not set(row["predictors"].split(";")) <= set(fit.system.predictors):
        return None
    path = prediction.curve_data(fit, fit.data)
    low, high = (row.get(f"{x}_{end}", np.nan) for end in ("min", "max"))
    low = max(path[x].min(), low if np.isfinite(low) else -np.inf)
    high = min(path[x].max(), high if np.isfinite(high) else np.inf)
    path = path[path[x].between(low, high)]
    if len(path) < 2:
        return None
    path = path.iloc[np.unique(np.linspace(0, len(path) - 1, N_GRID).astype(int))]
    told = fit.predict(path, level=level, kind="individual")
    value = equations.evaluate(row, path)
    ratio = value / told[response].to_numpy(float)
    inside = (value >= told[f"{response}_lower"]) & (value <= told[f"{response}_upper"])
    return tuple(map(float, (low, high, ratio.mean(), ratio.min(), ratio.max(), inside.mean())))


# Two fits of the same model side by side: a table's own, and one without some of its trees

INDICES = ("n", "R2", "SEE", "TRE", "ASE", "MPE", "MPSE")


def parameters(fit: FitResult, other: FitResult) -> pd.DataFrame:
    """Estimates of both, indexed by label.

    Returns
    -------
    parameters : DataFrame
        ``value, se, value_refit, se_refit`` and ``shift``, their difference in standard errors of the table.
    """
    columns = ["value", "se"]
    own = fit.parameters.set_axis(fit.labels)[columns]
    both = own.join(other.parameters.set_axis(other.labels)[columns].add_suffix("_refit"))
    return both.assign(shift=(both["value_refit"] - both["value"]) / both["se"])


def indices(fit: FitResult, other: FitResult) -> pd.DataFrame:
    """Indices of both, each on its own trees, by response: columns such as ``R2`` and ``R2_refit``."""
    columns = [c for c in INDICES if c in fit.index_table]
    both = fit.index_table[columns].join(other.index_table[columns].add_suffix("_refit"))
    return both[[name for c in columns for name in (c, f"{c}_refit")]]


def effect(fit: FitResult, other: FitResult, medians: bool = False) -> pd.DataFrame:
    """How far predictions move, by response; to the medians of the other fit when asked for.

    Returns
    -------
    effect : DataFrame
        ``change`` of the sum over the trees of ``fit`` [%], ``largest`` change along its range [standard
        errors of its mean].
    """
    path = prediction.curve_data(fit, fit.data)
    here, there = fit.predict(fit.data), _predicted(other, fit.data, medians)
    along, anew = fit.predict(path), _predicted(other, path, medians)
    rows = {}
    for response in fit.system.responses:
        change = 100 * (np.sum(there[response]) / here[response].sum() - 1)
        moved = np.abs(anew[response] - along[response]) / along[f"{response}_se"]
        rows[response] = {"change": float(change), "largest": float(np.max(moved))}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("response")


def curves(fit: FitResult, other: FitResult, response: str) -> pd.DataFrame:
    """Lines of a response along the fitted range: main predictor, ``mean, lower, upper``, ``refit``."""
    path = prediction.curve_data(fit, fit.data)
    x, told = prediction.main_predictor(fit), fit.predict(path, fit.level, of="average")
    return pd.DataFrame(
        {
            x: path[x],
            "mean": told[response],
            "lower": told[f"{response}_lower"],
            "upper": told[f"{response}_upper"],
            "refit": other.predict(path)[response],
        }
    )


# Does an equation hold what is claimed for it? Tested on trees it was not fitted to.


#: What a claimed deviation is of, and its unit: a share of the prediction, or the standard deviation of logarithms
#: (natural, or to base 10) around an equation that gives medians.
SCALES = {"relative": 1.0, "log": 1.0, "log10": float(np.log(10))}
#: How far a printed correction factor may lie from the one that its deviation gives, as a share of what it corrects.
ROUNDED = 0.1
#: Trees below which a line through observations and predictions leaves nothing to judge it by.
FEWEST = 4


@dataclass(frozen=True)
class Coverage:
    """Share of trees inside claimed intervals; ``lower`` and ``upper`` are its exact 95 % interval."""

    level: float
    n: int
    inside: int
    lower: float
    upper: float

    @property
    def share(self) -> float:
        """Share of the trees inside."""
        return self.inside / self.n

    @property
    def holds(self) -> bool:
        """Whether the claimed level is compatible with what was found."""
        return self.lower <= self.level <= self.upper


@dataclass(frozen=True)
class Claim:
    """What the trees say of a claimed equation.

    ``n_left_out`` counts records without response or predictors, ``outside`` trees beyond the claimed
    range; ``coverage`` is None when the claim says nothing of the scatter of trees.
    """

    equation: str
    response: str
    n: int
    n_left_out: int
    outside: int
    indices: dict[str, float]
    bias: dict[str, float]
    equivalence: dict[str, float]
    transfer: Transfer
    classes: pd.DataFrame
    coverage: Coverage | None

    @property
    def holds(self) -> bool:
        """Whether the equation may be used here as it is, and its intervals hold."""
        return self.transfer.verdict == "accept" and (self.coverage is None or self.coverage.holds)

    def to_json(self) -> dict:
        """Plain types."""
        told, covered = asdict(self), self.coverage
        del told["transfer"]
        return told | {
            "verdict": self.transfer.verdict,
            "ratio": self.transfer.ratio,
            "checks": self.transfer.checks.to_dict("records"),
            "classes": self.classes.to_dict("records"),
            "coverage": covered and told["coverage"] | {"share": covered.share, "holds": covered.holds},
            "holds": self.holds,
        }


def test_claim(
    data,
    equation: str,
    values=None,
    response: str | None = None,
    ranges=None,
    deviation: float | None = None,
    scale: str = "relative",
    level: float = 0.95,
    correction: float | None = None,
) -> Claim:
    """Test a claimed equation on measured trees.

    Parameters
    ----------
    data : DataFrame
        Predictors and the measured response.
    equation : str
        With its numbers in it (``agb = 0.0881 * dbh**2.4651``) or with names for them.
    values : mapping of str to float, optional
        Numbers for the names.
    response : str, optional
        The last left side when left out.
    ranges : mapping of str to (low, high), optional
        Range that the claim gives for its predictors; None leaves a side open.
    deviation : float, optional
        Residual standard deviation that is claimed: a share of the prediction, or of logarithms.
    scale : {"relative", "log", "log10"}
        What ``deviation`` is of.
    level : float
        Level of the intervals whose coverage is tested.
    correction : float, optional
        Printed factor from the medians of a logarithmic equation to its means, ``exp(s² / 2)`` with the deviation
        ``s`` of natural logarithms.

    Returns
    -------
    claim : Claim

    Raises
    ------
    DataError
        Numbers are missing, the data lack what the equation needs, predictions are not positive; a correction
        without the base of its logarithms, or one that its deviation contradicts.
    """
    system = System.parse(equation).bind(data.columns)
    response = response or system.responses[-1]
    values = dict(values or {})
    _check(system, response, values, data, deviation, scale, level)
    ranges = {
        k: (-np.inf if a is None else a, np.inf if b is None else b) for k, (a, b) in (ranges or {}).items()
    }
    used = data.dropna(subset=[*system.predictors, response])
    predicted = pd.Series(system.mean(values, used)[response], index=used.index)
    _positive(predicted, used, response)
    coverage = None
    if deviation is not None:
        half = stats.norm.ppf(0.5 + level / 2) * deviation * SCALES[scale]
        low, high = (1 - half, 1 + half) if scale == "relative" else (np.exp(-half), np.exp(half))
        coverage = covered(used[response], predicted * low, predicted * high, level)
    if correction is not None:
        _check_correction(correction, deviation, scale)
        predicted = predicted * correction
        # The judges of transfer see the means, not the medians of the equation.
        equation = f"{response} = {correction!r} * medians"
        transfer = transfer_test(
            used.assign(medians=predicted / correction), equation, {}, response, fewest=FEWEST
        )
        transfer = replace(transfer, outside=_beyond(used, ranges))
    else:
        transfer = transfer_test(used, equation, values, response, ranges, FEWEST)
    return _claim(data, used, str(system), response, predicted, system.predictors[0], transfer, coverage)


def test_table(
    data, table, response: str | None = None, model: str | None = None, level: float = 0.95
) -> Claim:
    """Test a parameter table on measured trees it was not made from.

    Parameters
    ----------
    data : DataFrame
    table : Table
    response, model : str, optional
        Response (the last of the model when left out), and id or label of one model.
    level : float
        Level of the intervals of single trees whose coverage is tested.

    Returns
    -------
    claim : Claim
        Coverage is that of the table's own intervals, parameters and residuals together.
    """
    fit = table.model(model)
    response = response or fit.system.responses[-1]
    _check(fit.system, response, fit.system.parameters, data, level=level)
    used = data.dropna(subset=[*fit.system.predictors, response])
    told = fit.predict(used, level=level, kind="individual")
    predicted = told[response]
    _positive(predicted, used, response)
    coverage = covered(used[response], told[f"{response}_lower"], told[f"{response}_upper"], level)
    # The table's predictions stand as the equation y = x, so that the rules of transfer judge them.
    stand_in = pd.DataFrame({"observed": used[response], "predicted": predicted})
    transfer = transfer_test(stand_in, "observed = 1 * predicted", {}, "observed", fewest=FEWEST)
    transfer = replace(transfer, outside=_beyond(used, fit.ranges))
    first = fit.system.predictors[0]
    return _claim(data, used, table.ref, response, predicted, first, transfer, coverage)


# pytest must not take the two for tests.
test_claim.__test__ = test_table.__test__ = False


def covered(observed, lower, upper, level: float) -> Coverage:
    """Share of observations inside intervals, with its exact 95 % interval."""
    n, inside = len(observed), int(((observed >= lower) & (observed <= upper)).sum())
    low = stats.beta.ppf(0.025, inside, n - inside + 1) if inside else 0.0
    high = stats.beta.ppf(0.975, inside + 1, n - inside) if inside < n else 1.0
    return Coverage(float(level), n, inside, float(low), float(high))


def _claim(data, used, equation, response, predicted, first, transfer, coverage) -> Claim:
    observed = used[response].astype(float)
    margin = float(thresholds()["equivalence"]["margin"])
    return Claim(
        equation,
        response,
        len(used),
        len(data) - len(used),
        transfer.outside,
        # None of its numbers was estimated from these trees.
        evaluate(observed, predicted, p=0),
        bias_test(observed, predicted, weights=1 / predicted.to_numpy(float) ** 2),
        equivalence_test(observed, predicted, margin),
        transfer,
        bias_by_class(observed, predicted, used[first].astype(float)),
        coverage,
    )


def _check(system, response, values, data, deviation=None, scale="relative", level=0.95):
    problems = []
    missing = ", ".join(p for p in system.parameters if p not in values)
    if missing:
        problems.append(
            tr(
                f"no number for {missing}; give them with --values",
                f"缺少参数值：{missing}；请用 --values 给出",
            )
        )
    if response not in system.responses:
        known = ", ".join(system.responses)
        problems.append(tr(f"{response} is not a left side: {known}", f"方程左边没有 {response}"))
    needed = [c for c in (*system.predictors, response) if c not in data]
    if needed:
        problems.append(tr(f"the data lack {', '.join(needed)}", f"数据缺少列：{'、'.join(needed)}"))
    if deviation is not None and not 0 < deviation < 10:
        en, zh = "expected a share such as 0.25", "应为比例，如 0.25"
        problems.append(tr(f"deviation {deviation}; {en}", f"标准差 {deviation}；{zh}"))
    if scale not in SCALES or not 0 < level < 1:
        problems.append(tr(f"scale {scale!r}, level {level}", f"尺度 {scale!r}、水平 {level} 无效"))
    if problems:
        raise DataError(tr("claim: ", "方程检验：") + "; ".join(problems))


def _beyond(used, ranges) -> int:
    """Number of trees outside a range of some predictor."""
    beyond = np.zeros(len(used), bool)
    for name, (low, high) in ranges.items():
        beyond |= ~used[name].between(low, high).to_numpy()
    return int(beyond.sum())


def _check_correction(correction, deviation, scale) -> None:
    """Refuse a correction factor of which the base is not told, or that belongs to another base."""
    if scale == "relative":
        raise DataError(
            f"correction factor {correction:g}: logarithms to which base? give --log e or --log 10",
            f"校正系数 {correction:g}：对数以何为底？请给出 --log e 或 --log 10",
        )
    if deviation is None:
        return
    due = {
        name: float(np.exp((deviation * unit) ** 2 / 2))
        for name, unit in SCALES.items()
        if name != "relative"
    }
    if abs(correction - due[scale]) > max(ROUNDED * (due[scale] - 1), 0.005):
        told = ", ".join(f"{name}: {value:.4g}" for name, value in due.items())
        raise DataError(
            f"correction factor {correction:g} does not follow from a deviation of {deviation:g} ({told}); "
            "compare base, deviation and factor with the source",
            f"校正系数 {correction:g} 与标准差 {deviation:g} 不符（{told}）；请与原文核对底数、标准差和系数",
        )


def _positive(predicted, used, response):
    bad = predicted.index[~(predicted > 0)]
    if len(bad):
        rows = ", ".join(str(i + 1) if isinstance(i, int) else str(i) for i in bad[:20])
        raise DataError(
            f"claim: {response} is not positive in records {rows} ({len(bad)} of {len(used)}); leave out what "
            "lies beyond the range of the equation",
            f"方程检验：第 {rows} 条记录的 {response} 预测值不为正（共 {len(bad)}/{len(used)} 条）；请剔除超出适用范围的记录",
        )
