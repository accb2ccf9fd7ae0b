"""The `opa` program, where there is one: the strict check of a bundle, and the Rego tests that stand in it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from governance.errors import PolicyError
from governance_adapters.policy.builtins import capabilities

SECONDS: Final = 300
"""How long one run of `opa` may take."""
_PATIENT: Final = ("--timeout", "60s")
"""A test that is slow because the machine is busy has not failed; `opa` allows 5 seconds otherwise."""
_FAILED_TESTS: Final = 2
_INSTALL: Final = "Install it from the Open Policy Agent project, or correct the PATH."


@dataclass(frozen=True, slots=True)
class RegoTests:
    """What the Rego tests of a bundle said.

    `passed` and `failed` are full names of tests, `skipped` those whose names begin with `todo_`. `not_covered` maps a
    file to the lines (from 1) that no test reached, `covered` is how many lines were; both are None where tests failed,
    because `opa` then measures nothing.
    """

    passed: tuple[str, ...]
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    covered: int | None
    not_covered: Mapping[str, tuple[int, ...]] | None

    @property
    def complete(self) -> bool:
        """Whether there are tests, all pass, none is skipped and every line is covered."""
        return bool(self.passed) and not self.failed and not self.skipped and self.not_covered == {}


class OpaCommand:
    """One `opa` executable. Paths in what it says are those in the bundle."""

    def __init__(self, executable: str) -> None:
        self._executable = executable

    @classmethod
    def find(cls) -> OpaCommand | None:
        """The `opa` on PATH, if there is one."""
        found = shutil.which("opa")
        return cls(found) if found else None

    def version(self) -> str:
        """The version that it says it has.

        Raises:
            PolicyError: it does not run.
        """
        return self.run(Path.cwd(), "version").stdout.partition("\n")[0].removeprefix("Version:").strip()

    def check(self, bundle: Path) -> list[str]:
        """What `opa check --strict` finds in the bundle, a line each: in its policies with the allowed builtins alone.

        Raises:
            PolicyError: it does not run.
        """
        capable = _json(self.run(bundle, "capabilities", "--current").stdout)
        if not isinstance(capable, dict) or not isinstance(capable.get("builtins"), list):
            raise PolicyError(f"`{self._executable}` does not say what it is capable of.", remedy=_INSTALL)
        limited = ("--capabilities", "/dev/stdin", "--ignore", "*_test.rego")
        with_tests = self._check(bundle)
        return with_tests or self._check(bundle, *limited, given=json.dumps(capabilities(capable)))

    def test(self, bundle: Path) -> RegoTests:
        """Run the tests that stand in the bundle, and measure what they cover.

        Raises:
            PolicyError: it does not run, or the bundle does not compile.
        """
        done = self.run(bundle, "test", *_PATIENT, "--format", "json", "--bundle", ".")
        results = _json(done.stdout)
        if done.returncode not in (0, _FAILED_TESTS) or not isinstance(results, list):
            raise PolicyError(
                f"`opa test` could not run the bundle: {' '.join((done.stderr or done.stdout).split())[:500]}.",
                remedy="Mend the policy, and run `governance policy check`.",
            )
        by_state: dict[str, list[str]] = {"passed": [], "failed": [], "skipped": []}
        for result in results:
            by_state[_state(result)].append(f"{result['package']}.{result['name']}")
        covered, not_covered = (None, None) if by_state["failed"] else self._coverage(bundle)
        passed, failed, skipped = map(tuple, by_state.values())
        return RegoTests(passed, failed, skipped, covered, not_covered)

    def run(
        self, folder: Path, *arguments: str, given: str = "", seconds: int = SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run `opa` with `arguments` in `folder`, `given` on its standard input; its exit status is the caller's to judge.

        Raises:
            PolicyError: it does not run, or not to its end within `seconds`.
        """
        try:
            return subprocess.run(  # noqa: S603 - no shell; the executable is the one that the user named
                [self._executable, *arguments],
                cwd=folder,
                input=given,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PolicyError(
                f"`opa {arguments[0]}` did not end within {seconds} s.", remedy="Run it by hand to see where it stands."
            ) from error
        except OSError as error:
            raise PolicyError(f"`{self._executable}` did not run: {error}.", remedy=_INSTALL) from error

    def _coverage(self, bundle: Path) -> tuple[int, dict[str, tuple[int, ...]]]:
        # File by file: of what is loaded by `--bundle`, a report leaves out every line that was not covered.
        files = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*.rego"))
        done = self.run(bundle, "test", *_PATIENT, "--coverage", "--format", "json", "data.json", *files)
        report = _json(done.stdout)
        if done.returncode != 0 or not isinstance(report, dict):
            raise PolicyError(f"`opa test --coverage` failed: {done.stderr.strip()[:500]}.", remedy="Run it by hand.")
        missed = {
            file: tuple(
                line for gap in said["not_covered"] for line in range(gap["start"]["row"], gap["end"]["row"] + 1)
            )
            for file, said in report["files"].items()
            if said.get("not_covered")
        }
        return report["covered_lines"], missed

    def _check(self, bundle: Path, *options: str, given: str = "") -> list[str]:
        done = self.run(bundle, "check", "--strict", "--format", "json", *options, "--bundle", ".", given=given)
        if done.returncode == 0:
            return []
        said = _json(done.stderr or done.stdout)
        errors = said.get("errors") if isinstance(said, dict) else None
        return [_problem(error) for error in errors or ()] or [done.stderr.strip() or "opa check failed without a word"]


def _state(result: Mapping[str, Any]) -> str:
    if result.get("fail") or result.get("error"):
        return "failed"
    return "skipped" if result.get("skip") else "passed"


def _problem(error: Mapping[str, Any]) -> str:
    place = error.get("location") or {}
    where = f"{place['file']}:{place['row']} " if place.get("file") else ""
    return f"{where}{' '.join(str(error.get('message', error)).split())}"


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
