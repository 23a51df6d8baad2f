r"""How much each tree, or each site, pulls on a fit, and whether the fit is biased.

*Influence* comes from the jackknife: with :math:`d_i = \hat\beta - \hat\beta_{(i)}` Cook's distance is
:math:`d_i^T C^{-1} d_i / k` and DFBETAS is :math:`d_i` over the standard errors. Trees above
:math:`4 / n` deserve a look at their field form.

*Bias* is tested as Chinese practice does: observed = a + b · predicted, with a = 0 and b = 1 tested
together (the ellipse test, an F test), weighted by the residual variance of the fit, beside the
paired t test of the mean relative error. *Equivalence* turns the question round (two one-sided tests,
Schuirmann 1987): is the mean relative error proven to lie within a stated margin?

Source
------
Cook R.D. (1977) Detection of influential observation in linear regression. Technometrics 19:15-18.
Schuirmann D.J. (1987) A comparison of the two one-sided tests procedure and the power approach for
assessing the equivalence of average bioavailability. J. Pharmacokinet. Biopharm. 15:657-680.
"""

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.fit.bootstrap import jackknife


def influence(fit, group: str | None = None, workers: int = 1) -> pd.DataFrame:
    """Cook's distance and DFBETAS of each tree, or of each level of a column.

    Returns
    -------
    influence : DataFrame
        Indexed by the row of the data, or the level: ``cook``, then one column of DFBETAS for each
        parameter, ``flag`` above 4 / n. A tree without which the fit fails has NaN and is flagged.
    """
    away = fit.values - jackknife(fit, group, workers)
    inverse = np.linalg.pinv(fit.covariance.to_numpy(), hermitian=True)
    cook = np.einsum("ij,jk,ik->i", away.to_numpy(), inverse, away.to_numpy()) / len(fit.values)
    table = away / fit.parameters["se"].to_numpy()
    table.insert(0, "cook", cook)
    table["flag"] = ~(cook <= 4 / len(table))
    return table


def bias_test(observed, predicted, weights=None) -> dict[str, float]:
    """Test whether observations scatter around the predictions without bias.

    Parameters
    ----------
    observed, predicted : array, shape (n,)
    weights : array, shape (n,), optional
        Inverse residual variances; equal when left out.

    Returns
    -------
    test : dict
        ``intercept, slope``, ``F`` and ``p_ellipse`` of both together (2 and n - 2 d.f.),
        ``mean_relative_error`` [%], ``t`` and ``p_paired``.
    """
    y, f = np.asarray(observed, float), np.asarray(predicted, float)
    w = np.ones_like(y) if weights is None else np.asarray(weights, float)
    root = np.sqrt(w)
    design = np.column_stack([root, root * f])
    line, *_ = np.linalg.lstsq(design, root * y, rcond=None)
    free = np.sum(w * (y - line[0] - line[1] * f) ** 2)
    n = len(y)
    ratio = (np.sum(w * (y - f) ** 2) - free) / 2 / (free / (n - 2))
    paired = stats.ttest_1samp((y - f) / f, 0.0)
    return {
        "intercept": float(line[0]),
        "slope": float(line[1]),
        "F": float(ratio),
        "p_ellipse": float(stats.f.sf(ratio, 2, n - 2)),
        "mean_relative_error": float(100 * np.mean((y - f) / f)),
        "t": float(paired.statistic),
        "p_paired": float(paired.pvalue),
    }


def equivalence_test(observed, predicted, margin: float = 10.0) -> dict[str, float]:
    """Two one-sided t tests that the mean relative error lies within ± ``margin`` per cent.

    Returns
    -------
    test : dict
        ``mean_relative_error`` [%], ``lower`` and ``upper`` of its 90 % interval [%], ``margin`` [%],
        ``p`` (the larger of the two), ``equivalent`` at 5 %.
    """
    y, f = np.asarray(observed, float), np.asarray(predicted, float)
    relative = 100 * (y - f) / f
    n, mean = len(relative), relative.mean()
    se = relative.std(ddof=1) / np.sqrt(n)
    p = max(stats.t.sf((mean + margin) / se, n - 1), stats.t.cdf((mean - margin) / se, n - 1))
    half = stats.t.ppf(0.95, n - 1) * se
    return {
        "mean_relative_error": float(mean),
        "lower": float(mean - half),
        "upper": float(mean + half),
        "margin": float(margin),
        "p": float(p),
        "equivalent": bool(p < 0.05),
    }
