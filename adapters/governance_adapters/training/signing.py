"""OpenSSF model signatures (Sigstore bundles over the digests of a folder's files) with the installation's own key for results.

The key is an EC P-256 key of its own in the key folder: `models-key.pem`, and `models-key.pub` for whoever verifies. It is made
when the first result is signed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from governance.canonical import Digest, Json, digest
from governance.errors import ConfigurationError, SigningError
from governance.files import sync

KEY: Final = "models-key.pem"
PUBLIC: Final = "models-key.pub"
SIGNATURE: Final = "model.sig"
"""What the signature is called; it lies in the folder, beside the files that it is over."""


@dataclass(frozen=True, slots=True)
class ResultSignature:
    """A signature over the folder of a result.

    `file` is where it lies, `digest` its SHA-256; `signer` the SHA-256 of the public key as SubjectPublicKeyInfo in DER.
    """

    file: Path
    digest: Digest
    signer: Digest

    def as_json(self) -> dict[str, Json]:
        """What a `trained` entry says of it."""
        return {"method": "key", "file": self.digest, "key": self.signer}


def sign_folder(folder: Path, keys: Path) -> ResultSignature:
    """Sign all files of `folder` with the key for results in the key folder `keys`, which is made where there is none.

    Raises:
        SigningError: the folder cannot be read or signed, or is signed already.
        ConfigurationError: the key cannot be made, is garbled, or is open to others.
    """
    from model_signing import hashing, signing

    key, file = _key(keys), folder / SIGNATURE
    if file.exists():
        raise SigningError(f"{folder} is signed already.", remedy="Results are never overwritten: name another folder.")
    try:
        hashes: Any = hashing.Config
        signer: Any = signing.Config
        hashed = hashes().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)
        config = signer().use_elliptic_key_signer(private_key=keys / KEY).set_hashing_config(hashed)
        config.sign(folder, file)
        content = file.read_bytes()
    except (OSError, ValueError, TypeError) as error:
        raise SigningError(
            f"{folder} cannot be signed: {error}.", remedy="It must hold the result's files and be writable."
        ) from error
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return ResultSignature(file, digest(content), digest(public))


def _key(keys: Path) -> ec.EllipticCurvePrivateKey:
    path = keys / KEY
    try:
        if not path.exists():
            _make(keys)
        if path.stat().st_mode & 0o077:
            raise ConfigurationError(f"{path} is open to other users.", remedy=f"Run `chmod 600 {path}`.")
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"The key for results in {keys} cannot be used: {error}.",
            remedy=f"Restore {KEY} from its backup; without it, move it away: a new one is made, and older results "
            f"verify with the old {PUBLIC} only.",
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"{path} is no elliptic-curve key.", remedy="Use P-256, P-384 or P-521.")
    return key


def _make(keys: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for name, content, mode in ((PUBLIC, public, 0o600), (KEY, private, 0o600)):
        descriptor = os.open(keys / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    sync(keys)
