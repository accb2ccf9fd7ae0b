"""A witness: follows a log, remembers the last checkpoint that it saw, and cosigns what extends it.

What a witness knows of a log is one small file. It is replaced durably before a cosignature is handed out, so no crash
makes a witness forget what it vouched for, and it is locked while it is used, so two witnesses never vouch from one memory.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from governance.checkpoint import LogKey, verify_checkpoint
from governance.cosignature import MAX_TIME, Cosigner
from governance.errors import ConfigurationError, ProofError, StorageError
from governance.files import write_atomically
from governance.log_client import Growth, follow
from governance.notes import MAX_NOTE_CHARACTERS
from governance.ports import LogSource

_VERSION = 1
_MOST_BYTES = 8 * MAX_NOTE_CHARACTERS


@dataclass(frozen=True, slots=True)
class Seen:
    """What a witness remembers of one log: the last checkpoint that it accepted, and when it last cosigned one.

    `time` is in whole seconds since the epoch, 0 where it never cosigned.
    """

    note: str
    time: int = 0

    def to_json(self) -> bytes:
        """The document of the state file."""
        document = {"version": _VERSION, "checkpoint": self.note, "time": self.time}
        return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """What `to_json` wrote.

        Raises:
            ProofError: it is something else.
        """
        try:
            document = json.loads(content)
            version, note, time = document["version"], document["checkpoint"], document["time"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _garbled() from error
        sound = isinstance(note, str) and type(time) is int and 0 <= time <= MAX_TIME
        if version != _VERSION or set(document) != {"version", "checkpoint", "time"} or not sound:
            raise _garbled()
        return cls(note, time)


@dataclass(frozen=True, slots=True)
class Observed:
    """What a witness saw: how the log grew, and the checkpoint - cosigned, if there was something to cosign with."""

    growth: Growth
    note: str
    seen: Seen


class WitnessMemory:
    """The state file of one witness for one log, while it is locked: see `witness_memory`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self, key: LogKey) -> Seen | None:
        """What was seen of the log with `key`; None where the file does not exist yet.

        Raises:
            ProofError: the file is garbled, or remembers another log.
            StorageError: it cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self._path, error) from error
        seen = Seen.from_json(content)
        verify_checkpoint(seen.note, key)
        return seen

    def keep(self, seen: Seen) -> None:
        """Remember, durably, in place of what was remembered.

        Raises:
            StorageError: it cannot be written.
        """
        write_atomically(self._path, seen.to_json())


@contextmanager
def witness_memory(path: Path) -> Iterator[WitnessMemory]:
    """The state file `path`, locked for the length of the block. The lock is a file beside it, which stays.

    Raises:
        ConfigurationError: another witness uses it now.
        StorageError: it cannot be locked.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(lock, error) from error
    try:
        _lock(descriptor, path)
        yield WitnessMemory(path)
    finally:
        os.close(descriptor)


def observe(source: LogSource, key: LogKey, memory: WitnessMemory, cosigner: Cosigner | None, now: int) -> Observed:
    """Look at a log once: check that its newest checkpoint extends the last one seen, remember it, and cosign it.

    `now` is the clock, in whole seconds since the epoch. A witness never goes back in time: a clock that did so makes no
    cosignature, and the message says what to do. A first look takes the checkpoint as it is: its signature and its tiles
    are checked, and that it is the only one is what other witnesses are for.

    Raises:
        RollbackError: the log shows less than it did.
        SplitViewError: the log shows something else than it did.
        ProofError: a checkpoint, the tiles, the state file or the clock cannot be relied on.
        LogSourceError: the log cannot be asked.
        StorageError: the state file cannot be read or written; nothing is cosigned.
    """
    seen = memory.recall(key)
    growth = follow(source, key, seen.note if seen else None)
    before = seen.time if seen else 0
    if cosigner is None:
        remembered, note = Seen(growth.note, before), growth.note
    else:
        if now < before:
            raise ProofError(
                f"The clock jumped back: it says {now}, and this witness cosigned at {before} before; nothing was cosigned.",
                remedy="Set the clock. If it was the earlier time that was wrong, correct `time` in the state file.",
            )
        remembered, note = Seen(growth.note, now), cosigner.cosign(growth.note, now)
    memory.keep(remembered)
    return Observed(growth, note, remembered)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigurationError(
            f"Another witness is using {path} now.",
            remedy="Let it end and try again; a witness that runs beside it needs a state file of its own.",
        ) from error
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be used: {error.strerror or error}.",
        remedy="Check that its folder exists and belongs to this user.",
    )


def _garbled() -> ProofError:
    return ProofError(
        "The state file is not one that a witness of ours wrote.",
        remedy="Restore it from its backup: without it, the witness cannot say whether the log was rolled back.",
    )
