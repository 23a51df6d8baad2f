"""Where a job reads and where it writes: two jobs never write the same place."""

from pathlib import Path, PurePosixPath

from sinklab import paths
from sinklab.errors import SinklabError
from sinklab.language import tr


def outputs(file, items, values, place) -> tuple[str, ...]:
    """Files and folders that a job writes, relative to the workbench.

    Parameters
    ----------
    file : BatchFile
        Takes the problems.
    items : list of str or None
        As the batch file says; None stands for the folder of the table that the parameters name.
    values : dict
        Parameters of the job.
    place : tuple
        Where the job stands in the batch file.
    """
    if items is None:
        named = {"table_id", "version"} <= values.keys()
        items = [f"params/{values['table_id']}/{values['version']}"] if named else []
    found = []
    for position, item in enumerate(items):
        parts = PurePosixPath(str(item)).parts
        if not parts or str(item).startswith("/") or ".." in parts or set(str(item)) & set(":\\"):
            text = tr(
                f"outputs: {item!r}; expected a path below the workbench, such as params/…",
                f"outputs：{item!r}；应为工作台内的相对路径，如 params/…",
            )
            file.report(text, *place, "outputs", position)
        else:
            found.append("/".join(parts))
    return tuple(found)


def inputs(file, items, values, place, known: dict) -> tuple[Path, ...]:
    """Files that a job reads: those of its data sources (``source``, ``sources``), and those it names.

    ``known`` keeps the files of the sources that were looked up before.
    """
    found = []
    for name in ("source", "sources"):
        specs = values.get(name)
        for spec in [specs] if isinstance(specs, str) else specs or []:
            if spec not in known:
                known[spec] = _source(file, spec, (*place, "parameters", name))
            found += known[spec]
    for position, item in enumerate(items):
        path = paths.root() / str(item)
        if not path.exists():
            text = tr(f"inputs: {item}: no such file", f"inputs：找不到文件 {item}")
            file.report(text, *place, "inputs", position)
        elif path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.is_file())
        else:
            found.append(path)
    return tuple(dict.fromkeys(found))


def _source(file, spec, place) -> list[Path]:
    from sinklab import datasets

    try:
        return [Path(path) for path in datasets.files(spec)]
    except SinklabError as error:
        file.report(str(error), *place)
        return []


def overlaps(entries) -> list[tuple[tuple, str]]:
    """Jobs that write the same place, or one inside the other's.

    Parameters
    ----------
    entries : list of (Job, spot)
        A spot is whatever says where the job stands.

    Returns
    -------
    problems : list of (spot, message)
    """
    # Names that differ in case only are one place on Windows and macOS.
    claims = sorted(
        (tuple(output.casefold().split("/")), position)
        for position, (job, _) in enumerate(entries)
        for output in job.outputs
    )
    problems, above, owner = [], None, None
    for claim, position in claims:
        if above is None or claim[: len(above)] != above:
            above, owner = claim, position
        elif position != owner:
            (first, _), (second, spot) = (entries[i] for i in sorted((owner, position)))
            where = "/".join(claim)
            text = tr(
                f"jobs {first.id!r} and {second.id!r} both write {where}",
                f"作业 {first.id!r} 与 {second.id!r} 都写入 {where}",
            )
            problems.append((spot, text))
    return problems
