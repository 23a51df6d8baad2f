"""``sinklab table digits``: how many decimal places a table must be printed with."""

from sinklab.language import tr


def add_action(actions):
    """Add the action to the parser of ``sinklab table``; returns its parser for common options."""
    parser = actions.add_parser(
        "digits",
        help=tr(
            "decimal places to print, so that predictions stay what they are",
            "列出应印的小数位数，使预测值保持不变",
        ),
    )
    parser.add_argument(
        "table", metavar="TABLE", help=tr("folder, id or id@version", "参数表文件夹、id 或 id@version")
    )
    parser.add_argument(
        "--fraction",
        type=float,
        default=0.1,
        metavar="SHARE",
        help=tr(
            "largest move of a prediction, in its standard errors (0.1)",
            "预测值的最大偏移，以其标准误计（默认 0.1）",
        ),
    )
    parser.set_defaults(func=run)
    return parser


def run(arguments) -> int:
    """Print value, standard error and printed text of each coefficient."""
    from dataclasses import asdict

    from sinklab.cli.table import print_json
    from sinklab.tables import Table
    from sinklab.tables.digits import guard

    table = Table.read(arguments.table, root=arguments.root)
    keys = table.frames["models"]["model_id"] if table.models else []
    found = {key: guard(model, arguments.fraction) for key, model in zip(keys, table.models, strict=True)}
    if arguments.json:
        print_json({k: asdict(p) | {"numbers": p.numbers.to_dict("records")} for k, p in found.items()})
        return 0
    if not found:
        print(tr(f"{table.ref}: no model", f"{table.ref}：没有模型"))
    for key, printed in found.items():
        print(report(f"{table.ref}, {key}", printed))
    return 0


def report(name: str, printed) -> str:
    """Decimal places of one model for a person."""
    from sinklab.cli.text import number, table
    from sinklab.tables.digits import text

    header = [
        tr("number", "参数"),
        tr("to print", "应印"),
        tr("by its error alone", "仅按标准误"),
        tr("value", "值"),
        tr("se", "标准误"),
    ]
    rows = [
        [
            row["label"],
            text(row["value"], row["decimals"]),
            text(row["value"], row["by_error"]),
            number(row["value"], 10),
            number(row["se"], 4),
        ]
        for row in printed.numbers.to_dict("records")
    ]
    line = tr(
        f"Rounding moves no prediction by more than {printed.worst:.3f} of its standard error "
        f"({printed.response} at {printed.at}); digits by the errors alone: {printed.unguarded:.3f}",
        f"舍入引起的预测值偏移不超过其标准误的 {printed.worst:.3f} 倍（{printed.response}，{printed.at}）；"
        f"仅按各自标准误取位则为 {printed.unguarded:.3f} 倍",
    )
    return f"{name}\n{table(header, rows)}\n{line}"
