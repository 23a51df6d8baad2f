"""A model beside the published equations of its species, where their ranges overlap."""

import numpy as np
import pandas as pd

from sinklab import plots, vocabulary
from sinklab.errors import SinklabError

#: Sizes at which two equations are compared.
N_GRID = 60
COLUMNS = ("response", "equation", "source", "level", "low", "high", "mean", "least", "most", "inside")


def species_of(table_id: str, fit) -> str | None:
    """Species that a table speaks of: by its id, else by its data when they are of one species."""
    parts = table_id.split("_")
    for start in range(1, len(parts)):
        try:
            return vocabulary.species("_".join(parts[start:])).species_id
        except SinklabError:
            continue
    for column in ("species_id", "species"):
        if fit.data is not None and column in fit.data and fit.data[column].nunique() == 1:
            try:
                return vocabulary.species(str(fit.data[column].iloc[0])).species_id
            except SinklabError:
                return None
    return None


def beside_published(fit, table_id: str, level: float = 0.95) -> tuple[pd.DataFrame, tuple[str, str]]:
    """Compare each response with every published equation whose range overlaps the fitted one.

    Parameters
    ----------
    fit : FitResult
    table_id : str
        Tells the species.
    level : float
        Of the interval of a single tree.

    Returns
    -------
    compared : DataFrame
        ``response, equation, source, level`` (species, genus …), ``low`` and ``high`` of the shared range
        of the main predictor, the ``mean``, ``least`` and ``most`` of published over fitted, and
        ``inside``: the share of the range where the published value lies in the interval of a tree.
    note : (str, str)
        Why there is nothing, when there is nothing; in English and Chinese.
    """
    try:
        from sinklab import knowledge
    except ImportError:
        return pd.DataFrame(columns=list(COLUMNS)), (
            "the collection of published equations is not part of this installation",
            "此安装中没有已发表方程库",
        )
    key = species_of(table_id, fit)
    if key is None:
        return pd.DataFrame(columns=list(COLUMNS)), (
            "the table speaks of no species of the vocabulary",
            "该表未对应到词表中的树种",
        )
    rows = []
    for response in fit.system.responses:
        found = knowledge.look_up(response, key)
        found = found[found["level"].isin(("species", "genus"))]
        for name, row in found.iterrows():
            told = _compare(knowledge, fit, response, row, level)
            if told is not None:
                rows.append((response, str(name), str(row["source_id"]), row["level"], *told))
    note = (
        ("", "")
        if rows
        else ("no published equation of the species is in range", "没有适用范围重叠的同树种已发表方程")
    )
    return pd.DataFrame(rows, columns=list(COLUMNS)), note


def _compare(knowledge, fit, response, row, level):
    """Shared range and ratios; None when the equation asks for what the model does not, or is out of range."""
    x = plots.main_predictor(fit)
    if not set(row["predictors"].split(";")) <= set(fit.system.predictors):
        return None
    path = plots.curve_data(fit, fit.data)
    low, high = (row.get(f"{x}_{end}", np.nan) for end in ("min", "max"))
    low = max(path[x].min(), low if np.isfinite(low) else -np.inf)
    high = min(path[x].max(), high if np.isfinite(high) else np.inf)
    path = path[path[x].between(low, high)]
    if len(path) < 2:
        return None
    path = path.iloc[np.unique(np.linspace(0, len(path) - 1, N_GRID).astype(int))]
    told = fit.predict(path, level=level, kind="individual")
    value = knowledge.evaluate(row, path)
    ratio = value / told[response].to_numpy(float)
    inside = (value >= told[f"{response}_lower"]) & (value <= told[f"{response}_upper"])
    return (
        float(low),
        float(high),
        float(ratio.mean()),
        float(ratio.min()),
        float(ratio.max()),
        float(inside.mean()),
    )
