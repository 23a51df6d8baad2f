"""A table package against its recomputation: every number under the tolerance of its kind, every difference named.

============================ ====================================================================
number                       tolerance
============================ ====================================================================
counts, words                none
estimates, limits            a thousandth of the standard error
standard errors, covariance  a thousandth, on the scale of the standard errors
scale of a variance function a thousandth of it; its exponent and correlations 0.001
variance between groups      a thousandth of it
log-likelihood, AIC, BIC     0.0001 of a unit, 0.001 of a unit
indices                      a ten-thousandth of the index, or of a percentage point
scalar values                a millionth
============================ ====================================================================

A fit that counts as converged can gain no more than :data:`sinklab.fitting.search.STILL` in its
log-likelihood, which moves no estimate by a thousandth of its standard error. Standard errors and
limits that come from a bootstrap carry its Monte Carlo error on top; all numbers of a posterior agree
within the Monte Carlo error of its effective number of draws.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sinklab.language import SinklabError, tr
from sinklab.results.fit_result import Certificate
from sinklab.review.recompute import Input, Recomputation, frames_again
from sinklab.tables import checks, package, table
from sinklab.tables.comparison import absent, by_key, shown
from sinklab.tables.schema import FILES, REFUSED, keys_of

#: Files of a model that are compared.
_COMPARED = (
    "models equations coefficients covariance residual_correlation residual_terms random_effects group_effects between "
    "ranges domains indices"
).split()


@dataclass(frozen=True)
class Comparison:
    """One number or word of a table and what the recomputation gives for it.

    ``deviation`` is the difference in units of ``tolerance``: 1 or less agrees. Words have no
    tolerance, and a deviation of 0 or infinity.
    """

    file: str
    row: str
    column: str
    stored: object
    recomputed: object
    tolerance: float
    deviation: float

    @property
    def agreed(self) -> bool:
        """Whether stored and recomputed agree."""
        return self.deviation <= 1


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
        changed = [i for i in self.inputs if not i.agreed and (i.found or not self.missing)]
        lines = [input_line(i) for i in changed if i not in self._rewritten()]
        worst = sorted((c for c in self.comparisons if not c.agreed), key=lambda c: -c.deviation)
        return lines + [number_line(c) for c in worst]

    def _rewritten(self) -> list[Input]:
        """Notebooks written anew that, run as they stand, give every number again: another way, not another table."""
        if self.missing or not self.comparisons or not all(c.agreed for c in self.comparisons):
            return []
        return [i for i in self.inputs if i.name.endswith(".ipynb") and i.stored and i.found and not i.agreed]

    def notes(self) -> list[str]:
        """One line for each notebook that was changed since and still gives every number."""
        n = len(self.comparisons)
        return [
            tr(
                f"{i.name} was changed since; run as it stands, it gives all {n} numbers again",
                f"{i.name} 在制表之后改动过；按现状运行，{n} 个数全部重现",
            )
            for i in self._rewritten()
        ]

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

    def to_json(self) -> dict[str, Any]:
        """Plain types."""
        return {
            "table": self.ref,
            "agreed": self.agreed,
            "problems": list(self.problems),
            "inputs": [asdict(i) | {"agreed": i.agreed} for i in self.inputs],
            "missing": list(self.missing),
            "differences": self.differences(),
            "notes": self.notes(),
            "summary": self.summary().to_dict("records"),
            "comparisons": [asdict(c) | {"agreed": c.agreed} for c in self.comparisons],
        }


def verify(ref: str | Path, root: str | Path | None = None, data: Sequence[str | Path] = ()) -> Verification:
    """Recompute a table package.

    The package is checked by itself; each model is fitted again with the data, equations, method,
    variance functions, correction, level and seed that it names (bootstraps included), scalar values
    are pooled again, and every number is compared under its tolerance. A table edited by hand is
    recomputed too, so that the edited numbers are named.

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

    Examples
    --------
    >>> place = table.write(sl.root() / 'params')
    >>> sl.verify(table.ref).agreed
    True
    """
    return recomputed(table.resolve(ref, root), data)[0]


def recomputed(folder: Path, data: Sequence[str | Path] = ()) -> tuple[Verification, Recomputation | None]:
    """What the recomputation of a package found, and the recomputation; None where its files cannot be read."""
    problems = list(checks.validate(folder))
    descriptor = package.read_descriptor(folder)
    name = f"{descriptor.get('name')}@{descriptor.get('version')}"
    frames, faults = package.read_files(folder, descriptor)
    if faults:
        # Validation has said which file and why.
        missing = tr("the files of the package cannot be read", "无法读取参数表文件")
        return Verification(name, tuple(problems), (), (), (missing,)), None
    again = Recomputation(frames, frames.pop("provenance"), data)
    comparisons = _Comparison(again, descriptor, problems).all()
    inputs = again.inputs
    missing = tuple(dict.fromkeys(inputs.missing))
    found = Verification(name, tuple(problems), tuple(inputs.checked.values()), tuple(comparisons), missing)
    return found, again


# Stored beside recomputed


class _Comparison:
    """Goes through a package once; ``problems`` learns what cannot even be fitted."""

    def __init__(self, again: Recomputation, descriptor, problems: list[str]):
        self.again, self.frames, self.about = again, again.frames, again.about
        self.name, self.version, self.problems = descriptor.get("name"), descriptor.get("version"), problems
        self.found: list[Comparison] = []
        # Older tables name no sampled unit and keep no effects of groups; what they do not speak of cannot differ.
        self.without_unit = "models" in self.frames and "between" not in self.frames
        self.untold = {"between", "group_effects"} - set(self.frames) if self.without_unit else set()
        self.untold |= {"domains"} - set(self.frames)

    def all(self) -> list[Comparison]:
        frames, whole, made, inputs = self.frames, True, {}, self.again.inputs
        source = next((s for s in self.about.data if s.get("recipe")), None)
        # Files by the notebook that made the table; None when it cannot be run.
        self.noted = {}
        if source is not None:
            inputs.check(source)
            self.noted = frames_again(source["recipe"], self.name, self.version, inputs)
        if "models" in frames:
            made = self._models()
            whole = "models" in made and len(made["models"]) == len(frames["models"])
        if "values" in frames:
            pooled = self.again.pooled() if self.noted == {} else (self.noted or {}).get("values")
            if pooled is not None:
                pooled = pooled.reindex(columns=[field.name for field in FILES["values"]])
                pooled, _ = checks.refuse_values(pooled.astype({"status": object, "note": object}))
                self.found += compare_file("values", frames["values"], pooled)
        if whole and not inputs.missing:
            self._checks(made)
        return self.found

    def _models(self) -> dict:
        """Compare every model, and return the recomputed files of those that could be fitted."""
        made = []
        for key in self.frames["models"]["model_id"]:
            record = self.about.models.get(key)
            if record is None:
                self.problems.append(tr(f"{key}: no record of its origin", f"{key}：没有来历记录"))
            elif record.source.get("recipe"):
                # Its notebook pooled it, or chose its trees: no engine and no filter says how.
                if self.noted and key in set(self.noted["models"]["model_id"]):
                    new = {n: f[f["model_id"] == key] for n, f in self.noted.items() if n in _COMPARED}
                    rows = self.frames["coefficients"].query("model_id == @key")
                    se = {_label(row): float(row["se"]) for row in rows.to_dict("records")}
                    self._files(key, new, se)
                    made.append(new)
            else:
                try:
                    fit = self.again.fit(key)
                    new = None if fit is None else self.again.files(key)
                except (SinklabError, ArithmeticError, ValueError) as error:
                    # Other data than stated may break a fit in any of its steps; that is a finding, not a crash.
                    said = tr(f"{key}: cannot be fitted again: {error}", f"{key}：无法重新拟合：{error}")
                    self.problems.append(said)
                    continue
                if fit is not None:
                    self._fitted(key, record, fit, new)
                    made.append(new)
        parts = {name: [new[name] for new in made if name in new] for name in _COMPARED}
        return {name: pd.concat(found, ignore_index=True) for name, found in parts.items() if found}

    def _fitted(self, key, record, fit, new) -> None:
        """Compare the sample (fingerprint and counts), the files and the draws of a model."""
        for name in ("fingerprint", "n_read", "n_used"):
            if record.source.get(name) is not None:
                found = _word("provenance", key, name, record.source[name], fit.source.get(name))
                self.found.append(found)
        se = dict(zip(fit.labels, fit.parameters["se"].astype(float), strict=True))
        self._files(key, new, se, *_noise(record))
        drawn = self.frames["draws"][self.frames["draws"]["model_id"] == key]
        lost = [label for label in fit.labels if label not in drawn]
        self.found += [_row("draws", f"{key}, {label}", None, "present") for label in lost]
        if not lost:
            self.found += compare_draws(key, drawn, fit)

    def _files(self, key, new, se, *noise) -> None:
        for name in _COMPARED:
            if name in self.untold:
                continue
            if name in self.frames or name in new:
                stored = self.frames[name].query("model_id == @key") if name in self.frames else None
                self.found += compare_file(name, stored, new.get(name), se, *noise)

    def _checks(self, made) -> None:
        again = checks.run_checks({**self.frames, **made, "checks": None}, str(self.name))
        # Checks of all models stand in one file: the noisiest posterior among them counts.
        noises = [n for n, drawn in map(_noise, self.about.models.values()) if drawn]
        if self.without_unit:
            again = again[again["check_id"].ne("sampling_unit")]
        # What was refused has no number to compare; a threshold with nothing to check was once a row, too.
        stored, again = (
            f[f["check_id"].ne(REFUSED) & (f["value"].notna() | f["threshold"].isna())]
            for f in (self.frames["checks"], again)
        )
        told = compare_file("checks", stored, again, None, min(noises, default=0), bool(noises))
        limits = [c for c in told if c.column == "threshold"]
        self.found += [c for c in told if c.column != "threshold"] + [c for c in limits if not c.agreed]


def _noise(record) -> tuple[int, bool]:
    """Effective number of draws behind the uncertainty of a model, and whether its estimates are drawn too."""
    certificate = Certificate.from_dict(record.certificate)
    if record.method == "bayes":
        ess = (certificate.checks or {}).get("ess_bulk") or {}
        return max(int(ess.get("value") or 0), 1), True
    return int((certificate.bootstrap or {}).get("n") or 0), False


def _label(row) -> str:
    return f"{row['name']}[{row['group']}]" if row["group"] else row["name"]


#: Columns of words that a recomputation gives anew.
WORDS = {
    "models": ("method", "correction_kind"),
    "equations": ("role", "predictors", "variance_kind", "variance_by"),
    "residual_terms": ("group_column",),
    "coefficients": ("interval_kind",),
    "values": ("family",),
    "checks": ("passed",),
}
#: Numbers that are settings, not results: they enter the recomputation.
SETTINGS = {"models": ("level", "seed"), "coefficients": ("level",), "values": ("level",)}


def compare_file(
    name: str, stored, recomputed, se=None, n_draw: int = 0, drawn: bool = False
) -> list[Comparison]:
    """Compare one file of a package.

    Parameters
    ----------
    name : str
        Key of :data:`sinklab.tables.schema.FILES`.
    stored, recomputed : DataFrame
    se : dict of float, optional
        Standard error by coefficient label.
    n_draw, drawn : int, bool
        See :func:`tolerance`.

    Returns
    -------
    comparisons : list of Comparison
        Every number and word; rows that only one side has are a disagreement.
    """
    keys = keys_of(name)
    before, after = by_key(stored, keys), by_key(recomputed, keys)
    found = [_row(name, shown(k), "present", None) for k in before if k not in after]
    found += [_row(name, shown(k), None, "present") for k in after if k not in before]
    for key in (k for k in before if k in after):
        width = _standard_errors(name, before[key], se or {})
        for field in FILES[name]:
            a, b = before[key][field.name], after[key][field.name]
            if field.name in keys or field.name in SETTINGS.get(name, ()) or (absent(a) and absent(b)):
                continue
            if (name, field.name) == ("equations", "equation"):
                found.append(_equation(shown(key), a, b))
            elif field.name in WORDS.get(name, ()):
                found.append(_word(name, shown(key), field.name, a, b))
            elif field.type in ("number", "integer"):
                allowed = tolerance(name, field.name, np.nan if absent(a) else a, width, n_draw, drawn)
                found.append(_number(name, key, field, a, b, allowed))
    return found


def _standard_errors(name, row, se) -> tuple[float, float]:
    if name == "coefficients":
        return se.get(_label(row), 0.0), 0.0
    if name == "covariance":
        return se.get(row["row"], 0.0), se.get(row["column"], 0.0)
    return 0.0, 0.0


def _word(name, row, column, a, b) -> Comparison:
    return Comparison(name, row, column, a, b, 0.0, 0.0 if a == b else np.inf)


def _equation(row, a, b) -> Comparison:
    """An equation as text: its words, and its numbers, some of which are estimates (what groups add to a mean)."""
    texts = [re.split(r"(?<![\w.])(\d+(?:\.\d*)?(?:e[-+]?\d+)?)", str(text)) for text in (a, b)]
    if texts[0][::2] != texts[1][::2]:
        return _word("equations", row, "equation", a, b)
    pairs = [(float(x), float(y)) for x, y in zip(texts[0][1::2], texts[1][1::2], strict=True)]
    apart = max((abs(x - y) / (SPREAD * abs(x)) for x, y in pairs if x != y), default=0.0)
    return Comparison("equations", row, "equation", a, b, 0.0, apart)


def _row(name, row, stored, recomputed) -> Comparison:
    """A row, or column of draws, that only one side has."""
    return Comparison(name, row, "", stored, recomputed, 0.0, np.inf)


def _number(name, key, field, a, b, allowed) -> Comparison:
    if absent(a) or absent(b):
        return Comparison(name, shown(key), field.name, a, b, 0.0, np.inf)
    if field.type == "integer":
        allowed = 0.0
    apart = 0.0 if a == b else abs(float(a) - float(b))
    deviation = 0.0 if apart == 0 else apart / allowed if allowed > 0 else np.inf
    return Comparison(name, shown(key), field.name, a, b, float(allowed), float(deviation))


def compare_draws(key: str, stored, fit) -> list[Comparison]:
    """Compare stored draws with the distribution that the recomputed fit gives, by Monte Carlo error.

    Parameters
    ----------
    key : str
        Id of the model.
    stored : DataFrame, shape (n_draw, k)
        The joint draws of the table.
    fit : FitResult
        Recomputed; its own draws when it has some (bootstrap), else its estimates and covariance.

    Returns
    -------
    comparisons : list of Comparison
        The largest deviation of the means, and of the variances and covariances, both after a
        rotation to uncorrelated coordinates of unit variance.
    """
    # Refits are compared with refits as they stand; only draws from a covariance have a scale of their own.
    on_log = fit.log_coefficients() & (fit.stored_draws is None)
    raw = stored[fit.labels].to_numpy(float)
    lowest = {label: raw[:, i].min() for i, label in enumerate(fit.labels) if on_log[i]}
    if any(low <= 0 for low in lowest.values()):
        return [
            Comparison("draws", f"{key}, {label}", "sign", float(low), "positive", 0.0, np.inf)
            for label, low in lowest.items()
            if low <= 0
        ]
    drawn = _scaled(raw, on_log)
    if fit.stored_draws is not None:
        other = _scaled(fit.stored_draws.to_numpy(float), on_log)
        centre, covariance, n_other = other.mean(axis=0), np.atleast_2d(np.cov(other.T)), len(other)
    else:
        scale = np.where(on_log, 1 / fit.values, 1.0)
        centre = _scaled(fit.values[None, :], on_log)[0]
        covariance, n_other = fit.covariance.to_numpy() * np.outer(scale, scale), np.inf
    size = np.sqrt(np.clip(np.diag(covariance), 1e-300, None))
    roots, vectors = np.linalg.eigh(covariance / np.outer(size, size))
    kept = roots > 1e-10 * roots[-1]
    white = ((drawn - centre) / size) @ vectors[:, kept] / np.sqrt(roots[kept])
    width = np.sqrt(1 / len(drawn) + 1 / n_other)
    mean = np.abs(white.mean(axis=0)).max()
    spread = np.abs(np.atleast_2d(np.cov(white.T)) - np.eye(kept.sum())).max()
    told = (("centre", mean, MONTE_CARLO * width), ("spread", spread, MONTE_CARLO * np.sqrt(2) * width))
    return [
        Comparison("draws", key, column, float(apart), 0.0, float(allowed), float(apart / allowed))
        for column, apart, allowed in told
    ]


def _scaled(draws, on_log) -> np.ndarray:
    out = draws.copy()
    out[:, on_log] = np.log(out[:, on_log])
    return out


# Tolerances

ESTIMATE = 1e-3
SPREAD = 1e-3
LOGLIK = 1e-4
CRITERION = 1e-3
INDEX = 1e-4
SCALAR = 1e-6
#: Standard errors of Monte Carlo within which two sets of draws agree.
MONTE_CARLO = 5.0
#: Standard error of the 2.5 % quantile of n normal draws, times the root of n, in standard deviations.
QUANTILE = 2.67

_PERCENT = ("TRE", "ASE", "MPE", "MPSE")


def tolerance(
    file: str, column: str, stored: float, se: tuple[float, float], n_draw: int = 0, drawn: bool = False
) -> float:
    """Largest difference at which a recomputed number still agrees.

    Parameters
    ----------
    file, column : str
        Where the number stands.
    stored : float
        The number in the table.
    se : (float, float)
        Standard errors of the coefficients of the row (and column) in ``coefficients`` and
        ``covariance``; ignored for other files.
    n_draw : int
        Number of refits or effective number of draws when the uncertainty comes from such, else 0.
    drawn : bool
        Whether the estimates are means of draws too, as those of a posterior.

    Returns
    -------
    tolerance : float
        In the unit of the number.
    """
    noise = MONTE_CARLO / math.sqrt(n_draw) if n_draw else 0.0
    if drawn and file not in ("ranges", "values"):
        return _drawn(file, column, stored, se, math.sqrt(2) * noise)
    match file, column:
        case "coefficients", "value":
            return ESTIMATE * se[0]
        case "coefficients", "se":
            return (SPREAD + noise) * se[0]
        case "coefficients", "lower" | "upper":
            return (2 * ESTIMATE + QUANTILE * math.sqrt(2) * noise) * se[0]
        case "covariance", _:
            return (2 * SPREAD + 2 * noise) * se[0] * se[1]
        case ("equations", "sigma") | ("residual_terms", _) | ("random_effects", _) | ("between", _):
            return SPREAD * abs(stored)
        case "group_effects", _:
            # Deviations may be next to nothing, and move with the spread that they are drawn from.
            return SPREAD * max(abs(stored), 1e-2)
        case ("equations", "variance_exponent") | ("residual_correlation", _):
            return SPREAD
        case "models", "loglik":
            return LOGLIK
        case "indices", "AIC" | "BIC":
            return CRITERION
        case "indices", _:
            return INDEX * (max(abs(stored), 1.0) if column in _PERCENT else abs(stored))
        case "checks", _:
            return SPREAD * abs(stored) + 1e-6
        case "values", _:
            return SCALAR * abs(stored)
    return 1e-9 * abs(stored)


def _drawn(file, column, stored, se, noise) -> float:
    """Tolerance of a number that was computed from a posterior; ``noise`` is in standard deviations."""
    match file, column:
        case "coefficients", "value" | "se":
            return noise * se[0]
        case "coefficients", _:
            return QUANTILE * noise * se[0]
        case "covariance", _:
            return 2 * noise * se[0] * se[1]
        case ("residual_correlation", _) | ("equations", "variance_exponent"):
            return noise
    return noise * max(abs(stored), 1.0) if file in ("models", "indices", "checks") else noise * abs(stored)


# Differences, each in one line for people


def input_line(item: Input) -> str:
    """One input file that is not the one the table was made from."""
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


def number_line(c: Comparison) -> str:
    """One number, row or set of draws that differs."""
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
