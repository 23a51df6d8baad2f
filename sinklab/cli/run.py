"""``sinklab run`` executes the jobs of a batch that changed; ``sinklab lab`` opens the workbench in JupyterLab."""

import json
import os
import signal
import subprocess
import sys

from sinklab.language import QUIET, RunError, reader_language, tr


def run_command(arguments) -> int:
    """Run the command; 1 when a job failed."""
    from sinklab.runs.engines import worker_count
    from sinklab.runs.reading import read_batch

    workers = worker_count(arguments.workers)
    batch = read_batch(arguments.batch, arguments.only)
    if arguments.dry_run:
        return _plan(batch, arguments)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return (_watch if arguments.watch else _once)(batch, arguments, workers)
    finally:
        signal.signal(signal.SIGTERM, before)


def _plan(chosen, arguments) -> int:
    """Show what would be executed, and why."""
    from sinklab.runs import batch, ledger

    jobs, drafts = batch.select(chosen, arguments.only)
    bench, records = ledger.Workbench(), ledger.read()
    tasks = batch.plan_jobs(jobs, bench, records, arguments.force)
    due = [task for task in tasks if task.why]
    tasks += batch.plan_drafts(drafts, bench, records, arguments.force, due)
    batch.show_plan(tasks, arguments.log_json)
    return 0


def _once(chosen, arguments, workers: int, again: bool = False) -> int:
    """Execute what changed, write the index and tell what happened; ``again`` for a batch that is watched."""
    from sinklab import paths
    from sinklab.runs import batch

    paths.clear()
    outcome = batch.run(
        chosen,
        arguments.only,
        workers,
        arguments.engine or ("dask" if arguments.scheduler else "local"),
        arguments.scheduler,
        arguments.force and not again,
        options=arguments.sbatch,
        as_json=arguments.log_json,
        repeat_failed=not again,
        tls={n: v for n in ("ca", "cert", "key") if (v := getattr(arguments, f"tls_{n}"))},
        unencrypted=arguments.unencrypted,
    )
    page = paths.reports("runs", "index.html")
    if outcome.records or not page.is_file():
        try:
            batch.write_index(page)
        except OSError as error:
            # Such as a full disk, which the failed jobs have told of already.
            print(tr(f"no index: {error}", f"未写总览页：{error}"), file=sys.stderr, flush=True)
    batch.show(outcome, page, arguments.log_json)
    if outcome.interrupted:
        return 130
    return 1 if outcome.failed else 0


def _watch(chosen, arguments, workers: int) -> int:
    """Execute again whatever changes while somebody edits; ends with Ctrl-C."""
    from sinklab import paths
    from sinklab.language import SinklabError
    from sinklab.runs import batch
    from sinklab.runs.reading import read_batch

    again = False
    try:
        while True:
            files = batch.watched(chosen)
            before = batch.snapshot(files)  # what is edited during the run counts as a change after it
            if _once(chosen, arguments, workers, again) == 130:
                return 130
            print(tr("watching; Ctrl-C ends", "正在监视改动；按 Ctrl-C 结束"), file=sys.stderr, flush=True)
            again, chosen = True, None
            while chosen is None:
                changed = batch.wait_for_change(files, before)
                names = ", ".join(paths.relative(path) for path in changed[:3])
                print(tr(f"changed: {names}", f"有改动：{names}"), file=sys.stderr, flush=True)
                before = batch.snapshot(files)
                try:
                    chosen = read_batch(arguments.batch, arguments.only)
                except SinklabError as error:
                    print(f"sinklab: {error}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        return 130


def run_docs(arguments) -> int:
    """Build the site and say where it starts."""
    from sinklab import paths
    from sinklab.runs.pages import write_site

    start = write_site(execute=not arguments.stored)
    print(tr(f"open in a browser: {paths.relative(start)}", f"在浏览器中打开：{paths.relative(start)}"))
    return 0


def run_lab(arguments) -> int:
    """Start the server on this machine only, and wait until it ends."""
    from importlib.util import find_spec

    from sinklab import paths
    from sinklab.data import vocabulary
    from sinklab.runs import kernels

    if arguments.system:
        vocabulary.ecosystem(arguments.system)
    if find_spec("jupyterlab") is None:
        raise RunError(
            "JupyterLab is not installed here; run: python run.py setup",
            "此环境没有 JupyterLab；请执行：python run.py setup",
        )
    place = paths.reports("runs", "workspaces")
    for system in ("", *vocabulary.ecosystems()):
        write_workspace(place, system)
    # JupyterLab speaks the reader's language and asks nothing of the internet, until its user chooses otherwise.
    settings = {
        "@jupyterlab/translation-extension:plugin": {"locale": tr("en", "zh_CN")},
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    }
    with paths.atomic_write(place / "settings" / "overrides.json") as stream:
        json.dump(settings, stream)
    chosen = kernels.environment(paths.root())
    # The people at a notebook may use all processors; the library and its settings are those of the runs.
    passed = {name: chosen[name] for name in chosen if not name.endswith("_NUM_THREADS")}
    for job in ("MPLBACKEND", QUIET):
        passed.pop(job, None)
    environment = dict(os.environ) | passed
    print(
        tr(
            "In a notebook: %load_ext sinklab, then %sinklab run BATCH",
            "笔记本中：%load_ext sinklab，再用 %sinklab run 批次",
        )
    )
    line = command(arguments, place)
    if os.name != "nt":
        # The server takes the place of this process: whatever ends the command ends it, and it its kernels.
        sys.stdout.flush()
        os.chdir(paths.root())
        os.execve(line[0], line, environment)
    process = subprocess.Popen(line, env=environment, cwd=paths.root())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The server has heard it too, and asks its user or ends.
            continue


#: What JupyterLab opens a file with.
OPENED = {
    "ipynb": ("notebook", "Notebook"),
    "yml": ("editor", "Editor"),
    "md": ("markdownviewer-widget", "Markdown Preview"),
}


def command(arguments, workspaces) -> list[str]:
    """Command that starts the server."""
    from sinklab import paths

    options = [
        f"--ServerApp.root_dir={paths.root()}",
        f"--LabApp.workspaces_dir={workspaces}",
        f"--LabApp.app_settings_dir={os.path.join(workspaces, 'settings')}",
        f"--LabApp.default_url=/lab/workspaces/{arguments.system or _start()}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={arguments.port}",
    ]
    if getattr(os, "geteuid", lambda: 1)() == 0:
        # As in a container; the server asks for its token and listens to this machine alone.
        options.append("--allow-root")
    if arguments.no_browser:
        options.append("--no-browser")
    return [sys.executable, "-m", "jupyterlab", *options]


def _start() -> str:
    """Name of the page of tasks, which is that of its workspace."""
    return f"start_{reader_language()}"


def write_workspace(place, system: str):
    """Write the workspace of a system, or for "" that of the page of tasks, unless its user has arranged it already.

    It opens the notebooks and the batch that runs them beside each other, or the page.

    Returns
    -------
    path : Path
    """
    from jupyterlab_server.workspaces_handler import WORKSPACE_EXTENSION, WorkspacesManager, slugify

    from sinklab.data import vocabulary

    known, files = vocabulary.ecosystem(system) if system else None, [f"guide/{_start()}.md"]
    system = system or _start()
    path = place / (slugify(system) + WORKSPACE_EXTENSION)
    if path.exists():
        return path
    if known:
        files = [*(f"{notebook}.ipynb" for notebook in known.notebooks)]
        files += [f"batches/{known.batch}.yml"] if known.batch else []
    widgets, data = [], {}
    for name in files:
        kind, factory = OPENED[name.rpartition(".")[2]]
        key = f"{kind}:notebooks/{name}"
        widgets.append(key)
        data[key] = {"data": {"path": f"notebooks/{name}", "factory": factory}}
    tabs = {"type": "tab-area", "currentIndex": 0, "widgets": widgets}
    data["layout-restorer:data"] = {"main": {"dock": tabs, "current": widgets[0]}}
    content = {"data": data, "metadata": {"id": system}}
    return WorkspacesManager(str(place)).save(system, json.dumps(content, ensure_ascii=False, indent=1))
