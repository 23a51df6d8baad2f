"""What changed between two versions of a table, and which version number the change deserves.

The version of a table speaks of its numbers. *major*: a value changed its meaning (equation, unit,
component, level of the interval), went away, or left its old interval, or a prediction left the old
interval of the mean. *minor*: rows came, or numbers moved inside their old interval. *patch*: only
words changed.
"""

import json
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy import stats

from sinklab.language import SinklabError
from sinklab.tables.digits import along
from sinklab.tables.package import ModelRecord, Provenance
from sinklab.tables.schema import FILES, keys_of, next_version, version_key

PARTS = ("none", "patch", "minor", "major")
#: Relative difference below which two numbers are the same up to the rounding of the computer.
ROUNDING = 1e-9

#: Files whose rows people cite: a row that goes away breaks what cites it.
_CITED = ("models", "equations", "coefficients", "values")
_ESTIMATE = {"coefficients": "value", "values": "mean"}


@dataclass(frozen=True)
class Change:
    """One cell that changed, or a row that came or went (``column`` is then empty).

    ``lower`` and ``upper`` are the old interval of an estimate, ``in_se`` the move in old standard
    errors, ``beyond`` whether the new estimate lies outside; all None for other cells.
    """

    file: str
    row: str
    column: str
    old: object
    new: object
    part: str
    in_se: float | None = None
    lower: float | None = None
    upper: float | None = None
    beyond: bool | None = None


@dataclass(frozen=True)
class Move:
    """Largest move of the predictions of one response inside the old validity range.

    ``relative`` is new / old - 1 and ``in_se`` the move in old standard errors of the mean, both
    where the latter is largest (``at``); ``n_beyond`` of ``n_point`` points left the old interval.
    """

    model_id: str
    response: str
    relative: float
    in_se: float
    n_beyond: int
    n_point: int
    at: str


@dataclass(frozen=True)
class Cause:
    """One statement of the origin that differs: ``kind`` is data, method or software."""

    kind: str
    name: str
    old: str
    new: str


@dataclass(frozen=True)
class TableDiff:
    """All differences of two tables; ``n_rounding`` numbers differ by rounding only and are not listed."""

    old: str
    new: str
    changes: tuple[Change, ...]
    moves: tuple[Move, ...]
    not_compared: tuple[str, ...]
    causes: tuple[Cause, ...]
    n_rounding: int

    @property
    def part(self) -> str:
        """Part of the version that must grow: none, patch, minor or major."""
        parts = [c.part for c in self.changes]
        parts += ["major" for m in self.moves if m.n_beyond]
        return max(parts, key=PARTS.index, default="none")

    @property
    def proposed(self) -> str:
        """Version that follows the old one."""
        return next_version(self.old.partition("@")[2], self.part)

    @property
    def enough(self) -> bool:
        """Whether the new version number is at least the proposed one."""
        return version_key(self.new.partition("@")[2]) >= version_key(self.proposed)

    @property
    def estimates(self) -> tuple[Change, ...]:
        """Estimates that moved."""
        return tuple(c for c in self.changes if c.beyond is not None)

    def to_json(self) -> dict:
        """Plain types."""
        return {
            "old": self.old,
            "new": self.new,
            "part": self.part,
            "proposed_version": self.proposed,
            "new_version_is_enough": self.enough,
            "causes": [asdict(c) for c in self.causes],
            "changes": [asdict(c) for c in self.changes],
            "predictions": [asdict(m) for m in self.moves],
            "predictions_not_compared": list(self.not_compared),
            "n_rounding": self.n_rounding,
        }


def diff(old, new, rounding: float = ROUNDING) -> TableDiff:
    """Compare two tables cell by cell, and their predictions.

    Parameters
    ----------
    old, new : Table
    rounding : float
        Relative difference up to which two numbers count as one; such pairs are counted.

    Returns
    -------
    difference : TableDiff
    """
    changes, n_rounding = [], 0
    for name in FILES:
        if name in old.frames or name in new.frames:
            found, n = _file(name, old.frames.get(name), new.frames.get(name), rounding)
            changes += found
            n_rounding += n
    changes += _draws(old.frames.get("draws"), new.frames.get("draws"), rounding)
    changes += [
        Change("datapackage", "", key, getattr(old, key), getattr(new, key), "patch")
        for key in ("title", "title_zh", "sources")
        if getattr(old, key) != getattr(new, key)
    ]
    moves, not_compared = _predictions(old, new, rounding)
    reasons = causes(old.provenance, new.provenance)
    return TableDiff(
        old.ref, new.ref, tuple(changes), tuple(moves), tuple(not_compared), tuple(reasons), n_rounding
    )


def _file(name, old, new, rounding):
    keys = keys_of(name)
    before, after = by_key(old, keys), by_key(new, keys)
    gone = "patch" if name == "checks" else "major" if name in _CITED else "minor"
    come = "patch" if name == "checks" else "minor"
    changes = [Change(name, shown(k), "", "present", None, gone) for k in before if k not in after]
    changes += [Change(name, shown(k), "", None, "present", come) for k in after if k not in before]
    n_rounding = 0
    for key in (k for k in before if k in after):
        for field in FILES[name]:
            a, b = before[key][field.name], after[key][field.name]
            if field.name in keys or _same(a, b):
                continue
            if field.type == "number" and np.isclose(a, b, rtol=rounding, atol=0):
                n_rounding += 1
                continue
            changes.append(_change(name, key, field, before[key], a, b))
    return changes, n_rounding


def by_key(frame, keys) -> dict:
    """Rows of a frame as dicts, by the text of their keys; empty for no frame."""
    if frame is None:
        return {}
    return {
        tuple("" if absent(row[k]) else str(row[k]) for k in keys): row for row in frame.to_dict("records")
    }


def shown(key) -> str:
    """Name of a row for people."""
    return ", ".join(filter(None, key))


def _same(a, b) -> bool:
    if absent(a) or absent(b):
        return absent(a) and absent(b)
    return a == b


def absent(cell) -> bool:
    """Whether a cell is blank."""
    # A blank cell is empty text once read from a file, and missing in a table just made.
    return (
        cell is None or (isinstance(cell, str) and not cell) or (isinstance(cell, float) and np.isnan(cell))
    )


def _change(name, key, field, old, a, b) -> Change:
    if field.name == _ESTIMATE.get(name):
        low, high = old_interval(name, old)
        beyond = bool(not low <= b <= high)
        in_se = (b - a) / old["se"] if old["se"] and old["se"] > 0 else None
        part = "major" if beyond else "minor"
        return Change(name, shown(key), field.name, a, b, part, in_se, low, high, beyond)
    if field.meaning:
        part = "major"
    elif name == "checks" or field.type in ("string", "boolean"):
        part = "patch"
    else:
        part = "minor"
    return Change(name, shown(key), field.name, a, b, part)


def old_interval(name, row) -> tuple[float, float]:
    """Interval that an estimate may move in without a new major version.

    For a coefficient the stored one. For a scalar value that of its mean, because ``q025`` to
    ``q975`` spans the places, not what is unknown of their mean; without a standard error there is
    no such interval, and the value itself is its end.
    """
    if name == "coefficients":
        return row["lower"], row["upper"]
    if absent(row["se"]):
        return row["mean"], row["mean"]
    level = 0.95 if absent(row["level"]) else row["level"]
    half = stats.norm.ppf(0.5 + level / 2) * row["se"]
    return row["mean"] - half, row["mean"] + half


def _draws(old, new, rounding) -> list[Change]:
    if old is None or new is None:
        return []
    text = [c for c in old.columns if c == "model_id"]
    if list(old.columns) == list(new.columns) and len(old) == len(new):
        numbers = [frame.drop(columns=text).to_numpy(float) for frame in (old, new)]
        alike = (old[text] == new[text]).all(axis=None)
        if alike and np.allclose(*numbers, rtol=rounding, atol=0, equal_nan=True):
            return []
    return [Change("draws", "", "draws", f"{len(old)} draws", f"{len(new)} other draws", "minor")]


def _predictions(old, new, rounding):
    if "models" not in old.frames or "models" not in new.frames:
        return [], []
    after = dict(zip(new.frames["models"]["model_id"], new.models, strict=True))
    moves, failed = [], []
    for model_id, before in zip(old.frames["models"]["model_id"], old.models, strict=True):
        if model_id not in after:
            continue
        points = along(before)
        try:
            then = before.predict(points, level=before.level)
            now = after[model_id].predict(points, level=before.level)
        except SinklabError as error:
            failed.append(f"{model_id}: {error}")
            continue
        for response in before.system.responses:
            if response in now:
                move = _move(model_id, response, points, then, now[response])
                if abs(move.relative) > rounding:
                    moves.append(move)
    return moves, failed


def _move(model_id, response, points, then, now) -> Move:
    change = now - then[response]
    in_se = pd.Series(change / then[f"{response}_se"].replace(0, np.nan)).fillna(0.0)
    most = int(np.abs(in_se.to_numpy()).argmax())
    outside = (now < then[f"{response}_lower"]) | (now > then[f"{response}_upper"])
    at = ", ".join(f"{c} = {v:.4g}" if not isinstance(v, str) else v for c, v in points.iloc[most].items())
    relative = float(change.iloc[most] / then[response].iloc[most])
    return Move(model_id, response, relative, float(in_se.iloc[most]), int(outside.sum()), len(points), at)


# Why: other data, other method, other software

_DATA = ("spec", "where", "fingerprint", "n_read", "n_used", "by")
_METHOD = ("method", "variance", "correction", "level", "seed")


def causes(old: Provenance, new: Provenance) -> list[Cause]:
    """Differences of origin: data first, then methods, then software; each once."""
    found: list[Cause] = []
    before, after = _records(old), _records(new)
    for key in before.keys() | after.keys():
        one, other = before.get(key, {}), after.get(key, {})
        found += _differences("data", key, _inputs(one), _inputs(other))
    for key in old.models.keys() & new.models.keys():
        found += _differences("method", key, _method(old.models[key]), _method(new.models[key]))
    found += _differences("software", "", _software(old), _software(new))
    order = ("data", "method", "software")
    unique = {(c.kind, c.name, c.old, c.new): c for c in found}
    return sorted(unique.values(), key=lambda c: (order.index(c.kind), c.name))


def _records(about) -> dict:
    """Sources by model, and those of scalar values by their place."""
    models = {key: record.source for key, record in about.models.items()}
    others = [data for data in about.data if data not in models.values()]
    return models | {f"data {i}": data for i, data in enumerate(others, start=1)}


def _inputs(source) -> dict:
    found = {k: source[k] for k in _DATA if source.get(k) is not None}
    return found | {f"sha256 {name}": digest for name, digest in (source.get("files") or {}).items()}


def _method(record: ModelRecord) -> dict:
    found = {k: getattr(record, k) for k in _METHOD}
    return found | {k: (record.certificate or {}).get(k) for k in ("estimator", "bootstrap")}


def _software(about: Provenance) -> dict:
    own = about.sinklab
    found = {"sinklab": own["version"], "sinklab source": own["source_sha256"], "lock": about.lock_sha256}
    return found | about.stack


def _differences(kind, key, old, new) -> list[Cause]:
    names = dict.fromkeys([*old, *new])
    where = f"{key}: " if key not in ("", "model") else ""
    return [
        Cause(kind, f"{where}{name}", _text(old.get(name)), _text(new.get(name)))
        for name in names
        if old.get(name) != new.get(name)
    ]


def _text(value) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
