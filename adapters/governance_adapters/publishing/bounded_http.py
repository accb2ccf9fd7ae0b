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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from governance.errors import ConfigurationError

SECONDS: Final = 30.0
"""How long one question may take, everything together."""
_PORTS: Final = {"http": 80, "https": 443}
_PIECE: Final = 64 * 1024


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


def ask(
    address: Address,
    method: str,
    path: str,
    *,
    most: int,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> Answer:
    """One question to the server at `address`, whose path `path` takes the place of; at most `most` bytes come back.

    Raises:
        ExchangeError: it cannot be reached, takes longer, sends more or breaks off, or sends the client elsewhere.
    """
    with _translated(seconds), _connected(address, seconds) as connection:
        fixed = {"Host": address.authority, "Accept-Encoding": "identity", "Connection": "close"}
        connection.request(method, path, body, {**fixed, **(headers or {})})
        response = connection.getresponse()
        if 300 <= response.status < 400:
            where = response.getheader("Location", "")[:200]
            raise ExchangeError(f"answered {response.status} and names {where!r}: redirects are not followed")
        content = _whole(response, most)
        media_type = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
        return Answer(response.status, media_type, content)


@contextmanager
def _connected(address: Address, seconds: float) -> Iterator[http.client.HTTPConnection]:
    """A connection that is cut off when its time is over, whatever it is doing then."""
    until = time.monotonic() + seconds
    raw = socket.create_connection((address.host, address.port), seconds)
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
