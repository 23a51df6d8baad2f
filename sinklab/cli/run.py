"""``sinklab run``: execute the jobs of a batch that changed."""

import signal

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
    parser.add_argument("--engine", choices=("local", "dask"), default=None, help="local | dask")
    parser.add_argument(
        "--scheduler", metavar="ADDR", help=tr("address of a Dask scheduler", "Dask 调度器地址")
    )
    parser.add_argument(
        "--force", action="store_true", help=tr("execute unchanged jobs too", "未变的作业也重新执行")
    )
    parser.add_argument(
        "--dry-run", action="store_true", help=tr("show what would run, and why", "只显示将执行什么及原因")
    )
    parser.set_defaults(func=run)


def run(arguments) -> int:
    """Run the command; 1 when a job failed."""
    from sinklab import paths
    from sinklab.runs import batch as batches
    from sinklab.runs import keys, ledger, summary
    from sinklab.runs.engines import worker_count
    from sinklab.runs.reading import read_batch

    workers = worker_count(arguments.workers)
    batch = read_batch(arguments.batch)
    if arguments.dry_run:
        jobs, drafts = batches.select(batch, arguments.only)
        bench, records = keys.Workbench(), ledger.read()
        steps = batches.plan_jobs(jobs, bench, records, arguments.force)
        due = [step for step in steps if step.why]
        steps += batches.plan_drafts(drafts, bench, records, arguments.force, due)
        summary.show_plan(steps)
        return 0
    engine = arguments.engine or ("dask" if arguments.scheduler else "local")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        outcome = batches.run(batch, arguments.only, workers, engine, arguments.scheduler, arguments.force)
    finally:
        signal.signal(signal.SIGTERM, before)
    index = paths.reports("runs", "index.html")
    if outcome.records or not index.is_file():
        from sinklab.runs.index import write_index

        write_index(index)
    summary.show(outcome, index)
    if outcome.interrupted:
        return 130
    return 1 if outcome.failed else 0
