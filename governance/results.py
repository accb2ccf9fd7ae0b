"""Results: raising when nothing was released, and reading a finished generation back from the ledger and the vault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from governance.assets import Asset, GovernedItem, GovernedResult, Verdict
from governance.bodies import decision_of, findings_of
from governance.canonical import Digest
from governance.entries import ALL_ENTRIES, Entry, EntryKind, Recorded
from governance.errors import DeniedError, GenerationError, HeldError, RecalledError
from governance.holds import hold_named
from governance.lineage.recalled import check_not_recalled
from governance.parts import Parts
from governance.records import items_of
from governance.shadow import shadow_of
from governance.steps import proven
from governance.types import Decision

_VERDICTS = {
    EntryKind.RELEASED: Verdict.RELEASED,
    EntryKind.DENIED: Verdict.DENIED,
    EntryKind.HELD: Verdict.HELD,
    EntryKind.FAILED: Verdict.FAILED,
    EntryKind.REJECTED: Verdict.DENIED,
    EntryKind.EXPIRED: Verdict.DENIED,
}
_ENDINGS = frozenset(_VERDICTS) - {EntryKind.FAILED}
"""What ends a hold, or holds again. A release of what was held that failed is tried again: the item is held until then."""
_REVIEWED = (EntryKind.REJECTED, EntryKind.EXPIRED)


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
            remedy=f"Ask a reviewer to decide on hold {', '.join(_holds(result))} of generation {result.generation_id}.",
        )
    raise DeniedError(
        f"Policy denied this: {_reasons(result, Verdict.DENIED)}.",
        result,
        remedy="Change the request, or ask whoever owns the policy bundle.",
    )


def recorded_result(parts: Parts, request_id: str, recorded: Recorded) -> GovernedResult:
    """The result of a finished generation, as it is now: the same bytes, verdicts and reasons.

    What was held and is decided since shows what people made of it: released, or denied. A file that was recalled is not
    handed out again: its item has failed, with a `RecalledError`.

    Raises:
        LedgerError: the entries cannot be read.
        StorageError: a released file is missing from the vault.
    """
    before: tuple[Decision, ...] = ()
    images = 0
    outcomes: dict[int, list[Entry]] = {}
    reviews: dict[str, tuple[Decision, ...]] = {}
    for _, entry in parts.ledger.entries(subject=recorded.generation_id, limit=ALL_ENTRIES):
        images = items_of(entry) or images
        hold_id = hold_named(entry)
        if entry.kind is EntryKind.INTENT:
            before = _decisions(parts, entry)
        elif entry.kind is EntryKind.APPROVED and hold_id:
            reviews[hold_id] = _decisions(parts, entry)
        elif entry.kind in _VERDICTS:
            item: Any = entry.body["item"]
            for index in range(images) if item is None else (item,):
                known = outcomes.setdefault(index, [])
                if not known or (known[-1].kind is EntryKind.HELD and entry.kind in _ENDINGS):
                    known.append(entry)  # an outcome for all speaks for those without one of their own
    items = tuple(_item(parts, index, before, outcomes[index], reviews) for index in sorted(outcomes))
    return GovernedResult(request_id, recorded.generation_id, recorded.number, items)


def _item(
    parts: Parts,
    index: int,
    before: tuple[Decision, ...],
    outcomes: Sequence[Entry],
    reviews: Mapping[str, tuple[Decision, ...]],
) -> GovernedItem:
    """One item from its outcomes, the last of which stands: first the decisions of the line, then those of people."""
    last = outcomes[-1]
    decided = next((entry for entry in reversed(outcomes) if entry.kind not in _REVIEWED), last)
    decisions = (*before, *_decisions(parts, decided))
    if last is not decided:
        decisions = (*decisions, *_decisions(parts, last))
    elif last.kind is EntryKind.RELEASED:
        decisions = (*decisions, *reviews.get(hold_named(last) or "", ()))
    shadow, findings = shadow_of(last), findings_of(decided)
    try:
        asset = _asset(parts, last)
    except RecalledError as error:
        return GovernedItem(index, Verdict.FAILED, decisions, findings, last, None, error, shadow=shadow)
    return GovernedItem(index, _VERDICTS[last.kind], decisions, findings, last, asset, shadow=shadow)


def _decisions(parts: Parts, entry: Entry) -> tuple[Decision, ...]:
    decision = decision_of(entry, parts.ledger.fields(entry.id))
    return () if decision is None else (decision,)


def _asset(parts: Parts, entry: Entry) -> Asset | None:
    if entry.kind is not EntryKind.RELEASED:
        return None
    check_not_recalled(parts.ledger, entry)
    raw: Any = entry.body["asset"]
    content_digest = Digest(raw["digest"])
    parts.vault.publish(content_digest)  # a crash may have come between the entry and this
    content = parts.vault.get(content_digest)
    receipt = proven(parts, parts.ledger.receipt(entry.id), entry)
    return Asset(raw["id"], content, raw["media_type"], content_digest, receipt)


def _holds(result: GovernedResult) -> list[str]:
    named = (hold_named(item.entry) for item in result.items if item.entry is not None)
    return list(dict.fromkeys(hold_id for hold_id in named if hold_id))


def _reasons(result: GovernedResult, verdict: Verdict) -> str:
    found = {
        f"{reason.message} ({reason.code})" if reason.message else reason.code: None
        for item in result.items
        if item.verdict is verdict
        for decision in item.decisions
        for reason in decision.reasons
    }
    return "; ".join(found) or "no reason was given"
