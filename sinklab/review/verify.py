"""Recompute a table package from its stated inputs and name every difference."""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from sinklab.errors import SinklabError
from sinklab.language import tr
from sinklab.review.compare import Comparison, compare_draws, compare_file
from sinklab.review.inputs import Input, Inputs
from sinklab.review.recompute import frames_of, noise_of, pool_again, refit
from sinklab.review.rerun import values_again
from sinklab.tables import acceptance, package, store, validation
from sinklab.tables.schema import FILES

_COMPARED = (
    "models",
    "equations",
    "coefficients",
    "covariance",
    "residual_correlation",
    "random_effects",
    "ranges",
    "indices",
)


@dataclass(frozen=True)
class Verification:
    """What a recomputation found.

    ``problems`` are faults of the package itself (a changed file, numbers that contradict each
    other), ``inputs`` the files it was made from, ``comparisons`` every number, ``missing`` what
    could not be recomputed and why.
    """

    ref: str
    problems: tuple[str, ...]
    inputs: tuple[Input, ...]
    comparisons: tuple[Comparison, ...]
    missing: tuple[str, ...]

    @property
    def agreed(self) -> bool:
        """Whether everything could be recomputed and nothing differs."""
        return not (self.problems or self.missing or self.differences())

    def differences(self) -> list[str]:
        """One line for each input file and each number that differs."""
        # Absent files are named in ``missing``, with what to do.
        lines = [_input_line(i) for i in self.inputs if not i.agreed and (i.found or not self.missing)]
        worst = sorted((c for c in self.comparisons if not c.agreed), key=lambda c: -c.deviation)
        return lines + [_number_line(c) for c in worst]

    def summary(self) -> pd.DataFrame:
        """Count of the numbers compared and agreed by file, and the largest deviation in tolerances."""
        frame = pd.DataFrame(
            [(c.file, c.agreed, c.deviation) for c in self.comparisons],
            columns=["file", "agreed", "deviation"],
        )
        grouped = frame.groupby("file", sort=False)
        return grouped.agg(
            n=("agreed", "size"), n_agreed=("agreed", "sum"), largest=("deviation", "max")
        ).reset_index()

    def to_json(self) -> dict:
        """Plain types."""
        return {
            "table": self.ref,
            "agreed": self.agreed,
            "problems": list(self.problems),
            "inputs": [asdict(i) | {"agreed": i.agreed} for i in self.inputs],
            "missing": list(self.missing),
            "differences": self.differences(),
            "summary": self.summary().to_dict("records"),
            "comparisons": [asdict(c) | {"agreed": c.agreed} for c in self.comparisons],
        }


def _input_line(item: Input) -> str:
    if not item.found:
        return tr(
            f"input {item.name}: no longer read; its SHA-256 was {item.stored[:12]}",
            f"输入 {item.name}：不再读取；原 SHA-256 为 {item.stored[:12]}",
        )
    if not item.stored:
        return tr(
            f"input {item.name}: read now, but the table does not name it",
            f"输入 {item.name}：现已读取，但表中未列出",
        )
    return tr(
        f"input {item.name}: SHA-256 {item.found[:12]}; the table was made from {item.stored[:12]}",
        f"输入 {item.name}：SHA-256 为 {item.found[:12]}；制表时为 {item.stored[:12]}",
    )


def _number_line(c: Comparison) -> str:
    where = f"{c.file}: {c.row}" + (f": {c.column}" if c.column else "")
    if c.file == "draws" and c.column == "sign":
        return tr(
            f"{where}: a draw is {c.stored:.3g}; draws of this factor are positive",
            f"{where}：有抽样值为 {c.stored:.3g}；该系数的抽样应为正数",
        )
    if c.file == "draws" and c.column:
        return tr(
            f"{where} of the draws is off by {c.stored:.3g} standard deviations; Monte Carlo error "
            f"allows {c.tolerance:.3g}",
            f"{where}：抽样偏离 {c.stored:.3g} 个标准差；蒙特卡洛误差允许 {c.tolerance:.3g}",
        )
    if not c.column:
        return (
            tr(f"{where}: the recomputation does not give it", f"{where}：重算未得到该行")
            if c.recomputed is None
            else tr(f"{where}: missing in the table", f"{where}：表中缺少该行")
        )
    allowed = tr(f"; tolerance {c.tolerance:.3g}", f"；容许 {c.tolerance:.3g}") if c.tolerance else ""
    return tr(
        f"{where} = {_shown(c.stored)}; recomputed {_shown(c.recomputed)}{allowed}",
        f"{where} = {_shown(c.stored)}；重算得 {_shown(c.recomputed)}{allowed}",
    )


def _shown(value) -> str:
    return f"{value:.8g}" if isinstance(value, (float, np.floating)) else str(value)


def verify(ref, root=None, data=()) -> Verification:
    """Recompute a table package.

    The package is checked by itself; each model is fitted again with the data, equations, method,
    variance functions, correction, level and seed that it names (bootstraps included), scalar values
    are pooled again, and every number is compared under the tolerances of
    :mod:`sinklab.review.tolerances`. A table edited by hand is recomputed too, so that the
    edited numbers are named.

    Parameters
    ----------
    ref : path or str
        Folder, id or ``id@version``.
    root : path, optional
        Folder of the tables; ``params/`` when left out.
    data : sequence of path
        Own data files, for tables made from plain files.

    Returns
    -------
    verification : Verification

    Raises
    ------
    TableError
        There is no such table.
    """
    folder = store.resolve(ref, root)
    problems = list(validation.validate(folder))
    descriptor = package.read_descriptor(folder)
    name = f"{descriptor.get('name')}@{descriptor.get('version')}"
    frames = _frames(folder, descriptor)
    inputs = Inputs(data)
    comparisons: list[Comparison] = []
    if frames is None:
        missing = [tr("the files of the package cannot be read", "无法读取参数表文件")]
        return Verification(name, tuple(problems), (), (), tuple(missing))
    about = frames.pop("provenance")
    recomputed = dict(frames)
    whole = True
    if "models" in frames:
        made = _models(frames, about, inputs, problems, comparisons)
        whole = "models" in made and len(made["models"]) == len(frames["models"])
        recomputed |= made
    if "values" in frames:
        pooled = _values(frames["values"], about, descriptor, inputs)
        if pooled is not None:
            full = pooled.reindex(columns=[f.name for f in FILES["values"]])
            comparisons += compare_file("values", frames["values"], full)
    if whole and not inputs.missing:
        comparisons += _checks(frames, recomputed, descriptor.get("name"), about)
    checked = tuple(inputs.checked.values())
    return Verification(
        name, tuple(problems), checked, tuple(comparisons), tuple(dict.fromkeys(inputs.missing))
    )


def _values(values, about, descriptor, inputs):
    """Scalar values again: by the notebook that made them when it is recorded, else by pooling."""
    source = next((s for s in about["data"] if s.get("recipe")), None)
    if source:
        inputs.check(source)
        recipe = source["recipe"]
        return values_again(recipe, descriptor.get("name"), descriptor.get("version"), inputs)
    return pool_again(values, about, inputs)


def _frames(folder, descriptor) -> dict | None:
    """Files of a package as they lie there, changed or not."""
    frames = {}
    for resource in descriptor["resources"]:
        try:
            content = (folder / resource["path"]).read_bytes()
            frames[resource["name"]] = package.read_file(resource["name"], content)
        except (SinklabError, ValueError, OSError):
            return None  # Validation has said which file and why.
    return frames


def _models(frames, about, inputs, problems, comparisons) -> dict:
    """Refit every model, compare it, and return the recomputed files of those that succeeded."""
    made = []
    for key in frames["models"]["model_id"]:
        record = about["models"].get(key)
        if record is None:
            problems.append(tr(f"{key}: no record of its origin", f"{key}：没有来历记录"))
            continue
        try:
            fit = refit(frames, key, record, inputs)
            if fit is None:
                continue
            new = frames_of(fit, key, frames)
        except (SinklabError, ArithmeticError, ValueError) as error:
            # Other data than stated may break a fit in any of its steps; that is a finding, not a crash.
            problems.append(tr(f"{key}: cannot be fitted again: {error}", f"{key}：无法重新拟合：{error}"))
            continue
        comparisons += _sample(key, record["source"], fit)
        comparisons += _one_model(frames, new, key, record, fit)
        made.append(new)
    return {
        name: pd.concat([new[name] for new in made if name in new], ignore_index=True)
        for name in _COMPARED
        if any(name in new for new in made)
    }


def _sample(key, source, fit) -> list[Comparison]:
    """Data of the fit: fingerprint and counts."""
    found = []
    for name in ("fingerprint", "n_read", "n_used"):
        a, b = source.get(name), fit.source.get(name)
        if a is not None:
            found.append(Comparison("provenance", key, name, a, b, 0.0, 0.0 if a == b else np.inf))
    return found


def _one_model(frames, new, key, record, fit) -> list[Comparison]:
    se = dict(zip(fit.labels, fit.parameters["se"].astype(float), strict=True))
    noise = noise_of(record)
    found = []
    for name in _COMPARED:
        if name in frames or name in new:
            stored = frames[name][frames[name]["model_id"] == key] if name in frames else None
            found += compare_file(name, stored, new.get(name), se, *noise)
    drawn = frames["draws"][frames["draws"]["model_id"] == key]
    absent = [label for label in fit.labels if label not in drawn]
    if absent:
        lines = [Comparison("draws", f"{key}, {label}", "", None, "present", 0.0, np.inf) for label in absent]
        return found + lines
    return found + compare_draws(key, drawn, fit)


def _checks(frames, recomputed, table_id, about) -> list[Comparison]:
    again = acceptance.checks({**recomputed, "checks": None}, str(table_id))
    # Checks of all models stand in one file: the noisiest posterior among them counts.
    noises = [n for n, drawn in map(noise_of, about["models"].values()) if drawn]
    found = compare_file("checks", frames["checks"], again, None, min(noises, default=0), bool(noises))
    return [c for c in found if c.column != "threshold"] + [
        c for c in found if c.column == "threshold" and not c.agreed
    ]
