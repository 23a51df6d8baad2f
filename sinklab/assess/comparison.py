r"""Compare candidate systems on the same data, and average them.

AIC weights are :math:`w_m = \exp(-\Delta_m / 2) / \sum \exp(-\Delta / 2)` (Burnham & Anderson 2002). All
likelihoods are those of the observed quantities, so a fit on logarithms (whose likelihood carries the
Jacobian - sum ln y) stands beside one on the natural scale (Furnival 1961). Candidates must have used
the same trees, which is checked.

Bayesian fits are compared by leave-one-out: the difference of the expected log predictive densities of
the trees, with its standard error from the trees' own differences, and pseudo-BMA weights
:math:`w_m = \exp(elpd_m) / \sum \exp(elpd)` (Yao et al. 2018).

Source
------
Yao Y., Vehtari A., Simpson D., Gelman A. (2018) Using stacking to average Bayesian predictive
distributions. Bayesian Analysis 13:917-1007.
Burnham K.P., Anderson D.R. (2002) Model Selection and Multimodel Inference, 2nd edition. Springer.
Furnival G.M. (1961) An index for comparing equations used in constructing volume tables. Forest
Science 7:337-341.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import norm

from sinklab.language import DataError, number, table, tr
from sinklab.results import indices
from sinklab.results.fit_result import FitResult

#: Candidates by name.
Fits = Mapping[str, FitResult]


def compare(fits: Fits) -> pd.DataFrame:
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
        raise DataError("compare needs at least two fits", "比较至少需要两个拟合")
    _same_trees(fits)
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


def _same_trees(fits) -> None:
    samples = {name: _sample(fit) for name, fit in fits.items()}
    first = next(iter(samples))
    different = [name for name, sample in samples.items() if sample != samples[first]]
    if different:
        names = ", ".join(different)
        raise DataError(
            f"{names}: other responses or trees than {first}; fit all candidates to the same records",
            f"{names}：与 {first} 的因变量或样木不同；请用相同记录拟合各候选模型",
        )


def _sample(fit):
    free = sorted(fit.system.free)
    return tuple((r, tuple(fit.data.index[fit.data[r].notna()])) for r in free)


def compare_loo(fits: Fits) -> pd.DataFrame:
    """Rank Bayesian fits by leave-one-out.

    Parameters
    ----------
    fits : mapping of str to BayesResult
        The same responses measured on the same trees.

    Returns
    -------
    table : DataFrame
        Indexed by name, best first: ``elpd, p`` (effective parameters), ``delta`` (to the best), its standard
        error ``se_delta``, ``weight``, ``k_max`` (largest Pareto k; above 0.7 the elpd is in doubt).

    Raises
    ------
    DataError
        Fewer than two fits, fits without leave-one-out, or of different trees.
    """
    without = [name for name, fit in fits.items() if getattr(fit, "loo", None) is None]
    if len(fits) < 2 or without:
        named = ", ".join(without) or tr("one fit only", "仅一个拟合")
        raise DataError(
            f"leave-one-out compares two Bayesian fits or more, without errors in predictors; not so: {named}",
            f"留一法比较需要两个以上无自变量误差的贝叶斯拟合；不符合：{named}",
        )
    _same_trees(fits)
    points = {name: fit.loo["elpd"] for name, fit in fits.items()}
    best = max(points, key=lambda name: points[name].sum())
    rows = {}
    for name, fit in fits.items():
        apart = points[name] - points[best]
        rows[name] = {
            "elpd": points[name].sum(),
            "p": fit.certificate.loo["p"],
            "delta": apart.sum(),
            "se_delta": float(np.sqrt(len(apart) * apart.var(ddof=0))),
            "weight": np.exp(apart.sum()),
            "k_max": fit.loo["k"].max(),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").sort_values("elpd", ascending=False, kind="stable")
    return table.assign(weight=table["weight"] / table["weight"].sum())


def _ranked(fits) -> pd.DataFrame:
    """By leave-one-out when all fits are Bayesian, else by AIC."""
    sampled = all(fit.method == "bayes" for fit in fits.values())
    return (compare_loo if sampled else compare)(fits)


def average(fits: Fits, data: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Prediction averaged over fits by their weights: of AIC, or of leave-one-out for Bayesian fits.

    The variance adds the spread between the models to their own: the unconditional standard error of
    Burnham & Anderson (2002, equation 4.9), with a normal interval.

    Returns
    -------
    prediction : DataFrame
        For each response that all fits predict: ``r, r_se, r_lower, r_upper``.
    """
    weights = _ranked(fits)["weight"]
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


def comparison_report(fits: Fits) -> str:
    """Candidates by AIC, or by leave-one-out when all are Bayesian."""
    found = _ranked(fits)
    columns = [c for c in found.columns if c != "method"]
    rows = [
        [name, *(number(v, 6) for v in values)]
        for name, values in zip(found.index, found[columns].to_numpy(), strict=True)
    ]
    body = table([tr("candidate", "候选方程"), *columns], rows)
    lines = [tr("Candidates", "候选方程比较"), body]
    for name, fit in fits.items():
        spread = ", ".join(dict.fromkeys(model.spec for model in fit.residual.values()))
        lines.append(f"  {name}: {'; '.join(map(str, fit.system.equations))} · {fit.method} · {spread}")
    return "\n".join(lines)
