r"""Correlation matrices as partial correlations, and normal densities one component after another.

A correlation matrix of d quantities is built from d (d - 1) / 2 partial correlations, each free
between -1 and 1. Under the LKJ distribution of shape :math:`\eta` they are independent, the one of
level k (counted from 0) being :math:`2\,\mathrm{Beta}(\alpha, \alpha) - 1` with
:math:`\alpha = \eta + (d - 2 - k)/2`. Matrices of a few components are written out number by number: the
compiler makes better code of that than of calls to linear algebra.

Source
------
Lewandowski D., Kurowicka D., Joe H. (2009) Generating random correlation matrices based on vines and
extended onion method. Journal of Multivariate Analysis 100:1989-2001.
"""

import numpy as np


def pairs(d: int) -> list[tuple[int, int]]:
    """Pairs (level k, component j), k < j, in the order in which partial correlations are held."""
    return [(k, j) for j in range(1, d) for k in range(j)]


def shapes(d: int, eta: float) -> np.ndarray:
    """Alpha of each pair under LKJ(eta)."""
    return np.array([eta + (d - 2 - k) / 2 for k, _ in pairs(d)])


def from_correlation(correlation) -> np.ndarray:
    """Partial correlations, as inverse hyperbolic tangents, of a correlation matrix (d, d)."""
    lower = np.linalg.cholesky(correlation)
    found = []
    for k, j in pairs(len(correlation)):
        left = np.sqrt(1 - np.sum(lower[j, :k] ** 2))
        found.append(np.arctanh(np.clip(lower[j, k] / left, -0.99, 0.99)))
    return np.array(found)


def cholesky(partial, d: int, sqrt) -> list[list]:
    """Rows of the Cholesky factor from partial correlations (tensors or numbers)."""
    rows, at = [[1.0]], 0
    for _ in range(1, d):
        row, left = [], 1.0
        for _ in range(len(rows)):
            row.append(partial[at] * left)
            left = left * sqrt(1 - partial[at] ** 2)
            at += 1
        rows.append([*row, left])
    return rows


def correlation(rows) -> list[list]:
    """Matrix of which ``rows`` is the Cholesky factor."""
    d = len(rows)
    return [
        [1.0 if i == j else sum(rows[i][k] * rows[j][k] for k in range(min(i, j) + 1)) for j in range(d)]
        for i in range(d)
    ]


class Conditionals:
    """Cholesky rows for any choice of components, each conditional on those before it.

    Parameters
    ----------
    rows : list of list
        Cholesky factor of all components.
    sqrt : callable
    """

    def __init__(self, rows, sqrt):
        self.full, self.sqrt = rows, sqrt
        self._matrix, self._found = None, {}

    def row(self, before: tuple[int, ...], j: int) -> list:
        """Weights of the standardised residuals of ``before``, then the SD that is left to ``j``."""
        if before == tuple(range(j)):
            return self.full[j]
        key = (*before, j)
        if key not in self._found:
            self._matrix = self._matrix or correlation(self.full)
            row, left = [], 1.0
            for a, k in enumerate(before):
                above = self.row(before[:a], k)
                value = self._matrix[j][k] - sum(x * y for x, y in zip(row, above[:-1], strict=True))
                row.append(value / above[-1])
                left = left - row[-1] ** 2
            self._found[key] = [*row, self.sqrt(left)]
        return self._found[key]
