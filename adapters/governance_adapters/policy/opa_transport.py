"""HTTP that ends: a client of `opa-python-client` whose every request has one deadline and a bounded answer.

The client's own timeout is one of each read: a server that sends a byte now and then would keep it for ever. Here the
deadline is set anew before each connect, write and read. Beside that nothing of the surroundings takes part: no proxy, no
`.netrc`, no CA bundle from the environment; no redirect is followed, and nothing is tried twice.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from contextlib import closing
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import requests
from opa_client.opa import OpaClient
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import create_connection

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
_PIECE: Final = 16 * 1024
_OK: Final = 200
_PARAMETERS: Final = {"strict-builtin-errors": "true", "provenance": "true"}
_deadline: ContextVar[float] = ContextVar("deadline")
"""`time.monotonic()` after which the request of this thread has failed."""


class AnswerError(Exception):
    """The server answered, but not with a decision; the message continues "The policy server ..."."""


class BoundedClient(OpaClient):  # type: ignore[misc]  # the vendor's class has no types
    """One connection to one server, kept alive between requests. For one thread at a time."""

    def ask(self, package: str, rule: str, content: Any, timeout: float) -> Any:
        """What `rule` of `package` says to the policy input `content`: the whole body, parsed.

        `timeout` in seconds is for everything together.

        Raises:
            AnswerError: the status, type or size is not that of an answer.
            Exception: whatever the vendors raise.
        """
        token = _deadline.set(time.monotonic() + timeout)
        self.timeout = timeout
        try:
            return self.query_rule(content, package, rule, query_params=_PARAMETERS)
        finally:
            _deadline.reset(token)

    def _init_session(self) -> requests.Session:
        session: requests.Session = super()._init_session()
        session.trust_env = False
        session.max_redirects = 0
        session.headers["Accept-Encoding"] = "identity"
        session.mount("http://", _BoundedAdapter(pool_maxsize=1))
        session.mount("https://", _BoundedAdapter(pool_maxsize=1))
        return session


class _BoundedAdapter(HTTPAdapter):
    """Reads the whole answer at once, up to a size, and lets through only what an OPA server answers with."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        options["stream"] = True
        response = super().send(request, *arguments, **options)
        # Closing does not end a connection that was read to its end: that one is back in its pool.
        with closing(response.raw):
            content = _whole(response.raw)
        if response.status_code != _OK:
            raise AnswerError(f"answered {response.status_code}{_place(content)}")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json" or not _is_text(content):
            raise AnswerError("answered with something other than JSON")
        response.raw, response.encoding = io.BytesIO(content), "utf-8"
        return response


class _DeadlinedResponse(http.client.HTTPResponse):
    """Reads status, headers and body with what is left of the deadline."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp: io.BufferedReader = io.BufferedReader(_DeadlinedStream(sock, self.fp.detach()))


class _DeadlinedStream(io.RawIOBase):
    """A socket's own stream, with the timeout set before each read."""

    def __init__(self, sock: socket.socket, stream: io.RawIOBase) -> None:
        self._socket, self._stream = sock, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._socket.settimeout(_left())
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Connection(HTTPConnection):
    """Connects, sends and reads with what is left of the deadline."""

    response_class = _DeadlinedResponse

    def _new_conn(self) -> socket.socket:
        """Connect to the first address that answers; all of them share the deadline."""
        refused: OSError | None = None
        for *_, address in socket.getaddrinfo(self._dns_host.strip("[]"), self.port, type=socket.SOCK_STREAM):
            made: socket.socket | None = None
            try:
                made = create_connection(
                    (str(address[0]), int(address[1])), _left(), socket_options=self.socket_options
                )
                made.settimeout(_left())
            except OSError as error:
                refused = error
                if made is not None:
                    made.close()
            else:
                return made
        raise refused or OSError("the name has no address")

    def send(self, data: Any) -> None:
        """Send bytes piece by piece: over TLS the system's timeout is one of each piece."""
        for start in range(0, len(data), _PIECE):
            if self.sock is not None:
                self.sock.settimeout(_left())
            super().send(data[start : start + _PIECE])


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _left() -> float:
    """Seconds until the deadline, more than 0."""
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def _whole(raw: BaseHTTPResponse) -> bytes:
    content = raw.read(MAX_ANSWER_BYTES + 1)
    if len(content) > MAX_ANSWER_BYTES:
        raise AnswerError(f"answered with more than {MAX_ANSWER_BYTES} bytes")
    if raw.length_remaining:
        raise AnswerError("broke its answer off")
    return content


def _is_text(content: bytes) -> bool:
    """Whether it is UTF-8. Otherwise the vendor would guess an encoding, for as long as that takes."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _place(content: bytes) -> str:
    """Where in the policy OPA's error happened. Its message is left out: it may hold a prompt."""
    try:
        body = json.loads(content)
        where = body["errors"][0]["location"]
        return f" ({str(body['code'])[:64]} at {str(where['file'])[:200]} line {int(where['row'])})"
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return ""
