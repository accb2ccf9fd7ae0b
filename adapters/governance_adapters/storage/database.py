"""What the ledger asks of a database: transactions that write, snapshots, and its errors in our words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from governance.checkpoint import LogSigner
from governance.errors import LedgerError
from governance_adapters.storage.numbering import Numbering

if TYPE_CHECKING:
    from governance_adapters.storage.writer import Writer

_READERS: Final = 4

Cause = tuple[str, str, str]
"""How the name of an error begins, what it means, and what can be done."""


class Owners(Protocol):
    """Says under which name this process claims requests, and whether another's process is still there."""

    def own(self) -> str:
        """The name under which this ledger claims requests, alive from now on until `close`.

        Raises:
            LedgerError: it cannot be made known.
        """

    def alive(self, owner: str, connection: Connection) -> bool:
        """Whether the ledger instance `owner` still runs, on this machine or another; asked inside a transaction.

        Raises:
            LedgerError: that cannot be found out.
        """

    def sweep(self) -> None:
        """Remove what vanished owners left lying about."""

    def close(self) -> None:
        """Give up every claim that is still open."""

    def forget(self) -> None:
        """After a fork, in the child: leave the parent's claims alone."""


class Database(Protocol):
    """One database and its connections, which must not cross a fork: after one, make a new Database.

    `name` is what messages call it. `sessions` counts the connections that were made for writing: claims may live no
    longer than one.
    """

    @property
    def name(self) -> str:
        """What messages call it; no password."""

    @property
    def address(self) -> str:
        """Where another process of ours finds it: a path, or a URL, with its password."""

    @property
    def sessions(self) -> int:
        """How many connections for writing were made so far."""

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that commits durably at the end of the block.

        Raises:
            SQLAlchemyError: untranslated, for the writer to tell causes apart; nothing was written, unless the
                connection broke in the middle of the commit.
        """

    def reading(self) -> AbstractContextManager[Connection]:
        """A snapshot.

        Raises:
            LedgerError: the database cannot be read.
        """

    def lock(self, connection: Connection) -> None:
        """Until this transaction ends, nobody else opens the ledger or numbers entries."""

    def translated(self, error: BaseException) -> LedgerError:
        """The LedgerError that says what a database error means and what can be done."""

    def concerns_all(self, error: BaseException) -> bool:
        """Whether no record is to blame: the database is locked, read-only or gone."""

    def broken(self, error: BaseException) -> bool:
        """Whether the connection broke, so that nobody knows yet whether a commit landed."""

    def owners(self) -> Owners:
        """Who holds claims here."""

    def numbering(self, signer: LogSigner) -> Numbering:
        """When entries get their index."""

    def damage(self, connection: Connection) -> Iterator[str]:
        """One line per fault that the database finds in its own files."""

    def copy_to(self, path: Path, writer: Writer) -> None:
        """Copy everything, as it stands at one moment, into the empty SQLite file `path`; writers go on.

        Raises:
            LedgerError: the database cannot be read, or the file cannot be written.
        """

    def purge(self) -> None:
        """After an erasure: let what was deleted leave the files, as far as this database can be told to."""

    def close(self) -> None:
        """Close every connection."""


def pooled(url: str, connect: Callable[[], Any], begin: Sequence[str], *, readers: bool, pings: bool = False) -> Engine:
    """An engine whose connections come from `connect` and whose transactions begin with the statements `begin`.

    With `pings` a connection that broke while nobody used it is replaced before somebody does.
    """
    engine = create_engine(
        url,
        creator=connect,
        poolclass=QueuePool,
        pool_size=_READERS if readers else 1,
        max_overflow=-1,
        pool_pre_ping=pings,
    )

    def start(connection: Connection) -> None:
        for statement in begin:
            connection.exec_driver_sql(statement)

    event.listen(engine, "begin", start)
    return engine


def told(causes: Sequence[Cause], ledger: str, code: str, error: BaseException) -> LedgerError:
    """The LedgerError of the first of `causes` that an error's `code` begins with."""
    for prefix, meaning, remedy in causes:
        if code.startswith(prefix):
            return LedgerError(f"The ledger {ledger} cannot be used: {meaning}.", remedy=remedy)
    cause = getattr(error, "orig", None) or error
    return LedgerError(f"The ledger {ledger} cannot be used: {cause}.", remedy="Run `governance doctor`.")
