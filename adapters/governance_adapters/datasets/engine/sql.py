"""DuckDB for what is SQL alone: distinct values, one sort, and counts; in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from governance.errors import DatasetError

MEMORY: Final = "900MB"
"""What DuckDB may hold before it spills to the audit's folder."""


@contextmanager
def sql(folder: Path) -> Iterator[Any]:
    """A DuckDB connection of its own that spills into `folder` and reaches for nothing outside this machine.

    Raises:
        DatasetError: something cannot be read or written.
    """
    import duckdb

    spill = folder / "spill"
    options: dict[str, Any] = {
        "memory_limit": MEMORY,
        "temp_directory": str(spill),
        "preserve_insertion_order": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    try:
        with duckdb.connect(":memory:", config=options) as connection:
            connection.execute("SET enable_progress_bar = false")
            yield connection
    except duckdb.Error as error:
        raise DatasetError(
            f"The audit's tables in {folder} cannot be worked on: {error}.",
            remedy="See that there is room on that disk, then run the audit again: it goes on.",
        ) from error


def files_of(paths: Sequence[Path]) -> str:
    """Files as SQL names them."""
    return "[" + ", ".join(quoted(str(path)) for path in paths) + "]"


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
