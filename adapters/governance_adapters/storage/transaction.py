"""One write transaction: records gathered, then written together under one checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert

from governance.canonical import canonical_bytes
from governance.entries import Receipt, Record
from governance.merkle import leaf_hash
from governance.records import asset_digest, check_succession, checked_leaf
from governance_adapters.storage import erasing, hold_rows, reader
from governance_adapters.storage.guards import guard
from governance_adapters.storage.numbering import Numbering, Waiting
from governance_adapters.storage.postings import Indexed, index, load, rebuild
from governance_adapters.storage.tables import DOCUMENT, ENTRY, MARK, PERSONAL_FIELD
from governance_adapters.storage.tree import Log, Sealed
from governance_adapters.storage.upserts import Upsert
from governance_adapters.storage.usage import Tally

_KEEP_DOCUMENT = Upsert(DOCUMENT, ("digest",))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record that was checked and encoded in its caller's thread, so that the writer only writes."""

    record: Record
    leaf: bytes
    hash: bytes
    indexed: Indexed | None

    @classmethod
    def of(cls, record: Record) -> Prepared:
        """Check and encode.

        Raises:
            LedgerError: the record does not fit its entry.
        """
        leaf = checked_leaf(record)
        return cls(record, leaf, leaf_hash(leaf), Indexed.of_record(record))

    def row(self, seq: int | None = None) -> dict[str, Any]:
        """The entry's row; without `seq` where it waits for one."""
        entry = self.record.entry
        return {
            **({} if seq is None else {"seq": seq}),
            "id": entry.id,
            "kind": entry.kind.value,
            "subject": entry.subject,
            "time": entry.time,
            "asset_digest": asset_digest(entry),
            "leaf": self.leaf,
        }


class Transaction:
    """What happens between one BEGIN and its COMMIT."""

    def __init__(self, connection: Connection, log: Log, numbering: Numbering) -> None:
        self.connection = connection
        self._log = log
        self._numbering = numbering
        self._added: list[Prepared] = []
        self._tally = Tally(connection)

    @property
    def count(self) -> int:
        """How many records were added."""
        return len(self._added)

    @property
    def entry_ids(self) -> Sequence[str]:
        """The ids of the entries that were added, in order."""
        return [each.record.entry.id for each in self._added]

    def add(self, prepared: Prepared) -> int:
        """Append at the end of this transaction; returns the position among what it adds.

        Raises:
            BudgetError: the record would spend more than is left of its principal's day; nothing of it was added.
            HoldChangedError: its hold is not the next version of what stands there; nothing of it was added.
            ErasureError: what it erases may not be erased, or not now; nothing of it was added.
            SQLAlchemyError: the database cannot be read or written.
        """
        record = prepared.record
        if record.hold is not None:
            check_succession(hold_rows.guarded_hold(self.connection, record.hold.id), record.hold)
        if record.erasures or record.legal_hold is not None:  # it checks everything before it changes anything
            erasing.apply(self.connection, record)
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

    def seal(self) -> Sequence[Receipt] | None:
        """Write everything and sign; returns one receipt per record, in order.

        None where another transaction gives out indices just now: once this one commits, its records are durable and
        wait for `number`.

        Raises:
            LedgerError: the log's tip does not verify.
            SQLAlchemyError: the database refuses; the caller rolls back.
        """
        if not self._added:
            return ()
        if not self._numbering.claim(self.connection, wait=False):
            self._numbering.insert(self.connection, [each.row() for each in self._added])
            self._write_beside()
            return None
        first, before = self._number_waiting()
        self.connection.execute(insert(ENTRY), [each.row(first + at) for at, each in enumerate(self._added)])
        self._write_beside()
        sealed = self._sealed(first, before, self._added)
        return [
            Receipt(each.leaf, first + at, sealed.size, proof, sealed.note)
            for at, (each, proof) in enumerate(zip(self._added, sealed.proofs[len(before) :], strict=True))
        ]

    def number(self, wanted: Sequence[str] = ()) -> int:
        """Number a batch of what waits, whoever wrote it; others that would number wait until this transaction ends.

        Returns how many that were: less than a whole batch, and nothing waits of what was there before.

        With `wanted`, nothing is done where these entries have their index by then: what came since, its own writers
        number, together. So of many writers that wait, one does the work of all.

        Raises:
            LedgerError: the log's tip does not verify, or something waits that no holder of the log's key wrote.
            SQLAlchemyError: the database refuses, or others kept the right to number too long.
        """
        self._numbering.claim(self.connection, wait=True)
        if (wanted and reader.numbered(self.connection, wanted)) or not self._numbering.unnumbered(self.connection):
            return 0
        first, before = self._number_waiting()
        self._sealed(first, before, ())
        return len(before)

    def reindex(self) -> int:
        """Make the index anew from every entry that has one in the log; returns how many. Nobody gives out any meanwhile.

        Raises:
            SQLAlchemyError: the database refuses, or others kept the right to number too long.
        """
        self._numbering.claim(self.connection, wait=True)
        guard(self.connection, erasing.GUARD)  # nor is anything erased meanwhile, which a term could outlive
        return rebuild(self.connection)

    def _number_waiting(self) -> tuple[int, Sequence[Waiting]]:
        """Number what waits; returns the index behind it, and what it was."""
        waiting = self._numbering.waiting(self.connection)
        first = self._log.tip(self.connection)
        self._numbering.number(self.connection, first, waiting)
        return first + len(waiting), waiting

    def _sealed(self, first: int, before: Sequence[Waiting], added: Sequence[Prepared]) -> Sealed:
        """Extend the tree by what waited before index `first`, and what was added from there on; both are found then."""
        unread = [(first - len(before) + at, each.leaf) for at, each in enumerate(before)]
        unread += [(first + at, each.leaf) for at, each in enumerate(added) if each.indexed is None]
        read = [(first + at, each.indexed) for at, each in enumerate(added) if each.indexed is not None]
        index(self.connection, [*load(self.connection, unread), *read])
        hashes = [*(leaf_hash(each.leaf) for each in before), *(each.hash for each in added)]
        return self._log.seal(self.connection, first - len(before), hashes)

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
        # In one order everywhere: of two transactions that write the same documents neither waits for the other's.
        _KEEP_DOCUMENT.run(
            self.connection, [{"digest": name, "content": documents[name]} for name in sorted(documents)]
        )
        if marks:
            self.connection.execute(insert(MARK), marks)
        erasing.keep_due(self.connection, [record.entry for record in records])
        self._tally.write()
