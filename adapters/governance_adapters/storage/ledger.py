"""The port `Ledger` over SQL: `SqlLedger` on any database of ours, `SqliteLedger` on a file."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from governance.canonical import Digest
from governance.checkpoint import Checkpoint, LogKey, LogSigner
from governance.clocks import clock_jumps
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
from governance.errors import LedgerError
from governance.lineage.releases import Release
from governance.records import ClaimState, check_span
from governance.search import Query, Rollup, SearchPage
from governance.types import Fingerprint, Usage
from governance_adapters.storage import claims, erasing, hold_rows, postings, reader, releases, searching, usage
from governance_adapters.storage.audit import Audit
from governance_adapters.storage.audit_parts import Told
from governance_adapters.storage.audit_processes import several
from governance_adapters.storage.backup import checkpoint_of, new_backup
from governance_adapters.storage.database import Database
from governance_adapters.storage.held import Held, Slot
from governance_adapters.storage.schema import check_schema, upgrade_schema
from governance_adapters.storage.sqlite import SqliteDatabase, create_file
from governance_adapters.storage.transaction import Transaction
from governance_adapters.storage.tree import Log, newest_note, read_tile

T = TypeVar("T")

MAX_MARK_BITS = 62


class SqlLedger:
    """An append-only log with its tree, signed checkpoints, and what stands beside the entries, in one database.

    Any number of threads and processes may use one database; each process has one writer thread. An append returns when
    its entry and a checkpoint that covers it are durable, with everything in its record. A caller interrupted while
    waiting (Ctrl-C) does not learn whether its record landed; it landed whole or not at all.
    Where the disk or the connection fails in the middle of a commit, the append is reported as failed, and the next start
    decides from what is durable. A claim lives as long as the ledger object that began it is open in a living process.
    After `os.fork` the child starts afresh: connections and claims stay the parent's.
    """

    def __init__(self, database: Callable[[], Database], signer: LogSigner | None, key: LogKey | None) -> None:
        """For subclasses: `database` makes one, anew after a fork. `key` verifies checkpoints for `verify`."""
        self._database = database
        self._signer = signer
        self._key = key
        self._slot = Slot(self._new_held())
        self._finalizer = weakref.finalize(self, self._slot.close)
        _OPEN.add(self)

    @property
    def name(self) -> str:
        """What messages call the database."""
        return self._held().database.name

    def _start(self, *, create: bool) -> None:
        """Bring the schema up to date and verify the tip: what every ledger that is opened for appending begins with.

        Raises:
            LedgerTooNewError: the schema is newer than this code.
            LedgerError: the database cannot be used, is something else, or its newest checkpoint was not signed by the
                ledger's signer or does not match its entries.
        """
        database, signer = self._held().database, self._signer
        if signer is None:
            raise LedgerError("The ledger was opened for reading only.", remedy="Open it with the log's private key.")
        try:
            with database.writing() as connection:
                database.lock(connection)
                upgrade_schema(connection, database.name, create=create)
                Log(signer).start(connection)
            self._held().writer().settle()
        except (SQLAlchemyError, sqlite3.Error) as error:
            self.close()
            raise database.translated(error) from error
        except BaseException:  # Ctrl-C too: whatever ends the opening, what is held is let go of; raised again
            self.close()
            raise

    def _start_reading(self) -> None:
        """Look whether there is a ledger that this code can read.

        Raises:
            LedgerTooNewError: the schema is newer than this code.
            LedgerError: there is no ledger here, or it cannot be read.
        """
        try:
            self._read(lambda connection: check_schema(connection, self.name))
        except BaseException:  # Ctrl-C too: whatever ends the opening, what is held is let go of; raised again
            self.close()
            raise

    def close(self) -> None:
        """Commit what waits, stop the writer, give up open claims. The ledger cannot be used afterwards."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def begin(self, principal_id: str, request_id: str, facts_digest: Digest, generation_id: str) -> Attempt | Recorded:
        """See `Ledger.begin`. A claim whose process is gone is closed first, as `recover` does."""
        held = self._held()
        writer, owner = held.writer(), held.owner()
        request = claims.Request(principal_id, request_id, facts_digest, generation_id)
        known = held.running

        def begin(transaction: Transaction) -> Attempt | Recorded:
            def runs(name: str, generation: str) -> bool:
                return generation in known if name == owner else held.owners.alive(name, transaction.connection)

            begun = claims.begin(transaction, request, owner, runs)
            if isinstance(begun, Attempt):
                known.add(generation_id)  # here, so that no later wish, of this batch even, takes it for vanished
            return begun

        try:
            return writer.do(begin)
        except BaseException:  # Ctrl-C too: whoever asks next may have it; raised again
            known.discard(generation_id)
            raise

    def finish(self, generation_id: str, *, repeatable: bool) -> None:
        """See `Ledger.finish`.

        Raises:
            LedgerError: this generation has no claim, or it ended otherwise, or the ledger cannot be written.
        """
        # Ended first and written then: a claim that could not be written as ended does not block its request for ever.
        self._held().running.discard(generation_id)
        state = ClaimState.REPEATABLE if repeatable else ClaimState.FINISHED
        self._write(lambda tx: claims.finish(tx, generation_id, state))

    def let_go(self, generation_id: str) -> None:
        """See `Ledger.let_go`."""
        self._held().running.discard(generation_id)

    def append(self, record: Record) -> Receipt:
        """See `Ledger.append`; what a record must hold is said at `governance.records.checked_leaf`."""
        return self._held().writer().append(record)

    def usage(self, principal_id: str, day: str) -> Usage:
        """See `Ledger.usage`. A ledger that is only read and that no program with budgets has opened counted nothing."""
        if self._signer is None and not self._read(usage.counted):
            return Usage()
        return self._read(lambda connection: usage.spent(connection, principal_id, day))

    def hold(self, hold_id: str) -> HoldRecord | None:
        """See `Ledger.hold`."""
        return self._of_holds(lambda connection: hold_rows.hold(connection, hold_id), None)

    def holds(
        self, *, state: HoldState | None = None, queue: str | None = None, after: str = "", limit: int = 100
    ) -> Sequence[HoldRecord]:
        """See `Ledger.holds`.

        Raises:
            LedgerError: `limit` is below 1, or the ledger cannot be read.
        """
        return self._of_holds(lambda connection: hold_rows.holds(connection, state, queue, after, limit), ())

    def approved_hold(self, request: Digest) -> HoldRecord | None:
        """See `Ledger.approved_hold`."""
        return self._of_holds(lambda connection: hold_rows.approved_hold(connection, request), None)

    def lease(self, hold_id: str, holder: str, until: str, *, now: str) -> HoldRecord:
        """See `Ledger.lease`."""
        return self._write(lambda tx: hold_rows.lease(tx.connection, hold_id, holder, until, now))

    def reopen(self, generation_id: str) -> None:
        """See `Ledger.reopen`."""
        self._write(lambda tx: claims.reopen(tx, generation_id))

    def next_mark(self, algorithm: str, key_id: str, bits: int) -> int:
        """See `Ledger.next_mark`. Counters are reserved in blocks: a process that ends leaves a gap, never a double."""
        if not 1 <= bits <= MAX_MARK_BITS:
            raise LedgerError(f"A watermark id cannot have {bits} bits.", remedy=f"Use 1 to {MAX_MARK_BITS}.")
        held = self._held()
        writer = held.writer()
        with held.lock:
            counter = next(held.marks.get((algorithm, key_id), iter(())), None)
            if counter is None:
                block = iter(writer.do(lambda tx: claims.reserve_marks(tx, algorithm, key_id, 1 << bits)))
                counter, held.marks[algorithm, key_id] = next(block), block
        if counter >> bits:
            raise LedgerError(
                f"All watermark ids of {bits} bits of {algorithm} under key {key_id} are used.",
                remedy="Make a new watermark key, or use an algorithm with a longer payload.",
            )
        return counter

    def recover(self) -> Sequence[Entry]:
        """See `Ledger.recover`; what follows for each claim is said at `governance.records.close_claim`."""
        held = self._held()
        writer, owner = held.writer(), held.owner()
        writer.settle()
        entries = writer.do(lambda tx: claims.recover(tx, owner, lambda name: held.owners.alive(name, tx.connection)))
        held.owners.sweep()
        return entries

    def open_claims(self) -> int:
        """See `Ledger.open_claims`."""
        return self._read(reader.open_claims)

    def entry(self, entry_id: str) -> Entry:
        """See `Ledger.entry`."""
        return self._read(lambda connection: reader.entry(connection, entry_id))[1]

    def entries(
        self, *, after: int = -1, limit: int = 100, subject: str | None = None, kind: EntryKind | None = None
    ) -> Sequence[tuple[int, Entry]]:
        """See `Ledger.entries`.

        Raises:
            LedgerError: `limit` is below 1, or the ledger cannot be read.
        """
        if limit < 1:
            raise LedgerError(f"A page of {limit} entries is no page.", remedy="Ask for at least one.")
        if subject is not None and self._signer is not None:
            self._held().writer().settle(subject)
        return self._read(lambda connection: reader.entries(connection, after, limit, subject, kind))

    def receipt(self, entry_id: str) -> Receipt:
        """See `Ledger.receipt`."""
        return self._read(lambda connection: reader.receipt(connection, entry_id))

    def find_mark(self, algorithm: str, key_id: str, mark_id: int) -> MarkRecord | None:
        """See `Ledger.find_mark`."""
        return self._read(lambda connection: reader.find_mark(connection, algorithm, key_id, mark_id))

    def find_asset(self, asset_digest: Digest) -> Entry | None:
        """See `Ledger.find_asset`. What waits for its index is numbered first: whoever hears that there is none may discard."""
        if self._signer is not None:
            self._held().writer().settle()
        return self._read(lambda connection: reader.find_asset(connection, asset_digest))

    def releases(self, asset_digest: Digest) -> Sequence[Entry]:
        """See `Ledger.releases`. What waits for its index is numbered first, as by `find_asset`."""
        if self._signer is not None:
            self._held().writer().settle()
        return self._read(lambda connection: reader.releases(connection, asset_digest))

    def document(self, digest: Digest) -> bytes | None:
        """See `Ledger.document`."""
        return self._read(lambda connection: reader.document(connection, digest))

    def fields(self, entry_id: str) -> Sequence[PersonalField]:
        """See `Ledger.fields`."""
        return self._read(lambda connection: reader.fields(connection, entry_id))

    def subjects_of(self, person: str, *, after: str = "", limit: int = 100) -> Sequence[str]:
        """See `Ledger.subjects_of`. What waits for its index is numbered first: nobody is forgotten in part."""
        if limit < 1:
            raise LedgerError(f"A page of {limit} is no page.", remedy="Ask for at least one.")
        if self._signer is not None:
            self._held().writer().settle()
        return self._read(lambda connection: reader.subjects_of(connection, person, after, limit))

    def erasures(self, entry_id: str) -> Mapping[str, str]:
        """See `Ledger.erasures`."""
        return self._of_erasures(lambda connection: erasing.erasures(connection, entry_id), {})

    def legal_holds(self, *, lifted: bool = False) -> Sequence[LegalHoldRecord]:
        """See `Ledger.legal_holds`."""
        return self._of_erasures(lambda connection: erasing.legal_holds(connection, lifted=lifted), ())

    def due(self, day: str, *, after: tuple[str, str] = ("", ""), limit: int = 100) -> Sequence[tuple[str, str]]:
        """See `Ledger.due`."""
        if limit < 1:
            raise LedgerError(f"A page of {limit} is no page.", remedy="Ask for at least one.")
        return self._of_erasures(lambda connection: erasing.due(connection, day, after, limit), ())

    def purge(self) -> None:
        """See `Ledger.purge`. What waits for readers of an older state goes the next time."""
        self._held().database.purge()

    def checkpoint(self) -> str:
        """See `Ledger.checkpoint`; a new ledger has one of size 0."""
        return self._read(newest_note)

    def tile(self, level: int, number: int) -> bytes:
        """See `Ledger.tile`."""
        return self._read(lambda connection: read_tile(connection, level, number))

    def leaves(self, first: int, limit: int) -> Sequence[bytes]:
        """See `Ledger.leaves`."""
        check_span(first, limit)
        return self._read(lambda connection: reader.leaves(connection, first, limit))

    def clock_jumps(self) -> Iterator[str]:
        """Where the clock of a writer had jumped back, one line each: no fault of the log, and worth knowing."""
        with self._held().database.reading() as connection:
            yield from clock_jumps(reader.disordered(connection))

    def back_up(self, path: str | os.PathLike[str]) -> Checkpoint:
        """Write everything, as it stands at one moment, into the new SQLite file `path`; writers go on meanwhile.

        Returns the checkpoint that the backup ends with. It holds personal data: only this user may read it.

        Raises:
            LedgerError: there is such a file, or it cannot be written, or the ledger cannot be read.
        """
        held, target = self._held(), Path(path).absolute()
        writer = held.writer()
        with new_backup(target) as partial:
            held.database.copy_to(partial, writer)
        return checkpoint_of(target)

    def search(self, query: Query, *, after: int = -1, limit: int = 100) -> SearchPage:
        """See `Ledger.search`."""
        return self._of_index(lambda connection: searching.search(connection, query, after, limit))

    def released_by(self, model: str, *, after: int = -1, limit: int = 1000) -> Sequence[tuple[int, Release]]:
        """See `Ledger.released_by`."""
        return self._of_index(lambda connection: releases.released_by(connection, model, after, limit))

    def alike(self, fingerprint: Fingerprint, *, limit: int = 100) -> Sequence[MarkRecord]:
        """See `Ledger.alike`."""
        return self._of_index(lambda connection: searching.alike(connection, fingerprint, limit))

    def rollups(self, since: str, until: str) -> Sequence[Rollup]:
        """See `Ledger.rollups`."""
        return self._of_index(lambda connection: searching.rollups(connection, since, until))

    def verify(self, *, processes: int = 1, index: bool = True) -> Iterator[str]:
        """See `Ledger.verify`. Reads one snapshot from end to end; memory stays flat; writers are not held up.

        With more `processes` than one, so many of ours share the work, and find the same. Without `index`, what is derived
        from the entries (the index of searches, the counts by day) is left out: nothing that a proof rests on.
        """
        database = self._held().database
        told = Told(database.damage, database.translated)
        with database.reading() as connection, several(database, connection, self._key, processes) as elsewhere:
            try:
                yield from Audit(connection, self._key, told, index=index, elsewhere=elsewhere).problems()
            except SQLAlchemyError as error:
                yield f"The check stopped here: {database.translated(error)}"
            except (TypeError, ValueError, AttributeError) as error:
                # A column holds another type than its table says: no program of ours wrote it.
                yield f"The check stopped at a value of a wrong type: {error}."

    def _write(self, job: Callable[[Transaction], T]) -> T:
        return self._held().writer().do(job)

    def _read(self, question: Callable[..., T]) -> T:
        with self._held().database.reading() as connection:
            return question(connection)

    def reindex(self) -> int:
        """Make the index and the counts by day anew; returns from how many entries. Nobody appends meanwhile.

        Raises:
            LedgerError: the ledger cannot be written.
        """
        return self._write(lambda tx: tx.reindex())

    def _of_index(self, question: Callable[..., T]) -> T:
        """A ledger that is only read, and that no program with a search has opened, has no index to answer from."""
        if self._signer is None and not self._read(postings.kept):
            raise LedgerError(
                f"The ledger {self.name} cannot be searched yet: an older program wrote it.",
                remedy="Open it once for writing, with the log's private key: its index is made then.",
            )
        return self._read(question)

    def _of_holds(self, question: Callable[..., T], nothing: T) -> T:
        """A ledger that is only read and that no program with holds has opened keeps none."""
        if self._signer is None and not self._read(hold_rows.kept):
            return nothing
        return self._read(question)

    def _of_erasures(self, question: Callable[..., T], nothing: T) -> T:
        """A ledger that is only read and that no program with erasures has opened has none."""
        if self._signer is None and not self._read(erasing.kept):
            return nothing
        return self._read(question)

    def _new_held(self) -> Held:
        return Held(self._database(), self._signer)

    def _held(self) -> Held:
        held = self._slot.held
        if held is None:
            raise LedgerError("The ledger is closed.", remedy="Open it again.")
        return held

    def _start_afresh(self) -> None:
        """In a forked child. The parent's connections are kept unused: closing them here could disturb the parent."""
        held = self._slot.held
        if held is not None:
            held.forget()
            _PARENTS.append(held)
            self._slot.held = self._new_held()


class SqliteLedger(SqlLedger):
    """A ledger in one SQLite file: one transaction writes at a time, whatever process it is of."""

    path: Path
    """The database file."""

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], signer: LogSigner, *, create: bool = True, busy_timeout_s: float = 10.0
    ) -> SqliteLedger:
        """Open for appending; brings an older schema up to date, and makes a new ledger if there is none and `create`.

        `busy_timeout_s` is how long to wait for another process's transaction.

        Raises:
            LedgerTooNewError: the schema is newer than this code.
            LedgerError: the file cannot be used, is something else, or its newest checkpoint was not signed by
                `signer` or does not match its entries.
        """
        target = Path(path).absolute()
        if create:
            create_file(target)
        elif not target.exists():
            raise LedgerError(f"There is no ledger at {target}.", remedy="Run `governance init`, or name another file.")
        ledger = cls(lambda: SqliteDatabase(target, busy_timeout_s=busy_timeout_s), signer, signer.key)
        ledger.path = target
        ledger._start(create=create)
        return ledger

    @classmethod
    def open_read_only(cls, path: str | os.PathLike[str], key: LogKey | None = None) -> SqliteLedger:
        """Open for an auditor, who has no private key. Whatever writes raises LedgerError.

        `key` is the log's public key, from somewhere other than this file; without it `verify` reports that
        signatures were not checked.

        Raises:
            LedgerTooNewError: the schema is newer than this code.
            LedgerError: there is no ledger here, or it cannot be read.
        """
        target = Path(path).absolute()
        if not target.exists():
            raise LedgerError(f"There is no ledger at {target}.", remedy="Name the ledger's file.")
        ledger = cls(lambda: SqliteDatabase(target, read_only=True), None, key)
        ledger.path = target
        ledger._start_reading()
        return ledger


_OPEN: weakref.WeakSet[SqlLedger] = weakref.WeakSet()
_PARENTS: list[Held] = []


def _after_fork_in_child() -> None:
    for ledger in list(_OPEN):
        ledger._start_afresh()  # noqa: SLF001 - the same module's own business


os.register_at_fork(after_in_child=_after_fork_in_child)
