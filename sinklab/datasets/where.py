"""Select records of a frame by the values of its columns."""

import pandas as pd

from sinklab import vocabulary
from sinklab.errors import DataError, listing
from sinklab.language import tr

BOUNDS = ("min", "max")


def select(frame: pd.DataFrame, where, name: str = "data") -> pd.DataFrame:
    """Return the records that fulfil all conditions, with the index and attributes of the frame.

    Parameters
    ----------
    frame : DataFrame
    where : mapping or None
        ``{column: value}``, ``{column: [value, …]}`` or, for numbers, ``{column: {min: …, max: …}}``
        with both ends included. A species may be named by its id, Latin, Chinese or English name.
    name : str
        What the data are called in messages.

    Raises
    ------
    DataError
        A column that is not there, a condition that cannot be read, or no record left, with the
        values that exist.
    """
    if not where:
        return frame
    unknown = [column for column in where if column not in frame]
    if unknown:
        columns = ", ".join(map(str, frame.columns))
        raise DataError(
            tr(
                f"{name}: no column {', '.join(map(str, unknown))}; columns: {columns}",
                f"{name}：没有列 {'、'.join(map(str, unknown))}；已有列：{columns}",
            )
        )
    kept = pd.Series(True, index=frame.index)
    lines = []
    for column, wanted in where.items():
        mask = _mask(frame[column], column, wanted, name)
        kept &= mask
        lines.append(_line(frame[column], column, wanted, mask))
    if not kept.any():
        raise DataError(
            tr(
                f"{name}: no record fulfils all conditions of where:\n{listing(lines)}",
                f"{name}：没有记录满足 where 的全部条件：\n{listing(lines)}",
            )
        )
    chosen = frame[kept]
    chosen.attrs = dict(frame.attrs)
    return chosen


def _mask(values, column, wanted, name) -> pd.Series:
    if isinstance(wanted, dict):
        strange = [key for key in wanted if key not in BOUNDS]
        if strange or not wanted or not pd.api.types.is_numeric_dtype(values):
            raise DataError(
                tr(
                    f"{name}: where {column} = {wanted}; a range holds min, max or both, on a column of numbers",
                    f"{name}：where 中 {column} = {wanted}；范围只含 min、max，且该列应为数值",
                )
            )
        mask = values.notna()
        if "min" in wanted:
            mask &= values >= float(wanted["min"])
        if "max" in wanted:
            mask &= values <= float(wanted["max"])
        return mask
    chosen = list(wanted) if isinstance(wanted, (list, tuple, set)) else [wanted]
    if pd.api.types.is_numeric_dtype(values):
        return values.isin(pd.to_numeric(pd.Series(chosen), errors="coerce").dropna())
    present = set(values.dropna())
    return values.isin([_name(str(item), column, present) for item in chosen])


def _name(item, column, present) -> str:
    """Return the Latin name for a species that was named otherwise."""
    if column == "species" and item not in present:
        try:
            return vocabulary.species(item).name_latin
        except DataError:
            pass
    return item


def _line(values, column, wanted, mask) -> str:
    if pd.api.types.is_numeric_dtype(values):
        span = f"{values.min():g} – {values.max():g}"
    else:
        counts = values.value_counts()
        shown = [f"{value} ({count})" for value, count in counts.head(12).items()]
        span = ", ".join(shown + (["…"] if len(counts) > 12 else []))
    return tr(
        f"{column} = {wanted}: {int(mask.sum())} records; values that exist: {span}",
        f"{column} = {wanted}：{int(mask.sum())} 条；已有值：{span}",
    )
