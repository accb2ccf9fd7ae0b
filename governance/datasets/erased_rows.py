"""What an `erased` entry says of the records of an audit: the rows whose personal fields are gone, and nothing of whose they were.

A part is named `records/FIRST-LAST`: rows of the audit's `records.parquet`, from 0, both included. Rows keep their places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from governance.datasets.audit_entries import DatasetChange
from governance.entries import Entry, EntryKind, ErasedPart
from governance.erasure import MAX_PARTS_BYTES, rows_named
from governance.forgotten import Target

_TOGETHER: Final = MAX_PARTS_BYTES // 128
"""Parts of a target: several targets fit an entry, and none is too large for one."""


@dataclass(frozen=True, slots=True)
class RowsFound:
    """The rows (from 0, increasing, each once) of one audit, by its entry, that are to be erased, and which owners they name."""

    audited: Entry
    rows: Sequence[int]
    people: frozenset[str] = frozenset()

    def targets(self) -> Iterator[Target]:
        """The rows as parts, some at a time."""
        parts = [ErasedPart(self.audited.id, rows_name(rows)) for rows in ranges(self.rows)]
        for start in range(0, len(parts), _TOGETHER):
            yield Target(self.audited.subject, tuple(parts[start : start + _TOGETHER]), self.people)


class AuditRecords(Protocol):
    """Where the records of audits are: what an eraser tells to destroy what entries say is erased."""

    def erase(self, audited: Entry, rows: Sequence[range]) -> None:
        """Destroy the personal fields of these rows of the audit of this entry, and all that their commitments open with.

        `rows` are all that were ever erased of it. Doing it again changes nothing; nor does it where its files are gone.

        Raises:
            DatasetError: the files are damaged.
            StorageError: they cannot be read or written.
        """
        ...


def rows_name(rows: range) -> str:
    """The name of the part that these rows, one behind the other, are."""
    return f"records/{rows.start}-{rows.stop - 1}"


def rows_erased(names: Iterable[str]) -> tuple[range, ...]:
    """The rows that parts of these names are, in order."""
    return tuple(
        sorted((rows for name in names if (rows := rows_named(name)) is not None), key=lambda rows: rows.start)
    )


def are_rows_of(entry: Entry, name: str) -> bool:
    """Whether a part of this name is rows that the audit of `entry` has."""
    rows, count = rows_named(name), entry.body.get("records")
    audited = entry.kind is EntryKind.DATASET and entry.body.get("change") == DatasetChange.AUDITED
    return audited and rows is not None and type(count) is int and rows.stop <= count


def ranges(rows: Iterable[int]) -> Iterator[range]:
    """Increasing numbers as ranges that are as long as they can be."""
    start = stop = -1
    for row in rows:
        if row != stop:
            if stop > start:
                yield range(start, stop)
            start = row
        stop = row + 1
    if stop > start:
        yield range(start, stop)
