r"""Which input of a karst stock matters how much: shares of variance, totals without it, and the printed order.

Three questions look alike and have different answers: which input varies most over the landscape, which changes the
total when it is ignored, and which changes it when its mean stands for all soils. The order that the literature prints
belongs to its own accounts; they are made again here from its tables.
"""

import numpy as np
import pandas as pd

from sinklab import paths
from sinklab.systems import karst
from sinklab.systems.karst_soils import LIMIT, total
from sinklab.tabular import read_csv


def variance_shares(places, bins: int = 40) -> pd.DataFrame:
    r"""Share of the variance over the landscape that knowing one input would take away.

    .. math:: Var(E[S \mid X]) / Var(S)

    by classes of equal count, each place weighted by the area of its soil. Inputs are correlated, so shares
    overlap and need not add to one.

    Returns
    -------
    shares : DataFrame
        ``input`` and ``share``, the largest first.
    """
    weight = places["area"] / places.groupby("soil_type")["soc_stock"].transform("size")
    weight = weight / weight.sum()
    stock = places["soc_stock"]
    mean = float(weight @ stock)
    total = float(weight @ (stock - mean) ** 2)
    rows = []
    for name in karst.INPUTS:
        rank = places[name].rank(method="average", pct=True)
        label = np.minimum((rank * bins).astype(int), bins - 1)
        groups = pd.DataFrame({"w": weight, "ws": weight * stock}).groupby(label).sum()
        between = float((groups["w"] * (groups["ws"] / groups["w"] - mean) ** 2).sum())
        rows.append((name, between / total))
    found = pd.DataFrame(rows, columns=["input", "share"])
    return found.sort_values("share", ascending=False, ignore_index=True)


def left_out(soils, layers, profile, mean_density: float) -> pd.DataFrame:
    """Change of the total when one input is not known by soil type.

    Thickness is taken as one metre, exposure and gravel as zero, carbon content as the mean profile of the catchment, bulk
    density as one number.

    Parameters
    ----------
    soils, layers, profile : DataFrame
        See :func:`draw_soils`; layers with ``bulk_density`` too.
    mean_density : float
        [g/cm3]

    Returns
    -------
    effect : DataFrame
        ``input``, ``total`` [t] without it, and ``change`` relative to the full account [1].
    """
    full = total(soils, layers, profile)
    without = {
        "soil_depth": total(soils.assign(soil_depth=LIMIT), layers, profile),
        "bedrock_exposure": total(soils.assign(bedrock_exposure=0.0), layers, profile),
        "gravel_fraction": total(soils.assign(gravel_fraction=0.0), layers, profile),
        "soc": total(soils, _mean_carbon(layers, profile), profile),
        "bulk_density": total(soils, _one_density(layers, mean_density), profile),
    }
    rows = [(name, amount, amount / full - 1) for name, amount in without.items()]
    return pd.DataFrame(rows, columns=["input", "total", "change"])


def _mean_carbon(layers, profile) -> pd.DataFrame:
    soc = layers[["layer_bottom"]].merge(profile[["layer_bottom", "soc"]], on="layer_bottom", how="left")[
        "soc"
    ]
    known = layers["carbon_density"].notna()
    return layers.assign(carbon_density=(layers["bulk_density"] * soc.to_numpy()).where(known))


def _one_density(layers, mean_density) -> pd.DataFrame:
    return layers.assign(carbon_density=layers["carbon_density"] / layers["bulk_density"] * mean_density)


def printed_order(name: str = "karst_houzhai") -> list[str]:
    """Inputs in the order of influence that the source prints, the largest first."""
    rows = read_csv(paths.data("literature", "matrices", f"{name}_order.csv"))
    return rows.sort_values("rank")["input"].tolist()


def beside_print(soils, layers, profile, mean_density: float, name: str = "karst_houzhai") -> pd.DataFrame:
    """Changes of the total when an input is held at its mean, as printed and as the printed tables give them here.

    The source begins with an account of carbon, density and thickness by soil, without rock and gravel; one input is then
    held at its mean over the catchment, and at last rock and gravel are taken off.

    Parameters
    ----------
    soils, layers, profile : DataFrame
        See :func:`draw_soils`.
    mean_density : float
        [g/cm3]
    name : str
        Schemes in ``data/literature/matrices``.

    Returns
    -------
    table : DataFrame
        ``input``, ``printed`` and ``here``: change relative to the account without rock and gravel [1].
    """
    schemes = read_csv(paths.data("literature", "matrices", f"{name}_schemes.csv")).fillna("")
    bare = soils.assign(bedrock_exposure=0.0, gravel_fraction=0.0)
    weight = soils["area"] / soils["area"].sum()
    mean_depth = float(weight @ soils["soil_depth"])
    made = {
        "soil_depth": total(bare.assign(soil_depth=mean_depth), layers, profile),
        "soc": total(bare, _mean_carbon(layers, profile), profile),
        "bulk_density": total(bare, _one_density(layers, mean_density), profile),
        "bedrock_exposure gravel_fraction": total(soils, layers, profile),
    }
    base = total(bare, layers, profile)
    by_text = schemes.set_index(["varies", "held"])["total"]
    every = "soc bulk_density soil_depth"
    printed = {
        "soil_depth": by_text["soc bulk_density", "soil_depth"],
        "soc": by_text["bulk_density soil_depth", "soc"],
        "bulk_density": by_text["soc soil_depth", "bulk_density"],
        "bedrock_exposure gravel_fraction": by_text[f"{every} bedrock_exposure gravel_fraction", ""],
    }
    rows = [(k, printed[k] / by_text[every, ""] - 1, made[k] / base - 1) for k in made]
    return pd.DataFrame(rows, columns=["input", "printed", "here"])


def ranked(importance, order) -> pd.DataFrame:
    """Ranks of the inputs by every measure beside the printed order.

    Parameters
    ----------
    importance : DataFrame
        ``input`` and one column of sizes for each measure (signs are left aside).
    order : sequence of str
        Inputs, the most important first.

    Returns
    -------
    ranks : DataFrame
        Indexed by input in the printed order; ``attrs["agreement"]`` holds Spearman's correlation of each measure with it.
    """
    table = importance.set_index("input").abs().rank(ascending=False).astype(int).loc[list(order)]
    table.insert(0, "printed", range(1, len(table) + 1))
    table.attrs["agreement"] = {
        c: float(table["printed"].corr(table[c], method="spearman")) for c in table.columns[1:]
    }
    return table
