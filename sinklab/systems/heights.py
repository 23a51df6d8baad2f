r"""Height of a tree from its diameter: nine curves, plots that differ, and a plot of which a few heights are known.

================ ============================================ =================
form             height above 1.3 m                           asymptote
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

Height at the same diameter differs between plots with site, age and density. One coefficient of each curve, its
asymptote (or the factor of the power), varies at random between plots; a new plot is then predicted with that spread,
or is moved to its own curve by the heights measured there.

Source
------
Mehtatalo L., de-Miguel S., Gregoire T.G. (2015) Modeling height-diameter curves for prediction. Can. J. For. Res.
45:826-837. Lappi J. (1991) Calibration of height and volume equations with random parameters. Forest Science
37:781-801.
"""

import numpy as np
import pandas as pd

from sinklab.errors import DataError
from sinklab.language import tr
from sinklab.systems.candidates import fit_candidates

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
#: Fewest groups that tell how groups differ.
FEW_GROUPS = 5


def text(form: str, group: str = "") -> str:
    """Equation of a form; with ``group``, its leading coefficient is one of each level of that column.

    Examples
    --------
    >>> text("power", "plot_id")
    'height = 1.3 + exp(a[plot_id]) * dbh**b'
    """
    if form not in HEIGHT:
        raise DataError(
            tr(
                f"no height curve {form!r}; there are: {', '.join(HEIGHT)}",
                f"没有树高曲线 {form!r}；现有：{'、'.join(HEIGHT)}",
            )
        )
    return HEIGHT[form].format(g=f"[{group}]" if group else "")


def start_values(form: str, dbh, height) -> dict[str, float]:
    """Start values: the asymptote above the tall trees, the rate from the diameter at half of it."""
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
    trees,
    group: str = "",
    forms=tuple(HEIGHT),
    seed: int = 0,
    level: float = 0.95,
    name: str = "data",
    variance: str = "power:mean",
):
    """Fit the curves to trees, one for all of them or with a coefficient that varies between groups.

    Parameters
    ----------
    trees : DataFrame
        ``dbh`` [cm], ``height`` [m], and the column of ``group``.
    group : str
        Plot or site; blank for one curve.
    forms : sequence of str
    seed : int
    level : float
    name : str
    variance : str
        Of a single tree, as :func:`sinklab.fit` takes it.

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
            tr(
                f"{used[group].nunique()} levels of {group}; expected at least {FEW_GROUPS} to tell how they differ",
                f"{group} 只有 {used[group].nunique()} 个水平；至少需要 {FEW_GROUPS} 个",
            )
        )
    candidates = {
        form: (
            text(form, group),
            start_values(form, used["dbh"], used["height"]),
            "b" if form == "naslund" else "a",
        )
        for form in forms
    }
    return fit_candidates(
        used,
        candidates,
        tr("no height curve converged: ", "没有树高曲线收敛："),
        tr("no trees large enough", "缺少足够大的树"),
        group=group,
        variance=variance,
        seed=seed,
        level=level,
        name=name,
    )


def ranking(fits, group: str, folds: int = 5, unseen: int = 4) -> pd.DataFrame:
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
    from sinklab.assess.compare import compare
    from sinklab.assess.validation import validate

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


def calibration_gain(fit, trees, counts=(0, 1, 2, 4), choices: int = 20, seed: int = 0) -> pd.DataFrame:
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
    from sinklab.calibration import calibrated

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
