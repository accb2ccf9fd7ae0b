"""The straight line: one governed generation, readable top to bottom.

    describe, admit, intend, generate; then for each draft: inspect, judge, mark, sign, keep, commit, release

No receipt, no bytes. A step that fails ends in a `failed` entry, as long as the ledger can be written, and in an
exception that names the remedy; nothing is released on an error path.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from governance import steps
from governance.assets import GovernedItem, GovernedResult, Verdict
from governance.bodies import Judged, Subject
from governance.canonical import Json
from governance.entries import Entry, EntryKind, Record, Recorded
from governance.errors import BudgetError, ConflictError, GovernanceError, InProgressError, LedgerError
from governance.facts import facts_digest
from governance.marking import mark
from governance.parts import Parts
from governance.ports import Ledger, Pipeline
from governance.records import ClaimState, close_claim
from governance.results import recorded_result, released_or_raise
from governance.types import Decision, Draft, Finding, GenerationRequest, ModelFacts, Outcome, new_id

logger = logging.getLogger(__name__)

_WITHHELD = {Outcome.DENY: Verdict.DENIED, Outcome.REVIEW: Verdict.HELD}


class _Progress:
    """How far one call has come: what a `failed` entry must say."""

    def __init__(self) -> None:
        self.step = "describe"
        self.subject = Subject(new_id(), attempt=1)
        self.claimed = False


class Governor:
    """Governs generations. As thread-safe as its parts."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

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
        parts, progress = self.parts, _Progress()
        subject = progress.subject
        with self._answerable(progress):
            model, facts = steps.describe(parts, request, pipeline)

            progress.step, progress.claimed = "claim", True  # an interrupt may come when the claim has landed
            digest = facts_digest(facts, request)
            claim = parts.ledger.begin(request.principal.id, request.id, digest, subject.generation_id)
            if isinstance(claim, Recorded):
                progress.claimed = False
                result = recorded_result(parts, request.id, claim)
            else:
                subject.attempt = claim.number
                items = self._run(progress, request, pipeline, model, facts)
                result = GovernedResult(request.id, subject.generation_id, claim.number, items)
        return released_or_raise(result)

    def refuse(self, error: GovernanceError) -> Entry | None:
        """Record a call that could not even be put as a request: its `failed` entry, or None if none can be written."""
        return self._failed(_Progress(), None, error)

    def _run(
        self,
        progress: _Progress,
        request: GenerationRequest,
        pipeline: Pipeline,
        model: ModelFacts,
        facts: Mapping[str, Json],
    ) -> tuple[GovernedItem, ...]:
        parts, subject = self.parts, progress.subject
        for asked in range(1, steps.ADMISSIONS + 1):
            progress.step = "admit"
            admission = steps.admit(parts, request, facts, subject.attempt)
            if admission.decision.outcome is not Outcome.ALLOW:
                return self._stop(subject, request, model, admission)

            progress.step = "intend"
            try:
                seeded = steps.intend(parts, subject, request, model, admission)
                break
            except BudgetError:  # others spent of this day's budget since policy saw it: ask again, not for ever
                if asked == steps.ADMISSIONS:
                    raise

        progress.step = "generate"
        drafts = steps.generate(seeded, model, pipeline)
        return tuple(self._finish(progress, seeded, admission, draft) for draft in drafts)

    def _stop(
        self, subject: Subject, request: GenerationRequest, model: ModelFacts, admission: Judged
    ) -> tuple[GovernedItem, ...]:
        verdict = _WITHHELD[admission.decision.outcome]
        record = subject.stopped(EntryKind(verdict.value), request, model, admission)
        entry = steps.append(self.parts, record).entry
        return tuple(GovernedItem(i, verdict, (admission.decision,), (), entry) for i in range(request.images))

    def _finish(self, progress: _Progress, request: GenerationRequest, admission: Judged, draft: Draft) -> GovernedItem:
        parts, subject = self.parts, progress.subject
        decisions: tuple[Decision, ...] = (admission.decision,)
        findings: tuple[Finding, ...] = ()
        try:
            progress.step = "inspect"
            (findings,) = steps.inspect(parts, [draft.pixels])

            progress.step = "judge"
            release = steps.judge(parts, request, admission, draft, findings)
            decisions = (*decisions, release.judged.decision)
            if release.outcome is not Outcome.ALLOW:
                entry = steps.withhold(parts, subject, draft, findings, release)
                return GovernedItem(draft.index, _WITHHELD[release.outcome], decisions, findings, entry)

            progress.step = "mark"
            marked = mark(parts, draft.pixels, release.obligations)

            progress.step = "sign"
            asset_id = new_id()
            signed = steps.sign(parts, subject, draft, admission, release, marked, asset_id)

            progress.step = "keep"
            file = steps.keep(parts, asset_id, marked, signed, release.obligations.visible_label)

            progress.step = "commit"
            receipt = steps.commit(parts, subject, draft, findings, release, file)

            progress.step = "release"
            asset = steps.released_asset(file, signed, receipt)
            return GovernedItem(draft.index, Verdict.RELEASED, decisions, findings, receipt.entry, asset)
        except Exception as error:  # noqa: BLE001 - whatever it is fails this item alone; its siblings go on
            failed = self._failed(progress, draft.index, error)
            return GovernedItem(draft.index, Verdict.FAILED, decisions, findings, failed, error=error)

    @contextmanager
    def _answerable(self, progress: _Progress) -> Iterator[None]:
        """Whatever ends a call early - a failed step, a foreign error, Ctrl-C - is recorded, then raised again.

        However a call ends, its claim ends with it.
        """
        try:
            yield
        except (ConflictError, InProgressError):
            progress.claimed = False
            raise  # about another call's record, which stands
        except BaseException as error:  # Ctrl-C and foreign errors too: nothing ends a call unrecorded
            self._failed(progress, None, error)
            raise
        finally:
            if progress.claimed:
                self._end_claim(progress.subject)

    def _end_claim(self, subject: Subject) -> None:
        """End the claim as its entries demand. If that cannot be written, the next start does it.

        An intent whose failure could not be recorded is `abandoned`, as if the process had vanished.
        """
        ledger, generation_id = self.parts.ledger, subject.generation_id
        try:
            entries = [entry for _, entry in ledger.entries(subject=generation_id, limit=steps.ALL_ENTRIES)]
            closing = close_claim(generation_id, subject.attempt, entries)
            if closing.entry is not None:
                ledger.append(Record(closing.entry))
            ledger.finish(generation_id, repeatable=closing.state is ClaimState.REPEATABLE)
        except LedgerError:
            logger.warning("the claim of generation %s could not be ended yet", generation_id, exc_info=True)

    def _failed(self, progress: _Progress, item: int | None, error: BaseException) -> Entry | None:
        try:
            return steps.append(self.parts, progress.subject.failed(progress.step, item, error)).entry
        except GovernanceError as unrecorded:
            error.add_note(f"The failure itself could not be recorded: {unrecorded}")
            return None


def refuse_to_open(ledger: Ledger, error: GovernanceError) -> None:
    """Record that a line could not even be put together: a `failed` entry, if the ledger can be written."""
    progress = _Progress()
    progress.step = "open"
    try:
        ledger.append(progress.subject.failed(progress.step, None, error))
    except GovernanceError as unrecorded:
        error.add_note(f"The failure itself could not be recorded: {unrecorded}")
