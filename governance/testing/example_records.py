"""Small records of each kind, complete with what stands beside them, for contract classes and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from governance.canonical import Json, canonical_bytes, commitment, digest, new_salt
from governance.entries import Document, Entry, EntryKind, HoldRecord, HoldState, MarkRecord, PersonalField, Record
from governance.holds import NO_LEASE, Opening
from governance.merkle import leaf_hash
from governance.obligations import Obligations
from governance.types import Fingerprint, new_id, utc_now

_NO_INTENT: dict[str, Json] = {"id": "00000000-0000-7000-8000-000000000000", "leaf": "00" * 32}
ALGORITHM = "org.example.mark.1"
KEY_ID = "0123abcd"


def intent_record(generation_id: str, items: int = 1, prompt: str = "a red seven") -> Record:
    """An intent with a personal field and a document."""
    field = PersonalField("/prompts/0", new_salt(), prompt)
    content = canonical_bytes({"version": 1, "steps": 30})
    body: dict[str, Json] = {
        "version": 1,
        "items": items,
        "call": digest(content),
        "fields": {field.name: commitment(field.name, field.value, field.salt)},
    }
    return Record(Entry(EntryKind.INTENT, generation_id, body), (field,), (Document(digest(content), content),))


def released_record(
    generation_id: str,
    content: bytes,
    mark_id: int | None = None,
    item: int = 0,
    *,
    intent: Record | None = None,
) -> Record:
    """A released entry for these bytes, with a watermark if `mark_id` is given; `intent` as its record was."""
    asset_id, content_digest = new_id(), digest(content)
    mark = None
    if mark_id is not None:
        fingerprint = Fingerprint(bytes(range(32)), 87, bytes(192))
        mark = MarkRecord(ALGORITHM, KEY_ID, mark_id, asset_id, content_digest, fingerprint)
    body: dict[str, Json] = {
        "version": 1,
        "item": item,
        "intent": {"id": intent.entry.id, "leaf": leaf_hash(intent.entry.leaf()).hex()} if intent else _NO_INTENT,
        "decision": {"stage": "release", "outcome": "allow"},
        "findings": [{"detector": "nsfw", "label": "nsfw", "score_millionths": 1}],
        "asset": {"id": asset_id, "digest": content_digest, "media_type": "image/png", "bytes": len(content)},
        "watermark": None if mark is None else {"algorithm": ALGORITHM, "key_id": KEY_ID, "id": str(mark_id)},
    }
    return Record(Entry(EntryKind.RELEASED, generation_id, body), mark=mark)


def held_record(generation_id: str, item: int | None = 0, request: str = "", queue: str = "brand") -> Record:
    """A held entry with its open hold, of one item or, with `item` None, of a request with these facts."""
    opening = Opening(new_id(), utc_now(), Obligations(approvals=2, queue=queue, due_hours=24))
    body: dict[str, Json] = {"version": 1, "item": item, "hold": opening.body()}
    entry = Entry(EntryKind.HELD, generation_id, body, time=opening.time)
    return Record(entry, hold=opening.record(entry, item, request=request))


def hold_record(kind: EntryKind, before: HoldRecord, state: HoldState, queue: str = "") -> Record:
    """An act that leaves the hold `before` in `state`, in `queue` if it changes."""
    outcome = "allow" if state is HoldState.APPROVED else "review"
    body: dict[str, Json] = {
        "version": 1,
        "item": before.item,
        "hold": {"id": before.id, "entry": before.entry_id},
        "decision": {"stage": "review", "outcome": outcome, "decision_id": new_id()},
    }
    if queue:
        body["queue"] = queue
    after = replace(before, state=state, queue=queue or before.queue, version=before.version + 1, **NO_LEASE)
    return Record(Entry(kind, before.subject, body), hold=after)


def used_record(approved: Record, opened: Record) -> Record:
    """What uses the hold that the entry `approved` let go: a release, or the intent of the request it is of."""
    hold, decision = approved.hold, approved.entry.body["decision"]
    assert hold is not None
    assert isinstance(decision, Mapping)
    review: dict[str, Json] = {
        "hold": hold.id,
        "entry": hold.entry_id,
        "decision_id": decision["decision_id"],
        "approvals": [
            {"entry": approved.entry.id, "leaf": leaf_hash(approved.entry.leaf()).hex(), "reviewer": "00" * 32}
        ],
    }
    using = (
        intent_record(new_id())
        if hold.item is None
        else released_record(hold.subject, new_id().encode(), intent=opened)
    )
    entry = replace(using.entry, body={**using.entry.body, "review": review})
    return replace(using, entry=entry, hold=replace(hold, state=HoldState.DONE, version=hold.version + 1))


def outcome_record(kind: EntryKind, generation_id: str, item: int | None = 0) -> Record:
    """A denied, held or failed entry for one item, or with `item` None for all."""
    return Record(Entry(kind, generation_id, {"version": 1, "item": item}))
