r"""Forest stands: heights of trees, growth by age, mass from growing stock; several curves tried, one judge.

*Heights and growth.* Several curves are fitted to the same data, for all of them or with an asymptote that varies at
random between groups. A curve is kept when it converged to a determined asymptote, the kept ones are ranked by AIC, and
the reason is told when one is lost.

================ ============================================ =================
form             height above 1.3 m at diameter d             asymptote
================ ============================================ =================
naslund          d^2 / (a + b d)^2                            1 / b^2
chapman_richards A (1 - exp(-k d))^c                          A
weibull          A (1 - exp(-k d^c))                          A
michailoff       A exp(-b / d)  (Schumacher)                  A
curtis           A (d / (1 + d))^b                            A
korf             A exp(-b d^(-c))                             A
logistic         A / (1 + exp(b - k d))                       A
michaelis_menten A d / (b + d)                                A
power            a d^b                                        none
================ ============================================ =================

Height at the same diameter differs between plots with site, age and density: the asymptote (or the factor of the power)
varies at random between plots. A new plot is predicted with that spread, or moved to its own curve by the heights
measured there.

============ ============================== ===============================
form         stand at age t                 increment at large age
============ ============================== ===============================
richards     A (1 - exp(-k t))^c            falls exponentially
logistic     A / (1 + b exp(-k t))          falls exponentially
gompertz     A exp(-b exp(-k t))            falls exponentially
mitscherlich A (1 - exp(-k t))              falls exponentially, no inflection
korf         A exp(-b t^(-c))               falls as a power
schumacher   A exp(-b / t)                  falls as t^(-2)
============ ============================== ===============================

*Mass from growing stock.*

.. math:: BEF = B_A / B_{stem}, \quad BCEF = B_A / V, \quad R = B_B / B_A

A line :math:`B = a V + b` makes the factor a hyperbola, :math:`B / V = a + b / V`: young stands of little stock have
the largest factors. Factors by age class are summarised over studies, because plots of one study are alike.

Source
------
Mehtatalo L., de-Miguel S., Gregoire T.G. (2015) Modeling height-diameter curves for prediction. Can. J. For. Res.
45:826-837. Lappi J. (1991) Calibration of height and volume equations with random parameters. Forest Science
37:781-801. Zeide B. (1993) Analysis of growth equations. Forest Science 39:594-616. Fang J., Chen A., Peng C., Zhao S.,
Ci L. (2001) Changes in forest biomass carbon storage in China between 1949 and 1998. Science 292:2320-2322 (lines as
quoted in ``data/literature/equations/systems.csv``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sinklab import fitting
from sinklab.assess.comparison import compare
from sinklab.assess.validation import validate
from sinklab.data import vocabulary
from sinklab.data.open_data import load
from sinklab.data.plausibility import computed
from sinklab.data.vocabulary import number
from sinklab.evidence import equations
from sinklab.language import DataError, Notes, SinklabError, listing, tr
from sinklab.results import indices
from sinklab.results.calibration import calibrated
from sinklab.results.fit_result import FitResult
from sinklab.systems import soil
from sinklab.tables.checks import refusals

#: A logarithm of the asymptote with a larger standard error is not determined by the data.
ASYMPTOTE_SE = 0.5
#: A logarithm of any other parameter with a larger one neither: a factor of e² either way.
LOGARITHM_SE = 2.0
#: Fewest groups that tell how groups differ.
FEW_GROUPS = 5
#: Stands that a fit or a class needs, and studies that a class needs.
FEW_STANDS = 10
FEW_STUDIES = 3


def fit_candidates(
    data: pd.DataFrame,
    candidates: Mapping[str, tuple[str, dict[str, float] | None, str]],
    nothing: str,
    lacking: str = "",
    group: str = "",
    **options: Any,
) -> tuple[dict[str, FitResult], dict[str, str]]:
    """Fit curves and keep those that converged to a determined asymptote.

    Parameters
    ----------
    data : DataFrame
    candidates : dict
        By form: text of the curve, start values, and the name of the parameter that stands for the asymptote (blank where
        there is none).
    nothing : str
        First words of the error when no curve is left.
    lacking : str
        What the data lack where an asymptote is not determined, as ``no stands old enough``.
    group : str
        Column whose levels vary at random (mixed curves); part of their label.
    **options
        Of :func:`sinklab.fit`.

    Returns
    -------
    fits : dict of FitResult
        By form, the smallest AIC first.
    failed : dict of str
        Reason by form.

    Raises
    ------
    DataError
        No curve is left, with the reasons.
    """
    method = "mixed" if group else "nsur"
    fits, failed = {}, {}
    for form, (text, start, leading) in candidates.items():
        label = f"{form}, {group}" if group else form
        try:
            found = fitting.fit(data, text, method, start=start, label=label, **options)
        except SinklabError as error:
            failed[form] = str(error).splitlines()[0]
            continue
        errors = found.parameters.set_index("name")["se"]
        se, loose = errors[leading] if leading else 0.0, errors[errors > LOGARITHM_SE] if leading else ()
        refused = refusals(found)
        if not found.converged:
            failed[form] = tr("did not converge", "未收敛")
        elif not se <= ASYMPTOTE_SE:
            failed[form] = (
                tr(
                    f"asymptote not determined (standard error of its logarithm {se:.2g}): ",
                    f"渐近值无法确定（其对数的标准误 {se:.2g}）：",
                )
                + lacking
            )
        elif len(loose):
            failed[form] = tr(
                f"{loose.index[0]} not determined (standard error {loose.iloc[0]:.2g} of a logarithm)",
                f"{loose.index[0]} 无法确定（对数的标准误 {loose.iloc[0]:.2g}）",
            )
        elif refused:
            failed[form] = tr(*refused[0].wordings)
        elif not group and _aic(found) >= _constant(found, options):
            failed[form] = tr("no better than a constant", "不优于常数")
        else:
            fits[form] = found
    if not fits:
        raise DataError(nothing + "; ".join(f"{form}: {reason}" for form, reason in failed.items()))

    return {form: fits[form] for form in sorted(fits, key=lambda form: _aic(fits[form]))}, failed


def _aic(fit: FitResult) -> float:
    return indices.aic(fit.loglik, len(fit.parameters) + fit.n_variance)


def _constant(fit: FitResult, options) -> float:
    """AIC of a constant on the records of a fit."""
    return _aic(fitting.fit(fit.data, f"{fit.system.responses[0]} = exp(a)", "nsur", **options))


# Height of a tree from its diameter.

#: Texts of the curves; coefficients are logarithms where they are positive, and ``{g}`` is the place of a group.
HEIGHT = {
    "naslund": "height = 1.3 + dbh**2 / (exp(a) + exp(b{g}) * dbh)**2",
    "chapman_richards": "height = 1.3 + exp(a{g}) * (1 - exp(-exp(k) * dbh))**exp(c)",
    "weibull": "height = 1.3 + exp(a{g}) * (1 - exp(-exp(k) * dbh**exp(c)))",
    "michailoff": "height = 1.3 + exp(a{g} - exp(b) / dbh)",
    "curtis": "height = 1.3 + exp(a{g}) * (dbh / (1 + dbh))**exp(b)",
    "korf": "height = 1.3 + exp(a{g} - exp(b) * dbh**(-exp(c)))",
    "logistic": "height = 1.3 + exp(a{g}) / (1 + exp(b - exp(k) * dbh))",
    "michaelis_menten": "height = 1.3 + exp(a{g}) * dbh / (exp(b) + dbh)",
    "power": "height = 1.3 + exp(a{g}) * dbh**b",
}


def height_text(form: str, group: str = "") -> str:
    """Equation of a form; with ``group``, its leading coefficient is one of each level of that column.

    Examples
    --------
    >>> height_text("power", "plot_id")
    'height = 1.3 + exp(a[plot_id]) * dbh**b'
    """
    if form not in HEIGHT:
        raise DataError(
            f"no height curve {form!r}; there are: {', '.join(HEIGHT)}",
            f"没有树高曲线 {form!r}；现有：{'、'.join(HEIGHT)}",
        )
    return HEIGHT[form].format(g=f"[{group}]" if group else "")


def height_starts(form: str, dbh: ArrayLike, height: ArrayLike) -> dict[str, float]:
    """Start values from dbh [cm] and height [m]: asymptote above the tall trees, rate from the diameter at half of it."""
    dbh, above = np.asarray(dbh, float), np.asarray(height, float) - 1.3
    slope, level = np.polyfit(np.log(dbh), np.log(above), 1)
    top = 1.2 * float(np.quantile(above, 0.9))
    half = float(np.exp((np.log(top / 2) - level) / slope)) if slope > 0 else float(np.median(dbh))
    half = float(np.clip(half, np.quantile(dbh, 0.05), 2 * dbh.max()))
    a, k = np.log(top), np.log(np.log(2) / half)
    found = {
        "naslund": {"a": np.log(half * 0.414 / np.sqrt(top)), "b": -a / 2},
        "chapman_richards": {"a": a, "k": k, "c": 0.0},
        "weibull": {"a": a, "k": k, "c": 0.0},
        "michailoff": {"a": a, "b": np.log(half * np.log(2))},
        "curtis": {"a": a, "b": np.log(half * np.log(2))},
        "korf": {"a": a + 0.7, "b": np.log(1.4 * half**0.5), "c": np.log(0.5)},
        "logistic": {"a": a, "b": 2.0, "k": np.log(2.0 / half)},
        "michaelis_menten": {"a": a + 0.4, "b": np.log(1.5 * half)},
        "power": {"a": level, "b": slope},
    }
    return {name: float(value) for name, value in found[form].items()}


def fit_heights(
    trees: pd.DataFrame, group: str = "", forms: Sequence[str] = tuple(HEIGHT), **options: Any
) -> tuple[dict[str, FitResult], dict[str, str]]:
    """Fit the curves to trees, one for all of them or with a coefficient that varies between groups.

    Parameters
    ----------
    trees : DataFrame
        ``dbh`` [cm], ``height`` [m], and the column of ``group``.
    group : str
        Plot or site; blank for one curve.
    forms : sequence of str
    **options
        ``seed``, ``level``, ``name``, ``variance`` (of a single tree), as :func:`sinklab.fit` takes them.

    Returns
    -------
    fits : dict of FitResult
        By form; those that converged to a determined asymptote, the smallest AIC first.
    failed : dict of str
        Reason by form.

    Raises
    ------
    DataError
        Too few groups, or no curve converged, with the reasons.
    """
    used = trees[(trees["dbh"] > 0) & (trees["height"] > 1.3)]
    if group and used[group].nunique() < FEW_GROUPS:
        raise DataError(
            f"{used[group].nunique()} levels of {group}; expected at least {FEW_GROUPS} to tell how they differ",
            f"{group} 只有 {used[group].nunique()} 个水平；至少需要 {FEW_GROUPS} 个",
        )
    candidates = {}
    for form in forms:
        start, leading = height_starts(form, used["dbh"], used["height"]), "b" if form == "naslund" else "a"
        candidates[form] = height_text(form, group), start, leading
    nothing = tr("no height curve converged: ", "没有树高曲线收敛：")
    return fit_candidates(
        used, candidates, nothing, tr("no trees large enough", "缺少足够大的树"), group, **options
    )


def ranking(fits: Mapping[str, FitResult], group: str, folds: int = 5, unseen: int = 4) -> pd.DataFrame:
    """AIC of the curves, and what the best of them are worth on plots that they have not seen.

    Parameters
    ----------
    fits : dict of FitResult
        Of :func:`fit_heights`, with their trees.
    group : str
        Column whose levels stay together when trees are left out.
    folds : int
        Parts into which the groups are dealt; each is predicted by a fit to the others.
    unseen : int
        Curves that are refitted, from the smallest AIC on.

    Returns
    -------
    table : DataFrame
        Indexed by form, smallest AIC first: ``k, AIC, delta, weight, R2, RMSE`` and ``RMSE_left_out``, ``bias_left_out`` [m]
        over the trees of groups left out.
    """
    table = compare(fits)[["k", "AIC", "delta", "weight"]]
    rows = {}
    for rank, (form, fit) in enumerate(fits.items()):
        own = fit.indices().iloc[0]
        rows[form] = {"R2": own["R2"], "RMSE": own["RMSE"]}
        if rank < unseen:
            told = validate(fit, f"groups:{folds}:{group}").predictions
            error = told["predicted"] - told["observed"]
            rows[form]["RMSE_left_out"] = float(np.sqrt((error**2).mean()))
            rows[form]["bias_left_out"] = float(error.mean())
    return table.join(pd.DataFrame.from_dict(rows, orient="index"))


def calibration_gain(
    fit: FitResult,
    trees: pd.DataFrame,
    counts: Sequence[int] = (0, 1, 2, 4),
    choices: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Error of heights on plots of which a few trees were measured.

    The coefficients come from all plots; each plot lends some of its trees, drawn at random, to find its own curve, and is
    judged on the others.

    Parameters
    ----------
    fit : FitResult
        Mixed curve.
    trees : DataFrame
    counts : sequence of int
        Heights measured on a plot.
    choices : int
        Random choices of them for each plot.
    seed : int

    Returns
    -------
    table : DataFrame
        ``measured``, ``RMSE`` [m], ``n_tree`` judged, ``n_group``.
    """
    column, random = fit.random.column, np.random.default_rng(seed)
    used = trees[(trees["dbh"] > 0) & (trees["height"] > 1.3) & trees[column].notna()]
    plots = [part for _, part in used.groupby(column) if len(part) >= max(counts) + 2]
    rows = []
    for count in counts:
        errors = []
        for part in plots:
            for _ in range(choices if count else 1):
                chosen = random.permutation(len(part))
                known, rest = part.iloc[chosen[:count]], part.iloc[chosen[count:]]
                curve = calibrated(fit, known) if count else fit
                told = curve.predict(rest[["dbh"]])["height"].to_numpy(float)
                errors.append(told - rest["height"].to_numpy(float))
        error = np.concatenate(errors)
        rows.append((count, float(np.sqrt((error**2).mean())), len(error), len(plots)))
    return pd.DataFrame(rows, columns=["measured", "RMSE", "n_tree", "n_group"])


def other_heights(sources: Mapping[str, Mapping[str, Any]], seen: pd.DataFrame) -> pd.DataFrame:
    """Heights that a fit has not seen: trees of other data sets, or means of stands in print.

    Parameters
    ----------
    sources : mapping
        What to choose (``where``) of each data source.
    seen : DataFrame
        ``dbh`` and ``height``; records equal to one of them, to 0.1, are no witnesses.

    Returns
    -------
    heights : DataFrame
        ``source_id, quantity, dbh, height``; ``attrs["equal"]`` counts the records left out.
    """
    found = []
    for spec, where in sources.items():
        rows = load(spec, where)
        rows = rows[(rows["dbh"] > 0) & (rows["height"] > 1.3)]
        single = "study_id" in rows
        rows = rows.assign(quantity="height of a tree" if single else "mean height of a stand")
        found.append(rows.assign(source_id=rows["study_id" if single else "source_id"]))
    every = pd.concat(found, ignore_index=True)[["source_id", "quantity", "dbh", "height"]]
    known = pd.MultiIndex.from_frame(seen[["dbh", "height"]].round(1))
    equal = pd.MultiIndex.from_frame(every[["dbh", "height"]].round(1)).isin(known)
    every = every[~equal].reset_index(drop=True)
    every.attrs = {"equal": int(equal.sum())}
    return every


# Growth of a stand by age.

#: Parameters are logarithms of A, b, c and k, so that draws of them never turn a stand negative; ``{g}`` is the place of
#: a group, whose asymptote is then its own.
GROWTH = {
    "richards": "{y} = exp(a{g}) * (1 - exp(-exp(k) * age))**exp(c)",
    "logistic": "{y} = exp(a{g}) / (1 + exp(b - exp(k) * age))",
    "gompertz": "{y} = exp(a{g} - exp(b - exp(k) * age))",
    "mitscherlich": "{y} = exp(a{g}) * (1 - exp(-exp(k) * age))",
    "korf": "{y} = exp(a{g} - exp(b) * age**(-exp(c)))",
    "schumacher": "{y} = exp(a{g} - exp(b) / age)",
}


#: What stands of one growth curve share.
KIND = ("genus", "species_id", "clone", "origin")


def require_one_kind(stands: pd.DataFrame) -> None:
    """Refuse a growth curve over stands that grow differently: of several species or clones, planted and natural.

    Parameters
    ----------
    stands : DataFrame
        Any of ``genus``, ``species_id`` (``species`` where it is blank), ``clone`` and ``origin``; what is not there is not asked.

    Raises
    ------
    DataError
        More than one kind, each with its number of stands.
    """
    problems = Notes()
    for column in KIND:
        if column not in stands:
            continue
        kinds = stands[column].astype(object)
        if column == "species_id" and "species" in stands:
            kinds = kinds.where(kinds.notna() & (kinds != ""), stands["species"])
        counts = kinds.fillna("").replace("", tr("not said", "未说明")).value_counts()
        if len(counts) > 1:
            told = ", ".join(f"{kind} {n}" for kind, n in counts.items())
            name = vocabulary.label(column)
            problems.add(f"{column}: {told}", f"{name}：{told}")
    if problems:
        raise DataError(
            tr(
                "stands of one growth curve must be of one kind; choose one of each, as where: {origin: planted}:\n",
                "同一生长曲线的林分应属同一类；请各选其一，如 where: {origin: planted}：\n",
            )
            + listing(problems)
        )


def growth_text(form: str, response: str, group: str = "") -> str:
    """Equation of a growth curve; with ``group``, the logarithm of its asymptote is one of each level of that column.

    Examples
    --------
    >>> growth_text("schumacher", "growing_stock", "study_id")
    'growing_stock = exp(a[study_id] - exp(b) / age)'
    """
    return GROWTH[form].format(y=response, g=f"[{group}]" if group else "")


def growth_starts(form: str, age: ArrayLike, values: ArrayLike) -> dict[str, float]:
    """Start values of a growth curve from ages [year]: the asymptote above the old stands, the rate from half of it."""
    age, values = np.asarray(age, float), np.asarray(values, float)
    old = age >= np.quantile(age, 0.75)
    top = 1.3 * float(values[old].mean())
    half = float(np.interp(0.5, np.sort(values / top), age[np.argsort(values / top)]))
    half = max(half, 1.0)
    k = np.log(2) / half
    found = {
        "richards": {"a": top, "k": 1.5 * k, "c": 1.5},
        "logistic": {"a": top, "b": 8.0, "k": 3 * k},
        "gompertz": {"a": top, "b": 3.0, "k": 2 * k},
        "mitscherlich": {"a": top, "k": k},
        "korf": {"a": 1.5 * top, "b": half**0.7 * 0.9, "c": 0.7},
        "schumacher": {"a": 1.2 * top, "b": 0.8 * half},
    }
    return {name: float(np.log(value)) for name, value in found[form].items()}


def fit_growth(
    stands: pd.DataFrame,
    response: str,
    seed: int = 0,
    level: float = 0.95,
    forms: Sequence[str] = tuple(GROWTH),
    group: str = "",
    **options: Any,
) -> tuple[list[FitResult], dict[str, str]]:
    """Fit the growth curves to stands of many ages and rank them.

    Parameters
    ----------
    stands : DataFrame
        ``age`` [year] and the response.
    response : str
        ``growing_stock``, ``agb_density`` …
    seed : int
    level : float
    forms : sequence of str
    group : str
        Column of sites or studies whose asymptotes differ at random (mixed model); blank for one curve.
    **options
        ``name``, ``variance`` (of a single stand), as :func:`sinklab.fit` takes them.

    Returns
    -------
    fits : list of FitResult
        Those that converged to a determined asymptote, the smallest AIC first.
    failed : dict of str
        Reason by form.

    Raises
    ------
    DataError
        Stands of several kinds (:func:`require_one_kind`), or none converged, with the reasons.
    """
    used = stands[(stands["age"] > 0) & (stands[response] > 0)]
    require_one_kind(used)
    candidates = {
        form: (growth_text(form, response, group), growth_starts(form, used["age"], used[response]), "a")
        for form in forms
    }
    nothing, lacking = (
        tr("no growth curve converged: ", "没有生长曲线收敛："),
        tr("no stands old enough", "缺少足够老的林分"),
    )
    # All stands are handed over: the fit counts those it cannot use.
    fits, failed = fit_candidates(
        stands, candidates, nothing, lacking, group, seed=seed, level=level, **options
    )
    return list(fits.values()), failed


def site_dummies(
    stands: pd.DataFrame, response: str, form: str, group: str, seed: int = 0, name: str = "data"
) -> FitResult:
    """The same curve with an asymptote for every site (哑变量), from the sites with three stands or more.

    Parameters
    ----------
    stands : DataFrame
    response, form, group : str
    seed : int
    name : str

    Returns
    -------
    fit : FitResult
        Its parameters ``a`` have a group each: they answer for these sites and for no other.
    """
    used = stands[(stands["age"] > 0) & (stands[response] > 0)]
    many = used[used.groupby(group)[response].transform("size") >= 3]
    start, label = growth_starts(form, many["age"], many[response]), f"{form}, each {group}"
    return fitting.fit(
        many, growth_text(form, response, group), start=start, seed=seed, name=name, label=label
    )


def fit_sites(
    stands: pd.DataFrame,
    response: str,
    form: str,
    group: str,
    seed: int = 0,
    level: float = 0.95,
    name: str = "data",
) -> tuple[list[FitResult], dict[str, str]]:
    """How far sites differ: curves whose asymptote varies at random between them, and dummies of one form beside.

    Arguments are those of :func:`fit_growth` and :func:`site_dummies`.

    Returns
    -------
    fits : list of FitResult
        Mixed curves, the smallest AIC first; empty where none converged.
    told : dict of str
        By curve: the spread of its asymptotes, or why there is none.
    """
    fits, told = [], {}
    try:
        fits, failed = fit_growth(stands, response, seed, level, name=name, group=group)
        told |= {f"{form}, {group}": reason for form, reason in failed.items()}
        factor = np.exp(float(fits[0].random.covariance.iloc[0, 0]) ** 0.5)
        told[fits[0].label] = tr(
            f"asymptotes differ by a factor of {factor:.2f} (one sd)",
            f"渐近值相差 {factor:.2f} 倍（一个标准差）",
        )
    except SinklabError as error:
        told[group] = str(error)
    try:
        dummies = site_dummies(stands, response, form, group, seed, name)
        tops = np.exp(dummies.parameters.query("name == 'a'")["value"])
        told[dummies.label] = tr(
            f"asymptotes {tops.min():.0f} to {tops.max():.0f} ({len(tops)} with three stands or more)",
            f"渐近值 {tops.min():.0f}～{tops.max():.0f}（样地不少于 3 块的有 {len(tops)} 个）",
        )
    except SinklabError as error:
        told[f"{form}, each {group}"] = str(error).splitlines()[0]
    return fits, told


def increments(fit: FitResult, ages: ArrayLike, level: float = 0.95, n: int = 1000) -> pd.DataFrame:
    r"""Current and mean annual increment of a growth curve, with intervals from its joint draws.

    .. math:: CAI(t) = Y(t + 1) - Y(t), \quad MAI(t) = Y(t) / t

    The two values of a difference share their parameters, so their errors do not add as if they were independent.

    Parameters
    ----------
    fit : FitResult
        One growth curve.
    ages : array, shape (m,)
        [year]
    level : float
    n : int
        Draws.

    Returns
    -------
    table : DataFrame
        ``age``, and ``cai``, ``mai`` with ``_lower`` and ``_upper`` [unit of the response per year].
    """
    ages = np.asarray(ages, float)
    response = fit.system.responses[0]
    names = list(fit.parameters["name"])
    drawn = fit.draws(n)[names].to_numpy(float)

    def curve(theta, at):
        return np.asarray(
            fit.system.mean(dict(zip(names, theta, strict=True)), pd.DataFrame({"age": at}))[response]
        )

    both = np.concatenate([ages, ages + 1])
    lines = np.array([curve(theta, both) for theta in drawn])
    center = curve(fit.values, both)
    m, tail = len(ages), [0.5 - level / 2, 0.5 + level / 2]
    table = {"age": ages}
    for key, make in (("cai", lambda y: y[..., m:] - y[..., :m]), ("mai", lambda y: y[..., :m] / ages)):
        low, high = np.quantile(make(lines), tail, axis=0)
        table |= {key: make(center), f"{key}_lower": low, f"{key}_upper": high}
    return pd.DataFrame(table)


def rotation(fit: FitResult) -> float:
    """Age at which the mean annual increment is largest (数量成熟), inside the ages of the fit; NaN at their ends. [year]."""
    low, high = fit.ranges["age"]
    ages = np.linspace(max(low, 1.0), high, 400)
    values = fit.predict(pd.DataFrame({"age": ages}))[fit.system.responses[0]].to_numpy(float)
    best = int(np.argmax(values / ages))
    return float(ages[best]) if 0 < best < len(ages) - 1 else float("nan")


def describe_rotation(fit: FitResult) -> str:
    """Say at what age the mean annual increment is largest, or that the ages of the fit do not hold it."""
    peak = rotation(fit)
    if np.isnan(peak):
        low, high = fit.ranges["age"]
        return tr(
            f"{fit.label}: the mean annual increment has no maximum between {low:g} and {high:g} years",
            f"{fit.label}：平均生长量在林龄 {low:g}～{high:g} 年内没有极大值",
        )
    return tr(
        f"{fit.label}: the mean annual increment culminates at {peak:.1f} years",
        f"{fit.label}：平均生长量在林龄 {peak:.1f} 年时最大",
    )


# Mass of a stand from its growing stock.

#: Mass of a stand from its growing stock.
CONVERSION = {
    "line": "{y} = a * growing_stock + b",
    "power": "{y} = a * growing_stock**b",
}
#: A factor against the growing stock or the age of the stand.
FORMS = {
    "hyperbola": "{y} = a + b / {x}",
    "power": "{y} = a * {x}**b",
}
#: Ratios of a stand, each from two of its columns.
RATIOS = {
    "bef": ("agb_density", "stem_biomass_density"),
    "bcef": ("agb_density", "growing_stock"),
    "root_shoot_ratio": ("bgb_density", "agb_density"),
}


def ratios(stands: pd.DataFrame, keep_computed: bool = False) -> pd.DataFrame:
    """Expansion factors and root:shoot ratio of every stand.

    Parameters
    ----------
    stands : DataFrame
        Any of ``agb_density``, ``bgb_density``, ``stem_biomass_density`` [t/ha] and ``growing_stock`` [m3/ha].
    keep_computed : bool
        Keep factors of values that were computed with one, such as roots that are a constant share of the shoots.

    Returns
    -------
    stands : DataFrame
        A copy with ``bef`` [1], ``bcef`` [t/m3] and ``root_shoot_ratio`` [1]; missing where a part is missing, zero or
        computed, which ``attrs["set_aside"]`` tells.

    Raises
    ------
    DataError
        Stands whose stem is heavier than all that is above ground, each with its record.
    """
    made = stands.copy()
    for name, (over, under) in RATIOS.items():
        if over in stands and under in stands:
            made[name] = (stands[over] / stands[under].where(stands[under] > 0)).where(stands[over] > 0)
    aside = []
    for item in [] if keep_computed else computed(stands, {part for of in RATIOS.values() for part in of}):
        # Of two parts that both are a share of the growing stock, or of one, the ratio was not measured.
        own = [name for name, of in RATIOS.items() if name in made and item.column in of]
        made.loc[list(item.rows), own] = np.nan
        aside += [str(item)] if own else []
    made.attrs["set_aside"] = aside
    if "bef" in made:
        heavy = made.index[made["bef"] < 1 - 1e-9]
        if len(heavy):
            records = ", ".join(str(number(i)) for i in heavy[:20])
            raise DataError(
                f"records {records}: the stem is heavier than the part above ground; look for columns exchanged, or for "
                "carbon beside dry mass",
                f"第 {records} 条记录：树干大于地上生物量；请检查列是否互换、碳与干物质是否混用",
            )
    return made


def ratio_of_studies(stands: pd.DataFrame, name: str, level: float = 0.95) -> pd.DataFrame:
    """Ratio of means of all stands, and the range of those of single studies: ``mean, q025, q975``, one row.

    A printed factor is that of one study, and stands beside that range.
    """
    over, under = RATIOS[name]
    both = stands[stands[name].notna()]
    sums = both.groupby("study_id")[[over, under]].sum()
    low, high = (sums[over] / sums[under]).quantile([0.5 - level / 2, 0.5 + level / 2])
    return pd.DataFrame({"mean": [both[over].sum() / both[under].sum()], "q025": [low], "q975": [high]})


def beside_lines(stands: pd.DataFrame, names: Sequence[str], bounds: Sequence[float]) -> pd.DataFrame:
    """Whole mass over growing stock of stands by class of stock, beside printed lines B = aV + b over the same stands.

    Returns
    -------
    table : DataFrame
        ``printed, growing_stock`` (the class), ``n``, ``plots`` and ``line`` [t/m3], ``ratio``.
    """
    whole, rows = stands[(stands["total_density"] > 0) & (stands["growing_stock"] > 0)], []
    for name in names:
        for key, part in whole.groupby(pd.cut(whole["growing_stock"], [0, *bounds, np.inf]), observed=True):
            stock = part["growing_stock"]
            line = float(equations.evaluate(name, growing_stock=stock).sum() / stock.sum())
            own = float(part["total_density"].sum() / stock.sum())
            rows.append((equations.title(name), str(key), len(part), own, line, own / line))
    return pd.DataFrame(rows, columns=["printed", "growing_stock", "n", "plots", "line", "ratio"])


def by_class(
    stands: pd.DataFrame,
    column: str,
    bounds: Sequence[float],
    site: str = "study_id",
    level: float = 0.95,
) -> pd.DataFrame:
    """Factors by class of age or growing stock, with studies and stands as two levels.

    Parameters
    ----------
    stands : DataFrame
        Of :func:`ratios`.
    column : str
        ``age`` or ``growing_stock``.
    bounds : sequence of float
        Values at which a class ends; the last is open.
    site : str
        Column of the studies.
    level : float

    Returns
    -------
    values : DataFrame
        Rows of ``values.csv``, the interval for one stand of a new study; ``attrs["small"]`` says how many stands of how many
        studies the classes have that are left out: fewer than ten stands, or than three studies.
    """
    edges = [-np.inf, *map(float, bounds), np.inf]
    names = [f"<= {edges[1]:g}"] + [f"{a:g}-{b:g}" for a, b in zip(edges[1:-2], edges[2:-1], strict=True)]
    names.append(f"> {edges[-2]:g}")
    label = pd.cut(stands[column], edges, labels=names)
    used = stands.assign(**{f"{column}_range": label.astype("object")})
    tables, small = [], {}
    for name in RATIOS:
        if name not in used:
            continue
        known = used[used[name].notna() & used[f"{column}_range"].notna()]
        group = known.groupby(f"{column}_range")[site].agg(["size", "nunique"])
        enough = (group["size"] >= FEW_STANDS) & (group["nunique"] >= FEW_STUDIES)
        small |= {f"{name}, {column} {k}": tuple(map(int, group.loc[k])) for k in group.index[~enough]}
        if enough.any():
            kept = known[known[f"{column}_range"].isin(group.index[enough])]
            # A factor multiplies a stock: its mean is the ratio of means, where both are known.
            under = RATIOS[name][1] if RATIOS[name][1] in kept else None
            tables.append(
                soil.summarise(kept, name, site, [f"{column}_range"], level, weight=under, study=site)
            )
    if not tables:
        raise DataError(
            f"no class of {column} has {FEW_STANDS} stands of {FEW_STUDIES} studies; choose wider classes",
            f"{column} 各级均不足 {FEW_STUDIES} 项研究的 {FEW_STANDS} 块样地；请合并分级",
        )
    found = pd.concat(tables, ignore_index=True)
    # By ratio, then from the smallest class on.
    place = found["group"].str.partition("=")[2].map({k: i for i, k in enumerate(names)})
    found = found.assign(ratio=found["variable"].map(list(RATIOS).index), place=place)
    found = found.sort_values(["ratio", "place"], ignore_index=True).drop(columns=["ratio", "place"])
    ranges = found["group"].str.partition("=")[2]
    found["name"] = [f"{v}[{column} {k}]" for v, k in zip(found["variable"], ranges, strict=True)]
    found["note"] = found["note"].str.replace("one unit on a new site", "one stand of a new study")
    found.attrs["small"] = small
    return found


def fit_factor(
    stands: pd.DataFrame,
    response: str,
    predictor: str,
    level: float = 0.95,
    seed: int = 0,
    name: str = "data",
) -> list[FitResult]:
    """Fit a factor against age or growing stock, by both forms.

    Returns
    -------
    fits : list of FitResult
        Those that converged, the smaller AIC first; empty for fewer than ten stands.
    """
    used = stands[(stands[response] > 0) & (stands[predictor] > 0)]
    if len(used) < FEW_STANDS:
        return []
    candidates = {
        f"{response} by {predictor}, {form}": (text.format(y=response, x=predictor), None, "")
        for form, text in FORMS.items()
    }
    try:
        fits, _ = fit_candidates(used, candidates, "", level=level, seed=seed, name=name)
    except DataError:
        # A factor that does not depend on the predictor leaves both forms without a maximum.
        return []
    return list(fits.values())


def by_age(
    stands: pd.DataFrame,
    mass: str,
    bounds: Sequence[float],
    level: float = 0.95,
    seed: int = 0,
    name: str = "data",
) -> tuple[list[FitResult], dict[str, int]]:
    """Lines from growing stock to mass, one for each age group.

    Parameters
    ----------
    stands : DataFrame
        ``age``, ``growing_stock`` and ``mass``.
    mass : str
    bounds : sequence of float
        Ages at which a group ends. [year]
    level, seed, name

    Returns
    -------
    fits : list of FitResult
        Labelled ``line, age 10-20``; groups of fewer than ten stands are left out and counted.
    small : dict of int
        Stands of the groups that were left out.
    """
    used = stands[(stands["age"] > 0) & (stands["growing_stock"] > 0) & (stands[mass] > 0)]
    edges, fits, small = [0.0, *map(float, bounds), np.inf], [], {}
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        part = used[(used["age"] > low) & (used["age"] <= high)]
        label = f"line, age {low:g}-{high:g}" if np.isfinite(high) else f"line, age > {low:g}"
        if len(part) < FEW_STANDS:
            small[label] = len(part)
            continue
        text = CONVERSION["line"].format(y=mass)
        fits.append(fitting.fit(part, text, level=level, seed=seed, label=label, name=name))
    return fits, small


def mass_by_age(
    growth: FitResult, conversion: FitResult, ages: ArrayLike, level: float = 0.95
) -> pd.DataFrame:
    """Mass of one stand by its age: growing stock by age, then mass by stock, with both errors.

    Returns
    -------
    told : DataFrame
        ``mean, q025, q975`` by age: the errors of both steps, on the scale of logarithms, are independent. [t/ha]
    """
    how = {"level": level, "kind": "individual"}
    stock = growth.predict(pd.DataFrame({"age": np.asarray(ages, float)}), **how)
    made = conversion.predict(stock[["growing_stock"]], **how)
    mass = conversion.system.responses[0]
    tall = np.log(stock["growing_stock_upper"] / stock["growing_stock"])
    half = np.exp(np.hypot(tall, np.log(made[f"{mass}_upper"] / made[mass])))
    return pd.DataFrame({"mean": made[mass], "q025": made[mass] / half, "q975": made[mass] * half})
