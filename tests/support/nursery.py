"""Processes that start at once: forked from one that has imported everything slow, each a process of its own to kill.

Run as a program it is the one that forks: one line of JSON a command on standard input, one line of JSON an answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
PRELOADED = (
    "cv2",
    "pdqhash",
    "c2pa",
    "regorus",
    "PIL.PngImagePlugin",
    "governance_adapters.wiring",
    "support.line_work",
)
"""What starts no thread when it is imported: a fork takes no threads along."""


def environment(**changes: str) -> dict[str, str]:
    """This process's environment for a child that finds the code and the tests."""
    paths = os.pathsep.join(str(ROOT / name) for name in (".", "adapters", "tests"))
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **changes}


class Child:
    """One forked process."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery, self.pid = nursery, pid

    def kill(self, signal: int) -> None:
        """Send a signal; the process is reaped by `wait` alone, so the pid is its own until then."""
        os.kill(self.pid, signal)

    def ended(self) -> int | None:
        """Its exit code, minus the signal's number if one ended it; None while it runs."""
        return self._nursery.ask(poll=self.pid)

    def wait(self) -> int:
        """Like `ended`, once it has."""
        code: int = self._nursery.ask(wait=self.pid)
        return code


class Nursery:
    """Starts children. `with Nursery() as nursery:` waits for the imports."""

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "support.nursery"],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.ask(threads=True) == 1
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.stdin.close()
        self._server.stdout.close()
        assert self._server.wait(timeout=60) == 0

    def start(self, target: str, *arguments: str, output: Path) -> Child:
        """Run `module:function` of these arguments, its output and errors going to a file."""
        return Child(self, self.ask(start=target, arguments=arguments, output=str(output)))

    def ask(self, **command: Any) -> Any:
        """One command, one answer."""
        self._server.stdin.write(json.dumps(command) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())


def serve() -> None:
    """Fork on demand, until the input ends."""
    for module in PRELOADED:
        import_module(module)
    for line in sys.stdin:
        command = json.loads(line)
        if "start" in command:
            answer: Any = os.fork()
            if answer == 0:
                _grow_up(command)
        elif "threads" in command:
            answer = len(list(Path("/proc/self/task").iterdir()))
        else:
            flags = os.WNOHANG if "poll" in command else 0
            pid, status = os.waitpid(command.get("poll", command.get("wait")), flags)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _grow_up(command: dict[str, Any]) -> None:
    """In the child: its own output, no input, and then what it is for; ends the process as a program ends."""
    output = os.open(command["output"], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    module, _, function = command["start"].partition(":")
    try:
        getattr(import_module(module), function)(*command["arguments"])
    except Exception:  # whatever the child raises is printed and ends it with 1, as a program ends
        traceback.print_exc()
        sys.exit(1)
    sys.exit(0)


if __name__ == "__main__":
    serve()
