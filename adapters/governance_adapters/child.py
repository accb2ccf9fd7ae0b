"""A process of ours, from the host's side: started, asked over pipes in frames, and gone when it does not answer well.

A frame is 8 bytes of length and 8 bytes of serial number, big-endian, then the payload. No answer is ever read for another
question: a process is used by one thread at a time, an answer carries the serial number of its question, and a process
whose answer was not read to the end is killed.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto

_HEADER = struct.Struct(">QQ")
_CHUNK = 1 << 18
_GRACE_SECONDS = 1.0


class Fault(Enum):
    """Why there is no answer: no word within the time, a word that is no answer, or the process died."""

    SILENT = auto()
    GARBLED = auto()
    DIED = auto()


class NoAnswerError(Exception):
    """The process gave no answer and is gone. `code` is its exit status, negative for a signal, None if it was running."""

    def __init__(self, fault: Fault, code: int | None) -> None:
        self.fault, self.code = fault, code
        super().__init__(fault.name.lower(), code)


class Child:
    """One process, for one thread at a time. It keeps its own time; the host's limit is the second line.

    Raises:
        OSError: it cannot be started.
        SubprocessError: the same.
    """

    def __init__(
        self, command: Sequence[str], *, answer_bytes: int, environment: Mapping[str, str] | None = None
    ) -> None:
        self._answer_bytes = answer_bytes
        self._serial = 0
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter and our own program
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=environment,
            process_group=0,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._sink, self._source = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._sink, False)
        self._writable, self._readable = select.poll(), select.poll()
        self._writable.register(self._sink, select.POLLOUT)
        self._readable.register(self._source, select.POLLIN)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def ask(self, question: bytes, seconds: float) -> bytes:
        """The answer to one frame.

        Raises:
            NoAnswerError: there was none within `seconds` and a second of grace; the process is gone.
        """
        deadline = time.monotonic() + seconds + _GRACE_SECONDS
        self._serial += 1
        try:
            self._write(_HEADER.pack(len(question), self._serial) + question, deadline)
            return self._read(deadline)
        except (_Silent, _Garbled, OSError) as error:
            raise self._no_answer(error) from error
        except BaseException:  # an interrupt: the answer to come must not be read for another question
            self.end()
            raise

    def end(self) -> None:
        """Kill the process and wait for it. It holds nothing that would be lost."""
        self._process.kill()
        self._process.wait()
        self._close()

    def forget(self) -> None:
        """In a forked child: let go of the parent's process without touching it."""
        self._process.returncode = 0
        self._close()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()

    def _write(self, frame: bytes, deadline: float) -> None:
        rest = memoryview(frame)
        while rest:
            try:
                rest = rest[os.write(self._sink, rest) :]
            except BlockingIOError:
                _await(self._writable, deadline)

    def _read(self, deadline: float) -> bytes:
        received = bytearray()
        wanted = _HEADER.size
        while len(received) < wanted:
            _await(self._readable, deadline)
            chunk = os.read(self._source, _CHUNK)
            if not chunk:
                raise BrokenPipeError
            received += chunk
            if wanted == _HEADER.size <= len(received):
                length, serial = _HEADER.unpack_from(received)
                if serial != self._serial or length > self._answer_bytes:
                    raise _Garbled
                wanted += length
        if len(received) != wanted:
            raise _Garbled
        return bytes(memoryview(received)[_HEADER.size :])

    def _no_answer(self, error: Exception) -> NoAnswerError:
        if isinstance(error, OSError):
            with suppress(subprocess.TimeoutExpired):  # its pipe is closed: it is ending
                self._process.wait(_GRACE_SECONDS)
        code = self._process.poll()
        self.end()
        if isinstance(error, _Silent):
            return NoAnswerError(Fault.SILENT, code)
        # What it said decides: a process that answers out of turn and ends may be gone before anybody looks.
        garbled = isinstance(error, _Garbled) or code is None
        return NoAnswerError(Fault.GARBLED if garbled else Fault.DIED, code)


class _Silent(Exception):  # noqa: N818
    """The deadline passed."""


class _Garbled(Exception):  # noqa: N818
    """Bytes that are no answer to the question."""


def signal_name(number: int) -> str:
    """The name of a signal, such as `SIGKILL`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _await(poll: select.poll, deadline: float) -> None:
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise _Silent
