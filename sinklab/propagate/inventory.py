"""Trees on plots in strata: what a propagation starts from, checked as a whole."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from sinklab import units as unit_names
from sinklab import vocabulary
from sinklab.errors import DataError, listing
from sinklab.language import tr
from sinklab.propagate.levels import Factor, Noise
from sinklab.propagate.model import Model
from sinklab.propagate.units import Units, arrange


@dataclass(frozen=True, eq=False)
class Inventory:
    """Trees on plots in strata, with the models and errors to apply.

    Attributes
    ----------
    trees : DataFrame
        One row per individual: ``plot_id``, the predictors, the column ``model``.
    plots : DataFrame
        Every plot, also those without trees: ``plot_id``, ``plot_area`` [ha], ``stratum`` (one
        stratum when absent).
    models : Model or mapping of str to Model
        Response in kg (individuals).
    strata : DataFrame, optional
        ``stratum``, ``area`` [ha], and ``area_se`` [ha] where areas are uncertain. Needed for several
        strata, and for totals.
    model : str, optional
        Column of the trees that chooses the model.
    noises, factors : sequences
        See :mod:`sinklab.propagate.levels`; their columns are those of the trees.
    sampling : bool
        False when the plots are all there is, as in a full census.
    name : str
        Of this inventory; two inventories that are compared need different names.
    """

    trees: pd.DataFrame
    plots: pd.DataFrame
    models: Model | dict
    strata: pd.DataFrame | None = None
    model: str | None = None
    noises: tuple[Noise, ...] = ()
    factors: tuple[Factor, ...] = ()
    residual: bool = True
    sampling: bool = True
    name: str = ""

    def __post_init__(self):
        """Refuse plots and strata that do not fit together, with all that do not."""
        _check(self)

    @property
    def stratum_names(self) -> tuple[str, ...]:
        """Strata, in the order of ``strata``, or sorted."""
        if self.strata is not None:
            return tuple(self.strata["stratum"].astype(str))
        return tuple(sorted(_stratum(self.plots).unique()))

    @cached_property
    def _plot_stratum(self) -> pd.Series:
        return _stratum(self.plots).set_axis(self.plots["plot_id"].astype(str))

    @property
    def n_plot(self) -> np.ndarray:
        """Number of plots of every stratum."""
        return self._plot_stratum.value_counts().reindex(self.stratum_names).to_numpy(int)

    @property
    def areas(self) -> np.ndarray:
        """Area of each stratum [ha]; 1 where no area was given."""
        if self.strata is None:
            return np.ones(len(self.stratum_names))
        return self.strata["area"].to_numpy(float)

    @property
    def shares(self) -> np.ndarray:
        """Share of each stratum in the area."""
        return self.areas / self.areas.sum()

    @property
    def scale(self) -> float:
        """Factor from the unit of the response to tonnes."""
        first = next(iter(self.models.values())) if isinstance(self.models, dict) else self.models
        known = vocabulary.variables().get(first.responses[0])
        unit = known.unit if known else "kg"
        return float(unit_names.convert(1.0, unit, "t"))

    def units(self, by: str = "stratum") -> Units:
        """Trees weighted to the mean of their stratum, or (``by="plot"``) to the density of their plot."""
        plot = self.trees["plot_id"].astype(str)
        area = self.plots["plot_area"].astype(float).set_axis(self.plots["plot_id"].astype(str))
        weight = self.scale / area.reindex(plot).to_numpy()
        if by == "plot":
            group, names = plot.to_numpy(), tuple(area.index)
        else:
            stratum, names = self._plot_stratum.reindex(plot), self.stratum_names
            group = stratum.to_numpy()
            weight = weight / stratum.map(dict(zip(names, self.n_plot, strict=True))).to_numpy(float)
        return arrange(
            self.trees.assign(_group=group),
            self.models,
            model=self.model,
            group="_group",
            weight=weight,
            noises=self.noises,
            factors=self.factors,
            residual=self.residual,
            occasion=self.name,
            groups=names,
        )

    @cached_property
    def plot_values(self) -> pd.Series:
        """Density of every plot at the estimates [t/ha], indexed by ``plot_id``; 0 without trees."""
        units = self.units("plot")
        return pd.Series(units.totals(), index=pd.Index(units.groups, name="plot_id"), name="density")

    @property
    def sampling_se(self) -> np.ndarray:
        """Standard error of each stratum mean for having drawn these plots [t/ha]."""
        if not self.sampling:
            return np.zeros(len(self.stratum_names))
        spread = self.plot_values.groupby(self._plot_stratum).std(ddof=1)
        return spread.reindex(self.stratum_names).to_numpy() / np.sqrt(self.n_plot)

    @property
    def area_se(self) -> np.ndarray:
        """Relative standard error of the area of each stratum."""
        if self.strata is None or "area_se" not in self.strata:
            return np.zeros(len(self.stratum_names))
        return (self.strata["area_se"] / self.strata["area"]).fillna(0).to_numpy(float)


def _stratum(plots) -> pd.Series:
    if "stratum" in plots:
        return plots["stratum"].astype(str)
    return pd.Series("all", index=plots.index)


def _check(inventory) -> None:
    plots, trees, strata = inventory.plots, inventory.trees, inventory.strata
    for frame, title, wanted in (
        (trees, "trees", {"plot_id"}),
        (plots, "plots", {"plot_id", "plot_area"}),
        (strata, "strata", {"stratum", "area"}),
    ):
        missing = sorted(wanted - set(frame)) if frame is not None else []
        if missing:
            raise DataError(
                tr(f"{title}: no column {', '.join(missing)}", f"{title}：缺少列 {'、'.join(missing)}")
            )
    problems = []
    ids = plots["plot_id"].astype(str)
    repeated = sorted(ids[ids.duplicated()].unique())
    if repeated:
        problems.append(tr(f"plots listed twice: {', '.join(repeated)}", f"样地重复：{'、'.join(repeated)}"))
    bad = sorted(ids[~(plots["plot_area"].astype(float) > 0)])
    if bad:
        problems.append(
            tr(f"plots without a positive area: {', '.join(bad)}", f"样地面积不为正：{'、'.join(bad)}")
        )
    stray = trees["plot_id"].astype(str)
    stray = sorted(stray[~stray.isin(ids)].unique())
    if stray:
        problems.append(
            tr(
                f"trees on plots that are not listed: {', '.join(stray)}",
                f"样木所在样地未列出：{'、'.join(stray)}",
            )
        )
    found = _stratum(plots).value_counts()
    if strata is None and len(found) > 1:
        problems.append(tr("several strata need their areas (strata)", "多个层时需要各层面积（strata）"))
    if strata is not None:
        names = set(strata["stratum"].astype(str))
        absent = sorted(set(found.index) - names)
        empty = sorted(names - set(found.index))
        if absent:
            problems.append(
                tr(f"strata without an area: {', '.join(absent)}", f"层没有面积：{'、'.join(absent)}")
            )
        if empty:
            problems.append(
                tr(f"strata without a plot: {', '.join(empty)}", f"层内没有样地：{'、'.join(empty)}")
            )
        if not (strata["area"].astype(float) > 0).all():
            problems.append(tr("strata need positive areas", "各层面积应为正"))
    single = sorted(found.index[found == 1])
    if inventory.sampling and single:
        problems.append(
            tr(
                f"one plot only, so no sampling error: {', '.join(single)}; merge strata, or say sampling=False",
                f"仅有一个样地，无法估计抽样误差：{'、'.join(single)}；请合并层，或设 sampling=False",
            )
        )
    if problems:
        raise DataError(listing(problems))
