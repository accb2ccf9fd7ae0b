"""What the sources that are tables have in common: files of one kind under one root, columns that are named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from governance_adapters.datasets.sources.source import PICTURE_ROWS, ROWS

PART_BYTES: Final = 64 * 2**20
"""About so many bytes of stated values are in one part at most."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source is read: the columns of the fields, what stands where nothing is stated, and the rows of a part.

    `rows` of 0 means the usual number.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0

    def part_rows(self, *, pictures: bool) -> int:
        """The most records of a part."""
        return self.rows or (PICTURE_ROWS if pictures else ROWS)


def numbered(details: Sequence[tuple[int, tuple[Any, ...]]]) -> Iterator[tuple[int, int, int, tuple[Any, ...]]]:
    """Number, first record, rows and detail of each part, from the rows and the detail of each."""
    first = 0
    for number, (rows, detail) in enumerate(details):
        yield number, first, rows, detail
        first += rows
