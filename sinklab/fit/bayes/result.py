"""The result of a Bayesian fit: a FitResult with the priors, the other draws and what was borrowed."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sinklab.results import FitResult


@dataclass(frozen=True)
class BayesResult(FitResult):
    """A fit by sampling.

    ``stored_draws`` holds the coefficients; ``other_draws`` residual SDs, exponents, correlations, and mean
    and spread of the groups, row for row with them; ``priors`` has columns ``name, prior, origin``;
    ``posterior`` a row for every quantity with ``mean, sd, lower, upper, rhat, ess_bulk, ess_tail``;
    ``shrinkage`` tells for each pooled value how much of it was borrowed from the other groups.
    """

    other_draws: pd.DataFrame | None = None
    priors: pd.DataFrame | None = None
    posterior: pd.DataFrame | None = None
    shrinkage: pd.DataFrame | None = None
    loo: pd.DataFrame | None = None

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


def shrinkage_table(spec, posterior, informed) -> pd.DataFrame:
    """How far each group's values rest on the other groups.

    ``borrowed`` is the ratio of the posterior variance of the group's own deviation to the variance between
    groups: 0 where a group speaks for itself, 1 where it says nothing and takes the mean of the others.

    Parameters
    ----------
    posterior : dict of array, shape (chain, draw, …)
    informed : list of array, shape (S,)
        Share of the data in the values of each group, from the normal approximation.

    Returns
    -------
    table : DataFrame
        ``column, group, name, n, mean, group_value, borrowed, sampled``; values on the sampled scale
        (the logarithm of a coefficient that multiplies a mean).
    """
    rows = []
    for c, block in enumerate(spec.blocks):
        theta = posterior[f"group_{c}"].reshape(-1, len(block.levels), len(block.parameters))
        mean = posterior[f"mean_{c}"].reshape(-1, 1, len(block.parameters))
        spread = posterior[f"spread_{c}"].reshape(-1, 1, len(block.parameters))
        # Given the spread, var(deviation) / spread² is the share of the prior; averaged over its draws.
        standard = ((theta - mean) / spread).var(axis=0)
        counts = np.bincount(block.rows, minlength=len(block.levels))
        for s, level in enumerate(block.levels):
            for k, name in enumerate(block.parameters):
                rows.append(
                    {
                        "column": block.column,
                        "group": level,
                        "name": name,
                        "n": int(counts[s]),
                        "mean": float(mean[..., k].mean()),
                        "group_value": float(theta[:, s, k].mean()),
                        "borrowed": float(min(standard[s, k], 1.0)),
                        "informed": float(informed[c][s]),
                    }
                )
    return pd.DataFrame(rows)
