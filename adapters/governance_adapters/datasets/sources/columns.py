"""Columns of Arrow tables: which hold images themselves, and what the others state."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from governance_adapters.datasets.sources.locations import cell, quoted

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class CellsOf:
    """Rows of a file whose name is quoted: `rows` of them, from `first` on."""

    name: str
    first: int
    rows: int

    def locations(self, column: str) -> Any:
        """The locations of the values of a column."""
        import pyarrow as pa

        return pa.array([cell(self.name, self.first + row, column) for row in range(self.rows)], pa.string())


def stated_columns(found: Mapping[str, str], schema: pa.Schema) -> tuple[str, ...]:
    """The columns that are read for what is stated: those of `found` that do not hold images."""
    return tuple(dict.fromkeys(found[field] for field in found if not _embedded(field, found, schema)))


def taken(found: Mapping[str, str], schema: pa.Schema, given: Any, cells: CellsOf) -> dict[str, Any]:
    """What rows state, by field, of the table `given` with the columns of `stated_columns`."""
    stated: dict[str, Any] = {}
    for field, column in found.items():
        if _embedded(field, found, schema):
            stated[field] = cells.locations(column)
        else:
            stated[field] = quoted_texts(given[column]) if field == "location" else given[column]
    return stated


def _embedded(field: str, found: Mapping[str, str], schema: pa.Schema) -> bool:
    return field == "location" and holds_contents(schema.field(found[field]).type)


def holds_contents(kind: Any) -> bool:
    """Whether a column of this Arrow type holds images themselves: bytes, or a struct of `bytes` and `path`."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(kind.field(index).name == "bytes" for index in range(kind.num_fields))
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def cells(name: str, first: int, rows: int, column: str) -> Any:
    """The locations of the values of a column."""
    import pyarrow as pa

    return pa.array([cell(name, row, column) for row in range(first, first + rows)], pa.string())


def quoted_texts(column: Any) -> Any:
    """A column of file names, quoted as locations are; any other column as it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:  # names that are no UTF-8, as a file system may have them
        held = column.cast(pa.large_binary()).to_pylist()
        return pa.array([None if each is None else quoted(os.fsdecode(each)) for each in held], pa.string())
    if not pc.any(pc.match_substring_regex(column, r"[%#\x00-\x1f\x7f]")).as_py():
        return column
    return pa.array([None if each is None else quoted(each) for each in column.to_pylist()], pa.string())
