"""Small records of each kind, complete with what stands beside them, for contract classes and tests."""

from __future__ import annotations

from governance.canonical import Json, canonical_bytes, commitment, digest, new_salt
from governance.entries import Document, Entry, EntryKind, MarkRecord, PersonalField, Record
from governance.merkle import leaf_hash
from governance.types import Fingerprint, new_id

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


def outcome_record(kind: EntryKind, generation_id: str, item: int | None = 0) -> Record:
    """A denied, held or failed entry for one item, or with `item` None for all."""
    return Record(Entry(kind, generation_id, {"version": 1, "item": item}))
