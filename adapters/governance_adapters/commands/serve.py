"""`governance serve`: the review API, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from governance.errors import ConfigurationError
from governance_adapters.commands.output import err, out
from governance_adapters.settings import Settings

_LOOK_SECONDS = 1.0


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 is any free one.")] = 8080,
    tls_certificate: Annotated[Path | None, typer.Option(help="PEM chain of the server's certificate.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM private key of that certificate.")] = None,
    behind_tls: Annotated[
        bool, typer.Option("--behind-tls", help="A proxy encrypts: listen in the clear where others may reach it.")
    ] = False,
) -> None:
    """Serve the review API: ledger, holds, works and verification, for API keys with scopes.

    Finishes first what was approved and not released, then expires holds every minute. Ends on Ctrl-C or SIGTERM.
    """
    from governance_adapters.web.opening import open_api
    from governance_adapters.web.serving import Tls, check_host, running, settling

    if (tls_certificate is None) != (tls_key is None):
        raise ConfigurationError(
            "Only one of --tls-certificate and --tls-key is given.", remedy="Give both, or neither."
        )
    tls = None if tls_certificate is None or tls_key is None else Tls(tls_certificate, tls_key)
    check_host(host, tls=tls is not None, behind_tls=behind_tls)
    with _told_to_stop() as stopped, open_api(Settings.load()) as api, settling(api.settle):
        with running(api.app, host=host, port=port, tls=tls) as listening:
            out.print(f"listening on {listening.url}; described at {listening.url}/v1/openapi.json", markup=False)
            while not stopped.wait(_LOOK_SECONDS):
                if listening.failed():
                    raise ConfigurationError("The server ended by itself.", remedy="Its log says why.")
        err.print("stopped", markup=False)


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Set by Ctrl-C and SIGTERM; the handlers from before come back afterwards."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
