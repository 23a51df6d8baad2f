r"""Trees on plots in strata, and what their errors make of the strata, the region, and its change.

The mean of a stratum is the mean of its plots' densities. Its error has two parts that are drawn apart: what the trees say
(parameters, measurement, residuals: see :mod:`sinklab.propagate.model`), and that other plots could have been drawn, with
standard error :math:`s_h/\sqrt{n_h}`, where :math:`s_h` is the spread of the plots at the estimates. The region is the mean of
the strata weighted by area; areas can be uncertain.

*One rule for every interval.* The sampling error of a mean, of one stratum or of many, is Student's t on the degrees of freedom
of :func:`sinklab.assess.plan.effective_freedom`: :math:`n_h - 1` for a stratum, about :math:`n - M` for strata that are alike.
The t of each stratum must not be added up: few plots a stratum have a t that knows no bounds, while their pooled spread is
known well.

Two inventories of one region share parameters of a model, factors of a species and areas of a stratum, draw by draw: their
error in the difference is that of the difference alone. Measurement errors are new at each occasion. What an equation leaves
unexplained of a tree stays with it: trees with one ``tree_id`` on one plot keep their residual; without identifiers residuals
are new as well, which is on the safe side where the same trees stand in both. Plots may be permanent, new, or some of each.
With :math:`n_c` plots in both,

.. math:: \operatorname{var}(\bar y_2 - \bar y_1) =
   \frac{s_1^2}{n_1} + \frac{s_2^2}{n_2} - \frac{2\, n_c\, s_{12}}{n_1 n_2},

which is the variance of plot differences over :math:`n` when all are permanent, and the sum of two variances when none is.

Source
------
UNFCCC CDM A/R tool 14 v04.2, Eq. 1-8, read in a transcription (all plots new; all permanent).
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.assess.plan import effective_freedom
from sinklab.data import vocabulary
from sinklab.language import DataError, Notes, listing, require_known, tr
from sinklab.propagate.model import (
    Factor,
    Model,
    Noise,
    Units,
    among_sites,
    arrange,
    notes_of,
    shared_normals,
    stream,
    text_of,
)
from sinklab.propagate.monte_carlo import draw_totals, variances

SAMPLING, AREA = "sampling", "area"


@dataclass(frozen=True, eq=False)
class Inventory:
    """Trees on plots in strata, with the models and errors to apply.

    Attributes
    ----------
    trees : DataFrame
        One row per individual: ``plot_id``, the predictors, the column ``model``; ``tree_id`` where trees are measured again.
    plots : DataFrame
        Every plot, also those without trees: ``plot_id``, ``plot_area`` [ha], ``stratum`` (one
        stratum when absent); of a model ``a[province/site]`` also ``province``, unless trees or strata have it.
    models : Model or mapping of str to Model
        Response in kg (individuals).
    strata : DataFrame, optional
        ``stratum``, ``area`` [ha], and ``area_se`` [ha] where areas are uncertain. Needed for several strata, and for totals.
    model : str, optional
        Column of the trees that chooses the model.
    noises, factors : sequences
        See :mod:`sinklab.propagate.model`; their columns are those of the trees.
    sampling : bool
        False when the plots are all there is, as in a full census.
    name : str
        Of this inventory; two inventories that are compared need different names.
    >>> len(sl.Inventory(**sl.simulated_inventory(trees[['dbh']]), models=sl.Model.of(fit, 'stem'), name='a').plots)
    20
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
        return float(vocabulary.convert(1.0, unit, "t"))

    def units(self, by: str = "stratum") -> Units:
        """Trees weighted to the mean of their stratum, or (``by="plot"``) to the density of their plot."""
        plot = self.trees["plot_id"].astype(str)
        if by == "plot":
            names = tuple(self.plots["plot_id"].astype(str))
            return self._arranged(self.trees, plot, names, 1.0, self.name)
        return self._arranged(
            self.trees, self._plot_stratum.reindex(plot), self.stratum_names, 1.0, self.name
        )

    def _arranged(self, trees, group, names, present, residual_of) -> Units:
        plot = trees["plot_id"].astype(str)
        area = self.plots["plot_area"].astype(float).set_axis(self.plots["plot_id"].astype(str))
        weight = self.scale / area.reindex(plot).to_numpy()
        if names == self.stratum_names:
            weight = weight / group.map(dict(zip(names, self.n_plot, strict=True))).to_numpy(float)
        trees = self._with_populations(trees, plot)
        trees, models, of_sites = among_sites(trees, self.models, self.model, "plot_id")
        return arrange(
            trees.assign(_group=group.to_numpy()),
            models,
            model=self.model,
            group="_group",
            weight=np.where(present, weight, 0.0),
            noises=(*self.noises, *of_sites),
            factors=self.factors,
            residual=self.residual,
            occasion=self.name,
            groups=names,
            residual_of=residual_of,
        )

    def _with_populations(self, trees, plot) -> pd.DataFrame:
        """Trees with the province of their plot or stratum, where a model was fitted to sites in provinces."""
        models = self.models.values() if isinstance(self.models, dict) else (self.models,)
        wanted = {m.with_sites().populations for m in models} - {"", *trees}
        if not wanted:
            return trees
        places = self.plots.assign(stratum=_stratum(self.plots))
        if self.strata is not None:
            own = [c for c in self.strata if c == "stratum" or c not in places]
            places = places.merge(self.strata[own].astype({"stratum": str}), on="stratum", how="left")
        places = places.set_index(places["plot_id"].astype(str)).reindex(plot)
        return trees.assign(**{column: places[column].to_numpy() for column in wanted & {*places}})

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

    def propagate(self, n_draw: int = 1000, seed: int = 1, workers: int | None = 1) -> "Propagated":
        """Draw the errors of all sources at the level where each is shared; see :func:`propagate`."""
        return propagate(self, n_draw, seed, workers)

    def budget(self, n_draw: int = 2000, seed: int = 1, workers: int | None = 1) -> "Budget":
        """Variance of the mean of the region by source; see :func:`inventory_budget`."""
        return inventory_budget(self, n_draw, seed, workers)

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
        if frame is not None:
            require_known(sorted(wanted), frame, place=title)
    problems = Notes()

    def report(names, en, zh, advice=("", "")):
        if len(names):
            problems.add(f"{en}: {', '.join(names)}{advice[0]}", f"{zh}：{'、'.join(names)}{advice[1]}")

    ids, stray = plots["plot_id"].astype(str), trees["plot_id"].astype(str)
    found = _stratum(plots).value_counts()
    report(sorted(ids[ids.duplicated()].unique()), "plots listed twice", "样地重复")
    bad = sorted(ids[~(plots["plot_area"].astype(float) > 0)])
    report(bad, "plots without a positive area", "样地面积不为正")
    stray = sorted(stray[~stray.isin(ids)].unique())
    report(stray, "trees on plots that are not listed", "样木所在样地未列出")
    if strata is None and len(found) > 1:
        problems.add("several strata need their areas (strata)", "多个层时需要各层面积（strata）")
    if strata is not None:
        names = set(strata["stratum"].astype(str))
        report(sorted(set(found.index) - names), "strata without an area", "层没有面积")
        report(sorted(names - set(found.index)), "strata without a plot", "层内没有样地")
        if not (strata["area"].astype(float) > 0).all():
            problems.add("strata need positive areas", "各层面积应为正")
    if inventory.sampling:
        advice = "; merge strata, or say sampling=False", "；请合并层，或设 sampling=False"
        single = sorted(found.index[found == 1])
        report(single, "one plot only, so no sampling error", "仅有一个样地，无法估计抽样误差", advice)
    if problems:
        raise DataError(listing(problems))


# Means of strata and region


@dataclass(frozen=True, eq=False)
class _Means:
    """What a propagation and a change have in common; the fields are told there."""

    names: tuple[str, ...]
    estimate: np.ndarray
    model_draws: np.ndarray
    draws: np.ndarray
    part_draws: np.ndarray
    sampling_se: np.ndarray
    freedom: np.ndarray
    area: np.ndarray
    area_draws: np.ndarray

    @property
    def se(self) -> np.ndarray:
        """Standard error: spread of the draws without sampling, and the sampling error of the plots."""
        return np.hypot(self.model_draws.std(axis=1, ddof=1), self.sampling_se)

    def interval(self, level: float = 0.95) -> np.ndarray:
        """Percentile interval of the draws, shape (n, 2)."""
        return np.quantile(self.draws, [0.5 - level / 2, 0.5 + level / 2], axis=1).T

    def stock_draws(self) -> np.ndarray:
        """Draws of the stocks of the strata and the region [t], shape (n, n_draw); NaN without areas."""
        stock = self.draws * self.area_draws
        stock[-1] = (self.part_draws * self.area_draws[:-1]).sum(axis=0)
        return stock

    def totals(self, level: float = 0.95) -> pd.DataFrame:
        """Stocks of the strata and the region [t]: ``estimate, mean, se, lower, upper, level``.

        The error of an area is part of its stock, where it does not touch the mean of its stratum.
        """
        model = self.model_draws * self.area_draws
        model[-1] = model[:-1].sum(axis=0)
        se = np.hypot(model.std(axis=1, ddof=1), self.sampling_se * self.area)
        return self._rows(self.estimate * self.area, self.stock_draws(), se, level, {}, {"level": level})

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """One row for each stratum and the region, with the percentile interval of the draws; densities in t/ha.

        Columns ``estimate, mean, se, se_model, se_sampling``, ``se_approach1`` or ``se_independent``, ``lower, upper,
        relative`` (half-width over estimate), ``level``, ``n_plot`` or ``n_common``, ``freedom, area``.
        """
        half, size = np.diff(self.interval(level))[:, 0] / 2, np.abs(self.estimate)
        relative = np.divide(half, size, where=size > 0, out=np.full(len(half), np.nan))
        beside, counts = self._own
        beside = {
            "se_model": self.model_draws.std(axis=1, ddof=1),
            "se_sampling": self.sampling_se,
            **beside,
        }
        after = {"relative": relative, "level": level, **counts, "freedom": self.freedom, "area": self.area}
        return self._rows(self.estimate, self.draws, self.se, level, beside, after)

    def _rows(self, estimate, draws, se, level, beside, after) -> pd.DataFrame:
        lower, upper = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2], axis=1)
        frame = {
            "estimate": estimate,
            "mean": draws.mean(axis=1),
            "se": se,
            **beside,
            "lower": lower,
            "upper": upper,
        }
        return pd.DataFrame(frame | after, index=pd.Index(self.names, name="stratum"))


@dataclass(frozen=True, eq=False)
class Propagated(_Means):
    """Draws of the means of strata and of their region, with the parts of the error.

    Attributes
    ----------
    names : tuple of str
        Strata, then ``total`` (the region).
    estimate : array, shape (n,)
        At the estimates. [t/ha, after the factors]
    model_draws, draws : array, shape (n, n_draw)
        Without, and with the errors of sampling and area.
    part_draws : array, shape (n - 1, n_draw)
        Draws of the strata as parts of the region, whose sampling errors have the degrees of freedom of the region.
    sampling_se, freedom : array, shape (n,)
        Standard error of sampling and its degrees of freedom.
    area, area_draws : array, shape (n,) and (n, n_draw)
        Areas [ha], NaN when they were not given.
    approach1 : DataFrame
        Standard error by source (rows) and name (columns), to the first order.
    notes : tuple of str
        What the draws leave out.
    """

    approach1: pd.DataFrame
    n_plot: np.ndarray
    seed: int
    notes: tuple[str, ...] = ()

    @property
    def _own(self):
        return {"se_approach1": self.approach1.loc["total"].to_numpy()}, {"n_plot": self.n_plot}


@dataclass(frozen=True, eq=False)
class Change(_Means):
    """Difference of the means of strata and region, second minus first [t/ha].

    ``names`` are the strata, then ``total``; arrays have one entry, or one row of draws, for each.
    ``before`` and ``after`` are the means themselves, ``n_common`` plots and ``n_tree_common`` trees (in all) are
    permanent, ``se_independent`` is what the error would be if the two inventories shared nothing.
    """

    before: np.ndarray
    after: np.ndarray
    n_common: np.ndarray
    n_tree_common: int
    se_independent: np.ndarray

    @property
    def _own(self):
        return {"se_independent": self.se_independent}, {"n_common": self.n_common}


def propagate(
    inventory: Inventory,
    n_draw: int = 1000,
    seed: int = 1,
    workers: int | None = 1,
    only: Collection[str] | None = None,
) -> Propagated:
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
    require_known(sorted(active), known, "source", "来源")
    trees = draw_totals(units, n_draw, seed, workers, only=active - {SAMPLING, AREA})
    se = inventory.sampling_se * (SAMPLING in active)
    area_of = _area_draws(inventory, n_draw, seed, AREA in active)
    sampling = _sampling_draws(inventory, se, inventory.n_plot - 1, n_draw, seed, inventory.name)
    return Propagated(
        **_with_region(inventory, area_of, units.totals(), trees, se, *sampling),
        approach1=_first_order(inventory, units, active),
        n_plot=np.append(inventory.n_plot, inventory.n_plot.sum()),
        seed=seed,
        notes=tuple(notes_of(units.models)),
    )


def _sampling_draws(inventory, se, freedom, n_draw, seed, *address) -> tuple[np.ndarray, ...]:
    """Degrees of freedom of strata and region, and draws of the sampling errors (n_stratum, n_draw).

    The errors of the strata by themselves, and as parts of the region: the weighted sum of these is Student's t on
    the degrees of freedom of the region, the rest of each is what normal errors leave when their sum is known.
    """
    least, names = np.maximum(freedom, 1), inventory.stratum_names
    weight = inventory.shares * se
    design = inventory.shares**2 / (least + 1)
    pooled, total = effective_freedom(weight**2, least, design), np.linalg.norm(weight)
    normal = np.array([stream(seed, SAMPLING, *address, name).standard_normal(n_draw) for name in names])
    alone = se[:, None] * [_student(z, df) for z, df in zip(normal, least, strict=True)]
    together = weight @ normal
    share = np.divide(weight * se, total**2, out=np.zeros_like(se), where=total > 0)
    parts = se[:, None] * normal + np.outer(share, total * _student(together, pooled) - together)
    return np.append(least, pooled), alone, parts


def _student(order, freedom) -> np.ndarray:
    """Student's t at evenly spaced probabilities, in the order of some numbers: its quantiles without their noise."""
    return stats.t.ppf((order.argsort().argsort() + 0.5) / len(order), freedom)


def _area_draws(inventory, n_draw, seed, active=True) -> np.ndarray:
    """Area of every stratum with its error, shape (n_stratum, n_draw); an error is cut at no area."""
    drawn = np.repeat(inventory.areas[:, None], n_draw, axis=1)
    if active and inventory.area_se.any():
        # The address has no name of an inventory: two inventories of one map share its errors.
        normals = shared_normals(seed, AREA, inventory.stratum_names, n_draw)
        drawn *= np.clip(1 + inventory.area_se[:, None] * normals, 0, None)
    return drawn


def _with_region(inventory, area, estimate, model, se, freedom, alone, parts) -> dict:
    """What strata and region have in common: estimates, draws, standard error of sampling, degrees of freedom."""
    shares, weights = area / area.sum(axis=0), inventory.shares
    known = np.nan if inventory.strata is None else 1.0
    return {
        "names": (*inventory.stratum_names, "total"),
        "estimate": np.append(estimate, weights @ estimate),
        "model_draws": np.vstack([model, (shares * model).sum(axis=0)]),
        "draws": np.vstack([model + alone, (shares * (model + parts)).sum(axis=0)]),
        "part_draws": model + parts,
        "sampling_se": np.append(se, np.sqrt(np.sum((weights * se) ** 2))),
        "freedom": freedom,
        "area": known * np.append(inventory.areas, inventory.areas.sum()),
        "area_draws": known * np.vstack([area, area.sum(axis=0)]),
    }


def _first_order(inventory, units, active) -> pd.DataFrame:
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


def difference(
    first: Inventory, second: Inventory, n_draw: int = 1000, seed: int = 1, workers: int | None = 1
) -> Change:
    """Change between two inventories of the same strata.

    Parameters
    ----------
    first, second : Inventory
        With different names, and the same strata with the same areas. Plots of one ``plot_id`` are one permanent plot.
    n_draw, seed, workers
        See :func:`propagate`.

    Returns
    -------
    change : Change

    Raises
    ------
    DataError
        Names that are equal, strata or areas that differ, permanent plots that changed stratum.

    >>> frames, model = sl.simulated_inventory(trees[['dbh']]), sl.Model.of(fit, 'stem')
    >>> sl.difference(*(sl.Inventory(**frames, models=model, name=n) for n in '12'), 200).summary().shape
    (3, 13)
    """
    _check_change(first, second)
    pair = first, second
    units, n_tree = _paired_units(first, second)
    drawn = [draw_totals(u, n_draw, seed, workers) for u in units]
    se, freedom, common = paired_se(first, second)
    sampling = _sampling_draws(first, se, freedom, n_draw, seed, first.name, second.name)
    area = _area_draws(first, n_draw, seed)
    means = [u.totals() for u in units]
    weights = [area / area.sum(axis=0), first.shares]
    apart = [np.vstack([d, (weights[0] * d).sum(axis=0)]).std(axis=1, ddof=1) for d in drawn]
    sampled = [np.append(i.sampling_se, np.linalg.norm(weights[1] * i.sampling_se)) for i in pair]
    before, after = (np.append(m, weights[1] @ m) for m in means)
    return Change(
        **_with_region(first, area, means[1] - means[0], drawn[1] - drawn[0], se, *sampling),
        before=before,
        after=after,
        n_common=np.append(common, common.sum()),
        n_tree_common=n_tree,
        se_independent=np.linalg.norm([*apart, *sampled], axis=0),
    )


def _paired_units(first, second) -> tuple[list[Units], int]:
    """Units of two inventories, and how many trees stand in both by their ``tree_id``.

    Residuals are drawn by the place of a row. So both take the trees of both in one order, without weight those that
    they do not have; a tree that changed its model or stratum is two. Without identifiers nothing is shared.
    """
    if not all("tree_id" in i.trees for i in (first, second)):
        return [first.units(), second.units()], 0
    found = []
    for inventory in (first, second):
        trees = inventory.trees.assign(_present=True)
        # A tree without an identifier is itself alone.
        alone = pd.Series(np.arange(len(trees)), trees.index).map(f"{inventory.name} {{}}".format)
        trees["tree_id"] = text_of(trees["tree_id"]).mask(trees["tree_id"].isna(), alone)
        trees["_stratum"] = inventory._plot_stratum.reindex(trees["plot_id"].astype(str)).to_numpy()
        keys = ["_stratum", "plot_id", "tree_id", *([inventory.model] if inventory.model else ())]
        found.append(trees.astype(dict.fromkeys(keys, str)).set_index(keys, drop=False))
        twice = sorted({" / ".join(key[1:3]) for key in found[-1].index[found[-1].index.duplicated()]})
        if twice:
            raise DataError(
                f"{inventory.name}: trees listed twice (plot_id / tree_id):\n{listing(twice)}",
                f"{inventory.name}：树木重复（plot_id / tree_id）：\n{listing(twice)}",
            )
    units = []
    for inventory, own, other in ((first, *found), (second, *found[::-1])):
        absent = other[~other.index.isin(own.index)].assign(_present=False)
        trees = pd.concat([own, absent]).sort_index()
        group, present = trees["_stratum"], trees["_present"].to_numpy(bool)
        pair = f"{first.name}~{second.name}"
        units.append(inventory._arranged(trees, group, inventory.stratum_names, present, pair))
    return units, int(found[0].index.isin(found[1].index).sum())


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


def _check_change(first, second) -> None:
    problems = Notes()
    if first.name == second.name:
        problems.add(
            f"both inventories are called {first.name!r}; their measurement errors need two names",
            f"两次清查同名 {first.name!r}；请使用不同的名称以区分量测误差",
        )
    if first.stratum_names != second.stratum_names:
        names = f"{', '.join(first.stratum_names)} ≠ {', '.join(second.stratum_names)}"
        problems.add(f"strata differ: {names}", f"层不一致：{names}")
    elif not np.allclose(first.areas, second.areas):
        problems.add("areas of the strata differ", "各层面积不一致")
    one, two = first._plot_stratum, second._plot_stratum
    both = one.index.intersection(two.index)
    moved = sorted(both[(one[both] != two[both]).to_numpy()])
    if moved:
        problems.add(
            f"permanent plots in another stratum: {', '.join(moved)}", f"固定样地改变了层：{'、'.join(moved)}"
        )
    if problems:
        raise DataError(listing(problems))


# The variance of a mean by source

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
