r"""Stand growth by age: six curves, sites that differ, and the increment they imply with its uncertainty.

============ ============================== ===============================
form         curve                          increment at large age
============ ============================== ===============================
richards     A (1 - exp(-k t))^c            falls exponentially
logistic     A / (1 + b exp(-k t))          falls exponentially
gompertz     A exp(-b exp(-k t))            falls exponentially
mitscherlich A (1 - exp(-k t))              falls exponentially, no inflection
korf         A exp(-b t^(-c))               falls as a power
schumacher   A exp(-b / t)                  falls as t^(-2)
============ ============================== ===============================

Source
------
Zeide B. (1993) Analysis of growth equations. Forest Science 39:594-616.
"""

import numpy as np
import pandas as pd

from sinklab.language import tr
from sinklab.systems.candidates import fit_candidates

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


def growth_text(form: str, response: str, group: str = "") -> str:
    """Equation of a growth curve; with ``group``, the logarithm of its asymptote is one of each level of that column.

    Examples
    --------
    >>> growth_text("schumacher", "growing_stock", "study_id")
    'growing_stock = exp(a[study_id] - exp(b) / age)'
    """
    return GROWTH[form].format(y=response, g=f"[{group}]" if group else "")


def start_values(form: str, age, values) -> dict[str, float]:
    """Start values of a growth curve from the data: the asymptote above the old stands, the rate from half of it."""
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
    stands,
    response: str,
    seed: int = 0,
    level: float = 0.95,
    forms=tuple(GROWTH),
    name: str = "data",
    group: str = "",
    variance: str = "power:mean",
):
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
    name : str
    group : str
        Column of sites or studies whose asymptotes differ at random (mixed model); blank for one curve.
    variance : str
        Of a single stand, as :func:`sinklab.fit` takes it.

    Returns
    -------
    fits : list of FitResult
        Those that converged to a determined asymptote, the smallest AIC first.
    failed : dict of str
        Reason by form.

    Raises
    ------
    DataError
        None converged, with the reasons.
    """
    used = stands[(stands["age"] > 0) & (stands[response] > 0)]
    candidates = {
        form: (growth_text(form, response, group), start_values(form, used["age"], used[response]), "a")
        for form in forms
    }
    # All stands are handed over: the fit counts those it cannot use.
    fits, failed = fit_candidates(
        stands,
        candidates,
        tr("no growth curve converged: ", "没有生长曲线收敛："),
        tr("no stands old enough", "缺少足够老的林分"),
        group=group,
        variance=variance,
        seed=seed,
        level=level,
        name=name,
    )
    return list(fits.values()), failed


def site_dummies(stands, response: str, form: str, group: str, seed: int = 0, name: str = "data"):
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
    import sinklab as sl

    used = stands[(stands["age"] > 0) & (stands[response] > 0)]
    many = used[used.groupby(group)[response].transform("size") >= 3]
    options = {"variance": "power:mean", "start": start_values(form, many["age"], many[response])}
    return sl.fit(
        many,
        growth_text(form, response, group),
        seed=seed,
        name=name,
        label=f"{form}, each {group}",
        **options,
    )


def increments(fit, ages, level: float = 0.95, n: int = 1000) -> pd.DataFrame:
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


def rotation(fit) -> float:
    """Age at which the mean annual increment is largest (数量成熟), inside the ages of the fit; NaN at their ends. [year]."""
    low, high = fit.ranges["age"]
    ages = np.linspace(max(low, 1.0), high, 400)
    values = fit.predict(pd.DataFrame({"age": ages}))[fit.system.responses[0]].to_numpy(float)
    best = int(np.argmax(values / ages))
    return float(ages[best]) if 0 < best < len(ages) - 1 else float("nan")


def describe_rotation(fit) -> str:
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
