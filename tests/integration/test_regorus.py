"""The embedded engine over the shipped bundle: every malformed input, and every answer that is none.

That each rule decides stands in `test_conformance`.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from governance.datasets.records import NOT_LOOKED
from governance.errors import ConfigurationError, PolicyError, RequestError
from governance.testing.corpus import cases, malformed_cases
from governance.testing.examples import EXAMPLE_MODEL, example_request
from governance.testing.policy import admission_facts, record_facts, release_facts, run_facts
from governance.types import Outcome, Principal, Prompt, Stage
from governance_adapters.policy.bundle import Bundle, allow_model, default_bundle_path
from governance_adapters.policy.regorus import RegorusEngine
from governance_adapters.policy.schemas import Schemas
from support.embedded import ADMISSION, admission_engine, example_bundle

BLOCKED = "a c0unterfe1t p a s s p o r t in r3d"


RECORDED = frozenset({"retain_days"})
CARRIED = dict.fromkeys(Stage, RECORDED) | {
    Stage.RELEASE: RECORDED | {"label_language", "label_position", "output_formats", "visible_label"}
}
"""What a denial obliges: how long its record is kept and, of a draft, what it would have had to carry."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return example_bundle()


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> RegorusEngine:
    return RegorusEngine(bundle)


def test_unvalidated_malformed_input_is_denied(engine: RegorusEngine) -> None:
    corpus = malformed_cases()
    assert len(corpus) >= 60
    for case in corpus:
        decision = engine.evaluate_unvalidated(case.stage, json.dumps(case.content))
        assert decision["outcome"] == "deny", case.name
        assert decision["reasons"], case.name
        assert decision["obligations"].keys() <= CARRIED[case.stage], case.name
        assert case.codes <= {reason["code"] for reason in decision["reasons"]}, case.name


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


def test_an_allowed_request_carries_its_obligations(bundle: Bundle, engine: RegorusEngine) -> None:
    decision = engine.decide(Stage.ADMISSION, admission_facts())
    assert decision.outcome is Outcome.ALLOW
    assert decision.obligations == {
        "watermark": True, "retain_days": 365, "output_formats": ["image/png", "video/mp4", "audio/wav"], "max_steps": 100,
        "day_budget": bundle.data["budgets"],
    }  # fmt: skip


def test_a_draft_too_small_to_mark_keeps_the_obligation(engine: RegorusEngine) -> None:
    assert engine.decide(Stage.RELEASE, release_facts(markable=False)).obligations["watermark"] is True


def test_the_model_must_be_allowed() -> None:
    with closing(RegorusEngine(Bundle.load(default_bundle_path()))) as engine:
        decision = engine.decide(Stage.ADMISSION, admission_facts())
    assert [reason.code for reason in decision.reasons] == ["model.not_allowed"]


def test_allow_model_allows_it(tmp_path: Path) -> None:
    shutil.copytree(default_bundle_path(), tmp_path / "bundle")
    revision = allow_model(tmp_path / "bundle", EXAMPLE_MODEL, name="example", licence="MIT")
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


def test_a_stage_without_policy_is_an_error(bundle: Bundle) -> None:
    documents = {path.name: json.loads(path.read_text()) for path in bundle.root.glob("schemas/*.json")}
    del documents["training.input.json"]
    with closing(RegorusEngine(dataclasses.replace(bundle, schemas=Schemas(documents)))) as engine:
        with pytest.raises(PolicyError, match="does not cover the stage training"):
            engine.decide(Stage.TRAINING, record_facts())
        assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW


def test_training_is_decided_by_the_shipped_data(engine: RegorusEngine) -> None:
    record, run = (engine.decide(Stage.TRAINING, facts) for facts in (record_facts(), run_facts()))
    assert (record.outcome, record.reasons, dict(record.obligations)) == (Outcome.ALLOW, (), {})
    assert (run.outcome, run.reasons, dict(run.obligations)) == (Outcome.ALLOW, (), {"retain_days": 365})
    held = engine.decide(Stage.TRAINING, record_facts(nsfw=NOT_LOOKED))
    assert (held.outcome, [reason.code for reason in held.reasons]) == (Outcome.REVIEW, ["training.unchecked"])


@pytest.mark.parametrize(
    ("rules", "line", "problem"),
    [
        ("decision := }", 3, ""),
        ("decision := nothing(3)", 3, "could not find function"),
        ("\ndecision if undefined_name == 3", 4, "undefined variable"),
        ("decision := decision", 3, "recursion"),
        ("decision := 1\n\ndecision := 2", 5, "conflicts"),
    ],
)
def test_a_policy_that_does_not_compile_names_file_and_line(rules: str, line: int, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        admission_engine(rules)
    message = str(caught.value)
    assert f"{ADMISSION} line {line}" in message
    assert problem in message
    assert "backtrace" not in message.lower()
    assert "\n" not in message


def test_functions_without_end_are_refused_at_load() -> None:
    with pytest.raises(PolicyError, match="SIGSEGV, as happens where rules call each other without end"):
        admission_engine("decision := odd(1)\n\nodd(x) := even(x)\n\neven(x) := odd(x)")


@pytest.mark.parametrize("stage", ["admission", "release", "review"])
def test_a_bundle_without_a_decision_is_refused(stage: str) -> None:
    with pytest.raises(PolicyError, match=f"no rule data.governance.{stage}.decision"):
        RegorusEngine(example_bundle(f"{stage}/{stage}.rego", f"package governance.{stage}\n\nallow := true\n"))


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
def test_a_decision_of_the_wrong_shape_is_an_error(decision: str) -> None:
    with (
        closing(admission_engine(f"decision := {decision}")) as engine,
        pytest.raises(PolicyError, match="decision of admission"),
    ):
        engine.decide(Stage.ADMISSION, admission_facts())


def test_an_error_at_evaluation_is_no_decision_and_leaks_nothing() -> None:
    with closing(admission_engine('decision := min(input.prompts[0].text) if input.stage == "admission"')) as engine:
        processes = engine.processes
        for _ in range(2):
            with pytest.raises(PolicyError) as caught:
                engine.decide(Stage.ADMISSION, admission_facts(example_request("a private prompt")))
            assert f"{ADMISSION} line 3" in str(caught.value)
            assert "private" not in str(caught.value)
            assert caught.value.__cause__ is None
        assert engine.processes == processes  # an error of the policy's is none of the process
        assert engine.decide(Stage.RELEASE, release_facts()).outcome is Outcome.ALLOW


def test_a_key_that_stands_for_two_values_is_not_quoted() -> None:
    with closing(admission_engine("decision := {input.prompts[0].text: x | some x in [1, 2]}")) as engine:
        with pytest.raises(PolicyError, match=f"{ADMISSION} line 3: value for key\\. ") as caught:
            engine.decide(Stage.ADMISSION, admission_facts(example_request("a private `prompt`")))
        assert "private" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"engines": 0},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"load_timeout": -1},
        {"memory": 1 << 20},
    ],
)
def test_a_bad_argument_is_a_configuration_error(bundle: Bundle, arguments: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        RegorusEngine(bundle, **arguments)


def test_any_rule_of_a_stage_can_be_asked(engine: RegorusEngine) -> None:
    content = json.dumps(admission_facts())
    assert engine.evaluate_unvalidated(Stage.ADMISSION, content, "outcome") == "allow"
    with pytest.raises(PolicyError, match=r"no rule data\.governance\.admission\.nothing"):
        engine.evaluate_unvalidated(Stage.ADMISSION, content, "nothing")


@pytest.mark.parametrize(
    "content", ["", "{", "nothing", "[" * 100_000, "[" * 500 + "]" * 500, "1e400", '"\\ud800"', "\ud800"]
)
def test_what_is_not_usable_json_is_an_error(engine: RegorusEngine, content: str) -> None:
    with pytest.raises(PolicyError):
        engine.evaluate_unvalidated(Stage.ADMISSION, content)
    assert engine.decide(Stage.ADMISSION, admission_facts()).outcome is Outcome.ALLOW


def test_deeply_nested_facts_are_an_error(engine: RegorusEngine) -> None:
    nested: list = []
    for _ in range(10_000):
        nested = [nested]
    with pytest.raises(PolicyError):
        engine.decide(Stage.ADMISSION, {**admission_facts(), "seeds": nested})


def test_a_prompt_of_a_megabyte_is_refused_before_policy_and_denied_by_it(engine: RegorusEngine) -> None:
    with pytest.raises(RequestError):
        admission_facts(example_request("a " * 500_000))
    facts = admission_facts()
    facts["prompts"] = [{**facts["prompts"][0], "text": "a " * 500_000}]
    decision = engine.evaluate_unvalidated(Stage.ADMISSION, json.dumps(facts))
    assert decision["outcome"] == "deny"
    assert "prompt.too_long" in {reason["code"] for reason in decision["reasons"]}
    facts["prompts"] = [{**facts["prompts"][0], "text": "a " * 10_000_000}]
    with pytest.raises(PolicyError, match="bytes"):
        engine.evaluate_unvalidated(Stage.ADMISSION, json.dumps(facts))


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
