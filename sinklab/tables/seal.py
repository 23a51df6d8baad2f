"""The seal of a released table: checksums of every file, and their digest in the change log.

``SHA256SUMS`` lists the SHA-256 of all files of the folder, in the form of ``sha256sum``. Its own
SHA-256 stands in ``CHANGELOG.md`` beside the tables, so that someone who alters a number and mends all
the hashes in the folder is still found out.
"""

import hashlib
import re
from pathlib import Path

from sinklab import provenance
from sinklab.language import tr

SUMS = "SHA256SUMS"
#: Files that a release adds to a package.
RELEASE_FILES = ("CITATION.cff", "datacite.json", "ro-crate-metadata.json", SUMS)
CHANGELOG = "CHANGELOG.md"
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


def sums(files: dict[str, bytes]) -> bytes:
    """Content of ``SHA256SUMS`` for some files."""
    lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return "".join(lines).encode("ascii")


def heading(table_id: str, version: str) -> str:
    """Beginning of the headings of a version in the change log."""
    return f"## {table_id} {version} ·"


def digest_line(content: bytes) -> str:
    """Line of the change log that holds the digest of ``SHA256SUMS``."""
    return f"- 封存 sealed: {SUMS} sha256:{hashlib.sha256(content).hexdigest()}"


def logged_digest(log: str, table_id: str, version: str) -> str:
    """Digest in the latest entry of a version, "" when there is none; the latest entry stands first."""
    here = False
    for line in log.splitlines():
        if line.startswith("## "):
            here = line.startswith(heading(table_id, version))
        elif here and (found := re.search(rf"{SUMS} sha256:([0-9a-f]{{64}})", line)):
            return found[1]
    return ""


def problems(folder: Path, table_id: str, version: str) -> list[str]:
    """Every way in which a released folder is not what was released.

    Parameters
    ----------
    folder : path
        Folder of a version whose status is reviewed or published.

    Returns
    -------
    problems : list of str
    """
    path = folder / SUMS
    if not path.is_file():
        return [
            tr(
                f"{SUMS}: absent; a version is reviewed or published by `sinklab table release` only",
                f"缺少 {SUMS}；只能用 sinklab table release 将版本定为已评审或已发布",
            )
        ]
    content = path.read_bytes()
    listed = {}
    for line in content.decode("utf-8", errors="replace").splitlines():
        found = _LINE.fullmatch(line)
        if not found:
            return [tr(f"{SUMS}: cannot be read: {line[:80]!r}", f"{SUMS}：无法读取：{line[:80]!r}")]
        listed[found[2]] = found[1]
    faults = []
    for name in sorted({p.name for p in folder.iterdir()} - {SUMS} | set(listed)):
        here = (folder / name).is_file() if Path(name).name == name else False
        if name not in listed:
            faults.append(tr(f"{name}: added after the release", f"{name}：发布之后加入"))
        elif not here:
            faults.append(tr(f"{name}: gone since the release", f"{name}：发布之后缺失"))
        elif provenance.file_sha256(folder / name) != listed[name]:
            faults.append(tr(f"{name}: changed since the release", f"{name}：发布之后被改动"))
    return faults + _against_log(folder, content, table_id, version)


def _against_log(folder, content, table_id, version) -> list[str]:
    log = folder.resolve().parent.parent / CHANGELOG
    if not log.is_file():
        return []  # A folder that was handed on alone has nothing to be compared with.
    stored = logged_digest(log.read_text(encoding="utf-8"), table_id, version)
    if stored == hashlib.sha256(content).hexdigest():
        return []
    if not stored:
        return [
            tr(
                f"{CHANGELOG} has no entry for {table_id} {version}",
                f"{CHANGELOG} 中没有 {table_id} {version} 的条目",
            )
        ]
    return [
        tr(
            f"{SUMS}: not the one that {CHANGELOG} names ({stored[:12]}); the folder was altered and sealed anew",
            f"{SUMS}：与 {CHANGELOG} 所记（{stored[:12]}）不符；文件夹被改动后重新封存",
        )
    ]
