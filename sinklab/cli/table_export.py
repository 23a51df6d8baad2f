"""``sinklab table export``: a table for a workbook, R, Python, a database or a text."""

from sinklab.language import tr

#: The targets of :mod:`sinklab.tables.export`, here so that the parser loads nothing heavy.
TARGETS = ("xlsx", "r", "python", "sql", "latex")


def add_action(actions):
    """Add the action to the parser of ``sinklab table``; returns its parser for common options."""
    parser = actions.add_parser(
        "export",
        help=tr(
            "write a table as workbook with live formulas, R, Python, SQL or LaTeX",
            "导出为带公式的工作簿，或 R、Python、SQL、LaTeX",
        ),
    )
    parser.add_argument(
        "table", metavar="TABLE", help=tr("folder, id or id@version", "参数表文件夹、id 或 id@version")
    )
    parser.add_argument("--to", choices=TARGETS, required=True, help=tr("what to write", "导出格式"))
    parser.add_argument("-o", "--output", metavar="FILE", help=tr("file to write", "输出文件"))
    parser.add_argument(
        "--level", type=float, help=tr("level of the intervals (0.95)", "置信水平（默认 0.95）")
    )
    parser.add_argument(
        "--kind",
        choices=("mean", "individual"),
        help=tr("what the interval is of (mean)", "区间类型（默认 mean）"),
    )
    parser.set_defaults(func=run)
    return parser


def run(arguments) -> int:
    """Write the file and name it."""
    from sinklab.cli.table import print_json
    from sinklab.tables import Table
    from sinklab.tables.export import export

    table = Table.read(arguments.table, root=arguments.root)
    path = export(table, arguments.to, arguments.output, arguments.level, arguments.kind)
    if arguments.json:
        print_json({"table": table.ref, "to": arguments.to, "file": str(path)})
    else:
        print(tr(f"{table.ref} written to {path}", f"已将 {table.ref} 写入 {path}"))
    return 0
