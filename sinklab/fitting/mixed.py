r"""Mixed-effects systems (``mixed``): parameters written ``a[site]`` vary at random between groups.

*What it assumes.* In group :math:`g` the parameters are :math:`\beta + b_g` with
:math:`b_g \sim N(0, \Psi)`; trees of a group share :math:`b_g` and are otherwise independent, with the
variance functions and the residual correlation of ``nsur``. A positive factor of its equation, the :math:`a` of
:math:`a x^b`, is :math:`a\exp(b_g)`: what a fit finds does not depend on whether it is written so or as
:math:`\exp(\alpha)`. All parameters that vary do so by one column (sites, plots, studies), or by columns of which each
divides the groups of the one before (``a[province/site]``); :math:`\Psi` of each is unstructured. With
``variance="lognormal"`` all equations are those of logarithms, and give medians of the typical group.

*How.* Alternation as of Lindstrom and Bates (1990): penalised least squares gives
:math:`\beta` and :math:`b`; the equations made linear there are a linear mixed model, whose likelihood (``ml``, or
``reml`` without the share of the fixed parameters) gives :math:`\Psi`, the residual covariance and the exponents of
the variance functions. Weights that follow the prediction are taken at the predictions for the tree's own group. The
alternation is a fixed point, and may swing about it; it is therefore accelerated by what the last steps would have in
common (Anderson 1965; Walker & Ni 2011). The log-likelihood reported is the one of the linear model at the end.

*What comes out.* The parameters are those of the typical group; ``fit.random`` holds :math:`\Psi` and
the effects of the groups seen. The equations of the result are those of the mean over groups
(:func:`sinklab.equations.forms.over_groups`), since a population has the mean and not the typical group; those of the
typical group stand in ``fit.random.typical``. With ``lognormal`` the factor that makes means of medians holds the spread
between groups too. The interval of an individual contains the spread between groups. :func:`sinklab.results.calibration.calibrated`
predicts for a group of which some trees were weighed (EBLUP).

*When.* Trees from several sites, when the next site matters: dummy variables (``nsur`` with
``a[site]``) answer for the sites of the sample only.

*The linear mixed model* that the equations become near a point: for whitened rows
:math:`w = X\beta + Z b + e` with :math:`e \sim N(0, I)` everything follows from the cross-products
:math:`C_g = [X\,w]^T [X\,w]` of the groups. The columns of :math:`Z` are among those of :math:`X`, so the effects of a
group are eliminated by :math:`C_g - C_g E M_g E^T C_g`, where :math:`E` picks the parameters that vary and
:math:`M_g = \Psi (I + E^T C_g E\,\Psi)^{-1}`; sums over what a coarser group holds are eliminated again. The
determinant of the covariance is the product of those of :math:`I + E^T C_g E\,\Psi`.

Source
------
Anderson D.G. (1965) Iterative procedures for nonlinear integral equations. J. ACM 12:547-560.
Lindstrom M.J., Bates D.M. (1990) Nonlinear mixed effects models for repeated measures data. Biometrics 46:673-687.
Pinheiro J.C., Bates D.M. (2000) Mixed-Effects Models in S and S-PLUS, chapters 7 and 8. Springer.
Walker H.F., Ni P. (2011) Anderson acceleration for fixed-point iterations. SIAM J. Numer. Anal. 49:1715-1735.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from sinklab.equations.compile import Layout
from sinklab.equations.system import System
from sinklab.fitting.data import Prepared, refuse_zeros, start_values
from sinklab.fitting.likelihood import LOG_2PI, LogScale, Scale, find_patterns, inverse
from sinklab.fitting.search import Triangle, certified_maximum, rank_of, singular_values
from sinklab.fitting.system import SystemFit, assembled, freedom_by_parameter, not_converged
from sinklab.language import ConvergenceError, DataError, EquationError, tr
from sinklab.results.fit_result import Certificate, FitResult, RandomEffects
from sinklab.results.variance import require_families

#: Groups that a covariance between groups needs at the least.
FEWEST_GROUPS = 4
MAX_ALTERNATIONS = 60
MAX_STEPS = 60
#: Steps that the acceleration of the alternation looks back on.
MEMORY = 5
#: Change of the log-likelihood, of the parameters in their standard errors, and of the covariances between groups
#: relative to the parameters, at which the alternation ends.
SETTLED_LOGLIK, SETTLED, SETTLED_SPREAD = 1e-5, 2e-4, 1e-4
#: Log-likelihoods within which two starts have ended in the same place.
SAME = 1e-3
#: First guess of the spread between groups relative to the parameter, and where one that has vanished starts the next search.
FIRST_SPREAD, NO_SPREAD = 0.1, 1e-4
#: Slope of the log-likelihood at which a search of covariances ends; the second where a spread (relative to the
#: parameter) is below the third, since the logarithm of a spread near nought has next to no slope.
FLAT, FLAT_NEAR_NONE, NEAR_NONE = 1e-4, 1e-7, 0.02
#: A spread between groups below this part of the parameter is none; a typical group so many per cent off the mean is told.
NO_SPREAD_NOTE, MEAN_NOTE = 2e-4, 0.5


@dataclass(frozen=True)
class MixedState:
    """Where the alternation stands: parameters, effects, covariances, exponents, the linear model.

    ``effects`` and ``psi`` hold an array for each level of groups, the finest first.
    """

    beta: np.ndarray
    effects: list[np.ndarray]
    psi: list[np.ndarray]
    sigma: np.ndarray
    exponents: np.ndarray
    solution: "Solution | None" = None


def fit_mixed(prepared, functions, start=None, level=0.95, seed=0, reml=False) -> FitResult:
    """Fit a mixed system.

    Parameters
    ----------
    prepared : Prepared
        Its system has parameters written ``a[group]``.
    functions : dict
        A variance function for each free response.
    start : mapping, optional
        Start values by parameter name.
    level, seed
        See :func:`sinklab.fit`.
    reml : bool
        Restricted maximum likelihood.

    Returns
    -------
    result : FitResult

    Raises
    ------
    EquationError, DataError, ConvergenceError
    """
    model = MixedModel(prepared, functions, reml)
    beta, sigma, exponents = _typical(model, prepared, functions, start, seed)
    displaced = first_state(model, beta, sigma * 0.5, exponents, 3 * FIRST_SPREAD)
    begins = (first_state(model, beta, sigma, exponents), displaced)
    reached = [end for end in (_reached(model, begin) for begin in begins) if end is not None]
    if not reached:
        raise ConvergenceError(
            "the data do not determine the parameters of the mixed model: its information is lost to rounding; let "
            "fewer parameters vary between groups, or use a form with fewer parameters",
            "数据不能确定混合模型的参数（信息矩阵奇异）；请减少组间变动的参数，或改用参数较少的形式",
        )
    return from_mixed(prepared, model, *_best(model, reached), level, seed)


def _typical(model, prepared, functions, start, seed):
    """Parameters, residual covariance and exponents of the model without groups, to start from."""
    first = start_values(model.system, prepared.frame, start or None, seed)
    if not model.logged:
        near = SystemFit(model.system, prepared.frame, functions, True)
        near.refuse_singular()
        state, _ = certified_maximum(near, [first], seed)
        beta, exponents = near.estimates(state)
        return model.internal(beta), state.sigma, exponents
    beta = model.internal(np.array([first[p] for p in model.system.parameters]))
    mean, _ = model.evaluate(beta, model.no_effects())
    if not model.defined(mean):
        raise _undefined()
    left = np.where(model.observed, model.y - mean, np.nan)
    return beta, np.diag(np.nanmean(left**2, axis=0)), model.scale.start.copy()


@dataclass(frozen=True)
class Again:
    """Refits of a mixed model to other rows, from where it stands."""

    prepared: Prepared
    functions: dict
    reml: bool
    values: np.ndarray
    state: MixedState

    @classmethod
    def of(cls, fit, functions) -> "Again":
        """What the refits of a result with its data start from."""
        written = fit.typical.system.grouped(fit.random.column, fit.random.names)
        prepared = Prepared(written, fit.data, (), len(fit.data))
        reml = fit.certificate.estimator == "reml"
        model = MixedModel(prepared, functions, reml)
        start = dict(zip(model.system.parameters, fit.values, strict=True))
        first = first_state(model, *_typical(model, prepared, functions, start, fit.seed))
        return cls(prepared, functions, reml, fit.values, alternate(model, first)[0])

    def __call__(self, frame) -> tuple[np.ndarray, np.ndarray] | None:
        """Estimates of the typical group and factors of the free responses; None where the refit fails."""
        model = MixedModel(replace(self.prepared, frame=frame), self.functions, self.reml)
        model.internal(self.values)
        found, _, settled = alternate(model, replace(self.state, effects=model.no_effects(), solution=None))
        factors = _corrections(model, found)
        return (model.written(found.beta)[0], np.array([*factors.values()])) if settled else None


def _undefined() -> ConvergenceError:
    return ConvergenceError(
        "the equations give no finite positive values at the start", "方程在初值处得不到有限正值"
    )


def _best(model, reached):
    """The highest end and its certificate; where the ends differ, a third start goes out from the highest."""
    reached = sorted(reached, key=lambda end: (end[2], end[0].solution.loglik), reverse=True)
    if len(reached) > 1 and abs(_loglik(reached[0]) - _loglik(reached[1])) > SAME:
        top = reached[0][0]
        third = _reached(model, replace(top, psi=[2 * p for p in top.psi], sigma=top.sigma / 2))
        if third is not None and third[2]:
            reached = sorted([third, reached[0]], key=_loglik, reverse=True) + reached[1:]
    (found, steps, settled), others = reached[0], reached[1:]
    second = max((_loglik(end) for end in others), default=None)
    return found, _certificate(model, found, second, steps, settled)


def _loglik(end) -> float:
    return end[0].solution.loglik


def _reached(model, begin):
    """End of the alternation from a start; None where the linear models become singular."""
    try:
        return alternate(model, begin)
    except np.linalg.LinAlgError:
        return None


def first_state(model, beta, sigma, exponents, spread=FIRST_SPREAD) -> MixedState:
    """State before the first alternation: the typical tree, some spread between groups."""
    psi = np.diag((spread * np.maximum(model.unit(beta), 1e-3)) ** 2)
    if not model.defined(model.evaluate(beta, model.no_effects())[0]):
        raise _undefined()
    return MixedState(beta, model.no_effects(), [psi for _ in model.levels], sigma, exponents)


def alternate(model, state):
    """Alternate until parameters and likelihood stay; returns the state, the steps, and whether they do."""
    course = Course(model, state)
    before = -np.inf
    for step in range(1, MAX_ALTERNATIONS + 1):
        renewed = renew_covariances(model, penalised(model, state))
        change = (np.abs(renewed.beta - state.beta) * np.sqrt(np.diag(renewed.solution.information))).max()
        spread = max(
            np.abs(a - b).max() for a, b in zip(course.spreads(renewed), course.spreads(state), strict=True)
        )
        gain = abs(renewed.solution.loglik - before)
        before = renewed.solution.loglik
        if gain < SETTLED_LOGLIK and change < SETTLED and spread < SETTLED_SPREAD:
            return renewed, step, True
        state = course.next(state, renewed)
    return renewed, MAX_ALTERNATIONS, False


class Course:
    """The way of an alternation, and where its last steps together point (Anderson acceleration).

    A state is a vector of parameters, effects, covariances and exponents in units in which all of them are about one.
    """

    def __init__(self, model, state):
        self.model, self.unit = model, model.unit(state.beta)
        self.sizes = np.maximum(np.abs(state.beta), 1e-6)
        self.typical = np.sqrt(np.diag(state.sigma))
        self.points, self.moves = [], []

    def spreads(self, state):
        """Covariances between groups relative to the parameters."""
        return [psi / np.outer(self.unit, self.unit) for psi in state.psi]

    def _vector(self, state):
        effects = [(e / self.unit).ravel() for e in state.effects]
        psi = [p.ravel() for p in self.spreads(state)]
        sigma = (state.sigma / np.outer(self.typical, self.typical)).ravel()
        return np.concatenate([state.beta / self.sizes, *effects, *psi, sigma, state.exponents])

    def _state(self, vector):
        at = 0

        def take(shape):
            nonlocal at
            part = vector[at : at + int(np.prod(shape))].reshape(shape)
            at += part.size
            return part

        q, m = len(self.unit), len(self.typical)
        beta = take(len(self.sizes)) * self.sizes
        effects = [take((len(level.groups), q)) * self.unit for level in self.model.levels]
        psi = [_positive(take((q, q)), 0.0) * np.outer(self.unit, self.unit) for _ in self.model.levels]
        sigma = _positive(take((m, m)), 1e-4) * np.outer(self.typical, self.typical)
        return MixedState(beta, effects, psi, sigma, vector[at:].copy())

    def next(self, state, renewed) -> MixedState:
        """Where to go on from, given a state and what the alternation made of it."""
        here, there = self._vector(state), self._vector(renewed)
        self.points, self.moves = [*self.points, there][-MEMORY:], [*self.moves, there - here][-MEMORY:]
        if len(self.moves) < 2:
            return renewed
        away = np.array([move - self.moves[-1] for move in self.moves[:-1]]).T
        weight = np.linalg.lstsq(away, -self.moves[-1], rcond=1e-8)[0]
        along = np.array([point - self.points[-1] for point in self.points[:-1]]).T
        ahead = self._state(self.points[-1] + along @ weight)
        if np.abs(weight).sum() < 10 and self.model.defined(
            self.model.evaluate(ahead.beta, ahead.effects)[0]
        ):
            return ahead
        self.points, self.moves = [], []
        return renewed


def _positive(matrix, least) -> np.ndarray:
    """The nearest matrix whose eigenvalues are not below a part of the largest."""
    roots, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    half = vectors * np.sqrt(np.maximum(roots, least * max(roots[-1], 0.0)))
    return half @ half.T


def penalised(model, state) -> MixedState:
    """Parameters and effects by penalised least squares, covariances and weights held."""
    mean, _ = model.evaluate(state.beta, state.effects)
    model.scale.hold(mean)
    log_g = model.scale.log_g(state.exponents, mean)
    precision = [inverse(_positive(psi, 1e-12)) for psi in state.psi]
    beta, effects = state.beta, state.effects
    best = _objective(model, beta, effects, log_g, state.sigma, precision)
    for _ in range(MAX_STEPS):
        target = model.solved(*_pseudo(model, beta, effects), log_g, state.sigma, state.psi)[1]
        size, trial = 1.0, np.inf
        while size > 1e-8:
            tried = beta + size * (target.beta - beta)
            shifted = [e + size * (t - e) for e, t in zip(effects, target.effects, strict=True)]
            trial = _objective(model, tried, shifted, log_g, state.sigma, precision)
            if trial <= best:
                break
            size /= 2
        else:
            break
        beta, effects = tried, shifted
        if best - trial < 1e-10 * (1 + abs(best)):
            break
        best = trial
    return replace(state, beta=beta, effects=effects, solution=None)


def _objective(model, beta, effects, log_g, sigma, precision) -> float:
    mean, slope = model.evaluate(beta, effects)
    if not model.defined(mean):
        return np.inf
    rows = model.rows(np.where(model.observed, model.y - mean, 0.0), slope, log_g, sigma)
    held = sum(np.einsum("gq,qr,gr->", e, p, e) for e, p in zip(effects, precision, strict=True))
    return float(rows.w @ rows.w + held)


def _pseudo(model, beta, effects):
    """Residuals plus what the linear model explains, and its slopes."""
    mean, slope = model.evaluate(beta, effects)
    known = slope @ beta + np.einsum("nmq,nq->nm", slope[:, :, model.places], model.of_trees(effects))
    return np.where(model.observed, model.y - mean + known, 0.0), slope


def renew_covariances(model, state) -> MixedState:
    """Most likely covariances and exponents of the linear mixed model at a state."""
    mean, _ = model.evaluate(state.beta, state.effects)
    model.scale.hold(mean)
    pseudo, slope = _pseudo(model, state.beta, state.effects)
    unit = np.maximum(model.unit(state.beta), 1e-12)
    typical = np.sqrt(np.diag(state.sigma))
    free, q = model.scale.free, len(unit)
    parts = [(Triangle(q), np.outer(unit, unit))] * len(model.levels)
    parts.append((Triangle(len(model.free)), np.outer(typical, typical)))
    ends = np.cumsum([len(triangle) for triangle, _ in parts])

    def covariances(vector):
        pieces = np.split(vector, ends)
        found = [t.matrix(piece) * size for (t, size), piece in zip(parts, pieces, strict=False)]
        exponents = state.exponents.copy()
        exponents[free] = pieces[-1]
        return found[:-1], found[-1], exponents, pieces

    def objective(vector):
        psi, sigma, exponents, pieces = covariances(vector)
        try:
            rows, found = model.solved(pseudo, slope, model.scale.log_g(exponents, mean), sigma, psi)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros_like(vector)
        by_sigma, by_log_g = model.gradient(rows, found, sigma)
        by_exponent = model.scale.pulled_back(exponents, mean, by_log_g)[1]
        slopes = [
            triangle.slope(piece, by * size)
            for (triangle, size), piece, by in zip(parts, pieces, [*found.by_psi, by_sigma], strict=False)
        ]
        gradient = np.concatenate([*slopes, by_exponent[free]])
        if not (np.isfinite(found.loglik) and np.isfinite(gradient).all()):
            return np.inf, np.zeros_like(vector)
        return -found.loglik, -gradient

    # A spread that has vanished starts the next search from where it can still grow.
    begin = [psi / parts[0][1] + np.eye(q) * NO_SPREAD**2 for psi in state.psi] + [state.sigma / parts[-1][1]]
    start = [triangle.vector(matrix) for (triangle, _), matrix in zip(parts, begin, strict=True)]
    near_none = min(np.linalg.eigvalsh(matrix)[0] for matrix in begin[:-1]) < NEAR_NONE**2
    flat = FLAT_NEAR_NONE if near_none else FLAT
    found = minimize(
        objective,
        np.concatenate([*start, state.exponents[free]]),
        jac=True,
        method="BFGS",
        options={"gtol": flat, "maxiter": 500, "hess_inv0": model.curvature},
    )
    if np.isfinite(found.hess_inv).all():
        model.curvature = _positive(found.hess_inv, 1e-8)
    psi, sigma, exponents, _ = covariances(found.x)
    solution = model.solved(pseudo, slope, model.scale.log_g(exponents, mean), sigma, psi)[1]
    return MixedState(state.beta, state.effects, psi, sigma, exponents, solution)


# The system on its trees, with the parameters of each tree's group.


@dataclass(frozen=True)
class Level:
    """Groups of one column: ``groups`` their names, ``code`` (n,) of each tree, ``parent`` of each in the coarser level."""

    column: str
    groups: list[str]
    code: np.ndarray
    parent: np.ndarray


@dataclass(frozen=True)
class Rows:
    """Observed components of all trees as rows, whitened and sorted by group.

    ``w`` (N,) pseudo-observations or residuals, ``x`` (N, k) slopes by the parameters, ``starts`` (G,) first row of
    each group; ``log_det`` of the whitening.
    """

    w: np.ndarray
    x: np.ndarray
    starts: np.ndarray
    log_det: float


class MixedModel:
    """System, trees and groups.

    The parameters of the search are those of the equations, but the logarithms of positive factors that vary
    (``on_log``), and where residuals are lognormal the equations are those of logarithms.

    Parameters
    ----------
    prepared : Prepared
    functions : dict
        A variance function for each free response.
    reml : bool
    """

    def __init__(self, prepared, functions, reml=False):
        written, frame = prepared.system, prepared.frame
        self.system, self.reml = written.ungrouped(), reml
        self.free = list(self.system.free)
        self.logged = _all_logged(functions, frame)
        self.random = [p for p in self.system.parameters if p in written.groups]
        self.places = np.array([self.system.parameters.index(p) for p in self.random])
        self.levels = levels_of(nest(written), frame, len(self.random))
        self.on_log = np.zeros(len(self.system.parameters), bool)
        self._factors = [p in self.random and p in self.system.factors for p in self.system.parameters]
        columns = {c: frame[c].to_numpy(float) for c in self.system.predictors}
        self.scale = Scale(functions, frame)
        self.natural = frame[self.free].to_numpy(float)
        self._means = self.system.compiled(self.free).at(columns, len(frame)).mean_and_jacobian
        self._logs = LogScale(np.full(len(self.free), self.logged), self._natural)
        self.y = self._logs.take(self.natural) if self.logged else self.natural
        self.observed = np.isfinite(self.y)
        self.patterns = find_patterns(self.observed)
        code = self.levels[0].code
        group = np.concatenate([np.repeat(code[p.rows], len(p.seen)) for p in self.patterns])
        self._order = np.argsort(group, kind="stable")
        self._back = np.argsort(self._order)
        #: Inverse curvature of the likelihood by the covariances where the last search of them ended.
        self.curvature = None
        self._starts = np.searchsorted(group[self._order], np.arange(len(self.levels[0].groups)))

    def internal(self, values) -> np.ndarray:
        """Parameters of the search from those of the equations; settles which of them are logarithms."""
        values = np.array(values, float)
        self.on_log = np.array(self._factors, bool) & (values > 0)
        values[self.on_log] = np.log(values[self.on_log])
        return values

    def written(self, beta) -> tuple[np.ndarray, np.ndarray]:
        """Parameters of the equations, and their derivatives by those of the search."""
        values = np.where(self.on_log, np.exp(np.where(self.on_log, beta, 0.0)), beta)
        return values, np.where(self.on_log, values, 1.0)

    def unit(self, beta) -> np.ndarray:
        """Size of the parameters that vary, in which their spread is measured; 1 for logarithms."""
        return np.where(self.on_log, 1.0, np.abs(beta))[self.places]

    def no_effects(self) -> list[np.ndarray]:
        """Effects of the groups of every level, all nought."""
        return [np.zeros((len(level.groups), len(self.places))) for level in self.levels]

    def of_trees(self, effects) -> np.ndarray:
        """Effects (n, q) of all the groups that each tree belongs to."""
        return sum(e[level.code] for e, level in zip(effects, self.levels, strict=True))

    def evaluate(self, beta, effects):
        """Means (n, m) and slopes (n, m, k) with the effects of each tree's groups."""
        theta, own = list(np.asarray(beta, float)), self.of_trees(effects)
        with np.errstate(all="ignore"):
            for j, place in enumerate(self.places):
                theta[place] = beta[place] + own[:, j]
                if self.on_log[place]:
                    theta[place] = np.exp(theta[place])
            return self._logs(theta) if self.logged else self._natural(theta)

    def _natural(self, theta):
        mean, slope = self._means(theta)
        if self.on_log.any():
            slope = slope.copy()
            for place in np.flatnonzero(self.on_log):
                slope[:, :, place] *= theta[place][:, None]
        return mean, slope

    def defined(self, mean) -> bool:
        """Whether the means are finite, and positive where a variance follows them."""
        used = mean[self.observed]
        by_mean = [f.by_mean for f in self.scale.functions]
        positive = mean[:, by_mean][self.observed[:, by_mean]] > 0
        return bool(np.isfinite(used).all() and positive.all())

    def rows(self, residual, slope, log_g, sigma) -> Rows:
        """Whiten residuals (n, m) and slopes (n, m, k) by tree and sort them by group."""
        w, x, log_det = [], [], float(log_g[self.observed].sum())
        inverse_g = np.exp(-log_g)
        for p in self.patterns:
            half = np.linalg.cholesky(sigma[np.ix_(p.seen, p.seen)])
            log_det += len(p.rows) * np.log(np.diag(half)).sum()
            undo = np.linalg.inv(half)
            weights = inverse_g[np.ix_(p.rows, p.seen)]
            w.append((residual[np.ix_(p.rows, p.seen)] * weights @ undo.T).ravel())
            scaled = slope[np.ix_(p.rows, p.seen)] * weights[:, :, None]
            x.append((undo @ scaled).reshape(-1, slope.shape[2]))
        return Rows(np.concatenate(w)[self._order], np.concatenate(x)[self._order], self._starts, log_det)

    def solved(self, pseudo, slope, log_g, sigma, psi) -> "tuple[Rows, Solution]":
        """Rows and most likely parameters of the linear mixed model for given covariances."""
        rows = self.rows(pseudo, slope, log_g, sigma)
        return rows, solve(rows, self.levels, self.places, psi, self.reml)

    def gradient(self, rows, solution, sigma):
        """Derivatives of the likelihood of the linear model by the residual covariance and by ln g of every residual.

        Parameters
        ----------
        rows, solution : Rows, Solution
        sigma : array, shape (m, m)

        Returns
        -------
        by_sigma, by_log_g : array, shapes (m, m), (n, m)
        """
        group = np.repeat(np.arange(len(rows.starts)), np.diff(np.append(rows.starts, len(rows.w))))
        left = rows.w - np.einsum("nk,nk->n", rows.x, solution.of_groups[group])
        left, x, group = (a[self._back] for a in (left, rows.x, group))
        by_sigma, by_log_g = np.zeros_like(sigma), np.zeros(self.y.shape)
        begin = 0
        for p in self.patterns:
            q = len(p.seen)
            end = begin + q * len(p.rows)
            half = np.linalg.cholesky(sigma[np.ix_(p.seen, p.seen)])
            undo = np.linalg.inv(half)
            t = left[begin:end].reshape(-1, q)
            own = x[begin:end].reshape(len(p.rows), q, -1)
            known = np.eye(q) - own @ solution.explained[group[begin:end:q]] @ own.transpose(0, 2, 1)
            by_sigma[np.ix_(p.seen, p.seen)] += 0.5 * undo.T @ (t.T @ t - known.sum(axis=0)) @ undo
            turned = ((undo.T @ known) * half).sum(axis=2)
            by_log_g[np.ix_(p.rows, p.seen)] = (t @ undo) * (t @ half.T) - turned
            begin = end
        return by_sigma, by_log_g


def _all_logged(functions, frame) -> bool:
    """Whether residuals are lognormal: of all equations, or of none."""
    require_families(functions, "mixed", ident=True)
    if len(logged := {f.logged for f in functions.values()}) > 1:
        raise EquationError(
            "method mixed takes lognormal residuals for all equations or for none; use lognormal or power:mean alone",
            "方法 mixed 要求全部方程或都不用对数正态残差；请统一用 lognormal 或 power:mean",
        )
    if True in logged:
        refuse_zeros(frame, list(functions))
    return True in logged


def nest(system) -> list[str]:
    """Columns by which parameters vary, the coarsest first: ``a[province/site]`` gives province and site.

    Raises
    ------
    EquationError
        No parameter varies, or they vary by several columns.
    """
    groups = list(dict.fromkeys(system.groups.values()))
    if len(groups) == 1:
        return groups[0].split("/")
    found_en, found_zh = (comma.join(groups) or none for comma, none in ((", ", "none"), ("、", "无")))
    raise EquationError(
        "method mixed needs parameters that vary by one column, written a[site], or by one nest, a[province/site]; "
        f"found {found_en}",
        f"方法 mixed 需要按同一列变化的参数，写作 a[site]，或按同一嵌套，写作 a[province/site]；现有：{found_zh}",
    )


def levels_of(columns, frame, n_random: int) -> list[Level]:
    """Groups of every level, the finest first; a group of a finer level bears the names of those that hold it.

    Raises
    ------
    DataError
        A level has too few groups for the parameters that vary.
    """
    needed, found = max(FEWEST_GROUPS, n_random + 1), []
    names = [frame[columns[0]].astype(str)]
    for column in columns[1:]:
        names.append(names[-1] + "/" + frame[column].astype(str))
    for i in reversed(range(len(columns))):
        groups, code = np.unique(names[i].to_numpy(str), return_inverse=True)
        if len(groups) < needed:
            raise DataError(
                f"{columns[i]}: {len(groups)} groups; expected at least {needed} for {n_random} "
                "parameters that vary at random; use nsur, which takes groups as dummy variables",
                f"{columns[i]}：{len(groups)} 个组；{n_random} 个随机参数至少需要 {needed} 个组；请用 nsur（哑变量）",
            )
        parent = np.zeros(len(groups), int)
        if i:
            above = np.unique(names[i - 1].to_numpy(str), return_inverse=True)[1]
            parent[code] = above
        found.append(Level("/".join(columns[: i + 1]), [str(g) for g in groups], code, parent))
    return found


# The linear mixed model near a point.


@dataclass(frozen=True)
class Solution:
    """Generalised least squares: estimates (k,), their information (k, k), effects (G, q) of every level, likelihood.

    ``of_groups`` (G, k) are the parameters of the finest groups; ``explained`` (G, k, k) what groups, and with
    restricted likelihood the estimates, explain of a row: the inverse covariance of rows ``x`` of one tree is
    ``I - x explained x'``. ``by_psi`` are the derivatives of the likelihood by the covariances between groups.
    """

    beta: np.ndarray
    information: np.ndarray
    effects: list[np.ndarray]
    loglik: float
    of_groups: np.ndarray
    explained: np.ndarray
    by_psi: list[np.ndarray]


# What overflows far from the maximum is judged there, by the information.
@np.errstate(over="ignore", invalid="ignore")
def solve(rows, levels, places, psi, reml=False) -> Solution:
    """Most likely parameters and effects for given covariances.

    Parameters
    ----------
    rows : Rows
        Pseudo-observations and slopes, whitened.
    levels : list of Level
        The finest first.
    places : array of int, shape (q,)
        Parameters that vary.
    psi : list of array, shape (q, q)
        Covariances between the groups of each level.
    reml : bool
        Restricted likelihood.
    """
    k, q, log_det = rows.x.shape[1], len(places), 0.0
    squares, steps = _squares(rows), []
    for level, covariance in zip(levels, psi, strict=True):
        inner = np.eye(q) + squares[:, places][:, :, places] @ covariance
        log_det += np.log(np.abs(np.linalg.det(inner))).sum()
        step = Elimination(squares, covariance @ np.linalg.inv(inner), places)
        steps.append(step)
        squares = np.zeros((level.parent.max() + 1, k + 1, k + 1))
        np.add.at(squares, level.parent, step.left)
    information, target = squares[0, :k, :k], squares[0, :k, k]
    if not (np.diag(information) > 0).all():
        raise np.linalg.LinAlgError("the information is lost to rounding")
    size = np.sqrt(np.diag(information))
    scaled = information / np.outer(size, size)
    beta = np.linalg.solve(scaled, target / size) / size
    left = squares[0, k, k] - beta @ target
    loglik = -0.5 * (len(rows.w) * LOG_2PI + left + log_det) - rows.log_det
    spread = np.zeros((k, k))
    if reml:
        loglik += 0.5 * k * LOG_2PI - 0.5 * np.linalg.slogdet(scaled)[1] - np.log(size).sum()
        spread = np.linalg.inv(scaled) / np.outer(size, size)
    effects, by_psi = [], []
    for i, covariance in enumerate(psi):
        turn, inner = _upward(levels, steps, i, places)
        seen = steps[i].squares[:, places] @ turn
        pull = seen[:, :, k] - seen[:, :, :k] @ beta
        estimated = seen[:, :, :k] @ spread @ seen[:, :, :k].transpose(0, 2, 1)
        by_psi.append(0.5 * (pull.T @ pull - (inner - estimated).sum(axis=0)))
        effects.append(pull @ covariance)
    turn, explained = _explained(levels, steps, places)
    explained = explained + turn[:, :k, :k] @ spread @ turn[:, :k, :k].transpose(0, 2, 1)
    of_groups = np.tile(beta, (len(levels[0].groups), 1))
    at = np.arange(len(of_groups))
    for level, found in zip(levels, effects, strict=True):
        of_groups[:, places] += found[at]
        at = level.parent[at]
    return Solution(beta, information, effects, float(loglik), of_groups, explained, by_psi)


class Elimination:
    """Cross-products of the groups of a level, and what is left of them without the effects of these groups.

    ``m`` (G, q, q) is the covariance of the effects given what is shared; ``turn`` (G, k + 1, k + 1) takes rows to rows
    times the inverse covariance that the effects imply.
    """

    def __init__(self, squares, m, places):
        self.squares, self.m = squares, m
        self.turn = np.tile(np.eye(squares.shape[1]), (len(squares), 1, 1))
        self.turn[:, places] -= m @ squares[:, places]
        self.left = squares @ self.turn


def _upward(levels, steps, i, places):
    """Turn of the groups of a level by it and all coarser ones, and Z'V^-1 Z (G, q, q) of each group."""
    own = steps[i].squares[:, places]
    turn = steps[i].turn
    inner = (own @ turn)[:, :, places]
    at = levels[i].parent
    for level, step in zip(levels[i + 1 :], steps[i + 1 :], strict=True):
        across = (own @ turn)[:, :, places]
        inner = inner - across @ step.m[at] @ across.transpose(0, 2, 1)
        turn = turn @ step.turn[at]
        at = level.parent[at]
    return turn, inner


def _explained(levels, steps, places):
    """Turn of the rows of the finest groups by all levels, and what the effects of all explain, (G, k, k)."""
    size = steps[0].squares.shape[1]
    turn = np.tile(np.eye(size), (len(levels[0].groups), 1, 1))
    explained = np.zeros((len(levels[0].groups), size - 1, size - 1))
    at = np.arange(len(turn))
    for level, step in zip(levels, steps, strict=True):
        across = turn[:, : size - 1][:, :, places]
        explained += across @ step.m[at] @ across.transpose(0, 2, 1)
        turn = turn @ step.turn[at]
        at = level.parent[at]
    return turn, explained


def _squares(rows) -> np.ndarray:
    """Cross-products of slopes and pseudo-observations over the rows of each group, (G, k + 1, k + 1)."""
    joined = np.column_stack([rows.x, rows.w])
    ends = np.append(rows.starts[1:], len(rows.w))
    return np.array([joined[a:b].T @ joined[a:b] for a, b in zip(rows.starts, ends, strict=True)])


# The result.


def from_mixed(prepared, model, state, certificate, level, seed) -> FitResult:
    """Result of ``mixed``: the parameters of the typical group, and how groups differ."""
    k, count = len(state.beta), int(model.observed.sum())
    values, scale = model.written(state.beta)
    # As for least squares, residual variances are made those of n - k degrees of freedom.
    covariance = inverse(state.solution.information) * (1.0 if model.reml else count / max(count - k, 1))
    sigma = np.sqrt(np.diag(state.sigma))
    natural = model.scale.natural_sigma(sigma, state.exponents)
    own, freedom, residual = model.system.own_parameters, {}, {}
    for j, (response, f) in enumerate(zip(model.free, model.scale.functions, strict=True)):
        freedom[response] = float(model.observed[:, j].sum() - len(own[response]))
        told = natural[j], state.exponents[j], freedom[response]
        ratios = model.scale.ratios(j, state.exponents, model.observed[:, j])
        residual[response] = f.residual(response, *told, ratios=ratios)
    by_parameter = freedom_by_parameter(Layout.of(model.system, prepared.frame), freedom)
    # Groups, not trees, say how well the mean of a parameter that varies between them is known.
    by_parameter[model.places] = np.minimum(by_parameter[model.places], len(model.levels[0].groups) - 1)
    told, random, notes = _over_groups(model, _random_effects(model, state), prepared.frame, values)
    return assembled(
        replace(prepared, system=told),
        method="mixed",
        values=values,
        covariance=covariance * np.outer(scale, scale),
        freedom=by_parameter,
        residual=residual,
        correlation=state.sigma / np.outer(sigma, sigma),
        loglik=state.solution.loglik - (float(np.nansum(model.y)) if model.logged else 0.0),
        logliks={},
        correction=_corrections(model, state),
        correction_kind="baskerville" if model.logged else "none",
        certificate=certificate,
        warnings=[*prepared.warnings, *_mixed_warnings(certificate, model, state), *notes],
        random=random,
        level=level,
        seed=seed,
        on_log=model.on_log,
    )


def _over_groups(model, random, frame, values) -> tuple[System, RandomEffects, list[str]]:
    """The equations of the mean over groups, what keeps those of the typical one, and how far these are apart."""
    # The factor that makes means of medians holds the spread between groups: logarithms stay as they are.
    told = model.system if model.logged else model.system.over_groups(*random.spread_told)
    if told == model.system:
        return told, random, []
    columns = {x: frame[x].to_numpy(float) for x in told.predictors}
    typical, mean = (
        s.compiled(model.free).at(columns, len(frame)).mean(values) for s in (model.system, told)
    )
    off = 100 * np.nanmean(np.where(model.observed, mean / typical - 1, np.nan), axis=0)
    shown = ", ".join(f"{r} {x:+.1f} %" for r, x in zip(model.free, off, strict=True) if abs(x) > MEAN_NOTE)
    column = model.levels[0].column
    en = f"the curves are the mean over {column}, beside those of a typical one: {shown}"
    notes = [tr(en, f"曲线为各 {column} 的均值，与典型 {column} 的曲线相比：{shown}")] if shown else []
    return told, replace(random, typical=model.system), notes


def _corrections(model, state) -> dict[str, float]:
    """Factors that make means over trees and groups of the medians of the typical group."""
    if not model.logged:
        return dict.fromkeys(model.free, 1.0)
    spread = _between(model, state) + np.diag(state.sigma)
    return dict(zip(model.free, map(float, np.nanmean(np.exp(spread / 2), axis=0)), strict=True))


def _between(model, state) -> np.ndarray:
    """Variance between groups of the logarithm of each response of each record (n, m); NaN where it was not measured."""
    mean, slope = model.evaluate(state.beta, model.no_effects())
    slope = slope[:, :, model.places] / (1.0 if model.logged else mean[:, :, None])
    return np.where(model.observed, np.einsum("nmq,qr,nmr->nm", slope, sum(state.psi), slope), np.nan)


def _random_effects(model, state) -> RandomEffects:
    """How groups differ: of the finest level all that it owes to the coarser ones too."""
    names = model.random
    multiplies = tuple(p for p, log in zip(names, model.on_log[model.places], strict=True) if log)
    random, psi = None, np.zeros((len(names), len(names)))
    for i in reversed(range(len(model.levels))):
        level, psi = model.levels[i], psi + state.psi[i]
        effects = state.effects[i].copy()
        if random is not None:
            effects += random.effects.to_numpy()[level.parent]
        random = RandomEffects(
            level.column,
            pd.DataFrame(psi, index=names, columns=names),
            multiplies,
            pd.DataFrame(effects, index=pd.Index(level.groups, name=level.column), columns=names),
            random,
        )
    return random


def _mixed_warnings(certificate, model, state) -> list[str]:
    """What to say of a fit: nothing but that it failed, when it did."""
    if not certificate.converged:
        return [not_converged(certificate)]
    warnings = []
    for level, psi in zip(model.levels, state.psi, strict=True):
        spread = np.sqrt(np.diag(psi)) / np.maximum(model.unit(state.beta), 1e-12)
        names = ", ".join(n for n, s in zip(model.random, spread, strict=True) if s < NO_SPREAD_NOTE)
        if names:
            en = f"the groups of {level.column} do not differ in {names}; a model without that random effect does as well"
            warnings.append(tr(en, f"{level.column} 各组之间 {names} 无差异；可去掉该随机效应"))
    return warnings


def _certificate(model, found, second, steps, settled) -> Certificate:
    singular = singular_values(found.solution.information)
    rank, k = rank_of(singular), len(found.beta)
    agree = second is not None and bool(abs(second - found.solution.loglik) < SAME)
    return Certificate(
        converged=bool(settled and rank == k and (agree or second is None)),
        estimator="reml" if model.reml else "ml",
        approximation="Lindstrom-Bates",
        steps=steps,
        rank=rank,
        n_parameter=k,
        condition=float(singular[0] / max(singular[-1], 1e-300)),
        n_start=2,
        loglik_second=second,
        agree=agree,
    )
