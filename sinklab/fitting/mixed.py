r"""Mixed-effects systems (``mixed``): parameters written ``a[site]`` vary at random between groups.

*What it assumes.* In group :math:`g` the parameters are :math:`\beta + b_g` with
:math:`b_g \sim N(0, \Psi)`; trees of a group share :math:`b_g` and are otherwise independent, with the
variance functions and the residual correlation of ``nsur``. All parameters that vary do so by one
column (sites, plots, studies), and :math:`\Psi` is unstructured.

*How.* Maximum likelihood by alternating as Lindstrom and Bates (1990): penalised least squares gives
:math:`\beta` and :math:`b`; the equations made linear there are a linear mixed model, whose likelihood
gives :math:`\Psi`, the residual covariance and the exponents of the variance functions. Weights that
follow the prediction are taken at the predictions for the tree's own group. The log-likelihood
reported is the one of the linear model at the end. With ``variance="lognormal"`` the equation must be
a product of powers; it is a linear mixed model of logarithms, fitted by statsmodels, where a varying
factor multiplies by :math:`\exp(b_g)`.

*What comes out.* The parameters are those of the typical group; ``fit.random`` holds :math:`\Psi` and
the effects of the groups seen. Predictions are for a group that nothing is known of, and the interval
of an individual contains the spread between groups. :func:`sinklab.results.prediction.calibrated`
predicts for a group of which some trees were weighed (EBLUP).

*When.* Trees from several sites, when the next site matters: dummy variables (``nsur`` with
``a[site]``) answer for the sites of the sample only.

*The linear mixed model* that the equations become near a point: for whitened rows
:math:`w = X\beta + Z b_g + e` with :math:`e \sim N(0, I)` everything follows from
sums over groups: with :math:`M_g = \Psi (I + Z_g^T Z_g \Psi)^{-1}` the inverse of the covariance of a
group is :math:`I - Z_g M_g Z_g^T` and its determinant that of :math:`I + Z_g^T Z_g \Psi`.

Source
------
Lindstrom M.J., Bates D.M. (1990) Nonlinear mixed effects models for repeated measures data.
Biometrics 46:673-687. Pinheiro J.C., Bates D.M. (2000) Mixed-Effects Models in S and S-PLUS,
chapters 7 and 8. Springer.
"""

import warnings as python_warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from sinklab.equations.compile import Layout
from sinklab.fitting.data import refuse_zeros, start_values
from sinklab.fitting.likelihood import LOG_2PI, Scale, find_patterns, inverse
from sinklab.fitting.search import certified_maximum, rank_of, singular_values
from sinklab.fitting.system import SystemFit, assembled, freedom_by_parameter, not_converged
from sinklab.language import ConvergenceError, DataError, EquationError, tr
from sinklab.results.fit_result import Certificate, FitResult, RandomEffects

#: Groups that a covariance between groups needs at the least.
FEWEST_GROUPS = 4
MAX_ALTERNATIONS = 60
MAX_STEPS = 60
#: Change of the log-likelihood, and relative change of the parameters, at which the alternation ends.
SETTLED_LOGLIK, SETTLED = 1e-5, 1e-6
#: First guess of the spread between groups, relative to the parameter.
FIRST_SPREAD = 0.1
#: A spread that has vanished starts the next search from this part of the parameter.
NO_SPREAD = 1e-4
#: A spread between groups below this part of the parameter is none.
NO_SPREAD_NOTE = 2e-4


@dataclass(frozen=True)
class MixedState:
    """Where the alternation stands: parameters, effects, covariances, exponents, the linear model."""

    beta: np.ndarray
    effects: np.ndarray
    psi: np.ndarray
    sigma: np.ndarray
    exponents: np.ndarray
    solution: "Solution"


def fit_mixed(prepared, functions, start=None, level=0.95, seed=0):
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

    Returns
    -------
    result : FitResult

    Raises
    ------
    EquationError, DataError, ConvergenceError
    """
    model = MixedModel(prepared, functions)
    if any(f.logged for f in functions.values()):
        return fit_log_mixed(model, prepared, functions, level, seed)
    near = SystemFit(model.system, prepared.frame, functions, True)
    near.refuse_singular()
    starts = [start_values(model.system, prepared.frame, start or None, seed)]
    state, _ = certified_maximum(near, starts, seed)
    beta, exponents = near.estimates(state)
    first = first_state(model, beta, state.sigma, exponents)
    displaced = first_state(model, beta, state.sigma * 0.5, exponents, 3 * FIRST_SPREAD)
    reached = [end for end in (_reached(model, begin) for begin in (first, displaced)) if end is not None]
    if not reached:
        raise ConvergenceError(
            "the data do not determine the parameters of the mixed model: its information is lost to rounding; let "
            "fewer parameters vary between groups, or use a form with fewer parameters",
            "数据不能确定混合模型的参数（信息矩阵奇异）；请减少组间变动的参数，或改用参数较少的形式",
        )
    found, steps, settled = reached[0]
    second = reached[1][0] if len(reached) > 1 else None
    if second is not None and second.solution.loglik > found.solution.loglik + 1e-4:
        found = second
    return from_mixed(prepared, model, found, _certificate(model, found, second, steps, settled), level, seed)


def _reached(model, begin):
    """End of the alternation from a start; None where the linear models become singular."""
    try:
        return alternate(model, begin)
    except np.linalg.LinAlgError:
        return None


def first_state(model, beta, sigma, exponents, spread=FIRST_SPREAD) -> MixedState:
    """State before the first alternation: the typical tree, some spread between groups."""
    psi = np.diag((spread * np.maximum(np.abs(beta[model.places]), 1e-3)) ** 2)
    effects = np.zeros((model.n_group, len(model.places)))
    if not model.defined(model.evaluate(beta, effects)[0]):
        raise ConvergenceError(
            "the equations give no finite positive values at the start", "方程在初值处得不到有限正值"
        )
    return MixedState(beta, effects, psi, sigma, exponents, None)


def alternate(model, state):
    """Alternate until parameters and likelihood stay; returns the state, the steps, and whether they do."""
    before = -np.inf
    for step in range(1, MAX_ALTERNATIONS + 1):
        moved = penalised(model, state)
        renewed = renew_covariances(model, moved)
        change = np.abs(renewed.beta / np.where(state.beta == 0, 1, state.beta) - 1).max()
        gain = abs(renewed.solution.loglik - before)
        state, before = renewed, renewed.solution.loglik
        if gain < SETTLED_LOGLIK and change < SETTLED:
            return state, step, True
    return state, MAX_ALTERNATIONS, False


def penalised(model, state) -> MixedState:
    """Parameters and effects by penalised least squares, covariances and weights held."""
    mean, _ = model.evaluate(state.beta, state.effects)
    model.scale.hold(mean)
    log_g = model.scale.log_g(state.exponents, mean)
    inverse = np.linalg.pinv(state.psi, hermitian=True)
    beta, effects = state.beta, state.effects
    best = _objective(model, beta, effects, log_g, state.sigma, inverse)
    for _ in range(MAX_STEPS):
        target = _linear(model, beta, effects, log_g, state.sigma, state.psi)
        move, shift, size = target.beta - beta, target.effects - effects, 1.0
        while size > 1e-8:
            trial = _objective(model, beta + size * move, effects + size * shift, log_g, state.sigma, inverse)
            if trial <= best:
                break
            size /= 2
        else:
            break
        beta, effects = beta + size * move, effects + size * shift
        if best - trial < 1e-10 * (1 + abs(best)):
            break
        best = trial
    return MixedState(beta, effects, state.psi, state.sigma, state.exponents, None)


def _objective(model, beta, effects, log_g, sigma, inverse) -> float:
    mean, slope = model.evaluate(beta, effects)
    if not model.defined(mean):
        return np.inf
    rows = model.rows(np.where(model.observed, model.y - mean, 0.0), slope, log_g, sigma)
    return float(rows.w @ rows.w + np.einsum("gq,qr,gr->", effects, inverse, effects))


def _pseudo(model, beta, effects):
    """Residuals plus what the linear model explains, and its slopes."""
    mean, slope = model.evaluate(beta, effects)
    known = slope @ beta + np.einsum("nmq,nq->nm", slope[:, :, model.places], effects[model.code])
    return np.where(model.observed, model.y - mean + known, 0.0), slope


def _linear(model, beta, effects, log_g, sigma, psi) -> "Solution":
    return solve(model.rows(*_pseudo(model, beta, effects), log_g, sigma), psi)


def renew_covariances(model, state) -> MixedState:
    """Most likely covariances and exponents of the linear mixed model at a state."""
    mean, _ = model.evaluate(state.beta, state.effects)
    model.scale.hold(mean)
    pseudo, slope = _pseudo(model, state.beta, state.effects)
    unit = np.maximum(np.abs(state.beta[model.places]), 1e-12)
    between, within = Triangle(len(unit)), Triangle(len(model.free))
    free = model.scale.free
    typical = np.sqrt(np.diag(state.sigma))

    def covariances(vector):
        psi = between.matrix(vector[: len(between)]) * np.outer(unit, unit)
        sigma = within.matrix(vector[len(between) : len(between) + len(within)]) * np.outer(typical, typical)
        exponents = state.exponents.copy()
        exponents[free] = vector[len(between) + len(within) :]
        return psi, sigma, exponents

    def solution(vector):
        psi, sigma, exponents = covariances(vector)
        rows = model.rows(pseudo, slope, model.scale.log_g(exponents, mean), sigma)
        return rows, solve(rows, psi), sigma, model.scale.by_exponent(exponents, mean)

    def objective(vector):
        try:
            rows, found, sigma, log_base = solution(vector)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros_like(vector)
        by_sigma, by_exponent = model.gradient(rows, found, log_base, sigma)
        gradient = np.concatenate(
            [
                between.slope(vector[: len(between)], found.by_psi * np.outer(unit, unit)),
                within.slope(
                    vector[len(between) : len(between) + len(within)], by_sigma * np.outer(typical, typical)
                ),
                by_exponent[free],
            ]
        )
        if not (np.isfinite(found.loglik) and np.isfinite(gradient).all()):
            return np.inf, np.zeros_like(vector)
        return -found.loglik, -gradient

    # A spread that has vanished starts the next search from where it can still grow.
    psi = state.psi / np.outer(unit, unit) + np.eye(len(unit)) * NO_SPREAD**2
    start = np.concatenate(
        [
            between.vector(psi),
            within.vector(state.sigma / np.outer(typical, typical)),
            state.exponents[free],
        ]
    )
    found = minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 500})
    psi, sigma, exponents = covariances(found.x)
    return MixedState(state.beta, state.effects, psi, sigma, exponents, solution(found.x)[1])


# The system on its trees, with the parameters of each tree's group.


@dataclass(frozen=True)
class Rows:
    """Observed components of all trees as rows, whitened and sorted by group.

    ``w`` (N,) pseudo-observations or residuals, ``x`` (N, k) slopes by the parameters, ``z`` (N, q)
    by the effects, ``starts`` (G,) first row of each group; ``log_det`` of the whitening.
    """

    w: np.ndarray
    x: np.ndarray
    z: np.ndarray
    starts: np.ndarray
    log_det: float


class MixedModel:
    """System, trees and groups.

    Parameters
    ----------
    prepared : Prepared
    functions : dict
        A variance function for each free response.
    """

    def __init__(self, prepared, functions):
        written, frame = prepared.system, prepared.frame
        self.column = group_column(written)
        self.system = written.ungrouped()
        self.free = list(self.system.free)
        self.random = [p for p in self.system.parameters if p in written.groups]
        self.places = np.array([self.system.parameters.index(p) for p in self.random])
        levels = frame[self.column].astype(str)
        self.levels = sorted(levels.unique())
        if len(self.levels) < max(FEWEST_GROUPS, len(self.random) + 1):
            needed = max(FEWEST_GROUPS, len(self.random) + 1)
            raise DataError(
                f"{self.column}: {len(self.levels)} groups; expected at least {needed} for {len(self.random)} "
                "parameters that vary at random; use nsur, which takes groups as dummy variables",
                f"{self.column}：{len(self.levels)} 个组；{len(self.random)} 个随机参数至少需要 {needed} 个组；"
                "请用 nsur（哑变量）",
            )
        self.code = levels.map({level: i for i, level in enumerate(self.levels)}).to_numpy()
        columns = {c: frame[c].to_numpy(float) for c in self.system.predictors}
        self.scale = Scale(functions, columns)
        self.y = frame[self.free].to_numpy(float)
        self.observed = np.isfinite(self.y)
        self.patterns = find_patterns(self.observed)
        self._evaluator = self.system.compiled(self.free).at(columns, len(frame))
        group = np.concatenate([np.repeat(self.code[p.rows], len(p.seen)) for p in self.patterns])
        self._order = np.argsort(group, kind="stable")
        self._starts = np.searchsorted(group[self._order], np.arange(len(self.levels)))

    @property
    def n_group(self) -> int:
        """Number of groups."""
        return len(self.levels)

    def evaluate(self, beta, effects):
        """Means (n, m) and slopes (n, m, k) with the effects (G, q) of each tree's group."""
        theta = list(np.asarray(beta, float))
        for place, effect in zip(self.places, effects.T, strict=True):
            theta[place] = beta[place] + effect[self.code]
        return self._evaluator.mean_and_jacobian(theta)

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
            x.append(np.einsum("qr,nrk->nqk", undo, scaled).reshape(-1, slope.shape[2]))
        w, x = np.concatenate(w)[self._order], np.concatenate(x)[self._order]
        return Rows(w, x, x[:, self.places], self._starts, log_det)

    def gradient(self, rows, solution, log_base, sigma):
        """Derivatives of the likelihood of the linear model by the residual covariance and the exponents.

        Parameters
        ----------
        rows, solution : Rows, Solution
        log_base : array, shape (n, m)
            Derivative of ln g by the exponent of each equation.
        sigma : array, shape (m, m)

        Returns
        -------
        by_sigma, by_exponent : array, shapes (m, m), (m,)
        """
        group = np.repeat(np.arange(self.n_group), np.diff(np.append(rows.starts, len(rows.w))))
        left = rows.w - rows.x @ solution.beta - np.einsum("nq,nq->n", rows.z, solution.effects[group])
        left, z, group = (self._unsorted(a) for a in (left, rows.z, group))
        by_sigma, by_exponent = np.zeros_like(sigma), np.zeros(len(sigma))
        begin = 0
        for p in self.patterns:
            q = len(p.seen)
            end = begin + q * len(p.rows)
            half = np.linalg.cholesky(sigma[np.ix_(p.seen, p.seen)])
            undo = np.linalg.inv(half)
            t = left[begin:end].reshape(-1, q)
            own = z[begin:end].reshape(len(p.rows), q, -1)
            known = np.eye(q) - own @ solution.m[group[begin:end:q]] @ own.transpose(0, 2, 1)
            by_sigma[np.ix_(p.seen, p.seen)] += 0.5 * undo.T @ (t.T @ t - known.sum(axis=0)) @ undo
            turned = np.einsum("rq,nrs,qs->nq", undo, known, half, optimize=True)
            spread = (t @ undo) * (t @ half.T) - turned
            by_exponent[p.seen] += (log_base[np.ix_(p.rows, p.seen)] * spread).sum(axis=0)
            begin = end
        return by_sigma, by_exponent

    def _unsorted(self, values):
        out = np.empty_like(values)
        out[self._order] = values
        return out


def group_column(system) -> str:
    """The one column by which parameters vary.

    Raises
    ------
    EquationError
        No parameter varies, or they vary by several columns.
    """
    columns = list(dict.fromkeys(system.groups.values()))
    if len(columns) == 1:
        return columns[0]
    raise EquationError(
        "method mixed needs parameters that vary by one column, written a[site]; found "
        + (", ".join(columns) or "none"),
        "方法 mixed 需要按同一列变化的参数，写作 a[site]；现有：" + ("、".join(columns) or "无"),
    )


# The linear mixed model near a point.


@dataclass(frozen=True)
class Solution:
    """Generalised least squares: estimates (k,), their information (k, k), effects (G, q), likelihood.

    ``m`` (G, q, q) and ``by_psi`` (q, q), the derivative of the likelihood, serve the search.
    """

    beta: np.ndarray
    information: np.ndarray
    effects: np.ndarray
    loglik: float
    m: np.ndarray
    by_psi: np.ndarray


# What overflows far from the maximum is judged there, by the information.
@np.errstate(over="ignore", invalid="ignore")
def solve(rows, psi) -> Solution:
    """Most likely parameters and effects for given covariances.

    Parameters
    ----------
    rows : Rows
        Pseudo-observations and slopes, whitened.
    psi : array, shape (q, q)
        Covariance between groups.
    """
    zz, zx, zw = _sums(rows)
    q = psi.shape[0]
    inner = np.eye(q) + zz @ psi
    undo = np.linalg.inv(inner)
    m = psi @ undo
    information, target = eliminated(rows.x.T @ rows.x, rows.x.T @ rows.w, [(zx, m, zw)])
    if not (np.diag(information) > 0).all():
        raise np.linalg.LinAlgError("the information is lost to rounding")
    size = np.sqrt(np.diag(information))
    beta = np.linalg.solve(information / np.outer(size, size), target / size) / size
    left = rows.w @ rows.w - np.einsum("gq,gqr,gr->", zw, m, zw, optimize=True) - beta @ target
    log_det = np.log(np.abs(np.linalg.det(inner))).sum()
    loglik = -0.5 * (len(rows.w) * LOG_2PI + left + log_det) - rows.log_det
    pull = np.einsum("gqr,gr->gq", undo, zw - zx @ beta)
    by_psi = 0.5 * (pull.T @ pull - (undo @ zz).sum(axis=0))
    return Solution(beta, information, pull @ psi, float(loglik), m, by_psi)


def eliminated(matrix, vector, parts):
    """Normal equations (k, k), (k,) of what all groups share, without the effects of the groups.

    ``parts`` holds for each column of groups the equations' cross terms (G, q, k), the covariance (G, q, q) of the
    effects given what is shared, and their right sides (G, q).
    """
    for cross, spread, rest in parts:
        matrix = matrix - np.einsum("gqk,gqr,grl->kl", cross, spread, cross, optimize=True)
        vector = vector - np.einsum("gqk,gqr,gr->k", cross, spread, rest, optimize=True)
    return matrix, vector


def _sums(rows):
    """Sums over the rows of each group: Z'Z (G, q, q), Z'X (G, q, k), Z'w (G, q)."""
    products = np.concatenate([rows.z, rows.x, rows.w[:, None]], axis=1)
    q, k = rows.z.shape[1], rows.x.shape[1]
    ends = np.append(rows.starts[1:], len(rows.w))
    zz, zx = np.empty((len(ends), q, q)), np.empty((len(ends), q, k))
    zw = np.empty((len(ends), q))
    for g, (start, end) in enumerate(zip(rows.starts, ends, strict=True)):
        part = rows.z[start:end].T @ products[start:end]
        zz[g], zx[g], zw[g] = part[:, :q], part[:, q : q + k], part[:, -1]
    return zz, zx, zw


class Triangle:
    """A covariance as an unrestricted vector: Cholesky factor with the logarithm of its diagonal.

    Parameters
    ----------
    size : int
    """

    def __init__(self, size: int):
        self.size = size
        self.places = np.tril_indices(size)
        self.on_diagonal = self.places[0] == self.places[1]

    def __len__(self):
        """Length of the vector."""
        return len(self.on_diagonal)

    def matrix(self, vector) -> np.ndarray:
        """Covariance of a vector."""
        half = self._half(vector)
        return half @ half.T

    def _half(self, vector) -> np.ndarray:
        half = np.zeros((self.size, self.size))
        half[self.places] = np.where(self.on_diagonal, np.exp(np.clip(vector, -40, 40)), vector)
        return half

    def slope(self, vector, by_matrix) -> np.ndarray:
        """Derivative by the vector, from the derivative by the (symmetric) covariance."""
        half = self._half(vector)
        entries = ((by_matrix + by_matrix.T) @ half)[self.places]
        return np.where(self.on_diagonal, entries * half[self.places], entries)

    def vector(self, matrix) -> np.ndarray:
        """Vector of a positive definite covariance."""
        entries = np.linalg.cholesky(matrix)[self.places]
        return np.where(self.on_diagonal, np.log(np.where(self.on_diagonal, np.abs(entries), 1.0)), entries)


# The result.


def from_mixed(prepared, model, state, certificate, level, seed) -> FitResult:
    """Result of ``mixed``: the parameters of the typical group, and how groups differ."""
    k, count = len(state.beta), int(model.observed.sum())
    # As for least squares, residual variances are made those of n - k degrees of freedom.
    covariance = inverse(state.solution.information) * count / max(count - k, 1)
    sigma = np.sqrt(np.diag(state.sigma))
    natural = model.scale.natural_sigma(sigma, state.exponents)
    counts = model.observed.sum(axis=0)
    freedom = {
        r: float(c - len(model.system.own_parameters[r])) for r, c in zip(model.free, counts, strict=True)
    }
    residual = {
        response: f.residual(response, natural[j], state.exponents[j], freedom[response])
        for j, (response, f) in enumerate(zip(model.free, model.scale.functions, strict=True))
    }
    layout = Layout.of(model.system, prepared.frame)
    by_parameter = freedom_by_parameter(layout, freedom)
    # Groups, not trees, say how well the mean of a parameter that varies between them is known.
    by_parameter[model.places] = np.minimum(by_parameter[model.places], model.n_group - 1)
    return assembled(
        replace(prepared, system=model.system),
        method="mixed",
        values=state.beta,
        covariance=covariance,
        freedom=by_parameter,
        residual=residual,
        correlation=state.sigma / np.outer(sigma, sigma),
        loglik=state.solution.loglik,
        logliks={},
        correction=dict.fromkeys(model.system.free, 1.0),
        correction_kind="none",
        certificate=certificate,
        warnings=[*prepared.warnings, *_mixed_warnings(certificate, model, state)],
        random=_random_effects(model, state.psi, state.effects),
        level=level,
        seed=seed,
    )


def _random_effects(model, psi, effects, multiplies=()) -> RandomEffects:
    names, levels = model.random, pd.Index(model.levels, name=model.column)
    return RandomEffects(
        model.column,
        pd.DataFrame(psi, index=names, columns=names),
        multiplies,
        pd.DataFrame(effects, index=levels, columns=names),
    )


def _mixed_warnings(certificate, model, state) -> list[str]:
    warnings = [] if certificate.converged else [not_converged(certificate)]
    spread = np.sqrt(np.diag(state.psi)) / np.maximum(np.abs(state.beta[model.places]), 1e-12)
    none = [name for name, s in zip(model.random, spread, strict=True) if s < NO_SPREAD_NOTE]
    if none:
        names = ", ".join(none)
        warnings.append(
            tr(
                f"the groups of {model.column} do not differ in {names}; a model without that random effect does as well",
                f"{model.column} 各组之间 {names} 无差异；可去掉该随机效应",
            )
        )
    return warnings


def _certificate(model, found, second, steps, settled) -> Certificate:
    singular = singular_values(found.solution.information)
    rank, k = rank_of(singular), len(found.beta)
    other = None if second is None else second.solution.loglik
    return Certificate(
        converged=bool(settled and rank == k),
        estimator="ml",
        approximation="Lindstrom-Bates",
        steps=steps,
        rank=rank,
        n_parameter=k,
        condition=float(singular[0] / max(singular[-1], 1e-300)),
        n_start=2,
        loglik_second=other,
        agree=other is not None and bool(abs(other - found.solution.loglik) < 1e-3),
    )


# Logarithms, by statsmodels.


def fit_log_mixed(model, prepared, functions, level, seed) -> FitResult:
    """Fit ln(response) on the logarithms of its predictors with random coefficients.

    Raises
    ------
    EquationError
        Several equations, or one that is not a product of powers.
    DataError
        Responses that have no logarithm.
    """
    import statsmodels.api as sm

    form = model.system.power_product(model.free[0]) if len(model.free) == 1 else None
    if form is None:
        raise EquationError(
            "a mixed model with lognormal residuals is one equation that is a product of powers; use power:mean",
            "对数正态残差的混合模型只能有一个幂函数之积形式的方程；请用 power:mean",
        )
    response, frame = model.free[0], prepared.frame
    y = frame[response].to_numpy(float)
    refuse_zeros(frame, [response])
    design, offset = form.design(frame)
    names, k = list(form.parameters), design.shape[1]
    places = [names.index(name) for name in model.random]
    turn = _centring(design) if form.coefficient in model.random else np.eye(design.shape[1])
    centred = design @ turn
    groups = np.array(model.levels)[model.code]
    with python_warnings.catch_warnings():
        # What it has to say of convergence is read from the result.
        python_warnings.simplefilter("ignore")
        found = sm.MixedLM(np.log(y) - offset, centred, groups, exog_re=centred[:, places]).fit(
            reml=False, method=["bfgs", "lbfgs", "powell"], maxiter=500
        )
    beta = turn @ np.asarray(found.fe_params)
    covariance = turn @ np.asarray(found.cov_params())[:k, :k] @ turn.T
    inner = turn[np.ix_(places, places)]
    psi = inner @ np.asarray(found.cov_re) @ inner.T
    effects = np.array([np.asarray(found.random_effects[level_]) for level_ in model.levels]) @ inner.T
    spread = float(found.scale) + np.einsum("nq,qr,nr->n", design[:, places], psi, design[:, places])
    logged = form.coefficient if not form.log else None
    on_log = np.array([name == logged for name in names])
    scale = np.where(on_log, np.exp(beta), 1.0)
    order = [names.index(p) for p in model.system.parameters]
    freedom = float(len(y) - k)
    by_parameter = np.full(k, freedom)
    by_parameter[model.places] = model.n_group - 1
    return assembled(
        replace(prepared, system=model.system),
        method="mixed",
        values=np.where(on_log, scale, beta)[order],
        covariance=(covariance * len(y) / max(len(y) - k, 1) * np.outer(scale, scale))[np.ix_(order, order)],
        freedom=by_parameter,
        residual={response: functions[response].residual(response, np.sqrt(found.scale), 0.0, freedom)},
        correlation=np.eye(1),
        loglik=float(found.llf - np.log(y).sum()),
        logliks={},
        correction={response: float(np.exp(spread / 2).mean())},
        correction_kind="baskerville",
        certificate=Certificate(
            bool(found.converged), "ml", engine="statsmodels", steps=1, rank=k, n_parameter=k
        ),
        warnings=list(prepared.warnings),
        random=_random_effects(model, psi, effects, tuple(p for p in model.random if p == logged)),
        level=level,
        seed=seed,
        on_log=on_log[order],
    )


def _centring(design) -> np.ndarray:
    """Matrix that centres the slopes of a design, whose first column is 1, or they are tied to it."""
    turn = np.eye(design.shape[1])
    turn[0, 1:] = -design[:, 1:].mean(axis=0)
    return turn
