"""The answers of a hierarchy as rows of ``values.csv``: every known species, and those that nobody measured."""

import numpy as np
import pandas as pd

from sinklab import vocabulary
from sinklab.distributions import Distribution
from sinklab.errors import DataError
from sinklab.hierarchy.model import Hierarchy
from sinklab.language import tr

#: Levels that a row for an unknown species may stand for, the finest first.
NOTES = {
    "known": "hierarchical: species with values",
    "unknown": "hierarchical: any species of this group without values of its own",
}


def values(found: Hierarchy, level: float = 0.95, by=None, at=None) -> pd.DataFrame:
    """Distributions for a new stand, one row per organ and species, genus, family, and any species.

    Parameters
    ----------
    found : Hierarchy
    level : float
        Level of the interval whose width the named distribution keeps.
    by : sequence of str, optional
        Values of the fixed column, such as organs; all that were seen when left out.
    at : dict, optional
        Values of crossed columns, such as the region that the rows are for; a new one when left out.

    Returns
    -------
    values : DataFrame
        Columns of ``values.csv``. ``mean`` and ``sd`` are those of a new stand, ``se`` that of the mean over
        stands, ``tau`` the SD between studies on the scale; ``n_study`` and ``n`` count the values of that organ
        in the group. Groups in which nobody measured the organ are left to :meth:`Hierarchy.predict`.

    Raises
    ------
    DataError
        ``at`` names a column that is not crossed, or a value that no row has.
    """
    at = dict(at or {})
    _check_at(found, at)
    organs = sorted(found.rows[found.by].astype(str).unique()) if by is None else list(by)
    targets = pd.concat([_targets(found, organ) for organ in organs], ignore_index=True).assign(**at)
    stand, mean = found.predict(targets, "stand", level), found.predict(targets, "mean", level)
    info = vocabulary.variable(found.variable)
    tau = float(found.spreads["study"].median())
    rows = []
    for i, target in targets.iterrows():
        named = Distribution(found.scale.family, stand.at[i, "centre"], stand.at[i, "spread"])
        part = _told(found, target)
        low, high = named.quantile([0.025, 0.975]) if level != 0.95 else stand.loc[i, ["lower", "upper"]]
        shown = [*(f"{k}={v}" for k, v in at.items()), *_group(found, target)]
        kinds = sorted(set(part["spread_kind"])) if "spread_kind" in part else []
        rows.append(
            {
                "name": f"{found.variable}[{','.join(g.partition('=')[2] for g in shown)}]",
                "group": ";".join(shown),
                "variable": found.variable,
                "unit": info.unit,
                "n_study": part[found.study].nunique(),
                "n": int(part["n"].fillna(1).sum()) if "n" in part else len(part),
                "mean": stand.at[i, "mean"],
                "sd": stand.at[i, "sd"],
                "se": mean.at[i, "sd"],
                "tau": tau,
                "family": named.family,
                "p1": named.p1,
                "p2": named.p2,
                "q025": float(low),
                "q975": float(high),
                "level": level,
                "interval_kind": "distribution",
                "spread_read": ";".join("se" if k == "unknown" else k for k in kinds),
                # References of an open data set are numbers of its own: the data set is the source.
                "sources": ";".join(sorted(part["source_id"].unique())) if "source_id" in part else "",
                "note": NOTES["known" if pd.notna(target[found.levels[-1]]) else "unknown"],
            }
        )
    return pd.DataFrame(rows)


def _check_at(found, at) -> None:
    wrong = [f"{k}={v}" for k, v in at.items() if k not in found.crossed or v not in set(found.rows[k])]
    if wrong:
        known = {k: sorted(set(found.rows[k].dropna().astype(str))) for k in found.crossed}
        raise DataError(
            tr(
                f"at: {', '.join(wrong)} is not a value of a crossed column; there are {known or 'none'}",
                f"at：{'、'.join(wrong)} 不是交叉列的取值；现有 {known or '无'}",
            )
        )


def _targets(found, organ) -> pd.DataFrame:
    """Every species with a value of the organ, then an unknown one of each genus, family, and of none."""
    levels, frames = list(found.levels), []
    own = found.rows[found.rows[found.by].astype(str) == organ]
    for depth in range(len(levels), -1, -1):
        kept = levels[:depth]
        known = own[kept].dropna().drop_duplicates() if kept else pd.DataFrame(index=[0])
        frames.append(known.sort_values(kept) if kept else known)
    table = pd.concat(frames, ignore_index=True).reindex(columns=levels)
    table = table.astype(object).where(table.notna(), None)
    return table.assign(**{found.by: organ})


def _group(found, target) -> list[str]:
    """Narrowest level and organ; every level where a species is an epithet, which needs its genus."""
    group = [f"{k}={target[k]}" for k in (*found.levels, found.by) if pd.notna(target[k])]
    return group if found.levels[-1] == "species" else group[-2:]


def _told(found, target) -> pd.DataFrame:
    """Rows of the organ inside the narrowest group that a target names."""
    rows = found.rows[found.rows[found.by].astype(str) == target[found.by]]
    inside = np.ones(len(rows), bool)
    for level in found.levels:
        if pd.notna(target[level]):
            inside &= (rows[level] == target[level]).to_numpy()
    return rows[inside]
