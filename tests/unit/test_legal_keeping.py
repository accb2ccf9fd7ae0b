"""Legal holds and drafts: a hold ends as it would, its draft stays sealed until the legal hold is lifted, and never leaves."""

from __future__ import annotations

from contextlib import suppress

import pytest

from governance.entries import EntryKind, HoldState, LegalHoldScope
from governance.erasure import HOLD, Basis, ErasureOrder, erased_parts
from governance.errors import HoldClosedError, LedgerError, LegalHoldError, ReviewError, SigningError
from governance.forgetting import Eraser
from governance.legal_holds import lifted_record, placed_record
from governance.legal_keeping import check_scope
from governance.recovery import recover
from governance.resumption import Resumption
from governance.testing import FailingAt, FakeErasureLog, FakeLedger
from governance.testing.ledger_erasure import asked_record
from governance.types import Outcome, Principal
from support.reviewing import ANN, BOB, CAY, CODES, HELD, REQUESTER, ReviewPolicy, held

OPERATOR = Principal("operator@example.org", ("privacy",))
ORDER = ErasureOrder(Basis.REQUEST, OPERATOR)


def line_of(needed=1):
    return held(ReviewPolicy(needed=needed, release=(Outcome.REVIEW, (HELD,), {"expire_hours": 2})))


def place(line, scope):
    named = {
        LegalHoldScope.GENERATION: line.record.subject,
        LegalHoldScope.PRINCIPAL: REQUESTER.id,
        LegalHoldScope.EVERYTHING: "",
    }
    line.parts.ledger.append(placed_record(scope, named[scope], OPERATOR))


def lift(line):
    (hold,) = line.parts.ledger.legal_holds()
    line.parts.ledger.append(lifted_record(hold, OPERATOR))


def rejected(line):
    line.desk.lease(ANN, line.record.id)
    line.desk.reject(ANN, line.record.id, CODES)


def expired(line):
    line.clock.wait(3 * 3600)
    line.desk.settle()


def touched_too_late(line):
    line.clock.wait(3 * 3600)
    with pytest.raises(HoldClosedError):
        line.desk.view(ANN, line.record.id)


def released(line):
    assert line.approve(ANN).item is not None


def denied_after_approval(line):
    line.policy.release = (Outcome.DENY, (HELD,), {})
    with pytest.raises(ReviewError, match="denies"):
        line.approve(ANN)


ENDS = {
    rejected: HoldState.REJECTED,
    expired: HoldState.EXPIRED,
    touched_too_late: HoldState.EXPIRED,
    released: HoldState.DONE,
    denied_after_approval: HoldState.REJECTED,
}


def recovered(line):
    recover(line.parts.ledger, line.parts.vault, line.parts.quarantine)


class TestDrafts:
    @pytest.mark.parametrize("scope", list(LegalHoldScope))
    @pytest.mark.parametrize(("end", "state"), ENDS.items(), ids=[end.__name__ for end in ENDS])
    def test_the_hold_ends_and_its_draft_stays_until_the_legal_hold_is_lifted(self, scope, end, state):
        line = line_of()
        place(line, scope)
        end(line)
        sealed = dict(line.parts.quarantine.sealed)
        assert line.record.state is state
        assert list(sealed) == [line.record.id]
        line.desk.settle()
        recovered(line)
        assert line.parts.quarantine.sealed == sealed
        lift(line)
        line.desk.settle()
        assert line.parts.quarantine.sealed == {}
        assert list(line.parts.ledger.verify()) == []

    def test_the_next_start_destroys_what_a_legal_hold_kept(self):
        line = line_of()
        place(line, LegalHoldScope.PRINCIPAL)
        rejected(line)
        lift(line)
        recovered(line)
        assert line.parts.quarantine.sealed == {}

    @pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
    @pytest.mark.parametrize(
        ("scope", "named"),
        [(LegalHoldScope.GENERATION, "another generation"), (LegalHoldScope.PRINCIPAL, CAY.id)],
        ids=["generation", "principal"],
    )
    def test_a_legal_hold_on_something_else_keeps_nothing_of_it(self, end, scope, named):
        line = line_of()
        line.parts.ledger.append(placed_record(scope, named, OPERATOR))
        end(line)
        assert line.parts.quarantine.sealed == {}

    def test_one_on_who_reviewed_it_keeps_it_too(self):
        line = line_of()
        line.parts.ledger.append(placed_record(LegalHoldScope.PRINCIPAL, ANN.id, OPERATOR))
        rejected(line)
        assert line.parts.quarantine.holds() == [line.record.id]

    @pytest.mark.parametrize("end", [rejected, expired, denied_after_approval], ids=lambda end: end.__name__)
    def test_what_is_kept_never_opens_and_never_leaves(self, end):
        line = line_of()
        place(line, LegalHoldScope.EVERYTHING)
        end(line)
        line.policy.release = (Outcome.ALLOW, (), {})
        hold_id, before = line.record.id, line.kinds()
        for late in (
            lambda: line.desk.view(CAY, hold_id),
            lambda: line.desk.lease(CAY, hold_id),
            lambda: line.desk.approve(CAY, hold_id, CODES),
            lambda: line.desk.escalate(CAY, hold_id, "legal", CODES),
        ):
            with pytest.raises(HoldClosedError):
                late()
        line.desk.settle()
        assert line.kinds() == before
        assert line.parts.vault.published == {}
        assert line.parts.vault.staged() == []

    def test_whoever_still_takes_it_for_approved_releases_nothing(self):
        line = line_of()
        signer = FailingAt(line.parts.signer, "sign", SigningError("No key.", remedy="Make one."))
        with suppress(SigningError):
            line.desk.lease(ANN, line.record.id)
            line.over(signer=signer).approve(ANN, line.record.id, CODES)
        stale = line.record
        assert stale.state is HoldState.APPROVED
        place(line, LegalHoldScope.EVERYTHING)
        line.policy.release = (Outcome.DENY, (HELD,), {})
        line.desk.settle()
        assert line.record.state is HoldState.REJECTED
        assert line.parts.quarantine.holds() == [stale.id]
        line.policy.release = (Outcome.ALLOW, (), {})
        with pytest.raises(LedgerError):
            Resumption(line.parts, line.clock).release(stale)
        assert "released" not in line.kinds()
        assert line.parts.vault.published == {}

    def test_without_an_answer_about_legal_holds_nothing_is_destroyed(self, caplog):
        line = line_of()
        line.desk.lease(ANN, line.record.id)
        line.parts.ledger.errors["legal_holds"] = LedgerError("Busy.", remedy="Try again.")
        assert line.desk.reject(ANN, line.record.id, CODES).record.state is HoldState.REJECTED
        assert "could not be destroyed yet" in caplog.text
        assert line.parts.quarantine.holds() == [line.record.id]
        line.parts.ledger.errors.clear()
        line.desk.settle()
        assert line.parts.quarantine.holds() == []

    def test_what_no_hold_is_recorded_of_stays_while_everything_is_kept(self):
        line = line_of()
        place(line, LegalHoldScope.EVERYTHING)
        line.parts.quarantine.seal("unrecorded", b"a draft")
        recovered(line)
        assert "unrecorded" in line.parts.quarantine.holds()
        lift(line)
        recovered(line)
        assert line.parts.quarantine.holds() == [line.record.id]

    @pytest.mark.parametrize("end", [rejected, released], ids=lambda end: end.__name__)
    def test_an_erasure_destroys_what_a_legal_hold_kept_before(self, end):
        line, log = line_of(), FakeErasureLog()
        parts = line.parts
        eraser = Eraser(parts.ledger, parts.vault, parts.quarantine, log, parts.log_key, clock=line.clock)
        place(line, LegalHoldScope.PRINCIPAL)
        end(line)
        state, sealed = line.record.state, dict(parts.quarantine.sealed)
        assert {each.subject for each in eraser.person(REQUESTER.id, ORDER).kept} >= {line.record.subject}
        assert parts.quarantine.sealed == sealed
        lift(line)
        assert eraser.person(REQUESTER.id, ORDER, dry_run=True).holds == 1
        assert parts.quarantine.sealed == sealed
        assert eraser.person(REQUESTER.id, ORDER).holds == 1
        assert parts.quarantine.sealed == {}
        assert line.record.state is state
        (_, erased), *_ = parts.ledger.entries(kind=EntryKind.ERASED)
        assert HOLD in {part.name for part in erased_parts(erased)}
        assert list(parts.ledger.verify()) == []
        parts.quarantine.sealed.update(sealed)  # a backup of it alone
        eraser.replay(ORDER)
        assert parts.quarantine.sealed == {}


class TestScope:
    def test_a_generation_that_does_not_exist_is_refused(self):
        ledger = FakeLedger()
        ledger.append(asked_record("g"))
        assert check_scope(ledger, LegalHoldScope.GENERATION, "g")
        with pytest.raises(LegalHoldError, match="would keep nothing"):
            check_scope(ledger, LegalHoldScope.GENERATION, "h")

    def test_a_person_may_come_later_and_everything_always_is(self):
        ledger = FakeLedger()
        ledger.append(asked_record("g"))
        assert check_scope(ledger, LegalHoldScope.PRINCIPAL, "ann@example.org")
        assert not check_scope(ledger, LegalHoldScope.PRINCIPAL, BOB.id)
        assert check_scope(FakeLedger(), LegalHoldScope.EVERYTHING, "")
