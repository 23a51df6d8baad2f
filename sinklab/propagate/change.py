r"""Difference of two inventories of one region: what they share cancels.

Parameters of a model, factors of a species and areas of a stratum are the same numbers in both, draw
by draw: their error in the difference is that of the difference alone. Measurement errors and
residuals are new at each occasion, which is on the safe side where the same trees stand in both.

Plots may be permanent, new, or some of each. With :math:`n_c` plots in both,

.. math:: \operatorname{var}(\bar y_2 - \bar y_1) =
   \frac{s_1^2}{n_1} + \frac{s_2^2}{n_2} - \frac{2\, n_c\, s_{12}}{n_1 n_2},

which is the variance of plot differences over :math:`n` when all are permanent, and the sum of two
variances when none is.

Source
------
UNFCCC CDM A/R tool 14 v04.2, Eq. 1-8, read in a transcription (all plots new; all permanent).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sinklab.errors import DataError, listing
from sinklab.language import tr
from sinklab.propagate import streams
from sinklab.propagate.inventory import Inventory
from sinklab.propagate.monte_carlo import draw_totals
from sinklab.propagate.strata import SAMPLING, area_draws


@dataclass(frozen=True, eq=False)
class Change:
    """Difference of the means of strata and region, second minus first [t/ha].

    ``names`` are the strata, then ``total``; arrays have one entry, or one row of draws, for each.
    ``se_independent`` is what the error would be if the two inventories shared nothing.
    """

    names: tuple[str, ...]
    estimate: np.ndarray
    model_draws: np.ndarray
    draws: np.ndarray
    sampling_se: np.ndarray
    freedom: np.ndarray
    n_common: np.ndarray
    se_independent: np.ndarray

    @property
    def se(self) -> np.ndarray:
        """Standard error of the difference."""
        return np.hypot(self.model_draws.std(axis=1, ddof=1), self.sampling_se)

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """One row for each stratum and the region, with the percentile interval of the draws."""
        lower, upper = np.quantile(self.draws, [0.5 - level / 2, 0.5 + level / 2], axis=1)
        frame = {
            "estimate": self.estimate,
            "mean": self.draws.mean(axis=1),
            "se": self.se,
            "se_model": self.model_draws.std(axis=1, ddof=1),
            "se_sampling": self.sampling_se,
            "se_independent": self.se_independent,
            "lower": lower,
            "upper": upper,
            "level": level,
            "n_common": self.n_common,
            "freedom": self.freedom,
        }
        return pd.DataFrame(frame, index=pd.Index(self.names, name="stratum"))


def difference(first: Inventory, second: Inventory, n_draw: int = 1000, seed: int = 1, workers=1) -> Change:
    """Change between two inventories of the same strata.

    Parameters
    ----------
    first, second : Inventory
        With different names, and the same strata with the same areas. Plots of one ``plot_id`` are
        one permanent plot.
    n_draw, seed, workers
        See :func:`sinklab.propagate.strata.propagate`.

    Returns
    -------
    change : Change

    Raises
    ------
    DataError
        Names that are equal, strata or areas that differ, permanent plots that changed stratum.
    """
    _check(first, second)
    trees = [draw_totals(i.units(), n_draw, seed, workers) for i in (first, second)]
    moved = trees[1] - trees[0]
    se, freedom, common = paired_se(first, second)
    drawn = np.array(
        [
            streams.stream(seed, SAMPLING, first.name, second.name, name).standard_t(df, n_draw)
            for name, df in zip(first.stratum_names, freedom, strict=True)
        ]
    )
    sampled = moved + se[:, None] * drawn
    area = area_draws(first, n_draw, seed)
    shares, weights = area / area.sum(axis=0), first.shares
    estimate = second.units().totals() - first.units().totals()
    apart = [
        np.hypot(t.std(axis=1, ddof=1), i.sampling_se) for t, i in zip(trees, (first, second), strict=True)
    ]
    region = [(shares * t).sum(axis=0).std(ddof=1) for t in trees]
    whole = [np.sqrt(np.sum((weights * i.sampling_se) ** 2)) for i in (first, second)]
    return Change(
        names=(*first.stratum_names, "total"),
        estimate=np.append(estimate, weights @ estimate),
        model_draws=np.vstack([moved, (shares * moved).sum(axis=0)]),
        draws=np.vstack([sampled, (shares * sampled).sum(axis=0)]),
        sampling_se=np.append(se, np.sqrt(np.sum((weights * se) ** 2))),
        freedom=np.append(freedom, freedom.sum()),
        n_common=np.append(common, common.sum()),
        se_independent=np.append(np.hypot(*apart), np.hypot(np.hypot(*region), np.hypot(*whole))),
    )


def paired_se(first: Inventory, second: Inventory) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard error of the change of each stratum for sampling, its degrees of freedom, common plots.

    The degrees of freedom are those of the pairs when all plots are permanent, else of the smaller
    inventory.
    """
    se, freedom, common = [], [], []
    for name in first.stratum_names:
        one, two = (i.plot_values[i.plot_values.index.isin(_plots_of(i, name))] for i in (first, second))
        shared = one.index.intersection(two.index)
        variance = one.var(ddof=1) / len(one) * first.sampling + two.var(ddof=1) / len(two) * second.sampling
        if len(shared) > 1 and first.sampling and second.sampling:
            covariance = np.cov(one[shared], two[shared], ddof=1)[0, 1]
            variance -= 2 * len(shared) * covariance / (len(one) * len(two))
        # Few pairs may have a covariance that the two variances do not allow.
        se.append(np.sqrt(max(float(variance), 0.0)))
        freedom.append(max(min(len(one), len(two)) - 1, 1))
        common.append(len(shared))
    return np.array(se), np.array(freedom), np.array(common)


def _plots_of(inventory, stratum) -> pd.Index:
    where = inventory._plot_stratum
    return where.index[where == stratum]


def _check(first, second) -> None:
    problems = []
    if first.name == second.name:
        problems.append(
            tr(
                f"both inventories are called {first.name!r}; their measurement errors need two names",
                f"两次清查同名 {first.name!r}；请使用不同的名称以区分量测误差",
            )
        )
    if first.stratum_names != second.stratum_names:
        names = f"{', '.join(first.stratum_names)} ≠ {', '.join(second.stratum_names)}"
        problems.append(tr(f"strata differ: {names}", f"层不一致：{names}"))
    elif not np.allclose(first.areas, second.areas):
        problems.append(tr("areas of the strata differ", "各层面积不一致"))
    one, two = first._plot_stratum, second._plot_stratum
    both = one.index.intersection(two.index)
    moved = sorted(both[(one[both] != two[both]).to_numpy()])
    if moved:
        problems.append(
            tr(
                f"permanent plots in another stratum: {', '.join(moved)}",
                f"固定样地改变了层：{'、'.join(moved)}",
            )
        )
    if problems:
        raise DataError(listing(problems))
