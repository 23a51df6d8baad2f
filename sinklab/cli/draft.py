"""``sinklab draft``: render a draft to Word, HTML and PDF, check its wording, or list the drafts there are."""

import sys

from sinklab.errors import DraftError
from sinklab.language import LANGUAGES, language, tr

FORMATS = "docx,html,pdf"


def add_parser(subparsers) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "draft",
        help=tr("render a draft to Word, HTML and PDF", "生成文稿（Word、HTML、PDF）"),
        description=tr(
            "Render a draft described in reports/drafts/NAME.yml; without a name, list the drafts.",
            "按 reports/drafts/NAME.yml 生成文稿；省略名称时列出全部文稿。",
        ),
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help=tr("name of the draft", "文稿名称"))
    parser.add_argument(
        "--lang",
        choices=LANGUAGES,
        default=language(),
        help=tr("language of the draft", "文稿语言"),
    )
    parser.add_argument(
        "--to",
        metavar="FORMATS",
        default=FORMATS,
        help=tr(f"formats with commas between them ({FORMATS})", f"格式，以逗号分隔（{FORMATS}）"),
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--preview",
        action="store_true",
        default=None,
        help=tr("with a watermark, whatever the status of the numbers", "带水印的预览稿，不论数值状态"),
    )
    kind.add_argument(
        "--final",
        dest="preview",
        action="store_false",
        help=tr("without one; refused when a number is not good enough", "正式稿；数值状态不足时拒绝生成"),
    )
    kind.add_argument(
        "--lint",
        action="store_true",
        help=tr(
            "check wording, numbering, units and typed numbers instead; exit code 1 with findings",
            "改为检查用词、编号、单位和手写数值；有问题时返回 1",
        ),
    )
    parser.set_defaults(func=run)


def run(arguments) -> int:
    """Render and say which files were written."""
    from sinklab import drafts, paths

    if not arguments.name:
        return _list()
    if arguments.lint:
        return _lint(arguments.name, arguments.lang)
    formats = [word.strip() for word in arguments.to.split(",") if word.strip()]
    print(
        tr(
            f"rendering {arguments.name} ({arguments.lang}) …",
            f"正在生成 {arguments.name}（{arguments.lang}）…",
        ),
        flush=True,
    )
    written = drafts.render(arguments.name, arguments.lang, formats, arguments.preview)
    for path in written.values():
        print(paths.relative(path))
    return 0


def _lint(name: str, lang: str) -> int:
    from sinklab.drafts.lint import lint

    found = lint(name, lang)
    for finding in found:
        print(finding)
    places = tr(f"{len(found)} findings", f"{len(found)} 处问题") if found else tr("no finding", "未发现问题")
    print(tr(f"{name} ({lang}): {places}", f"{name}（{lang}）：{places}"))
    return 1 if found else 0


def _list() -> int:
    from sinklab import drafts
    from sinklab.cli.text import table
    from sinklab.drafts import description

    names = drafts.names()
    if not names:
        print(tr("no draft in reports/drafts", "reports/drafts 中没有文稿"))
        return 0
    rows, faults = [], []
    for name in names:
        try:
            drawn = description.read(name)
        except DraftError as error:
            faults.append(str(error))
            continue
        rows.append([name, drawn.localised(language())["title"], ", ".join(drawn.tables.values())])
    head = [tr("draft", "文稿"), tr("title", "标题"), tr("tables", "参数表")]
    print(table(head, rows))
    for fault in faults:
        print(f"sinklab: {fault}", file=sys.stderr)
    return 1 if faults else 0
