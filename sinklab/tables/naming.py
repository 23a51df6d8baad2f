"""What a table may be called: its id, its version, and how far it may be trusted."""

import re

from sinklab.errors import TableError
from sinklab.language import tr

#: From the weakest to the strongest; a table is as good as its weakest row.
STATUSES = ("demonstration", "draft", "reviewed", "published")
#: Ecosystems a table id may name, with their Chinese names.
SYSTEMS = {
    "forest": "森林",
    "bamboo": "竹林",
    "shrub": "灌丛",
    "grassland": "草地",
    "karst": "岩溶",
    "wetland": "湿地",
}

_TABLE_ID = re.compile(r"[a-z0-9]+(_[a-z0-9]+){2,}")
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


def check_table_id(table_id: str) -> str:
    """Return ``table_id`` when it is ``<response>_<system>_<group>`` in ``[a-z0-9_]``.

    Raises
    ------
    TableError
        Anything else, path separators included.
    """
    if not isinstance(table_id, str) or not _TABLE_ID.fullmatch(table_id) or len(table_id) > 80:
        raise TableError(
            tr(
                f"table id {table_id!r}; expected <response>_<system>_<group> in lower-case letters, digits "
                "and _, such as agb_forest_cunninghamia",
                f"表号 {table_id!r} 不合规；应为 <因变量>_<系统>_<分组>，只用小写字母、数字和 _，"
                "例如 agb_forest_cunninghamia",
            )
        )
    return table_id


def check_version(text: str) -> str:
    """Return ``text`` when it is a semantic version such as ``1.0.0``.

    Raises
    ------
    TableError
    """
    if not isinstance(text, str) or not _VERSION.fullmatch(text):
        raise TableError(
            tr(
                f"table version {text!r}; expected major.minor.patch such as 1.0.0",
                f"表的版本号 {text!r} 不合规；应为 主.次.修订，例如 1.0.0",
            )
        )
    return text


def version_key(text: str) -> tuple[int, ...]:
    """Sort key of a version: 1.10.0 comes after 1.9.0."""
    return tuple(int(part) for part in check_version(text).split("."))


def check_status(status: str) -> str:
    """Return ``status`` when it is one of :data:`STATUSES`.

    Raises
    ------
    TableError
    """
    if status not in STATUSES:
        known = ", ".join(STATUSES)
        raise TableError(
            tr(f"status {status!r}; expected one of {known}", f"状态 {status!r} 无效；应为 {known} 之一")
        )
    return status


def weakest(statuses) -> str:
    """Return the weakest of several statuses; ``draft`` when there is none."""
    return min(map(check_status, statuses), key=STATUSES.index, default="draft")


def system_of(table_id: str) -> str:
    """Ecosystem named in a table id, "" when none is."""
    return next((part for part in table_id.split("_") if part in SYSTEMS), "")
