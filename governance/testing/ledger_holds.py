"""The part of the ledger's contract that is about holds: where they stand, who has them, and who came first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from governance.canonical import digest
from governance.entries import Attempt, Entry, EntryKind, HoldRecord, HoldState, Record, Recorded
from governance.errors import HoldChangedError, HoldClosedError, InProgressError, LeaseError, LedgerError, NoHoldError
from governance.holds import later
from governance.ports import Ledger
from governance.testing.example_records import held_record, hold_record, intent_record, outcome_record, used_record
from governance.testing.expect import expect
from governance.types import Stage, new_id

NOW = "2026-11-23T14:00:00.000Z"
SOON, LATER = later(NOW, 900), later(NOW, 1800)
FACTS = digest(b"held facts")


def opened(ledger: Ledger, item: int | None = 0, *, request: str = "", queue: str = "brand") -> HoldRecord:
    """A hold that was just opened."""
    record = held_record(new_id(), item, request, queue)
    ledger.append(record)
    return _hold(record)


def moved(ledger: Ledger, kind: EntryKind, before: HoldRecord, state: HoldState, queue: str = "") -> HoldRecord:
    """The hold after an act."""
    record = hold_record(kind, before, state, queue)
    ledger.append(record)
    return _hold(record)


def _hold(record: Record) -> HoldRecord:
    assert record.hold is not None
    return record.hold


class LedgerHoldContract:
    """What every ledger does about holds; a part of `LedgerContract`."""

    def new_ledger(self) -> Ledger:
        """A new, empty ledger."""
        raise NotImplementedError

    def successor(self, ledger: Ledger) -> Ledger:
        """The same ledger, opened by another process after the one that held `ledger` vanished."""
        raise NotImplementedError

    def test_a_hold_is_where_its_last_entry_left_it(self) -> None:
        ledger = self.new_ledger()
        assert ledger.hold(new_id()) is None
        hold = opened(ledger)
        assert ledger.hold(hold.id) == hold
        hold = moved(ledger, EntryKind.ESCALATED, hold, HoldState.OPEN, "legal")
        hold = moved(ledger, EntryKind.APPROVED, hold, HoldState.OPEN)
        hold = moved(ledger, EntryKind.APPROVED, hold, HoldState.APPROVED)
        ledger = self.successor(ledger)
        assert ledger.hold(hold.id) == hold
        assert (hold.queue, hold.version, hold.state) == ("legal", 3, HoldState.APPROVED)
        assert list(ledger.verify()) == []

    def test_holds_come_in_keyset_pages_by_state_and_queue(self) -> None:
        ledger = self.new_ledger()
        holds = [opened(ledger, queue="legal" if number % 2 else "brand") for number in range(6)]
        moved(ledger, EntryKind.REJECTED, holds[0], HoldState.REJECTED)
        in_order = sorted(hold.id for hold in holds)
        assert [hold.id for hold in ledger.holds()] == in_order
        assert [hold.id for hold in ledger.holds(limit=2)] == in_order[:2]
        assert [hold.id for hold in ledger.holds(after=in_order[1], limit=2)] == in_order[2:4]
        assert [hold.id for hold in ledger.holds(after=in_order[-1])] == []
        assert {hold.id for hold in ledger.holds(queue="legal")} == {hold.id for hold in holds[1::2]}
        assert [hold.id for hold in ledger.holds(state=HoldState.REJECTED)] == [holds[0].id]
        assert len(ledger.holds(state=HoldState.OPEN, queue="brand")) == 2
        with expect(LedgerError):
            ledger.holds(limit=0)

    def test_whoever_comes_second_changes_nothing(self) -> None:
        ledger = self.new_ledger()
        hold = opened(ledger)
        first = moved(ledger, EntryKind.APPROVED, hold, HoldState.APPROVED)
        before = ledger.entries()
        late = hold_record(EntryKind.REJECTED, hold, HoldState.REJECTED)
        for record in (late, replace(late, hold=replace(_hold(late), version=7))):
            with expect(HoldChangedError):
                ledger.append(record)
        again = held_record(new_id())
        with expect(HoldChangedError):
            ledger.append(replace(again, hold=replace(_hold(again), version=1)))
        assert ledger.hold(hold.id) == first
        assert ledger.entries() == before
        assert list(ledger.verify()) == []

    def test_an_append_that_fails_changes_no_hold(self) -> None:
        ledger = self.new_ledger()
        hold = opened(ledger)
        record = hold_record(EntryKind.APPROVED, hold, HoldState.APPROVED)
        doubled = replace(record, entry=replace(record.entry, id=hold.entry_id))
        with expect(LedgerError):
            ledger.append(doubled)
        assert ledger.hold(hold.id) == hold
        ledger.append(record)

    def test_what_was_let_go_is_used_once(self) -> None:
        for item in (0, None):
            ledger = self.new_ledger()
            intent = intent_record(new_id())
            ledger.append(intent)
            held = held_record(intent.entry.subject, item)
            ledger.append(held)
            approved = hold_record(EntryKind.APPROVED, _hold(held), HoldState.APPROVED)
            ledger.append(approved)
            used = used_record(approved, intent)
            ledger.append(used)
            assert ledger.hold(_hold(held).id) == used.hold
            with expect(HoldChangedError):
                ledger.append(used_record(approved, intent))
            assert list(ledger.verify()) == []

    def test_a_lease_is_one_holders_until_it_runs_out(self) -> None:
        ledger = self.new_ledger()
        hold = opened(ledger)
        with expect(NoHoldError):
            ledger.lease(new_id(), "ann", SOON, now=NOW)
        leased = ledger.lease(hold.id, "ann", SOON, now=NOW)
        assert leased == replace(hold, holder="ann", leased_until=SOON, version=1)
        assert ledger.hold(hold.id) == leased
        with expect(LeaseError):
            ledger.lease(hold.id, "bob", LATER, now=NOW)
        with expect(LeaseError):
            ledger.lease(hold.id, "bob", NOW, now=NOW)
        assert ledger.lease(hold.id, "ann", LATER, now=NOW).leased_until == LATER
        assert ledger.lease(hold.id, "bob", later(LATER, 1), now=LATER).holder == "bob"
        given_back = ledger.lease(hold.id, "bob", LATER, now=LATER)
        assert (given_back.holder, given_back.leased_until) == ("", "")
        assert ledger.lease(hold.id, "ann", later(LATER, 1), now=LATER).holder == "ann"
        assert [entry.kind for _, entry in ledger.entries()] == [EntryKind.HELD]

    def test_a_lease_taken_meanwhile_is_a_change(self) -> None:
        ledger = self.new_ledger()
        hold = opened(ledger)
        ledger.lease(hold.id, "bob", SOON, now=NOW)
        with expect(HoldChangedError):
            ledger.append(hold_record(EntryKind.APPROVED, hold, HoldState.APPROVED))

    def test_what_is_closed_is_not_leased(self) -> None:
        ledger = self.new_ledger()
        for kind, state in ((EntryKind.APPROVED, HoldState.APPROVED), (EntryKind.EXPIRED, HoldState.EXPIRED)):
            hold = moved(ledger, kind, opened(ledger), state)
            with expect(HoldClosedError):
                ledger.lease(hold.id, "ann", SOON, now=NOW)

    def test_an_approved_request_is_found_until_it_is_used(self) -> None:
        ledger = self.new_ledger()
        held = held_record(new_id(), None, FACTS)
        ledger.append(held)
        opened(ledger, None, request=digest(b"other facts"))
        assert ledger.approved_hold(FACTS) is None
        approved = hold_record(EntryKind.APPROVED, _hold(held), HoldState.APPROVED)
        ledger.append(approved)
        assert ledger.approved_hold(FACTS) == approved.hold
        assert ledger.approved_hold(digest(b"other facts")) is None
        ledger.append(used_record(approved, held))
        assert ledger.approved_hold(FACTS) is None

    def test_an_approved_request_runs_again_as_the_next_attempt(self) -> None:
        ledger = self.new_ledger()
        for unknown in ("g1", "g2"):
            with expect(LedgerError):
                ledger.reopen(unknown)
        ledger.begin("ann", "r", FACTS, "g1")
        with expect(LedgerError):
            ledger.reopen("g1")
        ledger.finish("g1", repeatable=False)
        assert ledger.begin("ann", "r", FACTS, "g2") == Recorded(1, "g1")
        for _ in range(2):
            ledger.reopen("g1")
        assert ledger.begin("ann", "r", FACTS, "g2") == Attempt(2, "g2")
        with expect(LedgerError):
            ledger.reopen("g1")
        with expect(InProgressError):
            ledger.begin("ann", "r", FACTS, "g3")

    def test_a_record_must_fit_the_hold_it_changes(self) -> None:
        ledger = self.new_ledger()
        held = held_record("g")
        ledger.append(held)
        hold = _hold(held)
        approved, rejected = (
            hold_record(kind, hold, state)
            for kind, state in ((EntryKind.APPROVED, HoldState.APPROVED), (EntryKind.REJECTED, HoldState.REJECTED))
        )
        after, fresh = _hold(approved), held_record("g")
        nameless = Entry(EntryKind.APPROVED, "g", {"version": 1, "decision": {"outcome": "allow"}})
        misfits = [
            replace(approved, hold=None),
            replace(fresh, hold=None),
            replace(fresh, hold=replace(_hold(fresh), state=HoldState.APPROVED)),
            replace(fresh, hold=replace(_hold(fresh), entry_id=new_id())),
            replace(fresh, hold=replace(_hold(fresh), item=1)),
            replace(fresh, hold=replace(_hold(fresh), stage=Stage.ADMISSION)),
            replace(fresh, hold=replace(_hold(fresh), version=-1)),
            replace(rejected, hold=after),
            replace(approved, hold=replace(after, state=HoldState.OPEN)),
            replace(approved, hold=replace(after, state=HoldState.DONE)),
            replace(approved, hold=replace(after, id=new_id())),
            replace(approved, hold=replace(after, version=0)),
            replace(approved, hold=replace(after, holder="ann", leased_until=LATER)),
            replace(approved, entry=replace(approved.entry, subject="another")),
            replace(approved, entry=nameless),
            replace(outcome_record(EntryKind.FAILED, "g"), hold=after),
            replace(intent_record("h"), hold=replace(after, state=HoldState.DONE)),
        ]
        for number, record in enumerate(misfits):
            with expect(LedgerError):
                ledger.append(record)
            assert len(ledger.entries()) == 1, number
        assert ledger.hold(hold.id) == hold
        ledger.append(approved)

    def test_of_many_who_decide_at_once_one_does(self) -> None:
        ledger = self.new_ledger()
        for _ in range(4):
            hold = opened(ledger)
            acts = [
                (EntryKind.APPROVED, HoldState.APPROVED),
                (EntryKind.REJECTED, HoldState.REJECTED),
                (EntryKind.EXPIRED, HoldState.EXPIRED),
            ]
            records = [hold_record(kind, hold, state) for kind, state in acts * 4]
            landed = _raced([partial(ledger.append, record) for record in records])
            assert len(landed) == 1
            entries = [entry for _, entry in ledger.entries(subject=hold.subject)]
            assert len(entries) == 2
            assert ledger.hold(hold.id) == next(r.hold for r in records if r.entry.id == entries[1].id)
        assert list(ledger.verify()) == []

    def test_of_many_who_lease_at_once_one_has_it(self) -> None:
        ledger = self.new_ledger()
        hold = opened(ledger)
        names = [f"reviewer-{number}" for number in range(12)]
        (held,) = _raced([partial(ledger.lease, hold.id, name, SOON, now=NOW) for name in names])
        assert ledger.hold(hold.id) == held


def _raced(acts: Sequence[Callable[[], object]]) -> list[object]:
    """Do all at once, each in its thread; what those return that were not too late."""
    start = threading.Barrier(len(acts))
    done: list[object] = []

    def run(act: Callable[[], object]) -> None:
        start.wait()
        try:
            done.append(act())
        except (HoldChangedError, LeaseError):
            return

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done
