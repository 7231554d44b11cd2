"""New columns of Arrow tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa


def append(table: pa.Table, columns: dict[str, list[Any]], settings: Settings) -> pa.Table:
    """Returns `table` with the columns, whose types do not depend on the values: a batch in which
    every image fails has the schema of the others."""
    import pyarrow as pa

    for output, name in settings.names.items():
        kind = pa.list_(pa.float32()) if output == "features" else pa.string()
        table = table.append_column(name, pa.array(columns[name], kind))
    return table
