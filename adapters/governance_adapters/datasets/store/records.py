"""The records of an audited dataset as they are read: `records.parquet`, in the order of content, then id.

One column a field of `DatasetRecord`, enumerations as their texts. Records without a content stand first, and in no leaf.
Where somebody was forgotten, the columns of `SEALING` stand behind them; see `governance.datasets.leaves.SealedRecord`.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from itertools import groupby, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from governance.canonical import Digest
from governance.datasets.erased_rows import ranges
from governance.datasets.leaves import SealedRecord
from governance.datasets.records import PERSONAL, Basis, Consent, DatasetRecord, OptOut, Problem, SourceKind, Synthetic
from governance.errors import DatasetChangedError, StorageError
from governance.types import Outcome

if TYPE_CHECKING:
    import pyarrow as pa

RECORDS_FILE: Final = "records.parquet"
ROW_GROUP_ROWS: Final = 2048
"""Rows in a group of the file: one content is found by reading one group."""

ERASED: Final = "erased"
SEALS: Final = tuple(f"{name}_seal" for name in PERSONAL)
SEALING: Final = (ERASED, *SEALS)
_COLUMNS: Final = tuple(field.name for field in fields(DatasetRecord))
_SEAL_BYTES: Final = 32
_KINDS: Final[Mapping[str, type]] = {
    "basis": Basis,
    "source_kind": SourceKind,
    "consent": Consent,
    "synthetic": Synthetic,
    "outcome": Outcome,
}
_LISTS: Final[Mapping[str, type]] = {"opt_outs": OptOut, "personal": str, "problems": Problem, "reasons": str}
_NUMBERS: Final = frozenset({"width", "height", "size", "nsfw", "similar"})
_REMEDY: Final = "Restore the audit's folder from its backup, or audit the dataset again."


class RecordsFile:
    """The records of one audit, read in batches or by content. Safe to use from any thread.

    Raises:
        DatasetChangedError: it is no file of records.
        StorageError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._path, self._lock = path, threading.Lock()
        try:
            self._file = parquet.ParquetFile(path, memory_map=True)
        except OSError as error:  # pyarrow's own error for what is no Parquet is a ValueError
            raise StorageError(f"{path} cannot be read: {error}.", remedy=_REMEDY) from error
        except pa.ArrowException as error:
            raise DatasetChangedError(f"{path} is no Parquet file: {error}.", remedy=_REMEDY) from error
        names = set(self._file.schema_arrow.names)
        self.sealed = ERASED in names
        """Whether somebody was forgotten in it: each record has its own salts then."""
        self._columns = (*_COLUMNS, *SEALING) if self.sealed else _COLUMNS
        if missing := sorted(set(self._columns) - names):
            raise DatasetChangedError(f"{path} has no columns {', '.join(missing)}.", remedy=_REMEDY)

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def tables(self) -> Iterator[pa.Table]:
        """The file's groups of rows, in its order.

        Raises:
            DatasetChangedError: one cannot be read.
        """
        return map(self._table, range(self._file.num_row_groups))

    def __iter__(self) -> Iterator[DatasetRecord]:
        """All records in the file's order.

        Raises:
            DatasetChangedError: a value is none that a record can have.
        """
        return records_in(self.tables())

    def erased(self) -> tuple[range, ...]:
        """The rows, from 0, whose personal fields were erased.

        Raises:
            DatasetChangedError: it cannot be read.
        """
        if not self.sealed:
            return ()
        import pyarrow as pa

        try:
            with self._lock:
                column = self._file.read(columns=[ERASED], use_threads=False).column(ERASED)
            return tuple(ranges(np.flatnonzero(column.to_numpy()).tolist()))
        except (OSError, pa.ArrowException) as error:
            raise DatasetChangedError(f"{self._path} cannot be read: {error}.", remedy=_REMEDY) from error

    def without_content(self) -> Iterator[DatasetRecord]:
        """The records that have no content: the first ones of the file.

        Raises:
            DatasetChangedError: a value is none that a record can have.
        """
        return takewhile(lambda record: not record.content, self)

    def of(self, content: Digest | str) -> list[DatasetRecord]:
        """The records of one content, in the order of their ids; none where it is not there.

        Raises:
            DatasetChangedError: a value is none that a record can have.
        """
        found: list[DatasetRecord] = []
        for group in range(bisect_left(self._last, content), self._file.num_row_groups):
            rows = list(self._group(group, content))
            found += rows
            if not rows or self._last[group] != content:
                break
        return found

    @cached_property
    def _last(self) -> Sequence[str]:
        """The last content of each group of rows, by the file's own statistics, else read."""
        place = self._file.schema_arrow.names.index("content")
        lasts = []
        for group in range(self._file.num_row_groups):
            statistics = self._file.metadata.row_group(group).column(self._column(place)).statistics
            if statistics is not None and statistics.has_min_max:
                lasts.append(str(statistics.max))
            else:
                with self._lock:
                    table = self._file.read_row_group(group, columns=["content"])
                lasts.append(str(table.column("content")[-1].as_py() or ""))
        return lasts

    def _column(self, place: int) -> int:
        """The place of a column among the leaves of the file's schema, where a list has another path than its name."""
        name = self._file.schema_arrow.names[place]
        paths = [self._file.schema.column(at).path for at in range(len(self._file.schema))]
        return paths.index(name)

    def _table(self, group: int) -> pa.Table:
        import pyarrow as pa

        try:
            with self._lock:
                return self._file.read_row_group(group, columns=list(self._columns), use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise DatasetChangedError(f"{self._path} cannot be read: {error}.", remedy=_REMEDY) from error

    def _group(self, group: int, content: Digest | str) -> Iterator[DatasetRecord]:
        from pyarrow import compute

        table = self._table(group)
        there = compute.indices_nonzero(compute.equal(table.column("content"), str(content)))
        return records_in([table.take(there)])


def records_in(tables: Iterable[pa.Table]) -> Iterator[DatasetRecord]:
    """The records of tables that have their columns, in their order.

    Raises:
        DatasetChangedError: a value is none that a record can have.
    """
    for table in tables:
        for batch in table.to_batches(max_chunksize=ROW_GROUP_ROWS):
            yield from map(record_of, batch.to_pylist())


def by_content(records: Iterable[DatasetRecord]) -> Iterator[tuple[Digest, list[DatasetRecord]]]:
    """The records of each content, contents in their order; those without a content are left out."""
    for content, found in groupby(records, key=lambda record: record.content):
        if content:
            yield Digest(content), list(found)


def record_of(row: Mapping[str, Any]) -> DatasetRecord:
    """The record of one row of the file; what is null there is unknown.

    Raises:
        DatasetChangedError: a value is none that a record can have.
    """
    try:
        said = {name: _value(name, row[name]) for name in _COLUMNS}
        if ERASED not in row:
            return DatasetRecord(**said)
        return SealedRecord(**said, seals=tuple(_seal(row[name]) for name in SEALS), erased=bool(row[ERASED]))
    except (KeyError, ValueError, TypeError) as error:
        raise DatasetChangedError(f"A record of the dataset cannot be read: {error}.", remedy=_REMEDY) from error


def _value(name: str, value: Any) -> Any:
    if name in _LISTS:
        return tuple(_LISTS[name](each) for each in value or ())
    if name in _KINDS:
        return _KINDS[name](value)
    if name in _NUMBERS:
        if type(value) is not int:
            raise TypeError(f"{name} is no whole number")
        return value
    return _text(name, value)


def _seal(value: Any) -> bytes:
    if not isinstance(value, bytes) or len(value) != _SEAL_BYTES:
        raise TypeError(f"a seal does not have {_SEAL_BYTES} bytes")
    return value


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value
