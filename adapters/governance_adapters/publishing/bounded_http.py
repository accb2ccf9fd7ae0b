"""HTTP that ends, with the standard library: one deadline for everything, a bounded answer, and no way elsewhere.

No redirect is followed, nothing is tried twice, and nothing of the surroundings takes part: no proxy, no `.netrc`.
Certificates are checked against the system's roots, which `SSL_CERT_FILE` replaces, as for OpenSSL.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from governance.errors import ConfigurationError

SECONDS: Final = 30.0
"""How long one question may take, everything together."""
_PORTS: Final = {"http": 80, "https": 443}
_PIECE: Final = 64 * 1024

Endpoint = tuple[socket.AddressFamily, tuple[Any, ...]]
"""The kind of an address of a host, and the address, as `socket.connect` takes it."""
Resolver = Callable[[str, int], Sequence[Endpoint]]
"""Says at which addresses a host is, the likeliest first, or raises OSError."""


class ExchangeError(Exception):
    """The server did not answer as it should; the message continues the server's address."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is: an absolute http or https URL, taken apart. `path` begins with a slash."""

    url: str
    tls: bool
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """Take a URL apart.

        Raises:
            ConfigurationError: it is none that can be asked: another scheme, no host, credentials, a fragment.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
            host = parts.hostname or ""
        except ValueError as error:
            raise _unusable(url, str(error)) from error
        if parts.scheme not in _PORTS or not host or not host.isascii():
            raise _unusable(url, "it is no absolute http or https URL of a host in ASCII")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise _unusable(url, "it holds credentials or a fragment")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not (path.isascii() and path.isprintable() and " " not in path):
            raise _unusable(url, "its path is not percent-encoded")
        return cls(url, parts.scheme == "https", host, port, path)

    @property
    def authority(self) -> str:
        """Host and port as a request names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"

    @property
    def private(self) -> bool:
        """Whether nobody on a network reads what is sent there: it is encrypted, or stays on this machine."""
        if self.tls or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, media type without its parameters, and the whole body."""

    status: int
    media_type: str
    content: bytes


def resolved(host: str, port: int) -> Sequence[Endpoint]:
    """The addresses of a host as this machine finds them: a `Resolver`. Nothing bounds the time that it takes."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("no host has such a name") from error
    return [(family, endpoint) for family, _, _, _, endpoint in found]


def ask(
    address: Address,
    method: str,
    path: str,
    *,
    most: int,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
    resolve: Resolver = resolved,
) -> Answer:
    """One question to the server at `address`, whose path `path` takes the place of; at most `most` bytes come back.

    `seconds` bound all of it: finding the host, trying its addresses, TLS, question and answer.

    Raises:
        ExchangeError: it cannot be reached, takes longer, sends more or breaks off, or sends the client elsewhere.
    """
    with _translated(seconds), _connected(address, seconds, resolve) as connection:
        fixed = {"Host": address.authority, "Accept-Encoding": "identity", "Connection": "close"}
        connection.request(method, path, body, {**fixed, **(headers or {})})
        with connection.getresponse() as response:
            if 300 <= response.status < 400:
                where = response.getheader("Location", "")[:200]
                raise ExchangeError(f"answered {response.status} and names {where!r}: redirects are not followed")
            content = _whole(response, most)
            media_type = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
            return Answer(response.status, media_type, content)


@contextmanager
def _connected(address: Address, seconds: float, resolve: Resolver) -> Iterator[http.client.HTTPConnection]:
    """A connection that is cut off when its time is over, whatever it is doing then."""
    until = time.monotonic() + seconds
    raw = _reached(_endpoints(address, resolve, until), until)
    expired = threading.Event()

    def cut() -> None:
        expired.set()
        with suppress(OSError):
            # The socket's own, also under TLS, whose orderly end would wait for the other side.
            raw.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(until - time.monotonic(), 0), cut)
    timer.daemon = True
    timer.start()
    used = raw
    try:
        if address.tls:
            # Wrapping takes the descriptor over; a duplicate of it stays in the timer's hands.
            raw = used.dup()
            used = ssl.create_default_context().wrap_socket(used, server_hostname=address.host)
        connection = http.client.HTTPConnection(address.host, address.port)
        connection.sock = used
        yield connection
    except (OSError, http.client.HTTPException, ExchangeError) as error:
        if expired.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        used.close()
        raw.close()
    if expired.is_set():
        raise TimeoutError


def _endpoints(address: Address, resolve: Resolver, until: float) -> Sequence[Endpoint]:
    """Where the host is, if `resolve` says so in time. It cannot be interrupted, so it is left behind where it does not."""
    found: Future[Sequence[Endpoint]] = Future()

    def look_up() -> None:
        try:
            found.set_result(resolve(address.host, address.port))
        except Exception as error:  # noqa: BLE001 - whatever it is, the one who waits gets it
            found.set_exception(error)

    threading.Thread(target=look_up, daemon=True, name="host of a server").start()
    return found.result(_left(until))


def _reached(endpoints: Sequence[Endpoint], until: float) -> socket.socket:
    """A connection to the first endpoint that takes one: each gets its share of the time that is left, no more."""
    failed: OSError = OSError("the host has no address")
    for number, (family, endpoint) in enumerate(endpoints):
        try:
            return _connection(family, endpoint, _left(until) / (len(endpoints) - number), until)
        except OSError as error:
            failed = error
    raise failed


def _connection(family: socket.AddressFamily, endpoint: tuple[Any, ...], seconds: float, until: float) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect(endpoint)
        connection.settimeout(_left(until))
    except BaseException:  # Ctrl-C too: nobody else would close it; raised again
        connection.close()
        raise
    return connection


def _left(until: float) -> float:
    """Seconds until then.

    Raises:
        TimeoutError: there are none.
    """
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


@contextmanager
def _translated(seconds: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise ExchangeError(f"did not answer within {seconds:g} seconds") from error
    except ssl.SSLError as error:
        raise ExchangeError(f"cannot be trusted: {error.reason or error}") from error
    except OSError as error:
        raise ExchangeError(f"cannot be reached: {error.strerror or error}") from error
    except http.client.IncompleteRead as error:
        raise ExchangeError("broke its answer off") from error
    except (http.client.HTTPException, ValueError) as error:
        raise ExchangeError(f"answered with something that is no HTTP ({type(error).__name__})") from error


def _whole(response: http.client.HTTPResponse, most: int) -> bytes:
    content = bytearray()
    while piece := response.read1(_PIECE):
        content += piece
        if len(content) > most:
            raise ExchangeError(f"answered with more than {most} bytes")
    if response.length:
        raise ExchangeError("broke its answer off")
    return bytes(content)


def _unusable(url: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The address {url[:200]!r} cannot be used: {why}.", remedy="Give a URL such as https://log.example.org/prefix."
    )
