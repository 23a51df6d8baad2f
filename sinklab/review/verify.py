"""Recompute a table package from its stated inputs and name every difference."""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from sinklab.errors import SinklabError
from sinklab.language import tr
from sinklab.review.compare import Comparison, compare_draws, compare_file
from sinklab.review.differences import input_line, number_line
from sinklab.review.inputs import Input, Inputs
from sinklab.review.recompute import frames_of, noise_of, pool_again, refit
from sinklab.review.rerun import frames_again
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
        lines = [input_line(i) for i in self.inputs if not i.agreed and (i.found or not self.missing)]
        worst = sorted((c for c in self.comparisons if not c.agreed), key=lambda c: -c.deviation)
        return lines + [number_line(c) for c in worst]

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
    again = _again(about, descriptor, inputs)
    if "models" in frames:
        made = _models(frames, about, inputs, problems, comparisons, again)
        whole = "models" in made and len(made["models"]) == len(frames["models"])
        recomputed |= made
    if "values" in frames:
        pooled = pool_again(frames["values"], about, inputs) if again == {} else (again or {}).get("values")
        if pooled is not None:
            full = pooled.reindex(columns=[f.name for f in FILES["values"]])
            comparisons += compare_file("values", frames["values"], full)
    if whole and not inputs.missing:
        comparisons += _checks(frames, recomputed, descriptor.get("name"), about)
    checked = tuple(inputs.checked.values())
    return Verification(
        name, tuple(problems), checked, tuple(comparisons), tuple(dict.fromkeys(inputs.missing))
    )


def _again(about, descriptor, inputs) -> dict | None:
    """Files of the table by the notebook that made it; nothing when no notebook is recorded or can be run."""
    source = next((s for s in about["data"] if s.get("recipe")), None)
    if source is None:
        return {}
    inputs.check(source)
    return frames_again(source["recipe"], descriptor.get("name"), descriptor.get("version"), inputs)


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


def _models(frames, about, inputs, problems, comparisons, again) -> dict:
    """Refit every model, compare it, and return the recomputed files of those that succeeded."""
    made = []
    for key in frames["models"]["model_id"]:
        record = about["models"].get(key)
        if record is None:
            problems.append(tr(f"{key}: no record of its origin", f"{key}：没有来历记录"))
            continue
        if record["source"].get("recipe"):
            # Its notebook pooled it, or chose its trees: no engine and no filter says how.
            if again and key in set(again["models"]["model_id"]):
                new = {name: f[f["model_id"] == key] for name, f in again.items() if name in _COMPARED}
                rows = frames["coefficients"].query("model_id == @key").to_dict("records")
                se = {r["name"] + (f"[{r['group']}]" if r["group"] else ""): float(r["se"]) for r in rows}
                comparisons += _files(frames, new, key, se)
                made.append(new)
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
    found = _files(frames, new, key, se, *noise_of(record))
    drawn = frames["draws"][frames["draws"]["model_id"] == key]
    absent = [label for label in fit.labels if label not in drawn]
    if absent:
        lines = [Comparison("draws", f"{key}, {label}", "", None, "present", 0.0, np.inf) for label in absent]
        return found + lines
    return found + compare_draws(key, drawn, fit)


def _files(frames, new, key, se, *noise) -> list[Comparison]:
    found = []
    for name in _COMPARED:
        if name in frames or name in new:
            stored = frames[name][frames[name]["model_id"] == key] if name in frames else None
            found += compare_file(name, stored, new.get(name), se, *noise)
    return found


def _checks(frames, recomputed, table_id, about) -> list[Comparison]:
    again = acceptance.checks({**recomputed, "checks": None}, str(table_id))
    # Checks of all models stand in one file: the noisiest posterior among them counts.
    noises = [n for n, drawn in map(noise_of, about["models"].values()) if drawn]
    found = compare_file("checks", frames["checks"], again, None, min(noises, default=0), bool(noises))
    return [c for c in found if c.column != "threshold"] + [
        c for c in found if c.column == "threshold" and not c.agreed
    ]
