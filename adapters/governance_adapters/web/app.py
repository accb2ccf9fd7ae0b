"""The application: operations, problems, limits and its description, on the parts of one installation."""

from __future__ import annotations

from typing import Any, Final

from anyio import CapacityLimiter
from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response
from starlette.types import ASGIApp

from governance_adapters.web import assets, files, holds, ledger, search, tiles, works
from governance_adapters.web.access import Door
from governance_adapters.web.cursors import Cursors
from governance_adapters.web.limits import Gate
from governance_adapters.web.models import Health
from governance_adapters.web.parts import ApiParts
from governance_adapters.web.problems import Problem, speak_problems
from governance_adapters.web.routes import PartsOf, json_response, operation, router

TITLE: Final = "Diffusion governance: review API"
OPENAPI_PATH: Final = "/v1/openapi.json"
_DESCRIPTION: Final = """\
The ledger, what is held until people decide, the register of protected works, and the verification of files.

Each request needs an API key with the scope of its operation (`x-act`), and the review policy must let one of the key's
roles do it; the checkpoint and the tiles of the log, at the root, are for everybody. Errors are problem details (RFC 9457): compare them by `type`. Text of people and models comes back as it was
given, in JSON: escape it where it is shown.
"""
_TAGS: Final = [
    {"name": "ledger", "description": "What was recorded, and its proofs."},
    {"name": "search", "description": "Entries by filters, pictures by likeness, counts by day."},
    {"name": "assets", "description": "Released files and their records."},
    {"name": "holds", "description": "What people decide about."},
    {"name": "works", "description": "The register of protected works."},
    {"name": "files", "description": "Verification."},
    {"name": "log", "description": "The log as standard monitors read it (C2SP tlog-tiles)."},
    {"name": "server", "description": "The server itself; needs no key."},
]
_SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "dgk_<id>_<secret>",
    "description": "An API key, as `governance api-keys create` shows it once.",
}

_server = router("server")


@_server.get(
    "/health",
    operation_id="readHealth",
    summary="Whether the server can read its ledger.",
    response_model=Health,
    **operation(None),
)
def read_health(parts: PartsOf) -> Response:
    """For load balancers."""
    parts.ledger.checkpoint()
    return json_response({"status": "ok", "version": parts.version})


@_server.get("/openapi.json", include_in_schema=False)
def read_openapi(request: Request) -> Response:
    """This description."""
    app: FastAPI = request.app
    return json_response(app.openapi())


def make_app(parts: ApiParts) -> ASGIApp:
    """The application, its limits outermost.

    Raises:
        StorageError: the API keys cannot be read.
    """
    return Gate(make_api(parts), parts.limits)


def make_api(parts: ApiParts) -> FastAPI:
    """The application without its limits: for a look at its routes.

    Raises:
        StorageError: the API keys cannot be read.
    """
    api = FastAPI(
        title=TITLE,
        version=parts.version,
        description=_DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    api.state.parts = parts
    api.state.door = Door(parts.keys, parts.policy)
    api.state.cursors = Cursors(parts.keys.cursor_key())
    api.state.images = CapacityLimiter(files.AT_ONCE)
    for part in (
        ledger.routes,
        search.routes,
        assets.routes,
        holds.routes,
        works.routes,
        files.routes,
        tiles.routes,
        _server,
    ):
        api.router.routes.extend(part.routes)
    speak_problems(api)
    described = _described(api)
    api.openapi = lambda: described  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    return api


def _described(api: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=api.title, version=api.version, description=api.description, routes=api.routes, tags=_TAGS
    )
    parts = document.setdefault("components", {})
    parts["securitySchemes"] = {"apiKey": _SCHEME}
    parts["schemas"]["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    for unused in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(unused, None)
    return document
