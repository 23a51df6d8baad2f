"""Release a version of a table: refuse it, or give it a status, metadata, a seal and an entry in the change log."""

import datetime
from dataclasses import dataclass, replace
from pathlib import Path

from sinklab import paths
from sinklab.errors import SinklabError, TableError, listing
from sinklab.language import tr
from sinklab.tables import changelog, metadata, package, seal, store
from sinklab.tables.diff import diff
from sinklab.tables.digits import guard
from sinklab.tables.naming import STATUSES, version_key
from sinklab.tables.table import Table
from sinklab.tables.validation import validate

#: File beside the change log that keeps versions out of git until they are released.
IGNORED = ".gitignore"


@dataclass(frozen=True)
class Released:
    """A version that was released: its folder and its entry in the change log."""

    ref: str
    status: str
    folder: Path
    entry: str


def release(
    ref,
    verification,
    reason: str,
    reviewers,
    status: str = "reviewed",
    accept=None,
    date: str | None = None,
    authors=None,
    doi: str = "",
    root=None,
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

    Returns
    -------
    released : Released

    Raises
    ------
    TableError
        With all reasons why the version cannot be released. Nothing is written then.
    """
    folder = store.resolve(ref, root)
    faults = validate(folder)
    if faults:
        raise TableError(_refused(folder, faults))
    table = Table.read(folder)
    about = {
        "date": date or datetime.date.today().isoformat(),
        "reason": reason.strip(),
        "reviewers": [name.strip() for name in reviewers if name.strip()],
        "accept": dict(accept or {}),
        "authors": list(authors or metadata.authors()),
        "doi": doi,
    }
    faults = (
        _status_faults(table, status)
        + _request_faults(table, about)
        + _verification_faults(table, verification)
    )
    previous = _previous(folder.parent, table)
    difference = None
    if previous is not None:
        difference = diff(previous, table)
        if not difference.enough:
            faults.append(
                tr(
                    f"version {table.version} is not enough after {previous.version}: {difference.part} changes "
                    f"need {difference.proposed} (see `sinklab table diff`)",
                    f"在 {previous.version} 之后，版本号 {table.version} 不够：变动属 {difference.part}，"
                    f"应为 {difference.proposed}（见 sinklab table diff）",
                )
            )
    guards = {}
    try:
        keys = table.frames["models"]["model_id"] if table.models else ()
        guards = {key: guard(model) for key, model in zip(keys, table.models, strict=True)}
    except SinklabError as error:
        faults.append(str(error))
    if faults:
        raise TableError(_refused(folder, faults))
    about["previous"] = previous.version if previous is not None else ""
    return _write(folder, _raised(table, status), about, difference, guards)


def _refused(folder, faults) -> str:
    name = f"{folder.resolve().parent.name}@{folder.resolve().name}"
    return tr(f"{name} cannot be released:\n", f"{name} 不能发布：\n") + listing(faults)


def _status_faults(table, status) -> list[str]:
    if status not in package.FROZEN:
        known = ", ".join(package.FROZEN)
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
    faults = []
    if not about["reason"]:
        faults.append(tr("no reason is given", "没有说明原因"))
    if not about["reviewers"]:
        faults.append(tr("no reviewer is named", "没有写明评审人"))
    if not table.sources:
        faults.append(tr("the table names no source", "表中没有列出来源"))
    try:
        if datetime.date.fromisoformat(about["date"]).isoformat() != about["date"]:
            raise ValueError
    except ValueError:
        faults.append(
            tr(
                f"date {about['date']!r}; expected YYYY-MM-DD",
                f"日期 {about['date']!r} 无效；应为 YYYY-MM-DD",
            )
        )
    if about["doi"] and metadata.doi_of(about["doi"]) != about["doi"]:
        faults.append(tr(f"doi {about['doi']!r}; expected 10.…/…", f"DOI {about['doi']!r} 无效；应为 10.…/…"))
    return faults + _check_faults(table, about["accept"])


def _check_faults(table, accept) -> list[str]:
    """Failed checks that nobody accepted with a reason, and reasons for checks that did not fail."""
    failed = table.checks[~table.checks["passed"].astype(bool)]
    used, faults = set(), []
    for row in failed.to_dict("records"):
        keys = {row["check_id"], f"{row['check_id']}:{row['response']}"}
        given = {key for key in keys if accept.get(key, "").strip()}
        used |= given
        if not given:
            faults.append(
                tr(
                    f"check {row['check_id']} fails for {row['response'] or row['model_id']}: "
                    f"{row['value']:.4g} {row['comparison']} {row['threshold']:g} does not hold; mend it, or say why "
                    f"it is accepted (--accept {row['check_id']}:{row['response']}=REASON)",
                    f"{row['response'] or row['model_id']} 未通过检查 {row['check_id']}："
                    f"{row['value']:.4g} 不满足 {row['comparison']} {row['threshold']:g}；请改正，或说明接受的理由"
                    f"（--accept {row['check_id']}:{row['response']}=理由）",
                )
            )
    for key in sorted(set(accept) - used):
        faults.append(
            tr(
                f"--accept {key}: no such check fails, or no reason is given",
                f"--accept {key}：没有该项未通过的检查，或未说明理由",
            )
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
    for version in reversed(store.versions(folder)):
        if version_key(version) >= version_key(table.version):
            continue
        head = package.read_descriptor(folder / version)
        if head["sinklab"].get("status") in package.FROZEN:
            return Table.read(folder / version)
    return None


def _raised(table, status) -> Table:
    """Return the table with all of its rows in the new status."""
    frames = {
        name: frame.assign(status=status) if "status" in frame else frame
        for name, frame in table.frames.items()
    }
    return replace(table, frames=frames)


def _write(folder, table, about, difference, guards) -> Released:
    files = package.contents(table.frames, table.provenance)
    files[package.DESCRIPTOR] = package.describe(files, table.description())
    files |= metadata.files(table, files, about)
    files[seal.SUMS] = seal.sums(files)
    text = changelog.entry(table, about, difference, guards, files[seal.SUMS])
    log = folder.resolve().parent.parent / seal.CHANGELOG
    before = log.read_bytes() if log.is_file() else None
    try:
        with paths.atomic_folder(folder) as work:
            for name, content in files.items():
                (work / name).write_bytes(content)
            with paths.atomic_write(log) as stream:
                stream.write(changelog.inserted((before or b"").decode("utf-8"), text))
    except BaseException:
        # The entry was written first; without the folder it would speak of nothing.
        if before is None:
            log.unlink(missing_ok=True)
        else:
            with paths.atomic_write(log, "wb") as stream:
                stream.write(before)
        raise
    _admit(log.parent / IGNORED, table)
    return Released(table.ref, table.status, folder, text)


def _admit(ignored: Path, table) -> None:
    """Let git take a released version, where the folder of the tables keeps unreleased ones out."""
    if not ignored.is_file():
        return
    lines, own = ignored.read_text(encoding="utf-8").splitlines(), f"!/{table.table_id}/{table.version}/"
    if own not in lines:
        with paths.atomic_write(ignored) as stream:
            stream.write("\n".join([*lines, own]) + "\n")
