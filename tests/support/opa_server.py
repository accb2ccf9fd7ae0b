"""A real Open Policy Agent server on a free loopback port, for a while."""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.real import require
from support.tls import Files

_PATIENCE = 30
"""Seconds that a server may take to start, or to do what is waited for."""
AUTHORISATION = """package system.authz

default allow := false

allow if input.identity == "{token}"

allow if input.path == ["health"]
"""
"""Lets in whoever shows this token; its health it tells everybody."""


def real_opa() -> str:
    """The `opa` on PATH; the test is skipped loudly, or fails where it is required, if there is none."""
    found = shutil.which("opa")
    require("opa", found, "there is no `opa` on PATH, so nothing was checked against the real Open Policy Agent")
    return str(found)


class OpaServer:
    """One `opa run --server`. It is asked at `url`; `log` is what it says."""

    def __init__(self, arguments: list[str], port: int, health: int, log: Path, tls: Files | None) -> None:
        self.url, self.port, self.log = f"{'https' if tls else 'http'}://127.0.0.1:{port}", port, log
        self._health, self._tls = health, tls
        with log.open("wb") as said:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=said, stderr=said)

    def started(self) -> bool:
        """Wait until it is healthy with its bundles active; False where it ended instead."""
        return self.eventually(self.healthy)

    def eventually(self, holds: Callable[[], bool]) -> bool:
        """Wait until something holds; False where the server ended instead, or after a while."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and self.process.poll() is None:
            if holds():
                return True
            time.sleep(0.02)
        return False

    def healthy(self) -> bool:
        """Whether it says now that it is up and every bundle is active."""
        connection = http.client.HTTPConnection("127.0.0.1", self._health, timeout=5)
        if self._tls:
            context = ssl.create_default_context(cafile=self._tls.root)
            context.check_hostname = False
            context.load_cert_chain(self._tls.certificate, self._tls.key)
            connection = http.client.HTTPSConnection("127.0.0.1", self._health, timeout=5, context=context)
        try:
            connection.request("GET", "/health?bundles")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def listens(self) -> bool:
        """Whether it accepts connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


@contextmanager
def opa_server(
    opa: str,
    folder: Path,
    *arguments: str | Path,
    tls: Files | None = None,
    port: int | None = None,
    ready: bool = True,
) -> Iterator[OpaServer]:
    """A server started with `arguments` beside its addresses; `ready` wants it up with every bundle active.

    With `tls` it speaks TLS, and knows clients by the same root.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own, health = (port or free_port()), free_port()
    addresses = ["--addr", f"127.0.0.1:{own}", "--diagnostic-addr", f"127.0.0.1:{health}"]
    quiet = ["--disable-telemetry", "--log-level", "error", "--shutdown-grace-period", "1"]
    secured: list[str | Path] = []
    if tls:
        secured = [
            "--tls-cert-file",
            tls.certificate,
            "--tls-private-key-file",
            tls.key,
            "--tls-ca-cert-file",
            tls.root,
        ]
    command = [opa, "run", "--server", *addresses, *quiet, *map(str, (*secured, *arguments))]
    server = OpaServer(command, own, health, folder / "opa.log", tls)
    try:
        assert not ready or server.started(), server.log.read_text()
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
