"""A process that evaluates policy, from the host's side: started, asked over pipes, and named when it dies.

No answer is ever read for another question: a process is used by one thread at a time, an answer carries the serial number
of its question, and a process whose answer was not read to the end is killed.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from governance.errors import PolicyError
from governance_adapters.policy import worker

_CHUNK = 1 << 16
_GRACE_SECONDS = 1.0
_MEBIBYTE = 1 << 20
_PROGRAM = Path(worker.__file__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may take: seconds for an evaluation, seconds to load the bundle, bytes of memory and of an answer.

    Memory counts addresses (RLIMIT_AS), the interpreter's own of about 55 MiB among them.
    """

    seconds: float
    load_seconds: float
    memory: int
    answer_bytes: int


class Worker:
    """One process with one engine. For one thread at a time."""

    def __init__(self, job: bytes, limits: Limits, program: Path = _PROGRAM) -> None:
        """Start the process and let it load `job` (see `worker`). `program` speaks as that one does.

        Raises:
            PolicyError: it cannot be started, or passed a limit or died while loading.
        """
        self._limits = limits
        self._serial = 0
        # Without the search path of the host: beside the program stands a module called regorus.
        command = [sys.executable, "-I", "-S", str(program), str(limits.memory), str(limits.load_seconds)]
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and our own program
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                process_group=0,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise PolicyError(
                f"No process can be started for the policy engine: {error}.", remedy="Free memory or processes."
            ) from error
        assert self._process.stdin
        assert self._process.stdout
        self._sink, self._source = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._sink, False)
        self._writable, self._readable = select.poll(), select.poll()
        self._writable.register(self._sink, select.POLLOUT)
        self._readable.register(self._source, select.POLLIN)
        self.loaded = self._exchange(job, limits.load_seconds)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def ask(self, question: bytes) -> bytes:
        """The answer to one frame. After an error, the process is gone.

        Raises:
            PolicyError: the process passed a limit, died, or answered something else.
        """
        return self._exchange(question, self._limits.seconds)

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

    def _exchange(self, question: bytes, seconds: float) -> bytes:
        # The process keeps its own time; the host's is the second line.
        deadline = time.monotonic() + seconds + _GRACE_SECONDS
        self._serial += 1
        try:
            self._write(worker.HEADER.pack(len(question), self._serial) + question, deadline)
            return self._read(deadline)
        except (_Silent, _Garbled, OSError) as error:
            raise self._failure(error, seconds) from error
        except BaseException:  # an interrupt: the answer to come must not be read for another question
            self.end()
            raise

    def _write(self, frame: bytes, deadline: float) -> None:
        rest = memoryview(frame)
        while rest:
            try:
                rest = rest[os.write(self._sink, rest) :]
            except BlockingIOError:
                _await(self._writable, deadline)

    def _read(self, deadline: float) -> bytes:
        received = bytearray()
        wanted = worker.HEADER.size
        while len(received) < wanted:
            _await(self._readable, deadline)
            chunk = os.read(self._source, _CHUNK)
            if not chunk:
                raise BrokenPipeError
            received += chunk
            if wanted == worker.HEADER.size <= len(received):
                length, serial = worker.HEADER.unpack_from(received)
                if serial != self._serial or length > self._limits.answer_bytes:
                    raise _Garbled
                wanted += length
        if len(received) != wanted:
            raise _Garbled
        return bytes(memoryview(received)[worker.HEADER.size :])

    def _failure(self, error: Exception, seconds: float) -> PolicyError:
        """Our error: what ended the process, and which limit that was. The process is gone afterwards."""
        if isinstance(error, OSError):
            with suppress(subprocess.TimeoutExpired):  # its pipe is closed: it is ending
                self._process.wait(_GRACE_SECONDS)
        code = self._process.poll()
        self.end()
        if isinstance(error, _Silent):
            return PolicyError(
                f"The policy engine did not answer within {seconds:g} s, and its process was killed.",
                remedy="Look whether the machine is overloaded or the process was stopped; ask again.",
            )
        if isinstance(error, _Garbled) or code is None or code >= 0:
            # What it said decides: a process that answers out of turn and ends may be gone before anybody looks.
            garbled = isinstance(error, _Garbled) or code is None
            how = "answered out of turn" if garbled else f"ended with exit status {code}"
            return PolicyError(
                f"The process of the policy engine {how}.", remedy="Ask again; if it recurs, install regorus again."
            )
        if code == -signal.SIGALRM:
            return PolicyError(
                f"The policy took longer than its limit of {seconds:g} s, and was stopped.",
                remedy="Make the rule or its data smaller, or raise the time limit of the policy engine.",
            )
        if code == -signal.SIGABRT:
            return PolicyError(
                f"The process of the policy engine was aborted, as happens at its memory limit of"
                f" {self._limits.memory // _MEBIBYTE} MiB.",
                remedy="Make the rule or its data smaller, or raise the memory limit of the policy engine.",
            )
        how = ", as happens where rules call each other without end" if code == -signal.SIGSEGV else ""
        return PolicyError(
            f"The process of the policy engine was ended by {_signal_name(-code)}{how}.",
            remedy="Ask again: a new process will answer. If nobody killed it, simplify the policy.",
        )


class _Silent(Exception):  # noqa: N818
    """The deadline passed."""


class _Garbled(Exception):  # noqa: N818
    """Bytes that are no answer to the question."""


def _await(poll: select.poll, deadline: float) -> None:
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise _Silent


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
