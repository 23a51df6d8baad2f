r"""A quantity measured on cores or quadrats of several sites: mean, spread of sites and units, a new unit.

.. math:: \ln y_{ij} = \mu + s_i + u_{ij}, \quad s \sim N(0, \tau^2), \; u \sim N(0, \sigma^2)

The mean on the natural scale is :math:`\exp(\mu + (\tau^2 + \sigma^2) / 2)`; the interval is that of one unit on a
new site, with Student's t on the sites less one. Groups of fewer than five sites share what they know of the
spread: such a group takes the larger of its own and the common value, so few sites never look more
certain than many.
"""

import numpy as np
import pandas as pd
from scipy import stats

from sinklab import vocabulary
from sinklab.distributions import Distribution
from sinklab.errors import DataError
from sinklab.language import tr
from sinklab.systems.wetland_layers import mixed_line

#: Below so many sites a group borrows spread from the others.
FEW_SITES = 5


def summarise(
    frame, variable: str, site, by=(), level: float = 0.95, kind: str = "", noise=None
) -> pd.DataFrame:
    """Hierarchical summary of measured values, as rows of ``values.csv``.

    Parameters
    ----------
    frame : DataFrame
    variable : str
        Column with positive values, a variable of the vocabulary.
    site : str or sequence of str
        Columns that name a site.
    by : sequence of str
        Columns that make the groups (habitat, grassland type …).
    level : float
    kind : str
        Goes into the name, as ``soc_stock[mangrove,100 cm]``.
    noise : str, optional
        Column with the sd of the logarithm of each value (imputation); taken out of the spread between units.

    Returns
    -------
    values : DataFrame
        With ``n_study`` (sites), ``n`` (units), ``tau`` (sd between sites, natural scale at the mean).

    Raises
    ------
    DataError
        Values that are not positive, or a group with fewer than two units.
    """
    sites = [site] if isinstance(site, str) else list(site)
    used = frame[frame[variable].notna()]
    if (used[variable] <= 0).any():
        raise DataError(
            tr(
                f"{variable}: {int((used[variable] <= 0).sum())} values are not positive; set them aside with a reason",
                f"{variable}：{int((used[variable] <= 0).sum())} 个值不为正；请说明原因后剔除",
            )
        )
    parts = dict(list(used.groupby(list(by), sort=True))) if by else {(): used}
    labels = {
        key: part[sites].astype(object).fillna("–").astype(str).agg(" / ".join, axis=1)
        for key, part in parts.items()
    }
    found = {key: _spreads(part[variable], labels[key], noise and part[noise]) for key, part in parts.items()}
    number = {key: int(label.nunique()) for key, label in labels.items()}
    freedom = sum(number.values()) - len(number)
    squares = sum((number[k] - 1) * (tau**2 + sigma**2) for k, (_, _, tau, sigma) in found.items())
    common = (float(np.sqrt(squares / freedom)), freedom) if freedom else (np.nan, 0)
    rows = [
        _row(key, len(parts[key]), number[key], found[key], common, (variable, by, level, kind))
        for key in parts
    ]
    return pd.DataFrame(rows)


def _spreads(values, sites, noise=None) -> tuple[float, float, float, float]:
    """Mean of the logarithms with its standard error, sd between sites, sd within a site without ``noise``."""
    log = np.log(np.asarray(values, float))
    if len(log) < 2:
        raise DataError(tr("fewer than two units in a group", "组内少于两个单元"))
    number = pd.factorize(np.asarray(sites))[0]
    if len(set(number)) < 2 or len(set(number)) == len(log):
        mu, se, tau, sigma = log.mean(), log.std(ddof=1) / np.sqrt(len(log)), 0.0, log.std(ddof=1)
    else:
        line = mixed_line(log, np.ones((len(log), 1)), number)
        mu, tau, sigma = line.coefficients[0], line.sd_group, line.sd_residual
        # Where the search for the variances ends on a flat ridge, its covariance is no guide.
        plain = tau**2 / len(set(number)) + sigma**2 / len(log)
        found = line.covariance[0, 0]
        se = np.sqrt(found if found > 0 else plain)
    if noise is not None:
        sigma = np.sqrt(max(sigma**2 - np.mean(np.asarray(noise) ** 2), 0.0))
    return float(mu), float(se), float(tau), float(sigma)


def _row(key, n, n_site, found, common, about) -> dict:
    variable, by, level, kind = about
    mu, se, tau, sigma = found
    spread, freedom = float(np.hypot(tau, sigma)), max(n_site - 1, 1)
    few = n_site < FEW_SITES and common[1] > freedom
    borrowed = few and common[0] > spread
    if few:
        spread, freedom = max(spread, common[0]), common[1]
        se = max(se, spread / np.sqrt(n_site))
    mean = float(np.exp(mu + spread**2 / 2))
    upper = 0.5 + level / 2
    wide = float(np.hypot(spread, se) * stats.t.ppf(upper, freedom) / stats.norm.ppf(upper))
    q = Distribution("lognormal", mu, wide).quantile([1 - upper, upper])
    labels = ",".join([*map(str, key), *([kind] if kind else [])])
    extra = f";to={kind}" if kind else ""
    return {
        "name": f"{variable}[{labels}]" if labels else variable,
        "group": ";".join(f"{c}={k}" for c, k in zip(by, key, strict=True)) + extra,
        "variable": variable,
        "unit": vocabulary.variable(variable).unit,
        "n_study": n_site,
        "n": n,
        "mean": mean,
        "sd": float(mean * np.sqrt(np.expm1(spread**2))),
        "se": float(mean * se),
        "tau": float(mean * np.sqrt(np.expm1(tau**2))),
        "family": "lognormal",
        "p1": mu,
        "p2": wide,
        "q025": float(q[0]),
        "q975": float(q[1]),
        "level": level,
        "interval_kind": "distribution",
        "spread_read": "sd",
        "note": "interval for one unit on a new site"
        + ("; spread taken from the other groups" if borrowed else ""),
    }
