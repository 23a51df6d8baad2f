"""The result of a Bayesian fit: a FitResult with the priors, the other draws and what was borrowed."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from sinklab.results import FitResult


@dataclass(frozen=True)
class BayesResult(FitResult):
    """A fit by sampling.

    ``stored_draws`` holds the coefficients; ``other_draws`` residual SDs, exponents, correlations, and mean
    and spread of the groups, row for row with them; ``priors`` has columns ``name, prior, origin``;
    ``posterior`` a row for every quantity with ``mean, sd, lower, upper, rhat, ess_bulk, ess_tail``;
    ``shrinkage`` tells for each pooled value how much of it was borrowed from the other groups; ``loo`` has
    Pareto ``k`` for each tree; ``predictive_checks`` places the data among simulated ones, see
    :mod:`.compare_data`. ``positive`` names the coefficients sampled as logarithms, ``centres`` the
    centres of variance functions by response, ``correlated`` the members of each correlation matrix.
    """

    other_draws: pd.DataFrame | None = None
    priors: pd.DataFrame | None = None
    posterior: pd.DataFrame | None = None
    shrinkage: pd.DataFrame | None = None
    loo: pd.DataFrame | None = None
    predictive_checks: pd.DataFrame | None = None
    positive: frozenset = frozenset()
    centres: dict = field(default_factory=dict)
    correlated: dict = field(default_factory=dict)

    @property
    def _interval_kind(self) -> str:
        return "posterior, equal tails"


def parameter_table(layout, values, level) -> pd.DataFrame:
    """Posterior mean, SD and equal-tailed interval of the coefficients, from draws (D, k)."""
    lower, upper = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    return pd.DataFrame(
        {
            "name": layout.names,
            "group": layout.groups,
            "value": values.mean(axis=0),
            "se": values.std(axis=0, ddof=1),
            "lower": lower,
            "upper": upper,
        }
    )


def posterior_table(labels, draws, found, level) -> pd.DataFrame:
    """Summary of every quantity with its diagnostics, from draws (D, k)."""
    lower, upper = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    columns = {"mean": draws.mean(axis=0), "sd": draws.std(axis=0, ddof=1), "lower": lower, "upper": upper}
    return pd.DataFrame(columns | found, index=pd.Index(labels, name="quantity"))


def shrinkage_table(builder, t, groups, priors) -> pd.DataFrame:
    """How far each group's values rest on the other groups, and how they move with the prior.

    ``borrowed`` is the weight of the distribution over the groups in a group's value, the rest being that
    of its own trees: 0 where a group speaks for itself, 1 where it takes what the others say. It is worked
    out on the linear approximation of the equations, and averaged over the draws of that distribution.
    ``narrower`` and ``wider`` are the values if the prior of the spread had half or twice its scale,
    from the same draws by importance weights.

    Parameters
    ----------
    builder : Builder
    t : array, shape (D, P)
        Scalar unknowns.
    groups : list of array, shape (D, K, S)
        Values of the groups on the sampled scale.
    priors : dict of Prior

    Returns
    -------
    table : DataFrame
        ``column, group, name, n, mean, value, borrowed, narrower, wider``; values are logarithms for a
        coefficient that multiplies a mean.
    """
    rows, scalars = [], builder.scalars
    for block, near, theta in zip(builder.spec.blocks, builder.near.groups, groups, strict=True):
        counts = np.bincount(block.rows, minlength=len(block.levels))
        spreads = np.column_stack([scalars.take(t, "spread", p) for p in block.parameters])
        own = [priors[f"spread({p})"] for p in block.parameters]
        weights = [_weights(own, spreads, factor) for factor in (0.5, 2.0)]
        borrowed = _borrowed(block, near, scalars, t, spreads)
        for k, name in enumerate(block.parameters):
            columns = {
                "column": block.column,
                "group": block.levels,
                "name": name,
                "n": counts,
                "mean": t[:, scalars.place("mean", name)].mean(),
                "value": theta[:, k].mean(axis=0),
                "borrowed": borrowed[:, k],
                "narrower": weights[0] @ theta[:, k],
                "wider": weights[1] @ theta[:, k],
            }
            rows.append(pd.DataFrame(columns))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def _weights(priors, spreads, factor) -> np.ndarray:
    """Weights of the draws (D,) under priors of the spreads whose scale is multiplied."""
    log = sum(
        replace(p, scale=p.scale * factor).log_density(s) - p.log_density(s)
        for p, s in zip(priors, spreads.T, strict=True)
    )
    weights = np.exp(log - log.max())
    return weights / weights.sum()


def _borrowed(block, near, scalars, t, spreads, n: int = 200) -> np.ndarray:
    """Weight of the distribution over the groups in each value (S, K), over some of the draws."""
    at = np.linspace(0, len(t) - 1, min(n, len(t))).round().astype(int)
    matrix = np.tile(np.eye(len(block.parameters)), (len(at), 1, 1))
    if block.correlated:
        matrix = scalars.correlation(t[at], f"correlation({block.column})")
    inverse = np.linalg.inv(matrix * spreads[at, :, None] * spreads[at, None, :])
    share = np.linalg.solve(
        near.information[:, None] + inverse, np.broadcast_to(inverse, (len(block.levels), *inverse.shape))
    )
    return np.clip(np.diagonal(share, axis1=2, axis2=3).mean(axis=1), 0.0, 1.0)
