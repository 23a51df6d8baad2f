"""``sinklab run``: execute the jobs of a batch that changed."""

import signal
import sys

from sinklab.language import tr


def add_parser(subparsers) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "run",
        help=tr("execute the notebooks of a batch that changed", "执行批次中有变化的笔记本"),
    )
    parser.add_argument(
        "batch",
        nargs="?",
        default="default",
        metavar="BATCH",
        help=tr("name in notebooks/batches, or a .yml file", "notebooks/batches 中的名称，或 .yml 文件"),
    )
    parser.add_argument(
        "--only", metavar="PATTERN", help=tr("names of jobs, such as agb_*", "作业名称，可用通配符，如 agb_*")
    )
    parser.add_argument("--workers", type=int, metavar="N", help=tr("worker processes", "工作进程数"))
    parser.add_argument(
        "--engine",
        choices=("local", "dask", "slurm-array"),
        help=tr("where the jobs are executed; local by default", "在何处执行作业；默认本机"),
    )
    parser.add_argument(
        "--scheduler", metavar="ADDR", help=tr("address of a Dask scheduler", "Dask 调度器地址")
    )
    for name, english, chinese in (
        ("ca", "authority", "颁发机构"),
        ("cert", "certificate", "证书"),
        ("key", "private key", "私钥"),
    ):
        parser.add_argument(
            f"--tls-{name}",
            metavar="FILE",
            help=tr(f"{english} for a tls:// scheduler", f"tls:// 调度器所需的{chinese}文件"),
        )
    parser.add_argument(
        "--sbatch",
        metavar="OPTIONS",
        default="",
        help=tr(
            'options of sbatch for the slurm-array engine: --sbatch="--partition=short --mem=4G"',
            'slurm-array 引擎传给 sbatch 的选项：--sbatch="--partition=short --mem=4G"',
        ),
    )
    parser.add_argument(
        "--force", action="store_true", help=tr("execute unchanged jobs too", "未变的作业也重新执行")
    )
    parser.add_argument(
        "--dry-run", action="store_true", help=tr("show what would run, and why", "只显示将执行什么及原因")
    )
    parser.add_argument(
        "--watch",
        action="store_true",
        help=tr("stay, and run again whatever changes", "持续监视，有改动即重新执行"),
    )
    parser.add_argument(
        "--log-json",
        action="store_true",
        help=tr("tell the progress in JSON lines", "以 JSON 行输出进度"),
    )
    parser.set_defaults(func=run)


def run(arguments) -> int:
    """Run the command; 1 when a job failed."""
    from sinklab.runs.engines import worker_count
    from sinklab.runs.reading import read_batch

    workers = worker_count(arguments.workers)
    batch = read_batch(arguments.batch)
    if arguments.dry_run:
        return _plan(batch, arguments)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return (_watch if arguments.watch else _once)(batch, arguments, workers)
    finally:
        signal.signal(signal.SIGTERM, before)


def _plan(batch, arguments) -> int:
    """Show what would be executed, and why."""
    from sinklab.runs import batch as batches
    from sinklab.runs import keys, ledger, slurm, summary

    slurm.merge_left()
    jobs, drafts = batches.select(batch, arguments.only)
    bench, records = keys.Workbench(), ledger.read()
    steps = batches.plan_jobs(jobs, bench, records, arguments.force)
    due = [step for step in steps if step.why]
    steps += batches.plan_drafts(drafts, bench, records, arguments.force, due)
    summary.show_plan(steps, arguments.log_json)
    return 0


def _once(batch, arguments, workers: int, again: bool = False) -> int:
    """Execute what changed, write the index and tell what happened; ``again`` for a batch that is watched."""
    from sinklab import paths
    from sinklab.runs import batch as batches
    from sinklab.runs import summary

    outcome = batches.run(
        batch,
        arguments.only,
        workers,
        arguments.engine or ("dask" if arguments.scheduler else "local"),
        arguments.scheduler,
        arguments.force and not again,
        options=arguments.sbatch,
        as_json=arguments.log_json,
        repeat_failed=not again,
        tls={n: v for n in ("ca", "cert", "key") if (v := getattr(arguments, f"tls_{n}"))},
    )
    index = paths.reports("runs", "index.html")
    if outcome.records or not index.is_file():
        from sinklab.runs.index import write_index

        try:
            write_index(index)
        except OSError as error:
            # Such as a full disk, which the failed jobs have told of already.
            print(tr(f"no index: {error}", f"未写总览页：{error}"), file=sys.stderr, flush=True)
    summary.show(outcome, index, arguments.log_json)
    if outcome.interrupted:
        return 130
    return 1 if outcome.failed else 0


def _watch(batch, arguments, workers: int) -> int:
    """Execute again whatever changes while somebody edits; ends with Ctrl-C."""
    from sinklab import paths
    from sinklab.errors import SinklabError
    from sinklab.runs import watch
    from sinklab.runs.reading import read_batch

    again = False
    try:
        while True:
            files = watch.watched(batch)
            before = watch.snapshot(files)  # what is edited during the run counts as a change after it
            if _once(batch, arguments, workers, again) == 130:
                return 130
            print(tr("watching; Ctrl-C ends", "正在监视改动；按 Ctrl-C 结束"), file=sys.stderr, flush=True)
            again, batch = True, None
            while batch is None:
                changed = watch.wait_for_change(files, before)
                names = ", ".join(paths.relative(path) for path in changed[:3])
                print(tr(f"changed: {names}", f"有改动：{names}"), file=sys.stderr, flush=True)
                before = watch.snapshot(files)
                try:
                    batch = read_batch(arguments.batch)
                except SinklabError as error:
                    print(f"sinklab: {error}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        return 130
