r"""Weighted and simultaneous nonlinear fits (``wls``, ``nsur``) by maximum likelihood, and lines in logarithms (``ols-log``).

*What it assumes.* Each equation has its own variance function (constant; power of a predictor or of
the prediction; exponential), its exponent known or estimated together with the coefficients;
residuals are normal and, for ``nsur``, correlated between the equations of one tree. Components may
be missing at random: each tree enters with the ones it has, and with a total of which parts were not
weighed (``nsur`` only). A sum of parts is an identity and holds by construction.

*How.* Feasible generalised least squares carried on to the maximum of the likelihood: scoring steps
with exact derivatives, damped as by Levenberg and Marquardt, over coefficients and exponents, the
residual covariance being profiled out (:mod:`sinklab.fitting.likelihood`). ``wls`` holds the correlation
at zero, so its equations are fitted one by one, but reports the correlation of the residuals and
carries it into the joint covariance, because a total is uncertain through all of its parts.

*Standard errors* are those of generalised least squares at the estimated weights,
:math:`(J^T \Sigma^{-1} J)^{-1}`, with each equation's variance on n - p degrees of freedom, as in
Parresol (2001). One equation with constant variance is thereby ordinary nonlinear least squares.
Where the variance is a function of the prediction, the residuals inform the coefficients twice, and
how much the second time depends on the normal distribution; there the sandwich of White (1982) is
used, which does not, each tree's score freed of its own influence on the fit (Bell & McCaffrey 2002); Student's t of an
interval of the mean then has the degrees of freedom on which such a matrix is known (Pustejovsky & Tipton 2018), fewer than n - p.

*Families.* ``gamma``: shape from the maximum of the gamma likelihood, coefficients from its score, which is that of iterated
weights with a spread in proportion to the mean; with ``nsur`` that score takes the correlation of the residuals in, as
generalised estimating equations do (Liang & Zeger 1986), and the likelihood told is that of a Gaussian copula of gamma margins at
these estimates. ``t``: see :mod:`sinklab.fitting.likelihood`; always with the sandwich.

*When.* ``nsur`` for systems of components; ``wls`` for a single response, or when components must
not influence each other.

**Lines in logarithms** (:func:`fit_log_linear`), with their bias correction recorded.
*What it assumes.* Each equation is a product of powers, and ln(response) has one residual variance.

*How.* Ordinary least squares of the logarithms (statsmodels). The back-transformed prediction is a
median; ``correction`` says what it is multiplied by to become a mean:

=========== ================================================ ==========================
name        factor                                           source
=========== ================================================ ==========================
baskerville :math:`\exp(s^2 / 2)`, s the residual SD of logs Baskerville (1972)
snowdon     :math:`\sum y_i / \sum \hat y_i`                 Snowdon (1991)
none        1
=========== ================================================ ==========================

The factor is stored beside the coefficients and never folded into them, so that it cannot be applied
twice. The coefficients of several equations are correlated through their residuals (the covariance
of seemingly unrelated regressions), which a total needs.

*When.* One response spanning orders of magnitude with a spread proportional to its size. For
components that must add up, use ``nsur``.

Source
------
Parresol B.R. (2001) Additivity of nonlinear biomass equations. Can. J. For. Res. 31:865-878.
Liang K.-Y., Zeger S.L. (1986) Longitudinal data analysis using generalized linear models. Biometrika 73:13-22.
Pinheiro J.C., Bates D.M. (2000) Mixed-Effects Models in S and S-PLUS, chapter 5. Springer.
Bell & McCaffrey (2002), Pustejovsky & Tipton (2018), White (1982): see :mod:`sinklab.fitting.likelihood`.
Baskerville G.L. (1972) Use of logarithmic regression in the estimation of plant biomass.
Can. J. For. Res. 2:49-53. Snowdon P. (1991) A ratio estimator for bias correction in logarithmic
regressions. Can. J. For. Res. 21:720-724.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from sinklab import paths
from sinklab.equations.compile import Layout
from sinklab.fitting.data import read, refuse_zeros
from sinklab.fitting.likelihood import (
    LogScale,
    Scale,
    State,
    SystemLikelihood,
    estimating_spread,
    freedom_of_sandwich,
    inverse,
    mean_information,
    pairwise_covariance,
    refuse_without_factor,
    sandwich,
    spread_of_shift,
)
from sinklab.fitting.search import SETTLED, TOLERANCE, Bounds, climb, decrement, finish
from sinklab.language import ConvergenceError, DataError, EquationError, tr
from sinklab.results import indices
from sinklab.results.fit_result import Certificate, Domain, FitResult, limits
from sinklab.results.variance import TAILS, ResidualModel, gamma_shape

MAX_REWEIGHT = 60
#: Gain in log-likelihood at which a refit ends: a thousandth of a standard error is enough there.
RESUMED = 1e-6
#: Movement of the shifts of lognormal equations at which they count as settled.
STILL = 1e-12
#: Relative size of what is left of one component when the others are known, below which it carries nothing.
SINGULAR = 1e-4
#: Degrees of freedom of Student's t to start from, and the relative step at which they count as found.
FIRST_TAIL, TAIL_STEP = 4.0, 5e-4
#: Those between which the best are looked for, in the order of the searches.
TAILS_TRIED = (FIRST_TAIL, TAILS[0], 8.0, 20.0, TAILS[1])


class SystemFit:
    """A system, its trees and their likelihood, ready to be maximised.

    Parameters
    ----------
    system : System
        Bound to the columns of ``frame``.
    frame : DataFrame
        Checked data, see :func:`~sinklab.fitting.data.prepare`.
    functions : dict
        A variance function for each free response.
    correlated : bool
        ``nsur`` when True, ``wls`` when False.
    bounds : mapping, optional
        Lower and upper limit of parameters, see :class:`~sinklab.fitting.search.Bounds`.
    hold_weights : bool
        Iterate the weights of a variance that follows the prediction (``estimator="gls"``), instead
        of maximising the likelihood through them.
    """

    def __init__(self, system, frame, functions, correlated: bool, hold_weights: bool = False, bounds=None):
        self.system, self.correlated, self.functions = system, correlated, functions
        self.hold_weights = hold_weights
        self.free = list(system.free)
        self.columns = {c: frame[c].to_numpy(float) for c in system.predictors}
        families = [f.family for f in functions.values()]
        _check_families(functions, correlated)
        logged, self.gamma = (np.array([f == one for f in families]) for one in ("lognormal", "gamma"))
        self.natural, combined, self.notes = frame[self.free].to_numpy(float), [], []
        if correlated:
            told = read(system, frame, self.columns)
            if set(families) == {"normal"}:
                self.natural, combined, self.notes = told
            else:
                # A sum of parts has no likelihood in closed form in other families.
                self.notes = _left_out(self.natural, told, families)
        self.scale = Scale(functions, frame)
        self.layout = Layout.of(system, frame)
        means = self.layout.at(frame, self.free, len(frame)).mean_and_jacobian
        self.limits = dict(bounds or {})
        self.bounds = Bounds(self.limits, self.layout)
        self.knots = {
            self.layout.names.index(knot): np.unique(self.columns[predictor])
            for knot, predictor in system.knots.items()
            if knot not in system.groups
        }
        if bounds or self.knots:
            means = self.bounds.searching(means)
        refuse_zeros(frame, [r for r, f in functions.items() if f.family in ("lognormal", "gamma")])
        self.logs = LogScale(logged, means) if logged.any() else None
        self.y = self.logs.take(self.natural) if self.logs else self.natural
        tails = [FIRST_TAIL if f.tail is None else f.tail for f in functions.values()]
        self.likelihood = SystemLikelihood(
            self.y, self.logs or means, self.scale, correlated, combined, tails
        )
        self.independent = self.likelihood.independent()

    def maximise(self, start: dict[str, float]) -> tuple[State, int]:
        """Search from a start to the maximum; returns the last state and the number of steps.

        Raises
        ------
        ConvergenceError
            The model is not defined at the start.
        """
        theta = self.searched(start)
        if self.independent.state(theta) is None:
            shown = ", ".join(f"{k} = {v:.6g}" for k, v in start.items())
            raise ConvergenceError(
                f"the equations give no finite positive values at the start {shown}; give other starts",
                f"方程在初值 {shown} 处得不到有限正值；请另给初值",
            )
        if self.logs:
            self._check_factors(theta)
        return self._settled(theta)

    def settled(self, theta) -> State | None:
        """The last state of a search from a vector; None where the model is not defined there."""
        return None if self.independent.state(theta) is None else self._settled(theta)[0]

    def searched(self, start: dict[str, float]) -> np.ndarray:
        """Vector of the search at start values: coefficients, then free exponents."""
        values = self.bounds.searched(self.layout.spread(start))
        return np.concatenate([values, self.scale.start[self.scale.free]])

    def estimates(self, state):
        """Coefficients (k,) and all exponents (m,) of a state."""
        searched, exponents = self.likelihood.split(state.theta)
        return self.bounds.natural(searched), exponents

    def _settled(self, theta, until: float = TOLERANCE):
        """Search until what is held meanwhile, weights or shifts, agrees with the state found."""
        state, steps = self._search(theta, until)
        if self.iterated:
            state, steps = self._reweigh(state, steps)
        for at in self._tails:
            state, steps = self._over_tail(at, state, steps, until)
        for _ in range(MAX_REWEIGHT):
            if self.logs is None or self.logs.renew(state.sigma) < STILL:
                break
            state, more = self._search(state.theta, until)
            steps += more
        return state, steps

    @property
    def iterated(self) -> bool:
        """Whether weights are held while the means move, in turn."""
        return (self.hold_weights and self.by_mean) or bool(self.gamma.any())

    @property
    def _tails(self) -> list[list[int]]:
        """Equations that share degrees of freedom of Student's t that are estimated."""
        free = [j for j, f in enumerate(self.functions.values()) if f.tail is None]
        return [free] if self.correlated and free else [[j] for j in free]

    def _over_tail(self, at, state, steps, until):
        """Highest state over the degrees of freedom of some equations, each search from the end of the nearest before."""
        ends = {}

        def height(log_tail):
            nonlocal steps
            self._set_tails(at, np.exp(log_tail))
            near = min(ends, key=lambda one: abs(one - log_tail), default=None)
            ends[log_tail], more = self._search((ends[near] if ends else state).theta, until)
            steps += more
            return -ends[log_tail].loglik

        # Where gross errors are, a search with light tails may end anywhere: the best of all is looked around.
        for degrees in TAILS_TRIED:
            height(np.log(degrees))
        tried = sorted(ends)
        place = tried.index(max(ends, key=lambda one: ends[one].loglik))
        bounds = tried[max(place - 1, 0)], tried[min(place + 1, len(tried) - 1)]
        minimize_scalar(height, bounds=bounds, method="bounded", options={"xatol": TAIL_STEP})
        best = max(ends.values(), key=lambda end: end.loglik)
        self.adopt(best)
        return best, steps

    def _set_tails(self, at, degrees) -> None:
        tails = self.likelihood.tails.copy()
        tails[at] = degrees
        self.likelihood.tails = self.independent.tails = tails

    def adopt(self, state) -> None:
        """Take over what a state holds: its weights, if they are iterated, and its degrees of freedom."""
        self.likelihood.tails = self.independent.tails = state.tails
        if self.iterated:
            self.scale.hold(state.mean, not self.hold_weights)

    def height(self, state) -> float:
        """What is to be greatest: the likelihood, with gamma residuals that of the copula."""
        return self.told_loglik(state)[0] if self.gamma.any() else state.loglik

    def told_loglik(self, state) -> tuple[float, dict[str, float]]:
        """Log-likelihood of the responses themselves: of the system, and of each equation by itself."""
        logliks, scores = {}, np.zeros_like(state.u)
        for j, response in enumerate(self.free):
            seen = self.likelihood.observed[:, j]
            model, told = self._margin(state, j, seen)
            logliks[response] = float(model.log_density(*told).sum() + self.log_jacobian()[j])
            if self.gamma.any():
                scores[seen, j] = model.scores(*told)
        if not self.gamma.any():
            return state.loglik + float(self.log_jacobian().sum()), logliks
        total = sum(logliks.values())
        return total + (self._copula(scores) if self.correlated else 0.0), logliks

    def _margin(self, state, j, seen) -> tuple[ResidualModel, tuple]:
        """Residuals of one equation by itself, and its observations, means and scales."""
        f, scale = list(self.functions.values())[j], np.sqrt(state.sigma[j, j]) * np.exp(state.log_g[seen, j])
        y, mean = self.y[seen, j], state.mean[seen, j]
        if f.family == "gamma":
            scale = mean / np.sqrt(gamma_shape(y / mean))
        return f.residual(self.free[j], 1.0, 0.0, np.inf, state.tails[j]), (y, mean, scale)

    def _copula(self, scores) -> float:
        """Gain in log-likelihood by the correlation of normal scores (n, m)."""
        seen = self.likelihood.observed
        together = scores.T @ scores
        size = np.sqrt(
            np.array([[(a[s & t] ** 2).sum() for t in seen.T] for a, s in zip(scores.T, seen.T, strict=True)])
        )
        correlation = np.divide(together, size * size.T, out=np.eye(len(size)), where=size * size.T > 0)
        roots, axes = np.linalg.eigh(correlation)
        correlation = (axes * np.clip(roots, 1e-6, None)) @ axes.T
        joint = SystemLikelihood(scores, None, None, True)
        gain = joint._loglik(scores, np.zeros_like(scores), correlation, joint.tails)
        return gain - float(norm.logpdf(scores[seen]).sum())

    def _check_factors(self, theta):
        state = self.independent.state(theta)
        own = [self.system.own_parameters[r] for r in self.free]
        places = [[i for i, name in enumerate(self.layout.names) if name in names] for names in own]
        refuse_without_factor(self.free, self.logs.columns, places, state.jacobian, np.isfinite(self.y))

    def _search(self, theta, until: float = TOLERANCE):
        """Scoring as far as it goes, then BFGS; systems with gaps begin without correlation."""
        likelihood = self.likelihood
        direct = likelihood.complete or not likelihood.correlated
        near = likelihood if direct else self.independent
        state, steps = climb(near, near.state(theta), until)
        if not direct:
            state = likelihood.state(state.theta, self._positive(state))
        state, more = finish(likelihood, state, until)
        return state, steps + more

    def _positive(self, state) -> np.ndarray:
        """Covariance from the pairs of components that were measured together, made positive definite."""
        covariance = pairwise_covariance(self.likelihood, state)
        size = np.sqrt(np.diag(state.sigma))
        roots, vectors = np.linalg.eigh(covariance / np.outer(size, size))
        correlation = vectors @ np.diag(np.clip(roots, 0.05, None)) @ vectors.T
        scale = size / np.sqrt(np.diag(correlation))
        return correlation * np.outer(scale, scale)

    def _reweigh(self, state, steps):
        """Hold the weights at the last means while the means move, until both agree."""
        for _ in range(MAX_REWEIGHT):
            self.adopt(state)
            held = self._search(state.theta)
            shift = self.likelihood.state(state.theta, held[0].sigma)
            score, information = self.likelihood.score_and_information(shift)
            state, steps = held[0], steps + held[1]
            if decrement(score, information) < 1e-8:
                break
        return state, steps

    def resume(self, theta) -> State | None:
        """Maximum near a known one, as for a resample; None where it is not found."""
        k = len(self.layout.names)
        theta = np.concatenate([self.bounds.searched(theta[:k]), theta[k:]])
        if self.independent.state(theta) is None:
            return None
        state, _ = self._settled(theta, RESUMED)
        score, information = self.likelihood.joint_score_and_information(state)
        return state if decrement(score, information) < 1e-4 else None

    def second_opinion(self, theta) -> State | None:
        """Maximum found by BFGS over all parameters, without the scoring steps of :meth:`maximise`."""
        state = self.independent.state(theta)
        if state is None:
            return None
        state, _ = climb(self.independent, state, until=1.0)
        state = self.likelihood.state(state.theta, state.sigma)
        return finish(self.likelihood, state)[0]

    def refuse_singular(self) -> None:
        """Stop when the observed components determine each other, before any search.

        Raises
        ------
        EquationError
            With the equations that are tied and the remedy.
        """
        complete = self.natural[np.isfinite(self.y).all(axis=1)]
        if not self.correlated or len(complete) <= len(self.free):
            return
        size = np.sqrt((complete**2).mean(axis=0))
        if not size.all():
            return
        _, spread, directions = np.linalg.svd(complete / size, full_matrices=False)
        if spread[-1] > SINGULAR * spread[0]:
            return
        tied = [self.free[j] for j in np.flatnonzero(np.abs(directions[-1]) > 0.05)]
        names = ", ".join(tied)
        raise EquationError(
            f"singular system: the observations of {names} determine each other "
            "(a total that is the sum of its measured parts, or the same quantity twice); "
            "write the total as an identity (agb = stem + branch + …) or leave one equation out",
            f"方程组奇异：{names} 的观测值互相决定（总量等于实测分量之和，或同一量重复）；"
            "请将总量写成恒等式（agb = stem + branch + …），或去掉其中一个方程",
        )

    def log_jacobian(self) -> np.ndarray:
        """What each equation's log-likelihood gains by being that of the response itself, (m,)."""
        return self.logs.jacobian_term(self.natural) if self.logs else np.zeros(len(self.free))

    def freedom(self) -> np.ndarray:
        """Degrees of freedom n - p of each equation; p counts the parameters that stand in it first."""
        counts = np.isfinite(self.y).sum(axis=0)
        return counts - np.array([self.layout.count(self.system.own_parameters[r]) for r in self.free])

    @property
    def by_mean(self) -> bool:
        """Whether any variance is a function of the prediction."""
        return any(f.by_mean for f in self.functions.values())

    def sandwiched(self, state) -> bool:
        """Whether the covariance of the estimates is that of the scores, which no variance function is trusted for."""
        return bool(np.isfinite(state.tails).any()) or (self.by_mean and not self.iterated)

    def freedom_of_covariance(self, state) -> dict[str, float] | None:
        """Degrees of freedom on which a covariance of scores is known, by free response; None of another."""
        if not self.sandwiched(state):
            return None
        found = {}
        for j, response in enumerate(self.free):
            own = [name in self.system.own_parameters[response] for name in self.layout.names]
            design = state.scaled_slope[self.likelihood.observed[:, j], j][:, own]
            found[response] = freedom_of_sandwich(design)
        return found

    def covariance(self, state):
        """Joint covariance of the coefficients, residual sigma and correlation on n - p d.f."""
        counts = np.isfinite(self.y).sum(axis=0)
        inflate = np.sqrt(counts / np.maximum(self.freedom(), 1))
        inflate = np.outer(inflate, inflate)
        sigma = state.sigma * inflate
        heavy = bool(np.isfinite(state.tails).any())
        if self.sandwiched(state):
            covariance = sandwich(self.likelihood, state)
        else:
            covariance = inverse(mean_information(self.likelihood, state, sigma))
        if not self.correlated and len(self.free) > 1:
            joint = pairwise_covariance(self.likelihood, state) * inflate
            if not heavy and (self.iterated or not self.by_mean):
                spread = estimating_spread(self.likelihood, state, 1 / np.diag(sigma), joint)
                covariance = covariance @ spread @ covariance
            sigma = joint
        if self.logs:
            covariance = covariance + spread_of_shift(self.likelihood, state, sigma, self.logs.columns)
        size = np.sqrt(np.diag(sigma))
        correlation = sigma / np.outer(size, size)
        np.fill_diagonal(correlation, 1.0)
        slope = self.bounds.slope(self.likelihood.split(state.theta)[0])
        return covariance * np.outer(slope, slope), size, correlation


# What an engine found, as the one result type.


def from_state(prepared, engine, state, certificate, method, level, seed) -> FitResult:
    """Result of ``wls`` and ``nsur`` from the maximum of the likelihood."""
    system = prepared.system
    covariance, sigma, correlation = engine.covariance(state)
    beta, exponents = engine.estimates(state)
    natural = engine.scale.natural_sigma(sigma, exponents)
    freedom, seen = engine.freedom(), engine.likelihood.observed
    for j in np.flatnonzero(engine.gamma):
        shape = gamma_shape(engine.y[seen[:, j], j] / state.mean[seen[:, j], j])
        natural[j] = np.sqrt(seen[:, j].sum() / (max(freedom[j], 1) * shape))
    residual = {}
    for j, (response, f) in enumerate(engine.functions.items()):
        ratios = engine.scale.ratios(j, exponents, seen[:, j])
        residual[response] = f.residual(
            response, natural[j], exponents[j], freedom[j], state.tails[j], ratios
        )
    warnings = [*prepared.warnings, *engine.notes, *_on_limits(engine, beta), *_unpaired(engine)]
    warnings += _on_tails(residual)
    if not certificate.converged:
        warnings.append(not_converged(certificate))
    loglik, logliks = engine.told_loglik(state)
    known, freedom = engine.freedom_of_covariance(state), dict(zip(engine.free, freedom, strict=True))
    if known is not None:
        certificate = replace(certificate, cluster={"kind": "independent", "freedom": known})
        freedom = {r: min(n, known[r]) for r, n in freedom.items()}
    return assembled(
        prepared,
        method=method,
        values=beta,
        covariance=covariance,
        freedom=freedom_by_parameter(engine.layout, freedom),
        residual=residual,
        correlation=correlation,
        loglik=loglik,
        logliks=logliks,
        correction=dict.fromkeys(system.free, 1.0),
        correction_kind="none",
        certificate=certificate,
        warnings=warnings,
        level=level,
        seed=seed,
    )


def _check_families(functions, correlated) -> None:
    """Refuse Student's t in some equations of a simultaneous system and not in others."""
    tails = {f.tail for f in functions.values()}
    if correlated and len(tails) > 1:
        told = ", ".join(f"{r} {f.family}" for r, f in functions.items())
        raise DataError(
            f"nsur takes Student's t, with the same degrees of freedom, for all equations or for none: {told}; use wls, or t "
            "for all",
            f"nsur 要求全部方程或都不用同一自由度的 t 分布：{told}；请改用 wls，或全部用 t",
        )


def _left_out(natural, told, families) -> list[str]:
    """What a system whose residuals are not normal leaves unused, and what its likelihood is."""
    filled, combined, _ = told
    rows = np.concatenate(
        [
            np.flatnonzero((np.isfinite(filled) & ~np.isfinite(natural)).any(axis=1)),
            *(c.rows for c in combined),
        ]
    )
    count, notes = len(np.unique(rows)), []
    if count:
        notes.append(
            tr(
                f"{count} records have a total and not all of its parts; residuals that are not normal cannot use the total",
                f"{count} 条记录有总量而缺部分分量；非正态残差不能利用其总量",
            )
        )
    if "gamma" in families and len(families) > 1:
        notes.append(
            tr(
                "gamma residuals of a system: coefficients by estimating equations that take the correlation in; ln L is that of a "
                "Gaussian copula there",
                "方程组的 gamma 残差：系数由计入相关的估计方程求得；ln L 为该处高斯连接函数的似然",
            )
        )
    return notes


def _on_tails(residual) -> list[str]:
    """What estimated degrees of freedom at an end of their span say."""
    notes = []
    for response, model in residual.items():
        if model.tail_fixed:
            continue
        if model.tail < TAILS[0] * 1.02:
            notes.append(
                tr(
                    f"{response}: tails as heavy as can be told (t with {model.tail:.3g} degrees of freedom): look for gross errors",
                    f"{response}：尾部极重（t 分布自由度 {model.tail:.3g}）：请检查是否有粗差",
                )
            )
        elif model.tail > TAILS[1] / 1.02:
            notes.append(
                tr(
                    f"{response}: no heavier tails than normal ones; a normal residual does as well",
                    f"{response}：尾部不重于正态；用正态残差即可",
                )
            )
    return notes


def _on_limits(engine, beta) -> list[str]:
    """Warn of parameters that ended on a limit that was set for them."""
    names = [
        label for label, on in zip(engine.layout.labels, engine.bounds.on_limit(beta), strict=True) if on
    ]
    if not names:
        return []
    shown = ", ".join(names)
    return [
        tr(
            f"{shown} ended on its limit; the standard error there says nothing",
            f"{shown} 落在设定的界限上；其标准误没有意义",
        )
    ]


def _unpaired(engine) -> list[str]:
    """Warn of equations that no tree has together: their correlation cannot be estimated."""
    if not engine.correlated:
        return []
    together = engine.likelihood.observed.T.astype(int) @ engine.likelihood.observed
    pairs = [
        f"{engine.free[i]}–{engine.free[j]}"
        for i in range(len(engine.free))
        for j in range(i + 1, len(engine.free))
        if together[i, j] == 0
    ]
    if not pairs:
        return []
    return [
        tr(
            f"no tree has both components of {', '.join(pairs)}; their correlation is not estimated",
            f"没有样木同时测定 {'、'.join(pairs)}；其残差相关未估计",
        )
    ]


def not_converged(certificate) -> str:
    """What to say of a fit whose certificate fails."""
    if certificate.rank < certificate.n_parameter:
        return tr(
            f"not converged: the data determine {certificate.rank} of {certificate.n_parameter} parameters; "
            "use a simpler equation",
            f"未收敛：数据只能确定 {certificate.n_parameter} 个参数中的 {certificate.rank} 个；请简化方程",
        )
    if certificate.agree is False and certificate.decrement is not None and certificate.decrement < SETTLED:
        return tr(
            "not converged: no second search ends where the best one did; give other starts or a simpler equation",
            "未收敛：其他搜索均未到达同一最大值；请另给初值或简化方程",
        )
    return tr(
        f"not converged after {certificate.steps} steps; give other starts or a simpler equation",
        f"{certificate.steps} 步后仍未收敛；请另给初值或简化方程",
    )


def assembled(
    prepared, *, values, covariance, freedom, logliks, level, on_log=None, of=FitResult, **known
) -> FitResult:
    """Result from estimates and everything else that an engine knows, with intervals and indices.

    Parameters
    ----------
    prepared : Prepared
    values, freedom : array, shape (k,)
        Estimates and their degrees of freedom.
    covariance : array, shape (k, k)
    logliks : dict
        Log-likelihood of single equations, for their information criteria.
    level : float
    on_log : array of bool, optional
        Parameters that were estimated as logarithms.
    of : type
        Kind of result.
    **known
        Other fields of :class:`~sinklab.results.FitResult`; ``correlation`` as an array.
    """
    system, frame = prepared.system, prepared.frame
    se = np.sqrt(np.clip(np.diag(covariance), 0, None))
    lower, upper = limits(values, se, freedom, level, on_log)
    layout = Layout.of(system, frame)
    labels = layout.labels
    parameters = pd.DataFrame(
        {
            "name": layout.names,
            "group": layout.groups,
            "value": values,
            "se": se,
            "lower": lower,
            "upper": upper,
        }
    )
    certificate, warnings = known.pop("certificate"), known.pop("warnings")
    result = of(
        system=system,
        parameters=parameters,
        covariance=pd.DataFrame(covariance, index=labels, columns=labels),
        correlation=pd.DataFrame(
            known.pop("correlation"), index=list(system.free), columns=list(system.free)
        ),
        n={r: int(frame[r].notna().sum()) for r in system.responses if r in frame},
        ranges={x: (float(frame[x].min()), float(frame[x].max())) for x in system.predictors},
        domains=_domains(system, frame),
        index_table=pd.DataFrame(),
        converged=certificate.converged,
        certificate=certificate,
        warnings=tuple(warnings),
        versions=paths.versions(),
        source={"fingerprint": paths.fingerprint(_used(system, frame))},
        data=frame,
        level=level,
        **known,
    )
    return _with_indices(result, logliks)


def _domains(system, frame) -> dict[str, Domain]:
    """Where the records of each response lie: those on which it, or all that it is made of, was measured."""
    inputs, known, found, alike = {}, {}, {}, {}
    for response, names in system.inputs_of.items():
        parts = [n for n in names if n in inputs]
        inputs[response] = {n for n in names if n in system.predictors}.union(*(inputs[n] for n in parts))
        made = np.logical_and.reduce([known[n] for n in parts]) if parts else np.zeros(len(frame), bool)
        own = frame[response].notna().to_numpy() if response in frame else np.zeros(len(frame), bool)
        # A root that hangs on the mass above it was dug where it was weighed; a sum is known where its parts are.
        known[response] = own if response in system.free and own.any() else own | made
        used = [x for x in system.predictors if x in inputs[response]]
        if used and known[response].any():
            # Components of the same trees lie where these lie.
            same = (known[response].tobytes(), *used)
            if same not in alike:
                alike[same] = Domain.of(frame.loc[known[response], used])
            found[response] = alike[same]
    return found


def _used(system, frame) -> pd.DataFrame:
    groups = dict.fromkeys(system.groups.values())
    return frame[[*system.predictors, *groups, *(r for r in system.responses if r in frame)]]


def _with_indices(result, logliks) -> FitResult:
    rows = {}
    for response, part in result.fitted().groupby("response", sort=False):
        p = result.layout.count(result.system.parameters_of[response])
        row = indices.evaluate(part["observed"], part["predicted"], p)
        row |= {"AIC": np.nan, "BIC": np.nan}
        if response in logliks:
            k = p + 1 + result.residual[response].n_estimated
            row["AIC"] = indices.aic(logliks[response], k)
            row["BIC"] = indices.bic(logliks[response], k, row["n"])
        rows[response] = row
    return replace(result, index_table=pd.DataFrame.from_dict(rows, orient="index").rename_axis("response"))


def freedom_by_parameter(layout, freedom) -> np.ndarray:
    """Degrees of freedom for each value: those of the equation its parameter stands in first."""
    owner = {p: r for r in layout.system.free for p in layout.system.own_parameters[r]}
    return np.array([max(freedom[owner[name]], 1) for name in layout.names], float)


# Lines in logarithms

CORRECTIONS = ("baskerville", "snowdon", "none")


def fit_log_linear(prepared, correction: str, level: float, seed: int) -> FitResult:
    """Fit every equation as a line in logarithms; coefficients are reported on the natural scale.

    Raises
    ------
    EquationError, DataError
    """
    system, frame = prepared.system, prepared.frame
    check_forms(system, frame)
    lines = [fit_line(system, response, frame) for response in system.free]
    log_covariance, correlation = joint_covariance(lines)
    names = [n for line in lines for n in line.names]
    on_log = np.concatenate([line.on_log for line in lines])
    raw = np.concatenate([line.values for line in lines])
    values = np.where(on_log, np.exp(raw), raw)
    scale = np.where(on_log, values, 1.0)
    order = [names.index(p) for p in system.parameters]
    covariance = (log_covariance * np.outer(scale, scale))[np.ix_(order, order)]
    residual = {
        line.response: ResidualModel(line.response, "lognormal", line.sigma, freedom=float(line.freedom))
        for line in lines
    }
    median = system.mean(values[order], frame)
    factors = {
        line.response: correction_factor(
            correction, line, frame[line.response].to_numpy(float), median[line.response]
        )
        for line in lines
    }
    k = len(names)
    certificate = Certificate(converged=True, steps=1, decrement=0.0, rank=k, n_parameter=k)
    return assembled(
        prepared,
        method="ols-log",
        values=values[order],
        covariance=covariance,
        freedom=freedom_by_parameter(
            Layout.of(system, frame), {line.response: line.freedom for line in lines}
        ),
        residual=residual,
        correlation=correlation,
        loglik=sum(line.loglik for line in lines),
        logliks={line.response: line.loglik for line in lines},
        correction=factors,
        correction_kind=correction,
        certificate=certificate,
        warnings=list(prepared.warnings),
        level=level,
        seed=seed,
        on_log=on_log[order],
    )


def check_forms(system, frame) -> None:
    """Refuse equations that are not lines in logarithms, and responses that have no logarithm.

    Raises
    ------
    EquationError, DataError
    """
    other = [r for r in system.free if system.power_product(r) is None or not system.predictors]
    used = [p for r in system.free for p in system.own_parameters[r]]
    shared = sorted(
        {p for r in system.free for p in system.parameters_of[r] if p not in system.own_parameters[r]}
    )
    grouped = [f"{p}[{g}]" for p, g in system.groups.items()]
    if other or shared or grouped or len(used) != len(set(used)):
        names = ", ".join(other or shared or grouped)
        raise EquationError(
            f"ols-log needs each equation to be a product of powers with parameters of its own; not so: {names}; "
            "use wls or nsur",
            f"ols-log 要求每个方程为幂函数之积且参数各自独立；不符合：{names}；请用 wls 或 nsur",
        )
    refuse_zeros(frame, system.free, "wls")


@dataclass(frozen=True)
class Line:
    """One fitted line in logarithms: names and estimates, its design and residuals by tree."""

    response: str
    names: list[str]
    values: np.ndarray
    on_log: np.ndarray
    design: np.ndarray
    residual: np.ndarray
    sigma: float
    freedom: int
    loglik: float


def fit_line(system, response, frame) -> Line:
    """Fit ln(response) on the logarithms of its predictors."""
    import statsmodels.api as sm

    form = system.power_product(response)
    y = frame[response].to_numpy(float)
    seen = np.isfinite(y)
    target, names = np.log(np.where(seen, y, 1.0)), list(form.parameters)
    design, offset = form.design(frame)
    model = sm.OLS(target[seen] - offset[seen], design[seen]).fit()
    residual = np.full(len(y), np.nan)
    residual[seen] = model.resid
    sigma = float(np.sqrt(model.mse_resid))
    # Likelihood of the response itself: the Jacobian of the logarithm is - sum ln y.
    loglik = float(model.llf - target[seen].sum())
    on_log = np.array([n == form.coefficient and not form.log for n in names])
    return Line(response, names, model.params, on_log, design, residual, sigma, int(model.df_resid), loglik)


def joint_covariance(lines) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of all estimates on the log scale, and the correlation of the residuals."""
    places = np.cumsum([0, *(len(line.names) for line in lines)])
    covariance = np.zeros((places[-1], places[-1]))
    correlation = np.eye(len(lines))
    gains = []
    for line in lines:
        seen = np.isfinite(line.residual)
        gain = np.zeros((len(line.names), len(seen)))
        gain[:, seen] = np.linalg.pinv(line.design[seen])
        gains.append(gain)
    for j, one in enumerate(lines):
        for k, other in enumerate(lines):
            both = np.isfinite(one.residual) & np.isfinite(other.residual)
            if j != k and both.sum() > 2:
                a, b = one.residual[both], other.residual[both]
                correlation[j, k] = a @ b / np.sqrt((a @ a) * (b @ b))
            shared = correlation[j, k] * one.sigma * other.sigma if both.any() else 0.0
            block = shared * gains[j][:, both] @ gains[k][:, both].T
            covariance[places[j] : places[j + 1], places[k] : places[k + 1]] = block
    return covariance, correlation


def correction_factor(kind: str, line: Line, observed, median) -> float:
    """Factor that turns a back-transformed prediction into a mean; see the module for the kinds."""
    if kind == "baskerville":
        return float(np.exp(line.sigma**2 / 2))
    if kind == "snowdon":
        seen = np.isfinite(observed)
        return float(observed[seen].sum() / median[seen].sum())
    return 1.0
