"""Operations that search the ledger: by filters, by a picture, and what dashboards count by day."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal

from anyio import to_thread
from fastapi import Depends, File, Query, Request, UploadFile
from starlette.responses import Response

from governance import search as asked
from governance.canonical import Json
from governance.entries import EntryKind
from governance.review_facts import Act
from governance.types import Outcome, Stage
from governance_adapters.web.files import image_limiter, read_upload
from governance_adapters.web.models import (
    DEFAULT_PAGE,
    Cursor,
    EntryPage,
    Limit,
    MatchPage,
    RollupPage,
)
from governance_adapters.web.problems import INVALID, ApiError
from governance_adapters.web.routes import (
    FORM,
    CallerOf,
    CursorsOf,
    DoorOf,
    PartsOf,
    json_response,
    operation,
    router,
)
from governance_adapters.web.shown import entry_json

routes = router("search")

MAX_DAYS: Final = 400
"""The longest span of days whose counts are given at once."""
_LISTED: Final = "search"
_TIME: Final = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$"
_DAY: Final = r"^\d{4}-\d{2}-\d{2}$"

Time = Annotated[str | None, Query(pattern=_TIME, description="RFC 3339 in UTC.", examples=["2026-11-23T00:00:00Z"])]
Text = Annotated[str | None, Query(min_length=1, max_length=asked.MAX_TEXT)]


def filters(
    since: Time = None,
    until: Time = None,
    principal: Annotated[Text, Query(description="Who asked: needs `ledger.personal` too.")] = None,
    reviewer: Annotated[Text, Query(description="Who decided: needs `ledger.personal` too.")] = None,
    purpose: Annotated[Text, Query(description="The purpose of the request.")] = None,
    model: Annotated[Text, Query(description="Digest of the model or a component, or the pipeline's class.")] = None,
    adapter: Annotated[Text, Query(description="Name or digest of a LoRA.")] = None,
    bundle: Annotated[Text, Query(description="Revision of the policy bundle.")] = None,
    stage: Annotated[Stage | None, Query(description="Stage of the decision.")] = None,
    outcome: Annotated[Outcome | None, Query(description="Outcome of the decision.")] = None,
    kind: Annotated[EntryKind | None, Query(description="Kind of the entry.")] = None,
    reason: Annotated[Text, Query(description="A reason code.")] = None,
    score: Annotated[
        Text,
        Query(
            description="`detector/label:from..to`; several with commas, all must hold.",
            examples=["nsfw/nsfw:0.2..0.9"],
        ),
    ] = None,
    asset: Annotated[Text, Query(description="SHA-256 or id of a released file.")] = None,
    watermark: Annotated[int | None, Query(ge=0, le=asked.MAX_MARK_ID, description="Id of a watermark.")] = None,
    algorithm: Annotated[Text, Query(description="The watermark's algorithm.")] = None,
    subject: Annotated[Text, Query(description="The generation, or what else the entry is about.")] = None,
    work: Annotated[Text, Query(description="Id of a protected work that a finding is about.")] = None,
    words: Annotated[
        Text, Query(description="Words that all occur in the prompts: needs `ledger.personal` too.")
    ] = None,
    shadow: Annotated[
        Literal["any", "released", "denied", "held", "failed"] | None,
        Query(description="Made in shadow mode, and what enforcement would have made of it."),
    ] = None,
    recalled: Annotated[
        Text,
        Query(description="Recalls of this: id of a released entry or of an audit, key of a model, digest of a LoRA."),
    ] = None,
) -> asked.Query:
    """The query.

    Raises:
        QueryError: a filter is of no use.
    """
    ranges = tuple(map(asked.ScoreRange.parse, score.split(","))) if score else ()
    return asked.Query(
        since, until, principal, reviewer, purpose, model, adapter, bundle, stage, outcome, kind, reason, ranges, asset,
        watermark, algorithm, subject, work, words, shadow, recalled,
    )  # fmt: skip


@routes.get(
    "/search",
    operation_id="searchEntries",
    summary="A page of the entries for which every filter holds, oldest first.",
    response_model=EntryPage,
    **operation(Act.LEDGER_READ),
)
def search_entries(
    query: Annotated[asked.Query, Depends(filters)],
    parts: PartsOf,
    cursors: CursorsOf,
    caller: CallerOf,
    door: DoorOf,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
) -> Response:
    """A page may hold fewer than `limit`, or none, and still have `next`: looking has a limit too."""
    if query.personal:
        door.check(caller, Act.LEDGER_PERSONAL)
    after = -1 if cursor is None else int(cursors.read(cursor, _LISTED, query.as_json()))
    page = parts.ledger.search(query, after=after, limit=limit)
    items: list[Json] = [{**entry_json(entry), "index": index} for index, entry in page.items]
    beyond = None if page.next is None else cursors.make(page.next, _LISTED, query.as_json())
    return json_response({"items": items, "next": beyond})


@routes.post(
    "/search/picture",
    operation_id="findPicture",
    summary="Have we made this? The released files that a picture is, carries the mark of, or looks like.",
    response_model=MatchPage,
    **operation(Act.LEDGER_READ, takes=FORM),
)
async def find_picture(
    request: Request, parts: PartsOf, file: Annotated[UploadFile, File(description="PNG, JPEG, WebP, MP4 or WAV.")]
) -> Response:
    """No match means nothing alike among what is kept, and says nothing about where it was made. Nothing of it is kept."""

    def looked_at() -> list[Json]:
        return [match.as_json() for match in parts.finder.find(read_upload(file, parts.limits.upload))]

    return json_response({"items": await to_thread.run_sync(looked_at, limiter=image_limiter(request))})


@routes.get(
    "/rollups",
    operation_id="readRollups",
    summary="How many entries of each day have which kind, outcome, reason, model, bundle and risk.",
    response_model=RollupPage,
    **operation(Act.LEDGER_READ),
)
def read_rollups(
    parts: PartsOf,
    since: Annotated[str, Query(pattern=_DAY, description="The first day (UTC).", examples=["2026-11-01"])],
    until: Annotated[str, Query(pattern=_DAY, description="The day (UTC) to end before.", examples=["2026-12-01"])],
) -> Response:
    """For dashboards: nothing in it is personal."""
    asked.check_days(since, until)
    if (date.fromisoformat(until) - date.fromisoformat(since)).days > MAX_DAYS:
        raise ApiError(INVALID, f"These are more than {MAX_DAYS} days. Ask for fewer at once.")
    found: list[Any] = [
        {"day": each.day, "name": each.name, "value": each.value, "entries": each.entries}
        for each in parts.ledger.rollups(since, until)
    ]
    return json_response({"items": found})
