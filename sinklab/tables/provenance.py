"""Where the numbers of a table come from: its ``provenance.json``, and what that allows them to be called.

The data of a fit or of values are told as a dict that whoever made them fills: ``spec`` or ``name``,
``origin`` (measured, simulated, printed), ``where``, ``files``, ``fingerprint``, ``n_read``, ``n_used``,
``citation``, ``licence``, ``recipe`` … A model adds how it was fitted, a table which software computed it.
"""

from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath, PureWindowsPath

from sinklab import paths
from sinklab.language import TableError, plain
from sinklab.results.fit_result import FitResult
from sinklab.tables.schema import SCHEMA_VERSION

#: Origin of data that nobody measured.
SIMULATED = "simulated"


@dataclass(frozen=True)
class ModelRecord:
    """What ``provenance.json`` keeps of one model; no times, and nothing of the machine but versions."""

    source: dict
    method: str
    variance: dict[str, str]
    correction: str
    level: float
    seed: int
    certificate: dict
    warnings: list[str]
    versions: dict[str, str]

    @classmethod
    def of(cls, fit: FitResult, origin: dict) -> "ModelRecord":
        """Record of a fit to data of some origin."""
        return cls(
            source=plain(origin),
            method=fit.method,
            variance={r: m.spec for r, m in fit.residual.items()},
            correction=fit.correction_kind,
            level=float(fit.level),
            seed=int(fit.seed),
            certificate=plain(fit.certificate.to_dict()),
            warnings=list(fit.warnings),
            versions=dict(fit.versions),
        )


@dataclass(frozen=True)
class Provenance:
    """Content of ``provenance.json``: software, data and models; ``sinklab`` is its version and source."""

    schema_version: int
    sinklab: dict[str, str]
    lock_sha256: str
    stack: dict[str, str]
    data: list[dict]
    models: dict[str, ModelRecord]

    @classmethod
    def here(cls, origins, models: dict[str, ModelRecord]) -> "Provenance":
        """Provenance of numbers that are computed here, in words that mean the same on any machine."""
        about = {"schema_version": SCHEMA_VERSION} | paths.software()
        about |= {"data": distinct(origins), "models": {key: asdict(m) for key, m in models.items()}}
        return cls.from_dict(_portable(about))

    @classmethod
    def from_dict(cls, content: dict) -> "Provenance":
        """Read what :meth:`to_dict` gives.

        Raises
        ------
        TableError
            Keys that are missing or not known.
        """
        models = _fields(Provenance, content)["models"]
        return cls(
            **content | {"models": {key: ModelRecord(**_fields(ModelRecord, m)) for key, m in models.items()}}
        )

    def to_dict(self) -> dict:
        """Plain types, as they stand in the file."""
        return asdict(self)


def _fields(kind, content) -> dict:
    wanted, found = {f.name for f in fields(kind)}, set(content) if isinstance(content, dict) else set()
    if wanted != found:
        missing, unknown = (", ".join(sorted(x)) or "–" for x in (wanted - found, found - wanted))
        raise TableError(
            f"provenance.json: missing {missing}; not known {unknown}",
            f"provenance.json：缺少 {missing}；未知 {unknown}",
        )
    return content


def origin_of(fit, source=None) -> dict:
    """Describe the data of a fit: what the data frame says of itself, the fit, and ``source``.

    Raises
    ------
    TableError
        None of them names the data.
    """
    carried = fit.data.attrs.get("source") if fit.data is not None else None
    found = dict(carried or {}) | {k: v for k, v in fit.source.items() if v is not None} | (source or {})
    if not name_of(found):
        raise TableError(
            f"{fit.label or fit.system.responses[0]}: nothing says where the data come from; "
            'give source={"name": …, "origin": …}',
            f"{fit.label or fit.system.responses[0]}：没有说明数据来源；请给出 source={{'name': …, 'origin': …}}",
        )
    return found


def name_of(origin) -> str:
    """One line that names the data: ``study:chinese_fir_guangxi`` or a file name, and what was selected."""
    name = str(origin.get("spec") or origin.get("name") or "")
    where = origin.get("where") or {}
    picked = "; ".join(f"{k} = {_listed(v)}" for k, v in where.items())
    return f"{name} ({picked})" if name and picked else name


def _listed(value) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def status_for(origin, wanted: str) -> str:
    """Status that numbers of this origin may have: simulated data never exceed ``demonstration``."""
    kinds = origin.get("origin", "")
    simulated = SIMULATED in ([kinds] if isinstance(kinds, str) else list(kinds))
    return "demonstration" if simulated else wanted


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
        title = str(origin.get("title") or name_of(origin))
        entry = {"title": title}
        words = {"citation": "citation", "licence": "licence", "url": "path", "doi": "doi"}
        entry |= {theirs: origin[ours] for ours, theirs in words.items() if origin.get(ours)}
        if title and entry not in found:
            found.append(entry)
    # What a row calls its source may be the data that stand above with their citation.
    told = {name_of(origin) for origin in origins} | {str(origin.get("spec")) for origin in origins}
    for cell in frames["values"]["sources"] if "values" in frames else ():
        parts = [part.strip() for part in str(cell).split(";")]
        entries = [{"title": part} for part in parts if part and part not in told]
        found += [e for e in entries if e["title"] not in {f["title"] for f in found}]
    return found


def _portable(value):
    """Replace absolute paths in a nested description by names that mean the same on any machine."""
    if isinstance(value, dict):
        return {str(k): _portable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_portable(v) for v in value]
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str) and "\n" not in value:
        if PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute():
            return paths.relative(value)
    return value
