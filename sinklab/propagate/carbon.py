"""From biomass to carbon in stocks, and what has to be said of tables and pools that were counted."""

from sinklab.language import tr
from sinklab.propagate.levels import Factor
from sinklab.propagate.totals import defaults

#: Name of the model of stands whose carbon was measured.
MEASURED = "measured"


def carbon_factor(given, models) -> tuple[tuple[Factor, ...], list[str]]:
    """Carbon fraction of all stands as a factor, and what is to be said of it; none where carbon was measured."""
    if all(m.responses == ("soc_stock",) or m.name == MEASURED for m in models.values()):
        return (), []
    if isinstance(given, Factor):
        return (given,), []
    if given is not None:
        if hasattr(given, "draw"):
            return (Factor("carbon_fraction", {"": given}),), []
        note = tr(
            f"carbon fraction {given:g} for all stands, without an uncertainty",
            f"含碳系数统一取 {given:g}，未计其不确定性",
        )
        return (Factor("carbon_fraction", {"": given}),), [note]
    value = defaults()["carbon_fraction"]
    note = tr(
        f"carbon fraction {value:g} for all stands, without an uncertainty (default of stock_defaults.csv)",
        f"含碳系数统一取 {value:g}，未计其不确定性（stock_defaults.csv 的缺省值）",
    )
    return (Factor("carbon_fraction", {"": value}),), [note]


def standing_notes(tables, chosen) -> list[str]:
    """Tables that were used and are made of simulated data."""
    shown = [t.ref for t in tables if t.status == "demonstration" and t.ref in set(chosen["table"])]
    if not shown:
        return []
    names = ", ".join(shown)
    return [
        tr(
            f"DEMONSTRATION: {names} made from simulated data; the stocks must not be used",
            f"演示：{names} 由模拟数据得出，所得储量不得用于实际计量",
        )
    ]


def pool_notes(chosen) -> list[str]:
    """Species of which other pools are counted than of the rest."""
    pools = sorted(set(chosen["pool"]) - {""})
    if len(pools) < 2:
        return []
    text = ", ".join(pools)
    return [tr(f"species differ in the pool that is counted: {text}", f"各树种计入的碳库不同：{text}")]
