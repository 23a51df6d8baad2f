"""``sinklab table release``: recompute a version, refuse it or seal it."""

from sinklab.cli.table_verify import add_data
from sinklab.language import tr


def add_action(actions):
    """Add the action to the parser of ``sinklab table``; returns its parser for common options."""
    parser = actions.add_parser(
        "release",
        help=tr(
            "give a version the status reviewed or published, and seal it",
            "将一个版本定为已评审或已发布，并封存",
        ),
    )
    parser.add_argument(
        "table", metavar="TABLE@VERSION", help=tr("id@version, or its folder", "id@version 或其文件夹")
    )
    parser.add_argument(
        "--status", choices=("reviewed", "published"), default="reviewed", help=tr("new status", "新状态")
    )
    parser.add_argument("--reason", required=True, help=tr("why there is this version", "发布该版本的原因"))
    parser.add_argument(
        "--reviewer",
        action="append",
        required=True,
        metavar="NAME",
        help=tr("who reviewed it; repeat", "评审人，可重复"),
    )
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="CHECK[:RESPONSE]=REASON",
        help=tr("why a failed check is accepted; repeat", "接受某项未通过检查的理由，可重复"),
    )
    parser.add_argument(
        "--author",
        action="append",
        metavar="NAME",
        help=tr("author of the table; repeat", "表的作者，可重复"),
    )
    parser.add_argument("--doi", default="", help=tr("DOI of this version", "该版本的 DOI"))
    parser.add_argument(
        "--date", metavar="YYYY-MM-DD", help=tr("date of the release (today)", "发布日期（默认当天）")
    )
    add_data(parser)
    parser.set_defaults(func=run)
    return parser


def run(arguments) -> int:
    """Recompute and release; an error names every reason against it."""
    from pathlib import Path

    from sinklab import paths
    from sinklab.cli.table import print_json
    from sinklab.errors import TableError
    from sinklab.review import verify
    from sinklab.tables.release import release

    reference = arguments.table
    if "@" not in reference and not (Path(reference) / "datapackage.json").is_file():
        raise TableError(
            tr(
                f"{reference}: name the version to release, as in {reference}@1.0.0",
                f"{reference}：请写明要发布的版本，例如 {reference}@1.0.0",
            )
        )
    done = release(
        reference,
        verify(reference, arguments.root, arguments.data),
        arguments.reason,
        arguments.reviewer,
        arguments.status,
        accepted(arguments.accept),
        arguments.date,
        arguments.author,
        arguments.doi,
        arguments.root,
    )
    if arguments.json:
        print_json(
            {"table": done.ref, "status": done.status, "folder": str(done.folder), "entry": done.entry}
        )
    else:
        inside = done.folder.resolve().is_relative_to(paths.root())
        where = paths.relative(done.folder) if inside else done.folder
        print(
            tr(
                f"{done.ref}: released as {done.status} in {where}",
                f"{done.ref}：已定为 {done.status}，位于 {where}",
            )
        )
        print(f"\n{done.entry}", end="")
    return 0


def accepted(texts) -> dict[str, str]:
    """Read ``check:response=reason``.

    Raises
    ------
    TableError
    """
    from sinklab.errors import TableError

    found = {}
    for text in texts:
        key, sign, reason = text.partition("=")
        if not sign or not reason.strip():
            raise TableError(
                tr(
                    f"--accept {text!r}; expected CHECK[:RESPONSE]=REASON",
                    f"--accept {text!r} 无效；应为 检查项[:因变量]=理由",
                )
            )
        found[key.strip()] = reason.strip()
    return found
