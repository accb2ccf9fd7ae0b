"""From approval to release: what people let go re-enters the line at `mark`.

Everything is read again from the ledger and the quarantine, and policy is asked again, as it is now. It may have come to
deny the draft, and then the hold ends; it may have come to hold it for reasons that nobody approved, and then people are
asked again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from governance import steps
from governance.assets import GovernedItem, Verdict
from governance.bodies import Subject, decision_of
from governance.canonical import Digest, Json, digest
from governance.entries import ALL_ENTRIES, Entry, EntryKind, HoldRecord, HoldState, Recorded
from governance.errors import GovernanceError, LedgerError, ReviewError, StorageError
from governance.facts import draft_facts
from governance.forgotten_locals import forgetting_locals
from governance.held import HeldDraft
from governance.hold_history import HoldHistory, recorded_model
from governance.holds import NO_LEASE, Approved, Opening
from governance.obligations import Obligations
from governance.parts import Parts
from governance.recovery import destroy_quietly
from governance.releasing import Leaving, release
from governance.results import recorded_result
from governance.types import Decision, Draft, InputImage, MediaKind, Outcome

_VERIFY = "Run `governance ledger verify`."


@dataclass(frozen=True, slots=True)
class _Resumed:
    """All that was known of a held draft when it was held."""

    approved: Approved
    history: HoldHistory
    subject: Subject
    draft: Draft
    inputs: tuple[InputImage, ...]
    admission: Decision


class Resumption:
    """Releases what people let go. As thread-safe as its parts."""

    def __init__(self, parts: Parts, clock: Callable[[], str]) -> None:
        self.parts = parts
        self._clock = clock

    @forgetting_locals()
    def release(self, record: HoldRecord) -> tuple[HoldRecord, GovernedItem]:
        """Release the draft of an approved hold, once: where somebody else does it meanwhile, that release is the answer.

        Raises:
            ReviewError: policy denies it by now, or holds it for other reasons; what was done is in the message. Or it cannot
                be asked, because something was erased; that is recorded, and the hold stays approved.
            GovernanceError: a step failed; that is recorded, the hold stays approved, and `release` may be tried again.
        """
        step = "restore"

        def reached(name: str) -> None:
            nonlocal step
            step = name

        try:
            return self._released(record, reached)
        except BaseException as error:  # Ctrl-C and foreign errors too: nothing ends a release unrecorded; raised again
            if isinstance(error, ReviewError) and step == "judge":
                raise  # policy answered, and that is recorded
            now = self._done(record)
            if now is None:
                self._failed(record, step, error)
            elif isinstance(error, Exception):
                return now, self._recorded(now)
            raise

    def _released(self, record: HoldRecord, reached: Callable[[str], None]) -> tuple[HoldRecord, GovernedItem]:
        resumed = self._restored(record)
        reached("judge")
        judged = self._judged(resumed)
        decisions = (resumed.admission, judged.judged.decision, resumed.approved.decision)
        leaving = Leaving(
            resumed.subject,
            resumed.draft,
            resumed.inputs,
            resumed.history.findings,
            decisions,
            judged,
            resumed.approved,
        )
        asset = release(self.parts, leaving, reached)
        destroy_quietly(self.parts.ledger, self.parts.quarantine, record.id)
        item = GovernedItem(
            resumed.draft.index, Verdict.RELEASED, decisions, leaving.findings, asset.receipt.entry, asset
        )
        return resumed.approved.done(), item

    def _restored(self, record: HoldRecord) -> _Resumed:
        """Read it all again.

        Raises:
            ReviewError: something was erased that policy must see again.
            LedgerError: the entries do not bear out what the row of the hold says, or the draft is another.
            StorageError: the draft cannot be decrypted.
        """
        ledger, history = self.parts.ledger, HoldHistory.of(self.parts.ledger, record)
        approved = history.approved()
        history.require_restorable()
        subject, intent = self._subject(history)
        admission = decision_of(intent, ledger.fields(intent.id))
        if admission is None or record.item is None:
            raise LedgerError(f"Hold {record.id} has no draft, or no admission.", remedy=_VERIFY)
        sealed = self.parts.quarantine.open(record.id)
        named: Any = history.held.body["hold"]
        if digest(sealed) != named.get("digest"):
            raise StorageError(
                f"What is in quarantine is not what hold {record.id} held.",
                remedy="Restore the quarantine from a backup.",
            )
        packed = HeldDraft.unpack(sealed)
        media = self.parts.codecs.decode(packed.content)
        draft = Draft(record.item, media, recorded_model(ledger, intent), self._seed(intent, record.item))
        return _Resumed(approved, history, subject, draft, packed.images(self.parts.encoder), admission)

    def _judged(self, resumed: _Resumed) -> steps.Release:
        """Ask policy again about the same facts, now.

        Raises:
            ReviewError: it denies them, or wants people to decide on more than they did.
        """
        facts: Any = resumed.history.restored.value
        draft = draft_facts(resumed.draft, markable=steps.markable(self.parts, resumed.draft.media))
        now, asked = self._clock(), _with_media(facts)
        registers = self.parts.registers.facts_in(asked, now)
        policy_input = {**asked, "registers": registers, "time": now, "draft": draft}
        admitted = Obligations.parse(resumed.admission.obligations)
        before = facts["admission"].get("review") is not None
        judged = steps.decide_release(self.parts, admitted, policy_input, approved=before)
        decision = judged.judged.decision
        codes = ", ".join(reason.code for reason in decision.reasons) or "no reason was given"
        if judged.outcome is Outcome.DENY:
            self._deny(resumed, judged)
            raise ReviewError(
                f"Policy denies what was approved by now: {codes}. The hold is rejected.",
                remedy="Ask for a new image, or ask whoever owns the policy bundle.",
            )
        known = {reason.code for reason in resumed.history.decision.reasons}
        new = [reason.code for reason in decision.reasons if reason.code not in known]
        if decision.outcome is Outcome.REVIEW and new:
            self._hold_again(resumed, judged)
            raise ReviewError(
                f"Policy holds this for more than was approved by now: {', '.join(new)}. The hold is open again.",
                remedy="Decide on the new reasons.",
            )
        # What admission obliged was given there, where people let the request run.
        obliged = judged.judged.obligations if before else judged.obligations
        given, needed = len(resumed.history.approvals), obliged.approvals
        if given < needed:
            self._hold_again(resumed, judged)
            raise ReviewError(
                f"Policy obliges {needed} approvals by now, and {given} are given. The hold is open again.",
                remedy="Have it approved by as many people.",
            )
        return judged

    def _deny(self, resumed: _Resumed, judged: steps.Release) -> None:
        record = resumed.approved.record
        ended = replace(record, state=HoldState.REJECTED, version=record.version + 1, **NO_LEASE)
        findings = resumed.history.findings
        denied = resumed.subject.withheld(resumed.draft, findings, judged.judged, ended=ended)
        steps.append(self.parts, denied)
        destroy_quietly(self.parts.ledger, self.parts.quarantine, record.id)

    def _hold_again(self, resumed: _Resumed, judged: steps.Release) -> None:
        record, held = resumed.approved.record, resumed.history.held
        content: Any = held.body["hold"]
        opening = Opening(record.id, self._clock(), judged.obligations, content["digest"])
        findings = resumed.history.findings
        again = resumed.subject.withheld(
            resumed.draft, findings, judged.judged, opening=opening, version=record.version + 1
        )
        steps.append(self.parts, again)

    def _done(self, record: HoldRecord) -> HoldRecord | None:
        """The hold, where it is released for all that: by somebody else, or by this call before it went wrong."""
        try:
            now = self.parts.ledger.hold(record.id)
        except LedgerError:
            return None
        return now if now is not None and now.state is HoldState.DONE else None

    def _failed(self, record: HoldRecord, step: str, error: BaseException) -> None:
        try:
            history = HoldHistory.of(self.parts.ledger, record)
            if not _repeats(history, step, error):
                subject, _ = self._subject(history)
                steps.append(self.parts, subject.failed(step, record.item, error, record))
        except GovernanceError as unrecorded:
            error.add_note(f"The failure itself could not be recorded: {unrecorded}")
        error.add_note(f"Hold {record.id} stays approved: the release is tried again when the line is opened.")

    def _subject(self, history: HoldHistory) -> tuple[Subject, Entry]:
        """The held generation, and its intent."""
        ledger, record = self.parts.ledger, history.record
        intents = ledger.entries(subject=record.subject, kind=EntryKind.INTENT, limit=ALL_ENTRIES)
        if len(intents) != 1:
            raise LedgerError(f"Generation {record.subject} has {len(intents)} intents.", remedy=_VERIFY)
        intent = intents[0][1]
        subject = Subject(record.subject, _attempt(history))
        subject.intent = steps.proven(self.parts, ledger.receipt(intent.id), intent)
        return subject, intent

    def _recorded(self, record: HoldRecord) -> GovernedItem:
        """The release of a hold that is done."""
        result = recorded_result(self.parts, "", Recorded(1, record.subject))
        return next(item for item in result.items if item.index == record.item)

    def _seed(self, intent: Entry, item: int) -> int:
        named = intent.body.get("call")
        content = self.parts.ledger.document(Digest(str(named)))
        if content is None or digest(content) != named:
            raise LedgerError(f"The call document {named} is missing or was altered.", remedy=_VERIFY)
        seeds = json.loads(content)["seeds"]
        return int(seeds[item % len(seeds)])


def _with_media(facts: Mapping[str, Any]) -> dict[str, Json]:
    """The facts of a hold, in today's form: those of the time when only pictures were made do not say what was asked for."""
    request, parameters = {"media": [MediaKind.IMAGE.value], **facts["request"]}, {"frames": 1, **facts["parameters"]}
    return {**facts, "request": request, "parameters": parameters}


def _repeats(history: HoldHistory, step: str, error: BaseException) -> bool:
    """Whether the last that happened to the hold is this same failure: what is tried every minute is written once."""
    last = history.acts[-1] if history.acts else history.held
    same = (last.body.get("step"), last.body.get("error")) == (step, type(error).__name__)
    return last.kind is EntryKind.FAILED and same


def _attempt(history: HoldHistory) -> int:
    attempt = history.held.body.get("attempt")
    return attempt if type(attempt) is int else 1
