"""Operations on the register of protected works."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from anyio import to_thread
from fastapi import File, Form, Request, UploadFile
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from governance.canonical import Json
from governance.errors import WorkError
from governance.review_facts import Act
from governance.types import Principal
from governance.works import MAX_IMAGES, MAX_LICENCE, MAX_NAME, NewWork, Work, WorkAction
from governance_adapters.web.files import image_limiter, read_upload
from governance_adapters.web.models import DEFAULT_PAGE, Cursor, Limit, WorkId, WorkModel, WorkPage
from governance_adapters.web.parts import ApiParts
from governance_adapters.web.problems import CONFLICT, INVALID, NOT_FOUND, ApiError
from governance_adapters.web.routes import FORM, CallerOf, CursorsOf, PartsOf, json_response, operation, router
from governance_adapters.web.shown import work_json

routes = router("works")
_LISTED = "works"
_IMAGE: dict[int | str, Any] = {
    200: {
        "description": "A small picture of the image.",
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in ("image/jpeg", "image/png")},
    }
}


@routes.get(
    "/works",
    operation_id="listWorks",
    summary="A page of works, oldest first.",
    response_model=WorkPage,
    **operation(Act.WORKS_READ),
)
def list_works(parts: PartsOf, cursors: CursorsOf, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """Titles and owners are text that somebody wrote: escape them where they are shown."""
    filters: dict[str, Json] = {}
    after = "" if cursor is None else str(cursors.read(cursor, _LISTED, filters))
    found = parts.works.list(after=after, limit=limit + 1)
    page, more = found[:limit], len(found) > limit
    return json_response(
        {
            "items": [work_json(work) for work in page],
            "next": cursors.make(page[-1].id, _LISTED, filters) if more else None,
        }
    )


@routes.get(
    "/works/{work_id}",
    operation_id="readWork",
    summary="One work.",
    response_model=WorkModel,
    **operation(Act.WORKS_READ, NOT_FOUND),
)
def read_work(work_id: WorkId, parts: PartsOf) -> Response:
    """Its images are asked for by their place in `images`."""
    return json_response(work_json(parts.works.show(work_id)))


@routes.get(
    "/works/{work_id}/images/{number}",
    operation_id="readWorkImage",
    summary="A preview of an image of a work.",
    response_class=Response,
    **operation(Act.WORKS_READ, NOT_FOUND, shown=_IMAGE),
)
def read_work_image(
    work_id: WorkId,
    number: Annotated[int, PathParameter(ge=0, lt=MAX_IMAGES, description="Its place in `images`, from 0.")],
    parts: PartsOf,
) -> Response:
    """At most 512 pixels on the longest side."""
    images = parts.works.show(work_id).images
    if number >= len(images):
        raise ApiError(NOT_FOUND, f"This work has {len(images)} images. Count from 0.")
    preview = parts.works.preview(images[number])
    return Response(preview.content, media_type=preview.media_type)


@routes.post(
    "/works",
    operation_id="addWork",
    summary="Add a work with its images.",
    status_code=201,
    response_model=WorkModel,
    **operation(Act.WORKS_WRITE, CONFLICT, takes=FORM),
)
async def add_work(
    request: Request,
    parts: PartsOf,
    caller: CallerOf,
    title: Annotated[str, Form(min_length=1, max_length=MAX_NAME)],
    owner: Annotated[str, Form(min_length=1, max_length=MAX_NAME)],
    licence: Annotated[str, Form(min_length=1, max_length=MAX_LICENCE)],
    action: Annotated[WorkAction, Form(description="What is to happen to a picture that resembles it.")],
    images: Annotated[list[UploadFile], File(min_length=1, max_length=MAX_IMAGES, description="Its image files.")],
) -> Response:
    """Protects from before the answer comes. All files together are one upload, and its limit is theirs."""

    def contents() -> Iterator[tuple[str, bytes]]:
        left = parts.limits.upload
        for number, image in enumerate(images):
            content = read_upload(image, left)
            left -= len(content)
            yield f"Image {number}", content

    def made() -> NewWork:
        try:
            return parts.maker.make(contents(), title=title, owner=owner, licence=licence, action=action)
        except WorkError as error:
            raise ApiError(INVALID, str(error)) from error

    new = await to_thread.run_sync(made, limiter=image_limiter(request))
    return await run_in_threadpool(_added, parts, new, caller.principal)


@routes.delete(
    "/works/{work_id}",
    operation_id="removeWork",
    summary="Take a work out of the register.",
    response_model=WorkModel,
    **operation(Act.WORKS_WRITE, NOT_FOUND, CONFLICT),
)
def remove_work(work_id: WorkId, parts: PartsOf, caller: CallerOf) -> Response:
    """From now on nothing is compared with it. Its entries stay."""
    return json_response(work_json(parts.works.remove(work_id, caller.principal)))


def _added(parts: ApiParts, new: NewWork, by: Principal) -> Response:
    work: Work = parts.works.add(new, by)
    return json_response(work_json(work), 201)
