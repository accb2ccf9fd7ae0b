"""Insert or change, and insert or keep, in the words of whichever database is asked.

The two databases agree on what `ON CONFLICT` means, but SQLAlchemy has an insert of its own for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Insert, Table, case
from sqlalchemy.dialects import postgresql, sqlite

_INSERTS: Final[dict[str, Callable[[Table], Any]]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Upsert:
    """Inserts rows into `table`; where one with these `keys` stands already, it takes the new values of `changed`.

    Without `changed` the row that stands there stays. Built once: building a statement takes longer than running it.
    """

    def __init__(self, table: Table, keys: Sequence[str], changed: Sequence[str] = ()) -> None:
        self._statements = {name: _statement(insert(table), keys, changed) for name, insert in _INSERTS.items()}

    def run(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Insert the rows; nothing where there are none."""
        if rows:
            connection.execute(self._statements[connection.dialect.name], rows)


class Adding(Upsert):
    """Inserts rows into `table`; where one with these `keys` stands already, the new value of `sum_` is added to it."""

    def __init__(self, table: Table, keys: Sequence[str], sum_: str) -> None:
        self._statements = {}
        for name, insert in _INSERTS.items():
            statement = insert(table)
            total = table.c[sum_] + statement.excluded[sum_]
            self._statements[name] = statement.on_conflict_do_update(index_elements=list(keys), set_={sum_: total})


class Latest(Upsert):
    """Inserts rows into `table`; where one with these `keys` stands already, it keeps the larger of both `value`s."""

    def __init__(self, table: Table, keys: Sequence[str], value: str) -> None:
        self._statements = {}
        for name, insert in _INSERTS.items():
            statement = insert(table)
            new, old = statement.excluded[value], table.c[value]
            larger = case((new > old, new), else_=old)
            self._statements[name] = statement.on_conflict_do_update(index_elements=list(keys), set_={value: larger})


def _statement(insert: Any, keys: Sequence[str], changed: Sequence[str]) -> Insert:
    statement: Insert = (
        insert.on_conflict_do_update(index_elements=list(keys), set_={name: insert.excluded[name] for name in changed})
        if changed
        else insert.on_conflict_do_nothing(index_elements=list(keys))
    )
    return statement
