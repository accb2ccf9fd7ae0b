"""A process that runs a detector, from the host's side: what it is for, and what its end means."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from governance.errors import DetectorError
from governance_adapters.child import Child, Fault, NoAnswerError, signal_name
from governance_adapters.detectors import worker

MAX_ANSWER_BYTES = 1 << 20
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
        command = [sys.executable, "-I", str(_PROGRAM), str(job.load_seconds)]
        try:
            self._child = Child(command, answer_bytes=MAX_ANSWER_BYTES, environment=_environment(job.threads))
        except (OSError, subprocess.SubprocessError) as error:
            raise DetectorError(
                f"No process can be started for {job.name}: {error}.", remedy="Free memory or processes."
            ) from error
        self.description = self._exchange(job.encoded(), job.load_seconds)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._child.alive

    def ask(self, height: int, width: int, rgb: bytes) -> Any:
        """The answer for one image. After an error, the process is gone.

        Raises:
            DetectorError: the process passed its time, died, or answered something that is no answer.
        """
        return self._exchange(worker.SIZE.pack(height, width) + rgb, self._job.seconds)

    def end(self) -> None:
        """Kill the process and wait for it. It holds nothing that would be lost."""
        self._child.end()

    def forget(self) -> None:
        """In a forked child: let go of the parent's process without touching it."""
        self._child.forget()

    def _exchange(self, question: bytes, seconds: float) -> Any:
        try:
            return json.loads(self._child.ask(question, seconds))
        except NoAnswerError as error:
            raise self._explained(error, seconds) from error
        except (ValueError, RecursionError) as error:
            self.end()
            raise self._explained(NoAnswerError(Fault.GARBLED, None), seconds) from error

    def _explained(self, ended: NoAnswerError, seconds: float) -> DetectorError:
        """Our error: what ended the process, and which limit that was."""
        name, code = self._job.name, ended.code or 0
        if ended.fault is Fault.SILENT or code == -signal.SIGALRM:
            return DetectorError(
                f"The process of {name} did not answer within {seconds:g} s, and was ended.",
                remedy="Look whether the machine is overloaded, give it more threads, or raise `detector_seconds`.",
            )
        if ended.fault is Fault.GARBLED:
            return DetectorError(f"The process of {name} answered out of turn.", remedy="Replace its model.")
        how = f"was ended by {signal_name(-code)}" if code < 0 else f"ended with exit status {code}"
        memory = ", as happens where memory runs out" if code == -signal.SIGKILL else ""
        return DetectorError(
            f"The process of {name} {how}{memory}.",
            remedy="Ask again: a new process will answer. If it recurs, replace its model or add memory.",
        )


def _environment(threads: int) -> dict[str, str]:
    """The host's, without the network and with as many threads as there should be."""
    offline = dict.fromkeys(("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"), "1")
    quiet = dict.fromkeys(("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY"), "error")
    few = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    return {**os.environ, **offline, **quiet, **few}
