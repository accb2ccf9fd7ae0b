"""The SQLite file of a ledger: connections, transactions, and SQLite's errors in our words."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from governance.checkpoint import LogSigner
from governance.errors import LedgerError
from governance.files import sync
from governance_adapters.storage.database import Cause, Owners, pooled, told
from governance_adapters.storage.numbering import AtOnce, Numbering
from governance_adapters.storage.owners import FOLDER_SUFFIX, FileOwners

if TYPE_CHECKING:
    from governance_adapters.storage.writer import Writer

_URL: Final = "sqlite://"
_LOG_PAGES: Final = 8192
"""Pages (4 KiB) in the write-ahead log from which on they are brought home, which takes two flushes more than a commit.

SQLite's own 1000 are what two commits of many entries write, for each term of the index is on a page of its own.
"""

# The longest matching prefix of SQLite's own name of an error comes first.
_CAUSES: Final[tuple[Cause, ...]] = (
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


def error_name(error: BaseException) -> str:
    """SQLite's own name of an error, such as `SQLITE_BUSY`, or an empty string."""
    return str(getattr(getattr(error, "orig", None) or error, "sqlite_errorname", ""))


class SqliteDatabase:
    """One SQLite file and its connection pools: one for the single writer, one for readers.

    Writers run `BEGIN IMMEDIATE` under WAL with `synchronous=FULL`; readers see one snapshot a transaction and cannot
    write. What is deleted is overwritten in the file. Connections must not cross a fork: after one, make a new one.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = 10.0, read_only: bool = False) -> None:
        self.path = path
        self.sessions = 0
        self.read_only = read_only
        self._busy_timeout_s = busy_timeout_s
        self._writers = pooled(_URL, self._connect_writer, ("BEGIN IMMEDIATE",), readers=False)
        self._readers = pooled(_URL, self._connect_reader, ("BEGIN",), readers=True)

    @property
    def name(self) -> str:
        """The file."""
        return str(self.path)

    @property
    def address(self) -> str:
        """The file."""
        return str(self.path)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """See `Database.writing`; holds the write lock."""
        with self._writers.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """See `Database.reading`."""
        try:
            with self._readers.connect() as connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self.translated(error) from error

    def lock(self, connection: Connection) -> None:
        """A transaction that writes is alone anyway."""

    def translated(self, error: BaseException) -> LedgerError:
        """See `Database.translated`."""
        return told(_CAUSES, self.name, error_name(error), error)

    def concerns_all(self, error: BaseException) -> bool:
        """See `Database.concerns_all`. (Trying one by one would wait for the lock as often as there are callers.)"""
        return error_name(error).startswith(("SQLITE_BUSY", "SQLITE_READONLY"))

    def broken(self, error: BaseException) -> bool:
        """A file has no connection that could break."""
        del error
        return False

    def owners(self) -> Owners:
        """Claims are by lock files beside the database."""
        return FileOwners(self.path.with_name(self.path.name + FOLDER_SUFFIX))

    def numbering(self, signer: LogSigner) -> Numbering:
        """The one transaction that writes numbers what it writes."""
        del signer
        return AtOnce()

    def damage(self, connection: Connection) -> Iterator[str]:
        """See `Database.damage`."""
        for line in connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars():
            if line != "ok":
                yield str(line)

    def copy_to(self, path: Path, writer: Writer) -> None:
        """See `Database.copy_to`: page by page, in one snapshot."""
        del writer  # what is written here has its index already
        copy_file(self.path, path)

    def purge(self) -> None:
        """Bring the write-ahead log home and empty it: earlier contents of pages stand in it."""
        try:
            with closing(self._connect(self.path.as_uri() + "?mode=rw")) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise self.translated(error) from error

    def close(self) -> None:
        """Close every connection."""
        self._readers.dispose()
        self._writers.dispose()

    def _connect_writer(self) -> sqlite3.Connection:
        connection = self._connect(self.path.as_uri() + "?mode=rw")
        try:
            _use_wal(connection, self._busy_timeout_s)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
        except BaseException:  # Ctrl-C too: nobody else would close it; raised again
            connection.close()
            raise
        self.sessions += 1
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


def copy_file(source: Path, target: Path) -> None:
    """Copy a database, with what stands in a log beside it, page by page and in one snapshot, into the file `target`.

    Raises:
        LedgerError: it cannot be read or written.
    """
    try:
        with closing(_file(source, mode="ro")) as reading, closing(_file(target)) as writing:
            reading.backup(writing)
        make_whole(target)
    except sqlite3.Error as error:
        raise told(_CAUSES, str(source), error_name(error), error) from error


def make_whole(path: Path) -> None:
    """Bring everything of a database that nobody uses into its one file: so it can be copied, and read where it is.

    Raises:
        sqlite3.Error: somebody uses it.
    """
    with closing(_file(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")


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


def _file(path: Path, *, mode: str = "rw") -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)


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
