"""Parquet files: columns of texts, and images as values of a column or as files beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from governance.canonical import Digest
from governance_adapters.datasets.sources import files
from governance_adapters.datasets.sources.columns import CellsOf, stated_columns, taken
from governance_adapters.datasets.sources.locations import read_location
from governance_adapters.datasets.sources.names import chosen, unread
from governance_adapters.datasets.sources.parquet_rows import bytes_a_row, open_parquet, table
from governance_adapters.datasets.sources.raw import Stated, numbered_ids, raw_table
from governance_adapters.datasets.sources.source import SourceForm, SourcePart
from governance_adapters.datasets.sources.tables import PART_BYTES, Reading, numbered

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """See `governance_adapters.datasets.sources.source.Source`."""

    location: str
    root: str
    names: tuple[str, ...]
    reading: Reading
    pictures: bool
    ignored: tuple[str, ...]
    kind: SourceForm = SourceForm.PARQUET

    @classmethod
    def open(cls, location: str, root: str, names: tuple[str, ...], reading: Reading) -> ParquetSource:
        """The source of the files `names` (quoted) in the folder `root`.

        Raises:
            DatasetError: one is no Parquet file, or lacks a column that is named.
        """
        pictures, ignored = False, set[str]()
        for name in names:
            there = open_parquet(files.path_of(root, name)).schema_arrow.names
            found = chosen(there, reading.columns, name)
            pictures = pictures or "location" in found
            ignored.update(unread(there, found))
        return cls(location, root, names, reading, pictures, tuple(sorted(ignored)))

    def fingerprint(self) -> Digest:
        """See `Source.fingerprint`."""
        return files.fingerprint(self.root, self.names)

    def parts(self) -> Sequence[SourcePart]:
        """See `Source.parts`. A detail is the file's name, its first row and the rows that the whole file has."""
        return [SourcePart(*each) for each in numbered(list(self._details()))]

    def read(self, part: SourcePart) -> pa.Table:
        """See `Source.read`."""
        name, first, held = part.detail
        path = files.path_of(self.root, name)
        opened = open_parquet(path)
        if opened.metadata.num_rows != held:
            raise files.changed(name)
        schema = opened.schema_arrow
        found = chosen(schema.names, self.reading.columns, name)
        columns = stated_columns(found, schema)
        given = table(path, columns).rows(first, part.rows) if columns else None
        if given is not None and given.num_rows != part.rows:
            raise files.changed(name)
        ids = partial(numbered_ids, name, first, part.rows)
        stated = taken(found, schema, given, CellsOf(name, first, part.rows))
        return raw_table(Stated(part.rows, ids, stated), self.reading.defaults)

    def read_bytes(self, location: str) -> bytes:
        """See `Source.read_bytes`."""
        return read_location(location, self.root)

    def _details(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        for name in self.names:
            opened = open_parquet(files.path_of(self.root, name))
            held = opened.metadata.num_rows
            for first, rows in self._spans(opened, name):
                yield rows, (name, first, held)

    def _spans(self, opened: Any, name: str) -> Iterator[tuple[int, int]]:
        """First row and rows of each part of a file: whole row groups together, or a piece of one."""
        found = chosen(opened.schema_arrow.names, self.reading.columns, name)
        stated = stated_columns(found, opened.schema_arrow)
        most = self.reading.part_rows(pictures="location" in found)
        first, gathered = 0, 0
        for group in range(opened.metadata.num_row_groups):
            rows = opened.metadata.row_group(group).num_rows
            limit = max(1, min(most, PART_BYTES // max(1, bytes_a_row(opened, group, stated))))
            if gathered and gathered + rows > limit:
                yield first, gathered
                first, gathered = first + gathered, 0
            while rows > limit:
                yield first, limit
                first, rows = first + limit, rows - limit
            gathered += rows
        if gathered:
            yield first, gathered
