"""`FileErasureLog`: what was erased, one receipt a line, in a file that only grows."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from governance.entries import Receipt
from governance.errors import ProofError, StorageError
from governance.files import sync


class FileErasureLog:
    """JSON lines, each a receipt in its wire form. Any number of processes on one machine may append.

    Each line is on disk before `append` returns. A last line without its end is what a crash left of one that nobody was
    told of: it is passed over, and the next append writes in its place.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()

    def append(self, receipt: Receipt) -> None:
        """See `ErasureLog.append`."""
        line = json.dumps(receipt.as_json(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        with self._told():
            new = not self.path.exists()
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                _drop_unfinished(file.fileno())
                file.seek(0, os.SEEK_END)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            if new:
                sync(self.path.parent)

    def receipts(self) -> Iterator[Receipt]:
        """See `ErasureLog.receipts`; none where there is no file yet."""
        with self._told():
            if not self.path.exists():
                return
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if line.endswith(b"\n"):
                        yield self._receipt(number, line)

    def _receipt(self, number: int, line: bytes) -> Receipt:
        try:
            return Receipt.from_json(line.decode())
        except (ProofError, UnicodeDecodeError) as error:
            raise ProofError(
                f"Line {number} of {self.path} is no receipt: {error}", remedy="Restore the erasure log from a copy."
            ) from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"The erasure log {self.path} cannot be used: {error.strerror or error}.",
                remedy="Check that it is readable and writable, and that the disk has room.",
            ) from error


def _drop_unfinished(descriptor: int) -> None:
    """Cut off what follows the last end of a line."""
    end = os.lseek(descriptor, 0, os.SEEK_END)
    size, step = end, 64 * 1024
    while size:
        start = max(0, size - step)
        block = os.pread(descriptor, size - start, start)
        if (found := block.rfind(b"\n")) >= 0:
            size = start + found + 1
            break
        size = start
    if size != end:
        os.ftruncate(descriptor, size)
