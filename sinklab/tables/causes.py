"""Why two versions of a table differ: other data, other method, other software."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """One statement of the origin that differs: ``kind`` is data, method or software."""

    kind: str
    name: str
    old: str
    new: str


_DATA = ("spec", "where", "fingerprint", "n_read", "n_used", "by")
_METHOD = ("method", "variance", "correction", "level", "seed")


def causes(old: dict, new: dict) -> list[Cause]:
    """Compare the contents of two ``provenance.json``.

    Parameters
    ----------
    old, new : dict

    Returns
    -------
    causes : list of Cause
        Data first, then methods, then software; each difference once.
    """
    found: list[Cause] = []
    before, after = _records(old), _records(new)
    for key in before.keys() | after.keys():
        one, other = before.get(key, {}), after.get(key, {})
        found += _differences("data", key, _inputs(one), _inputs(other))
    for key in old["models"].keys() & new["models"].keys():
        found += _differences("method", key, _method(old["models"][key]), _method(new["models"][key]))
    found += _differences("software", "", _software(old), _software(new))
    order = ("data", "method", "software")
    unique = {(c.kind, c.name, c.old, c.new): c for c in found}
    return sorted(unique.values(), key=lambda c: (order.index(c.kind), c.name))


def _records(about) -> dict:
    """Sources by model, and those of scalar values by their place."""
    models = {key: record["source"] for key, record in about["models"].items()}
    others = [data for data in about["data"] if data not in models.values()]
    return models | {f"data {i}": data for i, data in enumerate(others, start=1)}


def _inputs(source) -> dict:
    found = {k: source[k] for k in _DATA if source.get(k) is not None}
    return found | {f"sha256 {name}": digest for name, digest in (source.get("files") or {}).items()}


def _method(record) -> dict:
    certificate = record.get("certificate") or {}
    found = {k: record.get(k) for k in _METHOD}
    return found | {k: certificate.get(k) for k in ("estimator", "bootstrap")}


def _software(about) -> dict:
    own = about["sinklab"]
    found = {"sinklab": own["version"], "sinklab source": own["source_sha256"], "lock": about["lock_sha256"]}
    return found | about["stack"]


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
