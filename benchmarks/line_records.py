"""Records as the line writes them: an intent and the release of what it asked for, with fields, documents and a watermark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from governance.canonical import canonical_bytes, commitment, digest, new_salt
from governance.entries import Document, Record
from governance.governor import Governor
from governance.merkle import leaf_hash
from governance.testing import FakeLedger, FakePipeline, example_request, fake_parts
from governance.types import Prompt, new_id, utc_now


def templates() -> tuple[Record, Record]:
    """What the line writes of one call that is allowed: its intent, and the release of its image."""
    ledger = FakeLedger()
    request = example_request(prompts=(Prompt("a red seven on a blue background, in the style of a linocut"),))
    Governor(fake_parts(ledger=ledger, log_key=ledger.key)).generate(request, FakePipeline())
    intent, released = ledger.records[:2]
    return replace(intent, spending=None), released


def pairs(name: str) -> Iterator[tuple[Record, Record]]:
    """The same two again and again, under new ids, salts, and with inputs of policy of their own."""
    intent, released = templates()
    number = 0
    while True:
        number += 1
        generation = f"{name}-{number}"
        first = _anew(intent, generation, {})
        asset = {**_mapping(released, "asset"), "id": new_id(), "digest": digest(generation.encode())}
        mark_id = int(digest(f"mark/{generation}".encode())[:14], 16)
        named = {"id": first.entry.id, "leaf": leaf_hash(first.entry.leaf()).hex()}
        changed = {
            "asset": asset,
            "intent": named,
            "watermark": {**_mapping(released, "watermark"), "id": str(mark_id)},
        }
        second = _anew(released, generation, changed)
        mark = released.mark and replace(
            released.mark, mark_id=mark_id, asset_id=asset["id"], asset_digest=asset["digest"]
        )
        yield first, replace(second, mark=mark)


def appending(name: str, ready: int, append: Callable[[Record], object]) -> Callable[[], object]:
    """Appends one record a call: an intent, then its release; `ready` pairs are made beforehand."""
    endless = pairs(name)
    waiting = [record for _ in range(ready) for record in reversed(next(endless))]

    def act() -> None:
        if not waiting:
            waiting.extend(reversed(next(endless)))
        append(waiting.pop())

    return act


def payload(record: Record) -> bytes:
    """The same bytes as one piece, for a chain: the entry, its personal values and its documents."""
    values = [canonical_bytes(field.value) for field in record.fields]
    return b"\n".join([record.entry.leaf(), *values, *(document.content for document in record.documents)])


def _anew(record: Record, generation: str, changed: Mapping[str, Any]) -> Record:
    fields = tuple(replace(field, salt=new_salt()) for field in record.fields)
    committed = {field.name: commitment(field.name, field.value, field.salt) for field in fields}
    body: dict[str, Any] = {**record.entry.body, **changed, "fields": committed}
    documents = record.documents
    decision = _mapping(record, "decision")
    if (
        at := next((at for at, each in enumerate(documents) if each.digest == decision.get("input")), None)
    ) is not None:
        content = documents[at].content[:-1] + b',"~":' + canonical_bytes(generation) + b"}"
        own = Document(digest(content), content)
        documents = (*documents[:at], own, *documents[at + 1 :])
        body["decision"] = {**decision, "input": own.digest}
    entry = replace(record.entry, id=new_id(), subject=generation, time=utc_now(), body=body)
    return replace(record, entry=entry, fields=fields, documents=documents)


def _mapping(record: Record, member: str) -> Mapping[str, Any]:
    value: Any = record.entry.body[member]
    return dict(value)
