"""What a model is worth for a hectare, a project, a province: errors from tree to region.

An inventory of trees on plots goes through :func:`sinklab.propagate.inventory.propagate`, stands of
a map through :func:`sinklab.propagate.stocks.stock`. Both draw each error at the level where it is
shared; the first-order answer (IPCC Approach 1) stands beside the Monte Carlo one.
"""
