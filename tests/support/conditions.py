"""Bad conditions of a real machine, made for a while and mended again: a full disk, a read-only file, a held lock."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.real import require

_ADMINISTRATOR = (1 << 1) | (1 << 2) | (1 << 3)
"""CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER (capabilities(7)): what makes file modes mean nothing to root."""


@contextmanager
def file_modes_respected() -> Iterator[None]:
    """Let file modes bind this thread, and threads that it starts, even where it runs as root."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
    before = ctypes.create_string_buffer(24)
    assert libc.capget(header, before) == 0
    effective, permitted, inheritable, *high = struct.unpack("6I", before.raw)
    without = struct.pack("6I", effective & ~_ADMINISTRATOR, permitted, inheritable, *high)
    assert libc.capset(header, ctypes.create_string_buffer(without)) == 0
    try:
        yield
    finally:
        assert libc.capset(header, before) == 0


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Take away the right to write `path`, and everything in it."""
    modes = {item: item.stat().st_mode for item in (path, *path.rglob("*"))}
    for item, mode in modes.items():
        item.chmod(mode & ~0o222)
    try:
        with file_modes_respected():
            yield
    finally:
        for item, mode in modes.items():
            item.chmod(mode)


class LockedDatabase:
    """Another program that holds an SQLite file's write lock while it is asked to."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def lock(self) -> None:
        """Take the write lock."""
        self._connection.execute("BEGIN IMMEDIATE")

    def free(self) -> None:
        """Let it go, for good."""
        self._connection.close()


class Disk:
    """A disk that can be filled at a moment of one's choice, and has room again when it is asked to."""

    def fill(self, spare: int = 0) -> None:
        """Leave room for `spare` bytes."""
        raise NotImplementedError

    def empty(self) -> None:
        """Make room again."""
        raise NotImplementedError


class LimitedFiles(Disk):
    """Not the disk is full, but no file of this process may grow beyond a size (setrlimit(2)): needs no privilege.

    The size is that of SQLite's log beside `database` when it is filled, and what is spared.
    """

    def __init__(self, database: Path) -> None:
        self._log = database.with_name(database.name + "-wal")
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self, spare: int = 0) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._log.stat().st_size + spare, self._before[1]))

    def empty(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


class SmallDisk(Disk):
    """A file system of its own at `folder`, in memory, filled by a file that is only ballast."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._ballast = folder, folder / "ballast"

    def fill(self, spare: int = 0) -> None:
        room = shutil.disk_usage(self._folder).free - spare
        descriptor = os.open(self._ballast, os.O_CREAT | os.O_WRONLY)
        try:
            os.posix_fallocate(descriptor, 0, room)
        finally:
            os.close(descriptor)

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """A disk of that size mounted at `folder`; skips where this process may not mount one."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "none", str(folder)]
    mounted = shutil.which("mount") and subprocess.run(command, capture_output=True, check=False).returncode == 0
    require("mount", mounted, "this process may not mount a small disk, so none was filled up")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def limited_files(folder: Path) -> Iterator[LimitedFiles]:
    """See LimitedFiles."""
    disk = LimitedFiles(folder / "ledger.sqlite3")
    try:
        yield disk
    finally:
        disk.empty()
