"""How a hold stands, and which entries change that: the rules that every ledger and every reader of entries shares.

open -> open        approved (not yet enough), escalated, held again
open -> approved    approved (enough)
open -> rejected    rejected
open -> expired     expired
approved -> done    released, or the intent of the request that was held
approved -> open    held again: policy asks for more than was approved
approved -> rejected    denied: policy does not let it leave any more
approved -> expired  expired: what people would need to know was erased
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from governance.canonical import Json
from governance.entries import Entry, EntryKind, HoldRecord, HoldState
from governance.errors import HoldClosedError, LeaseError, NoHoldError
from governance.obligations import Obligations
from governance.types import Decision, Outcome, Stage

HOLD_KINDS = (
    EntryKind.HELD,
    EntryKind.VIEWED,
    EntryKind.COMMENTED,
    EntryKind.ESCALATED,
    EntryKind.APPROVED,
    EntryKind.REJECTED,
    EntryKind.EXPIRED,
    EntryKind.DENIED,
    EntryKind.RELEASED,
)
"""Entries that name a hold and stand under its own generation. An intent names one of an earlier generation."""
DECIDING_KINDS = frozenset({EntryKind.ESCALATED, EntryKind.APPROVED, EntryKind.REJECTED, EntryKind.EXPIRED})
"""Acts that never stand in an entry without changing their hold."""
NO_LEASE: Mapping[str, Any] = {"holder": "", "leased_until": ""}
_STATES = {
    EntryKind.HELD: (HoldState.OPEN,),
    EntryKind.ESCALATED: (HoldState.OPEN,),
    EntryKind.APPROVED: (HoldState.OPEN, HoldState.APPROVED),
    EntryKind.REJECTED: (HoldState.REJECTED,),
    EntryKind.EXPIRED: (HoldState.EXPIRED,),
    EntryKind.DENIED: (HoldState.REJECTED,),
    EntryKind.RELEASED: (HoldState.DONE,),
    EntryKind.INTENT: (HoldState.DONE,),
}


@dataclass(frozen=True, slots=True)
class Opening:
    """What a hold is when it opens: its id, the time, and what policy obliges about it.

    `content` is the digest of what was sealed in quarantine; empty where nothing was generated.
    """

    id: str
    time: str
    obligations: Obligations
    content: str = ""

    @property
    def due(self) -> str:
        """When an answer is due; empty where policy set no time."""
        return _after(self.time, self.obligations.due_hours)

    @property
    def expires(self) -> str:
        """When silence becomes a rejection; empty where policy set no time."""
        return _after(self.time, self.obligations.expire_hours)

    def body(self) -> dict[str, Json]:
        """What the `held` entry says of it."""
        body: dict[str, Json] = {
            "id": self.id,
            "approvals": self.obligations.approvals,
            "queue": self.obligations.queue,
            "due": self.due,
            "expires": self.expires,
        }
        return {**body, "digest": self.content} if self.content else body

    def record(self, entry: Entry, item: int | None, *, request: str = "", version: int = 0) -> HoldRecord:
        """How it stands when its `held` entry is written."""
        return HoldRecord(
            id=self.id,
            entry_id=entry.id,
            subject=entry.subject,
            stage=Stage.ADMISSION if item is None else Stage.RELEASE,
            item=item,
            queue=self.obligations.queue,
            opened=self.time,
            due=self.due,
            expires=self.expires,
            request=request,
            version=version,
        )


@dataclass(frozen=True, slots=True)
class Approved:
    """A hold that enough people approved.

    `decision` is the one that completed the review, and `review` what the entry says that uses it: the hold, the entry
    that held, that decision, and each approval by its entry, its leaf hash and the commitment to who approved.
    """

    record: HoldRecord
    decision: Decision
    review: Mapping[str, Json]

    def done(self) -> HoldRecord:
        """The hold once it was used: it cannot be used twice."""
        return replace(self.record, state=HoldState.DONE, version=self.record.version + 1, **NO_LEASE)


def leased(record: HoldRecord | None, hold_id: str, holder: str, until: str, *, now: str) -> HoldRecord:
    """How a hold stands when `holder` gets its lease until `until`, or gives it back with `until` not after `now`.

    Raises:
        NoHoldError: there is no such hold.
        HoldClosedError: it is not open.
        LeaseError: another holder's lease lasts beyond `now`.
    """
    if record is None:
        raise NoHoldError(f"There is no hold {hold_id!r}.", remedy="Check the id.")
    if record.state is not HoldState.OPEN:
        raise HoldClosedError(
            f"Hold {hold_id} is {record.state.value}.", remedy="Nothing more can be decided about it."
        )
    if record.holder != holder and record.leased_until > now:
        raise LeaseError(
            f"Somebody else has the lease of hold {hold_id} until {record.leased_until}.",
            remedy="Wait until then, or ask for another hold.",
        )
    lease = {"holder": holder, "leased_until": until} if until > now else NO_LEASE
    return replace(record, version=record.version + 1, **lease)


def later(time: str, seconds: int) -> str:
    """`time` (RFC 3339 in UTC, as `utc_now` writes it) and `seconds` more, to the millisecond."""
    moment = datetime.fromisoformat(time) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def hold_named(entry: Entry) -> str | None:
    """The id of the hold that an entry is about: `body.hold.id`, or `body.review.hold` of what was approved."""
    return _named(entry, "id", "hold")


def holding_entry_named(entry: Entry) -> str | None:
    """The id of the `held` entry that an entry about a hold names; a `held` entry is its own."""
    return entry.id if entry.kind is EntryKind.HELD else _named(entry, "entry", "entry")


def approvals_named(entry: Entry) -> tuple[tuple[str, str], ...]:
    """The approvals that `body.review` names: the id of each entry, and its leaf hash (hexadecimal)."""
    review: Any = entry.body.get("review")
    named = review.get("approvals") if isinstance(review, Mapping) else None
    approvals = named if isinstance(named, list | tuple) else ()
    return tuple((str(each.get("entry")), str(each.get("leaf"))) for each in approvals if isinstance(each, Mapping))


def review_named(entry: Entry) -> str | None:
    """The id of the decision by which people let this go (`body.review`), if they did: with an approval at least."""
    review: Any = entry.body.get("review")
    named = review.get("decision_id") if isinstance(review, Mapping) else None
    return named if isinstance(named, str) and approvals_named(entry) else None


def state_after(entry: Entry) -> HoldState | None:
    """What an entry makes of the hold that it names; None where it changes nothing."""
    states = _STATES.get(entry.kind, ())
    if hold_named(entry) is None or not states:
        return None
    if entry.kind is EntryKind.APPROVED:
        decision: Any = entry.body.get("decision")
        allowed = isinstance(decision, Mapping) and decision.get("outcome") == Outcome.ALLOW.value
        return HoldState.APPROVED if allowed and "lacking" not in entry.body else HoldState.OPEN
    return states[0]


def hold_misfits(entry: Entry, hold: HoldRecord | None) -> Iterator[str]:
    """What is wrong with `hold` as what `entry` makes of it; see `governance.records.checked_leaf`."""
    if hold is not None:
        yield from _misfits(entry, hold)
    elif entry.kind in DECIDING_KINDS or state_after(entry) is not None:
        yield f"a hold that is {entry.kind.value} changes, and the record does not say how it stands afterwards"


def _misfits(entry: Entry, hold: HoldRecord) -> Iterator[str]:
    if state_after(entry) is not hold.state:
        yield f"it does not leave a hold {hold.state.value}"
    if (hold_named(entry), holding_entry_named(entry)) != (hold.id, hold.entry_id):
        yield "its body must name the hold and the entry that holds it"
    if hold.subject != entry.subject and entry.kind is not EntryKind.INTENT:
        yield "the hold belongs to another generation"
    if type(hold.version) is not int or hold.version < 0 or (hold.version == 0 and entry.kind is not EntryKind.HELD):
        yield "only a held entry opens a hold"
    if (hold.item is None) != (hold.stage is Stage.ADMISSION) or hold.stage not in (Stage.ADMISSION, Stage.RELEASE):
        yield "a hold at admission has no item, and one at release has"
    if entry.kind in (EntryKind.HELD, EntryKind.RELEASED, EntryKind.DENIED) and entry.body.get("item") != hold.item:
        yield "the hold is of another item"
    if hold.state is HoldState.DONE and review_named(entry) is None:
        yield "body.review must name a decision and its approvals"
    if hold.holder or hold.leased_until:
        yield "a decision ends the lease"


def _named(entry: Entry, of_hold: str, of_review: str) -> str | None:
    for member, name in (("hold", of_hold), ("review", of_review)):
        value = entry.body.get(member)
        if isinstance(value, Mapping) and isinstance(value.get(name), str):
            return str(value[name])
    return None


def _after(time: str, hours: int) -> str:
    return later(time, hours * 3600) if hours else ""
