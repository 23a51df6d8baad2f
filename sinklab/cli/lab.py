"""``sinklab lab``: JupyterLab in the workbench."""

import json
import os
import subprocess
import sys

from sinklab.errors import RunError
from sinklab.language import tr

#: What a workspace opens beside each other: notebooks, and the batch that runs them.
SYSTEMS = {
    "forest": ("fit_allometry.ipynb", "stand_growth.ipynb", "batches/open_data.yml"),
    "bamboo": ("bamboo.ipynb", "batches/systems.yml"),
    "shrub": ("shrub.ipynb", "batches/systems.yml"),
    "grassland": ("grassland.ipynb", "batches/systems_open.yml"),
    "karst": ("karst_soil.ipynb", "batches/systems.yml"),
    "wetland": ("soil_cores.ipynb", "batches/systems_open.yml"),
}


def add_parser(subparsers) -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "lab", help=tr("open the workbench in JupyterLab", "在 JupyterLab 中打开工作台")
    )
    parser.add_argument(
        "system",
        nargs="?",
        choices=tuple(SYSTEMS),
        help=tr("system whose notebooks are opened", "打开哪个系统的笔记本"),
    )
    parser.add_argument("--port", type=int, default=8888, help=tr("port to begin with", "起始端口"))
    parser.add_argument("--no-browser", action="store_true", help=tr("open no browser", "不打开浏览器"))
    parser.set_defaults(func=run)


def run(arguments) -> int:
    """Start the server on this machine only, and wait until it ends."""
    from importlib.util import find_spec

    from sinklab import paths
    from sinklab.runs import kernels

    if find_spec("jupyterlab") is None:
        raise RunError(
            tr(
                "JupyterLab is not installed here; run: python run.py setup",
                "此环境没有 JupyterLab；请执行：python run.py setup",
            )
        )
    place = paths.reports("runs", "workspaces")
    for system in SYSTEMS:
        write_workspace(place, system)
    chosen = kernels.environment(paths.root())
    # The people at a notebook may use all processors; the library and its settings are those of the runs.
    passed = {name: chosen[name] for name in chosen if not name.endswith("_NUM_THREADS")}
    passed.pop("MPLBACKEND", None)
    environment = dict(os.environ) | passed
    print(
        tr(
            "In a notebook: %load_ext sinklab, then %sinklab run BATCH",
            "笔记本中：%load_ext sinklab，再用 %sinklab run 批次",
        )
    )
    process = subprocess.Popen(command(arguments, place), env=environment, cwd=paths.root())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The server has heard it too, and asks its user or ends.
            continue


def command(arguments, workspaces) -> list[str]:
    """Command that starts the server."""
    from sinklab import paths

    address = f"/lab/workspaces/{arguments.system}" if arguments.system else "/lab/tree/notebooks"
    options = [
        f"--ServerApp.root_dir={paths.root()}",
        f"--LabApp.workspaces_dir={workspaces}",
        f"--LabApp.default_url={address}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={arguments.port}",
    ]
    if getattr(os, "geteuid", lambda: 1)() == 0:
        # As in a container; the server asks for its token and listens to this machine alone.
        options.append("--allow-root")
    if arguments.no_browser:
        options.append("--no-browser")
    return [sys.executable, "-m", "jupyterlab", *options]


def write_workspace(place, system: str):
    """Write the workspace of a system, unless its user has arranged it already.

    Returns
    -------
    path : Path
    """
    from jupyterlab_server.workspaces_handler import WORKSPACE_EXTENSION, WorkspacesManager, slugify

    path = place / (slugify(system) + WORKSPACE_EXTENSION)
    if path.exists():
        return path
    widgets, data = [], {}
    for name in SYSTEMS[system]:
        kind = "notebook" if name.endswith(".ipynb") else "editor"
        key = f"{kind}:notebooks/{name}"
        widgets.append(key)
        factory = "Notebook" if kind == "notebook" else "Editor"
        data[key] = {"data": {"path": f"notebooks/{name}", "factory": factory}}
    tabs = {"type": "tab-area", "currentIndex": 0, "widgets": widgets}
    data["layout-restorer:data"] = {"main": {"dock": tabs, "current": widgets[0]}}
    content = {"data": data, "metadata": {"id": system}}
    return WorkspacesManager(str(place)).save(system, json.dumps(content, ensure_ascii=False, indent=1))
