r"""Weighted and simultaneous nonlinear fits (``wls``, ``nsur``) by maximum likelihood.

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
used, which does not, each tree's score freed of its own influence on the fit (Bell & McCaffrey 2002).

*When.* ``nsur`` for systems of components; ``wls`` for a single response, or when components must
not influence each other.

Source
------
Parresol B.R. (2001) Additivity of nonlinear biomass equations. Can. J. For. Res. 31:865-878.
Pinheiro J.C., Bates D.M. (2000) Mixed-Effects Models in S and S-PLUS, chapter 5. Springer.
Bell & McCaffrey (2002), White (1982): see :mod:`sinklab.fitting.likelihood`.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from sinklab import paths
from sinklab.equations.compile import Layout
from sinklab.fitting.data import read, refuse_zeros
from sinklab.fitting.likelihood import (
    LogScale,
    Scale,
    State,
    SystemLikelihood,
    estimating_spread,
    inverse,
    mean_information,
    pairwise_covariance,
    refuse_without_factor,
    sandwich,
    spread_of_shift,
)
from sinklab.fitting.search import SETTLED, TOLERANCE, Bounds, climb, decrement, finish
from sinklab.language import ConvergenceError, EquationError, tr
from sinklab.results import indices
from sinklab.results.fit_result import FitResult, limits

MAX_REWEIGHT = 60
#: Gain in log-likelihood at which a refit ends: a thousandth of a standard error is enough there.
RESUMED = 1e-6
#: Movement of the shifts of lognormal equations at which they count as settled.
STILL = 1e-12
#: Relative size of what is left of one component when the others are known, below which it carries nothing.
SINGULAR = 1e-4


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
        logged = np.array([f.logged for f in functions.values()])
        self.natural, combined, self.notes = frame[self.free].to_numpy(float), [], []
        if correlated and not logged.any():
            # A sum of lognormal parts has no likelihood in closed form.
            self.natural, combined, self.notes = read(system, frame, self.columns)
        self.scale = Scale(functions, self.columns)
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
        refuse_zeros(frame, [r for r, f in functions.items() if f.logged])
        self.logs = LogScale(logged, means) if logged.any() else None
        self.y = self.logs.take(self.natural) if self.logs else self.natural
        self.likelihood = SystemLikelihood(self.y, self.logs or means, self.scale, correlated, combined)
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
        if self.hold_weights and self.by_mean:
            state, steps = self._reweigh(state, steps)
        for _ in range(MAX_REWEIGHT):
            if self.logs is None or self.logs.renew(state.sigma) < STILL:
                break
            state, more = self._search(state.theta, until)
            steps += more
        return state, steps

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
            self.scale.hold(state.mean)
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

    def covariance(self, state):
        """Joint covariance of the coefficients, residual sigma and correlation on n - p d.f."""
        counts = np.isfinite(self.y).sum(axis=0)
        inflate = np.sqrt(counts / np.maximum(self.freedom(), 1))
        inflate = np.outer(inflate, inflate)
        sigma = state.sigma * inflate
        if self.by_mean and not self.hold_weights:
            covariance = sandwich(self.likelihood, state)
        else:
            covariance = inverse(mean_information(self.likelihood, state, sigma))
        if not self.correlated and len(self.free) > 1:
            joint = pairwise_covariance(self.likelihood, state) * inflate
            if self.hold_weights or not self.by_mean:
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
    freedom = engine.freedom()
    residual = {
        response: engine.functions[response].residual(response, natural[j], exponents[j], freedom[j])
        for j, response in enumerate(engine.free)
    }
    warnings = [*prepared.warnings, *engine.notes, *_on_limits(engine, beta), *_unpaired(engine)]
    if not certificate.converged:
        warnings.append(not_converged(certificate))
    logliks = {r: _marginal_loglik(state, engine, j) for j, r in enumerate(engine.free)}
    return assembled(
        prepared,
        method=method,
        values=beta,
        covariance=covariance,
        freedom=freedom_by_parameter(engine.layout, dict(zip(engine.free, freedom, strict=True))),
        residual=residual,
        correlation=correlation,
        loglik=state.loglik + float(engine.log_jacobian().sum()),
        logliks=logliks,
        correction=dict.fromkeys(system.free, 1.0),
        correction_kind="none",
        certificate=certificate,
        warnings=warnings,
        level=level,
        seed=seed,
    )


def _marginal_loglik(state, engine, j) -> float:
    """Log-likelihood of one equation by itself, at the system's estimates."""
    seen = engine.likelihood.observed[:, j]
    log_sd = state.log_g[seen, j] + 0.5 * np.log(state.sigma[j, j])
    u = state.u[seen, j]
    loglik = -(0.5 * np.log(2 * np.pi) + log_sd + 0.5 * u**2 / state.sigma[j, j]).sum()
    return float(loglik + engine.log_jacobian()[j])


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
            k = p + 1 + (not result.residual[response].fixed)
            row["AIC"] = indices.aic(logliks[response], k)
            row["BIC"] = indices.bic(logliks[response], k, row["n"])
        rows[response] = row
    return replace(result, index_table=pd.DataFrame.from_dict(rows, orient="index").rename_axis("response"))


def freedom_by_parameter(layout, freedom) -> np.ndarray:
    """Degrees of freedom for each value: those of the equation its parameter stands in first."""
    owner = {p: r for r in layout.system.free for p in layout.system.own_parameters[r]}
    return np.array([max(freedom[owner[name]], 1) for name in layout.names], float)
