"""What went wrong on the way to a policy server and back, in words that hold nothing of what was sent."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import requests
import urllib3

from governance_adapters.policy.opa_transport import AnswerError

_Kinds: TypeAlias = tuple[type[BaseException], ...]
_CHECK: Final = "Check that it runs, answers and is not overloaded."
_FAILURES: Final[Sequence[tuple[_Kinds, str, str]]] = (
    (
        (requests.exceptions.TooManyRedirects,),
        "redirects, which is never followed",
        "Give the address of the server itself.",
    ),
    (
        (requests.exceptions.JSONDecodeError, RecursionError),
        "answered with something other than JSON",
        "Check that an OPA server listens there.",
    ),
    (
        (requests.exceptions.InvalidJSONError,),
        "was not asked: the input has a number that is not JSON",
        "Use integers and decimal strings.",
    ),
    ((socket.gaierror,), "has a name that does not resolve", "Correct the host in its address."),
    (
        (TimeoutError, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError),
        "gave no whole answer within {timeout:g} s",
        f"{_CHECK} The timeout can be raised.",
    ),
    ((ssl.SSLError,), "could not agree on TLS", "Check that it speaks TLS there, and accepts the client certificate."),
    ((ConnectionRefusedError,), "refuses connections", _CHECK),
)
"""Whatever holds first is said: the kinds, what happened, and what to do."""


def failure(error: BaseException, timeout: float) -> tuple[str, str]:
    """What happened, to follow "The policy server ...", and what to do. `timeout` in seconds was the deadline."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, AnswerError):
            return str(cause), "Check the address, the token and the server's log; mend the policy where it names one."
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"has a certificate that is not trusted: {cause.verify_message}", "Give the right CA and host name."
    for kinds, what, remedy in _FAILURES:
        if any(isinstance(cause, kinds) for cause in causes):
            return what.format(timeout=timeout), remedy
    return f"broke the connection off ({type(causes[-1]).__name__})", _CHECK


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and what led to it, latest first."""
    at: BaseException | None = error
    while at is not None:
        yield at
        at = at.__cause__ or at.__context__
