"""PostgreSQL: any number of transactions write entries at once; whoever has the lock numbers what has arrived, together.

The order in which rows got their identity is not the order in which they became visible, so a counter would leave gaps
that fill later. Here an entry has no index until a transaction that is alone in doing so gives it one and signs.

Whoever numbers signs what others wrote. So each waiting row carries a code that only a holder of the log's private key can
make: a row that somebody else put into the table is never signed.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    exists,
    insert,
    select,
    text,
)

from governance.checkpoint import LogSigner
from governance.errors import ProofError
from governance_adapters.storage.guards import guard, key_of
from governance_adapters.storage.numbering import BATCH, Waiting

NUMBERING: Final = ("ledger", "numbering")

# The table as PostgreSQL has it; `tables.ENTRY` is what both databases share.
_ENTRY: Final = Table(
    "entry",
    MetaData(),
    Column("id", String, primary_key=True),
    *(Column(name, String) for name in ("kind", "subject", "time", "asset_digest")),
    Column("seq", BigInteger),
    Column("arrival", BigInteger),
    Column("voucher", LargeBinary),
    Column("leaf", LargeBinary),
)
_TRY: Final = text("SELECT pg_try_advisory_xact_lock(:key)")
_WAITS: Final = _ENTRY.c.seq.is_(None)
_BATCH: Final = (
    select(_ENTRY.c.id, _ENTRY.c.leaf, _ENTRY.c.voucher).where(_WAITS).order_by(_ENTRY.c.arrival).limit(BATCH)
)
_INSERT: Final = insert(_ENTRY)
_NUMBER: Final = _ENTRY.update().where(_ENTRY.c.id == bindparam("of_id")).values(seq=bindparam("index"), voucher=None)
_ANY: Final = select(exists().where(_WAITS))
_ANY_OF_SUBJECT: Final = select(exists().where(_WAITS, _ENTRY.c.subject == bindparam("of_subject")))


class InBatches:
    """See `numbering.Numbering`."""

    def __init__(self, signer: LogSigner) -> None:
        self._signer = signer

    def claim(self, connection: Connection, *, wait: bool) -> bool:
        """See `Numbering.claim`."""
        if wait:
            guard(connection, *NUMBERING)
            return True
        return bool(connection.execute(_TRY, {"key": key_of(*NUMBERING)}).scalar_one())

    def waiting(self, connection: Connection) -> Sequence[Waiting]:
        """See `Numbering.waiting`."""
        rows = connection.execute(_BATCH).all()
        for row in rows:
            if not hmac.compare_digest(bytes(row.voucher or b""), self._signer.vouch(bytes(row.leaf))):
                raise ProofError(
                    f"Entry {row.id!r} waits for its index, but nobody who holds the log's key wrote it.",
                    remedy="Find out who writes to the database; delete that row, then try again.",
                )
        return [Waiting(row.id, bytes(row.leaf)) for row in rows]

    def number(self, connection: Connection, first: int, waiting: Sequence[Waiting]) -> None:
        """See `Numbering.number`."""
        if waiting:
            rows = [{"of_id": each.id, "index": first + at} for at, each in enumerate(waiting)]
            connection.execute(_NUMBER, rows)

    def insert(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """See `Numbering.insert`."""
        vouched = [{**row, "voucher": self._signer.vouch(row["leaf"])} for row in rows]
        connection.execute(_INSERT, vouched)

    def unnumbered(self, connection: Connection, *, subject: str = "") -> bool:
        """See `Numbering.unnumbered`."""
        return unnumbered(connection, subject)


def unnumbered(connection: Connection, subject: str = "") -> bool:
    """Whether anything waits for an index, or anything of this subject."""
    question = _ANY_OF_SUBJECT if subject else _ANY
    return bool(connection.execute(question, {"of_subject": subject} if subject else {}).scalar_one())
