"""What another bundle would change: every changed answer is found, with where it was asked, and nothing else is."""

import copy
import dataclasses
import json
from collections import Counter
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import digest
from governance.entries import EntryKind
from governance.errors import DeniedError, PolicyError
from governance.governor import Governor
from governance.testing import FakeLedger, FakePipeline, example_request, fake_parts
from governance.testing.corpus import cases
from governance.testing.policy import FakePolicyEngine, admission_facts
from governance.types import Outcome, Reason, Stage
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.policy.differences import (
    Tally,
    compare,
    corpus_questions,
    data_changes,
    recorded_questions,
    rule_changes,
    with_example_model,
)
from governance_adapters.policy.overlay import merge_patch
from governance_adapters.policy.pointers import place
from governance_adapters.policy.questions import CORPUS, LEDGER, NO_DECISION, Answer, Question, Side

BUNDLE = Bundle.load(default_bundle_path())
QUESTION = Question(LEDGER, "an entry", Stage.ADMISSION, admission_facts(), validated=True)
BARE = Question(CORPUS, "a case", Stage.ADMISSION, {"anything": 1}, validated=False)


class Raw(FakePolicyEngine):
    """A fake that answers unvalidated questions as OPA does."""

    def __init__(self, answer):
        super().__init__()
        self.answer_ = answer

    def decide(self, stage, facts):
        raise AssertionError("a bare question goes to the rules alone")

    def evaluate_unvalidated(self, stage, content):
        if isinstance(self.answer_, PolicyError):
            raise self.answer_
        return self.answer_


def deciding(outcome, *codes, **obligations):
    engine = FakePolicyEngine()
    reasons = [Reason(code, f"in words {number}", "/prompts/0") for number, code in enumerate(codes)]
    engine.script = {Stage.ADMISSION: lambda stage, _: engine.answer(stage, outcome, *reasons, **obligations)}
    return Side(BUNDLE, engine)


def failing(message="Down."):
    return Side(BUNDLE, FakePolicyEngine({Stage.ADMISSION: PolicyError(message, remedy="Start it.")}))


def compared(old, new, *questions):
    tally = Tally()
    return list(compare(questions or (QUESTION,), old, new, tally)), tally


class TestAnswers:
    def test_the_same_is_no_change(self):
        changes, tally = compared(deciding(Outcome.DENY, "a", "b", steps=1), deciding(Outcome.DENY, "b", "a", steps=1))
        assert changes == []
        assert (tally.asked, tally.changed) == (Counter(admission=1), Counter())

    def test_another_outcome_is_one(self):
        ((change,), tally) = compared(deciding(Outcome.ALLOW), deciding(Outcome.DENY, "prompt.blocked_term"))
        assert (change.source, change.name, change.stage) == (LEDGER, "an entry", Stage.ADMISSION)
        assert (change.old, change.new) == (Answer("allow"), Answer("deny", ("prompt.blocked_term",)))
        assert tally.outcomes == tally.changed == Counter(admission=1)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (deciding(Outcome.DENY, "a"), deciding(Outcome.DENY, "b")),
            (deciding(Outcome.DENY, "a"), deciding(Outcome.DENY, "a", "a")),
            (deciding(Outcome.ALLOW, retain_days=1), deciding(Outcome.ALLOW, retain_days=2)),
            (deciding(Outcome.ALLOW, retain_days=1), deciding(Outcome.ALLOW)),
            (deciding(Outcome.ALLOW, retain_days=1), deciding(Outcome.ALLOW, retain_days=True)),
        ],
    )
    def test_other_codes_or_obligations_are_one_too(self, old, new):
        ((change,), tally) = compared(old, new)
        assert change.old.outcome == change.new.outcome
        assert (tally.changed["admission"], tally.outcomes["admission"]) == (1, 0)

    def test_where_one_gives_no_decision_that_is_a_change_and_says_why(self):
        ((change,), _) = compared(deciding(Outcome.ALLOW), failing("Out of order."))
        assert change.new.outcome == NO_DECISION
        assert "Out of order." in change.new.problem

    def test_what_both_refuse_is_counted_and_no_change(self):
        changes, tally = compared(failing("One."), failing("Another."))
        assert changes == []
        assert (tally.refused, tally.asked) == (Counter(admission=1), Counter(admission=1))


class TestBareQuestions:
    ALLOWED: ClassVar = {"outcome": "allow", "reasons": [], "obligations": {}}

    def test_they_go_to_the_rules_without_a_schema(self):
        ((change,), _) = compared(Side(BUNDLE, Raw(self.ALLOWED)), Side(BUNDLE, Raw(None)), BARE)
        assert change.old == Answer("allow")
        assert change.new == Answer("deny", ("policy.undefined",))

    def test_an_answer_that_is_no_decision_is_none(self):
        ((change,), _) = compared(Side(BUNDLE, Raw(self.ALLOWED)), Side(BUNDLE, Raw({"outcome": "perhaps"})), BARE)
        assert change.new.outcome == NO_DECISION

    def test_the_whole_corpus_is_asked(self):
        asked = list(corpus_questions())
        assert [(q.name, q.stage, type(q.content)) for q in asked] == [
            (c.name, c.stage, type(c.content)) for c in cases()
        ]
        assert len(asked) > 100
        assert {q.source for q in asked} == {CORPUS}

    def test_the_example_model_is_allowed_for_it(self):
        changed = with_example_model(BUNDLE)
        assert len(changed.data["models"]) == len(BUNDLE.data["models"]) + 1
        assert changed.policies == BUNDLE.policies


class ForgetfulLedger(FakeLedger):
    """Personal fields of these names were erased; these documents are not kept any more."""

    erased: frozenset[str] = frozenset()
    lost = False

    def fields(self, entry_id):
        return [field for field in super().fields(entry_id) if field.name not in self.erased]

    def document(self, digest):
        return None if self.lost else super().document(digest)


class TestRecorded:
    @pytest.fixture
    def ledger(self):
        ledger = ForgetfulLedger()
        parts = fake_parts(ledger=ledger, log_key=ledger.key)
        Governor(parts).generate(example_request(), FakePipeline())
        denying = fake_parts(
            ledger=ledger, log_key=ledger.key, policy=FakePolicyEngine(undefined=frozenset({Stage.ADMISSION}))
        )
        with pytest.raises(DeniedError):
            Governor(denying).generate(example_request("another", id="request-2"), FakePipeline())
        self.asked = [facts for _, facts in (*parts.policy.asked, *denying.policy.asked)]
        return ledger

    def test_every_recorded_decision_is_asked_again_with_what_it_was_asked(self, ledger):
        tally = Tally()
        questions = list(recorded_questions(ledger, tally))
        assert [question.content for question in questions] == self.asked
        assert [question.stage for question in questions] == [Stage.ADMISSION, Stage.RELEASE, Stage.ADMISSION]
        kinds = [ledger.entry(question.name).kind for question in questions]
        assert kinds == [EntryKind.INTENT, EntryKind.RELEASED, EntryKind.DENIED]
        assert not tally.not_evaluable

    def test_what_was_erased_cannot_be_asked(self, ledger):
        ledger.erased = frozenset({"/prompts/0"})
        tally = Tally()
        assert list(recorded_questions(ledger, tally)) == []
        assert tally.not_evaluable == Counter(admission=2, release=1)

    def test_a_document_that_is_gone_cannot_either(self, ledger):
        ledger.lost = True
        tally = Tally()
        assert list(recorded_questions(ledger, tally)) == []
        assert tally.not_evaluable == Counter(admission=2, release=1)

    def test_only_what_is_not_older(self, ledger):
        last = ledger.entries(kind=EntryKind.DENIED)[0][1]
        tally = Tally()
        names = [question.name for question in recorded_questions(ledger, tally, since=last.time)]
        assert names[-1] == last.id
        assert list(recorded_questions(ledger, tally, since="9999")) == []
        assert not tally.not_evaluable


names = st.text("ab~/", min_size=1, max_size=3)
plain = st.booleans() | st.integers(-3, 3) | st.text("xy", max_size=2) | st.lists(st.integers(0, 2), max_size=2)
values = st.recursive(plain, lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=8)
objects = st.dictionaries(names, values, max_size=4)


def with_data(data):
    return dataclasses.replace(BUNDLE, data=data)


class TestData:
    def test_keys_are_named_where_they_stand(self):
        old = {"limits": {"steps": 1, "images": 2}, "models": {"x": {"a": 1}}, "same": [1]}
        new = {"limits": {"steps": 3, "images": 2}, "same": [1], "markets": {"EU": {"a/b": {}}}}
        changes = data_changes(with_data(old), with_data(new))
        assert (changes.added, changes.removed, changes.changed) == (("/markets",), ("/models",), ("/limits/steps",))

    def test_one_is_not_true(self):
        assert data_changes(with_data({"a": 1}), with_data({"a": True})).changed == ("/a",)

    @given(objects, objects)
    def test_what_is_named_is_exactly_what_differs(self, old, new):
        changes = data_changes(with_data(old), with_data(new))
        assert bool(changes) == (digest_of(old) != digest_of(new))
        for pointer in changes.added:
            assert place(new, pointer).there
            assert not place(old, pointer).there
        for pointer in changes.removed:
            assert place(old, pointer).there
            assert not place(new, pointer).there
        for pointer in changes.changed:
            assert digest_of(place(old, pointer).value) != digest_of(place(new, pointer).value)

    @given(objects, objects)
    def test_there_and_back_name_the_same(self, old, new):
        there, back = data_changes(with_data(old), with_data(new)), data_changes(with_data(new), with_data(old))
        assert (there.added, there.removed, there.changed) == (back.removed, back.added, back.changed)

    def test_an_overlay_changes_what_its_patch_says(self):
        patch = {"limits": {"steps": 7}, "roles": {"editor": None}}
        changes = data_changes(BUNDLE, with_data(merge_patch(copy.deepcopy(BUNDLE.data), patch)))
        assert (changes.added, changes.removed, changes.changed) == ((), ("/roles/editor",), ("/limits/steps",))


def test_rule_files_are_compared_by_their_text():
    policies = dict(BUNDLE.policies)
    gone, edited, *_ = sorted(policies)
    del policies[gone]
    policies[edited] += "\n# more\n"
    policies["extra/extra.rego"] = "package extra\n"
    changes = rule_changes(BUNDLE, dataclasses.replace(BUNDLE, policies=policies))
    assert (changes.added, changes.removed, changes.changed) == (("extra/extra.rego",), (gone,), (edited,))
    assert not rule_changes(BUNDLE, BUNDLE)


def digest_of(value):
    return digest(json.dumps(value, sort_keys=True).encode())
