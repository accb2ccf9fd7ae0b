"""Writing files so that they are there whole after a crash, or as they were."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from governance.errors import StorageError


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` durably, or leave what was there.

    Raises:
        StorageError: the folder or disk refuses.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}.",
            remedy="Check that the folder exists, is writable and that the disk has room.",
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Make a file's bytes durable, or the names that were made, moved or removed in a folder.

    Raises:
        OSError: it cannot be synced.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
