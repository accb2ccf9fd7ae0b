"""What replaying recorded decisions counts: every one once, each change by what changed, and never more than was asked."""

import dataclasses
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import Digest
from governance.entries import Entry, EntryKind
from governance.errors import PolicyError, ProofError
from governance.governor import Governor
from governance.testing import FakeLedger, FakePipeline, example_request, fake_parts
from governance.testing.policy import FakePolicyEngine, admission_facts
from governance.types import Decision, Outcome, Reason, Stage, new_id
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.policy.questions import LEDGER, Answer, Contrast, Question, Side
from governance_adapters.policy.recorded import Loss, Lost, RecordedDecision, recorded_decisions
from governance_adapters.policy.replay import OTHER_PROBLEMS, REFUSED, Report, StageTally, replay
from governance_adapters.policy.schemas import Schemas

BUNDLE = Bundle.load(default_bundle_path())
PAST = Digest("ab" * 32)


def answer(outcome=Outcome.ALLOW, *codes, **obligations):
    return Answer(outcome.value, tuple(sorted(codes)), obligations)


def recorded(outcome=Outcome.ALLOW, *codes, facts=None, revision=PAST, **obligations):
    reasons = tuple(Reason(code, "", "") for code in codes)
    decision = Decision(Stage.ADMISSION, outcome, reasons, obligations, new_id(), revision)
    entry = Entry(EntryKind.INTENT, "subject", {})
    question = Question(
        LEDGER, entry.id, Stage.ADMISSION, admission_facts() if facts is None else facts, validated=True
    )
    return RecordedDecision(0, entry, decision, question)


def lost(loss=Loss.FIELD, *erased):
    return dataclasses.replace(recorded(), question=Lost(loss, erased))


def deciding(outcome=Outcome.ALLOW, *codes, bundle=BUNDLE, **obligations):
    engine = FakePolicyEngine(bundle_revision=bundle.revision)
    reasons = [Reason(code, "in words", "") for code in codes]
    engine.script = {Stage.ADMISSION: lambda stage, _: engine.answer(stage, outcome, *reasons, **obligations)}
    return Side(bundle, engine)


def failing():
    return Side(BUNDLE, FakePolicyEngine({Stage.ADMISSION: PolicyError("Out of order.", remedy="Mend it.")}))


def replayed(candidate, *decisions, past=None, limit=50):
    report = Report(limit)
    assert list(replay(decisions, candidate, past or {}, report)) == list(decisions)
    return report


class TestTally:
    def test_the_same_is_counted_as_such(self):
        tally = StageTally()
        assert not tally.compare(answer(Outcome.DENY, "a", steps=1), answer(Outcome.DENY, "a", steps=1))
        assert (tally.same, tally.changed, tally.evaluated) == (1, 0, 1)
        assert not tally.outcomes

    def test_a_change_is_counted_by_what_changed(self):
        tally = StageTally()
        assert tally.compare(
            answer(Outcome.ALLOW, "a", "b", x=1, y=1), answer(Outcome.DENY, "b", "c", "c", y=True, z=1)
        )
        assert (tally.same, tally.changed) == (0, 1)
        assert tally.outcomes == Counter({"allow -> deny": 1})
        assert (tally.codes_added, tally.codes_gone) == (Counter(c=1), Counter(a=1))
        assert tally.obligations_added == Counter(z=1)
        assert tally.obligations_gone == Counter(x=1)
        assert tally.obligations_changed == Counter(y=1)

    def test_a_code_that_comes_once_more_is_new(self):
        tally = StageTally()
        tally.compare(answer(Outcome.DENY, "a"), answer(Outcome.DENY, "a", "a"))
        assert (tally.codes_added, tally.outcomes) == (Counter(a=1), Counter())

    def test_no_decision_takes_no_code_away(self):
        tally = StageTally()
        assert tally.compare(answer(Outcome.DENY, "a", steps=1), Answer("error", problem="Out of order."))
        assert tally.outcomes == Counter({"deny -> error": 1})
        assert not tally.codes_gone
        assert not tally.obligations_gone


codes = st.lists(st.sampled_from("abc"), max_size=4)
obligations = st.dictionaries(st.sampled_from("xyz"), st.booleans() | st.integers(0, 1), max_size=3)
answers = st.builds(lambda o, c, k: answer(o, *c, **k), st.sampled_from(Outcome), codes, obligations)


class TestContrast:
    @given(answers, answers)
    def test_it_is_empty_exactly_where_only_the_outcome_may_differ(self, old, new):
        contrast = Contrast.between(old, new)
        differs = any(getattr(contrast, each.name) for each in dataclasses.fields(contrast))
        assert differs != old.same_as(dataclasses.replace(new, outcome=old.outcome))

    @given(answers, answers)
    def test_there_and_back(self, old, new):
        there, back = Contrast.between(old, new), Contrast.between(new, old)
        assert (there.codes_added, there.codes_gone) == (back.codes_gone, back.codes_added)
        assert (there.obligations_added, there.obligations_gone) == (back.obligations_gone, back.obligations_added)
        assert there.obligations_changed == back.obligations_changed


class TestReplay:
    def test_the_candidate_is_compared_with_what_was_decided(self):
        first, second = recorded(Outcome.ALLOW), recorded(Outcome.DENY, "prompt.blocked_term")
        report = replayed(deciding(Outcome.DENY, "prompt.blocked_term"), first, second)
        assert [(each.recorded, each.old.outcome, each.new.outcome) for each in report.changes] == [
            (first, "allow", "deny")
        ]
        tally = report.stages["admission"]
        assert (tally.recorded, tally.same, tally.changed) == (2, 1, 1)
        assert report.revisions == Counter({PAST: 2})

    def test_what_was_erased_is_never_unchanged(self):
        report = replayed(
            deciding(), lost(Loss.FIELD, "/prompts/0"), lost(Loss.DOCUMENT), lost(Loss.FIELD, "/inputs/0")
        )
        tally = report.stages["admission"]
        assert (tally.recorded, tally.evaluated) == (3, 0)
        assert tally.not_evaluable == Counter({"field erased": 2, "document missing": 1})
        assert not tally.drift
        assert [(each.why, each.details) for each in report.not_evaluable] == [
            ("field erased", ("/prompts/0",)),
            ("document missing", ()),
            ("field erased", ("/inputs/0",)),
        ]

    def test_an_engine_that_fails_decides_otherwise(self):
        report = replayed(failing(), recorded())
        assert report.stages["admission"].outcomes == Counter({"allow -> error": 1})
        assert "Out of order." in report.changes[0].new.problem

    def test_an_input_that_the_schema_refuses_is_not_evaluable(self):
        facts = {**admission_facts(), "version": 0}
        report = replayed(deciding(Outcome.DENY), recorded(facts=facts), recorded(facts=facts), recorded())
        tally = report.stages["admission"]
        assert (tally.evaluated, tally.not_evaluable) == (1, Counter({REFUSED: 2}))
        ((stage, version, problem),) = report.refused
        assert (stage, version, report.refused.total()) == ("admission", "0", 2)
        assert problem.startswith("/version breaks ")

    def test_positions_in_lists_make_no_other_problem(self):
        facts = admission_facts()
        (prompt, *_) = facts["prompts"]
        wrong = {name: value for name, value in prompt.items() if name != "text"}
        first, second = [wrong, prompt], [prompt, wrong]
        report = replayed(deciding(), *(recorded(facts={**facts, "prompts": each}) for each in (first, second)))
        assert len(report.refused) == 1
        assert report.refused.total() == 2

    def test_many_kinds_of_problems_are_counted_together(self):
        report = Report(0)
        for number in range(150):
            decision = recorded()
            report.refuse(decision, decision.question, [f"/x breaks rule{number}"])
        assert len(report.refused) == 101
        assert report.refused["admission", "1", OTHER_PROBLEMS] == 50
        assert report.total("not_evaluable") == 150

    def test_a_stage_that_the_candidate_does_not_cover(self):
        other = recorded()
        question = dataclasses.replace(other.question, stage=Stage.TRAINING)
        decision = dataclasses.replace(other.decision, stage=Stage.TRAINING)
        documents = {path.name: json.loads(path.read_text()) for path in BUNDLE.root.glob("schemas/*.json")}
        del documents["training.input.json"]
        lacking = deciding(bundle=dataclasses.replace(BUNDLE, schemas=Schemas(documents)))
        report = replayed(lacking, dataclasses.replace(other, question=question, decision=decision))
        assert report.stages["training"].not_evaluable == Counter({REFUSED: 1})
        assert report.not_evaluable[0].details == ("there is no schemas/training.input.json",)

    def test_only_so_many_are_listed(self):
        report = replayed(deciding(Outcome.DENY), *(recorded() for _ in range(5)), lost(), lost(), limit=2)
        assert (len(report.changes), len(report.not_evaluable)) == (2, 2)
        assert (report.total("changed"), report.total("not_evaluable"), report.total("recorded")) == (5, 2, 7)

    @given(st.lists(st.sampled_from(["same", "changed", "lost", "refused"]), max_size=12), st.integers(0, 3))
    def test_every_decision_is_counted_once(self, kinds, limit):
        make = {
            "same": lambda: recorded(Outcome.ALLOW),
            "changed": lambda: recorded(Outcome.DENY),
            "lost": lost,
            "refused": lambda: recorded(facts={"version": 1}),
        }
        report = replayed(deciding(), *(make[kind]() for kind in kinds), limit=limit)
        counts = Counter(kinds)
        assert report.total("same") == counts["same"]
        assert report.total("changed") == counts["changed"]
        assert report.total("not_evaluable") == counts["lost"] + counts["refused"]
        assert report.total("recorded") == len(kinds)
        assert len(report.changes) == min(limit, counts["changed"])


class TestDrift:
    def test_the_bundle_that_decided_is_asked_again(self):
        past = {PAST: deciding(Outcome.ALLOW, bundle=dataclasses.replace(BUNDLE, revision=PAST))}
        report = replayed(deciding(Outcome.DENY), recorded(Outcome.ALLOW), recorded(Outcome.REVIEW), past=past)
        assert report.stages["admission"].drift == Counter({"reproduced": 1, "differs": 1})
        (drifted,) = report.drifted
        assert (drifted.old.outcome, drifted.new.outcome) == ("review", "allow")

    def test_where_it_is_not_at_hand_nothing_is_claimed(self):
        report = replayed(deciding(), recorded())
        assert report.stages["admission"].drift == Counter({"bundle not at hand": 1})

    def test_the_candidate_itself_is_asked_once(self):
        side = deciding(Outcome.ALLOW)
        report = replayed(side, recorded(revision=BUNDLE.revision), past={BUNDLE.revision: side})
        assert report.stages["admission"].drift == Counter({"reproduced": 1})
        assert len(side.engine.asked) == 1

    def test_it_is_asked_too_where_the_candidate_refuses_the_input(self):
        side = deciding(Outcome.ALLOW)
        past = {PAST: Side(dataclasses.replace(BUNDLE, revision=PAST), side.engine)}
        report = replayed(side, recorded(facts={"version": 1, "stage": "admission"}), past=past)
        assert report.stages["admission"].drift == Counter({"reproduced": 1})
        assert report.total("evaluated") == 0


class CountingLedger(FakeLedger):
    """Counts what is read, and may give another value than was committed."""

    pages = 0
    altered = False

    def entries(self, **asked):
        self.pages += 1
        return super().entries(**asked)

    def fields(self, entry_id):
        found = super().fields(entry_id)
        return [dataclasses.replace(field, value="other") for field in found] if self.altered else found


class TestRecorded:
    @pytest.fixture
    def ledger(self):
        ledger = CountingLedger()
        governor = Governor(fake_parts(ledger=ledger, log_key=ledger.key))
        for number in range(3):
            governor.generate(example_request(id=f"request-{number}"), FakePipeline())
        ledger.pages = 0
        return ledger

    def test_a_page_is_read_when_it_is_needed(self, ledger):
        decisions = recorded_decisions(ledger)
        assert ledger.pages == 0
        assert next(decisions).decision.stage is Stage.ADMISSION
        assert ledger.pages == 1
        assert [each.index for each in decisions] == [1, 2, 3, 4, 5]
        assert ledger.pages == 2

    def test_what_is_not_what_was_committed_ends_it_by_name(self, ledger):
        ledger.altered = True
        (_, first), *_ = ledger.entries(limit=1)
        with pytest.raises(ProofError, match=rf"^Entry {first.id}: The personal field /\S+ was altered\. Run "):
            next(recorded_decisions(ledger))
