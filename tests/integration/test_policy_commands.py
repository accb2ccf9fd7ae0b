"""`governance policy check`, `test`, `reasons` and `explain` through the real command line, on real bundles."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from governance.testing.policy import admission_facts, release_facts
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from support.command import Ran, Shell
from support.real import require
from support.thinned import thin_corpus
from support.tiny import stable_diffusion

HIDDEN = "a red seven on a c.0.u.n.t.e.r.f.e.1.t b a n k n o t e"

pytestmark = pytest.mark.filterwarnings("ignore::governance_adapters.marking.authority.InsecureKeyWarning")


@pytest.fixture(scope="module", autouse=True)
def opa() -> str:
    found = shutil.which("opa")
    require("opa", found, "there is no `opa` on PATH, so `governance policy check` and `test` were not tried with it")
    return str(found)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny pipeline of random weights, saved."""
    folder = tmp_path_factory.mktemp("model")
    stable_diffusion(folder, side=256).save_pretrained(folder / "tiny")
    return folder / "tiny"


@pytest.fixture(scope="module")
def denied(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Shell:
    """An installation that allows the tiny model and has denied one prompt."""
    folder = tmp_path_factory.mktemp("denied")
    shell = Shell(folder, folder / "home")
    shell("init").succeeded()
    shell("policy", "allow-model", model, "--licence", "CC0-1.0", "--data-origin", "Random numbers.").succeeded()
    assert shell("generate", HIDDEN, "-o", "x.png", "--model", model, "--steps", 1).code == 3
    return shell


@pytest.fixture
def shell(denied: Shell, tmp_path: Path) -> Shell:
    """A copy of `denied` that a test may spoil."""
    shutil.copytree(denied.folder, tmp_path / "copy")
    return Shell(tmp_path / "copy", tmp_path / "copy" / "home")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The shipped bundle, to be changed."""
    return Path(shutil.copytree(default_bundle_path(), tmp_path / "bundle"))


def edit_data(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads((bundle / "data.json").read_text())
    change(data)
    (bundle / "data.json").write_text(json.dumps(data))


def edit_rules(bundle: Path, name: str, before: str, after: str) -> None:
    text = (bundle / name).read_text()
    assert before in text
    (bundle / name).write_text(text.replace(before, after, 1))


def retested(bundle: Path, tests: str) -> None:
    """Put other tests in place of the bundle's own, and make it another than the shipped one: both take their time."""
    edit_data(bundle, lambda data: data.update(visible_label="made by a model"))
    for file in bundle.rglob("*_test.rego"):
        file.unlink()
    (bundle / "lib" / "small_test.rego").write_text(f"package governance.small_test\n\n{tests}")


def without_opa(shell: Shell, tmp_path: Path) -> Shell:
    """The same shell on a machine that has no `opa`."""
    (tmp_path / "empty").mkdir()
    return Shell(shell.folder, shell.home, {"PATH": str(tmp_path / "empty")})


def entry_of(shell: Shell) -> dict[str, Any]:
    (entry,) = shell("ledger", "list", "--kind", "denied", "--json").succeeded().json
    return dict(entry)


def lines(ran: Ran) -> dict[str, str]:
    """Label and text of each line of an explanation; of labels that stand twice the last."""
    return {line[:18].strip(): line[18:] for line in ran.out.splitlines() if line.startswith("  ")}


class TestCheck:
    def test_the_shipped_bundle_is_sound(self, shell: Shell, bundle: Path) -> None:
        ran = shell("policy", "check", bundle).succeeded()
        assert "The bundle is sound." in ran.out
        assert "made by opa" in ran.out
        checked = shell("policy", "check", bundle, "--json").succeeded().json
        assert checked["revision"] == Bundle.load(bundle).revision
        assert (checked["sound"], checked["problems"]) == (True, [])
        assert checked["opa"]

    def test_the_bundle_in_force_is_the_default(self, shell: Shell) -> None:
        assert shell("policy", "check", "--json").succeeded().json["bundle"] == str(shell.home / "policies")

    def test_without_opa_it_says_what_was_not_made(self, shell: Shell, bundle: Path, tmp_path: Path) -> None:
        bare = without_opa(shell, tmp_path)
        assert "NOT MADE: there is no `opa` on PATH" in bare("policy", "check", bundle).succeeded().out
        assert bare("policy", "check", bundle, "--json").succeeded().json["opa"] is None

    def test_a_rule_that_explains_nothing(self, shell: Shell, bundle: Path) -> None:
        edit_rules(bundle, "lib/findings.rego", "# title: Required check missing\n", "")
        ran = shell("policy", "check", bundle)
        assert ran.code == 1
        assert "describes detector.missing without title" in ran.out
        assert "The bundle is not sound: 1 problems." in ran.out
        (problem,) = shell("policy", "check", bundle, "--json").json["problems"]
        assert problem.startswith("lib/findings.rego:")

    def test_what_only_opa_finds(self, shell: Shell, bundle: Path, tmp_path: Path) -> None:
        text = (bundle / "lib" / "findings.rego").read_text()
        (bundle / "lib" / "findings.rego").write_text(text + "\n_unused := 1 if {\n\tnever := 2\n}\n")
        ran = shell("policy", "check", bundle)
        assert ran.code == 1
        assert "assigned var never unused" in ran.out
        assert "lib/findings.rego:" in ran.out
        without_opa(shell, tmp_path)("policy", "check", bundle).succeeded()

    def test_a_term_that_could_never_match(self, shell: Shell, bundle: Path) -> None:
        edit_data(bundle, lambda data: data["blocked_terms"].update({"Bank-Note": {"category": "forgery"}}))
        shell("policy", "check", bundle).failed(1, "'Bank-Note'")

    def test_a_builtin_that_is_not_allowed(self, shell: Shell, bundle: Path) -> None:
        text = (bundle / "lib" / "findings.rego").read_text()
        (bundle / "lib" / "findings.rego").write_text(text + '\n_asked := http.send({"url": "https://example.org"})\n')
        shell("policy", "check", bundle).failed(1, "lib/findings.rego", "http.send")

    @pytest.mark.parametrize("words", [("check",), ("test",), ("reasons",)])
    def test_nothing_there(self, shell: Shell, words: tuple[str, ...]) -> None:
        shell("policy", *words, "elsewhere").failed(1, "elsewhere", "Name the folder of a bundle")


class TestAllowModel:
    def codes(self, shell: Shell, model: Path) -> list[str]:
        told = shell("policy", "explain", "--prompt", "a red seven", "--model", model, "--json").succeeded().json
        return [reason["code"] for each in told["explained"] for reason in (*each["reasons"], *each["notes"])]

    def test_origin_and_expiry_stand_in_the_data(self, shell: Shell, model: Path) -> None:
        assert self.codes(shell, model) == []
        ran = shell("policy", "allow-model", model, "--licence", "CC0-1.0", "--expires", "2020-01-01T00:00:00Z")
        assert "warning" not in ran.succeeded().err.replace("INSECURE", "")
        assert self.codes(shell, model) == ["model.expired"]
        (allowed,) = [
            each for each in Bundle.load(shell.home / "policies").data["models"].values() if each["name"] == "tiny"
        ]
        assert (allowed["data_origin"], allowed["expires"]) == ("Random numbers.", "2020-01-01T00:00:00Z")

    def test_a_licence_that_the_policy_does_not_accept(self, shell: Shell, model: Path) -> None:
        ran = shell("policy", "allow-model", model, "--licence", "LicenseRef-Ours").succeeded()
        assert "the licence LicenseRef-Ours does not stand in data.licences" in ran.err
        assert self.codes(shell, model) == ["model.licence"]


class TestTest:
    def test_the_shipped_bundle_passes(self, shell: Shell, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        thin_corpus(monkeypatch)
        ran = shell("policy", "test", bundle)
        assert ran.code == 0, ran.out
        (passed,) = re.findall(r"Rego tests: (\d+) passed, 0 failed, 0 skipped", ran.out)
        (covered, lines_) = re.findall(r"coverage: (\d+) of (\d+) lines", ran.out)[0]
        (cases,) = re.findall(r"conformance corpus: (\d+) cases .*, 0 not as the corpus says", ran.out)
        assert int(passed) > 20
        assert covered == lines_
        assert int(cases) >= 200

    def test_without_opa_it_says_so_and_runs_the_corpus(
        self, shell: Shell, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        thin_corpus(monkeypatch)
        ran = without_opa(shell, tmp_path)("policy", "test", bundle, "--json")
        assert ran.code == 2
        assert "THE REGO TESTS WERE NOT RUN" in ran.err
        assert ran.json["rego_tests"] is None
        assert sum(ran.json["corpus"]["cases"].values()) >= 200
        assert ran.json["corpus"]["unexpected"] == []

    def test_a_rule_that_was_broken(
        self, shell: Shell, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        thin_corpus(monkeypatch)
        edit_rules(
            bundle, "lib/findings.rego", "count(data.required_detectors) == 0", "count(data.required_detectors) < 0"
        )
        ran = without_opa(shell, tmp_path)("policy", "test", bundle, "--corpus")
        assert ran.code == 1  # where nobody can run the Rego tests, the corpus alone finds it
        assert "Rego tests: NOT RUN" in ran.out
        assert " not as the corpus says" in ran.out
        assert " instead of deny (detector.missing)" in ran.out

    def test_a_rego_test_that_fails(self, shell: Shell, bundle: Path) -> None:
        retested(bundle, "test_passes if true\n\ntest_fails if false\n\ntodo_test_later if true\n")
        ran = shell("policy", "test", bundle)
        assert ran.code == 1
        assert "Rego tests: 1 passed, 1 failed, 1 skipped" in ran.out
        assert "  failed: data.governance.small_test.test_fails" in ran.out
        assert "  skipped: data.governance.small_test.todo_test_later" in ran.out
        assert "coverage: not measured" in ran.out
        said = shell("policy", "test", bundle, "--json").json["rego_tests"]
        assert (said["failed"], said["not_covered"]) == (["data.governance.small_test.test_fails"], None)

    def test_a_changed_bundle_is_held_to_the_corpus_only_if_asked(self, shell: Shell, bundle: Path) -> None:
        retested(bundle, "test_passes if true\n")
        assert "conformance corpus: not run" in shell("policy", "test", bundle).out
        assert shell("policy", "test", bundle, "--json").json["corpus"] is None

    def test_lines_that_no_test_reaches(self, shell: Shell, bundle: Path) -> None:
        retested(bundle, "test_passes if true\n")
        text = (bundle / "lib" / "findings.rego").read_text()
        (bundle / "lib" / "findings.rego").write_text(text + '\nnever_asked if input.stage == "nowhere"\n')
        ran = shell("policy", "test", bundle)
        assert ran.code == 1
        (missed,) = re.findall(r"  not covered: lib/findings.rego (.*)", ran.out)
        assert missed.endswith(f", {len(text.splitlines()) + 2}")

    def test_rules_that_do_not_compile_are_one_problem(self, shell: Shell, bundle: Path) -> None:
        edit_rules(bundle, "lib/findings.rego", "_listed(finding) if", "_listed(finding) when")
        shell("policy", "test", bundle, "--corpus").failed(1, "lib/findings.rego")

    def test_a_bundle_without_tests(self, shell: Shell, bundle: Path) -> None:
        retested(bundle, "")
        ran = shell("policy", "test", bundle)
        assert ran.code == 1
        assert "nothing was tested" in ran.out


class TestReasons:
    def test_every_code_has_its_place(self, shell: Shell, bundle: Path) -> None:
        listed = shell("policy", "reasons", bundle, "--json").succeeded().json
        codes = [each["code"] for each in listed]
        assert codes == sorted(codes)
        assert {"prompt.blocked_term", "policy.undefined", "input.malformed"} <= set(codes)
        said = shell("policy", "reasons", bundle).succeeded().out
        for each in listed:
            assert all(each[word] for word in ("title", "description", "fix"))
            for place in each["places"]:
                file, _, line = place.partition(":")
                assert (bundle / file).read_text().splitlines()[int(line) - 1].strip()
                assert place in said
        assert [each["code"] for each in listed if not each["places"]] == ["policy.undefined"]

    def test_markdown_is_a_table(self, shell: Shell, bundle: Path) -> None:
        printed = shell("policy", "reasons", bundle, "--markdown").succeeded().out.splitlines()
        assert printed[:2] == ["| code | title | what failed | how to fix it |", "|---|---|---|---|"]
        rows = [row for row in printed[2:] if row.startswith("| `prompt.blocked_term` |")]
        assert len(rows) == 1


class TestExplainRecorded:
    def test_the_denied_prompt(self, shell: Shell) -> None:
        entry = entry_of(shell)
        ran = shell("policy", "explain", "--entry", entry["id"]).succeeded()
        assert ran.out.startswith("admission: deny\n")
        said = lines(ran)
        assert said["reason"] == "prompt.blocked_term"
        assert said["input"] == f'/prompts/0 is "{HIDDEN}"'
        assert "decides the same" in said["explained"]
        for term in ("banknote", "counterfeit"):
            assert f'"{term}", in the normalised prompt' in ran.out
            assert f'/blocked_terms/{term} is {{"category": "forgery"}}' in ran.out
        file, _, line = said["rule"].partition(":")
        assert (shell.home / "policies" / file).read_text().splitlines()[int(line) - 1].startswith("denials")

    def test_a_generation_is_all_its_decisions(self, shell: Shell, model: Path) -> None:
        shell("generate", "a red seven", "-o", "new.png", "--model", model, "--steps", 1).succeeded()
        generation = shell("ledger", "list", "--json").json[-1]["subject"]
        told = shell("policy", "explain", "--entry", generation, "--json").succeeded().json
        assert [(each["stage"], each["outcome"]) for each in told["explained"]] == [
            ("admission", "allow"),
            ("release", "allow"),
        ]
        for each in told["explained"]:
            assert each["recorded"]["changes"] == []
            sources = {obligation["name"]: obligation["from"] for obligation in each["obligations"]}
            assert sources["watermark"] == ["/obligations/watermark"]
        said = shell("policy", "explain", "--entry", generation).succeeded().out
        assert "release: allow" in said
        assert "true from /obligations/watermark" in said

    def test_another_bundle_in_force_is_said_and_compared(self, shell: Shell) -> None:
        edit_data(shell.home / "policies", lambda data: data["blocked_terms"].pop("counterfeit"))
        ran = shell("policy", "explain", "--entry", entry_of(shell)["id"]).succeeded()
        assert "which is not in force any more" in lines(ran)["recorded"]
        assert "decides the same" in lines(ran)["explained"]
        edit_data(shell.home / "policies", lambda data: data["blocked_terms"].pop("banknote"))
        ran = shell("policy", "explain", "--entry", entry_of(shell)["id"]).succeeded()
        assert ran.out.startswith("admission: allow\n")
        assert "  differs         the outcome was deny and is allow now" in ran.out
        assert "  differs         no longer: prompt.blocked_term /prompts/0" in ran.out

    def test_what_was_erased_is_not_evaluated(self, shell: Shell) -> None:
        entry = entry_of(shell)
        with sqlite3.connect(shell.home / "ledger.sqlite3") as database:
            database.execute("DELETE FROM personal_field WHERE name IN ('/prompts/0', '/decision/messages')")
        database.close()
        ran = shell("policy", "explain", "--entry", entry["id"]).succeeded()
        assert "from the recorded codes and paths alone" in ran.out
        assert lines(ran)["erased"] == "/prompts/0"
        assert lines(ran)["what failed"] == "A prompt contains a blocked term, however it was spelt."
        assert "banknote" not in ran.out
        (told,) = shell("policy", "explain", "--entry", entry["id"], "--json").succeeded().json["explained"]
        assert (told["evaluated"], told["recorded"]["changes"]) == (False, None)

    def test_an_entry_that_is_not_there(self, shell: Shell) -> None:
        shell("policy", "explain", "--entry", "nowhere").failed(1, "nowhere")


class TestExplainInput:
    def explained(self, shell: Shell, facts: object, *more: str) -> Ran:
        (shell.folder / "input.json").write_text(json.dumps(facts))
        return shell("policy", "explain", "--input", "input.json", *more)

    def test_a_draft_above_the_threshold(self, shell: Shell) -> None:
        (told,) = self.explained(shell, release_facts(score=0.9), "--json").succeeded().json["explained"]
        (reason,) = [reason for reason in told["reasons"] if reason["code"] == "finding.denied"]
        assert reason["input"]["value"]["score_millionths"] == 900000
        assert reason["grounds"][0]["datum"] == {"pointer": "/thresholds/nsfw/deny", "there": True, "value": 800000}

    def test_facts_that_the_line_would_refuse(self, shell: Shell) -> None:
        facts = admission_facts()
        del facts["normaliser"]
        ran = self.explained(shell, facts).succeeded()
        assert "the line would refuse this input before any rule: / breaks required" in ran.out
        assert lines(ran)["input"] == "/normaliser is not there"

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            ("", "Expecting value"),
            ("[]", "it holds no object"),
            ("5", "it holds no object"),
            ("{}", "its `stage` is none of admission, release, review"),
            ('{"stage": "nowhere"}', "its `stage` is none of"),
            ('{"stage": ["admission"]}', "its `stage` is none of"),
            ('{"stage": NaN}', "NaN is not JSON"),
            ('{"stage": "review", "x": 1e999}', "1e999 is larger than any number"),
            ("[" * 100_000, "recursion"),
        ],
    )
    def test_what_is_no_input(self, shell: Shell, content: str, why: str) -> None:
        (shell.folder / "input.json").write_text(content)
        shell("policy", "explain", "--input", "input.json").failed(1, "input.json is no policy input", why)

    def test_no_file(self, shell: Shell) -> None:
        shell("policy", "explain", "--input", "none.json").failed(1, "none.json cannot be read")


class TestExplainPrompt:
    def test_facts_are_those_of_the_line(self, shell: Shell, model: Path) -> None:
        recorded = entry_of(shell)
        again = shell("policy", "explain", "--entry", recorded["id"], "--json").succeeded().json["explained"][0]
        before = shell("ledger", "list", "--json").json
        asked = ("policy", "explain", "--prompt", HIDDEN, "--model", model, "--steps", 1)
        told = shell(*asked, "--json").succeeded().json["explained"][0]
        assert told["problems"] == []
        assert {**told, "recorded": None} == {**again, "recorded": None}
        assert shell("ledger", "list", "--json").json == before

    def test_who_asks_what_for_and_where(self, shell: Shell, model: Path) -> None:
        asked = ("policy", "explain", "--prompt", "a red seven", "--model", model, "--json")
        who = ("--principal", "editor@example.org", "--role", "nobody", "--purpose", "nothing", "--market", "NOWHERE")
        (told,) = shell(*asked, *who, "--steps", 10_000).succeeded().json["explained"]
        found = {reason["code"]: reason["input"]["value"] for reason in told["reasons"]}
        assert found["purpose.unknown"] == "nothing"
        assert found["role.not_permitted"] == ["nobody"]
        assert found["market.unknown"] == "NOWHERE"
        assert found["limit.steps"] == 10_000
        (told,) = shell(*asked, "--negative-prompt", "banknote").succeeded().json["explained"]
        assert [note["code"] for note in told["notes"]] == ["prompt.negative_term"]

    def test_a_prompt_that_moves_the_cursor_is_shown_flat(self, shell: Shell, model: Path) -> None:
        ran = shell("policy", "explain", "--prompt", "a banknote \u202e \u001b", "--model", model)
        assert "\u202e" not in ran.out
        assert "\u001b" not in ran.out

    @pytest.mark.parametrize("words", [(), ("--prompt", "a", "--entry", "b"), ("--input", "a", "--entry", "b")])
    def test_one_source_and_no_more(self, shell: Shell, words: tuple[str, ...]) -> None:
        ran = shell("policy", "explain", *words)
        assert ran.code == 2
        assert "give one of --entry, --input and --prompt" in " ".join(ran.err.split())
