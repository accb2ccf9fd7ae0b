"""Results: raising when nothing was released, and reading a finished generation back from the ledger and the vault."""

from __future__ import annotations

from typing import Any

from governance.assets import Asset, GovernedItem, GovernedResult, Verdict
from governance.bodies import decision_of, findings_of
from governance.canonical import Digest
from governance.entries import Entry, EntryKind, Recorded
from governance.errors import DeniedError, GenerationError, HeldError
from governance.parts import Parts
from governance.records import items_of
from governance.steps import ALL_ENTRIES, proven
from governance.types import Decision

_VERDICTS = {
    EntryKind.RELEASED: Verdict.RELEASED,
    EntryKind.DENIED: Verdict.DENIED,
    EntryKind.HELD: Verdict.HELD,
    EntryKind.FAILED: Verdict.FAILED,
}


def released_or_raise(result: GovernedResult) -> GovernedResult:
    """`result`, if anything was released.

    Raises:
        GovernanceError: the first failure, where every item failed or was withheld and one failed.
        HeldError: nothing was released and at least one item waits for a person.
        DeniedError: every item was denied.
    """
    if result.released:
        return result
    for item in result.items:
        if item.verdict is Verdict.FAILED:
            raise item.error or GenerationError(
                f"Item {item.index} of generation {result.generation_id} failed.",
                remedy=f"Read `governance ledger show {item.entry.id if item.entry else result.generation_id}`.",
            )
    if any(item.verdict is Verdict.HELD for item in result.items):
        raise HeldError(
            f"Policy holds this for a person: {_reasons(result, Verdict.HELD)}.",
            result,
            remedy=f"Ask a reviewer to decide on generation {result.generation_id}.",
        )
    raise DeniedError(
        f"Policy denied this: {_reasons(result, Verdict.DENIED)}.",
        result,
        remedy="Change the request, or ask whoever owns the policy bundle.",
    )


def recorded_result(parts: Parts, request_id: str, recorded: Recorded) -> GovernedResult:
    """The result of a finished generation, as it was: the same bytes, verdicts and reasons.

    Raises:
        LedgerError: the entries cannot be read.
        StorageError: a released file is missing from the vault.
    """
    intent: Decision | None = None
    images = 0
    items: dict[int, GovernedItem] = {}
    for _, entry in parts.ledger.entries(subject=recorded.generation_id, limit=ALL_ENTRIES):
        decision = decision_of(entry, parts.ledger.fields(entry.id))
        images = items_of(entry) or images
        if entry.kind is EntryKind.INTENT:
            intent = decision
        elif entry.kind in _VERDICTS:
            item: Any = entry.body["item"]
            decisions = tuple(known for known in (intent, decision) if known is not None)
            for index in range(images) if item is None else (item,):
                if index not in items:  # an outcome for all speaks for those without one of their own
                    items[index] = GovernedItem(
                        index, _VERDICTS[entry.kind], decisions, findings_of(entry), entry, _asset(parts, entry)
                    )
    ordered = tuple(items[index] for index in sorted(items))
    return GovernedResult(request_id, recorded.generation_id, recorded.number, ordered)


def _asset(parts: Parts, entry: Entry) -> Asset | None:
    if entry.kind is not EntryKind.RELEASED:
        return None
    raw: Any = entry.body["asset"]
    content_digest = Digest(raw["digest"])
    parts.vault.publish(content_digest)  # a crash may have come between the entry and this
    content = parts.vault.get(content_digest)
    receipt = proven(parts, parts.ledger.receipt(entry.id), entry)
    return Asset(raw["id"], content, raw["media_type"], content_digest, receipt)


def _reasons(result: GovernedResult, verdict: Verdict) -> str:
    found = {
        f"{reason.message} ({reason.code})" if reason.message else reason.code: None
        for item in result.items
        if item.verdict is verdict
        for decision in item.decisions
        for reason in decision.reasons
    }
    return "; ".join(found) or "no reason was given"
