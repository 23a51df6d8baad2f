r"""Indices by which a biomass model is judged, each with its formula.

With observations :math:`y_i`, predictions :math:`\hat y_i`, ``n`` observations, ``p`` parameters and
the mean :math:`\bar y` of the observations. The first six are the basic indices of Zeng & Tang (2011);
the prediction, not the observation, stands in the denominators.

Source
------
Zeng W., Tang S. (2011) Goodness evaluation and precision analysis of tree biomass equations.
Scientia Silvae Sinicae 47(11):106-113.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize, stats

from sinklab.data.files import records
from sinklab.language import reader_language, tr
from sinklab.results.variance import gamma_shape


def total_relative_error(observed: np.ndarray, predicted: np.ndarray) -> float:
    r"""TRE, :math:`100 \sum (y_i - \hat y_i) / \sum \hat y_i`. [%] Signed: a bias."""
    return float(100 * np.sum(observed - predicted) / np.sum(predicted))


def average_systematic_error(observed: np.ndarray, predicted: np.ndarray) -> float:
    r"""ASE, :math:`(100 / n) \sum (y_i - \hat y_i) / \hat y_i`. [%] Signed: a bias.

    Some Chinese papers print this index as "MSE"; it is not a mean squared error.
    """
    return float(100 * np.mean((observed - predicted) / predicted))


def _r_squared(y: np.ndarray, f: np.ndarray, p: int) -> Any:
    spread = np.sum((y - np.mean(y)) ** 2)
    return 1 - np.sum((y - f) ** 2) / spread if spread > 0 else np.nan


def _standard_error(y: np.ndarray, f: np.ndarray, p: int) -> Any:
    return np.sqrt(np.sum((y - f) ** 2) / (len(y) - p)) if len(y) > p else np.nan


def _mean_prediction_error(y: np.ndarray, f: np.ndarray, p: int) -> Any:
    """Student's t is two-sided at 95 % with n - p degrees of freedom."""
    if len(y) <= p:
        return np.nan
    return 100 * stats.t.ppf(0.975, len(y) - p) * _standard_error(y, f, p) / np.mean(y) / np.sqrt(len(y))


#: How each index that needs no likelihood is computed: ``value(observed, predicted, number of parameters)``.
VALUES: dict[str, Callable[..., Any]] = {
    "n": lambda y, f, p: len(y),
    "R2": _r_squared,
    "SEE": _standard_error,
    "TRE": lambda y, f, p: total_relative_error(y, f),
    "ASE": lambda y, f, p: average_systematic_error(y, f),
    "MPE": _mean_prediction_error,
    "MPSE": lambda y, f, p: 100 * np.mean(np.abs((y - f) / f)),
    "RMSE": lambda y, f, p: np.sqrt(np.mean((y - f) ** 2)),
}


class Index(NamedTuple):
    """How an index is printed: wording in both languages, formula in plain text and in LaTeX."""

    en: str
    zh: str
    plain: str
    latex: str


@lru_cache(maxsize=1)
def formulas() -> dict[str, Index]:
    """Every index of ``data/vocabulary/indices.csv`` by its name, in the order in which tables print them."""
    rows = (tuple(row.values()) for row in records("vocabulary", "indices.csv"))
    return {name: Index(*printed) for name, *printed in rows}


def index_head(index: str) -> str:
    """Header of an index in a table: with % where it is a share."""
    shares = ("TRE", "ASE", "MPE", "MPSE")
    return tr(f"{index} (%)", f"{index}/%") if index in shares else index.replace("R2", "R²")


def describe(index: str) -> str:
    """Wording of an index in the reader's language."""
    return tr(formulas()[index].en, formulas()[index].zh)


def aic(loglik: float, k: int) -> float:
    r"""AIC, :math:`2 k - 2 \ln L`; ``k`` counts coefficients and variance parameters."""
    return 2 * k - 2 * loglik


def bic(loglik: float, k: int, n: int) -> float:
    r"""BIC, :math:`k \ln n - 2 \ln L`."""
    return k * float(np.log(n)) - 2 * loglik


def evaluate(observed: np.ndarray, predicted: np.ndarray, p: int) -> dict[str, float]:
    """All indices that need observations and predictions only.

    Parameters
    ----------
    observed, predicted : array, shape (n,)
        In the same unit, without missing values.
    p : int
        Number of parameters of the equation.

    Returns
    -------
    indices : dict
        ``n R2 SEE TRE ASE MPE MPSE RMSE``.
    """
    y, f = np.asarray(observed, float), np.asarray(predicted, float)
    found = {name: value(y, f, p) for name, value in VALUES.items()}
    return {name: value if name == "n" else float(value) for name, value in found.items()}


def class_means(x: ArrayLike, values: ArrayLike, n_class: int = 10, fewest: int = 5) -> pd.DataFrame:
    """Means of values by classes of like number along a predictor, of ``fewest`` values or more each.

    Returns
    -------
    means : DataFrame
        ``x`` and ``mean`` of each class, ``half_width`` of the 95 % interval of the mean.
    """
    x, values = np.asarray(x, float), np.asarray(values, float)
    order, rows = np.argsort(x, kind="stable"), []
    for members in np.array_split(order, min(n_class, max(len(order) // fewest, 1))):
        if len(members) > 1:
            half = 1.96 * values[members].std(ddof=1) / np.sqrt(len(members))
            rows.append((x[members].mean(), values[members].mean(), half))
    return pd.DataFrame(rows, columns=["x", "mean", "half_width"])


def class_quartiles(x: ArrayLike, values: ArrayLike, width: float, last: int) -> pd.DataFrame:
    """Quartiles of values by classes of one width along a predictor, from zero; class ``last`` is open.

    Returns
    -------
    quartiles : DataFrame
        Columns 0.25, 0.5 and 0.75; the index is the middle of a class.
    """
    place = (np.minimum(np.asarray(x, float) // width, last) + 0.5) * width
    return pd.Series(np.asarray(values, float)).groupby(place).quantile([0.25, 0.5, 0.75]).unstack()


# Which distribution of residuals the data speak for.
#: Degrees of freedom at which Student's t is tried.
TAILS_TRIED = (3.0, 5.0, 10.0)


def families(observed: np.ndarray, predicted: np.ndarray, p: int, factor: bool) -> dict[str, float]:
    r"""AIC of an equation with residuals of other families, on the scale of the response, or a little less good than it.

    The shape of the curve is held and only its level follows the family, so a new fit has at most this AIC. The likelihood of
    logarithms is made that of the response by its Jacobian, :math:`-\sum \ln y` (Furnival 1961).

    Parameters
    ----------
    observed, predicted : array, shape (n,)
        Above zero.
    p : int
        Coefficients of the equation.
    factor : bool
        Whether the equation has a factor of its own, by which its level can follow.

    Returns
    -------
    aic : dict
        ``normal`` and ``t`` with a power of the mean, ``lognormal`` (with a factor), ``gamma``.

    Source
    ------
    Furnival G.M. (1961) An index for comparing equations used in constructing volume tables. Forest Science 7:337-341.
    """
    y, log_f = np.asarray(observed, float), np.log(predicted)
    n, ratio = len(y), np.asarray(observed, float) / predicted
    mean = ratio.mean() if factor else 1.0
    found, shape = {}, gamma_shape(ratio / mean)
    found["gamma"] = aic(stats.gamma.logpdf(ratio, shape, scale=mean / shape).sum() - log_f.sum(), p + 1)
    if factor:
        logs = np.log(ratio)
        found["lognormal"] = aic(
            stats.norm.logpdf(logs, logs.mean(), logs.std()).sum() - np.log(y).sum(), p + 1
        )
    away, centre = y - predicted, log_f.mean()

    def scaled(exponent):
        return away * np.exp(-exponent * (log_f - centre))

    def spread(exponent):
        return n * np.log(np.mean(scaled(exponent) ** 2)) / 2 + exponent * (log_f - centre).sum()

    exponent = optimize.minimize_scalar(spread, bounds=(0.0, 3.0), method="bounded").x
    found["normal"] = aic(-spread(exponent) - n * (np.log(2 * np.pi) + 1) / 2, p + 2)
    gain = max(_heavy(scaled(exponent), tail) for tail in TAILS_TRIED)
    found["t"] = aic(gain - exponent * (log_f - centre).sum(), p + 3)
    return found


def _heavy(residual, tail) -> float:
    """Log-likelihood of Student's t about nought, its scale by reweighting from the middle of the residuals."""
    squared = (np.median(np.abs(residual)) / 0.6745) ** 2
    for _ in range(50):
        weight = (tail + 1) / (tail + residual**2 / squared)
        squared = (weight * residual**2).sum() / weight.sum()
    return float(stats.t.logpdf(residual, tail, scale=np.sqrt(squared)).sum())


# Thresholds that indices are held against.

_COMPARE = {
    "<=": lambda value, limit: value <= limit,
    ">=": lambda value, limit: value >= limit,
    "abs<=": lambda value, limit: abs(value) <= limit,
}
#: Ends the source of a rule that was recalled.
UNSEEN = " (text not seen)"


def rule_source(source: str, status: str) -> str:
    """Where the threshold of a rule comes from and how it was read, in the reader's language.

    Examples
    --------
    >>> rule_source('LY/T 2258-2014 (text not seen)', 'recalled')
    'LY/T 2258-2014 (recalled, not read in print)'
    """
    if status == "house rule":
        return tr("rule of this workbench", "工作台自定")
    if source.startswith("data/vocabulary"):
        return tr("limits of the quantity", "该量的界限")
    statuses = {
        "recalled": ("recalled, not read in print", "未核对原文"),
        "verified": ("read in print", "已核对原文"),
    }
    text, known = source.replace(UNSEEN, ""), tr(*statuses.get(status, (status, status)))
    return tr(f"{text} ({known})", f"{text}（{known}）")


@dataclass(frozen=True)
class Rule:
    """One row of ``data/rules/acceptance.csv``."""

    rule_id: str
    quantity: str
    responses: tuple[str, ...]
    systems: tuple[str, ...]
    comparison: str
    threshold: float
    unit: str
    source: str
    status: str
    label_en: str
    label_zh: str
    note: str

    def applies(self, response: str, system: str) -> bool:
        """Whether the rule speaks of this response in this ecosystem."""
        return (not self.responses or response in self.responses) and (
            not self.systems or system in self.systems
        )

    def met(self, value: float) -> bool:
        """Whether a value keeps the threshold; NaN does not."""
        return bool(_COMPARE[self.comparison](value, self.threshold))

    def row(self, value: float) -> dict[str, Any]:
        """Row of ``checks.csv`` for a value."""
        return {
            "check_id": self.rule_id,
            "passed": self.met(value),
            "value": value,
            "comparison": self.comparison,
            "threshold": self.threshold,
            "rule_status": self.status,
            "rule_source": self.source,
            "message_en": self.label_en,
            "message_zh": self.label_zh,
        }


def bound(comparison: str, threshold: float, lang: str | None = None) -> str:
    """What a check wants, as people write it: ``≤ 5``, ``within ±5``; "" where it names no threshold.

    ``lang`` (``zh``, ``en``) is that of the text, by default the reader's.
    """
    if not comparison or threshold != threshold:
        return ""
    if comparison == "abs<=":
        return f"±{threshold:g}以内" if (lang or reader_language()) == "zh" else f"within ±{threshold:g}"
    return f"{comparison.replace('<=', '≤ ').replace('>=', '≥ ')}{threshold:g}"


@lru_cache(maxsize=1)
def _acceptance() -> tuple[Rule, ...]:
    rows = records("rules", "acceptance.csv", numbers=("threshold",), several=("responses", "systems"))
    return tuple(Rule(**row) for row in rows)


def rules() -> tuple[Rule, ...]:
    """Acceptance rules of the indices of a fit."""
    return tuple(rule for rule in _acceptance() if rule.quantity in VALUES)


def validation_rules() -> tuple[Rule, ...]:
    """Acceptance rules of what a validation without the trees that are predicted finds."""
    return tuple(rule for rule in _acceptance() if rule.quantity not in VALUES)
