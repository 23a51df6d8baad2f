"""Where the numbers of a table come from, and what that allows them to be called."""

import numpy as np
import pandas as pd

from sinklab import vocabulary
from sinklab.errors import TableError
from sinklab.language import tr
from sinklab.tables.naming import check_status, weakest
from sinklab.tables.schema import FILES

#: Origin of data that nobody measured.
SIMULATED = "simulated"
_DEFAULTS = {"group": "", "family": "", "spread_read": "", "note": "", "interval_kind": "distribution"}


def of_fit(fit, source=None) -> dict:
    """Describe the data of a fit: what the data frame says of itself, the fit, and ``source``.

    Raises
    ------
    TableError
        None of them names the data.
    """
    carried = fit.data.attrs.get("source") if fit.data is not None else None
    found = dict(carried or {}) | {k: v for k, v in fit.source.items() if v is not None} | (source or {})
    if not text(found):
        raise TableError(
            tr(
                f"{fit.label or fit.system.responses[0]}: nothing says where the data come from; "
                'give source={"name": …, "origin": …}',
                f"{fit.label or fit.system.responses[0]}：没有说明数据来源；请给出 source={{'name': …, 'origin': …}}",
            )
        )
    return found


def text(origin) -> str:
    """One line that names the data: ``study:chinese_fir_guangxi`` or a file name, and what was selected."""
    name = str(origin.get("spec") or origin.get("name") or "")
    where = origin.get("where") or {}
    picked = "; ".join(f"{k} = {_listed(v)}" for k, v in where.items())
    return f"{name} ({picked})" if name and picked else name


def _listed(value) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def is_simulated(origin) -> bool:
    """Whether any of the data were simulated."""
    kinds = origin.get("origin", "")
    return SIMULATED in ([kinds] if isinstance(kinds, str) else list(kinds))


def status_for(origin, wanted: str) -> str:
    """Status that numbers of this origin may have: simulated data never exceed ``demonstration``."""
    return "demonstration" if is_simulated(origin) else wanted


def group_column(fits) -> str:
    """Column the fits were grouped by, as they say themselves; "" for a single model."""
    columns = {fit.source.get("by") or "" for fit in fits}
    return columns.pop() if len(columns) == 1 else ""


def model_record(fit, origin) -> dict:
    """Return what ``provenance.json`` keeps of one model; no times, and nothing of the machine but versions."""
    return {
        "source": plain(origin),
        "method": fit.method,
        "variance": {r: m.spec for r, m in fit.residual.items()},
        "correction": fit.correction_kind,
        "level": float(fit.level),
        "seed": int(fit.seed),
        "certificate": plain(fit.certificate),
        "warnings": list(fit.warnings),
        "versions": dict(fit.versions),
    }


def plain(value):
    """Numpy and container types to those of JSON; numbers that do not exist become null."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, np.ndarray, pd.Index)):
        return [plain(v) for v in (sorted(value) if isinstance(value, set) else value)]
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return str(value)


def distinct(origins) -> list[dict]:
    """Origins without empty ones and repetitions, in order."""
    found: list[dict] = []
    for origin in map(plain, origins):
        if origin and origin not in found:
            found.append(origin)
    return found


def package_sources(origins, frames) -> list[dict]:
    """List the sources for ``datapackage.json``: title, and citation, licence, address where known."""
    found: list[dict] = []
    for origin in distinct(origins):
        if origin.get("references"):
            found += [{"title": t, "citation": c} for t, c in origin["references"].items()]
            continue
        title = str(origin.get("title") or text(origin))
        entry = {"title": title}
        for ours, theirs in (
            ("citation", "citation"),
            ("licence", "licence"),
            ("url", "path"),
            ("doi", "doi"),
        ):
            if origin.get(ours):
                entry[theirs] = origin[ours]
        if title and entry not in found:
            found.append(entry)
    # What a row calls its source may be the data that stand above with their citation.
    told = {text(origin) for origin in origins} | {str(origin.get("spec")) for origin in origins}
    for cell in frames["values"]["sources"] if "values" in frames else ():
        parts = [part.strip() for part in str(cell).split(";")]
        entries = [{"title": part} for part in parts if part and part not in told]
        found += [e for e in entries if e["title"] not in {f["title"] for f in found}]
    return found


def complete_values(values: pd.DataFrame, wanted: str, source: dict) -> pd.DataFrame:
    """Scalar distributions with every column of ``values.csv``, their status settled.

    Raises
    ------
    TableError
        Columns that the schema does not know, no row, or rows without name, mean, unit or source.
    """
    names = [f.name for f in FILES["values"]]
    unknown = [c for c in values.columns if c not in names]
    problems = []
    if unknown:
        problems.append(
            tr(
                f"columns {', '.join(map(str, unknown))} are not part of values.csv ({', '.join(names)})",
                f"列 {'、'.join(map(str, unknown))} 不属于 values.csv（{'、'.join(names)}）",
            )
        )
    if not len(values):
        problems.append(tr("there is no row", "没有任何行"))
    for needed in ("name", "mean"):
        if needed not in values or values[needed].isna().any():
            problems.append(tr(f"every row needs {needed}", f"每一行都需要 {needed}"))
    if problems:
        raise TableError(tr("values: ", "values：") + "; ".join(problems))
    frame = values.reset_index(drop=True).reindex(columns=names)
    for column, default in _DEFAULTS.items():
        frame[column] = _filled(frame[column], default)
    frame["variable"] = _filled(frame["variable"], "")
    units = [_unit_of(v, n) for v, n in zip(frame["variable"], frame["name"], strict=True)]
    frame["unit"] = _filled(frame["unit"], pd.Series(units, index=frame.index))
    frame["sources"] = _filled(frame["sources"], text(source))
    asked = [check_status(s) for s in _filled(frame["status"], wanted)]
    frame["status"] = [weakest((wanted, own, status_for(source, own))) for own in asked]
    for column in ("unit", "sources"):
        rows = frame.index[frame[column] == ""] + 1
        if len(rows):
            where = ", ".join(map(str, rows))
            raise TableError(
                tr(f"values: rows {where} have no {column}", f"values：第 {where} 行缺少 {column}")
            )
    return frame


def _filled(column, default):
    """Replace missing and empty cells, as text."""
    text_column = column.astype(object)
    return text_column.where(text_column.notna() & (text_column != ""), default)


def _unit_of(*names) -> str:
    known = vocabulary.variables()
    return next((known[n].unit for n in names if n in known), "")
