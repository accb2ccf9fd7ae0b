"""The embedded engine over the shipped bundle: every rule, every malformed input, and what breaks an engine."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import re
import shutil
import threading
import time
import warnings
from pathlib import Path

import pytest

from governance.errors import ConfigurationError, PolicyError
from governance.testing.examples import EXAMPLE_MODEL, example_request
from governance.testing.policy import admission_facts, release_facts
from governance.testing.policy_corpus import Case, cases, changed_data, example_data, malformed_cases, rule_cases
from governance.types import Outcome, Principal, Prompt, Stage
from governance_adapters.policy.bundle import Bundle, allow_model, default_bundle_path
from governance_adapters.policy.regorus import RegorusEngine

BLOCKED = "a c0unterfe1t p a s s p o r t in r3d"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    loaded = Bundle.load(default_bundle_path())
    return dataclasses.replace(loaded, data=example_data(loaded.data))


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> RegorusEngine:
    return RegorusEngine(bundle)


def engine_of(tmp_path: Path, name: str, rego: str) -> RegorusEngine:
    """An engine over a copy of the shipped bundle in which one file says `rego`."""
    root = tmp_path / "bundle"
    shutil.copytree(default_bundle_path(), root)
    (root / name).write_text(rego)
    return RegorusEngine(Bundle.load(root))


def answer(bundle: Bundle, case: Case, engines: dict[str, RegorusEngine]) -> dict:
    key = json.dumps(case.data, sort_keys=True)
    if key not in engines:
        engines[key] = RegorusEngine(dataclasses.replace(bundle, data=changed_data(bundle.data, case.data)), engines=1)
    return engines[key].evaluate_unvalidated(case.stage, json.dumps(case.content))


def test_unvalidated_malformed_input_is_denied(engine: RegorusEngine) -> None:
    corpus = malformed_cases()
    assert len(corpus) >= 60
    for case in corpus:
        decision = engine.evaluate_unvalidated(case.stage, json.dumps(case.content))
        assert decision["outcome"] == "deny", case.name
        assert decision["reasons"], case.name
        assert decision["obligations"] == {}, case.name
        assert case.codes <= {reason["code"] for reason in decision["reasons"]}, case.name


def test_each_rule_decides_by_one_field(bundle: Bundle) -> None:
    engines: dict[str, RegorusEngine] = {}
    for case in rule_cases():
        decision = answer(bundle, case, engines)
        assert decision["outcome"] == case.outcome, (case.name, decision)
        assert {reason["code"] for reason in decision["reasons"]} >= case.codes, (case.name, decision)


def test_every_documented_code_appears_in_the_corpus() -> None:
    documented = set()
    for path in default_bundle_path().rglob("*.rego"):
        documented |= set(re.findall(r"^#   code: (\S+)$", path.read_text(), re.MULTILINE))
    assert documented == {code for case in cases() for code in case.codes}


def test_every_documented_code_says_how_to_mend_it() -> None:
    for path in default_bundle_path().rglob("*.rego"):
        for block in re.findall(r"^# METADATA\n(?:#.*\n)+", path.read_text(), re.MULTILINE):
            if "#   code:" in block:
                assert "# title:" in block
                assert "# description:" in block
                assert "#   fix:" in block


def test_a_hidden_blocked_word_is_denied_without_repeating_it(engine: RegorusEngine) -> None:
    decision = engine.decide(Stage.ADMISSION, admission_facts(example_request(BLOCKED)))
    assert decision.outcome is Outcome.DENY
    assert [(reason.code, reason.path) for reason in decision.reasons] == [("prompt.blocked_term", "/prompts/0")]
    assert "forgery" in decision.reasons[0].message
    assert "passport" not in repr(decision)
    assert "counterfeit" not in repr(decision)


def test_an_allowed_request_carries_its_obligations(engine: RegorusEngine) -> None:
    decision = engine.decide(Stage.ADMISSION, admission_facts())
    assert decision.outcome is Outcome.ALLOW
    assert decision.obligations == {
        "watermark": True, "retain_days": 365, "output_formats": ["image/png"], "max_steps": 100,
    }  # fmt: skip


def test_a_draft_too_small_to_mark_keeps_the_obligation(engine: RegorusEngine) -> None:
    assert engine.decide(Stage.RELEASE, release_facts(markable=False)).obligations["watermark"] is True


def test_the_model_must_be_allowed() -> None:
    engine = RegorusEngine(Bundle.load(default_bundle_path()))
    decision = engine.decide(Stage.ADMISSION, admission_facts())
    assert [reason.code for reason in decision.reasons] == ["model.not_allowed"]


def test_allow_model_allows_it(tmp_path: Path) -> None:
    shutil.copytree(default_bundle_path(), tmp_path / "bundle")
    revision = allow_model(tmp_path / "bundle", EXAMPLE_MODEL, name="example")
    decision = RegorusEngine(Bundle.load(tmp_path / "bundle")).decide(Stage.ADMISSION, admission_facts())
    assert decision.outcome is Outcome.ALLOW
    assert decision.bundle_revision == revision


def test_input_that_breaks_its_schema_is_an_error_without_the_value(engine: RegorusEngine) -> None:
    secret = "a prompt that stays private"
    facts = admission_facts(example_request(secret))
    facts["prompts"] = [{**facts["prompts"][0], "ngrams": [{"text": secret}]}]
    with pytest.raises(PolicyError) as caught:
        engine.decide(Stage.ADMISSION, facts)
    assert "/prompts/0/ngrams/0" in str(caught.value)
    assert secret not in str(caught.value)


@pytest.mark.parametrize("number", [1.5, float("nan"), float("inf"), 2**53, 10**400, -(10**400)])
def test_numbers_on_which_engines_differ_are_refused(engine: RegorusEngine, number: float) -> None:
    facts = admission_facts()
    facts["model"] = {**facts["model"], "scheduler": {"class": "x", "config": {"beta": number}}}
    with pytest.raises(PolicyError):
        engine.decide(Stage.ADMISSION, facts)


@pytest.mark.parametrize("value", ["\ud800", {1, 2}, b"bytes", object()])
def test_what_is_not_json_is_refused(engine: RegorusEngine, value: object) -> None:
    with pytest.raises(PolicyError):
        engine.decide(Stage.ADMISSION, {**admission_facts(), "normaliser": value})


def test_a_stage_without_policy_is_an_error(engine: RegorusEngine) -> None:
    with pytest.raises(PolicyError, match="review"):
        engine.decide(Stage.REVIEW, admission_facts())


@pytest.mark.parametrize(
    ("rego", "line", "problem"),
    [
        ("package governance.admission\n\ndecision := {", 3, ""),
        ("package governance.admission\n\ndecision := nothing(3)\n", 3, "could not find function"),
        ("package governance.admission\n\n\ndecision if undefined_name == 3\n", 4, "undefined variable"),
        ("package governance.admission\n\ndecision := decision\n", 3, "recursion"),
        ("package governance.admission\n\ndecision := 1\n\ndecision := 2\n", 5, "conflicts"),
    ],
)
def test_a_policy_that_does_not_compile_names_file_and_line(tmp_path: Path, rego: str, line: int, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        engine_of(tmp_path, "admission/admission.rego", rego)
    message = str(caught.value)
    assert f"admission/admission.rego line {line}" in message
    assert problem in message
    assert "backtrace" not in message.lower()
    assert "\n" not in message


def test_a_bundle_without_a_decision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no rule data"):
        engine_of(tmp_path, "release/release.rego", "package governance.release\n\nallow := true\n")


@pytest.mark.parametrize(
    "decision",
    [
        '"allow"',
        "true",
        '"<undefined> "',
        "[]",
        '{"outcome": "allow"}',
        '{"outcome": "permit", "reasons": [], "obligations": {}}',
        '{"outcome": "deny", "reasons": [], "obligations": {}}',
        '{"outcome": "allow", "reasons": [], "obligations": []}',
        '{"outcome": "allow", "reasons": [{"code": "x.y"}], "obligations": {}}',
        '{"outcome": "allow", "reasons": [], "obligations": {}, "more": 1}',
        '{"outcome": "allow", "reasons": [], "obligations": {"retain_days": 0.5}}',
    ],
)
def test_a_decision_of_the_wrong_shape_is_an_error(tmp_path: Path, decision: str) -> None:
    engine = engine_of(
        tmp_path, "admission/admission.rego", f"package governance.admission\n\ndecision := {decision}\n"
    )
    with pytest.raises(PolicyError, match="decision of admission"):
        engine.decide(Stage.ADMISSION, admission_facts())


def test_an_error_at_evaluation_is_no_decision_and_leaks_nothing(tmp_path: Path) -> None:
    rego = 'package governance.admission\n\ndecision := min(input.prompts[0].text) if input.stage == "admission"\n'
    engine = engine_of(tmp_path, "admission/admission.rego", rego)
    for _ in range(2):  # the worker survives its engine's error
        with pytest.raises(PolicyError) as caught:
            engine.decide(Stage.ADMISSION, admission_facts(example_request("a private prompt")))
        assert "admission/admission.rego line 3" in str(caught.value)
        assert "private" not in str(caught.value)


def test_a_bad_call_of_the_caller_is_a_configuration_error(bundle: Bundle) -> None:
    with pytest.raises(ConfigurationError):
        RegorusEngine(bundle, engines=0)


def test_decisions_are_made_in_a_forked_child(engine: RegorusEngine) -> None:
    assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            ok = engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW
        except BaseException:  # a forked child must not run on into pytest, whatever happens: it counts as a failure
            ok = False
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW


def test_an_engine_that_nobody_holds_ends_its_threads(bundle: Bundle) -> None:
    before = set(threading.enumerate())
    engine = RegorusEngine(bundle)
    mine = set(threading.enumerate()) - before
    assert mine
    del engine
    gc.collect()
    deadline = time.monotonic() + 10
    while any(thread.is_alive() for thread in mine) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(thread.is_alive() for thread in mine)


def test_one_caller_needs_one_engine(bundle: Bundle) -> None:
    before = set(threading.enumerate())
    engine = RegorusEngine(bundle, engines=8)
    for _ in range(20):
        engine.decide(Stage.RELEASE, release_facts())
    assert len(set(threading.enumerate()) - before) == 1


@pytest.mark.parametrize("roles", [("designer",), ("nobody", "designer")])
def test_real_facts_of_the_line_fit_the_schemas(engine: RegorusEngine, roles: tuple[str, ...]) -> None:
    request = dataclasses.replace(
        example_request(),
        principal=Principal("someone@example.org", roles),
        prompts=(Prompt("ein rotes Bild, 赤い数字の七, ภาพ"),),
        parameters={},
        seeds=(2**64 - 1,),
    )
    assert engine.decide(Stage.ADMISSION, admission_facts(request)).outcome is Outcome.ALLOW
    assert engine.decide(Stage.RELEASE, release_facts(request=request)).outcome is Outcome.ALLOW
