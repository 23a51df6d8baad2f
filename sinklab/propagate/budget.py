r"""Which source of error matters: the variance by source, and whether the parts make up the whole.

Every source is drawn alone, the others at their means, with the random numbers that it has in the
whole. With independent sources and a function that is nearly straight over their ranges the
variances add up; what is left of the whole is interaction. The check compares it with the error that
variances of a finite number of draws have: each has a relative standard error of about
:math:`\sqrt{2/(n-1)}`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sinklab.language import tr
from sinklab.propagate.inventory import AREA, SAMPLING, Inventory, propagate

WHOLE, SUM, REST = "whole", "sum of the sources", "interaction"


@dataclass(frozen=True, eq=False)
class Budget:
    """Variance of one total or mean by source.

    Attributes
    ----------
    table : DataFrame
        Index: the sources, then their sum, the interaction and the whole. Columns ``variance, se,
        share`` (of the whole), ``se_approach1, share_approach1``.
    interaction : float
        Share of the whole that no source has alone.
    tolerance : float
        Three standard errors of that share for the number of draws.
    shift : float
        Mean of the draws minus the estimate, over the estimate: what curvature does.
    """

    table: pd.DataFrame
    interaction: float
    tolerance: float
    shift: float

    @property
    def adds_up(self) -> bool:
        """Whether the sources make up the whole within the error of Monte Carlo."""
        return abs(self.interaction) <= self.tolerance

    @property
    def text(self) -> str:
        """The check in words."""
        share, limit = 100 * self.interaction, 100 * self.tolerance
        if self.adds_up:
            return tr(
                f"the sources add up: {share:+.1f} % of the variance is left over (error of the draws {limit:.1f} %)",
                f"各来源方差之和与总方差一致：剩余 {share:+.1f}%（抽样误差 {limit:.1f}%）",
            )
        return tr(
            f"{share:+.1f} % of the variance is interaction between the sources (error of the draws {limit:.1f} %)",
            f"总方差中 {share:+.1f}% 来自各来源的交互作用（抽样误差 {limit:.1f}%）",
        )


def inventory_budget(inventory: Inventory, n_draw: int = 2000, seed: int = 1, workers=1) -> Budget:
    """Budget of the mean of the region of an inventory.

    Parameters
    ----------
    inventory : Inventory
    n_draw, seed, workers
        See :func:`sinklab.propagate.inventory.propagate`.

    Returns
    -------
    budget : Budget
        Variances in (t/ha)².
    """
    whole = propagate(inventory, n_draw, seed, workers)
    sources = list(inventory.units().sources)
    if inventory.sampling:
        sources.append(SAMPLING)
    if inventory.area_se.any():
        sources.append(AREA)
    alone = {s: propagate(inventory, n_draw, seed, workers, only=[s]).se[-1] ** 2 for s in sources}
    first = {s: whole.approach1["total"].get(s, 0.0) ** 2 for s in sources}
    variance, total, total_first = float(whole.se[-1] ** 2), sum(alone.values()), sum(first.values())
    rows = {s: (v, first[s]) for s, v in alone.items()}
    rows |= {SUM: (total, total_first), REST: (variance - total, np.nan), WHOLE: (variance, total_first)}
    table = pd.DataFrame(rows, index=["variance", "first"]).T
    table["se"] = np.sqrt(table["variance"].clip(lower=0))
    table.loc[REST, "se"] = np.nan
    table["share"] = table["variance"] / variance
    table["se_approach1"] = np.sqrt(table["first"])
    table["share_approach1"] = table["first"] / total_first
    # Of the whole and of every part; the draws of a part are those of the whole, so this is on the safe side.
    error = np.sqrt(2 / (n_draw - 1)) * np.sqrt(1 + sum((v / variance) ** 2 for v in alone.values()))
    columns = ["variance", "se", "share", "se_approach1", "share_approach1"]
    shift = whole.model_draws[-1].mean() / whole.estimate[-1] - 1
    return Budget(table[columns].rename_axis("source"), 1 - total / variance, 3 * error, shift)
