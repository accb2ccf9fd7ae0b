"""The single writer of a process: a thread that commits what waits in its queue, together (group commit)."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from governance.entries import Receipt, Record
from governance.errors import GovernanceError, LedgerError
from governance_adapters.storage import reader
from governance_adapters.storage.database import Database
from governance_adapters.storage.numbering import BATCH, Numbering
from governance_adapters.storage.transaction import Prepared, Transaction
from governance_adapters.storage.tree import Log

T = TypeVar("T")

MAX_BATCH = 256
# How long to wait for the callers of the last batch to come back with their next append, before committing without
# them. A commit costs one fsync (about 4 ms where this was tuned), so a far shorter wait fills the batches.
_GATHER_S = 0.0008
_PATIENCE_S, _PAUSE_S = 10.0, 0.05
"""How long a writer whose records are durable, or may be, waits for a database that went away, and between attempts."""


@dataclass(slots=True, eq=False)
class _Work:
    """One caller's wish: a record to append, or a job to run inside the transaction."""

    wish: Prepared | Callable[[Transaction], Any]
    future: Future[Any] = field(default_factory=Future)


class Writer:
    """Appends records and runs jobs, each durable when its caller returns.

    A caller interrupted while it waits (Ctrl-C) takes its wish back if the writer has not begun it; otherwise the
    interrupt goes on once the wish has landed or failed, so that what the ledger then says is final.

    `lost` says, on a new connection, whose claims were taken for abandoned meanwhile: nothing more is appended for them.
    """

    def __init__(
        self, database: Database, log: Log, numbering: Numbering, lost: Callable[[Connection], set[str]]
    ) -> None:
        self._database = database
        self._log = log
        self._numbering = numbering
        self._find_lost = lost
        self._lost: set[str] = set()
        self._session = 0
        self._unsettled = False
        self._queue: deque[_Work] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._awaited = 1
        self._last = 0
        self._thread = threading.Thread(target=self._run, name="governance-ledger-writer", daemon=True)
        self._thread.start()

    def append(self, record: Record) -> Receipt:
        """Append one record.

        Raises:
            BudgetError: it would spend more than is left of its principal's day; nothing was written.
            HoldChangedError: somebody else changed its hold meanwhile; nothing was written.
            LedgerError: nothing of it was written.
        """
        receipt: Receipt = self._await(_Work(Prepared.of(record)))
        return receipt

    def do(self, job: Callable[[Transaction], T]) -> T:
        """Run `job` inside a write transaction. What it raises undoes what it did, and nothing else.

        Raises:
            GovernanceError: what the job raised.
            LedgerError: the ledger cannot be written.
        """
        result: T = self._await(_Work(job))
        return result

    def settle(self, subject: str = "") -> None:
        """Number what waits, if anything does (or anything of `subject`), or if nobody knows yet whether a commit landed.

        Raises:
            LedgerError: that cannot be done now.
        """
        while self._unsettled or self._waits(subject):
            if self.do(self._settling) < BATCH:
                return

    def _waits(self, subject: str) -> bool:
        with self._database.reading() as connection:
            return self._numbering.unnumbered(connection, subject=subject)

    def _settling(self, transaction: Transaction) -> int:
        """A job, so that it comes behind whatever is under way: afterwards everything before it is known."""
        count = transaction.number()
        self._unsettled = False
        return count

    def close(self) -> None:
        """Commit what waits, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        # The garbage collector may close a forgotten ledger from any thread, this one included.
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _await(self, work: _Work) -> Any:
        with self._changed:
            if self._closed:
                raise LedgerError("The ledger is closed.", remedy="Open it again.")
            self._queue.append(work)
            if len(self._queue) >= self._awaited:
                self._changed.notify()
        try:
            return work.future.result()
        except BaseException:  # Ctrl-C above all: it goes on once the ledger's answer is final; raised again
            if not work.future.cancel():
                try:
                    wait([work.future])
                except BaseException:  # a second Ctrl-C: nobody waits any more, so nobody knows; raised again
                    self._unsettled = True
                    raise
            raise

    def _run(self) -> None:
        try:
            while (batch := self._next_batch()) is not None:
                if batch:
                    self._commit(batch)
        finally:
            self._refuse_rest()

    def _next_batch(self) -> list[_Work] | None:
        """Wait for work, then briefly for as many callers as there were last time; None once closed and done."""
        with self._changed:
            callers = min(MAX_BATCH, self._last + len(self._queue))
            self._changed.wait_for(lambda: self._queue or self._closed)
            if callers > 1 and not self._closed:
                self._awaited = callers
                self._changed.wait_for(lambda: len(self._queue) >= callers or self._closed, _GATHER_S)
                self._awaited = 1
            if not self._queue:
                return None
            batch = [self._queue.popleft() for _ in range(min(MAX_BATCH, len(self._queue)))]
        self._last = len(batch)
        return [work for work in batch if work.future.set_running_or_notify_cancel()]

    def _refuse_rest(self) -> None:
        """Nobody may wait for a writer that is gone."""
        with self._changed:
            self._closed = True
            while self._queue:
                work = self._queue.popleft()
                if work.future.set_running_or_notify_cancel():
                    work.future.set_exception(LedgerError("The ledger's writer stopped.", remedy="Open it again."))

    def _commit(self, batch: Sequence[_Work]) -> None:
        """Commit one batch. If the database refuses it, each wish is tried alone, so that only the culprit fails."""
        try:
            results = self._attempt(batch)
        except Exception as error:  # noqa: BLE001 - fails closed: nothing was committed, and every caller hears of it
            self._log.forget()
            self._unsettled = self._unsettled or self._database.broken(error)
            if len(batch) == 1 or isinstance(error, GovernanceError) or self._database.concerns_all(error):
                for work in batch:
                    work.future.set_exception(self._told(error))
            else:
                for work in batch:
                    self._commit([work])
        else:
            for work, result in zip(batch, results, strict=True):
                if isinstance(result, GovernanceError):
                    work.future.set_exception(result)
                else:
                    work.future.set_result(result)

    def _told(self, error: Exception) -> LedgerError:
        """A LedgerError of its own for each caller: one exception object must not be raised in two threads."""
        if isinstance(error, LedgerError):
            told = type(error)(str(error))
            told.remedy = error.remedy
        elif isinstance(error, SQLAlchemyError):
            told = self._database.translated(error)
        else:
            told = LedgerError(f"This cannot be recorded: {error!r}.", remedy="Check the record's numbers and text.")
        told.__cause__ = error
        return told

    def _attempt(self, batch: Sequence[_Work]) -> list[Any]:
        """One transaction; returns each wish's result, or the error that it met alone."""
        results: list[Any] = []
        appended: list[tuple[int, int]] = []
        sealed: Sequence[str] = ()
        receipts: Sequence[Receipt] | None = None
        try:
            with self._database.writing() as connection:
                self._look_for_lost(connection)
                transaction = Transaction(connection, self._log, self._numbering)
                for position, work in enumerate(batch):
                    if isinstance(work.wish, Prepared):
                        try:
                            self._refuse_lost(work.wish.record)
                            appended.append((position, transaction.add(work.wish)))
                            results.append(None)
                        except LedgerError as error:  # nothing of this one was written; its siblings go on
                            results.append(error)
                    else:
                        results.append(_isolated(transaction, work.wish))
                receipts = transaction.seal()
                sealed = transaction.entry_ids
        except SQLAlchemyError as error:
            if not sealed or not self._landed(sealed, error):
                raise
            receipts = None
        if receipts is None:
            receipts = self._numbered(sealed)
        for position, at in appended:
            results[position] = receipts[at]
        return results

    def _landed(self, entry_ids: Sequence[str], error: BaseException) -> bool:
        """Whether a transaction was committed although the connection broke before the database said so.

        The new connection waits until the session of the old one is over, so what it sees is final.

        Raises:
            SQLAlchemyError: that cannot be found out, for the database stays away.
        """
        if not self._database.broken(error):
            return False
        self._unsettled = True  # until it was looked up

        def look() -> bool:
            with self._database.writing() as connection:
                return reader.written(connection, entry_ids)

        landed = self._patiently(look)
        self._unsettled = False
        return landed

    def _numbered(self, entry_ids: Sequence[str]) -> Sequence[Receipt]:
        """The receipts of entries that are durable and wait: numbered by whoever comes first, this process at the latest.

        Raises:
            LedgerError: that failed. The entries stay, and the next writer numbers them.
        """

        def number() -> bool:
            with self._database.writing() as connection:
                if not reader.written(connection, entry_ids):
                    raise LedgerError(
                        "The database lost what it had acknowledged.",
                        remedy="Find out whether it failed over, or who deletes entries; `governance ledger verify`.",
                    )
                if not reader.numbered(connection, entry_ids):
                    Transaction(connection, self._log, self._numbering).number(entry_ids)
                return reader.numbered(connection, entry_ids)

        def read() -> Sequence[Receipt]:
            with self._database.writing() as connection:
                return reader.receipts(connection, entry_ids)

        try:
            while not self._patiently(number):
                pass
            return self._patiently(read)
        except SQLAlchemyError as error:
            self._unsettled = True
            raise LedgerError(
                f"What was written is in the database and has no index yet: {self._database.translated(error)}",
                remedy="Open the ledger again: whoever opens it numbers what waits.",
            ) from error
        except LedgerError:
            self._unsettled = True
            raise

    def _patiently(self, act: Callable[[], T]) -> T:
        """What `act` returns; while the connection breaks, it is tried again for a while: a server restarts in seconds."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return act()
            except SQLAlchemyError as error:
                self._log.forget()
                if not self._database.broken(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_S)

    def _look_for_lost(self, connection: Connection) -> None:
        """On a connection that is new: whose claims did not outlive the one before?"""
        if self._session != self._database.sessions:
            self._lost |= self._find_lost(connection)
            self._session = self._database.sessions

    def _refuse_lost(self, record: Record) -> None:
        if record.entry.subject in self._lost:
            raise LedgerError(
                f"Generation {record.entry.subject} was closed as abandoned while the connection to the ledger was down.",
                remedy="Ask again: the same request runs as its next attempt.",
            )


def _isolated(transaction: Transaction, job: Callable[[Transaction], Any]) -> Any:
    """Run a job behind a savepoint; a GovernanceError that it raises is its result."""
    count = transaction.count
    try:
        with transaction.connection.begin_nested():
            return job(transaction)
    except GovernanceError as error:
        transaction.truncate(count)
        return error
