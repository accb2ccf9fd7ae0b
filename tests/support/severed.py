"""A connection that breaks at the one moment that matters: while a commit is under way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum

from sqlalchemy import make_url

COMMIT = b"COMMIT"


class Cut(Enum):
    """Where a connection breaks: before the server hears of the commit, or before the client hears that it was done."""

    QUESTION = "question"
    ANSWER = "answer"


class Wire:
    """Forwards connections to a server. Once `cut` is set, the next commit is the last that its connection sees.

    `over`: the server hears that the client is gone only when this is set; its session lives on until then.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cut: Cut | None = None
        self.cuts = 0
        self.over: threading.Event | None = None
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """End all connections."""
        self._listener.close()
        for each in self._open:
            _end(each)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self._open += (client, server)
                answered = threading.Event()
                for target in (self._ask, self._answer):
                    threading.Thread(target=target, args=(client, server, answered), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, last: threading.Event) -> None:
        with suppress(OSError):
            while content := client.recv(65536):
                if COMMIT in content and self.cut is not None:
                    cut, self.cut = self.cut, None
                    self.cuts += 1
                    if cut is Cut.QUESTION:
                        break
                    last.set()
                server.sendall(content)
        if not last.is_set():
            self._ended(client, server)

    def _answer(self, client: socket.socket, server: socket.socket, last: threading.Event) -> None:
        with suppress(OSError):
            while content := server.recv(65536):
                if last.is_set():
                    break
                client.sendall(content)
        self._ended(client, server)

    def _ended(self, client: socket.socket, server: socket.socket) -> None:
        _end(client)
        if self.over is not None and self.cuts:
            self.over.wait()
        _end(server)


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@contextmanager
def wire(url: str) -> Iterator[tuple[Wire, str]]:
    """A wire to the database server of `url`, and the URL that leads through it."""
    parsed = make_url(url)
    assert parsed.host
    forwarded = Wire((parsed.host, parsed.port or 5432))
    try:
        through = parsed.set(host="127.0.0.1", port=forwarded.port)
        yield forwarded, through.render_as_string(hide_password=False)
    finally:
        forwarded.close()
