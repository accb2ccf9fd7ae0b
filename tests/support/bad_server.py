"""A policy server that misbehaves: it reads a request and then does what it was told, byte by byte."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Behaviour = Callable[[socket.socket, threading.Event], None]
"""Answers one request; the event is set when the server is to end."""


@dataclass
class BadServer:
    """What it was asked, request by request, and where."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    closed: threading.Event = field(default_factory=threading.Event)
    """Set when a client has closed a connection."""


@contextmanager
def bad_server(behaviour: Behaviour, *, keeps: bool = False) -> Iterator[BadServer]:
    """A server on a free loopback port that treats every request to `behaviour`; `keeps` lets more than one come
    over a connection.
    """
    ended = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        server = BadServer(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def serve(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                connection.settimeout(20)
                server.connections += 1
                more = True
                while more:
                    request = _request(connection)
                    if not request:
                        server.closed.set()
                        return
                    server.requests.append(request)
                    behaviour(connection, ended)
                    more = keeps

        def accept() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = listener.accept()
                    threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
                    threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield server
        finally:
            ended.set()
            accepting.join()
            for thread in threads:
                thread.join()


def answer(
    body: bytes, *, status: str = "200 OK", kind: str = "application/json", headers: str = "", length: int | None = None
) -> bytes:
    """An HTTP answer; `length` is what it claims, where that is not the truth."""
    said = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {said}\r\n{headers}\r\n".encode() + body


def allowing(revision: str) -> bytes:
    """The body in which a server of that bundle allows."""
    decision: dict[str, Any] = {"outcome": "allow", "reasons": [], "obligations": {"watermark": True}}
    return json.dumps({"provenance": {"bundles": {"policies": {"revision": revision}}}, "result": decision}).encode()


def says(content: bytes) -> Behaviour:
    """Send these bytes and close."""
    return lambda connection, _: connection.sendall(content)


def silent(connection: socket.socket, ended: threading.Event) -> None:
    """Say nothing, and keep the connection."""
    ended.wait()


def dripping(content: bytes, seconds: float) -> Behaviour:
    """Send a byte every `seconds`."""

    def drip(connection: socket.socket, ended: threading.Event) -> None:
        for byte in content:
            connection.sendall(bytes([byte]))
            if ended.wait(seconds):
                return

    return drip


def resetting(connection: socket.socket, ended: threading.Event) -> None:
    """Reset the connection (RST) instead of answering."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def endless(connection: socket.socket, ended: threading.Event) -> None:
    """Answer with a body that never ends."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b" " * 65_536
    while not ended.is_set():
        connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))


def _request(connection: socket.socket) -> bytes:
    """One whole HTTP request with a Content-Length; nothing where the client has closed the connection."""
    content = b""
    while b"\r\n\r\n" not in content:
        some = connection.recv(65_536)
        if not some:
            return b""
        content += some
    head, _, body = content.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < sum(lengths):
        some = connection.recv(65_536)
        if not some:
            return b""
        body += some
    return head + b"\r\n\r\n" + body
