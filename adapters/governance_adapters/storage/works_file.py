"""The file of the register of works: its schema, its connections, and the lock that one change at a time holds."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from governance.errors import WorkError
from governance.files import sync
from governance.types import new_id
from governance_adapters.storage.sqlite import error_name

SCHEMA_VERSION: Final = 1
_APPLICATION_ID: Final = 0x44475752
"""`DGWR`, in the file's header: SQLite keeps it for programs that tell their files apart."""

LOCK_SUFFIX: Final = ".lock"
_POLL_S: Final = 0.02

# A print's id is its signal's above its image's, 40 bits: the prints of one signal lie one behind the other, in the
# order of their images, so that an index is built by one sweep over the part of the file that it needs.
_SCHEMA: Final = (
    "CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), register TEXT NOT NULL, revision INTEGER NOT NULL)",
    """CREATE TABLE work (
        id TEXT PRIMARY KEY, title TEXT NOT NULL, owner TEXT NOT NULL, licence TEXT NOT NULL, action TEXT NOT NULL,
        added TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE image (
        id INTEGER PRIMARY KEY AUTOINCREMENT, work_id TEXT NOT NULL REFERENCES work (id), position INTEGER NOT NULL,
        digest TEXT NOT NULL UNIQUE, pixels_digest TEXT NOT NULL UNIQUE, UNIQUE (work_id, position)
    )""",
    "CREATE TABLE preview (image INTEGER PRIMARY KEY REFERENCES image (id), content BLOB NOT NULL, type TEXT NOT NULL)",
    "CREATE TABLE signal (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size INTEGER NOT NULL)",
    """CREATE TABLE print (
        id INTEGER PRIMARY KEY, variants TEXT NOT NULL, qualities BLOB NOT NULL, vals BLOB NOT NULL, crc INTEGER NOT NULL
    )""",
    """CREATE TABLE pending (
        work_id TEXT PRIMARY KEY REFERENCES work (id), entry_id TEXT NOT NULL, change TEXT NOT NULL, title TEXT NOT NULL,
        owner TEXT NOT NULL, licence TEXT NOT NULL, action TEXT NOT NULL
    ) WITHOUT ROWID""",
)

# The longest matching prefix of SQLite's own name of an error comes first.
_CAUSES: Final = (
    ("SQLITE_BUSY", "another program keeps it locked", "Close what holds it open for writing, then try again."),
    ("SQLITE_READONLY", "the file or its folder is read-only", "Make both writable for this user."),
    ("SQLITE_CANTOPEN", "the file cannot be opened", "Check that the file and its folder are accessible."),
    ("SQLITE_PERM", "access is denied", "Make the file and its folder accessible to this user."),
    ("SQLITE_FULL", "the disk is full", "Free some disk space, then try again."),
    ("SQLITE_NOTADB", "the file is not a register of works", "Name the register's file, or restore it from a backup."),
    ("SQLITE_CORRUPT", "the file is damaged", "Restore it from a backup, then run `governance doctor`."),
    ("SQLITE_IOERR", "the disk reports an error", "Check the disk and its free space, then try again."),
)


class WorksFile:
    """One SQLite file. Every use has a connection of its own, so any thread may come, and a fork takes nothing along."""

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        self.path = path
        self._busy_timeout_s = busy_timeout_s

    def create(self) -> None:
        """Make the file, readable for this user only, if there is none; an empty one gets the schema.

        Raises:
            WorkError: it cannot be made, or it is something else.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
                sync(self.path.parent)
        except OSError as error:
            raise self._unusable(error) from error
        with self._connected("rw") as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute("INSERT INTO state VALUES (1, ?, 0)", (new_id(),))
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")

    def check(self) -> None:
        """Refuse a file that this program cannot read.

        Raises:
            WorkError: there is none, it is something else, or it has another schema.
        """
        if not self.path.exists():
            raise WorkError(
                f"There is no register of works at {self.path}.",
                remedy="Run `governance init`, or restore it from its backup.",
            )
        with self._connected("ro") as connection:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != _APPLICATION_ID:
            raise WorkError(f"{self.path} is not a register of works.", remedy="Name the register's file.")
        if version != SCHEMA_VERSION:
            raise WorkError(
                f"The register {self.path} has schema {version}; this program knows {SCHEMA_VERSION}.",
                remedy="Upgrade diffusion-governance.",
            )

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One moment of the register.

        Raises:
            WorkError: it cannot be read.
        """
        with self._connected("ro") as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, durable at the end of the block; nothing of it remains where the block raises.

        Raises:
            WorkError: the register cannot be written.
        """
        with self._connected("rw") as connection:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def changing(self, timeout_s: float) -> Iterator[None]:
        """Hold the lock of changes: nobody else, in any process, is between a change and its entry meanwhile.

        The kernel lets go of it when the process ends, however it does.

        Raises:
            WorkError: somebody else held it until the time was over, or it cannot be locked.
        """
        try:
            descriptor = os.open(
                self.path.with_name(self.path.name + LOCK_SUFFIX), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise self._unusable(error) from error
        try:
            self._wait_for(descriptor, timeout_s)
            yield
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise WorkError(
                        f"Somebody else is changing the register {self.path}.", remedy="Try again in a moment."
                    ) from error
                time.sleep(_POLL_S)
            except OSError as error:
                raise self._unusable(error) from error

    @contextmanager
    def _connected(self, mode: str) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._connect(mode)) as connection:
                yield connection
        except UnicodeEncodeError as error:
            raise WorkError("This is no text that a register could hold.", remedy="Write valid Unicode.") from error
        except sqlite3.Error as error:
            name = error_name(error)
            for prefix, meaning, remedy in _CAUSES:
                if name.startswith(prefix):
                    raise WorkError(f"The register {self.path} cannot be used: {meaning}.", remedy=remedy) from error
            raise WorkError(
                f"The register {self.path} cannot be used: {error}.", remedy="Restore it from a backup."
            ) from error

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.as_uri()}?mode={mode}"
        wal = self.path.with_name(self.path.name + "-wal")
        if mode == "ro" and not wal.exists() and not os.access(self.path.parent, os.W_OK):
            uri += "&immutable=1"  # where SQLite cannot make its files and none are left, nothing can change
        connection = sqlite3.connect(uri, uri=True, timeout=self._busy_timeout_s, isolation_level=None)
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    def _unusable(self, error: OSError) -> WorkError:
        return WorkError(
            f"The register {self.path} cannot be used: {error.strerror or error}.",
            remedy="Name a place that this user can write to.",
        )
