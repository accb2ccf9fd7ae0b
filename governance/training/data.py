"""What a run needs of an audited dataset, and what it hands out of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from governance.canonical import Digest
from governance.datasets.records import DatasetRecord
from governance.datasets.standing import DatasetStanding


class LeafPlace(Protocol):
    """Where a content stands among the leaves, from 0; where it would stand, if it is not `there`."""

    @property
    def index(self) -> int:
        """The place."""

    @property
    def there(self) -> bool:
        """Whether it is there."""


class DatasetLeaves(Protocol):
    """The leaves of a dataset's tree, as they lie there."""

    def find(self, content: Digest | str) -> LeafPlace:
        """Where a content stands.

        Raises:
            DatasetError: it is no digest.
        """


class AuditedDataset(Protocol):
    """One audit of a dataset, opened for reading. It never changes: what changed on disk is an error."""

    standing: DatasetStanding

    @property
    def leaves(self) -> DatasetLeaves:
        """The leaves of its tree."""

    def records(self) -> Iterator[DatasetRecord]:
        """The records that policy allowed, always in the same order, each compared with the leaf that the ledger signs.

        Raises:
            DatasetChangedError: records or leaves were changed since the audit.
            StorageError: a file cannot be read.
        """

    def read(self, record: DatasetRecord) -> bytes:
        """The bytes of a record's content, their digest checked.

        Raises:
            DatasetChangedError: they are not there any more, or are others.
            StorageError: the source cannot be read.
        """


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """One record as a run hands it out: what the audit says of it, and its bytes, which have the digest `record.content`."""

    dataset: str
    record: DatasetRecord
    content: bytes = field(repr=False)

    @property
    def caption(self) -> str:
        """The text that belongs to it; empty where there is none."""
        return self.record.caption
