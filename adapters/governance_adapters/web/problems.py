"""Errors as the API says them: problem details (RFC 9457), one code for each kind, a remedy in each."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from governance.canonical import Json
from governance.errors import (
    CanonicalError,
    ConfigurationError,
    GovernanceError,
    HoldChangedError,
    LedgerError,
    MarkError,
    NoEntryError,
    NoHoldError,
    NotPermittedError,
    NoWorkError,
    ObligationError,
    PolicyError,
    QueryError,
    RecalledError,
    RequestError,
    ReviewError,
    SigningError,
    StorageError,
    WithheldError,
    WorkError,
    WorkExistsError,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:diffusion-governance:problem:"
CHALLENGE: Final = 'Bearer realm="governance"'


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its code, status and title."""

    code: str
    status: int
    title: str


UNAUTHENTICATED: Final = Kind("unauthenticated", 401, "A valid API key is needed")
SCOPE: Final = Kind("scope", 403, "The key's scopes do not cover this")
NOT_PERMITTED: Final = Kind("not-permitted", 403, "Policy does not let you do this")
NOT_FOUND: Final = Kind("not-found", 404, "There is no such thing")
METHOD: Final = Kind("method", 405, "This method is not supported here")
SLOW: Final = Kind("slow", 408, "The body did not arrive in time")
CONFLICT: Final = Kind("conflict", 409, "It stands otherwise than this request takes for granted")
RECALLED: Final = Kind("recalled", 410, "The file was recalled")
TOO_LARGE: Final = Kind("too-large", 413, "The request is too large")
URL_TOO_LONG: Final = Kind("url-too-long", 414, "The address is too long")
MEDIA: Final = Kind("media-type", 415, "The body has another media type than this takes")
INVALID: Final = Kind("invalid", 422, "The request cannot be read")
HEADERS_TOO_LARGE: Final = Kind("headers-too-large", 431, "The headers are too large")
BUSY: Final = Kind("busy", 503, "Too many requests at once")
UNAVAILABLE: Final = Kind("unavailable", 503, "A part that this needs does not work now")
MALFORMED: Final = Kind("malformed", 400, "The body cannot be read")
INTERNAL: Final = Kind("internal", 500, "This program failed")

_BY_STATUS: Final = {kind.status: kind for kind in (MALFORMED, NOT_FOUND, METHOD, TOO_LARGE, MEDIA, INVALID)}

# The first that an error is an instance of wins.
_BY_ERROR: Final[tuple[tuple[type[GovernanceError], Kind], ...]] = (
    (NotPermittedError, NOT_PERMITTED),
    (NoHoldError, NOT_FOUND),
    (HoldChangedError, CONFLICT),
    (ReviewError, CONFLICT),
    (NoEntryError, NOT_FOUND),
    (NoWorkError, NOT_FOUND),
    (WorkExistsError, CONFLICT),
    (WorkError, UNAVAILABLE),
    (WithheldError, CONFLICT),
    (RecalledError, RECALLED),
    (ObligationError, UNAVAILABLE),
    (PolicyError, UNAVAILABLE),
    (LedgerError, UNAVAILABLE),
    (StorageError, UNAVAILABLE),
    (SigningError, UNAVAILABLE),
    (ConfigurationError, UNAVAILABLE),
    (MarkError, INVALID),
    (RequestError, INVALID),
    (QueryError, INVALID),
    (CanonicalError, INVALID),
)
_INTERNAL_DETAIL: Final = "Something went wrong that this program did not expect. Its log says what."


class Problem(BaseModel):
    """Problem details (RFC 9457, section 3). Compare problems by `type`."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": f"{TYPE_PREFIX}{NOT_FOUND.code}",
                "title": NOT_FOUND.title,
                "status": NOT_FOUND.status,
                "detail": "There is no such hold. Check the id.",
                "reasons": [],
                "errors": [],
            }
        }
    )

    type: str = Field(description="A URN that names the kind of problem.", pattern=f"^{TYPE_PREFIX}[a-z-]+$")
    title: str = Field(description="The kind of problem in words; always the same for one type.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(description="What went wrong here, and what to do about it.")
    reasons: list[str] = Field(default=[], description="The reason codes of the policy, where policy denied this.")
    errors: list[str] = Field(default=[], description="Where the request cannot be read: the place, and why.")


class ApiError(Exception):
    """A request that ends with a problem of a kind, for what the core has no error for. `reasons` are policy's codes."""

    def __init__(self, kind: Kind, detail: str, reasons: tuple[str, ...] = ()) -> None:
        self.kind, self.detail, self.reasons = kind, detail, reasons
        super().__init__(detail)


def problem(
    kind: Kind,
    detail: str,
    *,
    reasons: Sequence[str] = (),
    errors: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The response."""
    extra = dict(headers or {})
    if kind is UNAUTHENTICATED:
        extra["WWW-Authenticate"] = CHALLENGE
    return JSONResponse(body(kind, detail, reasons=reasons, errors=errors), kind.status, extra, media_type=MEDIA_TYPE)


def body(kind: Kind, detail: str, *, reasons: Sequence[str] = (), errors: Sequence[str] = ()) -> dict[str, Json]:
    """The document. Text that is no valid Unicode came from the caller and is shown with its escapes."""
    return {
        "type": f"{TYPE_PREFIX}{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": _plain(detail),
        "reasons": list(reasons),
        "errors": [_plain(error) for error in errors],
    }


def kind_of(error: GovernanceError) -> Kind:
    """Which kind of problem an error of ours is to a client."""
    return next((kind for kinds, kind in _BY_ERROR if isinstance(error, kinds)), INTERNAL)


def speak_problems(app: FastAPI) -> None:
    """Let every error of `app` end as a problem."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(GovernanceError, _governance_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _internal_error)


def responses(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """The problems of these kinds, for the description of an operation."""
    said: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        before = said.get(kind.status)
        description = f"{before['description']}; or: {kind.title}" if before else f"{kind.title}"
        example = body(kind, f"{kind.title}.")
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
        said[kind.status] = {"description": description, "content": content}
        if kind is UNAUTHENTICATED:
            challenge = {"description": "How to authenticate.", "schema": {"type": "string"}}
            said[kind.status]["headers"] = {"WWW-Authenticate": challenge}
    return said


async def _api_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)  # starlette asks each handler for its own kind
    return problem(error.kind, error.detail, reasons=error.reasons)


async def _governance_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GovernanceError)
    kind = kind_of(error)
    if kind.status >= 500:
        # The message names paths of this machine: it stays in the log.
        logger.error("%s: %s", type(error).__name__, error)
        detail = _INTERNAL_DETAIL if kind is INTERNAL else f"{type(error).__name__}. {_REMEDIES.get(kind, '')}"
        return problem(kind, detail)
    decision = error.decision if isinstance(error, NotPermittedError) else None
    return problem(kind, str(error), reasons=[] if decision is None else [reason.code for reason in decision.reasons])


_REMEDIES: Final = {UNAVAILABLE: "Try again later; whoever runs this server finds the cause in its log."}


async def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    places = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
    return problem(INVALID, "Correct what `errors` names and send it again.", errors=places[:20])


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code)
    if kind is None:
        kind = Kind(f"http-{error.status_code}", error.status_code, str(error.detail))
    detail = f"{str(error.detail).rstrip('.')}. See /v1/openapi.json for what there is."
    return problem(kind, detail, headers=error.headers)


async def _internal_error(_request: Request, error: Exception) -> JSONResponse:
    # Whatever it was, nothing is released or decided by an answer of 500; the log has the traceback.
    logger.error("%s", type(error).__name__)
    return problem(INTERNAL, _INTERNAL_DETAIL)


def _plain(text: str) -> str:
    """`text` as valid Unicode."""
    return text.encode("utf-8", "backslashreplace").decode()
