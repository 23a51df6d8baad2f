r"""Named distributions of scalar parameters, one set of columns for all.

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

Source
------
Johnson N.L., Kotz S., Balakrishnan N. (1994, 1995) Continuous Univariate Distributions, 2nd edition.
Wiley.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from sinklab.errors import DataError
from sinklab.language import tr

FAMILIES = ("normal", "lognormal", "gamma", "weibull", "beta", "logitnormal")
UNIT_INTERVAL = ("beta", "logitnormal")


@dataclass(frozen=True)
class Distribution:
    """A family with its two parameters; see the module for their meaning."""

    family: str
    p1: float
    p2: float

    def __post_init__(self):
        """Refuse unknown families and parameters outside their range."""
        if self.family not in FAMILIES:
            raise DataError(
                tr(
                    f"family {self.family!r} is none of {FAMILIES}",
                    f"分布 {self.family!r} 不在 {FAMILIES} 之中",
                )
            )
        positive = self.p2 > 0 and (self.family in ("normal", "lognormal", "logitnormal") or self.p1 > 0)
        if not (np.isfinite([self.p1, self.p2]).all() and positive):
            raise DataError(
                tr(
                    f"{self.family} has no distribution with parameters {self.p1}, {self.p2}",
                    f"{self.family} 分布的参数 {self.p1}、{self.p2} 无效",
                )
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

    def quantile(self, q):
        """Value below which a share ``q`` lies."""
        value = self._frozen().ppf(q)
        return special.expit(value) if self.family == "logitnormal" else value

    def cdf(self, x):
        """Share below ``x``."""
        return self._frozen().cdf(special.logit(x) if self.family == "logitnormal" else x)

    def pdf(self, x):
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

    def _moments(self) -> tuple[float, float]:
        if self.family != "logitnormal":
            frozen = self._frozen()
            return float(frozen.mean()), float(frozen.std())
        # The moments of a logit-normal have no closed form: Gauss-Hermite quadrature.
        nodes, weights = np.polynomial.hermite_e.hermegauss(60)
        value, weights = special.expit(self.p1 + self.p2 * nodes), weights / weights.sum()
        mean = float(weights @ value)
        return mean, float(np.sqrt(weights @ (value - mean) ** 2))


def from_moments(mean: float, sd: float, family: str) -> Distribution:
    """Distribution of a family with a given mean and standard deviation.

    Raises
    ------
    DataError
        The family has none, as a beta with a standard deviation above sqrt(mean (1 - mean)).
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


def fit(values, family: str) -> Distribution:
    """Distribution of a family most likely for some values (maximum likelihood).

    Raises
    ------
    DataError
        Fewer than three values, values that are all equal, or values outside the support.
    """
    x = np.asarray(values, float)
    low, high = (0, 1) if family in UNIT_INTERVAL else (-np.inf if family == "normal" else 0, np.inf)
    if len(x) < 3 or np.ptp(x) == 0 or not ((x > low) & (x < high)).all():
        raise DataError(
            tr(
                f"{family}: needs three different values between {low:g} and {high:g}, found {len(x)} "
                f"from {x.min():g} to {x.max():g}",
                f"{family}：需要 {low:g} 与 {high:g} 之间至少三个不同的值，现有 {len(x)} 个，"
                f"{x.min():g}～{x.max():g}",
            )
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


def choose(values, families=FAMILIES) -> tuple[Distribution, pd.DataFrame]:
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
