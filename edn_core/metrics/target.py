"""The table of one target as it is stored (``edn-table``); evaluate.table writes it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edn_core.metrics.table import SHORT_COLUMNS, metrics_table
from edn_core.store import check_schema, read_json

SCHEMA = "edn-table"
SCHEMA_VERSION = 1


def read_table(path: str | Path) -> dict[str, Any]:
    """Read an ``edn-table`` file.

    Raises:
        ValueError: not such a file, or another version; says how to remake it.
    """
    content = read_json(path)
    check_schema(
        path, (content.get("schema"), content.get("schema_version")), (SCHEMA, SCHEMA_VERSION)
    )
    return content


def short_table(table: Mapping[str, Any]) -> str:
    """The short columns as plain text, without those that were not measured."""
    columns = [name for name in SHORT_COLUMNS if name not in table["absent"]]
    rows = {row["title"]: row for row in table["rows"] if row["name"] != "truth"}
    return metrics_table({"methods": rows}, columns)
