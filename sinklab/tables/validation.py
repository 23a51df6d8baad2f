"""Is a table package what it claims to be? An independent tool's opinion, and our own."""

from pathlib import Path

import numpy as np

from sinklab.language import EquationError, TableError, tr
from sinklab.tables import package
from sinklab.tables.checks import definitions_failed
from sinklab.tables.pack import EIGENVALUE_FLOOR, smallest_eigenvalue, table_status, unpack
from sinklab.tables.schema import check_table_id, check_version

# Draws are samples: mean and spread may be off by this many of their own standard errors.
_DRAW_Z = 6.0


def validate(path) -> list[str]:
    """Every problem of a table package; an empty list for a sound one.

    Frictionless checks the files against ``datapackage.json`` (types, limits, keys, hashes); then
    the numbers are checked against each other: equations can be read and have all their coefficients,
    covariances are positive semi-definite and agree with the standard errors, draws agree with the
    estimates, statuses agree between files, and folder, id and version agree.

    Parameters
    ----------
    path : path
        Folder of one version of a table.

    Returns
    -------
    problems : list of str

    Raises
    ------
    TableError
        The folder holds no table.
    """
    folder = Path(path)
    descriptor = package.read_descriptor(folder)
    problems = _by_frictionless(folder) + _place(folder, descriptor)
    frames, faults = _frames(folder, descriptor)
    problems += [fault for fault in faults if fault not in problems]
    if not faults:
        problems += _statuses(frames, descriptor) + definitions_failed(frames)
        if "models" in frames:
            problems += _models(frames, frames.pop("provenance"))
    return problems


def _by_frictionless(folder) -> list[str]:
    import frictionless

    report = frictionless.validate(str(folder / package.DESCRIPTOR))
    problems = [error.message for error in report.errors]
    return problems + [f"{task.place}: {error.message}" for task in report.tasks for error in task.errors]


def _place(folder, descriptor) -> list[str]:
    problems = []
    try:
        table_id, version = check_table_id(descriptor.get("name")), check_version(descriptor.get("version"))
    except TableError as error:
        return [str(error)]
    place = folder.resolve()
    if (place.parent.name, place.name) != (table_id, version):
        problems.append(
            tr(
                f"the folder is {place.parent.name}/{place.name}; {package.DESCRIPTOR} says {table_id}/{version}",
                f"文件夹为 {place.parent.name}/{place.name}；{package.DESCRIPTOR} 中为 {table_id}/{version}",
            )
        )
    listed = {resource["path"] for resource in descriptor["resources"]} | {package.DESCRIPTOR}
    if descriptor["sinklab"].get("status") in package.FROZEN:
        listed |= set(package.RELEASE_FILES)
        problems += package.problems(folder, table_id, version)
    for extra in sorted(p.name for p in folder.iterdir() if p.name not in listed):
        problems.append(
            tr(f"{extra}: not listed in {package.DESCRIPTOR}", f"{extra}：未列入 {package.DESCRIPTOR}")
        )
    return problems


def _frames(folder, descriptor):
    """Frames of the package, changed or not, and what keeps them from being read."""
    frames, faults = {}, []
    for resource in descriptor["resources"]:
        name, path = resource["name"], folder / resource["path"]
        if not path.is_file():
            faults.append(tr(f"{path.name}: missing", f"{path.name}：缺失"))
            continue
        try:
            frames[name] = package.read_file(name, path.read_bytes())
        except (TableError, ValueError, OSError) as error:
            faults.append(f"{path.name}: {error}")
    return frames, faults


def _statuses(frames, descriptor) -> list[str]:
    problems = []
    claimed = descriptor["sinklab"].get("status")
    try:
        found = table_status(frames)
    except TableError:
        return problems  # An unknown status is already named by its enum.
    if claimed != found:
        problems.append(
            tr(
                f"{package.DESCRIPTOR} says {claimed}; the weakest row is {found}",
                f"{package.DESCRIPTOR} 中的状态为 {claimed}；最低一行的状态为 {found}",
            )
        )
    if "models" in frames:
        of_model = dict(zip(frames["models"]["model_id"], frames["models"]["status"], strict=True))
        for row in frames["equations"].to_dict("records"):
            if row["status"] != of_model.get(row["model_id"], row["status"]):
                problems.append(
                    tr(
                        f"equations.csv: {row['model_id']}, {row['response']} is {row['status']}; "
                        f"its model is {of_model[row['model_id']]}",
                        f"equations.csv：{row['model_id']} 的 {row['response']} 状态为 {row['status']}；"
                        f"模型状态为 {of_model[row['model_id']]}",
                    )
                )
    return problems


def _models(frames, origin) -> list[str]:
    try:
        models = unpack(frames, origin)
    except (TableError, EquationError, ValueError) as error:
        return [str(error)]
    problems = []
    for key, model in zip(frames["models"]["model_id"], models, strict=True):
        problems += [f"{key}: {text}" for text in _uncertainty(model)]
    return problems


def _uncertainty(model) -> list[str]:
    """Disagreements between estimates, standard errors, covariance and draws of one model."""
    problems = []
    eigenvalue = smallest_eigenvalue(model.covariance)
    if not eigenvalue >= EIGENVALUE_FLOOR:
        problems.append(
            tr(
                f"covariance.csv is not positive semi-definite (smallest scaled eigenvalue {eigenvalue:.3g})",
                f"covariance.csv 不是半正定矩阵（最小标度特征值 {eigenvalue:.3g}）",
            )
        )
    spread = np.sqrt(np.clip(np.diag(model.covariance), 0, None))
    for label, se, root in zip(model.labels, model.parameters["se"], spread, strict=True):
        if not np.isclose(root, se, rtol=1e-6, atol=0):
            problems.append(
                tr(
                    f"{label}: se {se:g}; covariance.csv gives {root:g}",
                    f"{label}：标准误 {se:g}；由 covariance.csv 得 {root:g}",
                )
            )
    return problems + _draws(model)


def _draws(model) -> list[str]:
    """Coefficients whose draws have another centre or spread than estimate and standard error."""
    problems = []
    se = model.parameters["se"].to_numpy(float)
    rows = zip(model.labels, model.values, se, model.log_coefficients(), strict=True)
    for label, estimate, width, on_log in rows:
        drawn = model.stored_draws[label].to_numpy(float)
        if on_log and drawn.min() <= 0:
            problems.append(
                tr(
                    f"{label}: the smallest draw is {drawn.min():g}; draws of this factor are positive",
                    f"{label}：最小抽样值为 {drawn.min():g}；该系数的抽样应为正数",
                )
            )
            continue
        if on_log:
            # Drawn as a logarithm: the estimate is the median of the draws.
            drawn, centre, width = np.log(drawn), np.log(estimate), width / estimate
        else:
            centre = estimate
        n = len(drawn)
        far = abs(drawn.mean() - centre) > _DRAW_Z * width / np.sqrt(n) + 1e-12 * abs(centre)
        odd = width > 0 and abs(drawn.std(ddof=1) / width - 1) > _DRAW_Z / np.sqrt(2 * (n - 1))
        if far or odd:
            problems.append(
                tr(
                    f"{label}: {centre:g} with se {width:g}; the draws have mean {drawn.mean():g} and "
                    f"standard deviation {drawn.std(ddof=1):g}",
                    f"{label}：{centre:g}，标准误 {width:g}；抽样均值为 {drawn.mean():g}，"
                    f"标准差为 {drawn.std(ddof=1):g}",
                )
            )
    return problems
