r"""Lognormal residuals in a simultaneous system (``variance="lognormal"``).

*What it assumes.* :math:`\ln y_j = \ln f_j(x; \beta) - \sigma_j^2 / 2 + e_j` with normal, correlated
:math:`e`. The equation is the *mean* of the response, so identities add up as they do on the natural
scale and no correction is needed afterwards; the shift by half the variance is Baskerville's, made
part of the model.

*How.* Maximum likelihood of the logarithms with the shift held, the shift renewed from the residual
variances, until both agree. Where an equation has a factor of its own (the ``a`` of
``a * dbh**b``) this is the maximum of the likelihood, because the score of the factor is that of the
shift; other equations are refused. The likelihood reported is that of the response itself, whose
Jacobian is :math:`-\sum \ln y`, so it compares with that of normal residuals (Furnival 1961).

*When.* Spread in proportion to size over orders of magnitude, with a long tail to heavy trees.

Source
------
Baskerville G.L. (1972) Use of logarithmic regression in the estimation of plant biomass.
Can. J. For. Res. 2:49-53. Furnival G.M. (1961) An index for comparing equations used in
constructing volume tables. Forest Science 7:337-341.
"""

import numpy as np

from sinklab.errors import DataError, EquationError, listing
from sinklab.language import tr

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


def refuse_zeros(free, columns, y, index) -> None:
    """Stop at responses that have no logarithm.

    Raises
    ------
    DataError
        With every record.
    """
    problems = []
    for j in np.flatnonzero(columns):
        for i in np.flatnonzero(y[:, j] == 0):
            problems.append(
                tr(
                    f"record {index[i] + 1}: {free[j]} = 0 has no logarithm; leave it blank or use power:mean",
                    f"第 {index[i] + 1} 条记录：{free[j]} = 0 不能取对数；请留空或用 power:mean",
                )
            )
    if problems:
        raise DataError(listing(problems))


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
            tr(
                f"lognormal residuals need equations with a factor of their own, as in a * dbh**b; not so: {names}; "
                "use power:mean for them",
                f"对数正态残差要求方程各有自己的系数因子，如 a * dbh**b；不符合：{names}；请对其使用 power:mean",
            )
        )


def spread_of_shift(state, precisions, information, columns, counts) -> np.ndarray:
    r"""Covariance that the estimated shift adds to the coefficients, (k, k).

    The coefficients answer to the shift by :math:`-I^{-1} \sum J^T P`, and the shifts vary as half
    variances of normal residuals do, :math:`\Sigma_{jk}^2 / 2n`.
    """
    slope = state.jacobian * np.exp(-state.log_g)[:, :, None]
    total = np.zeros((slope.shape[2], len(columns)))
    for rows, seen, precision in precisions:
        total[:, seen] += np.einsum("nqk,qr->kr", slope[np.ix_(rows, seen)], precision)
    answer = -np.linalg.solve(information, total)
    pairs = np.minimum(*np.broadcast_arrays(counts[:, None], counts[None, :]))
    shifts = np.where(np.outer(columns, columns), state.sigma**2 / (2 * np.maximum(pairs, 1)), 0.0)
    return answer @ shifts @ answer.T
