"""Running the application: on a socket of ours, in a thread, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from governance.errors import ConfigurationError
from governance_adapters.web.limits import HEADER_LIMIT, URL_LIMIT

logger = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 60.0
IDLE_SECONDS: Final = 10
"""How long a connection may wait for its next request, or for the rest of its head."""

_STOP_SECONDS: Final = 10
_START_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files of the server's certificate chain and its private key."""

    certificate: Path
    private_key: Path


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that runs. `url` is where it listens."""

    url: str
    failed: Callable[[], bool]
    """Whether it ended by itself."""


def check_host(host: str, *, tls: bool, behind_tls: bool) -> None:
    """Refuse to send keys and held drafts over a network in the clear.

    Raises:
        ConfigurationError: `host` is no loopback address, and nothing encrypts.
    """
    if not (tls or behind_tls or is_loopback(host)):
        raise ConfigurationError(
            f"{host} can be reached from other machines, and nothing encrypts what goes there.",
            remedy="Give --tls-certificate and --tls-key, or --behind-tls where a proxy on a trusted network encrypts.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def running(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: Tls | None = None,
    idle_seconds: int = IDLE_SECONDS,
) -> Iterator[Listening]:
    """Serve `app` from a thread for the length of the block; port 0 is any free one.

    Requests that are being answered at its end get ten seconds. A connection without a request is closed after
    `idle_seconds`, at the latest after twice as many.

    Raises:
        ConfigurationError: it cannot listen there, or the certificate cannot be used.
    """
    bound = _bound(host, port)
    try:
        server = uvicorn.Server(_config(app, tls, idle_seconds))
        thread = threading.Thread(target=server.run, args=([bound],), name="review-api", daemon=True)
        thread.start()
        try:
            _wait(server, thread)
            scheme, number = "https" if tls else "http", bound.getsockname()[1]
            shown = f"[{host}]" if ":" in host else host
            yield Listening(f"{scheme}://{shown}:{number}", lambda: not thread.is_alive())
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS + 5)
    finally:
        bound.close()


@contextmanager
def settling(settle: Callable[[], object], seconds: float = SETTLE_SECONDS) -> Iterator[None]:
    """Call `settle` now, and then every so many seconds for the length of the block.

    Raises:
        GovernanceError: the first call failed. Later failures are logged, and tried again.
    """
    settle()
    ended = threading.Event()

    def again() -> None:
        while not ended.wait(seconds):
            try:
                settle()
            except Exception:  # nothing is released by a failure, and without this thread no hold would expire any more
                logger.exception("holds could not be settled; tried again in %g s", seconds)

    thread = threading.Thread(target=again, name="settling", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class _Impatient(H11Protocol):
    """Closes connections on which no request comes: uvicorn itself waits for the rest of a head without end."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._seen: RequestResponseCycle | None = None
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._next_look.cancel()
        super().connection_lost(exc)

    def _look_again(self) -> None:
        self._next_look = self.loop.call_later(self.timeout_keep_alive, self._look)

    def _look(self) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self.cycle is self._seen:
            self.transport.close()
            return
        self._seen = self.cycle
        self._look_again()


def _config(app: ASGIApp, tls: Tls | None, idle_seconds: int) -> uvicorn.Config:
    try:
        config = uvicorn.Config(
            app,
            http=_Impatient,
            lifespan="off",
            log_config=None,  # the application's own logging; no line a request, which would name who reads what
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            h11_max_incomplete_event_size=HEADER_LIMIT + URL_LIMIT,
            timeout_keep_alive=idle_seconds,
            timeout_graceful_shutdown=_STOP_SECONDS,
            ssl_certfile=None if tls is None else str(tls.certificate),
            ssl_keyfile=None if tls is None else str(tls.private_key),
        )
        config.load()
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigurationError(
            f"The certificate or its key cannot be used: {error}.", remedy="Give PEM files that belong together."
        ) from error
    return config


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP: asyncio turns Nagle's delay off only for sockets that say so, and each answer would wait 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}.",
            remedy="Choose another port, or end the program that has it.",
        ) from error
    return listening


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise ConfigurationError("The server did not start.", remedy="Its log says why.")
        time.sleep(_POLL_SECONDS)
