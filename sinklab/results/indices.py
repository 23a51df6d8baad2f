r"""Indices by which a biomass model is judged, each with its formula.

With observations :math:`y_i`, predictions :math:`\hat y_i`, ``n`` observations, ``p`` parameters and
the mean :math:`\bar y` of the observations. The first six are the basic indices of Zeng & Tang (2011);
the prediction, not the observation, stands in the denominators.

Source
------
Zeng W., Tang S. (2011) Goodness evaluation and precision analysis of tree biomass equations.
Scientia Silvae Sinicae 47(11):106-113.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from sinklab.language import tr


class Index(NamedTuple):
    """How an index is printed: formula in LaTeX, wording in both languages, formula in plain text."""

    latex: str
    en: str
    zh: str
    plain: str


#: Every index by its name, in the order in which tables print them.
FORMULAS = {
    "n": Index("n", "number of observations", "样本数", "n"),
    "R2": Index(
        r"R^2 = 1 - \frac{\sum \left(y_i - \hat y_i\right)^2}{\sum \left(y_i - \bar y\right)^2}",
        "coefficient of determination",
        "确定系数",
        "1 - Σ(y - f)² / Σ(y - ȳ)²",
    ),
    "SEE": Index(
        r"SEE = \sqrt{\frac{\sum \left(y_i - \hat y_i\right)^2}{n - p}}",
        "standard error of estimate",
        "估计值的标准差",
        "√(Σ(y - f)² / (n - p))",
    ),
    "TRE": Index(
        r"TRE = 100 \times \frac{\sum \left(y_i - \hat y_i\right)}{\sum \hat y_i}",
        "total relative error (%)",
        "总相对误差（%）",
        "100 Σ(y - f) / Σf",
    ),
    "ASE": Index(
        r"ASE = \frac{100}{n} \sum \frac{y_i - \hat y_i}{\hat y_i}",
        "average systematic error (%)",
        "平均系统误差（%）",
        "100/n Σ((y - f) / f)",
    ),
    "MPE": Index(
        r"MPE = 100 \times \frac{t_{0.05}\, SEE}{\bar y \sqrt{n}}",
        "mean prediction error (%)",
        "平均预估误差（%）",
        "100 t(0.05) (SEE / ȳ) / √n",
    ),
    "MPSE": Index(
        r"MPSE = \frac{100}{n} \sum \left| \frac{y_i - \hat y_i}{\hat y_i} \right|",
        "mean percentage standard error (%)",
        "平均百分标准误差（%）",
        "100/n Σ|(y - f) / f|",
    ),
    "RMSE": Index(
        r"RMSE = \sqrt{\frac{\sum \left(y_i - \hat y_i\right)^2}{n}}",
        "root mean square error",
        "均方根误差",
        "√(Σ(y - f)² / n)",
    ),
    "AIC": Index(r"AIC = 2 k - 2 \ln L", "Akaike information criterion", "赤池信息准则", "2k - 2 ln L"),
    "BIC": Index(
        r"BIC = k \ln n - 2 \ln L", "Bayesian information criterion", "贝叶斯信息准则", "k ln n - 2 ln L"
    ),
}


def describe(index: str) -> str:
    """Wording of an index in the reader's language."""
    return tr(FORMULAS[index].en, FORMULAS[index].zh)


def r_squared(observed, predicted) -> float:
    r"""Coefficient of determination, :math:`1 - \sum (y_i - \hat y_i)^2 / \sum (y_i - \bar y)^2`."""
    spread = np.sum((observed - np.mean(observed)) ** 2)
    return float(1 - np.sum((observed - predicted) ** 2) / spread) if spread > 0 else float("nan")


def standard_error_of_estimate(observed, predicted, p: int) -> float:
    r"""SEE, :math:`\sqrt{\sum (y_i - \hat y_i)^2 / (n - p)}`, in the unit of the response."""
    freedom = len(observed) - p
    return float(np.sqrt(np.sum((observed - predicted) ** 2) / freedom)) if freedom > 0 else float("nan")


def total_relative_error(observed, predicted) -> float:
    r"""TRE, :math:`100 \sum (y_i - \hat y_i) / \sum \hat y_i`. [%] Signed: a bias."""
    return float(100 * np.sum(observed - predicted) / np.sum(predicted))


def average_systematic_error(observed, predicted) -> float:
    r"""ASE, :math:`(100 / n) \sum (y_i - \hat y_i) / \hat y_i`. [%] Signed: a bias.

    Some Chinese papers print this index as "MSE"; it is not a mean squared error.
    """
    return float(100 * np.mean((observed - predicted) / predicted))


def mean_prediction_error(observed, predicted, p: int) -> float:
    r"""MPE, :math:`100\, t_{0.05} (SEE / \bar y) / \sqrt n`, t two-sided at 95 % with n - p d.f. [%]."""
    n = len(observed)
    if n <= p:
        return float("nan")
    see = standard_error_of_estimate(observed, predicted, p)
    return float(100 * stats.t.ppf(0.975, n - p) * see / np.mean(observed) / np.sqrt(n))


def mean_percentage_standard_error(observed, predicted) -> float:
    r"""MPSE, :math:`(100 / n) \sum |(y_i - \hat y_i) / \hat y_i|`. [%]."""
    return float(100 * np.mean(np.abs((observed - predicted) / predicted)))


def root_mean_square_error(observed, predicted) -> float:
    r"""RMSE, :math:`\sqrt{\sum (y_i - \hat y_i)^2 / n}`, in the unit of the response."""
    return float(np.sqrt(np.mean((observed - predicted) ** 2)))


def aic(loglik: float, k: int) -> float:
    r"""AIC, :math:`2 k - 2 \ln L`; ``k`` counts coefficients and variance parameters."""
    return 2 * k - 2 * loglik


def bic(loglik: float, k: int, n: int) -> float:
    r"""BIC, :math:`k \ln n - 2 \ln L`."""
    return k * float(np.log(n)) - 2 * loglik


def evaluate(observed, predicted, p: int) -> dict[str, float]:
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
    return {
        "n": len(y),
        "R2": r_squared(y, f),
        "SEE": standard_error_of_estimate(y, f, p),
        "TRE": total_relative_error(y, f),
        "ASE": average_systematic_error(y, f),
        "MPE": mean_prediction_error(y, f, p),
        "MPSE": mean_percentage_standard_error(y, f),
        "RMSE": root_mean_square_error(y, f),
    }
