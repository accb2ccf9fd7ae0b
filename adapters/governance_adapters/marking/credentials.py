"""Who signs: a certificate chain with its key, or with a callback into the service that keeps the key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from governance.errors import SigningError
from governance_adapters.marking.certificates import (
    KEY_REMEDY,
    PemSource,
    TrustRoots,
    is_insecure,
    read_signing_chain,
    read_source,
    to_pem,
)

__all__ = ["CallbackCredentials", "Credentials", "PemCredentials", "PemSource", "SigningIdentity", "TrustRoots"]

_CURVES: Final = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """Checked credentials: the chain (leaf first), the C2PA algorithm, and the key or the callback that signs."""

    chain: tuple[x509.Certificate, ...]
    algorithm: str
    private_key: bytes | None = field(default=None, repr=False)
    sign: Callable[[bytes], bytes] | None = None

    @property
    def chain_pem(self) -> bytes:
        """The chain as PEM."""
        return to_pem(self.chain)

    @property
    def insecure(self) -> bool:
        """Whether the development authority issued this."""
        return is_insecure(self.chain)


class Credentials(Protocol):
    """Something that yields a signing identity."""

    def identify(self) -> SigningIdentity:
        """Read and check the credentials.

        Raises:
            SigningError: they are unreadable, do not belong together, or cannot sign C2PA claims.
        """


@dataclass(frozen=True, slots=True)
class PemCredentials:
    """A chain and an unencrypted private key, as files or bytes."""

    certificate_chain: PemSource
    private_key: PemSource = field(repr=False)

    def identify(self) -> SigningIdentity:
        """See Credentials.identify."""
        chain = read_signing_chain(self.certificate_chain)
        content = read_source(self.private_key, "The private key")
        try:
            key = serialization.load_pem_private_key(content, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it is encrypted
            raise SigningError(
                "The private key is not an unencrypted PEM key.",
                remedy=f"{KEY_REMEDY} For an encrypted or external key use CallbackCredentials.",
            ) from error
        if _public_bytes(key.public_key()) != _public_bytes(chain[0].public_key()):
            raise SigningError(
                "The private key does not belong to the first certificate of the chain.", remedy=KEY_REMEDY
            )
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return SigningIdentity(chain, _algorithms_of(chain[0])[0], private_key=plain)


@dataclass(frozen=True, slots=True)
class CallbackCredentials:
    """A chain, and a function that signs: the key stays in a KMS or HSM.

    `sign` gets the bytes to sign (it hashes them itself) and returns the signature; ECDSA in DER or as r || s. It may
    be called from several threads. `algorithm` is one of C2PA's: es256, es384, es512, ps256, ps384, ps512, ed25519.
    """

    certificate_chain: PemSource
    sign: Callable[[bytes], bytes]
    algorithm: str

    def identify(self) -> SigningIdentity:
        """See Credentials.identify."""
        chain = read_signing_chain(self.certificate_chain)
        fitting = _algorithms_of(chain[0])
        if self.algorithm not in fitting:
            raise SigningError(
                f"The algorithm `{self.algorithm}` does not fit the certificate's key.",
                remedy=f"Use {' or '.join(fitting)}.",
            )
        return SigningIdentity(chain, self.algorithm, sign=self.sign)


def _algorithms_of(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningError("The certificate's key cannot be read.", remedy=KEY_REMEDY) from error
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return (_CURVES[key.curve.name],)
    if isinstance(key, rsa.RSAPublicKey):
        return ("ps256", "ps384", "ps512")
    if isinstance(key, ed25519.Ed25519PublicKey):
        return ("ed25519",)
    raise SigningError(
        "C2PA cannot sign with this kind of key.",
        remedy="Use P-256, P-384, P-521, Ed25519 or RSA of 2048 bits or more.",
    )


def _public_bytes(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
