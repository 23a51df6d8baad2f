r"""Bootstrap and jackknife: uncertainty of the estimates from refits.

*Kinds.* ``case`` draws whole trees with replacement and assumes only that trees are alike and
independent; ``group`` draws whole levels of a column (sites, plots), for trees that resemble their
neighbours; ``residual`` keeps the trees and draws new responses from the fitted model with its
variance functions and residual correlation, which assumes that model. Trees keep their missing
components in every kind.

*Intervals.* ``percentile``: quantiles of the refits. ``bca``: quantiles shifted for bias and for the
change of the standard error with the estimate, the latter from the jackknife (leave one tree, or one
group, out).

*How.* Each refit has its own random stream, spawned from the seed, so the draws do not depend on the
number of processes. Refits start at the estimates. Those that do not converge are left out and
counted.

Source
------
Efron B., Tibshirani R.J. (1993) An Introduction to the Bootstrap, chapters 6, 11, 13 and 14.
Chapman & Hall.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.errors import ConvergenceError, DataError
from sinklab.fit.refit import Refitter
from sinklab.language import tr

KINDS = ("case", "group", "residual")
INTERVALS = ("percentile", "bca")
CHUNK = 50


def bootstrap(
    fit,
    n: int = 2000,
    kind: str = "case",
    group: str | None = None,
    interval: str = "percentile",
    seed: int | None = None,
    workers: int = 1,
):
    """Refit to resampled data and return the same result with the uncertainty of the refits.

    Parameters
    ----------
    fit : FitResult
        Of ``wls``, ``nsur`` or ``ols-log``, with its data.
    n : int
        Number of refits.
    kind : {"case", "group", "residual"}
    group : str, optional
        Column whose levels are drawn together, for ``kind="group"``.
    interval : {"percentile", "bca"}
    seed : int, optional
        That of the fit when left out.
    workers : int
        Processes. The result does not depend on it.

    Returns
    -------
    result : FitResult
        Estimates as before; standard errors, covariance, intervals and ``stored_draws`` from the
        refits; ``certificate["bootstrap"]`` tells kind, interval, number of refits and failures.

    Raises
    ------
    DataError
        Unknown kind or interval, or no group column.
    ConvergenceError
        More than a tenth of the refits failed.
    """
    _check(fit, kind, group, interval)
    seed = fit.seed if seed is None else seed
    refitter = Refitter(fit)
    tasks = [(kind, group, child) for child in np.random.SeedSequence(seed).spawn(n)]
    draws = _run(refitter, tasks, workers)
    good = np.isfinite(draws).all(axis=1)
    failed = int((~good).sum())
    if failed > 0.1 * n:
        raise ConvergenceError(
            tr(
                f"{failed} of {n} refits did not converge; use a simpler equation",
                f"{n} 次重抽样拟合中有 {failed} 次未收敛；请简化方程",
            )
        )
    draws = pd.DataFrame(draws[good], columns=fit.labels)
    if interval == "percentile":
        low, high = np.full((2, len(fit.labels)), [[(1 - fit.level) / 2], [(1 + fit.level) / 2]])
    else:
        low, high = _bca_levels(fit, draws, jackknife(fit, group if kind == "group" else None, workers))
    columns = draws.to_numpy().T
    parameters = fit.parameters.assign(
        se=draws.std(ddof=1).to_numpy(),
        lower=[np.quantile(c, q) for c, q in zip(columns, low, strict=True)],
        upper=[np.quantile(c, q) for c, q in zip(columns, high, strict=True)],
    )
    covariance = pd.DataFrame(np.cov(columns), index=fit.labels, columns=fit.labels)
    told = {"kind": kind, "group": group, "interval": interval, "n": n, "n_failed": failed, "seed": seed}
    return replace(
        fit,
        parameters=parameters,
        covariance=covariance,
        stored_draws=draws,
        certificate=fit.certificate | {"bootstrap": told},
        seed=seed,
    )


def jackknife(fit, group: str | None = None, workers: int = 1) -> pd.DataFrame:
    """Estimates with one tree, or one level of ``group``, left out at a time.

    Returns
    -------
    estimates : DataFrame
        One row for each tree or level left out, indexed by it; NaN where the refit failed.
    """
    refitter = Refitter(fit)
    left_out = fit.data.index if group is None else sorted(fit.data[group].unique())
    values = _run(refitter, [("leave", group, item) for item in left_out], workers)
    return pd.DataFrame(values, index=left_out, columns=fit.labels)


def _check(fit, kind, group, interval):
    if kind not in KINDS or interval not in INTERVALS:
        raise DataError(
            tr(
                f"bootstrap: kind {kind!r} of {KINDS} and interval {interval!r} of {INTERVALS}",
                f"自助法：类型 {kind!r} 应属 {KINDS}，区间 {interval!r} 应属 {INTERVALS}",
            )
        )
    if kind == "group" and (group is None or group not in fit.data):
        found = ", ".join(map(str, fit.data.columns))
        raise DataError(
            tr(
                f"bootstrap by group: no column {group!r}; found {found}",
                f"分组自助法：没有列 {group!r}；现有 {found}",
            )
        )


def _run(refitter, tasks, workers) -> np.ndarray:
    chunks = [tasks[i : i + CHUNK] for i in range(0, len(tasks), CHUNK)]
    if workers <= 1 or len(chunks) == 1:
        return np.vstack([_work(refitter, chunk) for chunk in chunks])
    with ProcessPoolExecutor(workers, get_context("spawn"), _keep, (refitter,)) as pool:
        return np.vstack(list(pool.map(_work_kept, chunks)))


_kept = None


def _keep(refitter):
    global _kept
    _kept = refitter


def _work_kept(chunk):
    return _work(_kept, chunk)


def _work(refitter, chunk) -> np.ndarray:
    return np.vstack([refitter.estimate(*_draw(refitter, *task)) for task in chunk])


def _draw(refitter, kind, group, item):
    """Rows of the resample, and new responses when they are drawn from the model."""
    n = refitter.n
    everyone = np.arange(n)
    if kind == "leave":
        key = refitter.frame.index if group is None else refitter.frame[group]
        return everyone[np.asarray(key != item)], None
    rng = np.random.default_rng(item)
    if kind == "case":
        return rng.integers(0, n, n), None
    if kind == "group":
        levels, codes = np.unique(refitter.frame[group].astype(str), return_inverse=True)
        drawn = rng.integers(0, len(levels), len(levels))
        return np.concatenate([everyone[codes == level] for level in drawn]), None
    return everyone, refitter.simulate(rng)


def _bca_levels(fit, draws, left_out):
    """Probabilities at which the quantiles of the draws are taken, for each parameter."""
    below = (draws.to_numpy() < fit.values).mean(axis=0)
    shift = stats.norm.ppf(np.clip(below, 1 / (len(draws) + 1), 1 - 1 / (len(draws) + 1)))
    values = left_out.dropna().to_numpy()
    away = values.mean(axis=0) - values
    acceleration = (away**3).sum(axis=0) / (6 * ((away**2).sum(axis=0)) ** 1.5)
    levels = []
    for z in stats.norm.ppf([(1 - fit.level) / 2, (1 + fit.level) / 2]):
        levels.append(stats.norm.cdf(shift + (shift + z) / (1 - acceleration * (shift + z))))
    return levels
