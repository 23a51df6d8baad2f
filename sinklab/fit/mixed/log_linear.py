"""Mixed models of logarithms by statsmodels: ``variance="lognormal"``; see :mod:`sinklab.fit.mixed`."""

import warnings as python_warnings

import numpy as np
import pandas as pd

from sinklab.errors import DataError, EquationError, listing
from sinklab.fit.mixed.result import from_log_mixed
from sinklab.language import tr


def fit_log_linear(model, prepared, level, seed):
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
            tr(
                "a mixed model with lognormal residuals is one equation that is a product of powers; use power:mean",
                "对数正态残差的混合模型只能有一个幂函数之积形式的方程；请用 power:mean",
            )
        )
    response, frame = model.free[0], prepared.frame
    y = frame[response].to_numpy(float)
    _refuse_zeros(response, y, frame.index)
    design, offset = form.design(frame)
    places = [list(form.parameters).index(name) for name in model.random]
    turn = _centring(design) if form.coefficient in model.random else np.eye(design.shape[1])
    centred = design @ turn
    groups = np.array(model.levels)[model.code]
    with python_warnings.catch_warnings():
        # What it has to say of convergence is read from the result.
        python_warnings.simplefilter("ignore")
        found = sm.MixedLM(np.log(y) - offset, centred, groups, exog_re=centred[:, places]).fit(
            reml=False, method=["bfgs", "lbfgs", "powell"], maxiter=500
        )
    k = design.shape[1]
    beta = turn @ np.asarray(found.fe_params)
    covariance = turn @ np.asarray(found.cov_params())[:k, :k] @ turn.T
    inner = turn[np.ix_(places, places)]
    psi = inner @ np.asarray(found.cov_re) @ inner.T
    effects = np.array([np.asarray(found.random_effects[level_]) for level_ in model.levels]) @ inner.T
    spread = float(found.scale) + np.einsum("nq,qr,nr->n", design[:, places], psi, design[:, places])
    return from_log_mixed(
        prepared,
        model,
        form,
        beta=beta,
        covariance=covariance * len(y) / max(len(y) - k, 1),
        psi=psi,
        effects=pd.DataFrame(effects, index=pd.Index(model.levels, name=model.column), columns=model.random),
        sigma=float(np.sqrt(found.scale)),
        factor=float(np.exp(spread / 2).mean()),
        loglik=float(found.llf - np.log(y).sum()),
        converged=bool(found.converged),
        level=level,
        seed=seed,
    )


def _centring(design) -> np.ndarray:
    """Matrix that centres the slopes of a design, whose first column is 1, or they are tied to it."""
    turn = np.eye(design.shape[1])
    turn[0, 1:] = -design[:, 1:].mean(axis=0)
    return turn


def _refuse_zeros(response, y, index) -> None:
    problems = [
        tr(
            f"record {index[i] + 1}: {response} = 0 has no logarithm; leave it blank or use power:mean",
            f"第 {index[i] + 1} 条记录：{response} = 0 不能取对数；请留空或用 power:mean",
        )
        for i in np.flatnonzero(y == 0)
    ]
    if problems:
        raise DataError(listing(problems))
