"""The shipped bundle under the real Open Policy Agent: style, coverage, and that it is a bundle."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from governance_adapters.policy.bundle import Bundle, default_bundle_path


def run(opa: str, *arguments: str) -> str:
    done = subprocess.run([opa, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_policies_are_formatted(opa: str) -> None:
    run(opa, "fmt", "--diff", "--fail", str(default_bundle_path()))


def test_the_policies_pass_the_strict_check(opa: str) -> None:
    run(opa, "check", "--strict", "--bundle", str(default_bundle_path()))


def test_the_policies_tests_cover_every_line(opa: str, figure: Callable[[str], None]) -> None:
    root = default_bundle_path()
    # Where a test fails `opa` fails. File by file: of what is loaded by `--bundle`, a report leaves out every line that was not covered.
    files = [str(root / "data.json"), *map(str, sorted(root.rglob("*.rego")))]
    report = json.loads(run(opa, "test", "--timeout", "60s", "--coverage", "--format", "json", *files))
    missed = {path: file["not_covered"] for path, file in report["files"].items() if file.get("not_covered")}
    assert missed == {}
    assert report["coverage"] == 100
    assert {Path(path).name for path in report["files"]} >= {path.name for path in root.rglob("*.rego")}
    figure(f"opa test: every line covered, {report['covered_lines']} of them")


def test_opa_reads_our_revision_in_an_archive(opa: str, archive: Path, served_bundle: Bundle) -> None:
    inspected = json.loads(run(opa, "inspect", "--format", "json", str(archive)))
    assert inspected["manifest"]["revision"] == served_bundle.revision
    assert inspected["manifest"]["rego_version"] == 1
