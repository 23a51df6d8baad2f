"""``sinklab review``: a table, a draft that came back, or a claimed equation.

``sinklab draft``: render a draft to Word, HTML and PDF, check its wording, or list the drafts there are.
"""

import sys
from pathlib import Path

from sinklab.language import DraftError, reader_language, tr

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
    from sinklab.cli.table import print_json, report_verify
    from sinklab.review.findings import examine
    from sinklab.review.opinions import read_list
    from sinklab.review.report import render

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
    from sinklab.cli.table import print_json
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
    from sinklab.cli.table import print_json
    from sinklab.data.reading import read
    from sinklab.language import DataError
    from sinklab.review import claim
    from sinklab.tables import table as tables_table
    from sinklab.tables.table import Table

    files = [*([arguments.on] if arguments.on else []), *arguments.data]
    if len(files) != 1:
        raise DataError("name one file of trees with --data", "请用 --data 指定一个样木数据文件")
    data = read(Path(files[0]))
    if "=" in arguments.subject:
        found = claim.test_claim(
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
        found = claim.test_table(data, table, arguments.response, level=arguments.level)
    if arguments.json:
        print_json(found.to_json())
    else:
        print(_claim_report(found))
    return 0 if found.holds else 1


def _claim_report(found) -> str:
    from sinklab.language import number, table

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
            f"{r['source']} ({r['status']})",
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
        rows.append([name, drawn.localised(reader_language())["title"], ", ".join(drawn.tables.values())])
    head = [tr("draft", "文稿"), tr("title", "标题"), tr("tables", "参数表")]
    print(table(head, rows))
    for fault in faults:
        print(f"sinklab: {fault}", file=sys.stderr)
    return 1 if faults else 0
