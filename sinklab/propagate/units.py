"""Individuals, or stands, made ready: sorted by model and group, cut into tiles of fixed size.

A *unit* is whatever has a mass of its own: a tree of a plot, a stand of a map. The total of a group
is the sum of ``weight * mass`` over its units; 1 / plot area gives a density, the area of a stand
its stock.
"""

from dataclasses import dataclass, field

import numpy as np

from sinklab.errors import DataError, listing
from sinklab.language import tr
from sinklab.propagate.levels import PARAMETERS, RESIDUAL, Factor, Noise, check_levels
from sinklab.propagate.model import Model


@dataclass(frozen=True, eq=False)
class Units:
    """Rows in the order of work; made with :func:`arrange`.

    Attributes
    ----------
    data : mapping of str to array, shape (n,)
    models : tuple of Model
    model, group : array of int, shape (n,)
        Position of the model and of the group of each row; both ascending.
    weight : array, shape (n,)
    groups : tuple of str
    centre : array, shape (n,)
        Mass at the estimates, with the means of all factors.
    order : array of int, shape (n,)
        Position of each row in the data that were given.
    """

    data: dict
    models: tuple[Model, ...]
    model: np.ndarray
    group: np.ndarray
    weight: np.ndarray
    groups: tuple[str, ...]
    noises: tuple[Noise, ...]
    factors: tuple[Factor, ...]
    residual: bool
    order: np.ndarray
    occasion: str = ""
    spread: dict = field(default_factory=dict)
    levels: dict = field(default_factory=dict)
    level: dict = field(default_factory=dict)
    places: list = field(default_factory=list)
    factor_mean: np.ndarray | None = None
    bare: np.ndarray | None = None
    residual_sd: np.ndarray | None = None

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.order)

    @property
    def centre(self) -> np.ndarray:
        """Mass of every row at the estimates, with the means of its factors."""
        return self.bare * self.factor_mean

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources of error."""
        residual = (RESIDUAL,) if self.residual else ()
        return (PARAMETERS, *(f.name for f in self.factors), *(x.name for x in self.noises), *residual)

    def totals(self) -> np.ndarray:
        """Totals of the groups at the estimates, shape (n_group,)."""
        return np.bincount(self.group, self.weight * self.centre, len(self.groups))

    def spans(self) -> list[tuple[int, int, int]]:
        """Model, first and last row + 1 of each model's rows."""
        cuts = np.flatnonzero(np.diff(self.model)) + 1
        starts, stops = [0, *cuts], [*cuts, self.n]
        return [(int(self.model[a]), int(a), int(b)) for a, b in zip(starts, stops, strict=True) if b > a]


def arrange(
    data,
    models,
    model=None,
    group=None,
    weight=None,
    noises=(),
    factors=(),
    residual: bool = True,
    occasion: str = "",
    groups=None,
) -> Units:
    """Sort and check rows.

    Parameters
    ----------
    data : DataFrame or mapping of arrays, shape (n,)
        Predictors in the units of the models; the columns that noises and factors name.
    models : Model or mapping of str to Model
        The mapping is looked up by the column ``model``.
    model, group : str, optional
        Columns; one model, one group "" when left out.
    weight : array, shape (n,), optional
        1 when left out.
    noises, factors : sequences
    residual : bool
        Whether individuals scatter about the equation.
    occasion : str
        Sets the errors of single rows apart from those of another inventory with the same seed.
    groups : sequence of str, optional
        Names of the groups in the order wanted; those that occur, sorted, when left out.

    Raises
    ------
    DataError
        Columns that are missing, values that are not finite, rows without a model; all at once.
    """
    n = len(next(iter(data.values()))) if isinstance(data, dict) else len(data)
    by_key = models if isinstance(models, dict) else {"": models}
    _check_columns(data, {c for c in (model, group) if c is not None})
    found, which = levels_of(data, model, n)
    labels, label_of = levels_of(data, group, n)
    _check_models(by_key, found, which, model)
    _check_sources(noises, factors)
    # Keys that mean the same model are one model.
    distinct = tuple({by_key[k].name: by_key[k] for k in found}.values())
    position = np.array([[m.name for m in distinct].index(by_key[k].name) for k in found], dtype=np.int64)
    wanted = labels if groups is None else tuple(groups)
    group_of = _positions(labels, wanted)[label_of]
    model_of = position[which] if n else np.zeros(0, np.int64)
    order = np.lexsort((group_of, model_of))
    needed = {c for m in distinct for c in (*m.predictors, *_grouping(m))}
    needed |= {c for x in noises for c in (x.column, x.by, x.sd) if isinstance(c, str) and c}
    needed |= {f.by for f in factors if f.by}
    _check_columns(data, needed)
    held = {c: np.asarray(data[c])[order] for c in needed}
    coded = {c: levels_of(data, c, n) for c in {x.by for x in (*noises, *factors) if x.by}}
    units = Units(
        held,
        distinct,
        model_of[order],
        group_of[order],
        np.ones(n) if weight is None else np.asarray(weight, float)[order],
        wanted,
        tuple(noises),
        tuple(factors),
        residual,
        order,
        occasion,
        levels={"": ("",)} | {c: labels for c, (labels, _) in coded.items()},
        level={"": np.zeros(n, np.int32)} | {c: index[order] for c, (_, index) in coded.items()},
    )
    _prepare(units)
    return units


def _prepare(units) -> None:
    """Fill in what follows from the rows: levels, standard deviations, masses at the estimates."""
    data, n = units.data, units.n
    for factor in units.factors:
        check_levels(factor, units.levels[factor.by])
    for noise in units.noises:
        units.spread[noise.name] = noise.spread(data, n)
    mean = np.ones(n)
    for factor in units.factors:
        mean = mean * factor.moments(units.levels[factor.by])[0][units.level[factor.by]]
    bare, sd = np.empty(n), np.zeros(n)
    units.places.extend([None] * len(units.models))
    for m, start, stop in units.spans():
        model, rows = units.models[m], slice(start, stop)
        part = {c: np.asarray(data[c][rows]) for c in (*model.predictors, *_grouping(model))}
        columns = {c: part[c].astype(float) for c in model.predictors}
        places = model.places(part, stop - start)
        units.places[m] = places
        bare[rows] = model.centre(columns, places, stop - start)
        if units.residual:
            sd[rows] = model.residual_sd(part, stop - start)
    _check_finite(units, bare, mean)
    for name, value in (("factor_mean", mean), ("bare", bare), ("residual_sd", sd)):
        object.__setattr__(units, name, value)


def _grouping(model) -> tuple[str, ...]:
    return tuple(dict.fromkeys(model.system.groups.values()))


def levels_of(data, column, n) -> tuple[tuple[str, ...], np.ndarray]:
    """Distinct labels of a column, sorted, and the position of each row's label.

    Numbers are written shortest, ``3`` for 3.0; without a column all rows have the label "".

    Raises
    ------
    DataError
        Blank cells, with their records.
    """
    if column is None:
        return ("",), np.zeros(n, np.int32)
    import pandas as pd

    codes, found = pd.factorize(pd.Series(data[column]).reset_index(drop=True), sort=True)
    blank = np.flatnonzero(codes < 0) + 1
    if len(blank):
        shown = ", ".join(map(str, blank[:20])) + (" …" if len(blank) > 20 else "")
        raise DataError(
            tr(
                f"{column}: blank in {len(blank)} records: {shown}",
                f"{column}：{len(blank)} 条记录空缺：{shown}",
            )
        )
    labels = tuple(f"{x:g}" if isinstance(x, (float, np.floating)) else str(x) for x in found)
    return labels, codes.astype(np.int32)


def _positions(labels, wanted) -> np.ndarray:
    place = {str(name): i for i, name in enumerate(wanted)}
    unknown = [name for name in labels if name not in place]
    if unknown:
        raise DataError(
            tr(f"groups that are not expected:\n{listing(unknown)}", f"未列入的分组：\n{listing(unknown)}")
        )
    return np.array([place[name] for name in labels], dtype=np.int64)


def _check_models(by_key, found, which, column) -> None:
    counts = np.bincount(which, minlength=len(found))
    absent = [f"{k} ({c})" for k, c in zip(found, counts, strict=True) if k not in by_key]
    if absent:
        raise DataError(
            tr(
                f"no model for {column} (rows):\n{listing(absent)}\nmodels for: {', '.join(by_key)}",
                f"{column} 的下列取值没有模型（括号内为行数）：\n{listing(absent)}\n已有模型：{'、'.join(by_key)}",
            )
        )


def _check_sources(noises, factors) -> None:
    titles = [PARAMETERS, RESIDUAL, *(x.name for x in (*noises, *factors))]
    twice = sorted({t for t in titles if titles.count(t) > 1})
    if twice:
        raise DataError(
            tr(
                f"two sources of error are called {', '.join(twice)}; give each its own name",
                f"误差来源重名：{'、'.join(twice)}；请使用不同的名称",
            )
        )


def _check_columns(data, needed) -> None:
    known = list(data.keys() if isinstance(data, dict) else data.columns)
    missing = sorted(c for c in needed if c not in known)
    if missing:
        raise DataError(
            tr(
                f"columns missing: {', '.join(missing)}; found: {', '.join(map(str, known))}",
                f"缺少列：{'、'.join(missing)}；现有：{'、'.join(map(str, known))}",
            )
        )


def _check_finite(units, bare, mean) -> None:
    ok = np.isfinite(bare) & np.isfinite(mean) & np.isfinite(units.weight)
    for spread in units.spread.values():
        ok &= np.isfinite(spread) & (spread >= 0)
    if not ok.all():
        rows = np.sort(units.order[~ok]) + 1
        shown = ", ".join(map(str, rows[:20])) + (" …" if len(rows) > 20 else "")
        raise DataError(
            tr(
                f"{len(rows)} records have no finite mass, weight or standard deviation (blank or impossible "
                f"predictors?): records {shown}",
                f"{len(rows)} 条记录的质量、权重或标准差不是有限数（自变量空缺或不可能？）：第 {shown} 条",
            )
        )
