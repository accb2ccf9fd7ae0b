"""A certificate authority for trials: it signs for whoever runs `governance keys init`, so it proves nothing."""

from __future__ import annotations

import secrets
import warnings
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from governance_adapters.marking.certificates import INSECURE_ORGANIZATION, to_pem, utc_clock

ROOT_LIFETIME: Final = timedelta(days=5 * 365)
LEAF_LIFETIME: Final = timedelta(days=365)
C2PA_CLAIM_SIGNING: Final = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
_CLOCK_SKEW: Final = timedelta(minutes=5)


class InsecureKeyWarning(UserWarning):
    """Keys of the insecure development authority are in use: their signatures prove nothing to anybody else."""


def warn_insecure(what: str, stacklevel: int = 3) -> None:
    """Warn that `what` rests on the development authority."""
    warnings.warn(
        f"{what} uses the INSECURE development authority: nobody else can trust its signatures. "
        "Replace the C2PA certificate and key before production.",
        InsecureKeyWarning,
        stacklevel=stacklevel,
    )


@dataclass(frozen=True, slots=True)
class DevelopmentCertificates:
    """A root, a signing certificate that it issued, and that certificate's key; all PEM."""

    root: bytes
    chain: bytes
    private_key: bytes = field(repr=False)


class InsecureDevelopmentAuthority:
    """An EC P-256 root that lives in memory only.

    Its private key is never written, so what lies on disk cannot mint further certificates: renewing means a new
    authority, whose root is appended to the trusted ones.
    """

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or utc_clock()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"INSECURE development root {secrets.token_hex(4)}")
        key_usage = _key_usage(digital_signature=False, signs_certificates=True)
        self._root = (
            self._builder(self._name, self._key.public_key(), ROOT_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def issue(self) -> DevelopmentCertificates:
        """A fresh signing key and its certificate, valid for a year."""
        key = ec.generate_private_key(ec.SECP256R1())
        # C2PA readers of this generation want emailProtection beside C2PA's own usage.
        usages = [ExtendedKeyUsageOID.EMAIL_PROTECTION, C2PA_CLAIM_SIGNING]
        leaf = (
            self._builder(_name(f"INSECURE development signer {secrets.token_hex(4)}"), key.public_key(), LEAF_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True, signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private_key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return DevelopmentCertificates(to_pem([self._root]), to_pem([leaf]), private_key)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _CLOCK_SKEW)
            .not_valid_after(self._now + lifetime)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, INSECURE_ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _key_usage(*, digital_signature: bool, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
