"""A process that evaluates policy, from the host's side: its limits, and what its end means."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from governance.errors import PolicyError
from governance_adapters.child import Child, Fault, NoAnswerError, signal_name
from governance_adapters.policy import worker

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
        # Without the search path of the host: beside the program stands a module called regorus.
        command = [sys.executable, "-I", "-S", str(program), str(limits.memory), str(limits.load_seconds)]
        try:
            self._child = Child(command, answer_bytes=limits.answer_bytes)
        except (OSError, subprocess.SubprocessError) as error:
            raise PolicyError(
                f"No process can be started for the policy engine: {error}.", remedy="Free memory or processes."
            ) from error
        self.loaded = self._exchange(job, limits.load_seconds)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._child.alive

    def ask(self, question: bytes) -> bytes:
        """The answer to one frame. After an error, the process is gone.

        Raises:
            PolicyError: the process passed a limit, died, or answered something else.
        """
        return self._exchange(question, self._limits.seconds)

    def end(self) -> None:
        """Kill the process and wait for it. It holds nothing that would be lost."""
        self._child.end()

    def forget(self) -> None:
        """In a forked child: let go of the parent's process without touching it."""
        self._child.forget()

    def _exchange(self, question: bytes, seconds: float) -> bytes:
        try:
            return self._child.ask(question, seconds)
        except NoAnswerError as error:
            raise self._explained(error, seconds) from error

    def _explained(self, ended: NoAnswerError, seconds: float) -> PolicyError:
        """Our error: what ended the process, and which limit that was."""
        code = ended.code or 0
        if ended.fault is Fault.SILENT:
            return PolicyError(
                f"The policy engine did not answer within {seconds:g} s, and its process was killed.",
                remedy="Look whether the machine is overloaded or the process was stopped; ask again.",
            )
        if ended.fault is Fault.GARBLED or code >= 0:
            how = "answered out of turn" if ended.fault is Fault.GARBLED else f"ended with exit status {code}"
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
            f"The process of the policy engine was ended by {signal_name(-code)}{how}.",
            remedy="Ask again: a new process will answer. If nobody killed it, simplify the policy.",
        )
