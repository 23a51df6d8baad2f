"""Parameter tables: folders of numbers with their joint uncertainty, checks and origin.

Names are loaded when first used: listing tables needs no statistics.
"""

from importlib import import_module

_HOMES = {
    "SCHEMA_VERSION": "schema",
    "STATUSES": "schema",
    "Table": "table",
    "list_tables": "store",
    "resolve": "store",
    "table_ids": "store",
    "validate": "validation",
    "versions": "store",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    """Import a public name from the module where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sinklab.tables' has no attribute {name!r}")
    value = getattr(import_module(f"sinklab.tables.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
