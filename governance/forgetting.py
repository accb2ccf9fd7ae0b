"""Erasing: a person, a generation, what is past its time, and once more what a restored backup brought back.

Each step is safe to repeat. The `erased` entry comes first, and the ledger takes away what it lists in the same
transaction, unless a legal hold forbids it. Then the files and drafts that it names are destroyed, and last its receipt
goes into the erasure log. So an entry that is not in the log is an erasure that a crash interrupted, and whoever erases
next completes it. Within a generation the newest entry goes first: what shows whose all of it is stands in the oldest, so
that whoever begins again still finds the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from governance.checkpoint import LogKey, verify_receipt
from governance.datasets.erased_rows import AuditRecords, RowsFound, rows_erased
from governance.entries import Entry, EntryKind, ErasedPart, HoldState, Receipt
from governance.erasure import (
    ASSET,
    HOLD,
    MAX_PARTS_BYTES,
    Basis,
    ErasureOrder,
    checked_reference,
    chunks,
    erased_parts,
    erased_record,
    rows_named,
)
from governance.errors import ErasureError, HoldChangedError, LedgerError, ReviewError, StorageError
from governance.forgettable import DECIDABLE, Forgettable
from governance.forgotten import ErasureReport, Kept, Target, Told
from governance.hold_bodies import expired_record
from governance.holds import NO_LEASE, hold_named
from governance.ports import ErasureLog, Ledger, Quarantine, Vault
from governance.records import asset_digest
from governance.types import new_id, utc_now

_PAGE: Final = 500
_LOOKS: Final = 8
"""How often to look again for what was written meanwhile."""


class Eraser:
    """Erases beside the entries of a ledger, in vault and quarantine, and in `audits` of datasets. As thread-safe as its parts.

    Whatever is erased raises LedgerError or StorageError where a part cannot be read or written: what was begun is then
    completed by the next call of any method that erases.
    """

    def __init__(
        self,
        ledger: Ledger,
        vault: Vault,
        quarantine: Quarantine,
        log: ErasureLog,
        log_key: LogKey,
        *,
        audits: AuditRecords | None = None,
        clock: Callable[[], str] = utc_now,
    ) -> None:
        self.audits = audits
        self.ledger, self.vault, self.quarantine, self.log = ledger, vault, quarantine, log
        self._found = Forgettable(ledger, quarantine)
        self._log_key = log_key
        self._clock = clock

    def person(
        self, principal_id: str, order: ErasureOrder, *, files: bool = False, dry_run: bool = False
    ) -> ErasureReport:
        """Erase everything that is `principal_id`'s: what they asked for, and their name in what they did.

        With `files` also the released files and their marks. With `dry_run` nothing is erased, and the report says what
        would be.

        Raises:
            ErasureError: the person is who orders it, or keeps making new requests meanwhile; or the reference cannot be
                kept.
        """
        _refuse_themselves(principal_id, order)
        told = self._begun(order, dry_run=dry_run)
        if not dry_run:
            self._give_back(principal_id)
        for _ in range(_LOOKS):
            found = self._erase(self._found.of_person(principal_id, told.kept, files=files), order, told)
            if dry_run or not found:
                return self._ended(told)
        raise ErasureError(
            "More is written about this person all the time.", remedy="Keep them from asking, then erase again."
        )

    def subject(
        self, subject: str, order: ErasureOrder, *, files: bool = False, dry_run: bool = False
    ) -> ErasureReport:
        """Erase everything personal beside the entries of one generation, or of whatever else entries are about.

        With `files` also the released files and their marks; `dry_run` as in `person`.

        Raises:
            ErasureError: no entry is about it, or more is written about it all the time; or the reference cannot be kept.
        """
        told = self._begun(order, dry_run=dry_run)
        for _ in range(_LOOKS):
            target = self._found.of_subject(subject, files=files)
            if target is None:
                raise ErasureError(f"No entry is about {subject!r}.", remedy="Check the id; `governance ledger list`.")
            if subject in told.kept or not self._erase([target], order, told) or dry_run:
                return self._ended(told)
        raise ErasureError(
            f"More is written about {subject} all the time.", remedy="Wait until it is decided, then erase again."
        )

    def records(
        self, found: Iterable[RowsFound], order: ErasureOrder, *, person: str = "", dry_run: bool = False
    ) -> ErasureReport:
        """Erase what is personal of these records of audits. `person` is whose they are, where it is one person that asks.

        Raises:
            ErasureError: the person is who orders it, or the reference cannot be kept.
            DatasetError: the files of an audit are damaged.
        """
        _refuse_themselves(person, order)
        told = self._begun(order, dry_run=dry_run)
        self._erase(self._found.of_records(found), order, told)
        return self._ended(told)

    def retain(self, now: str, order: ErasureOrder, *, dry_run: bool = False) -> ErasureReport:
        """Erase what is past its time at `now` (RFC 3339 in UTC): all that is personal, the released files, their marks.

        What a legal hold keeps is due again when it is lifted.

        Raises:
            ErasureError: the reference cannot be kept.
        """
        told = self._begun(order, dry_run=dry_run)
        self._erase(self._found.due(datetime.fromisoformat(now)), order, told)
        return self._ended(told)

    def replay(self, order: ErasureOrder) -> ErasureReport:
        """Erase again what the erasure log lists and a restored ledger, vault or quarantine has again.

        Nobody has a lease after that. Doing it again changes nothing more. What a legal hold of the restored ledger keeps,
        with its files and drafts, is left alone and reported.

        Raises:
            ProofError: a line of the log is no receipt of this log for an `erased` entry.
            ErasureError: the reference cannot be kept.
        """
        logged = [self._verified(receipt) for receipt in self.log.receipts()]
        told = self._begun(order, dry_run=False)
        self._give_back(None)
        for entry in logged:
            again = replace(order, basis=Basis.REPLAY, original=entry.id)
            self._erase(self._found.listed(entry), again, told)
            self._destroy(entry)
        return self._ended(told)

    def settle(self) -> int:
        """Complete what a crash interrupted; returns how many erasures that were."""
        unlogged = self.unfinished()
        for entry in unlogged:
            self._complete(self.ledger.receipt(entry.id))
        return len(unlogged)

    def unfinished(self) -> Sequence[Entry]:
        """The `erased` entries that the erasure log lacks: what they list may not be destroyed everywhere yet."""
        logged = {receipt.entry.id for receipt in self.log.receipts()}
        return [entry for entry in self._of_kind(EntryKind.ERASED) if entry.id not in logged]

    def _begun(self, order: ErasureOrder, *, dry_run: bool) -> Told:
        checked_reference(order.reference)
        if not dry_run:
            self.settle()
        return Told(new_id(), dry_run=dry_run)

    def _ended(self, told: Told) -> ErasureReport:
        if not told.dry_run:  # also where nothing was erased: a crash may have come before this
            self.ledger.purge()
        return told.report()

    def _erase(self, targets: Iterable[Target], order: ErasureOrder, told: Told) -> bool:
        """Erase `targets`, as many at once as one entry can list; says whether there was anything to erase."""
        waiting: list[Target] = []
        size, found = 0, False
        for target in targets:
            if not target.parts:
                continue
            found = True
            hold = self._found.legal_hold(target)
            if hold is not None:
                told.keep(Kept(target.subject, f"legal hold {hold.id}", legal_hold=hold.id))
                continue
            if waiting and size + target.size > MAX_PARTS_BYTES:
                self._flush(waiting, order, told)
                waiting, size = [], 0
            waiting.append(target)
            size += target.size
        self._flush(waiting, order, told)
        return found

    def _flush(self, targets: Sequence[Target], order: ErasureOrder, told: Told) -> None:
        """Erase `targets`; where one of them may not be erased, that one is kept and the others go."""
        if told.dry_run or not targets:
            told.count(targets)
            return
        try:
            for piece in chunks([part for target in targets for part in target.parts]):
                self._append(piece, order, told)
            told.count(targets)
        except ErasureError as error:
            if len(targets) == 1:
                told.keep(Kept(targets[0].subject, str(error)))
                return
            for target in targets:
                self._flush([target], order, told)

    def _append(self, parts: Sequence[ErasedPart], order: ErasureOrder, told: Told) -> None:
        record = erased_record(told.act, parts, order)
        receipt = self.ledger.append(record)
        if verify_receipt(receipt, self._log_key) != record.entry:
            raise LedgerError(
                f"The ledger answered with a receipt for another entry than {record.entry.id}.",
                remedy="Run `governance ledger verify`.",
            )
        self._complete(receipt)
        told.entries.append(record.entry.id)

    def _complete(self, receipt: Receipt) -> None:
        """What follows once an `erased` entry is durable; doing it again changes nothing more."""
        self._destroy(self._verified(receipt))
        self.log.append(receipt)

    def _destroy(self, erased: Entry) -> None:
        """Destroy files and drafts that the entry lists, and end the holds of the drafts.

        Only what this ledger, too, says is erased: of a restored one, a legal hold may keep what was erased before.
        """
        for audited in {part.entry_id: None for part in erased_parts(erased) if rows_named(part.name)}:
            self._destroy_records(audited)
        for part in erased_parts(erased):
            if part.name not in (ASSET, HOLD) or part.name not in self.ledger.erasures(part.entry_id):
                continue
            entry = self.ledger.entry(part.entry_id)
            content, hold_id = asset_digest(entry), hold_named(entry)
            if part.name == ASSET and content is not None and not self._found.other_releases(entry.id):
                self.vault.erase(content)
            if part.name == HOLD and hold_id is not None:
                self._end_hold(hold_id, erased.id)

    def _destroy_records(self, audited: str) -> None:
        rows = rows_erased(self.ledger.erasures(audited))
        if not rows:  # of a restored ledger, a legal hold may keep what was erased before
            return
        if self.audits is None:
            raise StorageError(
                f"Records of the audit of entry {audited} are erased, and where its files are is not known.",
                remedy="Give the eraser the audits of datasets.",
            )
        self.audits.erase(self.ledger.entry(audited), rows)

    def _end_hold(self, hold_id: str, erasure: str) -> None:
        while (record := self.ledger.hold(hold_id)) is not None and record.state in DECIDABLE:
            after = replace(record, state=HoldState.EXPIRED, version=record.version + 1, **NO_LEASE)
            with suppress(HoldChangedError):  # somebody changed it just now: look again
                self.ledger.append(expired_record(after, self._clock(), erasure))
        self.quarantine.destroy(hold_id)

    def _give_back(self, person: str | None) -> None:
        """End the leases of `person`, or all of them."""
        after, now = "", self._clock()
        while page := self.ledger.holds(state=HoldState.OPEN, after=after, limit=_PAGE):
            after = page[-1].id
            for hold in page:
                if hold.holder and person in (None, hold.holder):
                    with suppress(ReviewError):  # decided, or leased by another, just now
                        self.ledger.lease(hold.id, hold.holder, now, now=now)

    def _of_kind(self, kind: EntryKind) -> Iterator[Entry]:
        after = -1
        while page := self.ledger.entries(kind=kind, after=after, limit=_PAGE):
            after = page[-1][0]
            yield from (entry for _, entry in page)

    def _verified(self, receipt: Receipt) -> Entry:
        entry = verify_receipt(receipt, self._log_key)
        if entry.kind is not EntryKind.ERASED:
            raise LedgerError(
                f"Entry {entry.id} erases nothing, and the erasure log lists it.",
                remedy="Restore the erasure log from a copy.",
            )
        return entry


def _refuse_themselves(person: str, order: ErasureOrder) -> None:
    if order.by is not None and order.by.id == person:
        raise ErasureError(
            "Nobody can erase themselves: the entry about it would name them again.",
            remedy="Let somebody else do it.",
        )
