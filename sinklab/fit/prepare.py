"""What a fit needs from the data: the columns, checked, with every fault and every gap counted."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sinklab.equations import System
from sinklab.equations.groups import Layout
from sinklab.equations.parts import own_parameters
from sinklab.errors import DataError, listing
from sinklab.fit.totals import sums
from sinklab.language import tr

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
        raise DataError(tr(f"{name}: no record", f"{name}：没有记录"))
    system = System.parse(system) if isinstance(system, str) else system
    system = system.bind(list(frame.columns))
    responses = [r for r in system.responses if r in frame.columns]
    problems = _numeric_faults(frame, [*system.predictors, *responses])
    if problems:
        raise DataError(f"{name}: {listing(problems)}")
    frame = frame.assign(**{c: frame[c].astype(float) for c in (*system.predictors, *responses)})
    problems = _value_faults(frame, system.predictors, responses) + _repeated_ids(frame)
    if problems:
        raise DataError(f"{name}: {listing(problems)}")
    kept, warnings = _usable(frame, system, totals)
    problems = _sample_faults(kept, system)
    if problems:
        raise DataError(f"{name}: {listing(problems + list(warnings))}")
    return Prepared(system, kept, tuple(warnings), len(frame))


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


def _value_faults(frame, predictors, responses) -> list[str]:
    problems = []
    for column in predictors:
        low = frame[column][frame[column] <= 0]
        problems += [_fault(i, column, f"{v:g}", tr("above 0", "大于 0")) for i, v in low.items()]
    for column in responses:
        low = frame[column][frame[column] < 0]
        problems += [_fault(i, column, f"{v:g}", tr("0 or above", "不小于 0")) for i, v in low.items()]
    return problems


def _fault(row, column, found, expected) -> str:
    return tr(
        f"record {row + 1}: {column} = {found}; expected {expected}; correct the value or leave the cell blank",
        f"第 {row + 1} 条记录：{column} = {found}；应为{expected}；请更正或留空",
    )


def _repeated_ids(frame) -> list[str]:
    names = [c for c in ID_COLUMNS if c in frame.columns]
    if not names:
        return []
    keys = [names[0], *(c for c in WITHIN_COLUMNS if c in frame.columns)]
    filled = frame[frame[names[0]].notna()]
    problems = []
    for _, part in filled[filled.duplicated(keys, keep=False)].groupby(keys, dropna=False, sort=False):
        value, records = part[names[0]].iloc[0], ", ".join(str(i + 1) for i in part.index)
        value = f"{value:g}" if isinstance(value, float) else value
        problems.append(
            tr(
                f"{names[0]} = {value} stands in records {records}; expected once; "
                "remove the copy or give the tree its own id",
                f"{names[0]} = {value} 出现在第 {records} 条记录；应只出现一次；请删除重复记录或另行编号",
            )
        )
    return problems


def _usable(frame, system, totals):
    warnings = []
    groups = dict.fromkeys(system.groups.values())
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
        needed = layout.count(own_parameters(system, response)) + 1
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
