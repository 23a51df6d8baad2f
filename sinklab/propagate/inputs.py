"""Inventories from files, and a simulated one for trying things out."""

from pathlib import Path

import numpy as np
import pandas as pd

from sinklab.errors import DataError
from sinklab.language import tr
from sinklab.tabular import read_csv


def read_inventory(folder) -> dict[str, pd.DataFrame]:
    """Read the files of an inventory.

    Parameters
    ----------
    folder : path
        Holds ``trees.csv`` (``plot_id`` and predictors), ``plots.csv`` (``plot_id, plot_area`` [ha],
        ``stratum``) and, for several strata, ``strata.csv`` (``stratum, area`` [ha], ``area_se``).

    Returns
    -------
    frames : dict
        ``trees``, ``plots``, ``strata`` (None without a file): arguments of
        :class:`~sinklab.propagate.inventory.Inventory`.

    Raises
    ------
    DataError
        A file or one of its columns is missing.
    """
    folder = Path(folder)
    missing = [name for name in ("trees.csv", "plots.csv") if not (folder / name).is_file()]
    if missing:
        raise DataError(tr(f"{folder}: no {', '.join(missing)}", f"{folder}：缺少 {'、'.join(missing)}"))
    strata = folder / "strata.csv"
    frames = {name: read_csv(folder / f"{name}.csv") for name in ("trees", "plots")}
    for frame in frames.values():
        if "plot_id" in frame and pd.api.types.is_float_dtype(frame["plot_id"]):
            # Plot numbers are names: 12, not 12.0.
            frame["plot_id"] = frame["plot_id"].map("{:g}".format)
    return frames | {"strata": read_csv(strata) if strata.is_file() else None}


def plots_of_one_size(trees, plot_area: float) -> dict:
    """Make an inventory of a sample of trees whose plots have the same area.

    Parameters
    ----------
    trees : DataFrame
        ``plot_id`` and predictors; every plot has trees.
    plot_area : float
        Area of a plot [ha].

    Returns
    -------
    frames : dict
        As :func:`read_inventory`, in one stratum.

    Raises
    ------
    DataError
        No ``plot_id``, trees without one, or an area that is not above nought.
    """
    lost = len(trees) if "plot_id" not in trees else int(trees["plot_id"].isna().sum())
    if lost or not plot_area > 0:
        raise DataError(
            tr(
                f"{lost} of {len(trees)} trees have no plot_id, plot_area is {plot_area} ha; "
                "every tree needs its plot, and the plots an area above 0",
                f"{len(trees)} 株中有 {lost} 株没有 plot_id，plot_area 为 {plot_area} ha；每株须有样地号，样地面积须大于 0",
            )
        )
    plots = pd.DataFrame({"plot_id": sorted(trees["plot_id"].unique()), "plot_area": float(plot_area)})
    return {"trees": trees, "plots": plots, "strata": None}


def simulated_inventory(sizes, n_plot=(12, 8), trees_per_plot: int = 40, seed: int = 1) -> dict:
    """Make up an inventory: trees drawn from a sample, on plots that differ.

    Parameters
    ----------
    sizes : DataFrame
        Predictors of trees, such as the sample that a model was fitted to.
    n_plot : sequence of int
        Plots of each stratum.
    trees_per_plot : int
        Expected number; it varies as a Poisson variable, and by a quarter between plots.
    seed : int

    Returns
    -------
    frames : dict
        As :func:`read_inventory`. Nobody measured it: numbers from it are demonstrations.
    """
    rng = np.random.default_rng(seed)
    trees, plots, strata = [], [], []
    for h, count in enumerate(n_plot, start=1):
        name = f"stratum {h}"
        strata.append({"stratum": name, "area": 1000.0 / h, "area_se": 20.0 / h})
        for p in range(1, count + 1):
            plot = f"{h}-{p:02d}"
            n = rng.poisson(trees_per_plot * rng.lognormal(-0.03, 0.25))
            rows = sizes.iloc[rng.integers(0, len(sizes), n)].reset_index(drop=True)
            trees.append(rows.assign(plot_id=plot))
            plots.append({"plot_id": plot, "plot_area": 0.06, "stratum": name})
    return {
        "trees": pd.concat(trees, ignore_index=True),
        "plots": pd.DataFrame(plots),
        "strata": pd.DataFrame(strata),
    }
