"""The API keys of an installation: a SQLite file that holds a digest of each secret, never the secret."""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from governance.errors import ConfigurationError, StorageError
from governance.files import sync
from governance.review_facts import Act

PREFIX: Final = "dgk"
"""What every key begins with, so that a leaked one is found by a search."""
SECRET_BYTES: Final = 32
_DOMAIN: Final = b"diffusion-governance/api-key/v1"
_KEY: Final = re.compile(rf"{PREFIX}_([0-9a-f]{{16}})_([A-Za-z0-9_-]{{43}})", re.ASCII)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS api_key (
    id TEXT PRIMARY KEY, digest BLOB NOT NULL, principal TEXT NOT NULL, roles TEXT NOT NULL, scopes TEXT NOT NULL,
    created TEXT NOT NULL, expires TEXT NOT NULL, revoked TEXT NOT NULL, revocation TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS cursor_key (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL) STRICT;
"""
_ALL: Final = "SELECT id, digest, principal, roles, scopes, created, expires, revoked, revocation FROM api_key"
_ONE: Final = _ALL + " WHERE id = ?"
_IN_ORDER: Final = _ALL + " ORDER BY rowid"
_FORGET: Final = """
DELETE FROM api_key WHERE principal = ? AND (revoked != '' OR expires <= ?) AND id NOT IN (SELECT value FROM json_each(?))
"""
_ADD: Final = "INSERT INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of one key: whose it is and what it is for. Times are RFC 3339 in UTC.

    `revoked` is when it was revoked and `revocation` the id of the entry that says so; both empty while it is not.
    """

    id: str
    digest: bytes
    principal: str
    roles: tuple[str, ...]
    scopes: tuple[Act, ...]
    created: str
    expires: str
    revoked: str = ""
    revocation: str = ""

    def valid(self, now: str) -> bool:
        """Whether it is neither revoked nor expired at `now`."""
        return not self.revoked and now < self.expires


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just drawn: its id, and the text that its owner sends. The text is kept nowhere."""

    id: str
    text: str

    @classmethod
    def draw(cls) -> NewKey:
        """A fresh id, and 256 random bits."""
        key_id = secrets.token_hex(8)
        return cls(key_id, f"{PREFIX}_{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}")

    @property
    def digest(self) -> bytes:
        """What is kept of it."""
        return _digest(self.text)


class ApiKeyFile:
    """The keys in one SQLite file of mode 0600. For any number of threads; a fork, or another file in its place, opens it again.

    A secret has 256 random bits, so one SHA-256 is enough: there is nothing to guess slowly.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open, and make the file where there is none.

        Raises:
            ConfigurationError: other users may read or write the file.
            StorageError: it cannot be made, or is something else.
        """
        self.path = Path(path).absolute()
        self._local = threading.local()
        with self._told():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
                sync(self.path.parent)
            mode = self.path.stat().st_mode & 0o777
            if mode & 0o077:
                raise ConfigurationError(
                    f"{self.path} is open to other users (mode {mode:04o}).", remedy=f"Run `chmod 600 {self.path}`."
                )
            connection = self._connection()
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_SCHEMA)

    def add(self, key: ApiKey) -> None:
        """Keep a new key.

        Raises:
            StorageError: it cannot be written, or there is a key of this id.
        """
        row = (
            key.id, key.digest, key.principal, json.dumps(key.roles), json.dumps(key.scopes), key.created, key.expires,
            key.revoked, key.revocation,
        )  # fmt: skip
        with self._told(), self._connection() as connection:
            connection.execute(_ADD, row)

    def revoke(self, key_id: str, now: str) -> ApiKey:
        """From now on this key opens nothing; the time of a first revocation stays.

        Raises:
            StorageError: there is no such key, or it cannot be written.
        """
        with self._told(), self._connection() as connection:
            connection.execute("UPDATE api_key SET revoked = ? WHERE id = ? AND revoked = ''", (now, key_id))
        return self._known(key_id)

    def recorded(self, key_id: str, entry_id: str) -> None:
        """Note which entry says that the key was revoked.

        Raises:
            StorageError: it cannot be written.
        """
        with self._told(), self._connection() as connection:
            connection.execute("UPDATE api_key SET revocation = ? WHERE id = ?", (entry_id, key_id))

    def forget(self, principal: str, now: str, kept: Collection[str] = ()) -> None:
        """Remove this person's keys that are revoked or expired at `now`, but for the ids in `kept`; what was deleted is
        overwritten.

        Raises:
            StorageError: they cannot be written.
        """
        with self._told():
            connection = self._connection()
            with connection:
                connection.execute("PRAGMA secure_delete=ON")
                connection.execute(_FORGET, (principal, now, json.dumps(list(kept))))
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def list(self) -> Sequence[ApiKey]:
        """All keys, in the order in which they were made.

        Raises:
            StorageError: they cannot be read.
        """
        with self._told():
            return [_key(row) for row in self._connection().execute(_IN_ORDER)]

    def find(self, text: str) -> ApiKey | None:
        """The key that `text` is, revoked and expired ones too; None where it is none of ours.

        The secret is compared in constant time. Whether there is a key of some id is no secret.

        Raises:
            StorageError: the keys cannot be read.
        """
        parts = _KEY.fullmatch(text)
        if parts is None:
            return None
        with self._told():
            row = self._connection().execute(_ONE, (parts[1],)).fetchone()
            found = None if row is None else _key(row)
        same = hmac.compare_digest(_digest(text), found.digest if found else bytes(32))
        return found if same else None

    def cursor_key(self) -> bytes:
        """32 bytes that cursors are signed with, drawn at the first call: cursors outlive a restart.

        Raises:
            StorageError: they cannot be read or written.
        """
        with self._told(), self._connection() as connection:
            drawn = secrets.token_bytes(SECRET_BYTES)
            connection.execute("INSERT OR IGNORE INTO cursor_key (id, key) VALUES (1, ?)", (drawn,))
            return bytes(connection.execute("SELECT key FROM cursor_key").fetchone()[0])

    def _known(self, key_id: str) -> ApiKey:
        with self._told():
            row = self._connection().execute(_ONE, (key_id,)).fetchone()
            if row is None:
                raise StorageError(
                    f"There is no API key {key_id!r}.", remedy="`governance api-keys list` shows the ids."
                )
            return _key(row)

    def _connection(self) -> sqlite3.Connection:
        """One for each thread; a new one after a fork, and where another file took the place of the one that was open:
        a key that was revoked there, or is not there, must not live on in the old one.
        """
        status = self.path.stat()
        wanted = os.getpid(), status.st_dev, status.st_ino
        if getattr(self._local, "opened", None) != wanted:
            self._local.connection = sqlite3.connect(self.path.as_uri() + "?mode=rw", uri=True, timeout=10)
            self._local.opened = wanted
        connection: sqlite3.Connection = self._local.connection
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            raise StorageError(
                f"The API keys in {self.path} cannot be used: {error}.",
                remedy="Check that the file is there, writable and a key file of ours.",
            ) from error


def _digest(text: str) -> bytes:
    return sha256(_DOMAIN + b"\0" + text.encode()).digest()


def _key(row: tuple[str, bytes, str, str, str, str, str, str, str]) -> ApiKey:
    key_id, kept, principal, roles, scopes, created, expires, revoked, revocation = row
    acts = tuple(Act(scope) for scope in json.loads(scopes))
    key = ApiKey(key_id, bytes(kept), principal, tuple(json.loads(roles)), acts, created, expires)
    return replace(key, revoked=revoked, revocation=revocation)
