"""``sinklab table``: list parameter tables, show one, validate packages; and the way to publication."""

from importlib import import_module

from sinklab.errors import listing
from sinklab.language import language, tr

#: Actions with a module of their own.
PUBLISHING = ("diff", "verify", "digits", "export", "release")


def add_parser(subparsers) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "table", help=tr("list, show, check and publish parameter tables", "列出、查看、校验和发布参数表")
    )
    actions = parser.add_subparsers(dest="action", metavar=tr("ACTION", "操作"), required=True)

    overview = actions.add_parser("list", help=tr("all tables with their status", "列出全部参数表及其状态"))
    overview.set_defaults(func=run_list)

    show = actions.add_parser("show", help=tr("one table, for people", "查看一张参数表"))
    show.add_argument("table", metavar="TABLE", help=_ref_help())
    show.set_defaults(func=run_show)

    check = actions.add_parser(
        "validate", help=tr("check packages; exit code 1 for problems", "校验参数表；有问题时退出码为 1")
    )
    check.add_argument(
        "tables", metavar="TABLE", nargs="*", help=_ref_help() + tr("; all when left out", "；省略时校验全部")
    )
    check.set_defaults(func=run_validate)

    published = [import_module(f"sinklab.cli.table_{name}").add_action(actions) for name in PUBLISHING]
    for action in (overview, show, check, *published):
        action.add_argument("--json", action="store_true", help=tr("print JSON", "输出 JSON"))
        action.add_argument(
            "--root",
            metavar="DIR",
            help=tr("folder of the tables (params)", "参数表所在文件夹（默认 params）"),
        )


def _ref_help() -> str:
    return tr("folder, id or id@version", "参数表文件夹、id 或 id@version")


def print_json(content) -> None:
    """Print plain types as JSON; numbers that do not exist are null."""
    import json

    from sinklab.tables.origin import plain

    print(json.dumps(plain(content), ensure_ascii=False, indent=2))


def run_list(arguments) -> int:
    """Print one line for each version of each table."""
    from sinklab import paths
    from sinklab.cli.text import table
    from sinklab.tables.store import list_tables

    found = list_tables(arguments.root)
    if arguments.json:
        print_json(found)
        return 0
    if not found:
        where = arguments.root or paths.relative(paths.params())
        print(tr(f"no tables in {where}", f"{where} 中没有参数表"))
        return 0
    header = [
        tr("table", "参数表"),
        tr("version", "版本"),
        tr("status", "状态"),
        tr("models", "模型"),
        tr("equations", "方程"),
        tr("values", "标量"),
        tr("title", "名称"),
    ]
    columns = ("table_id", "version", "status", "n_model", "n_equation", "n_value")
    title = "title_zh" if language() == "zh" else "title"
    rows = [[row[c] for c in columns] + [row[title]] for row in found]
    for row in rows:
        row[2] = status_label(row[2])
    print(table(header, rows))
    return 0


def status_label(status: str) -> str:
    """Status in the reader's language."""
    chinese = {"demonstration": "演示", "draft": "草案", "reviewed": "已评审", "published": "已发布"}
    return tr(status, chinese.get(status, status))


def run_show(arguments) -> int:
    """Print one table: equations, coefficients, indices, ranges, values, failed checks, origin."""
    from sinklab.cli.report import fit_report
    from sinklab.tables import Table

    table = Table.read(arguments.table, root=arguments.root)
    if arguments.json:
        print_json(_as_dict(table))
        return 0
    blocks = [_head(table), _note(table)]
    blocks += [fit_report(model) for model in table.models]
    blocks += [_values(table), _checks(table), _origin(table)]
    print("\n\n".join(block for block in blocks if block))
    return 0


def _as_dict(table) -> dict:
    return {
        "table_id": table.table_id,
        "version": table.version,
        "status": table.status,
        "title": table.title,
        "title_zh": table.title_zh,
        "models": [
            row | {"fit": model.to_json()}
            for row, model in zip(table.frames["models"].to_dict("records"), table.models, strict=True)
        ]
        if table.models
        else [],
        "values": table.values.to_dict("records"),
        "checks": table.checks.to_dict("records"),
        "sources": list(table.sources),
        "provenance": table.provenance,
    }


def _head(table) -> str:
    title = tr(table.title, table.title_zh)
    return f"{title}\n{table.ref} · {tr('status', '状态')}: {status_label(table.status)}"


def _note(table) -> str:
    if table.status != "demonstration":
        return ""
    return tr(
        "DEMONSTRATION: made from simulated data; the numbers must not be used.",
        "演示：由模拟数据得出，数值不得用于实际计量。",
    )


def _values(table) -> str:
    from sinklab import vocabulary
    from sinklab.cli.text import number
    from sinklab.cli.text import table as layout

    frame = table.values
    if frame.empty:
        return ""
    header = [
        tr("value", "参数"),
        tr("for", "分组"),
        tr("mean", "均值"),
        tr("lower", "下限"),
        tr("upper", "上限"),
        tr("unit", "单位"),
        "n",
        tr("studies", "研究数"),
        tr("distribution", "分布"),
        tr("status", "状态"),
    ]
    rows = []
    for row in frame.to_dict("records"):
        numbers = [number(row[c], 5) for c in ("mean", "q025", "q975")]
        counts = [number(row[c]) for c in ("n", "n_study")]
        name = vocabulary.label(row["variable"] or row["name"])
        rows.append(
            [
                name,
                vocabulary.label(row["group"]),
                *numbers,
                row["unit"],
                *counts,
                row["family"],
                status_label(row["status"]),
            ]
        )
    return f"{tr('Values (2.5 % and 97.5 % quantiles)', '标量参数（2.5% 与 97.5% 分位数）')}\n{layout(header, rows)}"


def _checks(table) -> str:
    from sinklab.cli.text import number

    checks = table.checks
    failed = checks[~checks["passed"].astype(bool)]
    line = tr(
        f"Checks: {len(checks) - len(failed)} of {len(checks)} passed",
        f"检查：{len(checks)} 项中通过 {len(checks) - len(failed)} 项",
    )
    lines = [line]
    for row in failed.to_dict("records"):
        where = " ".join(part for part in (row["model_id"], row["response"]) if part)
        recalled = row["rule_status"] == "recalled"
        mark = tr(" [threshold recalled, not verified]", "［阈值凭记忆，未核对］") if recalled else ""
        found = f"{row['check_id']} = {number(row['value'], 4)}"
        source = f"; {row['rule_source']}" if row["rule_source"] else ""
        lines.append(f"  ✗ {where}: {found}; {tr(row['message_en'], row['message_zh'])}{source}{mark}")
    return "\n".join(lines)


def _origin(table) -> str:
    from sinklab.tables import origin

    lines = [tr("Origin", "来历")]
    for data in table.provenance["data"]:
        name = origin.text(data)
        kind = data.get("origin", "")
        digest = str(data.get("fingerprint", ""))[:12]
        parts = [name, kind, f"{tr('data', '数据')} {digest}" if digest else "", data.get("citation", "")]
        lines.append("  " + " · ".join(str(part) for part in parts if part))
    shown = {data.get("title") or origin.text(data) for data in table.provenance["data"]}
    others = [source["title"] for source in table.sources if source["title"] not in shown]
    lines += [f"  {line}" for line in listing(others, limit=10).splitlines()]
    software = table.provenance["sinklab"]
    lines.append(f"  sinklab {software['version']} · {tr('source', '源码')} {software['source_sha256'][:12]}")
    return "\n".join(lines)


def run_validate(arguments) -> int:
    """Validate packages; 1 when any has a problem."""
    from sinklab.tables.store import list_tables, resolve
    from sinklab.tables.validation import validate

    refs = arguments.tables or [f"{row['table_id']}@{row['version']}" for row in list_tables(arguments.root)]
    folders = [resolve(ref, arguments.root) for ref in refs]
    found = {
        f"{folder.resolve().parent.name}@{folder.resolve().name}": validate(folder) for folder in folders
    }
    if arguments.json:
        print_json(found)
    else:
        for folder, problems in found.items():
            state = (
                tr("ok", "通过")
                if not problems
                else tr(f"problems: {len(problems)}", f"{len(problems)} 个问题")
            )
            print("\n".join([f"{folder}: {state}", *(f"  {problem}" for problem in problems)]))
        if not found:
            print(tr("no tables", "没有参数表"))
    return 1 if any(found.values()) else 0
