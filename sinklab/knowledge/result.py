"""A pooled equation as a result like any other: it can be predicted, tabled, drafted and propagated."""

import numpy as np
import pandas as pd
from scipy import stats

from sinklab import indices, provenance
from sinklab.equations import System
from sinklab.knowledge import catalogue
from sinklab.knowledge.pool import METHOD
from sinklab.knowledge.pooled import PooledEquation
from sinklab.results import FitResult, ResidualModel


def as_result(pooled: PooledEquation, label: str = "", level: float = 0.95, seed: int = 0) -> FitResult:
    """Turn a pooled equation into a result for a new place.

    The covariance of the coefficients is that of a new place: sampling and spread between places. The
    residual of single trees is lognormal. There are no trees, hence no indices of fit and no likelihood.

    Parameters
    ----------
    pooled : PooledEquation
    label : str
    level : float
        Level of the intervals of the coefficients.
    seed : int
        Of later draws.

    Returns
    -------
    result : FitResult
    """
    response, names = pooled.response, list(pooled.names)
    value = np.array(list(pooled.values().values()))
    scale = np.array([value[0], *np.ones(len(value) - 1)])
    covariance = pooled.log_covariance() * np.outer(scale, scale)
    se = np.sqrt(np.diag(covariance))
    half = stats.t.ppf(0.5 + level / 2, pooled.freedom) * np.sqrt(np.diag(pooled.log_covariance()))
    ends = np.array([np.log(value[0]), *value[1:]])
    lower, upper = ends - half, ends + half
    lower[0], upper[0] = np.exp(lower[0]), np.exp(upper[0])
    empty = indices.evaluate(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]), p=1)
    return FitResult(
        system=System.parse(pooled.equation(), pooled.predictors, responses_required=False),
        method="pooled",
        parameters=pd.DataFrame(
            {"name": names, "group": "", "value": value, "se": se, "lower": lower, "upper": upper}
        ),
        covariance=pd.DataFrame(covariance, names, names),
        residual={response: ResidualModel(response, "lognormal", pooled.residual, freedom=pooled.freedom)},
        correlation=pd.DataFrame([[1.0]], [response], [response]),
        loglik=np.nan,
        n={response: pooled.n_tree},
        ranges=dict(pooled.ranges),
        correction={response: 1.0},
        correction_kind="none",
        index_table=pd.DataFrame(np.nan, [response], list(empty)),
        converged=True,
        certificate={
            "method": METHOD,
            "equations": list(pooled.rows["equation_id"]),
            "texts": list(pooled.rows["text"]),
            "between_places": pooled.between.tolist(),
            "centre": dict(pooled.centre),
            "spread_borrowed": pooled.borrowed,
        },
        warnings=pooled.notes,
        versions=provenance.versions(),
        source=catalogue.source(pooled.rows),
        label=label,
        level=level,
        seed=seed,
    )
