"""Bias of predictions by class of size."""

import numpy as np
import pandas as pd
from scipy import stats

from sinklab import indices

#: Classes hold equal numbers of trees; fewer classes when a class would hold less than this.
LEAST = 10
MOST_CLASSES = 6


def size_classes(size) -> pd.Series:
    """Class of each tree, as its limits: ``5–9.8``; classes hold about the same number of trees.

    Parameters
    ----------
    size : Series, shape (n_tree,)
        Diameter or another measure of size, without missing values.
    """
    count = int(np.clip(len(size) // LEAST, 1, MOST_CLASSES))
    limits = np.unique(np.quantile(size, np.linspace(0, 1, count + 1)))
    if len(limits) < 3:
        return pd.Series(f"{size.min():.4g}–{size.max():.4g}", index=size.index)
    names = [f"{a:.4g}–{b:.4g}" for a, b in zip(limits, limits[1:], strict=False)]
    place = np.clip(np.searchsorted(limits, size, side="right") - 1, 0, len(names) - 1)
    return pd.Series(np.array(names)[place], index=size.index)


def bias_by_class(observed, predicted, size) -> pd.DataFrame:
    """Bias in each class of size, with a test of its own.

    Parameters
    ----------
    observed, predicted, size : Series, shape (n_tree,)
        On one index.

    Returns
    -------
    classes : DataFrame
        In the order of size: ``size, n, TRE, ASE`` [%], ``lower, upper`` of the 95 % interval of the
        mean relative error [%], ``biased`` when it does not hold zero. A class of one tree has no
        interval and no verdict.
    """
    named = size_classes(size)
    rows = []
    for name in dict.fromkeys(named.loc[size.sort_values(kind="stable").index]):
        y, f = observed[named == name].to_numpy(float), predicted[named == name].to_numpy(float)
        relative = 100 * (y - f) / f
        half = np.nan
        if len(y) > 1:
            half = stats.t.ppf(0.975, len(y) - 1) * relative.std(ddof=1) / np.sqrt(len(y))
        mean = relative.mean()
        rows.append(
            {
                "size": name,
                "n": len(y),
                "TRE": indices.total_relative_error(y, f),
                "ASE": mean,
                "lower": mean - half,
                "upper": mean + half,
                "biased": bool(abs(mean) > half),
            }
        )
    return pd.DataFrame(rows)
