"""What a request may cost before anything looks at it: body, address, headers, how many at once; and how answers travel.

Plain ASGI, outside everything else: a body over its limit, of bytes or of time, is never read to its end, and never kept.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from governance_adapters.web.problems import (
    BUSY,
    HEADERS_TOO_LARGE,
    MEDIA_TYPE,
    SLOW,
    TOO_LARGE,
    URL_TOO_LONG,
    Kind,
    body,
)

JSON_LIMIT: Final = 64 * 1024
URL_LIMIT: Final = 4096
HEADER_LIMIT: Final = 16 * 1024
MULTIPART_SLACK: Final = 64 * 1024
"""What the parts of a form need beside the file."""

SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
_NO_STORE: Final = (b"cache-control", b"no-store")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of an uploaded file and of a JSON body, requests at once, and seconds for a body to arrive in."""

    upload: int
    json: int = JSON_LIMIT
    concurrent: int = 64
    body_seconds: float = 120.0

    def body_of(self, content_type: str) -> int:
        """The most bytes that a body of this media type may have."""
        form = content_type.partition(";")[0].strip().lower() == "multipart/form-data"
        return self.upload + MULTIPART_SLACK if form else self.json


class Gate:
    """The outermost layer. Refuses what is too large or too much, and sets the headers of every answer."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3, HTTP."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        refused = self._refused(scope)
        if refused is not None:
            await _answer(send, *refused)
            return
        self._running += 1
        try:
            await self._counted(scope, receive, send)
        finally:
            self._running -= 1

    def _refused(self, scope: Scope) -> tuple[Kind, str] | None:
        """Why it is not even begun."""
        if self._running >= self._limits.concurrent:
            return BUSY, f"{self._limits.concurrent} requests are being answered. Try again in a moment."
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > URL_LIMIT:
            return URL_TOO_LONG, f"Addresses have at most {URL_LIMIT} bytes."
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_LIMIT:
            return HEADERS_TOO_LARGE, f"Headers have at most {HEADER_LIMIT} bytes in all."
        headers = Headers(raw=scope["headers"])
        limit = self._limits.body_of(headers.get("content-type", ""))
        declared = headers.get("content-length", "0")
        if declared.isascii() and declared.isdecimal() and int(declared) > limit:
            return TOO_LARGE, _too_large(limit)
        return None

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application on a body that ends where its limit is, or when its time is over."""
        limit = self._limits.body_of(Headers(raw=scope["headers"]).get("content-type", ""))
        taken = _Body(receive, limit, self._limits.body_seconds)
        started = False

        async def watching(message: Message) -> None:
            nonlocal started
            if taken.cut is not None and not started:
                return  # what the application says of the cut body is not the reason
            started = True
            await send(message)

        try:
            await self._app(scope, taken.receive, watching)
        except _CutError:
            pass
        except Exception:  # whatever the application makes of a cut body: the cut is the answer; else raised again
            if taken.cut is None:
                raise
        if taken.cut is not None and not started:
            await _answer(send, *taken.cut)


class _CutError(Exception):
    """The body went over a limit."""


class _Body:
    """A body that is read only as far as its limits: bytes, and seconds from when it is first asked for."""

    def __init__(self, receive: Receive, limit: int, seconds: float) -> None:
        self._receive, self._limit, self._seconds = receive, limit, seconds
        self._taken, self._whole = 0, False
        self._until: float | None = None
        self.cut: tuple[Kind, str] | None = None
        """Why it was not read to its end, if so."""

    async def receive(self) -> Message:
        """See ASGI 3. What comes after the body, a hang-up, may take any time.

        Raises:
            _CutError: see `cut`.
        """
        if self._whole:
            return await self._receive()
        self._until = self._until or asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as error:
            self.cut = SLOW, f"A body has {self._seconds:g} seconds to arrive. Send it faster, or a smaller one."
            raise _CutError from error
        if message["type"] == "http.request":
            self._taken += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._taken > self._limit:
                self.cut = TOO_LARGE, _too_large(self._limit)
                raise _CutError
        return message


def _too_large(limit: int) -> str:
    return f"This kind of body has at most {limit} bytes. Send less."


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), *SECURITY_HEADERS]
            if not any(name.lower() == b"cache-control" for name, _ in headers):
                headers.append(_NO_STORE)
            message = {**message, "headers": headers}
        await send(message)

    return sending


async def _answer(send: Send, kind: Kind, detail: str) -> None:
    """A problem, and the end of the connection: what the client still sends is not read."""
    content = json.dumps(body(kind, detail)).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
    ]
    if kind is BUSY:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": kind.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
    await asyncio.sleep(0)
