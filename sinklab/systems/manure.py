r"""Methane and nitrous oxide of livestock by the default method of the IPCC: heads, their manure, where it is kept.

Volatile solids and nitrogen follow from the mass of an animal; every way of keeping manure turns a share of them into gas:

.. math:: \mathrm{CH_4} = N \cdot v\, \frac{m}{1000} \cdot 365 \cdot s \cdot \frac{f_{CH_4}}{1000}, \qquad
   \mathrm{N_2O} = N \cdot n\, \frac{m}{1000} \cdot 365 \cdot s \cdot (f_d + g\, f_4 + l\, f_5)\, \frac{44}{28},

with heads :math:`N`, mass :math:`m` [kg], volatile solids :math:`v` and nitrogen :math:`n` [kg per tonne of animal and day], the
share :math:`s` of the manure in a system, its factors, and the shares :math:`g, l` of nitrogen that go into the air and water.
With measured solids, methane potential and conversion factor the quantification of a methodology
(``data/chain/equations.csv``, part ``manure``) is the second tier.

Every factor of ``data/chain/manure.csv`` is transcribed, not read in the book; results say so until the rows are proofed.

Source
------
IPCC (2019) Refinement to the 2006 Guidelines, Volume 4, chapter 10 (Asia; tables are named row by row) and chapter 11.
"""

from functools import lru_cache

import numpy as np
import pandas as pd

from sinklab.data.files import records
from sinklab.language import DataError, Notes, listing, require_known

#: Columns that tell a herd; ``productivity`` (high, low) and ``climate`` are blank where a factor does not ask for them.
HERD = ("category", "head", "system", "climate", "productivity", "share")
DAYS, N2O_OF_N = 365.0, 44 / 28
#: Kinds of animals whose manure the tables of methane and of losses of nitrogen hold together.
TOGETHER = {
    **dict.fromkeys(("swine_breeding", "swine_finishing"), "swine"),
    **dict.fromkeys(("broilers", "ducks", "hens", "pullets", "turkeys"), "poultry"),
}
#: Names that the tables of nitrogen give the systems of the table of methane.
NITROGEN = {
    "lagoon": "uncovered_lagoon",
    "slurry_pit_over_1_month": "pit_storage",
    "slurry_pit_under_1_month": "pit_storage",
    "digester_gas_tight": "anaerobic_digester",
    "digester_leaky": "anaerobic_digester",
}
#: Wide climates of the drier systems, by the first word of a zone.
WIDE = {"boreal": "cool", "cool": "cool", "warm_temp": "temperate", "tropical": "warm"}


@lru_cache(maxsize=1)
def factors() -> pd.DataFrame:
    """Rows of ``data/chain/manure.csv``: quantity, what it holds for, ``value`` with unit, table, mark and how it was read."""
    return pd.DataFrame(records("chain", "manure.csv", numbers=("value",)))


def _find(quantity, **wanted) -> pd.DataFrame:
    rows = factors()
    rows = rows[rows["quantity"] == quantity]
    for column, values in wanted.items():
        # The narrowest of the values that a row has; a blank holds for all.
        hit = next((v for v in values if (rows[column] == v).any()), None)
        rows = rows[rows[column] == hit]
    return rows


def factor(
    quantity: str, category: str = "", system: str = "", climate: str = "", productivity: str = ""
) -> float:
    """One factor: the row of the animal, the system, the climate and the productivity, or the one that holds for all.

    Raises
    ------
    DataError
        No row or several rows, with what the table holds.

    Examples
    --------
    >>> factor("methane", "swine_finishing", "lagoon", "warm_temp_moist", "low")
    141.8
    """
    wide = next((w for name, w in WIDE.items() if climate.startswith(name)), climate)
    rows = _find(
        quantity,
        category=(category, TOGETHER.get(category, category), ""),
        system=(system,),
        climate=(climate, wide, ""),
        productivity=(productivity, ""),
    )
    if len(rows) == 1:
        return float(rows["value"].iloc[0])
    asked = ", ".join(filter(None, (category, system, climate, productivity)))
    have = _find(quantity, category=(category, TOGETHER.get(category, category), ""))
    told = [" ".join(filter(None, r)) for r in have[["system", "climate", "productivity"]].to_numpy()]
    raise DataError(
        f"{quantity} of {asked}: {len(rows)} factors; there are: {listing(told) or '–'}",
        f"{asked} 的 {quantity}：对应 {len(rows)} 个系数；现有：{listing(told) or '–'}",
    )


def emissions(herds: pd.DataFrame, gwp: str = "ar6") -> pd.DataFrame:
    """Yearly emissions of herds by the default method, a row a herd.

    Parameters
    ----------
    herds : DataFrame
        Columns of :data:`HERD`: kind of animal, heads (mean of the year), way of keeping manure, climatic zone and
        productivity, where the factor asks for them, and the share of the herd's manure that is kept so (1 where left out).
    gwp : {"ar6", "ar5"}
        Edition of the global warming potentials of ``data/chain/factors.csv``.

    Returns
    -------
    told : DataFrame
        The herds with ``volatile_solids`` [kg/a], ``nitrogen`` [kg/a], ``manure_ch4``, ``direct_n2o`` and ``indirect_n2o``
        [kg/a], and ``co2e`` [t/a]. ``attrs["notes"]`` says how the factors were read.

    Raises
    ------
    DataError
        Columns that are missing, heads or shares that cannot be, manure of one herd that adds up to more than all, kinds
        or systems without a factor; all at once.

    Examples
    --------
    >>> herd = {"category": ["dairy_cattle"], "head": [100], "system": ["solid_storage"], "climate": ["cool"]}
    >>> emissions(pd.DataFrame(herd).assign(productivity="low"))["manure_ch4"].round(1).tolist()
    [215.6]
    """
    require_known([c for c in HERD[:3] if c not in herds], herds)
    frame = herds.copy()
    for column in HERD[3:5]:
        frame[column] = frame[column].fillna("").astype(str) if column in frame else ""
    frame["share"] = frame["share"].astype(float) if "share" in frame else 1.0
    problems = _faults(frame)
    known = {row["factor"]: row["value"] for row in records("chain", "factors.csv", numbers=("value",))}
    rows = []
    for i, herd in enumerate(frame.to_dict("records"), 1):
        try:
            rows.append(_of_herd(herd, known))
        except DataError as error:
            problems.append(f"{i}: {error}")
            rows.append({})
    if problems:
        raise DataError(listing(problems))
    told = frame.join(pd.DataFrame(rows, index=frame.index))
    gases = {"ch4": told["manure_ch4"], "n2o": told["direct_n2o"] + told["indirect_n2o"]}
    told["co2e"] = sum(known[f"gwp_{gas}_{gwp}"] * mass for gas, mass in gases.items()) / 1000
    notes = Notes()
    n = int((factors()["mark"] != "V").sum())
    notes.add(
        f"factors of manure: {n} of {len(factors())} are transcribed and not yet proofed against the printed tables",
        f"粪污系数：{len(factors())} 个中 {n} 个系转录，尚未对照原表校核",
    )
    told.attrs["notes"] = notes
    return told


def _faults(frame) -> list[str]:
    from sinklab.language import tr

    found = []
    heads = pd.to_numeric(frame["head"], errors="coerce")
    bad = np.flatnonzero(~(heads >= 0) | ~frame["share"].between(0, 1))
    for i in bad:
        row = frame.iloc[i]
        found.append(
            tr(
                f"{i + 1}: head {row['head']}, share {row['share']:g}; expected heads of 0 or more and a share from 0 to 1",
                f"{i + 1}：head {row['head']}，share {row['share']:g}；头数应不小于 0，份额应在 0～1",
            )
        )
    if "herd" in frame:
        for herd, whole in frame.groupby("herd")["share"].sum().items():
            if whole > 1 + 1e-9:
                found.append(
                    tr(
                        f"herd {herd}: shares add up to {whole:g}, at most 1",
                        f"畜群 {herd}：份额合计 {whole:g}，不应超过 1",
                    )
                )
    return found


def _of_herd(herd, known) -> dict[str, float]:
    """Solids, nitrogen and gases of a herd [kg/a]."""
    category, system = herd["category"], herd["system"]
    live = float(herd["head"]) * factor("live_mass", category) / 1000 * DAYS * herd["share"]
    solids, nitrogen = (live * factor(q, category) for q in ("volatile_solids", "nitrogen"))
    methane = solids * factor("methane", category, system, herd["climate"], herd["productivity"]) / 1000
    direct, indirect = _nitrous(herd, nitrogen, known)
    told = {"volatile_solids": solids, "nitrogen": nitrogen, "manure_ch4": methane, "direct_n2o": direct}
    return told | {"indirect_n2o": indirect}


def _nitrous(herd, nitrogen, known) -> tuple[float, float]:
    """Nitrous oxide of the nitrogen of a herd [kg/a]: direct, and of what goes into air and water."""
    kept = NITROGEN.get(herd["system"], herd["system"])
    lost = {q: _share_lost(q, herd["category"], kept) for q in ("volatilised", "leached")}
    indirect = nitrogen * (lost["volatilised"] * known["n2o_ef4"] + lost["leached"] * known["n2o_ef5"])
    return nitrogen * factor("direct_n2o", "", kept) * N2O_OF_N, indirect * N2O_OF_N


def _share_lost(quantity, category, system) -> float:
    """Share of the nitrogen that leaves a system; what the table does not name leaches nothing, as it says."""
    rows = _find(quantity, system=(system,))
    if rows.empty and quantity == "leached":
        return 0.0
    if rows.empty and system == "anaerobic_digester":
        raise DataError(
            "volatilised of a digester: the table gives a range, 0.05 to 0.50; measure it, or take pit storage",
            "消化器的氮挥发：原表给出范围 0.05～0.50；请实测，或按深坑贮存计",
        )
    return factor(quantity, category, system)


# Factors of one head and year, as a table of parameters holds them.


def per_head() -> pd.DataFrame:
    """Emission factors of one animal and year that the printed factors give, columns as in ``values.csv``.

    Methane of digestion as printed; methane of manure and nitrous oxide of manure (direct and through air and water) as
    products of printed factors, for every kind of animal, way of keeping manure, climate and productivity that has them all.

    Returns
    -------
    values : DataFrame
        ``name, group, variable, mean`` [kg a head and year], ``n_study``, ``sources`` and ``note``. No interval: the ranges
        that the IPCC states are not transcribed. ``attrs["notes"]`` counts the ways of keeping manure that lack a factor.

    Examples
    --------
    >>> values = per_head().set_index("name")["mean"]
    >>> values["manure_ch4_factor[dairy_cattle, low, solid_storage, cool]"].round(2)
    2.16
    """
    table, notes = factors(), Notes()
    rows = [
        _row("enteric_ch4_factor", row["value"], row["category"], row["productivity"], places=(row["place"],))
        for row in table[table["quantity"] == "enteric"].to_dict("records")
    ]
    kinds = [*table.loc[table["quantity"] == "live_mass", "category"]]
    live = {kind: factor("live_mass", kind) / 1000 * DAYS for kind in kinds}
    solids = {kind: live[kind] * factor("volatile_solids", kind) for kind in kinds}
    nitrogen = {kind: live[kind] * factor("nitrogen", kind) for kind in kinds}
    methane = table[(table["quantity"] == "methane") & (table["system"] != "all_systems")].to_dict("records")
    for row in methane:
        for kind in kinds:
            if row["category"] in (kind, TOGETHER.get(kind, kind), ""):
                group = (kind, row["productivity"], row["system"], row["climate"])
                places = (row["place"], "Table 10.13a", "Table 10A.5")
                rows.append(
                    _row("manure_ch4_factor", solids[kind] * row["value"] / 1000, *group, places=places)
                )
    known = {row["factor"]: row["value"] for row in records("chain", "factors.csv", numbers=("value",))}
    lacking = []
    for system in table.loc[table["quantity"] == "direct_n2o", "system"]:
        for kind in kinds:
            herd = {"category": kind, "system": system}
            try:
                gas = sum(_nitrous(herd, nitrogen[kind], known))
            except DataError:
                lacking.append(f"{kind} {system}")
                continue
            places = ("Table 10.19", "Table 10.21", "Table 10.22", "Table 11.3")
            rows.append(_row("manure_n2o_factor", gas, kind, "", system, places=places))
    notes.add(
        f"nitrous oxide: {len(lacking)} pairs of an animal and a system have no share that goes into the air",
        f"氧化亚氮：{len(lacking)} 个“畜种×管理方式”缺氮挥发比例，未给出",
    )
    found = pd.DataFrame(rows)
    found.attrs["notes"] = notes
    return found


def _row(variable, value, *group, places) -> dict:
    """A row of values: what it is for, the number, and where its factors are printed."""
    told = dict(zip(("category", "productivity", "system", "climate"), group, strict=False))
    told = {column: text for column, text in told.items() if text}
    row = {"name": f"{variable}[{', '.join(told.values())}]", "variable": variable, "mean": float(value)}
    row["group"] = ";".join(f"{column}={text}" for column, text in told.items())
    note = "transcribed from code that cites the tables, to be proofed; the range that the IPCC states is not transcribed"
    return row | {"n_study": 1, "sources": f"IPCC 2019 Refinement, Vol. 4, {', '.join(places)}", "note": note}
