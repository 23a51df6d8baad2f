"""Using a table: which model applies to which row, and which number bears a name."""

import numpy as np
import pandas as pd

from sinklab.errors import TableError
from sinklab.language import tr
from sinklab.tabular import is_number


def choose_model(models, key, ref: str) -> int:
    """Position of the model with an id or label; of the only model when ``key`` is None.

    Raises
    ------
    TableError
        No such model, none at all, or several and no key.
    """
    if models is None:
        raise TableError(
            tr(
                f"{ref}: the table holds values but no model; use values.csv",
                f"{ref}：该表只有标量参数，没有模型；请使用 values.csv",
            )
        )
    labels = ", ".join(_name(row) for row in models.to_dict("records"))
    if key is None:
        if len(models) == 1:
            return 0
        raise TableError(
            tr(
                f"{ref}: {len(models)} models; choose one with model=: {labels}",
                f"{ref}：有 {len(models)} 个模型；请用 model= 选择：{labels}",
            )
        )
    for column in ("model_id", "label", "label_zh"):
        hits = [i for i, name in enumerate(models[column]) if name == key]
        if hits:
            return hits[0]
    raise TableError(
        tr(f"{ref}: no model {key!r}; there are: {labels}", f"{ref}：没有模型 {key!r}；现有：{labels}")
    )


def _name(row) -> str:
    return row["model_id"] if row["label"] in ("", row["model_id"]) else f"{row['model_id']} ({row['label']})"


def predict_by_group(fits, models, column, data, ref, **options) -> pd.DataFrame:
    """Predict each row with the model of its group.

    Parameters
    ----------
    fits : sequence of FitResult
    models : DataFrame
        ``models.csv``, rows in the order of ``fits``.
    column : str
        Column of ``data`` that holds the group levels.
    **options
        See :func:`sinklab.prediction.predict`.

    Raises
    ------
    TableError
        The column is absent, or holds levels without a model; all levels at once.
    """
    if column not in data:
        raise TableError(
            tr(
                f"{ref} has one model per {column}; the data have no such column (or choose one with model=)",
                f"{ref} 按 {column} 分别建模；数据中没有该列（也可用 model= 指定模型）",
            )
        )
    chosen = _positions(data[column], models)
    if chosen.isna().any():
        unknown = ", ".join(sorted({str(level) for level in data[column][chosen.isna().to_numpy()]}))
        known = ", ".join(models["group_level"])
        raise TableError(
            tr(
                f"{ref}: no model for {column} = {unknown}; there are: {known}",
                f"{ref}：没有适用于 {column} = {unknown} 的模型；现有：{known}",
            )
        )
    row = np.arange(len(data))
    parts = []
    for position, fit in enumerate(fits):
        mine = (chosen == position).to_numpy()
        if mine.any():
            parts.append(fit.predict(data[mine], **options).set_index(row[mine]))
    joined = pd.concat(parts).sort_index() if parts else fits[0].predict(data, **options)
    joined.index = data.index
    return joined


def _positions(levels, models) -> pd.Series:
    """Position of the model of each row, NaN without one; Chinese names and 1 for 1.0 are understood."""
    names = {name: i for i, name in enumerate(models["label_zh"])}
    names |= {name: i for i, name in enumerate(models["group_level"])}
    if pd.api.types.is_numeric_dtype(levels.dtype):
        names = {float(name): i for name, i in names.items() if is_number(name)}
        return levels.astype(float).map(names)
    return levels.astype(object).map(lambda level: names.get(str(level))).astype(float)


def find_number(frames, name, column, model, ref):
    """One cell of ``coefficients.csv`` or ``values.csv``; see :meth:`sinklab.tables.Table.value`."""
    candidates = []
    if "coefficients" in frames:
        frame = frames["coefficients"]
        if model is not None:
            key = frames["models"]["model_id"].iloc[choose_model(frames["models"], model, ref)]
            frame = frame[frame["model_id"] == key]
        standing = frames["models"][["model_id", "status", "source"]]
        candidates.append((_named(frame, name).merge(standing, on="model_id"), column))
    if "values" in frames and model is None:
        frame = frames["values"]
        wanted = {"value": "mean", "source": "sources"}.get(column, column)
        candidates.append((_named(frame, name), wanted))
    hits = [(row, wanted) for frame, wanted in candidates for row in frame.to_dict("records")]
    if len(hits) != 1:
        raise TableError(_not_one(frames, name, hits, ref))
    row, wanted = hits[0]
    if wanted not in row:
        raise TableError(
            tr(
                f"{ref}: {name} has no column {column!r}; there are: {', '.join(row)}",
                f"{ref}：{name} 没有列 {column!r}；现有：{'、'.join(row)}",
            )
        )
    return row[wanted]


def _labels(frame) -> pd.Series:
    grouped = frame["name"] + "[" + frame["group"] + "]"
    return frame["name"].where(frame["group"] == "", grouped)


def _named(frame, name) -> pd.DataFrame:
    exact = frame[_labels(frame) == name]
    # A bare name is enough when only one row has it.
    return exact if len(exact) else frame[frame["name"] == name]


def _not_one(frames, name, hits, ref) -> str:
    if hits:
        found = ", ".join(
            f"{row['name']}[{row['group']}]"
            if row["group"]
            else f"{row['name']} ({row.get('model_id', 'values')})"
            for row, _ in hits
        )
        return tr(
            f"{ref}: {len(hits)} numbers are called {name!r}: {found}; name the group or the model",
            f"{ref}：有 {len(hits)} 个数名为 {name!r}：{found}；请指明分组或模型",
        )
    there = [_labels(frames[f]) for f in ("coefficients", "values") if f in frames]
    known = ", ".join(dict.fromkeys(pd.concat(there))) if there else "–"
    return tr(
        f"{ref}: no number {name!r}; there are: {known}", f"{ref}：没有名为 {name!r} 的数；现有：{known}"
    )
