"""The straight line: one governed generation, readable top to bottom.

    describe, admit, intend, generate; then for each draft: inspect, judge, mark, sign, keep, commit, release

`begin` stops after `generate`, so that the rest may run beside the next generation.

No receipt, no bytes. A step that fails ends in a `failed` entry, as long as the ledger can be written, and in an
exception that names the remedy; nothing is released on an error path.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from governance import steps
from governance.assets import GovernedItem, GovernedResult, Verdict
from governance.bodies import Judged, Subject
from governance.canonical import Digest
from governance.entries import ALL_ENTRIES, Attempt, Entry, EntryKind, Record, Recorded
from governance.errors import BudgetError, ConflictError, GovernanceError, InProgressError, LedgerError, RequestError
from governance.facts import facts_digest
from governance.forgotten_locals import forget_locals, forgetting_locals
from governance.hold_history import HoldHistory
from governance.holds import Approved, Opening
from governance.mode_record import ModeRecord
from governance.parts import Parts
from governance.ports import Ledger, Pipeline
from governance.records import ClaimState, close_claim
from governance.releasing import Leaving, release
from governance.results import recorded_result, released_or_raise
from governance.shadow import Shadow, at_admission, at_release, is_undefined, over_budget, withheld_under_enforcement
from governance.types import Decision, Draft, Finding, GenerationRequest, Mode, ModelFacts, Outcome, new_id, utc_now

logger = logging.getLogger(__name__)

_WITHHELD = {Outcome.DENY: Verdict.DENIED, Outcome.REVIEW: Verdict.HELD}


class _Progress:
    """How far one call has come: what a `failed` entry must say."""

    def __init__(self) -> None:
        self.step = "describe"
        self.subject = Subject(new_id(), attempt=1)
        self.claimed = False

    def reached(self, step: str) -> None:
        """The next step begins."""
        self.step = step


@dataclass(frozen=True, slots=True)
class _Generated:
    """A call whose drafts nobody has looked at yet. `approved` is the hold by which people let it run.

    `shadow` is what enforcement would have done until here; None while enforcing.
    """

    request: GenerationRequest
    admission: Judged
    drafts: Sequence[Draft]
    approved: Approved | None
    shadow: Shadow | None


class Generation:
    """A call that has generated. Nothing of it leaves before `finish`, which runs once, in any thread."""

    def __init__(self, finish: Callable[[], GovernedResult]) -> None:
        self._unfinished = [finish]

    @forgetting_locals()
    def finish(self) -> GovernedResult:
        """Inspect, judge, mark, sign, keep, commit and release each draft.

        Raises:
            RequestError: it was called before.
            GovernanceError: as `Governor.generate`.
        """
        try:
            finish = self._unfinished.pop()
        except IndexError:
            raise RequestError("This generation was finished before.", remedy="Keep its result.") from None
        return finish()


class Governor:
    """Governs generations. As thread-safe as its parts.

    In shadow mode (`Parts.mode`) what policy denies, holds or limits is released too, and recorded as that: see
    `governance.shadow`. So nothing but an undefined decision raises DeniedError then, and nothing HeldError, but for
    recorded results of calls that were enforced.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._mode = ModeRecord(parts.mode, parts.ledger)

    @forgetting_locals()
    def generate(self, request: GenerationRequest, pipeline: Pipeline) -> GovernedResult:
        """Run one request down the line.

        A finished request (same principal, id and facts) gives the recorded result again; after a failure it runs as a
        new, numbered attempt.

        Raises:
            DeniedError: policy denied the request, or every draft.
            HeldError: nothing was released and a person must decide.
            ConflictError: the request id was used for other facts.
            InProgressError: the same request is running.
            GovernanceError: nothing was released because a step failed; the message names the remedy.
        """
        progress = _Progress()
        with self._answerable(progress):
            result = self._finished(progress, self._begun(progress, request, pipeline))
        return released_or_raise(result)

    @forgetting_locals()
    def begin(self, request: GenerationRequest, pipeline: Pipeline) -> Generation:
        """The first half of `generate`: describe, admit, intend and generate. `Generation.finish` is the other.

        Raises:
            GovernanceError: a step failed, as in `generate`. What policy withholds is raised by `finish`.
        """
        progress = _Progress()
        with self._answerable(progress, goes_on=True):
            unfinished = [self._begun(progress, request, pipeline)]

        def finish() -> GovernedResult:
            with self._answerable(progress):
                result = self._finished(progress, unfinished.pop())  # once it is finished, nobody holds the drafts
            return released_or_raise(result)

        return Generation(finish)

    def refuse(self, error: GovernanceError) -> Entry | None:
        """Record a call that could not even be put as a request: its `failed` entry, or None if none can be written."""
        return self._failed(_Progress(), None, error)

    def _begun(
        self, progress: _Progress, request: GenerationRequest, pipeline: Pipeline
    ) -> _Generated | GovernedResult:
        parts, subject = self.parts, progress.subject
        request = steps.owned(request)
        model, facts = steps.describe(parts, request, pipeline)

        progress.step = "claim"
        self._mode.settle()
        progress.claimed = True  # an interrupt may come when the claim has landed
        digest = facts_digest(facts, request, model)
        claim = self._claim(request, digest, subject.generation_id)
        if isinstance(claim, Recorded):
            progress.claimed = False
            return recorded_result(parts, request.id, claim)
        subject.attempt = claim.number
        for asked in range(1, steps.ADMISSIONS + 1):
            progress.step = "admit"
            admission = steps.admit(parts, request, facts, subject.attempt)
            approved = self._approval(digest, admission)
            shadow = self._shadow(request, admission, approved)
            if admission.decision.outcome is not Outcome.ALLOW and approved is None and shadow is None:
                return self._stop(subject, request, model, admission, digest)

            progress.step = "intend"
            try:
                seeded = steps.intend(parts, subject, request, model, admission, approved, shadow)
                break
            except BudgetError:  # others spent of this day's budget since policy saw it: ask again, not for ever
                if asked == steps.ADMISSIONS and shadow is None:
                    raise
        else:
            shadow = Shadow((over_budget(),))
            seeded = steps.intend(parts, subject, request, model, admission, approved, shadow)

        progress.step = "generate"
        return _Generated(seeded, admission, steps.generate(seeded, model, pipeline), approved, shadow)

    def _shadow(self, request: GenerationRequest, admission: Judged, approved: Approved | None) -> Shadow | None:
        """In shadow mode, what enforcement makes of the admission; None while enforcing, and where policy said nothing."""
        decision = admission.decision
        if self.parts.mode is Mode.ENFORCE or is_undefined(decision):
            return None
        return Shadow((at_admission(decision, admission.obligations, request.steps, approved=approved is not None),))

    def _claim(self, request: GenerationRequest, facts: Digest, generation_id: str) -> Attempt | Recorded:
        """Claim the request; one that was held at admission and that people let go since runs again.

        So does one that was made in shadow mode and that enforcement would not have released, while enforcing: a record
        of shadow mode never lets out what policy withholds.
        """
        ledger = self.parts.ledger
        claim = ledger.begin(request.principal.id, request.id, facts, generation_id)
        if not isinstance(claim, Recorded):
            return claim
        hold = ledger.approved_hold(facts)
        let_go = hold is not None and hold.subject == claim.generation_id
        if not let_go and not self._only_shadowed(claim.generation_id):
            return claim
        try:
            ledger.reopen(claim.generation_id)
        except LedgerError:  # another call of the same request came first: what it makes of it, `begin` says
            logger.info("generation %s was reopened by another call", claim.generation_id)
        return ledger.begin(request.principal.id, request.id, facts, generation_id)

    def _only_shadowed(self, generation_id: str) -> bool:
        """Whether what was recorded may not be handed out while enforcing."""
        if self.parts.mode is Mode.SHADOW:
            return False
        page = self.parts.ledger.entries(subject=generation_id, kind=EntryKind.RELEASED, limit=ALL_ENTRIES)
        return withheld_under_enforcement([entry for _, entry in page])

    def _approval(self, facts: Digest, admission: Judged) -> Approved | None:
        """How people let this request run, if they did, for all the reasons that policy holds it for this time."""
        if admission.decision.outcome is not Outcome.REVIEW:
            return None
        record = self.parts.ledger.approved_hold(facts)
        if record is None:
            return None
        history = HoldHistory.of(self.parts.ledger, record)
        approved = history.approved()
        known = {reason.code for reason in history.decision.reasons}
        if not known.issuperset(reason.code for reason in admission.decision.reasons):
            return None
        return approved if len(history.approvals) >= admission.obligations.approvals else None

    def _finished(self, progress: _Progress, begun: _Generated | GovernedResult) -> GovernedResult:
        if isinstance(begun, GovernedResult):
            return begun
        subject = progress.subject
        items = tuple(self._finish(progress, begun, draft) for draft in begun.drafts)
        for item in items:
            forget_locals(item.error, spared=sys.exception())
        return GovernedResult(begun.request.id, subject.generation_id, subject.attempt, items)

    def _stop(
        self, subject: Subject, request: GenerationRequest, model: ModelFacts, admission: Judged, facts: Digest
    ) -> GovernedResult:
        verdict = _WITHHELD[admission.decision.outcome]
        if verdict is Verdict.HELD:
            opening = Opening(new_id(), utc_now(), admission.obligations)
            record = subject.held(request, model, admission, opening, facts)
        else:
            record = subject.denied(request, model, admission)
        entry = steps.append(self.parts, record).entry
        items = tuple(GovernedItem(i, verdict, (admission.decision,), (), entry) for i in range(request.images))
        return GovernedResult(request.id, subject.generation_id, subject.attempt, items)

    def _finish(self, progress: _Progress, begun: _Generated, draft: Draft) -> GovernedItem:
        parts, subject = self.parts, progress.subject
        review = begun.approved.decision if begun.approved else None
        decisions: tuple[Decision, ...] = (begun.admission.decision, *((review,) if review else ()))
        findings: tuple[Finding, ...] = ()
        try:
            progress.step = "inspect"
            findings = steps.inspect_draft(parts, draft.media, begun.admission.obligations.inspect_every)

            progress.step = "judge"
            judged = steps.judge(parts, begun.admission, draft, findings, review)
            decisions = (*decisions, judged.judged.decision)
            shadow = _then(begun, judged)
            if judged.outcome is not Outcome.ALLOW and shadow is None:
                entry = steps.withhold(parts, subject, draft, begun.request.inputs, findings, judged)
                return GovernedItem(draft.index, _WITHHELD[judged.outcome], decisions, findings, entry)

            leaving = Leaving(subject, draft, begun.request.inputs, findings, decisions, judged, shadow=shadow)
            asset = release(parts, leaving, progress.reached)
            return GovernedItem(
                draft.index, Verdict.RELEASED, decisions, findings, asset.receipt.entry, asset, shadow=shadow
            )
        except Exception as error:  # noqa: BLE001 - whatever it is fails this item alone; its siblings go on
            failed = self._failed(progress, draft.index, error)
            return GovernedItem(draft.index, Verdict.FAILED, decisions, findings, failed, error=error)

    @contextmanager
    def _answerable(self, progress: _Progress, *, goes_on: bool = False) -> Iterator[None]:
        """Whatever ends a call early - a failed step, a foreign error, Ctrl-C - is recorded, then raised again.

        However a call ends, its claim ends with it; one that `goes_on` ends elsewhere, unless it ends early.
        """
        ends = True
        try:
            yield
            ends = not goes_on
        except (ConflictError, InProgressError):
            progress.claimed = False
            raise  # about another call's record, which stands
        except BaseException as error:  # Ctrl-C and foreign errors too: nothing ends a call unrecorded
            self._failed(progress, None, error)
            raise
        finally:
            if progress.claimed and ends:
                self._end_claim(progress.subject)

    def _end_claim(self, subject: Subject) -> None:
        """End the claim as its entries demand. If that cannot be written, whoever asks for the same next does it.

        An intent whose failure could not be recorded is `abandoned`, as if the process had vanished.
        """
        ledger, generation_id = self.parts.ledger, subject.generation_id
        try:
            entries = [entry for _, entry in ledger.entries(subject=generation_id, limit=ALL_ENTRIES)]
            closing = close_claim(generation_id, subject.attempt, entries)
            if closing.entry is not None:
                ledger.append(Record(closing.entry))
            ledger.finish(generation_id, repeatable=closing.state is ClaimState.REPEATABLE)
        except LedgerError:
            ledger.let_go(generation_id)
            logger.warning("the claim of generation %s could not be ended yet", generation_id, exc_info=True)

    def _failed(self, progress: _Progress, item: int | None, error: BaseException) -> Entry | None:
        try:
            return steps.append(self.parts, progress.subject.failed(progress.step, item, error)).entry
        except GovernanceError as unrecorded:
            error.add_note(f"The failure itself could not be recorded: {unrecorded}")
            return None


def _then(begun: _Generated, judged: steps.Release) -> Shadow | None:
    """In shadow mode, what enforcement would have done with a draft; None while enforcing, and where policy said nothing."""
    decision = judged.judged.decision
    if begun.shadow is None or is_undefined(decision):
        return None
    return begun.shadow.then(at_release(decision, judged.obligations, judged.outcome, begun.request.steps))


def refuse_to_open(ledger: Ledger, error: GovernanceError) -> None:
    """Record that a line could not even be put together: a `failed` entry, if the ledger can be written."""
    progress = _Progress()
    progress.step = "open"
    try:
        ledger.append(progress.subject.failed(progress.step, None, error))
    except GovernanceError as unrecorded:
        error.add_note(f"The failure itself could not be recorded: {unrecorded}")
