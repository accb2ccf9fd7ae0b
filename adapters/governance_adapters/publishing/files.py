"""Publishing to files: one that always holds the newest checkpoint, or one with a line for each.

Both are durable when they return, and are locked while they change. What stands there is never replaced by something that
does not extend it: whoever publishes compares first, with the file locked.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from governance.errors import ConfigurationError, GovernanceError, PublicationError
from governance.files import sync, write_atomically
from governance.notes import MAX_NOTE_CHARACTERS, decoded
from governance.types import utc_now
from governance_adapters.publishing.time_stamps import MOST_BYTES

LINES_SUFFIX: Final = ".jsonl"
STAMP_SUFFIX: Final = ".tsr"
MOST_FILE_BYTES: Final = 1024**3


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint that was published, and the time stamp beside it (a DER `TimeStampResp`), if there is one."""

    note: str
    stamp: bytes | None = None


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file of checkpoints. One whose name ends in `.jsonl` gets a line for each; any other holds the newest alone.

    In the latter the note is the whole file, and its time stamp is the file beside it with `.tsr` added to the name:
    what other programs read.
    """

    path: Path

    @property
    def stamp_path(self) -> Path:
        """Where the time stamp of the one note is."""
        return self.path.with_name(self.path.name + STAMP_SUFFIX)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other publishers out for the length of the block. The lock is a file beside it, which stays.

        Raises:
            PublicationError: the folder does not take it.
        """
        try:
            lock = self.path.with_name(f".{self.path.name}.lock")
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._refused(error.strerror or str(error)) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def read(self) -> tuple[Published, ...]:
        """Everything that was published there, oldest first; nothing where there is no file.

        Raises:
            PublicationError: it cannot be read, or holds something else.
        """
        content = self._bytes(self.path, MOST_FILE_BYTES)
        if content is None:
            return ()
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise self._refused("it is no text") from error
        if self.path.suffix == LINES_SUFFIX:
            return tuple(self._line(number, line) for number, line in enumerate(self._lines(text), 1))
        return (Published(text, self._bytes(self.stamp_path, MOST_BYTES)),)

    def add(self, published: Published) -> None:
        """Publish, durably.

        Raises:
            PublicationError: it cannot be written.
        """
        if self.path.suffix == LINES_SUFFIX:
            self._append(published)
            return
        try:
            write_atomically(self.path, published.note.encode())
            if published.stamp is not None:
                write_atomically(self.stamp_path, published.stamp)
            else:
                # It was for the note that stood there before.
                self.stamp_path.unlink(missing_ok=True)
                sync(self.path.parent)
        except (GovernanceError, OSError) as error:
            raise self._refused(str(error)) from error

    def _append(self, published: Published) -> None:
        document = {"time": utc_now(), "checkpoint": published.note}
        if published.stamp is not None:
            document["timestamp"] = base64.b64encode(published.stamp).decode()
        line = json.dumps(document, ensure_ascii=False).encode() + b"\n"
        try:
            with self.path.open("ab") as file:
                before = file.tell()
                try:
                    file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    with suppress(OSError):
                        os.ftruncate(file.fileno(), before)
                    raise
            sync(self.path.parent)
        except OSError as error:
            raise self._refused(error.strerror or str(error)) from error

    def _lines(self, text: str) -> list[str]:
        if text and not text.endswith("\n"):
            raise self._refused("its last line is cut off: remove that line, it was never published whole")
        return text.split("\n")[:-1]

    def _line(self, number: int, line: str) -> Published:
        try:
            document = json.loads(line)
            note, stamp = document["checkpoint"], document.get("timestamp", "")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._refused(f"line {number} is no checkpoint") from error
        content = decoded(stamp) if isinstance(stamp, str) else None
        if not isinstance(note, str) or len(note) > MAX_NOTE_CHARACTERS or content is None:
            raise self._refused(f"line {number} is no checkpoint")
        return Published(note, content or None)

    def _bytes(self, path: Path, most: int) -> bytes | None:
        try:
            with path.open("rb") as file:
                content = file.read(most + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._refused(error.strerror or str(error)) from error
        if len(content) > most:
            raise self._refused(f"{path.name} has more than {most} bytes")
        return content

    def _refused(self, what: str) -> PublicationError:
        return PublicationError(
            f"{self.path} cannot be published to or read: {what.rstrip('.')}.",
            remedy="Name a file in a folder of yours, with room on its disk.",
        )


def published_at(path: Path) -> PublishedFile:
    """The file of this name.

    Raises:
        ConfigurationError: it is a folder, or in none.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ConfigurationError(
            f"{path} is no file that checkpoints can go into.", remedy="Name a file in a folder that exists."
        )
    return PublishedFile(path.absolute())
