"""Entries of ``params/CHANGELOG.md``: which numbers of a version moved, by how much, and why."""

import re

from sinklab.tables.export.headings import one_line
from sinklab.tables.seal import digest_line, heading

#: Values that moved are listed up to this number; the rest is counted.
LISTED = 20
_STATUS = {"reviewed": "已评审 reviewed", "published": "已发布 published"}
_ENTRIES = "## 记录 · Entries"
_NONE_YET = re.compile(r"^尚无已评审或已发布的版本.*\n?", re.MULTILINE)
_NEW = f"# 参数表变更记录 · Changes of the parameter tables\n\n{_ENTRIES}\n"


def entry(table, about: dict, difference, guards: dict, sums: bytes) -> str:
    """Text of one entry, in both languages where it is not a name or a number.

    Parameters
    ----------
    table : Table
        With its new status.
    about : dict
        ``date``, ``reason``, ``reviewers``, ``accept`` (reason by failed check), ``previous``.
    difference : TableDiff or None
        Against the version released before; None for the first.
    guards : dict of Printed
        Rounding guard by model id.
    sums : bytes
        ``SHA256SUMS``.
    """
    lines = [f"{heading(table.table_id, table.version)} {_STATUS[table.status]} · {about['date']}", ""]
    lines.append(f"- 原因 why: {one_line(about['reason'])}")
    lines.append(f"- 数据 data: {_data(table)}")
    lines += _moved(difference, about["previous"])
    lines.append(f"- 方法 method: {_method(table)}")
    lines += _digits(guards)
    lines += _failed(table, about["accept"])
    lines.append(f"- 评审 review: {'、'.join(map(one_line, about['reviewers']))}")
    lines.append(digest_line(sums))
    return "\n".join(lines) + "\n"


def _data(table) -> str:
    found = []
    for source in table.provenance["data"]:
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
    for key, record in table.provenance["models"].items():
        variance = ", ".join(f"{r}: {v}" for r, v in record["variance"].items())
        parts.append(f"{one_line(key)}: {record['method']} ({variance}; correction {record['correction']})")
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
        where = " ".join(filter(None, (row["check_id"], row["model_id"], row["response"])))
        recalled = "，阈值凭记忆 recalled" if row["rule_status"] == "recalled" else ""
        why = accept.get(f"{row['check_id']}:{row['response']}") or accept[row["check_id"]]
        lines.append(f"  - {one_line(where)} = {row['value']:.4g}{recalled}: {one_line(why)}")
    return lines


def inserted(log: str, text: str) -> str:
    """Change log with a new entry, the latest first."""
    log = _NONE_YET.sub("", log or _NEW)
    if _ENTRIES not in log:
        log = f"{log.rstrip()}\n\n{_ENTRIES}\n"
    head, _, rest = log.partition(_ENTRIES)
    return f"{head}{_ENTRIES}\n\n{text}\n{rest.lstrip()}".rstrip() + "\n"
