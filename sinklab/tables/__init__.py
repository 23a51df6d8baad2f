"""Parameter tables: folders of numbers with their joint uncertainty, checks and origin."""

from sinklab.tables.schema import SCHEMA_VERSION, STATUSES
from sinklab.tables.store import list_tables, resolve, table_ids, versions
from sinklab.tables.table import Table
from sinklab.tables.validate import validate

__all__ = [
    "SCHEMA_VERSION",
    "STATUSES",
    "Table",
    "list_tables",
    "resolve",
    "table_ids",
    "validate",
    "versions",
]
