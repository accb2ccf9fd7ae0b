"""CSV files with a head (RFC 4180), in UTF-8; those that end in `.tsv` are parted by tabs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from governance.canonical import Digest
from governance.datasets.records import Problem
from governance.errors import DatasetError
from governance_adapters.datasets.sources import files
from governance_adapters.datasets.sources.columns import quoted_texts
from governance_adapters.datasets.sources.lines import broken, csv_parts, csv_reader, first_record, lines_of
from governance_adapters.datasets.sources.locations import quoted, read_location
from governance_adapters.datasets.sources.names import chosen, unread
from governance_adapters.datasets.sources.raw import Stated, column_of, numbered_ids, raw_table
from governance_adapters.datasets.sources.source import SourceForm, SourcePart
from governance_adapters.datasets.sources.tables import Reading, numbered

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class CsvSource:
    """See `governance_adapters.datasets.sources.source.Source`."""

    location: str
    root: str
    names: tuple[str, ...]
    reading: Reading
    pictures: bool
    ignored: tuple[str, ...]
    kind: SourceForm = SourceForm.CSV

    @classmethod
    def open(cls, location: str, root: str, names: tuple[str, ...], reading: Reading) -> CsvSource:
        """The source of the files `names` (quoted) in the folder `root`.

        Raises:
            DatasetError: one has no head, or lacks a column that is named.
        """
        pictures, ignored = False, set[str]()
        for name in names:
            head, _ = first_record(root, name, _delimiter(name))
            if not head:
                raise DatasetError(f"{name} is empty.", remedy="A CSV file begins with the names of its columns.")
            if twice := next((each for each in head if head.count(each) > 1), None):
                raise DatasetError(f"{name} has two columns {twice!r}.", remedy="Rename one of them.")
            found = chosen(head, reading.columns, name)
            pictures = pictures or "location" in found
            ignored.update(unread(head, found))
        return cls(location, root, names, reading, pictures, tuple(sorted(ignored)))

    def fingerprint(self) -> Digest:
        """See `Source.fingerprint`."""
        return files.fingerprint(self.root, self.names)

    def parts(self) -> Sequence[SourcePart]:
        """See `Source.parts`. A detail is the file's name, the number of its first record there, offset and bytes."""
        most, details = self.reading.part_rows(pictures=self.pictures), list[tuple[int, tuple[Any, ...]]]()
        for name in self.names:
            delimiter, before = _delimiter(name), 0
            _, skipped = first_record(self.root, name, delimiter)
            for offset, size, records in csv_parts(self.root, name, skipped, most, delimiter):
                details.append((records, (name, before, offset, size)))
                before += records
        return [SourcePart(*each) for each in numbered(details)]

    def read(self, part: SourcePart) -> pa.Table:
        """See `Source.read`. A record with another number of fields than the head is one with a problem."""
        name, before, offset, size = part.detail
        head, _ = first_record(self.root, name, _delimiter(name))
        found = chosen(head, self.reading.columns, name)
        content = files.read_span(self.root, name, offset, size)
        columns = _by_arrow(content, head, found, part.rows, _delimiter(name))
        problems: dict[Problem, Any] = {}
        if columns is None:
            columns, problems = _by_csv(content, head, found, part.rows, name)
        ids = partial(numbered_ids, name, before, part.rows)
        return raw_table(Stated(part.rows, ids, columns, problems), self.reading.defaults)

    def read_bytes(self, location: str) -> bytes:
        """See `Source.read_bytes`."""
        return read_location(location, self.root)


def _delimiter(name: str) -> str:
    return "\t" if name.lower().endswith(".tsv") else ","


def _by_arrow(
    content: bytes, head: Sequence[str], found: dict[str, str], rows: int, delimiter: str
) -> dict[str, Any] | None:
    """The columns, at Arrow's speed; None where it takes the records for others than Python does, or for none."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    wanted = list(dict.fromkeys(found.values()))
    if not wanted:
        return {}
    try:
        read = arrow_csv.read_csv(
            pa.BufferReader(content),
            arrow_csv.ReadOptions(column_names=list(head), block_size=len(content) + 1, use_threads=False),
            arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted, strings_can_be_null=False
            ),
        )
    except pa.ArrowException:
        return None
    if read.num_rows != rows:
        return None
    return {
        field: quoted_texts(read[column]) if field == "location" else read[column] for field, column in found.items()
    }


def _by_csv(
    content: bytes, head: Sequence[str], found: dict[str, str], rows: int, name: str
) -> tuple[dict[str, Any], dict[Problem, Any]]:
    """The columns, record by record, and a mask of the records that have too few or too many fields."""
    import pyarrow as pa

    try:
        records = list(csv_reader(lines_of(content), _delimiter(name)))
    except csv.Error as error:
        raise broken(name, error) from error
    if len(records) != rows:
        raise files.changed(name)
    ragged = pa.array([len(each) != len(head) for each in records], pa.bool_())
    columns: dict[str, Any] = {}
    for field, column in found.items():
        place = list(head).index(column)
        values = [each[place] if place < len(each) else None for each in records]
        if field == "location":
            columns[field] = pa.array([None if each is None else quoted(each) for each in values], pa.string())
        else:
            columns[field] = column_of(values, field)
    return columns, {Problem.BAD_VALUE: ragged}
