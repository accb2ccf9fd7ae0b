"""What principals have spent on a day: read by policy, and added to where an intent is written."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, select

from governance.entries import Spending
from governance.records import charged, usage_key
from governance.types import Usage
from governance_adapters.storage.guards import guard
from governance_adapters.storage.tables import USAGE
from governance_adapters.storage.upserts import Upsert

_SUMS = [USAGE.c[name] for name in Usage.__slots__]
_UPSERT = Upsert(USAGE, ("principal", "day"), tuple(Usage.__slots__))


def counted(connection: Connection) -> bool:
    """Whether this ledger counts usage: one that a program without budgets wrote does not."""
    return inspect(connection).has_table(USAGE.name)


def spent(connection: Connection, principal_id: str, day: str) -> Usage:
    """What the intents of this principal and day have spent; see `Ledger.usage`."""
    where = (USAGE.c.principal == usage_key(principal_id)) & (USAGE.c.day == day)
    row = connection.execute(select(*_SUMS).where(where)).first()
    return Usage() if row is None else Usage(*row)


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
