r"""What a fit needs from the data: columns checked, parts completed from totals, values to start from.

:func:`prepare` finds every fault and counts every gap. :func:`read` sees what a total says of its parts: an
identity that is a plain sum, such as ``agb = stem + branch + foliage``, ties the observations of a tree, and
what its total adds depends on the parts that were weighed as well:

* all parts: nothing, the total is their sum;
* all but one: the missing part, by subtraction;
* fewer: a linear combination :math:`c^T y` of the missing parts. It is normal with mean
  :math:`c^T f` and variance :math:`c^T G \Sigma G c`, together with the parts that were weighed
  (:class:`~sinklab.fitting.likelihood.Terms`).

:func:`start_values` are found from the data, so that nobody has to guess them. A product of powers is a straight
line in logarithms: its starts are the least-squares line. For any other form, many random points are tried at
once, the best ones are refined by Levenberg-Marquardt on relative residuals, and the best of those is taken. The
search is seeded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from sinklab.data.checks import repeated
from sinklab.data.plausibility import has_histories
from sinklab.equations.compile import Layout
from sinklab.equations.parse import names
from sinklab.equations.system import System
from sinklab.language import DataError, EquationError, listing, require_known, tr

#: Columns that name an individual, and columns within which such names are unique.
ID_COLUMNS = ("tree_id", "tree", "id", "树号", "样木号")
WITHIN_COLUMNS = ("study_id", "source_id", "site", "plot_id", "plot", "样地号", "地点")


@dataclass(frozen=True)
class Prepared:
    """Checked data of a fit: the system bound to its columns, the trees used, what was left out."""

    system: System
    frame: pd.DataFrame
    warnings: tuple[str, ...]
    n_read: int


def columns_of(systems: Sequence[System]) -> dict[str, set[str]]:
    """What to read of a file for some systems: ``needed`` as numbers, ``text`` as it is written."""
    names = {n for s in systems for n in (*s.responses, *s.predictors, *s.parameters)}
    groups = {part for s in systems for group in s.groups.values() for part in group.split("/")}
    return {"needed": names - groups, "text": {"species", *groups}}


def prepare(data, system, name: str = "data", totals: bool = False) -> Prepared:
    """Check data against a system and keep the trees that can be used.

    A blank response is a component that was not measured; a tree with a blank predictor, or without
    any response, is left out and counted in the warnings.

    Parameters
    ----------
    data : DataFrame or mapping
        Record ``i + 1`` in messages is the row labelled ``i``, so a part of a file keeps its numbers.
    system : System or str
    name : str
        What the data are called in messages.
    totals : bool
        Keep trees of which nothing but a total of components was weighed.

    Raises
    ------
    DataError
        All faults at once: text or non-finite values, values that are not positive where a power or
        logarithm needs it, negative masses, constant predictors, repeated tree ids, too few trees.
    EquationError
        Names in the equations that the data do not have.
    """
    frame = pd.DataFrame(data)
    if not (pd.api.types.is_integer_dtype(frame.index) and frame.index.is_unique):
        frame = frame.reset_index(drop=True)
    if frame.empty:
        raise DataError(f"{name}: no record", f"{name}：没有记录")
    system = System.parse(system) if isinstance(system, str) else system
    system = system.bind(list(frame.columns))
    # A single parameter is a constant; several without a predictor are a column that was called by another name.
    if not system.parameters or not (system.predictors or len(system.parameters) == len(system.free)):
        raise EquationError(
            f"{system}: expected parameters to fit, and predictors among the columns of the data",
            f"{system}：方程中应有待估参数，并有数据列中的自变量",
        )
    responses = [r for r in system.responses if r in frame.columns]
    problems = _numeric_faults(frame, [*system.predictors, *responses])
    if problems:
        raise DataError(f"{name}: {listing(problems)}")
    frame = frame.assign(**{c: frame[c].astype(float) for c in (*system.predictors, *responses)})
    problems = [
        _fault(i, column, f"{v:g}", tr("0 or above", "不小于 0"))
        for column in responses
        for i, v in frame[column][frame[column] < 0].items()
    ]
    frame, nowhere, silent = _where_equations_speak(frame, system)
    twice, anew = _repeated_ids(frame)
    problems += nowhere + twice
    if problems:
        raise DataError(f"{name}: {listing(problems)}")
    kept, warnings = _usable(frame, system, totals)
    for nest in {g for g in system.groups.values() if "/" in g}:
        kept = kept.assign(**{nest: kept[nest.split("/")].astype(str).agg("/".join, axis=1)})
    problems = _sample_faults(kept, system)
    if problems:
        raise DataError(f"{name}: {listing(problems + list(warnings))}")
    return Prepared(system, kept, (*warnings, *silent, *anew), len(frame))


def _numeric_faults(frame, columns) -> list[str]:
    problems = []
    for column in columns:
        values = frame[column]
        if not pd.api.types.is_numeric_dtype(values):
            text = values[pd.to_numeric(values, errors="coerce").isna() & values.notna()]
            problems += [_fault(i, column, repr(v), tr("a number", "数值")) for i, v in text.items()]
            continue
        infinite = values[np.isinf(values.astype(float))]
        problems += [_fault(i, column, v, tr("a finite number", "有限数值")) for i, v in infinite.items()]
    return problems


#: Parameter values at which an equation is tried.
N_TRIED = 24


def _where_equations_speak(frame, system):
    """The equation decides what a predictor may be: records where it has no value, whatever its parameters are.

    Returns
    -------
    frame : DataFrame
        Responses blank where their equation is 0 and says nothing of its parameters, as a growth curve at age 0.
    faults, notes : list of str
    """
    plain, rng = system.ungrouped(), np.random.default_rng(0)
    free = [r for r in system.free if r in frame]
    columns = {x: frame[x].to_numpy(float) for x in system.predictors}
    shape = len(frame), len(free)
    exists, moves = np.zeros(shape, bool), np.zeros(shape, bool)
    if not columns or not free:
        return frame, [], []
    filled = np.column_stack([~np.isnan(columns[x]) for x in columns]).all(axis=1)[:, None]
    evaluator = plain.compiled(tuple(free)).at(columns, len(frame))
    for _ in range(N_TRIED):
        size = len(plain.parameters)
        theta = 10.0 ** rng.uniform(-2, 0.5, size) * np.where(rng.random(size) < 0.25, -1.0, 1.0)
        with np.errstate(all="ignore"):
            mean, slope = evaluator.mean_and_jacobian(theta)
        finite = np.isfinite(mean) & np.isfinite(slope).all(axis=2)
        exists |= finite
        moves |= finite & ((mean != 0) | (slope != 0).any(axis=2))
        if (~filled | moves).all():
            break
    # 0 to an unknown power has no value either, even if one exponent or another gives it 0.
    power = np.array([system.power_product(r) is not None for r in free])
    nowhere = filled & (~exists | (~moves & power))
    faults = []
    for i in np.flatnonzero(nowhere.any(axis=1)):
        response = free[int(nowhere[i].argmax())]
        low = [x for x in system.inputs_of[response] if x in columns and columns[x][i] <= 0] or list(columns)
        named = tr("above 0", "大于 0") if columns[low[0]][i] <= 0 else tr("a value inside", "在其定义域内")
        expected = tr(f"{named}, where `{response}` has a value", f"{named}（`{response}` 的方程在此才有值）")
        faults.append(_fault(frame.index[i], low[0], f"{columns[low[0]][i]:g}", expected))
    notes, silent = [], filled & exists & ~moves & ~nowhere
    for j, response in enumerate(free):
        rows = frame.index[silent[:, j] & frame[response].notna()]
        if len(rows):
            frame = frame.assign(**{response: frame[response].mask(silent[:, j])})
            shown = ", ".join(str(i + 1) for i in rows[:10]) + (" …" if len(rows) > 10 else "")
            notes.append(
                tr(
                    f"{response} of {len(rows)} records left out: its equation is 0 there whatever its parameters "
                    f"(records {shown})",
                    f"{len(rows)} 条记录的 {response} 未使用：无论参数取何值，方程在此均为 0（记录 {shown}）",
                )
            )
    return frame, faults, notes


def _fault(row, column, found, expected) -> str:
    return tr(
        f"record {row + 1}: {column} = {found}; expected {expected}; correct the value or leave the cell blank",
        f"第 {row + 1} 条记录：{column} = {found}；应为{expected}；请更正或留空",
    )


def refuse_zeros(frame, responses, instead: str = "power:mean") -> None:
    """Stop at responses that have no logarithm.

    Raises
    ------
    DataError
        With every record, and what to use ``instead``.
    """
    problems = []
    for response in responses:
        for i in frame.index[frame[response] == 0]:
            problems.append(
                tr(
                    f"record {i + 1}: {response} = 0 has no logarithm; leave it blank or use {instead}",
                    f"第 {i + 1} 条记录：{response} = 0 不能取对数；请留空或用 {instead}",
                )
            )
    if problems:
        raise DataError(listing(problems))


def _repeated_ids(frame) -> tuple[list[str], list[str]]:
    """Faults of ids that stand twice; numbers that begin anew on the next plot are a note, and no tree is lost."""
    names = [c for c in ID_COLUMNS if c in frame.columns]
    faults, notes = [], []
    keys = [c for c in (*names[:1], *WITHIN_COLUMNS) if c in frame]
    if names and has_histories(frame[frame[names[0]].notna()], keys):
        note = tr(
            "records of several ages of one tree are not independent: group the fit by tree",
            "同一株不同年龄的记录不独立：请按株分组拟合",
        )
        notes.append(f"{names[0]}: {note}")
    for rows, advice, anew in repeated(frame, names[0], WITHIN_COLUMNS) if names else []:
        if anew:
            notes.append(f"{names[0]}: {advice}")
            continue
        value, records = frame[names[0]][rows[0]], ", ".join(str(i + 1) for i in rows)
        value = f"{value:g}" if isinstance(value, float) else value
        faults.append(
            tr(
                f"{names[0]} = {value} stands in records {records}; expected once; {advice}",
                f"{names[0]} = {value} 出现在第 {records} 条记录；应只出现一次；{advice}",
            )
        )
    return faults, notes


def _usable(frame, system, totals):
    warnings = []
    groups = dict.fromkeys(column for group in system.groups.values() for column in group.split("/"))
    blank = frame[[*system.predictors, *groups]].isna()
    for column in blank.columns:
        if blank[column].any():
            count = int(blank[column].sum())
            warnings.append(
                tr(
                    f"{count} of {len(frame)} records left out: {column} is blank",
                    f"{len(frame)} 条记录中有 {count} 条因 {column} 缺失未使用",
                )
            )
    counting = list(system.free)
    if totals:
        found = sums(system, {c: frame[c].to_numpy() for c in system.predictors}, len(frame))
        counting += [r for r in found if r in frame]
    measured = frame[counting].notna().any(axis=1)
    without = int((~measured & ~blank.any(axis=1)).sum())
    if without:
        names = ", ".join(counting)
        warnings.append(
            tr(
                f"{without} of {len(frame)} records left out: none of {names} was measured",
                f"{len(frame)} 条记录中有 {without} 条因 {names} 均未测定未使用",
            )
        )
    return frame[measured & ~blank.any(axis=1)], warnings


def _sample_faults(frame, system) -> list[str]:
    problems = []
    layout = Layout.of(system, frame)
    for response in system.free:
        needed = layout.count(system.own_parameters[response]) + 1
        found = int(frame[response].notna().sum())
        if found < needed:
            problems.append(
                tr(
                    f"{response}: {found} usable records; expected at least {needed} "
                    f"for {needed - 1} parameters; measure more trees or use a simpler equation",
                    f"{response}：可用记录 {found} 条；{needed - 1} 个参数至少需要 {needed} 条；请增加样木或简化方程",
                )
            )
    for column in system.predictors:
        if len(frame) > 1 and np.ptp(frame[column].to_numpy()) == 0:
            problems.append(
                tr(
                    f"{column} is {frame[column].iloc[0]:g} in all {len(frame)} records; a predictor must vary; "
                    "leave it out of the equations",
                    f"{column} 在全部 {len(frame)} 条记录中均为 {frame[column].iloc[0]:g}；自变量应有变化；请从方程中去掉",
                )
            )
    return problems


# Totals of components.
#: Coefficients below this, of rows scaled to one, are rounding.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Combined:
    """Trees with the same pattern: their rows, what was weighed as combinations (q, m), values (n, q)."""

    rows: np.ndarray
    combine: np.ndarray
    values: np.ndarray


def sums(system, columns, n: int) -> dict[str, np.ndarray]:
    """Identities that are sums of free responses with fixed coefficients.

    Parameters
    ----------
    columns : mapping of str to array, shape (n,)
        The predictors.

    Returns
    -------
    coefficients : dict of array, shape (m,)
        One for each free response, by identity.
    """
    rng = np.random.default_rng(0)
    tried = []
    for _ in range(2):
        means = {r: rng.uniform(1.0, 2.0, n) for r in system.free}
        tried.append(system.identity_slopes(means, columns))
    found = {}
    for identity in system.identities:
        rows = [np.array([s[identity].get(r, np.zeros(n)) for r in system.free]) for s in tried]
        both = np.hstack(rows)
        # A ratio has slopes that move with its parts.
        if np.ptp(both, axis=1).max() <= ROUNDING:
            found[identity] = both[:, 0]
    return found


def read(system, frame, columns):
    """Observations of the free responses, completed from totals, and what else totals say.

    Returns
    -------
    y : array, shape (n, m)
    combined : list of Combined
    notes : list of str
        How many trees owe which component to a total.
    """
    y = frame[list(system.free)].to_numpy(float)
    if not any(r in frame for r in system.identities):
        return y, [], []
    known = {r: c for r, c in sums(system, columns, len(frame)).items() if r in frame}
    if not known:
        return y, [], []
    totals = frame[list(known)].to_numpy(float)
    coefficients = np.array(list(known.values()))
    y, combined, derived, refused = _patterns(y, totals, coefficients)
    return y, combined, _notes(system, frame, combined, derived, refused)


def _patterns(y, totals, coefficients):
    y, m = y.copy(), y.shape[1]
    seen = np.hstack([np.isfinite(y), np.isfinite(totals)])
    combined, derived, refused = [], np.zeros(m, int), []
    for mask in np.unique(seen, axis=0):
        parts, whole = mask[:m], mask[m:]
        if parts.all() or not whole.any():
            continue
        rows = np.flatnonzero((seen == mask).all(axis=1))
        rest = totals[np.ix_(rows, whole)] - y[np.ix_(rows, parts)] @ coefficients[whole][:, parts].T
        matrix, rest = _reduced(coefficients[whole][:, ~parts], rest)
        # Parts cannot weigh more than their total; such a total is left out, and named.
        sound = ((rest > 0) | (matrix < 0).any(axis=1)).all(axis=1)
        refused += rows[~sound].tolist()
        rows, rest = rows[sound], rest[sound]
        missing = np.flatnonzero(~parts)
        single = (matrix != 0).sum(axis=1) == 1
        for row, value in zip(matrix[single], rest[:, single].T, strict=True):
            y[rows, missing[np.flatnonzero(row)[0]]] = value
            derived[missing[np.flatnonzero(row)[0]]] += len(rows)
        if single.all() or not len(rows):
            continue
        combine = np.zeros((int((~single).sum()), m))
        combine[:, missing] = matrix[~single]
        weighed = np.flatnonzero(np.isfinite(y[rows[0]]))
        values = np.hstack([y[np.ix_(rows, weighed)], rest[:, ~single]])
        combined.append(Combined(rows, np.vstack([np.eye(m)[weighed], combine]), values))
    return y, combined, derived, refused


def _reduced(matrix, values):
    """Rows of a system of sums in echelon form, those that say nothing left out; values (n, q) alike."""
    matrix, values = matrix.astype(float).copy(), values.copy()
    done = 0
    for column in range(matrix.shape[1]):
        below = np.abs(matrix[done:, column])
        if not len(below) or below.max() <= ROUNDING:
            continue
        pivot = done + int(below.argmax())
        matrix[[done, pivot]], values[:, [done, pivot]] = matrix[[pivot, done]], values[:, [pivot, done]]
        values[:, done] /= matrix[done, column]
        matrix[done] /= matrix[done, column]
        for other in range(len(matrix)):
            if other != done and abs(matrix[other, column]) > ROUNDING:
                values[:, other] -= matrix[other, column] * values[:, done]
                matrix[other] -= matrix[other, column] * matrix[done]
        done += 1
    matrix[np.abs(matrix) <= ROUNDING] = 0.0
    # A row whose coefficients are all negative is turned, so that its value is a mass.
    turn = np.where((matrix[:done] <= 0).all(axis=1), -1.0, 1.0)
    return matrix[:done] * turn[:, None], values[:, :done] * turn


def _notes(system, frame, combined, derived, refused) -> list[str]:
    notes = []
    for name, count in zip(system.free, derived, strict=True):
        if count:
            notes.append(
                tr(
                    f"{name} of {count} trees follows from a total and the other parts",
                    f"{count} 株样木的 {name} 由总量减去其他分量得出",
                )
            )
    through = sum(len(c.rows) for c in combined)
    if through:
        notes.append(
            tr(
                f"{through} trees enter through a total of which several parts were not weighed",
                f"{through} 株样木有多个分量未测，以总量参与拟合",
            )
        )
    if refused:
        shown = ", ".join(str(frame.index[i] + 1) for i in sorted(refused)[:10])
        notes.append(
            tr(
                f"the total of {len(refused)} trees is not above the sum of the parts that were weighed and is "
                f"left out (records {shown}{' …' if len(refused) > 10 else ''}); check them",
                f"{len(refused)} 株样木的总量不大于已测分量之和，未采用其总量（记录 {shown}"
                f"{' …' if len(refused) > 10 else ''}）；请核对",
            )
        )
    return notes


# What was sampled.
#: Columns of the vocabulary that name what was sampled, the one to be preferred first, and how forms write them.
UNITS = ("site", "地点", "plot_id", "plot", "样地号", "stand", "study_id", "研究编号", "source_id")
#: Fewer clusters are no base for an interval.
FEWEST = 3


@dataclass(frozen=True)
class Unit:
    """What was sampled: a column of the data, its levels, and the level of each record."""

    column: str
    levels: np.ndarray
    code: np.ndarray

    @property
    def n(self) -> int:
        """Number of levels."""
        return len(self.levels)

    @property
    def alone(self) -> bool:
        """Whether every record has a level of its own, so that records are independent by design."""
        return self.n == len(self.code)

    @classmethod
    def of(cls, frame: pd.DataFrame, column: str) -> "Unit":
        """Unit of a column; records in which it is blank are units of their own."""
        place, found = pd.factorize(frame[column])
        names = np.array([*(str(value).strip() for value in found), ""], object)[place]
        blank = names == ""
        names[blank] = [f"#{i + 1}" for i in frame.index[blank]]
        levels, code = np.unique(names.astype(str), return_inverse=True)
        return cls(column, levels, code)


def sampled_unit(frame, system, cluster: str | None, declared: str | None = None) -> Unit | None:
    """Find the unit that was sampled; None where nothing tells it.

    Parameters
    ----------
    frame : DataFrame
        The records used.
    system : System
        Columns whose levels have coefficients of their own are no clusters.
    cluster : str, optional
        A column, ``"none"`` for independent records; None looks for a column.
    declared : str, optional
        Column that the data say was sampled.

    Raises
    ------
    DataError
        No such column, or one with fewer than three levels or with coefficients of its own.
    """
    if cluster == "none":
        return None
    own = set(system.groups.values())
    if cluster is not None:
        require_known([cluster], frame.columns)
        unit = Unit.of(frame, cluster)
        if cluster in own or unit.n < FEWEST:
            raise DataError(
                f"cluster {cluster!r}: its {unit.n} levels have coefficients of their own, or are fewer than {FEWEST}",
                f"聚群列 {cluster!r}：其 {unit.n} 个水平各有自己的系数，或少于 {FEWEST} 个",
            )
        return unit
    for column in (declared, *UNITS):
        if column and column in frame and column not in own:
            unit = Unit.of(frame, column)
            if unit.n >= FEWEST:
                return unit
    return None


# Start values.
N_CANDIDATE = 2000
N_REFINED = 6


def start_values(system, frame, given=None, seed: int = 0) -> dict[str, float]:
    """Start values for all parameters of a system.

    Parameters
    ----------
    system : System
        Bound to the columns of ``frame``.
    frame : DataFrame
        Predictors and responses; NaN where a component is missing.
    given : mapping, optional
        Values that the user wants to start from; they are kept.
    seed : int

    Returns
    -------
    start : dict
        Value by parameter name.
    """
    found = dict(given or {})
    rng = np.random.default_rng(seed)
    known = {c: frame[c].to_numpy(float) for c in system.predictors} or {"": np.zeros(len(frame))}
    if _shared(system):
        _lines(system, frame, found, known)
    for response in system.responses:
        missing = [p for p in system.own_parameters[response] if p not in found]
        if missing:
            y, form, line = frame[response].to_numpy(float), system.power_product(response), None
            if form is not None and len(missing) == len(system.own_parameters[response]):
                line = _line_in_logs(form, y, known)
            found |= line or _search(system, response, missing, found, y, known, rng)
        predicted = system.written_mean(response, found, known)
        measured = frame[response].to_numpy(float) if response in frame else np.full(len(frame), np.nan)
        known[response] = np.where(np.isfinite(measured) & (measured > 0), measured, predicted)
    if _shared(system) and not given:
        return _together(system, frame, found, rng)
    return found


def _lines(system, frame, found, known) -> None:
    """Find what stands in products of powers, those with earlier left sides that were measured included.

    Where a total controls its parts, as in ``branch = r1 * dbh**s1 * stem``, this takes the shares from the parts, so that
    little is left to search for in the equation that holds all of them.
    """
    measured = known | {r: frame[r].to_numpy(float) for r in system.responses if r in frame}
    for response in system.responses:
        form = system.power_product(response)
        inputs = system.inputs_of[response]
        if form is None or response not in frame or not all(x in measured for x in inputs):
            continue
        missing = [p for p in form.parameters if p not in found]
        if missing and len(missing) == len(form.parameters):
            found |= _line_in_logs(form, frame[response].to_numpy(float), measured) or {}


def _shared(system) -> bool:
    """Whether a parameter stands in several equations, as they are written."""
    written = [
        name for e in system.equations for name in {n.name for n in names(e.right)} & set(system.parameters)
    ]
    return len(written) > len(set(written))


def _together(system, frame, found, rng) -> dict[str, float]:
    """Start of a system whose equations share parameters: relative least squares over all of them at once."""
    names, free = list(system.parameters), list(system.free)
    y = frame[free].to_numpy(float)
    seen = np.isfinite(y)
    floor = 0.05 * np.nanmedian(np.abs(y), axis=0) + np.abs(y)
    columns = {c: frame[c].to_numpy(float) for c in system.predictors}
    evaluator = system.ungrouped().compiled(free).at(columns, len(frame))
    # A mass below zero may lie near those that were weighed, but no fit can begin there.
    positive = np.nanmin(y, axis=0, initial=np.inf) > 0

    def residual(values):
        with np.errstate(all="ignore"):
            mean = evaluator.mean(values)
            out = np.where(positive & (mean <= 0), np.inf, (y - mean) / floor)[seen]
        return np.where(np.isfinite(out), np.clip(out, -1e6, 1e6), 1e6)

    begin = np.array([found[p] for p in names])
    spread = begin * np.exp(rng.normal(0, 0.5, (N_CANDIDATE // 2, len(names))))
    wide = 10.0 ** rng.uniform(-2, 0.5, (N_CANDIDATE // 2, len(names)))
    signs = np.where(rng.random(wide.shape) < 0.3, -1.0, 1.0)
    candidates = np.vstack([begin, spread, wide * signs])
    costs = np.array([np.sum(np.minimum(residual(c) ** 2, 100.0)) for c in candidates])
    tried = [0, *(int(i) for i in np.argsort(costs)[:N_REFINED])]
    refined = [least_squares(residual, candidates[i], x_scale="jac", max_nfev=400) for i in tried]
    best = min(refined, key=lambda r: r.cost)
    return dict(zip(names, map(float, best.x), strict=True))


def _line_in_logs(form, y, known) -> dict[str, float] | None:
    use = np.isfinite(y) & (y > 0)
    design, offset = form.design(known)
    design, target = design[use], np.log(y[use]) - offset[use]
    if not np.isfinite(design).all() or not np.isfinite(target).all() or use.sum() < design.shape[1]:
        return None
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    values = dict(zip(form.parameters, map(float, solution), strict=True))
    if not form.log:
        values[form.coefficient] = float(np.exp(min(values[form.coefficient], 700.0)))
    return values


def _search(system, response, missing, fixed, y, known, rng) -> dict[str, float]:
    use = np.isfinite([y, *(known[x] for x in system.inputs_of[response])]).all(axis=0)
    inputs = {x: known[x][use] for x in system.inputs_of[response]}
    target = y[use]
    size = max(float(np.median(np.abs(target))), 1e-12)
    floor = 0.05 * size + np.abs(target)

    def residual(values):
        with np.errstate(all="ignore"):
            mean = system.written_mean(response, fixed | dict(zip(missing, values, strict=True)), inputs)
        out = (target - mean) / floor
        return np.where(np.isfinite(out), np.clip(out, -1e6, 1e6), 1e6)

    candidates = _candidates(len(missing), size, rng)
    costs = np.array([np.sum(np.minimum(residual(c) ** 2, 100.0)) for c in candidates])
    best, best_cost = candidates[int(np.argmin(costs))], np.inf
    for index in np.argsort(costs)[:N_REFINED]:
        refined = least_squares(residual, candidates[index], x_scale="jac", max_nfev=400)
        if refined.cost < best_cost:
            best, best_cost = refined.x, refined.cost
    return dict(zip(missing, map(float, best), strict=True))


def _candidates(k: int, size: float, rng) -> np.ndarray:
    """Random points: orders of magnitude around one and around the size of the response."""
    magnitude = 10.0 ** rng.uniform(-4, 1, (N_CANDIDATE, k))
    large = size * 10.0 ** rng.uniform(-1, 1, (N_CANDIDATE, k))
    values = np.where(rng.random((N_CANDIDATE, k)) < 0.25, large, magnitude)
    return values * np.where(rng.random((N_CANDIDATE, k)) < 0.15, -1.0, 1.0)
