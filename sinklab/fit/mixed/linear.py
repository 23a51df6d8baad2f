r"""The linear mixed model that the equations become near a point, and its likelihood.

For whitened rows :math:`w = X\beta + Z b_g + e` with :math:`e \sim N(0, I)` everything follows from
sums over groups: with :math:`M_g = \Psi (I + Z_g^T Z_g \Psi)^{-1}` the inverse of the covariance of a
group is :math:`I - Z_g M_g Z_g^T` and its determinant that of :math:`I + Z_g^T Z_g \Psi`.
"""

from dataclasses import dataclass

import numpy as np

LOG_2PI = float(np.log(2 * np.pi))


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
    information = rows.x.T @ rows.x - np.einsum("gqk,gqr,grl->kl", zx, m, zx, optimize=True)
    target = rows.x.T @ rows.w - np.einsum("gqk,gqr,gr->k", zx, m, zw, optimize=True)
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
        half = np.zeros((self.size, self.size))
        half[self.places] = np.where(self.on_diagonal, np.exp(np.clip(vector, -40, 40)), vector)
        return half @ half.T

    def slope(self, vector, by_matrix) -> np.ndarray:
        """Derivative by the vector, from the derivative by the (symmetric) covariance."""
        half = np.zeros((self.size, self.size))
        half[self.places] = np.where(self.on_diagonal, np.exp(np.clip(vector, -40, 40)), vector)
        entries = ((by_matrix + by_matrix.T) @ half)[self.places]
        return np.where(self.on_diagonal, entries * half[self.places], entries)

    def vector(self, matrix) -> np.ndarray:
        """Vector of a positive definite covariance."""
        entries = np.linalg.cholesky(matrix)[self.places]
        return np.where(self.on_diagonal, np.log(np.where(self.on_diagonal, np.abs(entries), 1.0)), entries)
