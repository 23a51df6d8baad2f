r"""Put printed values of several studies together: mean, spread between them, a new place.

*Random effects.* Study :math:`i` prints a mean :math:`y_i` with sampling variance :math:`v_i`; the true
values differ between studies with variance :math:`\tau^2` (Paule & Mandel 1982, by statsmodels). The
mean has variance :math:`1 / \sum 1/(v_i + \tau^2)`; a new place has :math:`\tau^2` on top of it, with
Student's t on k - 1 degrees of freedom (Higgins, Thompson & Spiegelhalter 2009).

*What stands behind ±.* A standard deviation is divided by the root of n (by 1 where n is not
printed), a standard error is taken as it is, and a ± of unknown kind is read as a standard error,
because that widens the mean. Nothing printed means no sampling variance beside :math:`\tau^2`.

*Few studies.* Groups of one table share what they know of :math:`\tau`: a group takes the larger of its
own and the common value, so few studies never look more certain than many. Where no group has two
studies, the standard deviation that one prints stands for the spread between places.

Source
------
Higgins J.P.T., Thompson S.G., Spiegelhalter D.J. (2009) A re-evaluation of random-effects
meta-analysis. J. R. Stat. Soc. A 172:137-159. Paule R.C., Mandel J. (1982) Consensus values and
weighting factors. J. Res. Natl. Bur. Stand. 87:377-385.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from sinklab import vocabulary
from sinklab.distributions import from_moments
from sinklab.errors import DataError
from sinklab.language import tr


@dataclass(frozen=True)
class Pooled:
    """Mean with its standard error, spread between studies, and standard deviation for a new place."""

    mean: float
    se: float
    tau: float
    sd: float
    freedom: float
    n_study: int


def sampling_variance(spread, kind, n) -> float:
    """Variance of a printed mean, from what stands behind its ±; see the module."""
    if kind == "none" or not np.isfinite(spread):
        return 0.0
    if kind == "sd":
        return float(spread**2 / (n if np.isfinite(n) and n >= 1 else 1.0))
    if kind == "range":
        # A range of n values is about as wide as the normal's expected range; unknown n is taken as 2.
        return float((spread / 1.128) ** 2)
    return float(spread**2)


def between_studies(means, variances) -> float:
    """Variance between studies, Paule and Mandel's estimate; NaN for fewer than two."""
    from statsmodels.stats.meta_analysis import combine_effects

    means, variances = np.asarray(means, float), np.asarray(variances, float)
    if len(means) < 2:
        return np.nan
    spread = float(np.var(means, ddof=1))
    # Studies without a printed spread get a sampling variance of zero, which the estimator cannot divide by.
    floor = max(1e-6 * spread, 1e-300)
    if (variances <= floor).all():
        return spread
    return float(combine_effects(means, np.maximum(variances, floor), method_re="iterated").tau2)


def pool(means, spreads, kinds, ns, tau_common: float = np.nan, freedom_common: float = 0) -> Pooled:
    """Pool the printed means of one group.

    Parameters
    ----------
    means, spreads, kinds, ns : sequences
        One entry per study; NaN where nothing is printed.
    tau_common, freedom_common : float
        Spread between studies that the other groups of the table know, and its degrees of freedom.

    Returns
    -------
    pooled : Pooled
    """
    means = np.asarray(means, float)
    variances = np.array([sampling_variance(*row) for row in zip(spreads, kinds, ns, strict=True)])
    own = np.sqrt(between_studies(means, variances))
    taus = {own: len(means) - 1, tau_common: freedom_common}
    known = [t for t in taus if np.isfinite(t)]
    tau = max(known) if known else np.nan
    weights = 1 / np.maximum(variances + np.nan_to_num(tau) ** 2, 1e-300)
    if (variances + np.nan_to_num(tau) ** 2 == 0).any():
        weights = np.ones_like(means)
    mean = float(np.average(means, weights=weights))
    has_spread = np.isfinite(tau) or (variances > 0).any()
    se = float(np.sqrt(1 / weights.sum())) if has_spread else np.nan
    if np.isfinite(tau):
        return Pooled(mean, se, tau, float(np.hypot(tau, se)), max(taus[tau], 1), len(means))
    printed = [s for s, k in zip(spreads, kinds, strict=True) if k == "sd" and np.isfinite(s)]
    sd = float(np.hypot(printed[0], se)) if printed else np.nan
    return Pooled(mean, se, np.nan, sd, np.inf, len(means))


def summarise(rows: pd.DataFrame, variable: str, by, level: float = 0.95) -> pd.DataFrame:
    """Pool one variable over groups of printed rows.

    Parameters
    ----------
    rows : DataFrame
        As :func:`sinklab.literature.load` returns them.
    variable : str
        Column of values; ``<variable>_spread`` beside it when spreads are printed.
    by : sequence of str
        Columns that make the groups.
    level : float
        Level of the interval.

    Returns
    -------
    values : DataFrame
        Rows of ``values.csv`` of a table package.

    Raises
    ------
    DataError
        A column is missing, or no row has a value.
    """
    by = list(by)
    missing = [c for c in (variable, *by, "source_id", "spread_kind") if c not in rows]
    if missing:
        found = ", ".join(map(str, rows.columns))
        raise DataError(
            tr(f"no column {', '.join(missing)}; found {found}", f"没有列 {'、'.join(missing)}；现有 {found}")
        )
    rows = rows[rows[variable].notna()]
    if rows.empty:
        raise DataError(tr(f"{variable}: no row has a value", f"{variable}：没有任何取值"))
    groups = {}
    for key, part in rows.groupby(by, sort=True):
        groups[key] = _studies(part, variable)
    tau, freedom = _common(groups.values())
    return pd.DataFrame([_row(key, part, variable, by, tau, freedom, level) for key, part in groups.items()])


def _studies(part, variable) -> pd.DataFrame:
    spread = f"{variable}_spread"
    return pd.DataFrame(
        {
            "mean": part[variable].astype(float),
            "spread": part[spread].astype(float) if spread in part else np.nan,
            "kind": part["spread_kind"] if spread in part else "none",
            "n": part["n"].astype(float) if "n" in part else np.nan,
            "source": part["source_id"],
        }
    )


def _common(groups) -> tuple[float, float]:
    """Spread between studies over all groups, weighted by their degrees of freedom."""
    squares, freedom = 0.0, 0
    for g in groups:
        if len(g) > 1:
            variances = [
                sampling_variance(s, k, n) for s, k, n in zip(g["spread"], g["kind"], g["n"], strict=True)
            ]
            squares += (len(g) - 1) * between_studies(g["mean"], variances)
            freedom += len(g) - 1
    return (float(np.sqrt(squares / freedom)), freedom) if freedom else (np.nan, 0)


def _row(key, part, variable, by, tau, freedom, level) -> dict:
    pooled = pool(part["mean"], part["spread"], part["kind"], part["n"], tau, freedom)
    key = [str(k).removesuffix(".0") for k in key]
    labels = ",".join(key)
    info = vocabulary.variable(variable)
    kinds = sorted(set(part["kind"]))
    borrowed = np.isfinite(tau) and pooled.tau == tau and len(part) < 3
    row = {
        "name": f"{variable}[{labels}]",
        "group": ";".join(f"{column}={k}" for column, k in zip(by, key, strict=True)),
        "variable": variable,
        "unit": info.unit,
        "n_study": len(part),
        "n": int(part["n"].fillna(1).sum()),
        "mean": pooled.mean,
        "sd": pooled.sd,
        "se": pooled.se,
        "tau": pooled.tau,
        "level": level,
        "interval_kind": "distribution",
        "spread_read": ";".join("se" if k == "unknown" else k for k in kinds),
        "sources": ";".join(sorted(set(part["source"]))),
        "note": "spread between studies taken from the other groups" if borrowed else "",
    }
    return row | _predictive(pooled, info, level)


def _predictive(pooled, info, level) -> dict:
    """Distribution for a new place: a family on the support of the variable, as wide as Student's t."""
    empty = {"family": "", "p1": np.nan, "p2": np.nan, "q025": np.nan, "q975": np.nan}
    if not np.isfinite(pooled.sd) or pooled.sd == 0 or pooled.mean <= 0:
        return empty
    upper = 0.5 + level / 2
    widened = pooled.sd * stats.t.ppf(upper, pooled.freedom) / stats.norm.ppf(upper)
    fraction = info.minimum is not None and info.minimum >= 0 and info.maximum <= 1 and info.unit == "1"
    family = "beta" if fraction else "lognormal"
    if fraction and widened**2 >= 0.98 * pooled.mean * (1 - pooled.mean):
        return empty
    found = from_moments(pooled.mean, widened, family)
    low, high = found.quantile([1 - upper, upper])
    return {"family": family, "p1": found.p1, "p2": found.p2, "q025": float(low), "q975": float(high)}
