"""Whether the draws may be used: every check with its threshold, from ``data/rules/bayes_checks.csv``."""

import numpy as np

from sinklab import paths
from sinklab.language import tr
from sinklab.tabular import read_csv


def diagnostics(values) -> dict[str, np.ndarray]:
    """R-hat and effective sample sizes of quantities, by ArviZ.

    Parameters
    ----------
    values : array, shape (chain, draw, k)

    Returns
    -------
    found : dict of array, shape (k,)
        ``rhat, ess_bulk, ess_tail``.
    """
    try:
        from arviz_stats.base import array_stats
    except ImportError:
        return _by_data_set(values)
    axes = {"chain_axis": 0, "draw_axis": 1}
    return {
        "rhat": array_stats.rhat(values, method="rank", **axes),
        "ess_bulk": array_stats.ess(values, method="bulk", **axes),
        "ess_tail": array_stats.ess(values, method="tail", prob=(0.05, 0.95), **axes),
    }


def _by_data_set(values):
    """The same with ArviZ before 1.0."""
    import arviz as az

    data = az.convert_to_dataset({"x": values})
    return {
        "rhat": az.rhat(data, method="rank")["x"].values,
        "ess_bulk": az.ess(data, method="bulk")["x"].values,
        "ess_tail": az.ess(data, method="tail", prob=0.05)["x"].values,
    }


def leave_one_out(log_likelihood) -> dict:
    """Expected log predictive density by Pareto-smoothed importance sampling (Vehtari et al. 2017).

    Parameters
    ----------
    log_likelihood : array, shape (draw, n)

    Returns
    -------
    found : dict
        ``elpd``, its standard error ``se``, effective number of parameters ``p``; ``pointwise`` and ``k`` (n,).
    """
    try:
        from arviz_stats.base import array_stats

        # ArviZ 1 takes log-likelihoods and turns them into weights; before it took log weights.
        smoothed, k = array_stats.psislw(log_likelihood.T)
    except ImportError:
        import arviz as az

        smoothed, k = az.psislw(-log_likelihood.T)
    smoothed, k = np.asarray(smoothed), np.atleast_1d(np.asarray(k))
    pointwise = _log_sum(smoothed + log_likelihood.T)
    whole = _log_sum(log_likelihood.T) - np.log(len(log_likelihood))
    return {
        "elpd": float(pointwise.sum()),
        "se": float(np.sqrt(len(pointwise) * pointwise.var())),
        "p": float((whole - pointwise).sum()),
        "pointwise": pointwise,
        "k": k,
    }


def _log_sum(values):
    top = values.max(axis=1)
    return top + np.log(np.exp(values - top[:, None]).sum(axis=1))


def energy_fraction(energy) -> float:
    """Smallest energy Bayesian fraction of missing information over the chains (chain, draw)."""
    jumps = np.square(np.diff(energy, axis=1)).mean(axis=1)
    return float((jumps / energy.var(axis=1)).min())


def certificate(found, labels, statistics, loo, predictive=None) -> dict:
    """Every check with value, threshold and verdict.

    Parameters
    ----------
    found : dict
        See :func:`diagnostics`.
    labels : sequence of str
        Names of the quantities.
    statistics : dict
        ``diverging`` and ``energy``, shape (chain, draw).
    loo : dict or None
        See :func:`leave_one_out`; None where it does not exist.
    predictive : DataFrame, optional
        See :func:`.compare_data.compare_data`.
    """
    values = {
        "rhat": _worst(found["rhat"], labels, np.nanargmax),
        "ess_bulk": _worst(found["ess_bulk"], labels, np.nanargmin),
        "ess_tail": _worst(found["ess_tail"], labels, np.nanargmin),
        "divergences": (float(statistics["diverging"].sum()), ""),
        "e_bfmi": (energy_fraction(statistics["energy"]), ""),
    }
    if loo is not None:
        values["pareto_k"] = (float(loo["k"].max()), "")
    for kind, rows in () if predictive is None else predictive.groupby("kind"):
        worst = rows.loc[rows["p"].idxmin()]
        values[f"{kind}_predictive"] = (float(worst["p"]), f"{worst['response']}, {worst['summary']}")
    checks = {}
    for _, rule in read_csv(
        paths.data("rules", "bayes_checks.csv"), numeric={"threshold", "blocks"}
    ).iterrows():
        if rule["check"] not in values:
            continue
        value, where = values[rule["check"]]
        threshold = float(rule["threshold"])
        passed = value <= threshold if rule["comparison"] == "<=" else value >= threshold
        checks[rule["check"]] = {
            "value": value,
            "comparison": rule["comparison"],
            "threshold": threshold,
            "passed": bool(passed),
            "blocks": bool(rule["blocks"]),
            "worst": where,
            "source": rule["source"],
        }
    return {"converged": all(c["passed"] for c in checks.values() if c["blocks"]), "checks": checks}


def _worst(values, labels, which) -> tuple[float, str]:
    if not np.isfinite(values).any():
        return float("nan"), ""
    at = int(which(values))
    return float(values[at]), labels[at]


def warnings(checks) -> list[str]:
    """One line for each check that failed."""
    told = []
    for name, c in checks.items():
        if c["passed"]:
            continue
        where = f" ({c['worst']})" if c["worst"] else ""
        advice = _ADVICE[name]()
        told.append(
            tr(
                f"{name} = {c['value']:.4g}{where}; expected {c['comparison']} {c['threshold']:g}; {advice}",
                f"{name} = {c['value']:.4g}{where}；应 {c['comparison']} {c['threshold']:g}；{advice}",
            )
        )
    return told


_ADVICE = {
    "rhat": lambda: tr("draw more, or simplify the model", "请增加抽样次数或简化模型"),
    "ess_bulk": lambda: tr("draw more", "请增加抽样次数"),
    "ess_tail": lambda: tr("draw more", "请增加抽样次数"),
    "divergences": lambda: tr(
        "state narrower priors, pool independently or simplify the model",
        "请给出更窄的先验、改用独立汇集或简化模型",
    ),
    "e_bfmi": lambda: tr("draw more, or state narrower priors", "请增加抽样次数或给出更窄的先验"),
    "posterior_predictive": lambda: tr(
        "trees simulated from the fit are unlike those measured; try another variance function or form",
        "由模型模拟的样木与实测不符；请尝试其他方差函数或方程形式",
    ),
    "prior_predictive": lambda: tr(
        "the priors expect other trees than were measured; look at priors and units",
        "先验预期与实测样木不符；请检查先验与单位",
    ),
    "pareto_k": lambda: tr(
        "look at the trees that move the fit; LOO is unreliable there", "请检查影响拟合的样木；其 LOO 不可靠"
    ),
}
