"""RFC 3161 time stamps: an authority's word that a checkpoint existed at a time. Requests, and their verification."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from governance.errors import ConfigurationError, ProofError, PublicationError
from governance_adapters.publishing.bounded_http import SECONDS, Address, ExchangeError, ask
from governance_adapters.publishing.certificate_order import certificates_in_order

MOST_BYTES: Final = 256 * 1024
"""The largest answer of an authority that is looked at: its certificates are in it."""
_SHA256: Final = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")
_QUERY: Final = "application/timestamp-query"
_REPLY: Final = "application/timestamp-reply"


class TimeStampAuthority:
    """Has content stamped by the authority at a URL, whose certificate must chain to one of `roots`.

    Raises:
        ConfigurationError: the URL is none, or there is no root.
    """

    def __init__(self, url: str, roots: Sequence[x509.Certificate], *, seconds: float = SECONDS) -> None:
        self._address = Address.parse(url)
        self._roots = _some(roots)
        self._seconds = seconds

    def stamp(self, content: bytes) -> bytes:
        """The authority's answer (a DER `TimeStampResp`) for the SHA-256 of `content`; verified before it is returned.

        Raises:
            PublicationError: the authority cannot be reached, refuses, or its answer does not verify.
        """
        request = TimestampRequestBuilder().data(content).hash_algorithm(HashAlgorithm.SHA256).build()
        address = self._address
        headers = {"Content-Type": _QUERY, "Accept": _REPLY}
        try:
            answer = ask(
                address, "POST", address.path, most=MOST_BYTES, body=request.as_bytes(), headers=headers,
                seconds=self._seconds,
            )  # fmt: skip
        except ExchangeError as error:
            raise self._unusable(str(error)) from error
        if answer.status != 200:
            raise self._unusable(f"answered {answer.status}")
        if answer.media_type != _REPLY:
            raise self._unusable(f"answered with {answer.media_type or 'no media type'} instead of {_REPLY}")
        try:
            _verified(answer.content, content, self._roots, request.nonce)
        except ProofError as error:
            raise self._unusable(f"gave a time stamp that does not verify: {error}") from error
        return answer.content

    def _unusable(self, what: str) -> PublicationError:
        return PublicationError(
            f"There is no time stamp from {self._address.url}: it {what}.",
            remedy="Check the address and the roots of the authority (`tsa_root`); then ask again.",
        )


def check_time_stamp(stamp: bytes, content: bytes, roots: Sequence[x509.Certificate]) -> datetime:
    """When an authority under one of `roots` stamped `content` (UTC), by the DER `TimeStampResp` that it gave.

    Raises:
        ProofError: it is no time stamp, stamps something else, or no root vouches for it.
        ConfigurationError: there is no root.
    """
    return _verified(stamp, content, _some(roots), None)


def _verified(stamp: bytes, content: bytes, roots: list[x509.Certificate], nonce: int | None) -> datetime:
    if len(stamp) > MOST_BYTES:
        raise _refused(f"it has more than {MOST_BYTES} bytes")
    try:
        response: TimeStampResponse = decode_timestamp_response(certificates_in_order(stamp))
        # A response that refuses carries no token, and asking for one is a ValueError.
        if response.tst_info.message_imprint.hash_algorithm != _SHA256:
            raise _refused("it is over another digest than SHA-256")
        digest = hashlib.sha256(content).digest()
        VerifierBuilder(roots=list(roots), nonce=nonce).build().verify(response, digest)
        return response.tst_info.gen_time.astimezone(UTC)
    except VerificationError as error:
        raise _refused(_short(error)) from error
    except (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
        raise _refused(f"it cannot be read: {_short(error)}") from error


def _some(roots: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    if not roots:
        raise ConfigurationError(
            "There is no root to check time stamps against.",
            remedy="Set `tsa_root`, or put `tsa-roots.pem` into the key folder.",
        )
    return list(roots)


def _short(error: Exception) -> str:
    """What the vendor says, without OpenSSL's stack of errors."""
    return str(error).partition(": ErrorStack")[0].rstrip(".")[:200]


def _refused(what: str) -> ProofError:
    return ProofError(
        f"The time stamp does not hold: {what}.", remedy="Compare the file it is for, and the roots of the authority."
    )
