r"""How many plots in each stratum for a stated precision of the total.

With areas as shares :math:`W_h`, standard deviations :math:`s_h` and :math:`n_h` of the :math:`N_h`
plots that fit into a stratum, the half-width of the interval of the mean is

.. math:: t_{n - L} \sqrt{\sum W_h^2 \frac{s_h^2}{n_h} \left(1 - \frac{n_h}{N_h}\right)} .

Plots are divided among the strata in proportion to :math:`W_h s_h / \sqrt{c_h}` with costs :math:`c_h`
(Neyman's allocation when they are equal), and the total is the smallest that keeps the half-width;
Student's :math:`t` depends on it, so it is found by bisection.

Source
------
Cochran W.G. (1977) Sampling Techniques, 3rd edition, sections 5.5 and 5.9. Wiley.
"""

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.errors import DataError, listing
from sinklab.language import tr

#: Fewest plots of a stratum: one gives no variance.
FEWEST = 2
NEEDED = ("stratum", "area", "mean", "sd")


def plot_plan(strata, error: float = 10.0, level: float = 0.9, plot_area: float = 0.06) -> pd.DataFrame:
    """Plan plots.

    Parameters
    ----------
    strata : DataFrame
        ``stratum``, ``area`` (ha), ``mean`` and ``sd`` of a plot in any one unit per hectare, from a pilot
        or from a table; ``cost`` of a plot when it differs between strata.
    error : float
        Half-width of the interval of the mean over all strata, percent of that mean.
    level : float
        Level of the interval.
    plot_area : float
        Area of a plot, ha.

    Returns
    -------
    plan : DataFrame
        The strata with ``n_plot``, and ``n_plot_proportional``: plots for the same precision when divided
        by area alone. ``attrs["half_width"]`` is what the plan reaches, percent.

    Raises
    ------
    DataError
        Missing columns, values that are not positive, repeated strata; all at once.
    """
    frame = _checked(strata, error, level, plot_area)
    weight = (frame["area"] / frame["area"].sum()).to_numpy()
    sd = frame["sd"].to_numpy(float)
    room = np.maximum(np.floor(frame["area"].to_numpy() / plot_area), FEWEST)
    cost = frame["cost"].to_numpy(float) if "cost" in frame else np.ones(len(frame))
    allowed = error / 100 * float(weight @ frame["mean"])
    best = _numbers(weight * sd / np.sqrt(cost), weight, sd, room, allowed, level)
    even = _numbers(weight, weight, sd, room, allowed, level)
    frame["n_plot"], frame["n_plot_proportional"] = best, even
    frame.attrs["half_width"] = (
        100 * _half_width(best, weight, sd, room, level) / float(weight @ frame["mean"])
    )
    return frame


def _half_width(counts, weight, sd, room, level) -> float:
    variance = (weight**2 * sd**2 / counts * (1 - counts / room)).sum()
    freedom = max(counts.sum() - len(counts), 1)
    return float(stats.t.ppf(0.5 + level / 2, freedom) * np.sqrt(max(variance, 0.0)))


def _numbers(share, weight, sd, room, allowed, level) -> np.ndarray:
    """Plots by stratum in proportion to ``share``: the smallest total that keeps the half-width."""
    share = share / share.sum()

    def divided(total):
        return np.clip(np.ceil(total * share - 1e-9), FEWEST, room).astype(int)

    low, high = FEWEST * len(share), FEWEST * len(share)
    while _half_width(divided(high), weight, sd, room, level) > allowed and (divided(high) < room).any():
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _half_width(divided(middle), weight, sd, room, level) > allowed:
            low = middle
        else:
            high = middle
    return divided(high)


def _checked(strata, error, level, plot_area) -> pd.DataFrame:
    frame = pd.DataFrame(strata).reset_index(drop=True)
    missing = [c for c in NEEDED if c not in frame]
    if missing:
        found = ", ".join(map(str, frame.columns))
        raise DataError(
            tr(
                f"strata: no column {', '.join(missing)}; found {found}",
                f"分层：缺少列 {'、'.join(missing)}；现有 {found}",
            )
        )
    problems = []
    for column in [c for c in ("area", "mean", "sd", "cost") if c in frame]:
        values = pd.to_numeric(frame[column], errors="coerce")
        for i in np.flatnonzero(~(values > 0)):
            problems.append(
                tr(
                    f"record {i + 1}: {column} = {frame[column][i]}; expected a number above 0",
                    f"第 {i + 1} 条记录：{column} = {frame[column][i]}；应为大于 0 的数",
                )
            )
        frame[column] = values
    for name in frame["stratum"][frame["stratum"].duplicated()].unique():
        problems.append(tr(f"stratum {name} stands twice", f"层 {name} 重复"))
    if not (error > 0 and 0 < level < 1 and plot_area > 0):
        problems.append(
            tr(
                f"error {error:g} %, level {level:g}, plot {plot_area:g} ha; expected numbers above 0, level below 1",
                f"误差 {error:g} %、置信水平 {level:g}、样地 {plot_area:g} 公顷；应为正数，置信水平小于 1",
            )
        )
    if problems:
        raise DataError(listing(problems))
    return frame
