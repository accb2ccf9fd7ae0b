"""A change of the register that waits for its entry, and how it is settled: done, or undone."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Self

from governance.entries import Record
from governance.types import Principal
from governance.work_records import WorkChange, work_record
from governance.works import Work
from governance_adapters.storage.works_rows import delete_work


@dataclass(frozen=True, slots=True)
class Pending:
    """One change: the work as it will be (or was, if it is to be removed), and the record of it."""

    change: WorkChange
    work: Work
    record: Record

    @classmethod
    def of(cls, change: WorkChange, work: Work, by: Principal) -> Self:
        """A change by somebody, with the record of it."""
        return cls(change, work, work_record(change, work, by))

    def insert(self, connection: sqlite3.Connection) -> None:
        """Write it down; from now on until it is settled, the stricter of both actions protects the work."""
        work = self.work
        values = (self.record.entry.id, self.change.value, work.title, work.owner, work.licence, work.action.value)
        connection.execute("INSERT INTO pending VALUES (?, ?, ?, ?, ?, ?, ?)", (work.id, *values))


def pending_entries(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Work id and entry id of every change that waits."""
    return connection.execute("SELECT work_id, entry_id FROM pending ORDER BY work_id").fetchall()


def settle(connection: sqlite3.Connection, work_id: str, *, recorded: bool) -> bool:
    """Finish a change whose entry is in the ledger, undo one whose entry is not; returns whether readers see it."""
    (change,) = connection.execute("SELECT change FROM pending WHERE work_id = ?", (work_id,)).fetchone()
    if change == (WorkChange.REMOVED if recorded else WorkChange.ADDED):
        delete_work(connection, work_id)
        return True
    if change == WorkChange.CHANGED and recorded:
        connection.execute(
            "UPDATE work SET (title, owner, licence, action) = "
            "(SELECT title, owner, licence, action FROM pending WHERE work_id = work.id) WHERE id = ?",
            (work_id,),
        )
    connection.execute("DELETE FROM pending WHERE work_id = ?", (work_id,))
    return bool(change == WorkChange.CHANGED)
