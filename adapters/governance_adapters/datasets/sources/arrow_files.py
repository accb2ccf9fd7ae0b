"""Rows of Arrow IPC streams, as Hugging Face `datasets` saves them: mapped into memory, never read whole."""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from governance.errors import DatasetError
from governance_adapters.datasets.sources.parquet_rows import cannot_read

if TYPE_CHECKING:
    import pyarrow as pa

_OPEN: Final = 4


class _Kept(threading.local):
    def __init__(self) -> None:
        self.streams: dict[Any, ArrowStream] = {}


_kept: Final = _Kept()


def value(path: Path, row: int, column: str) -> object:
    """The value of `column` in a row, as Python has it; None where there is no such row.

    Raises:
        DatasetError: the file cannot be read, or has no such column.
    """
    found = stream(path).rows(row, 1, (column,))
    return found.column(0)[0].as_py() if found.num_rows else None


def stream(path: Path) -> ArrowStream:
    """A file, opened by this thread; the same again as long as it is not changed.

    Raises:
        DatasetError: it cannot be read.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise cannot_read(path, error) from error
    key = (path, status.st_size, status.st_mtime_ns, status.st_ino, os.getpid())
    found = _kept.streams.pop(key, None) or ArrowStream(path)
    _kept.streams[key] = found
    while len(_kept.streams) > _OPEN:
        del _kept.streams[next(iter(_kept.streams))]
    return found


class ArrowStream:
    """The record batches of one file. Only their heads are read until a value is asked for."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self._path = path
        self._batches: list[Any] = []
        self._starts = [0]
        try:
            with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
                self.schema: pa.Schema = reader.schema
                for batch in reader:
                    self._batches.append(batch)
                    self._starts.append(self._starts[-1] + batch.num_rows)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise cannot_read(path, error) from error

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self._starts[-1]

    def bytes_a_row(self, columns: tuple[str, ...]) -> int:
        """About how many bytes a row of these columns takes."""
        size = int(sum(batch.select(list(columns)).nbytes for batch in self._batches))
        return -(-size // max(1, self.count))

    def rows(self, first: int, count: int, columns: tuple[str, ...]) -> pa.Table:
        """`count` rows from `first` on; fewer where the file ends.

        Raises:
            DatasetError: there is no such column.
        """
        import pyarrow as pa

        if missing := [name for name in columns if name not in self.schema.names]:
            raise DatasetError(
                f"{self._path} has no column {missing[0]!r}.", remedy=f"It has {', '.join(self.schema.names)}."
            )
        pieces, end = [], min(first + count, self.count)
        while first < end:
            index = bisect_right(self._starts, first) - 1
            piece = self._batches[index].slice(first - self._starts[index], end - first)
            pieces.append(piece.select(list(columns)))
            first += piece.num_rows
        return pa.Table.from_batches(pieces, pa.schema([self.schema.field(name) for name in columns]))
