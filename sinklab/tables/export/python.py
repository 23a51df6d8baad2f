"""A table as one Python file that needs numpy, pandas and scipy, and nothing of sinklab."""

import math

from sinklab.language import tr
from sinklab.tables.export.program import PYTHON, PYTHON_QUANTILES, Lines, group_keys, heading, program_of

_HEAD = """
import numpy as np
import pandas as pd
from scipy import stats

"""

_TOOLS = '''

def log0(x):
    """Logarithm, 0 where x is 0."""
    return np.log(np.where(x == 0, 1.0, x))


def _limits(out, name, mean, gradient, covariance, extra, freedom, lowest, level, kind, median=None):
    """Put mean, standard error and limits of one response into ``out``."""
    variance = np.clip(np.einsum("ij,jk,ik->i", gradient, covariance, gradient), 0, None)
    quantile = stats.t.ppf(0.5 + level / 2, freedom)
    mean = np.broadcast_to(np.asarray(mean, float), variance.shape)
    se = np.sqrt(variance)
    if median is not None:
        spread, base = (se / mean) ** 2, mean
        if kind == "individual":
            spread, base = spread + extra, median
        half = quantile * np.sqrt(spread)
        lower, upper = base * np.exp(-half), base * np.exp(half)
    else:
        if kind == "individual":
            variance = variance + np.clip(extra, 0, None)
        half = quantile * np.sqrt(variance)
        lower, upper = np.maximum(mean - half, lowest), mean + half
    out[name], out[f"{name}_se"] = mean, se
    out[f"{name}_lower"], out[f"{name}_upper"] = lower, upper


def _ranges(out, data, ranges):
    """Flag rows outside the validity range and say which predictor is outside."""
    notes = [[] for _ in range(len(data))]
    for name, (low, high) in ranges.items():
        values = np.asarray(data[name], float)
        slack = 1e-9 * max(abs(low), abs(high))
        for i in np.flatnonzero((values < low - slack) | (values > high + slack)):
            notes[i].append(f"{name} = {values[i]:g} %s {low:g}–{high:g}")
    out["out_of_range"] = [bool(note) for note in notes]
    out["range_note"] = ["; ".join(note) for note in notes]
'''


def write(table, level: float, kind: str) -> bytes:
    """Python source of a table; see :func:`sinklab.tables.export.export`."""
    text = '"""' + heading(table).replace("\\", "\\\\").replace('"', "'") + '"""\n' + _HEAD
    text += f"TABLE = {table.ref!r}\nSTATUS = {table.status!r}\n"
    if table.models:
        text += _TOOLS.replace("%s", tr("outside", "超出"))
        keys = list(table.frames["models"]["model_id"])
        for i, model in enumerate(table.models, start=1):
            text += _model(i, model)
        text += _predict(table, keys, level, kind)
    if len(table.values):
        text += _values(table)
    return text.encode("utf-8")


def _model(number, model) -> str:
    p = program_of(model)
    lines = Lines(p, PYTHON, "python", "=")
    names, system = lines.names, model.system
    matrix = ",\n    ".join(repr(row) for row in model.covariance.to_numpy().tolist())
    out = f"\n\n_COVARIANCE_{number} = np.array([\n    {matrix},\n])\n"
    out += f"_RANGES_{number} = { ({x: model.ranges[x] for x in system.predictors})!r}\n"
    groups = dict.fromkeys(system.groups.values())
    body = [f'{names[x]} = np.asarray(data["{x}"], float)' for x in system.predictors]
    body += [f'{names[g]} = np.asarray(data["{g}"]).astype(str)' for g in groups]
    body += _parameters(model, names)
    body += ["", *lines.means(), "", "n = len(data)", "out = pd.DataFrame(index=range(n))"]
    body += lines.residual_deviations()
    for response in system.responses:
        body += ["", f"gradient = np.zeros((n, {len(model.labels)}))"]
        for position, column, level, text in lines.gradient(response):
            factor = f" * ({names[column]} == {level!r})" if column else ""
            body.append(f"gradient[:, {position}] = {f'({text})' if column else text}{factor}")
        median = f", {lines.median(response)}" if response in p.median else ""
        body.append(
            f"_limits(out, {response!r}, {names[response]}, gradient, _COVARIANCE_{number}, "
            f"{lines.extra(response)}, {_float(p.freedom[response])}, {_float(p.floor[response])}, "
            f"level, kind{median})"
        )
    body += ["", f"_ranges(out, data, _RANGES_{number})", "return out"]
    code = "\n".join(f"    {line}" if line else "" for line in body)
    return out + f"\n\ndef _model_{number}(data, level, kind):\n{code}\n"


def _parameters(model, names) -> list[str]:
    lines = []
    for name, part in model.parameters.groupby("name", sort=False):
        column = model.system.groups.get(name)
        if column is None:
            lines.append(f"{names[name]} = {float(part['value'].iloc[0])!r}")
            continue
        known = dict(zip(part["group"], map(float, part["value"]), strict=True))
        lines.append(f"{names[name]} = np.array([{known!r}[level_] for level_ in {names[column]}])")
    return lines


def _float(value: float) -> str:
    if math.isinf(value):
        return "np.inf" if value > 0 else "-np.inf"
    return repr(float(value))


def _predict(table, keys, level, kind) -> str:
    frame = table.frames["models"]
    column = frame["group_column"].iloc[0]
    models = ", ".join(f"{key!r}: _model_{i}" for i, key in enumerate(keys, start=1))
    out = f"\n\nMODELS = {{{models}}}\n"
    doc = '"""Predict every response; see the head of this file for units and status."""'
    if not column:
        default = f"{keys[0]!r}" if len(keys) == 1 else ""
        given = f"model={default}" if default else "model"
        first = (
            f"data, {given}, level={level!r}, kind={kind!r}"
            if default
            else (f"data, model, level={level!r}, kind={kind!r}")
        )
        out += f"\n\ndef predict({first}):\n    {doc}\n    _check(kind)\n"
        out += "    out = MODELS[model](data, level, kind)\n"
    else:
        levels = group_keys(frame)
        out += f"LEVELS = {levels!r}\n"
        out += f"\n\ndef predict(data, level={level!r}, kind={kind!r}):\n    {doc}\n    _check(kind)\n"
        out += f"    chosen = np.asarray(data[{column!r}]).astype(str)\n"
        out += "    unknown = sorted(set(chosen) - set(LEVELS))\n    if unknown:\n"
        out += '        raise ValueError(f"no model for {unknown}; there are {list(LEVELS)}")\n'
        out += "    rows, parts = np.arange(len(data)), []\n    for name, key in LEVELS.items():\n"
        out += "        mine = chosen == name\n        if mine.any():\n"
        out += "            part = MODELS[key](data[mine], level, kind)\n"
        out += "            parts.append(part.set_index(rows[mine]))\n"
        out += "    out = pd.concat(parts).sort_index()\n"
    out += "    out.index = data.index\n    return out\n"
    out += '\n\ndef _check(kind):\n    if kind not in ("mean", "individual"):\n'
    out += "        raise ValueError(f\"kind must be 'mean' or 'individual', found {kind!r}\")\n"
    return out


def _values(table) -> str:
    columns = ("name", "group", "variable", "unit", "mean", "se", "sd", "family", "p1", "p2", "q025", "q975")
    rows = [[_plain(row[c]) for c in columns] for row in table.values.to_dict("records")]
    shown = ",\n    ".join(repr(tuple(row)) for row in rows)
    out = f"\n\nVALUES = pd.DataFrame([\n    {shown},\n], columns={list(columns)!r})\n"
    families = "\n".join(
        f'        case "{family}":\n            return {code}' for family, code in PYTHON_QUANTILES.items()
    )
    return (
        out
        + f'''

def value(name):
    """One scalar value: a row of VALUES by its name."""
    found = VALUES[VALUES["name"] == name]
    if len(found) != 1:
        raise ValueError(f"{{len(found)}} values are called {{name!r}}")
    return found.iloc[0]


def quantile(name, q):
    """Value below which a share ``q`` of the quantity lies."""
    row = value(name)
    p1, p2 = row["p1"], row["p2"]
    match row["family"]:
{families}
    raise ValueError(f"{{name}} has no distribution")
'''
    )


def _plain(cell):
    if isinstance(cell, str) or cell is None:
        return cell
    number = float(cell)
    return None if math.isnan(number) else number
