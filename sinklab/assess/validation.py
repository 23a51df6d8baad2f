"""Validation by refitting without the trees that are predicted.

=============== =============================================================================
scheme          folds
=============== =============================================================================
loo             each tree apart (scikit-learn ``LeaveOneOut``)
kfold:K         K random folds, seeded (``KFold``)
groups:K:COL    K folds that keep the levels of a column together (``GroupKFold``)
leave:COL       each level of a column apart, as leave-one-site-out (``LeaveOneGroupOut``)
blocks:DEG      squares of DEG degrees of latitude and longitude apart
=============== =============================================================================

Every fold is refitted with its variance functions from the estimates of the whole sample, and
predicts the trees it has not seen. Zeng & Tang (2011) advise to publish the fit of all trees; the
indices here say what such a fit is worth on new ones.

Source
------
Zeng W., Tang S. (2011) Scientia Silvae Sinicae 47(11):106-113. Roberts D.R. et al. (2017)
Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic structure.
Ecography 40:913-929.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sinklab import indices
from sinklab.equations.parts import complete, parameters_of
from sinklab.errors import DataError, SinklabError
from sinklab.fit import fit as fit_again
from sinklab.fit.refit import Refitter
from sinklab.language import tr

SCHEMES = "loo, kfold:K, groups:K:COL, leave:COL, blocks:DEG"


@dataclass(frozen=True)
class Validation:
    """Predictions of trees by fits that had not seen them.

    ``predictions`` has columns ``response, observed, predicted, fold``, indexed by the row of the
    data; ``n_failed`` counts folds that could not be refitted, whose trees are left out.
    """

    scheme: str
    predictions: pd.DataFrame
    n_parameter: dict[str, int]
    n_failed: int

    def indices(self) -> pd.DataFrame:
        """Indices per response over all folds together."""
        rows = {}
        for response, part in self.predictions.groupby("response", sort=False):
            rows[response] = indices.evaluate(part["observed"], part["predicted"], self.n_parameter[response])
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("response")

    def to_json(self) -> dict:
        """Plain types for ``fit --json``."""
        table = {r: {k: float(v) for k, v in row.items()} for r, row in self.indices().iterrows()}
        folds = int(self.predictions["fold"].nunique())
        return {"scheme": self.scheme, "n_fold": folds, "n_failed": self.n_failed, "indices": table}

    def by_fold(self) -> pd.DataFrame:
        """Indices per response and fold; no parameter is counted, since none was fitted there."""
        rows = {}
        for key, part in self.predictions.groupby(["response", "fold"], sort=False):
            rows[key] = indices.evaluate(part["observed"], part["predicted"], p=0)
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["response", "fold"])


def folds(data, scheme: str, seed: int = 0) -> list[tuple[str, np.ndarray]]:
    """Name and row positions of every fold.

    Parameters
    ----------
    data : DataFrame
    scheme : str
        See the module.
    seed : int
        For ``kfold``.

    Raises
    ------
    DataError
        Unknown scheme, missing column, or fewer than two folds.
    """
    from sklearn import model_selection

    kind, *rest = scheme.split(":")
    rows = np.zeros((len(data), 1))
    try:
        match kind, rest:
            case "loo", []:
                return [(str(label), np.array([i])) for i, label in enumerate(data.index)]
            case "kfold", [k]:
                splitter = model_selection.KFold(int(k), shuffle=True, random_state=seed)
                return [(str(i + 1), test) for i, (_, test) in enumerate(splitter.split(rows))]
            case "groups", [k, column]:
                splitter, groups = model_selection.GroupKFold(int(k)), data[column].astype(str)
                return [(str(i + 1), test) for i, (_, test) in enumerate(splitter.split(rows, groups=groups))]
            case "leave", [column]:
                return _each(data[column].astype(str))
            case "blocks", [size]:
                square = np.floor(data[["latitude", "longitude"]].astype(float) / float(size)).astype(int)
                return _each(square["latitude"].astype(str) + "," + square["longitude"].astype(str))
    except (KeyError, ValueError) as error:
        found = ", ".join(map(str, data.columns))
        raise DataError(
            tr(
                f"validation {scheme!r}: {error}; columns: {found}",
                f"验证方案 {scheme!r}：{error}；现有列：{found}",
            )
        ) from None
    raise DataError(
        tr(f"validation {scheme!r} is none of {SCHEMES}", f"验证方案 {scheme!r} 不在 {SCHEMES} 之中")
    )


def _each(groups) -> list[tuple[str, np.ndarray]]:
    from sklearn.model_selection import LeaveOneGroupOut

    split = LeaveOneGroupOut().split(np.zeros((len(groups), 1)), groups=groups)
    return [(str(groups.iloc[test[0]]), test) for _, test in split]


def validate(fit, scheme: str = "kfold:10", seed: int | None = None) -> Validation:
    """Refit without each fold and predict it.

    Parameters
    ----------
    fit : FitResult
        Of ``wls``, ``nsur``, ``ols-log`` or ``mixed`` (which predicts for a typical group), with its data.
    scheme : str
        See the module.
    seed : int, optional
        That of the fit when left out.

    Returns
    -------
    validation : Validation
    """
    refit = _MixedRefits(fit).refit if fit.method == "mixed" and fit.data is not None else Refitter(fit).refit
    everyone = np.arange(len(fit.data))
    parts, failed = [], 0
    for name, test in folds(fit.data, scheme, fit.seed if seed is None else seed):
        values, factors = refit(np.setdiff1d(everyone, test))
        if not np.isfinite(values).all():
            failed += 1
            continue
        parts += _predicted(fit, values, factors, fit.data.iloc[test], name)
    if not parts:
        raise DataError(
            tr(
                f"validation {scheme!r}: no fold could be refitted",
                f"验证方案 {scheme!r}：各折均无法重新拟合",
            )
        )
    count = {r: fit.layout.count(parameters_of(fit.system, r)) for r in fit.system.responses}
    return Validation(scheme, pd.concat(parts), count, failed)


class _MixedRefits:
    """Fit a mixed model again to other rows."""

    def __init__(self, fit):
        self.fit, self.system = fit, fit.system.grouped(fit.random.column, fit.random.names)
        self.variance = {r: m.spec for r, m in fit.residual.items()}

    def refit(self, rows) -> tuple[np.ndarray, np.ndarray]:
        """Estimates of the typical group, and the factor of each free response; NaN where it fails."""
        free = self.fit.system.free
        try:
            again = fit_again(self.fit.data.iloc[rows], self.system, "mixed", self.variance)
        except SinklabError:
            return np.full(len(self.fit.values), np.nan), np.ones(len(free))
        return again.values, np.array([again.correction[r] for r in free])


def _predicted(fit, values, factors, rows, fold) -> list[pd.DataFrame]:
    free = fit.system.free
    means = fit.layout.at(rows, free, len(rows)).mean_and_jacobian(values)[0] * factors
    columns = {x: rows[x].to_numpy(float) for x in fit.system.predictors}
    means = complete(fit.system, {r: means[:, j] for j, r in enumerate(free)}, columns)
    found = []
    for response in fit.system.responses:
        if response in rows:
            observed = rows[response]
            part = pd.DataFrame(
                {"response": response, "observed": observed, "predicted": means[response], "fold": fold}
            )
            found.append(part[observed.notna()])
    return found
