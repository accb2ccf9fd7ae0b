"""Operations on holds: the queue, the draft, leases, comments and decisions. The review desk asks policy about each."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from governance.canonical import Json
from governance.entries import HoldState
from governance.review import Reviewed
from governance.review_facts import Act
from governance_adapters.marking.reports import media_type_of
from governance_adapters.web.models import (
    DEFAULT_PAGE,
    Comment,
    Cursor,
    EntryModel,
    Escalation,
    Given,
    HoldId,
    HoldModel,
    HoldPage,
    HoldRecordView,
    Limit,
    ReviewedModel,
    Verdict,
)
from governance_adapters.web.problems import CONFLICT, NOT_FOUND
from governance_adapters.web.routes import JSON, CallerOf, CursorsOf, PartsOf, json_response, operation, router
from governance_adapters.web.shown import decision_json, entry_json, findings_json, hold_json

routes = router("holds")

MAX_LEASE_SECONDS: Final = 3600
_LISTED = "holds"
_UNNAMED: Final = "application/octet-stream"
"""The media type of a draft that is neither PNG nor WAV, as that of a video."""
_DRAFT: dict[int | str, Any] = {
    200: {
        "description": "The held draft. It was not released: it may not be kept.",
        "content": {
            media: {"schema": {"type": "string", "format": "binary"}} for media in ("image/png", "audio/wav", _UNNAMED)
        },
    }
}


def _whole(value: object) -> object:
    """JSON has one kind of numbers: 900.0 is an integer there."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class LeaseWanted(Given):
    """How long a lease is to last."""

    seconds: Annotated[int, BeforeValidator(_whole)] = Field(900, ge=1, le=MAX_LEASE_SECONDS, description="From now.")


@routes.get(
    "/holds",
    operation_id="listHolds",
    summary="A page of holds, oldest first.",
    response_model=HoldPage,
    **operation(Act.HOLDS_READ, desk=True),
)
def list_holds(
    parts: PartsOf,
    caller: CallerOf,
    cursors: CursorsOf,
    queue: Annotated[
        str | None, Query(max_length=256, description="Only this queue; empty: nobody in particular.")
    ] = None,
    state: Annotated[HoldState, Query(description="Only holds that stand so.")] = HoldState.OPEN,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """A hold that changes its state while pages are read may be missed; none comes twice."""
    filters: dict[str, Json] = {"queue": queue, "state": state}
    after = "" if cursor is None else str(cursors.read(cursor, _LISTED, filters))
    found = parts.desk.holds(caller.principal, queue=queue, state=state, after=after, limit=limit + 1)
    page, more = found[:limit], len(found) > limit
    return json_response(
        {
            "items": [hold_json(record) for record in page],
            "next": cursors.make(page[-1].id, _LISTED, filters) if more else None,
        }
    )


@routes.get(
    "/holds/{hold_id}",
    operation_id="readHold",
    summary="One hold: what was decided and found, and what people did since.",
    response_model=HoldRecordView,
    **operation(Act.HOLDS_READ, NOT_FOUND, desk=True),
)
def read_hold(hold_id: HoldId, parts: PartsOf, caller: CallerOf) -> Response:
    """The prompt and the words of reasons are personal fields: the record view of the `held` entry has them."""
    view = parts.desk.show(caller.principal, hold_id)
    return json_response(
        {
            "hold": hold_json(view.record),
            "held": entry_json(view.held),
            "decision": decision_json(view.decision, words=False),
            "findings": findings_json(view.findings),
            "acts": [entry_json(entry) for entry in view.acts],
            "reviewers": dict(view.reviewers),
            "comments": dict(view.comments),
            "approvals": view.given,
            "needed": view.needed,
        }
    )


@routes.post(
    "/holds/{hold_id}/view",
    operation_id="viewHold",
    summary="The held draft as PNG.",
    response_class=Response,
    **operation(Act.HOLDS_VIEW, NOT_FOUND, CONFLICT, desk=True, shown=_DRAFT),
)
def view_hold(hold_id: HoldId, parts: PartsOf, caller: CallerOf) -> Response:
    """Decrypts it. Each view is an entry of the ledger, written before the first byte is sent."""
    draft = parts.desk.view(caller.principal, hold_id)
    return Response(draft, media_type=media_type_of(draft) or _UNNAMED)


@routes.post(
    "/holds/{hold_id}/lease",
    operation_id="leaseHold",
    summary="Take a hold, or keep it.",
    response_model=HoldModel,
    **operation(Act.HOLDS_LEASE, NOT_FOUND, CONFLICT, takes=JSON, desk=True),
)
def lease_hold(hold_id: HoldId, wanted: LeaseWanted, parts: PartsOf, caller: CallerOf) -> Response:
    """Whoever has the lease decides; nobody else meanwhile."""
    return json_response(hold_json(parts.desk.lease(caller.principal, hold_id, wanted.seconds)))


@routes.delete(
    "/holds/{hold_id}/lease",
    operation_id="giveBackHold",
    summary="Give a hold back.",
    response_model=HoldModel,
    **operation(Act.HOLDS_LEASE, NOT_FOUND, CONFLICT, desk=True),
)
def give_back_hold(hold_id: HoldId, parts: PartsOf, caller: CallerOf) -> Response:
    """Others may take it at once."""
    return json_response(hold_json(parts.desk.give_back(caller.principal, hold_id)))


@routes.post(
    "/holds/{hold_id}/comments",
    operation_id="commentOnHold",
    summary="Comment on a hold.",
    status_code=201,
    response_model=EntryModel,
    **operation(Act.HOLDS_COMMENT, NOT_FOUND, CONFLICT, takes=JSON, desk=True),
)
def comment_on_hold(hold_id: HoldId, comment: Comment, parts: PartsOf, caller: CallerOf) -> Response:
    """The text is kept aside and can be erased; the entry commits to it."""
    return json_response(entry_json(parts.desk.comment(caller.principal, hold_id, comment.text)), 201)


@routes.post(
    "/holds/{hold_id}/approve",
    operation_id="approveHold",
    summary="Approve what is held.",
    response_model=ReviewedModel,
    **operation(Act.HOLDS_DECIDE, NOT_FOUND, CONFLICT, takes=JSON, desk=True),
)
def approve_hold(hold_id: HoldId, verdict: Verdict, parts: PartsOf, caller: CallerOf) -> Response:
    """Needs a lease. Where this approval is enough, the draft is marked, signed and released before the answer comes."""
    return _reviewed(parts.desk.approve(caller.principal, hold_id, verdict.codes, verdict.comment))


@routes.post(
    "/holds/{hold_id}/reject",
    operation_id="rejectHold",
    summary="Reject what is held.",
    response_model=ReviewedModel,
    **operation(Act.HOLDS_DECIDE, NOT_FOUND, CONFLICT, takes=JSON, desk=True),
)
def reject_hold(hold_id: HoldId, verdict: Verdict, parts: PartsOf, caller: CallerOf) -> Response:
    """Needs a lease. The draft never decrypts again."""
    return _reviewed(parts.desk.reject(caller.principal, hold_id, verdict.codes, verdict.comment))


@routes.post(
    "/holds/{hold_id}/escalate",
    operation_id="escalateHold",
    summary="Hand a hold to another queue.",
    response_model=ReviewedModel,
    **operation(Act.HOLDS_DECIDE, NOT_FOUND, CONFLICT, takes=JSON, desk=True),
)
def escalate_hold(hold_id: HoldId, wanted: Escalation, parts: PartsOf, caller: CallerOf) -> Response:
    """Needs a lease, which ends. The queues stand in the policy bundle."""
    reviewed = parts.desk.escalate(caller.principal, hold_id, wanted.queue, wanted.codes, wanted.comment)
    return _reviewed(reviewed)


def _reviewed(reviewed: Reviewed) -> Response:
    asset = None if reviewed.item is None else reviewed.item.asset
    link: Json = None
    if asset is not None:
        link = {"id": asset.id, "digest": asset.digest, "media_type": asset.media_type}
    return json_response({"hold": hold_json(reviewed.record), "entry": entry_json(reviewed.entry), "released": link})
