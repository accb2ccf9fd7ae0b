"""An audited dataset, opened: what is in it and what is not, with the proof; what looks like a picture; its records and bytes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, tee
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from governance.canonical import Digest, digest
from governance.datasets.erased_rows import rows_erased
from governance.datasets.leaves import (
    LEAF_BYTES,
    SaltKey,
    SealedRecord,
    committed_record,
    disclosed,
    leaf_of,
    order_of,
)
from governance.datasets.membership import check_found
from governance.datasets.proof import Absence, DatasetProof, Neighbour, Presence
from governance.datasets.records import DatasetRecord
from governance.datasets.standing import DatasetStanding
from governance.errors import DatasetChangedError, DatasetError, NoDatasetError, ProofError, StorageError
from governance.ports import Ledger
from governance.types import Outcome
from governance_adapters.datasets.sources.locations import Contents
from governance_adapters.datasets.store.committing import Committed, committed_leaves
from governance_adapters.datasets.store.hashes import PDQ_FILE, OpenHashes
from governance_adapters.datasets.store.leaves import OpenLeaves, Place
from governance_adapters.datasets.store.records import RECORDS_FILE, RecordsFile, by_content, records_in
from governance_adapters.datasets.store.streamed_root import StreamedRoot
from governance_adapters.datasets.store.vectors import VECTORS_FILE, OpenVectors

if TYPE_CHECKING:
    import pyarrow as pa

SALTS_FILE: Final = "salts.key"
SOURCE_FILE: Final = "source.json"
MOST_FOUND: Final = 64
_AUDIT_AGAIN: Final = "Restore the audit's folder from its backup, or audit the dataset again."


@dataclass(frozen=True, slots=True)
class Near:
    """A content whose PDQ hash is `distance` bits from the one asked for, 0 to 31."""

    content: Digest
    index: int
    distance: int


@dataclass(frozen=True, slots=True)
class Alike:
    """A content whose embedding has the cosine `thousandths` / 1000, rounded, with the one asked for; -1000 to 1000."""

    content: Digest
    index: int
    thousandths: int


def handed_out(records: Sequence[DatasetRecord]) -> Iterator[DatasetRecord]:
    """Those of all records of one content that may be trained with: what policy allowed, unless it denied one of them.

    The same bytes are in each. A right that is reserved in one record is not given by another that does not mention it.
    """
    if not any(each.outcome is Outcome.DENY for each in records):
        yield from (each for each in records if each.outcome is Outcome.ALLOW)


class OpenDataset:
    """One audit of a dataset. It never changes: what changed on disk is an error. Safe to use from any thread.

    `folder` is the audit's. Opening it compares root and size with what the ledger's entry signs, and reads nothing else.

    Raises:
        NoDatasetError: the folder is not there.
        DatasetChangedError: its leaves are not those that were signed.
        StorageError: a file cannot be read.
    """

    def __init__(self, folder: Path, standing: DatasetStanding, ledger: Ledger) -> None:
        if not folder.is_dir():
            raise NoDatasetError(
                f"The audit {standing.audit} of the dataset {standing.name!r} has no folder {folder}.",
                remedy="Restore the folder from its backup, or audit the dataset again.",
            )
        self.folder, self.standing, self._ledger = folder, standing, ledger
        self.leaves = OpenLeaves(folder)
        if (self.leaves.head.root.hex(), self.leaves.size) != (standing.root, standing.contents):
            raise DatasetChangedError(
                f"The leaves of the dataset {standing.name!r} are not those that entry {standing.audited.id} signs.",
                remedy=_AUDIT_AGAIN,
            )
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.standing.name

    @property
    def record_count(self) -> int:
        """How many records there are, those without content too."""
        return len(self.records_file)

    @cached_property
    def records_file(self) -> RecordsFile:
        """All records as they lie there, compared with nothing but what the ledger says of them is erased.

        Raises:
            DatasetChangedError: something is erased by the ledger, and is still there.
        """
        found = RecordsFile(self.folder / RECORDS_FILE)
        said = rows_erased(self._ledger.erasures(self.standing.audited.id))
        if not set(chain(*said)) <= set(chain(*found.erased())):
            raise DatasetChangedError(
                f"Records of the dataset {self.name!r} are erased by entries of the ledger, and its folder still has them.",
                remedy=f"`governance dataset erase {self.name} --again` completes that.",
            )
        return found

    @cached_property
    def salts(self) -> SaltKey | None:
        """What the commitments to personal fields are made with; None where it was destroyed and each record has its own.

        Raises:
            StorageError: it cannot be read.
            DatasetError: it is no such key.
        """
        return None if self.records_file.sealed else SaltKey(_read(self.folder / SALTS_FILE), self.name)

    def records(self, where: Callable[[DatasetRecord], bool] | None = None) -> Iterator[DatasetRecord]:
        """The records of contents for which `where` holds, in the order of content, then id, each one proved.

        Without `where` they are those that may be trained with: see `handed_out`.

        The records of a content are compared with its leaf before the first of them is handed out, and the leaves with the
        signed root before the first of all, in each pass anew; behind the last, what was handed out is compared with it too, so
        that files which are exchanged meanwhile end in an error. Records without a content are not given: there is nothing
        that could be read of them.

        Raises:
            DatasetChangedError: records or leaves were changed since the audit.
            StorageError: a file cannot be read.
        """
        with self._lock:
            self.__dict__.pop("_computed_root", None)
        self.check_root()
        read, hashed = tee(self.records_file.tables())
        for (_, records), _ in zip(by_content(records_in(read)), self.checked_leaves(hashed), strict=True):
            yield from handed_out(records) if where is None else filter(where, records)

    def checked_leaves(self, tables: Iterable[pa.Table]) -> Iterator[Committed]:
        """The leaves that the records of `tables`, which are all of them, make; each compared with the one that is there.

        Raises:
            DatasetChangedError: a leaf commits to other records, there are more contents or fewer, or in the end their root is
                not the signed one: the leaves that they were compared with were changed meanwhile.
        """
        count, seen = 0, StreamedRoot()
        try:
            for count, committed in enumerate(committed_leaves(tables, self.salts), 1):
                if count > self.leaves.size or committed.leaf != self.leaves.leaf(count - 1):
                    raise self._other_records(committed.content)
                seen.add(committed.leaf)
                yield committed
        except DatasetChangedError:
            raise
        except DatasetError as error:
            raise DatasetChangedError(f"The records cannot be read: {error}", remedy=_AUDIT_AGAIN) from error
        if count != self.leaves.size:
            raise DatasetChangedError(
                f"There are records of {count} contents, and {self.leaves.size} were signed.", remedy=_AUDIT_AGAIN
            )
        if seen.root().hex() != self.standing.root:
            raise DatasetChangedError(
                f"The leaves of the dataset {self.name!r} were changed while they were read.", remedy=_AUDIT_AGAIN
            )

    def check_root(self) -> None:
        """Compare the leaves as they are with the signed root, once: about 1.5 s a million.

        Raises:
            DatasetChangedError: they were changed.
        """
        with self._lock:
            computed = self._computed_root
        if computed.hex() != self.standing.root:
            raise DatasetChangedError(
                f"The leaves of the dataset {self.name!r} were changed since the audit.", remedy=_AUDIT_AGAIN
            )

    @cached_property
    def _computed_root(self) -> bytes:
        return self.leaves.computed_root()

    def check_leaf(self, index: int, content: Digest, records: Sequence[DatasetRecord]) -> None:
        """Compare the records of the content at `index` with its leaf.

        Raises:
            DatasetChangedError: they are not those that the leaf commits to.
        """
        leaf = self.leaves.leaf(index) if index < self.leaves.size else bytes(LEAF_BYTES)
        if leaf_of(content, [committed_record(record, self.salts) for record in records]) != leaf:
            raise self._other_records(content)

    def _other_records(self, content: str) -> DatasetChangedError:
        return DatasetChangedError(
            f"The records of the content {content} were changed since the audit.", remedy=_AUDIT_AGAIN
        )

    def read(self, record: DatasetRecord) -> bytes:
        """The bytes of a record's content, their digest checked.

        Raises:
            DatasetChangedError: they are not there any more, or are others.
            DatasetError: the record has no content.
            StorageError: the source's place is not known.
        """
        if not record.content:
            raise DatasetError(f"Record {record.id!r} has no content.", remedy="Read records that have one.")
        found = self._contents.read(record.location)
        if not isinstance(found, bytes) or digest(found) != record.content:
            was = "are others now" if isinstance(found, bytes) else f"cannot be read ({found.value})"
            raise DatasetChangedError(
                f"The bytes of record {record.id!r} at {record.location} {was}: they were {record.content}.",
                remedy="Restore the dataset's files, or audit the dataset again.",
            )
        return found

    @cached_property
    def _contents(self) -> Contents:
        path = self.folder / SOURCE_FILE
        try:
            return Contents(str(json.loads(_read(path))["root"]))
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(f"{path} cannot be read: {error}.", remedy=_AUDIT_AGAIN) from error

    def contains(self, content: Digest | str) -> bool:
        """Whether these exact bytes, by their SHA-256, are among the leaves. What can be shown of it is `prove`'s.

        Raises:
            DatasetError: it is no digest.
            DatasetChangedError: it was not found, and the list is not sorted: it may be there all the same.
        """
        return self._find(content).there

    def check_order(self) -> None:
        """Look once whether all digests strictly increase: about 20 ms a million. Without that nothing is absent.

        Raises:
            DatasetChangedError: they do not.
        """
        if self._disorder is not None:
            raise DatasetChangedError(
                f"The content at {self._disorder} of the dataset {self.name!r} does not stand behind the one before: "
                "nothing can be said to be absent.",
                remedy=_AUDIT_AGAIN,
            )

    @cached_property
    def _disorder(self) -> int | None:
        return self.leaves.disorder()

    def _find(self, content: Digest | str) -> Place:
        """Where a content stands; the order is looked at before it is said that it stands nowhere."""
        place = self.leaves.find(content)
        if not place.there:
            self.check_order()
        return place

    def records_of(self, content: Digest | str) -> list[DatasetRecord]:
        """The records of a content, compared with its leaf; none where it is not there.

        Raises:
            DatasetChangedError: they were changed since the audit.
            DatasetError: it is no digest.
        """
        place = self._find(content)
        if not place.there:
            return []
        records = self.records_file.of(content)
        self.check_leaf(place.index, Digest(content), records)
        return records

    def prove(self, content: Digest | str, disclose: Sequence[str] = ()) -> DatasetProof:
        """The proof that a content is in the signed list, or is not; of its records the fields `disclose` in the clear.

        Raises:
            DatasetChangedError: what is on disk is not what was signed.
            DatasetError: it is no digest, a field is no personal one, or all that is to be disclosed was erased.
            LedgerError: the ledger cannot be read.
        """
        place = self._find(content)
        found = self._presence(place.index, disclose) if place.there else self._absence(Digest(content), place.index)
        receipt = self._ledger.receipt(self.standing.audited.id)
        proof = DatasetProof(self.name, bytes.fromhex(self.standing.root), self.standing.contents, receipt, found)
        try:
            check_found(proof)
        except ProofError as error:
            raise DatasetChangedError(f"No proof can be made: {error}", remedy=_AUDIT_AGAIN) from error
        return proof

    def near(self, pdq: bytes, most: int = MOST_FOUND) -> list[Near]:
        """The contents whose pictures are within 31 of 256 bits of this PDQ hash (32 bytes), nearest first, at most `most`.

        None is missed. PDQ ignores colours, and is blind to crops and turns.

        Raises:
            DatasetError: it has another length, or no picture of this dataset was hashed.
        """
        if self._hashes is None:
            raise DatasetError(
                f"No picture of the dataset {self.name!r} was looked at.", remedy="Audit it with --look."
            )
        places, distances = self._hashes.within(pdq)
        pairs = list(zip(places[:most].tolist(), distances[:most].tolist(), strict=True))
        return [Near(self.leaves.content(index), index, distance) for index, distance in pairs]

    def alike(self, embedding: NDArray[np.float32], most: int = MOST_FOUND, *, model: Digest | str = "") -> list[Alike]:
        """The contents whose embeddings are nearest to this unit vector by cosine, best first, at most `most`.

        Among many, the nearest are looked for and not all compared: one can be missed. `model` is the digest of the model
        that made the vector, where it is known.

        Raises:
            DatasetError: it has another width or another model made it, or no content of this dataset was embedded.
        """
        if self._vectors is None:
            raise DatasetError(
                f"No picture of the dataset {self.name!r} was embedded.",
                remedy="Audit it with the `similarity` detector in force.",
            )
        if model and self._vectors.model and model != self._vectors.model:
            raise DatasetError(
                f"The pictures of the dataset {self.name!r} were embedded by another model.",
                remedy="Set `embedding` as it was for the audit, or audit the dataset again.",
            )
        places, cosines = self._vectors.nearest(np.asarray(embedding, np.float32), most)
        pairs = zip(places.tolist(), np.rint(cosines * 1000).astype(int).tolist(), strict=True)
        return [Alike(self.leaves.content(index), index, thousandths) for index, thousandths in pairs]

    @property
    def embedded(self) -> bool:
        """Whether `alike` can be asked."""
        return self._vectors is not None

    @property
    def hashed(self) -> bool:
        """Whether `near` can be asked."""
        return self._hashes is not None

    @cached_property
    def _hashes(self) -> OpenHashes | None:
        path = self.folder / PDQ_FILE
        return OpenHashes(path) if path.exists() else None

    @cached_property
    def _vectors(self) -> OpenVectors | None:
        path = self.folder / VECTORS_FILE
        return OpenVectors(path) if path.exists() else None

    def _presence(self, index: int, disclose: Sequence[str]) -> Presence:
        content = self.leaves.content(index)
        records = self.records_of(content)
        opened = [
            disclosed(record, name, self.salts, place=place)
            for place, record in enumerate(self._in_order(records))
            for name in dict.fromkeys(disclose)
            if not (isinstance(record, SealedRecord) and record.erased)
        ]
        if disclose and not opened:
            raise DatasetError(
                f"What is personal of the records of {content} was erased.", remedy="Prove it and disclose nothing."
            )
        committed = [committed_record(record, self.salts) for record in self._in_order(records)]
        return Presence(content, tuple(committed), index, self.leaves.prove(index), tuple(opened))

    def _in_order(self, records: Sequence[DatasetRecord]) -> list[DatasetRecord]:
        """Records in the order in which a leaf commits to them."""
        return sorted(records, key=lambda record: order_of(committed_record(record, self.salts)))

    def _absence(self, content: Digest, index: int) -> Absence:
        left = self._neighbour(index - 1) if index else None
        right = self._neighbour(index) if index < self.leaves.size else None
        return Absence(content, left, right)

    def _neighbour(self, index: int) -> Neighbour:
        return Neighbour(self.leaves.content(index), self.leaves.records_digest(index), index, self.leaves.prove(index))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}.", remedy=_AUDIT_AGAIN) from error
