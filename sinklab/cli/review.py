"""``sinklab table``: list tables, show one, validate packages, compare versions, verify, export and release.

``sinklab review``: a table, a draft that came back, or a claimed equation.
``sinklab draft``: render a draft to Word, HTML and PDF, check its wording, or list the drafts there are.
"""

import json
import sys
from pathlib import Path

from sinklab import paths
from sinklab.language import DraftError, TableError, heads, listing, number, plain, reader_language, tr
from sinklab.language import table as columns_of_text
from sinklab.tables.schema import status_label

# What there is, and one table.


def print_json(content) -> None:
    """Print plain types as JSON; numbers that do not exist are null."""
    print(json.dumps(plain(content), ensure_ascii=False, indent=2))


def run_list(arguments) -> int:
    """Print one line for each version of each table."""
    from sinklab.tables.table import list_tables

    found = list_tables(arguments.root)
    if arguments.json:
        print_json(found)
        return 0
    if not found:
        where = arguments.root or paths.relative(paths.params())
        print(tr(f"no tables in {where}", f"{where} 中没有参数表"))
        return 0
    header = heads(
        "table|version|status|models|equations|values|title", "参数表|版本|状态|模型|方程|标量|名称"
    )
    columns = ("table_id", "version", "status", "n_model", "n_equation", "n_value")
    columns += ("title_zh" if reader_language() == "zh" else "title",)
    rows = [[(row | {"status": status_label(row["status"])})[c] for c in columns] for row in found]
    print(columns_of_text(header, rows))
    return 0


def run_show(arguments) -> int:
    """Print one table: equations, coefficients, indices, ranges, values, failed checks, origin."""
    from sinklab.tables.table import Table

    table = Table.read(arguments.table, root=arguments.root)
    if arguments.output:
        from sinklab.drafts.rendering import write_page

        print(write_page(table, arguments.output))
        return 0
    if arguments.json:
        print_json(_as_dict(table))
        return 0
    print(table.summary())
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
        "provenance": table.provenance.to_dict(),
    }


def run_validate(arguments) -> int:
    """Validate packages; 1 when any has a problem."""
    from sinklab.tables.checks import validate
    from sinklab.tables.table import list_tables, ref_of, resolve

    refs = arguments.tables or [f"{row['table_id']}@{row['version']}" for row in list_tables(arguments.root)]
    folders = [resolve(ref, arguments.root) for ref in refs]
    found = {ref_of(folder): validate(folder) for folder in folders}
    if arguments.json:
        print_json(found)
    else:
        for folder, problems in found.items():
            n = len(problems)
            state = tr(f"problems: {n}", f"{n} 个问题") if n else tr("ok", "通过")
            print("\n".join([f"{folder}: {state}", *(f"  {problem}" for problem in problems)]))
        if not found:
            print(tr("no tables", "没有参数表"))
    return 1 if any(found.values()) else 0


# Which numbers of a table moved, why, and which version that needs.

#: Rows of each part of the report, unless all are asked for.
SHOWN = 20


def run_diff(arguments) -> int:
    """Print what changed."""
    from sinklab.tables.comparison import diff
    from sinklab.tables.table import Table

    found = diff(*(Table.read(ref, arguments.root) for ref in (arguments.old, arguments.new)))
    if arguments.json:
        print_json(found.to_json())
    else:
        print(report_diff(found, None if arguments.all else SHOWN))
    return 0


def report_diff(found, limit: int | None = SHOWN) -> str:
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
    changes = sorted(found.estimates, key=lambda c: -abs(c.in_se if c.in_se is not None else float("inf")))
    if not changes:
        return tr("Estimates: none moved", "估计值：没有变动")
    beyond = sum(bool(c.beyond) for c in changes)
    title = tr(
        f"Estimates: {len(changes)} moved, {beyond} beyond the old interval",
        f"估计值：{len(changes)} 个变动，其中 {beyond} 个超出旧区间",
    )
    header = heads(
        "estimate|old|new|change %|in old se|old interval|beyond",
        "参数|旧值|新值|变化/%|以旧标准误计|旧区间|超出",
    )
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
    return f"{title}\n{columns_of_text(header, rows)}{_rest(changes, limit)}"


def _rest(items, limit) -> str:
    left = len(items) - len(items[:limit])
    return tr(f"\n… and {left} more (--all)", f"\n……另有 {left} 处（--all 全部列出）") if left else ""


def _moves(found) -> str:
    lines = [f"  {text}" for text in found.not_compared]
    if lines:
        lines.insert(0, tr("Predictions that cannot be compared", "无法比较的预测值"))
    if not found.moves:
        return "\n".join(lines)
    title = tr(
        "Predictions along the old validity range, where they moved most",
        "沿旧适用范围的预测值：变动最大处",
    )
    header = heads(
        "model|response|change %|in old se|points beyond the old interval|at",
        "模型|因变量|变化/%|以旧标准误计|超出旧区间的点数|位置",
    )
    rows = []
    for m in found.moves:
        moved = [number(100 * m.relative, 3), number(m.in_se, 3), f"{m.n_beyond}/{m.n_point}"]
        rows.append([m.model_id, m.response, *moved, m.at])
    return "\n".join([title, columns_of_text(header, rows), *lines])


def _others(found, limit) -> str:
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


# For a workbook, R or a text; computed again; released.


def run_export(arguments) -> int:
    """Write the file and name it."""
    from sinklab.tables.export import export_table
    from sinklab.tables.table import Table

    table = Table.read(arguments.table, root=arguments.root)
    path = export_table(table, arguments.to, arguments.output, arguments.level, arguments.kind)
    if arguments.json:
        print_json({"table": table.ref, "to": arguments.to, "file": str(path)})
    else:
        print(tr(f"{table.ref} written to {path}", f"已将 {table.ref} 写入 {path}"))
    return 0


def run_verify(arguments) -> int:
    """Print what was recomputed; 1 when anything differs or could not be recomputed."""
    from sinklab.review.verification import verify

    found = [verify(ref, arguments.root, arguments.data) for ref in arguments.tables]
    if arguments.json:
        print_json([v.to_json() for v in found])
    else:
        print("\n\n".join(map(report_verify, found)))
    return 0 if all(v.agreed for v in found) else 1


def report_verify(found, limit: int = 30) -> str:
    """Say for a person what a recomputation found."""
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
        header = heads(
            "file|compared|agreed|largest deviation / tolerance", "文件|比较数|相符数|最大偏差/容许值"
        )
        rows = []
        for row in found.summary().to_dict("records"):
            largest = "∞" if row["largest"] == float("inf") else number(row["largest"], 2)
            rows.append([row["file"], row["n"], row["n_agreed"], largest])
        lines += [f"  {line}" for line in columns_of_text(header, rows).splitlines()]
    for title, items in (
        (tr("the package itself", "参数表本身"), found.problems),
        (tr("could not be recomputed", "无法重算"), found.missing),
        (tr("differences", "差异"), found.differences()),
        (tr("to know", "说明"), found.notes()),
    ):
        if items:
            lines.append(f"  {title}:")
            lines += [f"    {line}" for line in listing(items, limit).splitlines()]
    return "\n".join(lines)


def run_release(arguments) -> int:
    """Recompute and release; an error names every reason against it."""
    from sinklab.review.verification import verify
    from sinklab.tables.release import draft_of, release_table

    draft, version = draft_of(arguments.table, arguments.root)
    done = release_table(
        draft,
        verify(draft, arguments.root, arguments.data),
        arguments.reason,
        arguments.reviewer,
        arguments.status,
        accepted(arguments.accept),
        arguments.date,
        arguments.author,
        arguments.doi,
        arguments.root,
        version,
    )
    if arguments.json:
        print_json(
            {"table": done.ref, "status": done.status, "folder": str(done.folder), "entry": done.entry}
        )
    else:
        inside = done.folder.resolve().is_relative_to(paths.root())
        where = paths.relative(done.folder) if inside else done.folder
        made = (
            tr(f", made from {draft.name}, which stays", f"，由 {draft.name} 得出，后者保留")
            if version
            else ""
        )
        print(
            tr(
                f"{done.ref}: released as {done.status} in {where}{made}",
                f"{done.ref}：已定为 {done.status}，位于 {where}{made}",
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
    found = {}
    for text in texts:
        key, sign, reason = text.partition("=")
        if not sign or not reason.strip():
            raise TableError(
                f"--accept {text!r}; expected CHECK[:RESPONSE]=REASON",
                f"--accept {text!r} 无效；应为 检查项[:因变量]=理由",
            )
        found[key.strip()] = reason.strip()
    return found


# --- ``sinklab review``: a table, a draft that came back, or a claimed equation.


def run(arguments) -> int:
    """Review; 1 when something was found wrong."""
    if arguments.subject.lower().endswith((".docx", ".docm")):
        return _draft(arguments)
    if "=" in arguments.subject or arguments.on:
        return _claim(arguments)
    return _table(arguments)


def _table(arguments) -> int:
    from sinklab import paths
    from sinklab.review.opinions import read_list
    from sinklab.review.report import examine, render

    opinions = read_list(arguments.opinions) if arguments.opinions else None
    found = examine(arguments.subject, arguments.root, arguments.data, arguments.site, arguments.verdicts)
    formats = tuple(word.strip() for word in arguments.to.split(",") if word.strip())
    written = render(found, arguments.lang or reader_language(), formats, opinions, arguments.output)
    if arguments.json:
        print_json(found.to_json() | {"files": {k: str(v) for k, v in written.items()}})
    else:
        print(report_verify(found.verification))
        missed = found.thresholds[found.thresholds["result"] == "fail"]
        for row in missed.to_dict("records"):
            label = tr(row["label_en"], row["label_zh"])
            print(
                tr(f"  missed: {row['response']}: {label}", f"  未通过：{row['response']}：{label}")
                + f" ({row['value']:.4g})"
            )
        for path in written.values():
            print(paths.relative(path))
    return 0 if found.agreed else 1


def _draft(arguments) -> int:
    from sinklab.review.draft import check_draft
    from sinklab.review.opinions import follow, read_list, read_opinions, write_list

    listed = None
    if arguments.answered:
        listed = follow(read_list(arguments.answered), arguments.subject)
        write_list(listed, arguments.comments or arguments.answered)
    elif arguments.comments:
        listed = read_opinions(arguments.subject)
        write_list(listed, arguments.comments)
    check = check_draft(arguments.subject, arguments.draft, arguments.lang)
    if arguments.json:
        print_json(check.to_json() | {"opinions": listed.to_json() if listed else None})
    else:
        print(_draft_report(check, listed, arguments.comments or arguments.answered))
    return 0 if check.agreed else 1


def _draft_report(check, listed, path) -> str:
    from sinklab.language import listing

    lines = [
        tr(
            f"{check.document} ({check.draft}, {check.lang}): {check.n_agreed} of {check.n_cited} numbers are those of "
            f"{', '.join(check.tables)}",
            f"{check.document}（{check.draft}，{check.lang}）：{check.n_cited} 个数值中 {check.n_agreed} 个与 "
            f"{'、'.join(check.tables)} 一致",
        )
    ]
    lines += [f"  {line}" for line in listing([f.line() for f in check.findings], 50).splitlines()]
    if check.links:
        lines.append(tr("  the document would load: ", "  文件会加载外部内容：") + "; ".join(check.links))
    if listed:
        counts: dict[str, int] = {}
        for entry in listed.entries:
            counts[entry.status] = counts.get(entry.status, 0) + 1
        told = ", ".join(f"{count} {status}" for status, count in counts.items()) or "0"
        lines.append(tr(f"  opinions: {told} -> {path}", f"  意见：{told} -> {path}"))
        if listed.n_formatting:
            lines.append(
                tr(
                    f"  {listed.n_formatting} tracked changes of layout are not listed",
                    f"  另有 {listed.n_formatting} 处格式修订未列出",
                )
            )
    return "\n".join(lines)


def _claim(arguments) -> int:
    from sinklab.cli.fit import limits, start_values
    from sinklab.data.reading import read
    from sinklab.language import DataError
    from sinklab.review import scrutiny
    from sinklab.tables import table as tables_table
    from sinklab.tables.table import Table

    files = [*([arguments.on] if arguments.on else []), *arguments.data]
    if len(files) != 1:
        raise DataError("name one file of trees with --data", "请用 --data 指定一个样木数据文件")
    data = read(Path(files[0]))
    if "=" in arguments.subject:
        found = scrutiny.test_claim(
            data,
            arguments.subject,
            start_values(arguments.values),
            arguments.response,
            limits(arguments.range),
            arguments.deviation,
            {"e": "log", "10": "log10", None: "relative"}[arguments.log],
            arguments.level,
            arguments.correction,
        )
    else:
        table = Table.read(tables_table.resolve(arguments.subject, arguments.root))
        found = scrutiny.test_table(data, table, arguments.response, level=arguments.level)
    if arguments.json:
        print_json(found.to_json())
    else:
        print(_claim_report(found))
    return 0 if found.holds else 1


def _claim_report(found) -> str:
    from sinklab.language import number, table
    from sinklab.results.indices import rule_source

    bias, equal, covered = found.bias, found.equivalence, found.coverage
    lines = [
        f"{found.equation}: {found.response}",
        tr(
            f"  {found.n} trees ({found.n_left_out} records left out, {found.outside} trees outside the claimed range)",
            f"  样木 {found.n} 株（另有 {found.n_left_out} 条记录缺值未用，{found.outside} 株超出声明范围）",
        ),
        tr(f"  verdict: {found.transfer.text}", f"  结论：{found.transfer.text}"),
        tr(
            f"  ellipse test: F = {number(bias['F'], 4)}, p = {number(bias['p_ellipse'], 3)}; mean relative error "
            f"{number(equal['mean_relative_error'], 3)} %, 90 % interval {number(equal['lower'], 3)} to "
            f"{number(equal['upper'], 3)} %, margin ±{equal['margin']:g} %: "
            + ("equivalent" if equal["equivalent"] else "not shown to be equivalent"),
            f"  椭圆检验：F = {number(bias['F'], 4)}，p = {number(bias['p_ellipse'], 3)}；平均相对误差 "
            f"{number(equal['mean_relative_error'], 3)}%，90% 区间 {number(equal['lower'], 3)}%～"
            f"{number(equal['upper'], 3)}%，界限 ±{equal['margin']:g}%："
            + ("等效" if equal["equivalent"] else "未能证明等效"),
        ),
    ]
    if covered is not None:
        held = tr("holds", "成立") if covered.holds else tr("does NOT hold", "不成立")
        lines.append(
            tr(
                f"  coverage: {covered.inside} of {covered.n} ({100 * covered.share:.1f} %) inside the "
                f"{100 * covered.level:g} % intervals; exact 95 % interval of the share {100 * covered.lower:.1f} to "
                f"{100 * covered.upper:.1f} %: {held}",
                f"  覆盖率：{covered.n} 株中 {covered.inside} 株（{100 * covered.share:.1f}%）落在 {100 * covered.level:g}% 区间内；"
                f"该比例的精确 95% 区间为 {100 * covered.lower:.1f}%～{100 * covered.upper:.1f}%：{held}",
            )
        )
    head = tr("check|value|limit|passed|source", "检验|数值|限值|通过|来源").split("|")
    rows = [
        [
            r["check"],
            r["value"],
            f"{r['comparison']} {r['threshold']:g}",
            bool(r["passed"]),
            rule_source(r["source"], r["status"]),
        ]
        for r in found.transfer.checks.to_dict("records")
    ]
    head_size = tr("size|n|TRE %|ASE %|lower|upper|biased", "径级|n|TRE %|ASE %|下限|上限|有偏").split("|")
    sizes = [
        [r["size"], r["n"], *(number(r[k], 3) for k in ("TRE", "ASE", "lower", "upper")), bool(r["biased"])]
        for r in found.classes.to_dict("records")
    ]
    return "\n".join([*lines, "", table(head, rows), "", table(head_size, sizes)])


# --- ``sinklab draft``: render a draft to Word, HTML and PDF, check its wording, or list the drafts there a

FORMATS = "docx,html,pdf"


def run_draft(arguments) -> int:
    """Render and say which files were written."""
    from sinklab import paths
    from sinklab.drafts import rendering

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
    written = rendering.render(arguments.name, arguments.lang, formats, arguments.preview)
    for path in written.values():
        print(paths.relative(path))
    return 0


def _lint(name: str, lang: str) -> int:
    from sinklab.drafts.linting import lint
    from sinklab.review.draft import lint_document

    found = lint_document(name) if name.casefold().endswith(".docx") else lint(name, lang)
    for finding in found:
        print(finding)
    places = tr(f"{len(found)} findings", f"{len(found)} 处问题") if found else tr("no finding", "未发现问题")
    print(tr(f"{name} ({lang}): {places}", f"{name}（{lang}）：{places}"))
    return 1 if found else 0


def _list() -> int:
    from sinklab.drafts import description as drafts_description
    from sinklab.language import table

    names = drafts_description.names()
    if not names:
        print(tr("no draft in reports/drafts", "reports/drafts 中没有文稿"))
        return 0
    rows, faults = [], []
    for name in names:
        try:
            drawn = drafts_description.read(name)
        except DraftError as error:
            faults.append(str(error))
            continue
        cited = list(drawn.tables.values())
        more = f" +{len(cited) - 1}" if len(cited) > 1 else ""  # all of them would run off a line
        rows.append([name, drawn.localised(reader_language())["title"], "".join(cited[:1]) + more])
    head = [tr("draft", "文稿"), tr("title", "标题"), tr("tables", "参数表")]
    print(table(head, rows))
    for fault in faults:
        print(f"sinklab: {fault}", file=sys.stderr)
    return 1 if faults else 0
