"""Who holds a claim: each open ledger locks a file of its own beside the database, and the kernel unlocks it when the
process is gone, however it went.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection

from governance.errors import LedgerError
from governance.types import new_id

FOLDER_SUFFIX = ".owners"
"""What the folder of the lock files has behind the database's name. It stays: a ledger was at work here."""
_SUFFIX = ".lock"


class FileOwners:
    """Who holds claims on a ledger whose `folder` of lock files lies beside it: see `database.Owners`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: Owner | None = None

    def own(self) -> str:
        """See `Owners.own`."""
        if self._own is None:
            self._own = Owner(self._folder)
        return self._own.id

    def alive(self, owner: str, connection: Connection) -> bool:
        """See `Owners.alive`; the kernel knows."""
        del connection
        return alive(self._folder, owner)

    def sweep(self) -> None:
        """Remove the lock files of vanished owners."""
        sweep(self._folder)

    def close(self) -> None:
        """See `Owners.close`."""
        if self._own is not None:
            self._own.close()

    def forget(self) -> None:
        """See `Owners.forget`."""
        if self._own is not None:
            self._own.forget()


class Owner:
    """One ledger instance of one process. `id` is what its claims name.

    Raises:
        LedgerError: the folder beside the database cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.id = new_id()
        self._path = folder / (self.id + _SUFFIX)
        with _told(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            self._descriptor = _locked(self._path)

    def close(self) -> None:
        """Give up every claim that is still open."""
        with suppress(OSError):
            self._path.unlink()
        self.forget()

    def forget(self) -> None:
        """After a fork, in the child: let go of the parent's lock without unlocking it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def alive(folder: Path, owner: str) -> bool:
    """Whether the ledger instance `owner` still runs, in this process or another.

    Raises:
        LedgerError: that cannot be found out.
    """
    with _told(folder):
        try:
            descriptor = os.open(folder / (owner + _SUFFIX), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove the lock files of vanished owners."""
    for path in folder.glob("*" + _SUFFIX):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()  # while locked: an owner about to lock it sees that it is gone, and makes another
            finally:
                os.close(descriptor)


def _locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)  # swept between open and lock


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerError(
            f"The folder {folder} cannot be used: {error.strerror or error}.",
            remedy="Make it accessible to this user; it says which processes hold claims.",
        ) from error
