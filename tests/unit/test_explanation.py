"""An explanation names the rule, the datum and the part of the input behind each reason, and says what it does not know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.bodies import Judged, Subject
from governance.canonical import digest
from governance.entries import Entry, EntryKind, PersonalField, Record
from governance.errors import LedgerError, PolicyError
from governance.obligations import Obligations
from governance.testing import EXAMPLE_MODEL, FakeLedger, example_request
from governance.testing.policy import admission_facts
from governance.types import Decision, Outcome, Reason, Stage
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.explainer import Explainer
from governance_adapters.policy.explanation import as_json, changes, explained, explained_from_record
from governance_adapters.policy.pointers import Place, place, pointer, steps_of
from governance_adapters.policy.schemas import Schemas

RULES = {
    "admission/admission.rego": """package governance.admission

explanation := []

# METADATA
# title: Malformed at admission
# description: Unreadable.
# custom:
#   code: input.malformed
#   fix: Send it whole.
unreadable contains {"code": "input.malformed"}
""",
    "lib/prompts.rego": """package governance.prompts

# METADATA
# title: Blocked term
# description: A prompt contains a blocked term.
# custom:
#   code: prompt.blocked_term
#   fix: Ask for something else.
denials contains {"code": "prompt.blocked_term"}

# METADATA
# title: Blocked term
# description: A prompt contains a blocked term.
# custom:
#   code: prompt.blocked_term
#   fix: Ask for something else.
denials contains {"code": "prompt.blocked_term"}
""",
    "release/release.rego": """package governance.release

# METADATA
# title: Malformed at release
# description: Unreadable.
# custom:
#   code: input.malformed
#   fix: Send it whole.
unreadable contains {"code": "input.malformed"}
""",
}
DATA = {
    "blocked_terms": {"banknote": {"category": "forgery"}, "a/b~c": {"category": "odd"}},
    "limits": {"steps": 100},
    "purposes": {"marketing": {"roles": ["designer"]}},
    "roles": {"designer": {"limits": {"steps": 50}, "budget": {"images": 7}}},
    "budgets": {"images": 5, "steps": 9},
    "markets": {
        "CN": {"visible_label": "label of CN", "label_language": "zh"},
        "EU": {"output_formats": ["image/png", "image/webp"]},
    },
    "review": {
        "approvals": 1,
        "approvals_by_code": {"work.review": 2},
        "queue": "general",
        "queue_by_code": {"work.review": "brand"},
        "due_hours": 24,
    },
    "small_images": "label",
    "visible_label": "AI-generated",
    "obligations": {"watermark": True, "retain_days": 365, "output_formats": ["image/png"]},
}
BUNDLE = Bundle(Path("bundle"), RULES, DATA, Schemas({}), digest(b"in force"))
TERM = Reason("prompt.blocked_term", "The prompt contains a term blocked as forgery.", "/prompts/0")
STEPS = Reason("limit.steps", "Too many.", "/parameters/steps")


def decision(
    outcome: Outcome = Outcome.DENY, *reasons: Reason, stage: Stage = Stage.ADMISSION, **obligations: Any
) -> Decision:
    return Decision(stage, outcome, reasons, obligations, "an id", BUNDLE.revision)


def said(reason: Reason, datum: str = "") -> dict[str, str]:
    return {"code": reason.code, "message": reason.message, "path": reason.path, "datum": datum}


def facts(text: str = "a red banknote", **changed: Any) -> dict[str, Any]:
    return {**admission_facts(example_request(text)), **changed}


class TestReasons:
    def test_rule_field_datum_and_match(self) -> None:
        (found,) = explained(
            BUNDLE, decision(Outcome.DENY, TERM), facts(), [said(TERM, "/blocked_terms/banknote")]
        ).reasons
        assert found.rule is not None
        assert (found.rule.title, found.rule.fix) == ("Blocked term", "Ask for something else.")
        assert found.rule.places == ("lib/prompts.rego:9", "lib/prompts.rego:17")
        assert found.field == Place("/prompts/0", there=True, value="a red banknote")
        (ground,) = found.grounds
        assert ground.datum == Place("/blocked_terms/banknote", there=True, value={"category": "forgery"})
        assert ground.match is not None
        assert (ground.match.ngram, ground.match.decoded) == ("banknote", False)

    def test_several_data_behind_one_reason(self) -> None:
        answer = [said(TERM, "/blocked_terms/a~1b~0c"), said(TERM, "/blocked_terms/banknote")]
        (found,) = explained(BUNDLE, decision(Outcome.DENY, TERM), facts(), answer).reasons
        assert [ground.match.ngram for ground in found.grounds if ground.match] == ["a/b~c", "banknote"]
        assert found.grounds[0].datum.value == {"category": "odd"}

    def test_a_term_that_no_reading_of_the_prompt_has_was_decoded(self) -> None:
        asked = facts("YmFua25vdGU=")
        assert "banknote" in asked["prompts"][0]["hidden"]
        (found,) = explained(
            BUNDLE, decision(Outcome.DENY, TERM), asked, [said(TERM, "/blocked_terms/banknote")]
        ).reasons
        assert found.grounds[0].match is not None
        assert found.grounds[0].match.decoded

    def test_a_stage_has_its_own_rules_before_those_of_others(self) -> None:
        reason = Reason("input.malformed", "Unreadable.", "/usage")
        for stage, place_ in (
            (Stage.ADMISSION, "admission/admission.rego:11"),
            (Stage.RELEASE, "release/release.rego:9"),
        ):
            (found,) = explained(BUNDLE, decision(Outcome.DENY, reason, stage=stage), {}, [said(reason)]).reasons
            assert found.rule is not None
            assert found.rule.places == (place_,)
            assert found.field == Place("/usage", there=False)
            assert found.grounds == ()
        (found,) = explained(BUNDLE, decision(Outcome.DENY, reason, stage=Stage.REVIEW), {}, [said(reason)]).reasons
        assert found.rule is None

    def test_a_code_without_metadata_has_no_rule(self) -> None:
        (found,) = explained(BUNDLE, decision(Outcome.DENY, STEPS), facts(), [said(STEPS, "/limits/steps")]).reasons
        assert found.rule is None
        assert found.field == Place("/parameters/steps", there=True, value=30)
        assert found.grounds[0].datum.value == 100
        assert found.grounds[0].match is None

    def test_an_undefined_decision_is_the_engines_own(self) -> None:
        undefined = Reason("policy.undefined", "The policy gave no decision for this input.")
        (found,) = explained(BUNDLE, decision(Outcome.DENY, undefined), {}, None).reasons
        assert found.rule is not None
        assert found.rule.places == ()
        assert found.field is None

    def test_a_bundle_that_explains_nothing_leaves_the_datum_open(self) -> None:
        (found,) = explained(BUNDLE, decision(Outcome.DENY, TERM), facts(), None).reasons
        assert found.rule is not None
        assert found.grounds == ()

    def test_what_did_not_decide_is_a_note(self) -> None:
        answer = [said(STEPS, "/limits/steps"), said(TERM)]
        denied = explained(BUNDLE, decision(Outcome.DENY, STEPS), facts(), answer)
        assert ([r.code for r in denied.reasons], [n.code for n in denied.notes]) == (["limit.steps"], [TERM.code])
        allowed = explained(BUNDLE, decision(Outcome.ALLOW, TERM), facts(), [said(TERM)])
        assert ([r.code for r in allowed.reasons], [n.code for n in allowed.notes]) == ([], [TERM.code])

    @pytest.mark.parametrize(
        "answer",
        [{}, "text", 3, [3], [{"code": "a"}], [{**said(TERM), "datum": 3}], [{**said(TERM), "message": None}]],
    )
    def test_an_explanation_of_another_shape_is_refused(self, answer: object) -> None:
        with pytest.raises(PolicyError, match="explanation"):
            explained(BUNDLE, decision(Outcome.DENY, TERM), facts(), answer)

    def test_it_is_json(self) -> None:
        told = explained(
            BUNDLE, decision(Outcome.DENY, TERM, retain_days=365), facts(), [said(TERM, "/blocked_terms/banknote")]
        )
        value = json.loads(json.dumps(as_json(told)))
        assert value["outcome"] == "deny"
        (reason,) = value["reasons"]
        assert reason["grounds"][0]["match"] == {"ngram": "banknote", "decoded": False}
        assert reason["input"] == {"pointer": "/prompts/0", "there": True, "value": "a red banknote"}
        assert value["obligations"] == [{"name": "retain_days", "value": 365, "from": ["/obligations/retain_days"]}]


class TestObligations:
    @pytest.mark.parametrize(
        ("name", "value", "sources"),
        [
            ("retain_days", 365, ["/obligations/retain_days"]),
            ("max_steps", 50, ["/roles/designer/limits/steps"]),
            ("max_steps", 100, ["/limits/steps"]),
            ("day_budget", {"images": 5, "steps": 9}, ["/budgets"]),
            ("day_budget", {"images": 7, "steps": 9}, ["/roles/designer/budget", "/budgets"]),
            ("approvals", 2, ["/review/approvals_by_code/work.review"]),
            ("approvals", 1, ["/review/approvals"]),
            ("queue", "brand", ["/review/queue_by_code/work.review"]),
            ("queue", "general", ["/review/queue"]),
            ("due_hours", 24, ["/review/due_hours"]),
            ("expire_hours", 168, []),
            ("label_language", "zh", ["/markets/CN/label_language"]),
            ("visible_label", "label of CN", ["/markets/CN/visible_label"]),
            ("visible_label", "AI-generated", ["/visible_label"]),
            ("watermark", True, ["/obligations/watermark"]),
            ("watermark", False, ["/small_images"]),
            ("output_formats", ["image/png"], ["/obligations/output_formats"]),
            ("output_formats", ["image/webp"], ["/markets/EU/output_formats", "/obligations/output_formats"]),
            ("disclose", ["purpose"], []),
        ],
    )
    def test_each_comes_from_the_data_that_says_it(self, name: str, value: Any, sources: list[str]) -> None:
        reason = Reason("work.review", "Look at it.", "")
        told = explained(BUNDLE, decision(Outcome.REVIEW, reason, **{name: value}), facts(), None)
        (found,) = told.obligations
        assert (found.name, found.value) == (name, value)
        assert [source.pointer for source in found.sources] == sources

    def test_a_role_that_is_not_permitted_does_not_count(self) -> None:
        asked = facts()
        asked["request"] = {**asked["request"], "purpose": "research"}
        told = explained(BUNDLE, decision(Outcome.ALLOW, max_steps=50), asked, None)
        assert [source.pointer for source in told.obligations[0].sources] == ["/limits/steps"]

    def test_a_review_has_the_codes_and_markets_of_the_hold(self) -> None:
        asked = {"hold": {"codes": ["work.review"], "markets": ["EU"]}}
        told = explained(BUNDLE, decision(Outcome.ALLOW, stage=Stage.REVIEW, approvals=2), asked, None)
        assert [source.pointer for source in told.obligations[0].sources] == ["/review/approvals_by_code/work.review"]

    def test_only_the_markets_of_the_request_count(self) -> None:
        asked = facts()
        asked["request"] = {**asked["request"], "markets": ["EU"]}
        told = explained(BUNDLE, decision(Outcome.ALLOW, visible_label="label of CN"), asked, None)
        assert "/markets/CN/visible_label" not in [source.pointer for source in told.obligations[0].sources]


@dataclass
class FakeEvaluator:
    """Says what it was told to say of a rule; remembers what it was asked."""

    answers: Mapping[str, Any]
    asked: list[tuple[Stage, Any, str]] = field(default_factory=list)

    def evaluate_unvalidated(self, stage: Stage, content: str, rule: str = "decision") -> Any:
        self.asked.append((stage, json.loads(content), rule))
        return self.answers[rule]


class ErasedLedger(FakeLedger):
    """A ledger in which some personal fields were erased."""

    def __init__(self, *erased: str) -> None:
        super().__init__()
        self._erased = erased

    def fields(self, entry_id: str) -> list[PersonalField]:
        return [kept for kept in super().fields(entry_id) if kept.name not in self._erased]


ANSWERS = {
    "decision": {
        "outcome": "deny",
        "reasons": [{"code": TERM.code, "message": TERM.message, "path": TERM.path}],
        "obligations": {},
    },
    "explanation": [said(TERM, "/blocked_terms/banknote")],
}
DECISION_SCHEMA = {"decision.json": {"$id": "urn:decision", "type": "object"}}
SCHEMAS = Schemas({**DECISION_SCHEMA, "admission.input.json": {"$id": "urn:input", "required": ["usage"]}})
ASKABLE = replace(BUNDLE, schemas=SCHEMAS)


def recorded(
    ledger: FakeLedger, outcome: Outcome = Outcome.DENY, *reasons: Reason, revision: bytes = b"in force"
) -> Entry:
    """The entry of a request that was stopped at admission."""
    request = example_request("a red banknote")
    made = replace(decision(outcome, *(reasons or (TERM,))), bundle_revision=digest(revision))
    record = Subject("a generation", 1).denied(request, EXAMPLE_MODEL, Judged(made, facts(), Obligations()))
    ledger.append(record)
    return record.entry


class TestExplainer:
    def test_an_input_is_asked_about_as_it_is(self) -> None:
        evaluator = FakeEvaluator(ANSWERS)
        told = Explainer(ASKABLE, evaluator).input(Stage.ADMISSION, facts())
        assert evaluator.asked == [(Stage.ADMISSION, facts(), rule) for rule in ("decision", "explanation")]
        assert told.explanation.reasons[0].grounds[0].datum.pointer == "/blocked_terms/banknote"
        assert (told.problems, told.recalled) == ((), None)

    def test_an_input_that_the_line_would_refuse_says_why(self) -> None:
        asked = facts()
        del asked["usage"]
        told = Explainer(ASKABLE, FakeEvaluator(ANSWERS)).input(Stage.ADMISSION, asked)
        assert told.problems == ("/ breaks required",)

    def test_a_stage_without_the_rule_is_not_asked_for_it(self) -> None:
        evaluator = FakeEvaluator({"decision": ANSWERS["decision"]})
        told = Explainer(ASKABLE, evaluator).input(Stage.RELEASE, {**facts(), "stage": "release"})
        assert [rule for _, _, rule in evaluator.asked] == ["decision"]
        assert told.explanation.reasons[0].grounds == ()

    def test_a_record_is_asked_about_with_its_personal_fields(self) -> None:
        ledger, evaluator = FakeLedger(), FakeEvaluator(ANSWERS)
        told = Explainer(ASKABLE, evaluator).entry(ledger, recorded(ledger))
        assert evaluator.asked[0][1] == facts()
        assert told.explanation.evaluated
        assert told.recalled is not None
        assert (told.recalled.erased, told.recalled.changes) == ((), ())

    def test_a_record_of_another_bundle_is_compared(self) -> None:
        ledger = FakeLedger()
        entry = recorded(ledger, Outcome.REVIEW, STEPS, revision=b"an older one")
        told = Explainer(ASKABLE, FakeEvaluator(ANSWERS)).entry(ledger, entry)
        assert told.recalled is not None
        assert told.recalled.decision.bundle_revision == digest(b"an older one") != told.explanation.bundle_revision
        assert told.recalled.changes == (
            "the outcome was review and is deny now",
            "no longer: limit.steps /parameters/steps",
            "new: prompt.blocked_term /prompts/0",
        )

    def test_what_was_erased_is_explained_from_the_record_alone(self) -> None:
        ledger = ErasedLedger("/prompts/0", "/decision/messages")
        evaluator = FakeEvaluator({})
        told = Explainer(ASKABLE, evaluator).entry(ledger, recorded(ledger))
        assert evaluator.asked == []
        assert not told.explanation.evaluated
        assert told.recalled is not None
        assert (told.recalled.erased, told.recalled.changes) == (("/prompts/0",), None)
        (reason,) = told.explanation.reasons
        assert reason.rule is not None
        assert (reason.code, reason.message, reason.grounds) == (TERM.code, "", ())
        assert "banknote" not in json.dumps(as_json(told.explanation))

    def test_an_entry_without_a_decision_is_refused(self) -> None:
        ledger = FakeLedger()
        entry = Entry(EntryKind.FAILED, "a generation", {"version": 1, "fields": {}})
        ledger.append(Record(entry))
        with pytest.raises(LedgerError, match="records no decision"):
            Explainer(ASKABLE, FakeEvaluator(ANSWERS)).entry(ledger, entry)


def test_notes_of_a_record_that_was_allowed() -> None:
    told = explained_from_record(BUNDLE, decision(Outcome.ALLOW, TERM, retain_days=365), {})
    assert ([reason.code for reason in told.notes], told.reasons) == ([TERM.code], ())
    assert [source.pointer for source in told.obligations[0].sources] == ["/obligations/retain_days"]


def test_changes_name_obligations() -> None:
    before, after = (
        decision(Outcome.ALLOW, max_steps=9, retain_days=1),
        decision(Outcome.ALLOW, max_steps=8, disclose=["a"]),
    )
    assert changes(before, before) == ()
    assert changes(before, after) == (
        "the obligation disclose was not set and is ['a'] now",
        "the obligation max_steps was 9 and is 8 now",
        "the obligation retain_days was 1 and is not set now",
    )


values = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=12,
)


class TestPointers:
    @given(st.lists(st.text(max_size=8), max_size=4))
    def test_steps_come_back(self, steps: list[str]) -> None:
        assert steps_of(pointer(*steps)) == tuple(steps)

    @given(values)
    def test_every_part_is_found_under_its_pointer(self, value: Any) -> None:
        def walk(part: Any, *steps: str) -> None:
            assert place(value, pointer(*steps)) == Place(pointer(*steps), there=True, value=part)
            children = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
            for key, child in children:
                walk(child, *steps, str(key))

        walk(value)

    @pytest.mark.parametrize("text", ["a", "/1", "/a/2", "/a/01", "/a/-1", "/a/٠", "/a/0/b", "/a/-", "/b/c"])
    def test_what_leads_nowhere_is_not_there(self, text: str) -> None:
        assert place({"a": ["x", None], "b": "text"}, text) == Place(text, there=False)
