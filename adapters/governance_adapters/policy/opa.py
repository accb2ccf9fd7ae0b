"""The policy engine that is a real Open Policy Agent server, asked over HTTP (OPA documentation, "REST API: Data API").

The local bundle says what may be asked and answered, and which revision must decide: every answer carries the provenance
of the bundle that gave it, and one of another revision is an error, not a decision.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import time
import warnings
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any, Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

from governance.canonical import Digest, Json
from governance.errors import ConfigurationError, PolicyError
from governance.types import Decision, Stage
from governance_adapters.policy.answers import decision_from, input_text
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.opa_failures import failure
from governance_adapters.policy.opa_transport import BoundedClient

DEFAULT_PORT: Final = 8181
_SHOWN: Final = 80
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""A bearer token, RFC 6750, section 2.1. Anything else would not fit a header, and an error would quote it."""
_Free: TypeAlias = "LifoQueue[BoundedClient | None]"


class InsecurePolicyServerWarning(UserWarning):
    """Prompts and decisions travel unencrypted to another machine: whoever sits between can read and change them."""


class OpaEngine:
    """Implements `governance.ports.PolicyEngine`. Safe to call from any thread, and in a forked child."""

    def __init__(
        self,
        bundle: Bundle,
        url: str,
        *,
        token: str | None = None,
        ca: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        timeout: float = 2.0,
        connections: int = 8,
    ) -> None:
        """Ask the server at `url` (`https://host:8181`), which must have `bundle` in force. Nothing is asked yet.

        `token` is sent as a bearer token. `ca` is a PEM file of the roots that the server's certificate must chain to
        (default: the usual public ones); `certificate` and `key` are PEM files for mutual TLS. `timeout` in seconds is
        for a whole decision; only a name that does not resolve may take the system longer. At most `connections` are
        open at a time, and they are kept for the next decision.

        Raises:
            ConfigurationError: an option is unusable, or a token would travel unencrypted to another machine.
        """
        where = _address(url)
        _check_options(where, token, ca, certificate, key)
        if not 0 < timeout < float("inf") or connections < 1:
            raise ConfigurationError(
                f"A timeout of {timeout} s and {connections} connections cannot decide.",
                remedy="Set a timeout above 0 and at least one connection.",
            )
        self._bundle = bundle
        self._host = f"[{where.hostname}]" if ":" in str(where.hostname) else str(where.hostname)
        self._port = where.port or DEFAULT_PORT
        self._verify = (str(ca) if ca else True) if where.scheme == "https" else False
        self._certificate = (str(certificate), str(key)) if certificate and key else None
        self._token = token
        self._timeout = timeout
        self._connections = connections
        self._start()
        _living.add(self)

    @property
    def bundle_revision(self) -> Digest:
        """The revision of the bundle that must decide."""
        return self._bundle.revision

    def decide(self, stage: Stage, facts: Mapping[str, Json]) -> Decision:
        """Decide on `facts`, after they were found to fit the schema of `stage`.

        An undefined decision is a decision to deny, with the reason `policy.undefined`.

        Raises:
            PolicyError: the input or the decision does not fit its schema; the server is down, slow or answers with
                something else; it decides by another bundle. The message names the server, never the token or a prompt.
        """
        content = input_text(self._bundle, stage, facts)
        return decision_from(self._bundle, stage, self.evaluate_unvalidated(stage, content))

    def evaluate_unvalidated(self, stage: Stage, content: str, rule: str = "decision") -> Any:
        """What the stage's `rule` says to any JSON text, for tests and explanations: None where it is undefined.

        Raises:
            PolicyError: as `decide`, but for the schemas; or `content` is not JSON.
        """
        body = self._asked(stage, rule, _parsed(content))
        self._check_provenance(body)
        return body.get("result")

    def close(self) -> None:
        """Close the connections that wait for the next decision; one that is asked for makes a new connection."""
        for _ in range(_close(self._free)):
            self._free.put(None)

    def _asked(self, stage: Stage, rule: str, content: Any) -> Any:
        """The parsed answer. A connection on which anything went wrong is not used again."""
        deadline = time.monotonic() + self._timeout
        free = self._free
        try:
            client = free.get(timeout=self._timeout)
        except Empty as error:
            raise self._error(
                f"has all its {self._connections} connections in use for {self._timeout:g} s",
                "Allow more connections, or find out why it is slow.",
            ) from error
        sound = None
        try:
            client = client or self._client()
            answer = client.ask(f"governance.{stage.value}", rule, content, max(deadline - time.monotonic(), 0.001))
            sound = client
        except Exception as error:  # the vendors let any of theirs through: whatever it is, there is no decision
            raise self._error(*failure(error, self._timeout)) from error
        finally:
            if client is not sound and client is not None:
                client.close_connection()
            free.put(sound)
        return answer

    def _check_provenance(self, body: Any) -> None:
        """See that the bundle that answered is ours. Roots of bundles never overlap, so one of several is enough."""
        try:
            revisions = sorted(str(one["revision"]) for one in body["provenance"]["bundles"].values())
        except (KeyError, TypeError, AttributeError) as error:
            raise self._error(
                f"does not say which bundle decided; it must be {self._bundle.revision}",
                "Start it with that bundle, built by `governance policy build`, and see in its log that it was activated.",
            ) from error
        if self._bundle.revision not in revisions:
            named = ", ".join(revision[:_SHOWN] or "one without a revision" for revision in revisions[:_SHOWN])
            raise self._error(
                f"decides by another bundle: {named or 'none'}, not {self._bundle.revision}",
                "Give both the same bundle: `governance policy build` makes the server's from the local one.",
            )

    def _client(self) -> BoundedClient:
        return BoundedClient(
            self._host, self._port, ssl=self._verify, cert=self._certificate, token=self._token, retries=0
        )

    def _error(self, what: str, remedy: str) -> PolicyError:
        return PolicyError(f"The policy server {self._host}:{self._port} {what}.", remedy=remedy)

    def _start(self) -> None:
        self._free: _Free = LifoQueue()
        for _ in range(self._connections):
            self._free.put(None)
        self._dropped = weakref.finalize(self, _close, self._free)


def _address(url: str) -> SplitResult:
    """The parts of `url`. The url itself stays out of errors: a password may stand in it."""
    try:
        where = urlsplit(url)
        usable = where.scheme in {"http", "https"} and bool(where.hostname) and where.port != 0
    except ValueError:
        usable = False
    if not usable or where.username or where.password or where.path.strip("/") or where.query or where.fragment:
        raise ConfigurationError(
            "The address of the policy server is not of the form https://host:port.",
            remedy="Give scheme, host and port only; a token goes into its own setting.",
        )
    return where


def _check_options(
    where: SplitResult, token: str | None, ca: Path | None, certificate: Path | None, key: Path | None
) -> None:
    if token is not None and not _TOKEN.fullmatch(token):
        raise ConfigurationError(
            "The token of the policy server is not a bearer token.",
            remedy="Give the token alone, without spaces or line ends (RFC 6750, section 2.1).",
        )
    if (certificate is None) != (key is None):
        raise ConfigurationError("Mutual TLS needs both a certificate and its key.", remedy="Give both, or neither.")
    files = [path for path in (ca, certificate, key) if path is not None]
    for path in files:
        if not path.is_file():
            raise ConfigurationError(f"{path} does not exist.", remedy="Name a PEM file.")
    if where.scheme == "https":
        return
    if files:
        raise ConfigurationError("http:// has no certificates.", remedy="Use https://, or leave the PEM files out.")
    if _is_loopback(str(where.hostname)):
        return
    if token is not None:
        raise ConfigurationError(
            f"The token would travel unencrypted to {where.hostname}.", remedy="Use https:// for the policy server."
        )
    warnings.warn(
        f"Decisions come unencrypted from {where.hostname}: whoever sits between can change them. Use https://.",
        InsecurePolicyServerWarning,
        stacklevel=3,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parsed(content: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise PolicyError("The policy input is not JSON.", remedy="Ask with JSON text.") from error


def _close(free: _Free) -> int:
    """Take all clients that wait and close their connections; how many that were."""
    taken = 0
    with suppress(Empty):
        while True:
            client = free.get_nowait()
            taken += 1
            if client:
                client.close_connection()
    return taken


def _restart_in_child() -> None:
    for engine in list(_living):
        # The parent's clients are left alone: one of its threads may have held a lock of theirs.
        engine._dropped.detach()  # noqa: SLF001
        engine._start()  # noqa: SLF001


_living: weakref.WeakSet[OpaEngine] = weakref.WeakSet()
os.register_at_fork(after_in_child=_restart_in_child)
