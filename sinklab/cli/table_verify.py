"""``sinklab table verify``: recompute a table and say what agreed and what differs."""

from sinklab.errors import listing
from sinklab.language import tr


def add_action(actions):
    """Add the action to the parser of ``sinklab table``; returns its parser for common options."""
    parser = actions.add_parser(
        "verify",
        help=tr(
            "recompute a table from its stated inputs; exit code 1 when anything differs",
            "按表中所述输入重新计算；有任何不符时退出码为 1",
        ),
    )
    parser.add_argument(
        "tables",
        metavar="TABLE",
        nargs="+",
        help=tr("folder, id or id@version", "参数表文件夹、id 或 id@version"),
    )
    add_data(parser)
    parser.set_defaults(func=run)
    return parser


def add_data(parser) -> None:
    """Add ``--data``: the files that a table is computed from again."""
    parser.add_argument(
        "--data",
        metavar="FILE",
        nargs="+",
        default=[],
        help=tr("own data files, for tables made from plain files", "由本地文件生成的表：所用数据文件"),
    )


def run(arguments) -> int:
    """Print what was recomputed; 1 when anything differs or could not be recomputed."""
    from sinklab.cli.table import print_json
    from sinklab.review import verify

    found = [verify(ref, arguments.root, arguments.data) for ref in arguments.tables]
    if arguments.json:
        print_json([v.to_json() for v in found])
    else:
        print("\n\n".join(map(report, found)))
    return 0 if all(v.agreed for v in found) else 1


def report(found, limit: int = 30) -> str:
    """Say for a person what a recomputation found."""
    from sinklab.cli.text import number, table

    lines = [f"{found.ref}: " + (tr("agreed", "相符") if found.agreed else tr("NOT agreed", "不符"))]
    same = sum(i.agreed for i in found.inputs)
    if found.inputs:
        lines.append(
            tr(
                f"  inputs: {same} of {len(found.inputs)} files have the stated SHA-256",
                f"  输入：{len(found.inputs)} 个文件中 {same} 个的 SHA-256 与表中一致",
            )
        )
    if found.comparisons:
        header = [
            tr("file", "文件"),
            tr("compared", "比较数"),
            tr("agreed", "相符数"),
            tr("largest deviation / tolerance", "最大偏差/容许值"),
        ]
        rows = [
            [row["file"], row["n"], row["n_agreed"], _ratio(row["largest"], number)]
            for row in found.summary().to_dict("records")
        ]
        lines += [f"  {line}" for line in table(header, rows).splitlines()]
    for title, items in (
        (tr("the package itself", "参数表本身"), found.problems),
        (tr("could not be recomputed", "无法重算"), found.missing),
        (tr("differences", "差异"), found.differences()),
    ):
        if items:
            lines.append(f"  {title}:")
            lines += [f"    {line}" for line in listing(items, limit).splitlines()]
    return "\n".join(lines)


def _ratio(value, number) -> str:
    return "∞" if value == float("inf") else number(value, 2)
