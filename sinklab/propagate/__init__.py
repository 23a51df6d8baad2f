"""What a model is worth for a hectare, a project, a province: errors from tree to region.

An inventory of trees on plots goes through :func:`~sinklab.propagate.strata.propagate`, stands of
a map through :func:`~sinklab.propagate.stocks.stock`. Both draw each error at the level where it is
shared; :mod:`~sinklab.propagate.approach1` gives the first-order answer beside it.
"""

from importlib import import_module

_HOMES = {
    "Factor": "levels",
    "Model": "model",
    "Noise": "levels",
    "arrange": "units",
    "draw_totals": "monte_carlo",
    "variances": "approach1",
    "Inventory": "inventory",
    "Propagated": "strata",
    "propagate": "strata",
    "inventory_budget": "budget",
    "stock_budget": "budget",
    "difference": "change",
    "deduct": "deductions",
    "prepare": "stands",
    "stock": "stocks",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    """Import a public name from the module where it lives."""
    if name in _HOMES:
        value = getattr(import_module(f"sinklab.propagate.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'sinklab.propagate' has no attribute {name!r}")
