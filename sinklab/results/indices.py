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
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from sinklab.language import tr


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


class Index(NamedTuple):
    """How an index is printed: formula in LaTeX, wording in both languages, formula in plain text; and computed.

    ``value(observed, predicted, p)`` takes arrays and the number of parameters; None where it takes a likelihood.
    """

    latex: str
    en: str
    zh: str
    plain: str
    value: Callable[..., Any] | None = None


#: Every index by its name, in the order in which tables print them.
FORMULAS = {
    "n": Index("n", "number of observations", "样本数", "n", lambda y, f, p: len(y)),
    "R2": Index(
        r"R^2 = 1 - \frac{\sum \left(y_i - \hat y_i\right)^2}{\sum \left(y_i - \bar y\right)^2}",
        "coefficient of determination",
        "确定系数",
        "1 - Σ(y - f)² / Σ(y - ȳ)²",
        _r_squared,
    ),
    "SEE": Index(
        r"SEE = \sqrt{\frac{\sum \left(y_i - \hat y_i\right)^2}{n - p}}",
        "standard error of estimate",
        "估计值的标准差",
        "√(Σ(y - f)² / (n - p))",
        _standard_error,
    ),
    "TRE": Index(
        r"TRE = 100 \times \frac{\sum \left(y_i - \hat y_i\right)}{\sum \hat y_i}",
        "total relative error (%)",
        "总相对误差（%）",
        "100 Σ(y - f) / Σf",
        lambda y, f, p: total_relative_error(y, f),
    ),
    "ASE": Index(
        r"ASE = \frac{100}{n} \sum \frac{y_i - \hat y_i}{\hat y_i}",
        "average systematic error (%)",
        "平均系统误差（%）",
        "100/n Σ((y - f) / f)",
        lambda y, f, p: average_systematic_error(y, f),
    ),
    "MPE": Index(
        r"MPE = 100 \times \frac{t_{0.05}\, SEE}{\bar y \sqrt{n}}",
        "mean prediction error (%)",
        "平均预估误差（%）",
        "100 t(0.05) (SEE / ȳ) / √n",
        _mean_prediction_error,
    ),
    "MPSE": Index(
        r"MPSE = \frac{100}{n} \sum \left| \frac{y_i - \hat y_i}{\hat y_i} \right|",
        "mean percentage standard error (%)",
        "平均百分标准误差（%）",
        "100/n Σ|(y - f) / f|",
        lambda y, f, p: 100 * np.mean(np.abs((y - f) / f)),
    ),
    "RMSE": Index(
        r"RMSE = \sqrt{\frac{\sum \left(y_i - \hat y_i\right)^2}{n}}",
        "root mean square error",
        "均方根误差",
        "√(Σ(y - f)² / n)",
        lambda y, f, p: np.sqrt(np.mean((y - f) ** 2)),
    ),
    "AIC": Index(r"AIC = 2 k - 2 \ln L", "Akaike information criterion", "赤池信息准则", "2k - 2 ln L"),
    "BIC": Index(
        r"BIC = k \ln n - 2 \ln L", "Bayesian information criterion", "贝叶斯信息准则", "k ln n - 2 ln L"
    ),
}


def describe(index: str) -> str:
    """Wording of an index in the reader's language."""
    return tr(FORMULAS[index].en, FORMULAS[index].zh)


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
    found = {name: index.value(y, f, p) for name, index in FORMULAS.items() if index.value is not None}
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
