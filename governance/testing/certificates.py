"""Certificate authorities for tests, which can also issue what a real one should not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

CLAIM_SIGNING = (ExtendedKeyUsageOID.EMAIL_PROTECTION, ObjectIdentifier("1.3.6.1.4.1.62558.2.1"))
TIME_STAMPING = (ExtendedKeyUsageOID.TIME_STAMPING,)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate chain, leaf first, and the leaf's key; both PEM."""

    chain: bytes
    private_key: bytes
    key: PrivateKey = field(repr=False)


class FakeAuthority:
    """An authority with an EC P-256 key: a root, or with `above` an intermediate (`ca=False`: one that may not issue).

    `root` is the PEM of its own certificate, `chain` what its leaves must carry along. `lifetime` is relative to now, in days: (from, to).
    """

    def __init__(
        self,
        name: str = "Example root",
        lifetime: tuple[int, int] = (-400, 400),
        *,
        above: FakeAuthority | None = None,
        ca: bool = True,
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        issuer, issuer_key = (above.name, above.key) if above else (self.name, self.key)
        certificate = (
            _builder(self.name, issuer, self.key, issuer_key, lifetime)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(_key_usage(ca=ca), critical=True)
            .sign(issuer_key, hashes.SHA256())
        )
        self.root = certificate.public_bytes(serialization.Encoding.PEM)
        self.chain: bytes = self.root + above.chain if above else b""

    def issue(
        self,
        name: str = "Example signer",
        *,
        key: PrivateKey | None = None,
        usages: Sequence[ObjectIdentifier] = CLAIM_SIGNING,
        lifetime: tuple[int, int] = (-1, 100),
    ) -> Issued:
        """A leaf certificate; without `usages` it has no extended key usage at all."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(_name(name), self.name, key, self.key, lifetime)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
        )
        if usages:
            # RFC 3161, section 2.3 wants it critical for time-stamping; C2PA does not mind either way.
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=tuple(usages) == TIME_STAMPING)
        leaf = builder.sign(self.key, hashes.SHA256())
        return Issued(leaf.public_bytes(serialization.Encoding.PEM) + self.chain, _pem(key), key)

    def root_as_leaf(self) -> Issued:
        """The self-signed root itself, offered as a signing certificate."""
        return Issued(self.root, _pem(self.key), self.key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, issuer_key: PrivateKey, lifetime: tuple[int, int]
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    begin, end = (now + timedelta(days=days) for days in lifetime)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
