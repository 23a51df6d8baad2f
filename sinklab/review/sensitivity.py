"""What the predictions would be with other choices: correction of bias, weights, outliers, influential trees.

Each choice is a fit of its own to the same trees. Its effect is told as the change of the sum over the
sample, and as the largest change along the fitted range in standard errors of the table's own mean.
"""

import numpy as np
import pandas as pd

from sinklab import plots
from sinklab.equations.parts import complete
from sinklab.errors import SinklabError
from sinklab.fit import fit as fit_again
from sinklab.review.scrutiny import OUTLIER, standardised

#: Errors of logarithms: an equation of means, and one of medians whose correction was forgotten.
LOGNORMAL, MEDIANS = "lognormal", "lognormal, medians"
COLUMNS = ("topic", "choice", "response", "change", "largest", "note")


def sensitivity(fit, trees=None, excluded=None) -> pd.DataFrame:
    """Refit with other choices.

    Parameters
    ----------
    fit : FitResult
        Of ``ols-log``, ``wls`` or ``nsur``, with its data.
    trees : Index, optional
        Rows of influential trees, to be left out together.
    excluded : dict, optional
        Rows that each reviewer sets aside, by name.

    Returns
    -------
    sensitivity : DataFrame
        ``topic`` (correction, weights, outliers, influence, verdict), ``choice`` (number of trees left out
        for outliers and influence, the reviewer for verdict), ``response, change`` [%],
        ``largest`` (in standard errors); a choice that could not be fitted has a ``note``.
    """
    rows = []
    for topic, choice, options, kept in _choices(fit, trees, excluded or {}):
        data = fit.data if kept is None else fit.data.loc[kept]
        try:
            other = fit_again(
                data, fit.system, **(own_options(fit) | options), level=fit.level, seed=fit.seed
            )
            rows += [(topic, choice, *told, "") for told in effect_of(fit, other, choice == MEDIANS)]
        except SinklabError as error:
            rows.append((topic, choice, "", np.nan, np.nan, " ".join(str(error).split())[:200]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def own_options(fit) -> dict:
    """Options of :func:`sinklab.fit.fit` that a result was made with."""
    if fit.method == "ols-log":
        return {"method": "ols-log", "correction": fit.correction_kind}
    variance = {r: m.spec for r, m in fit.residual.items()}
    estimator = fit.certificate.get("estimator") or "ml"
    found = {"method": fit.method, "variance": variance, "estimator": estimator}
    return found | {k: fit.certificate[k] for k in ("bounds", "start") if fit.certificate.get(k)}


def _choices(fit, trees, excluded):
    """Topic, name, options and rows kept of every choice that differs from the table's own."""
    now = {r: m.spec for r, m in fit.residual.items()}
    if fit.method == "ols-log":
        for kind in ("none", "baskerville", "snowdon"):
            if kind != fit.correction_kind:
                yield "correction", kind, {"correction": kind}, None
        yield (
            "weights",
            "wls, power:mean",
            {"method": "wls", "variance": "power:mean", "correction": "baskerville"},
            None,
        )
    else:
        x = plots.main_predictor(fit)
        for spec in ("power:mean=1", f"power:{x}", "none"):
            if any(s != spec for s in now.values()):
                yield "weights", spec, {"variance": spec}, None
        yield "correction", LOGNORMAL, {"variance": "lognormal"}, None
        yield "correction", MEDIANS, {"variance": "lognormal"}, None
    far = pd.concat([standardised(fit, r) for r in fit.residual])
    out = far.index[far.abs() > OUTLIER].unique()
    if len(out):
        yield "outliers", f"{len(out)}", {}, fit.data.index.difference(out)
    if trees is not None and len(trees):
        yield "influence", f"{len(trees)}", {}, fit.data.index.difference(trees)
    for reviewer, rows in excluded.items():
        yield "verdict", f"{reviewer} ({len(rows)})", {}, fit.data.index.difference(rows)


def effect_of(fit, other, medians: bool = False):
    """Response, change of the sum over the sample [%], and the largest along the range [standard errors]."""
    path = plots.curve_data(fit, fit.data)
    here, there = fit.predict(fit.data), _predicted(other, fit.data, medians)
    along, anew = fit.predict(path), _predicted(other, path, medians)
    for response in fit.system.responses:
        change = 100 * (np.sum(there[response]) / here[response].sum() - 1)
        moved = np.abs(anew[response] - along[response]) / along[f"{response}_se"]
        yield response, float(change), float(np.max(moved))


def _predicted(fit, data, medians: bool) -> dict:
    """Predictions of every response; the medians of a lognormal model when asked for."""
    mean = fit.predict(data)
    if not medians:
        return {r: mean[r].to_numpy(float) for r in fit.system.responses}
    parts = {r: mean[r].to_numpy(float) * np.exp(-(fit.residual[r].sigma ** 2) / 2) for r in fit.system.free}
    return complete(fit.system, parts, {x: data[x].to_numpy(float) for x in fit.system.predictors})
