"""Two fits of the same model side by side: a table's own, and one without some of its trees."""

import pandas as pd

from sinklab import plots
from sinklab.review.sensitivity import effect_of

INDICES = ("n", "R2", "SEE", "TRE", "ASE", "MPE", "MPSE")


def parameters(fit, other) -> pd.DataFrame:
    """Estimates of both, indexed by label.

    Returns
    -------
    parameters : DataFrame
        ``value, se, value_refit, se_refit`` and ``shift``, their difference in standard errors of the table.
    """
    columns = ["value", "se"]
    own = fit.parameters.set_axis(fit.labels)[columns]
    both = own.join(other.parameters.set_axis(other.labels)[columns].add_suffix("_refit"))
    return both.assign(shift=(both["value_refit"] - both["value"]) / both["se"])


def indices(fit, other) -> pd.DataFrame:
    """Indices of both, each on its own trees, by response: columns such as ``R2`` and ``R2_refit``."""
    columns = [c for c in INDICES if c in fit.index_table]
    both = fit.index_table[columns].join(other.index_table[columns].add_suffix("_refit"))
    return both[[name for c in columns for name in (c, f"{c}_refit")]]


def effect(fit, other) -> pd.DataFrame:
    """How far predictions move, by response.

    Returns
    -------
    effect : DataFrame
        ``change`` of the sum over the trees of ``fit`` [%], ``largest`` change along its range [standard
        errors of its mean].
    """
    rows = list(effect_of(fit, other))
    return pd.DataFrame(rows, columns=["response", "change", "largest"]).set_index("response")


def curves(fit, other, response: str) -> pd.DataFrame:
    """Lines of a response along the fitted range: main predictor, ``mean, lower, upper``, ``refit``."""
    path = plots.curve_data(fit, fit.data)
    for parameter, column in fit.system.groups.items():
        # Curves of grouped parameters are those of the first group.
        pairs = zip(fit.layout.names, fit.layout.groups, strict=True)
        path[column] = next(group for name, group in pairs if name == parameter)
    x, told = plots.main_predictor(fit), fit.predict(path, fit.level)
    return pd.DataFrame(
        {
            x: path[x],
            "mean": told[response],
            "lower": told[f"{response}_lower"],
            "upper": told[f"{response}_upper"],
            "refit": other.predict(path)[response],
        }
    )
