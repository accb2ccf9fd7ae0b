"""OpenSSF model signatures: a Sigstore bundle whose in-toto statement lists the digest of every file of a model.

Read with the reference implementation (`model-signing`, predicate `https://model_signing/signature/v1.0`). Two methods that
need no network: a bare elliptic-curve key, and a certificate that chains to given roots. Its keyless method asks public
services and is not offered.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from governance.canonical import Digest, digest
from governance.errors import RegisterError
from governance.registers.items import ModelSignature
from governance.types import utc_now

KEY: Final = "key"
CERTIFICATE: Final = "certificate"
_MAX_BYTES: Final = 64 * 1024 * 1024
"""Of a signature file: it lists files, and no model has so many."""
_IGNORABLE: Final = frozenset({".git", ".gitattributes", ".github", ".gitignore"})
"""What every signature leaves out: nothing of it is loaded."""


def verify_signature(
    model: Path, signature: Path, *, key: Path | None = None, roots: Sequence[Path] = ()
) -> ModelSignature:
    """What the signature says of the model in the folder `model`, once it holds for every file in it, no more and no less.

    `key` is the PEM file of the public key that must have signed; or `roots` are PEM files of the certificates that the
    signer's must chain to. A certificate is looked at as of the beginning of its validity, as the format has no time of signing.

    Raises:
        RegisterError: neither or both are given; a file cannot be read; another key signed; a file was altered, added or
            removed, or is left out of the signature.
    """
    if (key is None) == (not roots):
        raise RegisterError(
            "A signature is verified with a key, or with the roots of a certificate.", remedy="Give one of the two."
        )
    statement = _statement(signature)
    _check_whole(statement, model, signature)
    try:
        _verify(model, signature, key, roots)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # the library raises what its parts raise; whatever it is, nothing is verified
        raise RegisterError(
            f"The signature {signature.name} does not hold for {model.name}: {_said(error)}.",
            remedy="Get model, signature and key again from whoever signed; register nothing that does not verify.",
        ) from error
    method = KEY if key is not None else CERTIFICATE
    return ModelSignature(method, utc_now(), _signer(signature, key), digest(_payload(_bundle(signature))))


def _verify(model: Path, signature: Path, key: Path | None, roots: Sequence[Path]) -> None:
    from model_signing.verifying import Config

    kind: Any = Config
    config = kind()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it thinks of old signatures
        if key is not None:
            config.use_elliptic_key_verifier(public_key=key)
        else:
            config.use_certificate_verifier(certificate_chain=list(roots))
        config.verify(model, signature)


def _check_whole(statement: dict[str, Any], model: Path, signature: Path) -> None:
    """Refuse a statement that leaves files of the model out: what it does not cover could be anything."""
    try:
        serialization = statement["predicate"]["serialization"]
        left_out = {str(Path(path)) for path in serialization.get("ignore_paths", ())}
        names = [resource["name"] for resource in statement["predicate"]["resources"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise _unreadable(signature, error) from error
    own = {signature.name} if signature.resolve().parent == model.resolve() else set()
    there = {path for path in left_out - _IGNORABLE - own if (model / path).exists()}
    if there or not names:
        raise RegisterError(
            f"The signature {signature.name} leaves out {', '.join(sorted(there)[:3]) or 'every file'} of the model.",
            remedy="Have the whole folder signed.",
        )


def _signer(signature: Path, key: Path | None) -> Digest:
    """SHA-256 of the public key that signed, as SubjectPublicKeyInfo in DER."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    if key is not None:
        public: Any = serialization.load_pem_public_key(key.read_bytes())
    else:
        chain = _bundle(signature)["verificationMaterial"]["x509CertificateChain"]["certificates"]
        public = x509.load_der_x509_certificate(base64.b64decode(chain[0]["rawBytes"])).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return digest(public.public_bytes(serialization.Encoding.DER, form))


def _statement(signature: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(_payload(_bundle(signature)))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(signature, error) from error
    return found


def _bundle(signature: Path) -> dict[str, Any]:
    try:
        if signature.stat().st_size > _MAX_BYTES:
            raise ValueError("it is too large")
        found: dict[str, Any] = json.loads(signature.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(signature, error) from error
    return found


def _payload(bundle: dict[str, Any]) -> bytes:
    return base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True)


def _unreadable(signature: Path, error: Exception) -> RegisterError:
    return RegisterError(
        f"{signature.name} is no OpenSSF model signature: {_said(error)}.",
        remedy="Give the `.sig` file that the model was published with.",
    )


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300].rstrip(".")
