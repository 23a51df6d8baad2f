"""What a notebook worked out by itself: run it again with the parameters that the table names.

The notebook is the one of the workbench, never one that a package brings; the package gives its name and
values for parameters that the notebook declares. Its tables go to a folder that is thrown away.
"""

import ast
import os
import re
import subprocess
import tempfile
from pathlib import Path

from sinklab import paths, provenance
from sinklab.errors import SinklabError
from sinklab.language import tr
from sinklab.review.inputs import Input
from sinklab.tables import package

#: Seconds after which a notebook is given up.
TIME_LIMIT = 900
_NOTEBOOK = re.compile(r"notebooks/[A-Za-z0-9_]+\.ipynb")


def frames_again(recipe: dict, table_id: str, version: str, inputs):
    """Files of a table as the notebook of a recipe gives them today.

    Parameters
    ----------
    recipe : dict
        As :func:`sinklab.provenance.recipe` wrote it.
    table_id, version : str
        Of the table that is verified.
    inputs : Inputs
        Learns whether the notebook is the one the table was made with, and what is missing.

    Returns
    -------
    frames : dict of DataFrame, or None
        By name of the file; None when the notebook cannot be run, then ``inputs.missing`` says why.
    """
    name, parameters = str(recipe.get("notebook")), dict(recipe.get("parameters") or {})
    path = paths.root() / name
    if not _NOTEBOOK.fullmatch(name) or not path.is_file():
        inputs.missing.append(tr(f"{name}: no such notebook here", f"此处没有笔记本 {name}"))
        return None
    try:
        given = {key: ast.literal_eval(text) for key, text in parameters.items()}
        code, declared = provenance.notebook_code(path)
    except (ValueError, SyntaxError, SinklabError) as error:
        inputs.missing.append(f"{name}: {error}")
        return None
    inputs.checked[name] = Input(name, str(recipe.get("code", "")), code)
    unknown = sorted({*parameters} - {*declared})
    if unknown:
        inputs.missing.append(
            tr(
                f"{name} no longer has the parameters {', '.join(unknown)}",
                f"{name} 已没有参数 {'、'.join(unknown)}",
            )
        )
        return None
    own = {"table_id": table_id, "version": version}
    with tempfile.TemporaryDirectory(prefix="sinklab-review-") as place:
        own["out_dir"] = str(Path(place) / "out")
        fault = _run(path, given | {k: own[k] for k in declared if k in own}, Path(place) / "params")
        folder = Path(place) / "params" / table_id / version
        if not fault and not folder.is_dir():
            fault = tr("it wrote no table", "未写出参数表")
        if fault:
            inputs.missing.append(
                tr(
                    f"{name} cannot be run again: {fault}",
                    f"{name} 无法重新运行：{fault}",
                )
            )
            return None
        listed = package.read_descriptor(folder)["resources"]
        return {r["name"]: package.read_file(r["name"], (folder / r["path"]).read_bytes()) for r in listed}


def _run(path, parameters, tables) -> str:
    """Execute a notebook and return what went wrong, "" for nothing."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.read(path, as_version=4)
    tagged = [i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ())]
    lines = [f"{name} = {value!r}" for name, value in parameters.items()]
    notebook.cells.insert(tagged[0] + 1 if tagged else 0, nbformat.v4.new_code_cell("\n".join(lines)))
    client = NotebookClient(
        notebook,
        timeout=TIME_LIMIT,
        kernel_name="python3",
        resources={"metadata": {"path": str(paths.root())}},
    )
    library = Path(__file__).resolve().parents[2]
    search = os.pathsep.join(filter(None, [str(library), os.environ.get("PYTHONPATH")]))
    own = {"SINKLAB_PARAMS": str(tables), "SINKLAB_ROOT": str(paths.root()), "PYTHONPATH": search}
    try:
        # What the kernel itself has to say is not for the reader.
        client.execute(env=os.environ | own, stderr=subprocess.DEVNULL)
    except CellExecutionError as error:
        return f"{error.ename}: {error.evalue}"
    except (CellTimeoutError, DeadKernelError) as error:
        return str(error)
    return ""
