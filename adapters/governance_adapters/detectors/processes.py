"""A process that runs a detector, from the host's side: started, asked over pipes, and named when it dies.

No answer is ever read for another question: a process is used by one thread at a time, an answer carries the serial
number of its question, and a process whose answer was not read to the end is killed.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from governance.errors import DetectorError
from governance_adapters.detectors import worker

MAX_ANSWER_BYTES = 1 << 20
_CHUNK = 1 << 18
_GRACE_SECONDS = 1.0
_PROGRAM = Path(worker.__file__)


@dataclass(frozen=True, slots=True)
class Job:
    """What a process is for: `factory` (`module:name`) makes the detector from `arguments`, which JSON can carry.

    `name` is for messages; `seconds` is the limit for one image, `load_seconds` for making the detector.
    """

    name: str
    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1
    seconds: float = 60
    load_seconds: float = 180

    def encoded(self) -> bytes:
        """The first frame."""
        search = [str(Path(entry or ".").absolute()) for entry in sys.path]
        return json.dumps(
            {
                "search": search,
                "factory": self.factory,
                "arguments": dict(self.arguments),
                "threads": self.threads,
                "seconds": self.seconds,
            }
        ).encode()


class Process:
    """One process with one detector. For one thread at a time."""

    def __init__(self, job: Job) -> None:
        """Start the process and let it make the detector.

        Raises:
            DetectorError: it cannot be started, or passed its time or died meanwhile.
        """
        self._job = job
        self._serial = 0
        command = [sys.executable, "-I", str(_PROGRAM), str(job.load_seconds)]
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and our own program
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=_environment(job.threads),
                process_group=0,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise DetectorError(
                f"No process can be started for {job.name}: {error}.", remedy="Free memory or processes."
            ) from error
        assert self._process.stdin
        assert self._process.stdout
        self._sink, self._source = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._sink, False)
        self._writable, self._readable = select.poll(), select.poll()
        self._writable.register(self._sink, select.POLLOUT)
        self._readable.register(self._source, select.POLLIN)
        self.description = self._exchange(job.encoded(), job.load_seconds)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def ask(self, height: int, width: int, rgb: bytes) -> Any:
        """The answer for one image. After an error, the process is gone.

        Raises:
            DetectorError: the process passed its time, died, or answered something that is no answer.
        """
        return self._exchange(worker.SIZE.pack(height, width) + rgb, self._job.seconds)

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

    def _exchange(self, question: bytes, seconds: float) -> Any:
        # The process keeps its own time; the host's is the second line.
        deadline = time.monotonic() + seconds + _GRACE_SECONDS
        self._serial += 1
        try:
            self._write(worker.HEADER.pack(len(question), self._serial) + question, deadline)
            return json.loads(self._read(deadline))
        except (_Silent, ValueError, OSError, RecursionError) as error:
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
                if serial != self._serial or length > MAX_ANSWER_BYTES:
                    raise ValueError("an answer to another question")
                wanted += length
        if len(received) != wanted:
            raise ValueError("more than one answer")
        return bytes(memoryview(received)[worker.HEADER.size :])

    def _failure(self, error: Exception, seconds: float) -> DetectorError:
        """Our error: what ended the process, and which limit that was. The process is gone afterwards."""
        if isinstance(error, OSError):
            with suppress(subprocess.TimeoutExpired):  # its pipe is closed: it is ending
                self._process.wait(_GRACE_SECONDS)
        code = self._process.poll()
        self.end()
        name = self._job.name
        if isinstance(error, _Silent) or code == -signal.SIGALRM:
            return DetectorError(
                f"The process of {name} did not answer within {seconds:g} s, and was ended.",
                remedy="Look whether the machine is overloaded, give it more threads, or raise `detector_seconds`.",
            )
        if not isinstance(error, OSError) or code is None:
            return DetectorError(f"The process of {name} answered out of turn.", remedy="Replace its model.")
        how = f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with exit status {code}"
        memory = ", as happens where memory runs out" if code == -signal.SIGKILL else ""
        return DetectorError(
            f"The process of {name} {how}{memory}.",
            remedy="Ask again: a new process will answer. If it recurs, replace its model or add memory.",
        )


class _Silent(Exception):  # noqa: N818
    """The deadline passed."""


def _await(poll: select.poll, deadline: float) -> None:
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise _Silent


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _environment(threads: int) -> dict[str, str]:
    """The host's, without the network and with as many threads as there should be."""
    offline = dict.fromkeys(("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"), "1")
    quiet = dict.fromkeys(("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY"), "error")
    few = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    return {**os.environ, **offline, **quiet, **few}
