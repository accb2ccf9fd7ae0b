"""The SQLite file: connections, transactions, schema, and SQLite's errors in our words."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from governance.errors import LedgerError, LedgerTooNewError
from governance.files import sync
from governance_adapters.storage.tables import METADATA, READABLE_REVISIONS, SCHEMA_REVISION

_MIGRATIONS = Path(__file__).parent / "migrations"

# What SQLite calls an error, what it means here, and what can be done; the longest matching prefix of the name wins.
_CAUSES = (
    (
        "SQLITE_BUSY",
        "another program keeps it locked",
        "Close what holds the database open for writing, then try again.",
    ),
    (
        "SQLITE_LOCKED",
        "another program keeps it locked",
        "Close what holds the database open for writing, then try again.",
    ),
    ("SQLITE_READONLY", "the file or its folder is read-only", "Make both writable for this user."),
    ("SQLITE_CANTOPEN", "the file cannot be opened", "Check that the file and its folder exist and are writable."),
    ("SQLITE_PERM", "access is denied", "Make the file and its folder accessible to this user."),
    ("SQLITE_FULL", "the disk is full", "Free some disk space, then try again."),
    ("SQLITE_NOTADB", "the file is not a ledger database", "Name the ledger's file, or restore it from a backup."),
    ("SQLITE_CORRUPT", "the file is damaged", "Restore it from a backup and run `governance ledger verify`."),
    ("SQLITE_IOERR", "the disk reports an error", "Check the disk and its free space, then try again."),
    ("SQLITE_CONSTRAINT", "it holds this record already, or one that contradicts it", "Use fresh ids."),
)


def translated(error: SQLAlchemyError | sqlite3.Error, path: Path) -> LedgerError:
    """The LedgerError that says what a database error means and what can be done."""
    name = error_name(error)
    for prefix, meaning, remedy in _CAUSES:
        if name.startswith(prefix):
            return LedgerError(f"The ledger {path} cannot be used: {meaning}.", remedy=remedy)
    cause = getattr(error, "orig", None) or error
    return LedgerError(f"The ledger {path} cannot be used: {cause}.", remedy="Run `governance doctor`.")


def error_name(error: BaseException) -> str:
    """SQLite's own name of an error, such as `SQLITE_BUSY`, or an empty string."""
    return str(getattr(getattr(error, "orig", None) or error, "sqlite_errorname", ""))


class Database:
    """One SQLite file and its connection pools: one for the single writer, one for readers.

    Writers run `BEGIN IMMEDIATE` under WAL with `synchronous=FULL`; readers see one snapshot a transaction and cannot
    write. Connections must not cross a fork: after one, make a new Database.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = 10.0, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._busy_timeout_s = busy_timeout_s
        self._writers = self._engine("BEGIN IMMEDIATE", self._connect_writer, size=1)
        self._readers = self._engine("BEGIN", self._connect_reader, size=4)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds the write lock and commits durably at the end of the block.

        Raises:
            SQLAlchemyError: untranslated, for the writer to tell causes apart; nothing was written.
        """
        with self._writers.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A snapshot.

        Raises:
            LedgerError: the database cannot be read.
        """
        try:
            with self._readers.connect() as connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise translated(error, self.path) from error

    def close(self) -> None:
        """Close every connection."""
        self._readers.dispose()
        self._writers.dispose()

    def _engine(self, begin: str, connect: Callable[[], sqlite3.Connection], *, size: int) -> Engine:
        engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=size, max_overflow=-1)

        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        event.listen(engine, "begin", start)
        return engine

    def _connect_writer(self) -> sqlite3.Connection:
        connection = self._connect(self.path.as_uri() + "?mode=rw")
        try:
            _use_wal(connection, self._busy_timeout_s)
            connection.execute("PRAGMA synchronous=FULL")
        except BaseException:  # Ctrl-C too: nobody else would close it; raised again
            connection.close()
            raise
        return connection

    def _connect_reader(self) -> sqlite3.Connection:
        uri = self.path.as_uri() + ("?mode=ro" if self.read_only else "?mode=rw")
        if (
            self.read_only
            and not self.path.with_name(self.path.name + "-wal").exists()
            and not _writable(self.path.parent)
        ):
            # A copy in a folder where SQLite cannot make its -shm file, and nothing is left in a log: it cannot change.
            uri += "&immutable=1"
        connection = self._connect(uri)
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _connect(self, uri: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys=ON")
        return connection


def create_file(path: Path) -> None:
    """Make an empty database that only this user can read (it will hold personal data), and its folder.

    Raises:
        LedgerError: the folder or the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            sync(path.parent)
    except OSError as error:
        raise LedgerError(
            f"The ledger {path} cannot be made: {error.strerror or error}.",
            remedy="Name a folder that this user can write to.",
        ) from error


def upgrade_schema(connection: Connection, path: Path, *, create: bool = True) -> None:
    """Bring the schema up to this code's, inside the caller's transaction. With `create` an empty file gets all of it.

    Raises:
        LedgerTooNewError: the schema is newer than this code.
        LedgerError: the file is some other program's database, or empty and not to be filled.
    """
    found = _revision(connection, path)
    if not found and not create:
        raise _empty(path)
    if found == SCHEMA_REVISION:
        return
    # Imported where used: a ledger that is up to date, the common case, opens without it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes.update(connection=connection, metadata=METADATA)
    if found:
        try:
            ScriptDirectory.from_config(config).get_revision(found)
        except CommandError as error:
            raise _too_new(path, found) from error
    command.upgrade(config, "head")


def check_schema(connection: Connection, path: Path) -> None:
    """For readers, who change nothing: the schema must be one that this code can read.

    Raises:
        LedgerTooNewError: the schema is not known to this code.
        LedgerError: there is no ledger in this file.
    """
    found = _revision(connection, path)
    if not found:
        raise _empty(path)
    if found not in READABLE_REVISIONS:
        raise _too_new(path, found)


def _revision(connection: Connection, path: Path) -> str:
    """The schema's revision; an empty string for an empty database."""
    tables = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())
    if not tables:
        return ""
    if "alembic_version" not in tables:
        raise LedgerError(
            f"{path} is a database, but not a ledger.", remedy="Name the ledger's file, or a file that does not exist."
        )
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none())


def _empty(path: Path) -> LedgerError:
    return LedgerError(
        f"The ledger {path} is empty.",
        remedy="Restore it from a backup; if it never held anything, remove it and run `governance init`.",
    )


def _too_new(path: Path, revision: str) -> LedgerTooNewError:
    return LedgerTooNewError(
        f"The ledger {path} has schema {revision}; this program knows {SCHEMA_REVISION}.",
        remedy="Upgrade diffusion-governance.",
    )


def _use_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Switch to WAL, once for the life of the file. SQLite does not wait for the lock here, so we do."""
    deadline = time.monotonic() + timeout_s
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not error_name(error).startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            if mode != "wal":
                raise LedgerError(
                    f"SQLite cannot keep a write-ahead log here; it offers {mode!r}.",
                    remedy="Put the ledger on a local disk, not on a network file system.",
                )


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
