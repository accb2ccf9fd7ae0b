"""When an entry gets its index: at once, where one transaction writes at a time, or in batches, where many do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sqlalchemy import Connection

BATCH: Final = 1024
"""How many entries that wait one transaction numbers at most."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry that some process wrote and nobody has numbered yet."""

    id: str
    leaf: bytes


class Numbering(Protocol):
    """Says whether a transaction may give out indices, and keeps what waits for one."""

    def claim(self, connection: Connection, *, wait: bool) -> bool:
        """Whether this transaction, and no other until it ends, gives out indices; with `wait` it always comes to that.

        Raises:
            SQLAlchemyError: others kept the right too long.
        """

    def waiting(self, connection: Connection) -> Sequence[Waiting]:
        """What waits, in the order of its arrival, a batch at a time; the caller has claimed.

        Raises:
            ProofError: an entry waits that no holder of the log's key wrote.
        """

    def number(self, connection: Connection, first: int, waiting: Sequence[Waiting]) -> None:
        """Give `waiting` the indices from `first` on."""

    def insert(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Write rows of entries that must wait: they have no `seq`."""

    def unnumbered(self, connection: Connection, *, subject: str = "") -> bool:
        """Whether anything waits, or anything of this subject."""


class AtOnce:
    """One transaction writes at a time, so it numbers what it writes."""

    def claim(self, connection: Connection, *, wait: bool) -> bool:
        """Always."""
        del connection, wait
        return True

    def waiting(self, connection: Connection) -> Sequence[Waiting]:
        """Nothing ever waits."""
        del connection
        return ()

    def number(self, connection: Connection, first: int, waiting: Sequence[Waiting]) -> None:
        """Nothing ever waits."""

    def insert(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Nothing ever waits."""

    def unnumbered(self, connection: Connection, *, subject: str = "") -> bool:
        """Nothing ever waits."""
        del connection, subject
        return False
