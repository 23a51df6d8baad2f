"""Stored against recomputed, cell by cell."""

from dataclasses import dataclass

import numpy as np

from sinklab.review.tolerances import MONTE_CARLO, tolerance
from sinklab.tables.diff import KEYS, absent, by_key, shown
from sinklab.tables.schema import FILES

#: Columns of words that a recomputation gives anew.
WORDS = {
    "models": ("method", "correction_kind"),
    "equations": ("role", "predictors", "variance_kind", "variance_by"),
    "coefficients": ("interval_kind",),
    "values": ("family",),
    "checks": ("passed",),
}
#: Numbers that are settings, not results: they enter the recomputation.
SETTINGS = {"models": ("level", "seed"), "coefficients": ("level",), "values": ("level",)}


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
        See :func:`sinklab.review.tolerances.tolerance`.

    Returns
    -------
    comparisons : list of Comparison
        Every number and word; rows that only one side has are a disagreement.
    """
    keys = KEYS[name]
    before, after = by_key(stored, keys), by_key(recomputed, keys)
    found = [Comparison(name, shown(k), "", "present", None, 0.0, np.inf) for k in before if k not in after]
    found += [Comparison(name, shown(k), "", None, "present", 0.0, np.inf) for k in after if k not in before]
    for key in (k for k in before if k in after):
        width = _standard_errors(name, before[key], se or {})
        for field in FILES[name]:
            a, b = before[key][field.name], after[key][field.name]
            if field.name in keys or field.name in SETTINGS.get(name, ()) or (absent(a) and absent(b)):
                continue
            if field.name in WORDS.get(name, ()):
                found.append(_word(name, key, field.name, a, b))
            elif field.type in ("number", "integer"):
                allowed = tolerance(name, field.name, np.nan if absent(a) else a, width, n_draw, drawn)
                found.append(_number(name, key, field, a, b, allowed))
    return found


def _standard_errors(name, row, se) -> tuple[float, float]:
    if name == "coefficients":
        label = f"{row['name']}[{row['group']}]" if row["group"] else row["name"]
        return se.get(label, 0.0), 0.0
    if name == "covariance":
        return se.get(row["row"], 0.0), se.get(row["column"], 0.0)
    return 0.0, 0.0


def _word(name, key, column, a, b) -> Comparison:
    return Comparison(name, shown(key), column, a, b, 0.0, 0.0 if a == b else np.inf)


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
