"""How operations are declared: what an operation is for, whom it lets in, what it takes, and how it can fail.

The door stands before the body: nothing of a request is read before its key was looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from governance.canonical import Json
from governance.review_facts import Act
from governance_adapters.web.access import Caller, Door
from governance_adapters.web.cursors import Cursors
from governance_adapters.web.parts import ApiParts
from governance_adapters.web.problems import (
    BUSY,
    HEADERS_TOO_LARGE,
    INVALID,
    MALFORMED,
    MEDIA,
    NOT_PERMITTED,
    SCOPE,
    SLOW,
    TOO_LARGE,
    UNAUTHENTICATED,
    UNAVAILABLE,
    URL_TOO_LONG,
    ApiError,
    Kind,
    responses,
)

JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
ACT: Final = "x-act"
_TAKES: Final = "x-takes"
_DESK: Final = "x-desk"


class GuardedRoute(APIRoute):
    """A route that asks the door first, and takes one media type."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute.get_route_handler`."""
        handle = super().get_route_handler()
        said = self.openapi_extra or {}
        act = Act(said[ACT]) if ACT in said else None
        takes = said.get(_TAKES, "")
        known = _parameters(self.dependant)
        # Where the desk asks about the hold itself, only the scope is left to look at.
        desk = bool(said.get(_DESK))

        async def guarded(request: Request) -> Response:
            if act is not None:
                door: Door = request.app.state.door
                # One row of the key file, which waits for no writer, and what is remembered: no change of threads is
                # worth that. Only a question to policy is.
                caller = door.caller(request.headers.getlist("authorization"))
                door.check_scope(caller, act)
                if not desk and not door.remembers(caller, act):
                    await run_in_threadpool(door.check, caller, act)
                request.state.caller = caller
            _check_parameters(request, known)
            if takes:
                _check_media_type(request, takes)
            return await handle(request)

        return guarded


def operation(
    act: Act | None, *kinds: Kind, takes: str = "", desk: bool = False, shown: dict[int | str, Any] | None = None
) -> dict[str, Any]:
    """The keyword arguments of a route: needs `act`, may fail as `kinds` say and as every operation may.

    `takes` is the media type of the body; `desk`: policy is asked by the review desk. `shown` describes answers that
    are not problems.
    """
    common = [INVALID, URL_TOO_LONG, HEADERS_TOO_LARGE, UNAVAILABLE, BUSY]
    if act is not None:
        common = [UNAUTHENTICATED, SCOPE, NOT_PERMITTED, *common]
    if takes:
        common = [MALFORMED, SLOW, TOO_LARGE, MEDIA, *common]
    extra: dict[str, Any] = {} if act is None else {ACT: act.value, "security": [{"apiKey": []}]}
    extra |= {_TAKES: takes} if takes else {}
    extra |= {_DESK: True} if desk else {}
    return {"responses": {**(shown or {}), **responses(*kinds, *common)}, "openapi_extra": extra}


def router(tag: str, *, prefix: str = "/v1") -> APIRouter:
    """A router of guarded routes under one heading, below one prefix."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=GuardedRoute)


def json_response(value: Json, status: int = 200) -> Response:
    """A JSON answer, without the detour of a model."""
    return JSONResponse(value, status)


# These only look something up: as coroutines they cost no change of threads.
async def caller_of(request: Request) -> Caller:
    """Who was let in."""
    caller: Caller = request.state.caller
    return caller


async def parts_of(request: Request) -> ApiParts:
    """What the application stands on."""
    parts: ApiParts = request.app.state.parts
    return parts


async def cursors_of(request: Request) -> Cursors:
    """What makes and reads cursors."""
    cursors: Cursors = request.app.state.cursors
    return cursors


async def door_of(request: Request) -> Door:
    """The door, for a second act in one request."""
    door: Door = request.app.state.door
    return door


CallerOf = Annotated[Caller, Depends(caller_of)]
PartsOf = Annotated[ApiParts, Depends(parts_of)]
CursorsOf = Annotated[Cursors, Depends(cursors_of)]
DoorOf = Annotated[Door, Depends(door_of)]


def _parameters(dependant: Dependant) -> set[str]:
    """The names of the parameters in the address that an operation takes, itself or by what it depends on."""
    own = {parameter.alias for parameter in dependant.query_params}
    return own.union(*map(_parameters, dependant.dependencies))


def _check_parameters(request: Request, known: set[str]) -> None:
    """A filter that is misspelt, or given twice, would quietly answer another question."""
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise ApiError(INVALID, f"This takes {', '.join(sorted(known)) or 'no parameters'}, not {unknown[0][:64]!r}.")
    if len(request.query_params.multi_items()) != len(request.query_params):
        raise ApiError(INVALID, "A parameter is given twice. Give each once.")


def _check_media_type(request: Request, takes: str) -> None:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != takes:
        raise ApiError(MEDIA, f"Send {takes}, not {sent or 'nothing'}.")
