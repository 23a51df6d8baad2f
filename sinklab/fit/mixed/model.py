"""A mixed system on its trees: means and slopes by row, with the parameters of each tree's group."""

from dataclasses import dataclass

import numpy as np

from sinklab.equations.compile import Compiled
from sinklab.errors import DataError, EquationError
from sinklab.fit.likelihood import find_patterns
from sinklab.fit.variance import Scale
from sinklab.language import tr

#: Groups that a covariance between groups needs at the least.
FEWEST_GROUPS = 4


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
                tr(
                    f"{self.column}: {len(self.levels)} groups; expected at least {needed} for {len(self.random)} "
                    "parameters that vary at random; use nsur, which takes groups as dummy variables",
                    f"{self.column}：{len(self.levels)} 个组；{len(self.random)} 个随机参数至少需要 {needed} 个组；"
                    "请用 nsur（哑变量）",
                )
            )
        self.code = levels.map({level: i for i, level in enumerate(self.levels)}).to_numpy()
        columns = {c: frame[c].to_numpy(float) for c in self.system.predictors}
        self.scale = Scale(functions, columns)
        self.y = frame[self.free].to_numpy(float)
        self.observed = np.isfinite(self.y)
        self.patterns = find_patterns(self.observed)
        compiled = Compiled(self.system.equations, tuple(self.free), self.system.parameters)
        self._evaluator = compiled.at({c: columns[c] for c in compiled.columns}, len(frame))
        group = np.concatenate([np.repeat(self.code[p.rows], len(p.seen)) for p in self.patterns])
        self._order = np.argsort(group, kind="stable")
        self._starts = np.searchsorted(group[self._order], np.arange(len(self.levels)))

    @property
    def n_group(self) -> int:
        """Number of groups."""
        return len(self.levels)

    def evaluate(self, beta, effects):
        """Means (n, m) and slopes (n, m, k) with the effects (G, q) of each tree's group."""
        rows = np.empty(len(beta), dtype=object)
        rows[:] = list(np.asarray(beta, float))
        for place, effect in zip(self.places, effects.T, strict=True):
            rows[place] = beta[place] + effect[self.code]
        compiled = self._evaluator.compiled
        with np.errstate(all="ignore"):
            found = compiled._full_program.run(self._evaluator._full_start, rows)
        m = len(self.free)
        mean = np.empty(self.y.shape)
        for j in range(m):
            mean[:, j] = found[j]
        slope = np.zeros((*self.y.shape, len(beta)))
        for (j, place, _), values in zip(compiled._jacobian_cells, found[m:], strict=True):
            slope[:, j, place] = values
        return mean, slope

    def defined(self, mean) -> bool:
        """Whether the means are finite, and positive where a variance follows them."""
        used = mean[self.observed]
        by_mean = [f.by == "mean" for f in self.scale.functions]
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
        tr(
            "method mixed needs parameters that vary by one column, written a[site]; found "
            + (", ".join(columns) or "none"),
            "方法 mixed 需要按同一列变化的参数，写作 a[site]；现有：" + ("、".join(columns) or "无"),
        )
    )
