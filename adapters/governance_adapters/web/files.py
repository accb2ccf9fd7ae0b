"""Verification of an uploaded file."""

from __future__ import annotations

from typing import Annotated, Final

from anyio import CapacityLimiter, to_thread
from fastapi import File, Query, Request, UploadFile
from starlette.responses import Response

from governance.canonical import Json
from governance.profiles import judge_profile
from governance.review_facts import Act
from governance_adapters.web.models import Profile, VerificationModel
from governance_adapters.web.problems import TOO_LARGE, ApiError
from governance_adapters.web.routes import FORM, PartsOf, json_response, operation, router

routes = router("files")

AT_ONCE: Final = 2
"""Files that are looked at side by side: decoding one may take hundreds of megabytes."""


def read_upload(file: UploadFile, limit: int) -> bytes:
    """The bytes of an uploaded file. For worker threads: it waits for the disk, and few files are to be in memory at once.

    Raises:
        ApiError: 413: it is larger than `limit`.
    """
    content = file.file.read(limit + 1)
    if len(content) > limit:
        raise ApiError(TOO_LARGE, f"A file has at most {limit} bytes here. Send a smaller one.")
    return content


def image_limiter(request: Request) -> CapacityLimiter:
    """How many images are decoded at once, over all operations."""
    limiter: CapacityLimiter = request.app.state.images
    return limiter


@routes.post(
    "/verify",
    operation_id="verifyFile",
    summary="Verify a file: manifest, metadata, watermark, attribution, entry, inclusion proof, recall.",
    response_model=VerificationModel,
    **operation(Act.FILES_VERIFY, takes=FORM),
)
async def verify_file(
    request: Request,
    parts: PartsOf,
    file: Annotated[UploadFile, File(description="The file.")],
    profile: Annotated[Profile | None, Query(description="Also list the fields of this rule.")] = None,
) -> Response:
    """A file of which we know nothing is no error. Nothing of the upload is kept."""

    def looked_at() -> dict[str, Json]:
        content = read_upload(file, parts.limits.upload)
        verification = parts.verifier.verify(content)
        judged = None if profile is None else judge_profile(profile, verification, content).as_json()
        return {**verification.as_json(), "profile": judged}

    return json_response(await to_thread.run_sync(looked_at, limiter=image_limiter(request)))
