"""Release a version of a table: refuse it, or give it a status, metadata, a seal and an entry in the change log.

The entry in ``params/CHANGELOG.md`` says which numbers of a version moved, by how much, and why; the metadata
how to cite the table (``CITATION.cff``), and describe it for DataCite and as an RO-Crate.
"""

import datetime
import json
import mimetypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sinklab import paths
from sinklab.data.files import read_yaml
from sinklab.language import Notes, SinklabError, TableError, listing, tr, typed
from sinklab.tables import package
from sinklab.tables.checks import validate
from sinklab.tables.comparison import diff
from sinklab.tables.digits import guard
from sinklab.tables.export.program import one_line
from sinklab.tables.package import sha256, to_json
from sinklab.tables.schema import (
    CHANGELOG,
    DESCRIPTOR,
    FROZEN,
    LICENCE,
    REFUSED,
    STATUSES,
    SUMS,
    check_table_id,
    status_label,
    version_key,
)
from sinklab.tables.table import Table, ref_of, resolve, versions

#: File beside the change log that keeps versions out of git until they are released.
IGNORED = ".gitignore"


@dataclass(frozen=True)
class Released:
    """A version that was released: its folder and its entry in the change log."""

    ref: str
    status: str
    folder: Path
    entry: str


@dataclass(frozen=True)
class _Request:
    """What is told of a release; ``accept`` has a reason by failed check, ``previous`` the version before, or ""."""

    date: str
    reason: str
    reviewers: list[str]
    accept: dict[str, str]
    authors: list[str]
    doi: str
    previous: str


def release_table(
    ref: str | Path,
    verification: Any,
    reason: str,
    reviewers: Sequence[str],
    status: str = "reviewed",
    accept: Mapping[str, str] | None = None,
    date: str | None = None,
    authors: Sequence[str] | None = None,
    doi: str = "",
    root: str | Path | None = None,
    version: str = "",
) -> Released:
    """Release one version of a table, or refuse it with every reason.

    Parameters
    ----------
    ref : path or str
        Folder, or ``id@version``.
    verification : Verification
        What :func:`sinklab.review.verify` found for this table; it must agree.
    reason : str
        Why there is this version.
    reviewers : sequence of str
        Who reviewed it.
    status : {"reviewed", "published"}
    accept : dict, optional
        Why a failed check is accepted, by check id, or ``check:response``.
    date : str, optional
        Date of the release as ``2026-01-31``; today when left out.
    authors : sequence of str, optional
        Of the table; those of the workbench when left out.
    doi : str
        Of this version, when it has one.
    root : path, optional
        Folder of the tables; ``params/`` of the workbench when left out.
    version : str
        Version that it becomes, above its own: the draft stays beside it. Its own when left out.

    Returns
    -------
    released : Released

    Raises
    ------
    TableError
        With all reasons why the version cannot be released. Nothing is written then.

    Examples
    --------
    >>> place = table.write(sl.root() / 'params')
    >>> try:
    ...     sl.release_table(table.ref, sl.verify(table.ref), 'first release', ['Zhang San'])
    ... except sl.SinklabError as error:
    ...     print(str(error).splitlines()[1])
    made from simulated data; a demonstration is never released
    """
    folder = resolve(ref, root)
    faults = validate(folder)
    if faults:
        raise TableError(_refused(folder, faults))
    draft = Table.read(folder)
    table = replace(draft, version=version or draft.version)
    previous = _previous(folder.parent, table)
    about = _Request(
        date=date or datetime.date.today().isoformat(),
        reason=reason.strip(),
        reviewers=[name.strip() for name in reviewers if name.strip()],
        accept=dict(accept or {}),
        authors=list(authors or _authors()),
        doi=doi,
        previous=previous.version if previous is not None else "",
    )
    faults = Notes([*_status_faults(table, status), *_request_faults(table, about)])
    faults += _verification_faults(draft, verification)
    difference = None
    if previous is not None:
        difference = diff(previous, table)
        if not difference.enough:
            faults.add(
                f"version {table.version} is not enough after {previous.version}: {difference.part} changes "
                f"need {difference.proposed} (see `{typed()} table diff`)",
                f"在 {previous.version} 之后，版本号 {table.version} 不够：变动属 {difference.part}，"
                f"应为 {difference.proposed}（见 {typed()} table diff）",
            )
    guards = {}
    try:
        keys = table.frames["models"]["model_id"] if table.models else ()
        guards = {key: guard(model) for key, model in zip(keys, table.models, strict=True)}
    except SinklabError as error:
        faults.append(str(error))
    if faults:
        raise TableError(_refused(folder, faults))
    released = _raised(table, status)
    return _write(folder.with_name(table.version), draft, released, about, difference, guards)


def draft_of(ref: str | Path, root: str | Path | None = None) -> tuple[Path, str]:
    """Folder that a release is made from, and the version that it becomes ("" for its own).

    ``id@version`` that is not there is made from the latest version, when that is lower.

    Raises
    ------
    TableError
        No such table, or a version that lies below what is there.
    """
    table_id, at, version = str(ref).partition("@")
    if not at and not (Path(ref) / DESCRIPTOR).is_file():
        raise TableError(
            f"{ref}: name the version to release, as in {ref}@1.0.0",
            f"{ref}：请写明要发布的版本，例如 {ref}@1.0.0",
        )
    try:
        return resolve(ref, root), ""
    except TableError:
        latest = resolve(check_table_id(table_id), root)
        if version_key(version) <= version_key(latest.name):
            raise
        return latest, version


def _refused(folder, faults) -> str:
    name = ref_of(folder)
    return tr(f"{name} cannot be released:\n", f"{name} 不能发布：\n") + listing(faults)


def _status_faults(table, status) -> list[str]:
    if status not in FROZEN:
        known = ", ".join(FROZEN)
        return [tr(f"status {status!r}; expected {known}", f"状态 {status!r} 无效；应为 {known}")]
    if table.status == "demonstration":
        return [
            tr(
                "made from simulated data; a demonstration is never released",
                "由模拟数据得出；演示表不得发布",
            )
        ]
    if STATUSES.index(table.status) >= STATUSES.index(status):
        return [tr(f"already {table.status}", f"状态已为 {table.status}")]
    return []


def _request_faults(table, about) -> list[str]:
    faults = Notes()
    if not about.reason:
        faults.add("no reason is given", "没有说明原因")
    if not about.reviewers:
        faults.add("no reviewer is named", "没有写明评审人")
    if not table.sources:
        faults.add("the table names no source", "表中没有列出来源")
    try:
        if datetime.date.fromisoformat(about.date).isoformat() != about.date:
            raise ValueError
    except ValueError:
        faults.add(
            f"date {about.date!r}; expected YYYY-MM-DD",
            f"日期 {about.date!r} 无效；应为 YYYY-MM-DD",
        )
    if about.doi and _doi_in(about.doi) != about.doi:
        faults.add(f"doi {about.doi!r}; expected 10.…/…", f"DOI {about.doi!r} 无效；应为 10.…/…")
    return faults + _check_faults(table, about.accept)


def _check_faults(table, accept) -> list[str]:
    """Failed checks that nobody accepted with a reason, and reasons for checks that did not fail."""
    # What the gate refused is no part of the release.
    failed = table.checks[~table.checks["passed"].astype(bool) & table.checks["check_id"].ne(REFUSED)]
    used, faults = set(), Notes()
    for row in failed.to_dict("records"):
        keys = {row["check_id"], f"{row['check_id']}:{row['response']}"}
        given = {key for key in keys if accept.get(key, "").strip()}
        used |= given
        if not given:
            faults.add(
                f"check {row['check_id']} fails for {row['response'] or row['model_id']}: "
                f"{row['value']:.4g} {row['comparison']} {row['threshold']:g} does not hold; mend it, or say why "
                f"it is accepted (--accept {row['check_id']}:{row['response']}=REASON)",
                f"{row['response'] or row['model_id']} 未通过检查 {row['check_id']}："
                f"{row['value']:.4g} 不满足 {row['comparison']} {row['threshold']:g}；请改正，或说明接受的理由"
                f"（--accept {row['check_id']}:{row['response']}=理由）",
            )
    for key in sorted(set(accept) - used):
        faults.add(
            f"--accept {key}: no such check fails, or no reason is given",
            f"--accept {key}：没有该项未通过的检查，或未说明理由",
        )
    return faults


def _verification_faults(table, verification) -> list[str]:
    if verification.ref != table.ref:
        return [
            tr(
                f"the verification is of {verification.ref}, not of {table.ref}",
                f"所给重算结果属于 {verification.ref}，而非 {table.ref}",
            )
        ]
    if verification.agreed:
        return []
    found = [*verification.problems, *verification.missing, *verification.differences()]
    return [tr("recomputation: ", "重算：") + text for text in found]


def _previous(folder, table) -> Table | None:
    """Latest version below this one that was released."""
    for version in reversed(versions(folder)):
        if version_key(version) >= version_key(table.version):
            continue
        head = package.read_descriptor(folder / version)
        if head["sinklab"].get("status") in FROZEN:
            return Table.read(folder / version)
    return None


def _raised(table, status) -> Table:
    """Return the table with all of its rows in the new status."""
    frames = {
        name: frame.assign(status=frame["status"].where(frame["status"].eq(REFUSED), status))
        if "status" in frame
        else frame
        for name, frame in table.frames.items()
    }
    return replace(table, frames=frames)


def _write(folder, draft, table, about, difference, guards) -> Released:
    files = package.contents(table.frames, table.provenance)
    files[DESCRIPTOR] = package.describe(files, table.description())
    files |= _metadata(table, files, about)
    files[SUMS] = package.sums(files)
    entry = _entry(table, about, difference, guards, files[SUMS])
    log = folder.resolve().parent.parent / CHANGELOG
    # Of two at once one would write over the entry of the other.
    with paths.turn(log.parent):
        _refuse_overtaken(folder, draft)
        _put(folder, files, log, entry, table)
    return Released(table.ref, table.status, folder, entry)


def _refuse_overtaken(folder, draft) -> None:
    """Refuse what another process released or wrote meanwhile."""
    if not (folder / DESCRIPTOR).is_file():
        return
    here = package.read_descriptor(folder)["sinklab"].get("status")
    if folder.name != draft.version or here != draft.status:
        raise TableError(
            _refused(folder, [tr(f"another process made it {here} meanwhile", f"另一进程已将其定为 {here}")])
        )


def _put(folder, files, log, entry, table) -> None:
    """Change log and git's list first, the folder last: what is cut off between them is no release, and is done again."""
    ignored = log.parent / IGNORED
    before = {path: path.read_bytes() if path.is_file() else None for path in (log, ignored)}
    try:
        with paths.atomic_folder(folder) as work:
            for name, content in files.items():
                (work / name).write_bytes(content)
            with paths.atomic_write(log) as stream:
                stream.write(inserted((before[log] or b"").decode("utf-8"), entry))
            _admit(ignored, table)
    except BaseException:
        # Without the folder they would speak of nothing.
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            elif path.read_bytes() != content:
                with paths.atomic_write(path, "wb") as stream:
                    stream.write(content)
        raise


def _admit(ignored: Path, table) -> None:
    """Let git take a released version, where the folder of the tables keeps unreleased ones out."""
    if not ignored.is_file():
        return
    lines, own = ignored.read_text(encoding="utf-8").splitlines(), f"!/{table.table_id}/{table.version}/"
    if own not in lines:
        with paths.atomic_write(ignored) as stream:
            stream.write("\n".join([*lines, own]) + "\n")


# Entry in the change log

#: Values that moved are listed up to this number; the rest is counted.
LISTED = 20
_ENTRIES = "## 记录 · Entries"
_NONE_YET = re.compile(r"^尚无已评审或已发布的版本.*\n?", re.MULTILINE)
_NEW = f"# 参数表变更记录 · Changes of the parameter tables\n\n{_ENTRIES}\n"


def _entry(table, about, difference, guards, sums) -> str:
    """Text of one entry, in both languages where it is not a name or a number."""
    lines = [
        f"{package.heading(table.table_id, table.version)} {status_label(table.status, 'zh')} {table.status} · {about.date}",
        "",
    ]
    lines.append(f"- 原因 why: {one_line(about.reason)}")
    lines.append(f"- 数据 data: {_data(table)}")
    lines += _moved(difference, about.previous)
    lines.append(f"- 方法 method: {_method(table)}")
    lines += _digits(guards)
    lines += _failed(table, about.accept)
    lines.append(f"- 评审 review: {'、'.join(map(one_line, about.reviewers))}")
    lines.append(package.digest_line(sums))
    return "\n".join(lines) + "\n"


def _data(table) -> str:
    found = []
    for source in table.provenance.data:
        name = one_line(source.get("spec") or source.get("name") or "")
        n = source.get("n_used")
        digest = str(source.get("fingerprint") or "")[:12]
        found.append(", ".join(filter(None, (name, f"n = {n}" if n else "", digest))))
    return "; ".join(found)


def _moved(difference, previous) -> list[str]:
    if difference is None:
        return ["- 变动的数值 values that moved: 首个版本 first release"]
    moved = sorted(difference.estimates, key=lambda c: -abs(c.in_se or 0))
    lines = [f"- 变动的数值 values that moved: {len(moved)}（相对 {previous} · against {previous}）"]
    for change in moved[:LISTED]:
        beyond = "超出 beyond" if change.beyond else "未超出 inside"
        lines.append(f"  - {one_line(change.row)}: {change.old:.6g} → {change.new:.6g}, {beyond}")
    if len(moved) > LISTED:
        lines.append(f"  - 另有 {len(moved) - LISTED} 个 · and {len(moved) - LISTED} more")
    gone = [c for c in difference.changes if not c.column and c.file in ("coefficients", "values")]
    for change in gone[:LISTED]:
        word = "删除 gone" if change.new is None else "新增 new"
        lines.append(f"  - {one_line(change.row)}: {word}")
    if len(gone) > LISTED:
        lines.append(f"  - 另有 {len(gone) - LISTED} 行 · and {len(gone) - LISTED} more rows")
    return lines


def _method(table) -> str:
    parts = []
    for key, record in table.provenance.models.items():
        variance = ", ".join(f"{r}: {v}" for r, v in record.variance.items())
        parts.append(f"{one_line(key)}: {record.method} ({variance}; correction {record.correction})")
    if len(table.values):
        parts.append(f"{len(table.values)} 个标量参数 scalar parameters")
    return "; ".join(parts)


def _digits(guards) -> list[str]:
    if not guards:
        return []
    told = [
        f"{one_line(key)}: ≤ {printed.worst:.3f} se（仅按标准误取位 by the errors alone: {printed.unguarded:.3f}）"
        for key, printed in guards.items()
    ]
    return [f"- 位数 digits: 舍入引起的预测值偏移 rounding moves predictions by {'; '.join(told)}"]


def _failed(table, accept) -> list[str]:
    failed = table.checks[~table.checks["passed"].astype(bool)]
    lines = [f"- 未通过的检查 checks that fail: {len(failed)}"]
    for row in failed.to_dict("records"):
        if row["check_id"] == REFUSED:
            lines.append(
                f"  - {one_line(row['response'])}: {one_line(row['message_zh'])} {one_line(row['message_en'])}"
            )
            continue
        where = " ".join(filter(None, (row["check_id"], row["model_id"], row["response"])))
        recalled = "，阈值凭记忆 recalled" if row["rule_status"] == "recalled" else ""
        why = accept.get(f"{row['check_id']}:{row['response']}") or accept[row["check_id"]]
        lines.append(f"  - {one_line(where)} = {row['value']:.4g}{recalled}: {one_line(why)}")
    return lines


def inserted(log: str, text: str) -> str:
    """Change log with a new entry, the latest first; that of a release that was cut off goes."""
    log = _NONE_YET.sub("", log or _NEW)
    own = re.escape(text.splitlines()[0].rpartition(" · ")[0])
    log = re.sub(rf"^{own} · .*?(?=^## |\Z)", "", log, flags=re.MULTILINE | re.DOTALL)
    if _ENTRIES not in log:
        log = f"{log.rstrip()}\n\n{_ENTRIES}\n"
    head, _, rest = log.partition(_ENTRIES)
    return f"{head}{_ENTRIES}\n\n{text}\n{rest.lstrip()}".rstrip() + "\n"


# Metadata

_DOI = re.compile(r"10\.\d{4,9}/[^\s;,]+[^\s;,.]")


def _authors() -> list[str]:
    """Names of those who make the tables, from ``CITATION.cff`` of the workbench."""
    path = paths.root() / "CITATION.cff"
    if not path.is_file():
        return ["The sinklab developers"]
    known = read_yaml(path).get("authors") or []
    full = [
        a.get("name") or " ".join(filter(None, (a.get("given-names"), a.get("family-names")))) for a in known
    ]
    return [name for name in full if name] or ["The sinklab developers"]


def _doi_in(text: str) -> str:
    """First DOI in a text, "" when there is none."""
    found = _DOI.search(text or "")
    return found[0] if found else ""


def _metadata(table, files, about) -> dict[str, bytes]:
    """Files of metadata that a release adds, filled into those of ``metadata.json``.

    CITATION.cff 1.2.0, DataCite kernel 4, and RO-Crate 1.1: the files of the package, what they were made from, and
    by which software.
    """
    import yaml

    skeletons = json.loads(Path(__file__).with_name("metadata.json").read_text(encoding="utf-8"))
    told = _told(table, files, about)
    made = {name: _filled(skeleton, told) for name, skeleton in skeletons.items()}
    words = yaml.safe_dump(made.pop("CITATION.cff"), allow_unicode=True, sort_keys=False, width=100)
    return {"CITATION.cff": words.encode("utf-8")} | {name: to_json(found) for name, found in made.items()}


def _filled(part, told):
    """A skeleton with what is told in place of ``{name}``, of each item for ``{*name}``; what is blank goes."""
    if isinstance(part, dict):
        return {key: found for key, value in part.items() if (found := _filled(value, told)) != ""}
    if isinstance(part, list):
        cells = [told[x[2:-1]] if str(x).startswith("{*") else [_filled(x, told)] for x in part]
        return [item for cell in cells for item in cell]
    return told[part[1:-1]] if part.startswith("{") else part


def _told(table, files, about) -> dict[str, Any]:
    """What the skeletons of ``metadata.json`` have slots for."""
    made = [_file(name, content) for name, content in sorted(files.items())]
    inputs, software = _inputs(table), table.provenance.sinklab
    people = {"author": (about.authors, "Organization"), "reviewer": (about.reviewers, "Person")}
    people = {
        f"{role}s": [{"@id": f"#{role}-{i}", "@type": kind, "name": n} for i, n in enumerate(names, start=1)]
        for role, (names, kind) in people.items()
    }
    earlier = {"name": f"{table.table_id}@{about.previous}", "version": about.previous}
    earlier = [{"@id": "#previous", "@type": "Dataset"} | earlier] if about.previous else []
    entries = people | {"made": made, "inputs": inputs, "earlier": earlier}
    dois = [source.get("doi") or _doi_in(str(source.get("citation", ""))) for source in table.sources]
    derived = {"relatedIdentifierType": "DOI", "relationType": "IsDerivedFrom"}
    reviewer = {"contributorType": "Other", "nameType": "Personal"}
    return (
        {name: getattr(table, name) for name in ("title", "title_zh", "version", "status", "ref")}
        | entries
        | {f"{name.removesuffix('s')}_ids": [{"@id": x["@id"]} for x in e] for name, e in entries.items()}
        | {
            "both_titles": f"{table.title} ({table.title_zh})",
            "names": [{"name": name} for name in about.authors],
            "contributors": [{"name": name} | reviewer for name in about.reviewers],
            "derived": [{"relatedIdentifier": d} | derived for d in dict.fromkeys(filter(None, dois))],
            "references": [_reference(source) for source in table.sources],
            "abstract": _abstract(table),
            "identifier": f"https://doi.org/{about.doi}" if about.doi else table.ref,
            "date": about.date,
            "year": about.date[:4],
            "doi": about.doi,
            "licence": LICENCE["name"],
            "licence_title": LICENCE["title"],
            "software": software["version"],
            "source_sha256": software["source_sha256"],
            "stack": [f"{k} {v}" for k, v in table.provenance.stack.items()],
        }
    )


def _reference(source) -> dict:
    printed = str(source.get("citation") or source["title"])
    names = printed.partition("(")[0].strip(" .;,") if "(" in printed else str(source["title"])
    found = {"type": "generic", "title": str(source["title"]), "authors": [{"name": names or printed}]}
    year = re.search(r"\((\d{4})\)", printed)
    if year:
        found["year"] = int(year[1])
    doi = source.get("doi") or _doi_in(printed)
    if doi:
        found["doi"] = doi
    if source.get("citation"):
        found["notes"] = printed
    return found


def _abstract(table) -> str:
    equations = [e for model in table.models for e in model.system.text.splitlines()]
    parts = [f"{table.title}, version {table.version}, status {table.status}."]
    if equations:
        parts.append(f"Equations: {'; '.join(equations)}.")
    if len(table.values):
        parts.append(f"{len(table.values)} scalar parameters with their distributions.")
    parts.append("With joint covariance, joint draws, range of validity, checks and origin.")
    return " ".join(parts)


def _file(name, content) -> dict:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    found = {"@id": name, "@type": "File", "name": name, "encodingFormat": kind}
    found |= {"contentSize": str(len(content)), "sha256": sha256(content)}
    if name == DESCRIPTOR:
        found["conformsTo"] = {"@id": "https://specs.frictionlessdata.io/data-package/"}
    return found


def _inputs(table) -> list[dict]:
    """Input files of all sources by their portable names, and printed sources."""
    found = {}
    for source in table.provenance.data:
        for name, digest in (source.get("files") or {}).items():
            entry = {"@id": f"#input-{name}", "@type": "CreativeWork", "name": name, "sha256": digest}
            if source.get("citation"):
                entry["citation"] = source["citation"]
            if source.get("licence"):
                entry["license"] = source["licence"]
            found[entry["@id"]] = entry
    return list(found.values())
