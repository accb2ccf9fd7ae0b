"""`FakeLedger`: the port `Ledger` in memory, with a real tree, real checkpoints and receipts that verify."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from governance.alike import nearest
from governance.canonical import Digest
from governance.checkpoint import LogKey, LogSigner, verify_checkpoint
from governance.entries import (
    Attempt,
    Entry,
    EntryKind,
    HoldRecord,
    HoldState,
    LegalHoldRecord,
    MarkRecord,
    PersonalField,
    Receipt,
    Record,
    Recorded,
)
from governance.erasure import WATERMARK
from governance.errors import ConflictError, InProgressError, LedgerError, NoEntryError
from governance.holds import leased
from governance.lineage.releases import Release
from governance.merkle import EMPTY_ROOT, TileId, Tree, leaf_hash
from governance.records import (
    ClaimState,
    asset_digest,
    charged,
    check_span,
    check_succession,
    checked_leaf,
    claim_key,
    close_claim,
)
from governance.search import Query, Rollup, SearchPage, check_page
from governance.testing.fake_erasing import FakeErasing
from governance.testing.fake_search import count_records, released_records, search_records
from governance.types import Fingerprint, Usage

_NOBODY = object()
"""The owner of a claim that was let go of."""


@dataclass
class _Claim:
    facts: Digest
    attempt: int
    generation_id: str
    owner: object
    state: ClaimState = ClaimState.OPEN


@dataclass
class _Store:
    """What outlives a process."""

    signer: LogSigner
    note: str
    lock: threading.RLock = field(default_factory=threading.RLock)
    records: list[Record] = field(default_factory=list)
    indices: dict[str, int] = field(default_factory=dict)
    tiles: dict[TileId, bytes] = field(default_factory=dict)
    claims: dict[Digest, _Claim] = field(default_factory=dict)
    marks: dict[tuple[str, str, int], MarkRecord] = field(default_factory=dict)
    counters: dict[tuple[str, str], int] = field(default_factory=dict)
    usage: dict[tuple[str, str], Usage] = field(default_factory=dict)
    holds: dict[str, HoldRecord] = field(default_factory=dict)
    vanished: list[object] = field(default_factory=list)
    erasing: FakeErasing = field(init=False)

    def __post_init__(self) -> None:
        self.erasing = FakeErasing(self.records, self.indices, self.claims, self.marks, self.usage, self.holds)

    def tree(self) -> Tree:
        return Tree(len(self.records), lambda level, number: self.tiles.get((level, number), b""))


class FakeLedger:
    """A ledger in memory.

    `refuse`: what an append raises instead of writing, by its number (from 1) or by the kind of its entry.
    `interrupt`: likewise, but raised after the entry is durable, as Ctrl-C may be. `errors`: what a method raises
    whenever it is called, by its name. All three may be changed while the ledger is in use. `successor()` is the ledger
    as the next process sees it, after this one vanished.
    """

    def __init__(
        self,
        signer: LogSigner | None = None,
        *,
        refuse: Mapping[int | EntryKind, BaseException] | None = None,
        interrupt: Mapping[int | EntryKind, BaseException] | None = None,
        errors: Mapping[str, BaseException] | None = None,
    ) -> None:
        signer = signer or LogSigner.generate("ledger.example.org/fake")
        self._store = _Store(signer, signer.sign_checkpoint(0, EMPTY_ROOT))
        self._owner = object()
        self.refuse = dict(refuse or {})
        self.interrupt = dict(interrupt or {})
        self.errors = dict(errors or {})
        self.appends = 0

    @property
    def key(self) -> LogKey:
        """The public key that receipts verify with."""
        return self._store.signer.key

    @property
    def records(self) -> Sequence[Record]:
        """Everything that was appended, in order."""
        return tuple(self._store.records)

    def successor(self) -> FakeLedger:
        """The same ledger in another process; this one's is gone, and whatever it claimed with it."""
        successor = FakeLedger(self._store.signer)
        successor._store = self._store
        self._store.vanished.append(self._owner)
        return successor

    def begin(self, principal_id: str, request_id: str, facts_digest: Digest, generation_id: str) -> Attempt | Recorded:
        """See `Ledger.begin`."""
        self._fail("begin")
        store, key = self._store, claim_key(principal_id, request_id)
        with store.lock:
            claim = store.claims.get(key)
            if claim is not None and claim.facts != facts_digest:
                raise ConflictError("This request id was used for something else.", remedy="Use a fresh request id.")
            if claim is not None and claim.state is ClaimState.OPEN:
                if claim.owner is not _NOBODY and claim.owner not in store.vanished:
                    raise InProgressError("This request is running now.", remedy="Wait for it.")
                self._close(claim)
            if claim is not None and claim.state is ClaimState.FINISHED:
                return Recorded(claim.attempt, claim.generation_id)
            number = 1 if claim is None else claim.attempt + 1
            store.claims[key] = _Claim(facts_digest, number, generation_id, self._owner)
            return Attempt(number, generation_id)

    def finish(self, generation_id: str, *, repeatable: bool) -> None:
        """See `Ledger.finish`."""
        self._fail("finish")
        state = ClaimState.REPEATABLE if repeatable else ClaimState.FINISHED
        with self._store.lock:
            claim = next((c for c in self._store.claims.values() if c.generation_id == generation_id), None)
            if claim is None or claim.state not in (ClaimState.OPEN, state):
                raise LedgerError(f"Generation {generation_id} has no open claim.", remedy="Begin it first.")
            claim.state = state

    def let_go(self, generation_id: str) -> None:
        """See `Ledger.let_go`."""
        with self._store.lock:
            for claim in self._store.claims.values():
                if claim.generation_id == generation_id and claim.owner is self._owner:
                    claim.owner = _NOBODY

    def append(self, record: Record) -> Receipt:
        """See `Ledger.append`."""
        self._fail("append")
        leaf = checked_leaf(record)
        with self._store.lock:
            self.appends += 1
            for reason in (self.appends, record.entry.kind):
                if reason in self.refuse:
                    raise self.refuse[reason]
            receipt = self._write(record, leaf)
            for reason in (self.appends, record.entry.kind):
                if reason in self.interrupt:
                    raise self.interrupt[reason]
            return receipt

    def usage(self, principal_id: str, day: str) -> Usage:
        """See `Ledger.usage`."""
        self._fail("usage")
        return self._store.usage.get((principal_id, day), Usage())

    def hold(self, hold_id: str) -> HoldRecord | None:
        """See `Ledger.hold`."""
        self._fail("hold")
        return self._store.holds.get(hold_id)

    def holds(
        self, *, state: HoldState | None = None, queue: str | None = None, after: str = "", limit: int = 100
    ) -> Sequence[HoldRecord]:
        """See `Ledger.holds`."""
        self._fail("holds")
        if limit < 1:
            raise LedgerError(f"A page of {limit} holds is no page.", remedy="Ask for at least one.")
        with self._store.lock:
            found = [
                hold
                for hold_id, hold in sorted(self._store.holds.items())
                if hold_id > after and state in (None, hold.state) and queue in (None, hold.queue)
            ]
        return found[:limit]

    def approved_hold(self, request: Digest) -> HoldRecord | None:
        """See `Ledger.approved_hold`."""
        self._fail("approved_hold")
        with self._store.lock:
            holds = sorted(self._store.holds.values(), key=lambda hold: hold.id, reverse=True)
        return next((hold for hold in holds if hold.request == request and hold.state is HoldState.APPROVED), None)

    def lease(self, hold_id: str, holder: str, until: str, *, now: str) -> HoldRecord:
        """See `Ledger.lease`."""
        self._fail("lease")
        with self._store.lock:
            held = leased(self._store.holds.get(hold_id), hold_id, holder, until, now=now)
            self._store.holds[hold_id] = held
            return held

    def reopen(self, generation_id: str) -> None:
        """See `Ledger.reopen`."""
        self._fail("reopen")
        with self._store.lock:
            claim = next((c for c in self._store.claims.values() if c.generation_id == generation_id), None)
            if claim is None or claim.state is ClaimState.OPEN:
                raise LedgerError(f"Generation {generation_id} has no finished claim.", remedy="Ask again later.")
            claim.state = ClaimState.REPEATABLE

    def next_mark(self, algorithm: str, key_id: str, bits: int) -> int:
        """See `Ledger.next_mark`."""
        self._fail("next_mark")
        with self._store.lock:
            counter = self._store.counters.get((algorithm, key_id), 0)
            if counter >> bits:
                raise LedgerError(f"All watermark ids of {bits} bits are used.", remedy="Make a new watermark key.")
            self._store.counters[algorithm, key_id] = counter + 1
            return counter

    def recover(self) -> Sequence[Entry]:
        """See `Ledger.recover`."""
        self._fail("recover")
        store = self._store
        with store.lock:
            left = [c for c in store.claims.values() if c.state is ClaimState.OPEN and c.owner in store.vanished]
            closed = [self._close(claim) for claim in sorted(left, key=lambda claim: claim.generation_id)]
        return [entry for entry in closed if entry is not None]

    def open_claims(self) -> int:
        """See `Ledger.open_claims`."""
        self._fail("open_claims")
        with self._store.lock:
            return sum(claim.state is ClaimState.OPEN for claim in self._store.claims.values())

    def entry(self, entry_id: str) -> Entry:
        """See `Ledger.entry`."""
        self._fail("entry")
        return self._record(entry_id).entry

    def entries(
        self, *, after: int = -1, limit: int = 100, subject: str | None = None, kind: EntryKind | None = None
    ) -> Sequence[tuple[int, Entry]]:
        """See `Ledger.entries`."""
        self._fail("entries")
        if limit < 1:
            raise LedgerError(f"A page of {limit} entries is no page.", remedy="Ask for at least one.")
        found = [
            (index, record.entry)
            for index, record in enumerate(self._store.records)
            if index > after
            and (subject is None or record.entry.subject == subject)
            and (kind is None or record.entry.kind is kind)
        ]
        return found[:limit]

    def receipt(self, entry_id: str) -> Receipt:
        """See `Ledger.receipt`."""
        self._fail("receipt")
        with self._store.lock:
            record = self._record(entry_id)
            return self._receipt(self._store.indices[entry_id], record.entry.leaf())

    def find_mark(self, algorithm: str, key_id: str, mark_id: int) -> MarkRecord | None:
        """See `Ledger.find_mark`."""
        self._fail("find_mark")
        return self._store.marks.get((algorithm, key_id, mark_id))

    def find_asset(self, asset_digest: Digest) -> Entry | None:
        """See `Ledger.find_asset`."""
        self._fail("find_asset")
        return next((r.entry for r in self._store.records if _released(r) == asset_digest), None)

    def releases(self, asset_digest: Digest) -> Sequence[Entry]:
        """See `Ledger.releases`."""
        self._fail("releases")
        return [record.entry for record in self._store.records if _released(record) == asset_digest]

    def document(self, digest: Digest) -> bytes | None:
        """See `Ledger.document`."""
        self._fail("document")
        documents = (document for record in self._store.records for document in record.documents)
        return next((document.content for document in documents if document.digest == digest), None)

    def fields(self, entry_id: str) -> Sequence[PersonalField]:
        """See `Ledger.fields`."""
        self._fail("fields")
        held = self._store.indices.get(entry_id)
        return () if held is None else sorted(self._store.records[held].fields, key=lambda each: each.name)

    def subjects_of(self, person: str, *, after: str = "", limit: int = 100) -> Sequence[str]:
        """See `Ledger.subjects_of`."""
        self._fail("subjects_of")
        with self._store.lock:
            return self._store.erasing.subjects_of(person, after, limit)

    def erasures(self, entry_id: str) -> Mapping[str, str]:
        """See `Ledger.erasures`."""
        self._fail("erasures")
        return dict(sorted(self._store.erasing.erased.get(entry_id, {}).items()))

    def legal_holds(self, *, lifted: bool = False) -> Sequence[LegalHoldRecord]:
        """See `Ledger.legal_holds`."""
        self._fail("legal_holds")
        known = sorted(self._store.erasing.legal_holds.items())
        return [hold for _, hold in known if lifted or not hold.lifted_by]

    def due(self, day: str, *, after: tuple[str, str] = ("", ""), limit: int = 100) -> Sequence[tuple[str, str]]:
        """See `Ledger.due`."""
        self._fail("due")
        with self._store.lock:
            return self._store.erasing.due(day, after, limit)

    def purge(self) -> None:
        """See `Ledger.purge`: nothing deleted lingers in memory."""
        self._fail("purge")

    def checkpoint(self) -> str:
        """See `Ledger.checkpoint`."""
        self._fail("checkpoint")
        return self._store.note

    def tile(self, level: int, number: int) -> bytes:
        """See `Ledger.tile`."""
        self._fail("tile")
        return self._store.tiles.get((level, number), b"")

    def leaves(self, first: int, limit: int) -> Sequence[bytes]:
        """See `Ledger.leaves`."""
        self._fail("leaves")
        check_span(first, limit)
        return [record.entry.leaf() for record in self._store.records[first : first + limit]]

    def search(self, query: Query, *, after: int = -1, limit: int = 100) -> SearchPage:
        """See `Ledger.search`."""
        self._fail("search")
        return search_records(self.records, query, after, limit)

    def released_by(self, model: str, *, after: int = -1, limit: int = 1000) -> Sequence[tuple[int, Release]]:
        """See `Ledger.released_by`."""
        self._fail("released_by")
        return released_records(self.records, model, after, limit)

    def alike(self, fingerprint: Fingerprint, *, limit: int = 100) -> Sequence[MarkRecord]:
        """See `Ledger.alike`."""
        self._fail("alike")
        check_page(limit)
        return nearest(tuple(self._store.marks.values()), fingerprint.pdq, limit)

    def rollups(self, since: str, until: str) -> Sequence[Rollup]:
        """See `Ledger.rollups`."""
        self._fail("rollups")
        return count_records(self.records, since, until)

    def verify(self) -> Iterator[str]:
        """See `Ledger.verify`: the tree over the kept entries must be the signed one."""
        self._fail("verify")
        with self._store.lock:
            tree = Tree(0, lambda _level, _number: b"")
            tree.extend(leaf_hash(record.entry.leaf()) for record in self._store.records)
            checkpoint = verify_checkpoint(self._store.note, self.key)
            if (checkpoint.size, checkpoint.root) != (tree.size, tree.root()):
                yield "The entries are not those that the newest checkpoint covers."
            yield from self._store.erasing.missing(_kept_beside)

    def _fail(self, method: str) -> None:
        if method in self.errors:
            raise self.errors[method]

    def _record(self, entry_id: str) -> Record:
        index = self._store.indices.get(entry_id)
        if index is None:
            raise NoEntryError(f"There is no entry {entry_id!r}.", remedy="Check the id.")
        return self._store.records[index]

    def _write(self, record: Record, leaf: bytes) -> Receipt:
        store, mark = self._store, record.mark
        place = None if mark is None else (mark.algorithm, mark.key_id, mark.mark_id)
        if record.entry.id in store.indices or place in store.marks:
            raise LedgerError("The ledger holds this entry or its watermark already.", remedy="Use fresh ids.")
        store.erasing.check(record)
        if (hold := record.hold) is not None:
            check_succession(store.holds.get(hold.id), hold)
        if (spending := record.spending) is not None:
            spender = spending.principal_id, spending.day
            store.usage[spender] = charged(store.usage.get(spender, Usage()), spending)
        if hold is not None:
            store.holds[hold.id] = hold
        tree = store.tree()
        tree.extend([leaf_hash(leaf)])
        store.tiles.update(tree.changed)
        store.indices[record.entry.id] = len(store.records)
        store.records.append(record)
        store.erasing.apply(record)
        if mark is not None and place is not None:
            store.marks[place] = mark
        store.note = store.signer.sign_checkpoint(tree.size, tree.root())
        return self._receipt(tree.size - 1, leaf)

    def _receipt(self, index: int, leaf: bytes) -> Receipt:
        tree = self._store.tree()
        return Receipt(leaf, index, tree.size, tree.inclusion_proof(index), self._store.note)

    def _close(self, claim: _Claim) -> Entry | None:
        subject = [r.entry for r in self._store.records if r.entry.subject == claim.generation_id]
        closing = close_claim(claim.generation_id, claim.attempt, subject)
        if closing.entry is not None:
            record = Record(closing.entry)
            self._write(record, checked_leaf(record))
        claim.state = closing.state
        return closing.entry


def _kept_beside(record: Record) -> set[str]:
    return {field.name for field in record.fields} | ({WATERMARK} if record.mark is not None else set())


def _released(record: Record) -> Digest | None:
    return asset_digest(record.entry)
