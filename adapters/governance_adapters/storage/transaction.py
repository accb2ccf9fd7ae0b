"""One write transaction: records gathered, then written together under one checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert
from sqlalchemy.dialects.sqlite import insert as insert_or_keep

from governance.canonical import canonical_bytes
from governance.entries import Receipt, Record
from governance.merkle import leaf_hash
from governance.records import asset_digest, check_succession, checked_leaf
from governance_adapters.storage import hold_rows
from governance_adapters.storage.tables import DOCUMENT, ENTRY, MARK, PERSONAL_FIELD
from governance_adapters.storage.tree import Log
from governance_adapters.storage.usage import Tally


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record that was checked and encoded in its caller's thread, so that the writer only writes."""

    record: Record
    leaf: bytes
    hash: bytes

    @classmethod
    def of(cls, record: Record) -> Prepared:
        """Check and encode.

        Raises:
            LedgerError: the record does not fit its entry.
        """
        leaf = checked_leaf(record)
        return cls(record, leaf, leaf_hash(leaf))

    def row(self, seq: int) -> dict[str, object]:
        """The entry's row."""
        entry = self.record.entry
        return {
            "seq": seq,
            "id": entry.id,
            "kind": entry.kind.value,
            "subject": entry.subject,
            "time": entry.time,
            "asset_digest": asset_digest(entry),
            "leaf": self.leaf,
        }


class Transaction:
    """What happens between one BEGIN IMMEDIATE and its COMMIT."""

    def __init__(self, connection: Connection, log: Log) -> None:
        self.connection = connection
        self._log = log
        self._added: list[Prepared] = []
        self._tally = Tally(connection)

    @property
    def count(self) -> int:
        """How many records were added."""
        return len(self._added)

    def add(self, prepared: Prepared) -> int:
        """Append at the end of this transaction; returns the position among what it adds.

        Raises:
            BudgetError: the record would spend more than is left of its principal's day; nothing of it was added.
            HoldChangedError: its hold is not the next version of what stands there; nothing of it was added.
            SQLAlchemyError: the database cannot be read or written.
        """
        record = prepared.record
        if record.hold is not None:
            check_succession(hold_rows.hold(self.connection, record.hold.id), record.hold)
        if record.spending is not None:
            self._tally.charge(record.spending)
        if record.hold is not None:  # at once, so that whatever follows in this transaction sees it
            hold_rows.write(self.connection, record.hold, record.entry.id)
        self._added.append(prepared)
        return len(self._added) - 1

    def truncate(self, count: int) -> None:
        """Take back all but the first `count` records; what the others wrote at once, a savepoint takes back."""
        del self._added[count:]
        self._tally = Tally(self.connection)
        for prepared in self._added:
            if prepared.record.spending is not None:
                self._tally.charge(prepared.record.spending)

    def seal(self) -> Sequence[Receipt]:
        """Write everything and sign; returns one receipt per record, in order.

        Raises:
            LedgerError: the log's tip does not verify.
            SQLAlchemyError: the database refuses; the caller rolls back.
        """
        if not self._added:
            return ()
        first = self._log.tip(self.connection)
        self.connection.execute(insert(ENTRY), [each.row(first + at) for at, each in enumerate(self._added)])
        self._write_beside()
        sealed = self._log.seal(self.connection, first, [each.hash for each in self._added])
        return [
            Receipt(each.leaf, first + at, sealed.size, proof, sealed.note)
            for at, (each, proof) in enumerate(zip(self._added, sealed.proofs, strict=True))
        ]

    def _write_beside(self) -> None:
        records = [each.record for each in self._added]
        fields = [
            {"entry_id": record.entry.id, "name": f.name, "salt": f.salt, "value": canonical_bytes(f.value)}
            for record in records
            for f in record.fields
        ]
        documents = {d.digest: d.content for record in records for d in record.documents}
        marks = [
            {
                "algorithm": mark.algorithm,
                "key_id": mark.key_id,
                "mark_id": mark.mark_id,
                "asset_id": mark.asset_id,
                "asset_digest": mark.asset_digest,
                "pdq": mark.fingerprint.pdq,
                "quality": mark.fingerprint.quality,
                "grid": mark.fingerprint.grid,
            }
            for record in records
            if (mark := record.mark) is not None
        ]
        if fields:
            self.connection.execute(insert(PERSONAL_FIELD), fields)
        if documents:
            rows = [{"digest": name, "content": content} for name, content in documents.items()]
            self.connection.execute(insert_or_keep(DOCUMENT).on_conflict_do_nothing(), rows)
        if marks:
            self.connection.execute(insert(MARK), marks)
        self._tally.write()
