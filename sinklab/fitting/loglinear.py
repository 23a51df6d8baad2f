r"""Log-linear regression (``ols-log``) with its bias correction recorded.

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
Baskerville G.L. (1972) Use of logarithmic regression in the estimation of plant biomass.
Can. J. For. Res. 2:49-53. Snowdon P. (1991) A ratio estimator for bias correction in logarithmic
regressions. Can. J. For. Res. 21:720-724.
"""

from dataclasses import dataclass

import numpy as np

from sinklab.equations.compile import Layout
from sinklab.fitting.data import refuse_zeros
from sinklab.fitting.system import assembled, freedom_by_parameter
from sinklab.language import EquationError
from sinklab.results.fit_result import Certificate, FitResult
from sinklab.results.variance import ResidualModel

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
