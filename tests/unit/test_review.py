"""The review desk: who may do what, in which order, and what each act leaves behind."""

from __future__ import annotations

import pytest

from governance.canonical import canonical_bytes
from governance.entries import EntryKind, HoldState
from governance.errors import (
    HeldError,
    HoldChangedError,
    HoldClosedError,
    LeaseError,
    LedgerError,
    NoHoldError,
    NotPermittedError,
    PolicyError,
    ReviewError,
    StorageError,
)
from governance.governor import Governor
from governance.hold_bodies import MAX_CODES, MAX_COMMENT_CHARACTERS
from governance.holds import later
from governance.review_gate import ReviewGate
from governance.testing import FailingAt, FakePipeline, example_picture
from governance.types import Outcome, Stage, new_id
from support.reviewing import ANN, BOB, CAY, CODES, HELD, REQUESTER, VISITOR, ReviewPolicy, erase, held, request

NASTY = '<script>alert(1)</script>=HYPERLINK("x")\n\t\u202e\x00 "\\'


def expiring(**obligations):
    return ReviewPolicy(release=(Outcome.REVIEW, (HELD,), {"due_hours": 4, "expire_hours": 8, **obligations}))


class TestReading:
    def test_a_hold_says_how_it_was_opened(self):
        line = held(expiring(queue="legal", approvals=3))
        record = line.record
        entry = line.parts.ledger.entry(record.entry_id)
        assert (record.state, record.stage, record.item, record.queue) == (HoldState.OPEN, Stage.RELEASE, 0, "legal")
        assert record.opened == entry.time
        assert (record.due, record.expires) == (later(entry.time, 4 * 3600), later(entry.time, 8 * 3600))
        named = entry.body["hold"]
        assert {**named, "digest": ""} == {
            "id": record.id,
            "digest": "",
            "approvals": 3,
            "queue": "legal",
            "due": record.due,
            "expires": record.expires,
        }

    def test_holds_are_listed_by_queue_and_state(self):
        line = held(expiring(queue="legal"))
        assert line.desk.holds(ANN) == [line.record]
        assert line.desk.holds(ANN, queue="brand") == []
        assert line.desk.holds(ANN, state=HoldState.DONE) == []
        assert line.desk.holds(ANN, state=None, queue="legal") == [line.record]
        assert line.desk.holds(ANN, after=line.record.id) == []

    def test_a_view_of_a_hold_tells_all_but_the_picture(self):
        line = held()
        line.desk.comment(ANN, line.record.id, "looks fine")
        line.approve(ANN, "go")
        view = line.desk.show(BOB, line.record.id)
        assert view.record == line.record
        assert view.held.id == view.record.entry_id
        assert [reason.code for reason in view.decision.reasons] == ["finding.review"]
        assert [finding.label for finding in view.findings] == ["nsfw"]
        assert [act.kind for act in view.acts] == [EntryKind.COMMENTED, EntryKind.APPROVED]
        assert set(view.reviewers.values()) == {ANN.id}
        assert [view.comments[act.id] for act in view.acts] == ["looks fine", "go"]
        assert (view.given, view.needed) == (1, 2)

    def test_reading_leaves_no_entry_and_works_on_what_is_over(self):
        line = held()
        line.desk.lease(ANN, line.record.id)
        line.desk.reject(ANN, line.record.id, CODES)
        before = line.kinds()
        assert line.desk.show(BOB, line.record.id).record.state is HoldState.REJECTED
        line.desk.holds(BOB)
        assert line.kinds() == before

    def test_the_draft_is_seen_after_the_entry_says_so(self):
        line = held()
        content = line.desk.view(ANN, line.record.id)
        assert (line.parts.encoder.decode(content) == example_picture(64, 64, 5)).all()
        assert line.kinds() == ["intent", "held", "viewed"]
        (act,) = line.desk.show(BOB, line.record.id).acts
        assert act.body["decision"]["stage"] == "review"
        assert "/reviewer/id" in act.body["fields"]

    def test_what_cannot_be_recorded_is_not_decrypted(self):
        line = held()
        line.parts.ledger.refuse[EntryKind.VIEWED] = LedgerError("The disk is full.", remedy="Make room.")
        quarantine = FailingAt(line.parts.quarantine, "open", AssertionError("it was opened"))
        with pytest.raises(LedgerError, match="disk is full"):
            line.over(quarantine=quarantine).view(ANN, line.record.id)
        assert quarantine.calls == 0

    def test_a_draft_that_is_rejected_just_then_is_closed_not_broken(self):
        line = held()
        with pytest.raises(HoldClosedError, match="rejected"):
            line.over(quarantine=Overtaken(line)).view(ANN, line.record.id)

    def test_one_that_is_rejected_while_it_is_decrypted_is_not_shown(self):
        line = held()
        opened = line.parts.quarantine.open(line.record.id)
        line.parts.quarantine.errors["destroy"] = StorageError("Busy.", remedy="Try again.")
        with pytest.raises(HoldClosedError, match="rejected"):
            line.over(quarantine=Overtaken(line)).view(ANN, line.record.id)
        assert line.parts.quarantine.open(line.record.id) == opened

    def test_an_unreadable_draft_is_an_error(self):
        line = held()
        line.parts.quarantine.sealed[line.record.id] = b"PK, and then rubbish"
        with pytest.raises(StorageError, match="cannot be read"):
            line.desk.view(ANN, line.record.id)


class Overtaken:
    """A quarantine whose hold somebody rejects just before it opens."""

    def __init__(self, line):
        self._line = line

    def open(self, hold_id):
        line = self._line
        line.desk.lease(BOB, hold_id)
        line.desk.reject(BOB, hold_id, CODES)
        return line.parts.quarantine.open(hold_id)


ACTS = {
    "show": lambda desk, who, hold: desk.show(who, hold),
    "view": lambda desk, who, hold: desk.view(who, hold),
    "lease": lambda desk, who, hold: desk.lease(who, hold),
    "give_back": lambda desk, who, hold: desk.give_back(who, hold),
    "comment": lambda desk, who, hold: desk.comment(who, hold, "text"),
    "approve": lambda desk, who, hold: desk.approve(who, hold, CODES),
    "reject": lambda desk, who, hold: desk.reject(who, hold, CODES),
    "escalate": lambda desk, who, hold: desk.escalate(who, hold, "legal", CODES),
}


class TestPermission:
    @pytest.mark.parametrize("act", ACTS)
    def test_policy_is_asked_before_anything_is_written(self, act):
        line = held()
        before = line.kinds()
        with pytest.raises(NotPermittedError, match=r"review\.act") as caught:
            ACTS[act](line.desk, VISITOR, line.record.id)
        assert [reason.code for reason in caught.value.decision.reasons] == ["review.act"]
        assert line.kinds() == before
        assert line.record.version == 0

    def test_listing_is_asked_for_too(self):
        with pytest.raises(NotPermittedError):
            held().desk.holds(VISITOR)

    @pytest.mark.parametrize("act", ["view", "lease", "comment", "approve", "reject", "escalate"])
    def test_nobody_touches_their_own_request(self, act):
        line = held()
        with pytest.raises(NotPermittedError, match=r"review\.requester"):
            ACTS[act](line.desk, REQUESTER, line.record.id)

    @pytest.mark.parametrize("act", ACTS)
    def test_an_unknown_hold_is_said_to_be_one(self, act):
        with pytest.raises(NoHoldError):
            ACTS[act](held().desk, ANN, new_id())

    @pytest.mark.parametrize("act", ACTS)
    def test_without_an_answer_nothing_happens(self, act):
        line = held()
        line.policy.script = {Stage.REVIEW: PolicyError("The engine is down.", remedy="Start it.")}
        before = line.kinds()
        with pytest.raises(PolicyError):
            ACTS[act](line.desk, ANN, line.record.id)
        assert line.kinds() == before

    @pytest.mark.parametrize("act", ["approve", "reject", "escalate"])
    def test_policy_sees_the_hold_the_verdict_and_who_approved_before(self, act):
        line = held()
        line.approve(ANN)
        line.desk.lease(BOB, line.record.id)
        ACTS[act](line.desk, BOB, line.record.id)
        facts = next(facts for stage, facts in reversed(line.policy.asked) if "verdict" in facts)
        assert facts["hold"]["requester"] == REQUESTER.id
        assert facts["hold"]["codes"] == ["finding.review"]
        assert facts["approvals"] == [ANN.id]
        assert (facts["verdict"], facts["to"]) == (act, "legal" if act == "escalate" else "")
        assert facts["model"]["pipeline"] == "StableDiffusionPipeline"
        assert facts["time"] == line.clock.now


class TestLeases:
    def test_a_decision_needs_ones_own_lease(self):
        line = held()
        for decide in (line.desk.approve, line.desk.reject):
            with pytest.raises(LeaseError, match="Nobody has"):
                decide(ANN, line.record.id, CODES)
        line.desk.lease(BOB, line.record.id)
        with pytest.raises(LeaseError, match="bob"):
            line.desk.approve(ANN, line.record.id, CODES)
        with pytest.raises(LeaseError):
            line.desk.lease(ANN, line.record.id)
        with pytest.raises(LeaseError):
            line.desk.give_back(ANN, line.record.id)
        line.desk.give_back(BOB, line.record.id)
        line.approve(ANN)

    def test_one_that_ran_out_is_none(self):
        line = held()
        line.desk.lease(ANN, line.record.id, 60)
        line.clock.wait(60)
        with pytest.raises(LeaseError, match="Nobody has"):
            line.desk.approve(ANN, line.record.id, CODES)
        assert line.desk.lease(BOB, line.record.id).holder == BOB.id
        assert line.kinds() == ["intent", "held"]

    def test_a_decision_ends_it(self):
        line = held()
        assert line.desk.lease(ANN, line.record.id, 60).leased_until == later(line.clock.now, 60)
        line.desk.approve(ANN, line.record.id, CODES)
        assert (line.record.holder, line.record.leased_until) == ("", "")

    @pytest.mark.parametrize("seconds", [0, -1, 24 * 3600 + 1, 1.5, True, "900"])
    def test_lengths_are_bounded(self, seconds):
        line = held()
        with pytest.raises(LeaseError):
            line.desk.lease(ANN, line.record.id, seconds)


class TestWords:
    @pytest.mark.parametrize("text", [NASTY, "x" * MAX_COMMENT_CHARACTERS, "\U0001f984"])
    def test_a_comment_is_kept_word_for_word_and_only_beside_the_entry(self, text):
        line = held()
        entry = line.desk.comment(ANN, line.record.id, text)
        line.approve(BOB, text)
        assert set(line.desk.show(CAY, line.record.id).comments.values()) == {text}
        for _, written in line.parts.ledger.entries():
            leaf = written.leaf()
            assert canonical_bytes(text)[1:-1] not in leaf
            assert ANN.id.encode() not in leaf
            assert BOB.id.encode() not in leaf
        assert "/comment" in entry.body["fields"]
        assert not list(line.parts.ledger.verify())

    @pytest.mark.parametrize("text", ["", "x" * (MAX_COMMENT_CHARACTERS + 1), "\ud800", None, 7])
    def test_what_is_no_comment_is_refused(self, text):
        line = held()
        with pytest.raises(ReviewError):
            line.desk.comment(ANN, line.record.id, text)
        assert line.kinds() == ["intent", "held"]

    @pytest.mark.parametrize(
        "codes",
        [
            (),
            ("",),
            ("brand",),
            ("Brand.own",),
            ("brand.",),
            ("brand.x\n",),
            "brand.own",
            ("a.b", "a.b"),
            (7,),
            ("a." + "b" * 99,),
            tuple(f"a.{letter}" for letter in "abcdefghi"),
        ],
    )
    def test_reason_codes_have_a_form(self, codes):
        line = held()
        line.desk.lease(ANN, line.record.id)
        for decide in (line.desk.approve, line.desk.reject):
            with pytest.raises(ReviewError, match="no reason codes"):
                decide(ANN, line.record.id, codes)
        assert line.record.state is HoldState.OPEN

    def test_codes_stand_in_the_clear(self):
        line = held()
        codes = tuple(f"brand.code_{letter}" for letter in "abcdefgh"[:MAX_CODES])
        line.desk.lease(ANN, line.record.id)
        assert line.desk.reject(ANN, line.record.id, codes).entry.body["codes"] == list(codes)


class TestDeciding:
    def test_two_people_release_and_the_record_names_both(self):
        line = held()
        first, second = line.approve(ANN), line.approve(BOB)
        assert (first.record.state, first.item) == (HoldState.OPEN, None)
        assert second.record == line.record
        assert second.record.state is HoldState.DONE
        review = second.item.entry.body["review"]
        assert [each["entry"] for each in review["approvals"]] == [first.entry.id, second.entry.id]
        assert [each["reviewer"] for each in review["approvals"]] == [
            done.entry.body["fields"]["/reviewer/id"] for done in (first, second)
        ]
        assert review["decision_id"] == second.entry.body["decision"]["decision_id"]
        assert line.kinds() == ["intent", "held", "approved", "approved", "released"]

    def test_nobody_counts_twice(self):
        line = held()
        line.approve(ANN)
        line.desk.lease(ANN, line.record.id)
        with pytest.raises(NotPermittedError, match=r"review\.twice"):
            line.desk.approve(ANN, line.record.id, CODES)
        assert line.kinds().count("approved") == 1
        assert line.record.state is HoldState.OPEN

    def test_one_rejection_is_enough_and_final(self):
        line = held()
        line.approve(ANN)
        line.desk.lease(BOB, line.record.id)
        done = line.desk.reject(BOB, line.record.id, CODES, NASTY)
        assert done.record.state is HoldState.REJECTED
        assert done.item is None
        assert line.parts.quarantine.holds() == []
        for late in (
            lambda: line.desk.approve(CAY, done.record.id, CODES),
            lambda: line.desk.view(CAY, done.record.id),
            lambda: line.desk.lease(CAY, done.record.id),
            lambda: line.desk.comment(CAY, done.record.id, "but"),
        ):
            with pytest.raises(HoldClosedError, match="rejected"):
                late()
        assert line.kinds() == ["intent", "held", "approved", "rejected"]

    def test_a_draft_that_cannot_be_destroyed_is_rejected_for_all_that(self, caplog):
        line = held()
        line.desk.lease(ANN, line.record.id)
        line.parts.quarantine.errors["destroy"] = StorageError("Busy.", remedy="Try again.")
        assert line.desk.reject(ANN, line.record.id, CODES).record.state is HoldState.REJECTED
        assert "could not be destroyed yet" in caplog.text
        with pytest.raises(HoldClosedError):
            line.desk.view(ANN, line.record.id)
        line.parts.quarantine.errors.clear()
        line.desk.settle()
        assert line.parts.quarantine.holds() == []

    def test_an_escalation_changes_the_queue_and_keeps_the_approvals(self):
        line = held()
        line.approve(ANN)
        line.desk.lease(BOB, line.record.id)
        done = line.desk.escalate(BOB, line.record.id, "legal", CODES)
        assert (done.record.queue, done.record.state, done.record.holder) == ("legal", HoldState.OPEN, "")
        assert done.entry.body["queue"] == "legal"
        assert line.approve(CAY).item is not None

    @pytest.mark.parametrize("queue", ["", "x" * 121, "a\nb", None])
    def test_a_queue_needs_a_name(self, queue):
        line = held()
        line.desk.lease(ANN, line.record.id)
        with pytest.raises(ReviewError, match="name of a queue"):
            line.desk.escalate(ANN, line.record.id, queue, CODES)

    def test_which_queues_there_are_policy_says(self):
        line = held()
        line.desk.lease(ANN, line.record.id)
        with pytest.raises(NotPermittedError, match=r"review\.escalation"):
            line.desk.escalate(ANN, line.record.id, "nowhere", CODES)

    def test_whoever_decides_second_is_told(self):
        line = held()
        line.desk.lease(ANN, line.record.id)
        with pytest.raises(HoldChangedError):
            line.over(ledger=Stale(line.parts.ledger)).approve(ANN, line.record.id, CODES)
        assert line.kinds() == ["intent", "held"]


class Stale:
    """A ledger in which somebody comes in between each append."""

    def __init__(self, ledger):
        self._ledger = ledger

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    def append(self, record):
        if record.hold is not None:
            self._ledger.lease(record.hold.id, CAY.id, "2999-01-02T00:00:00.000Z", now="2999-01-01T00:00:00.000Z")
        return self._ledger.append(record)


class TestExpiry:
    def test_silence_is_a_rejection(self):
        line = held(expiring())
        line.clock.now = line.record.expires
        with pytest.raises(HoldClosedError, match="expired"):
            line.desk.view(ANN, line.record.id)
        assert line.record.state is HoldState.EXPIRED
        assert line.parts.quarantine.holds() == []
        assert line.kinds() == ["intent", "held", "expired"]
        entry = line.parts.ledger.entries(kind=EntryKind.EXPIRED)[0][1]
        assert entry.body == {
            "version": 1,
            "item": 0,
            "hold": {"id": line.record.id, "entry": line.record.entry_id},
            "fields": {},
        }

    def test_a_lease_does_not_outlast_the_hold(self):
        line = held(expiring())
        line.clock.now = later(line.record.expires, -60)
        line.desk.lease(ANN, line.record.id)
        line.clock.wait(60)
        with pytest.raises(HoldClosedError):
            line.desk.approve(ANN, line.record.id, CODES)

    @pytest.mark.parametrize(("seconds", "error"), [(9 * 3600, HoldClosedError), (600, LeaseError)])
    def test_time_that_policy_takes_counts(self, seconds, error):
        line = held(expiring())
        line.desk.lease(ANN, line.record.id, 600)

        class Slow:
            """A policy that takes its time."""

            def decide(self, stage, facts):
                line.clock.wait(seconds)
                return line.policy.decide(stage, facts)

        with pytest.raises(error):
            line.over(policy=Slow()).approve(ANN, line.record.id, CODES)
        assert "approved" not in line.kinds()
        assert line.record.state is (HoldState.EXPIRED if error is HoldClosedError else HoldState.OPEN)

    def test_one_whose_end_cannot_be_written_yet_is_closed_all_the_same(self):
        line = held(expiring())
        line.clock.now = line.record.expires
        desk = line.over(ledger=Stale(line.parts.ledger))
        with pytest.raises(HoldClosedError, match="its time is over"):
            desk.lease(ANN, line.record.id)
        assert line.record.state is HoldState.OPEN

    def test_settling_expires_what_is_past_its_time_and_nothing_else(self):
        line = held(expiring())
        line.clock.now = later(line.record.expires, -1)
        assert line.desk.settle() == []
        assert line.desk.settle(now=line.record.expires) == [line.record]
        assert line.record.state is HoldState.EXPIRED
        assert line.desk.settle(now=line.record.expires) == []

    def test_without_a_time_it_waits_for_ever(self):
        line = held()
        assert line.desk.settle(now="2999-01-01T00:00:00.000Z") == []
        assert line.record.state is HoldState.OPEN

    def test_a_decision_in_the_last_moment_stands(self):
        line = held(expiring())
        record = line.record
        line.desk.lease(ANN, record.id)
        line.desk.reject(ANN, record.id, CODES)
        assert ReviewGate(line.parts, line.clock).expire(record, record.expires).state is HoldState.REJECTED
        assert line.kinds()[-1] == "rejected"


class TestErasure:
    def test_without_the_requester_nobody_is_somebody_else(self):
        line = held()
        erase(line, line.record.entry_id, "/principal/id")
        for act in ("show", "view", "lease", "comment", "approve", "reject"):
            with pytest.raises(ReviewError, match="erased"):
                ACTS[act](line.desk, ANN, line.record.id)

    def test_without_a_prompt_policy_cannot_be_asked_again(self):
        line = held()
        line.desk.lease(ANN, line.record.id)
        erase(line, line.record.entry_id, "/prompts/0")
        with pytest.raises(ReviewError, match="/prompts/0"):
            line.desk.approve(ANN, line.record.id, CODES)
        assert line.kinds() == ["intent", "held"]
        assert line.desk.reject(ANN, line.record.id, CODES).record.state is HoldState.REJECTED

    def test_without_an_approvers_name_the_next_might_be_the_same(self):
        line = held()
        first = line.approve(ANN).entry
        erase(line, first.id, "/reviewer/id")
        line.desk.lease(BOB, line.record.id)
        with pytest.raises(ReviewError, match=first.id):
            line.desk.approve(BOB, line.record.id, CODES)
        assert line.desk.show(BOB, line.record.id).reviewers == {}
        assert line.desk.reject(BOB, line.record.id, CODES).record.state is HoldState.REJECTED

    def test_an_erased_comment_is_gone_and_the_rest_stands(self):
        line = held()
        entry = line.desk.comment(ANN, line.record.id, "regrettable")
        erase(line, entry.id, "/comment")
        assert line.desk.show(BOB, line.record.id).comments == {}
        line.approve(ANN)
        assert line.approve(BOB).item is not None


def test_the_error_of_a_held_call_names_its_hold():
    line = held()
    with pytest.raises(HeldError) as caught:
        Governor(line.parts).generate(request(), FakePipeline())
    assert line.record.id in caught.value.remedy
