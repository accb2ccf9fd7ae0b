"""Rows of Parquet files, read page by page: a row group of many gigabytes is never in memory as a whole.

Parquet pages cannot be entered in the middle, so what was opened stays open: whoever reads the rows in their order reads
each page once. A thread keeps few files open, and none that was changed.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from governance.errors import DatasetError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_BYTES: Final = 16 * 2**20
"""About so many bytes of a table are in memory at a time."""

_BUFFER: Final = 2**16
_BATCH_ROWS: Final = 4096
_OPEN: Final = 4


class _Kept(threading.local):
    def __init__(self) -> None:
        self.tables: dict[Any, Table] = {}


_kept: Final = _Kept()


def value(path: Path, row: int, column: str) -> object:
    """The value of `column` in a row, as Python has it; None where there is no such row.

    Raises:
        DatasetError: the file cannot be read, or has no such column.
    """
    found = table(path, (column,)).rows(row, 1)
    return found.column(0)[0].as_py() if found.num_rows else None


def table(path: Path, columns: tuple[str, ...]) -> Table:
    """The columns of a file, opened by this thread; the same again as long as the file is not changed.

    Raises:
        DatasetError: the file cannot be read, or has no such column.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise cannot_read(path, error) from error
    key = (path, status.st_size, status.st_mtime_ns, status.st_ino, columns, os.getpid())
    found = _kept.tables.pop(key, None) or Table(path, columns)
    _kept.tables[key] = found  # the newest last
    while len(_kept.tables) > _OPEN:
        del _kept.tables[next(iter(_kept.tables))]
    return found


class Table:
    """Some columns of a Parquet file, read forwards."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self._path, self._columns = path, columns
        self._file = open_parquet(path)
        schema = self._file.schema_arrow
        if missing := [name for name in columns if name not in schema.names]:
            raise DatasetError(f"{path} has no column {missing[0]!r}.", remedy=f"It has {', '.join(schema.names)}.")
        metadata = self._file.metadata
        sizes = [metadata.row_group(each).num_rows for each in range(metadata.num_row_groups)]
        self._starts = [0, *accumulate(sizes)]
        self._group, self._first = -1, 0
        self._batches: Iterator[Any] = iter(())
        self._batch: Any = None

    def rows(self, first: int, count: int) -> pa.Table:
        """`count` rows from `first` on; fewer where the file ends.

        Raises:
            DatasetError: the file is broken there.
        """
        import pyarrow as pa

        pieces, end = [], min(first + count, self._starts[-1])
        schema = pa.schema([self._file.schema_arrow.field(name) for name in self._columns])
        try:
            while first < end:
                self._move(first)
                piece = self._batch.slice(first - self._first, end - first)
                pieces.append(piece)
                first += piece.num_rows
            return pa.Table.from_batches(pieces, schema if not pieces else pieces[0].schema)
        except (pa.ArrowException, OSError, ValueError) as error:
            self._group = -1
            raise cannot_read(self._path, error) from error

    def _move(self, row: int) -> None:
        """Go on until `row` is in the batch at hand."""
        group = bisect_right(self._starts, row) - 1
        if group != self._group or row < self._first or self._batch is None:
            self._group, self._first, self._batch = group, self._starts[group], None
            size = self._batch_rows(group)
            self._batches = self._file.iter_batches(size, [group], columns=list(self._columns), use_threads=False)
        while self._batch is None or row >= self._first + self._batch.num_rows:
            self._first += 0 if self._batch is None else self._batch.num_rows
            self._batch = next(self._batches, None)
            if self._batch is None:
                self._group = -1
                raise ValueError("a row group is shorter than it says")

    def _batch_rows(self, group: int) -> int:
        return max(1, min(_BATCH_ROWS, BATCH_BYTES // max(1, bytes_a_row(self._file, group, self._columns))))


def open_parquet(path: Path) -> Any:
    """A Parquet file whose columns are read through a small buffer.

    Raises:
        DatasetError: it is no Parquet file, or cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise cannot_read(path, error) from error


def bytes_a_row(file: Any, group: int, columns: tuple[str, ...]) -> int:
    """About how many bytes a row of these columns takes in memory."""
    described = file.metadata.row_group(group)
    size = 0
    for index in range(described.num_columns):
        chunk = described.column(index)
        if chunk.path_in_schema.split(".")[0] in columns:
            size += chunk.total_uncompressed_size
    return int(-(-size // max(1, described.num_rows)))


def cannot_read(path: Path, error: Exception) -> DatasetError:
    """The error of a table that cannot be read."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
    return DatasetError(f"{path} cannot be read: {why}.", remedy="Write the file again, or remove it from the dataset.")
