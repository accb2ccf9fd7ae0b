"""The key of a witness: a PEM file of mode 0600, and beside it the public half that others verify cosignatures with.

A witness needs no installation: it follows somebody else's log. So its key lies where it is told to, in no key folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.cosignature import Cosigner, WitnessKey
from governance.errors import ConfigurationError
from governance.files import sync
from governance_adapters.marking.keys import check_private, write_private

PUBLIC_SUFFIX: Final = ".pub"
_REMEDY: Final = "Restore the key and its .pub from their backup, or make a new one: `governance keys witness`."


def create_witness_key(file: Path, name: str) -> Cosigner:
    """Make a key for the witness `name` in `file`, and its public half in `file` + `.pub`. Nothing is overwritten.

    Raises:
        ConfigurationError: the name is unusable, one of the files exists, or they cannot be written.
    """
    cosigner = Cosigner.generate(name)
    private = cosigner.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        # The public half first: with it alone nothing can be signed, and a second try names it.
        write_private(public_path(file), f"{cosigner.key}\n".encode())
        public_path(file).chmod(0o644)
        write_private(file, private)
        sync(file.absolute().parent)
    except OSError as error:
        raise ConfigurationError(
            f"The witness key {file} cannot be made: {error.strerror or error}.",
            remedy="Name a new file in a folder that exists; keys are never overwritten.",
        ) from error
    return cosigner


def load_witness_key(file: Path) -> Cosigner:
    """The key in `file`, checked against its public half.

    Raises:
        ConfigurationError: a half is missing, garbled or open to others, or the halves do not belong together.
    """
    try:
        check_private(file)
        content, public = file.read_bytes(), public_path(file).read_text()
        private = serialization.load_pem_private_key(content, password=None)
    except OSError as error:
        raise ConfigurationError(
            f"The witness key {file} cannot be read: {error.strerror or error}.", remedy=_REMEDY
        ) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{file} is no unencrypted PEM key.", remedy=_REMEDY) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigurationError(f"{file} is no Ed25519 key.", remedy=_REMEDY)
    cosigner = Cosigner(WitnessKey.parse(public).name, private)
    if str(cosigner.key) != public.strip():
        raise ConfigurationError(f"{file} and {public_path(file)} are not a pair.", remedy=_REMEDY)
    return cosigner


def public_path(file: Path) -> Path:
    """Where the public half of a witness key is."""
    return file.with_name(file.name + PUBLIC_SUFFIX)
