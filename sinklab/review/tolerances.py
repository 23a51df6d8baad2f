"""How far a recomputed number may lie from the stored one, for every column of a table.

============================ ====================================================================
number                       tolerance
============================ ====================================================================
counts, words                none
estimates, limits            a thousandth of the standard error
standard errors, covariance  a thousandth, on the scale of the standard errors
scale of a variance function a thousandth of it; its exponent and correlations 0.001
variance between groups      a thousandth of it
log-likelihood, AIC, BIC     0.0001 of a unit, 0.001 of a unit
indices                      a ten-thousandth of the index, or of a percentage point
scalar values                a millionth
============================ ====================================================================

A fit that counts as converged can gain no more than :data:`sinklab.fit.certificate.STILL` in its
log-likelihood, which moves no estimate by a thousandth of its standard error. Standard errors and
limits that come from a bootstrap carry its Monte Carlo error on top; all numbers of a posterior agree
within the Monte Carlo error of its effective number of draws.
"""

import math

ESTIMATE = 1e-3
SPREAD = 1e-3
LOGLIK = 1e-4
CRITERION = 1e-3
INDEX = 1e-4
SCALAR = 1e-6
#: Standard errors of Monte Carlo within which two sets of draws agree.
MONTE_CARLO = 5.0
#: Standard error of the 2.5 % quantile of n normal draws, times the root of n, in standard deviations.
QUANTILE = 2.67

_PERCENT = ("TRE", "ASE", "MPE", "MPSE")


def tolerance(
    file: str, column: str, stored: float, se: tuple[float, float], n_draw: int = 0, drawn: bool = False
) -> float:
    """Largest difference at which a recomputed number still agrees.

    Parameters
    ----------
    file, column : str
        Where the number stands.
    stored : float
        The number in the table.
    se : (float, float)
        Standard errors of the coefficients of the row (and column) in ``coefficients`` and
        ``covariance``; ignored for other files.
    n_draw : int
        Number of refits or effective number of draws when the uncertainty comes from such, else 0.
    drawn : bool
        Whether the estimates are means of draws too, as those of a posterior.

    Returns
    -------
    tolerance : float
        In the unit of the number.
    """
    noise = MONTE_CARLO / math.sqrt(n_draw) if n_draw else 0.0
    if drawn and file not in ("ranges", "values"):
        return _drawn(file, column, stored, se, math.sqrt(2) * noise)
    match file, column:
        case "coefficients", "value":
            return ESTIMATE * se[0]
        case "coefficients", "se":
            return (SPREAD + noise) * se[0]
        case "coefficients", "lower" | "upper":
            return (2 * ESTIMATE + QUANTILE * math.sqrt(2) * noise) * se[0]
        case "covariance", _:
            return (2 * SPREAD + 2 * noise) * se[0] * se[1]
        case ("equations", "sigma") | ("random_effects", _):
            return SPREAD * abs(stored)
        case ("equations", "variance_exponent") | ("residual_correlation", _):
            return SPREAD
        case "models", "loglik":
            return LOGLIK
        case "indices", "AIC" | "BIC":
            return CRITERION
        case "indices", _:
            return INDEX * (max(abs(stored), 1.0) if column in _PERCENT else abs(stored))
        case "checks", _:
            return SPREAD * abs(stored) + 1e-6
        case "values", _:
            return SCALAR * abs(stored)
    return 1e-9 * abs(stored)


def _drawn(file, column, stored, se, noise) -> float:
    """Tolerance of a number that was computed from a posterior; ``noise`` is in standard deviations."""
    match file, column:
        case "coefficients", "value" | "se":
            return noise * se[0]
        case "coefficients", _:
            return QUANTILE * noise * se[0]
        case "covariance", _:
            return 2 * noise * se[0] * se[1]
        case ("residual_correlation", _) | ("equations", "variance_exponent"):
            return noise
    return noise * max(abs(stored), 1.0) if file in ("models", "indices", "checks") else noise * abs(stored)
