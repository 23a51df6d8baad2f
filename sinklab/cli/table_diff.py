"""``sinklab table diff``: which numbers of a table moved, why, and which version that needs."""

from sinklab.language import tr

#: Rows of each part of the report, unless all are asked for.
SHOWN = 20


def add_action(actions) -> None:
    """Add the action to the parser of ``sinklab table``; returns its parser for common options."""
    parser = actions.add_parser(
        "diff", help=tr("compare two versions and propose a version number", "比较两个版本并建议版本号")
    )
    reference = tr("folder, id or id@version", "参数表文件夹、id 或 id@version")
    parser.add_argument("old", metavar="A", help=tr("the earlier table: ", "较早的表：") + reference)
    parser.add_argument("new", metavar="B", help=tr("the later table: ", "较新的表：") + reference)
    parser.add_argument("--all", action="store_true", help=tr("list every cell", "逐格列出全部变化"))
    parser.set_defaults(func=run)
    return parser


def run(arguments) -> int:
    """Print what changed."""
    from sinklab.cli.table import print_json
    from sinklab.tables import Table
    from sinklab.tables.diff import diff

    found = diff(
        Table.read(arguments.old, root=arguments.root), Table.read(arguments.new, root=arguments.root)
    )
    if arguments.json:
        print_json(found.to_json())
    else:
        print(report(found, None if arguments.all else SHOWN))
    return 0


def report(found, limit: int | None = SHOWN) -> str:
    """Differences for a person; ``limit`` rows of each part."""
    head = f"{found.old} → {found.new}"
    parts = [_causes(found), _estimates(found, limit), _moves(found), _others(found, limit), _verdict(found)]
    return "\n\n".join([head, *(part for part in parts if part)])


def _causes(found) -> str:
    if not found.causes:
        return tr("Origin: the same data, method and software", "来历：数据、方法、软件均相同")
    kinds = {"data": tr("data", "数据"), "method": tr("method", "方法"), "software": tr("software", "软件")}
    lines = [tr("Origin", "来历")]
    for cause in found.causes:
        old, new = (_short(text) for text in (cause.old, cause.new))
        lines.append(f"  {kinds[cause.kind]} · {cause.name}: {old} → {new}")
    return "\n".join(lines)


def _short(text: str) -> str:
    if not text:
        return "–"
    digest = len(text) == 64 and not set(text) - set("0123456789abcdef")
    return text[:12] if digest else text if len(text) <= 60 else f"{text[:59]}…"


def _estimates(found, limit) -> str:
    from sinklab.cli.text import number, table

    changes = sorted(found.estimates, key=lambda c: -abs(c.in_se if c.in_se is not None else float("inf")))
    if not changes:
        return tr("Estimates: none moved", "估计值：没有变动")
    beyond = sum(bool(c.beyond) for c in changes)
    title = tr(
        f"Estimates: {len(changes)} moved, {beyond} beyond the old interval",
        f"估计值：{len(changes)} 个变动，其中 {beyond} 个超出旧区间",
    )
    header = [
        tr("estimate", "参数"),
        tr("old", "旧值"),
        tr("new", "新值"),
        tr("change %", "变化/%"),
        tr("in old se", "以旧标准误计"),
        tr("old interval", "旧区间"),
        tr("beyond", "超出"),
    ]
    rows = [
        [
            c.row,
            number(c.old),
            number(c.new),
            number(100 * (c.new / c.old - 1) if c.old else None, 3),
            number(c.in_se, 3),
            f"{number(c.lower, 5)} … {number(c.upper, 5)}",
            tr("yes", "是") if c.beyond else tr("no", "否"),
        ]
        for c in changes[:limit]
    ]
    return f"{title}\n{table(header, rows)}{_rest(changes, limit)}"


def _rest(items, limit) -> str:
    left = len(items) - len(items[:limit])
    return tr(f"\n… and {left} more (--all)", f"\n……另有 {left} 处（--all 全部列出）") if left else ""


def _moves(found) -> str:
    from sinklab.cli.text import number, table

    lines = [f"  {text}" for text in found.not_compared]
    if lines:
        lines.insert(0, tr("Predictions that cannot be compared", "无法比较的预测值"))
    if not found.moves:
        return "\n".join(lines)
    title = tr(
        "Predictions along the old validity range, where they moved most",
        "沿旧适用范围的预测值：变动最大处",
    )
    header = [
        tr("model", "模型"),
        tr("response", "因变量"),
        tr("change %", "变化/%"),
        tr("in old se", "以旧标准误计"),
        tr("points beyond the old interval", "超出旧区间的点数"),
        tr("at", "位置"),
    ]
    rows = [
        [
            m.model_id,
            m.response,
            number(100 * m.relative, 3),
            number(m.in_se, 3),
            f"{m.n_beyond}/{m.n_point}",
            m.at,
        ]
        for m in found.moves
    ]
    return "\n".join([title, table(header, rows), *lines])


def _others(found, limit) -> str:
    from sinklab.cli.text import number

    changes = [c for c in found.changes if c.beyond is None]
    lines = []
    for file in dict.fromkeys(c.file for c in changes):
        here = [c for c in changes if c.file == file]
        columns = dict.fromkeys(c.column or tr("rows", "行") for c in here)
        lines.append(f"  {file}: {len(here)} ({', '.join(columns)})")
    if not lines:
        return _rounding(found)
    lines.insert(0, tr("Other cells", "其他单元格"))
    plain = [c for c in changes if c.part == "major" or not c.column or limit is None]
    for c in plain[:limit]:
        if not c.column:
            gone = c.new is None
            lines.append(
                f"    {c.file}: {c.row} " + (tr("is gone", "已删除") if gone else tr("is new", "为新增"))
            )
        else:
            lines.append(f"    {c.file}: {c.row}: {c.column}: {number(c.old)} → {number(c.new)}")
    return "\n".join(lines) + _rest(plain, limit) + (f"\n{_rounding(found)}" if found.n_rounding else "")


def _rounding(found) -> str:
    if not found.n_rounding:
        return ""
    return tr(
        f"{found.n_rounding} further numbers differ by rounding only",
        f"另有 {found.n_rounding} 个数仅有舍入差异",
    )


def _verdict(found) -> str:
    if found.part == "none":
        return tr("No difference: the version stays.", "没有差异：版本号不变。")
    word = {
        "patch": tr("patch: only words changed", "修订号：只有文字变化"),
        "minor": tr("minor: rows added or numbers moved inside", "次版本：有新增行，或数值在原区间内移动"),
        "major": tr(
            "major: a value changed its meaning, went away or left its old interval",
            "主版本：有数值改变含义、被删除或移出原区间",
        ),
    }[found.part]
    line = tr(f"Proposed version: {found.proposed} ({word})", f"建议版本号：{found.proposed}（{word}）")
    if not found.enough:
        new = found.new.partition("@")[2]
        line += tr(f"; {new} is not enough", f"；{new} 不够")
    return line
