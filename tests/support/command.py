"""The `governance` command, run in this process (quick) or in one of its own (real)."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance_adapters.cli import main
from support.nursery import environment


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.out)

    @property
    def complaints(self) -> list[str]:
        """The lines on standard error, without notes, which are indented, and the warnings of the development keys."""
        return [line for line in self.err.splitlines() if line.strip() == line != "" and "INSECURE" not in line]

    def succeeded(self) -> Ran:
        """Itself, if the exit code is 0."""
        assert self.code == 0, self
        return self

    def failed(self, code: int, *words: str) -> Ran:
        """Itself, if it ended with `code` and one line of error that holds each of `words`, and no traceback."""
        assert self.code == code, self
        assert "Traceback" not in self.err + self.out
        assert len(self.complaints) == 1, self.err
        for word in words:
            assert word in self.complaints[0], self.complaints
        return self


@dataclass(frozen=True, slots=True)
class Shell:
    """Where commands are run: the working folder and the environment."""

    folder: Path
    home: Path
    variables: Mapping[str, str] = ()

    def __call__(self, *arguments: object) -> Ran:
        """Run the command in this process."""
        out, err = io.StringIO(), io.StringIO()
        before = dict(os.environ)
        os.environ.update(self._variables())
        try:
            with chdir(self.folder), redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
                warnings.simplefilter("default")
                code = _exit_code(list(map(str, arguments)))
        finally:
            os.environ.clear()
            os.environ.update(before)
        return Ran(code, out.getvalue(), err.getvalue())

    def process(self, *arguments: object, **variables: str) -> Ran:
        """Run the command in a process of its own."""
        done = subprocess.run(
            self.words(*arguments), capture_output=True, text=True, timeout=300, check=False, **self.place(**variables)
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start the command in a process of its own."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(self.words(*arguments), **pipes, **self.place())

    def words(self, *arguments: object) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "governance_adapters.cli", *map(str, arguments)]

    def place(self, **variables: str) -> dict[str, Any]:
        """Folder and environment of a process."""
        return {"cwd": self.folder, "env": environment(**self._variables(), **variables)}

    def _variables(self) -> dict[str, str]:
        return {"GOVERNANCE_HOME": str(self.home), **dict(self.variables)}


def _exit_code(arguments: list[str]) -> int:
    try:
        main(arguments)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    return 0
