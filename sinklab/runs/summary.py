"""The end of a run on the console: a table of what happened, the failures, and where to look."""

import sys

from sinklab import paths
from sinklab.language import language, tr
from sinklab.runs import keys
from sinklab.runs.batch import Outcome, Step
from sinklab.runs.progress import json_line, status_word

#: Unchanged jobs are listed one by one up to this number, and counted beyond it.
LISTED = 40


def _tally(outcome: Outcome) -> dict[str, int]:
    failed, executed = len(outcome.failed), len(outcome.records)
    unchanged = sum(1 for step in outcome.steps if not step.why)
    waiting = len(outcome.steps) - unchanged - executed
    return {"ok": executed - failed, "failed": failed, "unchanged": unchanged, "not_run": max(waiting, 0)}


def counts(outcome: Outcome) -> str:
    """One line: how many tasks were executed, failed, unchanged."""
    n = _tally(outcome)
    text = tr(
        f"{outcome.batch.name}: {n['ok']} ok, {n['failed']} failed, {n['unchanged']} unchanged",
        f"{outcome.batch.name}：完成 {n['ok']}，失败 {n['failed']}，未变 {n['unchanged']}",
    )
    if n["not_run"]:
        text += tr(f", {n['not_run']} not run", f"，未执行 {n['not_run']}")
    return text


def show(outcome: Outcome, index, as_json: bool = False) -> None:
    """Print what a run did."""
    if as_json:
        tally = _tally(outcome) | {"interrupted": outcome.interrupted, "index": paths.relative(index)}
        json_line("end", batch=outcome.batch.name, **tally)
        return
    if outcome.records:
        _table(outcome)
    for record in outcome.failed:
        print("\n" + _failure(record))
    if outcome.failed:
        print()
    print(counts(outcome))
    if outcome.interrupted:
        print(tr("interrupted; run again to continue", "已中断；再次运行即可继续"))
    if index is not None:
        print(tr(f"index: {paths.relative(index)}", f"总览页：{paths.relative(index)}"))


def show_plan(steps: list[Step], as_json: bool = False) -> None:
    """Print what would be executed, and why."""
    if as_json:
        for step in steps:
            json_line("planned", job=step.name, due=bool(step.why), why=step.why)
        return
    for step in steps:
        what = tr("run ", "执行") if step.why else tr("skip", "跳过")
        why = keys.wordings(step.why, 4) if step.why else tr("unchanged", "未变")
        print(f"{what}  {step.name}  {why}")
    due = sum(1 for step in steps if step.why)
    rest = len(steps) - due
    print(tr(f"{due} would run, {rest} unchanged", f"将执行 {due} 项，未变 {rest} 项"))


def _table(outcome: Outcome) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False)
    for heading in (tr("job", "作业"), tr("title", "名称"), tr("result", "结果"), tr("why", "原因")):
        table.add_column(heading, overflow="fold")
    table.add_column(tr("seconds", "用时/秒"), justify="right")
    all_shown = len(outcome.steps) <= LISTED
    for step in outcome.steps:
        record = outcome.records.get(step.name)
        if record is None and not all_shown:
            continue
        style, word, seconds = "dim", tr("unchanged", "未变"), ""
        if record is not None:
            style = "green" if record["status"] == "ok" else "red"
            word, seconds = status_word(record), f"{record['seconds']:.1f}"
        elif step.why:
            word = tr("not run", "未执行")
        name = step.name.partition("/")[2]
        cells = (name, step.job.title[language()], Text(word, style=style), keys.wordings(step.why), seconds)
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)


def _failure(record: dict) -> str:
    """First useful line of a failure, where it happened, and the files that were kept."""
    lines = record["line"].splitlines()
    shown = [f"{tr('FAILED', '失败')}  {record['job']}", *(f"  {line}" for line in lines[:6])]
    if record.get("place"):
        shown.append(tr(f"  at {record['place']}", f"  位置：{record['place']}"))
    if record.get("kept"):
        shown.append(tr(f"  kept notebook: {record['kept']}", f"  保留的笔记本：{record['kept']}"))
    log = paths.root() / record["folder"] / "kernel.log"
    if log.is_file() and log.stat().st_size:
        shown.append(tr(f"  log: {paths.relative(log)}", f"  日志：{paths.relative(log)}"))
    return "\n".join(shown)
