"""Operations on the ledger: pages of entries, the record view, receipts, the checkpoint."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from governance.bodies import MESSAGES_FIELD, decision_of, findings_of
from governance.canonical import Json
from governance.entries import Entry, EntryKind
from governance.mode_record import mode_of, newest_mode
from governance.ports import Ledger
from governance.review_facts import Act
from governance_adapters.commands.entries import documents_json, personal_json
from governance_adapters.web.models import (
    DEFAULT_PAGE,
    CheckpointModel,
    Cursor,
    EntryId,
    EntryPage,
    EntryRecord,
    Limit,
    ModeModel,
    ReceiptModel,
)
from governance_adapters.web.problems import NOT_FOUND
from governance_adapters.web.routes import (
    CallerOf,
    CursorsOf,
    DoorOf,
    PartsOf,
    json_response,
    operation,
    router,
)
from governance_adapters.web.shown import decision_json, entry_json, findings_json, receipt_json, shadow_json

routes = router("ledger")
_LISTED = "entries"


@routes.get(
    "/entries",
    operation_id="listEntries",
    summary="A page of entries, oldest first.",
    response_model=EntryPage,
    **operation(Act.LEDGER_READ),
)
def list_entries(
    parts: PartsOf,
    cursors: CursorsOf,
    kind: Annotated[EntryKind | None, Query(description="Only entries of this kind.")] = None,
    subject: Annotated[str | None, Query(max_length=256, description="Only entries about this.")] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """What was appended meanwhile comes on later pages; no entry comes twice."""
    filters: dict[str, Json] = {"kind": kind, "subject": subject}
    after = -1 if cursor is None else int(cursors.read(cursor, _LISTED, filters))
    found = parts.ledger.entries(after=after, limit=limit + 1, subject=subject, kind=kind)
    page, more = found[:limit], len(found) > limit
    items: list[Json] = [{**entry_json(entry), "index": index} for index, entry in page]
    return json_response({"items": items, "next": cursors.make(page[-1][0], _LISTED, filters) if more else None})


@routes.get(
    "/entries/{entry_id}",
    operation_id="readEntry",
    summary="The record view of one entry.",
    response_model=EntryRecord,
    **operation(Act.LEDGER_READ, NOT_FOUND),
)
def read_entry(
    entry_id: EntryId,
    parts: PartsOf,
    caller: CallerOf,
    door: DoorOf,
    personal: Annotated[
        bool, Query(description="With the personal fields: needs the scope and permission `ledger.personal` too.")
    ] = False,
    documents: Annotated[bool, Query(description="With the policy input, model and call that it commits to.")] = False,
) -> Response:
    """Entry, proof and decision. Reasons have their words only where personal fields are asked for: words may be personal."""
    if personal:
        door.check(caller, Act.LEDGER_PERSONAL)
    receipt = parts.ledger.receipt(entry_id)
    return json_response(
        record_json(parts.ledger, receipt.entry, personal=personal, documents=documents)
        | {"receipt": receipt_json(receipt)}
    )


@routes.get(
    "/entries/{entry_id}/receipt",
    operation_id="readReceipt",
    summary="The receipt of one entry, against the newest checkpoint.",
    response_model=ReceiptModel,
    **operation(Act.LEDGER_READ, NOT_FOUND),
)
def read_receipt(entry_id: EntryId, parts: PartsOf) -> Response:
    """In the form that is saved beside a released file."""
    return Response(parts.ledger.receipt(entry_id).to_json(), media_type="application/json")


@routes.get(
    "/checkpoint",
    operation_id="readCheckpoint",
    summary="The newest checkpoint of the log.",
    response_model=CheckpointModel,
    **operation(Act.LEDGER_READ),
)
def read_checkpoint(parts: PartsOf) -> Response:
    """Keep it elsewhere: it is what a rewritten log cannot match."""
    return json_response({"checkpoint": parts.ledger.checkpoint()})


@routes.get(
    "/mode",
    operation_id="readMode",
    summary="Whether policy is obeyed, or only recorded.",
    response_model=ModeModel,
    **operation(Act.LEDGER_READ),
)
def read_mode(parts: PartsOf) -> Response:
    """As the newest `mode` entry says. What each file was made in, its own record says."""
    newest = newest_mode(parts.ledger)
    said = (None, None) if newest is None else (newest.id, newest.time)
    return json_response({"mode": mode_of(newest).value, "entry": said[0], "since": said[1]})


def record_json(ledger: Ledger, entry: Entry, *, personal: bool, documents: bool) -> dict[str, Any]:
    """The record view of an entry without its receipt."""
    said = [field for field in ledger.fields(entry.id) if field.name == MESSAGES_FIELD] if personal else []
    decision = decision_of(entry, said)
    return {
        "entry": entry_json(entry),
        "shadow": shadow_json(entry),
        "decision": None if decision is None else decision_json(decision),
        "findings": findings_json(findings_of(entry)),
        "documents": documents_json(ledger, entry) if documents else None,
        "personal": personal_json(ledger, entry) if personal else None,
        "erased": dict(ledger.erasures(entry.id)),
    }
