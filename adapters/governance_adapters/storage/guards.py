"""One at a time, by name: what reads before it writes must not be overtaken between the two.

SQLite lets one transaction write at a time, so nothing is needed there. PostgreSQL lets many, and a row that is not there
yet cannot be locked; a name can.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy import Connection, text

_DOMAIN: Final = b"diffusion-governance/guard/v1"
_TAKE: Final = text("SELECT pg_advisory_xact_lock(:key)")


def guard(connection: Connection, kind: str, *names: str) -> None:
    """Until this transaction ends, whoever else guards the same name waits.

    Raises:
        SQLAlchemyError: others kept it too long, or two transactions wait for each other.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_TAKE, {"key": key_of(kind, *names)})


def key_of(kind: str, *names: str) -> int:
    """The 64-bit key of PostgreSQL's advisory lock of this name. Two names on one key only wait without need."""
    state = hashlib.sha256(_DOMAIN)
    for name in (kind, *names):
        content = name.encode("utf-8", "surrogatepass")
        state.update(b"\0" + len(content).to_bytes(8) + content)
    return int.from_bytes(state.digest()[:8], signed=True)
