"""Every decision that a ledger recorded, with the policy input that it was made on as far as that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from governance.bodies import decision_of
from governance.disclosure import recorded_input
from governance.entries import Entry
from governance.errors import ProofError
from governance.ports import Ledger
from governance.types import Decision
from governance_adapters.policy.questions import LEDGER, Question

_PAGE = 500


class Loss(StrEnum):
    """Why a policy input is not whole any more."""

    FIELD = "field erased"
    DOCUMENT = "document missing"


@dataclass(frozen=True, slots=True)
class Lost:
    """A policy input that cannot be put to any bundle again.

    `erased` are the JSON pointers (RFC 6901) of the fields that are not kept any more.
    """

    loss: Loss
    erased: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """What was decided, and the question that it was decided on, as far as that is kept."""

    index: int
    entry: Entry
    decision: Decision
    question: Question | Lost


def recorded_decisions(ledger: Ledger, *, since: str = "") -> Iterator[RecordedDecision]:
    """The decisions of every stage that were recorded from the time `since` on (RFC 3339, UTC), oldest first.

    Personal fields are put back, each checked against its commitment. A page of entries is in memory at a time.

    Raises:
        ProofError: a document or a field was altered; the message names the entry.
        LedgerError: the ledger cannot be read.
    """
    after = -1
    while page := ledger.entries(after=after, limit=_PAGE):
        after = page[-1][0]
        for index, entry in page:
            decision = decision_of(entry, ()) if entry.time >= since else None
            if decision is not None:
                yield _recalled(ledger, index, entry, decision)


def _recalled(ledger: Ledger, index: int, entry: Entry, decision: Decision) -> RecordedDecision:
    try:
        restored = recorded_input(ledger, entry)
    except ProofError as error:
        raise ProofError(f"Entry {entry.id}: {error}") from error  # which ends with its remedy
    if restored is None:
        return RecordedDecision(index, entry, decision, Lost(Loss.DOCUMENT))
    if restored.erased:
        return RecordedDecision(index, entry, decision, Lost(Loss.FIELD, restored.erased))
    question = Question(LEDGER, entry.id, decision.stage, restored.value, validated=True)
    return RecordedDecision(index, entry, decision, question)
