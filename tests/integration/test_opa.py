"""The shipped bundle under the real Open Policy Agent: style, coverage, and the same answers as the embedded engine."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from governance.testing.policy_corpus import Case, cases, changed_data, example_data
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.policy.regorus import RegorusEngine
from support.real import require


@pytest.fixture(scope="module")
def opa() -> str:
    found = shutil.which("opa")
    require("opa", found, "there is no `opa` on PATH, so the bundle was not checked against the real Open Policy Agent")
    return str(found)


def run(opa: str, *arguments: str) -> str:
    done = subprocess.run([opa, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_policies_are_formatted(opa: str) -> None:
    run(opa, "fmt", "--diff", "--fail", str(default_bundle_path()))


def test_the_policies_pass_the_strict_check(opa: str) -> None:
    run(opa, "check", "--strict", "--bundle", str(default_bundle_path()))


def test_the_policies_tests_cover_every_line(opa: str) -> None:
    run(opa, "test", "--bundle", str(default_bundle_path()))
    report = json.loads(run(opa, "test", "--coverage", "--format", "json", "--bundle", str(default_bundle_path())))
    missed = {path: file["not_covered"] for path, file in report["files"].items() if file.get("not_covered")}
    assert missed == {}
    assert report["coverage"] == 100


def test_opa_and_the_embedded_engine_agree(opa: str, tmp_path: Path) -> None:
    shipped = Bundle.load(default_bundle_path())
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases():
        groups[json.dumps(case.data, sort_keys=True)].append(case)
    for number, group in enumerate(groups.values()):
        data = changed_data(example_data(shipped.data), group[0].data)
        embedded = RegorusEngine(dataclasses.replace(shipped, data=data), engines=1)
        answers = evaluate(opa, tmp_path / str(number), data, group)
        for case in group:
            ours = embedded.evaluate_unvalidated(case.stage, json.dumps(case.content))
            assert answers[case.name] == ours, case.name
            assert ours["outcome"] == case.outcome, case.name


def evaluate(opa: str, folder: Path, data: dict, group: list[Case]) -> dict[str, dict]:
    """What `opa eval` answers to each case, in one run per stage, with strict builtin errors."""
    shutil.copytree(default_bundle_path(), folder / "bundle")
    (folder / "bundle" / "data.json").write_text(json.dumps(data))
    corpus = [{"name": case.name, "stage": case.stage.value, "content": case.content} for case in group]
    (folder / "corpus.json").write_text(json.dumps({"corpus": corpus}))
    answers: dict[str, dict] = {}
    for stage in sorted({case.stage.value for case in group}):
        query = (
            f'{{case.name: answer | some case in data.corpus; case.stage == "{stage}"; content := case.content;'
            f" answer := data.governance.{stage}.decision with input as content}}"
        )
        output = run(
            opa, "eval", "--strict-builtin-errors", "--format", "json",
            "--bundle", str(folder / "bundle"), "--data", str(folder / "corpus.json"), query,
        )  # fmt: skip
        answers |= json.loads(output)["result"][0]["expressions"][0]["value"]
    return answers


def test_opa_accepts_the_bundle_as_a_bundle(opa: str, tmp_path: Path) -> None:
    built = tmp_path / "bundle.tar.gz"
    revision = Bundle.load(default_bundle_path()).revision
    run(opa, "build", "--bundle", str(default_bundle_path()), "--revision", revision, "--output", str(built))
    inspected = json.loads(run(opa, "inspect", "--format", "json", str(built)))
    assert inspected["manifest"]["revision"] == revision
