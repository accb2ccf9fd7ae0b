"""`SqliteWorks`: the port `WorkRegister` on one SQLite file beside the ledger."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

from governance.canonical import Digest
from governance.errors import GovernanceError, LedgerError, WorkError
from governance.ports import Ledger
from governance.types import Principal, new_id
from governance.work_checks import check_new, check_texts
from governance.work_records import WorkChange, has_works, is_recorded
from governance.works import Added, NewWork, Work, WorkPrint
from governance_adapters.storage import works_rows as rows
from governance_adapters.storage.works_file import WorksFile
from governance_adapters.storage.works_pending import Pending, pending_entries, settle
from governance_adapters.storage.works_reader import SqliteWorksReader

_BATCH: Final = 256
_APPENDERS: Final = 32
"""Threads that append the entries of a batch: the ledger commits together what waits together."""


class SqliteWorks(SqliteWorksReader):
    """The register with its ledger.

    Every change is written here as pending first, with the id of its entry; then the entry is appended; then the change
    is settled. What was interrupted in between is settled when the register is opened, or changed next, by asking
    the ledger whether the entry is there. Several threads and several processes may use one file: one change at a time.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        ledger: Ledger,
        *,
        create: bool = False,
        busy_timeout_s: float = 10.0,
    ) -> None:
        """Open the register for changes, and settle what was interrupted; with `create`, make it if there is none.

        `busy_timeout_s` is how long to wait for another process's change.

        Raises:
            WorkError: there is none, it is something else, or a newer program's; or one would be made in the place
                of one that is gone, for the ledger knows of works.
            LedgerError: the ledger cannot be read.
        """
        target = Path(path).absolute()
        if create and not target.exists():
            if has_works(ledger):
                raise WorkError(
                    f"The register {target} is missing, and the ledger knows of works that it held.",
                    remedy="Restore it from its backup, then run `governance doctor`.",
                )
            WorksFile(target, busy_timeout_s).create()
        super().__init__(target, busy_timeout_s=busy_timeout_s)
        self._ledger = ledger
        self._busy_timeout_s = busy_timeout_s
        if self.unsettled():
            with self._changing():
                pass

    def add(self, new: NewWork, by: Principal) -> Work:
        """See `WorkRegister.add`."""
        for added in self.add_all([new], by):
            if added.error is not None:
                raise added.error
        return new.work

    def add_all(self, news: Iterable[NewWork], by: Principal) -> Iterator[Added]:
        """See `WorkRegister.add_all`."""
        rest = iter(news)
        while batch := list(islice(rest, _BATCH)):
            outcomes = self._add_batch(batch, by)
            yield from outcomes
            for outcome in outcomes:
                if isinstance(outcome.error, LedgerError):
                    raise outcome.error

    def change(self, work: Work, by: Principal) -> Work:
        """See `WorkRegister.change`."""
        check_texts(work)
        with self._changing():
            with self._writing() as connection:
                known = rows.read_work(connection, work.id)
                after = replace(work, added=known.added)
                if known.images != work.images or known == after:
                    raise WorkError(
                        f"Work {work.id} stays as it is: its images differ, or nothing does.",
                        remedy="Change its title, owner, licence or action; add other images as another work.",
                    )
                pending = Pending.of(WorkChange.CHANGED, after, by)
                pending.insert(connection)
            self._record([pending])
        return after

    def remove(self, work_id: str, by: Principal) -> Work:
        """See `WorkRegister.remove`."""
        with self._changing():
            with self._writing() as connection:
                work = rows.read_work(connection, work_id)
                pending = Pending.of(WorkChange.REMOVED, work, by)
                pending.insert(connection)
            self._record([pending])
        return work

    def reprint(self, prints: Mapping[Digest, Sequence[WorkPrint]]) -> None:
        """See `WorkRegister.reprint`."""
        with self._changing(), self._writing() as connection:
            rows.replace_prints(connection, prints)

    def _add_batch(self, batch: Sequence[NewWork], by: Principal) -> Sequence[Added]:
        outcomes: dict[int, WorkError | LedgerError] = {}
        waiting: dict[int, Pending] = {}
        with self._changing():
            with self._writing() as connection:
                for at, new in enumerate(batch):
                    try:
                        check_new(new)
                        pending = Pending.of(WorkChange.ADDED, new.work, by)
                        with _savepoint(connection):
                            rows.insert_work(connection, new)
                            pending.insert(connection)
                        waiting[at] = pending
                    except WorkError as error:
                        outcomes[at] = error
            failed = self._append(list(waiting.values()))
        outcomes |= {at: failed[one.work.id] for at, one in waiting.items() if one.work.id in failed}
        return [Added(new.work, outcomes.get(at)) for at, new in enumerate(batch)]

    def _record(self, pending: Sequence[Pending]) -> None:
        for error in self._append(pending).values():
            raise error

    def _append(self, waiting: Sequence[Pending]) -> Mapping[str, LedgerError]:
        """Append the entries and settle; returns the errors of those that the ledger refused, by work id."""
        failed: dict[str, LedgerError] = {}

        def append(one: Pending) -> None:
            try:
                self._ledger.append(one.record)
            except LedgerError as error:
                failed[one.work.id] = error

        try:
            with ThreadPoolExecutor(min(_APPENDERS, len(waiting) or 1)) as pool:
                list(pool.map(append, waiting))
        except BaseException as error:  # Ctrl-C too: what the ledger has by now is settled; raised again
            self._settle_after(error)
            raise
        if failed:
            self._settle_after(*failed.values())
        else:
            self._settle_each((one.work.id, True) for one in waiting)
        return failed

    def _settle_after(self, *errors: BaseException) -> None:
        """Settle by what the ledger has; where that cannot be found out, the errors say so, and the works protect."""
        try:
            self._settle()
        except GovernanceError as unknown:
            for error in errors:
                error.add_note(f"Whether it was recorded is not known yet ({unknown}): the next change settles it.")

    def _settle(self) -> None:
        with self._file.reading() as connection:
            waiting = pending_entries(connection)
        self._settle_each([(work_id, is_recorded(self._ledger, work_id, entry)) for work_id, entry in waiting])

    def _settle_each(self, answers: Iterable[tuple[str, bool]]) -> None:
        with self._file.writing() as connection:
            seen = [settle(connection, work_id, recorded=recorded) for work_id, recorded in answers]
            if any(seen):
                _count_change(connection)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The lock of changes, with nothing left to settle."""
        with self._file.changing(self._busy_timeout_s):
            if self.unsettled():
                self._settle()
            yield

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._file.writing() as connection:
            yield connection
            _count_change(connection)


def _count_change(connection: sqlite3.Connection) -> None:
    # A number alone would come again after a backup was restored and changed, and an index of other works would fit it.
    connection.execute("UPDATE state SET register = ?, revision = revision + 1", (new_id(),))


@contextmanager
def _savepoint(connection: sqlite3.Connection) -> Iterator[None]:
    """Nothing of the block remains where it raises."""
    connection.execute("SAVEPOINT work")
    try:
        yield
    except WorkError:
        connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")
        raise
    connection.execute("RELEASE work")
