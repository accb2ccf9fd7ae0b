"""What principals have spent on a day: read by policy, and added to where an intent is written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, bindparam, delete, inspect, select

from governance.canonical import canonical_bytes
from governance.entries import Entry, EntryKind, Spending
from governance.erasable import PRINCIPAL_FIELD, spent_on
from governance.records import charged, document_digests, usage_key
from governance.terms import term
from governance.types import Usage
from governance_adapters.storage.guards import guard
from governance_adapters.storage.tables import DOCUMENT, ENTRY, PERSONAL_FIELD, POSTING, USAGE
from governance_adapters.storage.upserts import Upsert

_SUMS = [USAGE.c[name] for name in Usage.__slots__]
_UPSERT = Upsert(USAGE, ("principal", "day"), tuple(Usage.__slots__))
_NAMING = select(ENTRY.c.seq, ENTRY.c.leaf).where(
    ENTRY.c.kind == EntryKind.INTENT.value,
    PERSONAL_FIELD.c.entry_id == ENTRY.c.id,
    PERSONAL_FIELD.c.name == PRINCIPAL_FIELD,
    PERSONAL_FIELD.c.value == bindparam("of_person"),
)
_WAITING = _NAMING.with_only_columns(ENTRY.c.leaf).where(ENTRY.c.seq.is_(None))
_INTENTS = (
    _NAMING.where(POSTING.c.term == bindparam("of_term"), POSTING.c.seq > bindparam("after"))
    .where(ENTRY.c.seq == POSTING.c.seq)
    .order_by(POSTING.c.seq)
    .limit(500)
)


def counted(connection: Connection) -> bool:
    """Whether this ledger counts usage: one that a program without budgets wrote does not."""
    return inspect(connection).has_table(USAGE.name)


def spent(connection: Connection, principal_id: str, day: str) -> Usage:
    """What the intents of this principal and day have spent; see `Ledger.usage`."""
    where = (USAGE.c.principal == usage_key(principal_id)) & (USAGE.c.day == day)
    row = connection.execute(select(*_SUMS).where(where)).first()
    return Usage() if row is None else Usage(*row)


def forget(connection: Connection, intents: Mapping[str, Entry]) -> None:
    """Take away the days that these intents spent of, before their principals are erased: where nothing else names those.

    A day on which another intent names the same principal stays: its budget must still count.

    Raises:
        SQLAlchemyError: the database cannot be read or written, or others kept a day too long.
    """
    named = PERSONAL_FIELD.c.entry_id.in_(list(intents)) & (PERSONAL_FIELD.c.name == PRINCIPAL_FIELD)
    days: dict[str, set[str]] = {}
    for row in connection.execute(select(PERSONAL_FIELD).where(named)).all():
        days.setdefault(json.loads(row.value), set()).add(_day(connection, intents[row.entry_id]))
    for person in sorted(days):
        for day in sorted(days[person]):
            guard(connection, "usage", person, day)
        unnamed = set(days[person])
        others = (entry for entry in _intents_of(connection, person) if entry.id not in intents)
        while unnamed and (other := next(others, None)) is not None:
            unnamed.discard(_day(connection, other))
        where = (USAGE.c.principal == usage_key(person)) & USAGE.c.day.in_(sorted(unnamed))
        connection.execute(delete(USAGE).where(where))


def _intents_of(connection: Connection, person: str) -> Iterator[Entry]:
    """The intents that name `person` now. The index leads to them: what it may lack costs a day's budget, and no privacy."""
    waiting = connection.execute(_WAITING, {"of_person": canonical_bytes(person)}).scalars().all()
    yield from map(Entry.from_leaf, waiting)
    wanted = {"of_term": term("principal", person), "of_person": canonical_bytes(person), "after": -1}
    while rows := connection.execute(_INTENTS, wanted).all():
        yield from (Entry.from_leaf(row.leaf) for row in rows)
        wanted["after"] = rows[-1].seq


def _day(connection: Connection, intent: Entry) -> str:
    query = select(DOCUMENT.c.content).where(DOCUMENT.c.digest.in_(document_digests(intent)[:1]))
    content = connection.execute(query).scalar()
    return spent_on(intent, None if content is None else bytes(content))


class Tally:
    """What one write transaction adds. It guards each principal's day, so nobody spends between reading and writing it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sums: dict[tuple[str, str], Usage] = {}

    def charge(self, spending: Spending) -> None:
        """Add to the principal's day.

        Raises:
            BudgetError: a sum would come above the budget; nothing was changed.
        """
        spender = spending.principal_id, spending.day
        if spender not in self._sums:
            guard(self._connection, "usage", *spender)
        before = self._sums[spender] if spender in self._sums else spent(self._connection, *spender)
        self._sums[spender] = charged(before, spending)

    def write(self) -> None:
        """Write every sum that changed."""
        rows = [
            {"principal": usage_key(principal_id), "day": day, **total.as_json()}
            for (principal_id, day), total in self._sums.items()
        ]
        _UPSERT.run(self._connection, rows)
