"""Requests that are held before anything is generated: people let them run, once, for the reasons that they saw."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from governance.assets import Verdict
from governance.bodies import Subject
from governance.canonical import Json
from governance.entries import EntryKind, HoldState, Recorded
from governance.errors import (
    DeniedError,
    GenerationError,
    HeldError,
    HoldClosedError,
    InProgressError,
    LedgerError,
    ReviewError,
)
from governance.governor import Governor
from governance.results import recorded_result
from governance.testing import FailingAt, FakePipeline
from governance.types import Outcome, Reason, Stage
from support.reviewing import ANN, BOB, CODES, HELD, ReviewPolicy, held, request

ASKED = Reason("prompt.review", "A person should see this.", "/prompts/0")
OTHER = Reason("market.review", "And this.", "/request/markets")


def holding(**obligations: Json) -> ReviewPolicy:
    return ReviewPolicy(admission=(Outcome.REVIEW, (ASKED,), obligations), release=(Outcome.ALLOW, (), {}))


def ask(line, pipeline=None, **changes):
    return Governor(replace(line.parts, **changes)).generate(request(), pipeline or FakePipeline())


def let_go(line):
    line.approve(ANN)
    return line.approve(BOB)


class TestHeld:
    def test_nothing_is_generated_and_nothing_sealed(self):
        line = held(holding(queue="legal", expire_hours=8))
        record = line.record
        assert (record.stage, record.item, record.queue) == (Stage.ADMISSION, None, "legal")
        assert record.expires
        assert line.kinds() == ["held"]
        assert line.parts.quarantine.holds() == []
        assert "digest" not in line.parts.ledger.entry(record.entry_id).body["hold"]
        with pytest.raises(ReviewError, match="at admission"):
            line.desk.view(ANN, record.id)

    def test_which_request_it_is_stands_in_no_entry(self):
        line = held(holding())
        assert len(line.record.request) == 64
        for _, entry in line.parts.ledger.entries():
            assert line.record.request.encode() not in entry.leaf()

    def test_asking_again_is_held_until_it_is_decided(self):
        line = held(holding())
        line.approve(ANN)
        with pytest.raises(HeldError, match=r"prompt\.review") as caught:
            ask(line)
        assert line.record.id in caught.value.remedy
        assert line.kinds() == ["held", "approved"]

    @pytest.mark.parametrize("ending", ["reject", "expire"])
    def test_asking_again_after_the_end_is_a_denial(self, ending):
        line = held(holding(expire_hours=1))
        line.desk.lease(ANN, line.record.id)
        if ending == "reject":
            line.desk.reject(ANN, line.record.id, CODES)
        else:
            line.desk.settle(line.record.expires)
        with pytest.raises(DeniedError, match=r"prompt\.review") as caught:
            ask(line)
        assert [item.verdict for item in caught.value.result.items] == [Verdict.DENIED]
        assert line.parts.ledger.approved_hold(line.record.request) is None


class TestLetGo:
    def test_the_same_request_runs_as_the_next_attempt(self):
        line = held(holding())
        done = let_go(line)
        assert (done.record.state, done.item) == (HoldState.APPROVED, None)
        result = ask(line)
        (item,) = result.items
        assert (item.verdict, result.attempt) == (Verdict.RELEASED, 2)
        assert line.record.state is HoldState.DONE
        assert line.kinds() == ["held", "approved", "approved", "intent", "released"]
        intent = line.parts.ledger.entries(kind=EntryKind.INTENT)[0][1]
        review = intent.body["review"]
        assert (review["hold"], review["entry"]) == (line.record.id, line.record.entry_id)
        assert review["decision_id"] == done.entry.body["decision"]["decision_id"]
        assert len({each["reviewer"] for each in review["approvals"]}) == 2
        assert intent.body["decision"]["outcome"] == "review"
        assert [each.stage for each in item.decisions] == [Stage.ADMISSION, Stage.REVIEW, Stage.RELEASE]
        assert not list(line.parts.ledger.verify())

    def test_release_sees_that_people_let_it_run(self):
        line = held(holding())
        done = let_go(line)
        ask(line)
        facts = next(facts for stage, facts in line.policy.asked if stage is Stage.RELEASE)
        assert facts["admission"]["outcome"] == "review"
        decision = done.entry.body["decision"]
        assert facts["admission"]["review"] == {"decision_id": decision["decision_id"], "outcome": "allow"}

    def test_the_manifest_names_peoples_decision(self):
        line = held(holding())
        done = let_go(line)
        (item,) = ask(line).items
        provenance = line.parts.signer.read(item.asset.content).provenance
        assert done.entry.body["decision"]["decision_id"] in provenance["policy"]["decision_ids"]

    def test_it_is_used_once(self):
        line = held(holding())
        let_go(line)
        first = ask(line)
        assert ask(line).items[0].asset == first.items[0].asset
        with pytest.raises(HeldError):
            Governor(line.parts).generate(request(id="request-2"), FakePipeline())
        assert line.kinds().count("released") == 1

    def test_what_admission_obliged_in_approvals_is_given(self):
        line = held(holding(approvals=2))
        let_go(line)
        assert ask(line).items[0].verdict is Verdict.RELEASED

    def test_what_release_obliges_in_approvals_is_not(self):
        line = held(holding(approvals=2))
        let_go(line)
        line.policy.release = (Outcome.ALLOW, (), {"approvals": 1})
        with pytest.raises(HeldError):
            ask(line)
        assert line.kinds()[-1] == "held"

    def test_a_draft_that_is_held_too_is_for_people_again(self):
        line = held(holding())
        let_go(line)
        line.policy.release = (Outcome.REVIEW, (HELD,), {})
        with pytest.raises(HeldError):
            ask(line)
        first, second = line.parts.ledger.holds()
        assert (first.state, second.state) == (HoldState.DONE, HoldState.OPEN)
        for reviewer in (ANN, BOB):
            line.desk.lease(reviewer, second.id)
            done = line.desk.approve(reviewer, second.id, CODES)
        assert done.item.verdict is Verdict.RELEASED
        assert line.parts.ledger.entry(done.item.entry.id).body["review"]["hold"] == second.id

    @pytest.mark.parametrize(
        "admission",
        [
            (Outcome.REVIEW, (ASKED, OTHER), {}),
            (Outcome.REVIEW, (OTHER,), {}),
            (Outcome.REVIEW, (ASKED,), {"approvals": 3}),
        ],
    )
    def test_what_people_did_not_see_is_held_again(self, admission):
        line = held(holding())
        let_go(line)
        line.policy.admission = admission
        with pytest.raises(HeldError):
            ask(line)
        assert line.kinds() == ["held", "approved", "approved", "held"]
        assert [hold.state for hold in line.parts.ledger.holds()] == [HoldState.APPROVED, HoldState.OPEN]

    def test_policy_may_have_come_to_deny_it(self):
        line = held(holding())
        let_go(line)
        line.policy.admission = (Outcome.DENY, (OTHER,), {})
        with pytest.raises(DeniedError):
            ask(line)

    def test_policy_may_have_come_to_allow_it(self):
        line = held(holding())
        let_go(line)
        line.policy.admission = (Outcome.ALLOW, (), {})
        (item,) = ask(line).items
        assert item.verdict is Verdict.RELEASED
        assert "review" not in line.parts.ledger.entries(kind=EntryKind.INTENT)[0][1].body
        assert ask(line).items[0].asset == item.asset
        assert line.kinds().count("intent") == 1

    def test_an_earlier_approval_does_not_outlive_a_later_rejection(self):
        line = held(holding())
        let_go(line)
        line.policy.admission, before = (Outcome.REVIEW, (ASKED, OTHER), {}), line.policy.admission
        with pytest.raises(HeldError):
            ask(line)
        (again,) = line.parts.ledger.holds(state=HoldState.OPEN)
        line.desk.lease(ANN, again.id)
        line.desk.reject(ANN, again.id, CODES)
        line.policy.admission = before
        with pytest.raises(DeniedError):
            ask(line)
        assert "intent" not in line.kinds()

    def test_another_request_is_not_let_go_with_it(self):
        line = held(holding())
        let_go(line)
        for changed in (request(id="other"), request(id="third", purpose="editorial")):
            with pytest.raises(HeldError):
                Governor(line.parts).generate(changed, FakePipeline())
        assert "intent" not in line.kinds()

    def test_nothing_more_can_be_decided(self):
        line = held(holding())
        let_go(line)
        with pytest.raises(HoldClosedError, match="approved"):
            line.desk.lease(ANN, line.record.id)


class TestFailing:
    def test_after_a_failed_generation_it_is_for_people_again(self):
        line = held(holding())
        let_go(line)
        with pytest.raises(GenerationError):
            ask(line, FakePipeline(error=GenerationError("Out of memory.", remedy="Add some.")))
        assert line.record.state is HoldState.DONE
        with pytest.raises(HeldError):
            ask(line)

    @pytest.mark.parametrize("method", ["reopen", "approved_hold", "append", "begin"])
    @pytest.mark.parametrize("nth", [1, 2])
    def test_what_was_let_go_is_not_lost_before_the_intent(self, method, nth):
        line = held(holding())
        let_go(line)
        ledger = FailingAt(line.parts.ledger, method, LedgerError("broken", remedy="Mend it."), nth=nth)
        try:
            ask(line, ledger=ledger)
        except (LedgerError, HeldError):
            assert "intent" not in line.kinds() or method == "append"
        if line.record.state is HoldState.APPROVED:
            ask(line)
        assert line.record.state is HoldState.DONE
        assert line.kinds().count("intent") == 1

    def test_two_calls_at_once_run_it_once(self):
        line = held(holding())
        let_go(line)
        start, ended = threading.Barrier(6), []

        def work():
            start.wait()
            try:
                ended.append(ask(line).items[0].asset.digest)
            except (HeldError, InProgressError) as error:
                ended.append(type(error))

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ended) == 6
        assert line.kinds().count("intent") == line.kinds().count("released") == 1
        assert ask(line).items[0].verdict is Verdict.RELEASED

    def test_a_row_that_says_approved_is_not_believed(self):
        line = held(holding())
        record = line.record
        line.parts.ledger._store.holds[record.id] = replace(record, state=HoldState.APPROVED)
        with pytest.raises(LedgerError, match="completes the approval"):
            ask(line)
        assert "intent" not in line.kinds()


def test_a_recorded_hold_at_admission_speaks_for_every_item():
    line = held(holding(), request(images=3, seeds=(1, 2, 3)))
    result = recorded_result(line.parts, "request-1", Recorded(1, line.record.subject))
    assert [item.verdict for item in result.items] == [Verdict.HELD] * 3
    line.desk.lease(ANN, line.record.id)
    line.desk.reject(ANN, line.record.id, CODES)
    result = recorded_result(line.parts, "request-1", Recorded(1, line.record.subject))
    assert [item.verdict for item in result.items] == [Verdict.DENIED] * 3
    assert Subject(line.record.subject, 1).intent is None
