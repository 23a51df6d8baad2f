r"""From trees to plots, strata and a region, each error at the level where it is shared.

The mean of a stratum is the mean of its plots' densities. Its error has two parts that are drawn
apart: what the trees say (parameters, measurement, residuals: see :mod:`sinklab.propagate.levels`),
and that other plots could have been drawn: Student's t on :math:`n_h - 1` degrees of freedom with
standard error :math:`s_h/\sqrt{n_h}`, where :math:`s_h` is the spread of the plots at the estimates.
The region is the mean of the strata weighted by area; areas can be uncertain.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sinklab.errors import DataError
from sinklab.language import tr
from sinklab.propagate import streams
from sinklab.propagate.approach1 import variances
from sinklab.propagate.inventory import Inventory
from sinklab.propagate.model import notes_of
from sinklab.propagate.monte_carlo import draw_totals

SAMPLING, AREA = "sampling", "area"


@dataclass(frozen=True, eq=False)
class Propagated:
    """Draws of the means of strata and of their region, with the parts of the error.

    Attributes
    ----------
    names : tuple of str
        Strata, then ``total`` (the region).
    estimate : array, shape (n,)
        At the estimates. [t/ha, after the factors]
    model_draws, draws : array, shape (n, n_draw)
        Without, and with the errors of sampling and area.
    sampling_se : array, shape (n,)
    freedom : array, shape (n,)
        Degrees of freedom of the sampling error.
    area, area_draws : array, shape (n,) and (n, n_draw)
        Areas [ha], NaN when they were not given.
    notes : tuple of str
        What the draws leave out.
    approach1 : DataFrame
        Standard error by source (rows) and name (columns), to the first order.
    """

    names: tuple[str, ...]
    estimate: np.ndarray
    model_draws: np.ndarray
    draws: np.ndarray
    sampling_se: np.ndarray
    freedom: np.ndarray
    area: np.ndarray
    area_draws: np.ndarray
    approach1: pd.DataFrame
    n_plot: np.ndarray
    seed: int
    notes: tuple[str, ...] = ()

    @property
    def se(self) -> np.ndarray:
        """Standard error: spread of the draws without sampling, and the sampling error of the plots."""
        return np.hypot(self.model_draws.std(axis=1, ddof=1), self.sampling_se)

    def interval(self, level: float = 0.95) -> np.ndarray:
        """Percentile interval of the draws, shape (n, 2)."""
        return np.quantile(self.draws, [0.5 - level / 2, 0.5 + level / 2], axis=1).T

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """One row for each stratum and the region.

        Columns ``estimate, mean, se, se_model, se_sampling, se_approach1, lower, upper, relative``
        (half-width over estimate), ``level, n_plot, freedom, area``; densities in t/ha.
        """
        bounds = self.interval(level)
        half = (bounds[:, 1] - bounds[:, 0]) / 2
        frame = {
            "estimate": self.estimate,
            "mean": self.draws.mean(axis=1),
            "se": self.se,
            "se_model": self.model_draws.std(axis=1, ddof=1),
            "se_sampling": self.sampling_se,
            "se_approach1": self.approach1.loc["total"].to_numpy(),
            "lower": bounds[:, 0],
            "upper": bounds[:, 1],
            "relative": np.divide(
                half, np.abs(self.estimate), where=self.estimate != 0, out=np.full(len(half), np.nan)
            ),
            "level": level,
            "n_plot": self.n_plot,
            "freedom": self.freedom,
            "area": self.area,
        }
        return pd.DataFrame(frame, index=pd.Index(self.names, name="stratum"))

    def totals(self, level: float = 0.95) -> pd.DataFrame:
        """Stocks of the strata and the region [t]: ``estimate, mean, se, lower, upper, level``.

        The error of an area is part of its stock, where it does not touch the mean of its stratum.
        """
        stock = self.draws * self.area_draws
        stock[-1] = stock[:-1].sum(axis=0)
        model = self.model_draws * self.area_draws
        model[-1] = model[:-1].sum(axis=0)
        lower, upper = np.quantile(stock, [0.5 - level / 2, 0.5 + level / 2], axis=1)
        frame = {
            "estimate": self.estimate * self.area,
            "mean": stock.mean(axis=1),
            "se": np.hypot(model.std(axis=1, ddof=1), self.sampling_se * self.area),
            "lower": lower,
            "upper": upper,
            "level": level,
        }
        return pd.DataFrame(frame, index=pd.Index(self.names, name="stratum"))


def propagate(inventory: Inventory, n_draw: int = 1000, seed: int = 1, workers=1, only=None) -> Propagated:
    """Propagate all errors of an inventory to its strata and its region.

    Parameters
    ----------
    inventory : Inventory
    n_draw, seed : int
    workers : int or Executor
        See :func:`sinklab.propagate.monte_carlo.draw_totals`.
    only : collection of str, optional
        Names of the sources that vary, ``sampling`` and ``area`` among them; all when left out.

    Returns
    -------
    result : Propagated
    """
    units = inventory.units()
    known = (*units.sources, SAMPLING, AREA)
    active = set(known) if only is None else set(only)
    unknown = sorted(active - set(known))
    if unknown:
        raise DataError(
            tr(
                f"no source {', '.join(unknown)}; there are: {', '.join(known)}",
                f"没有来源 {'、'.join(unknown)}；现有：{'、'.join(known)}",
            )
        )
    trees = draw_totals(units, n_draw, seed, workers, only=active - {SAMPLING, AREA})
    se = inventory.sampling_se * (SAMPLING in active)
    freedom = np.maximum(inventory.n_plot - 1, 1)
    sampled = trees + se[:, None] * sampling_draws(inventory, freedom, n_draw, seed)
    area_of = area_draws(inventory, n_draw, seed, AREA in active)
    shares, weights = area_of / area_of.sum(axis=0), inventory.shares
    total_se = float(np.sqrt(np.sum((weights * se) ** 2)))
    known = np.nan if inventory.strata is None else 1.0
    estimate = units.totals()
    return Propagated(
        names=(*units.groups, "total"),
        estimate=np.append(estimate, weights @ estimate),
        model_draws=np.vstack([trees, (shares * trees).sum(axis=0)]),
        draws=np.vstack([sampled, (shares * sampled).sum(axis=0)]),
        sampling_se=np.append(se, total_se),
        freedom=np.append(freedom, inventory.n_plot.sum() - len(se)),
        area=known * np.append(inventory.areas, inventory.areas.sum()),
        area_draws=known * np.vstack([area_of, area_of.sum(axis=0)]),
        approach1=first_order(inventory, units, active),
        n_plot=np.append(inventory.n_plot, inventory.n_plot.sum()),
        seed=seed,
        notes=tuple(notes_of(units.models)),
    )


def sampling_draws(inventory, freedom, n_draw, seed) -> np.ndarray:
    """Student t draws of every stratum, shape (n_stratum, n_draw)."""
    out = np.empty((len(freedom), n_draw))
    for row, name, df in zip(out, inventory.stratum_names, freedom, strict=True):
        row[:] = streams.stream(seed, SAMPLING, inventory.name, name).standard_t(df, n_draw)
    return out


def area_draws(inventory, n_draw, seed, active=True) -> np.ndarray:
    """Area of every stratum with its error, shape (n_stratum, n_draw); an error is cut at no area."""
    drawn = np.repeat(inventory.areas[:, None], n_draw, axis=1)
    if active and inventory.area_se.any():
        # The address has no name of an inventory: two inventories of one map share its errors.
        normals = streams.shared_normals(seed, AREA, inventory.stratum_names, n_draw)
        drawn *= np.clip(1 + inventory.area_se[:, None] * normals, 0, None)
    return drawn


def first_order(inventory, units, active) -> pd.DataFrame:
    """Standard errors by source to the first order; the last row ``total`` is their root sum of squares."""
    weights = inventory.shares
    mix = np.vstack([np.eye(len(weights)), weights])
    found = {n: v for n, v in variances(units, mix).items() if n in active}
    se = inventory.sampling_se
    if SAMPLING in active:
        found[SAMPLING] = mix**2 @ se**2
    if AREA in active:
        means = units.totals()
        slope = weights * (means - weights @ means)
        found[AREA] = np.append(np.zeros(len(weights)), np.sum((slope * inventory.area_se) ** 2))
    frame = pd.DataFrame(found, index=[*units.groups, "total"]).T
    frame.loc["total"] = frame.sum()
    return np.sqrt(frame)
