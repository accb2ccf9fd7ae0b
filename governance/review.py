"""Holds that people decide: the desk at which reviewers read, see, lease, comment on and decide what policy held.

Every act asks the `review` policy first, and every view and decision is an entry before it has an effect. What was
approved re-enters the line at `mark` (`governance.resumption`); what was rejected, or ran out of time, is destroyed and
never decrypts again. Where a legal hold keeps it, it stays sealed until that is lifted, and nobody opens it here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from governance import steps
from governance.assets import GovernedItem
from governance.bodies import Judged
from governance.entries import Entry, EntryKind, HoldRecord, HoldState
from governance.errors import LeaseError, ReviewError, StorageError
from governance.forgotten_locals import forgetting_locals
from governance.held import HeldDraft
from governance.hold_bodies import act_record, checked_codes, checked_comment, checked_queue
from governance.hold_history import HoldHistory
from governance.holds import NO_LEASE, later
from governance.parts import Parts
from governance.recovery import destroy_quietly, discard_closed
from governance.resumption import Resumption
from governance.review_facts import Act, ReviewVerdict, access_input, review_input
from governance.review_gate import ReviewGate, is_past
from governance.types import Decision, Finding, Outcome, Principal, Stage, utc_now

logger = logging.getLogger(__name__)

MAX_LEASE_SECONDS = 24 * 3600
_PAGE = 500


@dataclass(frozen=True, slots=True)
class HoldView:
    """One hold, as a reviewer reads it: all but the picture.

    `held` is the entry that holds it now, `decision` and `findings` are that entry's. `acts` are the entries of what was
    done about it, oldest first; `reviewers` and `comments` are who did it and what they wrote, by the id of the act's
    entry, as far as they were not erased. `needed` people must approve, `given` have.
    """

    record: HoldRecord
    held: Entry
    decision: Decision
    findings: tuple[Finding, ...]
    acts: tuple[Entry, ...]
    reviewers: Mapping[str, str]
    comments: Mapping[str, str]
    needed: int
    given: int


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What became of a decision: the hold after it, its entry, and the released item where the draft was released."""

    record: HoldRecord
    entry: Entry
    item: GovernedItem | None = None


class ReviewDesk:
    """Where reviewers do what policy lets them. As thread-safe as its parts.

    Each act raises NoHoldError where there is no such hold, HoldClosedError where it was decided or its time is over,
    NotPermittedError where policy does not let this person do this, and LedgerError or PolicyError where the ledger or
    the policy cannot be asked.
    """

    def __init__(self, parts: Parts, *, clock: Callable[[], str] = utc_now) -> None:
        self.parts = parts
        self._clock = clock
        self._gate = ReviewGate(parts, clock)
        self._resumption = Resumption(parts, clock)

    def holds(
        self,
        reviewer: Principal,
        *,
        queue: str | None = None,
        state: HoldState | None = HoldState.OPEN,
        after: str = "",
        limit: int = 50,
    ) -> Sequence[HoldRecord]:
        """A page of holds beyond the id `after`, oldest first; in any queue or state where None is asked for.

        One that is past its time is shown as it stands until it is touched or settled.

        Raises:
            NotPermittedError: policy does not let this person read holds.
        """
        self._gate.decide(reviewer, access_input(reviewer, Act.HOLDS_READ, time=self._clock()))
        return self.parts.ledger.holds(state=state, queue=queue, after=after, limit=limit)

    def show(self, reviewer: Principal, hold_id: str) -> HoldView:
        """Everything about a hold but the picture, whatever its state."""
        record, history = self._gate.known(hold_id)
        self._gate.may(reviewer, Act.HOLDS_READ, record, history)
        return HoldView(
            record,
            history.held,
            history.decision,
            history.findings,
            history.acts,
            history.reviewers(),
            history.comments(),
            history.needed,
            len(history.approvals),
        )

    @forgetting_locals()
    def view(self, reviewer: Principal, hold_id: str) -> bytes:
        """The held draft, after the entry `viewed` is durable: a picture as PNG, a clip as animated PNG, a sound as WAV.

        Raises:
            ReviewError: the request was held at admission: there is no draft.
            StorageError: the draft cannot be decrypted.
        """
        record, history = self._gate.open(hold_id)
        judged = self._gate.may(reviewer, Act.HOLDS_VIEW, record, history)
        if record.stage is not Stage.RELEASE:
            raise ReviewError("This request was held at admission.", remedy="Nothing was generated that could be seen.")
        steps.append(self.parts, act_record(EntryKind.VIEWED, record, judged, time=self._clock()))
        try:
            draft = HeldDraft.unpack(self.parts.quarantine.open(hold_id)).content
        except StorageError:
            self._gate.open(hold_id)  # somebody closed it in between: then that is what is said
            raise
        self._gate.open(hold_id)  # closed in between and not destroyed yet: nobody sees it any more
        return draft

    def lease(self, reviewer: Principal, hold_id: str, seconds: int = 900) -> HoldRecord:
        """Take the hold, or keep it, for 1 to 86,400 seconds from now: nobody else decides on it meanwhile.

        Raises:
            LeaseError: another reviewer has it.
        """
        if type(seconds) is not int or not 1 <= seconds <= MAX_LEASE_SECONDS:
            raise LeaseError(f"A lease of {seconds!r} seconds is none.", remedy=f"Ask for 1 to {MAX_LEASE_SECONDS}.")
        record, history = self._gate.open(hold_id)
        self._gate.may(reviewer, Act.HOLDS_LEASE, record, history)
        now = self._clock()
        return self.parts.ledger.lease(hold_id, reviewer.id, later(now, seconds), now=now)

    def give_back(self, reviewer: Principal, hold_id: str) -> HoldRecord:
        """End one's own lease.

        Raises:
            LeaseError: another reviewer has it.
        """
        record, history = self._gate.open(hold_id)
        self._gate.may(reviewer, Act.HOLDS_LEASE, record, history)
        now = self._clock()
        return self.parts.ledger.lease(hold_id, reviewer.id, now, now=now)

    def comment(self, reviewer: Principal, hold_id: str, text: str) -> Entry:
        """Write something down about the hold: kept as it is, erasable, and only its commitment in the entry.

        Raises:
            ReviewError: the text is empty, too long, or no valid Unicode.
        """
        if not checked_comment(text):
            raise ReviewError("The comment is empty.", remedy="Write something, or leave it.")
        record, history = self._gate.open(hold_id)
        judged = self._gate.may(reviewer, Act.HOLDS_COMMENT, record, history)
        written = act_record(EntryKind.COMMENTED, record, judged, time=self._clock(), comment=text)
        return steps.append(self.parts, written).entry

    def approve(self, reviewer: Principal, hold_id: str, codes: Sequence[str], comment: str = "") -> Reviewed:
        """Approve. Where policy says that it is enough, a held draft is released, and a held request may run.

        Raises:
            LeaseError: the caller has no lease, or it ran out.
            HoldChangedError: somebody else changed the hold meanwhile; nothing was written.
            ReviewError: the codes or the comment are unsound; something that policy must see again was erased; or policy
                does not let the draft leave any more, or asks for more than was approved: the message says which.
            GovernanceError: the approval stands and the release failed; `settle` tries again.
        """
        return self._decided(reviewer, hold_id, EntryKind.APPROVED, codes, comment)

    def reject(self, reviewer: Principal, hold_id: str, codes: Sequence[str], comment: str = "") -> Reviewed:
        """Reject. One rejection is enough: the draft is destroyed, unless a legal hold keeps it. Raises as `approve`."""
        return self._decided(reviewer, hold_id, EntryKind.REJECTED, codes, comment)

    def escalate(
        self, reviewer: Principal, hold_id: str, queue: str, codes: Sequence[str], comment: str = ""
    ) -> Reviewed:
        """Hand the hold to another queue; the approvals given so far stand. Raises as `approve`."""
        return self._decided(reviewer, hold_id, EntryKind.ESCALATED, codes, comment, checked_queue(queue))

    def settle(self, now: str | None = None) -> Sequence[HoldRecord]:
        """Expire what is past its time, and finish what was approved and is not released because a process ended.

        Returns the holds that changed. What fails is recorded and left for the next time.

        Raises:
            LedgerError: the ledger cannot be read or written.
        """
        now = now or self._clock()
        changed = [self._gate.expire(record, now) for record in self._all(HoldState.OPEN) if is_past(record, now)]
        for record in self._all(HoldState.APPROVED):
            if record.stage is Stage.RELEASE:
                try:
                    changed.append(self._resumption.release(record)[0])
                except Exception:  # foreign ones too: nothing was released, and no hold keeps others waiting
                    logger.warning("hold %s is approved and could not be released yet", record.id, exc_info=True)
        discard_closed(self.parts.ledger, self.parts.quarantine)
        return changed

    @forgetting_locals()
    def _decided(
        self,
        reviewer: Principal,
        hold_id: str,
        kind: EntryKind,
        codes: Sequence[str],
        comment: str,
        to: str = "",
    ) -> Reviewed:
        codes, comment = checked_codes(codes), checked_comment(comment)
        record, history = self._gate.open(hold_id)
        if kind is EntryKind.APPROVED:
            history.require_restorable()  # before anything is promised
        judged = self._asked(reviewer, record, history, _VERDICTS[kind], to)
        now = self._clock()  # again: policy may have taken its time
        self._gate.require_lease(reviewer, record, now)
        lacking = history.needed - len(history.approvals) - 1 if kind is EntryKind.APPROVED else 0
        after = _after(kind, record, judged, to, lacking)
        act = act_record(
            kind, record, judged, time=now, codes=codes, comment=comment, to=to, lacking=lacking, after=after
        )
        entry = steps.append(self.parts, act).entry
        if after.state is HoldState.REJECTED:
            destroy_quietly(self.parts.ledger, self.parts.quarantine, hold_id)
        if after.state is HoldState.APPROVED and after.stage is Stage.RELEASE:
            after, item = self._resumption.release(after)
            return Reviewed(after, entry, item)
        return Reviewed(after, entry)

    def _asked(
        self, reviewer: Principal, record: HoldRecord, history: HoldHistory, verdict: ReviewVerdict, to: str
    ) -> Judged:
        """The policy's answer to a decision of this person on this hold."""
        approving = verdict is ReviewVerdict.APPROVE
        facts = review_input(
            history.hold(record.queue),
            reviewer,
            verdict,
            history.approvers() if approving else history.known_approvers(),
            history.model(),
            time=self._clock(),
            inputs=history.inputs(),
            to=to,
        )
        return self._gate.decide(reviewer, facts)

    def _all(self, state: HoldState) -> Sequence[HoldRecord]:
        found: list[HoldRecord] = []
        while page := self.parts.ledger.holds(state=state, after=found[-1].id if found else "", limit=_PAGE):
            found += page
        return found


_VERDICTS = {
    EntryKind.APPROVED: ReviewVerdict.APPROVE,
    EntryKind.REJECTED: ReviewVerdict.REJECT,
    EntryKind.ESCALATED: ReviewVerdict.ESCALATE,
}


def _after(kind: EntryKind, record: HoldRecord, judged: Judged, to: str, lacking: int) -> HoldRecord:
    """How a hold stands when this was decided about it. A decision ends the lease.

    `lacking` is how many approvals that its `held` entry obliges are not given yet, whatever policy obliges by now.
    """
    state, queue = HoldState.OPEN, record.queue
    if kind is EntryKind.REJECTED:
        state = HoldState.REJECTED
    elif kind is EntryKind.ESCALATED:
        queue = to
    elif judged.decision.outcome is Outcome.ALLOW and lacking <= 0:
        state = HoldState.APPROVED
    return replace(record, state=state, queue=queue, version=record.version + 1, **NO_LEASE)
