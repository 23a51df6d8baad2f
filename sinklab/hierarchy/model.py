r"""Values of a scalar parameter over species, genera and families: what a new stand will have.

On the scale of logarithms (fractions: logits) printed value j is

.. math:: y_j = x_j \beta + u_{family} + u_{genus} + u_{species} + r_{region} + s_{study} + e_j + \epsilon_j

with a mean per organ (:math:`\beta`, flat prior), normal deviations of every level, of what crosses the
levels when asked for (a region, in which all species share a deviation), of the study (which all its
values share), between stands (:math:`e`), and the sampling error :math:`\epsilon_j` that the printed ± says
(:func:`sinklab.pooling.sampling_variance`). Given the standard deviations everything is normal and solved
exactly; the standard deviations themselves have half-normal priors (``data/rules/hierarchy.csv``) and are
integrated over by importance sampling from a Student's t about the mode. Few values leave them wide, and
that widens the answer; nothing is plugged in as if it were known.

A species without values takes the spread between species of its genus, a genus without values that
between genera of its family, and so on. A new stand adds the spread between studies and between stands.

Source
------
Gelman A., Carlin J.B., Stern H.S., et al. (2013) Bayesian Data Analysis, 3rd edition, chapters 5, 10
and 15. CRC Press.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from sinklab import paths, pooling, vocabulary
from sinklab.errors import DataError
from sinklab.hierarchy.scale import Scale, moments, quantiles
from sinklab.hierarchy.spreads import (
    SMALLEST,
    blocks,
    covariance,
    design,
    importance,
    keys,
    log_density,
    solve,
)
from sinklab.language import tr
from sinklab.tabular import read_csv

LEVELS = ("family", "genus", "species_id")
STAND, STUDY = "stand", "study"
KINDS = ("mean", "stand")
LEAST_EFFECTIVE = 40


def with_taxonomy(rows) -> pd.DataFrame:
    """Fill in genus and family from ``species_id``; a row that names a genus only has a blank species."""
    known = {s.species_id: s for s in vocabulary.species_list()}
    told = [known.get(key) for key in rows["species_id"]]
    found = rows.assign(
        genus=[s.genus if s else None for s in told], family=[s.family if s else None for s in told]
    )
    whole = [s is not None and s.name_latin == s.genus for s in told]
    found["species_id"] = found["species_id"].mask(np.array(whole, bool))
    return found


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Values with the spread of every level; made by :func:`fit`.

    ``spreads`` has one row per draw and a column per level and crossed column, then ``study`` and ``stand``: standard
    deviations on the scale. ``rows`` are the values used; ``effective`` is the effective number of draws.
    """

    variable: str
    scale: Scale
    by: str
    levels: tuple[str, ...]
    crossed: tuple[str, ...]
    study: str
    rows: pd.DataFrame
    y: np.ndarray
    sampling: np.ndarray
    spreads: pd.DataFrame
    effective: float
    warnings: tuple[str, ...] = ()

    def predict(self, targets, kind: str = STAND, level: float = 0.95) -> pd.DataFrame:
        """Distribution of the mean of a species, or of a new stand of it.

        Parameters
        ----------
        targets : DataFrame
            The column ``by``, those of the levels and the crossed ones; blank or unseen means not known,
            and takes the spread of that level.
        kind : "stand" or "mean"
            A new stand (new study), or the mean over stands.
        level : float

        Returns
        -------
        found : DataFrame, index of ``targets``
            ``median, mean, sd, lower, upper`` in the unit of the variable, ``centre, spread`` of the normal on
            the scale that has the same interval, and ``told_by``: the narrowest level with values.
        """
        if kind not in KINDS or not 0 < level < 1:
            raise DataError(
                tr(
                    f"kind {kind!r}, level {level}; expected one of {KINDS} and a level between 0 and 1",
                    f"kind {kind!r}、置信水平 {level}；应为 {KINDS} 之一，水平在 0 与 1 之间",
                )
            )
        targets = _filled(targets, self.rows, self.levels)
        targets = targets.assign(**{column: None for column in self.crossed if column not in targets})
        centres, spreads = self._moments(targets, kind)
        ends = np.array([0.5 - level / 2, 0.5, 0.5 + level / 2])
        found = np.array([quantiles(ends, m, s) for m, s in zip(centres.T, spreads.T, strict=True)])
        values = self.scale.back(found)
        told = [moments(self.scale, m, s) for m, s in zip(centres.T, spreads.T, strict=True)]
        return pd.DataFrame(
            {
                "median": values[:, 1],
                "mean": [mean for mean, _ in told],
                "sd": [sd for _, sd in told],
                "lower": values[:, 0],
                "upper": values[:, 2],
                "centre": (found[:, 0] + found[:, 2]) / 2,
                "spread": (found[:, 2] - found[:, 0]) / 2 / stats.norm.ppf(0.5 + level / 2),
                "told_by": self._told_by(targets),
            },
            index=targets.index,
        )

    def _moments(self, targets, kind) -> tuple[np.ndarray, np.ndarray]:
        """Mean and SD of every target (columns) under every draw of the spreads (rows)."""
        x, wanted = (
            design(self.rows[self.by], self.rows[self.by]),
            design(targets[self.by], self.rows[self.by]),
        )
        paths = [*self._paths, *((column,) for column in self.crossed)]
        known = [keys(self.rows, path) for path in paths]
        seen = [keys(targets, path) for path in paths]
        same = [(a[:, None] == b[None, :]) & (b[None, :] != "") for a, b in zip(known, seen, strict=True)]
        pairs = blocks(self.rows, self.levels, (*self.crossed, self.study))
        centres, spreads = [], []
        for tau in self.spreads.to_numpy():
            factor = np.linalg.cholesky(covariance(tau, pairs, self.sampling))
            cross = sum(t**2 * s for t, s in zip(tau, same, strict=False)).astype(float)
            solved = solve(factor, np.column_stack([self.y, x, cross]))
            y, dx, dc = solved[:, 0], solved[:, 1 : 1 + x.shape[1]], solved[:, 1 + x.shape[1] :]
            joint = np.linalg.inv(dx.T @ dx)
            beta = joint @ dx.T @ y
            rest = wanted - dc.T @ dx
            own = (tau[: len(paths)] ** 2).sum() + ((tau[len(paths) :] ** 2).sum() if kind == STAND else 0)
            centres.append(wanted @ beta + dc.T @ (y - dx @ beta))
            variance = own - (dc**2).sum(axis=0) + np.einsum("ij,jk,ik->i", rest, joint, rest)
            spreads.append(np.sqrt(np.maximum(variance, SMALLEST**2)))
        return np.array(centres), np.array(spreads)

    def _told_by(self, targets) -> list[str]:
        told = np.array(["none"] * len(targets), dtype=object)
        for path in self._paths:
            seen = set(keys(self.rows, path)) - {""}
            told[[key in seen for key in keys(targets, path)]] = path[-1]
        return list(told)

    @property
    def _paths(self) -> list[tuple[str, ...]]:
        """Every level with those above it: an epithet means nothing without its genus."""
        return [self.levels[: i + 1] for i in range(len(self.levels))]

    def spread_table(self) -> pd.DataFrame:
        """Median and 90 % interval of the standard deviation of every level, on the scale."""
        q = self.spreads.quantile([0.05, 0.5, 0.95]).T
        return q.set_axis(["lower", "median", "upper"], axis=1)


def fit(
    rows: pd.DataFrame,
    variable: str,
    by: str = "component",
    levels=LEVELS,
    study: str = "source_id",
    crossed=(),
    n_draw: int = 200,
    seed: int = 0,
) -> Hierarchy:
    """Fit the spread of every level to printed or measured values.

    Parameters
    ----------
    rows : DataFrame
        ``variable``, with ``<variable>_spread``, ``spread_kind`` and ``n`` where a ± is printed; columns
        ``by`` and ``study``; and those of ``levels``, each nested in the one before. Genus and family are
        filled in from ``species_id`` when they are not columns.
    variable : str
        Of the vocabulary.
    by : str
        Column of the fixed means, such as the organ.
    levels : sequence of str
    study : str
        Column of what shares an error, such as the source.
    crossed : sequence of str
        Columns whose values deviate alike whatever the species, such as the region.
    n_draw, seed : int
        Draws of the spreads that are kept.

    Raises
    ------
    DataError
        Columns that are missing, or values that the scale cannot hold.
    """
    if "species_id" in levels and not {"genus", "family"} <= set(rows.columns):
        rows = with_taxonomy(rows)
    missing = [c for c in (variable, by, study, *levels, *crossed) if c not in rows]
    if missing:
        raise DataError(
            tr(
                f"no column {', '.join(missing)}; found {', '.join(map(str, rows.columns))}",
                f"没有列 {'、'.join(missing)}；现有 {'、'.join(map(str, rows.columns))}",
            )
        )
    rows, scale = rows[rows[variable].notna()], Scale.of(variable)
    value = rows[variable].to_numpy(float)
    wrong = int(((value <= 0) | ((value >= 1) & (scale.name == "logit"))).sum())
    if wrong or not len(rows):
        raise DataError(
            tr(
                f"{variable}: {wrong} of {len(rows)} values are not inside the limits of a {scale.name}",
                f"{variable}：{len(rows)} 个值中有 {wrong} 个不在 {scale.name} 尺度范围内",
            )
        )
    y, sampling = scale.to(value), scale.variance(value, _sampling(rows, variable))
    x, pairs = design(rows[by], rows[by]), blocks(rows, levels, (*crossed, study))
    prior = read_csv(paths.data("rules", "hierarchy.csv")).set_index("rule").loc[f"sd_{scale.name}", "value"]

    def density(theta):
        return log_density(theta, y, x, pairs, sampling, float(prior))

    drawn, effective = importance(density, len(pairs), float(prior), n_draw, seed)
    warnings = []
    if effective < LEAST_EFFECTIVE:
        warnings.append(
            tr(
                f"{effective:.0f} effective draws of the spreads; raise n_draw",
                f"各级标准差的有效抽样数仅 {effective:.0f}；请增大 n_draw",
            )
        )
    spreads = pd.DataFrame(np.exp(drawn), columns=[*levels, *crossed, STUDY, STAND])
    columns = (by, tuple(levels), tuple(crossed), study)
    return Hierarchy(variable, scale, *columns, rows, y, sampling, spreads, effective, tuple(warnings))


def _sampling(rows, variable) -> np.ndarray:
    spread = f"{variable}_spread"
    if spread not in rows:
        return np.zeros(len(rows))
    n = rows["n"].astype(float) if "n" in rows else pd.Series(np.nan, rows.index)
    cells = zip(rows[spread].astype(float), rows["spread_kind"], n, strict=True)
    return np.array([pooling.sampling_variance(*cell) for cell in cells])


def _filled(targets, rows, levels) -> pd.DataFrame:
    """Wider levels of a known species, and blanks where a column is missing."""
    targets = targets.copy()
    for i in range(len(levels) - 1, 0, -1):
        finer, wider = levels[i], levels[i - 1]
        lookup = rows.dropna(subset=[finer, wider]).drop_duplicates(finer).set_index(finer)[wider]
        if wider not in targets:
            targets[wider] = None
        if finer in targets:
            given = targets[wider].astype(object).where(targets[wider].notna(), targets[finer].map(lookup))
            targets[wider] = given.where(given.notna(), None)
    if levels[-1] not in targets:
        targets[levels[-1]] = None
    return targets
