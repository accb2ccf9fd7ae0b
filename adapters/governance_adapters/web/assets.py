"""Operations on released files: the record of one, and its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from starlette.responses import Response

from governance.canonical import Digest
from governance.entries import Entry, EntryKind
from governance.erasure import ASSET
from governance.holds import hold_named
from governance.lineage.recalled import check_not_recalled
from governance.ports import Ledger
from governance.review_facts import Act
from governance.types import Mode
from governance_adapters.web.models import DIGEST_PATTERN, AssetName, AssetRecord
from governance_adapters.web.problems import NOT_FOUND, RECALLED, ApiError
from governance_adapters.web.routes import PartsOf, json_response, operation, router
from governance_adapters.web.shown import entry_json, shadow_json

routes = router("assets")

SUFFIXES: Final = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "audio/wav": "wav",
}
"""The media types that files are released in, and what their names end in."""
_PAGE: Final = 500
_BYTES: dict[int | str, Any] = {
    200: {
        "description": "The bytes as they were signed.",
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in SUFFIXES},
    }
}


@routes.get(
    "/assets/{asset}",
    operation_id="readAsset",
    summary="The record of a released file.",
    response_model=AssetRecord,
    **operation(Act.LEDGER_READ, NOT_FOUND),
)
def read_asset(asset: AssetName, parts: PartsOf) -> Response:
    """Who may read the ledger may read how each file came to be."""
    released = _released(parts.ledger, asset)
    body: Any = released.body["asset"]
    return json_response(
        {
            **{name: body[name] for name in ("id", "digest", "media_type", "bytes")},
            "mode": (Mode.ENFORCE if (shadow := shadow_json(released)) is None else Mode.SHADOW).value,
            "shadow": shadow,
            "released": entry_json(released),
            "chain": [entry_json(entry) for entry in chain_of(parts.ledger, released)],
        }
    )


@routes.get(
    "/assets/{asset}/content",
    operation_id="readAssetContent",
    summary="The released bytes.",
    response_class=Response,
    **operation(Act.LEDGER_READ, NOT_FOUND, RECALLED, shown=_BYTES),
)
def read_content(asset: AssetName, parts: PartsOf) -> Response:
    """To be saved as they are: saving a picture again destroys its manifest."""
    released = _released(parts.ledger, asset)
    body: Any = released.body["asset"]
    if erased := parts.ledger.erasures(released.id).get(ASSET):
        raise ApiError(NOT_FOUND, f"The file was erased, as entry {erased} records.")
    check_not_recalled(parts.ledger, released)
    content = parts.vault.get(Digest(body["digest"]))
    media = body["media_type"] if body["media_type"] in SUFFIXES else "application/octet-stream"
    name = f"{body['digest'][:16]}.{SUFFIXES.get(media, 'bin')}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media, headers=headers)


def chain_of(ledger: Ledger, released: Entry) -> Iterator[Entry]:
    """The entries that led to a release: intent, held, what people did, release; also of a hold at its admission.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    own = list(_subject(ledger, released.subject))
    for intent in (entry for entry in own if entry.kind is EntryKind.INTENT):
        review: Any = intent.body.get("review")
        if isinstance(review, Mapping):
            held = ledger.entry(str(review["entry"]))
            yield from _about(hold_named(intent), _subject(ledger, held.subject))
        yield intent
    yield from _about(hold_named(released), (e for e in own if e.id != released.id))
    yield released


def _about(hold: str | None, entries: Iterable[Entry]) -> Iterator[Entry]:
    """Those of `entries` that are about the hold."""
    return (entry for entry in entries if hold is not None and hold_named(entry) == hold)


def _released(ledger: Ledger, asset: str) -> Entry:
    found = ledger.find_asset(Digest(asset)) if re.fullmatch(DIGEST_PATTERN, asset) else ledger.entry(asset)
    if found is None or found.kind is not EntryKind.RELEASED:
        raise ApiError(NOT_FOUND, "No file of this name was released here. Check the digest or the id.")
    return found


def _subject(ledger: Ledger, subject: str) -> Iterator[Entry]:
    after = -1
    while page := ledger.entries(after=after, limit=_PAGE, subject=subject):
        yield from (entry for _, entry in page)
        after = page[-1][0]
