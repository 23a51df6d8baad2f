"""What is to be sampled: which coefficients are common, which vary by group, what is measured."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sinklab.equations.compile import Compiled
from sinklab.equations.forms import power_product
from sinklab.equations.groups import Layout
from sinklab.equations.tree import Where
from sinklab.errors import DataError, listing
from sinklab.fit import totals
from sinklab.fit.likelihood import find_patterns
from sinklab.fit.variance import parse_variance
from sinklab.language import tr

POOLS = ("correlated", "independent", "none")


@dataclass(frozen=True)
class Block:
    """Coefficients that vary by one column and are partially pooled over its levels."""

    column: str
    parameters: tuple[str, ...]
    levels: tuple[str, ...]
    rows: np.ndarray
    correlated: bool


@dataclass(frozen=True)
class Spec:
    """The model of one fit and its data.

    ``y`` (n, m) holds the free responses in the order of :attr:`free`, those measured most often first,
    NaN where a component is missing. ``common`` lists the coefficients that are not pooled, by name and
    level. ``errors`` gives the standard deviation (n,) of the predictors that were measured with error.
    """

    system: object
    layout: Layout
    free: tuple[str, ...]
    functions: dict
    columns: dict
    y: np.ndarray
    combined: tuple
    common: tuple[tuple[str, str], ...]
    common_rows: dict
    blocks: tuple[Block, ...]
    positive: frozenset[str]
    correlated: bool
    errors: dict
    notes: tuple[str, ...]

    @cached_property
    def compiled(self) -> Compiled:
        """Means of the free responses, in the order of :attr:`free`."""
        return Compiled(self.system.equations, self.free, self.system.parameters)

    @cached_property
    def patterns(self):
        """Rows with the same components, those that only a combination was weighed of left out."""
        seen = np.isfinite(self.y)
        for part in self.combined:
            seen[part.rows] = False
        return find_patterns(seen)

    @cached_property
    def used(self) -> np.ndarray:
        """Rows that say something of the responses."""
        rows = [p.rows for p in self.patterns] + [c.rows for c in self.combined]
        return np.sort(np.concatenate(rows))

    def is_lognormal(self, j: int) -> bool:
        """Whether the residual of equation ``j`` is lognormal."""
        return self.functions[self.free[j]].kind == "lognormal"


def read_spec(prepared, variance, pool, measurement_error, correlated) -> Spec:
    """Settle the model from the options of a fit.

    Raises
    ------
    DataError
        Zeros where a lognormal needs positive values, unknown options, all at once for each kind.
    """
    system, frame = prepared.system, prepared.frame
    functions = parse_variance(variance, system.free, system.predictors)
    logged = [r for r in system.free if functions[r].kind == "lognormal"]
    _refuse_zeros(frame, logged)
    columns = {c: frame[c].to_numpy(float) for c in system.predictors}
    y, combined, notes = frame[list(system.free)].to_numpy(float), (), ()
    if not logged:
        # A sum of lognormal parts has no density in closed form.
        y, combined, notes = totals.read(system, frame, columns)
    else:
        notes = _unused_totals(system, frame)
    order = np.argsort(-np.isfinite(y).sum(axis=0), kind="stable")
    combined = tuple(totals.Combined(c.rows, c.combine[:, order], c.values) for c in combined)
    kinds = _pool_kinds(system, pool)
    blocks, common, common_rows = _coefficients(system, frame, kinds)
    return Spec(
        system=system,
        layout=Layout.of(system, frame),
        free=tuple(system.free[j] for j in order),
        functions={system.free[j]: functions[system.free[j]] for j in order},
        columns=columns,
        y=y[:, order],
        combined=combined,
        common=common,
        common_rows=common_rows,
        blocks=blocks,
        positive=_positive(system),
        correlated=correlated and len(system.free) > 1,
        errors=_errors(system, frame, measurement_error),
        notes=tuple(notes),
    )


def _refuse_zeros(frame, logged):
    problems = []
    for response in logged:
        rows = frame.index[frame[response] <= 0]
        if len(rows):
            records = ", ".join(str(i + 1) for i in rows[:20])
            problems.append(
                tr(
                    f"{response} is 0 in records {records}; lognormal residuals need values above 0; "
                    "leave the cell blank or use variance power:mean",
                    f"第 {records} 条记录的 {response} 为 0；对数正态误差要求大于 0；请留空或改用 power:mean",
                )
            )
    if problems:
        raise DataError(listing(problems))


def _unused_totals(system, frame) -> tuple[str, ...]:
    """Tell of trees of which only a total was weighed."""
    count = int(frame[list(system.free)].isna().all(axis=1).sum())
    if not count:
        return ()
    return (
        tr(
            f"{count} records have a total only, which lognormal residuals cannot use",
            f"{count} 条记录只有总量，对数正态误差无法使用",
        ),
    )


def _pool_kinds(system, pool) -> dict[str, str]:
    """How the coefficients of each group column are pooled."""
    columns = tuple(dict.fromkeys(system.groups.values()))
    if pool is None or isinstance(pool, str):
        pool = dict.fromkeys(columns, pool or "correlated")
    unknown = [c for c in pool if c not in columns]
    wrong = [k for k in pool.values() if k not in POOLS]
    if unknown or wrong:
        raise DataError(
            tr(
                f"pool = {pool}; expected one of {POOLS} for each of the group columns "
                f"{list(columns)}; a coefficient varies by group when it is written a[{(*columns, 'species')[0]}]",
                f"pool = {pool}；应对每个分组列 {list(columns)} 给出 {POOLS} 之一；"
                f"按组变化的系数写作 a[{(*columns, 'species')[0]}]",
            )
        )
    return {c: pool.get(c, "correlated") for c in columns}


def _coefficients(system, frame, kinds):
    blocks, common, common_rows = [], [], {}
    for column, kind in kinds.items():
        levels, rows = np.unique(frame[column].astype(str), return_inverse=True)
        names = tuple(p for p in system.parameters if system.groups.get(p) == column)
        if kind == "none":
            for name in names:
                common_rows[name] = len(common) + rows
                common += [(name, level) for level in levels]
            continue
        if len(levels) < 2:
            raise DataError(
                tr(
                    f"{column} has one level, {levels[0]!r}; pooling needs at least two; "
                    f"write {', '.join(names)} without [{column}]",
                    f"{column} 只有一个水平 {levels[0]!r}；部分汇集至少需要两个；请去掉 [{column}]",
                )
            )
        correlated = kind == "correlated" and len(names) > 1
        blocks.append(Block(column, names, tuple(map(str, levels)), rows, correlated))
    for name in system.parameters:
        if name not in system.groups:
            common_rows[name] = len(common)
            common.append((name, ""))
    return tuple(blocks), tuple(common), common_rows


def branches(system) -> list:
    """Right sides as written, each branch of a segmented equation by itself."""
    waiting, found = [e.right for e in system.equations], []
    while waiting:
        tree = waiting.pop()
        if isinstance(tree, Where):
            waiting += [tree.yes, tree.no]
        else:
            found.append(tree)
    return found


def _positive(system) -> frozenset[str]:
    """Coefficients that must be positive, because a mean is a multiple of them; sampled as logarithms."""
    forms = [power_product(tree, set(system.parameters)) for tree in branches(system)]
    return frozenset(form.coefficient for form in forms if form is not None and not form.log)


def _errors(system, frame, measurement_error) -> dict[str, np.ndarray]:
    errors, problems = {}, []
    for name, sd in (measurement_error or {}).items():
        if name not in system.predictors:
            problems.append(
                tr(
                    f"{name} is not a predictor ({', '.join(system.predictors)})",
                    f"{name} 不是自变量（{'、'.join(system.predictors)}）",
                )
            )
            continue
        if isinstance(sd, str):
            if sd not in frame:
                problems.append(tr(f"{name}: no column {sd!r}", f"{name}：没有列 {sd!r}"))
                continue
            sd = frame[sd]
        sd = np.broadcast_to(np.asarray(sd, float), len(frame))
        if not (np.isfinite(sd).all() and (sd > 0).all()):
            problems.append(
                tr(
                    f"{name}: standard deviations of the measurement must be positive",
                    f"{name}：测量标准差须为正",
                )
            )
            continue
        errors[name] = sd
    if problems:
        raise DataError(f"measurement_error: {listing(problems)}")
    return errors
