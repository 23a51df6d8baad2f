r"""The likelihood of a simultaneous system, each tree contributing the components it has.

For tree :math:`i` and equation :math:`j` the model is :math:`y_{ij} = f_j(x_i; \beta) + g_{ij}\, u_{ij}`
with :math:`u_i \sim N(0, \Sigma)` and :math:`g` the variance function. Trees with the same measured
components form a *pattern*; a pattern uses the rows and columns of :math:`\Sigma` that it observed.
Trees of which only a total of several components was weighed enter as :class:`Terms`.

With complete trees, or without correlation, :math:`\Sigma` is known once the residuals are, and is
profiled out; with gaps it is searched for with the rest. Score and expected information are exact.

**A covariance that does not rest on the normal distribution** (:func:`sandwich`) is that of White (1982): the
spread of the trees' scores between two inverses of the information. Each tree's score is first freed of the
tree's own pull on the fit, by the inverse of one minus its information times the covariance, which is a one-step
jackknife (CR3 of Bell & McCaffrey 2002). All parameters take part: coefficients, variance exponents and the
elements of the residual covariance.

**Lognormal residuals** (``variance="lognormal"``, :class:`LogScale`). *What it assumes.*
:math:`\ln y_j = \ln f_j(x; \beta) - \sigma_j^2 / 2 + e_j` with normal, correlated
:math:`e`. The equation is the *mean* of the response, so identities add up as they do on the natural
scale and no correction is needed afterwards; the shift by half the variance is Baskerville's, made
part of the model. *How.* Maximum likelihood of the logarithms with the shift held, the shift renewed from the
residual variances, until both agree. Where an equation has a factor of its own (the ``a`` of
``a * dbh**b``) this is the maximum of the likelihood, because the score of the factor is that of the
shift; other equations are refused. The likelihood reported is that of the response itself, whose
Jacobian is :math:`-\sum \ln y`, so it compares with that of normal residuals (Furnival 1961).
*When.* Spread in proportion to size over orders of magnitude, with a long tail to heavy trees.

**Student's t** (``variance="t"``). The vector :math:`u_i` of what was measured of a tree is multivariate t with :math:`\nu` degrees
of freedom and scatter :math:`\Sigma` (Lange, Little & Taylor 1989), with ``wls`` each of its elements by itself. Score and
information are those of normal residuals but for the weight :math:`(\nu + q) / (\nu + \delta_i)` of a tree with :math:`q`
components at the squared distance :math:`\delta_i` (:class:`Tail`), so a gross error counts for nothing. The profile over
:math:`\nu` is searched by Brent's method. The distribution is symmetric: of skewed residuals it tells the middle, which lies below
their mean (by 1 to 5 % for coefficients of variation of 15 to 35 %), and ``lognormal`` or ``gamma`` on mended data are the remedy.

Source
------
Lange K.L., Little R.J.A., Taylor J.M.G. (1989) Robust statistical modeling using the t distribution. J. American
Statistical Association 84:881-896 (information: appendix B). Kent J.T., Tyler D.E., Vardi Y. (1994) A curious likelihood
identity for the multivariate t-distribution. Communications in Statistics - Simulation 23:441-453 (scatter).
Baskerville G.L. (1972) Use of logarithmic regression in the estimation of plant biomass.
Can. J. For. Res. 2:49-53. Furnival G.M. (1961) An index for comparing equations used in
constructing volume tables. Forest Science 7:337-341.
Bell R.M., McCaffrey D.F. (2002) Bias reduction in standard errors for linear regression with
multi-stage samples. Survey Methodology 28:169-181.
Pustejovsky J.E., Tipton E. (2018) Small-sample methods for cluster-robust variance estimation and hypothesis testing
in fixed effects models. J. Business & Economic Statistics 36:672-683.
White H. (1982) Maximum likelihood estimation of misspecified models. Econometrica 50:1-25.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from sinklab.fitting.data import FEWEST, Combined
from sinklab.language import DataError, EquationError, listing, tr

LOG_2PI = float(np.log(2 * np.pi))
#: A residual this small against its observation is rounding, not spread.
EXACT = 1e-9
#: Residuals from here on are no numbers to square.
HUGE = 1e150
#: Share of a residual's size that the others must leave to it.
NEARLY_SINGULAR = 1e-6


@dataclass(frozen=True)
class Pattern:
    """Trees that have the same components: their rows, the components, all pairs of these."""

    rows: np.ndarray
    seen: np.ndarray


def find_patterns(observed) -> list[Pattern]:
    """Group the rows of a mask (n, m) by what they observed; rows without anything are left out."""
    patterns = []
    for mask in np.unique(observed, axis=0):
        if mask.any():
            rows = np.flatnonzero((observed == mask).all(axis=1))
            patterns.append(Pattern(rows, np.flatnonzero(mask)))
    return patterns


@dataclass(frozen=True)
class State:
    """Everything known at one point of the search."""

    theta: np.ndarray
    loglik: float
    mean: np.ndarray
    jacobian: np.ndarray
    log_g: np.ndarray
    u: np.ndarray
    sigma: np.ndarray
    tails: np.ndarray

    @property
    def scaled_slope(self) -> np.ndarray:
        """Derivatives of the means over g, (n, m, k)."""
        return self.jacobian * np.exp(-self.log_g)[:, :, None]


@dataclass(frozen=True)
class Tail:
    """What distinguishes the density of ``q`` residuals from the normal one: their degrees of freedom, infinite for none.

    ``mean`` and ``spread`` are what is left of the information of normal residuals about means and about scatter, ``trace`` the
    share of the squared traces that is taken from the latter.
    """

    degrees: float
    q: int

    @property
    def mean(self) -> float:
        """Part of the information about means, and about scatter before :attr:`trace`."""
        return 1.0 if self.degrees == np.inf else (self.degrees + self.q) / (self.degrees + self.q + 2)

    @property
    def trace(self) -> float:
        """Weight of the square of half the trace of a change of scatter."""
        return 0.0 if self.degrees == np.inf else 2 / (self.degrees + self.q + 2)

    def weight(self, distance):
        """Weight (n, 1) of trees at squared distances (n,)."""
        if self.degrees == np.inf:
            return 1.0
        return ((self.degrees + self.q) / (self.degrees + distance))[:, None]

    def log_density(self, distance) -> np.ndarray:
        """Logarithm of the density of standardised residuals at squared distances (n,)."""
        nu, q = self.degrees, self.q
        if nu == np.inf:
            return -0.5 * (distance + q * LOG_2PI)
        constant = gammaln((nu + q) / 2) - gammaln(nu / 2) - 0.5 * q * np.log(np.pi * nu)
        return constant - 0.5 * (nu + q) * np.log1p(distance / nu)


class Scale:
    """The variance functions of a system on its trees, with their derivatives.

    A function of a predictor is measured about the middle tree, so that exponent and sigma are nearly independent;
    :meth:`natural_sigma` undoes it. After the exponents of all equations stand the logarithms of the ratios of the groups
    that have a sigma of their own, the first group of an equation left out.

    Parameters
    ----------
    functions : dict
        A variance function for each free response.
    frame : DataFrame
        Predictors, responses and groups.

    Raises
    ------
    DataError
        Groups without a name or with too few trees, all at once.
    """

    def __init__(self, functions, frame):
        self.functions = list(functions.values())
        self.base, self.about = [None] * len(self.functions), [None] * len(self.functions)
        for j, f in enumerate(self.functions):
            if not f.even and not f.by_mean:
                self.base[j] = f.base(frame[f.by].to_numpy(float))
                self.about[j] = self.base[j].mean()
        self.levels, self.owner, members = {}, [], []
        for j, (response, f) in enumerate(functions.items()):
            if f.ident:
                _check_groups(frame, f.ident, response)
                names = frame[f.ident].astype(str).to_numpy()
                self.levels[j] = list(np.unique(names[frame[response].notna()]))
                self.owner += [j] * (len(self.levels[j]) - 1)
                members += [names == level for level in self.levels[j][1:]]
        #: Which trees are of each group that has a ratio, (n, r).
        self.members = np.array(members, float).reshape(len(members), len(frame)).T
        self.free = np.array([f.estimated for f in self.functions] + [True] * len(members))
        self.start = np.array([f.start for f in self.functions] + [0.0] * len(members))

    def ratios(self, j, exponents, counts_of=None) -> dict[str, float]:
        """Factor of sigma in each group of an equation, and of all its trees together under ""; empty without groups."""
        if j not in self.levels:
            return {}
        m, mine = len(self.functions), [i for i, owner in enumerate(self.owner) if owner == j]
        found = dict(zip(self.levels[j], [1.0, *np.exp(exponents[m:][mine])], strict=True))
        each = np.exp(self.members[:, mine] @ exponents[m:][mine])
        return found | {"": float(np.sqrt(np.mean(each[counts_of] ** 2)))}

    def searched(self, residual) -> np.ndarray:
        """Free exponents and logarithms of ratios of a fit, from its residual models by response."""
        models = list(residual.values())
        ratios = [np.log(models[j].ratios[level]) for j, some in self.levels.items() for level in some[1:]]
        return np.concatenate([[m.exponent for m in models], ratios])[self.free]

    def hold(self, mean, gamma=False) -> None:
        """Treat the present means as known where a variance follows the prediction, or only that of a gamma distribution."""
        for j, f in enumerate(self.functions):
            if f.by_mean and (f.kind == "gamma" or not gamma):
                self.base[j] = f.base(mean[:, j])

    def _terms(self, exponents, mean):
        """Number, function, exponent and base of each equation whose spread depends on something."""
        for j, f in enumerate(self.functions):
            if not f.even:
                yield j, f, exponents[j], f.base(mean[:, j]) if self.base[j] is None else self.base[j]

    def log_g(self, exponents, mean):
        """Logarithm of g. Arrays (n, m)."""
        out = np.zeros_like(mean)
        for j, f, exponent, base in self._terms(exponents, mean):
            out[:, j] = f.log_g(exponent, base, self.about[j])
        for i, j in enumerate(self.owner):
            out[:, j] += self.members[:, i] * exponents[len(self.functions) + i]
        return out

    def by_exponent(self, exponents, mean):
        """Derivative of ln g by the exponents and ratios, (n, m, e)."""
        out = np.zeros((*mean.shape, len(self.free)))
        for j, f, exponent, base in self._terms(exponents, mean):
            out[:, j, j] = f.by_exponent(exponent, base, self.about[j])
        for i, j in enumerate(self.owner):
            out[:, j, len(self.functions) + i] = self.members[:, i]
        return out

    def by_coefficient(self, exponents, mean, jacobian):
        """Derivative of ln g by the coefficients, (n, m, k); None where none follows the prediction."""
        following = [j for j, f in enumerate(self.functions) if f.by_mean and self.base[j] is None]
        if not following:
            return None
        out = np.zeros_like(jacobian)
        for j in following:
            slope = self.functions[j].by_variable(exponents[j], mean[:, j])
            out[:, j] = slope[:, None] * jacobian[:, j]
        return out

    def pulled_back(self, exponents, mean, by_log_g):
        """Derivatives by ln g (n, m) carried to the means (n, m) and to the exponents and ratios (e,)."""
        by_mean, by_exponent = np.zeros_like(mean), np.zeros(len(self.free))
        for i, j in enumerate(self.owner):
            by_exponent[len(self.functions) + i] = by_log_g[:, j] @ self.members[:, i]
        for j, f in enumerate(self.functions):
            if f.even:
                continue
            weight, base = by_log_g[:, j], self.base[j]
            if base is None:
                # Where nothing was measured a mean need not have a logarithm.
                x = np.where(weight != 0, mean[:, j], 1.0)
                by_mean[:, j] = weight * f.by_variable(exponents[j], x)
                base = f.base(x)
            by_exponent[j] = weight @ f.by_exponent(exponents[j], base, self.about[j])
        return by_mean, by_exponent

    def natural_sigma(self, sigma, exponents):
        """Sigma for predictors in their own unit instead of about their middle."""
        shift = [
            0.0 if about is None else f.log_g(exponent, about)
            for f, exponent, about in zip(self.functions, exponents, self.about, strict=False)
        ]
        return sigma * np.exp(-np.array(shift))


def _check_groups(frame, column, response) -> None:
    blank = [str(i + 1) for i in frame.index[frame[column].isna() & frame[response].notna()]]
    counts = frame.loc[frame[response].notna(), column].astype(str).value_counts().sort_index()
    few = [f"{level} ({n})" for level, n in counts.items() if n < FEWEST]
    problems = []
    if blank:
        shown = ", ".join(blank[:20])
        problems.append(tr(f"no group in records {shown}", f"记录 {shown} 没有分组"))
    if few:
        shown = ", ".join(few)
        problems.append(tr(f"groups of fewer than {FEWEST} trees: {shown}", f"少于 {FEWEST} 株的组：{shown}"))
    if problems:
        raise DataError(
            f"{response}, ident:{column}: {listing(problems)}; join groups or take another column",
            f"{response}，ident:{column}：{listing(problems)}；请合并分组或改用其他列",
        )


class SystemLikelihood:
    """Likelihood of coefficients, variance exponents and residual covariance.

    Parameters
    ----------
    y : array, shape (n, m)
        Observations of the free responses; NaN where a tree lacks the component.
    evaluate : callable
        ``evaluate(beta) -> mean (n, m), jacobian (n, m, k)``.
    scale : Scale
        Variance functions on these trees.
    correlated : bool
        Estimate the residual correlation between equations, or hold it at zero.
    combined : sequence of Combined
        Trees of which combinations of components were weighed.
    tails : array, shape (m,), optional
        Degrees of freedom of Student's t in each equation, infinite for normal residuals; of correlated ones all alike. They
        are those of states made from here on.
    """

    def __init__(self, y, evaluate, scale, correlated: bool, combined=(), tails=None):
        self.y, self.evaluate, self.scale, self.combined = y, evaluate, scale, tuple(combined)
        self.correlated = correlated and y.shape[1] > 1
        self.tails = np.full(y.shape[1], np.inf) if tails is None else np.array(tails, float)
        self.observed = np.isfinite(y)
        apart = np.concatenate([c.rows for c in self.combined]) if self.combined else np.array([], int)
        whole = self.observed.copy()
        whole[apart] = False
        self.patterns = find_patterns(whole)
        if not self.correlated and np.isfinite(self.tails).any():
            # Student's t of several independent residuals is not that of their vector.
            columns = [(j, np.flatnonzero(whole[:, j])) for j in range(y.shape[1])]
            self.patterns = [Pattern(rows, np.array([j])) for j, rows in columns]
        # Masks of the components that were weighed by themselves and enter so.
        self.entered = whole
        self.n_equation = y.shape[1]
        self.complete = bool(self.observed.all())
        self.pairs = [
            (s, t) for s in range(y.shape[1]) for t in range(s, y.shape[1]) if s == t or self.correlated
        ]

    def independent(self) -> "SystemLikelihood":
        """The same without correlation."""
        return SystemLikelihood(self.y, self.evaluate, self.scale, False, tails=self.tails)

    def split(self, theta):
        """Coefficients and the full vector of exponents from the search vector."""
        k = len(theta) - int(self.scale.free.sum())
        exponents = self.scale.start.copy()
        exponents[self.scale.free] = theta[k:]
        return theta[:k], exponents

    def state(self, theta, sigma=None, tails=None) -> State | None:
        """Evaluate at ``theta``; None where the model is not defined there.

        Without ``sigma`` the residual covariance is the most likely one, from complete trees or
        without correlation.
        """
        beta, exponents = self.split(theta)
        tails = self.tails if tails is None else tails
        used = self.observed
        with np.errstate(all="ignore"):
            mean, jacobian = self.evaluate(beta)
            log_g = self.scale.log_g(exponents, mean)
            shrunk = np.exp(-log_g)
            u = np.where(used, (self.y - mean) * shrunk, 0.0)
        if not (
            (np.abs(u) < HUGE).all() and np.isfinite(mean[used]).all() and np.isfinite(log_g[used]).all()
        ):
            return None
        if not np.isfinite(jacobian).all() and not np.isfinite(jacobian[used]).all():
            return None
        if sigma is None:
            count = used.sum(axis=0)
            floor = (np.where(used, EXACT * self.y * shrunk, 0.0) ** 2).sum(axis=0) / count
            profile = self.correlated and self.complete
            sigma = (u.T @ u / len(u)) if profile else np.diag((u**2).sum(axis=0) / count)
            sigma = sigma + np.diag(floor)
            if np.isfinite(tails).any():
                sigma = _scatter(u, used, sigma, floor, tails, profile)
        loglik = self._loglik(u, log_g, sigma, tails)
        loglik += sum(_combined_loglik(c, mean, log_g, sigma) for c in self.combined)
        return State(theta, loglik, mean, jacobian, log_g, u, sigma, tails) if np.isfinite(loglik) else None

    def _loglik(self, u, log_g, sigma, tails) -> float:
        total = -log_g[self.entered].sum()
        for p in self.patterns:
            block = sigma[np.ix_(p.seen, p.seen)]
            try:
                half = np.linalg.cholesky(block)
            except np.linalg.LinAlgError:
                return -np.inf
            if (np.diag(half) < NEARLY_SINGULAR * np.sqrt(np.diag(block))).any():
                return -np.inf
            white = np.linalg.solve(half, u[np.ix_(p.rows, p.seen)].T)
            density = Tail(tails[p.seen[0]], len(p.seen)).log_density((white**2).sum(axis=0))
            total += density.sum() - len(p.rows) * np.log(np.diag(half)).sum()
        return float(total)

    def score_and_information(self, state: State):
        """Gradient and expected information of the profile likelihood at a state."""
        scores, nuisance, information, cross, inner = self.blocks(state)
        gain = cross @ np.linalg.pinv(inner, hermitian=True)
        return scores.sum(axis=0) - gain @ nuisance.sum(axis=0), information - gain @ cross.T

    def joint_score_and_information(self, state: State):
        """Gradient and expected information by all parameters; covariance as in :meth:`displaced`."""
        scores, nuisance, information, cross, inner = self.blocks(state)
        turn = self._turn(state.sigma)
        score = np.concatenate([scores.sum(axis=0), turn.T @ nuisance.sum(axis=0)])
        return score, np.block([[information, cross @ turn], [turn.T @ cross.T, turn.T @ inner @ turn]])

    def blocks(self, state):
        """Scores and information by block.

        Returns
        -------
        scores, nuisance : array, shapes (n, w), (n, n_pair)
            Of every tree, by coefficients and exponents, and by the elements of the covariance.
        information, cross, inner : array, shapes (w, w), (w, n_pair), (n_pair, n_pair)
        """
        slope, spread = self.derivatives(state)
        n, _, width = spread.shape
        k = slope.shape[2]
        keep = np.concatenate([np.ones(k, bool), self.scale.free])
        scores, nuisance = np.zeros((n, width)), np.zeros((n, len(self.pairs)))
        information = np.zeros((width, width))
        cross, inner = np.zeros((width, len(self.pairs))), np.zeros((len(self.pairs), len(self.pairs)))
        for p in self.patterns:
            block = state.sigma[np.ix_(p.seen, p.seen)]
            precision = np.linalg.inv(block)
            a, c = slope[np.ix_(p.rows, p.seen)], spread[np.ix_(p.rows, p.seen)]
            u, tail = state.u[np.ix_(p.rows, p.seen)], Tail(state.tails[p.seen[0]], len(p.seen))
            w = u @ precision
            weight = tail.weight((w * u).sum(axis=1))
            scores[p.rows, :k] += np.einsum("nq,nqk->nk", weight * w, a)
            scores[p.rows] += np.einsum("nq,nqk->nk", weight * w * u - 1, c)
            information[:k, :k] += tail.mean * weighted_square(a, precision)
            information += tail.mean * weighted_square(c, np.eye(len(p.seen)) + precision * block)
            terms, whole = PairTerms.of(self.pairs, p, precision), c.sum(axis=1)
            cross[:, terms.columns] += tail.mean * terms.with_spread(c.sum(axis=0)).T
            if tail.trace:
                information -= tail.trace * whole.T @ whole
                cross[:, terms.columns] -= tail.trace * np.outer(whole.sum(axis=0), terms.own)
            nuisance[np.ix_(p.rows, terms.columns)] = terms.score(w, weight)
            inner[np.ix_(terms.columns, terms.columns)] += len(p.rows) * terms.of_tail(tail)
        for part in self.combined:
            score, own = Terms.at(part, state, state.sigma).by_tree(spread[part.rows], self.pairs)
            scores[part.rows], nuisance[part.rows] = score[:, :width], score[:, width:]
            own = own.sum(axis=0)
            information += own[:width, :width]
            cross += own[:width, width:]
            inner += own[width:, width:]
        return scores[:, keep], nuisance, information[np.ix_(keep, keep)], cross[keep], inner

    def displaced(self, origin: State, move) -> State | None:
        """State at a distance from another: ``move`` holds theta, then the factor of the covariance.

        The covariance is :math:`L T T^T L^T` with the Cholesky factor :math:`L` at the origin and a
        triangle :math:`T` whose diagonal is the exponential of its entries, so it stays positive.
        """
        width = len(origin.theta)
        with np.errstate(over="ignore"):
            factor = np.linalg.cholesky(origin.sigma) @ self._triangle(move[width:])
        sigma = factor @ factor.T
        if not np.isfinite(sigma).all():
            return None
        return self.state(origin.theta + move[:width], sigma, origin.tails)

    def joint_score(self, origin: State, state: State, move) -> np.ndarray:
        """Gradient by all parameters at a displaced state."""
        by_mean, by_log_g = np.zeros_like(state.u), np.zeros_like(state.u)
        by_sigma = np.zeros_like(state.sigma)
        for p in self.patterns:
            precision = np.linalg.inv(state.sigma[np.ix_(p.seen, p.seen)])
            here = np.ix_(p.rows, p.seen)
            w = state.u[here] @ precision
            weight = Tail(state.tails[p.seen[0]], len(p.seen)).weight((w * state.u[here]).sum(axis=1))
            by_mean[here], by_log_g[here] = weight * w, weight * w * state.u[here] - 1
            by_sigma[np.ix_(p.seen, p.seen)] += 0.5 * ((weight * w).T @ w - len(p.rows) * precision)
        score = self._pulled_back(state, by_mean, by_log_g)
        if self.combined:
            _, spread = self.derivatives(state)
        for part in self.combined:
            told, by_covariance = Terms.at(part, state, state.sigma).gradient(spread[part.rows])
            score += told
            by_sigma += by_covariance
        keep = np.concatenate([np.ones(len(score) - len(self.scale.free), bool), self.scale.free])
        root = np.linalg.cholesky(origin.sigma)
        triangle = self._triangle(move[len(origin.theta) :])
        by_triangle = 2 * root.T @ by_sigma @ root @ triangle
        slopes = [by_triangle[t, s] * (triangle[s, s] if s == t else 1.0) for s, t in self.pairs]
        return np.concatenate([score[keep], slopes])

    def _pulled_back(self, state, by_mean, by_log_g) -> np.ndarray:
        """Derivatives by scaled means and by ln g (n, m), nought where nothing was measured, carried to the parameters."""
        _, exponents = self.split(state.theta)
        ratio, by_exponent = self.scale.pulled_back(exponents, state.mean, by_log_g)
        weight = np.where(self.observed, by_mean * np.exp(-state.log_g) + ratio, 0.0)
        jacobian = state.jacobian
        if not np.isfinite(jacobian).all():
            # Only where nothing was measured: a state is finite elsewhere.
            jacobian = np.where(self.observed[:, :, None], jacobian, 0.0)
        return np.concatenate([weight.ravel() @ jacobian.reshape(-1, jacobian.shape[2]), by_exponent])

    def _triangle(self, entries) -> np.ndarray:
        triangle = np.zeros((self.n_equation, self.n_equation))
        for value, (s, t) in zip(entries, self.pairs, strict=True):
            triangle[t, s] = np.exp(value) if s == t else value
        return triangle

    def _turn(self, sigma) -> np.ndarray:
        """Derivative of the elements of the covariance by the entries of the triangle, at its origin."""
        root = np.linalg.cholesky(sigma)
        columns = []
        for s, t in self.pairs:
            change = np.outer(root[:, t], root[:, s])
            change = change + change.T
            columns.append([change[a, b] for a, b in self.pairs])
        return np.array(columns).T

    def derivatives(self, state):
        """Derivatives of the scaled means (n, m, k), and of ln g by all parameters (n, m, k + m)."""
        beta, exponents = self.split(state.theta)
        by_beta = self.scale.by_coefficient(exponents, state.mean, state.jacobian)
        by_beta = np.zeros((*state.mean.shape, len(beta))) if by_beta is None else by_beta
        by_exponent = self.scale.by_exponent(exponents, state.mean)
        return state.scaled_slope, np.concatenate([by_beta, by_exponent], axis=2)


#: Rounds and relative change at which the scatter of Student's t is found.
SCATTER_ROUNDS, SCATTER_STILL = 200, 1e-10


def _scatter(u, used, sigma, floor, tails, profile) -> np.ndarray:
    """Most likely scatter (m, m) for residuals (n, m), from a covariance: that of complete trees, or of each equation apart."""
    parts = (
        [np.arange(len(sigma))] if profile else [np.array([j]) for j in np.flatnonzero(np.isfinite(tails))]
    )
    for seen in parts:
        rows = used[:, seen].all(axis=1)
        own, tail = u[np.ix_(rows, seen)], Tail(tails[seen[0]], len(seen))
        here, least = np.ix_(seen, seen), np.diag(floor[seen])
        # Gross errors say nothing of the size of the others: it is begun from the middle.
        middle = np.median(np.abs(own), axis=0) / 0.6745
        found = sigma[here] * np.outer(*2 * [np.minimum(middle / np.sqrt(np.diag(sigma[here])), 1.0)]) + least
        for _ in range(SCATTER_ROUNDS):
            if not np.isfinite(found).all():
                break
            spread = own / found[0, 0] if len(seen) == 1 else own @ np.linalg.pinv(found)
            weight = tail.weight((spread * own).sum(axis=1))
            renewed = (weight * own).T @ own / weight.sum() + least
            change, found = np.abs(renewed - found).max() / np.abs(renewed).max(), renewed
            if change < SCATTER_STILL:
                break
        sigma[here] = found
    return sigma


def weighted_square(a, weight) -> np.ndarray:
    """Sum over trees of ``a' W a`` for a (n, q, k) and W (q, q)."""
    n, q, k = a.shape
    by_equation = np.ascontiguousarray(a.transpose(1, 0, 2))
    weighted = weight @ by_equation.reshape(q, n * k)
    return by_equation.reshape(q * n, k).T @ weighted.reshape(q * n, k)


@dataclass(frozen=True)
class PairTerms:
    """What a pattern tells of the elements of the residual covariance that it observed.

    ``columns`` are the numbers of these elements among all pairs, ``first`` and ``second`` the places of both
    components among those seen, ``half`` 0.5 on the diagonal, ``own`` the weighted precision of each element and
    ``information`` the one that a tree carries about them.
    """

    columns: np.ndarray
    first: np.ndarray
    second: np.ndarray
    half: np.ndarray
    own: np.ndarray
    information: np.ndarray

    @classmethod
    def of(cls, pairs, pattern, precision) -> "PairTerms":
        """Terms of a pattern whose residuals have a precision matrix."""
        place = {int(j): i for i, j in enumerate(pattern.seen)}
        found = [(c, place[s], place[t]) for c, (s, t) in enumerate(pairs) if s in place and t in place]
        columns, first, second = np.array(found, dtype=int).reshape(-1, 3).T
        half = np.where(first == second, 0.5, 1.0)
        # Half the trace of P E_a P E_b for the unit matrices E of two elements a = (i, j) and b = (k, l).
        i, j, k, m = first[:, None], second[:, None], first[None, :], second[None, :]
        shared = precision[i, k] * precision[j, m] + precision[i, m] * precision[j, k]
        own = half * precision[first, second]
        return cls(columns, first, second, half, own, np.outer(half, half) * shared)

    def with_spread(self, spread):
        """Information with the parameters whose derivatives of ln g are ``spread`` (…, q, p): (…, pairs, p)."""
        return self.own[:, None] * (spread[..., self.first, :] + spread[..., self.second, :])

    def of_tail(self, tail):
        """Information that a tree carries about the elements, with the tail of its residuals."""
        return tail.mean * self.information - tail.trace * np.outer(self.own, self.own)

    def score(self, w, weight=1.0):
        """Score of the elements for each tree, from its residuals times the precision and its weight."""
        return self.half * weight * w[:, self.first] * w[:, self.second] - self.own


# Trees of which combinations of components were weighed.


def _combined_loglik(part: Combined, mean, log_g, sigma) -> float:
    """Log-likelihood of the trees of a pattern; minus infinity where it does not exist."""
    half = part.combine * np.exp(log_g[part.rows])[:, None, :]
    try:
        root = np.linalg.cholesky(half @ sigma @ half.transpose(0, 2, 1))
    except np.linalg.LinAlgError:
        return -np.inf
    residual = part.values - mean[part.rows] @ part.combine.T
    white = np.linalg.solve(root, residual[:, :, None])
    log_root = np.log(np.diagonal(root, axis1=1, axis2=2)).sum()
    return float(-0.5 * (white**2).sum() - log_root - 0.5 * residual.size * LOG_2PI)


@dataclass(frozen=True)
class Terms:
    """What trees of which combinations of components were weighed say at a state, worked out once.

    The variance of a combination differs from tree to tree, so these trees have no common precision matrix;
    everything is worked out tree by tree, in one batch for each pattern of what was weighed.

    ``half`` (n, q, m) turns scaled residuals into combinations, ``weight`` (n, q, q) is the inverse of
    their variance, ``w`` (n, q) the weighted residuals, ``slope`` (n, q, k) the derivative of the means.
    """

    half: np.ndarray
    weight: np.ndarray
    w: np.ndarray
    slope: np.ndarray
    sigma: np.ndarray

    @classmethod
    def at(cls, part: Combined, state, sigma) -> "Terms":
        """Terms at a state of the search, for a residual covariance."""
        half = part.combine * np.exp(state.log_g[part.rows])[:, None, :]
        weight = np.linalg.inv(half @ sigma @ half.transpose(0, 2, 1))
        residual = part.values - state.mean[part.rows] @ part.combine.T
        w = np.einsum("nqr,nr->nq", weight, residual)
        return cls(half, weight, w, part.combine @ state.jacobian[part.rows], sigma)

    def mean_information(self) -> np.ndarray:
        """Information about the coefficients carried by the means of each tree, (n, k, k)."""
        return self.slope.transpose(0, 2, 1) @ self.weight @ self.slope

    def gradient(self, spread):
        """Gradient by coefficients and exponents, and by the full residual covariance, summed over trees.

        ``spread`` (n, m, p) holds the derivatives of ln g.
        """
        a = np.einsum("nqm,nq->nm", self.half, self.w)
        own = (self.weight @ self.half * (self.half @ self.sigma)).sum(axis=1)
        score = np.einsum("nm,nmp->p", a * (a @ self.sigma) - own, spread)
        score[: self.slope.shape[2]] += np.einsum("nq,nqk->k", self.w, self.slope)
        by_sigma = a.T @ a - (self.half.transpose(0, 2, 1) @ self.weight @ self.half).sum(axis=0)
        return score, 0.5 * by_sigma

    def by_tree(self, spread, pairs):
        """Score (n, p) and expected information (n, p, p) by all parameters, of each tree."""
        moved = np.einsum("nqm,nmp,nrm->npqr", self.half, spread, self.half @ self.sigma, optimize=True)
        changes = [moved + moved.transpose(0, 1, 3, 2)]
        for s, t in pairs:
            change = self.half[:, :, s, None] * self.half[:, None, :, t]
            changes.append((change if s == t else change + change.transpose(0, 2, 1))[:, None])
        change = np.concatenate(changes, axis=1)
        weighted = self.weight[:, None] @ change
        score = 0.5 * np.einsum("nq,npqr,nr->np", self.w, change, self.w, optimize=True)
        score -= 0.5 * np.einsum("npqq->np", weighted)
        information = 0.5 * np.einsum("npqr,nlrq->npl", weighted, weighted, optimize=True)
        k = self.slope.shape[2]
        score[:, :k] += np.einsum("nq,nqk->nk", self.w, self.slope)
        information[:, :k, :k] += self.mean_information()
        return score, information


# Second moments at a state, and the covariance of the estimates.


def mean_information(likelihood: SystemLikelihood, state: State, sigma) -> np.ndarray:
    """Information about the coefficients carried by the means, for a given covariance, (k, k)."""
    total = 0.0
    for p in likelihood.patterns:
        precision = np.linalg.inv(sigma[np.ix_(p.seen, p.seen)])
        total = total + weighted_square(state.scaled_slope[np.ix_(p.rows, p.seen)], precision)
    for part in likelihood.combined:
        total = total + Terms.at(part, state, sigma).mean_information().sum(axis=0)
    return total


def pairwise_covariance(likelihood: SystemLikelihood, state: State) -> np.ndarray:
    """Covariance of the scaled residuals from the trees that have both components, (m, m)."""
    together = likelihood.observed.T.astype(float) @ likelihood.observed
    product = state.u.T @ state.u
    return np.divide(product, together, out=np.zeros_like(product), where=together > 0)


def estimating_spread(likelihood: SystemLikelihood, state: State, weights, covariance) -> np.ndarray:
    """Spread of the score of separately fitted equations when their residuals are correlated, (k, k)."""
    slope = state.scaled_slope * weights[None, :, None]
    total = 0.0
    for p in likelihood.patterns:
        total = total + weighted_square(slope[np.ix_(p.rows, p.seen)], covariance[np.ix_(p.seen, p.seen)])
    return total


#: Trees whose information matrices are held in memory at once.
BLOCK = 1000


def sandwich(likelihood, state) -> np.ndarray:
    """Joint covariance of the coefficients, shape (k, k).

    Parameters
    ----------
    likelihood : SystemLikelihood
    state : State
        At the maximum.
    """
    scores, nuisance, information, cross, inner = likelihood.blocks(state)
    joint = np.block([[information, cross], [cross.T, inner]])
    bread = inverse(joint)
    pull = np.concatenate([scores, nuisance], axis=1)
    for rows, own in own_information(likelihood, state, joint.shape[0]):
        left = np.eye(len(bread)) - own @ bread
        pull[rows] = np.linalg.solve(left, pull[rows, :, None])[:, :, 0]
    k = state.jacobian.shape[2]
    return (bread @ (pull.T @ pull) @ bread)[:k, :k]


def freedom_of_sandwich(design) -> float:
    r"""Degrees of freedom of :func:`sandwich` for one equation, from its scaled slopes (n, k).

    Those of the Wishart matrix whose entries vary as much in all as the entries of the estimated covariance do for
    normal residuals (HTZ of Pustejovsky & Tipton 2018): with the residual maker :math:`R` and what each tree adds to
    the estimates, :math:`w_i`, in units in which their covariance is one,
    :math:`k (k + 1) / 2 \sum_{ij} R_{ij}^2 (w_i^T w_j)^2`.
    """
    design = design[:, np.abs(design).any(axis=0)] if len(design) else design
    axes, sizes, _ = np.linalg.svd(design / np.sqrt((design**2).sum(axis=0)), full_matrices=False)
    axes = axes[:, sizes > 1e-8 * sizes[:1].max(initial=0)]
    left = 1 - (axes**2).sum(axis=1)
    # A tree that alone determines a direction has no residual to tell of it.
    each = np.divide(axes, left[:, None], out=np.zeros_like(axes), where=left[:, None] > 1e-8)
    sizes, turned = np.linalg.eigh(each.T @ (left[:, None] * each))
    known = sizes > 1e-8 * sizes.max(initial=0)
    each, k = each @ (turned[:, known] / np.sqrt(sizes[known])), int(known.sum())
    if k == 0:
        return 1.0
    both = np.einsum("np,nq->npq", axes, each).reshape(len(axes), -1)
    own = (each**2).sum(axis=1) ** 2 * (left**2 - (1 - left) ** 2)
    return float(k * (k + 1) / 2 / (((both.T @ both) ** 2).sum() + own.sum()))


def own_information(likelihood, state, width):
    """Yield rows and the information that each of these trees carries (n, width, width)."""
    slope, spread = likelihood.derivatives(state)
    k = slope.shape[2]
    spread = spread[:, :, np.concatenate([np.ones(k, bool), likelihood.scale.free])]
    front = spread.shape[2]
    for p in likelihood.patterns:
        block = state.sigma[np.ix_(p.seen, p.seen)]
        precision = np.linalg.inv(block)
        weight = np.eye(len(p.seen)) + precision * block
        terms, tail = PairTerms.of(likelihood.pairs, p, precision), Tail(state.tails[p.seen[0]], len(p.seen))
        places = front + terms.columns
        for start in range(0, len(p.rows), BLOCK):
            rows = p.rows[start : start + BLOCK]
            a, c = slope[np.ix_(rows, p.seen)], spread[np.ix_(rows, p.seen)]
            own = np.zeros((len(rows), width, width))
            whole = c.sum(axis=1)
            own[:, :front, :front] = tail.mean * np.einsum("nqk,qr,nrl->nkl", c, weight, c, optimize=True)
            own[:, :k, :k] += tail.mean * np.einsum("nqk,qr,nrl->nkl", a, precision, a, optimize=True)
            between = tail.mean * terms.with_spread(c)
            if tail.trace:
                own[:, :front, :front] -= tail.trace * whole[:, :, None] * whole[:, None, :]
                between -= tail.trace * terms.own[:, None] * whole[:, None, :]
            own[:, :front, places] = between.transpose(0, 2, 1)
            own[:, places, :front] = between
            own[:, places[:, None], places[None, :]] = terms.of_tail(tail)
            yield rows, own
    for part in likelihood.combined:
        yield part.rows, Terms.at(part, state, state.sigma).by_tree(spread[part.rows], likelihood.pairs)[1]


def inverse(information) -> np.ndarray:
    """Inverse after scaling to a unit diagonal, symmetric."""
    size = np.sqrt(np.diag(information))
    size = np.where(size > 0, size, 1.0)
    found = np.linalg.pinv(information / np.outer(size, size), hermitian=True, rcond=1e-14)
    return (found + found.T) / 2 / np.outer(size, size)


# Lognormal residuals.
#: Part of a constant that the derivatives of an equation may leave, when it has a factor of its own.
LEFT_OVER = 1e-6


class LogScale:
    """Some columns of a system taken as logarithms, with their shift.

    Parameters
    ----------
    columns : array of bool, shape (m,)
        Equations with lognormal residuals.
    evaluate : callable
        ``evaluate(beta) -> mean (n, m), jacobian (n, m, k)`` on the natural scale.
    """

    def __init__(self, columns, evaluate):
        self.columns, self._evaluate = columns, evaluate
        self.shift = np.zeros(len(columns))

    def __call__(self, beta):
        """Means and Jacobian with the logarithms of the chosen columns."""
        mean, jacobian = self._evaluate(beta)
        mean, jacobian = mean.copy(), jacobian.copy()
        natural = mean[:, self.columns]
        mean[:, self.columns] = np.log(natural) + self.shift[self.columns]
        jacobian[:, self.columns] /= natural[:, :, None]
        return mean, jacobian

    def take(self, y) -> np.ndarray:
        """Observations with the logarithms of the chosen columns."""
        return np.where(self.columns, np.log(np.where(self.columns, y, 1.0)), y)

    def renew(self, sigma) -> float:
        """Set the shift from the residual covariance; returns how far it moved."""
        shift = np.where(self.columns, -0.5 * np.diag(sigma), 0.0)
        moved = float(np.abs(shift - self.shift).max())
        self.shift = shift
        return moved

    def jacobian_term(self, y) -> np.ndarray:
        """Log of the derivative of the logarithm, summed over the trees, for each column (m,)."""
        return -np.where(self.columns, np.nansum(self.take(y), axis=0), 0.0)


def refuse_without_factor(free, columns, own, jacobian, observed) -> None:
    """Stop at equations without a factor of their own.

    Parameters
    ----------
    own : list of array of int
        Places of the coefficients that each equation brings.
    jacobian : array, shape (n, m, k)
        Of the logarithms.
    observed : array of bool, shape (n, m)

    Raises
    ------
    EquationError
    """
    lacking = []
    for j in np.flatnonzero(columns):
        design = jacobian[observed[:, j], j][:, own[j]]
        if design.shape[1] == 0:
            lacking.append(free[j])
            continue
        ones = np.ones(len(design))
        fitted = design @ np.linalg.lstsq(design, ones, rcond=None)[0]
        if np.abs(ones - fitted).max() > LEFT_OVER:
            lacking.append(free[j])
    if lacking:
        names = ", ".join(lacking)
        raise EquationError(
            f"lognormal residuals need equations with a factor of their own, as in a * dbh**b; not so: {names}; "
            "use power:mean for them",
            f"对数正态残差要求方程各有自己的系数因子，如 a * dbh**b；不符合：{names}；请对其使用 power:mean",
        )


def spread_of_shift(likelihood: SystemLikelihood, state: State, sigma, columns) -> np.ndarray:
    r"""Covariance that the estimated shift adds to the coefficients, (k, k).

    The coefficients answer to the shift by :math:`-I^{-1} \sum J^T P`, and the shifts vary as half
    variances of normal residuals do, :math:`\Sigma_{jk}^2 / 2n`.
    """
    slope = state.scaled_slope
    total = np.zeros((slope.shape[2], len(columns)))
    for p in likelihood.patterns:
        precision = np.linalg.inv(sigma[np.ix_(p.seen, p.seen)])
        total[:, p.seen] += np.einsum("nqk,qr->kr", slope[np.ix_(p.rows, p.seen)], precision)
    answer = -np.linalg.solve(mean_information(likelihood, state, sigma), total)
    counts = likelihood.observed.sum(axis=0)
    pairs = np.minimum(counts[:, None], counts[None, :])
    shifts = np.where(np.outer(columns, columns), state.sigma**2 / (2 * np.maximum(pairs, 1)), 0.0)
    return answer @ shifts @ answer.T
