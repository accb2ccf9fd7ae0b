"""What an open ledger holds in one process: connections, the writer thread, its claims."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

from sqlalchemy import Connection

from governance.checkpoint import LogSigner
from governance.errors import LedgerError
from governance_adapters.storage import claims
from governance_adapters.storage.database import Database
from governance_adapters.storage.tree import Log
from governance_adapters.storage.writer import Writer


class Held:
    """What a ledger holds in one process and must not share with another: connections, the writer, its claims."""

    def __init__(self, database: Database, signer: LogSigner | None) -> None:
        self.pid = os.getpid()
        self.database = database
        self.owners = database.owners()
        self.marks: dict[tuple[str, str], Iterator[int]] = {}
        self.running: set[str] = set()
        """Generations whose claims this ledger began and nobody has ended, whether or not that could be written."""
        self._signer = signer
        self._writer: Writer | None = None
        self.lock = threading.RLock()

    def writer(self) -> Writer:
        """The writer, started when it is first needed."""
        if self._signer is None:
            raise LedgerError("The ledger was opened for reading only.", remedy="Open it with the log's private key.")
        with self.lock:
            if self._writer is None:
                log, numbering = Log(self._signer), self.database.numbering(self._signer)
                self._writer = Writer(self.database, log, numbering, self._lost)
            return self._writer

    def owner(self) -> str:
        """The name under which this process claims requests."""
        with self.lock:
            return self.owners.own()

    def close(self) -> None:
        """Commit what waits and let go of everything; in a forked child only of the parent's claims."""
        if self.pid != os.getpid():
            self.forget()
            return
        if self._writer is not None:
            self._writer.close()
        self.owners.close()
        self.database.close()

    def forget(self) -> None:
        """In a forked child: leave the parent's claims and connections alone."""
        self.owners.forget()

    def _lost(self, connection: Connection) -> set[str]:
        """The running generations whose claims somebody else took for abandoned while no connection held them."""
        return set(claims.lost(connection, self.owners.own(), set(self.running))) if self.running else set()


class Slot:
    """Where a ledger keeps what it holds, so that closing it does not need the ledger itself."""

    def __init__(self, held: Held) -> None:
        self.held: Held | None = held

    def close(self) -> None:
        """Close what is held; doing so again does nothing."""
        held, self.held = self.held, None
        if held is not None:
            held.close()
