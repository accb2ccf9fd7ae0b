"""The PostgreSQL database of a ledger: connections, transactions, claims by session, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Connection, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from governance.checkpoint import LogSigner
from governance.errors import ConfigurationError, LedgerError
from governance.types import new_id
from governance_adapters.storage.backup import copy_into_file
from governance_adapters.storage.database import Cause, Owners, pooled, told
from governance_adapters.storage.guards import guard, key_of
from governance_adapters.storage.numbering import Numbering
from governance_adapters.storage.waiting import NUMBERING, InBatches, unnumbered

if TYPE_CHECKING:
    from governance_adapters.storage.transaction import Transaction
    from governance_adapters.storage.writer import Writer

DRIVERS: Final = ("postgresql", "postgresql+psycopg", "postgres")
_OPTIONS: Final = {"connect_timeout": "10", "application_name": "diffusion-governance"}
_IDLE_SESSIONS_END: Final = 140_000
"""The first version of PostgreSQL that can end sessions that are idle."""
_SNAPSHOTS: Final = 100
"""How often a snapshot is tried before a ledger is too busy for one."""
_OWNER: Final = "owner"
_SESSION: Final = (
    "SET synchronous_commit = on",  # what is acknowledged is on disk, whatever the server's default
    "SET client_encoding = 'UTF8'",
    "SET default_transaction_isolation = 'read committed'",  # behind a lock, what others committed is seen
    "SET default_transaction_read_only = off",
    "SET statement_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    "SET tcp_keepalives_idle = 30",  # a machine that vanished loses its session, and with it its claims
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
)

# PostgreSQL's SQLSTATE, appendix A of its manual; the longest matching prefix comes first.
_CAUSES: Final[tuple[Cause, ...]] = (
    ("53100", "the disk of the database server is full", "Free some space there, then try again."),
    ("53300", "the database server takes no more connections", "Raise max_connections, or run fewer processes."),
    ("55P03", "another program keeps it locked", "Close what holds the ledger's tables locked, then try again."),
    ("57014", "the database server took too long", "Look at what the server is busy with, then try again."),
    ("28", "the database server refuses this user", "Check user, password file and pg_hba.conf."),
    ("3D000", "there is no such database", "Make it with createdb, or name another one."),
    ("42501", "this user lacks a privilege", "Let the user own the ledger's tables."),
    ("25006", "the database only takes readers: a standby, or a user who may only read", "Name the primary."),
    ("22021", "the database does not keep Unicode", "Make it with ENCODING 'UTF8'."),
    ("23", "it holds this record already, or one that contradicts it", "Use fresh ids."),
    ("40", "two transactions got in each other's way", "Try again."),
    (
        "08",
        "the connection to the database server broke, or cannot be made",
        "Check that the server runs, the URL, user and password file, and pg_hba.conf; then try again.",
    ),
    ("57P", "the database server is going down or starting", "Wait until it runs, then try again."),
)
_NO_CODE: Final = "08"
"""An error without SQLSTATE comes from the connection itself."""
_BROKEN: Final = ("08", "57P")
_OF_ALL: Final = (*_BROKEN, "25006", "28", "3D000", "42501", "53", "55P03")


def parsed_url(address: str) -> URL:
    """The URL of a PostgreSQL database, such as `postgresql://ledger@db.example.org/governance`.

    Raises:
        ConfigurationError: it is no such URL.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        raise _no_url() from error
    if url.drivername not in DRIVERS or not url.database:
        raise _no_url()
    return url.set(drivername="postgresql+psycopg")


class PostgresDatabase:
    """One database, its one connection for writing and its pool of readers.

    Writers run READ COMMITTED, on one connection whose session also holds this ledger's claims; readers see one snapshot
    a transaction and cannot write. A proxy that gives one session to several clients in turn breaks both.
    """

    def __init__(self, url: URL, *, busy_timeout_s: float = 10.0) -> None:
        self._url = url
        self._busy_timeout_ms = max(1, round(busy_timeout_s * 1000))
        self._owners = SessionOwners()
        self.sessions = 0
        address = "postgresql+psycopg://"
        self._writers = pooled(address, self._connect_writer, (), readers=False)
        self._readers = pooled(
            address,
            self._connect,
            ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",),
            readers=True,
            pings=True,
        )

    @property
    def name(self) -> str:
        """The URL without its options; stars in place of a password."""
        return self._url.set(drivername="postgresql", query={}).render_as_string()

    @property
    def address(self) -> str:
        """The whole URL, for a process of ours."""
        return self._url.render_as_string(hide_password=False)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """See `Database.writing`; others write at the same time."""
        with self._writers.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """See `Database.reading`."""
        try:
            with self._readers.connect() as connection:
                yield connection
        except (SQLAlchemyError, psycopg.Error) as error:
            raise self.translated(error) from error

    def lock(self, connection: Connection) -> None:
        """See `Database.lock`."""
        guard(connection, *NUMBERING)

    def translated(self, error: BaseException) -> LedgerError:
        """See `Database.translated`."""
        return told(_CAUSES, self.name, _code(error), error)

    def concerns_all(self, error: BaseException) -> bool:
        """See `Database.concerns_all`."""
        return _code(error).startswith(_OF_ALL)

    def broken(self, error: BaseException) -> bool:
        """See `Database.broken`."""
        return _code(error).startswith(_BROKEN)

    def owners(self) -> Owners:
        """Claims are held by the session of the connection for writing."""
        return self._owners

    def numbering(self, signer: LogSigner) -> Numbering:
        """Entries wait for whoever may number them."""
        return InBatches(signer)

    def damage(self, connection: Connection) -> Iterator[str]:
        """A setting by which a crash of the server could lose what was acknowledged; its files are the server's to check."""
        for setting in ("fsync", "full_page_writes"):
            if connection.exec_driver_sql(f"SHOW {setting}").scalar() != "on":
                yield f"the server runs with {setting} off, so a crash of it may lose or damage entries"

    def copy_to(self, path: Path, writer: Writer) -> None:
        """See `Database.copy_to`.

        What waits for an index cannot be copied without one. So the snapshot is taken at a moment when nothing does,
        right behind a transaction that let nobody write until all had their index.
        """
        for _ in range(_SNAPSHOTS):
            writer.do(_number_alone)
            with self.reading() as connection:
                if not unnumbered(connection):
                    copy_into_file(connection, path)
                    return
        raise LedgerError(f"The ledger {self.name} is too busy to be copied.", remedy="Try again when less is written.")

    def purge(self) -> None:
        """Let dead rows leave the tables that hold personal data."""
        try:
            connection = self._connect()
        except psycopg.Error as error:
            raise self.translated(error) from error
        try:
            connection.autocommit = True
            for table in ("personal_field", "posting", "claim", "usage", "hold", "mark", "legal_hold"):
                connection.execute(f"VACUUM {table}")  # names of our own tables
        except psycopg.Error as error:
            raise self.translated(error) from error
        finally:
            connection.close()

    def close(self) -> None:
        """Close every connection."""
        self._readers.dispose()
        self._writers.dispose()

    def _connect_writer(self) -> Any:
        """A new session; it waits until the one before it is gone, so that what that did is final."""
        connection = self._connect()
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", (key_of(_OWNER, self._owners.own()),))
            connection.commit()
        except psycopg.errors.LockNotAvailable as error:  # no record is to blame, and nobody knows what that one did
            connection.close()
            raise psycopg.OperationalError("the session before this one is not over yet") from error
        except BaseException:  # Ctrl-C too: nobody else would close it; raised again
            connection.close()
            raise
        self.sessions += 1
        return connection

    def _connect(self) -> Any:
        ours = {name: value for name, value in _OPTIONS.items() if name not in self._url.query}
        uri = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg.connect(make_conninfo(uri, **ours))
        try:
            for statement in (*_SESSION, f"SET lock_timeout = {self._busy_timeout_ms}"):
                connection.execute(statement)
            if connection.info.server_version >= _IDLE_SESSIONS_END:
                connection.execute("SET idle_session_timeout = 0")  # claims live as long as their session
            connection.commit()
        except BaseException:  # Ctrl-C too: nobody else would close it; raised again
            connection.close()
            raise
        return connection


def _number_alone(transaction: Transaction) -> None:
    """Number all that waits, while nobody writes. The right to number comes first: who has it may wait for the table."""
    transaction.number()
    transaction.connection.exec_driver_sql("LOCK TABLE entry IN SHARE MODE")
    while unnumbered(transaction.connection):
        transaction.number()


class SessionOwners:
    """Claims by advisory locks of sessions: the server drops them however the process ends. See `database.Owners`."""

    def __init__(self) -> None:
        self._own = new_id()

    def own(self) -> str:
        """See `Owners.own`; the lock is taken with each connection for writing."""
        return self._own

    def alive(self, owner: str, connection: Connection) -> bool:
        """See `Owners.alive`."""
        key = key_of(_OWNER, owner) & (2**64 - 1)
        return bool(connection.execute(_HELD, {"high": key >> 32, "low": key & (2**32 - 1)}).scalar_one())

    def sweep(self) -> None:
        """A session that ended leaves nothing."""

    def close(self) -> None:
        """The lock goes with the connection."""

    def forget(self) -> None:
        """The parent's connection is the parent's."""


# A 64-bit key stands in pg_locks in two halves; objsubid 1 tells it from a pair of 32-bit ones.
_HELD: Final = text(
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = CAST(:high AS bigint)::oid AND objid = CAST(:low AS bigint)::oid)"
)


def _code(error: BaseException) -> str:
    """The SQLSTATE of an error."""
    cause = getattr(error, "orig", None) or error
    return str(getattr(cause, "sqlstate", None) or (_NO_CODE if isinstance(cause, psycopg.OperationalError) else ""))


def _no_url() -> ConfigurationError:
    # Without quoting it: it may hold a password.
    return ConfigurationError(
        "`database_url` is not the URL of a PostgreSQL database.",
        remedy="Write it as postgresql://user@host:5432/database; keep the password in a password file (PGPASSFILE).",
    )
