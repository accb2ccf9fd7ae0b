"""X.509 certificates: reading them, chaining them to our roots, and whether they may sign C2PA claims.

Certificate profile: C2PA Technical Specification 2.x, section "X.509 Certificates"; chains by RFC 5280.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from governance.errors import SigningError

PemSource: TypeAlias = Path | bytes
"""A PEM file, or its content."""

INSECURE_ORGANIZATION: Final = "INSECURE development authority"
"""The organization in every certificate of the development authority; nobody else may use it."""

CLAIM_USAGES: Final = ("1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1")
"""Extended key usages that make a claim signer: emailProtection, documentSigning, C2PA claim signing."""

KEY_REMEDY: Final = (
    "Pass the certificate chain, leaf first, and the leaf's key; `governance keys renew` makes a pair for trials."
)

# anyExtendedKeyUsage, OCSPSigning, timeStamping: c2pa-rs 0.91 lets the last two sign claims, other readers do not.
_FORBIDDEN_USAGES: Final = frozenset({"2.5.29.37.0", "1.3.6.1.5.5.7.3.9", "1.3.6.1.5.5.7.3.8"})


@dataclass(frozen=True, slots=True)
class TrustRoots:
    """The roots that we trust: `claim` for those who sign claims, `time_stamp` for time-stamp authorities.

    Raises:
        SigningError: no claim root, or a bundle that is not PEM certificates.
    """

    claim: PemSource
    time_stamp: PemSource | None = None

    def __post_init__(self) -> None:
        self.claim_certificates()
        self.time_stamp_certificates()

    def claim_certificates(self) -> tuple[x509.Certificate, ...]:
        """The roots for claim signers; at least one."""
        return read_certificates(self.claim, "The trust root")

    def time_stamp_certificates(self) -> tuple[x509.Certificate, ...]:
        """The roots for time-stamp authorities; may be empty."""
        return () if self.time_stamp is None else read_certificates(self.time_stamp, "The time-stamp root")

    def path(self, chain: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
        """The certificates from the leaf `chain[0]` up to the claim root that vouches for it.

        Raises:
            SigningError: no claim root does, so nothing signed with this chain could read back as Trusted.
        """
        roots, others = self.claim_certificates(), list(chain[1:])
        path = [chain[0]]
        while path[-1] not in roots:
            issuer = next((item for item in (*roots, *others) if _issued_by(path[-1], item)), None)
            if issuer is None:
                raise SigningError(
                    f"No trust root issued `{path[-1].subject.rfc4514_string()}`.",
                    remedy="Add the issuing root to the trust roots, or the missing intermediates to the chain.",
                )
            if issuer in others:
                others.remove(issuer)
            path.append(issuer)
        return tuple(path)


def read_source(source: PemSource, what: str) -> bytes:
    """The bytes of `source`.

    Raises:
        SigningError: the file cannot be read.
    """
    if isinstance(source, bytes):
        return source
    try:
        return source.read_bytes()
    except OSError as error:
        raise SigningError(f"{what} {source} cannot be read: {error.strerror or error}.", remedy=KEY_REMEDY) from error


def read_certificates(source: PemSource, what: str) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM bundle, at least one.

    Raises:
        SigningError: the file cannot be read, or holds no certificate.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(read_source(source, what)))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningError(f"{what} is not a PEM certificate.", remedy=KEY_REMEDY) from error


def read_signing_chain(source: PemSource) -> tuple[x509.Certificate, ...]:
    """A chain whose first certificate may sign claims.

    Raises:
        SigningError: it is unreadable, self-signed, or issued for something else.
    """
    chain = read_certificates(source, "The certificate chain")
    if _issued_by(chain[0], chain[0]):
        raise SigningError(
            "The first certificate of the chain is self-signed; C2PA refuses that.",
            remedy="Have an authority issue a certificate for signing, and put it first.",
        )
    usages = _extended_key_usages(chain[0])
    if usages.isdisjoint(CLAIM_USAGES) or not usages.isdisjoint(_FORBIDDEN_USAGES):
        raise SigningError(
            f"The certificate's extended key usage ({', '.join(sorted(usages)) or 'none'}) is not for signing claims.",
            remedy=f"Have it issued with one of {', '.join(CLAIM_USAGES)}, and not for time-stamps, OCSP or any use.",
        )
    return chain


def check_validity(certificates: Sequence[x509.Certificate], now: datetime) -> None:
    """Refuse certificates that are not valid at `now`, in UTC.

    Raises:
        SigningError: one is expired or not valid yet.
    """
    for certificate in certificates:
        name = certificate.subject.rfc4514_string()
        if now > certificate.not_valid_after_utc:
            raise SigningError(
                f"The certificate `{name}` expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC.",
                remedy="Renew it and replace the chain (`governance keys renew` does that for the development authority); "
                "a time-stamp authority keeps earlier files valid.",
            )
        if now < certificate.not_valid_before_utc:
            raise SigningError(
                f"The certificate `{name}` is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC.",
                remedy="Check this machine's clock, or wait.",
            )


def to_pem(certificates: Sequence[x509.Certificate]) -> bytes:
    """`certificates` as one PEM bundle."""
    return b"".join(item.public_bytes(serialization.Encoding.PEM) for item in certificates)


def is_insecure(certificates: Sequence[x509.Certificate]) -> bool:
    """Whether the development authority stands as subject or issuer anywhere in `certificates`."""
    return any(
        attribute.value == INSECURE_ORGANIZATION
        for certificate in certificates
        for name in (certificate.subject, certificate.issuer)
        for attribute in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    )


def utc_clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def _extended_key_usages(certificate: x509.Certificate) -> frozenset[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, ValueError):  # absent, or the extensions cannot be parsed
        return frozenset()
    return frozenset(usage.dotted_string for usage in found.value)


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):  # another name, another kind of key, another signature
        return False
    return True
