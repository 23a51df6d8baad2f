r"""Compare candidate systems on the same data, and average them.

AIC weights are :math:`w_m = \exp(-\Delta_m / 2) / \sum \exp(-\Delta / 2)` (Burnham & Anderson 2002). All
likelihoods are those of the observed quantities, so a fit on logarithms (whose likelihood carries the
Jacobian - sum ln y) stands beside one on the natural scale (Furnival 1961). Candidates must have used
the same trees, which is checked.

Source
------
Burnham K.P., Anderson D.R. (2002) Model Selection and Multimodel Inference, 2nd edition. Springer.
Furnival G.M. (1961) An index for comparing equations used in constructing volume tables. Forest
Science 7:337-341.
"""

import numpy as np
import pandas as pd

from sinklab import indices
from sinklab.errors import DataError
from sinklab.language import tr


def compare(fits) -> pd.DataFrame:
    """Rank fits by AIC.

    Parameters
    ----------
    fits : mapping of str to FitResult
        The same responses measured on the same trees.

    Returns
    -------
    table : DataFrame
        Indexed by name, best first: ``method, k, loglik, AIC, delta, weight, BIC``.

    Raises
    ------
    DataError
        Fewer than two fits, or fits of different responses or trees.
    """
    if len(fits) < 2:
        raise DataError(tr("compare needs at least two fits", "比较至少需要两个拟合"))
    samples = {name: _sample(fit) for name, fit in fits.items()}
    first = next(iter(samples))
    different = [name for name, sample in samples.items() if sample != samples[first]]
    if different:
        names = ", ".join(different)
        raise DataError(
            tr(
                f"{names}: other responses or trees than {first}; fit all candidates to the same records",
                f"{names}：与 {first} 的因变量或样木不同；请用相同记录拟合各候选模型",
            )
        )
    rows = {}
    for name, fit in fits.items():
        k = len(fit.parameters) + fit.n_variance
        n = max(fit.n.values())
        aic, bic = indices.aic(fit.loglik, k), indices.bic(fit.loglik, k, n)
        rows[name] = {"method": fit.method, "k": k, "loglik": fit.loglik, "AIC": aic, "BIC": bic}
    table = pd.DataFrame.from_dict(rows, orient="index").sort_values("AIC", kind="stable")
    table.insert(4, "delta", table["AIC"] - table["AIC"].min())
    weight = np.exp(-table["delta"] / 2)
    table.insert(5, "weight", weight / weight.sum())
    return table


def _sample(fit):
    free = sorted(fit.system.free)
    return tuple((r, tuple(fit.data.index[fit.data[r].notna()])) for r in free)


def average(fits, data, level: float = 0.95) -> pd.DataFrame:
    """Prediction averaged over fits by their AIC weights.

    The variance adds the spread between the models to their own: the unconditional standard error of
    Burnham & Anderson (2002, equation 4.9), with a normal interval.

    Returns
    -------
    prediction : DataFrame
        For each response that all fits predict: ``r, r_se, r_lower, r_upper``.
    """
    from scipy.stats import norm

    weights = compare(fits)["weight"]
    predictions = {name: fit.predict(data) for name, fit in fits.items()}
    shared = [
        r for r in next(iter(fits.values())).system.responses if all(r in p for p in predictions.values())
    ]
    half = norm.ppf(0.5 + level / 2)
    columns = {}
    for r in shared:
        mean = sum(weights[name] * p[r] for name, p in predictions.items())
        se = sum(weights[n] * np.sqrt(p[f"{r}_se"] ** 2 + (p[r] - mean) ** 2) for n, p in predictions.items())
        columns |= {r: mean, f"{r}_se": se, f"{r}_lower": mean - half * se, f"{r}_upper": mean + half * se}
    return pd.DataFrame(columns)
