"""What stands before each act of a reviewer: the hold is there and open, policy lets this person do it, the lease lasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from governance import steps
from governance.bodies import Judged
from governance.canonical import Json
from governance.entries import HoldRecord, HoldState
from governance.errors import HoldChangedError, HoldClosedError, LeaseError, NoHoldError, NotPermittedError
from governance.hold_bodies import expired_record
from governance.hold_history import HoldHistory
from governance.holds import NO_LEASE
from governance.parts import Parts
from governance.recovery import destroy_quietly
from governance.review_facts import Act, access_input
from governance.types import Outcome, Principal, Stage


class ReviewGate:
    """Asks all that must be asked first. As thread-safe as its parts."""

    def __init__(self, parts: Parts, clock: Callable[[], str]) -> None:
        self.parts = parts
        self._clock = clock

    def may(self, reviewer: Principal, act: Act, record: HoldRecord, history: HoldHistory) -> Judged:
        """The decision that lets this person do this to this hold; raises as `decide`."""
        facts = access_input(reviewer, act, history.hold(record.queue), time=self._clock())
        return self.decide(reviewer, facts)

    def decide(self, reviewer: Principal, facts: Mapping[str, Json]) -> Judged:
        """Raises NotPermittedError unless policy lets this be done."""
        judged = steps.decide(self.parts, Stage.REVIEW, facts)
        decision = judged.decision
        if decision.outcome is Outcome.DENY:
            why = "; ".join(f"{reason.message} ({reason.code})" for reason in decision.reasons) or "no reason was given"
            raise NotPermittedError(
                f"Policy does not let {reviewer.id!r} do this: {why}",
                decision,
                remedy="Have it done by a reviewer whom data.review of the policy bundle allows it.",
            )
        return judged

    def known(self, hold_id: str) -> tuple[HoldRecord, HoldHistory]:
        """The hold as it stands and as its entries tell it; raises NoHoldError where there is none."""
        record = self.parts.ledger.hold(hold_id)
        if record is None:
            raise NoHoldError(f"There is no hold {hold_id!r}.", remedy="Check the id.")
        return record, HoldHistory.of(self.parts.ledger, record)

    def open(self, hold_id: str) -> tuple[HoldRecord, HoldHistory]:
        """The hold, if it is still to be decided, else HoldClosedError. One whose time is over ends here."""
        record, history = self.known(hold_id)
        now = self._clock()
        if record.state is HoldState.OPEN and is_past(record, now):
            record = self.expire(record, now)
        if record.state is not HoldState.OPEN or is_past(record, now):
            raise HoldClosedError(
                f"Hold {hold_id} is {record.state.value}{', and its time is over' if is_past(record, now) else ''}.",
                remedy="Nothing more can be decided about it.",
            )
        return record, history

    def require_lease(self, reviewer: Principal, record: HoldRecord, now: str) -> None:
        """Raises LeaseError unless this person's lease lasts beyond `now`; HoldClosedError unless the hold does."""
        if is_past(record, now):
            self.open(record.id)
        if record.holder != reviewer.id or record.leased_until <= now:
            holder = "Nobody has" if record.leased_until <= now else f"{record.holder!r} has"
            raise LeaseError(
                f"{holder} the lease of hold {record.id}; a decision needs one's own.",
                remedy="Lease the hold, look at it, then decide before the lease runs out.",
            )

    def expire(self, record: HoldRecord, now: str) -> HoldRecord:
        """Silence was a rejection: the entry first, then the draft is destroyed, unless a legal hold keeps it."""
        expired = replace(record, state=HoldState.EXPIRED, version=record.version + 1, **NO_LEASE)
        try:
            steps.append(self.parts, expired_record(expired, now))
        except HoldChangedError:
            return self.parts.ledger.hold(record.id) or record  # decided in the last moment: that stands
        destroy_quietly(self.parts.ledger, self.parts.quarantine, record.id)
        return expired


def is_past(record: HoldRecord, now: str) -> bool:
    """Whether silence has become a rejection."""
    return bool(record.expires) and record.expires <= now
