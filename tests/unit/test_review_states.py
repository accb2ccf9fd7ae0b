"""Whatever people do, in whatever order: nothing leaves without as many different approvals as policy wants."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from governance.entries import EntryKind, HoldState
from governance.errors import ReviewError, SigningError
from governance.recovery import recover
from governance.testing import FailingAt
from governance.types import Outcome, Reason
from support.reviewing import ANN, BOB, CAY, CODES, HELD, REQUESTER, VISITOR, Held, ReviewPolicy, held

OTHER = Reason("finding.other", "Something else.", "/findings/0/score_millionths")
ANSWERS = {
    "held": (Outcome.REVIEW, (HELD,), {"expire_hours": 2}),
    "more": (Outcome.REVIEW, (HELD, OTHER), {"expire_hours": 2}),
    "allowed": (Outcome.ALLOW, (), {}),
    "denied": (Outcome.DENY, (OTHER,), {}),
}
OVER = {HoldState.DONE, HoldState.REJECTED, HoldState.EXPIRED}
people = st.sampled_from([ANN, BOB, CAY, REQUESTER, VISITOR])


class Reviewing(RuleBasedStateMachine):
    line: Held

    @initialize(needed=st.integers(1, 3))
    def hold(self, needed):
        self.line = held(ReviewPolicy(needed=needed, release=ANSWERS["held"]))
        self.id = self.line.record.id
        self.last = HoldState.OPEN

    @rule(who=people, seconds=st.sampled_from([60, 900]))
    def lease(self, who, seconds):
        with suppress(ReviewError):
            self.line.desk.lease(who, self.id, seconds)

    @rule(who=people)
    def give_back(self, who):
        with suppress(ReviewError):
            self.line.desk.give_back(who, self.id)

    @rule(who=people)
    def view(self, who):
        before = len(self.line.kinds())
        try:
            self.line.desk.view(who, self.id)
        except ReviewError:
            return
        assert self.line.kinds()[before:] == ["viewed"]

    @rule(who=people, text=st.text(max_size=20))
    def comment(self, who, text):
        with suppress(ReviewError):
            self.line.desk.comment(who, self.id, text)

    @rule(who=people, leased=st.booleans())
    def approve(self, who, leased):
        with suppress(ReviewError):
            if leased:
                self.line.desk.lease(who, self.id)
            self.line.desk.approve(who, self.id, CODES)

    @rule(who=people)
    def approve_and_fail(self, who):
        signer = FailingAt(self.line.parts.signer, "sign", SigningError("No key.", remedy="Make one."))
        with suppress(ReviewError, SigningError):
            self.line.desk.lease(who, self.id)
            self.line.over(signer=signer).approve(who, self.id, CODES)

    @rule(who=people)
    def reject(self, who):
        with suppress(ReviewError):
            self.line.desk.reject(who, self.id, CODES)

    @rule(who=people, queue=st.sampled_from(["legal", "brand"]))
    def escalate(self, who, queue):
        with suppress(ReviewError):
            self.line.desk.escalate(who, self.id, queue, CODES)

    @rule(answer=st.sampled_from(sorted(ANSWERS)))
    def policy_changes(self, answer):
        self.line.policy.release = ANSWERS[answer]

    @rule(seconds=st.sampled_from([30, 1000, 3000]))
    def time_passes(self, seconds):
        self.line.clock.wait(seconds)

    @rule()
    def settle(self):
        self.line.desk.settle()

    @rule()
    def open_again(self):
        parts = self.line.parts
        recover(parts.ledger, parts.vault, parts.quarantine)
        self.line.desk.settle()

    @invariant()
    def nothing_leaves_without_its_approvals(self):
        parts, record = self.line.parts, self.line.now(self.id)
        entries = [entry for _, entry in parts.ledger.entries()]
        released = [entry for entry in entries if entry.kind is EntryKind.RELEASED]
        assert len(released) == len(parts.vault.published) == (record.state is HoldState.DONE)
        for entry in released:
            approved = [
                e for e in entries if e.kind is EntryKind.APPROVED and e.body["hold"]["entry"] == record.entry_id
            ]
            named = [each["entry"] for each in entry.body["review"]["approvals"]]
            assert named == [each.id for each in approved]
            people = {f.value for each in named for f in parts.ledger.fields(each) if f.name == "/reviewer/id"}
            assert len(people) == len(named) >= self.line.policy.needed
            assert not people & {REQUESTER.id, VISITOR.id}
        assert parts.vault.staged() == []

    @invariant()
    def what_is_over_stays_over_and_is_destroyed(self):
        record = self.line.now(self.id)
        assert self.last not in OVER or record.state is self.last
        self.last = record.state
        assert list(self.line.parts.quarantine.holds()) == ([] if record.state in OVER else [self.id])

    def teardown(self):
        assert not list(self.line.parts.ledger.verify())


TestReviewing = Reviewing.TestCase
TestReviewing.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
