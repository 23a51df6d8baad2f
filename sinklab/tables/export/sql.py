"""A table as an SQL view over a table of trees.

The view names its input once, in the part called ``source``: a table ``trees`` with the key
``tree_id``, the predictors in the units of the table, and the group column when there is one. SQL has
no quantile of Student's t, so level and kind of the intervals are fixed when the view is written.
Works where ``WITH … AS MATERIALIZED`` and the functions ``ln``, ``exp``, ``sqrt`` and ``power``
exist: SQLite 3.35 and PostgreSQL 12, or later.
"""

import math

from scipy import stats

from sinklab.language import TableError, tr
from sinklab.tables.export.program import SQL, Lines, group_keys, heading, program_of

KEY = "tree_id"
TREES = "trees"


def write(table, level: float, kind: str) -> bytes:
    """SQL script of a table; see :func:`sinklab.tables.export.export`."""
    text = "".join(f"-- {line}".rstrip() + "\n" for line in heading(table).splitlines())
    if table.models:
        text += _view(table, level, kind)
    if len(table.values):
        text += _values(table)
    return text.encode("utf-8")


def name(text) -> str:
    """A name as SQL quotes it."""
    return '"' + str(text).replace('"', '""') + '"'


def string(text) -> str:
    """A text as SQL writes it."""
    return "'" + str(text).replace("'", "''").replace("\0", "") + "'"


def number(value) -> str:
    """A number as SQL writes it, NULL for none."""
    return SQL.number(float(value)) if value is not None and math.isfinite(value) else "NULL"


def _view(table, level, kind) -> str:
    frame = table.frames["models"]
    column = frame["group_column"].iloc[0]
    if not column and len(table.models) > 1:
        labels = ", ".join(frame["model_id"])
        raise TableError(
            tr(
                f"{table.ref}: {len(table.models)} models and no column that chooses one ({labels}); "
                "a view cannot tell which applies",
                f"{table.ref}：有 {len(table.models)} 个模型但没有选择列（{labels}）；视图无法判断适用哪一个",
            )
        )
    predictors = dict.fromkeys(x for m in table.models for x in m.system.predictors)
    groups = dict.fromkeys(g for m in table.models for g in m.system.groups.values())
    groups |= {column: None} if column else {}
    own = [f"    1.0e0 * {name(x)} AS {name(x)}" for x in predictors] + [f"    {name(g)}" for g in groups]
    parts = [f"source AS (\n  SELECT\n    {name(KEY)},\n" + ",\n".join(own) + f"\n  FROM {name(TREES)}\n)"]
    finals = []
    for i, (row, model) in enumerate(zip(frame.to_dict("records"), table.models, strict=True), start=1):
        chosen = ""
        if column:
            mine = [k for k, v in group_keys(frame).items() if v == row["model_id"]]
            chosen = f"\n  WHERE {name(column)} IN ({', '.join(map(string, mine))})"
        steps, final = _model(f"model{i}", model, chosen, level, kind)
        parts += steps
        finals.append(final)
    view, queries = name(f"predict_{table.table_id}"), ",\n".join(parts)
    return f"\nCREATE VIEW {view} AS\nWITH {queries}\n" + "\nUNION ALL\n".join(finals) + ";\n"


def _model(prefix, model, chosen, level, kind):
    """Steps of one model, each a named query that adds columns to the one before, and the last query."""
    p = program_of(model)
    lines = Lines(p, SQL, "sql", "=")
    steps, before = [], "source"

    def step(columns, where=""):
        nonlocal before
        own = f"{prefix}_{len(steps) + 1}"
        added = ",\n".join(f"    {text} AS {column}" for column, text in columns)
        steps.append(
            f"{own} AS MATERIALIZED (\n  SELECT\n    {before}.*,\n{added}\n  FROM {before}{where}\n)"
        )
        before = own

    step(_parameters(model), chosen)
    for stage in _stages(lines.variables()):
        step(stage)
    step(_gradients(lines, p) + lines.deviation_texts())
    covariance = model.covariance.to_numpy()
    step(
        [
            column
            for r in model.system.responses
            for column in (
                (name(f"{r} variance"), _quadratic(p.label_gradient(r), r, covariance)),
                (name(f"{r} extra"), lines.extra(r)),
            )
        ]
    )
    step([(name(f"{r}_se"), f"sqrt({_positive(name(f'{r} variance'))})") for r in model.system.responses])
    final = [name(KEY)]
    for response in model.system.responses:
        final += _limits(p, lines, response, level, kind)
    final += _range(model)
    return steps, "SELECT\n  " + ",\n  ".join(final) + f"\nFROM {before}"


def _parameters(model) -> list[tuple[str, str]]:
    found = []
    for parameter, part in model.parameters.groupby("name", sort=False):
        column = model.system.groups.get(parameter)
        if column is None:
            found.append((name(parameter), number(part["value"].iloc[0])))
            continue
        pairs = zip(part["group"], part["value"], strict=True)
        whens = " ".join(f"WHEN {string(g)} THEN {number(v)}" for g, v in pairs)
        found.append((name(parameter), f"CASE {name(column)} {whens} END"))
    return found


def _stages(variables) -> list[list[tuple[str, str]]]:
    """Group variables so that each uses only those of earlier groups."""
    depth, stages = {}, []
    for own, text, used in variables:
        at = max((depth[u] + 1 for u in used if u in depth), default=0)
        depth[own] = at
        if at == len(stages):
            stages.append([])
        stages[at].append((own, text))
    return stages


def _gradients(lines, p) -> list[tuple[str, str]]:
    found = []
    for response in p.model.system.responses:
        for position, column, level, text in lines.gradient(response):
            if column:
                text = f"CASE WHEN {name(column)} = {string(level)} THEN {text} ELSE 0.0 END"
            found.append((name(f"{response} slope {position}"), text))
    return found


def _quadratic(gradient, response, covariance) -> str:
    """Variance of a mean: the covariance between its derivatives, without the lower half twice."""
    terms = []
    for n, (i, *_) in enumerate(gradient):
        inner = [f"{number(covariance[i, i])} * {name(f'{response} slope {i}')}"]
        for j, *_ in gradient[:n]:
            inner.append(f"{number(2 * covariance[i, j])} * {name(f'{response} slope {j}')}")
        terms.append(f"{name(f'{response} slope {i}')} * ({' + '.join(inner)})")
    return "\n      + ".join(terms) or "0.0"


def _positive(text) -> str:
    return f"CASE WHEN {text} < 0.0 THEN 0.0 ELSE {text} END"


def _limits(p, lines, response, level, kind) -> list[str]:
    mean, se = name(response), name(f"{response}_se")
    quantile = number(stats.t.ppf(0.5 + level / 2, p.freedom[response]))
    if response in p.median:
        spread, base = f"power({se} / {mean}, 2.0)", mean
        if kind == "individual":
            spread = f"{spread} + {name(f'{response} extra')}"
            base = lines.median(response)
        half = f"{quantile} * sqrt({spread})"
        lower, upper = f"{base} * exp(-({half}))", f"{base} * exp({half})"
    else:
        variance = _positive(name(f"{response} variance"))
        if kind == "individual":
            variance = f"({variance}) + ({_positive(name(f'{response} extra'))})"
        half = f"{quantile} * sqrt({variance})"
        lower, upper = f"{mean} - {half}", f"{mean} + {half}"
        if math.isfinite(p.floor[response]):
            lowest = number(p.floor[response])
            lower = f"CASE WHEN {lower} < {lowest} THEN {lowest} ELSE {lower} END"
    return [
        mean,
        se,
        f"{lower} AS {name(f'{response}_lower')}",
        f"{upper} AS {name(f'{response}_upper')}",
    ]


def _range(model) -> list[str]:
    conditions, notes = [], []
    for x in model.system.predictors:
        low, high = model.ranges[x]
        slack = 1e-9 * max(abs(low), abs(high))
        outside = f"{name(x)} < {number(low - slack)} OR {name(x)} > {number(high + slack)}"
        conditions.append(f"({outside})")
        said = string(f"{x} {tr('outside', '超出')} {low:g}–{high:g}; ")
        notes.append(f"CASE WHEN {outside} THEN {said} ELSE '' END")
    if not conditions:
        return [f"FALSE AS {name('out_of_range')}", f"'' AS {name('range_note')}"]
    flag = f"CASE WHEN {' OR '.join(conditions)} THEN 1 ELSE 0 END"
    return [f"{flag} AS {name('out_of_range')}", f"{' || '.join(notes)} AS {name('range_note')}"]


def _values(table) -> str:
    words = ("name", "group", "variable", "unit", "family")
    numbers = ("mean", "se", "sd", "p1", "p2", "q025", "q975")
    rows = [
        "(" + ", ".join([*(string(row[w]) for w in words), *(number(row[n]) for n in numbers)]) + ")"
        for row in table.values.to_dict("records")
    ]
    columns = ", ".join(map(name, words + numbers))
    return (
        f"\nCREATE VIEW {name(f'values_{table.table_id}')} ({columns}) AS\nVALUES\n  "
        + ",\n  ".join(rows)
        + ";\n"
    )
