r"""Bootstrap and jackknife: uncertainty of the estimates from refits.

*Kinds.* ``case`` draws whole trees with replacement and assumes only that trees are alike and
independent; ``group`` draws whole levels of a column (sites, plots), for trees that resemble their
neighbours, and the only kind for a mixed model, whose groups are drawn whole and are new ones each time; ``residual``
keeps the trees and draws new responses from the fitted model with its
variance functions and residual correlation, which assumes that model. Trees keep their missing
components in every kind.

*Intervals.* ``percentile``: quantiles of the refits. ``bca``: quantiles shifted for bias and for the
change of the standard error with the estimate, the latter from the jackknife (leave one tree, or one
group, out).

*How.* Each refit has its own random stream, spawned from the seed, so the draws do not depend on the
number of processes. Refits start at the estimates and go without a certificate. Those that do not converge are left out and
counted.

Source
------
Efron B., Tibshirani R.J. (1993) An Introduction to the Bootstrap, chapters 6, 11, 13 and 14.
Chapman & Hall.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import repeat
from multiprocessing import get_context

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.fitting.loglinear import correction_factor, fit_line
from sinklab.fitting.mixed import Again
from sinklab.fitting.system import SystemFit
from sinklab.language import ConvergenceError, DataError, require_known
from sinklab.results.fit_result import FitResult
from sinklab.results.variance import parse_variance

KINDS = ("case", "group", "residual")
INTERVALS = ("percentile", "bca")
CHUNK = 50


def bootstrap(
    fit: FitResult,
    n: int = 2000,
    kind: str | None = None,
    group: str | None = None,
    interval: str = "percentile",
    seed: int | None = None,
    workers: int = 1,
) -> FitResult:
    """Refit to resampled data and return the same result with the uncertainty of the refits.

    Parameters
    ----------
    fit : FitResult
        Of ``wls``, ``nsur``, ``ols-log`` or ``mixed``, with its data.
    n : int
        Number of refits.
    kind : {"case", "group", "residual"}, optional
        Left out, whole sampled units (sites) are drawn where the fit knows them, or the groups of a mixed model; else cases.
    group : str, optional
        Column whose levels are drawn together, for ``kind="group"``; that of the sampled unit when left out.
    interval : {"percentile", "bca"}
    seed : int, optional
        That of the fit when left out.
    workers : int
        Processes. The result does not depend on it.

    Returns
    -------
    result : FitResult
        Estimates as before; standard errors, covariance, intervals and ``stored_draws`` from the
        refits; ``certificate.bootstrap`` tells kind, interval, number of refits and failures.

    Raises
    ------
    DataError
        Unknown kind or interval, no group column, or one whose levels cut through the groups of a mixed model.
    ConvergenceError
        More than a tenth of the refits failed.

    Examples
    --------
    >>> sl.bootstrap(fit, 50, seed=1).certificate.bootstrap['n']
    50
    """
    unit = fit.sampled_by
    kind = kind or ("group" if unit else "case")
    check_kind(kind, interval, fit.method)
    group = group or unit if kind == "group" else None
    if kind == "group" and (group is None or group not in fit.data):
        found = ", ".join(map(str, fit.data.columns))
        raise DataError(
            f"bootstrap by group: no column {group!r}; found {found}",
            f"分组自助法：没有列 {group!r}；现有 {found}",
        )
    seed = fit.seed if seed is None else seed
    refitter = Refitter(fit)
    if group is not None:
        refitter.whole(group)
    tasks = [(kind, group, child) for child in np.random.SeedSequence(seed).spawn(n)]
    draws = _run(refitter, tasks, workers)
    good = np.isfinite(draws).all(axis=1)
    failed = int((~good).sum())
    if failed > 0.1 * n:
        raise ConvergenceError(
            f"{failed} of {n} refits did not converge; use a simpler equation",
            f"{n} 次重抽样拟合中有 {failed} 次未收敛；请简化方程",
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
        certificate=replace(fit.certificate, bootstrap=told),
        seed=seed,
    )


def jackknife(fit: FitResult, group: str | None = None, workers: int = 1) -> pd.DataFrame:
    """Estimates with one tree, or one level of ``group``, left out at a time.

    Returns
    -------
    estimates : DataFrame
        One row for each tree or level left out, indexed by it; NaN where the refit failed. Of a mixed model whole groups
        are left out when nothing is said.
    """
    group = fit.sampled_by if group is None and fit.method == "mixed" else group
    require_known([group] if group else [], fit.data, place="influence")
    refitter = Refitter(fit)
    left_out = fit.data.index if group is None else sorted(fit.data[group].unique())
    values = _run(refitter, [("leave", group, item) for item in left_out], workers)
    return pd.DataFrame(values, index=pd.Index(left_out, name=group), columns=fit.labels)


def check_kind(kind: str | None, interval: str, method: str = "nsur") -> None:
    """Refuse a kind of resampling or of interval that does not exist, or not for a method, before any fit."""
    if method == "bayes":
        raise DataError(
            "a posterior is not refitted: its draws tell the uncertainty; leave out --bootstrap and --influence",
            "后验分布不作重抽样拟合：不确定性由其抽样给出；请去掉 --bootstrap 与 --influence",
        )
    if method == "mixed" and kind in ("case", "residual"):
        raise DataError(
            f"bootstrap of a mixed model: trees of a group share its effect, so whole groups are drawn, not {kind}; leave out "
            "--resample, or name a column: --resample group:COL",
            f"混合模型自助法：同组样木共享效应，须整组抽取，不能用 {kind}；请去掉 --resample，或写 --resample group:列名",
        )
    if kind not in (None, *KINDS) or interval not in INTERVALS:
        raise DataError(
            f"bootstrap: kind {kind!r} of {KINDS} and interval {interval!r} of {INTERVALS}",
            f"自助法：类型 {kind!r} 应属 {KINDS}，区间 {interval!r} 应属 {INTERVALS}",
        )


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


class Refitter:
    """Everything that a refit needs, taken from a result with its data.

    Parameters
    ----------
    fit : FitResult
        Of ``wls``, ``nsur``, ``ols-log`` or ``mixed``.

    Raises
    ------
    DataError
        The result holds no data, or its method cannot be refitted here.
    """

    def __init__(self, fit):
        if fit.data is None or fit.method not in ("wls", "nsur", "ols-log", "mixed"):
            raise DataError(
                f"cannot refit a result of method {fit.method!r} (with data: {fit.data is not None})",
                f"无法重新拟合方法为 {fit.method!r} 的结果（含数据：{fit.data is not None}）",
            )
        self.system, self.method, self.frame = fit.system, fit.method, fit.data
        self.values, self.layout, self.n = fit.values, fit.layout, len(fit.data)
        self.residual, self.correction_kind = fit.residual, fit.correction_kind
        self.correlation = fit.correlation.to_numpy()
        self.hold = fit.certificate.estimator == "gls"
        self.bounds = fit.certificate.bounds
        self.labels = [] if fit.random is None else fit.random.column.split("/")
        if self.method == "mixed":
            self._mixed = Again.of(fit, self._functions(fit))
            return
        self.mean = fit.predict(fit.data)[list(fit.system.free)]
        if self.method == "ols-log":
            self.mean = self.mean / pd.Series(fit.correction)
        else:
            self._prepare_system(fit)

    @staticmethod
    def _functions(fit):
        return parse_variance(
            {r: m.spec for r, m in fit.residual.items()}, fit.system.free, fit.system.predictors
        )

    def _prepare_system(self, fit):
        self.functions = self._functions(fit)
        engine = self._engine(self.frame)
        self.theta = np.concatenate([self.values, engine.scale.searched(fit.residual)])

    def _engine(self, frame):
        correlated = self.method == "nsur"
        return SystemFit(self.system, frame, self.functions, correlated, self.hold, self.bounds)

    def simulate(self, rng) -> pd.DataFrame:
        """New responses drawn from the fitted model, missing where they were missing."""
        normal = rng.multivariate_normal(np.zeros(len(self.correlation)), self.correlation, self.n)
        whole = {}
        for j, (response, model) in enumerate(self.residual.items()):
            mean = self.mean[response].to_numpy()
            # The mean of a system is one; the line of ols-log is a median.
            whole[response] = model.observed(mean, self.frame, normal[:, j], self.method == "ols-log")
        columns = {c: self.frame[c].to_numpy(float) for c in self.system.predictors}
        whole = self.system.complete(whole, columns)
        drawn = {r: np.where(self.frame[r].notna(), v, np.nan) for r, v in whole.items() if r in self.frame}
        return pd.DataFrame(drawn, index=self.frame.index)

    def estimate(self, rows, responses=None, drawn=None) -> np.ndarray:
        """Estimates on chosen rows, or on new responses; NaN where the refit fails."""
        return self.refit(rows, responses, drawn)[0]

    def whole(self, group) -> None:
        """Refuse a column whose levels cut through the groups of a mixed model.

        Raises
        ------
        DataError
        """
        if self.labels and self.frame.groupby(self.labels[0])[group].nunique().max() > 1:
            raise DataError(
                f"bootstrap by {group}: its levels cut through those of {self.labels[0]}, which share an effect; draw "
                f"{self.labels[0]} or what holds it",
                f"按 {group} 抽样会拆开共享效应的 {self.labels[0]}；请按 {self.labels[0]} 或包含它的列抽样",
            )

    def refit(self, rows, responses=None, drawn=None) -> tuple[np.ndarray, np.ndarray]:
        """Estimates, and the factor that each free response's mean is multiplied by.

        ``drawn`` numbers the draw that each row belongs to: a group of a mixed model drawn twice is two groups.
        """
        frame = self.frame if responses is None else self.frame.assign(**responses)
        frame = frame.iloc[rows].reset_index(drop=True)
        if drawn is not None and self.labels:
            frame[self.labels[0]] = frame[self.labels[0]].astype(str) + "#" + pd.Series(drawn).astype(str)
        try:
            if self.method == "mixed":
                return self._mixed(frame) or self._nothing()
            return self._log_lines(frame) if self.method == "ols-log" else self._system(frame)
        except (np.linalg.LinAlgError, ConvergenceError, DataError, ValueError):
            return self._nothing()

    def _nothing(self):
        return np.full(len(self.values), np.nan), np.ones(len(self.system.free))

    def _system(self, frame):
        engine = self._engine(frame)
        if engine.layout.labels != self.layout.labels:
            # A resample without one of the groups says nothing of its coefficient.
            return self._nothing()
        state = engine.resume(self.theta)
        if state is None:
            return self._nothing()
        return engine.estimates(state)[0], np.ones(len(self.system.free))

    def _log_lines(self, frame):
        lines = [fit_line(self.system, response, frame) for response in self.system.free]
        found = {}
        for line in lines:
            found |= dict(
                zip(line.names, np.where(line.on_log, np.exp(line.values), line.values), strict=True)
            )
        values = np.array([found[p] for p in self.system.parameters])
        median = self.system.mean(values, frame)
        factors = [
            correction_factor(self.correction_kind, line, frame[r].to_numpy(float), median[r])
            for line, r in zip(lines, self.system.free, strict=True)
        ]
        return values, np.array(factors)


def _run(refitter, tasks, workers) -> np.ndarray:
    chunks = [tasks[i : i + CHUNK] for i in range(0, len(tasks), CHUNK)]
    if workers <= 1 or len(chunks) == 1:
        return np.vstack([_work(refitter, chunk) for chunk in chunks])
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        return np.vstack(list(pool.map(_work, repeat(refitter), chunks)))


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
        rows = [everyone[codes == level] for level in drawn]
        return np.concatenate(rows), None, np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    return everyone, refitter.simulate(rng)
