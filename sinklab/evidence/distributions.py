r"""Named distributions of scalar parameters: one set of columns for all, and which family raw values come from.

============ =============================== ======================= =================
family       p1                              p2                      support
============ =============================== ======================= =================
normal       mean                            standard deviation      all numbers
lognormal    mean of the logarithm           sd of the logarithm     above 0
gamma        shape                           scale                   above 0
weibull      shape                           scale                   above 0
beta         first shape                     second shape            0 to 1
logitnormal  mean of the logit               sd of the logit         0 to 1
============ =============================== ======================= =================

Families are compared by how well each predicts a value left out. The expected log predictive density
:math:`\sum_i \ln p(x_i \mid x_{-i})` is found by refitting without
each value while there are few, and beyond that by Pareto-smoothed importance sampling over draws of the
parameters (Laplace's approximation, corrected), with the diagnostic k that says where it may not be trusted.

Values that include noughts have a point mass there and a family above it,

.. math:: p(x) = \pi\,[x = 0] + (1 - \pi) f(x)\,[x > 0]

with :math:`\pi` estimated as (m + 1/2) / (n + 1). Families without a point mass are then out of the
comparison: their density at nought is no probability.

Source
------
Johnson N.L., Kotz S., Balakrishnan N. (1994, 1995) Continuous Univariate Distributions, 2nd edition.
Wiley. Vehtari A., Gelman A., Gabry J. (2017) Practical Bayesian model evaluation using leave-one-out
cross-validation and WAIC. Statistics and Computing 27:1413-1432. Yao Y., Vehtari A., Simpson D., Gelman A.
(2018) Using stacking to average Bayesian predictive distributions. Bayesian Analysis 13:917-1007.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from sinklab.data import vocabulary
from sinklab.language import DataError, SetTable, number, table, tr

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAMILIES = ("normal", "lognormal", "gamma", "weibull", "beta", "logitnormal")
UNIT_INTERVAL = ("beta", "logitnormal")
#: Families whose first parameter is a mean, on some scale, and may be any number.
LOCATED = ("normal", "lognormal", "logitnormal")
ZERO = "zero_"
#: Families that may stand above a point mass at nought.
ABOVE_ZERO = ("lognormal", "gamma", "weibull")
CANDIDATES = (*FAMILIES, *(ZERO + f for f in ABOVE_ZERO))
METHODS = ("auto", "exact", "psis")
MOST_EXACT = 200
LEAST = 4
N_DRAW = 1000


class _Shown:
    """What a distribution shows of itself."""

    family: str
    mean: float

    def quantile(self, q: ArrayLike) -> Any:
        """Value below which a share ``q`` lies."""
        raise NotImplementedError

    def _numbers(self) -> dict[str, float]:
        """Parameters and mean by their names."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Family, parameters, mean, spread and the middle 95 %."""
        low, high = self.quantile(np.array([0.025, 0.975]))
        told = {k: number(v, 4) for k, v in self._numbers().items()}
        own = ", ".join(v for k, v in told.items() if k in ("p0", "p1", "p2"))
        rest = "".join(f"{k} {v}, " for k, v in told.items() if k not in ("p0", "p1", "p2"))
        return f"{self.family}({own}): {rest}95 % {low:.4g}–{high:.4g}"

    def _rows(self) -> tuple[list[str], list[list]]:
        """Header and rows of parameters, moments and quantiles."""
        q = np.array([0.025, 0.25, 0.5, 0.75, 0.975])
        quantiles = zip(q, self.quantile(q), strict=True)
        rows = [*self._numbers().items(), *((f"{100 * a:g} %", float(x)) for a, x in quantiles)]
        return [self.family, tr("value", "值")], [[k, number(v, 4)] for k, v in rows]

    def _repr_html_(self) -> str:
        return self.set_table().to_html()

    def set_table(self) -> SetTable:
        """Parameters, mean, spread and quantiles, for a notebook, LaTeX or Word.

        Examples
        --------
        >>> from_moments(0.5, 0.02, "normal").set_table().to_latex().count("tabular")
        2
        """
        return SetTable(tr("Distribution", "概率分布"), ("", *self._rows()))

    def summary(self) -> str:
        """Parameters, mean, spread and quantiles, as text.

        Examples
        --------
        >>> print(from_moments(0.5, 0.02, "normal").summary().splitlines()[-1])
        97.5 %  0.5392
        """
        return table(*self._rows())

    def plot(
        self, kind: str = "density", path: str | Path | None = None, lang: str | None = None
    ) -> "Figure":
        """Draw the ``density``, or the ``cumulative`` share; see :meth:`FitResult.plot` for ``path``.

        Examples
        --------
        >>> figure = from_moments(0.5, 0.02, "beta").plot()
        """
        return import_module("sinklab.plots").drawn(self, kind, path, lang)


@dataclass(frozen=True, repr=False)
class Distribution(_Shown):
    """A family with its two parameters; see the module for their meaning.

    Examples
    --------
    >>> sl.Distribution('beta', 312, 312)
    beta(312, 312): mean 0.5, sd 0.02, 95 % 0.4608–0.5392
    """

    family: str
    p1: float
    p2: float

    def __post_init__(self):
        """Refuse unknown families and parameters outside their range."""
        if self.family not in FAMILIES:
            raise DataError(
                f"family {self.family!r} is none of {FAMILIES}", f"分布 {self.family!r} 不在 {FAMILIES} 之中"
            )
        positive = self.p2 > 0 and (self.family in LOCATED or self.p1 > 0)
        if not (np.isfinite([self.p1, self.p2]).all() and positive):
            raise DataError(
                f"{self.family} has no distribution with parameters {self.p1}, {self.p2}",
                f"{self.family} 分布的参数 {self.p1}、{self.p2} 无效",
            )

    def _frozen(self):
        match self.family:
            case "normal" | "logitnormal":
                return stats.norm(self.p1, self.p2)
            case "lognormal":
                return stats.lognorm(self.p2, scale=np.exp(self.p1))
            case "gamma":
                return stats.gamma(self.p1, scale=self.p2)
            case "weibull":
                return stats.weibull_min(self.p1, scale=self.p2)
        return stats.beta(self.p1, self.p2)

    def quantile(self, q: ArrayLike) -> Any:
        """Value below which a share ``q`` lies."""
        value = self._frozen().ppf(q)
        return special.expit(value) if self.family == "logitnormal" else value

    def cdf(self, x: ArrayLike) -> Any:
        """Share below ``x``."""
        return self._frozen().cdf(special.logit(x) if self.family == "logitnormal" else x)

    def pdf(self, x: ArrayLike) -> Any:
        """Density at ``x``."""
        if self.family != "logitnormal":
            return self._frozen().pdf(x)
        return self._frozen().pdf(special.logit(x)) / (np.asarray(x) * (1 - np.asarray(x)))

    def draw(self, n: int, seed: int) -> np.ndarray:
        """Seeded draws, shape (n,)."""
        value = self._frozen().rvs(n, random_state=np.random.default_rng(seed))
        return special.expit(value) if self.family == "logitnormal" else value

    @property
    def mean(self) -> float:
        """Mean."""
        return self._moments()[0]

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return self._moments()[1]

    def _numbers(self) -> dict[str, float]:
        return {"p1": self.p1, "p2": self.p2, tr("mean", "均值"): self.mean, tr("sd", "标准差"): self.sd}

    def _moments(self) -> tuple[float, float]:
        if self.family != "logitnormal":
            frozen = self._frozen()
            return float(frozen.mean()), float(frozen.std())
        # The moments of a logit-normal have no closed form: Gauss-Hermite quadrature.
        nodes, weights = np.polynomial.hermite_e.hermegauss(60)
        value, weights = special.expit(self.p1 + self.p2 * nodes), weights / weights.sum()
        mean = float(weights @ value)
        return mean, float(np.sqrt(weights @ (value - mean) ** 2))


@dataclass(frozen=True, eq=False, repr=False)
class ZeroInflated(_Shown):
    """A point mass at nought of probability ``zero``, and a distribution above it."""

    zero: float
    above: Distribution

    @property
    def family(self) -> str:
        """Name of the family, such as ``zero_gamma``."""
        return ZERO + self.above.family

    def log_density(self, x: ArrayLike) -> np.ndarray:
        """Logarithm of the mass at nought, or of the density above it."""
        x = np.asarray(x, float)
        out = np.full(x.shape, np.log(self.zero))
        out[x > 0] = np.log1p(-self.zero) + _log_pdf(self.above, x[x > 0])
        return out

    def quantile(self, q: ArrayLike) -> np.ndarray:
        """Value below which a share ``q`` lies."""
        q = np.asarray(q, float)
        inside = np.clip((q - self.zero) / (1 - self.zero), 0, 1)
        return np.where(q <= self.zero, 0.0, self.above.quantile(inside))

    def draw(self, n: int, seed: int) -> np.ndarray:
        """Seeded draws, shape (n,)."""
        rng = np.random.default_rng(seed)
        return self.quantile(rng.random(n))

    @property
    def mean(self) -> float:
        """Mean, the noughts included."""
        return (1 - self.zero) * self.above.mean

    def pdf(self, x: ArrayLike) -> Any:
        """Density above nought, of the whole."""
        return (1 - self.zero) * self.above.pdf(x)

    def _numbers(self) -> dict[str, float]:
        return {"p0": self.zero, "p1": self.above.p1, "p2": self.above.p2, tr("mean", "均值"): self.mean}


def value_of_draws(name: str, variable: str, draws: ArrayLike, level: float, **told: Any) -> dict[str, Any]:
    """One row of ``values.csv`` from draws of a quantity.

    Parameters
    ----------
    name, variable : str
    draws : array, shape (n,)
    level : float
    **told
        More columns. With ``mean_of`` the draws are those of a mean, and their spread is its error; else they are units, and
        their spread is that of the quantity.
    """
    low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])
    if "mean_of" in told:
        spread = {"se": np.std(draws), "mean_lower": low, "mean_upper": high}
    else:
        spread = {"sd": np.std(draws, ddof=1), "q025": low, "q975": high}
    about = {"name": name, "variable": variable, "n_study": 1, "mean": np.mean(draws)}
    return about | spread | {"level": level, "spread_read": "sd"} | told


def from_moments(mean: float, sd: float, family: str) -> Distribution:
    """Distribution of a family with a given mean and standard deviation.

    Raises
    ------
    DataError
        The family has none, as a beta with a standard deviation above sqrt(mean (1 - mean)).

    Examples
    --------
    >>> sl.from_moments(0.5, 0.02, 'beta')
    beta(312, 312): mean 0.5, sd 0.02, 95 % 0.4608–0.5392
    """
    ratio = sd / mean if mean else np.inf
    match family:
        case "normal":
            return Distribution(family, mean, sd)
        case "lognormal":
            spread = np.log1p(ratio**2)
            return Distribution(family, float(np.log(mean) - spread / 2), float(np.sqrt(spread)))
        case "gamma":
            return Distribution(family, 1 / ratio**2, mean * ratio**2)
        case "weibull":

            def excess(log_shape):
                shape = np.exp(log_shape)
                return (
                    special.gammaln(1 + 2 / shape) - 2 * special.gammaln(1 + 1 / shape) - np.log1p(ratio**2)
                )

            shape = float(np.exp(optimize.brentq(excess, np.log(0.1), np.log(500.0))))
            return Distribution(family, shape, float(mean / special.gamma(1 + 1 / shape)))
        case "beta":
            size = mean * (1 - mean) / sd**2 - 1
            return Distribution(family, mean * size, (1 - mean) * size)
    start = [special.logit(mean), sd / (mean * (1 - mean))]

    def distance(p):
        found = Distribution("logitnormal", p[0], abs(p[1]) + 1e-12)
        return [found.mean - mean, found.sd - sd]

    solved = optimize.root(distance, start)
    return Distribution(family, float(solved.x[0]), float(abs(solved.x[1])))


def fit(values: ArrayLike, family: str) -> Distribution | ZeroInflated:
    """Distribution of a family, or of one above a point mass at nought, most likely for some values (maximum likelihood).

    Raises
    ------
    DataError
        An unknown family, fewer than three values, values that are all equal, or values outside the support.
    """
    x = np.asarray(values, float)
    if family not in CANDIDATES:
        raise DataError(
            f"family {family!r} is none of {CANDIDATES}", f"分布 {family!r} 不在 {CANDIDATES} 之中"
        )
    if family.startswith(ZERO):
        if (x < 0).any():
            count = int((x < 0).sum())
            raise DataError(f"{family}: {count} values below 0", f"{family}：有 {count} 个负值")
        return ZeroInflated((np.sum(x == 0) + 0.5) / (len(x) + 1), fit(x[x > 0], family.removeprefix(ZERO)))
    low, high = (0, 1) if family in UNIT_INTERVAL else (-np.inf if family == "normal" else 0, np.inf)
    if len(x) < 3 or np.ptp(x) == 0 or not ((x > low) & (x < high)).all():
        raise DataError(
            f"{family}: needs three different values between {low:g} and {high:g}, found {len(x)} "
            f"from {x.min():g} to {x.max():g}",
            f"{family}：需要 {low:g} 与 {high:g} 之间至少三个不同的值，现有 {len(x)} 个，"
            f"{x.min():g}～{x.max():g}",
        )
    match family:
        case "normal":
            return Distribution(family, float(x.mean()), float(x.std()))
        case "lognormal":
            return Distribution(family, float(np.log(x).mean()), float(np.log(x).std()))
        case "logitnormal":
            return Distribution(family, float(special.logit(x).mean()), float(special.logit(x).std()))
        case "gamma":
            shape, _, scale = stats.gamma.fit(x, floc=0)
        case "weibull":
            shape, _, scale = stats.weibull_min.fit(x, floc=0)
        case _:
            shape, scale, _, _ = stats.beta.fit(x, floc=0, fscale=1)
    return Distribution(family, float(shape), float(scale))


def choose(values: ArrayLike, families: Sequence[str] = FAMILIES) -> tuple[Distribution, pd.DataFrame]:
    """Compare families by AIC; both parameters count.

    Returns
    -------
    best : Distribution
    table : DataFrame
        ``family, p1, p2, loglik, aic``, the best first; families that do not apply are left out.
    """
    rows = []
    for family in families:
        try:
            found = fit(values, family)
        except DataError:
            continue
        loglik = float(np.log(found.pdf(np.asarray(values, float))).sum())
        rows.append((family, found.p1, found.p2, loglik, 4 - 2 * loglik))
    table = pd.DataFrame(rows, columns=["family", "p1", "p2", "loglik", "aic"]).sort_values(
        "aic", kind="stable"
    )
    if table.empty:
        return fit(values, "normal"), table
    best = table.iloc[0]
    return Distribution(best["family"], best["p1"], best["p2"]), table.reset_index(drop=True)


def compare(
    values: ArrayLike, families: Sequence[str] = CANDIDATES, method: str = "auto", seed: int = 0
) -> pd.DataFrame:
    """Rank families by leave-one-out.

    Parameters
    ----------
    values : array, shape (n,)
        Raw values; NaN are left out.
    families : sequence of str
    method : "auto", "exact" or "psis"
        Refit without each value (auto: up to 200 of them), or Pareto-smoothed importance sampling.
    seed : int
        Of the draws for ``psis``.

    Returns
    -------
    table : DataFrame, indexed by family, best first
        ``elpd`` and its ``se``; ``difference`` to the best and its ``difference_se``; ``weight`` (pseudo-BMA,
        exp of the difference over its sum); ``p1, p2, zero``; ``method``; ``k`` the worst Pareto k (NaN when
        exact). ``attrs["left_out"]`` says why families are not in it.

    Raises
    ------
    DataError
        Fewer than four values, or no family that can hold them.
    """
    x = np.asarray(values, float)
    x = x[np.isfinite(x)]
    if method not in METHODS or len(x) < LEAST:
        raise DataError(
            f"{len(x)} values, method {method!r}; expected at least {LEAST} and one of {METHODS}",
            f"{len(x)} 个值、方法 {method!r}；至少需要 {LEAST} 个值，方法应为 {METHODS} 之一",
        )
    exact = method == "exact" or (method == "auto" and len(x) <= MOST_EXACT)
    zeros, rows, pointwise, left_out = bool((x == 0).any()), {}, {}, {}
    for family in families:
        if family.startswith(ZERO) != zeros:
            left_out[family] = tr(
                "the values have noughts: no density at 0" if zeros else "the values have no nought",
                "数据含 0，而该分布在 0 处无概率" if zeros else "数据不含 0",
            )
            continue
        try:
            found = fit(x, family)
            pointwise[family], k = _exact(x, family) if exact else _psis(x, found, seed)
        except DataError as error:
            left_out[family] = str(error)
            continue
        shape = found.above if zeros else found
        rows[family] = {"p1": shape.p1, "p2": shape.p2, "zero": found.zero if zeros else 0.0, "k": k}
    if not rows:
        raise DataError(
            f"no family holds these values: {'; '.join(f'{f}: {why}' for f, why in left_out.items())}",
            f"没有适用的分布：{'；'.join(f'{f}：{why}' for f, why in left_out.items())}",
        )
    return _table(rows, pointwise, "exact" if exact else "psis", left_out)


def _table(rows, pointwise, method, left_out) -> pd.DataFrame:
    n = len(next(iter(pointwise.values())))
    total = {f: float(p.sum()) for f, p in pointwise.items()}
    best = max(total, key=total.get)
    for family, row in rows.items():
        away = pointwise[family] - pointwise[best]
        row |= {
            "elpd": total[family],
            "se": float(np.sqrt(n * pointwise[family].var(ddof=1))),
            "difference": float(away.sum()),
            "difference_se": float(np.sqrt(n * away.var(ddof=1))),
            "method": method,
        }
    table = pd.DataFrame.from_dict(rows, orient="index").sort_values("elpd", ascending=False, kind="stable")
    weight = np.exp(table["difference"])
    table["weight"] = weight / weight.sum()
    columns = ["elpd", "se", "difference", "difference_se", "weight", "p1", "p2", "zero", "method", "k"]
    table = table[columns].rename_axis("family")
    table.attrs["left_out"] = left_out
    return table


def _log_pdf(found, x) -> np.ndarray:
    if isinstance(found, ZeroInflated):
        return found.log_density(x)
    with np.errstate(divide="ignore"):
        return np.log(found.pdf(np.asarray(x, float)))


def _exact(x, family) -> tuple[np.ndarray, float]:
    """Log density of each value under the fit to the others."""
    kept = ~np.eye(len(x), dtype=bool)
    return np.array([_log_pdf(fit(x[row], family), x[i : i + 1])[0] for i, row in enumerate(kept)]), np.nan


def _psis(x, found, seed) -> tuple[np.ndarray, float]:
    """Log density of each value left out, by Pareto-smoothed importance sampling."""
    zeros = isinstance(found, ZeroInflated)
    above, part = (found.above, x[x > 0]) if zeros else (found, x)
    theta, proposal = _draws(above, part, seed)
    likelihood = np.array([_log_pdf(_of(above.family, t), part) for t in theta])
    # Flat prior: the posterior is the likelihood.
    picked = _resampled(likelihood.sum(axis=1) - proposal, seed)
    pointwise, k = _left_out(likelihood[picked])
    if not zeros:
        return pointwise, k
    # The share of noughts has its own exact answer.
    n, m = len(x), int((x == 0).sum())
    out = np.full(n, np.log((m - 0.5) / n))
    out[x > 0] = np.log1p(-(m + 0.5) / n) + pointwise
    return out, k


def _unbound(found) -> np.ndarray:
    """Parameters on the whole line: logarithms of those that must be positive."""
    return np.array([found.p1 if found.family in LOCATED else np.log(found.p1), np.log(found.p2)])


def _of(family, theta) -> Distribution:
    first = theta[0] if family in LOCATED else np.exp(theta[0])
    return Distribution(family, float(first), float(np.exp(theta[1])))


def _draws(found, x, seed) -> tuple[np.ndarray, np.ndarray]:
    """Draws about the estimate, with the logarithms of their density: Student's t with Laplace's covariance."""
    mode = _unbound(found)

    def density(theta):
        return float(_log_pdf(_of(found.family, theta), x).sum())

    hessian = optimize.approx_fprime(
        mode, lambda t: -optimize.approx_fprime(t, density, 1e-5), 1e-4 * np.maximum(np.abs(mode), 1)
    )
    covariance = np.linalg.inv((hessian + hessian.T) / 2)
    proposal = stats.multivariate_t(mode, covariance, df=7)
    theta = proposal.rvs(N_DRAW, random_state=np.random.default_rng(seed))
    return theta, proposal.logpdf(theta)


def _resampled(log_weight, seed) -> np.ndarray:
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    start = np.random.default_rng(seed + 1).random()
    picked = np.searchsorted(np.cumsum(weight), (np.arange(len(weight)) + start) / len(weight))
    return np.minimum(picked, len(weight) - 1)


def _left_out(likelihood) -> tuple[np.ndarray, float]:
    """Pointwise density of values left out, from log likelihoods (draw, n)."""
    try:
        from arviz_stats.base import array_stats

        # ArviZ 1 takes log-likelihoods and turns them into weights; before it took log weights.
        smoothed, k = array_stats.psislw(likelihood.T)
    except ImportError:
        import arviz as az

        smoothed, k = az.psislw(-likelihood.T)
    joint = np.asarray(smoothed) + likelihood.T
    top = joint.max(axis=1, keepdims=True)
    return (top + np.log(np.exp(joint - top).sum(axis=1, keepdims=True)))[:, 0], float(np.max(np.asarray(k)))


# The scale on which values of a parameter are normal, and mixtures of normals on it.

N_NODE = 30


@dataclass(frozen=True, eq=False)
class Scale:
    """Where values are normal: ``log``, or ``logit`` for fractions."""

    name: str

    @classmethod
    def of(cls, variable: str) -> "Scale":
        """Scale of a variable of the vocabulary."""
        info = vocabulary.variable(variable)
        fraction = info.unit == "1" and info.maximum is not None and info.maximum <= 1
        return cls("logit" if fraction else "log")

    @property
    def family(self) -> str:
        """Family of distributions that is normal on this scale."""
        return {"log": "lognormal", "logit": "logitnormal"}[self.name]

    def to(self, value):
        """Value to scale."""
        return np.log(value) if self.name == "log" else special.logit(value)

    def back(self, y):
        """Scale to value."""
        return np.exp(y) if self.name == "log" else special.expit(y)

    def variance(self, value, variance):
        """Sampling variance on the scale, to first order."""
        slope = 1 / value if self.name == "log" else 1 / (value * (1 - value))
        return variance * slope**2


def quantiles(q, centres, spreads) -> np.ndarray:
    """Quantiles of an even mixture of normals."""
    low, high = (centres - 8 * spreads).min(), (centres + 8 * spreads).max()
    low, high = np.full(len(q), low), np.full(len(q), high)
    for _ in range(60):
        middle = (low + high) / 2
        below = special.ndtr((middle[:, None] - centres) / spreads).mean(axis=1) < q
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def moments(scale, centres, spreads) -> tuple[float, float]:
    """Mean and SD, in the unit of the variable, of an even mixture of normals on the scale."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(N_NODE)
    value = scale.back(np.asarray(centres)[:, None] + np.asarray(spreads)[:, None] * nodes)
    weights = weights / weights.sum()
    mean = float((value @ weights).mean())
    return mean, float(np.sqrt((((value - mean) ** 2) @ weights).mean()))
